//! User tasks in one graph with the camera tasks, and in included files.

use expect_test::expect;
use serde_json::Value;

use crate::support::{CAMERAS, Workspace};

/// The tasks of `lp graph --json`: label and dependencies.
fn graph(ws: &Workspace, targets: &str) -> Vec<(String, Vec<String>)> {
    let text = ws.lp(&format!("graph --json {targets}")).success().stdout;
    let document: Value = serde_json::from_str(&text).unwrap();
    let tasks = document["tasks"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    tasks
        .map(|task| {
            let dependencies = task["dependencies"].as_array().unwrap().iter().map(text).collect();
            (text(&task["label"]), dependencies)
        })
        .collect()
}

/// The dependencies of one task of `lp graph --json`.
#[track_caller]
fn dependencies(ws: &Workspace, target: &str) -> String {
    let graph = graph(ws, target);
    let (_, dependencies) = graph.iter().find(|(label, _)| label == target).expect("it is in the graph");
    dependencies.join(" ")
}

const CONVERT: &str = r#"
[[task]]
name = "convert"
command = ["sh", "-c", "for x in xml bin; do cat in.onnx > models/object_detection/m/FP16/m.$x; done"]
inputs = ["in.onnx"]
outputs = ["models/object_detection/m/FP16/m.xml", "models/object_detection/m/FP16/m.bin"]
"#;

const DETECT: &str = r#"{
  "workload_pipeline_map": {
    "scan": [{"type": "zbar"}],
    "motion": [{"type": "gvadetect", "model": "m", "precision": "FP16", "device": "CPU"}]
  }
}
"#;

#[test]
fn a_model_that_a_task_converts_comes_before_the_runs_that_need_it() {
    let ws = Workspace::tasks(CONVERT)
        .file("in.onnx", "1")
        .file("configs/camera_to_workload.json", CAMERAS)
        .file("configs/workload_to_pipeline.json", DETECT)
        .without_worker();
    assert_eq!(dependencies(&ws, "run:camera-2"), "transcode:a.mp4@320x180@15 plan:camera-2 task:convert");
    assert_eq!(dependencies(&ws, "run:camera-1"), "transcode:a.mp4@640x360@15 plan:camera-1");
    assert!(dependencies(&ws, "run:lane").contains("task:convert"));
    let order: Vec<String> = graph(&ws, "run:lane").into_iter().map(|(label, _)| label).collect();
    let at = |label: &str| order.iter().position(|found| found == label).unwrap();
    assert!(at("task:convert") < at("run:lane"));
    // A camera as a target is what its run needs.
    assert!(ws.lp("build --dry-run camera-2").success().stderr.contains("task:convert"));
    assert!(!ws.lp("build --dry-run camera-1").success().stderr.contains("task:convert"));
    ws.lp("build convert").success();
    assert_eq!(ws.read("models/object_detection/m/FP16/m.bin"), "1");
}

#[test]
fn a_model_folder_elsewhere_is_one_path_in_both_spellings() {
    let text = format!("[paths]\nmodels = \"weights\"\n{}", CONVERT.replace("models/", "weights/"));
    let ws = Workspace::tasks(&text)
        .file("in.onnx", "1")
        .file("configs/camera_to_workload.json", CAMERAS)
        .file("configs/workload_to_pipeline.json", DETECT)
        .without_worker();
    assert!(dependencies(&ws, "run:camera-2").contains("task:convert"));
    ws.lp("build convert").success();
    assert_eq!(ws.read("weights/object_detection/m/FP16/m.bin"), "1");
}

const SUMMARY: &str = r#"
[[task]]
name = "summary"
command = ["sh", "-c", "grep -c camera_id results/plan.json > results/cameras.txt; grep -c '\"slug\"' results/plan.json >> results/cameras.txt; true"]
inputs = ["results/plan.json"]
outputs = ["results/cameras.txt"]

[[task]]
name = "after-the-run"
command = ["cp", "results/run/lane.json", "copy.json"]
inputs = ["results/run/lane.json"]
outputs = ["copy.json"]
"#;

#[test]
fn a_task_that_reads_the_plan_follows_it_and_one_that_reads_a_record_is_not_built_unasked() {
    let ws = Workspace::cameras();
    ws.write("Lpfile.toml", SUMMARY);
    assert_eq!(dependencies(&ws, "task:summary"), "plan");
    assert_eq!(dependencies(&ws, "task:after-the-run"), "run:lane");
    ws.lp("build -j1 summary").success().stderr(expect![[r#"
        plan:camera-1  new
        plan:camera-2  new
        plan           new
        task:summary   new
        4 tasks ran
    "#]]);
    ws.lp("build summary").success().stderr_has("nothing to do: 4 tasks fresh");
    ws.write("configs/camera_to_workload.json", &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    ws.lp("build -j1 summary").success().stderr(expect![[r#"
        plan:camera-1  stale: `fps` changed from 15 to 30
        plan           stale: `results/plan/camera-1.json` changed
        task:summary   stale: `results/plan.json` changed
        3 tasks ran, 1 fresh
    "#]]);
    // Without targets nothing is measured.
    let wanted = ws.lp("build --dry-run").success().stderr;
    assert!(!wanted.contains("run:lane") && !wanted.contains("after-the-run"), "{wanted}");
    let wanted = ws.lp("build --dry-run after-the-run").success().stderr;
    assert!(wanted.contains("run:lane") && wanted.contains("task:after-the-run"), "{wanted}");
}

#[test]
fn a_clip_that_a_task_makes_is_not_downloaded() {
    let ws = Workspace::cameras();
    ws.write(
        "Lpfile.toml",
        "[[task]]\nname = \"record\"\ncommand = [\"touch\", \"media/a.mp4\"]\noutputs = [\"media/a.mp4\"]\n",
    );
    let ended = ws.lp("graph --json assets").success();
    assert_eq!(ended.stderr, "note: `download:a.mp4` is left out: a task makes `media/a.mp4`\n");
    assert_eq!(dependencies(&ws, "transcode:a.mp4@640x360@15"), "task:record");
}

#[test]
fn tasks_of_included_files_are_in_the_same_graph_and_their_faults_name_their_file() {
    let ws = Workspace::tasks(
        "[project]\ninclude = [\"tasks/*.toml\"]\n[[task]]\nname = \"last\"\ncommand = [\"cp\", \"b\", \"c\"]\ninputs = [\"b\"]\noutputs = [\"c\"]\n",
    )
    .file("tasks/one.toml", "[[task]]\nname = \"one\"\ncommand = [\"cp\", \"a\", \"b\"]\ninputs = [\"a\"]\noutputs = [\"b\"]\n")
    .file("a", "1");
    ws.lp("build").success().stderr(expect![[r#"
        task:one   new
        task:last  new
        2 tasks ran
    "#]]);
    // A further file is found by the pattern.
    ws.write(
        "tasks/two.toml",
        "[[task]]\nname = \"two\"\ncommand = [\"touch\", \"d\"]\nafter = [\"last\"]\noutputs = [\"d\"]\n",
    );
    ws.lp("build").success().stderr(expect![[r#"
        task:two   new
        1 task ran, 2 fresh
    "#]]);
    ws.write("tasks/two.toml", "[[task]]\nname = \"two\"\ncommand = [\"touch\", \"b\"]\noutputs = [\"b\"]\n");
    ws.lp("build").code(2).stderr(expect![[r#"
        error[LP0801]: `task:one` and `task:two` both write `b`
         --> tasks/two.toml:4:12
          |
        4 | outputs = ["b"]
          |            ^^^ again here
          |
         ::: tasks/one.toml:5:12
          |
        5 | outputs = ["b"]
          |            --- `task:one` writes it here
        error: 1 error
    "#]]);
    ws.write("tasks/two.toml", "[[task]]\nname = \"one\"\ncommand = [\"touch\", \"d\"]\noutputs = [\"d\"]\n");
    ws.lp("build").code(2).stderr(expect![[r#"
        error[LP0301]: two tasks have the name `one`
         --> tasks/two.toml:2:8
          |
        2 | name = "one"
          |        ^^^^^ again here
          |
         ::: tasks/one.toml:2:8
          |
        2 | name = "one"
          |        ----- first here
        error: 1 error
    "#]]);
    ws.write("tasks/two.toml", "[pools]\ncpu = 1\n");
    ws.lp("build").code(2).stderr(expect![[r#"
        error[LP0201]: unknown key `pools`
         --> tasks/two.toml:1:2
          |
        1 | [pools]
          |  ^^^^^
          |
          = help: possible here: task
        error: 1 error
    "#]]);
}

#[test]
fn a_task_that_is_not_cached_always_runs_and_what_reads_it_does_not() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "fetch"
command = ["sh", "-c", "echo x >> count; cp source fetched"]
outputs = ["fetched"]
cache = false

[[task]]
name = "use"
command = ["cp", "fetched", "used"]
inputs = ["fetched"]
outputs = ["used"]
"#,
    )
    .file("source", "1");
    ws.lp("build").success().stderr_has("task:fetch  new\n");
    ws.lp("build").success().stderr(expect![[r#"
        task:fetch  stale: it is declared with `cache = false`
        1 task ran, 1 fresh
    "#]]);
    ws.write("source", "2");
    ws.lp("build").success().stderr(expect![[r#"
        task:fetch  stale: it is declared with `cache = false`
        task:use    stale: `fetched` changed
        2 tasks ran
    "#]]);
    assert_eq!((ws.read("used"), ws.read("count").lines().count()), ("2".to_owned(), 3));
}

#[test]
fn reserved_outputs_are_refused_at_their_place() {
    let ws = Workspace::cameras();
    ws.write("tasks/one.toml", "");
    ws.write(
        "Lpfile.toml",
        r#"
[project]
include = ["tasks/*.toml"]
[[task]]
name = "t"
command = ["true"]
outputs = [
  ".lpcache/cas/x",
  ".lpcache",
  "Lpfile.toml",
  "configs",
  "configs/camera_to_workload.json",
  "tasks/one.toml",
  "results",
  "results/plan.json",
  "results/plan/camera-1.json",
  "results/run/mine.json",
  "results/latest",
]
[[task]]
name = "fine"
command = ["true"]
outputs = ["results/mine.html", "results/plans", "configs/x.json", ".lpcachex", "media/a.mp4"]
"#,
    );
    ws.lp("build").code(2).stderr(expect![[r#"
        error[LP0210]: no task may write `.lpcache/cas/x`
         --> Lpfile.toml:8:3
          |
        8 |   ".lpcache/cas/x",
          |   ^^^^^^^^^^^^^^^^ `lp` keeps its store in `.lpcache`

        error[LP0210]: no task may write `.lpcache`
         --> Lpfile.toml:9:3
          |
        9 |   ".lpcache",
          |   ^^^^^^^^^^ `lp` keeps its store in `.lpcache`

        error[LP0210]: no task may write `Lpfile.toml`
          --> Lpfile.toml:10:3
           |
        10 |   "Lpfile.toml",
           |   ^^^^^^^^^^^^^ a config file is there

        error[LP0210]: no task may write `configs`
          --> Lpfile.toml:11:3
           |
        11 |   "configs",
           |   ^^^^^^^^^ a config file is there

        error[LP0210]: no task may write `configs/camera_to_workload.json`
          --> Lpfile.toml:12:3
           |
        12 |   "configs/camera_to_workload.json",
           |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a config file is there

        error[LP0210]: no task may write `tasks/one.toml`
          --> Lpfile.toml:13:3
           |
        13 |   "tasks/one.toml",
           |   ^^^^^^^^^^^^^^^^ a config file is there

        error[LP0210]: no task may write `results`
          --> Lpfile.toml:14:3
           |
        14 |   "results",
           |   ^^^^^^^^^ `lp` itself writes there

        error[LP0210]: no task may write `results/plan.json`
          --> Lpfile.toml:15:3
           |
        15 |   "results/plan.json",
           |   ^^^^^^^^^^^^^^^^^^^ `lp` itself writes there

        error[LP0210]: no task may write `results/plan/camera-1.json`
          --> Lpfile.toml:16:3
           |
        16 |   "results/plan/camera-1.json",
           |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `lp` itself writes there

        error[LP0210]: no task may write `results/run/mine.json`
          --> Lpfile.toml:17:3
           |
        17 |   "results/run/mine.json",
           |   ^^^^^^^^^^^^^^^^^^^^^^^ `lp` itself writes there

        error[LP0210]: no task may write `results/latest`
          --> Lpfile.toml:18:3
           |
        18 |   "results/latest",
           |   ^^^^^^^^^^^^^^^^ `lp` itself writes there
        error: 11 errors
    "#]]);
    ws.write(
        "Lpfile.toml",
        "[paths]\nresults = \"out\"\n[[task]]\nname = \"t\"\ncommand = [\"true\"]\noutputs = [\"out/plan.json\", \"out/x\"]\n",
    );
    ws.lp("build").code(2).stderr(expect![[r#"
        error[LP0210]: no task may write `results/plan.json`
         --> Lpfile.toml:6:12
          |
        6 | outputs = ["out/plan.json", "out/x"]
          |            ^^^^^^^^^^^^^^^ `lp` itself writes there
        error: 1 error
    "#]]);
}
