//! Where the steady state of a series begins, if it has one.
//!
//! *MSER-5* (White 1997; White, Cobb and Spratt 2000): the values are averaged in batches of five,
//! and the begin is where the standard error of the mean of all that follow is least. Leaving
//! out more of a start-up that differs lowers it; leaving out more of the steady rest raises it. If
//! it is least in the second half, the series has not settled: a ramp, or a level that shifts late.
//!
//! The rule compares a series with itself, so it also finds a *begin* in harmless noise. Who asks
//! whether a difference matters gives a tolerance ([`is_level`], [`shift`]).

/// Values of a batch.
const BATCH: usize = 5;
/// A series of fewer batches is too short to tell.
const LEAST_BATCHES: usize = 5;
/// The least number of values of which a steady state can be told.
pub const LEAST_VALUES: usize = BATCH * LEAST_BATCHES;
/// So many batches at the end, or half of all, are the least steady state: fewer may be alike by
/// chance.
const LEAST_REST: usize = 5;

/// The index of the value with which the steady state begins. `None` if there is none, or if
/// there are fewer than [`LEAST_VALUES`] values. An incomplete batch at the end is left out.
#[must_use]
pub fn begin(values: &[f64]) -> Option<usize> {
    let batches = batches(values);
    let n = batches.len();
    if n < LEAST_BATCHES {
        return None;
    }
    // From the end: the sums over all batches after each.
    let (mut sum, mut squares) = (0.0, 0.0);
    let mut best: Option<(f64, usize)> = None;
    // Differences from the last batch, so that squares of small ones are not lost.
    let level = batches[n - 1];
    for (left_out, batch) in batches.iter().enumerate().rev() {
        let rest = (n - left_out) as f64;
        sum += batch - level;
        squares += (batch - level).powi(2);
        let error = (squares - sum * sum / rest).max(0.0) / (rest * rest);
        // Of equals the one that leaves out least.
        if n - left_out >= LEAST_REST.min(n / 2) && best.is_none_or(|(least, _)| error <= least) {
            best = Some((error, left_out));
        }
    }
    best.map(|(_, left_out)| left_out).filter(|left_out| 2 * left_out < n).map(|left_out| left_out * BATCH)
}

/// Whether no batch of the values differs from another by more than `tolerance`: their changes
/// do not matter, whatever their pattern. False for fewer than [`LEAST_VALUES`] values.
#[must_use]
pub fn is_level(values: &[f64], tolerance: f64) -> bool {
    let batches = batches(values);
    let least = batches.iter().copied().fold(f64::INFINITY, f64::min);
    let most = batches.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    batches.len() >= LEAST_BATCHES && most - least <= tolerance
}

/// How much higher the median of the second half of the values is than that of the first;
/// 0 for fewer than two.
#[must_use]
pub fn shift(values: &[f64]) -> f64 {
    let median = |half: &[f64]| {
        let mut half = half.to_vec();
        half.sort_unstable_by(f64::total_cmp);
        super::percentile(&half, 50)
    };
    let (first, second) = values.split_at(values.len() / 2);
    median(first).zip(median(second)).map_or(0.0, |(first, second)| second - first)
}

fn batches(values: &[f64]) -> Vec<f64> {
    values.chunks_exact(BATCH).map(|batch| batch.iter().sum::<f64>() / BATCH as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::super::simulated::Random;
    use super::*;

    #[track_caller]
    fn check(values: impl Iterator<Item = f64>, expected: Option<usize>) {
        assert_eq!(begin(&values.collect::<Vec<f64>>()), expected);
    }

    #[test]
    fn equal_values_are_steady_from_the_begin() {
        check(std::iter::repeat_n(0.1, 60), Some(0));
        check(std::iter::repeat_n(0.1, 25), Some(0));
        check(std::iter::repeat_n(0.1, 24), None);
        check(std::iter::empty(), None);
    }

    /// The start-up is left out, and in three of four series of noise at most a third of what
    /// follows it.
    #[track_caller]
    fn check_start_up(n: u32, start_up: usize, value: impl Fn(u32) -> f64) {
        let most = start_up + (n as usize - start_up) / 3;
        let found = (0..100).filter_map(|seed| {
            let mut random = Random::new(seed);
            let values: Vec<f64> = (0..n).map(|at| value(at) + 0.1 * random.normal()).collect();
            begin(&values)
        });
        let found: Vec<usize> = found.collect();
        let n_right = found.iter().filter(|found| (start_up..=most).contains(*found)).count();
        assert!(n_right >= 75, "{n_right} of {found:?}");
        assert!(found.iter().all(|found| start_up <= *found), "{found:?}");
    }

    #[test]
    fn a_start_up_is_left_out() {
        // Frames per second of a stream of 15 that begins with a burst.
        check_start_up(60, 5, |at| if at < 5 { 18.7 } else { 15.0 });
        // The lateness in ms of a stream that loads a model with its third frame.
        check_start_up(90, 5, |at| if at == 2 { 900.0 } else { 4.0 });
        // A backlog of 300 ms that is worked off: 0.1 ms, as the noise, is left at 48 frames.
        check_start_up(150, 45, |at| 300.0 * (-f64::from(at) / 6.0).exp());
    }

    #[test]
    fn what_goes_on_changing_has_no_steady_state() {
        check((0..150).map(f64::from), None);
        check((0..150).map(|at| -f64::from(at)), None);
        check((0..150).map(|at| f64::from(at).sqrt()), None);
        // A level that shifts in the second half; just before, the begin is where it shifts.
        let shifted = |at: usize| (0..150).map(move |index| if index < at { 1.0 } else { 5.0 });
        check(shifted(80), None);
        check(shifted(120), None);
        check(shifted(70), Some(70));
        check(shifted(75), None);
    }

    #[test]
    fn noise_loses_little() {
        let noise = |seed| {
            let mut random = Random::new(seed);
            (0..150).map(|_| random.normal()).collect::<Vec<f64>>()
        };
        let mut left_out: Vec<usize> = (0..1000).filter_map(|seed| begin(&noise(seed))).collect();
        left_out.sort_unstable();
        assert_eq!(super::super::percentile(&left_out, 50), Some(0));
        // Chance makes the end of one in eleven look steadier than all of it.
        assert!(left_out.len() >= 900, "{}", left_out.len());
    }

    #[test]
    fn changes_within_the_tolerance_do_not_matter() {
        let ramp: Vec<f64> = (0..50).map(f64::from).collect();
        // Means of batches: 2 to 47.
        assert!(is_level(&ramp, 45.0) && !is_level(&ramp, 44.9));
        assert!(!is_level(&ramp[..24], 1e9));
        assert_eq!(shift(&ramp), 25.0);
        assert_eq!(shift(&[3.0, 1.0, 2.0]), -2.0);
        assert_eq!([shift(&[3.0]), shift(&[])], [0.0, 0.0]);
    }
}
