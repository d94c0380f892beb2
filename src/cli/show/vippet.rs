//! `lp show --vippet`: a file of Intel's Visual Pipeline and Platform Evaluation Tool, with each pipeline of
//! the lane as a variant.
//!
//! It is the form of ViPPET's own files: YAML whose strings are JSON's. ViPPET plays files as fast as it can, so
//! pipelines are those of `run.pace = "free"`.

use super::super::{Exit, console};
use super::launch::{why_not, with_known_codec, workloads};
use crate::dialect;
use crate::dialect::share::PlayedPipeline;
use crate::model::{Pace, Project, Source};
use crate::pipeline::vippet;
use crate::plan::lane::PlannedCamera;
use crate::text::harmless;
use crate::workspace::error::{CommandError, Result};

pub(super) fn run(project: &Project, cameras: &[&PlannedCamera]) -> Result<Exit> {
    let mut variants = Vec::new();
    let mut left_out = Vec::new();
    for planned in cameras {
        let plan = with_known_codec(project, planned.plan.copy(1));
        let is_drawn = matches!(plan.source, Source::Synthetic { .. });
        let played = if is_drawn { Vec::new() } else { dialect::share::pipelines(&plan, Pace::Free) };
        let is_played =
            |index: u32| played.iter().any(|one| one.streams.iter().any(|(own, _)| *own == index));
        let missing = plan.pipelines.iter().filter(|pipeline| !is_played(pipeline.index));
        left_out.extend(missing.map(|pipeline| why_not(&plan, pipeline)));
        for PlayedPipeline { streams, spec } in &played {
            let names: Vec<String> =
                streams.iter().map(|(index, _)| format!("{}/{index}", plan.slug)).collect();
            let workloads = workloads(&plan, streams);
            match vippet::description(spec, &project.layout) {
                Ok(description) => {
                    variants.push((format!("{} {}", names.join("+"), workloads.join(", ")), description));
                }
                Err(why) => {
                    left_out.push(format!("`{}` of `{}`: {why}", workloads.join("`, `"), plan.camera));
                }
            }
        }
    }
    if variants.is_empty() {
        return Err(CommandError::refused("ViPPET can load no pipeline of these").details(left_out));
    }
    let root = project.layout.root.file_name().map_or_else(|| "lane".into(), |name| name.to_string_lossy());
    let mut text = format!("name: {}\n", string(&format!("lp {root}")));
    let definition = format!(
        "The pipelines of the lane `{root}`, written by lp {}. Put its clips into /videos/input, and install its models.",
        env!("CARGO_PKG_VERSION")
    );
    text.push_str(&format!(
        "definition: {}\ntags: [\"lp\", \"loss prevention\"]\nvariants:\n",
        string(&definition)
    ));
    for (name, description) in &variants {
        text.push_str(&format!(
            "  - name: {}\n    pipeline_description: {}\n",
            string(name),
            string(description)
        ));
    }
    console::out(&text);
    for text in &left_out {
        console::result(&harmless(&format!("left out: {text}")));
    }
    Ok(if left_out.is_empty() { Exit::Done } else { Exit::Failed })
}

/// A string of JSON, which YAML reads as well.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
