//! The faults of a scene: [`Scene::faults`].

use std::collections::BTreeSet;

use super::{Interval, Item, MAX_FPS, Scene, label};

/// The longest scene, in seconds.
const MAX_S: f64 = 3600.0;
/// The most pixels of all items together: both faces of each stay in memory.
const MAX_AREA: u64 = 40_000_000;
/// With less light in every channel, a frame is black to most eyes and detectors.
const DARKEST: u8 = 0x20;

impl Scene {
    /// Every fault that prevents drawing: the path of the field
    /// (`items[2].path[0].at_s`) and a message. Empty for a valid scene.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Faults(Vec::new());
        faults.range("width", self.width, 64, 7680);
        faults.range("height", self.height, 64, 4320);
        // Packed RGB rows of other widths would need padding in GStreamer, and
        // encoders halve the height for chroma.
        faults.require("width", self.width.is_multiple_of(4), || expected("a multiple of 4", self.width));
        faults.require("height", self.height.is_multiple_of(2), || expected("an even number", self.height));
        faults.range("fps", self.fps, 1, MAX_FPS);
        let duration = self.duration_s.is_finite() && 0.0 < self.duration_s && self.duration_s <= MAX_S;
        faults.require("duration_s", duration, || {
            expected("more than 0 and at most 3600 seconds", self.duration_s)
        });

        let brightest = self.light.0.into_iter().max().unwrap_or(0);
        faults.require("light", DARKEST <= brightest, || {
            expected("a colour with a channel of 20 (hexadecimal) or more", self.light)
        });

        faults.require("zones", self.zones.len() <= 16, || expected("at most 16 zones", self.zones.len()));
        for (name, zone) in &self.zones {
            let field = format!("zones.{name}");
            let fits = |start: u32, length: u32, all: u32| {
                0 < length && u64::from(start) + u64::from(length) <= u64::from(all)
            };
            let inside = fits(zone.x, zone.width, self.width) && fits(zone.y, zone.height, self.height);
            faults.require(&field, inside, || {
                format!("expected a rectangle inside the frame of {}x{}", self.width, self.height)
            });
        }

        faults.require("items", self.items.len() <= 200, || expected("at most 200 items", self.items.len()));
        let area = |item: &Item| u64::from(item.width) * u64::from(item.height);
        let area: u64 = self.items.iter().map(area).sum();
        faults.require("items", area <= MAX_AREA, || {
            expected(&format!("items of at most {MAX_AREA} pixels together"), area)
        });
        let (mut names, mut codes) = (BTreeSet::new(), BTreeSet::new());
        for (index, item) in self.items.iter().enumerate() {
            let field = |name: &str| format!("items[{index}].{name}");
            faults.require(&field("name"), names.insert(&item.name), || {
                format!("another item has the name `{}`", item.name)
            });
            faults.require(&field("code"), codes.insert(&item.code), || {
                format!("another item has the code `{}`", item.code)
            });
            faults.item(item, &field);
        }
        faults.0
    }
}

struct Faults(Vec<(String, String)>);

impl Faults {
    fn require(&mut self, field: &str, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push((field.to_owned(), message()));
        }
    }

    fn range(&mut self, field: &str, found: u32, low: u32, high: u32) {
        self.require(field, (low..=high).contains(&found), || {
            expected(&format!("a number from {low} to {high}"), found)
        });
    }

    fn item(&mut self, item: &Item, field: &dyn Fn(&str) -> String) {
        let n_chars = item.name.chars().count();
        self.require(&field("name"), (1..=32).contains(&n_chars), || {
            expected("1 to 32 characters", format!("{n_chars} characters"))
        });
        self.range(&field("width"), item.width, 48, 4096);
        self.range(&field("height"), item.height, 48, 4096);
        let readable =
            (1..=64).contains(&item.code.len()) && item.code.bytes().all(|byte| (32..127).contains(&byte));
        self.require(&field("code"), readable, || {
            expected("1 to 64 printable ASCII characters", format!("`{}`", item.code.escape_default()))
        });
        if readable && (48..=4096).contains(&item.width) && (48..=4096).contains(&item.height) {
            let module = label::encode(&item.code).map_or(0, |code| label::module(item, &code));
            self.require(&field("width"), label::MIN_MODULE <= module, || {
                format!(
                    "the code `{}` does not fit on {}x{} pixels; make the item larger or the code shorter",
                    item.code, item.width, item.height
                )
            });
        }
        self.path(item, field);
        self.intervals(&item.code_visible, field);
    }

    fn path(&mut self, item: &Item, field: &dyn Fn(&str) -> String) {
        let n_keys = item.path.len();
        self.require(&field("path"), (1..=100).contains(&n_keys), || expected("1 to 100 keyframes", n_keys));
        let mut before = f64::NEG_INFINITY;
        for (index, key) in item.path.iter().enumerate() {
            let field = |name: &str| field(&format!("path[{index}].{name}"));
            self.require(&field("at_s"), (0.0..=MAX_S).contains(&key.at_s), || {
                expected("0 to 3600 seconds", key.at_s)
            });
            self.require(&field("at_s"), before.is_nan() || key.at_s.is_nan() || before < key.at_s, || {
                expected(&format!("a time after {before}"), key.at_s)
            });
            before = key.at_s;
            for (name, found) in [("x", key.x), ("y", key.y)] {
                self.require(&field(name), (-10_000.0..=20_000.0).contains(&found), || {
                    expected("-10000 to 20000 pixels", found)
                });
            }
        }
    }

    fn intervals(&mut self, intervals: &[Interval], field: &dyn Fn(&str) -> String) {
        self.require(&field("code_visible"), intervals.len() <= 100, || {
            expected("at most 100 intervals", intervals.len())
        });
        let mut before = 0.0;
        for (index, Interval { from_s, to_s }) in intervals.iter().enumerate() {
            let field = field(&format!("code_visible[{index}]"));
            self.require(&field, before <= *from_s && from_s < to_s && *to_s <= MAX_S, || {
                format!("expected {before} <= from_s < to_s <= 3600, found {from_s} and {to_s}")
            });
            before = *to_s;
        }
    }
}

fn expected(what: &str, found: impl std::fmt::Display) -> String {
    format!("expected {what}, found {found}")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::Colour;
    use super::super::tests::sample;
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Scene), expect: Expect) {
        let mut scene = sample();
        change(&mut scene);
        let lines: Vec<String> =
            scene.faults().into_iter().map(|(field, message)| format!("{field}: {message}")).collect();
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_good_scene_has_no_faults() {
        check(|_| {}, expect![""]);
    }

    #[test]
    fn sizes_and_rates_have_limits() {
        check(
            |scene| (scene.width, scene.height, scene.fps) = (7682, 481, 0),
            expect![[r#"
                width: expected a number from 64 to 7680, found 7682
                width: expected a multiple of 4, found 7682
                height: expected an even number, found 481
                fps: expected a number from 1 to 240, found 0"#]],
        );
        check(
            |scene| scene.duration_s = f64::NAN,
            expect!["duration_s: expected more than 0 and at most 3600 seconds, found NaN"],
        );
    }

    #[test]
    fn a_scene_has_some_light() {
        check(|scene| scene.light = Colour([0x20, 0, 0]), expect![""]);
        check(
            |scene| scene.light = Colour([0x1f; 3]),
            expect!["light: expected a colour with a channel of 20 (hexadecimal) or more, found #1f1f1f"],
        );
    }

    #[test]
    fn items_fit_in_memory() {
        check(
            |scene| {
                (scene.items[0].width, scene.items[0].height) = (4096, 4096);
                for n in 0..2 {
                    let mut item = scene.items[0].clone();
                    (item.name, item.code) = (format!("Tea {n}"), format!("TEA-2{n}"));
                    scene.items.push(item);
                }
            },
            expect!["items: expected items of at most 40000000 pixels together, found 50331648"],
        );
    }

    #[test]
    fn a_zone_lies_inside_the_frame() {
        check(
            |scene| scene.zones.get_mut("basket").unwrap().width = u32::MAX,
            expect!["zones.basket: expected a rectangle inside the frame of 480x240"],
        );
    }

    #[test]
    fn names_and_codes_are_unique() {
        check(
            |scene| scene.items.push(scene.items[0].clone()),
            expect![[r#"
                items[1].name: another item has the name `Tea`
                items[1].code: another item has the code `TEA-1`"#]],
        );
    }

    #[test]
    fn a_code_must_fit_on_its_item() {
        check(
            |scene| scene.items[0].code = "https://shop.example/products/TEA-1".to_owned(),
            expect![
                "items[0].width: the code `https://shop.example/products/TEA-1` does not fit on 110x150 pixels; make the item larger or the code shorter"
            ],
        );
        check(
            |scene| scene.items[0].code = "a\n".to_owned(),
            expect![[r#"items[0].code: expected 1 to 64 printable ASCII characters, found `a\n`"#]],
        );
    }

    #[test]
    fn times_ascend() {
        check(
            |scene| scene.items[0].path[2].at_s = 3.0,
            expect!["items[0].path[2].at_s: expected a time after 3, found 3"],
        );
        check(
            |scene| scene.items[0].code_visible.push(Interval { from_s: 7.0, to_s: 7.5 }),
            expect!["items[0].code_visible[1]: expected 8 <= from_s < to_s <= 3600, found 7 and 7.5"],
        );
    }

    #[test]
    fn numbers_are_finite() {
        check(
            |scene| scene.items[0].path[1].x = f64::INFINITY,
            expect!["items[0].path[1].x: expected -10000 to 20000 pixels, found inf"],
        );
    }
}
