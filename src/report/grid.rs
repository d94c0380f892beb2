//! Columns of text, aligned: what every table for a terminal is made of.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use unicode_width::UnicodeWidthStr;

use crate::diag::{Color, Tone};
use crate::text::harmless_lines;

/// With less room than this beside a label, a text goes on below it.
const LEAST_BESIDE: usize = 24;

/// Empty columns after each column of a table.
const PADDING: u16 = 2;

/// The place where a text for people is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// The columns that a line may take; `None` if that does not matter.
    pub width: Option<usize>,
    pub color: Color,
}

impl Paper {
    /// Without colours and without an end.
    pub const PLAIN: Paper = Paper { width: None, color: Color::Never };

    /// A text after a label of at most `label_width` columns. Further lines begin below it.
    #[must_use]
    pub fn beside(self, label: &str, label_width: usize, text: &str) -> Vec<String> {
        let pad = " ".repeat(label_width.saturating_sub(label.width()));
        let head = format!("{label}{pad}  ");
        let Some(width) = self.width else { return vec![head + text] };
        let indent = if label_width + 2 + LEAST_BESIDE <= width { label_width + 2 } else { 4 };
        self.wrapped(text, &head, &" ".repeat(indent))
    }

    /// A line, broken between words where it is too long. Further lines are indented.
    #[must_use]
    pub fn wrap(self, line: &str) -> Vec<String> {
        if self.width.is_none() {
            return vec![line.to_owned()];
        }
        let indent = line.len() - line.trim_start().len();
        self.wrapped(line, "", &" ".repeat(indent + 2))
    }

    /// The same for each line of a text.
    #[must_use]
    pub fn wrap_lines(self, text: &str) -> String {
        text.lines().flat_map(|line| self.wrap(line)).map(|line| line + "\n").collect()
    }

    fn wrapped(self, text: &str, first: &str, further: &str) -> Vec<String> {
        let options = textwrap::Options::new(self.width.unwrap_or(usize::MAX).max(20))
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .initial_indent(first)
            .subsequent_indent(further);
        textwrap::wrap(text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
    }
}

/// The text of a cell, and what it means to its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub tone: Option<Tone>,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, tone: None }
    }
}

/// Characters without width that mark a colour until the columns are made. No text has
/// them: they would be escaped.
const MARKS: [(Tone, char); 4] =
    [(Tone::Good, '\u{2061}'), (Tone::Unsure, '\u{2062}'), (Tone::Bad, '\u{2063}'), (Tone::Head, '\u{2064}')];
const END: char = '\u{206a}';

/// The lines of a table. Cells may have several lines and any characters: control
/// characters are escaped. `right` are the columns that are aligned there. Cells are
/// broken so that lines fit the paper.
#[must_use]
pub fn grid<C: Into<Cell>>(header: &[&str], right: &[usize], rows: Vec<Vec<C>>, paper: Paper) -> Vec<String> {
    grid_with_whole(header, right, &[], rows, paper)
}

/// [`grid`] with columns that are never narrower than their longest word, so that no number is broken.
#[must_use]
pub fn grid_with_whole<C: Into<Cell>>(
    header: &[&str],
    right: &[usize],
    whole: &[usize],
    rows: Vec<Vec<C>>,
    paper: Paper,
) -> Vec<String> {
    let rows: Vec<Vec<Cell>> =
        rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect();
    let longest = |index: usize| {
        let words =
            rows.iter().filter_map(|row| row.get(index)).flat_map(|cell| cell.text.split_whitespace());
        words.map(UnicodeWidthStr::width).max().unwrap_or(0)
    };
    let least: Vec<(usize, usize)> = whole.iter().map(|index| (*index, longest(*index))).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(|text| marked(text, Some(Tone::Head), paper.color)));
    if let Some(width) = paper.width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    }
    for row in rows {
        table.add_row(row.into_iter().map(|cell| {
            let Cell { text, tone } = cell;
            marked(&harmless_lines(&text), tone, paper.color)
        }));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, PADDING));
        if right.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if let Some((_, width)) = least.iter().find(|(whole, _)| *whole == index) {
            let width = u16::try_from(*width).unwrap_or(u16::MAX).saturating_add(PADDING);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
    }
    table.to_string().lines().map(|line| painted(line.trim_end())).collect()
}

/// Marks each word of a text, since lines are broken between them.
fn marked(text: &str, tone: Option<Tone>, color: Color) -> String {
    let mark = MARKS.iter().find(|(known, _)| Some(*known) == tone).filter(|_| color == Color::Always);
    let Some((_, mark)) = mark else { return text.to_owned() };
    let word = |word: &str| if word.is_empty() { String::new() } else { format!("{mark}{word}{END}") };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A line with colours instead of marks.
fn painted(line: &str) -> String {
    let (mut text, mut open) = (String::with_capacity(line.len()), None);
    for c in line.chars() {
        match MARKS.iter().find(|(_, mark)| *mark == c) {
            Some((tone, _)) => {
                let (begin, end) = tone.escapes();
                text.push_str(&begin);
                open = Some(end);
            }
            None => {
                // A word that was too long for its column ends in another line.
                if c == END || c == ' ' {
                    text.push_str(&open.take().unwrap_or_default());
                }
                if c != END {
                    text.push(c);
                }
            }
        }
    }
    text.push_str(&open.unwrap_or_default());
    text
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
        let paper = Paper { width, color: Color::Never };
        let lines = grid(&["camera", "fps", "workloads"], &[1], rows, paper);
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

    #[test]
    fn colours_take_no_room_and_wrap_with_their_words() {
        let rows = || {
            let bad = Cell { text: "does not hold".to_owned(), tone: Some(Tone::Bad) };
            vec![
                vec![bad, Cell::from("日本".to_owned())],
                vec![Cell::from("holds".to_owned()), Cell::from("x".to_owned())],
            ]
        };
        let plain = |line: &String| {
            let mut text = line.clone();
            for (begin, end) in [Tone::Bad, Tone::Head].map(Tone::escapes) {
                text = text.replace(&begin, "").replace(&end, "");
            }
            text
        };
        for width in [None, Some(40), Some(14), Some(9)] {
            let [never, always] = [Color::Never, Color::Always]
                .map(|color| grid(&["verdict", "camera"], &[], rows(), Paper { width, color }));
            assert_eq!(always.iter().map(plain).collect::<Vec<_>>(), never, "{width:?}");
            assert!(always.iter().any(|line| line.contains("\u{1b}[31m")), "{always:?}");
        }
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let paper = Paper { width: Some(24), color: Color::Never };
        assert_eq!(
            paper.wrap("  note: a reason that is long-winded /and/a/path/that/is/longer/than/that"),
            ["  note: a reason that is", "    long-winded", "    /and/a/path/that/is/longer/than/that"]
        );
        assert_eq!(Paper::PLAIN.wrap("one two"), ["one two"]);
        let paper = Paper { width: Some(40), color: Color::Never };
        assert_eq!(
            paper.beside("plan:日本", 12, "stale: `fps` changed from 15 to 30"),
            ["plan:日本     stale: `fps` changed from", "              15 to 30"]
        );
        assert_eq!(
            paper.beside("plan:camera-of-a-long-name", 26, "stale: `fps` changed"),
            ["plan:camera-of-a-long-name  stale: `fps`", "    changed"]
        );
        assert_eq!(Paper::PLAIN.beside("a", 2, "new"), ["a   new"]);
    }
}
