//! The report as one HTML file: nothing fetched, light and dark, whole without its script.

mod cameras;
pub(super) mod chart;
mod collectors;
mod details;
mod found;
mod load;
pub(super) mod machine;
pub(super) mod plan;
pub(super) mod repeat;
mod series;
pub(in crate::report) mod shell;
mod stages;
pub(super) mod subject;
pub(super) mod timeline;
mod words;

use maud::{Markup, html as markup};

use self::cameras::cameras;
use self::details::Details;
use self::shell::Kind;
use self::timeline::timeline;
use super::{
    Failure, Report, cpu_range, estimate, failures, gaps, imported, lanes, mebibytes, percent, soak, stolen,
    thresholds, unmeasured,
};
use crate::record::Pace;
use crate::record::judgement::judge;
use crate::record::measure::Verdict;
use crate::text::{counted, harmless_lines, plural};

/// The report as HTML. `beside` is the name, without `.csv` and `.json`, of the same report
/// in these forms, if it lies in the same folder.
#[must_use]
pub fn html(report: &Report<'_>, beside: Option<&str>) -> String {
    page(report, beside, Kind::File)
}

/// The report of a run that is not over, for a browser that asks for it again and again.
#[must_use]
pub fn live(report: &Report<'_>) -> String {
    page(report, None, Kind::Live)
}

/// What is served before there is anything to see of a run.
#[must_use]
pub fn not_begun() -> String {
    let main = markup! {
        header {
            p class="live" role="status" { "Live: the measurement has not begun. Its inputs are brought up to date first." }
            h1 { "Nothing is measured yet" }
        }
    };
    shell::page(Kind::Live, "Nothing is measured yet", "", &main)
}

fn page(report: &Report<'_>, beside: Option<&str>, kind: Kind) -> String {
    let Report { run, record, measurement } = report;
    let started = super::subject::started(record);
    let details = Details::of(report);
    let gaps = [gaps(report), unmeasured(report.record)].concat();
    let main = markup! {
        header {
            @if kind == Kind::Live { p class="live" role="status" { "Live: this run is not over, and its figures are those so far." } }
            p class="soft" { "Run of " (record.subject) ", " time datetime=(record.started) { (started) } }
            h1 { (harmless_lines(&measurement.verdict)) }
            @if let Some(reasons) = lanes::degraded(report) {
                p class="why" {
                    span class="badge undecided" { "degraded" } " " (harmless_lines(&reasons).replace(" %", "\u{a0}%"))
                }
            }
            @if let Some(why) = lanes::why(report) { p class="why" { (harmless_lines(&why).replace(" %", "\u{a0}%")) } }
            p class="soft" {
                "Estimated, not measured: " (harmless_lines(&estimate::sentence(report))) ". "
                @for one in estimate::resources(report) { span class="whole" { (one) ". " } }
            }
            p class="soft" { (imported::conditions(record)) @if kind == Kind::File { ". Run id " code { (run) } } "." }
            (subject::lines(report))
            p class="soft small" {
                @if let Some(stem) = beside {
                    "Data: " a href={ (stem) ".csv" } { (stem) ".csv" } ", " a href={ (stem) ".json" } { (stem) ".json" } ". "
                }
                "Repeat with "
                code { @for piece in repeat::command(record) { span class="whole" { (piece) } " " } }
                "."
            }
            (tiles(report))
        }
        section aria-labelledby="cameras" {
            h2 id="cameras" { "Cameras" }
            (cameras(report, &details.slugs()))
        }
        (imported::section(report))
        (thresholds::section(&judge(record, measurement)))
        (failed(failures(report)))
        @if let Some(timeline) = timeline(report) {
            section aria-labelledby="over-time" { h2 id="over-time" { "Over time" } (timeline) }
        }
        (found::section(report, beside.is_some()))
        (details.section())
        (soak::section(report))
        (subject::section(record))
        section aria-labelledby="conditions" {
            h2 id="conditions" { "Conditions and host" }
            (facts(report))
            (machine::series(report))
            (collectors::collectors(report))
        }
        @if !gaps.is_empty() {
            section aria-labelledby="gaps" {
                h2 id="gaps" { "Missing figures and notes" }
                div class="card" { ul class="notes" { @for gap in &gaps { li { (gap) } } } }
            }
        }
        (legend(report))
    };
    let title = format!("{} - {}", measurement.verdict, record.subject);
    shell::page(kind, &title, "", &main)
}

/// The figures of the whole run that are known.
fn tiles(report: &Report<'_>) -> Markup {
    let (totals, machine) = (&report.measurement.totals, &report.measurement.machine);
    let offered = totals.frames + totals.dropped;
    let share = (offered > 0).then(|| totals.dropped as f64 / offered as f64);
    let scripts = match totals.scripts {
        0 => String::new(),
        n => format!(", without {}", counted(n, "script")),
    };
    let decoders = match totals.decoders {
        n if n == totals.pipelines => String::new(),
        n => format!(", {}", counted(n, "decoder")),
    };
    let is_live = report.record.conditions.pace == Pace::Live;
    let holding = is_live.then(|| {
        let (n, what) = kept_up(report);
        (format!("{n} of {}", totals.cameras), what)
    });
    let rate = totals.fps.map(|fps| {
        (format!("{fps:.1} fps"), format!("in {}{decoders}{scripts}", counted(totals.pipelines, "pipeline")))
    });
    let dropped =
        share.map(|share| (format!("{} %", percent(Some(share), 2)), "of frames dropped".to_owned()));
    let cpu = machine.cpu.map(|cpu| {
        let rest = format!("CPU of all cores{}{}", cpu_range(machine), stolen(machine));
        (format!("{} %", percent(Some(cpu), 1)), rest)
    });
    let memory = machine
        .memory_max
        .map(|bytes| (format!("{} MiB", mebibytes(Some(bytes))), "memory in use at most".to_owned()));
    let tiles: Vec<(String, String)> = [holding, rate, dropped, cpu, memory].into_iter().flatten().collect();
    markup! {
        // The first one alone would only repeat the verdict.
        @if tiles.len() > 1 {
            ul class="tiles" { @for (figure, about) in &tiles { li { b { (figure) } (about) } } }
        }
    }
}

/// How many cameras kept up, and with what.
fn kept_up(report: &Report<'_>) -> (usize, String) {
    let totals = &report.measurement.totals;
    let cameras = plural(totals.cameras, "camera");
    let does = |n: usize, verb: &str| {
        let ending = if n == 1 || totals.cameras == 1 { "s" } else { "" };
        format!("{cameras} {verb}{ending}")
    };
    if report.record.conditions.decode_only {
        let cameras = report.measurement.cameras.iter();
        let n = cameras.filter(|camera| camera.verdict == Verdict::Decodes).count();
        return (n, format!("{}; no inference was run", does(n, "decode")));
    }
    (totals.holding, does(totals.holding, "hold"))
}

/// The most streams that are named for one cause of failure.
const MOST_TITLES: usize = 6;

/// The failures, those with one cause together.
pub(super) fn failed(failures: Vec<Failure<'_>>) -> Markup {
    let mut causes: Vec<(Vec<String>, Failure<'_>)> = Vec::new();
    for failure in failures {
        let same = |(_, known): &&mut (Vec<String>, Failure<'_>)| {
            (known.reason, known.tail) == (failure.reason, failure.tail)
        };
        match causes.iter_mut().find(same) {
            Some((titles, _)) => titles.push(failure.title),
            None => causes.push((vec![failure.title.clone()], failure)),
        }
    }
    markup! {
        @if !causes.is_empty() {
            section aria-labelledby="failures" {
                h2 id="failures" { "Failures" }
                @for (titles, Failure { reason, tail, .. }) in &causes {
                    div class="card" {
                        h3 {
                            (harmless_lines(&titles.iter().take(MOST_TITLES).map(String::as_str).collect::<Vec<_>>().join(", ")))
                            @if titles.len() > MOST_TITLES { " and " (titles.len() - MOST_TITLES) " more" }
                        }
                        p { (harmless_lines(reason)) }
                        @if !tail.is_empty() {
                            pre aria-label="The last lines that it printed" { (harmless_lines(tail)) }
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
