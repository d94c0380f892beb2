//! Figures derived from the output of scripts.

use expect_test::expect;

use super::*;
use crate::record::build::ScriptId;

/// One camera with one script: 20 s of window after 2 s, from its start at 0.
fn script(act: impl FnOnce(&mut Story)) -> RunRecord {
    let mut story = Story::new(setup(Pace::Live, 20, 2, &[], vec![scripted("c", 15.0, &["hidden"])]));
    story.builder.script_started(ScriptId(0), 0);
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
            1 of 1 camera holds 15 fps; machine CPU not measured
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
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!((stream.frames, stream.dropped), (Some(312), Some(39)));
}

#[test]
fn lines_that_tell_of_a_fraction_of_a_frame_add_up() {
    let record = script(|story| {
        (0..240).for_each(|tenth| story.print(0, tenth * S / 10, "lp: fps=15 dropped=0"));
    });
    // 1.5 frames a line: 20 s of 15 fps, but for what borders of the window cut.
    let frames = measure(&record).cameras[0].streams[0].frames.unwrap();
    assert!((297..=300).contains(&frames), "{frames}");
}

/// A line for `lp` at each second from 0 to 23.
fn own(fields: impl Fn(u64) -> String) -> RunRecord {
    script(|story| (0..24).for_each(|second| story.print(0, second * S, &format!("lp: {}", fields(second)))))
}

#[test]
fn lines_for_lp_are_judged_like_a_stream() {
    let measurement = check(
        &own(|_| "fps=15.0 dropped=0 latency_ms=8".to_owned()),
        expect![[r#"
            c/1: 15.000 fps, holds
            1 of 1 camera holds 15 fps; machine CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!((stream.frames, stream.dropped), (Some(285), Some(0)));
    expect!["its lines have only means, and so no percentiles: mean 8.0 ms"]
        .assert_eq(stream.no_latency.as_deref().unwrap());
    check(
        &own(|second| format!("fps=14 dropped={}", second % 2)),
        expect![[r#"
            c/1: 14.000 fps, does not hold (14.00 fps is less than 98 % of 15; 3.62 % dropped is more than 2 %)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    check(
        &own(|_| "fps=15".to_owned()),
        expect![[r#"
            c/1: 15.000 fps, undecided (the rate holds, but its lines have no `dropped=`)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
}

#[test]
fn lines_for_lp_count_by_name_and_the_slowest_decides() {
    let record = script(|story| {
        for second in 0..24 {
            story.print(0, second * S, "lp: fps=15 dropped=0 name=left");
            story.print(0, second * S, "lp: fps=12 dropped=0 name=right");
        }
    });
    check(
        &record,
        expect![[r#"
            c/1: 12.000 fps, does not hold (12.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
}

#[test]
fn lines_for_lp_that_cannot_be_read_count_as_nothing_and_are_named() {
    let measurement = check(
        &own(|_| "fps=fifteen".to_owned()),
        expect![[r#"
            c/1: - fps, not judged (not measured: it printed no line `lp: fps=...` and none of `gvafpscounter` or `fpsdisplaysink` in its window)
            0 of 1 camera holds 15 fps, 1 not judged; machine CPU not measured
        "#]],
    );
    assert_eq!(
        measurement.cameras[0].streams[0].notes,
        ["23 lines for `lp` could not be read, the first because `fps` is a number, not `fifteen`"]
    );
}

#[test]
fn lines_for_lp_that_are_read_at_once_keep_their_drops() {
    let record = script(|story| {
        for second in 0..24 {
            story.print(0, second * S, "lp: fps=15 dropped=1");
            story.print(0, second * S, "lp: fps=15 dropped=2");
        }
    });
    let measurement = measure(&record);
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!((stream.fps, stream.frames), (Some(15.0), Some(285)));
    // Of 20 seconds, the first line of the first one counts from before the window.
    assert_eq!(stream.dropped, Some(20 * 2 + 19));
    assert_eq!(stream.fps_range, Some(Range { min: 15.0, max: 15.0 }));
}

#[test]
fn a_rate_alone_cannot_hold_since_drops_are_not_counted() {
    check(
        &script(|story| rates(story, "last", |_| 15.0)),
        expect![[r#"
            c/1: 15.000 fps, undecided (the rate holds, but `gvafpscounter` counts no dropped frames)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    check(
        &script(|story| rates(story, "last", |second| if second < 2 { 40.0 } else { 12.0 })),
        expect![[r#"
            c/1: 12.000 fps, does not hold (12.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
}

#[test]
fn an_average_excludes_the_time_before_the_window() {
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
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    assert_eq!(measurement.cameras[0].streams[0].frames, None);
}

#[test]
fn a_script_that_prints_no_figures_is_not_measured_and_never_zero() {
    let measurement = check(
        &script(|_| {}),
        expect![[r#"
            c/1: - fps, not judged (not measured: it printed no line `lp: fps=...` and none of `gvafpscounter` or `fpsdisplaysink` in its window)
            0 of 1 camera holds 15 fps, 1 not judged; machine CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    assert_eq!((stream.fps, stream.frames, stream.dropped, stream.latency_us), (None, None, None, None));
    assert_eq!((measurement.totals.fps, measurement.totals.scripts), (None, 1));
}

#[test]
fn a_silent_script_keeps_a_camera_whose_other_scripts_hold_from_holding() {
    let mut story =
        Story::new(setup(Pace::Live, 20, 2, &[], vec![scripted("c", 15.0, &["counts", "silent"])]));
    story.builder.script_started(ScriptId(0), 0);
    story.builder.script_started(ScriptId(1), 0);
    story.count(0, 0, 23, 15);
    story.tick_until(30 * S);
    let record = story.builder.finish();
    let measurement = measure(&record);
    let streams = measurement.cameras[0].streams.iter().map(|stream| stream.verdict);
    assert_eq!(streams.collect::<Vec<_>>(), [Verdict::Holds, Verdict::NotJudged]);
    assert_eq!(measurement.cameras[0].verdict, Verdict::NotJudged);
    let reason = |claim| shortfall(&record, &measurement, claim);
    assert_eq!(reason(Claim::Held).as_deref(), Some("1 of 1 camera was not judged"));
    assert_eq!(reason(Claim::Played), None);
}

#[test]
fn time_without_figures_counts_and_is_named() {
    // Two lines a second, silent for the last two seconds of 20.
    check(
        &script(|story| story.count(0, 0, 20, 15)),
        expect![[r#"
        c/1: 13.846 fps, does not hold (13.85 fps is less than 98 % of 15; no figure for 2.0 s, from 18.0 s of its window on)
        0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
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
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    check(
        &script(|story| story.count(0, 0, 5, 15)),
        expect![[r#"
        c/1: 2.308 fps, does not hold (2.31 fps is less than 98 % of 15; no figure for 17.0 s, from 3.0 s of its window on)
        0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
    "#]],
    );
}

#[test]
fn rounding_and_late_reading_make_no_gap() {
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
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    // Frames that it shows after a restart are counted.
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
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
}

#[test]
fn mixed_lines_of_two_programs_give_no_rate() {
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
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
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
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
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
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
}

#[test]
fn a_counter_that_falls_silent_before_the_window_is_missed() {
    check(
        &script(|story| {
            story.print(0, 0, &displayed("door", 8, 0));
            story.count(0, 0, 23, 15);
        }),
        expect![[r#"
            c/1: 14.974 fps, undecided (`door` printed nothing in the window, though it did before)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    check(
        &script(|story| story.print(0, 0, &displayed("door", 8, 0))),
        expect![[r#"
        c/1: - fps, undecided (`door` printed nothing in the window, though it did before)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    // A counter that is called by its place has another one when more begin.
    let line = |n: &str| format!("FpsCounter(last 1.00sec): total=30 fps, number-streams={n}");
    check(
        &script(|story| {
            story.print(0, 0, &line("1, per-stream=15.00 fps"));
            (1..24).for_each(|second| story.print(0, second * S, &line("2, per-stream=15.00 fps (15, 15)")));
        }),
        expect![[r#"
            c/1: 15.000 fps, undecided (the rate holds, but `gvafpscounter` counts no dropped frames)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
}

#[test]
fn latencies_of_a_script_are_reported_per_channel() {
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
    assert_eq!(
        stream.latency_us,
        Some(Percentiles { p50: 100_000, p95: 190_000, p99: 198_000, max: 200_000 })
    );
    let channels = &stream.script.as_ref().unwrap().channels;
    let shown: Vec<_> = channels.iter().map(|one| (one.source.as_deref(), one.frames)).collect();
    assert_eq!(shown, [(Some("a"), 100), (Some("b"), 100)]);

    let interval = "latency_tracer_pipeline_interval, interval=(double)1000, avg=(double)1.5, max=(double)9;";
    let measurement = measure(&script(|story| (0..9).for_each(|n| story.print(0, n * S, interval))));
    expect!["only intervals were traced, which have no percentiles: mean 1.5 ms, at most 9.0 ms"]
        .assert_eq(measurement.cameras[0].streams[0].no_latency.as_ref().unwrap());
}

#[test]
fn figures_of_two_pipelines_of_a_script_are_separate() {
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
