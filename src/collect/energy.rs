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

/// The most power with which a counter may have wrapped. One that falls by another amount began anew
/// (a reset, a suspended machine, a hypervisor).
const MOST_WATTS: f64 = 1_000.0;

/// So many readings show that a counter does not grow.
const STILL: u32 = 3;

/// A file with a number of microjoules, which grows.
#[derive(Debug)]
pub(super) struct EnergyCounter {
    source: Source,
    /// It wraps after this value; `None` if it never does.
    range: Option<u64>,
    at_ns: u64,
    before: u64,
    /// Readings that were all the same; `None` once it has grown.
    n_still: Option<u32>,
}

impl EnergyCounter {
    pub(super) fn open(path: PathBuf, range: Option<u64>) -> Result<EnergyCounter, CollectError> {
        let mut source = Source::open(path)?;
        let before = source.parse(microjoules, "a number of microjoules")?;
        Ok(EnergyCounter { source, range, at_ns: monotonic_ns(), before, n_still: Some(0) })
    }

    /// As if the last reading had been at this time.
    #[cfg(test)]
    pub(super) fn began(&mut self, at_ns: u64) {
        self.at_ns = at_ns;
    }

    /// Why its power is not known, if it was read and never grew. An idle package uses some energy, so
    /// such a counter does not count.
    pub(super) fn still(&self) -> Option<String> {
        let is_still = self.n_still.is_some_and(|n| STILL <= n);
        is_still.then(|| {
            format!("its counter was the same in the first {STILL} readings, so its power is unknown until it grows")
        })
    }

    /// The mean power since the last reading in watts; `None` if it is not known.
    pub(super) fn watts(&mut self, at_ns: u64) -> Option<f64> {
        let now = self.source.parse(microjoules, "").ok()?;
        let (elapsed_ns, before) = (at_ns.saturating_sub(self.at_ns), self.before);
        (self.at_ns, self.before) = (at_ns, now);
        if now == before {
            self.n_still = self.n_still.map(|n| n.saturating_add(1));
        } else {
            self.n_still = None;
        }
        if elapsed_ns == 0 || self.n_still.is_some() {
            return None;
        }
        let watts_of = |used: u64| watts(used as f64 * 1e-6 / (elapsed_ns as f64 * 1e-9));
        match self.range {
            Some(_) if LONGEST_NS < elapsed_ns => None,
            _ if before <= now => Some(watts_of(now - before)),
            Some(range) => {
                let wrapped = range.checked_sub(before)?.checked_add(now)?;
                Some(watts_of(wrapped)).filter(|watts| *watts <= MOST_WATTS)
            }
            None => None,
        }
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
    fn a_counter_that_began_anew_did_not_wrap() {
        let tree = Tree::of(&[("e", "5060000000\n")]);
        let mut counter = EnergyCounter::open(tree.root().join("e"), Some(262_143_328_850)).unwrap();
        let mut watts = |text: &str| {
            tree.write("e", text);
            counter.watts(counter.at_ns + 1_000_000_000)
        };
        let values = ["5080000000\n", "5100000000\n", "1000000\n", "21000000\n"].map(&mut watts);
        assert_eq!(values, [Some(20.0), Some(20.0), None, Some(20.0)]);
    }

    #[test]
    fn a_counter_that_never_grew_is_unknown() {
        for range in [None, Some(262_143_328_850)] {
            let tree = Tree::of(&[("e", "0\n")]);
            let mut counter = EnergyCounter::open(tree.root().join("e"), range).unwrap();
            for _ in 0..STILL {
                assert_eq!(counter.still(), None);
                assert_eq!(counter.watts(counter.at_ns + 1_000_000_000), None);
            }
            let reason =
                "its counter was the same in the first 3 readings, so its power is unknown until it grows";
            assert_eq!(counter.still().as_deref(), Some(reason));
            let mut watts = |text: &str| {
                tree.write("e", text);
                counter.watts(counter.at_ns + 1_000_000_000)
            };
            // Once it has grown, it counts.
            assert_eq!(["2000000\n", "2000000\n"].map(&mut watts), [Some(2.0), Some(0.0)]);
            assert_eq!(counter.still(), None);
        }
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
