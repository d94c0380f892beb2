//! The journal of a build: for each task its begin and end, its slot in its pool,
//! its reason and its outcome.
//!
//! `lp build --trace` and `lp explain --last` are made of it. Tasks that were
//! fresh are only counted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::phases::Phases;
use crate::engine::events::{BuildEvent, Outcome, Progress, Summary};
use crate::graph::TaskGraph;

/// A build as it happened.
pub(crate) struct Journal<'g> {
    graph: &'g TaskGraph,
    /// The phases before the build; those of the engine are added.
    pub(crate) phases: &'g Phases,
    state: Mutex<Pages>,
}

#[derive(Debug, Default)]
pub(crate) struct Pages {
    /// In the order in which they began.
    pub(crate) tasks: Vec<Page>,
    /// The engine's summary; `None` if it did not reach its end.
    pub(crate) summary: Option<Summary>,
    running: HashMap<String, usize>,
    /// Which slots of a pool are taken.
    taken: BTreeMap<String, Vec<bool>>,
    /// The engine's current phase besides tasks, and its begin.
    phase: Option<(&'static str, u64)>,
}

/// One task that was not fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) label: String,
    /// "stale: `a.txt` changed"; for a restored task, the fault of its outputs.
    pub(crate) reason: String,
    /// `None` while it runs.
    pub(crate) outcome: Option<Outcome>,
    /// The first line of why it failed.
    pub(crate) detail: String,
    /// Microseconds since the command began.
    pub(crate) begin_us: u64,
    pub(crate) end_us: u64,
    /// Its pool and the slot in it, from 1; `None` of a task that never ran.
    pub(crate) slot: Option<(String, usize)>,
}

impl<'g> Journal<'g> {
    pub(crate) fn new(graph: &'g TaskGraph, phases: &'g Phases) -> Journal<'g> {
        Journal { graph, phases, state: Mutex::default() }
    }

    /// Begins another phase of the engine.
    fn turn(&self, next: Option<&'static str>) {
        let mut pages = self.pages();
        if let Some((name, begin_us)) = pages.phase.take() {
            self.phases.add(name, begin_us);
        }
        pages.phase = next.map(|name| (name, self.phases.now_us()));
    }

    /// Whether a clip was made or restored.
    pub(crate) fn has_made_clips(&self) -> bool {
        let is_made = |outcome| matches!(outcome, Some(Outcome::Succeeded | Outcome::Restored));
        let pages = self.pages();
        pages.tasks.iter().any(|page| page.label.starts_with("transcode:") && is_made(page.outcome))
    }

    /// The entries so far.
    pub(crate) fn pages(&self) -> MutexGuard<'_, Pages> {
        // A page is written in one go, so a panic elsewhere leaves whole ones.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    /// The summary; counted here if the engine did not reach its end.
    pub(crate) fn summed_up(&self) -> Summary {
        self.summary.clone().unwrap_or_else(|| {
            let mut summary = Summary { cancelled: true, ..Summary::default() };
            self.tasks.iter().filter_map(|page| page.outcome).for_each(|outcome| summary.count(outcome));
            summary
        })
    }

    fn take_slot(&mut self, pool: &str) -> usize {
        let taken = self.taken.entry(pool.to_owned()).or_default();
        let free = taken.iter().position(|taken| !taken).unwrap_or(taken.len());
        if free == taken.len() {
            taken.push(true);
        } else {
            taken[free] = true;
        }
        free + 1
    }
}

impl Progress for Journal<'_> {
    fn event(&self, event: &BuildEvent<'_>) {
        match event {
            BuildEvent::TaskStarted { label, reason } => {
                let task = self.graph.by_label(label).map(|id| self.graph.task(id));
                let pool = task.map_or_else(|| "cpu".to_owned(), |task| task.pool.to_string());
                let mut pages = self.pages();
                let slot = pages.take_slot(&pool);
                let now = self.phases.now_us();
                let index = pages.tasks.len();
                pages.running.insert((*label).to_owned(), index);
                pages.tasks.push(Page {
                    label: (*label).to_owned(),
                    reason: (*reason).to_owned(),
                    outcome: None,
                    detail: String::new(),
                    begin_us: now,
                    end_us: now,
                    slot: Some((pool, slot)),
                });
            }
            BuildEvent::TaskFinished { label, outcome, detail, .. } => {
                let mut pages = self.pages();
                let now = self.phases.now_us();
                let line = detail.lines().next().unwrap_or_default().to_owned();
                if let Some(index) = pages.running.remove(*label) {
                    let page = &mut pages.tasks[index];
                    page.outcome = Some(*outcome);
                    page.detail = line;
                    page.end_us = now;
                    if let Some((pool, slot)) = page.slot.clone()
                        && let Some(taken) = pages.taken.get_mut(&pool)
                    {
                        taken[slot - 1] = false;
                    }
                } else if *outcome != Outcome::Fresh {
                    let is_restored = *outcome == Outcome::Restored;
                    let (reason, detail) =
                        if is_restored { (line, String::new()) } else { (String::new(), line) };
                    pages.tasks.push(Page {
                        label: (*label).to_owned(),
                        reason,
                        outcome: Some(*outcome),
                        detail,
                        begin_us: now,
                        end_us: now,
                        slot: None,
                    });
                }
                // The phase after the last of them.
                pages.phase = Some(("saving", now));
            }
            BuildEvent::Started { .. } => self.turn(Some("looking")),
            BuildEvent::Looked { .. } => self.turn(None),
            BuildEvent::Finished { summary } => {
                self.turn(None);
                self.pages().summary = Some((*summary).clone());
            }
            BuildEvent::Waiting { .. }
            | BuildEvent::Warning { .. }
            | BuildEvent::TaskNote { .. }
            | BuildEvent::TaskProgress { .. }
            | BuildEvent::TaskEncoded { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::graph::link::link;

    #[test]
    fn a_slot_is_the_lowest_that_is_free() {
        let graph = link(Vec::new()).unwrap();
        let now = AtomicU64::new(0);
        let phases = Phases::with_clock(Box::new(move || now.fetch_add(10, Ordering::Relaxed)));
        let journal = Journal::new(&graph, &phases);
        let start = |label: &str| journal.event(&BuildEvent::TaskStarted { label, reason: "new" });
        let end = |label: &str| {
            let outcome = Outcome::Succeeded;
            journal.event(&BuildEvent::TaskFinished { label, outcome, duration_ms: 0, detail: "", log: "" });
        };
        ["a", "b", "c"].into_iter().for_each(start);
        ["a", "b"].into_iter().for_each(end);
        ["d", "e", "f"].into_iter().for_each(start);
        let pages = journal.pages();
        let slots: Vec<usize> = pages.tasks.iter().map(|page| page.slot.clone().unwrap().1).collect();
        assert_eq!(slots, [1, 2, 3, 1, 2, 4]);
        assert_eq!((pages.tasks[0].begin_us, pages.tasks[0].end_us), (0, 30));
        assert!(pages.summed_up().cancelled, "it has not come to its end");
    }
}
