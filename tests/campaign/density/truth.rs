//! The truth about a simulated machine: the largest number of lanes that keeps both verdicts in
//! ten hours.
//!
//! Ten hours of 64 lanes are 35 million frames for each camera, so they are judged by a shorter way
//! to the same end: a frame that comes too late is the end; late frames are kept by their
//! numbers, and the bound of the share on time is computed by `lp`'s own function for the
//! streams that have the most. Where the first hour is far from both limits, so are the others:
//! waiting times have exponential tails. The campaign compares both with the judges, and
//! with all ten hours.

use lp::record::Limits;
use lp::record::measure::{CONFIDENCE, Verdict, measure};
use lp::stats::at_least_share_of;

use super::machine::{Body, Machine, Player, S};
use super::session::{Played, WARMUP_S};

/// Ten hours.
pub(crate) const HOURS_S: f64 = 36_000.0;
/// The delay of streams is taken from so many seconds.
const DELAY_S: f64 = 60.0;
/// Streams whose bound is computed.
const WORST: usize = 3;
/// After so many seconds it holds for sure if no stream has more than this part of the late frames
/// that it may have, and no frame came later than this part of what it may.
const SURE_S: f64 = 3_600.0;
const SURE: f64 = 0.4;

/// How long is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Length {
    /// All of it.
    Whole,
    /// Until it is sure.
    UntilSure,
}

/// The number of lanes, at most `most`.
pub(crate) fn truth(machine: &Machine, most: u32) -> u32 {
    let most = machine.fits.map_or(most, |fits| fits.min(most));
    let holds = |lanes: u32| holds(machine, lanes, HOURS_S, Length::UntilSure);
    let mut lanes = (machine.capacity() as u32).min(most);
    if let Some(from) = machine.stalls_from {
        lanes = lanes.min(from.saturating_sub(1));
    }
    // An exception is looked over.
    let is_hole = |lanes: u32| machine.hole == Some(lanes);
    if lanes == 0 || (!is_hole(lanes) && !holds(lanes)) {
        return (1..lanes).rev().find(|lanes| holds(*lanes)).unwrap_or(0);
    }
    while lanes < most && (holds(lanes + 1) || (is_hole(lanes + 1) && lanes + 1 < most && holds(lanes + 2))) {
        lanes += 1;
    }
    (1..=lanes).rev().find(|lanes| !is_hole(*lanes)).unwrap_or(0)
}

/// Whether a number of lanes keeps both verdicts for so long.
pub(crate) fn holds(machine: &Machine, lanes: u32, seconds: f64, length: Length) -> bool {
    let limits = Limits::default();
    let mut player = steady(machine, lanes);
    let (begin_us, end_us) = (WARMUP_S as f64 * S, (WARMUP_S as f64 + seconds) * S);
    let n = player.n_streams();
    let (mut before, mut first) = (vec![Vec::new(); n], vec![Vec::new(); n]);
    let mut early = Vec::new();
    while player.due_us() < begin_us + DELAY_S * S {
        let frame = player.frame();
        let late_us = (frame.arrived_us - frame.due_us) as i64;
        if begin_us <= frame.arrived_us {
            first[frame.stream].push(late_us);
            early.push(frame);
        } else if begin_us - S <= frame.arrived_us {
            before[frame.stream].push(late_us);
        }
    }
    let delays: Vec<f64> = before
        .into_iter()
        .zip(first)
        .map(|(before, first)| match median(before) {
            None => median(first).unwrap_or(0),
            Some(delay) => delay.min(median(first).unwrap_or(delay)),
        })
        .map(|delay| delay.max(0) as f64)
        .collect();
    let period_us = machine.period_us();
    let max_late_us = (limits.max_late_ms as f64 * 1e3).max(2.5 * period_us);
    let due = (seconds * machine.fps) as usize;
    // With more late ones no bound is above the limit.
    let most_late = ((1.0 - limits.on_time) * due as f64) as usize + 1;
    let (mut numbers, mut late) = (vec![0_u32; n], vec![Vec::new(); n]);
    let mut early = early.into_iter();
    let mut latest_us = 0.0_f64;
    let mut sure_us = if length == Length::UntilSure { begin_us + SURE_S * S } else { f64::INFINITY };
    loop {
        let frame = early.next().unwrap_or_else(|| player.frame());
        if frame.due_us >= end_us {
            break;
        }
        if frame.due_us >= sure_us {
            let most = SURE * (1.0 - limits.on_time) * SURE_S * machine.fps;
            if latest_us < SURE * max_late_us && late.iter().all(|late| (late.len() as f64) < most) {
                return true;
            }
            sure_us = f64::INFINITY;
        }
        let beyond_us = frame.arrived_us.min(end_us) - frame.due_us - delays[frame.stream];
        if beyond_us > period_us {
            latest_us = latest_us.max(beyond_us);
            late[frame.stream].push(numbers[frame.stream]);
            if beyond_us > max_late_us || late[frame.stream].len() > most_late {
                return false;
            }
        }
        numbers[frame.stream] += 1;
    }
    let mut streams: Vec<usize> = (0..n).collect();
    streams.sort_by_key(|stream| std::cmp::Reverse(late[*stream].len()));
    streams.into_iter().take(WORST).all(|stream| {
        let mut is_late = vec![false; numbers[stream] as usize];
        late[stream].iter().for_each(|number| is_late[*number as usize] = true);
        at_least_share_of(&is_late, CONFIDENCE) >= limits.on_time
    })
}

/// The same by the judges of runs, which take all frames.
pub(crate) fn holds_by_judges(machine: &Machine, lanes: u32, seconds: f64) -> bool {
    let mut played = Played::new(machine, steady(machine, lanes), WARMUP_S);
    let measurement = measure(played.until(seconds));
    measurement.cameras.iter().all(|camera| camera.verdict == Verdict::Holds)
}

/// Lanes that have played for long.
fn steady(machine: &Machine, lanes: u32) -> Player<'_> {
    Player::new(machine, lanes, lanes, u64::MAX, Body { heat: 0.0, clock_s: 0.0 })
}

fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}
