//! The fate of each frame of a stream: pure, so that unit tests can replay events.
//!
//! A frame enters the account when it leaves the decoder and is *underway* until
//! its fate is known: it arrives, a queue or QoS drops it, or a later frame arrives
//! before it, and then a step has *taken it out*. Frames are distinguished by running
//! time, which goes on over loops. Everything between decoder and sink keeps their
//! order, so a frame that arrives settles all older ones.
//!
//! Steps may give frames other times (`videorate`). A frame that arrives is then the
//! last one underway that is not later than it, and there may be none: a frame that arrives
//! without having been underway is *owed*, and the next frame that seems to be taken
//! out pays for it. So counts are right but for the frames that are underway.
//!
//! Each frame counts at the time when it left the decoder, whatever its fate and
//! whenever that becomes known. So the counts of any window are exact:
//! decoded = arrived + dropped + taken out + underway at its end - underway at its begin.

use std::collections::VecDeque;

use lp::worker::protocol::{Fates, STEPS};

use crate::steps::push;

/// Frames underway that are remembered; of more, the oldest are forgotten.
const MAX_UNDERWAY: usize = 1_024;

/// By how much a step may move a frame that is still the same, in nanoseconds:
/// `videorate` computes the times of 15 fps in another way than a muxer.
const SLACK_NS: u64 = 500_000;

/// The frames of one stream, from the decoder to the sink.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// In the order of their running times.
    underway: VecDeque<PendingFrame>,
    fates: Fates,
    totals: Totals,
    owed: u64,
}

/// Frames since the stream started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) decoded: u64,
    pub(crate) played: u64,
    pub(crate) dropped: u64,
    pub(crate) taken_out: u64,
}

/// A frame between decoder and sink.
#[derive(Debug)]
struct PendingFrame {
    /// Running time in nanoseconds.
    time: Option<u64>,
    at_us: u64,
    due: Option<Due>,
    is_damaged: bool,
}

/// When a frame is due, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Running(u64),
    Clock(u64),
}

/// A frame that came to the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A whole frame, and when it was due.
    Whole(Option<Due>),
    /// A damaged one, or a copy.
    Other,
}

impl Account {
    /// A frame has left the decoder.
    pub(crate) fn decoded(&mut self, time: Option<u64>, due: Option<Due>, at_us: u64, is_damaged: bool) {
        if is_damaged {
            self.fates.damaged_us.push(at_us);
        } else {
            self.fates.decoded_us.push(at_us);
            self.totals.decoded += 1;
        }
        self.underway.push_back(PendingFrame { time, at_us, due, is_damaged });
        if MAX_UNDERWAY < self.underway.len() {
            self.underway.pop_front();
        }
    }

    /// A damaged frame was left out before the decoder.
    pub(crate) fn damaged(&mut self, at_us: u64) {
        self.fates.damaged_us.push(at_us);
    }

    /// `place`, a queue, has dropped a frame that entered it at `entered_us`.
    pub(crate) fn dropped(&mut self, place: &str, time: Option<u64>, entered_us: u64) {
        let known = self.not_later(time).checked_sub(1).and_then(|index| self.underway.remove(index));
        match known {
            Some(frame) if frame.is_damaged => {}
            Some(frame) => self.count_dropped(place, frame.at_us),
            None => self.count_dropped(place, entered_us),
        }
    }

    /// An element after the decoder has skipped a frame for QoS.
    pub(crate) fn skipped(&mut self, place: &str, time: Option<u64>, at_us: u64) {
        let index = self.underway.iter().position(|frame| frame.time == time && time.is_some());
        let known = index.and_then(|index| self.underway.remove(index));
        self.count_dropped(place, known.map_or(at_us, |frame| frame.at_us));
    }

    /// A frame that never left the decoder was skipped: by the decoder's QoS, or by what
    /// precedes it.
    pub(crate) fn never_decoded(&mut self, place: &str, at_us: u64) {
        self.fates.decoded_us.push(at_us);
        self.totals.decoded += 1;
        self.count_dropped(place, at_us);
    }

    /// A frame has arrived at the sink.
    pub(crate) fn arrived(&mut self, time: Option<u64>, at_us: u64, is_copy: bool) -> Arrival {
        if is_copy {
            push(&mut self.fates.copied_us, STEPS, at_us);
            return Arrival::Other;
        }
        let settled = match time {
            Some(_) => self.not_later(time),
            None => usize::from(!self.underway.is_empty()),
        };
        for _ in 1..settled {
            self.take_out_oldest();
        }
        let frame = if settled == 0 { None } else { self.underway.pop_front() };
        self.owed += u64::from(frame.is_none());
        let due = frame.as_ref().and_then(|frame| frame.due).or(time.map(Due::Running));
        if frame.is_some_and(|frame| frame.is_damaged) {
            return Arrival::Other;
        }
        self.totals.played += 1;
        Arrival::Whole(due)
    }

    /// EOS has come to the sink, and queues have reported their drops.
    pub(crate) fn finish(&mut self) {
        while !self.underway.is_empty() {
            self.take_out_oldest();
        }
    }

    /// The fates that became known since the last call, and totals since the start.
    pub(crate) fn report(&mut self) -> (Fates, Totals) {
        (std::mem::take(&mut self.fates), self.totals)
    }

    /// How many of those underway a frame of this time settles, itself the last of
    /// them: up to the one of the same time, else those that are not later.
    fn not_later(&self, time: Option<u64>) -> usize {
        let Some(time) = time else { return 0 };
        let same = self.underway.iter().position(|frame| frame.time == Some(time));
        let is_earlier = |frame: &&PendingFrame| frame.time.is_none_or(|earlier| earlier <= time + SLACK_NS);
        same.map_or_else(|| self.underway.iter().take_while(is_earlier).count(), |index| index + 1)
    }

    fn take_out_oldest(&mut self) {
        let Some(frame) = self.underway.pop_front().filter(|frame| !frame.is_damaged) else { return };
        if self.owed > 0 {
            self.owed -= 1;
        } else {
            push(&mut self.fates.taken_out_us, STEPS, frame.at_us);
            self.totals.taken_out += 1;
        }
    }

    fn count_dropped(&mut self, place: &str, at_us: u64) {
        push(&mut self.fates.dropped_us, place, at_us);
        self.totals.dropped += 1;
    }
}

/// Delivered frames that the `videorate` after the source has not let through yet.
#[derive(Debug, Default)]
pub(crate) struct Thinning {
    waiting: VecDeque<(Option<u64>, u64)>,
    /// When those were delivered that it has dropped, since the last report.
    pub(crate) thinned_us: Vec<u64>,
}

impl Thinning {
    /// The source has delivered a frame of this running time.
    pub(crate) fn delivered(&mut self, time: Option<u64>, at_us: u64) {
        self.waiting.push_back((time, at_us));
        if MAX_UNDERWAY < self.waiting.len() {
            self.waiting.pop_front();
        }
    }

    /// EOS has come: frames that wait are dropped.
    pub(crate) fn finish(&mut self) {
        self.thinned_us.extend(self.waiting.drain(..).map(|(_, at_us)| at_us));
    }

    /// A frame has come by; gives the running time of the newest one delivered:
    /// `videorate` holds a frame until the next has come, so it is not due before.
    pub(crate) fn passed(&mut self, time: Option<u64>) -> Option<u64> {
        let is_older = |frame: &&(Option<u64>, u64)| frame.0.is_some() && frame.0 < time;
        let older = self.waiting.iter().take_while(is_older).count();
        self.thinned_us.extend(self.waiting.drain(..older).map(|(_, at_us)| at_us));
        let newest = self.waiting.back().and_then(|(time, _)| *time);
        self.waiting.pop_front();
        newest
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `d3` leaves the decoder, `g3` does so damaged, `q3` is dropped by a queue, `s3` by
    /// QoS, `a3` arrives, `c3` does so as a copy, `eos`. Times are tenths of a second.
    #[track_caller]
    fn check(story: &str, expect: Expect) {
        let mut account = Account::default();
        for word in story.split_ascii_whitespace() {
            let (what, tenths) = word.split_at(1);
            let tenths: u64 = tenths.parse().unwrap_or_default();
            let time = Some(tenths * 100_000_000);
            match what {
                "d" | "g" => account.decoded(time, None, tenths, what == "g"),
                "q" => account.dropped("queue", time, 99),
                "s" => account.skipped("qos:saw", time, 99),
                "a" | "c" => drop(account.arrived(time, tenths, what == "c")),
                _ => account.finish(),
            }
        }
        let (fates, totals) = account.report();
        let Totals { decoded, played, dropped, taken_out } = totals;
        expect.assert_eq(&format!(
            "{decoded} decoded, {played} played, dropped {dropped} {:?}, taken out {taken_out} {:?}, damaged {:?}, copies {:?}, {} underway",
            fates.dropped_us, fates.taken_out_us, fates.damaged_us, fates.copied_us, account.underway.len(),
        ));
    }

    #[test]
    fn a_frame_counts_at_its_decoding_time() {
        check(
            "d1 d2 d3 d4 a1 q2 a4 d5 d6 s5",
            expect![[
                r#"6 decoded, 2 played, dropped 2 {"qos:saw": [5], "queue": [2]}, taken out 1 {"steps": [3]}, damaged [], copies {}, 1 underway"#
            ]],
        );
    }

    #[test]
    fn frames_left_at_eos_were_taken_out() {
        check(
            "d1 d2 d3 a1 eos",
            expect![[
                r#"3 decoded, 1 played, dropped 0 {}, taken out 2 {"steps": [2, 3]}, damaged [], copies {}, 0 underway"#
            ]],
        );
    }

    #[test]
    fn damaged_frames_and_copies_are_separate() {
        check(
            "g1 g2 g3 d4 a1 q2 a4 c5 c6 d7 a7",
            expect![[
                r#"2 decoded, 2 played, dropped 0 {}, taken out 0 {}, damaged [1, 2, 3], copies {"steps": [5, 6]}, 0 underway"#
            ]],
        );
    }

    #[test]
    fn frames_with_other_times_are_counted_all_the_same() {
        // Half of them, 20 ms and more before their time; then one that lags.
        check(
            "d1 d2 d3 d4 a3 d5 d6 a5 d7 a6",
            expect![[
                r#"7 decoded, 3 played, dropped 0 {}, taken out 3 {"steps": [1, 2, 4]}, damaged [], copies {}, 1 underway"#
            ]],
        );
        // One comes before it was seen, and pays when it seems to be missing.
        check(
            "a1 d2 d3 a3 eos",
            expect!["2 decoded, 2 played, dropped 0 {}, taken out 0 {}, damaged [], copies {}, 0 underway"],
        );
    }

    #[test]
    fn frames_a_nanosecond_apart_are_two() {
        // As an offset within a frame gives them.
        let mut account = Account::default();
        account.decoded(Some(0), None, 1, false);
        account.decoded(Some(1), None, 2, false);
        account.arrived(Some(0), 3, false);
        account.arrived(Some(1), 4, false);
        let (fates, totals) = account.report();
        assert_eq!((totals.played, fates.taken_out_us.len(), account.owed), (2, 0, 0));
    }

    #[test]
    fn a_frame_is_due_when_the_next_has_come_if_it_waits_for_it() {
        let mut thinning = Thinning::default();
        for n in 0..4 {
            thinning.delivered(Some(n * 33), n);
        }
        assert_eq!(thinning.passed(Some(0)), Some(99));
        assert_eq!(thinning.passed(Some(66)), Some(99));
        assert_eq!((thinning.passed(Some(99)), thinning.thinned_us.as_slice()), (Some(99), &[1][..]));
    }
}
