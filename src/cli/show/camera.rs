//! One camera: its source, each of its pipelines, and the reasons for their form.

use super::lane::load_lines;
use super::load::number;
use crate::cli::columns::without_empty;
use crate::cli::console;
use crate::model::Source;
use crate::path::Layout;
use crate::plan::difference::fields;
use crate::plan::share::SharedPrefix;
use crate::plan::summary::summarise;
use crate::plan::{CameraPlan, PlannedPipeline};
use crate::report::grid::{Paper, grid};
use crate::text::{harmless_lines, redacted};

/// Fields of a step that have a column of their own.
const COLUMNS: [&str; 4] = ["type", "model", "precision", "device"];

pub(super) fn text(plan: &CameraPlan, layout: &Layout) -> String {
    let mut lines = vec![harmless_lines(&plan.camera)];
    let mut fact = |name: &str, value: &str| {
        lines.push(harmless_lines(&format!("  {name:<10} {value}")));
    };
    fact("source", &source(plan, layout));
    let (width, height, fps) = (plan.width, plan.height, number(plan.fps));
    fact("frames", &format!("{width}x{height} at {fps} fps, target {} fps", number(plan.target_fps)));
    if let Some(region) = plan.region_of_interest {
        fact("region", &format!("{},{} to {},{}", region.x, region.y, region.x2, region.y2));
    }
    fact("dialect", plan.dialect.word());
    if plan.decode_only {
        fact("steps", "decode only: every step is left out");
    }
    fact("workloads", &plan.workloads.join(", "));
    if !plan.repeated.is_empty() {
        fact("duplicate", &format!("{}: named more than once, done once", plan.repeated.join(", ")));
    }
    for pipeline in &plan.pipelines {
        lines.push(String::new());
        lines.extend(pipeline_lines(plan, pipeline));
    }
    if !plan.shared.is_empty() {
        lines.push(String::new());
        lines.extend(shared_lines(&plan.shared, 1));
    }
    if !plan.apart.is_empty() {
        lines.push(String::new());
        lines.extend(plan.apart.iter().map(|apart| harmless_lines(&format!("  {}", apart.because))));
    }
    let load = load_lines(&summarise(std::slice::from_ref(plan)));
    if !load.is_empty() {
        lines.push(String::new());
        lines.extend(load.into_iter().map(|line| format!("  {line}")));
    }
    lines.join("\n") + "\n"
}

fn source(plan: &CameraPlan, layout: &Layout) -> String {
    match &plan.source {
        Source::File(clip) => format!("file {}", layout.shown(&clip.path).display()),
        Source::Rtsp(stream) => format!("rtsp {}", redacted(&stream.uri)),
        Source::Usb { device } => format!("usb {device}"),
        Source::Synthetic { .. } => "synthetic, drawn while it plays".to_owned(),
    }
}

fn pipeline_lines(plan: &CameraPlan, pipeline: &PlannedPipeline) -> Vec<String> {
    let PlannedPipeline { index, workloads, merged_because, steps, unsupported, .. } = pipeline;
    let mut lines = vec![format!("  pipeline {}/{index} for {}", plan.slug, workloads.join(", "))];
    if let Some(because) = merged_because {
        lines.push(format!("    merged: {because}"));
    }
    if let Some(because) = unsupported {
        let missing = if plan.decode_only { "left out" } else { "not supported" };
        lines.push(format!("    {missing}: {because}"));
    }
    let mut lines: Vec<String> = lines.iter().map(|line| harmless_lines(line)).collect();
    let rows = steps.iter().enumerate().map(|(n, step)| {
        let mut cells = vec![(n + 1).to_string()];
        let all: Vec<(String, String)> =
            fields(step).into_iter().map(|(name, value)| (name, value.to_string())).collect();
        cells.extend(COLUMNS.map(|column| {
            let found = all.iter().find(|(name, _)| name == column);
            found.map_or_else(String::new, |(_, value)| value.clone())
        }));
        let others = all.iter().filter(|(name, _)| !COLUMNS.contains(&name.as_str()));
        let others = others.map(|(name, value)| {
            let name = name.strip_prefix("properties.").unwrap_or(name);
            match name.strip_prefix("parameters.") {
                Some(name) => format!("--{name} {value}"),
                None => format!("{name}={value}"),
            }
        });
        cells.push(others.collect::<Vec<_>>().join(" "));
        cells
    });
    let mut header = vec!["step"];
    header.extend(COLUMNS);
    header.push("options");
    let (header, rows) = without_empty(&header, rows.collect());
    let paper = console::paper();
    let paper = Paper { width: paper.width.map(|columns| columns.saturating_sub(4)), ..paper };
    lines.extend(grid(&header, &[0], rows, paper).into_iter().map(|line| format!("    {line}")));
    lines
}

/// "pipelines 1, 3 share decoding and their first 2 steps", and below those that
/// share more.
fn shared_lines(shared: &[SharedPrefix], depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for group in shared {
        let pipelines: Vec<String> = group.pipelines.iter().map(u32::to_string).collect();
        let steps =
            if group.steps == 1 { "first step".to_owned() } else { format!("first {} steps", group.steps) };
        let what = if depth == 1 { "decoding and their" } else { "their" };
        lines.push(format!("{}pipelines {} share {what} {steps}", "  ".repeat(depth), pipelines.join(", ")));
        lines.extend(shared_lines(&group.within, depth + 1));
    }
    lines
}
