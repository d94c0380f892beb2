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

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, FileId, Place};
use super::text::{Language, MAX_DEPTH, looks_like};
use super::tree::{Key, Node, Value};

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

    /// A text in double quotes, and whether it is all right.
    fn quoted(&mut self) -> Result<(String, bool), Stop> {
        let open = self.at;
        self.at += 1;
        let (mut text, mut is_right, mut has_control) = (String::new(), true, false);
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let plain =
                rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
            text.push_str(&self.text[self.at..self.at + plain]);
            self.at += plain;
            match rest.get(plain) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok((text, is_right));
                }
                Some(b'\\') if !matches!(rest.get(plain + 1), None | Some(b'\n' | b'\r')) => {
                    match self.escape() {
                        Some(c) => text.push(c),
                        None => is_right = false,
                    }
                }
                None | Some(b'\\' | b'\n' | b'\r') => {
                    self.at += usize::from(rest.get(plain) == Some(&b'\\'));
                    let fault = self.fault(open..self.at, "a text is not closed on its line");
                    let fault = fault.label("opened here");
                    return self
                        .stop(fault.help("close it with `\"`; a line break in a text is written `\\n`"));
                }
                Some(byte) => {
                    if !has_control {
                        let written = match byte {
                            b'\t' => "\\t".to_owned(),
                            0x08 => "\\b".to_owned(),
                            0x0c => "\\f".to_owned(),
                            byte => format!("\\u{byte:04x}"),
                        };
                        let fault = self.fault(self.at..self.at + 1, "a control character stands in a text");
                        self.report(fault.help(format!("write it as `{written}`")));
                    }
                    has_control = true;
                    text.push(char::from(*byte));
                    self.at += 1;
                }
            }
        }
    }

    /// A backslash and what it stands for.
    fn escape(&mut self) -> Option<char> {
        let start = self.at;
        let c = self.text[start + 1..].chars().next()?;
        self.at += 1 + c.len_utf8();
        let help = match c {
            '"' | '\\' | '/' => return Some(c),
            'b' => return Some('\u{8}'),
            'f' => return Some('\u{c}'),
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'u' => return self.unicode(start),
            '\'' => "write `'` without a backslash".to_owned(),
            'x' => "write `\\u00` and two hex digits".to_owned(),
            '0' => "write `\\u0000`".to_owned(),
            _ => "a backslash itself is written `\\\\`".to_owned(),
        };
        let range = start..self.at;
        let message = format!("`{}` is no escape of JSON", &self.text[range.clone()]);
        self.report(self.fault(range, message).help(help));
        None
    }

    /// What `\u` at `start` stands for, with the second half of a pair.
    fn unicode(&mut self, start: usize) -> Option<char> {
        let Some(first) = self.four_digits() else {
            let message = format!("`{}` is no escape of JSON", &self.text[start..self.at]);
            self.report(self.fault(start..self.at, message).label("`\\u` takes four hex digits"));
            return None;
        };
        let end = self.at;
        if (0xd800..0xdc00).contains(&first) && self.text[end..].starts_with("\\u") {
            self.at += 2;
            if let Some(second @ 0xdc00..0xe000) = self.four_digits() {
                return char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
            }
            // What follows is an escape of its own.
            self.at = end;
        }
        let c = char::from_u32(first);
        if c.is_none() {
            let message = format!("`{}` is half of a character", &self.text[start..end]);
            let fault = self.fault(start..end, message);
            self.report(fault.help("write the character itself, or both halves"));
        }
        c
    }

    /// Takes up to four hex digits, and their value if there are four.
    fn four_digits(&mut self) -> Option<u32> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let digits = &self.text[self.at..self.at + count];
        self.at += count;
        if count == 4 { u32::from_str_radix(digits, 16).ok() } else { None }
    }

    /// A text between characters that are no quotes of JSON.
    fn misquoted(&mut self, open: char) -> Result<String, Stop> {
        let (_, closes) = QUOTES.iter().find(|(quote, _)| *quote == open).expect("the caller found it");
        let start = self.at;
        let inner = start + open.len_utf8();
        let line = &self.text[inner..];
        let line = &line[..line.find('\n').unwrap_or(line.len())];
        let mut is_escaped = false;
        let close = line.char_indices().find(|(_, c)| {
            let is_close = closes.contains(*c) && !is_escaped;
            is_escaped = *c == '\\' && !is_escaped;
            is_close
        });
        let Some((len, close)) = close else {
            let fault = self.fault(start..inner, format!("found `{open}`, expected `\"`"));
            return self.stop(fault.label("texts stand in double quotes"));
        };
        let text = &line[..len];
        self.at = inner + len + close.len_utf8();
        match &mut self.quotes {
            Some(repeated) => repeated.count += 1,
            None => {
                let first = self.fault(start..self.at, "texts stand in double quotes");
                let first = first.label(format!("found `{open}`")).help(write_quoted(text));
                self.quotes = Some(Repeated { first, count: 1 });
            }
        }
        Ok(text.to_owned())
    }

    /// A key without quotes, or with the closing one alone.
    fn bare_key(&mut self) -> String {
        let start = self.at;
        self.run(|c| is_word(c) || c.is_ascii_digit() || matches!(c, '-' | '.'));
        let text = self.text[start..self.at].to_owned();
        let label = if self.peek() == Some('"') {
            self.at += 1;
            "the opening quote is missing"
        } else {
            ""
        };
        let fault = self.fault(start..self.at, "keys stand in double quotes");
        self.report(fault.label(label).help(write_quoted(&text)));
        text
    }

    /// A word without quotes as a value.
    fn word(&mut self) -> Value {
        let start = self.at;
        self.run(|c| is_word(c) || c.is_ascii_digit());
        let meant = match &self.text[start..self.at] {
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            "null" => return Value::Null,
            word if is_not_finite(word) => {
                self.not_finite(start);
                return Value::Broken;
            }
            "True" | "TRUE" => Some("write `true`"),
            "False" | "FALSE" => Some("write `false`"),
            "None" | "undefined" | "nil" | "Null" | "NULL" => Some("leave the key out, or write `null`"),
            _ => None,
        };
        match meant {
            Some(meant) => {
                let message = format!("`{}` is no value of JSON", &self.text[start..self.at]);
                self.report(self.fault(start..self.at, message).help(meant));
            }
            None => self.bare_text(start),
        }
        Value::Broken
    }

    /// Reports everything from `start` to the next comma, bracket or line as a
    /// text without quotes.
    fn bare_text(&mut self, start: usize) {
        self.run(|c| !matches!(c, ',' | ']' | '}' | '"' | ':' | '\n'));
        let text = self.text[start..self.at].trim_end();
        self.at = start + text.len();
        self.report(self.fault(start..self.at, "a text stands without quotes").help(write_quoted(text)));
    }

    fn not_finite(&mut self, start: usize) {
        let fault = Diagnostic::error(codes::NOT_FINITE, "NaN and infinity are no values here");
        let fault = fault.at(self.place(start..self.at));
        self.report(fault.help("write a number, or leave the key out"));
    }

    fn number(&mut self) -> Value {
        let start = self.at;
        self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
        let text = &self.text[start..self.at];
        let place = self.place(start..self.at);
        if is_number(text) {
            return number(text, place, &mut self.found);
        }
        if is_not_finite(text) {
            self.not_finite(start);
            return Value::Broken;
        }
        match meant_number(text) {
            Some((why, meant)) => {
                let fault = self.fault(start..self.at, format!("`{text}` is no number of JSON"));
                self.report(fault.label(why).help(format!("write `{meant}`")));
            }
            None if text.contains(|c: char| c.is_ascii_digit()) => self.bare_text(start),
            None => self.report(
                self.fault(start..self.at, format!("`{text}` is no number")).label("no digit follows"),
            ),
        }
        Value::Broken
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

fn is_word(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$')
}

/// Whether this is NaN or infinity, in the spelling of any language.
pub(super) fn is_not_finite(word: &str) -> bool {
    let word = word.trim_start_matches(['+', '-']);
    ["nan", "inf", "infinity"].iter().any(|name| word.eq_ignore_ascii_case(name))
}

fn write_quoted(text: &str) -> String {
    if text.contains(['"', '\\']) {
        "write it in double quotes".to_owned()
    } else {
        format!("write `\"{text}\"`")
    }
}

/// Whether this is a number as JSON writes them.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let mut rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = &fraction[digits(fraction)..];
        if rest.len() == fraction.len() {
            return false;
        }
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        rest = &exponent[digits(exponent)..];
        if rest.len() == exponent.len() {
            return false;
        }
    }
    rest.is_empty()
}

/// What is wrong with a number of another language, and how JSON writes it.
pub(super) fn meant_number(text: &str) -> Option<(&'static str, String)> {
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = match number.get(..2) {
        Some("0x" | "0X") => Some((16, "no hexadecimal numbers")),
        Some("0o" | "0O") => Some((8, "no octal numbers")),
        Some("0b" | "0B") => Some((2, "no binary numbers")),
        _ => None,
    };
    let bare = number.replace('_', "");
    if let Some((radix, why)) = radix {
        let value = u64::from_str_radix(&bare[2..], radix).ok()?;
        return Some((why, format!("{sign}{value}")));
    }
    let zeros = bare.len() - bare.trim_start_matches('0').len();
    let has_digit_behind = bare.as_bytes().get(zeros).is_some_and(u8::is_ascii_digit);
    let trimmed = if has_digit_behind { &bare[zeros..] } else { &bare[zeros.saturating_sub(1)..] };
    let before = if trimmed.starts_with('.') { format!("0{trimmed}") } else { trimmed.to_owned() };
    let end = before.find(['e', 'E']).unwrap_or(before.len());
    let (mantissa, exponent) = before.split_at(end);
    let behind = if mantissa.ends_with('.') { format!("{mantissa}0{exponent}") } else { before.clone() };
    let why = if text.starts_with('+') {
        "no `+` in front"
    } else if number.contains('_') {
        "no `_` between digits"
    } else if trimmed != bare {
        "no zeros in front"
    } else if before != trimmed {
        "a digit must stand before the `.`"
    } else {
        "a digit must stand behind the `.`"
    };
    let meant = format!("{sign}{behind}");
    if is_number(&meant) { Some((why, meant)) } else { None }
}

/// A number of either language as `text` writes it in decimal digits.
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
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::Color;
    use crate::config::diagnostics::Sources;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
        let file = sources.add("x.json", text);
        parse(file, text, &mut diagnostics);
        expect.assert_eq(&diagnostics.render_human(&sources, Color::Never));
    }

    #[test]
    fn values_of_other_languages_are_named_and_reading_goes_on() {
        check(
            "{ \"a\": NaN,\n  \"b\": True,\n  \"c\": None,\n  \"d\": -Infinity }",
            expect![[r#"
                error[LP0105]: NaN and infinity are no values here
                 --> x.json:1:8
                  |
                1 | { "a": NaN,
                  |        ^^^
                  |
                  = help: write a number, or leave the key out

                error[LP0102]: `True` is no value of JSON
                 --> x.json:2:8
                  |
                2 |   "b": True,
                  |        ^^^^
                  |
                  = help: write `true`

                error[LP0102]: `None` is no value of JSON
                 --> x.json:3:8
                  |
                3 |   "c": None,
                  |        ^^^^
                  |
                  = help: leave the key out, or write `null`

                error[LP0105]: NaN and infinity are no values here
                 --> x.json:4:8
                  |
                4 |   "d": -Infinity }
                  |        ^^^^^^^^^
                  |
                  = help: write a number, or leave the key out

            "#]],
        );
        check(
            "[live, cam 1]",
            expect![[r#"
            error[LP0102]: a text stands without quotes
             --> x.json:1:2
              |
            1 | [live, cam 1]
              |  ^^^^
              |
              = help: write `"live"`

            error[LP0102]: a text stands without quotes
             --> x.json:1:8
              |
            1 | [live, cam 1]
              |        ^^^^^
              |
              = help: write `"cam 1"`

        "#]],
        );
        check(
            "[+1, .5, 5., -01, 0x1F, 1_000]",
            expect![[r#"
            error[LP0102]: `+1` is no number of JSON
             --> x.json:1:2
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |  ^^ no `+` in front
              |
              = help: write `1`

            error[LP0102]: `.5` is no number of JSON
             --> x.json:1:6
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |      ^^ a digit must stand before the `.`
              |
              = help: write `0.5`

            error[LP0102]: `5.` is no number of JSON
             --> x.json:1:10
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |          ^^ a digit must stand behind the `.`
              |
              = help: write `5.0`

            error[LP0102]: `-01` is no number of JSON
             --> x.json:1:14
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |              ^^^ no zeros in front
              |
              = help: write `-1`

            error[LP0102]: `0x1F` is no number of JSON
             --> x.json:1:19
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |                   ^^^^ no hexadecimal numbers
              |
              = help: write `31`

            error[LP0102]: `1_000` is no number of JSON
             --> x.json:1:25
              |
            1 | [+1, .5, 5., -01, 0x1F, 1_000]
              |                         ^^^^^ no `_` between digits
              |
              = help: write `1000`

        "#]],
        );
        check(
            "[1e, 1.2.3, 10s, -, 192.168.0.1]",
            expect![[r#"
            error[LP0102]: a text stands without quotes
             --> x.json:1:2
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |  ^^
              |
              = help: write `"1e"`

            error[LP0102]: a text stands without quotes
             --> x.json:1:6
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |      ^^^^^
              |
              = help: write `"1.2.3"`

            error[LP0102]: a text stands without quotes
             --> x.json:1:13
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |             ^^^
              |
              = help: write `"10s"`

            error[LP0102]: `-` is no number
             --> x.json:1:18
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |                  ^ no digit follows

            error[LP0102]: a text stands without quotes
             --> x.json:1:21
              |
            1 | [1e, 1.2.3, 10s, -, 192.168.0.1]
              |                     ^^^^^^^^^^^
              |
              = help: write `"192.168.0.1"`

        "#]],
        );
    }

    #[test]
    fn quotes_are_double() {
        check(
            "{ 'a': 'b',\n  'c': \"d\" }",
            expect![[r#"
            error[LP0102]: texts stand in double quotes
             --> x.json:1:3
              |
            1 | { 'a': 'b',
              |   ^^^ found `'`
              |
              = help: write `"a"`; the file has 3 of them

        "#]],
        );
        check(
            "{ “a”: 1 }",
            expect![[r#"
            error[LP0102]: texts stand in double quotes
             --> x.json:1:3
              |
            1 | { “a”: 1 }
              |   ^^^ found `“`
              |
              = help: write `"a"`

        "#]],
        );
        check(
            "{ 'a: 1 }",
            expect![[r#"
            error[LP0102]: found `'`, expected `"`
             --> x.json:1:3
              |
            1 | { 'a: 1 }
              |   ^ texts stand in double quotes

        "#]],
        );
        check(
            "{ fps: 15, id\": 2 }",
            expect![[r#"
            error[LP0102]: keys stand in double quotes
             --> x.json:1:3
              |
            1 | { fps: 15, id": 2 }
              |   ^^^
              |
              = help: write `"fps"`

            error[LP0102]: keys stand in double quotes
             --> x.json:1:12
              |
            1 | { fps: 15, id": 2 }
              |            ^^^ the opening quote is missing
              |
              = help: write `"id"`

        "#]],
        );
    }

    #[test]
    fn commas_and_colons_stand_where_they_belong() {
        check(
            "{ \"a\": [1, 2,],\n  \"b\": 1,\n}",
            expect![[r#"
            error[LP0102]: a comma stands before `]`
             --> x.json:1:13
              |
            1 | { "a": [1, 2,],
              |             ^ nothing follows it
              |
              = help: remove the comma

            error[LP0102]: a comma stands before `}`
             --> x.json:2:9
              |
            2 |   "b": 1,
              |         ^ nothing follows it
              |
              = help: remove the comma

        "#]],
        );
        check(
            "{ \"a\": 1\n  \"b\": [1 2] }",
            expect![[r#"
            error[LP0102]: a comma is missing
             --> x.json:1:9
              |
            1 | { "a": 1
              |         ^ expected `,` here

            error[LP0102]: a comma is missing
             --> x.json:2:10
              |
            2 |   "b": [1 2] }
              |          ^ expected `,` here

        "#]],
        );
        check(
            "[{} {}, , 1]",
            expect![[r#"
            error[LP0102]: a comma is missing
             --> x.json:1:4
              |
            1 | [{} {}, , 1]
              |    ^ expected `,` here

            error[LP0102]: a value is missing
             --> x.json:1:9
              |
            1 | [{} {}, , 1]
              |         ^ nothing stands before this comma

        "#]],
        );
        check(
            "{ \"a\" 1, \"b\" = 2; \"c\": }",
            expect![[r#"
            error[LP0102]: a colon is missing behind the key `a`
             --> x.json:1:6
              |
            1 | { "a" 1, "b" = 2; "c": }
              |      ^ expected `:` here

            error[LP0102]: found `=`, expected `:`
             --> x.json:1:14
              |
            1 | { "a" 1, "b" = 2; "c": }
              |              ^

            error[LP0102]: found `;`, expected `,`
             --> x.json:1:17
              |
            1 | { "a" 1, "b" = 2; "c": }
              |                 ^

            error[LP0102]: the key `c` has no value
             --> x.json:1:24
              |
            1 | { "a" 1, "b" = 2; "c": }
              |                        ^ expected a value before this

        "#]],
        );
        check(
            "{ \"a\" }",
            expect![[r#"
            error[LP0102]: the key `a` has no value
             --> x.json:1:6
              |
            1 | { "a" }
              |      ^ expected `:` and a value

        "#]],
        );
        check(
            "{ \"a\": \"say \"hi\" to\" }",
            expect![[r#"
            error[LP0102]: found `hi`, expected `,` or `}`
             --> x.json:1:14
              |
            1 | { "a": "say "hi" to" }
              |              ^^
              |
              = help: a `"` inside a text is written `\"`

        "#]],
        );
    }

    #[test]
    fn comments_are_reported_once() {
        check(
            "// one\n{ \"a\": 1 /* two */, # three\n \"b\": 2 }",
            expect![[r#"
            error[LP0102]: JSON has no comments
             --> x.json:1:1
              |
            1 | // one
              | ^^^^^^
              |
              = help: remove it, or write it as the value of a key that begins with `_`; the file has 3 of them

        "#]],
        );
        check(
            "{ /* }",
            expect![[r#"
            error[LP0102]: a comment is never closed
             --> x.json:1:3
              |
            1 | { /* }
              |   ^^ opened here
              |
              = help: JSON has no comments: remove it

        "#]],
        );
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_shown_with_the_end() {
        check(
            "{ \"a\": 1\n",
            expect![[r#"
            error[LP0102]: `{` is never closed
             --> x.json:1:1
              |
            1 | { "a": 1
              | ^       - the file ends here, without a `}` for it
              | |
              | opened here

        "#]],
        );
        check(
            "{\n  \"a\": [1, 2\n}",
            expect![[r#"
            error[LP0102]: `[` is closed by `}`
             --> x.json:3:1
              |
            2 |   "a": [1, 2
              |        - opened here
            3 | }
              | ^ expected `]`

        "#]],
        );
        check(
            "{ \"a\": 1 }\n}\n",
            expect![[r#"
            error[LP0102]: `}` closes nothing
             --> x.json:2:1
              |
            2 | }
              | ^ everything before it is closed

        "#]],
        );
        check(
            "{ \"a\": [1,",
            expect![[r#"
            error[LP0102]: `[` is never closed
             --> x.json:1:8
              |
            1 | { "a": [1,
              |        ^  - the file ends here, without a `]` for it
              |        |
              |        opened here

        "#]],
        );
    }

    #[test]
    fn a_text_ends_on_its_line_and_has_only_escapes_of_json() {
        check(
            "{ \"a\": \"x\ny\" }",
            expect![[r#"
            error[LP0102]: a text is not closed on its line
             --> x.json:1:8
              |
            1 | { "a": "x
              |        ^^ opened here
              |
              = help: close it with `"`; a line break in a text is written `\n`

        "#]],
        );
        check(
            "{ \"a\": \"x",
            expect![[r#"
            error[LP0102]: a text is not closed on its line
             --> x.json:1:8
              |
            1 | { "a": "x
              |        ^^ opened here
              |
              = help: close it with `"`; a line break in a text is written `\n`

        "#]],
        );
        check(
            "[\"a\tb\u{1}\", \"\\q \\x41 \\'\", \"C:\\Users\"]",
            expect![[r#"
            error[LP0102]: a control character stands in a text
             --> x.json:1:4
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |    ^^^^
              |
              = help: write it as `\t`

            error[LP0102]: `\q` is no escape of JSON
             --> x.json:1:11
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |              ^^
              |
              = help: a backslash itself is written `\\`

            error[LP0102]: `\x` is no escape of JSON
             --> x.json:1:14
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |                 ^^
              |
              = help: write `\u00` and two hex digits

            error[LP0102]: `\'` is no escape of JSON
             --> x.json:1:19
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |                      ^^
              |
              = help: write `'` without a backslash

            error[LP0102]: `\U` is no escape of JSON
             --> x.json:1:27
              |
            1 | ["a    b�", "\q \x41 \'", "C:\Users"]
              |                              ^^
              |
              = help: a backslash itself is written `\\`

        "#]],
        );
        check(
            "[\"\\u12\", \"\\ud800\", \"\\ud800\\ud800\", \"\\udc00x\"]",
            expect![[r#"
            error[LP0102]: `\u12` is no escape of JSON
             --> x.json:1:3
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |   ^^^^ `\u` takes four hex digits

            error[LP0102]: `\ud800` is half of a character
             --> x.json:1:11
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |           ^^^^^^
              |
              = help: write the character itself, or both halves

            error[LP0102]: `\ud800` is half of a character
             --> x.json:1:21
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |                     ^^^^^^
              |
              = help: write the character itself, or both halves

            error[LP0102]: `\ud800` is half of a character
             --> x.json:1:27
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |                           ^^^^^^
              |
              = help: write the character itself, or both halves

            error[LP0102]: `\udc00` is half of a character
             --> x.json:1:37
              |
            1 | ["\u12", "\ud800", "\ud800\ud800", "\udc00x"]
              |                                     ^^^^^^
              |
              = help: write the character itself, or both halves

        "#]],
        );
    }

    #[test]
    fn a_file_holds_one_value() {
        check(
            "",
            expect![[r#"
            error[LP0102]: the file is empty
             --> x.json:1:1
              |
            1 |
              | ^ expected `{`

        "#]],
        );
        check(
            " \n\n",
            expect![[r#"
            error[LP0102]: the file is empty
             --> x.json:1:1
              |
            1 |  
              | ^ expected `{`

        "#]],
        );
        check(
            "{} {}",
            expect![[r#"
            error[LP0102]: the file goes on behind its end
             --> x.json:1:4
              |
            1 | {} {}
              |  - ^ nothing may follow
              |  |
              |  its value ends here

        "#]],
        );
        check(
            "{\n}\n{\n}\n",
            expect![[r#"
            error[LP0102]: the file goes on behind its end
             --> x.json:3:1
              |
            2 | }
              | - its value ends here
            3 | {
              | ^ nothing may follow

        "#]],
        );
    }

    #[test]
    fn a_file_in_another_language_is_called_so() {
        check(
            "# cameras\n[lane_config]\ncameras = []\n",
            expect![[r#"
            error[LP0102]: the file is not JSON
             --> x.json:2:1
              |
            2 | [lane_config]
              | ^^^^^^^^^^^^^ this looks like TOML
              |
              = help: cameras and workloads are written in JSON: `{ ... }`

        "#]],
        );
        check(
            "lane_config:\n  cameras: []\n",
            expect![[r#"
            error[LP0102]: the file is not JSON
             --> x.json:1:1
              |
            1 | lane_config:
              | ^^^^^^^^^^^^ this looks like YAML
              |
              = help: cameras and workloads are written in JSON: `{ ... }`

        "#]],
        );
        check(
            "<?xml version=\"1.0\"?>\n",
            expect![[r#"
            error[LP0102]: the file is not JSON
             --> x.json:1:1
              |
            1 | <?xml version="1.0"?>
              | ^^^^^^^^^^^^^^^^^^^^^ this looks like XML
              |
              = help: cameras and workloads are written in JSON: `{ ... }`

        "#]],
        );
        check(
            "{\n<<<<<<< ours\n  \"a\": 1\n",
            expect![[r#"
            error[LP0102]: a merge conflict is left in the file
             --> x.json:2:1
              |
            2 | <<<<<<< ours
              | ^^^^^^^

        "#]],
        );
    }

    #[test]
    fn what_cannot_be_seen_is_named() {
        check(
            "{\u{a0}\"a\": 1 }\u{feff}",
            expect![[r#"
            error[LP0102]: the character U+00A0 stands outside of texts
             --> x.json:1:2
              |
            1 | { "a": 1 }�
              |  ^ here only blanks, tabs and line breaks are possible
              |
              = help: remove it

            error[LP0102]: the character U+FEFF stands outside of texts
             --> x.json:1:11
              |
            1 | { "a": 1 }�
              |           ^ here only blanks, tabs and line breaks are possible
              |
              = help: remove it

        "#]],
        );
        check(
            "{ \"a\": \u{0} }",
            expect![[r#"
            error[LP0102]: found `\u{0}`, expected a value
             --> x.json:1:8
              |
            1 | { "a": � }
              |        ^

        "#]],
        );
        check(
            "{ \"a\": ， }",
            expect![[r#"
            error[LP0102]: found `，`, expected a value
             --> x.json:1:8
              |
            1 | { "a": ， }
              |        ^^

        "#]],
        );
    }

    #[test]
    fn what_is_right_is_read() {
        let text = r#" { "a\u00e9\ud83d\ude00\/\n" : [ -0, 1.5e+3, "", {}, [], true, false, null ] } "#;
        let mut diagnostics = Diagnostics::new();
        let mut sources = Sources::new();
        let tree = parse(sources.add("x.json", text), text, &mut diagnostics).unwrap();
        assert!(diagnostics.is_empty());
        let Value::Table(entries) = tree.value else { panic!("it is a table") };
        assert_eq!(entries[0].0.text, "aé😀/\n");
        let Value::List(items) = &entries[0].1.value else { panic!("it is a list") };
        let kinds: Vec<&str> = items.iter().map(Node::kind).collect();
        assert_eq!(
            kinds,
            ["a number", "a number", "a text", "a table", "a list", "a boolean", "a boolean", "null"]
        );
    }

    #[test]
    fn a_key_that_stands_twice_is_shown_twice() {
        check(
            "{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}\n",
            expect![[r#"
                error[LP0103]: the key `a` stands twice in one object
                 --> x.json:4:3
                  |
                2 |   "a": 1,
                  |   --- first here
                3 |   "b": 2,
                4 |   "a": 3
                  |   ^^^ again here

            "#]],
        );
    }

    #[test]
    fn a_key_of_a_large_table_that_stands_twice_is_found() {
        let keys: Vec<String> = (0..100).map(|n| format!("\"k{n}\": 1")).collect();
        check(
            &format!("{{ {},\n\"k3\": 2, \n\"k77\": 3 }}", keys.join(",\n")),
            expect![[r#"
                error[LP0103]: the key `k3` stands twice in one object
                   --> x.json:101:1
                    |
                101 | "k3": 2, 
                    | ^^^^ again here
                    |
                   ::: x.json:4:1
                    |
                  4 | "k3": 1,
                    | ---- first here

                error[LP0103]: the key `k77` stands twice in one object
                   --> x.json:102:1
                    |
                 78 | "k77": 1,
                    | ----- first here
                ...
                102 | "k77": 3 }
                    | ^^^^^ again here

            "#]],
        );
    }

    #[test]
    fn a_number_that_cannot_be_represented_is_an_error() {
        check(
            &format!("[{}, 1e999, 1.5]", "9".repeat(40)),
            expect![[r#"
                error[LP0104]: the number is too big to be represented
                 --> x.json:1:2
                  |
                1 | [9999999999999999999999999999999999999999, 1e999, 1.5]
                  |  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ whole numbers end at 9223372036854775807

                error[LP0104]: the number is too big to be represented
                 --> x.json:1:44
                  |
                1 | [9999999999999999999999999999999999999999, 1e999, 1.5]
                  |                                            ^^^^^ fractions end at 1.8e308

            "#]],
        );
    }
}
