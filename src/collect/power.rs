//! Power in watts: of the CPU's packages and their parts (RAPL), and of sensors of the board.
//!
//! A zone of RAPL has a counter of microjoules, which wraps. CPUs of AMD have the same zones
//! (`package`, `core`). Since Linux 5.10 only root may read them (CVE-2020-8694); `docs/measuring.md`
//! has a rule of udev that gives them to a group.
//!
//! Of the sensors in `/sys/class/hwmon`, those with power (`power1_average`, `power1_input`) or energy
//! (`energy1_input`) count: the ACPI power meter of a server has the power of the whole machine.
//! Not here: GPUs with a counter of their own ([`gpu`](super::gpu), [`nvidia`](super::nvidia)).
//!
//! Source: <https://docs.kernel.org/power/powercap/powercap.html>,
//! <https://docs.kernel.org/hwmon/sysfs-interface.html>.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::cpu::VIRTUAL;
use super::energy::{EnergyCounter, of_microwatts};
use super::source::Source;
use super::{CollectError, Collector, Place, Series};
use crate::os::proc;

/// Its name in records, and the first part of the names of its series.
pub const NAME: &str = "power";

/// The sensor of a whole machine: the driver of the ACPI power meter.
pub const WHOLE_MACHINE: &str = "power.power_meter.";

/// Who may read RAPL.
const ROOT_ONLY: &str =
    "only root may since Linux 5.10 (a udev rule in docs/measuring.md, under Power, gives it to a group)";

/// Chips of GPUs, which are read by other collectors.
const GPUS: [&str; 5] = ["amdgpu", "i915", "xe", "nouveau", "radeon"];

/// The most sensors that are read.
const MOST: usize = 64;

#[derive(Debug)]
struct PowerSampler {
    series: Vec<Series>,
    meters: Vec<Meter>,
    missing: Vec<(String, String)>,
}

#[derive(Debug)]
enum Meter {
    Energy(EnergyCounter),
    Power(Source),
}

/// Begins to sample `/sys/class/powercap` and `/sys/class/hwmon`.
///
/// # Errors
/// When nothing there has a power that may be read.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(PowerSampler::below(place.root)?))
}

/// Whether a series is a part of the machine's power that no other part contains: a package, or
/// memory beside it.
#[must_use]
pub fn is_part(series: &str) -> bool {
    let zone = series.strip_prefix("power.").unwrap_or_default();
    let mut parts = zone.split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(package), None, None) => package.starts_with("package"),
        (Some(package), Some(dram), None) => package.starts_with("package") && dram == "dram",
        _ => false,
    }
}

/// A zone of RAPL that this user may not read; `None` if there is none.
#[must_use]
pub fn refused_zone(root: &Path) -> Option<PathBuf> {
    let mut zones = rapl(&root.join("sys/class/powercap")).into_iter();
    zones.find_map(|(_, opened)| match opened {
        Err(CollectError::Refused { path, .. }) => Some(path),
        _ => None,
    })
}

impl PowerSampler {
    fn below(root: &Path) -> Result<PowerSampler, CollectError> {
        let (zones, chips) = (root.join("sys/class/powercap"), root.join("sys/class/hwmon"));
        let mut sampler = PowerSampler { series: Vec::new(), meters: Vec::new(), missing: Vec::new() };
        let mut refused = None;
        let mut names = BTreeSet::new();
        let opened = rapl(&zones).into_iter().chain(sensors(&chips));
        for (n, (name, opened)) in opened.enumerate() {
            let again = || (2..).map(|n| format!("{name}_{n}")).find(|name| !names.contains(name));
            let name = if names.contains(&name) { again().unwrap_or(name) } else { name };
            names.insert(name.clone());
            match opened {
                Ok(_) if MOST <= n => {
                    let reason = format!("`lp` reads {MOST} zones and sensors at most");
                    sampler.missing.push((format!("{NAME}.{name}"), reason));
                }
                Ok(meter) => {
                    sampler.series.push(Series::new(format!("{NAME}.{name}"), "W"));
                    sampler.meters.push(meter);
                }
                Err(error) => {
                    sampler.missing.push((format!("{NAME}.{name}"), error.reason()));
                    refused = refused.or(Some(error));
                }
            }
        }
        match refused {
            _ if !sampler.meters.is_empty() => Ok(sampler),
            Some(error) => Err(error),
            None => {
                let what = "RAPL zone and no sensor of power";
                Err(CollectError::Nothing { what, paths: vec![zones, chips], usual: VIRTUAL })
            }
        }
    }
}

impl Collector for PowerSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        let still = self.series.iter().zip(&self.meters).filter_map(|(series, meter)| match meter {
            Meter::Energy(counter) => Some((series.name.clone(), counter.still()?)),
            Meter::Power(_) => None,
        });
        self.missing.iter().cloned().chain(still).collect()
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let value = |meter: &mut Meter| match meter {
            Meter::Energy(counter) => counter.watts(at_ns),
            Meter::Power(source) => source.parse(of_microwatts, "").ok(),
        };
        Ok(self.meters.iter_mut().map(value).collect())
    }
}

type Opened = Result<Meter, CollectError>;

/// The zones of RAPL, each under its name after that of the zone around it: `package_0.dram`. Those of
/// `intel-rapl-mmio` are the same packages again.
fn rapl(zones: &Path) -> Vec<(String, Opened)> {
    let mut folders: Vec<(Vec<u32>, String)> = Vec::new();
    for folder in proc::names(zones).unwrap_or_default() {
        let Some(numbers) = folder.strip_prefix("intel-rapl:") else { continue };
        let numbers: Option<Vec<u32>> = numbers.split(':').map(|number| number.parse().ok()).collect();
        folders.extend(numbers.map(|numbers| (numbers, folder)));
    }
    folders.sort();
    let name_of = |numbers: &[u32]| {
        let (_, folder) = folders.iter().find(|(known, _)| known == numbers)?;
        Some(proc::read(&zones.join(folder).join("name")).map_or_else(|_| plain(folder), |name| plain(&name)))
    };
    let open = |(numbers, folder): &(Vec<u32>, String)| {
        let path = zones.join(folder);
        let names: Vec<String> = (1..=numbers.len()).filter_map(|n| name_of(&numbers[..n])).collect();
        let range = proc::read(&path.join("max_energy_range_uj")).ok().and_then(|range| range.parse().ok());
        (
            names.join("."),
            EnergyCounter::open(path.join("energy_uj"), range).map(Meter::Energy).map_err(refused),
        )
    };
    folders.iter().map(open).collect()
}

/// Says of a file that may not be read who may.
fn refused(error: CollectError) -> CollectError {
    match error {
        CollectError::Read { path, source } if source.kind() == ErrorKind::PermissionDenied => {
            CollectError::Refused { path, source, hint: ROOT_ONLY }
        }
        other => other,
    }
}

/// The sensors of chips: `power_meter.power1`.
fn sensors(chips: &Path) -> Vec<(String, Opened)> {
    let mut found = Vec::new();
    for folder in proc::numbered(chips, "hwmon") {
        let path = chips.join(&folder);
        let chip = proc::read(&path.join("name")).map_or(folder, |name| plain(&name));
        if GPUS.iter().any(|gpu| chip.starts_with(gpu)) {
            continue;
        }
        let files = proc::names(&path).unwrap_or_default();
        let number = |file: &str, kind: &str, end: &str| {
            file.strip_prefix(kind)?.strip_suffix(end)?.parse::<u32>().ok().map(|n| format!("{kind}{n}"))
        };
        let sensors: BTreeSet<(String, PathBuf)> = files
            .iter()
            .filter_map(|file| {
                let sensor = number(file, "power", "_average")
                    .or_else(|| number(file, "energy", "_input"))
                    .or_else(|| {
                    let sensor = number(file, "power", "_input")?;
                    (!files.contains(&format!("{sensor}_average"))).then_some(sensor)
                })?;
                Some((sensor, path.join(file)))
            })
            .collect();
        for (sensor, file) in sensors {
            let label = proc::read(&path.join(format!("{sensor}_label"))).ok();
            let name = format!("{chip}.{}", label.map_or(sensor.clone(), |label| plain(&label)));
            let meter = if sensor.starts_with("energy") {
                EnergyCounter::open(file, None).map(Meter::Energy)
            } else {
                Source::open(file).and_then(|mut source| {
                    source.parse(of_microwatts, "a number of microwatts")?;
                    Ok(Meter::Power(source))
                })
            };
            found.push((name, meter));
        }
    }
    found
}

/// `package-0` as a part of a series' name: `package_0`.
fn plain(text: &str) -> String {
    let of = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    text.trim().chars().take(40).map(of).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    #[track_caller]
    fn check(before: &[(&str, &str)], now: &[(&str, &str)], expect: Expect) {
        let tree = Tree::of(before);
        let text = match PowerSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                for meter in &mut sampler.meters {
                    if let Meter::Energy(counter) = meter {
                        counter.began(0);
                    }
                }
                sampled(&mut sampler, 0, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    /// As `powercap.rst` has it: packages with parts, and the platform.
    #[test]
    fn zones_are_named_by_those_around_them() {
        check(
            &[
                ("sys/class/powercap/intel-rapl/enabled", "1\n"),
                ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
                ("sys/class/powercap/intel-rapl:0/energy_uj", "262143000000\n"),
                ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n"),
                ("sys/class/powercap/intel-rapl:0:0/name", "core\n"),
                ("sys/class/powercap/intel-rapl:0:0/energy_uj", "5\n"),
                ("sys/class/powercap/intel-rapl:0:10/name", "dram\n"),
                ("sys/class/powercap/intel-rapl:0:10/energy_uj", "1000000\n"),
                ("sys/class/powercap/intel-rapl:1/name", "psys\n"),
                ("sys/class/powercap/intel-rapl:1/energy_uj", "0\n"),
                ("sys/class/powercap/intel-rapl-mmio:0/name", "package-0\n"),
                ("sys/class/powercap/intel-rapl-mmio:0/energy_uj", "7\n"),
            ],
            &[
                // The counter wraps after 0.328850 J; then 41.671150 J.
                ("sys/class/powercap/intel-rapl:0/energy_uj", "41671150\n"),
                ("sys/class/powercap/intel-rapl:0:0/energy_uj", "20500005\n"),
                ("sys/class/powercap/intel-rapl:0:10/energy_uj", "4250000\n"),
                ("sys/class/powercap/intel-rapl:1/energy_uj", "65000000\n"),
            ],
            expect![[r#"
                power.package_0 42 W
                power.package_0.core 20.5 W
                power.package_0.dram 3.25 W
                power.psys 65 W
            "#]],
        );
    }

    #[test]
    fn sensors_of_the_board_count_and_those_of_gpus_do_not() {
        check(
            &[
                ("sys/class/hwmon/hwmon0/name", "power_meter\n"),
                ("sys/class/hwmon/hwmon0/power1_average", "215000000\n"),
                ("sys/class/hwmon/hwmon0/power1_input", "1\n"),
                ("sys/class/hwmon/hwmon1/name", "amdgpu\n"),
                ("sys/class/hwmon/hwmon1/power1_average", "30000000\n"),
                ("sys/class/hwmon/hwmon2/name", "ina3221\n"),
                ("sys/class/hwmon/hwmon2/power2_input", "1500000\n"),
                ("sys/class/hwmon/hwmon2/power2_label", "VDD CPU\n"),
                ("sys/class/hwmon/hwmon2/energy1_input", "0\n"),
            ],
            &[("sys/class/hwmon/hwmon2/energy1_input", "900000\n")],
            expect![[r#"
                power.power_meter.power1 215 W
                power.ina3221.energy1 0.9 W
                power.ina3221.vdd_cpu 1.5 W
            "#]],
        );
    }

    #[test]
    fn zones_beyond_the_most_that_are_read_are_named() {
        let tree = Tree::of(&[]);
        for n in 0..=MOST {
            let zone = format!("sys/class/powercap/intel-rapl:{n}");
            tree.write(&format!("{zone}/name"), &format!("package-{n}\n"));
            tree.write(&format!("{zone}/energy_uj"), "1\n");
        }
        let sampler = PowerSampler::below(tree.root()).unwrap();
        assert_eq!(sampler.series.len(), MOST);
        let reason = "`lp` reads 64 zones and sensors at most";
        assert_eq!(sampler.missing(), [("power.package_64".to_owned(), reason.to_owned())]);
    }

    #[test]
    fn a_machine_without_power_says_so() {
        check(
            &[("sys/class/hwmon/hwmon0/name", "coretemp\n")],
            &[],
            expect![
                "no RAPL zone and no sensor of power in `/sys/class/powercap` or `/sys/class/hwmon` (usual in a virtual machine)"
            ],
        );
    }

    #[test]
    fn a_zone_that_may_not_be_read_says_who_may() {
        let error = CollectError::Read {
            path: PathBuf::from("/sys/class/powercap/intel-rapl:0/energy_uj"),
            source: std::io::Error::from_raw_os_error(13),
        };
        expect![
            "failed to read `/sys/class/powercap/intel-rapl:0/energy_uj`: Permission denied (os error 13); only root may since Linux 5.10 (a udev rule in docs/measuring.md, under Power, gives it to a group)"
        ]
        .assert_eq(&refused(error).reason());
    }

    #[test]
    fn parts_are_those_that_add_up() {
        let parts = ["power.package_0", "power.package_1_die_0", "power.package_0.dram"];
        assert!(parts.iter().all(|part| is_part(part)));
        let others = ["power.package_0.core", "power.psys", "power.power_meter.power1", "gpu.card0.power"];
        assert!(!others.iter().any(|part| is_part(part)));
    }
}
