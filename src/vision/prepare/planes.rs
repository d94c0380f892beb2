//! Pictures in the size of the tensor, row by row, as red, green and blue.
//!
//! Planes of luma and of two differences of colour are resized by themselves and converted then,
//! so only the pixels of the tensor are. Nothing is rounded to whole levels.

use super::lines::{LOST, Lines, WIDE};
use super::map::Map;
use crate::vision::picture::{Matrix, Picture, PixelFormat};

/// Levels of a row in three channels: red, green and blue, or the order of the picture's pixels.
type Levels = [Vec<f32>; 3];

#[derive(Clone, Debug)]
pub(super) struct Planes {
    /// All channels of packed pixels; or luma, and both differences of colour.
    lines: Vec<Lines>,
    levels: Levels,
}

impl Planes {
    pub(super) fn new(map: &Map, is_yuv: bool) -> Planes {
        let n = map.columns[0].len().next_multiple_of(WIDE);
        let lines = match is_yuv {
            true => vec![Lines::new(&map.columns[0], 1), Lines::new(&map.columns[1], 2)],
            false => vec![Lines::new(&map.columns[0], 3)],
        };
        Planes { lines, levels: std::array::from_fn(|_| vec![0.0; n]) }
    }

    pub(super) fn forget(&mut self) {
        self.lines.iter_mut().for_each(Lines::forget);
    }

    /// A row of the tensor, from 0 to 255. It may be longer than the tensor is wide.
    pub(super) fn row(&mut self, picture: &Picture<'_>, map: &Map, row: usize) -> &Levels {
        let Planes { lines, levels } = self;
        let mut numbers = lines.iter_mut().enumerate().map(|(plane, lines)| {
            lines.row(map.rows[plane][row], |row, places, sides| {
                gather_all(picture, plane, row as usize, places, sides);
            })
        });
        match (numbers.next(), numbers.next()) {
            (Some(luma), Some(colour)) => to_rgb(luma, colour, picture.matrix(), levels),
            (Some(all), None) => to_levels(all, levels),
            (None, _) => {}
        }
        levels
    }
}

/// The bytes of a row at both sides of each place; `plane` 1 is both differences of colour.
fn gather_all(picture: &Picture<'_>, plane: usize, row: usize, places: &[u32], sides: &mut [u16]) {
    let lanes = match (picture.format().is_yuv(), plane) {
        (true, 0) => 1,
        (true, _) => 2,
        (false, _) => 3,
    };
    let n = sides.len() / lanes;
    for (lane, sides) in sides.chunks_exact_mut(n).enumerate() {
        let bytes = picture.row(plane, row);
        match (picture.format(), plane) {
            (PixelFormat::I420, 1) => gather::<1>(picture.row(1 + lane, row), places, sides),
            (PixelFormat::I420 | PixelFormat::Nv12, 0) => gather::<1>(bytes, places, sides),
            (PixelFormat::I420 | PixelFormat::Nv12, _) => gather::<2>(&bytes[lane..], places, sides),
            (PixelFormat::Rgb | PixelFormat::Bgr, _) => gather::<3>(&bytes[lane..], places, sides),
            (PixelFormat::Rgbx | PixelFormat::Bgrx, _) => gather::<4>(&bytes[lane..], places, sides),
        }
    }
}

/// Bytes that are `STEP` bytes apart from each other.
fn gather<const STEP: usize>(bytes: &[u8], places: &[u32], sides: &mut [u16]) {
    for (place, sides) in places.iter().zip(sides) {
        let at = *place as usize * STEP;
        *sides = match bytes.get(at..=at + STEP) {
            // One load of both.
            Some(&[left, right]) if STEP == 1 => u16::from_le_bytes([left, right]),
            Some(bytes) => u16::from_le_bytes([bytes[0], bytes[STEP]]),
            // The last of the plane: where the next is not the tap's second, its fraction is 0.
            None => u16::from(bytes[at]) * 257,
        };
    }
}

/// The level of a number with 8 bits after the point, above a whole one.
fn above(number: u16, level: f32) -> f32 {
    (f32::from(number) + LOST) / 256.0 - level
}

#[inline(never)]
fn to_levels(numbers: &[u16], levels: &mut Levels) {
    let lane = numbers.len() / levels.len();
    for (levels, numbers) in levels.iter_mut().zip(numbers.chunks_exact(lane)) {
        for (level, number) in levels.iter_mut().zip(numbers) {
            *level = above(*number, 0.0);
        }
    }
}

/// What luma and the differences add to red, green and blue: the equations of ITU-R BT.601 and BT.709
/// for limited range.
struct Parts {
    red: f32,
    green: [f32; 2],
    blue: f32,
}

const LUMA: f32 = 255.0 / 219.0;
const BT601: Parts = Parts::new(0.299, 0.114);
const BT709: Parts = Parts::new(0.2126, 0.0722);

impl Parts {
    /// Of the parts of red and blue in luma.
    const fn new(red: f32, blue: f32) -> Parts {
        let (of_red, of_blue) = (2.0 * (1.0 - red), 2.0 * (1.0 - blue));
        let green = 1.0 - red - blue;
        let whole = 255.0 / 224.0;
        Parts {
            red: of_red * whole,
            green: [-of_blue * blue / green * whole, -of_red * red / green * whole],
            blue: of_blue * whole,
        }
    }
}

#[inline(never)]
fn to_rgb(luma: &[u16], colour: &[u16], matrix: Matrix, levels: &mut Levels) {
    let Parts { red, green, blue } = match matrix {
        Matrix::Bt601 => BT601,
        Matrix::Bt709 => BT709,
    };
    // Comparisons and not `clamp`: these are one instruction each, since nothing is a NaN.
    let level = |level: f32| {
        let level = if level > 0.0 { level } else { 0.0 };
        if level < 255.0 { level } else { 255.0 }
    };
    let (u, v) = colour.split_at(colour.len() / 2);
    let numbers = [luma, u, v].map(|row| row.as_chunks::<WIDE>().0);
    let [r, g, b] = levels.each_mut().map(|row| row.as_chunks_mut::<WIDE>().0);
    let rows = r.iter_mut().zip(g).zip(b).zip(numbers[0]).zip(numbers[1]).zip(numbers[2]);
    for (((((r, g), b), y), u), v) in rows {
        for n in 0..WIDE {
            let (y, u, v) = (above(y[n], 16.0) * LUMA, above(u[n], 128.0), above(v[n], 128.0));
            r[n] = level(y + v * red);
            g[n] = level(y + u * green[0] + v * green[1]);
            b[n] = level(y + u * blue);
        }
    }
}
