//! What a comparison says in words.

use super::{ChangeFigures, Comparison, Difference, Field, LEAST_RUNS, Options, Row, RunOf, Verdict};
use crate::record::Git;
use crate::record::measure::number;
use crate::record::metric::{Direction, Metric, Unit};
use crate::text::counted;

/// A relative change above which the end of an interval says no more than that it is large.
const LARGE: f64 = 9.0;

/// What stands for such an end: ten times the baseline.
pub const OPEN_END: &str = "x10 and more";

/// The most rows that a headline names.
const NAMED: usize = 2;

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::FasterButWrong => "faster but wrong",
            Verdict::Worse => "worse",
            Verdict::CannotTell => "cannot tell",
            Verdict::Better => "better",
            Verdict::Same => "same",
        })
    }
}

/// Why so many runs say nothing.
pub(super) fn too_few(n_baseline: usize, n_candidate: usize) -> String {
    match (n_baseline, n_candidate) {
        (1, 1) => "one run each: cannot tell; `lp bench --runs 5`".to_owned(),
        (a, b) => format!(
            "{} of the baseline and {b} of the candidate: at least {LEAST_RUNS} of each are needed; `lp bench --runs 5`",
            counted(a, "run")
        ),
    }
}

/// Why a change decides nothing.
pub(super) fn unclear(row: &Row, change: &ChangeFigures) -> String {
    let matters = matters(row);
    let is_large = change.estimate.abs() >= row.matters;
    let is_sure = change.together.low > 0.0 || change.together.high < 0.0;
    let mut text = match (is_sure, is_large) {
        (true, _) => format!("it changed for sure, but nobody can tell whether by {matters}"),
        (false, true) => "as measured it matters, but it may be chance".to_owned(),
        (false, false) => format!("the runs differ too much to tell {matters} from nothing"),
    };
    match row.more_runs {
        Some(n) => text.push_str(&format!("; about {} of each side would tell", counted(n, "more run"))),
        None => text.push_str(&format!(
            "; more than {} more runs would be needed: make the runs longer, or the machine quieter",
            crate::stats::change::MOST_MORE
        )),
    }
    text
}

/// What matters of a row: `3 %`, `5 ms`.
#[must_use]
pub fn matters(row: &Row) -> String {
    if row.relative {
        format!("{} %", number(row.matters * 100.0))
    } else {
        absolute(row.metric, row.matters)
    }
}

/// A difference in the metric's unit.
fn absolute(metric: Metric, value: f64) -> String {
    match metric.unit() {
        Unit::Share => match number(value * 100.0).as_str() {
            "1" => "1 point".to_owned(),
            points => format!("{points} points"),
        },
        unit => unit.shown(value),
    }
}

/// A change with its sign: `+6.1 %`, `-1.20 ms`, `+0.5 points`.
#[must_use]
pub fn signed(row: &Row, change: f64) -> String {
    // Beyond what anybody needs to know, a number would only be long.
    if row.relative && change >= 10.0 {
        return format!("x{}", number((change + 1.0).min(1e6)));
    }
    let text = if row.relative { format!("{:.1} %", change * 100.0) } else { absolute(row.metric, change) };
    let is_zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    match text.strip_prefix('-') {
        Some(rest) if is_zero => rest.to_owned(),
        None if !is_zero => format!("+{text}"),
        _ => text,
    }
}

/// An end of an interval of a change, clipped to what can be: a share changes by at most 100 points, and nothing falls
/// by more than all of it. Only words are clipped, verdicts are not.
fn possible(row: &Row, end: f64) -> f64 {
    match (row.relative, row.metric.unit()) {
        (true, _) => end.max(-1.0),
        (false, Unit::Share) => end.clamp(-1.0, 1.0),
        (false, _) => end,
    }
}

/// Whether the interval of a row ends above [`LARGE`], and its estimate does not.
#[must_use]
pub fn has_open_end(row: &Row) -> bool {
    row.relative
        && row.change.is_some_and(|change| change.estimate <= LARGE && LARGE < change.shown(row.verdict).high)
}

/// A change with the interval of its verdict: `+6.1 % (+4.4..+7.8)`.
#[must_use]
pub fn change(row: &Row) -> Option<String> {
    let change = row.change.as_ref()?;
    let interval = change.shown(row.verdict);
    let estimate = signed(row, change.estimate);
    let unit = |text: &str| text.split_once(' ').map_or(String::new(), |(_, unit)| unit.to_owned());
    // The unit is told once, if it is the same.
    let end = |value: f64| {
        let text = signed(row, value);
        let is_same = unit(&text) == unit(&estimate)
            || unit(&text).trim_end_matches('s') == unit(&estimate).trim_end_matches('s') && row.unit == "1";
        if is_same { text.split(' ').next().unwrap_or_default().to_owned() } else { text }
    };
    let high = if has_open_end(row) { OPEN_END.to_owned() } else { end(possible(row, interval.high)) };
    Some(format!("{estimate} ({}..{high})", end(possible(row, interval.low))))
}

/// `camera-3: CPU time per frame +6.1 % (+4.4..+7.8)`
fn of_row(row: &Row) -> String {
    let change = change(row).unwrap_or_default();
    format!("{}: {} {change}", row.place.at, row.metric.words())
}

/// The verdict in one line.
pub(super) fn headline(comparison: &Comparison) -> String {
    let name = &comparison.candidate.name;
    // Of rows that only are told, those that are worse count as well.
    let of = |verdict: Verdict| {
        let counts = move |row: &&Row| row.verdict == verdict && (row.decides || verdict == Verdict::Worse);
        comparison.rows.iter().filter(counts)
    };
    let named = |verdict: Verdict| {
        let mut rows: Vec<&Row> = of(verdict).collect();
        // The largest in terms of what matters first.
        let size = |row: &Row| row.change.map_or(0.0, |change| change.estimate.abs() / row.matters);
        rows.sort_by(|a, b| size(b).total_cmp(&size(a)));
        let more = rows.len().saturating_sub(NAMED);
        let mut texts: Vec<String> = rows.iter().take(NAMED).map(|row| of_row(row)).collect();
        if more > 0 {
            texts.push(format!("{more} more"));
        }
        texts.join("; ")
    };
    if let Some(first) = comparison.refused.first() {
        let more = match comparison.refused.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        return format!("cannot be compared: {}{more}", difference(first));
    }
    match comparison.verdict {
        Verdict::FasterButWrong => {
            let why = comparison.wrong.first().map(|wrong| format!(": {}: {}", wrong.stream, wrong.reason));
            format!("{name} is faster but wrong{}", why.unwrap_or_default())
        }
        Verdict::Worse => format!("{name} is worse: {}", named(Verdict::Worse)),
        Verdict::Better => format!("{name} is better: {}", named(Verdict::Better)),
        Verdict::Same => {
            let n = comparison.rows.iter().filter(|row| row.decides).count();
            let cpu = of(Verdict::Same).find(|row| row.metric == Metric::CpuPerFrame);
            let text = cpu
                .or_else(|| of(Verdict::Same).next())
                .map(|row| format!(" ({} within {})", row.metric.words(), matters(row)));
            format!(
                "{name} is the same: none of {} changes by what matters{}",
                counted(n, "figure"),
                text.unwrap_or_default()
            )
        }
        Verdict::CannotTell => {
            let (n, m) = (comparison.baseline.runs.len(), comparison.candidate.runs.len());
            if n.min(m) < LEAST_RUNS {
                let few = too_few(n, m);
                return if (n, m) == (1, 1) { few } else { format!("cannot tell: {few}") };
            }
            let open: Vec<&Row> = of(Verdict::CannotTell).collect();
            let all = comparison.rows.iter().filter(|row| row.decides).count();
            let Some(first) = open.first() else {
                return "cannot tell: nothing that decides was measured".to_owned();
            };
            // What is absent needs other words than what needs more runs.
            let absent = open.iter().find(|row| row.change.is_none());
            let shown = absent.unwrap_or(first);
            let why = shown.reason.as_deref().unwrap_or_default();
            format!(
                "cannot tell: {} of {} open; {}: {} {}: {why}",
                open.len(),
                counted(all, "figure"),
                shown.place.at,
                shown.metric.words(),
                change(shown).unwrap_or_else(|| "is absent".to_owned()),
            )
        }
    }
}

/// `device of camera-3/1 step 2: CPU / GPU`
#[must_use]
pub fn difference(difference: &Difference) -> String {
    let of = if difference.at.is_empty() { String::new() } else { format!(" of {}", difference.at) };
    let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    format!("{}{of}: {} / {}", difference.field, side(&difference.baseline), side(&difference.candidate))
}

/// Whether a change of a row is good, for colours; `None` if it is 0 or unknown.
#[must_use]
pub fn is_gain(row: &Row) -> Option<bool> {
    let estimate = row.change?.estimate;
    let is_more = if estimate == 0.0 { return None } else { estimate > 0.0 };
    Some(is_more == (row.metric.direction() == Direction::Higher))
}

/// A fact of a run, if it is known.
type Fact = fn(&RunOf) -> Option<String>;

/// What differs between the programs and the projects of two sides.
pub(super) fn provenance(baseline: &[&RunOf], candidate: &[&RunOf]) -> Vec<Difference> {
    let of = |runs: &[&RunOf], fact: Fact| {
        let mut all: Vec<String> = runs.iter().filter_map(|run| fact(run)).collect();
        all.sort();
        all.dedup();
        (!all.is_empty()).then(|| all.join(" and "))
    };
    let facts: [(&str, Fact); 6] = [
        ("lp", |run| Some(run.provenance.as_ref()?.lp.clone())),
        ("worker", |run| run.provenance.as_ref()?.worker.clone()),
        ("commit", |run| match &run.provenance.as_ref()?.git {
            Git::Commit { commit, changed } => {
                let short: String = commit.chars().take(12).collect();
                Some(if *changed { format!("{short} with changes") } else { short })
            }
            Git::Unknown { .. } => None,
        }),
        ("profile", |run| run.provenance.as_ref()?.profile.clone()),
        ("config", |run| Some(run.provenance.as_ref()?.config_digest().short())),
        ("overrides", |run| {
            let overrides = &run.provenance.as_ref()?.overrides;
            let all = overrides.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
            (!all.is_empty()).then(|| all.join(" "))
        }),
    ];
    let difference = |(field, fact): &(&str, Fact)| {
        let (baseline, candidate) = (of(baseline, *fact), of(candidate, *fact));
        (baseline != candidate).then(|| Difference {
            field: (*field).to_owned(),
            at: String::new(),
            baseline,
            candidate,
        })
    };
    facts.iter().filter_map(difference).collect()
}

/// What to think of before one believes a comparison.
pub(super) fn warnings(
    comparison: &Comparison,
    baseline: &[&RunOf],
    candidate: &[&RunOf],
    options: &Options,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let facts: Vec<&str> = comparison
        .differences
        .iter()
        .filter(|difference| difference.field == Field::Host.word())
        .map(|difference| difference.at.as_str())
        .collect();
    if !facts.is_empty() && !options.across.contains(&Field::Host) {
        warnings.push(format!(
            "the host differs ({}): its part in a change is not known; `--across host` if it is what you compare",
            facts.join(", ")
        ));
    }
    if !comparison.paired && comparison.refused.is_empty() {
        let last = |runs: &[&RunOf]| runs.last().map(|run| run.started);
        let first = |runs: &[&RunOf]| runs.first().map(|run| run.started);
        let apart = last(baseline) < first(candidate) || last(candidate) < first(baseline);
        if apart && LEAST_RUNS <= baseline.len().min(candidate.len()) {
            warnings.push(
                "one side was measured after the other, so the time between them is in every change; `lp bench` measures both in turn".to_owned(),
            );
        }
    }
    let both = |name: &str, side: &super::Side| {
        (!side.excluded.is_empty()).then(|| {
            let n = side.excluded.len();
            format!("{} of the {name} not counted: {}", counted(n, "run"), side.excluded[0].reason)
        })
    };
    warnings.extend(both("baseline", &comparison.baseline));
    warnings.extend(both("candidate", &comparison.candidate));
    warnings
}
