//! What one run measured: the [`RunRecord`].
//!
//! A record is the artefact of a `run:` task. It holds the run's conditions,
//! one entry per stream with all that its worker reported inside the measured
//! window, one per script with its figures about frames, the samples of the machine and
//! the workers, and how it all ended. The
//! figures that people read are computed from it (`record::measure`), so a
//! better formula needs no new run.
//!
//! Times inside a record are microseconds since its `origin`, a moment of
//! CLOCK_MONOTONIC that `started` gives in UTC.

pub mod boxes;
pub mod build;
pub mod collector;
mod compact;
pub mod compared;
pub mod comparison;
pub mod density;
pub mod density_figures;
mod earlier;
#[cfg(test)]
pub(crate) mod fixture;
pub mod foreign;
pub mod headroom;
pub mod imported;
pub mod judgement;
pub mod long;
pub mod measure;
pub mod metric;
pub mod parsers;
pub mod power;
mod provenance;
#[cfg(test)]
pub(crate) mod schema;
pub mod script;
pub mod seen;
pub mod stages;
pub mod upstream;
pub mod upstream_results;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::collector::CollectorRecord;
use self::compared::Compared;
use self::imported::Imported;
use self::judgement::KnownSearch;
use self::long::LongWindow;
use self::power::IdlePower;
pub use self::provenance::{ConfigFile, Git, Provenance, StepRecord};
use self::seen::{ClipPlace, Expected, StepSightings};
use self::stages::Stages;
use crate::digest::ContentDigest;
use crate::impair::{Impairment, Passage};
use crate::model::Threshold;
pub use crate::model::{Accept, Codec, Deadline, Expect, Isolation, Limits, Pace, SourceKind};
use crate::name::Slug;
use crate::path::ProjectPath;
pub use crate::pipeline::prepared::{Preparation, PreparedClip, Video};
use crate::plan::DialectName;
use crate::time::Utc;
use crate::worker::protocol::End;
pub use crate::worker::protocol::{Outage, Packets, Snapshot, ThreadGroup, VideoFormat};

/// The version of the record's layout. Older ones are read as well: 2 brought
/// [`Member::scripts`] and [`Member::left_out`]; 3 brought [`Member::configured`],
/// [`StreamRecord::late_us`], [`StreamRecord::delivery`],
/// [`StreamRecord::taken_out`], `steal` of the machine's samples and
/// [`RunRecord::inputs_changed`]; 4 has [`RunRecord::series`] in the place of
/// `machine`, a list of such samples, and brought [`StreamRecord::index`]; 5 brought
/// [`RunRecord::provenance`], [`RunRecord::tag`], [`RunRecord::utc_offset_s`],
/// [`SourceConfig::name`], [`SourceConfig::origin`], [`Member::dialect`] and
/// [`StreamRecord::steps`]; 6 brought [`Conditions::warmup_is_auto`], [`Conditions::limits`],
/// [`StreamRecord::asked_us`], [`StreamRecord::warmup`], [`StreamRecord::delay_us`],
/// [`StreamRecord::after_us`], [`StreamRecord::dropped_at`] and what follows it up to
/// [`StreamRecord::in_flight`], [`StreamRecord::seen`], [`StreamRecord::expected`],
/// [`StreamRecord::place`] and [`SourceConfig::expect`]; 7 brought [`Delivery::drift_ppm`],
/// [`RunRecord::other_counts`] and [`StreamRecord::queues`]; 8 brought [`RunRecord::server`], [`StreamRecord::snapshot`],
/// [`StreamRecord::compared`], [`Conditions::impair`], [`StreamRecord::impaired`], [`Delivery::transport`],
/// [`Delivery::packets`] and [`Delivery::reconnects`], and of [`StepSightings`] `model`, `inferred`, `labels` and `boxes`; 9
/// brought [`RunRecord::idle`], [`RunRecord::collectors`], [`Conditions::traced`], [`StreamRecord::stages`] and
/// [`WorkerSample::files`].
pub const VERSION: u32 = 9;

/// Everything that one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`VERSION`].
    pub version: u32,
    /// `lane`, `camera-3`, `camera-1+camera-3`.
    pub subject: String,
    /// When the attempt began; part of the run's id.
    pub started: Utc,
    /// Local time less UTC at that moment, in seconds; `None` if the machine has no time
    /// zone, and in records before version 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset_s: Option<i32>,
    /// The user's note about the run: a line of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The program and the project; `None` in records before version 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What was asked for.
    pub conditions: Conditions,
    /// The machine it ran on.
    pub host: Host,
    /// One per camera and copy, in project order.
    pub members: Vec<Member>,
    /// Samples of collectors, once a second.
    #[serde(alias = "machine", deserialize_with = "earlier::series")]
    pub series: Vec<SeriesRecord>,
    /// The workers, in the order in which they were started.
    pub workers: Vec<WorkerRecord>,
    /// The server of the cameras' streams, if `lp` started it; what it used is in `cpu.scripts`, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<WorkerRecord>,
    /// Programs that do not belong to the run, with their CPU time from its start to its end,
    /// the most first; empty in records before version 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<ProgramRecord>,
    /// Collectors, or series of them, that could not run, with the reason.
    pub missing: BTreeMap<String, String>,
    /// The power of the machine before anything of the run was started; `None` where no power is
    /// known, and in records before version 9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<IdlePower>,
    /// Programs of the user's that ran beside it; empty in records before version 9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collectors: Vec<CollectorRecord>,
    /// Whether the user stopped it before its time.
    pub interrupted: bool,
    /// Inputs that changed while it ran, or were written and changed back: it is unknown
    /// which version was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs_changed: Vec<ProjectPath>,
    /// Earlier runs of the same on this host with other numbers of copies, in ascending order; empty
    /// in records before version 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_counts: Vec<OtherCount>,
    /// Of a run that another program measured: where its files come from, what was corrected and what is not
    /// known. Such a record has no streams, but a script for each; a target of 0 is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// `[thresholds]` under which it was made; empty in records before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// The newest search for the density of the same lane, and of each camera, on this host, as far as
    /// thresholds ask for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub searches: Vec<KnownSearch>,
}

/// An earlier run of the same with another number of copies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OtherCount {
    /// Its id.
    pub run: String,
    pub count: u32,
    /// The cores that its pipelines, its scripts and `lp` used on average.
    pub own_cores: f64,
    /// Whether all cameras held; `None` if that was not decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
}

impl RunRecord {
    /// The run's id: when it began, and 6 digits of the digest of its file.
    #[must_use]
    pub fn run_id(&self, file: &ContentDigest) -> String {
        format!("{}-{}", self.started.compact(), &file.to_hex()[..6])
    }

    /// Whether it may be used instead of a later run: no member failed, the user did not
    /// interrupt it, and its inputs did not change.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.interrupted
            && self.inputs_changed.is_empty()
            && self.failures().next().is_none()
            && self.server.as_ref().is_none_or(|server| server.death.is_none())
    }

    /// The reason why its figures are not reliable.
    #[must_use]
    pub fn unreliable(&self) -> Option<String> {
        let names: Vec<String> = self.inputs_changed.iter().map(|path| format!("`{path}`")).collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("its input {one} changed while it ran")),
            more => Some(format!("its inputs {} changed while it ran", more.join(", "))),
        }
    }

    /// The series of this name (`machine.cpu`), if it was collected.
    #[must_use]
    pub fn series_of(&self, name: &str) -> Option<&SeriesRecord> {
        self.series.iter().find(|series| series.name == name)
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

/// The conditions of a run, as requested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Length of the measured window in milliseconds; 0 = until stopped.
    pub duration_ms: u64,
    /// Warm-up before it, after each stream's first frame, in milliseconds; if
    /// `warmup_is_auto`, the shortest one.
    pub warmup_ms: u64,
    /// Whether the warm-up of a stream lasts until its steady state: `auto`. False in records
    /// before version 6, whose warm-up is always fixed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub warmup_is_auto: bool,
    /// `live` or `free`.
    pub pace: Pace,
    /// `camera` or `lane`: the streams that share a worker.
    pub isolation: Isolation,
    /// Copies of the lane.
    pub count: u32,
    /// Which repeat of this run this is, from 1.
    pub repeat: u32,
    /// Whether every step was left out, so that only sources and decoding were measured.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decode_only: bool,
    /// Whether the stages of frames were recorded, for a trace: a probe more for each element.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub traced: bool,
    /// What was done to the network between servers and cameras; `None`: nothing, as in records
    /// before version 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impair: Option<Impairment>,
    /// The limits of verdicts; the defaults in records before version 6.
    #[serde(default)]
    pub limits: Limits,
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
    /// The config of its source; `None` in records before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured: Option<SourceConfig>,
    /// How its steps became elements; `None` in records before version 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<DialectName>,
    /// The clip that was played; `None` for other sources, for a clip that a user's task
    /// made, and in records before version 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<PreparedClip>,
    pub streams: Vec<StreamRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<script::ScriptRecord>,
    /// Workloads that cannot be played.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<OmittedWorkloads>,
}

/// The config of a camera's source, to compare with its delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceConfig {
    /// Where its frames come from.
    pub source: SourceKind,
    /// Its name, without user and password: a clip's file, a URI, a device, a scene;
    /// `None` in records before version 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where a clip comes from, without user and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
    /// What an RTSP stream should carry; `None` for other sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// Differences from the config that are accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
    /// What its detectors should see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
}

/// Workloads of a camera that were left out of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OmittedWorkloads {
    /// Their names as written.
    pub workloads: Vec<String>,
    pub reason: String,
}

/// One pipeline of a camera, as it was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// `camera-3/1`.
    pub stream: String,
    /// The number that the plan gave it; `None` in records before version 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// The workloads that it serves, as written.
    pub workloads: Vec<String>,
    /// Its steps as the plan has them; none in records before version 5.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepRecord>,
    /// Streams of the same pipeline, which decoded once for all of them; empty for
    /// a stream with a decoder of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares_decode_with: Vec<String>,
    /// When it was asked to start; `None` if it never was, and in records before version 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_us: Option<u64>,
    /// The first frame at the sink; `None` if none came.
    pub first_frame_us: Option<u64>,
    /// The warm-up between it and the window; `None` if that never ended, with free pace, and in
    /// records before version 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<WarmUpRecord>,
    /// The constant delay of its frames in microseconds: the median of their lateness in the
    /// steady part of the warm-up, at least in its last second; without a warm-up, in the
    /// first second of the window. `None` where frames are not due at a time, and in records before
    /// version 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_us: Option<i64>,
    /// The measured window, `[begin, end)`; `None` if warm-up never ended.
    pub window_us: Option<(u64, u64)>,
    /// Arrival of each frame inside the window, ascending; empty if the window is longer
    /// than an hour, as are the next three.
    #[serde(with = "compact::times")]
    pub arrived_us: Vec<u64>,
    /// Latency of each of those frames; empty where it has no meaning.
    pub latency_us: Vec<Option<u32>>,
    /// Lateness of each of those frames in microseconds: its arrival less the time
    /// when it was due: the pipeline's base time plus its running time and, of files and
    /// scenes, the latency that elements report, or its RTP timestamp, counted from the frame that
    /// came fastest in the last minute, without the drift of the camera's clock.
    /// Negative for a frame that came early. Empty where frames are not due at
    /// a time (free pace) and in records before version 3.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub late_us: Vec<Option<i64>>,
    /// The first frame that arrived after the window, and its lateness: it tells of a stall
    /// that lasts beyond the end. `None` if none came before the run ended, and in records
    /// before version 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_us: Option<(u64, Option<i64>)>,
    /// When frames left the decoder that were dropped, ascending; empty in records before
    /// version 6.
    #[serde(default, with = "compact::times", skip_serializing_if = "Vec::is_empty")]
    pub dropped_us: Vec<u64>,
    /// The frames of a window that is longer than an hour, in the place of these lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<LongWindow>,
    /// Whole frames that left the decoder in the window.
    pub decoded: u64,
    /// Frames dropped in the window.
    pub dropped: u64,
    /// Frames that steps took out in the window (`videorate`, `identity
    /// drop-probability`): decoded, and neither arrived nor dropped.
    #[serde(default)]
    pub taken_out: u64,
    /// `dropped` by place: the name of a queue, `qos:` and the name of the element that
    /// skipped them. Empty in records before version 6.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped_at: BTreeMap<String, u64>,
    /// `taken_out` by the name of the step; `steps` where several may have been it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken_out_at: BTreeMap<String, u64>,
    /// Copies that arrived in the window, likewise: [`Delivery::copied`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub copied_at: BTreeMap<String, u64>,
    /// Frames between decoder and sink when the window began. They were not decoded in it,
    /// and those that were not dropped arrived in it. 0 in records before version 6.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_flight_before: u64,
    /// Frames between decoder and sink when the window ended, so that `in_flight_before +
    /// decoded = frames that arrived + dropped + taken_out + in_flight`, to the frame.
    /// 0 in records before version 6.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_flight: u64,
    /// The fill of each queue on its way in buffers, at the end of each second of the window: so
    /// many seconds by fill. Empty in records before version 7.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub queues: BTreeMap<String, BTreeMap<u32, u64>>,
    /// Where the time of its frames went in the first minute of the window; `None` unless the run
    /// was traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Stages>,
    /// The delivery of its source; `None` in records before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Frames over the stream's whole life: decoded, played, dropped, taken
    /// out. They add up after EOS.
    pub life: Life,
    /// What elements reported over the stream's whole life, oldest first, at
    /// most [`MAX_SIGHTINGS`].
    pub sightings: Vec<Sighting>,
    /// Sightings beyond [`MAX_SIGHTINGS`].
    pub sightings_left_out: u64,
    /// What each of its detectors saw; none in records before version 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<StepSightings>,
    /// What each of them has to see, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<Expected>,
    /// How the boxes of each of them compare with the truth, and with an earlier run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compared: Vec<Compared>,
    /// A frame of it with what its models found, if it infers; `None` in records before version 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// What became of its packets on a network that was impaired, over the stream's whole life;
    /// streams that share a decoder share it. `None` for other networks, and in records before
    /// version 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impaired: Option<Passage>,
    /// Where in its clip it was in the window; `None` for cameras and in records before
    /// version 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<ClipPlace>,
    /// How it ended; `None` if its worker died before.
    pub end: Option<End>,
    /// Why it counts as failed; `None` if it does not.
    pub failure: Option<String>,
}

/// The warm-up of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUpRecord {
    /// From the first frame to the begin of the window, in microseconds.
    pub length_us: u64,
    /// Of `auto`: whether the stream had a steady state when its window began; `None` if its
    /// frames are too few to tell, and for a fixed warm-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_steady: Option<bool>,
}

impl StreamRecord {
    /// The number of frames that arrived in the window, of any length.
    #[must_use]
    pub fn n_frames(&self) -> u64 {
        self.long.as_ref().map_or(self.arrived_us.len() as u64, |long| long.frames)
    }

    /// When the first and the last of them arrived.
    #[must_use]
    pub fn ends_us(&self) -> Option<(u64, u64)> {
        match &self.long {
            None => self.arrived_us.first().copied().zip(self.arrived_us.last().copied()),
            Some(long) => long.first_us.zip(long.last_us),
        }
    }
}

/// The delivery of a stream's source in the window, before `lp` changes anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Frames that the source delivered: frames of different RTP timestamps, buffers
    /// of the device or the scene, encoded frames that left `clocksync`. `None` if
    /// they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The longest time between two of them, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_gap_us: Option<u64>,
    /// Frames that the decoder flagged as damaged, such as the grey ones before the
    /// first key frame, and those of RTP that could not be decoded. They neither count as decoded nor as arrived.
    #[serde(default)]
    pub damaged: u64,
    /// Copies that a `videorate` among the steps made and that came to the sink.
    #[serde(default)]
    pub copied: u64,
    /// Frames that the `videorate` after the source dropped.
    #[serde(default)]
    pub thinned: u64,
    /// Frames of RTP that lack packets which had not come when later ones did.
    #[serde(default)]
    pub incomplete: u64,
    /// The most frames from one key frame to the next, over the stream's life;
    /// `None` if no two were seen, or the video is not encoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_frame_every: Option<u64>,
    /// By how many millionths the clock of an RTSP camera was faster than the worker's (negative:
    /// slower), which lateness leaves out: the last estimate over the stream's life. `None` if it could not
    /// be told, of other sources, and in records before version 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// How packets came last: `tcp` or `udp`. `None` for other sources, and in records before
    /// version 8, like the next two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Packets of RTP in the window, to a second at its ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Packets>,
    /// The times without a connection over the stream's life, since the record's origin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reconnects: Vec<Outage>,
    /// The formats in the caps over the stream's life, in order: more than one if the
    /// stream changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub video: Vec<VideoFormat>,
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
    /// Frames that steps took out in between.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub taken_out: u64,
    /// Frames that left the decoder damaged; these count nowhere else.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub damaged: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The most sightings that a record keeps per stream.
pub const MAX_SIGHTINGS: usize = 10_000;

/// A sighting of an element: a message of `zbar` or `motioncells`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// When it was posted.
    pub at_us: u64,
    /// The position in the clip that it is about, in milliseconds; `None` if the
    /// element does not give one.
    pub clip_ms: Option<u64>,
    pub element: String,
    /// Its factory: `zbar`.
    pub factory: String,
    /// The message: `barcode`, `motion` (whose fields say whether it begins).
    pub message: String,
    /// Its fields as GStreamer writes them, without those that only repeat its time:
    /// `running-time`, `stream-time` and `timestamp`.
    pub fields: BTreeMap<String, String>,
}

/// The values of one series of a collector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesRecord {
    /// `machine.cpu`; see [`crate::collect::Series`].
    pub name: String,
    /// In UCUM: `1` for a share, `By`.
    pub unit: String,
    /// When each value was measured.
    #[serde(with = "compact::times")]
    pub at_us: Vec<u64>,
    /// As many as `at_us`.
    pub values: Vec<f64>,
}

impl SeriesRecord {
    /// Each value with its time.
    pub fn points(&self) -> impl Iterator<Item = (u64, f64)> {
        self.at_us.iter().copied().zip(self.values.iter().copied())
    }
}

/// A program that does not belong to the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRecord {
    /// The name of its processes as the kernel has it, at most 15 bytes: `rustc`.
    pub name: String,
    /// CPU time of all of them in microseconds.
    pub cpu_us: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerRecord {
    /// `camera-3`, or `lane`.
    pub name: String,
    /// Once a second.
    pub samples: Vec<WorkerSample>,
    /// When its first stream had begun, and the last time before it ended; none in records
    /// before version 6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<WorkerDetails>,
    /// Why it ended before it was asked to: `killed by SIGSEGV`.
    pub death: Option<String>,
    /// The last lines of its stderr; empty unless it died or a stream failed.
    pub stderr_tail: String,
}

/// A worker's memory and threads at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerDetails {
    pub at_us: u64,
    /// Memory in bytes of which shared pages count in part (PSS); `None` if the worker did not
    /// say: it does so at its begin and its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pss: Option<u64>,
    /// The threads that live, by their names without numbers.
    pub threads: BTreeMap<String, ThreadGroup>,
}

/// A sample of one worker.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerSample {
    pub at_us: u64,
    /// CPU time since the worker started, in microseconds.
    pub cpu_us: u64,
    /// Resident memory in bytes.
    pub rss: u64,
    /// Files that it has open; `None` if the worker did not say, and in records before version 9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
}
