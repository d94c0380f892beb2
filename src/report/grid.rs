//! Columns of text, aligned: what every table for a terminal is made of.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::plain;

/// The lines of a table. Cells may have several lines and hold anything: what is
/// no text for a terminal is written out. `right` are the columns that are aligned
/// there. With a `width` in columns, cells are broken so that lines fit into it.
#[must_use]
pub fn grid(header: &[&str], right: &[usize], rows: Vec<Vec<String>>, width: Option<usize>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}
