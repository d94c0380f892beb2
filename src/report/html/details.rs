//! What a page has about each camera: charts over time, what a script printed, what
//! elements saw. Beyond [`MOST_OPEN`] cameras, only the worst ones are open.

use std::collections::HashSet;

use maud::{Markup, html as markup};

use super::chart::{Chart, Line};
use super::series;
use super::stages;
use super::words::badge;
use crate::name::Slug;
use crate::record::measure::{CameraFigures, Percentiles, ScriptFigures, StreamFigures, Verdict, drift};
use crate::record::{Member, Pace};
use crate::report::{NONE, NOT_MEASURED, Report, fps, lanes, millis, network, number, sightings};
use crate::text::harmless_lines;

/// The most cameras whose details are open; in a run of more, these are bad ones.
const MOST_OPEN: usize = 6;

/// The details of the cameras that have any, the worst first.
pub(super) struct Details<'a> {
    open: Vec<(&'a CameraFigures, Markup)>,
    /// Those that a reader has to open.
    closed: Vec<(&'a CameraFigures, Markup)>,
}

impl<'a> Details<'a> {
    pub(super) fn of(report: &Report<'a>) -> Details<'a> {
        let is_bad = |verdict| {
            use Verdict::{DoesNotHold, Failed, FasterButWrong, Invalid, Undecided};
            matches!(verdict, Failed | Invalid | FasterButWrong | DoesNotHold | Undecided)
        };
        let few = report.measurement.cameras.len() <= MOST_OPEN;
        let mut all = Details { open: Vec::new(), closed: Vec::new() };
        for camera in lanes::worst_first(report) {
            let is_open = all.open.len() < MOST_OPEN && (few || is_bad(camera.verdict));
            let list = if is_open { &mut all.open } else { &mut all.closed };
            let member = report.record.members.iter().find(|member| member.slug == camera.slug);
            list.extend(member.and_then(|member| Some((camera, details(report, member, camera)?))));
        }
        all
    }

    /// The cameras that have any.
    pub(super) fn slugs(&self) -> HashSet<&'a Slug> {
        self.open.iter().chain(&self.closed).map(|(camera, _)| &camera.slug).collect()
    }

    /// The section; nothing without any.
    pub(super) fn section(&self) -> Markup {
        let Details { open, closed } = self;
        let title =
            if open.is_empty() || closed.is_empty() { "Each camera" } else { "Each camera: the worst ones" };
        markup! {
            @if !open.is_empty() || !closed.is_empty() {
                section aria-labelledby="each-camera" class=[open.is_empty().then_some("closed")] {
                    h2 id="each-camera" { (title) }
                    @for (camera, details) in open {
                        article class="card" id={ "camera-" (camera.slug) } {
                            div class="head" { h3 { (harmless_lines(&lanes::name(camera))) } (badge(camera.verdict)) }
                            (details)
                        }
                    }
                    @if !open.is_empty() && !closed.is_empty() { h3 class="others" { "The other cameras" } }
                    @for (camera, markup) in closed {
                        details class="card" {
                            summary { b { (harmless_lines(&lanes::name(camera))) } " " (badge(camera.verdict)) }
                            // Inside, so that a link to it opens it.
                            div id={ "camera-" (camera.slug) } { (markup) }
                        }
                    }
                }
            }
        }
    }
}

/// All that is drawn and listed of a camera; `None` if there is nothing.
fn details(report: &Report<'_>, member: &Member, camera: &CameraFigures) -> Option<Markup> {
    let (kinds, others) = sightings::summary(member);
    let seconds = |us: u64| format!("{:.1}", us as f64 / 1e6);
    let charts = [fps_chart(report, camera), latency_chart(report, camera)];
    let charts: Vec<Markup> = charts.into_iter().flatten().collect();
    let texts = camera
        .streams
        .iter()
        .flat_map(|stream| [frames(stream), times(stream), sightings::of_stream(stream)]);
    let frames: Vec<String> = texts.flatten().chain(network::of_member(member)).collect();
    let scripts = || camera.streams.iter().filter_map(|stream| Some((stream, stream.script.as_ref()?)));
    let traced = || camera.streams.iter().filter(|stream| !stream.stages.is_empty());
    if charts.is_empty()
        && traced().next().is_none()
        && frames.is_empty()
        && kinds.is_empty()
        && scripts().next().is_none()
    {
        return None;
    }
    Some(markup! {
        @for frames in &frames { p class="soft small" { (harmless_lines(frames)) } }
        @if !charts.is_empty() { div class="charts" { @for chart in &charts { (chart) } } }
        @for stream in traced() { (stages::bar(stream)) }
        @for (stream, figures) in scripts() { (script(stream, figures)) }
        @if !kinds.is_empty() {
                div class="saw" {
                    h4 { "What its elements saw" }
                    table class="cards" {
                        thead { tr {
                            th scope="col" { "Element" } th scope="col" { "Message" } th scope="col" { "Code" }
                            th scope="col" class="num" { "Times" } th scope="col" class="num" { "First s" } th scope="col" class="num" { "Last s" }
                        } }
                        tbody {
                            @for kind in &kinds {
                                tr {
                                    td { (harmless_lines(&kind.factory)) } td { (harmless_lines(&kind.message)) } td { code { (harmless_lines(&kind.code)) } }
                                    td class="num" data-name="Times" { (kind.count) } td class="num" data-name="First s" { (seconds(kind.first_us)) } td class="num" data-name="Last s" { (seconds(kind.last_us)) }
                                }
                            }
                        }
                    }
                    @if others > 0 { p class="soft small" { "and " (others) " more" } }
                }
            }
    })
}

/// The fates of a pipeline's frames, and the formats of its source:
/// `camera-1/1: 450 frames offered: 438 arrived, 8 dropped (queue_1 8), 2 taken out by steps,
/// 2 in flight at the end; ...`
fn frames(stream: &StreamFigures) -> Option<String> {
    stream.window_us?;
    let ((decoded, arrived), (dropped, taken_out)) =
        (stream.decoded.zip(stream.frames)?, stream.dropped.zip(stream.taken_out)?);
    let offered = match stream.offered {
        Some(offered) => format!("{offered} frames offered"),
        None => format!("{decoded} frames decoded"),
    };
    let mut text = format!("{}: {offered}: {arrived} arrived, {dropped} dropped", stream.stream);
    if !stream.dropped_at.is_empty() {
        let places = stream.dropped_at.iter().map(|(place, n)| format!("{place} {n}"));
        text.push_str(&format!(" ({})", places.collect::<Vec<_>>().join(", ")));
    }
    if taken_out > 0 {
        text.push_str(&format!(", {taken_out} taken out by steps"));
    }
    if let Some(in_flight) = stream.in_flight.filter(|n| *n > 0) {
        text.push_str(&format!(", {in_flight} in flight at the end"));
    }
    let Some(delivery) = &stream.delivery else { return Some(text) };
    if let Some((frames, fps)) = delivery.frames.zip(stream.delivered_fps) {
        text.push_str(&format!("; {frames} delivered, {fps:.2} fps"));
    }
    if let Some(format) = delivery.video.last() {
        let codec = format.codec.as_deref().map(|codec| format!("{codec} ")).unwrap_or_default();
        text.push_str(&format!("; {codec}{}x{}", format.width, format.height));
    }
    if let Some(transport) = &delivery.transport {
        text.push_str(&format!(" over {}", transport.to_uppercase()));
    }
    if let Some(every) = delivery.key_frame_every {
        text.push_str(&format!(", a key frame every {every} frames"));
    }
    if let Some(ppm) = delivery.drift_ppm {
        text.push_str(&format!("; {}", drift(ppm)));
    }
    Some(text)
}

/// The frames of a pipeline against the times when they were due:
/// `camera-1/1: 99.33 % of 450 frames on time (98.4 % or more with 95 % confidence), ...`
fn times(stream: &StreamFigures) -> Option<String> {
    let on_time = stream.on_time?;
    let ms = |us: f64| number((us / 100.0).round() / 10.0);
    let percent = |share: f64| number((share * 1e4).floor() / 1e2);
    let mut parts = vec![format!(
        "{}: {} % of {} frames on time, {} % or more with 95 % confidence; {} late by more than {} ms, {} lost",
        stream.stream,
        percent(on_time.share),
        on_time.judged,
        percent(on_time.at_least),
        on_time.late,
        ms(on_time.deadline_us as f64),
        on_time.lost,
    )];
    parts.extend(stream.goodput.map(|fps| format!("{fps:.2} fps on time")));
    parts.extend(stream.delay_us.map(|us| format!("all delayed by {} ms", ms(us as f64))));
    parts.extend(stream.jitter_us.map(|us| format!("jitter {} ms", ms(us as f64))));
    parts.extend(stream.start_up_us.map(|us| format!("first frame after {} ms", ms(us as f64))));
    parts.extend(stream.longest_gap_us.map(|us| format!("longest gap {} ms", ms(us as f64))));
    parts.extend(stream.latency_us.map(|latency| format!("latency at most {} ms", millis(latency.max))));
    if let Some((p5, below)) = stream.fps_p5.zip(stream.seconds_below) {
        let all = stream.seconds.len();
        parts.push(format!(
            "{} fps or more in 95 % of seconds, {below} of {all} below the target",
            number(p5)
        ));
    }
    Some(parts.join("; "))
}

/// The figures of a script, element by element.
fn script(stream: &StreamFigures, figures: &ScriptFigures) -> Markup {
    let parameters = figures.parameters.iter().map(|(key, value)| format!(" --{key} {value}"));
    let line = format!("{}{}", figures.script, parameters.collect::<String>());
    let count = |count: Option<u64>| count.map_or_else(|| NOT_MEASURED.to_owned(), |count| count.to_string());
    let part = |name: &Option<String>| name.as_deref().map_or_else(|| NONE.to_owned(), harmless_lines);
    markup! {
        div class="saw" {
            h4 { "What the script " (stream.stream) " printed" }
            p class="soft small" {
                code { (harmless_lines(&line)) } ": " (figures.exit.as_deref().unwrap_or("not started"))
                @if figures.asked_to_end { ", after it was asked to end" }
            }
            table class="cards" {
                thead { tr {
                    th scope="col" { "Element" } th scope="col" { "Of" } th scope="col" class="num" { "fps" }
                    th scope="col" class="num" { "Frames" } th scope="col" class="num" { "Dropped" }
                    th scope="col" class="num" { "Latency ms" br; "p50 / p95 / p99" }
                } }
                tbody {
                    @for element in &figures.elements {
                        tr {
                            td { (harmless_lines(&element.element)) } td { (element.meter.factory()) }
                            td class="num" data-name="fps" { (element.fps.map_or_else(|| NOT_MEASURED.to_owned(), |fps| format!("{fps:.2}"))) }
                            td class="num" data-name="Frames" { (count(element.frames)) } td class="num" data-name="Dropped" { (count(element.dropped)) }
                            td class="num none" { (NONE) }
                        }
                    }
                    @for channel in &figures.channels {
                        tr {
                            td { (part(&channel.source)) " \u{2192} " (part(&channel.sink)) } td { "latency tracer" }
                            td class="num none" { (NONE) }
                            td class="num" data-name="Frames" { (channel.frames) } td class="num none" { (NONE) }
                            td class="num" data-name="Latency ms, p50 / p95 / p99" { (channel.latency_us.map_or_else(|| NOT_MEASURED.to_owned(), |l| [l.p50, l.p95, l.p99].map(millis).join(" / "))) }
                        }
                    }
                    @if figures.elements.is_empty() && figures.channels.is_empty() {
                        tr { td colspan="6" { (NOT_MEASURED) } }
                    }
                }
            }
        }
    }
}

fn fps_chart(report: &Report<'_>, camera: &CameraFigures) -> Option<Markup> {
    let line = |stream: &StreamFigures| {
        let (points, how) = series::frame_rate(report, stream)?;
        Some(Line { name: format!("{}{how}", harmless_lines(&stream.stream)), points })
    };
    let lines: Vec<Line> = camera.streams.iter().filter_map(line).collect();
    if lines.is_empty() {
        return None;
    }
    let is_live = report.record.conditions.pace == Pace::Live;
    let rates: Vec<String> = camera
        .streams
        .iter()
        .map(|stream| format!("{} {} fps", harmless_lines(&stream.stream), fps(stream)))
        .collect();
    let chart = Chart {
        title: "Frame rate".to_owned(),
        unit: "fps",
        summary: format!("{}; one point per second of the window", rates.join(", ")),
        lines,
        bands: Vec::new(),
        target: is_live.then(|| (format!("target {}", number(camera.target_fps)), camera.target_fps)),
        shades: series::disturbed(report, camera),
        seconds: series::end(report),
        at_least: 1.0,
    };
    Some(chart.render())
}

/// The median and 95th percentile of the camera's worst stream that has any.
fn latency_chart(report: &Report<'_>, camera: &CameraFigures) -> Option<Markup> {
    // A script's latencies have no seconds to draw; they are in its table.
    let streams = camera.streams.iter().filter(|stream| stream.script.is_none());
    let known = streams.filter_map(|stream| Some((stream, stream.latency_us?)));
    let (stream, whole) = known.max_by_key(|(_, latency)| latency.p95)?;
    let of =
        if camera.streams.len() > 1 { format!("{} ", harmless_lines(&stream.stream)) } else { String::new() };
    let line = |name: &str, which: fn(&Percentiles) -> u32| {
        let (points, how) = series::latency(report, stream, which)?;
        Some(Line { name: format!("{of}{name}{how}"), points })
    };
    let lines: Vec<Line> = [line("p50", |l| l.p50), line("p95", |l| l.p95)].into_iter().flatten().collect();
    if lines.is_empty() {
        return None;
    }
    let chart = Chart {
        title: "Latency".to_owned(),
        unit: "ms",
        summary: format!(
            "{}: median {} ms, 95th percentile {} ms; one point per second of the window",
            harmless_lines(&stream.stream),
            millis(whole.p50),
            millis(whole.p95)
        ),
        lines,
        bands: Vec::new(),
        target: None,
        shades: series::disturbed(report, camera),
        seconds: series::end(report),
        at_least: 1.0,
    };
    Some(chart.render())
}
