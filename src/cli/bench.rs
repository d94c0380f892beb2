//! `lp bench`
//!
//! What is asked for ([`request`]), which cells that makes and what the store has of them ([`cells`]), how
//! many runs are missing ([`rule`]), making them ([`measure`]), and what a comparison says ([`verdict`]).

mod cells;
mod measure;
mod request;
mod rule;
mod verdict;

use std::collections::BTreeMap;

use anyhow::Context;

use self::cells::{BenchCell, Standing, about, looked_at, refuse_same};
use self::measure::{Bench, End};
use self::request::{Asked, Baseline};
use self::rule::{Wanted, main_metric};
use self::verdict::Sides;
use super::args::{BenchArgs, BenchFormat, Global};
use super::progress::note_degraded;
use super::{Exit, console, project};
use crate::bench::matrix::Combination;
use crate::os;
use crate::os::signal::cancel_on_signals;
use crate::record::measure::{Measurement, fit};
use crate::record::metric::Metric;
use crate::report::bench::{self as report, Cell, Dismissed, GateResult, State, figures, outliers};
use crate::store::Store;
use crate::text::{counted, harmless_lines};
use crate::workspace::bench::{Cells, Prepared, write};
use crate::workspace::error::{CommandError, Kind, Result, warnings};

/// # Errors
/// If the request is wrong; without a gate also if something else fails.
pub(super) fn run(global: &Global, args: &BenchArgs) -> Result<Exit> {
    match measured(global, args) {
        // The exit code 1 of a gate says that something is worse, which a full disk does not.
        Err(error) if args.gate && error.kind == Kind::Failed => {
            Err(CommandError { kind: Kind::CannotTell, ..error })
        }
        other => other,
    }
}

fn measured(global: &Global, args: &BenchArgs) -> Result<Exit> {
    let fetching = project::fetching(&args.fetch)?;
    let asked = Asked::of(global, args)?;
    let baseline = match &asked.baseline {
        Baseline::Cell(values) => Some(values),
        Baseline::Nothing | Baseline::Stored(_) => None,
    };
    let Cells { settings, cells } = Cells::open(&asked.load, &asked.matrix, baseline, &args.cameras)?;
    let first = settings.first().expect("a matrix has a combination");
    let warned = settings.iter().find_map(|setting| warnings(&setting.opened.diagnostics, "lp check"));
    warned.iter().for_each(|text| console::note(text));
    let layout = first.opened.project.layout.clone();
    let store = Store::open(layout.clone())?;
    let (settings, mut notes) = prepared(settings, &store)?;
    notes.sort();
    notes.dedup();
    console::notes(&notes);
    let mut cells = looked_at(cells, &settings, &store, &fetching, args.jobs)?;
    refuse_same(&cells)?;
    let sides = Sides::find(&asked.baseline, &cells, &store, &layout)?;

    let cancel = cancel_on_signals()?;
    let bench = Bench {
        store: &store,
        settings: &settings,
        fetching: &fetching,
        jobs: args.jobs,
        tag: args.tag.as_deref(),
        cancel: &cancel,
        cool_down: args.cool_down,
        seed: asked.seed,
    };
    let wanted = |cells: &[BenchCell]| wanted(args, &asked, &sides, cells);
    if args.dry_run {
        list(&bench, &cells, &wanted(&cells));
        return Ok(Exit::Done);
    }
    let mut end = End::Enough;
    for cell in cells.iter_mut().filter(|cell| cell.key.is_none() && cell.is_open()) {
        if bench.make_inputs(cell)? {
            end = End::Interrupted;
            break;
        }
    }
    refuse_same(&cells)?;
    let plan = wanted(&cells);
    let missing = plan.of(&cells);
    if end == End::Enough && missing.is_empty() {
        console::note(&nothing_missing(&cells));
    } else if end == End::Enough {
        for reason in settings.iter().take(1).flat_map(|one| fit::of_host(&one.tools.host.facts)) {
            note_degraded(&reason.text);
        }
        // Otherwise the failure would show only after the measurement.
        os::fs::try_to_write(&layout.results).context("results cannot be kept")?;
        begin(&bench, &cells, &missing);
        end = bench.measure(&mut cells, &plan)?;
    }
    if end == End::Panicked {
        return Ok(Exit::Bug);
    }
    let shown = document(&asked, &sides, &plan, &cells, end, args.gate);
    show(args, &layout.results, &shown)?;
    Ok(match (end, shown.gate.as_ref().map(|gate| gate.result)) {
        (End::Interrupted, _) => Exit::Interrupted,
        (_, Some(GateResult::Fine)) => Exit::Done,
        (_, Some(GateResult::Worse)) => Exit::Failed,
        (_, Some(GateResult::CannotTell)) => Exit::CannotTell,
        (_, None) if cells.iter().any(|cell| matches!(cell.standing, Standing::GivenUp(_))) => Exit::Failed,
        (_, None) => Exit::Done,
    })
}

fn prepared(
    settings: Vec<crate::workspace::bench::Setting>,
    store: &Store,
) -> Result<(Vec<Prepared>, Vec<String>)> {
    let (mut all, mut notes) = (Vec::new(), Vec::new());
    for setting in settings {
        notes.extend(setting.opened.adopted.iter().filter_map(|adopted| adopted.note.clone()));
        let (prepared, of_graph) = setting.prepared(store)?;
        notes.extend(of_graph);
        all.push(prepared);
    }
    Ok((all, notes))
}

/// What is wanted, given what the store has.
fn wanted(args: &BenchArgs, asked: &Asked, sides: &Sides, cells: &[BenchCell]) -> Wanted {
    let pairs = sides.pairs();
    if args.gate && !pairs.is_empty() {
        let more = |(baseline, candidate): &(usize, usize)| {
            let known = rule::paired(&cells[*baseline], &cells[*candidate]).len();
            if args.again { known + 1 } else { 0 }
        };
        let n = pairs.iter().map(more).max().unwrap_or(0).max(asked.pairs);
        return Wanted::Pairs { n, of: pairs };
    }
    if args.again {
        return Wanted::UpTo(cells.iter().map(|cell| cell.n_before + 1).collect());
    }
    let rule = if args.gate { crate::bench::enough::Rule::exactly(asked.pairs) } else { asked.rule };
    Wanted::Repeats { rule, metric: asked.metric }
}

/// `--dry-run`
fn list(bench: &Bench<'_>, cells: &[BenchCell], wanted: &Wanted) {
    let missing: BTreeMap<usize, usize> = wanted.of(cells).into_iter().collect();
    let names: Vec<String> = cells.iter().map(BenchCell::name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(40);
    let paper = console::paper();
    for (index, (cell, name)) in cells.iter().zip(&names).enumerate() {
        let more = missing.get(&index).copied().unwrap_or(0);
        let text = harmless_lines(&cell.plan(bench.store, more));
        console::out(&(paper.beside(&harmless_lines(name), width, &text).join("\n") + "\n"));
    }
    let n: usize = missing.values().sum();
    console::out(&match n {
        0 => format!("{}\n", nothing_missing(cells)),
        n => format!("{} would be made, which takes {}\n", counted(n, "run"), takes(bench, cells, &missing)),
    });
}

fn takes(bench: &Bench<'_>, cells: &[BenchCell], missing: &BTreeMap<usize, usize>) -> String {
    let cool_down = bench.cool_down.as_secs_f64();
    about(missing.iter().map(|(index, n)| *n as f64 * (cells[*index].takes_s() + cool_down)).sum())
}

fn nothing_missing(cells: &[BenchCell]) -> String {
    let n = cells.iter().filter(|cell| cell.is_open()).count();
    format!(
        "nothing to measure: {} enough runs; `--again` adds one to each",
        match n {
            1 => "the cell has".to_owned(),
            n => format!("{n} cells have"),
        }
    )
}

/// Says what is measured, and how to have the same order again.
fn begin(bench: &Bench<'_>, cells: &[BenchCell], missing: &[(usize, usize)]) {
    let missing: BTreeMap<usize, usize> = missing.iter().copied().collect();
    console::note(&format!(
        "{} of {}, about {} in all: {}; the order is that of `--seed {}`",
        counted(missing.len(), "cell"),
        cells.len(),
        counted(missing.values().sum::<usize>(), "run"),
        takes(bench, cells, &missing),
        bench.seed
    ));
    for cell in cells.iter() {
        if let Standing::NotAvailable(why) = &cell.standing {
            console::note(&format!("{}: not available: {}", cell.name(), harmless_lines(why)));
        }
    }
}

/// The benchmark as it is now.
fn document(
    asked: &Asked,
    sides: &Sides,
    plan: &Wanted,
    cells: &[BenchCell],
    end: End,
    gates: bool,
) -> report::Bench {
    let open: Vec<usize> = plan.of(cells).into_iter().map(|(index, _)| index).collect();
    let metric = asked.metric.or_else(|| cells.first().map(|cell| main_metric(cell.pace)));
    let metric = metric.unwrap_or(Metric::CpuPerFrame);
    let mut shown: Vec<Cell> = cells
        .iter()
        .enumerate()
        .map(|(index, cell)| shown_cell(cell, open.contains(&index), asked))
        .collect();
    for (cell, against) in shown.iter_mut().zip(sides.compared(cells)) {
        cell.against = against;
    }
    let host = cells.iter().find_map(|cell| cell.past.repeats.last()).map(|repeat| repeat.run.host.clone());
    let ranking = verdict::ranking(cells, &shown, sides, metric);
    let gate = gates.then(|| verdict::gate(cells, &shown, sides));
    let subject = cells.first().map_or("lane", |cell| cell.subject.name.as_str());
    report::Bench {
        version: report::VERSION,
        lp: env!("CARGO_PKG_VERSION").to_owned(),
        name: asked.name(subject),
        seed: asked.seed,
        new_runs: cells.iter().map(|cell| cell.past.repeats.len() - cell.n_before).sum(),
        interrupted: end == End::Interrupted,
        metric,
        host: host.unwrap_or_default(),
        cells: shown,
        ranking,
        gate,
    }
}

fn shown_cell(cell: &BenchCell, is_unfinished: bool, asked: &Asked) -> Cell {
    let runs: Vec<String> = cell.repeats().map(|repeat| repeat.run.run.clone()).collect();
    let measurements: Vec<&Measurement> = cell.repeats().map(|repeat| &repeat.run.measurement).collect();
    let metric = asked.metric.unwrap_or_else(|| main_metric(cell.pace));
    let far = rule::values(cell, metric).map(|values| outliers(metric, &values, &runs)).unwrap_or_default();
    let (state, reason) = match &cell.standing {
        Standing::NotAvailable(why) => (State::NotAvailable, Some(why.clone())),
        Standing::GivenUp(why) => (State::Unfinished, Some(why.clone())),
        Standing::Open if is_unfinished || runs.is_empty() => (State::Unfinished, None),
        Standing::Open => (State::Measured, None),
    };
    let Combination(values) = &cell.values;
    Cell {
        name: cell.name(),
        values: values.iter().map(|(key, value)| (key.to_string(), value.clone())).collect(),
        subject: cell.subject.name.clone(),
        pace: cell.pace,
        state,
        reason,
        figures: figures(&measurements, cell.pace),
        runs,
        dismissed: cell
            .past
            .dismissed
            .iter()
            .map(|one| Dismissed { run: one.run.clone(), why: one.why.clone() })
            .collect(),
        left_out: cell.left_out.clone(),
        outliers: far,
        against: None,
    }
}

/// Writes all forms, and prints the one that was asked for.
fn show(args: &BenchArgs, results: &std::path::Path, shown: &report::Bench) -> Result<()> {
    let forms = [
        ("bench.json", shown.json()),
        ("bench.csv", report::csv(shown)),
        ("bench.html", report::html(shown, Some("bench"))),
        ("bench.md", report::md(shown)),
    ];
    let folder =
        write(results, &shown.name, &forms).context("failed to write the report of the benchmark")?;
    let format = if args.json { BenchFormat::Json } else { args.format };
    console::out(&match format {
        BenchFormat::Human => format!("\n{}", report::table(shown, console::paper())),
        BenchFormat::Json => shown.json(),
        BenchFormat::Csv => report::csv(shown),
        BenchFormat::Md => report::md(shown),
        BenchFormat::Html => report::html(shown, None),
    });
    console::note(&format!("report: {}", folder.join("bench.html").display()));
    if let Some(gate) = &shown.gate {
        // The last line says what decided.
        match gate.result {
            GateResult::Fine => console::note(&format!("gate: fine: {}", harmless_lines(&gate.reason))),
            GateResult::Worse => {
                console::result(&console::error_text(
                    &harmless_lines(&format!("gate: worse: {}", gate.reason)),
                    &[],
                ));
            }
            GateResult::CannotTell => {
                console::result(&console::error_text(
                    &harmless_lines(&format!("gate: cannot tell: {}", gate.reason)),
                    &[],
                ));
            }
        }
    }
    Ok(())
}
