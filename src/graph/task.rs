//! A task: label, action, inputs, outputs, pool, after.

mod models;

pub use models::{Convert, ModelDownload, ModelFile, Packages};

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::diag::Place;
use crate::digest::ContentDigest;
use crate::impair::Impairment;
use crate::model::{
    ClipOptions, Collector, Isolation, Limits, Pace, PackageSource, Threshold, Unit, lock_url,
};
use crate::name::Slug;
use crate::os::IpAddr;
use crate::os::http::Pins;
use crate::path::ProjectPath;
use crate::plan::PlanRequest;
use crate::scene::Scene;

/// A node of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its printed name: `transcode:scan.mp4@640x360@15`. Unique.
    pub label: String,
    /// The action. Hashed whole.
    pub action: Action,
    /// Files and directories that it reads. By content.
    pub inputs: Vec<ProjectPath>,
    /// Files and directories that it writes.
    pub outputs: Vec<ProjectPath>,
    /// The pool that it takes a slot of.
    pub pool: Pool,
    /// Labels of tasks that come first, besides those that make inputs.
    pub after: Vec<String>,
    /// GStreamer factories whose plugin versions it depends on.
    pub factories: Vec<String>,
    /// Where in the user's files it comes from.
    pub place: Place,
    /// Of a user task: the places of its inputs, outputs and `after`, in this
    /// order. Empty for all others.
    pub entries: Box<[Place]>,
}

impl Task {
    /// A task on a core, without inputs and outputs.
    #[must_use]
    pub fn new(label: String, action: Action) -> Task {
        Task {
            label,
            action,
            inputs: Vec::new(),
            outputs: Vec::new(),
            pool: Pool::Cpu,
            after: Vec::new(),
            factories: Vec::new(),
            place: Place::default(),
            entries: Box::default(),
        }
    }

    #[must_use]
    pub fn reads(self, inputs: impl IntoIterator<Item = ProjectPath>) -> Task {
        Task { inputs: inputs.into_iter().collect(), ..self }
    }

    #[must_use]
    pub fn writes(self, outputs: impl IntoIterator<Item = ProjectPath>) -> Task {
        Task { outputs: outputs.into_iter().collect(), ..self }
    }

    /// With these GStreamer factories.
    #[must_use]
    pub fn uses(self, factories: impl IntoIterator<Item = impl Into<String>>) -> Task {
        Task { factories: factories.into_iter().map(Into::into).collect(), ..self }
    }

    #[must_use]
    pub fn pool(self, pool: Pool) -> Task {
        Task { pool, ..self }
    }

    /// From this place in the user's files.
    #[must_use]
    pub fn at(self, place: Place) -> Task {
        Task { place, ..self }
    }

    /// Where its input number `n` is written.
    #[must_use]
    pub fn input_place(&self, n: usize) -> Place {
        self.entry(n)
    }

    /// Where its output number `n` is written.
    #[must_use]
    pub fn output_place(&self, n: usize) -> Place {
        self.entry(self.inputs.len() + n)
    }

    /// Where its `after` number `n` is written.
    #[must_use]
    pub fn after_place(&self, n: usize) -> Place {
        self.entry(self.inputs.len() + self.outputs.len() + n)
    }

    fn entry(&self, n: usize) -> Place {
        self.entries.get(n).copied().unwrap_or(self.place)
    }

    /// Whether it brings files from elsewhere.
    #[must_use]
    pub fn is_download(&self) -> bool {
        matches!(self.action, Action::Download(_) | Action::Model(_))
    }

    /// Whether it brings files of a model, fetched or made.
    #[must_use]
    pub fn brings_model(&self) -> bool {
        matches!(self.action, Action::Model(_) | Action::Convert(_))
    }

    /// Whether performing it measures the machine.
    #[must_use]
    pub fn measures(&self) -> bool {
        matches!(self.action, Action::Run(_) | Action::Density(_))
    }

    /// What it measures, and the cameras that it plays; `None` for all other tasks.
    #[must_use]
    pub fn played(&self) -> Option<(&str, &[Slug])> {
        match &self.action {
            Action::Run(run) => Some((&run.subject, &run.members)),
            Action::Density(density) => Some((&density.subject, &density.members)),
            _ => None,
        }
    }

    /// Inputs and outputs, in this order.
    pub fn paths(&self) -> impl Iterator<Item = &ProjectPath> {
        self.inputs.iter().chain(&self.outputs)
    }

    /// Whether it must run each time.
    #[must_use]
    pub fn is_always_stale(&self) -> bool {
        matches!(&self.action, Action::Command(command) if !command.cache)
    }
}

/// The hashable part of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Fetches a file over HTTP, or from a registry of packages.
    Download(Download),
    /// Fetches files of a model, all or none.
    Model(ModelDownload),
    /// Makes files of a model out of weights, all or none.
    Convert(Convert),
    /// Draws a scene and writes its truth.
    Generate {
        /// The scene, as resolved.
        scene: Scene,
        /// The version of its truth.
        version: u32,
        /// The version of its encoding. Older versions of `lp` had another GOP.
        #[serde(default)]
        encoding: u32,
    },
    /// Makes a clip of a size and a rate from a video, or takes it as it is.
    Transcode(Transcode),
    /// Writes the plan of one camera.
    Plan(Box<PlanRequest>),
    /// Joins the plans of all cameras.
    PlanLane {
        /// Their order in the plan.
        cameras: Vec<Slug>,
    },
    /// Plays cameras and measures them.
    Run(Run),
    /// Searches for the number of copies of cameras that the machine can play.
    Density(Density),
    /// Computes the figures of one camera from a record.
    Benchmark {
        camera: Slug,
        /// The limits of its verdict, which are those of the project, not of the record.
        verdict: Limits,
        /// The version of the figures' layout.
        version: u32,
    },
    /// Writes a record as pages.
    Report {
        /// As of [`Action::Benchmark`].
        verdict: Limits,
        /// `[thresholds]`
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        thresholds: Vec<Threshold>,
        /// The version of the pages.
        version: u32,
    },
    /// A command of the user's.
    Command(Command),
}

impl Action {
    /// Whether the value of this outermost key follows from the others, unless
    /// the user sets it: the dialect from the steps.
    #[must_use]
    pub fn derives(&self, key: &str) -> bool {
        matches!(
            (self, key),
            (Action::Plan(_), "dialect") | (Action::Run(_) | Action::Density(_), "isolation")
        )
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// Tried in order.
    pub urls: Vec<String>,
    /// The package that has it, tried after the URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PackageSource>,
    #[serde(flatten)]
    pub pins: Pins,
    /// Headers of its requests. A value `${NAME}` is that of a variable, which is in no key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The name of the variable with the token of its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The required kind of contents. `None` with a pinned digest, which is exact. Older versions
    /// of `lp` did not check, so their results without a pin do not fit this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<DownloadKind>,
    /// Whether digest and size are those of `Lpfile.lock`, not of the config. Not hashed.
    #[serde(skip)]
    pub is_locked: bool,
}

impl Download {
    /// The contents that `Lpfile.lock` has of it. They are its result whoever fetched them,
    /// and from whichever URL.
    #[must_use]
    pub fn locked_content(&self) -> Option<ContentDigest> {
        self.pins.blake3.as_ref().filter(|_| self.is_locked)?.parse().ok()
    }

    /// Who says what it must be, for people.
    #[must_use]
    pub fn pinned_by(&self) -> &'static str {
        if self.is_locked { "`Lpfile.lock`" } else { "the config" }
    }

    /// Where it comes from, as its entry of `Lpfile.lock` has it: its first URL, or that of the
    /// file in its package.
    #[must_use]
    pub fn lock_key(&self) -> Option<String> {
        match &self.source {
            Some(source) => Some(source.url()),
            None => self.urls.first().map(|url| lock_url(url)),
        }
    }
}

/// The required contents of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadKind {
    /// A file with moving pictures.
    Video,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcode {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second, as a fraction: `15/1`.
    pub framerate: String,
    /// Whether no frame is copied where the clip has too few.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop_only: bool,
    /// How it is encoded, where it is.
    #[serde(flatten)]
    pub clip: ClipOptions,
    /// The version of the way in which it is done.
    pub version: u32,
}

impl Transcode {
    /// Rises with every change of the way clips are made, so that older clips are made again.
    pub const VERSION: u32 = 5;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `lane`, `camera-3`, ...
    pub subject: String,
    /// Slugs of the members, in project order.
    pub members: Vec<Slug>,
    /// The unit that gets a worker of its own.
    pub isolation: Isolation,
    /// Milliseconds; 0 = until stopped.
    pub duration_ms: u64,
    /// Milliseconds; `None` = `auto`.
    pub warmup_ms: Option<u64>,
    /// How fast files are played.
    pub pace: Pace,
    /// Copies of the lane.
    pub count: u32,
    /// Whether every step is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decode_only: bool,
    /// Whether the record gets pictures of streams that infer.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub snapshots: bool,
    /// Whether a script has boolean parameters. They are flags (`--key`); older versions
    /// of `lp` gave them as `--key true`, so their measurements do not fit this key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub script_flags: bool,
    /// The server of streams that `lp` starts for it, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<StreamServer>,
    /// What is done to the network between servers and cameras, if there are streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impair: Option<Impairment>,
    /// Programs of the user's that measure the machine beside it. Without one of them, a record lacks its
    /// series, and has what it takes of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collectors: Vec<Collector>,
}

/// A server of clips as streams, which `lp` starts for a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamServer {
    pub address: IpAddr,
    pub port: u16,
    /// The cores to which it is bound; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpus: Vec<u32>,
    /// The clips by the names of their streams.
    pub mounts: BTreeMap<String, ProjectPath>,
}

fn yes() -> bool {
    true
}

/// A search for the density. How long it may take, and whether it may exceed the memory, is no
/// part of it: an answer is one whatever it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Density {
    /// `lane`, `camera-3`, ...
    pub subject: String,
    /// What is counted.
    pub unit: Unit,
    /// Slugs of the cameras that are played, in project order; with unit `camera`, those
    /// beside it too.
    pub members: Vec<Slug>,
    /// The camera that is counted; `None` = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Slug>,
    /// The unit that gets a worker of its own.
    pub isolation: Isolation,
    /// Milliseconds; `None` = `auto`.
    pub warmup_ms: Option<u64>,
    /// How sure the answer must be.
    pub confidence: f64,
    /// The most copies that are tried.
    pub max: u32,
    /// The limits of the verdicts.
    pub verdict: Limits,
    /// As of [`Run`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decode_only: bool,
    /// As of [`Run`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub script_flags: bool,
    /// As of [`Run`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<StreamServer>,
    /// As of [`Run`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impair: Option<Impairment>,
}

/// A command of the user's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub command: Vec<String>,
    /// Variables set for it.
    pub env: BTreeMap<String, String>,
    /// Variables taken from the caller, with their values.
    pub pass: BTreeMap<String, Option<VariableValue>>,
    /// `false` = always run.
    pub cache: bool,
    /// The time limit. Does not affect the result, so it is not hashed.
    #[serde(skip)]
    pub timeout: Option<Duration>,
    /// Attempts after the first. Not hashed.
    #[serde(skip)]
    pub retries: u32,
}

/// The value of a variable in any encoding. Its text is the value itself; for a
/// value that is not UTF-8, it is NUL, which no variable contains, and hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct VariableValue(pub OsString);

impl From<String> for VariableValue {
    fn from(text: String) -> VariableValue {
        let hex = text.strip_prefix('\0').map(|hex| hex.as_bytes().chunks(2));
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = hex.and_then(|hex| hex.map(byte).collect());
        VariableValue(bytes.map_or_else(|| text.into(), OsString::from_vec))
    }
}

impl From<VariableValue> for String {
    fn from(value: VariableValue) -> String {
        let hex = |bytes: Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        value.0.into_string().unwrap_or_else(|value| format!("\0{}", hex(value.into_vec())))
    }
}

/// A limited resource. A task takes one slot of one pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// Cores.
    Cpu,
    Network,
    /// Waits for all tasks and blocks all.
    Exclusive,
    /// One of `[pools]`.
    User(String),
}

impl Pool {
    /// The pool that a user names.
    #[must_use]
    pub fn named(name: &str) -> Pool {
        match name {
            "cpu" => Pool::Cpu,
            "network" => Pool::Network,
            "exclusive" => Pool::Exclusive,
            other => Pool::User(other.to_owned()),
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pool::Cpu => "cpu",
            Pool::Network => "network",
            Pool::Exclusive => "exclusive",
            Pool::User(name) => name,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn only_a_download_without_a_pin_has_another_key_than_it_had() {
        let text = |sha256: Option<&str>, wanted| {
            let urls = vec!["http://h/a.mp4".to_owned()];
            let pins = Pins { sha256: sha256.map(str::to_owned), ..Pins::default() };
            serde_json::to_string(&Action::Download(Download { urls, pins, wanted, ..Download::default() }))
                .unwrap()
        };
        expect![[r#"{"action":"download","urls":["http://h/a.mp4"],"sha256":"71aa"}"#]]
            .assert_eq(&text(Some("71aa"), None));
        expect![[r#"{"action":"download","urls":["http://h/a.mp4"],"sha256":null,"wanted":"video"}"#]]
            .assert_eq(&text(None, Some(DownloadKind::Video)));
    }
}
