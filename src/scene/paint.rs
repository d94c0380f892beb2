//! The looks: counter, belt, scanner, basket, boxes and hands as bitmaps.
//!
//! Integer arithmetic only. Everything is painted once, when a painter is made.

use super::label::{self, Code, NAME_STRIP};
use super::rect::Rect;
use super::stage::{HAND, HAND_HEIGHT, SHADOW};
use super::{BASKET, Colour, Item, SCAN, Scene, font};

pub(super) type Rgb = [u8; 3];

const WHITE: Rgb = [250, 250, 248];
const INK: Rgb = [16, 16, 18];
const SKIN: Rgb = [222, 176, 144];
const SLEEVE: Rgb = [44, 74, 122];

/// A picture with transparency.
pub(super) struct Bitmap {
    pub(super) width: i32,
    pub(super) height: i32,
    /// Row by row.
    pub(super) pixels: Vec<Rgb>,
    /// 0 is transparent, 255 opaque.
    pub(super) alpha: Vec<u8>,
}

impl Bitmap {
    fn new(width: i32, height: i32) -> Bitmap {
        let area = width as usize * height as usize;
        Bitmap { width, height, pixels: vec![[0; 3]; area], alpha: vec![0; area] }
    }

    /// Gives each pixel of the rectangle a colour; `None` leaves it as it is.
    fn paint(&mut self, rect: Rect, alpha: u8, colour: impl Fn(i32, i32) -> Option<Rgb>) {
        for y in rect.y.max(0)..(rect.y + rect.height).min(self.height) {
            for x in rect.x.max(0)..(rect.x + rect.width).min(self.width) {
                if let Some(colour) = colour(x - rect.x, y - rect.y) {
                    let at = (y * self.width + x) as usize;
                    (self.pixels[at], self.alpha[at]) = (colour, alpha);
                }
            }
        }
    }

    /// The same under a light.
    pub(super) fn under(mut self, light: Colour) -> Bitmap {
        for pixel in &mut self.pixels {
            for (channel, light) in pixel.iter_mut().zip(light.0) {
                *channel = (u32::from(*channel) * u32::from(light) / 255) as u8;
            }
        }
        self
    }

    fn fill(&mut self, rect: Rect, colour: Rgb) {
        self.paint(rect, 255, |_, _| Some(colour));
    }

    /// A rectangle with round corners, a little lighter at the top.
    fn rounded(&mut self, rect: Rect, radius: i32, colour: Rgb) {
        self.paint(rect, 255, |x, y| {
            is_inside(&rect, radius, x, y).then(|| shade(colour, 12 - 24 * y / rect.height.max(1)))
        });
    }

    /// Text in glyph pixels of `scale`, its upper left corner at `x`, `y`.
    fn text(&mut self, text: &str, x: i32, y: i32, scale: i32, colour: Rgb) {
        for (n, character) in text.chars().enumerate() {
            let left = x + n as i32 * (font::WIDTH + 1) * scale;
            let rect = Rect { x: left, y, width: font::WIDTH * scale, height: font::HEIGHT * scale };
            let ink = |x: i32, y: i32| font::is_inked(character, x / scale, y / scale).then_some(colour);
            self.paint(rect, 255, ink);
        }
    }
}

/// The counter with everything that never moves.
pub(super) fn background(scene: &Scene) -> Bitmap {
    let (width, height) = (scene.width as i32, scene.height as i32);
    let mut picture = Bitmap::new(width, height);
    let whole = Rect { x: 0, y: 0, width, height };
    picture.paint(whole, 255, |x, y| Some(shade([203, 198, 188], grain(scene.seed, x / 2, y / 2))));
    if let Some(zone) = scene.zones.get(SCAN) {
        let zone = Rect::from(*zone);
        belt(&mut picture, Rect { x: 0, width: zone.x, ..zone });
        scanner(&mut picture, zone);
    }
    if let Some(zone) = scene.zones.get(BASKET) {
        basket(&mut picture, Rect::from(*zone));
    }
    picture
}

/// The belt that moves the items from the left.
fn belt(picture: &mut Bitmap, rect: Rect) {
    picture.paint(rect, 255, |x, _| Some(if x % 28 < 2 { [44, 46, 50] } else { [56, 58, 63] }));
    for y in [rect.y - 10, rect.y + rect.height] {
        let rail = Rect { y, height: 10, ..rect };
        picture.paint(rail, 255, |_, y| Some(shade([150, 154, 158], 24 - 6 * y)));
    }
}

/// A steel plate with a dark glass and the laser's cross in it.
fn scanner(picture: &mut Bitmap, rect: Rect) {
    picture.rounded(rect, 14, [164, 168, 172]);
    let glass = inset(rect, rect.width.min(rect.height) / 8);
    picture.rounded(glass, 10, [30, 37, 44]);
    picture.paint(glass, 255, |x, y| {
        let cross = (x - glass.width / 2).abs() < 2 || (y - glass.height / 2).abs() < 2;
        let glint = (x + y) % (glass.width + glass.height) / 12 == 8;
        match (cross, glint) {
            (true, _) => Some([176, 36, 40]),
            (_, true) => Some([44, 53, 62]),
            _ => None,
        }
    });
}

/// Wire over a dark floor, with a plastic rim.
fn basket(picture: &mut Bitmap, rect: Rect) {
    picture.rounded(rect, 18, [170, 44, 48]);
    let floor = inset(rect, 14.min(rect.width.min(rect.height) / 6));
    picture.paint(floor, 255, |x, y| {
        Some(if x % 24 < 3 || y % 24 < 3 { [146, 150, 152] } else { [84, 84, 82] })
    });
}

/// A box from above, with its shadow; `label_up` shows its code.
pub(super) fn item(item: &Item, code: &Code, label_up: bool) -> Bitmap {
    let body = Rect { x: 0, y: 0, width: item.width as i32, height: item.height as i32 };
    let mut picture = Bitmap::new(body.width + SHADOW, body.height + SHADOW);
    let shadow = Rect { x: SHADOW, y: SHADOW, ..body };
    picture.paint(shadow, 90, |x, y| is_inside(&shadow, 14, x, y).then_some([0; 3]));
    let colour = item.colour.0;
    picture.rounded(body, 12, shade(colour, -48));
    picture.rounded(inset(body, 3), 10, colour);

    let ink = if luma(colour) > 150 { INK } else { WHITE };
    let n_chars = item.name.chars().count() as i32;
    let scale = ((body.width - 16) / (n_chars * (font::WIDTH + 1)).max(1)).clamp(1, 4);
    let width = (n_chars * (font::WIDTH + 1) - 1) * scale;
    let top = (NAME_STRIP - font::HEIGHT * scale) / 2 + 2;
    picture.text(&item.name, (body.width - width) / 2, top, scale, ink);

    let place = label::label(item, code);
    if label_up {
        let (module, quiet) = (label::module(item, code), label::quiet_zone(item, code));
        picture.fill(place, WHITE);
        let side = module * code.n_modules;
        let modules = Rect { x: place.x + quiet, y: place.y + quiet, width: side, height: side };
        picture.paint(modules, 255, |x, y| {
            code.dark[(y / module * code.n_modules + x / module) as usize].then_some(INK)
        });
    } else {
        back(&mut picture, item, place, colour, ink);
    }
    picture
}

/// A panel with stripes and the name's initial in the place of the label.
fn back(picture: &mut Bitmap, item: &Item, place: Rect, colour: Rgb, ink: Rgb) {
    picture.rounded(place, 8, shade(colour, -26));
    picture.paint(inset(place, 6), 255, |x, y| ((x + y) % 36 < 8).then(|| shade(colour, 20)));
    let disc = inset(place, place.width / 5);
    picture.rounded(disc, disc.width / 2, shade(colour, -40));
    let initial: String = item.name.chars().take(1).collect();
    let scale = (disc.height / 8).max(1);
    let x = disc.x + (disc.width - font::WIDTH * scale) / 2;
    let y = disc.y + (disc.height - font::HEIGHT * scale) / 2;
    picture.text(&initial, x, y, scale, ink);
}

/// Four fingers, the back of the hand and a sleeve, coming from below.
pub(super) fn hand(scene: &Scene) -> Bitmap {
    let mut picture = Bitmap::new(HAND, scene.height as i32);
    for (n, y) in [6, 0, 2, 10].into_iter().enumerate() {
        let finger = Rect { x: 2 + 20 * n as i32, y, width: 19, height: 70 };
        picture.rounded(finger, 9, shade(SKIN, -14));
        picture.rounded(inset(finger, 2), 8, SKIN);
    }
    picture.rounded(Rect { x: 2, y: 36, width: 80, height: 74 }, 20, SKIN);
    let sleeve = Rect { x: 8, y: HAND_HEIGHT, width: HAND - 16, height: scene.height as i32 };
    picture.paint(sleeve, 255, |x, y| {
        let side = (x - sleeve.width / 2).abs() * 40 / sleeve.width;
        let fold = if (y + x / 3) % 64 < 3 { 12 } else { 0 };
        Some(shade(if y < 14 { [214, 218, 224] } else { SLEEVE }, 10 - side - fold))
    });
    picture
}

fn inset(rect: Rect, by: i32) -> Rect {
    Rect { x: rect.x + by, y: rect.y + by, width: rect.width - 2 * by, height: rect.height - 2 * by }
}

/// Whether a pixel of a rectangle is inside its round corners.
fn is_inside(rect: &Rect, radius: i32, x: i32, y: i32) -> bool {
    let beyond = |at: i32, length: i32| (radius - at).max(at - (length - 1 - radius)).max(0);
    let (dx, dy) = (beyond(x, rect.width), beyond(y, rect.height));
    dx * dx + dy * dy <= radius * radius
}

/// Lighter or, below zero, darker.
fn shade(colour: Rgb, by: i32) -> Rgb {
    colour.map(|channel| (i32::from(channel) + by).clamp(0, 255) as u8)
}

fn luma(colour: Rgb) -> u32 {
    let [red, green, blue] = colour.map(u32::from);
    (299 * red + 587 * green + 114 * blue) / 1000
}

/// From -3 to 3, the same for the same seed and place.
fn grain(seed: u32, x: i32, y: i32) -> i32 {
    let mixed = (x as u32)
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add((y as u32).wrapping_mul(0x85eb_ca77))
        .wrapping_add(seed.wrapping_mul(0xc2b2_ae3d));
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d);
    ((mixed ^ (mixed >> 13)) % 7) as i32 - 3
}
