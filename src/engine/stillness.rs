//! Whether the inputs of a task stood still while it ran.
//!
//! A task that reads B while its input goes from A to B and back must not answer
//! for A, so digests at the end are not enough: inodes and times are compared as
//! well. An input that was written and reads as before may be such a case, or a `touch`,
//! so the task is performed once more. If that happens again, somebody keeps
//! writing, perhaps the task itself (`gofmt -w`): the result stands, but answers for
//! no later build. If only modes, owners or names of files have changed again, the
//! task does that itself (`chmod +x tools/x`), and the result counts.

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

/// The inputs of a task as they were before it was performed.
pub(super) struct Watched<'e> {
    engine: &'e Engine<'e>,
    task: &'e Task,
    inputs: Vec<(&'e ProjectPath, InputDigest, Trace)>,
}

/// How an input differs from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Difference {
    /// It reads as before.
    Look(Change),
    /// It is something else.
    Contents,
}

/// Which performing of a task it is, retries aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    First,
    /// Its inputs did not stand still during the first.
    Second,
}

/// Whether a result may be believed.
pub(super) enum Stillness {
    Still,
    /// It may not, since this input was written; perhaps after another try.
    Doubtful(ProjectPath),
    /// As far as anybody can tell, but this input was written in both turns.
    Unsettled(ProjectPath),
    Broken(Broken),
}

/// Why a result is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("input `{0}` changed while the task ran")]
    Changed(ProjectPath),
}

impl<'e> Watched<'e> {
    /// Looks at the inputs that `key` was made of.
    pub(super) fn new(engine: &'e Engine<'e>, task: &'e Task, key: &'e KeyDocument) -> Watched<'e> {
        let look = |path: &ProjectPath| trace(engine.layout, path);
        let inputs = key.inputs.iter().map(|(path, input)| (path, *input, look(path))).collect();
        Watched { engine, task, inputs }
    }

    /// The inputs that are not as they were.
    pub(super) fn changed(&self) -> impl Iterator<Item = (&'e ProjectPath, Difference)> {
        self.inputs.iter().filter_map(|(path, input, before)| {
            if self.engine.content(self.task, path, &Restored::new()).ok().flatten().as_ref() != Some(input) {
                return Some((*path, Difference::Contents));
            }
            let now = trace(self.engine.layout, path);
            now.since(before).map(|change| (*path, Difference::Look(change)))
        })
    }

    /// Whether the result of a performing may be believed. A failure is no result.
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
            // A measurement is not made again unasked: it is kept, but answers for nothing.
            _ if is_kept => Stillness::Broken(Broken::Changed(path.clone())),
            (Difference::Look(_), Turns::First) => Stillness::Doubtful(path.clone()),
            (Difference::Look(Change::Touched), Turns::Second) => Stillness::Still,
            (Difference::Look(Change::Written), Turns::Second) => Stillness::Unsettled(path.clone()),
        }
    }
}

/// What is at `path` and on the way to it from the folder of `[paths]` or the
/// project that it lies in; what is around those is nobody's business.
fn trace(layout: &Layout, path: &ProjectPath) -> Trace {
    let place = layout.resolve(path);
    let outside = layout.folders().into_iter().find(|folder| place.starts_with(folder));
    // A folder of `[paths]` outside of the project may be a link itself.
    let outside = outside.filter(|folder| *folder != layout.root).and_then(Path::parent);
    Trace::at(outside.unwrap_or(&layout.root), &place)
}
