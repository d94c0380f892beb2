//! `lp build --dry-run`: which tasks would run, and why.

use std::collections::BTreeSet;

use crate::cli::{Exit, console};
use crate::engine::Again;
use crate::engine::standing::Standing;
use crate::graph::TaskId;
use crate::text::counted;
use crate::workspace::build::{Build, unwatched};
use crate::workspace::error::Result;

pub(super) fn run(build: &Build<'_>, needed: &BTreeSet<TaskId>, again: Again) -> Result<Exit> {
    let graph = build.graph;
    let host = build.host(&unwatched);
    let engine = build.engine(&host).again(again);
    build.refuse_downloads(&engine, needed)?;
    let standings = engine.look(needed)?;
    let width = console::widest(graph, needed).min(40);
    let mut n_stale = 0;
    for id in graph.order().iter().filter(|id| standings.contains_key(id)) {
        let reason = match &standings[id] {
            Standing::Fresh => continue,
            Standing::After { dependency, .. } => {
                format!("stale if `{}` makes something new", graph.task(*dependency).label)
            }
            standing => build.opened.project.layout.in_words(standing.to_string()),
        };
        n_stale += 1;
        let lines = console::paper_of_stderr().beside(&graph.task(*id).label, width, &reason);
        console::result(&lines.join("\n"));
    }
    console::result(&match n_stale {
        0 => format!("nothing to do: {} fresh", counted(standings.len(), "task")),
        n => format!("{} would run", counted(n, "task")),
    });
    Ok(Exit::Done)
}
