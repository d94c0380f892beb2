//! Frames that were missed for too long, or came too late.
//!
//! A mean rate is blind to a pause that is made up for, and latency to the time
//! that a frame spends before it is looked at. Until there is a verdict on
//! deadlines, such a stream is at least undecided.

use serde::{Deserialize, Serialize};

use super::source::{Source, seconds};
use super::verdict::Verdict;
use crate::record::{Member, SourceKind, StreamRecord};
use crate::stats;
use crate::text::counted;

/// So long may no frame arrive: a second, of which a twentieth is left to how it
/// is measured, since a source that holds back for a second sends within it.
pub const GAP_US: u64 = 950_000;
/// So late may a frame be.
pub const LATE_US: u64 = 500_000;
/// Neither limit is shorter than so many periods of the frame rate.
pub const PERIODS: f64 = 2.5;
/// A gap that is longer by this than that of the camera is another one.
const OTHER_GAP_US: u64 = 250_000;

/// Nearest-rank percentiles of the lateness in microseconds; negative is early.
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

/// The lateness of each frame that is known, in ascending order. A camera's own
/// clock and the jitter buffer may delay all of its frames by the same, which is
/// no lateness: there the median of the window's first second is on time.
pub(super) fn late_us(member: &Member, stream: &StreamRecord) -> Vec<i64> {
    let mut late: Vec<i64> = stream.late_us.iter().flatten().copied().collect();
    let kind = member.configured.as_ref().map(|configured| configured.source);
    let usual = match kind {
        Some(SourceKind::Rtsp | SourceKind::Usb) => usual_us(stream),
        _ => 0,
    };
    late.iter_mut().for_each(|one| *one = one.saturating_sub(usual));
    late.sort_unstable();
    late
}

/// By how much a camera's frames are delayed when the window begins. Not negative:
/// frames that come in a burst are early by its clock, and no later one is late for that.
fn usual_us(stream: &StreamRecord) -> i64 {
    let begin = stream.window_us.map_or(0, |(begin, _)| begin);
    let first = stream.arrived_us.partition_point(|at| *at < begin.saturating_add(1_000_000));
    let mut late: Vec<i64> = stream.late_us.iter().take(first.max(1)).flatten().copied().collect();
    late.sort_unstable();
    stats::percentile(&late, 50).unwrap_or(0).max(0)
}

/// Percentiles of values in ascending order.
pub(super) fn percentiles(late_us: &[i64]) -> Option<Lateness> {
    let at = |percent| stats::percentile(late_us, percent);
    Some(Lateness { p50: at(50)?, p95: at(95)?, p99: at(99)?, max: at(100)? })
}

/// Findings against a stream of which `fps` frames a second should arrive.
pub(super) fn findings(
    member: &Member,
    stream: &StreamRecord,
    source: &Source<'_>,
    fps: f64,
) -> Vec<(Verdict, String)> {
    let mut texts = Vec::new();
    let limit = limit_us(GAP_US, fps);
    if let Some(window) = stream.window_us {
        let (from, length) = longest_gap_us(&stream.arrived_us, window);
        // Frames that a camera does not send cannot arrive; its pauses are reported as such.
        let of_camera = source.longest_gap_us().filter(|gap| *gap > limit);
        if length > limit && of_camera.is_none_or(|gap| length > gap.saturating_add(OTHER_GAP_US)) {
            texts.push(no_frame("frame", length, from));
        }
    }
    let late = late_us(member, stream);
    let limit = i64::try_from(limit_us(LATE_US, fps)).unwrap_or(i64::MAX);
    let n_late = late.len() - late.partition_point(|one| *one <= limit);
    if let Some(worst) = late.last().filter(|_| n_late > 0) {
        let (limit, worst) = (seconds(limit.unsigned_abs()), seconds(worst.unsigned_abs()));
        texts.push(format!("{} came more than {limit} late, the worst {worst}", counted(n_late, "frame")));
    }
    texts.into_iter().map(|text| (Verdict::Undecided, text)).collect()
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
        assert_eq!(limit_us(LATE_US, 0.0), u64::MAX);
    }
}
