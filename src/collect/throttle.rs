//! Throttling: how often the cores were slowed down because they were hot.
//!
//! The kernel counts that of Intel's CPUs, for each core and for each package. All cores of a
//! package have the same package count, so it counts once. A core that is offline has
//! no counter, and is left out.
//!
//! Source: `Documentation/ABI/testing/sysfs-devices-system-cpu` (`thermal_throttle`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{CollectError, Collector, Place, Series, rate};
use crate::os::clock::monotonic_ns;
use crate::os::proc::{self, Reader};

/// Its name in records.
pub const NAME: &str = "throttle";

/// Times per second that a core or a package was throttled, all together.
pub const COUNT: &str = "throttle.count";

#[derive(Debug)]
struct ThrottleSampler {
    series: [Series; 1],
    /// Not kept open: there may be hundreds of cores.
    files: Vec<PathBuf>,
    reader: Reader,
    before_ns: u64,
    before: BTreeMap<usize, u64>,
}

/// Begins to sample `thermal_throttle` of all cores.
///
/// # Errors
/// When there is none.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(ThrottleSampler::below(place.root)?))
}

impl ThrottleSampler {
    fn below(root: &Path) -> Result<ThrottleSampler, CollectError> {
        let cpus = root.join("sys/devices/system/cpu");
        let mut files = Vec::new();
        let mut packages = BTreeMap::new();
        for core in proc::numbered(&cpus, "cpu") {
            let counts = cpus.join(&core).join("thermal_throttle");
            let of_core = counts.join("core_throttle_count");
            if proc::is_there(&of_core) {
                files.push(of_core);
            }
            let of_package = counts.join("package_throttle_count");
            if proc::is_there(&of_package) {
                let package = proc::read(&cpus.join(&core).join("topology/physical_package_id"));
                packages.entry(package.unwrap_or_default()).or_insert(of_package);
            }
        }
        files.extend(packages.into_values());
        if files.is_empty() {
            let what = "core with `thermal_throttle`";
            return Err(CollectError::Nothing { what, paths: vec![cpus], usual: USUAL });
        }
        let series = [Series::new(COUNT, "/s")];
        let (reader, before) = (Reader::default(), BTreeMap::new());
        let mut sampler = ThrottleSampler { series, files, reader, before_ns: monotonic_ns(), before };
        sampler.before = sampler.counts();
        Ok(sampler)
    }

    /// The counts that can be read, by the place of their file.
    fn counts(&mut self) -> BTreeMap<usize, u64> {
        let count = |(place, path): (usize, &PathBuf)| {
            let count = self.reader.read(path).ok()?.trim().parse().ok()?;
            Some((place, count))
        };
        self.files.iter().enumerate().filter_map(count).collect()
    }
}

/// Why a machine has no such file, most often.
const USUAL: &str = "usual in a virtual machine, and with CPUs that are not Intel's";

impl Collector for ThrottleSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let elapsed_ns = at_ns.saturating_sub(self.before_ns);
        if elapsed_ns == 0 {
            return Err(CollectError::TooSoon);
        }
        let now = self.counts();
        let both = |(place, now): (&usize, &u64)| Some((*self.before.get(place)?, *now));
        let pairs: Vec<(u64, u64)> = now.iter().filter_map(both).collect();
        // A core that is offline is not throttled; with none left, nothing is known.
        let per_second: Option<f64> = pairs.iter().map(|(before, now)| rate(*before, *now, elapsed_ns)).sum();
        self.before = now;
        self.before_ns = at_ns;
        Ok(vec![per_second.filter(|_| !pairs.is_empty())])
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    fn file(core: u32, name: &str) -> String {
        format!("sys/devices/system/cpu/cpu{core}/{name}")
    }

    /// Two packages of two cores.
    fn machine() -> Tree {
        let tree = Tree::of(&[]);
        for core in 0..4 {
            tree.write(&file(core, "thermal_throttle/core_throttle_count"), "10\n");
            tree.write(&file(core, "thermal_throttle/package_throttle_count"), "100\n");
            tree.write(&file(core, "topology/physical_package_id"), &format!("{}\n", core / 2));
        }
        tree
    }

    #[track_caller]
    fn check(tree: &Tree, now: &[(String, &str)], expect: Expect) {
        let text = match ThrottleSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                let began_ns = sampler.before_ns;
                sampled(&mut sampler, began_ns, tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn a_package_counts_once_and_each_core() {
        let now: Vec<_> = (0..4)
            .flat_map(|core| {
                let package = if core < 2 { "107\n" } else { "100\n" };
                [
                    (file(core, "thermal_throttle/core_throttle_count"), "11\n"),
                    (file(core, "thermal_throttle/package_throttle_count"), package),
                ]
            })
            .collect();
        check(&machine(), &now, expect!["throttle.count 11 /s\n"]);
    }

    #[test]
    fn a_count_that_went_back_is_unknown_and_one_that_is_away_is_left_out() {
        check(
            &machine(),
            &[(file(0, "thermal_throttle/core_throttle_count"), "9\n")],
            expect!["throttle.count unknown /s\n"],
        );
        check(
            &machine(),
            &[
                (file(0, "thermal_throttle/core_throttle_count"), ""),
                (file(1, "thermal_throttle/core_throttle_count"), "12\n"),
            ],
            expect!["throttle.count 2 /s\n"],
        );
    }

    #[test]
    fn a_machine_that_does_not_count_says_so() {
        let tree = Tree::of(&[("sys/devices/system/cpu/cpu0/online", "1\n")]);
        check(
            &tree,
            &[],
            expect![
                "no core with `thermal_throttle` in `/sys/devices/system/cpu` (usual in a virtual machine, and with CPUs that are not Intel's)"
            ],
        );
    }
}
