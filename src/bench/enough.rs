//! When a cell has been measured often enough.
//!
//! The rule looks at how wide the interval of the main metric is, and never at a difference from
//! another cell: whoever stops when a difference shows finds differences that are not there. Where a
//! verdict depends on the answer (`--gate`), the number of repeats is fixed beforehand.

use crate::stats::Repeats;

/// How sure an interval is.
pub const CONFIDENCE: f64 = 0.95;

/// How often a cell is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// At least so often.
    pub least: usize,
    /// At most so often. Equal to `least`: exactly.
    pub most: usize,
    /// Until half of each interval is this share of its mean.
    pub within: f64,
}

/// What a cell still needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// About so many more repeats, at least 1.
    More(usize),
}

impl Rule {
    /// Exactly so many.
    #[must_use]
    pub fn exactly(n: usize) -> Rule {
        Rule { least: n, most: n, within: f64::INFINITY }
    }

    /// What a cell with `n` good repeats needs. `series` are its values of the main metric, one list
    /// for each place that has any; without, the least number is enough.
    #[must_use]
    pub fn need(&self, n: usize, series: &[Vec<f64>]) -> Need {
        if self.most <= n {
            return Need::Nothing;
        }
        let mut wanted = self.least;
        for repeats in series.iter().filter_map(|values| Repeats::of(values, CONFIDENCE)) {
            if repeats.relative().is_some_and(|half| half <= self.within) {
                continue;
            }
            let by_spread = repeats.needed(self.within, CONFIDENCE, self.most).unwrap_or(self.most);
            // With two or three values, the spread itself is hardly known.
            let at_least = if self.least <= n { n + 1 } else { self.least };
            wanted = wanted.max(by_spread).max(at_least);
        }
        match wanted.min(self.most).saturating_sub(n) {
            0 => Need::Nothing,
            more => Need::More(more),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { least: 5, most: 20, within: 0.02 };

    fn spread(n: usize, by: f64) -> Vec<f64> {
        (0..n).map(|index| 100.0 + by * [-1.0, 1.0, 0.0, -0.5, 0.5][index % 5]).collect()
    }

    #[test]
    fn steady_values_need_the_least_number_and_others_more() {
        let need = |n, by| RULE.need(n, &[spread(n, by)]);
        assert_eq!(need(0, 1.0), Need::More(5));
        assert_eq!(need(3, 0.0), Need::More(2));
        assert_eq!(need(5, 1.0), Need::Nothing);
        assert_eq!(need(5, 4.0), Need::More(8));
        assert_eq!(need(19, 50.0), Need::More(1));
        assert_eq!(need(20, 50.0), Need::Nothing);
    }

    #[test]
    fn the_widest_interval_decides_and_no_value_needs_no_more() {
        assert_eq!(RULE.need(5, &[spread(5, 0.1), spread(5, 4.0)]), Need::More(8));
        assert_eq!(RULE.need(5, &[]), Need::Nothing);
        assert_eq!(RULE.need(4, &[]), Need::More(1));
        // A mean of 0 never has a narrow interval.
        assert_eq!(RULE.need(6, &[vec![-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]]), Need::More(14));
    }

    #[test]
    fn an_exact_number_is_asked_whatever_the_spread() {
        assert_eq!(Rule::exactly(3).need(2, &[spread(2, 90.0)]), Need::More(1));
        assert_eq!(Rule::exactly(3).need(3, &[spread(3, 90.0)]), Need::Nothing);
        assert_eq!(Rule::exactly(3).need(7, &[]), Need::Nothing);
    }
}
