//! `lp cache key`: the name for a saved store.
//!
//! The key is a digest of all tasks that measure nothing, and of the files that
//! they read and no task makes. So it stays the same in every checkout while a build
//! has nothing new to do; comments and layout of configs do not change it. It needs
//! no store, no worker and no download.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;

use crate::cli::args::Global;
use crate::cli::project::{accept_as_written, read};
use crate::cli::{Exit, console};
use crate::digest::ContentDigest;
use crate::graph::lower::{Lowering, lower};
use crate::graph::task::Task;
use crate::model::Project;
use crate::os::fs;
use crate::os::tree::Listing;
use crate::path::ProjectPath;
use crate::store::FORMAT;
use crate::workspace::error::Result;

pub(super) fn run(global: &Global, json: bool) -> Result<Exit> {
    // In a checkout that has no store yet, a file in `media/` would be the user's.
    let opened = accept_as_written(read(global, &[])?, "lp check")?;
    // Without the caller's environment, which differs from machine to machine.
    let lowered = lower(&Lowering {
        project: &opened.project,
        lane: opened.lane(),
        subjects: &[],
        variable: &|_| None,
        parts: &|_| Vec::new(),
    });
    let digest = digest(&opened.project, &lowered.tasks);
    let (prefix, digest) = (prefix(), &digest.to_hex()[..16]);
    let key = format!("{prefix}{digest}");
    console::out(&match json {
        true => format!("{:#}\n", json!({ "version": 1, "key": key, "prefix": prefix })),
        false => format!("{key}\n"),
    });
    Ok(Exit::Done)
}

/// The prefix of all keys of this kind of machine.
fn prefix() -> String {
    format!("lp-{FORMAT}-{}-{}-", std::env::consts::OS, std::env::consts::ARCH)
}

fn digest(project: &Project, tasks: &[Task]) -> ContentDigest {
    let made: HashSet<&str> = tasks.iter().flat_map(|task| &task.outputs).map(ProjectPath::as_str).collect();
    let is_made = |path: &ProjectPath| {
        let path = path.as_str();
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        folders.chain([path]).any(|path| made.contains(path))
    };
    let sources: BTreeSet<&ProjectPath> =
        tasks.iter().flat_map(|task| &task.inputs).filter(|path| !is_made(path)).collect();
    let sources: Vec<_> = sources.into_iter().map(|path| (path, content(project, path))).collect();
    let mut tasks: Vec<_> = tasks
        .iter()
        .map(|task| {
            json!({ "label": task.label, "action": task.action, "inputs": task.inputs, "outputs": task.outputs })
                .to_string()
        })
        .collect();
    // The order of tables and cameras does not change the key.
    tasks.sort();
    ContentDigest::of(json!({ "tasks": tasks, "sources": sources }).to_string().as_bytes())
}

/// The digest of a file or folder; `None` if it is missing or cannot be read.
fn content(project: &Project, path: &ProjectPath) -> Option<ContentDigest> {
    let place = project.layout.resolve(path);
    let hash = |path: &std::path::Path| fs::hash_file(path).map(|(content, _)| content);
    if place.is_dir() {
        Listing::read(&place, &hash).ok().map(|listing| listing.digest())
    } else {
        hash(&place).ok()
    }
}
