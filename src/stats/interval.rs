//! How sure a mean is: an interval that respects autocorrelation and skewness, or none.
//!
//! Neighbours in a series of measurements are alike: a second after a slow one is rarely a
//! fast one. An interval for independent values is then too narrow (for a correlation of 0.8 it
//! covers the true mean in 45 of 100 series and not in 95). So the series is cut into about 30
//! *batches* (Conway 1963), whose means are less alike; their remaining correlation makes them a
//! smaller *effective sample*, as of an autoregressive process of first order; and the interval is
//! moved for their skewness (Willink 2005). The correlation is itself an estimate: its bias is removed
//! (Marriott and Pope 1954) and part of its error added. If too little is left, there is no
//! interval, which is an answer too.
//!
//! What a series does not contain is in no interval: a stall once an hour is not in the
//! interval of a minute.

use serde::{Deserialize, Serialize};

use super::beta::student_quantile;

/// The range in which a true mean lies with the confidence that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Batches of a long series; there are at most twice as many.
const BATCHES: usize = 30;
/// A shorter series has no interval: its correlation cannot be estimated.
const LEAST_VALUES: usize = 20;
/// At least so many independent batches must be left; more if each is a single value, since
/// then nothing tells a short correlation from a long one.
const LEAST_INDEPENDENT: f64 = 7.5;
const LEAST_INDEPENDENT_VALUES: f64 = 13.0;
/// So many standard errors are added to the correlation, a compromise: with fewer, series that
/// look less dependent than they are have intervals that are too narrow; with more, those of
/// independent values are too wide.
const CAUTION: f64 = 0.4;
/// Negative correlation makes an interval narrower; no more than this is believed.
const LEAST_CORRELATION: f64 = -0.3;
/// Degrees of freedom that the mean and the correlation cost.
const FREEDOM_SPENT: f64 = 4.0;

/// An interval for the mean of the process of which `values` are a sample, in the order in
/// which they were measured. `None` if there are fewer than 20, if they are all equal, or if they
/// depend on each other so much that too few of them are independent: then only their range can
/// be told.
///
/// # Panics
/// If `confidence` is not between 0 and 1.
#[must_use]
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    assert!(0.0 < confidence && confidence < 1.0, "{confidence} is no confidence");
    if values.len() < LEAST_VALUES || values.iter().all(|value| *value == values[0]) {
        return None;
    }
    let size = (values.len() / BATCHES).max(1);
    // An incomplete batch is left out at the begin.
    let batches: Vec<f64> = values[values.len() % size..].chunks_exact(size).map(mean).collect();
    let n = batches.len() as f64;
    let [variance, third] = [2, 3].map(|power| central_moment(&batches, power));
    // Batches of values that go up and down by turns are equal. Also false for NaN.
    if !(variance > 0.0 && variance.is_finite()) {
        return None;
    }
    let lag_one = lag_one_correlation(&batches);
    let correlation = (lag_one + (1.0 + 3.0 * lag_one) / n).min(0.99);
    let error = ((1.0 - correlation * correlation) / n).sqrt();
    let correlation = (correlation + CAUTION * error).clamp(LEAST_CORRELATION, 0.99);
    let independent = n * (1.0 - correlation) / (1.0 + correlation);
    let least = if size == 1 { LEAST_INDEPENDENT_VALUES } else { LEAST_INDEPENDENT };
    if independent < least {
        return None;
    }
    // The variance of batches around their own mean lacks that of the mean.
    let error_of_mean = (variance / (1.0 - 1.0 / independent) / independent).sqrt();
    let independent = independent.min(n);
    let t = student_quantile(0.5 + 0.5 * confidence, independent - FREEDOM_SPENT);
    let skewness = third / variance.powf(1.5) * (n * (n - 1.0)).sqrt() / (n - 2.0);
    let quarter = skewness / (6.0 * independent.sqrt());
    let moved = |t: f64| {
        if quarter.abs() < 1e-9 {
            return t;
        }
        ((1.0 + 6.0 * quarter * (t - quarter)).cbrt() - 1.0) / (2.0 * quarter)
    };
    let middle = mean(values);
    Some(Interval { low: middle - moved(t) * error_of_mean, high: middle - moved(-t) * error_of_mean })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The mean of a power of the differences from the mean.
fn central_moment(values: &[f64], power: i32) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / values.len() as f64
}

/// The correlation of values with their successors, of values that are not all equal.
fn lag_one_correlation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let products: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    products / (central_moment(values, 2) * values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::simulated::{Random, bursts};
    use super::*;

    #[track_caller]
    fn check(values: &[f64], expected: Option<(f64, f64)>) {
        let found = mean_interval(values, 0.95);
        let is_right = match (found, expected) {
            (None, None) => true,
            (Some(Interval { low, high }), Some(expected)) => {
                (low - expected.0).abs() < 1e-3 && (high - expected.1).abs() < 1e-3
            }
            _ => false,
        };
        assert!(is_right, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn short_equal_and_dependent_series_have_no_interval() {
        let white = white(40);
        check(&white[..19], None);
        check(&[0.1; 40], None);
        check(&[f64::NAN; 40], None);
        // A trend: each value is like the one before it.
        let trend: Vec<f64> = (0..40).map(f64::from).collect();
        check(&trend, None);
        // Up and down by turns: equal batches.
        let turns: Vec<f64> = (0..600).map(|index| f64::from(14 + 2 * (index % 2))).collect();
        check(&turns, None);
    }

    #[test]
    fn an_interval_is_that_of_students_t_with_what_caution_adds() {
        // 40 values with variance 1 around 0, whose t interval would be 0.32 at either side.
        check(&white(40), Some((-0.3012, 0.3408)));
        let skewed: Vec<f64> = white(40).into_iter().map(f64::exp).collect();
        let Interval { low, high } = mean_interval(&skewed, 0.95).unwrap();
        let middle = mean(&skewed);
        assert!(high - middle > 1.3 * (middle - low), "{low} {middle} {high}");
    }

    fn white(n: usize) -> Vec<f64> {
        let mut random = Random::new(7);
        let values: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let (middle, sigma) = (mean(&values), central_moment(&values, 2).sqrt());
        values.into_iter().map(|value| (value - middle) / sigma).collect()
    }

    /// Series with a mean of 0.
    #[derive(Clone, Copy, Debug)]
    enum Kind {
        /// Each value is this part of the one before it, plus white noise; 0: white.
        Regressive(f64),
        /// White noise with bursts that have a quarter of the time, last 3 values on average and
        /// are 4 sigmas deep.
        Bursty,
    }

    impl Kind {
        fn series(self, random: &mut Random, n: usize) -> Vec<f64> {
            match self {
                Kind::Regressive(part) => {
                    let mut value = random.normal() / (1.0 - part * part).sqrt();
                    let next = |_| {
                        value = part * value + random.normal();
                        value
                    };
                    (0..n).map(next).collect()
                }
                Kind::Bursty => {
                    let is_deep = bursts(random, n, 0.25, 3.0, 1.0);
                    let depth = |deep: bool| 1.0 - if deep { 4.0 } else { 0.0 };
                    is_deep.into_iter().map(|deep| depth(deep) + random.normal()).collect()
                }
            }
        }

        /// The variance of the mean of `n` values over that of independent ones.
        fn effective(self, n: usize) -> f64 {
            let factor = match self {
                Kind::Regressive(part) => (1.0 + part) / (1.0 - part),
                // Bursts: variance 3, correlation 1 - 1/3 - 1/9 of neighbours; noise: 1, 0.
                Kind::Bursty => (3.0 * (14.0 / 9.0) / (4.0 / 9.0) + 1.0) / 4.0,
            };
            n as f64 / factor
        }
    }

    /// Of 1,000 series: how many have an interval, and how many of these cover the mean.
    fn decided_and_covered(kind: Kind, n: usize) -> (u32, u32) {
        let (mut decided, mut covered) = (0, 0);
        for seed in 0..1000 {
            let mut random = Random::new(seed * 1000 + n as u64);
            if let Some(Interval { low, high }) = mean_interval(&kind.series(&mut random, n), 0.95) {
                decided += 1;
                covered += u32::from(low <= 0.0 && 0.0 <= high);
            }
        }
        (decided, covered)
    }

    #[test]
    fn intervals_of_simulated_series_cover_the_mean_as_often_as_they_say() {
        let regressive = [0.0, 0.3, 0.5, 0.8].map(Kind::Regressive);
        for kind in regressive.into_iter().chain([Kind::Bursty]) {
            let mut all = (0, 0);
            for n in [15, 30, 60, 120, 600] {
                let (decided, covered) = decided_and_covered(kind, n);
                all = (all.0 + decided, all.1 + covered);
                let share = f64::from(covered) / f64::from(decided.max(1));
                if kind.effective(n) >= 20.0 {
                    assert!(decided >= 800, "{kind:?} of {n}: {decided} decided");
                    assert!((0.93..=0.97).contains(&share), "{kind:?} of {n}: {share}");
                }
            }
            let share = f64::from(all.1) / f64::from(all.0);
            assert!((0.93..=0.97).contains(&share), "{kind:?}: {share} of {}", all.0);
        }
    }
}
