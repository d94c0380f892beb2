//! Faults of a project that show only in its graph or on its disk: tasks that make
//! no graph, inputs that are missing, scripts that cannot run.

use std::collections::BTreeSet;

use super::{clips, missing, models, scripts};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::alias::Aliases;
use crate::graph::lower::{Lowering, Subject, lower};
use crate::graph::{TaskGraph, TaskId, link};
use crate::model::Project;
use crate::path::ProjectPath;
use crate::plan::lane::Lane;

/// The faults of a project's graph and of its cameras' scripts. The tasks that `lp`
/// itself makes are always a graph, so the lane is planned and the graph linked only
/// if the user declares tasks or scripts, or plays videos of their own.
pub(crate) fn of_graph<'l>(project: &Project, lane: impl FnOnce() -> &'l Lane) -> Diagnostics {
    let scripts = scripts::of_cameras(project);
    let plays_own = clips::own(project).next().is_some();
    if project.tasks.is_empty() && scripts.is_empty() && !plays_own {
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
    if plays_own {
        let all = graph.order().iter().copied().collect();
        clips::check(project, &graph, &all, &mut diagnostics);
    }
    if let Some(run) = graph.by_label("run:lane").filter(|_| !scripts.is_empty()) {
        let needed = BTreeSet::from([run]);
        let uses = scripts::check(project, lane, &graph, &needed, &mut diagnostics);
        let is_script = |input: &ProjectPath| scripts.contains(input);
        missing::find(project, &graph, &needed, &uses, &is_script, &mut diagnostics);
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
    let uses = scripts::check(project, lane, graph, needed, &mut diagnostics);
    let own = clips::check(project, graph, needed, &mut diagnostics);
    missing::find(project, graph, needed, &uses, &|input| !own.contains(input), &mut diagnostics);
    models::check(project, graph, &uses, &mut diagnostics);
    diagnostics
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
