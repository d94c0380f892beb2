//! Columns of text, aligned: what every table for a terminal is made of.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::text::harmless_lines;

/// The lines of a table. Cells may have several lines and any characters: control
/// characters are escaped. `right` are the columns that are aligned
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
        table.add_row(row.iter().map(|cell| harmless_lines(cell)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(width: Option<usize>, expect: Expect) {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = vec![
            row(["漢字", "15", "hidden_items + product_switching, fake_scan"]),
            row(["a\u{1b}[2J", "29.97", ""]),
        ];
        let lines = grid(&["camera", "fps", "workloads"], &[1], rows, width);
        let widest = lines.iter().map(|line| line.chars().count()).max();
        assert!(widest <= width.or(widest), "{lines:#?}");
        expect.assert_eq(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn columns_fit_their_cells_and_wrap_at_the_width() {
        check(
            None,
            expect![[r#"
            camera        fps  workloads
            漢字           15  hidden_items + product_switching, fake_scan
            a\u{1b}[2J  29.97
        "#]],
        );
        check(
            Some(40),
            expect![[r#"
            camera        fps  workloads
            漢字           15  hidden_items +
                               product_switching,
                               fake_scan
            a\u{1b}[2J  29.97
        "#]],
        );
    }
}
