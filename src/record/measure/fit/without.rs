//! The verdict on a stream without the seconds that foreign load disturbed.
//!
//! First all seconds are judged. Foreign load only makes a stream worse, so a stream that
//! holds in spite of it holds. Otherwise all disturbed seconds are left out, the good ones
//! like the bad ones, and the rest is judged as if it had been the window: frames behind a
//! gap move forward by its length, and keep their lateness. What cannot be said of a part of
//! the window alone counts against the stream.

use super::{LeftOut, cut, left_out, length, too_much};
use crate::record::measure::judge;
use crate::record::measure::verdict::Verdict;
use crate::record::script::ScriptRecord;
use crate::record::{Member, RunRecord, StreamRecord};
use crate::stats;

/// A verdict, the reason unless it holds, and the times that it leaves out.
type Judgement = (Verdict, Option<String>, Vec<LeftOut>);

/// The verdict on a stream.
pub(in crate::record::measure) fn stream(
    record: &RunRecord,
    member: &Member,
    stream: &StreamRecord,
) -> Judgement {
    let fps = |stream: &StreamRecord| {
        stream.window_us.map(|window| stats::long_run_fps(&stream.arrived_us, window))
    };
    let all = judge::of_stream(record, member, stream, fps(stream));
    judged(record, stream.window_us, all, |window, left_out| {
        let kept = without(stream, window, left_out);
        Some(judge::of_stream(&shorter(record, left_out), member, &kept, fps(&kept)))
    })
}

/// The verdict on a script, whose lines cannot be cut: it is that on all seconds, unless too
/// many of them were disturbed.
pub(in crate::record::measure) fn script(
    record: &RunRecord,
    script: &ScriptRecord,
    all: (Verdict, Option<String>),
) -> Judgement {
    judged(record, script.window_us, all, |_, _| None)
}

/// Takes a verdict on all seconds, and asks for that on the rest if it needs one. `None` from
/// `again` leaves nothing out.
fn judged(
    record: &RunRecord,
    window: Option<(u64, u64)>,
    (verdict, reason): (Verdict, Option<String>),
    again: impl FnOnce((u64, u64), &[LeftOut]) -> Option<(Verdict, Option<String>)>,
) -> Judgement {
    let is_open = matches!(verdict, Verdict::Undecided | Verdict::DoesNotHold);
    let Some(window) = window.filter(|_| is_open && record.unreliable().is_none()) else {
        return (verdict, reason, Vec::new());
    };
    let left_out = left_out(record, window);
    if left_out.is_empty() {
        return (verdict, reason, left_out);
    }
    if let Some(why) = too_much(record, window, &left_out) {
        let reason = reason.map_or_else(|| why.clone(), |reason| format!("{reason}; {why}"));
        return (Verdict::Undecided, Some(reason), left_out);
    }
    match again(window, &left_out) {
        Some((verdict, reason)) => (verdict, reason, left_out),
        None => (verdict, reason, Vec::new()),
    }
}

/// The stream as if the times that are left out had not been.
fn without(stream: &StreamRecord, (begin, end): (u64, u64), left_out: &[LeftOut]) -> StreamRecord {
    let is_kept = |at_us: u64| !left_out.iter().any(|span| (span.begin_us..span.end_us).contains(&at_us));
    let moved = |at_us: u64| {
        let before = left_out.iter().filter_map(|span| cut((span.begin_us, span.end_us), (begin, at_us)));
        at_us - before.map(|(from, to)| to - from).sum::<u64>()
    };
    let kept: Vec<bool> = stream.arrived_us.iter().map(|at_us| is_kept(*at_us)).collect();
    let n_left_out = kept.iter().filter(|kept| !**kept).count() as u64;
    let mut stream = stream.clone();
    let mut arrived = stream.arrived_us;
    stream.arrived_us = only(&mut arrived, &kept);
    stream.arrived_us.iter_mut().for_each(|at_us| *at_us = moved(*at_us));
    stream.latency_us = only(&mut stream.latency_us, &kept);
    stream.late_us = only(&mut stream.late_us, &kept);
    stream.window_us = Some((begin, moved(end)));
    // Frames that were lost have no time. So the camera is taken to have delivered, and
    // the machine to have lost, all of them in the seconds that count.
    stream.decoded = stream.decoded.saturating_sub(n_left_out);
    if let Some(frames) = stream.delivery.as_mut().and_then(|delivery| delivery.frames.as_mut()) {
        *frames = frames.saturating_sub(n_left_out);
    }
    stream
}

/// The values of the frames that are kept; none where a figure has none.
fn only<T: Copy>(values: &mut Vec<T>, kept: &[bool]) -> Vec<T> {
    let values = std::mem::take(values);
    values.into_iter().zip(kept).filter(|(_, kept)| **kept).map(|(value, _)| value).collect()
}

/// The run as far as a verdict needs it, with a window that is shorter by these times.
fn shorter(record: &RunRecord, left_out: &[LeftOut]) -> RunRecord {
    let mut conditions = record.conditions.clone();
    conditions.duration_ms = conditions.duration_ms.saturating_sub(length(left_out).div_ceil(1000));
    RunRecord {
        version: record.version,
        subject: record.subject.clone(),
        started: record.started,
        utc_offset_s: None,
        tag: None,
        provenance: None,
        conditions,
        host: record.host.clone(),
        members: Vec::new(),
        series: Vec::new(),
        workers: Vec::new(),
        programs: Vec::new(),
        missing: std::collections::BTreeMap::new(),
        interrupted: record.interrupted,
        inputs_changed: Vec::new(),
    }
}
