//! Whether a run is good enough: by the thresholds of its project or, without any, by its verdicts.
//!
//! A *threshold* limits a metric. It is judged at each *place* that has a figure of the metric: a stream, a
//! camera, the lane. A figure beyond its limit is a *breach*, and so is one that is absent: missing data never
//! passes. Thresholds of a camera or a workload replace those of the lane with the same metric, so a slow
//! camera can be allowed more.
//!
//! Whatever thresholds say, a run never passes that failed, was interrupted, read inputs that changed, left
//! something out, or whose detectors were blind or wrong. Neither does a threshold count whose camera
//! was not in the run; with no other, verdicts decide.
//!
//! Pure. The search that judges `density` is found when a run is measured, and kept in its record.
//! Not here: exit codes (`cli`), and how it is shown (`report`).

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::density::DensityRecord;
use super::measure::{CameraFigures, Claim, Measurement, StreamFigures, shortfall};
use super::metric::{At, Metric, Scope, Unit};
use super::{Pace, RunRecord};
use crate::model::{Of, Threshold};
use crate::search::Why;
use crate::text::{counted, plural};

/// The subject of a run of the whole lane.
pub const LANE: &str = "lane";

/// The answer of a search for the density, as far as thresholds need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownSearch {
    /// `lane`, `camera-3`.
    pub subject: String,
    /// The id of the search.
    pub id: String,
    pub at_least: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
}

/// The rule by which a run passes or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    Thresholds,
    Verdicts,
}

/// Whether a run, or a search for the density, is good enough.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    pub by: Rule,
    pub passes: bool,
    /// The rule and its result, in one line.
    pub line: String,
    /// Each threshold at each place: breaches first, the worst of them first.
    pub thresholds: Vec<Judged>,
    pub not_judged: Vec<NotJudged>,
}

/// A threshold at a place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    #[serde(flatten)]
    pub threshold: Threshold,
    /// The camera as its file calls it; `None` for the lane.
    pub camera: Option<String>,
    /// `camera-3/1`, `camera-3`, `lane`.
    pub place: String,
    /// In the unit of the metric.
    pub figure: Option<f64>,
    /// Why there is no figure: `not available: ...`.
    pub absent: Option<String>,
    pub is_breach: bool,
}

/// A threshold that tells nothing about this run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotJudged {
    #[serde(flatten)]
    pub threshold: Threshold,
    pub why: String,
}

impl Judgement {
    /// The breaches, the worst first.
    pub fn breaches(&self) -> impl Iterator<Item = &Judged> {
        self.thresholds.iter().filter(|judged| judged.is_breach)
    }
}

impl Judged {
    /// `on_time is 97.1 %, not >= 0.99`
    #[must_use]
    pub fn sentence(&self) -> String {
        let Threshold { metric, operator, text, .. } = &self.threshold;
        let limit = text.split_once(operator.word()).map_or("", |(_, limit)| limit.trim());
        let operator = operator.word();
        match (&self.absent, self.is_breach) {
            (Some(absent), _) => format!("{metric} is {absent}; it must be {operator} {limit}"),
            (None, true) => format!("{metric} is {}, not {operator} {limit}", self.shown()),
            (None, false) => format!("{metric} is {}, as it must be {operator} {limit}", self.shown()),
        }
    }

    /// The same after severity and place: `critical: camera-3/1: on_time is ...`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{}: {}: {}", self.threshold.severity, self.place, self.sentence())
    }

    /// The figure for people, with all its digits if it would look like its limit; `-` without one.
    #[must_use]
    pub fn shown(&self) -> String {
        let Some(figure) = self.figure else { return "-".to_owned() };
        let Some(metric) = Metric::of(&self.threshold.metric) else { return figure.to_string() };
        let unit = metric.unit();
        let shown = unit.shown(figure);
        if !self.is_breach || shown != unit.shown(self.threshold.limit) || figure == self.threshold.limit {
            return shown;
        }
        match unit {
            Unit::Fps => format!("{figure} fps"),
            Unit::Share => format!("{:.4} %", figure * 100.0),
            Unit::Microseconds => format!("{} ms", figure / 1e3),
            Unit::Bytes => format!("{figure} B"),
            Unit::Watts => format!("{figure} W"),
            Unit::Joules => format!("{figure} J"),
            Unit::Lanes => format!("{figure} lanes"),
        }
    }

    /// How far beyond its limit the figure is, as a share of it; the greatest if it is absent.
    fn excess(&self) -> f64 {
        let Some(figure) = self.figure else { return f64::INFINITY };
        let limit = self.threshold.limit;
        (figure - limit).abs() / limit.abs().max(f64::MIN_POSITIVE)
    }
}

/// Judges a run by the thresholds and the searches of its record, or else by its verdicts.
#[must_use]
pub fn judge(record: &RunRecord, measurement: &Measurement) -> Judgement {
    let mut thresholds = Vec::new();
    let mut not_judged = Vec::new();
    for threshold in &record.thresholds {
        match places(threshold, record, measurement) {
            Ok(places) => thresholds
                .extend(places.into_iter().map(|place| judged(threshold, place, record, measurement))),
            Err(why) => not_judged.push(NotJudged { threshold: threshold.clone(), why }),
        }
    }
    let by = if thresholds.is_empty() { Rule::Verdicts } else { Rule::Thresholds };
    let claim = if by == Rule::Thresholds { Claim::Sound } else { Claim::Held };
    let short = shortfall(record, measurement, claim);
    let passes = short.is_none() && !thresholds.iter().any(|judged| judged.is_breach);
    let skipped = match not_judged.len() {
        0 => String::new(),
        n => format!("; {} not judged", counted(n, "threshold")),
    };
    let line = match (by, short) {
        (Rule::Thresholds, Some(short)) => {
            format!("{}{skipped}; besides, {short}", of_thresholds(&thresholds))
        }
        (Rule::Thresholds, None) => {
            // Whoever limits the power alone should see that a camera does not hold.
            let of_verdicts = shortfall(record, measurement, Claim::Held).filter(|_| passes);
            let but = of_verdicts.map(|short| format!("; by verdicts, which do not decide, {short}"));
            format!("{}{skipped}{}", of_thresholds(&thresholds), but.unwrap_or_default())
        }
        (Rule::Verdicts, Some(short)) => format!("verdicts decide: {short}{skipped}"),
        (Rule::Verdicts, None) => {
            let all = match (record.conditions.pace, record.conditions.decode_only) {
                (Pace::Free, _) => "everything was played, and nothing has a target",
                (Pace::Live, true) => "every camera decodes",
                (Pace::Live, false) => "every camera holds",
            };
            format!("verdicts decide: {all}{skipped}")
        }
    };
    worst_first(&mut thresholds);
    Judgement { by, passes, line, thresholds, not_judged }
}

/// Judges a search for the density: by the thresholds on `density` that are about its subject or, without
/// any, by whether it came to an end.
#[must_use]
pub fn judge_search(record: &DensityRecord, id: &str, all: &[Threshold]) -> Judgement {
    let short = incomplete(record);
    let search = KnownSearch {
        subject: record.subject.clone(),
        id: id.to_owned(),
        at_least: record.answer.at_least,
        at_most: record.answer.at_most,
    };
    let is_about = |threshold: &&Threshold| {
        threshold.metric == Metric::Density.name()
            && match &threshold.of {
                Of::Lane => record.subject == LANE,
                Of::Camera(name) => is_of_one_camera(record, name),
                Of::Workload(_) => false,
            }
    };
    let camera = |of: &Of| if let Of::Camera(name) = of { Some(name.clone()) } else { None };
    let mut thresholds: Vec<Judged> = all
        .iter()
        .filter(is_about)
        .map(|threshold| {
            let figure = match &short {
                Some(short) => Err(format!("not available: {short}")),
                None => of_search(&search, threshold),
            };
            with_figure(threshold, camera(&threshold.of), record.subject.clone(), figure)
        })
        .collect();
    let by = if thresholds.is_empty() { Rule::Verdicts } else { Rule::Thresholds };
    let passes = short.is_none() && !thresholds.iter().any(|judged| judged.is_breach);
    let line = match (by, short) {
        (Rule::Thresholds, _) => of_thresholds(&thresholds),
        (Rule::Verdicts, Some(short)) => format!("no threshold decides: {short}"),
        (Rule::Verdicts, None) => "no threshold decides: the search came to an end".to_owned(),
    };
    worst_first(&mut thresholds);
    Judgement { by, passes, line, thresholds, not_judged: Vec::new() }
}

/// Why a search has no answer that counts.
#[must_use]
pub fn incomplete(record: &DensityRecord) -> Option<&'static str> {
    match record.answer.why {
        Some(Why::Broken) => Some("not everything played"),
        _ if record.interrupted => Some("the search was interrupted"),
        _ if !record.inputs_changed.is_empty() => Some("inputs of the search changed while it ran"),
        _ => None,
    }
}

/// The subjects whose density has a threshold in a run: the lane, and cameras by their slugs.
#[must_use]
pub fn searched(record: &RunRecord) -> Vec<String> {
    let of_density = record.thresholds.iter().filter(|one| one.metric == Metric::Density.name());
    let subject = |threshold: &Threshold| match &threshold.of {
        Of::Lane => (record.subject == LANE).then(|| LANE.to_owned()),
        Of::Camera(name) => {
            let member = record.members.iter().find(|member| member.camera == *name)?;
            Some(member.slug.to_string())
        }
        Of::Workload(_) => None,
    };
    let mut subjects: Vec<String> = of_density.filter_map(subject).collect();
    subjects.sort();
    subjects.dedup();
    subjects
}

/// Whether copies of this camera were counted, and of no other.
fn is_of_one_camera(record: &DensityRecord, name: &str) -> bool {
    let run = record.settings.first().map(|setting| &setting.record).or(record.at_answer.as_deref());
    let members = run.into_iter().flat_map(|run| &run.members);
    let mut counted = members.filter(|member| !record.background.contains(&member.slug)).peekable();
    record.subject != LANE && counted.peek().is_some() && counted.all(|member| member.camera == name)
}

/// `3 thresholds decide: 1 breached, by 4 figures`
fn of_thresholds(judged: &[Judged]) -> String {
    let distinct = |is_asked: fn(&&Judged) -> bool| {
        let mut seen: Vec<&Threshold> = Vec::new();
        for one in judged.iter().filter(is_asked) {
            if !seen.contains(&&one.threshold) {
                seen.push(&one.threshold);
            }
        }
        seen.len()
    };
    let (n, breached) = (distinct(|_| true), distinct(|one| one.is_breach));
    let figures = judged.iter().filter(|one| one.is_breach).count();
    let decide = if n == 1 { "decides" } else { "decide" };
    let result = match breached {
        0 => "none breached".to_owned(),
        _ if figures == breached => format!("{breached} breached"),
        _ => format!("{breached} breached, by {figures} {}", plural(figures, "figure")),
    };
    format!("{} {decide}: {result}", counted(n, "threshold"))
}

fn worst_first(thresholds: &mut [Judged]) {
    // The order of the config and of the lane stays where nothing else decides.
    thresholds.sort_by(|a, b| {
        let rank = |one: &Judged| (!one.is_breach, one.threshold.severity);
        let excess = if a.is_breach { b.excess().total_cmp(&a.excess()) } else { Ordering::Equal };
        rank(a).cmp(&rank(b)).then(excess)
    });
}

/// A place of a run.
#[derive(Clone, Copy)]
struct Place<'a> {
    camera: Option<&'a CameraFigures>,
    at: At<'a>,
}

/// Where a threshold is judged; or why nowhere.
fn places<'a>(
    threshold: &Threshold,
    record: &RunRecord,
    measurement: &'a Measurement,
) -> Result<Vec<Place<'a>>, String> {
    let lane = Place { camera: None, at: At::Lane };
    // Its figure is absent for the same reason everywhere.
    let Some(metric) = Metric::of(&threshold.metric) else { return Ok(vec![lane]) };
    let is_subject = |camera: &&CameraFigures| match &threshold.of {
        Of::Camera(name) => camera.camera == *name,
        Of::Lane | Of::Workload(_) => true,
    };
    let cameras: Vec<&CameraFigures> = measurement.cameras.iter().filter(is_subject).collect();
    if let (Of::Camera(name), true) = (&threshold.of, cameras.is_empty()) {
        return Err(format!("`{name}` is not in this run"));
    }
    let of_camera = |camera: &'a CameraFigures| Place { camera: Some(camera), at: At::Camera(&camera.slug) };
    let found: Vec<Place<'_>> = match (metric.scope(), &threshold.of) {
        (Scope::Lane, Of::Lane) if metric == Metric::Density && record.subject != LANE => {
            return Err("it is about the lane, of which this run has only a part".to_owned());
        }
        (Scope::Lane, Of::Camera(_)) => cameras.into_iter().take(1).map(of_camera).collect(),
        (Scope::Lane, _) => return Ok(vec![lane]),
        (Scope::Camera, _) => {
            let has_own = |camera: &&CameraFigures| has_own(record, threshold, camera, None);
            cameras.into_iter().filter(|camera| !has_own(camera)).map(of_camera).collect()
        }
        (Scope::Stream, _) => {
            let of_streams = |camera: &'a CameraFigures| {
                let place = |stream: &'a StreamFigures| Place {
                    camera: Some(camera),
                    at: At::Stream(&stream.stream),
                };
                let is_judged = |stream: &&StreamFigures| {
                    serves(stream, &threshold.of) && !has_own(record, threshold, camera, Some(stream))
                };
                camera.streams.iter().filter(is_judged).map(place).collect::<Vec<_>>()
            };
            cameras.iter().flat_map(|camera| of_streams(camera)).collect()
        }
    };
    if !found.is_empty() {
        return Ok(found);
    }
    match &threshold.of {
        Of::Workload(name) => Err(format!("no stream of this run serves `{name}`")),
        // Nothing was played: that is a breach, as any absent figure.
        Of::Camera(_) => Ok(cameras_of(threshold, measurement).map(of_camera).collect()),
        Of::Lane if measurement.cameras.iter().all(|camera| camera.streams.is_empty()) => Ok(vec![lane]),
        Of::Lane => Err("every camera has thresholds of its own for this metric".to_owned()),
    }
}

fn cameras_of<'a>(
    threshold: &Threshold,
    measurement: &'a Measurement,
) -> impl Iterator<Item = &'a CameraFigures> {
    let of = threshold.of.clone();
    measurement.cameras.iter().filter(move |camera| of == Of::Camera(camera.camera.clone()))
}

/// Whether a more special threshold replaces this one of the lane: of the same metric, and of the
/// camera or of a workload of the stream.
fn has_own(
    record: &RunRecord,
    threshold: &Threshold,
    camera: &CameraFigures,
    stream: Option<&StreamFigures>,
) -> bool {
    let is_own = |other: &&Threshold| match &other.of {
        Of::Lane => false,
        Of::Camera(name) => camera.camera == *name,
        Of::Workload(_) => stream.is_some_and(|stream| serves(stream, &other.of)),
    };
    let mut same_metric = record.thresholds.iter().filter(|other| other.metric == threshold.metric);
    threshold.of == Of::Lane && same_metric.any(|other| is_own(&other))
}

/// Whether a stream serves the workload of a threshold that is about one.
fn serves(stream: &StreamFigures, of: &Of) -> bool {
    let Of::Workload(name) = of else { return true };
    stream.workloads.iter().any(|workload| workload.to_lowercase() == name.to_lowercase())
}

fn judged(threshold: &Threshold, place: Place<'_>, record: &RunRecord, measurement: &Measurement) -> Judged {
    let figure = match Metric::of(&threshold.metric) {
        None => Err(format!("not available: this `lp` has no metric `{}`", threshold.metric)),
        Some(Metric::Density) => of_searches(record, threshold, place),
        Some(metric) => metric.value(measurement, place.at),
    };
    let camera = place.camera.map(|camera| camera.camera.clone());
    with_figure(threshold, camera, place.at.to_string(), figure)
}

fn with_figure(
    threshold: &Threshold,
    camera: Option<String>,
    place: String,
    figure: Result<f64, String>,
) -> Judged {
    let is_breach = !figure.as_ref().is_ok_and(|figure| threshold.operator.admits(*figure, threshold.limit));
    let (figure, absent) = match figure {
        Ok(figure) => (Some(figure), None),
        Err(absent) => (None, Some(absent)),
    };
    Judged { threshold: threshold.clone(), camera, place, figure, absent, is_breach }
}

/// The density by the search that the record knows.
fn of_searches(record: &RunRecord, threshold: &Threshold, place: Place<'_>) -> Result<f64, String> {
    let subject = place.camera.map_or(LANE, |camera| camera.slug.as_str());
    match record.searches.iter().find(|search| search.subject == subject) {
        Some(search) => of_search(search, threshold),
        None if subject == LANE => {
            Err("not available: no search of this lane on this host; `lp density`".to_owned())
        }
        None => Err(format!("not available: no search of this camera on this host; `lp density {subject}`")),
    }
}

/// What a search shows: that so many lanes hold or, for an upper limit, that no more do.
fn of_search(search: &KnownSearch, threshold: &Threshold) -> Result<f64, String> {
    if threshold.operator.is_lower_bound() {
        return Ok(f64::from(search.at_least));
    }
    let most = search.at_most.map(f64::from);
    most.ok_or_else(|| format!("not available: search {} found no number that fails", search.id))
}

#[cfg(test)]
pub(crate) mod tests;
