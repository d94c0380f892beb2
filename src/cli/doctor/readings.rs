//! One reading of every collector: its values, or the reason why there is none.
//!
//! A rate needs two samples, so a reading covers [`INTERVAL`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::collect::{self, Collector, Place};
use crate::os;
use crate::report::grid::Paper;
use crate::report::units;
use crate::text::harmless;

/// The time that a rate covers.
const INTERVAL: Duration = Duration::from_millis(250);

/// The most values of a collector that people see: JSON has all.
const SHOWN: usize = 4;

/// What a collector says of this machine.
#[derive(Debug, Serialize)]
pub(super) struct Reading {
    collector: &'static str,
    /// The time that rates cover.
    interval_ms: u64,
    values: Vec<Value>,
    /// Why the collector cannot run; `null` if it can.
    reason: Option<String>,
    /// Series, or groups of them, that it cannot measure here, with the reason.
    missing: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct Value {
    name: String,
    unit: &'static str,
    /// `null` if it is not known now, with the reason.
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// Why a series has no value in one reading.
const UNKNOWN: &str = "its counters could not be read twice, or went back";

pub(super) fn readings() -> Vec<Reading> {
    let root = os::env::system_root();
    let place = Place::here(&root);
    let started: Vec<_> = collect::ALL.iter().map(|kind| (kind.name, (kind.start)(&place))).collect();
    let began_ns = os::clock::monotonic_ns();
    os::clock::pause(INTERVAL);
    let at_ns = os::clock::monotonic_ns();
    let interval_ms = (at_ns - began_ns) / 1_000_000;
    started
        .into_iter()
        .map(|(name, started)| match started {
            Ok(collector) => of(name, interval_ms, collector, at_ns),
            Err(error) => failed(name, interval_ms, error.reason()),
        })
        .collect()
}

fn of(name: &'static str, interval_ms: u64, mut collector: Box<dyn Collector>, at_ns: u64) -> Reading {
    let values = match collector.sample(at_ns) {
        Ok(values) => values,
        Err(error) => return failed(name, interval_ms, error.reason()),
    };
    let value = |(series, value): (&collect::Series, Option<f64>)| Value {
        name: series.name.clone(),
        unit: series.unit,
        value,
        reason: value.is_none().then_some(UNKNOWN),
    };
    Reading {
        collector: name,
        interval_ms,
        values: collector.series().iter().zip(values).map(value).collect(),
        reason: None,
        missing: collector.missing().into_iter().collect(),
    }
}

fn failed(collector: &'static str, interval_ms: u64, reason: String) -> Reading {
    Reading { collector, interval_ms, values: Vec::new(), reason: Some(reason), missing: BTreeMap::new() }
}

/// The readings for people: a line for each collector, and one for each reason.
pub(super) fn section(readings: &[Reading], paper: Paper) -> String {
    let interval_ms = readings.first().map_or(0, |reading| reading.interval_ms);
    let mut text = format!("\nreadings over {interval_ms} ms:\n");
    let widest = readings.iter().map(|reading| reading.collector.len()).max().unwrap_or(0);
    for reading in readings {
        let mut lines = Vec::new();
        let known = reading.values.iter().filter_map(|value| Some((value, value.value?)));
        let shown: Vec<String> = known
            .map(|(value, number)| {
                let prefix = format!("{}.", reading.collector);
                let name = value.name.strip_prefix(&prefix).unwrap_or(&value.name);
                format!("{} {}", harmless(name), units::shown(number, value.unit))
            })
            .collect();
        if !shown.is_empty() {
            let mut line = shown[..shown.len().min(SHOWN)].join(", ");
            if shown.len() > SHOWN {
                let _ = write!(line, " and {} more", shown.len() - SHOWN);
            }
            lines.push(line);
        }
        lines.extend(reading.reason.iter().map(|reason| format!("not measured: {}", harmless(reason))));
        let missing = reading.missing.iter();
        lines.extend(missing.map(|(name, reason)| format!("no {name}: {}", harmless(reason))));
        if lines.is_empty() {
            lines.push("nothing to measure yet".to_owned());
        }
        for (n, line) in lines.iter().enumerate() {
            let label = if n == 0 { reading.collector } else { "" };
            for line in paper.beside(&format!("  {label}"), widest + 2, line) {
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn people_see_a_line_for_each_collector_and_each_reason() {
        let value = |name: &str, unit, value| Value { name: name.to_owned(), unit, value, reason: None };
        let readings = [
            Reading {
                collector: "cpu",
                interval_ms: 250,
                values: vec![
                    value("cpu.frequency", "Hz", Some(2.4e9)),
                    value("cpu.0.busy", "1", Some(0.25)),
                    value("cpu.1.busy", "1", None),
                    value("cpu.2.busy", "1", Some(0.0)),
                    value("cpu.3.busy", "1", Some(0.5)),
                    value("cpu.4.busy", "1", Some(0.5)),
                ],
                reason: None,
                missing: [("cpu.x".to_owned(), "no file".to_owned())].into(),
            },
            failed("throttle", 250, "not an Intel CPU".to_owned()),
            Reading { values: Vec::new(), reason: None, ..failed("disk", 250, String::new()) },
        ];
        expect![[r#"

            readings over 250 ms:
              cpu       frequency 2400 MHz, 0.busy 25.0 %, 2.busy 0.0 %, 3.busy 50.0 % and 1 more
                        no cpu.x: no file
              throttle  not measured: not an Intel CPU
              disk      nothing to measure yet
        "#]]
        .assert_eq(&section(&readings, Paper::PLAIN));
    }
}
