//! JSON to a spanned tree.
//!
//! It accepts exactly the files that `serde_json` accepts. Common slips (a comment, a
//! comma too many or too few, other quotes or none, `True`, `015`) are reported and
//! reading goes on, so that a file with three of them is corrected in one go and its
//! readers see the rest; an invalid value is [`Value::Broken`]. Reading ends at any
//! other fault.
//!
//! Not here: what the keys mean (`cameras`, `workloads`).

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use serde::de::IgnoredAny;

use super::text::{CONFLICT, MAX_FAULTS, first_line, last_of_many};
use super::tree::{Key, Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place};

/// The deepest nesting of lists and objects, which keeps the parser's stack small.
const MAX_DEPTH: usize = 128;

/// Parses the text of `file`. `None` if reading ended early.
pub fn parse(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let found = Diagnostics::new();
    let mut parser = Parser { file, text, at: 0, open: Vec::new(), found, reported: HashSet::new() };
    let tree = parser.document().ok();
    if tree.is_none()
        && let Some(line) = toml_line(text)
    {
        let fault = parser.fault(line, "the file is not JSON").label("this looks like TOML");
        diagnostics.push(fault.help("cameras and workloads are written in JSON: `{ ... }`"));
    } else {
        diagnostics.append(parser.found);
    }
    tree
}

/// The first line of a file if it is a header or a key of TOML.
fn toml_line(text: &str) -> Option<Range<usize>> {
    let range = first_line(text);
    let line = &text[range.clone()];
    let name = match line.strip_prefix('[') {
        Some(header) => header.trim_start_matches('[').split_once(']')?.0,
        None => line.split_once('=')?.0,
    };
    let is_key = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_key)).then_some(range)
}

/// Reading ends here; the reason has been reported.
struct Stop;

struct Parser<'t> {
    file: FileId,
    text: &'t str,
    at: usize,
    /// The positions of the brackets around `at`.
    open: Vec<usize>,
    found: Diagnostics,
    /// The slips that are reported only once.
    reported: HashSet<&'static str>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Node, Stop> {
        self.blanks();
        let node = self.value()?;
        self.blanks();
        if self.at < self.text.len() { self.unexpected("the end of the file") } else { Ok(node) }
    }

    fn value(&mut self) -> Result<Node, Stop> {
        let start = self.at;
        let value = match self.peek() {
            Some('{') => self.object()?,
            Some('[') => {
                let mut items = Vec::new();
                self.items(']', |parser| {
                    items.push(parser.value()?);
                    Ok(())
                })?;
                Value::List(items)
            }
            Some('"') => {
                let before = self.found.len();
                let text = self.string()?;
                if self.found.len() == before { Value::Text(text) } else { Value::Broken }
            }
            Some(c) if is_other_quote(c) => Value::Text(self.other_quotes(c)?),
            Some(c) if is_bare(c) => self.bare()?,
            _ => return self.unexpected("a value"),
        };
        Ok(Node { value, place: self.place(start..self.at) })
    }

    fn object(&mut self) -> Result<Value, Stop> {
        let mut entries = Vec::new();
        let read = self.items('}', |parser| {
            let start = parser.at;
            let text = match parser.peek() {
                Some('"') => parser.string()?,
                Some(c) if is_other_quote(c) => parser.other_quotes(c)?,
                Some(c) if is_bare(c) => parser.bare_key(),
                _ => return parser.unexpected("a key in double quotes"),
            };
            let key = Key { text, place: parser.place(start..parser.at) };
            parser.blanks();
            match parser.peek() {
                Some(':') => {
                    parser.at += 1;
                    parser.blanks();
                }
                Some(c) if is_bare(c) || "\"{[".contains(c) => {
                    let end = key.place.end as usize;
                    let fault = parser.fault(end..end, "a colon is missing");
                    parser.report(fault.label("expected `:` here"))?;
                }
                _ => return parser.unexpected("`:`"),
            }
            entries.push((key, parser.value()?));
            Ok(())
        });
        // Also of an object that ends too early.
        self.report_repeated(&mut entries)?;
        read?;
        Ok(Value::Table(entries))
    }

    /// Everything between two brackets, each item read by `item`.
    fn items(
        &mut self,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if self.open.len() == MAX_DEPTH {
            let message = format!("values are nested more than {MAX_DEPTH} levels deep");
            let fault = Diagnostic::error(codes::TOO_DEEP, message).at(self.place(self.next()));
            return self.stop(fault.label(format!("level {}", MAX_DEPTH + 1)));
        }
        self.open.push(self.at);
        self.at += 1;
        self.blanks();
        while self.peek() != Some(close) {
            if self.peek() == Some(',') {
                let fault = self.fault(self.next(), "unexpected comma");
                self.report(fault.label("expected a value").help("remove the comma"))?;
                self.at += 1;
                self.blanks();
                continue;
            }
            item(self)?;
            let end = self.at;
            self.blanks();
            match self.peek() {
                Some(',') => {
                    let comma = self.next();
                    self.at += 1;
                    self.blanks();
                    if self.peek() == Some(close) {
                        let fault = self.fault(comma, format!("unexpected comma before `{close}`"));
                        self.report(fault.label("nothing follows it").help("remove the comma"))?;
                    }
                }
                Some(c) if c == close => {}
                Some('"' | '{' | '[' | '-' | '0'..='9') => {
                    self.report(self.fault(end..end, "a comma is missing").label("expected `,` here"))?;
                }
                _ => return self.unexpected(&format!("`,` or `{close}`")),
            }
        }
        self.open.pop();
        self.at += 1;
        Ok(())
    }

    /// Keeps the first of each key, and reports the others. A key that begins with
    /// `_` is a comment, and may appear any number of times.
    fn report_repeated(&mut self, entries: &mut Vec<(Key, Node)>) -> Result<(), Stop> {
        let mut firsts = HashMap::with_capacity(entries.len());
        let mut repeated = HashSet::new();
        for (key, _) in entries.iter() {
            match firsts.entry(key.text.as_str()) {
                Entry::Vacant(first) => {
                    first.insert(key.place);
                }
                Entry::Occupied(first) => {
                    repeated.insert(key.place);
                    if !key.text.starts_with('_') {
                        let message = format!("the key `{}` appears twice in one object", key.text);
                        let fault = Diagnostic::error(codes::DUPLICATE_KEY, message).at(key.place);
                        self.report(fault.label("again here").also(*first.get(), "first here"))?;
                    }
                }
            }
        }
        if !repeated.is_empty() {
            entries.retain(|(key, _)| !repeated.contains(&key.place));
        }
        Ok(())
    }

    /// Skips blanks and comments.
    fn blanks(&mut self) {
        loop {
            while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
                self.at += 1;
            }
            let rest = &self.text[self.at..];
            let len = if rest.starts_with("//") || rest.starts_with('#') {
                rest.find(['\n', '\r']).unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                return;
            };
            let start = self.at;
            self.at += len;
            let help = "remove it, or write it as the value of a key that begins with `_`";
            self.report_once(start, "JSON has no comments", help.to_owned());
        }
    }

    /// A string in double quotes.
    fn string(&mut self) -> Result<String, Stop> {
        let open = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            let plain = plain.unwrap_or(rest.len());
            text.push_str(&rest[..plain]);
            self.at += plain;
            match &rest.as_bytes()[plain..] {
                [b'"', ..] => {
                    self.at += 1;
                    return Ok(text);
                }
                [] | [b'\n' | b'\r', ..] | [b'\\'] | [b'\\', b'\n' | b'\r', ..] => {
                    let fault = self.fault(open..self.at, "the string is not closed on its line");
                    let fault = fault.label("opened here");
                    return self.stop(fault.help("close it with `\"`; a line break in it is written `\\n`"));
                }
                [b'\\', ..] => text.extend(self.escape()?),
                [byte, ..] => {
                    let fault = self.fault(self.next(), "a string contains a control character");
                    self.report(fault.help(format!("write it as `\\u{byte:04x}`")))?;
                    self.at += 1;
                }
            }
        }
    }

    /// The character of an escape, after its backslash.
    fn escape(&mut self) -> Result<Option<char>, Stop> {
        let start = self.at;
        self.at += 1;
        let c = self.peek().unwrap_or_default();
        let range = start..self.next().end;
        self.at = range.end;
        let help = match c {
            '"' | '\\' | '/' => return Ok(Some(c)),
            'b' => return Ok(Some('\u{8}')),
            'f' => return Ok(Some('\u{c}')),
            'n' => return Ok(Some('\n')),
            'r' => return Ok(Some('\r')),
            't' => return Ok(Some('\t')),
            'u' => {
                let units = [self.unit(start), self.unit(start + 6)].into_iter().map_while(|unit| unit);
                if let Some(Ok(c)) = char::decode_utf16(units).next() {
                    self.at = start + 6 * c.len_utf16();
                    return Ok(Some(c));
                }
                "`\\u` takes four hex digits, and a surrogate pair takes two of them"
            }
            _ => "write a backslash as `\\\\`",
        };
        let message = format!("`{}` is not a JSON escape", &self.text[range.clone()]);
        self.report(self.fault(range, message).help(help))?;
        Ok(None)
    }

    /// The number of a `\u1234` at `at`.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
        // `from_str_radix` also accepts a sign.
        if digits.starts_with('+') { None } else { u16::from_str_radix(digits, 16).ok() }
    }

    /// A string in quotes other than JSON's.
    fn other_quotes(&mut self, open: char) -> Result<String, Stop> {
        let start = self.at;
        let inner = start + open.len_utf8();
        let closes = if open == '\'' { "'" } else { "“”\"" };
        let end = self.text[inner..].find(|c| c == '\n' || closes.contains(c)).map(|len| inner + len);
        let Some(end) = end.filter(|end| !self.text[*end..].starts_with('\n')) else {
            return self.unexpected("`\"`");
        };
        let text = self.text[inner..end].to_owned();
        self.at = end;
        self.at = self.next().end;
        self.report_once(start, "strings are written in double quotes", write_quoted(&text));
        Ok(text)
    }

    /// A key without quotes.
    fn bare_key(&mut self) -> String {
        let start = self.at;
        self.run(is_bare);
        let text = self.text[start..self.at].to_owned();
        self.report_once(start, "keys are written in double quotes", write_quoted(&text));
        text
    }

    /// A number or a word.
    fn bare(&mut self) -> Result<Value, Stop> {
        let start = self.at;
        self.run(is_bare);
        let word = &self.text[start..self.at];
        let place = self.place(start..self.at);
        match word {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "null" => return Ok(Value::Null),
            _ if serde_json::from_str::<IgnoredAny>(word).is_ok() => {
                return Ok(number(word, place, &mut self.found));
            }
            _ if is_not_finite(word) => {
                self.report(not_finite(place).help("write a number, or leave the key out"))?;
                return Ok(Value::Broken);
            }
            _ => {}
        }
        let help = match &*word.to_ascii_lowercase() {
            meant @ ("true" | "false" | "null") => format!("write `{meant}`"),
            "none" | "nil" | "undefined" => "leave the key out, or write `null`".to_owned(),
            _ if word.starts_with(|c: char| !c.is_alphabetic()) => {
                "a number is written like `15`, `-0.5` or `1e3`, and a string in double quotes".to_owned()
            }
            _ => {
                self.run(|c| !matches!(c, ',' | ']' | '}' | '"' | ':' | '\n'));
                self.at = start + self.text[start..self.at].trim_end().len();
                write_quoted(&self.text[start..self.at])
            }
        };
        let message = format!("`{}` is not a JSON value", &self.text[start..self.at]);
        self.report(self.fault(start..self.at, message).help(help))?;
        Ok(Value::Broken)
    }

    /// Ends reading at an unexpected character, or at the end.
    fn unexpected<T>(&mut self, expected: &str) -> Result<T, Stop> {
        let rest = &self.text[self.at..];
        let end = self.place(self.text.len()..self.text.len());
        let fault = match (self.peek(), self.open.last().copied()) {
            (None, None) => self.fault(0..0, "the file is empty").label("expected `{`"),
            (None, Some(open)) => {
                let bracket = self.text[open..].chars().next().unwrap_or_default();
                let fault = self.fault(open..open + 1, format!("`{bracket}` is never closed"));
                fault.label("opened here").also(end, "the file ends here")
            }
            _ if CONFLICT.iter().any(|mark| rest.starts_with(mark)) => {
                self.fault(self.at..self.at + 7, "a merge conflict is left in the file")
            }
            (Some(c), open) => {
                let word = rest.find(|c| !is_bare(c)).unwrap_or(rest.len()).max(c.len_utf8());
                let found = match &rest[..word] {
                    word if c.is_alphanumeric() || c.is_ascii_graphic() => format!("`{word}`"),
                    _ => format!("the character U+{:04X}", c as u32),
                };
                let range = self.at..self.at + word;
                let fault = self.fault(range, format!("found {found}, expected {expected}"));
                match open.filter(|_| matches!(c, '}' | ']')) {
                    Some(open) => fault.also(self.place(open..open + 1), "opened here"),
                    None => fault,
                }
            }
        };
        self.stop(fault)
    }

    /// Reports a fault after which reading goes on, unless there are too many.
    fn report(&mut self, fault: Diagnostic) -> Result<(), Stop> {
        match self.found.len() + 1 {
            n if n < MAX_FAULTS => self.found.push(fault),
            n if n == MAX_FAULTS => return self.stop(last_of_many(fault)),
            _ => return Err(Stop),
        }
        Ok(())
    }

    fn stop<T>(&mut self, fault: Diagnostic) -> Result<T, Stop> {
        self.found.push(fault);
        Err(Stop)
    }

    /// Reports a slip between `start` and here only at its first place, since it is
    /// probably everywhere in the file.
    fn report_once(&mut self, start: usize, message: &'static str, help: String) {
        if self.reported.insert(message) {
            self.found.push(self.fault(start..self.at, message).help(help));
        }
    }

    fn fault(&self, range: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(codes::JSON_SYNTAX, message).at(self.place(range))
    }

    fn place(&self, range: Range<usize>) -> Place {
        Place::new(self.file, range)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// The range of the next character.
    fn next(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    /// Takes all characters from here that match.
    fn run(&mut self, is_wanted: impl Fn(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !is_wanted(c)).unwrap_or(rest.len());
    }
}

/// Whether a character can be part of a number, or of a word without quotes.
fn is_bare(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '+' | '-' | '.')
}

fn is_other_quote(c: char) -> bool {
    matches!(c, '\'' | '“' | '”' | '„')
}

pub(super) fn write_quoted(text: &str) -> String {
    if text.contains(['"', '\\']) {
        "write it in double quotes".to_owned()
    } else {
        format!("write `\"{text}\"`")
    }
}

/// Whether this is NaN or infinity, in the spelling of any language.
pub(super) fn is_not_finite(word: &str) -> bool {
    let word = word.trim_start_matches(['+', '-']);
    ["nan", "inf", "infinity"].iter().any(|name| word.eq_ignore_ascii_case(name))
}

pub(super) fn not_finite(place: Place) -> Diagnostic {
    Diagnostic::error(codes::NOT_FINITE, "NaN and infinity are not allowed").at(place)
}

/// A number of either language, in decimal digits.
pub(super) fn number(text: &str, place: Place, diagnostics: &mut Diagnostics) -> Value {
    let is_whole = !text.contains(['.', 'e', 'E']);
    if is_whole && let Ok(value) = text.parse::<i64>() {
        return Value::Int(value);
    }
    if !is_whole
        && let Ok(value) = text.parse::<f64>()
        && value.is_finite()
    {
        return Value::Float { value, text: text.to_owned() };
    }
    let diagnostic = Diagnostic::error(codes::NUMBER_TOO_BIG, "the number is too big to be represented");
    let limit =
        if is_whole { "whole numbers end at 9223372036854775807" } else { "fractions end at 1.8e308" };
    diagnostics.push(diagnostic.at(place).label(limit));
    Value::Broken
}

#[cfg(test)]
mod tests;
