//! Rectangles in pixels.

use super::Zone;

/// A rectangle in pixels, perhaps outside the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Rect {
    /// The area that two rectangles share, in pixels.
    pub(super) fn shared(&self, other: &Rect) -> i64 {
        let span = |a: i32, a_len: i32, b: i32, b_len: i32| {
            i64::from(((a + a_len).min(b + b_len) - a.max(b)).max(0))
        };
        span(self.x, self.width, other.x, other.width) * span(self.y, self.height, other.y, other.height)
    }

    pub(super) fn area(&self) -> i64 {
        i64::from(self.width) * i64::from(self.height)
    }

    /// The same size, moved.
    pub(super) fn moved(self, x: i32, y: i32) -> Rect {
        Rect { x: self.x + x, y: self.y + y, ..self }
    }
}

impl From<Zone> for Rect {
    fn from(zone: Zone) -> Rect {
        // Zones lie inside the frame, which is at most 7680 pixels wide.
        Rect { x: zone.x as i32, y: zone.y as i32, width: zone.width as i32, height: zone.height as i32 }
    }
}
