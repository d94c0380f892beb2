//! Where user tasks may write: anywhere in the project but to config files, the
//! store, and what `lp` makes itself below `results/`.
//!
//! An output is deleted before its task runs, so a folder around one of these is
//! refused as well.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::project::Project;

/// What `lp` makes below `[paths] results`.
const OURS: [&str; 8] = ["plan.json", "summary.json", "plan", "run", "runs", "benchmark", "report", "latest"];

/// Refuses outputs of user tasks that are not theirs to write. `files` are the
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
    let ours: Vec<PathBuf> = OURS.iter().map(|name| layout.results.join(name)).collect();
    for (output, place) in project.tasks.iter().flat_map(|task| &task.outputs) {
        let path = layout.resolve(output);
        let around = |other: &Path| path.starts_with(other) || other.starts_with(&path);
        let why = if around(&layout.cache()) {
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

/// Without `..`, which a flag may have.
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
