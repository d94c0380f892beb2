//! One tree for TOML and JSON, in which every key and value has its place.
//!
//! Numbers are checked when the tree is made: a whole number fits an `i64`, a
//! fraction is finite. A value that cannot be represented is reported and becomes
//! [`Value::Broken`], which readers ignore.

use crate::diag::Place;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Value,
    pub place: Place,
}

/// The value of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// JSON's `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number with a fraction or an exponent.
    Float {
        value: f64,
        /// As written.
        text: String,
    },
    /// A string in quotes.
    Text(String),
    /// The value of an override: a string without quotes that the reader of its key
    /// interprets.
    Word(String),
    /// A date or time of TOML; no key takes one.
    Date,
    List(Vec<Node>),
    /// A table, in the order of its file.
    Table(Vec<(Key, Node)>),
    /// An invalid value, which was reported already.
    Broken,
}

/// A key with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub text: String,
    pub place: Place,
}

impl Node {
    /// A table without keys.
    #[must_use]
    pub fn empty_table() -> Node {
        Node { value: Value::Table(Vec::new()), place: Place::default() }
    }

    /// Its type in words: `a string`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float { .. } => "a number",
            Value::Text(_) | Value::Word(_) => "a string",
            Value::Date => "a date or time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Broken => "nothing that could be read",
        }
    }

    /// Lays `over` on top: tables merge key by key, everything else is replaced.
    pub fn overlay(&mut self, over: Node) {
        match (&mut self.value, over.value) {
            (Value::Table(entries), Value::Table(over_entries)) => {
                for (key, node) in over_entries {
                    match entries.iter_mut().find(|(old, _)| old.text == key.text) {
                        Some((old, old_node)) => {
                            old_node.overlay(node);
                            *old = key;
                        }
                        None => entries.push((key, node)),
                    }
                }
            }
            (_, value) => *self = Node { value, place: over.place },
        }
    }

    /// The values of a tree of tables, with the dotted path of their keys.
    #[must_use]
    pub fn leaves(&self) -> Vec<(String, &Node)> {
        let mut leaves = Vec::new();
        self.add_leaves("", &mut leaves);
        leaves
    }

    fn add_leaves<'n>(&'n self, path: &str, leaves: &mut Vec<(String, &'n Node)>) {
        let Value::Table(entries) = &self.value else {
            leaves.push((path.to_owned(), self));
            return;
        };
        for (key, node) in entries {
            let key = quoted_key(&key.text);
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            node.add_leaves(&path, leaves);
        }
    }

    /// The value as TOML writes it, in one line.
    #[must_use]
    pub fn toml(&self) -> String {
        match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Int(value) => value.to_string(),
            Value::Float { text, .. } => text.clone(),
            Value::Text(text) | Value::Word(text) => ::toml::Value::from(text.as_str()).to_string(),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Node::toml).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Table(entries) => {
                let entry =
                    |(key, node): &(Key, Node)| format!("{} = {}", quoted_key(&key.text), node.toml());
                format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
            Value::Date | Value::Broken => self.kind().to_owned(),
        }
    }

    /// The value as JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null | Value::Date | Value::Broken => Json::Null,
            Value::Bool(value) => Json::from(*value),
            Value::Int(value) => Json::from(*value),
            Value::Float { value, .. } => Json::from(*value),
            Value::Text(text) | Value::Word(text) => Json::from(text.as_str()),
            Value::List(items) => items.iter().map(Node::json).collect(),
            Value::Table(entries) => {
                entries.iter().map(|(key, node)| (key.text.clone(), node.json())).collect()
            }
        }
    }

    /// Takes the value of `key` out of a table.
    #[must_use]
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let Value::Table(entries) = &mut self.value else { return None };
        let index = entries.iter().position(|(entry, _)| entry.text == key)?;
        Some(entries.remove(index).1)
    }
}

/// A key of a dotted path, in quotes if TOML needs them.
#[must_use]
pub fn quoted_key(key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(is_bare) {
        key.to_owned()
    } else {
        ::toml::Value::from(key).to_string()
    }
}
