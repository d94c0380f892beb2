//! The interface between the engine and the host that performs tasks.
//!
//! One trait gives the facts about a host that are part of a task's key, and
//! performs the task: only the host knows which of its tools and properties affect
//! a result. Not here: how each kind of task is performed.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::events::Outcome;
use crate::digest::{ActionDigest, ContentDigest};
use crate::graph::task::Task;
use crate::os::lock::BuildLock;
use crate::os::process::Cancel;
use crate::path::{Layout, ProjectPath};
use crate::time::Utc;

pub trait Host: Sync {
    /// The facts about this host that are part of a task's key.
    fn facts(&self, task: &Task) -> Facts;

    /// Prepares to perform tasks while `lock` is held; called once per build,
    /// before the first [`Host::perform`]. Processes that outlive `lp` must keep
    /// holding it.
    ///
    /// # Errors
    /// When the lock cannot be shared.
    fn begin(&self, lock: &BuildLock) -> io::Result<()>;

    /// Performs one task. A failure is a value; nothing remains outside
    /// `attempt.dir` but the declared outputs of a task that writes in place.
    fn perform(&self, task: &Task, attempt: &Attempt<'_>) -> Performed;
}

/// The parts of a task's key besides its action and inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Tools used, with their versions.
    pub tools: BTreeMap<String, String>,
    /// For runs: the host's fingerprint.
    pub extra: BTreeMap<String, Value>,
}

/// The circumstances of one attempt.
pub struct Attempt<'a> {
    /// An empty directory that only this attempt uses. Outputs are below it under
    /// their project paths: `<dir>/results/plan.json`.
    pub dir: &'a Path,
    /// Where the project's folders are.
    pub layout: &'a Layout,
    /// Whether the user wants to stop.
    pub cancel: &'a Cancel,
    pub started: Utc,
    /// Which repeat of a measurement this is, from 1; 0 for other tasks.
    pub repeat: u32,
    /// The digest of the task's key without the number of the repeat: whatever changes its
    /// result changes this.
    pub key: ActionDigest,
    /// The contents of an input of the task when its key was computed; of a folder, the
    /// digest of all its files.
    pub input: &'a (dyn Fn(&ProjectPath) -> Option<ContentDigest> + Sync),
    /// Shows a line to the user.
    pub note: &'a (dyn Fn(&str) + Sync),
    /// Shows how far a download is; called about once a second.
    pub progress: &'a (dyn Fn(Arrived) + Sync),
    /// Shows how far an encoder is; called about once a second.
    pub encoded: &'a (dyn Fn(Encoded) + Sync),
    /// Tells the digest of a file below `dir`, so that it is not read again for that.
    pub digested: &'a (dyn Fn(&Path, ContentDigest) + Sync),
    /// The task's inputs that have changed since it began, or were written and have
    /// the same contents: for a record, which cannot be made again.
    pub inputs_changed: &'a (dyn Fn() -> Vec<ProjectPath> + Sync),
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The bytes that are there.
    pub bytes: u64,
    /// The size of the whole file, if the server told it.
    pub total: Option<u64>,
    /// Bytes per second.
    pub rate: u64,
}

/// How far an encoder is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoded {
    /// The length of the video that is encoded, in milliseconds.
    pub done_ms: u64,
    /// The length of all of it, in milliseconds.
    pub total_ms: u64,
    /// Seconds of video per second; 0 while it is not known.
    pub speed: f64,
}

/// Begins a line of [`Performed::detail`] that is a way out, not a cause.
pub const HINT: &str = "hint: ";

/// The result of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Performed {
    /// `Succeeded`, `Failed`, `TimedOut` or `Cancelled`.
    pub outcome: Outcome,
    /// The reason that it failed, with its causes, one a line.
    pub detail: String,
    pub log: Vec<u8>,
    /// The place of its outputs.
    pub outputs: Outputs,
}

/// The place of outputs after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Below the attempt's directory; they are used only after success.
    InAttempt,
    /// Below the attempt's directory; they are kept after a failure, since they
    /// show its cause. Later builds never reuse them.
    KeptInAttempt,
    /// At their places in the project.
    InPlace,
}

impl Performed {
    /// A success; outputs are below the attempt's directory.
    #[must_use]
    pub fn succeeded() -> Performed {
        Performed {
            outcome: Outcome::Succeeded,
            detail: String::new(),
            log: Vec::new(),
            outputs: Outputs::InAttempt,
        }
    }

    /// A failure because of `error` and its causes.
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

    /// A failure with this message.
    #[must_use]
    pub fn failed_with(detail: String) -> Performed {
        Performed { outcome: Outcome::Failed, detail, log: Vec::new(), outputs: Outputs::InAttempt }
    }

    /// The user cancelled it.
    #[must_use]
    pub fn cancelled() -> Performed {
        Performed { outcome: Outcome::Cancelled, ..Performed::failed_with("interrupted".to_owned()) }
    }
}
