//! What the charts of a page draw: frame rate and latency over a stream's window.

use super::chart::{MOST_POINTS, Points, merged};
use crate::record::measure::{ElementFigures, Percentiles, StreamFigures};
use crate::report::Report;

/// The time axis of all charts, in seconds: as long as the longest window, so that a
/// stream that ended early is seen to.
pub(super) fn longest(report: &Report<'_>) -> f64 {
    let streams = report.measurement.cameras.iter().flat_map(|camera| &camera.streams);
    streams.filter_map(|stream| stream.window_us).max().unwrap_or(0) as f64 / 1e6
}

/// The frame rate of a stream, and how its points were merged (`, worst of each 3 s`): a
/// value per second, or per line of a script's slowest counter. `None` if there is none.
pub(super) fn frame_rate(stream: &StreamFigures) -> Option<(Points, String)> {
    if let Some(script) = &stream.script {
        let fps = |element: &ElementFigures| element.fps.unwrap_or(f64::INFINITY);
        let slowest = script.elements.iter().min_by(|a, b| fps(a).total_cmp(&fps(b)))?;
        let points = slowest.points.as_slice();
        let group = points.len().div_ceil(MOST_POINTS).max(1);
        let worst = |points: &[(f64, f64)]| {
            let at = points.last().map_or(0.0, |(at, _)| *at);
            (at, points.iter().map(|(_, fps)| *fps).reduce(f64::min))
        };
        let points: Points = points.chunks(group).map(worst).collect();
        let how = if group == 1 { String::new() } else { format!(", worst of each {group} lines") };
        return (!points.is_empty()).then_some((points, how));
    }
    let frames: Vec<Option<f64>> =
        stream.seconds.iter().map(|second| Some(f64::from(second.frames))).collect();
    let (points, group) = merged(frames, f64::min);
    (!points.is_empty()).then(|| (points, grouped(group)))
}

/// A percentile of the latency of a stream, second by second; `None` if there is none.
pub(super) fn latency(stream: &StreamFigures, which: fn(&Percentiles) -> u32) -> Option<(Points, String)> {
    stream.latency_us?;
    let millis = |latency: &Percentiles| f64::from(which(latency)) / 1e3;
    let values: Vec<Option<f64>> =
        stream.seconds.iter().map(|second| second.latency_us.as_ref().map(millis)).collect();
    let (points, group) = merged(values, f64::max);
    points.iter().any(|(_, value)| value.is_some()).then(|| (points, grouped(group)))
}

/// `, worst of each 3 s`
pub(super) fn grouped(group: usize) -> String {
    if group > 1 { format!(", worst of each {group} s") } else { String::new() }
}
