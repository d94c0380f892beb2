//! In words, what grows from hour to hour: leaks always, everything else in runs of ten minutes and
//! more.

use maud::{Markup, html as markup};

use super::{NONE, Report, some};
use crate::record::measure::soak::SOAK_US;
use crate::record::measure::{Quantity, SoakFigures, SoakVerdict};
use crate::text::harmless_lines;

/// Lines for a terminal: one for each leak, and one for each kind of finding of a long run.
pub(super) fn lines(report: &Report<'_>) -> Vec<String> {
    let soak = &report.measurement.soak;
    let leaks = soak.iter().filter(|one| one.verdict == SoakVerdict::Leak);
    let mut lines: Vec<String> = leaks.map(|one| format!("leak: {}", sentence(one))).collect();
    if !is_long(report) {
        return lines;
    }
    let mut kinds: Vec<(&SoakFigures, Vec<String>)> = Vec::new();
    for one in soak.iter().filter(|one| one.verdict != SoakVerdict::Leak) {
        let is_same = |kind: &SoakFigures| {
            (kind.quantity, kind.verdict, &kind.reason) == (one.quantity, one.verdict, &one.reason)
        };
        match kinds.iter_mut().find(|(kind, _)| is_same(kind)) {
            Some((_, all)) => all.push(one.about.clone()),
            None => kinds.push((one, vec![one.about.clone()])),
        }
    }
    lines.extend(kinds.into_iter().map(|(kind, all)| {
        let what = format!("{} of {}", kind.quantity, some(&all));
        match &kind.reason {
            None => format!("soak: no leak in {what}"),
            Some(reason) => format!("soak: cannot tell about {what}: {reason}"),
        }
    }));
    lines
}

/// `memory of worker till grows by 572.2 MiB an hour (568.1 to 576.4)`
fn sentence(one: &SoakFigures) -> String {
    let SoakFigures { about, quantity, per_hour, low, high, .. } = one;
    let size =
        |value: Option<f64>| value.map_or_else(|| NONE.to_owned(), |value| figure(*quantity, value.abs()));
    let (verb, ends) = match quantity {
        Quantity::Fps => ("falls", [*high, *low]),
        Quantity::Files => ("grow", [*low, *high]),
        Quantity::Memory | Quantity::GpuMemory => ("grows", [*low, *high]),
    };
    let [low, high] = ends.map(size);
    format!(
        "{quantity} of {about} {verb} by {}{} an hour ({low} to {high})",
        size(*per_hour),
        unit(*quantity)
    )
}

/// The section of a page; nothing for a short run without leaks.
pub(super) fn section(report: &Report<'_>) -> Markup {
    let soak = &report.measurement.soak;
    let has_leak = soak.iter().any(|one| one.verdict == SoakVerdict::Leak);
    if !has_leak && (!is_long(report) || soak.is_empty()) {
        return markup! {};
    }
    markup! {
        section aria-labelledby="soak" {
            h2 id="soak" { "Change from hour to hour" }
            div class="card scroll" {
                table class="cards" {
                    thead { tr {
                        th scope="col" { "Of" } th scope="col" { "What" }
                        th scope="col" class="num" { "Change in an hour" } th scope="col" class="num" { "Between" }
                        th scope="col" { "Leak" }
                    } }
                    tbody {
                        @for one in soak {
                            tr {
                                th scope="row" { (harmless_lines(&one.about)) }
                                td data-name="What" { (one.quantity) }
                                td class="num" data-name="Change in an hour" { (signed(one, one.per_hour)) }
                                td class="num" data-name="Between" { (signed(one, one.low)) " and " (signed(one, one.high)) }
                                td data-name="Leak" { (word(one)) @if let Some(reason) = &one.reason { ": " (reason) } }
                            }
                        }
                    }
                }
                p class="soft small" {
                    "The true changes lie in all of these ranges together, 999 of 1000 times, if the run is like its future. "
                    "A cache that fills for longer than the run looks like a leak."
                }
            }
        }
    }
}

/// `leak`, `falls`, `none`, `cannot tell`
pub(super) fn word(one: &SoakFigures) -> &'static str {
    match (one.verdict, one.quantity) {
        (SoakVerdict::Leak, Quantity::Fps) => "falls",
        (SoakVerdict::Leak, _) => "leak",
        (SoakVerdict::CannotTell, _) => "cannot tell",
        (SoakVerdict::None, _) => "none",
    }
}

fn signed(one: &SoakFigures, value: Option<f64>) -> String {
    let sign = |value: f64| if value < 0.0 { "\u{2212}" } else { "+" };
    value.map_or_else(
        || NONE.to_owned(),
        |value| format!("{}{}{}", sign(value), figure(one.quantity, value.abs()), unit(one.quantity)),
    )
}

fn figure(quantity: Quantity, value: f64) -> String {
    match quantity {
        Quantity::Memory | Quantity::GpuMemory => format!("{:.1}", value / f64::from(1 << 20)),
        Quantity::Files => format!("{value:.1}"),
        Quantity::Fps => format!("{value:.2}"),
    }
}

fn unit(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Memory | Quantity::GpuMemory => " MiB",
        Quantity::Files => "",
        Quantity::Fps => " fps",
    }
}

/// Whether the run was long enough to look for leaks.
fn is_long(report: &Report<'_>) -> bool {
    let streams = report.measurement.cameras.iter().flat_map(|camera| &camera.streams);
    streams.filter_map(|stream| stream.window_us).max().is_some_and(|longest| SOAK_US <= longest)
}
