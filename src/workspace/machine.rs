//! Asks a worker whether its machine can play cameras.

use std::path::PathBuf;

use super::tools;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::dialect::check;
use crate::model::{Project, Source};
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

/// The faults of the devices of USB cameras, which are opened for that: none while a run plays them.
///
/// # Errors
/// When there is no worker, or it does not answer.
pub(crate) fn ask_cameras(project: &Project) -> Result<Diagnostics, WorkerError> {
    let mut diagnostics = Diagnostics::new();
    for camera in &project.cameras {
        let Source::Usb { device } = &camera.source else { continue };
        let launch = tools::find(project.settings.worker.as_ref(), &project.layout.root)?;
        let node = PathBuf::from(device);
        let reach = Reach { devices: [(node.clone(), node)].into(), ..Reach::default() };
        let asked = Worker::ask_one(&launch, &reach).and_then(|mut worker| worker.formats(device));
        let fault = match asked {
            Ok(formats) if formats.is_empty() => format!("`{device}` has no pictures to send"),
            Ok(_) => continue,
            Err(WorkerError::Refused(reason)) => reason,
            Err(error) => return Err(error),
        };
        let message = format!("the USB camera of `{}` cannot be used: {fault}", camera.name);
        diagnostics.push(Diagnostic::error(codes::NO_CAMERA, message).at(camera.place));
    }
    Ok(diagnostics)
}
