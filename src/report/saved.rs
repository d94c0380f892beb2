//! Reads a report that was saved as JSON, so that its run can be compared where the record is gone.
//!
//! It lacks what detectors found, so *faster but wrong* is judged by its figures alone.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::record::comparison::{MemberOf, RunOf, excluded_by};
use crate::record::measure::Measurement;
use crate::record::{Conditions, Provenance};
use crate::time::Utc;

/// What a report has of a run.
#[derive(Deserialize)]
struct Saved {
    version: u32,
    run: String,
    subject: String,
    started: Utc,
    provenance: Option<Provenance>,
    members: Vec<MemberOf>,
    complete: bool,
    interrupted: bool,
    conditions: Conditions,
    host: BTreeMap<String, String>,
    measurement: Measurement,
}

/// The run of a report.
///
/// # Errors
/// Why it cannot be read.
pub fn report(bytes: &[u8]) -> Result<RunOf, String> {
    let saved: Saved = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if !(1..=super::VERSION).contains(&saved.version) {
        return Err(format!("it has version {}, and this lp knows 1 to {}", saved.version, super::VERSION));
    }
    let excluded = match (saved.interrupted, saved.complete) {
        (true, _) => Some("it was interrupted".to_owned()),
        (false, false) => {
            Some(excluded_by(&saved.measurement).unwrap_or_else(|| "it is not complete".to_owned()))
        }
        (false, true) => excluded_by(&saved.measurement),
    };
    Ok(RunOf {
        run: saved.run,
        started: saved.started,
        subject: saved.subject,
        conditions: saved.conditions,
        host: saved.host,
        provenance: saved.provenance,
        members: saved.members,
        excluded,
        measurement: saved.measurement,
        boxes: BTreeMap::new(),
    })
}
