//! `lp list`: names for other commands, and the runs of a store.

use expect_test::expect;
use serde_json::Value;

use crate::scripts::{STEADY, till};
use crate::support::{COPY_JOIN, Workspace};

fn project() -> Workspace {
    let lpfile = format!("{COPY_JOIN}\n[profile.twice.run]\ncount = 2\nduration = \"5s\"\n");
    let ws = Workspace::cameras().file("Lpfile.toml", &lpfile).file("a.txt", "a");
    let cameras = crate::support::CAMERAS.replace("camera-2", "Kasse 2").replacen(
        "\"fileSrc\": \"a.mp4|http://127.0.0.1:9/a.mp4\"",
        "\"streamUri\": \"rtsp://h/1\"",
        1,
    );
    ws.file("configs/camera_to_workload.json", &cameras)
}

#[test]
fn a_project_has_a_line_for_each_kind() {
    project().lp("list").success().stdout(expect![[r#"
        cameras    2: camera-1, Kasse 2 (Kasse_2)
        workloads  2: scan, motion
        profiles   1: twice
        tasks      2: copy, join
        targets    12: download:a.mp4, transcode:a.mp4@320x180@15, plan:camera-1, plan:Kasse_2, plan, task:copy, ...
        runs       none: measure with `lp run`

        more: lp list cameras|workloads|profiles|tasks|targets|runs
    "#]]);
}

#[test]
fn each_kind_has_a_table() {
    let ws = project();
    ws.lp("list cameras").success().stdout(expect![[r#"
        camera             source           frames   fps  workloads
        camera-1           rtsp rtsp://h/1  640x360   15  scan
        Kasse 2 (Kasse_2)  file a.mp4       320x180   15  scan, motion
    "#]]);
    ws.lp("list workloads").success().stdout(expect![[r#"
        workload  steps        cameras
        scan      zbar         camera-1, Kasse 2
        motion    motioncells  Kasse 2
    "#]]);
    ws.lp("list profiles").success().stdout(expect![[r#"
        profile  settings
        twice    run.count = 2
                 run.duration = "5s"
    "#]]);
    ws.lp("list tasks").success().stdout(expect![[r#"
        task  makes  command
        copy  b.txt  cp a.txt b.txt
        join  c.txt  sh -c 'cat b.txt b.txt > c.txt'
    "#]]);
    ws.lp("ls targets")
        .success()
        .stdout(expect![[r#"
            target                      makes
            download:a.mp4              media/a.mp4
            transcode:a.mp4@320x180@15  media/clips/a-320x180-15.mp4
                                        media/clips/a-320x180-15.json
            plan:camera-1               results/plan/camera-1.json
            plan:Kasse_2                results/plan/Kasse_2.json
            plan                        results/plan.json
                                        results/summary.json
            task:copy                   b.txt
            task:join                   c.txt
            run:lane                    results/run/lane.json
            density:lane                results/density/lane.json
            benchmark:lane/camera-1     results/benchmark/lane/camera-1.json
                                        results/benchmark/lane/camera-1.csv
            benchmark:lane/Kasse_2      results/benchmark/lane/Kasse_2.json
                                        results/benchmark/lane/Kasse_2.csv
            report                      results/report/lane.json
                                        results/report/lane.csv
                                        results/report/lane.html
        "#]])
        .stderr(expect![[r#"
        also: `assets` (all clips), a camera (what it plays), a file that a task makes, a pattern
    "#]]);
    ws.lp("list runs").success().stdout(expect![""]).stderr(expect![[r#"
        runs: none: measure with `lp run`
    "#]]);
    ws.lp("list camera").code(2).stderr_has("a similar value exists: 'cameras'");
}

#[test]
fn a_document_has_every_list_or_the_one_that_was_asked_for() {
    let ws = project();
    let fetch =
        "[[task]]\nname = \"get\"\ncommand = [\"curl\", \"http://bob:secret@h/x\"]\noutputs = [\"x\"]\n";
    let ws = ws.file("more.toml", fetch);
    let lpfile = format!("[project]\ninclude = [\"more.toml\"]\n{}", ws.read("Lpfile.toml"));
    let ws = ws.file("Lpfile.toml", &lpfile);
    let all = ws.lp("list --json").success().stdout;
    assert!(!all.contains("secret"), "{all}");
    let all: Value = serde_json::from_str(&all).unwrap();
    let keys: Vec<&str> = all.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["cameras", "profiles", "runs", "targets", "tasks", "version", "workloads"]);
    assert_eq!(all["cameras"][0]["source"]["name"], "rtsp://h/1");
    assert_eq!(all["cameras"][1]["slug"], "Kasse_2");
    assert_eq!(all["profiles"][0]["settings"]["run.count"], 2);
    assert_eq!(all["tasks"][2]["command"][1], "http://***@h/x");
    assert_eq!(all["tasks"][1]["outputs"][0], "c.txt");
    assert_eq!(all["workloads"][0]["cameras"], serde_json::json!(["camera-1", "Kasse 2"]));
    let one: Value = serde_json::from_str(&ws.lp("list targets --json").success().stdout).unwrap();
    assert_eq!(one.as_object().unwrap().len(), 2);
    assert!(one["targets"].as_array().unwrap().contains(&serde_json::json!(
        { "target": "task:copy", "outputs": ["b.txt"], "measures": false }
    )));
}

#[test]
fn runs_are_listed_with_their_verdicts_and_a_damaged_one_with_the_reason() {
    let ws = till(&[("a", STEADY, "")]);
    ws.lp("run --no-verdict --duration 1s").success();
    ws.lp("run --no-verdict till").success();
    let lines = |ended: crate::support::Ended| {
        let lines = ended.success().stdout;
        lines
            .lines()
            .skip(1)
            .map(|line| line.split_once("  ").unwrap().1.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let listed = lines(ws.lp("list runs"));
    assert!(listed[0].starts_with("till ") && listed[1].starts_with("lane "), "{listed:?}");
    assert!(listed[0].contains("of 1 camera"), "{listed:?}");
    ws.lp("list").success().stdout_has("runs       2; the newest: 20").stdout_has(" of till: ");

    // A config with errors does not matter, and neither does the folder of results.
    std::fs::remove_dir_all(ws.path("results")).unwrap();
    let ws = ws.file("Lpfile.toml", "x = ");
    assert_eq!(lines(ws.lp("list runs")), listed);

    let runs: Value = serde_json::from_str(&ws.lp("list runs --json").success().stdout).unwrap();
    assert_eq!(runs["runs"][0]["subject"], "till");
    assert_eq!(runs["runs"][1]["duration_ms"], 1000);
    let shown = ws.lp(["cache", "show", runs["runs"][1]["run"].as_str().unwrap()]).success().stdout;
    let output = shown.lines().find_map(|line| line.trim().strip_prefix("output    ")).unwrap();
    let content = output.split(' ').next().unwrap();
    let blobs = std::process::Command::new("find")
        .args([
            ws.path(".lpcache").to_str().unwrap(),
            "-name",
            &format!("*{}*", &content[content.len() - 20..]),
        ])
        .output()
        .unwrap();
    let blob = String::from_utf8(blobs.stdout).unwrap();
    std::fs::remove_file(blob.trim()).unwrap();
    let damaged = lines(ws.lp("list runs"));
    assert_eq!(damaged[0], listed[0]);
    assert!(damaged[1].contains("unreadable: the store has lost the record of `run:lane`"), "{damaged:?}");
}
