//! The part of a window that a stream is judged by: all of it, unless seconds are left out.

use crate::record::StreamRecord;
use crate::stats;

/// Parts of a window in ascending order, each `[begin, end)` in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    window: (u64, u64),
    spans: Vec<(u64, u64)>,
}

impl Kept {
    pub(super) fn whole(window: (u64, u64)) -> Kept {
        Kept { window, spans: vec![window] }
    }

    /// `window` without these parts of it, which are in ascending order.
    pub(super) fn without(window: (u64, u64), left_out: &[(u64, u64)]) -> Kept {
        let (mut from, mut spans) = (window.0, Vec::new());
        for (begin, end) in left_out {
            if from < *begin {
                spans.push((from, (*begin).min(window.1)));
            }
            from = from.max(*end);
        }
        if from < window.1 {
            spans.push((from, window.1));
        }
        Kept { window, spans }
    }

    pub(super) fn window(&self) -> (u64, u64) {
        self.window
    }

    pub(super) fn length_us(&self) -> u64 {
        self.spans.iter().map(|(begin, end)| end.saturating_sub(*begin)).sum()
    }

    /// Whether a moment is in it. One outside the window belongs to its nearer end.
    pub(super) fn has(&self, at_us: i64) -> bool {
        let at_us = u64::try_from(at_us).unwrap_or(0);
        let at_us = at_us.clamp(self.window.0, self.window.1.saturating_sub(1).max(self.window.0));
        self.spans.iter().any(|(begin, end)| (*begin..*end).contains(&at_us))
    }

    /// Frames of a stream that arrived in it.
    pub(super) fn n_frames(&self, stream: &StreamRecord) -> u64 {
        match &stream.long {
            // Its rows cannot be cut.
            Some(long) => long.frames,
            None => self.spans.iter().map(|span| within(&stream.arrived_us, *span).len() as u64).sum(),
        }
    }

    /// Frames that left the decoder in it and were dropped; all of them where their times
    /// are not known.
    pub(super) fn n_dropped(&self, stream: &StreamRecord) -> u64 {
        if stream.dropped_us.len() as u64 != stream.dropped {
            return stream.dropped;
        }
        self.spans.iter().map(|span| within(&stream.dropped_us, *span).len() as u64).sum()
    }

    /// The long-run rate of frames in it: over several spans, the mean of theirs by length.
    pub(super) fn fps(&self, stream: &StreamRecord) -> f64 {
        if stream.long.is_some() {
            return stats::counted_fps(stream.n_frames(), stream.ends_us(), self.window);
        }
        let weighed = |span: &(u64, u64)| {
            let frames = within(&stream.arrived_us, *span);
            stats::long_run_fps(frames, *span) * span.1.saturating_sub(span.0) as f64
        };
        self.spans.iter().map(weighed).sum::<f64>() / self.length_us().max(1) as f64
    }
}

/// The times of a span, of times in ascending order.
fn within(times_us: &[u64], (begin, end): (u64, u64)) -> &[u64] {
    let index = |at: u64| times_us.partition_point(|one| *one < at);
    &times_us[index(begin)..index(end).max(index(begin))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::fixture::six_cameras;

    /// A stream with these frames.
    fn stream(arrived_us: &[u64], dropped_us: &[u64]) -> StreamRecord {
        let stream = six_cameras().members.remove(0).streams.remove(0);
        let (arrived_us, dropped_us) = (arrived_us.to_vec(), dropped_us.to_vec());
        StreamRecord { dropped: dropped_us.len() as u64, arrived_us, dropped_us, ..stream }
    }

    #[test]
    fn what_is_left_out_splits_the_window() {
        let kept = Kept::without((10, 100), &[(0, 20), (40, 50), (45, 60), (90, 120)]);
        assert_eq!(kept.spans, [(20, 40), (60, 90)]);
        assert_eq!(kept.length_us(), 50);
        let inside = [0, 19, 20, 39, 40, 59, 60, 89, 90, 500].map(|at| kept.has(at));
        assert_eq!(inside, [false, false, true, true, false, false, true, true, false, false]);
        assert!(Kept::whole((10, 100)).has(0) && Kept::whole((10, 100)).has(100));
        assert_eq!(Kept::without((10, 100), &[]), Kept::whole((10, 100)));
        assert_eq!(Kept::without((10, 100), &[(0, 200)]).spans, []);
    }

    #[test]
    fn the_rate_is_that_of_what_is_kept() {
        // 10 fps, but nothing for two seconds.
        let arrived: Vec<u64> =
            (0..100).map(|n| n * 100_000).filter(|at| !(4_000_000..6_000_000).contains(at)).collect();
        let window = (0, 10_000_000);
        let arrived = stream(&arrived, &[3_900_000, 4_000_000, 5_999_999, 6_000_000]);
        assert!(Kept::whole(window).fps(&arrived) < 8.2);
        let kept = Kept::without(window, &[(4_000_000, 6_000_000)]);
        assert!((kept.fps(&arrived) - 10.0).abs() < 1e-9);
        assert_eq!((kept.n_frames(&arrived), kept.length_us()), (80, 8_000_000));
        assert_eq!((kept.n_dropped(&arrived), Kept::whole(window).n_dropped(&arrived)), (2, 4));
        let untimed = StreamRecord { dropped: 5, ..arrived };
        assert_eq!(kept.n_dropped(&untimed), 5);
    }
}
