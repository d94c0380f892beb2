//! What a new camera plays, from the word on the command line.

use std::path::Path;

use crate::cli::video::VideoFile;
use crate::model::{self, Project};
use crate::os;
use crate::path::{ProjectPath, is_file_name};
use crate::text::{harmless, is_unseen, redacted};
use crate::workspace::error::{CommandError, Result};

/// What a new camera plays.
pub(super) enum Source {
    /// The URI of an RTSP stream or of a USB camera.
    Stream(String),
    /// A video on a server.
    Url(String),
    File(VideoFile),
}

impl Source {
    /// The source that `written` names; files are relative to `directory`.
    pub(super) fn of(written: &Path, directory: &Path) -> Result<Source> {
        let Some(text) = written.to_str() else {
            return Err(CommandError::refused(format!(
                "the path `{}` is not UTF-8",
                harmless(&written.to_string_lossy())
            )));
        };
        if text.contains(is_unseen) {
            let fault = format!("`{}` has characters that cannot be seen", harmless(text));
            return Err(CommandError::refused(fault).hint("rename the file"));
        }
        if let Some((scheme, _)) = text.split_once("://") {
            return match &*scheme.to_ascii_lowercase() {
                "http" | "https" => Ok(Source::Url(text.to_owned())),
                "file" => {
                    let fault = format!("`{text}` is a URI, not a path");
                    Err(CommandError::refused(fault).hint("give the path of the file"))
                }
                _ => Ok(Source::Stream(text.to_owned())),
            };
        }
        if text.starts_with("/dev/") {
            return Ok(Source::Stream(format!("v4l2://{text}")));
        }
        let video = VideoFile::of(text, directory)?;
        if let Some((what, help)) = video.unusable() {
            let error = CommandError::refused(format!("{} {what}", video.shown()));
            return Err(help.into_iter().fold(error, CommandError::hint));
        }
        Ok(Source::File(video))
    }

    /// The key and its value, except those of a file.
    pub(super) fn entry(&self) -> (&'static str, String) {
        match self {
            Source::Stream(uri) => ("streamUri", uri.clone()),
            Source::Url(url) => {
                let path = url.split(['?', '#']).next().unwrap_or_default();
                let last = path.rsplit('/').next().unwrap_or_default();
                ("fileSrc", format!("{}|{url}", clip_name(last)))
            }
            Source::File(video) => ("fileSrc", video.place.clone()),
        }
    }

    /// The name of the file, without its extension.
    pub(super) fn stem(&self) -> Option<String> {
        let file = match self {
            Source::Stream(_) => return None,
            Source::Url(_) => self.entry().1.split('|').next().unwrap_or_default().to_owned(),
            Source::File(video) => video.place.clone(),
        };
        Path::new(&file).file_stem()?.to_str().map(str::to_owned)
    }

    /// As messages call it.
    pub(super) fn shown(&self) -> String {
        match self {
            Source::Stream(uri) | Source::Url(uri) => format!("`{}`", harmless(&redacted(uri))),
            Source::File(video) => video.shown(),
        }
    }
}

/// The values of `fileSrc` that may mean the file at `place`, in a project in the folder
/// `root`.
pub(super) fn names(place: &str, root: &Path, most: usize) -> Vec<String> {
    let path = Path::new(place);
    let real = |path: &Path| os::fs::canonicalize(path).ok();
    let beyond_links = || {
        let folder = real(path.parent()?)?;
        Some(folder.strip_prefix(real(root)?).ok()?.join(path.file_name()?))
    };
    let inside = path.strip_prefix(root).ok().map(Path::to_path_buf).or_else(beyond_links);
    let inside = inside.and_then(|path| Some(path.to_str()?.to_owned()));
    let inside = inside.filter(|path| ProjectPath::new(path).is_ok());
    let file = clip_name(&path.file_name().unwrap_or_default().to_string_lossy());
    let path = inside.clone().unwrap_or_else(|| place.to_owned());
    let (stem, extension) = match file.rsplit_once('.') {
        Some((stem, extension)) => (stem.to_owned(), format!(".{extension}")),
        None => (file.clone(), String::new()),
    };
    let named = [format!("{file}|file:{path}")];
    let numbered = (2..).map(|n| format!("{stem}-{n}{extension}|file:{path}")).take(most);
    inside.into_iter().chain(named).chain(numbered).collect()
}

/// Whether the last camera of a project plays the file at `place`, if that plays a file.
pub(super) fn is_played_by(place: &str, project: &Project) -> bool {
    match project.cameras.last().map(|camera| &camera.source) {
        Some(model::Source::File(clip)) => {
            super::is_same(&project.layout.resolve(&clip.original()), Path::new(place))
        }
        _ => true,
    }
}

/// A name that a clip may have, near to that of its file.
fn clip_name(file: &str) -> String {
    let name: String = file.trim().chars().map(|c| if c == '|' || is_unseen(c) { '_' } else { c }).collect();
    let name = match name.strip_prefix(['.', '-']) {
        Some(rest) => format!("_{rest}"),
        None => name,
    };
    // A number may follow.
    if is_file_name(&name) && name.len() <= 190 { name } else { "video.mp4".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_video_is_named_by_its_path_in_the_project_or_by_its_place() {
        let names = |place: &str| names(place, Path::new("/p"), 1);
        assert_eq!(
            names("/p/clips/a.mp4"),
            ["clips/a.mp4", "a.mp4|file:clips/a.mp4", "a-2.mp4|file:clips/a.mp4"]
        );
        assert_eq!(names("/far/a|b.mp4"), ["a_b.mp4|file:/far/a|b.mp4", "a_b-2.mp4|file:/far/a|b.mp4"]);
        assert_eq!(names("/far/.x")[0], "_x|file:/far/.x");
        assert_eq!(
            names(&format!("/far/{}", "x".repeat(250)))[1],
            format!("video-2.mp4|file:/far/{}", "x".repeat(250))
        );
    }
}
