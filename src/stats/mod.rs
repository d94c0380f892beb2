//! Figures from samples: percentiles, means, intervals, frame rates. Pure.
//!
//! Percentiles are *nearest rank*: always a value that was measured, never one
//! in between. Intervals are 95 % intervals of a mean by Student's t over
//! one-second values, and are refused where those are few or not independent
//! ([`NoInterval`]).
//!
//! `docs/measuring.md` explains the same to people who read reports.

mod interval;
mod rate;

pub use interval::{MIN_SECONDS, NoInterval, half_width95};
pub use rate::{long_run_fps, whole_seconds};

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

/// The arithmetic mean. `None` if there are no values.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / values.len() as f64) }
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

    #[test]
    fn the_mean_of_nothing_is_nothing() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!(mean(&[]), None);
    }
}
