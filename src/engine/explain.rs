//! The reasons why each task would run: [`Engine::standings`], for `lp explain`.
//!
//! [`Engine::look`] finds the first reason of a task, and stops at a task that
//! waits for another. This finds all reasons, lists the known differences of tasks
//! that wait, and looks past tasks whose outputs are restored from the store, since
//! their contents are known. A dependency by order alone (`after`) does not matter
//! here.
//!
//! It takes no lock and performs nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rayon::prelude::*;

use super::judge::{Judgement, Restored};
use super::standing::{Reasons, Standing, in_order};
use super::{Engine, EngineError};
use crate::graph::task::Task;
use crate::graph::walk::{self, Edge};
use crate::graph::{TaskGraph, TaskId, select};
use crate::path::ProjectPath;
use crate::store::attempt::{OutputEntry, OutputKind};
use crate::store::input::{InputDigest, InputKind};
use crate::store::key::KeyDocument;
use crate::store::stale::{StaleReason, differences};

/// The tasks that `id` reads from and that run or are restored, in graph order.
#[must_use]
pub fn before(graph: &TaskGraph, standings: &BTreeMap<TaskId, Standing>, id: TaskId) -> Vec<TaskId> {
    let is_pending = |before: &TaskId| {
        let standing = standings.get(before);
        standing.is_some_and(|standing| !standing.is_fresh()) && walk::edge(graph, id, *before) != Edge::After
    };
    graph.dependencies(id).into_iter().filter(is_pending).collect()
}

/// Standings, and keys of measurements.
type Foreseen = (BTreeMap<TaskId, Standing>, BTreeMap<TaskId, KeyDocument>);

impl Engine<'_> {
    /// The standing of every task of `selected`, which is closed under
    /// dependencies.
    ///
    /// # Errors
    /// When a file exists and cannot be read.
    pub fn standings(&self, selected: &BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Standing>, EngineError> {
        Ok(self.foresee(selected)?.0)
    }

    /// The key that a measurement will have once all that it needs is in place, without the number
    /// of a repeat; `None` if something must be made first that is not known yet. Runs nothing.
    ///
    /// # Errors
    /// When a file exists and cannot be read.
    pub fn key_of(&self, id: TaskId) -> Result<Option<KeyDocument>, EngineError> {
        let selected = select::closure(self.graph, &BTreeSet::from([id]));
        let key = self.foresee(&selected)?.1.remove(&id);
        Ok(key.map(|key| key.without_repeat()))
    }

    /// The standing of every task, and the keys of measurements whose inputs are known.
    fn foresee(&self, selected: &BTreeSet<TaskId>) -> Result<Foreseen, EngineError> {
        self.remember_contents(selected);
        let mut keys = BTreeMap::new();
        let mut standings = BTreeMap::new();
        let mut restored = Restored::new();
        for id in self.graph.order().iter().copied().filter(|id| selected.contains(id)) {
            let before = before(self.graph, &standings, id);
            let task = self.graph.task(id);
            let waits_for = before
                .iter()
                .copied()
                .find(|before| standings[before].runs() || !self.is_seen_through(task, *before, &restored));
            let standing = match waits_for {
                None => {
                    let Judgement { standing, key } = self.judge(id, &restored, Reasons::All)?;
                    if let Some(key) = key.filter(|_| task.measures()) {
                        keys.insert(id, key);
                    }
                    standing
                }
                Some(dependency) => self.waiting_for(task, dependency, &before, &restored)?,
            };
            if let Standing::Restorable(attempt, _) = &standing {
                let whole = attempt.outputs.iter().filter(|output| output.kind != OutputKind::Symlink);
                restored.extend(whole.map(|output| (output.path.clone(), as_input(output))));
            }
            standings.insert(id, standing);
        }
        Ok((standings, keys))
    }

    /// Hashes files on all cores before the tasks are judged one by one. That step
    /// reports files that cannot be read.
    fn remember_contents(&self, selected: &BTreeSet<TaskId>) {
        let paths: HashSet<&ProjectPath> =
            selected.iter().flat_map(|id| self.graph.task(*id).paths()).collect();
        paths.into_par_iter().for_each(|path| {
            let _ = self.store.digest_of(&self.layout.resolve(path));
        });
    }

    /// Whether all inputs that `task` reads from `before`, whose outputs will be
    /// restored, are known: none is a part of an output or a folder around one.
    fn is_seen_through(&self, task: &Task, before: TaskId, restored: &Restored) -> bool {
        self.graph.task(before).outputs.iter().all(|output| {
            let mut touched = task.inputs.iter().filter(|input| touch(input, output));
            touched.all(|input| input == output && restored.contains_key(input))
        })
    }

    /// A task that waits, with the differences from its last attempt that do not
    /// depend on the tasks before it.
    fn waiting_for(
        &self,
        task: &Task,
        dependency: TaskId,
        before: &[TaskId],
        restored: &Restored,
    ) -> Result<Standing, EngineError> {
        let Some(last) = self.store.attempts_of(&task.label).into_iter().next() else {
            return Ok(Standing::New);
        };
        if task.is_always_stale() {
            return Ok(Standing::After { dependency, reasons: vec![StaleReason::Always] });
        }
        let is_open = |path: &ProjectPath| {
            let mut outputs = before.iter().flat_map(|before| &self.graph.task(*before).outputs);
            outputs.any(|output| touch(path, output))
        };
        let mut key = self.document(task, BTreeMap::new());
        for path in &task.inputs {
            let content = if is_open(path) { None } else { self.content(task, path, restored)? };
            // An input that is not known yet counts as unchanged. A new one is no
            // difference of its own, because the task that makes it is in the
            // chain.
            if let Some(content) = content.or_else(|| last.document.inputs.get(path).copied()) {
                key.inputs.insert(path.clone(), content);
            }
        }
        let reasons = in_order(task, differences(&last.document, &key));
        Ok(Standing::After { dependency, reasons })
    }
}

/// A restored output as an input of another task.
fn as_input(output: &OutputEntry) -> InputDigest {
    let kind = match output.kind {
        OutputKind::Dir => InputKind::Dir,
        _ if output.executable => InputKind::Executable,
        _ => InputKind::File,
    };
    InputDigest { content: output.content, kind }
}

/// Whether one path is the other or lies inside it.
fn touch(one: &ProjectPath, other: &ProjectPath) -> bool {
    one.is_within(other) || other.is_within(one)
}
