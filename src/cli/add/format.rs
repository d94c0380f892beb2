//! Size and rate of a new camera: from flags, from its file, or from the other cameras.

use serde_json::Value as Json;

use super::source::Source;
use super::{only, others};
use crate::action::{ExamineError, examine};
use crate::cli::args::{AddCameraArgs, FrameSize};
use crate::cli::video::VideoFile;
use crate::model::Project;
use crate::os::signal::cancel_on_signals;
use crate::pipeline::clip::Track;
use crate::pipeline::fit::Wanted;
use crate::workspace::error::{CommandError, Kind, Result};
use crate::workspace::tools;

/// The values of a camera that names none.
const SIZE: FrameSize = FrameSize { width: 1920, height: 1080 };
const FPS: f64 = 15.0;

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Flag,
    File,
    Cameras,
    Default,
}

impl From {
    pub(super) fn word(self) -> &'static str {
        match self {
            From::Flag => "flag",
            From::File => "file",
            From::Cameras => "cameras",
            From::Default => "default",
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            From::Flag => "as asked",
            From::File => "as in the file",
            From::Cameras => "like all other cameras",
            From::Default => "the default",
        }
    }
}

/// Size and rate of a camera.
pub(super) struct Format {
    pub(super) width: u32,
    pub(super) height: u32,
    fps: f64,
    pub(super) size_from: From,
    pub(super) fps_from: From,
    /// The video of the file.
    film: Option<Track>,
    /// Why nobody looked into the file.
    unseen: Option<String>,
}

impl Format {
    /// Without a look into the file.
    pub(super) fn of_project(args: &AddCameraArgs, project: Option<&Project>) -> Format {
        let others = project.map_or(&[][..], others);
        let size = only(others.iter().map(|camera| (camera.width, camera.height)));
        let fps = only(others.iter().map(|camera| camera.fps.to_bits())).map(f64::from_bits);
        let from = |flag: bool, other: bool| match (flag, other) {
            (true, _) => From::Flag,
            (_, true) => From::Cameras,
            _ => From::Default,
        };
        let (size_from, fps_from) =
            (from(args.size.is_some(), size.is_some()), from(args.fps.is_some(), fps.is_some()));
        let size = size.map(|(width, height)| FrameSize { width, height });
        let FrameSize { width, height } = args.size.or(size).unwrap_or(SIZE);
        let fps = args.fps.or(fps).unwrap_or(FPS);
        Format { width, height, fps, size_from, fps_from, film: None, unseen: None }
    }

    /// The best that is known. `project` has the camera already.
    pub(super) fn find(args: &AddCameraArgs, source: &Source, project: &Project) -> Result<Format> {
        let mut format = Format::of_project(args, Some(project));
        let Source::File(video) = source else { return Ok(format) };
        if args.size.is_some() && args.fps.is_some() {
            return Ok(format);
        }
        match film(video, project)? {
            Ok(film) => {
                let Wanted { width, height, fps } = Wanted::of(&film);
                if format.size_from != From::Flag {
                    (format.width, format.height, format.size_from) = (width, height, From::File);
                }
                if format.fps_from != From::Flag {
                    (format.fps, format.fps_from) = (fps, From::File);
                }
                format.film = Some(film);
            }
            Err(reason) => format.unseen = Some(reason),
        }
        Ok(format)
    }

    /// `15`, or `29.97`.
    pub(super) fn fps_json(&self) -> Json {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates are 0 to 1000")]
        if self.fps.fract() == 0.0 { Json::from(self.fps as u64) } else { Json::from(self.fps) }
    }

    /// What was chosen, and from where, in words.
    pub(super) fn sentence(&self, source: &Source) -> String {
        let (size, fps) = (format!("{}x{}", self.width, self.height), format!("{} fps", self.fps_json()));
        let chosen = match (self.size_from, self.fps_from) {
            (one, other) if one == other => format!("{size} at {fps}, {}", one.phrase()),
            (one, other) => format!("{size}, {}, at {fps}, {}", one.phrase(), other.phrase()),
        };
        let is_guess = |from: From| matches!(from, From::Cameras | From::Default);
        let more = match (&self.film, &self.unseen, source) {
            (Some(film), ..) => {
                let shape = (film.width, film.height) != (self.width, self.height);
                let size = if shape { format!("{}x{} of ", film.width, film.height) } else { String::new() };
                format!("; it has {size}{}", codec(film))
            }
            (_, Some(reason), _) => format!("; {} was not read: {reason}", source.shown()),
            (.., Source::File(_)) => String::new(),
            _ if is_guess(self.size_from) || is_guess(self.fps_from) => {
                "; `lp` does not ask the source: `--size` and `--fps` give other values".to_owned()
            }
            _ => String::new(),
        };
        chosen + &more
    }
}

/// The main video of a file, or the reason why nobody can look into it.
fn film(video: &VideoFile, project: &Project) -> Result<std::result::Result<Track, String>> {
    let launch = match tools::find(project.settings.worker.as_ref(), &project.layout.root) {
        Ok(launch) => launch,
        Err(error) => return Ok(Err(error.to_string())),
    };
    video.announce();
    let found = match examine(&launch, &video.place, &cancel_on_signals()?) {
        Ok(contents) => contents.film().cloned().ok_or_else(|| contents.without_film()),
        Err(ExamineError::Unplayable(reason)) => Err(reason),
        Err(ExamineError::Cancelled) => {
            return Err(CommandError { kind: Kind::Interrupted, ..CommandError::refused("interrupted") });
        }
        Err(ExamineError::Worker(error)) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            return Ok(Err(format!("{error}{}", cause.unwrap_or_default())));
        }
    };
    match found {
        Ok(film) => Ok(Ok(film)),
        Err(reason) => Err(CommandError::refused(format!("{} {reason}", video.shown()))
            .hint("`--size` and `--fps` together add it without a look into it")),
    }
}

/// The codec of a video as people write it.
fn codec(film: &Track) -> &str {
    film.codec().map_or(&film.kind, |codec| codec.name())
}
