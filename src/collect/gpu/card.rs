//! A GPU in `/sys/class/drm`: its engines, and what its driver says of frequency, memory and power.
//!
//! Sources: `/sys/class/drm/card*` of i915 (`gt_act_freq_mhz`, `engine`, hwmon in
//! <https://docs.kernel.org/admin-guide/abi-testing-files.html>), of xe
//! (<https://docs.kernel.org/gpu/xe/xe_gt_freq.html>) and of amdgpu
//! (<https://docs.kernel.org/gpu/amdgpu/thermal.html>).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fdinfo::{Client, class};
use crate::collect::energy::{EnergyCounter, of_microwatts};
use crate::collect::source::Source;
use crate::collect::{CollectError, Series, share};
use crate::os::proc;

/// The driver of NVIDIA, whose GPUs are measured by its library (`nvidia`).
const NVIDIA: [&str; 2] = ["nvidia", "nvidia-drm"];

/// Why a GPU has no power of its own.
pub(crate) const IN_PACKAGE: &str = "its driver has no counter of energy (usual for a GPU in the CPU's package, whose power is part \
     of `power.package-0`)";

#[derive(Debug)]
pub(super) struct Card {
    /// `card0`
    pub(super) name: String,
    /// `i915`
    pub(super) driver: String,
    /// Its PCI address, if it has one.
    device: Option<String>,
    /// Its files in `/dev/dri`.
    nodes: Vec<String>,
    /// The classes of its engines, as far as its driver names them.
    pub(super) engines: BTreeSet<String>,
    readings: Vec<Reading>,
    /// What it does not have, with the reason.
    pub(super) missing: Vec<(String, String)>,
}

/// Something that is read once a second.
#[derive(Debug)]
struct Reading {
    series: Series,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    Value(Source, fn(&str) -> Option<f64>),
    Energy(EnergyCounter),
}

/// The GPUs of a machine, but NVIDIA's.
pub(super) fn cards(root: &Path) -> Vec<Card> {
    let class = root.join("sys/class/drm");
    let cards = proc::numbered(&class, "card").into_iter().map(|name| Card::open(&class, name));
    cards.filter(|card| !NVIDIA.contains(&card.driver.as_str())).collect()
}

impl Card {
    fn open(class: &Path, name: String) -> Card {
        let folder = class.join(&name);
        let device = folder.join("device");
        let uevent = proc::read(&device.join("uevent")).unwrap_or_default();
        let event = |key: &str| {
            let value = uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            value.map(str::to_owned)
        };
        let driver = proc::link_name(&device.join("driver")).ok().or_else(|| event("DRIVER"));
        let is_address = |name: &String| name.contains(':');
        let address = event("PCI_SLOT_NAME").or_else(|| proc::link_name(&device).ok().filter(is_address));
        let mut nodes = proc::names(&device.join("drm")).unwrap_or_default();
        if nodes.is_empty() {
            let number: Option<u32> = name.strip_prefix("card").and_then(|number| number.parse().ok());
            nodes.extend(number.and_then(|n| Some(format!("renderD{}", n.checked_add(128)?))));
            nodes.push(name.clone());
        }
        let mut card = Card {
            driver: driver.unwrap_or_default(),
            device: address,
            nodes,
            engines: BTreeSet::new(),
            readings: Vec::new(),
            missing: Vec::new(),
            name,
        };
        match card.driver.as_str() {
            "i915" => card.i915(&folder),
            "xe" => card.xe(&device),
            "amdgpu" => card.amdgpu(&device),
            _ => {}
        }
        card
    }

    fn i915(&mut self, folder: &Path) {
        let engines = proc::names(&folder.join("engine")).unwrap_or_default();
        self.add_engines(&engines);
        let gts = proc::numbered(&folder.join("gt"), "gt");
        let files = gts.iter().map(|gt| folder.join("gt").join(gt).join("rps_act_freq_mhz"));
        let files: Vec<PathBuf> =
            if gts.len() < 2 { vec![folder.join("gt_act_freq_mhz")] } else { files.collect() };
        self.frequencies(&files);
        self.energy(&folder.join("device"));
    }

    fn xe(&mut self, device: &Path) {
        let mut gts: Vec<PathBuf> = Vec::new();
        for tile in proc::numbered(device, "tile") {
            let tile = device.join(tile);
            gts.extend(proc::numbered(&tile, "gt").into_iter().map(|gt| tile.join(gt)));
        }
        for gt in &gts {
            let engines = proc::names(&gt.join("engines")).unwrap_or_default();
            self.add_engines(&engines);
        }
        self.frequencies(&gts.iter().map(|gt| gt.join("freq0/act_freq")).collect::<Vec<_>>());
        self.energy(device);
    }

    fn amdgpu(&mut self, device: &Path) {
        // It names none. Every GPU has these; others appear when they are used.
        self.engines.extend(["render", "compute", "copy"].map(str::to_owned));
        self.read("busy", "1", device.join("gpu_busy_percent"), percent);
        self.read("memory.vram", "By", device.join("mem_info_vram_used"), number);
        self.read("memory.gtt", "By", device.join("mem_info_gtt_used"), number);
        self.read("frequency", "Hz", device.join("pp_dpm_sclk"), chosen_clock);
        let hwmon = device.join("hwmon");
        let Some(chip) = proc::numbered(&hwmon, "hwmon").into_iter().next().map(|chip| hwmon.join(chip))
        else {
            return;
        };
        // Only the GPU of an APU has the voltage of a north bridge, and tells the power of the chip.
        let name = if proc::is_there(&chip.join("in1_input")) { "socket_power" } else { "power" };
        let power = ["power1_average", "power1_input"].map(|file| chip.join(file));
        let there = power.iter().find(|path| proc::is_there(path)).unwrap_or(&power[0]);
        self.read(name, "W", there.clone(), of_microwatts);
    }

    /// `rcs0`, `vcs1`, or without a number.
    fn add_engines(&mut self, names: &[String]) {
        let names = names.iter().map(|name| name.trim_end_matches(|c: char| c.is_ascii_digit()));
        self.engines.extend(names.filter(|name| !name.is_empty()).map(class));
    }

    /// Files with MHz, one for each part of the GPU that has a clock of its own.
    fn frequencies(&mut self, files: &[PathBuf]) {
        for (n, file) in files.iter().enumerate() {
            let name = if files.len() == 1 { "frequency".to_owned() } else { format!("gt{n}.frequency") };
            self.read(&name, "Hz", file.clone(), megahertz);
        }
    }

    /// The energy of an Intel GPU: of the card, else of its package.
    fn energy(&mut self, device: &Path) {
        let hwmon = device.join("hwmon");
        let chips = proc::numbered(&hwmon, "hwmon").into_iter().map(|chip| hwmon.join(chip));
        // `i915_gt0` is a part of `i915`.
        let whole = |chip: &PathBuf| !proc::read(&chip.join("name")).is_ok_and(|name| name.contains("_gt"));
        let files: Vec<PathBuf> = chips
            .filter(whole)
            .flat_map(|chip| ["energy1_input", "energy2_input"].map(|file| chip.join(file)))
            .collect();
        let there = files.into_iter().find(|path| proc::is_there(path));
        match there.map(|path| EnergyCounter::open(path, None)) {
            Some(Ok(counter)) => self.add("power", "W", Origin::Energy(counter)),
            Some(Err(error)) => self.lacks("power", error.reason()),
            None => self.lacks("power", IN_PACKAGE.to_owned()),
        }
    }

    fn read(&mut self, name: &str, unit: &'static str, path: PathBuf, parse: fn(&str) -> Option<f64>) {
        match Source::open(path) {
            Ok(source) => self.add(name, unit, Origin::Value(source, parse)),
            Err(error) => self.lacks(name, error.reason()),
        }
    }

    fn add(&mut self, name: &str, unit: &'static str, origin: Origin) {
        let series = Series::new(self.series(name), unit);
        self.readings.push(Reading { series, origin });
    }

    fn lacks(&mut self, name: &str, reason: String) {
        self.missing.push((self.series(name), reason));
    }

    /// `gpu.card0.frequency`
    pub(super) fn series(&self, name: &str) -> String {
        format!("{}.{}.{name}", super::NAME, self.name)
    }

    /// Whether a client is one of this GPU.
    pub(super) fn has(&self, client: &Client) -> bool {
        match (&self.device, &client.device) {
            (Some(own), Some(other)) => own == other,
            _ => self.driver == client.driver,
        }
    }

    /// Whether this is a node of this GPU: `renderD128`.
    pub(super) fn has_node(&self, node: &str) -> bool {
        self.nodes.iter().any(|own| own == node)
    }

    /// Reads everything that its driver says: a value, or `None` if it is not known now.
    pub(super) fn sample(&mut self, at_ns: u64) -> Vec<(Series, Option<f64>)> {
        let value = |reading: &mut Reading| {
            let value = match &mut reading.origin {
                Origin::Value(source, parse) => source.parse(*parse, "").ok(),
                Origin::Energy(counter) => counter.watts(at_ns),
            };
            (reading.series.clone(), value)
        };
        self.readings.iter_mut().map(value).collect()
    }

    /// As if its counters had been read last at this time.
    #[cfg(test)]
    pub(super) fn began(&mut self, at_ns: u64) {
        for reading in &mut self.readings {
            if let Origin::Energy(counter) = &mut reading.origin {
                counter.began(at_ns);
            }
        }
    }

    /// The reason why nothing is known about it, if its driver is none that `lp` reads.
    pub(super) fn unknown(&self) -> Option<CollectError> {
        let known = ["i915", "xe", "amdgpu"].contains(&self.driver.as_str());
        let driver = if self.driver.is_empty() { "none".to_owned() } else { format!("`{}`", self.driver) };
        (!known).then(|| CollectError::Unavailable {
            what: "its load is not known",
            reason: format!("its driver is {driver}; `lp` reads those of `i915`, `xe` and `amdgpu`"),
        })
    }
}

fn number(text: &str) -> Option<f64> {
    Some(text.trim().parse::<u64>().ok()? as f64)
}

fn percent(text: &str) -> Option<f64> {
    number(text).map(|percent| share(percent / 100.0))
}

/// A number of MHz in Hz. 0 says that the GPU sleeps: then it has none.
fn megahertz(text: &str) -> Option<f64> {
    number(text).filter(|megahertz| 0.0 < *megahertz).map(|megahertz| megahertz * 1e6)
}

/// The line of `pp_dpm_sclk` with an asterisk: `1: 1500Mhz *`.
fn chosen_clock(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.trim_end().strip_suffix('*'))?;
    let (_, clock) = line.split_once(':')?;
    let digits = clock.trim().to_ascii_lowercase();
    megahertz(digits.strip_suffix("mhz")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_in_use_is_marked() {
        assert_eq!(chosen_clock("0: 300Mhz \n1: 1500Mhz *\n2: 2100Mhz \n"), Some(1.5e9));
        assert_eq!(chosen_clock("S: 19Mhz *\n0: 500Mhz\n"), Some(1.9e7));
        assert_eq!((chosen_clock("0: 300Mhz\n"), megahertz("0\n")), (None, None));
        assert_eq!((percent("37\n"), percent("x")), (Some(0.37), None));
    }
}
