//! The report of a search as one HTML file: nothing fetched, light and dark, whole without its script.

mod camera;
mod path;

use maud::{Markup, html as markup};

use super::upstream::{answer, by_camera, densities};
use super::{
    DensityShown, asked, at_what, cpu_left, degraded, head, machine, reasons, repeat, unit, weakest,
    whole_percent,
};
use crate::record::density::LimiterRecord;
use crate::record::density_figures::{AtAnswer, Outcome, percent};
use crate::record::judgement::judge_search;
use crate::record::measure::number;
use crate::record::upstream::{LEAST_ROWS, TOLERANCE, streams};
use crate::report::html::shell::{self, Kind};
use crate::report::html::timeline::timeline;
use crate::report::html::{failed, machine as series, subject};
use crate::report::{NONE, Report, millis, thresholds, unmeasured};
use crate::text::{counted, harmless_lines};

const OWN_STYLE: &str = include_str!("html/style.css");

/// The report as HTML. `beside` is the name, without `.csv` and `.json`, of the same report
/// in these forms, if it lies in the same folder.
#[must_use]
pub fn html(shown: &DensityShown<'_>, beside: Option<&str>) -> String {
    let DensityShown { id, record, figures, .. } = shown;
    let at = shown.at_answer();
    let gaps = shown.sample().map(unmeasured).unwrap_or_default();
    let main = markup! {
        header {
            p class="soft" {
                "Density of " (record.subject) ", "
                time datetime=(record.started) { (record.started.with_local(record.utc_offset_s)) }
            }
            h1 { (nobreak(&figures.verdict)) }
            @if let Some(reasons) = degraded(shown) {
                p class="why" { span class="badge undecided" { "degraded" } " " (nobreak(&reasons)) }
            }
            p class="soft" { "Asked: " (nobreak(&asked(shown))) ". Search id " code { (id) } "." }
            (facts(shown))
            p class="soft small" {
                @if let Some(stem) = beside {
                    "Data: " a href={ (stem) ".csv" } { (stem) ".csv" } ", " a href={ (stem) ".json" } { (stem) ".json" } ". "
                }
                "Repeat with "
                code { @for piece in repeat::command(shown) { span class="whole" { (harmless_lines(&piece)) } " " } }
                "."
            }
            (tiles(shown))
        }
        @if !figures.settings.is_empty() {
            section aria-labelledby="path" {
                h2 id="path" { "Path of the search" }
                (path::picture(shown))
                (path::settings(shown))
            }
        }
        (thresholds::section(&judge_search(record, id, &record.thresholds)))
        @if let Some(limiter) = &record.limiter { (limit(limiter)) }
        @if let Some((report, at)) = &at { (at_answer(shown, report, at)) }
        (failed(shown.failures()))
        (by_upstream(shown, at.as_ref()))
        @if let Some(run) = shown.sample() { (subject::section(run)) }
        section aria-labelledby="conditions" {
            h2 id="conditions" { "Host" }
            div class="card" {
                dl { @for (name, value) in &record.host.facts { dt { (name) } dd { (harmless_lines(value)) } } }
            }
            @if let Some((report, _)) = &at { (series::series(report)) }
        }
        @if !gaps.is_empty() {
            section aria-labelledby="gaps" {
                h2 id="gaps" { "Missing figures" }
                div class="card" { ul class="notes" { @for gap in &gaps { li { (gap) } } } }
            }
        }
        (legend(shown))
    };
    shell::page(Kind::File, &format!("{} - density of {}", figures.verdict, record.subject), OWN_STYLE, &main)
}

/// Text whose figures are not torn from their unit.
fn nobreak(text: &str) -> String {
    harmless_lines(text).replace(" %", "\u{a0}%")
}

/// The facts that the page's head does not have elsewhere.
fn facts(shown: &DensityShown<'_>) -> Markup {
    let elsewhere = ["search", "degraded", "started", "asked", "limit", "host"];
    subject::list(
        &head(shown).into_iter().filter(|fact| !elsewhere.contains(&fact.label)).collect::<Vec<_>>(),
    )
}

/// The answer and what belongs to it, in figures.
fn tiles(shown: &DensityShown<'_>) -> Markup {
    let (figures, record) = (shown.figures, shown.record);
    let (least, most) = (record.answer.at_least, record.answer.at_most);
    let units = |n: u32| unit(record, n).into_owned();
    let answer = match (figures.outcome, most) {
        (Outcome::Exact | Outcome::Zero, _) => Some((
            least.to_string(),
            format!("{} {}", units(least), if least == 1 { "holds" } else { "hold" }),
        )),
        (Outcome::Range, Some(most)) => Some((format!("{least}..{most}"), units(2))),
        (Outcome::Range, None) => Some((format!("{least} or more"), units(2))),
        (Outcome::Unknown, _) => None,
    };
    let they = if least == 1 { "sure that it holds" } else { "sure that they hold" };
    let sure = (least > 0).then(|| (percent(record.rules.confidence), they.to_owned()));
    let streams = least as usize * figures.streams;
    let streams =
        (least > 0).then(|| (streams.to_string(), crate::text::plural(streams, "stream").into_owned()));
    let took =
        (super::seconds_text(figures.took_us), format!("for {}", counted(figures.settings.len(), "setting")));
    let at = figures.at.as_ref();
    let cpu = at.and_then(|at| at.load.cpu).map(|cpu| {
        let left = crate::report::percent(Some((1.0 - cpu).max(0.0)), 1);
        (format!("{left} %"), "of the CPU left".to_owned())
    });
    let headroom = at.and_then(AtAnswer::weakest).and_then(|camera| {
        let left = camera.headroom.as_ref()?.left;
        Some((whole_percent(left), format!("least headroom, {}", camera.camera)))
    });
    markup! {
        ul class="tiles" {
            @for (figure, about) in [answer, streams, sure, Some(took), cpu, headroom].into_iter().flatten() {
                li { b { (figure) } (harmless_lines(&about)) }
            }
        }
    }
}

/// The load at the answer.
fn at_answer(shown: &DensityShown<'_>, report: &Report<'_>, at: &AtAnswer) -> Markup {
    let latency =
        at.slowest().map(|(p95, stream)| format!("95th percentile at most {} ms, of {stream}", millis(p95)));
    let lines = [
        ("machine", Some(machine(report, at))),
        ("left", cpu_left(at)),
        ("headroom", weakest(at)),
        ("latency", latency),
    ];
    markup! {
        section aria-labelledby="answer" {
            h2 id="answer" { "Headroom " (at_what(shown, at)) }
            div class="card" {
                dl { @for (name, text) in lines { @if let Some(text) = text { dt { (name) } dd { (nobreak(&text)) } } } }
            }
            (camera::headroom(&at.cameras))
            (camera::allowances(&at.cameras))
            @if let Some(timeline) = timeline(report) { (timeline) }
        }
    }
}

/// What limits one lane more, and what shows it.
fn limit(limiter: &LimiterRecord) -> Markup {
    markup! {
        section aria-labelledby="limit" {
            h2 id="limit" { "What limits it" }
            div class="card" {
                p { strong { (nobreak(&limiter.finding.to_string())) "." } }
                ul class="notes" { @for line in &limiter.finding.evidence { li { (nobreak(line)) } } }
            }
        }
    }
}

/// The answer by upstream's rule, and the rates in its words.
fn by_upstream(shown: &DensityShown<'_>, at: Option<&(Report<'_>, &AtAnswer)>) -> Markup {
    let upstream = shown.upstream;
    let rates =
        at.map_or_else(Vec::new, |(report, _)| by_camera(&streams(report.measurement, &upstream.rule)));
    let cell = |figure: Option<f64>| figure.map_or(NONE.to_owned(), number);
    markup! {
        section aria-labelledby="upstream" {
            h2 id="upstream" { "In upstream's words" }
            div class="card" {
                dl {
                    @for (name, value) in densities(shown) { dt { (name) } dd { (value) } }
                    dt { "by upstream's rule" } dd { (answer(shown)) }
                    @for differs in &upstream.differs { dt { "differs" } dd { (nobreak(differs)) } }
                }
                p class="soft small" {
                    "Upstream's rule asks for a mean of at least " (number(TOLERANCE * 100.0)) " % of the target, of each stream. It counts neither late nor dropped frames, nor foreign load, and measures each number for "
                    (LEAST_ROWS) " s or more."
                }
            }
            @if !rates.is_empty() {
                div class="card scroll" tabindex="0" role="region" aria-label="Rates of each camera by whole seconds" {
                    table class="cards" {
                        thead { tr {
                            th scope="col" { "Camera, its weakest copy" } th scope="col" { "Workloads" }
                            @for name in ["Target", "Threshold", "Average", "p10", "p90", "Seconds below"] { th scope="col" class="num" { (name) } }
                        } }
                        tbody {
                            @for one in &rates {
                                tr {
                                    th scope="row" { (harmless_lines(&one.stream)) }
                                    td data-name="Workloads" { (harmless_lines(&one.workloads.join(", "))) }
                                    td class="num" data-name="Target" { (number(one.target_fps)) }
                                    td class="num" data-name="Threshold" { (number(one.threshold_fps)) }
                                    td class="num" data-name="Average" { (cell(one.average)) }
                                    td class="num" data-name="p10" { (cell(one.p10)) }
                                    td class="num" data-name="p90" { (cell(one.p90)) }
                                    td class="num" data-name="Seconds below" { (one.seconds_below) " of " (one.seconds) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn legend(shown: &DensityShown<'_>) -> Markup {
    let sure = percent(shown.record.rules.confidence);
    markup! {
        section aria-labelledby="reading" {
            h2 id="reading" { "How to read this" }
            div class="card soft small" {
                p {
                    "A number holds if every stream keeps its rate and its deadlines, by the verdicts of " code { "lp run" } ". A number that was confirmed was watched for longer: with "
                    (nobreak(&sure)) " confidence it holds. The next one was seen to fail."
                }
                p {
                    "Headroom is what a stream leaves unused of the allowances of its verdicts, of the one that it uses most: 100 % is nothing used, 0 % is the limit. It was measured at this number and does not tell how many more would fit, since streams keep all of it until the CPU is full."
                }
                p { "CPU is a share of all cores. Foreign is what other programs used and what a hypervisor took; seconds with much of it are not judged." }
                @if !reasons(shown).is_empty() { p { "The reason under a setting is that of the stream that decided it." } }
            }
        }
    }
}
