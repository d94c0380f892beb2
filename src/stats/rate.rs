//! Frame rates from arrival times.
//!
//! The long-run rate counts gaps, not frames: `(n - 1) / (t_last - t_first)`,
//! so it does not depend on where the window's borders fall between two
//! frames. Alone it would be blind to a stream that stops before the window
//! does, so it is bounded by `(n + 1) / window`: a steady stream of rate `r` has
//! at least `r * window - 1` frames in any window, whatever its phase, and a
//! rate above that bound is refuted by the window itself.

use std::ops::Range;

use super::interval::{Interval, mean_interval};

const SECOND_US: u64 = 1_000_000;

/// How long so many periods of a frame rate are, in microseconds; the greatest number
/// at a rate of 0.
#[must_use]
pub fn periods_us(n_periods: f64, fps: f64) -> u64 {
    // A float beyond the range becomes its end.
    (n_periods * SECOND_US as f64 / fps) as u64
}

/// The long-run rate of frames that arrived in `window`, in frames per second.
/// Fewer than two frames are counted over the window.
#[must_use]
pub fn long_run_fps(arrived_us: &[u64], window: (u64, u64)) -> f64 {
    let ends = arrived_us.first().copied().zip(arrived_us.last().copied());
    counted_fps(arrived_us.len() as u64, ends, window)
}

/// As [`long_run_fps`], of so many frames of which the first and the last arrived then.
#[must_use]
pub fn counted_fps(n_frames: u64, ends: Option<(u64, u64)>, window: (u64, u64)) -> f64 {
    let length = window.1.saturating_sub(window.0);
    let over = |frames: u64, us: u64| frames as f64 * SECOND_US as f64 / us.max(1) as f64;
    match (n_frames, ends) {
        (0, _) | (_, None) => 0.0,
        (1, _) => over(1, length),
        (_, Some((first, last))) => {
            over(n_frames - 1, last.saturating_sub(first)).min(over(n_frames + 1, length))
        }
    }
}

/// The interval in which the rate of the frames of `window` would lie if it went on for ever,
/// with this `confidence`, in frames per second.
///
/// It is that of the mean gap between frames ([`mean_interval`]), since the frames of a whole
/// second go up and down with where its borders fall. The gaps of a paced stream make up for
/// each other, which the interval only partly believes, so there it is too wide, never too
/// narrow. `None` if the gaps have none, and if it does not contain [`long_run_fps`], as of a stream that
/// stops before the window does.
#[must_use]
pub fn fps_interval(arrived_us: &[u64], window: (u64, u64), confidence: f64) -> Option<Interval> {
    let gaps: Vec<f64> = arrived_us.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64).collect();
    let gap = mean_interval(&gaps, confidence).filter(|gap| gap.low > 0.0)?;
    let rate = |gap_us: f64| SECOND_US as f64 / gap_us;
    let interval = Interval { low: rate(gap.high), high: rate(gap.low) };
    (interval.low..=interval.high).contains(&long_run_fps(arrived_us, window)).then_some(interval)
}

/// The frames of each whole second of `window`, as ranges of `arrived_us`,
/// which is in ascending order. A last second that is cut short is left out.
#[must_use]
pub fn whole_seconds(arrived_us: &[u64], window: (u64, u64)) -> Vec<Range<usize>> {
    let seconds = window.1.saturating_sub(window.0) / SECOND_US;
    let index_at = |second: u64| arrived_us.partition_point(|at| *at < window.0 + second * SECOND_US);
    (0..seconds).map(|second| index_at(second)..index_at(second + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::simulated::{Random, bursts};
    use super::*;

    fn every(step_us: u64, from_us: u64, to_us: u64) -> Vec<u64> {
        (from_us..to_us).step_by(usize::try_from(step_us).unwrap()).collect()
    }

    #[track_caller]
    fn check(arrived_us: &[u64], window: (u64, u64), expected: f64) {
        let fps = long_run_fps(arrived_us, window);
        assert!((fps - expected).abs() < 1e-9, "{fps} instead of {expected}");
    }

    #[test]
    fn a_steady_stream_has_its_rate_whatever_its_phase() {
        let window = (10_000_000, 20_000_000);
        for phase in [0, 1, 39_999, 50_000, 99_999] {
            check(&every(100_000, window.0 + phase, window.1), window, 10.0);
        }
    }

    #[test]
    fn a_stream_that_stops_early_does_not_keep_its_rate() {
        // 50 frames in the first 5 s of 10: (50 + 1) / 10.
        check(&every(100_000, 0, 5_000_000), (0, 10_000_000), 5.1);
        // A pause in the middle needs no bound: 60 gaps in 9.9 s.
        let paused: Vec<u64> = every(100_000, 0, 10_000_000);
        let paused: Vec<u64> = paused.into_iter().filter(|at| !(3_000_000..6_900_000).contains(at)).collect();
        check(&paused, (0, 10_000_000), 60.0 / 9.9);
    }

    #[test]
    fn few_frames_are_counted_over_the_window() {
        check(&[], (0, 10_000_000), 0.0);
        check(&[5], (0, 10_000_000), 0.1);
    }

    #[test]
    fn seconds_begin_with_the_window_and_the_last_is_whole() {
        let arrived = [100, 999_999, 1_000_000, 2_500_000, 3_100_000];
        assert_eq!(whole_seconds(&arrived, (0, 3_500_000)), [0..2, 2..3, 3..4]);
        assert_eq!(whole_seconds(&[], (0, 1_000_000)).len(), 1);
        assert!(whole_seconds(&arrived, (0, 999_999)).is_empty());
    }

    /// Arrivals in about 30 s of 1,000 streams: how many have an interval of their rate, and how many
    /// of these contain the true one.
    fn decided_and_covered(fps: f64, arrivals: impl Fn(&mut Random) -> Vec<u64>) -> (u32, u32) {
        let (mut decided, mut covered) = (0, 0);
        for seed in 0..1000 {
            let arrived = arrivals(&mut Random::new(seed));
            let window = (0, arrived[arrived.len() - 1] + 1);
            if let Some(Interval { low, high }) = fps_interval(&arrived, window, 0.95) {
                decided += 1;
                covered += u32::from(low <= fps && fps <= high);
            }
        }
        (decided, covered)
    }

    #[test]
    fn intervals_of_simulated_streams_contain_their_rate() {
        // Paced at 15 fps with a jitter of 3 ms: always, since it is too wide.
        let paced = |random: &mut Random| {
            let at = |index: u64| index * SECOND_US / 15 + 10_000;
            (0..450)
                .map(|index| at(index).saturating_add_signed((3_000.0 * random.normal()) as i64))
                .collect()
        };
        assert_eq!(decided_and_covered(15.0, paced), (1000, 1000));
        // As fast as the machine can: 20 ms a frame, 60 ms in a quarter of the time in spells
        // of 5 frames; 30 ms on average.
        let free = |random: &mut Random| {
            let mut at = 0.0;
            let slow = bursts(random, 1000, 0.25, 5.0, 1.0);
            let arrivals = slow.into_iter().map(|slow| {
                at += if slow { 60_000.0 } else { 20_000.0 } + 1_000.0 * random.normal();
                at as u64
            });
            arrivals.collect()
        };
        let (decided, covered) = decided_and_covered(1e6 / 30_000.0, free);
        let share = f64::from(covered) / f64::from(decided);
        assert!(decided >= 800 && (0.93..=0.97).contains(&share), "{share} of {decided}");
    }

    #[test]
    fn a_stream_that_stops_early_has_no_interval() {
        let mut random = Random::new(1);
        let jitter = |random: &mut Random| (3_000.0 * random.normal()) as i64;
        let arrived: Vec<u64> = (0..200)
            .map(|index| (index * SECOND_US / 15 + 10_000).saturating_add_signed(jitter(&mut random)))
            .collect();
        assert_eq!(fps_interval(&arrived, (0, 30 * SECOND_US), 0.95), None);
        assert!(fps_interval(&arrived, (0, 13_400_000), 0.95).is_some());
    }
}
