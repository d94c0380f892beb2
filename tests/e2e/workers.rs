//! `[worker] command`: which worker is started, and what is said where there is
//! none. Real containers are in `tests/containers`.

use expect_test::expect;

use crate::support::Workspace;

const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker");

fn with(command: &str) -> Workspace {
    Workspace::cameras().file("Lpfile.toml", &format!("[worker]\ncommand = {command}\n"))
}

#[test]
fn an_engine_that_is_not_installed_is_said_before_anything_starts() {
    let ws = with(r#"["podman", "run", "-i", "localhost/lp/pipeline-exec"]"#).env("PATH", "/nowhere");
    ws.lp("run").code(2).stderr(expect![[r#"
        error: no worker: there is no program `podman`, with which `worker.command` begins
          hint: install podman (Debian: podman), or remove `command` to use the worker beside `lp`
          needed by `transcode:a.mp4@640x360@15`, `transcode:a.mp4@320x180@15`, `run:lane`
    "#]]);
    ws.lp("build assets").code(2).stderr(expect![[r#"
        error: no worker: there is no program `podman`, with which `worker.command` begins
          hint: install podman (Debian: podman), or remove `command` to use the worker beside `lp`
          needed by `transcode:a.mp4@640x360@15`, `transcode:a.mp4@320x180@15`
    "#]]);
    assert!(!ws.exists("media"));
    // Plans need no worker.
    ws.lp("build plan").success();
}

#[test]
fn a_program_with_arguments_is_a_worker_and_a_relative_one_begins_at_the_project_file() {
    let ws = with(r#"["tools/worker", "--quickly"]"#);
    std::fs::create_dir(ws.path("tools")).unwrap();
    std::os::unix::fs::symlink(FAKE, ws.path("tools/worker")).unwrap();
    std::fs::create_dir(ws.path("elsewhere")).unwrap();
    let ended = ws.lp("-C elsewhere doctor --json");
    assert!(ended.stdout.contains("tools/worker"), "{}\n{}", ended.stdout, ended.stderr);
    // The variable counts more.
    let ws = ws.env("LP_WORKER", "/nowhere/lp-worker");
    ws.lp("run").code(2).stderr(expect![[r#"
        error: no worker: `/nowhere/lp-worker` does not exist
          hint: build or install `lp-worker` (it needs GStreamer's development files), or name one in `LP_WORKER`
          needed by `transcode:a.mp4@640x360@15`, `transcode:a.mp4@320x180@15`, `run:lane`
    "#]]);
}
