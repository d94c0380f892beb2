//! What `run.dialect = "auto"` takes for steps that infer: DL Streamer's elements, or the
//! worker's own where its machine has no DL Streamer.
//!
//! Only a project with such steps asks a worker, whose answer is cached with the rest of what is
//! known of its machine (`tools`). Without a worker it is DL Streamer: a plan can then be made as
//! before there were other elements.

use std::collections::BTreeSet;

use super::tools;
use crate::model::{DialectChoice, Project};
use crate::store::Store;

/// The element that tells whose elements those of its kind are.
const DETECTOR: &str = "gvadetect";

/// Whether the dialect of a camera depends on the worker's machine.
pub(crate) fn depends_on_worker(project: &Project) -> bool {
    let infers = |name: &String| {
        let steps = project.workload(name).map_or(&[][..], |workload| &workload.steps);
        steps.iter().any(|step| step.is_inference())
    };
    project.settings.dialect == DialectChoice::Auto
        && project.cameras.iter().any(|camera| camera.workloads.iter().any(infers))
}

/// Asks the worker, if the dialect of a camera depends on it.
pub(crate) fn choose(project: &mut Project) {
    if !depends_on_worker(project) {
        return;
    }
    let worker = tools::find(project.settings.worker.as_ref(), &project.layout.root);
    // One that cannot be read is reported when it is needed.
    let store = Store::open(project.layout.clone()).unwrap_or_else(|_| Store::unread(project.layout.clone()));
    let detector = BTreeSet::from([DETECTOR.to_owned()]);
    let tools = tools::look_for(&store, worker, &detector, &detector);
    project.settings.infers_natively = tools.machine.is_some_and(|machine| machine.infers_natively());
}
