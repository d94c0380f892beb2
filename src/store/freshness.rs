//! Decides whether a task must run again, and why.
//!
//! A task is *fresh* when an attempt with the same [`ActionDigest`] succeeded
//! and its outputs are in place, *restorable* when they are not but the store
//! still has them, *new* when its label has no attempt yet, and otherwise
//! *stale*: [`StaleReason`]s name the differences from the last attempt.
//!
//! The action digest takes precedence over the label: setting a value back finds
//! the earlier attempt, and renaming a task runs nothing. Only contents matter: a task
//! whose contents are known before it runs takes them from any attempt under its label.
//!
//! Not here: reading the outputs in place (`observe`) and restoring them
//! (`materialise`).
//!
//! [`ActionDigest`]: crate::digest::ActionDigest

use std::sync::Arc;

use super::Store;
use super::amiss::Amiss;
use super::attempt::Attempt;
use super::key::KeyDocument;
use super::stale::{StaleReason, differences};
use crate::digest::ContentDigest;
use crate::path::ProjectPath;

/// Whether a task must run.
#[derive(Clone, Debug, PartialEq)]
pub enum Freshness {
    /// Nothing to do: this attempt's outputs are in place.
    Fresh(Arc<Attempt>),
    /// The store has this attempt's outputs; [`Store::restore`] restores them.
    Restorable {
        attempt: Arc<Attempt>,
        /// The outputs that are missing or changed.
        why: Amiss,
    },
    /// It has never run under this label.
    New,
    /// It must run, for at least one reason.
    Stale(Vec<StaleReason>),
}

impl Store {
    /// Whether the task called `label`, with this key document and these declared
    /// outputs, must run. `known` is what its only output will be, if that is known.
    pub fn freshness(
        &self,
        label: &str,
        key: &KeyDocument,
        outputs: &[ProjectPath],
        known: Option<&ContentDigest>,
    ) -> Freshness {
        let equal = || known.map_or_else(Vec::new, |content| self.equal(label, outputs, content));
        let candidates = self.reusable(key, outputs).into_iter().chain(std::iter::once_with(equal).flatten());
        let mut lost = None;
        for attempt in candidates {
            let Some(why) = self.amiss(&attempt.outputs) else {
                return Freshness::Fresh(attempt);
            };
            if attempt.outputs.iter().all(|output| self.has_blobs(output)) {
                return Freshness::Restorable { attempt, why };
            }
            lost = lost.or_else(|| why.first_lost());
        }
        if let Some(why) = lost {
            return Freshness::Stale(vec![why]);
        }
        let attempts = self.attempts_of(label);
        let Some(last) = attempts.first() else { return Freshness::New };
        let compared = self.nearest_in_place(&attempts, key).unwrap_or(last);
        Freshness::Stale(why_not_reusable(compared, key, outputs))
    }

    /// The newest complete measurement under `label` that matches `key` in all but
    /// the repeat number.
    #[must_use]
    pub fn fitting_measurement(&self, label: &str, key: &KeyDocument) -> Option<Arc<Attempt>> {
        self.measurements_like(label, key).find(|attempt| attempt.is_reusable())
    }

    /// All measurements of `key` under `label`, newest first, whatever became of them.
    #[must_use]
    pub fn repeats_of(&self, label: &str, key: &KeyDocument) -> Vec<Arc<Attempt>> {
        self.measurements_like(label, key).collect()
    }

    /// The repeat number for the next measurement of `key` under `label`: one more
    /// than the highest, complete or not.
    #[must_use]
    pub fn next_repeat(&self, label: &str, key: &KeyDocument) -> u32 {
        self.measurements_like(label, key).filter_map(|attempt| attempt.repeat).max().unwrap_or(0) + 1
    }

    fn measurements_like(&self, label: &str, key: &KeyDocument) -> impl Iterator<Item = Arc<Attempt>> {
        let wanted = key.without_repeat().digest();
        let attempts = self.attempts_of(label).into_iter();
        attempts.filter(move |attempt| {
            attempt.measurement && attempt.document.without_repeat().digest() == wanted
        })
    }

    /// The attempts whose outputs can be reused, newest first.
    fn reusable(&self, key: &KeyDocument, outputs: &[ProjectPath]) -> Vec<Arc<Attempt>> {
        self.log().of_action(&key.digest()).filter(|attempt| fits(attempt, outputs)).collect()
    }

    /// The attempts under `label` whose only output has these contents, newest first.
    fn equal(&self, label: &str, outputs: &[ProjectPath], content: &ContentDigest) -> Vec<Arc<Attempt>> {
        let is_equal = |attempt: &Arc<Attempt>| {
            fits(attempt, outputs) && attempt.outputs.iter().all(|output| output.content == *content)
        };
        self.attempts_of(label).into_iter().filter(is_equal).collect()
    }
}

/// Whether the outputs of an attempt are these, and can be reused.
fn fits(attempt: &Attempt, outputs: &[ProjectPath]) -> bool {
    attempt.is_reusable() && attempt.outputs.iter().map(|output| &output.path).eq(outputs)
}

/// Why nothing could be reused although `last` exists.
fn why_not_reusable(last: &Attempt, key: &KeyDocument, outputs: &[ProjectPath]) -> Vec<StaleReason> {
    let differences = differences(&last.document, key);
    if !differences.is_empty() {
        return differences;
    }
    vec![if !last.complete && !last.measurement {
        StaleReason::InputWritten
    } else if !last.complete {
        StaleReason::Incomplete
    } else if last.is_reusable() {
        let made = || last.outputs.iter().map(|output| &output.path);
        StaleReason::OutputsDeclared {
            added: outputs.iter().filter(|path| made().all(|made| made != *path)).cloned().collect(),
            removed: made().filter(|made| !outputs.contains(made)).cloned().collect(),
        }
    } else {
        StaleReason::LastAttempt(last.outcome)
    }]
}
