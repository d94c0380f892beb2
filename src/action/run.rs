//! `run:lane`: plans become streams and scripts, a session plays them, its
//! record is kept.

mod files;
mod script;
mod secrets;

use self::secrets::Secrets;
use super::{ActionError, Actions, document, read_json, write};
use crate::dialect;
use crate::dialect::share::Played;
use crate::digest::ContentDigest;
use crate::engine::events::Outcome;
use crate::engine::perform::{Attempt, Outputs, Performed};
use crate::graph::lower::{PLANS, plan_path};
use crate::graph::task::{Run, Task};
use crate::os;
use crate::plan::{CameraPlan, PlannedSource};
use crate::record::{Conditions, Configured, Isolation, LeftOut, RunRecord, SourceKind};
use crate::session::{Load, MemberLoad, PipelineLoad, SessionError, StreamLoad, measure};
use crate::worker::launch::Reach;

/// What precedes the window after each stream's first frame, if `auto`.
const WARMUP_AUTO_MS: u64 = 2_000;

pub(super) fn perform(actions: &Actions<'_>, run: &Run, task: &Task, attempt: &Attempt<'_>) -> Performed {
    let (mut record, log) = match record(actions, run, task, attempt) {
        Ok(measured) => measured,
        Err(error) => return Performed::failed(&error),
    };
    record.inputs_changed = (attempt.inputs_changed)();
    let bytes = document(&record);
    if let Err(error) = write(attempt, &task.outputs[0], &bytes) {
        return Performed::failed(&error);
    }
    files::keep(&record, &record.run_id(&ContentDigest::of(&bytes)), attempt);
    let failures: Vec<String> =
        record.failures().map(|(_, stream, reason)| format!("{stream}: {reason}")).collect();
    let (outcome, detail) = if record.interrupted {
        (Outcome::Cancelled, "interrupted".to_owned())
    } else if failures.is_empty() {
        (Outcome::Succeeded, String::new())
    } else {
        (Outcome::Failed, failures.join("\n"))
    };
    Performed { outcome, detail, log, outputs: Outputs::KeptInAttempt }
}

/// The record, and what the workers wrote for people.
fn record(
    actions: &Actions<'_>,
    run: &Run,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(RunRecord, Vec<u8>), ActionError> {
    let mut members = Vec::new();
    let mut workers = Vec::new();
    let plans: Vec<CameraPlan> =
        run.members.iter().map(|slug| read_json(attempt, &plan_path(slug))).collect::<Result<_, _>>()?;
    let secrets: Vec<Secrets> =
        plans.iter().map(|plan| Secrets::of(plan, actions.passwords)).collect::<Result<_, _>>()?;
    for copy in 1..=run.count {
        for (plan, secrets) in plans.iter().map(|plan| plan.copy(copy)).zip(&secrets) {
            let slug = plan.slug.clone();
            let pipelines = pipelines(&plan, run, secrets, attempt)?;
            let worker = match run.isolation {
                _ if pipelines.is_empty() => None,
                Isolation::Camera => {
                    workers.push(slug.to_string());
                    Some(workers.len() - 1)
                }
                Isolation::Lane => {
                    if workers.is_empty() {
                        workers.push("lane".to_owned());
                    }
                    Some(0)
                }
            };
            members.push(MemberLoad {
                camera: plan.camera.clone(),
                target_fps: plan.target_fps,
                configured: configured(&plan),
                worker,
                pipelines,
                scripts: script::scripts(&plan, &slug, run.pace, secrets, attempt)?,
                left_out: left_out(&plan),
                slug,
            });
        }
    }
    if members.iter().all(|member| member.pipelines.is_empty() && member.scripts.is_empty()) {
        let reasons = members.iter().flat_map(|member| &member.left_out).map(|left| left.reason.as_str());
        let reason = reasons.take(1).collect::<String>();
        return Err(ActionError::Worker(format!("nothing can be played: {reason}")));
    }
    let launch = match &actions.worker {
        _ if workers.is_empty() => None,
        Ok(launch) => Some(launch),
        Err(reason) => return Err(ActionError::Worker(reason.clone())),
    };
    let load = Load {
        subject: run.subject.clone(),
        started: attempt.started,
        conditions: Conditions {
            duration_ms: run.duration_ms,
            warmup_ms: run.warmup_ms.unwrap_or(WARMUP_AUTO_MS),
            pace: run.pace,
            isolation: run.isolation,
            count: run.count,
            repeat: attempt.repeat,
        },
        host: actions.host.clone(),
        reach: reach(run, task, &plans, attempt),
        secrets: Secrets::all(&secrets),
        members,
        workers,
        launch,
        log_dir: attempt.dir,
        lock: attempt.lock,
    };
    let record = measure(&load, attempt.cancel, actions.watch).map_err(|error| match error {
        SessionError::Cancelled => ActionError::Cancelled,
        other => other.into(),
    })?;
    Ok((record, load.logs()))
}

fn pipelines(
    plan: &CameraPlan,
    run: &Run,
    secrets: &Secrets,
    attempt: &Attempt<'_>,
) -> Result<Vec<PipelineLoad>, ActionError> {
    let mut pipelines = Vec::new();
    for Played { streams, spec } in dialect::share::pipelines(plan, run.pace) {
        let files = attempt.dir.join(files::FOLDER);
        for file in spec.stream_files() {
            os::fs::create_dir_all(&files.join(file.folder()))?;
        }
        let spec = spec
            .resolve(attempt.layout, &files, &|name| secrets.value(name))
            .map_err(|error| ActionError::Worker(error.to_string()))?;
        let stream = |(index, sink): (u32, usize)| {
            let planned = plan.pipelines.iter().find(|pipeline| pipeline.index == index);
            let workloads = planned.map_or(Vec::new(), |pipeline| pipeline.workloads.clone());
            StreamLoad { index, workloads, sink }
        };
        pipelines.push(PipelineLoad { spec, streams: streams.into_iter().map(stream).collect() });
    }
    Ok(pipelines)
}

/// What the workers of a run need: its inputs but the plans, which `lp` has read,
/// the folder of what they write, and the devices of its cameras.
fn reach(run: &Run, task: &Task, plans: &[CameraPlan], attempt: &Attempt<'_>) -> Reach {
    let inputs = task.inputs.iter().filter(|input| !input.as_str().starts_with(PLANS));
    let files = attempt.dir.join(files::FOLDER);
    let devices = plans.iter().flat_map(|plan| dialect::devices::of_plan(plan, run.pace));
    Reach {
        reads: inputs.map(|input| attempt.layout.resolve(input)).collect(),
        writes: Some(files).filter(|files| files.is_dir()).into_iter().collect(),
        devices: devices.filter_map(|(device, _)| device.given()).collect(),
        network: plans.iter().any(|plan| matches!(plan.source, PlannedSource::Rtsp { .. })),
    }
}

fn configured(plan: &CameraPlan) -> Configured {
    let (source, codec) = match &plan.source {
        PlannedSource::File { .. } => (SourceKind::File, None),
        PlannedSource::Rtsp { codec, .. } => (SourceKind::Rtsp, Some(*codec)),
        PlannedSource::Usb { .. } => (SourceKind::Usb, None),
        PlannedSource::Synthetic { .. } => (SourceKind::Synthetic, None),
    };
    let CameraPlan { width, height, fps, accept, .. } = plan;
    Configured { source, width: *width, height: *height, fps: *fps, codec, accept: accept.clone() }
}

fn left_out(plan: &CameraPlan) -> Vec<LeftOut> {
    let unsupported = plan.pipelines.iter().filter_map(|pipeline| {
        let reason = pipeline.unsupported.clone()?;
        Some(LeftOut { workloads: pipeline.workloads.clone(), reason })
    });
    unsupported.collect()
}
