//! Consolidation: which pipelines a camera needs, and which workloads share one.
//!
//! Workloads of one camera whose steps are equal in everything that a pipeline
//! is made of (type, model, precision, device, properties, module, function), or
//! which run the same script with the same parameters,
//! are served by one pipeline. Nothing is shared between cameras: their frames
//! differ.
//!
//! Pure: [`consolidate`] is called while the graph is lowered, to learn what a
//! member needs, and again by the `plan:` action, which writes the result.
//!
//! Not here: what a step becomes in GStreamer (`dialect`).

pub mod share;
pub mod summary;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::project::{
    Camera, Clip, Codec, Login, Project, Region, Scalar, Share, Source, Step, Workload,
};
use crate::name::Slug;
use crate::path::ProjectPath;
use crate::scene::Scene;

/// The version of `results/plan/<camera>.json`. It is part of the `plan:`
/// action, so a new meaning makes every plan stale.
pub const VERSION: u32 = 2;

/// Everything that a plan is made from. The `plan:` action holds it whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// [`VERSION`].
    pub version: u32,
    /// The camera, as resolved.
    pub camera: Camera,
    /// Its workloads in the camera's order, each once.
    pub workloads: Vec<Workload>,
    /// How steps become elements.
    pub dialect: DialectName,
    /// Whether frames are shown on the display.
    #[serde(default, skip_serializing_if = "is_false")]
    pub render: bool,
    /// What pipelines of the camera share.
    #[serde(default, skip_serializing_if = "shares_nothing")]
    pub share: Share,
    /// The scene, for a camera that is drawn live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<Scene>,
}

/// A dialect's word, once `auto` is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialectName {
    /// Elements of stock GStreamer.
    Stock,
    /// Intel DL Streamer's elements.
    Dlstreamer,
}

/// The consolidated plan of one camera: `results/plan/camera-3.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraPlan {
    /// [`VERSION`].
    pub version: u32,
    /// The camera's name as written.
    pub camera: String,
    /// Its slug.
    pub slug: Slug,
    /// Where its frames come from.
    pub source: PlannedSource,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: f64,
    /// Frames per second that each pipeline should hold.
    pub target_fps: f64,
    /// Pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_of_interest: Option<Region>,
    /// How steps become elements.
    pub dialect: DialectName,
    /// Whether frames are shown on the display.
    #[serde(default, skip_serializing_if = "is_false")]
    pub render: bool,
    /// Names of the camera's workloads, in its order.
    pub workloads: Vec<String>,
    /// In the order of their first workload.
    pub pipelines: Vec<PlannedPipeline>,
    /// Pipelines that are played as one, with `run.share = "prefix"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<share::Shared>,
    /// Pairs of pipelines, and what keeps them apart.
    pub apart: Vec<Apart>,
    /// Files that must be there before the camera can be played.
    pub assets: Vec<ProjectPath>,
}

/// Where the frames of a planned camera come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PlannedSource {
    /// A transcoded clip.
    File {
        /// `media/clips/scan-640x360-15.mp4`
        clip: ProjectPath,
    },
    /// An RTSP stream.
    Rtsp {
        /// Its URI, as written but for references to the environment.
        uri: String,
        /// User and password, if the environment holds one of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<Login>,
        /// What it carries.
        codec: Codec,
        /// The jitter buffer of its receiver, in milliseconds.
        latency_ms: u32,
    },
    /// A V4L2 device.
    Usb {
        /// `/dev/video0`
        device: String,
    },
    /// A scene drawn live.
    Synthetic {
        /// The whole scene.
        scene: Scene,
    },
}

/// One pipeline of a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedPipeline {
    /// From 1: the `1` of the stream `camera-3/1`.
    pub index: u32,
    /// The workloads that it serves.
    pub workloads: Vec<String>,
    /// Why they share it; `None` for one that serves a single workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_because: Option<String>,
    /// What is done with each frame.
    pub steps: Vec<Step>,
    /// Why it cannot be played; `None` if it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsupported: Option<String>,
    /// Its `gst-launch-1.0` line, that of the shared pipeline if it is played in
    /// one; then the others that are have none. Paths relative to the project root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch: Option<String>,
}

impl PlannedPipeline {
    /// The user's script that it is, in place of elements.
    #[must_use]
    pub fn script(&self) -> Option<Script<'_>> {
        let [step] = self.steps.as_slice() else { return None };
        let script = step.script.as_ref()?;
        let path = ProjectPath::new(script).expect("a project's scripts lie inside it");
        Some(Script { path, parameters: &step.parameters })
    }
}

/// A user's script as a pipeline.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// Its file.
    pub path: ProjectPath,
    /// What it is given, by name.
    pub parameters: &'a BTreeMap<String, Scalar>,
}

impl Script<'_> {
    /// Its arguments: `--key value` for each parameter, in the order of their
    /// names. Each is one argument, whatever is in it.
    pub fn arguments(&self) -> impl Iterator<Item = String> {
        self.parameters.iter().flat_map(|(key, value)| [format!("--{key}"), value.to_string()])
    }
}

/// Two pipelines of one camera that did not merge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apart {
    /// The first workload of each.
    pub workloads: [String; 2],
    /// The first difference: "step 2 differs in `device`: CPU / NPU".
    pub because: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl CameraPlan {
    /// The plan of the camera in the n-th copy of the lane, whose elements and
    /// files have names of their own.
    #[must_use]
    pub fn copy(&self, n: u32) -> CameraPlan {
        CameraPlan { slug: self.slug.copy(n), ..self.clone() }
    }
}

/// The request for a camera's plan.
///
/// # Panics
/// Never for a camera of `project`: its workloads are mapped.
#[must_use]
pub fn request(project: &Project, camera: &Camera, dialect: DialectName) -> PlanRequest {
    let mut workloads: Vec<Workload> = Vec::new();
    for name in &camera.workloads {
        let workload = project.workload(name).expect("a project's cameras use mapped workloads");
        if workloads.iter().all(|known| known.slug != workload.slug) {
            workloads.push(workload.clone());
        }
    }
    let scene = match &camera.source {
        Source::Synthetic { scene } => {
            Some(project.scenes.get(scene).expect("a project has the scenes that it uses").scene.clone())
        }
        _ => None,
    };
    let render = project.settings.render;
    PlanRequest {
        version: VERSION,
        camera: camera.clone(),
        workloads,
        dialect,
        render,
        share: project.settings.share,
        scene,
    }
}

/// Merges equal workloads. Launch lines are still absent: they are the dialect's.
///
/// # Panics
/// If a synthetic camera comes without its scene, which [`request`] rules out.
#[must_use]
pub fn consolidate(request: &PlanRequest) -> CameraPlan {
    let camera = &request.camera;
    let mut pipelines: Vec<PlannedPipeline> = Vec::new();
    for workload in &request.workloads {
        match pipelines.iter_mut().find(|pipeline| same_steps(&pipeline.steps, &workload.steps)) {
            Some(pipeline) => pipeline.workloads.push(workload.name.clone()),
            None => pipelines.push(PlannedPipeline {
                index: u32::try_from(pipelines.len()).expect("a camera has few pipelines") + 1,
                workloads: vec![workload.name.clone()],
                merged_because: None,
                steps: workload.steps.clone(),
                unsupported: unsupported(&workload.steps),
                launch: None,
            }),
        }
    }
    for pipeline in &mut pipelines {
        if pipeline.workloads.len() > 1 {
            let kinds: Vec<&str> = pipeline.steps.iter().map(|step| step.kind.as_str()).collect();
            pipeline.merged_because = Some(format!("equal steps: {}", kinds.join(", ")));
        }
    }
    let shared = match request.share {
        Share::None => Vec::new(),
        Share::Prefix => share::shared(&pipelines),
    };
    let mut apart = Vec::new();
    for (position, one) in pipelines.iter().enumerate() {
        for other in &pipelines[position + 1..] {
            apart.push(Apart {
                workloads: [one.workloads[0].clone(), other.workloads[0].clone()],
                because: first_difference(&one.steps, &other.steps),
            });
        }
    }
    let source = match &camera.source {
        Source::File(clip) => {
            PlannedSource::File { clip: clip_path(clip, camera.width, camera.height, camera.fps) }
        }
        Source::Rtsp { uri, login, codec, latency_ms } => PlannedSource::Rtsp {
            uri: uri.clone(),
            login: login.clone(),
            codec: *codec,
            latency_ms: *latency_ms,
        },
        Source::Usb { device } => PlannedSource::Usb { device: device.clone() },
        Source::Synthetic { .. } => PlannedSource::Synthetic {
            scene: request.scene.clone().expect("a request for a synthetic camera holds its scene"),
        },
    };
    CameraPlan {
        version: VERSION,
        camera: camera.name.clone(),
        slug: camera.slug.clone(),
        source,
        width: camera.width,
        height: camera.height,
        fps: camera.fps,
        target_fps: camera.target(),
        region_of_interest: camera.region,
        dialect: request.dialect,
        render: request.render,
        workloads: request.workloads.iter().map(|workload| workload.name.clone()).collect(),
        pipelines,
        shared,
        apart,
        assets: Vec::new(),
    }
}

fn shares_nothing(share: &Share) -> bool {
    *share == Share::None
}

/// Where the transcode of a clip lies: `media/clips/scan-640x360-15.mp4`.
///
/// # Panics
/// Never for a clip of a project: its name is one plain component.
#[must_use]
pub fn clip_path(clip: &Clip, width: u32, height: u32, fps: f64) -> ProjectPath {
    let stem = clip.file.strip_suffix(".mp4").unwrap_or(&clip.file);
    ProjectPath::new(&format!("media/clips/{stem}-{width}x{height}-{fps}.mp4"))
        .expect("a clip's file name is one plain component")
}

/// Why steps cannot be played by any dialect yet.
fn unsupported(steps: &[Step]) -> Option<String> {
    let has_vlm = steps.iter().any(|step| step.kind == "vlm");
    has_vlm.then(|| "`vlm` steps are planned but cannot be played yet".to_owned())
}

/// Equal in everything that a pipeline is made of; places do not count.
fn same_steps(one: &[Step], other: &[Step]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| difference(a, b).is_none())
}

fn first_difference(one: &[Step], other: &[Step]) -> String {
    for (position, (a, b)) in one.iter().zip(other).enumerate() {
        if let Some(difference) = difference(a, b) {
            return format!("step {} differs in {difference}", position + 1);
        }
    }
    format!("{} steps / {} steps", one.len(), other.len())
}

fn difference(a: &Step, b: &Step) -> Option<String> {
    let shown = |value: Option<&String>| value.map_or("none", String::as_str).to_owned();
    let fields = [
        ("type", Some(&a.kind), Some(&b.kind)),
        ("model", a.model.as_ref(), b.model.as_ref()),
        ("precision", a.precision.as_ref(), b.precision.as_ref()),
        ("device", a.device.as_ref(), b.device.as_ref()),
        ("module", a.module.as_ref(), b.module.as_ref()),
        ("function", a.function.as_ref(), b.function.as_ref()),
        ("script", a.script.as_ref(), b.script.as_ref()),
        ("caps", a.caps.as_ref(), b.caps.as_ref()),
        ("name", a.name.as_ref(), b.name.as_ref()),
        ("from", a.from.as_ref(), b.from.as_ref()),
    ];
    for (name, one, other) in fields {
        if one != other {
            return Some(format!("`{name}`: {} / {}", shown(one), shown(other)));
        }
    }
    if let Some(difference) = inner_difference(&a.steps, &b.steps) {
        return Some(difference);
    }
    let options = number("batch_size", a.batch_size, b.batch_size)
        .or_else(|| number("inference_interval", a.inference_interval, b.inference_interval))
        .or_else(|| number("threshold", a.threshold, b.threshold));
    if options.is_some() {
        return options;
    }
    let groups = [("properties", &a.properties, &b.properties), ("parameters", &a.parameters, &b.parameters)];
    let (group, one, other) = groups.into_iter().find(|(_, one, other)| one != other)?;
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    let name = names.into_iter().find(|name| one.get(*name) != other.get(*name))?;
    let text =
        |values: &BTreeMap<String, Scalar>| values.get(name).map_or("none".to_owned(), Scalar::to_string);
    Some(format!("`{group}.{name}`: {} / {}", text(one), text(other)))
}

/// What is different in the elements of two bins.
fn inner_difference(a: &[Step], b: &[Step]) -> Option<String> {
    for (position, (one, other)) in a.iter().zip(b).enumerate() {
        if let Some(difference) = difference(one, other) {
            return Some(format!("`steps[{position}]`, {difference}"));
        }
    }
    (a.len() != b.len()).then(|| format!("`steps`: {} steps / {} steps", a.len(), b.len()))
}

fn number<T: PartialEq + ToString>(name: &str, one: Option<T>, other: Option<T>) -> Option<String> {
    let shown = |value: &Option<T>| value.as_ref().map_or("none".to_owned(), T::to_string);
    (one != other).then(|| format!("`{name}`: {} / {}", shown(&one), shown(&other)))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::config::project::Origin;

    fn step(text: &str) -> Step {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut step = Step::new(kind, Default::default());
        for pair in rest.split_whitespace() {
            let (key, value) = pair.split_once('=').unwrap();
            match key {
                "device" => step.device = Some(value.to_owned()),
                "model" => step.model = Some(value.to_owned()),
                _ => {
                    step.properties.insert(key.to_owned(), Scalar::Text(value.to_owned()));
                }
            }
        }
        step
    }

    #[track_caller]
    fn check(workloads: &[(&str, &[&str])], expect: Expect) {
        let workloads: Vec<Workload> = workloads
            .iter()
            .map(|(name, steps)| Workload {
                name: (*name).to_owned(),
                slug: Slug::of(name).unwrap(),
                steps: steps.iter().map(|text| step(text)).collect(),
                place: Default::default(),
            })
            .collect();
        let camera = Camera {
            name: "camera-1".into(),
            slug: Slug::of("camera-1").unwrap(),
            source: Source::File(Clip { file: "a.mp4".into(), origin: Origin::Scene("a".into()) }),
            width: 640,
            height: 360,
            fps: 15.0,
            target_fps: None,
            workloads: workloads.iter().map(|workload| workload.name.clone()).collect(),
            region: None,
            place: Default::default(),
        };
        let plan = consolidate(&PlanRequest {
            version: VERSION,
            camera,
            workloads,
            dialect: DialectName::Stock,
            render: false,
            share: Share::None,
            scene: None,
        });
        let mut text = String::new();
        for pipeline in &plan.pipelines {
            text += &format!("{} {}", pipeline.index, pipeline.workloads.join(" + "));
            text += &pipeline.merged_because.as_ref().map_or(String::new(), |why| format!(" ({why})"));
            text += "\n";
        }
        for apart in &plan.apart {
            text += &format!("{} | {}: {}\n", apart.workloads[0], apart.workloads[1], apart.because);
        }
        expect.assert_eq(&text);
    }

    #[test]
    fn equal_steps_share_a_pipeline() {
        check(
            &[("a", &["motioncells gridx=16", "zbar"]), ("b", &["motioncells gridx=16", "zbar"])],
            expect![[r"
                1 a + b (equal steps: motioncells, zbar)
            "]],
        );
    }

    #[test]
    fn the_first_difference_keeps_pipelines_apart() {
        check(
            &[
                ("a", &["gvadetect device=CPU", "zbar"]),
                ("b", &["gvadetect device=NPU", "zbar"]),
                ("c", &["gvadetect device=CPU"]),
                ("d", &["gvadetect device=CPU x=1"]),
            ],
            expect![[r"
                1 a
                2 b
                3 c
                4 d
                a | b: step 1 differs in `device`: CPU / NPU
                a | c: 2 steps / 1 steps
                a | d: step 1 differs in `properties.x`: none / 1
                b | c: step 1 differs in `device`: NPU / CPU
                b | d: step 1 differs in `device`: NPU / CPU
                c | d: step 1 differs in `properties.x`: none / 1
            "]],
        );
    }

    #[test]
    fn the_clip_of_every_size_and_rate_has_its_own_path() {
        let clip = Clip { file: "scan.mp4".into(), origin: Origin::Scene("scan".into()) };
        assert_eq!(clip_path(&clip, 640, 360, 15.0).as_str(), "media/clips/scan-640x360-15.mp4");
        assert_eq!(clip_path(&clip, 640, 360, 29.97).as_str(), "media/clips/scan-640x360-29.97.mp4");
    }
}
