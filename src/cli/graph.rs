//! `lp graph`

use super::args::{Global, GraphArgs};
use super::build::Build;
use super::console;
use super::open::open;
use super::{Exit, tools};
use crate::engine::Verdict;
use crate::graph::dot::{self, Shade};
use crate::graph::{TaskId, select};
use crate::store::Store;

pub(super) fn run(global: &Global, args: &GraphArgs) -> anyhow::Result<Exit> {
    let opened = open(global, &[])?;
    let graph = opened.graph(&select::subjects(&opened.project, &args.targets))?;
    let needed = if args.targets.is_empty() {
        graph.order().iter().copied().collect()
    } else {
        opened.select(&graph, &args.targets)?.1
    };
    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, &graph, &needed);
    let build = Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: None };
    let verdicts = build.look(&needed)?;
    let shade = |id: TaskId| match &verdicts[&id] {
        Verdict::Fresh => Shade::Fresh,
        Verdict::New => Shade::New,
        Verdict::Restorable(_) | Verdict::Stale(_) | Verdict::After(_) => Shade::Stale,
    };
    if args.dot {
        console::out(&dot::dot(&graph, &needed, &shade));
    } else if args.json {
        console::out(&dot::json(&graph, &needed, &shade));
    } else {
        let width = needed.iter().map(|id| graph.task(*id).label.chars().count()).max().unwrap_or(0);
        for id in graph.order().iter().filter(|id| needed.contains(id)) {
            console::out(&format!("{:width$}  {}\n", graph.task(*id).label, verdicts[id]));
        }
    }
    Ok(Exit::Done)
}
