//! How much of what they should find do the detectors of a stream find?
//!
//! A run is *faster but wrong* if one of its detectors finds less than [`Limits::recall`] of what
//! it found in an accepted run on the same frames: of all objects, or of those of one label. With
//! a truth that both runs were compared with, its own recall may not fall below this share of the
//! earlier one's; then what the earlier run found wrongly does not count. Fewer than
//! [`LEAST_OBJECTS`] objects accuse nobody.
//!
//! Not here: matching boxes (`record::compared`).
//!
//! [`Limits::recall`]: crate::model::Limits::recall

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::verdict::number;
use crate::record::compared::{Compared, Counts, EarlierRecall, Reference};
use crate::record::{RunRecord, StreamRecord};
use crate::text::counted;

/// So many objects must be expected, of all labels or of one.
pub const LEAST_OBJECTS: u64 = 20;

/// The most labels that a reason names.
const MOST_NAMED: usize = 3;

/// The boxes of a detector, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    pub with: Reference,
    /// Frames that both have.
    pub frames: u64,
    /// Of all labels.
    #[serde(flatten)]
    pub all: AccuracyOf,
    /// The mean of `ap50` over labels; `None` without a truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map50: Option<f64>,
    pub labels: BTreeMap<String, AccuracyOf>,
}

/// Of one label, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracyOf {
    pub expected: u64,
    pub found: u64,
    pub detections: u64,
    /// `found / expected`; `None` if nothing was expected.
    pub recall: Option<f64>,
    /// `found / detections`; `None` without detections.
    pub precision: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ap50: Option<f64>,
}

impl From<Counts> for AccuracyOf {
    fn from(counts: Counts) -> AccuracyOf {
        AccuracyOf {
            expected: counts.expected,
            found: counts.found,
            detections: counts.detections,
            recall: counts.recall().map(super::rounded),
            precision: counts.precision().map(super::rounded),
            ap50: counts.ap50.map(super::rounded),
        }
    }
}

/// What there is to say about the detectors of a stream.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Why the run is faster but wrong.
    pub(super) wrong: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// The figures of one detector.
pub(super) fn figures(stream: &StreamRecord, element: &str) -> Vec<Accuracy> {
    let of_it = stream.compared.iter().filter(|compared| compared.element == element);
    let figures = of_it.map(|compared| Accuracy {
        with: compared.with.clone(),
        frames: compared.frames,
        all: compared.all().into(),
        map50: compared.map50().map(super::rounded),
        labels: compared.labels.iter().map(|(label, one)| (label.clone(), (*one).into())).collect(),
    });
    figures.collect()
}

/// Whether a run is faster but wrong, by the limits under which it was made.
#[must_use]
pub fn is_wrong(record: &RunRecord) -> bool {
    let mut streams = record.members.iter().flat_map(|member| &member.streams);
    streams.any(|stream| !findings(record, stream).wrong.is_empty())
}

pub(super) fn findings(record: &RunRecord, stream: &StreamRecord) -> Findings {
    let mut findings = Findings::default();
    let limit = record.conditions.limits.recall;
    // Nothing is known about a run whose clip changed, or that did not play.
    if stream.failure.is_some() || record.unreliable().is_some() || limit <= 0.0 {
        return findings;
    }
    for compared in &stream.compared {
        let name = name(stream, &compared.element);
        let by_truth =
            stream.compared.iter().any(|one| one.element == compared.element && one.earlier.is_some());
        match (&compared.with, &compared.earlier) {
            (Reference::Truth(truth), Some(earlier)) => {
                findings.wrong.extend(less_of_truth(compared, truth, earlier, limit).map(|why| format!("{name} {why}")));
            }
            (Reference::Truth(_), None) => {}
            (Reference::Run(_), _) if by_truth => {}
            (Reference::Run(run), _) => match less_of_run(compared, run, limit) {
                Ok(why) => findings.wrong.extend(why.map(|why| format!("{name} {why}"))),
                Err(n) => findings.notes.push(format!(
                    "cannot tell whether {name} still finds what it should: on the frames that both runs have, {run} found {}",
                    counted(n, "object")
                )),
            },
        }
    }
    findings
}

/// How a detector finds less than an earlier run, if it does.
///
/// # Errors
/// The number of objects, if these are too few to tell.
pub fn less_of_run(compared: &Compared, run: &str, limit: f64) -> Result<Option<String>, u64> {
    let all = compared.all();
    let is_less =
        |one: &Counts| LEAST_OBJECTS <= one.expected && one.recall().is_some_and(|recall| recall < limit);
    if all.expected < LEAST_OBJECTS {
        return if all.expected > 0 { Err(all.expected) } else { Ok(None) };
    }
    let mut less: Vec<(&String, &Counts)> = compared.labels.iter().filter(|(_, one)| is_less(one)).collect();
    less.sort_by_key(|(_, one)| std::cmp::Reverse(one.expected - one.found));
    if !is_less(&all) && less.is_empty() {
        return Ok(None);
    }
    let of = |label: &str, one: &Counts| format!("{} of {} {label}", one.found, one.expected);
    let mut parts: Vec<String> = less.iter().take(MOST_NAMED).map(|(label, one)| of(label, one)).collect();
    if parts.is_empty() || compared.labels.len() > 1 {
        parts.insert(0, of(if all.expected == 1 { "object" } else { "objects" }, &all));
    }
    let percent = number(limit * 100.0);
    Ok(Some(format!("finds {} that {run} found on the same frames, less than {percent} %", parts.join(", "))))
}

/// How a detector finds less of the truth than an earlier run, if it does.
fn less_of_truth(compared: &Compared, truth: &str, earlier: &EarlierRecall, limit: f64) -> Option<String> {
    let all = compared.all();
    let recall = all.recall().filter(|_| LEAST_OBJECTS <= all.expected)?;
    let percent = |share: f64| number(share * 100.0);
    (recall < limit * earlier.recall).then(|| {
        format!(
            "finds {} % of the objects of `{truth}`, less than {} % of the {} % that {} found",
            percent(recall),
            percent(limit),
            percent(earlier.recall),
            earlier.run
        )
    })
}

/// The factory of a detector with its model, or its name where the stream has several alike.
fn name(stream: &StreamRecord, element: &str) -> String {
    let Some(step) = stream.seen.iter().find(|step| step.element == element) else {
        return element.to_owned();
    };
    let alike =
        stream.seen.iter().filter(|other| (&other.kind, &other.model) == (&step.kind, &step.model)).count();
    match &step.model {
        _ if alike > 1 => format!("`{element}`"),
        Some(model) => format!("`{}` with {model}", step.kind),
        None => format!("`{}`", step.kind),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn compared(labels: &[(&str, u64, u64)]) -> Compared {
        let counts = |(label, expected, found): &(&str, u64, u64)| {
            (
                (*label).to_owned(),
                Counts { expected: *expected, found: *found, detections: *found, ap50: None },
            )
        };
        Compared {
            element: "d".to_owned(),
            with: Reference::Run("r".to_owned()),
            frames: 30,
            labels: labels.iter().map(counts).collect(),
            earlier: None,
        }
    }

    #[track_caller]
    fn check(labels: &[(&str, u64, u64)], limit: f64, expect: Expect) {
        let told = match less_of_run(&compared(labels), "r", limit) {
            Ok(None) => "accepted".to_owned(),
            Ok(Some(why)) => why,
            Err(n) => format!("too few: {n}"),
        };
        expect.assert_eq(&told);
    }

    #[test]
    fn a_detector_that_finds_less_than_95_of_100_is_wrong() {
        check(&[("face", 100, 95)], 0.95, expect!["accepted"]);
        check(
            &[("face", 100, 94)],
            0.95,
            expect!["finds 94 of 100 face that r found on the same frames, less than 95 %"],
        );
        check(&[("face", 19, 0)], 0.95, expect!["too few: 19"]);
        check(&[("face", 0, 0)], 0.95, expect!["accepted"]);
        check(&[("face", 100, 50)], 0.5, expect!["accepted"]);
    }

    #[test]
    fn a_label_that_is_lost_is_not_hidden_by_the_others() {
        let labels = [("bottle", 20, 0), ("person", 1_000, 1_000)];
        check(
            &labels,
            0.95,
            expect![
                "finds 1000 of 1020 objects, 0 of 20 bottle that r found on the same frames, less than 95 %"
            ],
        );
        check(&[("bottle", 19, 0), ("person", 1_000, 1_000)], 0.95, expect!["accepted"]);
    }

    #[test]
    fn with_a_truth_both_runs_are_measured_by_it() {
        let earlier = EarlierRecall { run: "r".to_owned(), recall: 0.9 };
        let less = |found| less_of_truth(&compared(&[("face", 1_000, found)]), "till", &earlier, 0.95);
        assert_eq!(less(856), None);
        expect!["finds 85 % of the objects of `till`, less than 95 % of the 90 % that r found"]
            .assert_eq(&less(850).unwrap());
    }
}
