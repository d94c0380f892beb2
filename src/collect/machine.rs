//! The whole machine: how busy its cores are and how much memory is in use.
//!
//! [`cores`](super::cores) has the definition of busy.
//! Time that a hypervisor stole is part of busy, since this machine could not use it,
//! and is also reported separately.
//! Memory in use is `MemTotal - MemAvailable`: caches that the kernel would
//! give up are not in use.

use std::path::Path;

use super::cores::{Snapshot, Stat, TICK_NS, busy_and_steal};
use super::source::Source;
use super::{CollectError, Collector, Place, Series, share};
use crate::os::clock::monotonic_ns;

/// Its name in records.
pub const NAME: &str = "machine";

/// Share of all cores that was busy since the sample before, 0 to 1.
pub const CPU: &str = "machine.cpu";

/// Share of all cores that a hypervisor took away in that time, part of [`CPU`].
pub const STEAL: &str = "machine.steal";

/// Memory in use in bytes.
pub const MEMORY: &str = "machine.memory";

/// Each series with its unit.
pub const SERIES: [(&str, &str); 3] = [(CPU, "1"), (STEAL, "1"), (MEMORY, "By")];

/// Samples `/proc/stat` and `/proc/meminfo`.
#[derive(Debug)]
struct MachineSampler {
    series: [Series; 3],
    stat: Stat,
    meminfo: Source,
    before: Snapshot,
}

/// Begins to sample the machine.
///
/// # Errors
/// When `/proc` does not hold what Linux puts there.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(MachineSampler::below(place.root)?))
}

impl MachineSampler {
    fn below(root: &Path) -> Result<MachineSampler, CollectError> {
        let mut stat = Stat::below(root)?;
        let mut meminfo = Source::open(root.join("proc/meminfo"))?;
        let before = stat.snapshot(monotonic_ns())?;
        meminfo.parse(memory_in_use, "`MemTotal` and `MemAvailable`")?;
        let series = SERIES.map(|(name, unit)| Series { name: name.to_owned(), unit });
        Ok(MachineSampler { series, stat, meminfo, before })
    }
}

impl Collector for MachineSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let now = self.stat.snapshot(at_ns)?;
        let memory = self.meminfo.parse(memory_in_use, "`MemTotal` and `MemAvailable`")?;
        let shares = busy_and_steal(&self.before, &now);
        // With other cores online than before, the next sample has something to compare.
        if shares.is_some() || at_ns >= self.before.at_ns.saturating_add(TICK_NS) {
            self.before = now;
        }
        let (cpu, steal) = shares.ok_or(CollectError::TooSoon)?;
        #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 bytes")]
        Ok(vec![Some(share(cpu)), Some(share(steal)), Some(memory as f64)])
    }
}

fn memory_in_use(meminfo: &str) -> Option<u64> {
    Some(kibibytes(meminfo, "MemTotal")?.saturating_sub(kibibytes(meminfo, "MemAvailable")?) * 1024)
}

/// The value of `key` in the text of `/proc/meminfo`.
pub(super) fn kibibytes(meminfo: &str, key: &str) -> Option<u64> {
    let rest = meminfo.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    rest.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_in_use_excludes_available_memory() {
        let text = "MemTotal:        8000 kB\nMemFree: 100 kB\nMemAvailable:    3000 kB\n";
        assert_eq!(memory_in_use(text), Some(5000 * 1024));
        assert_eq!(memory_in_use("MemTotal: 8000 kB\n"), None);
    }

    #[test]
    fn samples_cover_the_time_between_them() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(root.path().join("proc").join(name), text).unwrap();
        write("stat", "cpu  0 0 0 100 0 0 0 0 0 0\ncpu0 0 0 0 100 0 0 0 0 0 0\n");
        write("meminfo", "MemTotal: 4 kB\nMemAvailable: 1 kB\n");
        let mut sampler = MachineSampler::below(root.path()).unwrap();
        let began = sampler.before.at_ns;
        assert!(matches!(sampler.sample(began), Err(CollectError::TooSoon)));
        assert_eq!(sampler.sample(began + 1_000_000_000).unwrap(), [1.0, 0.0, 3072.0].map(Some));
        let series: Vec<_> = sampler.series().iter().map(|one| (one.name.as_str(), one.unit)).collect();
        assert_eq!(series, [("machine.cpu", "1"), ("machine.steal", "1"), ("machine.memory", "By")]);
    }

    #[test]
    fn when_all_online_cores_change_one_sample_is_lost() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("proc")).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(root.path().join("proc").join(name), text).unwrap();
        write("stat", "cpu0 0 0 0 100\n");
        write("meminfo", "MemTotal: 4 kB\nMemAvailable: 1 kB\n");
        let mut sampler = MachineSampler::below(root.path()).unwrap();
        let began = sampler.before.at_ns;
        write("stat", "cpu7 0 0 0 900\n");
        assert!(matches!(sampler.sample(began + 1_000_000_000), Err(CollectError::TooSoon)));
        write("stat", "cpu7 0 0 0 950\n");
        assert_eq!(sampler.sample(began + 2_000_000_000).unwrap(), [0.5, 0.0, 3072.0].map(Some));
    }

    #[test]
    fn a_collector_that_cannot_run_says_why() {
        let root = tempfile::tempdir().unwrap();
        let error = MachineSampler::below(root.path()).unwrap_err();
        assert!(
            error.reason().ends_with("stat`: No such file or directory (os error 2)"),
            "{}",
            error.reason()
        );
        std::fs::create_dir(root.path().join("proc")).unwrap();
        std::fs::write(root.path().join("proc/stat"), "nothing\n").unwrap();
        std::fs::write(root.path().join("proc/meminfo"), "").unwrap();
        let error = MachineSampler::below(root.path()).unwrap_err();
        assert!(error.reason().starts_with("expected a line `cpu0` in `"), "{}", error.reason());
    }

    #[test]
    fn this_machine_can_be_sampled() {
        start(&Place::here(Path::new("/"))).unwrap();
    }
}
