//! Disks: bytes read and written, and the share of time in which requests were pending.
//!
//! `/proc/diskstats` has a line for each block device. Partitions, loop devices, device
//! mappers and RAIDs are left out, as their disks have the same requests; so are disks in
//! memory. The kernel looks at pending requests at each tick at most, so *busy* of a fast disk
//! with few requests is too low.
//!
//! Source: <https://docs.kernel.org/admin-guide/iostats.html>. A sector is 512 bytes there,
//! whatever the disk has.

use std::collections::BTreeSet;

use super::devices::{DeviceSampler, Devices, Table};
use super::source::Source;
use super::{CollectError, Collector, Place};

/// Its name in records.
pub const NAME: &str = "disk";

const DISKS: Table<3> = Table {
    name: NAME,
    counters: [("read", "By/s", 512.0), ("written", "By/s", 512.0), ("busy", "1", 0.001)],
    read: disks,
    expected: "lines of block devices",
    absent: "disk",
    usual: "usual in a container on some hosts",
};

/// Devices that are made of others, or of memory.
const OTHERS: [&str; 8] = ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nullb"];

/// Begins to sample `/proc/diskstats`.
///
/// # Errors
/// When it cannot be read, or has no disk.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(DeviceSampler::new(&DISKS, Source::open(place.root.join("proc/diskstats"))?)?))
}

/// `8 0 sda reads merged sectors ms writes merged sectors ms pending ms weighted`
fn disks(text: &str) -> Option<Devices<3>> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
        number(0)?;
        // Partitions of old kernels have four fields only.
        if let (Some(read), Some(written), Some(busy)) = (number(5), number(9), number(12)) {
            lines.push((fields[2], [read, written, busy]));
        }
    }
    let names: BTreeSet<&str> = lines.iter().map(|(name, _)| *name).collect();
    let is_disk = |name: &str| {
        !OTHERS.iter().any(|other| name.starts_with(other))
            && disk_of(name).is_none_or(|disk| !names.contains(disk))
    };
    Some(
        lines
            .iter()
            .filter(|(name, _)| is_disk(name))
            .map(|(name, counters)| ((*name).to_owned(), *counters))
            .collect(),
    )
}

/// The disk whose partition would have this name: `sda` of `sda1`, `nvme0n1` of `nvme0n1p1`.
fn disk_of(name: &str) -> Option<&str> {
    let rest = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if rest.len() == name.len() {
        return None;
    }
    let numbered = rest.strip_suffix('p').filter(|disk| disk.ends_with(|c: char| c.is_ascii_digit()));
    Some(numbered.unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    const PATH: &str = "proc/diskstats";

    #[track_caller]
    fn check(before: &str, now: &str, expect: Expect) {
        let tree = Tree::of(&[(PATH, before)]);
        let started = Source::open(tree.root().join(PATH)).and_then(|file| DeviceSampler::new(&DISKS, file));
        let text = match started {
            Ok(mut sampler) => {
                tree.write(PATH, now);
                let began_ns = sampler.began_ns();
                sampled(&mut sampler, began_ns, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn disks_have_rates_and_partitions_do_not_count_twice() {
        check(
            "   8       0 sda 10 0 1000 9 5 0 100 9 0 100 18 0 0 0 0\n   8       1 sda1 10 0 1000 9 5 0 100 9 0 100 18\n \
             259 0 nvme0n1 1 0 8 0 0 0 0 0 0 1 1\n 259 1 nvme0n1p1 1 0 8 0 0 0 0 0 0 1 1\n 7 0 loop0 9 9 9 9 9 9 9 9 9 9 9\n \
             253 1 dm-1 9 9 9 9 9 9 9 9 9 9 9\n 254 0 vda 0 0 0 0 0 0 0 0 0 0 0\n",
            "   8       0 sda 10 0 1010 9 5 0 120 9 0 350 18 0 0 0 0\n 259 0 nvme0n1 1 0 8 0 0 0 0 0 0 5001 1\n",
            expect![[r#"
                disk.nvme0n1.read 0 By/s
                disk.nvme0n1.written 0 By/s
                disk.nvme0n1.busy 1 1
                disk.sda.read 5120 By/s
                disk.sda.written 10240 By/s
                disk.sda.busy 0.25 1
            "#]],
        );
    }

    #[test]
    fn a_disk_that_comes_or_goes_or_counts_backwards_is_unknown() {
        check(
            "8 0 sda 1 0 10 1 1 0 10 1 0 10 1\n8 16 sdb 1 0 10 1 1 0 10 1 0 10 1\n8 32 sdc 0 0 0 0 0 0 0 0 0 0 0\n",
            "8 0 sda 1 0 9 1 1 0 11 1 0 10 1\n8 32 sdc 1 0 2 0 0 0 0 0 0 0 0\n8 48 sdd 1 0 2 0 0 0 0 0 0 0 0\n",
            expect![[r#"
                disk.sda.read unknown By/s
                disk.sda.written 512 By/s
                disk.sda.busy 0 1
                disk.sdb.read unknown By/s
                disk.sdb.written unknown By/s
                disk.sdb.busy unknown 1
                disk.sdc.read 1024 By/s
                disk.sdc.written 0 By/s
                disk.sdc.busy 0 1
                disk.sdd.read unknown By/s
                disk.sdd.written unknown By/s
                disk.sdd.busy unknown 1
            "#]],
        );
    }

    #[test]
    fn a_machine_without_disks_says_so() {
        check(
            "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n",
            "",
            expect!["no disk in `/proc/diskstats` (usual in a container on some hosts)"],
        );
        check("", "", expect!["no disk in `/proc/diskstats` (usual in a container on some hosts)"]);
        check("nonsense\n", "", expect!["expected lines of block devices in `/proc/diskstats`, found none"]);
    }

    #[test]
    fn a_partition_is_known_by_its_name() {
        assert_eq!(
            ["sda1", "nvme0n1p12", "mmcblk0p1", "sda", "nvme0n1", "dm-10", "pmem0"].map(disk_of),
            [Some("sda"), Some("nvme0n1"), Some("mmcblk0"), None, Some("nvme0n"), Some("dm-"), Some("pmem")]
        );
    }
}
