//! `lp run --trace`: where the time of frames goes in real pipelines.

use std::collections::BTreeMap;

use lp::record::StreamRecord;
use serde_json::Value;

use crate::project::{latest, short};
use crate::workspace::Workspace;

/// A camera that shares its decoder between two workloads, of which one is slow, and one whose step
/// gives frames other times and drops some.
fn lane() -> Workspace {
    let slow = r#"{"type": "identity", "properties": {"sleep-time": 20000}}, {"type": "videoanalyse"}"#;
    let ws = short(&[
        ("till", slow),
        ("door", r#"{"type": "videorate", "caps": "video/x-raw,framerate=10/1"}, {"type": "videoanalyse"}"#),
    ]);
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write(
        "configs/camera_to_workload.json",
        &cameras.replace("[\"of-till\"]", "[\"of-till\", \"quick\"]"),
    );
    let workloads = ws.read("configs/workload_to_pipeline.json");
    let quick = "\"quick\": [{\"type\": \"videobalance\"}],\n    \"of-till\"";
    ws.write("configs/workload_to_pipeline.json", &workloads.replacen("\"of-till\"", quick, 1));
    ws
}

/// A slice: begin and end in microseconds.
type Slice<'a> = (u64, u64, &'a Value);

fn slices<'a>(events: &'a [Value], pid: u64, kind: &str) -> Vec<Slice<'a>> {
    let of = events.iter().filter(|one| one["ph"] == "X" && one["pid"] == pid && one["cat"] == kind);
    let number = |one: &Value, key: &str| one[key].as_u64().unwrap();
    of.map(|one| (number(one, "ts"), number(one, "ts") + number(one, "dur"), one)).collect()
}

/// Checks the stages of each frame of a stream against the latencies of the record.
fn check(events: &[Value], stream: &StreamRecord) -> BTreeMap<String, u64> {
    let is_it = |one: &&Value| {
        let name = one["args"]["name"].as_str().unwrap_or("");
        one["name"] == "process_name" && name.starts_with(&stream.stream)
    };
    let pid = events.iter().find(is_it).unwrap()["pid"].as_u64().unwrap();
    let frames = slices(events, pid, "frame");
    let stages = slices(events, pid, "stage");
    let known: BTreeMap<u64, u32> =
        stream.arrived_us.iter().zip(&stream.latency_us).filter_map(|(at, us)| Some((*at, (*us)?))).collect();
    assert!(frames.len() * 10 >= known.len() * 9, "{}: {} of {}", stream.stream, frames.len(), known.len());
    // Where a step gives frames other times, their latency is not known, but their stages are.
    let is_retimed = stream.stream == "door/1";
    assert!(!frames.is_empty() && (is_retimed || !known.is_empty()), "{}", known.len());
    let mut sums = BTreeMap::new();
    for (begin, end, frame) in &frames {
        let near = known.range(end - 2..=end + 2).next().map(|(_, latency_us)| *latency_us);
        let near = near.or_else(|| u32::try_from(end - begin).ok().filter(|_| is_retimed));
        let latency_us = near.unwrap_or_else(|| panic!("{}: no frame at {end}", stream.stream));
        let is_of =
            |stage: &&Slice<'_>| stage.2["tid"] == frame["tid"] && *begin <= stage.0 && stage.1 <= *end;
        let mut sum = 0;
        for (from, to, stage) in stages.iter().filter(is_of) {
            sum += to - from;
            *sums.entry(stage["name"].as_str().unwrap().to_owned()).or_insert(0) += to - from;
        }
        // Within 2 %; both are cut to microseconds.
        let apart = sum.abs_diff(u64::from(latency_us));
        assert!(apart * 50 <= u64::from(latency_us).max(100), "{}: {sum} of {latency_us} us", stream.stream);
    }
    sums.values_mut().for_each(|sum| *sum /= frames.len() as u64);
    sums
}

#[test]
fn stages_of_frames_add_up_to_the_latency_that_was_measured() {
    let ws = lane();
    ws.lp("run --duration 4s --no-verdict --set run.share=prefix --trace trace.json").success();
    let record = latest(&ws);
    assert!(record.conditions.traced);
    let trace: Value = serde_json::from_str(&ws.read("trace.json")).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../docs/schema/trace.schema.json")).unwrap();
    let faults: Vec<String> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(&trace).map(|one| one.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}");
    let events = trace["traceEvents"].as_array().unwrap();
    let streams: Vec<&StreamRecord> = record.members.iter().flat_map(|member| &member.streams).collect();
    let means: BTreeMap<&str, _> =
        streams.iter().map(|stream| (stream.stream.as_str(), check(events, stream))).collect();
    assert_eq!(means.len(), 3);
    let slow = means.values().filter(|of| of.get("identity").is_some_and(|us| *us >= 20_000)).count();
    assert_eq!(slow, 1, "{means:?}");
    assert!(means.values().all(|of| of.contains_key("queue")), "{means:?}");
    // The page shows the same.
    let page = ws.read("results/latest/report.html");
    assert_eq!(page.matches("Where the time of a frame goes in").count(), 3);
    let counters = events.iter().filter(|one| one["ph"] == "C" && one["name"] == "machine.cpu");
    assert!(counters.count() >= 3);
}

#[test]
fn a_run_without_a_trace_records_no_stages() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    ws.lp("run --no-verdict").success();
    let record = latest(&ws);
    assert!(!record.conditions.traced && record.members[0].streams[0].stages.is_none());
    // Nothing is run if the trace cannot be written or would be empty.
    for (arguments, reason) in [
        ("run --trace .", "is a folder"),
        ("run --trace no/such/trace.json", "cannot be written"),
        ("run --trace t.json --set run.pace=free", "have no latency"),
    ] {
        let ended = ws.lp(arguments).code(2);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
}
