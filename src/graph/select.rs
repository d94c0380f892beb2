//! From targets to tasks: a target is a label, a camera, a user task's name, a glob,
//! one of `plan assets report`, or a file that a task makes.

use std::collections::BTreeSet;
use std::path::Path;

use super::by_file::{self, Named};
use super::lower::Subject;
use super::task::{Action, Task};
use super::{TaskGraph, TaskId};
use crate::model::{Camera, Project};
use crate::name::{did_you_mean, is_glob, matches_glob};

/// The most files that are named for one word.
const SHOWN: usize = 5;

/// A target that names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTarget {
    /// As given.
    pub target: String,
    /// What would be right.
    pub hint: Option<String>,
}

/// The runs that targets are about, so that their tasks are lowered: those of
/// `run:X`, `benchmark:X` and `report:X`, and of their files. The lane is always among
/// them. Files are relative to `directory` or to the project.
#[must_use]
pub fn subjects(project: &Project, directory: &Path, targets: &[String]) -> Vec<Subject> {
    let mut subjects = vec![Subject::lane(project)];
    let mut add = |subject: Subject| {
        if !subject.members.is_empty() && !subjects.iter().any(|known| known.name == subject.name) {
            subjects.push(subject);
        }
    };
    for target in targets {
        if let Some((kind, rest)) = target.split_once(':') {
            if !matches!(kind, "run" | "benchmark" | "report" | "density") {
                continue;
            }
            if is_glob(rest) {
                for camera in &project.cameras {
                    add(Subject::of(project, &[camera]));
                }
                continue;
            }
            joined(project, rest.split('/').next().unwrap_or(rest)).into_iter().for_each(&mut add);
        } else if let Some(camera) = project.camera(target) {
            add(Subject::of(project, &[camera]));
        } else {
            let paths = by_file::paths(&project.layout, directory, target);
            let names = paths.iter().filter_map(|path| subject_of(path.as_str()));
            names.filter_map(|name| joined(project, name)).for_each(&mut add);
        }
    }
    subjects
}

/// The subject of a file of a run: `results/run/NAME.json`, `results/report/NAME.html`,
/// `results/benchmark/NAME/camera-3.csv`.
fn subject_of(path: &str) -> Option<&str> {
    let mut parts = path.strip_prefix("results/")?.split('/');
    match (parts.next()?, parts.next()?) {
        ("benchmark", name) => Some(name),
        ("run" | "report" | "density", file) => Some(file.rsplit_once('.')?.0),
        _ => None,
    }
}

/// The run of cameras by their slugs: `camera-1+camera-3`.
fn joined(project: &Project, slugs: &str) -> Option<Subject> {
    let cameras: Option<Vec<&Camera>> = slugs.split('+').map(|slug| project.camera(slug)).collect();
    Some(Subject::of(project, &cameras?))
}

/// The tasks that targets name. Without targets: the plan, all assets, and every
/// user task that does not depend on a run. Files are relative to `directory` or to the
/// project.
///
/// # Errors
/// Every target that names nothing.
pub fn targets(
    graph: &TaskGraph,
    project: &Project,
    directory: &Path,
    targets: &[String],
) -> Result<BTreeSet<TaskId>, Vec<UnknownTarget>> {
    if targets.is_empty() {
        return Ok(default_targets(graph));
    }
    let mut selected = BTreeSet::new();
    let mut unknown = Vec::new();
    for target in targets {
        let found = one_target(graph, project, target);
        if !found.is_empty() {
            selected.extend(found);
            continue;
        }
        match by_file::named(graph, &project.layout, directory, target) {
            Named::Made(id) => drop(selected.insert(id)),
            named => unknown
                .push(UnknownTarget { target: target.clone(), hint: hint(graph, project, target, &named) }),
        }
    }
    if unknown.is_empty() { Ok(selected) } else { Err(unknown) }
}

/// Everything that `wanted` needs, itself included.
#[must_use]
pub fn closure(graph: &TaskGraph, wanted: &BTreeSet<TaskId>) -> BTreeSet<TaskId> {
    let mut needed = vec![false; graph.tasks().len()];
    let mut open: Vec<TaskId> = wanted.iter().copied().collect();
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut needed[id.index()], true) {
            open.extend(graph.dependencies(id));
        }
    }
    needed.iter().enumerate().filter(|(_, needed)| **needed).map(|(index, _)| TaskId::new(index)).collect()
}

/// Inputs of `selected` that no task makes: the task that reads it, and which of
/// its inputs it is.
pub fn sources<'a>(
    graph: &'a TaskGraph,
    selected: &'a BTreeSet<TaskId>,
) -> impl Iterator<Item = (&'a Task, usize)> {
    selected
        .iter()
        .map(|id| graph.task(*id))
        .flat_map(|task| (0..task.inputs.len()).map(move |n| (task, n)))
        .filter(|(task, n)| graph.producer(&task.inputs[*n]).is_none())
}

/// Whether a task fetches or makes an asset: a video, a clip or a model.
#[must_use]
pub fn is_asset(task: &Task) -> bool {
    matches!(
        task.action,
        Action::Download(_)
            | Action::Model(_)
            | Action::Convert(_)
            | Action::Generate { .. }
            | Action::Transcode(_)
    )
}

fn is_about_a_run(task: &Task) -> bool {
    matches!(
        task.action,
        Action::Run(_) | Action::Density(_) | Action::Benchmark { .. } | Action::Report { .. }
    )
}

fn ids(graph: &TaskGraph, mut keep: impl FnMut(&Task) -> bool) -> BTreeSet<TaskId> {
    let tasks = graph.tasks().iter().enumerate();
    tasks.filter(|(_, task)| keep(task)).map(|(index, _)| TaskId::new(index)).collect()
}

fn default_targets(graph: &TaskGraph) -> BTreeSet<TaskId> {
    let mut measured = vec![false; graph.tasks().len()];
    for id in graph.order() {
        measured[id.index()] = is_about_a_run(graph.task(*id))
            || graph.dependencies(*id).iter().any(|dependency| measured[dependency.index()]);
    }
    let tasks = graph.tasks().iter().enumerate();
    tasks.filter(|(index, _)| !measured[*index]).map(|(index, _)| TaskId::new(index)).collect()
}

fn one_target(graph: &TaskGraph, project: &Project, target: &str) -> BTreeSet<TaskId> {
    if target == "assets" {
        return ids(graph, is_asset);
    }
    if let Some(id) = graph.by_label(target).or_else(|| graph.by_label(&format!("task:{target}"))) {
        return BTreeSet::from([id]);
    }
    if let Some(camera) = project.camera(target) {
        let run = graph.by_label(&format!("run:{}", camera.slug));
        return run.map_or(BTreeSet::new(), |run| graph.dependencies(run).into_iter().collect());
    }
    if is_glob(target) {
        let measures =
            ["run:", "density:", "benchmark:", "report"].iter().any(|word| target.starts_with(word));
        let may = |task: &Task| measures || !is_about_a_run(task);
        let labelled = ids(graph, |task| may(task) && matches_glob(target, &task.label));
        if !labelled.is_empty() {
            return labelled;
        }
        let makes = |task: &Task| task.outputs.iter().any(|path| matches_glob(target, path.as_str()));
        return ids(graph, |task| may(task) && makes(task));
    }
    BTreeSet::new()
}

/// What would be right instead of an unknown target.
fn hint(graph: &TaskGraph, project: &Project, target: &str, named: &Named) -> Option<String> {
    match named {
        Named::Several(paths) => {
            let paths: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
            return Some(format!("several files have this name: {}", paths.join(", ")));
        }
        Named::Read(path, reader) => {
            let reader = &graph.task(*reader).label;
            return Some(format!("no task makes `{path}`, but `{reader}` reads it"));
        }
        Named::Made(_) | Named::Nothing => {}
    }
    let labels = graph.tasks().iter().map(|task| task.label.as_str());
    let names = project.cameras.iter().map(|camera| camera.name.as_str());
    let tasks = project.tasks.iter().map(|task| task.name.as_str());
    let files = || graph.tasks().iter().flat_map(|task| &task.outputs);
    let paths = files().map(|path| if target.contains('/') { path.as_str() } else { path.file_name() });
    let meant = did_you_mean(target, labels.chain(names).chain(tasks).chain(["assets"]).chain(paths));
    Some(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`lp list targets` lists them".to_owned(),
    })
}
