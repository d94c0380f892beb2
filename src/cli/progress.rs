//! The progress output of a build on stderr: one plain line per task with its reason,
//! or on a terminal one line that is redrawn ([`Status`]); failures at the end, with
//! all their output.
//!
//! The engine reports each event of a build to one [`Progress`]:
//!
//! ```text
//! Engine --> Observers --+--> Console ----> a line per task on stderr, failures at the end
//!                        |      `-> StatusLine --> Status: the line that is redrawn
//!                        +--> JsonLines --> a JSON object per event on stdout, instead of Console
//!                        `--> Journal ----> kept for `--trace` and `lp explain --last`
//! ```
//!
//! The figures of a measurement take another path: `session` calls the watch of its
//! `LocalHost` every second, and `seconds` prints them.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::console;
use super::plain::plain;
use super::status::{PER_SECOND, Status};
use crate::engine::events::{BuildEvent, Outcome, Progress};
use crate::os::terminal;

/// The console of `lp build` and of the first part of `lp run`.
pub(super) struct Console {
    width: usize,
    failures: Mutex<Vec<String>>,
    live: Option<StatusLine>,
}

/// The line that is redrawn, and the thread that draws it when nothing happens.
struct StatusLine {
    begin: Instant,
    status: Arc<Mutex<Status>>,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl StatusLine {
    fn start() -> StatusLine {
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
        StatusLine { begin, status, stop: Some(stop), thread }
    }

    fn event(&self, event: &BuildEvent<'_>) {
        draw(&self.status, |status| status.event(event, micros(self.begin), columns()));
    }
}

impl Drop for StatusLine {
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
    /// A console that aligns reasons after labels of at most `widest` characters.
    #[must_use]
    pub(super) fn new(widest: usize) -> Console {
        Console { width: widest.min(40), failures: Mutex::new(Vec::new()), live: None }
    }

    /// The same with one line that is redrawn, if stderr is a terminal that can.
    #[must_use]
    pub(super) fn live(mut self) -> Console {
        self.live = terminal::can_redraw().then(StatusLine::start);
        self
    }

    /// Prints all failures whole, in the order in which they happened.
    pub(super) fn print_failures(&self) {
        for failure in self.failures.lock().expect("printing does not panic").drain(..) {
            console::note(&failure);
        }
    }
}

impl Drop for Console {
    /// Prints failed tasks even if the build ends with an error.
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
            BuildEvent::Waiting { reason } => console::note(reason),
            BuildEvent::TaskStarted { label, reason } => {
                console::note(&format!("{label:width$}  {reason}", width = self.width));
            }
            BuildEvent::TaskNote { note: text, .. } => console::note(text),
            BuildEvent::TaskFinished { label, outcome: Outcome::Restored, detail, .. } => {
                if self.live.is_some() {
                    return;
                }
                console::note(&format!("{label:width$}  restored: {detail}", width = self.width));
            }
            BuildEvent::TaskFinished { label, outcome, detail, log, .. } => {
                let word = match outcome {
                    Outcome::Failed => "failed",
                    Outcome::TimedOut => "timed out",
                    Outcome::Panicked => "panicked: this is a bug in lp",
                    _ => return,
                };
                let causes: Vec<String> = detail.lines().map(str::to_owned).collect();
                let mut text = console::error_text(&format!("`{label}` {word}"), &causes);
                for line in log.lines() {
                    text.push_str(&format!("\n  | {}", plain(line)));
                }
                self.failures.lock().expect("printing does not panic").push(text);
            }
        }
    }
}

/// Several observers of one build.
pub(super) struct Observers<'a>(pub(super) Vec<&'a dyn Progress>);

impl Progress for Observers<'_> {
    fn event(&self, event: &BuildEvent<'_>) {
        for progress in &self.0 {
            progress.event(event);
        }
    }
}
