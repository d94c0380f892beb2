//! Faults of a project that show only in its graph or on its disk: tasks that make
//! no graph, inputs that are missing, scripts that cannot run.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::scripts;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::graph::alias::Aliases;
use crate::graph::lower::{Lowering, Subject, lower};
use crate::graph::{TaskGraph, TaskId, link, select};
use crate::model::Project;
use crate::os;
use crate::path::ProjectPath;
use crate::plan::lane::Lane;

/// The faults of a project's graph and of its cameras' scripts. The tasks that `lp`
/// itself makes are always a graph, so the lane is planned and the graph linked only
/// if the user declares tasks or scripts.
pub(crate) fn of_graph<'l>(project: &Project, lane: impl FnOnce() -> &'l Lane) -> Diagnostics {
    let scripts = scripts::of_cameras(project);
    if project.tasks.is_empty() && scripts.is_empty() {
        return Diagnostics::new();
    }
    let (subjects, lane) = ([Subject::lane(project)], lane());
    let lowered =
        lower(&Lowering { project, lane, subjects: &subjects, variable: &|_| None, parts: &|_| Vec::new() });
    let aliases = Aliases::find(&project.layout, &lowered.tasks);
    let graph = match link::link_by(lowered.tasks, aliases) {
        Ok(graph) => graph,
        Err(faults) => return of_links(faults),
    };
    let mut diagnostics = Diagnostics::new();
    if let Some(run) = graph.by_label("run:lane").filter(|_| !scripts.is_empty()) {
        let needed = BTreeSet::from([run]);
        let places = scripts::check(project, lane, &graph, &needed, &mut diagnostics);
        let is_script = |input: &ProjectPath| scripts.contains(input);
        missing_inputs(project, &graph, &needed, &places, &is_script, &mut diagnostics);
    }
    diagnostics
}

/// Inputs that neither exist nor are made, and scripts that cannot run.
pub(crate) fn of_sources(
    project: &Project,
    lane: &Lane,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let places = scripts::check(project, lane, graph, needed, &mut diagnostics);
    missing_inputs(project, graph, needed, &places, &|_| true, &mut diagnostics);
    diagnostics
}

/// Adds those inputs that are `looked_at`, and neither exist nor are made.
fn missing_inputs(
    project: &Project,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    places: &BTreeMap<ProjectPath, Place>,
    looked_at: &(dyn Fn(&ProjectPath) -> bool + Sync),
    diagnostics: &mut Diagnostics,
) {
    let sources: Vec<_> = select::sources(graph, needed).collect();
    let missing = sources.into_par_iter().filter_map(|(task, n)| {
        let input = Some(&task.inputs[n]).filter(|input| looked_at(input))?;
        let error = os::fs::metadata(&project.layout.resolve(input)).err()?;
        Some((task, n, error))
    });
    for (task, n, error) in missing.collect::<Vec<_>>() {
        let input = &task.inputs[n];
        let place = places.get(input).copied().unwrap_or_else(|| task.input_place(n));
        let reads = format!("`{}` reads `{input}`", task.label);
        let why = match os::tree::read_link(&error.path) {
            Ok(target) => {
                let target = target.as_path().to_string_lossy();
                format!("a link to `{}`, which leads to nothing", crate::text::harmless(&target))
            }
            Err(_) if error.is_not_found() => "which does not exist and which no task makes".to_owned(),
            Err(_) => format!("which cannot be read: {}", error.source),
        };
        diagnostics.push(Diagnostic::error(codes::NO_PRODUCER, format!("{reads}, {why}")).at(place));
    }
}

/// The faults that keep tasks from being a graph.
pub(crate) fn of_links(faults: Vec<link::LinkFault>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for fault in faults {
        let mut diagnostic =
            Diagnostic::error(codes::GRAPH, fault.message).at(fault.place).label(fault.label);
        for (place, text) in fault.others {
            diagnostic = diagnostic.also(place, text);
        }
        diagnostics.push(diagnostic);
    }
    diagnostics
}
