//! The rows of a comparison: which metrics at which places, their values and their verdicts.

use std::collections::BTreeMap;

use super::{ChangeFigures, ERROR, LEAST_RUNS, Options, Outlier, Place, Row, RunOf, Values, Verdict, words};
use crate::record::metric::{At, Direction, Matters, Metric, Scope};
use crate::record::{Isolation, Pace};
use crate::stats::change::{Change, Design, Finding, Scale, drift, outliers};

/// The share of the error that the rows that decide have.
const SHARE_OF_DECIDING: f64 = 0.8;

/// No deviation below this part of what matters is believed.
const FLOOR: f64 = 1.0 / 30.0;

/// The runs that count; in pairs, those of a pair have the same place.
pub(super) struct Sides<'a> {
    pub(super) baseline: &'a [&'a RunOf],
    pub(super) candidate: &'a [&'a RunOf],
    pub(super) design: Design,
}

/// What decides at a pace.
fn deciding(pace: Pace) -> &'static [Metric] {
    match pace {
        // Lateness is that beyond the delay, so the delay decides as well.
        Pace::Live => &[Metric::CpuPerFrame, Metric::LatenessP95, Metric::Delay, Metric::Goodput],
        Pace::Free => &[Metric::Fps, Metric::CpuPerFrame],
    }
}

/// What is told besides.
fn told(pace: Pace) -> &'static [Metric] {
    match pace {
        Pace::Live => &[
            Metric::OnTime,
            Metric::LatencyP95,
            Metric::StartUp,
            Metric::Seen,
            Metric::Rss,
            Metric::Memory,
            Metric::Cpu,
            Metric::PowerMean,
            Metric::EnergyPerFrame,
        ],
        Pace::Free => &[
            Metric::FpsTotal,
            Metric::StartUp,
            Metric::Rss,
            Metric::Memory,
            Metric::PowerMean,
            Metric::EnergyPerFrame,
        ],
    }
}

/// A row before it is judged.
struct Draft {
    place: Place,
    metric: Metric,
    decides: bool,
    matters: Matters,
    baseline: Result<Vec<f64>, String>,
    candidate: Result<Vec<f64>, String>,
}

/// All rows, those that decide first; and the metrics that no run has.
pub(super) fn rows(sides: &Sides<'_>, options: &Options) -> (Vec<Row>, BTreeMap<String, String>) {
    let pace = sides.baseline[0].conditions.pace;
    let asked: Vec<(Metric, bool)> = match &options.metrics[..] {
        [] => {
            let deciding = deciding(pace).iter().map(|metric| (*metric, true));
            deciding.chain(told(pace).iter().map(|metric| (*metric, false))).collect()
        }
        metrics => metrics.iter().map(|metric| (*metric, true)).collect(),
    };
    let mut absent = BTreeMap::new();
    let mut drafts = Vec::new();
    for (metric, decides) in asked {
        let matters = options.matters.get(&metric).copied().unwrap_or(metric.matters());
        let of_metric: Vec<Draft> = places(sides, metric)
            .into_iter()
            .map(|place| draft(sides, metric, decides, matters, place))
            .collect();
        let is_known = |draft: &Draft| draft.baseline.is_ok() || draft.candidate.is_ok();
        if !decides && !of_metric.iter().any(is_known) {
            if let Some(Err(why)) = of_metric.first().map(|draft| &draft.baseline) {
                absent.insert(metric.name().to_owned(), why.clone());
            }
            continue;
        }
        // A place without the figure on either side has nothing to compare; one that decides says so.
        drafts.extend(of_metric.into_iter().filter(|draft| decides || is_known(draft)));
    }
    let n = |decides: bool| drafts.iter().filter(|draft| draft.decides == decides && varies(draft)).count();
    let (n_deciding, n_told) = (n(true), n(false));
    let shares = match n_told {
        0 => (1.0, 0.0),
        _ => (SHARE_OF_DECIDING, 1.0 - SHARE_OF_DECIDING),
    };
    let error = |decides: bool| match decides {
        true => ERROR * shares.0 / n_deciding.max(1) as f64,
        false => ERROR * shares.1 / n_told.max(1) as f64,
    };
    let rows = drafts.into_iter().map(|draft| {
        let error = error(draft.decides);
        judged(sides, draft, error)
    });
    (rows.collect(), absent)
}

/// Whether a row can be wrong about a change: its values are not all equal.
fn varies(draft: &Draft) -> bool {
    let values = || draft.baseline.iter().chain(&draft.candidate).flatten();
    values().any(|value| Some(value) != values().next())
}

/// The places of a metric. Both sides have the same, as other cameras and streams are refused.
fn places(sides: &Sides<'_>, metric: Metric) -> Vec<Place> {
    let lane = Place { camera: None, at: "lane".to_owned() };
    let Some(first) = sides.baseline.first() else { return Vec::new() };
    let of_cameras = first.members.iter().flat_map(|member| {
        let place = |at: &str| Place { camera: Some(member.camera.clone()), at: at.to_owned() };
        match metric.scope() {
            Scope::Lane => Vec::new(),
            Scope::Camera => vec![place(member.slug.as_str())],
            Scope::Stream => member.streams.iter().map(|stream| place(&stream.stream)).collect(),
        }
    });
    let mut places: Vec<Place> = of_cameras.collect();
    match metric.scope() {
        Scope::Lane => places.push(lane),
        Scope::Camera => {
            let all = || sides.baseline.iter().chain(sides.candidate);
            let is_own = all().all(|run| run.conditions.isolation == Isolation::Camera);
            // One worker for all has no figures of cameras; one camera is the lane.
            if !is_own {
                places.clear();
            }
            if places.len() != 1 {
                places.insert(0, lane);
            }
        }
        Scope::Stream => {}
    }
    places
}

fn draft(sides: &Sides<'_>, metric: Metric, decides: bool, matters: Matters, place: Place) -> Draft {
    let value = |run: &RunOf| {
        let slug = run.members.iter().map(|member| &member.slug).find(|slug| slug.as_str() == place.at);
        let at = match (metric.scope(), slug) {
            (_, _) if place.camera.is_none() => At::Lane,
            (Scope::Camera, Some(slug)) => At::Camera(slug),
            _ => At::Stream(&place.at),
        };
        metric.value(&run.measurement, at).map_err(|why| format!("{}: {why}", run.run))
    };
    let all = |runs: &[&RunOf]| runs.iter().map(|run| value(run)).collect::<Result<Vec<f64>, String>>();
    let (baseline, candidate) = (all(sides.baseline), all(sides.candidate));
    Draft { place, metric, decides, matters, baseline, candidate }
}

/// The scale of a row, its floor, and by what its values are divided; or why it has none.
fn scale(draft: &Draft, baseline: &[f64], candidate: &[f64]) -> Result<(Scale, f64, f64), String> {
    match draft.matters {
        Matters::Absolute(least) => Ok((Scale::Difference, least * FLOOR, 1.0)),
        Matters::Relative(least) => {
            if baseline.iter().chain(candidate).all(|value| *value > 0.0) {
                return Ok((Scale::Ratio, least * FLOOR, 1.0));
            }
            // Without logarithms, as a share of the baseline's mean.
            let mean = baseline.iter().sum::<f64>() / baseline.len() as f64;
            if mean > 0.0 {
                Ok((Scale::Difference, least * FLOOR, mean))
            } else {
                Err("the baseline is 0, of which nothing is a share".to_owned())
            }
        }
    }
}

/// A row with its verdict; `error` is its part of what a comparison may be wrong.
fn judged(sides: &Sides<'_>, draft: Draft, error: f64) -> Row {
    let (matters, relative) = match draft.matters {
        Matters::Relative(share) => (share, true),
        Matters::Absolute(value) => (value, false),
    };
    let values = |known: &Result<Vec<f64>, String>, runs: &[&RunOf]| {
        known.as_ref().map_or_else(|_| Values::default(), |known| values_of(known, runs, matters, relative))
    };
    let mut row = Row {
        unit: draft.metric.unit().ucum(),
        metric: draft.metric,
        decides: draft.decides,
        verdict: Verdict::CannotTell,
        reason: None,
        matters,
        relative,
        baseline: values(&draft.baseline, sides.baseline),
        candidate: values(&draft.candidate, sides.candidate),
        change: None,
        more_runs: None,
        place: draft.place.clone(),
    };
    if !draft.metric.compares_at(sides.baseline[0].conditions.pace) {
        row.reason = Some(match draft.metric.exists_at(Pace::Free) {
            true => "at live pace the camera caps it: it says nothing about the machine".to_owned(),
            false => "at free pace frames are due at no time".to_owned(),
        });
        return row;
    }
    let (baseline, candidate) = match (&draft.baseline, &draft.candidate) {
        (Err(why), _) | (_, Err(why)) => {
            row.reason = Some(why.clone());
            return row;
        }
        (Ok(baseline), Ok(candidate)) => (baseline, candidate),
    };
    if baseline.len().min(candidate.len()) < LEAST_RUNS {
        row.reason = Some(words::too_few(baseline.len(), candidate.len()));
        return row;
    }
    let (scale, floor, unit) = match scale(&draft, baseline, candidate) {
        Ok(scale) => scale,
        Err(why) => {
            row.reason = Some(why);
            return row;
        }
    };
    let divided = |values: &[f64]| values.iter().map(|value| value / unit).collect::<Vec<f64>>();
    let (baseline, candidate) = (divided(baseline), divided(candidate));
    let Some(change) = Change::between(&baseline, &candidate, sides.design, scale, floor) else {
        row.reason = Some("its values are no finite numbers".to_owned());
        return row;
    };
    let figures = ChangeFigures {
        estimate: change.estimate(),
        together: change.interval_of_looks(error),
        alone: change.interval(crate::stats::change::ERROR_OF_SAME),
    };
    row.change = Some(figures);
    let finding = change.finding(matters, error);
    let better = match draft.metric.direction() {
        Direction::Higher => Finding::More,
        Direction::Lower => Finding::Less,
    };
    row.verdict = match finding {
        Finding::Same => Verdict::Same,
        Finding::Unclear => Verdict::CannotTell,
        finding if finding == better => Verdict::Better,
        _ => Verdict::Worse,
    };
    if finding == Finding::Unclear {
        row.more_runs = change.more_for_finding(matters, error);
        row.reason = Some(words::unclear(&row, &figures));
    } else if let Some(why) = drifts(sides, &baseline, &candidate, scale, matters, finding) {
        row.verdict = Verdict::CannotTell;
        row.reason = Some(why);
    }
    row
}

/// Why a finding of sides that were not measured in turn may come from a drift.
fn drifts(
    sides: &Sides<'_>,
    baseline: &[f64],
    candidate: &[f64],
    scale: Scale,
    matters: f64,
    finding: Finding,
) -> Option<String> {
    if sides.design == Design::Pairs {
        return None;
    }
    let mut times: Vec<_> = sides.baseline.iter().chain(sides.candidate).map(|run| run.started).collect();
    times.sort();
    let points = |runs: &[&RunOf], values: &[f64]| {
        let at = |run: &RunOf| times.partition_point(|time| *time < run.started) as f64;
        let on_scale = |value: f64| if scale == Scale::Ratio { value.ln() } else { value };
        runs.iter().zip(values).map(|(run, value)| (at(run), on_scale(*value))).collect::<Vec<_>>()
    };
    let drift = drift(&points(sides.baseline, baseline), &points(sides.candidate, candidate))?;
    let holds = match finding {
        Finding::More => 0.0 < drift.interval.low,
        Finding::Less => drift.interval.high < 0.0,
        Finding::Same => -matters < drift.interval.low && drift.interval.high < matters,
        Finding::Unclear => true,
    };
    (!holds).then(|| {
        "the values drift from run to run, which could explain it; measure both in turn: `lp bench`"
            .to_owned()
    })
}

/// The values of a side with what is told of them.
fn values_of(values: &[f64], runs: &[&RunOf], matters: f64, relative: bool) -> Values {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let floor = FLOOR * if relative { matters * mean.abs() } else { matters };
    let far = outliers(values, floor).into_iter();
    let outliers = far.map(|(at, score)| Outlier { run: runs[at].run.clone(), value: values[at], score });
    Values {
        outliers: outliers.collect(),
        values: values.to_vec(),
        mean: Some(mean).filter(|mean| mean.is_finite()),
        deviation: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
    }
}
