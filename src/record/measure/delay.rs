//! Delay, lateness, jitter and gaps of a stream.
//!
//! A stream may delay all of its frames by the same time, in a jitter buffer, a decoder or
//! a queue before an inference: that is its *delay*, a figure of its own. *Late* is a
//! frame by what it comes later than that. The delay is fixed before the window, so one
//! that grows makes frames late.
//!
//! Not here: the verdict on late frames (`deadline`).

use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::long;
use super::source::{Source, seconds};
use super::verdict::Verdict;
use crate::record::StreamRecord;
use crate::stats;

/// So long may no frame arrive: a second, of which a twentieth is left to how it
/// is measured, since a source that holds back for a second sends within it.
pub const GAP_US: u64 = 950_000;
/// No limit is shorter than so many periods of the frame rate.
pub const PERIODS: f64 = 2.5;
/// A gap that is longer by this than that of the camera is another one.
const OTHER_GAP_US: u64 = 250_000;

/// Nearest-rank percentiles of the lateness beyond the delay in microseconds; negative is
/// early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lateness {
    pub p50: i64,
    pub p95: i64,
    pub p99: i64,
    pub max: i64,
}

/// A limit that suits a frame rate.
pub(super) fn limit_us(least_us: u64, fps: f64) -> u64 {
    least_us.max(stats::periods_us(PERIODS, fps))
}

/// The longest time without a frame in `window`, its ends included: where it
/// begins since the begin of the window, and how long it is.
pub(super) fn longest_gap_us(arrived_us: &[u64], (begin, end): (u64, u64)) -> (u64, u64) {
    let mut longest = (0, 0);
    let mut from = begin;
    for at in arrived_us.iter().copied().chain([end]) {
        let length = at.saturating_sub(from);
        if longest.1 < length {
            longest = (from - begin, length);
        }
        from = at.max(from);
    }
    longest
}

/// The longest time without a frame of a stream, whose window this is.
pub(super) fn longest_gap(stream: &StreamRecord, window: (u64, u64)) -> (u64, u64) {
    match &stream.long {
        None => longest_gap_us(&stream.arrived_us, window),
        Some(rows) => long::longest_gap_us(rows, window),
    }
}

/// Percentiles of the lateness of a stream's frames beyond its delay.
pub(super) fn lateness_us(stream: &StreamRecord, delay_us: i64) -> Option<Lateness> {
    let Some(rows) = &stream.long else { return percentiles(beyond(stream, delay_us)) };
    let at = |percent| Some(rows.late_us.percentile(percent)?.saturating_sub(delay_us));
    Some(Lateness { p50: at(50)?, p95: at(95)?, p99: at(99)?, max: at(100)? })
}

/// By how much all frames of a stream are delayed, in microseconds; `None` if no frame was
/// due at a time.
///
/// The median lateness of the warm-up, or of the first second of the window where the
/// record does not have that. A start may hold up frames that the stream makes up for
/// later, so the median of the window counts if it is less: a pause must not hide behind a
/// delay that is over. Not negative: frames that come in a burst are early by a camera's
/// clock, and no later one is late for that.
pub(super) fn delay_us(stream: &StreamRecord) -> Option<i64> {
    if let Some(long) = &stream.long {
        let of_window = long.late_us.percentile(50)?;
        return Some(stream.delay_us.unwrap_or(long.delay_us).min(of_window).max(0));
    }
    let median = |late: &[Option<i64>]| {
        let mut late: Vec<i64> = late.iter().flatten().copied().collect();
        late.sort_unstable();
        stats::percentile(&late, 50)
    };
    let of_window = median(&stream.late_us)?;
    let begin = stream.window_us.map_or(0, |(begin, _)| begin);
    let first = stream.arrived_us.partition_point(|at| *at < begin.saturating_add(1_000_000));
    let before = median(&stream.late_us[..first.clamp(1, stream.late_us.len())]);
    Some(stream.delay_us.or(before).unwrap_or(of_window).min(of_window).max(0))
}

/// The lateness of each frame beyond the delay, in the order of arrival.
pub(super) fn beyond(stream: &StreamRecord, delay_us: i64) -> Vec<i64> {
    stream.late_us.iter().flatten().map(|late| late.saturating_sub(delay_us)).collect()
}

/// Percentiles of values in any order.
fn percentiles(mut late_us: Vec<i64>) -> Option<Lateness> {
    late_us.sort_unstable();
    let at = |percent| stats::percentile(&late_us, percent);
    Some(Lateness { p50: at(50)?, p95: at(95)?, p99: at(99)?, max: at(100)? })
}

/// The mean deviation of the distance of neighbouring frames from what it should be, in
/// microseconds: `|D(i-1, i)|` of RFC 3550, 6.4.1, which is the difference of their
/// lateness, averaged over the window instead of smoothed. `None` with fewer than two.
pub(super) fn jitter_us(late_us: &[i64]) -> Option<u64> {
    let differences = late_us.windows(2).map(|pair| pair[1].abs_diff(pair[0]));
    let n = late_us.len().checked_sub(1).filter(|n| *n > 0)?;
    Some(differences.fold(0, u64::saturating_add) / n as u64)
}

/// The finding of a time without frames against a stream of which `fps` frames a second
/// should arrive.
pub(super) fn gap(
    stream: &StreamRecord,
    source: &Source<'_>,
    kept: &Kept,
    fps: f64,
) -> Option<(Verdict, String)> {
    let limit = limit_us(GAP_US, fps);
    let window = kept.window();
    let (from, length) = longest_gap(stream, window);
    // Frames that a camera does not send cannot arrive; its pauses are reported as such.
    let of_camera = source.longest_gap_us().filter(|gap| *gap > limit);
    let is_other = of_camera.is_none_or(|gap| length > gap.saturating_add(OTHER_GAP_US));
    let middle = window.0.saturating_add(from).saturating_add(length / 2);
    let is_kept = kept.has(i64::try_from(middle).unwrap_or(i64::MAX));
    (length > limit && is_other && is_kept).then(|| (Verdict::Undecided, no_frame("frame", length, from)))
}

/// `no frame for 9.1 s, from 12.3 s of its window on`
pub(super) fn no_frame(what: &str, length_us: u64, from_us: u64) -> String {
    format!("no {what} for {}, from {} of its window on", seconds(length_us), seconds(from_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_gap_may_be_at_either_end() {
        let window = (10, 100);
        for (arrived, expected) in [
            (&[][..], (0, 90)),
            (&[10, 20, 95], (10, 75)),
            (&[70, 80, 90], (0, 60)),
            (&[10, 20, 30], (20, 70)),
            (&[10, 55, 99], (0, 45)),
        ] {
            assert_eq!(longest_gap_us(arrived, window), expected, "{arrived:?}");
        }
    }

    #[test]
    fn slow_cameras_have_longer_limits() {
        assert_eq!(limit_us(GAP_US, 15.0), GAP_US);
        assert_eq!(limit_us(GAP_US, 0.5), 5_000_000);
        assert_eq!(limit_us(500_000, 0.0), u64::MAX);
    }

    #[test]
    fn jitter_is_the_mean_change_of_lateness() {
        assert_eq!(jitter_us(&[]), None);
        assert_eq!(jitter_us(&[7]), None);
        // A constant delay is no jitter.
        assert_eq!(jitter_us(&[300_000; 5]), Some(0));
        assert_eq!(jitter_us(&[0, 4_000, -2_000, 0]), Some(4_000));
    }
}
