//! The programs that bring assets: `pip` and `npm` for files of packages, Python with `pip` for
//! models that are converted. Only those are looked for that the project's tasks would start, and
//! nothing is asked of a registry.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::action::{has_client, python};
use crate::graph::task::{Action, Task};
use crate::model::Registry;
use crate::os;
use crate::os::process::Cancel;
use crate::path::Layout;

/// The findings about the tasks of a project of which a result is not in its place.
pub(super) fn findings(layout: &Layout, tasks: &[Task]) -> Vec<Finding> {
    let is_absent =
        |task: &&Task| task.outputs.iter().any(|output| os::fs::metadata(&layout.resolve(output)).is_err());
    let mut clients: BTreeMap<&str, (Registry, Vec<String>)> = BTreeMap::new();
    let mut conversions: Vec<String> = Vec::new();
    for task in tasks.iter().filter(is_absent) {
        let label = || format!("`{}`", task.label);
        let registries: Vec<Registry> = match &task.action {
            Action::Download(download) => download.source.iter().map(|source| source.registry).collect(),
            Action::Model(model) => {
                model.files.iter().filter_map(|file| Some(file.source.as_ref()?.registry)).collect()
            }
            Action::Convert(_) => {
                conversions.push(label());
                Vec::new()
            }
            _ => Vec::new(),
        };
        for registry in registries {
            let name = match registry {
                Registry::Pypi => "pip",
                Registry::Npm => "npm",
            };
            let (_, needed_by) = clients.entry(name).or_insert_with(|| (registry, Vec::new()));
            if needed_by.last() != Some(&label()) {
                needed_by.push(label());
            }
        }
    }
    let client = |(name, (registry, needed_by)): (&str, (Registry, Vec<String>))| match has_client(registry) {
        Ok(program) => Finding::found(name, format!("`{program}`, for files of packages")),
        Err(install) => {
            Finding::missing(name).wrong("it is not in `PATH`").needed_by(needed_by).way_out(install)
        }
    };
    let found = clients.into_iter().map(client);
    found.chain((!conversions.is_empty()).then(|| of_conversions(conversions))).collect()
}

fn of_conversions(needed_by: Vec<String>) -> Finding {
    let missing = |wrong: String| {
        let finding = Finding::missing("Python").wrong(wrong).needed_by(needed_by);
        finding.way_out("apt-get install python3 python3-pip")
    };
    match python(&Cancel::never()) {
        Ok(python) if python.has_pip => {
            Finding::found("Python", format!("{} with pip, for models that are converted", python.version))
        }
        Ok(python) => missing(format!("`{}` has no pip", python.program.display())),
        Err(error) => missing(error.to_string()),
    }
}
