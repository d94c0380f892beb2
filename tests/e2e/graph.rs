//! `lp graph`, `lp show`, `lp explain`, `lp cache`: looking without touching.

use std::io::Write;
use std::process::{Command, Stdio};

use expect_test::expect;

use crate::support::{CAMERAS, Workspace};

#[test]
fn graphviz_accepts_the_graph_and_states_are_shown() {
    let ws = Workspace::cameras();
    ws.lp("build plan:camera-1").success();
    let dot = ws.lp("graph --dot").success().stdout;
    assert!(dot.contains(r##""plan:camera-1" [fillcolor="#d9ead3", tooltip="fresh"];"##), "{dot}");
    assert!(dot.contains(r##""plan:camera-2" [fillcolor="#cfe2f3", tooltip="new"];"##), "{dot}");
    assert!(dot.contains(r#""plan:camera-1" -> "plan";"#), "{dot}");
    let mut graphviz = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`scripts/setup test` installs graphviz");
    graphviz.stdin.take().unwrap().write_all(dot.as_bytes()).unwrap();
    let output = graphviz.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("<svg"));
}

#[test]
fn looking_makes_no_store() {
    let ws = Workspace::cameras();
    for command in ["graph", "graph --json", "show", "explain plan", "cache show", "check"] {
        ws.lp(command).success();
    }
    assert!(!ws.exists(".lpcache"));
}

#[test]
fn a_target_is_explained_down_to_the_value_that_changed() {
    let ws = Workspace::cameras();
    ws.lp("explain plan:camera-1").success().stdout(expect![[r#"
        `plan:camera-1` is new: it has never run (configs/camera_to_workload.json:4:7)
    "#]]);
    ws.lp("build plan").success();
    ws.lp("explain plan").success().stdout(expect![[r#"
        `plan` is fresh
    "#]]);
    ws.write("configs/camera_to_workload.json", &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    ws.lp("explain plan").success().stdout(expect![[r#"
        `plan` is stale because `plan:camera-1` is stale: `fps` changed from 15 to 30 (configs/camera_to_workload.json:4:114)
    "#]]);
}

#[test]
fn a_camera_is_shown_with_its_launch_lines() {
    let ws = Workspace::cameras();
    ws.lp("show camera-2").success().stdout(expect![[r#"
        camera-2
          source     file media/clips/a-320x180-15.mp4
          frames     320x180 at 15 fps, target 15 fps
          workloads  scan, motion

          pipeline camera-2/1 for scan

        gst-launch-1.0 filesrc name=camera-2_1_source location=media/clips/a-320x180-15.mp4 ! qtdemux ! h264parse ! clocksync name=camera-2_1_clocksync ! avdec_h264 max-threads=1 ! queue name=camera-2_1_queue max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=camera-2_1_1_zbar ! fakesink name=camera-2_1_sink sync=false async=true

          pipeline camera-2/2 for motion

        gst-launch-1.0 filesrc name=camera-2_2_source location=media/clips/a-320x180-15.mp4 ! qtdemux ! h264parse ! clocksync name=camera-2_2_clocksync ! avdec_h264 max-threads=1 ! queue name=camera-2_2_queue max-size-buffers=3 leaky=downstream ! videoconvert ! motioncells name=camera-2_2_1_motioncells gridx=16 ! fakesink name=camera-2_2_sink sync=false async=true

          scan and motion are kept apart: step 1 differs in `type`: zbar / motioncells
    "#]]);
    ws.lp("show camera-3").code(2).stderr_has("did you mean `camera-");
}

#[test]
fn the_store_shows_what_was_hashed_and_forgets_on_demand() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    let shown = ws.lp("cache show plan:camera-1").success().stdout;
    assert!(shown.contains("\"fps\": 15"), "{shown}");
    assert!(shown.contains("results/plan/camera-1.json"), "{shown}");
    ws.lp("cache show plan:camera-9").code(2).stderr_has("did you mean");
    ws.lp("cache clean").success().stderr_has("forgot 3 attempts");
    ws.lp("build plan").success().stderr_has("3 tasks ran");
}
