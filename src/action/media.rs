//! `generate:` and `transcode:`: pipelines that a worker plays once, to a file.
//!
//! Both give the same bytes for the same input and tools: x264 works with one
//! thread, and the clock that `mp4mux` writes is taken out again.

use std::path::Path;

use super::{ActionError, Actions, document, mp4, place, write};
use crate::engine::perform::Attempt;
use crate::graph::task::{Task, Transcode};
use crate::os;
use crate::pipeline::{Element, PipelineSpec, Playback, SCENE_SOURCE, Value};
use crate::scene::Scene;
use crate::scene::truth::truth;
use crate::session::play_once;
use crate::worker::launch::Reach;

pub(super) fn generate(
    actions: &Actions<'_>,
    scene: &Scene,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let text = serde_json::to_string(scene).expect("a scene has text keys");
    let head = vec![Element::new(SCENE_SOURCE).text("scene", &text), Element::new("videoconvert")];
    encode(actions, head, 21, task, attempt)?;
    // The readers refuse a scene that has no truth.
    let truth = truth(scene).map_err(|error| ActionError::Worker(error.to_string()))?;
    write(attempt, &task.outputs[1], &document(&truth))
}

pub(super) fn transcode(
    actions: &Actions<'_>,
    transcode: &Transcode,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let Transcode { width, height, framerate } = transcode;
    let caps = format!(
        "video/x-raw,format=I420,width={width},height={height},framerate={framerate},pixel-aspect-ratio=1/1"
    );
    let head = vec![
        Element::new("filesrc").set("location", Value::Input(task.inputs[0].clone())),
        // Only the video: sound is never looked at.
        Element::new("decodebin").text("caps", "video/x-raw"),
        Element::new("videoconvert"),
        // Bars keep the shape of things where the shapes of the frames differ.
        Element::new("videoscale").bool("add-borders", true),
        Element::new("videorate"),
        Element::caps(&caps),
    ];
    encode(actions, head, 23, task, attempt)
}

/// Encodes what comes out of `head` into the task's first output.
fn encode(
    actions: &Actions<'_>,
    head: Vec<Element>,
    quantizer: i64,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let mut elements = head;
    elements.extend([
        Element::new("x264enc")
            .text("speed-preset", "veryfast")
            .text("tune", "zerolatency")
            .text("pass", "quant")
            .int("quantizer", quantizer)
            .int("key-int-max", 60)
            // With more threads the bytes depend on how many there are.
            .int("threads", 1),
        Element::new("h264parse"),
        Element::new("mp4mux"),
        Element::new("filesink")
            .set("location", Value::Output(task.outputs[0].as_str().to_owned()))
            .bool("sync", false),
    ]);
    let sink = elements.len() - 1;
    let spec = PipelineSpec {
        elements,
        playback: Playback::Once,
        delivery: None,
        ingress: None,
        decoder: None,
        sink,
        size: None,
    };
    let made = place(attempt, &task.outputs[0])?;
    let reach = Reach {
        reads: task.inputs.iter().map(|input| attempt.layout.resolve(input)).collect(),
        writes: made.parent().into_iter().map(Path::to_path_buf).collect(),
        ..Reach::default()
    };
    play(actions, &spec, &reach, attempt)?;
    zero_times(&made)
}

fn play(
    actions: &Actions<'_>,
    spec: &PipelineSpec,
    reach: &Reach,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let launch = actions.worker.as_ref().map_err(|reason| ActionError::Worker(reason.clone()))?;
    let spec = spec
        .resolve(attempt.layout, attempt.dir, &|name| os::env::variable(name))
        .map_err(|error| ActionError::Worker(error.to_string()))?;
    play_once(launch, reach, &spec, &attempt.dir.join("worker.log"), attempt.lock, attempt.cancel)
        .map_err(|error| if attempt.cancel.is_cancelled() { ActionError::Cancelled } else { error.into() })
}

fn zero_times(file: &Path) -> Result<(), ActionError> {
    os::fs::edit(file, &mut |file| mp4::zero_times(file))?;
    Ok(())
}
