//! `lp report --compare` and `--history`: sides by run, file, folder and commit; verdicts, and what is refused.
//!
//! The figures are replayed. The CPU time of workers, which a replay does not have, is written into copies of the record.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::Workspace;
use crate::verdict::playing;

/// A project with two runs of one camera, and their ids, the newest first.
fn measured() -> (Workspace, Vec<String>) {
    let ws = playing(&[("a", 25)]);
    ws.lp("run").success();
    ws.lp("run").success();
    let runs: Value = serde_json::from_str(&ws.lp("list runs --json").success().stdout).unwrap();
    let ids = runs["runs"].as_array().or(runs.as_array()).unwrap().iter();
    let ids: Vec<String> =
        ids.map(|run| run["run"].as_str().or(run["id"].as_str()).unwrap().to_owned()).collect();
    (ws, ids)
}

/// A record of the newest run whose worker used so many microseconds of CPU for each frame, in the place of this minute.
fn record(ws: &Workspace, minute: u64, cpu_us: u64) -> Value {
    let mut record: Value = serde_json::from_str(&ws.read("results/latest/record.json")).unwrap();
    record["started"] = json!(format!("2026-11-24T06:{minute:02}:00Z"));
    let window = record["members"][0]["streams"][0]["window_us"].clone();
    let (begin, end) = (window[0].as_u64().unwrap(), window[1].as_u64().unwrap());
    // 15 frames arrive in each second.
    let sample = |at: u64| json!({"at_us": begin + at * 1_000_000, "cpu_us": at * 15 * cpu_us, "rss": 100_000_000 + minute * 1_000});
    record["workers"][0]["samples"] = (0..=(end - begin) / 1_000_000).map(sample).collect();
    record
}

/// Five records of each side in turn, of which the candidate's cost is this share of the baseline's.
fn sides(ws: &Workspace, factor: f64) {
    for minute in 0..10_u64 {
        let is_candidate = minute % 2 == 1;
        let cost = (4_000.0 + (minute * 7 % 5) as f64) * if is_candidate { factor } else { 1.0 };
        let folder = if is_candidate { "new" } else { "old" };
        ws.write(&format!("{folder}/{minute}.json"), &record(ws, minute, cost as u64).to_string());
    }
}

fn compared(ws: &Workspace, arguments: &str) -> Value {
    serde_json::from_str(&ws.lp(format!("report --compare {arguments} --json").as_str()).success().stdout)
        .unwrap()
}

#[test]
fn single_runs_tell_nothing_and_say_what_would() {
    let (ws, ids) = measured();
    let one = format!("report --compare {} {} --only", ids[1], ids[0]);
    ws.lp(one.as_str()).success().stdout_has("one run each: cannot tell; `lp bench --runs 5`");
    let both = format!("report --compare {} latest", ids[1]);
    ws.lp(both.as_str()).code(2).stderr_has("are the same runs").stderr_has("`--only`");
}

#[test]
fn saved_records_have_a_verdict_in_every_form() {
    let (ws, _) = measured();
    for (factor, verdict) in [(1.3, "worse"), (0.7, "better"), (1.0, "same")] {
        sides(&ws, factor);
        let comparison = compared(&ws, "old new");
        assert_eq!(comparison["verdict"], verdict, "{}", comparison["headline"]);
        assert_eq!(comparison["paired"], true);
    }
    sides(&ws, 1.3);
    ws.lp("report --compare old new").success().stdout_has("new is worse: a: CPU time per frame +30.0 %");
    ws.lp("report --compare old new --format md")
        .success()
        .stdout_has("**new is worse: a: CPU time per frame");
    ws.lp("report --compare old new --format csv").success().stdout_has("cpu_per_frame,us,true,worse");
    ws.lp("report --compare old new -o pages").success();
    assert!(ws.read("pages/comparison.html").contains("<svg"));
    let files = "old/0.json,old/2.json,old/4.json new/1.json,new/3.json,new/5.json";
    assert_eq!(compared(&ws, files)["baseline"]["runs"].as_array().unwrap().len(), 3);
}

#[test]
fn what_cannot_be_compared_is_refused_with_every_field() {
    let (ws, _) = measured();
    sides(&ws, 1.0);
    for minute in [1, 3, 5, 7, 9] {
        let mut other = record(&ws, minute, 4_000);
        other["conditions"]["duration_ms"] = json!(5_000);
        other["members"][0]["configured"]["fps"] = json!(30.0);
        ws.write(&format!("new/{minute}.json"), &other.to_string());
    }
    ws.lp("report --compare old new")
        .code(2)
        .stderr_has("duration: 20s / 5s")
        .stderr_has("source of a video: 640x360 at 15 fps / 640x360 at 30 fps")
        .stderr_has("--across duration,source");
    ws.lp("report --compare old new --across duration,source").success();
    ws.write("new/9.json", "{\"version\": 9, \"subject\": 7}");
    ws.lp("report --compare old new")
        .code(2)
        .stderr_has("`new/9.json` is neither the record nor the report of a run");
    ws.lp("report --compare old nothing").code(2).stderr_has("`nothing` is no run, no file and no commit");
    ws.lp("report --compare old new --metric cpu_per_fram")
        .code(2)
        .stderr_has("did you mean `cpu_per_frame`?");
    ws.lp("report --compare old new --matters cpu_per_frame=2")
        .code(2)
        .stderr_has("is no change of cpu_per_frame");
    ws.lp("report --compare old new --across pace").code(2).stderr_has("no field");
}

#[test]
fn a_report_serves_where_its_record_is_gone() {
    let (ws, ids) = measured();
    let report = ws.read("results/latest/report.json");
    ws.write("kept/report.json", &report);
    let other = format!("kept {} --only", ids[1]);
    let comparison = compared(&ws, &other);
    assert_eq!(comparison["baseline"]["runs"], json!([ids[0]]));
    assert_eq!(comparison["refused"], json!([]));
    assert_eq!(comparison["verdict"], "cannot_tell");
}

#[test]
fn a_commit_means_the_runs_that_were_measured_there() {
    let ws = playing(&[("a", 25)]);
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(who).args(arguments).current_dir(ws.root()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "Lpfile.toml", "configs"]);
    git(&["commit", "-qm", "one"]);
    ws.lp("run").success();
    git(&["tag", "old"]);
    git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    ws.lp("run").success();
    let comparison = compared(&ws, "old main");
    assert_eq!(comparison["baseline"]["runs"].as_array().unwrap().len(), 1);
    assert_ne!(comparison["baseline"]["runs"], comparison["candidate"]["runs"]);
    let fields: Vec<&str> = comparison["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["commit"]);
    git(&["commit", "-q", "--allow-empty", "-m", "three"]);
    ws.lp("report --compare old main").code(2).stderr_has("the store has no run of `main`");
}

#[test]
fn a_history_has_every_run_of_the_subject() {
    let (ws, ids) = measured();
    let history: Value =
        serde_json::from_str(&ws.lp("report --history=goodput --json").success().stdout).unwrap();
    let runs: Vec<&str> =
        history["points"].as_array().unwrap().iter().map(|one| one["run"].as_str().unwrap()).collect();
    assert_eq!(runs, [ids[1].as_str(), ids[0].as_str()]);
    ws.lp("report --history=goodput").success().stdout_has("2 runs: at least 10 are needed");
    // Without figures of CPU there is no history of it, and the reason is told.
    ws.lp("report --history").success().stdout_has("does not count: not available");
}
