//! `generate:` and `transcode:`: pipelines that a worker plays once, into a file.
//!
//! A clip is read once without decoding before it is transcoded. The result
//! ([`Contents`]) decides whether it can be transcoded at all, and which of its
//! tracks is used; afterwards it is compared with the decoder's output, so that a
//! clip that is cut off or damaged does not pass for a whole one.
//!
//! Both give the same bytes for the same input and tools: x264 works with one
//! thread, and the times that `mp4mux` writes are set to zero.

use std::path::Path;

use super::{ActionError, LocalHost, cut, document, mp4, place, write};
use crate::engine::host::Attempt;
use crate::graph::task::{Task, Transcode};
use crate::os;
use crate::path::ProjectPath;
use crate::pipeline::clip::{Contents, Decoded, Loss, Resampled, Track};
use crate::pipeline::{CLIP_SOURCE, Element, FRAME_RATE, PipelineSpec, Playback, SCENE_SOURCE, Value};
use crate::scene::Scene;
use crate::scene::truth::truth;
use crate::session::{ElementReports, SessionError, play_once};
use crate::worker::launch::Reach;

pub(super) fn generate(
    host: &LocalHost<'_>,
    scene: &Scene,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let text = serde_json::to_string(scene).expect("a scene has text keys");
    let head = vec![Element::new(SCENE_SOURCE).text("scene", &text), Element::new("videoconvert")];
    encode(host, head, 21, task, attempt)?;
    // The readers refuse a scene that has no truth.
    let truth = truth(scene).map_err(|error| ActionError::Worker(error.to_string()))?;
    write(attempt, &task.outputs[1], &document(&truth))
}

pub(super) fn transcode(
    host: &LocalHost<'_>,
    transcode: &Transcode,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let clip = &task.inputs[0];
    let fault = |reason: String| ActionError::Clip { clip: clip.clone(), reason };
    let cut = os::fs::inspect(&attempt.layout.resolve(clip), &mut |file| cut::cut_off(file))?;
    let and_cut = |reason: &str| {
        let cut = cut.as_ref().map_or(String::new(), |cut| format!("is cut off ({}) and ", cut.part));
        fault(format!("{cut}{reason}"))
    };
    let contents = match contents(host, clip, attempt) {
        Err(ActionError::Session(SessionError::Failed(reason))) => {
            return Err(and_cut(&format!("cannot be read: {reason}")));
        }
        contents => contents?,
    };
    let film = contents.film().ok_or_else(|| and_cut(&contents.without_film()))?;
    if let Some(reason) = contents.fault(film, cut.as_ref()) {
        return Err(fault(reason));
    }
    if let Some(cut) = &cut {
        (attempt.note)(&format!("note: `{clip}` lacks the last moment of its end: {}", cut.part));
    }

    let said = match encode(host, film_at_rate(transcode, clip, film), 23, task, attempt) {
        Err(ActionError::Session(SessionError::Failed(reason))) => {
            return Err(fault(format!("cannot be transcoded: {reason}")));
        }
        said => said?,
    };
    let decoded: Decoded = heard(&said, "clip-decoded")?;
    let Resampled { n_out, n_copies, .. } = heard(&said, "clip-resampled")?;
    match decoded.loss(&film.times) {
        Some(Loss::End(reason)) => return Err(fault(reason)),
        Some(Loss::Frames(reason)) => (attempt.note)(&format!("note: `{clip}` is damaged: {reason}")),
        None if 0 < n_copies => (attempt.note)(&format!(
            "note: {n_copies} of {n_out} frames of `{}` are copies: `{clip}` has {:.2} frames per second on average{}; \
             with `drop_only = true` in `[clip]` none are made",
            task.outputs[0],
            decoded.times.rate(),
            decoded.times.pause().map_or(String::new(), |pause| format!(", and {pause}"))
        )),
        None => {}
    }
    Ok(())
}

/// Reads a clip without decoding it.
fn contents(
    host: &LocalHost<'_>,
    clip: &ProjectPath,
    attempt: &Attempt<'_>,
) -> Result<Contents, ActionError> {
    let source = Element::new(CLIP_SOURCE).set("location", Value::Input(clip.clone()));
    let elements = vec![source, Element::new("fakesink").bool("sync", false)];
    let reach = Reach { reads: [attempt.layout.resolve(clip)].into(), ..Reach::default() };
    heard(&play(host, "clip/1", elements, &reach, attempt)?, "clip-contents")
}

/// A clip's video with the camera's size and rate.
fn film_at_rate(transcode: &Transcode, clip: &ProjectPath, film: &Track) -> Vec<Element> {
    let Transcode { width, height, framerate, drop_only, version: _ } = transcode;
    let caps = format!("video/x-raw,format=I420,width={width},height={height},pixel-aspect-ratio=1/1");
    let (numer, denom) = framerate.split_once('/').unwrap_or((framerate, "1"));
    let rate = numer.parse::<f64>().unwrap_or(0.0) / denom.parse::<f64>().unwrap_or(1.0);
    // Each field of an interlaced clip becomes a frame, if so many are needed.
    let fields = if film.times.rate() * 1.05 < rate { "all" } else { "top" };
    vec![
        Element::new(CLIP_SOURCE).set("location", Value::Input(clip.clone())).text("track", &film.id),
        // Does not change progressive frames. `linear` alone gives every field its
        // own frame and time; `yadif` and others lose some at both ends of a clip.
        Element::new("deinterlace").text("method", "linear").text("fields", fields),
        Element::new(FRAME_RATE).text("framerate", framerate).bool("drop-only", *drop_only),
        // Applies the clip's display matrix, if it has one.
        Element::new("videoflip").text("video-direction", "auto"),
        Element::new("videoconvert"),
        // Bars keep the shape of objects where the frames have other proportions.
        Element::new("videoscale").bool("add-borders", true),
        Element::caps(&caps),
    ]
}

/// Encodes the output of `head` into the task's first output.
fn encode(
    host: &LocalHost<'_>,
    head: Vec<Element>,
    quantizer: i64,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<ElementReports, ActionError> {
    let mut elements = head;
    elements.extend([
        Element::new("x264enc")
            .text("speed-preset", "veryfast")
            .text("tune", "zerolatency")
            .text("pass", "quant")
            .int("quantizer", quantizer)
            .int("key-int-max", 60)
            // With more threads the bytes depend on their number.
            .int("threads", 1),
        Element::new("h264parse"),
        Element::new("mp4mux"),
        Element::new("filesink")
            .set("location", Value::Output(task.outputs[0].as_str().to_owned()))
            .bool("sync", false),
    ]);
    let made = place(attempt, &task.outputs[0])?;
    let reach = Reach {
        reads: task.inputs.iter().map(|input| attempt.layout.resolve(input)).collect(),
        writes: made.parent().into_iter().map(Path::to_path_buf).collect(),
        ..Reach::default()
    };
    let said = play(host, "media/1", elements, &reach, attempt)?;
    zero_times(&made)?;
    Ok(said)
}

fn play(
    host: &LocalHost<'_>,
    stream: &str,
    elements: Vec<Element>,
    reach: &Reach,
    attempt: &Attempt<'_>,
) -> Result<ElementReports, ActionError> {
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
    let launch = host.worker.as_ref().map_err(|reason| ActionError::Worker(reason.clone()))?;
    let spec = spec
        .resolve(attempt.layout, attempt.dir, &|name| os::env::variable(name))
        .map_err(|error| ActionError::Worker(error.to_string()))?;
    let log = attempt.dir.join("worker.log");
    play_once(launch, reach, stream, &spec, &log, attempt.cancel)
        .map_err(|error| if attempt.cancel.is_cancelled() { ActionError::Cancelled } else { error.into() })
}

/// The report of a worker's element at the end of a pipeline.
fn heard<T: serde::de::DeserializeOwned>(said: &ElementReports, message: &str) -> Result<T, ActionError> {
    let json = said.get(message).map_or("", String::as_str);
    serde_json::from_str(json)
        .map_err(|error| ActionError::Worker(format!("the worker did not say `{message}` as JSON: {error}")))
}

fn zero_times(file: &Path) -> Result<(), ActionError> {
    os::fs::edit(file, &mut |file| mp4::zero_times(file))?;
    Ok(())
}
