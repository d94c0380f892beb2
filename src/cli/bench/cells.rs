//! The cells of a benchmark before anything runs: what each would play, what the store has of it, and
//! why one cannot be measured on this machine.

use std::collections::BTreeSet;

use crate::action::Fetching;
use crate::bench::matrix::Combination;
use crate::cli::checks;
use crate::graph::lower::Subject;
use crate::graph::{TaskId, select};
use crate::os;
use crate::record::Pace;
use crate::store::Store;
use crate::store::key::KeyDocument;
use crate::text::counted;
use crate::workspace::bench::{Cell, Past, Prepared, Repeat, in_a_line, why_new};
use crate::workspace::build::{Build, unwatched};
use crate::workspace::error::{CommandError, Kind, Result};

/// A run takes about so much longer than its warm-up and its window, in seconds.
const OVERHEAD_S: f64 = 2.0;
/// The shortest warm-up `auto`, in seconds.
const AUTO_WARMUP_S: f64 = 2.0;
/// Played freely, clips take as long as they take; until one was played, this is supposed.
const FREE_S: f64 = 30.0;

/// A cell that is measured.
pub(super) struct BenchCell {
    pub(super) values: Combination,
    /// The index of its setting.
    pub(super) setting: usize,
    pub(super) subject: Subject,
    pub(super) label: String,
    pub(super) run: TaskId,
    /// The run and all that it needs.
    pub(super) needed: BTreeSet<TaskId>,
    /// Its identity; `None` while something that it depends on must be made first.
    pub(super) key: Option<KeyDocument>,
    pub(super) past: Past,
    pub(super) standing: Standing,
    /// Runs in a row that did not count.
    pub(super) n_dismissed: usize,
    /// Repeats that the store had before.
    pub(super) n_before: usize,
    pub(super) pace: Pace,
    /// Pipelines that cannot be played.
    pub(super) left_out: Vec<String>,
    expected_s: f64,
}

/// Whether a cell can be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    /// This machine cannot play it.
    NotAvailable(String),
    /// It was tried, and left no figures that count.
    GivenUp(String),
}

impl BenchCell {
    /// `profile=gpu count=4`
    pub(super) fn name(&self) -> String {
        self.values.to_string()
    }

    pub(super) fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }

    /// Its repeats, oldest first.
    pub(super) fn repeats(&self) -> impl Iterator<Item = &Repeat> {
        self.past.repeats.iter().map(AsRef::as_ref)
    }

    /// About how long a run takes, in seconds.
    pub(super) fn takes_s(&self) -> f64 {
        let n = self.past.repeats.len();
        if n == 0 {
            return self.expected_s;
        }
        self.repeats().map(|repeat| repeat.attempt.duration_ms as f64 / 1000.0).sum::<f64>() / n as f64
    }
}

/// All cells, with what the store has of them. Runs nothing.
///
/// # Errors
/// If none can be measured, with the reasons of all.
pub(super) fn looked_at(
    cells: Vec<Cell>,
    settings: &[Prepared],
    store: &Store,
    fetching: &Fetching,
    jobs: Option<u32>,
) -> Result<Vec<BenchCell>> {
    let mut found = Vec::new();
    let mut refused: Vec<CommandError> = Vec::new();
    for cell in cells {
        let Prepared { opened, graph, tools } = &settings[cell.setting];
        let build = Build { opened, graph, store, tools, jobs, fetching: fetching.clone() };
        let label = cell.subject.run_label();
        let run = graph.by_label(&label).expect("the subject's tasks were lowered");
        let needed = select::closure(graph, &BTreeSet::from([run]));
        let run_settings = &opened.project.settings;
        let expected_s = match run_settings.pace {
            Pace::Free => FREE_S,
            Pace::Live => {
                let warmup_s = run_settings.warmup.map_or(AUTO_WARMUP_S, |warmup| warmup.as_secs_f64());
                run_settings.duration.as_secs_f64() + warmup_s + OVERHEAD_S
            }
        };
        if run_settings.pace == Pace::Live && run_settings.duration.is_zero() {
            let fault = "a benchmark needs runs that end: `run.duration` is `0s`, which means until Ctrl-C";
            return Err(CommandError::refused(fault).hint("set it with `--duration 30s`"));
        }
        let mut cell = BenchCell {
            values: cell.values,
            setting: cell.setting,
            subject: cell.subject,
            label,
            run,
            needed,
            key: None,
            past: Past::default(),
            standing: Standing::Open,
            n_dismissed: 0,
            n_before: 0,
            pace: run_settings.pace,
            left_out: Vec::new(),
            expected_s,
        };
        match checked(&build, &cell) {
            Ok(left_out) => cell.left_out = left_out,
            // A worker that does not answer, or a file that cannot be read, concerns this machine.
            Err(error) if error.kind != Kind::Interrupted => {
                cell.standing = Standing::NotAvailable(in_a_line(&error));
                refused.push(error);
            }
            Err(error) => return Err(error),
        }
        // What was measured before counts, also where it cannot be played any more.
        cell.look(&build)?;
        found.push(cell);
    }
    if found.iter().all(|cell| !cell.is_open()) {
        let mut seen = BTreeSet::new();
        let each = refused.into_iter().filter(|error| seen.insert(in_a_line(error)));
        if let Some(error) = CommandError::all(each) {
            return Err(error);
        }
    }
    Ok(found)
}

/// Refuses cells that would be one in the store, whose runs nobody could tell apart.
pub(super) fn refuse_same(cells: &[BenchCell]) -> Result<()> {
    let mut errors = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let Some(key) = &cell.key else { continue };
        let same = |other: &&BenchCell| other.label == cell.label && other.key.as_ref() == Some(key);
        if let Some(first) = cells[..index].iter().find(same) {
            let fault = format!(
                "the cells `{}` and `{}` are the same: nothing in their runs differs",
                first.name(),
                cell.name()
            );
            let error = CommandError::refused(fault);
            let names_worker = cell.values.0.iter().any(|(key, _)| key.to_string().starts_with("worker."));
            errors.push(match os::env::raw("LP_WORKER").filter(|value| names_worker && !value.is_empty()) {
                Some(_) => error.hint("`LP_WORKER` is set, and takes precedence over `worker.command`"),
                None => error.hint("leave one of them out"),
            });
        }
    }
    CommandError::all(errors).map_or(Ok(()), Err)
}

/// What is left out of the cell, or why nothing of it can be played here.
fn checked(build: &Build<'_>, cell: &BenchCell) -> Result<Vec<String>> {
    let opened = build.opened;
    let left_out = checks::left_out(opened, &cell.subject)?;
    checks::check_display(opened)?;
    checks::check_variables(opened, &cell.subject)?;
    checks::check_streams(opened, &cell.subject)?;
    checks::check_sources(opened, build.graph, &cell.needed, &cell.subject)?;
    let host = build.host(&unwatched);
    let engine = build.engine(&host);
    // The run itself may be fresh; whether it could be made again matters here.
    let again = crate::engine::Again { tasks: BTreeSet::from([cell.run]), why: "a benchmark measures again" };
    build.refuse_missing(&engine.again(again), &cell.needed)?;
    Ok(left_out)
}

impl BenchCell {
    /// Finds out its identity and its runs.
    pub(super) fn look(&mut self, build: &Build<'_>) -> Result<()> {
        let host = build.host(&unwatched);
        self.key = build.engine(&host).key_of(self.run)?;
        if let Some(key) = &self.key {
            self.past = Past::of(build.store, &self.label, key);
            self.n_before = self.past.repeats.len();
        }
        Ok(())
    }

    /// What `lp bench --dry-run` says about it. `more` runs are wanted.
    pub(super) fn plan(&self, store: &Store, more: usize) -> String {
        let n = self.past.repeats.len();
        let mut text = match (&self.standing, &self.key) {
            (Standing::NotAvailable(why), _) => format!("not available: {why}"),
            (Standing::GivenUp(why), _) => why.clone(),
            (Standing::Open, None) => {
                let takes = about(more as f64 * self.takes_s());
                return format!("{} ({takes}), after what it needs is made", counted(more, "run"));
            }
            (Standing::Open, Some(_)) if more == 0 => format!("{} in the store", counted(n, "repeat")),
            (Standing::Open, Some(_)) => {
                let takes = about(more as f64 * self.takes_s());
                format!("{} ({takes}), {} in the store", counted(more, "run"), counted(n, "repeat"))
            }
        };
        if !self.past.dismissed.is_empty() {
            text.push_str(&format!("; {} not counted", counted(self.past.dismissed.len(), "run")));
        }
        let new = self.key.as_ref().filter(|_| n == 0).and_then(|key| why_new(store, &self.label, key));
        if let Some(why) = new {
            text.push_str(&format!("; other than the last runs: {why}"));
        }
        text
    }
}

/// `about 4 min`
pub(super) fn about(seconds: f64) -> String {
    match seconds {
        ..90.0 => format!("about {:.0} s", seconds.max(1.0)),
        ..5400.0 => format!("about {:.0} min", seconds / 60.0),
        _ => format!("about {:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_to_what_is_known() {
        let texts = [0.2, 42.4, 89.9, 90.0, 5_399.0, 9_000.0].map(about);
        assert_eq!(
            texts,
            ["about 1 s", "about 42 s", "about 90 s", "about 2 min", "about 90 min", "about 2.5 h"]
        );
    }
}
