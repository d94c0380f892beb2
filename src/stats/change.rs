//! By how much does one set of values differ from another, and how sure is that?
//!
//! A [`Change`] is the difference of two means, or on logarithms the ratio of two geometric means, with
//! its standard error by Welch (1947), and for values that were measured in pairs that of the mean
//! difference of pairs as well. Its interval is the shorter of two: Welch's with three quarters of the
//! error that is allowed, that of pairs with a quarter (both are centred at the same estimate, and the errors of the two
//! add up). Pairs alone would halve the degrees of freedom, which costs more than drift does where there is none.
//! Where the numbers of values differ, Welch's degrees of freedom are too many in the far tails; they are moved
//! towards the least that is possible, `min(n) - 1`.
//!
//! Values may be looked at after each repeat. So a change with `n` values per side may spend only the part
//! [`spent`] of its error, most of it at 8, and all looks together stay within it (simulated below,
//! and by union over ever more looks at latest to one and a half times).
//!
//! No deviation is believed that is smaller than the `floor`: values that are all equal show a counter's
//! resolution, not that the next one will be equal.
//!
//! Not here: which change is better, and of what (`record::comparison`).

use super::beta::student_two_sided;
use super::interval::Interval;

/// Welch's share of the error, of values in pairs.
const SHARE_OF_WELCH: f64 = 0.75;

/// Whether the values of both sides were measured in pairs, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    Pairs,
    Separate,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// By the ratio: the change is a share of the first side. For values above 0.
    Ratio,
    /// By the difference, in the unit of the values.
    Difference,
}

/// The difference of two sides, on the scale on which it is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    scale: Scale,
    /// Second less first, of logarithms or of values.
    difference: f64,
    error: f64,
    freedom: f64,
    /// Of the mean difference of pairs.
    error_of_pairs: Option<f64>,
    n: (usize, usize),
}

/// What a change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Surely above 0, and as measured at least as large as what matters.
    More,
    /// Likewise below.
    Less,
    /// Surely smaller than what matters.
    Same,
    Unclear,
}

/// The error of [`Finding::Same`]: its interval has 99 %.
pub const ERROR_OF_SAME: f64 = 0.01;

/// The largest ratio that is told: its logarithm.
const MOST_LN: f64 = 20.0;

/// The fewest values of a side that show anything.
pub const LEAST: usize = 3;

impl Change {
    /// The change from `first` to `second`. `None` if a side has fewer than [`LEAST`] values, if one is not
    /// finite, or not above 0 on the scale of ratios, and for pairs of different numbers. `floor` is on that scale, too:
    /// 0.001 = a thousandth.
    #[must_use]
    pub fn between(
        first: &[f64],
        second: &[f64],
        design: Design,
        scale: Scale,
        floor: f64,
    ) -> Option<Change> {
        let on_scale = |values: &[f64]| -> Option<Vec<f64>> {
            let of = |value: f64| match scale {
                Scale::Difference => Some(value).filter(|value| value.is_finite()),
                Scale::Ratio => Some(value.ln()).filter(|value| value.is_finite()),
            };
            values.iter().map(|value| of(*value)).collect()
        };
        let (first, second) = (on_scale(first)?, on_scale(second)?);
        if first.len().min(second.len()) < LEAST {
            return None;
        }
        let floor = floor * floor;
        let of_side = |values: &[f64]| variance(values).max(floor) / values.len() as f64;
        let (of_first, of_second) = (of_side(&first), of_side(&second));
        let sum = of_first + of_second;
        let [n_first, n_second] = [first.len() as f64, second.len() as f64];
        let (fewer, more) = (n_first.min(n_second), n_first.max(n_second));
        let welch = if sum > 0.0 {
            sum * sum / (of_first * of_first / (n_first - 1.0) + of_second * of_second / (n_second - 1.0))
        } else {
            fewer - 1.0
        };
        let balance = (2.0 * fewer / more - 1.0).clamp(0.0, 1.0);
        let error_of_pairs = match design {
            Design::Separate => None,
            Design::Pairs if first.len() != second.len() => return None,
            Design::Pairs => {
                let differences: Vec<f64> = first.iter().zip(&second).map(|(a, b)| b - a).collect();
                Some((variance(&differences).max(2.0 * floor) / n_first).sqrt())
            }
        };
        let change = Change {
            scale,
            difference: mean(&second) - mean(&first),
            error: sum.sqrt(),
            freedom: fewer - 1.0 + (welch - (fewer - 1.0)) * balance,
            error_of_pairs,
            n: (first.len(), second.len()),
        };
        (change.difference.is_finite() && change.error.is_finite()).then_some(change)
    }

    /// The change as it is told: a share (0.05 = 5 % more), or a difference.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        self.told(self.difference)
    }

    /// The range in which it lies, but with this probability.
    #[must_use]
    pub fn interval(&self, error: f64) -> Interval {
        let half = self.half_width(error);
        Interval { low: self.told(self.difference - half), high: self.told(self.difference + half) }
    }

    /// The fewer values of the two sides.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n.0.min(self.n.1)
    }

    /// By how much it is told of a difference on the scale.
    fn told(&self, difference: f64) -> f64 {
        match self.scale {
            // Beyond this nobody needs to know; a document has no infinite numbers.
            Scale::Ratio => difference.clamp(-MOST_LN, MOST_LN).exp_m1(),
            Scale::Difference => difference,
        }
    }

    fn half_width(&self, error: f64) -> f64 {
        let error = error.clamp(1e-12, 1.0 - 1e-12);
        let welch = |error| student_two_sided(error, self.freedom) * self.error;
        match self.error_of_pairs {
            None => welch(error),
            Some(of_pairs) => {
                let pairs =
                    student_two_sided((1.0 - SHARE_OF_WELCH) * error, self.n.0 as f64 - 1.0) * of_pairs;
                welch(SHARE_OF_WELCH * error).min(pairs)
            }
        }
    }

    /// The interval on which [`Finding::More`] and [`Finding::Less`] rest, of a row that may be wrong with
    /// this probability over all looks.
    #[must_use]
    pub fn interval_of_looks(&self, error: f64) -> Interval {
        self.interval(error * spent(self.n()))
    }

    /// What it shows, if a change of at least `matters` matters (a share, or a difference) and `error` is
    /// the probability over all looks with which a row may wrongly be taken for more or less.
    ///
    /// *More* needs an interval above 0, and an estimate that reaches what matters. An interval above `matters`
    /// would need ten times the repeats where a change is little larger; and with 0 alone, many repeats would
    /// find changes that nobody minds. *Same* needs all of a 99 % interval within what matters.
    #[must_use]
    pub fn finding(&self, matters: f64, error: f64) -> Finding {
        let estimate = self.estimate();
        let surely = self.interval_of_looks(error);
        let likely = self.interval(ERROR_OF_SAME);
        match () {
            () if 0.0 < surely.low && matters <= estimate => Finding::More,
            () if surely.high < 0.0 && estimate <= -matters => Finding::Less,
            () if -matters < likely.low && likely.high < matters => Finding::Same,
            () => Finding::Unclear,
        }
    }

    /// How many values more per side would show something if they are like those that are
    /// known; `None` if more than [`MOST_MORE`] would be needed.
    #[must_use]
    pub fn more_for_finding(&self, matters: f64, error: f64) -> Option<usize> {
        let now = self.n();
        let decides = |more: usize| {
            let n = now + more;
            let shrunk = |error: f64| error * (now as f64 / n as f64).sqrt();
            let later = Change {
                error: shrunk(self.error),
                freedom: (self.freedom / (now as f64 - 1.0)).max(1.0) * (n as f64 - 1.0),
                error_of_pairs: self.error_of_pairs.map(shrunk),
                n: (n, n),
                ..*self
            };
            later.finding(matters, error) != Finding::Unclear
        };
        let enough = [1, 2, 4, 8, 16, 32, 64, MOST_MORE].into_iter().find(|more| decides(*more))?;
        let (mut low, mut high) = (enough / 2, enough);
        while low + 1 < high {
            let middle = low.midpoint(high);
            if decides(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }
}

/// No more values per side than this are asked for.
pub const MOST_MORE: usize = 100;

/// The part of an error that may be spent when each side has `n` values (the fewer of both), if one looks after each.
#[must_use]
pub fn spent(n: usize) -> f64 {
    /// The sum of what follows over all numbers from 3 on is 8.98 times this.
    const MOST: f64 = 1.5 / 8.98;
    let n = n as f64 / 8.0;
    MOST * if n <= 1.0 { n.powi(8) } else { n.powi(-2) }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The variance of the process of which `values` are a sample; 0 of fewer than two.
pub(super) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    squares / (values.len() as f64 - 1.0).max(1.0)
}

/// Values that lie far from the rest, by their places: more than [`FAR`] robust standard deviations from the
/// median (the *modified z-score* of Iglewicz and Hoaglin 1993), each with that number. None of fewer than 5 values.
#[must_use]
pub fn outliers(values: &[f64], floor: f64) -> Vec<(usize, f64)> {
    if values.len() < 5 {
        return Vec::new();
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
    };
    let middle = median(values.to_vec());
    let deviation = 1.4826 * median(values.iter().map(|value| (value - middle).abs()).collect());
    let deviation = deviation.max(floor);
    let far = |(at, value): (usize, &f64)| {
        let score = (value - middle) / deviation;
        (score.abs() > FAR).then_some((at, score))
    };
    values.iter().enumerate().filter_map(far).collect()
}

/// That of hyperfine. In 15 of 1,000 samples of 5 normal values one lies as far, in 1 of 1,000 samples of 8.
pub const FAR: f64 = 14.826;

/// A slope that the values of both sides share over the order in which they were measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// The change from one value to the next.
    pub per_value: f64,
    /// The difference of the sides without it.
    pub difference: f64,
    /// The interval of this difference at 99 %.
    pub interval: Interval,
}

/// The drift of two sides whose values were measured at these places in time, if it is significant at
/// 5 %. Sides that were measured one after the other would otherwise pass a drift off as a change.
#[must_use]
pub fn drift(first: &[(f64, f64)], second: &[(f64, f64)]) -> Option<Drift> {
    let freedom = (first.len() + second.len()) as f64 - 3.0;
    if first.len().min(second.len()) < LEAST || freedom < 3.0 {
        return None;
    }
    let means = |side: &[(f64, f64)]| {
        let of = |part: fn(&(f64, f64)) -> f64| side.iter().map(part).sum::<f64>() / side.len() as f64;
        (of(|point| point.0), of(|point| point.1))
    };
    let centred = |side: &[(f64, f64)]| {
        let (at, value) = means(side);
        side.iter().map(|point| (point.0 - at, point.1 - value)).collect::<Vec<_>>()
    };
    let all = [centred(first), centred(second)].concat();
    let squares: f64 = all.iter().map(|point| point.0 * point.0).sum();
    let slope = all.iter().map(|point| point.0 * point.1).sum::<f64>() / squares;
    let rest: f64 = all.iter().map(|point| (point.1 - slope * point.0).powi(2)).sum();
    let variance = rest / freedom;
    let is_steep = slope.abs() > student_two_sided(0.05, freedom) * (variance / squares).sqrt();
    // Also false for NaN.
    if !is_steep {
        return None;
    }
    let ((at_first, of_first), (at_second, of_second)) = (means(first), means(second));
    let apart = at_second - at_first;
    let difference = of_second - of_first - slope * apart;
    let shares = 1.0 / first.len() as f64 + 1.0 / second.len() as f64 + apart * apart / squares;
    let half = student_two_sided(0.01, freedom) * (variance * shares).sqrt();
    let interval = Interval { low: difference - half, high: difference + half };
    Some(Drift { per_value: slope, difference, interval })
}

#[cfg(test)]
mod tests {
    use super::super::simulated::Random;
    use super::*;

    #[track_caller]
    fn check(found: Interval, low: f64, high: f64) {
        within(1e-9, found, low, high);
    }

    /// Where fewer digits are known.
    #[track_caller]
    fn near(found: Interval, low: f64, high: f64) {
        within(1e-8, found, low, high);
    }

    #[track_caller]
    fn within(error: f64, found: Interval, low: f64, high: f64) {
        let is_near = |found: f64, expected: f64| (found - expected).abs() < error * expected.abs().max(1.0);
        assert!(is_near(found.low, low) && is_near(found.high, high), "{found:?} instead of {low}..{high}");
    }

    const FIRST: [f64; 5] = [100.0, 101.0, 99.5, 100.7, 100.2];
    const SECOND: [f64; 5] = [103.0, 105.1, 102.2, 104.9, 103.3];

    // The expected values of intervals are those of SciPy 1.17: `ttest_ind(equal_var=False)` and `ttest_rel`.

    #[test]
    fn separate_sides_have_the_interval_of_welch() {
        let ratio = Change::between(&FIRST, &SECOND, Design::Separate, Scale::Ratio, 0.0).unwrap();
        assert!((ratio.estimate() - 0.034_058_240_575_423_83).abs() < 1e-12);
        check(ratio.interval(0.01), 0.010_913_903_820_661_488, 0.057_732_454_624_180_61);
        let difference = Change::between(&FIRST, &SECOND, Design::Separate, Scale::Difference, 0.0).unwrap();
        check(difference.interval(1e-4), -2.542_576_926_627_753_6, 9.382_576_926_627_756);
    }

    #[test]
    fn pairs_have_the_shorter_of_two_intervals() {
        let change = Change::between(&FIRST, &SECOND, Design::Pairs, Scale::Ratio, 0.0).unwrap();
        near(change.interval(0.01), 0.014_254_5, 0.054_248_66);
        near(change.interval(1e-4), -0.025_909_78, 0.097_718_08);
        // The same drift in both of a pair hides nothing.
        let blocks = [0.0, 0.1, -0.08, 0.05, 0.2].map(f64::exp);
        let noise = [0.001, -0.001, 0.001_5, 0.0, -0.000_5].map(f64::exp);
        let second: Vec<f64> =
            blocks.iter().zip(&noise).map(|(block, noise)| 103.0 * block * noise).collect();
        let first = blocks.map(|block| 100.0 * block);
        let change = Change::between(&first, &second, Design::Pairs, Scale::Ratio, 0.0).unwrap();
        near(change.interval(0.01), 0.026_982_74, 0.033_439_41);
    }

    #[test]
    fn sides_of_very_different_numbers_have_the_fewest_degrees_of_freedom() {
        let first = [100.0, 102.0, 99.0];
        let second = [105.0, 106.0, 104.5, 105.2, 104.8, 105.5, 106.1, 104.4];
        let change = Change::between(&first, &second, Design::Separate, Scale::Difference, 0.0).unwrap();
        check(change.interval(0.01), -4.182_376_941_299_761, 13.890_710_274_633_104);
    }

    #[test]
    fn nothing_is_concluded_from_what_is_no_number_or_too_few() {
        let between = |first: &[f64], second: &[f64], scale| {
            Change::between(first, second, Design::Separate, scale, 0.001).is_some()
        };
        assert!(between(&FIRST, &SECOND, Scale::Ratio));
        assert!(!between(&FIRST[..2], &SECOND, Scale::Ratio));
        assert!(!between(&[], &[], Scale::Difference));
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(!between(&FIRST, &[1.0, 2.0, bad], Scale::Difference), "{bad}");
        }
        for bad in [0.0, -1.0] {
            assert!(!between(&FIRST, &[1.0, 2.0, bad], Scale::Ratio), "{bad}");
        }
        assert_eq!(Change::between(&FIRST, &SECOND[..4], Design::Pairs, Scale::Ratio, 0.0), None);
    }

    #[test]
    fn equal_values_are_no_surer_than_their_floor() {
        let finding = |second: f64, n: usize| {
            let change =
                Change::between(&vec![10.0; n], &vec![second; n], Design::Separate, Scale::Ratio, 0.001)
                    .unwrap();
            change.finding(0.03, 1e-3)
        };
        assert_eq!(finding(10.0, 5), Finding::Same);
        assert_eq!(finding(12.0, 5), Finding::More);
        assert_eq!(finding(8.0, 5), Finding::Less);
        assert_eq!(finding(10.2, 5), Finding::Same);
        // Without a floor and a spread nothing divides by zero.
        let change = Change::between(&[1.0; 3], &[1.0; 3], Design::Pairs, Scale::Difference, 0.0).unwrap();
        assert_eq!((change.interval(0.01).low, change.interval(0.01).high), (0.0, 0.0));
    }

    #[test]
    fn all_looks_together_spend_one_and_a_half_times_the_error() {
        let sum: f64 = (LEAST..1_000_000).map(spent).sum();
        assert!((sum - 1.502).abs() < 1e-3, "{sum}");
    }

    /// How many of so many simulated rows are found to change at any look up to `most`, or the last if `once`.
    fn found(n: u64, most: usize, deviations: (f64, f64), common: f64, error: f64) -> u32 {
        let mut found = 0;
        for seed in 0..n {
            let mut random = Random::new(seed * 7919);
            let (mut first, mut second) = (Vec::new(), Vec::new());
            for look in 1..=most {
                let block = common * random.normal();
                first.push(100.0 + deviations.0 * random.normal() + block);
                second.push(100.0 + deviations.1 * random.normal() + block);
                let change = Change::between(&first, &second, Design::Pairs, Scale::Difference, 0.0);
                let Some(change) = change.filter(|_| look >= LEAST) else { continue };
                let interval = change.interval_of_looks(error);
                if 0.0 < interval.low || interval.high < 0.0 {
                    found += 1;
                    break;
                }
            }
        }
        found
    }

    #[test]
    fn looking_after_each_repeat_does_not_find_what_is_not_there() {
        // With an error of 4 %: at most 40 of 1,000, whatever differs.
        for (deviations, common) in [((1.0, 1.0), 0.0), ((1.0, 3.0), 0.0), ((1.0, 1.0), 3.0)] {
            let found = found(1_000, 16, deviations, common, 0.04);
            assert!((5..=40).contains(&found), "{found} of 1,000 with {deviations:?} and {common}");
        }
    }

    #[test]
    fn the_estimate_of_further_repeats_is_about_right() {
        let of = |deviation: f64| {
            let values = |middle: f64| [-1.0, 0.0, 1.0, -0.5, 0.5].map(|x| middle + deviation * x).to_vec();
            let change =
                Change::between(&values(100.0), &values(105.0), Design::Separate, Scale::Ratio, 0.001)
                    .unwrap();
            change.more_for_finding(0.03, 2e-4)
        };
        assert_eq!((of(0.3), of(30.0)), (Some(1), None));
        assert!((6..=12).contains(&of(3.0).unwrap()), "{:?}", of(3.0));
    }

    #[test]
    fn outliers_are_found_and_clean_values_are_not() {
        let values = [10.0, 10.1, 9.9, 10.05, 14.0, 9.95, 10.0, 10.02];
        assert_eq!(outliers(&values, 0.001).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [4]);
        assert_eq!(outliers(&[10.0, 10.0, 10.0, 10.0, 10.001], 0.01), []);
        assert_eq!(outliers(&values[..4], 0.001), []);
        let mut random = Random::new(3);
        let noisy = (0..1_000).filter(|_| {
            let values: Vec<f64> = (0..8).map(|_| random.normal()).collect();
            !outliers(&values, 1e-6).is_empty()
        });
        assert!(noisy.count() <= 5);
    }

    #[test]
    fn a_drift_is_told_from_a_change() {
        // Least squares by NumPy: `value ~ side + slope * place`.
        let values = [1.0, 1.1, 1.22, 1.28, 1.41, 1.5, 1.62, 1.69, 1.81, 1.88, 2.02, 2.1];
        let points: Vec<(f64, f64)> =
            values.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
        let drift = drift(&points[..6], &points[6..]).unwrap();
        check(drift.interval, -0.053_327_497_318_724_36, 0.065_232_259_223_487_38);
        assert!((drift.per_value - 0.099_285_71).abs() < 1e-7);
        let flat: Vec<(f64, f64)> =
            [1.0, 1.1, 0.9, 1.05].iter().enumerate().map(|(at, v)| (at as f64, *v)).collect();
        assert_eq!(super::drift(&flat, &flat), None);
        let constant = [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)];
        assert_eq!(super::drift(&constant, &constant), None);
    }
}
