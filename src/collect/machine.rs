//! The whole machine: how busy its cores are and how much memory is in use.
//!
//! Busy is all time but `idle` and `iowait`, over the cores that are online. The
//! kernel counts those two as they pass, but all other columns of `/proc/stat` by
//! looking at what runs at each tick: work that always falls between two ticks
//! is not seen, and work that falls on them counts for the whole time between. So
//! busy is the elapsed time less the idle time, and never the sum of the columns.
//! Time that a hypervisor stole is part of busy, since this machine could not use it,
//! and is also reported separately. `iowait` may shrink, and `idle` of a core that comes or
//! goes may jump, so each core is held to the time that has passed.
//! Memory in use is `MemTotal - MemAvailable`: caches that the kernel would
//! give up are not in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CollectError, Collector, Series};
use crate::os::clock::monotonic_ns;
use crate::os::proc::Pseudofile;

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
    stat: Source,
    meminfo: Source,
    before: Snapshot,
}

#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: Pseudofile,
}

/// The cores that are online, at a moment.
#[derive(Debug)]
struct Snapshot {
    at_ns: u64,
    cores: BTreeMap<u32, Core>,
}

/// Clock ticks of a core since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Core {
    /// `idle` and `iowait`.
    idle: u64,
    steal: u64,
}

/// Nanoseconds of a tick of `/proc/stat`: `USER_HZ` is 100.
const TICK_NS: u64 = 10_000_000;

/// Begins to sample the machine below `root`.
///
/// # Errors
/// When `/proc` does not hold what Linux puts there.
pub fn start(root: &Path) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(MachineSampler::below(root)?))
}

impl MachineSampler {
    fn below(root: &Path) -> Result<MachineSampler, CollectError> {
        let mut stat = Source::open(root.join("proc/stat"))?;
        let mut meminfo = Source::open(root.join("proc/meminfo"))?;
        let before = Snapshot { at_ns: monotonic_ns(), cores: stat.parse(cores, "a line `cpu0`")? };
        meminfo.parse(memory_in_use, "`MemTotal` and `MemAvailable`")?;
        let series = SERIES.map(|(name, unit)| Series { name: name.to_owned(), unit });
        Ok(MachineSampler { series, stat, meminfo, before })
    }
}

impl Collector for MachineSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<f64>, CollectError> {
        let now = Snapshot { at_ns, cores: self.stat.parse(cores, "a line `cpu0`")? };
        let memory = self.meminfo.parse(memory_in_use, "`MemTotal` and `MemAvailable`")?;
        let shares = busy_and_steal(&self.before, &now);
        // With other cores online than before, the next sample has something to compare.
        if shares.is_some() || at_ns >= self.before.at_ns.saturating_add(TICK_NS) {
            self.before = now;
        }
        let (cpu, steal) = shares.ok_or(CollectError::TooSoon)?;
        // To the millionth, which is shorter in a record and more than is known.
        let [cpu, steal] = [cpu, steal].map(|share| (share * 1e6).round() / 1e6);
        #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 bytes")]
        Ok(vec![cpu, steal, memory as f64])
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

/// The lines `cpu0 user nice system idle iowait irq softirq steal guest guest_nice`, of
/// which there is one for each core that is online.
fn cores(stat: &str) -> Option<BTreeMap<u32, Core>> {
    let mut cores = BTreeMap::new();
    for line in stat.lines() {
        let Some((number, ticks)) = line.strip_prefix("cpu").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        // The first line is the sum of all, those that have gone included.
        let Ok(number) = number.parse() else { continue };
        let ticks: Vec<u64> =
            ticks.split_ascii_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
        let [_, _, _, idle, rest @ ..] = ticks.as_slice() else { return None };
        let iowait = rest.first().copied().unwrap_or(0);
        let steal = rest.get(3).copied().unwrap_or(0);
        cores.insert(number, Core { idle: idle.saturating_add(iowait), steal });
    }
    Some(cores).filter(|cores| !cores.is_empty())
}

/// The shares of the cores that were online all the time; `None` if there are none, or
/// if no time has passed.
fn busy_and_steal(before: &Snapshot, now: &Snapshot) -> Option<(f64, f64)> {
    let elapsed_ns = now.at_ns.checked_sub(before.at_ns).filter(|elapsed| *elapsed >= TICK_NS)?;
    let both = now.cores.iter().filter_map(|(number, core)| Some((before.cores.get(number)?, core)));
    // A tick more than has passed is how whole ticks come out.
    let most = elapsed_ns + TICK_NS;
    let passed = |from: u64, to: u64| to.saturating_sub(from).saturating_mul(TICK_NS).min(most) as f64;
    let (n, idle, steal) = both.fold((0, 0.0, 0.0), |(n, idle, steal), (from, to)| {
        (n + 1, idle + passed(from.idle, to.idle), steal + passed(from.steal, to.steal))
    });
    let whole = elapsed_ns as f64 * f64::from(n);
    (n > 0).then(|| ((1.0 - idle / whole).clamp(0.0, 1.0), (steal / whole).clamp(0.0, 1.0)))
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

    /// Busy and stolen percent of a second between two texts.
    #[track_caller]
    fn check(before: &str, now: &str, expected: Option<(f64, f64)>) {
        let snapshot = |at_ns, text| Snapshot { at_ns, cores: cores(text).unwrap() };
        let shares = busy_and_steal(&snapshot(0, before), &snapshot(1_000_000_000, now));
        let percent = |share: f64| (share * 1e4).round() / 100.0;
        assert_eq!(shares.map(|(busy, steal)| (percent(busy), percent(steal))), expected);
    }

    #[test]
    fn busy_is_elapsed_time_minus_idle_and_iowait() {
        // The other columns do not matter: they sample.
        check("cpu0 0 0 0 0 0 0 0 0 0 0", "cpu0 99 0 5 70 20 2 0 3 10 0", Some((10.0, 3.0)));
        check("cpu0 0 0 0 0 0 0 0 0 0 0", "cpu0 0 0 0 70 20 0 0 0 0 0", Some((10.0, 0.0)));
        check("cpu0 10 0 0 90", "cpu0 10 0 0 90", Some((100.0, 0.0)));
        let two = "cpu  0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\n";
        check(two, "cpu  0 0 0 900\ncpu0 0 0 0 50\ncpu1 0 0 0 100\n", Some((25.0, 0.0)));
    }

    #[test]
    fn counters_that_jump_are_held_to_the_time_that_passed() {
        let two = "cpu0 0 0 0 500 100 0 0 0\ncpu1 0 0 0 500 100 0 0 0\n";
        // `iowait` of the one shrinks, `idle` of the other makes up for hours.
        check(two, "cpu0 0 0 0 550 90 0 0 0\ncpu1 0 0 0 999999 100 0 0 0\n", Some((29.5, 0.0)));
        check(two, "cpu0 0 0 0 400 90 0 0 0\ncpu1 0 0 0 400 90 0 0 0\n", Some((100.0, 0.0)));
    }

    #[test]
    fn cores_that_come_and_go_do_not_count() {
        let before = "cpu0 0 0 0 500\ncpu1 0 0 0 500\n";
        check(before, "cpu0 0 0 0 550\n", Some((50.0, 0.0)));
        check("cpu0 0 0 0 500\n", "cpu0 0 0 0 550\ncpu1 0 0 0 900\n", Some((50.0, 0.0)));
        check(before, "cpu7 0 0 0 550\n", None);
    }

    #[test]
    fn other_strings_have_no_cores() {
        for text in ["", "cpu  1 2 3 4", "cpu0 1 2 x 4", "cpu0 1 2"] {
            assert_eq!(cores(text), None, "{text}");
        }
    }

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
        assert_eq!(sampler.sample(began + 1_000_000_000).unwrap(), [1.0, 0.0, 3072.0]);
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
        assert_eq!(sampler.sample(began + 2_000_000_000).unwrap(), [0.5, 0.0, 3072.0]);
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
        start(Path::new("/")).unwrap();
    }
}
