//! `run:lane`: converts plans into streams and scripts, plays them in a session,
//! and keeps the record.

mod expected;
mod files;
mod script;
mod secrets;
mod subject;

use self::expected::Knowledge;
use self::secrets::Secrets;
use super::{ActionError, LocalHost, document, read_json, write};
use crate::dialect;
use crate::dialect::share::PlayedPipeline;
use crate::digest::ContentDigest;
use crate::engine::events::Outcome;
use crate::engine::host::{Attempt, Outputs, Performed};
use crate::graph::lower::{PLANS, plan_path};
use crate::graph::task::{Run, Task};
use crate::model::{Settings, Source};
use crate::os;
use crate::pipeline::prepared::PreparedClip;
use crate::plan::{CameraPlan, prepared_path};
use crate::record::build::{MemberSetup, Setup, StreamId, StreamSetup};
use crate::record::{Conditions, Isolation, OmittedWorkloads, RunRecord};
use crate::session::{Load, PipelineLoad, SessionError, measure};
use crate::worker::launch::Reach;

pub(super) fn perform(host: &LocalHost<'_>, run: &Run, task: &Task, attempt: &Attempt<'_>) -> Performed {
    let (mut record, log) = match record(host, run, task, attempt) {
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

/// The record, and the workers' output for people.
fn record(
    host: &LocalHost<'_>,
    run: &Run,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<(RunRecord, Vec<u8>), ActionError> {
    let (mut members, mut workers) = (Vec::<MemberSetup>::new(), Vec::new());
    let (mut pipelines, mut scripts) = (Vec::new(), Vec::new());
    let mut n_streams = 0;
    let mut plans: Vec<CameraPlan> =
        run.members.iter().map(|slug| read_json(attempt, &plan_path(slug))).collect::<Result<_, _>>()?;
    let mut clips = Vec::new();
    for plan in &mut plans {
        let clip = prepared(plan, task, attempt)?;
        if let Some(codec) = clip.as_ref().and_then(|clip| clip.video.codec()) {
            *plan = plan.with_codec(codec);
        }
        clips.push(clip);
    }
    let secrets: Vec<Secrets> =
        plans.iter().map(|plan| Secrets::of(plan, host.passwords)).collect::<Result<_, _>>()?;
    let known: Vec<Knowledge<'_>> =
        plans.iter().map(|plan| Knowledge::of(plan, run.pace, host, task, attempt)).collect();
    for copy in 1..=run.count {
        let copies = plans.iter().map(|plan| plan.copy(copy));
        for (((plan, secrets), clip), known) in copies.zip(&secrets).zip(&clips).zip(&known) {
            let slug = plan.slug.clone();
            let played = dialect::share::pipelines(&plan, run.pace);
            if !played.is_empty() && (run.isolation == Isolation::Camera || workers.is_empty()) {
                workers.push(match run.isolation {
                    Isolation::Camera => slug.to_string(),
                    Isolation::Lane => "lane".to_owned(),
                });
            }
            let streams = streams(&plan, &played, known, workers.len().saturating_sub(1));
            for one in played {
                pipelines.push(pipeline(one, &streams, n_streams, secrets, attempt)?);
            }
            n_streams += u32::try_from(streams.len()).expect("a plan has fewer pipelines");
            let (setups, loads): (Vec<_>, Vec<_>) =
                script::scripts(&plan, &slug, run.pace, secrets, attempt)?.into_iter().unzip();
            scripts.extend(loads);
            members.push(MemberSetup {
                camera: plan.camera.clone(),
                target_fps: plan.target_fps,
                configured: Some(subject::source(&plan, host.cameras)),
                dialect: Some(plan.dialect),
                clip: clip.clone(),
                streams,
                scripts: setups,
                left_out: left_out(&plan),
                slug,
            });
        }
    }
    if pipelines.is_empty() && scripts.is_empty() {
        let reasons = members.iter().flat_map(|member| &member.left_out).map(|left| left.reason.as_str());
        let reason = reasons.take(1).collect::<String>();
        return Err(ActionError::Worker(format!("nothing can be played: {reason}")));
    }
    let launch = match &host.worker {
        _ if workers.is_empty() => None,
        Ok(launch) => Some(launch),
        Err(reason) => return Err(ActionError::Worker(reason.clone())),
    };
    let setup = Setup {
        subject: run.subject.clone(),
        started: attempt.started,
        origin_ns: os::clock::monotonic_ns(),
        conditions: Conditions {
            duration_ms: run.duration_ms,
            warmup_ms: run.warmup_ms.unwrap_or(Settings::AUTO_WARMUP_MS),
            warmup_is_auto: run.warmup_ms.is_none(),
            pace: run.pace,
            isolation: run.isolation,
            count: run.count,
            repeat: attempt.repeat,
            decode_only: run.decode_only,
            limits: host.limits,
        },
        host: host.fingerprint.clone(),
        members,
        workers,
    };
    let load = Load {
        setup,
        pipelines,
        scripts,
        reach: reach(run, task, &plans, attempt),
        secrets: Secrets::all(&secrets),
        launch,
        log_dir: attempt.dir,
    };
    let provenance = subject::provenance(host, task, attempt);
    let mut record = measure(&load, attempt.cancel, host.watch).map_err(|error| match error {
        SessionError::Cancelled => ActionError::Cancelled,
        other => other.into(),
    })?;
    subject::describe(&mut record, host, attempt, provenance);
    Ok((record, load.logs()))
}

/// What the camera's clip is; `None` without one, or if a task of the user's made it.
fn prepared(
    plan: &CameraPlan,
    task: &Task,
    attempt: &Attempt<'_>,
) -> Result<Option<PreparedClip>, ActionError> {
    let Source::File(clip) = &plan.source else { return Ok(None) };
    let path = prepared_path(&clip.path);
    if task.inputs.contains(&path) { read_json(attempt, &path).map(Some) } else { Ok(None) }
}

/// The streams of a member in the order of its plan.
fn streams(
    plan: &CameraPlan,
    played: &[PlayedPipeline],
    known: &Knowledge<'_>,
    worker: usize,
) -> Vec<StreamSetup> {
    let name = |index: u32| format!("{}/{index}", plan.slug);
    let mut streams = Vec::new();
    for PlayedPipeline { streams: together, spec } in played {
        let sinks: Vec<usize> = together.iter().map(|(_, sink)| *sink).collect();
        for &(index, sink) in together {
            let (detectors, expected) = known.of_stream(index, spec, sink, &sinks);
            let planned = plan.pipelines.iter().find(|pipeline| pipeline.index == index);
            let others = together.iter().filter(|(other, _)| *other != index);
            streams.push(StreamSetup {
                stream: name(index),
                index,
                workloads: planned.map_or(Vec::new(), |pipeline| pipeline.workloads.clone()),
                steps: planned.map_or(Vec::new(), |pipeline| subject::steps(plan, pipeline)),
                worker,
                shares_decode_with: others.map(|(other, _)| name(*other)).collect(),
                detectors,
                expected,
            });
        }
    }
    streams.sort_by_key(|stream| stream.index);
    streams
}

/// A pipeline of the member whose first stream has the id `first`.
fn pipeline(
    PlayedPipeline { streams: together, spec }: PlayedPipeline,
    streams: &[StreamSetup],
    first: u32,
    secrets: &Secrets,
    attempt: &Attempt<'_>,
) -> Result<PipelineLoad, ActionError> {
    let files = attempt.dir.join(files::FOLDER);
    for file in spec.stream_files() {
        os::fs::create_dir_all(&files.join(file.folder()))?;
    }
    let spec = spec
        .resolve(attempt.layout, &files, &|name| secrets.value(name))
        .map_err(|error| ActionError::Worker(error.to_string()))?;
    let id = |index: u32| {
        let place = (first..).zip(streams).find(|(_, stream)| stream.index == index);
        StreamId(place.expect("a pipeline's streams are among those of its member").0)
    };
    let streams = together.into_iter().map(|(index, sink)| (id(index), sink)).collect();
    Ok(PipelineLoad { spec, streams })
}

/// The workers' needs in a run: its inputs except the plans, which `lp` has read,
/// the folder for their files, and the devices of its cameras.
fn reach(run: &Run, task: &Task, plans: &[CameraPlan], attempt: &Attempt<'_>) -> Reach {
    let inputs = task.inputs.iter().filter(|input| !input.as_str().starts_with(PLANS));
    let files = attempt.dir.join(files::FOLDER);
    let devices = plans.iter().flat_map(|plan| dialect::devices::of_plan(plan, run.pace));
    Reach {
        reads: inputs.map(|input| attempt.layout.resolve(input)).collect(),
        writes: Some(files).filter(|files| files.is_dir()).into_iter().collect(),
        devices: devices.filter_map(|(device, _)| device.given()).collect(),
        network: plans.iter().any(|plan| plan.source.stream().is_some()),
    }
}

fn left_out(plan: &CameraPlan) -> Vec<OmittedWorkloads> {
    let unsupported = plan.pipelines.iter().filter_map(|pipeline| {
        let reason = pipeline.unsupported.clone()?;
        Some(OmittedWorkloads { workloads: pipeline.workloads.clone(), reason })
    });
    unsupported.collect()
}
