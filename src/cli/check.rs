//! `lp check`

use super::args::{CheckArgs, Global, HumanOrJson};
use super::open::{color, graph_faults, read, refusal};
use super::{Exit, console, rule};
use crate::config::diagnostics::Severity;

pub(super) fn run(global: &Global, args: &CheckArgs) -> anyhow::Result<Exit> {
    let is_json = args.json || args.format == HumanOrJson::Json;
    if let Some(code) = &args.explain {
        return Ok(rule::explain(code, is_json));
    }
    let mut loaded = read(global, &[])?;
    if let Some(project) = &loaded.project {
        loaded.diagnostics.append(graph_faults(project));
    }
    if args.strict {
        loaded.diagnostics.deny_warnings();
    }
    if is_json {
        let document = serde_json::json!({
            "version": 1,
            "diagnostics": loaded.diagnostics.to_json(&loaded.sources),
        });
        console::out(&format!("{document:#}\n"));
    } else if !loaded.diagnostics.is_empty() {
        console::note(loaded.diagnostics.render_human(&loaded.sources, color(global)).trim_end());
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
