//! The events that the engine reports to a [`Progress`].
//!
//! They are also the lines of `lp build --json`: one object a line, the first with
//! the version, the last with the summary.

use std::fmt;

use serde::Serialize;

use crate::text::counted;

/// The version of the event stream.
pub const VERSION: u32 = 1;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing had to be done.
    Fresh,
    /// Outputs came from the store.
    Restored,
    Succeeded,
    Failed,
    /// It took longer than its time-out.
    TimedOut,
    /// The user stopped it.
    Cancelled,
    /// A dependency failed, or the build stopped first.
    Skipped,
    /// A bug in `lp`.
    Panicked,
}

impl Outcome {
    /// Whether tasks that depend on it may run.
    #[must_use]
    pub fn is_well(self) -> bool {
        matches!(self, Outcome::Fresh | Outcome::Restored | Outcome::Succeeded)
    }
}

/// An event of a build.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BuildEvent<'a> {
    /// The build begins; no task has been judged yet.
    Started {
        /// [`VERSION`].
        version: u32,
        /// The number of tasks that the targets need.
        tasks: usize,
    },
    /// Not everything is fresh.
    Looked {
        /// The number of tasks that run, or wait for one that does. The other tasks
        /// have no further events.
        tasks: usize,
    },
    /// The build waits for a lock that another process holds.
    Waiting {
        /// "waiting for the measurement of `lane` in `/x` (pid 4711)"
        reason: &'a str,
    },
    /// A lock that the build does without.
    Warning {
        /// "warning: measurements on this machine are not kept apart: ..."
        reason: &'a str,
    },
    /// A task starts.
    TaskStarted {
        label: &'a str,
        /// The reason: "`fps` changed from 15 to 30".
        reason: &'a str,
    },
    /// A line for people from a running task.
    TaskNote { label: &'a str, note: &'a str },
    /// How far the download of a running task is; about once a second.
    TaskProgress {
        label: &'a str,
        /// The bytes that are there.
        bytes: u64,
        /// The size of the whole file; `null` if the server did not tell it.
        total: Option<u64>,
        /// Bytes per second.
        rate: u64,
    },
    /// How far the encoder of a running task is; about once a second.
    TaskEncoded {
        label: &'a str,
        /// The length of the video that is encoded, in milliseconds.
        done_ms: u64,
        /// The length of all of it, in milliseconds.
        total_ms: u64,
        /// Seconds of video per second; 0 while it is not known.
        speed: f64,
    },
    /// A task that was not fresh at the first look has ended.
    TaskFinished {
        label: &'a str,
        outcome: Outcome,
        /// The time that it took, in milliseconds.
        duration_ms: u64,
        /// The reason that it failed, with its causes, one a line; empty otherwise.
        detail: &'a str,
        /// Its output; only of failed tasks.
        log: &'a str,
    },
    /// The build has ended.
    Finished {
        /// The result of the build.
        summary: &'a Summary,
    },
}

/// The result of a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Tasks that were performed and succeeded.
    pub ran: usize,
    /// Tasks whose outputs came from the store.
    pub restored: usize,
    /// Tasks that had nothing to do.
    pub fresh: usize,
    /// Tasks that failed, timed out or panicked.
    pub failed: usize,
    /// Tasks that never started.
    pub skipped: usize,
    /// Whether the user stopped it.
    pub cancelled: bool,
    /// Whether a task panicked: a bug.
    pub panicked: bool,
}

impl Summary {
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Fresh => self.fresh += 1,
            Outcome::Restored => self.restored += 1,
            Outcome::Succeeded => self.ran += 1,
            Outcome::Failed | Outcome::TimedOut => self.failed += 1,
            Outcome::Panicked => {
                self.failed += 1;
                self.panicked = true;
            }
            Outcome::Cancelled => self.cancelled = true,
            Outcome::Skipped => self.skipped += 1,
        }
    }
}

/// "3 tasks ran, 1 restored, 2 fresh"
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ran + self.restored + self.failed + self.skipped == 0 && !self.cancelled {
            return write!(f, "nothing to do: {} fresh", counted(self.fresh, "task"));
        }
        write!(f, "{} ran", counted(self.ran, "task"))?;
        for (n, word) in [
            (self.restored, "restored"),
            (self.failed, "failed"),
            (self.skipped, "not started"),
            (self.fresh, "fresh"),
        ] {
            if n > 0 {
                write!(f, ", {n} {word}")?;
            }
        }
        if self.cancelled { f.write_str(", interrupted") } else { Ok(()) }
    }
}

/// An observer of a build.
pub trait Progress: Sync {
    /// Receives an event. Called from any thread, one event at a time per task.
    fn event(&self, event: &BuildEvent<'_>);
}

pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: &BuildEvent<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_only_what_happened() {
        let mut summary = Summary { ran: 3, fresh: 2, ..Summary::default() };
        assert_eq!(summary.to_string(), "3 tasks ran, 2 fresh");
        summary = Summary { fresh: 12, ..Summary::default() };
        assert_eq!(summary.to_string(), "nothing to do: 12 tasks fresh");
        summary = Summary { ran: 1, failed: 1, skipped: 2, cancelled: true, ..Summary::default() };
        assert_eq!(summary.to_string(), "1 task ran, 1 failed, 2 not started, interrupted");
    }
}
