//! Text of files for a terminal: characters that would move the cursor, change
//! colours, reorder or hide text become visible, and long lines are cut around the
//! marks.
//!
//! The text at a fault may come from somebody else, so no part of it reaches a
//! terminal unchecked.
//!
//! Not here: layout and colours (`render`).

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use crate::text::{harmless, is_treacherous, passwords};

/// Lines of no more bytes are shown whole; the renderer fits them to the terminal.
const WHOLE: usize = 400;

/// Replaces the part that was left out.
const GAP: &str = "...";

/// Joiners and variation selectors take no column of their own.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// A text for a sentence of one line, harmless, and cut in the middle if it has more
/// than `limit` characters.
pub(super) fn sentence(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return harmless(text);
    }
    let (front, back) = (limit * 3 / 4, limit / 4);
    let end = text.char_indices().nth(front).map_or(text.len(), |(at, _)| at);
    let start = text.char_indices().rev().nth(back - 1).map_or(0, |(at, _)| at);
    Cow::Owned(format!("{}{GAP}{}", harmless(&text[..end]), harmless(&text[start..])))
}

/// JSON with treacherous characters escaped; it means the same.
pub(super) fn json(text: String) -> String {
    // Between strings there are only line breaks, and inside them the
    // serializer has escaped those below a blank.
    let is_raw = |c: char| c >= '\u{7f}' && is_treacherous(c);
    if !text.contains(is_raw) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        if is_raw(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(escaped, "\\u{unit:04x}").expect("a string takes any character");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A line as it is shown, and where `marks` (ranges of bytes of it) are then.
///
/// The renderer knows the width of every character. Tabs stay. Passwords become
/// stars, since logs of CI keep the output of a build.
pub(super) fn line(line: &str, marks: &[Range<usize>]) -> (String, Vec<Range<usize>>) {
    let mut shown = String::new();
    let mut moved: Vec<Range<usize>> = marks.iter().map(|_| 0..0).collect();
    let mut settle = |at: usize, now: usize| {
        for (mark, moved) in marks.iter().zip(&mut moved) {
            if mark.start == at {
                moved.start = now;
            }
            if mark.end == at {
                moved.end = now;
            }
        }
    };
    let passwords = passwords(line);
    let mut done = 0;
    for piece in pieces(line, marks) {
        if piece.start > done {
            shown.push_str(GAP);
        }
        for (at, c) in line[piece.clone()].char_indices() {
            settle(piece.start + at, shown.len());
            match c {
                '\t' => shown.push('\t'),
                _ if passwords.iter().any(|password| password.contains(&(piece.start + at))) => {
                    shown.push('*')
                }
                c if is_joiner(c) => {}
                c if is_treacherous(c) => shown.push(char::REPLACEMENT_CHARACTER),
                c => shown.push(c),
            }
        }
        settle(piece.end, shown.len());
        done = piece.end;
    }
    if done < line.len() {
        shown.push_str(GAP);
    }
    (shown, moved)
}

/// The ranges of a line that are shown: all of a short one, else the parts around
/// both ends of each mark.
fn pieces(line: &str, marks: &[Range<usize>]) -> Vec<Range<usize>> {
    let whole = 0..line.len();
    if whole.len() <= WHOLE {
        return vec![whole];
    }
    let mut around: Vec<Range<usize>> = marks
        .iter()
        .flat_map(|mark| {
            let starts = mark.start.saturating_sub(80)..mark.start + 80;
            [starts, mark.end.saturating_sub(20)..mark.end + 40]
        })
        .collect();
    if marks.is_empty() {
        around.push(0..120);
    }
    around.sort_by_key(|range| range.start);
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for range in around {
        let range = boundary(line, range.start)..boundary(line, range.end);
        match pieces.last_mut() {
            Some(last) if range.start <= last.end + GAP.len() => last.end = last.end.max(range.end),
            _ => pieces.push(range),
        }
    }
    pieces
}

/// The nearest boundary of a character at or before byte `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Shows a line with the mark in angle brackets.
    #[track_caller]
    fn check(text: &str, mark: Range<usize>, expect: Expect) {
        let (mut shown, moved) = line(text, &[mark]);
        shown.insert(moved[0].end, '>');
        shown.insert(moved[0].start, '<');
        expect.assert_eq(&shown);
    }

    #[test]
    fn terminal_commands_are_replaced() {
        check("\u{1b}[31m\u{202e}\u{9b}x\u{7}\ty", 0..1, expect!["<�>[31m��x�	y"]);
        check("a\u{200b}b", 1..4, expect!["a<�>b"]);
        check("👩\u{200d}👧\u{fe0f} x", 15..16, expect!["👩👧 <x>"]);
    }

    #[test]
    fn passwords_are_stars() {
        check("\"rtsp://bob:p%40s@s@host/1\"", 1..4, expect![[r#""<rts>p://bob:*******@host/1""#]]);
        check("http://token@h rtsp://h/a@b", 0..1, expect!["<h>ttp://*****@h rtsp://h/a@b"]);
        check("rtsp://${U}:${P}@h, rtsp://a:é@h", 0..1, expect!["<r>tsp://${U}:${P}@h, rtsp://a:*@h"]);
    }

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!("{}[mark]{}", "é".repeat(500), "z".repeat(500));
        check(
            &text,
            1000..1006,
            expect![
                "...éééééééééééééééééééééééééééééééééééééééé<[mark]>zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz..."
            ],
        );
        check(&text, 0..2, expect!["<é>ééééééééééééééééééééééééééééééééééééééé..."]);
        check(
            &text,
            text.len()..text.len(),
            expect!["...zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz<>"],
        );
        check(
            &text,
            10..1300,
            expect![
                "ééééé<éééééééééééééééééééééééééééééééééééééééé...zzzzzzzzzzzzzzzzzzzz>zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz..."
            ],
        );
    }

    #[test]
    fn a_sentence_has_a_limit_and_no_control_characters() {
        assert_eq!(sentence("fps", 3), "fps");
        assert_eq!(sentence("a\nb\u{202e}c\u{9b}", 100), "a\\nb\\u{202e}c\\u{9b}");
        assert_eq!(sentence(&format!("{}end", "ü".repeat(100)), 20), "üüüüüüüüüüüüüüü...üüend");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let text = "\u{7f}\u{9b}\u{202e}\u{e0001} ä";
        let shown = json(serde_json::to_string(text).unwrap());
        assert_eq!(shown, r#""\u007f\u009b\u202e\udb40\udc01 ä""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
}
