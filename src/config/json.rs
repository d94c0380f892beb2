//! JSON to a spanned tree, strictly.
//!
//! What JSON refuses but everybody understands (a comment, single quotes,
//! `True`, a comma too many or too few) is reported where it stands, and
//! reading goes on behind it; a value that cannot be meant as it is written is
//! [`Value::Broken`]. Where it is unclear how to go on, reading ends.
//!
//! Not here: what the keys mean (`cameras`, `workloads`).

use std::collections::HashMap;
use std::ops::Range;

use super::text::{Language, MAX_DEPTH, looks_like};
use super::tree::{Key, Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place};

mod scalars;

use scalars::is_word;
pub(super) use scalars::{is_not_finite, meant_number, number};

/// Parses the text of `file`. `None` when its syntax is so wrong that nothing
/// of it counts.
pub fn parse(file: FileId, text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let mut parser =
        Parser { file, text, at: 0, depth: 0, found: Diagnostics::new(), comments: None, quotes: None };
    let node = parser.document().ok();
    let repeated = [parser.comments.take(), parser.quotes.take()];
    let mut found = parser.found;
    for Repeated { first, count } in repeated.into_iter().flatten() {
        found.push(match (count, first.help.clone()) {
            (1, _) | (_, None) => first,
            (count, Some(help)) => first.help(format!("{help}; the file has {count} of them")),
        });
    }
    let is_json_at_all = text.trim_start().starts_with('{');
    if node.is_none()
        && !is_json_at_all
        && let Some(other) = looks_like(text, Language::Json)
    {
        diagnostics.push(
            not_this("JSON", &other, file).help("cameras and workloads are written in JSON: `{ ... }`"),
        );
        return None;
    }
    diagnostics.append(found);
    node
}

/// The fault of a file in another language.
pub(super) fn not_this(expected: &str, other: &super::text::Other, file: FileId) -> Diagnostic {
    let code = if expected == "JSON" { codes::JSON_SYNTAX } else { codes::TOML_SYNTAX };
    Diagnostic::error(code, format!("the file is not {expected}"))
        .at(Place::new(file, other.range.clone()))
        .label(format!("this looks like {}", other.language))
}

/// Reading ends here; why has been reported.
struct Stop;

/// A slip that a file has in many places if it has it at all. It is reported once.
struct Repeated {
    first: Diagnostic,
    count: usize,
}

struct Parser<'t> {
    file: FileId,
    text: &'t str,
    at: usize,
    depth: usize,
    found: Diagnostics,
    comments: Option<Repeated>,
    quotes: Option<Repeated>,
}

/// Behind so many slips, reading ends: what they stand in is hardly JSON.
const SLIPS: usize = 100_000;

/// Characters that people take for `"`, each with those that close it.
const QUOTES: [(char, &str); 8] = [
    ('\'', "'"),
    ('`', "`´"),
    ('“', "”“\""),
    ('”', "”“\""),
    ('„', "“”\""),
    ('‘', "’‘'"),
    ('’', "’‘'"),
    ('«', "»"),
];

impl<'t> Parser<'t> {
    fn document(&mut self) -> Result<Node, Stop> {
        self.blanks()?;
        if self.at == self.text.len() {
            return self.stop(self.fault(0..0, "the file is empty").label("expected `{`"));
        }
        let node = self.value()?;
        self.blanks()?;
        match self.peek() {
            None => Ok(node),
            Some(c @ ('}' | ']')) => {
                let fault = self.fault(self.next(), format!("`{c}` closes nothing"));
                self.stop(fault.label("everything before it is closed"))
            }
            Some(_) => {
                let fault = self.fault(self.next(), "the file goes on behind its end");
                let end = node.place.end as usize;
                let last = self.text[..end].char_indices().next_back().map_or(end, |(at, _)| at);
                self.stop(
                    fault.label("nothing may follow").also(self.place(last..end), "its value ends here"),
                )
            }
        }
    }

    fn value(&mut self) -> Result<Node, Stop> {
        if self.found.len() > SLIPS {
            return Err(Stop);
        }
        let start = self.at;
        let value = match self.peek() {
            Some('{') => return self.nested(Parser::table),
            Some('[') => return self.nested(Parser::list),
            Some('"') => match self.quoted()? {
                (text, true) => Value::Text(text),
                (_, false) => Value::Broken,
            },
            Some('-' | '+' | '.' | '0'..='9') => self.number(),
            Some(c) if is_word(c) => self.word(),
            Some(c) if QUOTES.iter().any(|(open, _)| *open == c) => Value::Text(self.misquoted(c)?),
            _ => return self.unexpected("a value"),
        };
        Ok(self.node(value, start))
    }

    fn nested(&mut self, read: impl Fn(&mut Self) -> Result<Node, Stop>) -> Result<Node, Stop> {
        if self.depth == MAX_DEPTH {
            let message = format!("values are nested more than {MAX_DEPTH} levels deep");
            let fault = Diagnostic::error(codes::TOO_DEEP, message).at(self.place(self.next()));
            return self.stop(fault.label(format!("level {}", MAX_DEPTH + 1)));
        }
        self.depth += 1;
        let node = read(self);
        self.depth -= 1;
        node
    }

    fn list(&mut self) -> Result<Node, Stop> {
        let open = self.at;
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.blanks()?;
            match self.peek() {
                Some(']') => break,
                Some('}') => return self.mismatch(open),
                None => return self.unclosed(open),
                Some(',') => {
                    self.report(
                        self.fault(self.next(), "a value is missing")
                            .label("nothing stands before this comma"),
                    );
                    self.at += 1;
                    continue;
                }
                Some(_) => items.push(self.value()?),
            }
            if !self.separator(open, ']', |c| matches!(c, '"' | '{' | '[' | '-' | '0'..='9'))? {
                break;
            }
        }
        self.at += 1;
        Ok(self.node(Value::List(items), open))
    }

    fn table(&mut self) -> Result<Node, Stop> {
        let open = self.at;
        let mut entries = Entries::default();
        self.at += 1;
        loop {
            self.blanks()?;
            let start = self.at;
            let text = match self.peek() {
                Some('}') => break,
                Some(']') => return self.mismatch(open),
                None => return self.unclosed(open),
                Some(',') => {
                    self.report(
                        self.fault(self.next(), "a key is missing").label("nothing stands before this comma"),
                    );
                    self.at += 1;
                    continue;
                }
                Some('"') => self.quoted()?.0,
                Some(c) if is_word(c) || c.is_ascii_digit() => self.bare_key(),
                Some(c) if QUOTES.iter().any(|(open, _)| *open == c) => self.misquoted(c)?,
                Some(_) => return self.unexpected("a key in double quotes"),
            };
            let key = Key { text, place: self.place(start..self.at) };
            self.colon(&key)?;
            let node = match self.peek() {
                None => return self.unclosed(open),
                Some(',' | '}') => {
                    let fault = self.fault(self.next(), format!("the key `{}` has no value", key.text));
                    self.report(fault.label("expected a value before this"));
                    Node { value: Value::Broken, place: self.place(self.at..self.at) }
                }
                Some(_) => self.value()?,
            };
            // A key that begins so is a comment, and may stand as often as people like.
            let repeated = entries.push(key, node).filter(|(key, _)| !key.text.starts_with('_'));
            if let Some((key, first)) = repeated {
                let message = format!("the key `{}` stands twice in one object", key.text);
                let fault = Diagnostic::error(codes::DUPLICATE_KEY, message).at(key.place);
                self.report(fault.label("again here").also(first, "first here"));
            }
            if !self.separator(open, '}', |c| c == '"')? {
                break;
            }
        }
        self.at += 1;
        Ok(self.node(Value::Table(entries.list), open))
    }

    /// What stands behind an item: whether another one follows. `begins` tells
    /// what can begin one, so that a comma is missing and nothing else.
    fn separator(&mut self, open: usize, close: char, begins: impl Fn(char) -> bool) -> Result<bool, Stop> {
        let end = self.at;
        self.blanks()?;
        match self.peek() {
            Some(',') => {
                let comma = self.next();
                self.at += 1;
                self.blanks()?;
                if self.peek() == Some(close) {
                    let fault = self.fault(comma, format!("a comma stands before `{close}`"));
                    self.report(fault.label("nothing follows it").help("remove the comma"));
                }
                Ok(true)
            }
            Some(c) if c == close => Ok(false),
            None => self.unclosed(open),
            Some('}' | ']') => self.mismatch(open),
            Some(';') => {
                self.report(self.fault(self.next(), "found `;`, expected `,`"));
                self.at += 1;
                Ok(true)
            }
            Some(c)
                if begins(c) && (end < self.at || matches!(self.text.as_bytes()[end - 1], b'}' | b']')) =>
            {
                let fault = self.fault(end..end, "a comma is missing").label("expected `,` here");
                self.report(fault);
                Ok(true)
            }
            Some(_) => {
                let fault = self.unexpected_fault(&format!("`,` or `{close}`"));
                let is_inner_quote = end == self.at && self.text.as_bytes()[end - 1] == b'"';
                self.stop(if is_inner_quote {
                    fault.help("a `\"` inside a text is written `\\\"`")
                } else {
                    fault
                })
            }
        }
    }

    /// The colon behind a key, and the blanks around it.
    fn colon(&mut self, key: &Key) -> Result<(), Stop> {
        let end = self.at;
        self.blanks()?;
        match self.peek() {
            Some(':') => self.at += 1,
            Some('=') => {
                let len = if self.text[self.at..].starts_with("=>") { 2 } else { 1 };
                let range = self.at..self.at + len;
                self.report(
                    self.fault(range.clone(), format!("found `{}`, expected `:`", &self.text[range])),
                );
                self.at += len;
            }
            Some(c) if is_word(c) || matches!(c, '"' | '{' | '[' | '-' | '0'..='9') => {
                let fault = self.fault(end..end, format!("a colon is missing behind the key `{}`", key.text));
                self.report(fault.label("expected `:` here"));
            }
            _ => {
                let fault = self.fault(end..end, format!("the key `{}` has no value", key.text));
                return self.stop(fault.label("expected `:` and a value"));
            }
        }
        self.blanks()
    }

    /// Skips blanks, and what some take for them.
    fn blanks(&mut self) -> Result<(), Stop> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                Some(b'/' | b'#') => {
                    if !self.comment()? {
                        return Ok(());
                    }
                }
                Some(byte) if *byte == 0x0b || *byte == 0x0c || *byte >= 0x80 => {
                    let c = self.peek().expect("a byte begins a character here");
                    let is_blank =
                        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
                    if !is_blank {
                        return Ok(());
                    }
                    let fault = self.fault(
                        self.next(),
                        format!("the character U+{:04X} stands outside of texts", c as u32),
                    );
                    self.report(
                        fault.label("here only blanks, tabs and line breaks are possible").help("remove it"),
                    );
                    self.at += c.len_utf8();
                }
                _ => return Ok(()),
            }
        }
    }

    /// Skips a comment, if here is one.
    fn comment(&mut self) -> Result<bool, Stop> {
        let rest = &self.text[self.at..];
        let line = || rest.find('\n').map_or(rest, |end| rest[..end].trim_end_matches('\r')).len();
        let len = if rest.starts_with('#') || rest.starts_with("//") {
            line()
        } else if rest.starts_with("/*") {
            match rest.find("*/") {
                Some(end) => end + 2,
                None => {
                    let fault = self.fault(self.at..self.at + 2, "a comment is never closed");
                    return self.stop(fault.label("opened here").help("JSON has no comments: remove it"));
                }
            }
        } else {
            return Ok(false);
        };
        let range = self.at..self.at + len;
        self.at += len;
        match &mut self.comments {
            Some(repeated) => repeated.count += 1,
            None => {
                let first = self.fault(range, "JSON has no comments");
                let first = first.help("remove it, or write it as the value of a key that begins with `_`");
                self.comments = Some(Repeated { first, count: 1 });
            }
        }
        Ok(true)
    }

    fn unclosed<T>(&mut self, open: usize) -> Result<T, Stop> {
        let end = self.text.len();
        let (open_text, close) = brackets(self.text, open);
        let fault = self.fault(open..open + 1, format!("`{open_text}` is never closed")).label("opened here");
        let at_end = format!("the file ends here, without a `{close}` for it");
        self.stop(fault.also(Place::new(self.file, end..end), at_end))
    }

    fn mismatch<T>(&mut self, open: usize) -> Result<T, Stop> {
        let (open_text, close) = brackets(self.text, open);
        let wrong = self.next();
        let message = format!("`{open_text}` is closed by `{}`", &self.text[wrong.clone()]);
        let fault = self.fault(wrong, message).label(format!("expected `{close}`"));
        self.stop(fault.also(self.place(open..open + 1), "opened here"))
    }

    fn unexpected<T>(&mut self, expected: &str) -> Result<T, Stop> {
        let fault = self.unexpected_fault(expected);
        self.stop(fault)
    }

    fn unexpected_fault(&self, expected: &str) -> Diagnostic {
        let rest = &self.text[self.at..];
        if rest.starts_with("<<<<<<<") || rest.starts_with("=======") || rest.starts_with(">>>>>>>") {
            return self.fault(self.at..self.at + 7, "a merge conflict is left in the file");
        }
        let len = match rest.chars().next() {
            Some(c) if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.map_or(0, char::len_utf8),
        };
        let found = if len == 0 { "the end of the file".to_owned() } else { format!("`{}`", &rest[..len]) };
        self.fault(self.at..self.at + len, format!("found {found}, expected {expected}"))
    }

    fn stop<T>(&mut self, fault: Diagnostic) -> Result<T, Stop> {
        self.report(fault);
        Err(Stop)
    }

    fn report(&mut self, fault: Diagnostic) {
        self.found.push(fault);
    }

    fn fault(&self, range: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(codes::JSON_SYNTAX, message).at(self.place(range))
    }

    fn place(&self, range: Range<usize>) -> Place {
        Place::new(self.file, range)
    }

    fn node(&self, value: Value, start: usize) -> Node {
        Node { value, place: self.place(start..self.at) }
    }

    fn peek(&self) -> Option<char> {
        let byte = *self.text.as_bytes().get(self.at)?;
        if byte < 0x80 { Some(char::from(byte)) } else { self.text[self.at..].chars().next() }
    }

    /// The range of the next character.
    fn next(&self) -> Range<usize> {
        self.at..self.at + self.peek().map_or(0, char::len_utf8)
    }

    /// Takes all characters from here that are wanted.
    fn run(&mut self, is_wanted: impl Fn(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !is_wanted(c)).unwrap_or(rest.len());
    }
}

/// The entries of a table, each key once.
#[derive(Default)]
struct Entries {
    list: Vec<(Key, Node)>,
    /// Where each key is in the list, once they are many.
    index: HashMap<String, usize>,
}

impl Entries {
    /// Beyond so many keys, an index is faster than a look at each.
    const MANY: usize = 32;

    /// Adds a key, or returns it with the place where it stands already.
    fn push(&mut self, key: Key, node: Node) -> Option<(Key, Place)> {
        let n = self.list.len();
        let first = if n < Entries::MANY {
            self.list.iter().find(|(other, _)| other.text == key.text)
        } else {
            if n == Entries::MANY {
                let keys = self.list.iter().enumerate();
                self.index = keys.map(|(at, (key, _))| (key.text.clone(), at)).collect();
            }
            self.index.get(&key.text).map(|at| &self.list[*at])
        };
        if let Some((first, _)) = first {
            return Some((key, first.place));
        }
        if n >= Entries::MANY {
            self.index.insert(key.text.clone(), n);
        }
        self.list.push((key, node));
        None
    }
}

fn brackets(text: &str, open: usize) -> (char, char) {
    if text.as_bytes()[open] == b'{' { ('{', '}') } else { ('[', ']') }
}

#[cfg(test)]
mod tests;
