//! Files in the places of downloads that `lp` did not make: videos of the user's, although
//! their cameras name a URL or a package, and models of the user's, although they have a recipe.
//!
//! Such a file is used instead of the download, and never replaced or deleted. With one of
//! its files, a model is the user's as a whole: files of two origins do not belong together.
//! A scene is drawn in any case: the engine refuses to replace another file by it.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::Result;
use crate::graph::lower::clip_labels;
use crate::model::{Clip, Origin, Project};
use crate::os;
use crate::path::ProjectPath;
use crate::store::Store;
use crate::store::attempt::OutputEntry;
use crate::store::made::is_upstream_link;
use crate::text::counted;

/// A file that is used instead of a download.
pub(crate) struct Adopted {
    /// The label of the download.
    pub(crate) label: String,
    pub(crate) path: ProjectPath,
    /// For people: that it is used, and why. `None` for a model that `lp` never put there:
    /// the folder of models is the user's.
    pub(crate) note: Option<String>,
}

/// Makes the files in the places of downloads that `lp` did not make the origins of their
/// clips.
pub(crate) fn adopt(project: &mut Project) -> Result<Vec<Adopted>> {
    let mut clips: BTreeMap<String, ProjectPath> = BTreeMap::new();
    for camera in &project.cameras {
        if let Some(clip @ Clip { origin: Origin::Url(_) | Origin::Package(_), .. }) = camera.video() {
            clips.insert(clip.file.clone(), clip.original());
        }
    }
    clips.retain(|_, path| is_found(project, path));
    if clips.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::open(project.layout.clone())?;
    let mut adopted = Vec::new();
    for (file, path) in &clips {
        let downloads = store.made_clips(&clip_labels(file));
        let place = project.layout.resolve(path);
        if !is_one_of(&store, &place, downloads.at(path)) {
            let note = Some(note(path, &place, downloads.at(path), "it is played"));
            adopted.push(Adopted { label: format!("download:{file}"), path: path.clone(), note });
        }
    }
    for camera in &mut project.cameras {
        if let Some(clip) = camera.video_mut()
            && let Some(path) = clips.get(&clip.file)
            && adopted.iter().any(|adopted| adopted.path == *path)
        {
            clip.origin = Origin::File(path.clone());
        }
    }
    Ok(adopted)
}

/// Leaves the models to the user of which a file is there that `lp` did not make. Reads
/// downloaded files that have changed since the last time.
pub(crate) fn adopt_models(project: &mut Project) -> Result<Vec<Adopted>> {
    let mut models: Vec<(String, Vec<ProjectPath>)> = Vec::new();
    for group in project.recipes.groups() {
        let paths = group.paths().into_iter();
        let found: Vec<ProjectPath> = paths.filter(|path| is_found(project, path)).collect();
        if !found.is_empty() {
            models.push((group.label(), found));
        }
    }
    if models.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::open(project.layout.clone())?;
    let mut adopted = Vec::new();
    for (label, paths) in models {
        let downloads = store.made_clips(std::slice::from_ref(&label));
        let is_users =
            |path: &&ProjectPath| !is_one_of(&store, &project.layout.resolve(path), downloads.at(path));
        if let Some(path) = paths.iter().find(is_users) {
            let of_lp = downloads.at(path);
            let place = project.layout.resolve(path);
            let note = (!of_lp.is_empty()).then(|| note(path, &place, of_lp, "it is used"));
            project.recipes.leave_to_user(label.clone());
            adopted.push(Adopted { label, path: path.clone(), note });
        }
    }
    Ok(adopted)
}

/// Whether there is something at `path` that no task makes.
fn is_found(project: &Project, path: &ProjectPath) -> bool {
    let outputs = project.tasks.iter().flat_map(|task| &task.outputs);
    let is_made = || outputs.into_iter().any(|(output, _)| path.is_within(output));
    let place = project.layout.resolve(path);
    !matches!(os::fs::look(&place), Ok(None)) && !is_upstream_link(&place) && !is_made()
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

fn note(path: &ProjectPath, place: &Path, downloads: &[OutputEntry], used: &str) -> String {
    let size = os::fs::metadata(place).map_or(0, |found| found.len());
    // The newest comes first.
    match downloads.first() {
        None => format!(
            "`{path}` is a file of your own, since `lp` did not put it there: {used} instead of the download"
        ),
        Some(download) => format!(
            "`{path}` is not the file that `lp` put there ({} now, {} then): {used} as a file of your \
             own; delete it to have the download again",
            counted(size, "byte"),
            counted(download.size, "byte")
        ),
    }
}
