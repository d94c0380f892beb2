//! The load of planned pipelines on a machine, before any of them runs.
//!
//! Every figure follows from the plan: rates are those that cameras are configured
//! with and every pipeline that can be played is counted once. Nothing is guessed:
//! where a rate depends on the content of the picture, or on a program of the user's,
//! it is given per object or not at all.
//!
//! DL Streamer's `inference-interval` n means every n-th frame, beginning with the
//! first, and its `inference-region` sets whether an element looks at the whole
//! frame or once at each region that is attached to it
//! (<https://dlstreamer.github.io/elements/gvadetect>). `gvatrack` gives objects to
//! the frames between detections only with a `short-term` type of tracking
//! (<https://dlstreamer.github.io/dev_guide/object_tracking.html>).
//! `reclassify-interval` depends on how long objects stay, and is not counted.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::share::SharedPrefix;
use super::{CameraPlan, Work};
use crate::model::{Classify, Detect, Infer, Model, Scalar, Source, Step};

/// The load of some pipelines each second, if all of them keep up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Frames of clips and RTSP streams, which are decoded.
    pub decoded: Frames,
    /// Frames of USB cameras and drawn scenes, which come raw.
    pub raw: Frames,
    /// By element, model, precision and device.
    pub inferences: Vec<Inferences>,
    /// Steps that run no model, by factory.
    pub elements: Vec<Elements>,
    /// Scripts, whose load is not known before they run.
    pub scripts: Vec<Scripts>,
}

/// Frames that enter the steps of pipelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Frames {
    /// So many pipelines; those that share decoding are one.
    pub pipelines: usize,
    /// The sum of `fps` of their cameras.
    pub frames_per_second: f64,
    /// The sum of `fps * width * height * 3 / 2`: a frame of NV12 or I420 has a
    /// byte of luma for each pixel, and two of chroma for every four.
    pub bytes_per_second: u64,
}

/// How often a model is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inferences {
    /// `gvadetect`
    pub element: String,
    pub model: String,
    /// `FP16-INT8`
    pub precision: String,
    /// `GPU.1`
    pub device: String,
    /// So many steps of pipelines.
    pub steps: usize,
    #[serde(flatten)]
    pub rate: Rate,
}

/// A rate of inferences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// Of all these steps together: `fps / inference-interval` of each.
    PerSecond(f64),
    /// Of each of these steps, for each object in its view: an object is looked at
    /// in the frames in which it was detected.
    PerSecondPerObject(f64),
}

/// How many frames go through an element that runs no model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Elements {
    /// `motioncells`
    pub element: String,
    /// So many steps of pipelines.
    pub steps: usize,
    /// Of all of them together.
    pub frames_per_second: f64,
}

/// How often a script runs side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripts {
    /// Its path in the project.
    pub script: String,
    /// So many cameras and parameters.
    pub runs: usize,
}

/// Which rows of a load are one: those of equal key.
#[derive(Default)]
struct Sums<'a> {
    per_frame: BTreeMap<[&'a str; 4], (usize, f64)>,
    /// The rate in bits is part of the key: rates per object do not add up.
    per_object: BTreeMap<([&'a str; 4], u64), usize>,
    elements: BTreeMap<&'a str, (usize, f64)>,
    scripts: BTreeMap<&'a str, usize>,
}

/// The load of cameras.
#[must_use]
pub fn load<'a>(cameras: impl IntoIterator<Item = &'a CameraPlan>) -> Load {
    let mut load = Load::default();
    let mut sums = Sums::default();
    for camera in cameras {
        let done = done_elsewhere(&camera.shared);
        for pipeline in &camera.pipelines {
            let steps = match pipeline.work() {
                Work::Elements(steps) => steps,
                Work::Script(script) => {
                    *sums.scripts.entry(script.path.as_str()).or_default() += 1;
                    continue;
                }
                Work::Unsupported(_) => continue,
            };
            let frames = match camera.source {
                Source::File(_) | Source::Rtsp(_) => &mut load.decoded,
                Source::Usb { .. } | Source::Synthetic { .. } => &mut load.raw,
            };
            let bytes = camera.fps * f64::from(camera.width) * f64::from(camera.height) * 1.5;
            let done = done.get(&pipeline.index).copied();
            if done.is_none() {
                frames.pipelines += 1;
                frames.frames_per_second += camera.fps;
                frames.bytes_per_second += bytes.round() as u64;
            }
            if !camera.decode_only {
                add_steps(camera, steps, done.unwrap_or(0), &mut sums);
            }
        }
    }
    for frames in [&mut load.decoded, &mut load.raw] {
        frames.frames_per_second = rounded(frames.frames_per_second);
    }
    let row = |[model, precision, device, element]: [&str; 4], steps, rate| Inferences {
        element: element.to_owned(),
        model: model.to_owned(),
        precision: precision.to_owned(),
        device: device.to_owned(),
        steps,
        rate,
    };
    let per_frame = sums.per_frame.into_iter();
    load.inferences = per_frame.map(|(key, (n, rate))| row(key, n, Rate::PerSecond(rounded(rate)))).collect();
    load.inferences.extend(
        sums.per_object
            .into_iter()
            .map(|((key, rate), n)| row(key, n, Rate::PerSecondPerObject(rounded(f64::from_bits(rate))))),
    );
    let elements = sums.elements.into_iter();
    load.elements = elements
        .map(|(element, (steps, rate))| Elements {
            element: element.to_owned(),
            steps,
            frames_per_second: rounded(rate),
        })
        .collect();
    let scripts = sums.scripts.into_iter();
    load.scripts = scripts.map(|(script, runs)| Scripts { script: script.to_owned(), runs }).collect();
    load
}

/// How many of its first steps a pipeline leaves to one before it, with which it
/// shares decoding too; those that do all themselves are not there.
fn done_elsewhere(shared: &[SharedPrefix]) -> HashMap<u32, usize> {
    let mut done = HashMap::new();
    for group in shared {
        done.extend(group.pipelines.iter().skip(1).map(|pipeline| (*pipeline, group.steps)));
        // Those that share more leave more.
        done.extend(done_elsewhere(&group.within));
    }
    done
}

/// Adds the load of one pipeline's steps, without the first few.
fn add_steps<'a>(camera: &'a CameraPlan, steps: &'a [Step], done: usize, sums: &mut Sums<'a>) {
    // Objects are in every n-th frame.
    let mut objects: Option<u64> = None;
    for (n, step) in steps.iter().enumerate() {
        if done <= n {
            add_step(camera, step, objects, sums);
        }
        objects = match step {
            // Of two detectors, the one that finds objects more often counts.
            Step::Detect(_) => {
                let interval = interval(step);
                Some(objects.map_or(interval, |before| before.min(interval)))
            }
            Step::Track(track) => {
                let tracks = track.properties.get("tracking-type").map(Scalar::to_string);
                let fills = tracks.is_some_and(|how| how.starts_with("short-term"));
                if fills { objects.map(|_| 1) } else { objects }
            }
            _ => objects,
        };
    }
}

/// Adds the load of a step. `objects`: every n-th frame before it has objects.
fn add_step<'a>(camera: &'a CameraPlan, step: &'a Step, objects: Option<u64>, sums: &mut Sums<'a>) {
    let model = match step {
        Step::Detect(Detect { model, .. })
        | Step::Classify(Classify { model, .. })
        | Step::Infer(Infer { model, .. }) => model,
        Step::Track(_)
        | Step::Python(_)
        | Step::Vlm(_)
        | Step::Script(_)
        | Step::Tee(_)
        | Step::Bin(_)
        | Step::Element(_) => {
            for element in step.elements() {
                let (steps, rate) = sums.elements.entry(element.factory).or_default();
                *steps += 1;
                *rate += camera.fps;
            }
            return;
        }
    };
    let Model { name, precision, device } = model;
    let key = [name, precision, device, step.kind()];
    let interval = interval(step);
    match objects.filter(|_| looks_at_regions(step)) {
        None => {
            let (steps, rate) = sums.per_frame.entry(key).or_default();
            *steps += 1;
            *rate += camera.fps / interval as f64;
        }
        // Both count from the first frame, so they meet at common multiples.
        Some(objects) => {
            let rate = camera.fps / least_common_multiple(objects, interval) as f64;
            *sums.per_object.entry((key, rate.to_bits())).or_default() += 1;
        }
    }
}

/// An element looks at every n-th frame.
fn interval(step: &Step) -> u64 {
    let own = match step.properties().get("inference-interval") {
        Some(Scalar::Int(n)) => u64::try_from(*n).ok(),
        _ => None,
    };
    let configured = match step {
        Step::Detect(detect) => Some(detect.inference_interval.into()),
        _ => None,
    };
    own.or(configured).filter(|n| *n > 0).unwrap_or(1)
}

/// Whether an element looks once at each region of a frame, and not at the whole.
fn looks_at_regions(step: &Step) -> bool {
    match step.properties().get("inference-region") {
        Some(Scalar::Int(n)) => *n == 1,
        Some(Scalar::Text(text)) => text == "roi-list" || text == "1",
        Some(_) => false,
        None => matches!(step, Step::Classify(_)),
    }
}

fn least_common_multiple(one: u64, other: u64) -> u64 {
    let (mut a, mut b) = (one, other);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (one / a).saturating_mul(other)
}

/// To a millionth: sums of rates such as 29.97 are not exact.
fn rounded(rate: f64) -> f64 {
    (rate * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::DialectName;
    use crate::plan::tests::plan;

    fn text(load: &Load) -> String {
        let frames = |what: &str, frames: &Frames| {
            let Frames { pipelines, frames_per_second, bytes_per_second } = frames;
            format!("{what}: {pipelines} pipelines, {frames_per_second} fps, {bytes_per_second} B/s\n")
        };
        let mut text = frames("decoded", &load.decoded) + &frames("raw", &load.raw);
        for Inferences { element, model, precision, device, steps, rate } in &load.inferences {
            text += &format!("{element} {model} {precision} {device}: {steps} x, {rate:?}\n");
        }
        for Elements { element, steps, frames_per_second } in &load.elements {
            text += &format!("{element}: {steps} x, {frames_per_second} fps\n");
        }
        for Scripts { script, runs } in &load.scripts {
            text += &format!("{script}: {runs} x\n");
        }
        text
    }

    #[track_caller]
    fn check(dialect: DialectName, workloads: &[(&str, &[&str])], expect: Expect) {
        expect.assert_eq(&text(&load(&[plan(dialect, workloads)])));
    }

    const DETECT: &str = "gvadetect model=yolo11n precision=INT8 device=CPU inference_interval=3";

    #[test]
    fn a_detector_looks_at_every_third_frame_and_a_classifier_at_the_objects_in_those() {
        let classify = "gvaclassify model=b0 precision=FP16 device=GPU";
        check(
            DialectName::Dlstreamer,
            &[("a", &[DETECT, classify]), ("b", &[DETECT, classify]), ("c", &[DETECT])],
            expect![[r#"
                decoded: 2 pipelines, 30 fps, 10368000 B/s
                raw: 0 pipelines, 0 fps, 0 B/s
                gvadetect yolo11n INT8 CPU: 2 x, PerSecond(10.0)
                gvaclassify b0 FP16 GPU: 1 x, PerSecondPerObject(5.0)
            "#]],
        );
    }

    #[test]
    fn intervals_regions_and_trackers_count() {
        let every_5th = "gvadetect model=m precision=INT8 device=CPU inference-interval=5";
        check(
            DialectName::Dlstreamer,
            &[
                ("lcm", &[every_5th, "gvaclassify model=lcm precision=FP16 device=CPU inference-interval=2"]),
                (
                    "track",
                    &[every_5th, "gvatrack tracking-type=short-term-imageless", "gvaclassify model=track"],
                ),
                ("zero", &[every_5th, "gvatrack tracking-type=zero-term", "gvaclassify model=zero"]),
                ("whole", &[every_5th, "gvaclassify model=whole inference-region=full-frame"]),
                ("infer", &[every_5th, "gvainference model=infer"]),
                ("each", &[every_5th, "gvainference model=each inference-region=roi-list"]),
                ("wrong", &["gvadetect model=wrong inference-interval=0 inference_interval=2"]),
            ],
            expect![[r#"
                decoded: 7 pipelines, 105 fps, 36288000 B/s
                raw: 0 pipelines, 0 fps, 0 B/s
                gvainference infer  : 1 x, PerSecond(15.0)
                gvadetect m INT8 CPU: 6 x, PerSecond(18.0)
                gvaclassify whole  : 1 x, PerSecond(15.0)
                gvadetect wrong  : 1 x, PerSecond(15.0)
                gvainference each  : 1 x, PerSecondPerObject(3.0)
                gvaclassify lcm FP16 CPU: 1 x, PerSecondPerObject(1.5)
                gvaclassify track  : 1 x, PerSecondPerObject(15.0)
                gvaclassify zero  : 1 x, PerSecondPerObject(3.0)
                gvatrack: 2 x, 30 fps
            "#]],
        );
        check(
            DialectName::Stock,
            &[("a", &[DETECT])],
            expect![[r#"
                decoded: 1 pipelines, 15 fps, 5184000 B/s
                raw: 0 pipelines, 0 fps, 0 B/s
                gvadetect yolo11n INT8 CPU: 1 x, PerSecond(5.0)
            "#]],
        );
    }

    #[test]
    fn elements_count_frames_and_scripts_nothing() {
        let mut camera = plan(
            DialectName::Stock,
            &[
                ("a", &["motioncells", "zbar"]),
                ("b", &["zbar", "zbar"]),
                ("s", &["script script=s.sh x=1"]),
                ("t", &["script script=s.sh x=2"]),
                ("v", &["vlm model=m"]),
            ],
        );
        camera.fps = 29.97;
        (camera.width, camera.height) = (641, 361);
        let mut usb = camera.clone();
        usb.source = Source::Usb { device: "/dev/video0".into() };
        let both = load(&[camera, usb]);
        expect![[r#"
            decoded: 2 pipelines, 59.94 fps, 20805264 B/s
            raw: 2 pipelines, 59.94 fps, 20805264 B/s
            motioncells: 2 x, 59.94 fps
            zbar: 6 x, 179.82 fps
            s.sh: 4 x
        "#]]
        .assert_eq(&text(&both));
    }

    #[test]
    fn shared_steps_are_counted_once() {
        let classify = "gvaclassify model=b0 precision=FP16 device=GPU";
        let mut camera = plan(
            DialectName::Dlstreamer,
            &[
                ("a", &[DETECT, "zbar", "x"]),
                ("b", &[DETECT, classify]),
                ("c", &[DETECT, "zbar", "y"]),
                ("d", &["zbar"]),
            ],
        );
        camera.shared = crate::plan::share::shared(&camera.pipelines);
        assert_eq!(crate::plan::summary::decodes_saved(&camera), 2);
        expect![[r#"
            decoded: 2 pipelines, 30 fps, 10368000 B/s
            raw: 0 pipelines, 0 fps, 0 B/s
            gvadetect yolo11n INT8 CPU: 1 x, PerSecond(5.0)
            gvaclassify b0 FP16 GPU: 1 x, PerSecondPerObject(5.0)
            x: 1 x, 15 fps
            y: 1 x, 15 fps
            zbar: 2 x, 30 fps
        "#]]
        .assert_eq(&text(&load(&[camera])));
    }
}
