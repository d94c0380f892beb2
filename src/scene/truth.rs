//! The reports of a perfect detector about a scene: [`truth`].
//!
//! All of it is decided frame by frame, from the positions of the items; frame
//! `n` is the time from `n / fps` to `(n + 1) / fps`. An interval is a maximal
//! run of frames for which a condition holds: `from_s` is the start of the first
//! frame, `to_s` the end of the last one, both rounded to milliseconds.
//!
//! Not here: the tolerance for a real detector, which the comparison decides.

use serde::{Deserialize, Serialize};

use super::draw::SceneError;
use super::rect::Rect;
use super::stage::{Placement, Pose, Stage};
use super::{BASKET, SCAN, Scene};

/// The version of the truth and its clip: raise it when the same scene gets another
/// one, so that files of an older version are made again. 4: the boxes of the clip lie
/// beside it.
pub const VERSION: u32 = 4;

/// The events of a scene, in the order of items or zones, then time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// When each code is readable: its label is up, lies fully inside the frame
    /// with its quiet zone, and nothing drawn later (an item, its shadow, a
    /// hand) touches it.
    pub codes: Vec<CodeSpan>,
    /// When anything moves inside a zone: an item or hand whose rectangle
    /// (shadow included) touches the zone in this frame or in the one before is
    /// at another place, shows another face, or was not there before. The first
    /// frame is still. Raw: pauses of any length separate two intervals; see
    /// [`Truth::motion_in`].
    pub motion: Vec<ZoneSpan>,
    /// Motion in addition to `motion` for a player that begins the scene again after
    /// its last frame: zones in which the first frame differs from the last one. The
    /// interval is the first frame, of every pass but the first.
    #[serde(default)]
    pub joins: Vec<ZoneSpan>,
    /// Passes through the zone `scan` during which the item's code is never
    /// readable. A pass is a run of frames with the item's centre in the zone.
    pub unscanned: Vec<ItemSpan>,
    /// Stays in the zone `basket` that began covered: the item's centre is in
    /// the zone, and in the first such frame one item on top of it covers half
    /// of it or more.
    pub hidden: Vec<ItemSpan>,
}

/// A code, for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeSpan {
    pub item: String,
    pub code: String,
    pub from_s: f64,
    pub to_s: f64,
}

/// A zone, for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneSpan {
    pub zone: String,
    pub from_s: f64,
    pub to_s: f64,
}

/// An item, for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemSpan {
    pub item: String,
    pub from_s: f64,
    pub to_s: f64,
}

impl Truth {
    /// The motion in one zone as `(from_s, to_s)`, with pauses shorter than
    /// `gap_s` bridged, as a detector with that gap reports it.
    #[must_use]
    pub fn motion_in(&self, zone: &str, gap_s: f64) -> Vec<(f64, f64)> {
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for span in self.motion.iter().filter(|span| span.zone == zone) {
            match merged.last_mut() {
                Some(last) if span.from_s - last.1 < gap_s => last.1 = span.to_s,
                _ => merged.push((span.from_s, span.to_s)),
            }
        }
        merged
    }
}

/// The truth about a scene.
///
/// # Errors
/// When the scene has faults.
pub fn truth(scene: &Scene) -> Result<Truth, SceneError> {
    SceneError::check(scene)?;
    let stage = Stage::new(scene);
    let zones: Vec<(&String, Rect)> =
        scene.zones.iter().map(|(name, zone)| (name, Rect::from(*zone))).collect();
    let rect_of = |name: &str| zones.iter().find(|zone| zone.0 == name).map(|zone| zone.1);
    let (scan, basket) = (rect_of(SCAN), rect_of(BASKET));
    let mut items: Vec<ItemRuns> = scene.items.iter().map(|_| ItemRuns::default()).collect();
    let mut moves: Vec<Runs> = zones.iter().map(|_| Runs::default()).collect();

    // An hour of frames does not fit in memory, so keep only runs.
    let mut before = stage.placements(0);
    for n in 0..scene.n_frames() {
        let (poses, placements) = (stage.poses(n), stage.placements(n));
        for (index, runs) in items.iter_mut().enumerate() {
            let pose = &poses[index];
            runs.readable.note(n, is_readable(&stage, pose, index, &placements));
            runs.scan.note(n, scan.is_some_and(|zone| is_centre_in(pose, &zone)));
            let arrives = runs.basket.note(n, basket.is_some_and(|zone| is_centre_in(pose, &zone)));
            if arrives {
                runs.arrives_covered.push(is_covered(&poses, index));
            }
        }
        for (runs, (_, zone)) in moves.iter_mut().zip(&zones) {
            runs.note(n, is_changed(&before, &placements, zone));
        }
        before = placements;
    }

    let seconds = |run: &Run| {
        let at = |n: u64| (n as f64 * 1000.0 / f64::from(scene.fps)).round() / 1000.0;
        (at(run.start), at(run.end))
    };
    let mut truth = Truth::default();
    for (item, runs) in scene.items.iter().zip(&items) {
        let item_span = |run: &Run| {
            let (from_s, to_s) = seconds(run);
            ItemSpan { item: item.name.clone(), from_s, to_s }
        };
        for run in &runs.readable.0 {
            let ItemSpan { item: name, from_s, to_s } = item_span(run);
            truth.codes.push(CodeSpan { item: name, code: item.code.clone(), from_s, to_s });
        }
        truth.unscanned.extend(runs.scan.0.iter().filter(|pass| !runs.readable.touches(pass)).map(item_span));
        let stays = runs.basket.0.iter().zip(&runs.arrives_covered);
        truth.hidden.extend(stays.filter(|(_, covered)| **covered).map(|(stay, _)| item_span(stay)));
    }
    let (first, last) = (stage.placements(0), before);
    for (name, _) in zones.iter().filter(|(_, zone)| is_changed(&last, &first, zone)) {
        let (from_s, to_s) = seconds(&(0..1));
        truth.joins.push(ZoneSpan { zone: (*name).clone(), from_s, to_s });
    }
    for (runs, (name, _)) in moves.iter().zip(&zones) {
        for run in &runs.0 {
            let (from_s, to_s) = seconds(run);
            truth.motion.push(ZoneSpan { zone: (*name).clone(), from_s, to_s });
        }
    }
    Ok(truth)
}

/// Frames from `start` to before `end`.
type Run = std::ops::Range<u64>;

/// The maximal runs of frames for which a condition holds.
#[derive(Default)]
struct Runs(Vec<Run>);

impl Runs {
    /// Records whether it holds in frame `n`; frames come in order. Returns
    /// whether a run begins with this one.
    fn note(&mut self, n: u64, holds: bool) -> bool {
        match self.0.last_mut() {
            Some(last) if holds && last.end == n => {
                last.end = n + 1;
                false
            }
            _ if holds => {
                self.0.push(n..n + 1);
                true
            }
            _ => false,
        }
    }

    fn touches(&self, other: &Run) -> bool {
        self.0.iter().any(|run| run.start < other.end && other.start < run.end)
    }
}

/// The runs of one item.
#[derive(Default)]
struct ItemRuns {
    readable: Runs,
    scan: Runs,
    basket: Runs,
    /// One per run of `basket`.
    arrives_covered: Vec<bool>,
}

fn is_readable(stage: &Stage, pose: &Pose, item: usize, placements: &[Placement]) -> bool {
    let Some(label) = pose.label else { return false };
    let scene = stage.scene();
    let frame = Rect { x: 0, y: 0, width: scene.width as i32, height: scene.height as i32 };
    if label.shared(&frame) < label.area() {
        return false;
    }
    let above = placements.iter().skip_while(|placement| placement.sprite.is_not_body_of(item)).skip(1);
    above.map(|placement| placement.rect.shared(&label)).sum::<i64>() == 0
}

fn is_covered(poses: &[Pose], item: usize) -> bool {
    let body = poses[item].body;
    poses[item + 1..].iter().any(|above| body.area() <= 2 * above.body.shared(&body))
}

fn is_centre_in(pose: &Pose, zone: &Rect) -> bool {
    let Rect { x, y, width, height } = pose.body;
    Rect { x: x + width / 2, y: y + height / 2, width: 1, height: 1 }.shared(zone) > 0
}

fn is_changed(before: &[Placement], now: &[Placement], zone: &Rect) -> bool {
    let touching = |placements: &[Placement]| {
        placements.iter().filter(|placement| placement.rect.shared(zone) > 0).copied().collect::<Vec<_>>()
    };
    touching(before) != touching(now)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::sample;
    use super::super::{Interval, Keyframe};
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Scene), expect: Expect) {
        let mut scene = sample();
        change(&mut scene);
        let truth = truth(&scene).unwrap();
        let mut lines = Vec::new();
        for span in &truth.codes {
            lines.push(format!("code {} {}..{}", span.code, span.from_s, span.to_s));
        }
        for span in &truth.motion {
            lines.push(format!("motion {} {}..{}", span.zone, span.from_s, span.to_s));
        }
        for span in &truth.joins {
            lines.push(format!("join {} {}..{}", span.zone, span.from_s, span.to_s));
        }
        for span in &truth.unscanned {
            lines.push(format!("unscanned {} {}..{}", span.item, span.from_s, span.to_s));
        }
        for span in &truth.hidden {
            lines.push(format!("hidden {} {}..{}", span.item, span.from_s, span.to_s));
        }
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_scanned_item_is_read_and_moves_through_both_zones() {
        check(
            |_| {},
            expect![[r#"
                code TEA-1 1.9..8
                motion basket 5.5..6.1
                motion scan 2.3..3.1
                motion scan 5.1..5.7
                join basket 0..0.1"#]],
        );
    }

    #[test]
    fn a_label_that_is_turned_away_makes_an_unscanned_pass() {
        check(
            |scene| scene.items[0].code_visible.clear(),
            expect![[r#"
                motion basket 5.5..6.1
                motion scan 2.3..3.1
                motion scan 5.1..5.7
                join basket 0..0.1
                unscanned Tea 2.6..5.4"#]],
        );
        check(
            |scene| scene.items[0].code_visible = vec![Interval { from_s: 4.0, to_s: 4.5 }],
            expect![[r#"
                code TEA-1 4..4.5
                motion basket 5.5..6.1
                motion scan 2.3..3.1
                motion scan 4..4.1
                motion scan 4.5..4.6
                motion scan 5.1..5.7
                join basket 0..0.1"#]],
        );
    }

    #[test]
    fn an_item_under_another_one_is_hidden_and_not_read() {
        check(
            |scene| {
                let mut cover = scene.items[0].clone();
                (cover.name, cover.code) = ("Box".to_owned(), "BOX-1".to_owned());
                scene.items[0].hand = false;
                scene.items.push(cover);
            },
            expect![[r#"
                code BOX-1 1.9..8
                motion basket 5.5..6.1
                motion scan 2.3..3.1
                motion scan 5.1..5.7
                join basket 0..0.1
                unscanned Tea 2.6..5.4
                hidden Tea 5.7..8"#]],
        );
    }

    #[test]
    fn a_resting_item_makes_no_motion() {
        check(
            |scene| scene.items[0].path = vec![Keyframe { at_s: 0.0, x: 240.0, y: 120.0 }],
            expect!["code TEA-1 0..8"],
        );
    }

    #[test]
    fn short_pauses_are_bridged() {
        let span = |from_s, to_s| ZoneSpan { zone: "scan".to_owned(), from_s, to_s };
        let truth =
            Truth { motion: vec![span(1.0, 2.0), span(2.5, 3.0), span(4.0, 5.0)], ..Truth::default() };
        assert_eq!(truth.motion_in("scan", 1.0), [(1.0, 3.0), (4.0, 5.0)]);
    }
}
