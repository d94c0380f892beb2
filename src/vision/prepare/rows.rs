//! Writes pictures into tensors, row by row.
//!
//! A row of a picture is first made as wide as the tensor, each pixel as four numbers of 16 bits
//! with 8 bits after the point; two such rows make a row of the tensor. All numbers of a row are
//! computed alike, so that compilers use vectors, and the lower of two rows is kept, since it is
//! mostly the upper one of the next two.

use super::map::{Map, PlanError, Tap};
use super::{Colour, Filter, Layout, Placement, Preparation, Region, Scale};
use crate::vision::Size;
use crate::vision::picture::{Matrix, Picture, PixelFormat};

/// Half a level, and what rounding down takes away on average in two calls of `between`.
const HALF: u16 = 128 + 3;

/// Numbers for each pixel of a row: three channels and one that is not used.
const LANES: usize = 4;
/// Numbers that are computed at once; rows are padded to a multiple of it.
const WIDE: usize = 16;

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
        /// Whether a value can be scaled.
        const SCALES: bool;

        fn of(byte: u8, mean: f32, divisor: f32) -> Self;
    }

    impl Of for u8 {
        const SCALES: bool = false;

        fn of(byte: u8, _: f32, _: f32) -> u8 {
            byte
        }
    }

    impl Of for f32 {
        const SCALES: bool = true;

        fn of(byte: u8, mean: f32, divisor: f32) -> f32 {
            (f32::from(byte) - mean) / divisor
        }
    }
}

/// How pictures of one size are written into tensors of one size.
#[derive(Clone, Debug)]
pub struct Plan {
    map: Map,
    preparation: Preparation,
    scratch: Scratch,
}

/// Memory that is used again for each picture.
#[derive(Clone, Debug, Default)]
struct Scratch {
    /// Pixels at both sides of each of the tensor's.
    left: Vec<[u8; LANES]>,
    right: Vec<[u8; LANES]>,
    /// `Tap::fraction` for each number of a row.
    fractions: Vec<u16>,
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
    of: Option<[u32; 2]>,
    numbers: Vec<u16>,
}

impl Plan {
    /// # Errors
    ///
    /// If the tensor or the region has no pixels, or the frame is too large.
    pub fn new(
        picture: Size,
        region: Option<Region>,
        tensor: Size,
        preparation: &Preparation,
    ) -> Result<Plan, PlanError> {
        let map = Map::new(picture, region, tensor, preparation)?;
        Ok(Plan { map, preparation: *preparation, scratch: Scratch::default() })
    }

    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.map.placement
    }

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
        if picture.size() != self.map.picture {
            return Err(FillError::Picture { expected: self.map.picture, found: picture.size() });
        }
        let Size { width, height } = self.map.tensor;
        let expected = width.saturating_mul(height).saturating_mul(3);
        if tensor.len() != expected {
            return Err(FillError::Tensor { size: self.map.tensor, expected, found: tensor.len() });
        }
        if self.preparation.scale.is_some() && !T::SCALES {
            return Err(FillError::Bytes);
        }
        let scale = self.preparation.scale.unwrap_or(Scale { mean: [0.0; 3], divisor: [1.0; 3] });
        if self.map.inside.width < width || self.map.inside.height < height {
            let padding = [0, 1, 2].map(|n| T::of(self.preparation.padding, scale.mean[n], scale.divisor[n]));
            fill_with(padding, layout, tensor);
        }
        let channels = channels(picture.format(), self.preparation.colour);
        self.scratch.begin(picture.format().is_yuv(), &self.map.columns, self.map.inside.width);
        for row in 0..self.map.inside.height {
            self.make_row(picture, row);
            let place = Place { x: self.map.inside.x, y: self.map.inside.y + row, width, height };
            write_row(&self.scratch.pixels[..self.map.inside.width], channels, scale, layout, tensor, place);
        }
        Ok(())
    }

    /// Makes `row`, counted without padding, in `scratch.pixels`.
    fn make_row(&mut self, picture: &Picture<'_>, row: usize) {
        let Plan { map: Map { columns, rows, .. }, scratch, preparation } = self;
        // Without planes of colour, only the one row counts.
        let is_yuv = picture.format().is_yuv();
        let [tap, halved] = [rows[0][row], if is_yuv { rows[1][row] } else { Tap::default() }];
        let [first, second] = [[tap.first, halved.first], [tap.second, halved.second]];
        if preparation.filter == Filter::Nearest {
            gather(picture, first, columns, &mut scratch.pixels, &mut scratch.right);
        } else {
            if scratch.lower.of == Some(first) {
                std::mem::swap(&mut scratch.upper, &mut scratch.lower);
            }
            scratch.widen(picture, first, columns, |scratch| &mut scratch.upper);
            scratch.widen(picture, second, columns, |scratch| &mut scratch.lower);
            let of_colour = if is_yuv { halved } else { tap }.fraction;
            let of_pixel = [tap.fraction, of_colour, of_colour, 0];
            let fractions = std::array::from_fn(|n| of_pixel[n % LANES]);
            let bytes = scratch.pixels.as_flattened_mut();
            blend(&scratch.upper.numbers, &scratch.lower.numbers, fractions, bytes);
        }
        if is_yuv {
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
        let padded = (width * LANES).next_multiple_of(WIDE);
        for row in [&mut self.left, &mut self.right, &mut self.pixels] {
            row.resize(padded / LANES, [0; LANES]);
        }
        self.fractions.clear();
        for (tap, halved) in columns[0].iter().zip(&columns[1]) {
            let of_colour = if is_yuv { halved } else { tap }.fraction;
            self.fractions.extend([tap.fraction, of_colour, of_colour, 0]);
        }
        self.fractions.resize(padded, 0);
        for row in [&mut self.upper, &mut self.lower] {
            row.numbers.resize(padded, 0);
        }
    }

    /// Makes rows `of` of the planes as wide as the tensor, unless that is done.
    fn widen(
        &mut self,
        picture: &Picture<'_>,
        of: [u32; 2],
        columns: &[Vec<Tap>; 2],
        row: impl Fn(&mut Scratch) -> &mut Row,
    ) {
        if row(self).of == Some(of) {
            return;
        }
        gather(picture, of, columns, &mut self.left, &mut self.right);
        let mut numbers = std::mem::take(&mut row(self).numbers);
        widen(self.left.as_flattened(), self.right.as_flattened(), &self.fractions, &mut numbers);
        *row(self) = Row { of: Some(of), numbers };
    }
}

/// From `a` to `b`, both at most 65280: this many parts of 65536, less one or two. Each product is
/// one instruction for eight numbers (`pmulhuw`), where differences would need more.
fn between(a: u16, b: u16, fraction: u16) -> u16 {
    let part = |number: u16, of: u16| ((u32::from(number) * u32::from(of)) >> 16) as u16;
    part(a, u16::MAX - fraction) + part(b, fraction)
}

/// A row between the pixels at both sides.
fn widen(left: &[u8], right: &[u8], fractions: &[u16], numbers: &mut [u16]) {
    let sides = left.as_chunks::<WIDE>().0.iter().zip(right.as_chunks::<WIDE>().0);
    let numbers = numbers.as_chunks_mut::<WIDE>().0.iter_mut();
    for ((numbers, (left, right)), fractions) in numbers.zip(sides).zip(fractions.as_chunks::<WIDE>().0) {
        for n in 0..WIDE {
            numbers[n] = between(u16::from(left[n]) << 8, u16::from(right[n]) << 8, fractions[n]);
        }
    }
}

/// A row between two, in bytes; `fractions` are those of four pixels.
fn blend(upper: &[u16], lower: &[u16], fractions: [u16; WIDE], bytes: &mut [u8]) {
    let rows = upper.as_chunks::<WIDE>().0.iter().zip(lower.as_chunks::<WIDE>().0);
    for (bytes, (upper, lower)) in bytes.as_chunks_mut::<WIDE>().0.iter_mut().zip(rows) {
        for n in 0..WIDE {
            bytes[n] = ((between(upper[n], lower[n], fractions[n]) + HALF) >> 8) as u8;
        }
    }
}

/// The pixels of a row at both sides of each of the tensor's, as they are in memory.
fn gather(
    picture: &Picture<'_>,
    [row, halved]: [u32; 2],
    columns: &[Vec<Tap>; 2],
    left: &mut [[u8; LANES]],
    right: &mut [[u8; LANES]],
) {
    let bytes = picture.row(0, row as usize);
    let sides = left.iter_mut().zip(right);
    let all = columns[0].iter().zip(sides);
    match picture.format() {
        PixelFormat::Rgbx | PixelFormat::Bgrx => {
            let pixels = bytes.as_chunks::<LANES>().0;
            for (tap, (left, right)) in all {
                *left = pixels[tap.first as usize];
                *right = pixels[tap.second as usize];
            }
        }
        PixelFormat::Rgb | PixelFormat::Bgr => {
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
        PixelFormat::I420 => {
            let (u, v) = (picture.row(1, halved as usize), picture.row(2, halved as usize));
            for ((tap, (left, right)), of_colour) in all.zip(&columns[1]) {
                let (first, second) = (of_colour.first as usize, of_colour.second as usize);
                *left = [bytes[tap.first as usize], u[first], v[first], 0];
                *right = [bytes[tap.second as usize], u[second], v[second], 0];
            }
        }
        PixelFormat::Nv12 => {
            let colours = picture.row(1, halved as usize).as_chunks::<2>().0;
            for ((tap, (left, right)), of_colour) in all.zip(&columns[1]) {
                let [u, v] = colours[of_colour.first as usize];
                *left = [bytes[tap.first as usize], u, v, 0];
                let [u, v] = colours[of_colour.second as usize];
                *right = [bytes[tap.second as usize], u, v, 0];
            }
        }
    }
}

/// Luma and differences of colour into red, green and blue, by the equations of ITU-R BT.601 and
/// BT.709 for limited range, in 1/8192.
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
    scale: Scale,
    layout: Layout,
    tensor: &mut [T],
    Place { x, y, width, height }: Place,
) {
    let Scale { mean, divisor } = scale;
    match layout {
        Layout::Nchw => {
            for (n, channel) in channels.into_iter().enumerate() {
                let row = &mut tensor[(n * height + y) * width + x..][..pixels.len()];
                // A number that the compiler knows lets it use vectors.
                match channel {
                    0 => write_channel::<T, 0>(pixels, mean[n], divisor[n], row),
                    1 => write_channel::<T, 1>(pixels, mean[n], divisor[n], row),
                    _ => write_channel::<T, 2>(pixels, mean[n], divisor[n], row),
                }
            }
        }
        Layout::Nhwc => {
            let row = &mut tensor[(y * width + x) * 3..][..pixels.len() * 3];
            for (values, pixel) in row.as_chunks_mut::<3>().0.iter_mut().zip(pixels) {
                *values = [0, 1, 2].map(|n| T::of(pixel[channels[n]], mean[n], divisor[n]));
            }
        }
    }
}

fn write_channel<T: Element, const CHANNEL: usize>(
    pixels: &[[u8; LANES]],
    mean: f32,
    divisor: f32,
    row: &mut [T],
) {
    let value = |pixel: [u8; LANES]| {
        // Not by its index: shifts and truncations are vectors, single bytes are not.
        let byte = (u32::from_le_bytes(pixel) >> (8 * CHANNEL)) as u8;
        T::of(byte, mean, divisor)
    };
    let (wide, rest) = pixels.as_chunks::<WIDE>();
    let (wide_row, rest_row) = row.as_chunks_mut::<WIDE>();
    for (values, pixels) in wide_row.iter_mut().zip(wide) {
        *values = pixels.map(value);
    }
    for (one, pixel) in rest_row.iter_mut().zip(rest) {
        *one = value(*pixel);
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
