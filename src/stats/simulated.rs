//! Series with known truth, the same on every machine, to test statistics with.

/// A stream of random numbers: SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// From 0 up to 1, without 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and variance 1, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.fraction()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fraction()).cos()
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.fraction() < probability
    }
}

/// Frames of which a `share` lies in bursts of geometric length with this mean; of the
/// frames in a burst, `share_in_burst` is late. A Markov chain in its stationary state.
pub(crate) fn bursts(
    random: &mut Random,
    n: usize,
    share: f64,
    mean_length: f64,
    share_in_burst: f64,
) -> Vec<bool> {
    // A mean of 1 is independence: a frame after a late one is as likely late as any.
    let to_end = if mean_length <= 1.0 { 1.0 - share } else { 1.0 / mean_length };
    let to_begin = share * to_end / (1.0 - share);
    let mut is_in_burst = random.chance(share);
    let mut frames = Vec::with_capacity(n);
    for _ in 0..n {
        frames.push(is_in_burst && random.chance(share_in_burst));
        is_in_burst = if is_in_burst { !random.chance(to_end) } else { random.chance(to_begin) };
    }
    frames
}
