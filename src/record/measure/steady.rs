//! Streams that have no steady state: what they did in one window says little about the next.

use super::kept::Kept;
use super::verdict::Verdict;
use crate::record::StreamRecord;
use crate::stats::{periods_us, steady};

/// A change of the lateness by so many periods of a frame matters.
const TOLERANCE: f64 = 0.5;

/// The finding against a stream of which `fps` frames a second should arrive: MSER-5 finds
/// no steady state in the lateness of its frames, and the median of the second half of the window
/// differs from that of the first by more than half a period. Such a stream may still have all its
/// frames on time, but a longer window would not.
pub(super) fn finding(stream: &StreamRecord, kept: &Kept, fps: f64) -> Option<(Verdict, String)> {
    let frames = stream.arrived_us.iter().zip(&stream.late_us);
    let frames = frames.filter(|(at_us, _)| kept.has(at_us.cast_signed()));
    let late: Vec<f64> = frames.filter_map(|(_, late)| Some((*late)? as f64)).collect();
    if late.len() < steady::LEAST_VALUES || steady::begin(&late).is_some() {
        return None;
    }
    let shift = steady::shift(&late);
    let how = if shift > 0.0 { "later" } else { "earlier" };
    let by = (shift.abs() / 1e3).round();
    let text = || format!("no steady state: its second half of frames came {by} ms {how} than the first");
    (shift.abs() > periods_us(TOLERANCE, fps) as f64).then(|| (Verdict::Undecided, text()))
}

/// The remark on a warm-up that did not end in a steady state.
pub(super) fn note(stream: &StreamRecord) -> Option<String> {
    let warmup = stream.warmup.filter(|warmup| warmup.is_steady == Some(false))?;
    let seconds = warmup.length_us / 1_000_000;
    Some(format!("it was not in a steady state after {seconds} s of warm-up, when its window began"))
}

#[cfg(test)]
mod tests {
    use super::super::measure;
    use crate::record::Pace;
    use crate::record::fixture::{Story, member, setup};

    /// A stream of 15 fps for 20 s after 2 s of warm-up, with the lateness of the frames of each
    /// second of the run in milliseconds: its verdict, reason and notes.
    #[track_caller]
    fn check(late_ms: impl Fn(i64) -> i64, expected: &str) {
        let members = vec![member("c", "C", 15.0, &[(&["scan"], 0)])];
        let mut setup = setup(Pace::Live, 20, 2, &["c"], members);
        setup.conditions.warmup_is_auto = true;
        let mut story = Story::new(setup);
        for second in 0..40 {
            story.late_us = late_ms(second) * 1000;
            story.play(0, "c/1", second as u64, second as u64 + 1, 15);
        }
        let measurement = measure(&story.builder.finish());
        let stream = &measurement.cameras[0].streams[0];
        let reason = stream.reason.as_deref().unwrap_or_default();
        assert_eq!(format!("{}: {reason} {:?}", stream.verdict, stream.notes), expected);
    }

    #[test]
    fn a_delay_that_does_not_change_is_steady() {
        check(|_| 300, "holds:  []");
        check(|second| 40 + second % 3 * 10, "holds:  []");
        // A change in the first half is over when it counts.
        check(|second| if second < 10 { 70 } else { 40 }, "holds:  []");
        // Less than half a period from half to half.
        check(|second| second * 3, "holds:  []");
    }

    #[test]
    fn a_delay_that_grows_or_shifts_is_no_steady_state() {
        // All frames are still on time.
        check(
            |second| if second < 14 { 10 } else { 50 },
            "undecided: no steady state: its second half of frames came 40 ms later than the first []",
        );
        check(
            |second| (60 - (second - 12).max(0) * 20).max(20),
            "undecided: no steady state: its second half of frames came 40 ms earlier than the first []",
        );
    }

    #[test]
    fn a_warm_up_that_did_not_settle_is_a_note() {
        check(
            |second| if second < 10 { second * 40 } else { 10 },
            "holds:  [\"it was not in a steady state after 10 s of warm-up, when its window began\"]",
        );
    }
}
