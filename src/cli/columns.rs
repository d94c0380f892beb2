//! Tables of commands: columns without contents are left out, lines fit the terminal.

use super::console;
use crate::report::grid::grid;
use crate::text::harmless;

/// A table as text. `right` are the names of the columns that are aligned there.
pub(super) fn table(header: &[&str], right: &[&str], rows: Vec<Vec<String>>) -> String {
    let (header, rows) = without_empty(header, rows);
    let right: Vec<usize> = (0..header.len()).filter(|n| right.contains(&header[*n])).collect();
    let lines = grid(&header, &right, rows, console::paper());
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Leaves out columns in which no row has anything.
pub(super) fn without_empty<'a>(
    header: &[&'a str],
    rows: Vec<Vec<String>>,
) -> (Vec<&'a str>, Vec<Vec<String>>) {
    let is_used = |n: &usize| rows.iter().any(|row| !row[*n].is_empty());
    let used: Vec<usize> = (0..header.len()).filter(is_used).collect();
    let rows = rows.iter().map(|row| used.iter().map(|n| row[*n].clone()).collect()).collect();
    (used.iter().map(|n| header[*n]).collect(), rows)
}

/// A line, cut to the width of a terminal.
pub(super) fn fit(line: &str, width: Option<usize>) -> String {
    let line = harmless(line);
    match width {
        Some(width) if line.chars().count() > width => {
            line.chars().take(width.saturating_sub(1)).chain(['…']).collect()
        }
        _ => line.into_owned(),
    }
}
