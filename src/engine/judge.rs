//! One task's key, and the store's answer to it: the only place that decides
//! whether a task must run.
//!
//! [`Engine::look`], [`Engine::standings`] and the run loop decide which tasks are
//! judged, and in which order.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::standing::{Reasons, Standing, in_order};
use super::{Engine, EngineError};
use crate::graph::TaskId;
use crate::graph::task::{Action, Task};
use crate::path::ProjectPath;
use crate::store::attempt::Attempt;
use crate::store::freshness::Freshness;
use crate::store::input::InputDigest;
use crate::store::key::{KeyDocument, REPEAT};
use crate::store::stale::StaleReason;

/// The future contents of files that are not in place yet, since they are restored.
pub(super) type Restored = HashMap<ProjectPath, InputDigest>;

/// The judgement of a task.
pub(super) struct Judgement {
    pub(super) standing: Standing,
    /// Its key; `None` if an input is missing.
    pub(super) key: Option<KeyDocument>,
}

impl Engine<'_> {
    /// Whether a task must run. All its inputs that tasks make exist, or are among
    /// `restored`.
    pub(super) fn judge(
        &self,
        id: TaskId,
        restored: &Restored,
        wanted: Reasons,
    ) -> Result<Judgement, EngineError> {
        let task = self.graph.task(id);
        let mut inputs = BTreeMap::new();
        for path in &task.inputs {
            let Some(input) = self.content(task, path, restored)? else {
                let standing = Standing::Stale(vec![StaleReason::InputMissing(path.clone())]);
                return Ok(Judgement { standing, key: None });
            };
            inputs.insert(path.clone(), input);
        }
        let mut key = self.document(task, inputs);
        if task.measures() {
            key.extra.insert(REPEAT.to_owned(), self.repeat_to_compare(task, &key).into());
        }
        let standing = match self.freshness(task, &key) {
            Freshness::Fresh(_) => Standing::Fresh,
            Freshness::Restorable { attempt, why } => Standing::Restorable(attempt, why),
            Freshness::New => Standing::New,
            Freshness::Stale(reasons) => {
                let mut reasons = in_order(task, reasons);
                if wanted == Reasons::First {
                    reasons.truncate(1);
                }
                Standing::Stale(reasons)
            }
        };
        let standing = match self.runs_anyway(id, task, &standing) {
            Some(reason) => Standing::Stale(vec![reason]),
            None => standing,
        };
        Ok(Judgement { standing, key: Some(key) })
    }

    fn freshness(&self, task: &Task, key: &KeyDocument) -> Freshness {
        let known = match &task.action {
            Action::Download(download) => download.locked_content(),
            _ => None,
        };
        self.store.freshness(&task.label, key, &task.outputs, known.as_ref())
    }

    /// The attempt whose outputs are in place; `None` if the task is not fresh. Its inputs
    /// that tasks make exist.
    ///
    /// # Errors
    /// When an input or output exists and cannot be read.
    pub fn attempt_in_place(&self, id: TaskId) -> Result<Option<Arc<Attempt>>, EngineError> {
        let Some(key) = self.judge(id, &Restored::new(), Reasons::First)?.key else { return Ok(None) };
        match self.freshness(self.graph.task(id), &key) {
            Freshness::Fresh(attempt) => Ok(Some(attempt)),
            _ => Ok(None),
        }
    }

    /// The reason why a task runs whatever the store has.
    fn runs_anyway(&self, id: TaskId, task: &Task, standing: &Standing) -> Option<StaleReason> {
        if task.is_always_stale() {
            return (*standing != Standing::New).then_some(StaleReason::Always);
        }
        let again = self.again.tasks.contains(&id) && (task.measures() || !standing.runs());
        again.then_some(StaleReason::Again(self.again.why))
    }

    /// A measurement is fresh when any complete record matches in all but its
    /// repeat number; if there is none, it is compared with the last one.
    fn repeat_to_compare(&self, task: &Task, key: &KeyDocument) -> u32 {
        let last = || self.store.attempts_of(&task.label).into_iter().next();
        let shown = self.store.fitting_measurement(&task.label, key).or_else(last);
        shown.and_then(|attempt| attempt.repeat).unwrap_or(1)
    }

    /// The key of a task that reads these inputs.
    pub(super) fn document(&self, task: &Task, inputs: BTreeMap<ProjectPath, InputDigest>) -> KeyDocument {
        let action = serde_json::to_value(&task.action).expect("actions have text keys");
        let facts = self.host.facts(task);
        let mut key = KeyDocument::new(action, inputs);
        key.tools = facts.tools;
        key.extra = facts.extra;
        key
    }

    /// The digest of an input now, or once it is restored; `None` if it is missing.
    /// Only commands execute their inputs.
    pub(super) fn content(
        &self,
        task: &Task,
        path: &ProjectPath,
        restored: &Restored,
    ) -> Result<Option<InputDigest>, EngineError> {
        let found = match restored.get(path) {
            Some(input) => *input,
            None => match self.store.input(path) {
                Ok(input) => input,
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(EngineError::Store(error.into())),
            },
        };
        let executes = matches!(task.action, Action::Command(_));
        Ok(Some(if executes { found } else { found.without_bit() }))
    }
}
