//! Pressure stall information: the time in which tasks waited for CPU, memory or I/O.
//!
//! *Some* is the time in which at least one task waited, *full* that in which all that were
//! not idle did. The kernel counts both in microseconds since boot (`total=`), so a share
//! is exact for the time between two samples; its own averages cover 10 s and more.
//!
//! Source: <https://docs.kernel.org/accounting/psi.html>. A kernel without it has no
//! `/proc/pressure`, one that was started with `psi=0` refuses to read the files.

use std::path::Path;

use super::source::Source;
use super::{CollectError, Collector, Place, Series, share};
use crate::os::clock::monotonic_ns;

/// Its name in records.
pub const NAME: &str = "pressure";

/// Each resource with its series: the name and the line of the file. `full` of the CPU is
/// left out: it is 0 for the machine as a whole.
const RESOURCES: [(&str, &[(&str, &str)]); 3] = [
    ("cpu", &[("pressure.cpu.some", "some")]),
    ("memory", &[("pressure.memory.some", "some"), ("pressure.memory.full", "full")]),
    ("io", &[("pressure.io.some", "some"), ("pressure.io.full", "full")]),
];

#[derive(Debug)]
struct PressureSampler {
    series: Vec<Series>,
    /// Those that can be read, in the order of [`PressureSampler::series`].
    files: Vec<(Source, &'static [(&'static str, &'static str)])>,
    missing: Vec<(String, String)>,
    before_ns: u64,
    /// The totals before, in microseconds: one for each series.
    before: Vec<Option<u64>>,
}

/// Begins to sample `/proc/pressure`.
///
/// # Errors
/// When none of its files can be read.
pub fn start(place: &Place<'_>) -> Result<Box<dyn Collector>, CollectError> {
    Ok(Box::new(PressureSampler::below(place.root)?))
}

impl PressureSampler {
    fn below(root: &Path) -> Result<PressureSampler, CollectError> {
        let mut sampler = PressureSampler {
            series: Vec::new(),
            files: Vec::new(),
            missing: Vec::new(),
            before_ns: monotonic_ns(),
            before: Vec::new(),
        };
        let mut refused = None;
        for (resource, series) in RESOURCES {
            let path = root.join("proc/pressure").join(resource);
            let opened = Source::open(path).and_then(|mut source| {
                let totals = totals(&mut source, series)?;
                Ok((source, totals))
            });
            match opened {
                Ok((source, totals)) => {
                    sampler.series.extend(series.iter().map(|(name, _)| Series::new(*name, "1")));
                    sampler.before.extend(totals);
                    sampler.files.push((source, series));
                }
                Err(error) => {
                    sampler.missing.push((format!("{NAME}.{resource}"), error.reason()));
                    refused = refused.or(Some(error));
                }
            }
        }
        match refused {
            Some(error) if sampler.files.is_empty() => Err(error),
            _ => Ok(sampler),
        }
    }
}

impl Collector for PressureSampler {
    fn series(&self) -> &[Series] {
        &self.series
    }

    fn missing(&self) -> Vec<(String, String)> {
        self.missing.clone()
    }

    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError> {
        let elapsed_us = at_ns.saturating_sub(self.before_ns) / 1000;
        if elapsed_us == 0 {
            return Err(CollectError::TooSoon);
        }
        let mut now = Vec::with_capacity(self.series.len());
        for (source, series) in &mut self.files {
            // A file may be away for a while; then its shares are unknown.
            now.extend(totals(source, series).unwrap_or_else(|_| vec![None; series.len()]));
        }
        // A total that went back says nothing about this time.
        let stalled = |(before, now): (&Option<u64>, &Option<u64>)| (*now)?.checked_sub((*before)?);
        let shares = self.before.iter().zip(&now).map(|pair| {
            let stalled = stalled(pair)?;
            Some(share(stalled as f64 / elapsed_us as f64))
        });
        let shares = shares.collect();
        self.before = now;
        self.before_ns = at_ns;
        Ok(shares)
    }
}

/// The totals of these lines, in microseconds; `None` for a line that is not there.
fn totals(source: &mut Source, series: &[(&str, &str)]) -> Result<Vec<Option<u64>>, CollectError> {
    let parse = |text: &str| {
        let totals: Vec<_> = series.iter().map(|(_, line)| total(text, line)).collect();
        totals.iter().any(Option::is_some).then_some(totals)
    };
    source.parse(parse, "a line `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`")
}

/// The total of the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345`.
fn total(text: &str, line: &str) -> Option<u64> {
    let mut fields = text
        .lines()
        .map(str::split_ascii_whitespace)
        .find_map(|mut fields| (fields.next()? == line).then_some(fields))?;
    fields.find_map(|field| field.strip_prefix("total=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::tests::{Tree, sampled};
    use super::*;

    const CPU: (&str, &str) = ("proc/pressure/cpu", "some avg10=1.53 avg60=0.00 avg300=0.00 total=1000000\n");
    const IO: (&str, &str) = (
        "proc/pressure/io",
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n",
    );

    #[track_caller]
    fn check(before: &[(&str, &str)], now: &[(&str, &str)], expect: Expect) {
        let tree = Tree::of(before);
        let text = match PressureSampler::below(tree.root()) {
            Ok(mut sampler) => {
                now.iter().for_each(|(path, text)| tree.write(path, text));
                {
                    let began_ns = sampler.before_ns;
                    sampled(&mut sampler, began_ns, &tree)
                }
            }
            Err(error) => tree.without_root(&error.reason()),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn a_share_is_the_time_stalled_between_two_samples() {
        let memory = "proc/pressure/memory";
        let line = |some: u64, full: u64| {
            format!("some avg10=9.00 avg60=0.00 avg300=0.00 total={some}\nfull avg10=9.00 total={full}\n")
        };
        check(
            &[CPU, IO, (memory, &line(0, 0))],
            &[(CPU.0, "some avg10=0.00 total=1250000\n"), (memory, &line(500_000, 125_000))],
            expect![[r#"
                pressure.cpu.some 0.25 1
                pressure.memory.some 0.5 1
                pressure.memory.full 0.125 1
                pressure.io.some 0 1
                pressure.io.full 0 1
            "#]],
        );
    }

    #[test]
    fn a_file_that_is_missing_has_its_reason_and_no_series() {
        check(
            &[CPU],
            &[(CPU.0, "some total=1000001\n")],
            expect![[r#"
                pressure.cpu.some 0.000001 1
                pressure.memory: failed to read `/proc/pressure/memory`: No such file or directory (os error 2)
                pressure.io: failed to read `/proc/pressure/io`: No such file or directory (os error 2)
            "#]],
        );
    }

    #[test]
    fn a_total_that_went_back_or_is_unreadable_is_unknown() {
        for text in ["some total=3\n", "", "some avg10=0.00\n", "some total=-1\n", "full total=9999999\n"] {
            check(
                &[CPU, IO],
                &[(CPU.0, text)],
                expect![[r#"
                    pressure.cpu.some unknown 1
                    pressure.io.some 0 1
                    pressure.io.full 0 1
                    pressure.memory: failed to read `/proc/pressure/memory`: No such file or directory (os error 2)
                "#]],
            );
        }
    }

    #[test]
    fn a_kernel_without_pressure_says_so() {
        check(
            &[("proc/stat", "")],
            &[],
            expect!["failed to read `/proc/pressure/cpu`: No such file or directory (os error 2)"],
        );
        check(
            &[("proc/pressure/cpu", "off\n")],
            &[],
            expect![
                "expected a line `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` in `/proc/pressure/cpu`, found none"
            ],
        );
    }
}
