//! One task's key, and what the store says to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Engine, EngineError, Verdict};
use crate::graph::TaskId;
use crate::graph::task::{Action, Task};
use crate::os::fs::FsError;
use crate::path::ProjectPath;
use crate::store::attempt::Attempt;
use crate::store::freshness::Freshness;
use crate::store::input::InputDigest;
use crate::store::key::{KeyDocument, REPEAT};

/// What was found out about a task.
pub(super) struct Judged {
    /// Its key; `None` if an input is not there.
    pub(super) key: Option<KeyDocument>,
    pub(super) verdict: Verdict,
    /// The attempt whose outputs can be restored.
    pub(super) restorable: Option<Arc<Attempt>>,
    /// Which repeat of a measurement comes next; 0 for other tasks.
    pub(super) repeat: u32,
}

impl Engine<'_> {
    /// Whether a task must run. All its inputs that tasks make are made.
    pub(super) fn judge(&self, id: TaskId) -> Result<Judged, EngineError> {
        let task = self.graph.task(id);
        let mut inputs = BTreeMap::new();
        for path in &task.inputs {
            match self.input(task, path) {
                Ok(input) => {
                    inputs.insert(path.clone(), input);
                }
                Err(error) if error.is_not_found() => {
                    let verdict = Verdict::Stale(format!("input `{path}` does not exist"));
                    return Ok(Judged { key: None, verdict, restorable: None, repeat: 0 });
                }
                Err(error) => return Err(EngineError::Store(error.into())),
            }
        }
        let key = self.document(task, inputs);
        if task.measures() {
            return self.judge_measurement(id, task, key);
        }
        let freshness = self.store.freshness(&task.label, &key, &task.outputs);
        let mut judged = Judged { key: Some(key), verdict: Verdict::Fresh, restorable: None, repeat: 0 };
        take(&mut judged, freshness);
        let is_done = matches!(judged.verdict, Verdict::Fresh | Verdict::Restorable(_));
        if task.is_always_stale() {
            judged.verdict = Verdict::Stale("it is declared with `cache = false`".to_owned());
            judged.restorable = None;
        } else if is_done && self.again.tasks.contains(&id) {
            judged.verdict = Verdict::Stale(self.again.why.to_owned());
            judged.restorable = None;
        }
        Ok(judged)
    }

    /// The key of a task that reads these inputs.
    pub(super) fn document(&self, task: &Task, inputs: BTreeMap<ProjectPath, InputDigest>) -> KeyDocument {
        let action = serde_json::to_value(&task.action).expect("actions have text keys");
        let facts = (self.facts)(task);
        let mut key = KeyDocument::new(action, inputs);
        key.tools = facts.tools;
        key.extra = facts.extra;
        key
    }

    /// What counts of an input now. Only commands execute what they read.
    pub(super) fn input(&self, task: &Task, path: &ProjectPath) -> Result<InputDigest, FsError> {
        let input = self.store.input(path)?;
        Ok(if matches!(task.action, Action::Command(_)) { input } else { input.without_bit() })
    }

    /// A measurement is fresh when any complete record fits in all but its
    /// repeat number, unless it is to be made again.
    fn judge_measurement(
        &self,
        id: TaskId,
        task: &Task,
        mut key: KeyDocument,
    ) -> Result<Judged, EngineError> {
        let next = self.store.next_repeat(&task.label, &key);
        let again = self.again.tasks.contains(&id);
        let fitting = if again { None } else { self.store.fitting_measurement(&task.label, &key) };
        // For the sentence, compare with the last attempt as if it were this repeat.
        let last = self.store.attempts_of(&task.label).first().and_then(|last| last.repeat);
        let shown = fitting.as_ref().and_then(|fitting| fitting.repeat).or(last).unwrap_or(next);
        key.extra.insert(REPEAT.to_owned(), Value::from(shown));
        let freshness = self.store.freshness(&task.label, &key, &task.outputs);
        let mut judged = Judged { key: None, verdict: Verdict::Fresh, restorable: None, repeat: next };
        take(&mut judged, freshness);
        if again {
            judged.verdict = Verdict::Stale(self.again.why.to_owned());
            judged.restorable = None;
        }
        let reused = judged.restorable.is_some() || judged.verdict.is_fresh();
        if !reused {
            key.extra.insert(REPEAT.to_owned(), Value::from(next));
        }
        judged.key = Some(key);
        Ok(judged)
    }
}

fn take(judged: &mut Judged, freshness: Freshness) {
    match freshness {
        Freshness::Fresh(_) => judged.verdict = Verdict::Fresh,
        Freshness::Restorable { attempt, why } => {
            judged.verdict = Verdict::Restorable(why.to_string());
            judged.restorable = Some(attempt);
        }
        Freshness::New => judged.verdict = Verdict::New,
        Freshness::Stale(reason) => judged.verdict = Verdict::Stale(reason.to_string()),
    }
}
