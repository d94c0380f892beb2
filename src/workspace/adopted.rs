//! Files in `media/` that `lp` did not make: videos of the user's, although their cameras
//! name a URL.
//!
//! Such a file is played instead of the download, and never replaced or deleted. A scene
//! is drawn in any case: the engine refuses to replace another file by it.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::Result;
use crate::graph::lower::clip_labels;
use crate::model::{Clip, Origin, Project, Source};
use crate::os;
use crate::path::ProjectPath;
use crate::store::Store;
use crate::store::attempt::OutputEntry;
use crate::text::counted;

/// A file that is played instead of a download.
pub(crate) struct Adopted {
    /// The name of the clip.
    pub(crate) file: String,
    pub(crate) path: ProjectPath,
    /// For people: that it is played, and why.
    pub(crate) note: String,
}

/// Makes the files in the places of downloads that `lp` did not make the origins of their
/// clips.
pub(crate) fn adopt(project: &mut Project) -> Result<Vec<Adopted>> {
    let mut places: BTreeMap<String, ProjectPath> = BTreeMap::new();
    for camera in &project.cameras {
        if let Source::File(clip @ Clip { origin: Origin::Url(_), .. }) = &camera.source {
            places.insert(clip.file.clone(), clip.original());
        }
    }
    // What a task makes is an output of it.
    let made = |path: &ProjectPath| {
        project.tasks.iter().flat_map(|task| &task.outputs).any(|(output, _)| path.is_within(output))
    };
    places.retain(|_, path| !made(path) && !matches!(os::fs::look(&project.layout.resolve(path)), Ok(None)));
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::open(project.layout.clone())?;
    let mut adopted = Vec::new();
    for (file, path) in places {
        let downloads = store.made_clips(&clip_labels(&file));
        let place = project.layout.resolve(&path);
        if !is_one_of(&store, &place, downloads.at(&path)) {
            adopted.push(Adopted { note: note(&path, &place, downloads.at(&path)), file, path });
        }
    }
    for camera in &mut project.cameras {
        if let Source::File(clip) = &mut camera.source
            && let Some(adopted) = adopted.iter().find(|adopted| adopted.file == clip.file)
        {
            clip.origin = Origin::File(adopted.path.clone());
        }
    }
    Ok(adopted)
}

/// Whether the file has the contents of one of `downloads`. It is read only if it has the
/// size of one; if it cannot be read, that is reported where it is played.
fn is_one_of(store: &Store, place: &Path, downloads: &[OutputEntry]) -> bool {
    let Ok(Some(found)) = os::fs::look(place) else { return false };
    found.is_file()
        && downloads.iter().any(|download| download.size == found.len())
        && store
            .digest_of(place)
            .is_ok_and(|content| downloads.iter().any(|download| download.content == content))
}

fn note(path: &ProjectPath, place: &Path, downloads: &[OutputEntry]) -> String {
    let size = os::fs::metadata(place).map_or(0, |found| found.len());
    // The newest comes first.
    match downloads.first() {
        None => format!(
            "`{path}` is a file of your own, since `lp` did not put it there: it is played instead of the download"
        ),
        Some(download) => format!(
            "`{path}` is not the file that `lp` put there ({} now, {} then): it is played as a file of your \
             own; delete it to have the download again",
            counted(size, "byte"),
            counted(download.size, "byte")
        ),
    }
}
