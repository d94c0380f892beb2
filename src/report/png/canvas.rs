//! A picture to draw on: letters, lines and areas, without a browser.
//!
//! Letters are those of Noto Sans Mono, drawn beforehand in one size; a character beyond Latin-1 is a `?`.
//! A picture has bounds, whatever a record holds.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform,
};

use crate::text::harmless_lines;

/// The width of every picture.
pub(in crate::report) const WIDTH: u32 = 1_200;
/// The greatest height; what is below it is cut.
const MOST_HEIGHT: u32 = 4_000;

const SIZE: RasterHeight = RasterHeight::Size20;
/// The height of a line of text.
pub(in crate::report) const LINE: f64 = 26.0;

/// A colour: red, green, blue, and how opaque it is.
pub(in crate::report) type Ink = [u8; 4];

pub(in crate::report) const PAPER: Ink = [255, 255, 255, 255];
pub(in crate::report) const TEXT: Ink = [27, 33, 39, 255];
pub(in crate::report) const SOFT: Ink = [75, 85, 93, 255];
pub(in crate::report) const GRID: Ink = [222, 227, 231, 255];
pub(in crate::report) const GOOD: Ink = [28, 110, 70, 255];
pub(in crate::report) const WARN: Ink = [125, 87, 0, 255];
pub(in crate::report) const BAD: Ink = [156, 42, 33, 255];

/// Where a text is at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture that is being drawn.
pub(in crate::report) struct Canvas {
    pixels: Pixmap,
}

/// The width of a text.
pub(in crate::report) fn width_of(text: &str) -> f64 {
    (text.chars().count() * get_raster_width(FontWeight::Regular, SIZE)) as f64
}

/// A text in lines of at most this width, broken at spaces; a longer word is cut.
pub(in crate::report) fn wrapped(text: &str, width: f64) -> Vec<String> {
    let columns = (width / width_of(" ")).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of columns")]
    let lines = textwrap::wrap(text, columns as usize);
    lines.into_iter().map(std::borrow::Cow::into_owned).collect()
}

impl Canvas {
    /// A white one.
    pub(in crate::report) fn new(height: f64) -> Canvas {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded")]
        let height = height.clamp(1.0, f64::from(MOST_HEIGHT)) as u32;
        let mut pixels = Pixmap::new(WIDTH, height).expect("neither side is 0 or too long");
        pixels.fill(colour(PAPER));
        Canvas { pixels }
    }

    /// As a PNG file.
    pub(in crate::report) fn encoded(&self) -> Vec<u8> {
        self.pixels.encode_png().expect("a picture in memory can be encoded")
    }

    pub(in crate::report) fn rect(&mut self, (left, top, right, bottom): (f64, f64, f64, f64), ink: Ink) {
        let Some(rect) = Rect::from_ltrb(left as f32, top as f32, right as f32, bottom as f32) else {
            return;
        };
        self.pixels.fill_rect(rect, &paint(ink), Transform::identity(), None);
    }

    /// A line through points; dashes if it has any.
    pub(in crate::report) fn line(
        &mut self,
        points: &[(f64, f64)],
        ink: Ink,
        width: f32,
        dashes: Option<[f32; 2]>,
    ) {
        // A line without length has round ends, and so is a dot.
        let alone = if points.len() == 1 { points } else { &[] };
        let all: Vec<(f64, f64)> = points.iter().chain(alone).copied().collect();
        let Some(path) = path(&all, false) else { return };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            dash: dashes.and_then(|dashes| StrokeDash::new(dashes.to_vec(), 0.0)),
            ..Stroke::default()
        };
        self.pixels.stroke_path(&path, &paint(ink), &stroke, Transform::identity(), None);
    }

    pub(in crate::report) fn area(&mut self, points: &[(f64, f64)], ink: Ink) {
        let Some(path) = path(points, true) else { return };
        self.pixels.fill_path(&path, &paint(ink), FillRule::Winding, Transform::identity(), None);
    }

    /// A line of text whose top is at `y`.
    pub(in crate::report) fn text(&mut self, x: f64, y: f64, text: &str, ink: Ink, anchor: Anchor) {
        self.letters(x, y, text, ink, anchor, FontWeight::Regular);
    }

    pub(in crate::report) fn bold(&mut self, x: f64, y: f64, text: &str, ink: Ink) {
        self.letters(x, y, text, ink, Anchor::Start, FontWeight::Bold);
    }

    fn letters(&mut self, x: f64, y: f64, text: &str, ink: Ink, anchor: Anchor, weight: FontWeight) {
        let text = harmless_lines(text);
        let step = get_raster_width(weight, SIZE);
        let width = (text.chars().count() * step) as f64;
        let left = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        for (index, letter) in text.chars().enumerate() {
            let place = (left + (index * step) as f64, y);
            let known = get_raster(letter, weight, SIZE).or_else(|| get_raster('?', weight, SIZE));
            let rows = known.iter().flat_map(|letter| letter.rows().enumerate());
            for (row, pixels) in rows {
                for (column, strength) in pixels.iter().enumerate().filter(|(_, strength)| **strength > 0) {
                    self.dot((place.0 + column as f64, place.1 + row as f64), ink, *strength);
                }
            }
        }
    }

    /// A pixel of a letter, as strong as that is there.
    fn dot(&mut self, (x, y): (f64, f64), ink: Ink, strength: u8) {
        let (width, height) = (f64::from(self.pixels.width()), f64::from(self.pixels.height()));
        if !(0.0..width).contains(&x) || !(0.0..height).contains(&y) {
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside of the picture")]
        let at = (y as usize * self.pixels.width() as usize + x as usize) * 4;
        let data = &mut self.pixels.data_mut()[at..at + 3];
        for (old, new) in data.iter_mut().zip(ink) {
            let mixed = u32::from(*old) * u32::from(255 - strength) + u32::from(new) * u32::from(strength);
            *old = u8::try_from(mixed / 255).unwrap_or(u8::MAX);
        }
    }
}

fn path(points: &[(f64, f64)], is_closed: bool) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        match index {
            0 => path.move_to(*x as f32, *y as f32),
            _ => path.line_to(*x as f32, *y as f32),
        }
    }
    if is_closed {
        path.close();
    }
    path.finish()
}

fn colour([red, green, blue, alpha]: Ink) -> Color {
    Color::from_rgba8(red, green, blue, alpha)
}

fn paint(ink: Ink) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color(colour(ink));
    paint
}
