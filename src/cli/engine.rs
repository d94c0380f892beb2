//! What every command that looks at or runs tasks shares.

use std::collections::{BTreeMap, BTreeSet};

use super::args::BuildArgs;
use super::console::{Console, summary_line};
use super::open::Opened;
use super::tools::Tools;
use super::{Exit, Refused, console, machine};
use crate::action::Actions;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::dialect::check::way_out;
use crate::engine::events::Summary;
use crate::engine::states::{OnFailure, Pools};
use crate::engine::why::Standing;
use crate::engine::{Again, Engine, Verdict};
use crate::graph::task::{Action, Task};
use crate::graph::{TaskGraph, TaskId};
use crate::name::Slug;
use crate::session::{Seen, Watch};
use crate::store::Store;

pub(super) fn on_failure(args: &BuildArgs) -> OnFailure {
    if args.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop }
}

/// The length of the longest label.
pub(super) fn widest(graph: &TaskGraph, needed: &BTreeSet<TaskId>) -> usize {
    needed.iter().map(|id| graph.task(*id).label.chars().count()).max().unwrap_or(0)
}

/// Prints what a build came to, and says how `lp` ends.
pub(super) fn ended(args: &BuildArgs, human: &Console, summary: &Summary) -> Exit {
    human.print_failures();
    if !args.json {
        console::note(&summary_line(summary));
    }
    if summary.cancelled {
        Exit::Interrupted
    } else if summary.panicked {
        Exit::Bug
    } else if summary.failed + summary.skipped > 0 {
        Exit::Failed
    } else {
        Exit::Done
    }
}

/// For those who do not look at a measurement while it lasts.
pub(super) fn unwatched(_: &Slug, _: Seen<'_>) {}

/// How much may run at once.
pub(super) fn pools(jobs: Option<u32>, declared: &BTreeMap<String, u32>) -> Pools {
    let cores =
        || std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    let cpu = jobs.or(declared.get("cpu").copied()).unwrap_or_else(cores);
    Pools::new(cpu, declared)
}

/// What every command that looks at or runs tasks shares.
pub(super) struct Build<'a> {
    pub(super) opened: &'a Opened,
    pub(super) graph: &'a TaskGraph,
    pub(super) store: &'a Store,
    pub(super) tools: &'a Tools,
    pub(super) jobs: Option<u32>,
}

impl Build<'_> {
    /// How tasks are done; `watch` sees what is measured meanwhile.
    pub(super) fn actions<'w>(&'w self, watch: &'w Watch<'w>) -> Actions<'w> {
        Actions {
            worker: self.tools.launch(),
            host: self.tools.host.clone(),
            watch,
            passwords: &self.opened.project.passwords,
        }
    }

    pub(super) fn engine<'e>(&'e self, actions: &'e Actions<'e>) -> Engine<'e> {
        let Opened { project, .. } = self.opened;
        let facts = |task: &Task| self.tools.facts(task);
        Engine::new(self.graph, self.store, &project.layout, actions, facts)
            .in_pools(pools(self.jobs, &project.settings.pools))
    }

    /// Whether each task of `needed` must run; runs nothing.
    pub(super) fn look(&self, needed: &BTreeSet<TaskId>) -> anyhow::Result<BTreeMap<TaskId, Verdict>> {
        Ok(self.engine(&self.actions(&unwatched)).look(needed)?)
    }

    /// How each task of `needed` stands, with every reason; runs nothing.
    pub(super) fn standings(&self, needed: &BTreeSet<TaskId>) -> anyhow::Result<BTreeMap<TaskId, Standing>> {
        Ok(self.engine(&self.actions(&unwatched)).standings(needed)?)
    }

    pub(super) fn dry_run(&self, needed: &BTreeSet<TaskId>, again: Again) -> anyhow::Result<Exit> {
        let verdicts = self.engine(&self.actions(&unwatched)).again(again).look(needed)?;
        let width = needed.iter().map(|id| self.graph.task(*id).label.chars().count()).max();
        let width = width.unwrap_or(0).min(40);
        let mut n_stale = 0;
        for id in self.graph.order().iter().filter(|id| verdicts.contains_key(id)) {
            let reason = match &verdicts[id] {
                Verdict::Fresh => continue,
                Verdict::After(dependency) => {
                    format!("stale if `{}` makes something new", self.graph.task(*dependency).label)
                }
                verdict => verdict.to_string(),
            };
            n_stale += 1;
            console::note(&format!("{:width$}  {reason}", self.graph.task(*id).label));
        }
        let tasks = |n| if n == 1 { "1 task".to_owned() } else { format!("{n} tasks") };
        console::note(&match n_stale {
            0 => format!("nothing to do: {} fresh", tasks(verdicts.len())),
            n => format!("{} would run", tasks(n)),
        });
        Ok(Exit::Done)
    }

    /// Before anything starts: no worker, elements that are not installed, or
    /// cameras that this machine cannot play, for tasks that must run.
    pub(super) fn refuse_missing(
        &self,
        engine: &Engine<'_>,
        needed: &BTreeSet<TaskId>,
        again: &BTreeSet<TaskId>,
    ) -> anyhow::Result<()> {
        // What a run lacks is found by trying, not by names alone.
        let lacks = |id: &TaskId| {
            let task = self.graph.task(*id);
            let is_run = task.measures();
            !task.factories.is_empty()
                && (is_run || self.tools.worker.is_err() || !self.tools.missing(task).is_empty())
        };
        if !needed.iter().any(lacks) {
            return Ok(());
        }
        let verdicts = engine.look(needed)?;
        let must_run = |id: &TaskId| {
            again.contains(id) || !matches!(verdicts[id], Verdict::Fresh | Verdict::Restorable(_))
        };
        let affected: Vec<&Task> =
            needed.iter().filter(|id| lacks(id) && must_run(id)).map(|id| self.graph.task(*id)).collect();
        if affected.is_empty() {
            return Ok(());
        }
        if let Err(error) = &self.tools.worker {
            console::error(error, error.hint().as_deref());
            let labels: Vec<String> =
                affected.iter().take(5).map(|task| format!("`{}`", task.label)).collect();
            console::note(&format!("  needed by {}", labels.join(", ")));
            return Err(Refused.into());
        }
        let mut diagnostics = self.lacking(&affected);
        let members: BTreeSet<&Slug> = affected
            .iter()
            .filter_map(|task| if let Action::Run(run) = &task.action { Some(&run.members) } else { None })
            .flatten()
            .collect();
        if !members.is_empty() {
            let project = &self.opened.project;
            let cameras: Vec<_> = self
                .opened
                .lane()
                .cameras
                .iter()
                .filter(|planned| members.contains(planned.slug()))
                .collect();
            match machine::ask(project, &cameras) {
                Ok((found, _)) => diagnostics.append(found),
                Err(error) => {
                    console::error(&error, error.hint().as_deref());
                    return Err(Refused.into());
                }
            }
        }
        if diagnostics.is_empty() { Ok(()) } else { Err(self.opened.refuse(&diagnostics).into()) }
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
