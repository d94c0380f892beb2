//! The figures that people read, computed from a [`RunRecord`].
//!
//! Pure and repeatable: a better formula needs no new run. Every figure that
//! may be undefined is an `Option`, and `None` has a reason beside it or is
//! explained by the stream's own. Definitions for people: `docs/measuring.md`.
//!
//! A pipeline that serves several workloads appears under each of them, with
//! `shared_with`; totals count pipelines once.
//!
//! Not here: how figures are shown (`report`).

mod accuracy;
mod alive;
mod connection;
mod deadline;
mod delay;
mod energy;
pub mod estimate;
mod evidence;
mod figures;
pub mod fit;
mod imported;
mod judge;
mod kept;
mod long;
mod machine;
mod mixed;
mod script;
mod series;
mod shortfall;
mod so_far;
pub mod soak;
mod source;
pub mod split;
mod stages;
mod steady;
#[cfg(test)]
mod tests;
mod verdict;

use serde::{Deserialize, Serialize};

pub use self::accuracy::{Accuracy, AccuracyOf, LEAST_OBJECTS, is_wrong, less_of_run};
pub use self::deadline::{CONFIDENCE, OnTime};
pub use self::delay::{GAP_US, Lateness, PERIODS};
pub use self::energy::EnergyFigures;
pub use self::estimate::Estimate;
pub use self::evidence::evidence;
pub use self::figures::{Percentiles, Second, SeenDue, StepFigures, StreamFigures};
use self::figures::{figures, percentiles};
use self::fit::{Degradation, Disturbance};
pub use self::machine::{MachineFigures, ThreadFigures, WorkerFigures};
pub use self::script::{ChannelFigures, ElementFigures, ScriptFigures};
pub use self::series::SeriesFigures;
pub use self::shortfall::{Claim, shortfall};
pub use self::so_far::{SoFar, so_far};
pub use self::soak::{Quantity, SoakFigures, SoakVerdict};
use self::source::Source;
pub use self::source::{MORE_FPS, drift};
pub use self::stages::StageFigures;
pub use self::verdict::{
    FAILS_DROPPED_PER_MILLE, FAILS_FPS, HOLDS_DROPPED_PER_MILLE, HOLDS_FPS, LEAST_FRAMES, PartVerdict,
    Verdict, number,
};
use super::{Member, OmittedWorkloads, Pace, RunRecord, StreamRecord, earlier};
use crate::name::Slug;
use crate::stats;

/// The version of the measurement's layout. 2 brought scripts, what was left
/// out, and frames that are not counted (`null`). 3 has the range of whole seconds in
/// the place of a 95 % interval, and brought lateness, gaps, what the source
/// delivered, frames that steps took out, and stolen time. 4 has other words and
/// verdicts: a script without figures does not hold, a run that only decodes decodes. 5 has two
/// verdicts, of the rate and of the deadline, and figures of a stream: delay, lateness beyond it,
/// jitter, goodput, slow seconds; it brought disturbances of the machine, times that a verdict
/// leaves out, and the sightings of detectors. 6 brought the estimate of how many copies would fit
/// and the drift of a camera's clock. 7 brought labels, frames looked at and accuracy of detectors,
/// and the verdict `faster_but_wrong`. 8 brought power and energy, slopes over hours and the stages of
/// frames.
pub const VERSION: u32 = 8;

/// The figures of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// [`VERSION`].
    pub version: u32,
    /// One line: `6 of 6 cameras hold 15 fps; machine CPU 34 %`.
    pub verdict: String,
    /// In the order of the record's members.
    pub cameras: Vec<CameraFigures>,
    /// One per workload of each pipeline, in the same order.
    pub workloads: Vec<WorkloadFigures>,
    /// In the order of the record's workers.
    pub workers: Vec<WorkerFigures>,
    /// The server of the streams, if `lp` started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<WorkerFigures>,
    pub machine: MachineFigures,
    /// Why the run is degraded; empty if nothing is known against the machine.
    pub degraded: Vec<Degradation>,
    /// What disturbed the machine in the time that was measured.
    pub disturbances: Vec<Disturbance>,
    pub totals: Totals,
    /// Power and energy; `None` if no power is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<EnergyFigures>,
    /// How many copies of what ran would fit on the machine.
    pub estimate: Estimate,
    /// What grows from hour to hour; empty without a common window, and in older measurements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub soak: Vec<SoakFigures>,
}

/// A camera, or a copy of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraFigures {
    /// Its name as written.
    pub camera: String,
    /// Its slug, with `-l2` for the second copy.
    pub slug: Slug,
    /// The rate that its streams should hold; where the camera may deliver at any
    /// rate, what came.
    pub target_fps: f64,
    /// That of its worst stream.
    pub verdict: Verdict,
    /// Its worst stream: by verdict, then by frame rate. `None` without streams.
    pub worst: Option<String>,
    /// Its pipelines and scripts, in the order of the plan.
    pub streams: Vec<StreamFigures>,
    /// Workloads that were not played, and why.
    pub left_out: Vec<OmittedWorkloads>,
}

/// The least and the greatest of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Range {
    pub min: f64,
    pub max: f64,
}

/// A workload of a camera and the pipeline that serves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkloadFigures {
    pub camera: String,
    pub slug: Slug,
    pub workload: String,
    /// The pipeline that serves it, whose figures are its own.
    pub stream: String,
    /// The workloads that share this pipeline.
    pub shared_with: Vec<String>,
}

/// All pipelines together, each counted once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Cameras of which anything was played, copies counted.
    pub cameras: usize,
    /// Cameras that hold their target.
    pub holding: usize,
    /// Scripts, which count in none of the figures below.
    pub scripts: usize,
    pub pipelines: usize,
    /// Decoders: pipelines that share one count once.
    pub decoders: usize,
    /// Frames decoded in the windows, those of a shared decoder once.
    pub decoded: u64,
    /// Frames that arrived in the windows.
    pub frames: u64,
    /// Frames dropped in the windows.
    pub dropped: u64,
    /// Frames per second of all pipelines: the sum of their rates, or, played
    /// freely, all frames over the time from the first to the last of them.
    pub fps: Option<f64>,
}

impl Range {
    /// `None` if there are no values.
    fn of(values: &[f64]) -> Option<Range> {
        let min = values.iter().copied().reduce(f64::min)?;
        let max = values.iter().copied().reduce(f64::max)?;
        Some(Range { min: rounded(min), max: rounded(max) })
    }
}

impl Measurement {
    /// The figures of a pipeline.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&StreamFigures> {
        self.cameras.iter().flat_map(|camera| &camera.streams).find(|stream| stream.stream == name)
    }

    /// The worker that plays nothing but this member, if there is one.
    #[must_use]
    pub fn own_worker(&self, slug: &Slug) -> Option<&WorkerFigures> {
        self.workers.iter().find(|worker| worker.name == slug.as_str())
    }
}

/// Computes the figures of a record.
#[must_use]
pub fn measure(record: &RunRecord) -> Measurement {
    let cameras: Vec<CameraFigures> = record.members.iter().map(|member| camera(record, member)).collect();
    let machine = machine::machine(record);
    let degraded = fit::degraded(record);
    let totals = totals(record, &cameras);
    let workers: Vec<WorkerFigures> =
        record.workers.iter().map(|worker| machine::worker(record, worker)).collect();
    Measurement {
        version: VERSION,
        verdict: match &record.imported {
            Some(imported) => imported::line(imported, &cameras, &totals, machine.cpu),
            None => judge::line(record, &cameras, &totals, machine.cpu, !degraded.is_empty()),
        },
        workloads: record.members.iter().flat_map(workloads).collect(),
        estimate: estimate::estimate(record, &cameras, &totals, &machine, &workers),
        workers,
        server: record.server.as_ref().map(|server| machine::server(record, server)),
        cameras,
        machine,
        energy: energy::energy(record, &totals),
        degraded,
        disturbances: fit::measured_disturbances(record),
        soak: soak::soak(record),
        totals,
    }
}

fn camera(record: &RunRecord, member: &Member) -> CameraFigures {
    let index = |index: Option<u32>, name: &str| index.or_else(|| earlier::index(name));
    let streams = member.streams.iter();
    let streams = streams.map(|one| (index(one.index, &one.stream), figures(record, member, one)));
    let scripts = member.scripts.iter();
    let of_script = |one| match &record.imported {
        Some(imported) => imported::figures(record, imported, member, one),
        None => script::figures(record, member, one),
    };
    let scripts = scripts.map(|one| (index(one.index, &one.stream), of_script(one)));
    let mut streams: Vec<(Option<u32>, StreamFigures)> = streams.chain(scripts).collect();
    streams.sort_by_key(|(index, _)| *index);
    let streams: Vec<StreamFigures> = streams.into_iter().map(|(_, figures)| figures).collect();
    let worst = streams.iter().min_by(|a, b| {
        let fps = |stream: &StreamFigures| stream.fps.unwrap_or(0.0);
        b.verdict.cmp(&a.verdict).then(fps(a).total_cmp(&fps(b)))
    });
    let accepted = member.streams.iter().filter_map(|stream| Source::of(member, stream).accepted_fps());
    CameraFigures {
        camera: member.camera.clone(),
        slug: member.slug.clone(),
        target_fps: accepted.min_by(f64::total_cmp).map_or(member.target_fps, rounded),
        verdict: worst.map_or(Verdict::NotJudged, |stream| stream.verdict),
        worst: worst.map(|stream| stream.stream.clone()),
        streams,
        left_out: member.left_out.clone(),
    }
}

/// Figures are kept to the millionth: more digits say nothing, and these are
/// read back from JSON as they were written.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| rounded(part as f64 / whole as f64))
}

fn workloads(member: &Member) -> impl Iterator<Item = WorkloadFigures> {
    let streams = member.streams.iter().map(|one| (&one.stream, &one.workloads));
    let scripts = member.scripts.iter().map(|one| (&one.stream, &one.workloads));
    streams.chain(scripts).flat_map(move |(stream, workloads)| {
        workloads.iter().map(move |workload| WorkloadFigures {
            camera: member.camera.clone(),
            slug: member.slug.clone(),
            workload: workload.clone(),
            stream: stream.clone(),
            shared_with: workloads.iter().filter(|other| *other != workload).cloned().collect(),
        })
    })
}

/// The frames of each decoder. Windows of streams that share one may differ by a
/// tick, so the greatest count is taken.
fn decoders(record: &RunRecord) -> Vec<u64> {
    let streams: Vec<&StreamRecord> = record.members.iter().flat_map(|member| &member.streams).collect();
    let is_first = |stream: &&&StreamRecord| {
        let own = streams.iter().position(|other| other.stream == stream.stream);
        let shared = stream.shares_decode_with.iter();
        shared
            .filter_map(|name| streams.iter().position(|other| other.stream == *name))
            .all(|at| Some(at) > own)
    };
    let decoded = |stream: &&StreamRecord| {
        let shares = |other: &&&StreamRecord| stream.shares_decode_with.contains(&other.stream);
        let others = streams.iter().filter(shares).map(|other| other.decoded);
        others.chain([stream.decoded]).max().unwrap_or(0)
    };
    streams.iter().filter(is_first).map(decoded).collect()
}

fn totals(record: &RunRecord, cameras: &[CameraFigures]) -> Totals {
    let all = || cameras.iter().flat_map(|camera| &camera.streams);
    let streams = || all().filter(|stream| stream.script.is_none());
    let rates: Vec<f64> = streams().filter_map(|stream| stream.fps).collect();
    let fps = match record.conditions.pace {
        Pace::Live => (!rates.is_empty()).then(|| rates.iter().sum()),
        Pace::Free => {
            let all = || record.members.iter().flat_map(|member| &member.streams);
            let ends = all().filter_map(StreamRecord::ends_us);
            let ends = ends.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
            let n_frames = all().map(StreamRecord::n_frames).sum();
            ends.map(|(first, last)| stats::counted_fps(n_frames, ends, (first, last.saturating_add(1))))
        }
    };
    let decoders = decoders(record);
    Totals {
        cameras: cameras.iter().filter(|camera| !camera.streams.is_empty()).count(),
        holding: cameras.iter().filter(|camera| camera.verdict == Verdict::Holds).count(),
        scripts: all().filter(|stream| stream.script.is_some()).count(),
        pipelines: streams().count(),
        decoders: decoders.len(),
        decoded: decoders.iter().sum(),
        frames: streams().filter_map(|stream| stream.frames).sum(),
        dropped: streams().filter_map(|stream| stream.dropped).sum(),
        fps: fps.map(rounded),
    }
}
