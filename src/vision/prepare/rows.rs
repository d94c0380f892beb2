//! Writes pictures into tensors, row by row.

use super::map::{Map, PlanError};
use super::planes::Planes;
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
}

/// How pictures of one size are written into tensors of one size.
#[derive(Clone, Debug)]
pub struct Plan {
    map: Map,
    preparation: Preparation,
    /// Memory for packed pictures, and for those of luma and differences of colour.
    planes: [Option<Planes>; 2],
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
        Ok(Plan { map, preparation: *preparation, planes: [None, None] })
    }

    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.map.placement
    }

    /// Writes a picture into a tensor.
    ///
    /// # Errors
    ///
    /// If the picture or the tensor is of another size.
    pub fn fill(
        &mut self,
        picture: &Picture<'_>,
        layout: Layout,
        tensor: &mut [f32],
    ) -> Result<(), FillError> {
        if picture.size() != self.map.picture {
            return Err(FillError::Picture { expected: self.map.picture, found: picture.size() });
        }
        let Size { width, height } = self.map.tensor;
        let expected = width.saturating_mul(height).saturating_mul(3);
        if tensor.len() != expected {
            return Err(FillError::Tensor { size: self.map.tensor, expected, found: tensor.len() });
        }
        let scale = self.preparation.scale.unwrap_or(Scale { mean: [0.0; 3], divisor: [1.0; 3] });
        let factors = scale.divisor.map(|divisor| 1.0 / divisor);
        let scaled = |level: f32, n: usize| (level - scale.mean[n]) * factors[n];
        if self.map.inside.width < width || self.map.inside.height < height {
            let padding = f32::from(self.preparation.padding);
            pad([0, 1, 2].map(|n| scaled(padding, n)), &self.map, layout, tensor);
        }
        let channels = channels(picture.format(), self.preparation.colour);
        let is_yuv = picture.format().is_yuv();
        let Plan { map, planes, .. } = self;
        let planes = planes[usize::from(is_yuv)].get_or_insert_with(|| Planes::new(map, is_yuv));
        planes.forget();
        let inside = map.inside;
        for row in 0..inside.height {
            let levels = planes.row(picture, map, row);
            let levels = channels.map(|channel| &levels[channel][..inside.width]);
            let at = (inside.y + row) * width + inside.x;
            match layout {
                Layout::Nchw => {
                    for (n, levels) in levels.into_iter().enumerate() {
                        let values = &mut tensor[n * height * width + at..][..inside.width];
                        for (value, level) in values.iter_mut().zip(levels) {
                            *value = scaled(*level, n);
                        }
                    }
                }
                Layout::Nhwc => {
                    let values = tensor[at * 3..][..inside.width * 3].as_chunks_mut::<3>().0;
                    for (((values, a), b), c) in
                        values.iter_mut().zip(levels[0]).zip(levels[1]).zip(levels[2])
                    {
                        *values = [scaled(*a, 0), scaled(*b, 1), scaled(*c, 2)];
                    }
                }
            }
        }
        Ok(())
    }
}

/// Which number of a pixel each channel of the tensor is.
fn channels(format: PixelFormat, colour: Colour) -> [usize; 3] {
    let is_bgr = matches!(format, PixelFormat::Bgr | PixelFormat::Bgrx);
    if is_bgr == (colour == Colour::Bgr) { [0, 1, 2] } else { [2, 1, 0] }
}

/// Gives all pixels of a tensor that are padding one colour.
fn pad(colour: [f32; 3], map: &Map, layout: Layout, tensor: &mut [f32]) {
    let Size { width, height } = map.tensor;
    let inside = map.inside;
    for row in 0..height {
        let is_inside = (inside.y..inside.y + inside.height).contains(&row);
        let (left, right) = if is_inside { (inside.x, inside.x + inside.width) } else { (width, width) };
        for columns in [0..left, right..width] {
            let pixels = row * width + columns.start..row * width + columns.end;
            match layout {
                Layout::Nchw => {
                    for (plane, value) in tensor.chunks_mut(width * height).zip(colour) {
                        plane[pixels.clone()].fill(value);
                    }
                }
                Layout::Nhwc => tensor.as_chunks_mut::<3>().0[pixels].fill(colour),
            }
        }
    }
}
