//! A load on the machine: streams in workers, users' scripts, and collectors
//! beside them.
//!
//! [`measure`] starts the workers and scripts, lets `record::build` decide by
//! the times of what they say, and returns the record. [`play_once`] plays one
//! pipeline to its end, unmeasured: that is how clips are made.
//!
//! Workers tell the time with everything they say. `lp`'s own clock counts for
//! two things only: scripts, which tell none, and the watchdog: a worker speaks
//! every second, so one that is silent for [`SILENCE`] is ended, since it cannot
//! tell the time any more.

#[cfg(test)]
mod fixture;
mod listen;
mod load;
mod once;
mod redaction;
mod script;
mod start;

use std::time::Duration;

pub use self::listen::{Observation, Watch, replay};
pub use self::load::{Load, PipelineLoad};
pub use self::once::{ElementReports, play_once};
pub use self::redaction::Redaction;
pub use self::script::ScriptLoad;
pub use self::start::measure;
use crate::worker::error::WorkerError;

/// A worker that says nothing for so long is ended.
pub const SILENCE: Duration = Duration::from_secs(20);

/// Why a session could not be held.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A worker could not be started or does not speak our protocol.
    #[error("worker `{worker}` did not start")]
    Worker {
        /// Its name.
        worker: String,
        /// Why.
        #[source]
        source: WorkerError,
    },
    /// A pipeline that was played once did not come to its end.
    #[error("{0}")]
    Failed(String),
    /// The user stopped it before anything was measured.
    #[error("interrupted")]
    Cancelled,
}
