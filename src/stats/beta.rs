//! The incomplete beta function, and the quantiles that follow from it: of shares and of
//! Student's t.

/// The natural logarithm of the gamma function of `x > 0`, by Stirling's series beyond
/// 10; relative error below 1e-14.
fn ln_gamma(x: f64) -> f64 {
    // Gamma(x) = Gamma(x + 1) / x moves small arguments to where the series converges.
    let mut shifted = x;
    let mut product = 1.0;
    while shifted < 10.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let square = 1.0 / (shifted * shifted);
    let series = (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0))) / shifted;
    let half_ln_tau = 0.5 * std::f64::consts::TAU.ln();
    (shifted - 0.5) * shifted.ln() - shifted + half_ln_tau + series - product.ln()
}

/// The regularised incomplete beta function I_x(a, b) for `a, b > 0`: the probability that a
/// variable of the beta distribution is at most `x`. By the continued fraction of Abramowitz and
/// Stegun 26.5.8 with Lentz's method.
pub(super) fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || 1.0 <= x {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // The fraction converges fast on this side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta_low(1.0 - x, b, a);
    }
    incomplete_beta_low(x, a, b)
}

/// [`incomplete_beta`] where `x` is not far above the mean.
fn incomplete_beta_low(x: f64, a: f64, b: f64) -> f64 {
    /// In place of a zero, through which the recurrence would divide.
    const TINY: f64 = 1e-300;
    let whole = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / whole(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    let mut m = 0.0;
    loop {
        m += 1.0;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / whole(1.0 + term * d);
            c = whole(1.0 + term / c);
            step = c * d;
            fraction *= step;
        }
        // It needs about sqrt(max(a, b)) terms; the limit only guards against NaN.
        if (step - 1.0).abs() < 1e-15 || m > 1e5 {
            break;
        }
    }
    let ln_front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    ln_front.exp() * fraction / a
}

/// The `x` in 0 to 1 with I_x(a, b) = `probability`, by Newton's method on logarithms, which suits small
/// probabilities; by bisection where that leaves the bracket.
pub(super) fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    let ln_beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let (mut low, mut high) = (0.0, 1.0);
    let mut x = 0.5;
    // A dozen steps do; twice as many as bisection needs are a bound.
    for _ in 0..2_200 {
        let value = incomplete_beta(x, a, b);
        if value < probability {
            low = x
        } else {
            high = x
        }
        let slope = ((a - 1.0) * x.ln() + (b - 1.0) * (-x).ln_1p() - ln_beta).exp();
        let next = x * (-(value.ln() - probability.ln()) * value / (x * slope)).exp();
        // Also false for NaN.
        let next = if low < next && next < high { next } else { 0.5 * (low + high) };
        if (next - x).abs() <= 1e-15 * x || next <= low || high <= next {
            return next;
        }
        x = next;
    }
    x
}

/// The quantile of Student's t with `degrees` of freedom (need not be whole) for a
/// `probability` of at least a half.
pub(super) fn student_quantile(probability: f64, degrees: f64) -> f64 {
    student_two_sided(2.0 * (1.0 - probability), degrees)
}

/// The `t` that the absolute value of Student's t exceeds with the probability `error`, also where that
/// is so small that `1 - error` would lose its digits.
pub(super) fn student_two_sided(error: f64, degrees: f64) -> f64 {
    // P(|T| > t) = I_x(degrees / 2, 1 / 2) with x = degrees / (degrees + t^2).
    let x = beta_quantile(error, 0.5 * degrees, 0.5);
    (degrees * (1.0 - x) / x).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: f64, expected: f64) {
        let error = (found - expected).abs() / expected.abs().max(1e-3);
        assert!(error < 1e-9, "{found} instead of {expected}");
    }

    // The expected values are those of SciPy 1.17: `gammaln`, `betainc`, `beta.ppf`, `t.ppf`.

    #[test]
    fn logarithms_of_gamma() {
        for (x, expected) in [
            (0.5, 0.5723649429247),
            (1.0, 0.0),
            (3.3, 0.9870985778947343),
            (10.0, 12.801827480081469),
            (100.5, 361.43554046777757),
            (54001.0, 534430.2908892453),
        ] {
            check(ln_gamma(x), expected);
        }
    }

    #[test]
    fn probabilities_of_the_beta_distribution() {
        for (x, a, b, expected) in [
            (0.1, 0.5, 0.5, 0.20483276469913345),
            (0.5, 2.0, 3.0, 0.6875),
            (0.99, 300.0, 1.0, 0.04904089407128572),
            (0.99, 53460.0, 541.0, 0.5114425982587374),
            (0.9, 20.0, 2.0, 0.364729963771708),
            (0.001, 0.5, 20.0, 0.15758381398363844),
            (0.0, 2.0, 3.0, 0.0),
            (1.0, 2.0, 3.0, 1.0),
        ] {
            check(incomplete_beta(x, a, b), expected);
        }
    }

    #[test]
    fn quantiles_of_students_t() {
        for (probability, degrees, expected) in [
            (0.975, 1.0, 12.706204736174694),
            (0.975, 2.0, 4.302652729749462),
            (0.975, 3.5, 2.9400886379827282),
            (0.975, 9.0, 2.262157162798205),
            (0.95, 5.0, 2.0150483733330233),
            (0.975, 599.0, 1.9639322489452784),
            (0.975, 1e5, 1.9599877075346095),
        ] {
            check(student_quantile(probability, degrees), expected);
        }
    }
}
