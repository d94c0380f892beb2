//! [`StaleReason`], the one type of reasons why a task must run, and the comparison
//! of two key documents that finds them.
//!
//! Pure. A difference has its place in the document ([`KeyPath`]).
//!
//! Not here: how a reason is formatted for people and machines (`sentence`).

use std::fmt;

use serde_json::Value;

use super::attempt::AttemptOutcome;
use super::input::InputKind;
use super::key::{KeyDocument, REPEAT};
use crate::path::ProjectPath;

/// Why a task must run, though it is not new.
#[derive(Clone, Debug, PartialEq)]
pub enum StaleReason {
    /// A value of the action, a tool's version or a fact of the host.
    Changed {
        at: KeyPath,
        old: Value,
        new: Value,
    },
    /// A new value.
    Added {
        at: KeyPath,
        new: Value,
    },
    /// A deleted value.
    Removed {
        at: KeyPath,
        old: Value,
    },
    InputChanged(ProjectPath),
    /// The execute bit of an input whose contents are the same.
    InputExecutable {
        path: ProjectPath,
        /// Whether the bit is set now.
        now: bool,
    },
    /// A new input.
    InputAdded(ProjectPath),
    /// A removed input.
    InputRemoved(ProjectPath),
    /// An input is missing, and no task makes it.
    InputMissing(ProjectPath),
    /// The declared outputs have changed, or their order.
    OutputsDeclared {
        /// The new outputs.
        added: Vec<ProjectPath>,
        /// The outputs that are no longer declared.
        removed: Vec<ProjectPath>,
    },
    /// An output is missing, and the store cannot restore it.
    OutputDeleted(ProjectPath),
    /// An output has other contents, and the store cannot restore it.
    OutputChanged(ProjectPath),
    /// The last attempt did not succeed.
    LastAttempt(AttemptOutcome),
    /// The last measurement was interrupted or lost a member.
    Incomplete,
    /// An input was written while the last attempt ran, though its contents are the
    /// same.
    InputWritten,
    /// Key documents had another layout then.
    Format,
    /// It is declared with `cache = false`.
    Always,
    /// It is requested again, for this reason of the caller.
    Again(&'static str),
}

impl StaleReason {
    /// The place in the key document, if the reason is the difference of a value.
    #[must_use]
    pub fn key(&self) -> Option<&KeyPath> {
        match self {
            StaleReason::Changed { at, .. }
            | StaleReason::Added { at, .. }
            | StaleReason::Removed { at, .. } => Some(at),
            _ => None,
        }
    }
}

/// A place in a key document: `action.camera.fps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPath {
    /// The part of the document.
    pub section: Section,
    /// From the outermost key to the innermost.
    pub keys: Vec<Segment>,
}

/// The parts of a key document that have keys of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Action,
    /// The tools.
    Tools,
    /// The host, and the number of the repeat.
    Extra,
}

/// One step of a [`KeyPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Key(String),
    Index(usize),
}

impl KeyPath {
    /// The innermost key: `fps`.
    #[must_use]
    pub fn name(&self) -> &str {
        let keys = self.keys.iter().rev();
        let mut names = keys.filter_map(|segment| match segment {
            Segment::Key(name) => Some(name.as_str()),
            Segment::Index(_) => None,
        });
        names.next().unwrap_or("action")
    }

    /// The outermost key, if it is one of the action: `camera`.
    #[must_use]
    pub fn of_action(&self) -> Option<&str> {
        match self.keys.first() {
            Some(Segment::Key(name)) if self.section == Section::Action => Some(name),
            _ => None,
        }
    }

    /// The path with one more key.
    #[must_use]
    pub fn then(&self, segment: Segment) -> KeyPath {
        let mut path = self.clone();
        path.keys.push(segment);
        path
    }
}

/// `camera.fps`, `workloads[0].steps[1].type`
impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, segment) in self.keys.iter().enumerate() {
            match segment {
                Segment::Key(name) if n == 0 => f.write_str(name)?,
                Segment::Key(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// All differences between the key documents of an earlier attempt and of now,
/// except their repeat numbers: the action, then tools, inputs and the rest.
#[must_use]
pub fn differences(old: &KeyDocument, new: &KeyDocument) -> Vec<StaleReason> {
    // A stored document has been parsed from JSON (a float may have lost digits),
    // so the new one makes the same round trip before the comparison.
    let new = &new.reread();
    if old.version != new.version {
        return vec![StaleReason::Format];
    }
    let mut found = Vec::new();
    let root = |section| KeyPath { section, keys: Vec::new() };
    in_value(&root(Section::Action), &old.action, &new.action, &mut found);
    let tools = |document: &KeyDocument| {
        document.tools.iter().map(|(name, text)| (name.clone(), Value::from(text.as_str()))).collect()
    };
    in_objects(&root(Section::Tools), &tools(old), &tools(new), &mut found);
    in_inputs(old, new, &mut found);
    let extra = |document: &KeyDocument| {
        let mut extra = document.extra.clone();
        extra.remove(REPEAT);
        extra.into_iter().collect()
    };
    in_objects(&root(Section::Extra), &extra(old), &extra(new), &mut found);
    found
}

/// Declared inputs come before their contents: a user changes the declaration on
/// purpose.
fn in_inputs(old: &KeyDocument, new: &KeyDocument, found: &mut Vec<StaleReason>) {
    let added = new.inputs.keys().filter(|path| !old.inputs.contains_key(*path));
    found.extend(added.cloned().map(StaleReason::InputAdded));
    let removed = old.inputs.keys().filter(|path| !new.inputs.contains_key(*path));
    found.extend(removed.cloned().map(StaleReason::InputRemoved));
    let both = new.inputs.iter().filter_map(|(path, input)| Some((path, old.inputs.get(path)?, input)));
    found.extend(both.filter(|(_, before, input)| before != input).map(|(path, before, input)| {
        if before.content == input.content && ![before.kind, input.kind].contains(&InputKind::Dir) {
            let now = input.kind == InputKind::Executable;
            StaleReason::InputExecutable { path: path.clone(), now }
        } else {
            StaleReason::InputChanged(path.clone())
        }
    }));
}

fn in_objects(
    at: &KeyPath,
    old: &serde_json::Map<String, Value>,
    new: &serde_json::Map<String, Value>,
    found: &mut Vec<StaleReason>,
) {
    let inner = |name: &String| at.then(Segment::Key(name.clone()));
    for (name, value) in new {
        match old.get(name) {
            None => found.push(StaleReason::Added { at: inner(name), new: value.clone() }),
            Some(before) => in_value(&inner(name), before, value, found),
        }
    }
    let removed = old.iter().filter(|(name, _)| !new.contains_key(*name));
    found.extend(removed.map(|(name, value)| StaleReason::Removed { at: inner(name), old: value.clone() }));
}

fn in_value(at: &KeyPath, old: &Value, new: &Value, found: &mut Vec<StaleReason>) {
    if old == new {
        return;
    }
    let changed =
        || StaleReason::Changed { at: at.clone(), old: untagged(old).clone(), new: untagged(new).clone() };
    let before = found.len();
    match (untagged(old), untagged(new)) {
        (Value::Object(old), Value::Object(new)) => in_objects(at, old, new, found),
        // Parts of equal lists are compared one by one: one step of ten.
        (Value::Array(old), Value::Array(new))
            if old.len() == new.len() && old.iter().chain(new).all(Value::is_object) =>
        {
            for (n, (old, new)) in old.iter().zip(new).enumerate() {
                in_value(&at.then(Segment::Index(n)), old, new, found);
            }
        }
        _ => found.push(changed()),
    }
    if found.len() == before {
        // Equal except for their tags: `{"int": 1}` and `{"float": 1}`.
        found.push(changed());
    }
}

/// The value inside `{"int": 15}`: people see a tagged value as one value.
fn untagged(value: &Value) -> &Value {
    const TAGS: [&str; 7] = ["text", "int", "float", "bool", "input", "output", "secret"];
    match value.as_object().map(|object| (object.len(), object.iter().next())) {
        Some((1, Some((tag, inner)))) if TAGS.contains(&tag.as_str()) && !inner.is_object() => inner,
        _ => value,
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
        let first = differences(old, new).into_iter().next();
        let text = first.map_or("equal".to_owned(), |reason| reason.to_string());
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
        check_action(
            json!({"fps": "a"}),
            json!({"fps": "b\u{202e}\u{1b}"}),
            expect![[r#"`fps` changed from a to "b\u{202e}\u001b""#]],
        );
        check_action(json!({}), json!({"fps": 1}), expect!["`fps` was added: 1"]);
        check_action(json!({"fps": 1}), json!({}), expect!["`fps` was removed; it was 1"]);
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
        check_action(
            json!({"command": [long]}),
            json!({"command": ["a"]}),
            expect![[
                r#"item 1 of `command` changed from "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..." to "a""#
            ]],
        );
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
    fn a_password_in_a_url_is_hidden() {
        check_action(
            json!({"uri": "rtsp://me:secret@host/1"}),
            json!({"uri": "rtsp://me:secret@host/2"}),
            expect![[r#"`uri` changed from "rtsp://***@host/1" to "rtsp://***@host/2""#]],
        );
    }

    #[test]
    fn every_difference_is_found_with_its_path() {
        let document = |action| KeyDocument::new(action, BTreeMap::new());
        let old =
            document(json!({"camera": {"fps": 15, "width": 640}, "steps": [{"type": "zbar"}, {"a": 1}]}));
        let new =
            document(json!({"camera": {"fps": 30, "height": 360}, "steps": [{"type": "zbar"}, {"a": 2}]}));
        let paths: Vec<String> = differences(&old, &new)
            .iter()
            .map(|reason| match reason {
                StaleReason::Changed { at, .. }
                | StaleReason::Added { at, .. }
                | StaleReason::Removed { at, .. } => format!("{at}: {reason}"),
                other => other.to_string(),
            })
            .collect();
        expect![[r#"
            camera.fps: `fps` changed from 15 to 30
            camera.height: `height` was added: 360
            camera.width: `width` was removed; it was 640
            steps[1].a: `a` changed from 1 to 2"#]]
        .assert_eq(&paths.join("\n"));
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
    fn outputs_and_outcomes_make_sentences() {
        let path = || ProjectPath::new("media/scan.mp4").unwrap();
        let mut text = String::new();
        for reason in [
            StaleReason::OutputDeleted(path()),
            StaleReason::OutputChanged(path()),
            StaleReason::OutputsDeclared { added: vec![path()], removed: Vec::new() },
            StaleReason::LastAttempt(AttemptOutcome::Failed),
            StaleReason::LastAttempt(AttemptOutcome::TimedOut),
            StaleReason::Incomplete,
            StaleReason::InputWritten,
        ] {
            text.push_str(&format!("{reason}\n"));
        }
        expect![[r#"
            output `media/scan.mp4` was deleted, and the store has lost it
            output `media/scan.mp4` was changed, and the store has lost it
            its list of outputs changed: `media/scan.mp4` was added
            the last attempt failed
            the last attempt timed out
            the last measurement is incomplete
            an input was written while it ran last
        "#]]
        .assert_eq(&text);
    }
}
