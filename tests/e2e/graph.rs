//! `lp graph`, `lp explain`, `lp cache`: looking without touching.

use std::io::Write;
use std::process::{Command, Stdio};

use expect_test::expect;

use crate::support::{CAMERAS, Workspace};

#[test]
fn graphviz_accepts_the_graph_and_states_are_shown() {
    let ws = Workspace::cameras();
    ws.lp("build plan:camera-1").success();
    let dot = ws.lp("graph --dot").success().stdout;
    assert!(dot.contains(r##""plan:camera-1" [fillcolor="#d9ead3", tooltip="fresh"];"##), "{dot}");
    assert!(dot.contains(r##""plan:camera-2" [fillcolor="#cfe2f3", tooltip="new"];"##), "{dot}");
    assert!(dot.contains(r#""plan:camera-1" -> "plan";"#), "{dot}");
    let mut graphviz = Command::new("dot")
        .arg("-Tsvg")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("`scripts/setup test` installs graphviz");
    graphviz.stdin.take().unwrap().write_all(dot.as_bytes()).unwrap();
    let output = graphviz.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("<svg"));
}

#[test]
fn looking_makes_no_store() {
    let ws = Workspace::cameras();
    for command in ["graph", "graph --json", "show", "explain plan", "cache show", "check"] {
        ws.lp(command).success();
    }
    assert!(!ws.exists(".lpcache"));
}

#[test]
fn a_target_is_explained_down_to_the_value_that_changed() {
    let ws = Workspace::cameras();
    ws.lp("explain plan:camera-1").success().stdout(expect![[r#"
        `plan:camera-1` is new: it has never run (configs/camera_to_workload.json:4:7)
    "#]]);
    ws.lp("build plan").success();
    ws.lp("explain plan").success().stdout(expect![[r#"
        `plan` is fresh
    "#]]);
    ws.write("configs/camera_to_workload.json", &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    ws.lp("explain plan").success().stdout(expect![[r#"
        `plan` is stale because `plan:camera-1` is stale: `fps` changed from 15 to 30 (configs/camera_to_workload.json:4:114)
    "#]]);
}

#[test]
fn the_store_shows_what_was_hashed_and_forgets_on_demand() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    let shown = ws.lp("cache show plan:camera-1").success().stdout;
    assert!(shown.contains("\"fps\": 15"), "{shown}");
    assert!(shown.contains("results/plan/camera-1.json"), "{shown}");
    ws.lp("cache show plan:camera-9").code(2).stderr_has("did you mean");
    ws.lp("cache clean").success().stderr_has("deleted 3 attempts");
    ws.lp("build plan").success().stderr_has("3 tasks ran");
}

const CHAIN: &str = r#"
[[task]]
name = "copy"
command = ["cp", "a.txt", "b.txt"]
inputs = ["a.txt"]
outputs = ["b.txt"]

[[task]]
name = "join"
command = ["sh", "-c", "mkdir -p out && cat b.txt b.txt > out/c.txt"]
inputs = ["b.txt"]
outputs = ["out"]

[[task]]
name = "last"
command = ["cp", "out/c.txt", "e.txt"]
inputs = ["out/c.txt"]
outputs = ["e.txt"]

[[task]]
name = "tell"
command = ["true"]
after = ["last"]

[[task]]
name = "alone"
command = ["true"]
"#;

#[test]
fn dependencies_and_dependents_are_plain_labels() {
    let ws = Workspace::tasks(CHAIN);
    for (arguments, labels) in [
        ("--deps last", "task:copy\ntask:join\n"),
        ("--deps tell --depth 1", "task:last\n"),
        ("--deps tell --depth 2", "task:join\ntask:last\n"),
        ("--deps alone", ""),
        ("--rdeps task:copy", "task:join\ntask:last\ntask:tell\n"),
        ("--rdeps copy --depth 1", "task:join\n"),
        ("--rdeps tell", ""),
        ("--deps tell --deps alone --depth 1", "task:last\n"),
    ] {
        assert_eq!(ws.lp(&format!("graph {arguments}")).success().stdout, labels, "{arguments}");
    }
    let ws = Workspace::cameras();
    ws.lp("graph --rdeps plan:camera-1 --depth 1").success().stdout(expect![[r#"
        plan
        run:lane
        density:lane
    "#]]);
    ws.lp("graph --deps camera-1 --depth 1").success().stdout(expect![[r#"
        download:a.mp4
    "#]]);
    assert!(!ws.exists(".lpcache"));
}

#[test]
fn the_way_between_two_tasks_says_what_makes_each_step() {
    let ws = Workspace::tasks(CHAIN);
    let way = "`task:tell` comes after `task:last`\n\
               `task:last` reads `out/c.txt` of `task:join`\n\
               `task:join` reads `b.txt` of `task:copy`\n";
    for arguments in ["tell copy", "copy tell"] {
        assert_eq!(ws.lp(&format!("graph --path {arguments}")).success().stdout, way, "{arguments}");
    }
    let ended = ws.lp("graph --path copy alone").code(1);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr, "neither of `copy` and `alone` needs the other\n");
    ws.lp("graph --path copy copy").success().stdout(expect![[r#"
        `task:copy` is one task
    "#]]);
}

#[test]
fn documents_hold_only_what_was_asked_for() {
    let ws = Workspace::tasks(CHAIN).file("a.txt", "x");
    let labels = |arguments: &str| -> Vec<String> {
        let ended = ws.lp(&format!("graph --json {arguments}")).success();
        let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        let tasks = document["tasks"].as_array().unwrap();
        tasks.iter().map(|task| task["label"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(labels("--deps last"), ["task:copy", "task:join", "task:last"]);
    assert_eq!(labels("--rdeps last"), ["task:last", "task:tell"]);
    assert_eq!(labels("--path tell join"), ["task:join", "task:last", "task:tell"]);
    let dot = ws.lp("graph --dot --path last copy").success().stdout;
    assert!(dot.contains("\"task:join\" -> \"task:last\";") && !dot.contains("task:tell"), "{dot}");
}

#[test]
fn unknown_names_and_flags_that_contradict_each_other_are_refused() {
    let ws = Workspace::tasks(CHAIN);
    for arguments in ["--deps lats", "--rdeps lats", "--path lats copy", "--path copy lats"] {
        let ended = ws.lp(&format!("graph {arguments}")).code(2);
        assert!(
            ended.stderr.contains("error: there is no target `lats`\n  hint: did you mean `last`?"),
            "{}",
            ended.stderr
        );
    }
    for arguments in ["--deps last --rdeps last", "last --deps last", "--path copy", "--depth 1 last"] {
        ws.lp(&format!("graph {arguments}")).code(2);
    }
}
