//! Consolidation: which pipelines a camera needs, and which workloads share one.
//!
//! Workloads of one camera whose steps are equal in everything that a pipeline
//! is made of (type, model, precision, device, properties, module, function), or
//! which run the same script with the same parameters,
//! are served by one pipeline. Nothing is shared between cameras: their frames
//! differ.
//!
//! Pure. A command plans all cameras once ([`lane::Lane`]); the `plan:` action makes
//! the plan of its camera again from the request that it holds, and writes it.
//!
//! `docs/schema/plan.schema.json` and `summary.schema.json` describe the files.
//!
//! Not here: the GStreamer elements of a step (`dialect`).

pub mod diff;
pub mod difference;
pub mod lane;
pub mod load;
pub mod share;
pub mod summary;
pub mod upstream_name;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use self::difference::{Difference, differences, distance, sentence};
use crate::model::zoo::PERSON_REID;
use crate::model::{
    Accept, Camera, Clip, Codec, Origin, Region, RtspStream, Script, Share, Source, Step, Workload,
};
use crate::name::Slug;
use crate::path::ProjectPath;
use crate::pipeline::usb::Choice;
use crate::scene::Scene;

/// The version of the plan files and of `results/summary.json`. It is part of the
/// `plan:` action, so a new meaning makes every plan stale.
pub const VERSION: u32 = 5;

/// With more pipelines than this, each is compared only with the earlier one that
/// it is most like: the pairs of twenty are 190, which nobody reads.
const ALL_PAIRS: usize = 4;

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
    /// Whether every step is left out.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decode_only: bool,
    /// Whether pipelines of the camera share decoding and steps.
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
    /// The worker's own elements in their place.
    Native,
}

impl DialectName {
    /// As it is written: `stock`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            DialectName::Stock => "stock",
            DialectName::Dlstreamer => "dlstreamer",
            DialectName::Native => "native",
        }
    }
}

/// The consolidated plan of one camera: `results/plan/camera-3.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraPlan {
    /// [`VERSION`].
    pub version: u32,
    /// The camera's name as written.
    pub camera: String,
    pub slug: Slug,
    /// Where its frames come from.
    #[serde(with = "SourceTable")]
    pub source: Source<ClipFile, Scene>,
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
    /// In which of these an RTSP or USB camera may differ from its plan and still hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
    /// The pictures that its USB camera is asked for. No part of the plan: what the camera can send,
    /// it says when it is played. `None`: whatever GStreamer takes.
    #[serde(skip)]
    pub pictures: Option<Choice>,
    /// How steps become elements.
    pub dialect: DialectName,
    /// Whether frames are shown on the display.
    #[serde(default, skip_serializing_if = "is_false")]
    pub render: bool,
    /// Whether every step is left out: its pipelines decode, and run nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub decode_only: bool,
    /// Names of the camera's workloads as the workload file has them, in the
    /// camera's order, each once.
    pub workloads: Vec<String>,
    /// Those that the camera names more than once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeated: Vec<String>,
    /// In the order of their first workload.
    pub pipelines: Vec<PlannedPipeline>,
    /// Pipelines that are played as one, with `run.share = "prefix"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<share::SharedPrefix>,
    /// The differences between pipelines: all pairs of up to four; of more, each with the
    /// earlier one that it is most like.
    pub apart: Vec<UnmergedPair>,
    /// Files that must be there before the camera can be played.
    pub assets: Vec<ProjectPath>,
}

/// The file of a clip that was transcoded for a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipFile {
    /// `media/clips/scan-640x360-15.mp4`
    #[serde(rename = "clip")]
    pub path: ProjectPath,
    /// Its codec; `None` if that is the one of a file that is not read yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<Codec>,
}

/// A source in a plan file: one flat table, where the `plan:` action nests it below
/// its kind.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Source<ClipFile, Scene>", tag = "kind", rename_all = "snake_case")]
enum SourceTable {
    File(ClipFile),
    Rtsp(RtspStream),
    Usb { device: String },
    Synthetic { scene: Scene },
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
    /// The work on each frame.
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
    /// How it is played.
    #[must_use]
    pub fn work(&self) -> Work<'_> {
        match (self.steps.as_slice(), &self.unsupported) {
            (_, Some(reason)) => Work::Unsupported(reason),
            ([Step::Script(script)], None) => Work::Script(script),
            (steps, None) => Work::Elements(steps),
        }
    }

    /// The user's script that it is, in place of elements.
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        if let Work::Script(script) = self.work() { Some(script) } else { None }
    }

    /// Whether a worker plays it.
    #[must_use]
    pub fn has_elements(&self) -> bool {
        matches!(self.work(), Work::Elements(_))
    }
}

/// How a pipeline is played.
#[derive(Clone, Copy, Debug)]
pub enum Work<'a> {
    /// By a worker, as elements that are made of these steps.
    Elements(&'a [Step]),
    /// As a program of its own.
    Script(&'a Script),
    /// Not at all, for this reason.
    Unsupported(&'a str),
}

/// Two pipelines of one camera that did not merge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnmergedPair {
    pub pipelines: [u32; 2],
    /// The first workload of each.
    pub workloads: [String; 2],
    /// "`hidden_items` and `fake_scan_detection` differ in step 2: `device` CPU / NPU"
    pub because: String,
    /// All of them; `because` names only the first few.
    pub differences: Vec<Difference>,
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

    /// The plan for a clip of this codec.
    #[must_use]
    pub fn with_codec(&self, codec: Codec) -> CameraPlan {
        let mut plan = self.clone();
        if let Source::File(clip) = &mut plan.source {
            clip.codec = Some(codec);
        }
        plan
    }

    /// Whether it plays a clip that is not read yet.
    #[must_use]
    pub fn plays_unknown_codec(&self) -> bool {
        matches!(&self.source, Source::File(ClipFile { codec: None, .. }))
    }

    /// The plan as it is played: if the codec of its clip is not known, one for each and
    /// one for a clip that nothing is known of.
    #[must_use]
    pub fn by_codec(&self) -> Vec<CameraPlan> {
        let codecs = Codec::ALL.iter().filter(|_| self.plays_unknown_codec());
        std::iter::once(self.clone()).chain(codecs.map(|codec| self.with_codec(*codec))).collect()
    }
}

/// Merges equal workloads. Launch lines are still absent: they are the dialect's.
///
/// # Panics
/// If a synthetic camera comes without its scene.
fn consolidate(request: &PlanRequest) -> CameraPlan {
    let camera = &request.camera;
    let mut pipelines: Vec<PlannedPipeline> = Vec::new();
    for workload in &request.workloads {
        match pipelines.iter_mut().find(|pipeline| pipeline.steps == workload.steps) {
            Some(pipeline) => pipeline.workloads.push(workload.name.clone()),
            None => pipelines.push(PlannedPipeline {
                index: u32::try_from(pipelines.len()).expect("a camera has few pipelines") + 1,
                workloads: vec![workload.name.clone()],
                merged_because: None,
                steps: workload.steps.clone(),
                unsupported: unsupported(&workload.steps, request),
                launch: None,
            }),
        }
    }
    for pipeline in pipelines.iter_mut().filter(|pipeline| pipeline.workloads.len() > 1) {
        pipeline.merged_because = Some(merged(&pipeline.workloads, &pipeline.steps));
    }
    let shared = match request.share {
        Share::None => Vec::new(),
        Share::Prefix => share::shared(&pipelines),
    };
    let source = match &camera.source {
        Source::File(clip) => {
            // A drawn clip is H.264, and is encoded as what it is if it does not fit.
            let drawn = matches!(clip.origin, Origin::Scene(_)).then_some(Codec::H264);
            Source::File(ClipFile { path: clip_path(camera, clip), codec: camera.clip.codec.or(drawn) })
        }
        Source::Rtsp(stream) => Source::Rtsp(stream.clone()),
        Source::Usb { device } => Source::Usb { device: device.clone() },
        Source::Synthetic { .. } => Source::Synthetic {
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
        accept: camera.accept.clone(),
        pictures: None,
        dialect: request.dialect,
        render: request.render,
        decode_only: request.decode_only,
        workloads: request.workloads.iter().map(|workload| workload.name.clone()).collect(),
        repeated: repeated(request),
        apart: apart(&pipelines),
        pipelines,
        shared,
        assets: Vec::new(),
    }
}

fn shares_nothing(share: &Share) -> bool {
    *share == Share::None
}

/// Where the clip of a camera lies: `media/clips/scan-640x360-15.mp4`.
///
/// # Panics
/// Never for a clip of a project: its name is one plain component.
#[must_use]
pub fn clip_path(camera: &Camera, clip: &Clip) -> ProjectPath {
    let stem = clip.file.strip_suffix(".mp4").unwrap_or(&clip.file);
    let Camera { width, height, fps, clip: options, .. } = camera;
    ProjectPath::new(&format!("media/clips/{stem}-{width}x{height}-{fps}{}.mp4", options.suffix()))
        .expect("a clip's file name is one plain component")
}

/// The file beside a clip that says what it is: `media/clips/scan-640x360-15.json`.
///
/// # Panics
/// Never for the clip of a plan: its name ends in `.mp4`.
#[must_use]
pub fn prepared_path(clip: &ProjectPath) -> ProjectPath {
    let stem = clip.as_str().strip_suffix(".mp4").unwrap_or(clip.as_str());
    ProjectPath::new(&format!("{stem}.json")).expect("a name with another ending is a path")
}

/// Why steps cannot be played by any dialect yet, or are not in a run that only decodes.
fn unsupported(steps: &[Step], request: &PlanRequest) -> Option<String> {
    if request.decode_only {
        // A script decodes for itself, if it does.
        let is_script = matches!(steps, [Step::Script(_)]);
        return is_script.then(|| "decode only: scripts are not run".to_owned());
    }
    let has_vlm = steps.iter().any(|step| matches!(step, Step::Vlm(_)));
    if has_vlm {
        return Some("`vlm` steps are planned but cannot be played yet".to_owned());
    }
    let module = steps.iter().find_map(|step| match step {
        Step::Python(python) if python.module.file_name() != PERSON_REID => Some(&python.module),
        _ => None,
    });
    let module = module.filter(|_| request.dialect == DialectName::Native)?;
    Some(format!(
        "`gvapython` runs `{module}` with DL Streamer, which this machine does not have; `lp-worker` does the \
         work of `{PERSON_REID}` alone"
    ))
}

/// The workloads that a camera names more than once, by their names in the
/// workload file.
fn repeated(request: &PlanRequest) -> Vec<String> {
    // A request has each workload once, so most have none.
    if request.camera.workloads.len() == request.workloads.len() {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let again = request.camera.workloads.iter().map(|name| name.to_lowercase());
    let again: HashSet<String> = again.filter(|name| !seen.insert(name.clone())).collect();
    let names = request.workloads.iter().map(|workload| &workload.name);
    names.filter(|name| again.contains(&name.to_lowercase())).cloned().collect()
}

/// "`a` and `b` have the same 2 steps"
fn merged(workloads: &[String], steps: &[Step]) -> String {
    let names = listed(workloads);
    if let [Step::Script(Script { path: script, parameters })] = steps {
        let parameters = if parameters.is_empty() { "without" } else { "with the same" };
        return format!("{names} run the same script `{script}` {parameters} parameters");
    }
    match steps.len() {
        1 => format!("{names} have the same step"),
        n => format!("{names} have the same {n} steps"),
    }
}

/// "`a`, `b` and `c`"
fn listed(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
        None => String::new(),
    }
}

/// [`CameraPlan::apart`] describes which pipelines are compared.
fn apart(pipelines: &[PlannedPipeline]) -> Vec<UnmergedPair> {
    let mut found = Vec::new();
    for (n, other) in pipelines.iter().enumerate() {
        let before = &pipelines[..n];
        if pipelines.len() <= ALL_PAIRS {
            found.extend(before.iter().map(|one| of_pair(one, other)));
        } else if let Some(nearest) = before.iter().min_by_key(|one| distance(&one.steps, &other.steps)) {
            found.push(of_pair(nearest, other));
        }
    }
    found
}

fn of_pair(one: &PlannedPipeline, other: &PlannedPipeline) -> UnmergedPair {
    let differences = differences(&one.steps, &other.steps);
    let workloads = [one.workloads[0].clone(), other.workloads[0].clone()];
    let [first, second] = &workloads;
    let because = match (one.script(), other.script()) {
        (Some(script), None) => format!("`{first}` runs the script `{}`, `{second}` has steps", script.path),
        (None, Some(script)) => format!("`{first}` has steps, `{second}` runs the script `{}`", script.path),
        _ => format!("`{first}` and `{second}` differ in {}", sentence(&differences)),
    };
    UnmergedPair { pipelines: [one.index, other.index], workloads, because, differences }
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::{Bin, ClipOptions, Origin};

    /// `gvadetect device=CPU model=yolo11n x=1`, `script script=a.sh x=1`. Keys that a
    /// type must have and that are not given are empty or 0.
    pub(crate) fn step(text: &str) -> Step {
        let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut step = serde_json::json!({ "type": kind });
        let own: &[&str] = match kind {
            "gvadetect" | "gvaclassify" | "gvainference" | "vlm" => &["model", "precision", "device"],
            "gvapython" => &["module", "function"],
            "gvatrack" => &["device"],
            _ => &["script"],
        };
        if own.contains(&"model") {
            own.iter().for_each(|key| step[*key] = "".into());
        }
        if kind == "gvapython" {
            step["module"] = "module.py".into();
        }
        for key in ["batch_size", "inference_interval", "threshold"] {
            step[key] = 0.into();
        }
        for pair in rest.split_whitespace() {
            let (key, value) = pair.split_once('=').unwrap();
            let scalar = serde_json::from_str(value).unwrap_or_else(|_| value.into());
            match key {
                key if own.contains(&key) => step[key] = value.into(),
                "inference_interval" | "threshold" => step[key] = scalar,
                _ if kind == "script" => step["parameters"][key] = scalar,
                _ => step["properties"][key] = scalar,
            }
        }
        serde_json::from_value(step).unwrap()
    }

    /// A plan of a camera of 640x360 at 15 fps that names these workloads.
    pub(crate) fn plan(dialect: DialectName, workloads: &[(&str, &[&str])]) -> CameraPlan {
        let names = workloads.iter().map(|(name, _)| (*name).to_owned()).collect();
        let mut known = HashSet::new();
        let workloads = workloads.iter().filter(|(name, _)| known.insert(name.to_lowercase()));
        let workloads = workloads.map(|(name, steps)| Workload {
            name: (*name).to_owned(),
            slug: Slug::of(name).unwrap(),
            steps: steps.iter().map(|text| step(text)).collect(),
            place: Default::default(),
            places: Vec::new(),
        });
        let camera = Camera {
            name: "camera-1".into(),
            slug: Slug::of("camera-1").unwrap(),
            source: Source::File(Clip {
                file: "a.mp4".into(),
                origin: Origin::Scene("a".into()),
                place: Default::default(),
            }),
            width: 640,
            height: 360,
            fps: 15.0,
            target_fps: None,
            workloads: names,
            region: None,
            clip: ClipOptions::default(),
            accept: Vec::new(),
            expect: None,
            served: None,
            place: Default::default(),
        };
        consolidate(&PlanRequest {
            version: VERSION,
            camera,
            workloads: workloads.collect(),
            dialect,
            render: false,
            decode_only: false,
            share: Share::None,
            scene: None,
        })
    }

    #[track_caller]
    fn check(workloads: &[(&str, &[&str])], expect: Expect) {
        let plan = plan(DialectName::Dlstreamer, workloads);
        let mut text = String::new();
        for pipeline in &plan.pipelines {
            text += &format!("{} {}\n", pipeline.index, pipeline.workloads.join(", "));
            text += &pipeline.merged_because.as_ref().map_or(String::new(), |why| format!("  {why}\n"));
            text += &pipeline.unsupported.as_ref().map_or(String::new(), |why| format!("  {why}\n"));
        }
        text += &plan.apart.iter().map(|apart| format!("{}\n", apart.because)).collect::<String>();
        if !plan.repeated.is_empty() {
            text += &format!("repeated: {}\n", plan.repeated.join(", "));
        }
        expect.assert_eq(&text);
    }

    #[test]
    fn equal_steps_share_a_pipeline() {
        check(
            &[
                ("a", &["motioncells gridx=16", "zbar"]),
                ("b", &["zbar"]),
                ("c", &["motioncells gridx=16", "zbar"]),
                ("d", &["motioncells gridx=16", "zbar"]),
                ("e", &["zbar"]),
            ],
            expect![[r#"
                1 a, c, d
                  `a`, `c` and `d` have the same 2 steps
                2 b, e
                  `b` and `e` have the same step
                `a` and `b` differ in step 1: `type` motioncells / zbar; step 2: `zbar` / no step
            "#]],
        );
    }

    #[test]
    fn a_sentence_names_the_differences_of_two_pipelines() {
        check(
            &[
                ("fake_scan", &["gvadetect device=CPU", "gvaclassify device=CPU precision=FP16"]),
                ("hidden", &["gvadetect device=CPU threshold=0.4", "gvaclassify device=NPU precision=INT8"]),
                ("motion", &["gvadetect device=GPU", "motioncells", "zbar"]),
            ],
            expect![[r#"
                1 fake_scan
                2 hidden
                3 motion
                `fake_scan` and `hidden` differ in step 1: `threshold` 0 / 0.4; step 2: `precision` FP16 / INT8, `device` CPU / NPU
                `fake_scan` and `motion` differ in step 1: `device` CPU / GPU; step 2: `type` gvaclassify / motioncells; step 3: no step / `zbar`
                `hidden` and `motion` differ in step 1: `device` CPU / GPU, `threshold` 0.4 / 0; step 2: `type` gvaclassify / motioncells; step 3: no step / `zbar`
            "#]],
        );
        check(
            &[
                ("a", &["gvapython module=a.py function=f", "x size=1"]),
                ("b", &["gvapython module=b.py", "x size=\"1\""]),
                ("c", &["gvapython module=a.py function=f", "x size=1 a=1 b=2 c=3 d=4 e=true"]),
            ],
            expect![[r#"
                1 a
                2 b
                3 c
                `a` and `b` differ in step 1: `module` a.py / b.py, `function` f / unset; step 2: `properties.size` 1 / "1"
                `a` and `c` differ in step 2: `properties.a` unset / 1, `properties.b` unset / 2, `properties.c` unset / 3, `properties.d` unset / 4, and 1 more
                `b` and `c` differ in step 1: `module` b.py / a.py, `function` unset / f; step 2: `properties.size` "1" / 1, `properties.a` unset / 1, and 4 more
            "#]],
        );
    }

    #[test]
    fn bins_differ_in_their_elements() {
        let element = |text: &&str| match step(text) {
            Step::Element(element) => element,
            other => panic!("{other:?} is no element"),
        };
        let bin =
            |inner: &[&str]| Bin { caps: None, from: None, elements: inner.iter().map(element).collect() };
        #[track_caller]
        fn check(one: &Bin, other: &Bin, expect: Expect) {
            let [one, other] = [one, other].map(|bin| [Step::Bin(bin.clone())]);
            let differences = differences(&one, &other);
            assert_eq!(differences.is_empty(), one == other);
            assert_eq!(differences.len(), distance(&one, &other));
            expect.assert_eq(&sentence(&differences));
        }
        check(&bin(&["a x=1", "b"]), &bin(&["a x=1", "b"]), expect![""]);
        check(
            &bin(&["a x=1", "b"]),
            &bin(&["a x=2"]),
            expect!["step 1: `steps[0].properties.x` 1 / 2, `steps[1].type` b / unset"],
        );
        let mut filtered = bin(&["a", "b"]);
        filtered.caps = Some("video/x-raw".into());
        filtered.from = Some("frames".into());
        check(
            &bin(&["a", "c x=1"]),
            &filtered,
            expect!["step 1: `caps` unset / video/x-raw, `from` unset / frames, `steps[1].type` c / b"],
        );
    }

    #[test]
    fn scripts_merge_only_with_equal_parameters() {
        check(
            &[
                ("a", &["script script=p/a.sh size=1 mode=x"]),
                ("b", &["script script=p/a.sh size=2"]),
                ("c", &["script script=p/a.sh size=1 mode=x"]),
                ("d", &["script script=p/d.sh"]),
                ("e", &["script script=p/d.sh"]),
                ("f", &["zbar"]),
            ],
            expect![[r#"
                1 a, c
                  `a` and `c` run the same script `p/a.sh` with the same parameters
                2 b
                3 d, e
                  `d` and `e` run the same script `p/d.sh` without parameters
                4 f
                `a` and `b` differ in `parameters.mode` x / unset, `parameters.size` 1 / 2
                `a` and `d` differ in `script` p/a.sh / p/d.sh, `parameters.mode` x / unset, `parameters.size` 1 / unset
                `b` and `d` differ in `script` p/a.sh / p/d.sh, `parameters.size` 2 / unset
                `a` runs the script `p/a.sh`, `f` has steps
                `b` runs the script `p/a.sh`, `f` has steps
                `d` runs the script `p/d.sh`, `f` has steps
            "#]],
        );
    }

    #[test]
    fn of_many_pipelines_each_is_compared_with_the_one_it_is_most_like() {
        check(
            &[
                ("a", &["gvadetect device=CPU model=l", "zbar"]),
                ("b", &["gvadetect device=NPU model=m", "zbar"]),
                ("c", &["gvadetect device=NPU model=n", "zbar"]),
                ("d", &["gvadetect device=CPU model=l"]),
                ("e", &["gvadetect device=CPU model=l x=1"]),
            ],
            expect![[r#"
                1 a
                2 b
                3 c
                4 d
                5 e
                `a` and `b` differ in step 1: `model` l / m, `device` CPU / NPU
                `b` and `c` differ in step 1: `model` m / n
                `a` and `d` differ in step 2: `zbar` / no step
                `d` and `e` differ in step 1: `properties.x` unset / 1
            "#]],
        );
        // A thousand pipelines have half a million pairs, but a thousand sentences.
        let names: Vec<String> = (0..1000).map(|n| format!("w{n}")).collect();
        let steps: Vec<[String; 1]> = (0..1000).map(|n| [format!("x n={n}")]).collect();
        let steps: Vec<[&str; 1]> = steps.iter().map(|[step]| [step.as_str()]).collect();
        let workloads: Vec<(&str, &[&str])> =
            names.iter().zip(&steps).map(|(name, steps)| (name.as_str(), steps.as_slice())).collect();
        assert_eq!(plan(DialectName::Stock, &workloads).apart.len(), 999);
    }

    #[test]
    fn pipelines_without_support_and_repeated_workloads_are_reported() {
        check(
            &[("ask", &["vlm model=m"]), ("Scan", &["zbar"]), ("scan", &[]), ("SCAN", &[])],
            expect![[r#"
                1 ask
                  `vlm` steps are planned but cannot be played yet
                2 Scan
                `ask` and `Scan` differ in step 1: `type` vlm / zbar
                repeated: Scan
            "#]],
        );
    }

    #[test]
    fn a_source_is_flat_in_a_plan_file_and_below_its_kind_in_a_request() {
        let plan = serde_json::to_value(plan(DialectName::Stock, &[("a", &["zbar"])])).unwrap();
        for (planned, requested) in [
            (
                r#"{"clip":"media/clips/a-640x360-15.mp4","kind":"file"}"#,
                r#"{"file":{"file":"a.mp4","origin":{"scene":"a"}}}"#,
            ),
            (
                r#"{"codec":"h264","kind":"rtsp","latency_ms":300,"login":{"user":{"variable":"U"}},"uri":"rtsp://h/x"}"#,
                r#"{"rtsp":{"uri":"rtsp://h/x","login":{"user":{"variable":"U"}},"codec":"h264","latency_ms":300}}"#,
            ),
            (r#"{"device":"/dev/video0","kind":"usb"}"#, r#"{"usb":{"device":"/dev/video0"}}"#),
            (
                r#"{"kind":"synthetic","scene":{"duration_s":1.5,"fps":15,"height":360,"items":[],"seed":1,"width":640,"zones":{}}}"#,
                r#"{"synthetic":{"scene":"a"}}"#,
            ),
        ] {
            let mut document = plan.clone();
            document["source"] = serde_json::from_str(planned).unwrap();
            let read: CameraPlan = serde_json::from_value(document).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap()["source"].to_string(), planned);
            let camera: Source = serde_json::from_str(requested).unwrap();
            assert_eq!(serde_json::to_string(&camera).unwrap(), requested);
            assert_eq!(read.source.kind(), camera.kind());
        }
    }

    #[test]
    fn the_clip_of_every_size_and_rate_has_its_own_path() {
        let clip =
            Clip { file: "scan.mp4".into(), origin: Origin::Scene("scan".into()), place: Default::default() };
        let camera = |fps, clip: ClipOptions| {
            let camera = r#"{"name": "a", "slug": "a", "source": {"file": {"file": "scan.mp4", "origin": {"url": "u"}}},
                "width": 640, "height": 360, "fps": 15.0, "target_fps": null, "workloads": [], "region": null}"#;
            Camera { fps, clip, ..serde_json::from_str(camera).unwrap() }
        };
        let path = |camera: &Camera| clip_path(camera, &clip).to_string();
        assert_eq!(path(&camera(15.0, ClipOptions::default())), "media/clips/scan-640x360-15.mp4");
        assert_eq!(path(&camera(29.97, ClipOptions::default())), "media/clips/scan-640x360-29.97.mp4");
        let options = ClipOptions {
            codec: Some(Codec::H265),
            bitrate: Some(1_500_000),
            gop: Some(30),
            b_frames: Some(2),
            ..ClipOptions::default()
        };
        assert_eq!(path(&camera(15.0, options)), "media/clips/scan-640x360-15-h265-1500k-g30-b2.mp4");
    }
}
