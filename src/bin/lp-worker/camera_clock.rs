//! The clock of a camera against ours, by the frames that it sends: pure.
//!
//! The *offset* of a frame is when it came less the time that the camera gave it. The frame that
//! came fastest has the least, so a frame is due when it would have come with that. But no two
//! clocks run alike: offsets grow if the camera's is slower than ours, and fall if it is faster.
//! That is its *drift*. It is estimated and removed, else frames would look late by it.
//!
//! A queue that grows on the way lifts offsets, too, but never below those of the fastest frames.
//! So the drift is that of the line below the fastest frame of each 10 s: of all lines with no
//! offset below them the nearest, which is an edge of their convex hull (Moon, Skelly, Towsley:
//! "Estimation and removal of clock skew from network delay measurements", INFOCOM 1999). It
//! cannot be told from fewer than three of these, nor where most of them are not on that line, nor
//! where the line is steeper than clocks are.
//!
//! Until it is told, and of a clock that cannot be told, offsets count as they are. The fastest
//! frame of the last minute counts, so that a way that has become longer is late for a minute.

use std::collections::VecDeque;

/// The fastest frame of so long is kept.
const BLOCK_NS: u64 = 10_000_000_000;

/// Frames are due by the fastest of so many blocks.
const RECENT: u64 = 6;

/// The drift is that of so many blocks at most, since a clock that gets warm changes its rate.
const MOST: usize = 60;

/// Two blocks are on a line whatever they are.
const LEAST: usize = 3;

/// Quartz oscillators keep to 100 ppm, so two of them differ by no more than this.
const MAX_DRIFT: f64 = 200e-6;

/// By how much an estimate may be wrong that counts as told.
const PRECISION: f64 = 20e-6;

#[derive(Debug, Default)]
pub(crate) struct CameraClock {
    /// The newest is not over yet.
    blocks: VecDeque<Block>,
    /// By how much offsets grow, in nanoseconds a nanosecond, if that could be told.
    slope: Option<f64>,
}

/// The fastest frame of 10 s.
#[derive(Clone, Copy, Debug)]
struct Block {
    /// Since the begin of our clock.
    number: u64,
    came_ns: i64,
    offset_ns: i64,
}

impl CameraClock {
    /// A frame came to which the camera gave this time. By how much later than the fastest.
    pub(crate) fn came(&mut self, at_ns: u64, time_ns: i64) -> i64 {
        let came_ns = at_ns.cast_signed();
        let block = Block { number: at_ns / BLOCK_NS, came_ns, offset_ns: came_ns - time_ns };
        match self.blocks.back_mut().filter(|newest| newest.number == block.number) {
            Some(newest) if block.offset_ns < newest.offset_ns => *newest = block,
            Some(_) => {}
            None => {
                // What was told once holds until something else can be told.
                self.slope = slope(&self.blocks).or(self.slope);
                self.blocks.push_back(block);
                if MOST < self.blocks.len() {
                    self.blocks.pop_front();
                }
            }
        }
        block.offset_ns - self.least_offset_ns(came_ns).unwrap_or(block.offset_ns)
    }

    /// By how much earlier than the fastest a frame would come at a moment to which the camera gave
    /// this time.
    pub(crate) fn early_ns(&self, at_ns: u64, time_ns: i64) -> i64 {
        let came_ns = at_ns.cast_signed();
        self.least_offset_ns(came_ns).map_or(0, |least| least - (came_ns - time_ns))
    }

    /// When a frame was due to which the camera gave this time; `None` if none came before.
    pub(crate) fn due_ns(&self, time_ns: i64) -> Option<u64> {
        let about_ns = time_ns + self.blocks.back()?.offset_ns;
        u64::try_from(time_ns + self.least_offset_ns(about_ns)?).ok()
    }

    /// By how many millionths the camera's clock is faster than ours (slower: negative), if
    /// that could be told.
    pub(crate) fn drift_ppm(&self) -> Option<f64> {
        self.slope.map(|slope| (slope * -1e7).round() / 10.0)
    }

    /// The camera's times begin anew.
    pub(crate) fn restart(&mut self) {
        *self = CameraClock::default();
    }

    /// The offset at a moment of a frame as fast as the fastest of the last minute.
    #[expect(clippy::cast_possible_truncation, reason = "the drift of ten minutes is 0.12 s")]
    fn least_offset_ns(&self, at_ns: i64) -> Option<i64> {
        let newest = self.blocks.back()?.number;
        let recent = self.blocks.iter().filter(|block| newest < block.number + RECENT);
        let drift = |block: &Block| self.slope.unwrap_or(0.0) * (at_ns - block.came_ns) as f64;
        recent.map(|block| block.offset_ns + drift(block) as i64).min()
    }
}

/// By how much offsets grow that are on the line below those of all blocks; `None` if it cannot
/// be told.
fn slope(blocks: &VecDeque<Block>) -> Option<f64> {
    let (first, last) = (blocks.front()?, blocks.back()?);
    let point =
        |block: &Block| ((block.came_ns - first.came_ns) as f64, (block.offset_ns - first.offset_ns) as f64);
    let points: Vec<(f64, f64)> = blocks.iter().map(point).collect();
    let (from, to) = middle_edge(&points)?;
    let line = |x: f64| from.1 + (to.1 - from.1) / (to.0 - from.0) * (x - from.0);
    // Two ends of the line that are wrong by so much make it wrong by `PRECISION`.
    let most_off = PRECISION / 2.0 * (last.came_ns - first.came_ns) as f64;
    let on_line: Vec<(f64, f64)> = points.iter().copied().filter(|(x, y)| y - line(*x) <= most_off).collect();
    if on_line.len() < LEAST.max(points.len().div_ceil(2)) {
        return None;
    }
    Some(regression(&on_line)).filter(|slope| slope.abs() <= MAX_DRIFT)
}

/// The edge of the lower convex hull of points, in ascending order, over their mean.
fn middle_edge(points: &[(f64, f64)]) -> Option<((f64, f64), (f64, f64))> {
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for point in points {
        let is_above =
            |[a, b]: [(f64, f64); 2]| (b.0 - a.0) * (point.1 - a.1) <= (b.1 - a.1) * (point.0 - a.0);
        while hull.last_chunk().copied().is_some_and(is_above) {
            hull.pop();
        }
        hull.push(*point);
    }
    let mean = points.iter().map(|(x, _)| x).sum::<f64>() / points.len() as f64;
    hull.windows(2).map(|edge| (edge[0], edge[1])).find(|(_, to)| mean <= to.0)
}

/// The slope of the line nearest to points, by least squares.
fn regression(points: &[(f64, f64)]) -> f64 {
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x_mean, y_mean) = (mean(|(x, _)| *x), mean(|(_, y)| *y));
    let sum =
        |of: &dyn Fn(f64, f64) -> f64| points.iter().map(|(x, y)| of(x - x_mean, y - y_mean)).sum::<f64>();
    sum(&|x, y| x * y) / sum(&|x, _| x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of 15 fps on a network that delays each frame at random by 4 ms on average.
    struct Stream {
        /// Of the camera against ours.
        ppm: f64,
        seconds: u32,
        seed: u64,
    }

    /// What became of it.
    #[derive(Debug)]
    struct Outcome {
        told_ppm: Option<f64>,
        /// Lateness less the true delay of the last minute's frames, in milliseconds.
        error_ms: (f64, f64),
    }

    impl Stream {
        /// Sends it through a queue that holds frames for `held_s` at each second, and never
        /// lets one overtake another.
        fn send(&self, held_s: impl Fn(f64) -> f64) -> Outcome {
            let (mut clock, mut random) = (CameraClock::default(), self.seed);
            let (mut error_ms, mut last_s) = ((f64::INFINITY, f64::NEG_INFINITY), 0.0);
            for n in 0..self.seconds * 15 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let jitter_s = -0.004 * (((random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64).ln();
                let sent_s = f64::from(n) / 15.0;
                let came_s = (sent_s + held_s(sent_s) + jitter_s).max(last_s);
                last_s = came_s;
                let at_ns = ((7_003.0 + came_s) * 1e9) as u64;
                let time_ns = (sent_s * (1.0 + self.ppm * 1e-6) * 1e9) as i64;
                clock.came(at_ns, time_ns);
                let due_ns = clock.due_ns(time_ns).unwrap();
                let late_s = (at_ns as f64 - due_ns as f64) / 1e9;
                if f64::from(self.seconds) - 60.0 <= sent_s {
                    let error = (late_s - (came_s - sent_s)) * 1e3;
                    error_ms = (error.min(error_ms.0), error.max(error_ms.1));
                }
            }
            Outcome { told_ppm: clock.drift_ppm(), error_ms }
        }
    }

    const CLOCKS: [f64; 5] = [-150.0, -50.0, 0.0, 50.0, 150.0];

    #[test]
    fn a_clock_that_drifts_is_told_and_makes_no_frame_late() {
        for (seed, ppm) in (0..20).flat_map(|seed| CLOCKS.map(|ppm| (seed, ppm))) {
            let outcome = Stream { ppm, seconds: 180, seed }.send(|_| 0.0);
            let told_ppm = outcome.told_ppm.unwrap();
            assert!((told_ppm - ppm).abs() < 5.0, "{seed}, {ppm}: {outcome:?}");
            // 150 ppm are 9 ms in a minute.
            assert!(-1.0 < outcome.error_ms.0 && outcome.error_ms.1 < 1.0, "{seed}, {ppm}: {outcome:?}");
        }
    }

    #[test]
    fn half_a_minute_may_tell_and_less_does_not() {
        for ppm in CLOCKS {
            let of = |seconds| Stream { ppm, seconds, seed: 7 }.send(|_| 0.0).told_ppm;
            assert_eq!(of(27), None);
            assert!((of(60).unwrap() - ppm).abs() < 20.0, "{ppm}: {:?}", of(60));
        }
    }

    /// Milliseconds a second by which a queue grows; it begins at one of these seconds, grows for
    /// one of these times, and shrinks at one of these rates.
    const GROWTH: [f64; 4] = [0.5, 2.0, 10.0, 100.0];
    const BEGINS: [f64; 4] = [0.0, 25.0, 60.0, 110.0];
    const LENGTHS: [f64; 3] = [15.0, 50.0, 300.0];
    const SHRINKS: [f64; 3] = [1.0, 20.0, 900.0];

    #[test]
    fn a_queue_that_grows_is_no_drift() {
        let (mut n_told, mut n_all) = (0, 0);
        for (growth, begin) in GROWTH.into_iter().flat_map(|growth| BEGINS.map(|begin| (growth, begin))) {
            for (length, shrink) in
                LENGTHS.into_iter().flat_map(|length| SHRINKS.map(|shrink| (length, shrink)))
            {
                let queue = |second: f64| {
                    let grown = growth * (second - begin).clamp(0.0, length);
                    (grown - shrink * (second - begin - length).max(0.0)).max(0.0) / 1e3
                };
                for (ppm, seed) in CLOCKS.into_iter().zip(0..) {
                    let told_ppm = Stream { ppm, seconds: 180, seed }.send(queue).told_ppm;
                    let is_right = told_ppm.is_none_or(|told| (told - ppm).abs() < 20.0);
                    assert!(is_right, "{growth} ms/s from {begin} s for {length} s, {ppm}: {told_ppm:?}");
                    n_all += 1;
                    n_told += usize::from(told_ppm.is_some());
                }
            }
        }
        assert!(n_all < 2 * n_told, "{n_told} of {n_all}");
    }

    #[test]
    fn no_more_than_a_clock_drifts_is_drift() {
        for ppm in [-5_000.0, -500.0, 500.0, 5_000.0] {
            assert_eq!(Stream { ppm, seconds: 180, seed: 1 }.send(|_| 0.0).told_ppm, None);
        }
    }

    #[test]
    fn a_pause_is_no_drift() {
        for (begin, length) in [(5.0, 20.0), (70.0, 30.0), (150.0, 30.0)] {
            // The frames of the pause come at its end, all at once.
            let held = |second: f64| if second < begin { 0.0 } else { (begin + length - second).max(0.0) };
            for ppm in CLOCKS {
                let outcome = Stream { ppm, seconds: 180, seed: 3 }.send(held);
                let is_right = outcome.told_ppm.is_none_or(|told| (told - ppm).abs() < 20.0);
                assert!(is_right, "{begin} s, {ppm}: {outcome:?}");
            }
        }
    }

    #[test]
    fn a_clock_that_stops_for_a_while_is_followed_after_a_minute() {
        let outcome =
            Stream { ppm: 0.0, seconds: 240, seed: 5 }.send(|second| if second < 100.0 { 0.0 } else { 5.0 });
        assert!(outcome.told_ppm.is_none_or(|told| told.abs() < 20.0), "{outcome:?}");
        assert!((outcome.error_ms.0 + 5_000.0).abs() < 2.0, "{outcome:?}");
    }

    #[test]
    fn times_that_begin_anew_are_another_line() {
        let mut clock = CameraClock::default();
        for second in 0..200_u32 {
            if second == 100 {
                clock.restart();
            }
            let time_s =
                if second < 100 { f64::from(second) * 0.999_9 } else { 5.0 + f64::from(second) * 1.000_1 };
            clock.came(u64::from(second) * 1_000_000_000, (time_s * 1e9) as i64);
        }
        assert_eq!(clock.drift_ppm(), Some(100.0));
    }
}
