//! Asks a worker whether its machine can play cameras.

use std::ffi::OsString;

use crate::config::diagnostics::Diagnostics;
use crate::config::project::{Camera, Project};
use crate::dialect::check;
use crate::os;
use crate::pipeline::PipelineSpec;
use crate::worker::client::{Worker, find_worker};
use crate::worker::error::WorkerError;

/// What keeps these cameras from being played, and the version of GStreamer that
/// was asked.
///
/// # Errors
/// When there is no worker, or it does not answer.
pub(super) fn ask(project: &Project, cameras: &[&Camera]) -> Result<(Diagnostics, String), WorkerError> {
    let program = find_worker(os::env::raw("LP_WORKER").as_deref())?;
    let (sender, _messages) = crossbeam_channel::unbounded();
    let command = [OsString::from(program)];
    let mut worker = Worker::start(&command, "/dev/null".as_ref(), None, 0, sender)?;
    worker.hello()?;
    let factories: Vec<String> = check::factories(project, cameras).into_iter().collect();
    let machine = worker.describe(&factories)?;
    let attempt = |spec: &PipelineSpec| worker.try_spec(spec.clone());
    let diagnostics = check::machine(project, cameras, &machine, attempt)?;
    worker.finish();
    Ok((diagnostics, machine.gstreamer))
}
