//! Scenes: a checkout seen from above, as plain data.
//!
//! A [`Scene`] describes where items lie and move, when their labels are up, and
//! which rectangles are zones. From it come its frames ([`draw::Painter`]), the
//! reports of a perfect detector about them ([`truth::truth`]) and where things
//! are in them ([`boxes::boxes`]). All ask the same stage for the positions in
//! frame `n`, so they cannot disagree.
//!
//! Pure: no clock, no I/O, no randomness but the texture's seed. Frame `n` of a
//! scene is the same on every machine.
//!
//! Not here: reading the files that users write (`config::scene`), and playing
//! frames as a stream (`lpscenesrc` in `lp-worker`). `docs/scenes.md` describes
//! the file.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub mod boxes;
pub mod draw;
mod faults;
pub mod font;
mod label;
mod paint;
mod rect;
mod stage;
pub mod truth;

/// The zone in which items are scanned: passes through it make `unscanned`.
pub const SCAN: &str = "scan";
/// The zone in which items end up: arrivals in it make `hidden`.
pub const BASKET: &str = "basket";

/// The highest rate of a scene, in frames per second.
pub const MAX_FPS: u32 = 240;

/// A checkout seen from above, for some seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// Pixels, a multiple of 4, from 64 to 7680. Default 1280.
    pub width: u32,
    /// Pixels, even, from 64 to 4320. Default 720.
    pub height: u32,
    /// Frames per second, from 1 to [`MAX_FPS`]. Default 30.
    pub fps: u32,
    /// Seconds, more than 0, at most 3600. Required.
    pub duration_s: f64,
    /// Seeds the grain of the counter. Default 1.
    pub seed: u32,
    /// The light on everything: each channel is multiplied by that of the light,
    /// of 255. Default `#ffffff`, which changes nothing.
    #[serde(default = "Colour::white", skip_serializing_if = "Colour::is_white")]
    pub light: Colour,
    /// Named rectangles, at most 16. [`SCAN`] gets a scanner's glass and
    /// [`BASKET`] a wire basket; others are not drawn. Default: none.
    pub zones: BTreeMap<String, Zone>,
    /// The items on the counter, at most 200 and 40 million pixels together.
    /// Later ones lie on top of earlier ones. Default: none.
    pub items: Vec<Item>,
}

/// A rectangle in pixels, inside the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Left edge. Required.
    pub x: u32,
    /// Upper edge. Required.
    pub y: u32,
    /// At least 1. Required.
    pub width: u32,
    /// At least 1. Required.
    pub height: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Printed on it in capitals; unique, 1 to 32 characters. Required.
    pub name: String,
    /// The content of its QR code: unique, 1 to 64 printable ASCII characters.
    /// Up to 20 of `0-9 A-Z $%*+-./: ` make the coarsest, most readable code.
    /// Required.
    pub code: String,
    /// Pixels, from 48 to 4096. The label gets as large as the item allows; a
    /// module of the code must be 3 pixels or more. Default 210.
    pub width: u32,
    /// Pixels, from 48 to 4096. Default 250.
    pub height: u32,
    /// Of the box. Default `#c8502e`.
    pub colour: Colour,
    /// Where its centre is, 1 to 100 keyframes with ascending times. It rests at
    /// the first place before, at the last one after, and in between eases from
    /// one to the next. Places outside the frame are fine. Required.
    pub path: Vec<Keyframe>,
    /// When the label is up; turned away at all other times. At most 100
    /// intervals, ascending, not overlapping. Default: the whole duration.
    pub code_visible: Vec<Interval>,
    /// Whether a hand moves it. Default true.
    pub hand: bool,
}

/// A place at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Keyframe {
    /// Seconds since the scene began, from 0 to 3600. Required.
    pub at_s: f64,
    /// Pixels to the right, from -10000 to 20000. Required.
    pub x: f64,
    /// Pixels downwards, from -10000 to 20000. Required.
    pub y: f64,
}

/// `from_s` inclusive, `to_s` exclusive, in seconds since the scene began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// From 0 to 3600. Required.
    pub from_s: f64,
    /// More than `from_s`, at most 3600. Required.
    pub to_s: f64,
}

/// A colour: `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour(pub [u8; 3]);

impl Scene {
    /// How many frames it has, at least one. Frame `n` is at `n / fps` seconds.
    #[must_use]
    pub fn n_frames(&self) -> u64 {
        // The duration is at most an hour at 240 fps, so the cast is exact.
        ((self.duration_s * f64::from(self.fps)).round() as u64).max(1)
    }

    /// How long all its frames last, in nanoseconds, rounded down.
    #[must_use]
    pub fn length_ns(&self) -> u64 {
        self.n_frames() * 1_000_000_000 / u64::from(self.fps)
    }
}

impl Colour {
    #[must_use]
    pub fn white() -> Colour {
        Colour([255; 3])
    }

    fn is_white(&self) -> bool {
        *self == Colour::white()
    }

    /// Reads `#rrggbb`, upper or lower case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Colour> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Colour([red, green, blue]))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Colour, String> {
        Colour::parse(&text).ok_or_else(|| format!("expected a colour such as `#c8502e`, found `{text}`"))
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> String {
        colour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One item that crosses the scan zone from left to right between 1 s and
    /// 3 s, rests there and goes on to the basket between 5 s and 6 s.
    pub(super) fn sample() -> Scene {
        let key = |at_s, x| Keyframe { at_s, x, y: 120.0 };
        let zone = |x| Zone { x, y: 80, width: 80, height: 80 };
        Scene {
            width: 480,
            height: 240,
            fps: 10,
            duration_s: 8.0,
            seed: 1,
            light: Colour::white(),
            zones: BTreeMap::from([(SCAN.to_owned(), zone(200)), (BASKET.to_owned(), zone(380))]),
            items: vec![Item {
                name: "Tea".to_owned(),
                code: "TEA-1".to_owned(),
                width: 110,
                height: 150,
                colour: Colour([200, 80, 46]),
                path: vec![key(1.0, -80.0), key(3.0, 240.0), key(5.0, 240.0), key(6.0, 420.0)],
                code_visible: vec![Interval { from_s: 0.0, to_s: 8.0 }],
                hand: true,
            }],
        }
    }

    #[test]
    fn a_scene_keeps_its_values_through_json() {
        let text = serde_json::to_string(&sample()).unwrap();
        assert_eq!(serde_json::from_str::<Scene>(&text).unwrap(), sample());
    }

    #[test]
    fn a_colour_is_six_hex_digits() {
        assert_eq!(Colour::parse("#C8502e"), Some(Colour([200, 80, 46])));
        assert_eq!(Colour([200, 80, 46]).to_string(), "#c8502e");
        for text in ["c8502e", "#c8502", "#c8502ee", "#+85024", "red"] {
            assert_eq!(Colour::parse(text), None, "{text}");
        }
    }
}
