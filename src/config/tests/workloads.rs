//! Workload files, and that cameras name what they map.

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, WORKLOAD_FILE, WORKLOADS, check, check_step, shown};

#[test]
fn a_workload_that_is_twice_there_is_mapped_all_the_same() {
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"TÜR\": [{ \"type\": \"zbar\" }], \"tür\"");
    check(
        Files::new()
            .with(WORKLOAD_FILE, workloads)
            .with(CAMERA_FILE, CAMERAS.replace("[\"Barcodes\"]", "[\"tür\"]")),
        expect![[r#"
            LP0501 configs/workload_to_pipeline.json:3:34 the workloads `TÜR` and `tür` are one in labels and files also configs/workload_to_pipeline.json:3:5
        "#]],
    );
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"a b\": [{ \"type\": \"zbar\" }], \"a.b\"");
    check(
        Files::new()
            .with(WORKLOAD_FILE, workloads)
            .with(CAMERA_FILE, CAMERAS.replace("[\"Barcodes\"]", "[\"a b\", \"a.b\"]")),
        expect![[r#"
            LP0501 configs/workload_to_pipeline.json:3:34 the workloads `a b` and `a.b` are one in labels and files also configs/workload_to_pipeline.json:3:5
        "#]],
    );
}

#[test]
fn names_of_any_script_are_taken_side_by_side() {
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"入口\": [{ \"type\": \"zbar\" }], \"出口\"");
    let (head, rest) = CAMERAS.split_once("      {\n").unwrap();
    let (camera, tail) = rest.rsplit_once("\n    ]").unwrap();
    let camera = camera.replace("[\"Barcodes\"]", "[\"入口\", \"出口\"]");
    let two = ["入口", "出口"].map(|name| format!("      {{\n{}", camera.replace("cam1", name)));
    let cameras = format!("{head}{}\n    ]{tail}", two.join(",\n"));
    let files = Files::new().with(WORKLOAD_FILE, workloads).with(CAMERA_FILE, cameras);
    let task = "[[task]]\nname = \"入出\"\ncommand = [\"x\"]\n";
    let loaded = files.with("Lpfile.toml", task).load(|_| {});
    assert_eq!(shown(&loaded), "");
    let project = loaded.project.unwrap();
    let slugs: Vec<&str> = project.cameras.iter().map(|camera| camera.slug.as_str()).collect();
    assert_eq!(slugs, ["__-9fbf9f", "__-5366e8"]);
}

#[test]
fn the_keys_of_a_step_without_a_type_are_not_judged() {
    check_step(
        r#"{ "kind": "zbar" }"#,
        expect![[r#"
            LP0202 configs/workload_to_pipeline.json:3:1 `type` is missing
        "#]],
    );
}

#[test]
fn a_script_is_a_workload_by_itself() {
    let workloads = r#"{
  "workload_definitions": {
    "barcodes": { "script": "./pipelines/codes.sh", "type": "object_detection", "parameters": { "top-k": 3 } }
  }
}"#;
    let loaded = Files::new().with(WORKLOAD_FILE, workloads).load(|_| {});
    assert_eq!(shown(&loaded), "");
    expect![[r#"[{"type":"script","script":"pipelines/codes.sh","parameters":{"top-k":3}}]"#]]
        .assert_eq(&serde_json::to_string(&loaded.project.unwrap().workloads[0].steps).unwrap());
    check_step(r#"{ "script": "x.sh", "parameters": {} }"#, expect![""]);
    check_step(
        r#"{ "type": "script" }"#,
        expect![[r#"
            LP0202 configs/workload_to_pipeline.json:3:1 `script` is missing
        "#]],
    );
    check_step(
        r#"{ "script": "x.sh", "parameters": { "a b": 1, "c": [] }, "modle": 1 }"#,
        expect![[r#"
            LP0212 configs/workload_to_pipeline.json:3:37 `a b` cannot be the name of a property
            LP0203 configs/workload_to_pipeline.json:3:52 `parameters.c` must be a boolean, a number or a text without control characters
            warning LP0201 configs/workload_to_pipeline.json:3:58 unknown key `modle`; possible here: script, type, parameters
        "#]],
    );
}

#[test]
fn a_step_that_cannot_be_read_may_have_been_the_detector() {
    let classify =
        r#"{ "type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8" }"#;
    check_step(
        &format!("{{ \"type\": \"gvadetekt\" }},\n{classify}"),
        expect![[r#"
            LP0503 configs/workload_to_pipeline.json:3:11 `gvadetekt` is no known type of step; did you mean `gvadetect`?
        "#]],
    );
}

#[test]
fn words_of_steps_are_normalised() {
    let step = r#"{ "workload_pipeline_map": { "barcodes": [
        { "type": "GvaDetect", "model": "yolo11n", "device": " gpu.1 ", "precision": "fp16" },
        { "type": "gvatrack" },
        { "type": "gvapython", "module": "person_reid.py", "function": "process_frame" },
        { "type": "vlm", "model": "yolo11n", "device": "CPU", "precision": "FP16",
          "vlm_model": "Qwen/Qwen2.5-VL-7B-Instruct", "vlm_device": "GPU", "vlm_precision": "int8" }
    ] } }"#;
    let loaded = Files::new().with(WORKLOAD_FILE, step).load(|_| {});
    assert_eq!(shown(&loaded), "");
    let steps = &loaded.project.unwrap().workloads[0].steps;
    expect![[r#"
        [
          {
            "type": "gvadetect",
            "model": "yolo11n",
            "precision": "FP16",
            "device": "GPU.1",
            "batch_size": 1,
            "inference_interval": 3,
            "threshold": 0.5
          },
          {
            "type": "gvatrack"
          },
          {
            "type": "gvapython",
            "module": "person_reid.py",
            "function": "process_frame"
          },
          {
            "type": "vlm",
            "model": "yolo11n",
            "precision": "FP16",
            "device": "CPU",
            "properties": {
              "vlm_device": "GPU",
              "vlm_model": "Qwen/Qwen2.5-VL-7B-Instruct",
              "vlm_precision": "int8"
            }
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(steps).unwrap());
}
