//! How many runs each cell of a benchmark still needs.

use super::cells::BenchCell;
use crate::bench::enough::{Need, Rule};
use crate::bench::pairs::pairs;
use crate::record::Pace;
use crate::record::metric::{At, Metric};

/// What is wanted of the cells.
pub(super) enum Wanted {
    /// Repeats until the interval of a metric is narrow, or exactly so many.
    Repeats { rule: Rule, metric: Option<Metric> },
    /// So many repeats of each cell: one more than there were.
    UpTo(Vec<usize>),
    /// So many pairs of runs that are neighbours in time, of a baseline and a candidate.
    Pairs { n: usize, of: Vec<(usize, usize)> },
}

/// The metric whose interval decides, unless the user names one.
pub(super) fn main_metric(pace: Pace) -> Metric {
    match pace {
        Pace::Live => Metric::CpuPerFrame,
        Pace::Free => Metric::Fps,
    }
}

/// The values of a metric in all repeats of a cell, for the lane.
///
/// # Errors
/// Why one has none.
pub(super) fn values(cell: &BenchCell, metric: Metric) -> Result<Vec<f64>, String> {
    cell.repeats().map(|repeat| metric.value(&repeat.run.measurement, At::Lane)).collect()
}

impl Wanted {
    /// The cells that need more runs, and how many.
    pub(super) fn of(&self, cells: &[BenchCell]) -> Vec<(usize, usize)> {
        let open = || cells.iter().enumerate().filter(|(_, cell)| cell.is_open());
        let more: Vec<(usize, usize)> = match self {
            Wanted::Repeats { rule, metric } => {
                let need = |cell: &BenchCell| {
                    let metric = metric.unwrap_or_else(|| main_metric(cell.pace));
                    let series: Vec<Vec<f64>> = values(cell, metric).into_iter().collect();
                    match rule.need(cell.past.repeats.len(), &series) {
                        Need::Nothing => 0,
                        Need::More(n) => n,
                    }
                };
                open().map(|(index, cell)| (index, need(cell))).collect()
            }
            Wanted::UpTo(targets) => open()
                .map(|(index, cell)| (index, targets[index].saturating_sub(cell.past.repeats.len())))
                .collect(),
            Wanted::Pairs { n, of } => {
                let mut more = vec![0; cells.len()];
                for (baseline, candidate) in of {
                    if cells[*baseline].is_open() && cells[*candidate].is_open() {
                        let missing = n.saturating_sub(paired(&cells[*baseline], &cells[*candidate]).len());
                        for index in [*baseline, *candidate] {
                            more[index] = missing.max(more[index]);
                        }
                    }
                }
                more.into_iter().enumerate().collect()
            }
        };
        more.into_iter().filter(|(_, n)| 0 < *n).collect()
    }
}

/// The pairs of two cells, as indices of their repeats.
pub(super) fn paired(baseline: &BenchCell, candidate: &BenchCell) -> Vec<(usize, usize)> {
    let spans =
        |cell: &BenchCell| cell.repeats().map(crate::workspace::bench::Repeat::span).collect::<Vec<_>>();
    pairs(&spans(baseline), &spans(candidate))
}
