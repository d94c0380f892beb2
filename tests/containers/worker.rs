//! `lp` outside, its workers in containers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use expect_test::expect;
use lp::config::load::{LoadRequest, load};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::project::{LpProcess, latest, short};
use crate::support::{Engine, images};
use crate::workspace::Workspace;

/// Longer than an engine takes to remove a container.
const LIMIT: Duration = Duration::from_secs(60);

const FAKE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker");

/// A project whose cameras are played by `command`, whose first words are the
/// engine's `run -i` and a label.
fn project(engine: &Engine, cameras: &[&str], command: &[&str]) -> Workspace {
    let cameras: Vec<(&str, &str)> = cameras.iter().map(|name| (*name, r#"{"type": "zbar"}"#)).collect();
    let mut ws = short(&cameras).env("LP_WORKER", "");
    for (name, value) in engine.command(&[]).get_envs() {
        ws = ws.env(name.to_str().unwrap(), value.unwrap().to_str().unwrap());
    }
    let label = format!("--label={}", label(&ws));
    let words = [&[engine.program.as_str(), "run", "-i", &label], command].concat();
    configure(&ws, &words, "");
    ws
}

fn configure(ws: &Workspace, words: &[&str], more: &str) {
    let run = "[run]\nduration = \"2s\"\nwarmup = \"0s\"\n";
    ws.write("Lpfile.toml", &format!("{run}[worker]\ncommand = {words:?}\n{more}"));
}

/// Tells containers of this project from all others.
fn label(ws: &Workspace) -> String {
    format!("lp-test={}", ws.root().display())
}

fn containers(engine: &Engine, ws: &Workspace) -> Vec<String> {
    let of = format!("label={}", label(ws));
    let ids = engine.ask(&["ps", "--all", "--quiet", "--filter", &of]);
    ids.lines().map(str::to_owned).collect()
}

/// Nothing of `lp` waits any more, so an engine may still be at it.
#[track_caller]
fn until_none_is_left(engine: &Engine, ws: &Workspace) {
    let begin = Instant::now();
    while !containers(engine, ws).is_empty() {
        assert!(begin.elapsed() < LIMIT, "a container is left");
    }
}

/// The name of the container whose engine's client is this process.
fn name_of(client: Pid) -> String {
    let words = fs::read_to_string(format!("/proc/{}/cmdline", client.as_raw_nonzero())).unwrap();
    words.split('\0').skip_while(|word| *word != "--name").nth(1).unwrap().to_owned()
}

#[test]
fn a_lane_is_measured_in_containers() {
    let Some(engine) = images() else { return };
    let image = engine.image("pipeline-exec");
    let ws = project(engine, &["one", "two"], &[&image, "lp-worker"]);
    ws.lp("run --no-verdict").success();
    assert!(containers(engine, &ws).is_empty());
    let record = latest(&ws);
    assert!(record.is_complete());
    let id = engine.inspect(&image)["Id"].as_str().unwrap().trim_start_matches("sha256:")[..12].to_owned();
    assert_eq!(record.host.facts["worker image"], id);
    assert!(record.host.facts["worker"].ends_with(&format!("{image} lp-worker")));
    // Each worker reported its own process, from inside.
    assert_eq!(record.workers.len(), 2);
    let json: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    for worker in json["measurement"]["workers"].as_array().unwrap() {
        let figure = |name: &str| worker[name].as_f64().unwrap();
        assert!(0.0 < figure("cpu") && 10e6 < figure("rss_max"), "{worker}");
    }

    // What a container may use is part of what was measured, and nothing of the clip.
    ws.lp("build report --dry-run").success().stderr(expect![[r#"
        nothing to do: 8 tasks fresh
    "#]]);
    let more = fs::read_to_string(ws.path("Lpfile.toml")).unwrap().replace("\"-i\"", "\"-i\", \"--cpus=1\"");
    ws.write("Lpfile.toml", &more);
    let again = ws.lp("build report --dry-run").success().stderr;
    assert!(again.contains("`worker`") && !again.contains("transcode"), "{again}");
}

#[test]
fn a_video_outside_the_project_is_mounted_alone_and_read_only() {
    let Some(engine) = images() else { return };
    let ws = project(engine, &["one"], &[&engine.image("pipeline-exec"), "lp-worker"]);
    let far = ws.path("../far/my scan.mp4");
    fs::create_dir_all(far.parent().unwrap()).unwrap();
    fs::write(far.with_file_name("secret"), "").unwrap();
    let drawn =
        format!("testsrc2=size=160x120:rate=15:duration=1 -pix_fmt yuv420p {}", ws.path("x.mp4").display());
    let words: Vec<&str> = drawn.split(' ').collect();
    let status = Command::new("ffmpeg").args(["-v", "error", "-f", "lavfi", "-i"]).args(words).status();
    assert!(status.unwrap().success());
    fs::rename(ws.path("x.mp4"), &far).unwrap();
    let cameras = fs::read_to_string(ws.path("configs/camera_to_workload.json")).unwrap();
    let own = cameras.replace("short.mp4|scene:short", "scan.mp4|file:../far/my scan.mp4");
    ws.write("configs/camera_to_workload.json", &own);
    // An engine that notes its arguments, each on a line.
    let log = ws.path("arguments");
    let program = ws.path(&format!("bin/{}", engine.program));
    let script =
        format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >>{}\nexec {} \"$@\"\n", log.display(), engine.program);
    ws.write(&format!("bin/{}", engine.program), &script);
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let lpfile = fs::read_to_string(ws.path("Lpfile.toml")).unwrap();
    let lpfile = lpfile.replacen(&format!("[\"{}\"", engine.program), &format!("[{program:?}"), 1);
    ws.write("Lpfile.toml", &lpfile);

    ws.lp("build assets").success();
    let arguments = fs::read_to_string(&log).unwrap();
    let far = far.canonicalize().unwrap();
    let folder = far.parent().unwrap().to_str().unwrap();
    let mounts: Vec<&str> = arguments.lines().filter(|line| line.contains(folder)).collect();
    assert!(!mounts.is_empty(), "{arguments}");
    for mount in mounts {
        let file = far.to_str().unwrap();
        assert_eq!(mount, format!("--mount=type=bind,source={file},target={file},readonly"));
    }
}

#[test]
fn a_container_gets_what_its_worker_needs_and_ends_with_ctrl_c() {
    let Some(engine) = images() else { return };
    let image = engine.image("pipeline-exec");
    let ws = project(engine, &["one"], &[&image, "lp-worker"]);
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "1h"]);
    lp.wait_for_frames_of("one");
    let ids = containers(engine, &ws);
    assert_eq!(ids.len(), 1);
    let container = engine.inspect(&ids[0]);
    let host = &container["HostConfig"];
    let is_empty = |value: &Value| value.as_array().is_none_or(Vec::is_empty);
    assert!(is_empty(&container["EffectiveCaps"]) && is_empty(&host["CapAdd"]), "{container}");
    assert_eq!(host["Privileged"], false);
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["NetworkMode"], "none");
    assert!(host["SecurityOpt"].to_string().contains("no-new-privileges"), "{host}");
    let (user, group) = lp::os::env::user_and_group();
    assert_eq!(container["Config"]["User"], format!("{user}:{group}"));
    let mut mounts: Vec<String> = container["Mounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| format!("{} {}", mount["Destination"].as_str().unwrap(), mount["RW"]))
        .collect();
    // The engine lists them in any order.
    mounts.sort();
    let read = ["json", "mp4"].map(|kind| ws.path(&format!("media/clips/short-320x180-15.{kind}")));
    assert_eq!(mounts, read.map(|path| format!("{} false", path.display())));

    lp.interrupt();
    lp.finish().code(130);
    assert!(containers(engine, &ws).is_empty());
    assert!(latest(&ws).interrupted);
}

#[test]
fn a_killed_lp_leaves_neither_a_container_nor_a_lock() {
    let Some(engine) = images() else { return };
    let ws = project(engine, &["one", "two"], &[&engine.image("pipeline-exec"), "lp-worker"]);
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "1h"]);
    lp.wait_for_frames_of("one");
    lp.wait_for_frames_of("two");
    assert_eq!(containers(engine, &ws).len(), 2);
    // By SIGKILL.
    drop(lp);
    until_none_is_left(engine, &ws);
    ws.lp("run --no-verdict").success();
}

#[test]
fn a_container_that_is_killed_costs_its_camera_only() {
    let Some(engine) = images() else { return };
    let ws = project(engine, &["good", "bad"], &[&engine.image("pipeline-exec"), "lp-worker"]);
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "4s"]);
    lp.wait_for_frames_of("bad");
    engine.ask(&["kill", &name_of(lp.workers()["bad"])]);
    let ended = lp.finish().code(1);
    let reason = "its worker ended: killed by SIGKILL";
    assert!(ended.stdout.contains(&format!("failed: bad/1 of bad: {reason}\n")), "{}", ended.stdout);
    let record = latest(&ws);
    assert_eq!(record.members[0].streams[0].failure, None);
    assert_eq!(record.members[1].streams[0].failure.as_deref(), Some(reason));
    assert!(containers(engine, &ws).is_empty());
}

#[test]
fn a_container_that_does_not_end_is_removed() {
    let Some(engine) = images() else { return };
    let ws = project(engine, &["one"], &[&engine.image("pipeline-exec"), "lp-worker"]);
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "1h"]);
    lp.wait_for_frames_of("one");
    let state = &engine.inspect(&name_of(lp.workers()["one"]))["State"];
    let inside = Pid::from_raw(state["Pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
    kill_process(inside, Signal::STOP).unwrap();
    lp.interrupt();
    lp.finish().code(130);
    assert!(containers(engine, &ws).is_empty());
}

#[test]
fn a_missing_image_is_reported_before_anything_starts() {
    let Some(engine) = images() else { return };
    let ws = project(engine, &["one"], &["localhost/lp/nowhere:1", "lp-worker"]);
    let stderr = ws.lp("run").code(2).stderr;
    let error = "error: no worker: the image `localhost/lp/nowhere:1` of `worker.command` is not available: ";
    assert!(stderr.starts_with(error), "{stderr}");
    assert!(stderr.contains("\n  hint: build or pull the image; "), "{stderr}");
    assert!(!ws.exists("media"));
    let doctor = ws.lp("doctor").code(1).stdout;
    assert!(doctor.starts_with("missing  image"), "{doctor}");
}

#[test]
fn an_image_with_an_older_worker_is_refused() {
    let Some(engine) = images() else { return };
    let fake = format!("--volume={FAKE}:/fake:ro");
    let options = ["--env=FAKE_WORKER_PROTOCOL=1", &fake, &engine.image("pipeline-exec"), "/fake"];
    let ws = project(engine, &["one"], &options);
    ws.lp("run").code(2).stderr(expect![[r#"
        error: the worker speaks protocol 1, but this `lp` needs 5
          hint: install `lp` and `lp-worker` of the same version; if it is in an image, build that again
          needed by `generate:short.mp4`, `transcode:short.mp4@320x180@15`, `run:lane`
    "#]]);
    until_none_is_left(engine, &ws);
}

#[test]
fn a_container_that_cannot_start_says_why() {
    let Some(engine) = images() else { return };
    let ws = project(engine, &["one"], &[&engine.image("pipeline-exec"), "lp-wroker"]);
    let stderr = ws.lp("run").code(2).stderr;
    assert!(stderr.contains("lp-wroker"), "{stderr}");
    until_none_is_left(engine, &ws);
}

#[test]
fn paths_may_have_any_characters() {
    let Some(engine) = images() else { return };
    let image = engine.image("pipeline-exec");
    let ws = project(engine, &["one"], &[&image, "lp-worker"]);
    let lpfile = ws.read("Lpfile.toml");
    ws.write("Lpfile.toml", &format!("{lpfile}[paths]\nmedia = \"a, \\\"b\\\": c=d\"\n"));
    ws.lp("run --no-verdict").success();
}

#[test]
fn options_without_a_value_are_those_of_the_engine() {
    let Some(engine) = images() else { return };
    let help = engine.ask(&["run", "--help"]);
    // "  -i, --interactive   Keep STDIN open", "      --cap-add strings   Add"
    let options = help.lines().filter_map(|line| {
        let (_, option) = line.split_once("--").filter(|(before, _)| before.trim().len() < 4)?;
        let (name, rest) = option.split_once(' ')?;
        Some((format!("--{name}"), rest.starts_with("  ")))
    });
    let mut n_options = 0;
    for (option, is_alone) in options.filter(|(option, _)| {
        !["--detach", "--name", "--replace", "--restart", "--tty"].contains(&option.as_str())
    }) {
        n_options += 1;
        let folder = tempfile::tempdir().unwrap();
        let lpfile = format!("[worker]\ncommand = [\"podman\", \"run\", \"-i\", {option:?}, \"x\", \"y\"]\n");
        fs::write(folder.path().join("Lpfile.toml"), lpfile).unwrap();
        let loaded = load(&LoadRequest { dir: folder.path().to_owned(), ..LoadRequest::default() });
        let command = loaded.project.unwrap().settings.worker.unwrap();
        let image = &command.words[command.container.unwrap().image];
        assert_eq!(image, if is_alone { "x" } else { "y" }, "{option}");
    }
    assert!(80 < n_options, "{n_options}");
}
