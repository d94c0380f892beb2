//! The counters of a client of a GPU's driver: the text of `/proc/PID/fdinfo/FD`.
//!
//! A driver counts for each client (an open `/dev/dri/...`) how long each class of engines worked
//! for it: in nanoseconds (`drm-engine-CLASS`: i915, amdgpu), or in cycles of a clock
//! (`drm-cycles-CLASS` of `drm-total-cycles-CLASS`: xe). Such a counter is the sum over the engines
//! of its class, whose number is `drm-engine-capacity-CLASS`.
//!
//! Source: <https://docs.kernel.org/gpu/drm-usage-stats.html>; the names of classes are from
//! `i915_drm_client.c`, `xe_hw_engine.c` and `amdgpu_fdinfo.c` of Linux.

use std::collections::BTreeMap;

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// `i915`
    pub(super) driver: String,
    /// The PCI address of its GPU: `0000:00:02.0`; `None` if it is no PCI device.
    pub(super) device: Option<String>,
    /// Unique for its GPU. Every open file of the same client has the same.
    pub(super) id: Option<u64>,
    /// By class, under the names that all drivers share: `video`.
    pub(super) engines: BTreeMap<String, Busy>,
    /// Bytes in each region of memory: `vram0`.
    pub(super) memory: BTreeMap<String, u64>,
}

/// The busy time of the engines of a class for one client, since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy {
    /// The sum over its engines: cycles if there is a `total`, else nanoseconds. `None` if the driver
    /// gives what is no number, or numbers whose sum is none.
    pub(super) used: Option<u64>,
    /// Cycles that have passed.
    pub(super) total: Option<u64>,
    /// The number of engines, at least 1.
    pub(super) engines: u32,
}

impl Client {
    /// Whether its driver counts busy time. amdgpu leaves out engines that a client has not used.
    pub(super) fn has_counters(&self) -> bool {
        !self.engines.is_empty() || (self.driver == "amdgpu" && self.id.is_some())
    }
}

/// Reads a client; `None` if the file is none of a GPU, or its driver says nothing.
pub(super) fn read(text: &str) -> Option<Client> {
    let (mut driver, mut device, mut id) = (None, None, None);
    let (mut nanoseconds, mut cycles) = (BTreeMap::new(), BTreeMap::new());
    let (mut totals, mut capacities) = (BTreeMap::new(), BTreeMap::new());
    let mut regions: BTreeMap<&str, (u8, u64)> = BTreeMap::new();
    for line in text.lines() {
        let Some((key, value)) = line.strip_prefix("drm-").and_then(|line| line.split_once(':')) else {
            continue;
        };
        let value = value.trim();
        match key {
            "driver" => driver = Some(value.to_owned()),
            "pdev" => device = Some(value.to_owned()),
            "client-id" => id = value.parse().ok(),
            _ => {
                if let Some(class) = key.strip_prefix("engine-capacity-") {
                    capacities.extend(value.parse::<u32>().ok().map(|n| (class, n.max(1))));
                } else if let Some(class) = key.strip_prefix("engine-") {
                    let ns = value.strip_suffix("ns").and_then(|ns| ns.trim_end().parse::<u64>().ok());
                    // Two units of a chip may have one name: `dec` of amdgpu.
                    let sum = nanoseconds.entry(class).or_insert(Some(0_u64));
                    *sum = sum.zip(ns).and_then(|(sum, ns)| sum.checked_add(ns));
                } else if let Some(class) = key.strip_prefix("total-cycles-") {
                    totals.extend(value.parse::<u64>().ok().map(|n| (class, n)));
                } else if let Some(class) = key.strip_prefix("cycles-") {
                    cycles.insert(class, value.parse::<u64>().ok());
                } else if let Some((rank, region)) = region(key)
                    && let Some(bytes) = bytes(value)
                    && regions.get(region).is_none_or(|(known, _)| rank < *known)
                {
                    regions.insert(region, (rank, bytes));
                }
            }
        }
    }
    let mut engines = BTreeMap::new();
    let mut add = |raw: &str, used, total| {
        let capacity = capacities.get(raw).copied().unwrap_or(1);
        engines.entry(class(raw)).or_insert(Busy { used, total, engines: capacity });
    };
    nanoseconds.into_iter().for_each(|(raw, used)| add(raw, used, None));
    for (raw, used) in cycles {
        if let Some(total) = totals.get(raw) {
            add(raw, used, Some(*total));
        }
    }
    let memory = regions.into_iter().map(|(region, (_, bytes))| (region.to_owned(), bytes)).collect();
    Some(Client { driver: driver?, device, id, engines, memory })
}

/// The region of memory that a key is about, and its rank: what is resident says most about
/// memory that is in use.
fn region(key: &str) -> Option<(u8, &str)> {
    let ranked = ["resident-", "memory-", "total-"];
    (0..).zip(ranked).find_map(|(rank, prefix)| Some((rank, key.strip_prefix(prefix)?)))
}

/// `16 MiB`; without a unit it is bytes.
fn bytes(value: &str) -> Option<u64> {
    let (number, unit) = value.split_once(' ').unwrap_or((value, ""));
    let scale = match unit.trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

/// The class of an engine under the name that all drivers share.
pub(super) fn class(raw: &str) -> String {
    match raw {
        "rcs" | "gfx" => "render",
        "ccs" => "compute",
        "bcs" | "dma" => "copy",
        "vcs" => "video",
        "vecs" => "video-enhance",
        "dec" => "decode",
        "enc" => "encode",
        other => other,
    }
    .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
    .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Expect) {
        let Some(client) = read(text) else { return expect.assert_eq("no client\n") };
        let mut shown = format!("{} {:?} {:?}\n", client.driver, client.device, client.id);
        for (class, Busy { used, total, engines }) in &client.engines {
            let used = used.map_or_else(|| "unknown".to_owned(), |used| used.to_string());
            shown.push_str(&format!("{class} {used} of {total:?} x {engines}\n"));
        }
        for (region, bytes) in &client.memory {
            shown.push_str(&format!("{region} {bytes} By\n"));
        }
        expect.assert_eq(&shown);
    }

    /// As `i915_drm_client.c` prints it.
    #[test]
    fn i915_counts_nanoseconds() {
        check(
            "pos:\t0\nflags:\t02100002\nmnt_id:\t26\nino:\t686\ndrm-driver:\ti915\ndrm-client-id:\t42\n\
             drm-pdev:\t0000:00:02.0\ndrm-total-system0:\t2 MiB\ndrm-resident-system0:\t1024 KiB\n\
             drm-engine-render:\t9288864723 ns\ndrm-engine-copy:\t2035071108 ns\n\
             drm-engine-video:\t0 ns\ndrm-engine-capacity-video:\t2\ndrm-engine-video-enhance:\t5 ns\n",
            expect![[r#"
                i915 Some("0000:00:02.0") Some(42)
                copy 2035071108 of None x 1
                render 9288864723 of None x 1
                video 0 of None x 2
                video_enhance 5 of None x 1
                system0 1048576 By
            "#]],
        );
    }

    /// The example of `xe_drm_client.c`.
    #[test]
    fn xe_counts_cycles_of_a_total() {
        check(
            "drm-driver:     xe\ndrm-client-id:  3\ndrm-pdev:       0000:03:00.0\ndrm-total-gtt:  192 KiB\n\
             drm-resident-gtt:       192 KiB\ndrm-total-vram0:        23992 KiB\ndrm-shared-vram0: 16 MiB\n\
             drm-resident-vram0:     23992 KiB\ndrm-cycles-rcs: 28257900\n\
             drm-total-cycles-rcs:   7655183225\ndrm-cycles-vcs: 0\ndrm-total-cycles-vcs: 7655183225\n\
             drm-engine-capacity-vcs:        2\ndrm-cycles-ccs: 7\ndrm-total-cycles-ccs:   7655183225\n\
             drm-engine-capacity-ccs:        4\n",
            expect![[r#"
                xe Some("0000:03:00.0") Some(3)
                compute 7 of Some(7655183225) x 4
                render 28257900 of Some(7655183225) x 1
                video 0 of Some(7655183225) x 2
                gtt 196608 By
                vram0 24567808 By
            "#]],
        );
    }

    /// As `amdgpu_fdinfo.c` prints it: engines that the client has not used are left out.
    #[test]
    fn amdgpu_names_only_engines_that_were_used() {
        let text = "pasid:\t32771\ndrm-driver:\tamdgpu\ndrm-pdev:\t0000:c1:00.0\ndrm-client-id:\t9\n\
                    drm-memory-vram:\t2048 KiB\ndrm-memory-gtt: \t0 KiB\namd-evicted-vram:\t0 KiB\n";
        check(
            &format!("{text}drm-engine-gfx:\t77 ns\ndrm-engine-dec:\t5 ns\ndrm-engine-dec:\t6 ns\n"),
            expect![[r#"
                amdgpu Some("0000:c1:00.0") Some(9)
                decode 11 of None x 1
                render 77 of None x 1
                gtt 0 By
                vram 2097152 By
            "#]],
        );
        assert!(read(text).unwrap().has_counters());
    }

    #[test]
    fn a_sum_that_is_no_number_is_unknown() {
        let most = u64::MAX;
        check(
            &format!(
                "drm-driver: amdgpu\ndrm-client-id: 9\ndrm-engine-dec: {most} ns\ndrm-engine-dec: {most} ns\n\
                 drm-engine-gfx: {most}0 ns\ndrm-engine-gfx: 7 ns\ndrm-engine-enc: {most} ns\n\
                 drm-memory-vram: {most} KiB\n"
            ),
            expect![[r#"
                amdgpu None Some(9)
                decode unknown of None x 1
                encode 18446744073709551615 of None x 1
                render unknown of None x 1
            "#]],
        );
    }

    #[test]
    fn a_client_may_be_without_counters() {
        let bare = read("drm-driver: i915\ndrm-client-id: 1\ndrm-pdev: 0000:00:02.0\n").unwrap();
        assert!(!bare.has_counters());
        // Cycles of nothing, and a unit that is not specified.
        check(
            "drm-driver: x\ndrm-cycles-gpu: 7\ndrm-engine-a: 7 s\ndrm-total-b: 7 GiB\n",
            expect![[r#"
                x None None
                a unknown of None x 1
            "#]],
        );
        check(
            "pos:\t0\nflags:\t02\nmnt_id:\t9\n",
            expect![[r#"
            no client
        "#]],
        );
    }
}
