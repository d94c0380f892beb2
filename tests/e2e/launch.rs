//! `lp show --launch`: the command is whole, quoted for a shell, and its
//! elements depend on devices and options as they should.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use expect_test::{Expect, expect};

use crate::support::Workspace;

const CAMERAS: &str = r#"{ "lane_config": { "cameras": [
  { "camera_id": "cam1", "streamUri": "rtsp://h/a", "workloads": ["a"] }
] } }"#;

/// Two files, of cameras and of steps of the workload `a`, and no `Lpfile.toml`.
fn pair(cameras: &str, steps: &str) -> Workspace {
    let workloads = format!("{{ \"workload_pipeline_map\": {{ \"a\": [{steps}] }} }}");
    Workspace::empty().without_worker().file("c.json", cameras).file("w.json", &workloads)
}

fn step(kind: &str, device: &str, more: &str) -> String {
    let (model, precision) = match kind {
        "gvaclassify" => ("efficientnet-b0", "FP16-INT8"),
        _ => ("yolo11n", "INT8"),
    };
    format!(
        r#"{{ "type": "{kind}", "model": "{model}", "device": "{device}", "precision": "{precision}"{more} }}"#
    )
}

fn argv(ws: &Workspace, sets: &[&str]) -> Vec<String> {
    let mut arguments =
        vec!["show", "--launch", "--cameras", "c.json", "--workloads", "w.json", "--format", "argv"];
    for set in sets {
        arguments.extend(["--set", set]);
    }
    let output = ws.command(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The elements from the first whose factory begins with `from`, one a line, for
/// as long as `lines` says; ids of models are made of digests.
#[track_caller]
fn check(ws: &Workspace, sets: &[&str], from: &str, lines: usize, expect: Expect) {
    let line = argv(ws, sets).join(" ");
    let elements: Vec<&str> = line.split(" ! ").skip_while(|element| !element.starts_with(from)).collect();
    let shown: Vec<String> = elements[..lines]
        .iter()
        .map(|element| {
            let words = element.split(' ').map(|word| match word.split_once("model-instance-id=") {
                Some(("", id)) => format!("model-instance-id={}-*", id.rsplit_once('-').unwrap().0),
                _ => word.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    expect.assert_eq(&format!("{}\n", shown.join("\n")));
}

#[test]
fn the_printed_line_gives_a_shell_exactly_the_arguments() {
    let hostile = r#"{ "lane_config": { "cameras": [
      { "camera_id": "a b; touch owned $(touch owned) `touch owned` 'q' \"d\" \\ ! fakesink",
        "streamUri": "rtsp://h/a?x=$HOME&y='z';touch%20owned!", "workloads": ["a"] },
      { "camera_id": "größe", "fileSrc": "x ! filesink location=owned.mp4|https://h/x", "workloads": ["A"] }
    ] } }"#;
    let steps = r#"{ "type": "gvapython", "module": "my code/a'b\"c.py", "function": "f; touch owned",
                     "properties": { "keyword": "a ! filesink location=owned $HOME" } }"#;
    let ws = pair(hostile, steps);
    let sets = ["run.source=rtsp", "run.count=2", "paths.models=/a b/$HOME", "paths.results=/r 'r'"];
    let argv = argv(&ws, &sets);
    assert_eq!(argv[..2], ["gst-launch-1.0", "--verbose"]);

    let mut arguments = vec!["show", "--launch", "--cameras", "c.json", "--workloads", "w.json"];
    for set in &sets {
        arguments.extend(["--set", set]);
    }
    let output = ws.command(&arguments).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(line.lines().count(), 1);
    assert_eq!(shlex::split(&line).unwrap(), argv);

    // And as a shell has it: a program of that name prints what it was given.
    let program = ws.path("bin/gst-launch-1.0");
    ws.write("bin/gst-launch-1.0", "#!/bin/sh\necho \"$0\"; printf '%s\\n' \"$@\"\n");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", ws.path("bin").display());
    let output = Command::new("/bin/sh")
        .args(["-c", &line])
        .env("PATH", path)
        .current_dir(ws.root())
        .output()
        .unwrap();
    let given: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().skip(1).map(str::to_owned).collect();
    assert_eq!(given, argv[1..]);
    assert!(!ws.exists("owned"));

    arguments.extend(["--format", "json"]);
    let output = ws.command(&arguments).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["argv"], serde_json::json!(argv));
    let parts = document["pipelines"].as_array().unwrap();
    let streams: Vec<&str> = parts.iter().map(|part| part["streams"][0].as_str().unwrap()).collect();
    assert_eq!(streams.len(), 4);
    let chains = parts.iter().flat_map(|part| part["argv"].as_array().unwrap().clone());
    let chains: Vec<String> = chains.map(|word| word.as_str().unwrap().to_owned()).collect();
    assert_eq!(chains, argv[2..]);
    // What looks like an element inside a value is none, and no name stands twice.
    assert!(argv.iter().all(|word| word != "filesink"));
    let mut names: Vec<&String> = argv.iter().filter(|word| word.starts_with("name=")).collect();
    let n_names = names.len();
    names.sort();
    names.dedup();
    assert_eq!((n_names, names.len()), (8, 8));
}

#[test]
fn each_device_has_its_decoder_and_its_options() {
    let of = |device: &str| {
        let steps = format!("{}, {}", step("gvadetect", device, ""), step("gvaclassify", device, ""));
        pair(CAMERAS, &steps)
    };
    check(
        &of("NPU"),
        &[],
        "decodebin",
        5,
        expect![[r"
        decodebin3
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvadetect model-instance-id=yolo11n-* threshold=0.5 name=cam1_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/INT8/yolo11n.xml device=NPU pre-process-backend=ie pre-process-config=resize_type=standard
        gvatrack tracking-type=zero-term-imageless
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
    "]],
    );
    check(
        &of("GPU.1"),
        &["run.render=true"],
        "varender",
        14,
        expect![[r#"
        varenderD129h264dec
        varenderD129postproc
        video/x-raw(memory:VAMemory)
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvadetect model-instance-id=yolo11n-* threshold=0.5 name=cam1_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/INT8/yolo11n.xml device=GPU.1 pre-process-backend=va-surface-sharing
        gvatrack tracking-type=zero-term-imageless
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvaclassify model-instance-id=efficientnet-b0-* batch-size=1 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/FP16-INT8/efficientnet-b0.xml device=GPU.1 labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json pre-process-backend=va-surface-sharing
        gvametaconvert
        gvametapublish file-format=json-lines file-path=results/rs-cam1_1.jsonl
        gvafpscounter name=cam1_1_fps
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        varenderD129postproc
        gvawatermark
    "#]],
    );
    check(
        &of("GPU.0"),
        &[],
        "decodebin",
        3,
        expect![[r#"
        decodebin3
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvadetect model-instance-id=yolo11n-* threshold=0.5 name=cam1_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/INT8/yolo11n.xml device=GPU.0 ie-config=GPU_THROUGHPUT_STREAMS=2 nireq=2 pre-process-config=resize_type=standard
    "#]],
    );
    check(
        &of("hetero:gpu, cpu"),
        &["run.render=true"],
        "decodebin",
        12,
        expect![[r#"
        decodebin
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvadetect model-instance-id=yolo11n-* threshold=0.5 name=cam1_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/INT8/yolo11n.xml device=HETERO:GPU,CPU
        gvatrack tracking-type=zero-term-imageless
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvaclassify model-instance-id=efficientnet-b0-* batch-size=1 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/FP16-INT8/efficientnet-b0.xml device=HETERO:GPU,CPU labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json
        gvametaconvert
        gvametapublish file-format=json-lines file-path=results/rs-cam1_1.jsonl
        gvafpscounter name=cam1_1_fps
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvawatermark
        fpsdisplaysink video-sink=autovideosink sync=false text-overlay=true signal-fps-measurements=true
    "#]],
    );
}

#[test]
fn options_of_inference_reach_their_elements() {
    let steps =
        format!("{}, {}", step("gvadetect", "CPU", r#", "threshold": 0.25"#), step("gvaclassify", "GPU", ""));
    let sets =
        ["dlstreamer.threshold=0.9", "workload.A.batch_size_detect=4", "dlstreamer.batch_size_classify=2"];
    check(
        &pair(CAMERAS, &steps),
        &sets,
        "gvadetect",
        4,
        expect![[r#"
        gvadetect model-instance-id=yolo11n-* threshold=0.25 name=cam1_1_1_gvadetect batch-size=4 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/INT8/yolo11n.xml device=CPU pre-process-backend=opencv ie-config=CPU_THROUGHPUT_STREAMS=2 nireq=2 pre-process-config=resize_type=standard
        gvatrack tracking-type=zero-term-imageless
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvaclassify model-instance-id=efficientnet-b0-* batch-size=2 inference-region=1 scale-method=fast model=models/object_classification/efficientnet-b0/FP16-INT8/efficientnet-b0.xml device=GPU labels=models/object_classification/efficientnet-b0/efficientnet-b0.txt model-proc=models/object_classification/efficientnet-b0/efficientnet-b0.json
    "#]],
    );
    let steps =
        step("gvadetect", "CPU", r#", "properties": { "threshold": 0.75, "nireq": 4, "reshape": true }"#);
    let track = r#", { "type": "gvatrack", "properties": { "tracking-type": "short-term" } }"#;
    check(
        &pair(CAMERAS, &format!("{steps}{track}")),
        &[],
        "gvadetect",
        4,
        expect![[r#"
        gvadetect model-instance-id=yolo11n-* threshold=0.75 name=cam1_1_1_gvadetect batch-size=1 inference-interval=3 scale-method=fast model=models/object_detection/yolo11n/INT8/yolo11n.xml device=CPU pre-process-backend=opencv ie-config=CPU_THROUGHPUT_STREAMS=2 nireq=4 pre-process-config=resize_type=standard reshape=true
        gvatrack tracking-type=short-term
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvametaconvert
    "#]],
    );
}

#[test]
fn streams_are_received_by_what_they_carry() {
    let of = |camera: &str| {
        pair(&format!("{{ \"lane_config\": {{ \"cameras\": [{camera}] }} }}"), &step("gvadetect", "CPU", ""))
    };
    let h265 = r#"{ "camera_id": "c", "streamUri": "rtsp://h/a", "codec": "h265", "workloads": ["a"] }"#;
    check(
        &of(h265),
        &["rtsp.latency=100"],
        "gst-launch",
        4,
        expect![[r#"
        gst-launch-1.0 --verbose rtspsrc name=c_1_source location=rtsp://h/a protocols=tcp latency=100 timeout=5000000 retry=3 drop-on-latency=true
        rtph265depay
        h265parse config-interval=-1
        decodebin3
    "#]],
    );
    let mjpeg = r#"{ "camera_id": "c", "streamUri": "rtsp://h/a", "workloads": ["a"] }"#;
    check(
        &of(mjpeg),
        &["rtsp.codec=mjpeg"],
        "rtp",
        3,
        expect![[r#"
        rtpjpegdepay
        jpegparse
        decodebin3
    "#]],
    );
    // Whatever comes, if another codec is accepted.
    check(
        &of(mjpeg).file("Lpfile.toml", "[camera.c]\naccept = [\"codec\"]\n"),
        &[],
        "application/x-rtp",
        3,
        expect![[r#"
            application/x-rtp,media=video
            decodebin
            queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        "#]],
    );
    // A rate is written as upstream's language writes it.
    let file = r#"{ "camera_id": "c", "fileSrc": "x.mp4|https://h/x", "fps": 15.0, "width": 1280, "workloads": ["a"] }"#;
    check(
        &of(file),
        &["run.source=rtsp", "rtsp.host=::1"],
        "gst-launch",
        1,
        expect![[r#"
            gst-launch-1.0 --verbose rtspsrc name=c_1_source location="rtsp://[::1]:8554/x-1280-15.0-bench" protocols=tcp latency=300 timeout=5000000 retry=3 drop-on-latency=true
        "#]],
    );
    check(
        &of(file),
        &[],
        "gst-launch",
        6,
        expect![[r#"
            gst-launch-1.0 --verbose filesrc name=c_1_source location=media/clips/x-1280x1080-15.mp4
            qtdemux
            video/x-h264;video/x-h265;image/jpeg;video/x-vp9;video/x-av1
            clocksync name=c_1_clocksync
            decodebin3
            queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        "#]],
    );
    check(
        &of(file),
        &["run.pace=free"],
        "gst-launch",
        5,
        expect![[r#"
            gst-launch-1.0 --verbose filesrc name=c_1_source location=media/clips/x-1280x1080-15.mp4
            qtdemux
            video/x-h264;video/x-h265;image/jpeg;video/x-vp9;video/x-av1
            decodebin3
            queue max-size-buffers=3 max-size-time=100000000
        "#]],
    );
    let usb = r#"{ "camera_id": "c", "streamUri": "v4l2:///dev/video3", "workloads": ["a"] }"#;
    check(
        &of(usb),
        &[],
        "gst-launch",
        6,
        expect![[r#"
        gst-launch-1.0 --verbose v4l2src name=c_1_source device=/dev/video3
        videoconvert
        videoscale
        videorate drop-only=true
        video/x-raw,width=1920,height=1080,framerate=[1/1000,15/1]
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
    "#]],
    );
}

#[test]
fn a_step_of_stock_elements_is_between_those_of_dl_streamer() {
    let steps = format!(
        r#"{}, {{ "type": "zbar", "properties": {{ "cache": true }} }}, {}"#,
        step("gvadetect", "CPU", ""),
        r#"{ "type": "gvapython", "module": "m.py", "function": "other" }"#
    );
    check(
        &pair(CAMERAS, &steps),
        &[],
        "gvatrack",
        9,
        expect![[r#"
        gvatrack tracking-type=zero-term-imageless
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        videoconvert
        zbar name=cam1_1_2_zbar cache=true
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvapython module=m.py class=PersonReID function=other arg="[\"cam1/1\"]"
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        queue max-size-buffers=3 max-size-time=100000000 leaky=downstream
        gvafpscounter name=cam1_1_fps
    "#]],
    );
}

/// Upstream would leave out such a camera with all its workloads.
#[test]
fn beside_a_language_model_the_other_workloads_of_a_camera_are_launched() {
    let cameras = CAMERAS.replace(r#"["a"]"#, r#"["ask", "a"]"#);
    let workloads = format!(
        r#"{{ "workload_pipeline_map": {{ "a": [{}], "ask": [{}] }} }}"#,
        step("gvainference", "NPU", ""),
        r#"{ "type": "vlm", "model": "yolo11n", "device": "CPU", "precision": "INT8", "vlm_model": "q" }"#
    );
    let ws = Workspace::empty().without_worker().file("c.json", &cameras).file("w.json", &workloads);
    let ended = ws.lp("show --launch --cameras c.json --workloads w.json").code(1).stderr(expect![[r#"
        left out: `ask` of `cam1`: `vlm` steps are planned but cannot be played yet
    "#]]);
    assert_eq!(ended.stdout.matches("rtspsrc").count(), 1);
}

/// Upstream gives the sixth detector of its own lane the id of the second.
#[test]
fn two_models_never_share_an_id_and_equal_ones_do() {
    let cameras = r#"{ "lane_config": { "cameras": [
      { "camera_id": "c1", "streamUri": "rtsp://h/1", "workloads": ["a"] },
      { "camera_id": "c2", "streamUri": "rtsp://h/2", "workloads": ["a", "b"] },
      { "camera_id": "c3", "streamUri": "rtsp://h/3", "workloads": ["c"],
        "region_of_interest": { "x": 0, "y": 0, "x2": 9, "y2": 9 } },
      { "camera_id": "c4", "streamUri": "rtsp://h/4", "workloads": ["d"] }
    ] } }"#;
    let workloads = format!(
        r#"{{ "workload_pipeline_map": {{ "a": [{}], "b": [{}], "c": [{}], "d": [{}] }} }}"#,
        step("gvadetect", "CPU", ""),
        step("gvadetect", "CPU", r#", "inference_interval": 1"#),
        step("gvadetect", "CPU", ""),
        r#"{ "type": "gvadetect", "model": "face-detection-retail-0004", "device": "CPU", "precision": "FP16" }"#,
    );
    let ws = Workspace::empty().without_worker().file("c.json", cameras).file("w.json", &workloads);
    let ids: Vec<String> =
        argv(&ws, &[]).into_iter().filter(|word| word.starts_with("model-instance-id=")).collect();
    let [c1, c2, c2b, c3, c4] = ids.as_slice() else { panic!("{ids:?}") };
    assert_eq!(c1, c2);
    for (index, id) in [c1, c2b, c3, c4].iter().enumerate() {
        assert!([c1, c2b, c3, c4][..index].iter().all(|other| other != id), "{ids:?}");
    }
}

#[test]
fn pipelines_that_cannot_be_launched_are_left_out_by_name() {
    let cameras = r#"{ "lane_config": { "cameras": [
      { "camera_id": "c1", "streamUri": "rtsp://h/1", "workloads": ["ask"] },
      { "camera_id": "c2", "streamUri": "rtsp://h/2", "workloads": ["scan"] }
    ] } }"#;
    let workloads = r#"{ "workload_pipeline_map": {
      "scan": [{ "type": "zbar" }],
      "ask": [{ "type": "vlm", "model": "yolo11n", "device": "CPU", "precision": "INT8", "vlm_model": "q" }]
    } }"#;
    let ws = Workspace::empty().without_worker().file("c.json", cameras).file("w.json", workloads);
    ws.lp("show --launch --cameras c.json --workloads w.json")
        .code(1)
        .stderr(expect![[r#"
            left out: `ask` of `c1`: `vlm` steps are planned but cannot be played yet
        "#]])
        .stdout(expect![[r#"
            gst-launch-1.0 --verbose rtspsrc name=c2_1_source location=rtsp://h/2 protocols=tcp latency=300 timeout=5000000 retry=3 drop-on-latency=true ! rtph264depay ! h264parse config-interval=-1 ! avdec_h264 max-threads=1 ! queue name=c2_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c2_1_1_zbar ! fakesink name=c2_1_sink sync=false async=false
        "#]]);
    ws.lp("show --launch c1 --cameras c.json --workloads w.json")
        .code(2)
        .stderr(expect![[r#"
            error: there is nothing to launch
              `ask` of `c1`: `vlm` steps are planned but cannot be played yet
        "#]])
        .stdout(expect![""]);
    ws.lp("show --launch c3 --cameras c.json --workloads w.json").code(2);
    ws.lp("show --format argv --cameras c.json --workloads w.json").code(2).stderr_has("--launch");
}

#[test]
fn rendering_looks_for_the_display_before_anything_runs() {
    let ws = Workspace::cameras().env("WAYLAND_DISPLAY", "").env("DISPLAY", "");
    ws.lp("run --set run.render=true")
        .code(2)
        .stderr(expect![[r#"
        error: `run.render` shows frames on a display, but neither `DISPLAY` nor `WAYLAND_DISPLAY` names one
    "#]])
        .stdout(expect![""]);
    let ws = ws.env("DISPLAY", "screen");
    ws.lp("run --set run.render=true").code(2).stderr(expect![[r#"
        error: `run.render` shows frames on a display, but `DISPLAY` is `screen`, which is not like `:0`
    "#]]);
    let ws = ws.env("DISPLAY", ":4711");
    ws.lp("run --set run.render=true").code(2).stderr(expect![[r#"
        error: `run.render` shows frames on a display, but `DISPLAY` is `:4711` and there is no socket `/tmp/.X11-unix/X4711`
    "#]]);
    assert!(!ws.exists("results"));
    // Whoever plays the command somewhere else has a display there.
    let ended = ws.lp("show --launch camera-1 --set run.render=true").success();
    assert!(
        ended.stdout.contains("! videoconvert ! fpsdisplaysink name=camera-1_1_sink"),
        "{}",
        ended.stdout
    );
}

#[test]
fn credentials_by_reference_are_printed_as_variables() {
    let cameras = CAMERAS.replace("rtsp://h/a", "rtsp://ad'min:${CAM_PW}@h/a?b=c");
    let ws = pair(&cameras, r#"{ "type": "zbar" }"#).env("CAM_PW", "hidden").file("Lpfile.toml", "");
    let ended = ws.lp("show --launch --cameras c.json --workloads w.json").success();
    let line = ended.stdout.split(" protocols").next().unwrap();
    expect![[r#"gst-launch-1.0 --verbose rtspsrc name=cam1_1_source 'location="rtsp://h/a?b=c"' 'user-id="ad'\''min"' user-pw="$CAM_PW""#]].assert_eq(line);
    ws.lp("build plan --cameras c.json --workloads w.json").success();
    for text in [ws.read("results/plan/cam1.json"), ended.stdout.clone(), ended.stderr.clone()] {
        assert!(!text.contains("hidden"), "{text}");
    }
}

#[test]
fn a_password_that_is_not_set_is_named_before_anything_runs() {
    let cameras = CAMERAS.replace("rtsp://h/a", "rtsp://${CAM_USER}:${CAM_PW}@h/a");
    let ws = pair(&cameras, r#"{ "type": "zbar" }"#).env("CAM_USER", "me").file("Lpfile.toml", "");
    ws.lp("run --cameras c.json --workloads w.json").code(2).stderr(expect![[r#"
        error: the stream of `cam1` needs the environment variable `CAM_PW`, which is not set
    "#]]);
    assert!(!ws.exists("results"));
}

#[test]
fn pipelines_that_share_their_first_steps_are_launched_as_one() {
    let cameras = CAMERAS.replace(r#"["a"]"#, r#"["a", "b"]"#);
    let workloads = format!(
        r#"{{ "workload_pipeline_map": {{ "a": [{detect}], "b": [{detect}, {}] }} }}"#,
        step("gvaclassify", "CPU", ""),
        detect = step("gvadetect", "CPU", ""),
    );
    let ws = Workspace::empty().without_worker().file("c.json", &cameras).file("w.json", &workloads);
    let line = argv(&ws, &["run.share=prefix"]).join(" ");
    let kinds: Vec<&str> =
        line.split(' ').filter(|word| !word.contains('=') || word.starts_with("name=")).collect();
    expect!["gst-launch-1.0 --verbose rtspsrc name=cam1_1_source ! rtph264depay ! h264parse ! decodebin3 ! queue ! gvadetect name=cam1_1_1_gvadetect ! gvatrack ! queue ! tee name=cam1_1_1_shared ! queue name=cam1_1_1_share ! gvametaconvert ! gvametapublish ! gvafpscounter name=cam1_1_fps ! queue ! fpsdisplaysink cam1_1_1_shared. ! queue name=cam1_2_1_share ! gvaclassify ! gvametaconvert ! gvametapublish ! gvafpscounter name=cam1_2_fps ! queue ! fpsdisplaysink"].assert_eq(&kinds.join(" "));
    let json = ws
        .lp("show --launch --format json --cameras c.json --workloads w.json --set run.share=prefix")
        .success()
        .stdout;
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    expect![[r#"["cam1/1","cam1/2"]"#]].assert_eq(&document["pipelines"][0]["streams"].to_string());
}

#[test]
fn files_of_steps_are_inputs_of_the_run_or_lie_in_the_folder_of_their_stream() {
    let ws = Workspace::empty()
        .file("Lpfile.toml", "")
        .file(
            "configs/camera_to_workload.json",
            r#"{"lane_config": {"cameras": [{"camera_id": "c", "streamUri": "rtsp://h/a", "workloads": ["w"]}]}}"#,
        )
        .file(
            "configs/workload_to_pipeline.json",
            r#"{"workload_pipeline_map": {"w": [
                {"type": "gdkpixbufoverlay", "properties": {"location": "logo.png"}},
                {"type": "tee", "name": "t"}, {"type": "zbar"},
                {"from": "t", "type": "jpegenc"}, {"type": "multifilesink"}]}}"#,
        );
    let line = ws.lp("show --launch").success().stdout;
    assert!(line.starts_with("mkdir -p -- results/files/c/1 && gst-launch-1.0 "), "{line}");
    assert!(line.contains(" location=logo.png "), "{line}");
    assert!(line.ends_with(" location=results/files/c/1/%05d\n"), "{line}");
    ws.lp("run").code(2).stderr_has("`logo.png` does not exist, and `c` needs it");
    let ws = ws.file("logo.png", "");
    ws.lp("build run:lane --dry-run").success();
}

/// `lp build` looks at each step alone, to find the place of a missing file.
#[test]
fn a_tee_in_a_side_branch_is_built() {
    let workloads = r#"{"workload_pipeline_map": {"codes": [
        {"type": "tee", "name": "t"}, {"type": "zbar"}, {"from": "t", "type": "tee", "name": "u"},
        {"type": "motioncells"}, {"from": "u", "type": "identity"}]}}"#;
    let cameras = r#"{"lane_config": {"cameras": [{"camera_id": "till", "streamUri": "rtsp://h/1",
        "width": 640, "height": 360, "fps": 15, "workloads": ["codes"]}]}}"#;
    let ws = Workspace::empty().file("Lpfile.toml", "").file("configs/camera_to_workload.json", cameras);
    let ws = ws.file("configs/workload_to_pipeline.json", workloads);
    let built = ws.lp("build -n run:till").success().stderr;
    assert!(built.contains("run:till   new\n"), "{built}");
}
