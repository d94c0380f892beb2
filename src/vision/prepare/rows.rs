//! Writes pictures into tensors, row by row.

use super::lines::{Pixel, WIDE};
use super::map::{Map, PlanError};
use super::packed::Packed;
use super::yuv::Yuv;
use super::{Colour, Layout, Placement, Preparation, Region, Scale};
use crate::vision::Size;
use crate::vision::picture::{Picture, PixelFormat};

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
    /// Memory for the kinds of pictures that came.
    packed: Option<Packed>,
    yuv: Option<Yuv>,
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
        Ok(Plan { map, preparation: *preparation, packed: None, yuv: None })
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
        let Plan { map, preparation, packed, yuv } = self;
        packed.iter_mut().for_each(Packed::forget);
        yuv.iter_mut().for_each(Yuv::forget);
        for row in 0..map.inside.height {
            let pixels = match picture.format().is_yuv() {
                true => yuv.get_or_insert_with(|| Yuv::new(map)).row(picture, map, row),
                false => {
                    packed.get_or_insert_with(|| Packed::new(map)).row(picture, map, preparation.filter, row)
                }
            };
            let place = Place { x: map.inside.x, y: map.inside.y + row, width, height };
            write_row(&pixels[..map.inside.width], channels, scale, layout, tensor, place);
        }
        Ok(())
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
    pixels: &[Pixel],
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

fn write_channel<T: Element, const CHANNEL: usize>(pixels: &[Pixel], mean: f32, divisor: f32, row: &mut [T]) {
    let value = |pixel: Pixel| {
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
