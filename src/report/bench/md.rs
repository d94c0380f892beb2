//! A benchmark as Markdown, for tickets and pull requests: what decided, and the tables.

use super::{Bench, Cell, Figure, State, change, shown_rows};
use crate::text::harmless_lines;

/// The most metrics beside the main one in the table of cells.
const MOST_METRICS: usize = 4;

/// The benchmark as Markdown.
#[must_use]
pub fn md(bench: &Bench) -> String {
    let mut lines = vec![format!("**{}**", plain(&bench.headline())), String::new()];
    let metrics: Vec<_> = bench.shown_metrics().into_iter().take(MOST_METRICS + 1).collect();
    let mut header = vec!["cell".to_owned(), "cameras".to_owned(), "runs".to_owned()];
    header.extend(metrics.iter().map(|metric| metric.words().to_owned()));
    header.push("verdict".to_owned());
    lines.push(line(&header));
    lines.push(line(&header.iter().map(|_| "---".to_owned()).collect::<Vec<_>>()));
    for cell in &bench.cells {
        let mut row = vec![plain(&cell.name), plain(&cell.subject), cell.status()];
        let shown = |figure: &Figure| plain(&figure.shown());
        row.extend(metrics.iter().map(|metric| cell.lane(*metric).map_or("-".to_owned(), shown)));
        row.push(verdict(cell));
        lines.push(line(&row));
    }
    for cell in &bench.cells {
        let Some(against) = &cell.against else { continue };
        let rows: Vec<_> = shown_rows(against).collect();
        lines.push(String::new());
        lines.push(format!("{} (against {})", plain(&against.headline), plain(&against.baseline.name)));
        if rows.is_empty() {
            continue;
        }
        lines.push(String::new());
        let header = ["metric", "of", "change", "verdict"].map(str::to_owned);
        lines.push(line(&header));
        lines.push(line(&header.iter().map(|_| "---".to_owned()).collect::<Vec<_>>()));
        for row in rows {
            let verdict = row.verdict.to_string();
            let cells = [row.metric.words(), &row.place.at, &change(row), &verdict].map(plain);
            lines.push(line(&cells));
        }
    }
    let notes: Vec<String> = bench.cells.iter().flat_map(notes).collect();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.extend(notes);
    }
    if let Some(lines_of) = bench.ranking.as_ref().map(|ranking| &ranking.lines) {
        lines.push(String::new());
        lines.extend(lines_of.iter().map(|text| format!("- {}", plain(text))));
    }
    lines.push(String::new());
    let facts: Vec<String> =
        bench.host.iter().map(|(name, value)| format!("{} {}", plain(name), plain(value))).collect();
    if !facts.is_empty() {
        lines.push(format!("Host: {}. Order by seed {}.", facts.join(", "), bench.seed));
    }
    lines.join("\n") + "\n"
}

fn verdict(cell: &Cell) -> String {
    match (&cell.against, cell.state) {
        (_, State::NotAvailable) => "not available".to_owned(),
        (Some(against), _) => format!("**{}**", against.verdict),
        (None, State::Unfinished) => "too few runs".to_owned(),
        (None, State::Measured) => String::new(),
    }
}

fn notes(cell: &Cell) -> Vec<String> {
    let reason = cell.reason.iter().map(|reason| format!("- {}: {}", plain(&cell.name), plain(reason)));
    let outliers = cell.outliers.iter().map(|text| format!("- {}: {}", plain(&cell.name), plain(text)));
    let not_counted = match cell.dismissed.len() {
        0 => None,
        n => Some(format!(
            "- {}: {n} not counted, the last: {}",
            plain(&cell.name),
            plain(&cell.dismissed[n - 1].why)
        )),
    };
    reason.chain(outliers).chain(not_counted).collect()
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// A text without what Markdown, or HTML in it, would take for markup. One line.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in harmless_lines(text).replace('\n', " ").chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '~' | '!' => {
                plain.push('\\');
                plain.push(c);
            }
            c => plain.push(c),
        }
    }
    plain
}
