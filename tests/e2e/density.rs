//! The search for the density, on a simulated machine whose time passes quickly: `lp` decides by
//! the times of events alone.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStderr};

use expect_test::expect;
use lp::record::density::DensityRecord;
use lp::search::{Goal, State, Why};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, Workspace};

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/simulated-worker");

/// A lane of these cameras, of one stream each, on a machine that can play so many tenths of a stream.
pub(crate) fn lane(cameras: &[&str], capacity: u32) -> Workspace {
    let camera = |name: &&str| {
        format!(
            r#"{{"camera_id": "{name}", "streamUri": "rtsp://h/{name}", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}}"#
        )
    };
    let cameras: Vec<String> = cameras.iter().map(camera).collect();
    let ws = Workspace::tasks("[run]\nisolation = \"lane\"\n\n[density]\nlimiter = false\n")
        .file(
            "configs/camera_to_workload.json",
            &format!(r#"{{"lane_config": {{"cameras": [{}]}}}}"#, cameras.join(", ")),
        )
        .file("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "zbar"}]}}"#)
        .file("machine/capacity", &format!("{capacity}\n"));
    let machine = ws.path("machine").to_str().unwrap().to_owned();
    ws.env("LP_WORKER", WORKER).env("SIMULATED_WORKER", &machine).unseen_machine()
}

fn record(ws: &Workspace, subject: &str) -> DensityRecord {
    serde_json::from_str(&ws.read(&format!("results/density/{subject}.json"))).unwrap()
}

/// The answer, which is the first line of the report.
fn verdict(ended: &Ended) -> &str {
    ended.stdout.lines().next().unwrap_or_default()
}

/// How often a stream was started.
fn starts(ws: &Workspace, stream: &str) -> usize {
    let begin = format!("start {stream} ");
    ws.read("machine/started").lines().filter(|line| line.starts_with(&begin)).count()
}

#[test]
fn the_greatest_number_that_holds_is_found_and_what_holds_plays_on() {
    let ws = lane(&["a"], 35);
    let ended = ws.lp("density").success();
    expect!["3 lanes of 1 camera, 95 % sure; the 4th fails at a: rate 13.0 of 15 fps"]
        .assert_eq(verdict(&ended));
    assert!(ended.stderr.contains("4 lanes  fail"), "{}", ended.stderr);
    let found = record(&ws, "lane");
    assert_eq!((found.answer.exact(), found.answer.why), (Some(3), None));
    // Once, and anew after the number that fails.
    assert_eq!(starts(&ws, "a/1"), 2, "{}", ws.read("machine/started"));
    // A setting says what a run of so many lanes would say, and nothing of the change is in it.
    for setting in &found.settings {
        let streams: Vec<_> = setting.record.members.iter().flat_map(|member| &member.streams).collect();
        assert_eq!(streams.len(), setting.lanes as usize);
        for stream in streams {
            let (begin, end) = stream.window_us.unwrap();
            let frames = stream.arrived_us.len() as u64 + stream.in_flight;
            assert_eq!(stream.in_flight_before + stream.decoded, frames, "{}", stream.stream);
            assert!(stream.arrived_us.iter().all(|at| (begin..end).contains(at)));
            assert!(stream.window_us.unwrap().0 >= stream.first_frame_us.unwrap() + 2_000_000);
        }
    }
    let confirmed = found.settings.iter().rev().find(|setting| setting.goal == Goal::Confirm).unwrap();
    assert_eq!((confirmed.lanes, confirmed.state), (3, State::Holds));
    assert_eq!(found.at_answer.unwrap().members.len(), 3);
}

#[test]
fn none_is_0_with_the_closest_miss() {
    let ws = lane(&["a", "b"], 19);
    let ended = ws.lp("density").success();
    expect!["0 lanes of 2 cameras: a reached 14.0 of 15 fps"].assert_eq(verdict(&ended));
    assert_eq!(record(&ws, "lane").answer.exact(), Some(0));
}

#[test]
fn an_unchanged_lane_has_the_stored_answer_with_its_age() {
    let ws = lane(&["a"], 25);
    ws.lp("density").success();
    let started = ws.read("machine/started");
    let ended = ws.lp("density").success();
    assert!(ended.stdout.starts_with("2 lanes of 1 camera, 95 % sure"), "{}", ended.stdout);
    expect![[r#"
        measured just now; `lp density --again` measures again
    "#]]
    .assert_eq(&ended.stderr);
    assert_eq!(ws.read("machine/started"), started, "nothing was measured");
    // It is an artefact like any other.
    std::fs::remove_file(ws.path("results/density/lane.json")).unwrap();
    ws.lp("density").success().stdout_has("2 lanes");
    ws.lp("explain density:lane").success().stdout_has("`lp density --again` measures");
    ws.lp("build density:lane").success().stderr_has("nothing to do");
    assert!(ws.lp("list runs").success().stdout.is_empty(), "a search is no run");

    ws.write("machine/capacity", "15\n");
    ws.lp("density").success().stdout_has("2 lanes");
    let ended = ws.lp("density --again").success().stdout_has("1 lane of 1 camera, 95 % sure");
    assert!(!ended.stderr.contains("measured just now"), "{}", ended.stderr);
    ws.lp("density").success().stdout_has("1 lane of 1 camera, 95 % sure").stderr_has("measured just now");
    // Another limit asks for another answer.
    ws.lp("density --set verdict.on_time=0.98").success();
    ws.lp("explain density:lane --set verdict.on_time=0.97").success().stdout_has("on_time");
}

#[test]
fn a_network_that_nothing_comes_over_is_told() {
    let ws = lane(&["a", "b"], 100)
        .file("configs/scenes/s.toml", include_str!("../../configs/scenes/basket.toml"))
        .env("LP_SET_RUN_SOURCE", "synthetic")
        .env("LP_SET_RTSP_IMPAIR_DELAY", "40ms");
    let cameras = ws.read("configs/camera_to_workload.json");
    let cameras = cameras.replace(r#""streamUri": "rtsp://h/a""#, r#""fileSrc": "a.mp4|scene:s""#);
    ws.write("configs/camera_to_workload.json", &cameras);
    ws.lp("density a --max 1")
        .success()
        .stderr_has("note: `rtsp.impair` changes nothing: no camera of this run receives RTSP")
        .stdout_has("rtsp.impair.delay=40ms (without effect)");
    let cameras = cameras.replace(r#""streamUri": "rtsp://h/b""#, r#""fileSrc": "a.mp4|scene:s""#);
    ws.write("configs/camera_to_workload.json", &cameras);
    let told = "warning[LP0311]: `rtsp.impair` changes nothing: no camera receives RTSP";
    ws.lp("check").success().stderr_has(told);
}

#[test]
fn no_more_than_max_are_tried() {
    let ws = lane(&["a"], 100);
    let ended = ws.lp("density --max 2").success();
    expect!["at least 2 lanes of 1 camera, 95 % sure: more than 2 were not tried"].assert_eq(verdict(&ended));
    let found = record(&ws, "lane");
    assert_eq!((found.answer.at_least, found.answer.at_most, found.answer.why), (2, None, Some(Why::Max)));
    assert_eq!(starts(&ws, "a-l3/1"), 0);
}

#[test]
fn more_time_goes_on_with_an_answer_for_which_it_was_too_short() {
    let ws = lane(&["a"], 35);
    let told = "a budget of 4m leaves no time to confirm a number of lanes, which takes 263 s";
    let ended = ws.lp("density --budget 4m").success().stderr_has(told);
    let why = "too little of the 4m is left for a confirmation of 263 s; a larger `--budget` goes on";
    assert!(ended.stdout.contains(why), "{}", ended.stdout);
    let found = record(&ws, "lane");
    assert_eq!((found.answer.exact(), found.answer.why), (None, Some(Why::Budget)));
    ws.lp("density --budget 4m").success().stdout_has(why).stderr_has("measured just now");
    let ended = ws.lp("density --budget 1h").success().stdout_has("3 lanes of 1 camera, 95 % sure");
    assert!(!ended.stderr.contains("leaves no time"), "{}", ended.stderr);
    let more = record(&ws, "lane");
    assert_eq!(more.settings[..found.settings.len()], found.settings);
    assert_eq!(more.started, found.started);
    // An answer is one whatever it took.
    ws.lp("density --budget 2h").success().stderr_has("measured just now");
}

#[test]
fn copies_of_one_camera_are_counted_beside_the_others() {
    let ws = lane(&["a", "b", "c"], 52);
    let ended = ws.lp("density b --unit camera").success();
    assert!(
        ended.stdout.starts_with("3 copies of b beside 2 other cameras, 95 % sure; the 4th fails at "),
        "{}",
        ended.stdout
    );
    let found = record(&ws, "b");
    let names = |found: &DensityRecord| found.background.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&found), ["a", "c"]);
    assert_eq!((starts(&ws, "a/1"), starts(&ws, "b-l2/1"), starts(&ws, "a-l2/1")), (2, 2, 0));
    // The same name for copies of it alone.
    ws.lp("density b").success().stdout_has("5 lanes of 1 camera, 95 % sure");
    assert!(record(&ws, "b").background.is_empty());
    ws.lp("density a b --unit camera")
        .code(2)
        .stderr_has("copies of one camera are counted, and 2 are named");
    ws.lp("density nobody").code(2);
    ws.lp("density --confidence 40%").code(2).stderr_has("`density.confidence` must be a number above 0.5");
}

#[test]
fn a_camera_that_dies_is_a_failure_and_no_answer() {
    let ws = lane(&["a"], 200).file("machine/dies", "a-l7/1 4\n");
    let ended = ws.lp("density").code(1);
    assert!(ended.stderr.contains("`density:lane` failed"), "{}", ended.stderr);
    assert!(ended.stderr.contains("a-l7/1: `src`: gone"), "{}", ended.stderr);
    let found = record(&ws, "lane");
    assert_eq!((found.answer.exact(), found.answer.why), (None, Some(Why::Broken)));
    assert_eq!(found.answer.at_least, 6);
    // What was measured before counts when it plays again.
    let before: Vec<_> = found.settings.iter().filter(|setting| setting.state != State::Broken).collect();
    assert!(!before.is_empty());
    std::fs::remove_file(ws.path("machine/dies")).unwrap();
    ws.write("machine/capacity", "75\n");
    ws.lp("density --budget 1h").success().stdout_has("7 lanes of 1 camera, 95 % sure");
    let again = record(&ws, "lane");
    assert_eq!(again.settings.iter().take(before.len()).collect::<Vec<_>>(), before);
}

#[test]
fn a_camera_that_cannot_be_started_is_a_failure_with_its_reason() {
    let ws = lane(&["a"], 100).file("machine/refuses", "a/1\n");
    let ended = ws.lp("density").code(1);
    assert!(ended.stderr.contains("a/1: did not start: no such device"), "{}", ended.stderr);
    assert_eq!(record(&ws, "lane").answer.exact(), None);
}

/// The settings that are kept of a search that has no answer.
fn kept(ws: &Workspace) -> Vec<PathBuf> {
    let Ok(searches) = std::fs::read_dir(ws.path(".lpcache/density")) else { return Vec::new() };
    let folders = searches.map(|folder| folder.unwrap().path());
    let files =
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()));
    let is_setting = |path: &PathBuf| {
        path.file_stem().unwrap().to_str().unwrap().parse::<u32>().is_ok()
            && path.extension().unwrap() == "json"
    };
    let mut kept: Vec<PathBuf> = files.filter(is_setting).collect();
    kept.sort();
    kept
}

/// A search on a machine whose time stands still after some settings, and what it says. A
/// setting that it shows is kept.
fn begun(ws: &Workspace) -> (Child, BufReader<ChildStderr>) {
    let mut child = ws.command(&["density"]).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let ended = stderr.by_ref().lines().map(Result::unwrap).filter(|line| line.contains("  hold "));
    assert_eq!(ended.take(2).count(), 2, "two settings end");
    ws.write("machine/hold", "");
    (child, stderr)
}

/// The same command goes on where it was.
fn goes_on(ws: &Workspace) {
    let kept: Vec<String> = kept(ws).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(kept.len() >= 2);
    std::fs::remove_file(ws.path("machine/hold")).unwrap();
    let most = kept
        .iter()
        .map(|text| text.split(',').next().unwrap())
        .map(|text| text.trim_start_matches("{\"lanes\":").parse::<u32>().unwrap());
    let most = most.max().unwrap();
    ws.write("machine/capacity", &format!("{}\n", 10 * most + 15));
    let ended = ws.lp("density").success();
    assert!(
        ended.stdout.starts_with(&format!("{} lanes of 1 camera, 95 % sure", most + 1)),
        "{}",
        ended.stdout
    );
    let found = record(ws, "lane");
    for (setting, text) in found.settings.iter().zip(&kept) {
        assert_eq!(serde_json::to_string(setting).unwrap(), *text);
    }
    assert!(self::kept(ws).is_empty(), "the answer has them");
    ws.lp("density").success().stderr_has("measured just now");
}

#[test]
fn a_search_that_is_stopped_says_what_it_found_and_goes_on() {
    let ws = lane(&["a"], 400);
    let (child, _stderr) = begun(&ws);
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), Signal::INT).unwrap();
    let ended = Ended::new(child.wait_with_output().unwrap(), &ws.root()).code(130);
    let told = verdict(&ended);
    assert!(told.starts_with("no number of lanes is confirmed, but "), "{told}");
    assert!(told.ends_with(" held for 20 s: interrupted; the same command goes on where it was"), "{told}");
    assert!(record(&ws, "lane").interrupted);
    goes_on(&ws);
}

#[test]
fn a_search_that_is_killed_goes_on() {
    let ws = lane(&["a"], 400);
    let (mut child, _stderr) = begun(&ws);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!ws.exists("results/density/lane.json"));
    goes_on(&ws);
}

#[test]
fn there_is_no_number_for_which_the_memory_is_too_little() {
    let meminfo =
        "MemTotal: 4194304 kB\nMemFree: 1 kB\nMemAvailable: 1048576 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";
    let ws = lane(&["a"], 400).file("machine/rss", "900\n").file("sysroot/proc/meminfo", meminfo);
    let root = ws.path("sysroot").to_str().unwrap().to_owned();
    let ws = ws.env("LP_SYSROOT", &root);
    let ended = ws.lp("density").success();
    expect!["at least 1 lane of 1 camera, 95 % sure: one more needs 900 MiB of memory, and 819 MiB of memory are left"]
        .assert_eq(verdict(&ended));
    assert_eq!(record(&ws, "lane").answer.why, Some(Why::Guard));
    assert_eq!(starts(&ws, "a-l2/1"), 0);
    ws.write("machine/capacity", "25\n");
    ws.lp("density --again --allow-oom").success().stdout_has("2 lanes of 1 camera, 95 % sure");
}

#[test]
fn a_search_has_a_page_and_is_reported_again() {
    let ws = lane(&["a", "b"], 35);
    let ended = ws.lp("density").success();
    let answer = "1 lane of 2 cameras, 95 % sure; the 2nd fails at ";
    assert!(ended.stdout.starts_with(answer), "{}", ended.stdout);
    assert!(ended.stdout.lines().last().unwrap().starts_with(answer), "{}", ended.stdout);
    assert!(ended.stderr.contains("results/density/lane/report.html"), "{}", ended.stderr);
    assert!(ws.read("results/density/lane/report.html").contains("<rect class=\"bar holds confirm\""));
    let rows = record(&ws, "lane").settings.len() + 1;
    assert_eq!(ws.read("results/density/lane/report.csv").lines().count(), rows);

    let json = ws.lp("report density --json").success().stdout;
    assert_eq!(json, ws.read("results/density/lane/report.json"));
    assert_eq!(json, ws.lp("density --json").success().stdout);
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&document["answer"]["exact"], &document["streams"]), (&1.into(), &2.into()));
    let again = ws.lp("report density").success().stdout;
    assert_eq!(again, ended.stdout);
    assert_eq!(ws.lp("report density:lane --format csv").success().stdout.lines().count(), rows);
    ws.lp("report density --output out --verdict").success();
    assert!(ws.exists("out/report.html"));
    ws.lp("report density:a").code(2).stderr_has("there is no search `density:a` yet");
}

#[test]
fn upstreams_rule_is_applied_to_the_same_frames() {
    // With a second lane, each stream has 14.25 of 15 fps or less.
    let ws = lane(&["a", "b"], 35);
    ws.lp("density").success();
    let ended = ws.lp("density --rule upstream").success();
    for line in [
        "use-case density (lanes)  1",
        "stream density (streams)  2",
        "weakest camera  ",
        "by upstream's rule: 1 lane\n",
    ] {
        assert!(ended.stdout.contains(line), "no `{line}` in:\n{}", ended.stdout);
    }
    let ended = ws.lp("density --rule upstream --target-fps 20").success();
    assert!(ended.stdout.contains("by upstream's rule: 0 lanes, printed as `1, False`"), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("differs: 1 lane: upstream fails, since the lowest mean, of "),
        "{}",
        ended.stdout
    );
    ws.lp("density --target-fps 20").code(2);
    ws.lp("density --rule upstream --target-fps fast").code(2).stderr_has("expected a frame rate above 0");
}

#[test]
fn what_limits_the_lanes_is_shown_by_experiments() {
    let ws = lane(&["a"], 35).file("machine/heavy", "zbar 2\n");
    let ended = ws.lp("density --set density.limiter=true").success();
    let finding = "limit      limited by a lock between streams of a worker: `zbar`";
    assert!(ended.stdout.lines().any(|line| line == finding), "{}", ended.stdout);
    let shown = "limit: with a worker for each camera: holds";
    assert!(ended.stdout.contains(shown), "{}", ended.stdout);
    let limiter = record(&ws, "lane").limiter.unwrap();
    let experiments: Vec<_> =
        limiter.experiments.iter().map(|one| format!("{:?} {:?}", one.removal, one.state)).collect();
    expect![[r#"
        Nothing Fails
        Steps Holds
        Step("zbar") Holds
        SharedWorker Holds"#]]
    .assert_eq(&experiments.join("\n"));
    assert_eq!((limiter.lanes, limiter.load.streams_per_worker), (4, 4));
    assert!(ended.stderr.contains("only decoding"), "{}", ended.stderr);
    // It is no part of the key, and the stored answer has it.
    let again = ws.lp("density").success();
    assert_eq!(again.stdout, ended.stdout);

    let without = ws.lp("density --again --no-limiter").success();
    assert!(!without.stdout.contains("limited by"), "{}", without.stdout);
    assert_eq!(record(&ws, "lane").limiter, None);
}
