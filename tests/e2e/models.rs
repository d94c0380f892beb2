//! Every file of a model is an input of the runs that use it.

use expect_test::expect;

use crate::support::{IR, Workspace, frames};

const CAMERA: &str = r#"{"lane_config": {"cameras": [
  {"camera_id": "till", "streamUri": "rtsp://h/1", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}
]}}"#;

/// A project whose camera has these steps, on a worker that plays nothing.
pub(crate) fn with(steps: &str) -> Workspace {
    let ws = Workspace::tasks("[run]\nduration = \"5s\"\nwarmup = \"0s\"\n")
        .file("configs/camera_to_workload.json", CAMERA)
        .file(
            "configs/workload_to_pipeline.json",
            &format!("{{\"workload_pipeline_map\": {{\"w\": [\n{steps}\n]}}}}\n"),
        );
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    ws.write("replay/till-1.jsonl", &frames("till/1", 6, 6));
    ws.env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("FAKE_WORKER", &replay)
}

const DETECT: &str = r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}"#;
const XML: &str = "models/object_detection/yolo11n/INT8/yolo11n.xml";
const BIN: &str = "models/object_detection/yolo11n/INT8/yolo11n.bin";

#[test]
fn weights_that_are_missing_are_named_before_the_run_at_the_model() {
    let ws = with(DETECT).file(XML, IR);
    ws.lp("run").code(2).stderr(expect![[r#"
        error[LP0806]: 1 file of the model `yolo11n` is missing
         --> configs/workload_to_pipeline.json:2:32
          |
        2 | {"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU"}
          |                                ^^^^^^^^^ INT8 for `till`: yolo11n.bin in `models/object_detection/yolo11n/INT8`
          |
          = help: 1. `lp` brings all of it if none is there: delete yolo11n.xml in `models/object_detection/yolo11n/INT8`
                  2. your own: copy the files to these paths, or name yours in `properties` of the step
                  3. meanwhile: `lp run --decode-only` measures sources and decoding, without inference
        error: 1 error
    "#]]);
}

#[test]
fn weights_that_were_replaced_are_measured_under_a_new_key() {
    let ws = with(DETECT).file(XML, IR).file(BIN, "1");
    ws.lp("build run:lane").success();
    ws.lp("build run:lane").success().stderr_has("nothing to do");
    ws.write(BIN, "2");
    ws.lp("build run:lane").success().stderr_has(&format!("run:lane   stale: `{BIN}` changed"));
    // A plan lists them, so that they can be fetched by it.
    let plan: serde_json::Value = serde_json::from_str(&ws.read("results/plan/till.json")).unwrap();
    assert_eq!(plan["assets"], serde_json::json!([BIN, XML]));
}

#[test]
fn files_that_properties_name_are_inputs_at_their_place() {
    let ws = with(
        r#"{"type": "gvadetect", "model": "m", "precision": "FP32", "device": "CPU", "properties": {"model": "own/m.xml", "model-proc": "own/m.json", "labels-file": "own/m.txt"}},
{"type": "gvapython", "module": "own/see.py"},
{"type": "facedetect", "properties": {"profile": "own/face.xml", "min-size-width": 30}}"#,
    );
    ws.lp("run").code(2).stderr(expect![[r#"
        1 warning, see `lp check`
        error[LP0806]: 4 files of the model `m` are missing
         --> configs/workload_to_pipeline.json:2:99
          |
        2 | ... "CPU", "properties": {"model": "own/m.xml", "model-proc": "own/m.json", "labels-file": "own/m.txt"}},
          |                                    ^^^^^^^^^^^ FP32 for `till`: m.bin, m.json, m.txt, m.xml in `own`
          |
          = help: 1. your own: copy the files to these paths, or name yours in `properties` of the step
                  2. meanwhile: `lp run --decode-only` measures sources and decoding, without inference

        error[LP0807]: the Python module `own/see.py` does not exist, and `till` needs it
         --> configs/workload_to_pipeline.json:3:1
          |
        3 | {"type": "gvapython", "module": "own/see.py"},
          | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: 1. copy it there, or correct `module` of the step
                  2. meanwhile: `lp run --decode-only` measures sources and decoding, without inference

        error[LP0802]: `own/face.xml` does not exist, and `till` needs it
         --> configs/workload_to_pipeline.json:4:50
          |
        4 | {"type": "facedetect", "properties": {"profile": "own/face.xml", "min-size-width": 30}}
          |                                                  ^^^^^^^^^^^^^^
          |
          = help: copy it there, or correct its name
        error: 3 errors
    "#]]);
}

#[test]
fn a_file_outside_the_project_is_warned_of() {
    let ws = with(
        r#"{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "CPU", "properties": {"model-proc": "/opt/x.json"}}"#,
    );
    ws.lp("check").success().stderr_has("warning[LP0514]: `model-proc` names a file outside the project");
}

/// A field of a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// An ONNX model with a tensor in this file.
fn onnx(location: &str) -> String {
    let entry = [field(1, b"location"), field(2, location.as_bytes())].concat();
    let graph = field(7, &field(5, &field(13, &entry)));
    String::from_utf8([&[0x08, 0x08][..], &graph].concat()).unwrap()
}

const ONNX: &str = r#"{"type": "gvadetect", "model": "m", "precision": "FP32", "device": "CPU", "properties": {"model": "models/m/m.onnx"}}"#;

#[test]
fn the_external_data_of_an_onnx_model_is_an_input() {
    let ws = with(ONNX).file("models/m/m.onnx", &onnx("m.data"));
    ws.lp("run").code(2).stderr_has("`models/m/m.data` does not exist, and `run:lane` reads it");
    ws.write("models/m/m.data", "1");
    ws.lp("build run:lane").success();
    ws.write("models/m/m.data", "2");
    ws.lp("build run:lane").success().stderr_has("run:lane   stale: `models/m/m.data` changed");
    ws.write("models/m/m.onnx", &onnx("/elsewhere/m.data"));
    ws.lp("build run:lane").success().stderr_has(
        "note: `models/m/m.onnx` keeps data in `/elsewhere/m.data`, outside the project: a change of it is not seen",
    );
}

#[test]
fn files_that_the_workers_own_elements_read_beside_a_model_are_inputs() {
    let properties =
        r#""device": "CPU", "properties": {"model-proc": "m.json", "openvino": "own/libopenvino_c.so.1"}"#;
    let ws = with(&DETECT.replace(r#""device": "CPU""#, properties))
        .file(XML, IR)
        .file(BIN, "")
        .file("own/libopenvino_c.so.1", "library")
        .file("own/plugin.so", "1")
        .file("m.json", r#"{"output_postproc": [{"labels": "names.txt"}]}"#)
        .env("FAKE_WORKER_PLUGIN", lp::pipeline::machine::OWN_PLUGIN);
    ws.write("Lpfile.toml", &format!("{}dialect = \"native\"\n", ws.read("Lpfile.toml")));
    ws.lp("run").code(2).stderr_has("`names.txt` does not exist, and `run:lane` reads it");
    ws.write("names.txt", "face\n");
    ws.lp("build run:lane").success();
    ws.lp("build run:lane").success().stderr_has("nothing to do");
    let check = |file: &str, text: &str| {
        ws.write(file, text);
        ws.lp("build run:lane").success().stderr_has("run:lane   stale:");
    };
    check("names.txt", "person\n");
    check("own/plugin.so", "2");
    // Another file with labels, and the description that comes later.
    ws.write("others.txt", "face\n");
    check("m.json", r#"{"output_postproc": [{"labels": "others.txt"}]}"#);
    check("others.txt", "person\n");
    let metadata = XML.replace("yolo11n.xml", "metadata.yaml");
    check(&metadata, "names:\n  0: a\n");
    check(&metadata, "names:\n  0: b\n");
}

#[test]
fn a_model_that_a_task_makes_comes_with_what_the_task_makes_beside_it() {
    for outputs in [r#""models/m""#, r#""models/m/m.onnx", "models/m/w.data""#] {
        let ws = with(ONNX).file("in", "1");
        let task = "[[task]]\nname = \"export\"\ncommand = [\"sh\", \"-c\", \"mkdir -p models/m; cp in models/m/m.onnx; cp in models/m/w.data\"]\ninputs = [\"in\"]\n";
        ws.write("Lpfile.toml", &format!("{}{task}outputs = [{outputs}]\n", ws.read("Lpfile.toml")));
        ws.lp("build run:lane").success();
        // The same inputs whether the model is there or not.
        ws.lp("build run:lane").success().stderr_has("nothing to do");
        ws.write("models/m/w.data", "by hand");
        ws.lp("build run:lane").success().stderr_has("task:export  restored: output `models/m");
    }
}

#[test]
fn an_openvino_model_that_a_task_makes_may_be_declared_by_its_folder() {
    let ws = with(DETECT).file("in", "1");
    let folder = "models/object_detection/yolo11n";
    let task = format!(
        "[[task]]\nname = \"export\"\ncommand = [\"sh\", \"-c\", \"mkdir -p {folder}/INT8; cp in {XML}; cp in {BIN}\"]\ninputs = [\"in\"]\noutputs = [\"{folder}\"]\n"
    );
    ws.write("Lpfile.toml", &format!("{}{task}", ws.read("Lpfile.toml")));
    ws.lp("build run:lane").success();
    ws.write("in", "2");
    ws.lp("build run:lane").success().stderr_has(&format!("run:lane     stale: `{BIN}` changed"));
}

#[test]
fn a_run_whose_input_changed_under_it_does_not_hold() {
    let begin = || {
        let ws = with(DETECT).file(XML, IR).file(BIN, "1");
        let go = ws.path("replay/go");
        assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
        let run = ws.command(&["run"]).spawn().unwrap();
        // Somebody reads it once the stream was started.
        let go = std::fs::File::options().write(true).open(go).unwrap();
        (ws, run, go)
    };
    let reason = format!("its input `{BIN}` changed while it ran");
    for back in [false, true] {
        let (ws, run, go) = begin();
        ws.write(BIN, "2");
        if back {
            ws.write(BIN, "1");
        }
        std::io::Write::write_all(&mut &go, b"\n").unwrap();
        drop(go);
        let output = run.wait_with_output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{shown}");
        assert!(shown.contains("undecided") && shown.contains(&reason), "{shown}");
        assert!(!shown.contains("1 of 1 camera holds"), "{shown}");
        // And so say the figures that are kept, in each form.
        let table = ws.lp("report").success().stdout;
        assert!(table.contains("0 of 1 camera holds 15 fps, 1 is undecided"), "{table}");
        for form in ["json", "csv", "html"] {
            let page = ws.read(&format!("results/report/lane.{form}"));
            assert!(page.contains("undecided") && page.contains("changed while it ran"), "{page}");
        }
        // It answers for no later build.
        ws.lp("build --dry-run run:lane").success().stderr_has("run:lane");
    }
}
