//! `lp check`

use super::args::{CheckArgs, CheckFormat, Global};
use super::open::{color, graph_faults, print, refusal, request};
use super::{Exit, console, rule};
use crate::config::diagnostics::Severity;
use crate::config::document;
use crate::config::load::{LoadRequest, Scope, load};

pub(super) fn run(global: &Global, args: &CheckArgs) -> anyhow::Result<Exit> {
    let format = if args.json { CheckFormat::Json } else { args.format };
    if let Some(code) = &args.explain {
        return Ok(rule::explain(code, format == CheckFormat::Json));
    }
    // One of the two files alone is checked by itself, wherever it is.
    let is_single = global.cameras.is_some() != global.workloads.is_some();
    let scope = if is_single { Scope::Single } else { Scope::Project };
    let mut loaded = load(&LoadRequest { scope, ..request(global, &[])? });
    if let Some(project) = &loaded.project {
        loaded.diagnostics.append(graph_faults(project));
    }
    if args.strict {
        loaded.diagnostics.deny_warnings();
    }
    match format {
        CheckFormat::Human => print(&loaded.diagnostics, &loaded.sources, color(global)),
        CheckFormat::Json => console::out(&document(&serde_json::json!({
            "version": 1,
            "diagnostics": loaded.diagnostics.to_json(&loaded.sources),
        }))),
        CheckFormat::Sarif => console::out(&document(&loaded.diagnostics.to_sarif(&loaded.sources))),
    }
    if loaded.diagnostics.has_errors() {
        console::note(&refusal(&loaded.diagnostics));
        return Ok(Exit::Refused);
    }
    let warnings = match loaded.diagnostics.count(Severity::Warning) {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        n => format!(", {n} warnings"),
    };
    let counted = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let (cameras, workloads) = (counted(loaded.counted.0, "camera"), counted(loaded.counted.1, "workload"));
    let what = match &loaded.project {
        Some(project) => format!("{cameras}, {workloads}, {}", counted(project.tasks.len(), "task")),
        None if global.cameras.is_some() => cameras,
        None => workloads,
    };
    console::note(&format!("no errors: {what}{warnings}"));
    Ok(Exit::Done)
}
