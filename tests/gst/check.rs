//! `lp check --machine` with planted faults, one of each kind, on the real
//! registry.

use std::os::unix::fs::symlink;
use std::path::Path;

use expect_test::{Expect, expect};
use gstreamer as gst;

use crate::project::{latest, short};
use crate::workspace::Workspace;

/// Cameras with these steps are refused, and a run of them in the same words.
#[track_caller]
fn check(cameras: &[(&str, &str)], expect: Expect) {
    let ws = short(cameras);
    let checked = ws.lp("check --machine").code(2);
    assert_eq!(checked.stdout, "");
    expect.assert_eq(&checked.stderr);
    assert_eq!(ws.lp("run").code(2).stderr, checked.stderr);
    assert!(!ws.exists("results"), "something ran");
}

#[test]
fn a_playable_project_prints_one_line() {
    let ws = short(&[("camera-1", r#"{"type": "zbar"}"#), ("camera-2", r#"{"type": "motioncells"}"#)]);
    let checked = ws.lp("check --machine").success();
    let (line, version) = checked.stderr.trim_end().rsplit_once(' ').unwrap();
    assert_eq!(line, "no errors: 2 cameras, 2 workloads, 0 tasks, GStreamer");
    assert!(version.starts_with("1."), "{version}");
    assert!(!ws.exists("results"));
}

/// The device of a USB camera is opened by a check; a plan needs none.
#[test]
fn a_usb_camera_that_cannot_be_used_is_named_at_its_place() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let told = |device: &str| {
        let uri = format!("\"streamUri\": \"v4l2://{device}\"");
        let cameras = cameras.replace("\"fileSrc\": \"short.mp4|scene:short\"", &uri);
        ws.write("configs/camera_to_workload.json", &cameras);
        ws.lp("check").success();
        ws.lp("check --machine").code(2).stderr
    };
    expect![[r#"
        error[LP0910]: the USB camera of `till` cannot be used: `/dev/video4711`: there is no such device
         --> configs/camera_to_workload.json:4:7
          |
        4 |       {"camera_id": "till", "streamUri": "v4l2:///dev/video4711", "width": 320, "height": 180, "fps": 15, "workloads": ["of-till"]}
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        error: 1 error
    "#]].assert_eq(&told("/dev/video4711"));
    // The reason is GStreamer's.
    let other = told("/dev/null");
    let (first, _) = other.split_once('\n').unwrap();
    let why = first.strip_prefix("error[LP0910]: the USB camera of `till` cannot be used: ");
    assert!(why.is_some_and(|why| why.contains("/dev/null")), "{other}");
}

#[test]
fn an_unknown_element_is_named_with_a_suggestion() {
    check(
        &[("camera-1", r#"{"type": "motionzells"}, {"type": "nosuchelement"}"#)],
        expect![[r#"
        error[LP0803]: this machine has no element `motionzells`, which `camera-1` needs
         --> configs/workload_to_pipeline.json:3:30
          |
        3 |     "of-camera-1": [{"type": "motionzells"}, {"type": "nosuchelement"}]
          |                              ^^^^^^^^^^^^^
          |
          = help: did you mean `motioncells`?

        error[LP0803]: this machine has no element `nosuchelement`, which `camera-1` needs
         --> configs/workload_to_pipeline.json:3:55
          |
        3 |     "of-camera-1": [{"type": "motionzells"}, {"type": "nosuchelement"}]
          |                                                       ^^^^^^^^^^^^^^^
          |
          = help: no Debian package is known to have it; see `gst-inspect-1.0 nosuchelement`
        error: 2 errors
    "#]],
    );
}

#[test]
fn an_unknown_property_is_named_with_a_suggestion() {
    check(
        &[("camera-1", r#"{"type": "motioncells", "properties": {"gridz": 16, "what": 1, "gap": 2}}"#)],
        expect![[r#"
            error[LP0903]: `motioncells` has no property `gridz`
             --> configs/workload_to_pipeline.json:3:60
              |
            3 |     "of-camera-1": [{"type": "motioncells", "properties": {"gridz": 16, "what": 1, "gap": 2}}]
              |                                                            ^^^^^^^
              |
              = help: did you mean `gridx`?

            error[LP0903]: `motioncells` has no property `what`
             --> configs/workload_to_pipeline.json:3:73
              |
            3 |     "of-camera-1": [{"type": "motioncells", "properties": {"gridz": 16, "what": 1, "gap": 2}}]
              |                                                                         ^^^^^^
              |
              = help: it has `calculatemotion`, `cellscolor`, `datafile`, `datafileextension`, `display`, `gap`, `gridx`, `gridy`, `minimummotionframes`, `motioncellsidx`, `motioncellthickness`, `motionmaskcellspos`, `motionmaskcoords`, `postallmotion`, `postnomotion`, `qos` and 3 more
            error: 2 errors
        "#]],
    );
}

#[test]
fn a_read_only_property_cannot_be_set() {
    check(
        &[("camera-1", r#"{"type": "queue", "properties": {"current-level-buffers": 3}}"#)],
        expect![[r#"
        error[LP0904]: the property `current-level-buffers` of `queue` cannot be set
         --> configs/workload_to_pipeline.json:3:54
          |
        3 |     "of-camera-1": [{"type": "queue", "properties": {"current-level-buffers": 3}}]
          |                                                      ^^^^^^^^^^^^^^^^^^^^^^^ only read
        error: 1 error
    "#]],
    );
}

#[test]
fn a_value_of_another_type_is_refused() {
    check(
        &[(
            "camera-1",
            r#"{"type": "motioncells", "properties": {"gridx": 1.5, "display": "perhaps", "sensitivity": "high"}}"#,
        )],
        expect![[r#"
            error[LP0905]: `gridx` of `motioncells` must be a whole number from 8 to 32
             --> configs/workload_to_pipeline.json:3:69
              |
            3 |     "of-camera-1": [{"type": "motioncells", "properties": {"gridx": 1.5, "display": "perhaps", "sensitivity": "high"}}]
              |                                                                     ^^^ found `1.5`

            error[LP0905]: `display` of `motioncells` must be true or false
             --> configs/workload_to_pipeline.json:3:85
              |
            3 |     "of-camera-1": [{"type": "motioncells", "properties": {"gridx": 1.5, "display": "perhaps", "sensitivity": "high"}}]
              |                                                                                     ^^^^^^^^^ found `perhaps`

            error[LP0905]: `sensitivity` of `motioncells` must be a number from 0 to 1
             --> configs/workload_to_pipeline.json:3:111
              |
            3 |     "of-camera-1": [{"type": "motioncells", "properties": {"gridx": 1.5, "display": "perhaps", "sensitivity": "high"}}]
              |                                                                                                               ^^^^^^ found `high`
            error: 3 errors
        "#]],
    );
}

#[test]
fn a_number_beyond_the_limits_is_refused_with_them() {
    check(
        &[("camera-1", r#"{"type": "motioncells", "properties": {"gridx": 4, "sensitivity": 2}}"#)],
        expect![[r#"
            error[LP0906]: `gridx` of `motioncells` must be a whole number from 8 to 32
             --> configs/workload_to_pipeline.json:3:69
              |
            3 |     "of-camera-1": [{"type": "motioncells", "properties": {"gridx": 4, "sensitivity": 2}}]
              |                                                                     ^ found `4`

            error[LP0906]: `sensitivity` of `motioncells` must be a number from 0 to 1
             --> configs/workload_to_pipeline.json:3:87
              |
            3 |     "of-camera-1": [{"type": "motioncells", "properties": {"gridx": 4, "sensitivity": 2}}]
              |                                                                                       ^ found `2`
            error: 2 errors
        "#]],
    );
}

#[test]
fn an_unknown_enum_or_flag_is_refused_with_the_known_ones() {
    check(
        &[(
            "camera-1",
            r#"{"type": "queue", "properties": {"leaky": "downsteam"}}, {"type": "x264enc", "properties": {"tune": "zerolatncy", "speed-preset": "warp"}}"#,
        )],
        expect![[r#"
            error[LP0907]: `leaky` of `queue` must be one of `no`, `upstream`, `downstream`
             --> configs/workload_to_pipeline.json:3:63
              |
            3 |     "of-camera-1": [{"type": "queue", "properties": {"leaky": "downsteam"}}, {"type": "x264enc", "properties": {"tune": "zerolatncy",...
              |                                                               ^^^^^^^^^^^ found `downsteam`
              |
              = help: did you mean `downstream`?

            error[LP0907]: `tune` of `x264enc` must be some of `stillimage`, `fastdecode`, `zerolatency`, joined by `+`
             --> configs/workload_to_pipeline.json:3:121
              |
            3 | ...m"}}, {"type": "x264enc", "properties": {"tune": "zerolatncy", "speed-preset": "warp"}}]
              |                                                     ^^^^^^^^^^^^ found `zerolatncy`
              |
              = help: did you mean `zerolatency`?

            error[LP0907]: `speed-preset` of `x264enc` must be one of `None`, `ultrafast`, `superfast`, `veryfast`, `faster`, `fast`, `medium`, `slow`, `slower`, `veryslow`, `placebo`
             --> configs/workload_to_pipeline.json:3:151
              |
            3 | ..., "properties": {"tune": "zerolatncy", "speed-preset": "warp"}}]
              |                                                           ^^^^^^ found `warp`
            error: 3 errors
        "#]],
    );
}

#[test]
fn elements_that_cannot_be_linked_are_named_with_the_caps_of_both() {
    check(
        &[("camera-1", r#"{"type": "bin", "steps": [{"type": "x264enc"}, {"type": "zbar"}]}"#)],
        expect![[r#"
            error[LP0908]: `x264enc` cannot be linked to `zbar`
             --> configs/workload_to_pipeline.json:3:77
              |
            3 |     "of-camera-1": [{"type": "bin", "steps": [{"type": "x264enc"}, {"type": "zbar"}]}]
              |                                                        ---------            ^^^^^^ takes `video/x-raw, format={ Y800, I420, YV12, NV12, NV21, Y41B, Y42B, YUV9, YVU9 }`
              |                                                        |
              |                                                        gives `video/x-h264, stream-format={ avc, byte-stream }, alignment=au, profile={ high-4:4:4, high-4:2:2, hi...`
            error: 1 error
        "#]],
    );
    check(
        &[("camera-1", r#"{"type": "zbar"}, {"type": "qtdemux"}"#)],
        expect![[r#"
            error[LP0908]: `videoconvert` cannot be linked to `qtdemux`
             --> configs/workload_to_pipeline.json:3:48
              |
            3 |     "of-camera-1": [{"type": "zbar"}, {"type": "qtdemux"}]
              |                                                ^^^^^^^^^ takes `video/quicktime; video/mj2; audio/x-m4a; application/x-3gp`
              |
              = help: `videoconvert` gives `video/x-raw, width=320, height=180, framerate=15/1, format={ I420, Y42B, YUV9, Y41B, NV12, NV21 }; v...`
            error: 1 error
        "#]],
    );
}

#[test]
fn caps_that_a_clip_does_not_have_are_refused() {
    check(
        &[("camera-1", r#"{"type": "zbar", "caps": "video/x-raw,width=100"}"#)],
        expect![[r#"
            error[LP0908]: `zbar` cannot be linked to `capsfilter`
             --> configs/workload_to_pipeline.json:3:46
              |
            3 |     "of-camera-1": [{"type": "zbar", "caps": "video/x-raw,width=100"}]
              |                              ------          ^^^^^^^^^^^^^^^^^^^^^^^ takes `video/x-raw, width=100`
              |                              |
              |                              gives `video/x-raw, width=320, height=180, framerate=15/1, format={ I420, Y42B, YUV9, Y41B, NV12, NV21 }; v...`
            error: 1 error
        "#]],
    );
}

#[test]
fn malformed_caps_are_refused() {
    check(
        &[("camera-1", r#"{"type": "zbar", "caps": "video/x-raw,width=(int)wide"}"#)],
        expect![[r#"
        error[LP0909]: `camera-1` cannot be built: `capsfilter` (`capsfilter-9`): expected a `GstCaps` for property `caps`, found `video/x-raw,width=(int)wide`
         --> configs/workload_to_pipeline.json:3:46
          |
        3 |     "of-camera-1": [{"type": "zbar", "caps": "video/x-raw,width=(int)wide"}]
          |                                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        error: 1 error
    "#]],
    );
}

#[test]
fn a_side_branch_is_checked_as_well() {
    let steps = r#"{"type": "tee", "name": "t"}, {"type": "zbar"},
        {"from": "t", "type": "x264enc"}, {"type": "jpegdec"}"#;
    check(
        &[("camera-1", steps)],
        expect![[r#"
            error[LP0908]: `x264enc` cannot be linked to `jpegdec`
             --> configs/workload_to_pipeline.json:4:52
              |
            4 |         {"from": "t", "type": "x264enc"}, {"type": "jpegdec"}]
              |                               ---------            ^^^^^^^^^ takes `image/jpeg`
              |                               |
              |                               gives `video/x-h264, stream-format={ avc, byte-stream }, alignment=au, profile={ high-4:4:4, high-4:2:2, hi...`
            error: 1 error
        "#]],
    );
}

const DETECT: &str = r#"{"type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "INT8"}"#;

#[test]
fn without_a_fitting_dialect_the_missing_elements_are_named_with_ways_out() {
    let ws = short(&[("camera-1", DETECT), ("camera-2", r#"{"type": "zbar"}"#)]);
    ws.lp("check --machine --set run.dialect=dlstreamer").code(2).stderr(expect![[r#"
        error[LP0902]: `camera-2` needs Intel DL Streamer, which this machine does not have
         --> configs/camera_to_workload.json:5:7
          |
        5 |       {"camera_id": "camera-2", "fileSrc": "short.mp4|scene:short", "width": 320, "height": 180, "fps": 15, "workloads": ["of-camera-2"]}
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ missing: `gvafpscounter`, `gvametaconvert`, `gvametapublish`
          |
          = help: play them with `run.dialect = "auto"` or `"stock"`: all their steps are stock elements

        error[LP0902]: `camera-1` needs Intel DL Streamer, which this machine does not have
         --> configs/workload_to_pipeline.json:3:30
          |
        3 |     "of-camera-1": [{"type": "gvadetect", "model": "yolo11n", "device": "CPU", "precision": "INT8"}],
          |                              ^^^^^^^^^^^ missing: `gvadetect`, `gvafpscounter`, `gvametaconvert`, `gvametapublish`, `gvatrack`
          |
          = help: 1. with `run.dialect = "auto"`: without it, `lp-worker` infers itself
                  2. in its container image: set `[worker] command`, see `lp check --explain LP0902`
                  3. on Ubuntu: `intel-dlstreamer` from Intel's apt repository, see the same page
                  4. meanwhile: `lp run --decode-only` measures sources and decoding, without inference
                  5. without it: give the cameras workloads of stock elements
        error: 2 errors
    "#]]);
    // Without a choice, the worker plays them itself.
    ws.lp("check --machine").success();
    for (dialect, camera, text) in [
        ("stock", DETECT, "the dialect `stock` cannot play `camera-1`: `gvadetect` runs a model"),
        ("dlstreamer", r#"{"type": "zbar"}"#, "all their steps are stock elements"),
    ] {
        let ws = short(&[("camera-1", camera)]);
        let ended = ws.lp(&format!("check --machine --set run.dialect={dialect}")).code(2);
        assert!(ended.stderr.contains("error[LP0902]"), "{}", ended.stderr);
        assert!(ended.stderr.contains(text), "{}", ended.stderr);
    }
}

/// The machine without one plugin.
pub(crate) fn without(ws: Workspace, plugin: &str) -> Workspace {
    gst::init().unwrap();
    let (plugins, registry) = (ws.path("plugins"), ws.path("registry"));
    std::fs::create_dir(&plugins).unwrap();
    let left_out = gst::Registry::get().find_plugin(plugin).unwrap().filename().unwrap();
    for entry in std::fs::read_dir(Path::new(&left_out).parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path != left_out {
            symlink(&path, plugins.join(path.file_name().unwrap())).unwrap();
        }
    }
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    ws.env("GST_PLUGIN_SYSTEM_PATH_1_0", &text(&plugins)).env("GST_REGISTRY", &text(&registry))
}

#[test]
fn a_decoder_that_is_not_installed_is_named_with_its_package() {
    let ws = without(short(&[("camera-1", r#"{"type": "zbar"}"#)]), "libav");
    ws.lp("check --machine").code(2).stderr(expect![[r#"
        error[LP0803]: this machine has no element `avdec_h264`, which `camera-1` needs
         --> configs/camera_to_workload.json:4:7
          |
        4 |       {"camera_id": "camera-1", "fileSrc": "short.mp4|scene:short", "width": 320, "height": 180, "fps": 15, "workloads": ["of-camera-1"]}
          |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: sudo apt-get install gstreamer1.0-libav
        error: 1 error
    "#]]);
}

#[test]
fn a_fault_of_two_cameras_is_reported_once() {
    let bad = r#"{"type": "identity", "properties": {"sleep": 3}}"#;
    let ws = short(&[("camera-1", bad), ("camera-2", r#"{"type": "zbar"}"#)]);
    let cameras = ws.read("configs/camera_to_workload.json").replace("of-camera-2", "of-camera-1");
    ws.write("configs/camera_to_workload.json", &cameras);
    let ended = ws.lp("check --machine").code(2);
    assert_eq!(ended.stderr.matches("error[LP0903]").count(), 1, "{}", ended.stderr);
}

#[test]
fn json_and_sarif_report_the_faults_of_the_machine() {
    let ws = short(&[("camera-1", r#"{"type": "queue", "properties": {"leaky": "downsteam"}}"#)]);
    let json: serde_json::Value =
        serde_json::from_str(&ws.lp("check --machine --json").code(2).stdout).unwrap();
    let fault = &json["diagnostics"][0];
    assert_eq!(
        (fault["code"].as_str(), fault["help"].as_str()),
        (Some("LP0907"), Some("did you mean `downstream`?"))
    );
    let sarif = ws.lp("check --machine --format sarif").code(2).stdout;
    assert!(sarif.contains("\"ruleId\": \"LP0907\""), "{sarif}");
}

#[test]
fn without_a_worker_nothing_is_known_of_the_machine() {
    let ws = short(&[("camera-1", r#"{"type": "zbar"}"#)]).env("LP_WORKER", "/nowhere/lp-worker");
    ws.lp("check").success();
    ws.lp("check --machine").code(2).stderr(expect![[r#"
        error[LP0901]: failed to ask this machine: no worker: `/nowhere/lp-worker` does not exist
         |
         = help: build or install `lp-worker` (it needs GStreamer's development files), or name one in `LP_WORKER`
        error: 1 error
    "#]]);
    let json: serde_json::Value =
        serde_json::from_str(&ws.lp("check --machine --json").code(2).stdout).unwrap();
    assert_eq!(json["diagnostics"][0]["code"], "LP0901");
}

#[test]
fn a_run_names_missing_models_and_elements_together() {
    // Nobody but the user has its weights.
    let detect = r#"{"type": "gvadetect", "model": "yolov9c", "device": "CPU", "precision": "INT8"}"#;
    let ws = short(&[("camera-1", detect)]);
    let ended = ws.lp("run --set run.dialect=dlstreamer").code(2);
    let missing = "`models/object_detection/yolov9c/yolov9c.pt` does not exist";
    assert!(ended.stderr.contains(missing), "{}", ended.stderr);
    assert!(ended.stderr.contains("error[LP0902]: `camera-1` needs Intel DL Streamer"), "{}", ended.stderr);
    assert!(!ws.exists("results"));
}

#[test]
fn a_lane_of_dl_streamer_is_really_decoded_without_it() {
    let classify =
        r#"{"type": "gvaclassify", "model": "efficientnet-b0", "device": "NPU", "precision": "FP16-INT8"}"#;
    let two = format!("{}, {classify}", DETECT.replace("CPU", "GPU"));
    let ws = short(&[("camera-1", DETECT), ("camera-2", &two), ("camera-3", r#"{"type": "zbar"}"#)]);
    let ended = ws.lp("run --decode-only --set run.pace=free --set run.dialect=dlstreamer");
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
    let record = latest(&ws);
    assert!(record.conditions.decode_only);
    for stream in record.members.iter().flat_map(|member| &member.streams) {
        // All frames of the clip of three seconds, each decoded once, none inferred.
        assert_eq!((stream.life.decoded, stream.life.played, stream.life.dropped), (45, 45, 0), "{stream:?}");
        assert!(stream.sightings.is_empty(), "{stream:?}");
    }
    assert_eq!(record.members.len(), 3);
    let plan = ws.read("results/plan/camera-2.json");
    assert!(plan.contains(r#" ! decodebin3 ! queue "#) && !plan.contains("! gva"), "{plan}");
}

#[test]
fn streams_of_every_codec_can_be_received() {
    let ws = short(&[("camera-1", r#"{"type": "zbar"}"#)]);
    let camera = |codec: &str| {
        format!(
            r#"{{"camera_id": "{codec}", "streamUri": "rtsp://h/{codec}", "codec": "{codec}", "workloads": ["of-camera-1"]}}"#
        )
    };
    let cameras = ["h264", "h265", "mjpeg"].map(camera).join(", ");
    ws.write("configs/camera_to_workload.json", &format!(r#"{{"lane_config": {{"cameras": [{cameras}]}}}}"#));
    ws.lp("check --machine").success();
}
