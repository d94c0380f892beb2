//! Judges a stream by its record, and sums up the run in one line.
//!
//! A stream has two verdicts, on its rate and on its deadlines (`deadline`); its own is the
//! worst of them and of what is said of its source.

use super::deadline::Frames;
use super::kept::Kept;
use super::source::{Demand, Source};
use super::verdict::{
    FAILS_DROPPED_PER_MILLE, FAILS_FPS, HOLDS_DROPPED_PER_MILLE, HOLDS_FPS, LEAST_FRAMES, PartVerdict,
    TOO_SHORT, Verdict, number,
};
use super::{CameraFigures, OnTime, Totals, delay, steady};
use crate::record::{Member, Pace, RunRecord, StreamRecord};
use crate::text::{counted, plural};

/// The verdict on a stream, and its parts.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) verdict: Verdict,
    /// Unless it holds.
    pub(super) reason: Option<String>,
    pub(super) rate: Option<PartVerdict>,
    pub(super) deadline: Option<PartVerdict>,
    pub(super) on_time: Option<OnTime>,
}

impl Judgement {
    fn without_parts(verdict: Verdict, reason: Option<String>) -> Judgement {
        Judgement { verdict, reason, ..Judgement::default() }
    }
}

/// Judges the part `kept` of a stream's window, in which it delays all its frames by
/// `delay_us`; both if they are known.
pub(super) fn of_stream(
    record: &RunRecord,
    member: &Member,
    stream: &StreamRecord,
    delay_us: Option<i64>,
    kept: Option<&Kept>,
) -> Judgement {
    let undecided = |reason: String| Judgement::without_parts(Verdict::Undecided, Some(reason));
    if record.conditions.pace == Pace::Free && stream.failure.is_none() && record.unreliable().is_none() {
        let reason = record.interrupted.then(|| "interrupted before the end of the file".to_owned());
        return Judgement::without_parts(Verdict::NotJudged, reason);
    }
    let source = Source::of(member, stream);
    let asked = source.asked();
    let kept = kept.filter(|_| record.conditions.pace == Pace::Live);
    let limits = &record.conditions.limits;
    let frames = delay_us.map(|delay_us| Frames { stream, source: &source, asked: &asked, limits, delay_us });
    // A figure also where there is no verdict.
    let on_time = frames.as_ref().zip(kept).and_then(|(frames, kept)| frames.on_time(kept));
    let judgement = match (&stream.failure, record.unreliable(), kept) {
        (Some(failure), ..) => Judgement::without_parts(Verdict::Failed, Some(failure.clone())),
        (None, Some(reason), _) => undecided(reason),
        (None, None, None) => undecided("stopped before its window began".to_owned()),
        (None, None, Some(kept)) => {
            let asked_us = record.conditions.duration_ms.saturating_mul(1000);
            let (begin, end) = kept.window();
            let measured_us = end.saturating_sub(begin);
            if measured_us < asked_us {
                let seconds = |us: u64| number(us as f64 / 1e6);
                undecided(format!("interrupted after {} s of {} s", seconds(measured_us), seconds(asked_us)))
            } else {
                let found =
                    frames.as_ref().zip(on_time.as_ref()).map(|(frames, on_time)| frames.findings(on_time));
                // Older records may lack what no worker of today leaves out.
                let is_known = found.is_some() || record.version < 6 || stream.n_frames() == 0;
                let unknown =
                    || vec![(Verdict::Undecided, "it is unknown when its frames were due".to_owned())];
                whole(stream, &source, &asked, kept, found.or_else(|| (!is_known).then(unknown)))
            }
        }
    };
    let is_partial = record.conditions.decode_only && judgement.verdict == Verdict::Holds;
    let verdict = if is_partial { Verdict::Decodes } else { judgement.verdict };
    Judgement { verdict, on_time, ..judgement }
}

/// Judges a complete window; `late` are the findings of its deadlines, if frames were due.
fn whole(
    stream: &StreamRecord,
    source: &Source<'_>,
    asked: &Demand,
    kept: &Kept,
    late: Option<Vec<(Verdict, String)>>,
) -> Judgement {
    let (frames, dropped) = (kept.n_frames(stream), kept.n_dropped(stream));
    let counts = Counts {
        fps: kept.fps(stream),
        frames: frames as f64,
        dropped,
        offered: frames.saturating_add(dropped),
        taken_out: stream.taken_out,
        window_us: kept.length_us(),
        asked,
    };
    let mut rate = judge(&counts);
    let too_short = counts.too_short().filter(|_| rate.is_empty());
    let rated = part(rate.iter().chain(&too_short).cloned());
    let mut findings = source.findings(delay::limit_us(delay::GAP_US, asked.fps));
    findings.append(&mut rate);
    findings.extend(delay::gap(stream, source, kept, asked.fps));
    let deadline = late.as_ref().map(|late| part(late.iter().cloned()));
    // A longer window would change nothing where something else is found.
    let decided = findings.iter().map(|(verdict, _)| *verdict).max();
    let needs_time = |(verdict, text): &(Verdict, String)| {
        let is_graver = deadline.as_ref().map(|part| part.verdict).max(decided) > Some(*verdict);
        *verdict == Verdict::Undecided && (is_graver || (decided.is_some() && text.starts_with(TOO_SHORT)))
    };
    findings.extend(late.unwrap_or_default().into_iter().filter(|finding| !needs_time(finding)));
    // It is the cause of findings that are worse than itself.
    if findings.is_empty() {
        findings.extend(steady::finding(stream, kept, asked.fps));
    }
    // One frame in 100 needs a longer window than one in 200 dropped ones.
    findings.extend(too_short.filter(|_| findings.is_empty()));
    let PartVerdict { verdict, reason } = part(findings.into_iter());
    Judgement { verdict, reason, rate: Some(rated), deadline, on_time: None }
}

/// The gravest of findings against holding, and all of them as the reason.
fn part(findings: impl Iterator<Item = (Verdict, String)>) -> PartVerdict {
    let (verdicts, reasons): (Vec<Verdict>, Vec<String>) = findings.unzip();
    let verdict = verdicts.into_iter().max().unwrap_or(Verdict::Holds);
    PartVerdict { verdict, reason: (!reasons.is_empty()).then(|| reasons.join("; ")) }
}

/// The gravest finding against holding, and all findings as the reason. Without any, the
/// window may still be too short.
pub(super) fn conclude(
    mut findings: Vec<(Verdict, String)>,
    counts: &Counts<'_>,
) -> (Verdict, Option<String>) {
    findings.extend(counts.too_short().filter(|_| findings.is_empty()));
    let PartVerdict { verdict, reason } = part(findings.into_iter());
    (verdict, reason)
}

/// Frames that arrived, and the demand.
pub(super) struct Counts<'a> {
    pub(super) fps: f64,
    /// Frames that arrived; a fraction where only a rate is known.
    pub(super) frames: f64,
    pub(super) dropped: u64,
    /// Frames that arrived or were dropped.
    pub(super) offered: u64,
    pub(super) taken_out: u64,
    pub(super) window_us: u64,
    pub(super) asked: &'a Demand,
}

impl Counts<'_> {
    /// Frames that were due in the window.
    fn due(&self) -> f64 {
        self.asked.fps * self.window_us as f64 / 1e6
    }

    /// The finding of a window in which one frame is more than what may be dropped.
    fn too_short(&self) -> Option<(Verdict, String)> {
        let target = self.asked.fps;
        let needed = (LEAST_FRAMES / target).ceil();
        let text = || format!("{TOO_SHORT}, needs {needed} s at {} fps", number(target));
        (self.is_short() && target > 0.0).then(|| (Verdict::Undecided, text()))
    }

    fn is_short(&self) -> bool {
        self.due() < LEAST_FRAMES - 1e-6
    }
}

/// Findings of the frame rate and the drops against holding.
pub(super) fn judge(counts: &Counts<'_>) -> Vec<(Verdict, String)> {
    let Counts { fps, dropped, offered, .. } = *counts;
    let Demand { fps: target, is_of_source, .. } = *counts.asked;
    // The rate of a source was counted over the window, whose borders account for a
    // frame.
    let spare = if is_of_source { 1e6 / counts.window_us.max(1) as f64 } else { 0.0 };
    // Whole numbers where the target may lose nothing, so that exactly 0.5 % is
    // exactly that.
    let lost = |dropped: u64, per_mille: u64| {
        let most = per_mille as f64 + 1000.0 * counts.asked.may_lose();
        dropped as f64 * 1000.0 > most * offered as f64
    };
    let mut fps_says = match fps {
        fps if fps + spare >= HOLDS_FPS * target => Verdict::Holds,
        fps if fps + spare < FAILS_FPS * target => Verdict::DoesNotHold,
        _ => Verdict::Undecided,
    };
    let mut drops_say = match dropped {
        dropped if !lost(dropped, HOLDS_DROPPED_PER_MILLE) => Verdict::Holds,
        dropped if lost(dropped, FAILS_DROPPED_PER_MILLE) => Verdict::DoesNotHold,
        _ => Verdict::Undecided,
    };
    if counts.is_short() {
        // The borders of the window account for a frame at each end.
        if counts.frames + 2.0 >= FAILS_FPS * counts.due() {
            fps_says = Verdict::Holds;
        }
        if !lost(dropped.saturating_sub(2), FAILS_DROPPED_PER_MILLE) {
            drops_say = Verdict::Holds;
        }
    }
    let mut findings = Vec::new();
    if fps_says != Verdict::Holds {
        let share = if fps_says == Verdict::DoesNotHold { FAILS_FPS } else { HOLDS_FPS };
        let of = if is_of_source { " that came" } else { "" };
        let mut text =
            format!("{fps:.2} fps is less than {} % of {}{of}", number(share * 100.0), number(target));
        if counts.taken_out > 0 {
            text.push_str(&format!(", since steps took out {}", counted(counts.taken_out, "frame")));
        }
        findings.push((fps_says, text));
    }
    if drops_say != Verdict::Holds {
        let limit = match drops_say {
            Verdict::DoesNotHold => FAILS_DROPPED_PER_MILLE,
            _ => HOLDS_DROPPED_PER_MILLE,
        };
        let share = dropped as f64 * 100.0 / offered as f64;
        let most = number(limit as f64 / 10.0 + 100.0 * counts.asked.may_lose());
        let mut text = format!("{share:.2} % dropped is more than {most} %");
        if counts.asked.may_lose() > 0.0 {
            text.push_str(&format!(" for a target of {} of {} fps", number(target), number(counts.asked.of)));
        }
        findings.push((drops_say, text));
    }
    findings
}

/// The run in one line.
pub(super) fn line(
    record: &RunRecord,
    cameras: &[CameraFigures],
    totals: &Totals,
    cpu: Option<f64>,
    is_degraded: bool,
) -> String {
    let mut text = match record.conditions.pace {
        Pace::Free => free(totals),
        Pace::Live => live(cameras, totals, record.conditions.decode_only),
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
        (count(Verdict::FasterButWrong), "is faster but wrong", "are faster but wrong"),
        (count(Verdict::Invalid), "is invalid", "are invalid"),
        (count(Verdict::Failed), "failed", "failed"),
        (left_out, "with workloads left out", "with workloads left out"),
    ];
    for (n, one, many) in rest.into_iter().filter(|(n, ..)| *n > 0) {
        text.push_str(&format!(", {n} {}", if n == 1 { one } else { many }));
    }
    if record.conditions.decode_only {
        text.push_str("; decode only, no inference was run");
    }
    match cpu {
        Some(cpu) => text.push_str(&format!("; machine CPU {:.0} %", cpu * 100.0)),
        None => text.push_str("; machine CPU not measured"),
    }
    if record.interrupted {
        text.push_str("; interrupted");
    }
    if let Some(reason) = record.unreliable() {
        text.push_str(&format!("; {reason}"));
    }
    if is_degraded {
        text.push_str("; degraded");
    }
    text
}

fn live(cameras: &[CameraFigures], totals: &Totals, decode_only: bool) -> String {
    let good = if decode_only { Verdict::Decodes } else { Verdict::Holds };
    let n = cameras.iter().filter(|camera| camera.verdict == good).count();
    let mut played = cameras.iter().filter(|camera| !camera.streams.is_empty());
    let target = match played.next() {
        Some(first) if played.all(|camera| camera.target_fps == first.target_fps) => {
            format!("{} fps", number(first.target_fps))
        }
        _ if n == 1 => "its target".to_owned(),
        _ => "their target".to_owned(),
    };
    let verb = match (decode_only, n == 1 || totals.cameras == 1) {
        (false, true) => "holds",
        (false, false) => "hold",
        (true, true) => "decodes at",
        (true, false) => "decode at",
    };
    format!("{n} of {} {} {verb} {target}", totals.cameras, plural(totals.cameras, "camera"))
}

fn free(totals: &Totals) -> String {
    let fps = totals.fps.map_or_else(|| "no frame".to_owned(), |fps| format!("{fps:.0} fps in all"));
    let scripts = match totals.scripts {
        0 => String::new(),
        n => format!(", {}", counted(n, "script")),
    };
    if totals.pipelines == 0 {
        return scripts.trim_start_matches(", ").to_owned();
    }
    format!("{} played once: {fps}{scripts}", counted(totals.pipelines, "pipeline"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn verdict_on(counts: &Counts<'_>) -> String {
        let (verdict, reason) = conclude(judge(counts), counts);
        format!("{verdict}: {}", reason.unwrap_or_default())
    }

    /// 60 s of 15 fps.
    #[track_caller]
    fn check(fps: f64, dropped: u64, offered: u64, expect: Expect) {
        let asked = Demand { fps: 15.0, of: 15.0, is_of_source: false };
        let (frames, window_us) = (fps * 60.0, 60_000_000);
        let counts = Counts { fps, frames, dropped, offered, taken_out: 0, window_us, asked: &asked };
        expect.assert_eq(&verdict_on(&counts));
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
    fn a_short_window_decides_only_what_its_borders_do_not_explain() {
        #[track_caller]
        fn check(target: f64, seconds: f64, frames: u64, dropped: u64, expect: Expect) {
            let asked = Demand { fps: target, of: target, is_of_source: false };
            let fps = frames as f64 / seconds;
            let window_us = (seconds * 1e6) as u64;
            let offered = frames + dropped;
            let frames = frames as f64;
            let counts = Counts { fps, frames, dropped, offered, taken_out: 0, window_us, asked: &asked };
            expect.assert_eq(&verdict_on(&counts));
        }
        check(15.0, 14.0, 210, 0, expect!["holds: "]);
        check(15.0, 13.3, 200, 0, expect!["undecided: too short, needs 14 s at 15 fps"]);
        check(15.0, 1.0, 15, 0, expect!["undecided: too short, needs 14 s at 15 fps"]);
        check(15.0, 1.0, 13, 2, expect!["undecided: too short, needs 14 s at 15 fps"]);
        check(
            15.0,
            1.0,
            12,
            3,
            expect!["does not hold: 12.00 fps is less than 98 % of 15; 20.00 % dropped is more than 2 %"],
        );
        check(29.97, 5.0, 149, 0, expect!["undecided: too short, needs 7 s at 29.97 fps"]);
        check(0.5, 1.0, 0, 0, expect!["undecided: too short, needs 400 s at 0.5 fps"]);
        check(0.5, 400.0, 200, 0, expect!["holds: "]);
    }

    #[test]
    fn a_target_below_the_rate_of_the_camera_may_lose_the_rest() {
        #[track_caller]
        fn check(fps: f64, expect: Expect) {
            let asked = Demand { fps: 15.0, of: 30.0, is_of_source: false };
            let frames = (fps * 60.0).round();
            let (dropped, window_us) = (1800 - frames as u64, 60_000_000);
            let counts =
                Counts { fps, frames, dropped, offered: 1800, taken_out: 0, window_us, asked: &asked };
            expect.assert_eq(&verdict_on(&counts));
        }
        check(30.0, expect!["holds: "]);
        check(19.9, expect!["holds: "]);
        check(15.0, expect!["holds: "]);
        check(
            14.8,
            expect![
                "undecided: 14.80 fps is less than 99.5 % of 15; 50.67 % dropped is more than 50.5 % for a target of 15 of 30 fps"
            ],
        );
        check(
            14.0,
            expect![
                "does not hold: 14.00 fps is less than 98 % of 15; 53.33 % dropped is more than 52 % for a target of 15 of 30 fps"
            ],
        );
    }

    #[test]
    fn numbers_have_no_needless_zeros() {
        assert_eq!([15.0, 29.97, 12.5, 0.0, 100.0].map(number), ["15", "29.97", "12.5", "0", "100"]);
    }
}
