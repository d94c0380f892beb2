//! Rows of pictures with planes of luma and of two differences of colour, made red, green and blue.
//!
//! Planes are resized by themselves and converted then, so only the pixels of the tensor are.

use super::lines::{LANES, LOST, Lines, Pixel, WIDE, blend};
use super::map::{Map, Tap};
use crate::vision::picture::{Matrix, Picture, PixelFormat};

#[derive(Clone, Debug)]
pub(super) struct Yuv {
    /// Luma, and both differences.
    planes: [Lines; 3],
    numbers: [Vec<u16>; 3],
    pixels: Vec<Pixel>,
}

impl Yuv {
    pub(super) fn new(map: &Map) -> Yuv {
        let [luma, colour] = [0, 1].map(|n| Lines::new(&map.columns[n], 1));
        let n = luma.left.len();
        Yuv {
            planes: [luma, colour.clone(), colour],
            numbers: std::array::from_fn(|_| vec![0; n]),
            pixels: vec![[0; LANES]; n],
        }
    }

    pub(super) fn forget(&mut self) {
        self.planes.iter_mut().for_each(Lines::forget);
    }

    /// A row of the tensor: red, green, blue.
    pub(super) fn row(&mut self, picture: &Picture<'_>, map: &Map, row: usize) -> &[Pixel] {
        let is_nv12 = picture.format() == PixelFormat::Nv12;
        for (n, (lines, numbers)) in self.planes.iter_mut().zip(&mut self.numbers).enumerate() {
            let half = n.min(1);
            let (tap, columns) = (map.rows[half][row], &map.columns[half]);
            let (upper, lower) = lines.around(tap, |row, left, right| {
                let row = row as usize;
                match (is_nv12, n) {
                    (true, 1) => gather::<2>(picture.row(1, row), columns, left, right),
                    (true, 2) => gather::<2>(&picture.row(1, row)[1..], columns, left, right),
                    (_, n) => gather::<1>(picture.row(n, row), columns, left, right),
                }
            });
            blend(upper, lower, tap.fraction, numbers);
        }
        to_rgb(&self.numbers, picture.matrix(), &mut self.pixels);
        &self.pixels
    }
}

/// Bytes that are `STEP` apart from each other.
fn gather<const STEP: usize>(bytes: &[u8], columns: &[Tap], left: &mut [u8], right: &mut [u8]) {
    for (tap, (left, right)) in columns.iter().zip(left.iter_mut().zip(right)) {
        let at = tap.first as usize * STEP;
        // Where the next is not the tap's second, its fraction is 0.
        match bytes.get(at..at + STEP + 1) {
            Some(both) => (*left, *right) = (both[0], both[STEP]),
            None => (*left, *right) = (bytes[at], bytes[at]),
        }
    }
}

/// What luma and the differences add to red, green and blue, in parts of 16384.
///
/// The equations of ITU-R BT.601 and BT.709 for limited range. Blue has its difference once more:
/// a part of 2 and more has no place in 16 bits.
struct Parts {
    luma: i16,
    red: i16,
    green: [i16; 2],
    blue: i16,
}

const BT601: Parts = Parts { luma: 19077, red: 26149, green: [-6419, -13320], blue: 16666 };
const BT709: Parts = Parts { luma: 19077, red: 29372, green: [-3494, -8731], blue: 18226 };

#[inline(never)]
fn to_rgb(numbers: &[Vec<u16>; 3], matrix: Matrix, pixels: &mut [Pixel]) {
    let Parts { luma, red, green, blue } = match matrix {
        Matrix::Bt601 => BT601,
        Matrix::Bt709 => BT709,
    };
    // From 8 bits after the point to 7, and from there to 5.
    let centred = |number: u16, zero: i16| ((number + LOST) >> 1) as i16 - (zero << 7);
    let part = |number: i16, of: i16| ((i32::from(number) * i32::from(of)) >> 16) as i16;
    let byte = |number: i16| ((number + 17) >> 5).clamp(0, 255) as u32;
    let [y, u, v] = numbers.each_ref().map(|row| row.as_chunks::<WIDE>().0);
    for (((pixels, y), u), v) in pixels.as_chunks_mut::<WIDE>().0.iter_mut().zip(y).zip(u).zip(v) {
        for n in 0..WIDE {
            let (u, v) = (centred(u[n], 128), centred(v[n], 128));
            let y = part(centred(y[n], 16), luma);
            let r = byte(y + part(v, red));
            let g = byte(y + part(u, green[0]) + part(v, green[1]));
            let b = byte(y + part(u, blue) + (u >> 2));
            pixels[n] = (r | g << 8 | b << 16).to_le_bytes();
        }
    }
}
