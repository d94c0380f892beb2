//! Swapping: how much is in use, and how fast pages come and go.
//!
//! `pswpin` and `pswpout` of `/proc/vmstat` count pages since boot. Memory in use is a
//! series of the collector `machine`.
//!
//! Source: <https://docs.kernel.org/filesystems/proc.html>, proc_vmstat(5).

use std::path::Path;

use super::machine::kibibytes;
use super::source::Source;
use super::{CollectError, Collector, Place, Series, rate};
use crate::os::clock::monotonic_ns;
use crate::os::proc::page_size;

/// Its name in records.
pub const NAME: &str = "memory";

/// Swap in use in bytes.
pub const SWAP: &str = "memory.swap";
/// Bytes per second that were read from swap since the sample before.
pub const SWAP_IN: &str = "memory.swap_in";
/// Bytes per second that were written to swap since the sample before.
pub const SWAP_OUT: &str = "memory.swap_out";

#[derive(Debug)]
struct SwapSampler {
    series: [Series; 3],
    meminfo: Source,
    vmstat: Source,
    before_ns: u64,
    /// Pages that were swapped in and out since boot.
    before: Option<[u64; 2]>,
}

/// Begins to sample `/proc/vmstat` and `/proc/meminfo`.
///
/// # Errors
/// When they cannot be read, or do not know of swap.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(SwapSampler::below(place.root)?))
}

impl SwapSampler {
    fn below(root: &Path) -> Result<SwapSampler, CollectError> {
        let mut meminfo = Source::open(root.join("proc/meminfo"))?;
        meminfo.parse(swap_in_use, "`SwapTotal` and `SwapFree`")?;
        let mut vmstat = Source::open(root.join("proc/vmstat"))?;
        let before = vmstat.parse(pages, "`pswpin` and `pswpout`")?;
        let series = [(SWAP, "By"), (SWAP_IN, "By/s"), (SWAP_OUT, "By/s")];
        let series = series.map(|(name, unit)| Series::new(name, unit));
        Ok(SwapSampler { series, meminfo, vmstat, before_ns: monotonic_ns(), before: Some(before) })
    }
}

impl Collector for SwapSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let elapsed_ns = at_ns.saturating_sub(self.before_ns);
        if elapsed_ns == 0 {
            return Err(CollectError::TooSoon);
        }
        let swap = self.meminfo.parse(swap_in_use, "").ok();
        let now = self.vmstat.parse(pages, "").ok();
        let per_second = |which: usize| {
            rate(self.before?[which], now?[which], elapsed_ns).map(|pages| pages * page_size() as f64)
        };
        #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 bytes")]
        let values = vec![swap.map(|swap| swap as f64), per_second(0), per_second(1)];
        self.before = now;
        self.before_ns = at_ns;
        Ok(values)
    }
}

fn swap_in_use(meminfo: &str) -> Option<u64> {
    let kib = kibibytes(meminfo, "SwapTotal")?.checked_sub(kibibytes(meminfo, "SwapFree")?)?;
    kib.checked_mul(1024)
}

fn pages(vmstat: &str) -> Option<[u64; 2]> {
    let value = |key: &str| {
        let mut values = vmstat.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        values.next()?.trim().parse().ok()
    };
    Some([value("pswpin")?, value("pswpout")?])
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    #[track_caller]
    fn check(meminfo: &str, before: &str, now: &str, expect: Expect) {
        let tree = Tree::of(&[("proc/meminfo", meminfo), ("proc/vmstat", before)]);
        let text = match SwapSampler::below(tree.root()) {
            Ok(mut sampler) => {
                tree.write("proc/vmstat", now);
                let began_ns = sampler.before_ns;
                sampled(&mut sampler, began_ns, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        // Pages are not of the same size on all machines.
        expect.assert_eq(&text.replace(&format!(" {} ", 10 * page_size()), " 10 pages "));
    }

    const SWAP: &str = "SwapCached: 3 kB\nSwapTotal:       8000 kB\nSwapFree:        7000 kB\n";

    #[test]
    fn swapping_is_a_rate() {
        check(
            SWAP,
            "pswpin 100\npswpout 0\n",
            "nr_x 1\npswpin 110\npswpout 0\n",
            expect![[r#"
                memory.swap 1024000 By
                memory.swap_in 10 pages By/s
                memory.swap_out 0 By/s
            "#]],
        );
    }

    #[test]
    fn counters_that_went_back_or_vanished_are_unknown() {
        check(
            SWAP,
            "pswpin 100\npswpout 0\n",
            "pswpin 10\npswpout 10\n",
            expect![[r#"
                memory.swap 1024000 By
                memory.swap_in unknown By/s
                memory.swap_out 10 pages By/s
            "#]],
        );
        check(
            SWAP,
            "pswpin 100\npswpout 0\n",
            "",
            expect![[r#"
                memory.swap 1024000 By
                memory.swap_in unknown By/s
                memory.swap_out unknown By/s
            "#]],
        );
    }

    #[test]
    fn a_kernel_without_swap_says_so() {
        check(
            SWAP,
            "nr_free_pages 1\n",
            "",
            expect!["expected `pswpin` and `pswpout` in `/proc/vmstat`, found none"],
        );
        check(
            "MemTotal: 1 kB\n",
            "",
            "",
            expect!["expected `SwapTotal` and `SwapFree` in `/proc/meminfo`, found none"],
        );
    }
}
