//! Verdicts, and the limits between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// At least this share of the target is needed to hold it.
pub const HOLDS_FPS: f64 = 0.995;
/// Below this share of the target it is not held.
pub const FAILS_FPS: f64 = 0.98;
/// At most this many of 1,000 frames may be dropped to hold the target.
pub const HOLDS_DROPPED_PER_MILLE: u64 = 5;
/// With more than this many of 1,000 frames dropped it is not held.
pub const FAILS_DROPPED_PER_MILLE: u64 = 20;
/// With fewer frames due in a window, one of them is more than
/// [`HOLDS_DROPPED_PER_MILLE`], and nothing can hold.
pub const LEAST_FRAMES: f64 = 200.0;

/// How the finding of a window begins that shows nothing bad and not enough that is good.
pub(super) const TOO_SHORT: &str = "too short";

/// Whether a stream kept up with its target, from good to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// At least [`HOLDS_FPS`] of the target, at most [`HOLDS_DROPPED_PER_MILLE`], and
    /// frames on time ([`crate::model::Limits`]).
    Holds,
    /// The same of a run without steps, which tells nothing about the whole pipeline.
    Decodes,
    /// A file that is played freely has no target; a script without a frame rate has
    /// nothing to compare with it. Never counts as holding.
    #[default]
    NotJudged,
    /// In between, not measured for long enough, with a gap, or the camera gave something
    /// else than configured. Never counts as holding.
    Undecided,
    /// Less than [`FAILS_FPS`] of the target, more than [`FAILS_DROPPED_PER_MILLE`], or too
    /// many late frames.
    DoesNotHold,
    /// One of its detectors found much less than in an accepted run, on the same frames: whatever
    /// it gained in speed is worth nothing.
    FasterButWrong,
    /// One of its detectors saw nothing, though there was something to see: the run proves
    /// nothing.
    Invalid,
    /// It did not play to the end.
    Failed,
}

/// The verdict on one thing, and the reason unless it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartVerdict {
    pub verdict: Verdict,
    pub reason: Option<String>,
}

impl Verdict {
    /// Whether a stream kept up with all that was played.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Verdict::Holds | Verdict::Decodes)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::NotJudged => "not judged",
            Verdict::Holds => "holds",
            Verdict::Decodes => "decodes",
            Verdict::Undecided => "undecided",
            Verdict::DoesNotHold => "does not hold",
            Verdict::FasterButWrong => "faster but wrong",
            Verdict::Invalid => "invalid",
            Verdict::Failed => "failed",
        })
    }
}

/// A number with at most two decimals and without needless zeros: `15`, `29.97`.
#[must_use]
pub fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
