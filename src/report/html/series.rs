//! What the charts of a page draw of streams: frame rate and latency, second by second.
//!
//! All charts have one time axis: seconds since the run's origin.

use super::chart::{Points, Shade, merged, most_points};
use crate::record::measure::split::loads;
use crate::record::measure::{CameraFigures, ElementFigures, Percentiles, StreamFigures};
use crate::report::Report;

/// The length of the longest window in seconds.
pub(super) fn longest(report: &Report<'_>) -> f64 {
    let streams = report.measurement.cameras.iter().flat_map(|camera| &camera.streams);
    streams.filter_map(|stream| stream.window_us).max().unwrap_or(0) as f64 / 1e6
}

/// The end of the time axis in seconds: of the last window, or the last sample of the machine.
pub(in crate::report) fn end(report: &Report<'_>) -> f64 {
    let ends = windows(report).map(|(_, (_, end))| end);
    let last = ends.chain(loads(report.record).last().map(|load| load.at_us)).max();
    last.unwrap_or(0) as f64 / 1e6
}

/// The begin of a stream's window in seconds; 0 without one, when nothing is drawn of it either.
pub(in crate::report) fn begin(report: &Report<'_>, stream: &str) -> f64 {
    let found = windows(report).find(|(name, _)| *name == stream);
    found.map_or(0.0, |(_, (begin, _))| begin as f64 / 1e6)
}

/// The window of each stream and each script that has one.
fn windows<'a>(report: &Report<'a>) -> impl Iterator<Item = (&'a str, (u64, u64))> {
    report.record.members.iter().flat_map(|member| {
        let streams = member.streams.iter().map(|one| (one.stream.as_str(), one.window_us));
        let scripts = member.scripts.iter().map(|one| (one.stream.as_str(), one.window_us));
        streams.chain(scripts).filter_map(|(name, window)| Some((name, window?)))
    })
}

/// The most points of a line of a stream.
fn most(report: &Report<'_>) -> usize {
    most_points(report.measurement.cameras.iter().map(|camera| camera.streams.len()).sum())
}

/// The frame rate of a stream, and how its points were merged (`, worst of each 3 s`): a
/// value per second, or per line of a script's slowest counter. `None` if there is none.
pub(in crate::report) fn frame_rate(report: &Report<'_>, stream: &StreamFigures) -> Option<(Points, String)> {
    let (begin, most) = (begin(report, &stream.stream), most(report));
    if let Some(script) = &stream.script {
        let fps = |element: &ElementFigures| element.fps.unwrap_or(f64::INFINITY);
        let slowest = script.elements.iter().min_by(|a, b| fps(a).total_cmp(&fps(b)))?;
        let points = slowest.points.as_slice();
        let group = points.len().div_ceil(most).max(1);
        let worst = |points: &[(f64, f64)]| {
            let at = points.last().map_or(0.0, |(at, _)| *at);
            (begin + at, points.iter().map(|(_, fps)| *fps).reduce(f64::min))
        };
        let points: Points = points.chunks(group).map(worst).collect();
        let how = if group == 1 { String::new() } else { format!(", worst of each {group} lines") };
        return (!points.is_empty()).then_some((points, how));
    }
    let frames: Vec<Option<f64>> =
        stream.seconds.iter().map(|second| Some(f64::from(second.frames))).collect();
    let (points, group) = merged(frames, begin, most, f64::min);
    (!points.is_empty()).then(|| (points, grouped(group)))
}

/// The times of a camera's windows that foreign load disturbed: those that a verdict leaves out,
/// and those in which it held all the same.
pub(super) fn disturbed(report: &Report<'_>, camera: &CameraFigures) -> Vec<Shade> {
    let mut left_out: Vec<(f64, f64)> = Vec::new();
    let mut disturbed: Vec<(f64, f64)> = Vec::new();
    for stream in &camera.streams {
        let Some((_, (begin, end))) = windows(report).find(|(name, _)| *name == stream.stream) else {
            continue;
        };
        let seconds = |at_us: u64| at_us.clamp(begin, end) as f64 / 1e6;
        if stream.left_out.is_empty() {
            let foreign = report.measurement.disturbances.iter().filter(|one| one.cause.is_foreign());
            disturbed.extend(foreign.map(|one| (seconds(one.begin_us), seconds(one.end_us))));
        } else {
            let spans = stream.left_out.iter();
            left_out.extend(spans.map(|span| (seconds(span.begin_us), seconds(span.end_us))));
        }
    }
    let shades = [
        Shade { name: "left out of the verdict", class: "left_out", spans: once(left_out) },
        Shade { name: "disturbed by foreign load", class: "disturbed", spans: once(disturbed) },
    ];
    shades.into_iter().filter(|shade| !shade.spans.is_empty()).collect()
}

/// Spans in the order of time, those that touch each other as one.
pub(super) fn once(mut spans: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    spans.retain(|(from, to)| from < to);
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (from, to) in spans {
        match merged.last_mut().filter(|last| from <= last.1) {
            Some(last) => last.1 = last.1.max(to),
            None => merged.push((from, to)),
        }
    }
    merged
}

/// A percentile of the latency of a stream, second by second; `None` if there is none.
pub(in crate::report) fn latency(
    report: &Report<'_>,
    stream: &StreamFigures,
    which: fn(&Percentiles) -> u32,
) -> Option<(Points, String)> {
    stream.latency_us?;
    let millis = |latency: &Percentiles| f64::from(which(latency)) / 1e3;
    let values: Vec<Option<f64>> =
        stream.seconds.iter().map(|second| second.latency_us.as_ref().map(millis)).collect();
    let (points, group) = merged(values, begin(report, &stream.stream), most(report), f64::max);
    points.iter().any(|(_, value)| value.is_some()).then(|| (points, grouped(group)))
}

/// `, worst of each 3 s`
pub(super) fn grouped(group: usize) -> String {
    if group > 1 { format!(", worst of each {group} s") } else { String::new() }
}
