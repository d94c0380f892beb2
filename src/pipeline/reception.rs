//! How a stream of RTP is received.

use serde::{Deserialize, Serialize};

/// Packets of RTP, of the stream that is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Those that came, each once.
    pub received: u64,
    /// Those that did not come, or too late, so that the jitter buffer went on without them
    /// (`num-lost` of `rtpjitterbuffer`).
    #[serde(default)]
    pub lost: u64,
    /// Those that came when it had gone on (`num-late`).
    #[serde(default)]
    pub late: u64,
    /// Those that came once more.
    #[serde(default)]
    pub duplicates: u64,
    /// Those that came after one with a higher number.
    #[serde(default)]
    pub reordered: u64,
}

impl Packets {
    /// This, each count changed by a function of it and that of `other`.
    #[must_use]
    pub fn with(&self, other: &Packets, change: impl Fn(u64, u64) -> u64) -> Packets {
        Packets {
            received: change(self.received, other.received),
            lost: change(self.lost, other.lost),
            late: change(self.late, other.late),
            duplicates: change(self.duplicates, other.duplicates),
            reordered: change(self.reordered, other.reordered),
        }
    }
}

/// The reception of a stream that was looked at for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reception {
    /// `tcp` or `udp`.
    pub transport: String,
    /// From the request to connect to the first frame, in milliseconds.
    pub first_frame_ms: u64,
    /// The mean deviation of the time between packets from that of their timestamps, in
    /// microseconds (`avg-jitter` of `rtpjitterbuffer`).
    pub jitter_us: u64,
    #[serde(flatten)]
    pub packets: Packets,
}
