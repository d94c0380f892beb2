//! `qmassa -x -t FILE`: JSON Lines about graphics processors.
//!
//! The first line is the version, the second has the arguments; each further line is the state after an update, with the
//! values of the last 40 updates. Only the newest of each list is read. Usage is in percent, memory in bytes, frequency
//! in MHz, power in W. Clients are not read.
//!
//! Source: `app_data.rs` of qmassa 2.2, `drm_devices.rs` of its library.

use serde_json::Value;

use super::{Parser, Reading, now, part};

#[derive(Debug, Default)]
pub(super) struct Qmassa {
    n_lines: u64,
    /// The time of the newest update, in milliseconds since the program began.
    newest: Option<u64>,
}

impl Parser for Qmassa {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        if line.trim().is_empty() {
            return Ok(());
        }
        self.n_lines += 1;
        let value: Value = serde_json::from_str(line).map_err(|error| format!("it is no JSON: {error}"))?;
        if self.n_lines == 1 && value.is_string() {
            return Ok(());
        }
        let (Some(times), Some(devices)) = (list(&value, "timestamps"), list(&value, "devs_state")) else {
            let is_head = self.n_lines <= 2 && value.get("ms_interval").is_some();
            return if is_head { Ok(()) } else { Err("it has no `timestamps` and `devs_state`".to_owned()) };
        };
        let time = times.last().and_then(Value::as_u64).ok_or("its last timestamp is no number")?;
        if self.newest.is_some_and(|newest| time <= newest) {
            return Err("its update is not newer than the one before".to_owned());
        }
        self.newest = Some(time);
        devices.iter().try_for_each(|device| of_device(device, found))
    }
}

fn of_device(device: &Value, found: &mut Vec<Reading>) -> Result<(), String> {
    let name = device.get("pci_dev").and_then(Value::as_str).ok_or("a device without `pci_dev`")?;
    let stats = device.get("dev_stats").ok_or("a device without `dev_stats`")?;
    let name = part(name);
    let mut add = |quantity: &str, unit, value: Option<&Value>, factor: f64| {
        if let Some(value) = value.and_then(Value::as_f64) {
            found.push(now(format!("{name}.{quantity}"), unit, value * factor));
        }
    };
    for (engine, values) in stats.get("eng_usage").and_then(Value::as_object).into_iter().flatten() {
        let newest = values.as_array().and_then(|values| values.last());
        add(&format!("engine.{}", part(engine)), "1", newest, 0.01);
    }
    if let Some(memory) = newest(stats, "mem_info") {
        add("memory.system", "By", memory.get("smem_used"), 1.0);
        // A processor without memory of its own has 0 bytes in all.
        let has_own = memory.get("vram_total").and_then(Value::as_u64).is_some_and(|total| total > 0);
        add("memory.video", "By", memory.get("vram_used").filter(|_| has_own), 1.0);
    }
    for (index, frequency) in
        newest(stats, "freqs").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        add(&format!("frequency.{index}.requested"), "Hz", frequency.get("cur_freq"), 1e6);
        add(&format!("frequency.{index}.actual"), "Hz", frequency.get("act_freq"), 1e6);
    }
    if let Some(power) = newest(stats, "power") {
        add("power.gpu", "W", power.get("gpu_cur_power"), 1.0);
        add("power.package", "W", power.get("pkg_cur_power"), 1.0);
    }
    for sensor in newest(stats, "temps").and_then(Value::as_array).into_iter().flatten() {
        if let Some(label) = sensor.get("name").and_then(Value::as_str) {
            add(&format!("temperature.{}", part(label)), "Cel", sensor.get("temp"), 1.0);
        }
    }
    Ok(())
}

fn list<'v>(value: &'v Value, key: &str) -> Option<&'v Vec<Value>> {
    value.get(key)?.as_array()
}

fn newest<'v>(stats: &'v Value, key: &str) -> Option<&'v Value> {
    list(stats, key)?.last()
}
