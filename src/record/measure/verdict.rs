//! Whether a stream kept up, and the run in one line.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CameraFigures, Totals};
use crate::record::{Member, Pace, RunRecord, StreamRecord};

/// At least this share of the target is needed to hold it.
pub const HOLDS_FPS: f64 = 0.995;
/// Below this share of the target it is not held.
pub const FAILS_FPS: f64 = 0.98;
/// At most this many of 1,000 frames may be dropped to hold the target.
pub const HOLDS_DROPPED_PER_MILLE: u64 = 5;
/// With more than this many of 1,000 frames dropped it is not held.
pub const FAILS_DROPPED_PER_MILLE: u64 = 20;

/// Whether a stream kept up with its target, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A file that is played freely has no target.
    NotJudged,
    /// At least [`HOLDS_FPS`] of the target, at most [`HOLDS_DROPPED_PER_MILLE`].
    Holds,
    /// In between, or not measured to the end. Never counts as holding.
    Undecided,
    /// Less than [`FAILS_FPS`] of the target, or more than [`FAILS_DROPPED_PER_MILLE`].
    DoesNotHold,
    /// It did not play to the end.
    Failed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::NotJudged => "not judged",
            Verdict::Holds => "holds",
            Verdict::Undecided => "undecided",
            Verdict::DoesNotHold => "does not hold",
            Verdict::Failed => "failed",
        })
    }
}

/// A number with at most two decimals and without needless zeros: `15`, `29.97`.
#[must_use]
pub fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The verdict on a stream, and the reason unless it holds.
pub(super) fn of_stream(
    record: &RunRecord,
    member: &Member,
    stream: &StreamRecord,
    fps: Option<f64>,
) -> (Verdict, Option<String>) {
    if let Some(failure) = &stream.failure {
        return (Verdict::Failed, Some(failure.clone()));
    }
    if let Some(reason) = record.unreliable() {
        return (Verdict::Undecided, Some(reason));
    }
    if record.conditions.pace == Pace::Free {
        let reason = record.interrupted.then(|| "interrupted before the end of the file".to_owned());
        return (Verdict::NotJudged, reason);
    }
    let Some((fps, (begin, end))) = fps.zip(stream.window_us) else {
        return (Verdict::Undecided, Some("stopped before its window began".to_owned()));
    };
    let (measured, asked) = (end - begin, record.conditions.duration_ms * 1000);
    if measured < asked {
        let seconds = |us: u64| number(us as f64 / 1e6);
        let reason = format!("interrupted after {} s of {} s", seconds(measured), seconds(asked));
        return (Verdict::Undecided, Some(reason));
    }
    judge(fps, member.target_fps, stream.dropped, stream.arrived_us.len() as u64 + stream.dropped)
}

/// `offered` = frames that arrived + frames that were dropped.
pub(super) fn judge(fps: f64, target: f64, dropped: u64, offered: u64) -> (Verdict, Option<String>) {
    let fps_says = if fps >= HOLDS_FPS * target {
        Verdict::Holds
    } else if fps < FAILS_FPS * target {
        Verdict::DoesNotHold
    } else {
        Verdict::Undecided
    };
    // In whole numbers, so that exactly 0.5 % is exactly that.
    let drops_say = if dropped * 1000 <= HOLDS_DROPPED_PER_MILLE * offered {
        Verdict::Holds
    } else if dropped * 1000 > FAILS_DROPPED_PER_MILLE * offered {
        Verdict::DoesNotHold
    } else {
        Verdict::Undecided
    };
    let percent = |per_mille: u64| number(per_mille as f64 / 10.0);
    let fps_text = || match fps_says {
        Verdict::Holds => None,
        Verdict::DoesNotHold => {
            Some(format!("{fps:.2} fps is less than {} % of {}", number(FAILS_FPS * 100.0), number(target)))
        }
        _ => Some(format!("{fps:.2} fps is less than {} % of {}", number(HOLDS_FPS * 100.0), number(target))),
    };
    let drops_text = || {
        let limit = match drops_say {
            Verdict::Holds => return None,
            Verdict::DoesNotHold => FAILS_DROPPED_PER_MILLE,
            _ => HOLDS_DROPPED_PER_MILLE,
        };
        let share = dropped as f64 * 100.0 / offered as f64;
        Some(format!("{share:.2} % dropped is more than {} %", percent(limit)))
    };
    let reasons: Vec<String> = [fps_text(), drops_text()].into_iter().flatten().collect();
    (fps_says.max(drops_say), (!reasons.is_empty()).then(|| reasons.join("; ")))
}

/// The run in one line.
pub(super) fn line(
    record: &RunRecord,
    cameras: &[CameraFigures],
    totals: &Totals,
    cpu: Option<f64>,
) -> String {
    let mut text = match record.conditions.pace {
        Pace::Free => free(totals),
        Pace::Live => live(cameras, totals),
    };
    let count = |verdict: Verdict| cameras.iter().filter(|camera| camera.verdict == verdict).count();
    let is_unjudged =
        |camera: &&CameraFigures| camera.verdict == Verdict::NotJudged && !camera.streams.is_empty();
    let unjudged = match record.conditions.pace {
        Pace::Live => cameras.iter().filter(is_unjudged).count(),
        Pace::Free => 0,
    };
    let left_out = cameras.iter().filter(|camera| !camera.left_out.is_empty()).count();
    let rest = [
        (unjudged, "not judged", "not judged"),
        (count(Verdict::DoesNotHold), "does not", "do not"),
        (count(Verdict::Undecided), "is undecided", "are undecided"),
        (count(Verdict::Failed), "failed", "failed"),
        (left_out, "with workloads left out", "with workloads left out"),
    ];
    for (n, one, many) in rest.into_iter().filter(|(n, ..)| *n > 0) {
        text.push_str(&format!(", {n} {}", if n == 1 { one } else { many }));
    }
    match cpu {
        Some(cpu) => text.push_str(&format!("; CPU {:.0} %", cpu * 100.0)),
        None => text.push_str("; CPU not measured"),
    }
    if record.interrupted {
        text.push_str("; interrupted");
    }
    if let Some(reason) = record.unreliable() {
        text.push_str(&format!("; {reason}"));
    }
    text
}

fn live(cameras: &[CameraFigures], totals: &Totals) -> String {
    let mut played = cameras.iter().filter(|camera| !camera.streams.is_empty());
    let target = match played.next() {
        Some(first) if played.all(|camera| camera.target_fps == first.target_fps) => {
            format!("{} fps", number(first.target_fps))
        }
        _ if totals.holding == 1 => "its target".to_owned(),
        _ => "their target".to_owned(),
    };
    let one = totals.holding == 1 || totals.cameras == 1;
    format!(
        "{} of {} {} {} {target}",
        totals.holding,
        totals.cameras,
        if totals.cameras == 1 { "camera" } else { "cameras" },
        if one { "holds" } else { "hold" },
    )
}

fn free(totals: &Totals) -> String {
    let pipelines = if totals.pipelines == 1 { "pipeline" } else { "pipelines" };
    let fps = totals.fps.map_or_else(|| "no frame".to_owned(), |fps| format!("{fps:.0} fps in all"));
    let scripts = match totals.scripts {
        0 => String::new(),
        1 => ", 1 script".to_owned(),
        n => format!(", {n} scripts"),
    };
    if totals.pipelines == 0 {
        return scripts.trim_start_matches(", ").to_owned();
    }
    format!("{} {pipelines} played once: {fps}{scripts}", totals.pipelines)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(fps: f64, dropped: u64, offered: u64, expect: Expect) {
        let (verdict, reason) = judge(fps, 15.0, dropped, offered);
        expect.assert_eq(&format!("{verdict}: {}", reason.unwrap_or_default()));
    }

    #[test]
    fn the_borders_of_the_frame_rate() {
        check(15.0, 0, 450, expect!["holds: "]);
        check(HOLDS_FPS * 15.0, 0, 450, expect!["holds: "]);
        check(14.9249, 0, 450, expect!["undecided: 14.92 fps is less than 99.5 % of 15"]);
        check(FAILS_FPS * 15.0, 0, 450, expect!["undecided: 14.70 fps is less than 99.5 % of 15"]);
        check(14.6999, 0, 450, expect!["does not hold: 14.70 fps is less than 98 % of 15"]);
    }

    #[test]
    fn the_borders_of_drops() {
        check(15.0, 5, 1000, expect!["holds: "]);
        check(15.0, 6, 1000, expect!["undecided: 0.60 % dropped is more than 0.5 %"]);
        check(15.0, 20, 1000, expect!["undecided: 2.00 % dropped is more than 0.5 %"]);
        check(15.0, 21, 1000, expect!["does not hold: 2.10 % dropped is more than 2 %"]);
        check(0.0, 0, 0, expect!["does not hold: 0.00 fps is less than 98 % of 15"]);
    }

    #[test]
    fn the_worse_of_two_reasons_decides_and_both_are_named() {
        check(
            14.8,
            30,
            1000,
            expect!["does not hold: 14.80 fps is less than 99.5 % of 15; 3.00 % dropped is more than 2 %"],
        );
    }

    #[test]
    fn numbers_have_no_needless_zeros() {
        assert_eq!([15.0, 29.97, 12.5, 0.0, 100.0].map(number), ["15", "29.97", "12.5", "0", "100"]);
    }
}
