//! What a task writes, where it may be another's as well.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use expect_test::{Expect, expect};

use crate::support::Workspace;

/// A task with this shell text. From 1 MiB up, files are linked where the file
/// system cannot share extents.
fn with(shell: &str, outputs: &str) -> Workspace {
    let ws = Workspace::tasks(&format!(
        "[[task]]\nname = \"t\"\ncommand = [\"sh\", \"-c\", '''{shell}''']\ninputs = [\"in\"]\noutputs = [{outputs}]\n"
    ));
    fs::write(ws.path("in"), vec![b'a'; 2 << 20]).unwrap();
    ws
}

fn mode(ws: &Workspace, path: &str) -> u32 {
    fs::metadata(ws.path(path)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn an_output_that_is_another_name_of_its_source_leaves_the_source_alone() {
    for (shell, outputs) in [
        ("ln in out", "\"out\""),
        ("mkdir out; ln in out/f; ln in out/g", "\"out\""),
        ("ln -s in out; ln in out2", "\"out\", \"out2\""),
        ("cp in spare; ln spare out", "\"out\""),
    ] {
        let ws = with(shell, outputs);
        fs::set_permissions(ws.path("in"), fs::Permissions::from_mode(0o644)).unwrap();
        // A link to an input is no change of it.
        assert_eq!(ws.lp("build").success().stderr, "task:t  new\n1 task ran\n", "{shell}");
        assert_eq!(mode(&ws, "in"), 0o644, "{shell}");
        // Its names are those that the task gave it.
        let n_names = if shell.contains("mkdir") {
            3
        } else if shell.contains("spare") {
            1
        } else {
            2
        };
        assert_eq!(fs::metadata(ws.path("in")).unwrap().nlink(), n_names, "{shell}");
        if ws.exists("spare") {
            assert_eq!(mode(&ws, "spare"), 0o644);
        }
        ws.lp("build").success().stderr_has("nothing to do");
        // Writing to the source damages nothing that is stored.
        fs::write(ws.path("in"), vec![b'b'; 2 << 20]).unwrap();
        ws.lp("cache verify").success();
        ws.lp("build").success().stderr_has("task:t  stale: `in` changed");
    }
}

#[test]
fn restored_outputs_keep_their_permissions() {
    let shell = "umask 022; mkdir dir out
        for f in small dir/small; do echo 1 >$f; done; cp in large; cp in dir/large
        echo '#!/bin/sh' >tool; cp tool setuid; cp tool dir/tool; echo 1 >plain
        chmod 0600 small large dir/small dir/large; chmod 0700 tool dir/tool; chmod 4755 setuid; chmod 0644 plain
        mkdir dir/own; chmod 0700 dir/own; chmod 0750 dir";
    let made = ["small", "large", "tool", "setuid", "plain"];
    let outputs: Vec<String> = made.iter().chain(&["dir"]).map(|name| format!("{name:?}")).collect();
    let ws = with(shell, &outputs.join(", "));
    let expected = |setuid: u32| {
        [
            ("small", 0o600),
            ("large", 0o600),
            ("tool", 0o700),
            ("setuid", setuid),
            ("plain", 0o644),
            ("dir", 0o750),
            ("dir/small", 0o600),
            ("dir/large", 0o600),
            ("dir/tool", 0o700),
            ("dir/own", 0o700),
        ]
    };
    let mut build = std::process::Command::new("sh");
    build.args(["-c", "umask 022; exec \"$0\" build", env!("CARGO_BIN_EXE_lp")]).current_dir(ws.root());
    build.env("LP_LOCK_DIR", ws.root().with_file_name("lock"));
    assert!(build.output().unwrap().status.success());
    for (path, bits) in expected(0o4755) {
        assert_eq!(mode(&ws, path), bits, "{path}");
    }
    for path in made {
        fs::remove_file(ws.path(path)).unwrap();
    }
    fs::remove_dir_all(ws.path("dir")).unwrap();
    let output = build.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("restored"), "{output:?}");
    for (path, bits) in expected(0o755) {
        assert_eq!(mode(&ws, path), bits, "{path}");
    }
    // Nor may anybody else read them in the store.
    let blobs = std::process::Command::new("find")
        .args([".lpcache/cas", "-type", "f", "-size", "+1000k", "-perm", "/077"])
        .current_dir(ws.root())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(blobs.stdout).unwrap(), "");
    // Whom a user lets read one afterwards is the user's business.
    fs::set_permissions(ws.path("small"), fs::Permissions::from_mode(0o644)).unwrap();
    ws.lp("build").success().stderr_has("nothing to do");
}

/// What is said of tasks (`name: input > output`) in a project with these links.
#[track_caller]
fn refused(links: &[(&str, &str)], tasks: &[&str], expect: Expect) {
    let ws = linked(links, tasks);
    let said = ws.lp("build").code(2).stderr;
    let lines: Vec<&str> = said.lines().filter(|line| line.starts_with("error[")).collect();
    expect.assert_eq(&lines.join("\n"));
    ws.lp("check").code(2).stderr_has(lines[0]);
}

fn linked(links: &[(&str, &str)], tasks: &[&str]) -> Workspace {
    let mut lpfile = String::new();
    for task in tasks {
        let (name, rest) = task.split_once(": ").unwrap();
        let (input, output) = rest.split_once("> ").unwrap();
        let inputs = if input.is_empty() { String::new() } else { format!("{:?}", input.trim()) };
        let read = if input.is_empty() { "/dev/null" } else { input.trim() };
        lpfile += &format!(
            "[[task]]\nname = {name:?}\ncommand = [\"sh\", \"-c\", \"cat {read} >{output}; echo {name} >>{output}\"]\ninputs = [{inputs}]\noutputs = [{output:?}]\n"
        );
    }
    let ws = Workspace::tasks(&lpfile);
    for (target, link) in links {
        fs::create_dir_all(ws.path("a/sub")).unwrap();
        symlink(target, ws.path(link)).unwrap();
    }
    ws
}

#[test]
fn one_file_by_two_paths_has_one_writer() {
    refused(
        &[("a", "b")],
        &["one: > a/x", "two: > b/x"],
        expect!["error[LP0801]: `task:one` and `task:two` both write `a/x`, which `b/x` is by a link"],
    );
    refused(
        &[("a/sub", "b")],
        &["one: > a/sub", "two: > b/x"],
        expect!["error[LP0801]: `task:two` writes `b/x` inside `a/sub`, an output of `task:one`"],
    );
    refused(
        &[("a", "b")],
        &["one: b/x > a/x"],
        expect!["error[LP0801]: `task:one` reads `b/x`, which it also writes"],
    );
    refused(
        &[("a", "b")],
        &["one: b/x > y", "two: y > a/x"],
        expect![
            "error[LP0801]: tasks wait for each other: `task:one` -> `task:two` (reads `y`) -> `task:one` (reads `b/x`)"
        ],
    );
    refused(
        &[("a", "media"), ("a/sub", "models")],
        &["one: > media/sub/x", "two: > models/x"],
        expect![
            "error[LP0801]: `task:one` and `task:two` both write `a/sub/x`, which `models/x` is by a link"
        ],
    );
}

#[test]
fn a_reader_through_a_link_waits_for_the_writer() {
    for (links, input) in [
        (vec![("a", "b")], "b/x"),
        (vec![("a/x", "y")], "y"),
        (vec![("a/sub", "b"), ("b", "c"), ("../x", "a/sub/x")], "c/x"),
    ] {
        // The reader comes first in the file, and its name sorts first.
        let ws = linked(&links, &[&format!("early: {input} > out"), "late: > a/x"]);
        ws.lp("build -j1").success();
        assert_eq!(ws.read("out"), "late\nearly\n");
        ws.lp("build").success().stderr_has("nothing to do: 2 tasks fresh");
        // Also when the tasks come out of the image of the last build.
        fs::write(ws.path("a/x"), "by hand").unwrap();
        ws.lp("build -j1").success().stderr(expect![[r#"
            task:late   restored: output `a/x` was changed
            0 tasks ran, 1 restored, 1 fresh
        "#]]);
    }
}

#[test]
fn folders_of_a_project_that_are_one_by_a_link_are_refused() {
    let ws = Workspace::cameras();
    fs::create_dir(ws.path("media")).unwrap();
    symlink("media", ws.path("results")).unwrap();
    ws.lp("build plan").code(2).stderr(expect![[r#"
        error[LP0305]: `paths.media` and `paths.results` are the same folder by a link
        error: 1 error
    "#]]);
    assert_eq!(fs::read_dir(ws.path("media")).unwrap().count(), 0);
}

#[test]
fn a_link_that_a_task_makes_is_an_output_of_its_own() {
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "make"
command = ["sh", "-c", "echo 1 >x; ln -s x link; mkdir dir; echo 2 >dir/y; ln -s dir to"]
outputs = ["x", "link", "dir", "to"]
[[task]]
name = "read"
command = ["sh", "-c", "cat link to/y >out"]
inputs = ["link", "to/y"]
outputs = ["out"]
"#,
    );
    for said in ["2 tasks ran", "nothing to do: 2 tasks fresh"] {
        ws.lp("build -j1").success().stderr_has(said);
    }
    assert_eq!(ws.read("out"), "1\n2\n");
}
