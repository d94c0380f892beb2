//! From parts of a tensor to parts of the frame, and to pixels.

use super::Region;
use crate::vision::{Corners, Detection, Size};

/// Where the picture lies in the tensor, and the region in the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Placement {
    pub(super) frame: Size,
    /// `None`: the whole frame.
    pub(super) region: Option<Region>,
    /// `None`: the region fills the tensor.
    pub(super) inset: Option<Inset>,
}

/// A picture that does not just fill the tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Inset {
    pub(super) tensor: Size,
    /// Pixels of padding at the left and above, less those that were cut off.
    pub(super) offset: [f64; 2],
    /// Pixels of the tensor for one of the region.
    pub(super) scale: [f64; 2],
    /// Width and height of what the scale counts from: the region.
    pub(super) source: [f64; 2],
}

/// A box in pixels of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pixels {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// What a detector saw, in the frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// In parts of the frame, from 0 to 1.
    pub bounds: Corners,
    pub pixels: Pixels,
    pub class: u32,
    pub score: f32,
    /// In parts of the frame, perhaps beyond it.
    pub points: Vec<[f32; 2]>,
}

impl Placement {
    /// Where a detection lies in the frame; `None` if nothing of it does, or less than half a
    /// pixel.
    ///
    /// Boxes are cut off at the frame, and x, y, width and height each rounded to whole pixels, a
    /// half up. A box may so reach a pixel beyond the frame, as in DL Streamer.
    #[must_use]
    pub fn find(&self, detection: &Detection) -> Option<Found> {
        let Corners { x_min, y_min, x_max, y_max } = detection.bounds;
        let [x_min, y_min] = self.to_frame([x_min, y_min]).map(|part| part.clamp(0.0, 1.0));
        let [x_max, y_max] = self.to_frame([x_max, y_max]).map(|part| part.clamp(0.0, 1.0));
        let bounds = Corners { x_min, y_min, x_max, y_max };
        if !bounds.is_sound() {
            return None;
        }
        let pixels = |part: f64, size: usize| (part * size as f64 + 0.5).floor() as u32;
        let pixels = Pixels {
            x: pixels(x_min, self.frame.width),
            y: pixels(y_min, self.frame.height),
            width: pixels(x_max - x_min, self.frame.width),
            height: pixels(y_max - y_min, self.frame.height),
        };
        if pixels.width == 0 || pixels.height == 0 {
            return None;
        }
        let point = |[x, y]: &[f32; 2]| self.to_frame([f64::from(*x), f64::from(*y)]).map(|part| part as f32);
        let points = detection.points.iter().map(point).collect();
        Some(Found { bounds, pixels, class: detection.class, score: detection.score, points })
    }

    /// A point, from parts of the tensor to parts of the frame, perhaps beyond it.
    #[must_use]
    pub fn to_frame(&self, mut point: [f64; 2]) -> [f64; 2] {
        if let Some(Inset { tensor, offset, scale, source }) = self.inset {
            let tensor = [tensor.width as f64, tensor.height as f64];
            for n in 0..2 {
                point[n] = (point[n] * tensor[n] - offset[n]) / scale[n] / source[n];
            }
        }
        if let Some(Region { x, y, width, height }) = self.region {
            point[0] = (x as f64 + width as f64 * point[0]) / self.frame.width as f64;
            point[1] = (y as f64 + height as f64 * point[1]) / self.frame.height as f64;
        }
        point
    }
}
