//! Rows of pictures whose pixels are three or four bytes beside each other.

use super::Filter;
use super::lines::{LANES, Lines, Pixel, blend_to_bytes};
use super::map::{Map, Tap};
use crate::vision::picture::{Picture, PixelFormat};

#[derive(Clone, Debug)]
pub(super) struct Packed {
    lines: Lines,
    pixels: Vec<Pixel>,
}

impl Packed {
    pub(super) fn new(map: &Map) -> Packed {
        let lines = Lines::new(&map.columns[0], LANES);
        let pixels = vec![[0; LANES]; lines.left.len() / LANES];
        Packed { lines, pixels }
    }

    pub(super) fn forget(&mut self) {
        self.lines.forget();
    }

    /// A row of the tensor, in the order of the picture's channels.
    pub(super) fn row(&mut self, picture: &Picture<'_>, map: &Map, filter: Filter, row: usize) -> &[Pixel] {
        let tap = map.rows[0][row];
        if filter == Filter::Nearest {
            gather(
                picture,
                &map.columns[0],
                tap.first,
                self.pixels.as_flattened_mut(),
                &mut self.lines.right,
            );
            return &self.pixels;
        }
        let (upper, lower) =
            self.lines.around(tap, |row, left, right| gather(picture, &map.columns[0], row, left, right));
        blend_to_bytes(upper, lower, tap.fraction, self.pixels.as_flattened_mut());
        &self.pixels
    }
}

fn gather(picture: &Picture<'_>, columns: &[Tap], row: u32, left: &mut [u8], right: &mut [u8]) {
    let bytes = picture.row(0, row as usize);
    let sides = left.as_chunks_mut::<LANES>().0.iter_mut().zip(right.as_chunks_mut::<LANES>().0);
    let all = columns.iter().zip(sides);
    if matches!(picture.format(), PixelFormat::Rgbx | PixelFormat::Bgrx) {
        let pixels = bytes.as_chunks::<LANES>().0;
        for (tap, (left, right)) in all {
            *left = pixels[tap.first as usize];
            *right = pixels[tap.second as usize];
        }
        return;
    }
    for (tap, (left, right)) in all {
        let at = tap.first as usize * 3;
        // A pixel and the next are one load. Where the next is not the tap's second, its
        // fraction is 0.
        match bytes.get(at..at + 8) {
            Some(&[a, b, c, d, e, f, g, _]) => {
                *left = [a, b, c, d];
                *right = [d, e, f, g];
            }
            _ => {
                let other = tap.second as usize * 3;
                left[..3].copy_from_slice(&bytes[at..at + 3]);
                right[..3].copy_from_slice(&bytes[other..other + 3]);
            }
        }
    }
}
