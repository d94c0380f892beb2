//! The detector for scenes, on a scene that it was not trained on: both of its forms, as they are in
//! `configs/models/own`.

use std::path::Path;

use serde_json::{Value, json};

use crate::native::{model, models};
use crate::workspace::Workspace;

const OWN: &str = "configs/models/own";

#[test]
fn the_detector_for_scenes_sees_one_that_it_was_not_trained_on() {
    let Some(folder) = models() else { return };
    let forms = ["checkout.onnx", "checkout-int8.xml"];
    let step = |file: &str| {
        let mut step = model("gvadetect", "checkout", &format!("{OWN}/{file}"), &[]);
        step["threshold"] = json!(0.05);
        step["inference_interval"] = json!(1);
        step
    };
    let lane = json!({ "lane_config": { "cameras": [{
        "camera_id": "till", "fileSrc": "square.mp4|scene:held-out-square", "width": 640, "height": 480, "fps": 15,
        "workloads": forms
    }] } });
    let workloads =
        json!({ "workload_pipeline_map": { forms[0]: [step(forms[0])], forms[1]: [step(forms[1])] } });
    let settings = format!("[run]\npace = \"free\"\n[paths]\nmodels = \"{}\"\n", folder.display());
    let ws = Workspace::empty()
        .file("Lpfile.toml", &settings)
        .file("configs/camera_to_workload.json", &lane.to_string())
        .file("configs/workload_to_pipeline.json", &workloads.to_string())
        .env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(OWN);
    for folder in ["configs/scenes", OWN] {
        std::fs::create_dir_all(ws.path(folder)).unwrap();
    }
    for file in forms.into_iter().chain(["checkout-int8.bin"]) {
        std::fs::copy(root.join(file), ws.path(&format!("{OWN}/{file}"))).unwrap();
    }
    let scene = "held-out-square.toml";
    std::fs::copy(root.join("scenes").join(scene), ws.path(&format!("configs/scenes/{scene}"))).unwrap();
    ws.lp("run").success();

    let report: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    let streams = report["measurement"]["cameras"][0]["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 2);
    for stream in streams {
        let accuracy = &stream["seen"][0]["accuracy"][0];
        assert_eq!(
            (&accuracy["with"]["truth"], &accuracy["frames"]),
            (&json!("held-out-square"), &json!(150))
        );
        let labels = accuracy["labels"].as_object().unwrap().keys();
        assert_eq!(labels.collect::<Vec<_>>(), ["code", "hand", "item"]);
        let map50 = accuracy["map50"].as_f64().unwrap();
        assert!(map50 >= 0.9, "{}: {map50}", stream["workloads"]);
    }
}
