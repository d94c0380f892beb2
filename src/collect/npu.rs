//! NPUs of Intel: busy share, memory and frequency, as the driver `intel_vpu` has them.
//!
//! Their files are at `/sys/class/accel/accelN/device`, whatever the address of the device is. Other
//! accelerators have other files and are named with the reason.
//!
//! Source: <https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-driver-ivpu>, and
//! `Documentation/ABI/obsolete/sysfs-driver-ivpu` for the older name of the frequency. The busy time
//! needs Linux 6.11, memory and frequency 6.15. A reading may wait for the driver, which recommends one a
//! second.

use std::path::Path;

use super::source::Source;
use super::{CollectError, Collector, Place, Series, rate, share};
use crate::os::clock::monotonic_ns;
use crate::os::proc;

/// Its name in records, and the first part of the names of its series.
pub const NAME: &str = "npu";

/// The last part of the name of the busy share.
pub const BUSY: &str = "busy";

const DRIVER: &str = "intel_vpu";

#[derive(Debug)]
struct NpuSampler {
    series: Vec<Series>,
    npus: Vec<Npu>,
    missing: Vec<(String, String)>,
    at_ns: u64,
}

#[derive(Debug)]
struct Npu {
    busy_us: Source,
    before_us: u64,
    memory: Option<Source>,
    frequency: Option<Source>,
}

/// Begins to sample `/sys/class/accel`.
///
/// # Errors
/// When the machine has no such NPU, or its driver does not count busy time.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(NpuSampler::below(place.root)?))
}

impl NpuSampler {
    fn below(root: &Path) -> Result<NpuSampler, CollectError> {
        let class = root.join("sys/class/accel");
        let at_ns = monotonic_ns();
        let mut sampler = NpuSampler { series: Vec::new(), npus: Vec::new(), missing: Vec::new(), at_ns };
        let mut refused = None;
        for name in proc::numbered(&class, "accel") {
            match sampler.open(&name, &class.join(&name).join("device")) {
                Ok(()) => {}
                Err(error) => {
                    sampler.missing.push((format!("{NAME}.{name}"), error.reason()));
                    refused = refused.or(Some(error));
                }
            }
        }
        match refused {
            _ if !sampler.npus.is_empty() => Ok(sampler),
            Some(error) => Err(error),
            None => {
                let usual = "usual for a CPU without one, and without the driver `intel_vpu`";
                Err(CollectError::Nothing { what: "NPU", paths: vec![class], usual })
            }
        }
    }

    fn open(&mut self, name: &str, device: &Path) -> Result<(), CollectError> {
        let driver = proc::link_name(&device.join("driver")).ok().or_else(|| {
            let uevent = proc::read(&device.join("uevent")).ok()?;
            uevent.lines().find_map(|line| line.strip_prefix("DRIVER=").map(str::to_owned))
        });
        if let Some(driver) = driver.filter(|driver| driver != DRIVER) {
            let reason = format!("its driver is `{driver}`; `lp` reads that of `{DRIVER}`");
            return Err(CollectError::Unavailable { what: "its load is not known", reason });
        }
        let mut busy_us = Source::open(device.join("npu_busy_time_us"))?;
        let before_us = busy_us.parse(number, "a number of microseconds")?;
        let first = |files: &[&str]| {
            let path = files.iter().map(|file| device.join(file)).find(|path| proc::is_there(path));
            Source::open(path.unwrap_or_else(|| device.join(files[0])))
        };
        let memory = first(&["npu_memory_utilization"]);
        let frequency = first(&["freq/current_freq", "npu_current_frequency_mhz"]);
        self.series.push(Series::new(format!("{NAME}.{name}.{BUSY}"), "1"));
        let mut known = |part: &str, unit, source: Result<Source, CollectError>| match source {
            Ok(source) => {
                self.series.push(Series::new(format!("{NAME}.{name}.{part}"), unit));
                Some(source)
            }
            Err(error) => {
                self.missing.push((format!("{NAME}.{name}.{part}"), error.reason()));
                None
            }
        };
        let memory = known("memory", "By", memory);
        let frequency = known("frequency", "Hz", frequency);
        self.npus.push(Npu { busy_us, before_us, memory, frequency });
        Ok(())
    }
}

impl Collector for NpuSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        self.missing.clone()
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let elapsed_ns = at_ns.saturating_sub(self.at_ns);
        if elapsed_ns == 0 {
            return Err(CollectError::TooSoon);
        }
        self.at_ns = at_ns;
        let mut values = Vec::with_capacity(self.series.len());
        for npu in &mut self.npus {
            let now_us = npu.busy_us.parse(number, "").ok();
            // Microseconds of busy time a second.
            let busy = now_us.and_then(|now_us| rate(npu.before_us, now_us, elapsed_ns));
            npu.before_us = now_us.unwrap_or(npu.before_us);
            values.push(busy.map(|us| share(us * 1e-6)));
            let read = |source: &mut Source| source.parse(number, "").ok().map(|value| value as f64);
            values.extend(npu.memory.as_mut().map(read));
            // It has no frequency while it sleeps; its driver then says 0.
            let megahertz = npu.frequency.as_mut().map(read);
            values.extend(megahertz.map(|mhz| mhz.filter(|mhz| 0.0 < *mhz).map(|mhz| mhz * 1e6)));
        }
        Ok(values)
    }
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    #[track_caller]
    fn check(before: &[(&str, &str)], now: &[(&str, &str)], expect: Expect) {
        let tree = Tree::of(before);
        let text = match NpuSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                let began_ns = sampler.at_ns;
                sampled(&mut sampler, began_ns, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn an_npu_is_found_wherever_it_is() {
        check(
            &[
                ("sys/class/accel/accel0/device/uevent", "DRIVER=habanalabs\n"),
                ("sys/class/accel/accel1/device/uevent", "DRIVER=intel_vpu\nPCI_SLOT_NAME=0000:00:0b.0\n"),
                ("sys/class/accel/accel1/device/npu_busy_time_us", "5000000\n"),
                ("sys/class/accel/accel1/device/npu_memory_utilization", "1048576\n"),
                ("sys/class/accel/accel1/device/npu_current_frequency_mhz", "0\n"),
            ],
            &[
                ("sys/class/accel/accel1/device/npu_busy_time_us", "5412000\n"),
                ("sys/class/accel/accel1/device/npu_current_frequency_mhz", "1400\n"),
            ],
            expect![[r#"
                npu.accel1.busy 0.412 1
                npu.accel1.memory 1048576 By
                npu.accel1.frequency 1400000000 Hz
                npu.accel0: its load is not known: its driver is `habanalabs`; `lp` reads that of `intel_vpu`
            "#]],
        );
    }

    #[test]
    fn newer_and_older_kernels_have_other_files() {
        check(
            &[
                ("sys/class/accel/accel0/device/npu_busy_time_us", "7\n"),
                ("sys/class/accel/accel0/device/freq/current_freq", "0\n"),
            ],
            &[("sys/class/accel/accel0/device/npu_busy_time_us", "3\n")],
            expect![[r#"
                npu.accel0.busy unknown 1
                npu.accel0.frequency unknown Hz
                npu.accel0.memory: failed to read `/sys/class/accel/accel0/device/npu_memory_utilization`: No such file or directory (os error 2)
            "#]],
        );
        check(
            &[("sys/class/accel/accel0/device/vendor", "0x8086\n")],
            &[],
            expect![
                "failed to read `/sys/class/accel/accel0/device/npu_busy_time_us`: No such file or directory (os error 2)"
            ],
        );
    }

    #[test]
    fn a_machine_without_an_npu_says_so() {
        check(
            &[("proc/stat", "")],
            &[],
            expect![
                "no NPU in `/sys/class/accel` (usual for a CPU without one, and without the driver `intel_vpu`)"
            ],
        );
    }
}
