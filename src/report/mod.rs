//! Reports of one run: a table for the terminal, JSON, CSV, one HTML file, and
//! the benchmark of each of its cameras.
//!
//! All pure, and the same record makes the same bytes. Every form shows a
//! run's conditions and host with its figures, and the reason for each missing
//! figure. Names and texts of workers are untrusted: HTML escapes
//! them, and control characters never reach a terminal ([`harmless_lines`]).
//!
//! Not here: computing figures (`record::measure`) and writing files (`action`).

pub mod bench;
mod benchmark;
mod cases;
pub mod comparison;
mod csv;
pub mod density;
mod energy;
mod estimate;
pub mod grid;
mod html;
mod imported;
mod inference;
mod json;
mod junit;
pub mod lanes;
mod markdown;
mod network;
pub mod openmetrics;
mod png;
mod sarif;
pub mod saved;
mod sightings;
mod soak;
mod subject;
mod table;
#[cfg(test)]
mod tests;
mod thresholds;
pub mod trace;
pub mod units;
mod upstream;

pub use self::benchmark::{benchmark_csv, benchmark_json};
pub use self::csv::csv;
pub use self::html::{html, live, not_begun};
pub use self::json::json;
pub use self::junit::{density_junit, junit};
pub use self::markdown::{density_markdown, markdown};
pub use self::png::png;
pub use self::sarif::{Places, density_sarif, sarif};
pub use self::table::table;
pub use self::trace::trace;
pub use self::upstream::{metrics, stream_manifest};

use crate::collect::{gpu, machine, npu, nvidia};
use crate::model::Settings;
use crate::record::collector;
use crate::record::measure::{MachineFigures, Measurement, StreamFigures, Verdict, number};
use crate::record::{Conditions, Host, Isolation, Pace, RunRecord, WorkerRecord};
use crate::text::harmless_lines;
use crate::time::duration_text;

/// The version of the JSON and CSV documents.
pub const VERSION: u32 = 8;

/// The data of a report.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The run's id: `20261124T064200Z-9f2c41`.
    pub run: &'a str,
    /// The record of the run.
    pub record: &'a RunRecord,
    /// The figures of `record`.
    pub measurement: &'a Measurement,
}

/// The mark of an undefined figure.
const NONE: &str = "-";
/// The mark of a figure that a script did not print.
const NOT_MEASURED: &str = "not measured";

/// The mark of an absent figure.
fn absent(stream: &StreamFigures) -> &'static str {
    if stream.script.is_some() { NOT_MEASURED } else { NONE }
}

/// The share of dropped frames in percent.
fn dropped(stream: &StreamFigures) -> String {
    match stream.dropped {
        None => absent(stream).to_owned(),
        Some(_) => percent(stream.dropped_share, 2),
    }
}

/// The warm-up as asked for: `2s`, `2s to 10s`.
fn warmup(conditions: &Conditions) -> String {
    let text = |ms| duration_text(std::time::Duration::from_millis(ms));
    match conditions.warmup_is_auto {
        true => format!("{} to {}", text(conditions.warmup_ms), text(Settings::AUTO_WARMUP_MOST_MS)),
        false => text(conditions.warmup_ms),
    }
}

/// The conditions in one line.
fn conditions(conditions: &Conditions) -> String {
    let millis = std::time::Duration::from_millis;
    let warmup = warmup(conditions);
    let length = match (conditions.pace, conditions.duration_ms) {
        (Pace::Free, _) => "one pass as fast as the machine can".to_owned(),
        (Pace::Live, 0) => {
            format!("until stopped, after {warmup} of warm-up")
        }
        (Pace::Live, duration) => {
            format!("{} after {warmup} of warm-up, live pace", duration_text(millis(duration)))
        }
    };
    let isolation = match conditions.isolation {
        Isolation::Camera => "a worker per camera",
        Isolation::Lane => "one worker for all",
    };
    let copies = match conditions.count {
        0 | 1 => String::new(),
        count => format!(", {count} copies of the lane"),
    };
    let network =
        conditions.impair.map_or_else(String::new, |impair| format!(", impaired network ({impair})"));
    let traced = if conditions.traced { ", traced" } else { "" };
    let decode_only = if conditions.decode_only { "decode only: every step is left out; " } else { "" };
    format!("{decode_only}{length}, {isolation}{copies}{network}{traced}, repeat {}", conditions.repeat)
}

/// The host in one line.
fn host(host: &Host) -> String {
    let facts: Vec<String> = host.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    if facts.is_empty() { "unknown host".to_owned() } else { facts.join(", ") }
}

/// A frame rate with the range of whole seconds, or of a script's lines:
/// `14.98 (14..16)`.
fn fps(stream: &StreamFigures) -> String {
    match (stream.fps, stream.fps_range) {
        (None, _) => absent(stream).to_owned(),
        (Some(fps), None) => format!("{fps:.2}"),
        (Some(fps), Some(range)) => format!("{fps:.2} ({}..{})", number(range.min), number(range.max)),
    }
}

/// The range of the samples of the machine's CPU, in percent: ` (30..33)`; nothing
/// without samples.
fn cpu_range(machine: &MachineFigures) -> String {
    let tenths = |share: f64| number((share * 1000.0).round() / 10.0);
    let range = machine.cpu_range.map(|range| format!(" ({}..{})", tenths(range.min), tenths(range.max)));
    range.unwrap_or_default()
}

/// Time that a hypervisor stole, if it did: `, 2.1 % stolen`.
fn stolen(machine: &MachineFigures) -> String {
    let worth_telling = machine.steal.filter(|steal| *steal >= 0.000_5);
    worth_telling.map_or_else(String::new, |steal| format!(", {:.1} % stolen", steal * 100.0))
}

fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or_else(|| NONE.to_owned(), |share| format!("{:.decimals$}", share * 100.0))
}

fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| NONE.to_owned(), |bytes| format!("{:.0}", bytes as f64 / f64::from(1 << 20)))
}

fn millis(us: u32) -> String {
    format!("{:.1}", f64::from(us) / 1000.0)
}

/// Remarks about figures, and why some are missing: each reason once, with its
/// streams.
fn gaps(report: &Report<'_>) -> Vec<String> {
    let Report { measurement, .. } = report;
    let mut gaps = Vec::new();
    let mut add = |reason: String, about: &str| add_to(&mut gaps, reason, about);
    for stream in measurement.cameras.iter().flat_map(|camera| &camera.streams) {
        stream.notes.iter().for_each(|note| add(note.clone(), &stream.stream));
        // The reason for a stream's verdict is also that for its missing figures.
        let is_known = stream.verdict == Verdict::Failed || stream.window_us.is_none();
        if let Some(reason) = stream.no_latency.as_ref().filter(|_| !is_known) {
            add(format!("no latency: {reason}"), &stream.stream);
        }
        if stream.frames_without_latency > 0 && stream.latency_us.is_some() {
            let (n, all) = (stream.frames_without_latency, stream.frames.unwrap_or(0));
            add(format!("latency unknown for {n} of {all} frames"), &stream.stream);
        }
    }
    for worker in &measurement.workers {
        if let Some(reason) = &worker.reason {
            add(format!("no CPU and memory: {reason}"), &format!("worker {}", worker.name));
        }
    }
    if let Some(reason) = &measurement.machine.reason {
        add(format!("no CPU and memory: {reason}"), machine::NAME);
    }
    for beside in &report.record.collectors {
        let name = format!("collector {}", beside.id());
        beside.remarks.iter().for_each(|remark| add(remark.clone(), &name));
    }
    told(gaps)
}

/// What collectors could not measure, and why: each reason once.
fn unmeasured(record: &RunRecord) -> Vec<String> {
    let mut gaps = Vec::new();
    missing(record).for_each(|(collector, reason)| add_to(&mut gaps, reason.clone(), collector));
    told(gaps)
}

/// The same in a line, since most machines lack some, and no verdict needs most of them.
fn unmeasured_briefly(record: &RunRecord) -> Option<String> {
    let is_told = |collector: &&String| !is_absent(record, collector);
    let names: Vec<String> =
        missing(record).map(|(collector, _)| collector).filter(is_told).cloned().collect();
    (!names.is_empty()).then(|| {
        harmless_lines(&format!("not measured: {} (report.html and `lp doctor` say why)", some(&names)))
    })
}

/// Whether the machine has nothing that this collector measures, so that nothing is missing.
fn is_absent(record: &RunRecord, collector: &str) -> bool {
    let has = |fact: &str, drivers: &[&str]| {
        let devices = record.host.facts.get(fact);
        devices.is_none_or(|devices| drivers.iter().any(|driver| devices.contains(driver)))
    };
    match collector {
        gpu::NAME => !has("gpu", &["i915", "xe", "amdgpu"]),
        nvidia::NAME => !has("gpu", &["nvidia"]),
        npu::NAME => !has("npu", &["intel_vpu"]),
        _ => false,
    }
}

/// Collectors without values, and the reasons; the machine's is among its figures.
fn missing(record: &RunRecord) -> impl Iterator<Item = (&String, &String)> {
    // What programs of the user's lack is among their remarks.
    let is_told = |name: &str| name == machine::NAME || name.starts_with(collector::PREFIX);
    record.missing.iter().filter(move |(collector, _)| !is_told(collector))
}

/// Adds something to those of a reason.
fn add_to(gaps: &mut Vec<(String, Vec<String>)>, reason: String, about: &str) {
    match gaps.iter_mut().find(|(known, _)| *known == reason) {
        Some((_, all)) => all.push(about.to_owned()),
        None => gaps.push((reason, vec![about.to_owned()])),
    }
}

fn told(gaps: Vec<(String, Vec<String>)>) -> Vec<String> {
    gaps.into_iter().map(|(reason, about)| harmless_lines(&format!("{}: {reason}", some(&about)))).collect()
}

/// The most names of one remark; JSON has all.
const MOST_NAMES: usize = 4;

/// `a, b, c and 33 more`
fn some(names: &[String]) -> String {
    match names.len() {
        n if n <= MOST_NAMES => names.join(", "),
        n => format!("{} and {} more", names[..MOST_NAMES - 1].join(", "), n - MOST_NAMES + 1),
    }
}

/// A failure, and its known cause.
struct Failure<'a> {
    /// `camera-3/1 of Self-checkout`, or `worker camera-3`.
    title: String,
    reason: &'a str,
    /// The tail of the worker's stderr, or of a script's output; empty if there is none
    /// about this failure.
    tail: &'a str,
}

/// The most lines of a script's output that are shown where it has failed.
const TAIL_LINES: usize = 20;

/// The last lines of a text, at most [`TAIL_LINES`] and some kilobytes.
fn last_lines(text: &str) -> &str {
    let text = text.trim_end();
    let lines = text.rmatch_indices('\n').nth(TAIL_LINES - 1).map_or(0, |(at, _)| at + 1);
    let mut begin = lines.max(text.len().saturating_sub(4_096));
    while !text.is_char_boundary(begin) {
        begin += 1;
    }
    &text[begin..]
}

/// The streams and scripts that failed, then the workers that died, each with
/// its tail once.
fn failures<'a>(report: &Report<'a>) -> Vec<Failure<'a>> {
    let mut failures = Vec::new();
    let scripts = || report.record.members.iter().flat_map(|member| &member.scripts);
    for (camera, stream, reason) in report.record.failures() {
        let output = scripts().find(|script| script.stream == stream).map(|script| script.output.as_str());
        let title = format!("{stream} of {camera}");
        failures.push(Failure { title, reason, tail: last_lines(output.unwrap_or_default()) });
    }
    let tells = |worker: &&WorkerRecord| worker.death.is_some() || !worker.stderr_tail.is_empty();
    if let Some(server) = report.record.server.as_ref().filter(tells) {
        failures.push(Failure {
            title: server.name.clone(),
            reason: server.death.as_deref().unwrap_or("the end of its stderr"),
            tail: &server.stderr_tail,
        });
    }
    for worker in report.record.workers.iter().filter(tells) {
        failures.push(Failure {
            title: format!("worker {}", worker.name),
            reason: worker.death.as_deref().unwrap_or("the end of its stderr"),
            tail: &worker.stderr_tail,
        });
    }
    failures
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::NotJudged => NONE.to_owned(),
        other => other.to_string(),
    }
}

/// The share of frames on time in percent. It is cut, not rounded: 100.00 is all of them.
fn on_time(stream: &StreamFigures) -> String {
    let percent = |share: f64| format!("{:.2}", (share * 1e4).floor() / 1e2);
    stream.on_time.map_or_else(|| absent(stream).to_owned(), |on_time| percent(on_time.share))
}

fn target(record: &RunRecord, fps: f64) -> String {
    match record.conditions.pace {
        Pace::Live if record.imported.is_some() && fps <= 0.0 => NONE.to_owned(),
        Pace::Live => number(fps),
        Pace::Free => NONE.to_owned(),
    }
}
