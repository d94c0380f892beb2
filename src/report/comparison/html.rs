//! A comparison as one HTML file: nothing fetched, light and dark, intervals drawn; whole without its script, which sorts.

use maud::{Markup, html as markup};

use super::{design, excluded, legend, mean, remarks, side, verdict};
use crate::record::comparison::words::{self, difference};
use crate::record::comparison::{Comparison, Row, Verdict};
use crate::report::html::shell::{self, Kind};
use crate::text::harmless_lines;

const OWN_STYLE: &str = include_str!("html/style.css");

/// The size of the picture of an interval.
const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 24.0;
/// The picture reaches to so many times what matters, or to the estimate.
const REACH: f64 = 4.0;

/// The comparison as HTML.
#[must_use]
pub fn html(comparison: &Comparison) -> String {
    let main = markup! {
        header {
            p class="soft" { "Comparison of " (harmless_lines(&comparison.candidate.name)) " with " (harmless_lines(&comparison.baseline.name)) }
            h1 { (nobreak(&comparison.headline)) }
            p { span class={ "badge " (class(comparison.verdict)) } { (comparison.verdict) } }
            (facts(comparison))
        }
        (section("Figures that decide", "decides", comparison, true))
        (section("Other figures", "told", comparison, false))
        @let remarks = remarks(comparison);
        @if !remarks.is_empty() {
            section aria-labelledby="remarks" {
                h2 id="remarks" { "Why nothing can be told, and values far off" }
                div class="card" { ul class="notes" { @for line in &remarks { li { (nobreak(line)) } } } }
            }
        }
        @if !comparison.rows.is_empty() {
            p class="soft small" {
                (legend(comparison)) " The grey band is what does not matter; a picture that ends with an arrow goes on."
            }
        }
    };
    shell::page(Kind::File, &comparison.headline, OWN_STYLE, &main)
}

fn facts(comparison: &Comparison) -> Markup {
    let mut all = vec![("Baseline", side(&comparison.baseline)), ("Candidate", side(&comparison.candidate))];
    all.extend(comparison.refused.iter().map(|one| ("Refused", difference(one))));
    all.extend(comparison.differences.iter().map(|one| ("Differs", difference(one))));
    all.extend(comparison.warnings.iter().map(|one| ("Warning", one.clone())));
    all.extend(comparison.wrong.iter().map(|one| ("Wrong", format!("{}: {}", one.stream, one.reason))));
    all.extend(excluded(comparison).into_iter().map(|one| ("Left out", one)));
    if comparison.refused.is_empty() {
        all.push(("Measured", design(comparison).to_owned()));
    }
    markup! {
        dl class="compared" {
            @for (label, value) in &all { dt { (label) } dd { (nobreak(value)) } }
        }
    }
}

fn section(title: &str, id: &str, comparison: &Comparison, decides: bool) -> Markup {
    let rows: Vec<&Row> = comparison.rows.iter().filter(|row| row.decides == decides).collect();
    markup! {
        @if !rows.is_empty() {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) }
                div class="card scroll" tabindex="0" role="region" aria-labelledby=(id) {
                    table class="comparison sorts" {
                        thead {
                            tr {
                                th scope="col" { "Of" }
                                th scope="col" { "Figure" }
                                th scope="col" class="num" { "Baseline" }
                                th scope="col" class="num" { "Candidate" }
                                th scope="col" { "Change" }
                                th scope="col" { "Interval" }
                                th scope="col" { "Verdict" }
                            }
                        }
                        tbody {
                            @for row in rows {
                                tr {
                                    th scope="row" { (harmless_lines(&row.place.at)) }
                                    td { (row.metric.words()) }
                                    td class="num" data-of="baseline" { (nobreak(&mean(row, &row.baseline))) }
                                    td class="num" data-of="candidate" { (nobreak(&mean(row, &row.candidate))) }
                                    td { (nobreak(&words::change(row).unwrap_or_else(|| "-".to_owned()))) }
                                    td { (interval(row)) }
                                    td { span class={ "badge " (class(row.verdict)) } { (nobreak(&verdict(row))) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::FasterButWrong | Verdict::Worse => "does_not_hold",
        Verdict::CannotTell => "undecided",
        Verdict::Better => "holds",
        Verdict::Same => "not_judged",
    }
}

/// The change of a row with its interval, as inline SVG: the band is what does not matter, the line the interval. Nothing for a
/// row without a change.
#[must_use]
pub fn interval(row: &Row) -> Markup {
    let Some(change) = &row.change else { return markup! {} };
    let range = change.shown(row.verdict);
    let reach = (REACH * row.matters).max(1.3 * change.estimate.abs());
    let at = |value: f64| {
        let share = (value / reach).clamp(-1.0, 1.0);
        format!("{:.1}", WIDTH / 2.0 + share * (WIDTH / 2.0 - 6.0))
    };
    let middle = HEIGHT / 2.0;
    let label = format!("{} {}", words::change(row).unwrap_or_default(), verdict(row));
    let width = |low: f64, high: f64| {
        let number = |value: f64| at(value).parse::<f64>().unwrap_or(0.0);
        format!("{:.1}", number(high) - number(low))
    };
    let arrow = |is_beyond: bool, x: f64, direction: f64| {
        markup! {
            @if is_beyond {
                path d=(format!("M{:.1} {:.1} l{:.1} -4 v8 z", x + direction * 5.0, middle, -direction * 5.0)) {}
            }
        }
    };
    markup! {
        svg class={ "interval " (class(row.verdict)) } viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(label) {
            title { (label) }
            rect class="same" x=(at(-row.matters)) y="2" width=(width(-row.matters, row.matters)) height=(HEIGHT - 4.0) {}
            line class="zero" x1=(at(0.0)) x2=(at(0.0)) y1="1" y2=(HEIGHT - 1.0) {}
            line class="range" x1=(at(range.low)) x2=(at(range.high)) y1=(middle) y2=(middle) {}
            (arrow(range.low < -reach, 6.0, -1.0))
            (arrow(range.high > reach, WIDTH - 6.0, 1.0))
            circle cx=(at(change.estimate)) cy=(middle) r="4" {}
        }
    }
}

/// A text whose figures stay with their units.
fn nobreak(text: &str) -> String {
    harmless_lines(text).replace(" %", "\u{a0}%").replace(" ms", "\u{a0}ms")
}
