//! Detectors that see nothing, in runs that are replayed: `invalid`, or a note.

use expect_test::{Expect, expect};
use lp::worker::protocol::{ElementMessage, Event, EventBody, Place};

use crate::support::{Workspace, frames};

const FAKE_WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker");

/// Three seconds, with a code from 1.267 s on.
const SCENE: &str = r#"
width = 320
height = 180
fps = 15
duration_s = 3.0

[[items]]
name = "Tea"
code = "TEA-1"
width = 120
height = 150
path = [{ at_s = 0.5, x = -60, y = 90 }, { at_s = 2.0, x = 160, y = 90 }]
"#;
const PASS_NS: u64 = 3_000_000_000;

/// A project with one camera: its source and more keys, and more lines of its `Lpfile.toml`.
fn project(camera: &str, lpfile: &str) -> Workspace {
    let ws = Workspace::tasks(&format!("[run]\nduration = \"30s\"\nwarmup = \"0s\"\nsource = \"synthetic\"\n{lpfile}"))
        .file("configs/scenes/short.toml", SCENE)
        .file(
            "configs/camera_to_workload.json",
            &format!(
                r#"{{"lane_config": {{"cameras": [{{"camera_id": "a", {camera}, "width": 320, "height": 180, "fps": 15, "workloads": ["w"]}}]}}}}"#
            ),
        )
        .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "zbar"}]}}"#);
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    ws.env("LP_WORKER", FAKE_WORKER).env("FAKE_WORKER", &replay)
}

const DRAWN: &str = r#""fileSrc": "short.mp4|scene:short""#;

/// Lets the worker play 35 s, in which its `zbar` reads the code, or nothing.
fn replay(ws: &Workspace, sees: bool) {
    let mut lines = String::new();
    for line in frames("a/1", 35, 36).lines() {
        let mut event: Event = serde_json::from_str(line).unwrap();
        let second_ns =
            (lines.lines().filter(|line| line.contains("\"frames\"")).count() as u64) * 1_000_000_000;
        if let EventBody::Frames { arrived_us, sights, .. } = &mut event.body {
            sights.place = arrived_us.first().map(|at_us| Place {
                at_us: *at_us,
                clip_ns: second_ns % PASS_NS,
                pass_ns: Some(PASS_NS),
            });
            for (n, at_us) in arrived_us.iter().enumerate().filter(|_| sees) {
                let clip_ns = (second_ns + n as u64 * 66_666_000) % PASS_NS;
                if clip_ns < 1_267_000_000 {
                    continue;
                }
                let message = ElementMessage {
                    at_us: *at_us,
                    element: "a_1_1_zbar".to_owned(),
                    factory: "zbar".to_owned(),
                    message: "barcode".to_owned(),
                    stream_time: Some(clip_ns),
                    fields: [("symbol".to_owned(), "TEA-1".to_owned())].into(),
                };
                let body = EventBody::Messages { stream: "a/1".to_owned(), messages: vec![message] };
                lines.push_str(&serde_json::to_string(&Event { at: at_us * 1000, body }).unwrap());
                lines.push('\n');
            }
        }
        lines.push_str(&serde_json::to_string(&event).unwrap());
        lines.push('\n');
    }
    ws.write("replay/a-1.jsonl", &lines);
}

/// The lines of a report that speak of detectors, and the verdict.
#[track_caller]
fn check(ws: &Workspace, sees: bool, code: i32, expect: Expect) {
    replay(ws, sees);
    let table = ws.lp("run").code(code).stdout;
    let is_told =
        |line: &&str| (line.contains("zbar") && !line.starts_with("steps")) || line.contains("; machine CPU");
    let told: Vec<&str> = table.lines().filter(is_told).collect();
    let mut told = told.join("\n");
    if let Some((before, run)) = told.split_once("(2") {
        let after = run.split_once(')').unwrap().1;
        told = format!("{before}(<run>){after}");
    }
    expect.assert_eq(&told);
}

#[test]
fn a_detector_that_sees_nothing_of_a_scene_ends_a_run_with_1() {
    let ws = project(DRAWN, "");
    check(
        &ws,
        false,
        1,
        expect![[r#"
        seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
        a is invalid: `zbar` saw nothing, though the scene of its clip has 10 codes in the part that was played (`short`)
        0 of 1 camera holds 15 fps, 1 is invalid; machine CPU not measured"#]],
    );
    // The record says all that is needed to judge again.
    ws.lp("report --verdict").code(1);
    assert!(ws.lp("report --format csv").stdout.contains(",zbar=0,zbar=0,zbar=,"));
    check(
        &ws,
        true,
        0,
        expect![[r#"
            seen by zbar: 250 codes in 1 stream, 8.33 a second
            1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
    assert!(ws.lp("report --format csv").stdout.contains(",zbar=250,zbar=8.333333,zbar="));
}

#[test]
fn an_empty_scene_may_be_declared_and_makes_no_run_stale() {
    let ws = project(DRAWN, "");
    replay(&ws, false);
    ws.lp("run").code(1);
    let ws = ws.file(
        "Lpfile.toml",
        "[run]\nduration = \"30s\"\nwarmup = \"0s\"\nsource = \"synthetic\"\n[camera.a]\nexpect = \"nothing\"\n",
    );
    ws.lp("build report").success().stderr_has("nothing to do");
    check(
        &ws,
        false,
        0,
        expect![[r#"
            seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
            1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
    check(
        &ws,
        true,
        0,
        expect![[r#"
            seen by zbar: 250 codes in 1 stream, 8.33 a second
            note: a/1: `zbar` saw 250 codes, though the camera has `expect = "nothing"`
            1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
}

#[test]
fn a_camera_that_nobody_knows_is_not_accused() {
    let ws = project(r#""streamUri": "rtsp://h/a""#, "");
    check(
        &ws,
        false,
        0,
        expect![[r#"
            seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
            note: a/1: cannot tell whether `zbar` works: it saw nothing
            1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
    check(
        &ws,
        false,
        0,
        expect![[r#"
            seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
            note: a/1: cannot tell whether `zbar` works: it saw nothing
            1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
}

#[test]
fn an_earlier_run_of_the_same_plan_shows_what_is_to_be_seen() {
    // Behind a crop the scene tells nothing.
    let region = r#", "region_of_interest": {"x": 0, "y": 0, "x2": 320, "y2": 180}"#;
    let ws = project(&format!("{DRAWN}{region}"), "");
    check(
        &ws,
        false,
        0,
        expect![[r#"
            seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
            note: a/1: cannot tell whether `zbar` works: it saw nothing
            1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
    check(
        &ws,
        true,
        0,
        expect![[r#"
            seen by zbar: 250 codes in 1 stream, 8.33 a second
            1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
    check(
        &ws,
        false,
        1,
        expect![[r#"
            seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
            a is invalid: `zbar` saw nothing, though an earlier run saw 10 codes in the part that was played (<run>)
            0 of 1 camera holds 15 fps, 1 is invalid; machine CPU not measured"#]],
    );
}

/// What was measured on an unfit machine proves nothing about what there is to see.
#[test]
fn a_degraded_run_is_no_earlier_run() {
    let region = r#", "region_of_interest": {"x": 0, "y": 0, "x2": 320, "y2": 180}"#;
    let governor = "machine/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
    let ws = project(&format!("{DRAWN}{region}"), "").file(governor, "powersave\n");
    let machine = ws.path("machine").to_str().unwrap().to_owned();
    let ws = ws.env("LP_SYSROOT", &machine);
    check(
        &ws,
        true,
        0,
        expect![[r#"
        seen by zbar: 250 codes in 1 stream, 8.33 a second
        1 of 1 camera holds 15 fps; machine CPU not measured; degraded"#]],
    );
    check(
        &ws,
        false,
        0,
        expect![[r#"
        seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
        note: a/1: cannot tell whether `zbar` works: it saw nothing
        1 of 1 camera holds 15 fps; machine CPU not measured; degraded"#]],
    );
    ws.write(governor, "performance\n");
    check(
        &ws,
        false,
        0,
        expect![[r#"
        seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
        note: a/1: cannot tell whether `zbar` works: it saw nothing
        1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
    check(
        &ws,
        true,
        0,
        expect![[r#"
        seen by zbar: 250 codes in 1 stream, 8.33 a second
        1 of 1 camera holds 15 fps; machine CPU not measured"#]],
    );
    check(
        &ws,
        false,
        1,
        expect![[r#"
        seen by zbar: 0 codes in 1 stream, 0 a second; none in a/1
        a is invalid: `zbar` saw nothing, though an earlier run saw 10 codes in the part that was played (<run>)
        0 of 1 camera holds 15 fps, 1 is invalid; machine CPU not measured"#]],
    );
}
