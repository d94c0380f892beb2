//! How many lanes a machine can play: a search by sequential tests. Pure.
//!
//! A *setting* is a number of lanes that was played and judged. [`next`] says from all
//! settings so far which one is measured next, or what the answer is. While a setting is
//! measured, [`look`] says whether enough was seen of it. Both are functions of their
//! arguments alone: no clock, no I/O, so that a simulated machine tests them.

use serde::{Deserialize, Serialize};

/// What a search is asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// How sure the answer must be that its number of lanes holds: `0.95`.
    pub confidence: f64,
    /// The most lanes that are tried.
    pub max: u32,
    /// How long the search may take, in seconds.
    pub budget_s: f64,
    /// How long the answer is tested at least, in seconds.
    pub confirm_s: f64,
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

impl Answer {
    /// The number of lanes, if it is one.
    #[must_use]
    pub fn exact(&self) -> Option<u32> {
        (self.at_most == Some(self.at_least)).then_some(self.at_least)
    }
}

/// The next setting, or the answer. `fits`: the most lanes for which there is memory, as far
/// as that is known by now; likewise descriptors and processes.
#[must_use]
pub fn next(rules: &Rules, settings: &[Setting], fits: Option<u32>) -> Next {
    let max = fits.map_or(rules.max, |fits| fits.min(rules.max));
    let holds = |setting: &&Setting| setting.state == State::Holds;
    let best = settings.iter().filter(holds).map(|setting| setting.lanes).max().unwrap_or(0);
    let failed = settings.iter().find(|setting| setting.lanes == best + 1 && setting.state != State::Holds);
    let confirmed = settings.iter().any(|one| one.lanes == best && holds(&one) && one.goal == Goal::Confirm);
    match failed {
        None if best < max => Next::Measure(Ask { lanes: best + 1, goal: Goal::Explore }),
        _ if best > 0 && !confirmed => Next::Measure(Ask { lanes: best, goal: Goal::Confirm }),
        _ => {
            let at_most = failed.map(|_| best);
            let why = failed.is_none().then_some(if max < rules.max { Why::Guard } else { Why::Max });
            Next::Answer(Answer { at_least: best, at_most, why, not_monotone: Vec::new() })
        }
    }
}

/// Whether enough was seen of the setting that was asked for.
#[must_use]
pub fn look(rules: &Rules, ask: &Ask, look: &Look) -> Seen {
    let enough_s = if ask.goal == Goal::Confirm { rules.confirm_s } else { rules.confirm_s.min(20.0) };
    let worst =
        look.streams.iter().map(|stream| stream.state).filter(|state| *state != State::Undecided).max();
    match worst {
        Some(state @ (State::Fails | State::Broken)) => Seen::Enough(state),
        _ if look.judged_s < enough_s => Seen::Until(look.window_s + enough_s - look.judged_s),
        state => Seen::Enough(state.unwrap_or(State::Undecided)),
    }
}
