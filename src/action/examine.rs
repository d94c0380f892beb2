//! A look into a video file or at a stream, without a task.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cut;
use crate::model::{Certificate, Transport};
use crate::os;
use crate::os::process::Cancel;
use crate::pipeline::clip::{Contents, Cut, Decoded, Track};
use crate::pipeline::{CLIP_SOURCE, Element, PipelineSpec, Playback};
use crate::session::{ElementReports, SessionError, play_unlogged};
use crate::worker::launch::{Launch, Reach};

/// Why a video was not looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExamineError {
    /// The video is the cause, in words that follow its name.
    #[error("{0}")]
    Unplayable(String),
    #[error("interrupted")]
    Cancelled,
    /// The worker is the cause.
    #[error(transparent)]
    Worker(SessionError),
}

/// How a stream of RTSP is received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiving {
    pub(crate) transport: Transport,
    /// The jitter buffer, in milliseconds.
    pub(crate) latency_ms: u32,
    pub(crate) certificate: Certificate,
}

impl Default for Receiving {
    fn default() -> Receiving {
        Receiving { transport: Transport::Tcp, latency_ms: 300, certificate: Certificate::Trusted }
    }
}

/// A video file that was read from end to end.
#[derive(Clone, Debug)]
pub(crate) struct Examined {
    pub(crate) contents: Contents,
    /// Why it cannot be played as a clip, in words that follow its name.
    pub(crate) fault: Option<String>,
}

/// Reads the video at `place`, whose path is UTF-8, from end to end without decoding it.
///
/// # Errors
/// When it cannot be played as a clip.
pub(crate) fn examine(launch: &Launch, place: &str, cancel: &Cancel) -> Result<Contents, ExamineError> {
    let Examined { contents, fault } = look_into(launch, place, cancel)?;
    fault.map_or(Ok(contents), |fault| Err(ExamineError::Unplayable(fault)))
}

/// As [`examine`], also of a video that cannot be played as a clip.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn look_into(launch: &Launch, place: &str, cancel: &Cancel) -> Result<Examined, ExamineError> {
    let cut = os::fs::inspect(Path::new(place), &mut |file| cut::cut_off(file))
        .map_err(|error| ExamineError::Unplayable(format!("cannot be read: {}", error.source)))?;
    if let Some(fault) = cut.as_ref().and_then(Cut::unreadable) {
        return Err(ExamineError::Unplayable(fault));
    }
    let source = Element::new(CLIP_SOURCE).text("location", place);
    let contents = play(launch, source, &reading(place), cancel).and_then(contents);
    let contents = contents.map_err(|error| match (error, &cut) {
        (ExamineError::Unplayable(reason), Some(cut)) => {
            ExamineError::Unplayable(format!("is cut off ({}) and {reason}", cut.part))
        }
        (error, _) => error,
    })?;
    let fault = match contents.film() {
        None => Some(contents.without_film()),
        Some(film) => contents.fault(film, cut.as_ref()),
    };
    Ok(Examined { contents, fault })
}

/// Decodes a film of the video at `place` to its end.
///
/// # Errors
/// When it cannot be decoded.
pub(crate) fn decode(
    launch: &Launch,
    place: &str,
    film: &Track,
    cancel: &Cancel,
) -> Result<Decoded, ExamineError> {
    let source = Element::new(CLIP_SOURCE).text("location", place).text("track", &film.id);
    let said = play(launch, source, &reading(place), cancel)?;
    heard(&said, "clip-decoded")
}

/// Looks at the stream of a URI for so long, from its first packet on. Without tracks, it sent nothing.
///
/// # Errors
/// When it does not come, or ends with an error.
pub(crate) fn look_at(
    launch: &Launch,
    uri: &str,
    receiving: Receiving,
    time: Duration,
    cancel: &Cancel,
) -> Result<Contents, ExamineError> {
    let time = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let source = Element::new(CLIP_SOURCE).text("uri", uri).int("look-ms", time);
    let Receiving { transport, latency_ms, certificate } = receiving;
    let source = source.text("protocols", transport.protocols()).int("latency", latency_ms.into());
    let source = source.text("validation", certificate.validation_flags());
    let device = uri.strip_prefix("v4l2://").map(|device| (PathBuf::from(device), PathBuf::from(device)));
    let reach =
        Reach { network: device.is_none(), devices: device.into_iter().collect(), ..Reach::default() };
    play(launch, source, &reach, cancel).and_then(contents)
}

fn reading(place: &str) -> Reach {
    Reach { reads: BTreeSet::from([place.into()]), ..Reach::default() }
}

fn play(
    launch: &Launch,
    source: Element,
    reach: &Reach,
    cancel: &Cancel,
) -> Result<ElementReports, ExamineError> {
    let spec = PipelineSpec {
        elements: vec![source, Element::new("fakesink").bool("sync", false)],
        playback: Playback::Once,
        delivery: None,
        ingress: None,
        decoder: None,
        sink: 1,
        size: None,
        reconnect: None,
    };
    play_unlogged(launch, reach, "clip/1", &spec, cancel).map_err(|error| match error {
        _ if cancel.is_cancelled() => ExamineError::Cancelled,
        SessionError::Failed(reason) => ExamineError::Unplayable(format!("cannot be read: {reason}")),
        error => ExamineError::Worker(error),
    })
}

fn contents(said: ElementReports) -> Result<Contents, ExamineError> {
    heard(&said, "clip-contents")
}

fn heard<T: serde::de::DeserializeOwned>(said: &ElementReports, message: &str) -> Result<T, ExamineError> {
    let json = said.get(message).map_or("", String::as_str);
    serde_json::from_str(json).map_err(|_| {
        let fault = format!("the worker did not say `{message}`");
        ExamineError::Worker(SessionError::Failed(fault))
    })
}
