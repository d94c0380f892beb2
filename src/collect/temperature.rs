//! Temperatures of thermal zones and of chips.
//!
//! A zone is named by its `type`, a sensor of a chip by the chip and its label:
//! `x86_pkg_temp`, `coretemp.package_id_0`. Left out are: chips that only repeat a zone,
//! sensors of single cores (their package has the highest of them), and disks, which would be
//! asked by a command of their own once a second.
//!
//! Source: <https://docs.kernel.org/driver-api/thermal/sysfs-api.html>,
//! <https://docs.kernel.org/hwmon/sysfs-interface.html>. Both count in 0.001 degrees Celsius.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cpu::VIRTUAL;
use super::source::Source;
use super::{CollectError, Collector, Place, Series};
use crate::os::proc;

/// Its name in records.
pub const NAME: &str = "temperature";

/// The most sensors that are read.
const MOST: usize = 32;

/// Chips of disks.
const DISKS: [&str; 2] = ["nvme", "drivetemp"];

#[derive(Debug)]
struct TemperatureSampler {
    series: Vec<Series>,
    sensors: Vec<Source>,
    missing: Vec<(String, String)>,
}

/// Begins to sample `/sys/class/thermal` and `/sys/class/hwmon`.
///
/// # Errors
/// When the machine has no sensor.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(TemperatureSampler::below(place.root)?))
}

impl TemperatureSampler {
    fn below(root: &Path) -> Result<TemperatureSampler, CollectError> {
        let (zones, chips) = (root.join("sys/class/thermal"), root.join("sys/class/hwmon"));
        let mut sampler = TemperatureSampler { series: Vec::new(), sensors: Vec::new(), missing: Vec::new() };
        let mut names = BTreeSet::new();
        let mut refused = None;
        let mut found = zones_of(&zones);
        let types: BTreeSet<String> = found.iter().map(|(name, _)| name.clone()).collect();
        found.extend(sensors_of(&chips, &types));
        for (name, path) in found {
            if sampler.sensors.len() == MOST {
                break;
            }
            let mut name = name;
            // Two packages, or two sticks of memory.
            if names.contains(&name) {
                let again = (2..).map(|n| format!("{name}_{n}")).find(|name| !names.contains(name));
                name = again.unwrap_or(name);
            }
            names.insert(name.clone());
            let name = format!("{NAME}.{name}");
            let opened = Source::open(path).and_then(|mut source| {
                source.parse(degrees, "a temperature")?;
                Ok(source)
            });
            match opened {
                Ok(source) => {
                    sampler.series.push(Series::new(name, "Cel"));
                    sampler.sensors.push(source);
                }
                Err(error) => {
                    sampler.missing.push((name, error.reason()));
                    refused = refused.or(Some(error));
                }
            }
        }
        match refused {
            _ if !sampler.sensors.is_empty() => Ok(sampler),
            Some(error) => Err(error),
            None => {
                let what = "thermal zone and no temperature sensor";
                Err(CollectError::Nothing { what, paths: vec![zones, chips], usual: VIRTUAL })
            }
        }
    }
}

impl Collector for TemperatureSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        self.missing.clone()
    }

    fn sample(&mut self, _: u64) -> Result<Vec<Option<f64>>, CollectError> {
        // A sensor that is switched off for a while gives an error.
        Ok(self.sensors.iter_mut().map(|sensor| sensor.parse(degrees, "").ok()).collect())
    }
}

/// A temperature in degrees; `None` if it is none: some drivers report less than the absolute
/// zero for a sensor that is off.
fn degrees(text: &str) -> Option<f64> {
    let thousandths: i64 = text.trim().parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "temperatures are small numbers")]
    let degrees = thousandths as f64 / 1000.0;
    (-273.15 < degrees && degrees < 1000.0).then_some(degrees)
}

/// The zones with their names.
fn zones_of(zones: &Path) -> Vec<(String, PathBuf)> {
    let zone = |folder: String| {
        let path = zones.join(&folder);
        let name = proc::read(&path.join("type")).map_or(folder, |kind| plain(&kind));
        (name, path.join("temp"))
    };
    proc::numbered(zones, "thermal_zone").into_iter().map(zone).collect()
}

/// The sensors of all chips with their names.
fn sensors_of(chips: &Path, zones: &BTreeSet<String>) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for folder in proc::numbered(chips, "hwmon") {
        let path = chips.join(&folder);
        let chip = proc::read(&path.join("name")).map_or(folder, |name| plain(&name));
        if DISKS.contains(&chip.as_str()) || zones.contains(&chip) {
            continue;
        }
        let files = proc::names(&path).unwrap_or_default();
        let mut numbers: Vec<u32> = files
            .iter()
            .filter_map(|file| file.strip_prefix("temp")?.strip_suffix("_input")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            let label = proc::read(&path.join(format!("temp{number}_label"))).ok();
            let label = label.map_or_else(|| format!("temp{number}"), |label| plain(&label));
            let is_core = label.strip_prefix("core_").is_some_and(|n| n.parse::<u32>().is_ok());
            if !is_core {
                found.push((format!("{chip}.{label}"), path.join(format!("temp{number}_input"))));
            }
        }
    }
    found
}

/// `Package id 0` as a part of a series' name: `package_id_0`.
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
        let text = match TemperatureSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                sampled(&mut sampler, 0, &tree)
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn zones_and_chips_are_named_by_type_and_label() {
        check(
            &[
                ("sys/class/thermal/thermal_zone0/type", "acpitz\n"),
                ("sys/class/thermal/thermal_zone0/temp", "27800\n"),
                ("sys/class/thermal/thermal_zone1/type", "acpitz\n"),
                ("sys/class/thermal/thermal_zone1/temp", "-274000\n"),
                ("sys/class/thermal/thermal_zone2/type", "iwlwifi_1\n"),
                ("sys/class/thermal/thermal_zone10/type", "x86_pkg_temp\n"),
                ("sys/class/thermal/thermal_zone10/temp", "51000\n"),
                ("sys/class/thermal/cooling_device0/type", "Processor\n"),
                ("sys/class/hwmon/hwmon0/name", "acpitz\n"),
                ("sys/class/hwmon/hwmon0/temp1_input", "27800\n"),
                ("sys/class/hwmon/hwmon1/name", "nvme\n"),
                ("sys/class/hwmon/hwmon1/temp1_input", "40000\n"),
                ("sys/class/hwmon/hwmon2/name", "coretemp\n"),
                ("sys/class/hwmon/hwmon2/temp1_label", "Package id 0\n"),
                ("sys/class/hwmon/hwmon2/temp1_input", "52000\n"),
                ("sys/class/hwmon/hwmon2/temp2_label", "Core 0\n"),
                ("sys/class/hwmon/hwmon2/temp2_input", "50000\n"),
                ("sys/class/hwmon/hwmon3/temp1_input", "33500\n"),
                ("sys/class/hwmon/hwmon3/fan1_input", "1200\n"),
            ],
            &[
                ("sys/class/thermal/thermal_zone10/temp", "83125\n"),
                ("sys/class/hwmon/hwmon3/temp1_input", ""),
            ],
            expect![[r#"
                temperature.acpitz 27.8 Cel
                temperature.x86_pkg_temp 83.125 Cel
                temperature.coretemp.package_id_0 52 Cel
                temperature.hwmon3.temp1 unknown Cel
                temperature.acpitz_2: expected a temperature in `/sys/class/thermal/thermal_zone1/temp`, found none
                temperature.iwlwifi_1: failed to read `/sys/class/thermal/thermal_zone2/temp`: No such file or directory (os error 2)
            "#]],
        );
    }

    #[test]
    fn a_machine_without_sensors_says_so() {
        check(
            &[("proc/stat", "")],
            &[],
            expect![
                "no thermal zone and no temperature sensor in `/sys/class/thermal` or `/sys/class/hwmon` (usual in a virtual machine)"
            ],
        );
        check(
            &[("sys/class/thermal/thermal_zone0/type", "acpitz\n")],
            &[],
            expect![
                "failed to read `/sys/class/thermal/thermal_zone0/temp`: No such file or directory (os error 2)"
            ],
        );
    }
}
