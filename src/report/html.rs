//! The report as one HTML file: no script, nothing fetched, light and dark.

mod chart;
mod subject;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use self::chart::{Chart, Line, merged};
use super::{
    NONE, NOT_MEASURED, Report, absent, conditions, cpu_range, dropped, failures, fps, gaps, lanes,
    mebibytes, millis, number, percent, sightings, stolen, target,
};
use crate::collect::machine::CPU;
use crate::record::measure::{
    CameraFigures, ElementFigures, Lateness, Percentiles, ScriptFigures, StreamFigures, Verdict,
};
use crate::record::{Member, Pace};
use crate::text::{counted, harmless_lines};

const STYLE: &str = include_str!("html/style.css");

/// The report as HTML.
#[must_use]
pub fn html(report: &Report<'_>) -> String {
    let Report { run, record, measurement } = report;
    let started = super::subject::started(record);
    let failures = failures(report);
    let gaps = gaps(report);
    let document = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (harmless_lines(&measurement.verdict)) " - " (record.subject) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        p class="soft" { "Run of " (record.subject) ", " time datetime=(record.started) { (started) } }
                        h1 { (harmless_lines(&measurement.verdict)) }
                        @if let Some(why) = lanes::why(report) { p class="why" { (harmless_lines(&why)) } }
                        p class="soft" { (conditions(&record.conditions)) ". Run id " code { (run) } "." }
                        (subject::lines(report))
                        (tiles(report))
                    }
                    section aria-labelledby="cameras" {
                        h2 id="cameras" { "Cameras" }
                        (cameras(report))
                    }
                    @if !failures.is_empty() {
                        section aria-labelledby="failures" {
                            h2 id="failures" { "Failures" }
                            @for failure in &failures {
                                div class="card" {
                                    h3 { (harmless_lines(&failure.title)) }
                                    p { (harmless_lines(failure.reason)) }
                                    @if !failure.tail.is_empty() {
                                        pre aria-label="The last lines that it printed" { (harmless_lines(failure.tail)) }
                                    }
                                }
                            }
                        }
                    }
                    section aria-labelledby="over-time" {
                        h2 id="over-time" { "Over time" }
                        @for (member, camera) in record.members.iter().zip(&measurement.cameras) {
                            (over_time(report, member, camera))
                        }
                        (machine(report))
                    }
                    (subject::section(record))
                    section aria-labelledby="conditions" {
                        h2 id="conditions" { "Conditions and host" }
                        (facts(report))
                    }
                    @if !gaps.is_empty() {
                        section aria-labelledby="gaps" {
                            h2 id="gaps" { "Missing figures and notes" }
                            div class="card" { ul class="notes" { @for gap in &gaps { li { (gap) } } } }
                        }
                    }
                    (legend(report))
                }
            }
        }
    };
    let mut text = document.into_string();
    text.push('\n');
    text
}

fn tiles(report: &Report<'_>) -> Markup {
    let (totals, machine) = (&report.measurement.totals, &report.measurement.machine);
    let offered = totals.frames + totals.dropped;
    let share = (offered > 0).then(|| totals.dropped as f64 / offered as f64);
    let with_unit =
        |figure: String, unit: &str| if figure == NONE { figure } else { format!("{figure} {unit}") };
    let scripts = match totals.scripts {
        0 => String::new(),
        n => format!(", without {}", counted(n, "script")),
    };
    let decoders = match totals.decoders {
        n if n == totals.pipelines => String::new(),
        n => format!(", {}", counted(n, "decoder")),
    };
    let rate = totals.fps.map_or_else(|| NONE.to_owned(), |fps| format!("{fps:.1} fps"));
    markup! {
        ul class="tiles" {
            @if report.record.conditions.pace == Pace::Live {
                @let (n, what) = kept_up(report);
                li { b { (n) " of " (totals.cameras) } (what) }
            }
            li { b { (rate) } "in " (counted(totals.pipelines, "pipeline")) (decoders) (scripts) }
            li { b { (with_unit(percent(share, 2), "%")) } "of frames dropped" }
            li { b { (with_unit(percent(machine.cpu, 1), "%")) } "CPU of all cores" (cpu_range(machine)) (stolen(machine)) }
            li { b { (with_unit(mebibytes(machine.memory_max), "MiB")) } "memory in use at most" }
        }
    }
}

/// How many cameras kept up, and with what.
fn kept_up(report: &Report<'_>) -> (usize, &'static str) {
    let cameras = &report.measurement.cameras;
    if report.record.conditions.decode_only {
        let decodes = |camera: &&CameraFigures| camera.verdict == Verdict::Decodes;
        return (cameras.iter().filter(decodes).count(), "cameras decode; no inference was run");
    }
    (report.measurement.totals.holding, "cameras hold")
}

fn cameras(report: &Report<'_>) -> Markup {
    markup! {
        div class="card scroll" tabindex="0" role="region" aria-label="Figures per camera" {
            table {
                thead {
                    tr {
                        th scope="col" { "Camera" }
                        th scope="col" { "Verdict" }
                        th scope="col" { "Workloads" }
                        th scope="col" class="num" { "Target" br; "fps" }
                        th scope="col" class="num" { "Measured" br; "fps" }
                        th scope="col" class="num" { "Latency ms" br; "p50 / p95 / p99" }
                        th scope="col" class="num" { "Late ms" br; "p95 / max" }
                        th scope="col" class="num" { "Dropped" br; "%" }
                        th scope="col" class="num" { "CPU %" br; "of a core" }
                        th scope="col" class="num edge" { "Memory" br; "MiB" }
                    }
                }
                @for group in lanes::groups(report) {
                  tbody {
                    @if let Some(line) = &group.line {
                        tr { th scope="rowgroup" colspan="10" class="lane" { (harmless_lines(line)) } }
                    }
                    @for camera in group.cameras {
                        @for (index, stream) in camera.streams.iter().enumerate() {
                            (camera_row(report, camera, stream, index == 0))
                        }
                        @for left in &camera.left_out {
                            tr {
                                th scope="row" { (harmless_lines(&camera.camera)) (copy(report, camera)) }
                                td { "left out" }
                                td { (harmless_lines(&left.workloads.join(", "))) }
                                td colspan="7" class="edge" { (harmless_lines(&left.reason)) }
                            }
                        }
                    }
                  }
                }
            }
        }
    }
}

fn camera_row(report: &Report<'_>, camera: &CameraFigures, stream: &StreamFigures, first: bool) -> Markup {
    let worker = report.measurement.own_worker(&camera.slug);
    let rows = camera.streams.len();
    let latency = |latency: Percentiles| [latency.p50, latency.p95, latency.p99].map(millis).join(" / ");
    let late = |late: Lateness| [late.p95, late.max].map(|us| format!("{:.1}", us as f64 / 1e3)).join(" / ");
    markup! {
        tr {
            @if first {
                th scope="rowgroup" rowspan=(rows) { a href={ "#camera-" (camera.slug) } { (harmless_lines(&camera.camera)) } (copy(report, camera)) }
            }
            td { (badge(stream.verdict)) }
            td { (harmless_lines(&stream.workloads.join(", "))) }
            td class="num" { (target(report.record, camera.target_fps)) }
            td class="num" { (fps(stream)) }
            td class="num" { (stream.latency_us.map_or_else(|| absent(stream).to_owned(), latency)) }
            td class="num" { (stream.lateness_us.map_or_else(|| NONE.to_owned(), late)) }
            td class="num" { (dropped(stream)) }
            @if first {
                td class="num" rowspan=(rows) { (percent(worker.and_then(|worker| worker.cpu), 0)) }
                td class="num edge" rowspan=(rows) { (mebibytes(worker.and_then(|worker| worker.rss_max))) }
            }
        }
    }
}

/// The mark that distinguishes a copy of a camera from the camera itself, which comes first and has the
/// same name.
fn copy(report: &Report<'_>, camera: &CameraFigures) -> Markup {
    let first = report.measurement.cameras.iter().find(|one| one.camera == camera.camera);
    let is_copy = first.is_some_and(|first| first.slug != camera.slug);
    markup! { @if is_copy { " " span class="soft small" { (camera.slug) } } }
}

fn badge(verdict: Verdict) -> Markup {
    let (class, mark) = match verdict {
        Verdict::NotJudged => ("not_judged", "\u{2013}"),
        Verdict::Holds => ("holds", "\u{2713}"),
        Verdict::Decodes => ("decodes", "\u{2713}"),
        Verdict::Undecided => ("undecided", "?"),
        Verdict::DoesNotHold => ("does_not_hold", "\u{2715}"),
        Verdict::Failed => ("failed", "!"),
    };
    markup! { span class={ "badge " (class) } { span aria-hidden="true" { (mark) " " } (verdict) } }
}

fn over_time(report: &Report<'_>, member: &Member, camera: &CameraFigures) -> Markup {
    let (kinds, others) = sightings::summary(member);
    let seconds = |us: u64| format!("{:.1}", us as f64 / 1e6);
    markup! {
        article class="card" id={ "camera-" (camera.slug) } {
            div class="head" {
                h3 { (harmless_lines(&camera.camera)) (copy(report, camera)) }
                (badge(camera.verdict))
            }
            @for stream in &camera.streams {
                @if let Some(reason) = &stream.reason { p class="soft small" { (stream.stream) ": " (harmless_lines(reason)) } }
                @if let Some(frames) = frames(stream) { p class="soft small" { (stream.stream) ": " (harmless_lines(&frames)) } }
            }
            div class="charts" { (fps_chart(report, camera)) (latency_chart(report, camera)) }
            @for stream in &camera.streams {
                @if let Some(figures) = &stream.script { (script(stream, figures)) }
            }
            @if !kinds.is_empty() {
                div class="saw" {
                    h4 { "What its elements saw" }
                    table {
                        thead { tr {
                            th scope="col" { "Element" } th scope="col" { "Message" } th scope="col" { "Code" }
                            th scope="col" class="num" { "Times" } th scope="col" class="num" { "First s" } th scope="col" class="num" { "Last s" }
                        } }
                        tbody {
                            @for kind in &kinds {
                                tr {
                                    td { (harmless_lines(&kind.factory)) } td { (harmless_lines(&kind.message)) } td { code { (harmless_lines(&kind.code)) } }
                                    td class="num" { (kind.count) } td class="num" { (seconds(kind.first_us)) } td class="num" { (seconds(kind.last_us)) }
                                }
                            }
                        }
                    }
                    @if others > 0 { p class="soft small" { "and " (others) " more" } }
                }
            }
        }
    }
}

/// The fates of a pipeline's frames, and the formats of its source:
/// `450 frames decoded = 440 arrived + 8 dropped + 2 taken out by steps; ...`
fn frames(stream: &StreamFigures) -> Option<String> {
    let ((decoded, arrived), (dropped, taken_out)) =
        (stream.decoded.zip(stream.frames)?, stream.dropped.zip(stream.taken_out)?);
    let mut text = format!("{decoded} frames decoded: {arrived} arrived, {dropped} dropped");
    if taken_out > 0 {
        text.push_str(&format!(", {taken_out} taken out by steps"));
    }
    let Some(delivery) = &stream.delivery else { return Some(text) };
    if let Some((frames, fps)) = delivery.frames.zip(stream.delivered_fps) {
        text.push_str(&format!("; {frames} delivered, {fps:.2} fps"));
    }
    if let Some(format) = delivery.video.last() {
        let codec = format.codec.as_deref().map(|codec| format!("{codec} ")).unwrap_or_default();
        text.push_str(&format!("; {codec}{}x{}", format.width, format.height));
    }
    if let Some(every) = delivery.key_frame_every {
        text.push_str(&format!(", a key frame every {every} frames"));
    }
    Some(text)
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
            table {
                thead { tr {
                    th scope="col" { "Element" } th scope="col" { "Of" } th scope="col" class="num" { "fps" }
                    th scope="col" class="num" { "Frames" } th scope="col" class="num" { "Dropped" }
                    th scope="col" class="num" { "Latency ms" br; "p50 / p95 / p99" }
                } }
                tbody {
                    @for element in &figures.elements {
                        tr {
                            td { (harmless_lines(&element.element)) } td { (element.meter.factory()) }
                            td class="num" { (element.fps.map_or_else(|| NOT_MEASURED.to_owned(), |fps| format!("{fps:.2}"))) }
                            td class="num" { (count(element.frames)) } td class="num" { (count(element.dropped)) }
                            td class="num" { (NONE) }
                        }
                    }
                    @for channel in &figures.channels {
                        tr {
                            td { (part(&channel.source)) " \u{2192} " (part(&channel.sink)) } td { "latency tracer" }
                            td class="num" { (NONE) }
                            td class="num" { (channel.frames) } td class="num" { (NONE) }
                            td class="num" { (channel.latency_us.map_or_else(|| NOT_MEASURED.to_owned(), |l| [l.p50, l.p95, l.p99].map(millis).join(" / "))) }
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

/// The time axis of a camera's charts: as long as the longest window of all, so
/// that a stream that ended early is seen to.
fn longest(report: &Report<'_>) -> f64 {
    let streams = report.measurement.cameras.iter().flat_map(|camera| &camera.streams);
    streams.filter_map(|stream| stream.window_us).max().unwrap_or(0) as f64 / 1e6
}

/// `, the worst of each 3 s`
fn grouped(group: usize) -> String {
    if group > 1 { format!(", worst of each {group} s") } else { String::new() }
}

fn fps_chart(report: &Report<'_>, camera: &CameraFigures) -> Markup {
    let line = |stream: &StreamFigures| {
        if let Some(script) = &stream.script {
            let fps = |element: &ElementFigures| element.fps.unwrap_or(f64::INFINITY);
            let slowest = script.elements.iter().min_by(|a, b| fps(a).total_cmp(&fps(b)));
            let points = slowest.map_or(&[][..], |element| element.points.as_slice());
            let group = points.len().div_ceil(chart::MOST_POINTS).max(1);
            let worst = |points: &[(f64, f64)]| {
                let at = points.last().map_or(0.0, |(at, _)| *at);
                (at, points.iter().map(|(_, fps)| *fps).reduce(f64::min))
            };
            let name = match group {
                1 => harmless_lines(&stream.stream),
                n => format!("{}, worst of each {n} lines", harmless_lines(&stream.stream)),
            };
            return Line { name, points: points.chunks(group).map(worst).collect() };
        }
        let frames = stream.seconds.iter().map(|second| Some(f64::from(second.frames))).collect();
        let (points, group) = merged(frames, f64::min);
        Line { name: format!("{}{}", harmless_lines(&stream.stream), grouped(group)), points }
    };
    let is_live = report.record.conditions.pace == Pace::Live;
    let rates: Vec<String> = camera
        .streams
        .iter()
        .map(|stream| format!("{} {} fps", harmless_lines(&stream.stream), fps(stream)))
        .collect();
    Chart {
        title: "Frame rate",
        unit: "fps",
        summary: format!("{}; one point per second of the window", rates.join(", ")),
        lines: camera.streams.iter().map(line).collect(),
        target: is_live.then(|| (format!("target {}", number(camera.target_fps)), camera.target_fps)),
        shade: None,
        seconds: longest(report),
        at_least: 1.0,
    }
    .render()
}

/// The median and 95th percentile of the camera's worst stream that has any.
fn latency_chart(report: &Report<'_>, camera: &CameraFigures) -> Markup {
    // A script's latencies have no seconds to draw; they are in its table.
    let has_latency = |stream: &&StreamFigures| stream.latency_us.is_some() && stream.script.is_none();
    let streams = || camera.streams.iter().filter(has_latency);
    let Some(stream) = streams().max_by_key(|stream| stream.latency_us.map(|latency| latency.p95)) else {
        return markup! {
            figure { figcaption { b { "Latency" } } p class="soft small" {
                @match camera.streams.iter().find(|stream| stream.script.is_none()) {
                    Some(stream) => { "Not defined: " (stream.no_latency.as_deref().unwrap_or("no frame was measured")) "." }
                    None => { "No pipeline of lp's own plays this camera." }
                }
            } }
        };
    };
    let line = |name: &str, which: fn(&Percentiles) -> u32| {
        let values =
            stream.seconds.iter().map(|second| second.latency_us.as_ref().map(|l| f64::from(which(l)) / 1e3));
        let (points, group) = merged(values.collect(), f64::max);
        Line { name: format!("{name}{}", grouped(group)), points }
    };
    let whole = stream.latency_us.unwrap_or(Percentiles { p50: 0, p95: 0, p99: 0 });
    Chart {
        title: "Latency",
        unit: "ms",
        summary: format!(
            "{}: median {} ms, 95th percentile {} ms; one point per second of the window",
            harmless_lines(&stream.stream),
            millis(whole.p50),
            millis(whole.p95)
        ),
        lines: vec![
            line(
                &if camera.streams.len() > 1 {
                    format!("{} p50", harmless_lines(&stream.stream))
                } else {
                    "p50".to_owned()
                },
                |l| l.p50,
            ),
            line("p95", |l| l.p95),
        ],
        target: None,
        shade: None,
        seconds: longest(report),
        at_least: 1.0,
    }
    .render()
}

fn machine(report: &Report<'_>) -> Markup {
    let figures = &report.measurement.machine;
    let samples: Vec<(u64, f64)> =
        report.record.series_of(CPU).into_iter().flat_map(|series| series.points()).collect();
    let group = samples.len().div_ceil(chart::MOST_POINTS).max(1);
    let point = |samples: &[(u64, f64)]| {
        let at = samples.last().map_or(0, |(at_us, _)| *at_us) as f64 / 1e6;
        (at, samples.iter().map(|(_, cpu)| cpu * 100.0).reduce(f64::max))
    };
    let points: Vec<(f64, Option<f64>)> = samples.chunks(group).map(point).collect();
    markup! {
        article class="card" {
            div class="head" { h3 { "The machine" } }
            @if points.is_empty() {
                p class="soft small" { (figures.reason.as_deref().unwrap_or("It was not sampled.")) }
            } @else {
                div class="charts" {
                    (Chart {
                        title: "CPU, all cores",
                        unit: "%",
                        summary: format!("mean {} % over the common window", percent(figures.cpu, 1)),
                        seconds: points.last().map_or(0.0, |(at, _)| *at),
                        lines: vec![Line { name: format!("CPU{}", grouped(group)), points }],
                        target: None,
                        shade: figures.window_us.map(|(from, to)| ("the common window", from as f64 / 1e6, to as f64 / 1e6)),
                        at_least: 100.0 / 1.04,
                    }.render())
                    dl {
                        @for worker in &report.measurement.workers {
                            dt { "worker " (harmless_lines(&worker.name)) }
                            dd {
                                (percent(worker.cpu, 0)) " % of a core, " (mebibytes(worker.rss_max)) " MiB"
                                @if let Some(death) = &worker.death { ", " (harmless_lines(death)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn facts(report: &Report<'_>) -> Markup {
    markup! {
        div class="pair" {
            div class="card" { (subject::run(report)) }
            div class="card" {
                dl { @for (name, value) in &report.record.host.facts { dt { (name) } dd { (harmless_lines(value)) } } }
            }
        }
    }
}

fn legend(report: &Report<'_>) -> Markup {
    markup! {
        section aria-labelledby="reading" {
            h2 id="reading" { "How to read this" }
            div class="card soft small" {
                @if report.record.conditions.pace == Pace::Live {
                    p {
                        "A stream holds its target with at least 99.5 % of it and at most 0.5 % of its frames dropped; "
                        "it does not hold with less than 98 % or more than 2 % dropped. It is undecided in between, in a window of fewer than 200 frames, "
                        "with a gap of a second, with a frame half a second late, and where the camera gave something else than configured. That never counts as holding. "
                    }
                    p { "Latency runs from the encoded frame leaving the paced source to the same frame at the sink. Late is a frame at the sink against the time when it was due, so time that it waited in front of a busy decoder is in it. Percentiles are nearest rank." }
                } @else {
                    p { "Files were played once, as fast as the machine can. There is no target and no latency: frames wait in queues for as long as the queues are deep." }
                }
                p { "The range after a frame rate gives the fewest and the most frames in a whole second of this one run. Those of a paced stream vary by a frame, since seconds begin and end between frames; they say nothing about other runs." }
            }
        }
    }
}
