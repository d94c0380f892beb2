//! Workload files, and the names by which cameras use them.

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, WORKLOAD_FILE, WORKLOADS, check, check_step, shown};

#[test]
fn a_duplicate_workload_is_still_mapped() {
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"TÜR\": [{ \"type\": \"zbar\" }], \"tür\"");
    check(
        Files::new()
            .with(WORKLOAD_FILE, workloads)
            .with(CAMERA_FILE, CAMERAS.replace("[\"Barcodes\"]", "[\"tür\"]")),
        expect![[r#"
            LP0501 configs/workload_to_pipeline.json:3:34 the workloads `TÜR` and `tür` have the same name in labels and files also configs/workload_to_pipeline.json:3:5
        "#]],
    );
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"a b\": [{ \"type\": \"zbar\" }], \"a.b\"");
    check(
        Files::new()
            .with(WORKLOAD_FILE, workloads)
            .with(CAMERA_FILE, CAMERAS.replace("[\"Barcodes\"]", "[\"a b\", \"a.b\"]")),
        expect![[r#"
            LP0501 configs/workload_to_pipeline.json:3:34 the workloads `a b` and `a.b` have the same name in labels and files also configs/workload_to_pipeline.json:3:5
        "#]],
    );
}

#[test]
fn names_in_all_writing_systems_are_accepted() {
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
fn keys_of_a_step_without_a_type_are_not_checked() {
    check_step(
        r#"{ "kind": "zbar" }"#,
        expect![[r#"
            LP0202 configs/workload_to_pipeline.json:3:1 `type` is missing
        "#]],
    );
}

#[test]
fn a_script_is_the_only_step_of_its_workload() {
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
            LP0203 configs/workload_to_pipeline.json:3:52 `parameters.c` must be a boolean, a number or a string without control characters
            warning LP0201 configs/workload_to_pipeline.json:3:58 unknown key `modle`; possible here: script, type, parameters
        "#]],
    );
}

#[test]
fn a_faulty_step_counts_as_a_possible_detector() {
    let classify =
        r#"{ "type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8" }"#;
    check_step(
        &format!("{{ \"type\": \"gvadetekt\" }},\n{classify}"),
        expect![[r#"
            LP0503 configs/workload_to_pipeline.json:3:11 the step type `gvadetekt` is unknown; did you mean `gvadetect`?
        "#]],
    );
}

#[test]
fn a_python_step_without_a_module_is_no_detector_and_no_tee() {
    let classify =
        r#"{ "type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8" }"#;
    check_step(
        &format!("{{ \"type\": \"gvapython\" }},\n{classify},\n{{ \"type\": \"zbar\", \"from\": \"t\" }}"),
        expect![[r#"
            LP0202 configs/workload_to_pipeline.json:3:1 `module` is missing
            LP0506 configs/workload_to_pipeline.json:4:11 `gvaclassify` has nothing to classify; put a `gvadetect` step before it
            LP0512 configs/workload_to_pipeline.json:5:19 a workload with inference steps cannot branch also configs/workload_to_pipeline.json:3:11; to see what the models find: a run keeps a picture of each stream that infers, with boxes and labels, in `report.html` and as `snapshot.jpg` beside it
            LP0509 configs/workload_to_pipeline.json:5:27 no tee before this step has the name `t`; give a tee a name: `{"type": "tee", "name": "t"}`
        "#]],
    );
}

#[test]
fn step_types_are_normalised() {
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
