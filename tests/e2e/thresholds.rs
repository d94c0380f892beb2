//! `[thresholds]`: they decide how a run ends instead of its verdicts. The figures are replayed, so
//! they are exact.

use expect_test::expect;
use lp::worker::protocol::{End, Event, EventBody};

use crate::density::lane;
use crate::support::{Ended, Workspace};
use crate::verdict::playing;

const RUN: &str = "[run]\nduration = \"20s\"\nwarmup = \"0s\"\n";

/// A camera that plays for all of the 20 s, and one that plays for 16 of them.
fn two(thresholds: &str) -> Workspace {
    playing(&[("a", 25), ("b", 16)]).file("Lpfile.toml", &format!("{RUN}{thresholds}"))
}

/// The last `n` lines of stderr.
fn last(ended: &Ended, n: usize) -> String {
    let lines: Vec<&str> = ended.stderr.lines().collect();
    lines[lines.len().saturating_sub(n)..].join("\n")
}

#[test]
fn every_breach_is_named_the_worst_first_and_the_last_line_says_which_rule_decided() {
    let ws = two(
        "[thresholds]\nminor = [\"power.mean <= 45W\"]\nmajor = [\"fps >= 14.5\"]\ncritical = [\"on_time >= 0.95\", \"longest_gap <= 1s\"]\n",
    );
    let ended = ws.lp("run").code(1);
    expect![[r#"
        report: <project>/results/latest/report.html
        critical: b/1: longest_gap is 4066.7 ms, not <= 1s
        major: b/1: fps is 12.05 fps, not >= 14.5
        minor: lane: power.mean is not available: the power of this machine is not known (`lp doctor` says why); it must be <= 45W
        error: 4 thresholds decide: 3 breached (`--no-verdict` ignores this)"#]]
    .assert_eq(&last(&ended, 5));
    assert!(ended.stdout.contains("breach: critical: b/1: longest_gap is 4066.7 ms"), "{}", ended.stdout);
    // The page and the document have them, too.
    let page = ws.read("results/latest/report.html");
    assert!(page.contains("<h2 id=\"thresholds\">Thresholds</h2>"), "{page}");
    let document: serde_json::Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    let judgement = &document["judgement"];
    assert_eq!((judgement["by"].as_str(), judgement["passes"].as_bool()), (Some("thresholds"), Some(false)));
    assert_eq!(judgement["thresholds"][0]["metric"], "longest_gap");
    let record: serde_json::Value = serde_json::from_str(&ws.read("results/latest/record.json")).unwrap();
    assert_eq!(record["thresholds"].as_array().unwrap().len(), 4);

    ws.lp("run --no-verdict").success();
    let judged = ws.lp("report --verdict").code(1);
    assert!(
        judged.stderr.contains("critical: b/1: longest_gap is 4066.7 ms, not <= 1s\n"),
        "{}",
        judged.stderr
    );
    assert!(last(&judged, 1).ends_with(": 4 thresholds decide: 3 breached"), "{}", judged.stderr);
    // Without the camera that breaches, only the power does.
    let ended = ws.lp("run a").code(1);
    assert_eq!(last(&ended, 1), "error: 4 thresholds decide: 1 breached (`--no-verdict` ignores this)");
}

#[test]
fn thresholds_that_are_kept_pass_a_run_whose_verdicts_do_not() {
    let ws = two("[thresholds]\nmajor = [\"fps >= 11\"]\n");
    let ended = ws.lp("run").success();
    expect![
        "1 threshold decides: none breached; by verdicts, which do not decide, 1 of 2 cameras does not hold"
    ]
    .assert_eq(&last(&ended, 1));
    let judged = ws.lp("report --verdict --format csv").success();
    assert!(last(&judged, 1).contains(": 1 threshold decides: none breached"), "{}", judged.stderr);
    // Without thresholds, verdicts decide as ever, and a stored run stays judged by those it was made under.
    ws.write("Lpfile.toml", RUN);
    let judged = ws.lp("report --verdict").success();
    assert!(
        judged.stderr.contains("note: the thresholds of this run differ from those of the project now"),
        "{}",
        judged.stderr
    );
    let ended = ws.lp("run").code(1);
    expect!["error: verdicts decide: 1 of 2 cameras does not hold (`--no-verdict` ignores this)"]
        .assert_eq(&last(&ended, 1));
    let ended = ws.lp("run a").success();
    expect!["verdicts decide: every camera holds"].assert_eq(&last(&ended, 1));
}

#[test]
fn a_camera_or_a_workload_may_have_thresholds_of_its_own() {
    let all = "[thresholds]\nmajor = [\"fps >= 14.5\"]\n";
    let ended = two(&format!("{all}[thresholds.camera.b]\nmajor = [\"fps >= 11\"]\n")).lp("run").success();
    assert!(last(&ended, 1).starts_with("2 thresholds decide: none breached"), "{}", ended.stderr);
    // Both cameras have this workload.
    let ended = two(&format!("{all}[thresholds.workload.W]\nmajor = [\"fps >= 11\"]\n")).lp("run").success();
    assert!(
        last(&ended, 1).starts_with("1 threshold decides: none breached; 1 threshold not judged"),
        "{}",
        ended.stderr
    );
    let ended = two("[thresholds.camera.b]\nmajor = [\"fps >= 11\"]\n").lp("run a").success();
    expect!["verdicts decide: every camera holds; 1 threshold not judged"].assert_eq(&last(&ended, 1));
}

#[test]
fn a_stream_that_fails_fails_the_run_whatever_thresholds_say() {
    let ws =
        playing(&[("a", 25)]).file("Lpfile.toml", &format!("{RUN}[thresholds]\nminor = [\"fps >= 1\"]\n"));
    let replay = ws.read("replay/a-1.jsonl");
    let last: Event = serde_json::from_str(replay.lines().nth(9).unwrap()).unwrap();
    let end = End::Error { element: "zbar".to_owned(), reason: "no memory".to_owned(), debug: String::new() };
    let body = EventBody::Ended { stream: "a/1".to_owned(), end };
    let ended = serde_json::to_string(&Event { at: last.at, body }).unwrap();
    let begin: String = replay.lines().take(10).map(|line| format!("{line}\n")).collect();
    ws.write("replay/a-1.jsonl", &format!("{begin}{ended}\n"));
    let ended = ws.lp("run").code(1);
    assert!(
        ended.stderr.contains("error: 1 threshold decides: 1 breached; besides, 1 of 1 camera failed"),
        "{}",
        ended.stderr
    );
}

#[test]
fn thresholds_come_from_profiles_and_flags_like_other_keys_and_measure_nothing_again() {
    let ws = two("[profile.strict.thresholds]\ncritical = [\"fps >= 14.5\"]\n");
    ws.lp("build report").success();
    let ended = ws.lp("build report --profile strict").success();
    assert!(!ended.stderr.contains("run:lane"), "{}", ended.stderr);
    assert!(ended.stderr.contains("report"), "{}", ended.stderr);
    let page: serde_json::Value = serde_json::from_str(&ws.read("results/report/lane.json")).unwrap();
    assert_eq!(page["judgement"]["line"], "1 threshold decides: 1 breached");
    let why = ws.lp("explain report").success().stdout;
    assert!(why.contains("threshold"), "{why}");

    let ended = ws.lp("run --profile strict").code(1);
    assert!(ended.stderr.contains("critical: b/1: fps is 12.05 fps, not >= 14.5"), "{}", ended.stderr);
    let flag = "thresholds.critical=[\"fps >= 11\"]";
    ws.lp(["run", "--profile", "strict", "--set", flag]).success();
    ws.lp(["run", "--profile", "strict", "--set", "thresholds.critical=fps >= 11, on_time >= 50%"]).success();
    let flag = "thresholds.camera.b.minor=fps >= 12.1";
    ws.lp(["run", "a", "b", "--set", flag]).code(1).stderr_has("minor: b/1: fps is 12.05 fps, not >= 12.1");
    let shown = ws.lp(["config", "--set", "thresholds.minor=fps >= 11"]).success().stdout;
    assert!(shown.contains("fps >= 11"), "{shown}");
    ws.lp(["run", "--set", "thresholds.severe=fps >= 11"]).code(2).stderr_has("thresholds.");
    ws.lp(["run", "--set", "thresholds.minor=[\"fps >= 11\""])
        .code(2)
        .stderr_has("must be a list of thresholds");
}

#[test]
fn faults_of_thresholds_are_reported_all_at_once() {
    let ws = two(concat!(
        "[thresholds]\ncritical = [\"fps_p5 >= 14\", \"latency.p95 <= 80\", 7]\nsevere = []\n",
        "[thresholds.camera.c]\nmajor = [\"power.mean <= 45W\"]\n[thresholds.workload.x]\nminor = [\"fps <= 3\"]\n",
    ));
    let ended = ws.lp("check").code(2);
    let found: Vec<&str> = ended
        .stdout
        .lines()
        .chain(ended.stderr.lines())
        .filter(|line| line.starts_with("error[") || line.starts_with("warning["))
        .collect();
    expect![[r#"
        error[LP0218]: there is no metric `fps_p5`
        error[LP0218]: the limit of `latency.p95` needs a unit: write `80ms`
        error[LP0203]: `thresholds.critical[2]` must be a string
        error[LP0201]: unknown key `thresholds.severe`
        error[LP0308]: `[thresholds.camera.c]` names an unknown camera
        error[LP0218]: `power.mean` is a figure of the lane, not of a camera
        error[LP0306]: `[thresholds.workload.x]` names an unknown workload
        warning[LP0219]: `fps <= 3` is breached by better figures: a greater `fps` is better"#]]
    .assert_eq(&found.join("\n"));
    ws.lp("run").code(2);
}

#[test]
fn formats_for_ci_go_to_stdout_and_lie_at_the_lines_of_the_config() {
    let ws = two("[thresholds]\nmajor = [\"on_time >= 0.5\",\n  \"fps >= 14.5\"]\n");
    let ended = ws.lp("run --format sarif").code(1);
    let log: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(results.len(), 1);
    assert_eq!(
        (results[0]["level"].as_str(), results[0]["ruleId"].as_str()),
        (Some("warning"), Some("threshold/fps"))
    );
    assert_eq!(place["artifactLocation"]["uri"], "Lpfile.toml");
    assert_eq!(
        (place["region"]["startLine"].as_u64(), place["region"]["startColumn"].as_u64()),
        (Some(6), Some(3))
    );
    assert_eq!(ws.lp("report --format sarif").success().stdout, ended.stdout);
    let junit = ws.lp("report --format junit --verdict").code(1).stdout;
    assert!(
        junit.contains("<failure message=\"fps is 12.05 fps, not &gt;= 14.5\" type=\"major\">"),
        "{junit}"
    );
    assert_eq!(junit.matches("<testsuite ").count(), 3);
    let page = ws.lp("report --format md").success().stdout;
    assert!(page.starts_with("## Fails: 2 thresholds decide: 1 breached\n"), "{page}");

    // A verdict lies at its camera.
    ws.write("Lpfile.toml", RUN);
    let log: serde_json::Value = serde_json::from_str(&ws.lp("run --format sarif").code(1).stdout).unwrap();
    let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "configs/camera_to_workload.json");
    // A threshold that is not in the config any more lies nowhere.
    let other = two("[thresholds]\nmajor = [\"fps >= 14.5\"]\n");
    other.lp("run --no-verdict").success();
    other.write("Lpfile.toml", RUN);
    let log: serde_json::Value =
        serde_json::from_str(&other.lp("report --format sarif").success().stdout).unwrap();
    assert_eq!(log["runs"][0]["results"][0].get("locations"), None);
}

#[test]
fn a_density_is_judged_by_the_search_and_a_run_by_the_newest_search_of_its_lane() {
    let ws = lane(&["a"], 35);
    let with = |threshold: &str| {
        let settings =
            "[run]\nisolation = \"lane\"\nduration = \"20s\"\n\n[density]\nlimiter = false\n\n[thresholds]\n";
        ws.write("Lpfile.toml", &format!("{settings}critical = [\"{threshold}\"]\n"));
    };
    with("density >= 3");
    let ended = ws.lp("run").code(1);
    expect![[r#"
        critical: lane: density is not available: no search of this lane on this host; `lp density`; it must be >= 3
        error: 1 threshold decides: 1 breached (`--no-verdict` ignores this)"#]]
    .assert_eq(&last(&ended, 2));

    let ended = ws.lp("density").success();
    assert!(last(&ended, 1).ends_with(": 1 threshold decides: none breached"), "{}", ended.stderr);
    // The stored run is judged by the search that was made after it.
    ws.lp("report --verdict").success();
    let ended = ws.lp("run").success();
    expect!["1 threshold decides: none breached"].assert_eq(&last(&ended, 1));
    // The answer is that of before; the threshold is not.
    with("density >= 4");
    let ended = ws.lp("density").code(1);
    assert!(ended.stderr.contains("critical: lane: density is 3 lanes, not >= 4"), "{}", ended.stderr);
    assert!(last(&ended, 1).ends_with(": 1 threshold decides: 1 breached"), "{}", ended.stderr);
    let judged = ws.lp("report density --verdict").code(1);
    assert!(judged.stderr.contains("note: the thresholds of this search differ"), "{}", judged.stderr);
    assert!(last(&judged, 1).ends_with(": 2 thresholds decide: 1 breached"), "{}", judged.stderr);
    ws.lp("run").code(1).stderr_has("critical: lane: density is 3 lanes, not >= 4");
    ws.lp("report density --format junit").success().stdout_has("<testsuite name=\"density.lane\"");
    ws.lp("report density --format md").success().stdout_has("## Fails: 2 thresholds decide");
    ws.lp("report density --format sarif").success().stdout_has("\"startLine\": 9");

    // Another lane has no search.
    let cameras = ws.read("configs/camera_to_workload.json").replace("\"fps\": 15", "\"fps\": 30");
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.lp("run").code(1).stderr_has("density is not available: no search of this lane on this host");
}
