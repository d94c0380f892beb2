//! What a task reads is in its key, and stands still while it runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use expect_test::{Expect, expect};

use crate::support::Workspace;

/// A project whose task reads `in` and writes `out` by a shell.
fn with(shell: &str) -> Workspace {
    let ws = Workspace::tasks(&format!(
        "[[task]]\nname = \"t\"\ncommand = [\"sh\", \"-c\", '''{shell}''']\ninputs = [\"in\"]\noutputs = [\"out\"]\n"
    ));
    ws.file("real", "A\n")
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
fn what_changes_and_changes_back_while_a_task_runs_is_read_once_more() {
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
    changes_once("cp real in", "cp -p in away; echo B >in; cp -p away in", note());
    changes_once("mkdir in; ln -s ../real in/link", "ln -sf ../else in/link; ln -sf ../real in/link", note());
    changes_once("mkdir in; mv real in/f; ln -s in/f real", "mv in away; mkdir in; cp away/f in/f", note());
}

#[test]
fn an_input_that_is_written_each_time_is_no_input_to_rely_on() {
    let ws = with("echo B >in; cp in out; echo A >in").file("in", "A\n");
    age(&ws, "in");
    ws.lp("build").code(1).stderr(expect![[r#"
        task:t  new
        task:t: input `in` was written while the task ran, but reads as before; once more
        error: `task:t` failed
          caused by: input `in` was written while the task ran, each time that it ran, though it reads as before
        0 tasks ran, 1 failed
    "#]]);
    assert!(!ws.exists("out"));
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
    let ws = with("ln in name; rm name; cp in out").file("in", "A\n");
    fs::hard_link(ws.path("in"), ws.path("backup")).unwrap();
    ws.lp("build").success().stderr(expect![[r#"
        task:t  new
        1 task ran
    "#]]);
}

#[test]
fn what_is_read_through_a_link_in_an_input_folder_is_in_the_key() {
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
