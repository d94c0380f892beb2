//! The frames of a window while it is measured: every frame up to an hour, in twelve bytes;
//! then a [`LongWindow`].

use crate::record::long::{Frame, HOUR_US, LongWindow};
use crate::stats;

/// Frames in the order of their arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct FrameLog {
    /// Since the begin of the window, which an hour allows.
    arrived: Vec<u32>,
    /// [`NO_LATENCY`] if unknown.
    latency: Vec<u32>,
    /// [`NO_LATENESS`] if unknown.
    late: Vec<i32>,
    /// When frames left the decoder that were dropped.
    dropped_us: Vec<u64>,
    begin_us: u64,
    period_us: u64,
    /// Frames whose lateness is known, and those of them that came more than a period after
    /// the delay.
    n_due: u64,
    n_late: u64,
    /// The constant delay of the stream, once it is known.
    pub(super) delay_us: Option<i64>,
    long: Option<LongWindow>,
}

const NO_LATENCY: u32 = u32::MAX;
const NO_LATENESS: i32 = i32::MIN;

impl FrameLog {
    /// Of a stream whose frames come in this period.
    pub(super) fn new(period_us: u64) -> FrameLog {
        FrameLog { period_us, ..FrameLog::default() }
    }

    /// Takes in a frame of the window that begins at `begin_us`.
    pub(super) fn add(&mut self, begin_us: u64, frame: Frame) {
        self.begin_us = begin_us;
        if let Some(late_us) = frame.late_us {
            let beyond = late_us.saturating_sub(self.delay_us.unwrap_or(0));
            self.n_due += 1;
            self.n_late += u64::from(i64::try_from(self.period_us).is_ok_and(|period| period < beyond));
        }
        if let Some(long) = &mut self.long {
            return long.add(frame);
        }
        let since = frame.arrived_us.saturating_sub(begin_us);
        match u32::try_from(since).ok().filter(|since| u64::from(*since) < HOUR_US) {
            Some(since) => {
                self.arrived.push(since);
                self.latency.push(frame.latency_us.unwrap_or(NO_LATENCY));
                let least = NO_LATENESS + 1;
                let late = |us: i64| i32::try_from(us).unwrap_or(if us < 0 { least } else { i32::MAX });
                self.late.push(frame.late_us.map_or(NO_LATENESS, late));
            }
            None => self.lengthen().add(frame),
        }
    }

    /// Takes in that a frame of the window was dropped that left the decoder then.
    pub(super) fn add_dropped(&mut self, at_us: u64) {
        match &mut self.long {
            Some(long) => long.add_dropped(at_us),
            None => self.dropped_us.push(at_us),
        }
    }

    /// From here on, rows are kept.
    fn lengthen(&mut self) -> &mut LongWindow {
        let delay_us = self.delay_us.unwrap_or_else(|| self.usual_us());
        let mut long = LongWindow::new(self.begin_us, self.period_us, delay_us);
        self.frames().for_each(|frame| long.add(frame));
        self.dropped_us.iter().for_each(|at_us| long.add_dropped(*at_us));
        (self.arrived, self.latency, self.late, self.dropped_us) = Default::default();
        self.long.insert(long)
    }

    /// The median lateness of the first second.
    fn usual_us(&self) -> i64 {
        let first = self.arrived.partition_point(|since| *since < 1_000_000);
        let mut late: Vec<i32> =
            self.late[..first].iter().filter(|us| **us != NO_LATENESS).copied().collect();
        late.sort_unstable();
        stats::percentile(&late, 50).map_or(0, i64::from)
    }

    fn frames(&self) -> impl Iterator<Item = Frame> + '_ {
        (0..self.arrived.len()).map(|index| self.frame(index))
    }

    fn frame(&self, index: usize) -> Frame {
        Frame {
            arrived_us: self.begin_us + u64::from(self.arrived[index]),
            latency_us: Some(self.latency[index]).filter(|us| *us != NO_LATENCY),
            late_us: Some(self.late[index]).filter(|us| *us != NO_LATENESS).map(i64::from),
        }
    }

    /// Frames that arrived so far.
    pub(super) fn n_frames(&self) -> u64 {
        self.long.as_ref().map_or(self.arrived.len() as u64, |long| long.frames)
    }

    /// The frames since a moment, of a long window those of its last whole second, and their
    /// known latencies in ascending order, of which a long window has none.
    pub(super) fn newest(&self, from_us: u64) -> (usize, Vec<u32>) {
        if let Some(long) = &self.long {
            let is_silent = long.last_us.is_none_or(|last| last < from_us);
            let row = long.rows.iter().rev().nth(1).filter(|_| !is_silent);
            let n = row.map_or(0, |row| u64::from(row.frames) * 1_000_000 / long.row_us);
            return (usize::try_from(n).unwrap_or(usize::MAX), Vec::new());
        }
        let since = from_us.saturating_sub(self.begin_us);
        let from = self.arrived.partition_point(|at| u64::from(*at) < since);
        let mut latencies: Vec<u32> =
            self.latency[from..].iter().filter(|us| **us != NO_LATENCY).copied().collect();
        latencies.sort_unstable();
        (self.arrived.len() - from, latencies)
    }

    /// The share of frames so far that came at most a period after the delay, where so many
    /// more never came; `None` if nothing was due.
    pub(super) fn on_time(&self, n_dropped: u64) -> Option<f64> {
        let n = self.n_due + n_dropped;
        (self.n_due > 0).then(|| (self.n_due - self.n_late) as f64 / n as f64)
    }

    /// The frames of each of the last whole seconds before a moment, at most `n`; of a long
    /// window none.
    pub(super) fn seconds(&self, until_us: u64, n: u64) -> Vec<u32> {
        let until = until_us.saturating_sub(self.begin_us);
        let n = n.min(until / 1_000_000).min(u64::from(self.long.is_none()) * n);
        let index = |at: u64| self.arrived.partition_point(|one| u64::from(*one) < at);
        let count = |back: u64| {
            let from = until - back * 1_000_000;
            u32::try_from(index(from + 1_000_000) - index(from)).unwrap_or(u32::MAX)
        };
        (1..=n).rev().map(count).collect()
    }

    /// The first frame at or after the end of a window that was cut.
    pub(super) fn beyond(&self, end_us: u64) -> Option<Frame> {
        self.frames().find(|frame| end_us <= frame.arrived_us)
    }

    /// All frames before the end of the window, and when those left the decoder that were
    /// dropped; or the rows of a long one.
    pub(super) fn finish(mut self, end_us: u64) -> (Vec<Frame>, Vec<u64>, Option<LongWindow>) {
        let frames = self.frames().take_while(|frame| frame.arrived_us < end_us).collect();
        self.dropped_us.sort_unstable();
        (frames, self.dropped_us, self.long)
    }
}
