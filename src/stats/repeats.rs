//! The mean of repeats and how sure it is, by Student's distribution: repeats are independent of each
//! other, as seconds of one run are not (`interval`).

use super::beta::student_quantile;
use super::interval::Interval;

/// The mean of a measurement that was repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repeats {
    pub n: usize,
    pub mean: f64,
    /// The standard deviation of a single repeat; `None` of fewer than two.
    pub deviation: Option<f64>,
    /// In which the true mean lies with the confidence that was asked for; `None` of fewer than two.
    pub interval: Option<Interval>,
}

impl Repeats {
    /// `None` of no values, and if one is no finite number.
    ///
    /// # Panics
    /// If `confidence` is not between 0 and 1.
    #[must_use]
    pub fn of(values: &[f64], confidence: f64) -> Option<Repeats> {
        assert!(0.0 < confidence && confidence < 1.0, "{confidence} is no confidence");
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.len() > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (n - 1.0)).sqrt()
        });
        let interval = deviation.map(|deviation| {
            let half = student_quantile(0.5 + 0.5 * confidence, n - 1.0) * deviation / n.sqrt();
            Interval { low: mean - half, high: mean + half }
        });
        let is_finite = mean.is_finite() && interval.is_none_or(|one| (one.high - one.low).is_finite());
        is_finite.then_some(Repeats { n: values.len(), mean, deviation, interval })
    }

    /// Half of the interval's width as a share of the mean: 0.02 is ±2 %. `None` without an interval, and
    /// for a mean of 0 of values that differ.
    #[must_use]
    pub fn relative(&self) -> Option<f64> {
        let Interval { low, high } = self.interval?;
        let half = (high - low) / 2.0;
        if half == 0.0 { Some(0.0) } else { Some(half / self.mean.abs()).filter(|share| share.is_finite()) }
    }

    /// About how many repeats make half of the interval's width this share of the mean; `None` if that
    /// cannot be said.
    #[must_use]
    pub fn needed(&self, within: f64, confidence: f64, most: usize) -> Option<usize> {
        let deviation = self.deviation? / self.mean.abs();
        if !deviation.is_finite() {
            return None;
        }
        let half = |n: usize| {
            student_quantile(0.5 + 0.5 * confidence, n as f64 - 1.0) * deviation / (n as f64).sqrt()
        };
        (2..=most.max(2)).find(|n| half(*n) <= within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_scipy() {
        // scipy.stats.t.interval(0.95, 4, loc=mean, scale=sem) of these five.
        let repeats = Repeats::of(&[4.21, 4.18, 4.25, 4.30, 4.19], 0.95).unwrap();
        let interval = repeats.interval.unwrap();
        assert!((repeats.mean - 4.226).abs() < 1e-12);
        assert!((interval.low - 4.164_792_136).abs() < 1e-6, "{interval:?}");
        assert!((interval.high - 4.287_207_864).abs() < 1e-6, "{interval:?}");
        assert!((repeats.relative().unwrap() - 0.014_483_64).abs() < 1e-6, "{:?}", repeats.relative());
    }

    #[test]
    fn few_and_odd_values_have_no_interval() {
        assert_eq!(Repeats::of(&[], 0.95), None);
        assert_eq!(Repeats::of(&[1.0, f64::NAN], 0.95), None);
        assert_eq!(Repeats::of(&[1e308, 1e308], 0.95), None);
        let one = Repeats::of(&[3.0], 0.95).unwrap();
        assert_eq!((one.interval, one.relative(), one.needed(0.02, 0.95, 50)), (None, None, None));
        let equal = Repeats::of(&[3.0, 3.0, 3.0], 0.95).unwrap();
        assert_eq!(equal.relative(), Some(0.0));
        assert_eq!(Repeats::of(&[-1.0, 1.0], 0.95).unwrap().relative(), None);
        assert_eq!(Repeats::of(&[0.0, 0.0], 0.95).unwrap().relative(), Some(0.0));
    }

    #[test]
    fn more_spread_needs_more_repeats() {
        let needed = |spread: f64| {
            let values = [100.0 - spread, 100.0, 100.0 + spread];
            Repeats::of(&values, 0.95).unwrap().needed(0.02, 0.95, 100)
        };
        // n with t(n - 1) * spread / sqrt(n) <= 2: by hand, 4 for 1 (3.18 / 2 = 1.59) and 12 for 3 (2.2 * 3 / 3.46 = 1.91).
        assert_eq!([0.0, 1.0, 3.0, 30.0].map(needed), [Some(2), Some(4), Some(12), None]);
    }
}
