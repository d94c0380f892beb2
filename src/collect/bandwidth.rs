//! The bandwidth of memory: what each L3 cache reads from and writes to memory, counted by the CPU
//! (Memory Bandwidth Monitoring) and given by resctrl, where somebody has mounted that.
//!
//! Bytes are counted for groups of tasks; all groups together are the machine. Controllers of memory have
//! counters too (uncore perf events), but these need `perf_event_open` and a table of events for each
//! CPU, and are not read.
//!
//! Source: <https://docs.kernel.org/filesystems/resctrl.html>.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CollectError, Collector, Place, Series, rate};
use crate::os::clock::monotonic_ns;
use crate::os::proc::{self, Reader};

/// Its name in records, and the first part of the names of its series.
pub const NAME: &str = "bandwidth";

/// Folders of resctrl that are no groups.
const NO_GROUPS: [&str; 3] = ["info", "mon_data", "mon_groups"];

/// The flag of a CPU that counts.
const FLAG: &str = "cqm_mbm_total";

#[derive(Debug)]
struct BandwidthSampler {
    series: Vec<Series>,
    resctrl: PathBuf,
    /// The cache of each series: `mon_L3_00`.
    caches: Vec<String>,
    reader: Reader,
    at_ns: u64,
    before: BTreeMap<String, u64>,
}

/// Begins to sample `/sys/fs/resctrl`.
///
/// # Errors
/// When resctrl is not mounted, or the CPU does not count.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(BandwidthSampler::below(place.root)?))
}

impl BandwidthSampler {
    fn below(root: &Path) -> Result<BandwidthSampler, CollectError> {
        let resctrl = root.join("sys/fs/resctrl");
        let data = resctrl.join("mon_data");
        let names = proc::names(&data).map_err(|source| not_mounted(root, &data, source))?;
        let caches: Vec<String> = names.into_iter().filter(|name| name.starts_with("mon_L3_")).collect();
        let mut sampler = BandwidthSampler {
            series: caches.iter().map(|cache| Series::new(series(cache), "By/s")).collect(),
            resctrl,
            caches,
            reader: Reader::default(),
            at_ns: monotonic_ns(),
            before: BTreeMap::new(),
        };
        sampler.before = sampler.bytes();
        if sampler.before.is_empty() {
            let usual = "usual if the CPU or the kernel counts no bytes for now";
            return Err(CollectError::Nothing { what: "`mbm_total_bytes`", paths: vec![data], usual });
        }
        Ok(sampler)
    }

    /// The bytes of each cache, of all groups; without those that are not known now.
    fn bytes(&mut self) -> BTreeMap<String, u64> {
        let names = proc::names(&self.resctrl).unwrap_or_default();
        let groups = names.into_iter().filter(|name| !NO_GROUPS.contains(&name.as_str()));
        let groups: Vec<PathBuf> = groups.map(|name| self.resctrl.join(name)).collect();
        let mut sums = BTreeMap::new();
        for cache in &self.caches {
            let own = self.resctrl.join("mon_data").join(cache).join("mbm_total_bytes");
            let others =
                groups.iter().map(|group| group.join("mon_data").join(cache).join("mbm_total_bytes"));
            let mut files = std::iter::once(own).chain(others.filter(|path| proc::is_there(path)));
            // One that is not known, or does not fit, makes the sum unknown.
            let sum = files.try_fold(0_u64, |sum, path| sum.checked_add(bytes(&mut self.reader, &path)?));
            if let Some(sum) = sum {
                sums.insert(cache.clone(), sum);
            }
        }
        sums
    }
}

impl Collector for BandwidthSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let elapsed_ns = at_ns.saturating_sub(self.at_ns);
        if elapsed_ns == 0 {
            return Err(CollectError::TooSoon);
        }
        let now = self.bytes();
        let before = std::mem::replace(&mut self.before, now);
        self.at_ns = at_ns;
        let value = |cache: &String| {
            let (before, now) = (before.get(cache)?, self.before.get(cache)?);
            rate(*before, *now, elapsed_ns)
        };
        Ok(self.caches.iter().map(value).collect())
    }
}

/// `bandwidth.l3_0` for `mon_L3_00`.
fn series(cache: &str) -> String {
    let number = cache.trim_start_matches("mon_L3_");
    let number = number.parse::<u32>().map_or_else(|_| number.to_owned(), |number| number.to_string());
    format!("{NAME}.l3_{number}")
}

/// A number; the kernel writes `Unavailable`, `Unassigned` or `Error` where it has none.
fn bytes(reader: &mut Reader, path: &Path) -> Option<u64> {
    reader.read(path).ok()?.trim().parse().ok()
}

/// Why there is no such folder.
fn not_mounted(root: &Path, data: &Path, source: std::io::Error) -> CollectError {
    let cpuinfo = proc::read(&root.join("proc/cpuinfo")).unwrap_or_default();
    let counts = cpuinfo
        .lines()
        .any(|line| line.starts_with("flags") && line.split_ascii_whitespace().any(|flag| flag == FLAG));
    if counts {
        let hint =
            "the CPU counts, but resctrl is not mounted: as root, `mount -t resctrl resctrl /sys/fs/resctrl`";
        return CollectError::Refused { path: data.to_owned(), source, hint };
    }
    let usual = "usual without Memory Bandwidth Monitoring: the CPU has no flag `cqm_mbm_total`";
    CollectError::Nothing { what: "counter of memory traffic", paths: vec![data.to_owned()], usual }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    #[track_caller]
    fn check(before: &[(&str, &str)], now: &[(&str, &str)], expect: Expect) {
        let tree = Tree::of(before);
        let text = match BandwidthSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                let began_ns = sampler.at_ns;
                sampled(&mut sampler, began_ns, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    /// As `resctrl.rst` has it: a group of the whole machine, one beside it, and one below.
    #[test]
    fn all_groups_together_are_the_machine() {
        check(
            &[
                ("sys/fs/resctrl/info/L3_MON/num_rmids", "143\n"),
                ("sys/fs/resctrl/mon_data/mon_L3_00/mbm_total_bytes", "1000\n"),
                ("sys/fs/resctrl/mon_data/mon_L3_00/llc_occupancy", "5\n"),
                ("sys/fs/resctrl/mon_data/mon_L3_01/mbm_total_bytes", "70\n"),
                ("sys/fs/resctrl/mon_groups/m/mon_data/mon_L3_00/mbm_total_bytes", "400\n"),
                ("sys/fs/resctrl/p0/mon_data/mon_L3_00/mbm_total_bytes", "2000\n"),
                ("sys/fs/resctrl/p0/mon_data/mon_L3_01/mbm_total_bytes", "5\n"),
            ],
            &[
                ("sys/fs/resctrl/mon_data/mon_L3_00/mbm_total_bytes", "51000\n"),
                ("sys/fs/resctrl/p0/mon_data/mon_L3_00/mbm_total_bytes", "12000\n"),
                ("sys/fs/resctrl/p0/mon_data/mon_L3_01/mbm_total_bytes", "Unavailable\n"),
            ],
            expect![[r#"
                bandwidth.l3_0 60000 By/s
                bandwidth.l3_1 unknown By/s
            "#]],
        );
    }

    #[test]
    fn a_sum_that_does_not_fit_is_unknown() {
        let most = "18446744073709551615\n";
        check(
            &[
                ("sys/fs/resctrl/mon_data/mon_L3_00/mbm_total_bytes", "1000\n"),
                ("sys/fs/resctrl/p0/mon_data/mon_L3_00/mbm_total_bytes", "2000\n"),
            ],
            &[
                ("sys/fs/resctrl/mon_data/mon_L3_00/mbm_total_bytes", most),
                ("sys/fs/resctrl/p0/mon_data/mon_L3_00/mbm_total_bytes", most),
            ],
            expect![[r#"
                bandwidth.l3_0 unknown By/s
            "#]],
        );
    }

    #[test]
    fn a_machine_that_does_not_count_says_why() {
        check(
            &[("proc/cpuinfo", "processor: 0\nflags\t\t: fpu cqm_mbm_total sse\n")],
            &[],
            expect![
                "failed to read `/sys/fs/resctrl/mon_data`: No such file or directory (os error 2); the CPU counts, but resctrl is not mounted: as root, `mount -t resctrl resctrl /sys/fs/resctrl`"
            ],
        );
        check(
            &[("proc/cpuinfo", "processor: 0\nflags\t\t: fpu sse\n")],
            &[],
            expect![
                "no counter of memory traffic in `/sys/fs/resctrl/mon_data` (usual without Memory Bandwidth Monitoring: the CPU has no flag `cqm_mbm_total`)"
            ],
        );
        check(
            &[("sys/fs/resctrl/mon_data/mon_L3_00/mbm_total_bytes", "Unassigned\n")],
            &[],
            expect![
                "no `mbm_total_bytes` in `/sys/fs/resctrl/mon_data` (usual if the CPU or the kernel counts no bytes for now)"
            ],
        );
    }
}
