//! `--json` of commands whose documents have no file of their own.

use serde_json::Value;

use crate::support::{COPY_JOIN, Workspace};

fn document(ws: &Workspace, line: &str) -> Value {
    let document: Value = serde_json::from_str(&ws.lp(line).success().stdout).unwrap();
    assert_eq!(document["version"], 1, "{line}");
    document
}

#[test]
fn new_projects_name_their_files() {
    let ws = Workspace::cameras();
    let made = document(&ws, "init --json one");
    assert_eq!(made["root"], "<project>/one");
    assert!(made["files"].as_array().unwrap().iter().any(|path| path == "Lpfile.toml"));
    let workloads =
        r#"{"workload_pipeline_map": {"scan": [{"script": "a.sh"}], "motion": [{"type": "zbar"}]}}"#;
    let ws = ws.file("w.json", workloads);
    let made =
        document(&ws, "import --json --cameras configs/camera_to_workload.json --workloads w.json two");
    assert_eq!((&made["cameras"], &made["missing"][0]["file"]), (&2.into(), &"a.sh".into()));
}

#[test]
fn the_store_is_shown_named_and_emptied() {
    let ws = Workspace::tasks(COPY_JOIN).file("a.txt", "a");
    ws.lp("build").success();
    let all = document(&ws, "cache show --json");
    let labels: Vec<&str> =
        all["attempts"].as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["task:copy", "task:join"]);
    let one = document(&ws, "cache show --json task:copy");
    assert_eq!(one["attempts"][0]["outputs"][0]["path"], "b.txt");
    assert_eq!(one["attempts"][0]["outcome"], "succeeded");
    assert!(one["attempts"][0]["document"].is_object());
    let key = document(&ws, "cache key --json");
    let text = ws.lp("cache key").success().stdout;
    assert_eq!(key["key"], text.trim());
    assert!(text.starts_with(key["prefix"].as_str().unwrap()));
    assert_eq!(document(&ws, "cache clean --json")["attempts"], 2);
    assert_eq!(document(&ws, "cache show --json")["attempts"], Value::Array(Vec::new()));
}
