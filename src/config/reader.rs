//! Taking keys out of a table.
//!
//! A [`Reader`] takes a value [`At`] its place: it returns the meaning of the value,
//! or reports why the value is invalid and returns `None`. It also describes the
//! values that it takes, as a [`Shape`]. The readers of plain values are in `values`;
//! [`table`] and [`map_of`] make the others, each from one function that names the
//! keys.
//!
//! That function runs in two ways: over a [`Table`] of a file, where a key that it
//! does not ask for is unknown; and over an empty table that records every key that
//! it asks for, which makes the shape. So it asks for all its keys before it gives up.

use super::shape::{Field, Fields, Map, Shape, UnknownKeys};
use super::tree::{Key, Node, Value};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::text::redacted;

/// Reads a value, and describes the values that it takes.
pub trait Reader {
    /// The meaning of a value.
    type Value;

    /// The meaning of the value; `None` after reporting that it is invalid.
    fn read(&self, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Self::Value>;

    /// The values that it takes.
    fn shape(&self) -> Shape;
}

/// A reader made of two functions.
#[derive(Clone, Copy, Debug)]
struct By<S, F> {
    shape: S,
    read: F,
}

impl<T, S, F> Reader for By<S, F>
where
    S: Fn() -> Shape,
    F: Fn(&At<'_>, &mut Diagnostics) -> Option<T>,
{
    type Value = T;

    fn read(&self, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<T> {
        (self.read)(at, diagnostics)
    }

    fn shape(&self) -> Shape {
        (self.shape)()
    }
}

/// A reader that takes the values of `shape` and reads them by `read`.
pub fn by<T>(
    shape: impl Fn() -> Shape + Copy,
    read: impl Fn(&At<'_>, &mut Diagnostics) -> Option<T> + Copy,
) -> impl Reader<Value = T> + Copy {
    By { shape, read }
}

/// A value and its name in messages.
#[derive(Clone, Debug)]
pub struct At<'t> {
    /// `run.duration`, `fps`, `workloads[2]`.
    pub name: String,
    pub node: &'t Node,
}

impl At<'_> {
    /// Reports that the value is not `expected`. A value that was reported before is
    /// skipped.
    pub fn wrong(&self, expected: &str, diagnostics: &mut Diagnostics) {
        if self.node.value != Value::Broken {
            diagnostics.push(self.fault(codes::WRONG_TYPE, &format!("`{}` must be {expected}", self.name)));
        }
    }

    /// An error here, with the found value under the caret.
    #[must_use]
    pub fn fault(&self, code: &'static str, message: &str) -> Diagnostic {
        Diagnostic::error(code, message).at(self.node.place).label(format!("found {}", found(self.node)))
    }

    /// Whether it is a table that has this key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        matches!(&self.node.value, Value::Table(entries) if entries.iter().any(|(k, _)| k.text == key))
    }

    /// The string, if it is one.
    #[must_use]
    pub fn as_string(&self) -> Option<&str> {
        match &self.node.value {
            Value::Text(text) | Value::Word(text) => Some(text),
            _ => None,
        }
    }
}

/// A value in words, short.
fn found(node: &Node) -> String {
    let short = |text: &str| {
        let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
        if text.chars().nth(40).is_some() {
            short.push('…');
        }
        short
    };
    match &node.value {
        Value::Text(text) | Value::Word(text) if text.is_empty() => "an empty string".to_owned(),
        Value::Text(text) | Value::Word(text) => format!("the string `{}`", short(&redacted(text))),
        Value::Int(value) => format!("{value}"),
        Value::Float { text, .. } => short(text),
        Value::Bool(value) => format!("{value}"),
        _ => node.kind().to_owned(),
    }
}

/// The names of a table's keys in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyNames {
    /// `fps`
    Plain,
    /// `task.name`, with this prefix.
    Prefixed(&'static str),
    /// `run.duration`, with the table's own name as prefix.
    Path,
}

/// A reader of a table with the keys that `fields` names.
pub fn table<T>(
    called: KeyNames,
    unknown: UnknownKeys,
    fields: impl Fn(&mut Table<'_>, &mut Diagnostics) -> Option<T> + Copy,
) -> impl Reader<Value = T> + Copy {
    by(
        move || Shape::Table(described(unknown, fields)),
        move |at, diagnostics| {
            let mut table = Table::open(at, called, unknown, diagnostics)?;
            let value = fields(&mut table, diagnostics);
            table.finish(diagnostics);
            value
        },
    )
}

/// The keys that `fields` names.
pub fn described<T>(
    unknown: UnknownKeys,
    fields: impl Fn(&mut Table<'_>, &mut Diagnostics) -> Option<T>,
) -> Fields {
    let fresh = Fields { fields: Vec::new(), unknown, one_of: Vec::new() };
    let mut table = Table {
        prefix: String::new(),
        place: Place::default(),
        entries: Vec::new(),
        asked: Vec::new(),
        unknown,
        described: Some(fresh),
    };
    // An empty table lacks all required keys, which is not a fault here.
    let _ = fields(&mut table, &mut Diagnostics::new());
    table.described.expect("it was put there above")
}

/// A reader of a table with names as keys, which match `names`; `entry` reads the
/// value of one, and reports and leaves out invalid ones. It also reports names that
/// do not match.
pub fn map_of<T>(
    called: KeyNames,
    unknown: UnknownKeys,
    names: &'static str,
    value: impl Fn() -> Shape + Copy,
    entry: impl Fn(&Key, &At<'_>, &mut Diagnostics) -> Option<T> + Copy,
) -> impl Reader<Value = Vec<T>> + Copy {
    by(
        move || {
            Shape::Map(Map { names: names.to_owned(), unknown, value: Box::new(value()), is_filled: false })
        },
        move |at, diagnostics| {
            let mut table = Table::open(at, called, unknown, diagnostics)?;
            let entries = table.rest().into_iter();
            Some(entries.filter_map(|(key, at)| entry(key, &at, diagnostics)).collect())
        },
    )
}

/// A table that keys are taken out of.
#[derive(Debug)]
pub struct Table<'t> {
    prefix: String,
    place: Place,
    entries: Vec<Option<(&'t Key, &'t Node)>>,
    asked: Vec<&'static str>,
    unknown: UnknownKeys,
    /// Set while a table is described instead of read.
    described: Option<Fields>,
}

impl<'t> Table<'t> {
    /// The table at `at`; reports anything else.
    pub fn open(
        at: &At<'t>,
        called: KeyNames,
        unknown: UnknownKeys,
        diagnostics: &mut Diagnostics,
    ) -> Option<Table<'t>> {
        let Value::Table(entries) = &at.node.value else {
            let article = if unknown == UnknownKeys::Warn { "an" } else { "a" };
            at.wrong(&format!("{article} {}", unknown.table()), diagnostics);
            return None;
        };
        Some(Table {
            prefix: match called {
                KeyNames::Plain => String::new(),
                KeyNames::Prefixed(prefix) => prefix.to_owned(),
                KeyNames::Path if at.name.is_empty() => String::new(),
                KeyNames::Path => format!("{}.", at.name),
            },
            place: at.node.place,
            entries: entries.iter().map(|(key, node)| Some((key, node))).collect(),
            asked: Vec::new(),
            unknown,
            described: None,
        })
    }

    /// Where the table is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether the key is there, and has not been taken out.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().flatten().any(|(found, _)| found.text == key)
    }

    /// Takes a key out, with the key itself, for a caller that calls `reader` in its
    /// own way.
    pub fn take(
        &mut self,
        key: &'static str,
        about: &'static str,
        reader: &impl Reader,
    ) -> Option<(&'t Key, At<'t>)> {
        self.ask(key, about, false, false, reader);
        self.asked.push(key);
        self.remove(key)
    }

    /// Takes out a key of an old form, which is never suggested.
    pub fn old(
        &mut self,
        key: &'static str,
        about: &'static str,
        reader: &impl Reader,
    ) -> Option<(&'t Key, At<'t>)> {
        self.ask(key, about, false, true, reader);
        self.remove(key)
    }

    /// Takes out a key that cannot be here, for a caller that reports why.
    pub fn misplaced(&mut self, key: &'static str) -> Option<(&'t Key, At<'t>)> {
        self.remove(key)
    }

    /// Reads a key if it is there.
    pub fn optional<R: Reader>(
        &mut self,
        key: &'static str,
        about: &'static str,
        reader: R,
        diagnostics: &mut Diagnostics,
    ) -> Option<R::Value> {
        let (_, at) = self.take(key, about, &reader)?;
        reader.read(&at, diagnostics)
    }

    /// Reads a key and reports it if it is not there.
    pub fn required<R: Reader>(
        &mut self,
        key: &'static str,
        about: &'static str,
        reader: R,
        diagnostics: &mut Diagnostics,
    ) -> Option<R::Value> {
        self.ask(key, about, true, false, &reader);
        self.asked.push(key);
        match self.remove(key) {
            Some((_, at)) => reader.read(&at, diagnostics),
            None => {
                let message = format!("`{}{key}` is missing", self.prefix);
                let label = format!("in this {}", self.unknown.table());
                diagnostics.push(Diagnostic::error(codes::MISSING_KEY, message).at(self.place).label(label));
                None
            }
        }
    }

    /// Declares that one of these keys is required; the caller reports its absence.
    pub fn needs_one_of(&mut self, keys: &[&'static str]) {
        if let Some(described) = &mut self.described {
            described.one_of.push(keys.to_vec());
        }
    }

    /// Takes out all remaining keys that are not comments.
    fn rest(&mut self) -> Vec<(&'t Key, At<'t>)> {
        let (prefix, unknown) = (&self.prefix, self.unknown);
        self.entries
            .drain(..)
            .flatten()
            .filter(|(key, _)| !is_comment(key, unknown))
            .map(|(key, node)| (key, At { name: format!("{prefix}{}", key.text), node }))
            .collect()
    }

    fn ask(
        &mut self,
        key: &'static str,
        about: &'static str,
        is_required: bool,
        is_old: bool,
        reader: &impl Reader,
    ) {
        if let Some(described) = &mut self.described {
            described.fields.push(Field { key, about, is_required, is_old, shape: reader.shape() });
        }
    }

    fn remove(&mut self, key: &'static str) -> Option<(&'t Key, At<'t>)> {
        let entry = self.entries.iter_mut().find(|entry| entry.is_some_and(|(k, _)| k.text == key))?;
        let (key, node) = entry.take()?;
        Some((key, At { name: format!("{}{}", self.prefix, key.text), node }))
    }

    /// Reports every key that was not asked for.
    pub fn finish(self, diagnostics: &mut Diagnostics) {
        let unknown = self.unknown;
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
