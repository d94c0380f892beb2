//! `lp explain`

use std::collections::BTreeMap;

use super::args::{ExplainArgs, Global};
use super::build::Build;
use super::console;
use super::open::open;
use super::{Exit, tools};
use crate::engine::Verdict;
use crate::graph::{TaskGraph, TaskId, select};
use crate::store::Store;

pub(super) fn run(global: &Global, args: &ExplainArgs) -> anyhow::Result<Exit> {
    let opened = open(global, &[])?;
    let targets = [args.target.clone()];
    let graph = opened.graph(&select::subjects(&opened.project, &targets))?;
    let (wanted, needed) = opened.select(&graph, &targets)?;
    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, &graph, &needed);
    let build = Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: None };
    let verdicts = build.look(&needed)?;
    for id in graph.order().iter().filter(|id| wanted.contains(id)) {
        console::out(&format!("{}\n", sentence(&graph, &verdicts, *id)));
        if graph.task(*id).measures() {
            console::out(&format!("{}\n", about_runs(&store, &graph, &verdicts, *id)));
        }
    }
    Ok(Exit::Done)
}

/// "`plan` is stale because `plan:camera-3` is stale: `fps` changed from 15 to 30"
fn sentence(graph: &TaskGraph, verdicts: &BTreeMap<TaskId, Verdict>, id: TaskId) -> String {
    let mut text = String::new();
    let mut at = id;
    loop {
        let label = &graph.task(at).label;
        match &verdicts[&at] {
            Verdict::Fresh => text.push_str(&format!("`{label}` is fresh")),
            Verdict::New => text.push_str(&format!("`{label}` is new: it has never run")),
            Verdict::Restorable(why) => {
                text.push_str(&format!("`{label}` comes out of the store: {why}"));
            }
            Verdict::Stale(why) => text.push_str(&format!("`{label}` is stale: {why}")),
            Verdict::After(dependency) => {
                text.push_str(&format!("`{label}` waits for what it reads: "));
                at = *dependency;
                continue;
            }
        }
        return text;
    }
}

fn about_runs(store: &Store, graph: &TaskGraph, verdicts: &BTreeMap<TaskId, Verdict>, id: TaskId) -> String {
    let label = &graph.task(id).label;
    let attempts = store.attempts_of(label);
    let newest = attempts.iter().find(|attempt| attempt.is_reusable());
    match (&verdicts[&id], newest.and_then(|attempt| attempt.run_id())) {
        (Verdict::Fresh | Verdict::Restorable(_), Some(run)) => {
            let repeat = newest.and_then(|attempt| attempt.repeat).unwrap_or(1);
            format!("`lp run` always measures; `lp build` would reuse record {run} (repeat {repeat})")
        }
        _ => "`lp run` always measures; `lp build` would measure too: no record fits".to_owned(),
    }
}
