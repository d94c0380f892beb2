//! The load of a run: pipelines for workers, and users' scripts.
//!
//! Streams and scripts are ids here; their descriptions are in the [`Setup`]. Not here:
//! starting them and receiving their messages.

use std::path::{Path, PathBuf};

use super::{CollectorLoad, Redaction, SERVER, ScriptLoad, StreamServer};
use crate::os;
use crate::pipeline::PipelineSpec;
use crate::record::build::{Setup, StreamId};
use crate::worker::launch::{Launch, Reach};
use crate::worker::protocol::Keep;

/// The most of a worker's log that is kept.
const LOG_LIMIT: u64 = 1 << 20;

/// Pipelines and scripts to play.
pub struct Load<'a> {
    /// Its description in the record. Its origin counts from the start.
    pub setup: Setup,
    /// Pipelines for workers, in the order in which they are started.
    pub pipelines: Vec<PipelineLoad>,
    /// By `ScriptId`.
    pub scripts: Vec<ScriptLoad>,
    /// Programs of the user's beside it; none beside a load that changes.
    pub collectors: Vec<CollectorLoad>,
    /// How workers are started; `None` if there are none.
    pub launch: Option<&'a Launch>,
    /// What each of them needs.
    pub reach: Reach,
    /// Secrets to remove from record and logs.
    pub secrets: Redaction,
    /// Where the workers' logs go.
    pub log_dir: &'a Path,
    /// The server of its streams, if `lp` started it. It ends after everything else.
    pub server: Option<&'a StreamServer>,
}

/// A pipeline, with the streams that it serves: one, or those that share it.
#[derive(Clone)]
pub struct PipelineLoad {
    /// Resolved for the worker's machine.
    pub spec: PipelineSpec,
    /// Each with the element at which its frames have arrived. Not empty; all are
    /// of one member.
    pub streams: Vec<(StreamId, usize)>,
    /// What is kept of what its models find.
    pub keep: Keep,
}

impl Load<'_> {
    /// The logs of the workers, one after another.
    #[must_use]
    pub fn logs(&self) -> Vec<u8> {
        let mut logs = Vec::new();
        let server = self.server.map(|_| SERVER);
        for name in self.setup.workers.iter().map(String::as_str).chain(server) {
            let text = os::process::tail(&self.log_path(name), LOG_LIMIT).unwrap_or_default();
            let text = self.secrets.without(text);
            if !text.is_empty() {
                logs.extend_from_slice(format!("== {name}\n{text}").as_bytes());
            }
        }
        logs
    }

    pub(super) fn log_path(&self, worker: &str) -> PathBuf {
        self.log_dir.join(format!("{worker}.log"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{load, setup};
    use super::*;

    #[test]
    fn logs_name_their_workers_and_hold_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("b.log"), "rtsp://bob:hunter2@till\n").unwrap();
        std::fs::write(dir.path().join("a.log"), "").unwrap();
        let mut load = load(setup(&["a", "b", "c"], &[]), dir.path());
        let secret = ("PW".to_owned(), "hunter2".to_owned());
        load.secrets = Redaction::new(std::iter::once((&secret.0, &secret.1)));
        assert_eq!(String::from_utf8(load.logs()).unwrap(), "== b\nrtsp://bob:$PW@till\n");
    }
}
