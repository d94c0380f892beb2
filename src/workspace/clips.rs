//! Checks of the users' own videos, before anything reads them: that each exists, can
//! be read, and is a video as far as its first bytes show.
//!
//! Not here: whether it can be decoded, which its transcode finds out.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use crate::action;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::graph::{TaskGraph, TaskId};
use crate::model::{Clip, Origin, Project};
use crate::os;
use crate::os::fs::Metadata;
use crate::os::http::{Difference, PinKey, Pins};
use crate::path::{ProjectPath, shown};
use crate::store::Store;
use crate::text::harmless;

/// Reports the faults of the videos that tasks of `needed` read and no task makes.
/// Returns the paths of the videos that were looked at.
pub(crate) fn check(
    project: &Project,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    diagnostics: &mut Diagnostics,
) -> BTreeSet<ProjectPath> {
    let mut checked = BTreeSet::new();
    let clips: Vec<(&Clip, &ProjectPath)> = own(project).collect();
    if clips.is_empty() {
        return checked;
    }
    let read: HashSet<&ProjectPath> = needed.iter().flat_map(|id| &graph.task(*id).inputs).collect();
    for (clip, path) in clips {
        if !read.contains(path) || graph.producer(path).is_some() || !checked.insert(path.clone()) {
            continue;
        }
        let place = project.layout.resolve(path);
        let name = if path.own_name().is_some() { shown(&place) } else { path.to_string() };
        if let Some((fault, help)) = fault(project, path, &place) {
            let error = Diagnostic::error(codes::UNUSABLE_CLIP, format!("`{name}` {fault}")).at(clip.place);
            let help = help.or_else(|| {
                let names = beside(&place);
                let meant = diagnostics.did_you_mean(path.file_name(), names.iter().map(String::as_str))?;
                let meant = match path.own_name() {
                    Some(_) => shown(&place.with_file_name(meant)),
                    None => harmless(&Path::new(path.as_str()).with_file_name(meant).to_string_lossy())
                        .into_owned(),
                };
                Some(format!("did you mean `{meant}`?"))
            });
            let help = help.or_else(|| {
                let is_bare = path.own_name().is_none() && !path.as_str().contains('/');
                is_bare.then(|| format!("write its path in the project, or `{name}|file:/path/{name}`"))
            });
            let error = match help {
                Some(help) => error.help(help),
                None => error,
            };
            diagnostics.push(error);
        } else if let Some(error) = other_than_pinned(project, clip, &place, &name) {
            diagnostics.push(error);
        }
    }
    checked
}

/// The error of a video that is not the pinned one.
fn other_than_pinned(project: &Project, clip: &Clip, place: &Path, name: &str) -> Option<Diagnostic> {
    let asset = project.assets.get(&clip.file)?;
    if asset.pins == Pins::default() {
        return None;
    }
    // Without a store, nothing is remembered.
    let store = Store::open(project.layout.clone()).unwrap_or_else(|_| Store::unread(project.layout.clone()));
    let difference = match store.difference_of(place, &asset.pins) {
        Ok(difference) => difference,
        Err(error) => {
            let message = format!("`{name}` cannot be read: {}", error.source);
            return Some(Diagnostic::error(codes::UNUSABLE_CLIP, message).at(clip.place));
        }
    };
    if store.root().is_dir() {
        // It is a cache for speed.
        let _ = store.save_state();
    }
    let Difference { pin, actual, .. } = difference?;
    let (what, one) = match pin {
        PinKey::Sha256 => ("its SHA-256 digest is", format!("sha256 = \"{actual}\"")),
        PinKey::Sha384 => ("its SHA-384 digest is", format!("sha384 = \"{actual}\"")),
        PinKey::Blake3 => ("its BLAKE3 digest is", format!("blake3 = \"{actual}\"")),
        PinKey::GitBlobSha1 => ("its SHA-1 as a blob is", format!("git_blob_sha1 = \"{actual}\"")),
        PinKey::Size => ("its size in bytes is", format!("size = {actual}")),
    };
    let pinned = match clip.original().as_str() != format!("media/{}", clip.file) {
        true => "put the pinned file there",
        false => "delete the file to have the pinned one",
    };
    let message = format!("`{name}` is not the file that is pinned: {what} {actual}");
    let place = asset.pin_places.get(&pin).copied().unwrap_or(asset.place);
    let label = if pin == PinKey::Size { "another size is pinned" } else { "another digest is pinned" };
    let error = Diagnostic::error(codes::OTHER_THAN_PINNED, message).at(place).label(label);
    let help = format!("{pinned}, or pin this one: `{one}`");
    Some(error.also(clip.place, "the camera that plays it").help(help))
}

/// The videos of the user's that cameras play.
pub(crate) fn own(project: &Project) -> impl Iterator<Item = (&Clip, &ProjectPath)> {
    project.cameras.iter().filter_map(|camera| match camera.video()? {
        clip @ Clip { origin: Origin::File(path), .. } => Some((clip, path)),
        _ => None,
    })
}

/// The fault of a video, to follow its name, and a help.
fn fault(project: &Project, path: &ProjectPath, place: &Path) -> Option<(String, Option<String>)> {
    let metadata = match os::fs::metadata(place) {
        Ok(metadata) => metadata,
        Err(error) if !error.is_not_found() => {
            return Some((format!("cannot be read: {}", error.source), None));
        }
        Err(_) => return Some(missing(project, path, place)),
    };
    if metadata.is_dir() {
        let inside = os::fs::list_names(place).unwrap_or_default();
        let first = inside.iter().find(|name| !name.starts_with('.')).map_or("scan.mp4", String::as_str);
        let help = format!(
            "write the path of a file in it, such as `{}`",
            shown(&Path::new(path.as_str()).join(first))
        );
        let help = if path.own_name().is_some() { "write the path of a file in it".to_owned() } else { help };
        return Some(("is a folder, not a video".to_owned(), Some(help)));
    }
    unusable(&metadata, place)
}

/// The fault of something at `place` that is no folder, to follow its name, and a help.
pub(crate) fn unusable(metadata: &Metadata, place: &Path) -> Option<(String, Option<String>)> {
    if !metadata.is_file() {
        let help = if place.starts_with("/dev") {
            format!("for a USB camera, write `\"streamUri\": \"v4l2://{}\"`", shown(place))
        } else {
            "write the path of a video file".to_owned()
        };
        return Some(("is no regular file".to_owned(), Some(help)));
    }
    let begin = match os::fs::read_head(place, 16 << 10) {
        Ok(begin) => begin,
        Err(error) => {
            let help = "let this user read it, or play a copy".to_owned();
            return Some((format!("cannot be read: {error}"), Some(help)));
        }
    };
    let help = || Some("write the path of a video, such as an MP4 or Matroska file".to_owned());
    if begin.is_empty() {
        return Some(("is empty".to_owned(), help()));
    }
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let found = action::foreign(&name, &begin)?;
    Some((format!("is no video: it is {found}"), help()))
}

/// The fault of a missing video: why, and what may be meant.
fn missing(project: &Project, path: &ProjectPath, place: &Path) -> (String, Option<String>) {
    if let Ok(target) = os::tree::read_link(place) {
        let target = target.as_path().to_string_lossy().into_owned();
        return (format!("is a link to `{}`, which does not exist", harmless(&target)), None);
    }
    let in_media = ProjectPath::new(&format!("media/{}", path.as_str())).ok();
    let in_media = in_media.filter(|other| os::fs::is_file(&project.layout.resolve(other)));
    if let Some(other) = in_media.filter(|_| path.own_name().is_none()) {
        return ("does not exist".to_owned(), Some(format!("did you mean `{other}`?")));
    }
    if path.own_name().is_none() && path.as_str().contains('\\') {
        return ("does not exist".to_owned(), Some(with_slashes(project, path)));
    }
    match place.parent().filter(|folder| !folder.is_dir()) {
        Some(folder) => {
            (format!("does not exist: there is no folder `{}`", shown(folder)), Some(relative_to_project()))
        }
        None => ("does not exist".to_owned(), None),
    }
}

/// The help for a path with the separators of another system.
fn with_slashes(project: &Project, path: &ProjectPath) -> String {
    let meant = ProjectPath::new(&path.as_str().replace('\\', "/")).ok();
    match meant.filter(|meant| os::fs::is_file(&project.layout.resolve(meant))) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "write `/` between folders, and the path that the file has on this machine".to_owned(),
    }
}

fn relative_to_project() -> String {
    "a relative path begins in the project's folder".to_owned()
}

/// The names of the files beside a missing one.
fn beside(place: &Path) -> Vec<String> {
    place.parent().and_then(|folder| os::fs::list_names(folder).ok()).unwrap_or_default()
}
