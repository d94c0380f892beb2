//! A load on the machine: streams in workers, users' scripts, and collectors.
//!
//! [`measure`] starts the workers and scripts, lets `record::build` decide by
//! the times of their messages, and returns the record. [`play_once`] plays one
//! pipeline to its end, unmeasured: that is how clips are made.
//!
//! A [`StreamServer`] serves clips over RTSP.
//!
//! A [`Stage`] plays a load that changes, and makes a record of each: streams that stay play
//! on.
//!
//! Every message of a worker has the worker's time. `lp`'s own clock counts for
//! two things only: scripts, which give no time, and the watchdog: a worker reports
//! every second, so `lp` ends a worker that is silent for [`SILENCE`].

mod collector;
#[cfg(test)]
mod fixture;
mod idle;
mod lanes;
mod listen;
mod load;
mod once;
mod redaction;
mod script;
mod serve;
mod start;
mod variant;

use std::time::Duration;

pub use self::collector::{CollectorLoad, PATH as COLLECTOR_PATH};
pub use self::idle::idle_power;
pub use self::lanes::{Stage, Watched};
pub use self::listen::{Observation, Watch, replay};
pub use self::load::{Load, PipelineLoad};
pub use self::once::{ElementReports, OnFrames, play_once, play_unlogged};
pub use self::redaction::Redaction;
pub use self::script::ScriptLoad;
pub use self::serve::{Clients, NAME as SERVER, ServeError, Serving, StreamServer};
pub use self::start::measure;
pub use self::variant::{removals, variant};
use crate::worker::error::WorkerError;

/// `lp` ends a worker that sends nothing for so long.
pub const SILENCE: Duration = Duration::from_secs(20);

/// Why a session could not be held.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A worker could not be started or does not speak our protocol.
    #[error("worker `{worker}` did not start")]
    Worker {
        worker: String,
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
