//! `lp explain --last`: what the last build did and why, from `.lpcache/last`.
//!
//! Written at the end of every build that did something, also of one that
//! failed or was interrupted. A build that was killed leaves the file of the
//! one before; what it recorded in the log is named then.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::console::{note, out, summary_line};
use super::journal::Journal;
use crate::engine::events::{Outcome, Summary};
use crate::store::Store;
use crate::time::{Utc, duration_text};

const VERSION: u32 = 1;

/// What is kept of a build.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LastBuild {
    version: u32,
    started: Utc,
    ended: Utc,
    duration_ms: u64,
    summary: Value,
    /// For people.
    summary_line: String,
    tasks: Vec<LastTask>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LastTask {
    label: String,
    outcome: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    detail: String,
    duration_ms: u64,
}

/// Keeps what a build did, if it did anything. Nothing depends on it, so a
/// failure is only a warning.
pub(super) fn keep(store: &Store, journal: &Journal<'_>) {
    let pages = journal.pages();
    if pages.tasks.is_empty() {
        return;
    }
    let summary: Summary = pages.summed_up();
    let word = |outcome: Option<Outcome>| {
        let outcome = outcome.unwrap_or(Outcome::Cancelled);
        serde_json::to_value(outcome).ok().and_then(|word| word.as_str().map(str::to_owned))
    };
    let tasks = pages.tasks.iter().map(|page| LastTask {
        label: page.label.clone(),
        outcome: word(page.outcome).unwrap_or_default(),
        reason: page.reason.clone(),
        detail: page.detail.clone(),
        duration_ms: page.end_us.saturating_sub(page.begin_us) / 1000,
    });
    let last = LastBuild {
        version: VERSION,
        started: journal.phases.started(),
        ended: crate::os::clock::utc_now(),
        duration_ms: journal.phases.now_us() / 1000,
        summary: serde_json::to_value(&summary).expect("a summary has text keys"),
        summary_line: summary_line(&summary),
        tasks: tasks.collect(),
    };
    drop(pages);
    let bytes = serde_json::to_vec(&last).expect("what is kept has text keys");
    if let Err(error) = store.set_last_build(&bytes) {
        let cause = std::error::Error::source(&error).map_or(String::new(), |cause| format!(": {cause}"));
        note(&format!("warning: `lp explain --last` will not know of this build: {error}{cause}"));
    }
}

/// What is known of the last build.
pub(super) fn read(store: &Store) -> Option<LastBuild> {
    let bytes = store.last_build()?;
    serde_json::from_slice(&bytes).ok().filter(|last: &LastBuild| last.version == VERSION)
}

impl LastBuild {
    /// Only these tasks.
    pub(super) fn retain(&mut self, is_wanted: &dyn Fn(&str) -> bool) {
        self.tasks.retain(|task| is_wanted(&task.label));
    }

    /// Whether nothing is left to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// For people.
    pub(super) fn print(&self) {
        let width = self.tasks.iter().map(|task| task.label.chars().count()).max().unwrap_or(0).min(40);
        let took = duration_text(std::time::Duration::from_millis(self.duration_ms));
        let mut text = format!("the build of {}, which took {took}: {}\n", self.started, self.summary_line);
        for LastTask { label, outcome, reason, detail, .. } in &self.tasks {
            let because = if reason.is_empty() { String::new() } else { format!("; {reason}") };
            let line = match outcome.as_str() {
                "succeeded" => format!("ran: {reason}"),
                "restored" => format!("restored: {reason}"),
                "skipped" => "not started".to_owned(),
                "cancelled" => format!("interrupted{because}"),
                "failed" => format!("failed: {detail}{because}"),
                "timed_out" => format!("timed out: {detail}{because}"),
                other => format!("{other}: {detail}{because}"),
            };
            text.push_str(&format!("{label:width$}  {line}\n"));
        }
        out(&text);
    }

    /// For machines.
    pub(super) fn json(&self) -> String {
        let document = serde_json::to_value(self).expect("what is kept has text keys");
        format!("{document:#}\n")
    }

    /// Labels that were recorded after this build ended: one that was killed,
    /// or that is still going on.
    pub(super) fn later(&self, store: &Store) -> Vec<String> {
        let attempts = store.attempts();
        let mut labels: Vec<String> = attempts
            .iter()
            .take_while(|attempt| attempt.started > self.ended)
            .map(|attempt| attempt.label.clone())
            .collect();
        labels.dedup();
        labels
    }
}
