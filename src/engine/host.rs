//! What the engine asks of the host that performs tasks.
//!
//! One trait gives the facts about a host that enter a task's key, and performs the
//! task: only the host knows on which of its tools and properties a result depends.
//! Not here: how each kind of task is done.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::events::Outcome;
use crate::graph::task::Task;
use crate::os::lock::BuildLock;
use crate::os::process::Cancel;
use crate::path::{Layout, ProjectPath};
use crate::time::Utc;

pub trait Host: Sync {
    /// The facts about this host that enter a task's key.
    fn facts(&self, task: &Task) -> Facts;

    /// Prepares to perform tasks while `lock` is held; called once per build, before
    /// the first [`Host::perform`]. Processes that outlive `lp` must go on holding it.
    ///
    /// # Errors
    /// When the lock cannot be handed on.
    fn begin(&self, lock: &BuildLock) -> io::Result<()>;

    /// Does one task. A task that fails is a value; nothing is left outside
    /// `attempt.dir` but the declared outputs of a task that writes in place.
    fn perform(&self, task: &Task, attempt: &Attempt<'_>) -> Performed;
}

/// What enters a task's key besides its action and inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Tools used, with their versions.
    pub tools: BTreeMap<String, String>,
    /// For runs: the host's fingerprint.
    pub extra: BTreeMap<String, Value>,
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
