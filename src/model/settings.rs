//! Settings of a run: `[run]`, `[host]`, `[verdict]`, `[clip]`, `[rtsp]`, `[worker]`, `[models]` and `[pools]`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::camera::{Certificate, ClipOptions, Codec, Reconnect, Transport};
use super::collector::Collector;
use super::density::Density;
use super::limits::Limits;
use super::price::Price;
use super::thresholds::Threshold;
use super::worker::WorkerCommand;
use crate::diag::Spanned;
use crate::impair::Impairment;
use crate::os::IpAddr;

/// `[run]`, `[host]`, `[verdict]`, `[density]`, `[clip]`, `[rtsp]`, `[worker]`, `[models]` and `[pools]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The measured window; zero = until Ctrl-C.
    pub duration: Duration,
    /// The time before it; `None` = `auto`: until a stream is in its steady state, from
    /// [`Settings::AUTO_WARMUP_MS`] to [`Settings::AUTO_WARMUP_MOST_MS`].
    pub warmup: Option<Duration>,
    /// How cameras with only `fileSrc` are played.
    pub source: FileSourceMode,
    /// `live` or `free`.
    pub pace: Pace,
    /// `None` = lane if any member's dialect is `dlstreamer`, else camera.
    pub isolation: Option<Isolation>,
    /// How steps become elements.
    pub dialect: DialectChoice,
    /// Whether `auto` takes the worker's own elements for steps that infer: the worker has been
    /// asked, and its machine has no DL Streamer. No setting of the user's.
    pub infers_natively: bool,
    /// Copies of the lane within a run, at least 1.
    pub count: u32,
    /// Whether pipelines of one camera share decoding and steps.
    pub share: Share,
    /// Whether frames are also shown on a display.
    pub render: bool,
    /// Whether every step is left out, so that only sources and decoding are measured.
    pub decode_only: bool,
    /// Whether a run keeps a picture of each stream that infers.
    pub snapshots: bool,
    /// `[verdict]`
    pub limits: Limits,
    /// `[thresholds]`, with the place of each.
    pub thresholds: Vec<Spanned<Threshold>>,
    /// `[density]`
    pub density: Density,
    /// `[host]`: what the machine costs.
    pub price: Option<Price>,
    /// `[clip]`: whether clips with too few frames keep them instead of getting copies.
    pub drop_only: bool,
    /// `[clip]`: how clips are encoded; cameras may differ.
    pub clip: ClipOptions,
    /// `[rtsp]`
    pub rtsp: Rtsp,
    /// `[worker] command`; `None` = the program beside `lp`.
    pub worker: Option<WorkerCommand>,
    /// `[[collector]]`, in the order of the file.
    pub collectors: Vec<Collector>,
    /// `[models] mirrors`: URLs below which a copy of the folder of models lies.
    pub model_mirrors: Vec<String>,
    /// `[pools]`: name to depth, with the defaults of `network`, `gpu` and
    /// `npu`. `cpu` is there only if it was set; `exclusive` never.
    pub pools: BTreeMap<String, u32>,
}

impl Settings {
    /// The shortest warm-up of `auto`, in milliseconds after each stream's first frame.
    pub const AUTO_WARMUP_MS: u64 = 2_000;
    /// The longest one: a stream that has not settled after so long is not starting up, it is
    /// like that. A third of the usual window.
    pub const AUTO_WARMUP_MOST_MS: u64 = 10_000;

    /// The thresholds, without their places.
    #[must_use]
    pub fn threshold_values(&self) -> Vec<Threshold> {
        self.thresholds.iter().map(|threshold| threshold.value.clone()).collect()
    }
}

/// `[rtsp]`: the server of streams that are named by a path alone, and how
/// streams are received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtsp {
    /// A name or an address.
    pub host: String,
    pub port: u16,
    /// The jitter buffer of the receiver, in milliseconds.
    pub latency_ms: u32,
    pub transport: Transport,
    /// How the network between servers and cameras is, if it is impaired.
    pub impair: Option<Impairment>,
    pub reconnect: Option<Reconnect>,
    /// Which certificates of servers of `rtsps` are accepted.
    pub certificate: Certificate,
    /// The encoding of streams whose camera names none.
    pub codec: Codec,
    /// The cores to which a server that `lp` starts is bound; empty: all.
    pub cpus: Vec<u32>,
    /// The address at which `lp` itself serves the streams of clips while it measures: `host` is this
    /// machine, and nobody else serves there. No setting of the user's.
    pub own: Option<IpAddr>,
}

/// `run.share`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Every pipeline has a decoder of its own.
    #[default]
    None,
    /// Pipelines of one camera whose first steps agree share decoding and
    /// those steps.
    Prefix,
}

/// How fast files are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As a camera would deliver them, again and again.
    Live,
    /// Once, as fast as the machine can.
    Free,
}

/// Which pipelines share a worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// The pipelines of one camera.
    Camera,
    Lane,
}

/// `run.source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSourceMode {
    File,
    /// A stream of the transcoded clip, from the server of `[rtsp]`.
    Rtsp,
    /// The clip's scene, drawn live inside the worker.
    Synthetic,
}

/// `run.dialect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialectChoice {
    /// Per camera, from its steps.
    Auto,
    /// Elements of stock GStreamer.
    Stock,
    /// Intel DL Streamer's elements.
    Dlstreamer,
    /// The worker's own elements in their place.
    Native,
}
