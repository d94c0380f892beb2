//! `lp explain`: the reason why a target would run, down to the line of a file.
//!
//! The engine gives the state of every task; [`chain`] finds the path from a target to
//! its root cause, [`words`] makes sentences of reasons, and [`origin`] finds the
//! place of a value. [`sentence`] puts them together for people, [`json`] for
//! programs.

mod chain;
mod json;
mod last;
mod origin;
mod sentence;
mod words;

use serde_json::{Value, json};

use super::args::{ExplainArgs, Global};
use super::{Exit, console, project};
use crate::action::Fetching;
use crate::config::locate::Locator;
use crate::graph::TaskGraph;
use crate::store::Store;
use crate::workspace::build::Build;
use crate::workspace::error::Result;
use crate::workspace::open::Workspace;
use crate::workspace::tools;
use origin::Origins;
use sentence::Explanation;

/// The most causes of a task, or further chains, that are shown.
const SHOWN: usize = 3;

pub(super) fn run(global: &Global, args: &ExplainArgs) -> Result<Exit> {
    let opened = project::open(global, &[])?;
    if args.last {
        return last::run(&opened, args);
    }
    let graph = project::graph(&opened, &opened.subjects(&args.targets))?;
    let (wanted, needed) = opened.select(&graph, &args.targets)?;
    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let fetching = Fetching::default();
    let build = Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: None, fetching };
    let standings = build.standings(&needed)?;
    let explained = Explanation {
        opened: &opened,
        graph: &graph,
        store: &store,
        standings: &standings,
        origins: origins(global, &opened, &graph),
    };
    let wanted = graph.order().iter().copied().filter(|id| wanted.contains(id));
    if args.json {
        let tasks: Vec<Value> = wanted.map(|id| explained.json(id)).collect();
        console::out(&format!("{:#}\n", json!({ "version": 1, "tasks": tasks })));
        return Ok(Exit::Done);
    }
    for id in wanted {
        console::out(&console::paper().wrap_lines(&explained.sentence(id)));
        if graph.task(id).measures() {
            console::out(&console::paper().wrap_lines(&explained.about_runs(id)));
        }
    }
    Ok(Exit::Done)
}

fn origins<'a>(global: &'a Global, opened: &'a Workspace, graph: &'a TaskGraph) -> Origins<'a> {
    Origins {
        project: &opened.project,
        graph,
        locator: Locator::new(&opened.sources, &opened.settings),
        profile: global.profile.as_deref(),
        files: &opened.files,
    }
}
