//! Pipelines that a worker plays once, into a file; and `generate:`, which is one.
//!
//! They give the same bytes for the same input and tools: encoders work with one
//! thread, and the times that muxers write are set to zero.

use std::path::Path;

use super::encode::{self, Encoding, RateControl};
use super::{ActionError, LocalHost, document, mp4, place, write};
use crate::engine::host::Attempt;
use crate::graph::task::Task;
use crate::os;
use crate::pipeline::codec::Codec;
use crate::pipeline::{Element, PipelineSpec, Playback, SCENE_SOURCE, Value};
use crate::scene::Scene;
use crate::scene::boxes::{boxes, lines};
use crate::scene::draw::SceneError;
use crate::scene::truth::truth;
use crate::session::{ElementReports, OnFrames, play_once};
use crate::worker::launch::Reach;

pub(super) fn generate(
    host: &LocalHost<'_>,
    scene: &Scene,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let text = serde_json::to_string(scene).expect("a scene has text keys");
    // Cameras send 4:2:0; from RGB, the encoder would make 4:4:4, which few decoders play.
    let mut elements = vec![
        Element::new(SCENE_SOURCE).text("scene", &text),
        Element::new("videoconvert"),
        Element::caps("video/x-raw,format=I420"),
    ];
    let gop = two_seconds(scene.fps.into());
    let rate = RateControl::Quality(true);
    let factory = encode::factory(Codec::H264, rate);
    let encoding = Encoding { codec: Codec::H264, factory, rate, gop, b_frames: 0 };
    elements.extend(encode::elements(&encoding));
    write_clip(host, elements, task, attempt, &mut |_, _| ())?;
    // The readers refuse a scene that has no truth.
    let refused = |error: SceneError| ActionError::Worker(error.to_string());
    write(attempt, &task.outputs[1], &document(&truth(scene).map_err(refused)?))?;
    write(attempt, &task.outputs[2], lines(&boxes(scene).map_err(refused)?).as_bytes())
}

/// The GOP of a camera whose config says nothing: a key frame every two seconds.
pub(super) fn two_seconds(fps: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are 0 to 1000")]
    let frames = (fps * 2.0).round() as u32;
    frames.max(1)
}

/// Writes the output of the elements into the task's first output.
pub(super) fn write_clip(
    host: &LocalHost<'_>,
    mut elements: Vec<Element>,
    task: &Task,
    attempt: &Attempt<'_>,
    on_frames: &mut OnFrames<'_>,
) -> Result<ElementReports, ActionError> {
    elements.push(
        Element::new("filesink")
            .set("location", Value::Output(task.outputs[0].as_str().to_owned()))
            .bool("sync", false),
    );
    let made = place(attempt, &task.outputs[0])?;
    let reach = Reach {
        reads: task.inputs.iter().map(|input| attempt.layout.resolve(input)).collect(),
        writes: made.parent().into_iter().map(Path::to_path_buf).collect(),
        ..Reach::default()
    };
    let said = play(host, "media/1", (elements, Playback::Once), &reach, attempt, on_frames)?;
    zero_times(&made)?;
    Ok(said)
}

pub(super) fn play(
    host: &LocalHost<'_>,
    stream: &str,
    (elements, playback): (Vec<Element>, Playback),
    reach: &Reach,
    attempt: &Attempt<'_>,
    on_frames: &mut OnFrames<'_>,
) -> Result<ElementReports, ActionError> {
    let sink = elements.len() - 1;
    let spec = PipelineSpec {
        elements,
        playback,
        delivery: None,
        ingress: None,
        decoder: None,
        sink,
        size: None,
        reconnect: None,
    };
    let launch = host.worker.as_ref().map_err(|reason| ActionError::Worker(reason.clone()))?;
    let spec = spec
        .resolve(attempt.layout, attempt.dir, &|name| os::env::variable(name))
        .map_err(|error| ActionError::Worker(error.to_string()))?;
    let log = attempt.dir.join("worker.log");
    play_once(launch, reach, stream, &spec, &log, on_frames, attempt.cancel)
        .map_err(|error| if attempt.cancel.is_cancelled() { ActionError::Cancelled } else { error.into() })
}

/// The report of a worker's element at the end of a pipeline.
pub(super) fn heard<T: serde::de::DeserializeOwned>(
    said: &ElementReports,
    message: &str,
) -> Result<T, ActionError> {
    let json = said.get(message).map_or("", String::as_str);
    serde_json::from_str(json)
        .map_err(|error| ActionError::Worker(format!("the worker did not say `{message}` as JSON: {error}")))
}

fn zero_times(file: &Path) -> Result<(), ActionError> {
    os::fs::edit(file, &mut |file| mp4::zero_times(file))?;
    Ok(())
}
