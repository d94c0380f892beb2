//! Taking keys out of a table.
//!
//! A reader is a function of a value [`At`] its place: it returns what the
//! value means, or reports why it means nothing and returns `None` (those for
//! plain values are in `values`). [`Table`]
//! remembers which keys were asked for, so that [`Table::finish`] can report
//! the others and suggest what was meant.

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place};
use super::tree::{Key, Node, Value};

/// A value and what it is called in messages.
#[derive(Clone, Debug)]
pub struct At<'t> {
    /// `run.duration`, `fps`, `workloads[2]`.
    pub name: String,
    /// The value.
    pub node: &'t Node,
}

impl At<'_> {
    /// Reports that `expected` was not found. A value that was reported before
    /// is passed over.
    pub fn wrong(&self, expected: &str, diagnostics: &mut Diagnostics) {
        if self.node.value != Value::Broken {
            diagnostics.push(self.fault(codes::WRONG_TYPE, &format!("`{}` must be {expected}", self.name)));
        }
    }

    /// An error here, with what was found under the caret.
    #[must_use]
    pub fn fault(&self, code: &'static str, message: &str) -> Diagnostic {
        Diagnostic::error(code, message).at(self.node.place).label(format!("found {}", found(self.node)))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.node.value {
            Value::Text(text) | Value::Word(text) => Some(text),
            _ => None,
        }
    }
}

/// A value as a person would name it, short.
fn found(node: &Node) -> String {
    let short = |text: &str| {
        let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        if text.chars().nth(40).is_some() {
            short.push('…');
        }
        short
    };
    match &node.value {
        Value::Text(text) | Value::Word(text) if text.is_empty() => "an empty text".to_owned(),
        Value::Text(text) | Value::Word(text) => format!("the text `{}`", short(text)),
        Value::Int(value) => format!("{value}"),
        Value::Float { text, .. } => short(text),
        Value::Bool(value) => format!("{value}"),
        _ => node.kind().to_owned(),
    }
}

/// What becomes of keys that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownKeys {
    /// They are errors: in files of our own format.
    Refuse,
    /// They are warnings, and keys that begin with `_` are comments: in files
    /// of upstream's format.
    Warn,
}

/// A table that keys are taken out of.
#[derive(Debug)]
pub struct Table<'t> {
    prefix: String,
    place: Place,
    entries: Vec<Option<(&'t Key, &'t Node)>>,
    asked: Vec<&'static str>,
}

impl<'t> Table<'t> {
    /// The table at `at`; reports anything else. `prefix` precedes the names of
    /// its keys in messages: `run.`.
    pub fn open(at: &At<'t>, prefix: &str, diagnostics: &mut Diagnostics) -> Option<Table<'t>> {
        let Value::Table(entries) = &at.node.value else {
            at.wrong("a table", diagnostics);
            return None;
        };
        Some(Table {
            prefix: prefix.to_owned(),
            place: at.node.place,
            entries: entries.iter().map(|(key, node)| Some((key, node))).collect(),
            asked: Vec::new(),
        })
    }

    /// Where the table is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Takes a key out, with the key itself.
    pub fn take(&mut self, key: &'static str) -> Option<(&'t Key, At<'t>)> {
        self.asked.push(key);
        let entry = self.entries.iter_mut().find(|entry| entry.is_some_and(|(k, _)| k.text == key))?;
        let (key, node) = entry.take()?;
        Some((key, At { name: format!("{}{}", self.prefix, key.text), node }))
    }

    /// Takes out all keys that are left and are no comments.
    pub fn rest(&mut self, unknown: UnknownKeys) -> Vec<(&'t Key, At<'t>)> {
        let prefix = &self.prefix;
        self.entries
            .drain(..)
            .flatten()
            .filter(|(key, _)| !is_comment(key, unknown))
            .map(|(key, node)| (key, At { name: format!("{prefix}{}", key.text), node }))
            .collect()
    }

    /// Reads a key if it is there.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        reader: impl Fn(&At<'t>, &mut Diagnostics) -> Option<T>,
        diagnostics: &mut Diagnostics,
    ) -> Option<T> {
        let (_, at) = self.take(key)?;
        reader(&at, diagnostics)
    }

    /// Reads a key and reports it if it is not there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        reader: impl Fn(&At<'t>, &mut Diagnostics) -> Option<T>,
        diagnostics: &mut Diagnostics,
    ) -> Option<T> {
        match self.take(key) {
            Some((_, at)) => reader(&at, diagnostics),
            None => {
                let message = format!("`{}{key}` is missing", self.prefix);
                diagnostics.push(
                    Diagnostic::error(codes::MISSING_KEY, message).at(self.place).label("in this table"),
                );
                None
            }
        }
    }

    /// Reports every key that nobody asked for.
    pub fn finish(self, unknown: UnknownKeys, diagnostics: &mut Diagnostics) {
        for (key, _) in self.entries.iter().flatten() {
            if is_comment(key, unknown) {
                continue;
            }
            let message = format!("unknown key `{}{}`", self.prefix, key.text);
            let diagnostic = match unknown {
                UnknownKeys::Refuse => Diagnostic::error(codes::UNKNOWN_KEY, message),
                UnknownKeys::Warn => Diagnostic::warning(codes::UNKNOWN_KEY, message),
            };
            let label = match unknown {
                UnknownKeys::Refuse => "",
                UnknownKeys::Warn => "ignored",
            };
            let mut diagnostic = diagnostic.at(key.place).label(label).suggest(
                &key.text,
                self.asked.iter().copied(),
                diagnostics,
            );
            if diagnostic.help.is_none() && !self.asked.is_empty() {
                diagnostic = diagnostic.help(format!("possible here: {}", self.asked.join(", ")));
            }
            diagnostics.push(diagnostic);
        }
    }
}

fn is_comment(key: &Key, unknown: UnknownKeys) -> bool {
    unknown == UnknownKeys::Warn && key.text.starts_with('_')
}
