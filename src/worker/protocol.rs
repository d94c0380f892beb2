//! The messages between `lp` and `lp-worker`: one JSON object a line.
//!
//! `lp` writes [`Request`]s to the worker's stdin, the worker writes [`Event`]s
//! to its stdout; stderr is free text for people. Every request is answered by
//! exactly one [`EventBody::Done`] or [`EventBody::Refused`] with its id; other
//! events come in between and carry the stream they are about. Closing stdin
//! asks the worker to finish: EOS to all streams, drain, exit.
//!
//! Times are CLOCK_MONOTONIC of the worker's machine in nanoseconds
//! (`at`), or in microseconds where a name says so. `lp` decides by these
//! times and never by its own clock.
//!
//! The wire format is documented for people in `docs/worker-protocol.md`.

mod line;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pipeline::PipelineSpec;
use crate::pipeline::codec::Codec;
use crate::pipeline::machine::{BuildFault, Factory, PropertyInfo};
pub use crate::pipeline::reception::Packets;
use crate::pipeline::usb::Format;

/// The version that both sides must have. It enters the digests of runs.
pub const VERSION: u32 = 5;

/// The name of a stream: `camera-3/1`, or `camera-3-l2/1` in the second copy of
/// the lane. Unique in a run.
pub type StreamName = String;

/// A request of `lp`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by `lp`, repeated in the answer.
    pub id: u64,
    #[serde(flatten)]
    pub body: RequestBody,
}

/// The kinds of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum RequestBody {
    /// Which version are you? Answered by [`EventBody::Hello`] before `Done`.
    Hello,
    /// Which of these factories are installed? Answered by
    /// [`EventBody::Factories`] before `Done`.
    Inspect { factories: Vec<String> },
    /// What are these factories, and what properties do they have? Answered by
    /// [`EventBody::Described`] before `Done`.
    Describe { factories: Vec<String> },
    /// Could this pipeline be built? It is, as far as its elements can be made,
    /// set and linked, and is not played: no file, device or network is touched, but that the
    /// worker's own elements ask OpenVINO for their devices, and read their model-proc files.
    /// Answered by [`EventBody::Tried`] before `Done`.
    Try {
        /// The pipeline, resolved for the worker's machine.
        spec: PipelineSpec,
    },
    /// Which pictures can this USB camera send? It is opened for that. Answered by
    /// [`EventBody::CameraFormats`] before `Done`, or `Refused` with the reason.
    Formats {
        /// `/dev/video0`
        device: String,
    },
    /// Builds and plays a pipeline. `Done` when it plays, `Refused` with the
    /// reason when it cannot; then [`EventBody::Frames`],
    /// [`EventBody::Messages`] until [`EventBody::Ended`].
    Start {
        /// The stream's name. It is measured at the spec's sink.
        stream: StreamName,
        /// The pipeline, resolved for the worker's machine.
        spec: PipelineSpec,
        /// Where a looping stream begins, in 2^-64 of its clip.
        seed: u64,
        /// More streams that this pipeline serves: it decodes once for all, and
        /// branches.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<Tap>,
        #[serde(default, skip_serializing_if = "Keep::is_nothing")]
        keep: Keep,
    },
    /// Sends EOS through a stream. `Done` at once; `Ended` follows. Others that
    /// share its pipeline go on.
    Stop { stream: StreamName },
    /// Serves clips over RTSP until it is asked to finish. Answered by [`EventBody::Serving`]
    /// before `Done`; [`EventBody::Clients`] follow.
    Serve(ServeRequest),
}

/// What a server of RTSP serves, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeRequest {
    /// The address that it binds to: `127.0.0.1`.
    pub address: String,
    /// 0 is any free port.
    pub port: u16,
    /// The user and password that it asks for; without them it asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<ServerLogin>,
    pub mounts: Vec<Mount>,
}

/// User and password of a server of RTSP.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLogin {
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for ServerLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerLogin").finish_non_exhaustive()
    }
}

/// A clip that is to be served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The path of its URL, without the first `/`: `scan-640x360-15-bench`.
    pub name: String,
    /// The file, an MP4: an absolute path.
    pub clip: String,
    /// Where in the clip its stream begins, in 2^-64 of the clip: at the last key frame before.
    pub seed: u64,
}

/// A clip that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedMount {
    /// As of [`Mount`].
    pub name: String,
    pub codec: Codec,
    /// The number of its frames.
    pub frames: u64,
}

/// What is kept of what the models of a pipeline find, besides counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The boxes of each detector, on one frame of each position of the clip:
    /// [`Regions::frames`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub boxes: bool,
    /// A picture of each stream, if its frames get regions: [`EventBody::Snapshot`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
    /// The time of each frame in each element: [`EventBody::Stages`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stages: bool,
}

impl Keep {
    fn is_nothing(&self) -> bool {
        *self == Keep::default()
    }
}

/// A stream of a pipeline that serves several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tap {
    pub stream: StreamName,
    /// The element of the spec at which its frames have arrived.
    pub sink: usize,
}

/// An event of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds of the worker's CLOCK_MONOTONIC.
    pub at: u64,
    #[serde(flatten)]
    pub body: EventBody,
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventBody {
    /// The request was carried out.
    Done { id: u64 },
    /// The request could not be carried out.
    Refused {
        id: u64,
        /// Why, for people: the element's own message where there is one.
        reason: String,
    },
    /// The answer to [`RequestBody::Hello`].
    Hello {
        /// [`VERSION`] of the worker.
        protocol: u32,
        /// GStreamer's version: `1.22.0`.
        gstreamer: String,
        /// The worker's process id, in its own namespace.
        pid: u32,
        /// Whether it can serve.
        #[serde(default)]
        serves: bool,
        /// Whether it can report [`EventBody::Stages`].
        #[serde(default)]
        stages: bool,
    },
    /// The answer to [`RequestBody::Inspect`].
    Factories {
        /// `None` for those that are not installed.
        factories: BTreeMap<String, Option<Factory>>,
    },
    /// The answer to [`RequestBody::Describe`].
    Described {
        /// `None` for those that are not installed.
        factories: BTreeMap<String, Option<Factory>>,
        /// Properties of those that are, by factory and name.
        properties: BTreeMap<String, BTreeMap<String, PropertyInfo>>,
        /// Every factory of the registry, if one of those asked for is not
        /// installed; else empty.
        names: Vec<String>,
    },
    /// The answer to [`RequestBody::Try`].
    Tried {
        /// Why it cannot be built; `None` if it can.
        fault: Option<BuildFault>,
    },
    /// The answer to [`RequestBody::Formats`].
    CameraFormats {
        /// In the driver's order.
        formats: Vec<Format>,
    },
    /// The answer to [`RequestBody::Serve`]: it serves from now on.
    Serving {
        /// The port that it listens at.
        port: u16,
        /// In the order of the request.
        mounts: Vec<ServedMount>,
    },
    /// A client of the server has come or gone, or a pipeline for them.
    Clients {
        /// Connections.
        clients: u32,
        /// Pipelines: at most one for each mount.
        pipelines: u32,
    },
    /// Frames of a stream since its last event of this kind. Sent once a second
    /// for every stream that plays, also when there were none, and once more
    /// before `Ended`.
    Frames {
        stream: StreamName,
        /// When each whole frame arrived at the sink, in microseconds of CLOCK_MONOTONIC.
        arrived_us: Vec<u64>,
        /// The latency of each of those frames in microseconds, as
        /// `docs/measuring.md` defines it; empty when the pipeline has no ingress,
        /// else as long as `arrived_us` with `None` for a frame that could not be
        /// matched.
        latency_us: Vec<Option<u32>>,
        /// How much later than due each of those frames arrived, in microseconds;
        /// empty when nothing paces frames, `None` for a frame without a time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        late_us: Vec<Option<i64>>,
        /// Whole frames that the decoder was done with since the stream started: those
        /// that left it and those that its QoS dropped. 0 without a decoder.
        decoded: u64,
        /// Whole frames that arrived at the sink since the stream started.
        played: u64,
        /// Frames dropped since the stream started: by leaky queues and by QoS from
        /// the decoder up to the sink. Never falls.
        dropped: u64,
        /// Frames that steps have taken out since the stream started. Never falls;
        /// after EOS, decoded = played + dropped + taken_out.
        #[serde(default)]
        taken_out: u64,
        /// When frames left the decoder, by their fate.
        #[serde(default)]
        fates: Box<Fates>,
        /// Frames that the source delivered.
        #[serde(default)]
        delivered: Box<SourceFrames>,
        /// The fill of each queue, in buffers, by element name.
        queues: BTreeMap<String, u32>,
        /// The place in the clip, and regions on frames.
        #[serde(default, skip_serializing_if = "is_empty")]
        sights: Box<Sights>,
    },
    /// Messages of elements since the last event of this kind. Follows
    /// [`EventBody::Frames`] if there are any.
    Messages {
        stream: StreamName,
        /// In the order in which they were posted.
        messages: Vec<ElementMessage>,
    },
    /// The stages of whole frames that arrived since the last event of this kind, if
    /// [`Keep::stages`] asks for them. Follows [`EventBody::Frames`] if there are any.
    Stages {
        stream: StreamName,
        /// The elements between ingress and sink, in their order.
        elements: Vec<StageElement>,
        /// Of each frame, in the order of their arrival: when it left the ingress, in microseconds of
        /// CLOCK_MONOTONIC, and for so many microseconds it was in each of the elements, the wait for
        /// the next one included. Their sum is its latency.
        frames: Vec<Vec<u64>>,
    },
    /// A frame of a stream with what was found on it, once, before [`EventBody::Ended`].
    Snapshot { stream: StreamName, snapshot: Box<Snapshot> },
    /// A stream is over.
    Ended { stream: StreamName, end: End },
    /// The worker's own use of the machine, once a second.
    Process {
        /// User and system CPU time since the worker started, in microseconds.
        cpu_us: u64,
        /// Resident memory in bytes.
        rss: u64,
        /// Files that it has open; `None` if it does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<u32>,
    },
    /// More about the worker, which costs more to find out: in the first second in which a
    /// stream plays, every 10 s from then on, and when it is asked to finish.
    Details {
        /// Memory in bytes of which shared pages count in part (PSS): the first and the last
        /// time only, as the kernel needs milliseconds for it. `None` if it does not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pss: Option<u64>,
        /// The threads that live, by their names without numbers: `queue:src`.
        threads: BTreeMap<String, ThreadGroup>,
    },
}

/// Threads of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadGroup {
    /// How many there are.
    pub n: u32,
    /// CPU time that they have used, in microseconds.
    pub cpu_us: u64,
}

impl EventBody {
    /// The name of the stream that it is about, if it is about one.
    #[must_use]
    pub fn stream(&self) -> Option<&str> {
        match self {
            EventBody::Frames { stream, .. }
            | EventBody::Messages { stream, .. }
            | EventBody::Stages { stream, .. }
            | EventBody::Snapshot { stream, .. }
            | EventBody::Ended { stream, .. } => Some(stream),
            _ => None,
        }
    }
}

/// An element in which frames spend time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageElement {
    /// `gate_1_queue`
    pub name: String,
    /// `queue`
    pub factory: String,
}

/// A message of an element about a sighting: `motion`, `barcode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementMessage {
    /// When it was posted, in microseconds of CLOCK_MONOTONIC.
    pub at_us: u64,
    /// The name of the element that posted it.
    pub element: String,
    /// The factory of that element: `zbar`.
    pub factory: String,
    /// The name of the message's structure: `barcode`.
    pub message: String,
    /// The stream time that the message is about, in nanoseconds: a position in the
    /// clip. `None` if the message has none.
    pub stream_time: Option<u64>,
    /// All fields of the structure: text as it is, the rest as GStreamer writes it.
    pub fields: BTreeMap<String, String>,
}

/// When frames left the decoder, in microseconds of CLOCK_MONOTONIC: those of
/// which it became known since the last event. A frame that the decoder itself
/// dropped has the time of that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fates {
    /// All whole frames, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decoded_us: Vec<u64>,
    /// Those of them that leaky queues or QoS dropped.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped_us: TimesByPlace,
    /// Those of them that neither arrived nor were dropped, when a later one has
    /// arrived: steps took them out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub taken_out_us: TimesByPlace,
    /// Frames that the decoder flagged as corrupted, and those of RTP that did not reach it as they
    /// lack packets or came before a key frame; these are in no other list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub damaged_us: Vec<u64>,
    /// Arrivals of copies, which `videorate` flags; these are in no other list.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub copied_us: TimesByPlace,
}

/// Times of frames in microseconds of CLOCK_MONOTONIC, by the place where something
/// happened to them: the name of a queue, `qos:` and the name of an element that skipped
/// them, the name of the step that took them out or copied them. [`STEPS`] where it is
/// not known which step that was.
pub type TimesByPlace = BTreeMap<String, Vec<u64>>;

/// The place of frames that one of several steps took out or copied.
pub const STEPS: &str = "steps";

/// The delivery of the source since the last event.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourceFrames {
    /// When each frame was delivered, in microseconds of CLOCK_MONOTONIC, ascending;
    /// `None` if that cannot be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames_us: Option<Vec<u64>>,
    /// When those of them were delivered that the `videorate` after the source dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thinned_us: Vec<u64>,
    /// When frames came of which packets had not come when later ones did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete_us: Vec<u64>,
    /// The most frames from one key frame to the next since the stream started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_frame_every: Option<u64>,
    /// By how many millionths the clock of an RTSP camera is faster than the worker's (negative:
    /// slower), which lateness leaves out; `None` while that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// How packets come: `tcp` or `udp`; `None` until one has come, and of other sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// Packets since the stream started; `None` of sources without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packets: Option<Packets>,
    /// Losses of the connection: each once when it was lost, and once more when it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// The format in the caps from now on, if it changed: at most [`MAX_FORMATS`] of a stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub video: Vec<VideoFormat>,
}

/// A time without a connection to the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When the last packet of the connection came, in microseconds of CLOCK_MONOTONIC.
    pub lost_us: u64,
    /// When the first packet came by the next one; `None` if none came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_us: Option<u64>,
    /// How often it was tried to connect.
    pub attempts: u32,
    /// Why it was lost.
    pub reason: String,
}

/// The place of a stream in its clip, and what detectors that post no messages saw since the
/// last event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sights {
    /// The first frame that arrived since the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// One for each detector whose frames have regions of interest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<Regions>,
}

/// The place of a frame in its clip, or in a drawn scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// When the frame arrived at the sink, in microseconds of CLOCK_MONOTONIC.
    pub at_us: u64,
    /// Its position in nanoseconds.
    pub clip_ns: u64,
    /// The length of the clip in nanoseconds; `None` until its end was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_ns: Option<u64>,
}

/// What a detector found on frames: regions of interest, and a classifier attributes of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regions {
    /// The name of the detector.
    pub element: String,
    /// When each frame on which it found something left it, in microseconds of CLOCK_MONOTONIC.
    pub at_us: Vec<u64>,
    /// The position in the clip of each of them, in nanoseconds; empty if a frame has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clip_ns: Vec<u64>,
    /// How often it found each label on each of them; of a classifier, each attribute.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, Vec<u32>>,
    /// When each frame left it that it looked at, whether it found something or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inferred_us: Vec<u64>,
    /// Frames that it looked at, with their boxes: the first one of each position of the
    /// clip, if [`Keep::boxes`] asks for them. At most [`MAX_FRAMES`] frames and [`MAX_BOXES`]
    /// boxes over the life of a stream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<FrameBoxes>,
}

/// The most frames whose boxes are reported of a detector: a minute at 30 frames a second.
pub const MAX_FRAMES: usize = 1_800;

/// The most boxes that are reported of a detector.
pub const MAX_BOXES: usize = 20_000;

/// The boxes that a detector found on a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameBoxes {
    /// The position of the frame in the clip, in milliseconds, rounded.
    pub clip_ms: u64,
    pub boxes: Vec<FoundBox>,
}

/// A box, in the form `["face", [2500, 1250, 5000, 3750], 940]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundBox(
    /// Its label.
    pub String,
    /// Left, top, width and height in parts of the frame, in ten-thousandths.
    pub [u16; 4],
    /// Its score in thousandths; 1000 if it has none.
    pub u16,
);

/// The most bytes of a picture.
pub const MAX_SNAPSHOT: usize = 60_000;

/// A frame of a stream, with boxes and labels drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// A JPEG of at most [`MAX_SNAPSHOT`] bytes, in base64.
    pub jpeg: String,
    /// Pixels of the picture.
    pub width: u32,
    /// Pixels of the picture.
    pub height: u32,
    /// The position of the frame in the clip, in nanoseconds; `None` if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_ns: Option<u64>,
    /// What is written at each box: `face 94 %, female, 31`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
}

fn is_empty(sights: &Sights) -> bool {
    sights.place.is_none() && sights.regions.is_empty()
}

/// The most changes of caps that are reported of a stream.
pub const MAX_FORMATS: usize = 16;

/// A stream's video as its caps describe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoFormat {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second as announced; `None` if variable or not announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// The encoding as RTP names it (`H264`, `H265`, `JPEG`); `None` for files and raw video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
}

/// How a stream ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum End {
    /// The source was exhausted, or the stream was asked to stop: all frames
    /// have arrived at the sink.
    Eos,
    /// An element posted an error.
    Error {
        /// The name of that element.
        element: String,
        reason: String,
        /// Its debug text, for the log.
        debug: String,
    },
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn requests_and_events_are_flat_objects() {
        let request = Request { id: 3, body: RequestBody::Stop { stream: "camera-3/1".into() } };
        expect![[r#"{"id":3,"request":"stop","stream":"camera-3/1"}"#]]
            .assert_eq(&serde_json::to_string(&request).unwrap());

        let ended = EventBody::Ended { stream: "camera-3/1".into(), end: End::Eos };
        let event = Event { at: 7, body: ended };
        let text = serde_json::to_string(&event).unwrap();
        expect![[r#"{"at":7,"event":"ended","stream":"camera-3/1","end":{"end":"eos"}}"#]].assert_eq(&text);
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }

    #[test]
    fn a_request_to_serve_is_flat_and_shows_no_password() {
        let login = ServerLogin { user: "till".into(), password: "geheim".into() };
        let mount = Mount { name: "scan-640x360-15-bench".into(), clip: "/p/scan.mp4".into(), seed: 7 };
        let serve = ServeRequest { address: "::1".into(), port: 0, login: Some(login), mounts: vec![mount] };
        let request = Request { id: 3, body: RequestBody::Serve(serve) };
        let text = serde_json::to_string(&request).unwrap();
        expect![[r#"{"id":3,"request":"serve","address":"::1","port":0,"login":{"user":"till","password":"geheim"},"mounts":[{"name":"scan-640x360-15-bench","clip":"/p/scan.mp4","seed":7}]}"#]].assert_eq(&text);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
        assert!(!format!("{request:?}").contains("geheim"));
    }
}
