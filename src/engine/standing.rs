//! The standing of a task: whether it must run, and why.
//!
//! One type for a first look, a build, `lp build --dry-run`, `lp graph` and
//! `lp explain`. A reason is a [`StaleReason`] of the store; it becomes text as late
//! as possible.

use std::fmt;
use std::sync::Arc;

use crate::graph::TaskId;
use crate::graph::task::Task;
use crate::store::amiss::Amiss;
use crate::store::attempt::Attempt;
use crate::store::stale::{KeyPath, StaleReason};

/// Whether a task must run, as far as is known.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    Fresh,
    /// The outputs of this attempt are restored from the store, because those in
    /// place are missing or changed.
    Restorable(Arc<Attempt>, Amiss),
    /// No attempt under its label yet.
    New,
    /// It must run, for at least one reason of its own, the first one first.
    Stale(Vec<StaleReason>),
    /// It waits for a task that must run; whether it must run itself depends on the
    /// outputs of that task.
    After {
        /// The first task that it waits for.
        dependency: TaskId,
        /// The known differences; empty if only the first reasons were requested.
        reasons: Vec<StaleReason>,
    },
}

/// Whether to find one reason of a task or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reasons {
    First,
    All,
}

impl Standing {
    /// Whether it has nothing to do.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self, Standing::Fresh)
    }

    /// Whether the task would be performed, as far as is known.
    #[must_use]
    pub fn runs(&self) -> bool {
        matches!(self, Standing::New | Standing::Stale(_) | Standing::After { .. })
    }

    /// Its own reasons, the first one first.
    #[must_use]
    pub fn reasons(&self) -> &[StaleReason] {
        match self {
            Standing::Stale(reasons) | Standing::After { reasons, .. } => reasons,
            Standing::Fresh | Standing::Restorable(..) | Standing::New => &[],
        }
    }
}

/// "stale: `fps` changed from 15 to 30"
impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::Fresh => f.write_str("fresh"),
            Standing::Restorable(_, amiss) => write!(f, "restorable: {amiss}"),
            Standing::New => f.write_str("new"),
            Standing::Stale(reasons) => {
                let first = reasons.first().expect("a task is stale for at least one reason");
                write!(f, "stale: {first}")
            }
            Standing::After { .. } => f.write_str("waits for what it needs"),
        }
    }
}

/// Sorts the most useful reasons first: those that follow from other values come
/// last.
#[must_use]
pub fn in_order(task: &Task, mut reasons: Vec<StaleReason>) -> Vec<StaleReason> {
    reasons.sort_by_key(|reason| {
        let key = reason.key().and_then(KeyPath::of_action);
        key.is_some_and(|key| task.action.derives(key))
    });
    reasons
}
