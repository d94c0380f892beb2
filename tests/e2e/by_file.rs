//! Targets that are named by their files.

use expect_test::expect;

use crate::support::{COPY_JOIN, Workspace};

const FOLDER: &str = r#"
[[task]]
name = "twice"
command = ["sh", "-c", "mkdir -p out/sub; cp b.txt out/sub/x; cp b.txt out/b.txt"]
inputs = ["b.txt"]
outputs = ["out"]

[[task]]
name = "other"
command = ["cp", "b.txt", "out2/c.txt"]
inputs = ["b.txt"]
outputs = ["out2/c.txt"]
"#;

fn project() -> Workspace {
    Workspace::cameras().file("Lpfile.toml", &format!("{COPY_JOIN}{FOLDER}")).file("a.txt", "a")
}

#[test]
fn a_file_names_the_task_that_makes_it() {
    let ws = project();
    ws.lp("build b.txt").success().stderr(expect![[r#"
        task:copy  new
        1 task ran
    "#]]);
    ws.lp("build -n ./out2/../b.txt").success().stderr_has("nothing to do: 1 task fresh");
    // A file in a folder that a task makes, from another folder and absolute.
    let below = ws.path("configs");
    let below = below.to_str().unwrap();
    ws.lp(["-C", below, "build", "-n", "../out/sub/x"]).success().stderr_has("task:twice");
    ws.lp(["-C", below, "build", "-n", "out/sub/x"]).success().stderr_has("task:twice");
    ws.lp(["build", "-n", ws.path("out/b.txt").to_str().unwrap()]).success().stderr_has("task:twice");
    // The same words mean other files in other folders.
    let ws = ws.file("configs/b.txt", "");
    ws.lp(["-C", below, "build", "b.txt"]).success().stderr_has("nothing to do");
}

#[test]
fn a_file_name_alone_is_enough_if_it_is_unique() {
    let ws = project();
    ws.lp("explain summary.json").success().stdout_has("`plan`");
    ws.lp("graph --deps a-320x180-15.mp4").success().stdout(expect![[r#"
        download:a.mp4
    "#]]);
    ws.lp("graph --deps camera-2.json").code(2).stderr(expect![[r#"
        error: there is no target `camera-2.json`
          hint: several files have this name: `results/plan/camera-2.json`, `results/benchmark/lane/camera-2.json`
    "#]]);
    ws.lp("graph --path a.mp4 report").success().stdout_has("of `download:a.mp4`");
    ws.lp("graph results/report/camera-1.html --json").success().stdout_has("run:camera-1");
    ws.lp("build -n media/clips/*.mp4").success();
}

#[test]
fn an_unknown_file_is_refused_with_what_would_be_right() {
    project().lp("build resluts/plan.json a.txt b.tx zzz").code(2).stderr(expect![[r#"
        error: there is no target `resluts/plan.json`
          hint: did you mean `results/plan.json`?
        error: there is no target `a.txt`
          hint: no task makes `a.txt`, but `task:copy` reads it
        error: there is no target `b.tx`
          hint: did you mean `b.txt`?
        error: there is no target `zzz`
          hint: `lp list targets` lists them
    "#]]);
}
