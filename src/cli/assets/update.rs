//! `lp assets update`: asks the servers again for downloads without a digest in the config,
//! and renews `Lpfile.lock`.
//!
//! The downloads are performed as if they had no entry, so that each is whatever its server
//! has now, and lies in its place afterwards. A download that fails keeps its entry.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};

use crate::action::Fetching;
use crate::cli::args::{AssetsUpdateArgs, Global};
use crate::cli::progress::{Console, Observers};
use crate::cli::size::size_text;
use crate::cli::{Exit, console, project};
use crate::config::load::{LoadRequest, load};
use crate::engine::events::Summary;
use crate::engine::states::OnFailure;
use crate::engine::{Again, Warm};
use crate::graph::task::{Action, Download};
use crate::graph::{TaskGraph, TaskId};
use crate::model::{Camera, LOCKFILE, LockEntries, LockEntry, Origin, Project};
use crate::name::did_you_mean;
use crate::os::signal::cancel_on_signals;
use crate::store::Store;
use crate::text::{harmless, some_names};
use crate::workspace::build::{Build, unwatched};
use crate::workspace::error::{CommandError, Result};
use crate::workspace::journal::Journal;
use crate::workspace::open::Workspace;
use crate::workspace::phases::Phases;
use crate::workspace::{lockfile, tools};

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    New,
    Changed,
    Unchanged,
    /// The download failed; the entry stays.
    Failed,
    /// No camera needs it.
    Dropped,
}

/// An entry before and after.
#[derive(Debug)]
struct Difference {
    name: String,
    outcome: Outcome,
    before: Option<LockEntry>,
    after: Option<LockEntry>,
}

pub(super) fn run(global: &Global, args: &AssetsUpdateArgs) -> Result<Exit> {
    if args.offline {
        return Err(CommandError::refused("`lp assets update` asks servers, which `--offline` forbids"));
    }
    let mut opened = project::open(global, &[])?;
    // A download without an entry is whatever its server has.
    let known = std::mem::take(&mut opened.project.lock);
    let graph = project::graph(&opened, &[])?;
    let wanted = wanted(&opened, &graph, &args.names)?;
    let store = Store::open(opened.project.layout.clone())?;
    let before = wanted.keys().map(|id| store.attempts_of(&graph.task(*id).label).len()).collect::<Vec<_>>();
    let summary =
        if wanted.is_empty() { Summary::default() } else { fetch(&opened, &graph, &store, &wanted)? };

    let mut differences = Vec::new();
    for ((id, download), n_before) in wanted.iter().zip(before) {
        let label = &graph.task(*id).label;
        let attempts = store.attempts_of(label);
        let came = attempts.first().filter(|newest| n_before < attempts.len() && newest.is_reusable());
        let after = came.and_then(|attempt| lockfile::entry(download, attempt));
        differences.push(Difference::of(lockfile::name(label), known.get(lockfile::name(label)), after));
    }
    if args.names.is_empty() {
        differences.extend(dropped(&opened, &known));
    }
    lockfile::write(&store, &opened.project.layout.root, |entries| {
        for difference in &differences {
            match (&difference.after, difference.outcome) {
                (Some(entry), _) => drop(entries.insert(difference.name.clone(), entry.clone())),
                (None, Outcome::Dropped) => drop(entries.remove(&difference.name)),
                (None, _) => {}
            }
        }
    })?;
    show(&differences, args.json);
    Ok(match () {
        () if summary.panicked => Exit::Bug,
        () if summary.cancelled => Exit::Interrupted,
        () if differences.iter().any(|one| one.outcome == Outcome::Failed) => Exit::Failed,
        () => Exit::Done,
    })
}

/// The downloads to ask for: these, or all without a digest in the config.
fn wanted<'g>(
    opened: &Workspace,
    graph: &'g TaskGraph,
    names: &[String],
) -> Result<BTreeMap<TaskId, &'g Download>> {
    let unpinned = |id: TaskId| match &graph.task(id).action {
        Action::Download(download) if !download.pins.has_digest() => Some((id, download)),
        _ => None,
    };
    if names.is_empty() {
        return Ok(graph.order().iter().filter_map(|id| unpinned(*id)).collect());
    }
    let mut wanted = BTreeMap::new();
    let mut errors = Vec::new();
    for name in names {
        let named = graph.by_label(&format!("download:{}", lockfile::name(name)));
        match named.and_then(unpinned) {
            Some((id, download)) => drop(wanted.insert(id, download)),
            None => errors.push(refused(opened, graph, lockfile::name(name))),
        }
    }
    CommandError::all(errors).map_or(Ok(wanted), Err)
}

/// Why there is nothing to ask a server for under this name.
fn refused(opened: &Workspace, graph: &TaskGraph, name: &str) -> CommandError {
    let label = format!("download:{name}");
    if graph.by_label(&label).is_some() {
        let place = opened.project.assets.get(name).map(|pin| pin.place).unwrap_or_default();
        let position = opened.sources.position(place.file, place.start);
        let place = format!("{}:{}:{}", opened.sources.name(place.file), position.line, position.column);
        let error = CommandError::refused(format!("`{name}` has its digest in the config ({place})"));
        return error.hint(format!("change it there: `{LOCKFILE}` has no entry for it"));
    }
    if let Some(adopted) = opened.adopted.iter().find(|adopted| adopted.label == label) {
        let error = CommandError::refused(format!(
            "`{}` is a file of your own, which is played instead",
            adopted.path
        ));
        return error.hint("delete it to have the download");
    }
    let error = CommandError::refused(format!("there is no download `{}`", harmless(name)));
    let labels = graph.order().iter().map(|id| &graph.task(*id).label);
    let known: Vec<&str> = labels
        .filter_map(|label| label.strip_prefix("download:"))
        .filter(|name| !name.contains('/'))
        .collect();
    match did_you_mean(name, known.iter().copied()) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None if known.is_empty() => error.hint("no camera of this project has a download"),
        None => error.hint(format!("downloads are {}", some_names(&known))),
    }
}

/// Performs the downloads, all of them even if some fail.
fn fetch(
    opened: &Workspace,
    graph: &TaskGraph,
    store: &Store,
    wanted: &BTreeMap<TaskId, &Download>,
) -> Result<Summary> {
    let phases = Phases::new();
    let needed: BTreeSet<TaskId> = wanted.keys().copied().collect();
    let tools = tools::look(store, opened.worker(), graph, &needed);
    let build = Build { opened, graph, store, tools: &tools, jobs: None, fetching: Fetching::default() };
    let human = Console::new(console::widest(graph, &needed)).live();
    let journal = Journal::new(graph, &phases);
    let progress = Observers(vec![&human, &journal]);
    let cancel = cancel_on_signals()?;
    let host = build.host(&unwatched);
    let again = Again { tasks: needed.clone(), why: "its server is asked again" };
    let engine = build.engine(&host).watched_by(&progress).stopped_by(&cancel);
    let built = engine.on_failure(OnFailure::KeepGoing).again(again).build(&needed, &Warm::Nothing);
    human.end();
    console::keep(store, &journal);
    Ok(built?.summary)
}

/// The entries that no camera needs, in any profile and without any flag. None if that is not
/// known, because a profile has faults.
fn dropped(opened: &Workspace, known: &LockEntries) -> Vec<Difference> {
    let profiles = opened.profiles.iter().map(|(name, _)| Some(name.text.clone()));
    let mut needed = names(&opened.project);
    // The user's file in the place of a download may go again.
    needed.extend(opened.adopted.iter().map(|adopted| lockfile::name(&adopted.label).to_owned()));
    for profile in std::iter::once(None).chain(profiles) {
        let dir = opened.directory.clone();
        match load(&LoadRequest { dir, profile, ..LoadRequest::default() }).project {
            Some(project) => needed.extend(names(&project)),
            None => return Vec::new(),
        }
    }
    let unneeded = known.iter().filter(|(name, _)| !needed.contains(*name));
    let difference = |(name, entry): (&String, &LockEntry)| Difference {
        name: name.clone(),
        outcome: Outcome::Dropped,
        before: Some(entry.clone()),
        after: None,
    };
    unneeded.map(difference).collect()
}

/// The downloads of a project without a digest in the config.
fn names(project: &Project) -> BTreeSet<String> {
    let is_pinned = |name: &str| project.assets.get(name).is_some_and(|pin| pin.pins.has_digest());
    let clips = project.cameras.iter().filter_map(Camera::video);
    let fetched = clips
        .filter(|clip| matches!(clip.origin, Origin::Url(_) | Origin::Package(_)) && !is_pinned(&clip.file));
    fetched.map(|clip| clip.file.clone()).collect()
}

impl Difference {
    fn of(name: &str, before: Option<&LockEntry>, after: Option<LockEntry>) -> Difference {
        let outcome = match (before, &after) {
            (_, None) => Outcome::Failed,
            (None, Some(_)) => Outcome::New,
            (Some(before), Some(after)) if before.content == after.content => Outcome::Unchanged,
            (Some(_), Some(_)) => Outcome::Changed,
        };
        Difference { name: name.to_owned(), outcome, before: before.cloned(), after }
    }

    /// "31 bytes 28f1bc240dae -> 40 bytes 9f2c41aa03d7"
    fn text(&self) -> String {
        let shown = |entry: &Option<LockEntry>| {
            entry.as_ref().map(|entry| format!("{} {}", size_text(entry.size), entry.content.short()))
        };
        let (before, after) = (shown(&self.before), shown(&self.after).unwrap_or_default());
        match (self.outcome, before) {
            (Outcome::Changed, Some(before)) => format!("{before} -> {after}"),
            (Outcome::Unchanged, _) => format!("unchanged: {after}"),
            (Outcome::Failed, Some(before)) => format!("failed; its entry stays: {before}"),
            (Outcome::Failed, None) => "failed; it has no entry".to_owned(),
            (Outcome::Dropped, _) => "dropped: no camera needs it".to_owned(),
            (_, _) => format!("new: {after}"),
        }
    }

    fn document(&self) -> Value {
        let entry = |entry: &Option<LockEntry>| {
            let document =
                |entry: &LockEntry| json!({ "url": entry.url, "blake3": entry.content, "size": entry.size });
            entry.as_ref().map(document)
        };
        json!({
            "name": self.name,
            "outcome": self.outcome,
            "before": entry(&self.before),
            "after": entry(&self.after),
        })
    }
}

fn show(differences: &[Difference], json: bool) {
    if json {
        let assets: Vec<Value> = differences.iter().map(Difference::document).collect();
        console::out(&format!("{:#}\n", json!({ "version": 1, "assets": assets })));
        return;
    }
    if differences.is_empty() {
        console::note("nothing to update: no download is without a digest in the config");
    }
    let width = differences.iter().map(|one| one.name.chars().count()).max().unwrap_or(0);
    for difference in differences {
        console::out(&format!("{:width$}  {}\n", harmless(&difference.name), difference.text()));
    }
}
