//! Cameras that are chosen by patterns, and settings of a run that have flags of their own.

use expect_test::expect;

use crate::scripts::{STEADY, latest, till};
use crate::support::Workspace;

#[test]
fn a_pattern_chooses_cameras_by_name_and_by_slug() {
    let ws = Workspace::cameras();
    let names = |ended: crate::support::Ended| {
        let plan: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let cameras = plan["cameras"].as_array().unwrap();
        cameras.iter().map(|one| one["camera"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(ws.lp(["show", "--json", "camera-*"]).success()), ["camera-1", "camera-2"]);
    assert_eq!(names(ws.lp(["show", "--json", "camera-2", "*-?"]).success()), ["camera-2", "camera-1"]);

    let spaced = crate::support::CAMERAS.replace("camera-1", "Kasse 1");
    let ws = ws.file("configs/camera_to_workload.json", &spaced);
    assert_eq!(names(ws.lp(["show", "--json", "Kasse*"]).success()), ["Kasse 1"]);
    assert_eq!(names(ws.lp(["show", "--json", "Kasse_*"]).success()), ["Kasse 1"]);
}

#[test]
fn a_pattern_without_a_camera_is_refused_with_the_cameras_that_exist() {
    let ws = Workspace::cameras();
    ws.lp(["run", "till-*", "camera3"]).code(2).stderr(expect![[r#"
        error: no camera matches `till-*`
          hint: cameras are camera-1, camera-2
        error: there is no camera `camera3`
          hint: did you mean `camera-1`?
    "#]]);
}

#[test]
fn a_run_of_a_pattern_is_the_run_of_its_cameras() {
    let ws = till(&[("a", STEADY, "")]);
    ws.lp(["run", "--no-verdict", "ti*", "till"]).success();
    assert_eq!(latest(&ws).subject, "till");
}

#[test]
fn count_and_warmup_have_flags_that_win_over_the_config() {
    let ws = till(&[("a", STEADY, "")]);
    ws.lp("run --no-verdict --set run.count=3 --count 2 --warmup 1ms --duration 1s").success();
    let record = latest(&ws);
    assert_eq!((record.conditions.count, record.conditions.warmup_ms), (2, 1));
    assert_eq!(record.members.len(), 2);
    ws.lp("explain run:lane").success().stdout_has("`run.count` changed from 2 to 1");

    ws.lp("run --count 0 --warmup x").code(2).stderr_has("0 is not in 1..=1000");
    ws.lp("run --warmup x").code(2).stderr_has("expected a duration such as `30s`");
    ws.lp("run --warmup 5m --set run.warmup=auto --set run.source=x").code(2).stderr_has("`run.source`");
}

#[test]
fn a_profile_of_a_run_is_a_flag_that_its_help_names() {
    let ws = till(&[("a", STEADY, "")]);
    let lpfile = ws.read("Lpfile.toml") + "\n[profile.twice.run]\ncount = 2\n";
    let ws = ws.file("Lpfile.toml", &lpfile);
    ws.lp("run --no-verdict --profile twice").success();
    assert_eq!(latest(&ws).conditions.count, 2);
    ws.lp("run --help").success().stdout_has("--profile <NAME>");
}
