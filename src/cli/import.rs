//! `lp import`: a project from upstream's two files, and the current form of one.
//!
//! Files in the new project's folder stay as they are; others are copied, and
//! converted from an older form to the current one. Everything else in them is kept.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::{Global, ImportArgs};
use super::project::{color, directory, request};
use super::{Exit, console, init};
use crate::config::load::{LoadRequest, Loaded, Scope, load};
use crate::diag::codes;
use crate::diag::{Edit, apply};
use crate::diag::{FileId, Severity};
use crate::model::{Project, Step};
use crate::os;
use crate::text::counted;
use crate::workspace::error::{self, CommandError, Result};

pub(super) fn run(global: &Global, args: &ImportArgs) -> Result<Exit> {
    if let Some(file) = &args.rewrite {
        return rewrite(global, file);
    }
    if global.cameras.is_none() || global.workloads.is_none() {
        let hint = "`lp import --cameras FILE --workloads FILE [DIR]`";
        return Err(CommandError::refused("`lp import` needs both files").hint(hint));
    }
    let loaded = load(&LoadRequest { scope: Scope::Pair, ..request(global, &[])? });
    show(global, &loaded);
    let Some(project) = &loaded.project else {
        return Err(CommandError::refused(error::count(&loaded.diagnostics)));
    };

    let current = directory(global)?;
    let root = args.root.as_ref().map_or_else(|| current.clone(), |directory| current.join(directory));
    let mut files = Vec::new();
    let mut named = Vec::new();
    for ((path, file), default) in
        loaded.texts.iter().zip(["camera_to_workload.json", "workload_to_pipeline.json"])
    {
        let text = changed(&loaded, *file);
        named.push(match inside(&root, path) {
            Some(inside) => inside,
            None => {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(default);
                let target = format!("configs/{name}");
                // Two files from two folders may have one name.
                let target = if named.contains(&target) { format!("configs/{default}") } else { target };
                files.push((target.clone(), text.into_bytes()));
                target
            }
        });
    }
    let lpfile = format!(
        "# Every key has a default: see docs/configuration.md of lp.\n\n[project]\ncameras = {}\nworkloads = {}\n",
        quoted(&named[0]),
        quoted(&named[1])
    );
    files.insert(0, ("Lpfile.toml".to_owned(), lpfile.into_bytes()));
    init::make(&root, &files, "lp import")?;
    let cameras = counted(project.cameras.len(), "camera");
    let next = init::try_in(global, args.root.as_deref(), "lp build plan");
    console::note(&format!("made a project of {cameras}; {next}"));
    for (file, workload) in missing(&root, project) {
        console::note(&format!("note: `{file}` of the workload `{workload}` is missing: copy it"));
    }
    Ok(Exit::Done)
}

/// Prints the current form of one file.
fn rewrite(global: &Global, file: &Path) -> Result<Exit> {
    let base = LoadRequest { scope: Scope::Single, ..request(global, &[])? };
    let path = Some(base.dir.join(file));
    let as_cameras = LoadRequest { cameras: path.clone(), workloads: None, ..base.clone() };
    let mut loaded = load(&as_cameras);
    if loaded.diagnostics.sorted().iter().any(|diagnostic| diagnostic.code == codes::OTHER_FILE) {
        loaded = load(&LoadRequest { cameras: None, workloads: path, ..base });
    }
    show(global, &loaded);
    if loaded.diagnostics.has_errors() {
        return Err(CommandError::refused(error::count(&loaded.diagnostics)));
    }
    let (_, file) = loaded.texts.first().context("a file without faults was read")?;
    console::out(&changed(&loaded, *file));
    Ok(Exit::Done)
}

/// Prints all faults, except workloads that no camera uses.
fn show(global: &Global, loaded: &Loaded) {
    let mut found = loaded.diagnostics.clone();
    found.retain(|diagnostic| diagnostic.code != codes::UNUSED_WORKLOAD);
    if found.count(Severity::Error) + found.count(Severity::Warning) + found.count(Severity::Note) > 0 {
        console::note(found.render_human(&loaded.sources, color(global)).trim_end());
    }
}

/// The text of a file in the current form.
fn changed(loaded: &Loaded, file: FileId) -> String {
    let edits = loaded.diagnostics.edits().filter(|edit| edit.place().file == file);
    apply(loaded.sources.text(file), &edits.cloned().collect::<Vec<Edit>>())
}

/// The path of a file relative to `root`, if it is below it.
fn inside(root: &Path, path: &Path) -> Option<String> {
    let (root, path) = (os::fs::canonicalize(root).ok()?, os::fs::canonicalize(path).ok()?);
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    ::toml::Value::from(text).to_string()
}

/// Missing modules and scripts of the project, each with a workload that needs it.
fn missing<'p>(root: &Path, project: &'p Project) -> Vec<(&'p str, &'p str)> {
    let mut missing: Vec<(&str, &str)> = Vec::new();
    for workload in project.workloads.iter() {
        let files = workload.steps.iter().filter_map(|step| match step {
            Step::Python(python) => Some(python.module.as_str()),
            Step::Script(script) => Some(script.path.as_str()),
            _ => None,
        });
        for file in files.filter(|file| !os::fs::is_file(&root.join(PathBuf::from(file)))) {
            if missing.iter().all(|(known, _)| *known != file) {
                missing.push((file, &workload.name));
            }
        }
    }
    missing
}
