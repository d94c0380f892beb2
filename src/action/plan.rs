//! `plan:camera-3` and `plan`.

use super::{ActionError, document, read_json, write};
use crate::dialect;
use crate::engine::host::Attempt;
use crate::graph::task::Task;
use crate::plan::PlanRequest;
use crate::plan::lane::PlannedCamera;
use crate::plan::summary::{LanePlan, summarise};

pub(super) fn camera(request: &PlanRequest, task: &Task, attempt: &Attempt<'_>) -> Result<(), ActionError> {
    let planned = PlannedCamera::new(request.clone());
    write(attempt, &task.outputs[0], &document(&dialect::compile(&planned.plan)))
}

pub(super) fn lane(task: &Task, attempt: &Attempt<'_>) -> Result<(), ActionError> {
    let cameras = task.inputs.iter().map(|path| read_json(attempt, path)).collect::<Result<_, _>>()?;
    let plan = LanePlan { version: crate::plan::VERSION, cameras };
    write(attempt, &task.outputs[0], &document(&plan))?;
    write(attempt, &task.outputs[1], &document(&summarise(&plan.cameras)))
}
