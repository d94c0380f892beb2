//! `benchmark:lane/camera-3` and `report`: the same record in other formats, judged by the
//! limits and the thresholds of the project.

use super::{ActionError, read, read_json, write};
use crate::digest::ContentDigest;
use crate::engine::host::Attempt;
use crate::graph::task::Task;
use crate::model::{Limits, Threshold};
use crate::name::Slug;
use crate::record::RunRecord;
use crate::record::measure::measure;
use crate::report::{self, Report};

pub(super) fn benchmark(
    camera: &Slug,
    limits: Limits,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let mut record: RunRecord = read_json(attempt, &task.inputs[0])?;
    record.conditions.limits = limits;
    let absent = || ActionError::Worker(format!("the record has no camera `{camera}`"));
    let json = report::benchmark_json(&record, camera).ok_or_else(absent)?;
    let csv = report::benchmark_csv(&record, camera).ok_or_else(absent)?;
    write(attempt, &task.outputs[0], json.as_bytes())?;
    write(attempt, &task.outputs[1], csv.as_bytes())
}

pub(super) fn pages(
    limits: Limits,
    thresholds: &[Threshold],
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(), ActionError> {
    let bytes = read(attempt, &task.inputs[0])?;
    let mut record: RunRecord = serde_json::from_slice(&bytes)
        .map_err(|source| ActionError::Malformed { path: task.inputs[0].clone(), source })?;
    record.conditions.limits = limits;
    record.thresholds = thresholds.to_vec();
    let measurement = measure(&record);
    let run = record.run_id(&ContentDigest::of(&bytes));
    let report = Report { run: &run, record: &record, measurement: &measurement };
    write(attempt, &task.outputs[0], report::json(&report).as_bytes())?;
    write(attempt, &task.outputs[1], report::csv(&report).as_bytes())?;
    let page = &task.outputs[2];
    let stem = page.file_name().strip_suffix(".html");
    write(attempt, page, report::html(&report, stem).as_bytes())
}
