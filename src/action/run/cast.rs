//! The cameras of a run as streams and scripts: plans become a [`Load`], with any number of
//! copies of each camera.

use super::expected::Knowledge;
use super::network::Network;
use super::secrets::Secrets;
use super::{files, script, subject};
use crate::action::{ActionError, LocalHost, read_json};
use crate::dialect;
use crate::dialect::share::PlayedPipeline;
use crate::engine::host::Attempt;
use crate::graph::lower::{PLANS, plan_path};
use crate::graph::task::Task;
use crate::model::Source;
use crate::name::Slug;
use crate::os;
use crate::pipeline::detect;
use crate::pipeline::prepared::PreparedClip;
use crate::pipeline::usb::{self, Needed};
use crate::plan::{CameraPlan, prepared_path};
use crate::record::build::{MemberSetup, Setup, StreamId, StreamSetup};
use crate::record::{Isolation, OmittedWorkloads, Pace};
use crate::session::{Load, PipelineLoad, Redaction};
use crate::worker::client::Worker;
use crate::worker::launch::{Launch, Reach};
use crate::worker::protocol::Keep;

/// A camera as its files have it.
pub(in crate::action) struct Role {
    plan: CameraPlan,
    /// What its clip is; `None` without one, or if a task of the user's made it.
    clip: Option<PreparedClip>,
}

impl Role {
    /// Reads the plans of cameras, and what their clips are, and asks USB cameras for their formats.
    pub(in crate::action) fn all(
        cameras: &[Slug],
        host: &LocalHost<'_>,
        task: &Task,
        attempt: &Attempt<'_>,
    ) -> Result<Vec<Role>, ActionError> {
        let role = |slug: &Slug| -> Result<Role, ActionError> {
            let plan: CameraPlan = read_json(attempt, &plan_path(slug))?;
            let clip = prepared(&plan, task, attempt)?;
            let plan = pictured(plan, host);
            let codec = clip.as_ref().and_then(|clip| clip.video.codec());
            Ok(Role { plan: codec.map_or_else(|| plan.clone(), |codec| plan.with_codec(codec)), clip })
        };
        cameras.iter().map(role).collect()
    }
}

/// The cameras of a run, ready to be played.
pub(in crate::action) struct Cast<'a> {
    members: Vec<(&'a Role, Secrets, Knowledge<'a>)>,
    network: &'a Network,
    host: &'a LocalHost<'a>,
    task: &'a Task,
    attempt: &'a Attempt<'a>,
}

impl<'a> Cast<'a> {
    /// # Errors
    /// When a secret is not set.
    pub(in crate::action) fn new(
        roles: &'a [Role],
        pace: Pace,
        network: &'a Network,
        host: &'a LocalHost<'a>,
        task: &'a Task,
        attempt: &'a Attempt<'a>,
    ) -> Result<Cast<'a>, ActionError> {
        let member = |role: &'a Role| -> Result<_, ActionError> {
            let secrets = Secrets::of(&role.plan, host.passwords)?;
            Ok((role, secrets, Knowledge::of(&role.plan, pace, host, task, attempt)))
        };
        let members = roles.iter().map(member).collect::<Result<_, ActionError>>()?;
        Ok(Cast { members, network, host, task, attempt })
    }

    /// What is known about the clip of a camera.
    pub(super) fn known(&self, camera: &str) -> Option<&Knowledge<'a>> {
        self.members.iter().map(|(.., known)| known).find(|known| known.camera().camera == camera)
    }

    /// How many cameras there are.
    pub(in crate::action) fn n_cameras(&self) -> usize {
        self.members.len()
    }

    /// Removes the secrets of all cameras from texts.
    pub(in crate::action) fn redaction(&self) -> Redaction {
        Secrets::all(self.members.iter().map(|(_, secrets, _)| secrets))
    }

    /// The load of these copies: a camera by its place and the number of the copy, from 1. The
    /// members and workers of `setup` are filled in. `keep` is for the models of the first copy, but stages
    /// are for all.
    ///
    /// # Errors
    /// When nothing can be played, no worker can be started, or a folder cannot be made.
    pub(in crate::action) fn load(
        &self,
        mut setup: Setup,
        keep: Keep,
        copies: impl IntoIterator<Item = (usize, u32)>,
    ) -> Result<Load<'a>, ActionError> {
        let (pace, isolation) = (setup.conditions.pace, setup.conditions.isolation);
        let (mut pipelines, mut scripts, mut n_streams) = (Vec::new(), Vec::new(), 0);
        for (camera, copy) in copies {
            let (Role { plan, clip }, secrets, known) = &self.members[camera];
            let plan = plan.copy(copy);
            let slug = plan.slug.clone();
            let played = dialect::share::pipelines(&plan, pace);
            if !played.is_empty() && (isolation == Isolation::Camera || setup.workers.is_empty()) {
                setup.workers.push(match isolation {
                    Isolation::Camera => slug.to_string(),
                    Isolation::Lane => "lane".to_owned(),
                });
            }
            let streams = streams(&plan, &played, known, setup.workers.len().saturating_sub(1));
            for one in played {
                // One copy shows what the models find; others play the same clips.
                let infers = copy == 1 && one.spec.elements.iter().any(detect::infers);
                let keep = if infers { keep } else { Keep { stages: keep.stages, ..Keep::default() } };
                let first = format!("{slug}/{}", one.streams.first().map_or(0, |(index, _)| *index));
                let mut load = pipeline(one, &streams, (n_streams, keep), secrets, self.attempt)?;
                self.network.lay(&first, &mut load.spec)?;
                pipelines.push(load);
            }
            n_streams += u32::try_from(streams.len()).expect("a plan has fewer pipelines");
            let (setups, loads): (Vec<_>, Vec<_>) =
                script::scripts(&plan, &slug, pace, secrets, self.attempt)?.into_iter().unzip();
            scripts.extend(loads);
            setup.members.push(MemberSetup {
                camera: plan.camera.clone(),
                target_fps: plan.target_fps,
                configured: Some(subject::source(&plan, self.host.cameras)),
                dialect: Some(plan.dialect),
                clip: clip.clone(),
                streams,
                scripts: setups,
                left_out: left_out(&plan),
                slug,
            });
        }
        if pipelines.is_empty() && scripts.is_empty() {
            let omitted = setup.members.iter().flat_map(|member| &member.left_out);
            let reason = omitted.map(|left| left.reason.as_str()).take(1).collect::<String>();
            return Err(ActionError::Worker(format!("nothing can be played: {reason}")));
        }
        let launch = self.launch(&setup)?;
        let (reach, secrets) = (self.reach(pace), self.redaction());
        let log_dir = self.attempt.dir;
        let collectors = Vec::new();
        Ok(Load { setup, pipelines, scripts, collectors, reach, secrets, launch, log_dir, server: None })
    }

    fn launch(&self, setup: &Setup) -> Result<Option<&'a Launch>, ActionError> {
        match &self.host.worker {
            _ if setup.workers.is_empty() => Ok(None),
            Ok(launch) => Ok(Some(launch)),
            Err(reason) => Err(ActionError::Worker(reason.clone())),
        }
    }

    /// The workers' needs in a run: its inputs except the plans, which `lp` has read,
    /// the folder for their files, and the devices of its cameras.
    fn reach(&self, pace: Pace) -> Reach {
        let Cast { task, attempt, .. } = self;
        let inputs = task.inputs.iter().filter(|input| !input.as_str().starts_with(PLANS));
        let files = attempt.dir.join(files::FOLDER);
        let plans = || self.members.iter().map(|(role, ..)| &role.plan);
        let devices = plans().flat_map(|plan| dialect::devices::of_plan(plan, pace));
        Reach {
            reads: inputs.map(|input| attempt.layout.resolve(input)).collect(),
            writes: Some(files).filter(|files| files.is_dir()).into_iter().collect(),
            devices: devices.filter_map(|(device, _)| device.given()).collect(),
            network: plans().any(|plan| plan.source.stream().is_some()),
        }
    }
}

/// The plan of a USB camera with the pictures that it is asked for. A camera that does not answer fails
/// when it is played, with its reason.
fn pictured(mut plan: CameraPlan, host: &LocalHost<'_>) -> CameraPlan {
    let Source::Usb { device } = &plan.source else { return plan };
    let Ok(launch) = &host.worker else { return plan };
    let needed = Needed { width: plan.width, height: plan.height, fps: plan.fps };
    let devices = dialect::devices::of_plan(&plan, Pace::Live);
    let devices = devices.into_keys().filter_map(|device| device.given()).collect();
    let reach = Reach { devices, ..Reach::default() };
    let formats = Worker::ask_one(launch, &reach).and_then(|mut worker| worker.formats(device));
    plan.pictures = formats.ok().and_then(|formats| usb::choose(&formats, &needed));
    plan
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
    (first, keep): (u32, Keep),
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
    Ok(PipelineLoad { spec, streams, keep })
}

fn left_out(plan: &CameraPlan) -> Vec<OmittedWorkloads> {
    let unsupported = plan.pipelines.iter().filter_map(|pipeline| {
        let reason = pipeline.unsupported.clone()?;
        Some(OmittedWorkloads { workloads: pipeline.workloads.clone(), reason })
    });
    unsupported.collect()
}
