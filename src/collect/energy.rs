//! A counter of energy, and the mean power between two readings of it.
//!
//! Not here: which counters there are (`power`, `gpu`).

use std::path::PathBuf;

use super::CollectError;
use super::source::Source;
use crate::os::clock::monotonic_ns;

/// The longest time between two readings of a counter that wraps: one of 65.5 kJ, the shortest
/// that RAPL has, takes as long with 1 kW.
const LONGEST_NS: u64 = 60_000_000_000;

/// A file with a number of microjoules, which grows.
#[derive(Debug)]
pub(super) struct EnergyCounter {
    source: Source,
    /// It wraps after this value; `None` if it never does.
    range: Option<u64>,
    at_ns: u64,
    before: u64,
}

impl EnergyCounter {
    pub(super) fn open(path: PathBuf, range: Option<u64>) -> Result<EnergyCounter, CollectError> {
        let mut source = Source::open(path)?;
        let before = source.parse(microjoules, "a number of microjoules")?;
        Ok(EnergyCounter { source, range, at_ns: monotonic_ns(), before })
    }

    /// As if the last reading had been at this time.
    #[cfg(test)]
    pub(super) fn began(&mut self, at_ns: u64) {
        self.at_ns = at_ns;
    }

    /// The mean power since the last reading in watts; `None` if it is not known.
    pub(super) fn watts(&mut self, at_ns: u64) -> Option<f64> {
        let now = self.source.parse(microjoules, "").ok()?;
        let (elapsed_ns, before) = (at_ns.saturating_sub(self.at_ns), self.before);
        (self.at_ns, self.before) = (at_ns, now);
        let used = match self.range {
            _ if before <= now => now - before,
            Some(range) if before <= range => (range - before).saturating_add(now),
            _ => return None,
        };
        let is_sure = 0 < elapsed_ns && (self.range.is_none() || elapsed_ns <= LONGEST_NS);
        is_sure.then(|| watts(used as f64 * 1e-6 / (elapsed_ns as f64 * 1e-9)))
    }
}

/// To the milliwatt.
pub(super) fn watts(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A number of microwatts in watts.
pub(super) fn of_microwatts(text: &str) -> Option<f64> {
    Some(watts(text.trim().parse::<u64>().ok()? as f64 * 1e-6))
}

fn microjoules(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::Tree;
    use super::*;

    #[test]
    fn power_is_the_growth_of_a_counter_that_may_wrap() {
        let tree = Tree::of(&[("e", "1000000\n")]);
        let mut counter = EnergyCounter::open(tree.root().join("e"), Some(65_532_610_987)).unwrap();
        let mut watts = |text: &str, seconds: u64| {
            tree.write("e", text);
            counter.watts(counter.at_ns + seconds * 1_000_000_000)
        };
        assert_eq!(watts("31000000\n", 2), Some(15.0));
        assert_eq!(watts("65530610987\n", 61), None, "it may have wrapped");
        // 2 J up to the end, and 3 J from 0.
        assert_eq!(watts("3000000\n", 1), Some(5.0));
        assert_eq!(watts("?\n", 1), None);
        assert_eq!(watts("5000000\n", 0), None);
    }

    #[test]
    fn a_counter_without_a_range_that_falls_began_anew() {
        let tree = Tree::of(&[("e", "9000000\n")]);
        let mut counter = EnergyCounter::open(tree.root().join("e"), None).unwrap();
        let at_ns = counter.at_ns;
        tree.write("e", "1000000\n");
        assert_eq!(counter.watts(at_ns + 1_000_000_000), None);
        tree.write("e", "1500000\n");
        assert_eq!(counter.watts(at_ns + 2_000_000_000), Some(0.5));
        assert_eq!((of_microwatts("12345678\n"), of_microwatts("-1")), (Some(12.346), None));
    }
}
