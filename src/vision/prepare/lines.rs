//! Rows of a plane of a picture, as wide as the tensor.
//!
//! A row has numbers of 16 bits with 8 bits after the point, one for each of its bytes. All are
//! computed alike, so that compilers use vectors. Two rows make one of the tensor, and the lower is
//! kept, since it is mostly the upper one of the next two.
//!
//! Bytes of several *lanes* (both differences of colour, or three channels) lie at the same places, so one
//! row has them all: first all of the first lane, then all of the next.

use super::map::Tap;

/// Numbers that are computed at once; lanes are padded to a multiple of it.
pub(super) const WIDE: usize = 16;

/// What rounding down takes away on average from a number between four bytes, in parts of 256.
pub(super) const LOST: f32 = 3.0;

/// Memory that is used again for each picture.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// Where the byte at the left of each of the tensor's is, counted in pixels of the plane.
    places: Vec<u32>,
    /// The bytes at both sides: the left one below, the right one above.
    sides: Vec<u16>,
    fractions: Vec<u16>,
    upper: Row,
    lower: Row,
    /// The row between both.
    numbers: Vec<u16>,
}

#[derive(Clone, Debug)]
struct Row {
    /// The row of the plane that it was made of; `None` of none yet.
    of: Option<u32>,
    numbers: Vec<u16>,
}

impl Lines {
    pub(super) fn new(columns: &[Tap], lanes: usize) -> Lines {
        let padded = columns.len().next_multiple_of(WIDE);
        let mut lane: Vec<u16> = columns.iter().map(|tap| tap.fraction).collect();
        lane.resize(padded, 0);
        let n = padded * lanes;
        let row = Row { of: None, numbers: vec![0; n] };
        Lines {
            places: columns.iter().map(|tap| tap.first).collect(),
            sides: vec![0; n],
            fractions: lane.repeat(lanes),
            upper: row.clone(),
            lower: row,
            numbers: vec![0; n],
        }
    }

    /// Forgets the rows of another picture.
    pub(super) fn forget(&mut self) {
        self.upper.of = None;
        self.lower.of = None;
    }

    /// The row of the tensor at this place. `gather` puts the bytes of a row of the plane at both sides of
    /// these places into the list that it gets.
    pub(super) fn row(&mut self, tap: Tap, gather: impl Fn(u32, &[u32], &mut [u16])) -> &[u16] {
        if self.lower.of == Some(tap.first) {
            std::mem::swap(&mut self.upper, &mut self.lower);
        }
        for (row, of) in [(&mut self.upper, tap.first), (&mut self.lower, tap.second)] {
            if row.of != Some(of) {
                gather(of, &self.places, &mut self.sides);
                widen(&self.sides, &self.fractions, &mut row.numbers);
                row.of = Some(of);
            }
        }
        blend(&self.upper.numbers, &self.lower.numbers, tap.fraction, &mut self.numbers);
        &self.numbers
    }
}

/// From `a` to `b`, both at most 65280: this many parts of 65536, less one or two. Each product is
/// one instruction for eight numbers (`pmulhuw`).
fn between(a: u16, b: u16, fraction: u16) -> u16 {
    let part = |number: u16, of: u16| ((u32::from(number) * u32::from(of)) >> 16) as u16;
    part(a, u16::MAX - fraction) + part(b, fraction)
}

/// A row between the bytes at both sides. Not inlined: compilers use vectors only where they see that
/// nothing overlaps.
#[inline(never)]
fn widen(sides: &[u16], fractions: &[u16], numbers: &mut [u16]) {
    let sides = sides.as_chunks::<WIDE>().0.iter().zip(fractions.as_chunks::<WIDE>().0);
    for (numbers, (sides, fractions)) in numbers.as_chunks_mut::<WIDE>().0.iter_mut().zip(sides) {
        for n in 0..WIDE {
            numbers[n] = between(sides[n] << 8, sides[n] & 0xff00, fractions[n]);
        }
    }
}

/// A row between two.
#[inline(never)]
fn blend(upper: &[u16], lower: &[u16], fraction: u16, numbers: &mut [u16]) {
    let rows = upper.as_chunks::<WIDE>().0.iter().zip(lower.as_chunks::<WIDE>().0);
    for (numbers, (upper, lower)) in numbers.as_chunks_mut::<WIDE>().0.iter_mut().zip(rows) {
        for n in 0..WIDE {
            numbers[n] = between(upper[n], lower[n], fraction);
        }
    }
}
