//! The life of a task: looked at, started, performed, captured, recorded.
//!
//! [`Engine::look`] tells for every selected task whether it must run, without a
//! lock and without performing anything; with nothing to do, that is the whole
//! build. [`Engine::build`] takes the locks and runs what must run.
//!
//! The engine knows tasks, the store and locks. How a task is done is
//! [`Perform`]'s business; what people see is [`Progress`]'s.

pub mod events;
pub mod perform;
pub mod states;
pub mod why;

mod attempt;
mod judge;
mod run_loop;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::graph::task::Task;
use crate::graph::{TaskGraph, TaskId};
use crate::os::lock::LockError;
use crate::os::process::Cancel;
use crate::path::Layout;
use crate::store::{Store, StoreError};
use events::{Progress, Summary};
use perform::Perform;
use states::{OnFailure, Pools};

/// What enters a task's key besides its action and inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Tools used, with their versions.
    pub tools: BTreeMap<String, String>,
    /// For runs: the host's fingerprint.
    pub extra: BTreeMap<String, Value>,
}

/// Everything that a build needs.
pub struct Engine<'a> {
    /// The tasks.
    pub graph: &'a TaskGraph,
    /// What has run before.
    pub store: &'a Store,
    /// Where the project's folders are.
    pub layout: &'a Layout,
    /// How tasks are done.
    pub perform: &'a dyn Perform,
    /// Who watches.
    pub progress: &'a dyn Progress,
    /// What else enters keys.
    pub facts: &'a (dyn Fn(&Task) -> Facts + Sync),
    /// Whether the user wants to stop.
    pub cancel: &'a Cancel,
    /// How much may run at once.
    pub pools: Pools,
    /// What happens to the rest after a failure.
    pub on_failure: OnFailure,
    /// A measurement that is made again even if a record fits.
    pub again: Option<TaskId>,
}

/// Why `lp` cannot go on. A failing task is not among these.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A lock cannot be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No thread could be started.
    #[error("failed to start threads for tasks")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The build lock cannot be handed on.
    #[error("failed to share the build lock with children")]
    Inherit(#[source] std::io::Error),
}

/// Whether a task must run, as far as a look can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Need not run.
    Fresh,
    /// Its outputs come out of the store, because of what is wrong with them.
    Restorable(String),
    /// No attempt under this label yet.
    New,
    /// Must run, for this reason.
    Stale(String),
    /// Waits for a task that must run; whether it must run itself depends on
    /// what that one makes.
    After(TaskId),
}

impl Verdict {
    /// Whether nothing has to be done.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        *self == Verdict::Fresh
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Fresh => f.write_str("fresh"),
            Verdict::Restorable(why) => write!(f, "restorable: {why}"),
            Verdict::New => f.write_str("new"),
            Verdict::Stale(why) => write!(f, "stale: {why}"),
            Verdict::After(_) => f.write_str("waits for what it needs"),
        }
    }
}

impl Engine<'_> {
    /// Looks at every task of `selected`, which is closed under dependencies.
    ///
    /// # Errors
    /// When an output is there and cannot be read.
    pub fn look(&self, selected: &BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Verdict>, EngineError> {
        self.remember_contents(selected);
        let mut verdicts = BTreeMap::new();
        for id in self.graph.order().iter().filter(|id| selected.contains(id)) {
            let waits_for = self.graph.dependencies(*id).into_iter().find(|dependency| {
                verdicts.get(dependency).is_some_and(|verdict: &Verdict| !verdict.is_fresh())
            });
            let verdict = match waits_for {
                Some(_) if self.store.attempts_of(&self.graph.task(*id).label).is_empty() => Verdict::New,
                Some(dependency) => Verdict::After(dependency),
                None => self.judge(*id)?.verdict,
            };
            verdicts.insert(*id, verdict);
        }
        Ok(verdicts)
    }

    /// Brings every task of `selected`, which is closed under dependencies, up
    /// to date. With nothing to do, this takes no lock and starts nothing.
    ///
    /// # Errors
    /// When `lp` itself cannot go on; a task that fails is in the summary.
    pub fn build(&self, selected: &BTreeSet<TaskId>) -> Result<Summary, EngineError> {
        self.progress.event(&events::BuildEvent::Started { version: events::VERSION, tasks: selected.len() });
        let verdicts = self.look(selected)?;
        let summary = if self.again.is_none() && verdicts.values().all(Verdict::is_fresh) {
            Summary { fresh: selected.len(), ..Summary::default() }
        } else {
            self.run(selected)?
        };
        self.store.save_state()?;
        self.progress.event(&events::BuildEvent::Finished { summary: &summary });
        Ok(summary)
    }

    /// Hashes what must be hashed with all cores, before the look goes through
    /// the tasks one by one. What cannot be read is reported there.
    fn remember_contents(&self, selected: &BTreeSet<TaskId>) {
        use rayon::prelude::*;
        let tasks: Vec<&Task> = selected.iter().map(|id| self.graph.task(*id)).collect();
        tasks.par_iter().flat_map_iter(|task| task.inputs.iter().chain(&task.outputs)).for_each(|path| {
            let _ = self.store.digest_of(&self.layout.resolve(path));
        });
    }
}
