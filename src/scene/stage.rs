//! The positions of all items in frame `n`: the one source for pixels and for truth.
//!
//! A frame is a background and *placements* on it, in the order in which they
//! are drawn. A placement is a sprite (an item with one face up, or a hand) and
//! its rectangle. Two frames with equal placements have equal pixels.
//!
//! Only `+ - * /` and rounding on `f64` are used, which give the same result
//! everywhere.

use super::label::{self, Code, FINGERS};
use super::rect::Rect;
use super::{Item, Keyframe, Scene};

/// A drop shadow's offset, to the right and downwards.
pub(super) const SHADOW: i32 = 8;
/// The width of a hand, and of its picture.
pub(super) const HAND: i32 = 84;
/// A hand's height down to the sleeve.
pub(super) const HAND_HEIGHT: i32 = 92;
/// How long a hand takes to come or go, in seconds.
const REACH_S: f64 = 0.4;
/// A hand stays at an item that rests no longer than this, in seconds.
const HOLD_S: f64 = 1.5;

/// A picture that can be drawn. The number is the item's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sprite {
    /// The label is up.
    Front(usize),
    /// The label is turned away.
    Back(usize),
    /// The hand that moves the item.
    Hand(usize),
}

impl Sprite {
    /// Whether it is not this item's own box.
    pub(super) fn is_not_body_of(self, item: usize) -> bool {
        self != Sprite::Front(item) && self != Sprite::Back(item)
    }
}

/// A sprite in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) sprite: Sprite,
    pub(super) rect: Rect,
}

/// One item in a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    pub(super) body: Rect,
    /// The label with its quiet zone, if it is up.
    pub(super) label: Option<Rect>,
    /// The hand with its sleeve, if one is near.
    pub(super) hand: Option<Rect>,
}

/// A scene without faults, with values that every frame needs.
pub(super) struct Stage {
    scene: Scene,
    codes: Vec<Code>,
    /// Per item: when a hand holds it.
    holds: Vec<Vec<(f64, f64)>>,
}

impl Stage {
    /// The scene has no faults.
    pub(super) fn new(scene: &Scene) -> Stage {
        let code = |item: &Item| label::encode(&item.code).expect("a code of at most 64 characters fits");
        Stage {
            codes: scene.items.iter().map(code).collect(),
            holds: scene.items.iter().map(holds).collect(),
            scene: scene.clone(),
        }
    }

    pub(super) fn scene(&self) -> &Scene {
        &self.scene
    }

    pub(super) fn code(&self, item: usize) -> &Code {
        &self.codes[item]
    }

    /// All items in frame `n`, in drawing order. Frames beyond the last one
    /// begin again.
    pub(super) fn poses(&self, n: u64) -> Vec<Pose> {
        let at_s = (n % self.scene.n_frames()) as f64 / f64::from(self.scene.fps);
        (0..self.scene.items.len()).map(|item| self.pose(item, at_s)).collect()
    }

    /// The sprites of frame `n`, in drawing order.
    pub(super) fn placements(&self, n: u64) -> Vec<Placement> {
        let frame = Rect { x: 0, y: 0, width: self.scene.width as i32, height: self.scene.height as i32 };
        let mut placements = Vec::new();
        for (item, pose) in self.poses(n).into_iter().enumerate() {
            let sprite = if pose.label.is_some() { Sprite::Front(item) } else { Sprite::Back(item) };
            let body = pose.body;
            let rect = Rect { width: body.width + SHADOW, height: body.height + SHADOW, ..body };
            placements.push(Placement { sprite, rect });
            placements.extend(pose.hand.map(|rect| Placement { sprite: Sprite::Hand(item), rect }));
        }
        placements.retain(|placement| placement.rect.shared(&frame) > 0);
        placements
    }

    fn pose(&self, index: usize, at_s: f64) -> Pose {
        let item = &self.scene.items[index];
        let (x, y) = place(&item.path, at_s);
        let body = Rect {
            x: x - item.width as i32 / 2,
            y: y - item.height as i32 / 2,
            width: item.width as i32,
            height: item.height as i32,
        };
        let up = item.code_visible.iter().any(|interval| interval.from_s <= at_s && at_s < interval.to_s);
        let label = up.then(|| label::label(item, &self.codes[index]).moved(body.x, body.y));
        Pose { body, label, hand: self.hand(index, &body, at_s) }
    }

    /// The hand comes from the lower edge of the frame and goes back there.
    fn hand(&self, index: usize, body: &Rect, at_s: f64) -> Option<Rect> {
        let nearness = self.holds[index]
            .iter()
            .map(|(from_s, to_s)| {
                let away = (from_s - at_s).max(at_s - to_s).max(0.0);
                ease(1.0 - (away / REACH_S).min(1.0))
            })
            .fold(0.0, f64::max);
        if nearness == 0.0 {
            return None;
        }
        let height = self.scene.height as i32;
        let fist = body.y + body.height - FINGERS;
        let way = f64::from((height - fist).max(0)) * (1.0 - nearness);
        let x = body.x + (body.width - HAND) / 2;
        Some(Rect { x, y: fist + way.round() as i32, width: HAND, height })
    }
}

/// Where the centre is: resting before the first and after the last keyframe.
fn place(path: &[Keyframe], at_s: f64) -> (i32, i32) {
    let whole = |x: f64, y: f64| (x.round() as i32, y.round() as i32);
    let next = path.partition_point(|key| key.at_s <= at_s);
    match (next.checked_sub(1).map(|before| path[before]), path.get(next)) {
        (Some(from), Some(to)) => {
            let way = ease((at_s - from.at_s) / (to.at_s - from.at_s));
            whole(from.x + (to.x - from.x) * way, from.y + (to.y - from.y) * way)
        }
        (Some(at), None) => whole(at.x, at.y),
        (None, Some(at)) => whole(at.x, at.y),
        (None, None) => (0, 0),
    }
}

/// From 0 to 1 with a soft start and a soft end.
fn ease(way: f64) -> f64 {
    way * way * (3.0 - 2.0 * way)
}

/// When the item moves, with short rests in between.
fn holds(item: &Item) -> Vec<(f64, f64)> {
    let mut holds: Vec<(f64, f64)> = Vec::new();
    if !item.hand {
        return holds;
    }
    for pair in item.path.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        if from.x == to.x && from.y == to.y {
            continue;
        }
        match holds.last_mut() {
            Some(last) if from.at_s - last.1 <= HOLD_S => last.1 = to.at_s,
            _ => holds.push((from.at_s, to.at_s)),
        }
    }
    holds
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[track_caller]
    fn check(at_s: f64, x: i32) {
        assert_eq!(place(&sample().items[0].path, at_s), (x, 120));
    }

    #[test]
    fn an_item_rests_eases_and_rests_again() {
        check(0.0, -80);
        check(1.0, -80);
        check(1.5, -30);
        check(2.0, 80);
        check(2.5, 190);
        check(4.0, 240);
        check(7.0, 420);
    }

    #[test]
    fn a_hand_is_there_while_an_item_moves() {
        let stage = Stage::new(&sample());
        let hands: Vec<u64> =
            (0..80).filter(|n| stage.placements(*n).iter().any(|p| p.sprite == Sprite::Hand(0))).collect();
        // The frame's left edge hides it at first.
        assert_eq!((hands.first(), hands.last()), (Some(&15), Some(&63)));
        assert!(!hands.contains(&40));
    }
}
