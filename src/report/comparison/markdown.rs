//! A comparison in Markdown, for a pull request, a chat or a ticket.
//!
//! It is cut at [`MOST`] characters, the most that a comment of GitHub takes, at the end of a row.

use super::{design, excluded, legend, mean, remarks, rows, side, verdict};
use crate::record::comparison::Comparison;
use crate::record::comparison::words::{self, difference};
use crate::text::harmless_lines;

/// GitHub's limit of a comment, less what says that something was cut.
const MOST: usize = 65_000;

/// The comparison as Markdown.
#[must_use]
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = format!("**{}**\n\n", escaped(&comparison.headline));
    let mut item = |label: &str, value: &str| text.push_str(&format!("- {label}: {}\n", escaped(value)));
    item("Baseline", &side(&comparison.baseline));
    item("Candidate", &side(&comparison.candidate));
    comparison.refused.iter().for_each(|one| item("Refused", &difference(one)));
    comparison.differences.iter().for_each(|one| item("Differs", &difference(one)));
    comparison.warnings.iter().for_each(|one| item("Warning", one));
    comparison.wrong.iter().for_each(|one| item("Wrong", &format!("{}: {}", one.stream, one.reason)));
    excluded(comparison).iter().for_each(|one| item("Left out", one));
    if comparison.refused.is_empty() {
        item("Measured", design(comparison));
    }
    let (rows, same) = rows(comparison);
    if let Some(same) = same {
        item("The same", &same);
    }
    for (rows, title) in rows.into_iter().zip(["Decides", "Told"]) {
        if rows.is_empty() {
            continue;
        }
        text.push_str(&format!("\n| {title} | Figure | Baseline | Candidate | Change | Verdict |\n"));
        text.push_str("|---|---|--:|--:|---|---|\n");
        for row in rows {
            let cells = [
                row.place.at.clone(),
                row.metric.words().to_owned(),
                mean(row, &row.baseline),
                mean(row, &row.candidate),
                words::change(row).unwrap_or_else(|| crate::report::NONE.to_owned()),
                verdict(row),
            ];
            let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    let remarks = remarks(comparison);
    if !remarks.is_empty() {
        text.push('\n');
        remarks.iter().for_each(|line| text.push_str(&format!("- {}\n", escaped(line))));
    }
    if !comparison.rows.is_empty() {
        text.push_str(&format!("\n{}\n", legend(comparison)));
    }
    cut(text)
}

/// A text that Markdown shows as it is, in a line and in a cell of a table.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in harmless_lines(text).chars() {
        match c {
            '\n' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            // A name would else be a mention that notifies somebody.
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// At most [`MOST`] characters, in whole lines.
fn cut(text: String) -> String {
    let Some((end, _)) = text.char_indices().nth(MOST) else { return text };
    let end = text[..end].rfind('\n').map_or(0, |at| at + 1);
    format!("{}\nCut here; `--json` and `--format csv` have all rows.\n", &text[..end])
}
