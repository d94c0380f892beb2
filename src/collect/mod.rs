//! Samplers of the machine, one file each.
//!
//! A sampler that cannot run says why ([`CollectError`]); its reason goes into
//! the record's `missing`. It never reports zero for what it does not know.
//!
//! Readings carry no time: whoever samples stamps them with the clock that the
//! frames use. Not here: what becomes of readings (`record`), and threads that
//! sample once a second (`session`).

pub mod cgroup;
pub mod host;
pub mod machine;

use std::io;
use std::path::{Path, PathBuf};

/// Samples one thing again and again.
pub trait Collector {
    /// What one sample says.
    type Reading;

    /// Its name in records: `machine`.
    fn name(&self) -> &'static str;

    /// One sample, about the time since the sample before where it is a rate.
    ///
    /// # Errors
    /// When there is nothing to say about this moment.
    fn sample(&mut self) -> Result<Self::Reading, CollectError>;
}

/// Why a collector has nothing to say.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The kernel does not let us read it, or has no such file.
    #[error("failed to read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },

    /// The file is there but does not hold what it should.
    #[error("expected {expected} in `{}`, found none", .path.display())]
    Format {
        /// The file.
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
