//! Figures of runs given event by event, computed by hand.

mod alive;
mod cameras;
mod deadlines;
mod scripts;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::path::ProjectPath;
use crate::record::fixture::{S, Story, displayed, member, scripted, setup, six_cameras};
use crate::worker::protocol::{End, EventBody};

/// A line per stream, then the verdict.
#[track_caller]
fn check(record: &RunRecord, expect: Expect) -> Measurement {
    let measurement = measure(record);
    let mut text = String::new();
    for stream in measurement.cameras.iter().flat_map(|camera| &camera.streams) {
        let fps = stream.fps.map_or_else(|| "-".to_owned(), |fps| format!("{fps:.3}"));
        text.push_str(&format!("{}: {fps} fps, {}", stream.stream, stream.verdict));
        if let Some(reason) = &stream.reason {
            text.push_str(&format!(" ({reason})"));
        }
        text.push('\n');
    }
    text.push_str(&measurement.verdict);
    text.push('\n');
    expect.assert_eq(&text);
    measurement
}

fn lane(target: [f64; 2], pace: Pace) -> Story {
    let members = vec![
        member("a", "A", target[0], &[(&["scan", "basket"], 0)]),
        member("b", "B", target[1], &[(&["scan"], 1)]),
    ];
    Story::new(setup(pace, 20, 2, &["a", "b"], members))
}

#[test]
fn a_run_that_only_decodes_never_holds() {
    let mut story = lane([15.0, 15.0], Pace::Live);
    story.play(0, "a/1", 0, 22, 15);
    story.play(1, "b/1", 0, 22, 7);
    let mut record = story.builder.finish();
    record.conditions.decode_only = true;
    let measurement = check(
        &record,
        expect![[r#"
            a/1: 15.000 fps, decodes
            b/1: 7.000 fps, does not hold (7.00 fps is less than 98 % of 15; 50 % on time is less than 99 %)
            1 of 2 cameras decodes at 15 fps, 1 does not; decode only, no inference was run; machine CPU not measured
        "#]],
    );
    assert_eq!(measurement.totals.holding, 0);
    record.conditions.pace = Pace::Free;
    assert!(measure(&record).verdict.contains("; decode only, no inference was run; "));
}

#[test]
fn streams_that_keep_up_hold() {
    let mut story = lane([15.0, 15.0], Pace::Live);
    story.play(0, "a/1", 0, 22, 15);
    story.play(1, "b/1", 0, 22, 15);
    let measurement = check(
        &story.builder.finish(),
        expect![[r#"
            a/1: 15.000 fps, holds
            b/1: 15.000 fps, holds
            2 of 2 cameras hold 15 fps; machine CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!(stream.latency_us, Some(Percentiles { p50: 5_000, p95: 5_000, p99: 5_000, max: 5_000 }));
    assert_eq!(stream.seconds.len(), 20);
    assert!(stream.seconds.iter().all(|second| second.frames == 15));
    assert_eq!(stream.fps_range, Some(Range { min: 15.0, max: 15.0 }));
    assert_eq!(measurement.totals.frames, 600);
    assert!((measurement.totals.fps.unwrap() - 30.0).abs() < 0.01);
}

#[test]
fn a_pipeline_appears_under_each_workload_and_counts_once() {
    let mut story = lane([15.0, 15.0], Pace::Live);
    story.play(0, "a/1", 0, 22, 15);
    story.play(1, "b/1", 0, 22, 15);
    let measurement = measure(&story.builder.finish());
    let rows: Vec<String> = measurement
        .workloads
        .iter()
        .map(|row| format!("{} {} {} [{}]", row.slug, row.workload, row.stream, row.shared_with.join(",")))
        .collect();
    assert_eq!(rows, ["a scan a/1 [basket]", "a basket a/1 [scan]", "b scan b/1 []"]);
    assert_eq!(measurement.totals.pipelines, 2);
}

#[test]
fn a_camera_has_the_verdict_of_its_worst_stream() {
    let members = vec![member("a", "A", 15.0, &[(&["x"], 0), (&["y"], 0), (&["z"], 0)])];
    let mut story = Story::new(setup(Pace::Live, 20, 2, &["a"], members));
    for second in 0..22 {
        for (stream, fps) in [("a/1", 15), ("a/2", 10), ("a/3", 12)] {
            story.play(0, stream, second, second + 1, fps);
        }
    }
    let measurement = check(
        &story.builder.finish(),
        expect![[r#"
            a/1: 15.000 fps, holds
            a/2: 10.000 fps, does not hold (10.00 fps is less than 98 % of 15; 50.12 % on time is less than 99 %)
            a/3: 12.000 fps, does not hold (12.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    assert_eq!(measurement.cameras[0].worst.as_deref(), Some("a/2"));
    assert_eq!(measurement.cameras[0].verdict, Verdict::DoesNotHold);
}

#[test]
fn targets_that_differ_are_not_named() {
    let mut story = lane([15.0, 10.0], Pace::Live);
    story.play(0, "a/1", 0, 22, 15);
    story.play(1, "b/1", 0, 3, 10);
    story.end(1, "b/1", 3 * S, End::Eos);
    check(
        &story.builder.finish(),
        expect![[r#"
            a/1: 15.000 fps, holds
            b/1: 10.000 fps, failed (ended by itself 1.0 s into its window of 20.0 s)
            1 of 2 cameras holds its target, 1 failed; machine CPU not measured
        "#]],
    );
}

#[test]
fn a_run_that_was_not_whole_falls_short_whatever_is_asked() {
    let check = |record: &RunRecord, claim, expect: Expect| {
        expect.assert_eq(&shortfall(record, &measure(record), claim).unwrap_or_default());
    };
    let whole = || {
        let mut story = lane([15.0, 15.0], Pace::Live);
        story.play(0, "a/1", 0, 22, 15);
        story.play(1, "b/1", 0, 22, 15);
        story.builder.finish()
    };
    check(&whole(), Claim::Held, expect![""]);
    let mut record = whole();
    record.interrupted = true;
    check(&record, Claim::Played, expect!["the run was interrupted"]);
    let mut record = whole();
    record.inputs_changed = vec![ProjectPath::new("a.mp4").unwrap()];
    check(
        &record,
        Claim::Held,
        expect!["2 of 2 cameras are undecided; its input `a.mp4` changed while it ran"],
    );
    let mut record = whole();
    let vlm = OmittedWorkloads { workloads: vec!["x".to_owned()], reason: "cannot be played".to_owned() };
    record.members[1].left_out = vec![vlm];
    check(&record, Claim::Played, expect!["1 of 2 cameras has workloads that were left out"]);
    record.members[0].streams[0].failure = Some("hangs".to_owned());
    check(&record, Claim::Held, expect!["1 of 2 cameras failed, 1 has workloads that were left out"]);
}

#[test]
fn an_interrupted_window_decides_nothing() {
    let mut story = lane([15.0, 15.0], Pace::Live);
    story.play(0, "a/1", 0, 6, 15);
    story.builder.interrupt();
    check(
        &story.builder.finish(),
        expect![[r#"
            a/1: 15.000 fps, undecided (interrupted after 4 s of 20 s)
            b/1: - fps, undecided (stopped before its window began)
            0 of 2 cameras hold 15 fps, 2 are undecided; machine CPU not measured; interrupted
        "#]],
    );
}

#[test]
fn in_free_pace_nothing_is_judged() {
    let mut story = lane([15.0, 15.0], Pace::Free);
    story.play(0, "a/1", 0, 2, 200);
    story.play(1, "b/1", 0, 4, 100);
    for (worker, stream) in [(0, "a/1"), (1, "b/1")] {
        story.end(worker, stream, 5 * S, End::Eos);
    }
    // 800 frames in 3.995 s, the last of a/1 at 1.995 s: 799 gaps in 3.99 s.
    check(
        &story.builder.finish(),
        expect![[r#"
            a/1: 200.000 fps, not judged
            b/1: 100.000 fps, not judged
            2 pipelines played once: 200 fps in all; machine CPU not measured
        "#]],
    );
}

#[test]
fn the_machine_and_workers_are_averaged_over_the_common_window() {
    let members = ["a", "b"].iter().enumerate();
    let members = members.map(|(worker, slug)| member(slug, slug, 15.0, &[(&["scan"], worker)])).collect();
    let mut story = Story::new(setup(Pace::Live, 5, 2, &["a", "b"], members));
    story.play(0, "a/1", 0, 8, 15); // window 2 to 7 s
    story.play(1, "b/1", 1, 8, 15); // window 3 to 8 s: common 3 to 7 s
    for (second, cpu) in [(1, 1.0), (3, 1.0), (4, 0.2), (5, 0.4), (7, 0.3), (8, 1.0)] {
        story.machine(second * S, [cpu, cpu / 10.0, (second << 20) as f64]);
        story.say(
            0,
            second * S,
            EventBody::Process { cpu_us: second * second * 100_000, rss: second << 20, files: None },
        );
    }
    let measurement = measure(&story.builder.finish());
    // (0.2 * 1 s + 0.4 * 1 s + 0.3 * 2 s) / 4 s
    assert_eq!(measurement.machine.window_us, Some((3 * S, 7 * S)));
    assert!((measurement.machine.cpu.unwrap() - 0.3).abs() < 1e-12);
    assert_eq!(measurement.machine.memory_max, Some(7 << 20));
    assert_eq!(measurement.machine.cpu_range, Some(Range { min: 0.2, max: 0.4 }));
    assert!((measurement.machine.steal.unwrap() - 0.03).abs() < 1e-12);
    assert_eq!(measurement.machine.reason, None);
    // Worker `a` over its own window, 2 to 7 s, of which 3 to 7 s are sampled:
    // (4.9 s - 0.9 s) of CPU in 4 s.
    let [a, b] = measurement.workers.as_slice() else { panic!("two workers") };
    assert_eq!((a.cpu, a.rss_max), (Some(1.0), Some(7 << 20)));
    assert_eq!(
        (b.cpu, b.reason.as_deref()),
        (None, Some("fewer than two samples in the window; there is one a second"))
    );
}

#[test]
fn missing_samples_have_a_reason_and_are_not_zero() {
    let mut story = lane([15.0, 15.0], Pace::Live);
    story.builder.missing("machine", "failed to read `/proc/stat`");
    story.play(0, "a/1", 0, 7, 15);
    let figures = measure(&story.builder.finish()).machine;
    assert_eq!((figures.cpu, figures.reason.as_deref()), (None, Some("failed to read `/proc/stat`")));
}

#[test]
fn a_whole_lane() {
    let record = six_cameras();
    let measurement = check(
        &record,
        expect![[r#"
            camera-1/1: 15.000 fps, holds
            camera-2/1: 15.001 fps, holds
            camera-3/1: 15.001 fps, holds
            camera-3/2: 15.000 fps, holds
            camera-4/1: 15.001 fps, failed (its worker ended: killed by SIGSEGV)
            camera-5/1: 13.936 fps, does not hold (13.94 fps is less than 98 % of 15; 7.11 % dropped is more than 2 %; 92.88 % on time is less than 99 %)
            camera-6/1: 15.000 fps, holds
            4 of 6 cameras hold 15 fps, 1 does not, 1 failed; machine CPU 35 %
        "#]],
    );
    let text = serde_json::to_string(&measurement).unwrap();
    assert_eq!(serde_json::from_str::<Measurement>(&text).unwrap(), measurement);
}

/// Times as records before version 6 have them.
fn plain(times: &mut serde_json::Value) {
    let Some(first) = times["first"].as_u64() else { return };
    let steps = times["steps"].as_array().unwrap().iter().map(|step| step.as_u64().unwrap());
    let all = steps.scan(first, |last, step| {
        *last += step;
        Some(*last)
    });
    *times = std::iter::once(first).chain(all).collect();
}

#[test]
fn records_of_older_versions_are_read() {
    let mut today = measure(&six_cameras());
    // What records have had since version 6.
    for stream in today.cameras.iter_mut().flat_map(|camera| &mut camera.streams) {
        (stream.offered, stream.in_flight) = (None, None);
        stream.dropped_at.clear();
    }
    let lines = |measurement: &Measurement| serde_json::to_string_pretty(measurement).unwrap();
    let check = |record: serde_json::Value, version: u32| {
        let record: RunRecord = serde_json::from_value(record).unwrap();
        let (found, expected) = (lines(&measure(&record)), lines(&today));
        let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
        assert_eq!((record.version, differs), (version, None));
    };
    for version in [1, 2, 3, 4, 5] {
        let mut record = serde_json::to_value(six_cameras()).unwrap();
        record["version"] = version.into();
        for member in record["members"].as_array_mut().unwrap() {
            for stream in member["streams"].as_array_mut().unwrap() {
                let added = ["asked_us", "delay_us", "dropped_us", "dropped_at", "taken_out_at", "copied_at"];
                stream.as_object_mut().unwrap().retain(|key, _| !added.contains(&key.as_str()));
                stream.as_object_mut().unwrap().remove("in_flight");
                plain(&mut stream["arrived_us"]);
                stream["sightings"] = json!([]);
            }
        }
        record["series"].as_array_mut().unwrap().iter_mut().for_each(|one| plain(&mut one["at_us"]));
        if version > 3 {
            check(record, version);
            continue;
        }
        // Up to version 3 the machine's samples had fields.
        let series = record.as_object_mut().unwrap().remove("series").unwrap();
        let [times, cpu, memory] = [&series[0]["at_us"], &series[0]["values"], &series[2]["values"]];
        let samples = times.as_array().unwrap().iter().enumerate().map(|(index, at_us)| {
            let memory = memory[index].as_f64().unwrap() as u64;
            json!({ "at_us": at_us, "cpu": cpu[index], "steal": 0.0, "memory": memory })
        });
        record["machine"] = samples.collect();
        for member in record["members"].as_array_mut().unwrap() {
            for stream in member["streams"].as_array_mut().unwrap() {
                assert!(stream.as_object_mut().unwrap().remove("index").is_some());
            }
        }
        if version == 3 {
            check(record, version);
            continue;
        }
        for member in record["members"].as_array_mut().unwrap() {
            assert!(member.get("scripts").is_none() && member.get("configured").is_none());
            for stream in member["streams"].as_array_mut().unwrap() {
                let stream = stream.as_object_mut().unwrap();
                stream.retain(|key, _| !["late_us", "taken_out", "delivery"].contains(&key.as_str()));
            }
        }
        for sample in record["machine"].as_array_mut().unwrap() {
            assert!(sample.as_object_mut().unwrap().remove("steal").is_some());
        }
        let record: RunRecord = serde_json::from_value(record).unwrap();
        assert_eq!(record.version, version);
        let measurement = measure(&record);
        assert_eq!((measurement.totals.pipelines, measurement.machine.steal), (7, None));
        let series = today.machine.series.clone();
        assert_eq!(measurement.machine.series, [&series[..1], &series[2..]].concat(), "all but steal");
        assert_eq!(MachineFigures { steal: Some(0.0), series, ..measurement.machine }, today.machine);
        let stream = &measurement.cameras[0].streams[0];
        assert_eq!((stream.lateness_us, stream.delivered_fps, stream.verdict), (None, None, Verdict::Holds));
    }
}
