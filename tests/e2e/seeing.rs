//! What a build leaves to look at: `--trace`, `lp explain --last`, `--json`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::Stdio;

use expect_test::expect;
use serde_json::Value;

use crate::support::{COPY_JOIN, Ended, Workspace};

const BAD_NEXT: &str = r#"
[[task]]
name = "bad"
command = ["sh", "-c", "echo why; exit 3"]
inputs = ["b.txt"]
outputs = ["x.txt"]

[[task]]
name = "next"
command = ["cp", "x.txt", "y.txt"]
inputs = ["x.txt"]
outputs = ["y.txt"]
"#;

fn tasks() -> Workspace {
    Workspace::tasks(&format!("{COPY_JOIN}{BAD_NEXT}")).file("a.txt", "a\n")
}

/// The trace, checked: rows have names, and nothing overlaps in one.
#[track_caller]
fn trace(ws: &Workspace, path: &str) -> Vec<Value> {
    let document: Value = serde_json::from_str(&ws.read(path)).unwrap();
    let events = document["traceEvents"].as_array().unwrap().clone();
    let mut rows: BTreeMap<u64, Vec<(u64, u64)>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        let (from, length) = (event["ts"].as_u64().unwrap(), event["dur"].as_u64().unwrap());
        rows.entry(event["tid"].as_u64().unwrap()).or_default().push((from, from + length));
    }
    for (row, spans) in &mut rows {
        assert!(name(&events, *row).is_some(), "row {row} has no name");
        spans.sort_unstable();
        for two in spans.windows(2) {
            assert!(two[0].1 <= two[1].0, "{two:?} overlap in row {row}");
        }
    }
    events
}

fn name(events: &[Value], row: u64) -> Option<String> {
    let of_row = |event: &&Value| event["name"] == "thread_name" && event["tid"] == row;
    Some(events.iter().find(of_row)?["args"]["name"].as_str()?.to_owned())
}

/// `label: outcome (reason) in row`
fn told(events: &[Value]) -> Vec<String> {
    let tasks = events.iter().filter(|event| event["ph"] != "M" && event["cat"] != "lp");
    let mut told: Vec<String> = tasks
        .map(|event| {
            let (args, row) = (&event["args"], name(events, event["tid"].as_u64().unwrap()).unwrap());
            let text = |key: &str| args[key].as_str().unwrap().to_owned();
            format!("{}: {} ({}) in {row}", text("label"), text("outcome"), text("reason"))
        })
        .collect();
    told.sort();
    told
}

#[test]
fn a_trace_has_a_row_per_slot_and_every_task_that_ran() {
    let mut text = "[pools]\ncamera = 2\n".to_owned();
    for n in 0..12 {
        let pool = if n % 3 == 0 { "camera" } else { "cpu" };
        text += &format!("[[task]]\nname = \"t{n}\"\ncommand = [\"test\", \"{n}\"]\npool = \"{pool}\"\n");
    }
    let ws = Workspace::tasks(&text);
    ws.lp("build -j3 --trace t.json").success();
    let events = trace(&ws, "t.json");
    let ran: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X" && event["cat"] != "lp").collect();
    assert_eq!(ran.len(), 12);
    let rows: Vec<String> = ran
        .iter()
        .map(|event| name(&events, event["tid"].as_u64().unwrap()).unwrap())
        .filter(|row| !["camera 1", "camera 2", "cpu 1", "cpu 2", "cpu 3"].contains(&row.as_str()))
        .collect();
    assert!(rows.is_empty(), "{rows:?}");
}

#[test]
fn a_trace_shows_the_phases_of_lp() {
    let ws = tasks();
    let phases = |events: &[Value]| {
        let own = events.iter().filter(|event| event["cat"] == "lp");
        own.map(|event| {
            assert_eq!(name(events, event["tid"].as_u64().unwrap()).as_deref(), Some("lp"));
            event["name"].as_str().unwrap().to_owned()
        })
        .collect::<Vec<_>>()
    };
    ws.lp("build join --trace t.json").success();
    let events = trace(&ws, "t.json");
    let before = ["reading", "linking", "looking", "opening", "looking", "looking"];
    assert_eq!(phases(&events), [&before[..], &["saving", "remembering"]].concat());
    let ends = events.iter().filter(|event| before.iter().any(|name| event["name"] == *name));
    let end = ends.map(|event| event["ts"].as_u64().unwrap() + event["dur"].as_u64().unwrap()).max().unwrap();
    let first = events.iter().find(|event| event["name"] == "task:copy").unwrap();
    assert!(first["ts"].as_u64().unwrap() >= end, "a task starts when everything has been looked at");
    ws.lp("build join --trace t.json").success().stderr_has("nothing to do");
    assert_eq!(phases(&trace(&ws, "t.json")), [&before[..], &["remembering"]].concat());
}

#[test]
fn a_trace_is_written_when_a_build_fails_too() {
    let ws = tasks();
    ws.lp("build -j1 --keep-going --trace t.json").code(1);
    let ran = |label: &str, outcome: &str| format!("task:{label}: {outcome} (new) in cpu 1");
    assert_eq!(
        told(&trace(&ws, "t.json")),
        [ran("bad", "failed"), ran("copy", "succeeded"), ran("join", "succeeded")]
    );
    fs::remove_file(ws.path("c.txt")).unwrap();
    ws.lp("build join --trace t.json").success();
    assert_eq!(told(&trace(&ws, "t.json")), ["task:join: restored (output `c.txt` was deleted) in store"]);
    ws.lp("build join --trace t.json").success().stderr_has("nothing to do");
    assert_eq!(told(&trace(&ws, "t.json")), Vec::<String>::new());
}

#[test]
fn a_trace_that_cannot_be_written_is_refused_before_anything_runs() {
    let ws = tasks();
    for (path, text) in [
        ("no/folder/t.json", "the trace cannot be written to `<project>/no/folder/t.json`"),
        (".", "the trace cannot be written to `<project>/.`, which is a folder"),
    ] {
        ws.lp(&format!("build --trace {path}")).code(2).stderr_has(text);
    }
    // What is there and is no trace stays as it is; so does a link.
    ws.write("notes.txt", "mine");
    symlink("nothing", ws.path("dangling.json")).unwrap();
    for (path, text) in [
        ("Lpfile.toml", "the trace would replace `<project>/Lpfile.toml`, which is no trace"),
        ("notes.txt", "which is no trace"),
        ("dangling.json", "a link to nothing"),
    ] {
        ws.lp(&format!("build --trace {path}")).code(2).stderr_has(text);
    }
    assert_eq!(ws.read("notes.txt"), "mine");
    let mut redirected = ws.command(&["build", "--trace", "/dev/stdout"]);
    redirected.stdout(fs::File::create(ws.path("out.txt")).unwrap()).stderr(Stdio::null());
    assert_eq!(redirected.status().unwrap().code(), Some(2));
    assert!(fs::symlink_metadata("/dev/stdout").unwrap().is_symlink());
    assert!(!ws.exists("b.txt") && !ws.exists(".lpcache"));
    ws.write("real.json", "");
    symlink("real.json", ws.path("link.json")).unwrap();
    ws.lp("build copy --trace link.json").success();
    assert!(fs::symlink_metadata(ws.path("link.json")).unwrap().is_symlink());
    assert_eq!(told(&trace(&ws, "real.json")), ["task:copy: succeeded (new) in cpu 1"]);
    // A device stays one.
    ws.lp("build copy --trace /dev/null").success();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn an_interrupted_build_leaves_its_trace_and_its_reasons() {
    let ws = Workspace::tasks("[[task]]\nname = \"slow\"\ncommand = [\"sleep\", \"3600\"]\n");
    let mut child = ws.command(&["build", "--trace", "t.json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "task:slow  new");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(told(&trace(&ws, "t.json")), ["task:slow: cancelled (new) in cpu 1"]);
    let last = ws.lp("explain --last").success().stdout;
    assert!(last.ends_with("0 tasks ran, interrupted\ntask:slow  interrupted; new\n"), "{last}");
}

/// The summary and the lines behind it, sorted, without the times.
#[track_caller]
fn last(ended: Ended) -> String {
    let text = ended.success().stdout;
    let (head, rest) = text.split_once('\n').unwrap();
    assert!(head.starts_with("the build of 20") && head.contains(", which took "), "{head}");
    let mut lines: Vec<&str> = rest.lines().collect();
    lines.sort_unstable();
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{}\n{lines}", head.split_once(": ").unwrap().1)
}

#[test]
fn the_last_build_says_what_ran_and_why() {
    let ws = tasks();
    let ended = ws.lp("explain --last").code(1);
    assert_eq!(ended.stderr, "there is no record of a build that had something to do\n");
    assert!(!ws.exists(".lpcache"));
    ws.lp("build -j1 --keep-going").code(1);
    expect![[r#"
        2 tasks ran, 1 failed, 1 not started
        task:bad   failed: exit status 3; new
        task:copy  ran: new
        task:join  ran: new
        task:next  not started
    "#]]
    .assert_eq(&last(ws.lp("explain --last")));

    ws.write("a.txt", "b\n");
    fs::remove_file(ws.path("c.txt")).unwrap();
    ws.lp("build join").success();
    expect![[r#"
        2 tasks ran
        task:copy  ran: stale: `a.txt` changed
        task:join  ran: stale: `b.txt` changed
    "#]]
    .assert_eq(&last(ws.lp("explain --last")));
    expect![[r#"
        2 tasks ran
        task:join  ran: stale: `b.txt` changed
    "#]]
    .assert_eq(&last(ws.lp("explain --last join")));
    ws.lp("explain --last next").success().stderr_has("the last build had nothing to do for next");
    ws.lp("explain --last jion").code(2).stderr_has("did you mean `join`?");

    // A build with nothing to do is not the last one that did something.
    let before = ws.read(".lpcache/last");
    ws.lp("build join").success().stderr_has("nothing to do");
    assert_eq!(ws.read(".lpcache/last"), before);

    fs::remove_file(ws.path("c.txt")).unwrap();
    ws.lp("build join").success();
    expect![[r#"
        0 tasks ran, 1 restored, 1 fresh
        task:join  restored: output `c.txt` was deleted
    "#]]
    .assert_eq(&last(ws.lp("explain --last")));
    let document: Value = serde_json::from_str(&ws.lp("explain --last --json").success().stdout).unwrap();
    assert_eq!((&document["version"], &document["summary"]["restored"]), (&1.into(), &1.into()));
    assert_eq!(document["tasks"][0]["outcome"], "restored");
}

#[test]
fn a_build_that_was_killed_is_known_by_what_it_recorded() {
    let ws = Workspace::cameras();
    ws.lp("build plan:camera-2").success();
    let output =
        ws.command(&["build", "plan", "-j1"]).env("LP_FAILPOINT", "store.inside-log-line:2").output();
    assert_eq!(output.unwrap().status.code(), None);
    let ended = ws.lp("explain --last").success();
    assert_eq!(ended.stderr, "a later build was killed or still runs; it did `plan:camera-1`\n");
    assert_eq!(last(ended), "1 task ran\nplan:camera-2  ran: new\n");
    ws.write(".lpcache/last", "damaged");
    ws.lp("explain --last").code(1).stderr_has("there is no record of a build");
}

/// `lp` with these arguments on a terminal of 60 columns: all that it wrote.
#[track_caller]
fn on_a_terminal(ws: &Workspace, arguments: &str, kind: &str) -> String {
    let line = format!("stty cols 60; exec {} {arguments}", env!("CARGO_BIN_EXE_lp"));
    let output = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(ws.root())
        .env("LP_LOCK_DIR", ws.root().parent().unwrap().join("lock"))
        .env("TERM", kind)
        .env("NO_COLOR", "1")
        .env_remove("CI")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("`script` is part of every Debian");
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_terminal_gets_one_line_that_is_redrawn() {
    let ws = tasks();
    let shown = on_a_terminal(&ws, "build -j1 --keep-going", "xterm");
    assert!(shown.starts_with("\x1b[?2026h\r[0/4] task:copy  new\x1b[J\r\x1b[?2026l"), "{shown:?}");
    assert!(!shown.contains("task:copy  new\n"), "no line per task: {shown:?}");
    assert!(shown.contains("\r\x1b[J`task:bad` failed\n"), "it is told at once: {shown:?}");
    let end = "error: `task:bad` failed\n  caused by: exit status 3\n  | why\n\
               2 tasks ran, 1 failed, 1 not started\n";
    assert!(shown.ends_with(end), "and whole in the end: {shown:?}");
    let nothing = on_a_terminal(&ws, "build copy", "xterm");
    assert_eq!(nothing, "nothing to do: 1 task fresh\n");
}

#[test]
fn a_terminal_that_cannot_redraw_gets_plain_lines() {
    let shown = on_a_terminal(&tasks(), "build copy", "dumb");
    assert_eq!(shown, "task:copy  new\n1 task ran\n");
}

#[test]
fn a_line_ends_before_the_last_column() {
    let long = "x".repeat(80);
    let ws = Workspace::tasks(&format!("[[task]]\nname = \"{long}\"\ncommand = [\"true\"]\n"));
    let shown = on_a_terminal(&ws, "build", "xterm");
    let line = shown
        .strip_prefix("\x1b[?2026h\r")
        .unwrap_or_else(|| panic!("{shown:?}"))
        .split("\x1b[J")
        .next()
        .unwrap();
    assert_eq!(line, format!("[0/1] task:{}...", "x".repeat(59 - 11 - 3)));
}

#[test]
fn the_output_of_a_failed_task_is_shown_whole_without_escape_sequences() {
    let script =
        r#"printf '\033[31mred\033[0m\n10%%\r99%%\n\377\n\007\n'; seq 1 3000; printf 'no newline'; exit 1"#;
    let text = format!("[[task]]\nname = \"loud\"\ncommand = [\"sh\", \"-c\", {script:?}]\n");
    let ended = Workspace::tasks(&text).lp("build").code(1);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    let shown = |line: &str| format!("  | {line}");
    assert_eq!(
        lines[1..7],
        [
            "error: `task:loud` failed".to_owned(),
            "  caused by: exit status 1".to_owned(),
            shown("red"),
            shown("99%"),
            shown("\u{fffd}"),
            shown("\\u{7}"),
        ]
    );
    assert_eq!(lines[7], shown("1"));
    assert_eq!(lines[3006], shown("3000"));
    assert_eq!(lines[3007..], [shown("no newline"), "0 tasks ran, 1 failed".to_owned()]);
}

#[test]
fn every_task_of_a_build_has_its_event_with_a_time() {
    let ws = tasks();
    ws.lp("build copy join").success();
    fs::remove_file(ws.path("c.txt")).unwrap();
    fs::remove_file(ws.path("b.txt")).unwrap();
    let ended = ws.lp("build -j1 --keep-going --json").code(1);
    let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut told: Vec<String> = events
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or("").to_owned();
            let parts = ["event", "label", "outcome", "reason", "detail", "log"].map(text);
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" | ")
        })
        .collect();
    // Which of two that could run comes first is the engine's business.
    told[1..].sort();
    expect![[r#"
        started
        finished
        looked
        task_finished | task:bad | failed | exit status 3 | why

        task_finished | task:copy | restored | output `b.txt` was deleted
        task_finished | task:join | restored | output `c.txt` was deleted
        task_finished | task:next | skipped
        task_started | task:bad | new"#]]
    .assert_eq(&told.join("\n"));
    let times: Vec<u64> = events.iter().map(|event| event["at_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(ended.stderr, "");
}
