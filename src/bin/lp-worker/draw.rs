//! Boxes and their labels, drawn into frames: by `gvawatermark`, and on snapshots.
//!
//! A box is a frame of lines inside its rectangle, in a colour that depends on the object's
//! number, else on the label, so an object keeps its colour. Its label stands above it on a
//! ground of that colour, or inside it at the upper edge of the frame. Letters are those of
//! drawn scenes: capitals, digits, `-` and `.`; other signs are blanks.

use gstreamer as gst;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use lp::scene::font;

use crate::native::roi::Region;

/// Red, green and blue.
type Colour = [u8; 3];

/// A frame that can be drawn into.
pub(crate) type Frame<'a> = gst_video::VideoFrameRef<&'a mut gst::BufferRef>;

/// Well told apart, on dark and on bright pictures, and under black letters.
const COLOURS: [Colour; 6] =
    [[255, 64, 64], [64, 255, 64], [96, 128, 255], [255, 255, 64], [255, 96, 255], [64, 255, 255]];

const BLACK: Colour = [0, 0, 0];

/// Pixels around the letters of a label.
const MARGIN: usize = 2;

/// Left, top, right and bottom in pixels; right and bottom are outside.
type Area = [usize; 4];

/// Draws a region whose places are `scale` times those of the frame, with lines of `thickness`
/// pixels, and `label` in letters of `size` pixels for each of their dots, if both are given.
///
/// # Errors
/// When a plane of the frame cannot be written.
pub(crate) fn region(
    frame: &mut Frame<'_>,
    region: &Region,
    scale: f64,
    thickness: usize,
    label: Option<(&str, usize)>,
) -> Result<(), String> {
    let colour = colour(region);
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let placed = |pixels: u32, most: usize| ((f64::from(pixels) * scale).round() as usize).min(most);
    let pixels = &region.pixels;
    let (x, y) = (placed(pixels.x, width), placed(pixels.y, height));
    let x2 = placed(pixels.x.saturating_add(pixels.width), width);
    let y2 = placed(pixels.y.saturating_add(pixels.height), height);
    let (left, right) = ((x + thickness).min(x2), x2.saturating_sub(thickness).max(x));
    let (top, bottom) = ((y + thickness).min(y2), y2.saturating_sub(thickness).max(y));
    fill(frame, &[[x, y, x2, top], [x, bottom, x2, y2], [x, y, left, y2], [right, y, x2, y2]], colour)?;
    match label {
        Some((text, size)) => write(frame, text, size, (x, y), colour),
        None => Ok(()),
    }
}

/// Writes a label at the upper left corner of a box.
fn write(
    frame: &mut Frame<'_>,
    text: &str,
    size: usize,
    (x, y): (usize, usize),
    colour: Colour,
) -> Result<(), String> {
    let advance = (font::WIDTH as usize + 1) * size;
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let fits = width.saturating_sub(2 * MARGIN) / advance;
    let characters: Vec<char> = text.chars().take(fits).collect();
    if characters.is_empty() {
        return Ok(());
    }
    let (box_width, box_height) =
        (characters.len() * advance + 2 * MARGIN, font::HEIGHT as usize * size + 2 * MARGIN);
    let left = x.min(width.saturating_sub(box_width));
    let top = y.saturating_sub(box_height).min(height.saturating_sub(box_height));
    fill(frame, &[[left, top, left + box_width, (top + box_height).min(height)]], colour)?;
    let mut dots = Vec::new();
    for (n, character) in characters.into_iter().enumerate() {
        for (column, row) in (0..font::WIDTH).flat_map(|x| (0..font::HEIGHT).map(move |y| (x, y))) {
            if font::is_inked(character, column, row) {
                let at = (
                    left + MARGIN + n * advance + column as usize * size,
                    top + MARGIN + row as usize * size,
                );
                dots.push([at.0, at.1, at.0 + size, (at.1 + size).min(height)]);
            }
        }
    }
    fill(frame, &dots, BLACK)
}

fn colour(region: &Region) -> Colour {
    let number = match region.object() {
        Some(object) => object.unsigned_abs() as usize,
        None => region.label.bytes().map(usize::from).sum(),
    };
    COLOURS[number % COLOURS.len()]
}

/// Fills areas, which lie inside the frame.
fn fill(frame: &mut Frame<'_>, areas: &[Area], colour: Colour) -> Result<(), String> {
    let format = frame.format();
    for n in 0..frame.n_planes() {
        let Some((values, step, halved)) = ink(format, n, colour) else { continue };
        let stride = usize::try_from(frame.plane_stride()[n as usize]).unwrap_or_default();
        let data = frame.plane_data_mut(n).map_err(|error| error.to_string())?;
        for [from_x, from_y, to_x, to_y] in areas {
            for row in from_y / halved..to_y.div_ceil(halved) {
                for column in from_x / halved..to_x.div_ceil(halved) {
                    let at = row * stride + column * step;
                    if let Some(pixel) = data.get_mut(at..at + values.len()) {
                        pixel.copy_from_slice(&values);
                    }
                }
            }
        }
    }
    Ok(())
}

/// The bytes of a colour in a plane, the bytes from a pixel to the next, and how many times
/// smaller than the picture the plane is.
fn ink(
    format: gst_video::VideoFormat,
    plane: u32,
    [red, green, blue]: Colour,
) -> Option<(Vec<u8>, usize, usize)> {
    use gst_video::VideoFormat as Format;
    let [r, g, b] = [red, green, blue].map(f32::from);
    // BT.601, limited range: the colour of a line need not be exact.
    let luma = 16.0 + 0.257 * r + 0.504 * g + 0.098 * b;
    let (u, v) = (128.0 - 0.148 * r - 0.291 * g + 0.439 * b, 128.0 + 0.439 * r - 0.368 * g - 0.071 * b);
    let [luma, u, v] = [luma, u, v].map(|value| value as u8);
    Some(match (format, plane) {
        (Format::I420 | Format::Nv12, 0) => (vec![luma], 1, 1),
        (Format::I420, 1) => (vec![u], 1, 2),
        (Format::I420, 2) => (vec![v], 1, 2),
        (Format::Nv12, 1) => (vec![u, v], 2, 2),
        (Format::Rgb, 0) => (vec![red, green, blue], 3, 1),
        (Format::Bgr, 0) => (vec![blue, green, red], 3, 1),
        (Format::Rgbx | Format::Rgba, 0) => (vec![red, green, blue], 4, 1),
        (Format::Bgrx | Format::Bgra, 0) => (vec![blue, green, red], 4, 1),
        _ => return None,
    })
}
