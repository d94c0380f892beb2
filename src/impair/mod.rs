//! A network that loses, delays and reorders packets: what is asked of it, and what it did.
//!
//! Chance is drawn from a seed, the name of the stream and the number of the packet, so that the same
//! packets are lost in every run. [`link`] decides about each packet. Both are pure: no clock, no
//! socket. Not here: moving packets (`os::relay`).

pub mod link;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::duration_text;

/// How the network between a server and a client of RTSP is. It acts on what the server sends; what
/// the client sends passes at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impairment {
    /// The share of packets that are lost, in millionths.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub loss_ppm: u32,
    /// How long each packet takes, in milliseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay_ms: u32,
    /// By how much that is shorter or longer at most, the same for all packets of a frame; not above
    /// the delay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_ms: u32,
    /// Bits per second of each stream; `None`: as many as come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_bps: Option<u64>,
    /// The share of packets that the next one overtakes, in millionths.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reorder_ppm: u32,
    /// Other seeds lose other packets.
    #[serde(default)]
    pub seed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields so")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Impairment {
    /// Whether it leaves every packet as it is.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Impairment { seed: self.seed, ..Impairment::default() }
    }

    /// Whether single packets are touched, which a stream in TCP does not have.
    #[must_use]
    pub fn needs_packets(&self) -> bool {
        self.loss_ppm > 0 || self.reorder_ppm > 0
    }
}

/// `loss 2 %, delay 40ms ± 20ms, rate 4 Mbit/s, reorder 1 %, seed 7`
impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ppm: u32| f64::from(ppm) / 10_000.0;
        let millis = |ms: u32| duration_text(Duration::from_millis(ms.into()));
        let mut parts = Vec::new();
        if self.loss_ppm > 0 {
            parts.push(format!("loss {} %", percent(self.loss_ppm)));
        }
        match (self.delay_ms, self.jitter_ms) {
            (0, 0) => {}
            (delay, 0) => parts.push(format!("delay {}", millis(delay))),
            (delay, jitter) => parts.push(format!("delay {} ± {}", millis(delay), millis(jitter))),
        }
        if let Some(rate) = self.rate_bps {
            parts.push(format!("rate {}", rate_text(rate)));
        }
        if self.reorder_ppm > 0 {
            parts.push(format!("reorder {} %", percent(self.reorder_ppm)));
        }
        if self.needs_packets() || self.jitter_ms > 0 {
            parts.push(format!("seed {}", self.seed));
        }
        f.write_str(&parts.join(", "))
    }
}

/// `4 Mbit/s`, `1.5 Mbit/s`, `500 kbit/s`
fn rate_text(bits: u64) -> String {
    match bits {
        1_000_000.. => format!("{} Mbit/s", bits as f64 / 1e6),
        _ => format!("{} kbit/s", bits as f64 / 1e3),
    }
}

/// What became of the packets of a stream: of RTP, so neither those of RTCP nor answers of the
/// server are among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Packets that the server sent.
    pub packets: u64,
    /// Those that the client got.
    pub forwarded: u64,
    /// Those that were lost by chance.
    pub dropped: u64,
    /// Those for which the queue before a link of limited rate had no room.
    pub overflowed: u64,
    /// Those that the next one has overtaken.
    pub reordered: u64,
    /// How long forwarded packets took in sum, in microseconds.
    pub delay_sum_us: u64,
    /// How long one took at most, in microseconds.
    pub delay_max_us: u64,
}

impl Passage {
    /// How long a packet took on average, in microseconds; `None` if none came through.
    #[must_use]
    pub fn delay_mean_us(&self) -> Option<u64> {
        self.delay_sum_us.checked_div(self.forwarded)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Passage) -> Passage {
        Passage {
            packets: self.packets + other.packets,
            forwarded: self.forwarded + other.forwarded,
            dropped: self.dropped + other.dropped,
            overflowed: self.overflowed + other.overflowed,
            reordered: self.reordered + other.reordered,
            delay_sum_us: self.delay_sum_us + other.delay_sum_us,
            delay_max_us: self.delay_max_us.max(other.delay_max_us),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impairment_is_told_with_what_it_has() {
        let of = |impairment: Impairment| impairment.to_string();
        let none = Impairment::default();
        assert_eq!(of(Impairment { delay_ms: 40, ..none }), "delay 40ms");
        assert_eq!(
            of(Impairment { loss_ppm: 2_500, rate_bps: Some(1_500_000), ..none }),
            "loss 0.25 %, rate 1.5 Mbit/s, seed 0"
        );
        let all = Impairment {
            loss_ppm: 20_000,
            delay_ms: 40,
            jitter_ms: 20,
            rate_bps: Some(500_000),
            reorder_ppm: 10_000,
            seed: 7,
        };
        assert_eq!(of(all), "loss 2 %, delay 40ms ± 20ms, rate 500 kbit/s, reorder 1 %, seed 7");
    }

    #[test]
    fn a_seed_alone_is_nothing() {
        assert!(Impairment { seed: 7, ..Impairment::default() }.is_nothing());
        assert!(!Impairment { delay_ms: 1, ..Impairment::default() }.is_nothing());
    }
}
