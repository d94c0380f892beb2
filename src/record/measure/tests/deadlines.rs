//! Verdicts on deadlines, from simulated arrivals with a known truth.

use expect_test::{Expect, expect};

use super::*;
use crate::record::{Deadline, Delivery, Limits, SourceConfig, SourceKind};

/// SplitMix64 (Steele et al. 2014): the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0 and less than 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.fraction()
    }

    /// Microseconds: some milliseconds, now and then 15 ms more.
    fn jitter(&mut self) -> i64 {
        let rare = if self.fraction() < 0.01 { 15_000.0 } else { 0.0 };
        (self.between(0.0, 4_000.0) + self.between(0.0, 4_000.0) + rare) as i64
    }
}

/// A camera's frames in the order in which they are due, each with its lateness; `None` for
/// one that is dropped.
struct Camera {
    fps: f64,
    source: SourceKind,
    frames: Vec<(u64, Option<i64>)>,
}

impl Camera {
    /// Frames from 0 on, for so many seconds.
    fn new(fps: f64, seconds: f64, mut late_us: impl FnMut(u64) -> i64) -> Camera {
        let due =
            (0_u64..).map(|n| (n as f64 * 1e6 / fps) as u64).take_while(|at| (*at as f64) < seconds * 1e6);
        let frames = due.map(|due| (due, Some(late_us(due)))).collect();
        Camera { fps, source: SourceKind::File, frames }
    }

    /// Nothing arrives in these parts; what would have arrived in one comes at its end.
    fn stopped(mut self, stops: &[(u64, u64)]) -> Camera {
        for (due, late) in &mut self.frames {
            let Some(late) = late else { continue };
            let at = due.saturating_add_signed(*late);
            if let Some((_, end)) = stops.iter().find(|(begin, end)| (*begin..*end).contains(&at)) {
                *late = end.cast_signed() - due.cast_signed();
            }
        }
        self
    }

    fn dropping(mut self, is_dropped: impl Fn(usize) -> bool) -> Camera {
        for (_, late) in self.frames.iter_mut().enumerate().filter(|(n, _)| is_dropped(*n)).map(|(_, f)| f) {
            *late = None;
        }
        self
    }

    /// The record of a window.
    fn record(&self, (begin, end): (u64, u64), limits: Limits) -> RunRecord {
        let member = member("c", "c", self.fps, &[(&["x"], 0)]);
        let mut record = Story::new(setup(Pace::Live, 0, 2, &["c"], vec![member])).builder.finish();
        record.conditions.duration_ms = (end - begin) / 1_000;
        record.conditions.limits = limits;
        let member = &mut record.members[0];
        member.configured = Some(SourceConfig {
            source: self.source,
            name: None,
            origin: None,
            width: 640,
            height: 360,
            fps: self.fps,
            codec: None,
            accept: Vec::new(),
            expect: None,
        });
        let stream = &mut member.streams[0];
        let arrivals = self.frames.iter().filter_map(|(due, late)| {
            let late = (*late)?;
            Some((due.saturating_add_signed(late), Some(late)))
        });
        let inside = arrivals.clone().filter(|(at, _)| (begin..end).contains(at));
        (stream.arrived_us, stream.late_us) = inside.unzip();
        stream.latency_us = vec![Some(5_000); stream.arrived_us.len()];
        stream.after_us = arrivals.clone().find(|(at, _)| end <= *at);
        let is_inside = |due: &u64| (begin..end).contains(due);
        let lost = self.frames.iter().filter(|(due, late)| late.is_none() && is_inside(due));
        stream.dropped = lost.count() as u64;
        stream.decoded = stream.dropped + stream.arrived_us.len() as u64;
        (stream.first_frame_us, stream.failure) = (Some(0), None);
        stream.window_us = Some((begin, end));
        record
    }

    fn judged(&self, window: (u64, u64)) -> StreamFigures {
        measure(&self.record(window, Limits::default())).cameras.remove(0).streams.remove(0)
    }
}

/// A camera that is steady for 70 s, but for its jitter.
fn steady(fps: f64, delay_us: i64, seed: u64) -> Camera {
    let mut random = Random(seed);
    Camera::new(fps, 70.0, |_| delay_us + random.jitter())
}

#[track_caller]
fn check_figures(stream: &StreamFigures, expect: Expect) {
    let parts = [("rate", &stream.rate), ("deadline", &stream.deadline)].map(|(name, part)| {
        part.as_ref().map_or_else(|| format!("no {name}"), |part| format!("{name} {}", part.verdict))
    });
    let on_time = stream.on_time.map_or_else(String::new, |on_time| {
        let OnTime { judged, on_time, late, lost, .. } = on_time;
        format!(
            "; {on_time} of {judged} on time, {late} late, {lost} lost, delay {} us",
            stream.delay_us.unwrap()
        )
    });
    let reason = stream.reason.as_deref().unwrap_or("no reason");
    expect.assert_eq(&format!("{}: {}{on_time}; {reason}", stream.verdict, parts.join(", ")));
}

const RATES: [f64; 3] = [15.0, 25.0, 30.0];

#[test]
fn a_camera_with_a_stall_a_minute_holds_in_no_window_of_65_s() {
    for seed in 0..1_000 {
        let mut random = Random(seed);
        for fps in RATES {
            let first = (random.fraction() * 60e6) as u64;
            let stops: Vec<(u64, u64)> =
                (0..3).map(|minute| first + minute * 60 * S).map(|at| (at, at + S)).collect();
            let camera = Camera::new(fps, 130.0, |_| 300_000 + random.jitter()).stopped(&stops);
            let begin = (random.between(2.0, 62.0) * 1e6) as u64;
            let verdict = camera.judged((begin, begin + 65 * S)).verdict;
            assert_eq!(verdict, Verdict::DoesNotHold, "seed {seed}, {fps} fps");
        }
    }
}

#[test]
fn a_window_that_contains_a_part_of_a_stall_never_holds() {
    for seed in 0..1_000 {
        let mut random = Random(seed);
        let fps = RATES[(seed % 3) as usize];
        let period = 1e6 / fps;
        let camera = |random: &mut Random| {
            Camera::new(fps, 70.0, |_| 300_000 + random.jitter()).stopped(&[(65 * S, 66 * S)])
        };
        // The stall lies in the window, at its begin, or at its end.
        let length = random.between(2.0, 64.0) * 1e6;
        let begin = match seed / 3 % 3 {
            0 => random.between(0.0f64.max(66e6 - length), 65e6),
            1 => random.between(65e6, 66e6 - 2.0 * period),
            // Not only the moment after the last frame that came.
            _ => 65e6 - length + random.between(4.0 * period, 1e6),
        };
        let window = (begin.max(1e6) as u64, ((begin + length).min(69e6)) as u64);
        let judged = camera(&mut random).judged(window);
        assert_eq!(judged.verdict, Verdict::DoesNotHold, "seed {seed}: {window:?} {judged:?}");

        // The run may end in the stall, so that no later frame tells of it.
        let mut record = camera(&mut random).record(window, Limits::default());
        record.members[0].streams[0].after_us = None;
        let judged = measure(&record).cameras.remove(0);
        assert!(judged.verdict > Verdict::NotJudged, "seed {seed}: {window:?} {judged:?}");
    }
}

#[test]
fn a_steady_camera_with_a_constant_delay_holds_in_every_window() {
    for seed in 0..1_000 {
        for fps in RATES {
            let camera = steady(fps, 300_000, seed * 7 + 1);
            let begin = 2 * S + seed * 1_000;
            let length = Random(seed).between(20.0, 66.0) * 1e6;
            let judged = camera.judged((begin, begin + length as u64));
            assert_eq!(judged.verdict, Verdict::Holds, "seed {seed}, {fps} fps: {judged:?}");
            let on_time = judged.on_time.unwrap();
            assert_eq!((on_time.on_time, on_time.lost), (on_time.judged, 0));
            assert!((300_000..310_000).contains(&judged.delay_us.unwrap()));
        }
    }
}

#[test]
fn a_worker_that_is_stopped_does_not_hold_though_its_rate_does() {
    let window = (2 * S, 62 * S);
    check_figures(
        &steady(15.0, 3_000, 1).stopped(&[(20 * S, 29 * S)]).judged(window),
        expect![
            "does not hold: rate holds, deadline does not hold; 766 of 900 on time, 134 late, 0 lost, delay 6375 us; no frame for 9.1 s, from 17.9 s of its window on; 85.11 % on time is less than 99 %; 128 frames came more than 0.5 s late, the worst 9.0 s"
        ],
    );
    check_figures(
        &steady(15.0, 3_000, 1).stopped(&[(20 * S, 25 * S)]).judged(window),
        expect![
            "does not hold: rate holds, deadline does not hold; 826 of 900 on time, 74 late, 0 lost, delay 6375 us; no frame for 5.1 s, from 17.9 s of its window on; 68 frames came more than 0.5 s late, the worst 5.0 s"
        ],
    );
    check_figures(
        &steady(15.0, 3_000, 1).stopped(&[(10 * S, 11 * S), (30 * S, 31 * S)]).judged((2 * S, 42 * S)),
        expect![
            "does not hold: rate holds, deadline does not hold; 572 of 600 on time, 28 late, 0 lost, delay 6375 us; no frame for 1.1 s, from 27.9 s of its window on; 16 frames came more than 0.5 s late, the worst 1.0 s"
        ],
    );
    // Until the end of the window, and beyond it.
    check_figures(
        &steady(15.0, 3_000, 1).stopped(&[(58 * S, 63 * S)]).judged(window),
        expect![
            "does not hold: rate does not hold, deadline does not hold; 840 of 899 on time, 59 late, 0 lost, delay 6375 us; 14.02 fps is less than 98 % of 15; no frame for 4.1 s, from 55.9 s of its window on; 53 frames came more than 0.5 s late, the worst 5.0 s"
        ],
    );
    // Several short stops, none of them long enough to fail alone.
    let stops: Vec<(u64, u64)> = (1..=10).map(|n| n * 5 * S).map(|at| (at, at + 400_000)).collect();
    check_figures(
        &steady(15.0, 3_000, 1).stopped(&stops).judged(window),
        expect![
            "does not hold: rate holds, deadline does not hold; 850 of 900 on time, 50 late, 0 lost, delay 6375 us; 94.44 % on time is less than 99 %"
        ],
    );
    check_figures(
        &steady(15.0, 3_000, 1).stopped(&stops[..1]).judged(window),
        expect![
            "undecided: rate holds, deadline undecided; 895 of 900 on time, 5 late, 0 lost, delay 6375 us; 99.44 % on time may be less than 99 %, needs 61 min at 15 fps"
        ],
    );
}

#[test]
fn a_delay_that_grows_is_late() {
    // A decoder at 99.6 % of its target falls behind by 4 ms a second.
    let behind = |seconds: f64| Camera::new(15.0, seconds, |due| 5_000 + (due / 250).cast_signed());
    check_figures(
        &behind(70.0).judged((2 * S, 62 * S)),
        expect![
            "does not hold: rate holds, deadline does not hold; 257 of 899 on time, 642 late, 0 lost, delay 14866 us; 28.58 % on time is less than 99 %"
        ],
    );
    check_figures(
        &behind(610.0).judged((2 * S, 602 * S)),
        expect![
            "does not hold: rate holds, deadline does not hold; 257 of 8999 on time, 8742 late, 0 lost, delay 14866 us; 2.85 % on time is less than 99 %; 7110 frames came more than 0.5 s late, the worst 2.4 s"
        ],
    );
    // A start that is made up for is no delay that a later pause could hide behind.
    let slow_start = Camera::new(15.0, 70.0, |due| 5_000 + (3 * S).saturating_sub(due).cast_signed());
    check_figures(
        &slow_start.judged((2 * S, 62 * S)),
        expect![
            "does not hold: rate holds, deadline does not hold; 885 of 930 on time, 45 late, 0 lost, delay 5000 us; no frame for 1.0 s, from 0.0 s of its window on; 38 frames came more than 0.5 s late, the worst 3.0 s"
        ],
    );
    let pause = Camera::new(15.0, 70.0, |due| 5_000 + (4 * S).saturating_sub(due).cast_signed());
    check_figures(
        &pause.stopped(&[(30 * S, 30 * S + 900_000)]).judged((2 * S, 62 * S)),
        expect![
            "does not hold: rate holds, deadline does not hold; 857 of 930 on time, 73 late, 0 lost, delay 5000 us; no frame for 2.0 s, from 0.0 s of its window on; 59 frames came more than 0.5 s late, the worst 4.0 s"
        ],
    );
}

#[test]
fn slow_cameras_are_judged_by_their_period() {
    let (half, tenth) = (Camera::new(0.5, 6_000.0, |_| 900_000), Camera::new(0.1, 6_000.0, |_| 900_000));
    // No frame is due in a second.
    check_figures(
        &half.judged((3 * S, 4 * S)),
        expect!["undecided: rate undecided, no deadline; too short, needs 400 s at 0.5 fps"],
    );
    check_figures(
        &half.judged((3 * S, 603 * S)),
        expect![
            "holds: rate holds, deadline holds; 300 of 300 on time, 0 late, 0 lost, delay 900000 us; no reason"
        ],
    );
    check_figures(
        &tenth.judged((3 * S, 3_003 * S)),
        expect![
            "holds: rate holds, deadline holds; 300 of 300 on time, 0 late, 0 lost, delay 900000 us; no reason"
        ],
    );
    // Later than 2.5 periods.
    let late = Camera::new(0.5, 900.0, |_| 0).stopped(&[(100 * S + 1, 108 * S)]);
    check_figures(
        &late.judged((3 * S, 803 * S)),
        expect![
            "does not hold: rate holds, deadline does not hold; 398 of 400 on time, 2 late, 0 lost, delay 0 us; no frame for 8.0 s, from 97.0 s of its window on; 1 frame came more than 5.0 s late, the worst 6.0 s"
        ],
    );
}

#[test]
fn dropped_frames_were_not_on_time() {
    let window = (2 * S, 62 * S);
    // 3 of 900 spread over the window, and as one burst.
    check_figures(
        &steady(15.0, 3_000, 2).dropping(|n| n % 300 == 40).judged(window),
        expect![
            "holds: rate holds, deadline holds; 897 of 900 on time, 0 late, 3 lost, delay 6974 us; no reason"
        ],
    );
    check_figures(
        &steady(15.0, 3_000, 2).dropping(|n| (440..443).contains(&n)).judged(window),
        expect![
            "undecided: rate holds, deadline undecided; 897 of 900 on time, 0 late, 3 lost, delay 6974 us; 99.66 % on time may be less than 99 %, needs 14 min at 15 fps"
        ],
    );
    check_figures(
        &steady(15.0, 3_000, 2).dropping(|n| n % 30 == 0).judged(window),
        expect![
            "does not hold: rate does not hold, deadline does not hold; 870 of 900 on time, 0 late, 30 lost, delay 6974 us; 14.52 fps is less than 98 % of 15; 3.33 % dropped is more than 2 %; 96.66 % on time is less than 99 %"
        ],
    );
}

#[test]
fn frames_that_vanish_are_lost_and_frames_that_are_not_sent_are_not() {
    let window = (2 * S, 602 * S);
    let hole = |source: SourceKind, delivered: u64| {
        let mut random = Random(3);
        let mut camera = Camera::new(15.0, 610.0, |_| 3_000 + random.jitter());
        camera.source = source;
        camera = camera.dropping(|n| (1_500..1_530).contains(&n) || n == 4_000);
        let mut record = camera.record(window, Limits::default());
        let stream = &mut record.members[0].streams[0];
        stream.dropped = 0;
        stream.delivery = Some(Delivery { frames: Some(delivered), ..Delivery::default() });
        measure(&record).cameras.remove(0).streams.remove(0)
    };
    // 31 of 9,000: the rate holds.
    check_figures(
        &hole(SourceKind::File, 9_000),
        expect![
            "undecided: rate holds, deadline undecided; 8969 of 9000 on time, 0 late, 31 lost, delay 6878 us; no frame for 2.1 s, from 97.9 s of its window on; 99.65 % on time may be less than 99 %, needs 68 min at 15 fps"
        ],
    );
    check_figures(
        &hole(SourceKind::Rtsp, 8_969),
        expect![
            "undecided: rate holds, deadline holds; 8969 of 8969 on time, 0 late, 0 lost, delay 6878 us; no frame for 2.1 s, from 97.9 s of its window on"
        ],
    );
}

#[test]
fn steps_may_take_frames_out() {
    let mut record =
        steady(15.0, 3_000, 4).dropping(|n| n % 3 > 0).record((2 * S, 62 * S), Limits::default());
    let member = &mut record.members[0];
    member.target_fps = 5.0;
    let stream = &mut member.streams[0];
    (stream.taken_out, stream.dropped) = (stream.dropped, 0);
    check_figures(
        &measure(&record).cameras[0].streams[0],
        expect![
            "holds: rate holds, deadline holds; 300 of 300 on time, 0 late, 0 lost, delay 6184 us; no reason"
        ],
    );
}

#[test]
fn a_target_below_the_rate_may_lose_the_rest() {
    let judged = |is_dropped: fn(usize) -> bool| {
        let mut record =
            steady(30.0, 3_000, 4).dropping(is_dropped).record((2 * S, 62 * S), Limits::default());
        record.members[0].target_fps = 15.0;
        measure(&record).cameras.remove(0).streams.remove(0)
    };
    check_figures(
        &judged(|n| n % 3 == 0),
        expect![
            "holds: rate holds, deadline holds; 1200 of 1200 on time, 0 late, 0 lost, delay 6789 us; no reason"
        ],
    );
    check_figures(
        &judged(|n| n % 2 == 0),
        expect![
            "holds: rate holds, deadline holds; 900 of 900 on time, 0 late, 0 lost, delay 7059 us; no reason"
        ],
    );
    check_figures(
        &judged(|n| n % 2 == 0 || n % 20 == 1),
        expect![
            "does not hold: rate does not hold, deadline undecided; 810 of 900 on time, 0 late, 90 lost, delay 7019 us; 13.51 fps is less than 98 % of 15; 55.00 % dropped is more than 52 % for a target of 15 of 30 fps"
        ],
    );
}

#[test]
fn limits_are_those_of_the_record() {
    let judged = |limits: Limits| {
        let camera = steady(15.0, 300_000, 5).stopped(&[(20 * S, 20 * S + 300_000)]);
        measure(&camera.record((2 * S, 62 * S), limits)).cameras.remove(0).streams.remove(0)
    };
    let default = Limits::default();
    check_figures(
        &judged(default),
        expect![
            "undecided: rate holds, deadline undecided; 897 of 900 on time, 3 late, 0 lost, delay 303990 us; 99.66 % on time may be less than 99 %, needs 14 min at 15 fps"
        ],
    );
    check_figures(
        &judged(Limits { on_time: 0.95, ..default }),
        expect![
            "undecided: rate holds, deadline undecided; 897 of 900 on time, 3 late, 0 lost, delay 303990 us; 99.66 % on time may be less than 95 %, needs 82 s at 15 fps"
        ],
    );
    check_figures(
        &judged(Limits { on_time: 0.9999, ..default }),
        expect![
            "does not hold: rate holds, deadline does not hold; 897 of 900 on time, 3 late, 0 lost, delay 303990 us; 99.66 % on time is less than 99.99 %"
        ],
    );
    check_figures(
        &judged(Limits { deadline: Deadline::Millis(350), ..default }),
        expect![
            "holds: rate holds, deadline holds; 900 of 900 on time, 0 late, 0 lost, delay 303990 us; no reason"
        ],
    );
    check_figures(
        &judged(Limits { deadline: Deadline::Periods(0.05), ..default }),
        expect![
            "does not hold: rate holds, deadline does not hold; 874 of 900 on time, 26 late, 0 lost, delay 303990 us; 97.11 % on time is less than 99 %"
        ],
    );
    check_figures(
        &judged(Limits { max_late_ms: 200, ..default }),
        expect![
            "does not hold: rate holds, deadline does not hold; 897 of 900 on time, 3 late, 0 lost, delay 303990 us; 1 frame came more than 0.2 s late, the worst 0.3 s"
        ],
    );
    check_figures(
        &judged(Limits { delay_ms: Some(250), on_time: 0.9, ..default }),
        expect![
            "does not hold: rate holds, deadline does not hold; 897 of 900 on time, 3 late, 0 lost, delay 303990 us; its delay of 303.99 ms is more than 250 ms"
        ],
    );
}

#[test]
fn a_window_that_is_too_short_names_the_time_that_decides() {
    let judged = |fps: f64, seconds: f64| steady(fps, 0, 6).judged((2 * S, 2 * S + (seconds * 1e6) as u64));
    check_figures(
        &judged(15.0, 19.0),
        expect![
            "undecided: rate holds, deadline undecided; 285 of 285 on time, 0 late, 0 lost, delay 3366 us; too short, needs 20 s at 15 fps"
        ],
    );
    check_figures(
        &judged(15.0, 20.0),
        expect![
            "holds: rate holds, deadline holds; 300 of 300 on time, 0 late, 0 lost, delay 3366 us; no reason"
        ],
    );
    check_figures(
        &judged(30.0, 5.0),
        expect![
            "undecided: rate undecided, deadline undecided; 150 of 150 on time, 0 late, 0 lost, delay 4141 us; too short, needs 10 s at 30 fps"
        ],
    );
    // 299 frames decide, not fewer: 9.97 s.
    assert_eq!(judged(30.0, 9.98).verdict, Verdict::Holds);
    assert_eq!(judged(30.0, 9.9).verdict, Verdict::Undecided);
}

#[test]
fn seconds_that_are_left_out_hide_no_freeze_of_ones_own() {
    let of = |stops: &[(u64, u64)], left_out: &[(u64, u64)]| {
        let record = steady(15.0, 3_000, 7).stopped(stops).record((2 * S, 62 * S), Limits::default());
        let (member, stream) = (&record.members[0], &record.members[0].streams[0]);
        let source = Source::of(member, stream);
        let asked = source.asked();
        let limits = &record.conditions.limits;
        let delay_us = delay::delay_us(stream).unwrap();
        let frames = deadline::Frames { stream, source: &source, asked: &asked, limits, delay_us };
        let on_time = frames.on_time(&kept::Kept::without((2 * S, 62 * S), left_out)).unwrap();
        let verdict = frames.findings(&on_time).into_iter().map(|(verdict, _)| verdict).max();
        (on_time.judged, on_time.late, verdict.unwrap_or(Verdict::Holds))
    };
    assert_eq!(of(&[], &[(20 * S, 21 * S)]), (885, 0, Verdict::Holds));
    let second = (20 * S, 21 * S);
    assert_eq!(of(&[second], &[]).2, Verdict::DoesNotHold);
    assert_eq!(of(&[second], &[second]).2, Verdict::Holds);
    // A disturbed second in the middle of a freeze does not excuse the rest of it.
    assert_eq!(of(&[(18 * S, 23 * S)], &[second]).2, Verdict::DoesNotHold);
}

#[test]
fn free_pace_has_no_deadline() {
    let mut record = steady(15.0, 3_000, 8).record((2 * S, 62 * S), Limits::default());
    record.conditions.pace = Pace::Free;
    let figures = measure(&record).cameras.remove(0).streams.remove(0);
    assert_eq!((figures.on_time, figures.delay_us, figures.lateness_us), (None, None, None));
    assert_eq!((figures.goodput, figures.jitter_us, figures.seconds_below), (None, None, None));
    assert_eq!((figures.rate, figures.deadline, figures.verdict), (None, None, Verdict::NotJudged));
}
