//! A metric over all runs of a subject, with the places where it changed and what else changed there.
//!
//! The places come from the values alone ([`crate::stats::divisive`]); the facts beside them may be the cause, and
//! only a comparison measured in turn shows it. Runs that do not count are left out, as in a comparison.
//!
//! Not here: which runs there are (`workspace::compared`), and how it is shown (`report::comparison`).

use serde::Serialize;

use super::{Difference, Excluded, RunOf, by_name, words};
use crate::record::metric::{At, Metric};
use crate::stats::divisive;
use crate::time::Utc;

/// The probability with which a series without a change has one.
const ERROR: f64 = 0.01;

/// The most runs, the newest ones.
pub const MOST: usize = 200;

/// A metric over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct History {
    pub subject: String,
    #[serde(serialize_with = "by_name")]
    pub metric: Metric,
    pub unit: &'static str,
    /// In the order of time.
    pub points: Vec<Point>,
    pub changes: Vec<ChangePoint>,
    /// Runs that do not count or have no value, and why.
    pub excluded: Vec<Excluded>,
    /// Older runs beyond [`MOST`].
    pub left_out: usize,
}

/// A run and its value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    pub run: String,
    pub started: Utc,
    pub value: f64,
}

/// A place where the metric changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChangePoint {
    /// The first run after the change.
    pub run: String,
    pub started: Utc,
    /// The means of the segments before and after it.
    pub before: f64,
    pub after: f64,
    /// The change as a share; `None` if it was 0 before.
    pub share: Option<f64>,
    /// What differs between the last run before and the first after it.
    pub differences: Vec<Difference>,
}

/// The history of a metric over runs in any order. Of a metric of streams, that of the worst stream.
#[must_use]
pub fn history(runs: &[RunOf], metric: Metric) -> History {
    let mut all: Vec<&RunOf> = runs.iter().collect();
    all.sort_by(|a, b| a.started.cmp(&b.started).then_with(|| a.run.cmp(&b.run)));
    let left_out = all.len().saturating_sub(MOST);
    let (mut known, mut points, mut excluded) = (Vec::new(), Vec::new(), Vec::new());
    for run in &all[left_out..] {
        let why = match (&run.excluded, metric.value(&run.measurement, At::Lane)) {
            (Some(why), _) => why.clone(),
            (None, Err(why)) => why,
            (None, Ok(value)) => {
                known.push(*run);
                points.push(Point { run: run.run.clone(), started: run.started, value });
                continue;
            }
        };
        excluded.push(Excluded { run: run.run.clone(), reason: why });
    }
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let places = divisive::changes(&values, ERROR, 1);
    let borders: Vec<usize> =
        std::iter::once(0).chain(places.iter().copied()).chain([values.len()]).collect();
    let mean = |from: usize, to: usize| values[from..to].iter().sum::<f64>() / (to - from) as f64;
    let change = |place: &[usize]| {
        let [from, at, to] = [place[0], place[1], place[2]];
        let (before, after) = (mean(from, at), mean(at, to));
        ChangePoint {
            run: points[at].run.clone(),
            started: points[at].started,
            before,
            after,
            share: (before != 0.0).then(|| after / before - 1.0).filter(|share| share.is_finite()),
            differences: between(known[at - 1], known[at]),
        }
    };
    History {
        subject: all.last().map_or_else(String::new, |run| run.subject.clone()),
        metric,
        unit: metric.unit().ucum(),
        changes: borders.windows(3).map(change).collect(),
        points,
        excluded,
        left_out,
    }
}

/// What differs between two runs.
fn between(before: &RunOf, after: &RunOf) -> Vec<Difference> {
    let (refused, accepted) = super::differences(&[before], &[after], &std::collections::BTreeSet::new());
    let mut all: Vec<Difference> = refused.into_iter().chain(accepted).collect();
    all.dedup();
    all
}

/// One line: `2 changes in 40 runs; the last, at 20261124T064200Z-9f2c41: CPU time per frame +6.1 %: kernel 6.1 / 6.12`.
#[must_use]
pub fn headline(history: &History) -> String {
    let runs = crate::text::counted(history.points.len(), "run");
    let Some(last) = history.changes.last() else {
        return match history.points.len() {
            n if n < divisive::FEWEST => {
                format!(
                    "{runs}: at least {} are needed to see a change of {}",
                    divisive::FEWEST,
                    history.metric.words()
                )
            }
            _ => format!("no change of {} in {runs}", history.metric.words()),
        };
    };
    let n = crate::text::counted(history.changes.len(), "change");
    format!(
        "{n} of {} in {runs}; the last at {}: {}",
        history.metric.words(),
        last.run,
        of_change(history, last)
    )
}

/// `4.00 ms to 4.24 ms (+6.0 %)`
#[must_use]
pub fn of_change(history: &History, change: &ChangePoint) -> String {
    let shown = |value: f64| history.metric.unit().shown(value);
    let share = change.share.map_or_else(String::new, |share| format!(" ({:+.1} %)", share * 100.0));
    format!("{} to {}{share}", shown(change.before), shown(change.after))
}

/// What differs at a change, in words; each fact is a line.
#[must_use]
pub fn facts(change: &ChangePoint) -> Vec<String> {
    match &change.differences[..] {
        [] => vec!["nothing that is recorded changed".to_owned()],
        all => all.iter().map(words::difference).collect(),
    }
}
