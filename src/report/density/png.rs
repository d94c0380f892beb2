//! The path of a search as a PNG file: each number of lanes as a bar, as high as it is and as wide as it
//! took, with its verdict.

use super::{DensityShown, asked, unit};
use crate::record::density_figures::SettingFigures;
use crate::record::measure::number;
use crate::report::html::chart::{nice_step, time_step, time_text};
use crate::report::png::canvas::{
    Anchor, BAD, Canvas, GOOD, GRID, Ink, LINE, SOFT, TEXT, WARN, WIDTH, wrapped,
};
use crate::search::State;
use crate::text::harmless_lines;

const MARGIN: f64 = 30.0;
const LEFT: f64 = 90.0;
const PLOT: f64 = 360.0;

/// Each state in words, its edge and its area.
const STATES: [(State, &str, Ink, Ink); 5] = [
    (State::Holds, "holds", GOOD, [227, 243, 234, 255]),
    (State::Fails, "fails", BAD, [250, 229, 226, 255]),
    (State::Undecided, "undecided", WARN, [251, 240, 210, 255]),
    (State::Disturbed, "disturbed", SOFT, [238, 243, 248, 255]),
    (State::Broken, "broken", BAD, [255, 255, 255, 255]),
];

/// The picture.
#[must_use]
pub fn png(shown: &DensityShown<'_>) -> Vec<u8> {
    let room = f64::from(WIDTH) - 2.0 * MARGIN;
    let figures = shown.figures;
    let verdict = wrapped(&harmless_lines(&figures.verdict), room);
    let facts = format!(
        "Density of {}, {}, search {}. Asked: {}",
        shown.record.subject,
        shown.record.started.with_local(shown.record.utc_offset_s),
        shown.id,
        asked(shown)
    );
    let facts = wrapped(&harmless_lines(&facts), room);
    let head = (verdict.len() + facts.len() + 2) as f64 * LINE;
    let mut canvas = Canvas::new(MARGIN + head + 40.0 + PLOT + 60.0);
    let mut y = MARGIN;
    let ink = if shown.record.answer.at_least > 0 { GOOD } else { BAD };
    for line in &verdict {
        canvas.bold(MARGIN, y, line, ink);
        y += LINE;
    }
    for line in &facts {
        canvas.text(MARGIN, y, line, SOFT, Anchor::Start);
        y += LINE;
    }
    y += LINE / 2.0;
    keys(&mut canvas, shown, y);
    draw(&mut canvas, shown, y + LINE + 40.0);
    canvas.encoded()
}

fn look(state: State) -> (&'static str, Ink, Ink) {
    let found = STATES.iter().find(|(one, ..)| *one == state);
    found.map_or(("", SOFT, GRID), |(_, name, edge, area)| (*name, *edge, *area))
}

fn keys(canvas: &mut Canvas, shown: &DensityShown<'_>, y: f64) {
    let mut x = MARGIN;
    let title = format!("{} over time", unit(shown.record, 2));
    canvas.bold(x, y, &title, TEXT);
    x += (title.chars().count() + 3) as f64 * 10.0 + 60.0;
    for (state, name, edge, area) in STATES {
        if !shown.figures.settings.iter().any(|setting| setting.state == state) {
            continue;
        }
        frame(canvas, (x, y + 3.0, x + 18.0, y + 17.0), edge, area);
        canvas.text(x + 26.0, y, name, SOFT, Anchor::Start);
        x += 26.0 + name.len() as f64 * 12.0 + 24.0;
    }
}

fn frame(canvas: &mut Canvas, (left, top, right, bottom): (f64, f64, f64, f64), edge: Ink, area: Ink) {
    canvas.rect((left, top, right, bottom), area);
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    canvas.line(&corners, edge, 2.0, None);
}

fn draw(canvas: &mut Canvas, shown: &DensityShown<'_>, top: f64) {
    let settings: &[SettingFigures] = &shown.figures.settings;
    let least = shown.record.answer.at_least;
    let most = f64::from(settings.iter().map(|one| one.lanes).max().unwrap_or(1).max(least).max(1));
    let step = nice_step(most).max(1.0);
    let most = (most / step).ceil() * step;
    let seconds = (shown.figures.took_us as f64 / 1e6).max(1.0);
    let right = f64::from(WIDTH) - MARGIN;
    let x = |at: f64| LEFT + (at / seconds).clamp(0.0, 1.0) * (right - LEFT);
    let y = |lanes: f64| top + PLOT - (lanes / most).clamp(0.0, 1.0) * PLOT;
    for level in (0..).map(|n| f64::from(n) * step).take_while(|level| *level <= most) {
        canvas.line(&[(LEFT, y(level)), (right, y(level))], GRID, 1.0, None);
        canvas.text(LEFT - 12.0, y(level) - 11.0, &number(level), SOFT, Anchor::End);
    }
    let distance = time_step(seconds, 8.0);
    for at in (0..).map(|n| f64::from(n) * distance).take_while(|at| *at <= seconds) {
        canvas.text(x(at), top + PLOT + 8.0, &time_text(at, distance), SOFT, Anchor::Middle);
    }
    for setting in settings {
        let (_, edge, area) = look(setting.state);
        let (begin, end) = (x(setting.span_us.0 as f64 / 1e6), x(setting.span_us.1 as f64 / 1e6));
        frame(canvas, (begin, y(f64::from(setting.lanes)), end.max(begin + 2.0), top + PLOT), edge, area);
    }
    let mut free = f64::MIN;
    for setting in settings {
        let (_, edge, _) = look(setting.state);
        let middle = x((setting.span_us.0 + setting.span_us.1) as f64 / 2e6);
        // Numbers that would cover the one before are left out; the table has all.
        if middle - 14.0 >= free {
            let text = setting.lanes.to_string();
            canvas.text(middle, y(f64::from(setting.lanes)) - 26.0, &text, edge, Anchor::Middle);
            free = middle + 14.0;
        }
    }
    if least > 0 {
        let level = y(f64::from(least));
        canvas.line(&[(LEFT, level), (right, level)], TEXT, 2.0, Some([9.0, 6.0]));
    }
}
