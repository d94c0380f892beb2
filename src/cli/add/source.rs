//! What a new camera plays, from the word on the command line.

use std::path::{Component, Path, PathBuf};

use crate::model::{self, Project};
use crate::name::did_you_mean;
use crate::os;
use crate::path::{ProjectPath, is_file_name, shown};
use crate::text::{harmless, is_unseen, redacted};
use crate::workspace::clips;
use crate::workspace::error::{CommandError, Result};

/// What a new camera plays.
pub(super) enum Source {
    /// The URI of an RTSP stream or of a USB camera.
    Stream(String),
    /// A video on a server.
    Url(String),
    File(Video),
}

/// A video of the user's, which is there.
pub(super) struct Video {
    /// As the user wrote it.
    written: String,
    /// Absolute.
    pub(super) place: String,
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
        Video::of(text, directory).map(Source::File)
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

impl Video {
    fn of(text: &str, directory: &Path) -> Result<Video> {
        let place = absolute(&directory.join(text));
        let fault = |fault: &str, help: Option<String>| {
            let error = CommandError::refused(format!("`{}` {fault}", harmless(text)));
            help.into_iter().fold(error, CommandError::hint)
        };
        let metadata = match os::fs::metadata(&place) {
            Ok(metadata) => metadata,
            Err(error) if error.is_not_found() => {
                return Err(match place.parent().filter(|folder| !folder.is_dir()) {
                    Some(folder) => {
                        fault("does not exist", Some(format!("there is no folder `{}`", shown(folder))))
                    }
                    None => fault("does not exist", meant(text, &place)),
                });
            }
            Err(error) => return Err(fault(&format!("cannot be read: {}", error.source), None)),
        };
        if metadata.is_dir() {
            let names = os::fs::list_names(&place).unwrap_or_default();
            let inside = names.iter().find(|name| !name.starts_with('.') && place.join(name).is_file());
            let help = inside.map(|name| {
                format!(
                    "name a video in it, such as `{}`",
                    harmless(&Path::new(text).join(name).to_string_lossy())
                )
            });
            return Err(fault("is a folder, not a video", help));
        }
        if let Some((what, help)) = clips::unusable(&metadata, &place) {
            return Err(fault(&what, help));
        }
        match place.into_os_string().into_string() {
            Ok(place) if !place.contains(is_unseen) => Ok(Video { written: text.to_owned(), place }),
            _ => Err(fault("is in a folder whose name is no visible UTF-8", None)),
        }
    }

    pub(super) fn shown(&self) -> String {
        format!("`{}`", harmless(&self.written))
    }

    /// The values of `fileSrc` that may mean it, in a project in the folder `root`.
    pub(super) fn names(&self, root: &Path, most: usize) -> Vec<String> {
        let place = Path::new(&self.place);
        let real = |path: &Path| os::fs::canonicalize(path).ok();
        let beyond_links = || {
            let folder = real(place.parent()?)?;
            Some(folder.strip_prefix(real(root)?).ok()?.join(place.file_name()?))
        };
        let inside = place.strip_prefix(root).ok().map(Path::to_path_buf).or_else(beyond_links);
        let inside = inside.and_then(|path| Some(path.to_str()?.to_owned()));
        let inside = inside.filter(|path| ProjectPath::new(path).is_ok());
        let path = inside.clone().unwrap_or_else(|| self.place.clone());
        let file = clip_name(&place.file_name().unwrap_or_default().to_string_lossy());
        let (stem, extension) = match file.rsplit_once('.') {
            Some((stem, extension)) => (stem.to_owned(), format!(".{extension}")),
            None => (file.clone(), String::new()),
        };
        let named = [format!("{file}|file:{path}")];
        let numbered = (2..).map(|n| format!("{stem}-{n}{extension}|file:{path}")).take(most);
        inside.into_iter().chain(named).chain(numbered).collect()
    }

    /// Whether the last camera of a project plays it, if that plays a file.
    pub(super) fn is_played_by(&self, project: &Project) -> bool {
        match project.cameras.last().map(|camera| &camera.source) {
            Some(model::Source::File(clip)) => {
                super::is_same(&project.layout.resolve(&clip.original()), Path::new(&self.place))
            }
            _ => true,
        }
    }
}

/// A path without `..`, whose folder may be a link.
fn absolute(path: &Path) -> PathBuf {
    let is_plain = !path.components().any(|part| part == Component::ParentDir);
    if !is_plain
        && let (Some(folder), Some(name)) = (path.parent(), path.file_name())
        && let Ok(folder) = os::fs::canonicalize(folder)
    {
        return folder.join(name);
    }
    path.components().collect()
}

/// "did you mean `clips/till.mp4`?"
fn meant(text: &str, place: &Path) -> Option<String> {
    let names = os::fs::list_names(place.parent()?).ok()?;
    let name = place.file_name()?.to_str()?;
    let meant = did_you_mean(name, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{}`?", harmless(&Path::new(text).with_file_name(meant).to_string_lossy())))
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
        let video = |place: &str| Video { written: place.to_owned(), place: place.to_owned() };
        let names = |place: &str| video(place).names(Path::new("/p"), 1);
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
