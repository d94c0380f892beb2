//! `lp explain`: the whole chain, down to the line that makes it so.

use std::fs;

use expect_test::{Expect, expect};

use crate::support::{Ended, Workspace, frames};

const CAMERAS_FILE: &str = "configs/camera_to_workload.json";
const WORKLOADS_FILE: &str = "configs/workload_to_pipeline.json";

const CAMERAS: &str = r#"{
  "lane_config": {
    "cameras": [
      {
        "camera_id": "camera-1",
        "fileSrc": "a.mp4|http://127.0.0.1:9/a.mp4",
        "width": 640,
        "height": 360,
        "fps": 15,
        "targetFps": 12,
        "region_of_interest": {"x": 0, "y": 0, "x2": 600, "y2": 300},
        "workloads": ["scan"]
      },
      {
        "camera_id": "camera-2",
        "streamUri": "rtsp://me:secret@10.0.0.7:8554/two",
        "width": 320,
        "height": 180,
        "fps": 15,
        "workloads": ["scan", "motion"]
      }
    ]
  }
}
"#;

const WORKLOADS: &str = r#"{
  "workload_pipeline_map": {
    "scan": [
      { "type": "zbar" }
    ],
    "motion": [
      { "type": "videoflip", "properties": { "method": 1 } },
      {
        "type": "motioncells",
        "properties": {
          "gridx": 16,
          "motioncellsidx": "2:11,2:12,2:13,2:14,3:11,3:12,3:13,3:14,4:11,4:12,4:13,4:14"
        }
      }
    ]
  }
}
"#;

const LPFILE: &str = "[run]\nduration = \"5s\"\n\n[profile.wide]\nrun.dialect = \"dlstreamer\"\n";

fn cameras() -> Workspace {
    Workspace::tasks(LPFILE).file(CAMERAS_FILE, CAMERAS).file(WORKLOADS_FILE, WORKLOADS).without_worker()
}

/// What `lp` said, with every moment of this century redacted.
fn told(ended: Ended) -> String {
    let mut text = ended.success().stdout;
    let mut from = 0;
    while let Some(at) = text[from..].find(" 20").map(|at| from + at + 1) {
        let end = text[at..].find('Z').map_or(text.len(), |end| at + end + 1);
        if text[at..end].len() <= 24 && text[at..end].contains('T') {
            text.replace_range(at..end, "<then>");
        }
        from = at;
    }
    text
}

/// After `lp build plan` and one edit of a file, what `lp explain` says.
#[track_caller]
fn check_edit(path: &str, from: &str, to: &str, targets: &str, expect: Expect) {
    let ws = cameras();
    ws.lp("build plan").success();
    let text = ws.read(path);
    assert!(text.contains(from), "`{from}` is not in `{path}`");
    ws.write(path, &text.replacen(from, to, 1));
    expect.assert_eq(&told(ws.lp(&format!("explain {targets}"))));
}

#[test]
fn a_changed_value_of_a_camera_is_found_in_its_own_object() {
    check_edit(
        CAMERAS_FILE,
        "\"fps\": 15,\n        \"workloads\": [\"scan\", ",
        "\"fps\": 30,\n        \"workloads\": [\"scan\", ",
        "plan:camera-2 plan:camera-1 plan",
        expect![[r#"
            `plan:camera-1` is fresh
            `plan:camera-2` is stale: `fps` changed from 15 to 30 (configs/camera_to_workload.json:19:16)
            `plan` is stale because `plan:camera-2` is stale: `fps` changed from 15 to 30 (configs/camera_to_workload.json:19:16)
        "#]],
    );
    check_edit(
        CAMERAS_FILE,
        "\"width\": 320,\n        \"height\": 180",
        "\"width\": 960,\n        \"height\": 540",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `height` changed from 180 to 540 (configs/camera_to_workload.json:18:19), `width` changed from 320 to 960 (configs/camera_to_workload.json:17:18)
        "#]],
    );
    check_edit(
        CAMERAS_FILE,
        "\"x2\": 600",
        "\"x2\": 610",
        "plan:camera-1",
        expect![[r#"
            `plan:camera-1` is stale: `x2` changed from 600 to 610 (configs/camera_to_workload.json:11:54)
        "#]],
    );
}

#[test]
fn the_accept_list_of_a_camera_is_found_in_the_project_file() {
    check_edit(
        "Lpfile.toml",
        "[run]",
        "[camera.camera-2]\naccept = [\"rate\"]\n\n[run]",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `camera.camera-2.accept` was added: ["rate"] (Lpfile.toml:2:10)
        "#]],
    );
}

#[test]
fn options_of_clips_are_found_in_the_table_of_the_camera_or_in_that_of_all() {
    let plans = "plan:camera-1 plan:camera-2";
    check_edit(
        "Lpfile.toml",
        "[run]",
        "[clip]\nbitrate = \"8M\"\n\n[run]",
        plans,
        expect![[r#"
        `plan:camera-1` is stale: `clip.bitrate` was added (Lpfile.toml:2:11)
        `plan:camera-2` is fresh
    "#]],
    );
    check_edit(
        "Lpfile.toml",
        "[run]",
        "[clip]\ncodec = \"h265\"\ngop = 30\n\n[camera.camera-1.clip]\ngop = 15\n\n[run]",
        plans,
        expect![[r#"
            `plan:camera-1` is stale: `camera.camera-1.clip` was added (Lpfile.toml:5:18)
            `plan:camera-2` is fresh
        "#]],
    );
    let ws = cameras();
    let with = |clip: &str| format!("{LPFILE}\n[clip]\ncodec = \"h265\"\n{clip}");
    ws.write("Lpfile.toml", &with("b_frames = 2\n"));
    ws.lp("build plan").success();
    ws.write("Lpfile.toml", &with("\n[camera.camera-1.clip]\ncodec = \"h264\"\n"));
    expect![[r#"
        `plan:camera-1` is stale: `camera.camera-1.clip.codec` changed from h265 to h264 (Lpfile.toml:11:9), `clip.b_frames` was removed; it was 2 (the default)
    "#]].assert_eq(&told(ws.lp("explain plan:camera-1")));
}

#[test]
fn a_value_that_is_no_longer_written_points_at_what_is_around_it() {
    check_edit(
        CAMERAS_FILE,
        "        \"width\": 320,\n        \"height\": 180,\n",
        "",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `height` changed from 180 to 1080 (the default, not set at configs/camera_to_workload.json:14:7), `width` changed from 320 to 1920 (the default, not set at configs/camera_to_workload.json:14:7)
        "#]],
    );
    check_edit(
        CAMERAS_FILE,
        "        \"targetFps\": 12,\n",
        "",
        "plan:camera-1",
        expect![[r#"
            `plan:camera-1` is stale: `targetFps` changed from 12 to nothing (not set at configs/camera_to_workload.json:4:7)
        "#]],
    );
    check_edit(
        CAMERAS_FILE,
        "        \"region_of_interest\": {\"x\": 0, \"y\": 0, \"x2\": 600, \"y2\": 300},\n",
        "",
        "plan:camera-1",
        expect![[r#"
            `plan:camera-1` is stale: `region_of_interest` was removed (not set at configs/camera_to_workload.json:4:7)
        "#]],
    );
}

#[test]
fn a_value_that_follows_from_another_is_not_blamed_on_its_own_key() {
    // A step of DL Streamer's changes the dialect of the camera.
    check_edit(
        WORKLOADS_FILE,
        "\"videoflip\", \"properties\": { \"method\": 1 }",
        "\"gvatrack\"",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `type` changed from videoflip to gvatrack (configs/workload_to_pipeline.json:7:17), `properties` was removed (from configs/workload_to_pipeline.json:7:7), `dialect` changed from stock to dlstreamer (from the steps)
        "#]],
    );
}

#[test]
fn a_reverted_value_is_named_before_those_that_follow_from_it() {
    let ws = cameras();
    let stock = "\"videoflip\", \"properties\": { \"method\": 1 }";
    ws.write(WORKLOADS_FILE, &WORKLOADS.replacen(stock, "\"gvatrack\"", 1));
    ws.lp("build plan:camera-2").success();
    ws.write(WORKLOADS_FILE, WORKLOADS);
    ws.lp("build plan:camera-2").success();
    ws.write(WORKLOADS_FILE, &WORKLOADS.replacen(stock, "\"gvatrack\"", 1));
    expect![[r#"
        `plan:camera-2` will be restored from the store: output `results/plan/camera-2.json` was changed; `type` changed from videoflip to gvatrack (configs/workload_to_pipeline.json:7:17), `properties` was removed (from configs/workload_to_pipeline.json:7:7), `dialect` changed from stock to dlstreamer (from the steps), as it was at <then>
    "#]].assert_eq(&told(ws.lp("explain plan:camera-2")));
}

#[test]
fn another_source_is_one_change_and_keeps_its_password() {
    check_edit(
        CAMERAS_FILE,
        "/two",
        "/zwei",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `streamUri` changed from rtsp://10.0.0.7:8554/two to rtsp://10.0.0.7:8554/zwei (configs/camera_to_workload.json:16:22)
        "#]],
    );
    check_edit(
        CAMERAS_FILE,
        "\"streamUri\": \"rtsp://me:secret@10.0.0.7:8554/two\"",
        "\"rtspUri\": \"v4l2:///dev/video0\"",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `rtspUri` changed from rtsp://10.0.0.7:8554/two to v4l2:///dev/video0 (configs/camera_to_workload.json:16:20)
        "#]],
    );
    check_edit(
        CAMERAS_FILE,
        "a.mp4|http://127.0.0.1:9/a.mp4",
        "b.mp4|http://127.0.0.1:9/a.mp4",
        "plan:camera-1",
        expect![[r#"
            `plan:camera-1` is stale: `fileSrc` changed from a.mp4|http://127.0.0.1:9/a.mp4 to b.mp4|http://127.0.0.1:9/a.mp4 (configs/camera_to_workload.json:6:20)
        "#]],
    );
}

#[test]
fn steps_are_found_in_the_workload_file() {
    check_edit(
        WORKLOADS_FILE,
        "\"gridx\": 16",
        "\"gridx\": 8",
        "plan",
        expect![[r#"
            `plan` is stale because `plan:camera-2` is stale: `gridx` changed from 16 to 8 (configs/workload_to_pipeline.json:11:20)
        "#]],
    );
    check_edit(
        WORKLOADS_FILE,
        "4:13,4:14",
        "4:13,4:15",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `motioncellsidx` changed from "...4:13,4:14" to "...4:13,4:15" (configs/workload_to_pipeline.json:12:29)
        "#]],
    );
    check_edit(
        WORKLOADS_FILE,
        "\"gridx\": 16,",
        "\"gridx\": 16, \"gap\": 2,",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: `gap` was added: 2 (configs/workload_to_pipeline.json:11:31)
        "#]],
    );
    check_edit(
        WORKLOADS_FILE,
        "{ \"type\": \"videoflip\", \"properties\": { \"method\": 1 } },\n      {",
        "{",
        "plan:camera-2",
        expect![[r#"
            `plan:camera-2` is stale: item 1 (`videoflip`) of `steps` was removed (configs/workload_to_pipeline.json:6:5)
        "#]],
    );
    check_edit(
        WORKLOADS_FILE,
        "{ \"type\": \"zbar\" }",
        "{ \"type\": \"zbar\" }, { \"type\": \"identity\" }",
        "plan:camera-1 plan:camera-2",
        expect![[r#"
            `plan:camera-1` is stale: `steps` changed from [{"type":"zbar"}] to [{"type":"zbar"},{"type":"identity"}] (configs/workload_to_pipeline.json:4:27)
            `plan:camera-2` is stale: `steps` changed from [{"type":"zbar"}] to [{"type":"zbar"},{"type":"identity"}] (configs/workload_to_pipeline.json:4:27)
        "#]],
    );
    check_edit(
        CAMERAS_FILE,
        "[\"scan\"]",
        "[\"scan\", \"motion\"]",
        "plan:camera-1",
        expect![[r#"
            `plan:camera-1` is stale: `workloads` changed from ["scan"] to ["scan","motion"] (configs/camera_to_workload.json:12:22)
        "#]],
    );
}

#[test]
fn one_line_that_concerns_many_tasks_is_shown_once() {
    check_edit(
        WORKLOADS_FILE,
        "{ \"type\": \"zbar\" }",
        "{ \"type\": \"identity\" }",
        "plan",
        expect![[r#"
            `plan` is stale because `plan:camera-1` is stale: `type` changed from zbar to identity (configs/workload_to_pipeline.json:4:17); and 1 more for the same reason: `plan:camera-2`
        "#]],
    );
}

#[test]
fn an_edit_that_changes_no_plan_is_fresh() {
    for (path, from, to) in [
        (WORKLOADS_FILE, "\"gridx\": 16", "\"_why\": \"coarse\", \"gridx\": 16"),
        (CAMERAS_FILE, "\"fps\": 15", "\"fps\": 15.0"),
        (CAMERAS_FILE, "\"fps\": 15", "\"_comment\": \"slow\", \"fps\":   15"),
        ("Lpfile.toml", "5s", "6s"),
    ] {
        check_edit(
            path,
            from,
            to,
            "plan",
            expect![[r#"
                `plan` is fresh
            "#]],
        );
    }
}

#[test]
fn an_added_a_removed_and_a_moved_camera_are_named() {
    let third =
        "      {\"camera_id\": \"camera-3\", \"streamUri\": \"rtsp://h/3\", \"workloads\": [\"scan\"]},\n";
    check_edit(
        CAMERAS_FILE,
        "      {\n        \"camera_id\": \"camera-2\"",
        &format!("{third}      {{\n        \"camera_id\": \"camera-2\""),
        "plan",
        expect![[r#"
            `plan` is stale: `cameras` changed from ["camera-1","camera-2"] to ["camera-1","camera-3","camera-2"] (configs/camera_to_workload.json:14:7); and 1 more: `plan:camera-3` is new
        "#]],
    );
    let ws = cameras();
    ws.lp("build plan").success();
    let (first, second) = CAMERAS.split_once("      },\n").unwrap();
    let second = second.split_once("\n    ]").unwrap().0;
    let head = first.find("      {").unwrap();
    let moved = format!("{}{second},\n{}      }}\n    ]\n  }}\n}}\n", &first[..head], &first[head..]);
    ws.write(CAMERAS_FILE, &moved);
    assert_eq!(
        told(ws.lp("explain plan")),
        "`plan` is stale: `cameras` changed from [\"camera-1\",\"camera-2\"] to [\"camera-2\",\"camera-1\"] \
         (configs/camera_to_workload.json:4:7)\n"
    );
    // The order of the file is the order of the plan, as after a first build.
    ws.lp("build plan").success();
    let plan: serde_json::Value = serde_json::from_str(&ws.read("results/plan.json")).unwrap();
    assert_eq!(plan["cameras"][0]["camera"], "camera-2");
    ws.write(CAMERAS_FILE, &format!("{first}      }}\n    ]\n  }}\n}}\n"));
    assert_eq!(
        told(ws.lp("explain plan")),
        "`plan` is stale: `cameras` changed from [\"camera-2\",\"camera-1\"] to [\"camera-1\"]\n"
    );
}

#[test]
fn a_setting_is_named_with_the_override_that_gave_it() {
    let ws = cameras();
    ws.lp("build plan").success();
    let dialect = "`plan:camera-1` is stale: `run.dialect` changed from stock to dlstreamer";
    let check = |ws: &Workspace, flags: &str, place: &str| {
        assert_eq!(told(ws.lp(&format!("explain plan:camera-1{flags}"))), format!("{dialect} ({place})\n"));
    };
    check(&ws, " --set run.dialect=dlstreamer", "--set run.dialect=dlstreamer");
    check(&ws, " --profile wide", "profile `wide`, Lpfile.toml:5:15");
    ws.write("Lpfile.toml", &LPFILE.replace("5s\"", "5s\"\ndialect = \"dlstreamer\""));
    check(&ws, "", "Lpfile.toml:3:11");
    ws.write("Lpfile.toml", LPFILE);
    ws.write("configs/other.json", &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    assert_eq!(
        told(ws.lp("explain plan:camera-1 --cameras configs/other.json")),
        "`plan:camera-1` is stale: `fps` changed from 15 to 30 (configs/other.json:9:16)\n"
    );
    let ws = ws.env("LP_SET_RUN_DIALECT", "dlstreamer");
    check(&ws, "", "LP_SET_RUN_DIALECT=dlstreamer");
}

#[test]
fn a_restored_task_names_its_outputs_and_reverted_values() {
    let ws = cameras();
    ws.lp("build plan").success();
    fs::remove_file(ws.path("results/plan.json")).unwrap();
    ws.write("results/summary.json", "{}");
    expect![[r#"
        `plan` will be restored from the store: output `results/plan.json` was deleted, output `results/summary.json` was changed
    "#]]
    .assert_eq(&told(ws.lp("explain plan")));
    fs::remove_file(ws.path("results/plan/camera-1.json")).unwrap();
    ws.lp("build plan:camera-2").success();
    expect![[r#"
        `plan:camera-1` will be restored from the store: output `results/plan/camera-1.json` was deleted
        `plan` will be restored from the store: output `results/plan.json` was deleted, output `results/summary.json` was changed; and 1 more: `plan:camera-1` will be restored from the store: output `results/plan/camera-1.json` was deleted
    "#]]
    .assert_eq(&told(ws.lp("explain plan:camera-1 plan")));

    ws.lp("build plan").success();
    ws.write(CAMERAS_FILE, &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    ws.lp("build plan").success();
    ws.write(CAMERAS_FILE, CAMERAS);
    expect![[r#"
        `plan:camera-1` will be restored from the store: output `results/plan/camera-1.json` was changed; `fps` changed from 30 to 15 (configs/camera_to_workload.json:9:16), as it was at <then>
    "#]]
    .assert_eq(&told(ws.lp("explain plan:camera-1")));
    // Its plan is known without making it, so what reads it is known too.
    fs::write(ws.path("results/plan.json"), "x").unwrap();
    ws.lp("explain plan").success();
    ws.lp("build plan").success().stderr_has("2 restored");
}

const TASKS: &str = r#"project.include = ["more.toml"]

[[task]]
name = "copy"
command = ["cp", "a.txt", "b.txt"]
inputs = ["a.txt", "lib"]
outputs = ["b.txt"]
env = { MODE = "fast", LEVEL = 2 }
pass = ["LP_TEST_COLOUR"]

[[task]]
name = "tick"
command = ["true"]
cache = false
"#;

const MORE: &str = r#"[[task]]
name = "join"
command = ["sh", "-c", "cat b.txt b.txt > c.txt; cp c.txt d.txt"]
inputs = ["b.txt"]
outputs = ["c.txt", "d.txt"]

[[task]]
name = "last"
command = ["cp", "c.txt", "e.txt"]
inputs = ["c.txt"]
outputs = ["e.txt"]
after = ["tick"]
"#;

fn tasks() -> Workspace {
    let ws = Workspace::tasks(TASKS).file("more.toml", MORE).file("a.txt", "a\n").file("lib/x", "1\n");
    ws.env("LP_TEST_COLOUR", "red")
}

/// After `lp build` and one edit of a file, what `lp explain` says.
#[track_caller]
fn check_task(path: &str, from: &str, to: &str, targets: &str, expect: Expect) {
    let ws = tasks();
    ws.lp("build").success();
    let text = ws.read(path);
    assert!(text.contains(from), "`{from}` is not in `{path}`");
    ws.write(path, &text.replacen(from, to, 1));
    expect.assert_eq(&told(ws.lp(&format!("explain {targets}"))));
}

#[test]
fn inputs_are_named_with_their_producers() {
    check_task(
        "a.txt",
        "a",
        "b",
        "copy last",
        expect![[r#"
            `task:copy` is stale: `a.txt` changed
            `task:last` is stale because `task:join` will run, because `task:copy` is stale: `a.txt` changed
        "#]],
    );
    check_task(
        "lib/x",
        "1",
        "2",
        "copy",
        expect![[r#"
            `task:copy` is stale: `lib` changed
        "#]],
    );
    check_task(
        "Lpfile.toml",
        "\"a.txt\", \"lib\"",
        "\"a.txt\"",
        "copy",
        expect![[r#"
            `task:copy` is stale: input `lib` was removed (from Lpfile.toml:6:10)
        "#]],
    );
    check_task(
        "Lpfile.toml",
        "\"a.txt\", \"lib\"",
        "\"a.txt\", \"lib\", \"more.toml\"",
        "last",
        expect![[r#"
            `task:last` is stale because `task:join` will run, because `task:copy` is stale: input `more.toml` was added (Lpfile.toml:6:27)
        "#]],
    );
    let ws = tasks();
    ws.lp("build").success();
    ws.write("a.txt", "b\n");
    ws.lp("build copy").success();
    assert_eq!(
        told(ws.lp("explain last join")),
        "`task:join` is stale: `b.txt` changed (made by `task:copy`)\n\
         `task:last` is stale because `task:join` is stale: `b.txt` changed (made by `task:copy`)\n"
    );
    fs::remove_file(ws.path("a.txt")).unwrap();
    assert_eq!(
        told(ws.lp("explain copy")),
        "`task:copy` is stale: input `a.txt` does not exist (Lpfile.toml:6:11)\n"
    );
}

#[test]
fn keys_of_a_task_are_found_in_its_own_table() {
    check_task(
        "more.toml",
        "cat b.txt b.txt",
        "cat b.txt",
        "last",
        expect![[r#"
            `task:last` is stale because `task:join` is stale: `command` changed from ["sh","-c","cat b.txt b.txt > c.txt; cp c.txt d.txt"] to ["sh","-c","cat b.txt > c.txt; cp c.txt d.txt"] (more.toml:3:24)
        "#]],
    );
    check_task(
        "Lpfile.toml",
        "\"fast\"",
        "\"slow\"",
        "copy",
        expect![[r#"
            `task:copy` is stale: `MODE` changed from fast to slow (Lpfile.toml:8:16)
        "#]],
    );
    check_task(
        "Lpfile.toml",
        "LEVEL = 2",
        "LEVEL = 3",
        "copy",
        expect![[r#"
            `task:copy` is stale: `LEVEL` changed from 2 to 3 (Lpfile.toml:8:32)
        "#]],
    );
    check_task(
        "Lpfile.toml",
        ", LEVEL = 2",
        "",
        "copy",
        expect![[r#"
            `task:copy` is stale: `LEVEL` was removed; it was 2 (from Lpfile.toml:8:1)
        "#]],
    );
    check_task(
        "Lpfile.toml",
        "pass = [\"LP_TEST_COLOUR\"]",
        "pass = []",
        "copy",
        expect![[r#"
            `task:copy` is stale: `LP_TEST_COLOUR` was removed (from Lpfile.toml:9:8)
        "#]],
    );
    check_task(
        "more.toml",
        "\"d.txt\"]",
        "\"d.txt\", \"b2.txt\"]",
        "join",
        expect![[r#"
            `task:join` is stale: its list of outputs changed: `b2.txt` was added (more.toml:5:11)
        "#]],
    );
    check_task(
        "Lpfile.toml",
        "cache = false",
        "",
        "tick",
        expect![[r#"
            `task:tick` is stale: `cache` changed from false to true (the default, not set at Lpfile.toml:12:8)
        "#]],
    );
}

#[test]
fn a_passed_variable_comes_from_the_environment() {
    let ws = tasks();
    ws.lp("build").success();
    let ws = ws.env("LP_TEST_COLOUR", "blue");
    assert_eq!(
        told(ws.lp("explain copy")),
        "`task:copy` is stale: `LP_TEST_COLOUR` changed from red to blue (from the environment, passed at Lpfile.toml:9:9)\n"
    );
}

#[test]
fn a_task_that_only_comes_first_is_no_cause() {
    let ws = tasks();
    ws.lp("build").success();
    expect![[r#"
        `task:tick` is stale: it is declared with `cache = false` (Lpfile.toml:14:9)
        `task:last` is fresh
    "#]]
    .assert_eq(&told(ws.lp("explain last tick")));
    ws.lp("build").success().stderr_has("1 task ran, 3 fresh");
}

#[test]
fn several_root_causes_are_all_named_the_first_in_full() {
    let ws = tasks();
    ws.lp("build").success();
    ws.write("a.txt", "b\n");
    ws.write(
        "more.toml",
        &MORE.replacen("cat b.txt b.txt", "cat b.txt", 1).replacen(
            "\"cp\", \"c.txt\"",
            "\"cp\", \"-f\", \"c.txt\"",
            1,
        ),
    );
    expect![[r#"
        `task:last` is stale: `command` changed from ["cp","c.txt","e.txt"] to ["cp","-f","c.txt","e.txt"] (more.toml:9:18); and 2 more: `task:copy` is stale: `a.txt` changed, `task:join` is stale: `command` changed from ["sh","-c","cat b.txt b.txt > c.txt; cp c.txt d.txt"] to ["sh","-c","cat b.txt > c.txt; cp c.txt d.txt"] (more.toml:3:24)
    "#]]
    .assert_eq(&told(ws.lp("explain last")));
}

#[test]
fn an_attempt_that_failed_is_named_with_its_time_and_end() {
    let text = "[[task]]\nname = \"bad\"\ncommand = [\"sh\", \"-c\", \"exit 3\"]\noutputs = [\"x\"]\n\
                [[task]]\nname = \"next\"\ncommand = [\"cp\", \"x\", \"y\"]\ninputs = [\"x\"]\noutputs = [\"y\"]\n";
    let ws = Workspace::tasks(text);
    expect![[r#"
        `task:bad` is new: it has never run (Lpfile.toml:2:8)
        `task:next` is new: it has never run (Lpfile.toml:6:8)
    "#]]
    .assert_eq(&told(ws.lp("explain bad next")));
    ws.lp("build").code(1);
    expect![[r#"
        `task:bad` is stale: the last attempt failed (at <then>: exit status 3)
        `task:next` is new: it has never run (Lpfile.toml:6:8)
    "#]]
    .assert_eq(&told(ws.lp("explain bad next")));
    ws.write("Lpfile.toml", &text.replace("exit 3", "exit 4"));
    expect![[r#"
        `task:bad` is stale: `command` changed from ["sh","-c","exit 3"] to ["sh","-c","exit 4"] (Lpfile.toml:3:24)
    "#]]
    .assert_eq(&told(ws.lp("explain bad")));
}

#[test]
fn outputs_that_the_store_has_lost_are_named() {
    let ws = tasks();
    ws.lp("build").success();
    fs::remove_file(ws.path("d.txt")).unwrap();
    fs::remove_dir_all(ws.path(".lpcache/cas")).unwrap();
    expect![[r#"
        `task:join` is stale: output `d.txt` was deleted, and the store has lost it
    "#]]
    .assert_eq(&told(ws.lp("explain join")));
}

#[test]
fn a_download_names_its_pin_and_its_url() {
    let text = TASKS.to_owned() + "\n[asset.\"a.mp4\"]\nurls = [\"http://127.0.0.1:9/m.mp4\"]\n";
    let ws = cameras().file("Lpfile.toml", &text).file("more.toml", MORE).file("a.txt", "").file("lib/x", "");
    ws.lp("build download:a.mp4").code(1);
    ws.write(CAMERAS_FILE, &CAMERAS.replace(":9/a.mp4", ":9/v2/a.mp4"));
    let file_source = "`fileSrc` changed from [\"http://127.0.0.1:9/m.mp4\",\"http://127.0.0.1:9/a.mp4\"]";
    assert!(
        told(ws.lp("explain download:a.mp4")).contains("(configs/camera_to_workload.json:6:20)"),
        "{file_source}"
    );
    ws.write(CAMERAS_FILE, CAMERAS);
    ws.write("Lpfile.toml", &text.replace("9/m.mp4", "9/n.mp4"));
    assert!(told(ws.lp("explain download:a.mp4")).ends_with("(Lpfile.toml:17:9)\n"));
    let digest = "ab".repeat(32);
    ws.write("Lpfile.toml", &format!("{text}sha256 = \"{digest}\"\n"));
    expect![[r#"
        `download:a.mp4` is stale: `sha256` changed from nothing to abababababab (Lpfile.toml:18:10)
    "#]]
    .assert_eq(&told(ws.lp("explain download:a.mp4")));
}

/// A project of one camera that was measured by a worker which plays nothing.
fn measured() -> Workspace {
    let ws = cameras();
    let cameras = CAMERAS.replace("a.mp4|http://127.0.0.1:9/a.mp4", "").replace("fileSrc", "_note");
    let cameras =
        cameras.replace("camera-2", "_").replacen("\"_note\"", "\"streamUri\": \"rtsp://h/1\", \"_note\"", 1);
    let one = cameras.split_once("      },\n").unwrap().0;
    ws.write(CAMERAS_FILE, &format!("{one}      }}\n    ]\n  }}\n}}\n"));
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    let ws = ws
        .env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("FAKE_WORKER", &replay);
    ws.write("replay/camera-1-1.jsonl", &frames("camera-1/1", 20, 20));
    ws
}

#[test]
fn a_report_is_explained_down_to_the_camera() {
    let ws = measured();
    expect![[r#"
        `run:lane` is new: it has never run (configs/camera_to_workload.json:4:7)
        `lp run` always measures; `lp build` would measure too: no record fits
        `report` is new: it has never run (configs/camera_to_workload.json:4:7)
    "#]]
    .assert_eq(&told(ws.lp("explain report run:lane")));
    ws.lp("run --no-verdict").success();
    let text = ws.read(CAMERAS_FILE);
    ws.write(CAMERAS_FILE, &text.replace("\"fps\": 15", "\"fps\": 30"));
    expect![[r#"
        `benchmark:lane/camera-1` is stale because `run:lane` will run, because `plan:camera-1` is stale: `fps` changed from 15 to 30 (configs/camera_to_workload.json:9:16)
        `report` is stale because `run:lane` will run, because `plan:camera-1` is stale: `fps` changed from 15 to 30 (configs/camera_to_workload.json:9:16)
    "#]]
    .assert_eq(&told(ws.lp("explain report benchmark:lane/camera-1")));
    ws.write(CAMERAS_FILE, &text);
    assert!(
        told(ws.lp("explain run:lane"))
            .starts_with("`run:lane` is fresh\n`lp run` always measures; `lp build` would reuse record ")
    );
}

#[test]
fn the_settings_of_a_run_are_durations_with_their_places() {
    let ws = measured();
    ws.lp("run --no-verdict").success();
    for (flags, cause) in [
        (" --set run.duration=7s", "`run.duration` changed from 5s to 7s (--set run.duration=7s)"),
        (" --set run.warmup=1s", "`run.warmup` changed from auto to 1s (--set run.warmup=1s)"),
        (
            " --set run.isolation=lane",
            "`run.isolation` changed from camera to lane (--set run.isolation=lane)",
        ),
        (" --set run.count=2", "`run.count` changed from 1 to 2 (--set run.count=2)"),
    ] {
        let text = told(ws.lp(&format!("explain report{flags}")));
        assert_eq!(text, format!("`report` is stale because `run:lane` is stale: {cause}\n"));
    }
    ws.write("Lpfile.toml", &LPFILE.replace("duration = \"5s\"", ""));
    expect![[r#"
        `run:lane` is stale: `run.duration` changed from 5s to 30s (the default)
        `lp run` always measures; `lp build` would measure too: no record fits
    "#]]
    .assert_eq(&told(ws.lp("explain run:lane")));
}

#[test]
fn a_document_for_machines_says_the_same() {
    let ws = cameras();
    ws.lp("build plan").success();
    ws.write(CAMERAS_FILE, &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    let ended = ws.lp("explain plan --json").success();
    let mut document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    document["tasks"][0]["last"]["started"] = "<then>".into();
    expect![[r#"
        {
          "tasks": [
            {
              "chain": [
                "plan",
                "plan:camera-1"
              ],
              "label": "plan",
              "last": {
                "detail": null,
                "outcome": "succeeded",
                "started": "<then>"
              },
              "more": [],
              "reasons": [
                {
                  "kind": "changed",
                  "new": 30.0,
                  "note": null,
                  "old": 15.0,
                  "place": {
                    "column": 16,
                    "file": "configs/camera_to_workload.json",
                    "line": 9,
                    "text": "configs/camera_to_workload.json:9:16"
                  },
                  "subject": "camera.fps",
                  "text": "`fps` changed from 15 to 30"
                }
              ],
              "state": "stale",
              "text": "`plan` is stale because `plan:camera-1` is stale: `fps` changed from 15 to 30 (configs/camera_to_workload.json:9:16)"
            }
          ],
          "version": 1
        }"#]]
    .assert_eq(&format!("{document:#}"));
}
