//! Writes pictures into tensors, row by row.
//!
//! A row of a picture is first made as wide as the tensor, each pixel as four numbers of 16 bits with
//! 7 bits after the point; two such rows make a row of the tensor. All numbers of a row are
//! computed alike, so that compilers use vectors, and the lower of two rows is kept, since it is mostly the
//! upper one of the next two.

use super::map::{Plan, Tap};
use super::{Colour, Filter, Layout};
use crate::vision::Size;
use crate::vision::picture::{Matrix, Picture, PixelFormat};

/// Numbers for each pixel of a row: three channels and one that is not used.
const LANES: usize = 4;

/// A picture cannot be written into a tensor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    #[error("a picture of {found} came where pictures are {expected}")]
    Picture { expected: Size, found: Size },
    #[error("a tensor has {found} values, but a picture of {size} has {expected}")]
    Tensor { size: Size, expected: usize, found: usize },
    #[error("a tensor of bytes can have neither mean nor scale")]
    Bytes,
}

/// A value of a tensor: `u8` or `f32`.
pub trait Element: Copy + Default + sealed::Of {}

impl Element for u8 {}
impl Element for f32 {}

mod sealed {
    pub trait Of: Sized {
        /// The values of the 256 bytes; `None` if they have none.
        fn table(scale: Option<(f32, f32)>) -> Option<[Self; 256]>;
    }

    impl Of for u8 {
        fn table(scale: Option<(f32, f32)>) -> Option<[u8; 256]> {
            scale.is_none().then(|| std::array::from_fn(|byte| byte as u8))
        }
    }

    impl Of for f32 {
        fn table(scale: Option<(f32, f32)>) -> Option<[f32; 256]> {
            let (mean, divisor) = scale.unwrap_or((0.0, 1.0));
            Some(std::array::from_fn(|byte| (byte as f32 - mean) / divisor))
        }
    }
}

/// Memory that is used again for each picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// Pixels at both sides of each of the tensor's.
    left: Vec<[u8; LANES]>,
    right: Vec<[u8; LANES]>,
    /// `Tap::fraction` for each number of a row.
    fractions: Vec<i16>,
    /// The format that `fractions` is of.
    is_yuv: Option<bool>,
    upper: Row,
    lower: Row,
    pixels: Vec<[u8; LANES]>,
}

/// A row of a picture, as wide as the tensor.
#[derive(Clone, Debug, Default)]
struct Row {
    /// The rows of the planes that it was made of; `None` of none yet.
    of: Option<[usize; 2]>,
    numbers: Vec<i16>,
}

impl Plan {
    /// Writes a picture into a tensor.
    ///
    /// # Errors
    ///
    /// If the picture or the tensor is of another size, or bytes are to be scaled.
    pub fn fill<T: Element>(
        &mut self,
        picture: &Picture<'_>,
        layout: Layout,
        tensor: &mut [T],
    ) -> Result<(), FillError> {
        if picture.size() != self.picture {
            return Err(FillError::Picture { expected: self.picture, found: picture.size() });
        }
        let Size { width, height } = self.tensor;
        let expected = width.saturating_mul(height).saturating_mul(3);
        if tensor.len() != expected {
            return Err(FillError::Tensor { size: self.tensor, expected, found: tensor.len() });
        }
        let scale = self.preparation.scale;
        let table =
            |channel: usize| T::table(scale.map(|scale| (scale.mean[channel], scale.divisor[channel])));
        let (Some(first), Some(second), Some(third)) = (table(0), table(1), table(2)) else {
            return Err(FillError::Bytes);
        };
        let tables = [first, second, third];
        if self.inside.width < width || self.inside.height < height {
            fill_with(
                tables.each_ref().map(|table| table[usize::from(self.preparation.padding)]),
                layout,
                tensor,
            );
        }
        let channels = channels(picture.format(), self.preparation.colour);
        self.scratch.begin(picture.format().is_yuv(), &self.columns, self.inside.width);
        for row in 0..self.inside.height {
            self.make_row(picture, row);
            let (x, y) = (self.inside.x, self.inside.y + row);
            write_row(&self.scratch.pixels, channels, &tables, layout, tensor, Place { x, y, width, height });
        }
        Ok(())
    }

    /// Makes `row`, counted without padding, in `scratch.pixels`.
    fn make_row(&mut self, picture: &Picture<'_>, row: usize) {
        let Plan { columns, rows, scratch, preparation, .. } = self;
        let [tap, halved] = [rows[0][row], rows[1][row]];
        let [first, second] = [[tap.first, halved.first], [tap.second, halved.second]];
        if preparation.filter == Filter::Nearest {
            gather(picture, first, columns, |tap| tap.first, &mut scratch.pixels);
        } else {
            if scratch.lower.of == Some(first) {
                std::mem::swap(&mut scratch.upper, &mut scratch.lower);
            }
            scratch.widen(picture, first, columns, |scratch| &mut scratch.upper);
            scratch.widen(picture, second, columns, |scratch| &mut scratch.lower);
            let fractions = if picture.format().is_yuv() { [tap, halved, halved, tap] } else { [tap; LANES] };
            blend(
                &scratch.upper.numbers,
                &scratch.lower.numbers,
                fractions.map(|tap| tap.fraction),
                &mut scratch.pixels,
            );
        }
        if picture.format().is_yuv() {
            to_rgb(&mut scratch.pixels, picture.matrix());
        }
    }
}

impl Scratch {
    /// Forgets the rows of another picture.
    fn begin(&mut self, is_yuv: bool, columns: &[Vec<Tap>; 2], width: usize) {
        self.upper.of = None;
        self.lower.of = None;
        if self.is_yuv == Some(is_yuv) {
            return;
        }
        self.is_yuv = Some(is_yuv);
        for row in [&mut self.left, &mut self.right, &mut self.pixels] {
            row.resize(width, [0; LANES]);
        }
        self.fractions.clear();
        for (tap, halved) in columns[0].iter().zip(&columns[1]) {
            let of_colour = if is_yuv { halved } else { tap }.fraction;
            self.fractions.extend([tap.fraction, of_colour, of_colour, 0]);
        }
        for row in [&mut self.upper, &mut self.lower] {
            row.numbers.resize(width * LANES, 0);
        }
    }

    /// Makes rows `of` of the planes as wide as the tensor, unless that is done.
    fn widen(
        &mut self,
        picture: &Picture<'_>,
        of: [usize; 2],
        columns: &[Vec<Tap>; 2],
        row: impl Fn(&mut Scratch) -> &mut Row,
    ) {
        if row(self).of == Some(of) {
            return;
        }
        gather(picture, of, columns, |tap| tap.first, &mut self.left);
        gather(picture, of, columns, |tap| tap.second, &mut self.right);
        let mut numbers = std::mem::take(&mut row(self).numbers);
        let (left, right) = (self.left.as_flattened(), self.right.as_flattened());
        for (((number, left), right), fraction) in
            numbers.iter_mut().zip(left).zip(right).zip(&self.fractions)
        {
            let (left, right) = (i16::from(*left) << 7, i16::from(*right) << 7);
            *number = between(left, right, *fraction);
        }
        *row(self) = Row { of: Some(of), numbers };
    }
}

/// From `a` to `b`, both from 0 to 32640: this many parts of 32768.
fn between(a: i16, b: i16, fraction: i16) -> i16 {
    let part = (i32::from(b - a) * i32::from(fraction)) >> 16;
    a + 2 * part as i16
}

/// A row between two, in bytes.
fn blend(upper: &[i16], lower: &[i16], fractions: [i16; LANES], pixels: &mut [[u8; LANES]]) {
    for ((pixel, upper), lower) in
        pixels.iter_mut().zip(upper.as_chunks::<LANES>().0).zip(lower.as_chunks::<LANES>().0)
    {
        for lane in 0..LANES {
            let number = between(upper[lane], lower[lane], fractions[lane]);
            pixel[lane] = ((number + 64) >> 7) as u8;
        }
    }
}

/// The pixels of a row at one side of each of the tensor's, as they are in memory.
fn gather(
    picture: &Picture<'_>,
    [row, halved]: [usize; 2],
    columns: &[Vec<Tap>; 2],
    side: impl Fn(&Tap) -> usize,
    pixels: &mut [[u8; LANES]],
) {
    let bytes = picture.row(0, row);
    let all = pixels.iter_mut().zip(&columns[0]);
    match picture.format() {
        PixelFormat::Rgbx | PixelFormat::Bgrx => {
            for (pixel, tap) in all {
                pixel.copy_from_slice(&bytes[side(tap) * 4..][..4]);
            }
        }
        PixelFormat::Rgb | PixelFormat::Bgr => {
            for (pixel, tap) in all {
                let at = side(tap) * 3;
                // Four bytes are one load; only the last pixel of a picture has none after it.
                match bytes.get(at..at + LANES) {
                    Some(four) => pixel.copy_from_slice(four),
                    None => pixel[..3].copy_from_slice(&bytes[at..at + 3]),
                }
            }
        }
        PixelFormat::I420 => {
            let (u, v) = (picture.row(1, halved), picture.row(2, halved));
            for ((pixel, tap), of_colour) in all.zip(&columns[1]) {
                let at = side(of_colour);
                *pixel = [bytes[side(tap)], u[at], v[at], 0];
            }
        }
        PixelFormat::Nv12 => {
            let colours = picture.row(1, halved);
            for ((pixel, tap), of_colour) in all.zip(&columns[1]) {
                let at = 2 * side(of_colour);
                *pixel = [bytes[side(tap)], colours[at], colours[at + 1], 0];
            }
        }
    }
}

/// Luma and differences of colour into red, green and blue, by the equations of ITU-R BT.601 and BT.709
/// for limited range, in 1/8192.
fn to_rgb(pixels: &mut [[u8; LANES]], matrix: Matrix) {
    let [luma, red_v, green_u, green_v, blue_u] = match matrix {
        Matrix::Bt601 => [9539, 13075, -3209, -6660, 16525],
        Matrix::Bt709 => [9539, 14686, -1747, -4366, 17304],
    };
    for pixel in pixels {
        let [y, u, v] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
        let (y, u, v) = (luma * (y - 16) + 4096, u - 128, v - 128);
        let byte = |number: i32| (number >> 13).clamp(0, 255) as u8;
        *pixel = [byte(y + red_v * v), byte(y + green_u * u + green_v * v), byte(y + blue_u * u), 0];
    }
}

/// Which number of a pixel each channel of the tensor is.
fn channels(format: PixelFormat, colour: Colour) -> [usize; 3] {
    let is_bgr = matches!(format, PixelFormat::Bgr | PixelFormat::Bgrx);
    if is_bgr == (colour == Colour::Bgr) { [0, 1, 2] } else { [2, 1, 0] }
}

/// Where a row begins in a tensor of this size.
struct Place {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

fn write_row<T: Element>(
    pixels: &[[u8; LANES]],
    channels: [usize; 3],
    tables: &[[T; 256]; 3],
    layout: Layout,
    tensor: &mut [T],
    Place { x, y, width, height }: Place,
) {
    match layout {
        Layout::Nchw => {
            for (n, (channel, table)) in channels.into_iter().zip(tables).enumerate() {
                let row = &mut tensor[(n * height + y) * width + x..][..pixels.len()];
                for (value, pixel) in row.iter_mut().zip(pixels) {
                    *value = table[usize::from(pixel[channel & 3])];
                }
            }
        }
        Layout::Nhwc => {
            let row = &mut tensor[(y * width + x) * 3..][..pixels.len() * 3];
            for (values, pixel) in row.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                for ((value, channel), table) in values.iter_mut().zip(channels).zip(tables) {
                    *value = table[usize::from(pixel[channel & 3])];
                }
            }
        }
    }
}

/// Fills a tensor with one colour.
fn fill_with<T: Element>(colour: [T; 3], layout: Layout, tensor: &mut [T]) {
    match layout {
        Layout::Nchw => {
            let n = tensor.len() / 3;
            for (plane, value) in tensor.chunks_mut(n).zip(colour) {
                plane.fill(value);
            }
        }
        Layout::Nhwc => {
            for values in tensor.as_chunks_mut::<3>().0 {
                *values = colour;
            }
        }
    }
}
