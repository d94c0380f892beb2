//! The delivery of cameras compared with their config, and its arrival.

use expect_test::expect;

use super::*;
use crate::record::{Accept, Codec, Delivery, Outage, SourceConfig, SourceKind, VideoFormat};

/// 30 s of a camera of 1280x720 at 15 fps in H.264, as `change` makes it.
fn camera(source: SourceKind, change: impl FnOnce(&mut Member)) -> RunRecord {
    let mut story =
        Story::new(setup(Pace::Live, 30, 2, &["c"], vec![member("c", "c", 15.0, &[(&["x"], 0)])]));
    story.play(0, "c/1", 0, 32, 15);
    let mut record = story.builder.finish();
    let member = &mut record.members[0];
    let codec = (source == SourceKind::Rtsp).then_some(Codec::H264);
    member.configured = Some(SourceConfig {
        source,
        name: None,
        origin: None,
        width: 1280,
        height: 720,
        fps: 15.0,
        codec,
        accept: Vec::new(),
        expect: None,
    });
    let stream = &mut member.streams[0];
    stream.decoded = 450;
    stream.late_us = vec![Some(3_000); stream.arrived_us.len()];
    stream.delivery = Some(Delivery {
        frames: Some(450),
        longest_gap_us: Some(70_000),
        video: vec![video(1280, 720, codec.map(|_| "H264"))],
        ..Delivery::default()
    });
    change(member);
    record
}

fn video(width: u32, height: u32, codec: Option<&str>) -> VideoFormat {
    VideoFormat { width, height, fps: Some(15.0), codec: codec.map(str::to_owned) }
}

/// Only so many of three frames come: 5 of 15 fps.
fn thin_out(member: &mut Member, of_three: usize) {
    let stream = &mut member.streams[0];
    let kept = |index: &usize| index % 3 < of_three;
    let arrived = stream.arrived_us.iter().enumerate().filter(|(index, _)| kept(index));
    stream.arrived_us = arrived.map(|(_, at)| *at).collect();
    stream.late_us.truncate(stream.arrived_us.len());
    stream.latency_us.truncate(stream.arrived_us.len());
}

fn delivery(member: &mut Member) -> &mut Delivery {
    member.streams[0].delivery.as_mut().unwrap()
}

#[test]
fn a_slow_camera_is_not_reported_as_a_slow_machine() {
    check(
        &camera(SourceKind::Rtsp, |_| {}),
        expect![[r#"
        c/1: 15.000 fps, holds
        1 of 1 camera holds 15 fps; machine CPU not measured
    "#]],
    );
    let slow = |member: &mut Member| {
        thin_out(member, 1);
        delivery(member).frames = Some(150);
    };
    check(
        &camera(SourceKind::Rtsp, slow),
        expect![[r#"
            c/1: 5.000 fps, undecided (the camera delivers 5 of 15 fps)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    // Copies of a `videorate` after it make no difference.
    check(
        &camera(SourceKind::Usb, |member| delivery(member).frames = Some(150)),
        expect![[r#"
        c/1: 15.000 fps, undecided (the camera delivers 5 of 15 fps)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    // A `videorate` thins out what a USB camera gives beyond that.
    let more = |member: &mut Member| {
        delivery(member).frames = Some(900);
        delivery(member).thinned = 450;
    };
    check(
        &camera(SourceKind::Usb, more),
        expect![[r#"
         c/1: 15.000 fps, undecided (the camera delivers 30 of 15 fps)
         0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
     "#]],
    );
    check(
        &camera(SourceKind::Usb, |member| {
            more(member);
            member.configured.as_mut().unwrap().accept = vec![Accept::Rate];
        }),
        expect![[r#"
         c/1: 15.000 fps, holds
         1 of 1 camera holds 15 fps; machine CPU not measured
     "#]],
    );
    // Delivered frames that are lost are the machine's fault.
    let both = |member: &mut Member| {
        thin_out(member, 1);
        delivery(member).frames = Some(300);
        member.streams[0].dropped = 150;
    };
    check(
        &camera(SourceKind::Rtsp, both),
        expect![[r#"
            c/1: 5.000 fps, does not hold (the camera delivers 10 of 15 fps; 5.00 fps is less than 98 % of 10 that came; 50.00 % dropped is more than 2 %; 50 % on time is less than 99 %)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    // One that pauses: 2 s of 30, as a rate and as a gap.
    let pauses = |member: &mut Member| {
        let stream = &mut member.streams[0];
        let hole = 10 * S..12 * S;
        stream.arrived_us.retain(|at| !hole.contains(at));
        delivery(member).frames = Some(420);
        delivery(member).longest_gap_us = Some(2_066_000);
    };
    check(
        &camera(SourceKind::Rtsp, pauses),
        expect![[r#"
        c/1: 13.998 fps, undecided (the camera delivers 14 of 15 fps; no frame came from the camera for 2.1 s)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    // Scenes deliver what was asked for.
    check(
        &camera(SourceKind::Synthetic, slow),
        expect![[r#"
            c/1: 5.000 fps, does not hold (5.00 fps is less than 98 % of 15)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
}

#[test]
fn a_clock_that_loses_seconds_a_day_is_a_remark() {
    let notes = |source, ppm| {
        let record = camera(source, |member| delivery(member).drift_ppm = Some(ppm));
        measure(&record).cameras[0].streams[0].notes.clone()
    };
    assert_eq!(
        notes(SourceKind::Rtsp, -148.6),
        ["the camera's clock is 149 ppm slower than the machine's, which lateness leaves out"]
    );
    assert_eq!(notes(SourceKind::Rtsp, 99.0), [""; 0]);
}

#[test]
fn a_clip_with_too_few_frames_is_reported_unless_they_are_late() {
    let sparse = |member: &mut Member| {
        thin_out(member, 1);
        delivery(member).frames = Some(150);
    };
    check(
        &camera(SourceKind::File, sparse),
        expect![[r#"
            c/1: 5.000 fps, undecided (the clip has 5 of 15 fps)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    check(
        &camera(SourceKind::File, |member| {
            sparse(member);
            member.configured.as_mut().unwrap().accept = vec![Accept::Rate];
        }),
        expect![[r#"
            c/1: 5.000 fps, undecided (too short, needs 60 s at 5 fps)
            0 of 1 camera holds 5 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    // A decoder that needs three times the time holds up the file.
    check(
        &camera(SourceKind::File, |member| {
            sparse(member);
            for (n, late) in (0..).zip(&mut member.streams[0].late_us) {
                *late = Some(n * 133_333);
            }
        }),
        expect![[r#"
            c/1: 5.000 fps, does not hold (5.00 fps is less than 98 % of 15; 0.22 % on time is less than 99 %; 439 frames came more than 0.5 s late, the worst 20.0 s)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    // One that stops after a third of the window has no late frame yet.
    check(
        &camera(SourceKind::File, |member| {
            let stream = &mut member.streams[0];
            stream.arrived_us.retain(|at| *at < 12 * S);
            stream.late_us.truncate(stream.arrived_us.len());
            delivery(member).frames = Some(152);
        }),
        expect![[r#"
            c/1: 5.033 fps, does not hold (5.03 fps is less than 98 % of 15; no frame for 20.1 s, from 9.9 s of its window on; 33.33 % on time is less than 99 %; 293 frames came more than 0.5 s late, the worst 20.0 s)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
}

#[test]
fn another_size_rate_or_codec_holds_only_if_it_is_accepted() {
    let accepting = |accept: &[Accept], change: &dyn Fn(&mut Member)| {
        camera(SourceKind::Rtsp, |member| {
            change(member);
            member.configured.as_mut().unwrap().accept = accept.to_vec();
        })
    };
    let small: &dyn Fn(&mut Member) = &|member| delivery(member).video = vec![video(640, 360, Some("H264"))];
    check(
        &accepting(&[], small),
        expect![[r#"
        c/1: 15.000 fps, undecided (the camera delivers 640x360, not 1280x720)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    check(
        &accepting(&[Accept::Rate], small),
        expect![[r#"
        c/1: 15.000 fps, undecided (the camera delivers 640x360, not 1280x720)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    let measurement = check(
        &accepting(&[Accept::Size], small),
        expect![[r#"
        c/1: 15.000 fps, holds
        1 of 1 camera holds 15 fps; machine CPU not measured
    "#]],
    );
    assert_eq!(
        measurement.cameras[0].streams[0].notes,
        ["the camera delivers 640x360, not 1280x720, which `accept` allows"]
    );
    let turns: &dyn Fn(&mut Member) = &|member| delivery(member).video.push(video(640, 360, Some("H264")));
    check(
        &accepting(&[], turns),
        expect![[r#"
        c/1: 15.000 fps, undecided (the camera changed its size in mid-run: 1280x720, then 640x360 (1280x720 configured))
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    let coded: &dyn Fn(&mut Member) = &|member| delivery(member).video = vec![video(1280, 720, Some("H265"))];
    check(
        &accepting(&[], coded),
        expect![[r#"
        c/1: 15.000 fps, undecided (the camera delivers H265, not H264)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    check(
        &accepting(&[Accept::Codec], coded),
        expect![[r#"
        c/1: 15.000 fps, holds
        1 of 1 camera holds 15 fps; machine CPU not measured
    "#]],
    );

    // Of another rate that is accepted, all frames must be kept.
    let slow: &dyn Fn(&mut Member) = &|member| {
        thin_out(member, 2);
        delivery(member).frames = Some(300);
    };
    check(
        &accepting(&[Accept::Rate], slow),
        expect![[r#"
        c/1: 10.011 fps, holds
        1 of 1 camera holds 10 fps; machine CPU not measured
    "#]],
    );
    check(
        &accepting(&[Accept::Rate], &|member| {
            slow(member);
            delivery(member).frames = Some(400);
        }),
        expect![[r#"
            c/1: 10.011 fps, does not hold (10.01 fps is less than 98 % of 13.33 that came)
            0 of 1 camera holds 13.33 fps, 1 does not; machine CPU not measured
        "#]],
    );
    // No rate explains a pause of 9 s.
    check(
        &accepting(&[Accept::Rate], &|member| {
            member.streams[0].arrived_us.retain(|at| !(10 * S..19 * S).contains(at));
            delivery(member).frames = Some(315);
            delivery(member).longest_gap_us = Some(9_066_000);
        }),
        expect![[r#"
            c/1: 10.490 fps, undecided (no frame came from the camera for 9.1 s)
            0 of 1 camera holds 10.5 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    // The borders of what is another rate.
    for (frames, holds) in [(446, false), (447, true), (448, true), (460, true), (461, false)] {
        let record = camera(SourceKind::Rtsp, |member| delivery(member).frames = Some(frames));
        let verdict = measure(&record).cameras[0].verdict;
        assert_eq!(verdict == Verdict::Holds, holds, "{frames} frames");
    }
}

#[test]
fn incomplete_frames_do_not_hold_without_a_flag() {
    let lacking = |n| camera(SourceKind::Rtsp, move |member| delivery(member).incomplete = n);
    check(
        &lacking(3),
        expect![[r#"
        c/1: 15.000 fps, undecided (3 of 450 frames lack packets that had not come when later ones did)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    let measurement = check(
        &lacking(1),
        expect![[r#"
        c/1: 15.000 fps, holds
        1 of 1 camera holds 15 fps; machine CPU not measured
    "#]],
    );
    assert_eq!(
        measurement.cameras[0].streams[0].notes,
        ["1 of 450 frames lacks packets that had not come when later ones did"]
    );
}

#[test]
fn a_lost_connection_within_the_window_does_not_hold() {
    let lost = |lost_us, back_us| {
        let outage = Outage { lost_us, back_us, attempts: 1, reason: "gone".to_owned() };
        camera(SourceKind::Rtsp, move |member| delivery(member).reconnects = vec![outage.clone()])
    };
    let (begin_us, end_us) = lost(0, None).members[0].streams[0].window_us.unwrap();
    // Frames came as often as they should all the same.
    check(
        &lost(end_us - 1_000_000, Some(end_us - 300_000)),
        expect![[r#"
            c/1: 15.000 fps, undecided (its connection was lost once)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    let verdict = |record: &RunRecord| measure(record).cameras[0].verdict;
    assert_eq!(verdict(&lost(end_us - 1, None)), Verdict::Undecided);
    assert_eq!(verdict(&lost(0, Some(begin_us + 1))), Verdict::Undecided);
    // One that was over before, or began after.
    assert_eq!(verdict(&lost(0, Some(begin_us))), Verdict::Holds);
    assert_eq!(verdict(&lost(end_us, None)), Verdict::Holds);
}

#[test]
fn damaged_and_taken_out_frames_are_reported() {
    let damaged = |member: &mut Member| {
        thin_out(member, 2);
        delivery(member).damaged = 150;
    };
    check(
        &camera(SourceKind::Rtsp, damaged),
        expect![[r#"
        c/1: 10.011 fps, undecided (150 damaged frames are 33.33 % of all)
        0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
    "#]],
    );
    let measurement = check(
        &camera(SourceKind::File, |member| delivery(member).damaged = 1),
        expect![[r#"
        c/1: 15.000 fps, holds
        1 of 1 camera holds 15 fps; machine CPU not measured
    "#]],
    );
    assert_eq!(measurement.cameras[0].streams[0].notes, ["damaged frames, which do not count as arrived: 1"]);
    let taken_out = |member: &mut Member| {
        thin_out(member, 2);
        member.streams[0].taken_out = 150;
    };
    let measurement = check(
        &camera(SourceKind::File, taken_out),
        expect![[r#"
            c/1: 10.011 fps, does not hold (10.01 fps is less than 98 % of 15, since steps took out 150 frames)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    let stream = &measurement.cameras[0].streams[0];
    let parts = [stream.frames, stream.dropped, stream.taken_out].map(Option::unwrap);
    assert_eq!(stream.decoded, Some(parts.iter().sum()));
}

#[test]
fn a_pause_that_is_made_up_for_does_not_hold() {
    // Nothing for `us` from 12 s on, then all at once.
    let freeze = |source: SourceKind, us: u64| {
        camera(source, |member| {
            let stream = &mut member.streams[0];
            let hole = 12 * S + 1..12 * S + us;
            for (at, late) in stream.arrived_us.iter_mut().zip(&mut stream.late_us) {
                if hole.contains(at) {
                    *late = Some(i64::try_from(hole.end - *at).unwrap());
                    *at = hole.end;
                }
            }
        })
    };
    check(
        &freeze(SourceKind::File, 9 * S),
        expect![[r#"
            c/1: 15.000 fps, does not hold (no frame for 9.0 s, from 10.0 s of its window on; 70.22 % on time is less than 99 %; 127 frames came more than 0.5 s late, the worst 8.9 s)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    check(
        &freeze(SourceKind::Rtsp, S),
        expect![[r#"
            c/1: 15.000 fps, does not hold (no frame for 1.0 s, from 10.0 s of its window on; 7 frames came more than 0.5 s late, the worst 0.9 s)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    check(
        &freeze(SourceKind::File, 400_000),
        expect![[r#"
            c/1: 15.000 fps, undecided (98.88 % on time may be less than 99 %, needs more than 2 h)
            0 of 1 camera holds 15 fps, 1 is undecided; machine CPU not measured
        "#]],
    );
    // The begin and the end of the window count as well.
    let late_begin = |member: &mut Member| member.streams[0].arrived_us.retain(|at| 3 * S < *at);
    check(
        &camera(SourceKind::File, late_begin),
        expect![[r#"
        c/1: 14.500 fps, does not hold (14.50 fps is less than 98 % of 15; no frame for 1.1 s, from 0.0 s of its window on)
        0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
    "#]],
    );
    let early_end = |member: &mut Member| member.streams[0].arrived_us.retain(|at| *at < 31 * S);
    check(
        &camera(SourceKind::File, early_end),
        expect![[r#"
            c/1: 14.533 fps, does not hold (14.53 fps is less than 98 % of 15; no frame for 1.1 s, from 28.9 s of its window on; 8 frames came more than 0.5 s late, the worst 1.0 s)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
}

#[test]
fn lateness_is_a_figure_of_its_own() {
    // A decoder that falls behind: latency does not show it, as it begins after the wait.
    let behind = |member: &mut Member| {
        member.streams[0].delay_us = None;
        for (n, late) in member.streams[0].late_us.iter_mut().enumerate() {
            *late = Some(300_000 + i64::try_from(n).unwrap() * 2_000);
        }
    };
    let late = |source| {
        let measurement = measure(&camera(source, behind));
        let stream = &measurement.cameras[0].streams[0];
        (stream.lateness_us.unwrap(), stream.reason.clone().unwrap_or_default(), stream.latency_us)
    };
    let latency = Some(Percentiles { p50: 5_000, p95: 5_000, p99: 5_000, max: 5_000 });
    // All of its frames are delayed: those of the first second are on time.
    let percentiles = Lateness { p50: 434_000, p95: 840_000, p99: 876_000, max: 884_000 };
    let told = "9.11 % on time is less than 99 %; 192 frames came more than 0.5 s late, the worst 0.9 s";
    assert_eq!(late(SourceKind::Rtsp), (percentiles, told.to_owned(), latency));
    // Of a file, the frames are known that are due and have not come when the window ends.
    let told = "8.85 % on time is less than 99 %; 198 frames came more than 0.5 s late, the worst 0.9 s";
    assert_eq!(late(SourceKind::File), (percentiles, told.to_owned(), latency));
}

#[test]
fn a_camera_above_the_target_may_lose_the_surplus() {
    // 19.9 of 30 fps reached, 15 asked.
    let mut story =
        Story::new(setup(Pace::Live, 30, 2, &["c"], vec![member("c", "c", 15.0, &[(&["x"], 0)])]));
    story.play(0, "c/1", 0, 32, 20);
    let mut record = story.builder.finish();
    let asked = &mut record.members[0];
    asked.streams[0].dropped = 300;
    check(
        &record,
        expect![[r#"
            c/1: 20.000 fps, does not hold (33.33 % dropped is more than 2 %; 66.66 % on time is less than 99 %)
            0 of 1 camera holds 15 fps, 1 does not; machine CPU not measured
        "#]],
    );
    let configured = SourceConfig {
        source: SourceKind::File,
        name: None,
        origin: None,
        width: 640,
        height: 360,
        fps: 30.0,
        codec: None,
        accept: Vec::new(),
        expect: None,
    };
    record.members[0].configured = Some(configured);
    check(
        &record,
        expect![[r#"
        c/1: 20.000 fps, holds
        1 of 1 camera holds 15 fps; machine CPU not measured
    "#]],
    );
}
