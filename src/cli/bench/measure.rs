//! Measures the cells of a benchmark, one run after the other, until each has enough repeats.
//!
//! A run is an ordinary one: it is stored when it ends, so a benchmark that is stopped or killed loses at
//! most the run in progress, and the next call goes on. Before each run the facts of the host are looked
//! at again: a driver or a governor that changes meanwhile would mix two machines in one cell.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cells::{BenchCell, Standing, about};
use super::rule::Wanted;
use crate::action::{Fetching, LocalHost};
use crate::bench::order;
use crate::cli::progress::{Console, Observers};
use crate::cli::{console, project};
use crate::collect::host;
use crate::engine::{Again, Warm};
use crate::graph::TaskId;
use crate::os::process::Cancel;
use crate::record::measure::measure;
use crate::report::Report;
use crate::session::Observation;
use crate::store::Store;
use crate::store::stale::differences;
use crate::text::{harmless_lines, plural};
use crate::workspace::bench::Prepared;
use crate::workspace::build::{Build, unwatched};
use crate::workspace::error::{CommandError, Result};
use crate::workspace::journal::Journal;
use crate::workspace::phases::Phases;
use crate::workspace::{tools, view};

/// After so many runs in a row that do not count, a cell is given up.
const MOST_DISMISSED: usize = 3;

/// What every run needs.
pub(super) struct Bench<'a> {
    pub(super) store: &'a Store,
    pub(super) settings: &'a [Prepared],
    pub(super) fetching: &'a Fetching,
    pub(super) jobs: Option<u32>,
    pub(super) tag: Option<&'a str>,
    pub(super) cancel: &'a Cancel,
    pub(super) cool_down: Duration,
    pub(super) seed: u64,
}

/// How measuring ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Every cell has enough, or was given up.
    Enough,
    /// The user stopped it.
    Interrupted,
    /// A bug.
    Panicked,
}

impl Bench<'_> {
    pub(super) fn build(&self, setting: usize) -> Build<'_> {
        let Prepared { opened, graph, tools } = &self.settings[setting];
        let (store, jobs, fetching) = (self.store, self.jobs, self.fetching.clone());
        Build { opened, graph, store, tools, jobs, fetching }
    }

    /// Makes what the cell needs, so that its identity is known. Whether the user stopped it.
    pub(super) fn make_inputs(&self, cell: &mut BenchCell) -> Result<bool> {
        let build = self.build(cell.setting);
        let inputs = inputs_of(&cell.needed, cell.run);
        let phases = Phases::new();
        let human = Console::new(console::widest(build.graph, &inputs)).live();
        let journal = Journal::new(build.graph, &phases);
        let progress = Observers(vec![&human, &journal]);
        let host = build.host(&unwatched);
        let engine = build.engine(&host).watched_by(&progress).stopped_by(self.cancel);
        let built = engine.build(&inputs, &Warm::Nothing);
        console::keep(build.store, &journal);
        console::link_clips(build.opened, &journal);
        let summary = built?.summary;
        human.end();
        project::record_downloads(&build, &engine, &cell.needed);
        if summary.cancelled {
            return Ok(true);
        }
        if 0 < summary.failed || summary.panicked {
            cell.standing = Standing::GivenUp(summary.to_string());
            return Ok(false);
        }
        cell.look(&build)?;
        Ok(false)
    }

    /// Measures until nothing is wanted.
    pub(super) fn measure(&self, cells: &mut [BenchCell], wanted: &Wanted) -> Result<End> {
        let (mut round, mut n_runs) = (0u64, 0usize);
        loop {
            let open: Vec<usize> = wanted.of(cells).into_iter().map(|(index, _)| index).collect();
            if open.is_empty() {
                return Ok(End::Enough);
            }
            for at in order::block(self.seed, round, open.len()) {
                if 0 < n_runs && self.cancel.wait(self.cool_down) || self.cancel.is_cancelled() {
                    return Ok(End::Interrupted);
                }
                let left = wanted.of(cells);
                n_runs += 1;
                announce(cells, open[at], n_runs, &left, self.cool_down);
                match self.run(&mut cells[open[at]])? {
                    End::Enough => {}
                    end => return Ok(end),
                }
            }
            round += 1;
        }
    }

    /// Makes one run of a cell.
    fn run(&self, cell: &mut BenchCell) -> Result<End> {
        let build = self.build(cell.setting);
        self.refuse_change(cell)?;
        let graph = build.graph;
        let label = cell.label.clone();
        let (phases, again) =
            (Phases::new(), Again { tasks: BTreeSet::from([cell.run]), why: "a benchmark measures again" });
        let human =
            Console::new(console::widest(graph, &cell.needed)).measuring(build.opened, &cell.subject).live();
        let watch = |seen: Observation<'_>| human.watch(seen);
        let journal = Journal::new(graph, &phases);
        let progress = Observers(vec![&human, &journal]);
        let host = LocalHost { tag: self.tag.map(str::to_owned), ..build.host(&watch) };
        let engine = build.engine(&host).watched_by(&progress).stopped_by(self.cancel).again(again);
        let before = self.store.attempts_of(&label).len();
        let built = engine.build(&cell.needed, &Warm::Nothing);
        console::keep(self.store, &journal);
        console::link_clips(build.opened, &journal);
        let summary = built?.summary;
        human.end();
        if summary.panicked {
            return Ok(End::Panicked);
        }
        let attempts = self.store.attempts_of(&label);
        let newest = attempts.first().filter(|_| before < attempts.len());
        let Some(attempt) = newest else {
            if summary.cancelled {
                return Ok(End::Interrupted);
            }
            // Its inputs cannot be made, which would be so again.
            cell.standing = Standing::GivenUp(summary.to_string());
            return Ok(End::Enough);
        };
        if let Some(key) = &cell.key
            && attempt.document.without_repeat().digest() != key.digest()
        {
            return Err(changed(&cell.name(), &differences(key, &attempt.document.without_repeat())));
        }
        if !attempt.outputs.is_empty() {
            let stored = view::read(self.store, attempt)?;
            let measurement = measure(&stored.record);
            let shown = Report { run: &stored.run, record: &stored.record, measurement: &measurement };
            let layout = &build.opened.project.layout;
            if let Err(error) = view::write(layout, self.store, attempt, &shown) {
                console::note(&format!(
                    "warning: the pages of run {} were not written: {error:#}",
                    stored.run
                ));
            }
        }
        match cell.past.take(self.store, attempt.clone()) {
            Ok(_) => cell.n_dismissed = 0,
            Err(_) if self.cancel.is_cancelled() => return Ok(End::Interrupted),
            Err(why) => {
                console::note(&format!("does not count: {}", harmless_lines(&why)));
                cell.n_dismissed += 1;
                if MOST_DISMISSED <= cell.n_dismissed {
                    let n = cell.n_dismissed;
                    cell.standing =
                        Standing::GivenUp(format!("{n} {} in a row did not count: {why}", plural(n, "run")));
                }
            }
        }
        if self.cancel.is_cancelled() { Ok(End::Interrupted) } else { Ok(End::Enough) }
    }

    /// Refuses to go on with a cell whose host is another one now.
    fn refuse_change(&self, cell: &BenchCell) -> Result<()> {
        let known = &self.settings[cell.setting].tools.host.facts;
        let now = host::facts().facts;
        let differ: Vec<String> = known
            .iter()
            .filter(|(name, _)| !tools::OF_WORKER.contains(&name.as_str()))
            .filter_map(|(name, old)| match now.get(name) {
                Some(new) if new == old => None,
                Some(new) => Some(format!("`{name}` changed from {old} to {new}")),
                None => Some(format!("`{name}`, which was {old}, is not known any more")),
            })
            .collect();
        if differ.is_empty() {
            return Ok(());
        }
        let fault = "the host has changed since the benchmark began, so later runs belong to other cells";
        Err(failed(fault)
            .details(differ)
            .hint("what was measured is kept: `lp bench` again goes on from here"))
    }
}

/// The error of a cell that is another one now.
fn changed(cell: &str, differences: &[impl ToString]) -> CommandError {
    let fault = format!("what `{cell}` depends on has changed since the benchmark began");
    let details = differences.iter().map(ToString::to_string);
    failed(&fault).details(details).hint("what was measured is kept: `lp bench` again measures the new state")
}

fn failed(fault: &str) -> CommandError {
    CommandError::from(anyhow::anyhow!("{fault}"))
}

/// Says which run follows, and how long the rest takes.
fn announce(cells: &[BenchCell], next: usize, nth: usize, left: &[(usize, usize)], cool_down: Duration) {
    let n_left: usize = left.iter().map(|(_, n)| n).sum();
    let total = nth - 1 + n_left.max(1);
    let seconds: f64 =
        left.iter().map(|(index, n)| *n as f64 * (cells[*index].takes_s() + cool_down.as_secs_f64())).sum();
    let cell = &cells[next];
    console::note(&format!(
        "run {nth} of about {total}: {}, repeat {}; {} left",
        cell.name(),
        cell.past.repeats.len() + 1,
        about(seconds)
    ));
}

/// The tasks of a run without the run itself: its inputs.
fn inputs_of(needed: &BTreeSet<TaskId>, run: TaskId) -> BTreeSet<TaskId> {
    needed.iter().copied().filter(|id| *id != run).collect()
}
