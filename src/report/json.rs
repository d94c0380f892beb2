//! The report as a versioned JSON document.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Report, VERSION};
use crate::record::measure::Measurement;
use crate::record::{Conditions, Host};
use crate::time::Utc;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    run: &'a str,
    subject: &'a str,
    started: Utc,
    complete: bool,
    interrupted: bool,
    conditions: &'a Conditions,
    host: &'a BTreeMap<String, String>,
    missing: &'a BTreeMap<String, String>,
    measurement: &'a Measurement,
}

/// The report as JSON. Shares are 0 to 1, times microseconds, memory bytes; the
/// names say so. `null` is not defined, with its reason beside it.
#[must_use]
pub fn json(report: &Report<'_>) -> String {
    let Report { run, record, measurement } = report;
    let Host { facts } = &record.host;
    pretty(&Document {
        version: VERSION,
        run,
        subject: &record.subject,
        started: record.started,
        complete: record.is_complete(),
        interrupted: record.interrupted,
        conditions: &record.conditions,
        host: facts,
        missing: &record.missing,
        measurement,
    })
}

/// JSON for files: indented, with a line break at its end.
pub(super) fn pretty(document: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("its maps have string keys");
    text.push('\n');
    text
}
