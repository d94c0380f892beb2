//! The exit code of a run is its verdict. The figures are replayed, so they are exact.

use std::fs;

use expect_test::expect;

use crate::scripts::{STEADY, till};
use crate::support::{Workspace, frames};

const FAKE_WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker");

/// A project whose cameras deliver 15 frames a second for so many of 25 seconds.
pub(crate) fn playing(seconds: &[(&str, u64)]) -> Workspace {
    let camera = |(name, _): &(&str, u64)| {
        format!(
            r#"{{"camera_id": "{name}", "streamUri": "rtsp://h/{name}", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}}"#
        )
    };
    let cameras: Vec<String> = seconds.iter().map(camera).collect();
    let ws = Workspace::tasks("[run]\nduration = \"20s\"\nwarmup = \"0s\"\n")
        .file(
            "configs/camera_to_workload.json",
            &format!(r#"{{"lane_config": {{"cameras": [{}]}}}}"#, cameras.join(", ")),
        )
        .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "zbar"}]}}"#);
    for (name, playing) in seconds {
        ws.write(&format!("replay/{name}-1.jsonl"), &frames(&format!("{name}/1"), *playing, 25));
    }
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    ws.env("LP_WORKER", FAKE_WORKER).env("FAKE_WORKER", &replay).unseen_machine()
}

/// The last line of stderr.
fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

#[test]
fn a_run_of_which_every_camera_holds_ends_with_0() {
    let ws = playing(&[("a", 25), ("b", 25)]);
    let ended = ws.lp("run").success();
    assert!(ended.stdout.contains("2 of 2 cameras hold 15 fps"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
    let judged = ws.lp("report --verdict --format csv").success().stderr;
    assert!(
        judged.starts_with("run 20") && judged.ends_with(": verdicts decide: every camera holds\n"),
        "{judged}"
    );
}

#[test]
fn a_camera_that_does_not_hold_ends_a_run_with_1_and_the_last_line_says_so() {
    // The last 4 of the 20 s of the window have no frame.
    let ws = playing(&[("a", 25), ("b", 16), ("c", 16)]);
    let ended = ws.lp("run").code(1);
    assert!(ended.stdout.contains("1 of 3 cameras holds 15 fps, 2 do not"), "{}", ended.stdout);
    expect!["error: verdicts decide: 2 of 3 cameras do not hold (`--no-verdict` ignores this)"]
        .assert_eq(last_line(&ended.stderr));

    // Its figures and pages are kept as ever, and `lp build` does not judge.
    assert!(ws.exists("results/latest/report.html"));
    ws.lp("build report").success().stderr_has("nothing to do");
    ws.lp("build --again run:lane").success();
    ws.lp("build report").success();

    let ended = ws.lp("run --no-verdict").success();
    assert!(ended.stdout.contains("2 do not"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
    // A single camera is judged alone.
    ws.lp("run a").success();
}

#[test]
fn a_camera_that_is_undecided_or_not_judged_does_not_hold() {
    let ws = playing(&[("a", 25)]);
    let ended = ws.lp("run --duration 1s").code(1);
    expect!["error: verdicts decide: 1 of 1 camera is undecided (`--no-verdict` ignores this)"]
        .assert_eq(last_line(&ended.stderr));

    let silent = ("silent", "exec sleep 1000", "");
    let ended = till(&[silent]).lp("run").code(1);
    expect!["error: verdicts decide: 1 of 1 camera was not judged (`--no-verdict` ignores this)"]
        .assert_eq(last_line(&ended.stderr));
    till(&[("a", STEADY, "")])
        .lp("run")
        .code(1)
        .stderr_has("error: verdicts decide: 1 of 1 camera is undecided");
}

#[test]
fn files_that_are_played_freely_have_no_verdict() {
    let ws = till(&[("once", "echo done", "")]);
    ws.lp("run --set run.pace=free").success();
    ws.lp("report --verdict").success();
}

#[test]
fn a_stored_run_ends_a_later_job_as_it_ended_itself() {
    let ws = playing(&[("a", 25), ("b", 16)]);
    ws.lp("run --no-verdict").success();
    let plain = ws.lp("report").success();
    let judged = ws.lp("report --verdict").code(1);
    assert_eq!(judged.stdout, plain.stdout);
    let error = last_line(&judged.stderr);
    assert!(
        error.starts_with("error: run 20")
            && error.ends_with(": verdicts decide: 1 of 2 cameras does not hold"),
        "{}",
        judged.stderr
    );
    assert_eq!(ws.lp("report --verdict --json").code(1).stdout, ws.lp("report --json").success().stdout);
    ws.lp("report --verdict -o pages").code(1);
    assert!(ws.exists("pages/report.html"));

    // Another checkout has the store and nothing else.
    let other = Workspace::empty();
    assert!(
        std::process::Command::new("cp")
            .args([ws.path("Lpfile.toml"), ws.path(".lpcache")])
            .args(["-rt".into(), other.root()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(other.lp("report --verdict").code(1).stdout, plain.stdout);
    // Without any measurement there is nothing that could have held.
    fs::remove_dir_all(other.path(".lpcache")).unwrap();
    other.lp("report --verdict").code(2).stderr_has("there is no measurement yet");
}

#[test]
fn a_run_with_a_failure_ends_with_1_whatever_is_asked() {
    let ws = till(&[("ends", "exit 3", ""), ("steady", STEADY, "")]);
    for arguments in ["run", "run --no-verdict", "report --verdict"] {
        let ended = ws.lp(arguments).code(1);
        assert!(last_line(&ended.stderr).ends_with("1 of 1 camera failed"), "{arguments}: {}", ended.stderr);
    }
}

#[test]
fn other_limits_judge_the_same_record_again() {
    let ws = playing(&[("a", 25)]);
    ws.lp("run").success();
    ws.lp("build report").success().stderr_has("nothing to do");
    let verdict = |ws: &Workspace| {
        let report: serde_json::Value = serde_json::from_str(&ws.read("results/report/lane.json")).unwrap();
        let stream = &report["measurement"]["cameras"][0]["streams"][0];
        let limit = &report["conditions"]["limits"]["on_time"];
        format!("{} {} at {limit}: {}", report["run"], stream["verdict"], stream["reason"])
    };
    let before = verdict(&ws);
    assert!(before.ends_with(r#" "holds" at 0.99: null"#), "{before}");

    let lpfile = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{lpfile}[verdict]\non_time = 0.9999\n"));
    ws.lp("explain report").success().stdout(expect![[r#"
        `report` is stale: `verdict.on_time` changed from 0.99 to 0.9999 (Lpfile.toml:5:11); and 1 more for the same reason: `benchmark:lane/a`
    "#]]);
    ws.lp("build report").success().stderr(expect![[r#"
        benchmark:lane/a  stale: `on_time` changed from 0.99 to 0.9999
        report            stale: `on_time` changed from 0.99 to 0.9999
        2 tasks ran, 2 fresh
    "#]]);
    let after = verdict(&ws);
    assert!(after.contains(r#" "undecided" at 0.9999: "too short, needs "#), "{after}");
    // It is the same run, which its own page still judges by its own limits.
    assert_eq!(before.split(' ').next(), after.split(' ').next());
    ws.lp("report --verdict").success();
    for (set, cause) in [
        ("on_time=0.9", "`verdict.on_time` changed from 0.9999 to 0.9 (--set verdict.on_time=0.9)"),
        ("max_late=2s", "`verdict.max_late` changed from 500ms to 2s (--set verdict.max_late=2s)"),
        ("delay=1s", "`verdict.delay` changed from any to 1s (--set verdict.delay=1s)"),
        ("deadline=2", "`verdict.deadline` changed from 1 to 2 (--set verdict.deadline=2)"),
    ] {
        let told = ws.lp(&format!("explain benchmark:lane/a --set verdict.{set}")).success().stdout;
        assert!(told.contains(cause), "{told}");
    }
    ws.lp("build report --set verdict.on_time=0.5").success();
    assert!(verdict(&ws).ends_with(r#" "holds" at 0.5: null"#));
}
