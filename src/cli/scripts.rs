//! Users' scripts, looked at before a run: can they be started, and is there
//! something that they could read?
//!
//! Not here: running them (`session`).

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::codes;
use crate::config::diagnostics::{Diagnostic, Diagnostics, Place};
use crate::config::project::{Project, Source, Step};
use crate::dialect;
use crate::graph::task::Action;
use crate::graph::{TaskGraph, TaskId};
use crate::os;
use crate::path::ProjectPath;

/// Looks at the scripts of the runs in `needed`. Says where each is written, so
/// that one which is not there is reported at that place.
pub(super) fn check(
    project: &Project,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<ProjectPath, Place> {
    let mut places = BTreeMap::new();
    let members: BTreeSet<_> = needed
        .iter()
        .filter_map(|id| match &graph.task(*id).action {
            Action::Run(run) => Some(&run.members),
            _ => None,
        })
        .flatten()
        .collect();
    if members.is_empty() {
        return places;
    }
    let made: BTreeSet<&ProjectPath> = graph.tasks().iter().flat_map(|task| &task.outputs).collect();
    for camera in project.cameras.iter().filter(|camera| members.contains(&camera.slug)) {
        let is_drawn = matches!(dialect::played(project, camera).source, Source::Synthetic { .. });
        let workloads = camera.workloads.iter().filter_map(|name| project.workload(name));
        for step in workloads.flat_map(|workload| &workload.steps) {
            let Some(path) = script_of(project, step) else { continue };
            if is_drawn {
                diagnostics.push(
                    Diagnostic::error(
                        codes::SCRIPT_SOURCE,
                        format!("`{path}` cannot see the frames of `{}`, which are drawn live", camera.name),
                    )
                    .at(step.place)
                    .also(camera.place, "this camera")
                    .help("play its clip: `--set run.source=file`, or give the camera other workloads"),
                );
            }
            // Each is looked at once, wherever it is used first.
            if places.insert(path.clone(), step.place).is_none() && !made.contains(&path) {
                let place = project.layout.resolve(&path);
                if let Some((fault, help)) = fault(&project.layout.root, &place) {
                    let message = format!("`{path}` cannot be started: {fault}");
                    let diagnostic = Diagnostic::error(codes::SCRIPT_NOT_RUNNABLE, message).at(step.place);
                    diagnostics.push(diagnostic.help(help));
                }
            }
        }
    }
    places
}

fn script_of(project: &Project, step: &Step) -> Option<ProjectPath> {
    let path = ProjectPath::new(step.script.as_ref()?).ok()?;
    Some(project.layout.named(path))
}

/// Why a file cannot be started, and what would help. `None` if nothing is
/// known against it; one that is not there is reported as a missing input.
fn fault(root: &Path, place: &Path) -> Option<(String, String)> {
    let metadata = os::fs::metadata(place).ok()?;
    let shown = crate::path::shown(&place.strip_prefix(root).unwrap_or(place).to_string_lossy()).into_owned();
    if !metadata.is_file() {
        return Some(("it is no file".to_owned(), "name the program that is to be run".to_owned()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Some(("it may not be executed".to_owned(), format!("chmod +x {shown}")));
    }
    let head = os::fs::read_head(place, 256).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let interpreter = line.split_ascii_whitespace().next().unwrap_or_default();
    if line.ends_with('\r') {
        let fault = "its first line ends in a carriage return, which counts as a part of it";
        return Some((fault.to_owned(), format!("sed -i 's/\\r$//' {shown}")));
    }
    // A relative one is found from the folder in which the script is started.
    let interpreter_place: PathBuf = root.join(interpreter);
    if interpreter.is_empty() || os::fs::metadata(&interpreter_place).is_err() {
        let fault = format!("its first line asks for `{}`, which does not exist", interpreter.escape_debug());
        return Some((fault, "name a program of this machine, such as `#!/bin/sh`".to_owned()));
    }
    None
}
