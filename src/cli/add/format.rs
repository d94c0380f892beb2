//! Size and rate of a new camera: from flags, from its file, or from the other cameras.

use serde_json::Value as Json;

use super::source::{Source, Video};
use super::{only, others};
use crate::action::{ExamineError, examine};
use crate::cli::args::{AddCameraArgs, FrameSize};
use crate::cli::console;
use crate::model::Project;
use crate::os;
use crate::os::signal::cancel_on_signals;
use crate::pipeline::clip::Track;
use crate::workspace::error::{CommandError, Kind, Result};
use crate::workspace::tools;

/// The values of a camera that names none.
const SIZE: FrameSize = FrameSize { width: 1920, height: 1080 };
const FPS: f64 = 15.0;

/// From this size on, the user is told that a file is being read.
const LARGE: u64 = 1 << 30;

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
                if format.size_from != From::Flag {
                    // H.264, as clips are made, has no odd sizes.
                    let even = |pixels: u32| pixels - pixels % 2;
                    (format.width, format.height) = (even(film.width), even(film.height));
                    format.size_from = From::File;
                }
                if format.fps_from != From::Flag {
                    (format.fps, format.fps_from) = (rate(&film), From::File);
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
fn film(video: &Video, project: &Project) -> Result<std::result::Result<Track, String>> {
    let launch = match tools::find(project.settings.worker.as_ref(), &project.layout.root) {
        Ok(launch) => launch,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if os::fs::metadata(video.place.as_ref())?.len() > LARGE {
        console::note(&format!("reading {} from end to end", video.shown()));
    }
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

/// The rate of a video as people write it: `25` for 25.003, `29.97` for 30000/1001.
fn rate(film: &Track) -> f64 {
    /// A rate is meant if the measured one differs by less; 30 and 30000/1001 do by 0.001.
    const NEAR: f64 = 0.0003;
    let measured = film.times.steady_rate();
    let is_near = |rate: f64| (measured - rate).abs() < rate * NEAR;
    let whole = measured.round();
    if whole > 0.0 && is_near(whole) {
        return whole;
    }
    // 23.976, 29.97, 59.94
    let television = (measured * 1.001).round() / 1.001;
    let exact = if television > 0.0 && is_near(television) { television } else { measured };
    (exact * 1000.0).round() / 1000.0
}

/// The codec of a video as people write it.
fn codec(film: &Track) -> &str {
    film.codec().map_or(&film.kind, |codec| codec.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::clip::Times;

    #[track_caller]
    fn check(interval_ns: u64, n_frames: u64, expected: f64) {
        let times = Times::of((0..n_frames).map(|n| n * interval_ns).collect(), None);
        assert_eq!(rate(&Track { times, ..Track::default() }), expected);
    }

    #[test]
    fn rates_are_those_that_people_write() {
        check(40_000_000, 100, 25.0);
        check(66_666_667, 100, 15.0);
        check(33_366_667, 300, 29.97);
        check(41_708_333, 300, 23.976);
        check(16_683_333, 300, 59.94);
        check(71_000_000, 50, 14.085);
        check(2_000_000_000, 5, 0.5);
    }
}
