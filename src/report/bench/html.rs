//! A benchmark as one HTML file: nothing fetched, whole without its script, light and dark.
//!
//! For each metric, every cell has a line with its repeats as dots, its mean, and the interval of the
//! mean as a bar, all on one axis, as wide as the page is.

use maud::{Markup, html as markup};

use super::{Bench, Cell, Figure, State, change, class, may_be_negative};
use crate::record::comparison::{Comparison, words};
use crate::record::metric::Metric;
use crate::report::comparison::OPEN_END_MEANS;
use crate::report::html::shell::{self, Kind};
use crate::text::{counted, harmless_lines};

const OWN_STYLE: &str = include_str!("style.css");

/// The height of a cell in the picture of a metric, and of the axis below, in pixels. Its width is in percent of the
/// page, so letters are never scaled.
const ROW: f64 = 46.0;
const AXIS: f64 = 24.0;
/// Room beside the values, in percent.
const MARGIN: f64 = 2.0;

/// Longer names of cells are cut in pictures; the table beside has them whole.
const MOST_LETTERS: usize = 46;

/// The benchmark as HTML. `beside` is the name, without endings, of the same in other forms, if it lies in
/// the same folder.
#[must_use]
pub fn html(bench: &Bench, beside: Option<&str>) -> String {
    let headline = harmless_lines(&bench.headline());
    let metrics = bench.shown_metrics();
    let main = markup! {
        header {
            p class="soft" { "Benchmark " (harmless_lines(&bench.name)) }
            h1 { (headline) }
            @if bench.interrupted { p class="why" { span class="badge undecided" { "interrupted" } " Some cells have fewer runs than asked for." } }
            @for line in bench.ranking.iter().flat_map(|ranking| &ranking.lines) {
                @if *line != bench.headline() { p class="why" { (harmless_lines(line)) } }
            }
            p class="soft small" {
                "Order of runs by seed " (bench.seed) "; " (counted(bench.new_runs, "run")) " made for this page, the others were stored. "
                @if let Some(stem) = beside {
                    "Data: "
                    @for ending in ["json", "csv", "md"] { a href={ (stem) "." (ending) } { (stem) "." (ending) } " " }
                }
            }
        }
        section aria-labelledby="cells" {
            h2 id="cells" { "Cells" }
            (cells(bench))
        }
        @if !metrics.is_empty() {
            section aria-labelledby="metrics" {
                h2 id="metrics" { "Metrics" }
                p class="soft small" { "A dot is a run, the bar is the interval of the mean at 95 %, the line in it the mean." }
                @for metric in metrics { (picture(bench, metric)) }
            }
        }
        @for cell in &bench.cells {
            @if let Some(against) = &cell.against { (comparison(cell, against)) }
        }
        (notes(bench))
        @if !bench.host.is_empty() {
            section aria-labelledby="host" {
                h2 id="host" { "Host" }
                div class="card" {
                    dl { @for (name, value) in &bench.host { dt { (name) } dd { (harmless_lines(value)) } } }
                }
            }
        }
    };
    shell::page(Kind::File, &format!("{headline} - benchmark"), OWN_STYLE, &main)
}

fn badge(cell: &Cell) -> Markup {
    let (class, text) = match (&cell.against, cell.state) {
        (_, State::NotAvailable) => ("undecided", "not available".to_owned()),
        (Some(against), _) => (class(against.verdict), against.verdict.to_string()),
        (None, State::Unfinished) => ("undecided", "too few runs".to_owned()),
        (None, State::Measured) => return markup! {},
    };
    markup! { span class={ "badge " (class) } { (text) } }
}

fn cells(bench: &Bench) -> Markup {
    let metrics: Vec<Metric> = bench.shown_metrics().into_iter().take(5).collect();
    markup! {
        div class="card scroll" tabindex="0" role="region" aria-labelledby="cells" {
            table class="bench cards" {
                thead { tr {
                    th scope="col" { "cell" } th scope="col" { "verdict" } th scope="col" { "cameras" }
                    th scope="col" class="num" { "runs" }
                    @for metric in &metrics { th scope="col" class="num" { (metric.words()) } }
                } }
                tbody {
                    @for cell in &bench.cells {
                        tr {
                            th scope="row" { (harmless_lines(&cell.name)) }
                            td { (badge(cell)) }
                            td data-name="cameras" { (harmless_lines(&cell.subject)) }
                            td class="num" data-name="runs" { (cell.runs.len()) }
                            @for metric in &metrics {
                                td class="num" data-name=(metric.words()) {
                                    (cell.lane(*metric).map_or("-".to_owned(), |figure| whole(&figure.shown())))
                                }
                            }
                        }
                        @if let Some(reason) = &cell.reason {
                            tr class="reason" { td colspan=(metrics.len() + 4) { (harmless_lines(reason)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A mean with its unit stays on a line, and so does what comes after it: `6.68 ms` and `±4.04 %`.
fn whole(figure: &str) -> String {
    figure.replace(' ', "\u{a0}").replace("\u{a0}±", " ±")
}

/// One metric of all cells on one axis.
fn picture(bench: &Bench, metric: Metric) -> Markup {
    let rows: Vec<(&Cell, &Figure)> = bench
        .cells
        .iter()
        .filter_map(|cell| Some((cell, cell.lane(metric).filter(|figure| figure.mean.is_some())?)))
        .collect();
    let ends = rows
        .iter()
        .flat_map(|(_, figure)| figure.values.iter().copied().chain(figure.shown_low()).chain(figure.high));
    let ends: Vec<f64> = ends.filter(|value| value.is_finite()).collect();
    let least = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let is_spread = most > least;
    // Equal values stand in the middle.
    let room = if is_spread { (most - least) * 0.06 } else { least.abs().max(1.0) * 0.05 };
    let (from, to) = (least - room, most + room);
    let x = |value: f64| MARGIN + (value - from) / (to - from) * (100.0 - 2.0 * MARGIN);
    let height = ROW * rows.len() as f64 + AXIS;
    let unit = metric.unit();
    let between = |n: i32| least + (most - least) * f64::from(n) / 2.0;
    let ticks: Vec<f64> = if is_spread { (0..=2).map(between).collect() } else { vec![least] };
    let anchors = if is_spread { ["start", "middle", "end"] } else { ["middle"; 3] };
    let summary: Vec<String> =
        rows.iter().map(|(cell, figure)| format!("{}: {}", cell.name, figure.shown())).collect();
    markup! {
        figure class="card intervals" {
            figcaption { b { (metric.words()) } span { (direction(metric)) } }
            svg style={ "height:" (height) "px" } role="img" aria-label={ (metric.words()) ". " (harmless_lines(&summary.join("; "))) } {
                @for (tick, anchor) in ticks.iter().zip(anchors) {
                    line class="grid" x1=(percent(x(*tick))) x2=(percent(x(*tick))) y1="0" y2=(px(height - AXIS)) {}
                    text x=(percent(x(*tick))) y=(px(height - 8.0)) text-anchor=(anchor) { (unit.shown(*tick)) }
                }
                @for (index, (cell, figure)) in rows.iter().enumerate() {
                    @let y = ROW * index as f64 + 30.0;
                    text x="0" y=(px(y - 15.0)) class="name" { (short(&cell.name)) }
                    @if let (Some(low), Some(high)) = (figure.shown_low(), figure.high) {
                        rect class="bar" x=(percent(x(low))) y=(px(y - 7.0)) width=(percent((x(high) - x(low)).max(0.3))) height="14" rx="3" {}
                    }
                    @for (value, run) in figure.values.iter().zip(&cell.runs) {
                        circle class="run" cx=(percent(x(*value))) cy=(px(y)) r="3" { title { (unit.shown(*value)) ", run " (run) } }
                    }
                    @if let Some(mean) = figure.mean {
                        line class="mean" x1=(percent(x(mean))) x2=(percent(x(mean))) y1=(px(y - 9.0)) y2=(px(y + 9.0)) {
                            title { "mean " (unit.shown(mean)) @if let Some(interval) = figure.interval() { ", " (interval) } }
                        }
                    }
                }
            }
            details {
                summary { "Values" }
                table class="cards" {
                    thead { tr { th scope="col" { "cell" } th scope="col" class="num" { "mean" } th scope="col" class="num" { "95 % interval" } th scope="col" class="num" { "median" } th scope="col" class="num" { "runs" } } }
                    tbody { @for (cell, figure) in &rows { tr {
                        th scope="row" { (harmless_lines(&cell.name)) }
                        td class="num" data-name="mean" { (figure.mean.map_or("-".to_owned(), |value| unit.shown(value))) }
                        td class="num" data-name="95 % interval" { (figure.interval().unwrap_or_else(|| "one run".to_owned())) }
                        td class="num" data-name="median" { (figure.median.map_or("-".to_owned(), |value| unit.shown(value))) }
                        td class="num" data-name="runs" { (figure.values.len()) }
                    } } }
                }
            }
        }
    }
}

fn direction(metric: Metric) -> &'static str {
    if may_be_negative(metric) {
        return "less is better; below 0 is early";
    }
    match metric.direction() {
        crate::record::metric::Direction::Higher => "more is better",
        crate::record::metric::Direction::Lower => "less is better",
    }
}

/// A height in a picture.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// A place across a picture.
fn percent(value: f64) -> String {
    format!("{value:.2}%")
}

fn short(name: &str) -> String {
    let name = harmless_lines(name);
    if name.chars().count() <= MOST_LETTERS {
        return name;
    }
    name.chars().take(MOST_LETTERS - 1).chain(['…']).collect()
}

fn comparison(cell: &Cell, against: &Comparison) -> Markup {
    markup! {
        section {
            h2 { (harmless_lines(&cell.name)) " against " (harmless_lines(&against.baseline.name)) }
            p class="why" {
                span class={ "badge " (class(against.verdict)) } { (against.verdict) } " "
                (harmless_lines(&against.headline))
            }
            p class="soft small" {
                @if against.paired { "From " (counted(against.candidate.runs.len(), "pair")) " of neighbouring runs." }
                @else { "From " (against.baseline.runs.len()) " and " (against.candidate.runs.len()) " runs." }
                @for warning in &against.warnings { " " (harmless_lines(warning)) "." }
            }
            @if !against.rows.is_empty() {
                @if against.rows.iter().any(words::has_open_end) { p class="soft small" { (OPEN_END_MEANS) } }
                div class="card scroll" tabindex="0" role="region" aria-label={ "Changes of " (harmless_lines(&cell.name)) } {
                    table class="bench cards" {
                        thead { tr { th scope="col" { "metric" } th scope="col" { "verdict" } th scope="col" { "of" } th scope="col" class="num" { "change" } th scope="col" { "why" } } }
                        tbody { @for row in &against.rows { tr {
                            th scope="row" { (row.metric.words()) }
                            td { span class={ "badge " (class(row.verdict)) } { (row.verdict) } }
                            td data-name="of" { (harmless_lines(&row.place.at)) }
                            td class="num" data-name="change" { (change(row)) }
                            td { (harmless_lines(row.reason.as_deref().unwrap_or_default())) }
                        } } }
                    }
                }
            }
        }
    }
}

fn notes(bench: &Bench) -> Markup {
    let of_cell = |cell: &Cell| -> Vec<String> {
        let left_out = cell.left_out.iter().map(|text| format!("left out: {text}"));
        let dismissed =
            cell.dismissed.iter().map(|one| format!("run {} does not count: {}", one.run, one.why));
        let all = cell.outliers.iter().cloned().chain(left_out).chain(dismissed);
        all.map(|text| format!("{}: {text}", cell.name)).collect()
    };
    let notes: Vec<String> = bench.cells.iter().flat_map(of_cell).collect();
    markup! {
        @if !notes.is_empty() {
            section aria-labelledby="notes" {
                h2 id="notes" { "Notes" }
                div class="card" { ul class="notes" { @for note in &notes { li { (harmless_lines(note)) } } } }
            }
        }
    }
}
