//! The tasks that fetch models, and where from: mirrors first, then the URLs of their recipes.

use std::collections::{BTreeSet, HashMap};

use crate::diag::Place;
use crate::dialect;
use crate::graph::task::{Action, ModelDownload, ModelFile, Pool, Task};
use crate::model::{FileGroup, Project, RecipeFile};
use crate::path::ProjectPath;
use crate::plan::lane::PlannedCamera;
use crate::text::url_path;

/// The tasks that fetch the models of these cameras, each once. Files of the user's are not
/// fetched.
pub(super) fn tasks(project: &Project, cameras: &[PlannedCamera]) -> Vec<Task> {
    let mut groups: Vec<(FileGroup<'_>, Place, Vec<String>)> = Vec::new();
    // Cameras with the same workloads need the same files.
    let mut known: HashMap<(Vec<&str>, &str), Vec<usize>> = HashMap::new();
    for planned in cameras {
        let names = planned.request.workloads.iter().map(|workload| workload.name.as_str()).collect();
        let needed = known.entry((names, planned.request.dialect.word())).or_insert_with(|| {
            let mut needed = BTreeSet::new();
            for file in dialect::step_files(planned) {
                let group = project.recipes.group_of(&project.layout.named(file.path));
                let Some(group) = group.filter(|group| !project.recipes.is_users(*group)) else { continue };
                let position = groups.iter().position(|(one, ..)| *one == group);
                needed.insert(position.unwrap_or_else(|| {
                    groups.push((group, file.place, Vec::new()));
                    groups.len() - 1
                }));
            }
            needed.into_iter().collect()
        });
        for position in needed {
            groups[*position].2.push(planned.camera().name.clone());
        }
    }
    let mirrors = &project.settings.model_mirrors;
    groups.into_iter().map(|(group, place, cameras)| task(group, mirrors, cameras).at(place)).collect()
}

fn task(group: FileGroup<'_>, mirrors: &[String], cameras: Vec<String>) -> Task {
    let file = |file: &RecipeFile| ModelFile {
        urls: mirrors.iter().map(|mirror| url_of(mirror, &file.path)).chain(file.urls.clone()).collect(),
        source: file.source.clone(),
        pins: file.pins.clone(),
    };
    let action = Action::Model(ModelDownload { files: group.files().map(file).collect(), cameras });
    let outputs = group.files().map(|file| file.path.clone());
    Task::new(group.label(), action).writes(outputs).pool(Pool::Network)
}

/// The URL of a model's file on a server with a copy of the folder of models.
fn url_of(mirror: &str, path: &ProjectPath) -> String {
    let below = path.as_str().strip_prefix("models/").unwrap_or(path.as_str());
    format!("{}/{}", mirror.trim_end_matches('/'), url_path(below))
}
