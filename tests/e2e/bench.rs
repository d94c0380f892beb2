//! Repeats, matrices and gates, on simulated machines whose time passes quickly.

use std::process::Child;

use expect_test::expect;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Ended, Workspace};

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/simulated-worker");

/// A lane of cameras with a profile for each machine: its name, and the files that describe it.
fn machines(cameras: &[&str], machines: &[(&str, &[(&str, &str)])]) -> Workspace {
    let camera = |name: &&str| {
        format!(
            r#"{{"camera_id": "{name}", "streamUri": "rtsp://h/{name}", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}}"#
        )
    };
    let cameras: Vec<String> = cameras.iter().map(camera).collect();
    let ws = Workspace::tasks("")
        .file(
            "configs/camera_to_workload.json",
            &format!(r#"{{"lane_config": {{"cameras": [{}]}}}}"#, cameras.join(", ")),
        )
        .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "zbar"}]}}"#)
        .unseen_machine();
    let mut lpfile = "[run]\nisolation = \"lane\"\nduration = \"20s\"\nwarmup = \"0s\"\n".to_owned();
    for (index, (name, files)) in machines.iter().enumerate() {
        let folder = ws.path(name).to_str().unwrap().to_owned();
        let table = if index == 0 { "worker".to_owned() } else { format!("profile.{name}.worker") };
        lpfile.push_str(&format!(
            "\n[{table}]\ncommand = [\"env\", \"SIMULATED_WORKER={folder}\", \"{WORKER}\"]\n"
        ));
        if index == 0 {
            lpfile.push_str(&format!("\n[profile.{name}.run]\nisolation = \"lane\"\n"));
        }
        ws.write(&format!("{name}/capacity"), "1000\n");
        for (file, text) in *files {
            ws.write(&format!("{name}/{file}"), text);
        }
    }
    ws.write("Lpfile.toml", &lpfile);
    ws
}

/// How many runs a machine has made.
fn runs(ws: &Workspace, machine: &str) -> usize {
    let place = format!("{machine}/started");
    if !ws.exists(&place) {
        return 0;
    }
    ws.read(&place).lines().filter(|line| line.starts_with("start ") && line.ends_with(" 1")).count()
}

fn document(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
}

/// The names of cells with the number of their runs.
fn cells(document: &Value) -> Vec<(String, usize)> {
    let cells = document["cells"].as_array().unwrap().iter();
    cells
        .map(|cell| (cell["name"].as_str().unwrap().to_owned(), cell["runs"].as_array().unwrap().len()))
        .collect()
}

fn last_line(ended: &Ended) -> &str {
    ended.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_cell_is_measured_until_its_interval_is_narrow_and_then_not_again() {
    let ws = machines(&["a"], &[("steady", &[("cpu", "60000 10\n")])]);
    let ended = ws.lp("bench").success();
    assert!(ended.stdout.starts_with("\n1 of 1 cell measured, 5 repeats\n"), "{}", ended.stdout);
    assert!(ended.stderr.contains("run 5 of about 5: as configured, repeat 5; about "), "{}", ended.stderr);
    assert_eq!(runs(&ws, "steady"), 5);
    // Each is a run like any other.
    assert_eq!(ws.lp("list runs").success().stdout.lines().count(), 6);

    let again = ws.lp("bench").success();
    assert!(
        again.stderr.contains("nothing to measure: the cell has enough runs; `--again` adds one to each\n"),
        "{}",
        again.stderr
    );
    assert_eq!(again.stdout, ended.stdout);
    assert_eq!(runs(&ws, "steady"), 5);
    let document = document(&ws.lp("bench --again --json").success());
    assert_eq!((cells(&document), &document["new_runs"]), (vec![("as configured".to_owned(), 6)], &1.into()));
    assert_eq!(runs(&ws, "steady"), 6);

    // The mean of all six, by hand: 4000 us a frame, by 1 % times (13 n mod 21 - 10) / 10.
    let figure = document["cells"][0]["figures"].as_array().unwrap().iter();
    let figure = figure.clone().find(|one| one["metric"] == "cpu_per_frame" && one["at"] == "lane").unwrap();
    let expected: Vec<f64> =
        (1..=6).map(|n: i32| 4000.0 * (1.0 + f64::from(n * 13 % 21 - 10) / 1000.0)).collect();
    for (value, expected) in figure["values"].as_array().unwrap().iter().zip(&expected) {
        assert!((value.as_f64().unwrap() - expected).abs() < 1.0, "{figure} {expected:?}");
    }
}

#[test]
fn a_wide_spread_needs_more_runs_up_to_a_limit_and_a_number_may_be_asked_for() {
    let ws = machines(&["a"], &[("wild", &[("cpu", "60000 200\n")])]);
    let ended = ws.lp("bench --max-runs 7 --json").success();
    assert_eq!(cells(&document(&ended)), [("as configured".to_owned(), 7)]);
    // Half of an interval of 15 % is enough with those.
    ws.lp("bench --within 15% --json").success().stderr_has("nothing to measure");
    let exactly = ws.lp("bench --runs 8 --json").success();
    assert_eq!(cells(&document(&exactly)), [("as configured".to_owned(), 8)]);
    ws.lp("bench --runs 0").code(2).stderr_has("expected a number from 1 to 1000");
    ws.lp("bench --within 0%").code(2).stderr_has("expected a share such as");
}

#[test]
fn a_matrix_measures_each_cell_and_only_those_that_are_missing() {
    let ws = machines(&["a", "b"], &[("cpu", &[]), ("gpu", &[("cpu", "30000 1\n")])]);
    let ended =
        ws.lp("bench --matrix profile=cpu,gpu camera=* count=1,2 --runs 2 --seed 7 --dry-run").success();
    expect![[r#"
        profile=cpu camera=a count=1  2 runs (about 44 s), after what it needs is made
        profile=cpu camera=a count=2  2 runs (about 44 s), after what it needs is made
        profile=cpu camera=b count=1  2 runs (about 44 s), after what it needs is made
        profile=cpu camera=b count=2  2 runs (about 44 s), after what it needs is made
        profile=gpu camera=a count=1  2 runs (about 44 s), after what it needs is made
        profile=gpu camera=a count=2  2 runs (about 44 s), after what it needs is made
        profile=gpu camera=b count=1  2 runs (about 44 s), after what it needs is made
        profile=gpu camera=b count=2  2 runs (about 44 s), after what it needs is made
        16 runs would be made, which takes about 6 min
    "#]]
    .assert_eq(&ended.stdout);
    assert_eq!((runs(&ws, "cpu"), runs(&ws, "gpu")), (0, 0));

    ws.lp("bench --matrix profile=cpu camera=a,b --runs 1").success();
    assert_eq!((runs(&ws, "cpu"), runs(&ws, "gpu")), (2, 0));
    let ended = ws.lp("bench --matrix profile=cpu,gpu camera=a,b --runs 1 --seed 7 --json").success();
    assert_eq!((runs(&ws, "cpu"), runs(&ws, "gpu")), (2, 2));
    let document = document(&ended);
    assert_eq!((&document["new_runs"], &document["seed"]), (&2.into(), &7.into()));
    assert_eq!(cells(&document).iter().map(|(_, n)| n).sum::<usize>(), 4);
    // The results are files, too.
    let folder = "results/bench/profile-camera";
    let kept = ws.read(&format!("{folder}/bench.json")).replace(ws.root().to_str().unwrap(), "<project>");
    assert_eq!(kept, ended.stdout);
    assert!(ws.read(&format!("{folder}/bench.html")).contains("<svg"));
    assert!(ws.read(&format!("{folder}/bench.md")).starts_with("**"));
    assert!(ws.read(&format!("{folder}/bench.csv")).starts_with("cell,subject,state"));
}

#[test]
fn the_order_of_runs_is_that_of_the_seed() {
    let order = |seed: &str| {
        let ws = machines(&["a"], &[("one", &[]), ("two", &[])]);
        let ended = ws.lp(["bench", "--matrix", "profile=one,two", "--runs", "4", "--seed", seed]).success();
        let lines = ended.stderr.lines().filter(|line| line.starts_with("run "));
        let name = |line: &str| if line.contains("profile=one") { '1' } else { '2' };
        lines.map(name).collect::<String>()
    };
    let [first, same, other] = ["3", "3", "4"].map(order);
    assert_eq!(first, same);
    assert_ne!(first, other);
    // Each round has both.
    for round in first.as_bytes().chunks(2) {
        assert_ne!(round[0], round[1], "{first}");
    }
}

#[test]
fn every_fault_of_a_request_is_said_at_once_before_anything_runs() {
    let ws = machines(&["a"], &[("cpu", &[])]);
    let words = "bench --matrix profile=cpu,fast camera=a,z run.durtion=1s,2s run.count=1,0 x=";
    let ended = ws.lp(words).code(2);
    ended.stderr_has("error: `--matrix x=` has an empty value\n");
    let ended = ws.lp("bench --matrix profile=cpu,fast camera=a,z run.durtion=1s,2s run.count=1,0").code(2);
    for fault in ["unknown key `run.durtion`", "there is no profile `fast`", "run.count"] {
        assert!(ended.stderr.contains(fault), "no `{fault}` in:\n{}", ended.stderr);
    }
    ws.lp("bench --matrix camera=a,z profile=cpu").code(2).stderr_has("error: there is no camera `z`\n");
    ws.lp("bench a --matrix camera=a").code(2).stderr_has("error: cameras are named twice");
    ws.lp("bench --count 2 --matrix count=1,2").code(2).stderr_has("error: `run.count` is set twice");
    ws.lp("bench --profile cpu --matrix profile=cpu")
        .code(2)
        .stderr_has("error: `--profile cpu` has no effect");
    ws.lp("bench --gate")
        .code(2)
        .stderr_has("error: `--gate` compares, and there is nothing to compare with\n");
    ws.lp("bench --metric fpps").code(2).stderr_has("hint: did you mean `fps`?");
    ws.lp("bench --duration 0s").code(2).stderr_has("a benchmark needs runs that end");
    ws.lp("bench --baseline profile=cpu latest").code(2).stderr_has("found both: `profile=cpu`");
    assert_eq!(runs(&ws, "cpu"), 0);
    assert!(!ws.exists("results/bench"));
}

#[test]
fn a_cell_that_cannot_be_played_here_does_not_stop_the_others() {
    let ws = machines(&["a"], &[("cpu", &[])]);
    let here = ws.path("cpu").to_str().unwrap().to_owned();
    let axis = format!(r#"worker.command=["./none"],["env","SIMULATED_WORKER={here}","{WORKER}"]"#);
    let ended = ws.lp(["bench", "--runs", "1", "--json", "--matrix", &axis]).success();
    let document = document(&ended);
    assert_eq!(document["cells"][0]["state"], "not_available", "{document}");
    let reason = document["cells"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("./none"), "{reason}");
    assert_eq!((&document["cells"][1]["state"], runs(&ws, "cpu")), (&"measured".into(), 1));
    // If none can be played, that is an error as of a run.
    ws.lp(["bench", "--set", r#"worker.command=["./none"]"#]).code(2).stderr_has("./none");
}

#[test]
fn runs_that_were_interrupted_or_failed_never_count() {
    let ws = machines(&["a"], &[("one", &[("dies", "a/1 5\n")])]);
    let ended = ws.lp("bench --runs 2 --json").code(1);
    let failed = document(&ended);
    assert_eq!(cells(&failed), [("as configured".to_owned(), 0)]);
    assert_eq!(failed["cells"][0]["state"], "unfinished");
    let reason = failed["cells"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("3 runs in a row did not count: a/1 of a failed: "), "{reason}");
    std::fs::remove_file(ws.path("one/dies")).unwrap();

    ws.lp("bench --runs 1").success();
    let child = begun(&ws, &["bench", "--runs", "3", "--json"]);
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    // It says what there is.
    let stopped = document(&Ended::new(child.wait_with_output().unwrap(), &ws.root()).code(130));
    assert_eq!(
        (cells(&stopped), &stopped["interrupted"]),
        (vec![("as configured".to_owned(), 1)], &true.into())
    );
    std::fs::remove_file(ws.path("one/hold")).unwrap();
    let ended = ws.lp("bench --runs 3 --json").success();
    let whole = document(&ended);
    assert_eq!((cells(&whole), &whole["new_runs"]), (vec![("as configured".to_owned(), 3)], &2.into()));
    let dismissed = whole["cells"][0]["dismissed"].as_array().unwrap();
    assert_eq!(dismissed.len(), 4, "{dismissed:?}");
    assert_eq!(dismissed[3]["why"], "it was interrupted", "{dismissed:?}");
    ws.lp("bench --runs 3").success().stdout_has(" does not count: it was interrupted");
}

/// A benchmark that is in a run in which no time passes.
fn begun(ws: &Workspace, words: &[&str]) -> Child {
    ws.write("one/hold", "");
    let before = runs(ws, "one");
    let child = ws.command(words).spawn().unwrap();
    while runs(ws, "one") == before {
        std::thread::yield_now();
    }
    child
}

#[test]
fn a_benchmark_that_is_killed_loses_the_run_in_progress_and_goes_on() {
    let ws = machines(&["a"], &[("one", &[])]);
    ws.lp("bench --runs 2").success();
    let mut child = begun(&ws, &["bench", "--runs", "4"]);
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_file(ws.path("one/hold")).unwrap();
    let whole = document(&ws.lp("bench --runs 4 --json").success());
    assert_eq!((cells(&whole), &whole["new_runs"]), (vec![("as configured".to_owned(), 4)], &2.into()));
    assert_eq!(whole["cells"][0]["dismissed"].as_array().unwrap().len(), 0);
}

/// A project with two machines, of which the second uses so much more CPU time per frame.
fn slower(percent: u32) -> Workspace {
    let cpu = format!("{} 10\n", 60_000 + 600 * percent);
    machines(&["a", "b"], &[("old", &[("cpu", "60000 10\n")]), ("new", &[("cpu", &cpu)])])
}

#[test]
fn a_gate_finds_what_is_slower_and_passes_what_is_the_same() {
    let ws = slower(5);
    let ended = ws.lp("bench --profile new --baseline profile=old --gate --seed 1").code(1);
    let last = last_line(&ended);
    assert!(last.starts_with("error: gate: worse: as configured is worse: "), "{last}");
    // As measured in eight pairs at a deviation of 1 %.
    let found = last.split_once("CPU time per frame +").and_then(|(_, rest)| rest.split(' ').next());
    let found: f64 = found.and_then(|found| found.parse().ok()).unwrap_or_else(|| panic!("{last}"));
    assert!((3.5..6.5).contains(&found), "{last}");
    assert_eq!((runs(&ws, "old"), runs(&ws, "new")), (8, 8));
    // Its pairs are known again, so that nothing is measured.
    let again = ws.lp("bench --profile new --baseline profile=old --gate --json").code(1);
    assert_eq!(document(&again)["gate"]["result"], "worse");
    assert_eq!((runs(&ws, "old"), runs(&ws, "new")), (8, 8));
    let page = ws.read("results/bench/lane-profile/bench.html");
    assert!(page.contains(">worse<"), "{page}");

    // The other way round, the same runs are better.
    let ended = ws.lp("bench --baseline profile=new --gate").success();
    assert!(last_line(&ended).starts_with("gate: fine: as configured is better: "), "{}", ended.stderr);

    let ws = slower(0);
    let ended = ws.lp("bench --profile new --baseline profile=old --gate --seed 1").success();
    assert!(last_line(&ended).starts_with("gate: fine: as configured is the same: "), "{}", ended.stderr);
}

#[test]
fn what_cannot_be_told_or_is_missing_never_passes_a_gate() {
    // Runs that differ by a fifth tell nothing of 5 %.
    let ws = machines(&["a"], &[("old", &[("cpu", "60000 200\n")]), ("new", &[("cpu", "63000 200\n")])]);
    let ended = ws.lp("bench --profile new --baseline profile=old --gate --runs 4").code(3);
    assert!(last_line(&ended).starts_with("error: gate: cannot tell: "), "{}", ended.stderr);
    // One run each.
    let ws = slower(50);
    let ended = ws.lp("bench --profile new --baseline profile=old --gate --runs 1").code(3);
    assert!(last_line(&ended).contains("one run each: cannot tell"), "{}", ended.stderr);
    // A candidate that cannot be played here.
    let ws = slower(0);
    let ended =
        ws.lp(["bench", "--set", r#"worker.command=["./none"]"#, "--baseline", "profile=old", "--gate"]);
    let ended = ended.code(2);
    assert!(ended.stderr.contains("./none"), "{}", ended.stderr);
}

#[test]
fn a_matrix_says_which_placement_is_best_if_the_test_does() {
    let ws = machines(
        &["a"],
        &[
            ("cpu", &[("cpu", "60000 10\n")]),
            ("gpu", &[("cpu", "30000 10\n")]),
            ("npu", &[("cpu", "30100 10\n")]),
        ],
    );
    let ended = ws.lp("bench --matrix profile=cpu,gpu --runs 5").success();
    assert!(ended.stdout.starts_with("\nbest by CPU time per frame: profile=gpu\n"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("profile=gpu is better: ") && ended.stdout.contains("(against profile=cpu)"),
        "{}",
        ended.stdout
    );
    let ended = ws.lp("bench --matrix profile=cpu,gpu,npu --runs 5").success();
    assert!(ended.stdout.starts_with("\nno best by CPU time per frame can be named: "), "{}", ended.stdout);
}

#[test]
fn whatever_a_cell_depends_on_makes_another_one_and_is_named() {
    let cpuinfo = |model: &str| format!("processor\t: 0\nmodel name\t: {model}\n");
    let ws = machines(&["a", "b"], &[("one", &[])]).file("sysroot/proc/cpuinfo", &cpuinfo("Old"));
    let root = ws.path("sysroot").to_str().unwrap().to_owned();
    let ws = ws.env("LP_SYSROOT", &root);
    ws.lp("bench --runs 1").success();
    ws.lp("bench --runs 1").success().stderr_has("nothing to measure");
    let missing = |why: &str| {
        let listed = ws.lp("bench --runs 1 -n").success();
        assert!(listed.stdout.contains("1 run ("), "{why}: {}", listed.stdout);
        let explained = ws.lp("explain run:lane").success();
        assert!(explained.stdout.contains(why), "no `{why}` in:\n{}", explained.stdout);
    };
    // A fact of the host.
    ws.write("sysroot/proc/cpuinfo", &cpuinfo("New"));
    missing("`cpu` changed from Old to New (this host)");
    ws.lp("bench --runs 1 -n").success().stdout_has("other than the last runs: `cpu` changed from");
    ws.write("sysroot/proc/cpuinfo", &cpuinfo("Old"));
    ws.lp("bench --runs 1").success().stderr_has("nothing to measure");

    // The rate of a camera.
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write("configs/camera_to_workload.json", &cameras.replacen("\"fps\": 15", "\"fps\": 14", 1));
    missing("`fps` changed from 15 to 14");
    ws.write("configs/camera_to_workload.json", &cameras);

    // The version of GStreamer.
    let lpfile = ws.read("Lpfile.toml");
    let worker = std::fs::read_to_string(WORKER).unwrap();
    ws.write("worker", &worker.replace("1.22.0", "1.24.0"));
    assert!(
        std::process::Command::new("chmod")
            .args(["+x", "worker"])
            .current_dir(ws.root())
            .status()
            .unwrap()
            .success()
    );
    ws.write("Lpfile.toml", &lpfile.replace(WORKER, ws.path("worker").to_str().unwrap()));
    missing("`gstreamer` changed from");
    ws.write("Lpfile.toml", &lpfile);
    ws.lp("bench --runs 1").success().stderr_has("nothing to measure");
}

#[test]
fn two_cells_whose_runs_nobody_could_tell_apart_are_refused() {
    let ws = machines(&["a"], &[("one", &[])]);
    ws.lp("bench --matrix verdict.recall=0.9,0.8 --runs 1")
        .code(2)
        .stderr_has("error: the cells `verdict.recall=0.9` and `verdict.recall=0.8` are the same: nothing in their runs differs");
    let ws = ws.env("LP_WORKER", WORKER);
    ws.lp(["bench", "--matrix", r#"worker.command=["a"],["b"]"#]).code(2).stderr_has("`LP_WORKER` is set");
    assert_eq!(runs(&ws, "one"), 0);
}

#[test]
fn a_wait_between_runs_ends_with_ctrl_c() {
    let ws = machines(&["a"], &[("one", &[])]);
    let child = ws.command(&["bench", "--runs", "2", "--cool-down", "1h", "--json"]).spawn().unwrap();
    let list = || ws.lp("list runs").success().stdout.lines().count();
    while list() < 2 {
        std::thread::yield_now();
    }
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    let stopped = document(&Ended::new(child.wait_with_output().unwrap(), &ws.root()).code(130));
    assert_eq!(cells(&stopped), [("as configured".to_owned(), 1)]);
}

#[test]
fn a_gate_against_stored_runs_needs_those_of_the_same_host() {
    let cpuinfo = |model: &str| format!("processor\t: 0\nmodel name\t: {model}\n");
    let ws = machines(&["a"], &[("old", &[("cpu", "60000 10\n")]), ("new", &[("cpu", "66000 10\n")])]);
    let ws = ws.file("sysroot/proc/cpuinfo", &cpuinfo("Old"));
    let root = ws.path("sysroot").to_str().unwrap().to_owned();
    let ws = ws.env("LP_SYSROOT", &root);
    let words = "bench --gate --baseline latest --runs 5";
    ws.lp(words).code(2).stderr_has("error: there is no run of lane yet\n");
    ws.lp("bench --baseline nonsense --gate")
        .code(2)
        .stderr_has("`nonsense` is no run, no file and no revision of git");
    ws.lp("bench --runs 5").success();
    let list = ws.lp("list runs --json").success().stdout;
    let newest = serde_json::from_str::<Value>(&list).unwrap()["runs"][0]["run"].as_str().unwrap().to_owned();

    // Runs of the same cell: files, conditions and host are the same, and nothing is measured for that.
    let same = ws.lp(words).success();
    assert!(last_line(&same).contains("nothing that is measured differs from latest"), "{}", same.stderr);
    assert_eq!(runs(&ws, "old"), 5);
    ws.lp("bench --gate --baseline latest -n").code(2).stderr_has("a job with both would always pass");
    // Runs of before say nothing of a cell that cannot be measured any more.
    ws.write("old/dies", "a/1 5\n");
    let given_up = ws.lp("bench --gate --baseline latest --runs 6").code(3);
    assert!(
        last_line(&given_up).contains("was given up: 3 runs in a row did not count"),
        "{}",
        given_up.stderr
    );
    std::fs::remove_file(ws.path("old/dies")).unwrap();
    // What fails under a gate says nothing of what it judges.
    std::fs::remove_dir_all(ws.path("results/bench")).unwrap();
    ws.write("results/bench", "");
    ws.lp(words).code(3).stderr_has("error: ");
    std::fs::remove_file(ws.path("results/bench")).unwrap();
    // By its id, all runs of the cell; by files, those that are there. The worker's command is a fact of the host, so it
    // stays, and the machine behind it becomes slower.
    std::fs::create_dir(ws.path("kept")).unwrap();
    assert!(
        std::process::Command::new("cp")
            .args(["-r", "results/runs", "kept"])
            .current_dir(ws.root())
            .status()
            .unwrap()
            .success()
    );
    ws.write("old/cpu", "66000 10\n");
    let ended = ws.lp(["bench", "--gate", "--baseline", &newest, "--runs", "5", "--duration", "21s"]);
    let ended = ended.code(3);
    assert!(last_line(&ended).contains("cannot be compared: duration"), "{}", ended.stderr);
    std::fs::remove_dir_all(ws.path(".lpcache")).unwrap();
    let ended = ws.lp("bench --gate --baseline kept/runs --runs 5").code(1);
    assert!(last_line(&ended).contains("CPU time per frame +10."), "{}", ended.stderr);
    ws.lp("bench --gate --baseline kept").code(2).stderr_has("`kept` has no record of a run of lane");

    ws.write("sysroot/proc/cpuinfo", &cpuinfo("New"));
    let ended = ws.lp("bench --gate --baseline kept/runs --runs 5").code(3);
    let last = last_line(&ended);
    assert!(last.contains("the baseline is of another host: cpu is Old there, New here"), "{last}");
}
