//! Searches for the density that judge thresholds of a run.

use std::collections::BTreeMap;

use super::LocalHost;
use crate::digest::ContentDigest;
use crate::engine::host::Attempt;
use crate::graph::task::Task;
use crate::path::ProjectPath;
use crate::record::RunRecord;
use crate::record::judgement::{KnownSearch, searched};

/// The newest search of each subject whose density has a threshold.
pub(super) fn known(
    record: &RunRecord,
    host: &LocalHost<'_>,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Vec<KnownSearch> {
    let subjects = searched(record);
    if subjects.is_empty() {
        return Vec::new();
    }
    let inputs: Option<BTreeMap<ProjectPath, ContentDigest>> =
        task.inputs.iter().map(|path| Some((path.clone(), (attempt.input)(path)?))).collect();
    let Some(inputs) = inputs else { return Vec::new() };
    subjects.iter().filter_map(|subject| (host.searches)(subject, &inputs, record)).collect()
}
