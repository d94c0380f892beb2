//! `lp doctor --camera NAME`: connects to cameras, and says what they send.

use super::super::args::Global;
use super::super::project::open;
use super::super::show::video::text::text;
use super::super::stream::Stream;
use super::super::{Exit, console};
use crate::model::{Accept, Camera, Source};
use crate::os::signal::cancel_on_signals;
use crate::pipeline::facts::{self, FilmFacts, VideoFacts, VideoList};
use crate::text::harmless;
use crate::workspace::error::{CommandError, Kind, Result};
use crate::workspace::tools;

/// A rate that differs from the configured one by more is another: it is seen for 3 s only.
const OTHER_RATE: f64 = 0.05;

pub(super) fn run(global: &Global, is_json: bool, names: &[String]) -> Result<Exit> {
    let opened = open(global, &[])?;
    let project = &opened.project;
    let cameras = opened.cameras(names)?;
    let streams = cameras.iter().map(|camera| Stream::of_camera(project, camera));
    let (streams, errors): (Vec<_>, Vec<_>) = streams.partition(|stream| stream.is_ok());
    if let Some(error) = CommandError::all(errors.into_iter().filter_map(|error| error.err())) {
        return Err(error);
    }
    let launch = tools::find(project.settings.worker.as_ref(), &project.layout.root);
    let launch = launch.map_err(|error| CommandError::no_worker(&error))?;
    if project.settings.rtsp.impair.is_some() {
        console::note("`rtsp.impair` does nothing here: cameras are asked as they are");
    }
    let cancel = cancel_on_signals()?;
    let (mut videos, mut has_differences) = (Vec::new(), false);
    for (camera, stream) in cameras.iter().zip(streams.into_iter().flatten()) {
        let mut found = stream.facts(&launch, &cancel)?;
        if let Some(film) = &found.film {
            let differences = differences(camera, film);
            has_differences |= differences.iter().any(|(what, _)| !camera.accept.contains(what));
            found.differs = Some(differences.into_iter().map(|(_, text)| text).collect());
        }
        let video = format!("{} ({})", camera.name, found.video);
        videos.push(VideoFacts { video, ..found });
    }
    if is_json {
        let document = VideoList { version: facts::VERSION, videos: videos.clone() };
        console::out(&format!("{:#}\n", serde_json::to_value(document).map_err(anyhow::Error::new)?));
    } else {
        let texts = videos.iter().filter(|video| video.container.is_some()).map(text);
        console::out(&texts.collect::<Vec<_>>().join("\n"));
    }
    let faults = videos.iter().flat_map(|video| {
        video.faults.iter().map(|fault| {
            let message = format!("{} {fault}", harmless(&video.video));
            CommandError { kind: Kind::Failed, ..CommandError::refused(message) }
        })
    });
    match CommandError::all(faults) {
        Some(error) => Err(error),
        None => Ok(if has_differences { Exit::Failed } else { Exit::Done }),
    }
}

/// Where a camera differs from its config, in words.
fn differences(camera: &Camera, film: &FilmFacts) -> Vec<(Accept, String)> {
    let mut found = Vec::new();
    let video = &film.video;
    if (video.width, video.height) != (camera.width, camera.height) {
        let text = format!(
            "the camera delivers {}x{}, not {}x{}",
            video.width, video.height, camera.width, camera.height
        );
        found.push((Accept::Size, text));
    }
    if (video.fps - camera.fps).abs() > OTHER_RATE * camera.fps {
        let text = format!("the camera delivers {:.1} of {} fps", video.fps, camera.fps);
        found.push((Accept::Rate, text));
    }
    if let Source::Rtsp(stream) = &camera.source
        && video.codec() != Some(stream.codec)
    {
        let text = format!("the camera delivers {}, not {}", video.name(), stream.codec.name());
        found.push((Accept::Codec, text));
    }
    found
}
