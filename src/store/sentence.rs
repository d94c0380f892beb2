//! Formats a reason: one sentence for people, and its parts for machines.
//!
//! A sentence names the innermost key only, because people know their keys.
//! `lp explain` knows the place of a value in the config: it may use the key as
//! written there ([`StaleReason::sentence`]), and adds the place.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use super::attempt::AttemptOutcome;
use super::stale::{KeyPath, Segment, StaleReason};
use crate::path::ProjectPath;
use crate::text::{harmless, is_secret, redacted, redacted_words};

/// "`fps` changed from 15 to 30"
impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence(self.key().map_or("", KeyPath::name)))
    }
}

/// `{"kind": "changed", "subject": "camera.fps", "old": 15, "new": 30}`, without
/// user names and passwords in URLs.
impl Serialize for StaleReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (old, new) = match self {
            StaleReason::Changed { old, new, .. } => (Some(old), Some(new)),
            StaleReason::Added { new, .. } => (None, Some(new)),
            StaleReason::Removed { old, .. } => (Some(old), None),
            _ => (None, None),
        };
        let (kind, path) = self.kind();
        let subject = self.key().map(ToString::to_string).or(path.map(ToString::to_string));
        let mut parts = serializer.serialize_struct("StaleReason", 4)?;
        parts.serialize_field("kind", kind)?;
        parts.serialize_field("subject", &subject)?;
        let plain = |value: &Value| {
            if self.is_secret() { Value::String("***".to_owned()) } else { without_secrets(value) }
        };
        parts.serialize_field("old", &old.map(plain))?;
        parts.serialize_field("new", &new.map(plain))?;
        parts.end()
    }
}

impl StaleReason {
    /// The word for machines, and the file concerned.
    fn kind(&self) -> (&'static str, Option<&ProjectPath>) {
        match self {
            StaleReason::Changed { .. } => ("changed", None),
            StaleReason::Added { .. } => ("added", None),
            StaleReason::Removed { .. } => ("removed", None),
            StaleReason::InputChanged(path) => ("input_changed", Some(path)),
            StaleReason::InputExecutable { path, .. } => ("input_executable", Some(path)),
            StaleReason::InputAdded(path) => ("input_added", Some(path)),
            StaleReason::InputRemoved(path) => ("input_removed", Some(path)),
            StaleReason::InputMissing(path) => ("input_missing", Some(path)),
            StaleReason::OutputsDeclared { .. } => ("outputs_declared", None),
            StaleReason::OutputDeleted(path) => ("output_deleted", Some(path)),
            StaleReason::OutputChanged(path) => ("output_changed", Some(path)),
            StaleReason::LastAttempt(_) => ("last_attempt", None),
            StaleReason::Incomplete => ("incomplete", None),
            StaleReason::InputWritten => ("input_written", None),
            StaleReason::Format => ("format", None),
            StaleReason::Always => ("always", None),
            StaleReason::Again(_) => ("again", None),
        }
    }

    /// The sentence, with `name` as the key of the value.
    #[must_use]
    pub fn sentence(&self, name: &str) -> String {
        // Values and names are not `lp`'s own.
        harmless(&self.words(name)).into_owned()
    }

    /// Whether it concerns a variable that a task takes from the caller's
    /// environment. Its value may be a secret: the sentence contains only short
    /// ones that changed.
    fn is_passed(&self) -> bool {
        let keys = self.key().map_or(&[][..], |path| &path.keys);
        matches!(keys, [.., Segment::Key(pass), Segment::Key(_)] if pass == "pass")
    }

    /// Whether it concerns a variable that seems to be secret by its name. Of its value nothing is shown.
    fn is_secret(&self) -> bool {
        let keys = self.key().map_or(&[][..], |path| &path.keys);
        let [.., Segment::Key(table), Segment::Key(name)] = keys else { return false };
        ["env", "pass"].contains(&table.as_str()) && is_secret(name)
    }

    fn words(&self, name: &str) -> String {
        match self {
            StaleReason::Changed { .. } if self.is_secret() => format!("`{name}` changed"),
            StaleReason::Added { .. } if self.is_secret() => format!("`{name}` was added"),
            StaleReason::Removed { .. } if self.is_secret() => format!("`{name}` was removed"),
            StaleReason::Changed { old, new, .. }
                if self.is_passed() && (shown(old).is_none() || shown(new).is_none()) =>
            {
                format!("`{name}` changed")
            }
            StaleReason::Added { .. } if self.is_passed() => format!("`{name}` was added"),
            StaleReason::Removed { .. } if self.is_passed() => format!("`{name}` was removed"),
            StaleReason::Changed { old, new, .. } => changed(name, old, new),
            StaleReason::Added { new, .. } => {
                let value = shown(new).map_or(String::new(), |new| format!(": {new}"));
                format!("`{name}` was added{value}")
            }
            StaleReason::Removed { old, .. } => {
                let value = shown(old).filter(|_| !old.is_null());
                let value = value.map_or(String::new(), |old| format!("; it was {old}"));
                format!("`{name}` was removed{value}")
            }
            StaleReason::InputChanged(path) => format!("`{path}` changed"),
            StaleReason::InputExecutable { path, now: true } => format!("`{path}` became executable"),
            StaleReason::InputExecutable { path, now: false } => format!("`{path}` is no longer executable"),
            StaleReason::InputAdded(path) => format!("input `{path}` was added"),
            StaleReason::InputRemoved(path) => format!("input `{path}` was removed"),
            StaleReason::InputMissing(path) => format!("input `{path}` does not exist"),
            StaleReason::OutputsDeclared { added, removed } => {
                let added = added.iter().map(|path| format!("`{path}` was added"));
                let removed = removed.iter().map(|path| format!("`{path}` was removed"));
                let parts: Vec<String> = added.chain(removed).collect();
                let parts = if parts.is_empty() { "their order".to_owned() } else { parts.join(", ") };
                format!("its list of outputs changed: {parts}")
            }
            StaleReason::OutputDeleted(path) => {
                format!("output `{path}` was deleted, and the store has lost it")
            }
            StaleReason::OutputChanged(path) => {
                format!("output `{path}` was changed, and the store has lost it")
            }
            StaleReason::LastAttempt(outcome) => match outcome {
                AttemptOutcome::Succeeded => "the last attempt left nothing to reuse",
                AttemptOutcome::Failed => "the last attempt failed",
                AttemptOutcome::TimedOut => "the last attempt timed out",
                AttemptOutcome::Cancelled => "the last attempt was cancelled",
                AttemptOutcome::Panicked => "the last attempt panicked",
            }
            .to_owned(),
            StaleReason::Incomplete => "the last measurement is incomplete".to_owned(),
            StaleReason::InputWritten => "an input was written while it ran last".to_owned(),
            StaleReason::Format => "it was recorded in another format".to_owned(),
            StaleReason::Always => "it is declared with `cache = false`".to_owned(),
            StaleReason::Again(why) => (*why).to_owned(),
        }
    }
}

fn changed(name: &str, old: &Value, new: &Value) -> String {
    match (old, new) {
        (Value::Null, Value::Object(_)) => return format!("`{name}` was added"),
        (Value::Object(_), Value::Null) => return format!("`{name}` was removed"),
        (Value::Array(before), Value::Array(now)) if shown(old).is_none() || shown(new).is_none() => {
            return list(name, before, now);
        }
        _ => {}
    }
    match in_words(old, new) {
        Some((old, new)) => format!("`{name}` changed from {old} to {new}"),
        None => format!("`{name}` changed"),
    }
}

/// Both values of a change, if they are different in a sentence.
fn in_words(old: &Value, new: &Value) -> Option<(String, String)> {
    let both = match (without_secrets(old), without_secrets(new)) {
        (Value::String(before), Value::String(now)) if shown(old).is_none() || shown(new).is_none() => {
            Some(excerpts(&before, &now))
        }
        _ => shown(old).zip(shown(new)),
    };
    both.filter(|(old, new)| old != new)
}

/// The parts in which two long strings differ.
fn excerpts(old: &str, new: &str) -> (String, String) {
    const CONTEXT: usize = 8;
    const LONGEST: usize = 40;
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let (prefix, suffix) = common(&old, &new);
    let excerpt = |text: &[char]| {
        let from = prefix.saturating_sub(CONTEXT);
        let to = (text.len() - suffix + CONTEXT).min(text.len());
        let cut = to.min(from + LONGEST);
        let middle: String = text[from..cut].iter().flat_map(|c| c.escape_debug()).collect();
        let before = if from > 0 { "..." } else { "" };
        let after = if cut < text.len() { "..." } else { "" };
        format!("\"{before}{middle}{after}\"")
    };
    (excerpt(&old), excerpt(&new))
}

/// The numbers of items that two lists have in common at their beginnings and at
/// their ends.
#[must_use]
pub fn common<T: PartialEq>(old: &[T], new: &[T]) -> (usize, usize) {
    let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let ends = old[prefix..].iter().rev().zip(new[prefix..].iter().rev());
    (prefix, ends.take_while(|(old, new)| old == new).count())
}

/// A changed list that is too long for a sentence.
fn list(name: &str, old: &[Value], new: &[Value]) -> String {
    let (prefix, suffix) = common(old, new);
    let (gone, come) = (&old[prefix..old.len() - suffix], &new[prefix..new.len() - suffix]);
    let items = |part: &[Value]| match part {
        [item] => format!("item {}{}", prefix + 1, called(item)),
        part => format!("items {} to {}", prefix + 1, prefix + part.len()),
    };
    let verb = |part: &[Value]| if part.len() == 1 { "was" } else { "were" };
    match (gone, come) {
        ([], come) => format!("{} of `{name}` {} added", items(come), verb(come)),
        (gone, []) => format!("{} of `{name}` {} removed", items(gone), verb(gone)),
        ([gone], [come]) => match in_words(gone, come) {
            Some((gone, come)) => format!("item {} of `{name}` changed from {gone} to {come}", prefix + 1),
            None => format!("item {} of `{name}` changed", prefix + 1),
        },
        _ => format!("`{name}` changed from item {} on", prefix + 1),
    }
}

/// " (`zbar`)": the name of an object in a list.
fn called(item: &Value) -> String {
    let text = match item {
        Value::Object(entries) => {
            ["type", "name"].iter().find_map(|key| entries.get(*key)?.as_str()).map(str::to_owned)
        }
        item => shown(item),
    };
    text.map_or(String::new(), |text| format!(" (`{text}`)"))
}

/// A value in a sentence; `None` if it is too long.
fn shown(value: &Value) -> Option<String> {
    const LONGEST: usize = 60;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+:/@".contains(c);
    match without_secrets(value) {
        Value::Null => Some("nothing".to_owned()),
        Value::Object(_) => None,
        Value::String(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Some(text[..12].to_owned())
        }
        Value::String(text) if !text.is_empty() && text.len() <= LONGEST && text.chars().all(is_plain) => {
            Some(text)
        }
        // A rate of 15 is written as 15.0 in documents, and as 15 by people.
        Value::Number(number) => Some(number.to_string().trim_end_matches(".0").to_owned()),
        other => Some(other.to_string()).filter(|text| text.len() <= LONGEST),
    }
}

/// The same value without user names and passwords in URLs.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(redacted(text)),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            redacted_words(items.iter().filter_map(Value::as_str)).into()
        }
        Value::Array(items) => Value::Array(items.iter().map(without_secrets).collect()),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.clone(), without_secrets(value))).collect())
        }
        other => other.clone(),
    }
}
