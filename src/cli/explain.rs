//! `lp explain`: why a target would run, down to the line that makes it so.
//!
//! The engine says how every task stands; [`chain`] finds the way from a target
//! to its root cause, [`words`] makes sentences of reasons, and [`origin`] finds
//! where a value is written.

mod chain;
mod last;
mod origin;
mod words;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::args::{ExplainArgs, Global};
use super::{Exit, console, project};
use crate::config::locate::Locator;
use crate::diag::Place;
use crate::engine::standing::Standing;
use crate::graph::{TaskGraph, TaskId, select};
use crate::path::ProjectPath;
use crate::store::Store;
use crate::store::attempt::Attempt;
use crate::store::stale::{StaleReason, differences};
use crate::text::plural;
use crate::workspace::build::Build;
use crate::workspace::error::Result;
use crate::workspace::open::Workspace;
use crate::workspace::tools;
use chain::{Chains, Standings};
use origin::{Origin, Origins, place_text};
use words::Cause;

/// How many causes of a task, or further chains, are told.
const TOLD: usize = 3;

pub(super) fn run(global: &Global, args: &ExplainArgs) -> Result<Exit> {
    let opened = project::open(global, &[])?;
    if args.last {
        return last::run(&opened, args);
    }
    let graph = project::graph(&opened, &select::subjects(&opened.project, &args.targets))?;
    let (wanted, needed) = opened.select(&graph, &args.targets)?;
    let store = Store::open(opened.project.layout.clone())?;
    let tools = tools::look(&store, opened.worker(), &graph, &needed);
    let build = Build { opened: &opened, graph: &graph, store: &store, tools: &tools, jobs: None };
    let standings = build.standings(&needed)?;
    let explained = Explained {
        opened: &opened,
        graph: &graph,
        store: &store,
        standings: &standings,
        origins: origins(global, &opened, &graph),
    };
    let wanted = graph.order().iter().copied().filter(|id| wanted.contains(id));
    if args.json {
        let tasks: Vec<Value> = wanted.map(|id| explained.json(id)).collect();
        console::out(&format!("{:#}\n", json!({ "version": 1, "tasks": tasks })));
        return Ok(Exit::Done);
    }
    for id in wanted {
        console::out(&format!("{}\n", explained.sentence(id)));
        if graph.task(id).measures() {
            console::out(&format!("{}\n", explained.about_runs(id)));
        }
    }
    Ok(Exit::Done)
}

fn origins<'a>(global: &'a Global, opened: &'a Workspace, graph: &'a TaskGraph) -> Origins<'a> {
    Origins {
        project: &opened.project,
        graph,
        locator: Locator::new(&opened.sources, &opened.settings),
        profile: global.profile.as_deref(),
        files: &opened.files,
    }
}

struct Explained<'a> {
    opened: &'a Workspace,
    graph: &'a TaskGraph,
    store: &'a Store,
    standings: &'a Standings,
    origins: Origins<'a>,
}

impl Explained<'_> {
    fn label(&self, id: TaskId) -> &str {
        &self.graph.task(id).label
    }

    /// The last attempt under a task's label.
    fn last(&self, id: TaskId) -> Option<Arc<Attempt>> {
        self.store.attempts_of(self.label(id)).into_iter().next()
    }

    /// "`report` is stale because `run:lane` will run, because `plan:camera-3`
    /// is stale: `fps` changed from 15 to 30 (configs/x.json:27:15)"
    fn sentence(&self, id: TaskId) -> String {
        let label = self.label(id);
        let chains = Chains::of(self.graph, self.standings, id);
        let roots = chains.roots();
        let Some((first, more)) = roots.split_first() else {
            return self.stands(id, Told::Whole);
        };
        let mut text = match &self.standings[&id] {
            Standing::Fresh => format!("`{label}` is fresh; before it, {}", self.stands(*first, Told::Whole)),
            _ if *first == id => self.stands(id, Told::Whole),
            _ => {
                let way = chains.way_to(*first);
                let waits = matches!(self.standings[first], Standing::Restorable(..));
                let verb = if waits { "waits" } else { "is stale" };
                let between =
                    way[1..way.len() - 1].iter().map(|id| format!("`{}` will run, ", self.label(*id)));
                let because: Vec<String> = between.collect();
                let because = because.join("because ");
                let join = if because.is_empty() { "" } else { "because " };
                format!("`{label}` {verb} because {because}{join}{}", self.stands(*first, Told::Whole))
            }
        };
        // One line of a file may concern many tasks.
        let reason = |id: TaskId| self.told(&self.causes(id), Told::Whole);
        let first = Some(reason(*first)).filter(|reason| !reason.is_empty());
        let (same, other): (Vec<TaskId>, Vec<TaskId>) =
            more.iter().partition(|id| first.as_ref().is_some_and(|first| *first == reason(**id)));
        let listed = |ids: &[TaskId], told: &dyn Fn(TaskId) -> String| {
            let some: Vec<String> = ids.iter().take(TOLD).map(|id| told(*id)).collect();
            let rest = if ids.len() > TOLD { ", ..." } else { "" };
            format!("{}{rest}", some.join(", "))
        };
        if !same.is_empty() {
            let labels = listed(&same, &|id| format!("`{}`", self.label(id)));
            text.push_str(&format!("; and {} more for the same reason: {labels}", same.len()));
        }
        if !other.is_empty() {
            let told = listed(&other, &|id| self.stands(id, Told::Short));
            text.push_str(&format!("; and {} more: {told}", other.len()));
        }
        text
    }

    /// How a task stands by itself.
    fn stands(&self, id: TaskId, told: Told) -> String {
        let label = self.label(id);
        match &self.standings[&id] {
            Standing::Fresh => format!("`{label}` is fresh"),
            Standing::New => {
                let place = self.in_brackets(&Origin::at(self.graph.task(id).place));
                match told {
                    Told::Whole => format!("`{label}` is new: it has never run{place}"),
                    Told::Short => format!("`{label}` is new"),
                }
            }
            Standing::Restorable(attempt, amiss) => {
                let mut text = format!("`{label}` comes out of the store: {amiss}");
                let back = self.last(id).filter(|last| last.action != attempt.action);
                let causes = back.map_or(Vec::new(), |last| {
                    let reasons = differences(&last.document, &attempt.document);
                    words::causes(&self.origins, self.graph.task(id), &reasons, Some(&last))
                });
                if !causes.is_empty() {
                    text.push_str(&format!(
                        "; {}, as it was at {}",
                        self.told(&causes, told),
                        attempt.started
                    ));
                }
                text
            }
            Standing::Stale(_) | Standing::After { .. } => {
                format!("`{label}` is stale: {}", self.told(&self.causes(id), told))
            }
        }
    }

    /// The causes of a task's own.
    fn causes(&self, id: TaskId) -> Vec<Cause> {
        match self.standings[&id].reasons() {
            [] => Vec::new(),
            reasons => words::causes(&self.origins, self.graph.task(id), reasons, self.last(id).as_deref()),
        }
    }

    fn told(&self, causes: &[Cause], told: Told) -> String {
        let most = if told == Told::Whole { TOLD } else { 1 };
        let mut parts: Vec<String> = causes
            .iter()
            .take(most)
            .map(|cause| format!("{}{}", cause.text, self.in_brackets(&cause.origin)))
            .collect();
        let n_more = causes.len().saturating_sub(most);
        if n_more > 0 {
            parts.push(format!("and {n_more} more {}", plural(n_more, "difference")));
        }
        parts.join(", ")
    }

    /// " (configs/x.json:27:15)"
    fn in_brackets(&self, origin: &Origin) -> String {
        let sources = &self.opened.sources;
        match (&origin.note, origin.place) {
            (None, None) => String::new(),
            (Some(note), None) => format!(" ({note})"),
            (None, Some(place)) => format!(" ({})", place_text(sources, place)),
            (Some(note), Some(place)) => format!(" ({note} {})", place_text(sources, place)),
        }
    }

    fn about_runs(&self, id: TaskId) -> String {
        let always = "`lp run` always measures";
        let attempts = self.store.attempts_of(self.label(id));
        let newest = attempts.iter().find(|attempt| attempt.is_reusable());
        match (&self.standings[&id], newest.and_then(|attempt| attempt.run_id())) {
            (Standing::Fresh | Standing::Restorable(..), Some(run)) => {
                let repeat = newest.and_then(|attempt| attempt.repeat).unwrap_or(1);
                format!("{always}; `lp build` would reuse record {run} (repeat {repeat})")
            }
            (Standing::After { .. }, _) => {
                format!(
                    "{always}; whether `lp build` would measure too depends on what `{}` reads",
                    self.label(id)
                )
            }
            _ => format!("{always}; `lp build` would measure too: no record fits"),
        }
    }

    fn json(&self, id: TaskId) -> Value {
        let chains = Chains::of(self.graph, self.standings, id);
        let roots = chains.roots();
        let root = roots.first().copied();
        let labels = |ids: &[TaskId]| ids.iter().map(|id| self.label(*id)).collect::<Vec<_>>();
        let more = roots.iter().skip(1);
        json!({
            "label": self.label(id),
            "state": word(&self.standings[&id]),
            "text": self.sentence(id),
            "chain": root.map_or(Vec::new(), |root| labels(&chains.way_to(root))),
            "reasons": root.map_or(Vec::new(), |root| self.reasons(root)),
            "more": more.map(|id| json!({
                "label": self.label(*id),
                "state": word(&self.standings[id]),
                "reasons": self.reasons(*id),
            })).collect::<Vec<_>>(),
            "last": self.last(id).map(|last| json!({
                "started": last.started,
                "outcome": last.outcome,
                "detail": last.detail,
            })),
        })
    }

    fn reasons(&self, id: TaskId) -> Vec<Reason> {
        if let Standing::Restorable(_, amiss) = &self.standings[&id] {
            let told = |path: &ProjectPath, verb: &str| Reason {
                reason: amiss.lost(path),
                text: format!("output `{path}` was {verb}"),
                note: None,
                place: None,
            };
            let deleted = amiss.deleted.iter().map(|path| told(path, "deleted"));
            return deleted.chain(amiss.changed.iter().map(|path| told(path, "changed"))).collect();
        }
        let place = |place: Place| {
            let position = self.opened.sources.position(place.file, place.start);
            json!({
                "file": self.opened.sources.name(place.file),
                "line": position.line,
                "column": position.column,
                "text": place_text(&self.opened.sources, place),
            })
        };
        let told = |Cause { text, origin, reason }| Reason {
            reason,
            text,
            note: origin.note,
            place: origin.place.map(place),
        };
        self.causes(id).into_iter().map(told).collect()
    }
}

/// A reason for machines.
#[derive(Serialize)]
struct Reason {
    #[serde(flatten)]
    reason: StaleReason,
    text: String,
    note: Option<String>,
    place: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Whole,
    Short,
}

fn word(standing: &Standing) -> &'static str {
    match standing {
        Standing::Fresh => "fresh",
        Standing::Restorable(..) => "restorable",
        Standing::New => "new",
        Standing::Stale(_) | Standing::After { .. } => "stale",
    }
}
