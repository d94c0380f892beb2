//! The boxes that a detector found, by the frames of its clip: what a later run is compared with.
//!
//! A record has them as text: base64 of deflated numbers. The frames come in the order of the
//! clip, and numbers are those of LEB128: how many frames there are, and for each how many
//! milliseconds it is behind the one before, how many boxes it has, and for each of these its label
//! (an index), left, top, width and height in ten-thousandths of the frame, and its score in thousandths.
//! Then a box takes at most 8 bytes in the case that a test has.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use crate::worker::protocol::{FrameBoxes, MAX_BOXES, MAX_FRAMES};

/// No valid text is longer than this when it is inflated, in bytes.
const MOST_BYTES: u64 = 2 << 20;

/// Boxes by frames, ascending by position in the clip, each position once.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Packed", into = "Packed")]
pub struct Boxes {
    labels: Vec<String>,
    frames: Vec<Frame>,
}

/// A frame that the detector looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// Its position in the clip.
    pub clip_ms: u64,
    pub boxes: Vec<LabelledBox>,
}

/// A box of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelledBox {
    /// The place of its label in [`Boxes::labels`].
    pub label: usize,
    pub bounds: Bounds,
    /// In thousandths.
    pub score: u16,
}

/// Left, top, width and height in ten-thousandths of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds(pub [u16; 4]);

impl Bounds {
    /// The intersection of two boxes as a part of their union; 0 for boxes without an area.
    #[must_use]
    pub fn overlap(self, other: Bounds) -> f64 {
        let (Bounds(a), Bounds(b)) = (self, other);
        let shared = |at: usize| {
            let end = |one: [u16; 4]| u32::from(one[at]) + u32::from(one[at + 2]);
            f64::from(end(a).min(end(b)).saturating_sub(u32::from(a[at].max(b[at]))))
        };
        let area = |one: [u16; 4]| f64::from(one[2]) * f64::from(one[3]);
        let shared = shared(0) * shared(1);
        let all = area(a) + area(b) - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
}

impl Boxes {
    /// All of these, however many they are.
    #[must_use]
    pub fn of(mut frames: Vec<FrameBoxes>) -> Boxes {
        frames.sort_by_key(|frame| frame.clip_ms);
        frames.dedup_by_key(|frame| frame.clip_ms);
        let mut all = Boxes::default();
        for frame in &frames {
            let frame = all.frame(frame);
            all.frames.push(frame);
        }
        all
    }

    /// The names of labels, in no order.
    #[must_use]
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Takes in a frame; the first one of a position stays. A record holds as many as a worker reports.
    pub fn add(&mut self, frame: &FrameBoxes) {
        let Err(at) = self.frames.binary_search_by_key(&frame.clip_ms, |known| known.clip_ms) else { return };
        let n_boxes: usize = self.frames.iter().map(|known| known.boxes.len()).sum();
        if MAX_FRAMES <= self.frames.len() || MAX_BOXES < n_boxes + frame.boxes.len() {
            return;
        }
        let frame = self.frame(frame);
        self.frames.insert(at, frame);
    }

    /// A frame with the places of its labels, of which new ones are added.
    fn frame(&mut self, frame: &FrameBoxes) -> Frame {
        let mut boxes = Vec::new();
        for found in &frame.boxes {
            let label = self.labels.iter().position(|label| *label == found.0);
            let label = label.unwrap_or_else(|| {
                self.labels.push(found.0.clone());
                self.labels.len() - 1
            });
            boxes.push(LabelledBox { label, bounds: Bounds(found.1), score: found.2 });
        }
        Frame { clip_ms: frame.clip_ms, boxes }
    }
}

/// The form in a record.
#[derive(Clone, Serialize, Deserialize)]
struct Packed {
    labels: Vec<String>,
    frames: String,
}

impl From<Boxes> for Packed {
    fn from(Boxes { labels, frames }: Boxes) -> Packed {
        let mut bytes = Vec::new();
        put(&mut bytes, frames.len() as u64);
        let mut before = 0;
        for Frame { clip_ms, boxes } in frames {
            put(&mut bytes, clip_ms - before);
            put(&mut bytes, boxes.len() as u64);
            before = clip_ms;
            for LabelledBox { label, bounds: Bounds(bounds), score } in boxes {
                put(&mut bytes, label as u64);
                bounds.into_iter().chain([score]).for_each(|number| put(&mut bytes, number.into()));
            }
        }
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(&bytes).and_then(|()| encoder.finish());
        Packed { labels, frames: STANDARD.encode(packed.expect("memory takes all bytes")) }
    }
}

impl TryFrom<Packed> for Boxes {
    type Error = String;

    fn try_from(Packed { labels, frames }: Packed) -> Result<Boxes, String> {
        let packed = STANDARD.decode(frames).map_err(|error| format!("the boxes are no base64: {error}"))?;
        let mut bytes = Vec::new();
        let inflated = DeflateDecoder::new(&*packed).take(MOST_BYTES).read_to_end(&mut bytes);
        inflated.map_err(|error| format!("the boxes cannot be inflated: {error}"))?;
        let mut rest = bytes.as_slice();
        let frames = read(&mut rest, labels.len()).filter(|_| rest.is_empty());
        Ok(Boxes { labels, frames: frames.ok_or("the boxes are damaged")? })
    }
}

fn read(bytes: &mut &[u8], n_labels: usize) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut clip_ms = 0_u64;
    for _ in 0..take(bytes)? {
        clip_ms = clip_ms.checked_add(take(bytes)?)?;
        let mut boxes = Vec::new();
        for _ in 0..take(bytes)? {
            let label = usize::try_from(take(bytes)?).ok().filter(|label| *label < n_labels)?;
            let mut number = || u16::try_from(take(bytes)?).ok();
            let bounds = Bounds([number()?, number()?, number()?, number()?]);
            boxes.push(LabelledBox { label, bounds, score: number()? });
        }
        frames.push(Frame { clip_ms, boxes });
    }
    Some(frames)
}

/// Adds a number: seven bits a byte, the lowest first; the eighth says that more follow.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::worker::protocol::FoundBox;

    /// Label, bounds and score.
    pub(crate) type BoxOf<'a> = (&'a str, [u16; 4], u16);

    /// Boxes on frames by their positions.
    pub(crate) fn boxes(frames: &[(u64, &[BoxOf<'_>])]) -> Boxes {
        let mut boxes = Boxes::default();
        for (clip_ms, found) in frames {
            let found =
                found.iter().map(|(label, bounds, score)| FoundBox((*label).to_owned(), *bounds, *score));
            boxes.add(&FrameBoxes { clip_ms: *clip_ms, boxes: found.collect() });
        }
        boxes
    }

    #[test]
    fn boxes_are_read_back_as_they_were_written() {
        let (face, cup) = (("face", [0, 1, 9_999, 10_000], 1_000), ("cup", [5_000, 5_000, 300, 200], 7));
        let all = boxes(&[(133, &[face, cup, face]), (0, &[]), (1 << 40, &[cup]), (133, &[])]);
        assert_eq!(all.frames().iter().map(|frame| frame.clip_ms).collect::<Vec<_>>(), [0, 133, 1 << 40]);
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Boxes>(&text).unwrap(), all);
        let empty = serde_json::to_string(&Boxes::default()).unwrap();
        assert!(serde_json::from_str::<Boxes>(&empty).unwrap().is_empty());
    }

    #[test]
    fn damaged_boxes_are_refused() {
        let refused = |frames: &str| {
            let text = format!(r#"{{"labels":["face"],"frames":{frames:?}}}"#);
            serde_json::from_str::<Boxes>(&text).unwrap_err().to_string()
        };
        assert!(refused("?").contains("no base64"));
        assert!(refused("AAAA").contains("cannot be inflated"));
        let pack = |bytes: &[u8]| {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(bytes).unwrap();
            STANDARD.encode(encoder.finish().unwrap())
        };
        // Too few numbers, an unknown label, a number beyond 64 bits, something after the end.
        for bytes in [
            &[1, 0][..],
            &[1, 0, 1, 1, 0, 0, 0, 0, 0],
            &[0x80; 12],
            &[0, 0],
            &[1, 0, 1, 0, 0xff, 0xff, 0x7f, 0, 0, 0, 0],
        ] {
            assert!(refused(&pack(bytes)).contains("damaged"), "{bytes:?}");
        }
    }

    #[test]
    fn a_long_record_of_boxes_is_compact() {
        // A minute of 30 frames a second with four people who walk.
        let mut all = Boxes::default();
        for n in 0..MAX_FRAMES as u64 + 9 {
            let person = |k: u64| {
                let x = (n * (7 + k) + k * 2_111) % 9_000;
                FoundBox(
                    "person".to_owned(),
                    [x as u16, 3_000 + (n * k % 37) as u16, 800, 4_000],
                    700 + (n * k % 91) as u16,
                )
            };
            all.add(&FrameBoxes { clip_ms: n * 100 / 3, boxes: (0..4).map(person).collect() });
        }
        assert_eq!(all.frames().len(), MAX_FRAMES);
        let text = serde_json::to_string(&all).unwrap();
        assert!(text.len() < 60_000, "{} bytes", text.len());
    }

    #[test]
    fn boxes_overlap_by_their_areas() {
        let one = Bounds([0, 0, 100, 100]);
        let overlap = |bounds| one.overlap(Bounds(bounds));
        assert_eq!(
            [overlap([0, 0, 100, 100]), overlap([100, 0, 100, 100]), overlap([0, 0, 0, 0])],
            [1.0, 0.0, 0.0]
        );
        assert_eq!((overlap([50, 0, 100, 100]), overlap([25, 25, 50, 50])), (1.0 / 3.0, 0.25));
    }
}
