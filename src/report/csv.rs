//! The report as CSV: one row per pipeline or script.
//!
//! Columns are only ever added at the end. An empty cell is a figure that is
//! not defined. `docs/measuring.md` describes each column and its unit.

use super::Report;
use crate::record::measure::{CameraFigures, Percentiles, StreamFigures, WorkerFigures};
use crate::record::{Isolation, Pace};

/// What a row is about.
pub(super) struct Row<'a> {
    pub(super) report: Report<'a>,
    pub(super) camera: &'a CameraFigures,
    pub(super) stream: &'a StreamFigures,
}

pub(super) type Column = (&'static str, fn(&Row<'_>) -> String);

/// Name and value of each column.
pub(super) const COLUMNS: [Column; 35] = [
    ("run", |row| row.report.run.to_owned()),
    ("subject", |row| row.report.record.subject.clone()),
    ("started_utc", |row| row.report.record.started.to_string()),
    ("camera", |row| row.camera.camera.clone()),
    ("member", |row| row.camera.slug.to_string()),
    ("stream", |row| row.stream.stream.clone()),
    ("workloads", |row| row.stream.workloads.join("; ")),
    ("verdict", |row| row.stream.verdict.to_string()),
    ("reason", |row| row.stream.reason.clone().unwrap_or_default()),
    ("target_fps", |row| row.camera.target_fps.to_string()),
    ("fps", |row| cell(row.stream.fps)),
    ("fps_low", |row| cell(row.stream.fps_interval.map(|interval| interval.low))),
    ("fps_high", |row| cell(row.stream.fps_interval.map(|interval| interval.high))),
    ("window_s", |row| cell(row.stream.window_us.map(|us| us as f64 / 1e6))),
    ("frames", |row| count(row.stream.frames)),
    ("dropped", |row| count(row.stream.dropped)),
    ("dropped_percent", |row| hundredfold(row.stream.dropped_share)),
    ("latency_p50_ms", |row| latency(row, |latency| latency.p50)),
    ("latency_p95_ms", |row| latency(row, |latency| latency.p95)),
    ("latency_p99_ms", |row| latency(row, |latency| latency.p99)),
    ("worker_cpu_percent_of_core", |row| worker(row, |worker| hundredfold(worker.cpu))),
    ("worker_memory_max_mib", |row| worker(row, |worker| mib(worker.rss_max))),
    ("machine_cpu_percent", |row| hundredfold(row.report.measurement.machine.cpu)),
    ("machine_memory_max_mib", |row| mib(row.report.measurement.machine.memory_max)),
    ("pace", |row| match row.report.record.conditions.pace {
        Pace::Live => "live".to_owned(),
        Pace::Free => "free".to_owned(),
    }),
    ("isolation", |row| match row.report.record.conditions.isolation {
        Isolation::Camera => "camera".to_owned(),
        Isolation::Lane => "lane".to_owned(),
    }),
    ("duration_s", |row| (row.report.record.conditions.duration_ms as f64 / 1e3).to_string()),
    ("warmup_s", |row| (row.report.record.conditions.warmup_ms as f64 / 1e3).to_string()),
    ("count", |row| row.report.record.conditions.count.to_string()),
    ("repeat", |row| row.report.record.conditions.repeat.to_string()),
    ("interrupted", |row| row.report.record.interrupted.to_string()),
    ("host", |row| super::host(&row.report.record.host)),
    ("kind", |row| if row.stream.script.is_some() { "script" } else { "pipeline" }.to_owned()),
    ("script", |row| row.stream.script.as_ref().map(|script| script.script.clone()).unwrap_or_default()),
    ("script_exit", |row| row.stream.script.as_ref().and_then(|one| one.exit.clone()).unwrap_or_default()),
];

/// The report as CSV.
#[must_use]
pub fn csv(report: &Report<'_>) -> String {
    let header = COLUMNS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let rows = rows(report).map(|row| COLUMNS.iter().map(|(_, value)| value(&row)).collect());
    write(std::iter::once(header).chain(rows))
}

/// The pipelines of a report.
pub(super) fn rows<'a>(report: &Report<'a>) -> impl Iterator<Item = Row<'a>> {
    let report = *report;
    report
        .measurement
        .cameras
        .iter()
        .flat_map(move |camera| camera.streams.iter().map(move |stream| Row { report, camera, stream }))
}

/// Records as CSV.
pub(super) fn write(records: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record).expect("a vector takes all bytes, and all records are as long");
    }
    let bytes = writer.into_inner().expect("a vector takes all bytes");
    String::from_utf8(bytes).expect("all cells are UTF-8")
}

fn cell(figure: Option<f64>) -> String {
    figure.map(|figure| figure.to_string()).unwrap_or_default()
}

fn count(count: Option<u64>) -> String {
    count.map(|count| count.to_string()).unwrap_or_default()
}

/// A share as a percentage; four decimals are all that a share has.
fn hundredfold(share: Option<f64>) -> String {
    cell(share.map(|share| (share * 1e6).round() / 1e4))
}

fn mib(bytes: Option<u64>) -> String {
    bytes.map(|bytes| format!("{:.1}", bytes as f64 / f64::from(1 << 20))).unwrap_or_default()
}

fn latency(row: &Row<'_>, which: fn(&Percentiles) -> u32) -> String {
    cell(row.stream.latency_us.as_ref().map(|latency| f64::from(which(latency)) / 1e3))
}

/// A figure of the worker that plays only this member.
fn worker(row: &Row<'_>, which: fn(&WorkerFigures) -> String) -> String {
    row.report.measurement.own_worker(&row.camera.slug).map(which).unwrap_or_default()
}
