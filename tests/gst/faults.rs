//! What goes wrong in one camera costs that camera only; what is missing is
//! said before anything starts.

use std::os::unix::fs::symlink;
use std::path::Path;

use expect_test::expect;
use gstreamer as gst;
use gstreamer::prelude::*;
use lp::record::measure::{Verdict, measure};
use rustix::process::Signal;

use crate::project::{LpProcess, SHORT_SCENE, crash, is_gone, latest, short, signal, started};

const GOOD: (&str, &str) = ("good", r#"{"type": "zbar"}"#);

#[test]
fn a_camera_whose_element_fails_is_named_and_the_others_are_measured() {
    let ws = short(&[GOOD, ("bad", r#"{"type": "identity", "properties": {"error-after": 8}}"#)]);
    let ended = ws.lp("run").code(1);
    let reason = "`bad_1_1_identity`: Failed after iterations as requested";
    assert!(ended.stdout.contains(&format!("failed: bad/1 of bad: {reason}\n")), "{}", ended.stdout);
    assert!(ended.stdout.contains(", 1 failed; machine CPU"), "{}", ended.stdout);
    let json: serde_json::Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    assert_eq!(json["complete"], false);
    let cameras = &json["measurement"]["cameras"];
    assert_eq!(cameras[1]["verdict"], "failed");
    assert_eq!(cameras[1]["streams"][0]["reason"], reason);
    assert_ne!(cameras[0]["verdict"], "failed");
    assert!(cameras[0]["streams"][0]["window_us"].as_u64() == Some(2_000_000), "{}", cameras[0]);
    let record = latest(&ws);
    assert!(!record.is_complete());
    assert_eq!(record.conditions.repeat, 1);

    // It is kept and shown, but never answers for a later run.
    ws.lp("build report --dry-run").success().stderr(expect![[r#"
        run:lane                        stale: the last measurement is incomplete
        benchmark:lane/good             stale if `run:lane` makes something new
        benchmark:lane/bad              stale if `run:lane` makes something new
        report                          stale if `run:lane` makes something new
        4 tasks would run
    "#]]);
    let again = ws.lp("build report").code(1);
    expect![[r#"
        benchmark:lane/bad  stale: `results/run/lane.json` changed
        benchmark:lane/good  stale: `results/run/lane.json` changed
        report  stale: `results/benchmark/lane/bad.csv` changed
        run:lane  stale: the last measurement is incomplete"#]]
    .assert_eq(&started(&again.stderr));
    let record: lp::record::RunRecord = serde_json::from_str(&ws.read("results/run/lane.json")).unwrap();
    assert_eq!(record.conditions.repeat, 2);
}

#[test]
fn a_worker_that_crashes_costs_its_camera_only() {
    let ws = short(&[GOOD, ("bad", r#"{"type": "identity"}"#)]);
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "4s"]);
    lp.wait_for_frames_of("bad");
    crash(lp.workers()["bad"]);
    let ended = lp.finish().code(1);
    let reason = "its worker ended: killed by SIGSEGV";
    assert!(ended.stdout.contains(&format!("failed: bad/1 of bad: {reason}\n")), "{}", ended.stdout);
    let record = latest(&ws);
    assert!(!record.is_complete());
    assert_eq!(record.members[0].streams[0].failure, None);
    assert_eq!(record.members[1].streams[0].failure.as_deref(), Some(reason));
    assert_eq!(record.workers[1].death.as_deref(), Some("killed by SIGSEGV"));
}

#[test]
fn a_worker_that_is_stopped_for_a_while_does_not_hold() {
    let ws = short(&[GOOD, ("stopped", r#"{"type": "identity"}"#)]).unseen_machine();
    let mut lp = LpProcess::start(&ws, &["run", "--no-verdict", "--duration", "8s"]);
    lp.wait_for_frames_of("stopped");
    let worker = lp.workers()["stopped"];
    signal(worker, Signal::STOP);
    // Lines of the other camera are a second apart.
    (0..3).for_each(|_| lp.wait_for_frames_of("good"));
    signal(worker, Signal::CONT);
    lp.finish().success();
    let figures = measure(&latest(&ws));
    let stopped = &figures.cameras[1].streams[0];
    let (on_time, deadline) = (stopped.on_time.unwrap(), stopped.deadline.clone().unwrap());
    assert!(stopped.longest_gap_us.unwrap() > 1_000_000, "{stopped:?}");
    assert!(on_time.too_late > 0 && on_time.worst_us > 1_000_000, "{on_time:?}");
    assert_eq!((stopped.verdict, deadline.verdict), (Verdict::DoesNotHold, Verdict::DoesNotHold));
}

#[test]
fn ctrl_c_keeps_what_was_measured_and_leaves_no_worker() {
    let ws = short(&[GOOD, ("other", r#"{"type": "identity"}"#)]);
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "1h"]);
    lp.wait_for_frames_of("good");
    lp.wait_for_frames_of("other");
    let workers = lp.workers();
    assert_eq!(workers.keys().collect::<Vec<_>>(), ["good", "other"]);
    lp.interrupt();
    lp.finish().code(130);
    assert!(workers.values().all(|worker| is_gone(*worker)));
    let record = latest(&ws);
    assert!(record.interrupted && !record.is_complete());
    for member in &record.members {
        assert_eq!(member.streams[0].failure, None);
        assert!(!member.streams[0].arrived_us.is_empty());
    }
    for file in ["report.json", "report.csv", "report.html", "benchmark/good.json", "benchmark/other.csv"] {
        assert!(ws.exists(&format!("results/latest/{file}")), "{file}");
    }
}

#[test]
fn a_record_with_changed_inputs_is_kept_and_never_reused() {
    let ws = short(&[GOOD]);
    let mut lp = LpProcess::start(&ws, &["run", "--duration", "2s"]);
    lp.wait_for_frames_of("good");
    ws.write("results/plan/good.json", "{}");
    lp.finish().code(1).stderr_has("input `results/plan/good.json` changed while the task ran");
    assert!(!latest(&ws).members[0].streams[0].arrived_us.is_empty());
    let explained = ws.lp("explain run:lane").success().stdout;
    assert!(explained.contains("no record fits"), "{explained}");
}

#[test]
fn without_an_end_ctrl_c_is_the_end() {
    let ws = short(&[GOOD]);
    let mut lp = LpProcess::start(&ws, &["run", "--no-verdict", "--duration", "0s"]);
    lp.wait_for_frames_of("good");
    lp.interrupt();
    lp.finish().success();
    let record = latest(&ws);
    assert!(record.is_complete() && !record.interrupted);
    assert!(record.members[0].streams[0].window_us.is_some());
}

#[test]
fn a_drawn_source_needs_no_files() {
    let ws = short(&[GOOD]);
    ws.lp("run --no-verdict --duration 1s --set run.source=synthetic").success();
    assert_eq!(latest(&ws).members[0].streams[0].failure, None);
    assert!(!ws.exists("media"));
}

#[test]
fn a_scene_that_is_slower_than_its_camera_is_drawn_at_the_rate_of_the_camera() {
    let ws = short(&[GOOD]);
    ws.write("configs/scenes/short.toml", &SHORT_SCENE.replace("fps = 15", "fps = 5"));
    ws.lp("run --set run.pace=free --set run.source=synthetic").success();
    let stream = &latest(&ws).members[0].streams[0];
    // Three seconds of a camera of 15 fps, in which the code shows for the last 1.5 s.
    let delivered = stream.delivery.as_ref().unwrap().frames;
    assert_eq!((delivered, stream.decoded, stream.arrived_us.len()), (Some(45), 45, 45));
    let places: Vec<u64> = stream.sightings.iter().map(|sighting| sighting.clip_ms.unwrap()).collect();
    assert!(!places.is_empty() && places.iter().all(|at| (1000..3000).contains(at)), "{places:?}");
}

#[test]
fn sightings_of_a_drawn_scene_have_their_place_in_it_in_every_pass() {
    let ws = short(&[GOOD]);
    ws.lp("run --duration 6s --set run.source=synthetic");
    let record = latest(&ws);
    let sightings = &record.members[0].streams[0].sightings;
    // The code shows for the last 1.5 s of 3.
    let (first, last) = (sightings.first().unwrap(), sightings.last().unwrap());
    assert!(last.at_us - first.at_us > 2_000_000, "the second pass is seen, too");
    for sighting in sightings {
        assert!(sighting.clip_ms.is_some_and(|at| at < 3000), "{sighting:?}");
    }
}

#[test]
fn an_unknown_element_is_refused_with_its_position() {
    let ws = short(&[GOOD, ("bad", r#"{"type": "nosuchelement"}"#)]);
    ws.lp("run").code(2).stderr(expect![[r#"
        error[LP0803]: this machine has no element `nosuchelement`, which `bad` needs
         --> configs/workload_to_pipeline.json:4:25
          |
        4 |     "of-bad": [{"type": "nosuchelement"}]
          |                         ^^^^^^^^^^^^^^^
          |
          = help: no Debian package is known to have it; see `gst-inspect-1.0 nosuchelement`
        error: 1 error
    "#]]);
    assert!(!ws.exists("media") && !ws.exists("results"));
}

#[test]
fn an_element_of_a_package_that_is_missing_is_refused_with_that_package() {
    // GStreamer sees what the cameras need, but not `zbar`.
    let ws = short(&[GOOD]).env("LP_SET_RUN_SOURCE", "synthetic");
    gst::init().unwrap();
    std::fs::create_dir(ws.path("plugins")).unwrap();
    for factory in ["fakesink", "videoconvert", "videorate", "videoscale"] {
        let plugin = gst::ElementFactory::find(factory).unwrap().plugin().unwrap();
        let file = plugin.filename().unwrap();
        let place = ws.path("plugins").join(file.file_name().unwrap());
        if !place.exists() {
            symlink(file, place).unwrap();
        }
    }
    let (plugins, registry) = (ws.path("plugins"), ws.path("registry.bin"));
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let ws = ws.env("GST_PLUGIN_SYSTEM_PATH_1_0", &text(&plugins)).env("GST_REGISTRY", &text(&registry));
    ws.lp("run").code(2).stderr(expect![[r#"
        error[LP0803]: this machine has no element `zbar`, which `good` needs
         --> configs/workload_to_pipeline.json:3:26
          |
        3 |     "of-good": [{"type": "zbar"}]
          |                          ^^^^^^
          |
          = help: sudo apt-get install gstreamer1.0-plugins-bad
        error: 1 error
    "#]]);
    assert!(!ws.exists("results"));
}

#[test]
fn without_a_worker_nothing_starts() {
    let ws = short(&[GOOD]).env("LP_WORKER", "/nowhere/lp-worker");
    ws.lp("run").code(2).stderr(expect![[r#"
        error: no worker: `/nowhere/lp-worker` does not exist
          hint: build or install `lp-worker` (it needs GStreamer's development files), or name one in `LP_WORKER`
          needed by `generate:short.mp4`, `transcode:short.mp4@320x180@15`, `run:lane`
    "#]]);
    assert!(!ws.exists("media") && !ws.exists("results"));
    // What needs none still works.
    ws.lp("build plan").success();
}
