//! How sure a share is: the lower bound of the share of frames that were on time.
//!
//! Frames that are late one by one are a binomial sample, whose exact bound is that of
//! Clopper and Pearson (1934). Late frames come in bursts, though, and ten late frames of one stall
//! say as much as one. The [`design_effect`] (Kish 1965) is the factor by which the variance of the
//! number of late frames exceeds the binomial one; divided by it, the number of frames is the
//! number of independent ones, and the bound is taken of that.
//!
//! Bursts that a window does not contain are in no bound: a window in which no frame is
//! late counts as independent frames. `docs/measuring.md` says what that means.

use super::beta::beta_quantile;

/// The one-sided lower bound of a share of which `n_good` of `n` independent trials
/// are good: the true share is above it in at least `confidence` of all samples. 299 of 299 are
/// at least 0.99 at 0.95. 0 if there are no trials.
///
/// # Panics
/// If more are good than there are, or `confidence` is not between 0 and 1.
#[must_use]
pub fn at_least_share(n_good: u64, n: u64, confidence: f64) -> f64 {
    assert!(n_good <= n, "{n_good} of {n} are good");
    bound((n - n_good) as f64, n as f64, confidence)
}

/// [`at_least_share`] where so many trials, the `effect`, count as one independent one; see
/// [`design_effect`].
///
/// # Panics
/// As [`at_least_share`].
#[must_use]
pub fn at_least_share_with(n_good: u64, n: u64, effect: f64, confidence: f64) -> f64 {
    assert!(n_good <= n, "{n_good} of {n} are good");
    let effect = effect.max(1.0);
    bound((n - n_good) as f64 / effect, n as f64 / effect, confidence)
}

/// [`at_least_share`] of a series of frames in the order in which they were due, with the
/// number of independent frames by its [`design_effect`].
#[must_use]
pub fn at_least_share_of(is_late: &[bool], confidence: f64) -> f64 {
    let effect = design_effect(is_late);
    bound(count(is_late) as f64 / effect, is_late.len() as f64 / effect, confidence)
}

/// How many frames would show a share of at least `wanted`, if frames go on to be late as
/// `n_late` of `n` were, with this [`design_effect`]. `None` if so many are late that no
/// number of frames would.
#[must_use]
pub fn frames_to_show(wanted: f64, n_late: u64, n: u64, effect: f64, confidence: f64) -> Option<u64> {
    let share_late = if n == 0 { 0.0 } else { n_late as f64 / n as f64 };
    if share_late >= 1.0 - wanted {
        return None;
    }
    let shows = |frames: u64| {
        let independent = frames as f64 / effect;
        bound(share_late * independent, independent, confidence) >= wanted
    };
    // Beyond this nobody measures.
    const MOST: u64 = 1 << 40;
    let mut high = 1;
    while !shows(high) {
        high *= 2;
        if high > MOST {
            return None;
        }
    }
    let mut low = high / 2;
    while low + 1 < high {
        let middle = low.midpoint(high);
        if shows(middle) { high = middle } else { low = middle }
    }
    Some(high)
}

/// The bound for numbers of trials that need not be whole.
fn bound(n_bad: f64, n: f64, confidence: f64) -> f64 {
    assert!(0.0 < confidence && confidence < 1.0, "{confidence} is no confidence");
    let n_good = n - n_bad;
    match () {
        () if n_good <= 0.0 => 0.0,
        // The quantile of this case in closed form.
        () if n_bad <= 0.0 => (1.0 - confidence).powf(1.0 / n),
        () => beta_quantile(1.0 - confidence, n_good, n_bad + 1.0),
    }
}

/// The factor, at least 1, by which bursts of late frames shrink the number of independent
/// frames: `n / design_effect`. `is_late` has all frames in the order in which they were due.
///
/// The effect is the greatest of three estimates, since each is blind to something:
/// - runs of late frames as they are: `sum(length^2) / sum(length)`, the variance of a
///   compound Poisson process over its mean (blind to spells in which every second frame is late);
/// - runs of geometric length with the same mean `L`: `2 L - 1` (for the one run that is
///   all a short window has);
/// - the variance between blocks of 2, 3, 4, 6, 9 ... frames, up to a tenth of the series, over the
///   binomial variance (needs many bursts).
///
/// It is itself uncertain where there are few bursts, so it is raised by the factor `1 + 2 / b`
/// for `b` bursts (late frames over the effect). With this, simulated bursts of 1 to 100 frames are covered.
#[must_use]
pub fn design_effect(is_late: &[bool]) -> f64 {
    let n_late = count(is_late);
    if n_late == 0 || n_late == is_late.len() {
        return 1.0;
    }
    let lengths = is_late.chunk_by(|a, b| a == b).filter(|run| run[0]).map(<[bool]>::len);
    let (n_runs, squares) = lengths.fold((0, 0), |(n, sum), length| (n + 1, sum + length * length));
    let n_late = n_late as f64;
    let of_runs = squares as f64 / n_late;
    let of_geometric = 2.0 * n_late / n_runs as f64 - 1.0;
    let effect = of_runs.max(of_geometric).max(block_effect(is_late));
    1.0 + (effect - 1.0) * (1.0 + 2.0 * effect / n_late)
}

/// The greatest ratio of the variance between blocks to that of independent frames.
fn block_effect(is_late: &[bool]) -> f64 {
    /// With fewer blocks a variance says nothing.
    const LEAST_BLOCKS: usize = 10;
    // Late frames before each frame, so that a block is a difference.
    let mut n_late = 0;
    let before: Vec<usize> = std::iter::once(0)
        .chain(is_late.iter().map(|late| {
            n_late += usize::from(*late);
            n_late
        }))
        .collect();
    let share = n_late as f64 / is_late.len() as f64;
    let mut greatest = 1.0_f64;
    let mut size = 2;
    while size <= is_late.len() / LEAST_BLOCKS {
        let expected = share * size as f64;
        let n_blocks = is_late.len() / size;
        let in_block = |block: usize| before[(block + 1) * size] - before[block * size];
        let squares: f64 = (0..n_blocks).map(|block| (in_block(block) as f64 - expected).powi(2)).sum();
        greatest = greatest.max(squares / (n_blocks as f64 - 1.0) / (expected * (1.0 - share)));
        size += (size / 2).max(1);
    }
    greatest
}

fn count(is_late: &[bool]) -> usize {
    is_late.iter().filter(|late| **late).count()
}

#[cfg(test)]
mod tests {
    use super::super::simulated::{Random, bursts};
    use super::*;

    #[test]
    fn bounds_are_those_of_clopper_and_pearson() {
        // `scipy.stats.beta.ppf(1 - confidence, k, n - k + 1)` of SciPy 1.17.
        for (n_good, n, confidence, expected) in [
            (299, 299, 0.95, 0.9900308532071007),
            (298, 299, 0.95, 0.9842332168723886),
            (299, 300, 0.95, 0.9842854451084161),
            (1, 1, 0.95, 0.05),
            (0, 10, 0.95, 0.0),
            (1, 10, 0.95, 0.005116196891823705),
            (5, 10, 0.95, 0.22244110100812942),
            (9, 10, 0.9, 0.6631522766932753),
            (8910, 9000, 0.95, 0.9880960398161196),
            (53460, 54000, 0.95, 0.9892665908402515),
            (215_000, 216_000, 0.95, 0.9951228136539377),
            (215_999, 216_000, 0.99, 0.9999692672896916),
            (0, 0, 0.95, 0.0),
        ] {
            let found = at_least_share(n_good, n, confidence);
            assert!((found - expected).abs() < 1e-9, "{n_good} of {n}: {found} instead of {expected}");
        }
        assert!(at_least_share(298, 298, 0.95) < 0.99);
    }

    #[test]
    fn dependent_trials_are_fewer_ones() {
        for (n_good, n, effect) in [(299, 299, 1.0), (8910, 9000, 6.0), (0, 10, 2.0), (7, 7, 3.5)] {
            let found = at_least_share_with(n_good, n, effect, 0.95);
            let (good, all) = (n_good as f64 / effect, n as f64 / effect);
            let error = found - bound(all - good, all, 0.95);
            assert!(error.abs() < 1e-12, "{n_good} of {n} at {effect}: {error}");
        }
        assert_eq!(at_least_share_with(298, 299, 1.0, 0.95), at_least_share(298, 299, 0.95));
        assert_eq!(at_least_share_with(298, 299, f64::NAN, 0.95), at_least_share(298, 299, 0.95));
    }

    #[test]
    fn frames_that_would_decide_are_as_few_as_possible() {
        assert_eq!(frames_to_show(0.99, 0, 40, 1.0, 0.95), Some(299));
        assert_eq!(frames_to_show(0.99, 0, 0, 1.0, 0.95), Some(299));
        assert_eq!(frames_to_show(0.99, 1, 100, 1.0, 0.95), None);
        for (n_late, n, effect) in [(1, 300, 1.0), (3, 900, 5.0), (2, 900, 9.0)] {
            let frames = frames_to_show(0.99, n_late, n, effect, 0.95).unwrap();
            let bound = |frames: u64| {
                let independent = frames as f64 / effect;
                bound(independent * n_late as f64 / n as f64, independent, 0.95)
            };
            assert!(bound(frames) >= 0.99 && bound(frames - 1) < 0.99, "{frames}");
        }
    }

    fn series(text: &str) -> Vec<bool> {
        text.bytes().map(|one| one == b'#').collect()
    }

    #[test]
    fn bursts_are_fewer_independent_frames() {
        let effect = |text: String| (design_effect(&series(&text)) * 100.0).round() / 100.0;
        // Nothing, or all of it, is late; 20 single frames far from each other.
        assert_eq!(effect(".".repeat(300)), 1.0);
        assert_eq!(effect("#".repeat(300)), 1.0);
        assert_eq!(design_effect(&[]), 1.0);
        assert_eq!(effect(format!("#{}", ".".repeat(99)).repeat(20)), 1.0);
        // 20 bursts of 4: at least the 7 of geometric lengths, more because 20 are few.
        let bursts = effect(format!("####{}", ".".repeat(96)).repeat(20));
        assert!((7.0..9.0).contains(&bursts), "{bursts}");
        // One burst of 4 could as well be the shortest of its kind.
        let one = effect(format!("####{}", ".".repeat(496)));
        assert!((20.0..40.0).contains(&one), "{one}");
        // A spell in which every second frame is late has no runs, but it is one burst.
        let spell = effect(format!("{}{}", "#.".repeat(30), ".".repeat(940)));
        assert!(spell > 30.0, "{spell}");
    }

    /// In how many of 1,000 windows each bound, corrected and not, is below the true share;
    /// windows of 300 to 9,000 frames, at most a fifth of them in bursts, that contain 6 to 20
    /// bursts on average.
    fn covered(mean_length: f64, share_in_burst: f64) -> [usize; 2] {
        let mut random = Random::new(mean_length.to_bits() ^ share_in_burst.to_bits());
        let most_bursts = |n_frames: usize| (0.2 * n_frames as f64 / mean_length).min(20.0);
        let lengths: Vec<usize> =
            [300, 600, 900, 1800, 3000, 9000].into_iter().filter(|n| most_bursts(*n) >= 6.0).collect();
        let mut covered = [0; 2];
        for n_frames in lengths.into_iter().cycle().take(1000) {
            let n_bursts = 6.0 + (most_bursts(n_frames) - 6.0) * random.fraction();
            let share = n_bursts * mean_length / n_frames as f64;
            let is_late = bursts(&mut random, n_frames, share, mean_length, share_in_burst);
            let is_good = 1.0 - share * share_in_burst;
            let n_good = (n_frames - count(&is_late)) as u64;
            covered[0] += usize::from(at_least_share_of(&is_late, 0.95) <= is_good);
            covered[1] += usize::from(at_least_share(n_good, n_frames as u64, 0.95) <= is_good);
        }
        covered
    }

    #[test]
    fn the_true_share_is_above_the_corrected_bound_in_93_of_100_windows() {
        for (mean_length, share_in_burst) in
            [(1.0, 1.0), (2.0, 1.0), (5.0, 1.0), (15.0, 1.0), (60.0, 1.0), (5.0, 0.5), (60.0, 0.5)]
        {
            let [corrected, plain] = covered(mean_length, share_in_burst);
            let kind = format!("bursts of {mean_length}, {share_in_burst} of them late");
            assert!(corrected >= 930, "{kind}: {corrected} of 1000");
            // Without bursts the exact bound is right; with them it is not.
            let is_wrong = plain < 930;
            assert_eq!(is_wrong, mean_length > 1.0, "{kind}: uncorrected {plain} of 1000");
        }
    }
}
