//! One direction of a stream through an impaired network: packets come, and leave later or never.
//!
//! In this order: a packet waits until the link is free, is sent at the rate, is lost or not, and
//! takes its delay. Delay and jitter never change the order of packets; reordering does that alone,
//! and by one place, so that the seed decides it and not the moment.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use super::{Impairment, Passage};

/// How long packets may wait for a link of limited rate, in nanoseconds. As routers do, it drops what
/// would wait longer.
const MOST_QUEUED_NS: u64 = 500_000_000;

/// So many packets wait for their delay before a sender in TCP has to wait.
const MOST_WAITING: usize = 65_536;

/// How long a packet waits for the one that is to overtake it, in nanoseconds.
const OVERTAKING_NS: u64 = 100_000_000;

/// What carries a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// UDP: packets that do not fit into the queue are dropped.
    Packets,
    /// TCP: the sender waits, and nothing is lost.
    Bytes,
}

/// A direction of one stream. Times are nanoseconds of any clock that does not go back.
#[derive(Debug)]
pub struct Link<P> {
    impairment: Impairment,
    stream: String,
    carrier: Carrier,
    /// From then on it is free.
    free_ns: u64,
    /// No packet leaves before the one that came before it.
    last_ns: u64,
    /// The frame of the last packet, and by how much its packets are faster or slower.
    frame: (Option<u32>, i64),
    queue: VecDeque<Waiting<P>>,
    overtaken: Option<Waiting<P>>,
    passage: Passage,
    /// The number of what is no packet of RTP.
    n_others: u64,
}

#[derive(Debug)]
struct Waiting<P> {
    came_ns: u64,
    leaves_ns: u64,
    is_counted: bool,
    packet: P,
}

impl<P> Link<P> {
    /// A link of this stream that has passed so many packets already: the next one has the number
    /// after them.
    #[must_use]
    pub fn new(impairment: Impairment, stream: &str, carrier: Carrier, passage: Passage) -> Link<P> {
        Link {
            impairment,
            stream: stream.to_owned(),
            carrier,
            free_ns: 0,
            last_ns: 0,
            frame: (None, 0),
            queue: VecDeque::new(),
            overtaken: None,
            passage,
            n_others: 0,
        }
    }

    /// A packet of so many bytes comes. `frame` is the time in its RTP header; without one it is no
    /// packet of RTP, which takes its time, but is neither lost nor reordered nor counted.
    pub fn arrives(&mut self, now_ns: u64, bytes: usize, frame: Option<u32>, packet: P) {
        let Impairment { loss_ppm, reorder_ppm, .. } = self.impairment;
        let n = self.passage.packets;
        let begin_ns = self.free_ns.max(now_ns);
        if frame.is_some() {
            self.passage.packets += 1;
        }
        let is_single = frame.is_some() && self.carrier == Carrier::Packets;
        if is_single && MOST_QUEUED_NS < begin_ns - now_ns {
            self.passage.overflowed += 1;
            return;
        }
        self.free_ns = begin_ns + self.sending_ns(bytes);
        if is_single && self.happens("loss", n, loss_ppm) {
            self.passage.dropped += 1;
            return;
        }
        let leaves_ns = (self.free_ns + self.delay_ns(frame, n)).max(self.last_ns);
        self.last_ns = leaves_ns;
        let waiting = Waiting { came_ns: now_ns, leaves_ns, is_counted: frame.is_some(), packet };
        if let Some(overtaken) = self.overtaken.take() {
            self.queue.extend([waiting, Waiting { leaves_ns, ..overtaken }]);
            self.passage.reordered += 1;
        } else if is_single && self.happens("reorder", n, reorder_ppm) {
            self.overtaken = Some(waiting);
        } else {
            self.queue.push_back(waiting);
        }
    }

    /// When something leaves next; `None` if nothing waits.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        let alone = || Some(self.overtaken.as_ref()?.leaves_ns + OVERTAKING_NS);
        self.queue.front().map(|first| first.leaves_ns).or_else(alone)
    }

    /// The next packet that leaves until now.
    pub fn leaves(&mut self, now_ns: u64) -> Option<P> {
        if now_ns < self.next_ns()? {
            return None;
        }
        let first = self.queue.pop_front().or_else(|| self.overtaken.take())?;
        if first.is_counted {
            let delay_us = now_ns.saturating_sub(first.came_ns) / 1000;
            self.passage.forwarded += 1;
            self.passage.delay_sum_us += delay_us;
            self.passage.delay_max_us = self.passage.delay_max_us.max(delay_us);
        }
        Some(first.packet)
    }

    /// Whether a sender in TCP has to wait: what it sends now would wait too long for the link.
    #[must_use]
    pub fn is_full(&self, now_ns: u64) -> bool {
        now_ns + MOST_QUEUED_NS < self.free_ns || MOST_WAITING < self.n_waiting()
    }

    /// How many things wait.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        self.queue.len() + usize::from(self.overtaken.is_some())
    }

    /// What became of its packets, and of those before it.
    #[must_use]
    pub fn passage(&self) -> Passage {
        self.passage
    }

    fn sending_ns(&self, bytes: usize) -> u64 {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
        self.impairment.rate_bps.map_or(0, |rate| bits.saturating_mul(1_000_000_000) / rate.max(1))
    }

    /// The delay of a packet: that of its frame, which its first packet decides.
    fn delay_ns(&mut self, frame: Option<u32>, n: u64) -> u64 {
        let jitter_ns = f64::from(self.impairment.jitter_ms) * 1e6;
        let shift = |share: f64| (jitter_ns * (2.0 * share - 1.0)) as i64;
        if frame.is_none() {
            self.n_others += 1;
            return self.delayed(shift(draw(&self.impairment, &self.stream, "other", self.n_others)));
        }
        if self.frame.0 != frame {
            self.frame = (frame, shift(draw(&self.impairment, &self.stream, "jitter", n)));
        }
        self.delayed(self.frame.1)
    }

    fn delayed(&self, by_ns: i64) -> u64 {
        (u64::from(self.impairment.delay_ms) * 1_000_000).saturating_add_signed(by_ns)
    }

    fn happens(&self, what: &str, n: u64, ppm: u32) -> bool {
        draw(&self.impairment, &self.stream, what, n) < f64::from(ppm) / 1e6
    }
}

/// A number from 0 to 1 for packet `n` of a stream: the first 64 bits of the SHA-256 of
/// `seed/stream/what/n`, so that any program can tell which packets are lost.
fn draw(impairment: &Impairment, stream: &str, what: &str, n: u64) -> f64 {
    let digest = Sha256::digest(format!("{}/{stream}/{what}/{n}", impairment.seed));
    let first = digest.first_chunk().expect("a digest has 32 bytes");
    u64::from_be_bytes(*first) as f64 / 2_f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Sends packets of 1,000 bytes, one every `every_ms`, each a frame of its own; which of them left,
    /// and when in milliseconds.
    fn sent(impairment: Impairment, n: u32, every_ms: u64) -> (Vec<(u32, f64)>, Passage) {
        sent_in(Carrier::Packets, impairment, n, every_ms)
    }

    fn sent_in(
        carrier: Carrier,
        impairment: Impairment,
        n: u32,
        every_ms: u64,
    ) -> (Vec<(u32, f64)>, Passage) {
        let mut link = Link::new(impairment, "till/1", carrier, Passage::default());
        let mut left = Vec::new();
        let mut drain = |link: &mut Link<u32>, until_ns: u64| {
            while let Some(at_ns) = link.next_ns().filter(|at_ns| *at_ns < until_ns) {
                let packet = link.leaves(at_ns).unwrap();
                left.push((packet, at_ns as f64 / 1e6));
            }
        };
        for packet in 0..n {
            let now_ns = u64::from(packet) * every_ms * MS;
            drain(&mut link, now_ns);
            link.arrives(now_ns, 1000, Some(packet), packet);
        }
        drain(&mut link, u64::MAX);
        (left, link.passage())
    }

    #[test]
    fn nothing_asked_is_nothing_done() {
        let (left, passage) = sent(Impairment::default(), 3, 10);
        assert_eq!(left, [(0, 0.0), (1, 10.0), (2, 20.0)]);
        assert_eq!((passage.packets, passage.forwarded, passage.delay_max_us), (3, 3, 0));
    }

    /// The numbers come from Python's `hashlib`.
    #[test]
    fn the_same_seed_loses_the_same_packets() {
        let lost = |seed: u64| {
            let impairment = Impairment { loss_ppm: 50_000, seed, ..Impairment::default() };
            let (left, passage) = sent(impairment, 200, 1);
            assert_eq!(passage.packets, passage.forwarded + passage.dropped);
            (0..200).filter(|n| left.iter().all(|(packet, _)| packet != n)).collect::<Vec<u32>>()
        };
        assert_eq!(lost(0), [6, 27, 31, 81, 109, 116, 167, 186]);
        assert_eq!(lost(7), [7, 15, 29, 41, 43, 60, 64, 70, 77, 132, 137, 145, 154, 173, 179, 196]);
    }

    #[test]
    fn the_share_of_lost_packets_is_the_one_that_was_asked_for() {
        for ppm in [5_000_u32, 20_000, 300_000] {
            let (_, passage) = sent(Impairment { loss_ppm: ppm, ..Impairment::default() }, 100_000, 1);
            let (expected, got) = (f64::from(ppm) / 1e6, passage.dropped as f64 / 1e5);
            // Four times the standard deviation of a share of 100,000.
            let most = 4.0 * (expected * (1.0 - expected) / 1e5).sqrt();
            assert!((got - expected).abs() < most, "{ppm}: {got}");
        }
    }

    #[test]
    fn jitter_spreads_the_delay_and_keeps_the_order() {
        let impairment = Impairment { delay_ms: 40, jitter_ms: 20, ..Impairment::default() };
        let (left, _) = sent(impairment, 10_000, 100);
        let delays: Vec<f64> = left.iter().map(|(n, at)| at - f64::from(*n) * 100.0).collect();
        let mean = delays.iter().sum::<f64>() / 1e4;
        assert!(delays.iter().all(|delay| (20.0..=60.0).contains(delay)));
        assert!((mean - 40.0).abs() < 0.5, "{mean}");
        // Packets that come one upon the other do not overtake each other.
        let (left, _) = sent(impairment, 1_000, 5);
        assert!(left.is_sorted_by_key(|(n, _)| *n) && left.is_sorted_by(|a, b| a.1 <= b.1));
    }

    #[test]
    fn the_packets_of_a_frame_have_one_delay() {
        let impairment = Impairment { delay_ms: 40, jitter_ms: 20, ..Impairment::default() };
        let mut link = Link::new(impairment, "till/1", Carrier::Packets, Passage::default());
        (0..10).for_each(|packet| link.arrives(0, 1000, Some(7), packet));
        let at_ns = link.next_ns().unwrap();
        let together = std::iter::from_fn(|| link.leaves(at_ns)).count();
        assert_eq!((together, link.n_waiting()), (10, 0));
    }

    #[test]
    fn packets_leave_at_the_rate_and_the_queue_has_an_end() {
        // 8,000 bits take 10 ms.
        let slow = Impairment { rate_bps: Some(800_000), ..Impairment::default() };
        let (left, _) = sent(slow, 4, 1);
        assert_eq!(left, [(0, 10.0), (1, 20.0), (2, 30.0), (3, 40.0)]);
        // A stream in TCP waits instead of losing anything, from half a second of packets on.
        let (left, passage) = sent_in(Carrier::Bytes, slow, 1_000, 1);
        assert_eq!((left.len(), passage.overflowed), (1_000, 0));
        let mut link = Link::new(slow, "till/1", Carrier::Bytes, Passage::default());
        let until_full = (0..1_000).take_while(|n| {
            link.arrives(0, 1000, Some(*n), ());
            !link.is_full(0)
        });
        assert_eq!(until_full.count(), 50);
        let (left, passage) = sent(slow, 1_000, 1);
        // One leaves each 10 ms of the second, and what waits in the end.
        assert_eq!((passage.overflowed, passage.dropped), (1_000 - left.len() as u64, 0));
        assert!((149..=152).contains(&left.len()), "{}", left.len());
        assert!(left.iter().all(|(n, at)| at - f64::from(*n) <= 510.0));
    }

    #[test]
    fn a_reordered_packet_comes_after_the_next_one() {
        let impairment = Impairment { reorder_ppm: 100_000, delay_ms: 5, ..Impairment::default() };
        let (left, passage) = sent(impairment, 1_000, 10);
        assert_eq!((left.len(), passage.forwarded), (1_000, 1_000));
        let late = left.windows(2).filter(|pair| pair[1].0 < pair[0].0).count() as u64;
        assert_eq!(late, passage.reordered);
        assert!((70..130).contains(&late), "{late}");
        assert!(left.windows(2).all(|pair| pair[1].0 >= pair[0].0 || pair[1].0 + 1 == pair[0].0));
        // The last one is not held for ever.
        let always = Impairment { reorder_ppm: 1_000_000, ..Impairment::default() };
        assert_eq!(sent(always, 1, 10).0, [(0, 100.0)]);
    }

    #[test]
    fn what_is_no_packet_of_rtp_is_delayed_alone() {
        let all = Impairment { loss_ppm: 1_000_000, delay_ms: 3, ..Impairment::default() };
        let mut link = Link::new(all, "till/1", Carrier::Packets, Passage::default());
        link.arrives(0, 100, None, 'a');
        assert_eq!((link.leaves(3 * MS - 1), link.leaves(3 * MS)), (None, Some('a')));
        assert_eq!(link.passage(), Passage::default());
    }

    #[test]
    fn numbers_go_on_after_a_connection() {
        let impairment = Impairment { loss_ppm: 50_000, ..Impairment::default() };
        let whole = sent(impairment, 200, 1).1;
        let mut passage = Passage::default();
        for part in 0..2 {
            let mut link = Link::new(impairment, "till/1", Carrier::Packets, passage);
            (0..100).for_each(|n| link.arrives((part * 100 + n) * MS, 1000, Some(0), ()));
            while link.leaves(u64::MAX / 2).is_some() {}
            passage = link.passage();
        }
        assert_eq!((passage.packets, passage.dropped), (whole.packets, whole.dropped));
    }
}
