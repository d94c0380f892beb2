//! `lp graph`: all tasks, the dependencies or dependents of one, or the connection of
//! two.

use std::collections::BTreeSet;

use super::args::{Global, GraphArgs};
use super::console;
use super::{Exit, project};
use crate::action::Fetching;
use crate::engine::standing::Standing;
use crate::graph::dot::{self, Shade};
use crate::graph::walk::{self, Direction, Edge};
use crate::graph::{TaskGraph, TaskId, select};
use crate::store::Store;
use crate::workspace::build::Build;
use crate::workspace::error::Result;
use crate::workspace::open::Workspace;
use crate::workspace::tools;

pub(super) fn run(global: &Global, args: &GraphArgs) -> Result<Exit> {
    let opened = project::open(global, &[])?;
    let lists = [&args.targets, &args.deps, &args.rdeps, &args.path];
    let names: Vec<String> = lists.into_iter().flatten().cloned().collect();
    let graph = project::graph(&opened, &opened.subjects(&names))?;
    let as_document = args.dot || args.json;

    let selected = if let [from, to] = args.path.as_slice() {
        let Some(way) = way(&opened, &graph, from, to)? else {
            console::result(&format!("neither of `{from}` and `{to}` needs the other"));
            return Ok(Exit::Failed);
        };
        if !as_document {
            print_way(&graph, &way);
            return Ok(Exit::Done);
        }
        way.into_iter().collect()
    } else if !args.deps.is_empty() || !args.rdeps.is_empty() {
        let (names, toward) = if args.deps.is_empty() {
            (&args.rdeps, Direction::Dependents)
        } else {
            (&args.deps, Direction::Dependencies)
        };
        let from = opened.select(&graph, names)?.0;
        let mut reached = walk::reach(&graph, &from, toward, args.depth);
        if !as_document {
            let reached = graph.order().iter().filter(|id| reached.contains(id));
            console::out(&reached.map(|id| format!("{}\n", graph.task(*id).label)).collect::<String>());
            return Ok(Exit::Done);
        }
        // Without the tasks themselves, a picture would lack their edges.
        reached.extend(from);
        reached
    } else if args.targets.is_empty() {
        graph.order().iter().copied().collect()
    } else {
        opened.select(&graph, &args.targets)?.1
    };
    show(args, &opened, &graph, &selected)?;
    Ok(Exit::Done)
}

fn show(args: &GraphArgs, opened: &Workspace, graph: &TaskGraph, selected: &BTreeSet<TaskId>) -> Result<()> {
    let needed = select::closure(graph, selected);
    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, opened.worker(), graph, &needed);
    let fetching = Fetching::default();
    let build = Build { opened, graph, store: &store, tools: &tools, jobs: None, fetching };
    let standings = build.look(&needed)?;
    let shade = |id: TaskId| match &standings[&id] {
        Standing::Fresh => Shade::Fresh,
        Standing::New => Shade::New,
        Standing::Restorable(..) | Standing::Stale(_) | Standing::After { .. } => Shade::Stale,
    };
    if args.dot {
        console::out(&dot::dot(graph, selected, &shade));
    } else if args.json {
        console::out(&dot::json(graph, selected, &shade));
    } else {
        let (width, paper) = (console::widest(graph, selected), console::paper());
        for id in graph.order().iter().filter(|id| selected.contains(id)) {
            let standing = opened.project.layout.in_words(standings[id].to_string());
            let lines = paper.beside(&graph.task(*id).label, width, &standing);
            console::out(&(lines.join("\n") + "\n"));
        }
    }
    Ok(())
}

/// The shortest path between two tasks, in either direction.
fn way(opened: &Workspace, graph: &TaskGraph, from: &str, to: &str) -> Result<Option<Vec<TaskId>>> {
    // Both at once, so that both are reported if both are unknown.
    opened.select(graph, &[from.to_owned(), to.to_owned()])?;
    let from = opened.select(graph, &[from.to_owned()])?.0;
    let to = opened.select(graph, &[to.to_owned()])?.0;
    Ok(walk::shortest(graph, &from, &to).or_else(|| walk::shortest(graph, &to, &from)))
}

/// One line per edge: "`report` reads `results/run/lane.json` of `run:lane`".
fn print_way(graph: &TaskGraph, way: &[TaskId]) {
    let label = |id: TaskId| &graph.task(id).label;
    for two in way.windows(2) {
        let (task, dependency) = (label(two[0]), label(two[1]));
        console::out(&match walk::edge(graph, two[0], two[1]) {
            Edge::Reads(path) => format!("`{task}` reads `{path}` of `{dependency}`\n"),
            Edge::After => format!("`{task}` comes after `{dependency}`\n"),
        });
    }
    if let [only] = way {
        console::out(&format!("`{}` is one task\n", label(*only)));
    }
}
