//! `lp explain --last`: what the last build did and why.

use super::SHOWN;
use crate::cli::args::ExplainArgs;
use crate::cli::{Exit, console, project};
use crate::report::grid::Paper;
use crate::store::Store;
use crate::time::duration_text;
use crate::workspace::error::Result;
use crate::workspace::last::{self, LastBuild, LastTask};
use crate::workspace::open::Workspace;

/// Of these targets or of all.
pub(super) fn run(opened: &Workspace, args: &ExplainArgs) -> Result<Exit> {
    let store = Store::open(opened.project.layout.clone())?;
    let Some(mut last) = last::read(&store) else {
        console::result("there is no record of a build that had something to do");
        return Ok(Exit::Failed);
    };
    if !args.targets.is_empty() {
        let graph = project::graph(opened, &opened.subjects(&args.targets))?;
        let wanted = opened.select(&graph, &args.targets)?.0;
        last.tasks.retain(|task| graph.by_label(&task.label).is_some_and(|id| wanted.contains(&id)));
    }
    if args.json {
        console::out(&format!("{:#}\n", serde_json::to_value(&last)?));
        return Ok(Exit::Done);
    }
    console::out(&text(&last, console::paper()));
    if last.tasks.is_empty() {
        console::note(&format!("the last build had nothing to do for {}", args.targets.join(", ")));
    }
    let later = last.later(&store);
    if !later.is_empty() {
        let some: Vec<String> = later.iter().take(SHOWN).map(|label| format!("`{label}`")).collect();
        let rest = if later.len() > SHOWN { ", ..." } else { "" };
        console::note(&format!("a later build was killed or still runs; it did {}{rest}", some.join(", ")));
    }
    Ok(Exit::Done)
}

fn text(last: &LastBuild, paper: Paper) -> String {
    let width = last.tasks.iter().map(|task| task.label.chars().count()).max().unwrap_or(0).min(40);
    let took = duration_text(std::time::Duration::from_millis(last.duration_ms));
    let head = format!("the build of {}, which took {took}: {}", last.started, last.summary_line);
    let mut text = paper.wrap_lines(&head);
    for LastTask { label, outcome, reason, detail, .. } in &last.tasks {
        let because = if reason.is_empty() { String::new() } else { format!("; {reason}") };
        let line = match outcome.as_str() {
            "succeeded" => format!("ran: {reason}"),
            "restored" => format!("restored: {reason}"),
            "skipped" => "not started".to_owned(),
            "cancelled" => format!("interrupted{because}"),
            "failed" => format!("failed: {detail}{because}"),
            "timed_out" => format!("timed out: {detail}{because}"),
            other => format!("{other}: {detail}{because}"),
        };
        text.push_str(&(paper.beside(label, width, &line).join("\n") + "\n"));
    }
    text
}
