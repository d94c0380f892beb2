//! The sentence about what a run did not show: the reason for exit code 1.
//!
//! `lp run` and `lp report --verdict` end by this one rule, so a record that a later
//! job restores ends that job as the run itself ended.
//!
//! Not here: verdicts on cameras (`judge`), and tasks that failed without a record.

use super::{Measurement, Verdict};
use crate::record::{Pace, RunRecord};
use crate::text::plural;

/// What a run should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Everything was played to its end.
    Played,
    /// Besides, no detector was blind or wrong.
    Sound,
    /// Besides, every camera that has a target holds it.
    Held,
}

/// Why a run does not show what it should, in one sentence; `None` if it does.
///
/// A file that is played freely has no target, so there is nothing to hold. Anywhere
/// else a camera without a verdict does not hold, since nothing shows that it does.
#[must_use]
pub fn shortfall(record: &RunRecord, measurement: &Measurement, claim: Claim) -> Option<String> {
    let cameras = &measurement.cameras;
    let with = |verdict: Verdict| {
        cameras.iter().filter(|camera| camera.verdict == verdict && !camera.streams.is_empty()).count()
    };
    let judged = |verdict: Verdict| if claim == Claim::Held { with(verdict) } else { 0 };
    let found = |verdict: Verdict| if claim == Claim::Played { 0 } else { with(verdict) };
    let unjudged = match record.conditions.pace {
        Pace::Live => judged(Verdict::NotJudged),
        Pace::Free => 0,
    };
    // A run that only decodes leaves out scripts by request.
    let left_out = match record.conditions.decode_only {
        true => 0,
        false => cameras.iter().filter(|camera| !camera.left_out.is_empty()).count(),
    };
    let counts = [
        (judged(Verdict::DoesNotHold), "does not hold", "do not hold"),
        (judged(Verdict::Undecided), "is undecided", "are undecided"),
        (found(Verdict::FasterButWrong), "is faster but wrong", "are faster but wrong"),
        (found(Verdict::Invalid), "is invalid", "are invalid"),
        (unjudged, "was not judged", "were not judged"),
        (with(Verdict::Failed), "failed", "failed"),
        (left_out, "has workloads that were left out", "have workloads that were left out"),
    ];
    let mut text = String::new();
    for (n, one, many) in counts.into_iter().filter(|(n, ..)| *n > 0) {
        let says = if n == 1 { one } else { many };
        if text.is_empty() {
            text = format!("{n} of {} {} {says}", cameras.len(), plural(cameras.len(), "camera"));
        } else {
            text.push_str(&format!(", {n} {says}"));
        }
    }
    let interrupted = record.interrupted.then(|| "the run was interrupted".to_owned());
    let parts: Vec<String> = [text]
        .into_iter()
        .filter(|text| !text.is_empty())
        .chain(interrupted)
        .chain(record.unreliable())
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}
