//! The reasons of one task with their origins, in the words of the user's files.
//!
//! One sentence per edit: a camera with another source differs in many values of its
//! document, but in one line of its file. The sentence is that of the reason, except
//! for the name of the key and for values that files write in another way.

use std::time::Duration;

use serde_json::Value;

use super::origin::{Origin, Origins};
use crate::graph::task::{Action, Task};
use crate::store::attempt::{Attempt, AttemptOutcome};
use crate::store::sentence::common;
use crate::store::stale::{KeyPath, Section, Segment, StaleReason};
use crate::time::duration_text;

/// One reason of a task.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cause {
    /// "`fps` changed from 15 to 30"
    pub(super) text: String,
    /// The place of the value.
    pub(super) origin: Origin,
    pub(super) reason: StaleReason,
}

/// The causes of a task that must run, in the order of its reasons.
pub(super) fn causes(
    origins: &Origins<'_>,
    task: &Task,
    reasons: &[StaleReason],
    last: Option<&Attempt>,
) -> Vec<Cause> {
    let own = reasons.iter().filter(|reason| !follows(reason, reasons));
    own.map(|reason| {
        let (text, origin) = sentence(origins, task, reason, reasons, last);
        let text = origins.project.layout.in_words(text);
        Cause { text, origin, reason: reason.clone() }
    })
    .collect()
}

/// Whether a path begins with these keys of the action.
fn begins(reason: &StaleReason, keys: &[&str]) -> bool {
    reason.key().is_some_and(|at| {
        let mut found = at.keys.iter();
        let same = |key: &&str| matches!(found.next(), Some(Segment::Key(name)) if name == *key);
        at.section == Section::Action && keys.iter().all(same)
    })
}

/// Whether a reason only follows from another one of the same task.
fn follows(reason: &StaleReason, all: &[StaleReason]) -> bool {
    let earlier = |keys: &[&str]| {
        let first = all.iter().find(|other| begins(other, keys));
        first.is_some_and(|first| !std::ptr::eq(first, reason))
    };
    const SOURCE: [&str; 2] = ["camera", "source"];
    if begins(reason, &SOURCE) {
        return earlier(&SOURCE);
    }
    if begins(reason, &["workloads"]) && earlier(&["camera", "workloads"]) {
        return true;
    }
    if begins(reason, &["scene"]) && !matches!(reason, StaleReason::Changed { .. }) {
        return earlier(&SOURCE);
    }
    // Only a file without a pin has this value.
    if begins(reason, &["wanted"]) {
        return ["sha256", "sha384", "blake3", "git_blob_sha1"].iter().any(|pin| earlier(&[pin]));
    }
    // Added and removed cameras add and remove inputs.
    if matches!(reason, StaleReason::InputAdded(_) | StaleReason::InputRemoved(_)) {
        return earlier(&["cameras"]) || earlier(&["members"]);
    }
    // A slug is made of the name beside it.
    let Some(at) = reason.key() else { return false };
    at.name() == "slug"
        && all.iter().filter_map(|other| other.key()).any(|other| {
            other.name() == "name" && other.keys[..other.keys.len() - 1] == at.keys[..at.keys.len() - 1]
        })
}

fn sentence(
    origins: &Origins<'_>,
    task: &Task,
    reason: &StaleReason,
    all: &[StaleReason],
    last: Option<&Attempt>,
) -> (String, Origin) {
    if begins(reason, &["camera", "source"]) {
        return source(origins, task, reason, all, last);
    }
    let origin = origin(origins, task, reason, last);
    let name = origin.name.as_deref().or(reason.key().map(KeyPath::name)).unwrap_or_default();
    let text = match reason {
        StaleReason::Changed { at, old, new }
            if measures_or_judges(&task.action) && at.name().ends_with("_ms") =>
        {
            let duration = |value: &Value| match value.as_u64() {
                Some(millis) => duration_text(Duration::from_millis(millis)),
                None if task.measures() && at.name() == "warmup_ms" => "auto".to_owned(),
                None => "any".to_owned(),
            };
            format!("`{name}` changed from {} to {}", duration(old), duration(new))
        }
        reason => reason.sentence(name),
    };
    (text, origin)
}

/// Whether the numbers of an action that end in `_ms` are settings.
fn measures_or_judges(action: &Action) -> bool {
    matches!(action, Action::Run(_) | Action::Density(_) | Action::Benchmark { .. } | Action::Report { .. })
}

fn origin(origins: &Origins<'_>, task: &Task, reason: &StaleReason, last: Option<&Attempt>) -> Origin {
    match reason {
        StaleReason::Changed { at, old: Value::Array(old), new: Value::Array(new) } => {
            list(origins, task, at, old, new)
        }
        StaleReason::Changed { at, new, .. } | StaleReason::Added { at, new } => {
            origins.of(task, at, Some(new))
        }
        StaleReason::Removed { at, .. } => origins.of(task, at, None),
        StaleReason::InputChanged(path) => {
            let maker = origins.graph.producer(path).map(|id| &origins.graph.task(id).label);
            let is_config = origins.is_config(path).then(|| "a config file of this project".to_owned());
            let note = maker.map(|label| format!("made by `{label}`")).or(is_config);
            Origin { note, ..Origin::default() }
        }
        StaleReason::InputAdded(path) | StaleReason::InputMissing(path) => origins.input(task, path),
        StaleReason::InputRemoved(_) => {
            let origin = origins.task_key(task, "inputs");
            let note = origin.place.map(|_| "from".to_owned());
            Origin { note, ..origin }
        }
        StaleReason::OutputsDeclared { .. } => origins.task_key(task, "outputs"),
        StaleReason::Always => origins.task_key(task, "cache"),
        StaleReason::LastAttempt(_) | StaleReason::Incomplete => {
            Origin { note: last.map(ending), ..Origin::default() }
        }
        StaleReason::InputExecutable { .. }
        | StaleReason::OutputDeleted(_)
        | StaleReason::OutputChanged(_)
        | StaleReason::InputWritten
        | StaleReason::Format
        | StaleReason::Again(_) => Origin::default(),
    }
}

/// "at 2026-11-24T06:33:12Z: exit status 3"
fn ending(last: &Attempt) -> String {
    let mut text = format!("at {}", last.started);
    if let Some(detail) = last.detail.as_deref().filter(|_| last.outcome != AttemptOutcome::Cancelled) {
        let mut lines = detail.lines();
        text.push_str(&format!(": {}", lines.next().unwrap_or_default()));
        if lines.next().is_some() {
            text.push_str(" ...");
        }
    }
    text
}

/// The place of a list, or of its first new item.
fn list(origins: &Origins<'_>, task: &Task, at: &KeyPath, old: &[Value], new: &[Value]) -> Origin {
    let (prefix, suffix) = common(old, new);
    let come = &new[prefix..new.len() - suffix];
    let whole = Value::Array(if at.name() == "urls" { come.to_vec() } else { new.to_vec() });
    let mut origin = origins.of(task, at, Some(&whole));
    if let Some(first) = come.first() {
        let item = origins.of(task, &at.then(Segment::Index(prefix)), Some(first));
        if item.place.is_some() && item.note.is_none() {
            origin.place = item.place;
        }
    }
    origin
}

/// The differences in a camera's source, as one sentence.
fn source(
    origins: &Origins<'_>,
    task: &Task,
    reason: &StaleReason,
    all: &[StaleReason],
    last: Option<&Attempt>,
) -> (String, Origin) {
    let at = reason.key().expect("a difference in a source has a path");
    let kind = |wanted: &dyn Fn(&StaleReason) -> bool| {
        let found = all.iter().filter(|other| wanted(other));
        let mut kinds = found.filter_map(|other| match other.key()?.keys.get(2)? {
            Segment::Key(kind) if other.key()?.keys.len() == 3 => Some(kind.as_str()),
            _ => None,
        });
        kinds.next()
    };
    let removed =
        kind(&|other| begins(other, &["camera", "source"]) && matches!(other, StaleReason::Removed { .. }));
    let added =
        kind(&|other| begins(other, &["camera", "source"]) && matches!(other, StaleReason::Added { .. }));
    if removed == Some("synthetic") || added == Some("synthetic") {
        let word = |kind: Option<&str>| if kind == Some("synthetic") { "synthetic" } else { "file" };
        let origin = origins.setting(&["run", "source"], None);
        return (format!("`run.source` changed from {} to {}", word(removed), word(added)), origin);
    }
    let origin = origins.of(task, at, None);
    let name = origin.name.clone().unwrap_or_else(|| "source".to_owned());
    let now = serde_json::to_value(&task.action).unwrap_or_default();
    let old = last.and_then(|last| source_text(last.document.action.get("camera")?.get("source")?));
    let new = now.get("camera").and_then(|camera| source_text(camera.get("source")?));
    let text = match (old, new) {
        (Some(old), Some(new)) if old != new => format!("`{name}` changed from {old} to {new}"),
        _ => format!("`{name}` changed"),
    };
    (text, origin)
}

/// A camera's source as a file writes it.
fn source_text(value: &Value) -> Option<String> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    let text = |key: &str| Some(crate::text::redacted(inner.get(key)?.as_str()?));
    match kind.as_str() {
        "file" => {
            let (kind, origin) = inner.get("origin")?.as_object()?.iter().next()?;
            let origin = crate::text::redacted(origin.as_str()?);
            let scheme = match kind.as_str() {
                "scene" => "scene:",
                "file" if !origin.starts_with("file:") => "file:",
                _ => "",
            };
            Some(format!("{}|{scheme}{origin}", text("file")?))
        }
        "rtsp" => text("uri"),
        "usb" => Some(format!("v4l2://{}", text("device")?)),
        _ => None,
    }
}
