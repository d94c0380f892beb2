//! Collectors of the machine's load, one file each and one line in [`ALL`].
//!
//! A collector that cannot run returns the reason ([`CollectError`]), which goes into
//! the record's `missing`. It never reports zero for an unknown value.
//!
//! All are sampled for one moment, which the caller passes by the clock of the frames.
//! Not here: the use of the values (`record`), and the sampling once a second
//! (`session`).

pub mod bandwidth;
pub mod cgroup;
mod cores;
pub mod cpu;
mod devices;
pub mod disk;
mod energy;
pub mod gpu;
pub mod host;
pub mod machine;
pub mod memory;
pub mod network;
pub mod npu;
pub mod nvidia;
pub mod power;
pub mod pressure;
pub mod processes;
pub mod room;
mod source;
pub mod temperature;
pub mod throttle;

use std::io;
use std::path::{Path, PathBuf};

/// All collectors, in the order in which they are sampled: quick ones first, as the
/// time is taken before the first.
pub const ALL: &[Kind] = &[
    Kind { name: machine::NAME, start: machine::start },
    Kind { name: cpu::NAME, start: cpu::start },
    Kind { name: pressure::NAME, start: pressure::start },
    Kind { name: memory::NAME, start: memory::start },
    Kind { name: disk::NAME, start: disk::start },
    Kind { name: network::NAME, start: network::start },
    Kind { name: cgroup::NAME, start: cgroup::start },
    Kind { name: processes::NAME, start: processes::start },
    Kind { name: throttle::NAME, start: throttle::start },
    Kind { name: temperature::NAME, start: temperature::start },
    Kind { name: power::NAME, start: power::start },
    Kind { name: bandwidth::NAME, start: bandwidth::start },
    Kind { name: npu::NAME, start: npu::start },
    Kind { name: gpu::NAME, start: gpu::start },
    Kind { name: nvidia::NAME, start: nvidia::start },
];

/// Those that may know the power of a part of the machine.
pub const OF_POWER: &[Kind] = &[
    Kind { name: power::NAME, start: power::start },
    Kind { name: gpu::NAME, start: gpu::start },
    Kind { name: nvidia::NAME, start: nvidia::start },
];

/// A kind of collector.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in records.
    pub name: &'static str,
    /// Begins to collect: the first sample is about the time from here on. An error if it
    /// cannot run there.
    pub start: fn(&Place<'_>) -> Result<Box<dyn Collector>, CollectError>,
}

/// What collectors look at.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The folder of `proc` and `sys`: see [`system_root`](crate::os::env::system_root).
    pub root: &'a Path,
    /// The process that measures, as this machine counts.
    pub lp: u32,
    /// The workers that it has started, likewise.
    pub workers: &'a [u32],
    /// Programs that it has started to measure the machine, likewise. All its other children are
    /// scripts.
    pub collectors: &'a [u32],
}

impl<'a> Place<'a> {
    /// A machine without workers.
    #[must_use]
    pub fn here(root: &'a Path) -> Place<'a> {
        Place { root, lp: std::process::id(), workers: &[], collectors: &[] }
    }
}

/// Samples one thing again and again.
pub trait Collector {
    /// The series that it measures. Devices that appear later are added at the end.
    fn series(&self) -> &[Series];

    /// A value for each of its series at `at_ns` of CLOCK_MONOTONIC; where it is a
    /// rate, about the time since the sample before. `None` if it is not known now.
    ///
    /// # Errors
    /// [`CollectError::TooSoon`] if the sample before was taken at the same time: only
    /// this sample is lost. After any other error the collector cannot run any more.
    fn sample(&mut self, at_ns: u64) -> Result<Vec<Option<f64>>, CollectError>;

    /// Series, or groups of them, that it cannot measure on this machine, with the reason. There may
    /// be more after a sample.
    fn missing(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The CPU time of other programs since the start, the most first.
    fn programs(&self) -> Vec<Program> {
        Vec::new()
    }
}

/// A program that does not belong to the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name that the kernel has for it, at most 15 bytes: `rustc`. Never its command
    /// line, which may hold secrets.
    pub name: String,
    /// CPU time of all its processes in microseconds.
    pub cpu_us: u64,
}

/// Something that a collector measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// As OpenTelemetry writes names, words in lower case with dots between them: first
    /// the part of the machine, then the device if there are several, then the quantity
    /// (`machine.cpu`, `disk.sda.busy`).
    pub name: String,
    /// In UCUM, as OpenTelemetry writes units: `1` for a share of 0 to 1, `By` for
    /// bytes, `By/s`, `/s`, `Hz`, `Cel`, `W`.
    pub unit: &'static str,
}

impl Series {
    fn new(name: impl Into<String>, unit: &'static str) -> Series {
        Series { name: name.into(), unit }
    }
}

/// A share to the millionth, which is shorter in a record and more than is known.
fn share(value: f64) -> f64 {
    (value.clamp(0.0, 1.0) * 1e6).round() / 1e6
}

/// Steps per second of a counter; `None` if it went back: it began anew, at an unknown value.
fn rate(before: u64, now: u64, elapsed_ns: u64) -> Option<f64> {
    Some(now.checked_sub(before)? as f64 * 1e9 / elapsed_ns as f64)
}

/// Why a collector has no sample.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The kernel does not let us read it, or has no such file.
    #[error("failed to read `{}`", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    /// The file is there but does not hold what it should.
    #[error("expected {expected} in `{}`, found none", .path.display())]
    Format {
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
    },

    /// The machine has nothing of the kind.
    #[error("no {what} in {} ({usual})", .paths.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(" or "))]
    Nothing {
        what: &'static str,
        /// Where it would be.
        paths: Vec<PathBuf>,
        /// Where this is so most often.
        usual: &'static str,
    },

    /// The kernel gives it to others only.
    #[error("failed to read `{}`; {hint}", .path.display())]
    Refused {
        path: PathBuf,
        #[source]
        source: io::Error,
        /// Who may read it, and how that is changed.
        hint: &'static str,
    },

    /// Something else than a file of the kernel cannot be used.
    #[error("{what}: {reason}")]
    Unavailable { what: &'static str, reason: String },

    /// Two samples without any time between them.
    #[error("no clock tick has passed since the sample before")]
    TooSoon,
}

impl CollectError {
    fn read(path: &Path, source: io::Error) -> CollectError {
        CollectError::Read { path: path.to_owned(), source }
    }

    /// The error with its causes in one line, as records keep it.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            CollectError::Read { source, .. } => format!("{self}: {source}"),
            CollectError::Refused { path, source, hint } => {
                format!("failed to read `{}`: {source}; {hint}", path.display())
            }
            _ => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files in a temporary folder.
    pub(super) struct Tree(tempfile::TempDir);

    impl Tree {
        pub(super) fn of(files: &[(&str, &str)]) -> Tree {
            let tree = Tree(tempfile::tempdir().unwrap());
            files.iter().for_each(|(path, text)| tree.write(path, text));
            tree
        }

        pub(super) fn root(&self) -> &Path {
            self.0.path()
        }

        pub(super) fn write(&self, path: &str, text: &str) {
            let path = self.root().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        pub(super) fn without_root(&self, text: &str) -> String {
            text.replace(&self.root().display().to_string(), "")
        }
    }

    /// A sample one second after the start, a line for each series, and what is missing.
    pub(super) fn sampled(collector: &mut dyn Collector, began_ns: u64, tree: &Tree) -> String {
        let values = collector.sample(began_ns + 1_000_000_000).unwrap();
        assert_eq!(values.len(), collector.series().len(), "a value for each series");
        let mut text = String::new();
        for (Series { name, unit }, value) in collector.series().iter().zip(values) {
            let value = value.map_or("unknown".to_owned(), |value| value.to_string());
            text.push_str(&format!("{name} {value} {unit}\n"));
        }
        for (name, reason) in collector.missing() {
            text.push_str(&format!("{name}: {}\n", tree.without_root(&reason)));
        }
        text
    }
}
