//! The busiest engines of GPUs and NPUs: the run's share of each, and that of others as far as it is known.

use std::collections::BTreeMap;

use super::mean_share;
use crate::collect::{gpu, npu};
use crate::record::RunRecord;
use crate::search::limiter::{Engine, Evidence};

/// Below this, an engine is no evidence of anything.
const WORTH_KEEPING: f64 = 0.5;

/// What a series is about: the device, and a class of its engines unless it is the whole device.
type Place<'a> = (&'a str, &'a str);

pub(super) fn engines(record: &RunRecord) -> Vec<Engine> {
    let mut busy: BTreeMap<Place<'_>, f64> = BTreeMap::new();
    for series in record.series.iter().filter(|series| series.unit == "1") {
        if let (Some(place), Some(mean)) = (place(&series.name), mean_share(record, &series.name)) {
            *busy.entry(place).or_insert(0.0) += mean;
        }
    }
    let gpus: Vec<&str> = devices(&busy, gpu::NAME);
    let npus: Vec<&str> = devices(&busy, npu::NAME);
    let name = |(device, class): Place<'_>| {
        let (kind, all) = if device.starts_with("gpu.") { ("GPU", &gpus) } else { ("NPU", &npus) };
        let which = match all.len() {
            1 => String::new(),
            _ => format!(" {}", device.split_once('.').map_or(device, |(_, name)| name)),
        };
        let class = class.replace('_', " ");
        let engine = if class.is_empty() { String::new() } else { format!(" {class} engine") };
        format!("{kind}{which}{engine}")
    };
    let mut engines: Vec<Engine> = busy
        .iter()
        .filter(|(_, busy)| WORTH_KEEPING <= **busy)
        .map(|(place, busy)| Engine { name: name(*place), busy: busy.min(1.0) })
        .collect();
    engines.sort_by(|one, other| other.busy.total_cmp(&one.busy));
    engines.truncate(Evidence::ENGINES);
    engines
}

/// `gpu.card0.video.own` is about the video engines of `gpu.card0`, `npu.accel0.busy` about the NPU.
fn place(series: &str) -> Option<Place<'_>> {
    let kind = series.split('.').next().filter(|kind| [gpu::NAME, npu::NAME].contains(kind))?;
    let device_end = series[kind.len() + 1..].find('.')? + kind.len() + 1;
    let (device, quantity) = (&series[..device_end], &series[device_end + 1..]);
    let own = [gpu::OWN, gpu::FOREIGN];
    match quantity.split_once('.') {
        Some((class, share)) if own.contains(&share) => Some((device, class)),
        None if quantity == npu::BUSY => Some((device, "")),
        // NVIDIA's, of all programs.
        None if ["encode", "decode"].contains(&quantity) => Some((device, quantity)),
        _ => None,
    }
}

fn devices<'a>(busy: &BTreeMap<Place<'a>, f64>, kind: &str) -> Vec<&'a str> {
    let devices = busy.keys().map(|(device, _)| *device);
    let mut devices: Vec<&str> = devices.filter(|device| device.split('.').next() == Some(kind)).collect();
    devices.dedup();
    devices
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::SeriesRecord;
    use crate::record::fixture::{S, copies};

    #[track_caller]
    fn check(series: &[(&str, f64)], expected: &[&str]) {
        let mut record = copies(1, &[&[15]], 0.5);
        for (name, value) in series {
            let at_us: Vec<u64> = (0..=30).map(|second| second * S).collect();
            let values = vec![*value; at_us.len()];
            record.series.push(SeriesRecord {
                name: (*name).to_owned(),
                unit: "1".to_owned(),
                at_us,
                values,
            });
        }
        let told = engines(&record).into_iter().map(|engine| format!("{} {:.2}", engine.name, engine.busy));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_engine_has_the_work_of_the_run_and_of_others() {
        check(
            &[
                ("gpu.card0.video.own", 0.8),
                ("gpu.card0.video.foreign", 0.17),
                ("gpu.card0.video_enhance.own", 0.6),
                ("gpu.card0.render.own", 0.2),
                ("npu.accel0.busy", 0.99),
            ],
            &["NPU 0.99", "GPU video engine 0.97", "GPU video enhance engine 0.60"],
        );
    }

    #[test]
    fn one_of_several_devices_is_named() {
        check(
            &[
                ("gpu.card0.busy", 0.7),
                ("gpu.nvidia0.decode", 0.95),
                ("gpu.nvidia0.slowed", 1.0),
                ("gpu.nvidia0.memory_busy", 1.0),
                ("cpu.0.busy", 1.0),
            ],
            &["GPU nvidia0 decode engine 0.95", "GPU card0 0.70"],
        );
    }
}
