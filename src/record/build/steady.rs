//! The warm-up of a stream: when its window begins, and the constant delay of its frames.
//!
//! A fixed warm-up is as long as asked. With `auto` the window begins once the stream is in its
//! steady state: at least the shortest warm-up after the first frame, one second
//! after the begin of the steady state ([`stats::steady::begin`]), and at most [`CAP_US`] after the first
//! frame. It is decided at the ticks of the stream's worker, from the lateness of frames, or
//! the time between them where they are not due at a time. Changes of less than a quarter of a
//! frame's period do not matter.
//!
//! Streams of less than [`SLOWEST_FPS`] have too few frames to tell; their window begins
//! as early as it may.

use crate::model::Settings;
use crate::record::WarmUpRecord;
use crate::stats::{self, steady};

/// The longest warm-up of `auto`.
const CAP_US: u64 = Settings::AUTO_WARMUP_MOST_MS * 1000;

/// The slowest stream that has enough frames for a judgement within half of [`CAP_US`].
const SLOWEST_FPS: f64 = 5.0;

/// A change of so many periods of a frame does not matter.
const TOLERANCE: f64 = 0.25;

/// At least so long and so many frames before the window tell the delay.
const DELAY_US: u64 = 1_000_000;
const DELAY_FRAMES: usize = 5;

/// The frames before a stream's window.
#[derive(Clone, Debug)]
pub(super) struct WarmUp {
    /// The rate that is asked of the stream.
    fps: f64,
    /// Its length, or the least of `auto`.
    shortest_us: u64,
    is_auto: bool,
    /// When each frame arrived that did before the window begins.
    arrived_us: Vec<u64>,
    /// Its lateness, if known.
    late_us: Vec<Option<i64>>,
    begin_us: Option<u64>,
    /// Of `auto`: whether it found a steady state; `None` if it could not tell.
    is_steady: Option<bool>,
}

impl WarmUp {
    /// Of a stream of which `fps` frames per second are asked: a warm-up of this length, or of
    /// at least this length with `auto`.
    pub(super) fn new(fps: f64, shortest_us: u64, is_auto: bool) -> WarmUp {
        let (arrived_us, late_us) = (Vec::new(), Vec::new());
        WarmUp { fps, shortest_us, is_auto, arrived_us, late_us, begin_us: None, is_steady: None }
    }

    /// When the window begins, once that is decided.
    pub(super) fn begin_us(&self) -> Option<u64> {
        self.begin_us
    }

    /// Takes in a frame; those from the begin of the window on do not count.
    pub(super) fn frame(&mut self, at_us: u64, late_us: Option<i64>) {
        if self.begin_us.is_none_or(|begin| at_us < begin) {
            self.arrived_us.push(at_us);
            self.late_us.push(late_us);
        }
    }

    /// Decides when the window begins, if that can be told at `now_us`, up to which all frames
    /// have been taken in.
    pub(super) fn decide(&mut self, now_us: u64) {
        let Some(first) = self.arrived_us.first().filter(|_| self.begin_us.is_none()) else { return };
        let earliest = first.saturating_add(self.shortest_us);
        let latest = earliest.max(first.saturating_add(CAP_US));
        if !self.is_auto || self.fps < SLOWEST_FPS {
            self.begin_us = Some(earliest);
        } else if now_us < earliest {
            // It cannot begin yet.
        } else if let Some(steady) = self.steady_from_us() {
            self.begin_us = Some(steady.saturating_add(DELAY_US).clamp(earliest, latest));
            self.is_steady = Some(true);
        } else if latest <= now_us {
            self.begin_us = Some(latest);
            self.is_steady = Some(false);
        }
    }

    /// When the steady state began, if there is one.
    fn steady_from_us(&self) -> Option<u64> {
        let due = self.arrived_us.iter().zip(&self.late_us);
        let (mut at_us, mut values): (Vec<u64>, Vec<f64>) =
            due.filter_map(|(at, late)| Some((*at, (*late)? as f64))).unzip();
        if values.is_empty() {
            let gaps = self.arrived_us.windows(2);
            (at_us, values) = gaps.map(|pair| (pair[1], pair[1].saturating_sub(pair[0]) as f64)).unzip();
        }
        let tolerance = stats::periods_us(TOLERANCE, self.fps) as f64;
        if steady::is_level(&values, tolerance) {
            return at_us.first().copied();
        }
        let begin = steady::begin(&values)?;
        // Steps may look like a steady state that has just begun.
        let is_settled = steady::shift(&values[begin..]).abs() <= tolerance;
        is_settled.then(|| at_us[begin])
    }

    /// The median lateness in the steady state before the window, or in the last second
    /// before it if there is none or if it is shorter; of at least five frames if there are
    /// so many. `None` if no frame before the window has a lateness.
    pub(super) fn delay_us(&self) -> Option<i64> {
        let begin = self.begin_us?;
        let last = begin.saturating_sub(DELAY_US);
        let from = self.steady_from_us().map_or(last, |steady| steady.min(last));
        let late: Vec<(u64, i64)> = self
            .arrived_us
            .iter()
            .zip(&self.late_us)
            .filter_map(|(at, late)| late.filter(|_| *at < begin).map(|late| (*at, late)))
            .collect();
        let n_early = late.partition_point(|(at, _)| *at < from).min(late.len().saturating_sub(DELAY_FRAMES));
        median(late[n_early..].iter().map(|(_, late)| *late).collect())
    }

    /// What the record says of it, with the first frame's time.
    pub(super) fn into_record(self, first_us: u64) -> Option<WarmUpRecord> {
        let length_us = self.begin_us?.saturating_sub(first_us);
        Some(WarmUpRecord { length_us, is_steady: self.is_steady })
    }
}

/// The delay as the begin of a window without a warm-up tells it: the median lateness of its
/// first second, of at least five frames.
pub(super) fn delay_of_begin_us(arrived_us: &[u64], late_us: &[Option<i64>], begin_us: u64) -> Option<i64> {
    let end = begin_us.saturating_add(DELAY_US);
    let n_first = arrived_us.partition_point(|at| *at < end).max(DELAY_FRAMES);
    median(late_us.iter().take(n_first).copied().flatten().collect())
}

/// Of frames that may be many, the nearest-rank median.
fn median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    stats::percentile(&values, 50)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::{S, Story, member, setup};
    use crate::record::{Pace, RunRecord};
    use crate::worker::protocol::End;

    fn auto(fps: f64) -> WarmUp {
        WarmUp::new(fps, 2 * S, true)
    }

    /// A stream of 15 fps whose first frame arrives at 10 s, told once a second; the lateness of
    /// each frame in milliseconds by its number. When the window begins after the first frame in
    /// seconds, whether it is steady, and the delay in milliseconds.
    #[track_caller]
    fn check(mut warmup: WarmUp, late_ms: impl Fn(usize) -> f64, expected: (f64, Option<bool>, i64)) {
        for second in 0..12 {
            for index in second * 15..(second + 1) * 15 {
                let late_us = (late_ms(index) * 1e3) as i64;
                warmup.frame(10 * S + index as u64 * S / 15, Some(late_us));
            }
            warmup.decide((11 + second as u64) * S);
        }
        let begin = (warmup.begin_us.unwrap() - 10 * S) as f64 / 1e6;
        let delay = warmup.delay_us().unwrap() / 1000;
        let begin = (begin * 10.0).round() / 10.0;
        assert_eq!((begin, warmup.is_steady, delay), expected);
    }

    #[test]
    fn a_steady_stream_begins_as_early_as_it_may() {
        check(auto(15.0), |_| 40.0, (2.0, Some(true), 40));
        // Jitter of less than a quarter of a period.
        check(auto(15.0), |index| 40.0 + (index * 7 % 11) as f64, (2.0, Some(true), 45));
        // A start-up that is over after a third of a second.
        check(auto(15.0), |index| if index < 5 { 300.0 } else { 40.0 }, (2.0, Some(true), 40));
    }

    #[test]
    fn a_window_begins_a_second_after_the_steady_state() {
        // A backlog of the start is worked off in 3 s: found at the tick at 6 s, when the
        // steady state is the greater part.
        check(
            auto(15.0),
            |index| if index < 45 { 900.0 - 20.0 * index as f64 } else { 12.0 },
            (4.0, Some(true), 12),
        );
    }

    #[test]
    fn a_stream_that_does_not_settle_begins_at_the_cap() {
        // It falls behind by 100 ms a second.
        check(auto(15.0), |index| index as f64 * 100.0 / 15.0, (10.0, Some(false), 946));
    }

    #[test]
    fn a_fixed_warm_up_is_as_long_as_asked() {
        let fixed = || WarmUp::new(15.0, 2 * S, false);
        check(fixed(), |index| index as f64 * 100.0 / 15.0, (2.0, None, 146));
        check(fixed(), |index| if index < 5 { 300.0 } else { 40.0 }, (2.0, None, 40));
    }

    #[test]
    fn frames_without_a_lateness_are_judged_by_the_time_between_them() {
        let mut warmup = auto(10.0);
        // Three frames in the first two seconds, then all in time.
        let arrived = [0, S, 2 * S].into_iter().chain((21..).map(|index| index * S / 10));
        for at in arrived.take(80) {
            warmup.frame(at, None);
            warmup.decide(at);
        }
        let found = warmup.begin_us.unwrap();
        assert!((3 * S..=4 * S).contains(&found), "{found}");
        assert_eq!((warmup.is_steady, warmup.delay_us()), (Some(true), None));
    }

    #[test]
    fn slow_streams_and_streams_without_frames_are_not_judged() {
        let mut slow = auto(4.9);
        slow.decide(100 * S);
        assert_eq!(slow.begin_us, None);
        slow.frame(100 * S, Some(7));
        slow.decide(100 * S);
        assert_eq!((slow.begin_us, slow.is_steady, slow.delay_us()), (Some(102 * S), None, Some(7)));
        // A stream that had a frame and then none for the whole warm-up.
        let mut stuck = auto(15.0);
        stuck.frame(100 * S, Some(7));
        (101..=109).for_each(|second| stuck.decide(second * S));
        assert_eq!(stuck.begin_us, None);
        stuck.decide(110 * S);
        assert_eq!((stuck.begin_us, stuck.is_steady), (Some(110 * S), Some(false)));
    }

    #[test]
    fn without_a_warm_up_the_first_second_of_the_window_tells_the_delay() {
        let arrived: Vec<u64> = (0..100).map(|index| index * S / 10).collect();
        let late: Vec<Option<i64>> = (0..100).map(|index| (index != 3).then_some(index)).collect();
        assert_eq!(delay_of_begin_us(&arrived, &late, 0), Some(5));
        // A camera with a frame in five seconds: 0, 1, 2 and 4.
        let slow: Vec<u64> = (0..100).map(|index| index * 5 * S).collect();
        assert_eq!(delay_of_begin_us(&slow, &late, 0), Some(1));
        assert_eq!(delay_of_begin_us(&[], &[], 0), None);
    }

    /// A run of 5 s with a warm-up of `auto`: the lateness in milliseconds of the 15 frames of each
    /// second. Each second has one frame more that is dropped at its end.
    fn story(late_ms: impl IntoIterator<Item = i64>) -> Story {
        let members = vec![member("c", "C", 15.0, &[(&["scan"], 0)])];
        let mut setup = setup(Pace::Live, 5, 2, &["c"], members);
        setup.conditions.warmup_is_auto = true;
        let mut story = Story::new(setup);
        for (second, late_ms) in (0..).zip(late_ms) {
            story.late_us = late_ms * 1000;
            let frames: Vec<_> = (0..15).map(|frame| (second * S + frame * S / 15, None)).collect();
            story.tick(0, "c/1", (second + 1) * S, &frames, 1);
        }
        story
    }

    fn told(story: Story) -> (RunRecord, String) {
        let (record, text) = story.told();
        let stream = &record.members[0].streams[0];
        let warmup = stream.warmup.map(|warmup| (warmup.length_us / S, warmup.is_steady));
        let text = format!("{text}{warmup:?}, delay {:?}", stream.delay_us);
        (record, text)
    }

    #[test]
    fn all_that_is_counted_begins_with_the_window_whenever_that_is_decided() {
        // Decided at the tick at 5 s: steady from 2 s on.
        let story = self::story([600, 300, 0, 0, 0, 0, 0, 0]);
        assert_eq!(story.decisions, ["stop all"]);
        let (record, text) = told(story);
        expect_test::expect![[r#"
            c/1: window [3000000, 8000000), 75 frames, 80 decoded, 5 dropped; ok
            > stop all
            Some((3, Some(true))), delay Some(0)"#]]
        .assert_eq(&text);
        let stream = &record.members[0].streams[0];
        assert_eq!((stream.arrived_us.len(), stream.late_us.len()), (75, 75));
        assert_eq!((stream.life.decoded, stream.life.dropped), (8 * 16, 8));
        assert_eq!((stream.in_flight_before, stream.in_flight), (0, 0));
    }

    #[test]
    fn a_window_may_be_complete_when_its_begin_is_decided() {
        // One second that begins at 3 s, decided at 5 s.
        let members = vec![member("c", "C", 15.0, &[(&["scan"], 0)])];
        let mut short = setup(Pace::Live, 1, 2, &["c"], members);
        short.conditions.warmup_is_auto = true;
        let mut story = Story::new(short);
        for (second, late_ms) in (0..).zip([600, 300, 0, 0, 0]) {
            story.late_us = late_ms * 1000;
            story.play(0, "c/1", second, second + 1, 15);
        }
        assert_eq!(
            told(story).1.lines().next(),
            Some("c/1: window [3000000, 4000000), 15 frames, 15 decoded, 0 dropped; ok")
        );
    }

    #[test]
    fn a_stream_that_never_settles_is_measured_all_the_same() {
        let (_, text) = told(story((0..15).map(|second| second * 100)));
        expect_test::expect![[r#"
            c/1: window [10000000, 15000000), 75 frames, 80 decoded, 5 dropped; ok
            > stop all
            Some((10, Some(false))), delay Some(900000)"#]]
        .assert_eq(&text);
    }

    #[test]
    fn a_stream_that_ends_before_its_begin_is_decided_has_no_window() {
        let mut story = self::story([600, 300, 0]);
        story.end(0, "c/1", 3 * S + 1, End::Eos);
        let (record, text) = told(story);
        expect_test::expect![[r#"
            c/1: window none, 0 frames, 0 decoded, 0 dropped; ended by itself during warm-up
            > c/1 failed: ended by itself during warm-up
            > stop all
            None, delay None"#]]
        .assert_eq(&text);
        // Its life is known all the same.
        assert_eq!(record.members[0].streams[0].life.decoded, 3 * 16);
    }
}
