//! The detector for scenes, on a scene that it was not trained on: both of its forms, as they are in
//! `configs/models/own`; and settings with which it finds less, which a run is told of.

use std::path::Path;

use serde_json::{Value, json};

use crate::native::{model, models};
use crate::workspace::Workspace;

const OWN: &str = "configs/models/own";
const SCENE: &str = "held-out-square";
const ONNX: &str = "checkout.onnx";
const INT8: &str = "checkout-int8.xml";

/// A step with a form of the detector.
fn step(file: &str, threshold: f64, properties: &[(&str, Value)]) -> Value {
    let mut step = model("gvadetect", "checkout", &format!("{OWN}/{file}"), properties);
    step["threshold"] = json!(threshold);
    step["inference_interval"] = json!(1);
    step
}

fn workloads(steps: &[(&str, Value)]) -> String {
    let steps = steps.iter().map(|(name, step)| ((*name).to_owned(), json!([step])));
    json!({ "workload_pipeline_map": steps.collect::<serde_json::Map<_, _>>() }).to_string()
}

/// A camera that plays the scene once, with a workload for each of these steps; `None` without OpenVINO.
fn till(steps: &[(&str, Value)]) -> Option<Workspace> {
    let folder = models()?;
    let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
    let lane = json!({ "lane_config": { "cameras": [{
        "camera_id": "till", "fileSrc": format!("square.mp4|scene:{SCENE}"), "width": 640, "height": 480, "fps": 15,
        "workloads": names
    }] } });
    let settings = format!("[run]\npace = \"free\"\n[paths]\nmodels = \"{}\"\n", folder.display());
    let ws = Workspace::empty()
        .file("Lpfile.toml", &settings)
        .file("configs/camera_to_workload.json", &lane.to_string())
        .file("configs/workload_to_pipeline.json", &workloads(steps))
        .env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"))
        .unseen_machine();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(OWN);
    for folder in ["configs/scenes", OWN] {
        std::fs::create_dir_all(ws.path(folder)).unwrap();
    }
    for file in [ONNX, INT8, "checkout-int8.bin"] {
        std::fs::copy(root.join(file), ws.path(&format!("{OWN}/{file}"))).unwrap();
    }
    let scene = format!("{SCENE}.toml");
    std::fs::copy(root.join("scenes").join(&scene), ws.path(&format!("configs/scenes/{scene}"))).unwrap();
    Some(ws)
}

/// The figures of the streams of the newest run.
fn streams(ws: &Workspace) -> Vec<Value> {
    let report: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    report["measurement"]["cameras"][0]["streams"].as_array().unwrap().clone()
}

#[test]
fn the_detector_for_scenes_sees_one_that_it_was_not_trained_on() {
    let Some(ws) = till(&[(ONNX, step(ONNX, 0.05, &[])), (INT8, step(INT8, 0.05, &[]))]) else { return };
    ws.lp("run").success();
    let streams = streams(&ws);
    assert_eq!(streams.len(), 2);
    for stream in streams {
        let accuracy = &stream["seen"][0]["accuracy"][0];
        assert_eq!((&accuracy["with"]["truth"], &accuracy["frames"]), (&json!(SCENE), &json!(150)));
        let labels = accuracy["labels"].as_object().unwrap().keys();
        assert_eq!(labels.collect::<Vec<_>>(), ["code", "hand", "item"]);
        let map50 = accuracy["map50"].as_f64().unwrap();
        assert!(map50 >= 0.9, "{}: {map50}", stream["workloads"]);
    }
}

#[test]
fn a_detector_that_gets_its_pictures_in_another_way_is_faster_but_wrong() {
    let Some(ws) = till(&[("see", step(ONNX, 0.35, &[]))]) else { return };
    ws.lp("run").success();
    let change = |step: Value| ws.write("configs/workload_to_pipeline.json", &workloads(&[("see", step)]));
    let marked = |what: &str| {
        let ended = ws.lp("run").code(1);
        assert!(ended.stdout.contains("1 is faster but wrong"), "{what}: {}", ended.stdout);
        let stream = &streams(&ws)[0];
        assert_eq!(stream["verdict"], "faster_but_wrong", "{what}");
    };
    // INT8 finds what FP32 finds, and may be faster.
    change(step(INT8, 0.35, &[]));
    ws.lp("run").success();
    assert_eq!(streams(&ws)[0]["verdict"], "not_judged");
    // Red and blue are exchanged, by the property or by a model-proc file.
    change(step(ONNX, 0.35, &[("pre-process-config", json!("color_space=RGB"))]));
    marked("a property");
    let proc = json!({ "json_schema_version": "2.2.0", "output_postproc": [],
                       "input_preproc": [{ "format": "image", "params": { "color_space": "RGB" } }] });
    ws.write("configs/rgb.json", &proc.to_string());
    change(step(ONNX, 0.35, &[("model-proc", json!("configs/rgb.json"))]));
    marked("a model-proc file");
    // The square in the middle of the picture only.
    change(step(ONNX, 0.35, &[("pre-process-config", json!("resize_type=crop"))]));
    marked("a part of the picture");
    // Of its places there are as many as the model was made for.
    change(step(ONNX, 0.35, &[("reshape-width", json!(128)), ("reshape-height", json!(72))]));
    ws.lp("run").code(1).stderr_has("`checkout.onnx` cannot be made to take [1, 3, 72, 128]: ");
}
