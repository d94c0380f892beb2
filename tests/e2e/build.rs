//! Incremental builds: what runs again, and why.

use std::fs;
use std::os::unix::fs::MetadataExt;

use expect_test::expect;

use crate::support::{CAMERAS, WORKLOADS, Workspace};

#[test]
fn a_second_build_runs_nothing() {
    let ws = Workspace::cameras();
    // One at a time, so that the lines have one order.
    ws.lp("build plan -j1").success().stderr(expect![[r#"
        plan:camera-1  new
        plan:camera-2  new
        plan           new
        3 tasks ran
    "#]]);
    ws.lp("build plan").success().stderr(expect![[r#"
        nothing to do: 3 tasks fresh
    "#]]);
}

#[test]
fn the_plan_says_which_workloads_share_a_pipeline() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    let plan: serde_json::Value = serde_json::from_str(&ws.read("results/plan.json")).unwrap();
    assert_eq!(plan["cameras"][1]["pipelines"][1]["workloads"][0], "motion");
    assert_eq!(
        plan["cameras"][1]["apart"][0]["because"],
        "`scan` and `motion` differ in step 1: `type` zbar / motioncells"
    );
    expect![[r#"
        {
          "version": 5,
          "cameras": 2,
          "workloads": 2,
          "pipelines_before_merging": 3,
          "pipelines": 3,
          "decodes_saved": 0,
          "dialects": {
            "stock": 3
          },
          "load": {
            "decoded": {
              "pipelines": 3,
              "frames_per_second": 45.0,
              "bytes_per_second": 7776000
            },
            "raw": {
              "pipelines": 0,
              "frames_per_second": 0.0,
              "bytes_per_second": 0
            },
            "inferences": [],
            "elements": [
              {
                "element": "motioncells",
                "steps": 1,
                "frames_per_second": 15.0
              },
              {
                "element": "zbar",
                "steps": 2,
                "frames_per_second": 30.0
              }
            ],
            "scripts": []
          },
          "unsupported": [],
          "repeated": []
        }
    "#]]
    .assert_eq(&ws.read("results/summary.json"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, other) = (Workspace::cameras(), Workspace::cameras());
    for ws in [&one, &other] {
        ws.lp("build plan").success();
    }
    for path in ["results/plan.json", "results/summary.json", "results/plan/camera-1.json"] {
        assert_eq!(one.read(path), other.read(path), "{path}");
    }
}

#[test]
fn a_touched_file_runs_nothing() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    let path = ws.path("configs/camera_to_workload.json");
    fs::write(&path, CAMERAS).unwrap();
    fs::write(ws.path("results/plan/camera-1.json"), ws.read("results/plan/camera-1.json")).unwrap();
    ws.lp("build plan").success().stderr(expect![[r#"
        nothing to do: 3 tasks fresh
    "#]]);
}

#[test]
fn editing_one_camera_redoes_only_that_camera() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    let edited = CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1);
    ws.write("configs/camera_to_workload.json", &edited);
    ws.lp("build plan").success().stderr(expect![[r#"
        plan:camera-1  stale: `fps` changed from 15 to 30
        plan           stale: `results/plan/camera-1.json` changed
        2 tasks ran, 1 fresh
    "#]]);
}

#[test]
fn an_edit_that_changes_no_plan_runs_nothing() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    let edited = WORKLOADS.replace("{\"type\": \"zbar\"}", "{\"type\": \"zbar\", \"_note\": \"codes\"}");
    assert_ne!(edited, WORKLOADS);
    ws.write("configs/workload_to_pipeline.json", &edited);
    ws.lp("build plan").success().stderr(expect![[r#"
        nothing to do: 3 tasks fresh
    "#]]);
}

#[test]
fn going_back_to_an_earlier_config_restores_its_results() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    ws.write("configs/camera_to_workload.json", &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    ws.lp("build plan").success();
    ws.write("configs/camera_to_workload.json", CAMERAS);
    ws.lp("build plan").success().stderr(expect![[r#"
        plan:camera-1  restored: output `results/plan/camera-1.json` was changed
        plan           restored: outputs `results/plan.json`, `results/summary.json` were changed
        0 tasks ran, 2 restored, 1 fresh
    "#]]);
    assert!(ws.read("results/plan/camera-1.json").contains("\"fps\": 15.0"));
}

#[test]
fn a_deleted_output_comes_out_of_the_store() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    let before = ws.read("results/plan/camera-1.json");
    fs::remove_file(ws.path("results/plan/camera-1.json")).unwrap();
    ws.lp("build plan").success().stderr(expect![[r#"
        plan:camera-1  restored: output `results/plan/camera-1.json` was deleted
        0 tasks ran, 1 restored, 2 fresh
    "#]]);
    assert_eq!(ws.read("results/plan/camera-1.json"), before);
}

#[test]
fn a_no_op_takes_no_lock_and_writes_nothing() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    // A first no-op may still remember what it saw.
    ws.lp("build plan").success();
    let stamps = || -> Vec<(String, i64, i64)> {
        let mut stamps: Vec<_> = fs::read_dir(ws.path(".lpcache"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                (entry.file_name().into_string().unwrap(), metadata.mtime_nsec(), metadata.ctime_nsec())
            })
            .collect();
        stamps.sort();
        stamps
    };
    let before = stamps();
    // Whoever holds the build lock does not hold up a build with nothing to do.
    let lock = fs::File::open(ws.path(".lpcache/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    ws.lp("build plan").success();
    assert_eq!(stamps(), before);
}

#[test]
fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let ws = Workspace::cameras();
    ws.lp("build plan --dry-run").success().stderr(expect![[r#"
        plan:camera-1  new
        plan:camera-2  new
        plan           new
        3 tasks would run
    "#]]);
    assert!(!ws.exists("results"));
    assert!(!ws.exists(".lpcache"));
}

#[test]
fn events_are_json_lines_and_the_last_is_the_summary() {
    let ws = Workspace::cameras();
    let ended = ws.lp("build plan --json").success();
    let events: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let started =
        serde_json::json!({"at_ms": events[0]["at_ms"], "event": "started", "version": 1, "tasks": 3});
    assert_eq!(events[0], started);
    assert_eq!(events.last().unwrap()["summary"]["ran"], 3);
}

#[test]
fn an_unknown_target_is_named_with_what_was_meant() {
    let ws = Workspace::cameras();
    ws.lp("build plam:camera-1").code(2).stderr(expect![[r#"
        error: there is no target `plam:camera-1`
          hint: did you mean `plan:camera-1`?
    "#]]);
}

#[test]
fn the_default_lane_has_eight_workload_uses_in_seven_pipelines() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut ws = Workspace::empty();
    for path in [
        "Lpfile.toml",
        "configs/camera_to_workload.json",
        "configs/workload_to_pipeline.json",
        "configs/scenes/basket.toml",
        "configs/scenes/fake-scan.toml",
        "configs/scenes/hidden-item.toml",
    ] {
        ws = ws.file(path, &fs::read_to_string(root.join(path)).unwrap());
    }
    ws.lp("check --strict").success();
    ws.lp("build plan").success();
    let summary: serde_json::Value = serde_json::from_str(&ws.read("results/summary.json")).unwrap();
    let counts =
        ["cameras", "workloads", "pipelines_before_merging", "pipelines"].map(|name| summary[name].clone());
    assert_eq!(counts, [6, 6, 8, 7]);
}
