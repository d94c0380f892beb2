//! Each core: its busy share, and the mean frequency of all.
//!
//! Busy is that of [`cores`](super::cores): it includes time that a hypervisor stole.
//! Frequencies are those that the kernel has set (`scaling_cur_freq` of cpufreq, in kHz);
//! a virtual machine has none, and `cpu MHz` of its `/proc/cpuinfo` never changes. A core
//! that is taken offline has no value until it is back.
//!
//! Source: <https://docs.kernel.org/admin-guide/pm/cpufreq.html>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cores::{Snapshot, Stat, TICK_NS, busy_of_core};
use super::{CollectError, Collector, Place, Series, share};
use crate::os::clock::monotonic_ns;
use crate::os::proc::{self, Reader};

/// Its name in records.
pub const NAME: &str = "cpu";

/// The mean frequency of the cores that are online, in Hz.
pub const FREQUENCY: &str = "cpu.frequency";

struct CoreSampler {
    series: Vec<Series>,
    /// The place of each core in `series`.
    places: BTreeMap<u32, usize>,
    stat: Stat,
    before: Snapshot,
    /// Of each core, or of each group of cores that share a clock. Not kept open: there may
    /// be hundreds, and a process may have 1,024 files.
    frequencies: Vec<PathBuf>,
    cpus: PathBuf,
    reader: Reader,
}

/// Begins to sample the cores.
///
/// # Errors
/// When `/proc/stat` does not have them.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(CoreSampler::below(place.root)?))
}

/// The name of a core's busy share.
#[must_use]
pub fn busy(core: u32) -> String {
    format!("cpu.{core}.busy")
}

impl CoreSampler {
    fn below(root: &Path) -> Result<CoreSampler, CollectError> {
        let mut stat = Stat::below(root)?;
        let before = stat.snapshot(monotonic_ns())?;
        let cpus = root.join("sys/devices/system/cpu");
        let mut sampler = CoreSampler {
            series: Vec::new(),
            places: BTreeMap::new(),
            stat,
            frequencies: frequencies(&cpus),
            before,
            cpus,
            reader: Reader::default(),
        };
        if !sampler.frequencies.is_empty() {
            sampler.series.push(Series::new(FREQUENCY, "Hz"));
        }
        sampler.places_of_cores();
        Ok(sampler)
    }

    /// Gives each core of the last snapshot a series. Whether there was a new one.
    fn places_of_cores(&mut self) -> bool {
        let n = self.series.len();
        for core in self.before.cores.keys() {
            if !self.places.contains_key(core) {
                self.places.insert(*core, self.series.len());
                self.series.push(Series::new(busy(*core), "1"));
            }
        }
        n < self.series.len()
    }

    fn frequency(&mut self) -> Option<f64> {
        let mut sum = 0.0;
        let mut n = 0;
        for path in &self.frequencies {
            // A core that is offline has none, and some drivers say `<unknown>`.
            let kilohertz = self.reader.read(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
            if let Some(kilohertz) = kilohertz.filter(|kilohertz| *kilohertz > 0) {
                sum += kilohertz as f64 * 1000.0;
                n += 1;
            }
        }
        (n > 0).then(|| (sum / f64::from(n)).round())
    }
}

impl Collector for CoreSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        let reason = || {
            let what = "core with `cpufreq`";
            let nothing = CollectError::Nothing { what, paths: vec![self.cpus.clone()], usual: VIRTUAL };
            (FREQUENCY.to_owned(), nothing.reason())
        };
        self.frequencies.is_empty().then(reason).into_iter().collect()
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        if at_ns < self.before.at_ns.saturating_add(TICK_NS) {
            return Err(CollectError::TooSoon);
        }
        let now = self.stat.snapshot(at_ns)?;
        let before = std::mem::replace(&mut self.before, now);
        let had_frequency = !self.frequencies.is_empty();
        if self.places_of_cores() && had_frequency {
            self.frequencies = frequencies(&self.cpus);
        }
        let mut values = vec![None; self.series.len()];
        if had_frequency {
            values[0] = self.frequency();
        }
        let elapsed_ns = at_ns - before.at_ns;
        for (core, now) in &self.before.cores {
            let busy = before.cores.get(core).map(|before| busy_of_core(before, now, elapsed_ns));
            values[self.places[core]] = busy.map(share);
        }
        Ok(values)
    }
}

/// Why a machine has no file of this kind, most often.
pub(super) const VIRTUAL: &str = "usual in a virtual machine";

/// The files with a frequency: of each core, else of each policy.
fn frequencies(cpus: &Path) -> Vec<PathBuf> {
    let of = |folder: &Path, prefix: &str, file: &str| {
        let files = proc::numbered(folder, prefix).into_iter().map(|name| folder.join(name).join(file));
        files.filter(|path| proc::is_there(path)).collect::<Vec<_>>()
    };
    let cores = of(cpus, "cpu", "cpufreq/scaling_cur_freq");
    if cores.is_empty() { of(&cpus.join("cpufreq"), "policy", "scaling_cur_freq") } else { cores }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    #[track_caller]
    fn check(before: &[(&str, &str)], now: &[(&str, &str)], expect: Expect) {
        let tree = Tree::of(before);
        let text = match CoreSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                let began_ns = sampler.before.at_ns;
                sampled(&mut sampler, began_ns, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    const ONE: &str = "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq";
    const TWO: &str = "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq";
    const STAT: &str = "proc/stat";
    const IDLE: &str = "cpu  0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n";

    #[test]
    fn cores_have_a_busy_share_each_and_a_mean_frequency() {
        check(
            &[(STAT, IDLE), (ONE, "2400000\n"), (TWO, "3400000\n")],
            &[(STAT, "cpu0 9 0 0 50 25 0 0 0 0 0\ncpu1 0 0 0 100 0 0 0 0 0 0\n"), (ONE, "1400000\n")],
            expect![[r#"
                cpu.frequency 2400000000 Hz
                cpu.0.busy 0.25 1
                cpu.1.busy 0 1
            "#]],
        );
    }

    #[test]
    fn cores_that_go_have_no_value_and_those_that_come_have_one_later() {
        check(
            &[(STAT, IDLE), (ONE, "2400000\n"), (TWO, "3400000\n")],
            &[
                (STAT, "cpu1 0 0 0 40 0 0 0 0 0 0\ncpu7 0 0 0 40 0 0 0 0 0 0\n"),
                (ONE, ""),
                (TWO, "<unknown>\n"),
            ],
            expect![[r#"
                cpu.frequency unknown Hz
                cpu.0.busy unknown 1
                cpu.1.busy 0.6 1
                cpu.7.busy unknown 1
            "#]],
        );
    }

    #[test]
    fn a_machine_without_frequencies_says_so() {
        check(
            &[(STAT, IDLE), ("sys/devices/system/cpu/cpu0/online", "1\n")],
            &[],
            expect![[r#"
                cpu.0.busy 1 1
                cpu.1.busy 1 1
                cpu.frequency: no core with `cpufreq` in `/sys/devices/system/cpu` (usual in a virtual machine)
            "#]],
        );
    }

    #[test]
    fn cores_that_share_a_clock_may_be_listed_by_their_policy_alone() {
        check(
            &[(STAT, IDLE), ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "800000\n")],
            &[(STAT, "cpu0 0 0 0 100\ncpu1 0 0 0 0\n")],
            expect![[r#"
                cpu.frequency 800000000 Hz
                cpu.0.busy 0 1
                cpu.1.busy 1 1
            "#]],
        );
    }

    #[test]
    fn a_machine_may_have_192_cores() {
        let lines = |idle: u64| -> String {
            (0..192).map(|core| format!("cpu{core} 0 0 0 {} 0 0 0 0 0 0\n", idle * core / 192)).collect()
        };
        let tree = Tree::of(&[(STAT, &lines(0))]);
        for core in 0..192 {
            let path = format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq");
            tree.write(&path, &format!("{}\n", 1_000_000 + core * 1000));
        }
        let mut sampler = CoreSampler::below(tree.root()).unwrap();
        tree.write(STAT, &lines(100));
        let values = sampler.sample(sampler.before.at_ns + 1_000_000_000).unwrap();
        assert_eq!((values.len(), values[0]), (193, Some(1_095_500_000.0)));
        assert_eq!((values[1], values[97]), (Some(1.0), Some(0.5)));
    }
}
