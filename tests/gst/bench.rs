//! Benchmarks of real pipelines: nothing planted is not found, and what is planted is.

use crate::project::short;
use crate::workspace::Workspace;

/// A worker with a variable that changes what it is called, and nothing else, or that makes GStreamer
/// write its log, which takes CPU time.
fn worker(variables: &[&str]) -> String {
    let variables = variables.iter().map(|one| format!("\"{one}\",")).collect::<String>();
    format!("worker.command=[\"env\",{variables}\"{}\"]", env!("CARGO_BIN_EXE_lp-worker"))
}

fn gate(ws: &Workspace, pairs: &str, baseline: &str, candidate: &str) -> (Option<i32>, String) {
    let words = "bench --gate --duration 2s --warmup 0s --seed 1 --json";
    let words: Vec<&str> =
        words.split(' ').chain(["--runs", pairs, "--set", candidate, "--baseline", baseline]).collect();
    let ended = ws.command(&words).output().unwrap();
    (ended.status.code(), String::from_utf8_lossy(&[ended.stderr, ended.stdout].concat()).into_owned())
}

#[test]
fn a_worker_that_writes_its_log_is_worse_and_the_same_worker_is_not() {
    // The load of tests that run beside this one dismisses no run.
    let ws = short(&[("till", r#"{"type": "zbar"}"#)]).env("LP_WORKER", "").unseen_machine();
    let plain = worker(&["A=1"]);
    let (code, text) = gate(&ws, "6", &plain, &worker(&["GST_DEBUG=*:9", "GST_DEBUG_FILE=/dev/null"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("CPU time per frame"), "{text}");
    let (code, text) = gate(&ws, "3", &plain, &worker(&["A=2"]));
    assert!([Some(0), Some(3)].contains(&code), "{code:?} {text}");
}
