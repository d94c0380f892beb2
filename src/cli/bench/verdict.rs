//! What the comparison of cells says: each against its baseline, the best placement, and the gate.
//!
//! A gate passes only what was shown: a cell that is missing, has no partner or cannot be told apart is
//! never fine. The test itself is `record::comparison`.

use std::collections::BTreeSet;

use super::cells::{BenchCell, Standing};
use super::request::Baseline;
use super::rule::paired;
use crate::bench::matrix::Combination;
use crate::cli::console;
use crate::path::Layout;
use crate::record::comparison::{Comparison, Field, LEAST_RUNS, Options, Row, RunOf, Verdict, compare};
use crate::record::metric::Metric;
use crate::report::bench::{Cell, Gate, GateResult, Ranking};
use crate::store::Store;
use crate::text::counted;
use crate::workspace::bench::{Repeat, stored_runs};
use crate::workspace::error::Result;

/// What may never differ between two cells: other cameras are another load.
const SAME_LOAD: [Field; 3] = [Field::Pace, Field::Cameras, Field::Count];

/// What may differ from stored runs of the same cameras, since a change of the lane is what a gate judges. Its clips
/// and conditions may not.
const CHANGES: [Field; 6] =
    [Field::Steps, Field::Model, Field::Precision, Field::Device, Field::Dialect, Field::Host];

/// What each cell is compared with.
pub(super) enum Sides {
    Nothing,
    /// For each cell the one with the baseline's values; `None` for a baseline.
    Cells(Vec<Option<usize>>),
    /// Runs that were made before or elsewhere, and how they were named.
    Stored {
        named: String,
        runs: Vec<RunOf>,
    },
}

impl Sides {
    /// # Errors
    /// If stored runs cannot be found or read.
    pub(super) fn find(
        baseline: &Baseline,
        cells: &[BenchCell],
        store: &Store,
        layout: &Layout,
    ) -> Result<Sides> {
        Ok(match baseline {
            Baseline::Nothing => Sides::Nothing,
            Baseline::Cell(values) => {
                let partner = |(index, cell): (usize, &BenchCell)| {
                    let wanted = cell.values.with(values);
                    let found = cells.iter().position(|other| is_same(&other.values, &wanted));
                    found.filter(|found| *found != index)
                };
                Sides::Cells(cells.iter().enumerate().map(partner).collect())
            }
            Baseline::Stored(words) => {
                let subjects: BTreeSet<&str> = cells.iter().map(|cell| cell.subject.name.as_str()).collect();
                let mut runs = Vec::new();
                for subject in subjects {
                    let found = stored_runs(store, &layout.root, subject, words)?;
                    found.notes.iter().for_each(|text| console::note(text));
                    runs.extend(found.runs);
                }
                Sides::Stored { named: words.join(" "), runs }
            }
        })
    }

    /// The pairs of cells that are compared: baseline and candidate.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let Sides::Cells(partners) = self else { return Vec::new() };
        partners.iter().enumerate().filter_map(|(index, partner)| Some(((*partner)?, index))).collect()
    }

    /// Whether stored runs are of this cell itself: then files, conditions and host are the same, to the byte.
    fn has_runs_of(&self, cell: &BenchCell) -> bool {
        let Sides::Stored { runs, .. } = self else { return false };
        let counts = |run: &&RunOf| run.excluded.is_none();
        runs.iter().filter(counts).any(|run| cell.repeats().any(|repeat| repeat.run.run == run.run))
    }

    /// The comparison of each cell with its baseline; `None` if it has none, or is that itself.
    pub(super) fn compared(&self, cells: &[BenchCell]) -> Vec<Option<Comparison>> {
        let of = |(index, cell): (usize, &BenchCell)| match self {
            Sides::Nothing => None,
            Sides::Cells(partners) => Some(compared(&cells[partners[index]?], cell)),
            Sides::Stored { .. } if self.has_runs_of(cell) => None,
            Sides::Stored { named, runs } => {
                let candidate: Vec<RunOf> = cell.repeats().map(|repeat| repeat.run.clone()).collect();
                let is_of_it = |run: &&RunOf| run.subject == cell.subject.name;
                let runs: Vec<RunOf> = runs.iter().filter(is_of_it).cloned().collect();
                let names = Some((named.clone(), cell.name()));
                Some(compare(
                    &runs,
                    &candidate,
                    &Options { names, across: CHANGES.into(), ..Options::default() },
                ))
            }
        };
        cells.iter().enumerate().map(of).collect()
    }
}

/// Whether two combinations have the same values, in whichever order.
fn is_same(one: &Combination, other: &Combination) -> bool {
    one.0.len() == other.0.len() && one.0.iter().all(|(key, value)| other.get(key) == Some(value))
}

/// Two cells: by their pairs if most runs have a partner, and then by these runs alone.
fn compared(baseline: &BenchCell, candidate: &BenchCell) -> Comparison {
    let pairs = paired(baseline, candidate);
    let most = baseline.past.repeats.len().max(candidate.past.repeats.len());
    let in_pairs = LEAST_RUNS <= pairs.len() && 3 * most <= 4 * pairs.len();
    let run = |cell: &BenchCell, index: usize| cell.past.repeats[index].run.clone();
    let (one, other, named) = if in_pairs {
        let (first, second): (Vec<RunOf>, Vec<RunOf>) =
            pairs.iter().map(|(a, b)| (run(baseline, *a), run(candidate, *b))).unzip();
        let named = first.iter().zip(&second).map(|(a, b)| (a.run.clone(), b.run.clone())).collect();
        (first, second, named)
    } else {
        let all =
            |cell: &BenchCell| cell.repeats().map(|repeat: &Repeat| repeat.run.clone()).collect::<Vec<_>>();
        (all(baseline), all(candidate), Vec::new())
    };
    let across: BTreeSet<Field> = Field::ALL.into_iter().filter(|field| !SAME_LOAD.contains(field)).collect();
    let options = Options {
        across,
        pairs: Some(named).filter(|_| in_pairs),
        names: Some((baseline.name(), candidate.name())),
        ..Options::default()
    };
    compare(&one, &other, &options)
}

/// For each load, which cell is best by the main metric; `None` if nothing but a baseline is compared.
pub(super) fn ranking(cells: &[BenchCell], shown: &[Cell], sides: &Sides, metric: Metric) -> Option<Ranking> {
    let Sides::Cells(_) = sides else { return None };
    let mut loads: Vec<(Combination, Vec<usize>)> = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        let load = cell.values.load();
        match loads.iter_mut().find(|(known, _)| *known == load) {
            Some((_, group)) => group.push(index),
            None => loads.push((load, vec![index])),
        }
    }
    let lines = loads.iter().filter(|(_, group)| 1 < group.len()).map(|(load, group)| {
        let of_load = if load.0.is_empty() { String::new() } else { format!("{load}: ") };
        format!("{of_load}{}", best(cells, shown, group, metric))
    });
    Some(Ranking { lines: lines.collect() })
}

/// The best of a group, if the test says so against each of the others.
fn best(cells: &[BenchCell], shown: &[Cell], group: &[usize], metric: Metric) -> String {
    let measured: Vec<usize> = group.iter().copied().filter(|index| !shown[*index].runs.is_empty()).collect();
    if measured.len() < 2 {
        return "no best can be named: fewer than two of its cells have runs".to_owned();
    }
    let is_wrong = |index: usize| {
        shown[index].against.as_ref().is_some_and(|against| against.verdict == Verdict::FasterButWrong)
    };
    let wins = |one: &usize| {
        let mut others = measured.iter().filter(|other| *other != one);
        !is_wrong(*one) && others.all(|other| is_better(&compared(&cells[*other], &cells[*one]), metric))
    };
    let by = metric.words();
    match measured.iter().find(|index| wins(index)) {
        Some(index) => format!("best by {by}: {}", shown[*index].name),
        None => format!("no best by {by} can be named: the test does not set one apart from all others"),
    }
}

/// Whether a metric is better somewhere, and nowhere worse or open.
fn is_better(against: &Comparison, metric: Metric) -> bool {
    let rows: Vec<&Row> = against.rows.iter().filter(|row| row.metric == metric).collect();
    let is = |verdict: Verdict| rows.iter().any(|row| row.verdict == verdict);
    against.wrong.is_empty() && is(Verdict::Better) && !is(Verdict::Worse) && !is(Verdict::CannotTell)
}

/// What the gate says of one cell.
fn of_cell(cell: &BenchCell, shown: &Cell, sides: &Sides) -> (GateResult, String) {
    // Runs that the store has from before say nothing of what cannot be measured now.
    let open = match &cell.standing {
        Standing::Open => None,
        Standing::NotAvailable(why) => Some(format!("{} is not available: {why}", shown.name)),
        Standing::GivenUp(why) => Some(format!("{} was given up: {why}", shown.name)),
    };
    let (result, said) = of_runs(cell, shown, sides);
    match open {
        Some(why) if result == GateResult::Fine || matches!(cell.standing, Standing::NotAvailable(_)) => {
            (GateResult::CannotTell, why)
        }
        _ => (result, said),
    }
}

/// What the runs of a cell say of it.
fn of_runs(cell: &BenchCell, shown: &Cell, sides: &Sides) -> (GateResult, String) {
    if let Sides::Stored { named, .. } = sides
        && sides.has_runs_of(cell)
    {
        let said = format!("nothing that is measured differs from {named}: its runs are of the same cell");
        return (GateResult::Fine, said);
    }
    let Some(against) = &shown.against else {
        return (GateResult::CannotTell, format!("{} was compared with nothing", shown.name));
    };
    // The gate itself says that.
    let headline = against.headline.strip_prefix("cannot tell: ").unwrap_or(&against.headline);
    let said = format!("{headline} (against {})", against.baseline.name);
    // Of cells that are measured here, the host is what is compared, if anything of it differs.
    let other_host: Vec<String> = against
        .differences
        .iter()
        .filter(|difference| matches!(sides, Sides::Stored { .. }) && difference.field == Field::Host.word())
        .map(|difference| {
            let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "not known".to_owned());
            format!(
                "{} is {} there, {} here",
                difference.at,
                told(&difference.baseline),
                told(&difference.candidate)
            )
        })
        .collect();
    if !other_host.is_empty() {
        let facts = other_host.join("; ");
        return (GateResult::CannotTell, format!("the baseline is of another host: {facts}"));
    }
    let result = match against.verdict {
        Verdict::Worse | Verdict::FasterButWrong => GateResult::Worse,
        Verdict::CannotTell => GateResult::CannotTell,
        Verdict::Better | Verdict::Same => GateResult::Fine,
    };
    (result, said)
}

/// What the gate says of all comparisons.
pub(super) fn gate(cells: &[BenchCell], shown: &[Cell], sides: &Sides) -> Gate {
    let baselines: Vec<usize> = sides.pairs().into_iter().map(|(baseline, _)| baseline).collect();
    let candidates: Vec<(GateResult, String)> = cells
        .iter()
        .zip(shown)
        .enumerate()
        .filter(|(index, _)| !baselines.contains(index))
        .map(|(_, (cell, shown))| of_cell(cell, shown, sides))
        .collect();
    let n = candidates.len();
    for result in [GateResult::Worse, GateResult::CannotTell] {
        let with: Vec<&String> =
            candidates.iter().filter(|(one, _)| *one == result).map(|(_, said)| said).collect();
        if let Some(first) = with.first() {
            let of_all = if n > 1 {
                format!("{} of {}: ", with.len(), counted(n, "comparison"))
            } else {
                String::new()
            };
            return Gate { result, reason: format!("{of_all}{first}") };
        }
    }
    match candidates.as_slice() {
        [] => Gate { result: GateResult::CannotTell, reason: "nothing was compared".to_owned() },
        [(_, said)] => Gate { result: GateResult::Fine, reason: said.clone() },
        all => {
            let reason = format!("nothing is worse in {}", counted(all.len(), "comparison"));
            Gate { result: GateResult::Fine, reason }
        }
    }
}
