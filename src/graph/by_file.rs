//! From the name of a file to the task that makes it, for words on the command line.
//!
//! A word is a path relative to the current folder, or to the project, or absolute; or the
//! name of a file alone, if only one task makes a file of this name.

use std::path::Path;

use super::task::Task;
use super::{TaskGraph, TaskId};
use crate::path::{Layout, ProjectPath};

/// What a word means as the name of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A file that this task makes.
    Made(TaskId),
    /// The name of several files that different tasks make.
    Several(Vec<ProjectPath>),
    /// A file that a task reads and none makes.
    Read(ProjectPath, TaskId),
    Nothing,
}

/// The paths that a word may mean, the likeliest first.
pub(super) fn paths(layout: &Layout, directory: &Path, word: &str) -> Vec<ProjectPath> {
    let mut paths: Vec<ProjectPath> =
        [directory, &layout.root].iter().filter_map(|base| layout.path_of(&base.join(word))).collect();
    paths.dedup();
    paths
}

/// What a word means as the name of a file.
pub(super) fn named(graph: &TaskGraph, layout: &Layout, directory: &Path, word: &str) -> Named {
    let paths = paths(layout, directory, word);
    if let Some(id) = paths.iter().find_map(|path| graph.producer(path)) {
        return Named::Made(id);
    }
    if !word.contains('/') {
        let made =
            graph.order().iter().flat_map(|id| graph.task(*id).outputs.iter().map(move |path| (path, id)));
        let same: Vec<_> = made.filter(|(path, _)| path.file_name() == word).collect();
        match same.as_slice() {
            [] => {}
            [(_, id), rest @ ..] if rest.iter().all(|(_, other)| other == id) => return Named::Made(**id),
            several => return Named::Several(several.iter().map(|(path, _)| (*path).clone()).collect()),
        }
    }
    let reads = |path: &ProjectPath| {
        let is_reader = |task: &Task| task.inputs.contains(path);
        graph.order().iter().find(|id| is_reader(graph.task(**id))).map(|id| Named::Read(path.clone(), *id))
    };
    paths.iter().find_map(reads).unwrap_or(Named::Nothing)
}
