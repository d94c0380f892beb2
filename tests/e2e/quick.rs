//! The quick way of `lp build`: whatever changes is seen, whoever has to be asked.

use std::fs;
use std::io::{BufRead, Read};
use std::os::unix::fs::PermissionsExt;

use crate::support::{CAMERAS, Ended, Workspace};

const TASKS: &str = r#"
[project]
include = ["tasks/*.toml"]

[[task]]
name = "copy"
command = ["cp", "a.txt", "b.txt"]
inputs = ["a.txt"]
outputs = ["b.txt"]
pass = ["COLOUR"]

[[task]]
name = "list"
command = ["sh", "-c", "ls dir > list.txt"]
inputs = ["dir"]
outputs = ["list.txt"]

[[task]]
name = "join"
command = ["sh", "-c", "cat b.txt list.txt > c.txt"]
inputs = ["b.txt", "list.txt"]
outputs = ["c.txt"]

[profile.other]
run.duration = "5s"
"#;

fn project() -> Workspace {
    let ws = Workspace::tasks(TASKS)
        .file("a.txt", "x\n")
        .file("dir/one", "")
        .env("LP_LOG", "lp::workspace::warm=debug");
    ws.lp("build -j1").success().stderr_has("3 tasks ran");
    ws
}

impl Ended {
    /// That `n` of `of` tasks were looked at the quick way.
    #[track_caller]
    fn quick(self, n: usize, of: usize) -> Ended {
        self.stderr_has(&format!("looking at {n} of {of} tasks"))
    }

    #[track_caller]
    fn whole(self) -> Ended {
        assert!(!self.stderr.contains("looking at"), "{}", self.stderr);
        self
    }

    /// That the config was read, and `n` of `of` tasks are as in the image.
    #[track_caller]
    fn known(self, n: usize, of: usize) -> Ended {
        self.whole().stderr_has(&format!("{n} of {of} tasks are known"))
    }
}

#[test]
fn a_no_op_looks_at_no_task() {
    let ws = project();
    ws.lp("build").success().quick(0, 3).stderr_has("nothing to do: 3 tasks fresh");
    let json = ws.lp("build --json").success().quick(0, 3).stdout;
    assert_eq!(json.lines().count(), 2, "{json}");
    assert!(json.contains(r#""tasks":3"#) && json.contains(r#""fresh":3"#), "{json}");
    // Another request has an image of its own.
    ws.lp("build copy").success().whole().stderr_has("nothing to do: 1 task fresh");
    ws.lp("build copy").success().quick(0, 1);
    ws.lp("build").success().quick(0, 3);
}

#[test]
fn a_changed_file_affects_only_the_tasks_after_it() {
    let ws = project();
    ws.write("a.txt", "y\n");
    ws.lp("build -j1").success().quick(2, 3).stderr_has(
        "task:copy  stale: `a.txt` changed\ntask:join  stale: `b.txt` changed\n2 tasks ran, 1 fresh\n",
    );
    assert_eq!(ws.read("c.txt"), "y\none\n");
    ws.lp("build").success().quick(0, 3);
    ws.write("a.txt", "y\n");
    ws.lp("build").success().quick(2, 3).stderr_has("nothing to do: 3 tasks fresh");
    ws.lp("build").success().quick(0, 3);
}

#[test]
fn every_change_of_a_file_is_seen() {
    type Change = fn(&Workspace);
    let changes: [(&str, Change, &str); 9] = [
        ("a new file in a folder", |ws| ws.write("dir/two", ""), "`dir` changed"),
        ("a deleted output", |ws| fs::remove_file(ws.path("b.txt")).unwrap(), "restored"),
        ("an edited output", |ws| ws.write("c.txt", "edited"), "restored"),
        (
            "an output that became a folder",
            |ws| {
                fs::remove_file(ws.path("c.txt")).unwrap();
                fs::create_dir(ws.path("c.txt")).unwrap();
            },
            "restored",
        ),
        (
            "an executable output",
            |ws| {
                fs::set_permissions(ws.path("c.txt"), fs::Permissions::from_mode(0o755)).unwrap();
            },
            "restored",
        ),
        (
            "the same size and time",
            |ws| {
                let time = fs::metadata(ws.path("a.txt")).unwrap().modified().unwrap();
                ws.write("a.txt", "y\n");
                fs::File::options().write(true).open(ws.path("a.txt")).unwrap().set_modified(time).unwrap();
            },
            "`a.txt` changed",
        ),
        (
            "an older file",
            |ws| {
                ws.write("older", "z\n");
                let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(86400);
                fs::File::options().write(true).open(ws.path("older")).unwrap().set_modified(old).unwrap();
                fs::rename(ws.path("older"), ws.path("a.txt")).unwrap();
            },
            "`a.txt` changed",
        ),
        (
            "a link in place of a file",
            |ws| {
                ws.write("target", "t\n");
                fs::remove_file(ws.path("a.txt")).unwrap();
                std::os::unix::fs::symlink("target", ws.path("a.txt")).unwrap();
            },
            "`a.txt` changed",
        ),
        (
            "a file from the future",
            |ws| {
                ws.write("a.txt", "f\n");
                let future = std::time::SystemTime::now() + std::time::Duration::from_secs(86400);
                fs::File::options().write(true).open(ws.path("a.txt")).unwrap().set_modified(future).unwrap();
            },
            "`a.txt` changed",
        ),
    ];
    for ((what, change, reason), is_edited) in
        changes.into_iter().flat_map(|change| [(change, false), (change, true)])
    {
        let ws = project();
        ws.lp("build").success().quick(0, 3);
        change(&ws);
        if is_edited {
            ws.write("Lpfile.toml", &TASKS.replace("5s", "6s"));
        }
        let ended = ws.lp("build").success();
        let ended = if is_edited { ended.known(3, 3) } else { ended };
        assert!(ended.stderr.contains(reason), "{what}: {}", ended.stderr);
        let left = (ws.read("b.txt"), ws.read("c.txt"));
        assert_eq!(left.1, format!("{}{}", left.0, ws.read("list.txt")), "{what}");
        assert_eq!(left.0, ws.read("a.txt"), "{what}");
        let again = ws.lp("build").success();
        assert!(again.stderr.contains("nothing to do: 3 tasks fresh"), "{what}: {}", again.stderr);
    }
}

#[test]
fn every_change_of_the_basis_is_seen() {
    let ws = project();
    let quick =
        |ws: &Workspace| drop(ws.lp("build").success().quick(0, ws.read("n").trim().parse().unwrap()));
    ws.write("n", "3");
    quick(&ws);
    ws.write("Lpfile.toml", &TASKS.replace("ls dir", "ls -a dir"));
    ws.lp("build").success().whole().stderr_has("task:list  stale: `command` changed");
    quick(&ws);
    ws.write("tasks/more.toml", "[[task]]\nname = \"more\"\ncommand = [\"true\"]\n");
    ws.lp("build").success().whole().stderr_has("task:more  new");
    ws.write("n", "4");
    quick(&ws);
    ws.write("tasks/more.toml", "[[task]]\nname = \"more\"\ncommand = [\"echo\"]\n");
    ws.lp("build").success().whole().stderr_has("task:more  stale: `command` changed");
    quick(&ws);
    ws.lp("build --profile other").success().whole();
    ws.lp("build --set run.duration=7s").success().whole();
    let ws = ws.env("COLOUR", "red");
    ws.lp("build").success().whole().stderr_has("task:copy  stale: `COLOUR` changed");
    quick(&ws);
    fs::remove_file(ws.path("tasks/more.toml")).unwrap();
    ws.lp("build").success().whole().stderr_has("nothing to do: 3 tasks fresh");
    ws.write("Lpfile.toml", "[[task]]\n");
    ws.lp("build").code(2).whole();
}

#[test]
fn after_a_config_edit_only_edited_tasks_are_examined() {
    let ws = project();
    let extra = |command: &str| format!("{TASKS}\n[[task]]\nname = \"extra\"\ncommand = [\"{command}\"]\n");
    ws.write("Lpfile.toml", &extra("true"));
    ws.lp("build").success().known(3, 4).stderr_has("1 task ran, 3 fresh");
    ws.write("Lpfile.toml", &extra("echo"));
    ws.lp("build").success().known(3, 4).stderr_has("task:extra  stale: `command` changed");
    // What was edited comes back as it was, and what waits for an edited task
    // is not taken for fresh.
    ws.write("Lpfile.toml", &extra("true").replace("\"a.txt\", \"b.txt\"]", "\"-f\", \"a.txt\", \"b.txt\"]"));
    ws.lp("build").success().known(2, 4).stderr_has("task:copy   stale: `command` changed");
    ws.write(
        "Lpfile.toml",
        &TASKS
            .replace("\"a.txt\", \"b.txt\"]", "\"dir/one\", \"b.txt\"]")
            .replace("\"a.txt\"]", "\"dir/one\"]"),
    );
    ws.lp("build -j1").success().known(2, 3).stderr_has("2 tasks ran, 1 fresh");
    assert_eq!(ws.read("c.txt"), "one\n");
    // Another place for the same path is another file.
    let moved = "[[task]]\nname = \"copy\"\ncommand = [\"sh\", \"-c\", \"cat */x > y\"]\ninputs = [\"media/x\"]\noutputs = [\"y\"]\n";
    let ws = Workspace::tasks(moved).file("media/x", "1\n").env("LP_LOG", "lp::workspace::warm=debug");
    ws.lp("build").success();
    fs::rename(ws.path("media"), ws.path("videos")).unwrap();
    ws.write("Lpfile.toml", &format!("[paths]\nmedia = \"videos\"\n{moved}"));
    ws.lp("build").success().known(0, 1).stderr_has("nothing to do");
    ws.write("Lpfile.toml", &format!("[paths]\nmedia = \"videos\"\n\n{moved}"));
    ws.lp("build").success().known(1, 1).stderr_has("nothing to do");
    // Nor is anything known to whoever has lost the reasons.
    ws.lp("cache clean").success();
    ws.write("Lpfile.toml", &format!("[paths]\nmedia = \"videos\"\n{moved}"));
    ws.lp("build").success().known(0, 1).stderr_has("task:copy  new");
}

#[test]
fn a_missing_input_is_refused_with_its_place_as_ever() {
    let ws = project();
    fs::remove_file(ws.path("a.txt")).unwrap();
    ws.lp("build").code(2).stderr_has("`a.txt` does not exist, and `task:copy` reads it");
}

#[test]
fn warnings_are_counted_each_time_and_shown_by_lp_check() {
    let cameras = CAMERAS.replacen("\"fps\": 15", "\"fps\": 15, \"widht\": 3", 1);
    let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
    for _ in 0..3 {
        let ended = ws.lp("build plan").success();
        assert!(ended.stderr.starts_with("1 warning, see `lp check`\n"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("widht"), "{}", ended.stderr);
    }
    ws.lp("check").success().stderr_has("warning[LP0201]: unknown key `widht`");
    for arguments in ["show", "graph", "explain plan", "build -n plan"] {
        let ended = ws.lp(arguments);
        assert_eq!(ended.stderr.matches("warning").count(), 1, "{arguments}: {}", ended.stderr);
        assert!(!ended.stdout.contains("warning"), "{arguments}: {}", ended.stdout);
    }
    // Errors are shown in full, and are not buried.
    ws.write("configs/camera_to_workload.json", &cameras.replacen("640", "0", 1));
    let ended = ws.lp("show").code(2);
    assert!(ended.stderr.contains("error[") && !ended.stderr.contains("warning["), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("error: 1 error; 1 warning, see `lp check`\n"), "{}", ended.stderr);
}

#[test]
fn a_task_that_failed_or_must_always_run_is_looked_at_each_time() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"bad\"\ncommand = [\"false\"]\n\
         [[task]]\nname = \"always\"\ncommand = [\"true\"]\ncache = false\n\
         [[task]]\nname = \"once\"\ncommand = [\"true\"]\n",
    )
    .env("LP_LOG", "lp::workspace::warm=debug");
    ws.lp("build -k").code(1).whole();
    for _ in 0..2 {
        let ended = ws.lp("build -k").code(1).quick(2, 3);
        assert!(ended.stderr.contains("1 task ran, 1 failed, 1 fresh"), "{}", ended.stderr);
    }
}

#[test]
fn changes_during_a_build_are_seen_by_the_next() {
    // `edit` changes what `copy` has read already, and the config as well.
    let ws = Workspace::tasks(
        r#"
[[task]]
name = "copy"
command = ["cp", "a.txt", "b.txt"]
inputs = ["a.txt"]
outputs = ["b.txt"]

[[task]]
name = "edit"
command = ["sh", "-c", "echo y > a.txt; printf '\n[[task]]\nname = \"new\"\ncommand = [\"true\"]\n' >> Lpfile.toml"]
after = ["copy"]
"#,
    )
    .file("a.txt", "x\n");
    ws.lp("build").success();
    ws.lp("build").success().stderr_has("task:copy  stale: `a.txt` changed\n").stderr_has("task:new   new");
    assert_eq!(ws.read("b.txt"), "y\n");
}

#[test]
fn a_damaged_image_is_as_good_as_none() {
    let ws = project();
    let damages: [fn(&mut Vec<u8>); 3] =
        [|bytes| bytes.truncate(100), |bytes| bytes.clear(), |bytes| bytes[60] ^= 4];
    for ending in ["tasks", "seen"] {
        for damage in damages {
            for entry in fs::read_dir(ws.path(".lpcache/graph")).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|found| found == ending) {
                    let mut bytes = fs::read(&path).unwrap();
                    damage(&mut bytes);
                    fs::write(&path, bytes).unwrap();
                }
            }
            ws.lp("build").success().stderr_has("nothing to do: 3 tasks fresh");
            ws.lp("build").success().quick(0, 3);
        }
    }
}

#[test]
fn an_overtaken_build_looks_again_and_starts_once() {
    let ws = Workspace::tasks(&format!(
        "{TASKS}\n[[task]]\nname = \"slow\"\ncommand = [\"sh\", \"-c\", \"read line < go\"]\n"
    ))
    .file("a.txt", "x\n")
    .file("dir/one", "");
    ws.lp("build copy").success();
    ws.write("a.txt", "y\n");
    assert!(std::process::Command::new("mkfifo").arg(ws.path("go")).status().unwrap().success());
    let mut slow = ws.command(&["build", "slow"]).spawn().unwrap();
    let mut first = std::io::BufReader::new(slow.stderr.take().unwrap());
    first.read_line(&mut String::new()).unwrap();
    let mut second = ws.command(&["build", "copy", "--json"]).spawn().unwrap();
    let mut events = std::io::BufReader::new(second.stdout.take().unwrap());
    let mut text = String::new();
    while !text.contains("waiting") {
        assert!(events.read_line(&mut text).unwrap() > 0, "{text}");
    }
    ws.write("go", "go\n");
    events.read_to_string(&mut text).unwrap();
    assert!(slow.wait().unwrap().success() && second.wait().unwrap().success());
    for event in ["started", "finished"] {
        assert_eq!(text.matches(&format!("\"event\":\"{event}\"")).count(), 1, "{text}");
    }
    assert!(text.contains("`a.txt` changed"), "{text}");
    assert_eq!(ws.read("b.txt"), "y\n");
}
