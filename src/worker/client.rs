//! A client for a worker process.
//!
//! [`Worker::start`] starts one; its events go into a channel of the caller, with
//! the worker's index, so that one loop can receive those of many.
//! [`Worker::hello`], [`Worker::inspect`], [`Worker::describe`] and
//! [`Worker::try_spec`] wait for their answers; `start` and
//! `stop` of streams do not, their answers are events like all others.
//!
//! A worker ends by [`Worker::finish`], or by being dropped: its stdin is
//! closed, and after [`GRACE`] its container is removed and its process group
//! killed. The last message is always [`WorkerMessage::Exited`], with the exit and the
//! end of its stderr. Only [`wait_for_ends`] waits for that end; a process calls it
//! before its own end. A signal that ends the process kills the
//! workers first.
//!
//! Not here: the meaning of events (`session`), and starting processes (`os`).

use std::convert::Infallible;
use std::io::{self, PipeWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use rustix::process::Signal;

use super::error::{WorkerError, WorkerExit};
use super::launch::{Container, Launch, Reach};
use super::protocol::{
    Event, EventBody, Keep, Request, RequestBody, ServeRequest, ServedMount, StreamName, Tap, VERSION,
};
use crate::os;
use crate::os::fs::File;
use crate::os::pipes::{self, Ear};
use crate::os::process::{self, Exit, Group, PipedChild};
use crate::pipeline::PipelineSpec;
use crate::pipeline::machine::{BuildFault, Machine};
use crate::pipeline::usb::Format;
use crate::text::harmless_lines;

/// How long a worker may take to end when it is asked to.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long an answer that is waited for may take. The first GStreamer program of a
/// machine scans all plugins, which takes seconds.
const ANSWER: Duration = Duration::from_secs(60);

/// How long the rest of a dead worker's output is waited for: something that it
/// started may hold the pipe open.
const REST: Duration = Duration::from_secs(1);

/// How much of a dead worker's stderr is shown.
const TAIL: u64 = 4_096;

/// The longest line that is taken for an event.
const MAX_LINE: usize = 64 << 20;

/// How long a killed worker may take to disappear: one that hangs in the kernel does
/// not, and nothing can be done about it.
const GONE: Duration = Duration::from_secs(5);

/// The workers of this process that have not ended, as far as is known.
static HANDLES: Mutex<Vec<Handle>> = Mutex::new(Vec::new());

/// A message of a worker to the caller's channel.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkerMessage {
    Event(Event),
    /// A line that is not an event; the text quotes it.
    Malformed(String),
    /// It has ended. Nothing follows.
    Exited(WorkerExit),
}

/// Where a worker's messages go, with its index. An unbounded channel: a worker would
/// stop if nothing read its messages.
pub type Messages = Sender<(usize, WorkerMessage)>;

/// Ends a worker process.
#[derive(Clone, Debug)]
struct Handle {
    group: Arc<Group>,
    container: Option<Container>,
    /// Disconnected when it has ended.
    ended: Receiver<()>,
}

impl Handle {
    fn lives(&self) -> bool {
        self.ended.try_recv() == Err(TryRecvError::Empty)
    }

    /// Waits for its end, kills it after `grace`, and waits for that.
    fn end(&self, grace: Duration) {
        if self.ended.recv_timeout(grace) == Err(RecvTimeoutError::Timeout) {
            // First of all, since the engine's client may be another user's.
            self.container.iter().for_each(Container::remove);
            self.group.signal(Signal::KILL);
            let _ = self.ended.recv_timeout(GONE);
        }
    }
}

/// A worker process that runs.
#[derive(Debug)]
pub struct Worker {
    handle: Handle,
    stdin: Option<PipeWriter>,
    waiting: Arc<Mutex<ReaderState>>,
    next_id: u64,
    gstreamer: String,
    serves: bool,
    stages: bool,
    grace: Duration,
}

/// Between the caller and the thread that reads.
#[derive(Debug, Default)]
struct ReaderState {
    /// The request whose answer is waited for, and where its events go.
    answer: Option<(u64, Sender<EventBody>)>,
    /// The last event, as a line of JSON; empty if there was none.
    last_line: Vec<u8>,
    /// Set with the last message.
    exit: Option<WorkerExit>,
}

impl Worker {
    /// Starts one, whose stderr goes to the end of `stderr_log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        launch: &Launch,
        reach: &Reach,
        stderr_log: &Path,
        index: usize,
        messages: Messages,
    ) -> Result<Worker, WorkerError> {
        Worker::start_with(launch, reach, process::log_file(stderr_log), index, messages)
    }

    /// Starts a worker for questions about its machine, and checks its version.
    ///
    /// # Errors
    /// When it cannot be started, speaks another version of the protocol, or does
    /// not answer.
    pub fn ask_one(launch: &Launch, reach: &Reach) -> Result<Worker, WorkerError> {
        let (sender, _) = crossbeam_channel::unbounded();
        let mut worker = Worker::start_with(launch, reach, process::unnamed_log_file(), 0, sender)?;
        worker.hello()?;
        Ok(worker)
    }

    /// As [`Worker::start`], for a worker whose stderr nobody reads later.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_unlogged(launch: &Launch, reach: &Reach, messages: Messages) -> Result<Worker, WorkerError> {
        Worker::start_with(launch, reach, process::unnamed_log_file(), 0, messages)
    }

    fn start_with(
        launch: &Launch,
        reach: &Reach,
        stderr: io::Result<File>,
        index: usize,
        messages: Messages,
    ) -> Result<Worker, WorkerError> {
        // Before there is one to kill. Without a handler a signal ends this process alone.
        static AT_SIGNALS: Once = Once::new();
        AT_SIGNALS.call_once(|| drop(os::signal::before_the_end(kill_all)));
        let (command, container) = launch.command(reach);
        // From before it starts until it is known: a signal in between would leave it behind.
        let mut others = lock(&HANDLES);
        let started = stderr.and_then(|stderr| {
            let log = stderr.try_clone()?;
            Ok((PipedChild::start(&command, launch.dir(), stderr)?, log))
        });
        let (PipedChild { group, stdin, stdout }, log) = started.map_err(|source| WorkerError::Start {
            program: command.first().cloned().unwrap_or_default(),
            source,
        })?;
        let (group, waiting) = (Arc::new(group), Arc::new(Mutex::new(ReaderState::default())));
        let (alive, ended) = crossbeam_channel::bounded(0);
        let listener = Listener { waiting: Arc::clone(&waiting), index, messages };
        let (reading, at_end) = crossbeam_channel::bounded(0);
        let reader = Reader { listener: listener.clone(), _reading: reading };
        if let Err(source) = pipes::listen(stdout, MAX_LINE, reader) {
            group.signal(Signal::KILL);
            let program = command.first().cloned().unwrap_or_default();
            return Err(WorkerError::Start { program, source });
        }
        let (reaped, inside) = (Arc::clone(&group), container.clone());
        let handle = Handle { group, container, ended };
        others.retain(Handle::lives);
        others.push(handle.clone());
        drop(others);
        std::thread::spawn(move || {
            listener.wait(&reaped, inside.as_ref(), log, &at_end);
            drop(alive);
        });
        Ok(Worker {
            handle,
            stdin: Some(stdin),
            waiting,
            next_id: 1,
            gstreamer: String::new(),
            serves: false,
            stages: false,
            grace: GRACE,
        })
    }

    /// The process id, as this machine counts.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.handle.group.pid()
    }

    /// Asks for its version; to be called first.
    ///
    /// # Errors
    /// When it speaks another version of the protocol, or not at all.
    pub fn hello(&mut self) -> Result<(), WorkerError> {
        for event in self.ask(RequestBody::Hello)? {
            match event {
                EventBody::Hello { protocol: VERSION, gstreamer, serves, stages, .. } => {
                    (self.gstreamer, self.serves, self.stages) = (gstreamer, serves, stages);
                }
                EventBody::Hello { protocol: found, .. } => return Err(WorkerError::Version { found }),
                _ => {}
            }
        }
        Ok(())
    }

    /// Asks which of these factories its machine has.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn inspect(&mut self, factories: &[String]) -> Result<Machine, WorkerError> {
        let mut machine =
            Machine { protocol: VERSION, gstreamer: self.gstreamer.clone(), ..Machine::default() };
        for event in self.ask(RequestBody::Inspect { factories: factories.to_vec() })? {
            if let EventBody::Factories { factories } = event {
                machine.factories = factories;
            }
        }
        Ok(machine)
    }

    /// Asks for everything about these factories that can be checked.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn describe(&mut self, factories: &[String]) -> Result<Machine, WorkerError> {
        let mut machine =
            Machine { protocol: VERSION, gstreamer: self.gstreamer.clone(), ..Machine::default() };
        for event in self.ask(RequestBody::Describe { factories: factories.to_vec() })? {
            if let EventBody::Described { factories, properties, names } = event {
                machine = Machine { factories, properties, names, ..machine };
            }
        }
        Ok(machine)
    }

    /// Asks why a pipeline cannot be built; `None` if it can.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn try_spec(&mut self, spec: PipelineSpec) -> Result<Option<BuildFault>, WorkerError> {
        let events = self.ask(RequestBody::Try { spec })?;
        Ok(events.into_iter().find_map(|event| match event {
            EventBody::Tried { fault } => fault,
            _ => None,
        }))
    }

    /// Asks which pictures a USB camera can send.
    ///
    /// # Errors
    /// When the camera cannot be opened, with the reason, or the worker does not answer.
    pub fn formats(&mut self, device: &str) -> Result<Vec<Format>, WorkerError> {
        let events = self.ask(RequestBody::Formats { device: device.to_owned() })?;
        let formats = events.into_iter().find_map(|event| match event {
            EventBody::CameraFormats { formats } => Some(formats),
            _ => None,
        });
        Ok(formats.unwrap_or_default())
    }

    /// Whether it can serve clips over RTSP, once it has said [`Worker::hello`].
    #[must_use]
    pub fn serves(&self) -> bool {
        self.serves
    }

    /// Whether it can report the stages of frames, once it has said [`Worker::hello`].
    #[must_use]
    pub fn knows_stages(&self) -> bool {
        self.stages
    }

    /// Asks it to serve clips over RTSP, until it ends. The port that it listens at, and what it
    /// serves.
    ///
    /// # Errors
    /// When it cannot, with the reason, or does not answer.
    pub fn serve(&mut self, request: ServeRequest) -> Result<(u16, Vec<ServedMount>), WorkerError> {
        let events = self.ask(RequestBody::Serve(request))?;
        let serving = events.into_iter().find_map(|event| match event {
            EventBody::Serving { port, mounts } => Some((port, mounts)),
            _ => None,
        });
        serving.ok_or_else(|| WorkerError::Refused("it does not say what it serves".to_owned()))
    }

    /// Asks it to play a stream. The id that its answer will carry.
    ///
    /// # Errors
    /// When it does not read its stdin.
    pub fn start_stream(
        &mut self,
        stream: StreamName,
        spec: PipelineSpec,
        seed: u64,
    ) -> Result<u64, WorkerError> {
        self.start_streams(stream, spec, seed, Vec::new())
    }

    /// Asks it to play a pipeline that serves a stream and `also` others. The id
    /// that its answer will carry.
    ///
    /// # Errors
    /// When it does not read its stdin.
    pub fn start_streams(
        &mut self,
        stream: StreamName,
        spec: PipelineSpec,
        seed: u64,
        also: Vec<Tap>,
    ) -> Result<u64, WorkerError> {
        self.start_keeping(stream, spec, seed, also, Keep::default())
    }

    /// The same, and what is to be kept of what its models find.
    ///
    /// # Errors
    /// When it does not read its stdin.
    pub fn start_keeping(
        &mut self,
        stream: StreamName,
        spec: PipelineSpec,
        seed: u64,
        also: Vec<Tap>,
        keep: Keep,
    ) -> Result<u64, WorkerError> {
        self.send(RequestBody::Start { stream, spec, seed, also, keep })
    }

    /// Asks it to end a stream. The id that its answer will carry.
    ///
    /// # Errors
    /// When it does not read its stdin.
    pub fn stop_stream(&mut self, stream: &str) -> Result<u64, WorkerError> {
        self.send(RequestBody::Stop { stream: stream.to_owned() })
    }

    /// Asks it to end all streams and itself; kills it after [`GRACE`]. Returns
    /// at once: [`WorkerMessage::Exited`] tells when it has ended.
    pub fn finish(self) {
        drop(self);
    }

    /// Kills it and everything that it started. `Exited` follows.
    pub fn kill(mut self) {
        self.grace = Duration::ZERO;
    }

    fn send(&mut self, body: RequestBody) -> Result<u64, WorkerError> {
        let id = self.next_id;
        self.next_id += 1;
        let mut line = serde_json::to_vec(&Request { id, body }).map_err(|e| WorkerError::Send(e.into()))?;
        line.push(b'\n');
        // Only `drop` closes it.
        let stdin = self.stdin.as_mut().ok_or_else(|| WorkerError::Send(io::ErrorKind::BrokenPipe.into()))?;
        stdin.write_all(&line).map_err(WorkerError::Send)?;
        Ok(id)
    }

    /// Sends a request and waits for everything up to its `Done`.
    fn ask(&mut self, body: RequestBody) -> Result<Vec<EventBody>, WorkerError> {
        let (sender, answers) = crossbeam_channel::unbounded();
        let _hurry = pipes::in_a_hurry();
        lock(&self.waiting).answer = Some((self.next_id, sender));
        let sent = self.send(body);
        let mut events = Vec::new();
        let result = loop {
            match answers.recv_timeout(ANSWER) {
                Ok(EventBody::Done { .. }) => break Ok(events),
                Ok(EventBody::Refused { reason, .. }) => break Err(WorkerError::Refused(reason)),
                Ok(event) => events.push(event),
                Err(RecvTimeoutError::Timeout) => break Err(WorkerError::Silent(ANSWER)),
                Err(RecvTimeoutError::Disconnected) => match lock(&self.waiting).exit.clone() {
                    Some(exit) => break Err(WorkerError::Died(exit)),
                    None => break Err(WorkerError::Send(io::ErrorKind::BrokenPipe.into())),
                },
            }
        };
        lock(&self.waiting).answer = None;
        // Its death explains more than the failed write.
        match (sent, result) {
            (Err(unsent), Err(WorkerError::Silent(_))) => Err(unsent),
            (_, result) => result,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stdin = None;
        let (handle, grace) = (self.handle.clone(), self.grace);
        std::thread::spawn(move || handle.end(grace));
    }
}

/// Waits until every worker that was dropped has ended and is reaped: at once if
/// they have, [`GRACE`] and a little for one that must be killed. Without this a
/// process that ends takes the killing threads with it.
pub fn wait_for_ends() {
    let handles = lock(&HANDLES).clone();
    // The threads that dropped them kill them; this is for those that were not dropped.
    handles.iter().for_each(|worker| worker.end(GRACE + GONE));
}

/// Kills all workers, and waits until they are reaped. Then the signal ends this
/// process: until it does, no thread starts another worker or ends the process.
fn kill_all() {
    let handles = lock(&HANDLES);
    handles.iter().filter(|worker| worker.lives()).for_each(|worker| worker.end(Duration::ZERO));
    std::mem::forget(handles);
}

/// Listens to a worker: to its events ([`Reader`]), and a thread waits for its end. Both,
/// because processes that a worker started may hold its pipe open.
#[derive(Clone)]
struct Listener {
    waiting: Arc<Mutex<ReaderState>>,
    index: usize,
    messages: Messages,
}

/// Reads a worker's events.
struct Reader {
    listener: Listener,
    /// Disconnected when nothing is left to be read.
    _reading: Sender<Infallible>,
}

impl Ear for Reader {
    fn line(&mut self, line: &mut Vec<u8>) -> bool {
        match Event::from_line(line) {
            Ok(event) => {
                let is_regular = matches!(
                    event.body,
                    EventBody::Frames { .. }
                        | EventBody::Messages { .. }
                        | EventBody::Process { .. }
                        | EventBody::Details { .. }
                );
                self.listener.pass_on(event, line);
                !is_regular
            }
            Err(error) => {
                self.listener.malformed(malformed(line, &error));
                true
            }
        }
    }

    fn failed(&mut self, error: io::Error) {
        self.listener.malformed(format!("failed to read from the worker: {error}"));
    }
}

impl Listener {
    /// Waits for the worker, then for the rest of its output.
    fn wait(&self, group: &Group, container: Option<&Container>, log: File, at_end: &Receiver<Infallible>) {
        let exit = group.wait_leader().and_then(|()| group.reap(GRACE));
        let exit = exit.unwrap_or_else(|error| Exit::Signal(format!("an unknown cause ({error})")));
        let exit = match container {
            Some(container) if !exit.success() => {
                // A killed client of an engine leaves its container running.
                container.remove();
                Container::ended(exit)
            }
            _ => exit,
        };
        let _ = at_end.recv_timeout(REST);
        // Of plugins, and of servers that they quote.
        let stderr_tail = harmless_lines(&process::tail_of(log, TAIL).unwrap_or_default());
        let mut waiting = lock(&self.waiting);
        let line = String::from_utf8_lossy(&waiting.last_line);
        let last_event = Some(line.trim_end().to_owned()).filter(|line| !line.is_empty());
        let exit = WorkerExit { exit, last_event, stderr_tail };
        waiting.exit = Some(exit.clone());
        waiting.answer = None;
        self.tell(&waiting, WorkerMessage::Exited(exit));
    }

    /// `line` gets another contents.
    fn pass_on(&self, event: Event, line: &mut Vec<u8>) {
        let mut waiting = lock(&self.waiting);
        std::mem::swap(&mut waiting.last_line, line);
        let asked = waiting.answer.as_ref().filter(|(awaited, _)| match &event.body {
            EventBody::Hello { .. }
            | EventBody::Factories { .. }
            | EventBody::Described { .. }
            | EventBody::Tried { .. }
            | EventBody::CameraFormats { .. }
            | EventBody::Serving { .. } => true,
            EventBody::Done { id } | EventBody::Refused { id, .. } => id == awaited,
            _ => false,
        });
        match asked {
            Some((_, answers)) => drop(answers.send(event.body)),
            None if waiting.exit.is_none() => self.tell(&waiting, WorkerMessage::Event(event)),
            None => {}
        }
    }

    fn malformed(&self, text: String) {
        let waiting = lock(&self.waiting);
        if waiting.exit.is_none() {
            self.tell(&waiting, WorkerMessage::Malformed(text));
        }
    }

    /// Under the lock, so that nothing follows `Exited`.
    fn tell(&self, _: &MutexGuard<'_, ReaderState>, message: WorkerMessage) {
        // A caller that no longer listens is no reason to stop: the worker must
        // not block on a full pipe while it ends.
        let _ = self.messages.send((self.index, message));
    }
}

fn malformed(line: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(line);
    let text: String = text.trim_end().chars().take(200).collect();
    format!("expected an event as JSON on one line, found `{text}`: {error}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::WorkerCommand;

    fn shell(script: &str) -> Launch {
        let words = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let command = WorkerCommand { words, container: None };
        Launch::find(None, Some(&command), "/".as_ref()).unwrap()
    }

    /// The messages of a shell script that acts as a worker.
    fn listen(script: &str, act: impl FnOnce(&mut Worker) -> String) -> String {
        let log = tempfile::NamedTempFile::new().unwrap();
        let (sender, messages) = crossbeam_channel::unbounded();
        let (launch, reach) = (shell(script), Reach::default());
        let mut worker = Worker::start(&launch, &reach, log.path(), 7, sender).unwrap();
        let mut lines = vec![act(&mut worker)];
        worker.finish();
        lines.extend(messages.iter().map(|(index, message)| match message {
            WorkerMessage::Event(event) => format!("{index} {}", serde_json::to_string(&event).unwrap()),
            WorkerMessage::Malformed(text) => format!("{index} {text}"),
            WorkerMessage::Exited(exit) => format!("{index} {exit}"),
        }));
        lines.join("\n")
    }

    #[track_caller]
    fn check(script: &str, expect: Expect) {
        let said = listen(script, |worker| match worker.hello() {
            Ok(()) => "hello".to_owned(),
            Err(error) => error.to_string(),
        });
        expect.assert_eq(&said);
    }

    #[test]
    fn answers_go_to_the_caller_and_events_to_the_channel() {
        check(
            r#"read line
               echo '{"at":1,"event":"process","cpu_us":2,"rss":3}'
               echo '{"at":2,"event":"hello","protocol":5,"gstreamer":"1.22.0","pid":5}'
               echo '{"at":3,"event":"done","id":1}'
               read end; exit 0"#,
            expect![[r#"
                hello
                7 {"at":1,"event":"process","cpu_us":2,"rss":3}
                7 exited with status 0"#]],
        );
    }

    #[test]
    fn another_version_is_refused_with_both() {
        check(
            r#"read line
               echo '{"at":2,"event":"hello","protocol":99,"gstreamer":"1.22.0","pid":5}'
               echo '{"at":3,"event":"done","id":1}'"#,
            expect![[r#"
                the worker speaks protocol 99, but this `lp` needs 5
                7 exited with status 0"#]],
        );
    }

    #[test]
    fn a_death_is_reported_with_its_signal_and_stderr() {
        check(
            "read line; echo out of memory >&2; kill -KILL $$",
            expect![[r#"
            the worker died: killed by SIGKILL; the end of its stderr:
            out of memory
            7 killed by SIGKILL; the end of its stderr:
            out of memory"#]],
        );
    }

    #[test]
    fn what_a_dead_worker_wrote_does_no_harm_to_a_terminal() {
        check(
            r"read line; printf '\033[31mred\n' >&2; exit 3",
            expect![[r#"
                the worker died: exited with status 3; the end of its stderr:
                \u{1b}[31mred
                7 exited with status 3; the end of its stderr:
                \u{1b}[31mred"#]],
        );
    }

    #[test]
    fn a_line_that_is_not_an_event_is_malformed() {
        check(
            r#"read line; echo 'Hello, I am a plugin'; echo '{"at":3,"event":"done","id":1}'"#,
            expect![[r#"
                hello
                7 expected an event as JSON on one line, found `Hello, I am a plugin`: expected value at line 1 column 1
                7 exited with status 0"#]],
        );
    }

    #[test]
    fn a_killed_worker_takes_its_children_along() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let (sender, messages) = crossbeam_channel::unbounded();
        let (launch, reach) = (shell("sleep 1000; :"), Reach::default());
        let worker = Worker::start(&launch, &reach, log.path(), 0, sender).unwrap();
        worker.kill();
        let messages: Vec<_> = messages.iter().map(|(_, message)| message).collect();
        let exit = Exit::Signal("SIGKILL".into());
        // Its children hold the pipe; this comes at once because they died too.
        let exited = WorkerExit { exit, last_event: None, stderr_tail: String::new() };
        assert_eq!(messages, [WorkerMessage::Exited(exited)]);
    }
}
