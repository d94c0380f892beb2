//! The use of the machine and of the workers while the streams were measured.
//!
//! The *common window* is the time in which all streams, and scripts with
//! figures, that did not fail were measured together: from the latest begin to the earliest end. Played freely,
//! streams end when they like, so there it reaches from the first frame of all
//! to the last.

use serde::{Deserialize, Serialize};

use super::series::{Point, SeriesFigures, mean, series, spans};
use super::{Range, share};
use crate::collect::machine::{CPU, MEMORY, NAME, STEAL};
use crate::record::{Isolation, Pace, RunRecord, ThreadGroup, WorkerRecord, WorkerSample};

/// The whole machine over the common window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineFigures {
    /// The common window since the record's origin; `None` if there is none.
    pub window_us: Option<(u64, u64)>,
    /// Mean share of all cores that was busy, 0 to 1.
    pub cpu: Option<f64>,
    /// The least and the greatest of its samples.
    pub cpu_range: Option<Range>,
    /// Mean share of all cores that a hypervisor took away, part of `cpu`; `None` in
    /// records before version 3.
    pub steal: Option<f64>,
    /// Most memory in use in bytes.
    pub memory_max: Option<u64>,
    /// All series of collectors, these included; empty if there is no window, and in older
    /// benchmarks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<SeriesFigures>,
    /// Why figures are missing.
    pub reason: Option<String>,
}

/// One worker over the common window of its streams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerFigures {
    /// `camera-3`, or `lane`.
    pub name: String,
    /// CPU time over time, as a share of one core: 1.5 = one core and a half.
    pub cpu: Option<f64>,
    /// CPU time of a frame of its streams, in microseconds: its CPU time over the frames that
    /// arrived between the same samples. `None` for a worker of several cameras.
    pub cpu_us_per_frame: Option<f64>,
    /// Most resident memory in bytes.
    pub rss_max: Option<u64>,
    /// Memory in bytes of which shared pages count in part (PSS), at its end; absent if the
    /// worker did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pss: Option<u64>,
    /// The threads that lived at its end, by their names without numbers, the busiest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub threads: Vec<ThreadFigures>,
    /// Why figures are missing.
    pub reason: Option<String>,
    /// How it died, if it did.
    pub death: Option<String>,
}

/// Threads of one name of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThreadFigures {
    /// `queue:src`
    pub name: String,
    /// How many there were at its end.
    pub n: u32,
    /// CPU time from the begin of its first stream to its end, as a share of one core; `None`
    /// if threads of the name ended meanwhile.
    pub cpu: Option<f64>,
}

/// Why there is no CPU and memory; the same words for the machine and for workers, so
/// that a report can say it once.
mod missing {
    pub(super) const NOTHING_MEASURED: &str = "nothing was measured";
    pub(super) const NO_COMMON_TIME: &str = "no time in which all streams were measured together";
    pub(super) const TOO_FEW_SAMPLES: &str = "fewer than two samples in the window; there is one a second";
}

pub(super) fn machine(record: &RunRecord) -> MachineFigures {
    let mut figures = MachineFigures {
        window_us: None,
        cpu: None,
        cpu_range: None,
        steal: None,
        memory_max: None,
        series: Vec::new(),
        reason: None,
    };
    let window = common_window(record, |_| true);
    figures.series = window.map(|window| series(record, window)).unwrap_or_default();
    if let Some(reason) = record.missing.get(NAME) {
        figures.reason = Some(reason.clone());
        return figures;
    }
    figures.window_us = window;
    let Some(window) = window else {
        figures.reason = Some(no_window(record).to_owned());
        return figures;
    };
    let inside = |name: &str| inside(record, name, window);
    let cpu = inside(CPU);
    figures.cpu = mean(&cpu);
    if figures.cpu.is_none() {
        figures.reason = Some(missing::TOO_FEW_SAMPLES.to_owned());
        return figures;
    }
    figures.cpu_range = Range::of(&cpu.iter().map(|(_, (_, cpu))| *cpu).collect::<Vec<f64>>());
    figures.steal = mean(&inside(STEAL));
    let memory = inside(MEMORY).into_iter().flat_map(|((_, from), (_, to))| [from, to]);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of bytes")]
    let bytes = |memory: f64| memory as u64;
    figures.memory_max = memory.reduce(f64::max).map(bytes);
    figures
}

/// The mean of a series in the common window; `None` if there is no such series, or no
/// such window.
pub(super) fn mean_share(record: &RunRecord, name: &str) -> Option<f64> {
    mean(&inside(record, name, common_window(record, |_| true)?))
}

/// The values of a series in the common window, without its first, which is about the time before.
pub(super) fn points(record: &RunRecord, name: &str) -> Vec<f64> {
    let window = common_window(record, |_| true);
    let inside = window.map(|window| inside(record, name, window)).unwrap_or_default();
    inside.into_iter().map(|(_, (_, value))| value).collect()
}

/// The values of a series in a window, each with the one before.
fn inside(record: &RunRecord, name: &str, window: (u64, u64)) -> Vec<(Point, Point)> {
    let points: Vec<Point> = record.series_of(name).into_iter().flat_map(|series| series.points()).collect();
    spans(&points, window, |(at_us, _)| *at_us)
}

/// Those of a process that serves all streams.
pub(super) fn server(record: &RunRecord, server: &WorkerRecord) -> WorkerFigures {
    figures(record, server, &|_| true)
}

pub(super) fn worker(record: &RunRecord, worker: &WorkerRecord) -> WorkerFigures {
    figures(record, worker, &|slug| plays(record, worker, slug))
}

fn figures(record: &RunRecord, worker: &WorkerRecord, plays: &dyn Fn(&str) -> bool) -> WorkerFigures {
    let mut figures = WorkerFigures {
        name: worker.name.clone(),
        cpu: None,
        cpu_us_per_frame: None,
        rss_max: None,
        pss: worker.details.last().and_then(|details| details.pss),
        threads: threads(worker),
        reason: None,
        death: worker.death.clone(),
    };
    let Some(window) = common_window(record, plays) else {
        figures.reason = Some(no_window(record).to_owned());
        return figures;
    };
    let inside: Vec<(WorkerSample, WorkerSample)> = spans(&worker.samples, window, |sample| sample.at_us);
    let (Some((first, _)), Some((_, last))) = (inside.first(), inside.last()) else {
        figures.reason = Some(missing::TOO_FEW_SAMPLES.to_owned());
        return figures;
    };
    let time = last.at_us - first.at_us;
    let cpu_us = last.cpu_us.saturating_sub(first.cpu_us);
    figures.cpu = share(cpu_us, time);
    let mut members = record.members.iter().filter(|member| plays(member.slug.as_str()));
    if let (Some(member), None) = (members.next(), members.next()) {
        let index = |at_us: u64, arrived_us: &[u64]| arrived_us.partition_point(|at| *at < at_us);
        let frames = member.streams.iter().map(|stream| {
            let arrived = stream.arrived_us.as_slice();
            index(last.at_us, arrived).saturating_sub(index(first.at_us, arrived)) as u64
        });
        figures.cpu_us_per_frame = share(cpu_us, frames.sum());
    }
    figures.rss_max = inside.iter().map(|(from, to)| from.rss.max(to.rss)).max();
    figures
}

/// The threads of a worker between its first and its last report.
fn threads(worker: &WorkerRecord) -> Vec<ThreadFigures> {
    let [first, last] = worker.details.as_slice() else { return Vec::new() };
    let figures = |(name, group): (&String, &ThreadGroup)| {
        // Where threads have ended meanwhile, nothing is known about the time between.
        let before = first.threads.get(name).map_or(0, |group| group.cpu_us);
        let used = group.cpu_us.checked_sub(before);
        let cpu = used.and_then(|used| share(used, last.at_us.saturating_sub(first.at_us)));
        ThreadFigures { name: name.clone(), n: group.n, cpu }
    };
    let mut threads: Vec<ThreadFigures> = last.threads.iter().map(figures).collect();
    threads.sort_by(|a, b| b.cpu.unwrap_or(0.0).total_cmp(&a.cpu.unwrap_or(0.0)));
    threads
}

/// Whether a worker plays the member of this slug: its namesake, or all.
fn plays(record: &RunRecord, worker: &WorkerRecord, slug: &str) -> bool {
    record.conditions.isolation == Isolation::Lane || worker.name == slug
}

/// Why there is no common window.
fn no_window(record: &RunRecord) -> &'static str {
    let mut members = record.members.iter();
    let has_any = members.any(|member| {
        member.streams.iter().any(|stream| stream.window_us.is_some())
            || member.scripts.iter().any(|script| script.window_us.is_some())
    });
    if has_any { missing::NO_COMMON_TIME } else { missing::NOTHING_MEASURED }
}

/// The common window of the members that `of` takes. What failed does not
/// narrow it, unless there is nothing else, and neither does a script without
/// figures: its window only shows that it ran.
pub(super) fn common_window(record: &RunRecord, of: impl Fn(&str) -> bool) -> Option<(u64, u64)> {
    let members = || record.members.iter().filter(|member| of(member.slug.as_str()));
    let streams = members().flat_map(|member| &member.streams);
    let scripts = members().flat_map(|member| &member.scripts);
    // Each window with its rank: 0 is best.
    let of_streams = streams.map(|one| (one.window_us, u8::from(one.failure.is_some()) * 2));
    let of_scripts = scripts.map(|one| {
        let is_silent = one.first_figure_us.is_none();
        (one.window_us, u8::from(one.failure.is_some()) * 2 + u8::from(is_silent))
    });
    let windows: Vec<((u64, u64), u8)> =
        of_streams.chain(of_scripts).filter_map(|(window, rank)| Some((window?, rank))).collect();
    let best = windows.iter().map(|(_, rank)| *rank).min()?;
    let windows = || windows.iter().filter(|(_, rank)| *rank == best).map(|(window, _)| *window);
    let (begins, ends) = (|| windows().map(|w| w.0), || windows().map(|w| w.1));
    let (begin, end) = match record.conditions.pace {
        Pace::Live => (begins().max()?, ends().min()?),
        Pace::Free => (begins().min()?, ends().max()?),
    };
    (begin < end).then_some((begin, end))
}
