//! What one run measured: the [`RunRecord`].
//!
//! A record is the artefact of a `run:` task. It holds the run's conditions,
//! one entry per stream with everything its worker said inside the measured
//! window, one per script with what it printed about frames, the machine's and the workers' samples, and how it all ended. The
//! figures that people read are computed from it (`record::measure`), so a
//! better formula needs no new run.
//!
//! Times inside a record are microseconds since its `origin`, a moment of
//! CLOCK_MONOTONIC that `started` gives in UTC.

pub mod build;
#[cfg(test)]
pub(crate) mod fixture;
pub mod foreign;
pub mod measure;
pub mod script;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::config::project::{Isolation, Pace};
use crate::digest::ContentDigest;
use crate::name::Slug;
use crate::time::Utc;
use crate::worker::protocol::End;

/// The version of the record's layout. Older ones are read as well: 2 brought
/// [`Member::scripts`] and [`Member::left_out`].
pub const VERSION: u32 = 2;

/// Everything that one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`VERSION`].
    pub version: u32,
    /// `lane`, `camera-3`, `camera-1+camera-3`.
    pub subject: String,
    /// When the attempt began; part of the run's id.
    pub started: Utc,
    /// What was asked for.
    pub conditions: Conditions,
    /// The machine it ran on.
    pub host: Host,
    /// One per camera and copy, in project order.
    pub members: Vec<Member>,
    /// The machine, once a second.
    pub machine: Vec<MachineSample>,
    /// The workers, in the order in which they were started.
    pub workers: Vec<WorkerRecord>,
    /// Collectors that could not run, with the reason.
    pub missing: BTreeMap<String, String>,
    /// Whether the user stopped it before its time.
    pub interrupted: bool,
}

impl RunRecord {
    /// The run's id: when it began, and 6 digits of the digest of its file.
    #[must_use]
    pub fn run_id(&self, file: &ContentDigest) -> String {
        format!("{}-{}", self.started.compact(), &file.to_hex()[..6])
    }

    /// Whether it may answer for a later run: no member failed and nobody
    /// interrupted it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.interrupted && self.failures().next().is_none()
    }

    /// The streams and scripts that failed, each with its camera's name and the
    /// reason.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.members.iter().flat_map(|member| {
            let streams = member.streams.iter().map(|one| (&one.stream, &one.failure));
            let scripts = member.scripts.iter().map(|one| (&one.stream, &one.failure));
            streams.chain(scripts).filter_map(|(stream, failure)| {
                Some((member.camera.as_str(), stream.as_str(), failure.as_deref()?))
            })
        })
    }
}

/// What a run was asked to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Length of the measured window in milliseconds; 0 = until stopped.
    pub duration_ms: u64,
    /// What precedes it, after each stream's first frame, in milliseconds.
    pub warmup_ms: u64,
    /// `live` or `free`.
    pub pace: Pace,
    /// `camera` or `lane`: what shares a worker.
    pub isolation: Isolation,
    /// Copies of the lane.
    pub count: u32,
    /// Which repeat of this run this is, from 1.
    pub repeat: u32,
}

/// The host's fingerprint: what must be equal for two records to be comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Host {
    /// Name to value: `cpu`, `cpus`, `memory`, `kernel`, `gstreamer`,
    /// `governor`, `virtualised`, `gpu`.
    pub facts: BTreeMap<String, String>,
}

/// One camera of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The camera's name as written.
    pub camera: String,
    /// Its slug, with `-l2` for the second copy of the lane.
    pub slug: Slug,
    /// The rate that each of its streams should hold: `targetFps`, else `fps`.
    pub target_fps: f64,
    /// Its pipelines.
    pub streams: Vec<StreamRecord>,
    /// Its scripts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<script::ScriptRecord>,
    /// What of it cannot be played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// Workloads of a camera that were left out of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Their names as written.
    pub workloads: Vec<String>,
    /// Why.
    pub reason: String,
}

/// One pipeline of a camera, as it was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// `camera-3/1`.
    pub stream: String,
    /// The workloads that it serves, as written.
    pub workloads: Vec<String>,
    /// Streams of the same pipeline, which decoded once for all of them; empty for
    /// a stream with a decoder of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares_decode_with: Vec<String>,
    /// The first frame at the sink; `None` if none came.
    pub first_frame_us: Option<u64>,
    /// The measured window, `[begin, end)`; `None` if warm-up never ended.
    pub window_us: Option<(u64, u64)>,
    /// Arrival of each frame inside the window.
    pub arrived_us: Vec<u64>,
    /// Latency of each of those frames; empty where it has no meaning.
    pub latency_us: Vec<Option<u32>>,
    /// Frames that left the decoder in the window.
    pub decoded: u64,
    /// Frames dropped in the window.
    pub dropped: u64,
    /// Frames over the stream's whole life: decoded, played, dropped. They add
    /// up after EOS.
    pub life: Life,
    /// What elements reported over the stream's whole life, oldest first, at
    /// most [`MAX_SIGHTINGS`].
    pub sightings: Vec<Sighting>,
    /// Sightings beyond [`MAX_SIGHTINGS`].
    pub sightings_left_out: u64,
    /// How it ended, if its worker lived to say so.
    pub end: Option<End>,
    /// Why it counts as failed; `None` if it does not.
    pub failure: Option<String>,
}

/// Frame counts over the whole life of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Frames that left the decoder.
    pub decoded: u64,
    /// Frames that arrived at the sink.
    pub played: u64,
    /// Frames dropped in between.
    pub dropped: u64,
}

/// The most sightings that a record keeps per stream.
pub const MAX_SIGHTINGS: usize = 10_000;

/// What an element saw: a message of `zbar` or `motioncells`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// When it was posted.
    pub at_us: u64,
    /// The position in the clip that it is about, in milliseconds; `None` if
    /// the element does not say.
    pub clip_ms: Option<u64>,
    /// The element's name.
    pub element: String,
    /// Its factory: `zbar`.
    pub factory: String,
    /// The message: `barcode`, `motion` (whose fields say whether it begins).
    pub message: String,
    /// Its fields as GStreamer writes them.
    pub fields: BTreeMap<String, String>,
}

/// A sample of the whole machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineSample {
    /// When.
    pub at_us: u64,
    /// Share of all cores that was busy since the sample before, 0 to 1.
    pub cpu: f64,
    /// Memory in use (total - available) in bytes.
    pub memory: u64,
}

/// A worker process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// `camera-3`, or `lane`.
    pub name: String,
    /// Once a second.
    pub samples: Vec<WorkerSample>,
    /// Why it ended before it was asked to: `killed by SIGSEGV`.
    pub death: Option<String>,
    /// The last lines of its stderr; empty unless it died or a stream failed.
    pub stderr_tail: String,
}

/// A sample of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerSample {
    /// When.
    pub at_us: u64,
    /// CPU time since the worker started, in microseconds.
    pub cpu_us: u64,
    /// Resident memory in bytes.
    pub rss: u64,
}
