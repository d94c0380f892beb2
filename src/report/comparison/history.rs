//! A metric over time as table, JSON and CSV.

use serde::Serialize;

use super::VERSION;
use crate::diag::Tone;
use crate::record::comparison::history::{History, facts, headline, of_change};
use crate::report::csv::{Cell as CsvCell, cell, text, write};
use crate::report::grid::{Cell, Paper, grid};
use crate::text::{counted, harmless_lines};

/// Points of a history that a terminal shows, the newest ones.
const SHOWN: usize = 30;

/// The width of the longest bar.
const BAR: f64 = 24.0;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    kind: &'static str,
    #[serde(flatten)]
    history: &'a History,
}

/// The history as JSON.
#[must_use]
pub fn history_json(history: &History) -> String {
    crate::report::json::pretty(&Document { version: VERSION, kind: "history", history })
}

/// The history as CSV: one row per run.
#[must_use]
pub fn history_csv(history: &History) -> String {
    let header = ["run", "started_utc", "metric", "unit", "value", "changed"].map(text);
    let is_change = |run: &str| history.changes.iter().any(|change| change.run == run);
    let row = |point: &crate::record::comparison::history::Point| -> Vec<CsvCell> {
        vec![
            text(&point.run),
            text(point.started),
            text(history.metric),
            text(history.unit),
            cell(Some(point.value)),
            text(is_change(&point.run)),
        ]
    };
    write(std::iter::once(Vec::from(header)).chain(history.points.iter().map(row)))
}

/// The history for a terminal.
#[must_use]
pub fn history_table(history: &History, paper: Paper) -> String {
    let mut lines = paper.wrap(&harmless_lines(&headline(history)));
    let shown = &history.points[history.points.len().saturating_sub(SHOWN)..];
    let most = history.points.iter().map(|point| point.value.abs()).fold(0.0, f64::max);
    let rows = shown.iter().map(|point| {
        let change = history.changes.iter().find(|change| change.run == point.run);
        let length = if most > 0.0 { (point.value.abs() / most * BAR).round() } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to `BAR`")]
        let bar = "#".repeat(length as usize);
        let tone = change.map(|_| Tone::Unsure);
        vec![
            Cell { text: point.run.clone(), tone },
            Cell { text: history.metric.unit().shown(point.value), tone },
            Cell { text: bar, tone },
            Cell { text: if change.is_some() { "changed" } else { "" }.to_owned(), tone },
        ]
    });
    if !shown.is_empty() {
        lines.push(String::new());
        lines.extend(grid(&["run", history.metric.words(), "", ""], &[1], rows.collect(), paper));
    }
    for change in &history.changes {
        lines.push(String::new());
        let title = format!("{}: {}", change.run, of_change(history, change));
        lines.extend(paper.wrap(&harmless_lines(&title)));
        let facts = facts(change);
        lines.extend(facts.iter().flat_map(|fact| paper.wrap(&format!("  {}", harmless_lines(fact)))));
    }
    let older = history.points.len() - shown.len() + history.left_out;
    if older > 0 {
        lines.push(String::new());
        lines.push(format!("{} not shown", counted(older, "older run")));
    }
    for one in &history.excluded {
        lines.extend(paper.wrap(&harmless_lines(&format!("{} does not count: {}", one.run, one.reason))));
    }
    lines.join("\n") + "\n"
}
