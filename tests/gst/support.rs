//! A worker under test, and clips that `ffmpeg` makes for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crossbeam_channel::Receiver;
use lp::model::WorkerCommand;
use lp::pipeline::{Element, PipelineSpec, Playback, Value};
use lp::worker::client::{Worker, WorkerMessage};
use lp::worker::error::WorkerExit;
use lp::worker::launch::{Launch, Reach};
use lp::worker::protocol::{End, Event, EventBody, Fates, SourceFrames, TimesByPlace};

/// Longer than anything here takes, on the busiest machine.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Bench {
    pub(crate) worker: Option<Worker>,
    messages: Receiver<(usize, WorkerMessage)>,
    dir: tempfile::TempDir,
}

/// A stream's frames, added up.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    pub(crate) arrived_us: Vec<u64>,
    pub(crate) latency_us: Vec<Option<u32>>,
    pub(crate) late_us: Vec<Option<i64>>,
    pub(crate) decoded: u64,
    pub(crate) played: u64,
    pub(crate) dropped: u64,
    pub(crate) taken_out: u64,
    pub(crate) fates: Fates,
    pub(crate) delivered: SourceFrames,
}

impl Frames {
    pub(crate) fn add(&mut self, body: EventBody) {
        let EventBody::Frames { arrived_us, latency_us, late_us, .. } = &body else { return };
        self.arrived_us.extend(arrived_us);
        self.latency_us.extend(latency_us);
        self.late_us.extend(late_us);
        if let EventBody::Frames { decoded, played, dropped, taken_out, fates, delivered, .. } = body {
            assert!(self.dropped <= dropped, "dropped fell from {} to {dropped}", self.dropped);
            assert!(self.taken_out <= taken_out, "taken out fell from {} to {taken_out}", self.taken_out);
            let accounted = played + dropped + taken_out;
            assert!(accounted <= decoded || decoded == 0, "{accounted} of {decoded}");
            (self.decoded, self.played, self.dropped, self.taken_out) = (decoded, played, dropped, taken_out);
            self.fates.decoded_us.extend(fates.decoded_us);
            extend(&mut self.fates.dropped_us, fates.dropped_us);
            extend(&mut self.fates.taken_out_us, fates.taken_out_us);
            self.fates.damaged_us.extend(fates.damaged_us);
            extend(&mut self.fates.copied_us, fates.copied_us);
            if let Some(frames_us) = delivered.frames_us {
                self.delivered.frames_us.get_or_insert_default().extend(frames_us);
            }
            self.delivered.thinned_us.extend(delivered.thinned_us);
            self.delivered.incomplete_us.extend(delivered.incomplete_us);
            self.delivered.key_frame_every = delivered.key_frame_every;
            self.delivered.drift_ppm = delivered.drift_ppm;
            self.delivered.transport = delivered.transport;
            self.delivered.packets = delivered.packets;
            self.delivered.outages.extend(delivered.outages);
            self.delivered.video.extend(delivered.video);
        }
    }

    /// How many frames the source delivered; panics if they were not counted.
    pub(crate) fn n_delivered(&self) -> usize {
        self.delivered.frames_us.as_ref().unwrap().len()
    }
}

fn extend(to: &mut TimesByPlace, from: TimesByPlace) {
    from.into_iter().for_each(|(place, times)| to.entry(place).or_default().extend(times));
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(&[])
    }

    /// With a worker that has these variables: `NAME=VALUE`.
    pub(crate) fn with(variables: &[&str]) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let (sender, messages) = crossbeam_channel::unbounded();
        let words = [&["env"], variables, &[env!("CARGO_BIN_EXE_lp-worker")]].concat();
        let words = words.into_iter().map(str::to_owned).collect();
        let command = WorkerCommand { words, container: None };
        let launch = Launch::find(None, Some(&command), dir.path()).unwrap();
        let log = dir.path().join("stderr");
        let worker = Worker::start(&launch, &Reach::default(), &log, 0, sender).unwrap();
        Bench { worker: Some(worker), messages, dir }
    }

    pub(crate) fn worker(&mut self) -> &mut Worker {
        self.worker.as_mut().unwrap()
    }

    /// A file of the test.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a clip of `n_frames` at `fps`, without B-frames.
    pub(crate) fn clip(&self, n_frames: u32, fps: u32) -> PathBuf {
        let path = self.dir.path().join(format!("clip-{n_frames}-{fps}.mp4"));
        let source = format!("testsrc2=size=160x120:rate={fps}");
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", &n_frames.to_string()])
            .args(["-c:v", "libx264", "-bf", "0", "-threads", "1", "-pix_fmt", "yuv420p"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
        path
    }

    /// Makes a clip with an encoder and its options, as `ffmpeg` takes them.
    pub(crate) fn encoded(&self, n_frames: u32, fps: u32, encoder: &str) -> PathBuf {
        let path = self.dir.path().join("encoded.mp4");
        let source = format!("testsrc2=size=160x120:rate={fps}");
        let status = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-f", "lavfi", "-i", &source, "-frames:v", &n_frames.to_string()])
            .args(["-pix_fmt", "yuv420p", "-c:v"])
            .args(encoder.split_whitespace())
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success(), "{encoder}");
        path
    }

    /// Frames of a clip, as `ffprobe` decodes them.
    pub(crate) fn count(clip: &Path) -> u64 {
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames"])
            .args(["-of", "default=noprint_wrappers=1:nokey=1"])
            .arg(clip)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// Starts a stream and waits for the answer: the reason if it is refused.
    pub(crate) fn start(&mut self, stream: &str, spec: PipelineSpec, seed: u64) -> Result<(), String> {
        let asked = self.worker().start_stream(stream.into(), spec, seed).unwrap();
        loop {
            match self.event().body {
                EventBody::Done { id } if id == asked => return Ok(()),
                EventBody::Refused { id, reason } if id == asked => return Err(reason),
                EventBody::Process { .. } => {}
                other => panic!("expected the answer to {asked}, found {other:?}"),
            }
        }
    }

    pub(crate) fn message(&mut self) -> WorkerMessage {
        self.messages.recv_timeout(LIMIT).unwrap().1
    }

    pub(crate) fn event(&mut self) -> Event {
        match self.message() {
            WorkerMessage::Event(event) => event,
            other => panic!("expected an event, found {other:?}"),
        }
    }

    /// Everything that the only stream says, until `enough` or its end.
    pub(crate) fn frames(&mut self, enough: impl Fn(&Frames) -> bool) -> (Frames, Option<End>) {
        let mut frames = Frames::default();
        loop {
            match self.event().body {
                EventBody::Ended { end, .. } => return (frames, Some(end)),
                body => frames.add(body),
            }
            if enough(&frames) {
                return (frames, None);
            }
        }
    }

    /// Closes its stdin, and gives what it says from then on, and its end.
    pub(crate) fn finish(&mut self) -> (Vec<EventBody>, WorkerExit) {
        self.worker.take().unwrap().finish();
        self.rest()
    }

    pub(crate) fn rest(&mut self) -> (Vec<EventBody>, WorkerExit) {
        let mut bodies = Vec::new();
        loop {
            match self.message() {
                WorkerMessage::Event(event) => bodies.push(event.body),
                WorkerMessage::Exited(exit) => return (bodies, exit),
                WorkerMessage::Malformed(text) => panic!("{text}"),
            }
        }
    }
}

/// `filesrc ! qtdemux ! h264parse` and then `rest`, measured at the element
/// called `decoder`, from the one called `ingress`.
pub(crate) fn file(clip: &Path, rest: Vec<Element>, playback: Playback) -> PipelineSpec {
    let source = Element::new("filesrc").set("location", Value::Text(clip.to_str().unwrap().to_owned()));
    let head = [source, Element::new("qtdemux"), Element::new("h264parse")];
    spec(head.into_iter().chain(rest).collect(), playback)
}

pub(crate) fn spec(elements: Vec<Element>, playback: Playback) -> PipelineSpec {
    let index = |name: &str| elements.iter().position(|element| element.name.as_deref() == Some(name));
    let (ingress, decoder, sink) = (index("ingress"), index("decoder"), elements.len() - 1);
    // As of the dialects' pipelines: a source of its own name, else `clocksync` or the parser.
    let delivery = index("source").or(decoder.and_then(|decoder| decoder.checked_sub(1)));
    PipelineSpec { delivery, ingress, decoder, sink, elements, playback, size: None, reconnect: None }
}

pub(crate) fn decoder() -> Element {
    Element::new("avdec_h264").int("max-threads", 1).named("decoder")
}

pub(crate) fn sink() -> Element {
    Element::new("fakesink").bool("sync", false)
}
