//! Statistics of the store.
//!
//! It takes no lock, writes nothing, and counts as much as possible of a damaged
//! store. During a build the numbers are a snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::attempt::{Attempt, AttemptOutcome};
use super::{Store, StoreError, live};
use crate::digest::ContentDigest;
use crate::os::usage::{Usage, usage};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stats {
    /// The version of this layout.
    pub version: u32,
    pub blobs: Usage,
    /// Those that share their file with an output in the project: deleting them
    /// frees nothing.
    pub shared: Usage,
    /// Those that no live attempt references.
    pub unneeded: Usage,
    pub attempts: usize,
    /// Those that a build may still need.
    pub live: usize,
    pub dead: usize,
    /// All attempts, by outcome.
    pub outcomes: BTreeMap<&'static str, usize>,
    pub measurements: usize,
    /// Those of them that later builds may reuse.
    pub complete: usize,
    /// The size of the log in bytes.
    pub log: u64,
    /// The size of `state` in bytes.
    pub state: u64,
    pub graphs: Usage,
    /// Leftovers of attempts that were killed.
    pub leftovers: Usage,
    /// The labels whose attempts reference most bytes, the largest first.
    pub largest: Vec<LabelSize>,
}

/// The bytes that a label's attempts reference. A blob of two labels counts for
/// both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabelSize {
    /// `transcode:scan.mp4@640x360@15`
    pub label: String,
    /// The number of attempts.
    pub attempts: usize,
    /// The size of their blobs, each counted once.
    pub bytes: u64,
}

/// The number of labels that are listed.
const LARGEST: usize = 10;

impl Store {
    /// Counts the contents of the store.
    ///
    /// # Errors
    /// When a folder of blobs exists and cannot be read.
    pub fn stats(&self) -> Result<Stats, StoreError> {
        let attempts = self.attempts();
        let live = live(&self.log());
        // Read after the log: a blob is stored before its entry.
        let blobs = self.cas.all()?;
        let sizes: HashMap<ContentDigest, u64> = blobs.iter().map(|blob| (blob.content, blob.size)).collect();
        let mut needed = HashSet::new();
        let mut labels: BTreeMap<&str, (usize, BTreeSet<ContentDigest>)> = BTreeMap::new();
        let mut outcomes = BTreeMap::new();
        for attempt in &attempts {
            *outcomes.entry(outcome_name(attempt.outcome)).or_insert(0) += 1;
            let named = self.named_by(attempt);
            if live.contains(&Arc::as_ptr(attempt)) {
                needed.extend(named.iter().copied());
            }
            let (n_attempts, of_label) = labels.entry(&attempt.label).or_default();
            *n_attempts += 1;
            of_label.extend(named);
        }
        let size = |of: &BTreeSet<ContentDigest>| of.iter().filter_map(|blob| sizes.get(blob)).sum();
        let mut largest: Vec<LabelSize> = labels
            .into_iter()
            .map(|(label, (attempts, of))| LabelSize { label: label.to_owned(), attempts, bytes: size(&of) })
            .collect();
        largest.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.label.cmp(&b.label)));
        largest.truncate(LARGEST);
        let (mut all, mut shared, mut unneeded) = (Usage::default(), Usage::default(), Usage::default());
        for blob in &blobs {
            all.add(blob.size);
            if blob.is_shared {
                shared.add(blob.size);
            }
            if !needed.contains(&blob.content) {
                unneeded.add(blob.size);
            }
        }
        let mut leftovers = usage(&self.root.join("tmp"));
        leftovers += usage(&self.layout.parts());
        let measured = || attempts.iter().filter(|attempt| attempt.measurement);
        Ok(Stats {
            version: 1,
            blobs: all,
            shared,
            unneeded,
            attempts: attempts.len(),
            live: live.len(),
            dead: attempts.len().saturating_sub(live.len()),
            outcomes,
            measurements: measured().count(),
            complete: measured().filter(|attempt| attempt.is_reusable()).count(),
            log: usage(&self.root.join("log")).bytes,
            state: usage(&self.root.join("state")).bytes,
            graphs: usage(&self.root.join("graph")),
            leftovers,
            largest,
        })
    }

    /// Every blob that an attempt references, each once.
    pub(super) fn named_by(&self, attempt: &Attempt) -> BTreeSet<ContentDigest> {
        let outputs = attempt.outputs.iter().flat_map(|output| self.blobs_of(output));
        outputs.chain(attempt.logs).collect()
    }
}

/// The outcome as in the log.
fn outcome_name(outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Succeeded => "succeeded",
        AttemptOutcome::Failed => "failed",
        AttemptOutcome::TimedOut => "timed_out",
        AttemptOutcome::Cancelled => "cancelled",
        AttemptOutcome::Panicked => "panicked",
    }
}
