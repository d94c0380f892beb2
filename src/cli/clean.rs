//! `lp clean`: deletes files of the project that `lp` made and can make again.
//!
//! A file is deleted only if its contents are those that the log says `lp` made at its
//! path. Records of runs are never deleted, nor files that tasks read and none makes. The
//! store keeps all contents, so that `lp build` restores them.

use std::collections::BTreeSet;

use serde_json::json;

use super::args::{CleanArgs, Global};
use super::cache::lock;
use super::size::size_text;
use super::{Exit, console, project};
use crate::graph::{TaskGraph, select};
use crate::os;
use crate::os::usage::Usage;
use crate::path::{Layout, ProjectPath};
use crate::store::attempt::{Attempt, OutputEntry};
use crate::store::{Store, made};
use crate::text::counted;
use crate::workspace::error::Result;
use crate::workspace::open::Workspace;

/// The kinds of tasks that are `lp`'s own: their files are deleted although the project
/// has no such task any more.
const OWN: [&str; 7] = ["plan:", "download:", "convert:", "generate:", "transcode:", "benchmark:", "report:"];

pub(super) fn run(global: &Global, args: &CleanArgs) -> Result<Exit> {
    let opened = project::open(global, &[])?;
    let graph = project::graph(&opened, &opened.subjects(&args.targets))?;
    let made = Made::of(&opened, &graph, &args.targets)?;
    let store = Store::open(opened.project.layout.clone())?;
    let found = if args.dry_run || !store.root().is_dir() {
        look(&opened, &store, &made)?
    } else {
        let lock = lock(&store)?;
        store.reload()?;
        let found = look(&opened, &store, &made)?;
        for file in &found.deleted {
            os::fs::remove(&opened.project.layout.resolve(&file.path))?;
        }
        drop(lock);
        found
    };
    show(args, &opened, &found);
    Ok(Exit::Done)
}

/// The tasks whose files are meant.
struct Made {
    /// Labels of targets, or of all tasks.
    labels: BTreeSet<String>,
    /// Whether tasks that the project no longer has are meant as well.
    with_former: bool,
    /// Files that tasks read and none makes.
    sources: BTreeSet<ProjectPath>,
}

impl Made {
    fn of(opened: &Workspace, graph: &TaskGraph, targets: &[String]) -> Result<Made> {
        let all = graph.order().iter().copied().collect();
        let sources = select::sources(graph, &all).map(|(task, n)| task.inputs[n].clone()).collect();
        let wanted = if targets.is_empty() { all } else { opened.select(graph, targets)?.0 };
        let labels = wanted.iter().map(|id| graph.task(*id).label.clone()).collect();
        Ok(Made { labels, with_former: targets.is_empty(), sources })
    }

    fn has(&self, attempt: &Attempt) -> bool {
        let label = attempt.label.as_str();
        let is_own =
            || label == "plan" || label == "report" || OWN.iter().any(|kind| label.starts_with(kind));
        !attempt.measurement && (self.labels.contains(label) || (self.with_former && is_own()))
    }
}

/// What is deleted, and what is kept for a reason.
#[derive(Default)]
pub(super) struct Found {
    pub(super) deleted: Vec<OutputEntry>,
    pub(super) kept: Vec<(ProjectPath, &'static str)>,
}

fn look(opened: &Workspace, store: &Store, made: &Made) -> Result<Found> {
    let outputs = made::Made::by(store.attempts().iter().filter(|attempt| made.has(attempt)));
    let is_source = |path: &ProjectPath| made.sources.contains(path);
    let mut found = find(&opened.project.layout, store, &outputs, &is_source)?;
    let sources = outputs.paths().filter(|path| is_source(path));
    for path in sources {
        if store.observe(path)?.is_some() {
            found.kept.push((path.clone(), "a task reads it, and none makes it"));
        }
    }
    found.kept.sort();
    let deleted: BTreeSet<ProjectPath> = found.deleted.iter().map(|file| file.path.clone()).collect();
    let is_meant = |clip: &ProjectPath| made.with_former || deleted.contains(clip);
    add_links(&opened.project.layout, store, &mut found, &is_meant)?;
    Ok(found)
}

/// Adds the links with upstream's names to clips that are meant.
pub(super) fn add_links(
    layout: &Layout,
    store: &Store,
    found: &mut Found,
    is_meant: &dyn Fn(&ProjectPath) -> bool,
) -> Result<()> {
    for name in os::fs::list_names(&layout.media).unwrap_or_default() {
        let place = layout.media.join(&name);
        if !made::is_upstream_link(&place) {
            continue;
        }
        let target = os::tree::read_link(&place)?.as_path().to_string_lossy().into_owned();
        let path = |below: &str| ProjectPath::new(&format!("media/{below}")).ok();
        if let (Some(link), Some(clip)) = (path(&name), path(&target))
            && is_meant(&clip)
        {
            found.deleted.extend(store.observe(&link)?);
        }
    }
    found.deleted.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(())
}

/// Which of these outputs may be deleted, as they are what `lp` made, and which not. Those of
/// which `is_left_out` is true are in neither.
pub(super) fn find(
    layout: &Layout,
    store: &Store,
    outputs: &made::Made,
    is_left_out: &dyn Fn(&ProjectPath) -> bool,
) -> Result<Found> {
    let mut found = Found::default();
    for path in outputs.paths().filter(|path| !is_left_out(path)) {
        let Some(entry) = store.observe(path)? else { continue };
        let because = if os::within::check(&layout.resolve(path), &layout.folders()).is_err() {
            "a link on its way leaves the project"
        } else if !outputs.has(&entry) {
            "its contents are not those that `lp` made"
        } else {
            found.deleted.push(entry);
            continue;
        };
        found.kept.push((path.clone(), because));
    }
    Ok(found)
}

fn show(args: &CleanArgs, opened: &Workspace, found: &Found) {
    let mut usage = Usage::default();
    found.deleted.iter().for_each(|file| usage.add(file.size));
    if args.json {
        let deleted: Vec<_> =
            found.deleted.iter().map(|file| json!({ "path": file.path, "bytes": file.size })).collect();
        let kept: Vec<_> =
            found.kept.iter().map(|(path, because)| json!({ "path": path, "because": because })).collect();
        let document = json!({ "version": 1, "dry_run": args.dry_run, "bytes": usage.bytes, "deleted": deleted, "kept": kept });
        console::out(&format!("{document:#}\n"));
        return;
    }
    let layout = &opened.project.layout;
    if args.dry_run {
        for file in &found.deleted {
            console::out(&format!(
                "{}\n",
                crate::text::harmless(&layout.shown(&file.path).display().to_string())
            ));
        }
    }
    for (path, because) in &found.kept {
        console::note(&format!("kept `{path}`: {because}"));
    }
    let sized = format!("{} ({})", counted(usage.count, "output"), size_text(usage.bytes));
    console::result(&match (usage.count, args.dry_run) {
        (0, _) => "nothing to delete".to_owned(),
        (_, true) => format!("would delete {sized}"),
        (_, false) => {
            format!("deleted {sized}; `lp build` restores them from the store, `lp cache clean` empties that")
        }
    });
}
