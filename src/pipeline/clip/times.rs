//! When the frames of a track are shown.

use serde::{Deserialize, Serialize};

/// When frames of a track are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Frames, without those that an edit list cuts. Some may have no time.
    pub n_frames: u64,
    /// When the first is shown.
    pub begin_ns: u64,
    /// When the last is shown.
    pub last_ns: u64,
    /// When the last is over.
    pub end_ns: u64,
    /// The median time from a frame to the next; 0 if there are not two.
    pub interval_ns: u64,
    /// The longest time from a frame to the next.
    pub pause_ns: u64,
    pub pause_at_ns: u64,
    /// How far a frame is at most from its place, if all came evenly.
    #[serde(default)]
    pub uneven_ns: u64,
    /// Whether the container does not give the time at which each frame is shown, but
    /// the one at which it is decoded, or none.
    pub are_guessed: bool,
}

impl Times {
    /// The times of frames that are shown at `shown`, in any order. The last lasts
    /// `last_for` if that is known, else as long as the median.
    #[must_use]
    pub fn of(mut shown: Vec<u64>, last_for: Option<u64>) -> Times {
        shown.sort_unstable();
        let (Some(begin), Some(last)) = (shown.first().copied(), shown.last().copied()) else {
            return Times::default();
        };
        let (mut pause_ns, mut pause_at_ns) = (0, begin);
        for pair in shown.windows(2) {
            if pause_ns < pair[1] - pair[0] {
                (pause_ns, pause_at_ns) = (pair[1] - pair[0], pair[0]);
            }
        }
        let mut intervals: Vec<u64> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
        intervals.sort_unstable();
        let interval_ns = intervals.get(intervals.len() / 2).copied().unwrap_or(0);
        let end_ns = last.saturating_add(last_for.unwrap_or(interval_ns));
        let (length, n_steps) = (u128::from(last - begin), shown.len().max(2) as u128 - 1);
        let places = (0..=n_steps).map(|n| begin + u64::try_from(length * n / n_steps).unwrap_or(0));
        let uneven_ns = places.zip(&shown).map(|(place, shown)| place.abs_diff(*shown)).max().unwrap_or(0);
        Times {
            n_frames: shown.len() as u64,
            begin_ns: begin,
            last_ns: last,
            end_ns,
            interval_ns,
            pause_ns,
            pause_at_ns,
            uneven_ns,
            are_guessed: false,
        }
    }

    /// How long it plays.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.end_ns - self.begin_ns
    }

    /// The longest pause, in words, if it is visible: more than a second, and more
    /// than five times the usual interval.
    #[must_use]
    pub fn pause(&self) -> Option<String> {
        let shows = 1_000_000_000.max(self.interval_ns.saturating_mul(5)) < self.pause_ns;
        shows.then(|| format!("none for {} from {} on", seconds(self.pause_ns), seconds(self.pause_at_ns)))
    }

    /// Frames a second from the first to the last, whose own length containers round or
    /// make up; 0 if there are not two.
    #[must_use]
    pub fn steady_rate(&self) -> f64 {
        match self.last_ns - self.begin_ns {
            0 => self.rate(),
            length => (self.n_frames - 1) as f64 * 1e9 / length as f64,
        }
    }

    /// Frames a second, on average; 0 if it has no length.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match self.duration_ns() {
            0 => 0.0,
            duration => self.n_frames as f64 * 1e9 / duration as f64,
        }
    }
}

/// Seconds with one to three decimals: `2.4 s`, `0.067 s`.
pub(super) fn seconds(ns: u64) -> String {
    let text = format!("{:.3}", ns as f64 / 1e9);
    let text = text.trim_end_matches('0');
    format!("{} s", if text.ends_with('.') { format!("{text}0") } else { text.to_owned() })
}
