//! `lp clean`: only what `lp` made, and only as it made it.

use expect_test::expect;
use serde_json::Value;

use crate::scripts::{STEADY, till};
use crate::support::{COPY_JOIN, Workspace};

fn built() -> Workspace {
    let ws =
        Workspace::cameras().file("Lpfile.toml", COPY_JOIN).file("a.txt", "a").file("media/own.mp4", "mine");
    ws.lp("build plan copy join").success();
    ws
}

#[test]
fn outputs_are_deleted_and_come_back_from_the_store() {
    let ws = built();
    ws.lp("clean -n")
        .success()
        .stdout(expect![[r#"
        b.txt
        c.txt
        results/plan.json
        results/plan/camera-1.json
        results/plan/camera-2.json
        results/summary.json
    "#]])
        .stderr_has("would delete 6 outputs (");
    assert!(ws.exists("b.txt"));
    ws.lp("clean")
        .success()
        .stdout(expect![""])
        .stderr_has("deleted 6 outputs (")
        .stderr_has("; `lp build` restores");
    for path in ["b.txt", "c.txt", "results/plan.json", "results/plan/camera-1.json"] {
        assert!(!ws.exists(path), "{path}");
    }
    assert!(ws.exists("a.txt") && ws.exists("media/own.mp4") && ws.exists("Lpfile.toml"));
    ws.lp("clean").success().stderr(expect![[r#"
        nothing to delete
    "#]]);
    ws.lp("build plan copy join").success().stderr_has("5 restored");
    assert_eq!(ws.read("c.txt"), "aa");
}

#[test]
fn one_target_is_deleted_alone() {
    let ws = built();
    ws.lp("clean join").success().stderr_has("deleted 1 output (2 B)");
    assert!(ws.exists("b.txt") && !ws.exists("c.txt"));
    ws.lp("clean b.txt").success();
    assert!(!ws.exists("b.txt") && ws.exists("results/plan.json"));
    ws.lp("clean jion").code(2).stderr_has("did you mean `join`?");
}

#[test]
fn a_changed_output_and_a_file_that_became_the_users_own_are_kept() {
    let ws = built();
    ws.write("c.txt", "edited");
    // The project now reads what it once made, and has no camera-2.
    let lpfile = COPY_JOIN.split("[[task]]").nth(2).unwrap();
    let ws = ws.file("Lpfile.toml", &format!("[[task]]{lpfile}"));
    let cameras = crate::support::CAMERAS.replace("camera-2", "camera-3");
    let ws = ws.file("configs/camera_to_workload.json", &cameras);
    let ended = ws.lp("clean").success().stderr_has("deleted 4 outputs (");
    ended.stderr_has("kept `c.txt`: its contents are not those that `lp` made\n");
    assert_eq!((ws.read("b.txt").as_str(), ws.read("c.txt").as_str()), ("a", "edited"));
    assert!(!ws.exists("results/plan/camera-2.json"));
}

#[test]
fn runs_are_never_deleted() {
    let ws = till(&[("a", STEADY, "")]);
    ws.lp("run --no-verdict").success();
    let document: Value = serde_json::from_str(&ws.lp("clean --json").success().stdout).unwrap();
    let deleted: Vec<&str> =
        document["deleted"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert!(deleted.contains(&"results/report/lane.html"), "{deleted:?}");
    assert!(document["bytes"].as_u64().unwrap() > 0);
    assert!(ws.exists("results/run/lane.json") && ws.exists("results/latest/record.json"));
    ws.lp("clean run:lane").success().stderr(expect![[r#"
        nothing to delete
    "#]]);
    ws.lp("report").success();
}

#[test]
fn a_project_without_a_store_has_nothing_to_delete() {
    let ws = Workspace::cameras();
    ws.lp("clean").success().stderr(expect![[r#"
        nothing to delete
    "#]]);
    assert!(!ws.exists(".lpcache"));
}
