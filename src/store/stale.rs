//! Why a task must run: the first difference between two key documents.
//!
//! Pure. A difference has the name of the innermost key and both values; the
//! place in the document is left out, because people know their keys.

use std::fmt;

use serde_json::Value;

use super::attempt::AttemptOutcome;
use super::input::InputKind;
use super::key::KeyDocument;
use crate::path::ProjectPath;

/// Why a task that has run before must run again.
#[derive(Clone, Debug, PartialEq)]
pub enum StaleReason {
    /// A value of the action, a tool's version or a fact of the host.
    Changed {
        /// The innermost key: `fps`.
        name: String,
        /// Both values as people read them; `None` if they are too long.
        values: Option<(String, String)>,
    },
    /// A value that was not there.
    Added {
        /// The innermost key.
        name: String,
    },
    /// A value that is no longer there.
    Removed {
        /// The innermost key.
        name: String,
    },
    /// An input's contents.
    InputChanged(ProjectPath),
    /// The execute bit of an input whose contents are the same.
    InputExecutable {
        /// The input.
        path: ProjectPath,
        /// Whether it has the bit now.
        now: bool,
    },
    /// An input that was not there.
    InputAdded(ProjectPath),
    /// An input that is no longer there.
    InputRemoved(ProjectPath),
    /// It makes other files than it did.
    OutputsDeclared,
    /// An output is gone, and the store cannot bring it back.
    OutputDeleted(ProjectPath),
    /// An output is not what was made, and the store cannot bring it back.
    OutputChanged(ProjectPath),
    /// The last attempt did not succeed.
    LastAttempt(AttemptOutcome),
    /// The last measurement was interrupted or lost a member.
    Incomplete,
    /// Key documents had another layout then.
    Format,
}

impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StaleReason::Changed { name, values: Some((old, new)) } => {
                write!(f, "`{name}` changed from {old} to {new}")
            }
            StaleReason::Changed { name, values: None } => write!(f, "`{name}` changed"),
            StaleReason::Added { name } => write!(f, "`{name}` was added"),
            StaleReason::Removed { name } => write!(f, "`{name}` was removed"),
            StaleReason::InputChanged(path) => write!(f, "`{path}` changed"),
            StaleReason::InputExecutable { path, now: true } => write!(f, "`{path}` became executable"),
            StaleReason::InputExecutable { path, now: false } => {
                write!(f, "`{path}` is no longer executable")
            }
            StaleReason::InputAdded(path) => write!(f, "input `{path}` was added"),
            StaleReason::InputRemoved(path) => write!(f, "input `{path}` was removed"),
            StaleReason::OutputsDeclared => f.write_str("its list of outputs changed"),
            StaleReason::OutputDeleted(path) => write!(f, "output `{path}` was deleted"),
            StaleReason::OutputChanged(path) => write!(f, "output `{path}` was changed"),
            StaleReason::LastAttempt(outcome) => f.write_str(match outcome {
                AttemptOutcome::Succeeded => "the last attempt left nothing to reuse",
                AttemptOutcome::Failed => "the last attempt failed",
                AttemptOutcome::TimedOut => "the last attempt timed out",
                AttemptOutcome::Cancelled => "the last attempt was cancelled",
                AttemptOutcome::Panicked => "the last attempt panicked",
            }),
            StaleReason::Incomplete => f.write_str("the last measurement is incomplete"),
            StaleReason::Format => f.write_str("it was recorded in another format"),
        }
    }
}

/// The first difference between the document of an earlier attempt and the one
/// of now: the action, then tools, inputs and the rest. `None` if they are equal.
#[must_use]
pub fn first_difference(old: &KeyDocument, new: &KeyDocument) -> Option<StaleReason> {
    // What was stored has been through its text (a float may print shorter than
    // it was), so what is compared with it goes there too.
    let new = &new.reread();
    if old.version != new.version {
        return Some(StaleReason::Format);
    }
    in_value("action", &old.action, &new.action)
        .or_else(|| {
            let texts = |(name, text): (&String, &String)| (name.clone(), Value::from(text.as_str()));
            in_entries(old.tools.iter().map(texts), new.tools.iter().map(texts))
        })
        .or_else(|| in_inputs(old, new))
        .or_else(|| {
            let clone = |(name, value): (&String, &Value)| (name.clone(), value.clone());
            in_entries(old.extra.iter().map(clone), new.extra.iter().map(clone))
        })
}

fn in_inputs(old: &KeyDocument, new: &KeyDocument) -> Option<StaleReason> {
    let changed = new.inputs.iter().find_map(|(path, input)| match old.inputs.get(path) {
        None => Some(StaleReason::InputAdded(path.clone())),
        Some(before) if before == input => None,
        Some(before)
            if before.content == input.content && ![before.kind, input.kind].contains(&InputKind::Dir) =>
        {
            Some(StaleReason::InputExecutable {
                path: path.clone(),
                now: input.kind == InputKind::Executable,
            })
        }
        Some(_) => Some(StaleReason::InputChanged(path.clone())),
    });
    let removed = || old.inputs.keys().find(|path| !new.inputs.contains_key(*path));
    changed.or_else(|| removed().map(|path| StaleReason::InputRemoved(path.clone())))
}

fn in_entries(
    old: impl Iterator<Item = (String, Value)>,
    new: impl Iterator<Item = (String, Value)>,
) -> Option<StaleReason> {
    in_objects(&old.collect(), &new.collect())
}

fn in_objects(
    old: &serde_json::Map<String, Value>,
    new: &serde_json::Map<String, Value>,
) -> Option<StaleReason> {
    let in_new = new.iter().find_map(|(name, value)| match old.get(name) {
        None => Some(StaleReason::Added { name: name.clone() }),
        Some(before) => in_value(name, before, value),
    });
    let removed = || old.keys().find(|name| !new.contains_key(*name));
    in_new.or_else(|| removed().map(|name| StaleReason::Removed { name: name.clone() }))
}

fn in_value(name: &str, old: &Value, new: &Value) -> Option<StaleReason> {
    if old == new {
        return None;
    }
    match (untagged(old), untagged(new)) {
        (Value::Object(old), Value::Object(new)) => in_objects(old, new),
        // Parts of equal lists are compared one by one: one step of ten.
        (Value::Array(old), Value::Array(new))
            if old.len() == new.len() && old.iter().chain(new).all(Value::is_object) =>
        {
            old.iter().zip(new).find_map(|(old, new)| in_value(name, old, new))
        }
        (old_value, new_value) => {
            let values = shown(old_value).zip(shown(new_value)).filter(|(old, new)| old != new);
            Some(StaleReason::Changed { name: name.to_owned(), values })
        }
    }
    // Equal but for their tags: `{"int": 1}` and `{"float": 1}`.
    .or_else(|| Some(StaleReason::Changed { name: name.to_owned(), values: None }))
}

/// The value inside `{"int": 15}`: a tagged value is one value to people.
fn untagged(value: &Value) -> &Value {
    const TAGS: [&str; 7] = ["text", "int", "float", "bool", "input", "output", "secret"];
    match value.as_object().map(|object| (object.len(), object.iter().next())) {
        Some((1, Some((tag, inner)))) if TAGS.contains(&tag.as_str()) && !inner.is_object() => inner,
        _ => value,
    }
}

/// A value in a sentence; `None` if it would burst it.
fn shown(value: &Value) -> Option<String> {
    const LONGEST: usize = 60;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+:/@".contains(c);
    match value {
        Value::Null => Some("nothing".to_owned()),
        Value::Object(_) => None,
        Value::String(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Some(text[..12].to_owned())
        }
        Value::String(text) if !text.is_empty() && text.len() <= LONGEST && text.chars().all(is_plain) => {
            Some(text.clone())
        }
        // A rate of 15 is written as 15.0 in documents, and as 15 by people.
        Value::Number(number) => Some(number.to_string().trim_end_matches(".0").to_owned()),
        other => Some(other.to_string()).filter(|text| text.len() <= LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::digest::ContentDigest;
    use crate::store::input::InputDigest;

    #[track_caller]
    fn check(old: &KeyDocument, new: &KeyDocument, expect: Expect) {
        let text = first_difference(old, new).map_or("equal".to_owned(), |reason| reason.to_string());
        expect.assert_eq(&text);
    }

    #[track_caller]
    fn check_action(old: Value, new: Value, expect: Expect) {
        let document = |action| KeyDocument::new(action, BTreeMap::new());
        check(&document(old), &document(new), expect);
    }

    #[track_caller]
    fn check_inputs(old: &[(&str, u8)], new: &[(&str, u8)], expect: Expect) {
        let document = |inputs: &[(&str, u8)]| {
            let input = |&(path, byte): &(&str, u8)| {
                (ProjectPath::new(path).unwrap(), ContentDigest::from_bytes([byte; 32]).into())
            };
            KeyDocument::new(json!({}), inputs.iter().map(input).collect())
        };
        check(&document(old), &document(new), expect);
    }

    #[test]
    fn a_changed_setting_is_named_with_both_values() {
        check_action(json!({"fps": 15}), json!({"fps": 15}), expect!["equal"]);
        check_action(json!({"fps": 15}), json!({"fps": 30}), expect!["`fps` changed from 15 to 30"]);
        check_action(
            json!({"camera": {"size": {"width": 640}}}),
            json!({"camera": {"size": {"width": 1280}}}),
            expect!["`width` changed from 640 to 1280"],
        );
        check_action(json!({"a": 0.1}), json!({"a": 0.1}), expect!["equal"]);
        check_action(
            json!({"target": null}),
            json!({"target": 14.5}),
            expect!["`target` changed from nothing to 14.5"],
        );
        check_action(
            json!({"title": "a b"}),
            json!({"title": ""}),
            expect![[r#"`title` changed from "a b" to """#]],
        );
        check_action(json!({}), json!({"fps": 1}), expect!["`fps` was added"]);
        check_action(json!({"fps": 1}), json!({}), expect!["`fps` was removed"]);
    }

    #[test]
    fn lists_are_compared_part_by_part_or_shown_whole() {
        check_action(
            json!({"steps": [{"type": "zbar"}, {"device": "CPU"}]}),
            json!({"steps": [{"type": "zbar"}, {"device": "GPU.1"}]}),
            expect!["`device` changed from CPU to GPU.1"],
        );
        check_action(
            json!({"command": ["a", "b"]}),
            json!({"command": ["a"]}),
            expect![[r#"`command` changed from ["a","b"] to ["a"]"#]],
        );
        let long = "x".repeat(100);
        check_action(json!({"command": [long]}), json!({"command": ["a"]}), expect!["`command` changed"]);
    }

    #[test]
    fn a_tagged_value_is_one_value() {
        check_action(
            json!({"properties": {"threads": {"int": 1}}}),
            json!({"properties": {"threads": {"int": 2}}}),
            expect!["`threads` changed from 1 to 2"],
        );
        check_action(
            json!({"threads": {"int": 1}}),
            json!({"threads": {"text": "1"}}),
            expect!["`threads` changed"],
        );
    }

    #[test]
    fn a_digest_is_shortened() {
        check_action(
            json!({"sha256": "a".repeat(64)}),
            json!({"sha256": "b".repeat(64)}),
            expect!["`sha256` changed from aaaaaaaaaaaa to bbbbbbbbbbbb"],
        );
    }

    #[test]
    fn an_input_is_named() {
        let plan = "results/plan/camera-1.json";
        check_inputs(&[(plan, 1)], &[(plan, 2)], expect!["`results/plan/camera-1.json` changed"]);
        check_inputs(&[], &[("x", 1)], expect!["input `x` was added"]);
        check_inputs(&[("x", 1)], &[], expect!["input `x` was removed"]);
    }

    #[test]
    fn an_execute_bit_is_named_when_contents_are_the_same() {
        let document = |byte: u8, kind: InputKind| {
            let input = InputDigest { content: ContentDigest::from_bytes([byte; 32]), kind };
            KeyDocument::new(json!({}), BTreeMap::from([(ProjectPath::new("tool.sh").unwrap(), input)]))
        };
        let (plain, tool, folder) = (InputKind::File, InputKind::Executable, InputKind::Dir);
        check(&document(1, tool), &document(1, plain), expect!["`tool.sh` is no longer executable"]);
        check(&document(1, plain), &document(1, tool), expect!["`tool.sh` became executable"]);
        check(&document(1, plain), &document(2, tool), expect!["`tool.sh` changed"]);
        check(&document(1, plain), &document(1, folder), expect!["`tool.sh` changed"]);
    }

    #[test]
    fn a_tool_and_the_host_are_named() {
        let document = |gstreamer: &str, kernel: &str| {
            let mut document = KeyDocument::new(json!({}), BTreeMap::new());
            document.tools.insert("gstreamer".to_owned(), gstreamer.to_owned());
            document.extra.insert("host".to_owned(), json!({"facts": {"kernel": kernel}}));
            document
        };
        check(
            &document("1.22.0", "6.1"),
            &document("1.24.0", "6.1"),
            expect!["`gstreamer` changed from 1.22.0 to 1.24.0"],
        );
        check(
            &document("1", "6.1.0-28"),
            &document("1", "6.1.0-31"),
            expect!["`kernel` changed from 6.1.0-28 to 6.1.0-31"],
        );
    }

    #[test]
    fn outputs_and_ends_make_sentences() {
        let path = || ProjectPath::new("media/scan.mp4").unwrap();
        let mut text = String::new();
        for reason in [
            StaleReason::OutputDeleted(path()),
            StaleReason::OutputChanged(path()),
            StaleReason::OutputsDeclared,
            StaleReason::LastAttempt(AttemptOutcome::Failed),
            StaleReason::LastAttempt(AttemptOutcome::TimedOut),
            StaleReason::Incomplete,
        ] {
            text.push_str(&format!("{reason}\n"));
        }
        expect![[r#"
            output `media/scan.mp4` was deleted
            output `media/scan.mp4` was changed
            its list of outputs changed
            the last attempt failed
            the last attempt timed out
            the last measurement is incomplete
        "#]]
        .assert_eq(&text);
    }
}
