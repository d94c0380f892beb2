//! Where the objects of a scene are, frame by frame: [`boxes`].
//!
//! An object is an item, the code on its label, or the hand that moves it. It counts with its part
//! inside the frame, if that is half of it or more, and if nothing that is drawn later (another
//! item, or a hand) covers half of it or more; shadows do not count. A code is its label with the white
//! border, and a hand ends at its sleeve.
//!
//! Not here: whether a code can be read (`truth`), which is less often.

use std::fmt;

use serde_json::json;

use super::Scene;
use super::draw::SceneError;
use super::rect::Rect;
use super::stage::{HAND_HEIGHT, Stage};

/// What a box is around: the labels of a detector for scenes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Item,
    Code,
    Hand,
}

impl Kind {
    /// All kinds, in the order of their numbers as classes.
    pub const ALL: [Kind; 3] = [Kind::Item, Kind::Code, Kind::Hand];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Item => "item",
            Kind::Code => "code",
            Kind::Hand => "hand",
        })
    }
}

/// An object on a frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub kind: Kind,
    /// The item, or that which has the code, or which the hand moves.
    pub item: String,
    /// Left, top, width and height in parts of the frame.
    pub bounds: [f64; 4],
}

/// The objects on a frame, in the order in which they are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameObjects {
    /// When the frame begins, in nanoseconds, rounded down.
    pub at_ns: u64,
    pub objects: Vec<Object>,
}

/// An object as it is drawn.
struct Drawn {
    kind: Kind,
    item: usize,
    rect: Rect,
    /// What of it hides others; a label hides nothing that its item does not.
    hides: Option<Rect>,
}

/// The objects on each frame of a scene.
///
/// # Errors
/// When the scene has faults.
pub fn boxes(scene: &Scene) -> Result<Vec<FrameObjects>, SceneError> {
    SceneError::check(scene)?;
    let stage = Stage::new(scene);
    let frame = |n: u64| FrameObjects {
        at_ns: n * 1_000_000_000 / u64::from(scene.fps),
        objects: objects(&stage, n),
    };
    Ok((0..scene.n_frames()).map(frame).collect())
}

fn objects(stage: &Stage, n: u64) -> Vec<Object> {
    let scene = stage.scene();
    let (width, height) = (scene.width as i32, scene.height as i32);
    let frame = Rect { x: 0, y: 0, width, height };
    let mut drawn = Vec::new();
    for (item, pose) in stage.poses(n).into_iter().enumerate() {
        drawn.push(Drawn { kind: Kind::Item, item, rect: pose.body, hides: Some(pose.body) });
        drawn.extend(pose.label.map(|rect| Drawn { kind: Kind::Code, item, rect, hides: None }));
        drawn.extend(pose.hand.map(|hand| {
            let rect = Rect { height: HAND_HEIGHT, ..hand };
            Drawn { kind: Kind::Hand, item, rect, hides: Some(hand) }
        }));
    }
    let counts = |(index, object): &(usize, &Drawn)| {
        let is_half = |shared: i64| object.rect.area() <= 2 * shared;
        let mut above = drawn[index + 1..].iter().filter_map(|later| later.hides);
        is_half(object.rect.shared(&frame)) && !above.any(|later| is_half(later.shared(&object.rect)))
    };
    let part = |from: i32, length: i32, of: i32| {
        let (begin, end) = (from.max(0), (from + length).min(of));
        [begin, end - begin].map(|pixels| f64::from(pixels) / f64::from(of))
    };
    let object = |(_, Drawn { kind, item, rect, .. }): (usize, &Drawn)| {
        let [x, w] = part(rect.x, rect.width, width);
        let [y, h] = part(rect.y, rect.height, height);
        Object { kind: *kind, item: scene.items[*item].name.clone(), bounds: [x, y, w, h] }
    };
    drawn.iter().enumerate().filter(counts).map(object).collect()
}

/// The boxes as text: a line of JSON for each frame, as a run publishes what its detectors find,
/// but for frames without objects too; each object has the name of its item besides.
#[must_use]
pub fn lines(frames: &[FrameObjects]) -> String {
    let object = |Object { kind, item, bounds: [x, y, w, h] }: &Object| {
        let bounds = json!({ "x_min": x, "y_min": y, "x_max": x + w, "y_max": y + h });
        json!({ "detection": { "label": kind.to_string(), "bounding_box": bounds }, "item": item })
    };
    let line = |FrameObjects { at_ns, objects }: &FrameObjects| {
        let objects: Vec<_> = objects.iter().map(object).collect();
        format!("{}\n", json!({ "timestamp": at_ns, "objects": objects }))
    };
    frames.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::tests::sample;
    use super::*;

    /// The kinds on each frame of the sample, `n` from..to, as long as they are the same.
    fn kinds(scene: &Scene) -> String {
        let mut runs: Vec<(String, u64, u64)> = Vec::new();
        for (n, frame) in (0..).zip(boxes(scene).unwrap()) {
            let kinds: Vec<String> =
                frame.objects.iter().map(|one| format!("{} {}", one.item, one.kind)).collect();
            let kinds = if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") };
            match runs.last_mut() {
                Some(last) if last.0 == kinds => last.2 = n,
                _ => runs.push((kinds, n, n)),
            }
        }
        runs.into_iter().map(|(kinds, from, to)| format!("{from}..{to} {kinds}\n")).collect()
    }

    #[test]
    fn items_codes_and_hands_are_boxes_in_parts_of_the_frame() {
        let scene = sample();
        let stage = Stage::new(&scene);
        for (n, frame) in (0..).zip(boxes(&scene).unwrap()) {
            assert_eq!(frame.at_ns, n * 100_000_000);
            let pose = stage.poses(n)[0];
            for Object { kind, bounds: [x, y, w, h], .. } in frame.objects {
                let rect = match kind {
                    Kind::Item => pose.body,
                    Kind::Code => pose.label.unwrap(),
                    Kind::Hand => pose.hand.unwrap(),
                };
                let pixels = |part: f64, of: u32| (part * f64::from(of)).round() as i32;
                assert_eq!(pixels(y, 240), rect.y);
                if rect.x >= 0 && rect.x + rect.width <= 480 {
                    assert_eq!((pixels(x, 480), pixels(w, 480)), (rect.x, rect.width));
                }
                let height = if kind == Kind::Hand { HAND_HEIGHT } else { rect.height };
                assert_eq!(pixels(h, 240), height.min(240 - rect.y), "{kind}");
            }
        }
        expect![[r#"
            0..16 nothing
            17..17 Tea item, Tea code
            18..31 Tea item, Tea code, Tea hand
            32..48 Tea item, Tea code
            49..61 Tea item, Tea code, Tea hand
            62..79 Tea item, Tea code
        "#]]
        .assert_eq(&kinds(&scene));
    }

    #[test]
    fn an_object_counts_until_half_of_it_is_covered() {
        let mut scene = sample();
        let mut cover = scene.items[0].clone();
        (cover.name, cover.code) = ("Box".to_owned(), "BOX-1".to_owned());
        scene.items[0].hand = false;
        cover.hand = false;
        for key in &mut cover.path {
            key.x += 54.0;
        }
        scene.items.push(cover);
        expect![[r#"
            0..13 nothing
            14..79 Box item, Box code
        "#]]
        .assert_eq(&kinds(&scene));
        for key in &mut scene.items[1].path {
            key.x += 2.0;
        }
        expect![[r#"
            0..13 nothing
            14..16 Box item, Box code
            17..79 Tea item, Tea code, Box item, Box code
        "#]]
        .assert_eq(&kinds(&scene));
    }

    #[test]
    fn a_line_has_the_form_that_a_run_publishes() {
        let frames = boxes(&sample()).unwrap();
        let text = lines(&frames);
        assert_eq!(text.lines().count(), frames.len());
        expect![[r#"{"objects":[{"detection":{"bounding_box":{"x_max":0.6145833333333334,"x_min":0.3854166666666667,"y_max":0.8125,"y_min":0.1875},"label":"item"},"item":"Tea"},{"detection":{"bounding_box":{"x_max":0.5895833333333333,"x_min":0.4083333333333333,"y_max":0.6958333333333333,"y_min":0.3333333333333333},"label":"code"},"item":"Tea"}],"timestamp":4000000000}"#]].assert_eq(text.lines().nth(40).unwrap());
    }
}
