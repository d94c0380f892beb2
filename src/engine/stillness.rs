//! Whether the inputs of a task stayed unchanged while it ran.
//!
//! A task that reads B while its input goes from A to B and back must not be reused
//! for A, so digests at the end are not enough: inodes and times are compared as
//! well. An input that was written and has the same contents may be such a case, or
//! a `touch`, so the task is performed once more. If that happens again, something
//! keeps writing, perhaps the task itself (`gofmt -w`): the result is kept, but no
//! later build reuses it. If only modes, owners or names of files have changed
//! again, the task does that itself (`chmod +x tools/x`), and the result may be
//! reused.

use std::path::Path;

use super::Engine;
use super::host::{Outputs, Performed};
use super::judge::Restored;
use crate::engine::events::Outcome;
use crate::graph::task::Task;
use crate::os::fs::{Change, Trace};
use crate::path::{Layout, ProjectPath};
use crate::store::input::InputDigest;
use crate::store::key::KeyDocument;

/// The inputs of a task before it was performed.
pub(super) struct Watched<'e> {
    engine: &'e Engine<'e>,
    task: &'e Task,
    inputs: Vec<(&'e ProjectPath, InputDigest, Trace)>,
}

/// The kind of change of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    /// Its contents are the same.
    Look(Change),
    /// Its contents have changed.
    Contents,
}

/// The number of the attempt at a task, not counting retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    First,
    /// Its inputs changed during the first.
    Second,
}

/// Whether a result is valid.
pub(super) enum Stillness {
    Still,
    /// It may be invalid, since this input was written; perhaps valid after another
    /// try.
    Doubtful(ProjectPath),
    /// It is probably valid, but this input was written in both turns.
    Unsettled(ProjectPath),
    Broken(Broken),
}

/// Why a result is not valid.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("input `{0}` changed while the task ran")]
    Changed(ProjectPath),
}

impl<'e> Watched<'e> {
    /// Records the state of the inputs that `key` was computed from.
    pub(super) fn new(engine: &'e Engine<'e>, task: &'e Task, key: &'e KeyDocument) -> Watched<'e> {
        let look = |path: &ProjectPath| trace(engine.layout, path);
        let inputs = key.inputs.iter().map(|(path, input)| (path, *input, look(path))).collect();
        Watched { engine, task, inputs }
    }

    /// The inputs that have changed.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&'e ProjectPath, Difference)> {
        self.inputs.iter().filter_map(|(path, input, before)| {
            if self.engine.content(self.task, path, &Restored::new()).ok().flatten().as_ref() != Some(input) {
                return Some((*path, Difference::Contents));
            }
            let now = trace(self.engine.layout, path);
            now.since(before).map(|change| (*path, Difference::Look(change)))
        })
    }

    /// Whether the result of an attempt is valid. A failure is no result.
    pub(super) fn verdict(&self, performed: &Performed, turn: Turns) -> Stillness {
        let is_kept = performed.outputs == Outputs::KeptInAttempt;
        if performed.outcome != Outcome::Succeeded && !is_kept {
            return Stillness::Still;
        }
        let Some((path, difference)) = self.changed().max_by_key(|(_, difference)| *difference) else {
            return Stillness::Still;
        };
        match (difference, turn) {
            (Difference::Contents, _) => Stillness::Broken(Broken::Changed(path.clone())),
            // A measurement is not repeated unasked: it is kept, but never reused.
            _ if is_kept => Stillness::Broken(Broken::Changed(path.clone())),
            (Difference::Look(_), Turns::First) => Stillness::Doubtful(path.clone()),
            (Difference::Look(Change::Touched), Turns::Second) => Stillness::Still,
            (Difference::Look(Change::Written), Turns::Second) => Stillness::Unsettled(path.clone()),
        }
    }
}

/// The state of `path` and of each folder between it and the folder of `[paths]` or
/// the project that contains it; folders around those do not matter.
fn trace(layout: &Layout, path: &ProjectPath) -> Trace {
    let place = layout.resolve(path);
    let outside = layout.folders().into_iter().find(|folder| place.starts_with(folder));
    // A folder of `[paths]` outside of the project may be a link itself.
    let outside = outside.filter(|folder| *folder != layout.root).and_then(Path::parent);
    Trace::at(outside.unwrap_or(&layout.root), &place)
}
