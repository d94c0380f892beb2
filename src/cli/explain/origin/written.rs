//! Compares a value in a file with the value of a task.

use serde_json::Value;

use super::Origin;
use crate::config::locate::Written;
use crate::config::tree::{self, Node};
use crate::time::parse_duration;

/// A table or list itself, from which an entry was deleted.
pub(super) fn whole(written: Written) -> Written {
    match written {
        Written::Here(node) => Written::Not { around: node.place },
        not => not,
    }
}

/// The origin of a value in a file, if it is the effective one.
pub(super) fn written(found: Option<Written>, new: Option<&Value>) -> Origin {
    let note = |note: &str, place| Origin { note: Some(note.to_owned()), ..Origin::at(place) };
    match (found, new) {
        (Some(Written::Here(node)), Some(new)) if agrees(&node, new) => Origin::at(node.place),
        (Some(Written::Not { around }), Some(Value::Null)) => note("not set at", around),
        (Some(Written::Not { around }), Some(_)) => note("the default, not set at", around),
        (Some(Written::Not { around }), None) => note("from", around),
        _ => Origin::default(),
    }
}

/// Whether a value in a file means this value.
pub(super) fn agrees(node: &Node, value: &Value) -> bool {
    match (&node.value, value) {
        (tree::Value::Bool(one), Value::Bool(other)) => one == other,
        (tree::Value::Int(one), other) => same_number(&one.to_string(), other),
        (tree::Value::Float { text, .. }, other) => same_number(text, other),
        (tree::Value::Text(text) | tree::Value::Word(text), Value::Number(_)) => {
            let millis = parse_duration(text).ok().map(|duration| duration.as_millis().to_string());
            let count = text.split_once(" period").map_or(text.as_str(), |(count, _)| count);
            same_number(&millis.unwrap_or_else(|| count.trim().to_owned()), value)
        }
        (tree::Value::Text(text) | tree::Value::Word(text), Value::Null) => text == "auto",
        (tree::Value::Word(text), Value::Bool(value)) => *text == value.to_string(),
        (tree::Value::Text(_) | tree::Value::Word(_), Value::String(value)) => holds(node, value),
        (tree::Value::List(one), Value::Array(other)) => one.len() == other.len(),
        (tree::Value::Table(_), Value::Array(other)) => other.len() == 1,
        (tree::Value::Table(_), Value::Object(_)) => true,
        _ => false,
    }
}

/// Whether a string is this value, apart from case, blanks and a scheme before it.
pub(super) fn holds(node: &Node, value: &str) -> bool {
    let (tree::Value::Text(text) | tree::Value::Word(text)) = &node.value else { return false };
    let (text, value) = (text.trim().to_lowercase(), value.trim().to_lowercase());
    text == value || (!value.is_empty() && text.contains("://") && text.ends_with(&value))
}

fn same_number(text: &str, value: &Value) -> bool {
    match value {
        Value::Number(number) => text.parse().ok() == number.as_f64(),
        Value::String(value) => text == value,
        _ => false,
    }
}
