//! A mapped video frame: bytes with strides.
//!
//! A [`Picture`] that exists has all of its rows, so nothing that reads it checks again.
//!
//! Not here: reading it into a tensor (`prepare`).

use super::Size;

/// How pixels lie in memory, by GStreamer's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelFormat {
    Rgb,
    Bgr,
    /// Also RGBA: the fourth byte is not read.
    Rgbx,
    /// Also BGRA.
    Bgrx,
    /// Three planes; those of colour have half the width and height, rounded up.
    I420,
    /// Two planes; the second has U and V in turns.
    Nv12,
}

impl PixelFormat {
    /// Bytes from a pixel of a plane to the next, for each plane.
    pub(super) fn steps(self) -> &'static [usize] {
        match self {
            PixelFormat::Rgb | PixelFormat::Bgr => &[3],
            PixelFormat::Rgbx | PixelFormat::Bgrx => &[4],
            PixelFormat::I420 => &[1, 1, 1],
            PixelFormat::Nv12 => &[1, 2],
        }
    }

    /// Whether pixels are luma and two differences of colour.
    #[must_use]
    pub fn is_yuv(self) -> bool {
        matches!(self, PixelFormat::I420 | PixelFormat::Nv12)
    }
}

/// The colours that luma and differences stand for, always of limited range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matrix {
    /// ITU-R BT.601: video up to 576 lines.
    #[default]
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

/// The memory of a plane.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    pub data: &'a [u8],
    /// Bytes from a row to the next; more than a row needs, perhaps.
    pub stride: usize,
}

/// A frame.
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    size: Size,
    format: PixelFormat,
    matrix: Matrix,
    planes: [Plane<'a>; 3],
}

/// Planes do not hold the picture.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("a picture of {0} has no pixels")]
    Empty(Size),
    #[error("pictures of this format have {expected} planes, but {found} came")]
    Planes { expected: usize, found: usize },
    #[error("plane {plane} of a picture of {size} has rows of {expected} bytes, but a stride of {stride}")]
    Stride { plane: usize, size: Size, expected: usize, stride: usize },
    #[error("plane {plane} of a picture of {size} needs {expected} bytes, but has {found}")]
    Short { plane: usize, size: Size, expected: usize, found: usize },
}

impl<'a> Picture<'a> {
    /// # Errors
    ///
    /// If a plane is missing or too short.
    pub fn new(
        size: Size,
        format: PixelFormat,
        matrix: Matrix,
        planes: &[Plane<'a>],
    ) -> Result<Self, PictureError> {
        if size.width == 0 || size.height == 0 {
            return Err(PictureError::Empty(size));
        }
        let steps = format.steps();
        if planes.len() != steps.len() {
            return Err(PictureError::Planes { expected: steps.len(), found: planes.len() });
        }
        for (plane, (memory, step)) in planes.iter().zip(steps).enumerate() {
            let of_plane = size_of_plane(size, plane);
            let row = of_plane.width.saturating_mul(*step);
            if memory.stride < row {
                return Err(PictureError::Stride { plane, size, expected: row, stride: memory.stride });
            }
            let expected = memory.stride.saturating_mul(of_plane.height - 1).saturating_add(row);
            if memory.data.len() < expected {
                return Err(PictureError::Short { plane, size, expected, found: memory.data.len() });
            }
        }
        let plane = |n: usize| planes.get(n).copied().unwrap_or(Plane { data: &[], stride: 0 });
        Ok(Picture { size, format, matrix, planes: [plane(0), plane(1), plane(2)] })
    }

    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    #[must_use]
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    pub(super) fn matrix(&self) -> Matrix {
        self.matrix
    }

    /// A row of a plane, with what follows it in memory.
    pub(super) fn row(&self, plane: usize, row: usize) -> &'a [u8] {
        let Plane { data, stride } = self.planes[plane];
        &data[row * stride..]
    }
}

/// The size of a plane in its own pixels.
fn size_of_plane(size: Size, plane: usize) -> Size {
    match plane {
        0 => size,
        _ => Size { width: size.width.div_ceil(2), height: size.height.div_ceil(2) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_all_of_its_rows() {
        let data = [0_u8; 64];
        let picture = |width, height, format, lengths: &[(usize, usize)]| {
            let planes: Vec<Plane<'_>> = lengths
                .iter()
                .map(|(length, stride)| Plane { data: &data[..*length], stride: *stride })
                .collect();
            Picture::new(Size { width, height }, format, Matrix::Bt601, &planes)
                .map(|_| ())
                .map_err(|error| error.to_string())
        };
        // The last row needs no padding.
        assert_eq!(picture(3, 2, PixelFormat::Rgb, &[(12 + 9, 12)]), Ok(()));
        assert_eq!(picture(5, 3, PixelFormat::Nv12, &[(15, 5), (12, 6)]), Ok(()));
        assert_eq!(picture(5, 3, PixelFormat::I420, &[(15, 5), (6, 3), (6, 3)]), Ok(()));
        let refused = [
            (picture(3, 0, PixelFormat::Rgb, &[(0, 9)]), "a picture of 3x0 has no pixels"),
            (
                picture(3, 2, PixelFormat::Nv12, &[(9, 3)]),
                "pictures of this format have 2 planes, but 1 came",
            ),
            (
                picture(3, 2, PixelFormat::Bgrx, &[(24, 11)]),
                "plane 0 of a picture of 3x2 has rows of 12 bytes, but a stride of 11",
            ),
            (
                picture(5, 3, PixelFormat::Nv12, &[(15, 5), (11, 6)]),
                "plane 1 of a picture of 5x3 needs 12 bytes, but has 11",
            ),
        ];
        for (error, text) in refused {
            assert_eq!(error, Err(text.to_owned()));
        }
    }
}
