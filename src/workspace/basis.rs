//! Everything that tasks are made from: while it stays the same, the same request
//! gives the same tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::build::Build;
use super::inference::depends_on_worker;
use super::open::{METADATA, Workspace};
use super::tools;
use crate::config::load::included_files;
use crate::digest::ContentDigest;
use crate::graph::TaskId;
use crate::graph::task::Pool;
use crate::model::{LOCKFILE, WorkerCommand};
use crate::os;
use crate::os::fs::StatIdentity;
use crate::path::{Layout, ProjectPath};

/// Everything that tasks are made from, besides the request.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct Basis {
    /// The `lp` that made them.
    lp: String,
    /// The config files with their contents; `None` for a missing one.
    files: Vec<(PathBuf, Option<ContentDigest>)>,
    /// The patterns of `project.include` and of recipes, and the files that they matched.
    includes: Vec<(String, Vec<ProjectPath>)>,
    /// Names of variables that tasks take from the caller, and a digest of their values.
    passed: (BTreeSet<String>, ContentDigest),
    /// The worker's tools, if any task needs them, and its command.
    tools: Option<String>,
    /// The same, if the dialect of a camera depends on them.
    inference: Option<Option<String>>,
    worker: Option<WorkerCommand>,
    media: PathBuf,
    models: PathBuf,
    results: PathBuf,
    /// Videos outside the project.
    clips: BTreeMap<String, PathBuf>,
    /// Models of the user's that are used instead of downloads: a file of each.
    own_models: Vec<ProjectPath>,
    pub(super) pools: BTreeMap<String, u32>,
}

impl Basis {
    /// The basis of a project. `None` if its tools have changed since they were
    /// examined.
    pub(super) fn of(build: &Build<'_>, needed: &BTreeSet<TaskId>) -> Option<Basis> {
        let Workspace { project, files, includes, .. } = build.opened;
        let layout = &project.layout;
        let worker = project.settings.worker.clone();
        let needs_tools = needed.iter().any(|id| !build.graph.task(*id).factories.is_empty());
        let stamp = if needs_tools { tools::stamp_now(worker.as_ref(), &layout.root) } else { None };
        if needs_tools && (stamp.is_none() || build.tools.stamp != stamp) {
            return None;
        }
        let depends = depends_on_worker(project);
        let inference = depends.then(|| tools::stamp_now(worker.as_ref(), &layout.root));
        Some(Basis {
            lp: this_lp(),
            inference,
            files: files.iter().cloned().chain(naming_others(build, needed)).collect(),
            includes: includes.clone(),
            passed: passed(&project.tasks.iter().flat_map(|task| task.pass.iter().cloned()).collect()),
            tools: stamp,
            worker,
            media: layout.media.clone(),
            models: layout.models.clone(),
            results: layout.results.clone(),
            clips: layout.files.clone(),
            own_models: build.opened.adopted.iter().map(|adopted| adopted.path.clone()).collect(),
            pools: project.settings.pools.clone(),
        })
    }

    /// The same with these contents of `Lpfile.lock`.
    pub(super) fn set_lock(&mut self, content: ContentDigest) {
        for (path, known) in &mut self.files {
            if path.file_name().is_some_and(|name| name == LOCKFILE) {
                *known = Some(content);
            }
        }
    }

    /// Whether everything is as it was.
    pub(super) fn holds(&self, root: &Path) -> bool {
        self.now(root).as_ref() == Some(self)
    }

    /// Whether tasks are made as they were: by this `lp`, in these folders.
    pub(super) fn makes_the_same(&self, layout: &Layout) -> bool {
        self.lp == this_lp() && self.layout(&layout.root) == *layout
    }

    /// The same as it is now.
    fn now(&self, root: &Path) -> Option<Basis> {
        let files = self.files.iter().map(|(path, _)| Some((path.clone(), contents(path)?)));
        let layout = self.layout(root);
        let is_there = |path: &&ProjectPath| os::fs::metadata(&layout.resolve(path)).is_ok();
        let includes =
            self.includes.iter().map(|(pattern, _)| (pattern.clone(), included_files(root, pattern)));
        Some(Basis {
            lp: this_lp(),
            files: files.collect::<Option<_>>()?,
            includes: includes.collect(),
            passed: passed(&self.passed.0),
            tools: self.tools.as_ref().and_then(|_| tools::stamp_now(self.worker.as_ref(), root)),
            inference: self.inference.as_ref().map(|_| tools::stamp_now(self.worker.as_ref(), root)),
            worker: self.worker.clone(),
            media: self.media.clone(),
            models: self.models.clone(),
            results: self.results.clone(),
            clips: self.clips.clone(),
            own_models: self.own_models.iter().filter(|path| is_there(path)).cloned().collect(),
            pools: self.pools.clone(),
        })
    }

    pub(super) fn layout(&self, root: &Path) -> Layout {
        Layout {
            root: root.to_path_buf(),
            media: self.media.clone(),
            models: self.models.clone(),
            results: self.results.clone(),
            files: self.clips.clone(),
        }
    }
}

/// Files that tell which further ones tasks read: model-proc files, and `metadata.yaml` beside models,
/// which may come later.
fn naming_others(build: &Build<'_>, needed: &BTreeSet<TaskId>) -> Vec<(PathBuf, Option<ContentDigest>)> {
    let runs = needed.iter().map(|id| build.graph.task(*id)).filter(|task| task.pool == Pool::Exclusive);
    let layout = &build.opened.project.layout;
    let read = runs.flat_map(|task| &task.inputs).filter_map(|path| {
        let place = layout.resolve(path);
        match place.extension()?.to_str()? {
            "json" if build.graph.producer(path).is_none() => Some(place),
            "xml" | "onnx" | "tflite" => Some(place.with_file_name(METADATA)),
            _ => None,
        }
    });
    let read: BTreeSet<PathBuf> = read.collect();
    read.into_iter().filter_map(|place| Some((place.clone(), contents(&place)?))).collect()
}

/// The contents of a config file; `None` inside if there is none, outside if it
/// cannot be read.
fn contents(path: &Path) -> Option<Option<ContentDigest>> {
    match os::fs::hash_file(path) {
        Ok((content, _)) => Some(Some(content)),
        Err(error) if error.is_not_found() => Some(None),
        Err(_) => None,
    }
}

fn passed(names: &BTreeSet<String>) -> (BTreeSet<String>, ContentDigest) {
    let values: Vec<_> = names.iter().map(|name| (name, os::env::raw(name))).collect();
    (names.clone(), ContentDigest::of(format!("{values:?}").as_bytes()))
}

/// This `lp`: another one may make other tasks of the same files.
fn this_lp() -> String {
    let program = os::process::this_program().ok().and_then(|program| StatIdentity::read(&program).ok());
    format!("{} {program:?}", env!("CARGO_PKG_VERSION"))
}
