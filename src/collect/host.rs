//! The host's fingerprint: facts that must be equal for two records to be comparable.
//!
//! Facts are texts that stay equal on one machine from boot to boot, so memory
//! is rounded to 256 MiB (firmware takes a little more or less of it) and GPUs
//! are named by driver and PCI id, not by card number.
//!
//! A restriction of the machine - a container, limits of control groups, cores that are
//! not allowed - is a fact only where there is one: records of a whole machine do not
//! have it.
//!
//! Not here: `gstreamer`, which only a worker knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::machine::kibibytes;
use super::{CollectError, cgroup};
use crate::os::env::system_root;
use crate::os::proc;

/// Memory is rounded to a multiple of this, in MiB.
const MEMORY_STEP_MIB: u64 = 256;

/// The known facts about a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// `cpu`, `cpus`, `memory`, `kernel`, `governor`, `virtualised`, `gpu`, `npu`;
    /// where it is so, also `power_profile`, `smt`, `container`, `cpus_allowed`, `cpu_limit`, `memory_limit`.
    pub facts: BTreeMap<String, String>,
    /// Facts that could not be found out, with the reason.
    pub missing: BTreeMap<String, String>,
}

/// The facts of this machine.
#[must_use]
pub fn facts() -> HostFacts {
    facts_below(&system_root())
}

fn facts_below(root: &Path) -> HostFacts {
    let mut host = HostFacts::default();
    let mut cores = None;
    match read(&root.join("proc/cpuinfo")) {
        Ok(cpuinfo) => {
            cores = Some(values(&cpuinfo, "processor").count());
            host.know("cpu", cpu_model(&cpuinfo));
            host.know("cpus", values(&cpuinfo, "processor").count().to_string());
            host.know("virtualised", if has_hypervisor(&cpuinfo) { "yes" } else { "no" }.to_owned());
        }
        Err(error) => ["cpu", "cpus", "virtualised"].iter().for_each(|name| host.lack(name, &error)),
    }
    let meminfo = root.join("proc/meminfo");
    let total = read(&meminfo).and_then(|text| {
        let missing = || CollectError::Format { path: meminfo.clone(), expected: "`MemTotal`" };
        kibibytes(&text, "MemTotal").ok_or_else(missing)
    });
    let memory = total.as_ref().ok().map(|kib| kib * 1024);
    match total {
        Ok(kib) => host.know("memory", rounded_memory(kib)),
        Err(error) => host.lack("memory", &error),
    }
    match read(&root.join("proc/sys/kernel/osrelease")) {
        Ok(release) => host.know("kernel", release),
        Err(error) => host.lack("kernel", &error),
    }
    host.know("governor", governors(&root.join("sys/devices/system/cpu")));
    // Only a firmware with such profiles has the file.
    if let Ok(profile) = read(&root.join("sys/firmware/acpi/platform_profile")) {
        host.know("power_profile", profile);
    }
    // Where a core runs two threads, they share it.
    if read(&root.join("sys/devices/system/cpu/smt/active")).is_ok_and(|active| active == "1") {
        host.know("smt", "on".to_owned());
    }
    host.know("gpu", devices(&root.join("sys/class/drm"), "card"));
    host.know("npu", devices(&root.join("sys/class/accel"), "accel"));
    if let Some(container) = container(root) {
        host.know("container", container);
    }
    if let Some(cores) = cores {
        host.bound(root, cores, memory);
    }
    host
}

/// The engine of the container that we are in, by the traces that it leaves.
fn container(root: &Path) -> Option<String> {
    if let Some(named) = proc::read(&root.join("run/systemd/container")).ok().filter(|name| !name.is_empty())
    {
        return Some(named);
    }
    // An engine mounts these. The disk of a machine that was made from an image
    // may keep a mark, but not them.
    let own = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    let mounts = proc::read(&root.join("proc/self/mountinfo")).unwrap_or_default();
    let from = mounts.lines().find_map(|mount| {
        let mut fields = mount.split(' ').skip(3);
        let from = fields.next()?;
        own.contains(&fields.next()?).then_some(from)
    })?;
    let marks = [("run/.containerenv", "podman"), (".dockerenv", "docker")];
    let mark = marks.into_iter().find(|(mark, _)| proc::is_there(&root.join(mark)));
    // Under a read-only root podman hides its mark behind a `/run` of its own.
    let kept = [("/overlay-containers/", "podman"), ("/containers/", "docker")];
    let kept = || kept.into_iter().find(|(folder, _)| from.contains(folder));
    mark.or_else(kept).map(|(_, engine)| engine.to_owned())
}

impl HostFacts {
    /// Learns what of `cores` and `memory` (in bytes) this process may use.
    fn bound(&mut self, root: &Path, cores: usize, memory: Option<u64>) {
        let status = proc::read(&root.join("proc/self/status")).unwrap_or_default();
        if let Some(allowed) = values(&status, "Cpus_allowed_list").next().and_then(count)
            && allowed < cores
        {
            self.know("cpus_allowed", allowed.to_string());
        }
        match cgroup::limits(root) {
            Ok(limits) => {
                #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 cores")]
                if let Some(limit) = limits.cores.filter(|limit| *limit < cores as f64) {
                    self.know(
                        "cpu_limit",
                        format!("{:.2}", limit).trim_end_matches('0').trim_end_matches('.').to_owned(),
                    );
                }
                if let Some(limit) =
                    limits.memory.filter(|limit| memory.is_some_and(|memory| *limit < memory))
                {
                    self.know("memory_limit", format!("{} MiB", limit / (1024 * 1024)));
                }
            }
            Err(error) => ["cpu_limit", "memory_limit"].iter().for_each(|name| self.lack(name, &error)),
        }
    }

    fn know(&mut self, name: &str, value: String) {
        self.facts.insert(name.to_owned(), value);
    }

    fn lack(&mut self, name: &str, error: &CollectError) {
        self.missing.insert(format!("host {name}"), error.reason());
    }
}

fn read(path: &Path) -> Result<String, CollectError> {
    proc::read(path).map_err(|source| CollectError::read(path, source))
}

/// How many numbers a list such as `0-3,8` has.
fn count(list: &str) -> Option<usize> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some((last.parse::<usize>().ok()? + 1).saturating_sub(first.parse().ok()?))
    };
    list.split(',').map(range).sum()
}

/// The values of `key` in the text of `/proc/cpuinfo`, one per core, or of
/// `/proc/self/status`.
fn values<'a>(cpuinfo: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let value = move |line: &'a str| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    };
    cpuinfo.lines().filter_map(value)
}

/// Arm cores have no model name, only numbers.
fn cpu_model(cpuinfo: &str) -> String {
    if let Some(model) = values(cpuinfo, "model name").next() {
        return model.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    }
    let number = |key| values(cpuinfo, key).next();
    match (number("CPU implementer"), number("CPU part")) {
        (Some(implementer), Some(part)) => {
            format!("{} implementer {implementer} part {part}", std::env::consts::ARCH)
        }
        _ => std::env::consts::ARCH.to_owned(),
    }
}

fn has_hypervisor(cpuinfo: &str) -> bool {
    values(cpuinfo, "flags").any(|flags| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}

fn rounded_memory(kib: u64) -> String {
    let mib = (kib + 512) / 1024;
    format!("{} MiB", (mib + MEMORY_STEP_MIB / 2) / MEMORY_STEP_MIB * MEMORY_STEP_MIB)
}

/// The frequency governors of all cores, each once: `performance`. `none` where
/// the kernel does not change frequencies.
fn governors(cpus: &Path) -> String {
    let governor = |name: String| proc::read(&cpus.join(name).join("cpufreq/scaling_governor")).ok();
    let found: BTreeSet<String> = proc::numbered(cpus, "cpu")
        .into_iter()
        .filter_map(governor)
        .filter(|text| !text.is_empty())
        .collect();
    joined(found.into_iter().collect())
}

/// The devices of a class: `i915 8086:46a6`. A device that has no driver of its
/// own (a virtual one) is named by its class alone.
fn devices(class: &Path, prefix: &str) -> String {
    let describe = |name: String| {
        let device = class.join(name).join("device");
        let driver = proc::link_name(&device.join("driver")).unwrap_or_else(|_| "no driver".to_owned());
        let id = |file: &str| proc::read(&device.join(file)).ok();
        match (id("vendor"), id("device")) {
            (Some(vendor), Some(model)) => {
                format!("{driver} {}:{}", vendor.trim_start_matches("0x"), model.trim_start_matches("0x"))
            }
            _ => driver,
        }
    };
    let mut found: Vec<String> = proc::numbered(class, prefix).into_iter().map(describe).collect();
    found.sort_unstable();
    joined(found)
}

fn joined(found: Vec<String>) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Files below a root, then links.
    #[track_caller]
    fn check(files: &[(&str, &str)], links: &[(&str, &str)], expect: Expect) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        for (path, target) in links {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(target, path).unwrap();
        }
        let host = facts_below(root.path());
        let line = |(name, value): (&String, &String)| format!("{name} = {value}\n");
        let mut text: String = host.facts.iter().map(line).collect();
        let shown = root.path().display().to_string();
        for (name, reason) in &host.missing {
            text.push_str(&format!("{name}: {}\n", reason.replace(&shown, "")));
        }
        expect.assert_eq(&text);
    }

    #[test]
    fn a_laptop_with_a_gpu_and_an_npu() {
        check(
            &[
                (
                    "proc/cpuinfo",
                    "processor\t: 0\nmodel name\t: Some  CPU\nflags\t\t: fpu sse\n\nprocessor\t: 1\nmodel name\t: Some  CPU\n",
                ),
                ("proc/meminfo", "MemTotal:       32456788 kB\n"),
                ("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n"),
                ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
                ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n"),
                ("sys/firmware/acpi/platform_profile", "balanced\n"),
                ("sys/devices/system/cpu/smt/active", "1\n"),
                ("sys/class/drm/card1/device/vendor", "0x8086\n"),
                ("sys/class/drm/card1/device/device", "0x46a6\n"),
                ("sys/class/drm/card1-HDMI-A-1/status", "connected\n"),
                ("sys/class/drm/renderD128/dev", "226:128\n"),
            ],
            &[
                ("sys/class/drm/card1/device/driver", "../../bus/pci/drivers/i915"),
                ("sys/class/accel/accel0/device/driver", "../../bus/pci/drivers/intel_vpu"),
            ],
            expect![[r#"
                cpu = Some CPU
                cpus = 2
                governor = powersave
                gpu = i915 8086:46a6
                kernel = 6.1.0-28-amd64
                memory = 31744 MiB
                npu = intel_vpu
                power_profile = balanced
                smt = on
                virtualised = no
            "#]],
        );
    }

    #[test]
    fn a_bare_virtual_machine() {
        check(
            &[
                ("proc/cpuinfo", "processor: 0\nmodel name: X\nflags: fpu hypervisor sse\n"),
                ("proc/meminfo", "MemFree: 1 kB\n"),
            ],
            &[],
            expect![[r#"
                cpu = X
                cpus = 1
                governor = none
                gpu = none
                npu = none
                virtualised = yes
                host kernel: failed to read `/proc/sys/kernel/osrelease`: No such file or directory (os error 2)
                host memory: expected `MemTotal` in `/proc/meminfo`, found none
            "#]],
        );
    }

    const TWO_CORES: [(&str, &str); 3] = [
        ("proc/cpuinfo", "processor: 0\nmodel name: X\nprocessor: 1\n"),
        ("proc/meminfo", "MemTotal: 4194304 kB\n"),
        ("proc/sys/kernel/osrelease", "6.1\n"),
    ];

    /// The facts that are not there on a whole machine.
    #[track_caller]
    fn check_bounds(files: &[(&str, &str)], expect: Expect) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in TWO_CORES.iter().chain(files) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let names = ["container", "cpus_allowed", "cpu_limit", "memory_limit"];
        let host = facts_below(root.path());
        let facts = names.iter().filter_map(|name| Some(format!("{name} = {}\n", host.facts.get(*name)?)));
        let missing = host.missing.iter().map(|(name, reason)| format!("{name}: {reason}\n"));
        let text: String = facts.chain(missing).collect();
        expect.assert_eq(&text.replace(&root.path().display().to_string(), ""));
    }

    const CGROUP: [(&str, &str); 2] = [
        ("proc/self/cgroup", "0::/\n"),
        ("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
    ];

    #[test]
    fn a_container_with_less_than_the_machine_says_so() {
        let [group, mount] = CGROUP;
        check_bounds(
            &[
                group,
                (mount.0, &format!("90 83 254:0 /x/hosts /etc/hosts rw - ext4 /dev/vda rw\n{}", mount.1)),
                ("run/.containerenv", ""),
                ("proc/self/status", "Name:\tlp\nCpus_allowed_list:\t1\n"),
                ("sys/fs/cgroup/cpu.max", "75000 100000\n"),
                ("sys/fs/cgroup/memory.max", "536870912\n"),
            ],
            expect![[r#"
                container = podman
                cpus_allowed = 1
                cpu_limit = 0.75
                memory_limit = 512 MiB
            "#]],
        );
    }

    #[test]
    fn limits_of_the_whole_machine_or_more_are_none() {
        let [group, mount] = CGROUP;
        check_bounds(
            &[
                group,
                mount,
                // Cores that could be plugged in are allowed too.
                ("proc/self/status", "Cpus_allowed_list:\t0-127\n"),
                ("sys/fs/cgroup/cpu.max", "200000 100000\n"),
                ("sys/fs/cgroup/memory.max", "4294967296\n"),
            ],
            expect![""],
        );
        let hosts = ("proc/self/mountinfo", "90 83 254:0 /x/hosts /etc/hosts rw - ext4 /dev/vda rw\n");
        check_bounds(
            &[(".dockerenv", ""), hosts],
            expect![[r#"
            container = docker
        "#]],
        );
        let kept = |from: &str| format!("90 83 254:0 {from} /etc/hosts rw - ext4 /dev/vda rw\n");
        let podman = kept("/run/containers/storage/overlay-containers/8d2d/userdata/hosts");
        check_bounds(
            &[("proc/self/mountinfo", &podman)],
            expect![[r#"
            container = podman
        "#]],
        );
        let docker = kept("/var/lib/docker/containers/8d2d/hosts");
        check_bounds(
            &[("proc/self/mountinfo", &docker)],
            expect![[r#"
            container = docker
        "#]],
        );
        check_bounds(&[("proc/self/mountinfo", &kept("/srv/hosts"))], expect![""]);
        // A machine whose disk was made from an image.
        check_bounds(&[(".dockerenv", ""), mount], expect![""]);
        check_bounds(
            &[(".dockerenv", ""), ("run/systemd/container", "lxc\n")],
            expect![[r#"
            container = lxc
        "#]],
        );
    }

    #[test]
    fn a_limit_that_cannot_be_read_is_missing_and_not_absent() {
        let [group, mount] = CGROUP;
        check_bounds(
            &[group, mount, ("sys/fs/cgroup/cpu.max", "?\n")],
            expect![[r#"
                host cpu_limit: expected a quota and a period in `/sys/fs/cgroup/cpu.max`, found none
                host memory_limit: expected a quota and a period in `/sys/fs/cgroup/cpu.max`, found none
            "#]],
        );
    }

    #[test]
    fn a_list_of_cores_is_counted() {
        for (list, expected) in
            [("0", Some(1)), ("0-3,8", Some(5)), ("", None), ("3-1", Some(0)), ("a-b", None)]
        {
            assert_eq!(count(list), expected, "{list}");
        }
    }

    #[test]
    fn memory_is_rounded_so_that_firmware_does_not_matter() {
        for (kib, expected) in [(8_010_000, "7936 MiB"), (7_990_000, "7680 MiB"), (131_072, "256 MiB")] {
            assert_eq!(rounded_memory(kib), expected);
        }
    }
}
