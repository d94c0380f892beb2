//! The power of the machine before a run, so that a report can say how much of it the run needs.
//!
//! It is taken before anything of the run is started, and only where some power is known: elsewhere no
//! run gets longer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::collect::{CollectError, Collector, OF_POWER, Place};
use crate::os;
use crate::os::process::Cancel;
use crate::record::power::IdlePower;

/// How often it is sampled, once a second: sensors of power have the mean of about a second.
const SAMPLES: u32 = 3;

/// Measures the idle machine for three seconds; `None` where no power is known, or if the user wants to
/// stop.
#[must_use]
pub fn idle_power(cancel: &Cancel) -> Option<IdlePower> {
    let root = os::env::system_root();
    let started = OF_POWER.iter().filter_map(|kind| (kind.start)(&Place::here(&root)).ok());
    let collectors: Vec<Box<dyn Collector>> = started.collect();
    idle_power_by(collectors, &mut || !cancel.wait(Duration::from_secs(1)))
}

/// The same by these collectors. `second` waits for a second, and returns whether to go on.
fn idle_power_by(
    mut collectors: Vec<Box<dyn Collector>>,
    second: &mut dyn FnMut() -> bool,
) -> Option<IdlePower> {
    // A collector of which only a sample shows whether it knows any power is asked for one.
    let begin_ns = os::clock::monotonic_ns();
    collectors.retain_mut(|collector| {
        has_power(collector.as_ref()) || (collector.sample(begin_ns).is_ok() && has_power(collector.as_ref()))
    });
    if collectors.is_empty() {
        return None;
    }
    let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    for _ in 0..SAMPLES {
        if !second() {
            return None;
        }
        let at_ns = os::clock::monotonic_ns();
        for collector in &mut collectors {
            let values = match collector.sample(at_ns) {
                Ok(values) => values,
                Err(CollectError::TooSoon) => continue,
                Err(_) => return None,
            };
            for (series, value) in collector.series().iter().zip(values) {
                if let Some(watts) = value.filter(|_| series.unit == "W") {
                    let (sum, n) = sums.entry(series.name.clone()).or_insert((0.0, 0));
                    *sum += watts;
                    *n += 1;
                }
            }
        }
    }
    let over_ms = (os::clock::monotonic_ns() - begin_ns) / 1_000_000;
    let watts = sums.into_iter().map(|(name, (sum, n))| (name, sum / f64::from(n))).collect();
    Some(IdlePower { over_ms, watts })
}

fn has_power(collector: &dyn Collector) -> bool {
    collector.series().iter().any(|series| series.unit == "W")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Series;

    /// Gives these values, one a sample.
    struct Told(Vec<Series>, Vec<Option<f64>>);

    impl Collector for Told {
        fn series(&self) -> &[Series] {
            &self.0
        }

        fn sample(&mut self, _: u64) -> Result<Vec<Option<f64>>, CollectError> {
            Ok(vec![self.1.remove(0); self.0.len()])
        }
    }

    fn told(name: &str, unit: &'static str, values: &[Option<f64>]) -> Box<dyn Collector> {
        Box::new(Told(vec![Series { name: name.to_owned(), unit }], values.to_vec()))
    }

    #[test]
    fn the_power_is_the_mean_of_three_seconds() {
        let package = told("power.package_0", "W", &[Some(10.0), Some(20.0), Some(30.0)]);
        let gpu = told("gpu.card0.power", "W", &[None, Some(5.0), Some(7.0)]);
        let busy = told("gpu.card0.busy", "1", &[Some(0.5)]);
        let mut seconds = 0;
        let idle = idle_power_by(vec![package, gpu, busy], &mut || {
            seconds += 1;
            true
        });
        let watts = [("gpu.card0.power".to_owned(), 6.0), ("power.package_0".to_owned(), 20.0)];
        assert_eq!(idle.unwrap().watts, watts.into());
        assert_eq!(seconds, 3);
    }

    #[test]
    fn a_machine_without_power_is_not_kept_waiting() {
        let mut waited = || panic!("it waits");
        assert_eq!(idle_power_by(vec![told("x", "1", &[Some(1.0)])], &mut waited), None);
        assert_eq!(idle_power_by(Vec::new(), &mut waited), None);
    }

    #[test]
    fn who_wants_to_stop_does_not_wait_for_it() {
        let package = told("power.package_0", "W", &[]);
        assert_eq!(idle_power_by(vec![package], &mut || false), None);
    }
}
