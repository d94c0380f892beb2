//! A running session: it receives the messages of workers and scripts by channels,
//! `record::build` decides, and the session carries the decisions out.
//!
//! The work per message does not grow with the number of streams: a message finds its
//! stream by an id, and active workers and scripts are counted. Not here: processes. A
//! worker is a [`Player`], which takes orders; its messages come by a channel.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select, tick};

use super::collector::{CollectorLoad, CollectorMessage, CollectorOver};
use super::script::ScriptMessage;
use super::{Redaction, SILENCE};
use crate::collect::{CollectError, Collector};
use crate::name::Slug;
use crate::os;
use crate::os::process::{Asked, Beside, Cancel, Canceller};
use crate::pipeline::PipelineSpec;
use crate::pipeline::removal::Removal;
use crate::record::RunRecord;
use crate::record::build::{CollectorEnd, Decision, RecordBuilder, ScriptEnd, ScriptId, Setup, StreamId};
use crate::record::density::SettingRecord;
use crate::record::foreign::Figure;
use crate::search::Ask;
use crate::search::limiter::Experiment;
use crate::worker::client::{Worker, WorkerMessage};
use crate::worker::error::WorkerError;
use crate::worker::protocol::{Event, EventBody, Keep, StreamName, Tap};

/// The most values of programs that wait for the session.
const PROGRAM_MESSAGES: usize = 256;

/// What there is to see of a run while it is measured.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// A worker reported something about a stream of this member.
    Stream(&'a Slug, &'a EventBody),
    /// A script (`camera-3/2`) of this member printed a figure.
    Script(&'a Slug, &'a str, &'a Figure),
    /// A stream or a script (`camera-3/2`) has failed, for this reason.
    Failed(&'a str, &'a str),
    /// The run as a whole: when it begins, twice a second, and when it ends.
    Moment(&'a RecordBuilder),
    /// A search for the density measures this next.
    Asked(&'a Ask),
    /// A load that fails is played without this.
    Trying(&'a Removal),
    /// It has ended.
    Tried(&'a Experiment),
    /// A setting of a search has ended, or was kept from an earlier attempt.
    Setting(&'a SettingRecord),
}

/// Receives the observations of a run.
pub type Watch<'a> = dyn Fn(Observation<'_>) + Sync + 'a;

/// The least time between two moments that are shown, except the last.
const MOMENT: Duration = Duration::from_millis(500);

/// How long messages of workers are left in their channel after some were heard. A worker
/// reports once a second, each at another time: to wake up for each report would cost more
/// than to read it. Nothing is lost by the delay, as the times in the messages decide.
const PAUSE: Duration = Duration::from_millis(50);

/// A worker as a receiver of orders.
pub trait Player {
    /// Asks it to play a pipeline. The id that its answer will carry.
    fn start(
        &mut self,
        stream: StreamName,
        spec: PipelineSpec,
        seed: u64,
        also: Vec<Tap>,
        keep: Keep,
    ) -> Result<u64, WorkerError>;

    /// Its process.
    fn pid(&self) -> u32;

    /// Asks it to end a stream.
    fn stop(&mut self, stream: &str) -> Result<u64, WorkerError>;

    /// Asks it to end all streams and itself. Returns at once.
    fn finish(self);

    /// Kills it. Returns at once.
    fn kill(self);
}

impl Player for Worker {
    fn start(
        &mut self,
        stream: StreamName,
        spec: PipelineSpec,
        seed: u64,
        also: Vec<Tap>,
        keep: Keep,
    ) -> Result<u64, WorkerError> {
        self.start_keeping(stream, spec, seed, also, keep)
    }

    fn pid(&self) -> u32 {
        Worker::pid(self)
    }

    fn stop(&mut self, stream: &str) -> Result<u64, WorkerError> {
        self.stop_stream(stream)
    }

    fn finish(self) {
        Worker::finish(self);
    }

    fn kill(self) {
        Worker::kill(self);
    }
}

/// Makes the record of a run from recorded messages of its workers, without a process.
/// The last message of each worker is its exit.
#[must_use]
pub fn replay(setup: &Setup, messages: &Receiver<(usize, WorkerMessage)>) -> RunRecord {
    let players: Vec<Option<Worker>> = setup.workers.iter().map(|_| None).collect();
    let redaction = Redaction::default();
    let mut session = Session::new(setup.clone(), &redaction, &|_| {}, players);
    session.listen(messages, &never(), &Cancel::never());
    session.finish()
}

/// A session between the start of its workers and its record.
pub(super) struct Session<'a, P> {
    setup: Setup,
    secrets: &'a Redaction,
    watch: &'a Watch<'a>,
    builder: RecordBuilder,
    /// By [`StreamId`].
    streams: Vec<Stream>,
    /// By [`ScriptId`].
    scripts: Vec<Script>,
    workers: Vec<WorkerState<P>>,
    /// What an earlier run of the session had, until it has ended.
    leaving: Leaving,
    /// The longest part of a stream's window that has passed, in microseconds.
    longest_us: u64,
    /// Workers and scripts that may still send messages.
    n_speaking: usize,
    /// Each with its name.
    collectors: Vec<(&'static str, Box<dyn Collector>)>,
    /// Programs of the user's beside the run.
    beside: Programs,
    stopping: bool,
    /// When a second has passed.
    seconds: Receiver<Instant>,
    /// When the run as a whole was shown last.
    shown: Option<Instant>,
}

/// Programs of the user's beside a run.
struct Programs {
    /// Of those that run, by their numbers in the record; dropping one ends it.
    cancellers: BTreeMap<usize, Canceller>,
    /// The processes of those that were started.
    pids: Vec<u32>,
    sender: Sender<(usize, CollectorMessage)>,
    said: Receiver<(usize, CollectorMessage)>,
}

struct Stream {
    name: StreamName,
    member: Slug,
    worker: usize,
}

struct Script {
    name: StreamName,
    member: Slug,
    /// `None` after it was asked to end, or if it could not be started.
    canceller: Option<Canceller>,
    /// Whether its output is not over.
    speaks: bool,
}

/// A worker, and the time of its last message.
struct WorkerState<P> {
    /// `None` after it was asked to end, or has ended.
    player: Option<P>,
    has_exited: bool,
    heard: Instant,
    /// It was killed for having said nothing.
    was_silent: bool,
    /// Its streams that have not failed.
    n_sound: usize,
}

impl Programs {
    fn none() -> Programs {
        let (sender, said) = bounded(PROGRAM_MESSAGES);
        Programs { cancellers: BTreeMap::new(), pids: Vec::new(), sender, said }
    }
}

impl<P> WorkerState<P> {
    fn new(player: Option<P>) -> WorkerState<P> {
        WorkerState { player, has_exited: false, heard: Instant::now(), was_silent: false, n_sound: 0 }
    }
}

/// Why a session listens no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Over,
    /// The time has passed.
    Late,
    Cancelled,
}

/// Workers, streams and scripts that have been asked to end and have not ended.
#[derive(Default)]
struct Leaving {
    workers: usize,
    /// Of workers that go on.
    streams: HashSet<StreamName>,
    scripts: usize,
}

impl<'a, P: Player> Session<'a, P> {
    /// A session without events. `players` are the set-up's workers.
    pub(super) fn new(
        setup: Setup,
        secrets: &'a Redaction,
        watch: &'a Watch<'a>,
        players: Vec<Option<P>>,
    ) -> Session<'a, P> {
        let workers: Vec<WorkerState<P>> = players.into_iter().map(WorkerState::new).collect();
        let mut session = Session {
            builder: RecordBuilder::new(setup.clone()),
            n_speaking: workers.len(),
            streams: Vec::new(),
            scripts: Vec::new(),
            workers,
            leaving: Leaving::default(),
            longest_us: 0,
            setup,
            secrets,
            watch,
            collectors: Vec::new(),
            beside: Programs::none(),
            stopping: false,
            seconds: tick(Duration::from_secs(1)),
            shown: None,
        };
        session.enrol();
        session
    }

    /// Takes in the streams and scripts of the set-up that it does not have yet.
    fn enrol(&mut self) {
        let Session { setup, streams, scripts, workers, .. } = self;
        let new_streams = setup.streams().skip(streams.len()).map(|(_, member, stream)| Stream {
            name: stream.stream.clone(),
            member: member.slug.clone(),
            worker: stream.worker,
        });
        for stream in new_streams.collect::<Vec<_>>() {
            workers[stream.worker].n_sound += 1;
            streams.push(stream);
        }
        let new_scripts = setup.scripts().skip(scripts.len()).map(|(_, member, script)| Script {
            name: script.stream.clone(),
            member: member.slug.clone(),
            canceller: None,
            speaks: false,
        });
        scripts.extend(new_scripts);
    }

    /// Goes on with the run of `setup`. It begins with the members of this one, or this one
    /// with its members. What it has plays on, and what it has not is asked to end; `players`
    /// are its further workers. The collectors of this run end.
    pub(super) fn go_on(&mut self, setup: Setup, players: Vec<P>) {
        self.builder = self.builder.go_on(setup.clone());
        let n_workers = setup.workers.len().min(self.workers.len());
        for state in self.workers.drain(n_workers..) {
            state.player.into_iter().for_each(Player::finish);
            self.leaving.workers += usize::from(!state.has_exited);
            self.n_speaking -= usize::from(!state.has_exited);
        }
        let n_streams = setup.streams().count().min(self.streams.len());
        for stream in self.streams.drain(n_streams..) {
            let Some(state) = self.workers.get_mut(stream.worker) else { continue };
            state.n_sound -= 1;
            if let Some(player) = &mut state.player {
                // If it has died, its exit gives the reason.
                let _ = player.stop(&stream.name);
                self.leaving.streams.insert(stream.name);
            }
        }
        // Dropping the canceller ends a script.
        let n_scripts = setup.scripts().count().min(self.scripts.len());
        let n_gone = self.scripts.drain(n_scripts..).filter(|script| script.speaks).count();
        self.leaving.scripts += n_gone;
        self.n_speaking -= n_gone;
        self.n_speaking += players.len();
        self.workers.extend(players.into_iter().map(|player| WorkerState::new(Some(player))));
        self.collectors.clear();
        self.longest_us = 0;
        self.stopping = false;
        self.setup = setup;
        self.enrol();
    }

    /// Asks everything to end.
    fn end(&mut self) {
        self.stopping = true;
        self.workers.iter_mut().filter_map(|state| state.player.take()).for_each(Player::finish);
        self.scripts.iter_mut().for_each(|script| script.canceller = None);
        self.beside.cancellers.clear();
    }

    /// Whether all has ended that was asked to end by [`Session::go_on`].
    pub(super) fn has_changed(&self) -> bool {
        self.leaving.workers == 0 && self.leaving.streams.is_empty() && self.leaving.scripts == 0
    }

    pub(super) fn builder(&self) -> &RecordBuilder {
        &self.builder
    }

    /// The longest part of a stream's window that has passed, in seconds.
    pub(super) fn window_s(&self) -> f64 {
        self.longest_us as f64 / 1e6
    }

    /// The record as if the run were stopped now.
    pub(super) fn so_far(&self) -> RunRecord {
        self.builder.so_far()
    }

    /// The process ids of its workers.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.workers.iter().filter_map(|state| state.player.as_ref()).map(Player::pid).collect()
    }

    /// The record of all messages.
    pub(super) fn finish(self) -> RunRecord {
        self.builder.finish()
    }

    pub(super) fn name(&self, stream: StreamId) -> &str {
        &self.streams[stream.index()].name
    }

    pub(super) fn member(&self, stream: StreamId) -> &Slug {
        &self.streams[stream.index()].member
    }

    /// The worker that plays a stream, unless it was asked to end.
    pub(super) fn player(&mut self, stream: StreamId) -> Option<&mut P> {
        self.workers[self.streams[stream.index()].worker].player.as_mut()
    }

    pub(super) fn n_workers(&self) -> usize {
        self.workers.len()
    }

    pub(super) fn n_streams(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn n_scripts(&self) -> usize {
        self.scripts.len()
    }

    pub(super) fn asked_to_start(&mut self, stream: StreamId, request: u64, at_ns: u64) {
        self.builder.asked_to_start(stream, request, at_ns);
    }

    /// A script has started; dropping `canceller` ends it.
    pub(super) fn script_started(&mut self, script: ScriptId, at_ns: u64, canceller: Canceller) {
        let state = &mut self.scripts[script.index()];
        (state.canceller, state.speaks) = (Some(canceller), true);
        self.n_speaking += 1;
        self.builder.script_started(script, at_ns);
    }

    pub(super) fn script_not_started(&mut self, script: ScriptId, at_ns: u64, end: &ScriptEnd) {
        self.builder.script_started(script, at_ns);
        let decisions = self.builder.script_ended(script, at_ns, end);
        self.obey(decisions);
    }

    /// Samples a collector from now on, or keeps the reason why it cannot run.
    pub(super) fn collect(&mut self, name: &'static str, started: Result<Box<dyn Collector>, CollectError>) {
        match started {
            Ok(collector) => {
                for (part, reason) in collector.missing() {
                    self.builder.missing(&part, &reason);
                }
                self.collectors.push((name, collector));
            }
            Err(error) => self.builder.missing(name, &error.reason()),
        }
    }

    /// Listens until every worker and every script has ended.
    pub(super) fn listen(
        &mut self,
        messages: &Receiver<(usize, WorkerMessage)>,
        said: &Receiver<(ScriptId, ScriptMessage)>,
        cancel: &Cancel,
    ) {
        let mut cancelled = cancel.clone();
        self.show_moment();
        while self.n_speaking > 0 {
            let is_over = |session: &Session<'a, P>| session.n_speaking == 0;
            if self.listen_until(messages, said, &cancelled, None, is_over) == Heard::Cancelled {
                cancelled = Cancel::never();
                self.interrupt(os::clock::monotonic_ns());
            }
        }
    }

    /// Listens until `is_over`, which is asked after each message, at most so long. Of the
    /// messages, those after the one that decides are left.
    pub(super) fn listen_until(
        &mut self,
        messages: &Receiver<(usize, WorkerMessage)>,
        said: &Receiver<(ScriptId, ScriptMessage)>,
        cancel: &Cancel,
        at_most: Option<Duration>,
        mut is_over: impl FnMut(&Session<'a, P>) -> bool,
    ) -> Heard {
        let seconds = self.seconds.clone();
        let late = at_most.map_or_else(never, after);
        let cancelled: Receiver<Infallible> = cancel.receiver().clone();
        let (mut messages, mut said) = (messages.clone(), said.clone());
        let read = self.beside.said.clone();
        let (nothing, mut pause) = (never(), None);
        while !is_over(self) {
            let open = if pause.is_some() { &nothing } else { &messages };
            select! {
                recv(open) -> message => match message {
                    Ok((index, message)) => {
                        let waiting = messages.len();
                        self.hear(index, message);
                        for _ in 0..waiting {
                            if is_over(self) {
                                return Heard::Over;
                            }
                            let Ok((index, message)) = messages.try_recv() else { break };
                            self.hear(index, message);
                        }
                        pause = Some(after(PAUSE));
                    }
                    // All workers have ended.
                    Err(_) => messages = never(),
                },
                recv(pause.as_ref().unwrap_or(&never())) -> _ => pause = None,
                recv(said) -> message => match message {
                    Ok((script, message)) => self.hear_script(script, message),
                    Err(_) => said = never(),
                },
                // The session itself holds the other end.
                recv(read) -> message => message.into_iter().for_each(|(id, message)| self.hear_program(id, message)),
                recv(seconds) -> _ => self.second(os::clock::monotonic_ns(), Instant::now()),
                recv(late) -> _ => return Heard::Late,
                recv(cancelled) -> _ => return Heard::Cancelled,
            }
            if !self.stopping && self.shown.is_none_or(|shown| shown.elapsed() >= MOMENT) {
                self.show_moment();
            }
        }
        Heard::Over
    }

    fn show_moment(&mut self) {
        self.shown = Some(Instant::now());
        (self.watch)(Observation::Moment(&self.builder));
    }

    /// A second has passed.
    fn second(&mut self, at_ns: u64, now: Instant) {
        self.sample(at_ns);
        self.end_the_silent(now);
        let decisions = self.builder.tick(at_ns);
        self.longest_us = self.longest_us.max(self.builder.script_window_us());
        self.obey(decisions);
    }

    /// The user interrupts the run.
    fn interrupt(&mut self, at_ns: u64) {
        let mut decisions = self.builder.tick(at_ns);
        decisions.extend(self.builder.interrupt());
        self.obey(decisions);
    }

    fn hear_script(&mut self, script: ScriptId, message: ScriptMessage) {
        if self.scripts.len() <= script.index() {
            self.leaving.scripts -= usize::from(matches!(message, ScriptMessage::Over { .. }));
            return;
        }
        let decisions = match message {
            ScriptMessage::Figure { at_ns, figure } => {
                let Script { name, member, .. } = &self.scripts[script.index()];
                if !self.stopping {
                    (self.watch)(Observation::Script(member, name, &figure));
                }
                self.builder.script_figure(script, at_ns, &figure)
            }
            ScriptMessage::Ended { at_ns, end } => self.builder.script_ended(script, at_ns, &end),
            ScriptMessage::Over { output } => {
                self.n_speaking -= 1;
                self.scripts[script.index()].speaks = false;
                self.builder.script_printed(script, output);
                return;
            }
        };
        self.obey(decisions);
    }

    /// Starts a program of the user's beside the run by `run`, which may not wait for it.
    pub(super) fn start_beside<'l>(
        &mut self,
        load: &'l CollectorLoad,
        run: impl FnOnce(usize, &'l CollectorLoad, Beside, Cancel, Sender<(usize, CollectorMessage)>),
    ) {
        let started = load.start(&self.pids()).and_then(|beside| {
            // Without a canceller it would never end.
            let (canceller, cancel) = os::process::cancel_pair()?;
            Ok((beside, canceller, cancel))
        });
        let at_ns = os::clock::monotonic_ns();
        let result = started.as_ref().map(|_| at_ns).map_err(ToString::to_string);
        let id = self.builder.collector_started(load.record(), result);
        if let Ok((beside, canceller, cancel)) = started {
            self.beside.cancellers.insert(id, canceller);
            self.beside.pids.push(beside.pid());
            self.n_speaking += 1;
            run(id, load, beside, cancel, self.beside.sender.clone());
        }
    }

    /// The processes of the programs beside the run.
    pub(super) fn pids_beside(&self) -> &[u32] {
        &self.beside.pids
    }

    fn hear_program(&mut self, id: usize, message: CollectorMessage) {
        match message {
            CollectorMessage::Read { at_ns, reading } => self.builder.collector_read(id, at_ns, &reading),
            CollectorMessage::Over(over) => {
                self.n_speaking -= 1;
                self.beside.cancellers.remove(&id);
                let CollectorOver { at_ns, how, asked, fit, doubts, complaint, not_kept, has_replaced_file } =
                    *over;
                let asked = match asked {
                    Asked::Never => None,
                    Asked::Interrupt => Some("SIGINT"),
                    Asked::Terminate => Some("SIGTERM"),
                    Asked::Kill => Some("SIGKILL"),
                };
                let end =
                    CollectorEnd { at_ns, how, asked, fit, doubts, complaint, not_kept, has_replaced_file };
                self.builder.collector_ended(id, end);
            }
        }
    }

    fn hear(&mut self, index: usize, message: WorkerMessage) {
        if self.workers.len() <= index {
            self.leaving.workers -= usize::from(matches!(message, WorkerMessage::Exited(_)));
            return;
        }
        let decisions = match message {
            WorkerMessage::Event(mut event) => {
                self.workers[index].heard = Instant::now();
                if let EventBody::Ended { stream, .. } = &event.body {
                    self.leaving.streams.remove(stream);
                }
                self.secrets.clear(&mut event.body);
                self.show(index, &event);
                let decisions = self.builder.observe(index, &event);
                let window_us = self.builder.window_of(index, &event.body);
                self.longest_us = self.longest_us.max(window_us.unwrap_or(0));
                decisions
            }
            WorkerMessage::Malformed(text) => {
                let text = self.secrets.without(text);
                tracing::warn!(worker = self.setup.workers[index].as_str(), text, "a line is not an event");
                return;
            }
            WorkerMessage::Exited(mut exit) => {
                self.secrets.clear_exit(&mut exit);
                self.n_speaking -= 1;
                (self.workers[index].player, self.workers[index].has_exited) = (None, true);
                // Streams that have been asked to end have ended with it.
                self.leaving.streams.clear();
                let death = match self.workers[index].was_silent {
                    true => Some(format!("it sent nothing for {} s, so `lp` killed it", SILENCE.as_secs())),
                    false => (!exit.exit.success()).then(|| exit.exit.to_string()),
                };
                self.builder.worker_exited(index, death.as_deref(), &exit.stderr_tail)
            }
        };
        self.obey(decisions);
    }

    fn show(&self, worker: usize, event: &Event) {
        // Frames that drain belong to no window.
        if self.stopping {
            return;
        }
        let stream = event.body.stream().and_then(|name| self.builder.stream_of(worker, name));
        if let Some(stream) = stream {
            (self.watch)(Observation::Stream(self.member(stream), &event.body));
        }
    }

    fn obey(&mut self, decisions: Vec<Decision>) {
        for decision in decisions {
            match decision {
                Decision::StreamFailed { stream, reason } => {
                    let name = self.name(stream);
                    tracing::info!(stream = name, reason, "a stream has failed");
                    (self.watch)(Observation::Failed(name, &reason));
                    self.end_failed(stream);
                }
                Decision::ScriptFailed { script, reason } => {
                    let script = &mut self.scripts[script.index()];
                    tracing::info!(script = script.name.as_str(), reason, "a script has failed");
                    (self.watch)(Observation::Failed(&script.name, &reason));
                    script.canceller = None;
                }
                Decision::StopAll => {
                    self.show_moment();
                    self.end();
                }
            }
        }
    }

    fn end_failed(&mut self, stream: StreamId) {
        let Stream { name, worker, .. } = &self.streams[stream.index()];
        let state = &mut self.workers[*worker];
        state.n_sound -= 1;
        if let Some(player) = &mut state.player {
            // If it has died, its exit gives the reason.
            let _ = player.stop(name);
        }
        // A worker whose streams have all failed has nothing left to report; a
        // pipeline that hangs does not end when it is asked to.
        if state.n_sound == 0
            && let Some(player) = state.player.take()
        {
            player.finish();
        }
    }

    fn sample(&mut self, at_ns: u64) {
        let builder = &mut self.builder;
        self.collectors.retain_mut(|(name, collector)| match collector.sample(at_ns) {
            Ok(values) => {
                builder.collected(at_ns, collector.series(), &values);
                builder.programs(&collector.programs());
                for (part, reason) in collector.missing() {
                    builder.missing(&part, &reason);
                }
                true
            }
            // After a stall two ticks follow each other at once: only this sample is lost.
            Err(CollectError::TooSoon) => true,
            Err(error) => {
                builder.missing(name, &error.reason());
                false
            }
        });
    }

    fn end_the_silent(&mut self, now: Instant) {
        for state in &mut self.workers {
            if SILENCE < now.saturating_duration_since(state.heard)
                && let Some(player) = state.player.take()
            {
                state.was_silent = true;
                player.kill();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::super::fixture::{camera, exit, frames, hear, scripted, session, session_seen_by, setup};
    use super::*;
    use crate::collect::{Place, Series, machine};
    use crate::os::process::cancel_pair;
    use crate::record::foreign::figure;

    #[test]
    fn all_workers_end_after_the_last_measurement() {
        let setup = setup(&["a", "b"], &[camera("a", 0, 1), camera("b", 1, 1)]);
        let (session, told) = session(&setup);
        let spoken = [
            (0, frames(1, "a/1")),
            (1, frames(1, "b/1")),
            (0, frames(9, "a/1")),
            (1, frames(8, "b/1")),
            (1, frames(9, "b/1")),
        ];
        let record = hear(session, &spoken.each_ref().map(|(worker, text)| (*worker, text.as_str())));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["0 finish", "1 finish"]);
        assert!(record.is_complete());
    }

    #[test]
    fn a_worker_ends_when_all_its_streams_have_failed() {
        let setup = setup(&["a", "b"], &[camera("a", 0, 2), camera("b", 1, 1)]);
        let (session, told) = session(&setup);
        let ended = r#"{"at":2000000000,"event":"ended","stream":"a/1","end":{"end":"eos"}}"#;
        let other = ended.replace("a/1", "a/2");
        hear(session, &[(0, ended), (0, &frames(3, "a/2")), (0, &other), (1, &frames(3, "b/1"))]);
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["0 stop a/1", "0 stop a/2", "0 finish"]);
    }

    #[test]
    fn events_about_streams_of_other_workers_are_ignored() {
        let setup = setup(&["a", "b"], &[camera("a", 0, 1), camera("b", 1, 1)]);
        let (session, told) = session(&setup);
        let ended = r#"{"at":2000000000,"event":"ended","stream":"a/1","end":{"end":"eos"}}"#;
        hear(session, &[(1, ended)]);
        assert_eq!(told.try_iter().count(), 0);
    }

    /// Returns these results, one per sample: a value, or an error.
    struct Counter([Series; 1], std::vec::IntoIter<Result<f64, CollectError>>);

    impl Counter {
        fn boxed(name: &str, samples: Vec<Result<f64, CollectError>>) -> Box<dyn Collector> {
            Box::new(Counter([Series { name: name.to_owned(), unit: "W" }], samples.into_iter()))
        }
    }

    impl Collector for Counter {
        fn series(&self) -> &[Series] {
            &self.0
        }

        fn sample(&mut self, _: u64) -> Result<Vec<Option<f64>>, CollectError> {
            self.1.next().expect("the session takes no sample after an error").map(|value| vec![Some(value)])
        }
    }

    fn unreadable() -> CollectError {
        CollectError::Format { path: "/proc/stat".into(), expected: "a line `cpu0`" }
    }

    #[test]
    fn collectors_share_one_time_and_their_errors_are_kept() {
        let setup = setup(&[], &[scripted("a", 1)]);
        let (mut session, _told) = session(&setup);
        session.collect("npu", Err(unreadable()));
        session.collect("gpu", Ok(Counter::boxed("gpu.power", vec![Ok(1.0), Ok(2.0), Err(unreadable())])));
        session.collect("psu", Ok(Counter::boxed("psu.power", vec![Ok(0.0), Ok(1.0), Ok(2.0), Ok(3.0)])));
        (1..=4).for_each(|second| session.second(second * 1_000_000, Instant::now()));
        let record = session.finish();
        let points = |name: &str| record.series_of(name).unwrap().points().collect::<Vec<_>>();
        assert_eq!(points("gpu.power"), [(1_000, 1.0), (2_000, 2.0)]);
        assert_eq!(points("psu.power"), [(1_000, 0.0), (2_000, 1.0), (3_000, 2.0), (4_000, 3.0)]);
        assert_eq!(record.missing.keys().collect::<Vec<_>>(), ["gpu", "npu"]);
        assert_eq!(record.series[0].unit, "W");
    }

    #[test]
    fn a_sample_that_comes_too_soon_is_only_skipped() {
        let setup = setup(&[], &[scripted("a", 1)]);
        let (mut session, _told) = session(&setup);
        let samples = vec![Ok(1.0), Err(CollectError::TooSoon), Ok(3.0)];
        session.collect("psu", Ok(Counter::boxed("psu.power", samples)));
        session.collect("machine", machine::start(&Place::here(Path::new("/"))));
        let begin_ns = os::clock::monotonic_ns();
        // The second tick follows a stall.
        for since_ms in [1_000, 1_005, 2_000] {
            session.second(begin_ns + since_ms * 1_000_000, Instant::now());
        }
        let record = session.finish();
        let count = |name: &str| record.series_of(name).unwrap().points().count();
        assert_eq!(["psu.power", machine::CPU, machine::MEMORY].map(count), [2, 2, 2]);
        assert!(record.missing.is_empty(), "{:?}", record.missing);
    }

    #[test]
    fn a_silent_worker_is_killed() {
        let setup = setup(&["a", "b"], &[camera("a", 0, 1), camera("b", 1, 1)]);
        let (mut session, told) = session(&setup);
        let now = Instant::now();
        session.workers[1].heard = now + SILENCE;
        session.second(1, now + SILENCE / 2);
        assert_eq!(told.try_iter().count(), 0);
        session.second(2, now + SILENCE + Duration::from_secs(1));
        session.second(3, now + SILENCE + Duration::from_secs(2));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["0 kill"]);
        // One that says what is no event is as silent.
        session.workers[1].heard = now;
        session.hear(1, WorkerMessage::Malformed("hello".to_owned()));
        session.second(4, now + SILENCE + Duration::from_secs(3));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["1 kill"]);
        (0..2).for_each(|worker| session.hear(worker, exit()));
        let record = session.finish();
        let deaths: Vec<_> = record.workers.iter().filter_map(|worker| worker.death.as_deref()).collect();
        assert_eq!(deaths, ["it sent nothing for 20 s, so `lp` killed it"; 2]);
    }

    #[test]
    fn frames_that_drain_are_not_watched() {
        let setup = setup(&["a"], &[camera("a", 0, 1)]);
        let seen = Mutex::new(Vec::new());
        let watch = |seen_now: Observation<'_>| {
            let Observation::Stream(slug, EventBody::Frames { played, .. }) = seen_now else { return };
            seen.lock().unwrap().push((slug.to_string(), *played));
        };
        let (mut session, _told) = session_seen_by(&setup, &watch);
        let mut say = |second| {
            let event = serde_json::from_str(&frames(second, "a/1")).unwrap();
            session.hear(0, WorkerMessage::Event(event));
        };
        say(1);
        say(9);
        say(10);
        assert_eq!(*seen.lock().unwrap(), [("a".to_owned(), 1), ("a".to_owned(), 9)]);
    }

    #[test]
    fn a_script_that_fails_is_ended_alone() {
        let setup = setup(&[], &[scripted("a", 2)]);
        let (mut session, _told) = session(&setup);
        let mut cancels = Vec::new();
        for id in [0, 1] {
            let (canceller, cancel) = cancel_pair().unwrap();
            session.script_started(ScriptId(id), 0, canceller);
            cancels.push(cancel);
        }
        let line = b"FpsCounter(last 1.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps";
        let figure = figure(line).unwrap();
        session.hear_script(ScriptId(0), ScriptMessage::Figure { at_ns: 1_000_000_000, figure });
        let end = ScriptEnd::Ended { how: "exited with status 3".to_owned(), success: false };
        session.hear_script(ScriptId(0), ScriptMessage::Ended { at_ns: 2_000_000_000, end });
        assert_eq!(cancels.iter().map(Cancel::is_cancelled).collect::<Vec<_>>(), [true, false]);
        session.second(60_000_000_000, Instant::now());
        assert!(cancels.iter().all(Cancel::is_cancelled), "the other is measured, so all is over");
    }

    #[test]
    fn an_interrupt_stops_all_and_the_session_listens_to_the_end() {
        let setup = setup(&["a"], &[camera("a", 0, 1)]);
        let (mut session, told) = session(&setup);
        let (sender, messages) = crossbeam_channel::unbounded();
        let (canceller, cancel) = cancel_pair().unwrap();
        drop(canceller);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The worker ends when it is asked to.
                assert_eq!(told.recv().unwrap(), "0 finish");
                sender.send((0, exit())).unwrap();
            });
            session.listen(&messages, &never(), &cancel);
        });
        assert!(session.finish().interrupted);
    }

    #[test]
    fn a_recorded_run_is_replayed_without_a_worker() {
        let setup = setup(&["a"], &[camera("a", 0, 1)]);
        let (sender, messages) = crossbeam_channel::unbounded();
        for second in 1..10 {
            let event = serde_json::from_str(&frames(second, "a/1")).unwrap();
            sender.send((0, WorkerMessage::Event(event))).unwrap();
        }
        sender.send((0, exit())).unwrap();
        let record = replay(&setup, &messages);
        assert_eq!((record.members[0].streams[0].arrived_us.len(), record.is_complete()), (5, true));
    }
}
