//! Sessions without a process, for the tests of this room.

use std::path::Path;

use crossbeam_channel::{Receiver, Sender, never, unbounded};

use super::listen::{Observation, Player, Session, Watch};
use super::load::Load;
use super::{Redaction, ScriptLoad};
use crate::os::process::{Cancel, Exit};
use crate::pipeline::PipelineSpec;
use crate::record::RunRecord;
use crate::record::build::{MemberSetup, Setup};
use crate::record::{Pace, fixture};
use crate::worker::client::WorkerMessage;
use crate::worker::error::{WorkerError, WorkerExit};
use crate::worker::launch::Reach;
use crate::worker::protocol::{Keep, StreamName, Tap};

/// A worker that records its orders.
pub(super) struct Fake {
    index: usize,
    told: Option<Sender<String>>,
    n_requests: u64,
}

impl Fake {
    /// A worker that does not read.
    pub(super) fn deaf() -> Fake {
        Fake { index: 0, told: None, n_requests: 0 }
    }

    fn hear(&mut self, order: &str) -> Result<u64, WorkerError> {
        let deaf = || WorkerError::Send(std::io::ErrorKind::BrokenPipe.into());
        let told = self.told.as_ref().ok_or_else(deaf)?;
        // A test may ignore the orders.
        let _ = told.send(format!("{} {order}", self.index));
        self.n_requests += 1;
        Ok(self.n_requests)
    }
}

impl Player for Fake {
    fn start(
        &mut self,
        stream: StreamName,
        _: PipelineSpec,
        seed: u64,
        also: Vec<Tap>,
        _: Keep,
    ) -> Result<u64, WorkerError> {
        let also = also.iter().map(|tap| format!(" also {}@{}", tap.stream, tap.sink)).collect::<String>();
        self.hear(&format!("start {stream}{also} at {seed:x}"))
    }

    fn pid(&self) -> u32 {
        0
    }

    fn stop(&mut self, stream: &str) -> Result<u64, WorkerError> {
        self.hear(&format!("stop {stream}"))
    }

    fn finish(mut self) {
        let _ = self.hear("finish");
    }

    fn kill(mut self) {
        let _ = self.hear("kill");
    }
}

/// 5 s after 2 s of warm-up.
pub(super) fn setup(workers: &[&str], members: &[MemberSetup]) -> Setup {
    fixture::setup(Pace::Live, 5, 2, workers, members.to_vec())
}

/// A camera of 15 fps with so many streams in one worker.
pub(super) fn camera(slug: &str, worker: usize, streams: usize) -> MemberSetup {
    let scan: &[&str] = &["scan"];
    fixture::member(slug, slug, 15.0, &vec![(scan, worker); streams])
}

/// A camera of 15 fps with so many scripts.
pub(super) fn scripted(slug: &str, scripts: usize) -> MemberSetup {
    fixture::scripted(slug, 15.0, &["a", "b", "c"][..scripts])
}

/// A session with fake workers, and their orders.
pub(super) fn session(setup: &Setup) -> (Session<'static, Fake>, Receiver<String>) {
    session_seen_by(setup, &|_: Observation<'_>| {})
}

pub(super) fn session_seen_by<'a>(
    setup: &Setup,
    watch: &'a Watch<'a>,
) -> (Session<'a, Fake>, Receiver<String>) {
    static NONE: std::sync::LazyLock<Redaction> = std::sync::LazyLock::new(Redaction::default);
    let (sender, told) = unbounded();
    let fake = |index| Some(Fake { index, told: Some(sender.clone()), n_requests: 0 });
    (Session::new(setup.clone(), &NONE, watch, (0..setup.workers.len()).map(fake).collect()), told)
}

/// An event at the end of a second in which one frame came.
pub(super) fn frames(second: u64, stream: &str) -> String {
    let (at, arrived_us) = (second * 1_000_000_000, second * 1_000_000 - 1);
    format!(
        r#"{{"at":{at},"event":"frames","stream":"{stream}","arrived_us":[{arrived_us}],"latency_us":[],
            "decoded":{second},"played":{second},"dropped":0,"queues":{{}}}}"#
    )
}

/// The last message of a worker that ended well.
pub(super) fn exit() -> WorkerMessage {
    let stderr_tail = String::new();
    WorkerMessage::Exited(WorkerExit { exit: Exit::Code(0), last_event: None, stderr_tail })
}

/// Passes these lines of its workers to a session, then the end of all workers.
pub(super) fn hear(mut session: Session<'_, Fake>, lines: &[(usize, &str)]) -> RunRecord {
    let (sender, messages) = unbounded();
    for (worker, line) in lines {
        let event = serde_json::from_str(line).expect("the line is an event");
        sender.send((*worker, WorkerMessage::Event(event))).expect("it is heard later");
    }
    (0..session.n_workers()).for_each(|worker| sender.send((worker, exit())).expect("it is heard later"));
    session.listen(&messages, &never(), &Cancel::never());
    session.finish()
}

pub(super) fn spec() -> PipelineSpec {
    serde_json::from_str(r#"{"elements":[],"playback":"once","ingress":null,"decoder":null,"sink":0}"#)
        .expect("a spec without elements")
}

pub(super) fn script() -> ScriptLoad {
    ScriptLoad {
        argv: Vec::new(),
        dir: "/".into(),
        env: std::collections::BTreeMap::new(),
        redaction: Redaction::default(),
    }
}

/// A load of nothing but its set-up, whose logs are in `dir`.
pub(super) fn load(setup: Setup, dir: &Path) -> Load<'_> {
    Load {
        setup,
        pipelines: Vec::new(),
        scripts: Vec::new(),
        collectors: Vec::new(),
        launch: None,
        reach: Reach::default(),
        secrets: Redaction::default(),
        log_dir: dir,
        server: None,
    }
}
