//! The frames in a leaky queue, and those that it must have dropped: pure.

use std::collections::VecDeque;

/// The frames in a leaky queue.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) inside: VecDeque<QueuedFrame>,
    /// Whether the oldest are dropped, not those that come.
    pub(crate) drops_oldest: bool,
}

/// A frame in a queue: its running time, and when it entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueuedFrame {
    pub(crate) time: Option<u64>,
    pub(crate) entered_us: u64,
    pub(crate) is_copy: bool,
}

impl Traffic {
    pub(crate) fn entered(&mut self, frame: QueuedFrame) {
        self.inside.push_back(frame);
    }

    /// Returns the frames that were dropped before the one that leaves.
    pub(crate) fn left(&mut self, time: Option<u64>) -> Vec<QueuedFrame> {
        let older = self.inside.iter().position(|inside| inside.time == time).unwrap_or(0);
        let dropped = self.inside.drain(..older).collect();
        self.inside.pop_front();
        dropped
    }

    /// Returns the frames that must have been dropped when no more than `level` frames are in
    /// the queue. One more may be about to enter and one about to have left, as
    /// each side is one thread and waits for this lock.
    pub(crate) fn stalled(&mut self, level: u32) -> Vec<QueuedFrame> {
        let dropped = self.inside.len().saturating_sub(level as usize + 2);
        self.inside.drain(..if self.drops_oldest { dropped } else { 0 }).collect()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `+3` enters, `-3` leaves; a number is the level to ask about. Shows what was dropped.
    #[track_caller]
    fn check(script: &str, expect: Expect) {
        let mut traffic = Traffic { drops_oldest: true, ..Traffic::default() };
        let mut dropped = Vec::new();
        for word in script.split_ascii_whitespace() {
            let time = |text: &str| Some(text.parse().unwrap());
            if let Some(text) = word.strip_prefix('+') {
                traffic.entered(QueuedFrame { time: time(text), entered_us: 0, is_copy: false });
            } else if let Some(text) = word.strip_prefix('-') {
                dropped.extend(traffic.left(time(text)));
            } else {
                dropped.extend(traffic.stalled(word.parse().unwrap()));
            }
        }
        let dropped: Vec<u64> = dropped.into_iter().filter_map(|frame| frame.time).collect();
        expect.assert_eq(&format!("{dropped:?}, inside {}", traffic.inside.len()));
    }

    #[test]
    fn a_frame_that_leaves_reveals_earlier_drops() {
        check("+1 +2 +3 -1 0 +4 -4 0", expect!["[2, 3], inside 0"]);
    }

    #[test]
    fn the_same_time_again_is_another_frame() {
        check("+1 +2 -1 -2 +1 +2 -2 0", expect!["[1], inside 0"]);
    }

    #[test]
    fn a_stalled_queue_has_dropped_what_it_cannot_hold() {
        check("+1 +2 +3 +4 +5 +6 3 1 0", expect!["[1, 2, 3, 4], inside 2"]);
        check("+1 +2 +3 +4 +5 +6 0 -5 -6", expect!["[1, 2, 3, 4], inside 0"]);
    }
}
