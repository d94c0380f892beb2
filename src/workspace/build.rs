//! A project with its graph, store and tools, which judge and run tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::earlier;
use super::error::{CommandError, Result};
use super::machine;
use super::open::Workspace;
use super::provenance;
use super::searches;
use super::tools::Tools;
use crate::action::{Fetching, LocalHost};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::dialect::check::way_out;
use crate::engine::Engine;
use crate::engine::standing::Standing;
use crate::engine::states::Pools;
use crate::graph::task::Task;
use crate::graph::{TaskGraph, TaskId};
use crate::name::Slug;
use crate::session::{Observation, Watch};
use crate::store::Store;

/// The watch of a build that shows no live figures.
pub(crate) fn unwatched(_: Observation<'_>) {}

/// The pools of a build.
pub(super) fn pools(jobs: Option<u32>, declared: &BTreeMap<String, u32>) -> Pools {
    let cores =
        || std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    let cpu = jobs.or(declared.get("cpu").copied()).unwrap_or_else(cores);
    Pools::new(cpu, declared)
}

/// Everything that a build needs except its progress output.
pub(crate) struct Build<'a> {
    pub(crate) opened: &'a Workspace,
    pub(crate) graph: &'a TaskGraph,
    pub(crate) store: &'a Store,
    pub(crate) tools: &'a Tools,
    pub(crate) jobs: Option<u32>,
    pub(crate) fetching: Fetching,
}

impl Build<'_> {
    /// The names of the collectors without whose programs there is no run.
    fn required(&self) -> Vec<String> {
        let collectors = self.opened.project.settings.collectors.iter();
        collectors.filter(|one| one.required).map(|one| one.name.clone()).collect()
    }

    /// The local host, which performs tasks; `watch` gets the live figures of measurements.
    pub(crate) fn host<'w>(&'w self, watch: &'w Watch<'w>) -> LocalHost<'w> {
        LocalHost {
            worker: self.tools.launch(),
            machine: self.tools.machine.as_ref(),
            plugin_files: self.tools.plugin_files.clone(),
            fingerprint: self.tools.host.clone(),
            watch,
            passwords: &self.opened.project.passwords,
            cameras: &self.opened.project.cameras,
            scenes: &self.opened.project.scenes,
            earlier: Box::new(|labels, inputs| earlier::runs(self.store, labels, inputs)),
            run_by_id: Box::new(|id| earlier::run(self.store, id)),
            limits: self.opened.project.settings.limits,
            thresholds: self.opened.project.settings.threshold_values(),
            searches: Box::new(|subject, inputs, run| searches::newest(self.store, subject, inputs, run)),
            density: self.opened.project.settings.density,
            required: self.required(),
            provenance: Box::new(|cancel| Some(provenance::of(self.opened, cancel))),
            fetching: self.fetching.clone(),
            environments: Mutex::new(()),
            tag: None,
            traced: false,
        }
    }

    pub(crate) fn engine<'e>(&'e self, host: &'e LocalHost<'e>) -> Engine<'e> {
        let project = &self.opened.project;
        Engine::new(self.graph, self.store, &project.layout, host)
            .in_pools(pools(self.jobs, &project.settings.pools))
    }

    /// Whether each task of `needed` must run; runs nothing.
    pub(crate) fn look(&self, needed: &BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Standing>> {
        Ok(self.engine(&self.host(&unwatched)).look(needed)?)
    }

    /// The state of each task of `needed`, with every reason; runs nothing.
    pub(crate) fn standings(&self, needed: &BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Standing>> {
        Ok(self.engine(&self.host(&unwatched)).standings(needed)?)
    }

    /// Refuses a build, before anything starts, if downloads may not be fetched, or if tasks
    /// that must run lack the worker or elements, or have cameras that this machine cannot
    /// play.
    pub(crate) fn refuse_missing(&self, engine: &Engine<'_>, needed: &BTreeSet<TaskId>) -> Result<()> {
        self.refuse_downloads(engine, needed)?;
        // A run is checked by trying it, not by names alone.
        let lacks = |id: &TaskId| {
            let task = self.graph.task(*id);
            let is_run = task.measures();
            !task.factories.is_empty()
                && (is_run || self.tools.worker.is_err() || !self.tools.missing(task).is_empty())
        };
        if !needed.iter().any(lacks) {
            return Ok(());
        }
        let standings = engine.look(needed)?;
        let must_run = |id: &TaskId| standings[id].runs();
        let affected: Vec<&Task> =
            needed.iter().filter(|id| lacks(id) && must_run(id)).map(|id| self.graph.task(*id)).collect();
        if affected.is_empty() {
            return Ok(());
        }
        if let Err(error) = &self.tools.worker {
            let labels: Vec<String> =
                affected.iter().take(5).map(|task| format!("`{}`", task.label)).collect();
            let needed_by = format!("needed by {}", labels.join(", "));
            return Err(CommandError::no_worker(error).details([needed_by]));
        }
        let mut diagnostics = self.lacking(&affected);
        let members: BTreeSet<&Slug> =
            affected.iter().filter_map(|task| task.played()).flat_map(|(_, members)| members).collect();
        if !members.is_empty() {
            let project = &self.opened.project;
            let all = self.opened.lane().cameras.iter();
            let cameras: Vec<_> = all.filter(|planned| members.contains(planned.slug())).collect();
            let asked = machine::ask(project, &cameras);
            let (found, _) = asked.map_err(|error| CommandError::no_worker(&error))?;
            diagnostics.append(found);
        }
        if diagnostics.is_empty() { Ok(()) } else { Err(self.opened.refuse(diagnostics)) }
    }

    /// The elements that tasks lack, runs excepted: each once.
    fn lacking(&self, affected: &[&Task]) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let mut missing: BTreeMap<&str, &Task> = BTreeMap::new();
        for task in affected.iter().filter(|task| !task.measures()) {
            for factory in self.tools.missing(task) {
                missing.entry(factory).or_insert(task);
            }
        }
        for (factory, task) in missing {
            let message = format!("this machine has no element `{factory}`, which `{}` needs", task.label);
            let fault = Diagnostic::error(codes::MISSING_ELEMENT, message).at(task.place);
            diagnostics.push(fault.help(way_out(factory)));
        }
        diagnostics
    }
}
