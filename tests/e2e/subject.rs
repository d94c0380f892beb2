//! What a run says about its subject: program, project, commit, config, sources, steps.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use expect_test::{Expect, expect};
use lp::record::{Git, Provenance, RunRecord};
use serde_json::Value;

use crate::scripts::{latest, till};
use crate::support::{Workspace, frames};

const LPFILE: &str = "[run]\nduration = \"5s\"\n\n[profile.other]\nrun.warmup = \"1s\"\n";

const CAMERAS: &str = r#"{"lane_config": {"cameras": [
  {"camera_id": "till", "streamUri": "rtsp://bob:geheim@h/1", "width": 640, "height": 360, "fps": 15, "workloads": ["motion"]}
]}}
"#;

const WORKLOADS: &str = r#"{"workload_pipeline_map": {
  "motion": [{"type": "motioncells", "properties": {"gridx": 16}}]
}}
"#;

/// A project of one camera, played by a worker that plays nothing.
fn project() -> Workspace {
    let ws = Workspace::tasks(LPFILE)
        .file("configs/camera_to_workload.json", CAMERAS)
        .file("configs/workload_to_pipeline.json", WORKLOADS);
    let above = ws.root().parent().unwrap().to_str().unwrap().to_owned();
    ws.write("../replay/till-1.jsonl", &frames("till/1", 20, 20));
    ws.env("LP_WORKER", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/fake-worker"))
        .env("FAKE_WORKER", &format!("{above}/replay"))
        .env("GIT_CEILING_DIRECTORIES", Path::new(&above).parent().unwrap().to_str().unwrap())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("TZ", "UTC")
}

/// Runs git in a folder, as somebody.
#[track_caller]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"])
        .args(["-c", "core.excludesFile=/dev/null"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The project in a repository, with its files committed.
fn committed() -> Workspace {
    let ws = project().file(".gitignore", "/.lpcache/\n/results/\n");
    git(&ws.root(), &["init", "--quiet"]);
    git(&ws.root(), &["add", "."]);
    git(&ws.root(), &["commit", "--quiet", "-m", "one"]);
    ws
}

#[track_caller]
fn measured(ws: &Workspace) -> Provenance {
    ws.lp("run --no-verdict").success();
    latest(ws).provenance.unwrap()
}

/// The commit of a run, or the reason why it has none, after `change`.
#[track_caller]
fn check(ws: &Workspace, expect: Expect) {
    let head = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(ws.root()).output().unwrap();
    let head = String::from_utf8(head.stdout).unwrap().trim().to_owned();
    expect.assert_eq(&match measured(ws).git {
        Git::Commit { commit, changed } => {
            assert_eq!(commit, head);
            (if changed { "HEAD with changes" } else { "HEAD" }).to_owned()
        }
        Git::Unknown { reason } => reason,
    });
}

/// The facts at the head of a table, except those that differ from run to run.
fn head(table: &str) -> String {
    let varies = |line: &&str| ["run ", "started", "host"].iter().any(|label| line.starts_with(label));
    let lines = table.trim_start().lines().take_while(|line| !line.is_empty());
    lines.filter(|line| !varies(line)).map(|line| line.to_owned() + "\n").collect()
}

#[test]
fn every_form_of_a_report_says_what_was_measured() {
    let ws = project().env("LP_SET_RUN_COUNT", "1").env("TZ", "<+0545>-5:45");
    let ended = ws.lp([
        "run",
        "--no-verdict",
        "--tag",
        "  bios 1.12 ",
        "--profile",
        "other",
        "--set",
        "run.duration=4s",
        "--set",
        "run.duration=3s",
    ]);
    let ended = ended.success();
    expect![[r#"
        tag         bios 1.12
        conditions  3s after 1s of warm-up, live pace, a worker per camera, repeat 1
        cameras     1 camera 640x360 at 15 fps over RTSP (H.264)
        steps       motioncells; dialect stock
        project     p, not in a git repository, lp 0.1.0, worker LP_WORKER: fake-worker
        config      3 files 3b6f6b7c7f26, profile other, run.count=1, run.duration=3s
    "#]]
    .assert_eq(&head(&ended.stdout));
    let record = latest(&ws);
    assert_eq!((record.version, record.utc_offset_s), (9, Some(20_700)));
    let started = ended.stdout.lines().find(|line| line.starts_with("started")).unwrap();
    assert!(started.contains(" +05:45 (") && started.ends_with(" UTC)"), "{started}");

    let mut known = record.provenance.unwrap();
    assert_eq!(known.lp, env!("CARGO_PKG_VERSION"));
    assert_eq!(known.files[0].digest.to_hex(), blake3_of(LPFILE));
    // A password does not enter a digest that is passed on.
    assert_eq!(known.files[1].digest.to_hex(), blake3_of(&CAMERAS.replace("geheim", "")));
    let paths: Vec<&str> = known.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        ["Lpfile.toml", "configs/camera_to_workload.json", "configs/workload_to_pipeline.json"]
    );
    known.files.clear();
    expect![[r#"
        {
          "lp": "0.1.0",
          "worker": "LP_WORKER: fake-worker",
          "project": "p",
          "git": {
            "reason": "not in a git repository"
          },
          "files": [],
          "profile": "other",
          "overrides": {
            "run.count": "1",
            "run.duration": "3s"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&known).unwrap());

    let json: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    assert_eq!(json["tag"], "bios 1.12");
    expect![[r#"
        [
          {
            "camera": "till",
            "clip": null,
            "dialect": "stock",
            "slug": "till",
            "source": {
              "codec": "h264",
              "fps": 15.0,
              "height": 360,
              "name": "rtsp://h/1",
              "source": "rtsp",
              "width": 640
            },
            "streams": [
              {
                "script": null,
                "steps": [
                  {
                    "properties": {
                      "gridx": 16
                    },
                    "type": "motioncells"
                  }
                ],
                "stream": "till/1",
                "workloads": [
                  "motion"
                ]
              }
            ]
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&json["members"]).unwrap());
    let benchmark: Value = serde_json::from_str(&ws.read("results/latest/benchmark/till.json")).unwrap();
    assert_eq!((&benchmark["provenance"], &benchmark["members"]), (&json["provenance"], &json["members"]));

    let text = ws.read("results/latest/report.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let varies = [
        "started_local",
        "config_digest",
        "inputs_digest",
        "degraded",
        "degraded_because",
        "left_out_s",
        "start_up_s",
    ];
    let pairs = columns.iter().zip(&row).skip_while(|(name, _)| *name != "tag");
    let lines =
        pairs.filter(|(name, _)| !varies.contains(name)).map(|(name, cell)| format!("{name}={cell}\n"));
    expect![[r#"
        tag=bios 1.12
        source=rtsp
        source_name=rtsp://h/1
        source_origin=
        width=640
        height=360
        camera_fps=15
        codec=H.264
        dialect=stock
        steps=motioncells gridx=16
        models=
        precisions=
        devices=
        project=p
        git_commit=
        git_changed=
        git_reason=not in a git repository
        profile=other
        overrides=run.count=1, run.duration=3s
        lp_version=0.1.0
        gstreamer=1.22.0
        worker_command=LP_WORKER: fake-worker
        record_version=9
        clip_done=
        clip_because=
        clip_made_up=
        clip_profile=
        clip_bit_rate=
        clip_gop=
        clip_b_frames=
        seen=motioncells=0
        seen_per_second=motioncells=0
        seen_last_clip_ms=motioncells=
        rate_verdict=undecided
        deadline_verdict=undecided
        on_time_percent=100
        on_time_at_least_percent=93.5596
        frames_judged=45
        frames_late=0
        frames_lost=0
        goodput_fps=15
        delay_ms=2
        deadline_ms=66.666
        jitter_ms=0
        fps_second_p5=15
        seconds_below_target=0
        latency_max_ms=2
        worker_cpu_ms_per_frame=
        offered=0
        in_flight=0
        dropped_at=
        drift_ppm=
        transport=
        packets_lost=
        packets_late=
        reconnects=
        estimate_low=
        estimate_high=
        estimate_first=
        seen_labels=
        seen_per_frame=
        compared_frames=
        recall_percent=
        precision_percent=
        map50_percent=
        impair=
        impaired_packets=
        impaired_dropped=
        impaired_overflowed=
        impaired_reordered=
        impaired_delay_ms=
        power_w=
        power_of=
        idle_power_w=
        joules_per_frame=
        joules_per_frame_above_idle=
        fps_per_watt=
        collectors=
        worker_memory_mib_per_hour=
        worker_files_per_hour=
        fps_per_hour=
        leaks=memory=cannot tell; fps=cannot tell
    "#]]
    .assert_eq(&lines.collect::<String>());

    let page = ws.read("results/latest/report.html");
    for text in ["bios 1.12", "motioncells", "rtsp://h/1", "640x360 at 15 fps", "not in a git repository"] {
        assert!(page.contains(text), "{text}");
    }
}

fn blake3_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[test]
fn a_report_is_made_of_the_record_alone() {
    let ws = committed().env("TZ", "<-03>3");
    let ended = ws.lp("run --no-verdict").success();
    let table = ended.stdout.trim().to_owned();
    git(&ws.root(), &["commit", "--quiet", "--allow-empty", "-m", "two"]);
    ws.write("Lpfile.toml", "[run]\nduration = \"6s\"\n");
    let ws = ws.env("TZ", "UTC");
    assert_eq!(ws.lp("report").success().stdout.trim(), table);
    ws.lp("report -o again").success();
    for file in ["report.json", "report.csv", "report.html"] {
        assert!(ws.read(&format!("again/{file}")) == ws.read(&format!("results/latest/{file}")), "{file}");
    }
}

#[test]
fn another_commit_or_tag_makes_no_record_stale() {
    let ws = committed();
    ws.lp(["run", "--no-verdict", "--tag", "first"]).success();
    ws.lp("build report").success();
    git(&ws.root(), &["commit", "--quiet", "--allow-empty", "-m", "two"]);
    ws.lp("build report").success().stderr_has("nothing to do");
    assert!(ws.read("results/report/lane.csv").contains(",first,"));
}

#[test]
fn the_commit_of_the_project_is_recorded() {
    let ws = committed();
    check(&ws, expect!["HEAD"]);
    // Other files of the folder do not matter, and neither do those beside it.
    ws.write("notes.txt", "x");
    check(&ws, expect!["HEAD"]);
    ws.write("configs/workload_to_pipeline.json", &WORKLOADS.replace("16", "17"));
    check(&ws, expect!["HEAD with changes"]);
    git(&ws.root(), &["commit", "--quiet", "-a", "-m", "two"]);
    check(&ws, expect!["HEAD"]);
    // A config file that is not in git.
    git(&ws.root(), &["rm", "--quiet", "--cached", "configs/workload_to_pipeline.json"]);
    git(&ws.root(), &["commit", "--quiet", "-m", "three"]);
    check(&ws, expect!["HEAD with changes"]);
}

#[test]
fn a_folder_and_a_worktree_of_a_repository_have_its_commit() {
    let ws = project();
    let above = ws.root().parent().unwrap().to_owned();
    git(&above, &["init", "--quiet"]);
    check(&ws, expect!["the git repository has no commit yet"]);
    fs::write(above.join("other.txt"), "").unwrap();
    git(&above, &["add", "other.txt"]);
    git(&above, &["commit", "--quiet", "-m", "one"]);
    // The repository around it has nothing to do with it.
    check(&ws, expect!["the git repository around it does not have its config files"]);
    git(&above, &["add", "p/Lpfile.toml", "p/configs"]);
    git(&above, &["commit", "--quiet", "-m", "two"]);
    fs::write(above.join("other.txt"), "changed").unwrap();
    check(&ws, expect!["HEAD"]);
    git(&above, &["worktree", "add", "--quiet", "tree"]);
    let ws = ws.at(above.join("tree/p"));
    assert!(above.join("tree/.git").is_file());
    check(&ws, expect!["HEAD"]);
    fs::write(above.join("tree/.git"), "gitdir: /nowhere\n").unwrap();
    check(&ws, expect!["the git repository that its `.git` names is not there"]);
}

#[test]
fn a_missing_commit_has_its_reason() {
    check(&project(), expect!["not in a git repository"]);
    let ws = committed().env("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1");
    check(
        &ws,
        expect![
            "the git repository belongs to another user; `git config --global --add safe.directory` allows it"
        ],
    );

    let ws = committed();
    let programs = ws.root().parent().unwrap().join("bin");
    fs::create_dir(&programs).unwrap();
    for name in ["cat", "sed", "tr"] {
        symlink(Path::new("/usr/bin").join(name), programs.join(name)).unwrap();
    }
    let ws = ws.env("PATH", programs.to_str().unwrap());
    check(&ws, expect!["git is not installed"]);
}

#[test]
fn git_starts_and_writes_nothing_in_the_repository() {
    let ws = committed();
    let monitor = ws.path("../monitor");
    fs::write(&monitor, "#!/bin/sh\ntouch \"${0}ed\"\nexit 1\n").unwrap();
    fs::set_permissions(&monitor, fs::Permissions::from_mode(0o755)).unwrap();
    let monitor = fs::canonicalize(&monitor).unwrap();
    git(&ws.root(), &["config", "core.fsmonitor", monitor.to_str().unwrap()]);
    git(&ws.root(), &["status"]);
    let trace = monitor.with_file_name("monitored");
    assert!(trace.exists(), "git starts the monitor by itself");
    fs::remove_file(&trace).unwrap();
    // With a new time the index is out of date, and git would write it.
    let text = ws.read("Lpfile.toml");
    fs::remove_file(ws.path("Lpfile.toml")).unwrap();
    ws.write("Lpfile.toml", &text);
    let index = fs::read(ws.path(".git/index")).unwrap();
    // As in a hook of another repository.
    let ws = ws.env("GIT_DIR", "/nowhere").env("GIT_INDEX_FILE", "/nowhere");
    check(&ws, expect!["HEAD"]);
    assert!(!trace.exists());
    assert!(fs::read(ws.path(".git/index")).unwrap() == index);
}

#[test]
fn files_outside_the_project_have_no_path() {
    let ws = project();
    let elsewhere = ws.root().parent().unwrap().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(ws.path("configs/camera_to_workload.json"), elsewhere.join("mine.json")).unwrap();
    ws.lp("run --no-verdict --cameras ../elsewhere/mine.json").success();
    let known = latest(&ws).provenance.unwrap();
    let files: Vec<_> = known.files.iter().map(|file| (file.path.as_str(), file.outside)).collect();
    assert_eq!(
        files,
        [("Lpfile.toml", false), ("mine.json", true), ("configs/workload_to_pipeline.json", false)]
    );
    assert!(!ws.read("results/latest/record.json").contains(ws.root().to_str().unwrap()));
}

#[test]
fn a_failed_run_has_the_same_head() {
    let ws = till(&[("a", "exit 3", "")]);
    let ws = ws.env("GIT_CEILING_DIRECTORIES", "/tmp");
    let ended = ws.lp(["run", "--tag", "x"]).code(1);
    let record: RunRecord = latest(&ws);
    assert!(record.failures().next().is_some());
    expect![[r#"
        tag         x
        conditions  1s after 0s of warm-up, live pace, a worker per camera, repeat 1
        cameras     1 camera 640x360 at 15 fps over RTSP (H.264)
        steps       script pipelines/a.sh
        project     p, not in a git repository, lp 0.1.0
        config      3 files 32915df76671
    "#]]
    .assert_eq(&head(&ended.stdout));
    let script = record.provenance.unwrap().inputs.into_keys().next().unwrap();
    assert_eq!(script.as_str(), "pipelines/a.sh");
}

#[test]
fn a_tag_is_one_line_of_text() {
    let ws = project();
    for tag in ["", "  ", "two\nlines", "\u{202e}x", &"x".repeat(201)] {
        let ended = ws.lp(["run", "--tag", tag]).code(2);
        assert!(ended.stderr.contains("'--tag <TEXT>': expected "), "{}", ended.stderr);
    }
    assert!(!ws.exists("results"));
}

#[test]
fn no_form_of_a_report_has_a_password_of_the_config() {
    let ws = project().env("LP_SET_RTSP_HOST", "h");
    let table = ws.lp("run --no-verdict").success().stdout;
    assert!(!table.contains("geheim"));
    let folder = ws.path("results/latest");
    let names = ["record.json", "report.json", "report.csv", "report.html", "benchmark/till.json"];
    for name in names.iter().chain(&["benchmark/till.csv"]) {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        assert!(text.contains("motion") && !text.contains("geheim"), "{name}");
    }
    // Another password changes no digest.
    let digest = |ws: &Workspace| latest(ws).provenance.unwrap().config_digest();
    let before = digest(&ws);
    ws.write("configs/camera_to_workload.json", &CAMERAS.replace("geheim", "secret"));
    ws.lp("run --no-verdict").success();
    assert_eq!(digest(&ws), before);
}
