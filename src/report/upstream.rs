//! A run in the forms of upstream: `metrics.csv` as its `consolidate-metrics` writes it, and the manifest of the
//! streams.
//!
//! Rows, their order, their names and the form of numbers are upstream's (two columns, no header, lines that end in CR
//! and LF, decimals as Python prints them); the figures are those of the run's window and of the right streams. A
//! figure that is not known has no row, or is `NA` where upstream has that. `Camera_<i>` is the number of
//! the stream in the manifest, from 0.
//!
//! Not here: reading upstream's files (`record::upstream_results`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::Report;
use crate::record::collector::PREFIX;
use crate::record::measure::{Measurement, StreamFigures};
use crate::record::{Member, RunRecord};

/// The most sockets of a machine.
const MOST_SOCKETS: usize = 64;

/// A row of `metrics.csv`.
type Row = (String, String);

/// The engines of a GPU as upstream calls them, and as drivers and `qmassa` do.
const ENGINES: [(&str, &[&str]); 5] = [
    ("Compute[CCS] Utilization %", &["ccs", "compute"]),
    ("Render/3D[RCS] Utilization %", &["rcs", "render"]),
    ("Video[VCS] Utilization %", &["vcs", "video"]),
    ("VideoEnhance[VECS] Utilization %", &["vecs", "video-enhance"]),
    ("Blitter Copy Engine %", &["bcs", "copy"]),
];

/// `metrics.csv`
#[must_use]
pub fn metrics(report: &Report<'_>) -> String {
    let Report { record, measurement, .. } = report;
    let mut rows: Vec<Row> = Vec::new();
    for (at, stream) in streams(record).iter().enumerate() {
        let fps = measurement.stream(&stream.name).and_then(|figures| figures.fps);
        rows.push((format!("Camera_{at} FPS"), fps.map_or_else(|| "NA".to_owned(), python)));
    }
    let channels = channels(record, measurement);
    // The digits in the name of the launch's log.
    let of_file = record.imported.as_ref().and_then(|imported| imported.timestamp.clone());
    let number = of_file.unwrap_or_else(|| record.started.compact().replace(['T', 'Z'], ""));
    for (name, value) in [
        ("Latency", (|one| one.median) as fn(&Channel) -> f64),
        ("Average Latency", |one| one.mean),
        ("Stddev Latency", |one| one.deviation),
    ] {
        if !channels.is_empty() {
            let values =
                channels.iter().map(|one| format!("{}: {}", one.name, python(rounded(value(one), 3))));
            let name = format!("For Pipeline_{number} run per frame {name} (ms) for Channel(source_sink)");
            rows.push((name, values.collect::<Vec<_>>().join(", ")));
        }
    }
    rows.extend(machine(record, measurement));
    rows.extend(gpus(measurement));
    if let Some(imported) = &record.imported {
        for mean in imported.means.iter().filter(|mean| mean.file.ends_with("windows_metrics.json")) {
            if rows.iter().all(|(name, _)| *name != mean.name) {
                rows.push((mean.name.clone(), python(mean.value)));
            }
        }
    }
    let worst = channels.iter().map(|one| rounded(one.median, 3)).reduce(f64::max);
    rows.extend(worst.map(|worst| ("Overall Latency (ms)".to_owned(), python(worst))));
    rows.iter().map(|(name, value)| format!("{},{}\r\n", field(name), field(value))).collect()
}

/// The mean of a series over the window.
fn mean(measurement: &Measurement, name: &str) -> Option<f64> {
    measurement.machine.series.iter().find(|series| series.name == name).map(|series| series.mean)
}

/// The sum of the means of the series whose names begin and end so; `None` if there are none.
fn sum(measurement: &Measurement, begin: &str, end: &str) -> Option<f64> {
    let series = measurement.machine.series.iter();
    let found = series.filter(|one| one.name.starts_with(begin) && one.name.ends_with(end));
    found.map(|series| series.mean).reduce(|a, b| a + b)
}

fn machine(record: &RunRecord, measurement: &Measurement) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |name: String, value: Option<f64>| {
        rows.extend(value.map(|value| (name, python(value))));
    };
    let percent = |share: f64| rounded(share * 100.0, 2);
    add("CPU Utilization %".to_owned(), measurement.machine.cpu.map(percent));
    let npu = mean(measurement, "npu.accel0.busy").or_else(|| mean(measurement, "collector.npu.usage"));
    add("NPU Utilization %".to_owned(), npu.map(|share| share * 100.0));
    let used = mean(measurement, "machine.memory").zip(total_memory(record, measurement));
    add("Memory Utilization %".to_owned(), used.map(|(used, total)| percent(used / total)));
    let mega = |bytes: f64| rounded(bytes / 1e6, 2);
    for (name, own, of_iotop) in [
        ("Disk Read MB/s", ".read", "collector.iotop.total.read"),
        ("Disk Write MB/s", ".written", "collector.iotop.total.written"),
    ] {
        let bytes = mean(measurement, of_iotop).or_else(|| sum(measurement, "disk.", own));
        add(name.to_owned(), bytes.map(mega));
    }
    // All sockets' bandwidths come before their power.
    for socket in 0..MOST_SOCKETS {
        let of = |what: &str| {
            let name = |pcm: &&str| format!("{PREFIX}{pcm}.socket{socket}.memory.{what}");
            ["pcm", "windows_pcm"].iter().find_map(|pcm| mean(measurement, &name(pcm)))
        };
        let bytes = of("read").zip(of("written")).map(|(read, written)| mega(read + written));
        add(format!("S{socket} Memory Bandwidth Usage MB/s"), bytes);
    }
    for socket in 0..MOST_SOCKETS {
        let watts = mean(measurement, &format!("power.package_{socket}"));
        add(format!("S{socket} Power Draw W"), watts.map(|watts| rounded(watts, 2)));
    }
    rows
}

/// The machine's memory in bytes.
fn total_memory(record: &RunRecord, measurement: &Measurement) -> Option<f64> {
    if let Some(total) = mean(measurement, "collector.free.memory.total") {
        return Some(total).filter(|total| *total > 0.0);
    }
    let mebibytes: f64 = record.host.facts.get("memory")?.strip_suffix(" MiB")?.parse().ok()?;
    (mebibytes > 0.0).then_some(mebibytes * f64::from(1 << 20))
}

fn gpus(measurement: &Measurement) -> Vec<Row> {
    // Of each GPU the share of each engine: `own` and `foreign` are parts of it.
    let mut gpus: BTreeMap<String, BTreeMap<&str, f64>> = BTreeMap::new();
    let mut watts: BTreeMap<String, f64> = BTreeMap::new();
    for series in &measurement.machine.series {
        let of_driver = series.name.strip_prefix("gpu.card").and_then(|rest| rest.split_once('.'));
        let of_qmassa = series.name.strip_prefix("collector.qmassa.").and_then(|rest| {
            let at = rest.find(".engine.").or_else(|| rest.find(".power."))?;
            Some((&rest[..at], &rest[at + 1..]))
        });
        let Some((card, what)) = of_driver.or(of_qmassa) else { continue };
        let what = what.strip_prefix("engine.").unwrap_or(what);
        let engine = what.strip_suffix(".own").or(what.strip_suffix(".foreign")).unwrap_or(what);
        if let Some((name, _)) = ENGINES.iter().find(|(_, names)| names.contains(&engine)) {
            *gpus.entry(card.to_owned()).or_default().entry(name).or_default() += series.mean;
        }
        if what == "power" || what == "power.package" {
            watts.insert(card.to_owned(), series.mean);
        }
    }
    let mut rows = Vec::new();
    for (at, (card, engines)) in gpus.iter().enumerate() {
        // A card has its own number, a PCI address has none.
        let number = card.parse::<usize>().unwrap_or(at);
        for (name, _) in ENGINES {
            let share =
                engines.get(name).map_or_else(|| "NA".to_owned(), |share| python(rounded(share * 100.0, 2)));
            rows.push((format!("GPU_{number} {name}"), share));
        }
        let power = watts.get(card).map_or_else(|| "NA".to_owned(), |watts| python(rounded(*watts, 2)));
        rows.push((format!("GPU_{number} GPU Power (W)"), power));
    }
    rows
}

/// Latencies from an element to another, in milliseconds.
struct Channel {
    name: String,
    median: f64,
    mean: f64,
    /// Of a sample.
    deviation: f64,
}

fn channels(record: &RunRecord, measurement: &Measurement) -> Vec<Channel> {
    let mut channels = Vec::new();
    let mut add = |name: String, latency_us: Vec<u32>| {
        let mut values: Vec<f64> = latency_us.into_iter().map(|us| f64::from(us) / 1e3).collect();
        if values.is_empty() {
            return;
        }
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 };
        channels.push(Channel {
            name,
            median: f64::midpoint(values[(n - 1) / 2], values[n / 2]),
            mean,
            deviation,
        });
    };
    for member in &record.members {
        for stream in &member.streams {
            let is_whole = measurement.stream(&stream.stream).is_some_and(StreamFigures::has_window);
            if is_whole {
                add(stream.stream.replace('/', "_"), stream.latency_us.iter().flatten().copied().collect());
            }
        }
        for channel in member.scripts.iter().flat_map(|script| &script.latencies) {
            if let Some((source, sink)) = channel.source.as_ref().zip(channel.sink.as_ref()) {
                add(format!("{source}_{sink}"), channel.latency_us.clone());
            }
        }
    }
    channels
}

/// A stream as the manifest has it.
#[derive(Serialize)]
struct ManifestStream<'a> {
    fpscounter: &'a str,
    log_index: usize,
    lane: u32,
    camera_index: usize,
    camera_id: &'a str,
    branch: usize,
    workloads: &'a [String],
    #[serde(skip)]
    name: String,
}

#[derive(Serialize)]
struct Manifest<'a> {
    streams: Vec<ManifestStream<'a>>,
}

/// The manifest of a run's streams in upstream's form. `camera_index` counts the cameras of the run, and
/// `fpscounter` is the name of the stream.
#[must_use]
pub fn stream_manifest(record: &RunRecord) -> String {
    let manifest = Manifest { streams: streams(record) };
    let mut text = serde_json::to_string_pretty(&manifest).expect("texts and numbers become JSON");
    text.push('\n');
    text
}

fn streams(record: &RunRecord) -> Vec<ManifestStream<'_>> {
    let mut cameras: Vec<&str> = Vec::new();
    let mut seen: BTreeMap<usize, u32> = BTreeMap::new();
    let mut streams = Vec::new();
    for member in &record.members {
        let camera_index = cameras.iter().position(|camera| *camera == member.camera).unwrap_or_else(|| {
            cameras.push(&member.camera);
            cameras.len() - 1
        });
        let copies = seen.entry(camera_index).or_default();
        let lane = *copies;
        *copies += 1;
        for (branch, (name, workloads)) in of_member(member).into_iter().enumerate() {
            let log_index = streams.len();
            streams.push(ManifestStream {
                fpscounter: name,
                log_index,
                lane,
                camera_index,
                camera_id: &member.camera,
                branch,
                workloads,
                name: name.to_owned(),
            });
        }
    }
    streams
}

/// The pipelines and scripts of a camera, in the order of its plan.
fn of_member(member: &Member) -> Vec<(&str, &[String])> {
    let streams = member.streams.iter().map(|one| (one.index, one.stream.as_str(), &one.workloads[..]));
    let scripts = member.scripts.iter().map(|one| (one.index, one.stream.as_str(), &one.workloads[..]));
    let mut all: Vec<_> = streams.chain(scripts).collect();
    all.sort_by_key(|(index, ..)| *index);
    all.into_iter().map(|(_, name, workloads)| (name, workloads)).collect()
}

fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    (value * factor).round() / factor
}

/// A number as Python prints it: the shortest text that gives the same number, always with a decimal point or an
/// exponent of two digits.
fn python(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{value:?}")
}

/// A field of CSV as Python's `csv.writer` writes it.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::record::fixture::{copies, six_cameras};
    use crate::record::measure::measure;

    #[test]
    fn numbers_and_fields_are_pythons() {
        let numbers = [15.0, 22.1, 0.1 + 0.2, 1e-5, 1.5e16, 0.0, 123_456.789, 0.0001];
        let texts: Vec<String> = numbers.into_iter().map(python).collect();
        assert_eq!(
            texts,
            ["15.0", "22.1", "0.30000000000000004", "1e-05", "1.5e+16", "0.0", "123456.789", "0.0001"]
        );
        assert_eq!(field("a, \"b\""), "\"a, \"\"b\"\"\"");
    }

    #[test]
    fn a_run_has_upstreams_rows() {
        let record = six_cameras();
        let measurement = measure(&record);
        let text = metrics(&Report { run: "r", record: &record, measurement: &measurement });
        let text: Vec<&str> = text.split_terminator("\r\n").collect();
        expect![[r#"
            Camera_0 FPS,14.999529
            Camera_1 FPS,15.0008
            Camera_2 FPS,15.000501
            Camera_3 FPS,14.999529
            Camera_4 FPS,15.000737
            Camera_5 FPS,13.935547
            Camera_6 FPS,14.999529
            For Pipeline_20261124064200 run per frame Latency (ms) for Channel(source_sink),"camera-1_1: 10.608, camera-2_1: 10.608, camera-3_1: 10.608, camera-3_2: 10.608, camera-4_1: 10.513, camera-5_1: 70.608, camera-6_1: 10.608"
            For Pipeline_20261124064200 run per frame Average Latency (ms) for Channel(source_sink),"camera-1_1: 12.171, camera-2_1: 12.176, camera-3_1: 12.182, camera-3_2: 12.152, camera-4_1: 12.093, camera-5_1: 72.148, camera-6_1: 12.174"
            For Pipeline_20261124064200 run per frame Stddev Latency (ms) for Channel(source_sink),"camera-1_1: 5.566, camera-2_1: 5.554, camera-3_1: 5.56, camera-3_2: 5.555, camera-4_1: 5.514, camera-5_1: 5.535, camera-6_1: 5.566"
            CPU Utilization %,35.21
            Memory Utilization %,34.18
            Overall Latency (ms),70.608"#]].assert_eq(&text.join("\n"));
    }

    #[test]
    fn copies_are_lanes_of_the_manifest() {
        let record = copies(2, &[&[15, 15], &[15, 15]], 0.3);
        let manifest: serde_json::Value = serde_json::from_str(&stream_manifest(&record)).unwrap();
        let of = |key: &str| -> Vec<String> {
            manifest["streams"].as_array().unwrap().iter().map(|stream| stream[key].to_string()).collect()
        };
        assert_eq!(of("lane"), ["0", "0", "1", "1"]);
        assert_eq!(of("camera_index"), ["0", "1", "0", "1"]);
        assert_eq!(of("log_index"), ["0", "1", "2", "3"]);
    }
}
