//! From flags to an opened project. The number of warnings is printed on the way.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context;

use super::args::{FetchArgs, Global};
use super::console::{self, Volume};
use crate::action::Fetching;
use crate::config::load::{LPFILE, LoadRequest, Loaded, Scope, find_root, load};
use crate::engine::Engine;
use crate::graph::lower::Subject;
use crate::graph::{TaskGraph, TaskId};
use crate::model::LOCKFILE;
use crate::os;
use crate::path::{Layout, shown};
use crate::text::{harmless, some_names};
use crate::workspace::build::Build;
use crate::workspace::error::{self, CommandError, Result};
use crate::workspace::lockfile::Recorded;
use crate::workspace::open::Workspace;

/// The directory that `lp` works in.
pub(super) fn directory(global: &Global) -> Result<PathBuf> {
    let current = os::env::current_dir().context("failed to find the current directory")?;
    let Some(directory) = &global.directory else { return Ok(current) };
    let directory = current.join(directory);
    let shown = |path: &PathBuf| harmless(&path.to_string_lossy()).into_owned();
    // As the current directory of a process, it has no `..` and no links, so that
    // paths below it can be compared.
    match os::fs::canonicalize(&directory) {
        Ok(found) if found.is_dir() => Ok(found),
        Ok(found) => Err(CommandError::refused(format!("`-C`: `{}` is no folder", shown(&found)))),
        Err(error) => {
            let cause = match error.source.kind() {
                std::io::ErrorKind::NotFound => String::new(),
                _ => format!(": {}", error.source),
            };
            let fault = format!("`-C`: there is no folder `{}`{cause}", shown(&directory));
            Err(CommandError::refused(fault))
        }
    }
}

/// The folder with the store of the project that `lp` works in: that of its
/// `Lpfile.toml` or, of a project without one, the current folder.
pub(super) fn store_root(global: &Global) -> Result<PathBuf> {
    let here = directory(global)?;
    if let Some(root) = find_root(&here) {
        return Ok(root);
    }
    if Layout::new(here.clone()).cache().is_dir() {
        return Ok(here);
    }
    let fault = format!("there is no `{LPFILE}` in `{}` or above, and no store here", here.display());
    Err(CommandError::refused(fault).hint("name the project's folder with `-C DIR`"))
}

/// The project's folders, or the default ones if its config has errors. They decide
/// which blobs the project also has as files.
pub(super) fn store_layout(global: &Global) -> Result<Layout> {
    let root = store_root(global)?;
    if find_root(&root).is_none() {
        return Ok(Layout::new(root));
    }
    if let Some(project) = read(global, &[])?.project {
        return Ok(project.layout);
    }
    console::note("warning: the config has errors (see `lp check`); `[paths]` are ignored");
    Ok(Layout::new(root))
}

/// Reads the config files of `global`, with more `--set`s after the user's.
pub(super) fn read(global: &Global, more_sets: &[String]) -> Result<Loaded> {
    Ok(load(&request(global, more_sets)?))
}

/// Where downloads come from. Refuses a folder of `--vendor` that does not exist.
pub(super) fn fetching(args: &FetchArgs) -> Result<Fetching> {
    let FetchArgs { locked, offline, vendor } = args;
    let current = os::env::current_dir().context("failed to find the current directory")?;
    let vendor = vendor.as_ref().map(|folder| current.join(folder));
    if let Some(folder) = vendor.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(CommandError::refused(format!("`--vendor`: there is no folder `{}`", shown(folder))));
    }
    Ok(Fetching { vendor, offline: *offline, locked: *locked })
}

/// Writes `Lpfile.lock` at the end of a build, and says so.
pub(super) fn record_downloads(
    build: &Build<'_>,
    engine: &Engine<'_>,
    needed: &BTreeSet<TaskId>,
) -> Recorded {
    let recorded = build.record_downloads(engine, needed);
    match &recorded {
        Recorded::Nothing => {}
        Recorded::Written { names, .. } => {
            let has = if names.len() == 1 { "has an entry" } else { "has entries" };
            console::note(&format!("note: `{LOCKFILE}` {has} for {} now: commit it", some_names(names)));
        }
        Recorded::Failed(error) => {
            console::note(&format!("note: `{LOCKFILE}` gets no entries for new downloads: {error:#}"));
        }
    }
    recorded
}

/// The request to read the files of `global`.
pub(super) fn request(global: &Global, more_sets: &[String]) -> Result<LoadRequest> {
    let current = os::env::current_dir().context("failed to find the current directory")?;
    // `--cameras` and `--workloads` are relative to the current directory.
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(|path| current.join(path));
    Ok(LoadRequest {
        dir: directory(global)?,
        cameras: absolute(&global.cameras),
        workloads: absolute(&global.workloads),
        profile: global.profile.clone(),
        sets: global.sets.iter().chain(more_sets).cloned().collect(),
        scope: Scope::Project,
        env: os::env::all(),
    })
}

/// Reads a project, and refuses it if it has errors.
pub(super) fn open(global: &Global, more_sets: &[String]) -> Result<Workspace> {
    accept(read(global, more_sets)?, "lp check")
}

/// Takes a project that was read, and refuses it if it has errors. Names the files that
/// are used instead of downloads. `check` is the
/// command that shows its warnings and notes, which no other command does.
pub(super) fn accept(loaded: Loaded, check: &str) -> Result<Workspace> {
    adopting(accept_as_written(loaded, check)?.adopting()?)
}

/// Reads a project whose clips are streamed by this `lp`, and refuses it if it has errors.
pub(super) fn open_to_serve(global: &Global) -> Result<Workspace> {
    let loaded = read(global, &["run.source=rtsp".to_owned()])?;
    adopting(accept_as_written(loaded, "lp check")?.adopting_to_serve()?)
}

fn adopting(opened: Workspace) -> Result<Workspace> {
    let notes: Vec<String> = opened.adopted.iter().filter_map(|adopted| adopted.note.clone()).collect();
    console::notes(&notes);
    Ok(opened)
}

/// As [`accept`], without a look for files in the places of downloads.
pub(super) fn accept_as_written(loaded: Loaded, check: &str) -> Result<Workspace> {
    let opened = Workspace::new(loaded)?;
    let warnings = error::warnings(&opened.diagnostics, check);
    if let Some(warnings) = warnings.filter(|_| console::volume() > Volume::Quiet) {
        console::note(&warnings);
    }
    Ok(opened)
}

/// The graph with the tasks of these runs.
pub(super) fn graph(opened: &Workspace, subjects: &[Subject]) -> Result<TaskGraph> {
    let (tasks, notes) = opened.tasks(subjects);
    console::notes(&notes);
    opened.link(tasks)
}
