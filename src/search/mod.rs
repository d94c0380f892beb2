//! How many lanes a machine can play: a search by sequential tests. Pure.
//!
//! A *setting* is a number of lanes that was played and judged. [`next`] says from all
//! settings so far which one is measured next, or what the answer is. While a setting is
//! measured, [`look`] says whether enough was seen of it. Both are functions of their
//! arguments alone: no clock, no I/O, so that a simulated machine tests them
//! (`tests/campaign/density`).
//!
//! Two kinds of settings share the work. One that *explores* is short, and steers: that it
//! holds may be wrong, that it fails may not. One that *confirms* is long, and only it may
//! say that an answer holds.
//!
//! Not here: how a stream is judged (`record::measure`), how a record becomes a [`Look`]
//! (`record::density`), and how lanes are played (`session`).

mod facts;
mod look;
mod next;
#[cfg(test)]
mod tests;

pub mod limiter;

use serde::{Deserialize, Serialize};

pub use self::look::look;
pub use self::next::next;

/// A setting that explores ends after so many judged seconds if all streams are well: at
/// 15 fps that is one frame more than 95 % confidence in 99 % on time needs.
pub const EXPLORE_S: f64 = 20.0;

/// A confirmation lasts at least so long, in judged seconds.
const LEAST_CONFIRM_S: f64 = 180.0;
/// A confirmation shall see rare stalls that are so far apart on average, in seconds.
const STALLS_APART_S: f64 = 60.0;
/// The search may confirm so many numbers above the truth before the sum of their errors is
/// all that [`Rules::confidence`] allows.
const CONFIRMATIONS: f64 = 4.0;

/// What a search is asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// How sure the answer must be that its number of lanes holds: `0.95`.
    pub confidence: f64,
    /// The most lanes that are tried.
    pub max: u32,
    /// How long the search may take, in seconds.
    pub budget_s: f64,
    /// The share of frames that must be on time: `[verdict] on_time`.
    pub on_time: f64,
}

/// What a setting is measured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// To find out where to look next.
    Explore,
    /// To be sure that it holds.
    Confirm,
}

/// The next setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// At least 1.
    pub lanes: u32,
    pub goal: Goal,
}

/// What a setting has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Every stream keeps both verdicts.
    Holds,
    /// A stream does not.
    Fails,
    /// Neither could be shown in the time that it was given.
    Undecided,
    /// Foreign load left too little of it.
    Disturbed,
    /// A stream did not start, died or saw nothing: it tells nothing about the machine.
    Broken,
}

/// A number of lanes that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    pub lanes: u32,
    pub goal: Goal,
    pub state: State,
    /// From the request to its end, starts and warm-up included, in seconds.
    pub took_s: f64,
    /// The shortest judged part of a stream's window, in seconds.
    pub judged_s: f64,
    /// The CPU time of the lanes while it was judged, as a share of all cores; `None` if it
    /// is not known.
    pub cpu: Option<f64>,
    /// Whether a stream stood still for longer than a frame may be late, though its rate was
    /// good besides: a stall, which no lack of CPU time explains.
    pub stalled: bool,
}

/// A setting while it is measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The shortest part of a stream's window that is judged, in seconds: what foreign load
    /// disturbed is left out.
    pub judged_s: f64,
    /// The longest window of a stream so far, in seconds.
    pub window_s: f64,
    /// Whether temperature and frequency have come to rest, as far as they are known.
    pub is_steady: bool,
    /// All streams, copies too.
    pub streams: Vec<StreamLook>,
}

/// A stream of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamLook {
    /// The verdict on its window so far, at 95 %.
    pub state: State,
    /// Frames whose fate is known, and those of them that were on time.
    pub judged: u64,
    pub on_time: u64,
    /// So many frames count as one independent one.
    pub design_effect: f64,
    /// Its rate as a share of its target.
    pub rate: f64,
}

/// What becomes of a setting after a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// It goes on; look again when so many seconds of its windows have passed.
    Until(f64),
    /// It is over.
    Enough(State),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    Measure(Ask),
    Answer(Answer),
}

/// How many lanes a machine can play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// So many hold: confirmed, unless it is 0.
    pub at_least: u32,
    /// The largest number that was not shown to fail; `None` if none was shown to fail.
    pub at_most: Option<u32>,
    /// Why it is no single number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// Numbers that failed, though a greater one held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_monotone: Vec<u32>,
}

/// Why an answer is a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// `max` lanes hold.
    Max,
    /// The time was over.
    Budget,
    /// Foreign load left too little time.
    Disturbed,
    /// A larger number was neither shown to hold nor to fail.
    Undecided,
    /// One more lane would need more memory, descriptors or processes than there are.
    Guard,
    /// Streams did not start, died or saw nothing.
    Broken,
    /// The user stopped it.
    Interrupted,
}

/// How long a confirmation lasts at least, in judged seconds: 263 s for a confidence of 95 %.
///
/// Stalls that come as a Poisson process, one in 60 s on average, stay away for `t` seconds
/// with a probability of `exp(-t / 60)`; that is the "rule of three" of Hanley and
/// Lippman-Hand (1983), for 95 %: three times 60 s. A search may confirm more than one
/// number that is too large, so each confirmation has a quarter of the error that is allowed.
#[must_use]
pub fn confirm_s(confidence: f64) -> f64 {
    (STALLS_APART_S * (CONFIRMATIONS / error(confidence)).ln()).max(LEAST_CONFIRM_S)
}

/// The probability that an answer may be wrong.
fn error(confidence: f64) -> f64 {
    (1.0 - confidence).clamp(1e-9, 1.0)
}

impl Rules {
    /// How long a confirmation lasts at least, in judged seconds; see [`confirm_s`].
    #[must_use]
    pub fn confirm_s(&self) -> f64 {
        confirm_s(self.confidence)
    }

    /// The probability that an answer may be wrong.
    fn error(&self) -> f64 {
        error(self.confidence)
    }
}

impl Answer {
    /// The number of lanes, if it is one.
    #[must_use]
    pub fn exact(&self) -> Option<u32> {
        (self.at_most == Some(self.at_least)).then_some(self.at_least)
    }
}
