//! `lp check`

use std::cell::LazyCell;
use std::error::Error;

use super::args::{CheckArgs, CheckFormat, Global};
use super::project::request;
use super::{Exit, console, rule};
use crate::config::load::{LoadRequest, Scope, load};
use crate::diag::codes;
use crate::diag::document;
use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::model::Project;
use crate::plan::lane::Lane;
use crate::text::counted;
use crate::workspace::error::{self, CommandError, Result};
use crate::workspace::{adopted, faults, inference, machine};

pub(super) fn run(global: &Global, args: &CheckArgs) -> Result<Exit> {
    let format = if args.json { CheckFormat::Json } else { args.format };
    if let Some(code) = &args.explain {
        if format == CheckFormat::Sarif {
            return Err(CommandError::refused("the formats of `--explain` are human and json"));
        }
        return rule::explain(code, format == CheckFormat::Json);
    }
    // One of the two files alone is checked by itself, wherever it is.
    let is_single = global.cameras.is_some() != global.workloads.is_some();
    if is_single && args.machine {
        let fault = "`--machine` needs cameras and workloads: name both files, or none";
        return Err(CommandError::refused(fault));
    }
    let scope = if is_single { Scope::Single } else { Scope::Project };
    let mut loaded = load(&LoadRequest { scope, ..request(global, &[])? });
    let mut gstreamer = String::new();
    if let Some(project) = &mut loaded.project {
        let adopted = adopted::adopt(project)?;
        console::notes(&adopted.into_iter().filter_map(|adopted| adopted.note).collect::<Vec<_>>());
        inference::choose(project);
        let project = &*project;
        let lane = LazyCell::new(|| Lane::of(project));
        loaded.diagnostics.append(faults::of_graph(project, || &*lane));
        if args.machine && !loaded.diagnostics.has_errors() {
            gstreamer = ask_machine(project, &lane, &mut loaded.diagnostics);
        }
    }
    if args.strict {
        loaded.diagnostics.deny_warnings();
    }
    match format {
        CheckFormat::Human => console::diagnostics(&loaded.diagnostics, &loaded.sources),
        CheckFormat::Json => console::out(&document(&serde_json::json!({
            "version": 1,
            "diagnostics": loaded.diagnostics.to_json(&loaded.sources),
        }))),
        CheckFormat::Sarif => console::out(&document(&loaded.diagnostics.to_sarif(&loaded.sources))),
    }
    if loaded.diagnostics.has_errors() {
        // They have been printed, in the requested format.
        return Err(CommandError::refused(error::count(&loaded.diagnostics)));
    }
    let warnings = match loaded.diagnostics.count(Severity::Warning) {
        0 => String::new(),
        n => format!(", {}", counted(n, "warning")),
    };
    let (cameras, workloads) = (counted(loaded.counted.0, "camera"), counted(loaded.counted.1, "workload"));
    let what = match &loaded.project {
        Some(project) => format!("{cameras}, {workloads}, {}", counted(project.tasks.len(), "task")),
        None if global.cameras.is_some() => cameras,
        None => workloads,
    };
    console::note(&format!("no errors: {what}{warnings}{gstreamer}"));
    Ok(Exit::Done)
}

/// Adds the faults of this machine to those of the files; returns the version of
/// GStreamer.
fn ask_machine(project: &Project, lane: &Lane, diagnostics: &mut Diagnostics) -> String {
    let cameras: Vec<_> = lane.cameras.iter().collect();
    let asked = machine::ask(project, &cameras);
    match asked.and_then(|(found, gstreamer)| Ok((found, machine::ask_cameras(project)?, gstreamer))) {
        Ok((found, of_cameras, gstreamer)) => {
            diagnostics.append(found);
            diagnostics.append(of_cameras);
            format!(", GStreamer {gstreamer}")
        }
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            let message = format!("failed to ask this machine: {error}{cause}");
            let fault = Diagnostic::error(codes::NO_WORKER, message);
            diagnostics.push(match error.hint() {
                Some(hint) => fault.help(hint),
                None => fault,
            });
            String::new()
        }
    }
}
