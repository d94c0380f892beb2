//! `lp show`

mod launch;

use super::Exit;
use super::args::{Global, LaunchFormat, ShowArgs};
use super::console;
use super::open::open;
use crate::config::project::Camera;
use crate::dialect;
use crate::pipeline::launch as launch_line;
use crate::plan::{self, CameraPlan, PlannedSource};
use crate::record::Pace;

pub(super) fn run(global: &Global, args: &ShowArgs) -> anyhow::Result<Exit> {
    let opened = open(global, &[])?;
    let cameras: Vec<&Camera> = if args.cameras.is_empty() {
        opened.project.cameras.iter().collect()
    } else {
        opened.cameras(&args.cameras)?
    };
    if args.launch {
        let format = if args.json { LaunchFormat::Json } else { args.format };
        return launch::run(&opened.project, &cameras, format);
    }
    let plans: Vec<CameraPlan> = cameras
        .into_iter()
        .map(|camera| {
            let played = dialect::played(&opened.project, camera);
            dialect::compile(&plan::request(
                &opened.project,
                &played,
                dialect::resolve(&opened.project, camera),
            ))
        })
        .collect();
    if args.json {
        let document = serde_json::json!({ "version": 1, "cameras": plans });
        console::out(&format!("{document:#}\n"));
        return Ok(Exit::Done);
    }
    let layout = &opened.project.layout;
    let texts: Vec<String> = plans.iter().map(|plan| text(plan, layout)).collect();
    console::out(&texts.join("\n"));
    Ok(Exit::Done)
}

fn text(plan: &CameraPlan, layout: &crate::path::Layout) -> String {
    let source = match &plan.source {
        PlannedSource::File { clip } => format!("file {}", layout.shown(clip).display()),
        PlannedSource::Rtsp { uri, .. } => format!("rtsp {}", crate::os::http::redacted(uri)),
        PlannedSource::Usb { device } => format!("usb {device}"),
        PlannedSource::Synthetic { .. } => "synthetic, drawn while it plays".to_owned(),
    };
    let mut text = format!(
        "{}\n  source     {source}\n  frames     {}x{} at {} fps, target {} fps\n  workloads  {}\n",
        plan.camera,
        plan.width,
        plan.height,
        plan.fps,
        plan.target_fps,
        plan.workloads.join(", ")
    );
    for pipeline in &plan.pipelines {
        text.push_str(&format!(
            "\n  pipeline {}/{} for {}\n",
            plan.slug,
            pipeline.index,
            pipeline.workloads.join(", ")
        ));
        if let Some(because) = &pipeline.merged_because {
            text.push_str(&format!("  merged: {because}\n"));
        }
        match dialect::spec(plan, pipeline, Pace::Live) {
            Some(spec) => text.push_str(&format!("\n{}\n", launch_line::line(&spec, layout))),
            None => {
                let reason = pipeline.unsupported.as_deref().unwrap_or("it cannot be played");
                text.push_str(&format!("  not playable: {reason}\n"));
            }
        }
    }
    for apart in &plan.apart {
        let [one, other] = &apart.workloads;
        text.push_str(&format!("\n  {one} and {other} are kept apart: {}\n", apart.because));
    }
    text
}
