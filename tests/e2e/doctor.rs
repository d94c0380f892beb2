//! `lp doctor`: what the plan needs of devices, and what is there of it.
//!
//! The fake worker has every element, so only devices can be missing. Paths are
//! real ones; nodes that a machine may have or not are hidden, or made without a
//! driver behind them, in a mount namespace of its own.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use expect_test::expect;

use super::support::{Ended, IR, Workspace};

/// A camera for each way to say what is needed.
fn project(cameras: &str, workloads: &str) -> Workspace {
    Workspace::empty()
        .file("Lpfile.toml", "")
        .file("configs/camera_to_workload.json", &format!(r#"{{"lane_config": {{"cameras": [{cameras}]}}}}"#))
        .file(
            "configs/workload_to_pipeline.json",
            &format!(r#"{{"workload_pipeline_map": {{{workloads}}}}}"#),
        )
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
}

fn camera(name: &str, uri: &str, workload: &str) -> String {
    format!(
        r#"{{"camera_id": "{name}", "streamUri": "{uri}", "width": 640, "height": 360, "fps": 15, "workloads": ["{workload}"]}}"#
    )
}

fn detect(workload: &str, device: &str) -> String {
    format!(
        r#""{workload}": [{{"type": "gvadetect", "model": "yolo11n", "precision": "INT8", "device": "{device}"}}]"#
    )
}

/// What `lp doctor` says of all but software, files and limits.
fn devices(ended: &Ended) -> String {
    let mut is_device = false;
    let mut text = String::new();
    // Readings of collectors come after an empty line.
    for line in ended.stdout.lines().take_while(|line| !line.is_empty()) {
        if !line.starts_with(' ') {
            let rest = line.split_once("  ").map_or("", |(_, rest)| rest.trim_start());
            let others = [
                "worker",
                "GStreamer",
                "element",
                "DL Streamer",
                "model ",
                "video ",
                "streams",
                "pip ",
                "Python ",
                "fit to measure",
            ];
            let is_software = others.iter().any(|what| rest.starts_with(what));
            is_device = !is_software && !line.starts_with("note");
        }
        if is_device {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// A mount namespace that this user may make, and in which `probe` succeeds: the
/// command line up to a script. `None`, with a line that says so, if there is none.
fn namespace(probe: &str) -> Option<Vec<&'static str>> {
    let ways = [vec!["unshare", "-m", "sh", "-ec"], vec!["unshare", "-rm", "sh", "-ec"]];
    let works = |way: &Vec<&str>| {
        let probed = Command::new(way[0]).args(&way[1..]).arg(probe).stderr(Stdio::null()).status();
        probed.is_ok_and(|status| status.success())
    };
    let found = ways.into_iter().find(works);
    if found.is_none() {
        // Not by `eprintln!`, which a test that passes swallows.
        let skipped = format!("skipped: this user may not do `{probe}` in a mount namespace\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap();
    }
    found
}

/// Runs `lp doctor`, `with` being put before its command line, in a namespace
/// that `script` prepares.
#[track_caller]
fn doctor_where(ws: &Workspace, namespace: &[&str], script: &str, with: &str) -> Ended {
    let lp = ws.command(&["doctor"]);
    let mut command = Command::new(namespace[0]);
    command.args(&namespace[1..]).arg(format!("{script}\nexec {with} \"$@\"")).arg("sh");
    command.arg(lp.get_program()).args(lp.get_args()).current_dir(ws.root());
    for (name, value) in lp.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Ended::new(command.output().unwrap(), &ws.root())
}

/// No GPU and no NPU, also on a machine that has them.
const NO_DEVICES: &str = "for folder in /dev/dri /dev/accel; do
  if [ -d $folder ]; then mount -t tmpfs none $folder; fi
done";

/// A `/dev` with nodes that nothing is behind, and groups of its own.
const NODES: &str = "mount -t tmpfs -o mode=755 none /dev
mknod -m 666 /dev/null c 1 3
mkdir /dev/dri /dev/accel
mknod /dev/dri/card0 c 226 0
mknod /dev/dri/renderD128 c 226 255
mknod /dev/dri/renderD129 c 226 254
mknod /dev/accel/accel0 c 261 255
mknod /dev/video0 c 81 255
chmod 660 /dev/dri/renderD128 /dev/accel/accel0 /dev/video0
chmod 600 /dev/dri/renderD129
chgrp 4104 /dev/dri/renderD128 /dev/dri/renderD129
chgrp 4105 /dev/accel/accel0
chgrp 4044 /dev/video0
printf 'root:x:0:\\nrender:x:4104:\\nvideo:x:4044:me\\n' >/dev/group
mount --bind /dev/group /etc/group";

fn every_device(video: &str) -> Workspace {
    let cameras = [
        camera("till", "rtsp://127.0.0.1:9/1", "first"),
        camera("door", "rtsp://127.0.0.1:9/2", "second"),
        camera("shelf", &format!("v4l2://{video}"), "third"),
    ];
    let workloads = [detect("first", "GPU"), detect("second", "GPU.1"), detect("third", "NPU")];
    project(&cameras.join(","), &workloads.join(","))
}

#[test]
fn a_plan_without_devices_is_not_asked_for_any() {
    let workloads = [r#""scan": [{"type": "zbar"}]"#.to_owned(), detect("any", "AUTO"), detect("cpu", "CPU")];
    let cameras = ["scan", "any", "cpu"].map(|workload| camera(workload, "rtsp://127.0.0.1:9/1", workload));
    let ws = project(&cameras.join(","), &workloads.join(","))
        .file("models/object_detection/yolo11n/INT8/yolo11n.xml", IR)
        .file("models/object_detection/yolo11n/INT8/yolo11n.bin", "1");
    let ended = ws.lp("doctor").success();
    assert_eq!(devices(&ended), "");
    assert!(ended.stdout.contains("ok       DL Streamer"), "{}", ended.stdout);
}

#[test]
fn all_devices_that_are_not_there_are_missed_at_once() {
    let ws = every_device("/dev/lp-none/video0");
    let Some(namespace) = namespace("mount -t tmpfs none /mnt") else { return };
    let ended = doctor_where(&ws, &namespace, NO_DEVICES, "").code(1);
    expect![[r#"
        missing  GPU                           there is no `/dev/dri/renderD*`
                                               needed by: `gvadetect` on GPU of `first`
                                               on the host: `lspci -k` names the driver of each GPU; Intel's need `i915` or `xe`, newer ones also firmware (sudo apt-get install firmware-misc-nonfree)
                                               in a container: --device /dev/dri --group-add $(stat -c %g /dev/dri/renderD128)
        missing  GPU /dev/dri/renderD129       there is no `/dev/dri/renderD129`
                                               needed by: `gvadetect` on GPU.1 of `second`, `varenderD129h264dec` of `second`, `varenderD129postproc` of `second`
                                               on the host: `lspci -k` names the driver of each GPU; Intel's need `i915` or `xe`, newer ones also firmware (sudo apt-get install firmware-misc-nonfree)
                                               in a container: --device /dev/dri --group-add $(stat -c %g /dev/dri/renderD129)
        missing  NPU                           there is no `/dev/accel/accel*`
                                               needed by: `gvadetect` on NPU of `third`
                                               on the host: `lspci -k` names the driver of each NPU; Intel's need `intel_vpu` (Linux 6.3 or later) and the firmware that comes with Intel's linux-npu-driver
                                               in a container: --device /dev/accel --group-add $(stat -c %g /dev/accel/accel0)
        missing  camera /dev/lp-none/video0    there is no `/dev/lp-none/video0`
                                               needed by: the camera `shelf`
                                               on the host: plug it in; `v4l2-ctl --list-devices` lists those that are there (sudo apt-get install v4l-utils)
                                               in a container: --device /dev/lp-none/video0 --group-add $(stat -c %g /dev/lp-none/video0)
    "#]].assert_eq(&devices(&ended));
}

#[test]
fn devices_of_other_groups_are_shown_with_the_ways_to_join() {
    let ws = every_device("/dev/video0");
    let nobody = "setpriv --reuid=65534 --regid=65534";
    let whole = ws.root().parent().unwrap().to_owned();
    let script = format!("{NODES}\nchown -R 65534:65534 '{}'", whole.display());
    let Some(namespace) = namespace("mount -t tmpfs none /mnt; mknod /mnt/x c 226 255; chown 1:1 /mnt/x")
    else {
        return;
    };
    let ended = doctor_where(&ws, &namespace, &script, &format!("{nobody} --clear-groups"));
    expect![[r#"
        missing  GPU                           `/dev/dri/renderD128` is for group `render` (4104), and this process is not in it
                                               needed by: `gvadetect` on GPU of `first`
                                               on the host: sudo usermod -aG render $USER, and log in again
                                               in a container: --device /dev/dri --group-add 4104
        missing  GPU /dev/dri/renderD129       `/dev/dri/renderD129` is for its owner alone (user 0, mode 600)
                                               needed by: `gvadetect` on GPU.1 of `second`, `varenderD129h264dec` of `second`, `varenderD129postproc` of `second`
                                               on the host: sudo chgrp render /dev/dri/renderD129; sudo chmod g+rw /dev/dri/renderD129, which lasts until it is plugged in again
                                               in a container: --device /dev/dri --group-add $(stat -c %g /dev/dri/renderD129)
        missing  NPU                           `/dev/accel/accel0` is for group 4105, which has no name, and this process is not in it
                                               needed by: `gvadetect` on NPU of `third`
                                               on the host: `getent group 4105` names it, else sudo groupadd --gid 4105 render-4105; sudo usermod -aG its name $USER, and log in again
                                               in a container: --device /dev/accel --group-add 4105
        missing  camera /dev/video0            `/dev/video0` is for group `video` (4044), and this process is not in it
                                               needed by: the camera `shelf`
                                               on the host: sudo usermod -aG video $USER, and log in again
                                               in a container: --device /dev/video0 --group-add 4044
    "#]].assert_eq(&devices(&ended.code(1)));
    // With the groups all are opened, and nothing is behind them.
    let ended = doctor_where(&ws, &namespace, &script, &format!("{nobody} --groups 4104,4105,4044")).code(1);
    expect![[r#"
        missing  GPU                           `/dev/dri/renderD128` cannot be opened: No such device or address (os error 6)
                                               needed by: `gvadetect` on GPU of `first`
                                               on the host: `lspci -k` names the driver of each GPU; Intel's need `i915` or `xe`, newer ones also firmware (sudo apt-get install firmware-misc-nonfree)
                                               in a container: --device /dev/dri --group-add 4104
        missing  GPU /dev/dri/renderD129       `/dev/dri/renderD129` is for its owner alone (user 0, mode 600)
                                               needed by: `gvadetect` on GPU.1 of `second`, `varenderD129h264dec` of `second`, `varenderD129postproc` of `second`
                                               on the host: sudo chgrp render /dev/dri/renderD129; sudo chmod g+rw /dev/dri/renderD129, which lasts until it is plugged in again
                                               in a container: --device /dev/dri --group-add $(stat -c %g /dev/dri/renderD129)
        missing  NPU                           `/dev/accel/accel0` cannot be opened: No such device or address (os error 6)
                                               needed by: `gvadetect` on NPU of `third`
                                               on the host: `lspci -k` names the driver of each NPU; Intel's need `intel_vpu` (Linux 6.3 or later) and the firmware that comes with Intel's linux-npu-driver
                                               in a container: --device /dev/accel --group-add 4105
        missing  camera /dev/video0            `/dev/video0` cannot be opened: No such device or address (os error 6)
                                               needed by: the camera `shelf`
                                               on the host: plug it in; `v4l2-ctl --list-devices` lists those that are there (sudo apt-get install v4l-utils)
                                               in a container: --device /dev/video0 --group-add 4044
    "#]].assert_eq(&devices(&ended));
}

#[test]
fn other_files_are_refused_as_cameras() {
    let cameras =
        [camera("none", "v4l2:///dev/lp-none/video7", "scan"), camera("null", "v4l2:///dev/null", "scan")];
    let ws = project(&cameras.join(","), r#""scan": [{"type": "zbar"}]"#);
    expect![[r#"
        missing  camera /dev/lp-none/video7  there is no `/dev/lp-none/video7`
                                             needed by: the camera `none`
                                             on the host: plug it in; `v4l2-ctl --list-devices` lists those that are there (sudo apt-get install v4l-utils)
                                             in a container: --device /dev/lp-none/video7 --group-add $(stat -c %g /dev/lp-none/video7)
        missing  camera /dev/null            `/dev/null` is not a video device: a video device is a character device 81:*, this is the character device 1:*
                                             needed by: the camera `null`
                                             on the host: plug it in; `v4l2-ctl --list-devices` lists those that are there (sudo apt-get install v4l-utils)
    "#]].assert_eq(&devices(&ws.lp("doctor").code(1)));

    let ended = ws.lp("doctor --json").code(1);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&document["version"], &document["missing"]), (&1.into(), &2.into()));
    let findings = document["findings"].as_array().unwrap();
    let null = findings.iter().find(|finding| finding["what"] == "camera /dev/null").unwrap();
    expect![[r#"
        {
          "found": null,
          "needed_by": [
            "the camera `null`"
          ],
          "way_out": "plug it in; `v4l2-ctl --list-devices` lists those that are there (sudo apt-get install v4l-utils)",
          "what": "camera /dev/null",
          "wrong": "`/dev/null` is not a video device: a video device is a character device 81:*, this is the character device 1:*"
        }
    "#]].assert_eq(&format!("{null:#}\n"));
    // What is found looks as it did before there were devices.
    let worker = findings.iter().find(|finding| finding["what"] == "worker").unwrap();
    assert_eq!(worker.as_object().unwrap().keys().collect::<Vec<_>>(), ["found", "way_out", "what"]);
}

#[test]
fn a_display_is_there_only_if_somebody_answers() {
    let ws = project(&camera("till", "rtsp://127.0.0.1:9/1", "scan"), r#""scan": [{"type": "zbar"}]"#)
        .file("Lpfile.toml", "[run]\nrender = true\n")
        .env("DISPLAY", "")
        .env("WAYLAND_DISPLAY", "");
    expect![[r#"
        missing  display                  neither `DISPLAY` nor `WAYLAND_DISPLAY` names one
                                          needed by: `run.render`
                                          on the host: run it in a session with a display, or without `run.render`
                                          in a container: X11: -e DISPLAY -e XAUTHORITY=/run/xauth -v /tmp/.X11-unix:/tmp/.X11-unix:ro -v $XAUTHORITY:/run/xauth:ro; Wayland: -e WAYLAND_DISPLAY=/run/wayland -v $XDG_RUNTIME_DIR/$WAYLAND_DISPLAY:/run/wayland
    "#]].assert_eq(&devices(&ws.lp("doctor").code(1)));

    let socket = ws.path("wayland");
    let ws = ws.env("WAYLAND_DISPLAY", socket.to_str().unwrap());
    expect![[r#"
        missing  display                  `WAYLAND_DISPLAY` is `<project>/wayland` and there is no socket `<project>/wayland`
                                          needed by: `run.render`
                                          on the host: run it in a session with a display, or without `run.render`
                                          in a container: X11: -e DISPLAY -e XAUTHORITY=/run/xauth -v /tmp/.X11-unix:/tmp/.X11-unix:ro -v $XAUTHORITY:/run/xauth:ro; Wayland: -e WAYLAND_DISPLAY=/run/wayland -v $XDG_RUNTIME_DIR/$WAYLAND_DISPLAY:/run/wayland
    "#]].assert_eq(&devices(&ws.lp("doctor").code(1)));
    let listener = UnixListener::bind(&socket).unwrap();
    expect![[r#"
        ok       display                  Wayland `<project>/wayland`
    "#]]
    .assert_eq(&devices(&ws.lp("doctor").success()));
    drop(listener);
    expect![[r#"
        missing  display                  `WAYLAND_DISPLAY` is `<project>/wayland` and no server answers at the socket `<project>/wayland`
                                          needed by: `run.render`
                                          on the host: run it in a session with a display, or without `run.render`
                                          in a container: X11: -e DISPLAY -e XAUTHORITY=/run/xauth -v /tmp/.X11-unix:/tmp/.X11-unix:ro -v $XAUTHORITY:/run/xauth:ro; Wayland: -e WAYLAND_DISPLAY=/run/wayland -v $XDG_RUNTIME_DIR/$WAYLAND_DISPLAY:/run/wayland
    "#]].assert_eq(&devices(&ws.lp("doctor").code(1)));
    ws.lp("run").code(2).stderr(expect![[r#"
        error: `run.render` shows frames on a display, but `WAYLAND_DISPLAY` is `<project>/wayland` and no server answers at the socket `<project>/wayland`
    "#]]);
}

#[test]
fn an_element_that_only_clips_in_another_codec_need_is_not_missing() {
    let camera = r#"{"camera_id": "till", "fileSrc": "a.mp4|http://127.0.0.1:9/a.mp4", "width": 640, "height": 360,
        "fps": 15, "workloads": ["scan"]}"#;
    let ws = project(camera, r#""scan": [{"type": "zbar"}]"#).env("FAKE_WORKER_LACKS", "av1");
    let of_av1 = |ended: &Ended| {
        let lines: Vec<&str> = ended.stdout.lines().collect();
        let from = lines.iter().position(|line| line.contains("element av1dec")).unwrap();
        lines[from..from + 6].iter().map(|line| format!("{}\n", line.trim_end())).collect::<String>()
    };
    let ended = ws.lp("doctor").success();
    expect![[r#"
        note     element av1dec           not here; only clips in AV1 need it
                                          sudo apt-get install gstreamer1.0-plugins-bad
        note     element av1enc           not here; only clips in AV1 need it
                                          sudo apt-get install gstreamer1.0-plugins-bad
        note     element av1parse         not here; only clips in AV1 need it
                                          sudo apt-get install gstreamer1.0-plugins-bad
    "#]]
    .assert_eq(&of_av1(&ended));
    assert!(!ended.stdout.contains("install what is missing"), "{}", ended.stdout);

    let document: serde_json::Value = serde_json::from_str(&ws.lp("doctor --json").success().stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let encoder = findings.iter().find(|finding| finding["what"] == "element av1enc").unwrap();
    assert_eq!((&document["missing"], &encoder["found"]), (&0.into(), &serde_json::Value::Null));

    // Somebody asks for clips in it.
    let ws = ws.file("Lpfile.toml", "[camera.till.clip]\ncodec = \"av1\"\n");
    let ended = ws.lp("doctor").code(1);
    expect![[r#"
        missing  element av1dec           sudo apt-get install gstreamer1.0-plugins-bad
        missing  element av1enc           sudo apt-get install gstreamer1.0-plugins-bad
        missing  element av1parse         sudo apt-get install gstreamer1.0-plugins-bad
        ok       element avdec_h264       plugin fake 1
        ok       element avdec_h265       plugin fake 1
        ok       element avdec_mjpeg      plugin fake 1
    "#]]
    .assert_eq(&of_av1(&ended));
    ended.stdout_has("install what is missing");
}
