//! The three locks, each rule: builds of one project, builds beside
//! measurements, readers, and what outlives its `lp`.
//!
//! Nothing here waits by the clock: tasks and tests meet at named pipes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output};

use expect_test::expect;
use rustix::fs::{FlockOperation, flock};

use crate::support::{CAMERAS, Ended, WORKLOADS, Workspace, frames};

/// A task that says on the pipe `started` that it runs, and waits for a line on
/// the pipe `go`, with its output half written.
const SLOW: &str = r#"
[[task]]
name = "slow"
command = ["sh", "-c", "echo $$ > pid; echo half > out; echo > started; read line < go; echo whole > out; echo x >> count"]
outputs = ["out"]

[[task]]
name = "fast"
command = ["touch", "fast"]
outputs = ["fast"]
"#;

fn slow() -> Workspace {
    let ws = Workspace::tasks(SLOW);
    pipe(&ws, "started");
    pipe(&ws, "go");
    ws
}

fn pipe(ws: &Workspace, path: &str) {
    assert!(Command::new("mkfifo").arg(ws.path(path)).status().unwrap().success());
}

/// Waits until somebody has spoken on a pipe. A test that waits in vain fails.
#[track_caller]
fn hear(ws: &Workspace, pipe: &str) {
    let heard = Command::new("timeout").arg("60").arg("cat").arg(ws.path(pipe)).output().unwrap();
    assert!(heard.status.success(), "nobody spoke on `{pipe}`");
}

/// Speaks on a pipe when somebody listens.
#[track_caller]
fn say(ws: &Workspace, pipe: &str, text: &str) {
    let mut said = Command::new("timeout");
    said.args(["60", "sh", "-c", "printf '%s\n' \"$1\" > \"$0\""]).arg(ws.path(pipe)).arg(text);
    assert!(said.status().unwrap().success(), "nobody listened on `{pipe}`");
}

/// A started `lp`, read line by line.
struct Started {
    child: Child,
    stderr: BufReader<ChildStderr>,
}

fn start(ws: &Workspace, arguments: &[&str]) -> Started {
    let mut child = ws.command(arguments).spawn().unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    Started { child, stderr }
}

impl Started {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As `kill -9` does: `lp` alone.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    #[track_caller]
    fn success(mut self) -> String {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stderr, &mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{rest}");
        rest
    }
}

/// `lp`, ended after a minute: one that waits for a lock for ever fails its test.
fn bounded(ws: &Workspace, arguments: &str) -> Ended {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let lp = ws.command(&arguments);
    let mut command = Command::new("timeout");
    command.arg("60").arg(lp.get_program()).args(lp.get_args()).current_dir(ws.root());
    for (name, value) in lp.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output: Output = command.output().unwrap();
    Ended::new(output, &ws.root())
}

fn send(signal: &str, target: &str) {
    assert!(Command::new("kill").args([signal, "--", target]).status().unwrap().success());
}

/// Ends a process when the test is over, however it ends.
struct Doomed(String);

impl Drop for Doomed {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", "--", &self.0]).status();
    }
}

fn pid_of_task(ws: &Workspace) -> String {
    ws.read("pid").trim().to_owned()
}

#[test]
fn a_second_build_waits_for_the_first_and_finds_its_work_done() {
    let ws = slow();
    let mut first = start(&ws, &["build", "slow"]);
    assert_eq!(first.line(), "task:slow  new\n");
    hear(&ws, "started");
    let mut second = start(&ws, &["build", "slow"]);
    let expected = format!("waiting for `{} build slow` (pid {})\n", env!("CARGO_BIN_EXE_lp"), first.pid());
    assert_eq!(second.line(), expected);
    say(&ws, "go", "");
    assert_eq!(first.success(), "1 task ran\n");
    assert_eq!(second.success(), "nothing to do: 1 task fresh\n");
    assert_eq!((ws.read("out"), ws.read("count")), ("whole\n".to_owned(), "x\n".to_owned()));
}

#[test]
fn emptying_the_store_waits_for_a_build() {
    let ws = slow();
    let first = start(&ws, &["build", "slow"]);
    hear(&ws, "started");
    let mut clean = start(&ws, &["cache", "clean"]);
    assert!(clean.line().ends_with(&format!("(pid {})\n", first.pid())));
    say(&ws, "go", "");
    first.success();
    assert_eq!(clean.success(), "deleted 1 attempt; measurements are kept\n");
}

#[test]
fn readers_and_a_build_with_nothing_to_do_wait_for_no_lock() {
    let ws = slow()
        .file("configs/camera_to_workload.json", CAMERAS)
        .file("configs/workload_to_pipeline.json", WORKLOADS);
    ws.lp("build fast plan").success();
    // What it saw is remembered by now.
    ws.lp("build fast plan").success();
    let exclusive = |path: &Path| {
        let file = File::open(path).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        file
    };
    let measuring = ws.root().with_file_name("lock").join("lp-measure.lock");
    let _held =
        [exclusive(&ws.path(".lpcache/lock")), exclusive(&measuring), exclusive(&ws.path(".lpcache/log"))];
    for command in [
        "graph",
        "graph --json",
        "explain task:slow",
        "explain plan",
        "show",
        "check",
        "cache show",
        "cache show task:fast",
        "build --dry-run",
        "build fast plan",
    ] {
        let ended = bounded(&ws, command).success();
        assert!(!ended.stderr.contains("waiting"), "{command}: {}", ended.stderr);
    }
}

#[test]
fn readers_do_not_wait_for_a_real_build_either() {
    let ws = slow();
    ws.lp("build fast").success();
    let build = start(&ws, &["build"]);
    hear(&ws, "started");
    for command in ["graph", "explain task:slow", "cache show", "build --dry-run", "build fast"] {
        let ended = bounded(&ws, command).success();
        assert!(!ended.stderr.contains("waiting"), "{command}: {}", ended.stderr);
    }
    say(&ws, "go", "");
    build.success();
}

/// The measuring lock, as a measurement of another project holds it.
fn measuring_lock(ws: &Workspace) -> File {
    let path = ws.root().with_file_name("lock").join("lp-measure.lock");
    File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
}

#[test]
fn a_build_waits_for_a_measurement_of_another_project_and_names_it() {
    let ws = Workspace::tasks(SLOW);
    let lock = measuring_lock(&ws);
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let text = format!("{}\nthe measurement of `lane` in `/x`\n", std::process::id());
    fs::write(ws.root().with_file_name("lock").join("lp-measure.lock"), text).unwrap();
    let mut build = start(&ws, &["build", "fast"]);
    let expected = format!("waiting for the measurement of `lane` in `/x` (pid {})\n", std::process::id());
    assert_eq!(build.line(), expected);
    assert!(!ws.exists("fast"));
    flock(&lock, FlockOperation::Unlock).unwrap();
    assert_eq!(build.success(), "task:fast  new\n1 task ran\n");
}

#[test]
fn a_quiet_command_says_why_nothing_happens() {
    let ws = Workspace::tasks(SLOW);
    let lock = measuring_lock(&ws);
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let text = format!("{}\nthe measurement of `lane` in `/x`\n", std::process::id());
    fs::write(ws.root().with_file_name("lock").join("lp-measure.lock"), text).unwrap();
    let mut build = start(&ws, &["-q", "build", "fast"]);
    let expected = format!("waiting for the measurement of `lane` in `/x` (pid {})\n", std::process::id());
    assert_eq!(build.line(), expected);
    flock(&lock, FlockOperation::Unlock).unwrap();
    assert_eq!(build.success(), "");
}

#[test]
fn builds_of_two_projects_share_the_measuring_lock_and_keep_measurements_out() {
    let (one, other) = (slow(), Workspace::tasks(SLOW));
    let folder = one.root().with_file_name("lock");
    let other = other.env("LP_LOCK_DIR", folder.to_str().unwrap());
    let first = start(&one, &["build", "slow"]);
    hear(&one, "started");
    let ended = bounded(&other, "build fast").success();
    assert_eq!(ended.stderr, "task:fast  new\n1 task ran\n");
    let lock = measuring_lock(&one);
    assert!(flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err());
    flock(&lock, FlockOperation::NonBlockingLockShared).unwrap();
    say(&one, "go", "");
    first.success();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
}

/// A project whose only camera is drawn and played by the fake worker, which
/// begins when it is told so on the pipe `replay/go`.
fn measured(folder: &Path) -> Workspace {
    let camera = r#"{"lane_config": {"cameras": [{"camera_id": "drawn", "fileSrc": "a.mp4|scene:s", "width": 320, "height": 180, "fps": 15, "workloads": ["w"]}]}}"#;
    let ws = Workspace::tasks("")
        .file("configs/camera_to_workload.json", camera)
        .file(
            "configs/workload_to_pipeline.json",
            r#"{"workload_pipeline_map": {"w": [{"type": "identity"}]}}"#,
        )
        .file("configs/scenes/s.toml", include_str!("../../configs/scenes/basket.toml"));
    fs::create_dir(ws.path("replay")).unwrap();
    pipe(&ws, "replay/go");
    let replay = ws.path("replay").to_str().unwrap().to_owned();
    ws.env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("LP_SET_RUN_SOURCE", "synthetic")
        .env("LP_SET_RUN_WARMUP", "0s")
        .env("FAKE_WORKER", &replay)
        .env("LP_LOCK_DIR", folder.to_str().unwrap())
}

#[test]
fn a_real_measurement_waits_for_builds_and_builds_wait_for_it() {
    let builder = slow();
    let folder = builder.root().with_file_name("lock");
    let measured = measured(&folder);
    // The plan is there, so that only the measurement is left.
    measured.lp("build plan").success();
    let build = start(&builder, &["build", "slow"]);
    hear(&builder, "started");

    let mut run = start(&measured, &["build", "run:drawn", "--set", "run.duration=2s"]);
    let first = run.line();
    assert!(
        first.starts_with("waiting for ") && first.contains(&format!("(pid {})", build.pid())),
        "{first}"
    );
    say(&builder, "go", "");
    build.success();
    assert_eq!(run.line(), "run:drawn   new\n");

    // The worker waits for the line when its stream is started.
    let mut other = start(&builder, &["build", "fast"]);
    let expected = format!(
        "waiting for the measurement of `drawn` in `{}` (pid {})\n",
        measured.root().display(),
        run.pid()
    );
    assert_eq!(other.line(), expected);
    measured.write("replay/drawn-1.jsonl", &frames("drawn/1", 3, 3));
    say(&measured, "replay/go", "");
    assert_eq!(run.success(), "1 task ran, 1 fresh\n");
    assert_eq!(other.success(), "task:fast  new\n1 task ran\n");
}

/// A task whose daemon has left its process group when the task ends.
const DAEMON: &str = r#"
[[task]]
name = "daemon"
command = ["sh", "-c", "setsid sh -c 'echo > ready; exec sleep 86399' > /dev/null 2>&1 & echo $! > pid; read line < ready; touch out"]
outputs = ["out"]

[[task]]
name = "fast"
command = ["touch", "fast"]
outputs = ["fast"]
"#;

#[test]
fn a_daemon_that_keeps_the_lock_is_named_and_left_alone() {
    let ws = Workspace::tasks(DAEMON).env("LP_FOREIGN_WAIT_MS", "100");
    pipe(&ws, "ready");
    // Its own `lp` ends as usual.
    bounded(&ws, "build daemon").success();
    let daemon = Doomed(pid_of_task(&ws));
    let ended = bounded(&ws, "build fast").code(1);
    let expected = format!(
        "waiting for `sleep 86399` (pid {0})\n\
         error: `<project>/.lpcache/lock` is held by `sleep 86399` (pid {0}), which is not an `lp`\n",
        daemon.0
    );
    assert_eq!(ended.stderr, expected);
    assert!(!ws.exists("fast"));
    assert!(Path::new("/proc").join(&daemon.0).exists(), "nobody kills it");
    // What needs no lock goes on.
    bounded(&ws, "build daemon").success().stderr(expect![[r#"
        nothing to do: 1 task fresh
    "#]]);
    send("-KILL", &daemon.0);
    bounded(&ws, "build fast").success().stderr_has("1 task ran");
}

#[test]
fn a_build_that_waits_for_a_daemon_goes_on_when_it_ends() {
    // Without the variable it is borne for 10 s, but not waited for by the clock.
    let ws = Workspace::tasks(DAEMON);
    pipe(&ws, "ready");
    bounded(&ws, "build daemon").success();
    let daemon = Doomed(pid_of_task(&ws));
    let mut build = start(&ws, &["build", "fast"]);
    assert_eq!(build.line(), format!("waiting for `sleep 86399` (pid {})\n", daemon.0));
    send("-KILL", &daemon.0);
    assert_eq!(build.success(), "task:fast  new\n1 task ran\n");
}

#[test]
fn processes_of_a_killed_lp_keep_the_next_build_waiting() {
    let ws = slow();
    let lp = start(&ws, &["build", "slow"]);
    hear(&ws, "started");
    let task = Doomed(pid_of_task(&ws));
    lp.kill();
    assert_eq!(ws.read("out"), "half\n");
    let impatient = slow_again(&ws).env("LP_FOREIGN_WAIT_MS", "100");
    bounded(&impatient, "build fast").code(1).stderr_has(&format!("(pid {}), which is not an `lp`", task.0));

    let mut next = start(&ws, &["build", "slow"]);
    let line = next.line();
    assert!(
        line.starts_with("waiting for `sh -c ") && line.ends_with(&format!("(pid {})\n", task.0)),
        "{line}"
    );
    // It writes to its end, but nothing of it is taken for a result.
    say(&ws, "go", "");
    assert_eq!(next.line(), "task:slow  new\n");
    hear(&ws, "started");
    say(&ws, "go", "");
    assert_eq!(next.success(), "1 task ran\n");
    assert_eq!((ws.read("out"), ws.read("count")), ("whole\n".to_owned(), "x\nx\n".to_owned()));
}

/// The same project, with other variables.
fn slow_again(ws: &Workspace) -> Workspace {
    let lock = ws.root().with_file_name("lock");
    Workspace::empty().at(ws.root()).env("LP_LOCK_DIR", lock.to_str().unwrap())
}

#[test]
fn when_everything_is_killed_the_lock_is_free_and_nothing_is_taken_for_a_result() {
    let ws = slow();
    for build in ["first", "later"] {
        let lp = start(&ws, &["build", "slow"]);
        hear(&ws, "started");
        let task = pid_of_task(&ws);
        lp.kill();
        send("-KILL", &format!("-{task}"));
        // A killed process lets go of its lock before its parent hears of it,
        // but here the parent is gone, so look.
        while Path::new("/proc").join(&task).join("cmdline").exists()
            && !fs::read(Path::new("/proc").join(&task).join("cmdline")).unwrap_or_default().is_empty()
        {
            std::thread::yield_now();
        }
        assert_eq!(ws.read("out"), "half\n");
        let mut next = start(&ws, &["build", "slow"]);
        let line = next.line();
        assert!(line.starts_with("task:slow  "), "{build}: {line}");
        hear(&ws, "started");
        say(&ws, "go", "");
        assert_eq!(next.success(), "1 task ran\n");
        assert_eq!(ws.read("out"), "whole\n");
        // Later: there is a result already, of another command.
        ws.write("Lpfile.toml", &SLOW.replace("echo half", "echo  half"));
    }
}
