//! The charts of a run as one PNG file: frame rate, latency, CPU, GPU, memory and power on one time axis,
//! for a chat, a ticket or a slide. Drawn here, so that no browser is needed.
//!
//! It has the lines, areas and shades of the page's charts (`html::timeline`). Not here: the table of
//! cameras, which a picture cannot be searched for.

pub(in crate::report) mod canvas;

use self::canvas::{Anchor, BAD, Canvas, GOOD, GRID, Ink, LINE, SOFT, TEXT, WARN, WIDTH, width_of, wrapped};
use super::html::chart::{Band, Chart, Line, time_step, time_text};
use super::html::timeline::charts;
use super::{Report, conditions, subject};
use crate::record::measure::{Verdict, number};
use crate::text::harmless_lines;

const MARGIN: f64 = 30.0;
/// Room for the levels, left of the lines.
const LEFT: f64 = 110.0;
const RIGHT: f64 = 30.0;
const PLOT: f64 = 150.0;
/// From the lines of one chart to the name of the next one: times and room.
const BELOW: f64 = 54.0;
/// Of a key: its line, and the room before the next one.
const KEY: f64 = 26.0;
const GAP: f64 = 24.0;

const LINES: [Ink; 3] = [[31, 95, 153, 255], [179, 84, 30, 255], [91, 122, 42, 255]];
/// Of the fourth line and those after it.
const DASHES: [f32; 2] = [9.0, 6.0];

/// The picture.
#[must_use]
pub fn png(report: &Report<'_>) -> Vec<u8> {
    let charts = charts(report);
    let head = head(report);
    let room = f64::from(WIDTH) - 2.0 * MARGIN;
    let keys: Vec<Vec<Vec<Key>>> = charts.iter().map(|chart| rows(keys(chart), room)).collect();
    let height_of = |keys: &Vec<Vec<Key>>| LINE * (1 + keys.len()) as f64 + 12.0 + PLOT + BELOW;
    let none = if charts.is_empty() { LINE } else { 0.0 };
    let height = MARGIN + head.len() as f64 * LINE + 18.0 + keys.iter().map(height_of).sum::<f64>() + none;
    let mut canvas = Canvas::new(height + MARGIN / 2.0);
    let mut y = MARGIN;
    for (text, ink, is_bold) in &head {
        match is_bold {
            true => canvas.bold(MARGIN, y, text, *ink),
            false => canvas.text(MARGIN, y, text, *ink, Anchor::Start),
        }
        y += LINE;
    }
    y += 18.0;
    if charts.is_empty() {
        canvas.text(MARGIN, y, "Nothing was measured over time.", SOFT, Anchor::Start);
    }
    for (chart, keys) in charts.iter().zip(&keys) {
        canvas.bold(MARGIN, y, &format!("{}, {}", chart.title, chart.unit), TEXT);
        y += LINE;
        for row in keys {
            let mut x = MARGIN;
            for key in row {
                draw_key(&mut canvas, (x, y), key);
                x += key.width();
            }
            y += LINE;
        }
        y += 12.0;
        draw(&mut canvas, chart, y);
        y += PLOT + BELOW;
    }
    canvas.encoded()
}

/// The verdict, and what was measured.
fn head(report: &Report<'_>) -> Vec<(String, Ink, bool)> {
    let room = f64::from(WIDTH) - 2.0 * MARGIN;
    let record = report.record;
    let worst = report.measurement.cameras.iter().map(|camera| camera.verdict).max();
    let ink = match worst {
        Some(Verdict::Holds | Verdict::Decodes) => GOOD,
        None | Some(Verdict::NotJudged | Verdict::Undecided) => WARN,
        Some(Verdict::DoesNotHold | Verdict::FasterButWrong | Verdict::Invalid | Verdict::Failed) => BAD,
    };
    let verdict = wrapped(&harmless_lines(&report.measurement.verdict), room);
    let facts = [
        format!("Run {} of {}, {}", report.run, record.subject, subject::started(record)),
        conditions(&record.conditions),
    ];
    let facts = facts.iter().flat_map(|fact| wrapped(&harmless_lines(fact), room));
    let verdict = verdict.into_iter().map(|line| (line, ink, true));
    verdict.chain(facts.map(|line| (line, SOFT, false))).collect()
}

/// What a line or an area of a chart is.
struct Key {
    name: String,
    ink: Ink,
    is_area: bool,
    is_dashed: bool,
}

impl Key {
    fn width(&self) -> f64 {
        KEY + width_of(&self.name) + GAP
    }
}

fn keys(chart: &Chart) -> Vec<Key> {
    let area = |name: &str, class: &str| Key {
        name: harmless_lines(name),
        ink: ink_of(class),
        is_area: true,
        is_dashed: false,
    };
    let mut keys: Vec<Key> = chart.bands.iter().map(|band| area(&band.name, band.class)).collect();
    keys.extend(chart.lines.iter().enumerate().map(|(index, line)| Key {
        name: harmless_lines(&line.name),
        ink: line_ink(chart, index),
        is_area: false,
        is_dashed: index >= LINES.len(),
    }));
    keys.extend(chart.target.iter().map(|(name, _)| Key {
        name: name.clone(),
        ink: SOFT,
        is_area: false,
        is_dashed: true,
    }));
    keys.extend(
        chart.shades.iter().filter(|shade| !shade.name.is_empty()).map(|shade| area(shade.name, shade.class)),
    );
    keys
}

/// Keys in rows of at most this width.
fn rows(keys: Vec<Key>, room: f64) -> Vec<Vec<Key>> {
    let mut rows: Vec<Vec<Key>> = Vec::new();
    for mut key in keys {
        key.name = wrapped(&key.name, room - KEY).into_iter().next().unwrap_or_default();
        let used = |row: &Vec<Key>| row.iter().map(Key::width).sum::<f64>();
        match rows.last_mut().filter(|row| used(row) + key.width() - GAP <= room) {
            Some(row) => row.push(key),
            None => rows.push(vec![key]),
        }
    }
    rows
}

fn draw_key(canvas: &mut Canvas, (x, y): (f64, f64), key: &Key) {
    let middle = y + LINE / 2.0 - 3.0;
    match key.is_area {
        true => canvas.rect((x, middle - 6.0, x + KEY - 8.0, middle + 6.0), key.ink),
        false => {
            let dashes = key.is_dashed.then_some(DASHES.map(|dash| dash / 2.0));
            canvas.line(&[(x, middle), (x + KEY - 8.0, middle)], key.ink, 3.0, dashes);
        }
    }
    canvas.text(x + KEY, y, &key.name, SOFT, Anchor::Start);
}

fn line_ink(chart: &Chart, index: usize) -> Ink {
    // Above areas of the same colours.
    if chart.bands.iter().any(|band| !band.is_range) { TEXT } else { LINES[index % LINES.len()] }
}

/// The colour of an area by the name of its class, as in the style of pages.
fn ink_of(class: &str) -> Ink {
    match class {
        "own" => [87, 135, 178, 255],
        "scripts" => [198, 127, 86, 255],
        "lp" => [132, 155, 95, 255],
        "collectors" => [132, 140, 147, 255],
        "kernel" => [155, 163, 171, 255],
        "others" => [203, 209, 215, 255],
        "all" => [220, 225, 229, 255],
        "disturbed" => [251, 240, 210, 255],
        "hindered" => [232, 236, 239, 255],
        "left_out" => [250, 229, 226, 255],
        _ => [238, 243, 248, 255],
    }
}

/// The lines of a chart with their axes, from `top` on.
fn draw(canvas: &mut Canvas, chart: &Chart, top: f64) {
    let (most, step) = chart.scale();
    let seconds = chart.seconds.max(1.0);
    let right = f64::from(WIDTH) - RIGHT;
    let x = |at: f64| LEFT + (at / seconds).clamp(0.0, 1.0) * (right - LEFT);
    let y = |value: f64| top + PLOT - (value / most).clamp(0.0, 1.0) * PLOT;
    for shade in &chart.shades {
        for (from, to) in &shade.spans {
            canvas.rect((x(*from), top, x(*to), top + PLOT), ink_of(shade.class));
        }
    }
    for level in (0..).map(|n| f64::from(n) * step).take_while(|level| *level <= most * 1.000_1) {
        canvas.line(&[(LEFT, y(level)), (right, y(level))], GRID, 1.0, None);
        canvas.text(LEFT - 12.0, y(level) - 11.0, &number(level), SOFT, Anchor::End);
    }
    let distance = time_step(seconds, 8.0);
    for at in (0..).map(|n| f64::from(n) * distance).take_while(|at| *at <= seconds) {
        let anchor = if at / seconds > 0.97 { Anchor::End } else { Anchor::Middle };
        canvas.text(x(at), top + PLOT + 8.0, &time_text(at, distance), SOFT, anchor);
    }
    chart.bands.iter().for_each(|band| draw_band(canvas, band, &x, &y));
    if let Some((_, level)) = chart.target {
        canvas.line(&[(LEFT, y(level)), (right, y(level))], SOFT, 2.0, Some(DASHES));
    }
    for (index, line) in chart.lines.iter().enumerate() {
        let dashes = (index >= LINES.len()).then_some(DASHES);
        draw_line(canvas, line, line_ink(chart, index), dashes, (&x, &y));
    }
}

type Place<'a> = &'a dyn Fn(f64) -> f64;

fn draw_band(canvas: &mut Canvas, band: &Band, x: Place<'_>, y: Place<'_>) {
    for run in band.points.split(|(_, span)| span.is_none()).filter(|run| run.len() > 1) {
        let there = run.iter().filter_map(|(at, span)| Some((x(*at), y((*span)?.1))));
        let back = run.iter().rev().filter_map(|(at, span)| Some((x(*at), y((*span)?.0))));
        canvas.area(&there.chain(back).collect::<Vec<_>>(), ink_of(band.class));
    }
}

fn draw_line(
    canvas: &mut Canvas,
    line: &Line,
    ink: Ink,
    dashes: Option<[f32; 2]>,
    (x, y): (Place<'_>, Place<'_>),
) {
    for run in line.points.split(|(_, value)| value.is_none()).filter(|run| !run.is_empty()) {
        let points: Vec<_> = run.iter().filter_map(|(at, value)| Some((x(*at), y((*value)?)))).collect();
        canvas.line(&points, ink, 2.5, dashes);
    }
}

#[cfg(test)]
mod tests {
    use tiny_skia::Pixmap;

    use super::*;
    use crate::record::RunRecord;
    use crate::record::fixture::{copies, disturbed, six_cameras};
    use crate::record::measure::measure;

    fn drawn(record: &RunRecord) -> Pixmap {
        let measurement = measure(record);
        let bytes = png(&Report { run: "20261124T064200Z-9f2c41", record, measurement: &measurement });
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
        Pixmap::decode_png(&bytes).unwrap()
    }

    fn has(picture: &Pixmap, ink: Ink) -> usize {
        let is_it = |pixel: &&tiny_skia::PremultipliedColorU8| {
            [pixel.red(), pixel.green(), pixel.blue(), pixel.alpha()] == ink
        };
        picture.pixels().iter().filter(is_it).count()
    }

    #[test]
    fn a_picture_has_the_colours_of_the_verdict_its_lines_and_its_areas() {
        let holds = drawn(&copies(1, &[&[15]], 0.3));
        assert_eq!(holds.width(), WIDTH);
        assert!(has(&holds, GOOD) > 100 && has(&holds, BAD) == 0);
        assert!(has(&holds, LINES[0]) > 500, "the lines");
        let fails = drawn(&six_cameras());
        assert!(has(&fails, BAD) > 100 && has(&fails, GOOD) == 0);
        assert!(has(&fails, ink_of("all")) > 500, "the area of all streams");
        assert!(has(&drawn(&disturbed()), ink_of("disturbed")) > 500, "the disturbed seconds");
    }

    #[test]
    fn a_line_is_where_its_values_are() {
        let picture = drawn(&copies(1, &[&[15]], 0.3));
        // The first chart has a constant rate of 15 of an axis of 20.
        let rows: Vec<u32> = (0..picture.height())
            .filter(|row| {
                let at = |column| picture.pixel(column, *row).unwrap();
                let is_line =
                    |column| [at(column).red(), at(column).green(), at(column).blue()] == LINES[0][..3];
                is_line(400) && is_line(500) && is_line(600)
            })
            .collect();
        // Under three lines of the head, the chart's name and its keys, three quarters up.
        let expected = MARGIN + 3.0 * LINE + 18.0 + 2.0 * LINE + 12.0 + PLOT / 4.0;
        assert!((f64::from(rows[0]) - expected).abs() <= 1.0, "{rows:?}");
    }

    #[test]
    fn a_record_without_figures_and_with_odd_letters_is_a_picture_as_well() {
        let mut record = six_cameras();
        record.subject = "\u{1b}[1m\u{65e5}\u{672c} \u{1f4f7}".repeat(400);
        for member in &mut record.members {
            member.streams.clear();
        }
        record.series.clear();
        assert_eq!(drawn(&record).width(), WIDTH);
    }
}
