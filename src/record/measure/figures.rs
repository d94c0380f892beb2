//! The figures of a stream.
//!
//! Live figures compare a stream with what it should do: lateness, frames on time, seconds
//! below the target. Played freely, nothing is due, so a stream has none of them.
//!
//! Not here: those of a script (`script`), and verdicts (`judge`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fit::{self, LeftOut};
use super::judge::Judgement;
use super::stages::StageFigures;
use super::verdict::PartVerdict;
use super::{
    Accuracy, Lateness, OnTime, Range, ScriptFigures, Source, Verdict, accuracy, alive, delay, long, rounded,
    share, stages, steady,
};
use crate::pipeline::detect::REMARK;
use crate::record::{Delivery, Member, Pace, RunRecord, StreamRecord};
use crate::stats::{self, Interval};

/// One pipeline, or one script.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamFigures {
    /// `camera-3/1`
    pub stream: String,
    /// The workloads that it serves.
    pub workloads: Vec<String>,
    /// Whether it kept up: the worst of its verdicts.
    pub verdict: Verdict,
    /// Why, unless it holds.
    pub reason: Option<String>,
    /// The verdict on frame rate and drops; `None` if it was not judged by them, and for a
    /// script, which has no other.
    pub rate: Option<PartVerdict>,
    /// The verdict on deadlines and delay; `None` if it was not judged by them.
    pub deadline: Option<PartVerdict>,
    /// The times of its window that the verdict leaves out, since the record's origin.
    pub left_out: Vec<LeftOut>,
    /// Length of the window in microseconds; `None` without a window.
    pub window_us: Option<u64>,
    /// The long-run frame rate; `None` without a window.
    pub fps: Option<f64>,
    /// The fewest and the most frames in a whole second of the window; for a script,
    /// the least and the greatest rate of a line. `None` without any.
    pub fps_range: Option<Range>,
    /// The interval of the rate that the stream would have if its window went on, at 95 %;
    /// `None` for a script and where [`stats::fps_interval`] has none. It knows nothing of the spread
    /// between runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps_interval: Option<Interval>,
    /// The 5th percentile of the frames of whole seconds; `None` without any.
    pub fps_p5: Option<f64>,
    /// Whole seconds with fewer frames than the target, one frame less being the phase of
    /// a second; `None` played freely and for a script.
    pub seconds_below: Option<u64>,
    /// Frames on time and processed per second of the window; `None` without `on_time`.
    pub goodput: Option<f64>,
    /// Frames that arrived in the window; `None` for a script that counts none.
    pub frames: Option<u64>,
    /// Frames dropped in the window; `None` for a script that counts none.
    pub dropped: Option<u64>,
    /// `dropped / (frames + dropped)`; `None` if both are 0 or not known.
    pub dropped_share: Option<f64>,
    /// Frames that were in flight between decoder and sink when the window began, or left
    /// the decoder in it: `offered = frames + dropped + taken_out + in_flight`, to the
    /// frame. `None` for a script and in records before version 6.
    pub offered: Option<u64>,
    /// Frames that were in flight when the window ended; `None` like `offered`.
    pub in_flight: Option<u64>,
    /// `dropped` by place: the name of a queue, `qos:` and the name of the element that
    /// skipped them.
    pub dropped_at: BTreeMap<String, u64>,
    /// Frames that left the decoder in the window; `None` for a script.
    pub decoded: Option<u64>,
    /// Frames that steps took out in the window; `None` for a script.
    pub taken_out: Option<u64>,
    /// The delivery of its source; `None` for a script and in older records.
    pub delivery: Option<Delivery>,
    /// `delivery.frames` per second of the window.
    pub delivered_fps: Option<f64>,
    /// By how much it delays all of its frames; `None` where frames are not due at a time
    /// (free pace, a script, an older record), and so are the next three.
    pub delay_us: Option<i64>,
    /// Lateness beyond the delay.
    pub lateness_us: Option<Lateness>,
    /// The mean change of lateness from frame to frame.
    pub jitter_us: Option<u64>,
    /// Frames on time.
    pub on_time: Option<OnTime>,
    /// The longest time without a frame in the window; `None` without a window and
    /// for a script.
    pub longest_gap_us: Option<u64>,
    /// From the request to start it to its first frame; `None` without a frame, for a
    /// script and in records before version 6.
    pub start_up_us: Option<u64>,
    /// What each of its detectors saw; empty for a script and in older records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<StepFigures>,
    /// Remarks, also if it holds.
    pub notes: Vec<String>,
    /// Latency over the window; `None` where it has no meaning.
    pub latency_us: Option<Percentiles>,
    /// Why there is no latency.
    pub no_latency: Option<String>,
    /// Frames of the window whose latency is unknown, where others' is known.
    pub frames_without_latency: u64,
    /// Where the time of its frames goes; empty unless it was traced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageFigures>,
    /// Each whole second of the window; empty for a script.
    pub seconds: Vec<Second>,
    /// The figures of a script; `None` for a pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptFigures>,
}

/// The sightings of one detector of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepFigures {
    /// The name of the element.
    pub element: String,
    /// Its factory.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of its model; `None` without one, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Sightings in the window: codes read, motions that began, frames with regions or attributes.
    pub events: u64,
    /// Frames of the window that it looked at by a model; `None` if it has none, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inferred: Option<u64>,
    /// How often it found each label in the window; of a classifier, each attribute.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, u64>,
    /// All of these for each frame that it looked at; `None` without such frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_frame: Option<f64>,
    /// Parts of the clip with something to see that were played, and how many of them it saw: by the truth
    /// of the clip; `None` if that tells nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<SeenDue>,
    /// How its boxes compare with the truth, and with those of an earlier run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accuracy: Vec<Accuracy>,
    /// `None` without a window.
    pub per_second: Option<f64>,
    /// The last one, in microseconds since the record's origin, and its position in the clip;
    /// also before and after the window.
    pub last_us: Option<u64>,
    pub last_clip_ms: Option<u64>,
}

/// What a detector had to see, and saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenDue {
    /// The name of the scene, or of the truth file.
    pub truth: String,
    pub due: u64,
    pub seen: u64,
}

/// Nearest-rank percentiles in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: u32,
    pub p95: u32,
    pub p99: u32,
    pub max: u32,
}

/// One second of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    pub frames: u32,
    pub latency_us: Option<Percentiles>,
}

/// The figures of a pipeline.
pub(super) fn figures(record: &RunRecord, member: &Member, stream: &StreamRecord) -> StreamFigures {
    let arrived = stream.arrived_us.as_slice();
    let rows = stream.long.as_ref();
    let fps = stream.window_us.map(|window| match rows {
        None => stats::long_run_fps(arrived, window),
        Some(rows) => long::fps(rows, window),
    });
    let target = Source::of(member, stream).asked().fps;
    let seconds = stream.window_us.map_or_else(Vec::new, |window| match rows {
        None => seconds(stream, window),
        Some(rows) => long::seconds(rows, window),
    });
    let counts: Vec<f64> = seconds.iter().map(|second| f64::from(second.frames)).collect();
    let frames = stream.n_frames();
    let is_live = record.conditions.pace == Pace::Live;
    let delay_us = delay::delay_us(stream).filter(|_| is_live);
    let late_us = delay_us.map_or_else(Vec::new, |delay| delay::beyond(stream, delay));
    let alive::Liveness { blind, notes: sightings } = alive::liveness(record, member, stream);
    let (judgement, left_out) = fit::stream(record, member, stream, delay_us);
    let Judgement { verdict, reason, rate, deadline, on_time } = judgement;
    let accuracy::Findings { wrong, notes: accuracies } = accuracy::findings(record, stream);
    let worse = |verdict: Verdict, reason: Option<String>, worse: Verdict, why: Vec<String>| match why[..] {
        [] => (verdict, reason),
        _ => (verdict.max(worse), Some(why.into_iter().chain(reason).collect::<Vec<_>>().join("; "))),
    };
    let (verdict, reason) = worse(verdict, reason, Verdict::FasterButWrong, wrong);
    let (verdict, reason) = worse(verdict, reason, Verdict::Invalid, blind);
    let notes = notes(member, stream, &left_out);
    let latency_us = rows.map_or_else(|| percentiles(&stream.latency_us), long::latency_us);
    let no_latency = latency_us.is_none().then(|| {
        let reason = match (record.conditions.pace, stream.latency_us.is_empty()) {
            _ if frames == 0 => "no frame was measured",
            (Pace::Free, true) => "a file that is played freely has none, only the depth of its queues",
            (Pace::Live, true) => "the pipeline has no place where it could start",
            (_, false) => "no frame at the sink was recognised",
        };
        reason.to_owned()
    });
    let window_us = stream.window_us.map(|(begin, end)| end.saturating_sub(begin));
    let delivered_fps = stream.delivery.as_ref().and_then(|delivery| delivery.frames).zip(window_us);
    let delivered_fps = delivered_fps.map(|(frames, us)| rounded(frames as f64 * 1e6 / us.max(1) as f64));
    let gap_us = |window| delay::longest_gap(stream, window).1;
    let counts_flights = record.version >= 6 && stream.window_us.is_some();
    let unknown = stream.latency_us.iter().filter(|latency| latency.is_none()).count() as u64;
    let unknown = rows.map_or(unknown, |rows| if latency_us.is_some() { rows.without_latency } else { 0 });
    StreamFigures {
        stream: stream.stream.clone(),
        workloads: stream.workloads.clone(),
        verdict,
        reason,
        rate,
        deadline,
        left_out,
        window_us,
        fps: fps.map(rounded),
        fps_range: Range::of(&counts),
        fps_interval: stream.window_us.and_then(|window| {
            let Interval { low, high } = stats::fps_interval(arrived, window, 0.95)?;
            Some(Interval { low: rounded(low), high: rounded(high) })
        }),
        fps_p5: fifth(&counts),
        seconds_below: is_live.then(|| counts.iter().filter(|n| **n < target - 1.0).count() as u64),
        goodput: on_time
            .zip(window_us)
            .map(|(on_time, us)| rounded(on_time.on_time as f64 * 1e6 / us as f64)),
        frames: Some(frames),
        dropped: Some(stream.dropped),
        dropped_share: share(stream.dropped, frames.saturating_add(stream.dropped)),
        offered: counts_flights.then_some(stream.in_flight_before.saturating_add(stream.decoded)),
        in_flight: counts_flights.then_some(stream.in_flight),
        dropped_at: stream.dropped_at.clone(),
        decoded: Some(stream.decoded),
        taken_out: Some(stream.taken_out),
        delivery: stream.delivery.clone(),
        delivered_fps,
        delay_us,
        jitter_us: delay::jitter_us(&late_us),
        lateness_us: delay_us.and_then(|delay| delay::lateness_us(stream, delay)),
        on_time,
        longest_gap_us: stream.window_us.map(gap_us),
        start_up_us: stream
            .asked_us
            .zip(stream.first_frame_us)
            .map(|(asked, first)| first.saturating_sub(asked)),
        seen: alive::figures(record, stream),
        notes: [notes, sightings, accuracies, remarks(stream)].concat(),
        latency_us,
        no_latency,
        frames_without_latency: unknown,
        stages: stages::stages(stream),
        seconds,
        script: None,
    }
}

/// The whole seconds of a window.
fn seconds(stream: &StreamRecord, window: (u64, u64)) -> Vec<Second> {
    let second = |range: std::ops::Range<usize>| Second {
        frames: u32::try_from(range.len()).unwrap_or(u32::MAX),
        latency_us: stream.latency_us.get(range).and_then(percentiles),
    };
    stats::whole_seconds(&stream.arrived_us, window).into_iter().map(second).collect()
}

/// What elements remarked.
fn remarks(stream: &StreamRecord) -> Vec<String> {
    let remarks = stream.sightings.iter().filter(|sighting| sighting.message == REMARK);
    let mut texts: Vec<String> =
        remarks.filter_map(|one| Some(format!("{}: {}", one.factory, one.fields.get("text")?))).collect();
    texts.dedup();
    texts
}

/// Remarks about a stream, also if it holds.
fn notes(member: &Member, stream: &StreamRecord, left_out: &[LeftOut]) -> Vec<String> {
    let mut notes = Source::of(member, stream).notes();
    notes.extend(steady::note(stream));
    notes.extend(fit::note(left_out));
    let delivery = stream.delivery.as_ref();
    let of = |count: fn(&Delivery) -> u64| delivery.map_or(0, count);
    let counts = [
        ("damaged frames, which do not count as arrived", of(|delivery| delivery.damaged)),
        ("copies made for frames that the source lacks", of(|delivery| delivery.copied)),
        ("frames above the configured rate, which do not count as dropped", of(|delivery| delivery.thinned)),
        ("frames that steps took out, which do not count as dropped", stream.taken_out),
    ];
    notes.extend(counts.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{what}: {n}")));
    notes
}

pub(super) fn percentiles(latency_us: &[Option<u32>]) -> Option<Percentiles> {
    let mut known: Vec<u32> = latency_us.iter().flatten().copied().collect();
    known.sort_unstable();
    let at = |percent| stats::percentile(&known, percent);
    Some(Percentiles { p50: at(50)?, p95: at(95)?, p99: at(99)?, max: at(100)? })
}

impl StreamFigures {
    /// Whether anything of it was measured.
    #[must_use]
    pub fn has_window(&self) -> bool {
        self.window_us.is_some()
    }

    /// The verdicts that make it as bad as it is: `rate`, `deadline`; none if it is good, and
    /// for a finding about its source.
    #[must_use]
    pub fn decisive(&self) -> Vec<&'static str> {
        if !matches!(self.verdict, Verdict::Undecided | Verdict::DoesNotHold) {
            return Vec::new();
        }
        let parts = [("rate", &self.rate), ("deadline", &self.deadline)];
        let is_decisive =
            |part: &Option<PartVerdict>| part.as_ref().is_some_and(|p| p.verdict == self.verdict);
        parts.into_iter().filter(|(_, part)| is_decisive(part)).map(|(name, _)| name).collect()
    }
}

/// The 5th percentile of values in any order.
fn fifth(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    stats::percentile(&values, 5).map(rounded)
}
