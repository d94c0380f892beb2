//! A look into a video file, without a task.

use std::path::Path;

use super::cut;
use crate::os;
use crate::os::process::Cancel;
use crate::pipeline::clip::Contents;
use crate::pipeline::{CLIP_SOURCE, Element, PipelineSpec, Playback};
use crate::session::{SessionError, play_unlogged};
use crate::worker::launch::{Launch, Reach};

/// Why a file was not looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExamineError {
    /// The file is the cause, in words that follow its name.
    #[error("{0}")]
    Unplayable(String),
    #[error("interrupted")]
    Cancelled,
    /// The worker is the cause.
    #[error(transparent)]
    Worker(SessionError),
}

/// Reads the video at `place`, whose path is UTF-8, from end to end without decoding it.
///
/// # Errors
/// When it cannot be played as a clip.
pub(crate) fn examine(launch: &Launch, place: &str, cancel: &Cancel) -> Result<Contents, ExamineError> {
    let elements =
        vec![Element::new(CLIP_SOURCE).text("location", place), Element::new("fakesink").bool("sync", false)];
    let spec = PipelineSpec {
        elements,
        playback: Playback::Once,
        delivery: None,
        ingress: None,
        decoder: None,
        sink: 1,
        size: None,
    };
    let reach = Reach { reads: [place.into()].into(), ..Reach::default() };
    let said = play_unlogged(launch, &reach, "clip/1", &spec, cancel).map_err(|error| match error {
        _ if cancel.is_cancelled() => ExamineError::Cancelled,
        SessionError::Failed(reason) => ExamineError::Unplayable(format!("cannot be read: {reason}")),
        error => ExamineError::Worker(error),
    })?;
    let json = said.get("clip-contents").map_or("", String::as_str);
    let contents: Contents = serde_json::from_str(json)
        .map_err(|_| ExamineError::Worker(SessionError::Failed("the worker described no clip".to_owned())))?;
    let cut = os::fs::inspect(Path::new(place), &mut |file| cut::cut_off(file))
        .map_err(|error| ExamineError::Unplayable(format!("cannot be read: {}", error.source)))?;
    let fault = match contents.film() {
        None => Some(contents.without_film()),
        Some(film) => contents.fault(film, cut.as_ref()),
    };
    fault.map_or(Ok(contents), |fault| Err(ExamineError::Unplayable(fault)))
}
