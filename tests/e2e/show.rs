//! `lp show`: the plan and its load as tables and documents, and two plans side by
//! side.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use expect_test::expect;
use serde_json::Value;

use crate::support::{CAMERAS, Ended, Workspace};

/// Three sources, workloads that merge and that do not, one that is named twice,
/// one that cannot be played.
const SHOP_CAMERAS: &str = r#"{
  "lane_config": {
    "cameras": [
      {"camera_id": "till", "fileSrc": "a.mp4|http://127.0.0.1:9/a.mp4", "width": 1280, "height": 720, "fps": 15, "targetFps": 14.5,
       "region_of_interest": {"x": 10, "y": 20, "x2": 650, "y2": 380},
       "workloads": ["hidden_items", "fake_scan_detection", "product_switching"]},
      {"camera_id": "Ausgang 漢字", "streamUri": "rtsp://gate:${GATE_PASSWORD}@127.0.0.1/exit", "width": 640, "height": 360, "fps": 29.97,
       "workloads": ["faces", "motion", "MOTION", "ask"]},
      {"camera_id": "usb", "streamUri": "v4l2:///dev/video0", "width": 640, "height": 480, "fps": 30,
       "workloads": ["count_1", "count_2", "motion", "count_3", "hidden_items", "faces"]}
    ]
  }
}
"#;

const SHOP_WORKLOADS: &str = r#"{
  "workload_pipeline_map": {
    "hidden_items": [
      {"type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "INT8"},
      {"type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8"}
    ],
    "fake_scan_detection": [
      {"type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "INT8"},
      {"type": "gvaclassify", "model": "efficientnet-b0", "device": "NPU", "precision": "FP16-INT8"}
    ],
    "product_switching": [
      {"type": "gvadetect", "model": "yolo11n", "device": "cpu", "precision": "int8"},
      {"type": "gvaclassify", "model": "efficientnet-b0", "device": "CPU", "precision": "FP16-INT8"}
    ],
    "faces": [
      {"type": "gvadetect", "model": "face-detection-retail-0004", "device": "CPU", "precision": "FP16", "inference_interval": 1, "threshold": 0.4},
      {"type": "gvainference", "model": "face-reidentification-retail-0095", "device": "GPU", "precision": "FP16"},
      {"type": "gvapython", "module": "faces.py", "function": "seen"}
    ],
    "motion": [{"type": "motioncells", "properties": {"gridx": 16, "display": false}}],
    "ask": [{"type": "vlm", "model": "yolo11n", "device": "CPU", "precision": "FP16", "vlm_model": "Qwen/Qwen2.5-VL-7B-Instruct"}],
    "count_1": [{"script": "count.sh", "parameters": {"size": 1, "mode": "fast"}}],
    "count_2": [{"script": "count.sh", "parameters": {"size": 2}}],
    "count_3": [{"script": "count.sh", "parameters": {"size": 1, "mode": "fast"}}]
  }
}
"#;

fn shop(lpfile: &str) -> Workspace {
    Workspace::empty()
        .file("Lpfile.toml", lpfile)
        .file("configs/camera_to_workload.json", SHOP_CAMERAS)
        .file("configs/workload_to_pipeline.json", SHOP_WORKLOADS)
        .file("faces.py", "")
        .file("count.sh", "")
        .without_worker()
}

#[test]
fn the_lane_is_shown_with_the_load_before_anything_runs() {
    let ws = Workspace::cameras();
    ws.lp("show").success().stderr(expect![""]).stdout(expect![[r#"
        camera    source  frames   fps  workloads     pipelines
        camera-1  file    640x360   15  scan          1
        camera-2  file    320x180   15  scan, motion  2

        load         count  each second
        decoding         3  45 frames, 7.8 MB
        motioncells      1  15 frames
        zbar             2  30 frames

        2 cameras, 2 workloads
        3 pipelines before merging, 3 after (3 stock): 0 decodes saved
    "#]]);
    shop("[run]\ncount = 2\npace = \"free\"").lp("show").success().stdout(expect![[r#"
        camera        source  frames      fps  workloads                                                pipelines
        till          file    1280x720     15  hidden_items + product_switching, fake_scan_detection    2 instead of 3
        Ausgang 漢字  rtsp    640x360   29.97  faces, motion, ask (not supported)                       3
        usb           usb     640x480      30  count_1 + count_3, count_2, motion, hidden_items, faces  5 instead of 6

        load          model                              precision  device  count  each second
        decoding                                                                4  89.94 frames, 62.2 MB
        raw frames                                                              3  90 frames, 41.5 MB
        gvadetect     face-detection-retail-0004         FP16       CPU         2  59.97 inferences
        gvainference  face-reidentification-retail-0095  FP16       GPU         2  59.97 inferences
        gvadetect     yolo11n                            INT8       CPU         3  20 inferences
        gvaclassify   efficientnet-b0                    FP16-INT8  CPU         1  5 inferences for each object in view
        gvaclassify   efficientnet-b0                    FP16-INT8  CPU         1  10 inferences for each object in view
        gvaclassify   efficientnet-b0                    FP16-INT8  NPU         1  5 inferences for each object in view
        gvapython                                                               2  59.97 frames
        motioncells                                                             2  59.97 frames
        count.sh                                                                2  not known before it runs

        3 cameras, 9 workloads
        12 pipelines before merging, 10 after (10 dlstreamer): 1 decode saved
        `run.count` is 2: a run plays 2 copies of this
        `run.pace` is free: a run plays files as fast as the machine can, not at these rates
        not supported: `ask` of `Ausgang 漢字`: `vlm` steps are planned but cannot be played yet
        duplicate: `Ausgang 漢字` names `motion` more than once, and gets it once
    "#]]);
}

#[test]
fn the_totals_alone_are_shown_on_demand() {
    Workspace::cameras().lp("show --summary").success().stdout(expect![[r#"
        load         count  each second
        decoding         3  45 frames, 7.8 MB
        motioncells      1  15 frames
        zbar             2  30 frames

        2 cameras, 2 workloads
        3 pipelines before merging, 3 after (3 stock): 0 decodes saved
    "#]]);
    Workspace::cameras().lp("show --summary camera-1").success().stdout(expect![[r#"
        load      count  each second
        decoding      1  15 frames, 5.2 MB
        zbar          1  15 frames

        1 camera, 1 workload
        1 pipeline before merging, 1 after (1 stock): 0 decodes saved
    "#]]);
    Workspace::tasks("").lp("show").success().stdout(expect![[r#"
        0 cameras, 0 workloads
    "#]]);
}

#[test]
fn a_camera_is_shown_with_its_steps_and_its_load() {
    let ws = Workspace::cameras();
    ws.lp("show camera-2").success().stdout(expect![[r#"
        camera-2
          source     file media/clips/a-320x180-15.mp4
          frames     320x180 at 15 fps, target 15 fps
          dialect    stock
          workloads  scan, motion

          pipeline camera-2/1 for scan
            step  type
               1  zbar

          pipeline camera-2/2 for motion
            step  type         options
               1  motioncells  gridx=16

          `scan` and `motion` differ in step 1: `type` zbar / motioncells

          load         count  each second
          decoding         2  30 frames, 2.6 MB
          motioncells      1  15 frames
          zbar             1  15 frames
    "#]]);
    ws.lp("show camera-1 camera-3").code(2).stderr_has("did you mean `camera-");
}

#[test]
fn a_camera_shows_merged_pipelines_and_reasons_against_merging() {
    let shown = shop("").lp("show till Ausgang___-091982 usb").success().stdout;
    expect![[r#"
        till
          source     file media/clips/a-1280x720-15.mp4
          frames     1280x720 at 15 fps, target 14.5 fps
          region     10,20 to 650,380
          dialect    dlstreamer
          workloads  hidden_items, fake_scan_detection, product_switching

          pipeline till/1 for hidden_items, product_switching
            merged: `hidden_items` and `product_switching` have the same 2 steps
            step  type         model            precision  device  options
               1  gvadetect    yolo11n          INT8       CPU     batch_size=1 inference_interval=3 threshold=0.5
               2  gvaclassify  efficientnet-b0  FP16-INT8  CPU     batch_size=1

          pipeline till/2 for fake_scan_detection
            step  type         model            precision  device  options
               1  gvadetect    yolo11n          INT8       CPU     batch_size=1 inference_interval=3 threshold=0.5
               2  gvaclassify  efficientnet-b0  FP16-INT8  NPU     batch_size=1

          `hidden_items` and `fake_scan_detection` differ in step 2: `device` CPU / NPU

          load         model            precision  device  count  each second
          decoding                                             2  30 frames, 41.5 MB
          gvadetect    yolo11n          INT8       CPU         2  10 inferences
          gvaclassify  efficientnet-b0  FP16-INT8  CPU         1  5 inferences for each object in view
          gvaclassify  efficientnet-b0  FP16-INT8  NPU         1  5 inferences for each object in view

        Ausgang 漢字
          source     rtsp rtsp://127.0.0.1/exit
          frames     640x360 at 29.97 fps, target 29.97 fps
          dialect    dlstreamer
          workloads  faces, motion, ask
          duplicate  motion: named more than once, done once

          pipeline Ausgang___-091982/1 for faces
            step  type          model                              precision  device  options
               1  gvadetect     face-detection-retail-0004         FP16       CPU     batch_size=1 inference_interval=1 threshold=0.4
               2  gvainference  face-reidentification-retail-0095  FP16       GPU
               3  gvapython                                                           module=faces.py function=seen

          pipeline Ausgang___-091982/2 for motion
            step  type         options
               1  motioncells  display=false gridx=16

          pipeline Ausgang___-091982/3 for ask
            not supported: `vlm` steps are planned but cannot be played yet
            step  type  model    precision  device  options
               1  vlm   yolo11n  FP16       CPU     vlm_model=Qwen/Qwen2.5-VL-7B-Instruct

          `faces` and `motion` differ in step 1: `type` gvadetect / motioncells; step 2: `gvainference` / no step; step 3: `gvapython` / no step
          `faces` and `ask` differ in step 1: `type` gvadetect / vlm; step 2: `gvainference` / no step; step 3: `gvapython` / no step
          `motion` and `ask` differ in step 1: `type` motioncells / vlm

          load          model                              precision  device  count  each second
          decoding                                                                2  59.94 frames, 20.7 MB
          gvadetect     face-detection-retail-0004         FP16       CPU         1  29.97 inferences
          gvainference  face-reidentification-retail-0095  FP16       GPU         1  29.97 inferences
          gvapython                                                               1  29.97 frames
          motioncells                                                             1  29.97 frames

        usb
          source     usb /dev/video0
          frames     640x480 at 30 fps, target 30 fps
          dialect    dlstreamer
          workloads  count_1, count_2, motion, count_3, hidden_items, faces

          pipeline usb/1 for count_1, count_3
            merged: `count_1` and `count_3` run the same script `count.sh` with the same parameters
            step  type    options
               1  script  script=count.sh --mode fast --size 1

          pipeline usb/2 for count_2
            step  type    options
               1  script  script=count.sh --size 2

          pipeline usb/3 for motion
            step  type         options
               1  motioncells  display=false gridx=16

          pipeline usb/4 for hidden_items
            step  type         model            precision  device  options
               1  gvadetect    yolo11n          INT8       CPU     batch_size=1 inference_interval=3 threshold=0.5
               2  gvaclassify  efficientnet-b0  FP16-INT8  CPU     batch_size=1

          pipeline usb/5 for faces
            step  type          model                              precision  device  options
               1  gvadetect     face-detection-retail-0004         FP16       CPU     batch_size=1 inference_interval=1 threshold=0.4
               2  gvainference  face-reidentification-retail-0095  FP16       GPU
               3  gvapython                                                           module=faces.py function=seen

          `count_1` and `count_2` differ in `parameters.mode` fast / unset, `parameters.size` 1 / 2
          `count_1` runs the script `count.sh`, `motion` has steps
          `count_1` runs the script `count.sh`, `hidden_items` has steps
          `count_1` runs the script `count.sh`, `faces` has steps

          load          model                              precision  device  count  each second
          raw frames                                                              3  90 frames, 41.5 MB
          gvadetect     face-detection-retail-0004         FP16       CPU         1  30 inferences
          gvainference  face-reidentification-retail-0095  FP16       GPU         1  30 inferences
          gvadetect     yolo11n                            INT8       CPU         1  10 inferences
          gvaclassify   efficientnet-b0                    FP16-INT8  CPU         1  10 inferences for each object in view
          gvapython                                                               1  30 frames
          motioncells                                                             1  30 frames
          count.sh                                                                2  not known before it runs
    "#]].assert_eq(&shown);
}

#[test]
fn documents_are_what_a_build_writes() {
    for ws in [Workspace::cameras(), shop("")] {
        ws.lp("build plan").success();
        assert_eq!(ws.lp("show --json").success().stdout, ws.read("results/plan.json"));
        assert_eq!(ws.lp("show --summary --format json").success().stdout, ws.read("results/summary.json"));
    }
}

/// Pipelines that share their first steps, branch and have bins.
fn branching() -> Workspace {
    let workloads = r#"{
      "workload_pipeline_map": {
        "scan": [{"type": "identity"}, {"type": "zbar", "caps": "video/x-raw,format=GRAY8"}, {"type": "videoflip"}],
        "motion": [
          {"type": "identity"}, {"type": "tee", "name": "frames"}, {"type": "motioncells"},
          {"from": "frames", "type": "bin", "steps": [{"type": "videoscale"}, {"type": "jpegenc"}]}
        ],
        "turn": [{"type": "identity"}, {"type": "zbar", "caps": "video/x-raw,format=GRAY8"}, {"type": "gamma"}]
      }
    }"#;
    let cameras = CAMERAS.replace("[\"scan\", \"motion\"]", "[\"scan\", \"motion\", \"turn\"]");
    Workspace::empty()
        .file("Lpfile.toml", "[run]\nshare = \"prefix\"")
        .file("configs/camera_to_workload.json", &cameras)
        .file("configs/workload_to_pipeline.json", workloads)
}

#[test]
fn shared_steps_are_shown_and_counted_once() {
    branching().lp("show camera-2").success().stdout(expect![[r#"
        camera-2
          source     file media/clips/a-320x180-15.mp4
          frames     320x180 at 15 fps, target 15 fps
          dialect    stock
          workloads  scan, motion, turn

          pipeline camera-2/1 for scan
            step  type       options
               1  identity
               2  zbar       caps=video/x-raw,format=GRAY8
               3  videoflip

          pipeline camera-2/2 for motion
            step  type         options
               1  identity
               2  tee          name=frames
               3  motioncells
               4  bin          from=frames steps[0].type=videoscale steps[1].type=jpegenc

          pipeline camera-2/3 for turn
            step  type      options
               1  identity
               2  zbar      caps=video/x-raw,format=GRAY8
               3  gamma

          pipelines 1, 2, 3 share decoding and their first step
            pipelines 1, 3 share their first 2 steps

          `scan` and `motion` differ in step 2: `type` zbar / tee; step 3: `type` videoflip / motioncells; step 4: no step / `bin`
          `scan` and `turn` differ in step 3: `type` videoflip / gamma
          `motion` and `turn` differ in step 2: `type` tee / zbar; step 3: `type` motioncells / gamma; step 4: `bin` / no step

          load         count  each second
          decoding         1  15 frames, 1.3 MB
          gamma            1  15 frames
          identity         1  15 frames
          jpegenc          1  15 frames
          motioncells      1  15 frames
          tee              1  15 frames
          videoflip        1  15 frames
          videoscale       1  15 frames
          zbar             1  15 frames
    "#]]);
}

/// The documents of projects that have everything that a plan can have.
fn documents() -> [Vec<Value>; 2] {
    let shop = shop("");
    shop.lp("build plan").success();
    let drawn = Workspace::empty()
        .file(
            "Lpfile.toml",
            "[run]\nsource = \"synthetic\"\nrender = true\n[camera.camera-1]\naccept = [\"rate\"]\n",
        )
        .file("configs/camera_to_workload.json", &CAMERAS.replace("http://127.0.0.1:9/a.mp4", "scene:basket"))
        .file("configs/workload_to_pipeline.json", crate::support::WORKLOADS);
    let scenes = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/scenes/basket.toml");
    drawn.write("configs/scenes/basket.toml", &fs::read_to_string(scenes).unwrap());
    drawn.lp("build plan").success();
    let own = Workspace::empty().at(Path::new(env!("CARGO_MANIFEST_DIR")).to_owned());
    let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    let mut plans = vec![parsed(own.lp("show --json").success().stdout)];
    let mut summaries = vec![parsed(own.lp("show --summary --json").success().stdout)];
    let branching = branching();
    branching.lp("build plan").success();
    let written_out = CAMERAS.replace(
        "\"fileSrc\": \"a.mp4|http://127.0.0.1:9/a.mp4\"",
        "\"streamUri\": \"rtsp://me:secret@h/1\"",
    );
    let written = Workspace::cameras()
        .file("Lpfile.toml", "[rtsp]\ntransport = \"udp\"\n")
        .file("configs/camera_to_workload.json", &written_out);
    written.lp("build plan").success();
    for ws in [&shop, &drawn, &branching, &written] {
        plans.push(parsed(ws.read("results/plan.json")));
        summaries.push(parsed(ws.read("results/summary.json")));
    }
    let received = ["show", "--json", "--set", "rtsp.transport=auto", "--set", "rtsp.reconnect=3 in 1m"];
    plans.push(parsed(written.lp(received).success().stdout));
    let in_tls = Workspace::cameras()
        .file("Lpfile.toml", "[rtsp]\ncertificate = \"any\"\n")
        .file("configs/camera_to_workload.json", &written_out.replace("rtsp://me:secret@", "rtsps://"));
    plans.push(parsed(in_tls.lp("show --json").success().stdout));
    let decoding = shop.lp("show --json --set run.decode_only=true").success().stdout;
    plans.push(parsed(decoding));
    // What each camera's own file holds is what the lane's holds of it.
    assert_eq!(parsed(shop.read("results/plan/till.json")), plans[1]["cameras"][0]);

    let upstream = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream-configs");
    for pair in ["", "_vlm"] {
        let file = |what: &str| upstream.join(format!("{what}{pair}.json")).to_str().unwrap().to_owned();
        let (cameras, workloads) = (file("camera_to_workload"), file("workload_to_pipeline"));
        // The folder is no part of the package.
        if upstream.is_dir() {
            let ws = Workspace::empty().file("person_reid.py", "");
            let shown = ws.lp(&format!("show --json --cameras {cameras} --workloads {workloads}"));
            plans.push(parsed(shown.success().stdout));
        }
    }
    [plans, summaries]
}

/// The places of all `properties` of a schema and their names, as JSON pointers.
fn properties(at: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    match schema {
        Value::Object(entries) => {
            for (key, value) in entries {
                if let ("properties", Value::Object(names)) = (key.as_str(), value)
                    && schema.get("additionalProperties") == Some(&Value::Bool(false))
                {
                    found.extend(names.keys().map(|name| (format!("{at}/properties"), name.clone())));
                }
                properties(&format!("{at}/{key}"), value, found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| properties(&format!("{at}/{n}"), item, found));
        }
        _ => {}
    }
}

#[test]
fn documents_have_what_their_schemas_describe_and_nothing_else() {
    let [plans, summaries] = documents();
    for (name, documents) in [("plan", plans), ("summary", summaries)] {
        let path = format!("{}/docs/schema/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let schema: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        for document in &documents {
            let faults: Vec<String> = validator
                .iter_errors(document)
                .map(|fault| format!("{}: {fault}", fault.instance_path()))
                .collect();
            assert!(faults.is_empty(), "{name}:\n{}\n{document:#}", faults.join("\n"));
        }
        // A schema that lacks any one of its properties refuses some document: so
        // each is there, and a new one cannot go unnoticed.
        let mut places = Vec::new();
        properties("", &schema, &mut places);
        assert!(places.len() > 30, "{places:?}");
        for (at, property) in places {
            let mut without = schema.clone();
            without.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(&property).unwrap();
            let without = jsonschema::draft202012::new(&without).unwrap();
            assert!(
                documents.iter().any(|document| !without.is_valid(document)),
                "no document of {name} has {at}/{property}"
            );
        }
    }
}

const PROFILES: &str = "[profile.slow]\nrun.source = \"file\"\nproject.cameras = \"slow.json\"\n\
                        [profile.npu]\nproject.workloads = \"npu.json\"\n";

/// The shop with a profile of fewer frames, and one of another device.
fn profiles() -> Workspace {
    let cameras = SHOP_CAMERAS.replace("\"fps\": 29.97", "\"fps\": 10").replace(
        "\"workloads\": [\"hidden_items\", \"fake_scan_detection\", \"product_switching\"]",
        "\"workloads\": [\"hidden_items\", \"product_switching\", \"motion\"]",
    );
    let workloads = SHOP_WORKLOADS.replacen(
        "\"device\": \"cpu\", \"precision\": \"int8\"",
        "\"device\": \"NPU\", \"precision\": \"INT8\"",
        1,
    );
    shop(PROFILES).file("slow.json", &cameras.replace("\"usb\"", "\"usb-2\"")).file("npu.json", &workloads)
}

#[test]
fn two_profiles_are_compared() {
    let ws = profiles();
    ws.lp("show --diff slow npu").success().stderr(expect![[r#"
        1 warning, see `lp check --profile slow`
        1 warning, see `lp check --profile npu`
    "#]]).stdout(expect![[r#"
        - usb-2
        + usb
        ~ till
            workload `motion` removed
            workload `fake_scan_detection` added, a pipeline of its own
            `product_switching`: shared with `hidden_items` / a pipeline of its own
            `product_switching`: step 1: `device` CPU / NPU
        ~ Ausgang 漢字
            fps: 10.0 / 29.97
            target_fps: 10.0 / 29.97

                                  slow  npu
        cameras                   3     3
        workloads                 8     9
        pipelines before merging  12    12
        pipelines after merging   10    11
        pipelines not supported   1     1
        decodes saved             1     0

        each second                                              slow                                   npu
        decoding                                                 50 frames, 48.4 MB (4 x)               104.94 frames, 82.9 MB (5 x)
        raw frames                                               90 frames, 41.5 MB (3 x)               90 frames, 41.5 MB (3 x)
        gvadetect face-detection-retail-0004 FP16 CPU            40 inferences (2 x)                    59.97 inferences (2 x)
        gvainference face-reidentification-retail-0095 FP16 GPU  40 inferences (2 x)                    59.97 inferences (2 x)
        gvadetect yolo11n INT8 CPU                               15 inferences (2 x)                    20 inferences (3 x)
        gvaclassify efficientnet-b0 FP16-INT8 CPU                5 inferences for each object in view   5 inferences for each object in view (2 x)
                                                                 10 inferences for each object in view  10 inferences for each object in view
        gvapython                                                40 frames (2 x)                        59.97 frames (2 x)
        motioncells                                              55 frames (3 x)                        59.97 frames (2 x)
        count.sh                                                 not known before it runs (2 x)         not known before it runs (2 x)
        gvadetect yolo11n INT8 NPU                               -                                      5 inferences
        gvaclassify efficientnet-b0 FP16-INT8 NPU                -                                      5 inferences for each object in view

        cameras: 1 removed, 1 added, 2 changed, 0 equal
    "#]]);
    ws.lp("show --diff npu npu").success().stdout(expect![[r#"
        no difference in 3 cameras
    "#]]);
    let document = ws.lp("show --diff default npu --json").success().stdout;
    let mut document: Value = serde_json::from_str(&document).unwrap();
    for side in ["before", "after"] {
        assert_eq!(document[side]["cameras"], 3);
        document.as_object_mut().unwrap().remove(side);
    }
    expect![[r#"
        {
          "added": [],
          "changed": [
            {
              "camera": "till",
              "changes": [
                {
                  "kind": "sharing",
                  "shared_with": [
                    [
                      "hidden_items"
                    ],
                    []
                  ],
                  "workload": "product_switching"
                },
                {
                  "differences": [
                    {
                      "field": "device",
                      "step": 1,
                      "values": [
                        "CPU",
                        "NPU"
                      ]
                    }
                  ],
                  "kind": "steps",
                  "workloads": [
                    "product_switching"
                  ]
                }
              ]
            }
          ],
          "equal": 2,
          "removed": [],
          "version": 1
        }
    "#]]
    .assert_eq(&format!("{document:#}\n"));
}

#[test]
fn default_is_the_project_without_a_profile() {
    let ws = profiles().env("LP_PROFILE", "npu");
    let shown = ws.lp("show --diff default npu").success().stdout;
    assert!(shown.contains("`device` CPU / NPU"), "{shown}");
    assert_eq!(ws.lp("show --diff . npu").success().stdout, "no difference in 3 cameras\n");
    // Unless there is one of this name.
    let ws =
        ws.file("Lpfile.toml", &PROFILES.replace("profile.npu", "profile.default")).env("LP_PROFILE", "slow");
    let shown = ws.lp("show --diff slow default").success().stdout;
    assert!(shown.contains("- usb-2\n+ usb\n"), "{shown}");
    assert!(shown.contains("`device` CPU / NPU"), "{shown}");
}

#[test]
fn plan_files_folders_and_stdin_are_compared() {
    let ws = profiles();
    ws.lp("build plan").success();
    fs::copy(ws.path("results/plan.json"), ws.path("old.json")).unwrap();
    ws.lp("build plan --profile npu").success();
    let of_files = ws.lp("show --diff old.json results/plan.json").success().stdout;
    let as_profiles = ws.lp("show --diff default npu").success().stdout;
    let changes = |text: &str| text.split("\n\n").next().unwrap().to_owned();
    assert_eq!(changes(&of_files), changes(&as_profiles));
    assert_eq!(ws.lp("show --diff . old.json").success().stdout, "no difference in 3 cameras\n");

    // One camera of the lane.
    ws.lp("show --diff results/plan/till.json results/plan/till.json").success().stdout(expect![[r#"
        no difference in 1 camera
    "#]]);

    let mut lp = ws.command(&["show", "--diff", "-", "./old.json"]);
    let mut running = lp.stdin(Stdio::piped()).spawn().unwrap();
    running.stdin.take().unwrap().write_all(ws.read("results/plan.json").as_bytes()).unwrap();
    let ended = Ended::new(running.wait_with_output().unwrap(), &ws.root()).success();
    assert!(ended.stdout.contains("`device` NPU / CPU"), "{}", ended.stdout);
}

#[test]
fn other_files_are_refused_as_plans_by_name() {
    let ws = Workspace::cameras()
        .file("broken.json", "{\n  \"version\": 4,\n")
        .file("other.json", "{\"version\": 5}")
        .file("without.json", "{\"cameras\": []}")
        .file("old.json", "{\"version\": 1, \"cameras\": [{\"anything\": 1}]}")
        .file("short.json", "{\"version\": 5, \"cameras\": [{\"camera\": \"a\"}]}")
        .file("gone", "");
    ws.lp("show --diff broken.json gone.json").code(2).stderr(expect![[r#"
        error: `broken.json` is not a plan: EOF while parsing a value at line 3 column 0
          hint: plans are `results/plan.json`, the files in `results/plan/`, and what `lp show --format json` prints
        error: failed to read the plan `gone.json`: No such file or directory (os error 2)
    "#]]);
    ws.lp("show --diff other.json old.json").code(2).stderr(expect![[r#"
        error: `other.json` is not a plan: it has no `cameras` and no `pipelines`
          hint: plans are `results/plan.json`, the files in `results/plan/`, and what `lp show --format json` prints
        error: `old.json` is a plan of version 1, but this `lp` reads version 5
          hint: let this `lp` make it again: `lp build plan`
    "#]]);
    ws.lp("show --diff without.json short.json").code(2).stderr(expect![[r#"
        error: `without.json` is not a plan: it has no `version`
          hint: plans are `results/plan.json`, the files in `results/plan/`, and what `lp show --format json` prints
        error: `short.json` is not a plan: missing field `version` at line 1 column 42
          hint: plans are `results/plan.json`, the files in `results/plan/`, and what `lp show --format json` prints
    "#]]);
    ws.lp("show --diff gone default").code(2).stderr(expect![[r#"
        error[LP0701]: there is no profile `gone`
         |
         = help: `Lpfile.toml` has no `[profile.NAME]` table
        error: 1 error
          hint: for the file or folder of this name, write `./gone`
    "#]]);
    ws.lp("show --diff - -").code(2).stderr(expect![[r#"
        error: only one of the two plans can come from stdin
    "#]]);
    ws.lp("show --diff default").code(2).stderr_has("2 values required");
    ws.lp("show --diff default default camera-1").code(2).stderr_has("cannot be used with");
}

#[test]
fn hostile_names_stay_in_their_cells() {
    let name = "a | b `c` $(d) 'e' ‹漢字› 🛒";
    let cameras =
        CAMERAS.replace("camera-1", &name.replace('"', "\\\"")).replace("[\"scan\"]", "[\"w $(x)\"]");
    let workloads =
        crate::support::WORKLOADS.replace("\"motion\"", "\"w $(x)\": [{\"type\": \"zbar\"}], \"motion\"");
    let ws = Workspace::empty()
        .file("Lpfile.toml", "")
        .file("configs/camera_to_workload.json", &cameras)
        .file("configs/workload_to_pipeline.json", &workloads);
    ws.lp("show").success().stdout(expect![[r#"
        camera                        source  frames   fps  workloads     pipelines
        a | b `c` $(d) 'e' ‹漢字› 🛒  file    640x360   15  w $(x)        1
        camera-2                      file    320x180   15  scan, motion  2

        load         count  each second
        decoding         3  45 frames, 7.8 MB
        motioncells      1  15 frames
        zbar             2  30 frames

        2 cameras, 3 workloads
        3 pipelines before merging, 3 after (3 stock): 0 decodes saved
    "#]]);
    // A plan file may come from anywhere, and say anything.
    ws.lp("build plan").success();
    let plan =
        ws.read("results/plan.json").replace("w $(x)", "\\u001b[2Jw").replace("zbar\"", "z\\n+ b\u{202e}\"");
    ws.write("evil.json", &plan);
    let shown = ws.lp("show --diff results/plan.json evil.json").success().stdout;
    expect![[r#"
        ~ a | b `c` $(d) 'e' ‹漢字› 🛒
            workload `w $(x)` removed
            workload `\u{1b}[2Jw` added, a pipeline of its own
        ~ camera-2
            `scan`: step 1: `type` zbar / z\n+ b\u{202e}

                                  results/plan.json  evil.json
        cameras                   2                  2
        workloads                 3                  3
        pipelines before merging  3                  3
        pipelines after merging   3                  3
        pipelines not supported   0                  0
        decodes saved             0                  0

        each second     results/plan.json        evil.json
        decoding        45 frames, 7.8 MB (3 x)  45 frames, 7.8 MB (3 x)
        motioncells     15 frames                15 frames
        zbar            30 frames (2 x)          -
        z\n+ b\u{202e}  -                        30 frames (2 x)

        cameras: 0 removed, 0 added, 2 changed, 0 equal
    "#]]
    .assert_eq(&shown);
}

/// The nodes of a description, as `Graph.from_pipeline_description` of ViPPET's `vippet/graph.py` makes them: parts
/// between `!`, of which one with a comma is caps, and words between blanks.
fn vippet_nodes(description: &str) -> Vec<(String, Vec<(String, String)>)> {
    let pair = |word: &str| {
        let (key, value) = word.split_once('=').unwrap_or_else(|| panic!("`{word}` in {description}"));
        assert!(!key.is_empty() && !value.is_empty(), "{word}");
        (key.trim().to_owned(), value.trim().to_owned())
    };
    let mut nodes: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for part in description.split('!').map(str::trim) {
        if part.contains(',') {
            let mut fields = part.split(',');
            let base = fields.next().unwrap().to_owned();
            assert!(!base.contains(' '), "`{part}` would be caps of a wrong type");
            nodes.push((base, fields.map(pair).collect()));
            continue;
        }
        for word in part.split_whitespace() {
            match word.contains('=') {
                true => nodes.last_mut().unwrap().1.push(pair(word)),
                // The end of a branch: `t.`
                false if word.ends_with('.') => {}
                false => nodes.push((word.to_owned(), Vec::new())),
            }
        }
    }
    nodes
}

#[test]
fn a_lane_is_a_file_that_vippet_loads() {
    let region = r#""region_of_interest": {"x": 10, "y": 20, "x2": 650, "y2": 380},"#;
    assert!(SHOP_CAMERAS.contains(region));
    let ws = shop("[run]\ndialect = \"dlstreamer\"\n");
    // The corners of a region have commas between them.
    ws.lp("show till --vippet").code(2).stderr_has("`roi` of `gvaattachroi` has a comma");
    let ws = ws.file("configs/camera_to_workload.json", &SHOP_CAMERAS.replace(region, ""));
    let ended = ws.lp("show till --vippet").success();
    let line = |prefix: &str| ended.stdout.lines().find_map(|line| line.strip_prefix(prefix)).unwrap();
    let name: String = serde_json::from_str(line("name: ")).unwrap();
    assert_eq!(name, "lp p");
    let descriptions: Vec<String> = ended
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("    pipeline_description: "))
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    assert_eq!(descriptions.len(), 2, "{}", ended.stdout);
    for description in &descriptions {
        let nodes = vippet_nodes(description);
        assert_eq!(nodes[0].0, "filesrc");
        assert!(
            nodes[0].1.iter().any(|(key, value)| key == "location" && value.starts_with("/videos/input/a-"))
        );
        let models = nodes.iter().flat_map(|(_, data)| data).filter(|(key, _)| key == "model");
        let models: Vec<&str> = models.map(|(_, path)| path.as_str()).collect();
        assert_eq!(models.len(), 2, "{description}");
        assert!(models.iter().all(|path| path.starts_with("/models/output/")), "{models:?}");
        assert_eq!(nodes.iter().filter(|(kind, _)| kind == "fakesink").count(), 1);
        assert!(!nodes.iter().any(|(kind, _)| kind == "clocksync"), "ViPPET plays files freely");
    }
    // It names what ViPPET cannot load; with nothing left, it is refused.
    let ended = ws.lp("show --vippet").code(1);
    assert!(
        ended.stderr.contains("left out: `count_1`, `count_3` of `usb`: a script is a program of its own"),
        "{}",
        ended.stderr
    );
    let cells = r#"{"workload_pipeline_map": {"w": [{"type": "motioncells", "properties": {"motioncellsidx": "2:11,2:12"}}]}}"#;
    let one = Workspace::tasks("")
        .file("configs/camera_to_workload.json", r#"{"lane_config": {"cameras": [{"camera_id": "a", "fileSrc": "a.mp4|http://127.0.0.1:9/a.mp4", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}]}}"#)
        .file("configs/workload_to_pipeline.json", cells);
    one.lp("show --vippet").code(2).stderr_has("`motioncellsidx` of `motioncells` has a comma");
    one.lp("show --vippet --launch").code(2);
}
