//! The report for a terminal: plain text, readable without colour, the verdict
//! in its last line.

use super::grid::grid;
use super::{
    NONE, Report, absent, cpu_range, dropped, failures, fps, gaps, mebibytes, millis, percent, stolen,
    subject, target, verdict,
};
use crate::record::measure::{CameraFigures, StreamFigures, Verdict};
use crate::text::harmless_lines;

const HEADER: [&str; 9] = [
    "camera",
    "workloads",
    "target",
    "fps",
    "latency ms\np50/p95/p99",
    "dropped\n%",
    "CPU %\nof a core",
    "memory\nMiB",
    "verdict",
];

/// The width of the labels in the head.
const LABEL: usize = 10;

/// The report as text.
#[must_use]
pub fn table(report: &Report<'_>) -> String {
    let measurement = report.measurement;
    let head = subject::head(report);
    let mut lines: Vec<String> =
        head.iter().map(|fact| format!("{:<LABEL$}  {}", fact.label, fact.value)).collect();
    lines.push(String::new());

    let mut rows = Vec::new();
    for camera in &measurement.cameras {
        for (index, stream) in camera.streams.iter().enumerate() {
            rows.push(row(report, camera, stream, index == 0));
        }
        for (index, left) in camera.left_out.iter().enumerate() {
            let first = camera.streams.is_empty() && index == 0;
            let mut cells = vec![String::new(); HEADER.len()];
            cells[0] = if first { name(camera) } else { String::new() };
            cells[1] = left.workloads.join("\n");
            cells[HEADER.len() - 1] = format!("left out: {}", left.reason);
            rows.push(cells);
        }
    }
    lines.extend(grid(&HEADER, &[2, 3, 4, 5, 6, 7], rows, None));
    lines.push(String::new());

    for worker in measurement.workers.iter().filter(|worker| shared(report, &worker.name)) {
        let (cpu, memory) = (percent(worker.cpu, 0), mebibytes(worker.rss_max));
        lines.push(format!("worker {}: CPU {cpu} % of a core, memory {memory} MiB", worker.name));
    }
    let machine = &measurement.machine;
    lines.push(format!(
        "machine: CPU {}{} % of all cores{}, memory {} MiB in use at most",
        percent(machine.cpu, 1),
        cpu_range(machine),
        stolen(machine),
        mebibytes(machine.memory_max)
    ));
    lines.extend(gaps(report).into_iter().map(|gap| format!("note: {gap}")));
    for failure in failures(report) {
        lines.push(format!("failed: {}: {}", failure.title, failure.reason));
        lines.extend(failure.tail.lines().map(|line| format!("  | {line}")));
    }
    lines.push(measurement.verdict.clone());
    let mut text = harmless_lines(&lines.join("\n"));
    text.push('\n');
    text
}

/// Whether a worker plays more than one member, so that no row shows it.
fn shared(report: &Report<'_>, worker: &str) -> bool {
    report.record.members.iter().all(|member| member.slug.as_str() != worker)
}

fn name(camera: &CameraFigures) -> String {
    if camera.slug.as_str() == camera.camera {
        camera.camera.clone()
    } else {
        format!("{} ({})", camera.camera, camera.slug)
    }
}

fn row(report: &Report<'_>, camera: &CameraFigures, stream: &StreamFigures, first: bool) -> Vec<String> {
    let worker = report.measurement.own_worker(&camera.slug).filter(|_| first);
    let latency = stream.latency_us.map_or_else(
        || absent(stream).to_owned(),
        |latency| [latency.p50, latency.p95, latency.p99].map(millis).join("/"),
    );
    let reason = stream.reason.as_ref().map(|reason| reason.replace("; ", "\n"));
    let verdict = match (stream.verdict, reason) {
        // Failures follow the table, with their causes.
        (Verdict::Failed, _) | (_, None) => verdict(stream.verdict),
        (Verdict::NotJudged, Some(reason)) => reason,
        (_, Some(reason)) => format!("{}: {reason}", verdict(stream.verdict)),
    };
    let cells = [
        if first { name(camera) } else { String::new() },
        stream.workloads.join("\n"),
        target(report.record, camera.target_fps),
        fps(stream),
        latency,
        dropped(stream),
        worker.map_or_else(|| if first { NONE.to_owned() } else { String::new() }, |w| percent(w.cpu, 0)),
        worker.map_or_else(|| if first { NONE.to_owned() } else { String::new() }, |w| mebibytes(w.rss_max)),
        verdict,
    ];
    cells.to_vec()
}
