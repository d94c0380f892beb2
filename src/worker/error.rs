//! Errors of workers, and how a worker ended.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::protocol::VERSION;
use crate::os::process::Exit;

/// An error of a worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// There is no `lp-worker` to start.
    #[error("no worker: `{}` does not exist", path.display())]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The program of `[worker] command` is not installed.
    #[error("no worker: the program `{program}` of `worker.command` was not found")]
    NoProgram {
        /// As it was given.
        program: String,
        /// The engine that it would be.
        engine: Option<String>,
    },
    /// The engine has no image to run.
    #[error("no worker: the image `{image}` of `worker.command` is not available: {reply}")]
    NoImage {
        /// As it was given.
        image: String,
        /// What the engine reports.
        reply: String,
    },
    /// It could not be started.
    #[error("failed to start the worker `{}`", .program.to_string_lossy())]
    Start {
        program: OsString,
        #[source]
        source: io::Error,
    },
    /// It speaks another version of the protocol.
    #[error("the worker speaks protocol {found}, but this `lp` needs {VERSION}")]
    Version { found: u32 },
    /// It refused a request.
    #[error("the worker refused: {0}")]
    Refused(String),
    /// It cannot serve.
    #[error("this worker was built without its RTSP server")]
    NoServer,
    /// It cannot trace.
    #[error("this worker does not report the stages of frames, which `--trace` needs")]
    NoStages,
    /// It is no more.
    #[error("the worker died: {0}")]
    Died(WorkerExit),
    /// It does not read its stdin any more.
    #[error("failed to send a request to the worker")]
    Send(#[source] io::Error),
    /// It did not answer.
    #[error("the worker did not answer within {} s", .0.as_secs())]
    Silent(Duration),
}

impl WorkerError {
    /// A remedy, if there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            WorkerError::Absent { .. } => {
                "build or install `lp-worker` (it needs GStreamer's development files), or name one in `LP_WORKER`"
            }
            WorkerError::NoProgram { engine: Some(engine), .. } => {
                return Some(format!(
                    "install {engine} (Debian: {}), or remove `command` to use the worker beside `lp`",
                    if engine == "docker" { "docker.io" } else { engine }
                ));
            }
            WorkerError::NoProgram { engine: None, .. } => {
                "correct `command` in `[worker]`, or remove it to use the worker beside `lp`"
            }
            WorkerError::NoServer => {
                "build `lp-worker` with the feature `rtsp`, which is on by default and needs libgstrtspserver-1.0-dev"
            }
            WorkerError::NoImage { .. } => "build or pull the image; `lp` never pulls one",
            WorkerError::Version { .. } | WorkerError::NoStages => {
                "install `lp` and `lp-worker` of the same version; if it is in an image, build that again"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerExit {
    pub exit: Exit,
    /// The last event before it, as a line of JSON.
    pub last_event: Option<String>,
    /// The last lines of its stderr.
    pub stderr_tail: String,
}

impl std::fmt::Display for WorkerExit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.exit)?;
        match self.stderr_tail.trim() {
            "" => Ok(()),
            tail => write!(f, "; the end of its stderr:\n{tail}"),
        }
    }
}
