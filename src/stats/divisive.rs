//! Where does a series of values change? E-divisive by Matteson and James (2014), for one quantity.
//!
//! The energy statistic of two neighbouring pieces of a series is large if their distributions differ, in
//! whatever way, and asks for no distribution. Over all places of a segment, and all ends of the piece after it, the
//! largest statistic is a candidate. It is accepted if at most `error` of the series with the same values in
//! another order, each segment shuffled by itself, have one as large; then both parts are searched in turn. The
//! orders come from a seed, so the same series has the same changes.
//!
//! The test supposes that values of one segment could have come in any order. A series that wanders has
//! changes by it, too: they are changes, but nothing happened at them.
//!
//! Not here: what happened at a change (`record::comparison::history`).

/// The fewest values on either side of a change.
pub const LEAST: usize = 3;

/// Fewer values have too few orders for a change that is sure at 1 %: of 9 values, 2 of 126 orders part the lower from the
/// higher ones.
pub const FEWEST: usize = 10;

/// Orders that a candidate is compared with.
const ORDERS: usize = 499;

/// The places of changes, ascending: a change at 7 lies before the value with index 7. `values` are finite.
#[must_use]
pub fn changes(values: &[f64], error: f64, seed: u64) -> Vec<usize> {
    let mut random = Shuffle(seed);
    let mut borders = vec![0, values.len()];
    loop {
        let best = best(values, &borders);
        let Some((at, statistic)) = best else { break };
        let mut shuffled = values.to_vec();
        let as_large = (0..ORDERS).filter(|_| {
            borders.windows(2).for_each(|segment| random.shuffle(&mut shuffled[segment[0]..segment[1]]));
            self::best(&shuffled, &borders).is_some_and(|(_, other)| other >= statistic * (1.0 - 1e-12))
        });
        let p = (as_large.count() + 1) as f64 / (ORDERS + 1) as f64;
        if p > error {
            break;
        }
        let place = borders.partition_point(|border| *border < at);
        borders.insert(place, at);
    }
    borders[1..borders.len() - 1].to_vec()
}

/// The place with the largest statistic of all segments, and that.
fn best(values: &[f64], borders: &[usize]) -> Option<(usize, f64)> {
    let of = |segment: &[usize]| {
        let (at, statistic) = best_of_segment(&values[segment[0]..segment[1]])?;
        Some((segment[0] + at, statistic))
    };
    borders
        .windows(2)
        .filter_map(of)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, statistic)| *statistic > 0.0)
}

/// The same of one segment.
fn best_of_segment(values: &[f64]) -> Option<(usize, f64)> {
    let n = values.len();
    if n < 2 * LEAST {
        return None;
    }
    // `sums[i][j]`: the distances of the first i values from the first j.
    let mut sums = vec![vec![0.0; n + 1]; n + 1];
    for i in 0..n {
        let mut row = 0.0;
        for j in 0..n {
            row += (values[i] - values[j]).abs();
            sums[i + 1][j + 1] = sums[i][j + 1] + row;
        }
    }
    let mut best: Option<(usize, f64)> = None;
    for at in LEAST..=n - LEAST {
        for end in at + LEAST..=n {
            let (before, after) = (at as f64, (end - at) as f64);
            let within_before = sums[at][at];
            let across = sums[at][end] - within_before;
            let within_after = sums[end][end] - sums[end][at] - sums[at][end] + within_before;
            // Sums within a piece have each pair twice, as the number of pairs below.
            let energy = 2.0 * across / (before * after)
                - within_before / (before * (before - 1.0))
                - within_after / (after * (after - 1.0));
            let statistic = before * after / (before + after) * energy;
            if best.is_none_or(|(_, most)| statistic > most) {
                best = Some((at, statistic));
            }
        }
    }
    best
}

/// Orders from a seed: SplitMix64 (Steele, Lea and Flood 2014), and the shuffle of Fisher and Yates.
struct Shuffle(u64);

impl Shuffle {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The high half of the product is below the limit, and even enough for limits far below 2^64.
        ((u128::from(mixed) * limit as u128) >> 64) as usize
    }

    fn shuffle(&mut self, values: &mut [f64]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulated::Random;
    use super::*;

    fn series(seed: u64, levels: &[(usize, f64)]) -> Vec<f64> {
        let mut random = Random::new(seed);
        levels.iter().flat_map(|(n, level)| vec![*level; *n]).map(|level| level + random.normal()).collect()
    }

    #[test]
    fn known_changes_are_found_where_they_are() {
        let near = |found: &[usize], expected: &[usize]| {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.abs_diff(*b) <= 1)
        };
        let mut right = 0;
        for seed in 0..20 {
            let values = series(seed, &[(15, 10.0), (12, 15.0), (13, 9.0)]);
            right += u32::from(near(&changes(&values, 0.01, 1), &[15, 27]));
        }
        assert!(right >= 19, "{right} of 20");
    }

    #[test]
    fn a_series_without_a_change_has_none() {
        let found = (0..60).filter(|seed| !changes(&series(*seed, &[(24, 10.0)]), 0.01, 1).is_empty());
        assert!(found.count() <= 2);
        assert_eq!(changes(&[5.0; 20], 0.01, 1), Vec::<usize>::new());
        assert_eq!(changes(&[], 0.01, 1), Vec::<usize>::new());
        assert_eq!(changes(&[1.0, 9.0, 1.0], 0.01, 1), Vec::<usize>::new());
    }

    #[test]
    fn the_statistic_is_that_of_the_paper() {
        // By hand: 3 values of 0, then 3 of 1: all distances across are 1, none within.
        // 3 * 3 / 6 * (2 * 9 / 9) = 3.
        assert_eq!(best_of_segment(&[0.0, 0.0, 0.0, 1.0, 1.0, 1.0]), Some((3, 3.0)));
        let step = [[0.0; 7], [1.0; 7]].concat();
        assert_eq!(changes(&step, 0.01, 1), [7]);
    }
}
