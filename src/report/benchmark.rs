//! The benchmark of one camera within a run: one row per workload that was
//! played.
//!
//! A pipeline that serves several workloads appears under each of them, with
//! `shared_with`, so rows must not be added up. Copies of the lane are members
//! of their own and follow one another.

use std::collections::BTreeMap;

use serde::Serialize;

use super::csv::{COLUMNS, Cell, Row, names, text, write};
use super::json::{About, pretty};
use super::{Report, VERSION};
use crate::name::Slug;
use crate::record::measure::fit::Degradation;
use crate::record::measure::{MachineFigures, StreamFigures, WorkerFigures, measure};
use crate::record::{Conditions, OmittedWorkloads, RunRecord};
use crate::time::Utc;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    subject: &'a str,
    started: Utc,
    #[serde(flatten)]
    about: About<'a>,
    camera: &'a str,
    target_fps: f64,
    interrupted: bool,
    degraded: &'a [Degradation],
    conditions: &'a Conditions,
    host: &'a BTreeMap<String, String>,
    rows: Vec<WorkloadRow<'a>>,
    left_out: &'a [OmittedWorkloads],
    workers: Vec<&'a WorkerFigures>,
    machine: &'a MachineFigures,
}

#[derive(Serialize)]
struct WorkloadRow<'a> {
    member: &'a Slug,
    workload: &'a str,
    shared_with: &'a [String],
    pipeline: &'a StreamFigures,
}

/// The benchmark of the camera with this slug as JSON; `None` if the run has no
/// such camera.
#[must_use]
pub fn benchmark_json(record: &RunRecord, camera: &Slug) -> Option<String> {
    let member = record.members.iter().find(|member| member.slug == *camera)?;
    let measurement = measure(record);
    let is_ours = |slug: &Slug| is_copy(record, slug, &member.camera);
    let rows = measurement.workloads.iter().filter(|row| is_ours(&row.slug)).filter_map(|row| {
        let pipeline = measurement.stream(&row.stream)?;
        let (member, workload) = (&row.slug, row.workload.as_str());
        Some(WorkloadRow { member, workload, shared_with: &row.shared_with, pipeline })
    });
    let target = measurement.cameras.iter().find(|figures| figures.slug == *camera);
    let shared = |worker: &&WorkerFigures| {
        let namesake = record.members.iter().find(|member| member.slug.as_str() == worker.name);
        namesake.is_none_or(|member| is_ours(&member.slug))
    };
    Some(pretty(&Document {
        version: VERSION,
        subject: &record.subject,
        started: record.started,
        about: About::of(record, is_ours),
        camera: &member.camera,
        target_fps: target.map_or(member.target_fps, |camera| camera.target_fps),
        interrupted: record.interrupted,
        degraded: &measurement.degraded,
        conditions: &record.conditions,
        host: &record.host.facts,
        rows: rows.collect(),
        left_out: &member.left_out,
        workers: measurement.workers.iter().filter(shared).collect(),
        machine: &measurement.machine,
    }))
}

/// The benchmark of the camera with this slug as CSV: `workload`,
/// `shared_with`, then the columns of the run's CSV but `run`, which a record
/// does not know. `None` if the run has no such camera.
#[must_use]
pub fn benchmark_csv(record: &RunRecord, camera: &Slug) -> Option<String> {
    let member = record.members.iter().find(|member| member.slug == *camera)?;
    let measurement = measure(record);
    let report = Report { run: "", record, measurement: &measurement };
    let columns = || COLUMNS.iter().filter(|(name, _)| *name != "run");

    let mut records: Vec<Vec<Cell>> = Vec::new();
    let header = ["workload", "shared_with"].into_iter().chain(columns().map(|(name, _)| *name));
    records.push(header.map(text).collect());
    for camera in measurement.cameras.iter().filter(|c| is_copy(record, &c.slug, &member.camera)) {
        for stream in &camera.streams {
            for served in measurement.workloads.iter().filter(|row| row.stream == stream.stream) {
                let row = Row { report, camera, stream };
                let values = columns().map(|(_, value)| value(&row));
                let own = [text(&served.workload), names(&served.shared_with)];
                records.push(own.into_iter().chain(values).collect());
            }
        }
    }
    Some(write(records.into_iter()))
}

/// Whether the member of this slug is a copy of `camera`: names of cameras are
/// unique in a project, and copies keep them.
fn is_copy(record: &RunRecord, slug: &Slug, camera: &str) -> bool {
    record.members.iter().any(|member| member.slug == *slug && member.camera == camera)
}
