//! The order in which cells are measured: random, and the same for the same seed.
//!
//! Each round is one *block* that has every cell once (a randomised complete block design), so a machine
//! that gets warmer or busier meets all cells alike, and neighbours can be compared as pairs.

/// A permutation of `0..n` for a round; other rounds and seeds have others.
#[must_use]
pub fn block(seed: u64, round: u64, n: usize) -> Vec<usize> {
    let mut numbers = Numbers(seed ^ round.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17));
    let mut order: Vec<usize> = (0..n).collect();
    // Fisher and Yates, in the form of Durstenfeld.
    for last in (1..n).rev() {
        order.swap(last, numbers.below(last + 1));
    }
    order
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough for an order, not for secrets.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is at most a few hundred: the bias of a product is below 2^-55.
    fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.next()) * n as u128;
        usize::try_from(product >> 64).expect("it is below `n`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        // The first outputs of the reference implementation for the seed 1234567.
        let mut numbers = Numbers(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| numbers.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_block_has_every_cell_once_and_depends_on_seed_and_round() {
        for n in [0, 1, 2, 7, 256] {
            let mut order = block(3, 5, n);
            order.sort_unstable();
            assert_eq!(order, (0..n).collect::<Vec<_>>());
        }
        assert_eq!(block(1, 0, 20), block(1, 0, 20));
        assert_ne!(block(1, 0, 20), block(1, 1, 20));
        assert_ne!(block(1, 0, 20), block(2, 0, 20));
    }

    #[test]
    fn every_order_is_as_likely_as_any_other() {
        let mut counts = std::collections::BTreeMap::new();
        for seed in 0..100 {
            for round in 0..60 {
                *counts.entry(block(seed, round, 3)).or_insert(0u32) += 1;
            }
        }
        // 6 orders of 6000: chi-squared with 5 degrees of freedom is above 20.5 in one of 1000.
        let chi: f64 = counts.values().map(|n| (f64::from(*n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(counts.len() == 6 && chi < 20.5, "{chi} {counts:?}");
    }
}
