//! Makes a [`RunRecord`] of what workers say, and decides when a run is over.
//!
//! A pure state machine: no clock, no threads, no I/O. Time is what the events
//! say, each worker's by its own events, so a recorded run replays faster than
//! real time and comes to the same end.
//!
//! A stream's *window* begins `warmup` after its first frame and lasts
//! `duration`; played freely it reaches from the first frame to the last. A
//! stream is *done* when a tick of its worker lies beyond the window's end, or
//! at EOS when played freely; the run is over when every stream is done or has
//! failed ([`Decision::StopAll`]).
//!
//! A worker that says nothing at all has no time here. Whoever holds its
//! process notices that, ends it and calls [`RecordBuilder::worker_exited`].
//!
//! A user's script tells no time, so whoever reads what it prints says when a
//! line was read ([`RecordBuilder::script_said`]), and what time it is
//! ([`RecordBuilder::tick`]). Its window begins `warmup` after its first figure.

mod script;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::script::Script;
pub use self::script::{FREE_US, QUIET_US};
use self::stream::{Stream, Timing};
use super::foreign::Figure;
use super::{
    Conditions, Configured, Host, LeftOut, MachineSample, Member, Pace, RunRecord, VERSION, WorkerRecord,
    WorkerSample,
};
use crate::collect::machine::MachineReading;
use crate::model::Scalar;
use crate::name::Slug;
use crate::stats;
use crate::time::Utc;
use crate::worker::protocol::{Event, EventBody, StreamName};

/// A stream that plays and has no frame for this long has failed: as long as
/// a slow model may take for its first frame, and far beyond any hiccup. A slow
/// camera has three of its periods.
pub const HANG_US: u64 = 10_000_000;

/// How many frames in a row a slow camera may leave out.
const PATIENCE: f64 = 3.0;

/// How long nothing may come from a camera of this rate, in microseconds: a time
/// that is right for most, or some periods of one that has few frames.
fn patience_us(usual_us: u64, fps: f64) -> u64 {
    usual_us.max(stats::periods_us(PATIENCE, fps))
}

/// A stream that was asked to start and neither plays nor is refused for this
/// long has failed. Longer than [`HANG_US`], since models are loaded here.
pub const START_US: u64 = 60_000_000;

/// A run before anything has happened.
#[derive(Clone, Debug)]
pub struct Setup {
    /// `lane`, `camera-3`.
    pub subject: String,
    /// When the attempt began.
    pub started: Utc,
    /// When the first worker is asked to start a stream, in nanoseconds of
    /// CLOCK_MONOTONIC: the record's origin.
    pub origin_ns: u64,
    /// What was asked for.
    pub conditions: Conditions,
    /// The machine.
    pub host: Host,
    /// One per camera and copy, in project order.
    pub members: Vec<MemberSetup>,
    /// The workers' names, in the order in which they were started.
    pub workers: Vec<String>,
}

/// A camera, or a copy of one.
#[derive(Clone, Debug)]
pub struct MemberSetup {
    /// The camera's name as written.
    pub camera: String,
    /// Its slug, with `-l2` for the second copy.
    pub slug: Slug,
    /// The rate that its streams should hold.
    pub target_fps: f64,
    /// What the config says of its source.
    pub configured: Option<Configured>,
    /// Its pipelines.
    pub streams: Vec<StreamSetup>,
    /// Its scripts.
    pub scripts: Vec<ScriptSetup>,
    /// What of it cannot be played.
    pub left_out: Vec<LeftOut>,
}

/// A pipeline of a camera.
#[derive(Clone, Debug)]
pub struct StreamSetup {
    /// `camera-3/1`, unique in the run.
    pub stream: StreamName,
    /// The workloads that it serves, as written.
    pub workloads: Vec<String>,
    /// The worker that plays it: an index of [`Setup::workers`].
    pub worker: usize,
    /// The other streams of its pipeline.
    pub shares_decode_with: Vec<StreamName>,
}

/// A user's script, run for a camera.
#[derive(Clone, Debug)]
pub struct ScriptSetup {
    /// `camera-3/2`, unique in the run.
    pub stream: StreamName,
    /// The workloads that it serves, as written.
    pub workloads: Vec<String>,
    /// Its file, relative to the project.
    pub script: String,
    /// What it is given.
    pub parameters: BTreeMap<String, Scalar>,
}

/// How a script came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    /// It could not be started, for this reason.
    NotStarted(String),
    /// It has ended.
    Ended {
        /// `exited with status 3`
        how: String,
        /// Whether that was status 0.
        success: bool,
    },
}

/// What a session should do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The stream or script has failed. If it still plays, stop it; the others go on.
    Failed {
        /// The stream or script.
        stream: StreamName,
        /// Why, as the record says it.
        reason: String,
    },
    /// All figures are there: close every worker's stdin, end every script. Said once.
    StopAll,
}

/// Collects what a run's workers and scripts say.
#[derive(Debug)]
pub struct RecordBuilder {
    setup: Setup,
    timing: Timing,
    /// In the order of `setup.members`, flattened.
    streams: Vec<Stream>,
    /// In the same order.
    scripts: Vec<Script>,
    /// The newest time of `lp`'s own, in microseconds.
    now_us: u64,
    workers: Vec<Worker>,
    machine: Vec<MachineSample>,
    missing: BTreeMap<String, String>,
    stopping: bool,
    interrupted: bool,
}

#[derive(Debug, Default)]
struct Worker {
    /// The time of its newest event.
    now_us: u64,
    samples: Vec<WorkerSample>,
    death: Option<String>,
    stderr_tail: String,
}

impl RecordBuilder {
    /// A run in which nothing has happened yet.
    ///
    /// # Panics
    /// If a stream names a worker that the set-up does not have.
    #[must_use]
    pub fn new(setup: Setup) -> RecordBuilder {
        let timing = Timing {
            pace: setup.conditions.pace,
            warmup_us: setup.conditions.warmup_ms * 1000,
            duration_us: setup.conditions.duration_ms * 1000,
        };
        let members = || setup.members.iter();
        let streams: Vec<Stream> = members()
            .flat_map(|member| member.streams.iter().map(|stream| (stream, member.target_fps)))
            .map(|(stream, fps)| Stream::new(stream.clone(), patience_us(HANG_US, fps)))
            .collect();
        let scripts = members()
            .flat_map(|member| member.scripts.iter().map(|script| (script, member.target_fps)))
            .map(|(script, fps)| Script::new(script.clone(), patience_us(QUIET_US, fps)))
            .collect();
        let n_workers = setup.workers.len();
        assert!(
            streams.iter().all(|stream| stream.setup.worker < n_workers),
            "every stream is played by a worker of the set-up"
        );
        RecordBuilder {
            timing,
            streams,
            scripts,
            now_us: setup.origin_ns / 1000,
            workers: (0..n_workers).map(|_| Worker::default()).collect(),
            machine: Vec::new(),
            missing: BTreeMap::new(),
            stopping: false,
            interrupted: false,
            setup,
        }
    }

    /// Remembers that `stream` was asked to start by the request `id`, so that
    /// the worker's answer is understood.
    pub fn asked_to_start(&mut self, stream: &str, id: u64) {
        if let Some(stream) = self.streams.iter_mut().find(|known| known.setup.stream == stream) {
            stream.request = Some(id);
            let now = self.workers[stream.setup.worker].now_us;
            stream.asked_us = (now > 0).then_some(now);
        }
    }

    /// Takes in what a worker said. Events about streams that the set-up does
    /// not have are ignored.
    ///
    /// # Panics
    /// If the set-up has no worker of this index.
    pub fn observe(&mut self, worker: usize, event: &Event) -> Vec<Decision> {
        let at_us = event.at / 1000;
        let now_us = at_us.max(self.workers[worker].now_us);
        self.workers[worker].now_us = now_us;
        let failed_before = self.failed();
        let (timing, stopping) = (self.timing, self.stopping);

        match &event.body {
            EventBody::Process { cpu_us, rss } => {
                self.workers[worker].samples.push(WorkerSample { at_us, cpu_us: *cpu_us, rss: *rss });
            }
            EventBody::Done { id } => {
                for stream in self.requested(worker, *id) {
                    stream.playing_us.get_or_insert(at_us);
                }
            }
            EventBody::Refused { id, reason } => {
                for stream in self.requested(worker, *id) {
                    stream.fail(at_us, format!("did not start: {reason}"));
                }
            }
            EventBody::Frames {
                stream,
                arrived_us,
                latency_us,
                late_us,
                decoded,
                played,
                dropped,
                taken_out,
                fates,
                delivered,
                ..
            } => {
                if let Some(stream) = self.stream(worker, stream) {
                    stream.frames(timing, arrived_us, latency_us, late_us);
                    stream.fates(timing, fates);
                    stream.delivered(timing, delivered);
                    stream.tick(timing, at_us, [*decoded, *played, *dropped, *taken_out]);
                }
            }
            EventBody::Element { stream, element, factory, message, stream_time, fields } => {
                if let Some(stream) = self.stream(worker, stream) {
                    stream.sighting(|| super::Sighting {
                        at_us,
                        clip_ms: stream_time.map(|time| time / 1_000_000),
                        element: element.clone(),
                        factory: factory.clone(),
                        message: message.clone(),
                        fields: fields.clone(),
                    });
                }
            }
            EventBody::Ended { stream, end } => {
                if let Some(stream) = self.stream(worker, stream) {
                    stream.ended(timing, at_us, end, stopping);
                }
            }
            EventBody::Hello { .. }
            | EventBody::Factories { .. }
            | EventBody::Described { .. }
            | EventBody::Tried { .. } => {}
        }
        if !stopping {
            for stream in self.streams.iter_mut().filter(|stream| stream.setup.worker == worker) {
                stream.check_hang(now_us);
            }
        }
        self.decide(&failed_before)
    }

    /// Takes in a sample of the machine, taken at `at_ns` of CLOCK_MONOTONIC.
    pub fn observe_machine(&mut self, at_ns: u64, reading: MachineReading) {
        let MachineReading { cpu, steal, memory } = reading;
        // To the millionth: these are read back from JSON as they were written.
        let cpu = (cpu * 1e6).round() / 1e6;
        self.machine.push(MachineSample { at_us: at_ns / 1000, cpu, steal: Some(steal), memory });
    }

    /// Remembers that a collector could not run.
    pub fn missing(&mut self, collector: &str, reason: &str) {
        self.missing.insert(collector.to_owned(), reason.to_owned());
    }

    /// Takes in that a worker's process is gone; call it for every worker.
    /// `death` says how (`killed by SIGSEGV`); `None` if it ended well, which is
    /// a death as well before it was asked to. The tail of stderr is kept if it
    /// explains something.
    ///
    /// # Panics
    /// If the set-up has no worker of this index.
    pub fn worker_exited(&mut self, worker: usize, death: Option<&str>, stderr_tail: &str) -> Vec<Decision> {
        let failed_before = self.failed();
        let stopping = self.stopping;
        let in_use = |stream: &Stream| stream.setup.worker == worker && stream.end.is_none();
        let early = !stopping && self.streams.iter().any(in_use);
        let death = death.or(early.then_some("exited before it was asked to"));
        let state = &mut self.workers[worker];
        state.death = death.map(str::to_owned);
        stderr_tail.clone_into(&mut state.stderr_tail);
        if let Some(death) = death {
            let now_us = state.now_us;
            for stream in self.streams.iter_mut().filter(|stream| in_use(stream)) {
                // What dies while it is being stopped has given its figures.
                if !(stopping && stream.done) {
                    stream.fail(now_us, format!("its worker ended: {death}"));
                }
            }
        }
        self.decide(&failed_before)
    }

    /// Takes in the time of `lp`'s own CLOCK_MONOTONIC, by which scripts are judged.
    pub fn tick(&mut self, at_ns: u64) -> Vec<Decision> {
        self.now_us = self.now_us.max(at_ns / 1000);
        if self.stopping {
            return Vec::new();
        }
        let failed_before = self.failed();
        for script in &mut self.scripts {
            script.tick(self.timing, self.now_us);
        }
        self.decide(&failed_before)
    }

    /// Takes in that the script of this index, counted over all members, was
    /// started at `at_ns` of CLOCK_MONOTONIC.
    ///
    /// # Panics
    /// If the set-up has no such script; so do the next three.
    pub fn script_started(&mut self, script: usize, at_ns: u64) {
        self.scripts[script].started(at_ns / 1000);
    }

    /// Takes in a figure that a script printed in a line that was read at `at_ns`.
    pub fn script_said(&mut self, script: usize, at_ns: u64, figure: &Figure) -> Vec<Decision> {
        // What drains is no part of anybody's window.
        if !self.stopping {
            self.scripts[script].said(self.timing, at_ns / 1000, figure);
        }
        self.tick(at_ns)
    }

    /// Takes in that a script has ended.
    pub fn script_ended(&mut self, script: usize, at_ns: u64, end: &ScriptEnd) -> Vec<Decision> {
        let failed_before = self.failed();
        let at_us = at_ns / 1000;
        self.now_us = self.now_us.max(at_us);
        let state = &mut self.scripts[script];
        let asked = self.stopping || state.failure.is_some();
        state.ended(self.timing, at_us, end, asked);
        self.decide(&failed_before)
    }

    /// Takes in what a script printed: the begin and the end, and how many bytes
    /// in between were left out.
    pub fn script_printed(&mut self, script: usize, (output, left_out): (String, u64)) {
        self.scripts[script].printed(output, left_out);
    }

    /// Takes in that the user wants to stop now. Windows that are still open
    /// end here. Without a `duration` this is the normal end.
    pub fn interrupt(&mut self) -> Vec<Decision> {
        if self.stopping {
            return Vec::new();
        }
        let timing = self.timing;
        for stream in &mut self.streams {
            stream.cut(self.workers[stream.setup.worker].now_us);
        }
        for script in &mut self.scripts {
            script.cut(self.now_us);
        }
        let until_stopped = timing.pace == Pace::Live && timing.duration_us == 0;
        let whole = |stream: &Stream| stream.failure.is_some() || stream.window(timing).is_some();
        let of_script = |script: &Script| script.failure.is_some() || script.window(timing).is_some();
        let all_whole = self.streams.iter().all(whole) && self.scripts.iter().all(of_script);
        self.interrupted = !(until_stopped && all_whole);
        self.stopping = true;
        vec![Decision::StopAll]
    }

    /// Whether a stream that a worker plays has failed.
    #[must_use]
    pub fn has_failed(&self, stream: &str) -> bool {
        self.streams.iter().any(|known| known.setup.stream == stream && known.failure.is_some())
    }

    /// Whether every stream has ended or will not: nothing more is to come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.streams.iter().all(|stream| stream.end.is_some() || stream.failure.is_some())
            && self.scripts.iter().all(Script::is_settled)
    }

    /// The record. A stream that is neither done nor failed by now has failed,
    /// unless the user stopped the run.
    #[must_use]
    pub fn finish(self) -> RunRecord {
        let RecordBuilder {
            setup,
            timing,
            streams,
            scripts,
            now_us,
            workers,
            mut machine,
            missing,
            stopping,
            interrupted,
        } = self;
        let origin_us = setup.origin_ns / 1000;
        let since = |at_us: &mut u64| *at_us = at_us.saturating_sub(origin_us);

        let explained: Vec<bool> = (0..workers.len())
            .map(|index| streams.iter().any(|s| s.setup.worker == index && s.failure.is_some()))
            .collect();
        let mut streams = streams.into_iter().map(|mut stream| {
            if !stopping && !stream.done && stream.failure.is_none() {
                let now_us = workers[stream.setup.worker].now_us;
                stream.fail(now_us, "the run ended before it was done".to_owned());
            }
            stream.into_record(timing, origin_us)
        });
        let mut scripts = scripts.into_iter().map(|mut script| {
            if !stopping && !script.done {
                script.fail(now_us, "the run ended before it was done".to_owned());
            }
            script.into_record(timing, origin_us)
        });
        let members = setup
            .members
            .into_iter()
            .map(|member| Member {
                streams: streams.by_ref().take(member.streams.len()).collect(),
                scripts: scripts.by_ref().take(member.scripts.len()).collect(),
                left_out: member.left_out,
                camera: member.camera,
                slug: member.slug,
                target_fps: member.target_fps,
                configured: member.configured,
            })
            .collect();
        drop((streams, scripts));

        machine.iter_mut().for_each(|sample| since(&mut sample.at_us));
        let workers =
            setup.workers.into_iter().zip(workers).zip(explained).map(|((name, worker), failed)| {
                let Worker { mut samples, death, stderr_tail, .. } = worker;
                samples.iter_mut().for_each(|sample| since(&mut sample.at_us));
                let keep = failed || death.is_some();
                let stderr_tail = if keep { stderr_tail } else { String::new() };
                WorkerRecord { name, samples, death, stderr_tail }
            });
        RunRecord {
            version: VERSION,
            subject: setup.subject,
            started: setup.started,
            conditions: setup.conditions,
            host: setup.host,
            members,
            machine,
            workers: workers.collect(),
            missing,
            interrupted,
            inputs_changed: Vec::new(),
        }
    }

    fn stream(&mut self, worker: usize, name: &str) -> Option<&mut Stream> {
        self.streams.iter_mut().find(|known| known.setup.worker == worker && known.setup.stream == name)
    }

    /// The streams that a request started: those of one pipeline.
    fn requested(&mut self, worker: usize, id: u64) -> impl Iterator<Item = &mut Stream> {
        let asked = move |known: &&mut Stream| known.setup.worker == worker && known.request == Some(id);
        self.streams.iter_mut().filter(asked)
    }

    fn failed(&self) -> Vec<bool> {
        let streams = self.streams.iter().map(|stream| stream.failure.is_some());
        streams.chain(self.scripts.iter().map(|script| script.failure.is_some())).collect()
    }

    /// The failures since `failed_before`, and whether that was all.
    fn decide(&mut self, failed_before: &[bool]) -> Vec<Decision> {
        let streams = self
            .streams
            .iter()
            .map(|stream| (&stream.setup.stream, stream.failure.as_ref().map(|(_, reason)| reason)));
        let scripts = self.scripts.iter().map(|script| (&script.setup.stream, script.failure.as_ref()));
        let mut decisions: Vec<Decision> = streams
            .chain(scripts)
            .zip(failed_before)
            .filter_map(|((stream, reason), before)| {
                let reason = reason.filter(|_| !before)?;
                Some(Decision::Failed { stream: stream.clone(), reason: reason.clone() })
            })
            .collect();
        let settled = |stream: &Stream| stream.done || stream.failure.is_some();
        if !self.stopping && self.streams.iter().all(settled) && self.scripts.iter().all(Script::is_settled) {
            self.stopping = true;
            decisions.push(Decision::StopAll);
        }
        decisions
    }
}
