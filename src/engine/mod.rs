//! The life of a task: judged, started, performed, captured, recorded.
//!
//! [`Engine::look`] finds out which selected tasks must run, without a lock and
//! without performing anything; with nothing to do, that is the whole build.
//! [`Engine::build`] takes the locks and runs the tasks that must run.
//!
//! The engine knows tasks, the store and locks. Its [`Host`] performs tasks; a
//! [`Progress`] shows them to people.

pub mod events;
pub mod explain;
pub mod host;
pub mod standing;
pub mod states;
mod stillness;

mod attempt;
mod judge;
mod run_loop;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use rayon::prelude::*;

use crate::graph::task::Task;
use crate::graph::{TaskGraph, TaskId};
use crate::os;
use crate::os::fs::Glance;
use crate::os::lock::{FreeLock, LockError};
use crate::os::process::Cancel;
use crate::path::Layout;
use crate::store::{Store, StoreError};
use events::{Progress, Silent, Summary};
use host::Host;
use judge::Restored;
use standing::{Reasons, Standing};
use states::{OnFailure, Pools};

/// The number of tasks that are judged before the tasks that wait for them are left
/// out.
const JUDGED_AT_ONCE: usize = 1024;

/// Judges tasks and runs them. [`Engine::new`] returns an engine without an
/// observer or cancellation that runs one task at a time.
pub struct Engine<'a> {
    graph: &'a TaskGraph,
    store: &'a Store,
    layout: &'a Layout,
    host: &'a dyn Host,
    progress: &'a dyn Progress,
    cancel: Cancel,
    pools: Pools,
    on_failure: OnFailure,
    again: Again,
}

impl<'a> Engine<'a> {
    /// The engine for the tasks of `graph`, which `host` performs.
    pub fn new(graph: &'a TaskGraph, store: &'a Store, layout: &'a Layout, host: &'a dyn Host) -> Engine<'a> {
        Engine {
            graph,
            store,
            layout,
            host,
            progress: &Silent,
            cancel: Cancel::never(),
            pools: Pools::new(1, &BTreeMap::new()),
            on_failure: OnFailure::Stop,
            again: Again::nothing(),
        }
    }

    /// Reports events to `progress`.
    #[must_use]
    pub fn watched_by(self, progress: &'a dyn Progress) -> Engine<'a> {
        Engine { progress, ..self }
    }

    /// Stops when `cancel` is set.
    #[must_use]
    pub fn stopped_by(self, cancel: &Cancel) -> Engine<'a> {
        Engine { cancel: cancel.clone(), ..self }
    }

    /// Runs as many tasks at once as `pools` have slots.
    #[must_use]
    pub fn in_pools(self, pools: Pools) -> Engine<'a> {
        Engine { pools, ..self }
    }

    /// Sets how the other tasks are treated after a failure.
    #[must_use]
    pub fn on_failure(self, on_failure: OnFailure) -> Engine<'a> {
        Engine { on_failure, ..self }
    }

    /// Performs these tasks even if the store has their outputs.
    #[must_use]
    pub fn again(self, again: Again) -> Engine<'a> {
        Engine { again, ..self }
    }
}

/// The fresh tasks that are known before a build looks at any.
#[derive(Debug)]
pub enum Warm {
    Nothing,
    /// A digest of the file metadata of tasks that were fresh earlier. As long as a
    /// glance gives the same digest, the build does not look closer at them.
    Seen(HashMap<TaskId, u128>),
    /// Tasks outside of the graph are fresh.
    Elsewhere {
        /// How many; they are only counted.
        n_fresh: usize,
        /// Proof that no process held the build lock before they were judged.
        since: Option<FreeLock>,
    },
}

/// Tasks that are performed even if nothing that they depend on has changed.
#[derive(Clone, Debug)]
pub struct Again {
    pub tasks: BTreeSet<TaskId>,
    pub why: &'static str,
}

impl Again {
    /// None.
    #[must_use]
    pub fn nothing() -> Again {
        Again { tasks: BTreeSet::new(), why: "" }
    }
}

/// The result of a build.
#[derive(Debug)]
pub struct Built {
    pub summary: Summary,
    /// A digest of the file metadata of tasks that are fresh now: as long as a
    /// glance gives the same digest, they stay fresh. Tasks that must always run,
    /// and those with files that were written just now, are left out.
    pub glances: BTreeMap<TaskId, u128>,
}

/// A reason why `lp` cannot go on. A failing task is none.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No thread could be started.
    #[error("failed to start threads for tasks")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// Another build ran while this one waited for the lock, so tasks that were
    /// fresh may no longer be.
    #[error("another build has run meanwhile")]
    Overtaken,
    /// The build lock cannot be shared.
    #[error("failed to share the build lock with children")]
    Inherit(#[source] std::io::Error),
}

impl Engine<'_> {
    /// Judges every task of `selected`, which is closed under dependencies.
    ///
    /// # Errors
    /// When an output exists and cannot be read.
    pub fn look(&self, selected: &BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Standing>, EngineError> {
        self.look_except(selected, &|_| false)
    }

    /// As [`Engine::look`]. The files of `settled` tasks are unchanged since the
    /// task was fresh, so it still is unless it waits for one that is not.
    fn look_except(
        &self,
        selected: &BTreeSet<TaskId>,
        settled: &(dyn Fn(TaskId) -> bool + Sync),
    ) -> Result<BTreeMap<TaskId, Standing>, EngineError> {
        let order: Vec<TaskId> =
            self.graph.order().iter().copied().filter(|id| selected.contains(id)).collect();
        let mut standings = BTreeMap::new();
        let waits_for = |id: TaskId, standings: &BTreeMap<TaskId, Standing>| {
            let is_open = |id: &TaskId| standings.get(id).is_some_and(|standing| !standing.is_fresh());
            self.graph.dependencies(id).into_iter().find(is_open)
        };
        for block in order.chunks(JUDGED_AT_ONCE) {
            // Tasks that wait for one of the same block are judged in vain.
            let judge = |id: &TaskId| {
                let look = || if settled(*id) { Ok(Standing::Fresh) } else { self.standing(*id) };
                waits_for(*id, &standings).is_none().then(look)
            };
            let judged: Vec<Option<Result<Standing, EngineError>>> = block.par_iter().map(judge).collect();
            for (id, judged) in block.iter().zip(judged) {
                let standing = match (waits_for(*id, &standings), judged) {
                    (None, Some(judged)) => judged?,
                    (None, None) => unreachable!("it waited for one that was judged before"),
                    (Some(_), _) if self.store.attempts_of(&self.graph.task(*id).label).is_empty() => {
                        Standing::New
                    }
                    (Some(dependency), _) => Standing::After { dependency, reasons: Vec::new() },
                };
                standings.insert(*id, standing);
            }
        }
        Ok(standings)
    }

    /// The standing of one task whose dependencies are all up to date.
    fn standing(&self, id: TaskId) -> Result<Standing, EngineError> {
        Ok(self.judge(id, &Restored::new(), Reasons::First)?.standing)
    }

    /// Brings every task of `selected` up to date; their dependencies are selected
    /// or fresh. With nothing to do, this takes no lock and starts nothing.
    ///
    /// # Errors
    /// When `lp` itself cannot go on; a task that fails is in the summary.
    pub fn build(&self, selected: &BTreeSet<TaskId>, warm: &Warm) -> Result<Built, EngineError> {
        let n_elsewhere = if let Warm::Elsewhere { n_fresh, .. } = warm { *n_fresh } else { 0 };
        let tasks = selected.len() + n_elsewhere;
        self.progress.event(&events::BuildEvent::Started { version: events::VERSION, tasks });
        // Before the look, so that the next glance shows changes made after it.
        let glances = self.glances(selected);
        let settled = |id: TaskId| {
            let Warm::Seen(seen) = warm else { return false };
            let seen = seen.get(&id).filter(|_| !self.again.tasks.contains(&id));
            seen.is_some() && seen == glances.get(&id).map(|glance| &glance.print)
        };
        let standings = self.look_except(selected, &settled)?;
        let stale: BTreeSet<TaskId> =
            standings.iter().filter(|(_, standing)| !standing.is_fresh()).map(|(id, _)| *id).collect();
        // Tasks that are fresh but have young files need a later glance.
        let mut open: BTreeSet<TaskId> = BTreeSet::new();
        let mut known = BTreeMap::new();
        for (id, glance) in glances.into_iter().filter(|(id, _)| !stale.contains(id)) {
            if glance.is_racy {
                open.insert(id);
            } else {
                known.insert(id, glance.print);
            }
        }
        let mut summary = Summary { fresh: tasks, ..Summary::default() };
        if !stale.is_empty() {
            self.progress.event(&events::BuildEvent::Looked { tasks: stale.len() });
            let ran = self.run(selected, stale, warm)?;
            summary = Summary { fresh: tasks - ran.n_tasks + ran.summary.fresh, ..ran.summary };
            open.extend(ran.well);
        }
        self.store.save_state()?;
        self.look_again(&open, &mut known)?;
        self.progress.event(&events::BuildEvent::Finished { summary: &summary });
        Ok(Built { summary, glances: known })
    }

    /// A glance at the files of each task for which a glance is enough.
    fn glances(&self, selected: &BTreeSet<TaskId>) -> BTreeMap<TaskId, Glance> {
        let tasks = || {
            let tasks = selected.iter().map(|id| (*id, self.graph.task(*id)));
            tasks.filter(|(_, task)| !task.measures() && !task.is_always_stale())
        };
        // One task's output is another's input: each path once.
        let (mut known, mut paths) = (HashMap::new(), Vec::new());
        for path in tasks().flat_map(|(_, task)| task.paths()) {
            known.entry(path).or_insert_with(|| {
                paths.push(path);
                paths.len() - 1
            });
        }
        let glances: Vec<Glance> =
            paths.into_par_iter().map(|path| Glance::at(&self.layout.resolve(path))).collect();
        let of = |task: &Task| Glance::of_all(task.paths().map(|path| &glances[known[path]]));
        tasks().map(|(id, task)| (id, of(task))).collect()
    }

    /// Adds the glances of tasks that are fresh now, but have young files. Young
    /// files prove nothing, so this waits once until they have aged.
    fn look_again(
        &self,
        open: &BTreeSet<TaskId>,
        glances: &mut BTreeMap<TaskId, u128>,
    ) -> Result<(), EngineError> {
        let mut found = self.glances(open);
        if found.values().any(|glance| glance.is_racy) {
            std::thread::sleep(Duration::from_nanos(3 * os::fs::tick_ns(1).unsigned_abs()));
            found = self.glances(open);
        }
        for (id, glance) in found {
            if !glance.is_racy && self.standing(id)?.is_fresh() {
                glances.insert(id, glance.print);
            }
        }
        Ok(())
    }
}
