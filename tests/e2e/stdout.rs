//! What belongs on stdout and cannot be written there.

use std::fs::File;
use std::io;
use std::process::Stdio;

use crate::scripts::{STEADY, till};
use crate::support::{Ended, Workspace};

const TOLD: &str = "error: failed to write to stdout\n  caused by: No space left on device";

/// Runs `lp` with a stdout that takes nothing.
#[track_caller]
fn on_a_full_disk(ws: &Workspace, arguments: &str) -> Ended {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let full = File::options().write(true).open("/dev/full").unwrap();
    Ended::new(ws.command(&arguments).stdout(full).output().unwrap(), &ws.root())
}

/// Runs `lp` with a stdout that nobody reads any more.
#[track_caller]
fn on_a_closed_pipe(ws: &Workspace, arguments: &str) -> Ended {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    Ended::new(ws.command(&arguments).stdout(Stdio::from(writer)).output().unwrap(), &ws.root())
}

#[test]
fn every_command_reports_lost_output() {
    let fake = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker");
    let ws = Workspace::cameras().env("LP_WORKER", fake);
    ws.lp("build plan").success();
    for arguments in [
        "--version",
        "--help",
        "run --help",
        "help cache gc",
        "check --json",
        "check --format sarif",
        "check --explain LP0405",
        "check --explain LP0405 --json",
        "build plan --json",
        "graph",
        "graph --dot",
        "graph --json",
        "graph --deps plan",
        "graph --path plan:camera-1 plan",
        "show",
        "show camera-1",
        "show --summary",
        "show --json",
        "show --launch --format json",
        "show --diff default default",
        "explain plan",
        "explain plan --json",
        "explain --last",
        "cache show",
        "cache show plan",
        "cache stats",
        "cache gc --dry-run --json",
        "cache verify --json",
        "cache key",
        "import --rewrite configs/camera_to_workload.json",
        "doctor",
        "doctor --json",
    ] {
        let ended = on_a_full_disk(&ws, arguments);
        assert_eq!(ended.status, Some(1), "{arguments}: {}", ended.stderr);
        assert_eq!(ended.stderr.matches(TOLD).count(), 1, "{arguments}: {}", ended.stderr);
        let ended = on_a_closed_pipe(&ws, arguments);
        assert!(!ended.stderr.contains("failed to write"), "{arguments}: {}", ended.stderr);
        assert_eq!(ended.status, ws.lp(arguments).status, "{arguments}: {}", ended.stderr);
    }
    // What was refused stays refused.
    on_a_full_disk(&ws, "show --launch nobody").code(2);
}

#[test]
fn a_command_does_its_work_although_its_output_is_lost() {
    let ws =
        Workspace::tasks("[[task]]\nname = \"t\"\ncommand = [\"touch\", \"made\"]\noutputs = [\"made\"]\n");
    on_a_full_disk(&ws, "build --json").code(1).stderr_has(TOLD);
    ws.lp("build").success().stderr_has("nothing to do: 1 task fresh");
    std::fs::remove_file(ws.path("made")).unwrap();
    on_a_closed_pipe(&ws, "build --json").success();
    assert!(ws.exists("made"));
}

#[test]
fn a_measurement_is_kept_although_its_report_cannot_be_printed() {
    let ws = till(&[("a", STEADY, "")]);
    for arguments in ["run --no-verdict", "run --no-verdict --json"] {
        on_a_full_disk(&ws, arguments).code(1).stderr_has(TOLD);
        assert!(ws.read("results/latest/record.json").contains("till"), "{arguments}");
    }
    on_a_closed_pipe(&ws, "run --no-verdict").success();
    for format in ["human", "json", "csv", "html"] {
        on_a_full_disk(&ws, &format!("report --format {format}")).code(1).stderr_has(TOLD);
    }
    let ended = on_a_closed_pipe(&ws, "report --format csv").success();
    assert_eq!(ended.stderr, "");
}
