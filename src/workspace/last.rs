//! The last build: its tasks with their reasons, in a file of the store.
//!
//! Written at the end of every build that did something, also of one that
//! failed or was interrupted. After a build that was killed, the file is
//! that of an earlier build; its own results are taken from the log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::journal::Journal;
use crate::engine::events::{Outcome, Summary};

use crate::store::{Store, StoreError};
use crate::time::Utc;

const VERSION: u32 = 1;

/// The record of a build.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LastBuild {
    version: u32,
    pub(crate) started: Utc,
    pub(crate) ended: Utc,
    pub(crate) duration_ms: u64,
    pub(crate) summary: Value,
    pub(crate) summary_line: String,
    pub(crate) tasks: Vec<LastTask>,
}

/// A task of it that was not fresh.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LastTask {
    pub(crate) label: String,
    pub(crate) outcome: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) reason: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    pub(crate) duration_ms: u64,
}

/// Records a build that did something. No task depends on it.
pub(crate) fn keep(store: &Store, journal: &Journal<'_>) -> Result<(), StoreError> {
    let pages = journal.pages();
    if pages.tasks.is_empty() {
        return Ok(());
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
        summary_line: summary.to_string(),
        tasks: tasks.collect(),
    };
    drop(pages);
    let bytes = serde_json::to_vec(&last).expect("what is kept has text keys");
    store.set_last_build(&bytes)
}

/// The record of the last build, and later results.
pub(crate) fn read(store: &Store) -> Option<LastBuild> {
    let bytes = store.last_build()?;
    serde_json::from_slice(&bytes).ok().filter(|last: &LastBuild| last.version == VERSION)
}

impl LastBuild {
    /// Labels of results after the end of this build: of a build that was killed or
    /// is still running.
    pub(crate) fn later(&self, store: &Store) -> Vec<String> {
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
