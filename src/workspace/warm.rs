//! Files that a build saves for the next one of the same request, so that a build
//! with nothing or little to do is quick.
//!
//! A complete build saves an image of its tasks (`graph::image`), and glances at the
//! files of the fresh ones. The next `lp build` of the same request checks that the
//! image still holds (the config files and everything else that tasks are made of
//! are unchanged), glances at all files, and is done if the glances are the same: no
//! config is read, no store opened, no key computed. Otherwise it looks closer at the
//! tasks whose files have changed and at those after them ([`Memo::changed`]).
//!
//! After an edit of tasks, the config is read again. For tasks that are the same as
//! in the image, the engine then needs only a glance ([`Memo::recall`]).
//!
//! Special cases take the complete build: a project with warnings (they are to be
//! printed), tasks that need the worker, a missing input, another build in between.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Mutex;

use rayon::prelude::*;

use super::basis::Basis;
use super::build::{Build, pools, unwatched};
use super::error::Result;
use super::lockfile::Recorded;
use crate::action::{Fetching, LocalHost};
use crate::config::load::{LoadRequest, find_root};
use crate::digest::ContentDigest;
use crate::engine::{Engine, Warm};
use crate::graph::alias::Aliases;
use crate::graph::image::{self, FreshGlances, Image};
use crate::graph::task::Task;
use crate::graph::{TaskGraph, TaskId, link};
use crate::model::{Density, Limits, Password, SceneFile};
use crate::name::Slug;
use crate::os;
use crate::os::fs::{Glance, StatIdentity};
use crate::os::lock::FreeLock;
use crate::path::{Layout, ProjectPath};
use crate::record::Host;
use crate::store::Store;

/// How many images are kept: one per request, `lp build plan` beside `lp build`.
const KEPT: usize = 8;

/// With more than this share of all tasks to look at, reading the config files
/// again costs little beside it.
const MANY: usize = 2;

/// Of a build that plays nothing.
static NO_PASSWORDS: BTreeMap<Slug, Password> = BTreeMap::new();
/// As [`NO_PASSWORDS`].
static NO_SCENES: BTreeMap<String, SceneFile> = BTreeMap::new();

/// The files in which the builds of one request remember their tasks.
pub(crate) struct Memo {
    root: PathBuf,
    path: PathBuf,
}

/// The tasks to look at since the last build of the same request: those whose files
/// have changed, and those after them.
pub(crate) struct ChangedTasks {
    pub(crate) graph: TaskGraph,
    /// All tasks of the graph.
    pub(crate) all: BTreeSet<TaskId>,
    /// That the others are fresh.
    pub(crate) warm: Warm,
    /// The length of the longest label, of the others too.
    pub(crate) widest: usize,
    layout: Layout,
    pools: BTreeMap<String, u32>,
    seen: FreshGlances,
    /// The positions of the tasks in the image, in the order of their ids.
    cone: Vec<usize>,
}

impl Memo {
    /// Of a request to build these targets; `None` without a project.
    pub(crate) fn of(request: &LoadRequest, targets: &[String]) -> Option<Memo> {
        let root = find_root(&request.dir)?;
        let LoadRequest { dir, cameras, workloads, profile, sets, env, .. } = request;
        // A target may be a file relative to the current folder.
        let dir = (!targets.is_empty()).then_some(dir);
        let overrides: BTreeMap<&String, &String> = env
            .iter()
            .filter(|(name, _)| name.starts_with("LP_SET_"))
            .map(|(name, value)| (name, value))
            .collect();
        let all = (&root, (cameras, workloads, profile, sets), overrides, (dir, targets));
        let name = ContentDigest::of(format!("{all:?}").as_bytes()).short();
        let path = Layout::new(root.clone()).cache().join("graph").join(name);
        Some(Memo { root, path })
    }

    fn image(&self) -> PathBuf {
        self.path.with_extension("tasks")
    }

    fn seen(&self) -> PathBuf {
        self.path.with_extension("seen")
    }

    /// The tasks to look at now. `None` if a complete build is needed.
    pub(crate) fn changed(&self) -> Option<ChangedTasks> {
        let root = &self.root;
        let image = Image::open(&self.image())?;
        let basis = serde_json::from_slice::<Basis>(&image.basis).ok()?;
        if !basis.holds(root) {
            return None;
        }
        let layout = basis.layout(root);
        let since = FreeLock::look(&layout.cache().join("lock"));
        let seen = FreshGlances::read(&self.seen(), &image);
        if !knows_reasons(&seen, &layout) {
            return None;
        }
        let glances = glances(&image, &layout);
        let changed: Vec<usize> = (0..image.n_tasks())
            .filter(|task| {
                let of_task = image.paths_of(*task).iter().map(|path| &glances[*path as usize]);
                seen.prints[*task] != Some(Glance::of_all(of_task).print)
            })
            .collect();
        let cone = image.with_dependents(&changed);
        if cone.len() > image.n_tasks() / MANY && cone.len() > 100 {
            return None;
        }
        let graph = graph_of(&image, &cone, &layout)?;
        tracing::debug!("looking at {} of {} tasks", cone.len(), image.n_tasks());
        let all = graph.order().iter().copied().collect();
        let warm = Warm::Elsewhere { n_fresh: image.n_tasks() - cone.len(), since };
        Some(ChangedTasks { graph, all, warm, widest: image.widest, layout, pools: basis.pools, seen, cone })
    }

    /// Remembers the tasks of a [`ChangedTasks`] that are fresh after all.
    pub(crate) fn update(&self, mut changed: ChangedTasks, fresh: &BTreeMap<TaskId, u128>) {
        if changed.is_nothing() {
            return;
        }
        for task in &changed.cone {
            changed.seen.prints[*task] = None;
        }
        // Ids of the graph are positions in the cone.
        for (id, print) in fresh {
            changed.seen.prints[changed.cone[id.index()]] = Some(*print);
        }
        changed.seen.log = log_now(&changed.layout);
        self.write_seen(&changed.seen);
    }

    /// Saves an image for the next build of this request. A failure is no error: the
    /// next build is a complete one.
    ///
    /// Entries that this build has written into `Lpfile.lock` make no task stale, so the next
    /// one may already see them.
    pub(crate) fn remember(
        &self,
        build: &Build<'_>,
        needed: &BTreeSet<TaskId>,
        fresh: &BTreeMap<TaskId, u128>,
        recorded: &Recorded,
    ) {
        let Some(mut basis) = Basis::of(build, needed) else { return };
        if let Recorded::Written { content, .. } = recorded {
            basis.set_lock(*content);
        }
        let Ok(basis) = serde_json::to_vec(&basis) else { return };
        let bytes = image::encode(build.graph, needed, &basis);
        let path = self.image();
        if os::fs::create_parent(&path).and_then(|()| os::fs::replace_unsynced(&path, &bytes)).is_err() {
            return;
        }
        let Some(image) = Image::open(&path) else { return };
        let mut seen = FreshGlances::nothing(&image);
        let in_order = build.graph.order().iter().filter(|id| needed.contains(id));
        for (print, id) in seen.prints.iter_mut().zip(in_order) {
            *print = fresh.get(id).copied();
        }
        seen.log = log_now(&build.opened.project.layout);
        self.write_seen(&seen);
        self.forget_the_oldest();
    }

    /// The glances of an earlier build of this request at the files of its fresh tasks,
    /// by their current ids. Not of tasks that depend on facts outside the image.
    pub(crate) fn recall(&self, build: &Build<'_>, needed: &BTreeSet<TaskId>) -> Warm {
        let recalled: HashMap<TaskId, u128> = self.prints(build, needed).unwrap_or_default();
        tracing::debug!("{} of {} tasks are known", recalled.len(), needed.len());
        Warm::Seen(recalled)
    }

    fn prints(&self, build: &Build<'_>, needed: &BTreeSet<TaskId>) -> Option<HashMap<TaskId, u128>> {
        let image = Image::open(&self.image())?;
        let basis: Basis = serde_json::from_slice(&image.basis).ok()?;
        let layout = &build.opened.project.layout;
        let seen = FreshGlances::read(&self.seen(), &image);
        if !basis.makes_the_same(layout) || !knows_reasons(&seen, layout) {
            return None;
        }
        let prints: HashMap<u128, u128> = image
            .identities
            .into_iter()
            .zip(seen.prints)
            .filter_map(|(id, print)| Some((id, print?)))
            .collect();
        let prints_of = needed.par_iter().filter_map(|id| {
            let task = build.graph.task(*id);
            let is_whole = task.factories.is_empty() && !task.measures();
            Some((*id, *prints.get(&image::identity(task)).filter(|_| is_whole)?))
        });
        Some(prints_of.collect())
    }

    fn write_seen(&self, seen: &FreshGlances) {
        let path = self.seen();
        if os::fs::replace_unsynced(&path, &seen.bytes()).is_err() {
            // An older file would not be wrong, only less useful.
            let _ = os::fs::remove(&path);
        }
    }

    /// Keeps the newest images.
    fn forget_the_oldest(&self) {
        let Some(folder) = self.path.parent() else { return };
        let names = os::fs::list_names(folder).unwrap_or_default();
        let mut images: Vec<(i64, PathBuf)> = names
            .iter()
            .filter(|name| name.ends_with(".tasks"))
            .map(|name| folder.join(name))
            .filter_map(|path| Some((StatIdentity::read(&path).ok()?.mtime_ns, path)))
            .collect();
        images.sort();
        for (_, path) in images.iter().rev().skip(KEPT) {
            let _ = os::fs::remove(&path.with_extension("seen"));
            let _ = os::fs::remove(path);
        }
    }
}

impl ChangedTasks {
    /// Whether all tasks are fresh.
    pub(crate) fn is_nothing(&self) -> bool {
        self.cone.is_empty()
    }

    /// The store; not read if nothing is looked up in it.
    pub(crate) fn store(&self) -> Result<Store> {
        let layout = self.layout.clone();
        Ok(if self.is_nothing() { Store::unread(layout) } else { Store::open(layout)? })
    }

    /// What performs the tasks, none of which plays or measures anything.
    pub(crate) fn host(&self) -> LocalHost<'static> {
        LocalHost {
            worker: Err(String::new()),
            machine: None,
            plugin_files: BTreeMap::new(),
            fingerprint: Host { facts: BTreeMap::new() },
            watch: &unwatched,
            passwords: &NO_PASSWORDS,
            cameras: &[],
            scenes: &NO_SCENES,
            earlier: Box::new(|_, _| Vec::new()),
            run_by_id: Box::new(|_| None),
            limits: Limits::default(),
            thresholds: Vec::new(),
            searches: Box::new(|_, _, _| None),
            density: Density::default(),
            required: Vec::new(),
            provenance: Box::new(|_| None),
            fetching: Fetching::default(),
            environments: Mutex::new(()),
            tag: None,
            traced: false,
        }
    }

    pub(crate) fn engine<'e>(
        &'e self,
        store: &'e Store,
        host: &'e LocalHost<'e>,
        jobs: Option<u32>,
    ) -> Engine<'e> {
        Engine::new(&self.graph, store, &self.layout, host).in_pools(pools(jobs, &self.pools))
    }
}

fn glances(image: &Image, layout: &Layout) -> Vec<Glance> {
    let nowhere = Glance { print: 0, is_racy: false };
    let at = |path| image.path(path).map_or(nowhere, |path| Glance::at(&layout.resolve(&path)));
    // A thread costs as much as a hundred glances.
    if image.n_paths() < 500 {
        return (0..image.n_paths()).map(at).collect();
    }
    (0..image.n_paths()).into_par_iter().map(at).collect()
}

/// The tasks to look at, if they can be looked at here.
fn graph_of(image: &Image, cone: &[usize], layout: &Layout) -> Option<TaskGraph> {
    let tasks = image.tasks(cone).ok()?;
    let aliases = Aliases::find(layout, &tasks);
    let graph = link::link_by(tasks, aliases).ok()?;
    // Only a complete build finds out whose file is in the place of a download.
    let needs_more = |task: &Task| {
        let brings_files = task.is_download() || task.brings_model();
        task.measures() || !task.factories.is_empty() || brings_files
    };
    if graph.tasks().iter().any(needs_more) {
        return None;
    }
    // The report of a missing file needs the place of its declaration.
    let mut inputs = graph.tasks().iter().flat_map(|task| &task.inputs);
    let is_missing = |path: &ProjectPath| graph.producer(path).is_none() && !layout.resolve(path).exists();
    if inputs.any(is_missing) { None } else { Some(graph) }
}

/// Whether the log still has the reasons: it may have been emptied, repaired or lost.
fn knows_reasons(seen: &FreshGlances, layout: &Layout) -> bool {
    let (inode, length) = log_now(layout);
    inode == seen.log.0 && length >= seen.log.1
}

/// Inode and length of the log.
fn log_now(layout: &Layout) -> (u64, u64) {
    let identity = StatIdentity::read(&layout.cache().join("log"));
    identity.map_or((0, 0), |identity| (identity.inode, identity.size))
}
