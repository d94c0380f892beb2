//! Checks of users' scripts by `lp check` and before a run: that they can be started
//! and have an input. Also the places where the files of a run are named.
//!
//! Not here: running them (`session`).

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::missing::{FileUse, FileUses};
use crate::action;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::dialect::{self, StepFileKind};
use crate::graph::{TaskGraph, TaskId};
use crate::model::{Project, Source, Step};
use crate::os;
use crate::path::ProjectPath;
use crate::plan::lane::Lane;

/// Checks the scripts of the runs in `needed`. Returns the uses of scripts and of
/// steps' files, so that a missing one is reported at its place.
pub(crate) fn check(
    project: &Project,
    lane: &Lane,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    diagnostics: &mut Diagnostics,
) -> FileUses {
    let mut uses = FileUses::new();
    let members: BTreeSet<_> =
        needed.iter().filter_map(|id| graph.task(*id).played()).flat_map(|(_, members)| members).collect();
    if members.is_empty() {
        return uses;
    }
    for planned in lane.cameras.iter().filter(|planned| members.contains(planned.slug())) {
        let camera = planned.camera();
        let is_drawn = matches!(camera.source, Source::Synthetic { .. });
        for file in dialect::step_files(planned) {
            add(&mut uses, project.layout.named(file.path), file.place, file.kind, &camera.name);
        }
        if planned.plan.decode_only {
            continue;
        }
        let workloads = planned.request.workloads.iter();
        for (step, step_places) in workloads.flat_map(|one| one.steps.iter().zip(&one.places)) {
            let Some(path) = script_of(project, step) else { continue };
            let place = step_places.step;
            if is_drawn {
                diagnostics.push(
                    Diagnostic::error(
                        codes::SCRIPT_SOURCE,
                        format!("`{path}` cannot see the frames of `{}`, which are drawn live", camera.name),
                    )
                    .at(place)
                    .also(camera.place, "this camera")
                    .help("play its clip: `--set run.source=file`, or give the camera other workloads"),
                );
            }
            // Each is checked once, at its first use.
            let is_new = add(&mut uses, path.clone(), place, StepFileKind::Other, &camera.name);
            if is_new && graph.producer(&path).is_none() {
                let file = project.layout.resolve(&path);
                if let Some((fault, help)) = fault(&project.layout.root, &file) {
                    let message = format!("`{path}` cannot be started: {fault}");
                    let diagnostic = Diagnostic::error(codes::SCRIPT_NOT_RUNNABLE, message).at(place);
                    diagnostics.push(diagnostic.help(help));
                }
            }
        }
    }
    uses
}

/// Notes that a camera needs a file; whether it is the first.
fn add(uses: &mut FileUses, path: ProjectPath, place: Place, kind: StepFileKind, camera: &str) -> bool {
    let is_new = !uses.contains_key(&path);
    let used = uses.entry(path).or_insert_with(|| FileUse { place, kind, cameras: Vec::new() });
    if !used.cameras.iter().any(|known| known == camera) {
        used.cameras.push(camera.to_owned());
    }
    is_new
}

/// The scripts that cameras run.
pub(crate) fn of_cameras(project: &Project) -> BTreeSet<ProjectPath> {
    let workloads = project.cameras.iter().flat_map(|camera| &camera.workloads);
    let steps = workloads.filter_map(|name| project.workload(name)).flat_map(|workload| &workload.steps);
    steps.filter_map(|step| script_of(project, step)).collect()
}

fn script_of(project: &Project, step: &Step) -> Option<ProjectPath> {
    let Step::Script(script) = step else { return None };
    Some(project.layout.named(script.path.clone()))
}

/// The reason why a file cannot be started, with a way out. `None` if there is no
/// known reason; a missing file is reported as a missing input.
fn fault(root: &Path, place: &Path) -> Option<(String, String)> {
    let metadata = os::fs::metadata(place).ok()?;
    let shown =
        crate::text::harmless(&place.strip_prefix(root).unwrap_or(place).to_string_lossy()).into_owned();
    if !metadata.is_file() {
        return Some(("it is not a file".to_owned(), "name the program to run".to_owned()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Some(("it is not executable".to_owned(), format!("chmod +x {shown}")));
    }
    let head = os::fs::read_head(place, 256).ok()?;
    let Some(line) = head.strip_prefix(b"#!") else { return no_program(&head, &shown) };
    let line = std::str::from_utf8(line.split(|byte| *byte == b'\n').next()?).ok()?;
    if line.ends_with('\r') {
        let fault = "its first line ends in a carriage return, which belongs to the line";
        return Some((fault.to_owned(), format!("sed -i 's/\\r$//' {shown}")));
    }
    let line = line.trim_ascii();
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let asks_for = |program: &str| {
        let fault =
            format!("its first line names `{}`, which does not exist", crate::text::harmless(program));
        Some((fault, "name a program of this machine, such as `#!/bin/sh`".to_owned()))
    };
    // A relative one is found from the folder in which the script is started.
    if interpreter.is_empty() || !is_program(&root.join(interpreter)) {
        return asks_for(interpreter);
    }
    if Path::new(interpreter).file_name() != Some("env".as_ref()) {
        return None;
    }
    // The kernel passes all the rest as one argument, which `-S` splits.
    let program = match argument.trim_ascii().strip_prefix("-S") {
        Some(words) => words.split_ascii_whitespace().next().unwrap_or_default(),
        None => argument.trim_ascii(),
    };
    if program.is_empty() || program.starts_with('-') || program.contains('=') {
        return None;
    }
    let found = os::process::program_in(program.as_ref(), action::PATH.as_ref(), root);
    if found.is_some_and(|found| is_program(&root.join(found))) { None } else { asks_for(program) }
}

fn is_program(place: &Path) -> bool {
    os::fs::metadata(place).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The reason why a file without `#!` cannot be started. The kernel may know how to
/// start a binary file.
fn no_program(head: &[u8], shown: &str) -> Option<(String, String)> {
    let way_out = "begin it with `#!` and a program of this machine, such as `#!/bin/sh`".to_owned();
    let fault = if head.is_empty() {
        "it is empty"
    } else if head.starts_with(b"\xef\xbb\xbf#!") {
        let way_out = format!("sed -i '1s/^\\xef\\xbb\\xbf//' {shown}");
        return Some(("a byte-order mark precedes its `#!`".to_owned(), way_out));
    } else if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Some(("it is written in UTF-16".to_owned(), "save it as UTF-8".to_owned()));
    } else if head.contains(&0) {
        return None;
    } else {
        "it does not begin with `#!`"
    };
    Some((fault.to_owned(), way_out))
}
