//! `lp show --launch`: one `gst-launch-1.0` command that plays the lane, or some
//! of its cameras, once.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::args::ShowFormat;
use super::super::{Exit, console};
use crate::dialect;
use crate::dialect::share::PlayedPipeline;
use crate::model::{Project, Source};
use crate::os;
use crate::pipeline::launch;
use crate::pipeline::prepared::PreparedClip;
use crate::plan::lane::PlannedCamera;
use crate::plan::{CameraPlan, ClipFile, PlannedPipeline, Work, prepared_path};
use crate::workspace::error::{CommandError, Result};

/// `--format json`
#[derive(Serialize)]
struct Document {
    version: u32,
    /// Folders that must exist before.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    folders: BTreeSet<String>,
    argv: Vec<String>,
    pipelines: Vec<Pipeline>,
}

/// One of the pipelines of the command.
#[derive(Serialize)]
struct Pipeline {
    /// Several, if they share it.
    streams: Vec<String>,
    camera: String,
    workloads: Vec<String>,
    /// Its part of the command.
    argv: Vec<String>,
}

pub(super) fn run(project: &Project, cameras: &[&PlannedCamera], format: ShowFormat) -> Result<Exit> {
    let mut pipelines = Vec::new();
    let mut left_out = Vec::new();
    let mut folders = BTreeSet::new();
    for copy in 1..=project.settings.count {
        for plan in cameras.iter().map(|planned| with_known_codec(project, planned.plan.copy(copy))) {
            let is_drawn = matches!(plan.source, Source::Synthetic { .. });
            let played =
                if is_drawn { Vec::new() } else { dialect::share::pipelines(&plan, project.settings.pace) };
            let is_played =
                |index: u32| played.iter().any(|one| one.streams.iter().any(|(own, _)| *own == index));
            let missing = plan.pipelines.iter().filter(|pipeline| !is_played(pipeline.index));
            left_out.extend(missing.map(|pipeline| why_not(&plan, pipeline)));
            folders.extend(played.iter().flat_map(|one| launch::folders(&one.spec, &project.layout)));
            pipelines.extend(played.into_iter().map(|PlayedPipeline { streams, spec }| Pipeline {
                streams: streams.iter().map(|(index, _)| format!("{}/{index}", plan.slug)).collect(),
                camera: plan.camera.clone(),
                workloads: workloads(&plan, &streams),
                argv: launch::chain(&spec, &project.layout),
            }));
        }
    }
    if pipelines.is_empty() {
        return Err(CommandError::refused("there is nothing to launch").details(left_out));
    }
    let argv = launch::command(pipelines.iter().map(|pipeline| pipeline.argv.as_slice()));
    let text = match format {
        ShowFormat::Sh | ShowFormat::Human => format!("{}\n", launch::in_folders(&folders, &argv)),
        ShowFormat::Argv => argv.iter().map(|argument| format!("{argument}\n")).collect(),
        ShowFormat::Json => {
            let document = serde_json::to_value(Document { version: 1, folders, argv, pipelines });
            format!("{:#}\n", document.expect("a document has text keys"))
        }
    };
    console::out(&text);
    for text in &left_out {
        console::result(&format!("left out: {text}"));
    }
    Ok(if left_out.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The plan with the codec of its clip, if the clip has been made.
pub(super) fn with_known_codec(project: &Project, plan: CameraPlan) -> CameraPlan {
    let Source::File(ClipFile { path, codec: None }) = &plan.source else { return plan };
    let prepared = os::fs::read_bounded(&project.layout.resolve(&prepared_path(path)), 1 << 20).ok();
    let prepared = prepared.and_then(|bytes| serde_json::from_slice::<PreparedClip>(&bytes).ok());
    match prepared.and_then(|prepared| prepared.video.codec()) {
        Some(codec) => plan.with_codec(codec),
        None => plan,
    }
}

pub(super) fn workloads(plan: &CameraPlan, streams: &[(u32, usize)]) -> Vec<String> {
    let is_served = |pipeline: &&PlannedPipeline| streams.iter().any(|(index, _)| *index == pipeline.index);
    plan.pipelines.iter().filter(is_served).flat_map(|pipeline| pipeline.workloads.clone()).collect()
}

/// The reason why the command leaves out a pipeline.
pub(super) fn why_not(plan: &CameraPlan, pipeline: &PlannedPipeline) -> String {
    let reason = match pipeline.work() {
        Work::Script(_) => "a script is a program of its own",
        Work::Elements(_) => "GStreamer has no source for a synthetic scene",
        Work::Unsupported(reason) => reason,
    };
    format!("`{}` of `{}`: {reason}", pipeline.workloads.join("`, `"), plan.camera)
}
