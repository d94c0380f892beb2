//! Whether enough was seen of a setting.
//!
//! **Design.** A setting is looked at a few times while its window grows; at each look every
//! stream is judged by its whole window so far. With several looks and several streams there
//! are several chances to be wrong, so the probability of an error is divided:
//!
//! - *Holds* needs a confirmation, in which **all** streams hold: an intersection-union test, whose
//!   error is that of a single stream, however many there are (Berger, "Multiparameter
//!   hypothesis testing and acceptance sampling", Technometrics 24, 1982). It is decided at no
//!   more than four looks, at 1, 1.5, 2.5 and 4 times [`Rules::confirm_s`], which spend a half, a quarter and
//!   twice an eighth of the error that [`Rules::confidence`] leaves. The sum is all of it, whatever the dependence of the
//!   looks (Bonferroni; it is the simplest of the spending functions of
//!   Lan and DeMets, Biometrika 70, 1983). The verdicts of streams, at 95 %, must hold besides.
//! - A stall that makes a single frame too late fails at once, and no bound knows of those that did
//!   not come yet. The length of a confirmation is for them: see [`Rules::confirm_s`].
//! - *Fails* needs one stream, so many streams have many chances. A finding that is no matter of
//!   chance (the rate, a frame that came too late, a tenth of all late) counts as it is; a share of
//!   frames on time counts once its upper bound is below the limit with the error divided by the
//!   number of streams and of looks.
//! - An exploring setting that ends with *holds* only says where to look next: each stream must be
//!   above its limit with 75 %, or its share be above it after a minute.
//!
//! Before 15 s only what is hopeless ends a setting, and nothing before 10 s. The driver looks once for each
//! [`Seen::Until`]; more looks would spend more than there is.

use super::{Ask, EXPLORE_S, Goal, Look, Rules, Seen, State, StreamLook};
use crate::stats::at_least_share_with;

/// When a setting is looked at before it may hold its confirmation, in judged seconds.
const LOOKS_S: [f64; 12] = [10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0, 240.0];
/// The looks at which a confirmation may hold, in times of its length, and the part of the
/// error that each spends.
const FINAL: [(f64, f64); 4] = [(1.0, 0.5), (1.5, 0.25), (2.5, 0.125), (4.0, 0.125)];
/// A confirmation may last so many times its length, whatever is left of the budget.
const ALWAYS: f64 = 1.5;
/// What the confirmation after it takes besides its judged time, in seconds.
const START_S: f64 = 30.0;
/// A failing verdict counts from here on; before, only a hopeless stream ends a setting, and
/// nothing does in the first seconds.
const FAILS_FROM_S: f64 = 15.0;
const HOPELESS_FROM_S: f64 = 9.5;
/// A stream is hopeless with less than this share of its frames on time, or of its rate.
const HOPELESS_ON_TIME: f64 = 0.75;
const HOPELESS_RATE: f64 = 0.9;
/// An exploring setting takes no longer, in judged seconds, or in seconds if it is disturbed.
const EXPLORE_MOST_S: f64 = 60.0;
/// The confidence that steers.
const STEERING: f64 = 0.75;
/// The limits of a rate: see `record::measure`.
const HOLDS_RATE: f64 = 0.995;
const FAILS_RATE: f64 = 0.98;
/// A share is far below its limit if it is lower by so many times what the limit lets be late.
const FAR_BELOW: f64 = 9.0;
/// A verdict leaves out at most this part of a window.
const MOST_LEFT_OUT: f64 = 0.1;

/// No window takes longer than so many times the longest judged time, whatever is left out of it.
const MOST_WINDOWS: f64 = 2.0;

/// Whether enough was seen of the setting that was asked for. `left_s`: what is left of the budget,
/// in seconds. A confirmation that decides nothing goes on as long as there is time for another one.
#[must_use]
pub fn look(rules: &Rules, ask: &Ask, look: &Look, left_s: f64) -> Seen {
    let has = |state: State| look.streams.iter().any(|stream| stream.state == state);
    if look.streams.is_empty() || has(State::Broken) {
        return Seen::Enough(State::Broken);
    }
    if look.streams.iter().any(|stream| fails(rules, look, stream)) {
        return Seen::Enough(State::Fails);
    }
    let end = match ask.goal {
        Goal::Explore => explored(rules, look),
        Goal::Confirm => confirmed(rules, look, longest_s(rules, look, left_s)),
    };
    end.map_or_else(|| later(rules, ask, look), Seen::Enough)
}

/// Whether a stream shows that the setting fails.
fn fails(rules: &Rules, look: &Look, stream: &StreamLook) -> bool {
    if stream.state != State::Fails {
        return false;
    }
    let share = share(stream);
    if look.judged_s < FAILS_FROM_S {
        let is_hopeless = stream.rate < HOPELESS_RATE || share < HOPELESS_ON_TIME;
        return is_hopeless && HOPELESS_FROM_S <= look.judged_s;
    }
    let limit = rules.on_time;
    let is_far_below = share < limit - (FAR_BELOW * (1.0 - limit)).min(limit / 2.0);
    // With a lower confidence than the verdict's, so that no verdict by the share is missed.
    let is_by_share = at_most(stream, 0.9) < limit;
    if stream.rate < FAILS_RATE || is_far_below || !is_by_share {
        return true;
    }
    let n_chances = look.streams.len() * (LOOKS_S.len() + FINAL.len());
    at_most(stream, 1.0 - rules.error() / n_chances as f64) < limit
}

/// How an exploring setting ends, if it does.
fn explored(rules: &Rules, look: &Look) -> Option<State> {
    let limit = rules.on_time;
    let is_well = |stream: &StreamLook, is_good: bool| {
        stream.state == State::Holds || (stream.judged > 0 && stream.rate >= HOLDS_RATE && is_good)
    };
    let is_disturbed = is_disturbed(look);
    let is_clear = |stream: &StreamLook| is_well(stream, at_least(stream, STEERING) >= limit);
    let is_likely = |stream: &StreamLook| is_well(stream, share(stream) >= limit);
    let most_s = if is_disturbed { EXPLORE_MOST_S } else { EXPLORE_MOST_S * MOST_WINDOWS };
    let is_over = EXPLORE_MOST_S <= look.judged_s || most_s <= look.window_s || is_lost(look);
    match () {
        () if is_disturbed => is_over.then_some(State::Disturbed),
        () if EXPLORE_S <= look.judged_s && look.streams.iter().all(is_clear) => Some(State::Holds),
        () if !is_over => None,
        () if look.streams.iter().all(is_likely) => Some(State::Holds),
        () => Some(State::Undecided),
    }
}

fn is_disturbed(look: &Look) -> bool {
    look.streams.iter().any(|stream| stream.state == State::Disturbed)
}

/// Whether streams are disturbed though little of the window is left out: they fail, and it
/// is unknown for which reason, so more of the window helps nothing.
fn is_lost(look: &Look) -> bool {
    is_disturbed(look) && look.window_s - look.judged_s <= MOST_LEFT_OUT * look.window_s
}

/// The longest that a confirmation may be judged, in seconds.
fn longest_s(rules: &Rules, look: &Look, left_s: f64) -> f64 {
    let most_s = look.judged_s + left_s - rules.confirm_s() - START_S;
    let all = FINAL.into_iter().map(|(times, _)| times);
    let fitting = all.filter(|times| *times <= ALWAYS || times * rules.confirm_s() <= most_s);
    fitting.fold(ALWAYS, f64::max) * rules.confirm_s()
}

/// How a confirmation ends, if it does.
fn confirmed(rules: &Rules, look: &Look, longest_s: f64) -> Option<State> {
    if is_disturbed(look) {
        let left_out_s = look.window_s - look.judged_s;
        // Too long until that is a small part of the window, or it comes again and again.
        let is_too_long = left_out_s > MOST_LEFT_OUT * (longest_s + left_out_s);
        let is_over = is_lost(look) || is_too_long || rules.confirm_s() <= look.judged_s;
        return is_over.then_some(State::Disturbed);
    }
    if longest_s * MOST_WINDOWS <= look.window_s {
        return Some(State::Undecided);
    }
    let spent = FINAL.iter().rev().find(|(times, _)| rules.confirm_s() * times <= look.judged_s);
    let (_, part) = spent?;
    let confidence = 1.0 - rules.error() * part;
    let holds = |stream: &StreamLook| {
        let is_sure = stream.judged == 0 || at_least(stream, confidence) >= rules.on_time;
        stream.state == State::Holds && is_sure
    };
    match () {
        () if look.is_steady && look.streams.iter().all(holds) => Some(State::Holds),
        () if longest_s <= look.judged_s => Some(State::Undecided),
        () => None,
    }
}

/// When to look again.
fn later(rules: &Rules, ask: &Ask, look: &Look) -> Seen {
    let confirm_s = rules.confirm_s();
    let before = LOOKS_S.into_iter().filter(|at| *at < confirm_s);
    let last = FINAL.into_iter().map(|(times, _)| times * confirm_s);
    let mut all = before.chain(last).filter(|at| ask.goal == Goal::Confirm || *at <= EXPLORE_MOST_S);
    match all.find(|at| look.judged_s < *at) {
        // Borders of windows are whole ticks, so a second is the least that tells anything new.
        Some(at) => Seen::Until(look.window_s + (at - look.judged_s).max(1.0)),
        None => Seen::Enough(State::Undecided),
    }
}

/// The share of frames on time; 1 where none is known.
fn share(stream: &StreamLook) -> f64 {
    if stream.judged == 0 { 1.0 } else { stream.on_time as f64 / stream.judged as f64 }
}

/// The lower bound of the share of frames on time.
fn at_least(stream: &StreamLook, confidence: f64) -> f64 {
    at_least_share_with(stream.on_time.min(stream.judged), stream.judged, stream.design_effect, confidence)
}

/// The upper bound of the share of frames on time.
fn at_most(stream: &StreamLook, confidence: f64) -> f64 {
    let late = stream.judged.saturating_sub(stream.on_time);
    1.0 - at_least_share_with(late, stream.judged, stream.design_effect, confidence)
}
