//! `lp cache`: looking into the store, tidying it up, checking it, moving it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command};

use expect_test::expect;

use crate::support::{CAMERAS, COPY_JOIN, Workspace};

/// One of each kind of output, and one that is large enough for a hard link.
const KINDS: &str = r#"
[[task]]
name = "kinds"
command = ["sh", "-c", """
mkdir -p out/sub out/empty; echo part > out/sub/part; ln -s sub/part out/link; ln -s out latest
printf '#!/bin/sh\\n' > tool; chmod +x tool; head -c 1500000 /dev/zero > large; : > none"""]
outputs = ["out", "latest", "tool", "large", "none"]

[[task]]
name = "check"
command = ["test", "-x", "tool"]
inputs = ["tool", "out"]
"#;

fn built() -> Workspace {
    let ws = Workspace::tasks(COPY_JOIN).file("a.txt", "x\n");
    ws.lp("build -j1").success();
    ws
}

/// The file of the only blob with this content.
fn blob(ws: &Workspace, content: &str) -> std::path::PathBuf {
    let mut found = Vec::new();
    for part in fs::read_dir(ws.path(".lpcache/cas")).unwrap() {
        for file in fs::read_dir(part.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            found.extend((fs::read(&path).unwrap() == content.as_bytes()).then_some(path));
        }
    }
    found.pop().unwrap()
}

fn rot(path: &Path, bytes: &str) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn start(ws: &Workspace, arguments: &[&str]) -> (Child, BufReader<ChildStderr>, String) {
    let mut child = ws.command(arguments).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    (child, stderr, line)
}

fn lock(ws: &Workspace, name: &str) -> fs::File {
    let file = fs::File::open(ws.path(".lpcache").join(name)).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    file
}

fn run(program: &str, arguments: &[&str], directory: &Path) {
    let status = Command::new(program).args(arguments).current_dir(directory).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

#[test]
fn the_store_is_listed_and_each_attempt_can_be_looked_at() {
    let ws = built();
    let list = ws.lp("cache show").success().stdout;
    let labels: Vec<&str> = list.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(labels, ["task:copy", "task:join"]);
    let shown = ws.lp("cache show task:copy").success().stdout;
    for text in [
        "  outcome   Succeeded\n",
        "b.txt (2 bytes)\n",
        "      \"action\": \"command\",\n",
        "          \"a.txt\",\n          \"b.txt\"\n",
    ] {
        assert!(shown.contains(text), "`{text}` is not in:\n{shown}");
    }
    let digest = list.lines().next().unwrap().split_whitespace().nth(1).unwrap();
    assert_eq!(ws.lp(&format!("cache show {digest}")).success().stdout, shown);
    let output = blob(&ws, "x\n").file_name().unwrap().to_str().unwrap()[..10].to_owned();
    assert_eq!(ws.lp(&format!("cache show {output}")).success().stdout, shown);
    ws.lp("cache show task:cpy").code(2).stderr(expect![[r#"
        error: the store has no attempt of `task:cpy`
          hint: did you mean `task:copy`?
    "#]]);
}

#[test]
fn the_output_of_a_failed_task_is_kept() {
    let ws = Workspace::tasks("[[task]]\nname = \"t\"\ncommand = [\"sh\", \"-c\", \"echo oh no; exit 3\"]\n");
    ws.lp("build").code(1);
    let shown = ws.lp("cache show task:t").success().stdout;
    assert!(shown.contains("  outcome   Failed\n  because   exit status 3\n"), "{shown}");
    assert!(shown.ends_with("  log:\n    oh no\n"), "{shown}");
}

#[test]
fn statistics_count_blobs_attempts_and_labels() {
    let ws = built();
    ws.write("a.txt", "yy\n");
    ws.lp("build").success();
    // Their sizes depend on the length of the project's path.
    fs::remove_dir_all(ws.path(".lpcache/graph")).unwrap();
    let stats = ws.lp("cache stats").success().stdout;
    // The sizes of these two depend on the clock.
    let lines = stats.lines().filter(|line| !line.starts_with("log ") && !line.starts_with("state "));
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    expect![[r#"
        blobs                4        15 B
          shared             0         0 B  outputs in the project too: deleting them frees nothing
          unneeded           0         0 B  no live attempt names them: `lp cache gc` deletes them
        attempts             4  4 live, 0 dead
          succeeded          4
        measurements         0  0 complete
        graphs               0         0 B
        leftovers            0         0 B
        largest labels
                10 B  task:join  2 attempts
                 5 B  task:copy  2 attempts
    "#]]
    .assert_eq(&text);
    let json: serde_json::Value =
        serde_json::from_str(&ws.lp("cache stats --json").success().stdout).unwrap();
    assert_eq!(json["blobs"], serde_json::json!({"count": 4, "bytes": 15}));
    assert_eq!(json["log"], fs::metadata(ws.path(".lpcache/log")).unwrap().len());
}

#[test]
fn an_empty_store_is_no_fault() {
    let ws = Workspace::tasks(COPY_JOIN);
    for command in ["cache stats", "cache gc", "cache verify", "cache clean"] {
        ws.lp(command).success().stderr(expect![[r#"
            the store is empty
        "#]]);
    }
    for command in ["cache stats --json", "cache gc --json --max-size 0", "cache verify --json"] {
        serde_json::from_str::<serde_json::Value>(&ws.lp(command).success().stdout).unwrap();
    }
    assert!(!ws.exists(".lpcache"));
}

#[test]
fn a_config_with_errors_does_not_block_the_store() {
    let ws = built();
    ws.write("Lpfile.toml", "[[task]\n");
    for command in ["cache stats", "cache verify", "cache gc --max-age 1d"] {
        ws.lp(command).success().stderr_has("warning: the config has errors (see `lp check`)");
    }
    // To these, the folders of `[paths]` do not matter.
    ws.lp("cache show task:copy").success().stderr(expect![""]);
    ws.lp("cache clean").success().stderr_has("deleted 2 attempts");
    ws.lp("cache key").code(2);
    assert!(ws.exists("b.txt"));
    ws.write("Lpfile.toml", COPY_JOIN);
    ws.lp("build").success().stderr_has("2 tasks ran");
}

#[test]
fn readers_of_the_store_do_not_wait() {
    let ws = built();
    let _locks = (lock(&ws, "lock"), lock(&ws, "log"));
    let readers = ["stats", "show", "verify", "gc --dry-run --max-size 0 --max-age 0s", "key"];
    for command in readers {
        ws.lp(&format!("cache {command}")).success();
    }
    ws.lp("build").success().stderr_has("nothing to do");
}

#[test]
fn a_collection_says_what_it_removed_and_what_it_kept() {
    let ws = built();
    ws.write("a.txt", "yy\n");
    ws.lp("build").success();
    fs::remove_dir_all(ws.path(".lpcache/graph")).unwrap();
    ws.write(".lpcache/tmp/dead/half", "1234");
    ws.lp("cache gc --max-age 0s --dry-run").success().stderr(expect![[r#"
        would delete 2 blobs (6 B), 2 attempts (2 too old), 1 leftover (4 B)
        would keep 2 blobs (9 B), 2 attempts, 0 measurements
    "#]]);
    let json = ws.lp("cache gc --max-age 0s --json").success().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["removed"]["too_old"], 2);
    assert_eq!(json["kept"]["blobs"], serde_json::json!({"count": 2, "bytes": 9}));
    ws.lp("build").success().stderr_has("nothing to do: 2 tasks fresh");

    ws.lp("cache gc --max-size 8").success().stderr(expect![[r#"
        deleted 1 blob (3 B), 1 attempt (1 least recently used)
        kept 1 blob (6 B), 1 attempt, 0 measurements
    "#]]);
    ws.lp("cache gc").success().stderr(expect![[r#"
        deleted nothing
        kept 1 blob (6 B), 1 attempt, 0 measurements
    "#]]);
    ws.lp("build").success().stderr(expect![[r#"
        task:copy  new
        1 task ran, 1 fresh
    "#]]);
    ws.lp("cache gc --max-size 5apples").code(2).stderr_has("expected a size such as `20GiB`");
    ws.lp("cache gc --max-age 30").code(2).stderr_has("expected a duration");
}

#[test]
fn a_large_output_keeps_its_bytes_when_its_blob_goes() {
    let ws = Workspace::tasks(KINDS);
    ws.lp("build").success();
    // Where the file system reflinks, nothing is shared.
    let is_shared = fs::metadata(ws.path("large")).unwrap().nlink() > 1;
    let ended = ws.lp("cache gc --max-size 1KiB").success();
    let says_so = "\n  of these, 1 blob (1.4 MiB) stay in the project as outputs: this frees ";
    assert_eq!(ended.stderr.contains(says_so), is_shared, "{}", ended.stderr);
    assert_eq!(fs::metadata(ws.path("large")).unwrap().len(), 1_500_000);
}

#[test]
fn a_crash_in_the_middle_of_a_collection_leaves_a_right_store() {
    for failpoint in ["gc.before-log", "gc.between", "gc.between-blobs:1", "gc.between-blobs:2"] {
        let ws = built();
        ws.write("a.txt", "yy\n");
        ws.lp("build").success();
        let output =
            ws.command(&["cache", "gc", "--max-size", "0"]).env("LP_FAILPOINT", failpoint).output().unwrap();
        assert_eq!(output.status.code(), None, "it is killed at `{failpoint}`");
        ws.lp("cache verify").success().stderr_has("no faults");
        ws.lp("build").success();
        ws.lp("build").success().stderr_has("nothing to do: 2 tasks fresh");
        assert_eq!(ws.read("c.txt"), "yy\nyy\n");
        ws.lp("cache gc --max-age 0s").success();
        ws.lp("cache gc --max-age 0s").success().stderr(expect![[r#"
            deleted nothing
            kept 2 blobs (9 B), 2 attempts, 0 measurements
        "#]]);
    }
}

#[test]
fn a_collection_waits_for_a_build_and_takes_nothing_from_it() {
    let text = "[[task]]\nname = \"slow\"\ncommand = [\"sh\", \"-c\", \"read go < fifo; echo x > x.txt\"]\n\
                outputs = [\"x.txt\"]\n\
                [[task]]\nname = \"next\"\ncommand = [\"cp\", \"x.txt\", \"y.txt\"]\ninputs = [\"x.txt\"]\n\
                outputs = [\"y.txt\"]\n";
    let ws = Workspace::tasks(text);
    run("mkfifo", &["fifo"], &ws.root());
    let (mut build, mut build_stderr, line) = start(&ws, &["build"]);
    assert_eq!(line, "task:slow  new\n");
    let (mut gc, mut gc_stderr, line) = start(&ws, &["cache", "gc"]);
    assert!(line.starts_with("waiting for `") && line.contains(&format!("(pid {})", build.id())), "{line}");
    fs::write(ws.path("fifo"), "go\n").unwrap();
    let mut rest = String::new();
    build_stderr.read_to_string(&mut rest).unwrap();
    assert!(build.wait().unwrap().success(), "{rest}");
    rest.clear();
    gc_stderr.read_to_string(&mut rest).unwrap();
    assert!(gc.wait().unwrap().success());
    assert_eq!(rest, "deleted nothing\nkept 1 blob (2 B), 2 attempts, 0 measurements\n");
    ws.lp("build").success().stderr_has("nothing to do: 2 tasks fresh");
}

#[test]
fn a_build_that_waited_for_a_collection_looks_again() {
    let ws = built();
    fs::remove_file(ws.path("c.txt")).unwrap();
    let held = lock(&ws, "lock");
    // It saw that the store has what it needs, and waits to restore it.
    let (mut build, mut stderr, line) = start(&ws, &["build"]);
    assert!(line.starts_with("waiting for "), "{line}");
    // What a collection does while it holds the lock.
    fs::remove_file(blob(&ws, "x\nx\n")).unwrap();
    rot(&ws.path(".lpcache/log"), "lp-log\0\x01");
    drop(held);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert!(build.wait().unwrap().success(), "{rest}");
    assert_eq!(ws.read("c.txt"), "x\nx\n");
    assert!(rest.contains("2 tasks ran"), "{rest}");
}

#[test]
fn damage_is_named_with_what_needs_it_and_made_again() {
    let ws = built();
    ws.lp("cache verify").success().stderr(expect![[r#"
        read 2 blobs (6 B) and 2 attempts of the log: no faults
    "#]]);
    rot(&blob(&ws, "x\nx\n"), "x\ny\n");
    fs::remove_file(ws.path("c.txt")).unwrap();
    fs::remove_file(blob(&ws, "x\n")).unwrap();
    ws.lp("cache verify").code(1).stderr(expect![[r#"
        missing 44c77418e27569db9213c6b43d9049ecffb5496f7d0e3d4254bb68410adecc3e: stored again from the project
          needed by output `b.txt` of `task:copy`
        damaged f964fc5cad2c9a1804b018773126067c9ffc095cda3d0d71c73ddf8f80fc3aba: deleted; the next build that needs it makes it again
          needed by output `c.txt` of `task:join`
        read 1 blob (4 B) and 2 attempts of the log: 2 faults
    "#]]);
    ws.lp("build").success().stderr(expect![[r#"
        task:join  stale: output `c.txt` was deleted, and the store has lost it
        1 task ran, 1 fresh
    "#]]);
    ws.lp("cache verify").success();
    fs::remove_file(ws.path("b.txt")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `b.txt` was deleted");
}

#[test]
fn a_damaged_log_and_state_are_reported_with_their_place() {
    let ws = built();
    for (name, at) in [("log", 100), ("state", 40)] {
        let path = ws.path(".lpcache").join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let ended = ws.lp("cache verify").code(1);
    assert!(ended.stderr.starts_with("log: damaged at bytes 8.."), "{}", ended.stderr);
    assert!(ended.stderr.contains("; moved to `.lpcache/log.damaged`\nstate: damaged; deleted"));
    assert!(ended.stderr.ends_with("and 1 attempt of the log: 2 faults\n"), "{}", ended.stderr);
    ws.lp("cache verify").success();
    ws.lp("build").success().stderr_has("1 task ran, 1 fresh");
}

#[test]
fn damage_beyond_repair_is_reported() {
    let ws = built();
    rot(&blob(&ws, "x\nx\n"), "x\ny\n");
    fs::remove_file(ws.path(".lpcache/lock")).unwrap();
    fs::create_dir(ws.path(".lpcache/lock")).unwrap();
    ws.lp("cache verify").code(1).stderr(expect![[r#"
        damaged f964fc5cad2c9a1804b018773126067c9ffc095cda3d0d71c73ddf8f80fc3aba: not repaired
          needed by output `c.txt` of `task:join`
        read 2 blobs (6 B) and 2 attempts of the log: 1 fault
        error: failed to open `<project>/.lpcache/lock`
          caused by: Is a directory (os error 21)
    "#]]);
}

#[test]
fn a_key_is_the_same_everywhere_until_something_changes() {
    let key = |ws: &Workspace| ws.lp("cache key").success().stdout;
    let (one, two) = (built(), Workspace::tasks(COPY_JOIN).file("a.txt", "x\n"));
    let first = key(&one);
    let begin = format!("lp-1-{}-{}-", std::env::consts::OS, std::env::consts::ARCH);
    let digest = first.strip_prefix(&begin).unwrap();
    assert!(digest.len() == 17 && digest.ends_with('\n'), "{first}");
    assert_eq!(key(&two), first, "two checkouts, one of them built");
    assert!(!two.exists(".lpcache"));

    two.write("Lpfile.toml", &COPY_JOIN.replace("# A comment.", "# Another.\n\n"));
    assert_eq!(key(&two), first, "a comment");
    two.write("Lpfile.toml", &COPY_JOIN.replace("b.txt b.txt", "b.txt"));
    assert_ne!(key(&two), first, "a command");
    two.write("Lpfile.toml", COPY_JOIN);
    two.write("a.txt", "y\n");
    assert_ne!(key(&two), first, "a file that a task reads");
    two.write("a.txt", "x\n");
    two.write("b.txt", "what a task makes does not count");
    assert_eq!(key(&two), first);

    let part = "[[task]]\nname = \"out\"\ncommand = [\"mkdir\", \"out\"]\noutputs = [\"out\"]\n\
                [[task]]\nname = \"in\"\ncommand = [\"true\"]\ninputs = [\"out/part\"]\n";
    let ws = Workspace::tasks(part);
    let first = key(&ws);
    ws.write("out/part", "nor does what is in a folder that a task makes");
    assert_eq!(key(&ws), first);
}

#[test]
fn a_key_follows_cameras_and_workloads() {
    let ws = Workspace::cameras();
    // Neither a worker nor a variable of the caller decides.
    let key = || ws.lp("cache key").success().stdout;
    let first = key();
    ws.write("configs/camera_to_workload.json", &CAMERAS.replacen("15", "30", 1));
    assert_ne!(key(), first);
    ws.write("configs/camera_to_workload.json", &format!("\n{CAMERAS}"));
    assert_eq!(key(), first);
    let ws = ws.env("LP_WORKER", "/nowhere").env("GST_DEBUG", "3");
    assert_eq!(ws.lp("cache key").success().stdout, first);
}

#[test]
fn a_project_that_moved_with_its_store_has_nothing_to_do() {
    let (here, there) = (Workspace::tasks(KINDS), Workspace::empty());
    here.lp("build").success();
    run("tar", &["-cf", "../all.tar", "."], &here.root());
    fs::rename(here.root().join("../all.tar"), there.root().join("../all.tar")).unwrap();
    drop(here);
    run("tar", &["-xf", "../all.tar"], &there.root());
    there.lp("build").success().stderr(expect![[r#"
        nothing to do: 2 tasks fresh
    "#]]);
}

#[test]
fn a_store_alone_brings_everything_back_at_another_place() {
    let (here, there) = (Workspace::tasks(KINDS), Workspace::tasks(KINDS));
    here.lp("build").success();
    run("tar", &["-cf", "../store.tar", ".lpcache"], &here.root());
    let archive = here.root().join("../store.tar");
    run("tar", &["-xf", archive.to_str().unwrap()], &there.root());
    there.lp("build -j1").success().stderr(expect![[r#"
        task:kinds  restored: outputs `out`, `latest`, `tool` and 2 more were deleted
        0 tasks ran, 1 restored, 1 fresh
    "#]]);
    run(
        "diff",
        &["-r", here.path("out").to_str().unwrap(), there.path("out").to_str().unwrap()],
        &there.root(),
    );
    run("test", &["-x", "tool"], &there.root());
    assert_eq!(fs::read_link(there.path("latest")).unwrap(), Path::new("out"));
    there.lp("build").success().stderr_has("nothing to do: 2 tasks fresh");

    // What it remembers of files elsewhere is not carried along, even while they are there.
    let state = fs::read(there.path(".lpcache/state")).unwrap();
    let elsewhere = here.root();
    let elsewhere = elsewhere.to_str().unwrap().as_bytes();
    assert!(here.path("large").exists());
    assert!(!state.windows(elsewhere.len()).any(|window| window == elsewhere));
}
