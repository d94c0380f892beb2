//! `[worker] command`: which worker is started, and what is said where there is
//! none. Real containers are in `tests/containers`.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};

use crate::scripts::is_gone;
use crate::support::Workspace;
use crate::verdict::playing;

const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker");

/// Answers, writes its number into `pids`, and ends with nothing but SIGKILL; so
/// does the process that it starts.
const DEAF: &str = r#"#!/bin/sh
trap '' TERM INT HUP
sleep 1000 &
echo $$ $! >>pids
while IFS= read -r line; do
    id=${line#*'"id":'}
    case $line in
    *'"request":"hello"'*) body='"hello","protocol":5,"gstreamer":"1.22.0","pid":1' ;;
    *'"request":"describe"'*) body='"described","factories":{},"properties":{},"names":[]' ;;
    *'"request":"inspect"'*) body='"factories","factories":{}' ;;
    *) body='"tried","fault":null' ;;
    esac
    printf '{"at":1,"event":%s}\n{"at":2,"event":"done","id":%s}\n' "$body" "${id%%,*}"
done
wait
"#;

fn with(command: &str) -> Workspace {
    Workspace::cameras().file("Lpfile.toml", &format!("[worker]\ncommand = {command}\n"))
}

#[test]
fn a_missing_engine_is_reported_before_anything_starts() {
    let ws = with(r#"["podman", "run", "-i", "localhost/lp/pipeline-exec"]"#).env("PATH", "/nowhere");
    ws.lp("run").code(2).stderr(expect![[r#"
        error: no worker: the program `podman` of `worker.command` was not found
          hint: install podman (Debian: podman), or remove `command` to use the worker beside `lp`
          needed by `transcode:a.mp4@640x360@15`, `transcode:a.mp4@320x180@15`, `run:lane`
    "#]]);
    ws.lp("build assets").code(2).stderr(expect![[r#"
        error: no worker: the program `podman` of `worker.command` was not found
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

#[test]
fn no_worker_outlives_lp() {
    let try_one = |command: &str, code| {
        let ws = with(r#"["./deaf"]"#).file("deaf", DEAF);
        std::fs::set_permissions(ws.path("deaf"), std::fs::Permissions::from_mode(0o755)).unwrap();
        ws.lp(command).code(code);
        let pids = ws.read("pids");
        assert!(pids.split_whitespace().count() >= 2, "{command}: no worker was started");
        for pid in pids.split_whitespace() {
            assert!(is_gone(pid), "{command}: {pid} of {pids}");
        }
    };
    // A signal that `lp` does not wait for; the worker does not answer.
    let signalled = || {
        let mute = "#!/bin/sh\ntrap '' TERM INT HUP\nsleep 1000 &\necho $$ $! >started\nwait\n";
        let ws = with(r#"["./deaf"]"#).file("deaf", mute);
        std::fs::set_permissions(ws.path("deaf"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Command::new("mkfifo").arg(ws.path("started")).status().unwrap().success());
        let lp = ws.command(&["check", "--machine"]).spawn().unwrap();
        // Waits until there is one.
        let pids = ws.read("started");
        kill_process(Pid::from_child(&lp), Signal::INT).unwrap();
        assert_eq!(lp.wait_with_output().unwrap().status.signal(), Some(2));
        assert!(pids.split_whitespace().all(is_gone), "{pids}");
    };
    // It takes as long as a worker has time to end, so all at once.
    std::thread::scope(|scope| {
        for (command, code) in [("check --machine", 0), ("doctor", 1), ("build assets", 2)] {
            scope.spawn(move || try_one(command, code));
        }
        scope.spawn(signalled);
    });
}

/// One that does not say that it serves does not, as those of older versions.
#[test]
fn a_worker_without_its_server_leaves_streams_to_somebody_else() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let lpfile = format!(
        "[worker]\ncommand = [\"./old\"]\n[run]\nsource = \"rtsp\"\n[rtsp]\nhost = \"localhost\"\nport = {port}\n"
    );
    let old = DEAF
        .replace("trap '' TERM INT HUP\nsleep 1000 &\necho $$ $! >>pids\n", "")
        .replace("done\nwait\n", "done\n");
    // It can play nothing, which is found out before anything starts.
    let old = old.replace(r#""tried","fault":null"#, r#""tried","fault":{"reason":"it has no elements"}"#);
    let ws = Workspace::cameras().file("Lpfile.toml", &lpfile).file("old", &old);
    std::fs::set_permissions(ws.path("old"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let note = "note: the server of the streams is not one that `lp` starts: this worker was built without its RTSP server\n";
    ws.lp("run").code(2).stderr_has(note);
    // The host of upstream's server is another one.
    let ws = ws.env("LP_SET_RTSP_HOST", "192.0.2.1");
    let note = "note: the server of the streams is not one that `lp` starts: `192.0.2.1` of `rtsp.host` is not this machine\n";
    ws.lp("run").code(2).stderr_has(note);
}

#[test]
fn a_transcode_in_which_no_frame_comes_any_more_is_given_up() {
    let ws = Workspace::empty()
        .file("Lpfile.toml", "[[task]]\nname = \"bring\"\ncommand = [\"touch\", \"media/a.mp4\"]\noutputs = [\"media/a.mp4\"]\n")
        .file(
            "configs/camera_to_workload.json",
            r#"{"lane_config": {"cameras": [{"camera_id": "till", "fileSrc": "a.mp4|http://127.0.0.1:9/", "workloads": ["codes"]}]}}"#,
        )
        .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"codes": [{"type": "zbar"}]}}"#)
        .env("LP_WORKER", FAKE);
    let frames = |at_s: u64, played| {
        format!(
            "{{\"at\":{},\"event\":\"frames\",\"stream\":\"clip/1\",\"arrived_us\":[],\"latency_us\":[],\
             \"decoded\":0,\"played\":{played},\"dropped\":0,\"queues\":{{}}}}\n",
            at_s * 1_000_000_000
        )
    };
    // Later than any machine has been up.
    let begin = 9_000_000_000;
    let events: String =
        [(0, 7), (1, 8), (60, 8), (61, 8)].map(|(at, played)| frames(begin + at, played)).concat();
    ws.write("replay/clip-1.jsonl", &events);
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    let ended = ws.env("FAKE_WORKER", &replay).lp("build assets").code(1);
    ended.stderr_has("`media/a.mp4` cannot be read: no new frame for 60 s after 8 frames");
}

/// One that does not say that it knows stages does not, as those of older versions.
#[test]
fn a_trace_needs_a_worker_that_knows_the_stages_of_frames() {
    let ws = playing(&[("a", 25)]);
    let reason = "this worker does not report the stages of frames, which `--trace` needs";
    ws.lp("run --trace t.json").code(1).stderr_has(reason);
    assert!(!ws.exists("t.json"));
    ws.lp("run --trace -").code(2).stderr_has("expects a file");
}
