//! Line charts as inline SVG.

use maud::{Markup, html};

/// The most points of a line; beyond it, neighbours are merged.
pub(super) const MOST_POINTS: usize = 300;
/// Up to this many points have a mark of their own, with its value.
const MOST_MARKS: usize = 120;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 190.0;

/// A chart over time.
pub(super) struct Chart {
    /// Its title: `Frames per second`.
    pub(super) title: &'static str,
    /// `fps`, `ms`, `%`.
    pub(super) unit: &'static str,
    /// A summary for readers without the picture.
    pub(super) summary: String,
    pub(super) lines: Vec<Line>,
    /// Areas below the lines.
    pub(super) bands: Vec<Band>,
    /// A level to compare with.
    pub(super) target: Option<(String, f64)>,
    /// Spans of time that matter.
    pub(super) shades: Vec<Shade>,
    /// The end of the time axis in seconds.
    pub(super) seconds: f64,
    /// The least end of the value axis.
    pub(super) at_least: f64,
    /// Whether each point has a mark with its value.
    pub(super) has_marks: bool,
}

/// Spans of time that have something in common.
pub(super) struct Shade {
    pub(super) name: &'static str,
    /// The name of its colour.
    pub(super) class: &'static str,
    /// Begin and end in seconds.
    pub(super) spans: Vec<(f64, f64)>,
}

/// A line of a chart.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Points,
}

/// An area of a chart.
pub(super) struct Band {
    pub(super) name: String,
    /// The name of its colour.
    pub(super) class: &'static str,
    /// Seconds, lower and upper value; a gap where there are none.
    pub(super) points: Vec<(f64, Option<(f64, f64)>)>,
}

/// Seconds and value; a gap where there is no value.
pub(super) type Points = Vec<(f64, Option<f64>)>;

/// Class names of the lines' colours.
const COLOURS: [&str; 3] = ["one", "two", "three"];

fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// Merges neighbours so that at most [`MOST_POINTS`] are left: of each group,
/// `worst` picks one. Also returns how many were merged into one.
pub(super) fn merged(values: Vec<Option<f64>>, worst: fn(f64, f64) -> f64) -> (Points, usize) {
    let group = values.len().div_ceil(MOST_POINTS).max(1);
    let point = |(index, group_values): (usize, &[Option<f64>])| {
        // The value of a second is drawn in its middle.
        let middle = index as f64 * group as f64 + group_values.len() as f64 / 2.0;
        (middle, group_values.iter().flatten().copied().reduce(worst))
    };
    (values.chunks(group).enumerate().map(point).collect(), group)
}

impl Chart {
    pub(super) fn render(&self) -> Markup {
        let values = self.lines.iter().flat_map(|line| &line.points).filter_map(|(_, value)| *value);
        let most = values.chain(self.target.as_ref().map(|(_, level)| *level)).fold(self.at_least, f64::max);
        let step = nice_step(most * 1.04);
        // Values within the least height need no room above them.
        let room = if most > self.at_least { 1.04 } else { 1.0 };
        let top = (most * room / step).ceil().max(1.0) * step;
        let scale = Scale { top, seconds: self.seconds.max(1.0) };
        let levels = (0..).map(|n| f64::from(n) * step).take_while(|level| *level <= top * 1.000_1);
        let time_step = nice_step(scale.seconds);
        let times = (0..).map(|n| f64::from(n) * time_step).take_while(|at| *at <= scale.seconds);
        html! {
            figure {
                figcaption {
                    b { (self.title) ", " (self.unit) }
                    @for band in &self.bands { span class={ "key area " (band.class) } { (band.name) } }
                    @if self.lines.len() > 1 || self.target.is_some() || !self.bands.is_empty() {
                        @for (index, line) in self.lines.iter().enumerate() {
                            span class={ "key " (colour(index)) } { (line.name) }
                        }
                    }
                    @if let Some((name, _)) = &self.target { span class="key target" { (name) } }
                    @for shade in &self.shades { span class={ "key area " (shade.class) } { (shade.name) } }
                }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("{}: {}", self.title, self.summary)) {
                    @for shade in &self.shades {
                        @for (from, to) in &shade.spans {
                            rect class=(shade.class) x=(short(scale.x(*from))) y=(short(scale.y(top)))
                                width=(short(scale.x(*to) - scale.x(*from))) height=(short(scale.y(0.0) - scale.y(top))) {}
                        }
                    }
                    @for level in levels {
                        @let y = short(scale.y(level));
                        line class=(if level == 0.0 { "axis" } else { "grid" }) x1=(short(LEFT)) x2=(short(WIDTH - RIGHT)) y1=(y) y2=(y) {}
                        text x=(short(LEFT - 8.0)) y=(short(scale.y(level) + 4.0)) text-anchor="end" { (short(level)) }
                    }
                    @for at in times {
                        text x=(short(scale.x(at))) y=(short(HEIGHT - 6.0)) text-anchor="middle" { (short(at)) " s" }
                    }
                    @if let Some((_, level)) = self.target {
                        @let y = short(scale.y(level));
                        line class="target" x1=(short(LEFT)) x2=(short(WIDTH - RIGHT)) y1=(y) y2=(y) {}
                    }
                    @for band in &self.bands { (Chart::band(band, &scale)) }
                    @for (index, line) in self.lines.iter().enumerate() {
                        g class=(colour(index)) { (self.line(line, &scale)) }
                    }
                }
            }
        }
    }

    fn band(band: &Band, scale: &Scale) -> Markup {
        let runs = band.points.split(|(_, span)| span.is_none()).filter(|run| run.len() > 1);
        let edge = |which: fn((f64, f64)) -> f64| {
            move |(at, span): &(f64, Option<(f64, f64)>)| {
                format!("{},{}", short(scale.x(*at)), short(scale.y(span.map_or(0.0, which))))
            }
        };
        html! {
            @for run in runs {
                @let there = run.iter().map(edge(|(_, upper)| upper));
                @let back = run.iter().rev().map(edge(|(lower, _)| lower));
                polygon class=(band.class) points=(there.chain(back).collect::<Vec<_>>().join(" ")) {}
            }
        }
    }

    fn line(&self, line: &Line, scale: &Scale) -> Markup {
        let with_marks = self.has_marks && line.points.len() <= MOST_MARKS;
        let place = |(at, value): &(f64, Option<f64>)| value.map(|value| (*at, value));
        let runs = line.points.split(|(_, value)| value.is_none()).filter(|run| !run.is_empty());
        html! {
            @for run in runs {
                polyline points=(run.iter().filter_map(place).map(|(at, value)| {
                    format!("{},{}", short(scale.x(at)), short(scale.y(value)))
                }).collect::<Vec<_>>().join(" ")) {}
                @for (at, value) in run.iter().filter_map(place).filter(|_| with_marks || run.len() == 1) {
                    circle cx=(short(scale.x(at))) cy=(short(scale.y(value))) r="2.1" {
                        title { (line.name) ", " (short(at)) " s: " (short(value)) " " (self.unit) }
                    }
                }
            }
        }
    }
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

const LEFT: f64 = 46.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;

struct Scale {
    top: f64,
    seconds: f64,
}

impl Scale {
    fn x(&self, at: f64) -> f64 {
        LEFT + (at / self.seconds).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)
    }
}

/// A step of 1, 2 or 5 times a power of ten that divides `most` in at most five.
fn nice_step(most: f64) -> f64 {
    let magnitude = 10_f64.powf((most.max(1e-9) / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0].map(|digit| digit * magnitude);
    steps.into_iter().find(|step| most / step <= 5.0).unwrap_or(10.0 * magnitude)
}

/// At most two decimals, no needless zeros.
fn short(value: f64) -> String {
    crate::record::measure::number(value)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let (points, group) = merged(values, f64::min);
        assert_eq!((group, points.len()), (3, 201));
        assert_eq!(points[0], (1.5, Some(1.0)));
        assert_eq!(points[200], (600.5, Some(600.0)));
        assert_eq!(merged(vec![Some(2.0)], f64::min), (vec![(0.5, Some(2.0))], 1));
    }
}
