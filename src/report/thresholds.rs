//! Thresholds in the table and on the page: every breach, and how many are kept.

use maud::{Markup, html};

use super::Report;
use crate::record::judgement::{Judged, Judgement, Rule, judge};
use crate::text::harmless_lines;

/// The judgement of a run by its thresholds; nothing without any.
pub(super) fn lines(report: &Report<'_>) -> Vec<String> {
    of_judgement(&judge(report.record, report.measurement))
}

/// A line for each breach, then one for all.
pub(super) fn of_judgement(judgement: &Judgement) -> Vec<String> {
    if judgement.thresholds.is_empty() && judgement.not_judged.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<String> =
        judgement.breaches().map(|breach| format!("breach: {}", breach.line())).collect();
    let skipped = judgement.not_judged.iter();
    lines.extend(skipped.map(|one| format!("not judged: {}: {}", one.threshold.text, one.why)));
    if judgement.by == Rule::Thresholds {
        lines.push(format!("thresholds: {}", judgement.line));
    }
    lines
}

/// The same as a section of the page; nothing without thresholds.
pub(super) fn section(judgement: &Judgement) -> Markup {
    let all = || judgement.thresholds.iter();
    html! {
        @if all().next().is_some() || !judgement.not_judged.is_empty() {
            section aria-labelledby="thresholds" {
                h2 id="thresholds" { "Thresholds" }
                div class="card" {
                    p { (harmless_lines(&judgement.line)) "." }
                    @for one in &judgement.not_judged {
                        p class="soft" { "Not judged: " (harmless_lines(&one.threshold.text)) ": " (harmless_lines(&one.why)) "." }
                    }
                }
                @if all().next().is_some() {
                    div class="card scroll" tabindex="0" role="region" aria-label="Thresholds" {
                        table class="cards" {
                            thead { tr {
                                th scope="col" { "Threshold" } th scope="col" { "Severity" } th scope="col" { "At" }
                                th scope="col" class="num" { "Figure" } th scope="col" { "Result" }
                            } }
                            tbody { @for judged in all() { (row(judged)) } }
                        }
                    }
                }
            }
        }
    }
}

fn row(judged: &Judged) -> Markup {
    let (class, result) = match (&judged.absent, judged.is_breach) {
        (Some(absent), _) => ("does_not_hold", format!("breached: {absent}")),
        (None, true) => ("does_not_hold", "breached".to_owned()),
        (None, false) => ("holds", "kept".to_owned()),
    };
    let (word, why) = result.split_once(": ").unwrap_or((&result, ""));
    html! {
        tr {
            th scope="row" { (harmless_lines(&judged.threshold.text)) }
            td { (judged.threshold.severity) }
            td { (harmless_lines(&judged.place)) }
            td class="num" { (judged.shown()) }
            td { span class={ "badge " (class) } { (word) } @if !why.is_empty() { " " (harmless_lines(why)) } }
        }
    }
}
