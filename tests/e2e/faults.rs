//! What a crash leaves behind, and two builds at once.

use std::process::{Command, Stdio};

use crate::support::{CAMERAS, Ended, Workspace};

/// `lp build plan` that dies at a fail-point.
#[track_caller]
fn die(ws: &Workspace, failpoint: &str) {
    let output = ws.command(&["build", "plan", "-j1"]).env("LP_FAILPOINT", failpoint).output().unwrap();
    assert_eq!(output.status.code(), None, "it is killed at `{failpoint}`");
}

#[test]
fn after_a_crash_at_each_fail_point_the_next_build_is_right() {
    let clean = Workspace::cameras();
    clean.lp("build plan").success();
    for failpoint in ["store.before-blob", "store.between", "store.inside-log-line"] {
        for nth in 1..=3 {
            let ws = Workspace::cameras();
            die(&ws, &format!("{failpoint}:{nth}"));
            ws.lp("build plan").success();
            for path in ["results/plan.json", "results/summary.json", "results/plan/camera-2.json"] {
                assert_eq!(ws.read(path), clean.read(path), "{failpoint}:{nth} {path}");
            }
            ws.lp("build plan").success().stderr_has("nothing to do: 3 tasks fresh");
        }
    }
}

#[test]
fn leftovers_of_a_crash_are_deleted_and_never_in_the_project() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    std::fs::remove_file(ws.path("results/plan.json")).unwrap();
    die(&ws, "store.before-place");
    let in_project = |folder: &str| -> Vec<String> {
        let names = std::fs::read_dir(ws.path(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with(".lp-")).collect()
    };
    assert_eq!(in_project("results"), [""; 0]);
    assert_eq!(in_project(".lpcache/tmp").len(), 1);
    // A process that wrote `state` and died; no process has such a number.
    ws.write(".lpcache/.lp-4194999-1-1", "half");
    ws.lp("build plan").success().stderr_has("0 tasks ran, 1 restored, 2 fresh");
    assert_eq!(in_project(".lpcache/tmp"), [""; 0]);
    assert_eq!(in_project(".lpcache"), [""; 0]);
}

#[test]
fn a_write_that_fails_fails_the_build_and_names_the_path_and_the_next_build_is_right() {
    let ws = Workspace::cameras();
    let trace = ws.path("trace");
    let build = |variable: &str, value: &str| {
        let output = ws.command(&["build", "plan", "-j1"]).env(variable, value).output().unwrap();
        Ended::new(output, &ws.root())
    };
    build("LP_FAILPOINT_TRACE", trace.to_str().unwrap()).success();
    let writes = ws.read("trace");
    let nth = 1 + writes.lines().position(|line| line.ends_with("/.lpcache/log")).unwrap();
    std::fs::remove_dir_all(ws.path(".lpcache")).unwrap();
    build("LP_FAILPOINT", &format!("fs:{nth}+"))
        .code(1)
        .stderr_has("<project>/.lpcache/log`")
        .stderr_has("No space left on device");
    ws.lp("build plan").success();
    ws.lp("build plan").success().stderr_has("nothing to do: 3 tasks fresh");
}

#[test]
fn a_crash_of_a_later_build_keeps_what_was_there() {
    let ws = Workspace::cameras();
    ws.lp("build plan").success();
    ws.write("configs/camera_to_workload.json", &CAMERAS.replacen("\"fps\": 15", "\"fps\": 30", 1));
    die(&ws, "store.inside-log-line");
    ws.lp("build plan").success();
    assert!(ws.read("results/plan.json").contains("\"fps\": 30"));
    ws.write("configs/camera_to_workload.json", CAMERAS);
    ws.lp("build plan").success().stderr_has("0 tasks ran, 2 restored");
}

#[test]
fn two_builds_at_once_do_the_work_once() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"count\"\ncommand = [\"sh\", \"-c\", \"echo x >> /dev/stdout; echo x >> count.txt; touch out\"]\n\
         outputs = [\"out\"]\n",
    );
    let children: Vec<_> = (0..3).map(|_| ws.command(&["build"]).spawn().unwrap()).collect();
    for child in children {
        Ended::new(child.wait_with_output().unwrap(), &ws.root()).success();
    }
    assert_eq!(ws.read("count.txt"), "x\n");
}

/// Starts `lp build` and returns it with its first line of stderr.
fn start(ws: &Workspace) -> (std::process::Child, String) {
    use std::io::{BufRead, BufReader};
    // Whoever runs the tests under `nohup` has SIGHUP ignored, which is inherited.
    let lp = ws.command(&["build"]);
    let mut child = Command::new("env");
    child.arg("--default-signal=HUP").arg(lp.get_program()).args(lp.get_args()).current_dir(ws.root());
    for (name, value) in lp.get_envs() {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    child.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

#[track_caller]
fn signal(child: &std::process::Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[track_caller]
fn interrupt(mut child: std::process::Child) {
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

const SLOW: &str =
    "[[task]]\nname = \"slow\"\ncommand = [\"sh\", \"-c\", \"echo $$ > pid; exec sleep 3600\"]\n";

#[test]
fn a_terminated_build_ends_as_an_interrupted_one_does() {
    for name in ["-TERM", "-HUP"] {
        let ws = Workspace::tasks(SLOW);
        let (mut child, _) = start(&ws);
        signal(&child, name);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
    }
}

#[test]
fn a_build_under_nohup_outlives_its_terminal() {
    let ws = Workspace::tasks(
        "[[task]]\nname = \"t\"\ncommand = [\"sh\", \"-c\", \"echo begun > begun; read line < go; echo done > out\"]\n\
         outputs = [\"out\"]\n",
    );
    for name in ["begun", "go"] {
        assert!(Command::new("mkfifo").arg(ws.path(name)).status().unwrap().success());
    }
    let lp = ws.command(&["build"]);
    let mut child = Command::new("nohup");
    child
        .arg(lp.get_program())
        .arg("build")
        .current_dir(ws.root())
        .envs(lp.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(ws.read("begun"), "begun\n");
    signal(&child, "-HUP");
    ws.write("go", "go\n");
    assert!(child.wait().unwrap().success());
    assert_eq!(ws.read("out"), "done\n");
}

#[test]
fn a_task_that_would_sleep_for_an_hour_ends_with_130_and_leaves_no_process() {
    let ws = Workspace::tasks(SLOW);
    let (child, line) = start(&ws);
    assert_eq!(line, "task:slow  new\n");
    interrupt(child);
    if ws.exists("pid") && !ws.read("pid").trim().is_empty() {
        assert!(!std::path::Path::new("/proc").join(ws.read("pid").trim()).exists());
    }
}

#[test]
fn a_waiting_build_names_the_holder_and_can_be_interrupted() {
    let ws = Workspace::tasks(SLOW);
    let (first, _) = start(&ws);
    let (second, line) = start(&ws);
    assert!(line.starts_with("waiting for `"), "{line}");
    assert!(line.contains(&format!("(pid {})", first.id())), "{line}");
    interrupt(second);
    interrupt(first);
}

#[test]
fn a_full_disk_or_an_unwritable_place_fails_the_task_and_says_where() {
    let ws = Workspace::cameras();
    // `results` is a file, so nothing can be written below it: the same for root.
    ws.write("results", "");
    let ended = ws.lp("build plan").code(1);
    assert!(ended.stderr.contains("/results"), "{}", ended.stderr);
    assert_eq!(ws.read("results"), "");
}
