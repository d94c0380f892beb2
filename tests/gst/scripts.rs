//! Users' scripts that run real pipelines of `gst-launch-1.0`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use lp::record::foreign::{Figure, figure};
use lp::record::measure::measure;
use lp::record::script::Rate;

use crate::project::{default_lane, latest, short};
use crate::workspace::Workspace;

/// Writes a script that may be executed.
fn script(ws: &Workspace, path: &str, text: &str) {
    ws.write(path, text);
    fs::set_permissions(ws.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The example script of this name.
fn example(ws: &Workspace, name: &str) {
    let path = format!("configs/pipelines/{name}.sh");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
    script(ws, &path, &text);
}

#[test]
fn the_figures_of_a_script_are_those_that_it_prints() {
    let ws = short(&[("till", r#"{"script": "live.sh", "parameters": {"name": "a sink"}}"#)]);
    let text = "#!/bin/sh\nexec gst-launch-1.0 -v videotestsrc is-live=true ! video/x-raw,framerate=25/1 \\\n\
                ! fpsdisplaysink \"name=$2\" text-overlay=false video-sink=fakesink\n";
    script(&ws, "live.sh", text);
    ws.lp("run --no-verdict --duration 4s").success();
    let record = latest(&ws);
    let [script] = &record.members[0].scripts[..] else { panic!("one script") };
    let [sink] = &script.rates[..] else { panic!("one sink: {:?}", script.rates) };
    assert_eq!(sink.element, "a sink");

    // What the sink itself says of the frames between the first and the last line
    // in the window.
    let counts: Vec<u64> = sink
        .rates
        .iter()
        .map(|rate| match rate {
            Rate::Count { rendered, .. } => *rendered,
            other => panic!("no count: {other:?}"),
        })
        .collect();
    let (first, last) = (counts[0], counts[counts.len() - 1]);
    let mut said = Vec::new();
    for line in script.output.lines() {
        if let Some(Figure::Count { rendered, .. }) = figure(line.as_bytes())
            && (first + 1..=last).contains(&rendered)
        {
            let current = line.split_once("current: ").unwrap().1.split_once(',').unwrap().0;
            said.push(current.parse::<f64>().unwrap());
        }
    }
    assert_eq!(said.len() + 1, counts.len(), "every line in the window was read");
    let own = said.iter().sum::<f64>() / said.len() as f64;
    let figures = &measure(&record).cameras[0].streams[0];
    assert_eq!(figures.frames, Some(last - first));
    let ours = figures.fps.unwrap();
    assert!((ours / own - 1.0).abs() < 0.05, "{ours} fps, but the sink says {own}: {said:?}");
}

/// Whether pipelines start with the tracer `latency`: not in the first versions 1.26.
fn latency_can_be_traced() -> bool {
    let said = Command::new("gst-launch-1.0").arg("--version").output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let patch = said.lines().find_map(|line| line.strip_prefix("GStreamer 1.26."));
    patch.is_none_or(|patch| 4 < patch.trim().parse::<u32>().unwrap())
}

#[test]
fn the_example_scripts_run_beside_a_pipeline() {
    let ws = short(&[
        ("basket", r#"{"script": "configs/pipelines/motion.sh", "parameters": {"sensitivity": 0.5}}"#),
        ("codes", r#"{"script": "configs/pipelines/codes.sh", "parameters": {"cache": "false"}}"#),
        ("stock", r#"{"type": "zbar"}"#),
    ]);
    example(&ws, "motion");
    example(&ws, "codes");
    // Three seconds of clip: each begins again within the window.
    ws.lp("run --no-verdict --duration 4s").success();
    let record = latest(&ws);
    assert!(record.is_complete());
    assert_eq!(record.members[2].streams[0].failure, None);
    let measurement = measure(&record);
    for camera in &measurement.cameras[..2] {
        let stream = &camera.streams[0];
        assert!(stream.fps.is_some(), "{stream:?}");
        assert_eq!(stream.script.as_ref().unwrap().elements[0].element, camera.slug.as_str());
    }
    assert_eq!(measurement.cameras[0].streams[0].latency_us, None);
    let said = &record.members[1].scripts[0].output;
    let traces = latency_can_be_traced();
    assert_eq!(measurement.cameras[1].streams[0].latency_us.is_some(), traces, "{said}");
    assert_eq!(said.contains("codes.sh: no latency: "), !traces, "{said}");
    assert!(said.contains("TEA-1"), "the code was read");

    ws.lp("run --set run.pace=free").success();
    let record = latest(&ws);
    assert!(record.is_complete());
    let exits = record.members[..2].iter().map(|member| member.scripts[0].exit.as_ref().unwrap());
    assert!(exits.clone().all(|exit| exit.how == "exited with status 0" && !exit.asked), "{exits:?}");
}

#[test]
fn an_example_script_names_a_parameter_that_it_does_not_know() {
    let ws = short(&[("basket", r#"{"script": "configs/pipelines/motion.sh", "parameters": {"gap": 1}}"#)]);
    example(&ws, "motion");
    let ended = ws.lp("run").code(1);
    assert!(ended.stdout.contains("basket/1 of basket: exited with status 2 after "), "{}", ended.stdout);
    assert!(ended.stdout.contains("  | motion.sh: unknown parameter --gap\n"), "{}", ended.stdout);
}

#[test]
fn the_profile_of_scripts_has_no_faults() {
    let ws = default_lane(Workspace::empty());
    ws.lp("check --strict --profile scripts").success();
    ws.lp("build --profile scripts --dry-run report").success();
}
