//! 95 % intervals of a mean, or the reason why there is none.
//!
//! An interval claims that the values are independent. Seconds of one stream
//! are when the machine keeps up; while it slowly drowns they are not, and an
//! interval would look far too narrow. So a positive correlation of neighbours
//! that chance does not explain refuses it. A negative one (a paced source
//! delivers 14 frames after 16) only makes the interval wider than it need be.

use super::mean;

/// Fewer values than this have no interval.
pub const MIN_SECONDS: usize = 5;

/// Why there is no interval.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq)]
pub enum NoInterval {
    /// Fewer than [`MIN_SECONDS`].
    #[error("too few whole seconds ({found} of at least {MIN_SECONDS})")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// Neighbours resemble each other more than chance explains.
    #[error("the seconds are not independent (correlation of neighbours {correlation:.2})")]
    Dependent {
        /// The lag-1 autocorrelation.
        correlation: f64,
    },
}

/// Half the width of the 95 % interval of the mean of `values`, in their order
/// of time.
///
/// # Errors
/// When there are fewer than [`MIN_SECONDS`], or they are not independent:
/// their lag-1 autocorrelation exceeds `2 / sqrt(n)`.
pub fn half_width95(values: &[f64]) -> Result<f64, NoInterval> {
    let n = values.len();
    let Some(mean) = mean(values).filter(|_| n >= MIN_SECONDS) else {
        return Err(NoInterval::TooFew { found: n });
    };
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if squares == 0.0 {
        return Ok(0.0);
    }
    let products: f64 = values.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
    let correlation = products / squares;
    if correlation > 2.0 / (n as f64).sqrt() {
        return Err(NoInterval::Dependent { correlation });
    }
    let deviation = (squares / (n - 1) as f64).sqrt();
    Ok(student_t975(n - 1) * deviation / (n as f64).sqrt())
}

/// The 97.5 % quantile of Student's t distribution.
fn student_t975(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    match freedom.checked_sub(1).and_then(|index| TABLE.get(index)) {
        Some(quantile) => *quantile,
        None => {
            // Cornish and Fisher's expansion around the normal quantile; its
            // error beyond the table is below 0.001.
            let z = 1.959_964_f64;
            let freedom = freedom.max(1) as f64;
            let first = (z.powi(3) + z) / 4.0;
            let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
            z + first / freedom + second / freedom.powi(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(values: &[f64], expect: Expect) {
        let text = match half_width95(values) {
            Ok(half) => format!("{half:.4}"),
            Err(reason) => reason.to_string(),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn the_interval_follows_student() {
        // Mean 15, deviation sqrt(4/4) = 1, t(4) = 2.776: 2.776 / sqrt(5).
        check(&[14.0, 16.0, 15.0, 16.0, 14.0], expect!["1.2415"]);
        check(&[15.0; 30], expect!["0.0000"]);
    }

    #[test]
    fn few_or_dependent_values_have_none() {
        check(&[15.0; 4], expect!["too few whole seconds (4 of at least 5)"]);
        check(&[15.0], expect!["too few whole seconds (1 of at least 5)"]);
        let drowning: Vec<f64> = (0..20).map(f64::from).collect();
        check(&drowning, expect!["the seconds are not independent (correlation of neighbours 0.85)"]);
    }

    #[test]
    fn quantiles_agree_with_the_tables() {
        for (freedom, expected) in [(1, 12.706), (30, 2.042), (40, 2.021), (60, 2.000), (120, 1.980)] {
            assert!((student_t975(freedom) - expected).abs() < 0.001, "{freedom}");
        }
    }
}
