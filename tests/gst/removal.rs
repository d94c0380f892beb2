//! Pipelines without a part of their work can be built, and play.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lp::dialect::share::pipelines;
use lp::model::Pace;
use lp::pipeline::removal::{Frames, Removal, step_factories, without};
use lp::pipeline::{PipelineSpec, Value};
use lp::plan::CameraPlan;
use lp::worker::protocol::{End, EventBody, Tap};

use crate::project::{default_lane, short};
use crate::support::Bench;
use crate::workspace::Workspace;

/// The pipelines of a camera, resolved, each with its sinks, and what the camera delivers.
fn planned(ws: &Workspace, camera: &str) -> Vec<(PipelineSpec, Vec<usize>, Frames)> {
    let plan: CameraPlan = serde_json::from_str(&ws.read(&format!("results/plan/{camera}.json"))).unwrap();
    let frames = Frames { width: plan.width, height: plan.height, fps: plan.fps };
    let text = |path: PathBuf| Value::Text(path.to_str().unwrap().to_owned());
    let resolve = |spec: &PipelineSpec| {
        let files: PathBuf = ws.path("files");
        spec.stream_files().for_each(|file| std::fs::create_dir_all(files.join(file.folder())).unwrap());
        let mut spec = spec.clone();
        for property in spec.elements.iter_mut().flat_map(|element| &mut element.properties) {
            property.value = match &property.value {
                Value::Input(path) => text(ws.path(&path.to_string())),
                Value::StreamFile(file) => text(files.join(&file.stream).join(&file.path)),
                other => other.clone(),
            };
        }
        spec
    };
    pipelines(&plan, Pace::Live)
        .iter()
        .map(|played| (resolve(&played.spec), played.streams.iter().map(|(_, sink)| *sink).collect(), frames))
        .collect()
}

/// All removals, and those of its single steps.
fn removals(spec: &PipelineSpec, sinks: &[usize]) -> Vec<Removal> {
    let mut removals = vec![
        Removal::Steps,
        Removal::HalfRate,
        Removal::SmallerFrames,
        Removal::Sinks,
        Removal::DecoderThreads,
        Removal::QueueLimits,
    ];
    removals.extend(step_factories(spec, sinks).into_iter().map(Removal::Step));
    removals
}

#[test]
fn the_default_lane_can_be_built_without_any_part() {
    let ws = default_lane(Workspace::empty());
    ws.lp("build plan").success();
    let mut bench = Bench::new();
    let mut n = BTreeMap::<String, usize>::new();
    for camera in 1..=6 {
        for (spec, sinks, frames) in planned(&ws, &format!("camera-{camera}")) {
            for removal in removals(&spec, &sinks) {
                let Some((changed, _)) = without(&spec, &sinks, &removal, frames) else { continue };
                assert_eq!(
                    bench.worker().try_spec(changed).unwrap(),
                    None,
                    "camera-{camera} without {removal:?}"
                );
                *n.entry(format!("{removal:?}")).or_default() += 1;
            }
        }
    }
    let applied: Vec<&str> = n.keys().map(String::as_str).collect();
    let expected = [
        "DecoderThreads",
        "HalfRate",
        "QueueLimits",
        "SmallerFrames",
        "Step(\"motioncells\")",
        "Step(\"zbar\")",
        "Steps",
    ];
    assert_eq!(applied, expected);
}

/// Plays a pipeline until each of its streams has had some frames. How many frames arrived and
/// were taken out, of each stream.
fn play(bench: &mut Bench, spec: PipelineSpec, sinks: &[usize]) -> Vec<(u64, u64)> {
    let name = |n: usize| format!("stream/{n}");
    let also = sinks.iter().enumerate().skip(1).map(|(n, sink)| Tap { stream: name(n), sink: *sink });
    bench.worker().start_streams(name(0), spec, 0, also.collect()).unwrap();
    let mut counts = BTreeMap::<String, (u64, u64)>::new();
    let mut ended = 0;
    while ended < sinks.len() {
        match bench.event().body {
            EventBody::Refused { reason, .. } => panic!("{reason}"),
            EventBody::Frames { stream, played, taken_out, .. } => {
                let before = counts.values().filter(|(played, _)| *played >= 8).count();
                counts.insert(stream, (played, taken_out));
                let after = counts.values().filter(|(played, _)| *played >= 8).count();
                if before < after && after == sinks.len() {
                    for n in 0..sinks.len() {
                        bench.worker().stop_stream(&name(n)).unwrap();
                    }
                }
            }
            EventBody::Ended { end, .. } => {
                assert_eq!(end, End::Eos);
                ended += 1;
            }
            _ => {}
        }
    }
    (0..sinks.len()).map(|n| counts[&name(n)]).collect()
}

#[test]
fn pipelines_with_branches_play_without_any_part() {
    let ws = short(&[
        (
            "camera-1",
            r#"{"type": "motioncells"}, {"type": "tee", "name": "t"}, {"type": "zbar"},
               {"from": "t", "type": "x264enc", "properties": {"tune": "zerolatency"}}, {"type": "h264parse"},
               {"type": "matroskamux"}, {"type": "filesink", "properties": {"location": "a.mkv"}}"#,
        ),
        ("camera-2", r#"{"type": "motioncells"}, {"type": "zbar"}"#),
    ]);
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write(
        "configs/camera_to_workload.json",
        &cameras.replace("[\"of-camera-2\"]", "[\"of-camera-2\", \"light\"]"),
    );
    let workloads = ws.read("configs/workload_to_pipeline.json");
    let light = r#""light": [{"type": "motioncells"}, {"type": "identity"}],"#;
    ws.write(
        "configs/workload_to_pipeline.json",
        &workloads.replace("\"of-camera-1\":", &format!("{light}\n    \"of-camera-1\":")),
    );
    ws.lp("build --set run.share=prefix").success();
    let mut bench = Bench::new();
    let mut n_played = 0;
    for camera in ["camera-1", "camera-2"] {
        for (spec, sinks, frames) in planned(&ws, camera) {
            for removal in removals(&spec, &sinks) {
                let Some((changed, sinks)) = without(&spec, &sinks, &removal, frames) else { continue };
                let counts = play(&mut bench, changed, &sinks);
                n_played += 1;
                for (played, taken_out) in counts {
                    let is_half = removal == Removal::HalfRate;
                    // One frame may be on its way.
                    let difference = played.abs_diff(taken_out);
                    assert_eq!(
                        is_half,
                        difference <= 2,
                        "{camera} without {removal:?}: {played}, {taken_out}"
                    );
                }
            }
        }
    }
    // Everything but the sinks of the second camera, which do nothing.
    assert_eq!(n_played, 9 + 8, "some removal did not apply");
}
