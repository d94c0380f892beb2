//! Frames: a [`Painter`] turns a scene and a frame number into pixels.
//!
//! The background and all sprites are painted once. A frame is a copy of the
//! background with the sprites of its placements copied onto it, row by row.

use super::Scene;
use super::paint::{self, Bitmap, Rgb};
use super::stage::{Placement, Sprite, Stage};

/// A scene cannot be drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the scene is not valid: `{field}`: {message}")]
pub struct SceneError {
    /// The path of the first faulty field.
    pub field: String,
    /// The message about it.
    pub message: String,
}

impl SceneError {
    /// The first fault of a scene.
    pub(super) fn check(scene: &Scene) -> Result<(), SceneError> {
        match scene.faults().into_iter().next() {
            Some((field, message)) => Err(SceneError { field, message }),
            None => Ok(()),
        }
    }
}

/// Draws the frames of one scene.
pub struct Painter {
    stage: Stage,
    background: Vec<u8>,
    /// Per item: label up, label turned away.
    items: Vec<[Runs; 2]>,
    hand: Runs,
}

impl Painter {
    /// # Errors
    /// When the scene has faults ([`Scene::faults`]).
    pub fn new(scene: &Scene) -> Result<Painter, SceneError> {
        SceneError::check(scene)?;
        let stage = Stage::new(scene);
        let faces = |(index, item)| {
            [true, false]
                .map(|label_up| Runs::of(&paint::item(item, stage.code(index), label_up).under(scene.light)))
        };
        Ok(Painter {
            background: paint::background(scene).under(scene.light).pixels.into_flattened(),
            items: scene.items.iter().enumerate().map(faces).collect(),
            hand: Runs::of(&paint::hand(scene).under(scene.light)),
            stage,
        })
    }

    /// The bytes of a frame: `width * height * 3`.
    #[must_use]
    pub fn frame_size(&self) -> usize {
        self.background.len()
    }

    /// Draws frame `n` as packed RGB: rows from the top, `width * 3` bytes each,
    /// no padding. Frames beyond the scene's last one begin again.
    ///
    /// # Panics
    /// When `frame` is not [`frame_size`](Painter::frame_size) bytes long.
    pub fn frame(&self, n: u64, frame: &mut [u8]) {
        frame.copy_from_slice(&self.background);
        let width = self.stage.scene().width as i32;
        let height = self.stage.scene().height as i32;
        for Placement { sprite, rect } in self.stage.placements(n) {
            let runs = match sprite {
                Sprite::Front(item) => &self.items[item][0],
                Sprite::Back(item) => &self.items[item][1],
                Sprite::Hand(_) => &self.hand,
            };
            runs.draw(frame, width, height, rect.x, rect.y);
        }
    }
}

/// A bitmap as runs of equally transparent pixels.
struct Runs {
    pixels: Vec<Rgb>,
    runs: Vec<Run>,
}

struct Run {
    x: i32,
    y: i32,
    length: i32,
    /// The first pixel's index.
    first: usize,
    alpha: u8,
}

impl Runs {
    fn of(bitmap: &Bitmap) -> Runs {
        let mut runs: Vec<Run> = Vec::new();
        for y in 0..bitmap.height {
            for x in 0..bitmap.width {
                let first = (y * bitmap.width + x) as usize;
                let alpha = bitmap.alpha[first];
                match runs.last_mut() {
                    Some(run) if run.y == y && run.x + run.length == x && run.alpha == alpha => {
                        run.length += 1
                    }
                    _ => runs.push(Run { x, y, length: 1, first, alpha }),
                }
            }
        }
        runs.retain(|run| run.alpha > 0);
        Runs { pixels: bitmap.pixels.clone(), runs }
    }

    /// Copies the part inside the frame.
    fn draw(&self, frame: &mut [u8], width: i32, height: i32, left: i32, top: i32) {
        for run in &self.runs {
            let y = top + run.y;
            let from = (left + run.x).max(0);
            let to = (left + run.x + run.length).min(width);
            if !(0..height).contains(&y) || to <= from {
                continue;
            }
            let skipped = (from - left - run.x) as usize;
            let source = self.pixels[run.first + skipped..][..(to - from) as usize].as_flattened();
            let target = &mut frame[(y * width + from) as usize * 3..][..source.len()];
            if run.alpha == 255 {
                target.copy_from_slice(source);
            } else {
                for (target, source) in target.iter_mut().zip(source) {
                    *target = blend(*target, *source, run.alpha);
                }
            }
        }
    }
}

fn blend(below: u8, above: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    ((u32::from(below) * (255 - alpha) + u32::from(above) * alpha) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::super::truth::truth;
    use super::super::{Colour, SCAN, Zone};
    use super::*;

    fn draw(painter: &Painter, n: u64) -> Vec<u8> {
        let mut frame = vec![0; painter.frame_size()];
        painter.frame(n, &mut frame);
        frame
    }

    fn cut(frame: &[u8], width: u32, zone: &Zone) -> Vec<u8> {
        let row = |y: u32| &frame[((y * width + zone.x) * 3) as usize..][..zone.width as usize * 3];
        (zone.y..zone.y + zone.height).flat_map(row).copied().collect()
    }

    #[test]
    fn a_frame_is_the_same_every_time_and_begins_again_after_the_last() {
        let scene = sample();
        let (one, other) = (Painter::new(&scene).unwrap(), Painter::new(&scene).unwrap());
        assert_eq!(draw(&one, 23), draw(&other, 23));
        assert_eq!(draw(&one, 23), draw(&other, 23 + scene.n_frames()));
        assert_ne!(draw(&one, 23), draw(&one, 24));
    }

    #[test]
    fn pixels_in_a_zone_change_exactly_when_the_truth_has_motion() {
        let scene = sample();
        let (painter, truth) = (Painter::new(&scene).unwrap(), truth(&scene).unwrap());
        for (name, zone) in &scene.zones {
            for n in 1..scene.n_frames() {
                let [before, now] = [n - 1, n].map(|n| cut(&draw(&painter, n), scene.width, zone));
                let at_s = n as f64 / f64::from(scene.fps) + 0.001;
                let moves = truth.motion_in(name, 0.0).iter().any(|(from, to)| *from <= at_s && at_s < *to);
                assert_eq!(before != now, moves, "zone {name}, frame {n}");
            }
        }
    }

    #[test]
    fn a_turned_label_shows_no_code() {
        let mut scene = sample();
        let up = draw(&Painter::new(&scene).unwrap(), 40);
        scene.items[0].code_visible.clear();
        let turned = draw(&Painter::new(&scene).unwrap(), 40);
        let white = |frame: &[u8]| {
            let zone = cut(frame, scene.width, &scene.zones[SCAN]);
            zone.as_chunks::<3>().0.iter().filter(|pixel| **pixel == [250, 250, 248]).count()
        };
        assert!(white(&up) > 2_000, "{}", white(&up));
        assert!(white(&turned) < 500, "{}", white(&turned));
    }

    #[test]
    fn light_multiplies_each_channel_of_a_frame() {
        let mut scene = sample();
        let day = draw(&Painter::new(&scene).unwrap(), 23);
        scene.light = Colour([128, 102, 255]);
        let night = draw(&Painter::new(&scene).unwrap(), 23);
        for (day, night) in day.as_chunks::<3>().0.iter().zip(night.as_chunks::<3>().0) {
            for (channel, share) in [128, 102, 255].into_iter().enumerate() {
                // Shadows are blended, and each step rounds down.
                let expected = u32::from(day[channel]) * share / 255;
                assert!(u32::from(night[channel]).abs_diff(expected) <= 1, "{day:?} {night:?}");
            }
        }
    }

    #[test]
    fn a_scene_with_a_fault_is_refused() {
        let mut scene = sample();
        scene.fps = 0;
        let error = Painter::new(&scene).err().unwrap();
        assert_eq!(
            error.to_string(),
            "the scene is not valid: `fps`: expected a number from 1 to 240, found 0"
        );
    }
}
