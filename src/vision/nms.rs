//! Non-maximum suppression: of boxes that overlap, only the one that scores best is kept.
//!
//! Overlap is the area of the intersection over that of the union (IoU). Of equal scores the
//! earlier detection wins, so the same tensor gives the same boxes everywhere.

use super::{Corners, Detection};

/// Which detections suppress each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Also those of different classes, as DL Streamer does it.
    All,
    Class,
}

/// Keeps the best of those that overlap by more than `threshold`, the best first.
///
/// Detections that are no numbers are left out.
pub fn suppress(found: &mut Vec<Detection>, threshold: f32, among: Among) {
    found.retain(|one| one.bounds.is_sound() && !one.score.is_nan());
    // Stable.
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let threshold = f64::from(threshold);
    let mut kept: Vec<(Corners, f64, u32)> = Vec::new();
    found.retain(|one| {
        let area = area(&one.bounds);
        let is_hidden = kept.iter().any(|(bounds, other_area, class)| {
            if among == Among::Class && *class != one.class {
                return false;
            }
            let shared = shared(bounds, &one.bounds);
            // Without a division, and false for boxes without an area.
            shared > 0.0 && shared > threshold * (area + other_area - shared)
        });
        if !is_hidden {
            kept.push((one.bounds, area, one.class));
        }
        !is_hidden
    });
}

fn area(bounds: &Corners) -> f64 {
    (bounds.x_max - bounds.x_min) * (bounds.y_max - bounds.y_min)
}

fn shared(a: &Corners, b: &Corners) -> f64 {
    let width = a.x_max.min(b.x_max) - a.x_min.max(b.x_min);
    let height = a.y_max.min(b.y_max) - a.y_min.max(b.y_min);
    if width <= 0.0 || height <= 0.0 { 0.0 } else { width * height }
}

/// The intersection of two boxes over their union; 0 for boxes without an area.
#[must_use]
pub fn iou(a: &Corners, b: &Corners) -> f64 {
    let shared = shared(a, b);
    if shared > 0.0 { shared / (area(a) + area(b) - shared) } else { 0.0 }
}
