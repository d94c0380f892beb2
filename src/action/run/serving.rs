//! The server of the cameras' streams, if `lp` starts it.

use crate::action::{ActionError, LocalHost};
use crate::engine::host::Attempt;
use crate::graph::task;
use crate::session::{SERVER, Serving, StreamServer};

/// Starts the server of a measurement, and asks for each of its streams once. It ends when it is
/// dropped, after everything that plays.
pub(in crate::action) fn start(
    host: &LocalHost<'_>,
    server: Option<&task::StreamServer>,
    attempt: &Attempt<'_>,
) -> Result<Option<StreamServer>, ActionError> {
    let Some(task::StreamServer { address, port, cpus, mounts }) = server else { return Ok(None) };
    let launch = host.worker.as_ref().map_err(|reason| ActionError::Worker(reason.clone()))?;
    let serving = Serving {
        address: *address,
        port: *port,
        // Nobody but this machine reaches it, for the time of a measurement.
        login: None,
        cpus: cpus.clone(),
        mounts: mounts.iter().map(|(name, clip)| (name.clone(), attempt.layout.resolve(clip))).collect(),
    };
    let log = attempt.dir.join(format!("{SERVER}.log"));
    let server = StreamServer::start(launch, &serving, Some(&log))?;
    server.check()?;
    Ok(Some(server))
}
