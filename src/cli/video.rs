//! A video file that a word on the command line names.

use std::path::{Component, Path, PathBuf};

use crate::name::did_you_mean;
use crate::os;
use crate::os::fs::Metadata;
use crate::path::shown;
use crate::text::{harmless, is_unseen};
use crate::workspace::clips;
use crate::workspace::error::{CommandError, Result};

use super::console;

/// From this size on, the user is told that a file is being read.
const LARGE: u64 = 1 << 30;

/// A video of the user's, which is there.
pub(super) struct VideoFile {
    /// As the user wrote it.
    pub(super) written: String,
    /// Absolute.
    pub(super) place: String,
    metadata: Metadata,
}

impl VideoFile {
    /// The file that `text` names, relative to `directory`.
    ///
    /// # Errors
    /// When there is none, or its path cannot be written in a config.
    pub(super) fn of(text: &str, directory: &Path) -> Result<VideoFile> {
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
        match place.into_os_string().into_string() {
            Ok(place) if !place.contains(is_unseen) => {
                Ok(VideoFile { written: text.to_owned(), place, metadata })
            }
            _ => Err(fault("is in a folder whose name is no visible UTF-8", None)),
        }
    }

    /// Why it is no video, as far as its first bytes show, to follow its name; and a help.
    pub(super) fn unusable(&self) -> Option<(String, Option<String>)> {
        clips::unusable(&self.metadata, Path::new(&self.place))
    }

    /// Bytes.
    pub(super) fn size(&self) -> u64 {
        self.metadata.len()
    }

    /// Tells the user that a large file is read, which takes a while.
    pub(super) fn announce(&self) {
        if LARGE < self.size() {
            console::note(&format!("reading {} from end to end", self.shown()));
        }
    }

    /// As messages call it.
    pub(super) fn shown(&self) -> String {
        format!("`{}`", harmless(&self.written))
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
