//! Pipelines that share decoding and their first steps give what they give alone.

use std::collections::BTreeMap;

use lp::pipeline::{Element, PipelineSpec, Playback};
use lp::plan::CameraPlan;
use lp::record::measure::measure;
use lp::record::{RunRecord, StreamRecord};
use lp::worker::protocol::{End, EventBody, Tap};

use crate::project::{latest, short};
use crate::support::{Bench, decoder, file, sink, spec};
use crate::workspace::Workspace;

/// A camera with three workloads, two of which begin alike.
fn lane() -> Workspace {
    let ws = short(&[("camera-1", r#"{"type": "motioncells", "properties": {"gap": 1}}, {"type": "zbar"}"#)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write(
        "configs/camera_to_workload.json",
        &cameras.replace("[\"of-camera-1\"]", "[\"of-camera-1\", \"codes\", \"light\"]"),
    );
    ws.write(
        "configs/workload_to_pipeline.json",
        r#"{"workload_pipeline_map": {
            "of-camera-1": [{"type": "motioncells", "properties": {"gap": 1}}, {"type": "zbar"}],
            "codes": [{"type": "zbar"}],
            "light": [{"type": "motioncells", "properties": {"gap": 1}}, {"type": "videoanalyse"}]
        }}"#,
    );
    ws
}

/// What a stream saw, without the names of its elements.
fn seen(stream: &StreamRecord) -> Vec<String> {
    let mut seen: Vec<String> = stream
        .sightings
        .iter()
        .map(|one| {
            let symbol = one.fields.get("symbol");
            format!("{} {} {:?} {symbol:?}", one.factory, one.message, one.clip_ms)
        })
        .collect();
    seen.sort();
    seen
}

fn streams(record: &RunRecord) -> &[StreamRecord] {
    &record.members[0].streams
}

#[test]
fn a_shared_pipeline_gives_every_stream_its_frames_and_sightings() {
    let ws = lane();
    ws.lp("run --set run.pace=free").success();
    let alone = latest(&ws);
    let dry = ws.lp("build plan --dry-run --set run.share=prefix").success();
    assert!(dry.stderr.contains("stale: `share` was added"), "{}", dry.stderr);
    ws.lp("run --set run.pace=free --set run.share=prefix").success();
    let shared = latest(&ws);
    for (one, other) in streams(&alone).iter().zip(streams(&shared)) {
        assert_eq!((&one.stream, &one.workloads), (&other.stream, &other.workloads));
        assert_eq!((one.life, other.life.dropped, other.failure.as_ref()), (other.life, 0, None));
        assert_eq!(other.arrived_us.len(), 45);
        assert_eq!(seen(one), seen(other));
        assert!(!seen(one).is_empty(), "{} saw nothing", one.stream);
    }
    let sharing = |record: &RunRecord| -> Vec<String> {
        streams(record).iter().map(|stream| stream.shares_decode_with.join(" ")).collect()
    };
    assert_eq!(sharing(&alone), ["", "", ""]);
    assert_eq!(sharing(&shared), ["camera-1/3", "", "camera-1/1"]);
    let totals = |record| {
        let totals = measure(record).totals;
        (totals.pipelines, totals.decoders, totals.decoded, totals.frames)
    };
    assert_eq!(totals(&alone), (3, 3, 135, 135));
    assert_eq!(totals(&shared), (3, 2, 90, 135));

    let plan: CameraPlan = serde_json::from_str(&ws.read("results/plan/camera-1.json")).unwrap();
    assert_eq!((plan.shared[0].pipelines.as_slice(), plan.shared[0].steps), (&[1, 3][..], 1));
    let lines: Vec<bool> = plan.pipelines.iter().map(|pipeline| pipeline.launch.is_some()).collect();
    assert_eq!(lines, [true, true, false]);
    assert!(plan.pipelines[0].launch.as_ref().unwrap().contains("camera-1_1_1_shared. !"));
}

#[test]
fn streams_that_share_loop_and_are_measured_side_by_side() {
    let ws = lane();
    // Two passes of the clip and more.
    ws.lp("run --no-verdict --set run.share=prefix --duration 7s --set run.isolation=lane").success();
    let record = latest(&ws);
    for stream in streams(&record) {
        assert_eq!((&stream.failure, &stream.end), (&None, &Some(End::Eos)), "{}", stream.stream);
        assert_eq!(stream.life.decoded, stream.life.played + stream.life.dropped);
        assert_eq!(stream.window_us.map(|(begin, end)| end - begin), Some(7_000_000));
        assert!(stream.latency_us.iter().any(Option::is_some));
    }
}

#[test]
fn an_error_in_one_branch_ends_all_that_share() {
    let ws = lane();
    let workloads = ws.read("configs/workload_to_pipeline.json");
    ws.write(
        "configs/workload_to_pipeline.json",
        &workloads.replace(
            r#"{"type": "videoanalyse"}"#,
            r#"{"type": "identity", "properties": {"error-after": 8}}"#,
        ),
    );
    ws.lp("run --set run.share=prefix").code(1);
    let record = latest(&ws);
    let failed: Vec<bool> = streams(&record).iter().map(|stream| stream.failure.is_some()).collect();
    assert_eq!(failed, [true, false, true]);
}

/// A clip that loops for two streams, and the sinks of these.
fn two(clip: &std::path::Path) -> (PipelineSpec, [usize; 2]) {
    let paced = vec![
        Element::new("clocksync").named("ingress"),
        decoder(),
        Element::new("queue"),
        Element::new("tee"),
        Element::new("queue"),
        sink(),
    ];
    let mut spec = file(clip, paced, Playback::Loop);
    let first = spec.sink;
    spec.elements.push(Element::new("queue").branching_from(first - 2));
    spec.elements.push(sink());
    (spec, [first, first + 2])
}

#[test]
fn stopping_one_stream_lets_the_others_go_on() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    let (spec, [_, other]) = two(&clip);
    let also = vec![Tap { stream: "camera-1/2".into(), sink: other }];
    bench.worker().start_streams("camera-1/1".into(), spec, 0, also).unwrap();
    let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut ended: Vec<(String, u64)> = Vec::new();
    let mut asked = false;
    loop {
        match bench.event().body {
            EventBody::Frames { stream, decoded, played, dropped, .. } => {
                assert!(played + dropped <= decoded, "{stream}: {played} + {dropped} > {decoded}");
                assert!(ended.iter().all(|(over, _)| *over != stream), "{stream} is over");
                counts.insert(stream, (played + dropped, decoded));
            }
            EventBody::Ended { stream, end } => {
                assert_eq!(end, End::Eos);
                let (accounted, decoded) = counts[&stream];
                assert_eq!(accounted, decoded, "{stream}");
                ended.push((stream, decoded));
                if ended.len() == 2 {
                    break;
                }
            }
            EventBody::Refused { reason, .. } => panic!("{reason}"),
            _ => {}
        }
        let played = |stream: &str| counts.get(stream).map_or(0, |(played, _)| *played);
        if !asked && 5 <= played("camera-1/1") && 5 <= played("camera-1/2") {
            asked = true;
            bench.worker().stop_stream("camera-1/1").unwrap();
        }
        // The clip has ten frames: the other goes on over the end of a pass.
        if let [(_, first)] = ended.as_slice()
            && first + 15 <= played("camera-1/2")
        {
            bench.worker().stop_stream("camera-1/2").unwrap();
        }
    }
    let names: Vec<&str> = ended.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["camera-1/1", "camera-1/2"]);
    // Both names are free again.
    let (spec, [_, other]) = two(&clip);
    let also = vec![Tap { stream: "camera-1/1".into(), sink: other }];
    bench.worker().start_streams("camera-1/2".into(), spec, 0, also).unwrap();
    let (bodies, exit) = bench.finish();
    // No `GStreamer-CRITICAL` about events that were taken out of the stream.
    assert_eq!(exit.stderr_tail, "");
    assert!(
        exit.exit.success()
            && bodies.iter().all(
                |body| !matches!(body, EventBody::Refused { reason, .. } if reason.contains("is already playing"))
            )
    );
}

#[test]
fn a_sink_outside_the_spec_is_refused() {
    let mut bench = Bench::new();
    let clip = bench.clip(2, 10);
    let spec = spec(file(&clip, vec![decoder(), sink()], Playback::Once).elements, Playback::Once);
    let also = vec![Tap { stream: "camera-1/2".into(), sink: 99 }];
    bench.worker().start_streams("camera-1/1".into(), spec, 0, also).unwrap();
    let reason = loop {
        if let EventBody::Refused { reason, .. } = bench.event().body {
            break reason;
        }
    };
    assert_eq!(reason, "the spec has no element 99, which is to be a sink");
}
