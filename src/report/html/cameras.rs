//! The table of cameras: a row per pipeline or script, bad cameras first, with the frame
//! rate over time as a small line.
//!
//! Columns without any figure are left out. On a narrow screen, each row is a card. Where rows are sorted, each
//! has the name of its camera.

use std::collections::HashSet;

use maud::{Markup, html as markup};

use super::chart::spark;
use super::series;
use super::words::{badge, breakable};
use crate::name::Slug;
use crate::record::Pace;
use crate::record::measure::{CameraFigures, Lateness, Percentiles, StreamFigures, Verdict};
use crate::report::{Report, absent, dropped, lanes, mebibytes, millis, number, on_time, percent};
use crate::text::harmless_lines;

/// The longest name that is never broken, in characters.
const MOST_WHOLE: usize = 18;

/// A row of the table.
struct Row<'a> {
    report: &'a Report<'a>,
    camera: &'a CameraFigures,
    stream: &'a StreamFigures,
    /// Whether it is the first one of its camera.
    is_first: bool,
}

/// A column of figures: its name, its unit, and a row's value.
struct Column {
    name: &'static str,
    unit: &'static str,
    /// Whether it needs a line of a narrow screen for itself.
    is_wide: bool,
    value: fn(&Row<'_>) -> Option<String>,
    /// What rows are sorted by, if that is not the begin of the value.
    sort: Option<fn(&Row<'_>) -> Option<String>>,
}

const COLUMNS: [Column; 6] = [
    Column {
        name: "Latency ms",
        unit: "p50 / p95 / p99",
        is_wide: true,
        value: latency,
        sort: Some(latency_p95),
    },
    Column {
        name: "On time",
        unit: "%",
        is_wide: false,
        value: |row| row.stream.on_time.map(|_| on_time(row.stream)),
        sort: None,
    },
    Column { name: "Late ms", unit: "p95 / max", is_wide: true, value: late, sort: None },
    Column {
        name: "Dropped",
        unit: "%",
        is_wide: false,
        value: |row| row.stream.dropped_share.map(|_| dropped(row.stream)),
        sort: None,
    },
    Column {
        name: "CPU %",
        unit: "of a core",
        is_wide: false,
        value: |row| row.worker().and_then(|worker| worker.cpu).map(|cpu| percent(Some(cpu), 0)),
        sort: None,
    },
    Column {
        name: "Memory",
        unit: "MiB",
        is_wide: false,
        value: |row| row.worker().and_then(|worker| worker.rss_max).map(|bytes| mebibytes(Some(bytes))),
        sort: None,
    },
];

impl Row<'_> {
    /// The worker that plays this camera alone, once per camera.
    fn worker(&self) -> Option<&crate::record::measure::WorkerFigures> {
        self.report.measurement.own_worker(&self.camera.slug).filter(|_| self.is_first)
    }
}

fn latency(row: &Row<'_>) -> Option<String> {
    let Percentiles { p50, p95, p99, max: _ } = row.stream.latency_us?;
    Some([p50, p95, p99].map(millis).join(" / "))
}

fn latency_p95(row: &Row<'_>) -> Option<String> {
    Some(millis(row.stream.latency_us?.p95))
}

fn late(row: &Row<'_>) -> Option<String> {
    let Lateness { p95, max, .. } = row.stream.lateness_us?;
    Some([p95, max].map(|us| format!("{:.1}", us as f64 / 1e3)).join(" / "))
}

/// The table. A camera whose slug is in `detailed` has more about it further down.
pub(super) fn cameras(report: &Report<'_>, detailed: &HashSet<&Slug>) -> Markup {
    let all: Vec<Row<'_>> =
        report.measurement.cameras.iter().flat_map(|camera| rows(report, camera)).collect();
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| all.iter().any(|row| (column.value)(row).is_some())).collect();
    let shape = Shape {
        is_live: report.record.conditions.pace == Pace::Live,
        has_fps: all.iter().any(|row| row.stream.fps.is_some()),
        has_line: all.iter().any(|row| series::frame_rate(report, row.stream).is_some()),
        columns,
        detailed,
    };
    markup! {
        div class="card scroll" tabindex="0" role="region" aria-label="Figures per camera" {
            table class="cameras sorts" {
                thead {
                    tr {
                        th scope="col" { "Camera" }
                        th scope="col" { "Verdict" }
                        @if shape.has_fps { th scope="col" class="num" { "fps" @if shape.is_live { " " br; "of target" } } }
                        @if shape.has_line { th scope="col" class="plain line" { "fps over time" } }
                        th scope="col" { "Workloads" }
                        @for column in &shape.columns { th scope="col" class="num" { (column.name) " " br; (column.unit) } }
                    }
                }
                @for group in lanes::groups(report) {
                    tbody {
                        @if let Some(line) = &group.line {
                            tr class="lane" { th scope="rowgroup" colspan=(shape.width()) { (harmless_lines(line)) } }
                        }
                        @for camera in group.cameras {
                            @for row in rows(report, camera) { (shape.row(&row)) }
                            @for left in &camera.left_out {
                                tr class="left_out" {
                                    th scope="row" { (harmless_lines(&lanes::name(camera))) }
                                    td { "left out" }
                                    td class="rest" colspan=(shape.width() - 2) { (harmless_lines(&left.workloads.join(", "))) ": " (harmless_lines(&left.reason)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn rows<'a>(report: &'a Report<'a>, camera: &'a CameraFigures) -> impl Iterator<Item = Row<'a>> {
    camera.streams.iter().enumerate().map(|(index, stream)| Row {
        report,
        camera,
        stream,
        is_first: index == 0,
    })
}

/// The columns that this table has.
struct Shape<'a> {
    is_live: bool,
    has_fps: bool,
    has_line: bool,
    columns: Vec<&'static Column>,
    detailed: &'a HashSet<&'a Slug>,
}

impl Shape<'_> {
    /// The number of columns.
    fn width(&self) -> usize {
        3 + usize::from(self.has_fps) + usize::from(self.has_line) + self.columns.len()
    }

    fn row(&self, row: &Row<'_>) -> Markup {
        let stream = row.stream;
        // Failures have a section of their own.
        let reason = stream.reason.as_ref().filter(|_| stream.verdict != Verdict::Failed);
        markup! {
            tr class=[reason.map(|_| "with_reason")] {
                th scope="row" { (self.name(row)) }
                td class="verdict" data-sort=(row.stream.verdict as u8) {
                    @if stream.verdict == Verdict::Failed { a href="#failures" { (badge(stream.verdict)) } }
                    @else { (badge(stream.verdict)) }
                    @let decisive = stream.decisive();
                    @if !decisive.is_empty() { br; span class="soft small whole" { (decisive.join(", ")) } }
                }
                @if self.has_fps { td class="num fps" { (self.rate(row)) } }
                @if self.has_line { td class="line" { (self.line(row)) } }
                td class="workloads" { (breakable(&stream.workloads.join(", "))) }
                @for column in &self.columns {
                    @let value = (column.value)(row);
                    td class={ "num" @if value.is_none() { " none" } @if column.is_wide { " wide" } } data-name={ (column.name) ", " (column.unit) } data-sort=[column.sort.and_then(|sort| sort(row))] {
                        (value.unwrap_or_else(|| if row.is_first { absent(stream).to_owned() } else { String::new() }))
                    }
                }
            }
            @if let Some(reason) = reason {
                tr class="reason" { td colspan=(self.width()) { (harmless_lines(reason)) } }
            }
        }
    }

    fn name(&self, row: &Row<'_>) -> Markup {
        let (camera, name) = (row.camera, harmless_lines(&lanes::name(row.camera)));
        // Browsers break lines at hyphens.
        let class = (name.chars().count() <= MOST_WHOLE).then_some("whole");
        markup! {
            @if row.is_first {
                @if self.detailed.contains(&camera.slug) { a class=[class] href={ "#camera-" (camera.slug) } { (name) } }
                @else { span class=[class] { (name) } }
                " "
            }
            @if !row.is_first { span class="again" { (name) " " } }
            @if camera.streams.len() > 1 { span class="soft small whole" { (harmless_lines(&row.stream.stream)) } }
        }
    }

    fn rate(&self, row: &Row<'_>) -> Markup {
        let Some(fps) = row.stream.fps else {
            return markup! { (absent(row.stream)) };
        };
        markup! {
            b { (format!("{fps:.2}")) } @if self.is_live { " of " (number(row.camera.target_fps)) }
            @if let Some(range) = row.stream.fps_range {
                " " span class="soft small" { (number(range.min)) ".." (number(range.max)) }
            }
        }
    }

    fn line(&self, row: &Row<'_>) -> Markup {
        let target = self.is_live.then_some(row.camera.target_fps);
        let series = series::frame_rate(row.report, row.stream);
        let begin = series::begin(row.report, &row.stream.stream);
        markup! {
            @if let Some((points, _)) = series {
                @let points = points.into_iter().map(|(at, value)| (at - begin, value)).collect();
                (spark(&points, target, series::longest(row.report)))
            }
        }
    }
}
