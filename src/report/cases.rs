//! What decides whether a run passes, one case each: a threshold at a place, the verdict of a stream, whether
//! the run is whole. JUnit, SARIF and Markdown show these, so they cannot disagree.
//!
//! A run passes if and only if none of its cases fails.

use super::Report;
use super::density::DensityShown;
use super::lanes;
use crate::model::{Of, Severity, Threshold};
use crate::record::Pace;
use crate::record::judgement::{Judged, Judgement, Rule, incomplete, judge, judge_search};
use crate::record::measure::{CameraFigures, StreamFigures, Verdict, number};

/// One thing that is judged.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// The camera, as [`lanes::name`] gives it; `None` for the lane.
    pub(super) camera: Option<String>,
    /// The camera as its file calls it.
    pub(super) written: Option<String>,
    /// `on_time >= 0.99 at camera-3/1`
    pub(super) name: String,
    /// The id of its rule: `threshold/on_time`, `verdict/rate`.
    pub(super) rule: String,
    pub(super) severity: Severity,
    pub(super) threshold: Option<Threshold>,
    pub(super) outcome: Outcome,
    /// How long it was measured.
    pub(super) window_us: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    /// Why.
    Failed(String),
    /// Why it was not judged.
    Skipped(String),
}

impl Case {
    pub(super) fn failure(&self) -> Option<&str> {
        if let Outcome::Failed(why) = &self.outcome { Some(why) } else { None }
    }
}

/// The rule that a case stands for, in a sentence.
pub(super) fn rule_text(rule: &str) -> String {
    match rule.split_once('/') {
        Some(("threshold", metric)) => format!("`{metric}` keeps its thresholds in `Lpfile.toml`"),
        Some(("verdict", "holds")) => "Every stream keeps up with its target".to_owned(),
        Some(("verdict", "sound")) => "Every stream plays to its end, and its detectors see".to_owned(),
        Some(("verdict", "played")) => "Every workload is played".to_owned(),
        _ => "The measurement is whole".to_owned(),
    }
}

/// The cases of a run, those of the lane first.
pub(super) fn cases(report: &Report<'_>) -> (Judgement, Vec<Case>) {
    let Report { record, measurement, .. } = report;
    let judgement = judge(record, measurement);
    let whole = [record.interrupted.then(|| "the run was interrupted".to_owned()), record.unreliable()];
    let whole: Vec<String> = whole.into_iter().flatten().collect();
    let longest = measurement.cameras.iter().flat_map(|camera| &camera.streams);
    let longest = longest.filter_map(|stream| stream.window_us).max().unwrap_or(0);
    let mut cases = vec![Case {
        camera: None,
        written: None,
        name: "the run is whole".to_owned(),
        rule: "run/whole".to_owned(),
        severity: Severity::Critical,
        threshold: None,
        outcome: failed_if(whole),
        window_us: longest,
    }];
    let of_place = |judged: &Judged| {
        measurement.cameras.iter().find(|camera| {
            camera.slug.as_str() == judged.place
                || camera.streams.iter().any(|stream| stream.stream == judged.place)
        })
    };
    for judged in &judgement.thresholds {
        let camera = of_place(judged).filter(|_| judged.camera.is_some());
        cases.push(of_threshold(judged, camera.map(lanes::name), longest));
    }
    for skipped in &judgement.not_judged {
        let written = if let Of::Camera(name) = &skipped.threshold.of { Some(name.clone()) } else { None };
        cases.push(Case {
            camera: None,
            written,
            name: format!("{}{}", skipped.threshold.text, whose(&skipped.threshold.of)),
            rule: format!("threshold/{}", skipped.threshold.metric),
            severity: skipped.threshold.severity,
            threshold: Some(skipped.threshold.clone()),
            outcome: Outcome::Skipped(skipped.why.clone()),
            window_us: 0,
        });
    }
    for camera in &measurement.cameras {
        let streams = camera.streams.iter();
        cases.extend(streams.map(|stream| of_stream(report, judgement.by, camera, stream)));
        let left_out = camera.left_out.iter().filter(|_| !record.conditions.decode_only);
        cases.extend(left_out.map(|left_out| Case {
            camera: Some(lanes::name(camera)),
            written: Some(camera.camera.clone()),
            name: format!("{} of {} is played", left_out.workloads.join(", "), camera.slug),
            rule: "verdict/played".to_owned(),
            severity: Severity::Critical,
            threshold: None,
            outcome: Outcome::Failed(format!("left out: {}", left_out.reason)),
            window_us: 0,
        }));
    }
    (judgement, cases)
}

/// Those of a search for the density.
pub(super) fn of_search(shown: &DensityShown<'_>) -> (Judgement, Vec<Case>) {
    let judgement = judge_search(shown.record, shown.id, &shown.record.thresholds);
    let whole: Vec<String> = incomplete(shown.record).map(str::to_owned).into_iter().collect();
    let mut cases = vec![Case {
        camera: None,
        written: None,
        name: "the search came to an end".to_owned(),
        rule: "run/whole".to_owned(),
        severity: Severity::Critical,
        threshold: None,
        outcome: failed_if(whole),
        window_us: shown.figures.took_us,
    }];
    cases.extend(judgement.thresholds.iter().map(|judged| of_threshold(judged, judged.camera.clone(), 0)));
    (judgement, cases)
}

fn failed_if(faults: Vec<String>) -> Outcome {
    if faults.is_empty() { Outcome::Passed } else { Outcome::Failed(faults.join("; ")) }
}

fn of_threshold(judged: &Judged, camera: Option<String>, window_us: u64) -> Case {
    let threshold = &judged.threshold;
    Case {
        camera,
        written: judged.camera.clone(),
        name: format!("{} at {}", threshold.text, judged.place),
        rule: format!("threshold/{}", threshold.metric),
        severity: threshold.severity,
        threshold: Some(threshold.clone()),
        outcome: if judged.is_breach { Outcome::Failed(judged.sentence()) } else { Outcome::Passed },
        window_us,
    }
}

fn whose(of: &Of) -> String {
    match of {
        Of::Lane => String::new(),
        Of::Camera(name) => format!(" of camera {name}"),
        Of::Workload(name) => format!(" of workload {name}"),
    }
}

/// The verdict of a stream or, where thresholds decide, only whether it proves anything.
fn of_stream(report: &Report<'_>, by: Rule, camera: &CameraFigures, stream: &StreamFigures) -> Case {
    let is_sound = !matches!(stream.verdict, Verdict::Failed | Verdict::Invalid | Verdict::FasterButWrong);
    let why = || {
        let reason = stream.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        let verdict = if stream.verdict == Verdict::NotJudged { "not judged" } else { "" };
        match verdict {
            "" => format!("{}{reason}", stream.verdict),
            verdict => format!("{verdict}{reason}"),
        }
    };
    let (name, rule, outcome) = match by {
        Rule::Thresholds => {
            let outcome = if is_sound { Outcome::Passed } else { Outcome::Failed(why()) };
            (format!("{} plays to its end, and its detectors see", stream.stream), "verdict/sound", outcome)
        }
        Rule::Verdicts => {
            let is_free = report.record.conditions.pace == Pace::Free;
            let outcome = match stream.verdict {
                verdict if verdict.is_good() => Outcome::Passed,
                Verdict::NotJudged if is_free => {
                    Outcome::Skipped("played freely, it has no target".to_owned())
                }
                _ => Outcome::Failed(why()),
            };
            let name = match (is_free, report.record.conditions.decode_only) {
                (true, _) => format!("{} plays to its end", stream.stream),
                (false, true) => format!("{} decodes {} fps", stream.stream, number(camera.target_fps)),
                (false, false) => format!("{} holds {} fps", stream.stream, number(camera.target_fps)),
            };
            (name, "verdict/holds", outcome)
        }
    };
    Case {
        camera: Some(lanes::name(camera)),
        written: Some(camera.camera.clone()),
        name,
        rule: rule.to_owned(),
        severity: Severity::Critical,
        threshold: None,
        outcome,
        window_us: stream.window_us.unwrap_or(0),
    }
}
