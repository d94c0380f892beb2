//! The frames of an RTP stream, which of them lack packets, and when each of them is due.
//!
//! Packets have numbers, and come over one connection in their order: a gap in the
//! numbers is packets that were lost before, whose frames decoders often conceal
//! without flagging them.
//!
//! A frame is due by its RTP timestamp, which is of the camera's clock
//! ([`camera_clock`](crate::camera_clock)). The running time that `rtpjitterbuffer` gives to
//! frames would not do: after a pause of a second it restarts, and calls late frames punctual
//! and the frames after them early (measured: frames that came a second late, then 0.75 s
//! "early").
//!
//! Frames are marked with their ticks after the depayloader, as a decoder may give a frame another
//! running time than it came with ([`mark`](crate::mark)). One without a mark is the one of its
//! running time, or else the next one in order.

use std::collections::VecDeque;

use lp::worker::protocol::Packets;

use crate::camera_clock::CameraClock;

/// The last timestamps that are remembered: the packets of a frame have one, and
/// frames that refer to later ones come in another order.
const TIMES: usize = 16;

/// Ticks a second of the timestamps of all video (RFC 3551).
const RATE: i64 = 90_000;

/// A timestamp that is further ahead of the newest one belongs to another time line, and so does
/// one that is further behind: frames that refer to later ones are behind by some periods only.
const MAX_JUMP: i64 = 60 * RATE;
const MAX_BACK: i64 = RATE;

/// Between two time lines.
const APART: i64 = RATE;

/// A frame that comes earlier than the fastest one by more has a timestamp that jumped ahead.
const MAX_EARLY_NS: i64 = 1_000_000_000;

/// A packet whose number is further ahead belongs to a stream that restarted, and one
/// that is no further behind came late (RFC 3550, A.1: MAX_DROPOUT, MAX_MISORDER).
const MAX_LOST: u16 = 3_000;
const MAX_BEHIND: u16 = 100;

/// Frames between jitterbuffer and decoder that are remembered.
const MAX_DECODING: usize = 1_024;

#[derive(Debug, Default)]
pub(crate) struct Rtp {
    /// The source that is played, once it is known: a server may send others.
    pub(crate) ssrc: Option<u32>,
    times: VecDeque<u32>,
    /// Source and number of the newest packet.
    last: Option<(u32, u16)>,
    /// Which of the numbers up to the newest have come: the lowest bit is the newest.
    recent: u128,
    /// Of the stream that is played; `lost` and `late` are the jitterbuffer's to count.
    pub(crate) packets: Packets,
    /// The timestamp of the newest frame that is known to lack packets.
    incomplete: Option<u32>,
    /// The newest timestamp, and its ticks since the first.
    newest: Option<(u32, i64)>,
    /// Whether the next timestamp begins another time line.
    is_restarted: bool,
    /// Of the first timestamp, the camera's time is 0.
    clock: CameraClock,
    /// Frames that have left the jitterbuffer and not yet the decoder: running time
    /// and ticks.
    decoding: VecDeque<(Option<u64>, i64)>,
    /// How long the jitterbuffer waits for a frame, in nanoseconds.
    pub(crate) latency_ns: i64,
    /// Frames that came and have not left the depayloader.
    waiting: VecDeque<Waiting>,
    /// When frames came that a later one has overtaken, and why.
    overtaken: Vec<(u64, Stay)>,
    /// Whether the newest packet came once more.
    is_repeated: bool,
}

/// A frame in the jitterbuffer.
#[derive(Debug)]
struct Waiting {
    time: u32,
    ticks: i64,
    /// As the jitterbuffer gives it to those of its packets that leave it.
    running_time: Option<u64>,
    came_us: u64,
    /// Later than the jitterbuffer waits.
    is_late: bool,
    n_packets: u32,
    /// Those that have left the jitterbuffer.
    n_left: u32,
}

/// Why a frame does not leave the depayloader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stay {
    /// The jitterbuffer has dropped packets of it that came in time.
    Dropped,
    /// It came too late for the jitterbuffer.
    Late,
    /// All that came of it has passed the jitterbuffer: packets of it were lost before, or the
    /// decoder's parameters are not known yet.
    Unusable,
}

impl Waiting {
    fn stays(self) -> (u64, Stay) {
        let why = match () {
            () if self.is_late => Stay::Late,
            () if self.n_left < self.n_packets => Stay::Dropped,
            () => Stay::Unusable,
        };
        (self.came_us, why)
    }
}

impl Rtp {
    /// A packet came from the network; whether it is the first of a frame.
    pub(crate) fn came(&mut self, packet: [u8; 12], at_ns: u64) -> bool {
        let Some(time) = self.time_of(packet) else { return false };
        if self.times.contains(&time) {
            let frame = self.waiting.iter_mut().rev().find(|frame| frame.time == time);
            if let Some(frame) = frame.filter(|_| !self.is_repeated) {
                frame.n_packets += 1;
            }
            return false;
        }
        self.times.push_back(time);
        if TIMES < self.times.len() {
            self.times.pop_front();
        }
        let ticks = self.ticks(time);
        if self.clock.early_ns(at_ns, nanoseconds(ticks)) > MAX_EARLY_NS {
            self.clock.restart();
        }
        let is_late = self.latency_ns < self.clock.came(at_ns, nanoseconds(ticks));
        self.waiting.push_back(Waiting {
            time,
            ticks,
            running_time: None,
            came_us: at_ns / 1_000,
            is_late,
            n_packets: 1,
            n_left: 0,
        });
        if MAX_DECODING < self.waiting.len() {
            self.waiting.pop_front();
        }
        true
    }

    /// Whether this packet, which came from the network, is the first to show that a frame
    /// lacks packets: that it is part of, or that came just before it.
    pub(crate) fn shows_loss(&mut self, packet: [u8; 12]) -> bool {
        let Some(time) = self.time_of(packet) else { return false };
        let [.., s0, s1, s2, s3] = packet;
        let (source, number) = (u32::from_be_bytes([s0, s1, s2, s3]), number_of(packet));
        let before = self.last.filter(|(other, _)| *other == source);
        let ahead = before.map_or(1, |(_, last)| number.wrapping_sub(last));
        if before.is_some() && (ahead == 0 || u16::MAX - MAX_BEHIND < ahead) {
            self.count_again(ahead.wrapping_neg());
            return false;
        }
        self.packets.received += 1;
        self.is_repeated = false;
        let is_next = before.is_some() && u32::from(ahead) < u128::BITS;
        self.recent = if is_next { self.recent << ahead } else { 0 } | 1;
        self.last = Some((source, number));
        let is_new = self.incomplete != Some(time);
        let shows = (2..=MAX_LOST).contains(&ahead) && is_new;
        if shows {
            self.incomplete = Some(time);
        }
        shows
    }

    /// A packet came whose number is so far behind the newest: late, or once more.
    fn count_again(&mut self, behind: u16) {
        let bit = 1_u128 << behind;
        self.is_repeated = self.recent & bit != 0;
        if self.is_repeated {
            self.packets.duplicates += 1;
        } else {
            self.packets.received += 1;
            self.packets.reordered += 1;
        }
        self.recent |= bit;
    }

    /// A packet has left the jitterbuffer with this running time.
    pub(crate) fn left_buffer(&mut self, packet: [u8; 12], running_time: Option<u64>) {
        let Some(time) = self.time_of(packet) else { return };
        let Some(frame) = self.waiting.iter_mut().rev().find(|frame| frame.time == time) else { return };
        frame.running_time = running_time;
        frame.n_left += 1;
        let ticks = frame.ticks;
        if self.decoding.back().is_none_or(|(_, last)| *last != ticks) {
            self.decoding.push_back((running_time, ticks));
            if MAX_DECODING < self.decoding.len() {
                self.decoding.pop_front();
            }
        }
    }

    /// The depayloader has nothing more to give.
    pub(crate) fn emptied(&mut self) {
        self.overtaken.extend(self.waiting.drain(..).map(Waiting::stays));
    }

    /// A frame has left the depayloader, which leaves out those that the jitterbuffer has
    /// dropped, also in part. It keeps the order in which they came.
    /// Its ticks, by which it can be marked.
    pub(crate) fn left_depayloader(&mut self, running_time: Option<u64>) -> Option<i64> {
        let is_it = |frame: &Waiting| frame.running_time.is_some() && frame.running_time == running_time;
        let index = self.waiting.iter().position(is_it)?;
        self.overtaken.extend(self.waiting.drain(..index).map(Waiting::stays));
        self.waiting.pop_front().map(|frame| frame.ticks)
    }

    /// When frames came that have not left the depayloader, while a later one has, and why. Each
    /// frame once.
    pub(crate) fn not_passed(&mut self) -> Vec<(u64, Stay)> {
        std::mem::take(&mut self.overtaken)
    }

    /// A frame has left the decoder; when it was due, in nanoseconds of CLOCK_MONOTONIC.
    pub(crate) fn decoded(&mut self, running_time: Option<u64>, mark: Option<i64>) -> Option<u64> {
        let known = || self.decoding.iter().find(|(time, _)| time.is_some() && *time == running_time);
        let next = || self.decoding.iter().min_by_key(|(_, ticks)| *ticks);
        let ticks = mark.or_else(|| known().or_else(next).map(|(_, ticks)| *ticks))?;
        // They leave it in the order in which they are shown: earlier ones are lost.
        self.decoding.retain(|(_, other)| ticks < *other);
        self.clock.due_ns(nanoseconds(ticks))
    }

    /// By how many millionths the camera's clock is faster than ours, if that could be told.
    pub(crate) fn drift_ppm(&self) -> Option<f64> {
        self.clock.drift_ppm()
    }

    /// Whether a packet is of the stream that is played, as far as that is known.
    pub(crate) fn is_played(&self, packet: [u8; 12]) -> bool {
        self.ssrc.is_some() && self.time_of(packet).is_some()
    }

    /// The connection was lost: the next one has timestamps and numbers of its own.
    pub(crate) fn restart(&mut self) {
        self.waiting.clear();
        self.times.clear();
        (self.ssrc, self.last, self.incomplete) = (None, None, None);
        self.is_restarted = true;
        self.clock.restart();
    }

    /// The timestamp of a packet of the stream that is played.
    fn time_of(&self, packet: [u8; 12]) -> Option<u32> {
        let [_, _, _, _, t0, t1, t2, t3, s0, s1, s2, s3] = packet;
        let ssrc = u32::from_be_bytes([s0, s1, s2, s3]);
        self.ssrc.is_none_or(|played| played == ssrc).then_some(u32::from_be_bytes([t0, t1, t2, t3]))
    }

    /// Ticks since the first timestamp, which wraps around after 13 hours.
    fn ticks(&mut self, time: u32) -> i64 {
        let (newest, ticks) = *self.newest.get_or_insert((time, 0));
        let jump = i64::from(time.wrapping_sub(newest).cast_signed());
        if std::mem::take(&mut self.is_restarted) || !(-MAX_BACK..=MAX_JUMP).contains(&jump) {
            self.clock.restart();
            self.newest = Some((time, ticks + APART));
            return ticks + APART;
        }
        if jump > 0 {
            self.newest = Some((time, ticks + jump));
        }
        ticks + jump
    }
}

fn number_of([_, _, n0, n1, ..]: [u8; 12]) -> u16 {
    u16::from_be_bytes([n0, n1])
}

fn nanoseconds(ticks: i64) -> i64 {
    ticks * 100_000 / 9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time: u32, ssrc: u8) -> [u8; 12] {
        let [t0, t1, t2, t3] = time.to_be_bytes();
        [0x80, 96, 0, 0, t0, t1, t2, t3, 0, 0, 0, ssrc]
    }

    #[test]
    fn packets_of_one_time_are_a_frame_in_any_order() {
        let mut rtp = Rtp::default();
        let frames = |rtp: &mut Rtp, times: &[u32], ssrc: u8| {
            times.iter().filter(|time| rtp.came(packet(**time, ssrc), 1)).count()
        };
        // The third and fourth frame are sent before the second, which refers to them.
        assert_eq!(frames(&mut rtp, &[1, 1, 1, 3, 3, 2, 4, 3], 7), 4);
        rtp.ssrc = Some(7);
        assert_eq!(frames(&mut rtp, &[5, 6], 8), 0);
        assert_eq!(frames(&mut rtp, &[5, 6], 7), 2);
    }

    #[test]
    fn packets_are_counted_once_each() {
        let mut rtp = Rtp::default();
        for (number, ssrc) in
            [(65_534_u16, 7), (65_535, 7), (1, 7), (0, 7), (0, 7), (65_535, 7), (1, 7), (200, 7)]
        {
            let mut packet = packet(1, ssrc);
            packet[2..4].copy_from_slice(&number.to_be_bytes());
            rtp.shows_loss(packet);
        }
        let Packets { received, duplicates, reordered, .. } = rtp.packets;
        assert_eq!((received, duplicates, reordered), (5, 3, 1));
    }

    /// How many frames lack packets where packets of these numbers come, each with the
    /// timestamp beside it.
    fn n_incomplete(packets: &[(u16, u32, u8)]) -> usize {
        let mut rtp = Rtp::default();
        let numbered = |(number, time, ssrc): &(u16, u32, u8)| {
            let mut packet = packet(*time, *ssrc);
            packet[2..4].copy_from_slice(&number.to_be_bytes());
            packet
        };
        packets.iter().filter(|one| rtp.shows_loss(numbered(one))).count()
    }

    #[test]
    fn a_gap_in_the_numbers_is_a_frame_that_lacks_packets() {
        // Numbers wrap around; one may come twice, or late.
        assert_eq!(n_incomplete(&[(65_534, 1, 7), (65_535, 1, 7), (0, 2, 7), (0, 2, 7), (1, 2, 7)]), 0);
        assert_eq!(n_incomplete(&[(5, 1, 7), (6, 1, 7), (4, 1, 7), (7, 2, 7)]), 0);
        // Two gaps in one frame, and one across the border of the numbers.
        assert_eq!(n_incomplete(&[(5, 1, 7), (7, 1, 7), (9, 1, 7), (10, 2, 7)]), 1);
        assert_eq!(n_incomplete(&[(65_535, 1, 7), (1, 2, 7), (4, 3, 7)]), 2);
        // The camera begins anew, with another source or with another number.
        assert_eq!(n_incomplete(&[(5, 1, 7), (900, 9, 8), (901, 9, 8)]), 0);
        assert_eq!(n_incomplete(&[(5, 1, 7), (9_000, 9, 7), (9_001, 9, 7), (100, 10, 7)]), 0);
    }

    #[test]
    fn frames_that_do_not_leave_the_depayloader_were_dropped() {
        let mut rtp = Rtp { latency_ns: 500_000_000, ..Rtp::default() };
        // The fifth frame of 10 fps comes a second late.
        for frame in 0..9 {
            let came_ms = 5_000 + frame * 100 + if frame == 5 { 1_000 } else { 0 };
            let packet = packet(u32::try_from(frame).unwrap() * 9_000, 7);
            assert!(rtp.came(packet, came_ms * 1_000_000));
            assert!(!rtp.came(packet, came_ms * 1_000_000));
            // Nothing of 2 leaves the jitterbuffer, and not all of 3; the depayloader keeps 6.
            let n_left = if frame == 2 {
                0
            } else if frame == 3 {
                1
            } else {
                2
            };
            for _ in 0..n_left {
                rtp.left_buffer(packet, Some(frame));
            }
            if ![2, 3, 5, 6, 8].contains(&frame) {
                rtp.left_depayloader(Some(frame));
            }
        }
        assert_eq!(
            rtp.not_passed(),
            [
                (5_200_000, Stay::Dropped),
                (5_300_000, Stay::Dropped),
                (6_500_000, Stay::Late),
                (5_600_000, Stay::Unusable)
            ]
        );
        assert_eq!(rtp.not_passed(), []);
        rtp.emptied();
        assert_eq!(rtp.not_passed(), [(5_800_000, Stay::Unusable)]);
    }

    /// Frames of 10 fps that come so many milliseconds after the first, or late; the
    /// jitterbuffer gives them odd times from the second on. How late each was when it came.
    fn lateness(first: u32, came_ms: &[u64]) -> Vec<i64> {
        let mut rtp = Rtp::default();
        let mut late = Vec::new();
        for (n, came_ms) in (0..).zip(came_ms) {
            let time = first.wrapping_add(n * 9_000);
            let at_ns = 5_000_000_000 + came_ms * 1_000_000;
            assert!(rtp.came(packet(time, 7), at_ns));
            rtp.left_buffer(packet(time, 7), Some(u64::from(n)));
            rtp.left_buffer(packet(time, 7), Some(u64::from(n)));
            let due = rtp.decoded(Some(if n < 2 { u64::from(n) } else { 99 }), None).unwrap();
            late.push((at_ns.cast_signed() - due.cast_signed()) / 1_000_000);
        }
        late
    }

    #[test]
    fn a_frame_is_due_by_the_fastest_of_the_last_minute() {
        // Held back for a second, then all at once.
        assert_eq!(
            lateness(0, &[0, 100, 1_200, 1_200, 1_200, 1_200, 1_200, 1_200]),
            [0, 0, 1_000, 900, 800, 700, 600, 500]
        );
        // Frames are not early: the first was late. Timestamps wrap around.
        assert_eq!(lateness(u32::MAX - 9_000, &[50, 100, 200, 330]), [0, 0, 0, 30]);
    }

    /// How late frames are that come every 100 ms with these timestamps in milliseconds.
    fn lateness_of(times_ms: &[i64]) -> Vec<i64> {
        let mut rtp = Rtp::default();
        let mut late = Vec::new();
        for (n, time_ms) in (0..).zip(times_ms) {
            let packet = packet((1_000_000_000 + time_ms * 90) as u32, 7);
            let at_ns = 5_000_000_000 + n * 100_000_000;
            assert!(rtp.came(packet, at_ns), "{time_ms}");
            rtp.left_buffer(packet, Some(n));
            late.push((at_ns.cast_signed() - rtp.decoded(Some(n), None).unwrap().cast_signed()) / 1_000_000);
        }
        late
    }

    #[test]
    fn timestamps_that_jump_make_no_frame_late() {
        // Back by 5 s, by an hour, ahead by 5 s, by an hour; and a pause that the camera sees.
        for jump_ms in [-5_000, -3_600_000, 5_000, 3_600_000] {
            let times = [0, 100, 200, 300 + jump_ms, 400 + jump_ms, 500 + jump_ms];
            assert_eq!(lateness_of(&times), [0; 6], "{jump_ms}");
        }
    }

    #[test]
    fn a_marked_frame_is_known_whatever_its_running_time() {
        let mut rtp = Rtp::default();
        // In the order of sending; the jitterbuffer gives the third a time before the second.
        let sent = [(0, 0), (4, 40), (2, 15), (1, 20), (3, 30)];
        let marks: Vec<i64> = (0..)
            .zip(sent)
            .map(|(n, (frame, time))| {
                let packet = packet(1_000 + frame * 9_000, 7);
                assert!(rtp.came(packet, 1_000_000_000 + n * 100_000_000));
                rtp.left_buffer(packet, Some(time));
                rtp.left_depayloader(Some(time)).unwrap()
            })
            .collect();
        // The fastest is the second, which came 0.3 s before it is shown.
        let mut due_ms = |sent: usize, time| rtp.decoded(Some(time), Some(marks[sent])).unwrap() / 1_000_000;
        assert_eq!([due_ms(0, 0), due_ms(3, 15), due_ms(2, 20), due_ms(4, 30)], [700, 800, 900, 1_000]);
    }

    #[test]
    fn a_new_connection_is_another_time_line() {
        let mut rtp = Rtp { ssrc: Some(7), ..Rtp::default() };
        let mut frame = |time: u32, ssrc: u8, at_ms: u64| {
            if ssrc == 8 && rtp.ssrc == Some(7) {
                rtp.restart();
            }
            assert!(rtp.came(packet(time, ssrc), at_ms * 1_000_000));
            rtp.left_buffer(packet(time, ssrc), Some(at_ms));
            rtp.decoded(Some(at_ms), None).unwrap() / 1_000_000
        };
        assert_eq!([frame(90_000, 7, 1_000), frame(99_000, 7, 1_100)], [1_000, 1_100]);
        // The clock of the camera is the same, and the way is 2 s longer.
        assert_eq!([frame(99_000, 8, 3_100), frame(108_000, 8, 3_200)], [3_100, 3_200]);
    }

    #[test]
    fn a_clock_that_drifts_more_than_clocks_do_is_followed() {
        // 1 ms in a second slower than ours: after ten minutes as late as in a minute.
        let came: Vec<u64> = (0..6_000).map(|n| n * 100 + n / 10).collect();
        let late = lateness(0, &came);
        assert!(late.iter().all(|late| (0..=60).contains(late)), "{:?}", late.iter().max());
    }
}
