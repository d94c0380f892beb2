//! `intel_gpu_top -J`: an object about each period.
//!
//! Some versions write a list of them, without its end when they are interrupted; others write one after another,
//! with or without commas. So objects are read one by one. Each group of figures has its `unit`; those in percent become shares. Clients
//! are not read.
//!
//! Source: intel_gpu_top(1) and `tools/intel_gpu_top.c` of igt-gpu-tools 1.27.

use serde_json::{Map, Value};

use super::json::Objects;
use super::{Parser, Reading, now, part};

#[derive(Debug)]
pub(super) struct GpuTop {
    objects: Objects,
}

impl GpuTop {
    pub(super) fn new() -> GpuTop {
        GpuTop { objects: Objects::within(0, None) }
    }
}

impl Parser for GpuTop {
    fn line(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        let between = line.split('{').next().unwrap_or_default();
        if !self.objects.is_open() && !Objects::is_between(between) {
            return Err("it is no JSON".to_owned());
        }
        let mut result = Ok(());
        self.objects.line(line, |object| {
            let read = serde_json::from_slice(object)
                .map_err(|error| format!("the object that ends here is no JSON: {error}"))
                .map(|object| of_period(&object, found));
            if result.is_ok() {
                result = read;
            }
        })?;
        result
    }

    fn cut(&mut self, line: &str, found: &mut Vec<Reading>) -> Result<(), String> {
        self.line(line, found)
    }

    fn end(&mut self) -> Result<(), String> {
        if self.objects.is_open() { Err("the last object breaks off".to_owned()) } else { Ok(()) }
    }
}

fn of_period(period: &Map<String, Value>, found: &mut Vec<Reading>) {
    for (name, group) in period {
        match name.as_str() {
            "period" | "clients" => {}
            "engines" => {
                for (engine, group) in group.as_object().into_iter().flatten() {
                    of_group(&format!("engine.{}", part(engine)), group, found);
                }
            }
            _ => of_group(&part(name), group, found),
        }
    }
}

/// The figures of a group, whose unit is among them. One that is not known is not read.
fn of_group(name: &str, group: &Value, found: &mut Vec<Reading>) {
    let unit = match group.get("unit").and_then(Value::as_str) {
        Some("%") => ("1", 0.01),
        Some("MHz") => ("Hz", 1e6),
        Some("W") => ("W", 1.0),
        Some("irq/s") => ("/s", 1.0),
        Some("MiB/s") => ("By/s", 1048576.0),
        _ => return,
    };
    for (key, value) in group.as_object().into_iter().flatten() {
        let Some(value) = value.as_f64() else { continue };
        // `rc6` and `interrupts` have one figure.
        let is_only = matches!(key.as_str(), "value" | "count");
        let quantity = if is_only { name.to_owned() } else { format!("{name}.{}", part(key)) };
        found.push(now(quantity, unit.0, value * unit.1));
    }
}
