//! The messages for syntax errors of TOML.
//!
//! The parser reports an error with its own message and at its own position. For
//! common slips, the message here names the key that appears twice, the string
//! without quotes, or the beginning of a bracket or quote that is never closed. All
//! other faults keep the parser's message. A test fails when a new version of the
//! parser has another message for one of the slips.
//!
//! TOML is a language of lines: only the first fault of a line is reported, and none
//! after a bracket that is never closed.

use std::ops::Range;

use toml::de::Error;

use super::json::{is_not_finite, not_finite, write_quoted};
use super::text::{CONFLICT, MAX_FAULTS, first_line, last_of_many, within};
use super::tree::{Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place};

/// The most errors of a line that are looked at; there may be millions.
const MAX_IN_LINE: usize = 20;

/// Reports the errors of the parser. `tree` is the part that it could read.
pub(super) fn report(
    file: FileId,
    text: &str,
    tree: &Node,
    mut errors: Vec<Error>,
    diagnostics: &mut Diagnostics,
) {
    let faults = Faults { file, text, tree };
    if !errors.is_empty() && text.trim_start().starts_with('{') {
        let fault = faults.fault(first_line(text), "the file is not TOML").label("this looks like JSON");
        diagnostics.push(fault.help("project and scene files are written in TOML"));
        return;
    }
    errors.sort_by_key(|error| error.span().map(|span| span.start));
    let (mut n_lines, mut n_in_line, mut end) = (0, 0, 0);
    errors.retain(|error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        if n_lines == 0 || start >= end {
            let newline = text.as_bytes()[start..].iter().position(|byte| *byte == b'\n');
            end = newline.map_or(text.len(), |len| start + len + 1);
            (n_lines, n_in_line) = (n_lines + 1, 0);
        }
        n_in_line += 1;
        n_lines <= MAX_FAULTS && n_in_line <= MAX_IN_LINE
    });
    let explain = |error: Error| {
        let (fault, is_last) =
            faults.explain(error.message(), within(text, error.span().unwrap_or_default()));
        (fault.place.unwrap_or_default().start as usize, fault, is_last)
    };
    let mut found: Vec<(usize, Diagnostic, bool)> = errors.into_iter().map(explain).collect();
    found.sort_by_key(|(start, _, _)| *start);
    let end = found.iter().position(|(_, _, is_last)| *is_last);
    found.truncate(end.map_or(found.len(), |last| last + 1));
    found.dedup_by_key(|(start, _, _)| faults.line_start(*start));
    let is_cut = n_lines > MAX_FAULTS && end.is_none();
    let last = found.pop().map(|(_, fault, _)| if is_cut { last_of_many(fault) } else { fault });
    for fault in found.into_iter().map(|(_, fault, _)| fault).chain(last) {
        diagnostics.push(fault);
    }
}

struct Faults<'a> {
    file: FileId,
    text: &'a str,
    tree: &'a Node,
}

impl Faults<'_> {
    fn fault(&self, range: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(codes::TOML_SYNTAX, message).at(Place::new(self.file, within(self.text, range)))
    }

    /// The fault, and whether all later faults follow from it.
    fn explain(&self, message: &str, range: Range<usize>) -> (Diagnostic, bool) {
        let line = self.line_start(range.start);
        if CONFLICT.iter().any(|mark| self.text[line..].starts_with(mark)) {
            return (self.fault(line..line + 7, "a merge conflict is left in the file"), true);
        }
        let is = |words: &str| message.starts_with(words);
        if message == "duplicate key" {
            return (self.duplicate(range), false);
        }
        // The parser recognises a boolean, `nan` and `inf` by their first letter.
        let words = ["string values must be quoted", "invalid boolean", "invalid float, expected `"];
        if words.into_iter().any(is) {
            return (self.unquoted(range), false);
        }
        if is("cannot recurse") || is("recursion limit") {
            let message = "values are nested more than 80 levels deep";
            return (Diagnostic { code: codes::TOO_DEEP, ..self.fault(range, message) }, true);
        }
        let quote = match message {
            "invalid basic string, expected `\"`" => "\"",
            "invalid literal string, expected `'`" => "'",
            "invalid multi-line basic string, expected `\"`" => "\"\"\"",
            "invalid multi-line literal string, expected `'`" => "'''",
            _ => "",
        };
        if !quote.is_empty()
            && let Some(open) = self.text[..range.start].rfind(quote)
        {
            let fault = self.fault(open..open + quote.len(), "the string is never closed");
            let fault = fault.label("opened here").help(format!("close it with `{quote}`"));
            return (fault, quote.len() == 3);
        }
        let open = match is("unclosed") {
            true if is("unclosed table") || is("unclosed array table") => {
                self.text[line..].find('[').map(|blanks| line + blanks)
            }
            true => opener(self.tree, range.start, self.text),
            false => None,
        };
        if let Some(open) = open {
            let fault = self.fault(open..open + 1, format!("`{}` is never closed", &self.text[open..=open]));
            return (fault.label("opened here"), open < line);
        }
        (self.fault(range, format!("the file is not valid TOML: {message}")), false)
    }

    fn duplicate(&self, range: Range<usize>) -> Diagnostic {
        let key = self.text[range.clone()].trim_matches(['"', '\'']);
        let fault = self.fault(range.clone(), format!("the key `{key}` appears twice in one table"));
        let fault = Diagnostic { code: codes::DUPLICATE_KEY, ..fault }.label("again here");
        match self.earlier(range) {
            Some(earlier) => fault.also(Place::new(self.file, earlier), "first here"),
            None => fault,
        }
    }

    /// The first place of a key, if a line of the same table begins like its line.
    fn earlier(&self, key: Range<usize>) -> Option<Range<usize>> {
        let line = self.line_start(key.start);
        let beginning = &self.text[line..key.end];
        let (mut start, mut first) = (line, None);
        for earlier in self.text[..line].split_inclusive('\n').rev() {
            start -= earlier.len();
            let rest = earlier.strip_prefix(beginning);
            let range = start + key.start - line..start + key.end - line;
            // A line of a long string may look like it.
            if rest.is_some_and(|rest| rest.trim_start().starts_with(['=', ']']))
                && !is_in_string(self.tree, range.start)
            {
                first = Some(range);
            }
            if earlier.starts_with('[') && !beginning.starts_with('[') {
                break;
            }
        }
        first
    }

    /// An invalid value, mostly a string without quotes.
    fn unquoted(&self, range: Range<usize>) -> Diagnostic {
        let found = self.text[range.clone()].trim();
        if found.is_empty() {
            return self.fault(range, "a value is missing").label("expected a value after `=`");
        }
        if is_not_finite(found) {
            return not_finite(Place::new(self.file, range));
        }
        // `a = 1 b = 2` is read as the string `1 b`.
        if let Some((_, key)) = found.rsplit_once(' ')
            && self.text[range.end..].trim_start().starts_with('=')
        {
            let message = format!("a line break or a comma is missing before `{key}`");
            return self.fault(range.end - key.len()..range.end, message);
        }
        let help = match &*found.to_ascii_lowercase() {
            meant @ ("true" | "false") => format!("write `{meant}`"),
            _ => write_quoted(found.trim_matches(|c| "“”„‘’\"".contains(c))),
        };
        self.fault(range, "the string is not quoted").help(help)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }
}

/// Whether the byte at `at` is inside a string.
fn is_in_string(node: &Node, at: usize) -> bool {
    match &node.value {
        Value::Table(entries) => entries.iter().any(|(_, inner)| is_in_string(inner, at)),
        Value::List(items) => items.iter().any(|inner| is_in_string(inner, at)),
        Value::Text(_) => (node.place.start as usize..node.place.end as usize).contains(&at),
        _ => false,
    }
}

/// The beginning of the innermost list or inline table that ends at `end`.
fn opener(node: &Node, end: usize, text: &str) -> Option<usize> {
    let inner = match &node.value {
        Value::Table(entries) => entries.iter().find_map(|(_, inner)| opener(inner, end, text)),
        Value::List(items) => items.iter().find_map(|inner| opener(inner, end, text)),
        _ => None,
    };
    let start = node.place.start as usize;
    let is_open = node.place.end as usize == end && text[start..].starts_with(['[', '{']);
    inner.or(is_open.then_some(start))
}
