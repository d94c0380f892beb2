//! The run over time: frame rate and latency of the worst cameras, CPU, GPU, memory and power of the
//! machine, one chart below the other on one time axis.
//!
//! Of many streams the worst are lines, and the rest is an area from the least to the greatest of all
//! in each second: a line for each would hide those that matter.
//!
//! Not here: each camera by itself (`details`).

use std::collections::BTreeMap;

use maud::{Markup, html as markup};

use super::chart::{Band, Chart, Line, Points, Shade};
use super::load::{self, facts};
use super::series;
use crate::collect::machine::MEMORY;
use crate::record::measure::fit::Disturbance;
use crate::record::measure::{CameraFigures, Percentiles, StreamFigures, number};
use crate::record::{Pace, SeriesRecord};
use crate::report::{Report, lanes, units};
use crate::text::{counted, harmless_lines};

/// The most streams that are lines.
const WORST: usize = 3;
/// The most lines of devices.
const MOST_DEVICES: usize = 4;
/// Series of this unit that are no load: flags.
const FLAGS: [&str; 2] = [".slowed", ".power_capped"];

/// The charts and what the machine used; `None` if there is nothing over time.
pub(in crate::report) fn timeline(report: &Report<'_>) -> Option<Markup> {
    let charts = charts(report);
    let facts = facts(report);
    (!charts.is_empty()).then(|| {
        markup! {
            div class="card timeline" {
                @for chart in &charts { (chart.render()) }
                @if let Some(facts) = facts { (facts) }
            }
        }
    })
}

/// The charts of a run, each with the same time axis.
pub(in crate::report) fn charts(report: &Report<'_>) -> Vec<Chart> {
    let shades = shades(report);
    let of_streams = [frame_rate(report), latency(report)];
    let of_machine = [load::cpu(report), devices(report), memory(report), power(report)];
    let mut charts: Vec<Chart> = of_streams.into_iter().chain(of_machine).flatten().collect();
    charts.iter_mut().for_each(|chart| chart.shades.clone_from(&shades));
    // One key for all.
    let others = charts.iter_mut().skip(1).flat_map(|chart| &mut chart.shades);
    others.for_each(|shade| shade.name = "");
    charts
}

/// When all streams were measured, and when the machine was disturbed.
fn shades(report: &Report<'_>) -> Vec<Shade> {
    let seconds = |us: u64| us as f64 / 1e6;
    let spans = |is_foreign: bool| {
        let all = report.measurement.disturbances.iter();
        let of_kind = all.filter(|one: &&Disturbance| one.cause.is_foreign() == is_foreign);
        series::once(of_kind.map(|one| (seconds(one.begin_us), seconds(one.end_us))).collect())
    };
    let window = report.measurement.machine.window_us.map(|(from, to)| (seconds(from), seconds(to)));
    let shades = [
        Shade { name: "all streams are measured", class: "shade", spans: window.into_iter().collect() },
        Shade { name: "machine disturbed", class: "hindered", spans: spans(false) },
        Shade { name: "disturbed by foreign load", class: "disturbed", spans: spans(true) },
    ];
    shades.into_iter().filter(|shade| !shade.spans.is_empty()).collect()
}

/// The worst stream of each camera, the worst camera first.
fn worst<'a>(report: &Report<'a>) -> Vec<(&'a CameraFigures, &'a StreamFigures)> {
    let of = |camera: &'a CameraFigures| {
        let name = camera.worst.as_ref()?;
        Some((camera, camera.streams.iter().find(|stream| stream.stream == *name)?))
    };
    lanes::worst_first(report).into_iter().filter_map(of).collect()
}

/// The lines of the worst streams, and the area of all.
fn of_streams(
    report: &Report<'_>,
    points: &dyn Fn(&StreamFigures) -> Option<(Points, String)>,
) -> (Vec<Line>, Vec<Band>) {
    let line = |stream: &StreamFigures| {
        let (points, how) = points(stream)?;
        Some(Line { name: format!("{}{how}", harmless_lines(&stream.stream)), points })
    };
    let lines: Vec<Line> =
        worst(report).into_iter().filter_map(|(_, stream)| line(stream)).take(WORST).collect();
    let mut seconds: BTreeMap<u64, (f64, f64)> = BTreeMap::new();
    let mut n_streams = 0;
    for stream in report.measurement.cameras.iter().flat_map(|camera| &camera.streams) {
        let Some((points, _)) = points(stream) else { continue };
        n_streams += 1;
        for (at, value) in points.into_iter().filter_map(|(at, value)| Some((at, value?))) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of a run")]
            let range = seconds.entry(at as u64).or_insert((value, value));
            *range = (range.0.min(value), range.1.max(value));
        }
    }
    let area = Band {
        name: format!("all {}", counted(n_streams, "stream")),
        class: "all",
        is_range: true,
        points: seconds.into_iter().map(|(second, range)| (second as f64 + 0.5, Some(range))).collect(),
    };
    let is_needed = n_streams > lines.len() && area.points.len() > 1;
    (lines, is_needed.then_some(area).into_iter().collect())
}

fn frame_rate(report: &Report<'_>) -> Option<Chart> {
    let (lines, bands) = of_streams(report, &|stream| series::frame_rate(report, stream));
    let worst = worst(report);
    let (camera, stream) = worst.first()?;
    let targets: Vec<f64> = report.measurement.cameras.iter().map(|camera| camera.target_fps).collect();
    let is_one = targets.iter().all(|target| *target == targets[0]);
    let target = (report.record.conditions.pace == Pace::Live && is_one)
        .then(|| (format!("target {}", number(camera.target_fps)), camera.target_fps));
    let summary = match stream.fps {
        Some(fps) => format!(
            "the worst is {} with {fps:.2} fps over its window; one point per second",
            harmless_lines(&stream.stream)
        ),
        None => "one point per second".to_owned(),
    };
    chart(report, "Frame rate", "fps", summary, lines, 1.0).map(|chart| Chart { bands, target, ..chart })
}

fn latency(report: &Report<'_>) -> Option<Chart> {
    let (lines, bands) =
        of_streams(report, &|stream| series::latency(report, stream, |latency: &Percentiles| latency.p95));
    let summary = "95th percentile of each second, from the source to the sink".to_owned();
    chart(report, "Latency p95", "ms", summary, lines, 1.0).map(|chart| Chart { bands, ..chart })
}

/// The busiest engines of GPUs and NPUs.
fn devices(report: &Report<'_>) -> Option<Chart> {
    let is_load = |one: &&SeriesRecord| {
        let is_device = one.name.starts_with("gpu.") || one.name.starts_with("npu.");
        one.unit == "1" && is_device && !FLAGS.iter().any(|flag| one.name.ends_with(flag))
    };
    let mean = |one: &SeriesRecord| one.values.iter().sum::<f64>() / one.values.len().max(1) as f64;
    let mut busiest: Vec<&SeriesRecord> = report.record.series.iter().filter(is_load).collect();
    busiest.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    let lines: Vec<Line> =
        busiest.into_iter().take(MOST_DEVICES).map(|one| line(report, one, 100.0)).collect();
    let summary = "share of the time in which an engine was busy".to_owned();
    chart(report, "GPU and NPU", "%", summary, lines, 100.0)
}

fn memory(report: &Report<'_>) -> Option<Chart> {
    let used = report.record.series_of(MEMORY)?;
    let most = report.measurement.machine.memory_max;
    let summary = most.map_or_else(
        || "memory in use".to_owned(),
        |bytes| format!("at most {} in use", units::shown(bytes as f64, "By")),
    );
    let line = Line { name: "in use".to_owned(), ..line(report, used, 1.0 / f64::from(1 << 20)) };
    chart(report, "Memory", "MiB", summary, vec![line], 1.0)
}

fn power(report: &Report<'_>) -> Option<Chart> {
    let energy = report.measurement.energy.as_ref()?;
    let parts = energy.parts.iter().filter_map(|part| report.record.series_of(part));
    let lines: Vec<Line> = parts.take(MOST_DEVICES).map(|part| line(report, part, 1.0)).collect();
    let summary = format!("mean {:.1} W while all streams were measured", energy.watts);
    chart(report, "Power", "W", summary, lines, 1.0)
}

/// A series of the machine. Of a long one, each point is the greatest of a group.
fn line(report: &Report<'_>, series: &SeriesRecord, factor: f64) -> Line {
    let most = super::chart::most_points(report.measurement.totals.pipelines);
    let values: Vec<(f64, f64)> =
        series.points().map(|(at_us, value)| (at_us as f64 / 1e6, value * factor)).collect();
    let group = values.len().div_ceil(most).max(1);
    let greatest = |group: &[(f64, f64)]| group.iter().max_by(|a, b| a.1.total_cmp(&b.1)).copied();
    let points = values.chunks(group).filter_map(greatest).map(|(at, value)| (at, Some(value)));
    Line {
        name: format!("{}{}", harmless_lines(&series.name), series::grouped(group)),
        points: points.collect(),
    }
}

fn chart(
    report: &Report<'_>,
    title: &str,
    unit: &'static str,
    summary: String,
    lines: Vec<Line>,
    at_least: f64,
) -> Option<Chart> {
    (!lines.is_empty()).then(|| Chart {
        title: title.to_owned(),
        unit,
        summary,
        seconds: series::end(report),
        lines,
        bands: Vec::new(),
        target: None,
        shades: Vec::new(),
        at_least,
    })
}
