//! Line charts as inline SVG.
//!
//! The points of a line are its times and values themselves: a transformation scales them to the
//! width that there is. So the page's script reads exact values, letters keep their size on any screen,
//! and a file has no second copy of the figures.

use maud::{Markup, html};

/// The most points of a line; beyond it, neighbours are merged.
const MOST_POINTS: usize = 300;
/// The fewest that the lines of a large lane have, and how many all of its streams have together.
const FEWEST_POINTS: usize = 60;
const ALL_POINTS: usize = 24_000;

/// The height of the part with the lines, of the room above it, and of the times below it.
const PLOT: f64 = 132.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 22.0;

/// A chart over time.
pub(in crate::report) struct Chart {
    /// Its title: `Frames per second`.
    pub(in crate::report) title: String,
    /// `fps`, `ms`, `%`.
    pub(in crate::report) unit: &'static str,
    /// A summary for readers without the picture.
    pub(in crate::report) summary: String,
    pub(in crate::report) lines: Vec<Line>,
    /// Areas below the lines.
    pub(in crate::report) bands: Vec<Band>,
    /// A level to compare with.
    pub(in crate::report) target: Option<(String, f64)>,
    /// Spans of time that matter.
    pub(in crate::report) shades: Vec<Shade>,
    /// The end of the time axis in seconds.
    pub(in crate::report) seconds: f64,
    /// The least end of the value axis.
    pub(in crate::report) at_least: f64,
}

/// Spans of time that have something in common.
#[derive(Clone)]
pub(in crate::report) struct Shade {
    /// Empty if another chart has its key.
    pub(in crate::report) name: &'static str,
    /// The name of its colour.
    pub(in crate::report) class: &'static str,
    /// Begin and end in seconds.
    pub(in crate::report) spans: Vec<(f64, f64)>,
}

/// A line of a chart.
pub(in crate::report) struct Line {
    pub(in crate::report) name: String,
    pub(in crate::report) points: Points,
}

/// An area of a chart.
pub(in crate::report) struct Band {
    pub(in crate::report) name: String,
    /// The name of its colour.
    pub(in crate::report) class: &'static str,
    /// Whether its value is a range, and not its height.
    pub(in crate::report) is_range: bool,
    /// Seconds, lower and upper value; a gap where there are none.
    pub(in crate::report) points: Vec<(f64, Option<(f64, f64)>)>,
}

/// Seconds and value; a gap where there is no value.
pub(in crate::report) type Points = Vec<(f64, Option<f64>)>;

/// Class names of the lines' colours and strokes.
const COLOURS: [&str; 9] = [
    "one",
    "two",
    "three",
    "one dashed",
    "two dashed",
    "three dashed",
    "one dotted",
    "two dotted",
    "three dotted",
];

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// The most points of a line where there are so many streams.
pub(in crate::report) fn most_points(n_streams: usize) -> usize {
    (ALL_POINTS / n_streams.max(1)).clamp(FEWEST_POINTS, MOST_POINTS)
}

/// Merges neighbours so that at most `most` are left: of each group, `worst` picks one. The first
/// value is that of the second that begins at `begin`. Also returns how many were merged into one.
pub(super) fn merged(
    values: Vec<Option<f64>>,
    begin: f64,
    most: usize,
    worst: fn(f64, f64) -> f64,
) -> (Points, usize) {
    let group = values.len().div_ceil(most.max(1)).max(1);
    let point = |(index, group_values): (usize, &[Option<f64>])| {
        // The value of a second is drawn in its middle.
        let middle = begin + index as f64 * group as f64 + group_values.len() as f64 / 2.0;
        (middle, group_values.iter().flatten().copied().reduce(worst))
    };
    (values.chunks(group).enumerate().map(point).collect(), group)
}

impl Chart {
    /// The end of its value axis and the distance of its levels.
    pub(in crate::report) fn scale(&self) -> (f64, f64) {
        let values = self.lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
        let uppers =
            self.bands.iter().flat_map(|band| &band.points).filter_map(|(_, span)| Some(span.as_ref()?.1));
        let level = self.target.as_ref().map(|(_, level)| *level);
        // Shares that add up to 100 % may do so to a millionth.
        let rounded = |value: f64| (value * 1e3).round() / 1e3;
        let most = values.chain(uppers).chain(level).map(rounded).fold(self.at_least, f64::max);
        let step = nice_step(most * 1.04);
        // Values within the least height need no room above them.
        let room = if most > self.at_least { 1.04 } else { 1.0 };
        ((most * room / step).ceil().max(1.0) * step, step)
    }

    pub(in crate::report) fn render(&self) -> Markup {
        let (top, step) = self.scale();
        let seconds = self.seconds.max(1.0);
        let time_step = time_step(seconds, 5.0);
        let levels = || (0..).map(|n| f64::from(n) * step).take_while(|level| *level <= top * 1.000_1);
        let times = (0..).map(|n| f64::from(n) * time_step).take_while(|at| *at <= seconds);
        let right = short(seconds);
        html! {
            figure class="chart" {
                figcaption {
                    b { (self.title) ", " (self.unit) }
                    @for band in &self.bands { span class={ "key area " (band.class) } data-series { (band.name) } }
                    @for (index, line) in self.lines.iter().enumerate() {
                        span class={ "key " (colour(index)) } data-series { (line.name) }
                    }
                    @if let Some((name, _)) = &self.target { span class="key target" { (name) } }
                    @for shade in self.shades.iter().filter(|shade| !shade.name.is_empty()) { span class={ "key area " (shade.class) } { (shade.name) } }
                }
                svg role="img" height=(short(TOP + PLOT + BOTTOM)) aria-label=(format!("{}: {}", self.title, self.summary)) {
                    svg class="plot" y=(short(TOP)) width="100%" height=(short(PLOT)) viewBox={ "0 0 " (right) " " (short(top)) } preserveAspectRatio="none" {
                        g transform={ "matrix(1 0 0 -1 0 " (short(top)) ")" } {
                            @for shade in &self.shades {
                                @for (from, to) in &shade.spans {
                                    @let (from, to) = (from.clamp(0.0, seconds), to.clamp(0.0, seconds));
                                    rect class=(shade.class) x=(short(from)) y="0" width=(short(to - from)) height=(short(top)) {}
                                }
                            }
                            @for level in levels() {
                                @let y = short(level);
                                line class=(if level == 0.0 { "axis" } else { "grid" }) x2=(right) y1=(y) y2=(y) {}
                            }
                            @if let Some((_, level)) = self.target {
                                @let y = short(level);
                                line class="target" x2=(right) y1=(y) y2=(y) {}
                            }
                            @for band in &self.bands { (Chart::band(band)) }
                            @for (index, line) in self.lines.iter().enumerate() { (Chart::line(line, colour(index))) }
                        }
                    }
                    @for level in levels() {
                        text x="-8" y=(short(TOP + (1.0 - level / top) * PLOT + 4.0)) text-anchor="end" { (short(level)) }
                    }
                    @for at in times {
                        @let anchor = if at / seconds > 0.93 { "end" } else { "middle" };
                        text x=(format!("{}%", short(at / seconds * 100.0))) y=(short(TOP + PLOT + 16.0)) text-anchor=(anchor) { (time_text(at, time_step)) }
                    }
                }
            }
        }
    }

    fn band(band: &Band) -> Markup {
        let runs = band.points.split(|(_, span)| span.is_none()).filter(|run| run.len() > 1);
        let edge = |which: fn((f64, f64)) -> f64| {
            move |(at, span): &(f64, Option<(f64, f64)>)| pair(*at, span.map_or(0.0, which))
        };
        html! {
            g class={ "series " (band.class) @if band.is_range { " range" } } {
                @for run in runs {
                    @let there = run.iter().map(edge(|(_, upper)| upper));
                    @let back = run.iter().rev().map(edge(|(lower, _)| lower));
                    polygon points=(there.chain(back).collect::<Vec<_>>().join(" ")) {}
                }
            }
        }
    }

    fn line(line: &Line, colour: &str) -> Markup {
        let runs = line.points.split(|(_, value)| value.is_none()).filter(|run| !run.is_empty());
        html! {
            g class={ "series " (colour) } {
                @for run in runs {
                    polyline points=(points(run)) {}
                }
            }
        }
    }
}

/// The points of a line without gaps. One that is alone is there twice: a line without length has round
/// ends, and so is a dot.
fn points(run: &[(f64, Option<f64>)]) -> String {
    let alone = if run.len() == 1 { run } else { &[] };
    let points = run.iter().chain(alone).filter_map(|(at, value)| Some(pair(*at, (*value)?)));
    points.collect::<Vec<_>>().join(" ")
}

fn pair(at: f64, value: f64) -> String {
    format!("{},{}", short(at), short(value))
}

/// A line without axes, for a cell of a table: from 0 to the target, or to the greatest
/// value.
pub(super) fn spark(points: &Points, target: Option<f64>, seconds: f64) -> Markup {
    const WIDTH: f64 = 110.0;
    const HEIGHT: f64 = 22.0;
    const MOST: usize = 55;
    let values = || points.iter().filter_map(|(_, value)| *value);
    let top = values().chain(target).fold(1e-9, f64::max) * 1.08;
    let place = |at: f64, value: f64| {
        format!(
            "{},{}",
            short(at / seconds.max(1e-9) * WIDTH),
            short(HEIGHT - 1.0 - value / top * (HEIGHT - 2.0))
        )
    };
    let group = points.len().div_ceil(MOST).max(1);
    let line: Vec<String> = points
        .chunks(group)
        .filter_map(|points| {
            let least = points.iter().filter_map(|(_, value)| *value).reduce(f64::min)?;
            let (first, last) = (points.first()?.0, points.last()?.0);
            Some(place(f64::midpoint(first, last), least))
        })
        .collect();
    html! {
        svg class="spark" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-hidden="true" {
            @if let Some(target) = target {
                @let y = short(HEIGHT - 1.0 - target / top * (HEIGHT - 2.0));
                line class="target" x1="0" x2=(short(WIDTH)) y1=(y) y2=(y) {}
            }
            line class="axis" x1="0" x2=(short(WIDTH)) y1=(short(HEIGHT - 0.5)) y2=(short(HEIGHT - 0.5)) {}
            @if let [only] = line.as_slice() {
                @let (x, y) = only.split_once(',').unwrap_or_default();
                circle cx=(x) cy=(y) r="2" {}
            } @else {
                polyline points=(line.join(" ")) {}
            }
        }
    }
}

/// A step of 1, 2 or 5 times a power of ten that divides `most` in at most five.
pub(in crate::report) fn nice_step(most: f64) -> f64 {
    let magnitude = 10_f64.powf((most.max(1e-9) / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|digit| digit * magnitude);
    steps.into_iter().find(|step| most / step <= 5.0).unwrap_or(10.0 * magnitude)
}

/// A step of the time axis that people count in, in at most so many parts.
pub(in crate::report) fn time_step(seconds: f64, parts: f64) -> f64 {
    const STEPS: [f64; 16] = [
        1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0,
        21_600.0, 86_400.0,
    ];
    STEPS.into_iter().find(|step| seconds / step <= parts).unwrap_or(seconds)
}

/// A time on an axis whose labels are so far apart: `20 s`, `4 min`, `2 h`.
pub(in crate::report) fn time_text(at: f64, step: f64) -> String {
    match step {
        ..60.0 => short(at) + " s",
        ..3_600.0 => short(at / 60.0) + " min",
        _ => short(at / 3_600.0) + " h",
    }
}

/// At most two decimals, no needless zeros.
fn short(value: f64) -> String {
    crate::record::measure::number(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_people_count_in() {
        let labels = [7.0, 34.0, 90.0, 900.0, 8.0 * 3_600.0].map(|seconds| {
            let step = time_step(seconds, 5.0);
            time_text(2.0 * step, step)
        });
        assert_eq!(labels.join(", "), "4 s, 20 s, 40 s, 10 min, 4 h");
    }

    #[test]
    fn a_lane_of_many_streams_has_fewer_points_of_each() {
        assert_eq!([1, 80, 160, 4_000].map(most_points), [300, 300, 150, 60]);
    }

    #[test]
    fn steps_are_round() {
        for (most, expected) in
            [(15.6, 5.0), (100.0, 20.0), (30.0, 10.0), (1.0, 0.2), (84.4, 20.0), (10.0, 2.0)]
        {
            assert!((nice_step(most) - expected).abs() < 1e-9, "{most}: {}", nice_step(most));
        }
    }

    #[test]
    fn long_runs_show_the_worst_of_each_group() {
        let values: Vec<Option<f64>> = (0..601).map(|n| (n != 0).then_some(f64::from(n))).collect();
        let (points, group) = merged(values, 0.0, MOST_POINTS, f64::min);
        assert_eq!((group, points.len()), (3, 201));
        assert_eq!(points[0], (1.5, Some(1.0)));
        assert_eq!(points[200], (600.5, Some(600.0)));
        assert_eq!(merged(vec![Some(2.0)], 3.25, 300, f64::min), (vec![(3.75, Some(2.0))], 1));
    }
}
