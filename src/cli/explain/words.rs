//! The reasons of one task, in words and with their origins.
//!
//! One sentence per thing that a person did: a camera that plays another source
//! differs in many values of its document, but in one line of its file.

use serde_json::Value;

use super::origin::{Origin, Origins};
use crate::engine::why::Why;
use crate::graph::task::{Action, Task};
use crate::store::attempt::{Attempt, AttemptOutcome};
use crate::store::stale::{KeyPath, Section, Segment, StaleReason, shown, without_secrets};
use crate::time::duration_text;

/// One reason of a task.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cause {
    /// "`fps` changed from 15 to 30"
    pub(super) text: String,
    /// Where that is written.
    pub(super) origin: Origin,
    /// What the store or the engine said.
    pub(super) why: Why,
}

/// The causes of a task that must run, those with an origin first.
pub(super) fn causes(origins: &Origins<'_>, task: &Task, whys: &[Why], last: Option<&Attempt>) -> Vec<Cause> {
    let reasons: Vec<&StaleReason> = whys
        .iter()
        .filter_map(|why| match why {
            Why::Reason(reason) => Some(reason),
            Why::Always | Why::NoInput(_) => None,
        })
        .collect();
    let mut causes: Vec<Cause> = whys
        .iter()
        .filter(|why| !matches!(why, Why::Reason(reason) if follows(reason, &reasons)))
        .map(|why| {
            let (text, origin) = sentence(origins, task, why, &reasons, last);
            Cause { text, origin, why: why.clone() }
        })
        .collect();
    causes.sort_by_key(|cause| (cause.origin.place.is_none(), !cause.origin.is_known()));
    causes
}

/// What `other` has become since, for a task that is as it was: "`fps` changed".
pub(super) fn changes(
    origins: &Origins<'_>,
    task: &Task,
    reasons: Vec<StaleReason>,
    last: &Attempt,
) -> Vec<Cause> {
    let whys: Vec<Why> = reasons.into_iter().map(Why::Reason).collect();
    causes(origins, task, &whys, Some(last))
}

fn path(reason: &StaleReason) -> Option<&KeyPath> {
    match reason {
        StaleReason::Changed { at, .. } | StaleReason::Added { at, .. } | StaleReason::Removed { at, .. } => {
            Some(at)
        }
        _ => None,
    }
}

/// Whether a path begins with these keys of the action.
fn begins(reason: &StaleReason, keys: &[&str]) -> bool {
    path(reason).is_some_and(|at| {
        let mut found = at.keys.iter();
        let same = |key: &&str| matches!(found.next(), Some(Segment::Key(name)) if name == *key);
        at.section == Section::Action && keys.iter().all(same)
    })
}

/// Whether a reason is only what another one of the same task brings with it.
fn follows(reason: &StaleReason, all: &[&StaleReason]) -> bool {
    let earlier = |keys: &[&str]| {
        let first = all.iter().find(|other| begins(other, keys));
        first.is_some_and(|first| !std::ptr::eq(*first, reason))
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
    // Only a file without a pin is looked at.
    if begins(reason, &["wanted"]) {
        return earlier(&["sha256"]);
    }
    // Who is planned and played brings or takes files.
    if matches!(reason, StaleReason::InputAdded(_) | StaleReason::InputRemoved(_)) {
        return earlier(&["cameras"]) || earlier(&["members"]);
    }
    // A slug is made of the name beside it.
    let Some(at) = path(reason) else { return false };
    at.name() == "slug"
        && all.iter().filter_map(|other| path(other)).any(|other| {
            other.name() == "name" && other.keys[..other.keys.len() - 1] == at.keys[..at.keys.len() - 1]
        })
}

fn sentence(
    origins: &Origins<'_>,
    task: &Task,
    why: &Why,
    all: &[&StaleReason],
    last: Option<&Attempt>,
) -> (String, Origin) {
    let reason = match why {
        Why::Always => {
            return ("it is declared with `cache = false`".to_owned(), origins.task_key(task, "cache"));
        }
        Why::NoInput(path) => {
            return (format!("input `{path}` does not exist"), origins.input(task, path));
        }
        Why::Reason(reason) => reason,
    };
    if begins(reason, &["camera", "source"]) {
        return source(origins, task, reason, all, last);
    }
    match reason {
        StaleReason::Changed { at, old: Value::Array(old), new: Value::Array(new) } => {
            list(origins, task, (reason, at), old, new)
        }
        StaleReason::Changed { at, old, new } => {
            let origin = origins.of(task, at, Some(new));
            let name = origin.name.as_deref().unwrap_or(at.name());
            let text = match (values(task, at, old, new), old, new) {
                (_, Value::Null, Value::Object(_)) => format!("`{name}` was added"),
                (_, Value::Object(_), Value::Null) => format!("`{name}` was removed"),
                ((Some(old), Some(new)), ..) if old != new => {
                    format!("`{name}` changed from {old} to {new}")
                }
                _ => format!("`{name}` changed"),
            };
            (text, origin)
        }
        StaleReason::Added { at, new } => {
            let origin = origins.of(task, at, Some(new));
            let name = origin.name.as_deref().unwrap_or(at.name());
            let value = shown(new).map_or(String::new(), |new| format!(": {new}"));
            (format!("`{name}` was added{value}"), origin)
        }
        StaleReason::Removed { at, old } => {
            let origin = origins.of(task, at, None);
            let name = origin.name.as_deref().unwrap_or(at.name());
            let value = shown(old).filter(|_| !old.is_null());
            let value = value.map_or(String::new(), |old| format!("; it was {old}"));
            (format!("`{name}` was removed{value}"), origin)
        }
        StaleReason::InputChanged(path) => {
            let maker = origins.graph.producer(path).map(|id| &origins.graph.task(id).label);
            let is_config = origins.is_config(path).then(|| "a config file of this project".to_owned());
            let note = maker.map(|label| format!("made by `{label}`")).or(is_config);
            (reason.to_string(), Origin { note, ..Origin::default() })
        }
        StaleReason::InputAdded(path) => (reason.to_string(), origins.input(task, path)),
        StaleReason::InputRemoved(_) => {
            let origin = origins.task_key(task, "inputs");
            let note = origin.place.map(|_| "from".to_owned());
            (reason.to_string(), Origin { note, ..origin })
        }
        StaleReason::OutputsDeclared => (outputs(task, last), origins.task_key(task, "outputs")),
        StaleReason::OutputDeleted(_) | StaleReason::OutputChanged(_) => {
            (format!("{reason}, and the store has lost it"), Origin::default())
        }
        StaleReason::LastAttempt(_) | StaleReason::Incomplete => (ending(reason, last), Origin::default()),
        _ => (reason.to_string(), Origin::default()),
    }
}

/// "the last attempt failed at 2026-11-24T06:33:12Z: exit status 3"
fn ending(reason: &StaleReason, last: Option<&Attempt>) -> String {
    let Some(last) = last else { return reason.to_string() };
    let mut text = match reason {
        StaleReason::Incomplete => format!("the last measurement, of {}, is incomplete", last.started),
        _ => {
            let text = reason.to_string();
            let end = text.strip_prefix("the last attempt ").unwrap_or(&text);
            format!("the last attempt, of {}, {end}", last.started)
        }
    };
    if let Some(detail) = last.detail.as_deref().filter(|_| last.outcome != AttemptOutcome::Cancelled) {
        let mut lines = detail.lines();
        text.push_str(&format!(": {}", lines.next().unwrap_or_default()));
        if lines.next().is_some() {
            text.push_str(" ...");
        }
    }
    text
}

/// "its list of outputs changed: `b.txt` was added"
fn outputs(task: &Task, last: Option<&Attempt>) -> String {
    let text = StaleReason::OutputsDeclared.to_string();
    let Some(last) = last else { return text };
    let before: Vec<_> = last.outputs.iter().map(|output| &output.path).collect();
    let added = task.outputs.iter().filter(|path| !before.contains(path)).map(|path| (path, "added"));
    let removed = before.iter().filter(|path| !task.outputs.contains(path)).map(|path| (*path, "removed"));
    let parts: Vec<String> =
        added.chain(removed).map(|(path, verb)| format!("`{path}` was {verb}")).collect();
    if parts.is_empty() { format!("{text}: their order") } else { format!("{text}: {}", parts.join(", ")) }
}

/// Both values of a change as people write them.
fn values(task: &Task, at: &KeyPath, old: &Value, new: &Value) -> (Option<String>, Option<String>) {
    if matches!(task.action, Action::Run(_)) && at.name().ends_with("_ms") {
        let duration = |value: &Value| match value.as_u64() {
            Some(millis) => Some(duration_text(std::time::Duration::from_millis(millis))),
            None => Some("auto".to_owned()),
        };
        return (duration(old), duration(new));
    }
    match (shown(old), shown(new), without_secrets(old), without_secrets(new)) {
        (Some(old), Some(new), ..) => (Some(old), Some(new)),
        (_, _, Value::String(old), Value::String(new)) => {
            let (old, new) = excerpts(&old, &new);
            (Some(old), Some(new))
        }
        (old, new, ..) => (old, new),
    }
}

/// The parts in which two long texts differ.
fn excerpts(old: &str, new: &str) -> (String, String) {
    const CONTEXT: usize = 8;
    const LONGEST: usize = 40;
    let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
    let prefix = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let suffix = old[prefix..].iter().rev().zip(new[prefix..].iter().rev());
    let suffix = suffix.take_while(|(old, new)| old == new).count();
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

/// A list that has other items than it had.
fn list(
    origins: &Origins<'_>,
    task: &Task,
    (reason, at): (&StaleReason, &KeyPath),
    old: &[Value],
    new: &[Value],
) -> (String, Origin) {
    let prefix = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let suffix = old[prefix..].iter().rev().zip(new[prefix..].iter().rev());
    let suffix = suffix.take_while(|(old, new)| old == new).count();
    let (gone, come) = (&old[prefix..old.len() - suffix], &new[prefix..new.len() - suffix]);
    let whole = Value::Array(if at.name() == "urls" { come.to_vec() } else { new.to_vec() });
    let mut origin = origins.of(task, at, Some(&whole));
    let name = origin.name.clone().unwrap_or_else(|| at.name().to_owned());
    if let Some(first) = come.first() {
        let item = origins.of(task, &at.then(Segment::Index(prefix)), Some(first));
        if item.place.is_some() && item.note.is_none() {
            origin.place = item.place;
        }
    }
    let is_short = |list: &[Value]| shown(&Value::Array(list.to_vec())).is_some();
    if is_short(old) && is_short(new) {
        return match &origin.name {
            Some(_) => {
                (reason.to_string().replacen(&format!("`{}`", at.name()), &format!("`{name}`"), 1), origin)
            }
            None => (reason.to_string(), origin),
        };
    }
    let items = |part: &[Value]| match part {
        [item] => format!("item {}{}", prefix + 1, called(item)),
        part => format!("items {} to {}", prefix + 1, prefix + part.len()),
    };
    let verb = |part: &[Value]| if part.len() == 1 { "was" } else { "were" };
    let text = match (gone, come) {
        ([], come) => format!("{} of `{name}` {} added", items(come), verb(come)),
        (gone, []) => format!("{} of `{name}` {} removed", items(gone), verb(gone)),
        ([gone], [come]) => match values(task, at, gone, come) {
            (Some(gone), Some(come)) => {
                format!("item {} of `{name}` changed from {gone} to {come}", prefix + 1)
            }
            _ => format!("item {} of `{name}` changed", prefix + 1),
        },
        _ => format!("`{name}` changed from item {} on", prefix + 1),
    };
    (text, origin)
}

/// " (`zbar`)": what an object in a list is called.
fn called(item: &Value) -> String {
    let text = match item {
        Value::Object(entries) => {
            ["type", "name"].iter().find_map(|key| entries.get(*key)?.as_str()).map(str::to_owned)
        }
        item => shown(item),
    };
    text.map_or(String::new(), |text| format!(" (`{text}`)"))
}

/// The first difference in a camera's source, told as a whole.
fn source(
    origins: &Origins<'_>,
    task: &Task,
    reason: &StaleReason,
    all: &[&StaleReason],
    last: Option<&Attempt>,
) -> (String, Origin) {
    let at = path(reason).expect("a difference in a source has a path");
    let kind = |wanted: &dyn Fn(&StaleReason) -> bool| {
        let found = all.iter().copied().filter(|other| wanted(other));
        let mut kinds = found.filter_map(|other| match path(other)?.keys.get(2)? {
            Segment::Key(kind) if path(other)?.keys.len() == 3 => Some(kind.as_str()),
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

/// A camera's source as a person would write it.
fn source_text(value: &Value) -> Option<String> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    let text = |key: &str| Some(crate::text::redacted(inner.get(key)?.as_str()?));
    match kind.as_str() {
        "file" => {
            let (kind, origin) = inner.get("origin")?.as_object()?.iter().next()?;
            let origin = crate::text::redacted(origin.as_str()?);
            let scheme = if kind == "scene" { "scene:" } else { "" };
            Some(format!("{}|{scheme}{origin}", text("file")?))
        }
        "rtsp" => text("uri"),
        "usb" => Some(format!("v4l2://{}", text("device")?)),
        _ => None,
    }
}
