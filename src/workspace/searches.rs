//! Searches for the density that are about the cameras and the host of a run: they judge its thresholds
//! on `density`.
//!
//! A search counts if it came to an end on the same host, with the same inputs (plans, clips, models) under
//! the same conditions. One of the lane must have all inputs of the run, so that it had the same cameras.

use std::collections::BTreeMap;

use super::view;
use crate::digest::ContentDigest;
use crate::path::ProjectPath;
use crate::record::density::{DensityRecord, Unit};
use crate::record::judgement::{KnownSearch, LANE, incomplete, searched};
use crate::record::{Conditions, RunRecord};
use crate::store::Store;
use crate::store::attempt::Attempt;

/// Records that are read: they are large.
const MOST: usize = 3;

/// The newest search of this subject that counts for a run with these inputs.
pub(super) fn newest(
    store: &Store,
    subject: &str,
    inputs: &BTreeMap<ProjectPath, ContentDigest>,
    run: &RunRecord,
) -> Option<KnownSearch> {
    let is_alike = |attempt: &Attempt| {
        let mut of_search = attempt.document.inputs.iter();
        attempt.is_reusable() && of_search.all(|(path, input)| inputs.get(path) == Some(&input.content))
    };
    let attempts = store.attempts_of(&format!("density:{subject}"));
    let alike = attempts.iter().filter(|attempt| is_alike(attempt)).take(MOST);
    alike
        .filter_map(|attempt| {
            let has_all = attempt.document.inputs.len() == inputs.len();
            // A record that is lost, or was written by another version, tells nothing.
            let (record, id) = view::read_density(store, attempt).ok()?;
            counts(&record, run, has_all).then(|| KnownSearch {
                subject: subject.to_owned(),
                id,
                at_least: record.answer.at_least,
                at_most: record.answer.at_most,
            })
        })
        .next()
}

fn counts(search: &DensityRecord, run: &RunRecord, has_all_inputs: bool) -> bool {
    let conditions = |of: &Conditions| (of.decode_only, of.impair, of.limits);
    let sample = search.settings.first().map(|setting| &setting.record);
    // The other cameras of a lane play beside a camera that is counted alone.
    let needs_all = search.subject == LANE || search.unit == Unit::Camera;
    incomplete(search).is_none()
        && search.host == run.host
        && sample.is_some_and(|sample| conditions(&sample.conditions) == conditions(&run.conditions))
        && (has_all_inputs || !needs_all)
}

/// Gives a stored run the searches that are known now: one may have been made after it.
pub(crate) fn refresh(store: &Store, attempt: &Attempt, run: &mut RunRecord) {
    let inputs = attempt.document.inputs.iter();
    let inputs: BTreeMap<ProjectPath, ContentDigest> =
        inputs.map(|(path, input)| (path.clone(), input.content)).collect();
    for subject in searched(run) {
        if let Some(found) = newest(store, &subject, &inputs, run) {
            run.searches.retain(|known| known.subject != subject);
            run.searches.push(found);
        }
    }
}
