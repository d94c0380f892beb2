//! User tasks.

use expect_test::expect;

use crate::support::{COPY_JOIN, Workspace};

#[test]
fn edges_come_from_paths_and_content_decides() {
    let ws = Workspace::tasks(COPY_JOIN).file("a.txt", "x\n");
    ws.lp("build").success().stderr(expect![[r#"
        task:copy  new
        task:join  new
        2 tasks ran
    "#]]);
    assert_eq!(ws.read("c.txt"), "x\nx\n");
    ws.write("a.txt", "y\n");
    ws.lp("build").success().stderr(expect![[r#"
        task:copy  stale: `a.txt` changed
        task:join  stale: `b.txt` changed
        2 tasks ran
    "#]]);
    assert_eq!(ws.read("c.txt"), "y\ny\n");
}

#[test]
fn an_identical_output_stops_the_rebuild() {
    let text =
        COPY_JOIN.replace("[\"cp\", \"a.txt\", \"b.txt\"]", "[\"sh\", \"-c\", \"head -n 1 a.txt > b.txt\"]");
    let ws = Workspace::tasks(&text).file("a.txt", "x\n1\n");
    ws.lp("build").success();
    ws.write("a.txt", "x\n2\n");
    ws.lp("build").success().stderr(expect![[r#"
        task:copy  stale: `a.txt` changed
        1 task ran, 1 fresh
    "#]]);
}

#[test]
fn a_failed_task_shows_its_output_last_and_is_never_reused() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "bad"
command = ["sh", "-c", "echo out; echo err >&2; echo half > x.txt; exit 3"]
outputs = ["x.txt"]

[[task]]
name = "after"
command = ["true"]
inputs = ["x.txt"]
"#,
    );
    for reason in ["new", "stale: the last attempt failed"] {
        let ended = ws.lp("build").code(1);
        let expected = format!(
            "task:bad    {reason}\nerror: `task:bad` failed\n  caused by: exit status 3\n  | out\n  | err\n\
             0 tasks ran, 1 failed, 1 not started\n"
        );
        assert_eq!(ended.stderr, expected);
        assert!(!ws.exists("x.txt"), "half a result is deleted");
    }
}

#[test]
fn a_task_that_does_not_write_its_output_fails_and_says_which() {
    let ws = Workspace::tasks("[[task]]\nname = \"t\"\ncommand = [\"true\"]\noutputs = [\"x.txt\"]\n");
    ws.lp("build").code(1).stderr_has("output `x.txt` was not made");
}

#[test]
fn keep_going_runs_what_does_not_depend_on_a_failure() {
    let text = "[[task]]\nname = \"bad\"\ncommand = [\"false\"]\n\
                [[task]]\nname = \"good\"\ncommand = [\"touch\", \"g\"]\noutputs = [\"g\"]\n";
    let ws = Workspace::tasks(text);
    ws.lp("build -j1 --keep-going").code(1).stderr_has("1 task ran, 1 failed");
    assert!(ws.exists("g"));
}

#[test]
fn only_declared_variables_reach_a_task() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "env"
command = ["sh", "-c", "echo \"$A-$B-$C\" > x.txt"]
outputs = ["x.txt"]
env = { A = "1" }
pass = ["B"]
"#,
    )
    .env("B", "2")
    .env("C", "3");
    ws.lp("build").success();
    assert_eq!(ws.read("x.txt"), "1-2-\n");
    let ws = ws.env("B", "4");
    ws.lp("build").success().stderr_has("`B` changed from 2 to 4");
}

#[test]
fn a_task_that_would_sleep_for_an_hour_ends_with_its_time_out() {
    let ws =
        Workspace::tasks("[[task]]\nname = \"slow\"\ncommand = [\"sleep\", \"3600\"]\ntimeout = \"100ms\"\n");
    ws.lp("build").code(1).stderr_has("`task:slow` timed out");
}
