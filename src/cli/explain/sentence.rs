//! The sentences of `lp explain`: a task, what it waits for, and the root cause.

use std::sync::Arc;

use super::SHOWN;
use super::chain::{Chains, Standings};
use super::origin::{Origin, Origins, place_text};
use super::words::{self, Cause};
use crate::engine::standing::{Standing, in_order};
use crate::graph::task::Action;
use crate::graph::{TaskGraph, TaskId};
use crate::store::Store;
use crate::store::attempt::Attempt;
use crate::store::stale::differences;
use crate::text::plural;
use crate::workspace::open::Workspace;

/// The states of tasks, and the origins of values.
pub(super) struct Explanation<'a> {
    pub(super) opened: &'a Workspace,
    pub(super) graph: &'a TaskGraph,
    pub(super) store: &'a Store,
    pub(super) standings: &'a Standings,
    pub(super) origins: Origins<'a>,
}

impl Explanation<'_> {
    pub(super) fn label(&self, id: TaskId) -> &str {
        &self.graph.task(id).label
    }

    /// The last attempt under a task's label.
    pub(super) fn last(&self, id: TaskId) -> Option<Arc<Attempt>> {
        self.store.attempts_of(self.label(id)).into_iter().next()
    }

    /// "`report` is stale because `run:lane` will run, because `plan:camera-3`
    /// is stale: `fps` changed from 15 to 30 (configs/x.json:27:15)"
    pub(super) fn sentence(&self, id: TaskId) -> String {
        let label = self.label(id);
        let chains = Chains::of(self.graph, self.standings, id);
        let roots = chains.roots();
        let Some((first, more)) = roots.split_first() else {
            return self.state(id, Detail::Full);
        };
        let mut text = match &self.standings[&id] {
            Standing::Fresh => format!("`{label}` is fresh; before it, {}", self.state(*first, Detail::Full)),
            _ if *first == id => self.state(id, Detail::Full),
            _ => {
                let way = chains.way_to(*first);
                let waits = matches!(self.standings[first], Standing::Restorable(..));
                let verb = if waits { "waits" } else { "is stale" };
                let between =
                    way[1..way.len() - 1].iter().map(|id| format!("`{}` will run, ", self.label(*id)));
                let because: Vec<String> = between.collect();
                let because = because.join("because ");
                let join = if because.is_empty() { "" } else { "because " };
                format!("`{label}` {verb} because {because}{join}{}", self.state(*first, Detail::Full))
            }
        };
        // One line of a file may concern many tasks.
        let reason = |id: TaskId| self.causes_text(&self.causes(id), Detail::Full);
        let first = Some(reason(*first)).filter(|reason| !reason.is_empty());
        let (same, other): (Vec<TaskId>, Vec<TaskId>) =
            more.iter().partition(|id| first.as_ref().is_some_and(|first| *first == reason(**id)));
        let listed = |ids: &[TaskId], text: &dyn Fn(TaskId) -> String| {
            let some: Vec<String> = ids.iter().take(SHOWN).map(|id| text(*id)).collect();
            let rest = if ids.len() > SHOWN { ", ..." } else { "" };
            format!("{}{rest}", some.join(", "))
        };
        if !same.is_empty() {
            let labels = listed(&same, &|id| format!("`{}`", self.label(id)));
            text.push_str(&format!("; and {} more for the same reason: {labels}", same.len()));
        }
        if !other.is_empty() {
            let states = listed(&other, &|id| self.state(id, Detail::Brief));
            text.push_str(&format!("; and {} more: {states}", other.len()));
        }
        text
    }

    /// The state of a task by itself.
    fn state(&self, id: TaskId, detail: Detail) -> String {
        let label = self.label(id);
        match &self.standings[&id] {
            Standing::Fresh => format!("`{label}` is fresh"),
            Standing::New => {
                let place = self.in_brackets(&Origin::at(self.graph.task(id).place));
                match detail {
                    Detail::Full => format!("`{label}` is new: it has never run{place}"),
                    Detail::Brief => format!("`{label}` is new"),
                }
            }
            Standing::Restorable(attempt, damage) => {
                let mut text = format!("`{label}` will be restored from the store: {damage}");
                let back = self.last(id).filter(|last| last.action != attempt.action);
                let causes = back.map_or(Vec::new(), |last| {
                    let task = self.graph.task(id);
                    let reasons = in_order(task, differences(&last.document, &attempt.document));
                    words::causes(&self.origins, task, &reasons, Some(&last))
                });
                if !causes.is_empty() {
                    text.push_str(&format!(
                        "; {}, as it was at {}",
                        self.causes_text(&causes, detail),
                        attempt.started
                    ));
                }
                text
            }
            Standing::Stale(_) | Standing::After { .. } => {
                format!("`{label}` is stale: {}", self.causes_text(&self.causes(id), detail))
            }
        }
    }

    /// The causes of a task's own.
    pub(super) fn causes(&self, id: TaskId) -> Vec<Cause> {
        match self.standings[&id].reasons() {
            [] => Vec::new(),
            reasons => words::causes(&self.origins, self.graph.task(id), reasons, self.last(id).as_deref()),
        }
    }

    fn causes_text(&self, causes: &[Cause], detail: Detail) -> String {
        let most = if detail == Detail::Full { SHOWN } else { 1 };
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

    pub(super) fn about_runs(&self, id: TaskId) -> String {
        if matches!(self.graph.task(id).action, Action::Density(_)) {
            let stored = "`lp density` says the stored answer, and `lp density --again` measures";
            return match &self.standings[&id] {
                Standing::Fresh | Standing::Restorable(..) => stored.to_owned(),
                _ => "no stored answer fits: `lp density` measures".to_owned(),
            };
        }
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
                    "{always}; `lp build` may measure too, depending on the inputs of `{}`",
                    self.label(id)
                )
            }
            _ => format!("{always}; `lp build` would measure too: no record fits"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Full,
    Brief,
}
