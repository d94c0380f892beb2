//! What the engine asks of whoever knows how tasks are done.

use std::path::Path;

use super::events::Outcome;
use crate::graph::task::Task;
use crate::os::process::Cancel;
use crate::path::{Layout, ProjectPath};
use crate::time::Utc;

/// Knows how each kind of task is done.
pub trait Perform: Sync {
    /// Does one task. A task that fails is a value; nothing is left outside
    /// `attempt.dir` but the declared outputs of a task that writes in place.
    fn perform(&self, task: &Task, attempt: &Attempt<'_>) -> Performed;
}

/// The circumstances of one performing.
pub struct Attempt<'a> {
    /// A directory without files that is this attempt's alone. Outputs lie below
    /// it under their project paths: `<dir>/results/plan.json`.
    pub dir: &'a Path,
    /// Where the project's folders are.
    pub layout: &'a Layout,
    /// Whether the user wants to stop.
    pub cancel: &'a Cancel,
    /// When it began.
    pub started: Utc,
    /// Which repeat of a measurement this is, from 1; 0 for other tasks.
    pub repeat: u32,
    /// Shows a line to people.
    pub note: &'a (dyn Fn(&str) + Sync),
    /// The task's inputs that have changed since it began, or were written and
    /// read as before: for a record, which cannot be made again.
    pub inputs_changed: &'a (dyn Fn() -> Vec<ProjectPath> + Sync),
}

/// How a performing ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performed {
    /// `Succeeded`, `Failed`, `TimedOut` or `Cancelled`.
    pub outcome: Outcome,
    /// Why it failed, causes included, one a line.
    pub detail: String,
    /// What it wrote.
    pub log: Vec<u8>,
    /// Where its outputs are.
    pub outputs: Outputs,
}

/// Where outputs are after a performing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Below the attempt's directory; they count only after success.
    InAttempt,
    /// Below the attempt's directory; they are kept even though it failed, since
    /// they tell how. They never answer for a later build.
    KeptInAttempt,
    /// At their places in the project.
    InPlace,
}

impl Performed {
    /// It was done; outputs are below the attempt's directory.
    #[must_use]
    pub fn succeeded() -> Performed {
        Performed {
            outcome: Outcome::Succeeded,
            detail: String::new(),
            log: Vec::new(),
            outputs: Outputs::InAttempt,
        }
    }

    /// It failed, for the reason of `error` and its causes.
    #[must_use]
    pub fn failed(error: &dyn std::error::Error) -> Performed {
        let mut detail = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            detail.push('\n');
            detail.push_str(&cause.to_string());
            source = cause.source();
        }
        Performed::failed_with(detail)
    }

    /// It failed, for a reason in words.
    #[must_use]
    pub fn failed_with(detail: String) -> Performed {
        Performed { outcome: Outcome::Failed, detail, log: Vec::new(), outputs: Outputs::InAttempt }
    }

    /// It was stopped by the user.
    #[must_use]
    pub fn cancelled() -> Performed {
        Performed { outcome: Outcome::Cancelled, ..Performed::failed_with("interrupted".to_owned()) }
    }
}
