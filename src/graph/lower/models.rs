//! The tasks that bring models. Files are fetched from mirrors first, then from the URLs of their
//! recipes; a conversion also brings the weights that it reads, and what it calibrates with.

use std::collections::{BTreeSet, HashMap};

use crate::diag::Place;
use crate::dialect;
use crate::digest::ContentDigest;
use crate::graph::task::{Action, Convert, ModelDownload, ModelFile, Packages, Pool, Task};
use crate::model::{Conversion, FileGroup, Origination, Project, RecipeFile};
use crate::path::ProjectPath;
use crate::plan::lane::PlannedCamera;
use crate::text::url_path;

/// The tasks that bring the models of these cameras, each once. Files of the user's are not
/// fetched.
pub(super) fn tasks(project: &Project, cameras: &[PlannedCamera]) -> Vec<Task> {
    let mut groups: Vec<(FileGroup<'_>, Place, Vec<String>)> = Vec::new();
    // Cameras with the same workloads need the same files.
    let mut known: HashMap<(Vec<&str>, &str), Vec<usize>> = HashMap::new();
    for planned in cameras {
        let names = planned.request.workloads.iter().map(|workload| workload.name.as_str()).collect();
        let needed = known.entry((names, planned.request.dialect.word())).or_insert_with(|| {
            let mut needed = BTreeSet::new();
            let mut add = |path: &ProjectPath, place: Place| {
                let group = project.recipes.group_of(path);
                let group = group.filter(|group| !project.recipes.is_users(*group))?;
                let position = groups.iter().position(|(one, ..)| *one == group);
                needed.insert(position.unwrap_or_else(|| {
                    groups.push((group, place, Vec::new()));
                    groups.len() - 1
                }));
                Some(group)
            };
            for file in dialect::step_files(planned) {
                let group = add(&project.layout.named(file.path), file.place);
                // What a conversion reads may be the user's.
                for path in group.map_or(Vec::new(), FileGroup::reads) {
                    add(&project.layout.named(path), file.place);
                }
            }
            needed.into_iter().collect()
        });
        for position in needed {
            groups[*position].2.push(planned.camera().name.clone());
        }
    }
    let mirrors = &project.settings.model_mirrors;
    let task = |(group, place, cameras): (FileGroup<'_>, Place, Vec<String>)| match group.origination {
        Origination::Fetched => fetch(group, mirrors, cameras).at(place),
        Origination::Converted(conversion) => convert(project, group, conversion, cameras).at(place),
    };
    groups.into_iter().map(task).collect()
}

fn convert(project: &Project, group: FileGroup<'_>, conversion: &Conversion, cameras: Vec<String>) -> Task {
    let Conversion { tool, requirements, .. } = conversion;
    let read: Vec<ProjectPath> = group.reads().into_iter().map(|path| project.layout.named(path)).collect();
    let packages = requirements.clone().map(|path| project.layout.named(path));
    let action = Action::Convert(Convert {
        tool: *tool,
        precision: group.precision.unwrap_or_default().to_owned(),
        weights: read[0].clone(),
        calibration: read.get(1).cloned(),
        requirements: match &packages {
            Some(path) => Packages::File(path.clone()),
            None => Packages::Shipped(tool.requirements_digest()),
        },
        program: ContentDigest::of(tool.program().as_bytes()),
        cameras,
    });
    Task::new(group.label(), action).reads(read.into_iter().chain(packages)).writes(group.paths())
}

fn fetch(group: FileGroup<'_>, mirrors: &[String], cameras: Vec<String>) -> Task {
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
