//! Links with upstream's names beside the clips, for people who look for these names.
//!
//! They are made after a build that has made or restored clips. A link goes only to a free
//! place, and replaces nothing but a link of its own kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::journal::Journal;
use super::open::Workspace;
use crate::os;
use crate::path::ProjectPath;
use crate::plan::{clip_path, upstream_name};
use crate::store::made::is_upstream_link;

/// Makes the links to the project's clips, if the build has made or restored some. Returns what
/// there is to say about links that are not made.
pub(crate) fn link(opened: &Workspace, journal: &Journal<'_>) -> Vec<String> {
    if !journal.has_made_clips() {
        return Vec::new();
    }
    let project = &opened.project;
    let mut links: BTreeMap<ProjectPath, BTreeSet<ProjectPath>> = BTreeMap::new();
    let declared = project.tasks.iter().flat_map(|task| task.inputs.iter().chain(&task.outputs));
    let mut taken: BTreeSet<ProjectPath> = declared.map(|(path, _)| path.clone()).collect();
    for planned in &opened.lane().cameras {
        let camera = planned.camera();
        let Some(clip) = camera.video() else { continue };
        taken.insert(clip.original());
        if let Some(link) = upstream_name::link_path(camera, clip) {
            links.entry(link).or_default().insert(clip_path(camera, clip));
        }
    }
    let mut notes = Vec::new();
    for (link, clips) in links.iter().filter(|(link, _)| !taken.contains(*link)) {
        let place = project.layout.resolve(link);
        let made = match clips.iter().collect::<Vec<_>>().as_slice() {
            [clip] if os::fs::is_file(&project.layout.resolve(clip)) => put(&place, clip),
            [_] => continue,
            several => {
                let names: Vec<String> = several.iter().map(|clip| format!("`{clip}`")).collect();
                notes.push(format!("`{link}`, upstream's name, would stand for {}", names.join(" and ")));
                if is_upstream_link(&place) { os::fs::remove(&place) } else { Ok(()) }
            }
        };
        if let Err(error) = made {
            notes.push(format!("there is no link `{link}`: {error}: {}", error.source));
        }
    }
    notes
}

/// Lets the link at `place` lead to a clip, unless something else is there.
fn put(place: &Path, clip: &ProjectPath) -> Result<(), os::fs::FsError> {
    let target = Path::new(clip.as_str().strip_prefix("media/").unwrap_or(clip.as_str()));
    match os::fs::look(place)? {
        None => os::fs::symlink(target, place),
        Some(_) if !is_upstream_link(place) => Ok(()),
        Some(_) if os::tree::read_link(place)?.as_path() == target => Ok(()),
        Some(_) => os::fs::point(place, target),
    }
}
