//! How often the control groups of this process reached their limits.
//!
//! *CPU time*: the share of the enforcement periods (100 ms each, unless set otherwise) in
//! which the group had used up its quota and had to wait; of several groups, the largest.
//! `throttled_usec` is a sum over cores, so it is no share of time. *Memory*: how often a
//! charge met `memory.max` or `memory.high`, of the group with all below it and of those
//! around it; in version 1, `memory.failcnt`.
//!
//! Workers in containers have groups of their own, which are not looked at.
//!
//! Source: <https://docs.kernel.org/admin-guide/cgroup-v2.html>,
//! <https://docs.kernel.org/scheduler/sched-bwc.html>.

use std::path::Path;

use super::{below, folders, text};
use crate::collect::source::Source;
use crate::collect::{CollectError, Collector, Place, Series, rate, share};
use crate::os::clock::monotonic_ns;

/// Its name in records.
pub const NAME: &str = "cgroup";

/// Share of the enforcement periods in which a limit of CPU time took cores away.
pub const THROTTLED: &str = "cgroup.throttled";

/// Times per second that a limit of memory was reached.
pub const MEMORY_LIMIT: &str = "cgroup.memory_limit";

#[derive(Debug)]
struct GroupSampler {
    series: Vec<Series>,
    missing: Vec<(String, String)>,
    /// `cpu.stat` of each group.
    cpu: Vec<Source>,
    /// The file with events of memory of each group.
    memory: Vec<Source>,
    before_ns: u64,
    before: Counts,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    /// Periods, and those that were throttled, of each group.
    periods: Vec<Option<[u64; 2]>>,
    hits: Vec<Option<u64>>,
}

/// Begins to sample the groups of this process.
///
/// # Errors
/// When it is in none that could have limits.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(GroupSampler::below(place.root)?))
}

impl GroupSampler {
    fn below(root: &Path) -> Result<GroupSampler, CollectError> {
        let own = |name: &str| {
            let path = root.join("proc/self").join(name);
            let absent = || {
                let usual = "usual where the kernel has no control groups";
                CollectError::Nothing { what: "list of control groups", paths: vec![path.clone()], usual }
            };
            text(&path)?.ok_or_else(absent)
        };
        let (mounts, groups) = (own("mountinfo")?, own("cgroup")?);
        let of = |controller: &str| {
            folders(&mounts, &groups, controller).iter().map(|folder| below(root, folder)).collect::<Vec<_>>()
        };
        let (cpu_folders, memory_folders) = (of("cpu"), of("memory"));
        let mut cpu: Vec<Source> =
            cpu_folders.iter().filter_map(|folder| Source::open(folder.join("cpu.stat")).ok()).collect();
        cpu.retain_mut(|file| file.parse(periods, "").is_ok());
        let mut memory: Vec<Source> = memory_folders
            .iter()
            .enumerate()
            .filter_map(|(around, folder)| {
                // Of groups around this one, only what met their own limit.
                let names: [&str; 3] = match around {
                    0 => ["memory.events", "memory.failcnt", ""],
                    _ => ["memory.events.local", "memory.events", "memory.failcnt"],
                };
                let mut names = names.iter().filter(|name| !name.is_empty());
                names.find_map(|name| Source::open(folder.join(name)).ok())
            })
            .collect();
        memory.retain_mut(|file| file.parse(hits, "").is_ok());

        let (mut series, mut missing) = (Vec::new(), Vec::new());
        let mut reason = None;
        let halves = [
            (THROTTLED, "1", cpu.is_empty(), "limit of CPU time", cpu_folders),
            (MEMORY_LIMIT, "/s", memory.is_empty(), "limit of memory", memory_folders),
        ];
        for (name, unit, is_missing, what, folders) in halves {
            if is_missing {
                let paths = if folders.is_empty() { vec![root.join("sys/fs/cgroup")] } else { folders };
                let usual = "usual in the root group, and where the controller is not enabled";
                let error = CollectError::Nothing { what, paths, usual };
                missing.push((name.to_owned(), error.reason()));
                reason = reason.or(Some(error));
            } else {
                series.push(Series::new(name, unit));
            }
        }
        if let Some(reason) = reason.filter(|_| series.is_empty()) {
            return Err(reason);
        }
        let (before_ns, before) = (monotonic_ns(), Counts::default());
        let mut sampler = GroupSampler { series, missing, cpu, memory, before_ns, before };
        sampler.before = sampler.counts();
        Ok(sampler)
    }

    fn counts(&mut self) -> Counts {
        Counts {
            periods: self.cpu.iter_mut().map(|file| file.parse(periods, "").ok()).collect(),
            hits: self.memory.iter_mut().map(|file| file.parse(hits, "").ok()).collect(),
        }
    }
}

impl Collector for GroupSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        self.missing.clone()
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let elapsed_ns = at_ns.saturating_sub(self.before_ns);
        if elapsed_ns == 0 {
            return Err(CollectError::TooSoon);
        }
        let now = self.counts();
        let mut values = Vec::with_capacity(2);
        if !self.cpu.is_empty() {
            let groups = self.before.periods.iter().zip(&now.periods);
            // If one group is unknown, so is the largest share.
            let shares: Option<Vec<f64>> =
                groups.map(|(before, now)| throttled((*before)?, (*now)?)).collect();
            values.push(shares.and_then(|shares| shares.into_iter().reduce(f64::max)).map(share));
        }
        if !self.memory.is_empty() {
            let groups = self.before.hits.iter().zip(&now.hits);
            values.push(groups.map(|(before, now)| rate((*before)?, (*now)?, elapsed_ns)).sum());
        }
        self.before = now;
        self.before_ns = at_ns;
        Ok(values)
    }
}

/// The share of throttled periods; 0 if none began, since then the group did not run.
fn throttled(before: [u64; 2], now: [u64; 2]) -> Option<f64> {
    let [periods, throttled] = [now[0].checked_sub(before[0])?, now[1].checked_sub(before[1])?];
    Some(if periods == 0 { 0.0 } else { throttled as f64 / periods as f64 })
}

/// `nr_periods` and `nr_throttled` of `cpu.stat`.
fn periods(text: &str) -> Option<[u64; 2]> {
    Some([value(text, "nr_periods")?, value(text, "nr_throttled")?])
}

/// `max` and `high` of `memory.events`, or the only number of `memory.failcnt`.
fn hits(text: &str) -> Option<u64> {
    if let Ok(failures) = text.trim().parse() {
        return Some(failures);
    }
    Some(value(text, "max")?.saturating_add(value(text, "high").unwrap_or(0)))
}

fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::collect::tests::{Tree, sampled};

    const UNIFIED: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "\
700 699 0:29 /docker/4711 /sys/fs/cgroup/cpu,cpuacct ro,nosuid master:11 - cgroup cgroup rw,cpu,cpuacct
701 699 0:30 /docker/4711 /sys/fs/cgroup/memory ro,nosuid master:12 - cgroup cgroup rw,memory
";

    #[track_caller]
    fn check(mounts: &str, groups: &str, before: &[(&str, &str)], now: &[(&str, &str)], expect: Expect) {
        let tree = Tree::of(&[("proc/self/mountinfo", mounts), ("proc/self/cgroup", groups)]);
        before.iter().for_each(|(path, text)| tree.write(path, text));
        let text = match GroupSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                let began_ns = sampler.before_ns;
                sampled(&mut sampler, began_ns, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    fn cpu(periods: u64, throttled: u64) -> String {
        format!(
            "usage_usec 7\nuser_usec 5\nsystem_usec 2\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 99999999\n"
        )
    }

    fn memory(high: u64, max: u64) -> String {
        format!("low 0\nhigh {high}\nmax {max}\noom 0\noom_kill 0\noom_group_kill 0\n")
    }

    const OWN: &str = "sys/fs/cgroup/a.slice/b.scope";
    const AROUND: &str = "sys/fs/cgroup/a.slice";

    #[test]
    fn limits_of_the_group_and_those_around_it_count() {
        let path = |folder: &str, file: &str| format!("{folder}/{file}");
        let root = "usage_usec 7\nuser_usec 5\nsystem_usec 2\n";
        let before = [
            (path("sys/fs/cgroup", "cpu.stat"), root.to_owned()),
            (path(OWN, "cpu.stat"), cpu(100, 10)),
            (path(AROUND, "cpu.stat"), cpu(100, 0)),
            (path(OWN, "memory.events"), memory(0, 5)),
            // With those of other groups, which are not ours.
            (path(AROUND, "memory.events"), memory(900, 900)),
            (path(AROUND, "memory.events.local"), memory(0, 0)),
        ];
        let now = [
            (path(OWN, "cpu.stat"), cpu(110, 12)),
            (path(AROUND, "cpu.stat"), cpu(110, 5)),
            (path(OWN, "memory.events"), memory(1, 7)),
            (path(AROUND, "memory.events"), memory(999, 999)),
            (path(AROUND, "memory.events.local"), memory(0, 4)),
        ];
        let before: Vec<_> = before.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let now: Vec<_> = now.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        check(
            UNIFIED,
            "0::/a.slice/b.scope\n",
            &before,
            &now,
            expect![[r#"
                cgroup.throttled 0.5 1
                cgroup.memory_limit 7 /s
            "#]],
        );
        check(
            UNIFIED,
            "0::/a.slice/b.scope\n",
            &before,
            &[(&path(OWN, "cpu.stat"), ""), (&path(OWN, "memory.events"), &memory(0, 0))],
            expect![[r#"
                cgroup.throttled unknown 1
                cgroup.memory_limit unknown /s
            "#]],
        );
    }

    #[test]
    fn version_1_counts_as_well() {
        check(
            V1,
            "5:memory:/docker/4711\n4:cpu,cpuacct:/docker/4711\n",
            &[
                ("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_periods 20\nnr_throttled 1\nthrottled_time 5\n"),
                ("sys/fs/cgroup/memory/memory.failcnt", "3\n"),
            ],
            &[
                ("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_periods 20\nnr_throttled 1\nthrottled_time 5\n"),
                ("sys/fs/cgroup/memory/memory.failcnt", "13\n"),
            ],
            expect![[r#"
                cgroup.throttled 0 1
                cgroup.memory_limit 10 /s
            "#]],
        );
    }

    #[test]
    fn groups_that_can_have_no_limit_say_so() {
        let cpu = cpu(0, 0);
        check(
            UNIFIED,
            "0::/a.slice\n",
            &[("sys/fs/cgroup/a.slice/cpu.stat", &cpu)],
            &[],
            expect![[r#"
                cgroup.throttled 0 1
                cgroup.memory_limit: no limit of memory in `/sys/fs/cgroup/a.slice` or `/sys/fs/cgroup` (usual in the root group, and where the controller is not enabled)
            "#]],
        );
        check(
            UNIFIED,
            "0::/\n",
            &[("sys/fs/cgroup/cpu.stat", "usage_usec 1\n")],
            &[],
            expect![
                "no limit of CPU time in `/sys/fs/cgroup` (usual in the root group, and where the controller is not enabled)"
            ],
        );
        check(
            "",
            "",
            &[],
            &[],
            expect![
                "no limit of CPU time in `/sys/fs/cgroup` (usual in the root group, and where the controller is not enabled)"
            ],
        );
        let tree = Tree::of(&[]);
        let error = GroupSampler::below(tree.root()).unwrap_err();
        expect!["no list of control groups in `/proc/self/mountinfo` (usual where the kernel has no control groups)"]
            .assert_eq(&tree.without_root(&error.reason()));
    }
}
