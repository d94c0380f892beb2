//! Workload files, and that cameras name what they map.

use expect_test::expect;

use super::{Files, WORKLOAD_FILE, WORKLOADS, check, check_camera, check_step, shown};

#[test]
fn workloads_are_mapped() {
    check_camera(
        "Barcodes",
        "barcodse",
        expect![[r#"
            error[LP0404]: the workload `barcodse` is not mapped
              --> configs/camera_to_workload.json:11:23
               |
            11 |         "workloads": ["barcodse"],
               |                       ^^^^^^^^^^ no workload file has it
               |
              ::: configs/workload_to_pipeline.json:3:5
               |
             3 |     "barcodes": [{ "type": "zbar", "properties": { "cache": true, "x-density": 2 } }]
               |     ---------- mapped here
               |
               = help: did you mean `barcodes`?

        "#]],
    );
    check_camera(
        "Barcodes",
        "theft",
        expect![[r#"
            error[LP0404]: the workload `theft` is not mapped
              --> configs/camera_to_workload.json:11:23
               |
            11 |         "workloads": ["theft"],
               |                       ^^^^^^^ no workload file has it
               |
               = help: mapped are: barcodes

        "#]],
    );
    check_camera(
        "[\"Barcodes\"]",
        "[]",
        expect![[r#"
            error[LP0207]: `workloads` must not be empty
              --> configs/camera_to_workload.json:11:22
               |
            11 |         "workloads": [],
               |                      ^^

        "#]],
    );
    check_camera(
        "[\"Barcodes\"]",
        "[\"barcodes\", \"BARCODES\"]",
        expect![[r#"
        warning[LP0410]: the camera names the workload `BARCODES` twice
          --> configs/camera_to_workload.json:11:35
           |
        11 |         "workloads": ["barcodes", "BARCODES"],
           |                       ----------  ^^^^^^^^^^ ignored
           |                       |
           |                       first here

    "#]],
    );
    check_camera(
        "[\"Barcodes\"]",
        "\"barcodes\"",
        expect![[r#"
            error[LP0203]: `workloads` must be a list
              --> configs/camera_to_workload.json:11:22
               |
            11 |         "workloads": "barcodes",
               |                      ^^^^^^^^^^ found the text `barcodes`

        "#]],
    );
}

#[test]
fn a_workload_that_nobody_uses_is_noted() {
    let workloads =
        WORKLOADS.replace("\"barcodes\"", "\"more\": { \"type\": \"identity\" },\n    \"barcodes\"");
    check(
        Files::new().with(WORKLOAD_FILE, workloads),
        expect![[r#"
        note[LP0502]: no camera uses the workload `more`
         --> configs/workload_to_pipeline.json:3:5
          |
        3 |     "more": { "type": "identity" },
          |     ^^^^^^

    "#]],
    );
}

#[test]
fn workloads_have_unique_names_and_slugs() {
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"Bar codes\": [{ \"type\": \"x\" }], \"bar_codes\"");
    check(
        Files::new().with(WORKLOAD_FILE, workloads),
        expect![[r#"
            error[LP0404]: the workload `Barcodes` is not mapped
              --> configs/camera_to_workload.json:11:23
               |
            11 |         "workloads": ["Barcodes"],
               |                       ^^^^^^^^^^ no workload file has it
               |
              ::: configs/workload_to_pipeline.json:3:5
               |
             3 |     "Bar codes": [{ "type": "x" }], "bar_codes": [{ "type": "zbar", "properties": { "cache": true, "x-density": 2 } }]
               |     ----------- mapped here
               |
               = help: did you mean `Bar codes`?

            error[LP0501]: the workloads `Bar codes` and `bar_codes` are one in labels and files
             --> configs/workload_to_pipeline.json:3:37
              |
            3 |     "Bar codes": [{ "type": "x" }], "bar_codes": [{ "type": "zbar", "properties": { "cache": true, "x-density": 2 } }]
              |     ----------- first here          ^^^^^^^^^^^ again here

        "#]],
    );
}

#[test]
fn slips_in_a_step_are_found() {
    check_step(
        r#"{ "type": "gvadetct", "model": "m", "device": "CPU", "precision": "FP16" }"#,
        expect![[r#"
            error[LP0503]: `gvadetct` is no known type of step
             --> configs/workload_to_pipeline.json:3:11
              |
            3 | { "type": "gvadetct", "model": "m", "device": "CPU", "precision": "FP16" }
              |           ^^^^^^^^^^
              |
              = help: did you mean `gvadetect`?

        "#]],
    );
    check_step(
        r#"{ "type": "gvawatermark" }"#,
        expect![[r#"
        error[LP0503]: `gvawatermark` is no known type of step
         --> configs/workload_to_pipeline.json:3:11
          |
        3 | { "type": "gvawatermark" }
          |           ^^^^^^^^^^^^^^
          |
          = help: known are gvadetect, gvaclassify, gvainference, gvatrack, gvapython, vlm, and every GStreamer element by its factory

    "#]],
    );
    check_step(
        r#"{ "type": "zbar ! fakesink" }"#,
        expect![[r#"
        error[LP0503]: `zbar ! fakesink` is no known type of step
         --> configs/workload_to_pipeline.json:3:11
          |
        3 | { "type": "zbar ! fakesink" }
          |           ^^^^^^^^^^^^^^^^^
          |
          = help: known are gvadetect, gvaclassify, gvainference, gvatrack, gvapython, vlm, and every GStreamer element by its factory

    "#]],
    );
    check_step(
        r#"{ "type": "GvaDetect", "model": "../m", "device": "cpux" }"#,
        expect![[r#"
        error[LP0202]: `precision` is missing
         --> configs/workload_to_pipeline.json:3:1
          |
        3 | { "type": "GvaDetect", "model": "../m", "device": "cpux" }
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this table

        error[LP0212]: `model` must be the plain name of a model
         --> configs/workload_to_pipeline.json:3:33
          |
        3 | { "type": "GvaDetect", "model": "../m", "device": "cpux" }
          |                                 ^^^^^^ found the text `../m`

        error[LP0205]: `device` must be one of `CPU`, `GPU`, `NPU`, `GPU.1`
         --> configs/workload_to_pipeline.json:3:51
          |
        3 | { "type": "GvaDetect", "model": "../m", "device": "cpux" }
          |                                                   ^^^^^^ found the text `cpux`
          |
          = help: did you mean `CPU`?

    "#]],
    );
    check_step(
        r#"{ "type": "gvadetect", "model": "m", "device": " gpu.1 ", "precision": "FP61" }"#,
        expect![[r#"
            error[LP0205]: `precision` must be one of `INT8`, `FP16`, `FP32`, `FP16-INT8`, `FP32-INT8`
             --> configs/workload_to_pipeline.json:3:72
              |
            3 | { "type": "gvadetect", "model": "m", "device": " gpu.1 ", "precision": "FP61" }
              |                                                                        ^^^^^^ found the text `FP61`
              |
              = help: did you mean `FP16`?

        "#]],
    );
    check_step(
        r#"{ "type": "gvapython", "module": "../x.py" }"#,
        expect![[r#"
        error[LP0210]: `module` is no path inside the project
         --> configs/workload_to_pipeline.json:3:34
          |
        3 | { "type": "gvapython", "module": "../x.py" }
          |                                  ^^^^^^^^^ `../x.py` leaves the project

    "#]],
    );
    check_step(
        r#"{ "type": "zbar", "model": "m", "properties": { "a b": 1, "c": [1] } }"#,
        expect![[r#"
        warning[LP0201]: unknown key `model`
         --> configs/workload_to_pipeline.json:3:19
          |
        3 | { "type": "zbar", "model": "m", "properties": { "a b": 1, "c": [1] } }
          |                   ^^^^^^^ ignored
          |
          = help: possible here: type, properties

        error[LP0212]: `a b` cannot be the name of a property
         --> configs/workload_to_pipeline.json:3:49
          |
        3 | { "type": "zbar", "model": "m", "properties": { "a b": 1, "c": [1] } }
          |                                                 ^^^^^

        error[LP0203]: `properties.c` must be a boolean, a number or a text without control characters
         --> configs/workload_to_pipeline.json:3:64
          |
        3 | { "type": "zbar", "model": "m", "properties": { "a b": 1, "c": [1] } }
          |                                                                ^^^ found a list

    "#]],
    );
    check_step(
        r#"{ "kind": "zbar" }"#,
        expect![[r#"
        error[LP0202]: `type` is missing
         --> configs/workload_to_pipeline.json:3:1
          |
        3 | { "kind": "zbar" }
          | ^^^^^^^^^^^^^^^^^^ in this step

    "#]],
    );
}

#[test]
fn scripts_are_not_supported_yet() {
    check_step(
        r#"{ "type": "script", "script": "x.sh", "parameters": {} }"#,
        expect![[r#"
        error[LP0209]: steps that run a script are not supported yet
         --> configs/workload_to_pipeline.json:3:11
          |
        3 | { "type": "script", "script": "x.sh", "parameters": {} }
          |           ^^^^^^^^
          |
          = help: a step can be one of GStreamer's elements, or run before the cameras as a `[[task]]`

    "#]],
    );
    check_step(
        r#"{ "script": "x.sh", "parameters": {} }"#,
        expect![[r#"
        error[LP0209]: steps that run a script are not supported yet
         --> configs/workload_to_pipeline.json:3:3
          |
        3 | { "script": "x.sh", "parameters": {} }
          |   ^^^^^^^^
          |
          = help: a step can be one of GStreamer's elements, or run before the cameras as a `[[task]]`

    "#]],
    );
}

#[test]
fn words_of_steps_are_normalised() {
    let step = r#"{ "workload_pipeline_map": { "barcodes": [
        { "type": "GvaDetect", "model": "yolo11n", "device": " gpu.1 ", "precision": "fp16-int8" },
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
            "precision": "FP16-INT8",
            "device": "GPU.1"
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
