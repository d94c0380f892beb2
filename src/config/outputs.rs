//! The places where user tasks may write: anywhere in the project except to config
//! files, the store, and the files of `lp` itself below `results/`.
//!
//! An output is deleted before its task runs, so a folder around one of these is
//! refused as well.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::Project;
use crate::path::{Layout, ProjectPath};

/// The files and folders of `lp` below `[paths] results`.
const OURS: [&str; 8] = ["plan.json", "summary.json", "plan", "run", "runs", "benchmark", "report", "latest"];

/// Refuses outputs of user tasks in guarded places. `files` are the
/// config files, absolute.
pub(super) fn check<'a>(
    project: &Project,
    files: impl Iterator<Item = &'a PathBuf>,
    diagnostics: &mut Diagnostics,
) {
    let layout = &project.layout;
    // A config file and every folder around it.
    let files: Vec<PathBuf> = files.map(|file| straight(file)).collect();
    let configs: HashSet<&Path> = files.iter().flat_map(|file| file.ancestors()).collect();
    let cache = layout.cache();
    let ours: Vec<PathBuf> = OURS.iter().map(|name| layout.results.join(name)).collect();
    let guarded = || files.iter().chain([&cache]).chain(&ours);
    let safe = SafePaths::new(layout, guarded());
    let outputs = project.tasks.iter().flat_map(|task| &task.outputs);
    for (output, place) in outputs.filter(|(output, _)| !safe.contains(output)) {
        let path = layout.resolve(output);
        let around = |other: &Path| path.starts_with(other) || other.starts_with(&path);
        let why = if output.own_name().is_some() {
            "`file:` is for the videos that cameras name"
        } else if around(&cache) {
            "`lp` keeps its store in `.lpcache`"
        } else if configs.contains(path.as_path()) {
            "a config file is there"
        } else if ours.iter().any(|ours| around(ours)) {
            "`lp` itself writes there"
        } else {
            continue;
        };
        let message = format!("no task may write `{output}`");
        diagnostics.push(Diagnostic::error(codes::BAD_PATH, message).at(*place).label(why));
    }
}

/// Tells by the first part whether a path is certainly not in or around a guarded
/// place. A project may have a hundred thousand outputs, and comparing absolute
/// paths is slow.
struct SafePaths<'a> {
    /// The first parts, below the root, of guarded places and of `[paths]`;
    /// `None` if the root itself lies in a guarded place.
    others: Option<HashSet<&'a OsStr>>,
}

impl<'a> SafePaths<'a> {
    fn new(layout: &'a Layout, guarded: impl Iterator<Item = &'a PathBuf>) -> SafePaths<'a> {
        let mut others: HashSet<&OsStr> = ["media", "models", "results", "file:"].map(OsStr::new).into();
        for place in guarded {
            if layout.root.starts_with(place) {
                return SafePaths { others: None };
            }
            // A path below the root cannot reach other places.
            let below = place.strip_prefix(&layout.root).ok();
            others.extend(below.and_then(|below| below.iter().next()));
        }
        SafePaths { others: Some(others) }
    }

    fn contains(&self, output: &ProjectPath) -> bool {
        let first = output.as_str().split('/').next().unwrap_or_default();
        self.others.as_ref().is_some_and(|others| !others.contains(OsStr::new(first)))
    }
}

/// The path without `..`, which a flag may have.
fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            straight.pop();
        } else {
            straight.push(part);
        }
    }
    straight
}
