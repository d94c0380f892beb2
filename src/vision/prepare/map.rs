//! Where each column and row of a tensor comes from.

use super::place::Inset;
use super::{Part, Placement, Preparation, Region, Resize};
use crate::vision::Size;

/// Where the pixels of a tensor come from.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// The size of the frame.
    pub(super) picture: Size,
    pub(super) tensor: Size,
    pub(super) placement: Placement,
    /// The pixels of the tensor that are not padding.
    pub(super) inside: Region,
    /// For planes of full size, and of half the size: those of colour of I420 and NV12.
    pub(super) columns: [Vec<Tap>; 2],
    pub(super) rows: [Vec<Tap>; 2],
}

/// The two pixels between which one of the tensor lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tap {
    pub(super) first: u32,
    /// The same, or the next.
    pub(super) second: u32,
    /// How far it is from the first to the second, in parts of 65536.
    pub(super) fraction: u16,
}

/// A region cannot be written into a tensor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("a tensor for pictures of {0} has no pixels")]
    NoTensor(Size),
    #[error("a frame of {frame} is more than {SIDE} pixels wide or high")]
    Large { frame: Size },
    #[error("the region {region:?} has no pixel of a frame of {frame}")]
    Outside { region: Region, frame: Size },
}

/// The most pixels of a side.
const SIDE: usize = 1 << 24;

/// How much larger than it fits a picture is made before a part is taken: DL Streamer's.
const CROP_SCALE: f64 = 1.125;

impl Map {
    pub(super) fn new(
        picture: Size,
        region: Option<Region>,
        tensor: Size,
        preparation: &Preparation,
    ) -> Result<Map, PlanError> {
        if tensor.width == 0 || tensor.height == 0 {
            return Err(PlanError::NoTensor(tensor));
        }
        if picture.width > SIDE || picture.height > SIDE {
            return Err(PlanError::Large { frame: picture });
        }
        let asked = region.unwrap_or(Region { x: 0, y: 0, width: picture.width, height: picture.height });
        let cut = Region {
            width: asked.width.min(picture.width.saturating_sub(asked.x)),
            height: asked.height.min(picture.height.saturating_sub(asked.y)),
            ..asked
        };
        if cut.width == 0 || cut.height == 0 {
            return Err(PlanError::Outside { region: asked, frame: picture });
        }
        let shape = Shape::of(cut, tensor, preparation.resize);
        let is_part = (shape.source.width, shape.source.height) != (picture.width, picture.height);
        let region = is_part.then_some(shape.source);
        let placement = Placement { frame: picture, region, inset: shape.inset(tensor) };
        let Shape { source, resized, skipped, inside } = shape;
        let half = |at: usize, length: usize| (at / 2, (at + length).div_ceil(2));
        let taps = |at: usize, length: usize, resized: usize, skipped: usize, n: usize| {
            let line = Line { at, length, resized };
            let taps = |halved: f64, (begin, end): (usize, usize)| {
                (0..n).map(|to| line.tap(to + skipped, halved, begin, end)).collect::<Vec<_>>()
            };
            [taps(1.0, (at, at + length)), taps(2.0, half(at, length))]
        };
        Ok(Map {
            picture,
            tensor,
            placement,
            inside,
            columns: taps(source.x, source.width, resized.width, skipped[0], inside.width),
            rows: taps(source.y, source.height, resized.height, skipped[1], inside.height),
        })
    }
}

/// A row or a column of the source.
struct Line {
    at: usize,
    length: usize,
    /// What the length becomes.
    resized: usize,
}

impl Line {
    /// Where pixel `to` of the resized line comes from, in a plane that is `halved` times
    /// smaller, of which the pixels from `begin` to `end` are the line's.
    fn tap(&self, to: usize, halved: f64, begin: usize, end: usize) -> Tap {
        let position = (to as f64 + 0.5) * self.length as f64 / self.resized as f64 + self.at as f64;
        let position = position / halved;
        let position = (position - 0.5).clamp(begin as f64, (end - 1) as f64);
        let first = position as usize;
        let fraction = (position - first as f64) * 65536.0;
        Tap { first: first as u32, second: (first + 1).min(end - 1) as u32, fraction: fraction as u16 }
    }
}

/// Sizes of a region on its way into a tensor.
struct Shape {
    /// The part of the frame that is resized.
    source: Region,
    resized: Size,
    /// Columns at the left and rows above that are cut off.
    skipped: [usize; 2],
    /// Where the rest lies in the tensor.
    inside: Region,
}

impl Shape {
    fn of(region: Region, tensor: Size, resize: Resize) -> Shape {
        let whole = Region { x: 0, y: 0, width: tensor.width, height: tensor.height };
        let fit =
            (tensor.width as f64 / region.width as f64).min(tensor.height as f64 / region.height as f64);
        let scaled = |scale: f64| Size {
            width: ((region.width as f64 * scale) as usize).max(1),
            height: ((region.height as f64 * scale) as usize).max(1),
        };
        match resize {
            Resize::Stretch => Shape { source: region, resized: tensor, skipped: [0, 0], inside: whole },
            Resize::CentralSquare => {
                let side = region.width.min(region.height);
                let source = Region {
                    x: region.x + (region.width - side) / 2,
                    y: region.y + (region.height - side) / 2,
                    width: side,
                    height: side,
                };
                Shape { source, resized: tensor, skipped: [0, 0], inside: whole }
            }
            Resize::Letterbox | Resize::FitTopLeft => {
                let resized = scaled(fit);
                let mut inside = Region { x: 0, y: 0, width: resized.width, height: resized.height };
                if resize == Resize::Letterbox {
                    inside.x = (tensor.width - resized.width) / 2;
                    inside.y = (tensor.height - resized.height) / 2;
                }
                Shape { source: region, resized, skipped: [0, 0], inside }
            }
            Resize::Crop(part) => {
                let resized = scaled(fit * CROP_SCALE);
                let width = resized.width.min(tensor.width);
                let height = resized.height.min(tensor.height);
                let [right, below] = [resized.width - width, resized.height - height];
                let skipped = match part {
                    Part::Central => [right / 2, below / 2],
                    Part::TopLeft => [0, 0],
                    Part::TopRight => [right, 0],
                    Part::BottomLeft => [0, below],
                    Part::BottomRight => [right, below],
                };
                let (x, y) = ((tensor.width - width) / 2, (tensor.height - height) / 2);
                Shape { source: region, resized, skipped, inside: Region { x, y, width, height } }
            }
        }
    }

    /// `None` if the source fills the tensor.
    fn inset(&self, tensor: Size) -> Option<Inset> {
        let [skipped_x, skipped_y] = self.skipped;
        let is_whole =
            self.resized == tensor && self.skipped == [0, 0] && (self.inside.x, self.inside.y) == (0, 0);
        (!is_whole).then(|| Inset {
            tensor,
            offset: [self.inside.x as f64 - skipped_x as f64, self.inside.y as f64 - skipped_y as f64],
            scale: [
                self.resized.width as f64 / self.source.width as f64,
                self.resized.height as f64 / self.source.height as f64,
            ],
            source: [self.source.width as f64, self.source.height as f64],
        })
    }
}
