//! Models of registries on clips, and what an independent program sees there: `reference/reference.py`.
//!
//! Every case is a camera with one model. What `lp-worker` publishes of it is compared frame by frame: the
//! same detections, at an intersection over union of 0.99 and with scores within 0.001; or the same class.

use serde_json::{Value, json};

/// The least intersection over union of boxes that are the same.
const LEAST_OVERLAP: f64 = 0.99;
/// The most that two scores of one thing differ.
const MOST_OFF: f64 = 1e-3;

/// A camera with one model.
#[derive(Clone)]
pub(crate) struct Case {
    /// The name of the camera and of its workload.
    pub(crate) name: &'static str,
    /// The model's file below the folder of models.
    pub(crate) model: &'static str,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// A detector: a decoder of the reference, and the least score.
    Boxes { decoder: &'static str, threshold: f64 },
    /// A classifier of the face, with so many classes.
    Classes { n: usize },
}

const FACES: [Case; 2] = [
    Case {
        name: "short-range",
        model: "object_detection/blazeface-short-range/FP16/blazeface-short-range.tflite",
        kind: Kind::Boxes { decoder: "mediapipe_face", threshold: 0.5 },
    },
    Case {
        name: "full-range",
        model: "object_detection/blazeface-full-range/FP16/blazeface-full-range.tflite",
        kind: Kind::Boxes { decoder: "mediapipe_face", threshold: 0.5 },
    },
];

const CLASSES: [Case; 2] = [
    Case {
        name: "age",
        model: "object_classification/age-v1/FP32/age-v1.onnx",
        kind: Kind::Classes { n: 81 },
    },
    Case {
        name: "gender",
        model: "object_classification/gender-v1/FP32/gender-v1.onnx",
        kind: Kind::Classes { n: 2 },
    },
];

/// It comes from npm.
const SSD: Case = Case {
    name: "ssd",
    model: "object_detection/ssd-mobilenet-v2-objectron/FP16/ssd-mobilenet-v2-objectron.tflite",
    kind: Kind::Boxes { decoder: "mediapipe_ssd", threshold: 0.3 },
};

/// What `reference.py yolo` builds.
pub(crate) const YOLO: Case = Case {
    name: "yolo",
    model: "object_detection/yolo/FP32/yolo.xml",
    kind: Kind::Boxes { decoder: "yolo", threshold: 0.5 },
};

/// The models of registries; without npm, one is left out.
pub(crate) fn cases(has_npm: bool) -> Vec<Case> {
    FACES.into_iter().chain(CLASSES).chain(has_npm.then_some(SSD)).collect()
}

/// A clip with its size and rate, and the face in it: x, y, x2, y2.
pub(crate) struct Clip {
    pub(crate) file: &'static str,
    pub(crate) size: [u32; 2],
    pub(crate) fps: u32,
    pub(crate) face: [u32; 4],
}

impl Case {
    /// Whether OpenVINO gives it the same bytes with one thread and with two. It sums the fully connected layer of
    /// `gender-v1` in another order then: the last bit of a score differs, also in Python.
    pub(crate) fn is_same_with_two_threads(&self) -> bool {
        self.name != "gender"
    }

    /// The same with another name.
    pub(crate) fn named(self, name: &'static str) -> Case {
        Case { name, ..self }
    }

    /// The steps of its workload, with what `ie-config` sets.
    fn steps(&self, ie_config: &str) -> Value {
        let parts: Vec<&str> = self.model.split('/').collect();
        let mut properties = json!({ "model": format!("models/{}", self.model) });
        // An IR says of itself how it wants its pictures.
        if !self.model.ends_with(".xml") {
            properties["model-proc"] = json!(format!("configs/{}.json", self.name));
        }
        if !ie_config.is_empty() {
            properties["ie-config"] = json!(ie_config);
        }
        let mut step = json!({ "model": parts[1], "precision": parts[2], "device": "CPU" });
        match self.kind {
            Kind::Boxes { threshold, .. } => {
                properties["threshold"] = json!(threshold);
                step["type"] = json!("gvadetect");
                step["inference_interval"] = json!(1);
                step["properties"] = properties;
                json!([step])
            }
            // Classifiers must follow a detector. This one is never sure enough of anything.
            Kind::Classes { .. } => {
                step["type"] = json!("gvaclassify");
                step["properties"] = properties;
                let mut before = FACES[0].steps("")[0].take();
                before["inference_interval"] = json!(10_000);
                before["properties"]["threshold"] = json!(1.0);
                json!([before, step])
            }
        }
    }

    /// Its model-proc file: DL Streamer's description of the model.
    fn model_proc(&self) -> Value {
        let (params, output) = match self.kind {
            Kind::Boxes { .. } => (json!({ "color_space": "RGB", "range": [-1, 1] }), json!([])),
            Kind::Classes { n } => {
                let labels: Vec<String> = (0..n).map(|class| format!("class {class}")).collect();
                let params = json!({ "color_space": "RGB", "mean": [122.782, 117.001, 104.298], "std": [256, 256, 256] });
                let output = json!([{ "attribute_name": "said", "converter": "label", "method": "max", "labels": labels }]);
                (params, output)
            }
        };
        json!({ "json_schema_version": "2.2.0", "input_preproc": [{ "format": "image", "params": params }],
                "output_postproc": output })
    }

    /// What `reference.py see` has to be told.
    pub(crate) fn asked(&self, clip: &Clip, file: &str, models: &str, frames: usize) -> Value {
        let mut asked =
            json!({ "clip": file, "model": format!("{models}/{}", self.model), "frames": frames });
        match self.kind {
            Kind::Boxes { decoder: "yolo", threshold } => {
                asked["kind"] = json!("yolo");
                asked["threshold"] = json!(threshold);
                asked["divisor"] = json!(255.0);
            }
            Kind::Boxes { decoder, threshold } => {
                asked["kind"] = json!(decoder);
                asked["threshold"] = json!(threshold);
                asked["mean"] = json!(127.5);
                asked["divisor"] = json!(127.5);
            }
            Kind::Classes { n } => {
                let [x, y, x2, y2] = clip.face;
                asked["kind"] = json!("classes");
                asked["region"] = json!([x, y, x2 - x, y2 - y]);
                asked["side"] = json!(if n == 2 { 32 } else { 64 });
                asked["mean"] = json!([122.782, 117.001, 104.298]);
                asked["divisor"] = json!(256.0);
            }
        }
        asked
    }

    /// Compares what was published with what the reference sees.
    ///
    /// # Errors
    /// What differs, with its frame.
    pub(crate) fn compare(&self, published: &str, expected: &str, fps: u32) -> Result<Tally, String> {
        let expected: Vec<Vec<Value>> = serde_json::from_str(expected).map_err(|error| error.to_string())?;
        let mut found = vec![Vec::new(); expected.len()];
        for line in published.lines() {
            let line: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
            let time = line["timestamp"].as_u64().ok_or("a line has no time")?;
            let frame = (time as f64 * f64::from(fps) / 1e9).round() as usize;
            if let Some(found) = found.get_mut(frame) {
                found.extend(line["objects"].as_array().into_iter().flatten().cloned());
            }
        }
        let mut tally = Tally { frames: expected.len(), objects: 0, unsure: 0, overlap: 1.0, off: 0.0 };
        for (n, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let fault = match self.kind {
                Kind::Boxes { .. } => tally.boxes(found, expected),
                Kind::Classes { .. } => tally.classes(found, expected),
            };
            fault.map_err(|fault| format!("{}: frame {n}: {fault}", self.name))?;
        }
        Ok(tally)
    }
}

/// The files of a project with a camera for each case, that plays its clip once.
pub(crate) fn project(cases: &[(&Case, &Clip)], ie_config: &str) -> Vec<(String, String)> {
    let camera = |(case, clip): &(&Case, &Clip)| {
        let [width, height] = clip.size;
        let mut camera = json!({ "camera_id": case.name, "fileSrc": clip.file, "width": width, "height": height,
                                 "fps": clip.fps, "workloads": [case.name] });
        if let Kind::Classes { .. } = case.kind {
            let [x, y, x2, y2] = clip.face;
            camera["region_of_interest"] = json!({ "x": x, "y": y, "x2": x2, "y2": y2 });
        }
        camera
    };
    let cameras: Vec<Value> = cases.iter().map(camera).collect();
    let workloads: serde_json::Map<String, Value> =
        cases.iter().map(|(case, _)| (case.name.to_owned(), case.steps(ie_config))).collect();
    let mut files = vec![
        (
            "configs/camera_to_workload.json".to_owned(),
            json!({ "lane_config": { "cameras": cameras } }).to_string(),
        ),
        (
            "configs/workload_to_pipeline.json".to_owned(),
            json!({ "workload_pipeline_map": workloads }).to_string(),
        ),
    ];
    let described =
        |(case, _): &(&Case, &Clip)| (format!("configs/{}.json", case.name), case.model_proc().to_string());
    files.extend(cases.iter().map(described));
    files.push((format!("configs/{}.json", FACES[0].name), FACES[0].model_proc().to_string()));
    files
}

/// Where a camera's lines are in a project, after a run.
pub(crate) fn published(case: &Case) -> String {
    format!("results/latest/{0}/1/rs-{0}_1.jsonl", case.name)
}

/// What was compared.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) frames: usize,
    pub(crate) objects: usize,
    /// Detections of which the reference is not sure, and which were not published.
    pub(crate) unsure: usize,
    /// The least overlap of boxes, and the most that scores are off.
    pub(crate) overlap: f64,
    pub(crate) off: f64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { frames, objects, unsure, overlap, off } = self;
        write!(f, "{objects} objects in {frames} frames, {unsure} more may be there, ")?;
        write!(f, "overlap at least {overlap:.4}, scores off by at most {off:.6}")
    }
}

impl Tally {
    fn boxes(&mut self, found: &[Value], expected: &[Value]) -> Result<(), String> {
        let mut left: Vec<(Vec<f64>, f64, u64)> = Vec::new();
        for object in found {
            let detection = &object["detection"];
            let sides =
                ["x_min", "y_min", "x_max", "y_max"].map(|side| detection["bounding_box"][side].as_f64());
            let sides = sides.into_iter().collect::<Option<Vec<f64>>>().ok_or_else(|| object.to_string())?;
            let (score, class) = (detection["confidence"].as_f64(), detection["label_id"].as_u64());
            left.push((sides, score.unwrap_or(f64::NAN), class.unwrap_or(u64::MAX)));
        }
        for one in expected {
            let sides: Vec<f64> =
                one["box"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
            let (score, class) = (one["score"].as_f64().unwrap_or(f64::NAN), one["class"].as_u64());
            let same = left
                .iter()
                .enumerate()
                .filter(|(_, (_, _, other))| Some(*other) == class)
                .map(|(n, (other, ..))| (n, overlap(other, &sides)))
                .filter(|(_, shared)| *shared >= LEAST_OVERLAP)
                .max_by(|a, b| a.1.total_cmp(&b.1));
            match same {
                Some((n, shared)) => {
                    let (_, found, _) = left.swap_remove(n);
                    let off = (found - score).abs();
                    if off.is_nan() || off > MOST_OFF {
                        return Err(format!("the score {found} is not that of {one}"));
                    }
                    self.objects += 1;
                    self.overlap = self.overlap.min(shared);
                    self.off = self.off.max(off);
                }
                None if one["sure"] == json!(false) => self.unsure += 1,
                None => return Err(format!("{one} is not among {left:?}")),
            }
        }
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?} is not expected")) }
    }

    fn classes(&mut self, found: &[Value], expected: &[Value]) -> Result<(), String> {
        let ([found], [expected]) = (found, expected) else {
            return Err(format!("{found:?} instead of {expected:?}"));
        };
        let said = &found["said"];
        let class = said["label_id"].as_u64().map(|class| class.to_string()).unwrap_or_default();
        let scores = said["confidence"].as_f64().zip(expected[class].as_f64());
        let off = scores.map_or(f64::NAN, |(found, expected)| (found - expected).abs());
        if off.is_nan() || off > MOST_OFF {
            return Err(format!("{said} instead of {expected}"));
        }
        self.objects += 1;
        self.off = self.off.max(off);
        Ok(())
    }
}

/// The intersection of two boxes over their union.
fn overlap(one: &[f64], other: &[f64]) -> f64 {
    let (&[a, b, c, d], &[e, f, g, h]) = (one, other) else { return 0.0 };
    let shared = (c.min(g) - a.max(e)).max(0.0) * (d.min(h) - b.max(f)).max(0.0);
    shared / ((c - a) * (d - b) + (g - e) * (h - f) - shared)
}
