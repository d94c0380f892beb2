//! Figures from samples: percentiles, frame rates, and how sure they are. Pure.
//!
//! Percentiles are *nearest rank*: always a value that was measured, never one
//! in between.
//!
//! `docs/measuring.md` explains the same to people who read reports.

mod beta;
pub mod change;
pub mod divisive;
mod interval;
mod rate;
mod repeats;
mod share;
#[cfg(test)]
pub(crate) mod simulated;
pub mod steady;
mod trend;

pub use interval::{Interval, mean_interval};
pub use rate::{counted_fps, fps_interval, long_run_fps, periods_us, whole_seconds};
pub use repeats::Repeats;
pub use share::{at_least_share, at_least_share_of, at_least_share_with, design_effect, frames_to_show};
pub use trend::{BATCHES, Trend, trend};

/// The nearest-rank percentile of values in ascending order: the smallest one
/// that at least `percent` of 100 values do not exceed. `None` if there are no
/// values.
///
/// # Panics
/// If `percent` is above 100.
#[must_use]
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    assert!(percent <= 100, "{percent} is a percentage");
    let rank = (percent * sorted.len()).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        // The example that textbooks use for nearest rank.
        let five = [15, 20, 35, 40, 50];
        for (percent, expected) in [(0, 15), (5, 15), (30, 20), (40, 20), (50, 35), (100, 50)] {
            assert_eq!(percentile(&five, percent), Some(expected), "p{percent}");
        }
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!([50, 95, 99].map(|p| percentile(&hundred, p)), [Some(50), Some(95), Some(99)]);
        assert_eq!([50, 99].map(|p| percentile(&[7.5], p)), [Some(7.5), Some(7.5)]);
        assert_eq!(percentile::<u32>(&[], 50), None);
    }
}
