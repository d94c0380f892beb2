//! What people see of a build: one plain line per task that runs and why, or on a
//! terminal one line that is redrawn ([`Status`]); the failures whole and last,
//! one line of summary. All on stderr.
//!
//! [`JsonLines`] prints the same events for machines, on stdout.
//!
//! Everything on stdout goes through [`out`]. Nobody who calls it stops over an
//! error: a measurement is worth more than what is printed about it. The first
//! error is kept, and `cli::main` tells it at the end ([`lost_output`]).

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::status::{PER_SECOND, Status, plain};
use crate::diag::{Color, Diagnostics, Sources};
use crate::engine::events::{BuildEvent, Outcome, Progress};
use crate::graph::{TaskGraph, TaskId};
use crate::os::terminal;
use crate::store::Store;
use crate::workspace::error::{CommandError, Kind};
use crate::workspace::journal::Journal;
use crate::workspace::last;

/// The first error of stdout. Nothing is written after it: what follows a gap
/// would be taken for the whole.
static STDOUT_FAILED: OnceLock<io::Error> = OnceLock::new();

/// Writes to stdout; an error is kept for [`lost_output`].
pub(super) fn out(text: &str) {
    out_by(|| io::stdout().lock().write_all(text.as_bytes()));
}

/// As [`out`], for text that somebody else writes to stdout.
pub(super) fn out_by(print: impl FnOnce() -> io::Result<()>) {
    if STDOUT_FAILED.get().is_some() {
        return;
    }
    if let Err(error) = print().and_then(|()| io::stdout().lock().flush()) {
        // Only another thread could have set it, with an error as good as this.
        let _ = STDOUT_FAILED.set(error);
    }
}

/// Says that output was lost, if it was: `true` then. A reader who closes the
/// pipe, as `head` does, has seen enough and lost nothing.
pub(super) fn lost_output() -> bool {
    let lost = STDOUT_FAILED.get().filter(|error| error.kind() != ErrorKind::BrokenPipe);
    if let Some(error) = lost {
        note(&error_text("failed to write to stdout", &[error.to_string()]));
    }
    lost.is_some()
}

/// Writes one line to stderr.
pub(super) fn note(line: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{line}");
}

/// Prints why a command ended early.
pub(super) fn error(error: &CommandError, color: Color) {
    for report in &error.reports {
        if let Some((faults, sources)) = &report.faults {
            diagnostics(faults, sources, color);
        }
        if error.kind == Kind::Interrupted {
            note(&report.message);
            continue;
        }
        let mut text = error_text(&report.message, &report.causes);
        for hint in &report.hints {
            text.push_str(&format!("\n  hint: {hint}"));
        }
        for line in &report.details {
            text.push_str(&format!("\n  {line}"));
        }
        note(&text);
    }
}

/// "error: ..., caused by: ..."
fn error_text(message: &str, causes: &[String]) -> String {
    let mut text = format!("error: {message}");
    for cause in causes {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    text
}

/// Prints what was found in config files.
pub(super) fn diagnostics(found: &Diagnostics, sources: &Sources, color: Color) {
    if found.is_empty() {
        return;
    }
    let text = match terminal::columns() {
        // In less, a caret and its text have no room.
        Some(columns) => found.render_within(sources, color, columns.max(40)),
        None => found.render_human(sources, color),
    };
    note(text.trim_end());
}

/// Prints notes about a project's tasks.
pub(super) fn notes(notes: &[String]) {
    for text in notes {
        note(&format!("note: {text}"));
    }
}

/// Keeps what a build did for `lp explain --last`. Nothing depends on it, so a failure
/// is only a warning.
pub(super) fn keep(store: &Store, journal: &Journal<'_>) {
    if let Err(error) = last::keep(store, journal) {
        let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
        note(&format!("warning: `lp explain --last` will not know of this build: {error}{cause}"));
    }
}

/// The length of the longest label.
pub(super) fn widest(graph: &TaskGraph, needed: &BTreeSet<TaskId>) -> usize {
    needed.iter().map(|id| graph.task(*id).label.chars().count()).max().unwrap_or(0)
}

/// The console of `lp build` and of the first part of `lp run`.
pub(super) struct Console {
    width: usize,
    failures: Mutex<Vec<String>>,
    live: Option<Live>,
}

/// The line that is redrawn, and the thread that draws it when nothing happens.
struct Live {
    begin: Instant,
    status: Arc<Mutex<Status>>,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    fn start() -> Live {
        let (stop, stopped) = bounded::<()>(0);
        let (begin, status) = (Instant::now(), Arc::new(Mutex::new(Status::default())));
        let shared = Arc::clone(&status);
        let ticks = move || {
            let pause = Duration::from_millis(1000 / PER_SECOND);
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                draw(&shared, |status| status.tick(micros(begin), columns()));
            }
        };
        // Without the thread, the line is drawn when something happens.
        let thread = std::thread::Builder::new().name("status".to_owned()).spawn(ticks).ok();
        Live { begin, status, stop: Some(stop), thread }
    }

    fn event(&self, event: &BuildEvent<'_>) {
        draw(&self.status, |status| status.event(event, micros(self.begin), columns()));
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        draw(&self.status, Status::clear);
    }
}

/// Writes while the state is held, so that two lines never mix.
fn draw(status: &Mutex<Status>, text: impl FnOnce(&mut Status) -> String) {
    let mut status: MutexGuard<'_, Status> = status.lock().unwrap_or_else(PoisonError::into_inner);
    let text = text(&mut status);
    if !text.is_empty() {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

fn micros(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn columns() -> usize {
    terminal::columns().unwrap_or(80)
}

impl Console {
    /// A console that aligns reasons behind labels of at most `widest` characters.
    #[must_use]
    pub(super) fn new(widest: usize) -> Console {
        Console { width: widest.min(40), failures: Mutex::new(Vec::new()), live: None }
    }

    /// The same with one line that is redrawn, if stderr is a terminal that can.
    #[must_use]
    pub(super) fn live(mut self) -> Console {
        self.live = terminal::can_redraw().then(Live::start);
        self
    }

    /// Prints all failures whole, in the order in which they happened.
    pub(super) fn print_failures(&self) {
        for failure in self.failures.lock().expect("printing does not panic").drain(..) {
            note(&failure);
        }
    }
}

impl Drop for Console {
    /// Failed tasks are told also when the build itself ends with an error.
    fn drop(&mut self) {
        self.print_failures();
    }
}

impl Progress for Console {
    fn event(&self, event: &BuildEvent<'_>) {
        if let Some(live) = &self.live {
            live.event(event);
        }
        match event {
            BuildEvent::Started { .. } | BuildEvent::Looked { .. } | BuildEvent::Finished { .. } => {}
            BuildEvent::TaskStarted { .. } | BuildEvent::Waiting { .. } | BuildEvent::TaskNote { .. }
                if self.live.is_some() => {}
            BuildEvent::Waiting { reason } => note(reason),
            BuildEvent::TaskStarted { label, reason } => {
                note(&format!("{label:width$}  {reason}", width = self.width));
            }
            BuildEvent::TaskNote { note: text, .. } => note(text),
            BuildEvent::TaskFinished { label, outcome: Outcome::Restored, detail, .. } => {
                if self.live.is_some() {
                    return;
                }
                note(&format!("{label:width$}  restored: {detail}", width = self.width));
            }
            BuildEvent::TaskFinished { label, outcome, detail, log, .. } => {
                let word = match outcome {
                    Outcome::Failed => "failed",
                    Outcome::TimedOut => "timed out",
                    Outcome::Panicked => "panicked: this is a bug in lp",
                    _ => return,
                };
                let causes: Vec<String> = detail.lines().map(str::to_owned).collect();
                let mut text = error_text(&format!("`{label}` {word}"), &causes);
                for line in log.lines() {
                    text.push_str(&format!("\n  | {}", plain(line)));
                }
                self.failures.lock().expect("printing does not panic").push(text);
            }
        }
    }
}

/// Events as JSON lines on stdout; `docs/cli.md` describes them.
pub(super) struct JsonLines {
    begin: Instant,
    announced: Announced,
}

/// Whether `started` has been printed before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    Yes,
    No,
}

impl JsonLines {
    pub(super) fn new(announced: Announced) -> JsonLines {
        JsonLines { begin: Instant::now(), announced }
    }
}

impl Progress for JsonLines {
    fn event(&self, event: &BuildEvent<'_>) {
        if self.announced == Announced::Yes && matches!(event, BuildEvent::Started { .. }) {
            return;
        }
        out(&json_line(event, self.begin.elapsed()));
    }
}

fn json_line(event: &BuildEvent<'_>, at: Duration) -> String {
    let object = serde_json::to_string(event).expect("events have text keys");
    let rest = object.strip_prefix('{').expect("an event is an object");
    format!("{{\"at_ms\":{},{rest}\n", at.as_millis())
}

/// Several who watch.
pub(super) struct Many<'a>(pub(super) Vec<&'a dyn Progress>);

impl Progress for Many<'_> {
    fn event(&self, event: &BuildEvent<'_>) {
        for progress in &self.0 {
            progress.event(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::engine::events::Summary;

    /// Kind to keys, also those of a summary.
    fn keys(lines: &str) -> BTreeMap<String, Vec<String>> {
        let mut kinds = BTreeMap::new();
        for line in lines.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let mut keys: Vec<String> = event.as_object().unwrap().keys().cloned().collect();
            let summary = event.get("summary").and_then(Value::as_object);
            keys.extend(summary.into_iter().flat_map(|summary| summary.keys().cloned()));
            kinds.insert(event["event"].as_str().unwrap().to_owned(), keys);
        }
        kinds
    }

    #[test]
    fn the_documented_events_are_those_that_are_written() {
        let (label, summary) = ("a", Summary::default());
        let outcome = Outcome::Fresh;
        let events = [
            BuildEvent::Started { version: crate::engine::events::VERSION, tasks: 1 },
            BuildEvent::Looked { tasks: 1 },
            BuildEvent::Waiting { reason: "" },
            BuildEvent::TaskStarted { label, reason: "" },
            BuildEvent::TaskNote { label, note: "" },
            BuildEvent::TaskFinished { label, outcome, duration_ms: 0, detail: "", log: "" },
            BuildEvent::Finished { summary: &summary },
        ];
        // A new kind does not compile here, and then belongs into the list and the page.
        let known = |event: &BuildEvent<'_>| match event {
            BuildEvent::Started { .. } => 1,
            BuildEvent::Looked { .. } => 2,
            BuildEvent::Waiting { .. } => 3,
            BuildEvent::TaskStarted { .. } => 4,
            BuildEvent::TaskNote { .. } => 5,
            BuildEvent::TaskFinished { .. } => 6,
            BuildEvent::Finished { .. } => 7,
        };
        assert!(events.iter().map(known).eq(1..=7));
        let written: String =
            events.iter().map(|event| json_line(event, Duration::from_millis(12))).collect();

        let page = include_str!("../../docs/cli.md");
        let examples = page.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
        assert_eq!(keys(examples), keys(&written));
        for (kind, keys) in keys(&written) {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
            let row = row.unwrap_or_else(|| panic!("`{kind}` is in no table"));
            let column = row.split('|').nth(2).unwrap();
            let mut told: Vec<&str> = column.split('`').skip(1).step_by(2).collect();
            told.sort_unstable();
            // Those of a summary are in the example.
            let own = keys.iter().map(String::as_str);
            let own: Vec<&str> = own
                .filter(|key| !["at_ms", "event"].contains(key) && (kind != "finished" || *key == "summary"))
                .collect();
            assert_eq!(told, own, "{kind}");
        }
        let version = format!("the version of the stream, now {}", crate::engine::events::VERSION);
        assert!(page.contains(&version));
        for outcome in
            ["fresh", "restored", "succeeded", "failed", "timed_out", "panicked", "cancelled", "skipped"]
        {
            assert!(page.contains(&format!("`{outcome}`")), "{outcome}");
        }
    }
}
