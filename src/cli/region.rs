//! The lines at the bottom of a terminal that are redrawn in place.
//!
//! [`Region`] is pure: it returns the text to write. Its lines never wrap and are fewer
//! than the terminal has, so the screen scrolls by no more than what was printed. The
//! cursor rests at the begin of the last line and stays visible, so a process that is
//! killed leaves nothing to restore.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Size {
    /// The widest line that does not wrap.
    pub(super) fn line(self) -> usize {
        self.columns.saturating_sub(1)
    }
}

/// Clears to the end of the line.
const CLEAR_LINE: &str = "\x1b[K";
/// Clears to the end of the screen.
const CLEAR_BELOW: &str = "\x1b[J";
/// A terminal that knows these shows all that is between them at once.
const BEGIN: &str = "\x1b[?2026h";
const END: &str = "\x1b[?2026l";

/// The lines that are on the screen.
#[derive(Debug, Default)]
pub(super) struct Region {
    lines: Vec<String>,
    /// The width of the terminal when they were drawn.
    columns: usize,
}

impl Region {
    pub(super) const fn new() -> Region {
        Region { lines: Vec::new(), columns: 0 }
    }

    pub(super) fn is_visible(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Shows these lines instead, of which each fits.
    pub(super) fn draw(&mut self, lines: Vec<String>, size: Size) -> String {
        if lines.is_empty() {
            return self.clear(size);
        }
        if lines == self.lines && size.columns == self.columns {
            return String::new();
        }
        let begin = self.begin(size);
        let text = lines.join(&format!("{CLEAR_LINE}\n"));
        (self.lines, self.columns) = (lines, size.columns);
        format!("{BEGIN}{begin}{text}{CLEAR_BELOW}\r{END}")
    }

    /// Removes the lines.
    pub(super) fn clear(&mut self, size: Size) -> String {
        if !self.is_visible() {
            return String::new();
        }
        let begin = self.begin(size);
        self.lines.clear();
        format!("{begin}{CLEAR_BELOW}")
    }

    /// Prints a text above the lines, which stays.
    pub(super) fn above(&mut self, text: &str, size: Size) -> String {
        if !self.is_visible() {
            return format!("{text}\n");
        }
        let lines = std::mem::take(&mut self.lines);
        let begin = Region { lines: lines.clone(), columns: self.columns }.begin(size);
        // Drawn for another width, they would wrap.
        let fits = self.columns <= size.columns;
        let drawn = if fits { self.draw(lines, size) } else { String::new() };
        format!("{begin}{CLEAR_BELOW}{text}\n{drawn}")
    }

    /// Moves from the begin of the last line to that of the first. A terminal that has
    /// become narrower has wrapped them.
    fn begin(&self, size: Size) -> String {
        let rows = |line: &String| width(line).div_ceil(size.columns.max(1)).max(1);
        let above: usize = match self.lines.split_last() {
            Some((_, others)) => others.iter().map(rows).sum(),
            None => 0,
        };
        let is_narrower = self.is_visible() && size.columns < self.columns;
        let up = if above > 0 { format!("\r\x1b[{above}A") } else { "\r".to_owned() };
        if is_narrower { format!("{up}{CLEAR_BELOW}") } else { up }
    }
}

/// The columns that a text takes, without its escape sequences for colours.
pub(super) fn width(text: &str) -> usize {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').map_or("", |(_, text)| text));
    std::iter::once(first).chain(rest).map(UnicodeWidthStr::width).sum()
}

/// The part of a line without escape sequences that fits into so many columns.
pub(super) fn cut(line: &str, columns: usize) -> String {
    if line.width() <= columns {
        return line.to_owned();
    }
    let dots = &"..."[..columns.min(3)];
    let mut used = 0;
    let kept = line.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used + dots.len() <= columns
    });
    kept.collect::<String>() + dots
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 20, rows: 5 };

    /// The screen after these texts, and how far it has scrolled.
    fn screen(texts: &[String], size: Size) -> String {
        let cells = |n: usize| std::num::NonZero::new(u16::try_from(n).unwrap()).unwrap();
        let mut terminal = vt100::Parser::new(cells(size.rows), cells(size.columns), 100);
        for text in texts {
            // As a terminal does with output.
            terminal.process(text.replace('\n', "\r\n").as_bytes());
        }
        terminal.screen().contents()
    }

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_are_redrawn_in_place() {
        let mut region = Region::new();
        let texts = [
            region.above("first", SIZE),
            region.draw(lines(&["one", "two", "three"]), SIZE),
            region.draw(lines(&["1", "2"]), SIZE),
            region.above("second", SIZE),
            region.draw(lines(&["a", "b", "c"]), SIZE),
        ];
        assert_eq!(screen(&texts, SIZE), "first\nsecond\na\nb\nc");
        let texts = [&texts[..], &[region.clear(SIZE), region.above("end", SIZE)]].concat();
        assert_eq!(screen(&texts, SIZE), "first\nsecond\nend");
    }

    #[test]
    fn equal_lines_are_not_written_again() {
        let mut region = Region::new();
        assert_ne!(region.draw(lines(&["one"]), SIZE), "");
        assert_eq!(region.draw(lines(&["one"]), SIZE), "");
        assert_ne!(region.draw(lines(&["one"]), Size { columns: 10, rows: 5 }), "");
    }

    #[test]
    fn wrapped_lines_of_a_narrower_terminal_are_cleared() {
        let mut region = Region::new();
        region.draw(lines(&["0123456789012345", "b", "c"]), SIZE);
        let narrow = Size { columns: 8, rows: 5 };
        // Two rows for the first line, and one for the second.
        assert_eq!(
            region.draw(lines(&["a", "b"]), narrow),
            "\x1b[?2026h\r\x1b[3A\x1b[Ja\x1b[K\nb\x1b[J\r\x1b[?2026l"
        );
    }

    #[test]
    fn colours_and_wide_characters_count_as_shown() {
        assert_eq!(width("\x1b[1m\x1b[31mfailed\x1b[0m"), 6);
        assert_eq!(width("日本"), 4);
        assert_eq!(cut("0123456789", 10), "0123456789");
        assert_eq!(cut("0123456789", 9), "012345...");
        assert_eq!(cut("日本語日本語", 9), "日本語...");
        assert_eq!(cut("0123456789", 2), "..");
        assert_eq!(cut("0123456789", 0), "");
    }
}
