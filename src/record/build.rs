//! Makes a [`RunRecord`] from the events of workers, and decides when a run is over.
//!
//! A pure state machine: no clock, no threads, no I/O. Time comes from the
//! events, each worker's from its own, so a recorded run replays faster than
//! real time and comes to the same end.
//!
//! A stream's *window* begins after its warm-up (`steady.rs`) and lasts
//! `duration`; played freely it reaches from the first frame to the last. A
//! stream is *done* when a tick of its worker lies beyond the window's end, or
//! at EOS when played freely; the run is over when every stream is done or has
//! failed ([`Decision::StopAll`]).
//!
//! A silent worker has no time here. The owner of its process notices that, ends it
//! and calls [`RecordBuilder::worker_exited`].
//!
//! A user's script gives no time, so the reader of its output passes the time when a
//! line was read ([`RecordBuilder::script_figure`]), and what time it is
//! ([`RecordBuilder::tick`]). Its window begins `warmup` after its first figure.
//!
//! An event costs the same however many streams there are: it changes one stream,
//! open streams are counted, and hangs are looked for when the first one is due.

mod collectors;
mod frames;
mod go_on;
mod moment;
mod packets;
mod script;
mod seen;
mod steady;
mod stream;
#[cfg(test)]
mod tests;
mod thin;

use std::collections::{BTreeMap, HashMap};

use self::collectors::Beside;
pub use self::collectors::{CollectorEnd, FUTURE_NS};
use self::frames::FrameLog;
pub use self::moment::{NEWEST, Phase, StreamMoment};
use self::script::Script;
pub use self::script::{FREE_US, QUIET_US};
use self::steady::WarmUp;
use self::stream::{Stream, Timing};
use self::thin::Pending;
pub use self::thin::{MAX_POINTS, SampleLog};
use super::foreign::Figure;
use super::power::IdlePower;
use super::seen::{Detector, Expected};
use super::{
    Conditions, Host, Member, OmittedWorkloads, Pace, ProgramRecord, RunRecord, SeriesRecord, SourceConfig,
    StepRecord, VERSION, WorkerDetails, WorkerRecord, WorkerSample,
};
use crate::collect::{Program, Series};
use crate::model::Scalar;
use crate::name::Slug;
use crate::pipeline::prepared::PreparedClip;
use crate::plan::DialectName;
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

/// A stream of a run: its place among the streams of all members of a [`Setup`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

/// A script of a run: its place among the scripts of all members of a [`Setup`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptId(pub u32);

impl StreamId {
    /// Into a list with an entry for each stream.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ScriptId {
    /// Into a list with an entry for each script.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

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
    pub conditions: Conditions,
    pub host: Host,
    /// The power of the machine before, where it is known.
    pub idle: Option<IdlePower>,
    /// One per camera and copy, in project order.
    pub members: Vec<MemberSetup>,
    /// The workers' names, in the order in which they were started.
    pub workers: Vec<String>,
}

impl Setup {
    /// All streams, each with its member.
    pub fn streams(&self) -> impl Iterator<Item = (StreamId, &MemberSetup, &StreamSetup)> {
        let streams =
            self.members.iter().flat_map(|member| member.streams.iter().map(move |one| (member, one)));
        (0..).map(StreamId).zip(streams).map(|(id, (member, stream))| (id, member, stream))
    }

    /// The member of a stream, with its place among all members.
    #[must_use]
    pub fn member_of(&self, stream: StreamId) -> Option<(usize, &MemberSetup)> {
        let mut n_streams = 0;
        self.members.iter().enumerate().find(|(_, member)| {
            n_streams += member.streams.len();
            stream.index() < n_streams
        })
    }

    /// All scripts, each with its member.
    pub fn scripts(&self) -> impl Iterator<Item = (ScriptId, &MemberSetup, &ScriptSetup)> {
        let scripts =
            self.members.iter().flat_map(|member| member.scripts.iter().map(move |one| (member, one)));
        (0..).map(ScriptId).zip(scripts).map(|(id, (member, script))| (id, member, script))
    }
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
    /// The config of its source.
    pub configured: Option<SourceConfig>,
    /// How its steps become elements.
    pub dialect: Option<DialectName>,
    /// The clip that is played.
    pub clip: Option<PreparedClip>,
    pub streams: Vec<StreamSetup>,
    pub scripts: Vec<ScriptSetup>,
    /// Workloads that cannot be played.
    pub left_out: Vec<OmittedWorkloads>,
}

/// A pipeline of a camera.
#[derive(Clone, Debug)]
pub struct StreamSetup {
    /// `camera-3/1`, unique in the run.
    pub stream: StreamName,
    /// The number that the plan gave it.
    pub index: u32,
    /// The workloads that it serves, as written.
    pub workloads: Vec<String>,
    pub steps: Vec<StepRecord>,
    /// The worker that plays it: an index of [`Setup::workers`].
    pub worker: usize,
    /// The other streams of its pipeline.
    pub shares_decode_with: Vec<StreamName>,
    pub detectors: Vec<Detector>,
    /// What they have to see, where that is known.
    pub expected: Vec<Expected>,
}

/// A user's script, run for a camera.
#[derive(Clone, Debug)]
pub struct ScriptSetup {
    /// `camera-3/2`, unique in the run.
    pub stream: StreamName,
    /// The number that the plan gave it.
    pub index: u32,
    /// The workloads that it serves, as written.
    pub workloads: Vec<String>,
    /// Its file, relative to the project.
    pub script: String,
    /// Its parameters, by name.
    pub parameters: BTreeMap<String, Scalar>,
}

/// How a script came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptEnd {
    /// It could not be started, for this reason.
    NotStarted(String),
    Ended {
        /// `exited with status 3`
        how: String,
        /// Whether that was status 0.
        success: bool,
    },
}

/// An order to the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The stream has failed. If it still plays, stop it; the others go on.
    StreamFailed {
        stream: StreamId,
        /// The reason, as in the record.
        reason: String,
    },
    /// The script has failed. If it still runs, end it; the others go on.
    ScriptFailed {
        script: ScriptId,
        /// The reason, as in the record.
        reason: String,
    },
    /// All figures are there: close every worker's stdin, end every script. Comes once.
    StopAll,
}

/// Collects the messages of a run's workers and scripts.
#[derive(Clone, Debug)]
pub struct RecordBuilder {
    setup: Setup,
    timing: Timing,
    /// By [`StreamId`].
    streams: Vec<Stream>,
    /// By [`ScriptId`].
    scripts: Vec<Script>,
    names: HashMap<StreamName, StreamId>,
    /// Streams and scripts that are neither done nor failed.
    n_open: usize,
    /// The newest time of `lp`'s own, in microseconds.
    now_us: u64,
    /// No script changes by the time alone before this.
    scripts_due_us: u64,
    workers: Vec<Worker>,
    series: Vec<SeriesRecord>,
    /// Of each of them.
    pending: Vec<Pending<(u64, f64)>>,
    /// The place of each of them by its name.
    series_indices: HashMap<String, usize>,
    programs: Vec<ProgramRecord>,
    missing: BTreeMap<String, String>,
    /// Programs of the user's beside the run.
    beside: Vec<Beside>,
    stopping: bool,
    interrupted: bool,
}

#[derive(Clone, Debug, Default)]
struct Worker {
    streams: Vec<StreamId>,
    /// The streams that each request started: those of one pipeline.
    requests: HashMap<u64, Vec<StreamId>>,
    /// The time of its newest event.
    now_us: u64,
    /// None of its streams hangs before this.
    hangs_us: u64,
    samples: SampleLog,
    /// The last sample, and the one before it.
    newest: [Option<WorkerSample>; 2],
    /// The first and the last.
    details: Vec<WorkerDetails>,
    death: Option<String>,
    stderr_tail: String,
}

impl Worker {
    /// CPU time over time between the last two samples, as a share of one core.
    fn newest_cpu(&self) -> Option<f64> {
        let [Some(last), Some(before)] = self.newest else { return None };
        let time = last.at_us.checked_sub(before.at_us).filter(|time| *time > 0)?;
        Some(last.cpu_us.saturating_sub(before.cpu_us) as f64 / time as f64)
    }
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
        let streams: Vec<Stream> = setup
            .streams()
            .map(|(_, member, stream)| {
                let fps = member.target_fps;
                let warmup = WarmUp::new(fps, timing.warmup_us, setup.conditions.warmup_is_auto);
                let log = FrameLog::new(stats::periods_us(1.0, fps));
                Stream::new(stream.clone(), warmup, log, patience_us(HANG_US, fps))
            })
            .collect();
        let scripts: Vec<Script> = setup
            .scripts()
            .map(|(_, member, script)| Script::new(script.clone(), patience_us(QUIET_US, member.target_fps)))
            .collect();
        let mut workers: Vec<Worker> = setup.workers.iter().map(|_| Worker::default()).collect();
        for (id, _, stream) in setup.streams() {
            let worker = workers.get_mut(stream.worker);
            worker.expect("every stream is played by a worker of the set-up").streams.push(id);
        }
        RecordBuilder {
            timing,
            names: setup.streams().map(|(id, _, stream)| (stream.stream.clone(), id)).collect(),
            n_open: streams.len() + scripts.len(),
            streams,
            scripts,
            now_us: setup.origin_ns / 1000,
            scripts_due_us: u64::MAX,
            workers,
            series: Vec::new(),
            pending: Vec::new(),
            series_indices: HashMap::new(),
            programs: Vec::new(),
            missing: BTreeMap::new(),
            beside: Vec::new(),
            stopping: false,
            interrupted: false,
            setup,
        }
    }

    /// Remembers that `stream` was asked to start at `at_ns` of CLOCK_MONOTONIC by the
    /// request `id`, so that the worker's answer is understood.
    ///
    /// # Panics
    /// If the set-up has no such stream.
    pub fn asked_to_start(&mut self, stream: StreamId, id: u64, at_ns: u64) {
        let state = &mut self.streams[stream.index()];
        let worker = &mut self.workers[state.setup.worker];
        state.is_asked = true;
        state.sent_us = Some(at_ns / 1000);
        state.asked_us = (worker.now_us > 0).then_some(worker.now_us);
        worker.requests.entry(id).or_default().push(stream);
        worker.hangs_us = worker.hangs_us.min(state.hangs_us());
    }

    /// The stream that a worker calls so, if it plays one.
    #[must_use]
    pub fn stream_of(&self, worker: usize, name: &str) -> Option<StreamId> {
        let id = *self.names.get(name)?;
        (self.streams[id.index()].setup.worker == worker).then_some(id)
    }

    /// Takes in an event of a worker. Events about streams that the set-up does not have
    /// are ignored.
    ///
    /// # Panics
    /// If the set-up has no worker of this index.
    pub fn observe(&mut self, worker: usize, event: &Event) -> Vec<Decision> {
        let at_us = event.at / 1000;
        let state = &mut self.workers[worker];
        state.now_us = state.now_us.max(at_us);
        let (timing, stopping) = (self.timing, self.stopping);
        let stream = event.body.stream().and_then(|name| self.stream_of(worker, name));
        let mut decisions = Vec::new();

        match (&event.body, stream) {
            (EventBody::Process { cpu_us, rss, files }, _) => {
                let sample = WorkerSample { at_us, cpu_us: *cpu_us, rss: *rss, files: *files };
                let worker = &mut self.workers[worker];
                worker.samples.add(sample);
                worker.newest = [Some(sample), worker.newest[0]];
            }
            (EventBody::Details { pss, threads }, _) => {
                let details = &mut self.workers[worker].details;
                details.truncate(1);
                details.push(WorkerDetails { at_us, pss: *pss, threads: threads.clone() });
            }
            (EventBody::Done { id }, _) => {
                for stream in self.requested(worker, *id) {
                    self.change(stream, &mut decisions, |stream| {
                        stream.playing_us.get_or_insert(at_us);
                        None
                    });
                }
            }
            (EventBody::Refused { id, reason }, _) => {
                for stream in self.requested(worker, *id) {
                    let reason = format!("did not start: {reason}");
                    self.change(stream, &mut decisions, |stream| stream.fail(at_us, reason));
                }
            }
            (body @ EventBody::Frames { .. }, Some(stream)) => {
                self.change(stream, &mut decisions, |stream| {
                    stream.observe(timing, at_us, body);
                    None
                });
            }
            (EventBody::Messages { messages, .. }, Some(stream)) => {
                let stream = &mut self.streams[stream.index()];
                for message in messages {
                    stream.message(timing, message);
                    stream.sighting(message);
                }
            }
            (body @ EventBody::Stages { .. }, Some(stream)) => {
                self.streams[stream.index()].stages(timing, at_us, body);
            }
            (EventBody::Snapshot { snapshot, .. }, Some(stream)) => {
                self.streams[stream.index()].picture(snapshot);
            }
            (EventBody::Ended { end, .. }, Some(stream)) => {
                self.change(stream, &mut decisions, |stream| stream.ended(timing, at_us, end, stopping));
            }
            _ => {}
        }
        self.check_hangs(worker, &mut decisions);
        self.stop_if_over(decisions)
    }

    /// Takes in a collector's sample at `at_ns` of CLOCK_MONOTONIC: a value for each of
    /// its series, `None` if it is not known.
    pub fn collected(&mut self, at_ns: u64, series: &[Series], values: &[Option<f64>]) {
        for (Series { name, unit }, value) in series.iter().zip(values) {
            let Some(value) = value else { continue };
            let index = self.series_indices.get(name.as_str()).copied().unwrap_or_else(|| {
                let (at_us, values) = (Vec::new(), Vec::new());
                let unit = (*unit).to_owned();
                self.series.push(SeriesRecord { name: name.clone(), unit, at_us, values });
                self.pending.push(Pending::default());
                self.series_indices.insert(name.clone(), self.series.len() - 1);
                self.series.len() - 1
            });
            thin::add_point(&mut self.series[index], &mut self.pending[index], at_ns / 1000, *value);
        }
    }

    /// Takes in the other programs that a collector has seen since the start, the most CPU
    /// time first.
    pub fn programs(&mut self, programs: &[Program]) {
        let program =
            |program: &Program| ProgramRecord { name: program.name.clone(), cpu_us: program.cpu_us };
        if !programs.is_empty() {
            self.programs = programs.iter().map(program).collect();
        }
    }

    /// Remembers that a collector could not run.
    pub fn missing(&mut self, collector: &str, reason: &str) {
        self.missing.insert(collector.to_owned(), reason.to_owned());
    }

    /// Takes in that a worker's process is gone; call it for every worker.
    /// `death` is the reason (`killed by SIGSEGV`); `None` if it ended well, which is
    /// a death as well before it was asked to. The tail of stderr is kept if it
    /// explains something.
    ///
    /// # Panics
    /// If the set-up has no worker of this index.
    pub fn worker_exited(&mut self, worker: usize, death: Option<&str>, stderr_tail: &str) -> Vec<Decision> {
        let stopping = self.stopping;
        let state = &self.workers[worker];
        let in_use = |id: &StreamId| self.streams[id.index()].end.is_none();
        let playing: Vec<StreamId> = state.streams.iter().copied().filter(in_use).collect();
        let early = !stopping && !playing.is_empty();
        let death = death.or(early.then_some("exited before it was asked to"));
        let state = &mut self.workers[worker];
        state.death = death.map(str::to_owned);
        stderr_tail.clone_into(&mut state.stderr_tail);
        let now_us = state.now_us;
        let mut decisions = Vec::new();
        if let Some(death) = death {
            for stream in playing {
                self.change(stream, &mut decisions, |stream| {
                    // A stream that dies while it is being stopped has given its figures.
                    if stopping && stream.done {
                        return None;
                    }
                    stream.fail(now_us, format!("its worker ended: {death}"))
                });
            }
        }
        self.stop_if_over(decisions)
    }

    /// Takes in the time of `lp`'s own CLOCK_MONOTONIC, by which scripts are judged.
    pub fn tick(&mut self, at_ns: u64) -> Vec<Decision> {
        self.now_us = self.now_us.max(at_ns / 1000);
        if self.stopping {
            return Vec::new();
        }
        let (timing, now_us) = (self.timing, self.now_us);
        let mut decisions = Vec::new();
        if self.scripts_due_us <= now_us {
            for index in 0..self.scripts.len() {
                self.change_script(index, &mut decisions, |script| script.tick(timing, now_us));
            }
            let due = self.scripts.iter().map(|script| script.due_us(timing));
            self.scripts_due_us = due.min().unwrap_or(u64::MAX);
        }
        self.stop_if_over(decisions)
    }

    /// Takes in that a script was started at `at_ns` of CLOCK_MONOTONIC.
    ///
    /// # Panics
    /// If the set-up has no such script; so do the next three.
    pub fn script_started(&mut self, script: ScriptId, at_ns: u64) {
        let script = &mut self.scripts[script.index()];
        script.started(at_ns / 1000);
        self.scripts_due_us = self.scripts_due_us.min(script.due_us(self.timing));
    }

    /// Takes in a figure that a script printed in a line that was read at `at_ns`.
    pub fn script_figure(&mut self, script: ScriptId, at_ns: u64, figure: &Figure) -> Vec<Decision> {
        // Figures that drain belong to no window.
        if !self.stopping {
            let script = &mut self.scripts[script.index()];
            script.figure(self.timing, at_ns / 1000, figure);
            self.scripts_due_us = self.scripts_due_us.min(script.due_us(self.timing));
        }
        self.tick(at_ns)
    }

    /// Takes in that a script has ended.
    pub fn script_ended(&mut self, script: ScriptId, at_ns: u64, end: &ScriptEnd) -> Vec<Decision> {
        let (timing, stopping, at_us) = (self.timing, self.stopping, at_ns / 1000);
        self.now_us = self.now_us.max(at_us);
        let mut decisions = Vec::new();
        self.change_script(script.index(), &mut decisions, |script| {
            let asked = stopping || script.failure.is_some();
            script.ended(timing, at_us, end, asked)
        });
        self.stop_if_over(decisions)
    }

    /// Takes in a script's output: the begin and the end, and how many bytes in between
    /// were omitted.
    pub fn script_printed(&mut self, script: ScriptId, (output, left_out): (String, u64)) {
        self.scripts[script.index()].printed(output, left_out);
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
            mut series,
            pending,
            programs,
            mut missing,
            beside,
            stopping,
            interrupted,
            ..
        } = self;
        let origin_us = setup.origin_ns / 1000;
        let since = |at_us: &mut u64| *at_us = at_us.saturating_sub(origin_us);

        let has_failed = |id: &StreamId| streams[id.index()].failure.is_some();
        let explained: Vec<bool> =
            workers.iter().map(|worker| worker.streams.iter().any(has_failed)).collect();
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
                dialect: member.dialect,
                clip: member.clip,
            })
            .collect();
        drop((streams, scripts));

        series.iter_mut().zip(pending).for_each(|(series, pending)| thin::finish_series(series, pending));
        series.iter_mut().flat_map(|series| &mut series.at_us).for_each(since);
        let collectors = collectors::finish(beside, &mut series, &mut missing, since);
        let workers =
            setup.workers.into_iter().zip(workers).zip(explained).map(|((name, worker), failed)| {
                let Worker { samples, mut details, death, stderr_tail, .. } = worker;
                let mut samples = samples.into_samples();
                details.iter_mut().for_each(|details| since(&mut details.at_us));
                samples.iter_mut().for_each(|sample| since(&mut sample.at_us));
                let keep = failed || death.is_some();
                let stderr_tail = if keep { stderr_tail } else { String::new() };
                WorkerRecord { name, samples, details, death, stderr_tail }
            });
        RunRecord {
            version: VERSION,
            subject: setup.subject,
            started: setup.started,
            utc_offset_s: None,
            tag: None,
            provenance: None,
            conditions: setup.conditions,
            host: setup.host,
            members,
            series,
            workers: workers.collect(),
            server: None,
            programs,
            missing,
            idle: setup.idle,
            collectors,
            interrupted,
            inputs_changed: Vec::new(),
            other_counts: Vec::new(),
            imported: None,
            thresholds: Vec::new(),
            searches: Vec::new(),
        }
    }

    fn requested(&self, worker: usize, id: u64) -> Vec<StreamId> {
        self.workers[worker].requests.get(&id).cloned().unwrap_or_default()
    }

    /// Changes a stream by what is known now; `change` returns the reason if that made it fail.
    fn change(
        &mut self,
        id: StreamId,
        decisions: &mut Vec<Decision>,
        change: impl FnOnce(&mut Stream) -> Option<String>,
    ) {
        let stream = &mut self.streams[id.index()];
        let was_open = !stream.is_settled();
        let failure = change(stream);
        self.n_open -= usize::from(was_open && stream.is_settled());
        let worker = &mut self.workers[stream.setup.worker];
        worker.hangs_us = worker.hangs_us.min(stream.hangs_us());
        decisions.extend(failure.map(|reason| Decision::StreamFailed { stream: id, reason }));
    }

    /// As [`RecordBuilder::change`], for a script.
    fn change_script(
        &mut self,
        index: usize,
        decisions: &mut Vec<Decision>,
        change: impl FnOnce(&mut Script) -> Option<String>,
    ) {
        let script = &mut self.scripts[index];
        let was_open = !script.is_settled();
        let failure = change(script);
        self.n_open -= usize::from(was_open && script.is_settled());
        let id = ScriptId(u32::try_from(index).expect("ids are counted in 32 bits"));
        decisions.extend(failure.map(|reason| Decision::ScriptFailed { script: id, reason }));
    }

    /// Looks for streams of a worker that hang, if one may.
    fn check_hangs(&mut self, worker: usize, decisions: &mut Vec<Decision>) {
        let now_us = self.workers[worker].now_us;
        if self.stopping || now_us < self.workers[worker].hangs_us {
            return;
        }
        let streams = std::mem::take(&mut self.workers[worker].streams);
        for id in &streams {
            self.change(*id, decisions, |stream| stream.check_hang(now_us));
        }
        let hangs_us = streams.iter().map(|id| self.streams[id.index()].hangs_us()).min();
        let worker = &mut self.workers[worker];
        worker.hangs_us = hangs_us.unwrap_or(u64::MAX);
        worker.streams = streams;
    }

    /// Adds to what was decided that the run is over, if it now is.
    fn stop_if_over(&mut self, mut decisions: Vec<Decision>) -> Vec<Decision> {
        if !self.stopping && self.n_open == 0 {
            self.stopping = true;
            decisions.push(Decision::StopAll);
        }
        decisions
    }
}
