//! A load on the machine: streams in workers, users' scripts, and a collector
//! beside them.
//!
//! [`measure`] starts the workers and scripts, lets `record::build` decide by
//! the times of what they say, and returns the record. [`play_once`] plays one
//! pipeline to its end, unmeasured: that is how clips are made.
//!
//! Workers tell the time with everything they say. `lp`'s own clock counts for
//! two things only: scripts, which tell none, and the watchdog: a worker speaks
//! every second, so one that is silent for [`SILENCE`] is ended, since it cannot
//! tell the time any more.

mod hidden;
mod once;
mod script;

use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, never, select, tick, unbounded};

pub use self::hidden::Hidden;
pub use self::script::ScriptLoad;
use self::script::{Running, ScriptMessage};
pub use once::{Said, play_once};

use crate::collect::Collector;
use crate::collect::machine::MachineSampler;
use crate::digest::ContentDigest;
use crate::name::Slug;
use crate::os;
use crate::os::process::Cancel;
use crate::pipeline::PipelineSpec;
use crate::record::build::{Decision, MemberSetup, RecordBuilder, ScriptEnd, Setup, StreamSetup};
use crate::record::foreign::Figure;
use crate::record::{Conditions, Configured, Host, LeftOut, RunRecord};
use crate::time::Utc;
use crate::worker::client::{Worker, WorkerMessage};
use crate::worker::error::WorkerError;
use crate::worker::launch::{Launch, Reach};
use crate::worker::protocol::{Event, EventBody, Tap};

/// A worker that says nothing for so long is ended.
pub const SILENCE: Duration = Duration::from_secs(20);

/// The most of a worker's log that is kept.
const LOG_LIMIT: u64 = 1 << 20;

/// What a member of a run does while it is measured.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A worker said something of one of its streams.
    Stream(&'a EventBody),
    /// One of its scripts (`camera-3/2`) printed a figure.
    Script(&'a str, &'a Figure),
}

/// Sees what the members of a run do, each by its slug.
pub type Watch<'a> = dyn Fn(&Slug, Seen<'_>) + Sync + 'a;

/// Why a session could not be held.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A worker could not be started or does not speak our protocol.
    #[error("worker `{worker}` did not start")]
    Worker {
        /// Its name.
        worker: String,
        /// Why.
        #[source]
        source: WorkerError,
    },
    /// A pipeline that was played once did not come to its end.
    #[error("{0}")]
    Failed(String),
    /// The user stopped it before anything was measured.
    #[error("interrupted")]
    Cancelled,
}

/// What is to be played.
pub struct Load<'a> {
    /// `lane`, `camera-3`.
    pub subject: String,
    /// When the attempt began.
    pub started: Utc,
    /// What was asked for.
    pub conditions: Conditions,
    /// The machine.
    pub host: Host,
    /// In project order, copies after the whole lane.
    pub members: Vec<MemberLoad>,
    /// Names of the workers.
    pub workers: Vec<String>,
    /// How workers are started; `None` if there are none.
    pub launch: Option<&'a Launch>,
    /// What each of them needs.
    pub reach: Reach,
    /// What record and logs are kept without.
    pub secrets: Hidden,
    /// Where the workers' logs go.
    pub log_dir: &'a Path,
    /// The build lock, for the workers to inherit.
    pub lock: Option<BorrowedFd<'a>>,
}

/// A camera, or a copy of one.
pub struct MemberLoad {
    /// The camera's name as written.
    pub camera: String,
    /// Its slug, with `-l2` for the second copy.
    pub slug: Slug,
    /// The rate that its streams should hold.
    pub target_fps: f64,
    /// What the config says of its source.
    pub configured: Configured,
    /// An index into [`Load::workers`]; `None` without streams.
    pub worker: Option<usize>,
    /// What it plays.
    pub pipelines: Vec<PipelineLoad>,
    /// Its scripts.
    pub scripts: Vec<ScriptLoad>,
    /// What of it cannot be played.
    pub left_out: Vec<LeftOut>,
}

/// A pipeline of a member, with the streams that it serves: one, or those that
/// share it.
pub struct PipelineLoad {
    /// Resolved for the worker's machine.
    pub spec: PipelineSpec,
    /// Not empty.
    pub streams: Vec<StreamLoad>,
}

/// A stream of a member.
#[derive(Clone)]
pub struct StreamLoad {
    /// Its pipeline's index in its camera's plan.
    pub index: u32,
    /// The workloads that it serves.
    pub workloads: Vec<String>,
    /// The element at which its frames have arrived.
    pub sink: usize,
}

impl MemberLoad {
    /// Its streams, in the order of the plan.
    fn streams(&self) -> Vec<&StreamLoad> {
        let mut streams: Vec<&StreamLoad> =
            self.pipelines.iter().flat_map(|pipeline| &pipeline.streams).collect();
        streams.sort_by_key(|stream| stream.index);
        streams
    }

    /// The names of the others that share a stream's pipeline.
    fn sharing(&self, stream: &StreamLoad) -> Vec<String> {
        let shares = |pipeline: &&PipelineLoad| pipeline.streams.iter().any(|one| one.index == stream.index);
        let pipeline = self.pipelines.iter().filter(shares).flat_map(|pipeline| &pipeline.streams);
        pipeline
            .filter(|other| other.index != stream.index)
            .map(|other| Load::stream_name(self, other))
            .collect()
    }
}

impl Load<'_> {
    /// What the workers wrote for people, one after another.
    #[must_use]
    pub fn logs(&self) -> Vec<u8> {
        let mut logs = Vec::new();
        for name in &self.workers {
            let text = os::process::tail(&self.log_path(name), LOG_LIMIT).unwrap_or_default();
            let text = self.secrets.without(text);
            if !text.is_empty() {
                logs.extend_from_slice(format!("== {name}\n{text}").as_bytes());
            }
        }
        logs
    }

    fn log_path(&self, worker: &str) -> PathBuf {
        self.log_dir.join(format!("{worker}.log"))
    }

    fn stream_name(member: &MemberLoad, stream: &StreamLoad) -> String {
        format!("{}/{}", member.slug, stream.index)
    }

    fn setup(&self) -> Setup {
        let member = |member: &MemberLoad| MemberSetup {
            camera: member.camera.clone(),
            slug: member.slug.clone(),
            target_fps: member.target_fps,
            configured: Some(member.configured.clone()),
            streams: member
                .streams()
                .into_iter()
                .map(|stream| StreamSetup {
                    stream: Load::stream_name(member, stream),
                    workloads: stream.workloads.clone(),
                    worker: member.worker.expect("a member with streams has a worker"),
                    shares_decode_with: member.sharing(stream),
                })
                .collect(),
            scripts: member.scripts.iter().map(|script| script.setup.clone()).collect(),
            left_out: member.left_out.clone(),
        };
        Setup {
            subject: self.subject.clone(),
            started: self.started,
            origin_ns: os::clock::monotonic_ns(),
            conditions: self.conditions.clone(),
            host: self.host.clone(),
            members: self.members.iter().map(member).collect(),
            workers: self.workers.clone(),
        }
    }
}

/// A worker that runs, and when it last said something.
struct Live {
    worker: Option<Worker>,
    heard: Instant,
    ended: bool,
}

/// The most messages of scripts that wait to be heard. One that prints faster
/// than it is heard waits, as it would at any full pipe.
const SCRIPT_MESSAGES: usize = 4_096;

/// Plays a load and measures it.
///
/// # Errors
/// When a worker cannot be started, or the user stops before all have started.
/// Whatever fails later is in the record.
pub fn measure(load: &Load<'_>, cancel: &Cancel, watch: &Watch<'_>) -> Result<RunRecord, SessionError> {
    let (sender, messages) = unbounded();
    let mut live = Vec::new();
    for (index, name) in load.workers.iter().enumerate() {
        if cancel.is_cancelled() {
            return Err(SessionError::Cancelled);
        }
        let launch = load.launch.expect("a load with workers says how they are started");
        let log = load.log_path(name);
        let failed = |source| SessionError::Worker { worker: name.clone(), source };
        let mut worker =
            Worker::start(launch, &load.reach, &log, load.lock, index, sender.clone()).map_err(failed)?;
        worker.hello().map_err(failed)?;
        live.push(Live { worker: Some(worker), heard: Instant::now(), ended: false });
    }
    drop(sender);
    if cancel.is_cancelled() {
        return Err(SessionError::Cancelled);
    }
    let mut session = Session {
        load,
        builder: RecordBuilder::new(load.setup()),
        live,
        scripts: Vec::new(),
        sampler: None,
        watch,
        stopping: false,
    };
    session.start_sampler();
    session.start_streams();
    let (sender, said) = bounded(SCRIPT_MESSAGES);
    std::thread::scope(|scope| {
        let mut session = session;
        session.start_scripts(&mut |index, script, cancel| {
            let sender = sender.clone();
            scope.spawn(move || script.run(index, load.lock, &cancel, &sender));
        });
        drop(sender);
        session.listen(&messages, &said, cancel);
        Ok(session.builder.finish())
    })
}

/// Where in its clip a camera begins, in 2^-64 of the clip: anywhere, but always
/// the same for one of this name, whatever cameras stand beside it. All pipelines
/// of a camera begin together, as they would see the same frames of a real one.
fn offset(slug: &Slug) -> u64 {
    let digest = ContentDigest::of(slug.as_str().as_bytes()).to_hex();
    u64::from_str_radix(&digest[..16], 16).expect("a digest is written in hex digits")
}

struct Session<'a> {
    load: &'a Load<'a>,
    builder: RecordBuilder,
    live: Vec<Live>,
    /// In the order in which the builder counts them.
    scripts: Vec<Running<'a>>,
    sampler: Option<MachineSampler>,
    watch: &'a Watch<'a>,
    stopping: bool,
}

impl<'a> Session<'a> {
    fn start_sampler(&mut self) {
        match MachineSampler::start() {
            Ok(sampler) => self.sampler = Some(sampler),
            Err(error) => self.builder.missing("machine", &error.reason()),
        }
    }

    fn worker_of(&mut self, member: &MemberLoad) -> Option<&mut Worker> {
        self.live[member.worker?].worker.as_mut()
    }

    /// Starts every script by `run`, which may not wait for it.
    fn start_scripts(&mut self, run: &mut dyn FnMut(usize, &'a ScriptLoad, Cancel)) {
        for member in &self.load.members {
            for script in &member.scripts {
                let index = self.scripts.len();
                self.builder.script_started(index, os::clock::monotonic_ns());
                match os::process::cancel_pair() {
                    Ok((canceller, cancel)) => {
                        self.scripts.push(Running::new(&member.slug, script, canceller));
                        run(index, script, cancel);
                    }
                    Err(error) => {
                        self.scripts.push(Running::over(&member.slug, script));
                        let end = ScriptEnd::NotStarted(error.to_string());
                        let now_ns = os::clock::monotonic_ns();
                        let decisions = self.builder.script_ended(index, now_ns, &end);
                        self.obey(decisions);
                    }
                }
            }
        }
    }

    fn start_streams(&mut self) {
        let load = self.load;
        for member in &load.members {
            let seed = offset(&member.slug);
            for PipelineLoad { spec, streams } in &member.pipelines {
                let tap = |stream: &StreamLoad| Tap {
                    stream: Load::stream_name(member, stream),
                    sink: stream.sink,
                };
                let taps: Vec<Tap> = streams.iter().map(tap).collect();
                let Some(worker) = self.worker_of(member) else { continue };
                let (first, also) = taps.split_first().expect("a pipeline serves a stream");
                let started = worker.start_streams(first.stream.clone(), spec.clone(), seed, also.to_vec());
                // A worker that no longer reads has died; its exit says so.
                if let Ok(id) = started {
                    taps.iter().for_each(|tap| self.builder.asked_to_start(&tap.stream, id));
                }
            }
        }
    }

    /// Listens until every worker and every script has ended.
    fn listen(
        &mut self,
        messages: &Receiver<(usize, WorkerMessage)>,
        said: &Receiver<(usize, ScriptMessage)>,
        cancel: &Cancel,
    ) {
        let seconds = tick(Duration::from_secs(1));
        let mut cancelled = cancel.receiver().clone();
        let (mut messages, mut said) = (messages.clone(), said.clone());
        let lives = |session: &Session<'_>| {
            session.live.iter().any(|live| !live.ended) || session.scripts.iter().any(Running::lives)
        };
        while lives(self) {
            select! {
                recv(messages) -> message => match message {
                    Ok((index, message)) => self.hear(index, message),
                    // All that could speak have been heard to their end.
                    Err(_) => messages = never(),
                },
                recv(said) -> message => match message {
                    Ok((index, message)) => self.hear_script(index, message),
                    Err(_) => said = never(),
                },
                recv(seconds) -> _ => {
                    self.sample();
                    self.end_the_silent();
                    let decisions = self.builder.tick(os::clock::monotonic_ns());
                    self.obey(decisions);
                }
                recv(cancelled) -> _ => {
                    cancelled = never();
                    let mut decisions = self.builder.tick(os::clock::monotonic_ns());
                    decisions.extend(self.builder.interrupt());
                    self.obey(decisions);
                }
            }
        }
    }

    fn hear_script(&mut self, index: usize, message: ScriptMessage) {
        let decisions = match message {
            ScriptMessage::Said { at_ns, figure } => {
                let running = &self.scripts[index];
                if !self.stopping {
                    (self.watch)(running.slug, Seen::Script(&running.script.setup.stream, &figure));
                }
                self.builder.script_said(index, at_ns, &figure)
            }
            ScriptMessage::Ended { at_ns, end } => self.builder.script_ended(index, at_ns, &end),
            ScriptMessage::Over { output } => {
                self.scripts[index].has_ended();
                self.builder.script_printed(index, output);
                return;
            }
        };
        self.obey(decisions);
    }

    fn hear(&mut self, index: usize, message: WorkerMessage) {
        self.live[index].heard = Instant::now();
        let decisions = match message {
            WorkerMessage::Event(mut event) => {
                self.load.secrets.clear(&mut event.body);
                self.show(&event);
                self.builder.observe(index, &event)
            }
            WorkerMessage::Malformed(text) => {
                let text = self.load.secrets.without(text);
                tracing::warn!(worker = self.load.workers[index], text, "a line that is no event");
                return;
            }
            WorkerMessage::Exited(mut exit) => {
                self.load.secrets.clear_exit(&mut exit);
                self.live[index].ended = true;
                self.live[index].worker = None;
                let death = (!exit.exit.success()).then(|| exit.exit.to_string());
                self.builder.worker_exited(index, death.as_deref(), &exit.stderr_tail)
            }
        };
        self.obey(decisions);
    }

    fn show(&self, event: &Event) {
        // What drains is no second of anybody's.
        if self.stopping {
            return;
        }
        let stream = match &event.body {
            EventBody::Frames { stream, .. }
            | EventBody::Element { stream, .. }
            | EventBody::Ended { stream, .. } => stream,
            _ => return,
        };
        let slug = stream.rsplit_once('/').map_or(stream.as_str(), |(slug, _)| slug);
        if let Some(member) = self.load.members.iter().find(|member| member.slug.as_str() == slug) {
            (self.watch)(&member.slug, Seen::Stream(&event.body));
        }
    }

    fn obey(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::Failed { stream, reason } => {
                    tracing::info!(stream, reason, "a stream has failed");
                    self.end_failed(&stream);
                }
                Decision::StopAll => {
                    self.stopping = true;
                    for live in &mut self.live {
                        if let Some(worker) = live.worker.take() {
                            worker.finish();
                        }
                    }
                    self.scripts.iter_mut().for_each(Running::end);
                }
            }
        }
        // With isolation, nothing is left to hear from a worker whose streams
        // have all failed; a pipeline that hangs does not end by being asked.
        if self.stopping {
            return;
        }
        for index in 0..self.live.len() {
            let mut streams = self.load.members.iter().filter(|m| m.worker == Some(index)).peekable();
            let lost = streams.peek().is_some()
                && streams.all(|member| {
                    let streams = member.streams();
                    streams.into_iter().all(|s| self.builder.has_failed(&Load::stream_name(member, s)))
                });
            if lost && let Some(worker) = self.live[index].worker.take() {
                worker.finish();
            }
        }
    }

    fn end_failed(&mut self, stream: &str) {
        let load = self.load;
        if let Some(script) = self.scripts.iter_mut().find(|known| known.script.setup.stream == stream) {
            return script.end();
        }
        let member = load.members.iter().find(|member| {
            member.streams().into_iter().any(|candidate| Load::stream_name(member, candidate) == stream)
        });
        if let Some(worker) = member.and_then(|member| self.worker_of(member)) {
            // If it has died, its exit tells more than this.
            let _ = worker.stop_stream(stream);
        }
    }

    fn sample(&mut self) {
        let Some(sampler) = self.sampler.as_mut() else { return };
        match sampler.sample() {
            Ok(reading) => self.builder.observe_machine(os::clock::monotonic_ns(), reading),
            Err(error) => {
                self.builder.missing("machine", &error.reason());
                self.sampler = None;
            }
        }
    }

    fn end_the_silent(&mut self) {
        for live in &mut self.live {
            if !live.ended
                && SILENCE < live.heard.elapsed()
                && let Some(worker) = live.worker.take()
            {
                worker.kill();
            }
        }
    }
}
