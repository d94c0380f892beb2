//! Power and energy in words.

use super::Report;
use crate::collect::power::WHOLE_MACHINE;
use crate::record::measure::EnergyFigures;
use crate::time::duration_text;

/// `45.2 W of the CPU's package, 21.0 W when idle (for 3s before the run); 0.50 J a frame (0.27 J above
/// idle), 2.0 fps per watt`; `None` if no power is known.
pub(super) fn sentence(report: &Report<'_>) -> Option<String> {
    let energy = report.measurement.energy.as_ref()?;
    let mut text = format!("{:.1} W of {}", energy.watts, of(energy));
    if !energy.without.is_empty() {
        text.push_str(&format!(" without {}", energy.without.join(", ")));
    }
    match energy.idle_watts.zip(energy.idle_ms) {
        Some((watts, ms)) => {
            let time = duration_text(std::time::Duration::from_secs((ms + 500) / 1000));
            text.push_str(&format!(", {watts:.1} W when idle (for {time} before the run)"));
        }
        None => text.push_str(", not known when idle"),
    }
    if let Some(joules) = energy.joules_per_frame {
        text.push_str(&format!("; {joules:.2} J a frame"));
    }
    if let Some(joules) = energy.joules_per_frame_above_idle {
        text.push_str(&format!(" ({joules:.2} J above idle)"));
    }
    if let Some(fps) = energy.fps_per_watt {
        text.push_str(&format!(", {fps:.1} fps per watt"));
    }
    if let Some(reason) = &energy.reason {
        let what = if energy.joules_per_frame.is_some() { "above idle" } else { "for a frame" };
        text.push_str(&format!("; nothing {what}: {reason}"));
    }
    Some(text)
}

/// The parts that the power is of: `the CPU's packages, its memory and a GPU`.
fn of(energy: &EnergyFigures) -> String {
    let count = |is_it: &dyn Fn(&str) -> bool| energy.parts.iter().filter(|part| is_it(part)).count();
    if 0 < count(&|part| part.starts_with(WHOLE_MACHINE)) {
        return "the whole machine".to_owned();
    }
    if !energy.without.is_empty() {
        return energy.parts.join(", ");
    }
    let memory = count(&|part| part.ends_with(".dram"));
    let gpus = count(&|part| part.starts_with("gpu."));
    let packages = energy.parts.len() - memory - gpus;
    let named = |n: usize, one: &str, more: &str| match n {
        0 => None,
        1 => Some(one.to_owned()),
        n => Some(format!("{n} {more}")),
    };
    let names = [
        named(packages, "the CPU's package", "CPU packages"),
        (0 < memory).then(|| "memory".to_owned()),
        named(gpus, "a GPU", "GPUs"),
    ];
    let names: Vec<String> = names.into_iter().flatten().collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::copies;
    use crate::record::measure::measure;

    #[track_caller]
    fn check(energy: EnergyFigures, expected: &str) {
        let record = copies(1, &[&[15]], 0.5);
        let measurement = crate::record::measure::Measurement { energy: Some(energy), ..measure(&record) };
        let report = Report { run: "r", record: &record, measurement: &measurement };
        assert_eq!(sentence(&report).unwrap(), expected);
    }

    fn figures(parts: &[&str]) -> EnergyFigures {
        EnergyFigures {
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
            without: Vec::new(),
            watts: 45.24,
            idle_watts: Some(21.0),
            idle_ms: Some(3004),
            joules_per_frame: Some(0.5),
            joules_per_frame_above_idle: Some(0.27),
            fps_per_watt: Some(1.99),
            reason: None,
        }
    }

    #[test]
    fn power_has_its_parts_and_its_conditions() {
        check(
            figures(&["power.package_0"]),
            "45.2 W of the CPU's package, 21.0 W when idle (for 3s before the run); 0.50 J a frame (0.27 J above idle), 2.0 fps per watt",
        );
        check(
            EnergyFigures {
                idle_watts: None,
                idle_ms: None,
                joules_per_frame_above_idle: None,
                ..figures(&["power.package_0", "power.package_1", "power.package_0.dram", "gpu.card0.power"])
            },
            "45.2 W of 2 CPU packages, memory and a GPU, not known when idle; 0.50 J a frame, 2.0 fps per watt",
        );
        check(
            EnergyFigures {
                without: vec!["power.package_1".to_owned()],
                joules_per_frame: None,
                joules_per_frame_above_idle: None,
                fps_per_watt: None,
                reason: Some("not all parts of the power are known".to_owned()),
                ..figures(&["power.package_0"])
            },
            "45.2 W of power.package_0 without power.package_1, 21.0 W when idle (for 3s before the run); nothing for a frame: not all parts of the power are known",
        );
        check(
            EnergyFigures {
                joules_per_frame_above_idle: None,
                reason: Some("the run used less power than the idle machine".to_owned()),
                ..figures(&["power.package_0"])
            },
            "45.2 W of the CPU's package, 21.0 W when idle (for 3s before the run); 0.50 J a frame, 2.0 fps per watt; nothing above idle: the run used less power than the idle machine",
        );
        check(
            EnergyFigures {
                joules_per_frame: None,
                joules_per_frame_above_idle: None,
                fps_per_watt: None,
                reason: Some("no frame arrived".to_owned()),
                ..figures(&["power.power_meter.power1"])
            },
            "45.2 W of the whole machine, 21.0 W when idle (for 3s before the run); nothing for a frame: no frame arrived",
        );
    }
}
