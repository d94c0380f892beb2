//! What is wrong with a text that is not TOML, so that it can be read aloud.
//!
//! The parser reports all it trips over, in its own words and where it stood
//! then. Here that becomes the thing at fault: the bracket that is never
//! closed, the word that needs quotes, the key that stood there before.
//!
//! TOML is a language of lines: of several faults of one line, the first is
//! shown, and behind a bracket that is never closed none.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

use super::json::{is_not_finite, meant_number, not_this};
use super::text::{Language, looks_like, within};
use super::tree::{Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place};

/// What the parser says.
pub(super) struct Complaint {
    /// In its words.
    pub(super) message: String,
    /// Where it was then.
    pub(super) span: Range<usize>,
}

const DUPLICATE: &str = "duplicate key";

/// Reports what the parser complained about. `tree` is what it could read.
pub(super) fn report(
    file: FileId,
    text: &str,
    tree: &Node,
    mut complaints: Vec<Complaint>,
    diagnostics: &mut Diagnostics,
) {
    if complaints.is_empty() {
        return;
    }
    if let Some(other) = looks_like(text, Language::Toml) {
        diagnostics.push(not_this("TOML", &other, file).help("project and scene files are written in TOML"));
        return;
    }
    complaints.sort_by_key(|complaint| (complaint.span.start, complaint.span.end));
    let is_duplicate = |complaint: &&Complaint| complaint.message == DUPLICATE;
    let duplicates: HashSet<usize> =
        complaints.iter().filter(is_duplicate).map(|complaint| complaint.span.start).collect();
    let firsts = if duplicates.is_empty() { HashMap::new() } else { first_places(text, &duplicates) };
    let ends = Ends::of(tree);
    let faults = Faults { file, text, ends: &ends, firsts: &firsts };
    let mut found: Vec<Fault> = complaints.iter().map(|complaint| faults.explain(complaint)).collect();

    let unclosed = found.iter().filter(|fault| fault.is_unclosed).map(Fault::start).min();
    found.retain(|fault| unclosed.is_none_or(|open| fault.start() <= open));
    found.sort_by_key(|fault| (fault.is_vague, fault.start()));
    let mut lines = HashSet::new();
    found.retain(|fault| fault.is_apart || lines.insert(text[..fault.start() as usize].rfind('\n')));
    found.sort_by_key(Fault::start);
    for fault in found {
        diagnostics.push(fault.diagnostic);
    }
}

struct Fault {
    diagnostic: Diagnostic,
    /// A bracket or quote that swallows what follows.
    is_unclosed: bool,
    /// Often what comes of another fault in the line.
    is_vague: bool,
    /// Of its own, whatever else is wrong in the line.
    is_apart: bool,
}

impl Fault {
    fn start(&self) -> u32 {
        self.diagnostic.place.unwrap_or_default().start
    }

    fn unclosed(self) -> Fault {
        Fault { is_unclosed: true, ..self }
    }

    fn vague(self) -> Fault {
        Fault { is_vague: true, ..self }
    }

    fn apart(self) -> Fault {
        Fault { is_apart: true, ..self }
    }

    fn label(self, label: impl Into<String>) -> Fault {
        Fault { diagnostic: self.diagnostic.label(label), ..self }
    }

    fn help(self, help: impl Into<String>) -> Fault {
        Fault { diagnostic: self.diagnostic.help(help), ..self }
    }
}

struct Faults<'a> {
    file: FileId,
    text: &'a str,
    ends: &'a Ends,
    firsts: &'a HashMap<usize, Range<usize>>,
}

impl Faults<'_> {
    fn fault(&self, range: Range<usize>, message: impl Into<String>) -> Fault {
        let place = Place::new(self.file, within(self.text, range));
        let diagnostic = Diagnostic::error(codes::TOML_SYNTAX, message).at(place);
        Fault { diagnostic, is_unclosed: false, is_vague: false, is_apart: false }
    }

    fn explain(&self, Complaint { message, span }: &Complaint) -> Fault {
        let Range { start, end } = within(self.text, span.clone());
        let found = &self.text[start..end];
        let rest = &self.text[start..];
        let is = |words: &str| message.starts_with(words);
        if message == DUPLICATE {
            return self.duplicate(start..end);
        }
        if is("string values must be quoted") {
            return self.unquoted(start..end);
        }
        let first_line = self.line_start(start);
        if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| self.text[first_line..].starts_with(mark)) {
            return self.fault(first_line..first_line + 7, "a merge conflict is left in the file").unclosed();
        }
        // The parser tells a boolean, `nan` and `inf` by the first letter.
        if is("invalid boolean") || is("invalid float, expected `nan`") || is("invalid float, expected `inf`")
        {
            return self.misspelt(start..end);
        }
        if is("key with no value") {
            let line = self.line_start(start)..start;
            if rest.starts_with(':') {
                return self.fault(start..start + 1, "found `:`, expected `=`");
            }
            if let Some(comment) = self.slashes(line.start) {
                return comment;
            }
            let key = self.text[line].trim();
            if key.ends_with(':') {
                let colon = self.text[..start].trim_end().len() - 1;
                return self.fault(colon..colon + 1, "found `:`, expected `=`");
            }
            let key = key.split_whitespace().next().unwrap_or(key);
            return self
                .fault(start..start, format!("the key `{key}` has no value"))
                .label("expected `=` and a value");
        }
        if is("invalid unquoted key") {
            if found.starts_with(':') {
                return self.fault(start..start + 1, "found `:`, expected `=`");
            }
            if let Some(comment) = self.slashes(start) {
                return comment;
            }
            let fault = self.fault(start..end, format!("`{found}` stands in a key without quotes"));
            return fault.help("put the key in double quotes");
        }
        if is("unclosed") {
            return self.unclosed(start);
        }
        if is("invalid basic string") || is("invalid literal string") || is("invalid multi-line") {
            return self.text_fault(start..end, message);
        }
        if is("too few unicode") || is("invalid value, expected unicode") {
            let open = self.text[..start].rfind('\\').unwrap_or(start);
            let range = open..self.text.len().min(open + 2);
            let digits = if self.text[open..].starts_with("\\U") { "eight" } else { "four" };
            let fault = self.fault(range.clone(), format!("`{}` is no escape here", &self.text[range]));
            let fault = fault.label(format!("it takes the {digits} hex digits of a character"));
            return fault
                .help("a backslash itself is written `\\\\`; in single quotes it needs nothing")
                .apart();
        }
        if is("missing escaped value") {
            let c = rest.chars().next().map_or(0, char::len_utf8);
            let range = start.saturating_sub(1)..start + c;
            let written = self.text[range.clone()].trim_end();
            let fault = self.fault(range, format!("`{written}` is no escape of TOML"));
            return fault
                .help("a backslash itself is written `\\\\`; in single quotes it needs nothing")
                .apart();
        }
        if is("unexpected key or value") {
            return self.follows(start);
        }
        if is("missing comma") {
            return self.fault(start..start, "a comma is missing").label("expected `,` here");
        }
        if is("extra `=`") {
            return self.fault(start..end, "found a second `=`").help("remove it");
        }
        if is("unquoted keys cannot be empty") || is("invalid key-value pair") {
            return self.fault(start..end, "a key is missing").label("expected a key here");
        }
        let run = self.run(start);
        if let Some((why, meant)) = meant_number(&self.text[run.clone()]) {
            let fault = self.fault(run.clone(), format!("`{}` is no number of TOML", &self.text[run]));
            return fault.label(why).help(format!("write `{meant}`"));
        }
        self.fault(start..end, "the file is not valid TOML").label(message.as_str()).vague()
    }

    fn duplicate(&self, range: Range<usize>) -> Fault {
        let key = &self.text[range.clone()];
        let fault =
            self.fault(range.clone(), format!("the key `{}` stands twice in one table", unquoted(key)));
        let mut diagnostic =
            Diagnostic { code: codes::DUPLICATE_KEY, ..fault.diagnostic }.label("again here");
        if let Some(first) = self.firsts.get(&range.start) {
            diagnostic = diagnostic.also(Place::new(self.file, first.clone()), "first here");
        }
        Fault { diagnostic, ..fault }.apart()
    }

    /// A word that is none of TOML's.
    fn misspelt(&self, range: Range<usize>) -> Fault {
        let found = &self.text[range.clone()];
        if is_not_finite(found) {
            let fault = self.fault(range, "NaN and infinity are no values here");
            return Fault { diagnostic: Diagnostic { code: codes::NOT_FINITE, ..fault.diagnostic }, ..fault };
        }
        let meant = found.to_ascii_lowercase();
        if meant == "true" || meant == "false" {
            let message = format!("`{found}` is no value of TOML");
            return self.fault(range, message).help(format!("write `{meant}`"));
        }
        self.unquoted(range)
    }

    /// A value that is none of TOML's: mostly a text without quotes.
    fn unquoted(&self, range: Range<usize>) -> Fault {
        let found = self.text[range.clone()].trim();
        if found.is_empty() {
            return self.fault(range, "a value is missing").label("expected a value behind `=`");
        }
        // `a = 1 b = 2` is read as the text `1 b`.
        if self.text[range.end..].trim_start_matches(' ').starts_with('=')
            && let Some(blank) = found.rfind(' ')
        {
            let next = range.start + blank + 1;
            return self.follows(next);
        }
        if let Some((why, meant)) = meant_number(found) {
            let fault = self.fault(range, format!("`{found}` is no number of TOML"));
            return fault.label(why).help(format!("write `{meant}`"));
        }
        let fault = self.fault(range, "a text stands without quotes");
        match found {
            "None" | "none" | "null" | "Null" | "NULL" | "nil" | "undefined" => fault
                .help(format!("write `\"{found}\"`; TOML has no null, so leave the key out to mean none")),
            "yes" | "on" => fault.help(format!("write `true`, or `\"{found}\"`")),
            "no" | "off" => fault.help(format!("write `false`, or `\"{found}\"`")),
            _ => {
                let bare = found.trim_matches(|c| "“”„‘’`«»\"".contains(c));
                if bare.contains(['"', '\\']) {
                    fault.help("put it in quotes")
                } else {
                    fault.help(format!("write `\"{bare}\"`"))
                }
            }
        }
    }

    /// Something behind the end of a value, or of a header.
    fn follows(&self, start: usize) -> Fault {
        if let Some(comment) = self.slashes(start) {
            return comment;
        }
        let rest = &self.text[start..];
        let line = rest[..rest.find('\n').unwrap_or(rest.len())].trim_end();
        let len = line.find([' ', '\t', '=']).filter(|len| *len > 0).unwrap_or(line.len());
        let range = start..start + len;
        let found = &self.text[range.clone()];
        if found.starts_with([',', ';']) {
            return self
                .fault(start..start + 1, format!("found `{}`, expected a new line", &found[..1]))
                .vague();
        }
        self.fault(range, format!("found `{found}`, expected a new line")).vague()
    }

    /// A comment of another language.
    fn slashes(&self, start: usize) -> Option<Fault> {
        let rest = &self.text[start..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let mark = ["//", "/*", "--"].into_iter().find(|mark| rest[blanks..].starts_with(mark))?;
        let start = start + blanks;
        let fault = self.fault(start..start + mark.len(), format!("`{mark}` begins no comment"));
        Some(fault.help("comments begin with `#`"))
    }

    /// A bracket of a value or of a header. `end` is where it is missed.
    fn unclosed(&self, end: usize) -> Fault {
        let line = self.line_start(end);
        let blanks = self.text[line..].len() - self.text[line..].trim_start_matches([' ', '\t']).len();
        let header = line + blanks;
        if let Some(open) = self.ends.opener(end, |c| matches!(c, '[' | '{'), self.text) {
            let (open_text, close) = if self.text[open..].starts_with('{') { ('{', '}') } else { ('[', ']') };
            let fault = self.fault(open..open + 1, format!("`{open_text}` is never closed")).unclosed();
            let end = Place::new(self.file, end..end);
            let diagnostic = fault.diagnostic.label("opened here");
            let diagnostic = diagnostic.also(end, format!("expected `{close}` before this"));
            return Fault { diagnostic, ..fault };
        }
        let brackets = self.text[header..end.max(header)].chars().take_while(|c| *c == '[').count().min(2);
        if brackets == 0 {
            return self.fault(end..end, "a bracket is not closed before this").vague();
        }
        let fault = self.fault(header..header + brackets, format!("`{}` is never closed", &"[["[..brackets]));
        fault.label(format!("expected `{}` behind the name", &"]]"[..brackets]))
    }

    fn text_fault(&self, range: Range<usize>, message: &str) -> Fault {
        if !range.is_empty() {
            let fault = self.fault(range, "a control character stands in a text");
            return fault.help("write it as an escape: `\\t`, `\\u0000`").apart();
        }
        let is_long = message.starts_with("invalid multi-line");
        let open = self.ends.opener(range.start, |c| matches!(c, '"' | '\''), self.text);
        let open = open.unwrap_or(range.start);
        let quote = self.text[open..].chars().next().filter(|c| *c == '\'').unwrap_or('"');
        if is_long {
            let fault =
                self.fault(open..self.text.len().min(open + 3), "a text of several lines is never closed");
            return fault.label("opened here").help(format!("close it with `{0}{0}{0}`", quote)).unclosed();
        }
        let fault = self.fault(open..range.start.max(open), "a text is not closed on its line");
        fault.label("opened here").help(format!("close it with `{quote}`")).apart()
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// What looks like a number around `at`.
    fn run(&self, at: usize) -> Range<usize> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
        let before = &self.text[..at];
        let start = before
            .rfind(|c| !is_part(c))
            .map_or(0, |last| last + before[last..].chars().next().map_or(0, char::len_utf8));
        let rest = &self.text[at..];
        start..at + rest.find(|c| !is_part(c)).unwrap_or(rest.len())
    }
}

fn unquoted(key: &str) -> &str {
    let inner = |quote| key.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(key)
}

/// Where values begin, by where they end.
struct Ends(HashMap<u32, Vec<u32>>);

impl Ends {
    fn of(tree: &Node) -> Ends {
        let mut ends = Ends(HashMap::new());
        ends.add(tree);
        ends
    }

    fn add(&mut self, node: &Node) {
        self.0.entry(node.place.end).or_default().push(node.place.start);
        match &node.value {
            Value::Table(entries) => entries.iter().for_each(|(_, inner)| self.add(inner)),
            Value::List(items) => items.iter().for_each(|inner| self.add(inner)),
            _ => {}
        }
    }

    /// Where the innermost value begins that ends at `end` and begins with such
    /// a character.
    fn opener(&self, end: usize, is_open: impl Fn(char) -> bool, text: &str) -> Option<usize> {
        let starts = self.0.get(&u32::try_from(end).ok()?)?;
        let is_opener = |start: &usize| text[*start..].starts_with(&is_open);
        starts.iter().map(|start| *start as usize).filter(is_opener).max()
    }
}

/// For each key that stands twice, by where it stands again: where first.
fn first_places(text: &str, duplicates: &HashSet<usize>) -> HashMap<usize, Range<usize>> {
    let source = toml_parser::Source::new(text);
    let mut keys = Keys::default();
    let mut answers = HashMap::new();
    let mut receive = |event: Event| {
        if event.kind() != EventKind::SimpleKey {
            keys.pass(event.kind());
            return;
        }
        let span = event.span().start()..event.span().end();
        let mut decoded = Cow::Borrowed("");
        if let Some(raw) = source.get(event) {
            raw.decode_key(&mut decoded, &mut ());
        }
        keys.step(&decoded);
        if duplicates.contains(&span.start)
            && let Some(first) = keys.first.get(&keys.path)
        {
            answers.insert(span.start, first.clone());
        } else {
            keys.first.entry(keys.path.clone()).or_insert(span);
        }
    };
    let tokens = source.lex().into_vec();
    // As deep as the parser itself goes.
    let mut receive = RecursionGuard::new(&mut receive, 80);
    parse_document(&tokens, &mut receive, &mut ());
    answers
}

/// Follows which table a key is in.
#[derive(Default)]
struct Keys {
    /// The table whose keys are read now.
    table: String,
    /// The key that is read now, with all that is around it.
    path: String,
    /// Whether the next key goes on from `path`.
    goes_on: bool,
    /// The tables around an inline table or a list.
    around: Vec<String>,
    /// How many items each list of tables has.
    items: HashMap<String, usize>,
    n_inner: usize,
    first: HashMap<String, Range<usize>>,
}

impl Keys {
    fn step(&mut self, key: &str) {
        if !self.goes_on {
            self.path.clone_from(&self.table);
        }
        self.goes_on = false;
        // No key of TOML has a control character as it is, so that no two paths are one.
        self.path.push('\u{1}');
        self.path.push_str(key);
    }

    fn pass(&mut self, kind: EventKind) {
        match kind {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                self.table.clear();
                self.goes_on = false;
            }
            EventKind::StdTableClose => self.table.clone_from(&self.path),
            EventKind::ArrayTableClose => {
                *self.items.entry(self.path.clone()).or_default() += 1;
                self.table = self.last_item();
            }
            EventKind::KeySep => {
                self.path = self.last_item();
                self.goes_on = true;
            }
            EventKind::InlineTableOpen | EventKind::ArrayOpen => {
                self.n_inner += 1;
                self.around.push(std::mem::replace(&mut self.table, format!("\u{2}{}", self.n_inner)));
            }
            EventKind::InlineTableClose | EventKind::ArrayClose => {
                self.table = self.around.pop().unwrap_or_default();
            }
            _ => {}
        }
    }

    /// The last item of `path` if that is a list of tables, else itself.
    fn last_item(&self) -> String {
        match self.items.get(&self.path) {
            Some(n) => format!("{}\u{2}{n}", self.path),
            None => self.path.clone(),
        }
    }
}
