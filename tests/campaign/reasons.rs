//! The reason that `lp explain` gives first for a task is the one that `lp build`
//! then gives: one place judges, so they cannot differ.
//!
//! Of a task that reads what is to be made, `lp explain` cannot know everything:
//! such a task may turn out to need nothing, or `lp build` names what it read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::{BUILD, Case};
use crate::project::{Output, Project};

const ROUNDS: usize = 4;

pub(crate) fn run(case: &mut Case) -> Result<(), String> {
    for round in 0..ROUNDS {
        for _ in 0..round {
            case.change();
        }
        let explained = case.start_with(&["explain", "--json", "task:*"], &[]).wait()?;
        let document: Value = serde_json::from_str(&explained.stdout).map_err(|error| {
            format!("`lp explain --json` printed no document, {error}:\n{}", explained.stderr)
        })?;
        let ended = case.start_with(&BUILD, &[]).wait()?;
        case.tell(format!("explained: {document:#}\nbuilt:\n{}", ended.stderr));
        for fits in compare(&case.project, &document, &reasons(&ended.stderr))? {
            case.count(fits);
        }
    }
    Ok(())
}

/// The reasons that a build gave, by label.
fn reasons(stderr: &str) -> BTreeMap<&str, &str> {
    let lines = stderr.lines().filter(|line| line.starts_with("task:"));
    let split = lines.filter_map(|line| line.split_once(' '));
    split.map(|(label, reason)| (label, reason.trim())).collect()
}

/// Compares both for each task; gives how it went for each.
fn compare(
    project: &Project,
    document: &Value,
    built: &BTreeMap<&str, &str>,
) -> Result<Vec<&'static str>, String> {
    let explained: BTreeMap<&str, &Value> = document["tasks"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|task| Some((task["label"].as_str()?, task)))
        .collect();
    let state = |label: &str| explained[label]["state"].as_str().unwrap_or_default();
    let skipped = project.expected().skipped;
    let mut compared = Vec::new();
    for task in project.tasks.iter().filter(|task| !skipped.contains(&task.name)) {
        let label = format!("task:{}", task.name);
        let told = wanted(&label, explained[label.as_str()]);
        let said = built.get(label.as_str()).copied();
        let read: Vec<(&str, &Output)> = project
            .read_of_others(task)
            .map(|(maker, output)| (state(&format!("task:{}", maker.name)), output))
            .filter(|(state, _)| *state != "fresh")
            .collect();
        // Contents that come out of the store are known, not so what links lead to.
        let waits = read.iter().any(|(state, output)| *state != "restorable" || output.is_link());
        let names = |path: &str| {
            let reason = said.and_then(|said| said.strip_prefix("stale: "));
            let reason = reason.map(|reason| reason.strip_prefix("input ").unwrap_or(reason));
            reason.is_some_and(|reason| reason.starts_with(&format!("`{path}` ")))
        };
        let needs_nothing = said.is_none_or(|said| said.starts_with("restored: "));
        compared.push(if told.as_deref() == Some(said.unwrap_or("fresh")) {
            "reasons"
        } else if waits && told.is_none() {
            "after others"
        } else if waits && (needs_nothing || read.iter().any(|(_, output)| names(&output.path))) {
            "of what was made"
        } else {
            return Err(format!("of `{label}` `lp explain` said {told:?}, and `lp build` {said:?}"));
        });
    }
    Ok(compared)
}

/// What `lp build` should say of a task; `None` if only those before it tell.
fn wanted(label: &str, explained: &Value) -> Option<String> {
    let text = explained["text"].as_str()?;
    let is_own = |cause: &&Value| cause["label"] == label;
    let cause = match explained["chain"].as_array()?.last() {
        Some(root) if root != label => explained["more"].as_array()?.iter().find(is_own),
        _ => Some(explained),
    };
    match explained["state"].as_str()? {
        word @ ("fresh" | "new") => Some(word.to_owned()),
        "restorable" => {
            let outputs = text.strip_prefix(&format!("`{label}` will be restored from the store: "))?;
            // What was set back follows.
            Some(format!("restored: {}", outputs.split("; ").next()?))
        }
        _ => Some(format!("stale: {}", cause?["reasons"][0]["text"].as_str()?)),
    }
}
