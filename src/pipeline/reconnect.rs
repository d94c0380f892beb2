//! When a camera whose connection was lost is connected again: pure.
//!
//! A policy allows so many attempts within so long: `3 in 1m`. Before each attempt there is a
//! wait, which doubles from attempt to attempt, until frames come again.
//!
//! Not here: reading a policy (`config`), and connecting (`bin/lp-worker`).

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{duration_text, parse_duration};

/// The wait before the first attempt, in milliseconds.
const FIRST_WAIT_MS: u64 = 500;

/// The longest wait before an attempt, in milliseconds.
const LONGEST_WAIT_MS: u64 = 10_000;

/// The most attempts of a policy.
pub const MOST: u32 = 1_000;

/// How often a source may be connected again: at most `times` within any `within_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    pub times: u32,
    /// Milliseconds.
    pub within_ms: u64,
}

impl Reconnect {
    /// Reads `3 in 1m`; `None` if it is something else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Reconnect> {
        let (times, within) = text.split_once(" in ")?;
        let times = times.trim().parse().ok().filter(|times| (1..=MOST).contains(times))?;
        let within = parse_duration(within).ok().filter(|within| !within.is_zero())?;
        Some(Reconnect { times, within_ms: u64::try_from(within.as_millis()).ok()? })
    }
}

impl fmt::Display for Reconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.times, duration_text(Duration::from_millis(self.within_ms)))
    }
}

/// The policy of a pipeline whose source is a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnection {
    #[serde(flatten)]
    pub policy: Reconnect,
    /// A source without a packet for so long has lost its connection, in milliseconds.
    pub silence_ms: u64,
}

/// The attempts to connect a source again.
#[derive(Debug)]
pub struct Attempts {
    policy: Reconnect,
    /// When those began that may count, in milliseconds.
    begun_ms: VecDeque<u64>,
    wait_ms: u64,
}

impl Attempts {
    #[must_use]
    pub fn new(policy: Reconnect) -> Attempts {
        Attempts { policy, begun_ms: VecDeque::new(), wait_ms: FIRST_WAIT_MS }
    }

    /// There is no connection at `now_ms`: when to begin the next attempt, which counts from then
    /// on. `None` if the policy allows no more.
    pub fn next_ms(&mut self, now_ms: u64) -> Option<u64> {
        let at_ms = now_ms + self.wait_ms;
        while self.begun_ms.front().is_some_and(|begun| begun + self.policy.within_ms <= at_ms) {
            self.begun_ms.pop_front();
        }
        if self.policy.times as usize <= self.begun_ms.len() {
            return None;
        }
        self.wait_ms = (self.wait_ms * 2).min(LONGEST_WAIT_MS);
        self.begun_ms.push_back(at_ms);
        Some(at_ms)
    }

    /// Frames come again: the next wait is the first one.
    pub fn succeeded(&mut self) {
        self.wait_ms = FIRST_WAIT_MS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_it_is_written() {
        for text in ["3 in 1m", "1 in 500ms", "1000 in 1h30m"] {
            assert_eq!(Reconnect::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "3", "0 in 1m", "1001 in 1m", "3 in", "3 in 0s", "3 per 1m", "-1 in 1m", "3 in 60"] {
            assert_eq!(Reconnect::parse(text), None, "{text}");
        }
    }

    /// When the attempts begin to reach a camera that is away for good.
    fn all(text: &str) -> Vec<u64> {
        let mut attempts = Attempts::new(Reconnect::parse(text).unwrap());
        let mut begun = Vec::new();
        let mut now_ms = 0;
        while let Some(at_ms) = attempts.next_ms(now_ms) {
            begun.push(at_ms);
            // Each fails at once.
            now_ms = at_ms;
        }
        begun
    }

    #[test]
    fn the_wait_doubles_until_the_policy_allows_no_more() {
        assert_eq!(all("3 in 1m"), [500, 1_500, 3_500]);
        assert_eq!(all("8 in 1m"), [500, 1_500, 3_500, 7_500, 15_500, 25_500, 35_500, 45_500]);
    }

    #[test]
    fn a_camera_that_comes_back_is_connected_again_as_often_as_that_happens_seldom_enough() {
        let mut attempts = Attempts::new(Reconnect::parse("2 in 10s").unwrap());
        for lost_ms in [0, 20_000, 40_000, 60_000] {
            assert_eq!(attempts.next_ms(lost_ms), Some(lost_ms + 500));
            attempts.succeeded();
        }
        assert_eq!(attempts.next_ms(61_000), Some(61_500));
        attempts.succeeded();
        assert_eq!(attempts.next_ms(62_000), None);
        // The oldest of the two counts no more.
        assert_eq!(attempts.next_ms(70_000), Some(70_500));
    }
}
