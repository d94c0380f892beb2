//! The state of a run while it is measured, for those who watch it.
//!
//! Its figures are those of the record so far: the same frames in the same windows.
//! Not here: what they are worth (`record::measure::so_far`) and how they look (`cli`).

use super::script::Script;
use super::stream::{Stream, Timing};
use super::{MemberSetup, RecordBuilder};
use crate::record::script::Rate;
use crate::record::{Host, Pace, ProgramRecord, SeriesRecord, WorkerSample};
use crate::stats;
use crate::time::Utc;

/// How far a stream or a script is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has no frame yet, or no figure.
    Starting,
    /// Its window has not begun.
    WarmingUp,
    Measuring,
    /// Its window is complete, or it was stopped.
    Ended,
    Failed,
}

/// A stream or a script of a run at a moment.
#[derive(Clone, Debug)]
pub struct StreamMoment<'a> {
    pub member: &'a MemberSetup,
    pub phase: Phase,
    /// The part of its window that has passed, in microseconds.
    pub measured_us: u64,
    /// The stream or the script: `camera-3/1`.
    pub stream: &'a str,
    /// The time until its window is complete; `None` if only an event ends it.
    pub left_us: Option<u64>,
    /// Frames per second in that part; `None` until it is a second, or if unknown.
    pub fps: Option<f64>,
    /// Frames that arrived and frames that were dropped in it; `None` for a script.
    pub frames: Option<(u64, u64)>,
    /// Frames that the source delivered in it, if they are counted.
    pub delivered: Option<u64>,
    /// The frames of each of the newest [`NEWEST`] seconds of its window, oldest first, 0 if it
    /// stalls; none of a script.
    pub seconds: Vec<u32>,
    /// The share of frames so far that came at most a period after the stream's delay;
    /// `None` if nothing is due.
    pub on_time: Option<f64>,
    /// The 95th percentile of latency in the newest [`NEWEST`] seconds, in microseconds;
    /// `None` without a frame in the newest one.
    pub latency_us: Option<u32>,
    /// The CPU time of the worker that plays nothing but this camera over the newest second,
    /// as a share of one core.
    pub worker_cpu: Option<f64>,
}

/// So many seconds are the newest ones.
pub const NEWEST: u64 = 8;

/// A rate over less time than this is mostly chance.
const LEAST_US: u64 = 1_000_000;

/// A worker whose counters, which come every second, have not come for so long is stalled:
/// its frames up to now are those that it has reported.
const SILENCE_US: u64 = 2_500_000;

impl RecordBuilder {
    /// All streams and scripts now: those of each member in the order of their numbers,
    /// first its streams.
    #[must_use]
    pub fn moment(&self) -> Vec<StreamMoment<'_>> {
        let streams = self.setup.streams().map(|(id, member, stream)| {
            let state = &self.streams[id.index()];
            let is_own = self.setup.workers[stream.worker] == member.slug.as_str();
            let worker_cpu = self.workers[stream.worker].newest_cpu().filter(|_| is_own);
            StreamMoment {
                worker_cpu,
                stream: &stream.stream,
                ..state.moment(self.timing, member, self.now_us)
            }
        });
        let scripts = self.setup.scripts().map(|(id, member, script)| {
            let state = &self.scripts[id.index()];
            StreamMoment { stream: &script.stream, ..state.moment(self.timing, member, self.now_us) }
        });
        streams.chain(scripts).collect()
    }

    /// Each worker by its name, with its newest sample.
    pub fn workers(&self) -> impl Iterator<Item = (&str, Option<WorkerSample>)> {
        self.setup.workers.iter().map(String::as_str).zip(self.workers.iter().map(|worker| worker.newest[0]))
    }

    /// What is run, and since when.
    #[must_use]
    pub fn subject(&self) -> (&str, Utc) {
        (&self.setup.subject, self.setup.started)
    }

    /// What collectors have measured, from the start.
    #[must_use]
    pub fn series(&self) -> &[SeriesRecord] {
        &self.series
    }

    /// Programs that do not belong to the run, the most CPU time first.
    #[must_use]
    pub fn other_programs(&self) -> &[ProgramRecord] {
        &self.programs
    }

    /// The machine that it runs on.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.setup.host
    }

    /// The newest value of a collector's series.
    #[must_use]
    pub fn latest(&self, series: &str) -> Option<f64> {
        self.series.iter().find(|one| one.name == series)?.values.last().copied()
    }
}

/// The phase, and how much of the window has passed and is left, at `now_us`. The window
/// has no `limits` until its begin is decided.
fn position(
    timing: Timing,
    first_us: Option<u64>,
    limits: Option<(u64, u64)>,
    now_us: u64,
) -> (Phase, u64, Option<u64>) {
    let is_limited = timing.pace == Pace::Live && timing.duration_us > 0;
    let left = |us: u64| is_limited.then_some(us);
    let Some(first) = first_us else {
        return (Phase::Starting, 0, left(timing.warmup_us.saturating_add(timing.duration_us)));
    };
    // As if it began as early as it may.
    let (begin, end) = limits.unwrap_or_else(|| {
        let begin = first.saturating_add(timing.warmup_us).max(now_us);
        (begin, timing.end(begin))
    });
    if limits.is_none() || now_us < begin {
        return (Phase::WarmingUp, 0, left(end.saturating_sub(now_us)));
    }
    (Phase::Measuring, now_us.min(end) - begin, left(end.saturating_sub(now_us)))
}

impl Stream {
    /// `now_us` is the time of `lp`, which a worker that is stopped cannot tell.
    fn moment<'a>(&self, timing: Timing, member: &'a MemberSetup, now_us: u64) -> StreamMoment<'a> {
        let is_over = self.done || self.end.is_some() || self.failure.is_some();
        let is_silent = !is_over && self.ticked_us > 0 && now_us > self.ticked_us.saturating_add(SILENCE_US);
        let seen_us = if is_silent { now_us } else { self.ticked_us };
        let (phase, measured_us, left_us) =
            position(timing, self.first_frame_us, self.limits(timing), seen_us);
        let phase = match () {
            () if self.failure.is_some() => Phase::Failed,
            () if self.done || self.end.is_some() => Phase::Ended,
            () => phase,
        };
        let frames = self.log.n_frames();
        let (n_newest, _) = self.log.newest(seen_us.saturating_sub(LEAST_US));
        let (_, latencies) = self.log.newest(seen_us.saturating_sub(NEWEST * LEAST_US));
        StreamMoment {
            member,
            stream: "",
            phase,
            measured_us,
            left_us: if phase >= Phase::Ended { left_us.map(|_| 0) } else { left_us },
            fps: (measured_us >= LEAST_US).then(|| frames as f64 * 1e6 / measured_us as f64),
            frames: Some((frames, self.dropped)),
            delivered: self.delivery.frames,
            seconds: self.log.seconds(seen_us, NEWEST),
            on_time: self.log.on_time(self.dropped),
            // Those of a stream that stalls are over.
            latency_us: stats::percentile(&latencies, 95).filter(|_| n_newest > 0),
            worker_cpu: None,
        }
    }
}

impl Script {
    fn moment<'a>(&self, timing: Timing, member: &'a MemberSetup, now_us: u64) -> StreamMoment<'a> {
        let limits = self.first_figure_us.map(|first| timing.limits(first));
        let (phase, measured_us, left_us) = position(timing, self.first_figure_us, limits, now_us);
        let phase = match () {
            () if self.failure.is_some() => Phase::Failed,
            () if self.done || self.exit.is_some() => Phase::Ended,
            () => phase,
        };
        // The slowest counter, as in the report.
        let fps = self.rates.iter().filter_map(|(_, counter)| fps(&counter.rates)).reduce(f64::min);
        StreamMoment {
            member,
            stream: "",
            phase,
            measured_us,
            left_us: if phase >= Phase::Ended { left_us.map(|_| 0) } else { left_us },
            fps: fps.filter(|_| measured_us >= LEAST_US),
            frames: None,
            delivered: None,
            seconds: Vec::new(),
            on_time: None,
            worker_cpu: None,
            latency_us: None,
        }
    }
}

/// The rate of a counter so far, roughly: `record::measure` also looks at gaps.
fn fps(rates: &[Rate]) -> Option<f64> {
    match (rates.first()?, rates.last()?) {
        (
            Rate::Count { at_us: from, rendered: before, .. },
            Rate::Count { at_us: to, rendered: after, .. },
        ) if from < to => Some(after.checked_sub(*before)? as f64 * 1e6 / (to - from) as f64),
        (_, Rate::Begin { fps, .. }) => Some(*fps),
        _ => {
            let last = rates.iter().filter_map(|rate| match rate {
                Rate::Last { over_us, fps, .. } | Rate::Own { over_us, fps, .. } => {
                    Some((*over_us as f64, *fps))
                }
                Rate::Begin { .. } | Rate::Count { .. } => None,
            });
            let (time, frames) =
                last.fold((0.0, 0.0), |(time, frames), (us, fps)| (time + us, frames + us * fps));
            (time > 0.0).then(|| frames / time)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::{S, Story, member, setup};

    #[test]
    fn a_stalled_stream_reads_0_and_not_its_last_value() {
        let members = vec![member("a", "A", 15.0, &[(&["x"], 0)])];
        let mut story = Story::new(setup(Pace::Live, 30, 0, &["a"], members));
        story.play(0, "a/1", 0, 6, 15);
        let shown = |story: &Story| {
            let moment = &story.builder.moment()[0];
            (moment.fps, moment.seconds.last().copied(), moment.latency_us)
        };
        assert_eq!(shown(&story), (Some(15.0), Some(15), Some(5_000)));
        // The worker goes on without frames.
        story.tick(0, "a/1", 7 * S, &[], 0);
        story.tick(0, "a/1", 9 * S, &[], 0);
        assert_eq!(shown(&story), (Some(10.0), Some(0), None));
        // It says nothing more, and only `lp` knows the time.
        story.tick_until(11 * S);
        assert_eq!(shown(&story), (Some(10.0), Some(0), None));
        story.tick_until(18 * S);
        assert_eq!(shown(&story), (Some(5.0), Some(0), None));
    }

    #[test]
    fn every_kind_of_line_of_a_script_has_a_rate_so_far() {
        let (at_us, over_us) = (2_000_000, 1_000_000);
        let own = |fps| Rate::Own { at_us, over_us, fps, dropped: None };
        let last = |fps| Rate::Last { at_us, over_us, fps };
        assert_eq!(fps(&[own(14.0), own(16.0)]), Some(15.0));
        assert_eq!(fps(&[last(14.0), last(16.0)]), Some(15.0));
        assert_eq!(fps(&[Rate::Begin { at_us, over_us, fps: 12.0 }]), Some(12.0));
        assert_eq!(fps(&[]), None);
    }
}
