//! Earlier runs of the same cameras with another number of copies: what one more costs shows
//! between them and this run.

use std::collections::BTreeMap;

use super::LocalHost;
use crate::digest::ContentDigest;
use crate::engine::host::Attempt;
use crate::graph::task::Task;
use crate::path::ProjectPath;
use crate::record::measure::estimate::other_count;
use crate::record::{Conditions, OtherCount, RunRecord};

/// One for each number of copies, the newest, in ascending order: of accepted runs on this host
/// with the inputs and, apart from that number, the load of `record`.
pub(super) fn others(
    record: &RunRecord,
    host: &LocalHost<'_>,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Vec<OtherCount> {
    let inputs: Option<BTreeMap<ProjectPath, ContentDigest>> =
        task.inputs.iter().map(|path| Some((path.clone(), (attempt.input)(path)?))).collect();
    let Some(inputs) = inputs else { return Vec::new() };
    let earlier = (host.earlier)(&[task.label.to_string()], &inputs);
    let is_alike =
        |other: &RunRecord| other.host == record.host && load(&other.conditions) == load(&record.conditions);
    let mut others: Vec<OtherCount> = Vec::new();
    for run in earlier.iter().filter(|run| run.is_accepted && is_alike(&run.record)) {
        let count = run.record.conditions.count;
        let is_known = count == record.conditions.count || others.iter().any(|other| other.count == count);
        others.extend((!is_known).then(|| other_count(&run.id, &run.record)).flatten());
    }
    others.sort_by_key(|other| other.count);
    others
}

/// What loads the machine, apart from the number of copies.
fn load(conditions: &Conditions) -> impl PartialEq {
    (conditions.pace, conditions.isolation, conditions.decode_only, conditions.impair)
}
