//! Rows of a plane of a picture, as wide as the tensor.
//!
//! A row has numbers of 16 bits with 8 bits after the point, one for each byte of its pixels. All
//! are computed alike, so that compilers use vectors. Two rows make one of the tensor, and the
//! lower is kept, since it is mostly the upper one of the next two.

use super::map::Tap;

/// Bytes of a pixel of a row: three channels and one that is not used.
pub(super) const LANES: usize = 4;
pub(super) type Pixel = [u8; LANES];

/// Numbers that are computed at once; rows are padded to a multiple of it.
pub(super) const WIDE: usize = 16;
/// What rounding down takes away on average in two calls of `between`.
pub(super) const LOST: u16 = 3;

/// Memory that is used again for each picture.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// Bytes at both sides of each of the tensor's.
    pub(super) left: Vec<u8>,
    pub(super) right: Vec<u8>,
    fractions: Vec<u16>,
    upper: Row,
    lower: Row,
}

#[derive(Clone, Debug)]
struct Row {
    /// The row of the plane that it was made of; `None` of none yet.
    of: Option<u32>,
    numbers: Vec<u16>,
}

impl Lines {
    /// For pixels of `lanes` bytes.
    pub(super) fn new(columns: &[Tap], lanes: usize) -> Lines {
        let padded = (columns.len() * lanes).next_multiple_of(WIDE);
        let mut fractions: Vec<u16> =
            columns.iter().flat_map(|tap| std::iter::repeat_n(tap.fraction, lanes)).collect();
        fractions.resize(padded, 0);
        let row = Row { of: None, numbers: vec![0; padded] };
        Lines { left: vec![0; padded], right: vec![0; padded], fractions, upper: row.clone(), lower: row }
    }

    /// Forgets the rows of another picture.
    pub(super) fn forget(&mut self) {
        self.upper.of = None;
        self.lower.of = None;
    }

    /// The rows above and below one of the tensor. `gather` puts the bytes of a row of the plane
    /// into the two slices that it gets, for the left and the right side.
    pub(super) fn around(
        &mut self,
        tap: Tap,
        gather: impl Fn(u32, &mut [u8], &mut [u8]),
    ) -> (&[u16], &[u16]) {
        if self.lower.of == Some(tap.first) {
            std::mem::swap(&mut self.upper, &mut self.lower);
        }
        for (row, of) in [(&mut self.upper, tap.first), (&mut self.lower, tap.second)] {
            if row.of != Some(of) {
                gather(of, &mut self.left, &mut self.right);
                widen(&self.left, &self.right, &self.fractions, &mut row.numbers);
                row.of = Some(of);
            }
        }
        (&self.upper.numbers, &self.lower.numbers)
    }
}

/// From `a` to `b`, both at most 65280: this many parts of 65536, less one or two. Each product is
/// one instruction for eight numbers (`pmulhuw`), where differences would need more.
fn between(a: u16, b: u16, fraction: u16) -> u16 {
    let part = |number: u16, of: u16| ((u32::from(number) * u32::from(of)) >> 16) as u16;
    part(a, u16::MAX - fraction) + part(b, fraction)
}

/// A row between the bytes at both sides.
fn widen(left: &[u8], right: &[u8], fractions: &[u16], numbers: &mut [u16]) {
    let sides = left.as_chunks::<WIDE>().0.iter().zip(right.as_chunks::<WIDE>().0);
    let numbers = numbers.as_chunks_mut::<WIDE>().0.iter_mut();
    for ((numbers, (left, right)), fractions) in numbers.zip(sides).zip(fractions.as_chunks::<WIDE>().0) {
        for n in 0..WIDE {
            numbers[n] = between(u16::from(left[n]) << 8, u16::from(right[n]) << 8, fractions[n]);
        }
    }
}

/// A row between two. Not inlined: compilers use vectors only where they see that nothing overlaps.
#[inline(never)]
pub(super) fn blend(upper: &[u16], lower: &[u16], fraction: u16, numbers: &mut [u16]) {
    let rows = upper.as_chunks::<WIDE>().0.iter().zip(lower.as_chunks::<WIDE>().0);
    for (numbers, (upper, lower)) in numbers.as_chunks_mut::<WIDE>().0.iter_mut().zip(rows) {
        for n in 0..WIDE {
            numbers[n] = between(upper[n], lower[n], fraction);
        }
    }
}

/// The same in bytes.
#[inline(never)]
pub(super) fn blend_to_bytes(upper: &[u16], lower: &[u16], fraction: u16, bytes: &mut [u8]) {
    let rows = upper.as_chunks::<WIDE>().0.iter().zip(lower.as_chunks::<WIDE>().0);
    for (bytes, (upper, lower)) in bytes.as_chunks_mut::<WIDE>().0.iter_mut().zip(rows) {
        for n in 0..WIDE {
            bytes[n] = ((between(upper[n], lower[n], fraction) + 128 + LOST) >> 8) as u8;
        }
    }
}
