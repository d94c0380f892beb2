//! Frames into input tensors, and coordinates back.
//!
//! A [`Plan`] is made once for a picture's size, a region of it and a tensor: it holds where each
//! column and row of the tensor comes from. [`Plan::fill`] then writes a picture into a tensor, and
//! its [`Placement`] turns what was seen in the tensor into pixels of the frame.
//!
//! Resizing is bilinear with half-pixel centres and without antialiasing, clamped at the edge of the
//! region: the `INTER_LINEAR` of OpenCV and the `RESIZE_LINEAR` of OpenVINO, but not rounded to whole
//! levels of 255 as these are; the exact value within a fiftieth of a level.
//!
//! The shapes are those of DL Streamer's `opencv` backend (`opencv_pre_proc.cpp`): sizes are cut to
//! whole pixels, offsets are halves of the rest, rounded down.
//!
//! Not here: which preparation a model wants (`settings`).

mod lines;
mod map;
mod place;
mod planes;
mod rows;

pub use map::PlanError;
pub use place::{Found, Pixels, Placement};
pub use rows::{FillError, Plan};

/// A part of a frame in pixels. What lies outside the frame is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub x: usize,
    pub y: usize,
    pub width: usize,
    pub height: usize,
}

/// How a region becomes as large as the tensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resize {
    /// To the tensor's width and height, whatever the proportions become.
    #[default]
    Stretch,
    /// As large as fits, in the middle; the rest is padding.
    Letterbox,
    /// As large as fits, in the upper left corner.
    FitTopLeft,
    /// 1.125 times as large as fits, of which this part is taken; what is still missing is padding,
    /// in halves.
    Crop(Part),
    /// The square in the middle of the region, stretched.
    CentralSquare,
}

/// The part of a picture that is too large which is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    #[default]
    Central,
    TopLeft,
    TopRight,
    BottomLeft,
    BottomRight,
}

/// The order of the tensor's channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    Rgb,
    /// DL Streamer's default.
    #[default]
    Bgr,
}

/// `(value - mean) / divisor`, for values from 0 to 255, by channel in the tensor's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub mean: [f32; 3],
    pub divisor: [f32; 3],
}

/// What is done to a picture before inference.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Preparation {
    pub resize: Resize,
    pub colour: Colour,
    /// The value of padding in all channels, before mean and scale.
    pub padding: u8,
    /// Without one, values are from 0 to 255.
    pub scale: Option<Scale>,
}

/// The order of the dimensions of a tensor with one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Channel, row, column.
    Nchw,
    /// Row, column, channel.
    Nhwc,
}

impl Layout {
    /// The layout of an input of this shape with 3 channels, and the size of its pictures.
    #[must_use]
    pub fn of_shape(shape: &[usize]) -> Option<(Layout, super::Size)> {
        match *shape {
            [_, 3, height, width] => Some((Layout::Nchw, super::Size { width, height })),
            [_, height, width, 3] => Some((Layout::Nhwc, super::Size { width, height })),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
