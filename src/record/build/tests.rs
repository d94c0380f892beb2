//! Every rule of the builder, each as a run.

use expect_test::{Expect, expect};

use super::*;
use crate::record::fixture::{S, Story, displayed, member, scripted, setup};
use crate::record::measure::{Verdict, measure};
use crate::record::script::{MAX_ELEMENTS, MAX_RATES, Rate};
use crate::worker::protocol::{
    ElementMessage, End, Fates, FoundBox, FrameBoxes, Outage, Packets, Place, Regions, Sights, SourceFrames,
    ThreadGroup, VideoFormat,
};

/// One camera `c` with one stream `c/1`: 5 s window after 2 s of warm-up.
fn one(pace: Pace, duration: u64) -> Story {
    let mut story =
        Story::new(setup(pace, duration, 2, &["c"], vec![member("c", "C", 15.0, &[(&["scan"], 0)])]));
    story.builder.asked_to_start(StreamId(0), 7, 80 * S * 1000);
    story
}

fn two() -> Story {
    let members = vec![member("a", "A", 15.0, &[(&["scan"], 0)]), member("b", "B", 15.0, &[(&["scan"], 1)])];
    Story::new(setup(Pace::Live, 5, 2, &["a", "b"], members))
}

#[track_caller]
fn check(story: Story, expect: Expect) -> RunRecord {
    let (record, text) = story.told();
    expect.assert_eq(&text);
    record
}

fn error() -> End {
    End::Error { element: "zbar0".into(), reason: "no memory".into(), debug: "x.c(1)".into() }
}

#[test]
fn a_window_begins_after_warm_up_and_is_as_long_as_asked() {
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 100, 106, 15);
    assert!(story.decisions.is_empty(), "the tick at 106 s lies inside the window");
    story.play(0, "c/1", 106, 107, 15);
    story.play(0, "c/1", 107, 110, 15);
    let record = check(
        story,
        expect![[r#"
            c/1: window [102000000, 107000000), 75 frames, 75 decoded, 0 dropped; ok
            > stop all
        "#]],
    );
    let stream = &record.members[0].streams[0];
    assert_eq!((stream.arrived_us[0], stream.arrived_us[74]), (102 * S, 106 * S + 14 * S / 15));
    assert_eq!(stream.latency_us.len(), 75);
    assert_eq!(stream.life, crate::record::Life { decoded: 150, played: 150, ..Default::default() });
}

#[test]
fn the_first_frame_counts_and_not_the_start() {
    let mut story = one(Pace::Live, 5);
    story.say(0, 90 * S, EventBody::Done { id: 7 });
    story.tick(0, "c/1", 91 * S, &[], 0);
    story.tick(0, "c/1", 95 * S, &[(94 * S + 1, None)], 0);
    story.tick(
        0,
        "c/1",
        101 * S + 1,
        &[(96 * S, None), (96 * S + 1, Some(3)), (101 * S, None), (101 * S + 1, None)],
        0,
    );
    let record = check(
        story,
        expect![[r#"
            c/1: window [96000001, 101000001), 2 frames, 2 decoded, 0 dropped; ok
            > stop all
        "#]],
    );
    assert_eq!(record.members[0].streams[0].latency_us, [Some(3), None]);
}

/// An event of stream `c/1` with only the times when frames left the decoder, as seconds:
/// all of them, those dropped, those taken out, those damaged.
fn fates(story: &mut Story, at_us: u64, seconds: [&[f64]; 4]) {
    arrivals_and_fates(story, at_us, &[], seconds);
}

/// As [`fates`], with frames that arrived.
fn arrivals_and_fates(story: &mut Story, at_us: u64, arrived: &[f64], seconds: [&[f64]; 4]) {
    let all_us = |seconds: &[f64]| seconds.iter().map(|at| (at * 1e6) as u64).collect::<Vec<u64>>();
    let us = |index: usize| all_us(seconds[index]);
    let fates = Fates {
        decoded_us: us(0),
        dropped_us: [("queue".to_owned(), us(1))].into(),
        taken_out_us: [("rate".to_owned(), us(2))].into(),
        damaged_us: us(3),
        ..Fates::default()
    };
    let body = EventBody::Frames {
        stream: "c/1".into(),
        arrived_us: all_us(arrived),
        latency_us: Vec::new(),
        late_us: Vec::new(),
        decoded: 0,
        played: 0,
        dropped: 0,
        taken_out: 0,
        fates: Box::new(fates),
        delivered: Box::default(),
        queues: BTreeMap::new(),
        sights: Box::default(),
    };
    story.say(0, at_us, body);
}

#[test]
fn frames_count_in_the_window_in_which_they_left_the_decoder() {
    let mut story = one(Pace::Live, 5);
    story.tick(0, "c/1", S, &[(S / 2, None)], 0); // the window is [2.5, 7.5)
    fates(&mut story, 3 * S, [&[2.4, 2.499_999, 2.5, 2.9], &[2.4, 2.499_999], &[], &[2.45, 2.6]]);
    // The fate of a frame may be known a tick later.
    fates(&mut story, 7 * S, [&[7.499_999], &[2.5], &[2.4], &[]]);
    fates(&mut story, 8 * S, [&[7.5, 7.6], &[7.499_999, 7.5], &[2.9, 7.6], &[7.7]]);
    let record = check(
        story,
        expect![[r#"
            c/1: window [2500000, 7500000), 0 frames, 3 decoded, 2 dropped; ok
            > stop all
        "#]],
    );
    let stream = &record.members[0].streams[0];
    let delivery = stream.delivery.as_ref().unwrap();
    assert_eq!((stream.taken_out, delivery.damaged, stream.life.damaged), (1, 1, 3));
    assert_eq!(stream.dropped_at, [("queue".to_owned(), 2)].into());
    assert_eq!(stream.taken_out_at, [("rate".to_owned(), 1)].into());
}

#[test]
fn frames_in_flight_at_the_borders_of_the_window_make_the_counts_equal() {
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 0, 1, 1); // the window is [2, 7)
    // Of three frames that are in flight when it begins, a queue drops one and one
    // arrives. The third, and one of five that are decoded, never arrive.
    fates(&mut story, 2 * S, [&[1.7, 1.8, 1.9], &[], &[], &[]]);
    arrivals_and_fates(&mut story, 3 * S, &[2.4, 2.9], [&[2.5, 2.6, 2.7], &[1.8, 2.6], &[], &[]]);
    fates(&mut story, 7 * S, [&[6.8, 6.9], &[], &[6.8], &[]]);
    fates(&mut story, 8 * S, [&[7.1], &[6.9], &[], &[]]);
    let (record, _) = story.told();
    let stream = &record.members[0].streams[0];
    assert_eq!(stream.asked_us, Some(80 * S));
    assert_eq!((stream.in_flight_before, stream.decoded, stream.dropped, stream.taken_out), (2, 5, 2, 1));
    assert_eq!((stream.arrived_us.len(), stream.in_flight), (2, 2));
}

/// A source that delivers at these times, as seconds.
fn delivered(seconds: &[f64]) -> SourceFrames {
    let frames_us = seconds.iter().map(|at| (at * 1e6) as u64).collect();
    SourceFrames { frames_us: Some(frames_us), ..SourceFrames::default() }
}

#[test]
fn delivered_frames_are_counted_and_so_is_silence_up_to_the_borders() {
    let gap = |times: &[f64]| {
        let mut story = one(Pace::Live, 5);
        story.deliver("c/1", delivered(times)); // the window is [3, 8)
        story.tick(0, "c/1", 9 * S, &[(S, None)], 0);
        let (record, _) = story.told();
        let delivery = record.members[0].streams[0].delivery.clone().unwrap();
        (delivery.frames, delivery.longest_gap_us.map(|us| us / 1000))
    };
    assert_eq!(gap(&[1.0, 2.9, 3.5, 4.0, 4.5, 5.5, 6.5, 7.5, 8.0, 20.0]), (Some(6), Some(1_000)));
    assert_eq!(gap(&[2.9, 3.1, 4.0]), (Some(2), Some(4_000)), "silent at the end");
    assert_eq!(gap(&[5.5, 6.0, 7.0]), (Some(3), Some(2_500)), "silent at the begin");
    assert_eq!(gap(&[2.0, 9.0]), (Some(0), Some(5_000)), "silent");
}

#[test]
fn frames_that_lack_packets_count_when_they_came() {
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 0, 3, 15);
    let incomplete_us = vec![S, 2 * S - 1, 2 * S, 3 * S, 7 * S - 1, 7 * S];
    story.deliver("c/1", SourceFrames { incomplete_us, ..SourceFrames::default() });
    story.play(0, "c/1", 3, 8, 15);
    let (record, _) = story.told();
    assert_eq!(record.members[0].streams[0].delivery.as_ref().unwrap().incomplete, 3);
}

#[test]
fn a_stream_does_not_hang_while_its_connection_is_made_again() {
    let outage = |back_us| Outage { lost_us: 4 * S, back_us, attempts: 3, reason: "gone".to_owned() };
    let told = |back_us: Option<u64>, until: u64| {
        let mut story = one(Pace::Live, 60);
        story.play(0, "c/1", 0, 4, 15);
        story.deliver("c/1", SourceFrames { outages: vec![outage(None)], ..SourceFrames::default() });
        story.tick(0, "c/1", 5 * S, &[], 0);
        for second in 6..until {
            let outages = if Some(second * S) == back_us { vec![outage(back_us)] } else { Vec::new() };
            story.deliver("c/1", SourceFrames { outages, ..SourceFrames::default() });
            story.tick(0, "c/1", second * S, &[], 0);
        }
        let decisions = story.decisions.clone();
        let (record, _) = story.told();
        (decisions, record.members[0].streams[0].delivery.clone().unwrap().reconnects)
    };
    assert_eq!(told(None, 50), (vec![], vec![outage(None)]));
    assert_eq!(told(Some(40 * S), 49), (vec![], vec![outage(Some(40 * S))]));
    assert_eq!(told(Some(40 * S), 52).0, ["c/1 failed: hangs: no frame for 10 s", "stop all"]);
}

#[test]
fn packets_are_those_of_the_window() {
    let mut story = one(Pace::Live, 5);
    for second in 0..10 {
        let packets = Packets { received: 100 * second, lost: second, ..Packets::default() };
        story.deliver("c/1", SourceFrames { packets: Some(packets), ..SourceFrames::default() });
        story.play(0, "c/1", second, second + 1, 15);
    }
    let (record, _) = story.told();
    // From the report at 2 s on, which is the one of second 1.
    let packets = record.members[0].streams[0].delivery.as_ref().unwrap().packets.unwrap();
    assert_eq!((packets.received, packets.lost), (500, 5));
}

#[test]
fn the_drift_of_a_clock_is_the_last_that_could_be_told() {
    let drift = |of_seconds: [Option<f64>; 4]| {
        let mut story = one(Pace::Live, 5);
        for (second, drift_ppm) in (0..).zip(of_seconds) {
            story.deliver("c/1", SourceFrames { drift_ppm, ..SourceFrames::default() });
            story.play(0, "c/1", 2 * second, 2 * second + 2, 15);
        }
        let (record, _) = story.told();
        record.members[0].streams[0].delivery.as_ref().unwrap().drift_ppm
    };
    assert_eq!(drift([None; 4]), None);
    assert_eq!(drift([None, Some(90.0), Some(48.5), None]), Some(48.5));
}

#[test]
fn video_formats_are_kept_in_order() {
    let mut story = one(Pace::Live, 5);
    let format = |width| VideoFormat { width, height: 480, fps: Some(10.0), codec: Some("H264".into()) };
    for (second, width) in (0..20).zip(640..) {
        let video = vec![format(width)];
        let key_frame_every = (second == 3).then_some(30);
        story.deliver("c/1", SourceFrames { video, key_frame_every, ..SourceFrames::default() });
        story.play(0, "c/1", second, second + 1, 15);
    }
    let (record, _) = story.told();
    let delivery = record.members[0].streams[0].delivery.clone().unwrap();
    assert_eq!((delivery.frames, delivery.longest_gap_us), (None, None), "nothing was counted");
    assert_eq!(
        (delivery.video.len(), delivery.video[0].width, delivery.key_frame_every),
        (16, 640, Some(30))
    );
}

#[test]
fn damaged_frames_are_no_first_frame_and_no_hang() {
    let mut story = one(Pace::Live, 5);
    story.say(0, S, EventBody::Done { id: 7 });
    for second in 2..31_u64 {
        fates(&mut story, second * S, [&[], &[], &[], &[second as f64 - 0.5]]);
    }
    story.play(0, "c/1", 31, 39, 15);
    check(
        story,
        expect![[r#"
            c/1: window [33000000, 38000000), 75 frames, 75 decoded, 0 dropped; ok
            > stop all
        "#]],
    );

    let mut story = one(Pace::Live, 5);
    story.say(0, S, EventBody::Done { id: 7 });
    for second in 2..62_u64 {
        fates(&mut story, second * S, [&[], &[], &[], &[second as f64 - 0.5]]);
    }
    assert_eq!(
        story.decisions[0],
        "c/1 failed: no whole frame within 60 s, only 60 damaged ones: no key frame came"
    );
}

#[test]
fn lateness_is_kept_where_frames_are_due() {
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 100, 108, 15);
    let (record, _) = story.told();
    assert_eq!(record.members[0].streams[0].late_us, [Some(0); 75]);
}

#[test]
fn the_run_ends_when_the_last_stream_is_done() {
    let mut story = two();
    story.play(0, "a/1", 0, 7, 15);
    assert!(story.decisions.is_empty());
    story.play(1, "b/1", 3, 10, 15);
    story.end(0, "a/1", 11 * S, End::Eos);
    story.end(1, "b/1", 11 * S, error()); // while it is stopped: its figures are kept
    check(
        story,
        expect![[r#"
            a/1: window [2000000, 7000000), 75 frames, 75 decoded, 0 dropped; ok
            b/1: window [5000000, 10000000), 75 frames, 75 decoded, 0 dropped; ok
            > stop all
        "#]],
    );
}

#[test]
fn an_error_costs_one_stream_and_the_others_go_on() {
    let mut story = two();
    story.play(0, "a/1", 0, 4, 15);
    story.end(0, "a/1", 4 * S, error());
    story.play(1, "b/1", 0, 7, 15);
    let record = check(
        story,
        expect![[r#"
            a/1: window [2000000, 4000000), 30 frames, 30 decoded, 0 dropped; `zbar0`: no memory
            b/1: window [2000000, 7000000), 75 frames, 75 decoded, 0 dropped; ok
            > a/1 failed: `zbar0`: no memory
            > stop all
        "#]],
    );
    assert!(!record.is_complete());
}

#[test]
fn a_refused_start_is_a_failure() {
    let mut story = one(Pace::Live, 5);
    story.say(0, S, EventBody::Refused { id: 8, reason: "about something else".into() });
    story.say(0, S, EventBody::Refused { id: 7, reason: "no element `zbar`".into() });
    check(
        story,
        expect![[r#"
            c/1: window none, 0 frames, 0 decoded, 0 dropped; did not start: no element `zbar`
            > c/1 failed: did not start: no element `zbar`
            > stop all
        "#]],
    );
}

#[test]
fn a_stream_that_shows_nothing_hangs() {
    let mut story = one(Pace::Live, 60);
    story.play(0, "c/1", 0, 4, 15);
    let last = 3 * S + 14 * S / 15;
    story.tick(0, "c/1", last + HANG_US - 1, &[], 0);
    assert!(story.decisions.is_empty());
    story.tick(0, "c/1", last + HANG_US, &[], 0);
    story.play(0, "c/1", 20, 70, 15); // too late
    check(
        story,
        expect![[r#"
            c/1: window [2000000, 13933333), 30 frames, 30 decoded, 0 dropped; hangs: no frame for 10 s
            > c/1 failed: hangs: no frame for 10 s
            > stop all
        "#]],
    );
}

#[test]
fn a_stream_without_a_first_frame_hangs_after_its_start() {
    let mut story = one(Pace::Live, 5);
    story.say(0, 3 * S, EventBody::Done { id: 7 });
    story.say(0, 13 * S - 1, EventBody::Process { cpu_us: 1, rss: 1, files: None });
    assert!(story.decisions.is_empty());
    story.say(0, 13 * S, EventBody::Process { cpu_us: 1, rss: 1, files: None });
    check(
        story,
        expect![[r#"
            c/1: window none, 0 frames, 0 decoded, 0 dropped; hangs: no frame within 10 s of its start
            > c/1 failed: hangs: no frame within 10 s of its start
            > stop all
        "#]],
    );
}

#[test]
fn a_stream_hangs_in_time_although_damaged_frames_had_longer() {
    let mut story = one(Pace::Live, 60);
    story.say(0, S, EventBody::Done { id: 7 });
    fates(&mut story, 3 * S, [&[], &[], &[], &[2.5]]);
    story.say(0, 11 * S, EventBody::Process { cpu_us: 1, rss: 1, files: None });
    story.tick(0, "c/1", 13 * S, &[(12 * S, None)], 0);
    story.say(0, 22 * S - 1, EventBody::Process { cpu_us: 1, rss: 1, files: None });
    assert!(story.decisions.is_empty());
    story.say(0, 22 * S, EventBody::Process { cpu_us: 1, rss: 1, files: None });
    assert_eq!(story.decisions, ["c/1 failed: hangs: no frame for 10 s", "stop all"]);
}

#[test]
fn of_many_streams_of_a_worker_the_one_that_hangs_fails() {
    let member = |slug: &str| member(slug, slug, 15.0, &[(&["scan"], 0)]);
    let mut story = Story::new(setup(Pace::Live, 60, 2, &["lane"], vec![member("a"), member("b")]));
    [0, 1].into_iter().for_each(|id| story.builder.asked_to_start(StreamId(id), 7, 0));
    story.say(0, S, EventBody::Done { id: 7 });
    story.play(0, "a/1", 1, 4, 15);
    story.play(0, "b/1", 1, 30, 15);
    assert_eq!(story.decisions, ["a/1 failed: hangs: no frame for 10 s"]);
}

#[test]
fn a_start_without_an_answer_is_a_failure() {
    let mut story = one(Pace::Live, 5);
    story.say(0, 3 * S, EventBody::Process { cpu_us: 1, rss: 1, files: None });
    story.say(0, 63 * S, EventBody::Process { cpu_us: 1, rss: 1, files: None });
    assert_eq!(story.decisions, ["c/1 failed: did not start within 60 s", "stop all"]);
}

#[test]
fn the_death_of_a_worker_fails_its_streams_only() {
    let mut story = two();
    story.play(0, "a/1", 0, 4, 15);
    let decisions = story.builder.worker_exited(0, Some("killed by SIGSEGV"), "bang");
    story.heard(decisions);
    story.play(1, "b/1", 0, 7, 15);
    let decisions = story.builder.worker_exited(1, None, "chatter");
    story.heard(decisions);
    let record = check(
        story,
        expect![[r#"
            a/1: window [2000000, 4000000), 30 frames, 30 decoded, 0 dropped; its worker ended: killed by SIGSEGV
            b/1: window [2000000, 7000000), 75 frames, 75 decoded, 0 dropped; ok
            > a/1 failed: its worker ended: killed by SIGSEGV
            > stop all
        "#]],
    );
    let [a, b] = record.workers.as_slice() else { panic!("two workers") };
    assert_eq!((a.death.as_deref(), a.stderr_tail.as_str()), (Some("killed by SIGSEGV"), "bang"));
    assert_eq!((b.death.as_deref(), b.stderr_tail.as_str()), (None, ""));
}

#[test]
fn a_worker_that_leaves_early_has_died_and_one_that_is_being_stopped_has_not_failed() {
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 0, 1, 15);
    let decisions = story.builder.worker_exited(0, None, "");
    story.heard(decisions);
    assert_eq!(story.decisions[0], "c/1 failed: its worker ended: exited before it was asked to");

    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 0, 7, 15);
    let decisions = story.builder.worker_exited(0, Some("killed by SIGABRT"), "bang");
    story.heard(decisions);
    let record = check(
        story,
        expect![[r#"
            c/1: window [2000000, 7000000), 75 frames, 75 decoded, 0 dropped; ok
            > stop all
        "#]],
    );
    assert_eq!(record.workers[0].death.as_deref(), Some("killed by SIGABRT"));
}

#[test]
fn a_live_stream_must_not_end_by_itself() {
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 0, 4, 15);
    story.end(0, "c/1", 4 * S + S / 2, End::Eos);
    check(
        story,
        expect![[r#"
            c/1: window [2000000, 4500000), 30 frames, 30 decoded, 0 dropped; ended by itself 2.5 s into its window of 5.0 s
            > c/1 failed: ended by itself 2.5 s into its window of 5.0 s
            > stop all
        "#]],
    );
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 0, 1, 15);
    story.end(0, "c/1", S + S / 2, End::Eos);
    assert_eq!(story.decisions[0], "c/1 failed: ended by itself during warm-up");
}

#[test]
fn in_free_pace_the_window_is_the_whole_pass() {
    let mut story = one(Pace::Free, 5);
    story.play(0, "c/1", 3, 5, 200);
    story.tick(0, "c/1", 5 * S + 10, &[(5 * S + 9, None)], 4);
    assert!(story.decisions.is_empty());
    story.end(0, "c/1", 5 * S + 11, End::Eos);
    check(
        story,
        expect![[r#"
            c/1: window [3000000, 5000010), 401 frames, 405 decoded, 4 dropped; ok
            > stop all
        "#]],
    );
    let mut story = one(Pace::Free, 5);
    story.end(0, "c/1", S, End::Eos);
    assert_eq!(story.decisions, ["c/1 failed: ended without a frame", "stop all"]);
}

#[test]
fn an_interruption_cuts_the_windows() {
    let mut story = one(Pace::Live, 30);
    story.play(0, "c/1", 0, 10, 15);
    let decisions = story.builder.interrupt();
    story.heard(decisions);
    assert!(story.builder.interrupt().is_empty());
    story.tick(0, "c/1", 11 * S, &[(10 * S - 1, None), (10 * S, None)], 0);
    story.end(0, "c/1", 11 * S, End::Eos);
    assert!(story.builder.is_over());
    check(
        story,
        expect![[r#"
            c/1: window [2000000, 10000000), 121 frames, 121 decoded, 0 dropped; ok
            > stop all
            interrupted
        "#]],
    );
}

#[test]
fn without_a_duration_stopping_is_the_normal_end() {
    let mut story = one(Pace::Live, 0);
    story.play(0, "c/1", 0, 100, 15);
    let decisions = story.builder.interrupt();
    story.heard(decisions);
    let record = check(
        story,
        expect![[r#"
            c/1: window [2000000, 100000000), 1470 frames, 1470 decoded, 0 dropped; ok
            > stop all
        "#]],
    );
    assert!(record.is_complete());

    let mut story = one(Pace::Live, 0);
    story.play(0, "c/1", 0, 1, 15);
    story.builder.interrupt();
    let (record, _) = story.told();
    assert!(record.interrupted, "nothing was measured yet");
}

#[test]
fn two_copies_are_two_members_of_one_worker() {
    let members = ["c", "c-l2"].map(|slug| member(slug, "C", 15.0, &[(&["scan"], 0)])).into_iter().collect();
    let mut story = Story::new(setup(Pace::Live, 5, 2, &["lane"], members));
    for second in 0..8 {
        story.play(0, "c/1", second, second + 1, 15);
        story.play(0, "c-l2/1", second, second + 1, 10);
    }
    let record = check(
        story,
        expect![[r#"
            c/1: window [2000000, 7000000), 75 frames, 75 decoded, 0 dropped; ok
            c-l2/1: window [2000000, 7000000), 50 frames, 50 decoded, 0 dropped; ok
            > stop all
        "#]],
    );
    assert_eq!(record.members.iter().map(|m| m.slug.as_str()).collect::<Vec<_>>(), ["c", "c-l2"]);
}

#[test]
fn sightings_are_kept_with_their_place_in_the_clip_and_bounded() {
    let mut story = one(Pace::Live, 5);
    for n in 0..=super::super::MAX_SIGHTINGS as u64 {
        story.sighting(0, "c/1", n * 1000, "barcode", "4006");
    }
    story.sighting(0, "unknown/1", S, "barcode", "4006");
    let (record, _) = story.told();
    let stream = &record.members[0].streams[0];
    assert_eq!((stream.sightings.len(), stream.sightings_left_out), (10_000, 1));
    assert_eq!((stream.sightings[7].at_us, stream.sightings[7].clip_ms), (7_000, Some(7)));
}

/// Two hours of 10 fps at a window from the third second on: one frame in a thousand is 350 ms
/// late, nothing comes in the first 3 s of the second hour, a frame is dropped each minute.
#[test]
fn two_hours_are_kept_as_rows_and_an_hour_as_frames() {
    let camera = || member("c", "C", 10.0, &[(&["scan"], 0)]);
    let run = |seconds: u64| {
        let mut story = Story::new(setup(Pace::Live, seconds, 2, &["c"], vec![camera()]));
        let (mut arrived, mut decoded) = (Vec::new(), 0);
        for second in 0..seconds + 4 {
            let is_paused = (3_602..3_605).contains(&second);
            let frames: Vec<u64> =
                if is_paused { Vec::new() } else { (0..10).map(|n| second * 10 + n).collect() };
            let late =
                |n: &u64| if n % 1_000 == 7 { 350_000 } else { 40_000 + i64::try_from(n % 7).unwrap() };
            let at = |n: &u64| n * 100_000 + 40_000 + n % 7;
            decoded += frames.len() as u64;
            let dropped = if second % 60 == 30 { vec![second * S] } else { Vec::new() };
            let fates = Fates {
                decoded_us: frames.iter().map(|n| n * 100_000).collect(),
                dropped_us: [("queue".to_owned(), dropped)].into(),
                ..Fates::default()
            };
            let body = EventBody::Frames {
                stream: "c/1".into(),
                arrived_us: frames.iter().map(at).collect(),
                latency_us: frames
                    .iter()
                    .map(|n| (n % 500 != 3).then_some(5_000 + (n % 50) as u32))
                    .collect(),
                late_us: frames.iter().map(|n| Some(late(n))).collect(),
                decoded,
                played: decoded,
                dropped: 0,
                taken_out: 0,
                fates: Box::new(fates),
                delivered: Box::default(),
                queues: BTreeMap::new(),
                sights: Box::default(),
            };
            arrived.extend(frames.iter().map(|n| (at(n), late(n))));
            story.say(0, (second + 1) * S, body);
        }
        let (record, _) = story.told();
        (record, arrived)
    };
    let (record, _) = run(3_600);
    let hour = &record.members[0].streams[0];
    assert_eq!((hour.long.as_ref(), hour.n_frames(), hour.dropped_us.len()), (None, 36_000, 60));

    let (record, arrived) = run(7_200);
    let stream = &record.members[0].streams[0];
    let (begin, end) = stream.window_us.unwrap();
    let inside: Vec<(u64, i64)> = arrived.into_iter().filter(|(at, _)| (begin..end).contains(at)).collect();
    let long = stream.long.as_ref().unwrap();
    assert!(stream.arrived_us.is_empty() && stream.latency_us.is_empty() && stream.dropped_us.is_empty());
    assert_eq!((stream.n_frames(), long.rows.len()), (inside.len() as u64, 7_200));
    assert_eq!((long.first_us, long.last_us), (Some(inside[0].0), inside.last().map(|(at, _)| *at)));
    let in_row = |index: usize| {
        let from = begin + index as u64 * S;
        inside.iter().filter(move |(at, _)| (from..from + S).contains(at)).count()
    };
    for index in [0, 1, 3_599, 3_600, 3_601, 7_199] {
        assert_eq!(long.rows[index].frames as usize, in_row(index), "row {index}");
    }
    // The delay is the median of the first second: 40 ms.
    let late = |limit: i64| inside.iter().filter(|(_, late)| *late - long.delay_us > limit).count();
    let rows = |index: usize| long.rows.iter().map(|row| row.late[index] as usize).sum::<usize>();
    assert_eq!([0, 1, 2].map(rows), [late(100_000), late(200_000), late(500_000)]);
    assert_eq!((rows(0), rows(2)), (72, 0));
    assert_eq!((long.late_us.percentile(100), long.late_us.n_above(300_000)), (Some(350_207), 72));
    assert_eq!(long.rows.iter().map(|row| row.dropped).sum::<u32>(), 120);
    assert_eq!(long.longest_gap_us.1, 3_100_000 - 4);
    assert_eq!(long.latency_us.n_values() + long.without_latency, stream.n_frames());
    let figures = measure(&record).cameras.remove(0).streams.remove(0);
    let (first, last) = (inside[0].0, inside[inside.len() - 1].0);
    let fps = (inside.len() - 1) as f64 * 1e6 / (last - first) as f64;
    assert!((figures.fps.unwrap() - fps).abs() < 1e-5, "{:?} {fps}", figures.fps);
    assert_eq!((figures.frames, figures.dropped), (Some(stream.n_frames()), Some(120)));
    assert_eq!(figures.longest_gap_us, Some(3_100_000 - 4));
    assert_eq!((figures.fps_range.unwrap().min, figures.seconds.len()), (0.0, 7_200));
    assert_eq!(figures.reason.as_deref(), Some("no frame for 3.1 s, from 3599.9 s of its window on"));
    let on_time = figures.on_time.unwrap();
    assert_eq!((on_time.judged, on_time.late, on_time.lost), (stream.n_frames() + 120, 72, 120));
    assert!(on_time.at_least > 0.99 && on_time.at_least < on_time.share, "{on_time:?}");
    assert_eq!((on_time.too_late, figures.delay_us), (0, Some(40_003)));
    assert_eq!(figures.deadline.unwrap().verdict, Verdict::Holds);
    // Limits that rows do not count by are those of the histogram.
    let mut stricter = record.clone();
    stricter.conditions.limits.deadline = crate::record::Deadline::Millis(1);
    stricter.conditions.limits.max_late_ms = 250;
    let judged = measure(&stricter).cameras.remove(0).streams.remove(0);
    assert_eq!((judged.on_time.unwrap().late, judged.on_time.unwrap().too_late), (72, 72));
    assert_eq!(judged.verdict, Verdict::DoesNotHold);
    let text = serde_json::to_string(&record).unwrap();
    assert!(text.len() < 400_000, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), record);
}

#[test]
fn times_are_since_the_origin() {
    let mut setup = setup(Pace::Live, 5, 2, &["c"], vec![member("c", "C", 15.0, &[(&["scan"], 0)])]);
    setup.origin_ns = 1_000_000_000_000;
    let mut story = Story::new(setup);
    story.play(0, "c/1", 1_001, 1_008, 15);
    story.say(0, 1_008 * S, EventBody::Process { cpu_us: 5, rss: 6, files: None });
    story.machine(1_002 * S, [0.5, 0.0, 9.0]);
    let (record, _) = story.told();
    let stream = &record.members[0].streams[0];
    assert_eq!((stream.first_frame_us, stream.window_us), (Some(S), Some((3 * S, 8 * S))));
    let memory = record.series_of("machine.memory").unwrap();
    assert_eq!((memory.points().collect::<Vec<_>>(), memory.unit.as_str()), (vec![(2 * S, 9.0)], "By"));
    assert_eq!(record.workers[0].samples[0].at_us, 8 * S);
}

#[test]
fn a_run_that_just_stops_has_failed() {
    let mut story = one(Pace::Live, 5);
    story.play(0, "c/1", 0, 3, 15);
    check(
        story,
        expect![[r#"
            c/1: window [2000000, 3000000), 15 frames, 15 decoded, 0 dropped; the run ended before it was done
        "#]],
    );
}

/// One camera with one script that was started at 100 s: 5 s of window after 2 s.
fn script(pace: Pace, duration: u64) -> Story {
    let mut story = Story::new(setup(pace, duration, 2, &[], vec![scripted("c", 15.0, &["hidden"])]));
    story.builder.script_started(ScriptId(0), 100 * S * 1000);
    story
}

#[test]
fn a_script_is_measured_after_its_first_figure() {
    let mut story = script(Pace::Live, 5);
    story.tick_until(102 * S);
    story.count(0, 103, 111, 15);
    story.exit(0, 112 * S, "killed by SIGTERM", "bye");
    let record = check(
        story,
        expect![[r#"
            c/1: script, window [105000000, 110000000), 10 rates; ok
            > stop all
        "#]],
    );
    let script = &record.members[0].scripts[0];
    assert_eq!((script.started_us, script.first_figure_us), (100 * S, Some(103 * S)));
    assert_eq!(script.rates[0].element, "till");
    assert_eq!(script.rates[0].rates[0], Rate::Count { at_us: 105 * S, rendered: 30, dropped: 0 });
    let exit = script.exit.as_ref().unwrap();
    assert_eq!((exit.how.as_str(), exit.asked, script.output.as_str()), ("killed by SIGTERM", true, "bye"));
    assert!(record.is_complete());
}

#[test]
fn a_script_without_figures_is_measured_after_its_start() {
    let mut story = script(Pace::Live, 5);
    story.tick_until(106 * S);
    assert!(story.decisions.is_empty());
    story.tick_until(107 * S + 1);
    // A figure that comes now opens no second window.
    story.print(0, 107 * S + 2, &displayed("till", 1, 0));
    check(
        story,
        expect![[r#"
            c/1: script, window [102000000, 107000000), 0 rates; ok
            > stop all
        "#]],
    );
}

#[test]
fn a_script_that_exits_early_has_failed_whatever_its_status() {
    for (how, expected) in [
        (
            "exited with status 0",
            expect![[r#"
                c/1: script, window [102000000, 103200000), 0 rates; exited with status 0 after 3.2 s, before it was asked to end
                > c/1 failed: exited with status 0 after 3.2 s, before it was asked to end
                > stop all
            "#]],
        ),
        (
            "killed by SIGSEGV",
            expect![[r#"
                c/1: script, window [102000000, 103200000), 0 rates; killed by SIGSEGV after 3.2 s, before it was asked to end
                > c/1 failed: killed by SIGSEGV after 3.2 s, before it was asked to end
                > stop all
            "#]],
        ),
    ] {
        let mut story = script(Pace::Live, 5);
        story.exit(0, 103 * S + S / 5, how, "");
        let record = check(story, expected);
        assert!(!record.is_complete());
    }
}

#[test]
fn a_script_may_end_after_its_window_while_others_are_measured() {
    let mut slow = member("b", "B", 15.0, &[(&["scan"], 0)]);
    slow.scripts = scripted("b", 15.0, &["hidden"]).scripts;
    slow.scripts[0].stream = "b/2".to_owned();
    let mut story = Story::new(setup(Pace::Live, 5, 2, &["b"], vec![slow]));
    story.builder.script_started(ScriptId(0), 0);
    story.exit(0, 7 * S, "exited with status 3", "");
    story.play(0, "b/1", 10, 17, 15);
    check(
        story,
        expect![[r#"
            b/1: window [12000000, 17000000), 75 frames, 75 decoded, 0 dropped; ok
            b/2: script, window [2000000, 7000000), 0 rates; ok
            > stop all
        "#]],
    );
}

#[test]
fn in_free_pace_a_script_ends_by_itself() {
    let mut story = script(Pace::Free, 0);
    story.count(0, 101, 103, 100);
    story.exit(0, 104 * S, "exited with status 0", "");
    check(
        story,
        expect![[r#"
            c/1: script, window [100000000, 104000000), 5 rates; ok
            > stop all
        "#]],
    );
    let mut story = script(Pace::Free, 0);
    story.exit(0, 104 * S, "exited with status 2", "");
    check(
        story,
        expect![[r#"
            c/1: script, window [100000000, 104000000), 0 rates; exited with status 2 after 4.0 s
            > c/1 failed: exited with status 2 after 4.0 s
            > stop all
        "#]],
    );
    let mut story = script(Pace::Free, 0);
    story.tick_until(100 * S + FREE_US);
    check(
        story,
        expect![[r#"
            c/1: script, window [100000000, 700000000), 0 rates; hangs: printed no figure and did not end for 600 s
            > c/1 failed: hangs: printed no figure and did not end for 600 s
            > stop all
        "#]],
    );
}

#[test]
fn a_slow_camera_has_three_of_its_periods() {
    // A frame in 12.5 s.
    let mut story =
        Story::new(setup(Pace::Live, 60, 0, &["c"], vec![member("c", "C", 0.08, &[(&["scan"], 0)])]));
    story.builder.asked_to_start(StreamId(0), 7, 80 * S * 1000);
    story.tick(0, "c/1", S, &[(S, None)], 0);
    story.tick(0, "c/1", S + 37_500_000 - 1, &[], 0);
    assert!(story.decisions.is_empty());
    story.tick(0, "c/1", S + 37_500_000, &[], 0);
    check(
        story,
        expect![[r#"
        c/1: window [1000000, 38500000), 1 frames, 1 decoded, 0 dropped; hangs: no frame for 37 s
        > c/1 failed: hangs: no frame for 37 s
        > stop all
    "#]],
    );
    assert_eq!(patience_us(QUIET_US, 0.08), QUIET_US);
    assert_eq!(patience_us(QUIET_US, 0.02), 150_000_000);
}

#[test]
fn a_script_whose_figures_cease_hangs() {
    let mut story = script(Pace::Live, 3600);
    story.count(0, 101, 110, 15);
    story.tick_until(110 * S + QUIET_US - 1);
    assert!(story.decisions.is_empty());
    story.tick_until(110 * S + QUIET_US);
    check(
        story,
        expect![[r#"
            c/1: script, window [103000000, 170000000), 15 rates; hangs: no figure for 60 s
            > c/1 failed: hangs: no figure for 60 s
            > stop all
        "#]],
    );
}

#[test]
fn an_interrupted_script_is_cut_and_has_not_failed() {
    let mut story = script(Pace::Live, 5);
    story.count(0, 101, 105, 15);
    story.tick_until(105 * S);
    let decisions = story.builder.interrupt();
    story.heard(decisions);
    story.exit(0, 106 * S, "killed by SIGTERM", "");
    check(
        story,
        expect![[r#"
            c/1: script, window [103000000, 105000000), 5 rates; ok
            > stop all
            interrupted
        "#]],
    );
}

#[test]
fn a_script_that_cannot_be_started_costs_only_itself() {
    let mut story = Story::new(setup(Pace::Live, 5, 2, &[], vec![scripted("c", 15.0, &["a", "b"])]));
    for index in [0, 1] {
        story.builder.script_started(ScriptId(index), 100 * S * 1000);
    }
    let end = ScriptEnd::NotStarted("Exec format error (os error 8)".to_owned());
    let decisions = story.builder.script_ended(ScriptId(0), 100 * S * 1000, &end);
    story.heard(decisions);
    story.tick_until(108 * S);
    let record = check(
        story,
        expect![[r#"
            c/1: script, window none, 0 rates; did not start: Exec format error (os error 8)
            c/2: script, window [102000000, 107000000), 0 rates; ok
            > c/1 failed: did not start: Exec format error (os error 8)
            > stop all
        "#]],
    );
    assert_eq!(record.members[0].scripts[0].exit, None);
}

/// The elements that rates were given to.
#[track_caller]
fn check_names(lines: &[&str], expect: Expect) {
    let mut story = script(Pace::Live, 5);
    story.print(0, 100 * S, "FpsCounter(last 1.00sec): total=1 fps, number-streams=1, per-stream=1 fps");
    for line in lines {
        story.print(0, 103 * S, line);
    }
    let record = story.builder.finish();
    let rates = record.members[0].scripts[0].rates.iter();
    expect.assert_eq(&rates.map(|one| format!("{}: {:?}\n", one.element, one.rates)).collect::<String>());
}

const THREE: &str = "FpsCounter(last 1.00sec): total=6 fps, number-streams=3, per-stream=2.00 fps (1, 2, 3)";

#[test]
fn counters_get_their_rates_in_byte_order_of_their_names() {
    let name = |name: &str| format!("/GstPipeline:p/GstGvaFpscounter:{name}.GstPad:sink: caps = video/x-raw");
    let (nine, ten, one) = (name("stream9"), name("stream10"), name("Stream1"));
    check_names(
        &[&nine, &ten, &one, &one, THREE],
        expect![[r#"
            Stream1: [Last { at_us: 103000000, over_us: 1000000, fps: 1.0 }]
            stream10: [Last { at_us: 103000000, over_us: 1000000, fps: 2.0 }]
            stream9: [Last { at_us: 103000000, over_us: 1000000, fps: 3.0 }]
        "#]],
    );
    // One name is missing: the owners of these rates are unknown.
    check_names(
        &[&nine, &ten, THREE],
        expect![[r#"
            1 of 3: [Last { at_us: 103000000, over_us: 1000000, fps: 1.0 }]
            2 of 3: [Last { at_us: 103000000, over_us: 1000000, fps: 2.0 }]
            3 of 3: [Last { at_us: 103000000, over_us: 1000000, fps: 3.0 }]
        "#]],
    );
}

#[test]
fn records_of_scripts_are_bounded() {
    let mut story = script(Pace::Live, 5);
    story.print(0, 100 * S, &displayed("0", 1, 0));
    for element in 0..2 * MAX_ELEMENTS {
        story.print(0, 103 * S, &displayed(&element.to_string(), 1, 0));
    }
    for n in 0..MAX_RATES as u64 {
        story.print(0, 103 * S + n, &displayed("0", n, 0));
    }
    let record = story.builder.finish();
    let script = &record.members[0].scripts[0];
    assert_eq!(script.rates.len(), MAX_ELEMENTS);
    assert_eq!(script.rates.iter().map(|element| element.rates.len()).sum::<usize>(), MAX_RATES);
    assert_eq!(script.figures_left_out, 2 * MAX_ELEMENTS as u64);
}

#[test]
fn a_worker_has_its_first_and_its_last_details() {
    let mut story =
        Story::new(setup(Pace::Live, 10, 2, &["c"], vec![member("c", "c", 10.0, &[(&["scan"], 0)])]));
    for (second, pss, cpu_us) in [(1, Some(7), 100_000), (11, None, 300_000), (21, Some(9), 1_100_000)] {
        let group = ThreadGroup { n: 2, cpu_us };
        let threads = [("queue:src".to_owned(), group)].into();
        story.say(0, second * S, EventBody::Details { pss, threads });
    }
    let record = story.builder.finish();
    let details = &record.workers[0].details;
    assert_eq!(
        details.iter().map(|one| (one.at_us, one.pss)).collect::<Vec<_>>(),
        [(S, Some(7)), (21 * S, Some(9))]
    );
    let figures = crate::record::measure::measure(&record).workers.remove(0);
    let threads: Vec<_> = figures.threads.iter().map(|one| (one.name.as_str(), one.n, one.cpu)).collect();
    assert_eq!((figures.pss, threads), (Some(9), vec![("queue:src", 2, Some(0.05))]));
}

#[test]
fn sightings_of_detectors_are_counted_in_the_window_and_kept_as_intervals() {
    let mut member = member("c", "C", 15.0, &[(&["scan"], 0)]);
    let name = |element: &str, kind: &str| Detector {
        element: element.to_owned(),
        kind: kind.to_owned(),
        model: None,
    };
    member.streams[0].detectors =
        vec![name("z", "zbar"), name("m", "motioncells"), name("d", "gvadetect"), name("blind", "zbar")];
    let mut story = Story::new(setup(Pace::Live, 5, 2, &["c"], vec![member]));
    let post = |story: &mut Story, element: &str, at_ms: u64, field: (&str, &str)| {
        let (factory, message) = if element == "m" { ("motioncells", "motion") } else { ("zbar", "barcode") };
        let message = ElementMessage {
            at_us: at_ms * 1000,
            element: element.to_owned(),
            factory: factory.to_owned(),
            message: message.to_owned(),
            stream_time: Some((at_ms % 6_000) * 1_000_000),
            fields: [(field.0.to_owned(), field.1.to_owned())].into(),
        };
        let body = EventBody::Messages { stream: "c/1".to_owned(), messages: vec![message] };
        story.say(0, at_ms * 1000, body);
    };
    // Before the first frame is reported, and in the warm-up until 3 s.
    post(&mut story, "z", 1_010, ("symbol", "A"));
    post(&mut story, "m", 1_500, ("motion_begin", "1"));
    story.play(0, "c/1", 1, 3, 15);
    // Two codes at a time, then a pause, and the clip's end in between.
    for (at_ms, code) in [(3_500, "A"), (3_600, "B"), (3_700, "A"), (4_900, "A"), (5_990, "A"), (6_010, "A")]
    {
        post(&mut story, "z", at_ms, ("symbol", code));
    }
    post(&mut story, "m", 4_000, ("no_motion", "1"));
    post(&mut story, "m", 5_000, ("motion_finished", "1"));
    post(&mut story, "m", 7_500, ("motion_begin", "1"));
    let frame = |clip_ms| FrameBoxes { clip_ms, boxes: vec![FoundBox("cup".to_owned(), [1, 2, 3, 4], 900)] };
    let regions = Regions {
        element: "d".to_owned(),
        at_us: vec![2_999_999, 3_000_000],
        clip_ns: vec![0, 1_000_000],
        labels: [("cup".to_owned(), vec![1, 2]), ("hat".to_owned(), vec![3, 0])].into(),
        inferred_us: vec![2_999_998, 2_999_999, 3_000_000, 3_000_001, 8_000_000],
        frames: vec![frame(0), frame(1), frame(0)],
    };
    let place = |at_us| Place {
        at_us,
        clip_ns: at_us % (6 * S) * 1_000,
        pass_ns: (S < at_us).then_some(6_000_000_000),
    };
    for (at_us, regions) in [(2 * S, vec![regions]), (3 * S + 7, Vec::new()), (4 * S, Vec::new())] {
        let body = EventBody::Frames {
            stream: "c/1".to_owned(),
            arrived_us: Vec::new(),
            latency_us: Vec::new(),
            late_us: Vec::new(),
            decoded: 30,
            played: 30,
            dropped: 0,
            taken_out: 0,
            fates: Box::default(),
            delivered: Box::default(),
            queues: BTreeMap::new(),
            sights: Box::new(Sights { place: Some(place(at_us)), regions }),
        };
        story.say(0, 3 * S, body);
    }
    story.play(0, "c/1", 3, 8, 15);
    // After the window.
    post(&mut story, "z", 8_100, ("symbol", "A"));
    let record = story.builder.finish();
    let stream = &record.members[0].streams[0];
    let mut text = String::new();
    for step in &stream.seen {
        text.push_str(&format!(
            "{}: {} in the window, last {:?} at {:?}\n",
            step.element, step.events, step.last_us, step.last_clip_ms
        ));
        for span in &step.spans {
            text.push_str(&format!(
                "  {}..{:?} {:?} {:?}\n",
                span.from_us, span.to_us, span.clip_ms, span.code
            ));
        }
    }
    expect![[r#"
        z: 6 in the window, last Some(8100000) at Some(2100)
          1010000..Some(1010000) Some((1010, 1010)) Some("A")
          3500000..Some(3700000) Some((3500, 3700)) Some("A")
          3600000..Some(3600000) Some((3600, 3600)) Some("B")
          4900000..Some(4900000) Some((4900, 4900)) Some("A")
          5990000..Some(5990000) Some((5990, 5990)) Some("A")
          6010000..Some(6010000) Some((10, 10)) Some("A")
          8100000..Some(8100000) Some((2100, 2100)) Some("A")
        m: 1 in the window, last Some(7500000) at Some(1500)
          1500000..Some(5000000) Some((1500, 5000)) None
          7500000..None Some((1500, 1500)) None
        d: 1 in the window, last Some(3000000) at Some(1)
          2999999..Some(3000000) Some((0, 1)) None
        blind: 0 in the window, last None at None
    "#]]
    .assert_eq(&text);
    let d = &stream.seen[2];
    assert_eq!((d.inferred, &d.labels), (2, &[("cup".to_owned(), 2)].into()));
    assert_eq!(d.boxes.frames().len(), 2);
    let place = stream.place.unwrap();
    assert_eq!((place.at_us, place.clip_ms, place.pass_ms), (3 * S + 7, 3_000, Some(6_000)));
}
