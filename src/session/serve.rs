//! A worker that serves clips over RTSP.
//!
//! It is a process of its own, so that what serving costs is measured apart from the streams that
//! are played, and so that it can end after them. Not here: which clips are served under which
//! names (`workspace::serving`).

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam_channel::{Receiver, select, unbounded};

use super::start::offset_of;
use crate::os;
use crate::os::IpAddr;
use crate::os::process::Cancel;
use crate::pipeline::login::escaped;
use crate::record::build::SampleLog;
use crate::record::{WorkerRecord, WorkerSample};
use crate::worker::client::{Worker, WorkerMessage};
use crate::worker::error::{WorkerError, WorkerExit};
use crate::worker::launch::{Launch, Reach};
use crate::worker::protocol::{Event, EventBody, Mount, ServeRequest, ServerLogin};

/// What is served, and where.
#[derive(Clone, Debug)]
pub struct Serving {
    pub address: IpAddr,
    /// 0 is any free port.
    pub port: u16,
    /// What it asks clients for; without it everybody may watch.
    pub login: Option<ServerLogin>,
    /// The cores to which it is bound; empty: all.
    pub cpus: Vec<u32>,
    /// Clips by the names of their streams.
    pub mounts: BTreeMap<String, PathBuf>,
}

/// Its name in records and logs. No camera has it, because of the space.
pub const NAME: &str = "RTSP server";

/// How long a stream may take to be described: its pipeline is made for that.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the RTSP server did not start")]
    Worker(#[from] WorkerError),
    #[error("the RTSP server cannot be bound to the cores {0:?} of `rtsp.cpus`")]
    Cores(Vec<u32>, #[source] io::Error),
    #[error("the RTSP server does not answer for its stream `{0}`")]
    Silent(String, #[source] io::Error),
    #[error("the RTSP server answers {1} for its stream `{0}`")]
    Status(String, u16),
}

/// A server that runs, until this is dropped.
#[derive(Debug)]
pub struct StreamServer {
    _worker: Worker,
    messages: Receiver<(usize, WorkerMessage)>,
    address: IpAddr,
    port: u16,
    names: Vec<String>,
}

/// The clients of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Connections.
    pub clients: u32,
    /// Streams that are watched.
    pub streams: u32,
}

impl StreamServer {
    /// Starts one, whose stderr goes to the end of `log` if there is one. It serves when this
    /// returns.
    ///
    /// # Errors
    /// When there is no worker, it cannot serve, or a clip or the port cannot be had.
    pub fn start(launch: &Launch, serving: &Serving, log: Option<&Path>) -> Result<StreamServer, ServeError> {
        let Serving { address, port, login, cpus, mounts } = serving;
        let reads = mounts.values().cloned().collect();
        let reach = Reach { reads, network: true, ..Reach::default() };
        let (sender, messages) = unbounded();
        let start = || match log {
            Some(log) => Worker::start(launch, &reach, log, 0, sender),
            None => Worker::start_unlogged(launch, &reach, sender),
        };
        let mut worker = match cpus.as_slice() {
            [] => start()?,
            cpus => os::affinity::on_cores(cpus, start)
                .map_err(|error| ServeError::Cores(cpus.to_vec(), error))??,
        };
        worker.hello()?;
        if !worker.serves() {
            return Err(WorkerError::NoServer.into());
        }
        let mount = |(name, clip): (&String, &PathBuf)| Mount {
            name: name.clone(),
            clip: clip.to_string_lossy().into_owned(),
            seed: offset_of(name),
        };
        let request = ServeRequest {
            address: address.to_string(),
            port: *port,
            login: login.clone(),
            mounts: mounts.iter().map(mount).collect(),
        };
        let (port, _) = worker.serve(request)?;
        let names = mounts.keys().cloned().collect();
        Ok(StreamServer { _worker: worker, messages, address: *address, port, names })
    }

    /// Asks for each of its streams once, as a client would.
    ///
    /// # Errors
    /// When one cannot be had.
    pub fn check(&self) -> Result<(), ServeError> {
        for name in &self.names {
            match os::rtsp::describe(self.address, self.port, &escaped(name), PATIENCE) {
                Ok(200) => {}
                Ok(status) => return Err(ServeError::Status(name.clone(), status)),
                Err(error) => return Err(ServeError::Silent(name.clone(), error)),
            }
        }
        Ok(())
    }

    /// What it used so far, and how it ended if it has, for the record of a run that began at
    /// `origin_ns`.
    pub(super) fn record(&self, origin_ns: u64) -> WorkerRecord {
        let mut record = WorkerRecord {
            name: NAME.to_owned(),
            samples: Vec::new(),
            details: Vec::new(),
            death: None,
            stderr_tail: String::new(),
        };
        let mut samples = SampleLog::default();
        for (_, message) in self.messages.try_iter() {
            match message {
                WorkerMessage::Event(Event { at, body: EventBody::Process { cpu_us, rss, files } }) => {
                    let at_us = at.saturating_sub(origin_ns) / 1000;
                    samples.add(WorkerSample { at_us, cpu_us, rss, files });
                }
                // Nobody has asked it to end.
                WorkerMessage::Exited(exit) => {
                    record.death = Some(exit.exit.to_string());
                    record.stderr_tail = exit.stderr_tail;
                }
                WorkerMessage::Event(_) | WorkerMessage::Malformed(_) => {}
            }
        }
        record.samples = samples.into_samples();
        record
    }

    /// The port that it listens at.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the user wants it to end. `changed` hears of clients that come and go. The
    /// server's own end, if that came first.
    pub fn wait(&self, cancel: &Cancel, changed: &mut dyn FnMut(Clients)) -> Option<WorkerExit> {
        loop {
            select! {
                recv(cancel.receiver()) -> _ => return None,
                recv(self.messages) -> message => match message.ok()?.1 {
                    WorkerMessage::Event(Event { body: EventBody::Clients { clients, pipelines }, .. }) => {
                        changed(Clients { clients, streams: pipelines });
                    }
                    WorkerMessage::Exited(exit) => return Some(exit),
                    WorkerMessage::Event(_) | WorkerMessage::Malformed(_) => {}
                },
            }
        }
    }
}
