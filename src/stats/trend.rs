//! Whether a level rises with time, and how fast: memory in use, open files.
//!
//! The series is cut into [`BATCHES`] spans of equal length, and the level of each is the mean of
//! the middle half of its values, so that a short peak moves none. The slope is the mean of the
//! steps from level to level, and its interval is that of Student's t for these steps. It is
//! wider than that of a straight line through all values, on purpose: levels may wander. A
//! random walk, whose line looks steep, has steps around zero (those of its levels have a
//! correlation of a quarter, as levels are means, which the interval allows for); a single step up among flat
//! spans has a t of 1, whatever its size; the teeth of a saw go down as far as they went up.
//! Neighbouring values may depend on each other within a span and beyond it, as no use is made
//! of their number.
//!
//! A rise is *steady* if it goes on: the last third of the series rises at least three quarters as
//! much as the first third, nine tenths in less than ten minutes, in which much is still filling that
//! began just before (a cache that fills flattens); and its last level is above all that was seen in
//! the first span (a saw tooth has been there before).
//!
//! The levels hide what begins in the last span, and a minority of values that grows. So the *new
//! heights* of the last span are told: how far its highest tenth lies above all that was before.
//!
//! What cannot be told from a series: a cache that fills for much longer than the
//! series lasts, or a tooth that is longer than it, rises as steadily as a leak does.

use serde::{Deserialize, Serialize};

use super::beta::student_quantile;

/// The spans of a series, and the least number of its points.
pub const BATCHES: usize = 12;

/// The steps from span to span that make a third.
const THIRD: usize = 4;

/// The least rise of the last third, as a part of that of the first one; and in a series that is
/// shorter than that, in microseconds.
const GOES_ON: f64 = 0.75;
const GOES_ON_SHORT: f64 = 0.9;
const SHORT_US: u64 = 500_000_000;

/// The variance of the mean of steps of a random walk's levels over that of independent ones:
/// 1 + 2 * 1/4.
const ALIKE: f64 = 1.5;

/// How a level changes with time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// The mean change, in units an hour.
    pub per_hour: f64,
    /// The range in which it lies with the confidence that was asked for.
    pub low: f64,
    pub high: f64,
    /// Whether it rises and goes on to rise.
    pub is_steady: bool,
    /// The tenth highest of a hundred values of the last span, less the most of all spans before, in
    /// units of the series. Above 0, values have come that were not there before.
    pub new_heights: f64,
}

/// The trend of values at times in microseconds, in ascending order. `None` if there are fewer
/// than [`BATCHES`], or a twelfth of the time has none.
///
/// # Panics
/// If `confidence` is not between 0 and 1.
#[must_use]
pub fn trend(points: &[(u64, f64)], confidence: f64) -> Option<Trend> {
    assert!(0.0 < confidence && confidence < 1.0, "{confidence} is no confidence");
    let (begin_us, end_us) = (points.first()?.0, points.last()?.0);
    let length_us = end_us.checked_sub(begin_us).filter(|length| *length > 0)?;
    let mut batches: [Vec<f64>; BATCHES] = Default::default();
    for (at_us, value) in points {
        // The last point belongs to the last span.
        let index = at_us.saturating_sub(begin_us) as f64 / length_us as f64 * BATCHES as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 12")]
        batches[(index as usize).min(BATCHES - 1)].push(*value);
    }
    if batches.iter().any(Vec::is_empty) {
        return None;
    }
    let most = |values: &[f64]| values.iter().copied().fold(f64::MIN, f64::max);
    let first_most = most(&batches[0]);
    let before = batches[..BATCHES - 1].iter().map(|batch| most(batch)).fold(f64::MIN, f64::max);
    let new_heights = highest_tenth(&batches[BATCHES - 1]) - before;
    let levels = batches.map(middle_mean);
    let steps: Vec<f64> = levels.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let n = steps.len() as f64;
    let mean = steps.iter().sum::<f64>() / n;
    let variance = steps.iter().map(|step| (step - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = student_quantile(0.5 + 0.5 * confidence, n - 1.0) * (ALIKE * variance / n).sqrt();
    let rise = |steps: &[f64]| steps.iter().sum::<f64>();
    let least = if length_us < SHORT_US { GOES_ON_SHORT } else { GOES_ON };
    let goes_on = rise(&steps[steps.len() - THIRD..]) >= least * rise(&steps[..THIRD]);
    let spans_an_hour = 3.6e9 * BATCHES as f64 / length_us as f64;
    Some(Trend {
        per_hour: mean * spans_an_hour,
        low: (mean - half) * spans_an_hour,
        high: (mean + half) * spans_an_hour,
        is_steady: mean > 0.0 && goes_on && first_most < levels[BATCHES - 1],
        new_heights,
    })
}

/// The value that a tenth of them reaches, of at least one.
fn highest_tenth(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() - 1 - values.len() / 10]
}

/// The mean of the middle half of values, which are at least one.
fn middle_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let middle = &values[quarter..values.len() - quarter];
    middle.iter().sum::<f64>() / middle.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::simulated::Random;
    use super::*;

    /// As for ten series of one run: 99.99 %.
    const CONFIDENCE: f64 = 0.9999;
    const MIB: f64 = 1_048_576.0;

    /// A value a second.
    fn points(values: impl IntoIterator<Item = f64>) -> Vec<(u64, f64)> {
        (0..).map(|second| second * 1_000_000).zip(values).collect()
    }

    fn of(values: impl IntoIterator<Item = f64>) -> Trend {
        trend(&points(values), CONFIDENCE).unwrap()
    }

    fn leaks(trend: &Trend) -> bool {
        trend.low > 0.0 && trend.is_steady
    }

    #[test]
    fn a_line_has_its_slope_and_nearly_no_interval() {
        let line = of((0..600).map(|second| 7.0 + f64::from(second) / 60.0));
        assert!((line.per_hour - 60.0).abs() < 0.2, "{line:?}");
        assert!(line.high - line.low < 0.5 && line.is_steady, "{line:?}");
        let flat = of([7.0; 600]);
        assert_eq!((flat.per_hour, flat.low, flat.high, flat.is_steady), (0.0, 0.0, 0.0, false));
    }

    #[test]
    fn too_few_points_and_long_holes_have_no_trend() {
        assert_eq!(trend(&[], CONFIDENCE), None);
        assert_eq!(trend(&[(5, 1.0); 20], CONFIDENCE), None);
        assert_eq!(trend(&points([1.0; 11]), CONFIDENCE), None);
        assert!(trend(&points([1.0; 13]), CONFIDENCE).is_some());
        let mut holes = points([1.0; 120]);
        holes.retain(|(at_us, _)| !(40_000_000..60_000_000).contains(at_us));
        assert_eq!(trend(&holes, CONFIDENCE), None);
    }

    #[test]
    fn a_file_a_minute_is_found_within_ten_minutes() {
        for offset in 0..60 {
            let found = of((0..600).map(|second| f64::from(20 + (second + offset) / 60)));
            assert!(leaks(&found), "{offset}: {found:?}");
            assert!((found.per_hour - 60.0).abs() < 8.0, "{offset}: {found:?}");
        }
    }

    /// Noise of which each value is `part` of the one before it.
    fn regressive(random: &mut Random, part: f64, sigma: f64) -> impl FnMut() -> f64 + use<> {
        let scale = sigma * (1.0 - part * part).sqrt();
        let mut value = sigma * random.normal();
        let mut own = Random::new((random.fraction() * 1e15) as u64);
        move || {
            value = part * value + scale * own.normal();
            value
        }
    }

    #[test]
    fn ten_megabytes_a_minute_are_found_within_ten_minutes_of_noise() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let part = [0.0, 0.9, 0.98][seed as usize % 3];
            let mut noise = regressive(&mut random, part, MIB);
            let found = of((0..600).map(|second| 200.0 * MIB + f64::from(second) * 1e7 / 60.0 + noise()));
            assert!(leaks(&found), "{seed}: {found:?}");
            assert!((found.per_hour / 6e8 - 1.0).abs() < 0.1, "{seed}: {found:?}");
        }
    }

    /// Memory of a process that does not leak, for `n` seconds.
    fn quiet(random: &mut Random, kind: u64, n: usize) -> Vec<f64> {
        let length = n as f64;
        let mut draw = |low: f64, high: f64| low + (high - low) * random.fraction();
        match kind {
            // Up to four steps, of which each stays.
            0 => {
                let steps: Vec<(f64, f64)> =
                    (0..4).map(|_| (draw(-0.5, 1.0) * length, draw(0.1, 40.0) * MIB)).collect();
                let level = |at: f64| steps.iter().filter(|(from, _)| *from < at).map(|(_, by)| by).sum();
                (0..n).map(|at| level(at as f64)).collect()
            }
            // A garbage collector: teeth of up to the length of the series.
            1 => {
                let (period, phase, height) = (draw(3.0, length), draw(0.0, 1.0), draw(0.1, 200.0) * MIB);
                (0..n).map(|at| (at as f64 / period + phase).fract() * height).collect()
            }
            // A cache that fills: it began some seconds before the window.
            2 => {
                let (ago, scale, height) = (draw(2.0, 60.0), draw(1.0, length), draw(0.1, 50.0) * MIB);
                (0..n).map(|at| height * ((at as f64 + ago) / scale).ln_1p()).collect()
            }
            // A pool that fills to its brim.
            3 => {
                let (scale, height) = (draw(1.0, length), draw(0.1, 200.0) * MIB);
                (0..n).map(|at| height * (1.0 - (-(at as f64) / scale).exp())).collect()
            }
            // A cache that takes in and evicts at random, in pages.
            4 => {
                let (size, mut level) = (draw(4_096.0, MIB), 0.0);
                let mut own = Random::new((draw(0.0, 1.0) * 1e15) as u64);
                (0..n)
                    .map(|_| {
                        level += size * own.normal();
                        level
                    })
                    .collect()
            }
            _ => {
                let (part, sigma) = (draw(0.0, 0.999), draw(0.01, 20.0) * MIB);
                let mut noise = regressive(random, part, sigma);
                (0..n).map(|_| noise()).collect()
            }
        }
    }

    #[test]
    fn none_of_thousands_of_quiet_series_leaks() {
        let mut wrong = Vec::new();
        for seed in 0..3_000 {
            let mut random = Random::new(seed);
            let n = [60, 600, 3_600][seed as usize % 3];
            let kind = seed / 3 % 6;
            let mut noise = regressive(&mut random, 0.8, 0.02 * MIB);
            let values: Vec<f64> =
                quiet(&mut random, kind, n).into_iter().map(|value| value + noise()).collect();
            let found = of(values);
            if leaks(&found) {
                wrong.push((seed, kind, n, found));
            }
        }
        assert!(wrong.is_empty(), "{}: {wrong:?}", wrong.len());
    }

    #[test]
    fn new_heights_are_those_of_a_tenth_of_the_last_span() {
        let heights = |value: &dyn Fn(u32) -> f64| of((0..1_200).map(value)).new_heights;
        // A rise in the last twentieth, to 60.
        let end = heights(&|second| f64::from(second.saturating_sub(1_139)));
        assert!((40.0..60.0).contains(&end), "{end}");
        // Every fourth value grows.
        let peaks = heights(&|second| if second % 4 == 0 { f64::from(second) } else { 0.0 });
        assert!((50.0..100.0).contains(&peaks), "{peaks}");
        // One peak is nothing, and so is what has been there before.
        assert_eq!(heights(&|second| if second == 1_150 { 99.0 } else { 0.0 }), 0.0);
        assert!(heights(&|second| if second == 50 { 99.0 } else { f64::from(second / 1_150) }) < 0.0);
    }

    #[test]
    fn the_interval_of_a_wandering_level_has_its_slope() {
        let mut covered = 0;
        for seed in 0..400 {
            let mut random = Random::new(seed);
            let mut level = 0.0;
            let found = trend(
                &points((0..600).map(|_| {
                    level += random.normal();
                    level
                })),
                0.95,
            );
            covered += u32::from(found.is_some_and(|found| found.low <= 0.0 && 0.0 <= found.high));
        }
        // 95 % of 400, within three standard errors.
        assert!((367..=393).contains(&covered), "{covered}");
    }
}
