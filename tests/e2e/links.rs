//! User tasks that make no graph: every fault names the entries that make it.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::{Expect, expect};

use crate::support::Workspace;

#[track_caller]
fn check(lpfile: &str, expect: Expect) {
    let ws = Workspace::tasks(lpfile);
    let checked = ws.lp("check").code(2).stderr;
    ws.lp("build").code(2).stderr(expect).stderr_has(&checked);
}

#[test]
fn two_writers_of_one_path() {
    check(
        r#"
[[task]]
name = "a"
command = ["true"]
outputs = ["x"]
[[task]]
name = "b"
command = ["true"]
outputs = ["y", "./x"]
"#,
        expect![[r#"
            error[LP0801]: `task:a` and `task:b` both write `x`
             --> Lpfile.toml:9:17
              |
            5 | outputs = ["x"]
              |            --- `task:a` writes it here
            ...
            9 | outputs = ["y", "./x"]
              |                 ^^^^^ again here
            error: 1 error
        "#]],
    );
}

#[test]
fn one_output_twice() {
    check(
        "[[task]]\nname = \"a\"\ncommand = [\"true\"]\noutputs = [\"x\", \"y/../x\"]\n",
        expect![[r#"
        error[LP0801]: `task:a` has the output `x` twice
         --> Lpfile.toml:4:17
          |
        4 | outputs = ["x", "y/../x"]
          |            ---  ^^^^^^^^ again here
          |            |
          |            `task:a` writes it here
        error: 1 error
    "#]],
    );
}

#[test]
fn an_output_inside_the_output_of_another() {
    check(
        r#"
[[task]]
name = "a"
command = ["true"]
outputs = ["dir/sub/x"]
[[task]]
name = "b"
command = ["true"]
outputs = ["dir"]
"#,
        expect![[r#"
            error[LP0801]: `task:a` writes `dir/sub/x` inside `dir`, an output of `task:b`
             --> Lpfile.toml:5:12
              |
            5 | outputs = ["dir/sub/x"]
              |            ^^^^^^^^^^^ inside it
            ...
            9 | outputs = ["dir"]
              |            ----- `dir` is an output here
            error: 1 error
        "#]],
    );
}

#[test]
fn an_output_that_is_also_an_input() {
    check(
        r#"
[[task]]
name = "a"
command = ["true"]
inputs = ["y", "x"]
outputs = ["x"]
"#,
        expect![[r#"
            error[LP0801]: `task:a` reads `x`, which it also writes
             --> Lpfile.toml:5:16
              |
            5 | inputs = ["y", "x"]
              |                ^^^ read here
            6 | outputs = ["x"]
              |            --- written here
            error: 1 error
        "#]],
    );
}

#[test]
fn an_output_inside_a_directory_that_is_also_an_input() {
    check(
        r#"
[[task]]
name = "a"
command = ["true"]
inputs = ["dir"]
outputs = [
    "z",
    "dir/x",
]
"#,
        expect![[r#"
            error[LP0801]: `task:a` reads `dir` and writes `dir/x` inside it
             --> Lpfile.toml:5:11
              |
            5 | inputs = ["dir"]
              |           ^^^^^ read here
            ...
            8 |     "dir/x",
              |     ------- written here
            error: 1 error
        "#]],
    );
}

#[test]
fn a_cycle_names_every_step() {
    check(
        r#"
[[task]]
name = "fetch"
command = ["true"]
inputs = ["list.txt"]
outputs = ["raw"]
[[task]]
name = "convert"
command = ["true"]
inputs = ["raw/frames"]
outputs = ["model"]
[[task]]
name = "list"
command = ["true"]
after = ["convert"]
outputs = ["list.txt"]
"#,
        expect![[r#"
            error[LP0801]: tasks wait for each other: `task:fetch` -> `task:convert` (reads `raw/frames`) -> `task:list` (after) -> `task:fetch` (reads `list.txt`)
              --> Lpfile.toml:10:11
               |
             5 | inputs = ["list.txt"]
               |           ---------- `task:fetch` reads `list.txt`, which `task:list` makes
            ...
            10 | inputs = ["raw/frames"]
               |           ^^^^^^^^^^^^ `task:convert` reads `raw/frames`, which `task:fetch` makes
            ...
            15 | after = ["convert"]
               |          --------- `task:list` comes after `task:convert`
            error: 1 error
        "#]],
    );
}

#[test]
fn a_task_that_comes_after_itself_or_an_unknown_task() {
    check(
        r#"
[[task]]
name = "one"
command = ["true"]
after = ["one"]
[[task]]
name = "two"
command = ["true"]
after = ["task:one", "onne"]
"#,
        expect![[r#"
            error[LP0801]: `task:one` comes after itself
             --> Lpfile.toml:5:10
              |
            5 | after = ["one"]
              |          ^^^^^

            error[LP0801]: `task:two` comes after `onne`, which is not a task; did you mean `one`?
             --> Lpfile.toml:9:22
              |
            9 | after = ["task:one", "onne"]
              |                      ^^^^^^
            error: 2 errors
        "#]],
    );
}

#[test]
fn an_input_without_a_producer() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"a\"\ncommand = [\"touch\", \"ran\"]\ninputs = [\"Lpfile.toml\", \"x.txt\"]\n",
    );
    ws.lp("build").code(2).stderr(expect![[r#"
        error[LP0802]: `x.txt` does not exist, and `task:a` reads it
         --> Lpfile.toml:4:26
          |
        4 | inputs = ["Lpfile.toml", "x.txt"]
          |                          ^^^^^^^
          |
          = help: correct its name, or add it to the `outputs` of the task that makes it
        error: 1 error
    "#]]);
    assert!(!ws.exists("ran"));
}

#[test]
fn an_input_that_is_a_link_to_nothing_or_in_a_circle() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"a\"\ncommand = [\"touch\", \"ran\"]\ninputs = [\"dangling\", \"circle\", \"under/x\"]\n",
    );
    symlink("no\nwhere", ws.path("dangling")).unwrap();
    symlink("circle", ws.path("circle")).unwrap();
    fs::write(ws.path("under"), "a file").unwrap();
    ws.lp("build").code(2).stderr(expect![[r#"
        error[LP0802]: `dangling` is a link to `no\nwhere`, which leads to nothing, and `task:a` reads it
         --> Lpfile.toml:4:11
          |
        4 | inputs = ["dangling", "circle", "under/x"]
          |           ^^^^^^^^^^

        error[LP0802]: `circle` is a link to `circle`, which leads to nothing, and `task:a` reads it
         --> Lpfile.toml:4:23
          |
        4 | inputs = ["dangling", "circle", "under/x"]
          |                       ^^^^^^^^

        error[LP0802]: `under/x` does not exist, and `task:a` reads it
         --> Lpfile.toml:4:33
          |
        4 | inputs = ["dangling", "circle", "under/x"]
          |                                 ^^^^^^^^^
          |
          = help: correct its name, or add it to the `outputs` of the task that makes it
        error: 3 errors
    "#]]);
    assert!(!ws.exists("ran"));
}

#[test]
fn a_path_that_leaves_the_project() {
    check(
        r#"
[[task]]
name = "a"
command = ["true"]
inputs = ["a/../../x", "/etc/passwd"]
outputs = ["..", "nul\u0000", ""]
"#,
        expect![[r#"
            error[LP0210]: `task.inputs[0]` is not a path inside the project
             --> Lpfile.toml:5:11
              |
            5 | inputs = ["a/../../x", "/etc/passwd"]
              |           ^^^^^^^^^^^ `a/../../x` leaves the project

            error[LP0210]: `task.inputs[1]` is not a path inside the project
             --> Lpfile.toml:5:24
              |
            5 | inputs = ["a/../../x", "/etc/passwd"]
              |                        ^^^^^^^^^^^^^ `/etc/passwd` is absolute, but must be relative to the project

            error[LP0210]: `task.outputs[0]` is not a path inside the project
             --> Lpfile.toml:6:12
              |
            6 | outputs = ["..", "nul\u0000", ""]
              |            ^^^^ `..` leaves the project

            error[LP0210]: `task.outputs[1]` is not a path inside the project
             --> Lpfile.toml:6:18
              |
            6 | outputs = ["..", "nul\u0000", ""]
              |                  ^^^^^^^^^^^ `nul\u{0}` contains a NUL character

            error[LP0210]: `task.outputs[2]` is not a path inside the project
             --> Lpfile.toml:6:31
              |
            6 | outputs = ["..", "nul\u0000", ""]
              |                               ^^ the path is empty
            error: 5 errors
        "#]],
    );
}
