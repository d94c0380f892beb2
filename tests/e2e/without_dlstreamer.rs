//! Lanes of DL Streamer's elements on a machine that lacks them and the models: one
//! error for each cause, and a run that only decodes.

use std::path::{Path, PathBuf};

use expect_test::expect;

use crate::support::{IR, Workspace, frames};

const CAMERAS: &str = r#"{"lane_config": {"cameras": [
  {"camera_id": "till", "streamUri": "rtsp://h/1", "width": 640, "height": 360, "fps": 15, "workloads": ["basket"]},
  {"camera_id": "aisle", "streamUri": "rtsp://h/4", "width": 640, "height": 360, "fps": 15, "workloads": ["basket"]},
  {"camera_id": "door", "streamUri": "rtsp://h/2", "width": 640, "height": 360, "fps": 15, "workloads": ["people"]},
  {"camera_id": "exit", "streamUri": "rtsp://h/3", "width": 640, "height": 360, "fps": 15, "workloads": ["faces"]}
]}}"#;

const WORKLOADS: &str = r#"{"workload_pipeline_map": {
  "basket": [
    {"type": "gvadetect", "model": "yolov9c", "precision": "INT8", "device": "CPU"},
    {"type": "gvaclassify", "model": "efficientnet-b0", "precision": "FP16-INT8", "device": "CPU"}
  ],
  "people": [{"type": "gvapython", "module": "person_reid.py", "function": "process_frame"}],
  "faces": [{"type": "gvadetect", "model": "face-detection-retail-0004", "precision": "FP32", "device": "CPU"}]
}}"#;

/// A project on a worker that plays nothing and lacks DL Streamer.
fn lane() -> Workspace {
    let ws = Workspace::tasks("[run]\nduration = \"20s\"\nwarmup = \"0s\"\nisolation = \"camera\"\n")
        .file("configs/camera_to_workload.json", CAMERAS)
        .file("configs/workload_to_pipeline.json", WORKLOADS);
    for stream in ["till/1", "aisle/1", "door/1", "exit/1"] {
        ws.write(&format!("replay/{}.jsonl", stream.replace('/', "-")), &frames(stream, 25, 25));
    }
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    ws.env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("FAKE_WORKER", &replay)
        .env("FAKE_WORKER_LACKS", "gva")
}

#[test]
fn each_cause_is_one_error_with_all_its_cameras_files_and_ways_out() {
    lane().lp("run").code(2).stderr(expect![[r#"
        error[LP0902]: 4 cameras need Intel DL Streamer, which this machine does not have: `till`, `aisle`, `door`, `exit`
         --> configs/workload_to_pipeline.json:3:14
          |
        3 |     {"type": "gvadetect", "model": "yolov9c", "precision": "INT8", "device": "CPU"},
          |              ^^^^^^^^^^^ missing: `gvaclassify`, `gvadetect`, `gvafpscounter`, `gvametaconvert`, `gvametapublish`, `gvapython`, `gvatrack`
        ...
        6 |   "people": [{"type": "gvapython", "module": "person_reid.py", "function": "process_frame"}],
          |                       ----------- `door`
        7 |   "faces": [{"type": "gvadetect", "model": "face-detection-retail-0004", "precision": "FP32", "device": "CPU"}]
          |                      ----------- `exit`
          |
          = help: 1. in its container image: set `[worker] command`, see `lp check --explain LP0902`
                  2. on Ubuntu: `intel-dlstreamer` from Intel's apt repository, see the same page
                  3. meanwhile: `lp run --decode-only` measures sources and decoding, without inference
                  4. without it: give the cameras workloads of stock elements

        error[LP0806]: `models/object_detection/yolov9c/yolov9c.pt` does not exist, and `convert:models/yolov9c/INT8` converts it
         --> configs/workload_to_pipeline.json:3:36
          |
        3 |     {"type": "gvadetect", "model": "yolov9c", "precision": "INT8", "device": "CPU"},
          |                                    ^^^^^^^^^ INT8 for `till`, `aisle`
          |
          = help: 1. the weights have no known digest, so `lp` does not fetch them: put them there, for example from
                     https://github.com/ultralytics/assets/releases/tag/v8.3.0
                  2. your own: copy the files to these paths, or name yours in `properties` of the step
                  3. meanwhile: `lp run --decode-only` measures sources and decoding, without inference

        error[LP0807]: the Python module `person_reid.py` does not exist, and `door` needs it
         --> configs/workload_to_pipeline.json:6:14
          |
        6 |   "people": [{"type": "gvapython", "module": "person_reid.py", "function": "process_frame"}],
          |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: 1. it is upstream's: curl -fL --create-dirs -o person_reid.py \
                       https://raw.githubusercontent.com/intel-retail/loss-prevention/cb3e4e5429a5599c6daa87e21f3bc5f0af8a4676/src/person_reid.py
                  2. meanwhile: `lp run --decode-only` measures sources and decoding, without inference
        error: 3 errors
    "#]]);
}

#[test]
fn stock_elements_that_were_chosen_for_steps_with_models_get_the_same_ways_out() {
    let ws = lane();
    ws.lp("check --machine --set run.dialect=stock").code(2).stderr(expect![[r#"
        error[LP0902]: the dialect `stock` cannot play 4 cameras, whose steps run models: `till`, `aisle`, `door`, `exit`
         --> configs/workload_to_pipeline.json:3:14
          |
        3 |     {"type": "gvadetect", "model": "yolov9c", "precision": "INT8", "device": "CPU"},
          |              ^^^^^^^^^^^
        ...
        6 |   "people": [{"type": "gvapython", "module": "person_reid.py", "function": "process_frame"}],
          |                       ----------- `door`
        7 |   "faces": [{"type": "gvadetect", "model": "face-detection-retail-0004", "precision": "FP32", "device": "CPU"}]
          |                      ----------- `exit`
          |
          = help: 1. with `run.dialect = "auto"`: by DL Streamer, or without it by `lp-worker` itself
                  2. meanwhile: `lp run --decode-only` measures sources and decoding, without inference
                  3. without it: give the cameras workloads of stock elements
        error: 1 error
    "#]]);
    // The plan is that of the steps, whoever plays them.
    let inferences = |dialect: &str| {
        let shown = ws.lp(&format!("show --summary --set run.dialect={dialect}")).success().stdout;
        shown.lines().filter(|line| line.contains("inferences")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(inferences("stock"), inferences("dlstreamer"));
    assert!(!inferences("stock").is_empty());
}

#[test]
fn elements_of_the_worker_itself_that_were_chosen_are_needed() {
    let ws = lane();
    let said = |ws: &Workspace| {
        let stderr = ws.lp("check --machine --set run.dialect=native").code(2).stderr;
        let lines = stderr.lines().filter(|line| line.contains("LP0902") || line.contains("help"));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    };
    // This worker has none.
    expect![[r#"
        error[LP0902]: the dialect `native` needs a worker with elements of its own, which this one has not: `till`, `aisle`, `door`, `exit`
        = help: play them with the `lp-worker` that belongs to this `lp`"#]].assert_eq(&said(&ws));
    // This machine has DL Streamer.
    expect![[r#"
        error[LP0902]: the dialect `native` is for machines without DL Streamer, which this one has: `till`, `aisle`, `door`, `exit`
        = help: play them with `run.dialect = "auto"` or `"dlstreamer"`"#]].assert_eq(&said(&ws.env("FAKE_WORKER_LACKS", "-")));
}

#[test]
fn models_that_are_there_are_not_listed() {
    let ws = lane();
    for (file, text) in [("xml", IR), ("bin", "1")] {
        ws.write(&format!("models/object_detection/yolov9c/INT8/yolov9c.{file}"), text);
        ws.write(
            &format!(
                "models/object_detection/face-detection-retail-0004/FP32/face-detection-retail-0004.{file}"
            ),
            text,
        );
    }
    ws.write("person_reid.py", "");
    ws.write("models/object_classification/efficientnet-b0/efficientnet-b0.json", "{}");
    let ended = ws.env("FAKE_WORKER_LACKS", "-").lp("run").code(2);
    expect![[r#"
        error[LP0806]: 1 file of the model `efficientnet-b0` is missing
         --> configs/workload_to_pipeline.json:4:38
          |
        4 |     {"type": "gvaclassify", "model": "efficientnet-b0", "precision": "FP16-INT8", "device": "CPU"}
          |                                      ^^^^^^^^^^^^^^^^^ FP16-INT8 for `till`, `aisle`: efficientnet-b0.txt in `models/object_classification/efficientnet-b0`
          |
          = help: 1. `lp` brings all of it if none is there: delete efficientnet-b0.json in `models/object_classification/efficientnet-b0`
                  2. your own: copy the files to these paths, or name yours in `properties` of the step
                  3. meanwhile: `lp run --decode-only` measures sources and decoding, without inference
        error: 1 error
    "#]].assert_eq(&ended.stderr);
}

#[test]
fn a_lane_without_dl_streamer_and_models_is_decoded_and_said_to_be_no_more() {
    let ws = lane();
    let ended = ws.lp("run --decode-only");
    let table = &ended.stdout;
    assert!(
        ended.stderr.starts_with("decode only: every step is left out, and no inference is run\n"),
        "{}",
        ended.stderr
    );
    assert!(table.contains("decode only: every step is left out; 20s after 0s of warm-up"), "{table}");
    assert!(!table.contains("hold"), "{table}");
    let verdict = table.trim_end().lines().last().unwrap();
    assert!(
        verdict
            .starts_with("4 of 4 cameras decode at 15 fps; decode only, no inference was run; machine CPU "),
        "{table}"
    );

    // Every form of the report says it.
    let json: serde_json::Value = serde_json::from_str(&ws.lp("report --json").stdout).unwrap();
    assert_eq!(json["conditions"]["decode_only"], true);
    assert_eq!(json["measurement"]["cameras"][0]["verdict"], "decodes");
    assert_eq!(json["measurement"]["totals"]["holding"], 0);
    let csv = ws.lp("report --format csv").stdout;
    let mut lines = csv.lines();
    let column = lines.next().unwrap().split(',').position(|name| name == "decode_only");
    assert!(
        column.is_some() && lines.all(|line| line.contains(",decodes,") && line.contains(",true")),
        "{csv}"
    );
    let html = ws.lp("report --format html").stdout;
    assert!(html.contains("cameras decode; no inference was run"), "{html}");
    assert!(html.contains("decode only: every step is left out; "), "{html}");
    // So do the plan and the record.
    let read = |path: &str| -> serde_json::Value { serde_json::from_str(&ws.read(path)).unwrap() };
    assert_eq!(read("results/plan/door.json")["decode_only"], true);
    assert_eq!(read("results/run/lane.json")["conditions"]["decode_only"], true);
}

#[test]
fn a_run_that_only_decodes_answers_for_no_other() {
    let ws = lane();
    ws.lp("build report --set run.decode_only=true").success();
    ws.lp("build report --set run.decode_only=true").success().stderr_has("nothing to do");
    ws.lp("build report").code(2).stderr_has("error[LP0806]");
    let explained = ws.lp("explain run:lane").success().stdout;
    assert!(explained.contains("`decode_only`"), "{explained}");
    // With all that it needs, the lane is measured.
    for path in [
        "person_reid.py",
        "models/object_detection/yolov9c/INT8/yolov9c.xml",
        "models/object_detection/yolov9c/INT8/yolov9c.bin",
        "models/object_classification/efficientnet-b0/FP16-INT8/efficientnet-b0.xml",
        "models/object_classification/efficientnet-b0/FP16-INT8/efficientnet-b0.bin",
        "models/object_classification/efficientnet-b0/efficientnet-b0.json",
        "models/object_classification/efficientnet-b0/efficientnet-b0.txt",
        "models/object_detection/face-detection-retail-0004/FP32/face-detection-retail-0004.xml",
        "models/object_detection/face-detection-retail-0004/FP32/face-detection-retail-0004.bin",
    ] {
        let text = if path.ends_with(".xml") { IR } else { "1" };
        ws.write(path, text);
    }
    let ws = ws.env("FAKE_WORKER_LACKS", "-");
    ws.lp("build report").success().stderr_has("run:lane ");
    let record: serde_json::Value = serde_json::from_str(&ws.read("results/run/lane.json")).unwrap();
    assert_eq!(record["conditions"].get("decode_only"), None);
}

#[test]
fn scripts_are_left_out_of_a_run_that_only_decodes() {
    let ws = lane();
    ws.write(
        "configs/workload_to_pipeline.json",
        &WORKLOADS.replace(
            r#"[{"type": "gvapython", "module": "person_reid.py", "function": "process_frame"}]"#,
            r#"[{"type": "script", "script": "not-there.sh"}]"#,
        ),
    );
    let ended = ws.lp("run --decode-only");
    assert!(
        ended.stderr.contains("left out: `people` of `door`: decode only: scripts are not run"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stdout.contains("left out: people of door: decode only: scripts are not run"),
        "{}",
        ended.stdout
    );
}

#[test]
fn doctor_groups_elements_and_lists_models_modules_videos_and_streams() {
    let ws = lane();
    let cameras =
        CAMERAS.replace(r#""streamUri": "rtsp://h/3""#, r#""fileSrc": "exit.mp4|https://h/exit.mp4""#);
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.write("models/object_detection/yolov9c/INT8/yolov9c.xml", IR);
    ws.write("models/object_detection/yolov9c/INT8/yolov9c.bin", "1");
    let ended = ws.lp("doctor").code(1);
    let mut is_shown = false;
    let mut shown = String::new();
    for line in ended.stdout.lines() {
        if !line.starts_with(' ') {
            let what = line.get(9..).unwrap_or_default();
            let shows = ["DL Streamer", "model ", "module ", "file ", "video ", "streams"];
            is_shown = shows.iter().any(|start| what.starts_with(start));
        }
        if is_shown {
            shown.push_str(line.trim_end());
            shown.push('\n');
        }
    }
    expect![[r#"
        missing  DL Streamer                            7 of 7 elements missing: `gvaclassify`, `gvadetect`, `gvafpscounter`, `gvametaconvert`, `gvametapublish`, `gvapython`, `gvatrack`
                                                        on the host: `intel-dlstreamer` from Intel's apt repository, see `lp check --explain LP0902`
                                                        in a container: a `[worker] command` with its image, see the same
        note     model efficientnet-b0 FP16-INT8        efficientnet-b0.bin, efficientnet-b0.xml in `models/object_classification/efficientnet-b0/FP16-INT8`; efficientnet-b0.json, efficientnet-b0.txt in `models/object_classification/efficientnet-b0`
                                                        not there yet: `lp build assets` downloads it
        note     model face-detection-retail-0004 FP32  face-detection-retail-0004.bin, face-detection-retail-0004.xml in `models/object_detection/face-detection-retail-0004/FP32`
                                                        not there yet: `lp build assets` downloads it
        ok       model yolov9c INT8                     yolov9c.bin, yolov9c.xml in `models/object_detection/yolov9c/INT8`
        missing  module person_reid.py                  there is no person_reid.py in `.`
                                                        needed by: `door`
                                                        on the host: curl -fL --create-dirs -o person_reid.py https://raw.githubusercontent.com/intel-retail/loss-prevention/cb3e4e5429a5599c6daa87e21f3bc5f0af8a4676/src/person_reid.py
        note     video exit.mp4                         from https://h/exit.mp4
                                                        not there yet: `lp build assets` downloads it
        note     streams                                3 streams: rtsp://h/1, ...
                                                        not probed: `lp run` connects to them
    "#]].assert_eq(&shown);
}

/// Upstream's own files, which are no part of the package.
fn upstream() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream-configs");
    if path.is_dir() {
        return Some(path);
    }
    // Visible with `--nocapture`.
    let mut stdout = std::io::stdout();
    std::io::Write::write_all(&mut stdout, b"skipped: upstream's configs are not here\n").unwrap();
    None
}

#[test]
fn the_lane_of_upstream_has_an_error_for_each_cause() {
    let Some(configs) = upstream() else { return };
    let ws = Workspace::empty()
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("FAKE_WORKER_LACKS", "gva");
    let file = |name: &str| configs.join(name).to_str().unwrap().to_owned();
    let (cameras, workloads) = (file("camera_to_workload.json"), file("workload_to_pipeline.json"));
    ws.lp(&format!("import --cameras {cameras} --workloads {workloads}")).success().stderr_has("curl -fL");
    let ended = ws.lp("run").code(2);
    let errors: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("error")).collect();
    expect![[r#"
        error[LP0902]: 6 cameras need Intel DL Streamer, which this machine does not have: `cam1`, `cam2`, `cam3`, `cam4`, `cam5`, `cam6`
        error[LP0807]: the Python module `person_reid.py` does not exist, and `cam6` needs it
        error: 2 errors"#]].assert_eq(&errors.join("\n"));
}
