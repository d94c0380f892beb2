//! `lp cache show`

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::{Exit, console};
use crate::name::did_you_mean;
use crate::store::Store;
use crate::store::attempt::Attempt;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::view;

/// The largest printed output that is read.
const LOG_LIMIT: u64 = 1 << 26;

/// One line per label: its newest attempt.
pub(super) fn list(store: &Store, json: bool) {
    let mut newest: BTreeMap<String, Arc<Attempt>> = BTreeMap::new();
    for attempt in store.attempts() {
        newest.entry(attempt.label.clone()).or_insert(attempt);
    }
    if json {
        return print(newest.values().map(|attempt| head(attempt)).collect());
    }
    let width = newest.keys().map(|label| label.chars().count()).max().unwrap_or(0);
    for (label, attempt) in &newest {
        console::out(&format!(
            "{label:width$}  {}  {}  {:?}\n",
            attempt.action.short(),
            attempt.started,
            attempt.outcome
        ));
    }
    if newest.is_empty() {
        console::result("the store is empty");
    }
}

pub(super) fn show(store: &Store, what: &str, json: bool) -> Result<Exit> {
    let all = store.attempts();
    let is_digest = what.len() >= 6 && what.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut found: Vec<Arc<Attempt>> = all
        .iter()
        .filter(|attempt| {
            attempt.label == what
                || is_digest
                    && (attempt.action.to_hex().starts_with(what)
                        || attempt.outputs.iter().any(|output| output.content.to_hex().starts_with(what)))
        })
        .cloned()
        .collect();
    if found.is_empty() {
        found.extend(view::find(store, what)?);
    }
    if found.is_empty() {
        let error = CommandError::refused(format!("the store has no attempt of `{what}`"));
        let meant = did_you_mean(what, all.iter().map(|attempt| attempt.label.as_str()));
        return Err(match meant {
            Some(meant) => error.hint(format!("did you mean `{meant}`?")),
            None => error,
        });
    }
    if json {
        print(found.iter().map(|attempt| whole(store, attempt)).collect());
        return Ok(Exit::Done);
    }
    for attempt in &found {
        console::out(&text(store, attempt));
    }
    Ok(Exit::Done)
}

fn print(attempts: Vec<Value>) {
    console::out(&format!("{:#}\n", json!({ "version": 1, "attempts": attempts })));
}

/// The attempt without its document and its printed output.
fn head(attempt: &Attempt) -> Value {
    json!({
        "label": attempt.label,
        "action": attempt.action,
        "run": attempt.run_id(),
        "started": attempt.started,
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "detail": attempt.detail,
        "complete": attempt.complete,
        "repeat": attempt.repeat,
        "outputs": attempt.outputs,
    })
}

fn whole(store: &Store, attempt: &Attempt) -> Value {
    let log = attempt.logs.and_then(|logs| store.read_blob(&logs, LOG_LIMIT));
    let mut whole = head(attempt);
    whole["document"] = json!(attempt.document);
    whole["log"] = json!(log.map(|log| String::from_utf8_lossy(&log).into_owned()));
    whole
}

fn text(store: &Store, attempt: &Attempt) -> String {
    let mut text = format!(
        "{}\n  action    {}\n  started   {}, took {} ms\n  outcome   {:?}\n",
        attempt.label, attempt.action, attempt.started, attempt.duration_ms, attempt.outcome
    );
    if let Some(run) = attempt.run_id() {
        let complete = if attempt.complete { "complete" } else { "incomplete" };
        text.push_str(&format!("  run       {run}, repeat {}, {complete}\n", attempt.repeat.unwrap_or(1)));
    }
    for line in attempt.detail.iter().flat_map(|detail| detail.lines()) {
        text.push_str(&format!("  because   {line}\n"));
    }
    for output in &attempt.outputs {
        text.push_str(&format!("  output    {} {} ({} bytes)\n", output.content, output.path, output.size));
    }
    let document = serde_json::to_string_pretty(&attempt.document).expect("documents have text keys");
    text.push_str("  hashed:\n");
    for line in document.lines() {
        text.push_str(&format!("    {line}\n"));
    }
    if let Some(log) = attempt.logs.and_then(|logs| store.read_blob(&logs, LOG_LIMIT)) {
        text.push_str("  log:\n");
        for line in String::from_utf8_lossy(&log).lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}
