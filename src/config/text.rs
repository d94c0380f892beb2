//! From the bytes of a file to text of a bounded size for a parser.

use std::ops::Range;

use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place, Sources};

/// The largest file that is read. It is the one limit for absurd files: the tree of
/// values and the list of faults take up to sixty times the memory of the text.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// The most syntax errors that are reported of a file: with more it is hardly JSON
/// or TOML, and to explain each would take minutes.
pub(super) const MAX_FAULTS: usize = 100;

/// The fault after which no syntax error of a file is reported.
pub(super) fn last_of_many(fault: Diagnostic) -> Diagnostic {
    let limit = format!("only the first {MAX_FAULTS} syntax errors of a file are reported");
    let help = fault.help.clone().map_or(limit.clone(), |help| format!("{help}; {limit}"));
    fault.help(help)
}

/// The marks of a failed merge at the beginning of a line.
pub(super) const CONFLICT: [&str; 3] = ["<<<<<<<", "=======", ">>>>>>>"];

/// Adds the bytes of a file to the sources. `None` if they are not UTF-8.
pub(super) fn admit(
    name: &str,
    bytes: Vec<u8>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<FileId> {
    if let [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, _, 0, ..] | [0, _, 0, _, ..] = *bytes {
        let error = Diagnostic::error(codes::NOT_UTF8, format!("`{name}` is UTF-16, not UTF-8"));
        let place = Place::new(sources.add(name, ""), 0..0);
        diagnostics.push(error.at(place).help("save it as UTF-8"));
        return None;
    }
    let valid = String::from_utf8(bytes);
    let fault = valid.as_ref().err().map(|error| error.utf8_error());
    let text = valid.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let file = sources.add(name, &text[mark..]);
    let Some(fault) = fault else { return Some(file) };
    // Up to the fault, the lossy text has the same bytes.
    let start = fault.valid_up_to() - mark;
    let place = Place::new(file, start..start + char::REPLACEMENT_CHARACTER.len_utf8());
    let error = Diagnostic::error(codes::NOT_UTF8, format!("`{name}` is not UTF-8"));
    diagnostics.push(
        error.at(place).label(format!("the byte at offset {} is not valid UTF-8", fault.valid_up_to())),
    );
    None
}

/// The part of a text that a parser means by `range`, at boundaries of characters.
pub(super) fn within(text: &str, range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start.min(text.len()), range.end.min(text.len()));
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    end = end.max(start);
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// The first line that is not blank or a comment of TOML.
pub(super) fn first_line(text: &str) -> Range<usize> {
    let mut lines = text.split('\n').map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
    let start = if line.is_empty() { 0 } else { line.as_ptr() as usize - text.as_ptr() as usize };
    start..start + line.len()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expect: Expect) {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        admit("x", bytes.to_vec(), &mut sources, &mut diagnostics);
        expect.assert_eq(&diagnostics.lines(&sources));
    }

    #[test]
    fn invalid_utf_8_is_reported_at_its_place() {
        check(
            b"\xef\xbb\xbf{\n \"a\": \"\xff\" }",
            expect![[r#"
            LP0005 2:8 `x` is not UTF-8
        "#]],
        );
    }

    #[test]
    fn utf16_is_named() {
        let little: Vec<u8> = "\u{feff}{ \"é\": 1 }".encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(
            &little,
            expect![[r#"
            LP0005 1:1 `x` is UTF-16, not UTF-8; save it as UTF-8
        "#]],
        );
        let big: Vec<u8> = "{ \"a\": 1 }".encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(
            &big,
            expect![[r#"
            LP0005 1:1 `x` is UTF-16, not UTF-8; save it as UTF-8
        "#]],
        );
    }
}
