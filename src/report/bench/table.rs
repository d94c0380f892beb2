//! A benchmark for a terminal of 80 columns: what decided, the cells, then each metric of all cells.

use super::{Bench, Cell, State, change, shown_rows, tone};
use crate::diag::Tone;
use crate::record::comparison::Comparison;
use crate::report::grid::{self, Paper, grid, grid_with_whole};
use crate::text::{counted, harmless_lines};

/// The most runs that are listed as not counted.
const MOST_DISMISSED: usize = 6;

/// The benchmark as text.
#[must_use]
pub fn table(bench: &Bench, paper: Paper) -> String {
    let mut lines = paper.wrap(&harmless_lines(&bench.headline()));
    lines.push(String::new());
    lines.extend(cells(bench, paper));
    for line in bench.ranking.iter().flat_map(|ranking| &ranking.lines) {
        if *line != bench.headline() {
            lines.extend(paper.wrap(&harmless_lines(line)));
        }
    }
    lines.extend(metrics(bench, paper));
    lines.extend(changes(bench, paper));
    lines.extend(notes(bench, paper));
    lines.join("\n") + "\n"
}

/// The verdict of a cell in a table: that of its comparison, or what became of it.
fn verdict(cell: &Cell) -> grid::Cell {
    let (text, tone) = match (&cell.against, cell.state) {
        (_, State::NotAvailable) => ("not available".to_owned(), Some(Tone::Unsure)),
        (Some(against), _) => (against.verdict.to_string(), tone(against.verdict)),
        (None, State::Unfinished) => ("too few runs".to_owned(), Some(Tone::Unsure)),
        (None, State::Measured) => (String::new(), None),
    };
    grid::Cell { text, tone }
}

fn cells(bench: &Bench, paper: Paper) -> Vec<String> {
    let metric = bench.metric;
    let rows = bench.cells.iter().map(|cell| {
        let figure = cell.lane(metric).map_or_else(|| "-".to_owned(), super::Figure::shown);
        let figure = if cell.runs.is_empty() { "-".to_owned() } else { figure };
        vec![
            grid::Cell::from(cell.name.clone()),
            grid::Cell::from(cell.subject.clone()),
            grid::Cell::from(cell.runs.len().to_string()),
            grid::Cell::from(figure),
            verdict(cell),
        ]
    });
    let header = ["cell", "cameras", "runs", metric.words(), "verdict"];
    grid(&header, &[2, 3], rows.collect(), paper)
}

/// Every metric with a line for each cell, where there is more to see than the table of cells has.
fn metrics(bench: &Bench, paper: Paper) -> Vec<String> {
    let mut lines = Vec::new();
    for metric in bench.shown_metrics() {
        let rows: Vec<Vec<String>> = bench
            .cells
            .iter()
            .filter_map(|cell| {
                let figure = cell.lane(metric).filter(|figure| figure.mean.is_some())?;
                let shown =
                    |value: Option<f64>| value.map_or("-".to_owned(), |value| metric.unit().shown(value));
                Some(vec![
                    format!("  {}", cell.name),
                    shown(figure.mean),
                    figure.interval().unwrap_or_else(|| "one run".to_owned()),
                    shown(figure.median),
                ])
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        lines.push(String::new());
        lines.extend(grid(&[metric.words(), "mean", "95 % interval", "median"], &[1, 2, 3], rows, paper));
    }
    lines
}

/// What each comparison found, without what is the same.
fn changes(bench: &Bench, paper: Paper) -> Vec<String> {
    let mut lines = Vec::new();
    for cell in &bench.cells {
        let Some(against) = &cell.against else { continue };
        lines.push(String::new());
        lines.extend(
            paper.wrap(&harmless_lines(&format!("{} (against {})", against.headline, against.baseline.name))),
        );
        lines.extend(rows(against, paper));
    }
    lines
}

fn rows(against: &Comparison, paper: Paper) -> Vec<String> {
    let rows: Vec<Vec<grid::Cell>> = shown_rows(against)
        .map(|row| {
            vec![
                grid::Cell::from(format!("  {}", row.metric.words())),
                grid::Cell::from(row.place.at.clone()),
                grid::Cell::from(change(row)),
                grid::Cell { text: row.verdict.to_string(), tone: tone(row.verdict) },
            ]
        })
        .collect();
    if rows.is_empty() {
        Vec::new()
    } else {
        grid_with_whole(&["  metric", "of", "change", "verdict"], &[], &[2], rows, paper)
    }
}

fn notes(bench: &Bench, paper: Paper) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    let warnings =
        bench.cells.iter().filter_map(|cell| cell.against.as_ref()).flat_map(|against| &against.warnings);
    for warning in warnings {
        if !notes.contains(warning) {
            notes.push(warning.clone());
        }
    }
    for cell in &bench.cells {
        let of_cell = if bench.cells.len() > 1 { format!("{}: ", cell.name) } else { String::new() };
        notes.extend(cell.reason.iter().map(|reason| match cell.state {
            State::NotAvailable => format!("{of_cell}not available: {reason}"),
            _ => format!("{of_cell}{reason}"),
        }));
        notes.extend(cell.left_out.iter().map(|left_out| format!("{of_cell}left out: {left_out}")));
        notes.extend(cell.outliers.iter().map(|outlier| format!("{of_cell}{outlier}")));
        let main = cell.lane(bench.metric).and_then(|figure| figure.absent.as_ref());
        notes.extend(main.map(|why| format!("{of_cell}{} {why}", bench.metric.words())));
        for one in cell.dismissed.iter().rev().take(MOST_DISMISSED) {
            notes.push(format!("{of_cell}run {} does not count: {}", one.run, one.why));
        }
        if MOST_DISMISSED < cell.dismissed.len() {
            let n = cell.dismissed.len() - MOST_DISMISSED;
            notes.push(format!("{of_cell}{} more do not count", counted(n, "older run")));
        }
    }
    if notes.is_empty() {
        return notes;
    }
    let wrapped = notes.iter().flat_map(|note| paper.wrap(&format!("note: {}", harmless_lines(note))));
    std::iter::once(String::new()).chain(wrapped).collect()
}
