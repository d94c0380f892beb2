//! Bytes of a file on their way to a parser: size, encoding and nesting are
//! checked here, before anything that could be made to work hard sees them.

use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place, Sources};

/// The largest file that is read.
pub(super) const MAX_BYTES: u64 = 64 << 20;

/// The deepest nesting of lists and tables.
pub(super) const MAX_DEPTH: usize = 128;

/// The most values of a file. A tree of them takes many times the bytes of
/// `0,0,0`, and 100,000 tasks have a million.
const MAX_VALUES: usize = 4 << 20;

/// The two languages of config files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Json,
    Toml,
}

/// Adds the bytes of a file to the sources. `None` if no parser should see them.
pub(super) fn admit(
    name: &str,
    bytes: Vec<u8>,
    language: Language,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Option<FileId> {
    if let Some(text) = utf16(&bytes) {
        let file = sources.add(name, text);
        let error = Diagnostic::error(codes::NOT_UTF8, format!("`{name}` is UTF-16, not UTF-8"));
        diagnostics.push(error.at(Place::new(file, 0..0)).help("save it as UTF-8"));
        return None;
    }
    let valid = String::from_utf8(bytes);
    let fault = valid.as_ref().err().map(|error| error.utf8_error());
    let text = valid.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let mark = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let file = sources.add(name, &text[mark..]);

    if let Some(fault) = fault {
        // Up to the fault, the lossy text has the same bytes.
        let start = fault.valid_up_to() - mark;
        let place = Place::new(file, start..start + char::REPLACEMENT_CHARACTER.len_utf8());
        let error = Diagnostic::error(codes::NOT_UTF8, format!("`{name}` is not UTF-8"));
        diagnostics
            .push(error.at(place).label(format!("the byte at offset {} is no text", fault.valid_up_to())));
        return None;
    }
    let (offset, error) = match beyond(sources.text(file), language) {
        None => return Some(file),
        Some((offset, Beyond::Depth)) => {
            let message = format!("values are nested more than {MAX_DEPTH} levels deep");
            let error = Diagnostic::error(codes::TOO_DEEP, message);
            (offset, error.label(format!("level {}", MAX_DEPTH + 1)))
        }
        Some((offset, Beyond::Values)) => {
            let message = format!("`{name}` has more than {MAX_VALUES} values");
            (offset, Diagnostic::error(codes::TOO_LARGE, message))
        }
    };
    diagnostics.push(error.at(Place::new(file, offset..offset + 1)));
    None
}

/// The part of a text that a parser means by `range`, at boundaries of characters.
pub(super) fn within(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
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

/// The text of a file that is UTF-16: by its mark, or because every other byte
/// of its beginning is zero.
fn utf16(bytes: &[u8]) -> Option<String> {
    let is_little = match bytes {
        [0xff, 0xfe, ..] => true,
        [0xfe, 0xff, ..] => false,
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => true,
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => false,
        _ => return None,
    };
    let unit = |pair: &[u8]| {
        let pair = [pair[0], pair[1]];
        if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
    };
    let units = bytes.chunks_exact(2).map(unit);
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Another language that a text seems to be in.
pub(super) struct Other {
    /// Its name.
    pub(super) language: &'static str,
    /// The line that tells.
    pub(super) range: std::ops::Range<usize>,
}

/// The language of a text that is not in `expected`, if its first line tells.
pub(super) fn looks_like(text: &str, expected: Language) -> Option<Other> {
    let lines = || text.split('\n').map(str::trim);
    let line = lines().find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let start = line.as_ptr() as usize - text.as_ptr() as usize;
    let is_key = |key: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        !key.is_empty() && key.chars().all(is_part)
    };
    let is_header = || {
        let name = line.trim_start_matches('[').split(']').next().unwrap_or_default();
        let is_value = name.trim().parse::<f64>().is_ok() || ["true", "false", "null"].contains(&name.trim());
        line.starts_with('[') && line.contains(']') && is_key(name) && !is_value
    };
    let is_pair = |line: &str| line.split_once('=').is_some_and(|(key, _)| is_key(key.trim_end()));
    let is_yaml = || {
        let entry = line
            .split_once(':')
            .is_some_and(|(key, rest)| is_key(key) && (rest.is_empty() || rest.starts_with(' ')));
        line == "---" || line.starts_with("%YAML") || line.starts_with("- ") || entry
    };
    let language = match expected {
        _ if line.starts_with('<') && !line.starts_with("<<<") => "XML",
        Language::Json if is_header() || is_pair(line) => "TOML",
        Language::Json if is_yaml() => "YAML",
        Language::Toml if line.starts_with('{') || line.starts_with("[{") || line == "[" => "JSON",
        // A colon for `=` is a slip as long as other lines are TOML.
        Language::Toml if is_yaml() && !lines().any(is_pair) => "YAML",
        _ => return None,
    };
    Some(Other { language, range: start..start + line.len() })
}

/// A limit that a text goes beyond.
enum Beyond {
    Depth,
    Values,
}

/// Where brackets first nest too deep, or values are too many. Strings and
/// comments are skipped in the simplest way that holds for valid files; parsers
/// have limits of their own.
fn beyond(text: &str, language: Language) -> Option<(usize, Beyond)> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut values) = (0, 0_usize, 0_usize);
    while at < bytes.len() {
        // Each value begins with or is followed by one of these.
        let is_value = match bytes[at] {
            b',' | b'[' | b'{' => true,
            b'\n' => language == Language::Toml,
            _ => false,
        };
        values += usize::from(is_value);
        if values > MAX_VALUES {
            return Some((at, Beyond::Values));
        }
        match bytes[at] {
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some((at, Beyond::Depth));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = string_end(bytes, at, b'"', language),
            b'\'' if language == Language::Toml => at = string_end(bytes, at, b'\'', language),
            b'#' if language == Language::Toml => {
                while at < bytes.len() && bytes[at] != b'\n' {
                    at += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The last byte of the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize, quote: u8, language: Language) -> usize {
    let triple = [quote; 3];
    let is_long = language == Language::Toml && bytes[at..].starts_with(&triple);
    let mut at = at + if is_long { 3 } else { 1 };
    while at < bytes.len() {
        if bytes[at] == b'\\' && quote == b'"' {
            at += 1;
        } else if is_long && bytes[at..].starts_with(&triple) {
            return at + 2;
        } else if !is_long && (bytes[at] == quote || bytes[at] == b'\n') {
            return at;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::diag::Color;

    #[track_caller]
    fn check(bytes: &[u8], language: Language, expect: Expect) {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        admit("x", bytes.to_vec(), language, &mut sources, &mut diagnostics);
        expect.assert_eq(&diagnostics.render_human(&sources, Color::Never));
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_where_they_are() {
        check(
            b"\xef\xbb\xbf{\n \"a\": \"\xff\" }",
            Language::Json,
            expect![[r#"
            error[LP0005]: `x` is not UTF-8
             --> x:2:8
              |
            2 |  "a": "�" }
              |        ^ the byte at offset 12 is no text

        "#]],
        );
    }

    #[test]
    fn utf16_is_called_so() {
        let little: Vec<u8> = "\u{feff}{ \"é\": 1 }".encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(
            &little,
            Language::Json,
            expect![[r#"
            error[LP0005]: `x` is UTF-16, not UTF-8
             --> x:1:1
              |
            1 | { "é": 1 }
              | ^
              |
              = help: save it as UTF-8

        "#]],
        );
        let big: Vec<u8> = "{ \"a\": 1 }".encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(
            &big,
            Language::Json,
            expect![[r#"
            error[LP0005]: `x` is UTF-16, not UTF-8
             --> x:1:1
              |
            1 | { "a": 1 }
              | ^
              |
              = help: save it as UTF-8

        "#]],
        );
    }

    #[test]
    fn values_have_a_limit() {
        let zeros = format!("[\n{}0]", "0,".repeat(MAX_VALUES));
        check(
            zeros.as_bytes(),
            Language::Json,
            expect![[r#"
            error[LP0004]: `x` has more than 4194304 values
             --> x:2:8388608
              |
            2 | ...,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]
              |                                                                                    ^

        "#]],
        );
        let lines = "a=1\n".repeat(MAX_VALUES + 1);
        check(
            lines.as_bytes(),
            Language::Toml,
            expect![[r#"
            error[LP0004]: `x` has more than 4194304 values
                   --> x:4194305:4
                    |
            4194305 | a=1
                    |    ^

        "#]],
        );
        check(&zeros.as_bytes()[4..], Language::Json, expect![""]);
        check(&lines.as_bytes()[4..], Language::Toml, expect![""]);
    }

    #[test]
    fn nesting_has_a_limit_and_brackets_in_strings_are_none() {
        check(
            "[".repeat(130).as_bytes(),
            Language::Json,
            expect![[r#"
            error[LP0006]: values are nested more than 128 levels deep
             --> x:1:129
              |
            1 | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
              |                                                                                                                                 ^ level 129

        "#]],
        );
        let brackets = "[".repeat(130);
        check(format!("[\"\\\"{brackets}\"]").as_bytes(), Language::Json, expect![""]);
        let toml = format!("a = '{brackets}' # {brackets}\nb = \"\"\"\n\"{brackets}\n\"\"\"\n");
        check(toml.as_bytes(), Language::Toml, expect![""]);
    }
}
