//! The figures of a window that is longer than an hour, from its rows and histograms.
//!
//! The rate, counts, gaps and late frames are as exact as those of single frames. Percentiles
//! are those of classes, at most 0.8 % too high. The latency of single seconds is not kept.

use super::{Percentiles, Second};
use crate::record::long::{LongWindow, Row};
use crate::stats;

/// Frames per second in `[begin, end)`: as [`stats::long_run_fps`].
pub(super) fn fps(long: &LongWindow, window: (u64, u64)) -> f64 {
    stats::counted_fps(long.frames, long.first_us.zip(long.last_us), window)
}

/// The frames of whole seconds. Where rows are longer, their mean.
pub(super) fn seconds(long: &LongWindow, (begin, end): (u64, u64)) -> Vec<Second> {
    let n_rows = usize::try_from(end.saturating_sub(begin) / long.row_us).unwrap_or(usize::MAX);
    let n_seconds = u32::try_from(long.row_us / 1_000_000).unwrap_or(u32::MAX).max(1);
    // No row is kept after the last frame.
    let rows = long.rows.iter().copied().chain(std::iter::repeat(Row::default()));
    rows.take(n_rows).map(|row| Second { frames: row.frames / n_seconds, latency_us: None }).collect()
}

/// Percentiles of known latencies.
pub(super) fn latency_us(long: &LongWindow) -> Option<Percentiles> {
    let at = |percent| Some(u32::try_from(long.latency_us.percentile(percent)?).unwrap_or(u32::MAX));
    Some(Percentiles { p50: at(50)?, p95: at(95)?, p99: at(99)?, max: at(100)? })
}

/// The longest time without a frame, as of single frames.
pub(super) fn longest_gap_us(long: &LongWindow, (begin, end): (u64, u64)) -> (u64, u64) {
    let last = long.last_us.unwrap_or(begin);
    let at_end = end.saturating_sub(last);
    if long.longest_gap_us.1 < at_end { (last - begin, at_end) } else { long.longest_gap_us }
}
