//! The quick way of `lp build`: with nothing to do, or little.
//!
//! A build that went its whole way leaves an image of its tasks behind
//! (`graph::image`), and what was to be seen of their files when they were
//! fresh. The next `lp build` of the same request checks that the image still
//! holds (the config files have the same contents, nothing else that tasks are
//! made of has changed), glances at all files, and is done if it sees what was
//! seen then: no config is read, no store opened, no key computed. Otherwise it
//! looks closer at the tasks whose files have changed and at those behind them.
//!
//! When tasks were edited, the config is read again. Of tasks that came out of it
//! as they are in the image, the engine then need not look at more than a glance
//! ([`recall`]).
//!
//! Whatever is out of the ordinary goes the whole way: a project that gets
//! warnings (they are to be printed), tasks that need the worker, an input that
//! nobody makes, another build in between.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::args::{BuildArgs, Global};
use super::console::{Announced, Console, JsonLines, Many};
use super::engine::{Build, ended, on_failure, pools, unwatched};
use super::journal::Journal;
use super::phases::Phases;
use super::{Exit, last, open, tools};
use crate::action::Actions;
use crate::config::load::{find_root, included_files};
use crate::digest::ContentDigest;
use crate::engine::events::Progress;
use crate::engine::{Engine, EngineError, Facts, Warm};
use crate::graph::alias::Aliases;
use crate::graph::image::{self, Image, Seen};
use crate::graph::{TaskGraph, TaskId, link};
use crate::model::WorkerCommand;
use crate::os;
use crate::os::fs::{Glance, StatIdentity};
use crate::os::lock::Unheld;
use crate::os::process::Cancel;
use crate::os::signal::cancel_on_signals;
use crate::path::{Layout, ProjectPath};
use crate::record::Host;
use crate::store::Store;

/// How many images are kept: one per request, `lp build plan` beside `lp build`.
const KEPT: usize = 8;

/// With more than this share of all tasks to look at, reading the config files
/// again costs little beside it.
const MANY: usize = 2;

/// What tasks are made of, besides the request.
#[derive(PartialEq, Serialize, Deserialize)]
struct Basis {
    /// Which `lp` made them.
    lp: String,
    /// The config files with their contents; `None` where there was none.
    files: Vec<(PathBuf, Option<ContentDigest>)>,
    /// The patterns of `project.include` and what they stood for.
    includes: Vec<(String, Vec<ProjectPath>)>,
    /// Names of variables that tasks take from the caller, and a digest of their values.
    passed: (BTreeSet<String>, ContentDigest),
    /// The worker's tools, if any task needs them, and how it is started.
    tools: Option<String>,
    worker: Option<WorkerCommand>,
    media: PathBuf,
    models: PathBuf,
    results: PathBuf,
    pools: BTreeMap<String, u32>,
}

impl Basis {
    /// The same as it is now.
    fn now(&self, root: &Path) -> Option<Basis> {
        let files = self.files.iter().map(|(path, _)| Some((path.clone(), contents(path)?)));
        let includes =
            self.includes.iter().map(|(pattern, _)| (pattern.clone(), included_files(root, pattern)));
        Some(Basis {
            lp: lp(),
            files: files.collect::<Option<_>>()?,
            includes: includes.collect(),
            passed: passed(&self.passed.0),
            tools: self.tools.as_ref().and_then(|_| tools::stamp_now(self.worker.as_ref(), root)),
            worker: self.worker.clone(),
            media: self.media.clone(),
            models: self.models.clone(),
            results: self.results.clone(),
            pools: self.pools.clone(),
        })
    }

    fn layout(&self, root: &Path) -> Layout {
        Layout {
            root: root.to_path_buf(),
            media: self.media.clone(),
            models: self.models.clone(),
            results: self.results.clone(),
        }
    }
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
fn lp() -> String {
    let program = os::process::this_program().ok().and_then(|program| StatIdentity::read(&program).ok());
    format!("{} {program:?}", env!("CARGO_PKG_VERSION"))
}

/// The images of a request: the path without its ending, and the project's root.
fn place(global: &Global, args: &BuildArgs) -> Option<(PathBuf, PathBuf)> {
    let current = os::env::current_dir().ok()?;
    let directory = open::directory(global).ok()?;
    let root = find_root(&directory)?;
    let overrides: BTreeMap<String, String> =
        os::env::all().into_iter().filter(|(name, _)| name.starts_with("LP_SET_")).collect();
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(|path| current.join(path));
    let request = (
        &root,
        (absolute(&global.cameras), absolute(&global.workloads), &global.profile, &global.sets),
        overrides,
        &args.targets,
    );
    let name = ContentDigest::of(format!("{request:?}").as_bytes()).short();
    Some((root.join(".lpcache").join("graph").join(name), root))
}

fn image_path(place: &Path) -> PathBuf {
    place.with_extension("tasks")
}

fn seen_path(place: &Path) -> PathBuf {
    place.with_extension("seen")
}

/// How far the quick way led.
pub(super) enum Quick {
    /// To the end.
    Done(Exit),
    /// Nowhere: nothing has been printed or done.
    Impossible,
    /// It was announced, and nothing else was done: another build came in between.
    Overtaken,
}

/// Builds the quick way, if that is possible.
///
/// # Errors
/// When `lp` itself cannot go on.
pub(super) fn build(global: &Global, args: &BuildArgs) -> anyhow::Result<Quick> {
    Ok(try_build(global, args)?.unwrap_or(Quick::Impossible))
}

fn try_build(global: &Global, args: &BuildArgs) -> anyhow::Result<Option<Quick>> {
    let phases = Phases::new();
    let Some((place, root)) = place(global, args) else { return Ok(None) };
    let Some(image) = Image::open(&image_path(&place)) else { return Ok(None) };
    let Ok(basis) = serde_json::from_slice::<Basis>(&image.basis) else { return Ok(None) };
    if basis.now(&root).as_ref() != Some(&basis) {
        return Ok(None);
    }
    let layout = basis.layout(&root);
    let since = Unheld::look(&root.join(".lpcache/lock"));
    let mut seen = Seen::read(&seen_path(&place), &image);
    if !knows_reasons(&seen, &root) {
        return Ok(None);
    }
    let glances = glances(&image, &layout);
    let changed: Vec<usize> = (0..image.n_tasks())
        .filter(|task| {
            let of_task = image.paths_of(*task).iter().map(|path| &glances[*path as usize]);
            seen.prints[*task] != Some(Glance::of_all(of_task).print)
        })
        .collect();
    drop(glances);
    let cone = image.with_dependents(&changed);
    if cone.len() > image.n_tasks() / MANY && cone.len() > 100 {
        return Ok(None);
    }
    let Some(graph) = graph_of(&image, &cone, &layout) else { return Ok(None) };
    tracing::debug!("looking at {} of {} tasks", cone.len(), image.n_tasks());
    let all: BTreeSet<TaskId> = graph.order().iter().copied().collect();

    let mut human = Console::new(image.widest);
    if !args.json && !cone.is_empty() {
        human = human.live();
    }
    let json = JsonLines::new(Announced::No);
    let shown: &dyn Progress = if args.json { &json } else { &human };
    let journal = Journal::new(&graph, &phases);
    let progress = Many(vec![shown, &journal]);
    let cancel = if cone.is_empty() { Cancel::never() } else { cancel_on_signals()? };
    let store = if cone.is_empty() { Store::unread(layout.clone()) } else { Store::open(layout.clone())? };
    let none = Host { facts: BTreeMap::new() };
    // Whatever plays goes the whole way.
    let passwords = BTreeMap::new();
    let actions =
        Actions { worker: Err(String::new()), host: none, watch: &unwatched, passwords: &passwords };
    let engine = Engine::new(&graph, &store, &layout, &actions, |_| Facts::default())
        .watched_by(&progress)
        .stopped_by(&cancel)
        .in_pools(pools(args.jobs, &basis.pools))
        .on_failure(on_failure(args));
    let warm = Warm::Elsewhere { n_fresh: image.n_tasks() - cone.len(), since };
    let built = engine.build(&all, &warm);
    last::keep(&store, &journal);
    let built = match built {
        Err(EngineError::Overtaken) => return Ok(Some(Quick::Overtaken)),
        built => built?,
    };
    if !cone.is_empty() {
        for task in &cone {
            seen.prints[*task] = None;
        }
        // Ids of the graph are positions in the cone.
        for (id, print) in &built.glances {
            seen.prints[cone[id.index()]] = Some(*print);
        }
        seen.log = log_now(&root);
        write_seen(&place, &seen);
    }
    Ok(Some(Quick::Done(ended(args, &human, &built.summary))))
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
    let needs_more = |task: &crate::graph::task::Task| task.measures() || !task.factories.is_empty();
    if graph.tasks().iter().any(needs_more) {
        return None;
    }
    // Whoever complains about a missing file says where it is declared.
    let mut inputs = graph.tasks().iter().flat_map(|task| &task.inputs);
    let is_missing = |path: &ProjectPath| graph.producer(path).is_none() && !layout.resolve(path).exists();
    if inputs.any(is_missing) { None } else { Some(graph) }
}

/// Leaves an image behind for the next build of this request. That it cannot be
/// written is no fault: the next build goes the whole way.
pub(super) fn remember(
    global: &Global,
    args: &BuildArgs,
    build: &Build<'_>,
    needed: &BTreeSet<TaskId>,
    fresh: &BTreeMap<TaskId, u128>,
) {
    let opened = build.opened;
    let Some((place, root)) = place(global, args) else { return };
    if !opened.is_clean.get() {
        return;
    }
    let project = &opened.project;
    let needs_tools = needed.iter().any(|id| !build.graph.task(*id).factories.is_empty());
    let worker = project.settings.worker.clone();
    let stamp = if needs_tools { tools::stamp_now(worker.as_ref(), &root) } else { None };
    if needs_tools && (stamp.is_none() || build.tools.stamp != stamp) {
        return;
    }
    let layout = &project.layout;
    let basis = Basis {
        lp: lp(),
        files: opened.files.clone(),
        includes: opened.includes.clone(),
        passed: passed(&project.tasks.iter().flat_map(|task| task.pass.iter().cloned()).collect()),
        tools: stamp,
        worker,
        media: layout.media.clone(),
        models: layout.models.clone(),
        results: layout.results.clone(),
        pools: project.settings.pools.clone(),
    };
    let Ok(basis) = serde_json::to_vec(&basis) else { return };
    let bytes = image::encode(build.graph, needed, &basis);
    let path = image_path(&place);
    if os::fs::create_parent(&path).and_then(|()| os::fs::replace_unsynced(&path, &bytes)).is_err() {
        return;
    }
    let Some(image) = Image::open(&path) else { return };
    let mut seen = Seen::nothing(&image);
    let in_order = build.graph.order().iter().filter(|id| needed.contains(id));
    for (print, id) in seen.prints.iter_mut().zip(in_order) {
        *print = fresh.get(id).copied();
    }
    seen.log = log_now(&root);
    write_seen(&place, &seen);
    forget_the_oldest(&place);
}

/// What an earlier build of this request saw of the files of those tasks that it
/// found fresh, by their ids now. Not of those that it had other facts about than
/// an image holds.
pub(super) fn recall(
    global: &Global,
    args: &BuildArgs,
    build: &Build<'_>,
    needed: &BTreeSet<TaskId>,
) -> HashMap<TaskId, u128> {
    let recalled = || {
        let (place, root) = place(global, args)?;
        let image = Image::open(&image_path(&place))?;
        let basis: Basis = serde_json::from_slice(&image.basis).ok()?;
        let seen = Seen::read(&seen_path(&place), &image);
        let still_holds = basis.lp == lp()
            && basis.layout(&root) == build.opened.project.layout
            && knows_reasons(&seen, &root);
        if !still_holds {
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
    };
    let recalled: HashMap<TaskId, u128> = recalled().unwrap_or_default();
    tracing::debug!("{} of {} tasks are known", recalled.len(), needed.len());
    recalled
}

/// Whoever has emptied, mended or lost the log has lost reasons as well.
fn knows_reasons(seen: &Seen, root: &Path) -> bool {
    let (inode, length) = log_now(root);
    inode == seen.log.0 && length >= seen.log.1
}

/// Inode and length of the log.
fn log_now(root: &Path) -> (u64, u64) {
    let identity = StatIdentity::read(&root.join(".lpcache/log"));
    identity.map_or((0, 0), |identity| (identity.inode, identity.size))
}

fn write_seen(place: &Path, seen: &Seen) {
    let path = seen_path(place);
    if os::fs::replace_unsynced(&path, &seen.bytes()).is_err() {
        // An older one would not be wrong, only of less use.
        let _ = os::fs::remove(&path);
    }
}

/// Keeps the newest images.
fn forget_the_oldest(place: &Path) {
    let Some(folder) = place.parent() else { return };
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
