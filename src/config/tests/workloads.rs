//! Workload files, and that cameras name what they map.

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, WORKLOAD_FILE, WORKLOADS, check, check_camera, check_step, shown};

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
            note[LP0413]: `workloads` is a single text, which is an older form
              --> configs/camera_to_workload.json:11:22
               |
            11 |         "workloads": "barcodes",
               |                      ^^^^^^^^^^
               |
               = help: write ["barcodes"]

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

            note[LP0507]: the workload `more` is a single step, which is an older form
             --> configs/workload_to_pipeline.json:3:13
              |
            3 |     "more": { "type": "identity" },
              |             ^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: write a list of steps: `[{ ... }]`

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
fn a_workload_that_is_twice_there_is_mapped_all_the_same() {
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"TÜR\": [{ \"type\": \"zbar\" }], \"tür\"");
    check(
        Files::new()
            .with(WORKLOAD_FILE, workloads)
            .with(CAMERA_FILE, CAMERAS.replace("[\"Barcodes\"]", "[\"tür\"]")),
        expect![[r#"
            error[LP0501]: the workloads `TÜR` and `tür` are one in labels and files
             --> configs/workload_to_pipeline.json:3:34
              |
            3 |     "TÜR": [{ "type": "zbar" }], "tür": [{ "type": "zbar", "properties": { "cache": true, "x-density": 2 } }]
              |     ----- first here             ^^^^^ again here

        "#]],
    );
    let workloads = WORKLOADS.replace("\"barcodes\"", "\"a b\": [{ \"type\": \"zbar\" }], \"a.b\"");
    check(
        Files::new()
            .with(WORKLOAD_FILE, workloads)
            .with(CAMERA_FILE, CAMERAS.replace("[\"Barcodes\"]", "[\"a b\", \"a.b\"]")),
        expect![[r#"
            error[LP0501]: the workloads `a b` and `a.b` are one in labels and files
             --> configs/workload_to_pipeline.json:3:34
              |
            3 |     "a b": [{ "type": "zbar" }], "a.b": [{ "type": "zbar", "properties": { "cache": true, "x-density": 2 } }]
              |     ----- first here             ^^^^^ again here

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
              = help: known are gvadetect, gvaclassify, gvainference, gvatrack, gvapython, vlm, script, and every GStreamer element by its factory

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
              = help: known are gvadetect, gvaclassify, gvainference, gvatrack, gvapython, vlm, script, and every GStreamer element by its factory

        "#]],
    );
    check_step(
        r#"{ "type": "GvaDetect", "model": "../m", "device": "cpux" }"#,
        expect![[r#"
            error[LP0202]: `precision` is missing
             --> configs/workload_to_pipeline.json:3:1
              |
            3 | { "type": "GvaDetect", "model": "../m", "device": "cpux" }
              | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ in this object

            error[LP0212]: `model` must be the plain name of a model
             --> configs/workload_to_pipeline.json:3:33
              |
            3 | { "type": "GvaDetect", "model": "../m", "device": "cpux" }
              |                                 ^^^^^^ found the text `../m`
              |
              = help: write `yolo11n`, without a folder

            error[LP0205]: `device` must be a device such as `CPU`, `GPU`, `GPU.1`, `NPU`, `AUTO` or `HETERO:GPU,CPU`
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
            warning[LP0505]: `m` is no model that is known
             --> configs/workload_to_pipeline.json:3:33
              |
            3 | { "type": "gvadetect", "model": "m", "device": " gpu.1 ", "precision": "FP61" }
              |                                 ^^^
              |
              = help: if it is your own, have its files in the models folder

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
              = help: possible here: type, properties, from, caps

            error[LP0212]: `a b` cannot be the name of a property
             --> configs/workload_to_pipeline.json:3:49
              |
            3 | { "type": "zbar", "model": "m", "properties": { "a b": 1, "c": [1] } }
              |                                                 ^^^^^ letters, digits, `-` and `_`, a letter first

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
            error[LP0202]: `script` is missing
             --> configs/workload_to_pipeline.json:3:1
              |
            3 | { "type": "script" }
              | ^^^^^^^^^^^^^^^^^^^^ in this object

        "#]],
    );
    check_step(
        r#"{ "script": "../x.sh" }"#,
        expect![[r#"
        error[LP0210]: `script` is no path inside the project
         --> configs/workload_to_pipeline.json:3:13
          |
        3 | { "script": "../x.sh" }
          |             ^^^^^^^^^ `../x.sh` leaves the project

    "#]],
    );
    check_step(
        "{ \"script\": \"x.sh\" },\n{ \"type\": \"zbar\" }",
        expect![[r#"
        error[LP0508]: a script stands beside other steps
         --> configs/workload_to_pipeline.json:3:1
          |
        3 | { "script": "x.sh" },
          | ^^^^^^^^^^^^^^^^^^^^ a script is a whole workload by itself
          |
          = help: give it a workload of its own

    "#]],
    );
    check_step(
        r#"{ "script": "x.sh", "parameters": { "a b": 1, "c": [] }, "modle": 1 }"#,
        expect![[r#"
        error[LP0212]: `a b` cannot be the name of a property
         --> configs/workload_to_pipeline.json:3:37
          |
        3 | { "script": "x.sh", "parameters": { "a b": 1, "c": [] }, "modle": 1 }
          |                                     ^^^^^ letters, digits, `-` and `_`, a letter first

        error[LP0203]: `parameters.c` must be a boolean, a number or a text without control characters
         --> configs/workload_to_pipeline.json:3:52
          |
        3 | { "script": "x.sh", "parameters": { "a b": 1, "c": [] }, "modle": 1 }
          |                                                    ^^ found a list

        warning[LP0201]: unknown key `modle`
         --> configs/workload_to_pipeline.json:3:58
          |
        3 | { "script": "x.sh", "parameters": { "a b": 1, "c": [] }, "modle": 1 }
          |                                                          ^^^^^^^ ignored
          |
          = help: possible here: script, type, parameters

    "#]],
    );
}

#[test]
fn a_step_needs_what_it_works_on() {
    let classify =
        r#"{ "type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8" }"#;
    check_step(
        classify,
        expect![[r#"
        error[LP0506]: `gvaclassify` has nothing to classify
         --> configs/workload_to_pipeline.json:3:11
          |
        3 | { "type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8" }
          |           ^^^^^^^^^^^^^ no step before it detects objects
          |
          = help: put a `gvadetect` step before it

    "#]],
    );
    // A step that cannot be read may have been the detector.
    check_step(
        &format!("{{ \"type\": \"gvadetekt\" }},\n{classify}"),
        expect![[r#"
        error[LP0503]: `gvadetekt` is no known type of step
         --> configs/workload_to_pipeline.json:3:11
          |
        3 | { "type": "gvadetekt" },
          |           ^^^^^^^^^^^
          |
          = help: did you mean `gvadetect`?

    "#]],
    );
}

#[test]
fn models_exist_in_certain_precisions() {
    check_step(
        r#"{ "type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "FP16-INT8" }"#,
        expect![[r#"
            error[LP0504]: `yolo11n` does not exist in FP16-INT8
             --> configs/workload_to_pipeline.json:3:74
              |
            3 | { "type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "FP16-INT8" }
              |                                 --------- this model                     ^^^^^^^^^^^
              |
              = help: it exists in FP32, FP16, INT8

        "#]],
    );
    check_step(
        r#"{ "type": "gvadetect", "model": "yolo11nn", "device": "HETERO:GPU, cpu", "precision": "FP16" }"#,
        expect![[r#"
            warning[LP0505]: `yolo11nn` is no model that is known
             --> configs/workload_to_pipeline.json:3:33
              |
            3 | { "type": "gvadetect", "model": "yolo11nn", "device": "HETERO:GPU, cpu", "precision": "FP16" }
              |                                 ^^^^^^^^^^
              |
              = help: did you mean `yolo11n`?

        "#]],
    );
    check_step(
        r#"{ "type": "gvadetect", "model": "of-our-own", "device": "HETERO", "precision": "FP16" }"#,
        expect![[r#"
            warning[LP0505]: `of-our-own` is no model that is known
             --> configs/workload_to_pipeline.json:3:33
              |
            3 | { "type": "gvadetect", "model": "of-our-own", "device": "HETERO", "precision": "FP16" }
              |                                 ^^^^^^^^^^^^
              |
              = help: if it is your own, have its files in the models folder

            error[LP0205]: `device` must be `HETERO` with its devices, such as `HETERO:GPU,CPU`
             --> configs/workload_to_pipeline.json:3:57
              |
            3 | { "type": "gvadetect", "model": "of-our-own", "device": "HETERO", "precision": "FP16" }
              |                                                         ^^^^^^^^ found the text `HETERO`

        "#]],
    );
}

#[test]
fn older_forms_of_steps_are_noted() {
    let old = r#"{ "type": "gvadetect", "model": "yolo11n.xml", "device": "CPU", "precision": "FP16",
  "model_instance_id": "detect1",
  "region_of_interest": { "x": 0, "y": 0, "width": 640, "height": 720 } }"#;
    check_step(
        old,
        expect![[r#"
            note[LP0507]: `model` names a file, which is an older form
             --> configs/workload_to_pipeline.json:3:33
              |
            3 | { "type": "gvadetect", "model": "yolo11n.xml", "device": "CPU", "precision": "FP16",
              |                                 ^^^^^^^^^^^^^
              |
              = help: write `yolo11n`

            note[LP0507]: `model_instance_id` is of an older form
             --> configs/workload_to_pipeline.json:4:3
              |
            4 |   "model_instance_id": "detect1",
              |   ^^^^^^^^^^^^^^^^^^^ not used
              |
              = help: leave it out: `lp` shares models by what they are

            note[LP0507]: a step has a region, which is an older form
             --> configs/workload_to_pipeline.json:5:25
              |
            5 |   "region_of_interest": { "x": 0, "y": 0, "width": 640, "height": 720 } }
              |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: a region belongs to a camera now: give `"region_of_interest": { "x": 0, "y": 0, "x2": 640, "y2": 720 }` to each camera of this workload

        "#]],
    );
    check_step(
        &old.replace("640", "639"),
        expect![[r#"
            note[LP0507]: `model` names a file, which is an older form
             --> configs/workload_to_pipeline.json:3:33
              |
            3 | { "type": "gvadetect", "model": "yolo11n.xml", "device": "CPU", "precision": "FP16",
              |                                 ^^^^^^^^^^^^^
              |
              = help: write `yolo11n`

            note[LP0507]: `model_instance_id` is of an older form
             --> configs/workload_to_pipeline.json:4:3
              |
            4 |   "model_instance_id": "detect1",
              |   ^^^^^^^^^^^^^^^^^^^ not used
              |
              = help: leave it out: `lp` shares models by what they are

            note[LP0507]: a step has a region, which is an older form
             --> configs/workload_to_pipeline.json:5:25
              |
            5 |   "region_of_interest": { "x": 0, "y": 0, "width": 639, "height": 720 } }
              |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: a region belongs to a camera now: give `"region_of_interest": { "x": 0, "y": 0, "x2": 639, "y2": 720 }` to each camera of this workload

            error[LP0414]: the region of a step is not the region of its camera
              --> configs/workload_to_pipeline.json:5:25
               |
             5 |   "region_of_interest": { "x": 0, "y": 0, "width": 639, "height": 720 } }
               |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
               |
              ::: configs/camera_to_workload.json:12:31
               |
            12 |         "region_of_interest": { "x": 0, "y": 0, "x2": 640, "y2": 720 }
               |                               ---------------------------------------- the camera has another region
               |
               = help: a region belongs to a camera now: move it to `region_of_interest` of the camera

        "#]],
    );
    check(
        Files::new()
            .with(WORKLOAD_FILE, format!("{{ \"workload_pipeline_map\": {{\n\"barcodes\": {old} }} }}")),
        expect![[r#"
            note[LP0507]: the workload `barcodes` is a single step, which is an older form
             --> configs/workload_to_pipeline.json:2:13
              |
            2 | "barcodes": { "type": "gvadetect", "model": "yolo11n.xml", "device": "CPU", "precision": "FP16",
              |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: write a list of steps: `[{ ... }]`

            note[LP0507]: `model` names a file, which is an older form
             --> configs/workload_to_pipeline.json:2:45
              |
            2 | "barcodes": { "type": "gvadetect", "model": "yolo11n.xml", "device": "CPU", "precision": "FP16",
              |                                             ^^^^^^^^^^^^^
              |
              = help: write `yolo11n`

            note[LP0507]: `model_instance_id` is of an older form
             --> configs/workload_to_pipeline.json:3:3
              |
            3 |   "model_instance_id": "detect1",
              |   ^^^^^^^^^^^^^^^^^^^ not used
              |
              = help: leave it out: `lp` shares models by what they are

            note[LP0507]: a step has a region, which is an older form
             --> configs/workload_to_pipeline.json:4:25
              |
            4 |   "region_of_interest": { "x": 0, "y": 0, "width": 640, "height": 720 } } } }
              |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
              |
              = help: a region belongs to a camera now: give `"region_of_interest": { "x": 0, "y": 0, "x2": 640, "y2": 720 }` to each camera of this workload

        "#]],
    );
}

#[test]
fn one_camera_asks_a_language_model() {
    let vlm = r#"{ "type": "vlm", "model": "yolo11n", "device": "CPU", "precision": "FP16",
  "vlm_model": "Qwen/Qwen2.5-VL-7B-Instruct", "vlm_precision": "int9" }"#;
    check_step(
        vlm,
        expect![[r#"
        error[LP0205]: `vlm_precision` must be one of `int8`, `fp16`, `int4`
         --> configs/workload_to_pipeline.json:4:64
          |
        4 |   "vlm_model": "Qwen/Qwen2.5-VL-7B-Instruct", "vlm_precision": "int9" }
          |                                                                ^^^^^^ found the text `int9`
          |
          = help: did you mean `INT8`?

    "#]],
    );
    let cameras = CAMERAS.replace(
        "\"cameras\": [",
        "\"cameras\": [\n{ \"camera_id\": \"a\", \"streamUri\": \"rtsp://h/a\", \"workloads\": [\"barcodes\"] },",
    );
    let workloads =
        format!("{{ \"workload_pipeline_map\": {{ \"barcodes\": [{}] }} }}", vlm.replace("int9", "int8"));
    check(
        Files::new().with(CAMERA_FILE, cameras).with(WORKLOAD_FILE, workloads),
        expect![[r#"
        error[LP0412]: a second camera asks a vision language model
          --> configs/camera_to_workload.json:12:23
           |
         5 | { "camera_id": "a", "streamUri": "rtsp://h/a", "workloads": ["barcodes"] },
           |                                                              ---------- the first one is here
        ...
        12 |         "workloads": ["Barcodes"],
           |                       ^^^^^^^^^^ only one camera can

    "#]],
    );
}

#[test]
fn files_in_each_others_place_are_recognised() {
    check(
        Files::new().with(WORKLOAD_FILE, CAMERAS).with(CAMERA_FILE, WORKLOADS),
        expect![[r#"
        error[LP0416]: this is a workload file, where a camera file is expected
         --> configs/camera_to_workload.json:1:1
          |
        1 | {
          | ^ has a `workload_pipeline_map`, but no `lane_config`
          |
          = help: name it with `--workloads` or `project.workloads`

        error[LP0416]: this is a camera file, where a workload file is expected
         --> configs/workload_to_pipeline.json:1:1
          |
        1 | {
          | ^ has a `lane_config`, but no `workload_pipeline_map`
          |
          = help: name it with `--cameras` or `project.cameras`

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
