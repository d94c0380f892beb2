//! A benchmark as CSV: one row per cell, metric and place.
//!
//! Columns are only ever added at the end; an empty cell is a figure that is not known. What a spreadsheet
//! would take for a formula is made harmless, as in the CSV of a run. `docs/bench.md` describes each column.

use super::{Bench, Cell, Figure, State};
use crate::report::csv::Cell as Field;
use crate::report::csv::{cell, count, names, text, write};
use crate::text::harmless;

/// The benchmark as CSV.
#[must_use]
pub fn csv(bench: &Bench) -> String {
    let header = [
        "cell",
        "subject",
        "state",
        "reason",
        "runs",
        "metric",
        "of",
        "unit",
        "mean",
        "low",
        "high",
        "median",
        "deviation",
        "absent",
        "baseline",
        "verdict",
        "change",
        "change_low",
        "change_high",
        "change_is_relative",
        "change_reason",
        "run_ids",
        "values",
    ];
    let header = header.iter().map(text).collect::<Vec<_>>();
    let rows = bench.cells.iter().flat_map(|one| {
        let figures: Vec<Option<&Figure>> =
            if one.figures.is_empty() { vec![None] } else { one.figures.iter().map(Some).collect() };
        figures.into_iter().map(move |figure| row(one, figure))
    });
    write(std::iter::once(header).chain(rows))
}

fn row(of: &Cell, figure: Option<&Figure>) -> Vec<Field> {
    let state = match of.state {
        State::Measured => "measured",
        State::Unfinished => "unfinished",
        State::NotAvailable => "not available",
    };
    let compared = of.against.as_ref();
    let change = compared.zip(figure).and_then(|(against, figure)| {
        against.rows.iter().find(|row| row.metric == figure.metric && row.place.at == figure.at)
    });
    let figures = change.and_then(|row| row.change.map(|change| (change, change.shown(row.verdict))));
    let number = |of: fn(&Figure) -> Option<f64>| cell(figure.and_then(of));
    let list = |figure: &Figure| figure.values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    vec![
        text(harmless(&of.name)),
        text(harmless(&of.subject)),
        text(state),
        text(harmless(of.reason.as_deref().unwrap_or_default())),
        count(Some(of.runs.len() as u64)),
        text(figure.map_or("", |figure| figure.metric.name())),
        text(figure.map_or("", |figure| &figure.at)),
        text(figure.map_or("", |figure| figure.unit)),
        number(|figure| figure.mean),
        number(|figure| figure.low),
        number(|figure| figure.high),
        number(|figure| figure.median),
        number(|figure| figure.deviation),
        text(figure.and_then(|figure| figure.absent.as_deref()).unwrap_or_default()),
        text(compared.map_or("", |against| &against.baseline.name)),
        text(change.map_or(String::new(), |row| row.verdict.to_string())),
        cell(figures.map(|(change, _)| change.estimate)),
        cell(figures.map(|(_, interval)| interval.low)),
        cell(figures.map(|(_, interval)| interval.high)),
        text(change.map_or(String::new(), |row| row.relative.to_string())),
        text(change.and_then(|row| row.reason.as_deref()).unwrap_or_default()),
        names(&of.runs),
        text(figure.map_or(String::new(), list)),
    ]
}
