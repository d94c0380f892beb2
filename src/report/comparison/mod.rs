//! A comparison as table, JSON, CSV, Markdown and one HTML file.
//!
//! All pure. Each form has the verdict first, then what was compared, then each row with the interval that its
//! verdict rests on, and why nothing could be told of the others. Names and values of configs are untrusted, as in
//! the report of a run.
//!
//! Not here: the verdicts (`record::comparison`).

mod history;
mod html;
mod markdown;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::history::{history_csv, history_json, history_table};
pub use self::html::{html, interval};
pub use self::markdown::markdown;
use super::csv::{Cell as CsvCell, cell, count, text, write};
use super::grid::{Cell, Paper, grid_with_whole};
use crate::diag::Tone;
use crate::record::comparison::words::{self, difference};
use crate::record::comparison::{Comparison, Row, Side, Values, Verdict};
use crate::text::{counted, harmless_lines};

/// The version of the JSON document.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    kind: &'static str,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

/// The comparison as JSON. A change is a share where `relative`, else in `unit`; `null` is not known.
#[must_use]
pub fn json(comparison: &Comparison) -> String {
    super::json::pretty(&Document { version: VERSION, kind: "comparison", comparison })
}

/// A verdict with its limit: `same within 3 %`.
#[must_use]
pub fn verdict(row: &Row) -> String {
    match row.verdict {
        Verdict::Same => format!("same within {}", words::matters(row)),
        other => other.to_string(),
    }
}

/// The mean of a side, or the mark of an absent one.
fn mean(row: &Row, side: &Values) -> String {
    side.mean.map_or_else(|| super::NONE.to_owned(), |mean| row.metric.unit().shown(mean))
}

fn tone(verdict: Verdict) -> Option<Tone> {
    match verdict {
        Verdict::FasterButWrong | Verdict::Worse => Some(Tone::Bad),
        Verdict::CannotTell => Some(Tone::Unsure),
        Verdict::Better => Some(Tone::Good),
        Verdict::Same => None,
    }
}

/// A side in one line: `latest: 8 runs of lane, 20261124T064200Z-9f2c41 and 7 more`.
fn side(side: &Side) -> String {
    let runs = match &side.runs[..] {
        [] => String::new(),
        [one] => format!(", {one}"),
        [first, .., last] => format!(", {first} to {last}"),
    };
    format!("{}: {} of {}{runs}", side.name, counted(side.runs.len(), "run"), side.subject)
}

/// How the runs were compared.
fn design(comparison: &Comparison) -> &'static str {
    if comparison.paired { "in turn, so in pairs as well" } else { "each side by itself" }
}

/// Runs that do not count, and why.
fn excluded(comparison: &Comparison) -> Vec<String> {
    let sides = [&comparison.baseline, &comparison.candidate];
    let all = sides.into_iter().flat_map(|side| &side.excluded);
    all.map(|one| format!("{} does not count: {}", one.run, one.reason)).collect()
}

/// Why rows say nothing, each reason once with its rows, and values that lie far off.
fn remarks(comparison: &Comparison) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for row in comparison.rows.iter().filter(|row| row.verdict == Verdict::CannotTell) {
        if let Some(reason) = &row.reason {
            super::add_to(&mut reasons, reason.clone(), &format!("{} {}", row.place.at, row.metric));
        }
    }
    let mut lines = super::told(reasons);
    for row in &comparison.rows {
        for outlier in row.baseline.outliers.iter().chain(&row.candidate.outliers) {
            lines.push(harmless_lines(&format!(
                "{} {}: {} of {} lies far off the others; it counts like them",
                row.place.at,
                row.metric,
                row.metric.unit().shown(outlier.value),
                outlier.run,
            )));
        }
    }
    lines
}

/// The rows that decide, the others that are not the same, and the names of metrics that are the same at all their places.
fn rows(comparison: &Comparison) -> ([Vec<&Row>; 2], Option<String>) {
    let all = || comparison.rows.iter();
    let told: Vec<&Row> = all().filter(|row| !row.decides && row.verdict != Verdict::Same).collect();
    let is_told = |row: &&Row| told.iter().any(|other| other.metric == row.metric);
    let mut same: Vec<&str> = Vec::new();
    for row in all().filter(|row| !row.decides).filter(|row| !is_told(row)) {
        if !same.contains(&row.metric.words()) {
            same.push(row.metric.words());
        }
    }
    let same = (!same.is_empty()).then(|| same.join(", "));
    ([all().filter(|row| row.decides).collect(), told], same)
}

/// What people must know to read the intervals.
fn legend(comparison: &Comparison) -> String {
    let open = if comparison.rows.iter().any(words::has_open_end) { OPEN_END_MEANS } else { "" };
    format!(
        "Intervals of better, worse and cannot tell hold all together with 99 %, however often one looks; an \
         interval of same holds alone with 99 %.{open}"
    )
}

/// What [`words::OPEN_END`] means.
pub(super) const OPEN_END_MEANS: &str = " An interval up to \"x10 and more\" has no useful upper end: too few runs, or \
they differ too much.";

/// The comparison for a terminal.
#[must_use]
pub fn table(comparison: &Comparison, paper: Paper) -> String {
    let mut lines = paper.wrap(&harmless_lines(&comparison.headline));
    lines.push(String::new());
    let mut fact = |label: &str, text: &str| lines.extend(paper.beside(label, 9, &harmless_lines(text)));
    fact("baseline", &side(&comparison.baseline));
    fact("candidate", &side(&comparison.candidate));
    comparison.refused.iter().for_each(|one| fact("refused", &difference(one)));
    comparison.differences.iter().for_each(|one| fact("differs", &difference(one)));
    comparison.warnings.iter().for_each(|one| fact("warning", one));
    comparison.wrong.iter().for_each(|one| fact("wrong", &format!("{}: {}", one.stream, one.reason)));
    excluded(comparison).iter().for_each(|one| fact("left out", one));
    if comparison.refused.is_empty() {
        fact("measured", design(comparison));
    }
    let (rows, same) = rows(comparison);
    if let Some(same) = same {
        fact("same", &same);
    }
    if !comparison.absent.is_empty() {
        let names: Vec<&str> = comparison.absent.keys().map(String::as_str).collect();
        fact("absent", &format!("on both sides: {}", names.join(", ")));
    }
    for (decides, rows) in [(true, &rows[0]), (false, &rows[1])] {
        if rows.is_empty() {
            continue;
        }
        lines.push(String::new());
        let first = if decides { "decides" } else { "told" };
        let header = [first, "figure", "baseline", "candidate", "change", "verdict"];
        let cells = rows.iter().map(|row| {
            let plain = |text: String| Cell::from(text);
            vec![
                plain(row.place.at.clone()),
                plain(row.metric.words().to_owned()),
                plain(mean(row, &row.baseline)),
                plain(mean(row, &row.candidate)),
                plain(
                    words::change(row)
                        .map_or_else(|| super::NONE.to_owned(), |text| text.replacen(" (", "\n(", 1)),
                ),
                Cell { text: verdict(row), tone: tone(row.verdict) },
            ]
        });
        lines.extend(grid_with_whole(&header, &[2, 3], &[4], cells.collect(), paper));
    }
    let remarks = remarks(comparison);
    if !remarks.is_empty() {
        lines.push(String::new());
        lines.extend(remarks.iter().flat_map(|line| paper.wrap(line)));
    }
    if !comparison.rows.is_empty() {
        lines.push(String::new());
        lines.extend(paper.wrap(&legend(comparison)));
    }
    lines.join("\n") + "\n"
}

type Column = (&'static str, fn(&Row) -> CsvCell);

/// Columns are only ever added at the end.
const COLUMNS: [Column; 24] = [
    ("camera", |row| text(row.place.camera.as_deref().unwrap_or_default())),
    ("at", |row| text(&row.place.at)),
    ("metric", |row| text(row.metric)),
    ("unit", |row| text(row.unit)),
    ("decides", |row| text(row.decides)),
    ("verdict", |row| text(row.verdict)),
    ("reason", |row| text(row.reason.as_deref().unwrap_or_default())),
    ("relative", |row| text(row.relative)),
    ("matters", |row| cell(Some(row.matters))),
    ("baseline_runs", |row| count(Some(row.baseline.values.len() as u64))),
    ("baseline_mean", |row| cell(row.baseline.mean)),
    ("baseline_deviation", |row| cell(row.baseline.deviation)),
    ("candidate_runs", |row| count(Some(row.candidate.values.len() as u64))),
    ("candidate_mean", |row| cell(row.candidate.mean)),
    ("candidate_deviation", |row| cell(row.candidate.deviation)),
    ("change", |row| cell(row.change.map(|change| change.estimate))),
    ("low", |row| cell(row.change.map(|change| change.together.low))),
    ("high", |row| cell(row.change.map(|change| change.together.high))),
    ("low_alone", |row| cell(row.change.map(|change| change.alone.low))),
    ("high_alone", |row| cell(row.change.map(|change| change.alone.high))),
    ("more_runs", |row| count(row.more_runs.map(|n| n as u64))),
    ("outliers", |row| count(Some((row.baseline.outliers.len() + row.candidate.outliers.len()) as u64))),
    ("baseline_values", |row| values(&row.baseline)),
    ("candidate_values", |row| values(&row.candidate)),
];

fn values(side: &Values) -> CsvCell {
    text(side.values.iter().map(f64::to_string).collect::<Vec<_>>().join("; "))
}

/// The rows as CSV, changes and intervals as in JSON.
#[must_use]
pub fn csv(comparison: &Comparison) -> String {
    let header = COLUMNS.iter().map(|(name, _)| text(name)).collect();
    let rows = comparison.rows.iter().map(|row| COLUMNS.iter().map(|(_, cell)| cell(row)).collect());
    write(std::iter::once(header).chain(rows))
}
