//! Figures of runs that were told event by event, computed by hand.

mod cameras;

use expect_test::{Expect, expect};

use super::*;
use crate::collect::machine::MachineReading;
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
fn streams_that_keep_up_hold() {
    let mut story = lane([15.0, 15.0], Pace::Live);
    story.play(0, "a/1", 0, 22, 15);
    story.play(1, "b/1", 0, 22, 15);
    let measurement = check(
        &story.builder.finish(),
        expect![[r#"
            a/1: 15.000 fps, holds
            b/1: 15.000 fps, holds
            2 of 2 cameras hold 15 fps; CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!(stream.latency_us, Some(Percentiles { p50: 5_000, p95: 5_000, p99: 5_000 }));
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
fn the_worst_stream_speaks_for_its_camera() {
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
            a/2: 10.000 fps, does not hold (10.00 fps is less than 98 % of 15)
            a/3: 12.000 fps, does not hold (12.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
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
            b/1: 10.000 fps, failed (ended by itself, 1.0 s into its window of 20.0 s)
            1 of 2 cameras holds its target, 1 failed; CPU not measured
        "#]],
    );
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
            0 of 2 cameras hold 15 fps, 2 are undecided; CPU not measured; interrupted
        "#]],
    );
}

#[test]
fn played_freely_nothing_is_judged() {
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
            2 pipelines played once: 200 fps in all; CPU not measured
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
        let reading = MachineReading { cpu, steal: cpu / 10.0, memory: (second << 20) };
        story.builder.observe_machine(second * S * 1000, reading);
        story.say(0, second * S, EventBody::Process { cpu_us: second * second * 100_000, rss: second << 20 });
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
    assert_eq!((b.cpu, b.reason.as_deref()), (None, Some("no two samples in the window")));
}

#[test]
fn what_was_not_collected_has_a_reason_and_is_not_zero() {
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
        camera-5/1: 13.936 fps, does not hold (13.94 fps is less than 98 % of 15; 7.11 % dropped is more than 2 %)
        camera-6/1: 15.000 fps, holds
        4 of 6 cameras hold 15 fps, 1 does not, 1 failed; CPU 35 %
    "#]],
    );
    let text = serde_json::to_string(&measurement).unwrap();
    assert_eq!(serde_json::from_str::<Measurement>(&text).unwrap(), measurement);
}

/// One camera with one script: 20 s of window after 2 s, from its start at 0.
fn script(act: impl FnOnce(&mut Story)) -> RunRecord {
    let mut story = Story::new(setup(Pace::Live, 20, 2, &[], vec![scripted("c", 15.0, &["hidden"])]));
    story.builder.script_started(0, 0);
    act(&mut story);
    story.tick_until(30 * S);
    story.exit(0, 30 * S, "killed by SIGTERM", "");
    story.builder.finish()
}

/// A line of `gvafpscounter` at each second of the window, and one before.
fn rates(story: &mut Story, kind: &str, fps: impl Fn(u64) -> f64) {
    for second in 0..24 {
        let over = if kind == "last" { 1 } else { second + 1 };
        let fps = fps(second);
        let line = format!(
            "FpsCounter({kind} {over}.00sec): total={fps} fps, number-streams=1, per-stream={fps:.2} fps"
        );
        story.print(0, second * S, &line);
    }
}

#[test]
fn counts_of_a_script_are_judged_like_a_stream() {
    let measurement = check(
        &script(|story| story.count(0, 0, 23, 15)),
        expect![[r#"
            c/1: 14.974 fps, holds
            1 of 1 camera holds 15 fps; CPU not measured
        "#]],
    );
    assert_eq!(measurement.cameras[0].streams[0].frames, Some(292));
    let measurement = check(
        &script(|story| {
            for n in 0..48 {
                story.print(0, n * S / 2, &displayed("till", n * 8, n));
            }
        }),
        expect![[r#"
            c/1: 16.000 fps, does not hold (11.11 % dropped is more than 2 %)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!((stream.frames, stream.dropped), (Some(312), Some(39)));
}

#[test]
fn a_rate_alone_cannot_hold_since_drops_are_not_counted() {
    check(
        &script(|story| rates(story, "last", |_| 15.0)),
        expect![[r#"
            c/1: 15.000 fps, undecided (the rate holds, but `gvafpscounter` counts no dropped frames)
            0 of 1 camera holds 15 fps, 1 is undecided; CPU not measured
        "#]],
    );
    check(
        &script(|story| rates(story, "last", |second| if second < 2 { 40.0 } else { 12.0 })),
        expect![[r#"
            c/1: 12.000 fps, does not hold (12.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
        "#]],
    );
}

#[test]
fn an_average_since_the_begin_is_freed_from_what_was_before_the_window() {
    // 40 fps for two seconds, 10 after that.
    let average = |second: u64| {
        let seconds = second + 1;
        let frames = if seconds <= 2 { 40 * seconds } else { 80 + 10 * (seconds - 2) };
        frames as f64 / seconds as f64
    };
    let measurement = check(
        &script(|story| rates(story, "average", average)),
        expect![[r#"
            c/1: 10.003 fps, does not hold (10.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
        "#]],
    );
    assert_eq!(measurement.cameras[0].streams[0].frames, None);
}

#[test]
fn a_script_that_prints_no_figures_is_not_measured_and_never_zero() {
    let measurement = check(
        &script(|_| {}),
        expect![[r#"
            c/1: - fps, not judged (not measured: it printed no line of `gvafpscounter` or `fpsdisplaysink` in its window)
            0 of 1 camera holds 15 fps, 1 not judged; CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!((stream.fps, stream.frames, stream.dropped, stream.latency_us), (None, None, None, None));
    assert_eq!((measurement.totals.fps, measurement.totals.scripts), (None, 1));
}

#[test]
fn time_without_figures_counts_and_is_named() {
    // Two lines a second, silent for the last two seconds of 20.
    check(
        &script(|story| story.count(0, 0, 20, 15)),
        expect![[r#"
        c/1: 13.846 fps, does not hold (13.85 fps is less than 98 % of 15; no figure for 2.0 s, from 18.0 s of its window on)
        0 of 1 camera holds 15 fps, 1 does not; CPU not measured
    "#]],
    );
    // A line a second, silent from 9 to 12 s.
    check(
        &script(|story| {
            for second in (0..24).filter(|second| !(10..12).contains(second)) {
                let line =
                    "FpsCounter(last 1.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps";
                story.print(0, second * S, line);
            }
        }),
        expect![[r#"
            c/1: 13.421 fps, does not hold (13.42 fps is less than 98 % of 15; no figure for 3.0 s, from 7.0 s of its window on)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
        "#]],
    );
    check(
        &script(|story| story.count(0, 0, 5, 15)),
        expect![[r#"
        c/1: 2.308 fps, does not hold (2.31 fps is less than 98 % of 15; no figure for 17.0 s, from 3.0 s of its window on)
        0 of 1 camera holds 15 fps, 1 does not; CPU not measured
    "#]],
    );
}

#[test]
fn rounding_and_reading_of_lines_is_no_time_without_frames() {
    // A line in 1.004 s that tells of 1.00 s; one of them is read 0.2 s late. Half a
    // second of some 19 without a line is 2.6 %.
    let lines = |story: &mut Story, pause_us: u64| {
        for n in 0..24 {
            let late = if n == 9 { 200_000 } else { 0 };
            let at_us = n * (S + 4_000) + late + if n < 12 { 0 } else { pause_us };
            story.print(
                0,
                at_us,
                "FpsCounter(last 1.00sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps",
            );
        }
    };
    for (pause_us, fps) in [(0, "15.00"), (500_000, "14.61")] {
        let measurement = measure(&script(|story| lines(story, pause_us)));
        let measured = measurement.cameras[0].streams[0].fps.unwrap();
        assert_eq!(format!("{measured:.2}"), fps, "with a pause of {pause_us} us");
    }
}

#[test]
fn a_script_that_restarts_is_measured_over_its_pauses() {
    // 5 s of 15 fps, then half a second of nothing: 13.6 fps.
    let restarts = |print: &dyn Fn(&mut Story, u64, u64)| {
        script(|story| {
            for pass in 0..5 {
                (1..=10).for_each(|half| print(story, pass * 5_500_000 + half * S / 2, half));
            }
        })
    };
    let measurement = check(
        &restarts(&|story, at_us, half| story.print(0, at_us, &displayed("till", half * 15 / 2, 0))),
        expect![[r#"
            c/1: 13.487 fps, does not hold (13.49 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
        "#]],
    );
    // What it shows when it begins anew is counted.
    let element = &measurement.cameras[0].streams[0].script.as_ref().unwrap().elements[0];
    assert!((13.4..13.8).contains(&element.fps.unwrap()), "{element:?}");
    check(
        &restarts(&|story, at_us, half| {
            let over = half as f64 / 2.0;
            let line = format!(
                "FpsCounter(average {over:.2}sec): total=15.00 fps, number-streams=1, per-stream=15.00 fps"
            );
            story.print(0, at_us, &line);
        }),
        expect![[r#"
            c/1: 13.462 fps, does not hold (13.46 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
        "#]],
    );
}

#[test]
fn mixed_lines_of_two_programs_tell_no_rate() {
    // 10 and 7 fps; each in turn would seem to begin anew, with all its frames.
    check(
        &script(|story| {
            for half in 0..46 {
                story.print(0, half * S / 2, &displayed("till", half * 5, 0));
                story.print(0, half * S / 2 + S / 4, &displayed("till", half * 7 / 2, 0));
            }
        }),
        expect![[r#"
            c/1: - fps, undecided (the lines of two counters named `till` are mixed: give their elements different names)
            0 of 1 camera holds 15 fps, 1 is undecided; CPU not measured
        "#]],
    );
    // One of another name is judged as well.
    check(
        &script(|story| {
            for half in 0..46 {
                story.print(0, half * S / 2, &displayed("door", half * 6, 0));
                story.print(0, half * S / 2, &displayed("till", half * 15, 0));
                story.print(0, half * S / 2 + S / 4, &displayed("till", half * 7 / 2, 0));
            }
        }),
        expect![[r#"
            c/1: 12.000 fps, does not hold (the lines of two counters named `till` are mixed: give their elements different names; 12.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; CPU not measured
        "#]],
    );
    check(
        &script(|story| {
            for second in 0..24 {
                let line = "FpsCounter(last 1.00sec): total=9 fps, number-streams=1, per-stream=9.00 fps";
                story.print(0, second * S, line);
                story.print(0, second * S + S / 3, line);
            }
        }),
        expect![[r#"
            c/1: - fps, undecided (the lines of two counters named `1 of 1` are mixed: start one program, or count with `fpsdisplaysink` in each)
            0 of 1 camera holds 15 fps, 1 is undecided; CPU not measured
        "#]],
    );
}

#[test]
fn latencies_of_a_script_are_told_by_channel() {
    let tracer = |source: &str, ms: u64| {
        format!(
            "latency_tracer_pipeline, source_name=(string){source}, sink_name=(string)k, frame_latency=(double){ms};"
        )
    };
    let measurement = measure(&script(|story| {
        story.print(0, 0, &tracer("a", 500));
        for ms in 1..=100 {
            story.print(0, 3 * S + ms, &tracer("a", ms));
            story.print(0, 3 * S + ms, &tracer("b", 2 * ms));
        }
    }));
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!(stream.latency_us, Some(Percentiles { p50: 100_000, p95: 190_000, p99: 198_000 }));
    let channels = &stream.script.as_ref().unwrap().channels;
    let shown: Vec<_> = channels.iter().map(|one| (one.source.as_deref(), one.frames)).collect();
    assert_eq!(shown, [(Some("a"), 100), (Some("b"), 100)]);

    let interval = "latency_tracer_pipeline_interval, interval=(double)1000, avg=(double)1.5, max=(double)9;";
    let measurement = measure(&script(|story| (0..9).for_each(|n| story.print(0, n * S, interval))));
    expect!["only intervals were traced, which have no percentiles: mean 1.5 ms, at most 9.0 ms"]
        .assert_eq(measurement.cameras[0].streams[0].no_latency.as_ref().unwrap());
}

#[test]
fn what_two_pipelines_of_a_script_print_is_kept_apart() {
    let shown = |line: &dyn Fn(&str, u64) -> String| {
        let measurement = measure(&script(|story| {
            for second in 0..24 {
                story.print(0, second * S, &line("lane1", second));
                story.print(0, second * S, &line("lane2", second));
            }
        }));
        let figures = measurement.cameras[0].streams[0].script.clone().unwrap();
        let elements = figures.elements.iter().map(|one| format!("{} {:?}", one.element, one.fps));
        let channels = figures.channels.iter().map(|one| {
            let interval = one.interval_mean_us.map(|us| us / 1_000);
            let ms = one.latency_us.map(|us| u64::from(us.p95 / 1_000)).or(interval).unwrap_or_default();
            format!("{} to {}: {ms} ms", one.source.as_deref().unwrap(), one.sink.as_deref().unwrap())
        });
        elements.chain(channels).collect::<Vec<_>>()
    };
    let ms = |pipeline: &str| if pipeline == "lane1" { 10 } else { 90 };
    let names = "source_name=(string)src, sink_name=(string)out";
    let apart = ["lane1/src to lane1/out: 10 ms", "lane2/src to lane2/out: 90 ms"];
    assert_eq!(
        shown(&|p, _| format!(
            "latency_tracer_pipeline, pipeline_name=(string){p}, {names}, frame_latency=(double){};",
            ms(p)
        )),
        apart
    );
    assert_eq!(
        shown(&|p, _| format!(
            "latency_tracer_pipeline_interval, pipeline_name=(string){p}, {names}, avg=(double){}, max=(double)99;",
            ms(p)
        )),
        apart
    );
    // GStreamer's own tracer does not name the pipeline.
    assert_eq!(
        shown(&|p, _| format!(
            "latency, src-element-id=(string)0x{p}, src-element=(string)src, src=(string)src, \
             sink-element-id=(string)0x9{p}, sink-element=(string)out, sink=(string)sink, time=(guint64){}, ts=(guint64)1;",
            ms(p) * 1_000_000
        )),
        ["src (1 of 2) to out (1 of 2): 10 ms", "src (2 of 2) to out (2 of 2): 90 ms"]
    );
    let fps = |pipeline: &str| if pipeline == "lane1" { 15 } else { 10 };
    assert_eq!(
        shown(&|p, second| displayed("till", second * fps(p), 0).replace("pipeline0", p)),
        ["lane1/till Some(15.0)", "lane2/till Some(10.0)"]
    );
}

#[test]
fn records_of_older_versions_are_read() {
    for version in [1, 2] {
        let mut record = serde_json::to_value(six_cameras()).unwrap();
        record["version"] = version.into();
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
        let stream = &measurement.cameras[0].streams[0];
        assert_eq!((stream.lateness_us, stream.delivered_fps, stream.verdict), (None, None, Verdict::Holds));
    }
}
