//! The whole machine: how busy its cores are and how much memory is in use.
//!
//! Busy is all time but `idle` and `iowait`, over all cores. Time of virtual
//! guests is part of `user` and `nice` already and is not added again; time
//! that a hypervisor stole counts as busy, since nobody here could use it.
//! Memory in use is `MemTotal - MemAvailable`: caches that the kernel would
//! give up are not in use.

use std::path::{Path, PathBuf};

use super::{CollectError, Collector};
use crate::os::proc::Pseudofile;

/// The machine at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MachineReading {
    /// Share of all cores that was busy since the sample before, 0 to 1.
    pub cpu: f64,
    /// Memory in use in bytes.
    pub memory: u64,
}

/// Samples `/proc/stat` and `/proc/meminfo`.
#[derive(Debug)]
pub struct MachineSampler {
    stat: Source,
    meminfo: Source,
    before: CpuTimes,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: Pseudofile,
}

/// Clock ticks since boot, over all cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CpuTimes {
    busy: u64,
    total: u64,
}

impl MachineSampler {
    /// Begins to sample: the first sample speaks about the time from here on.
    ///
    /// # Errors
    /// When `/proc` does not hold what Linux puts there.
    pub fn start() -> Result<MachineSampler, CollectError> {
        MachineSampler::below(Path::new("/proc"))
    }

    fn below(proc: &Path) -> Result<MachineSampler, CollectError> {
        let mut stat = Source::open(proc.join("stat"))?;
        let mut meminfo = Source::open(proc.join("meminfo"))?;
        let before = stat.parse(cpu_times, "the line `cpu`")?;
        meminfo.parse(memory_in_use, "`MemTotal` and `MemAvailable`")?;
        Ok(MachineSampler { stat, meminfo, before })
    }
}

impl Collector for MachineSampler {
    type Reading = MachineReading;

    fn name(&self) -> &'static str {
        "machine"
    }

    fn sample(&mut self) -> Result<MachineReading, CollectError> {
        let now = self.stat.parse(cpu_times, "the line `cpu`")?;
        let memory = self.meminfo.parse(memory_in_use, "`MemTotal` and `MemAvailable`")?;
        let cpu = busy_share(self.before, now).ok_or(CollectError::TooSoon)?;
        self.before = now;
        Ok(MachineReading { cpu, memory })
    }
}

impl Source {
    fn open(path: PathBuf) -> Result<Source, CollectError> {
        let file = Pseudofile::open(&path).map_err(|source| CollectError::read(&path, source))?;
        Ok(Source { path, file })
    }

    fn parse<T>(&mut self, parse: fn(&str) -> Option<T>, expected: &'static str) -> Result<T, CollectError> {
        let text = self.file.read().map_err(|source| CollectError::read(&self.path, source))?;
        parse(text).ok_or_else(|| CollectError::Format { path: self.path.clone(), expected })
    }
}

/// `cpu  user nice system idle iowait irq softirq steal guest guest_nice`
fn cpu_times(stat: &str) -> Option<CpuTimes> {
    let numbers = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    // `guest` and `guest_nice`, the ninth and tenth, are inside the first two.
    let ticks: Vec<u64> =
        numbers.split_ascii_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let [_, _, _, idle, rest @ ..] = ticks.as_slice() else { return None };
    let total: u64 = ticks.iter().sum();
    Some(CpuTimes { busy: total - idle - rest.first().unwrap_or(&0), total })
}

/// `None` if no time has passed.
fn busy_share(before: CpuTimes, now: CpuTimes) -> Option<f64> {
    let total = now.total.checked_sub(before.total).filter(|total| *total > 0)?;
    // `iowait` may shrink (the kernel says so itself), so busy is clamped.
    Some((now.busy.saturating_sub(before.busy) as f64 / total as f64).min(1.0))
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

    #[track_caller]
    fn check(before: &str, now: &str, expected: Option<f64>) {
        assert_eq!(busy_share(cpu_times(before).unwrap(), cpu_times(now).unwrap()), expected);
    }

    #[test]
    fn busy_is_all_but_idle_and_iowait_and_guests_count_once() {
        // +10 user (all of it guest), +5 system, +2 irq, +3 steal, +60 idle, +20 iowait.
        check("cpu  0 0 0 0 0 0 0 0 0 0", "cpu  10 0 5 60 20 2 0 3 10 0", Some(0.2));
        check("cpu  10 0 0 90 0 0 0 0", "cpu  20 0 0 90 0 0 0 0", Some(1.0));
        check("cpu  10 0 0 90", "cpu  10 0 0 90", None);
    }

    #[test]
    fn other_texts_have_no_times() {
        for text in ["", "cpu0 1 2 3 4", "cpu  1 2 x 4", "cpu  1 2"] {
            assert_eq!(cpu_times(text), None, "{text}");
        }
    }

    #[test]
    fn memory_in_use_leaves_out_what_is_available() {
        let text = "MemTotal:        8000 kB\nMemFree: 100 kB\nMemAvailable:    3000 kB\n";
        assert_eq!(memory_in_use(text), Some(5000 * 1024));
        assert_eq!(memory_in_use("MemTotal: 8000 kB\n"), None);
    }

    #[test]
    fn samples_speak_about_the_time_between_them() {
        let proc = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(proc.path().join(name), text).unwrap();
        write("stat", "cpu  0 0 0 100 0 0 0 0 0 0\n");
        write("meminfo", "MemTotal: 4 kB\nMemAvailable: 1 kB\n");
        let mut sampler = MachineSampler::below(proc.path()).unwrap();
        write("stat", "cpu  50 0 0 150 0 0 0 0 0 0\n");
        assert_eq!(sampler.sample().unwrap(), MachineReading { cpu: 0.5, memory: 3072 });
        assert!(matches!(sampler.sample(), Err(CollectError::TooSoon)));
    }

    #[test]
    fn a_collector_that_cannot_run_says_why() {
        let proc = tempfile::tempdir().unwrap();
        let error = MachineSampler::below(proc.path()).unwrap_err();
        assert!(
            error.reason().ends_with("stat`: No such file or directory (os error 2)"),
            "{}",
            error.reason()
        );
        std::fs::write(proc.path().join("stat"), "nothing\n").unwrap();
        std::fs::write(proc.path().join("meminfo"), "").unwrap();
        let error = MachineSampler::below(proc.path()).unwrap_err();
        assert!(error.reason().starts_with("expected the line `cpu` in `"), "{}", error.reason());
    }

    #[test]
    fn this_machine_can_be_sampled() {
        MachineSampler::start().unwrap();
    }
}
