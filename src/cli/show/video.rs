//! `lp show VIDEO`: what a video file or a stream is.
//!
//! A word means a video if it has a `/` or the ending of a video file, unless a camera of
//! the project has this name: so it does not depend on the files that exist.

pub(in crate::cli) mod text;

use std::path::Path;

use super::print;
use crate::action::{Examined, decode, look_into};
use crate::cli::args::{Global, ShowArgs, ShowFormat};
use crate::cli::project::{directory, read};
use crate::cli::stream::{Stream, unplayable};
use crate::cli::video::VideoFile;
use crate::cli::{Exit, console};
use crate::model::{Project, Rtsp};
use crate::os;
use crate::os::process::Cancel;
use crate::os::signal::cancel_on_signals;
use crate::pipeline::clip::Loss;
use crate::pipeline::facts::{self, FileFacts, Played, VideoFacts, VideoList};
use crate::pipeline::fit;
use crate::text::is_unseen;
use crate::worker::launch::Launch;
use crate::workspace::error::{CommandError, Kind, Result};
use crate::workspace::tools;

/// Endings of the names of video files.
const ENDINGS: [&str; 27] = [
    "mp4", "m4v", "mov", "qt", "3gp", "mkv", "webm", "ts", "mts", "m2ts", "avi", "flv", "wmv", "asf", "mpg",
    "mpeg", "vob", "ogv", "mxf", "ivf", "y4m", "h264", "264", "h265", "hevc", "mjpeg", "mjpg",
];

/// A video that was asked for.
enum Asked {
    File(VideoFile),
    Stream(Stream),
}

/// Shows the words, if they mean videos; `None` if they mean cameras.
pub(super) fn run(global: &Global, args: &ShowArgs) -> Result<Option<Exit>> {
    let words = &args.cameras;
    if !words.iter().any(|word| may_be_video(word)) {
        return Ok(None);
    }
    // Without a project, or with errors in it, there are no cameras to be meant.
    let project = read(global, &[])?.project;
    let is_camera = |word: &str| project.as_ref().is_some_and(|project| project.camera(word).is_some());
    let (videos, cameras): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| may_be_video(word) && !is_camera(word));
    if videos.is_empty() {
        return Ok(None);
    }
    if let Some(camera) = cameras.first() {
        let fault = format!("`{camera}` means a camera, and `{}` a video", videos[0]);
        return Err(CommandError::refused(fault).hint("show cameras and videos by commands of their own"));
    }
    let has_format = !matches!(args.format, None | Some(ShowFormat::Human | ShowFormat::Json));
    let without_effect = [("--summary", args.summary), ("--launch", args.launch), ("--format", has_format)];
    if let Some((flag, _)) = without_effect.iter().find(|(_, is_given)| *is_given) {
        return Err(CommandError::refused(format!("`{flag}` shows cameras, not videos")));
    }
    let is_json = args.json || matches!(args.format, Some(ShowFormat::Json));
    show(global, args.quick, is_json, project.as_ref(), &videos).map(Some)
}

fn may_be_video(word: &str) -> bool {
    let ending = word.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    word.contains('/') || ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

fn show(
    global: &Global,
    is_quick: bool,
    is_json: bool,
    project: Option<&Project>,
    words: &[&String],
) -> Result<Exit> {
    let here = directory(global)?;
    let rtsp = project.map(|project| &project.settings.rtsp);
    let mut asked = Vec::new();
    let mut errors = Vec::new();
    for word in words {
        match ask(word, &here, rtsp) {
            Ok(one) => asked.push(one),
            Err(error) => errors.push(error),
        }
    }
    if let Some(error) = CommandError::all(errors) {
        return Err(error);
    }
    let worker = project.and_then(|project| project.settings.worker.as_ref());
    let root = project.map_or(here.as_path(), |project| &project.layout.root);
    let launch = tools::find(worker, root).map_err(|error| CommandError::no_worker(&error))?;
    let cancel = cancel_on_signals()?;
    let mut videos = Vec::new();
    for one in &asked {
        videos.push(match one {
            Asked::File(file) => file_facts(file, &launch, is_quick, &cancel)?,
            Asked::Stream(stream) => stream.facts(&launch, &cancel)?,
        });
    }
    if is_json {
        print(&VideoList { version: facts::VERSION, videos: videos.clone() });
    } else {
        let texts = videos.iter().filter(|video| video.container.is_some()).map(text::text);
        console::out(&texts.collect::<Vec<_>>().join("\n"));
    }
    let faults = videos.iter().flat_map(|video| {
        video.faults.iter().map(|fault| {
            let message = format!("`{}` {fault}", crate::text::harmless(&video.video));
            CommandError { kind: Kind::Failed, ..CommandError::refused(message) }
        })
    });
    CommandError::all(faults).map_or(Ok(Exit::Done), Err)
}

fn ask(word: &str, here: &Path, rtsp: Option<&Rtsp>) -> Result<Asked> {
    if word.contains(is_unseen) {
        let fault = format!("`{}` has characters that cannot be seen", crate::text::harmless(word));
        return Err(CommandError::refused(fault));
    }
    if let Some(path) = word.strip_prefix("file://") {
        return VideoFile::of(&crate::pipeline::login::unescaped(path), here).map(Asked::File);
    }
    if word.contains("://") || word.starts_with("/dev/") {
        return Stream::of(word, rtsp).map(Asked::Stream);
    }
    VideoFile::of(word, here).map(Asked::File)
}

/// Reads a file from end to end, and decodes it unless that shall be quick.
fn file_facts(file: &VideoFile, launch: &Launch, is_quick: bool, cancel: &Cancel) -> Result<VideoFacts> {
    let name = file.written.clone();
    let broken =
        |fault: String| VideoFacts { video: name.clone(), faults: vec![fault], ..VideoFacts::default() };
    if let Some((fault, _)) = file.unusable() {
        return Ok(broken(fault));
    }
    file.announce();
    let Examined { mut contents, mut fault } = match look_into(launch, &file.place, cancel) {
        Ok(examined) => examined,
        Err(error) => return unplayable(error).map(broken),
    };
    if let Some(film) = contents.film().filter(|_| fault.is_none() && !is_quick) {
        let id = film.id.clone();
        match decode(launch, &file.place, film, cancel) {
            Ok(decoded) => {
                fault = decoded.loss(&film.times).map(|loss| match loss {
                    Loss::End(fault) => fault,
                    Loss::Frames(fault) => format!("is damaged: {fault}"),
                });
                for track in contents.tracks.iter_mut().filter(|track| track.id == id) {
                    track.coding.is_interlaced |= decoded.is_interlaced;
                }
            }
            Err(error) => fault = Some(unplayable(error)?),
        }
    }
    let mut found = VideoFacts::of(name, &contents);
    let (digest, _) = os::fs::hash_file(Path::new(&file.place))?;
    found.file = Some(FileFacts { bytes: file.size(), blake3: digest.to_hex() });
    match (contents.film(), fault) {
        (Some(film), None) => match fit::refusal(film) {
            Some(reason) => found.faults.push(reason),
            None => found.played = Some(Played::of(&contents, film)),
        },
        (_, fault) => found.faults.extend(fault),
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_a_folder_or_an_ending_may_be_a_video() {
        let videos = ["a.mp4", "A.MKV", "./till", "/dev/video0", "rtsp://h/a", "clips/till.1"];
        assert!(videos.iter().all(|word| may_be_video(word)));
        let cameras = ["till", "till-*", "till.1", "mp4", ""];
        assert!(!cameras.iter().any(|word| may_be_video(word)));
    }
}
