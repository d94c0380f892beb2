//! Is a candidate better than a baseline, worse, the same, or can nobody tell? From several runs of each.
//!
//! A *row* is a metric at a place: CPU time per frame of `camera-3`. Its verdict comes from the values of all runs
//! that count, by the test of [`crate::stats::change`], never from two single ones. Some rows *decide*: CPU
//! time per frame, lateness p95 and goodput at live pace, where a frame rate is capped by the camera; frame rates
//! and CPU time per frame at free pace. The others are told.
//!
//! All rows of a comparison together are wrong about *better* and *worse* at most once in a hundred comparisons,
//! however often one looks: a row has a part of [`ERROR`] (Bonferroni: deciding rows four fifths of
//! it, the others one fifth), and its interval is that of its verdict. Holm's procedure would find a little more, but has no
//! intervals that go with it. Rows whose values are all equal cannot be wrong and take no part.
//!
//! What is compared must be the same but for what the user asks about ([`Options::across`]): another lane, clip or
//! condition is refused with the field. Runs that are not whole, or whose machine was disturbed, do not
//! count. A figure that is absent is *cannot tell*, and a candidate whose detectors find less is *faster but
//! wrong* whatever it gained.
//!
//! Not here: which runs are meant (`workspace::compared`), and how a comparison is shown (`report::comparison`).

pub mod history;
mod rows;
mod run;
#[cfg(test)]
mod simulated;
#[cfg(test)]
pub(crate) mod tests;
pub mod words;
mod wrong;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::run::{MemberOf, RunOf, StreamOf, excluded_by};
use super::metric::{Matters, Metric};
use crate::stats::Interval;
use crate::stats::change::Design;

/// The probability with which a comparison may take no change for one.
pub const ERROR: f64 = 0.01;

/// The fewest runs of a side.
pub const LEAST_RUNS: usize = crate::stats::change::LEAST;

/// What may differ between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Pace,
    Duration,
    Warmup,
    Isolation,
    Count,
    DecodeOnly,
    Traced,
    Impair,
    Deadline,
    Cameras,
    Source,
    /// The contents of a clip or a script.
    Input,
    Steps,
    Model,
    Precision,
    Device,
    Dialect,
    /// A fact of the host: it refuses nothing.
    Host,
}

impl Field {
    pub const ALL: [Field; 18] = [
        Field::Pace,
        Field::Duration,
        Field::Warmup,
        Field::Isolation,
        Field::Count,
        Field::DecodeOnly,
        Field::Traced,
        Field::Impair,
        Field::Deadline,
        Field::Cameras,
        Field::Source,
        Field::Input,
        Field::Steps,
        Field::Model,
        Field::Precision,
        Field::Device,
        Field::Dialect,
        Field::Host,
    ];

    /// The field of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Field> {
        Field::ALL.into_iter().find(|field| field.word() == word)
    }

    /// Whether it can be what is compared. Live and free pace measure different things, and without one of its
    /// cameras a lane would look faster.
    #[must_use]
    pub fn may_differ(self) -> bool {
        !matches!(self, Field::Pace | Field::Cameras)
    }

    /// Its word in flags and sentences: `warm-up`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Field::Pace => "pace",
            Field::Duration => "duration",
            Field::Warmup => "warmup",
            Field::Isolation => "isolation",
            Field::Count => "count",
            Field::DecodeOnly => "decode-only",
            Field::Traced => "trace",
            Field::Impair => "impair",
            Field::Deadline => "deadline",
            Field::Cameras => "cameras",
            Field::Source => "source",
            Field::Input => "input",
            Field::Steps => "steps",
            Field::Model => "model",
            Field::Precision => "precision",
            Field::Device => "device",
            Field::Dialect => "dialect",
            Field::Host => "host",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How to compare.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What is compared, and so may differ. [`Field::Host`]: another host is no warning.
    pub across: BTreeSet<Field>,
    /// The metrics that are compared, all of which decide; empty = the usual ones.
    pub metrics: Vec<Metric>,
    /// What matters of a metric, if not what usually does.
    pub matters: BTreeMap<Metric, Matters>,
    /// The runs of both that belong together, by their ids, if the caller measured them in turn; `None`: they are pairs if
    /// their times say so.
    pub pairs: Option<Vec<(String, String)>>,
    /// Names of the two sides for people: `latest`, `profile=old`.
    pub names: Option<(String, String)>,
}

/// A comparison of two sets of runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub verdict: Verdict,
    /// One line: `candidate is worse: camera-3: CPU time per frame +6.1 % (+4.4..+7.8)`.
    pub headline: String,
    pub baseline: Side,
    pub candidate: Side,
    /// Whether the runs were measured in turn, and so compared in pairs as well.
    pub paired: bool,
    /// Why nothing was compared, each with the field; empty if it was.
    pub refused: Vec<Difference>,
    /// What differs and may: what is compared, the host, the program, the project's commit.
    pub differences: Vec<Difference>,
    /// What to think of before one believes it.
    pub warnings: Vec<String>,
    /// The detectors that find less, each with its stream.
    pub wrong: Vec<Wrong>,
    pub rows: Vec<Row>,
    /// Metrics that neither side has, and why.
    pub absent: BTreeMap<String, String>,
}

/// A detector that finds less than it did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wrong {
    pub camera: String,
    pub stream: String,
    pub reason: String,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    pub name: String,
    pub subject: String,
    /// The ids of the runs that count, in the order of time.
    pub runs: Vec<String>,
    /// Those that do not count, and why.
    pub excluded: Vec<Excluded>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Excluded {
    pub run: String,
    pub reason: String,
}

/// Something that both sides have, and differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// A word of [`Field`], or `lp`, `commit`, `config`, `profile`, `worker`.
    pub field: String,
    /// Where: `camera-3/1 step 2`, the name of a fact; empty if there is only one.
    pub at: String,
    pub baseline: Option<String>,
    pub candidate: Option<String>,
}

/// What a row, or a comparison, says about the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Its detectors find less, so nothing that it gained is worth anything.
    FasterButWrong,
    Worse,
    CannotTell,
    Better,
    Same,
}

/// The place of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The camera's name as written; `None` = the lane.
    pub camera: Option<String>,
    /// `camera-3/1` of a metric of streams, `camera-3` of one of cameras, `lane`.
    pub at: String,
}

/// A metric at a place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    #[serde(flatten)]
    pub place: Place,
    #[serde(serialize_with = "by_name")]
    pub metric: Metric,
    pub unit: &'static str,
    /// Whether the verdict of the comparison rests on it.
    pub decides: bool,
    pub verdict: Verdict,
    /// Why nothing can be told, and the number of further repeats that would.
    pub reason: Option<String>,
    /// The smallest change that matters: a share, or in the metric's unit.
    pub matters: f64,
    /// Whether changes are shares of the baseline's value.
    pub relative: bool,
    pub baseline: Values,
    pub candidate: Values,
    pub change: Option<ChangeFigures>,
    /// The repeats that each side needs beyond those it has, if they go on as before; `None` if it is decided,
    /// or more than 100 would be needed.
    pub more_runs: Option<usize>,
}

fn by_name<S: serde::Serializer>(metric: &Metric, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(metric.name())
}

/// The change from baseline to candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChangeFigures {
    pub estimate: f64,
    /// The interval on which *better* and *worse* rest: all those of a comparison hold together with 99 %.
    pub together: Interval,
    /// The interval on which *same* rests: this one alone holds with 99 %.
    pub alone: Interval,
}

impl ChangeFigures {
    /// The interval that goes with a verdict.
    #[must_use]
    pub fn shown(&self, verdict: Verdict) -> Interval {
        if verdict == Verdict::Same { self.alone } else { self.together }
    }
}

/// The values of one side.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Values {
    /// One per run that counts, in the order of its runs; empty if one of them has none.
    pub values: Vec<f64>,
    pub mean: Option<f64>,
    /// The standard deviation between runs.
    pub deviation: Option<f64>,
    /// Runs whose value lies far from the rest. They count like all others.
    pub outliers: Vec<Outlier>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlier {
    pub run: String,
    pub value: f64,
    /// By how many robust standard deviations it lies off the median.
    pub score: f64,
}

/// Compares the runs of a candidate with those of a baseline.
#[must_use]
pub fn compare(baseline: &[RunOf], candidate: &[RunOf], options: &Options) -> Comparison {
    let names = options.names.clone().unwrap_or_else(|| ("baseline".to_owned(), "candidate".to_owned()));
    let (good_baseline, baseline_side) = side(baseline, candidate, names.0);
    let (good_candidate, candidate_side) = side(candidate, baseline, names.1);
    let (refused, differences) = differences(&good_baseline, &good_candidate, &options.across);
    let design = paired(&good_baseline, &good_candidate, options);
    let mut comparison = Comparison {
        verdict: Verdict::CannotTell,
        headline: String::new(),
        baseline: baseline_side,
        candidate: candidate_side,
        paired: design.is_some(),
        refused,
        differences,
        warnings: Vec::new(),
        wrong: Vec::new(),
        rows: Vec::new(),
        absent: BTreeMap::new(),
    };
    comparison.warnings = words::warnings(&comparison, &good_baseline, &good_candidate, options);
    if comparison.refused.is_empty() && !good_baseline.is_empty() && !good_candidate.is_empty() {
        // In pairs, so that the values of a pair have the same place.
        let (good_baseline, good_candidate, design) = match design {
            Some((first, second)) => (first, second, Design::Pairs),
            None => (good_baseline, good_candidate, Design::Separate),
        };
        let sides = rows::Sides { baseline: &good_baseline, candidate: &good_candidate, design };
        comparison.wrong = wrong::wrong(&good_baseline, &good_candidate);
        (comparison.rows, comparison.absent) = rows::rows(&sides, options);
        for row in &mut comparison.rows {
            let of_it =
                |wrong: &Wrong| row.place.camera.as_ref().is_none_or(|camera| *camera == wrong.camera);
            if row.verdict == Verdict::Better && comparison.wrong.iter().any(of_it) {
                row.verdict = Verdict::FasterButWrong;
            }
        }
    }
    comparison.verdict = verdict(&comparison);
    comparison.headline = words::headline(&comparison);
    comparison
}

/// What the rows that decide say together. Nothing that is absent or open lets a comparison pass.
fn verdict(comparison: &Comparison) -> Verdict {
    let deciding = || comparison.rows.iter().filter(|row| row.decides).map(|row| row.verdict);
    if !comparison.wrong.is_empty() {
        return Verdict::FasterButWrong;
    }
    // What is surely worse is so in every row, as the error is shared among all of them.
    if comparison.rows.iter().any(|row| row.verdict == Verdict::Worse) {
        return Verdict::Worse;
    }
    if deciding().next().is_none() {
        return Verdict::CannotTell;
    }
    // The verdicts are in the order in which they prevail.
    deciding().min().unwrap_or(Verdict::CannotTell)
}

/// The runs that count, in the order of time, and what is told of a side.
fn side<'a>(runs: &'a [RunOf], other: &[RunOf], name: String) -> (Vec<&'a RunOf>, Side) {
    let mut all: Vec<&RunOf> = runs.iter().collect();
    all.sort_by(|a, b| a.started.cmp(&b.started).then_with(|| a.run.cmp(&b.run)));
    // The same run twice would make its value look sure.
    all.dedup_by(|a, b| a.run == b.run);
    // A file that was written again has another id, but no second run of a subject begins at the same moment.
    let is_same = |one: &RunOf, other: &RunOf| {
        one.run == other.run || one.started == other.started && one.host == other.host
    };
    let why = |run: &RunOf| {
        let is_on_both = || other.iter().any(|theirs| is_same(theirs, run));
        let copied = || all.iter().take_while(|one| one.run != run.run).find(|one| is_same(one, run));
        run.excluded
            .clone()
            .or_else(|| is_on_both().then(|| "it is on both sides".to_owned()))
            .or_else(|| copied().map(|one| format!("it is a copy of {}", one.run)))
    };
    let excluded = all.iter().filter_map(|run| Some(Excluded { run: run.run.clone(), reason: why(run)? }));
    let excluded = excluded.collect();
    let good: Vec<&RunOf> = all.iter().copied().filter(|run| why(run).is_none()).collect();
    let subject = all.first().map_or_else(String::new, |run| run.subject.clone());
    let runs = good.iter().map(|run| run.run.clone()).collect();
    (good, Side { name, subject, runs, excluded })
}

type Pairs<'a> = (Vec<&'a RunOf>, Vec<&'a RunOf>);

/// The runs of both sides in pairs, if all of them belong to one: those that the caller names, else those whose times say
/// that one of each was measured in turn. It follows from times alone, never from values.
fn paired<'a>(baseline: &[&'a RunOf], candidate: &[&'a RunOf], options: &Options) -> Option<Pairs<'a>> {
    if baseline.len() != candidate.len() || baseline.len() < LEAST_RUNS {
        return None;
    }
    let Some(named) = &options.pairs else {
        let mut all: Vec<(&RunOf, bool)> = baseline.iter().map(|run| (*run, true)).collect();
        all.extend(candidate.iter().map(|run| (*run, false)));
        all.sort_by_key(|(run, _)| run.started);
        let in_turn = all.chunks(2).all(|pair| pair[0].1 != pair[1].1);
        // They are in the order of time, so the first is beside the first.
        return in_turn.then(|| (baseline.to_vec(), candidate.to_vec()));
    };
    let of = |runs: &[&'a RunOf], id: &str| runs.iter().copied().find(|run| run.run == id);
    let pairs = named.iter().filter_map(|(a, b)| Some((of(baseline, a)?, of(candidate, b)?)));
    let pairs: Pairs<'a> = pairs.unzip();
    (pairs.0.len() == baseline.len()).then_some(pairs)
}

/// What differs: what may not, and what may.
fn differences(
    baseline: &[&RunOf],
    candidate: &[&RunOf],
    across: &BTreeSet<Field>,
) -> (Vec<Difference>, Vec<Difference>) {
    let (mut refused, mut accepted) = (Vec::new(), Vec::new());
    if baseline.is_empty() || candidate.is_empty() {
        return (refused, accepted);
    }
    let (ours, theirs) = (facts(baseline), facts(candidate));
    let keys: BTreeSet<&(Field, String)> = ours.keys().chain(theirs.keys()).collect();
    for key in keys {
        let (field, at) = key;
        let told = |side: &BTreeMap<(Field, String), BTreeSet<String>>| {
            side.get(key).map(|values| values.iter().cloned().collect::<Vec<_>>().join(" and "))
        };
        let is_mixed = [&ours, &theirs].iter().any(|side| side.get(key).is_some_and(|all| all.len() > 1));
        if ours.get(key) == theirs.get(key) && !is_mixed {
            continue;
        }
        let difference = Difference {
            field: field.word().to_owned(),
            at: at.clone(),
            baseline: told(&ours),
            candidate: told(&theirs),
        };
        let may = *field == Field::Host || across.contains(field) && field.may_differ() && !is_mixed;
        if may { accepted.push(difference) } else { refused.push(difference) }
    }
    accepted.extend(words::provenance(baseline, candidate));
    (refused, accepted)
}

/// The facts of all runs of a side, with all values that they have.
fn facts(runs: &[&RunOf]) -> BTreeMap<(Field, String), BTreeSet<String>> {
    let of_run = |run: &&RunOf| {
        let host = run.host.iter().map(|(name, value)| ((Field::Host, name.clone()), value.clone()));
        run.facts().into_iter().chain(host).collect::<BTreeMap<_, _>>()
    };
    let of_runs: Vec<BTreeMap<(Field, String), String>> = runs.iter().map(of_run).collect();
    let mut all: BTreeMap<(Field, String), BTreeSet<String>> = BTreeMap::new();
    for (key, value) in of_runs.iter().flatten() {
        all.entry(key.clone()).or_default().insert(value.clone());
    }
    // What some runs of a side lack differs among them.
    for (key, values) in &mut all {
        if of_runs.iter().any(|facts| !facts.contains_key(key)) {
            values.insert("not recorded".to_owned());
        }
    }
    all
}
