//! The lane: a row per camera, and the load of all of them.

use super::load::{number, rows};
use crate::cli::console;
use crate::model::{Pace, Settings};
use crate::plan::CameraPlan;
use crate::plan::summary::{Summary, summarise};
use crate::report::grid::grid;
use crate::text::{counted, harmless_lines};

/// The most cameras that are named for one reason.
const NAMED: usize = 20;

pub(super) fn text(plans: &[CameraPlan], settings: &Settings) -> String {
    let totals = totals(&summarise(plans), settings);
    if plans.is_empty() {
        return totals;
    }
    let header = ["camera", "source", "frames", "fps", "workloads", "pipelines"];
    let mut text = String::new();
    for line in grid(&header, &[3], plans.iter().map(row).collect(), console::paper()) {
        text.push_str(&line);
        text.push('\n');
    }
    format!("{text}\n{totals}")
}

/// A camera: workloads that share a pipeline are joined by `+`.
fn row(plan: &CameraPlan) -> Vec<String> {
    let workloads = plan.pipelines.iter().map(|pipeline| {
        let joined = pipeline.workloads.join(" + ");
        match pipeline.unsupported {
            Some(_) if plan.decode_only => format!("{joined} (left out)"),
            Some(_) => format!("{joined} (not supported)"),
            None => joined,
        }
    });
    let pipelines = match (plan.pipelines.len(), plan.workloads.len()) {
        (after, before) if after == before => after.to_string(),
        (after, before) => format!("{after} instead of {before}"),
    };
    vec![
        plan.camera.clone(),
        plan.source.kind().word().to_owned(),
        format!("{}x{}", plan.width, plan.height),
        number(plan.fps),
        workloads.collect::<Vec<_>>().join(", "),
        pipelines,
    ]
}

/// The table of the load, and notes about it.
pub(super) fn totals(summary: &Summary, settings: &Settings) -> String {
    let mut load = load_lines(summary);
    if !load.is_empty() {
        load.push(String::new());
    }
    let mut lines = Vec::new();
    let dialects: Vec<String> = summary.dialects.iter().map(|(word, n)| format!("{n} {word}")).collect();
    lines.push(format!("{}, {}", counted(summary.cameras, "camera"), counted(summary.workloads, "workload")));
    if !dialects.is_empty() {
        lines.push(format!(
            "{} before merging, {} after ({}): {} saved",
            counted(summary.pipelines_before_merging, "pipeline"),
            summary.pipelines,
            dialects.join(", "),
            counted(summary.decodes_saved, "decode"),
        ));
    }
    if settings.count > 1 {
        lines.push(format!("`run.count` is {0}: a run plays {0} copies of this", settings.count));
    }
    if settings.decode_only {
        lines.push("`run.decode_only`: a run decodes, and leaves out every step and all inference".into());
    }
    if settings.pace == Pace::Free {
        lines.push(
            "`run.pace` is free: a run plays files as fast as the machine can, not at these rates".into(),
        );
    }
    let missing = if settings.decode_only { "left out" } else { "not supported" };
    let unsupported = summary.unsupported.iter().map(|one| {
        format!("{missing}: `{}` of `{}`: {}", one.workloads.join("`, `"), one.camera, one.because)
    });
    lines.extend(some(unsupported));
    let repeated = summary.repeated.iter().map(|one| {
        let names = one.workloads.join("`, `");
        format!("duplicate: `{}` names `{names}` more than once, and gets it once", one.camera)
    });
    lines.extend(some(repeated));
    load.extend(lines.iter().map(|line| harmless_lines(line)));
    load.join("\n") + "\n"
}

/// The table of the load of a summary; empty if there is none.
pub(super) fn load_lines(summary: &Summary) -> Vec<String> {
    let rows = rows(&summary.load);
    if rows.is_empty() {
        return Vec::new();
    }
    // Without models, their columns would be empty.
    let columns = if summary.load.inferences.is_empty() { 1 } else { 4 };
    let mut header = ["load", "model", "precision", "device"][..columns].to_vec();
    header.extend(["count", "each second"]);
    let cells = rows.into_iter().map(|row| {
        let mut cells = row.what[..columns].to_vec();
        cells.extend([row.count.to_string(), row.each_second]);
        cells
    });
    grid(&header, &[columns], cells.collect(), console::paper())
}

/// The first few, and how many more there are.
fn some(mut lines: impl ExactSizeIterator<Item = String>) -> Vec<String> {
    let mut some: Vec<String> = lines.by_ref().take(NAMED).collect();
    match lines.len() {
        0 => {}
        n => some.push(format!("and {n} more: `--format json` names all")),
    }
    some
}
