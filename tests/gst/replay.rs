//! Faults that only a worker of our own can have: `tests/e2e/fake-worker`
//! replays what a test says, faster than real time.

use expect_test::expect;

use crate::project::{LpProcess, latest, short};
use crate::workspace::{Workspace, frames};

/// A project that the fake worker plays: no clips, since it can make none.
fn fake(cameras: &[(&str, &str)]) -> Workspace {
    let ws = short(cameras);
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    ws.env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("LP_SET_RUN_SOURCE", "synthetic")
        .env("FAKE_WORKER", &replay)
}

#[test]
fn a_pipeline_that_hangs_costs_its_camera_only() {
    let ws = fake(&[("good", r#"{"type": "zbar"}"#), ("bad", r#"{"type": "identity"}"#)]);
    ws.write("replay/good-1.jsonl", &frames("good/1", 25, 25));
    ws.write("replay/bad-1.jsonl", &frames("bad/1", 1, 25));
    let ended = ws.lp("run --duration 20s").code(1);
    assert!(ended.stdout.contains("failed: bad/1 of bad: hangs: no frame for 10 s\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 of 2 cameras holds 15 fps, 1 failed"), "{}", ended.stdout);

    let record = latest(&ws);
    assert!(!record.is_complete() && !record.interrupted);
    let [good, bad] = [0, 1].map(|n| &record.members[n].streams[0]);
    assert_eq!((good.failure.as_ref(), good.arrived_us.len()), (None, 300));
    assert_eq!((bad.failure.as_deref(), bad.life.played), (Some("hangs: no frame for 10 s"), 15));
    // It was asked to end and did.
    assert_eq!(record.workers[1].death, None);
}

#[test]
fn a_run_of_a_second_is_too_short_to_decide() {
    let ws = fake(&[("good", r#"{"type": "zbar"}"#)]);
    ws.write("replay/good-1.jsonl", &frames("good/1", 5, 5));
    let ended = ws.lp("run --no-verdict --duration 1s").success();
    assert!(ended.stdout.contains("undecided: too short, needs 20 s at 15 fps"), "{}", ended.stdout);
    assert!(ended.stdout.contains("0 of 1 camera holds 15 fps, 1 is undecided"), "{}", ended.stdout);
}

#[test]
fn without_an_end_ctrl_c_is_judged_like_any_end() {
    for (seconds, status) in [(25, 0), (5, 1)] {
        let ws = fake(&[("good", r#"{"type": "zbar"}"#)]);
        ws.write("replay/good-1.jsonl", &frames("good/1", seconds, seconds));
        let mut lp = LpProcess::start(&ws, &["run", "--duration", "0s"]);
        (2..seconds).for_each(|_| lp.wait_for_frames_of("good"));
        lp.interrupt();
        let ended = lp.finish().code(status);
        let is_short = ended
            .stderr
            .ends_with("error: verdicts decide: 1 of 1 camera is undecided (`--no-verdict` ignores this)\n");
        assert_eq!(is_short, status == 1, "{}", ended.stderr);
    }
}

#[test]
fn a_worker_of_another_version_is_refused_before_anything_starts() {
    let ws = fake(&[("good", r#"{"type": "zbar"}"#)]).env("FAKE_WORKER_PROTOCOL", "7");
    ws.lp("run").code(2).stderr(expect![[r#"
        error: the worker speaks protocol 7, but this `lp` needs 5
          hint: install `lp` and `lp-worker` of the same version; if it is in an image, build that again
          needed by `run:lane`
    "#]]);
    assert!(!ws.exists("results"));
}
