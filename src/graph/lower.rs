//! A project becomes tasks.
//!
//! One function per kind of task; the table in `docs/architecture.md` is their
//! summary. A path that a `[[task]]` declares is not downloaded, generated or
//! transcoded: the asset's own task gives way.

mod models;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::Path;

use rayon::prelude::*;

use super::factories::{GENERATE_FACTORIES, transcode_factories};
use super::task::{
    Action, Command, Density, Download, DownloadKind, Pool, Run, StreamServer, Task, Transcode, VariableValue,
};
use crate::diag::Place;
use crate::dialect;
use crate::digest::ContentDigest;
use crate::impair::Impairment;
use crate::model::zoo::OPENVINO_LIBRARY;
use crate::model::{
    AssetPin, Camera, Clip, Isolation, Origin, Pace, Project, Scalar, Source, Unit, UserTask,
};
use crate::name::Slug;
use crate::path::{Layout, ProjectPath};
use crate::plan::lane::{Lane, PlannedCamera};
use crate::plan::{self, DialectName, PlannedPipeline};
use crate::record::measure;
use crate::report;
use crate::scene::truth;

/// Which cameras a run plays.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// `lane`, `camera-3`, `camera-1+camera-3`, `set-9f2c41`.
    pub name: String,
    /// Slugs in project order.
    pub members: Vec<Slug>,
}

impl Subject {
    #[must_use]
    pub fn lane(project: &Project) -> Subject {
        let members = project.cameras.iter().map(|camera| camera.slug.clone()).collect();
        Subject { name: "lane".to_owned(), members }
    }

    /// These cameras, put into project order, each once.
    #[must_use]
    pub fn of(project: &Project, cameras: &[&Camera]) -> Subject {
        let wanted: HashSet<&Slug> = cameras.iter().map(|camera| &camera.slug).collect();
        let members: Vec<Slug> =
            project.cameras.iter().map(|c| &c.slug).filter(|slug| wanted.contains(slug)).cloned().collect();
        let joined = members.iter().map(Slug::as_str).collect::<Vec<_>>().join("+");
        let name = if members.len() > 3 {
            format!("set-{}", &ContentDigest::of(joined.as_bytes()).to_hex()[..6])
        } else {
            joined
        };
        Subject { name, members }
    }

    /// The label of its run.
    #[must_use]
    pub fn run_label(&self) -> String {
        format!("run:{}", self.name)
    }

    /// The label of the search for its density.
    #[must_use]
    pub fn density_label(&self) -> String {
        format!("density:{}", self.name)
    }

    /// The label of its report: that of the lane is `report` alone.
    #[must_use]
    pub fn report_label(&self) -> String {
        if self.name == "lane" { "report".to_owned() } else { format!("report:{}", self.name) }
    }
}

/// The parameters of lowering.
pub struct Lowering<'a> {
    pub project: &'a Project,
    pub lane: &'a Lane,
    /// The runs to make tasks for.
    pub subjects: &'a [Subject],
    /// The caller's environment, for `pass`.
    pub variable: &'a (dyn Fn(&str) -> Option<OsString> + Sync),
    /// The files that a model file names in its own bytes.
    pub parts: &'a dyn Fn(&ProjectPath) -> Vec<ProjectPath>,
}

/// Tasks, and notes about assets that were left out.
#[derive(Debug, Default)]
pub struct LoweredTasks {
    /// In a stable order: assets, plans, user tasks, runs.
    pub tasks: Vec<Task>,
    pub notes: Vec<String>,
}

#[must_use]
pub fn lower(lowering: &Lowering<'_>) -> LoweredTasks {
    let project = lowering.project;
    // Only assets of cameras can be left out.
    let givers = if project.cameras.is_empty() { &[][..] } else { &project.tasks };
    let declared: HashSet<&ProjectPath> =
        givers.iter().flat_map(|task| task.outputs.iter().map(|(path, _)| path)).collect();
    let mut lowered = LoweredTasks::default();
    let mut seen = HashSet::new();
    let cameras = &lowering.lane.cameras;

    for planned in cameras {
        if let Some(clip) = planned.camera().video() {
            for task in asset_tasks(project, planned.camera(), clip) {
                if !seen.insert(task.label.clone()) {
                    continue;
                }
                if let Some(path) = task.outputs.iter().find(|path| declared.contains(path)) {
                    lowered.notes.push(format!("`{}` is left out: a task makes `{path}`", task.label));
                } else {
                    lowered.tasks.push(task);
                }
            }
        }
    }
    // The folder of a model may be declared as a whole.
    let is_declared = |path: &&ProjectPath| {
        declared.contains(path)
            || path.folders().any(|folder| declared.iter().any(|one| one.as_str() == folder))
    };
    for task in models::tasks(project, cameras) {
        if let Some(path) = task.outputs.iter().find(is_declared) {
            lowered.notes.push(format!("`{}` is left out: a task makes `{path}`", task.label));
        } else {
            lowered.tasks.push(task);
        }
    }
    for planned in cameras {
        lowered.tasks.push(plan_task(planned));
    }
    if !cameras.is_empty() {
        lowered.tasks.push(plan_lane_task(cameras));
    }
    let (variable, layout) = (lowering.variable, &project.layout);
    lowered.tasks.par_extend(project.tasks.par_iter().map(|task| user_task(task, layout, variable)));
    for subject in lowering.subjects {
        let members = lowering.lane.members(&subject.members);
        if !members.is_empty() {
            run_tasks(lowering, subject, &members, &mut lowered.tasks);
        }
    }
    lowered
}

fn path(text: &str) -> ProjectPath {
    ProjectPath::new(text).expect("labels and slugs make plain paths")
}

/// Where the plans of cameras are.
pub const PLANS: &str = "results/plan/";

/// The path of a camera's plan.
#[must_use]
pub fn plan_path(camera: &Slug) -> ProjectPath {
    path(&format!("{PLANS}{camera}.json"))
}

/// The path of a subject's record.
#[must_use]
pub fn record_path(subject: &str) -> ProjectPath {
    path(&format!("results/run/{subject}.json"))
}

/// The path of the record of a search for a subject's density.
#[must_use]
pub fn density_path(subject: &str) -> ProjectPath {
    path(&format!("results/density/{subject}.json"))
}

/// The labels of tasks that may have made the clip of this name in `media/`.
#[must_use]
pub fn clip_labels(file: &str) -> [String; 2] {
    [format!("download:{file}"), format!("generate:{file}")]
}

/// The labels of tasks that may have made the outputs of a task that replaces no file of the
/// user's; none for a task that replaces any.
#[must_use]
pub fn cautious_labels(task: &Task) -> Option<Vec<String>> {
    match &task.action {
        Action::Download(_) | Action::Generate { .. } => {
            Some(clip_labels(task.outputs[0].file_name()).to_vec())
        }
        Action::Model(_) | Action::Convert(_) => Some(vec![task.label.clone()]),
        _ => None,
    }
}

fn asset_tasks(project: &Project, camera: &Camera, clip: &Clip) -> Vec<Task> {
    let original = clip.original();
    let pin = project.assets.get(&clip.file).cloned().unwrap_or_default();
    let fetched = |mut download: Download| {
        let entry = project.lock.get(&clip.file).filter(|_| !download.pins.has_digest());
        let key = download.lock_key();
        if let Some(entry) =
            entry.filter(|entry| key.is_some_and(|key| entry.holds_for(&key, download.pins.size)))
        {
            download.pins.blake3 = Some(entry.content.to_hex());
            download.pins.size = Some(entry.size);
            download.is_locked = true;
        }
        download.wanted = (!download.pins.has_digest()).then_some(DownloadKind::Video);
        let task = Task::new(format!("download:{}", clip.file), Action::Download(download));
        task.writes([original.clone()]).pool(Pool::Network)
    };
    let first = match &clip.origin {
        Origin::Url(url) => {
            let AssetPin { mut urls, pins, headers, token, .. } = pin;
            if !urls.contains(url) {
                urls.push(url.clone());
            }
            Some(fetched(Download { urls, pins, headers, token, ..Download::default() }))
        }
        Origin::Package(source) => {
            Some(fetched(Download { source: Some(source.clone()), pins: pin.pins, ..Download::default() }))
        }
        Origin::Scene(name) => {
            let scene = &project.scenes[name];
            let stem = clip.file.strip_suffix(".mp4").unwrap_or(&clip.file);
            // The action contains the resolved scene and reads no file, so a comment in
            // the scene's file causes no rebuild.
            let action =
                Action::Generate { scene: scene.scene.clone(), version: truth::VERSION, encoding: 1 };
            let task = Task::new(format!("generate:{}", clip.file), action);
            let beside = |ending: &str| path(&format!("media/{stem}.{ending}"));
            let outputs = [original.clone(), beside("truth.json"), beside("boxes.jsonl")];
            Some(task.writes(outputs).uses(GENERATE_FACTORIES))
        }
        Origin::File(_) => None,
    };
    let transcoded = plan::clip_path(camera, clip);
    let prepared = plan::prepared_path(&transcoded);
    let action = Action::Transcode(Transcode {
        width: camera.width,
        height: camera.height,
        framerate: dialect::fraction(camera.fps),
        drop_only: project.settings.drop_only,
        clip: camera.clip,
        version: Transcode::VERSION,
    });
    let options = camera.clip.suffix().replacen('-', "@", 1);
    let label = format!("transcode:{}@{}x{}@{}{options}", clip.file, camera.width, camera.height, camera.fps);
    let second = Task::new(label, action)
        .reads([original])
        .writes([transcoded, prepared])
        .uses(transcode_factories(&camera.clip));
    first.into_iter().chain([second]).map(|task| task.at(camera.place)).collect()
}

fn plan_task(planned: &PlannedCamera) -> Task {
    let action = Action::Plan(Box::new(planned.request.clone()));
    Task::new(format!("plan:{}", planned.slug()), action)
        .writes([plan_path(planned.slug())])
        .at(planned.camera().place)
}

fn plan_lane_task(cameras: &[PlannedCamera]) -> Task {
    let slugs = cameras.iter().map(PlannedCamera::slug);
    Task::new("plan".to_owned(), Action::PlanLane { cameras: slugs.clone().cloned().collect() })
        .reads(slugs.map(plan_path))
        .writes([path("results/plan.json"), path("results/summary.json")])
}

/// The program of a command, if it is in the project: one without `/` is found
/// in `PATH`.
fn program(command: &str, layout: &Layout) -> Option<ProjectPath> {
    let below = Path::new(command).strip_prefix(&layout.root).ok().and_then(Path::to_str);
    let path = below.or_else(|| command.contains('/').then_some(command))?;
    ProjectPath::new(path).ok().map(|path| layout.named(path))
}

fn user_task(task: &UserTask, layout: &Layout, variable: &dyn Fn(&str) -> Option<OsString>) -> Task {
    let pass: BTreeMap<String, Option<VariableValue>> =
        task.pass.iter().map(|name| (name.clone(), variable(name).map(VariableValue))).collect();
    let mut inputs: Vec<ProjectPath> = task.inputs.iter().map(|(path, _)| path.clone()).collect();
    let mut entries: Vec<Place> = task.entry_places().collect();
    if let Some(program) = program(&task.command[0], layout)
        && !inputs.iter().any(|input| program.is_within(input))
    {
        entries.insert(inputs.len(), task.place);
        inputs.push(program);
    }
    let action = Action::Command(Command {
        command: task.command.clone(),
        env: task.env.clone(),
        pass,
        cache: task.cache,
        timeout: task.timeout,
        retries: task.retries,
    });
    Task {
        after: task.after.iter().map(|(label, _)| label.clone()).collect(),
        entries: entries.into(),
        ..Task::new(format!("task:{}", task.slug), action)
            .reads(inputs)
            .writes(task.outputs.iter().map(|(path, _)| path.clone()))
            .pool(Pool::named(&task.pool))
            .at(task.place)
    }
}

/// Whether the worker's own elements may read further files because of this one: labels that a
/// model-proc file names, and `metadata.yaml` beside a model.
fn names_more(path: &ProjectPath) -> bool {
    [".json", ".xml", ".tflite"].iter().any(|ending| path.as_str().ends_with(ending))
}

/// The further files of an ONNX model, and those that [`names_more`] is about. For one that a task makes, the task's other
/// outputs: the model itself may not exist yet.
fn parts_of(lowering: &Lowering<'_>, model: &ProjectPath) -> Vec<ProjectPath> {
    let outputs = |task: &UserTask| task.outputs.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    let mut made = lowering.project.tasks.iter().map(outputs);
    let Some(made) = made.find(|outputs| outputs.iter().any(|output| model.is_within(output))) else {
        return (lowering.parts)(model);
    };
    let folder = model.folders().next().unwrap_or_default();
    let is_beside =
        |output: &ProjectPath| model.is_within(output) || output.folders().any(|around| around == folder);
    made.into_iter().filter(is_beside).collect()
}

/// The files that OpenVINO opens beside its library. Of a user's own copy, its whole folder.
fn beside_openvino(project: &Project, library: &ProjectPath) -> Vec<ProjectPath> {
    match project.recipes.group_of(library) {
        Some(group) if !project.recipes.is_users(group) => {
            group.files().map(|file| project.layout.named(file.path.clone())).collect()
        }
        _ => library.folders().next().and_then(|folder| ProjectPath::new(folder).ok()).into_iter().collect(),
    }
}

/// What the members of a run need.
struct Needs {
    isolation: Isolation,
    inputs: BTreeSet<ProjectPath>,
    factories: BTreeSet<String>,
    script_flags: bool,
    server: Option<StreamServer>,
    impair: Option<Impairment>,
}

impl Needs {
    fn of(lowering: &Lowering<'_>, members: &[&PlannedCamera], pace: Pace, tasks: &[Task]) -> Needs {
        let project = lowering.project;
        let plays =
            |planned: &&&PlannedCamera| planned.plan.pipelines.iter().any(PlannedPipeline::has_elements);
        let mut playing = members.iter().filter(plays);
        let inference = playing.any(|planned| planned.plan.dialect == DialectName::Dlstreamer);
        let default = if inference { Isolation::Lane } else { Isolation::Camera };
        let isolation = project.settings.isolation.unwrap_or(default);
        let mut inputs: BTreeSet<ProjectPath> = BTreeSet::new();
        let mut factories: BTreeSet<String> = BTreeSet::new();
        let mut script_flags = false;
        let mut mounts: BTreeMap<String, ProjectPath> = BTreeMap::new();
        let of_clips = tasks.iter().filter(|task| matches!(task.action, Action::Transcode(_)));
        let described: HashSet<ProjectPath> =
            of_clips.flat_map(|task| task.outputs.iter().cloned()).collect();
        for planned in members {
            inputs.insert(plan_path(&planned.plan.slug));
            if let Source::File(clip) = &planned.plan.source {
                // A task of the user's that makes the clip says nothing about it.
                let prepared = plan::prepared_path(&clip.path);
                inputs.extend(Some(prepared).filter(|path| described.contains(path)));
            }
            let served = planned.camera().served.as_ref().filter(|_| project.settings.rtsp.own.is_some());
            if let Some(served) = served {
                let clip = plan::clip_path(planned.camera(), &served.clip);
                inputs.insert(clip.clone());
                // Two clips of one name were refused before.
                mounts.insert(served.mount.clone(), clip);
            }
            // Of a clip that may have any codec, the elements of all.
            let plans = planned.plan.by_codec();
            for played in plans.iter().flat_map(|plan| dialect::share::pipelines(plan, pace)) {
                for path in played.spec.inputs() {
                    let path = project.layout.named(path);
                    let is_native = planned.plan.dialect == DialectName::Native;
                    if path.as_str().ends_with(".onnx") || is_native && names_more(&path) {
                        inputs.extend(parts_of(lowering, &path));
                    }
                    if path.file_name().starts_with(OPENVINO_LIBRARY) {
                        inputs.extend(beside_openvino(project, &path));
                    }
                    inputs.insert(path);
                }
                factories.extend(played.spec.factories().into_iter().map(str::to_owned));
            }
            for script in planned.plan.pipelines.iter().filter_map(PlannedPipeline::script) {
                inputs.insert(project.layout.named(script.path.clone()));
                script_flags |= script.parameters.values().any(|value| matches!(value, Scalar::Bool(_)));
                if let Source::File(clip) = &planned.plan.source {
                    inputs.insert(clip.path.clone());
                }
            }
        }
        let has_stream = members.iter().any(|planned| planned.plan.source.stream().is_some());
        let rtsp = &project.settings.rtsp;
        let impair = rtsp.impair.filter(|_| has_stream);
        let server = rtsp.own.filter(|_| !mounts.is_empty());
        let server =
            server.map(|address| StreamServer { address, port: rtsp.port, cpus: rtsp.cpus.clone(), mounts });
        Needs { isolation, inputs, factories, script_flags, server, impair }
    }
}

/// The place of a measurement of these cameras.
fn place_of(members: &[&PlannedCamera]) -> Place {
    if let [only] = members { only.camera().place } else { Place::default() }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The search for the density of a subject; `None` if it is not counted as the project asks:
/// copies of one camera need one camera.
fn density_task(lowering: &Lowering<'_>, subject: &Subject, tasks: &[Task]) -> Option<Task> {
    let settings = &lowering.project.settings;
    let counted = match (settings.density.unit, subject.members.as_slice()) {
        (Unit::Lane, _) => None,
        (Unit::Camera, [only]) => Some(only.clone()),
        (Unit::Camera, _) => return None,
    };
    let members: Vec<Slug> = match counted {
        None => subject.members.clone(),
        Some(_) => Subject::lane(lowering.project).members,
    };
    let planned = lowering.lane.members(&members);
    // Free pace has no target.
    let needs = Needs::of(lowering, &planned, Pace::Live, tasks);
    let action = Action::Density(Density {
        subject: subject.name.clone(),
        unit: settings.density.unit,
        members,
        counted,
        isolation: needs.isolation,
        warmup_ms: settings.warmup.map(millis),
        confidence: settings.density.confidence,
        max: settings.density.max,
        verdict: settings.limits,
        decode_only: settings.decode_only,
        script_flags: needs.script_flags,
        server: needs.server,
        impair: needs.impair,
    });
    let task = Task::new(subject.density_label(), action)
        .reads(needs.inputs)
        .writes([density_path(&subject.name)])
        .pool(Pool::Exclusive)
        .uses(needs.factories);
    Some(task.at(place_of(&lowering.lane.members(&subject.members))))
}

fn run_tasks(lowering: &Lowering<'_>, subject: &Subject, members: &[&PlannedCamera], tasks: &mut Vec<Task>) {
    let project = lowering.project;
    let settings = &project.settings;
    let Needs { isolation, inputs, factories, script_flags, server, impair } =
        Needs::of(lowering, members, settings.pace, tasks);
    // A free-running pass plays each file once and ignores the duration.
    let free = settings.pace == Pace::Free;
    let name = &subject.name;
    let place = place_of(members);
    let action = Action::Run(Run {
        subject: name.clone(),
        members: subject.members.clone(),
        isolation,
        duration_ms: if free { 0 } else { millis(settings.duration) },
        warmup_ms: if free { Some(0) } else { settings.warmup.map(millis) },
        pace: settings.pace,
        count: settings.count,
        decode_only: settings.decode_only,
        snapshots: settings.snapshots,
        script_flags,
        server,
        impair,
        collectors: settings.collectors.clone(),
    });
    tasks.push(
        Task::new(subject.run_label(), action)
            .reads(inputs)
            .writes([record_path(name)])
            .pool(Pool::Exclusive)
            .uses(factories)
            .at(place),
    );
    tasks.extend(density_task(lowering, subject, tasks));
    let mut report_inputs = vec![record_path(name)];
    for planned in members {
        let camera = &planned.plan.slug;
        // The run of one camera and the camera have the same name.
        let label = if name == camera.as_str() {
            format!("benchmark:{camera}")
        } else {
            format!("benchmark:{name}/{camera}")
        };
        let outputs = ["json", "csv"].map(|kind| path(&format!("results/benchmark/{name}/{camera}.{kind}")));
        report_inputs.extend(outputs.iter().cloned());
        let action =
            Action::Benchmark { camera: camera.clone(), verdict: settings.limits, version: measure::VERSION };
        tasks.push(
            Task::new(label, action).reads([record_path(name)]).writes(outputs).at(planned.camera().place),
        );
    }
    let outputs = ["json", "csv", "html"].map(|kind| path(&format!("results/report/{name}.{kind}")));
    let report = Action::Report {
        verdict: settings.limits,
        thresholds: settings.threshold_values(),
        version: report::VERSION,
    };
    let report = Task::new(subject.report_label(), report);
    tasks.push(report.reads(report_inputs).writes(outputs).at(place));
}
