//! What the detectors of a stream saw, and what they had to see.
//!
//! A run that proves something shows that its detectors worked. So the record has, for each
//! detector, its sightings as intervals, and what is known about the part of the clip that was
//! played: from the truth of the clip, or from an earlier run. `record::measure` compares them.
//!
//! Times are microseconds since the record's origin, positions milliseconds of the clip.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::boxes::Boxes;
use super::is_zero;

/// The most intervals that a record keeps of a detector.
pub const MAX_SPANS: usize = 2_000;

/// The sightings of one detector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepSightings {
    /// The name of the element: `camera-3_1_2_zbar`.
    pub element: String,
    /// Its factory: `zbar`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of its model, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Sightings in the window: codes read, motions that began, frames with regions or, of
    /// a classifier, with attributes. (Before version 8, frames with regions of a classifier, too.)
    pub events: u64,
    /// Frames of the window that a detector looked at by a model; 0 in records before version 8.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub inferred: u64,
    /// How often it found each label in the window; of a classifier, each attribute.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, u64>,
    /// The last one of the stream's life, and its position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_clip_ms: Option<u64>,
    /// Over the stream's life, oldest first, at most [`MAX_SPANS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<SightingSpan>,
    /// Intervals beyond these.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spans_left_out: u64,
    /// What it found on the frames of its clip, each position once, over the stream's life.
    #[serde(default, skip_serializing_if = "Boxes::is_empty")]
    pub boxes: Boxes,
}

/// A detector of a stream before anything was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detector {
    /// The name of its element.
    pub element: String,
    /// Its factory.
    pub kind: String,
    /// The name of its model, if it has one.
    pub model: Option<String>,
}

/// A time in which a detector saw the same without a pause of a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightingSpan {
    pub from_us: u64,
    /// The time of the last sighting; `None` for a motion that did not end.
    pub to_us: Option<u64>,
    /// Positions of the first and the last sighting; `None` if the element gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_ms: Option<(u64, u64)>,
    /// The text of a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The place of a stream in its clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipPlace {
    /// When a frame arrived: of a live stream, the first one in the window that is known.
    pub at_us: u64,
    /// Its position.
    pub clip_ms: u64,
    /// The length of the clip; `None` if its end was not played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass_ms: Option<u64>,
}

/// What one detector has to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// The name of the element.
    pub element: String,
    pub source: ExpectedSource,
    /// By position; empty if there is nothing to see.
    pub spans: Vec<ExpectedSpan>,
}

/// How it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedSource {
    /// The scene that the clip is drawn from, or that is drawn live.
    Scene(String),
    /// A truth file that the user wrote.
    Truth(String),
    /// The sightings of an earlier run with the same plan and clip, by its id.
    Run(String),
}

/// A part of the clip in which something is to be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExpectedSpan {
    pub from_ms: u64,
    pub to_ms: u64,
    /// The text of a code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
