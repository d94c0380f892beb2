//! `lp check`

use super::args::{CheckArgs, CheckFormat, Global};
use super::open::{color, graph_faults, print, read, refusal};
use super::{Exit, console};
use crate::config::diagnostics::Severity;
use crate::config::document;

pub(super) fn run(global: &Global, args: &CheckArgs) -> anyhow::Result<Exit> {
    let mut loaded = read(global, &[])?;
    if let Some(project) = &loaded.project {
        loaded.diagnostics.append(graph_faults(project));
    }
    if args.strict {
        loaded.diagnostics.deny_warnings();
    }
    let format = if args.json { CheckFormat::Json } else { args.format };
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
    if let Some(project) = &loaded.project {
        let warnings = match loaded.diagnostics.count(Severity::Warning) {
            0 => String::new(),
            1 => ", 1 warning".to_owned(),
            n => format!(", {n} warnings"),
        };
        let counted = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        console::note(&format!(
            "no errors: {}, {}, {}{warnings}",
            counted(project.cameras.len(), "camera"),
            counted(project.workloads.len(), "workload"),
            counted(project.tasks.len(), "task")
        ));
    }
    Ok(Exit::Done)
}
