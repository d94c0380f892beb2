//! The project: every question that the config files leave open, answered.
//!
//! Raw values come from the readers of this room; here defaults are filled in,
//! references are followed and spans are kept ([`Place`]), so that a fault
//! found later (an element that this machine lacks) still points into the
//! user's file. A `Project` that exists is valid.
//!
//! What serialises is what enters digests; places do not.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::diagnostics::Place;
use super::worker::WorkerCommand;
use crate::name::Slug;
use crate::path::{Layout, ProjectPath};
use crate::scene::Scene;

/// A project, ready to be planned.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where its folders are.
    pub layout: Layout,
    /// `[run]` and `[pools]`, with flags, profile and environment merged in.
    pub settings: Settings,
    /// In the order of the camera file.
    pub cameras: Vec<Camera>,
    /// In the order of the workload file.
    pub workloads: Workloads,
    /// The scene files that cameras name, by name.
    pub scenes: BTreeMap<String, SceneFile>,
    /// `[asset.NAME]`, by name.
    pub assets: BTreeMap<String, AssetPin>,
    /// `[[task]]`, in the order of the files.
    pub tasks: Vec<UserTask>,
    /// What cameras have written out instead of naming a variable
    /// ([`Credential::Written`]), by their slugs. Here alone, for no document may hold it.
    pub passwords: BTreeMap<Slug, Password>,
}

/// A password as it is sent.
#[derive(Clone)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

impl Project {
    /// The workload of this name, compared without regard to case.
    #[must_use]
    pub fn workload(&self, name: &str) -> Option<&Workload> {
        self.workloads.by_name.get(&name.to_lowercase()).map(|n| &self.workloads[*n])
    }

    /// The camera whose name or slug is `text`.
    #[must_use]
    pub fn camera(&self, text: &str) -> Option<&Camera> {
        self.cameras.iter().find(|camera| camera.name == text || camera.slug.as_str() == text)
    }
}

/// `[run]`, `[clip]`, `[rtsp]`, `[worker]` and `[pools]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The measured window; zero = until Ctrl-C.
    pub duration: Duration,
    /// What precedes it; `None` = `auto`.
    pub warmup: Option<Duration>,
    /// How cameras with only `fileSrc` are played.
    pub source: FileSourceMode,
    /// `live` or `free`.
    pub pace: Pace,
    /// `None` = lane if any member's dialect is `dlstreamer`, else camera.
    pub isolation: Option<Isolation>,
    /// How steps become elements.
    pub dialect: DialectChoice,
    /// Copies of the lane within a run, at least 1.
    pub count: u32,
    /// What pipelines of one camera share.
    pub share: Share,
    /// Whether what is played is also shown on a display.
    pub render: bool,
    /// `[clip]`: whether clips with too few frames keep them instead of getting copies.
    pub drop_only: bool,
    /// `[rtsp]`
    pub rtsp: Rtsp,
    /// `[worker] command`; `None` = the program beside `lp`.
    pub worker: Option<WorkerCommand>,
    /// `[pools]`: name to depth, with the defaults of `network`, `gpu` and
    /// `npu`. `cpu` is there only if it was set; `exclusive` never.
    pub pools: BTreeMap<String, u32>,
}

/// `[rtsp]`: the server of streams that are named by a path alone, and how
/// streams are received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtsp {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The jitter buffer of the receiver, in milliseconds.
    pub latency_ms: u32,
    /// What streams carry whose camera does not say.
    pub codec: Codec,
}

/// What an RTSP stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Codec {
    H264,
    H265,
    Mjpeg,
}

/// `[camera.NAME] accept`: where a source may differ from what the config says of
/// it and still hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// The size of its frames.
    Size,
    /// Their rate.
    Rate,
    /// Their encoding.
    Codec,
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

/// What shares a worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// The pipelines of one camera.
    Camera,
    /// All pipelines.
    Lane,
}

/// `run.source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileSourceMode {
    /// The transcoded clip.
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
}

/// A camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// As written.
    pub name: String,
    /// In labels, files and element names.
    pub slug: Slug,
    /// Where its frames come from.
    pub source: Source,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
    /// `targetFps`; `None` = `fps`.
    pub target_fps: Option<f64>,
    /// Names of workloads as written, each mapped. One that is named twice stands
    /// here twice.
    pub workloads: Vec<String>,
    /// `region_of_interest`; it may reach out of the frame by its far edges.
    pub region: Option<Region>,
    /// `[camera.NAME] accept`, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
    /// The camera's object in its file.
    #[serde(skip)]
    pub place: Place,
}

impl Camera {
    /// The rate that its streams should hold.
    #[must_use]
    pub fn target(&self) -> f64 {
        self.target_fps.unwrap_or(self.fps)
    }
}

/// Where a camera's frames come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A video file, fetched or generated, then transcoded to the camera's size.
    File(Clip),
    /// An RTSP stream.
    Rtsp {
        /// `rtsp://host:8554/path`, without user and password.
        uri: String,
        /// Who is let in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<Login>,
        /// What it carries.
        codec: Codec,
        /// The jitter buffer of its receiver, in milliseconds.
        latency_ms: u32,
    },
    /// A V4L2 device.
    Usb {
        /// `/dev/video0`
        device: String,
    },
    /// A scene drawn live inside the worker.
    Synthetic {
        /// The scene's name.
        scene: String,
    },
}

/// User and password of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The user.
    pub user: Credential,
    /// The password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Credential>,
}

/// A user or a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A user, as written.
    Text(String),
    /// The variable that holds it.
    Variable(String),
    /// A password, or a user without one (it may be a token), that is written out.
    Written {
        /// The variable that stands for it in launch lines: `PASSWORD_till`.
        variable: String,
        /// A digest of it, with a key of this machine: another password is another
        /// plan, and nobody who has the plan or the store can try passwords on it.
        /// `unknown` on a machine without an id.
        password_digest: String,
    },
}

impl Login {
    /// User, and password if it has one.
    pub fn parts(&self) -> impl Iterator<Item = &Credential> {
        [Some(&self.user), self.password.as_ref()].into_iter().flatten()
    }

    /// The variables that it needs of the environment.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts().filter_map(|part| match part {
            Credential::Variable(name) => Some(name.as_str()),
            Credential::Text(_) | Credential::Written { .. } => None,
        })
    }
}

/// A video file as a camera names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// `scan.mp4`: a plain file name below `media/`.
    pub file: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a clip comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Fetched over HTTP.
    Url(String),
    /// Drawn from `configs/scenes/<name>.toml`.
    Scene(String),
}

/// `region_of_interest`, in pixels: `x < x2`, `y < y2`, and `x`, `y` inside the
/// frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Region {
    pub x: u32,
    pub y: u32,
    pub x2: u32,
    pub y2: u32,
}

/// A workload: its name and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// As written in the workload file.
    pub name: String,
    /// In element names and files.
    pub slug: Slug,
    /// What is done with each frame, in order. Not empty.
    pub steps: Vec<Step>,
    /// The workload's key in its file.
    #[serde(skip)]
    pub place: Place,
}

/// The workloads of a project, which a lane of many cameras looks up by name.
#[derive(Clone, Debug, Default)]
pub struct Workloads {
    list: Vec<Workload>,
    /// By the name in lower case.
    by_name: BTreeMap<String, usize>,
}

impl Workloads {
    /// In this order; of two with one name, the first is found.
    #[must_use]
    pub fn new(list: Vec<Workload>) -> Workloads {
        let mut by_name = BTreeMap::new();
        for (n, workload) in list.iter().enumerate() {
            by_name.entry(workload.name.to_lowercase()).or_insert(n);
        }
        Workloads { list, by_name }
    }
}

impl Deref for Workloads {
    type Target = [Workload];

    fn deref(&self) -> &[Workload] {
        &self.list
    }
}

/// One step of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `gvadetect`, `zbar`, ...: upstream's words lower-cased, others as written.
    #[serde(rename = "type")]
    pub kind: String,
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Upper-cased: `FP16-INT8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Upper-cased and trimmed: `GPU.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `gvapython`'s file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// `gvapython`'s function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Frames, of `gvaclassify` objects, that are inferred together; 0 lets the
    /// element choose. Of `gvadetect` and `gvaclassify` only, and always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Every n-th frame is looked at. Of `gvadetect` only, and always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_interval: Option<u32>,
    /// The least confidence of a detection, 0 to 1. Of `gvadetect` only, and
    /// always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Properties of the element, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Scalar>,
    /// Caps that leave the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<String>,
    /// The name of a `tee`, unique in its workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The earlier `tee` at which a side branch begins with this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The elements of a `bin`: none of them is a bin or begins a branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// A script's file, inside the project; `kind` is `script`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// What the script is given, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Scalar>,
    /// The step's object in its file.
    #[serde(skip)]
    pub place: Place,
    /// The value of `type`, as written.
    #[serde(skip)]
    pub kind_place: Place,
    /// Where its other keys and their values are: `caps`, `from`, `name`, and
    /// `properties.NAME`.
    #[serde(skip)]
    pub places: BTreeMap<String, (Place, Place)>,
}

impl Step {
    /// A step of this kind, and nothing more.
    #[must_use]
    pub fn new(kind: &str, place: Place) -> Step {
        Step {
            kind: kind.to_owned(),
            model: None,
            precision: None,
            device: None,
            module: None,
            function: None,
            batch_size: None,
            inference_interval: None,
            threshold: None,
            properties: BTreeMap::new(),
            caps: None,
            name: None,
            from: None,
            steps: Vec::new(),
            script: None,
            parameters: BTreeMap::new(),
            place,
            kind_place: place,
            places: BTreeMap::new(),
        }
    }

    /// Where the value of one of its keys is, else the step itself.
    #[must_use]
    pub fn value_place(&self, key: &str) -> Place {
        self.places.get(key).map_or(self.place, |(_, value)| *value)
    }

    /// Where one of its keys is, else the step itself.
    #[must_use]
    pub fn key_place(&self, key: &str) -> Place {
        self.places.get(key).map_or(self.place, |(key, _)| *key)
    }
}

/// The steps of the main chain, which is the measured one: those before the
/// first that begins a side branch.
#[must_use]
pub fn main_chain(steps: &[Step]) -> &[Step] {
    let end = steps.iter().position(|step| step.from.is_some()).unwrap_or(steps.len());
    &steps[..end]
}

/// A plain value in a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Bool(value) => value.fmt(f),
            Scalar::Int(value) => value.fmt(f),
            Scalar::Float(value) => value.fmt(f),
            Scalar::Text(value) => value.fmt(f),
        }
    }
}

/// A scene file that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneFile {
    /// `configs/scenes/scan.toml`
    pub path: ProjectPath,
    /// What it says.
    pub scene: Scene,
    /// The whole of it.
    pub place: Place,
}

/// `[asset.NAME]`: pins and mirrors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetPin {
    /// Tried in order, before the URL that a camera names.
    pub urls: Vec<String>,
    /// 64 lowercase hex digits.
    pub sha256: Option<String>,
    /// The table in its file.
    pub place: Place,
}

/// `[[task]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct UserTask {
    /// As written.
    pub name: String,
    /// In its label.
    pub slug: Slug,
    /// Program and arguments; not empty.
    pub command: Vec<String>,
    /// Files or directories, with the place of each.
    pub inputs: Vec<(ProjectPath, Place)>,
    /// Files or directories, with the place of each.
    pub outputs: Vec<(ProjectPath, Place)>,
    /// Labels or task names that come first, with the place of each.
    pub after: Vec<(String, Place)>,
    /// Variables set for the command.
    pub env: BTreeMap<String, String>,
    /// Variables taken from the caller.
    pub pass: Vec<String>,
    /// The pool that it takes a slot of.
    pub pool: String,
    /// `None` = no limit.
    pub timeout: Option<Duration>,
    /// Attempts after the first.
    pub retries: u32,
    /// `false` = always run.
    pub cache: bool,
    /// The table in its file.
    pub place: Place,
}

impl UserTask {
    /// The places of its inputs, outputs and `after`, in this order.
    pub fn entry_places(&self) -> impl Iterator<Item = Place> {
        let paths = self.inputs.iter().chain(&self.outputs).map(|(_, place)| *place);
        paths.chain(self.after.iter().map(|(_, place)| *place))
    }
}
