//! Reports of a benchmark: tables for the terminal and for Markdown, JSON, CSV and one HTML file.
//!
//! All pure, and the same benchmark makes the same bytes. Every form begins with what decided, then has
//! every cell with its repeats, the mean of each metric with its interval at 95 %, and what a
//! comparison says. A figure of the lane is that of its worst stream, unless it is a sum by nature.
//!
//! Not here: measuring (`cli::bench`) and comparing (`record::comparison`).

mod csv;
mod html;
mod md;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use self::csv::csv;
pub use self::html::html;
pub use self::md::md;
pub use self::table::table;

use crate::diag::Tone;
use crate::record::Pace;
use crate::record::comparison::{Comparison, Row, Verdict, words};
use crate::record::measure::{Measurement, number};
use crate::record::metric::{At, Matters, Metric, Scope, Unit};
use crate::stats::Repeats;
use crate::text::{counted, plural};

/// The version of the JSON and CSV documents.
pub const VERSION: u32 = 1;

/// How sure intervals are.
pub const CONFIDENCE: f64 = 0.95;

/// The metrics of a cell that people see, in this order, where they have a value; documents have all.
const SHOWN: [Metric; 14] = [
    Metric::CpuPerFrame,
    Metric::Fps,
    Metric::FpsTotal,
    Metric::LatenessP95,
    Metric::OnTime,
    Metric::Goodput,
    Metric::Dropped,
    Metric::StartUp,
    Metric::Rss,
    Metric::Memory,
    Metric::Cpu,
    Metric::PowerMean,
    Metric::EnergyPerFrame,
    Metric::Recall,
];

/// A benchmark: plain data, as its JSON has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bench {
    /// [`VERSION`].
    pub version: u32,
    /// The version of `lp`.
    pub lp: String,
    /// The folder of its results.
    pub name: String,
    /// By which the order of runs was shuffled.
    pub seed: u64,
    /// Runs that were made by this call.
    pub new_runs: usize,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// The metric whose interval decided how often to repeat.
    #[serde(serialize_with = "by_name")]
    pub metric: Metric,
    /// The machine; empty if no cell has a repeat.
    pub host: BTreeMap<String, String>,
    pub cells: Vec<Cell>,
    /// What each placement is worth, for a matrix that compares.
    pub ranking: Option<Ranking>,
    /// What the gate says; `None` without one.
    pub gate: Option<Gate>,
}

/// One configuration of the matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// `profile=gpu count=4`
    pub name: String,
    /// The values of the axes.
    pub values: BTreeMap<String, String>,
    /// The cameras: `lane`, `camera-3`.
    pub subject: String,
    pub pace: Pace,
    pub state: State,
    /// Why it could not be measured, or not often enough.
    pub reason: Option<String>,
    /// The runs that count, oldest first.
    pub runs: Vec<String>,
    /// The runs that do not, with the reason.
    pub dismissed: Vec<Dismissed>,
    /// Pipelines that cannot be played.
    pub left_out: Vec<String>,
    /// Each metric of the lane, then of each camera and stream.
    pub figures: Vec<Figure>,
    /// Repeats that lie far from the others; they count all the same.
    pub outliers: Vec<String>,
    /// The comparison with its baseline; `None` for a baseline, and where nothing is compared.
    pub against: Option<Comparison>,
}

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has the repeats that were asked for.
    Measured,
    /// It has fewer.
    Unfinished,
    /// This machine cannot play it.
    NotAvailable,
}

/// A run that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dismissed {
    pub run: String,
    pub why: String,
}

/// A metric of a cell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    #[serde(serialize_with = "by_name")]
    pub metric: Metric,
    /// In UCUM.
    pub unit: &'static str,
    /// `lane`, `camera-3`, `camera-3/1`
    pub at: String,
    /// Of each repeat, in the order of `runs`.
    pub values: Vec<f64>,
    pub mean: Option<f64>,
    /// The median, which one odd repeat does not move.
    pub median: Option<f64>,
    /// Of a single repeat.
    pub deviation: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// Why there is no value: `not available: ...`
    pub absent: Option<String>,
}

/// The class of a verdict's badge in pages.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "holds",
        Verdict::Same => "not_judged",
        Verdict::CannotTell => "undecided",
        Verdict::Worse | Verdict::FasterButWrong => "failed",
    }
}

fn tone(verdict: Verdict) -> Option<Tone> {
    match verdict {
        Verdict::Better => Some(Tone::Good),
        Verdict::Same => None,
        Verdict::CannotTell => Some(Tone::Unsure),
        Verdict::Worse | Verdict::FasterButWrong => Some(Tone::Bad),
    }
}

/// The rows of a comparison that people see: those that decide, and others that changed.
fn shown_rows(comparison: &Comparison) -> impl Iterator<Item = &Row> {
    let is_shown = |row: &&Row| row.decides || !matches!(row.verdict, Verdict::Same | Verdict::CannotTell);
    comparison.rows.iter().filter(is_shown)
}

/// A change with its interval; `-` where there is none.
fn change(row: &Row) -> String {
    words::change(row).unwrap_or_else(|| "-".to_owned())
}

/// The best of cells that play the same cameras.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranking {
    /// One line for each load: which cell is best, or why none can be named.
    pub lines: Vec<String>,
}

/// What a gate says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    pub result: GateResult,
    /// What decided.
    pub reason: String,
}

/// The result of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GateResult {
    Fine,
    Worse,
    CannotTell,
}

impl Figure {
    /// A metric of some runs at a place. `outcome` is the value of each run, or why one has none.
    fn of(metric: Metric, at: &str, outcome: Result<Vec<f64>, String>) -> Figure {
        let unit = metric.unit().ucum();
        let (values, absent) = match outcome {
            Ok(values) => (values, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let repeats = Repeats::of(&values, CONFIDENCE);
        let interval = repeats.and_then(|repeats| repeats.interval);
        Figure {
            metric,
            unit,
            at: at.to_owned(),
            mean: repeats.map(|repeats| repeats.mean),
            median: median(&values),
            deviation: repeats.and_then(|repeats| repeats.deviation),
            low: interval.map(|interval| possible(metric, interval.low)),
            high: interval.map(|interval| possible(metric, interval.high)),
            values,
            absent,
        }
    }

    /// `4.21 ms ±1.2 %`, `99.2 % ±0.10`; the reason if it is absent.
    fn shown(&self) -> String {
        let Some(mean) = self.mean else { return "-".to_owned() };
        format!("{}{}", self.metric.unit().shown(mean), self.plus_minus().unwrap_or_default())
    }

    /// ` ±1.2 %`
    fn plus_minus(&self) -> Option<String> {
        let (mean, half) = (self.mean?, (self.high? - self.low?) / 2.0);
        Some(match self.metric.matters() {
            Matters::Relative(_) if mean != 0.0 => format!(" ±{} %", number(100.0 * half / mean.abs())),
            _ => format!(" ±{}", self.metric.unit().shown(half)),
        })
    }

    /// `4.15 to 4.27 ms`
    fn interval(&self) -> Option<String> {
        let shown = |value| self.metric.unit().shown(value);
        Some(format!("{} to {}", shown(self.shown_low()?), shown(self.high?)))
    }

    /// The lower end as people see it: not below 0, unless the metric goes there, as an early frame does.
    fn shown_low(&self) -> Option<f64> {
        let low = self.low?;
        Some(if may_be_negative(self.metric) { low } else { low.max(0.0) })
    }
}

/// An end of an interval, which may lie where no value can: a share is at most 1.
fn possible(metric: Metric, end: f64) -> f64 {
    if metric.unit() == Unit::Share { end.clamp(0.0, 1.0) } else { end }
}

fn may_be_negative(metric: Metric) -> bool {
    use Metric::{Delay, LatenessMax, LatenessP50, LatenessP95, LatenessP99};
    matches!(metric, Delay | LatenessMax | LatenessP50 | LatenessP95 | LatenessP99)
}

/// A metric as documents have it.
fn by_name<S: serde::Serializer>(metric: &Metric, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(metric.name())
}

/// The middle value, or the mean of the two in the middle.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        _ if sorted.is_empty() => None,
        1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The figures of a cell: every metric that its pace has, of the lane first, then of each place. A
/// metric that no run has at any place is there once, for the lane, with the reason.
#[must_use]
pub fn figures(runs: &[&Measurement], pace: Pace) -> Vec<Figure> {
    let Some(first) = runs.first() else { return Vec::new() };
    let of_run =
        Metric::ALL.into_iter().filter(|metric| *metric != Metric::Density && metric.exists_at(pace));
    let outcome = |metric: Metric, at: At<'_>| -> Result<Vec<f64>, String> {
        runs.iter().map(|run| metric.value(run, at)).collect()
    };
    let mut found = Vec::new();
    for metric in of_run {
        found.push(Figure::of(metric, "lane", outcome(metric, At::Lane)));
        if metric.scope() == Scope::Lane {
            continue;
        }
        for at in metric.places(first) {
            let figure = Figure::of(metric, &at.to_string(), outcome(metric, at));
            if figure.absent.is_none() {
                found.push(figure);
            }
        }
    }
    found
}

/// Repeats whose value of a metric is far from the others', by the modified z-score of Iglewicz and
/// Hoaglin (3.5 or more): a sentence for each.
#[must_use]
pub fn outliers(metric: Metric, values: &[f64], runs: &[String]) -> Vec<String> {
    /// With fewer values, one of them decides what is far.
    const LEAST: usize = 5;
    let Some(median) = median(values).filter(|_| LEAST <= values.len()) else { return Vec::new() };
    let deviations: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
    // Where most values are equal, their median deviation is 0, and the mean one takes its place.
    let mad = self::median(&deviations).unwrap_or(0.0);
    let scale = match mad {
        0.0 => 1.253_314 * deviations.iter().sum::<f64>() / deviations.len() as f64,
        mad => mad / 0.6745,
    };
    let is_far = |value: f64| (value - median).abs() > 3.5 * scale;
    let shown = |value| metric.unit().shown(value);
    let far = values.iter().zip(runs).filter(|(value, _)| is_far(**value));
    far.map(|(value, run)| {
        format!(
            "run {run} is far from the others: {} {}, their median is {}; it counts all the same",
            metric.words(),
            shown(*value),
            shown(median)
        )
    })
    .collect()
}

impl Bench {
    /// The document.
    ///
    /// # Panics
    /// Never: its keys are texts.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("documents have text keys");
        text.push('\n');
        text
    }

    /// What there is to say first: `2 of 3 cells measured, 5 repeats each`.
    fn headline(&self) -> String {
        if let Some(gate) = &self.gate {
            let word = match gate.result {
                GateResult::Fine => "fine",
                GateResult::Worse => "worse",
                GateResult::CannotTell => "cannot tell",
            };
            return format!("{word}: {}", gate.reason);
        }
        if let Some(ranking) = &self.ranking
            && let [line] = ranking.lines.as_slice()
        {
            return line.clone();
        }
        let measured = self.cells.iter().filter(|cell| cell.state == State::Measured).count();
        let all = self.cells.len();
        let repeats: Vec<usize> = self.cells.iter().map(|cell| cell.runs.len()).filter(|n| 0 < *n).collect();
        let (least, most) = (repeats.iter().min(), repeats.iter().max());
        let often = match (least, most) {
            (Some(least), Some(most)) if least == most => format!(", {}", counted(*most, "repeat")),
            (Some(least), Some(most)) => format!(", {least} to {most} repeats"),
            _ => String::new(),
        };
        let each = if repeats.len() > 1 { " each" } else { "" };
        format!("{measured} of {all} {} measured{often}{each}", plural(all, "cell"))
    }

    /// The metrics that some cell has a value of.
    fn shown_metrics(&self) -> Vec<Metric> {
        let has = |metric: &Metric| {
            self.cells.iter().any(|cell| cell.lane(*metric).is_some_and(|figure| figure.mean.is_some()))
        };
        // A frame rate that the cameras cap says nothing of a machine.
        let compares = |metric: &Metric| self.cells.iter().any(|cell| metric.compares_at(cell.pace));
        let first = std::iter::once(self.metric);
        let others = SHOWN.into_iter().filter(|metric| *metric != self.metric);
        first.chain(others).filter(compares).filter(has).collect()
    }
}

impl Cell {
    /// A metric of the lane.
    fn lane(&self, metric: Metric) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.metric == metric && figure.at == "lane")
    }

    /// `5`, `3 of 5`
    fn status(&self) -> String {
        match self.state {
            State::NotAvailable => "not available".to_owned(),
            State::Measured | State::Unfinished => self.runs.len().to_string(),
        }
    }
}
