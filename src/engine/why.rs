//! Why each task would run: [`Engine::standings`], for `lp explain`.
//!
//! [`Engine::look`] stops at the first thing that is not fresh. This goes on:
//! it finds every difference of every task, says for which tasks another one
//! waits, and sees through tasks whose outputs come out of the store, since
//! what these will hold is known.
//!
//! Takes no lock and performs nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Engine, EngineError};
use crate::graph::TaskId;
use crate::graph::task::{Action, Task};
use crate::path::ProjectPath;
use crate::store::amiss::Amiss;
use crate::store::attempt::{Attempt, OutputEntry, OutputKind};
use crate::store::freshness::Freshness;
use crate::store::input::{InputDigest, InputKind};
use crate::store::key::{KeyDocument, REPEAT};
use crate::store::stale::{StaleReason, differences};

/// How a task stands, with all that can be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Whether it must run.
    pub state: State,
    /// The last attempt under its label.
    pub last: Option<Arc<Attempt>>,
    /// The tasks right before it that run or are restored, in the order of the graph.
    pub before: Vec<TaskId>,
}

/// Whether a task must run.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Need not run.
    Fresh,
    /// Outputs of this attempt come out of the store.
    Restorable(Arc<Attempt>, Amiss),
    /// It has never run.
    New,
    /// It must run, for at least one reason of its own.
    Stale(Vec<Why>),
    /// It waits for what runs before it; what is known to differ already.
    Waits(Vec<Why>),
}

/// A reason of a task's own.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// It differs from the last attempt, or that left nothing to reuse.
    Reason(StaleReason),
    /// It is declared with `cache = false`.
    Always,
    /// Something that it reads is not there, and no task makes it.
    NoInput(ProjectPath),
}

impl State {
    /// Whether the task would be performed, as far as one can tell.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self, State::New | State::Stale(_) | State::Waits(_))
    }
}

/// What is known of the tasks that were looked at already.
#[derive(Default)]
struct Known {
    standings: BTreeMap<TaskId, Standing>,
    /// What restored outputs will hold.
    restored: HashMap<ProjectPath, InputDigest>,
}

impl Engine<'_> {
    /// How every task of `selected`, which is closed under dependencies, stands.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn standings(&self, selected: &BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Standing>, EngineError> {
        self.remember_contents(selected);
        let mut known = Known::default();
        for id in self.graph.order().iter().filter(|id| selected.contains(id)) {
            let standing = self.standing(*id, &known)?;
            if let State::Restorable(attempt, _) = &standing.state {
                let whole = attempt.outputs.iter().filter(|output| output.kind != OutputKind::Symlink);
                known.restored.extend(whole.map(|output| (output.path.clone(), as_input(output))));
            }
            known.standings.insert(*id, standing);
        }
        Ok(known.standings)
    }

    /// Hashes what must be hashed with all cores, before the tasks are gone
    /// through one by one. What cannot be read is reported there.
    fn remember_contents(&self, selected: &BTreeSet<TaskId>) {
        let paths: HashSet<&ProjectPath> =
            selected.iter().flat_map(|id| self.graph.task(*id).paths()).collect();
        paths.into_par_iter().for_each(|path| {
            let _ = self.store.digest_of(&self.layout.resolve(path));
        });
    }

    fn standing(&self, id: TaskId, known: &Known) -> Result<Standing, EngineError> {
        let task = self.graph.task(id);
        let last = self.store.attempts_of(&task.label).into_iter().next();
        // What merely comes first (`after`) decides nothing.
        let is_pending = |before: &TaskId| {
            let standing = known.standings.get(before);
            standing.is_some_and(|standing| standing.state != State::Fresh) && self.is_read(task, *before)
        };
        let before: Vec<TaskId> = self.graph.dependencies(id).into_iter().filter(is_pending).collect();
        let waits = before.iter().any(|before| {
            known.standings[before].state.runs() || !self.is_seen_through(task, *before, known)
        });
        let state = match &last {
            _ if !waits => self.state(task, last.as_ref(), known)?,
            None => State::New,
            Some(last) => State::Waits(self.differs_already(task, last, &before, known)?),
        };
        Ok(Standing { state, last, before })
    }

    fn is_read(&self, task: &Task, before: TaskId) -> bool {
        let outputs = &self.graph.task(before).outputs;
        task.inputs.iter().any(|input| outputs.iter().any(|output| touch(input, output)))
    }

    /// Whether everything that `task` reads of `before`, whose outputs will be
    /// restored, is known: not a part of one, not a folder around one.
    fn is_seen_through(&self, task: &Task, before: TaskId, known: &Known) -> bool {
        self.graph.task(before).outputs.iter().all(|output| {
            let mut touched = task.inputs.iter().filter(|input| touch(input, output));
            touched.all(|input| input == output && known.restored.contains_key(input))
        })
    }

    fn content(
        &self,
        task: &Task,
        path: &ProjectPath,
        known: &Known,
    ) -> Result<Option<InputDigest>, EngineError> {
        if let Some(input) = known.restored.get(path) {
            let counts = matches!(task.action, Action::Command(_));
            return Ok(Some(if counts { *input } else { input.without_bit() }));
        }
        match self.input(task, path) {
            Ok(input) => Ok(Some(input)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(EngineError::Store(error.into())),
        }
    }

    /// The state of a task whose inputs are all known.
    fn state(&self, task: &Task, last: Option<&Arc<Attempt>>, known: &Known) -> Result<State, EngineError> {
        let mut inputs = BTreeMap::new();
        for path in &task.inputs {
            match self.content(task, path, known)? {
                Some(content) => inputs.insert(path.clone(), content),
                None => return Ok(State::Stale(vec![Why::NoInput(path.clone())])),
            };
        }
        let mut key = self.document(task, inputs);
        if task.measures() {
            let fitting = self.store.fitting_measurement(&task.label, &key);
            let shown = fitting.as_ref().or(last).and_then(|attempt| attempt.repeat);
            key.extra.insert(REPEAT.to_owned(), shown.unwrap_or(1).into());
        }
        if task.is_always_stale() {
            return Ok(if last.is_some() { State::Stale(vec![Why::Always]) } else { State::New });
        }
        Ok(match self.store.freshness(&task.label, &key, &task.outputs) {
            Freshness::Fresh(_) => State::Fresh,
            Freshness::Restorable { attempt, why } => State::Restorable(attempt, why),
            Freshness::New => State::New,
            Freshness::Stale(first) => {
                let compared = self.store.compared_with(&task.label, &key);
                let all = compared.map_or(Vec::new(), |compared| compare(&compared, &key));
                let all = if all.contains(&first) { all } else { vec![first] };
                State::Stale(all.into_iter().map(Why::Reason).collect())
            }
        })
    }

    /// What differs from the last attempt whatever the tasks before it make.
    fn differs_already(
        &self,
        task: &Task,
        last: &Attempt,
        before: &[TaskId],
        known: &Known,
    ) -> Result<Vec<Why>, EngineError> {
        let is_open = |path: &ProjectPath| {
            let mut outputs = before.iter().flat_map(|before| &self.graph.task(*before).outputs);
            outputs.any(|output| touch(path, output))
        };
        let mut key = self.document(task, BTreeMap::new());
        for path in &task.inputs {
            let content = if is_open(path) { None } else { self.content(task, path, known)? };
            // What is not known yet counts as what it was; what is new is no
            // difference of its own, because whoever makes it is in the chain.
            if let Some(content) = content.or_else(|| last.document.inputs.get(path).copied()) {
                key.inputs.insert(path.clone(), content);
            }
        }
        if task.is_always_stale() {
            return Ok(vec![Why::Always]);
        }
        let found = compare(last, &key);
        Ok(found.into_iter().map(Why::Reason).collect())
    }
}

/// What a restored output is to whoever reads it.
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

/// All differences between an attempt and the key of now, repeat aside.
fn compare(last: &Attempt, key: &KeyDocument) -> Vec<StaleReason> {
    differences(&last.document.without_repeat(), &key.without_repeat())
}
