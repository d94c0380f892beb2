//! Asks a worker whether its machine can play cameras.

use super::tools;
use crate::diag::Diagnostics;
use crate::dialect::check;
use crate::model::Project;
use crate::pipeline::PipelineSpec;
use crate::plan::lane::PlannedCamera;
use crate::worker::client::Worker;
use crate::worker::error::WorkerError;
use crate::worker::launch::Reach;

/// The faults that keep these cameras from being played, and the worker's version of
/// GStreamer.
///
/// # Errors
/// When there is no worker, or it does not answer.
pub(crate) fn ask(
    project: &Project,
    cameras: &[&PlannedCamera],
) -> Result<(Diagnostics, String), WorkerError> {
    let launch = tools::find(project.settings.worker.as_ref(), &project.layout.root)?;
    let mut worker = Worker::ask_one(&launch, &Reach::default())?;
    let factories: Vec<String> = check::factories(cameras, project.settings.pace).into_iter().collect();
    let machine = worker.describe(&factories)?;
    let attempt = |spec: &PipelineSpec| worker.try_spec(spec.clone());
    let diagnostics = check::machine(project, cameras, &machine, attempt)?;
    worker.finish();
    Ok((diagnostics, machine.gstreamer))
}
