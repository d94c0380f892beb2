//! Earlier runs of a camera, whose sightings a later run is compared with.

use std::collections::BTreeMap;

use super::view;
use crate::action::EarlierRun;
use crate::digest::ContentDigest;
use crate::path::ProjectPath;
use crate::record::RunRecord;
use crate::record::measure::{fit, is_wrong};
use crate::store::Store;
use crate::store::attempt::Attempt;

/// Records that are read: they are large.
const MOST: usize = 3;

/// The newest runs with one of these labels that had these inputs, with these contents, among
/// theirs.
pub(super) fn runs(
    store: &Store,
    labels: &[String],
    inputs: &BTreeMap<ProjectPath, ContentDigest>,
) -> Vec<EarlierRun> {
    let is_alike = |attempt: &Attempt| {
        let has = |(path, content): (&ProjectPath, &ContentDigest)| {
            attempt.document.inputs.get(path).is_some_and(|input| input.content == *content)
        };
        attempt.measurement && attempt.is_reusable() && inputs.iter().all(has)
    };
    let mut attempts: Vec<_> = labels.iter().flat_map(|label| store.attempts_of(label)).collect();
    attempts.sort_by_key(|attempt| std::cmp::Reverse(attempt.started));
    let alike = attempts.iter().filter(|attempt| is_alike(attempt)).take(MOST);
    // A record that is lost, or was written by another version, tells nothing.
    let read = alike.filter_map(|attempt| view::read(store, attempt).ok());
    read.map(earlier).collect()
}

fn earlier(view::StoredRecord { run, record, .. }: view::StoredRecord) -> EarlierRun {
    EarlierRun { id: run, is_accepted: is_accepted(&record), record }
}

/// The run with this id, whatever became of it.
pub(super) fn run(store: &Store, id: &str) -> Option<EarlierRun> {
    let attempt = store.find_by_run_id(id).into_iter().next()?;
    view::read(store, &attempt).ok().map(earlier).filter(|run| run.id == id)
}

/// Whether a run shows what its detectors can find.
fn is_accepted(record: &RunRecord) -> bool {
    record.is_complete()
        && !record.conditions.decode_only
        && record.conditions.impair.is_none()
        && fit::degraded(record).is_empty()
        && !is_wrong(record)
}
