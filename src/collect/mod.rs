//! Collectors of the machine's load, one file each and one line in [`ALL`].
//!
//! A collector that cannot run returns the reason ([`CollectError`]), which goes into
//! the record's `missing`. It never reports zero for an unknown value.
//!
//! All are sampled for one moment, which the caller passes by the clock of the frames.
//! Not here: the use of the values (`record`), and the sampling once a second
//! (`session`).

pub mod cgroup;
pub mod host;
pub mod machine;

use std::io;
use std::path::{Path, PathBuf};

/// All collectors, in the order in which they are sampled: quick ones first, as the
/// time is taken before the first.
pub const ALL: &[Kind] = &[Kind { name: machine::NAME, start: machine::start }];

/// A kind of collector.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name in records, and how the names of its series begin: `machine`.
    pub name: &'static str,
    /// Begins to collect on a machine whose files are below a folder (`/`): the first
    /// sample is about the time from here on. An error if it cannot run there.
    pub start: fn(&Path) -> Result<Box<dyn Collector>, CollectError>,
}

/// Samples one thing again and again.
pub trait Collector {
    /// The series that it measures, always the same.
    fn series(&self) -> &[Series];

    /// A value for each of its series at `at_ns` of CLOCK_MONOTONIC; where it is a
    /// rate, about the time since the sample before.
    ///
    /// # Errors
    /// [`CollectError::TooSoon`] if the sample before was taken at the same time: only
    /// this sample is lost. After any other error the collector cannot run any more.
    fn sample(&mut self, at_ns: u64) -> Result<Vec<f64>, CollectError>;
}

/// Something that a collector measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// As OpenTelemetry writes names, words in lower case with dots between them: first
    /// the collector, then the device if there are several, then the quantity
    /// (`machine.cpu`, `gpu.0.busy`).
    pub name: String,
    /// In UCUM, as OpenTelemetry writes units: `1` for a share of 0 to 1, `By` for
    /// bytes, `W`, `Hz`, `Cel`.
    pub unit: &'static str,
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
            _ => self.to_string(),
        }
    }
}
