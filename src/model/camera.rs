//! Cameras and where their frames come from.

use serde::{Deserialize, Serialize};

use super::package::PackageSource;
use crate::diag::Place;
use crate::name::Slug;
use crate::path::ProjectPath;
pub use crate::pipeline::codec::Codec;
pub use crate::pipeline::reconnect::Reconnect;

/// `[camera.NAME] accept`: in which of these a source may differ from the config and
/// still hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// The size of its frames.
    Size,
    Rate,
    Codec,
}

/// `[camera.NAME] expect`: what the camera's detectors should see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The scene is empty.
    Nothing,
}

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
    /// Names of workloads as written, each mapped. One that is named twice is
    /// here twice.
    pub workloads: Vec<String>,
    /// `region_of_interest`; it may reach out of the frame by its far edges.
    pub region: Option<Region>,
    /// `[camera.NAME] accept`, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
    /// `[camera.NAME] expect`. Not part of a plan, which is the same with and without it.
    #[serde(skip)]
    pub expect: Option<Expect>,
    /// `[clip]` and `[camera.NAME.clip]`
    #[serde(default, skip_serializing_if = "ClipOptions::is_default")]
    pub clip: ClipOptions,
    /// The clip that `lp` serves as its stream. Not part of a plan, which has the stream.
    #[serde(skip)]
    pub served: Option<Served>,
    /// The camera's object in its file.
    #[serde(skip)]
    pub place: Place,
}

/// A clip that `lp` serves as a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Served {
    pub clip: Clip,
    /// How it is encoded: its codec is given.
    pub options: ClipOptions,
    /// The path of the stream, without its first `/`: `scan-640x360-15-bench`.
    pub mount: String,
}

/// How the clip of a camera is encoded. With no option, a clip that fits the camera is
/// played as it is, and another one is encoded in its own codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipOptions {
    /// `None` is the codec of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
    /// Bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<u64>,
    /// Frames from one key frame to the next, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gop: Option<u32>,
    /// B-frames between two others, at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub b_frames: Option<u32>,
    /// What becomes of a picture of other proportions.
    #[serde(default, skip_serializing_if = "Shape::is_letterbox")]
    pub shape: Shape,
    /// `None` is a software encoder of the codec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Encoder>,
}

/// How a picture gets the proportions of a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Bars fill the rest.
    #[default]
    Letterbox,
    /// It fills the frame, and objects change their shape.
    Stretch,
    /// What does not fit is cut off on both sides.
    Crop,
}

impl Shape {
    /// As it is written in files: `letterbox`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Shape::Letterbox => "letterbox",
            Shape::Stretch => "stretch",
            Shape::Crop => "crop",
        }
    }

    fn is_letterbox(&self) -> bool {
        *self == Shape::Letterbox
    }
}

/// An encoder that a user names, by its factory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoder {
    #[serde(rename = "x264enc")]
    X264,
    #[serde(rename = "openh264enc")]
    OpenH264,
    #[serde(rename = "vah264enc")]
    VaH264,
    #[serde(rename = "nvh264enc")]
    NvH264,
    #[serde(rename = "x265enc")]
    X265,
    #[serde(rename = "vah265enc")]
    VaH265,
    #[serde(rename = "nvh265enc")]
    NvH265,
}

impl Encoder {
    /// `x264enc`
    #[must_use]
    pub fn factory(self) -> &'static str {
        match self {
            Encoder::X264 => "x264enc",
            Encoder::OpenH264 => "openh264enc",
            Encoder::VaH264 => "vah264enc",
            Encoder::NvH264 => "nvh264enc",
            Encoder::X265 => "x265enc",
            Encoder::VaH265 => "vah265enc",
            Encoder::NvH265 => "nvh265enc",
        }
    }

    #[must_use]
    pub fn codec(self) -> Codec {
        match self {
            Encoder::X264 | Encoder::OpenH264 | Encoder::VaH264 | Encoder::NvH264 => Codec::H264,
            Encoder::X265 | Encoder::VaH265 | Encoder::NvH265 => Codec::H265,
        }
    }

    /// Whether it is part of a graphics processor. `lp` was tried with none of these.
    #[must_use]
    pub fn is_hardware(self) -> bool {
        matches!(self, Encoder::VaH264 | Encoder::VaH265 | Encoder::NvH264 | Encoder::NvH265)
    }
}

impl ClipOptions {
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == ClipOptions::default()
    }

    /// These, and where one is not given, that of `others`.
    #[must_use]
    pub fn or(self, others: ClipOptions) -> ClipOptions {
        ClipOptions {
            codec: self.codec.or(others.codec),
            bitrate: self.bitrate.or(others.bitrate),
            gop: self.gop.or(others.gop),
            b_frames: self.b_frames.or(others.b_frames),
            shape: if self.shape == Shape::default() { others.shape } else { self.shape },
            encoder: self.encoder.or(others.encoder),
        }
    }

    /// In the name of a clip's file, for a clip that is like no other: `-h265-8000000-g30-b2`.
    #[must_use]
    pub fn suffix(&self) -> String {
        let codec = self.codec.map(|codec| format!("-{}", codec.word()));
        let bitrate = self.bitrate.map(|bitrate| format!("-{}", bitrate_word(bitrate)));
        let gop = self.gop.map(|gop| format!("-g{gop}"));
        let b_frames = self.b_frames.map(|n| format!("-b{n}"));
        let shape = (self.shape != Shape::default()).then(|| format!("-{}", self.shape.word()));
        let encoder = self.encoder.map(|encoder| format!("-{}", encoder.factory()));
        [codec, bitrate, gop, b_frames, shape, encoder].into_iter().flatten().collect()
    }
}

/// `8M`, `500k` or `1234567`.
fn bitrate_word(bitrate: u64) -> String {
    match bitrate {
        _ if bitrate.is_multiple_of(1_000_000) => format!("{}M", bitrate / 1_000_000),
        _ if bitrate.is_multiple_of(1_000) => format!("{}k", bitrate / 1_000),
        _ => bitrate.to_string(),
    }
}

impl Camera {
    /// The rate that its streams should hold.
    #[must_use]
    pub fn target(&self) -> f64 {
        self.target_fps.unwrap_or(self.fps)
    }

    /// The clip that it plays, or that `lp` serves as its stream.
    #[must_use]
    pub fn video(&self) -> Option<&Clip> {
        match &self.source {
            Source::File(clip) => Some(clip),
            _ => self.served.as_ref().map(|served| &served.clip),
        }
    }

    /// As [`Camera::video`].
    pub fn video_mut(&mut self) -> Option<&mut Clip> {
        match &mut self.source {
            Source::File(clip) => Some(clip),
            _ => self.served.as_mut().map(|served| &mut served.clip),
        }
    }
}

/// Where a camera's frames come from. The config names a clip and a scene; a plan
/// has the file of the transcoded clip and the whole scene in their place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source<C = Clip, S = String> {
    /// A video file, fetched or generated, then transcoded to the camera's size.
    File(C),
    Rtsp(RtspStream),
    /// A V4L2 device.
    Usb {
        /// `/dev/video0`
        device: String,
    },
    /// A scene drawn live inside the worker.
    Synthetic {
        /// The scene, or its name.
        scene: S,
    },
}

impl<C, S> Source<C, S> {
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        match self {
            Source::File(_) => SourceKind::File,
            Source::Rtsp(_) => SourceKind::Rtsp,
            Source::Usb { .. } => SourceKind::Usb,
            Source::Synthetic { .. } => SourceKind::Synthetic,
        }
    }

    /// The stream of an RTSP camera.
    #[must_use]
    pub fn stream(&self) -> Option<&RtspStream> {
        if let Source::Rtsp(stream) = self { Some(stream) } else { None }
    }
}

/// The kinds of [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    File,
    Rtsp,
    Usb,
    Synthetic,
}

impl SourceKind {
    /// `file`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            SourceKind::File => "file",
            SourceKind::Rtsp => "rtsp",
            SourceKind::Usb => "usb",
            SourceKind::Synthetic => "synthetic",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RtspStream {
    /// `rtsp://host:8554/path`, without user and password.
    pub uri: String,
    /// Its user and password, if it asks for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    pub codec: Codec,
    /// The jitter buffer of its receiver, in milliseconds.
    pub latency_ms: u32,
    #[serde(default, skip_serializing_if = "Transport::is_default")]
    pub transport: Transport,
    /// When it is connected again after its connection was lost; `None`: never, it fails then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect: Option<Reconnect>,
    /// Which certificates of its server are accepted, if its URI is one of `rtsps`.
    #[serde(default, skip_serializing_if = "Certificate::is_default")]
    pub certificate: Certificate,
}

/// Which certificates of servers in TLS are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// Those of an authority that the machine trusts, for the host of the URI.
    #[default]
    Trusted,
    /// Every one: the connection is encrypted, but nobody knows who is at its other end.
    Any,
}

impl Certificate {
    /// The flags of `tls-validation-flags` of `rtspsrc`.
    #[must_use]
    pub fn validation_flags(self) -> &'static str {
        match self {
            Certificate::Trusted => "validate-all",
            Certificate::Any => "no-flags",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Certificate::default()
    }
}

/// How the packets of an RTSP stream come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// In the connection of its requests.
    #[default]
    Tcp,
    Udp,
    /// UDP, and TCP if the server refuses that, or nothing comes by it for 5 s.
    Auto,
}

impl Transport {
    /// `tcp`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Auto => "auto",
        }
    }

    /// The flags of `protocols` of `rtspsrc`.
    #[must_use]
    pub fn protocols(self) -> &'static str {
        match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Auto => "udp+tcp",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Transport::default()
    }
}

/// User and password of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub user: Credential,
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
        /// The variable in its place in launch lines: `PASSWORD_till`.
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

/// A video file that a camera names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// `scan.mp4`: a plain file name, by which labels and files call it.
    pub file: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The string that says so, in its file.
    #[serde(skip)]
    pub place: Place,
}

impl Clip {
    /// The file before it is transcoded: `media/scan.mp4`, or the user's own.
    ///
    /// # Panics
    /// Never for a clip of a project: its name is one plain component.
    #[must_use]
    pub fn original(&self) -> ProjectPath {
        match &self.origin {
            Origin::File(path) => path.clone(),
            Origin::Url(_) | Origin::Package(_) | Origin::Scene(_) => {
                ProjectPath::new(&format!("media/{}", self.file))
                    .expect("a clip's file name is one plain component")
            }
        }
    }
}

/// Where a clip comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Url(String),
    /// A file of a package.
    Package(PackageSource),
    /// Drawn from `configs/scenes/<name>.toml`.
    Scene(String),
    /// A file of the user's: only read. Its path in the project, or
    /// [`ProjectPath::own`].
    File(ProjectPath),
}

/// `region_of_interest`, in pixels: `x < x2`, `y < y2`, and `x`, `y` inside the
/// frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    pub x: u32,
    pub y: u32,
    pub x2: u32,
    pub y2: u32,
}
