//! What a task reads is in its key, and stands still while it runs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use expect_test::{Expect, expect};

use crate::support::{Ended, Workspace};

/// A project whose task reads `in` and writes `out` by a shell.
fn with(shell: &str) -> Workspace {
    Workspace::tasks(&task(shell, "in")).file("real", "A\n")
}

/// A task that reads `input` and writes `out` by a shell.
fn task(shell: &str, input: &str) -> String {
    format!(
        "[[task]]\nname = \"t\"\ncommand = [\"sh\", \"-c\", '''{shell}''']\ninputs = [\"{input}\"]\noutputs = [\"out\"]\n"
    )
}

/// Dates a file back, so that whatever is written from now on shows in its time.
fn age(ws: &Workspace, path: &str) {
    let file = fs::File::open(ws.path(path)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

/// The task does `change` while it runs, the first time only, and then reads B.
#[track_caller]
fn changes_once(make: &str, change: &str, expect: Expect) {
    let ws = with(&format!(
        "[ -e done ] || {{ touch done; {change}; }}; cat $(find -L in -type f | sort) >out; {}",
        {
            // It read B the first time, and A is back when it ends.
            "[ -e twice ] || { touch twice; echo B >out; }"
        }
    ));
    let made = std::process::Command::new("sh").args(["-c", make]).current_dir(ws.root()).status().unwrap();
    assert!(made.success());
    age(&ws, "real");
    ws.lp("build").success().stderr(expect);
    assert_eq!(ws.read("out"), "A\n", "{change}");
    ws.lp("build").success().stderr_has("nothing to do");
}

#[test]
fn an_input_that_changes_and_changes_back_is_read_again() {
    let note = || {
        expect![[r#"
        task:t  new
        task:t: input `in` was written while the task ran, but reads as before; once more
        1 task ran
    "#]]
    };
    // A file, one in a folder, and what a link leads to.
    changes_once("ln real in", "echo B >in; echo A >in", note());
    changes_once("mkdir in; mv real in/f; ln -s in/f real", "echo B >in/f; echo A >in/f", note());
    changes_once("ln -s real in", "echo B >real; echo A >real", note());
    changes_once("mkdir in; ln -s ../real in/link", "echo B >real; echo A >real", note());
    // Another file in its place for a while, and a link that leads elsewhere.
    changes_once("cp real in", "mv in away; echo B >in; mv away in", note());
    changes_once("cp real in; ln in other", "mv in away; echo B >in; mv away in", note());
    changes_once("cp real in", "cp -p in away; echo B >in; cp -p away in", note());
    changes_once("mkdir in; ln -s ../real in/link", "ln -sf ../else in/link; ln -sf ../real in/link", note());
    changes_once("mkdir in; mv real in/f; ln -s in/f real", "mv in away; mkdir in; cp away/f in/f", note());
}

#[test]
fn a_folder_or_link_on_the_way_that_leads_elsewhere_for_a_while_shows() {
    let note = || {
        expect![[r#"
        task:t  new
        task:t: input `in` was written while the task ran, but reads as before; once more
        1 task ran
    "#]]
    };
    // The input folder, one in it, one around the input and links in a row.
    let swap = |folder: &str| format!("mv {folder} away; mkdir {folder}; rm -r {folder}; mv away {folder}");
    changes_once("mkdir in; mv real in/f; ln -s in/f real", &swap("in"), note());
    changes_once("mkdir -p in/sub; mv real in/sub/f; ln -s in/sub/f real", &swap("in/sub"), note());
    let linked = "mkdir v1; mv real v1/f; ln -s v1 cur; ln -s cur latest; ln -s latest/f real";
    for input in ["ln -s latest/f in", "mkdir in; ln -s ../latest/f in/f", "mkdir in; ln -s ../latest in/sub"]
    {
        let make = format!("{linked}; {input}");
        changes_once(&make, &swap("v1"), note());
        changes_once(&make, "ln -sfn v2 cur; ln -sfn v1 cur", note());
    }
}

#[test]
fn work_beside_an_input_is_no_change_of_it() {
    let ws = Workspace::empty().file("cur/in", "A\n").file("v1/in", "A\n");
    symlink("v1", ws.path("latest")).unwrap();
    let build = |shell: &str, input: &str| {
        ws.write("Lpfile.toml", &task(shell, input));
        ws.lp("build").success()
    };
    for folder in ["cur", "latest"] {
        let beside = format!("touch {folder}/x; mkdir {folder}/y; rm -r {folder}/x; cp {folder}/in out");
        let ended = build(&beside, &format!("{folder}/in"));
        assert!(!ended.stderr.contains("once more"), "{}", ended.stderr);
        fs::remove_dir(ws.path(&format!("{folder}/y"))).unwrap();
        let swap =
            format!("mv {folder} away; mkdir {folder}; rm -r {folder}; mv away {folder}; cp {folder}/in out");
        build(&swap, &format!("{folder}/in")).stderr_has("once more");
    }
}

#[test]
fn an_input_that_is_written_each_time_makes_a_result_that_answers_for_no_later_build() {
    // It reads B each time; what looks the same is a task that writes its input as it is.
    for (shell, out) in [("echo B >in; cp in out; echo A >in", "B\n"), ("sed -i s/x/y/ in; cp in out", "A\n")]
    {
        let ws = with(shell).file("in", "A\n");
        age(&ws, "in");
        ws.lp("build").success().stderr(expect![[r#"
            task:t  new
            task:t: input `in` was written while the task ran, but reads as before; once more
            task:t: input `in` was written again, perhaps by the task itself: its result is not kept for later builds; a task that writes a copy of `in` instead has one that is
            1 task ran
        "#]]);
        assert_eq!(ws.read("out"), out);
        ws.lp("explain task:t").success().stdout_has("an input was written while it ran last");
        // It was not what it read; nobody is told that it is.
        fs::remove_file(ws.path("out")).unwrap();
        ws.lp("build").success().stderr_has("task:t  stale: an input was written while it ran last");
        assert_eq!(ws.read("out"), out);
        // What was once made of a quiet input is believed again.
        let quiet = ws.read("Lpfile.toml").replace(shell, "cp in out");
        ws.write("Lpfile.toml", &quiet);
        ws.lp("build").success().stderr_has("1 task ran");
        assert_eq!(ws.read("out"), "A\n");
        ws.lp("build").success().stderr_has("nothing to do");
    }
}

#[test]
fn a_task_may_make_its_inputs_executable() {
    let ws = with("chmod +x in; ./in >out").file("in", "#!/bin/sh\necho A\n");
    fs::set_permissions(ws.path("in"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    age(&ws, "in");
    ws.lp("build").success();
    assert_eq!(ws.read("out"), "A\n");
    ws.lp("build").success().stderr_has("nothing to do");
}

#[test]
fn other_names_of_an_input_may_come_and_go() {
    for shell in ["ln in name; cp in out", "rm backup; cp in out"] {
        let ws = with(shell).file("in", "A\n");
        fs::hard_link(ws.path("in"), ws.path("backup")).unwrap();
        ws.lp("build").success().stderr(expect![[r#"
            task:t  new
            1 task ran
        "#]]);
        ws.lp("build").success().stderr_has("nothing to do");
    }
}

#[test]
fn restoring_what_shares_an_inode_with_an_input_is_no_change_of_it() {
    let mut text = String::from(
        "[[task]]\nname = \"read\"\ncommand = [\"sh\", \"-c\", '''until [ -e o1 -a -e o2 -a -e o3 ]; do sleep 0.01; done; cmp o0 large && echo A >out''']\ninputs = [\"o0\", \"flag\"]\noutputs = [\"out\"]\n",
    );
    for n in 0..4 {
        text += &format!(
            "[[task]]\nname = \"o{n}\"\ncommand = [\"cp\", \"large\", \"o{n}\"]\ninputs = [\"large\"]\noutputs = [\"o{n}\"]\n"
        );
    }
    let ws = Workspace::tasks(&text).file("large", &"x".repeat(2 << 20)).file("flag", "1");
    ws.lp("build -j 4").success();
    for n in 0..4 {
        fs::remove_file(ws.path(&format!("o{n}"))).unwrap();
    }
    ws.lp("build task:o0").success();
    ws.write("flag", "2");
    // It begins while three more names of what it reads are made.
    let ended = ws.lp("build -j 4").success();
    assert!(!ended.stderr.contains("once more"), "{}", ended.stderr);
    ended.stderr_has("1 task ran");
}

#[test]
fn link_targets_of_an_input_folder_are_in_the_key() {
    let ws = with("cat in/link in/far/deep/file in/x in/gone 2>/dev/null >out; true");
    fs::create_dir_all(ws.path("in")).unwrap();
    fs::create_dir_all(ws.path("far/deep")).unwrap();
    ws.write("far/deep/file", "1\n");
    for (target, link) in [
        ("../real", "in/link"),
        ("../far", "in/far"),
        ("../../in", "far/back"),
        ("nowhere", "in/gone"),
        ("loop", "in/loop"),
        ("..", "in/up"),
    ] {
        symlink(target, ws.path(link)).unwrap();
    }
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x"), "2\n").unwrap();
    symlink(outside.path().join("x"), ws.path("in/x")).unwrap();
    let changed = "task:t  stale: `in` changed";
    ws.lp("build").success();
    ws.lp("build").success().stderr_has("nothing to do");
    ws.write("real", "AA\n");
    ws.lp("build").success().stderr_has(changed);
    ws.write("far/deep/file", "11\n");
    ws.lp("build").success().stderr_has(changed);
    fs::write(outside.path().join("x"), "22\n").unwrap();
    ws.lp("build").success().stderr_has(changed);
    ws.write("in/nowhere", "3\n");
    ws.lp("build").success().stderr_has(changed);
    for text in ["AA", "11", "22", "3"] {
        assert!(ws.read("out").contains(text), "{text}");
    }
    // What only the way back leads to is no part of it.
    ws.write("other", "4\n");
    ws.lp("build").success().stderr_has("nothing to do");
}

#[test]
fn the_program_of_a_task_is_an_input_if_it_lies_in_the_project() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "make"
command = ["sh", "-c", "{ echo '#!/bin/sh'; cat text; } >tools/gen; chmod +x tools/gen"]
inputs = ["text"]
outputs = ["tools/gen"]
[[task]]
name = "run"
command = ["./tools/gen"]
outputs = ["out"]
"#,
    );
    ws.write("text", "echo A >out\n");
    ws.lp("build").success().stderr(expect![[r#"
        task:make  new
        task:run   new
        2 tasks ran
    "#]]);
    ws.write("text", "echo B >out\n");
    ws.lp("build").success().stderr(expect![[r#"
        task:make  stale: `text` changed
        task:run   stale: `tools/gen` changed
        2 tasks ran
    "#]]);
    assert_eq!(ws.read("out"), "B\n");
    // Said once, also as a part of an input folder and by its whole path.
    let program = ws.path("tools/gen").to_str().unwrap().to_owned();
    ws.write("tools/gen", "#!/bin/sh\necho C >out\n");
    let own = format!("[[task]]\nname = \"run\"\ncommand = [{program:?}]\noutputs = [\"out\"]\n");
    ws.write("Lpfile.toml", &own);
    ws.lp("build").success().stderr_has("task:run  stale: ");
    ws.write("tools/gen", "#!/bin/sh\necho D >out\n");
    ws.lp("build").success().stderr_has("task:run  stale: `tools/gen` changed");
    fs::remove_file(&program).unwrap();
    ws.lp("build").code(2).stderr_has("`tools/gen` does not exist, and `task:run` reads it");
}

/// `lp build` with a variable of these bytes.
fn build_with(ws: &Workspace, name: &str, value: &[u8]) -> Ended {
    let mut command = ws.command(&["build"]);
    Ended::new(command.env(name, OsStr::from_bytes(value)).output().unwrap(), &ws.root())
}

#[test]
fn a_variable_that_is_not_utf8_is_passed_on_as_it_is() {
    let ws = with("printf %s \"$X\" >out").file("in", "");
    ws.write("Lpfile.toml", &format!("{}pass = [\"X\"]\n", ws.read("Lpfile.toml")));
    build_with(&ws, "X", b"caf\xe9").success();
    assert_eq!(fs::read(ws.path("out")).unwrap(), b"caf\xe9");
    build_with(&ws, "X", b"caf\xe9").success().stderr_has("nothing to do");
    build_with(&ws, "X", b"caf\xe8").success().stderr_has("task:t  stale: `X` changed from");
    assert_eq!(fs::read(ws.path("out")).unwrap(), b"caf\xe8");
    ws.lp("build").success().stderr_has("task:t  stale: ");
    assert_eq!(ws.read("out"), "");
}

#[test]
fn a_setting_that_is_not_utf8_is_refused_by_its_name() {
    let ws = with("cp in out").file("in", "");
    ws.lp("build").success();
    for name in ["LP_SET_RUN_DURATION", "LP_PROFILE"] {
        let text = format!("error: the variable `{name}` is not UTF-8");
        build_with(&ws, name, b"caf\xe9").code(2).stderr_has(&text);
    }
}

#[test]
fn a_password_that_is_not_utf8_is_named_before_anything_runs() {
    let camera = r#"{"lane_config": {"cameras": [{"camera_id": "a", "streamUri": "rtsp://user:${PW}@h/1", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}]}}"#;
    let ws = Workspace::tasks("")
        .file("configs/camera_to_workload.json", camera)
        .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "zbar"}]}}"#);
    let mut command = ws.command(&["run"]);
    let ended = Ended::new(command.env("PW", OsStr::from_bytes(b"caf\xe9")).output().unwrap(), &ws.root());
    ended.code(2).stderr_has("needs the environment variable `PW`, whose value is not UTF-8");
}
