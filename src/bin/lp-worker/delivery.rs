//! The delivery of a stream's source: frames, key frames and caps.
//!
//! A USB camera gives its frames to the driver. Where the machine is too slow to take
//! them, `v4l2src` never sees some; but its buffers have the driver's numbers, so a gap
//! in these is frames that the camera did deliver.

use gst::prelude::*;
use gstreamer as gst;

use lp::worker::protocol::{MAX_FORMATS, Outage, Packets, SourceFrames, VideoFormat};

use crate::account::Thinning;
use crate::rtp::Rtp;

/// A gap of so many numbers is a driver that restarts its count.
const MAX_GAP: u64 = 1_000;

/// The delivery of a source.
#[derive(Default)]
pub(crate) struct Source {
    /// `None` until it is known where to count.
    pub(crate) frames_us: Option<Vec<u64>>,
    /// When frames came that lack packets.
    pub(crate) incomplete_us: Vec<u64>,
    /// Number and time of the newest frame of a device.
    newest: Option<(u64, u64)>,
    /// `None` if no `videorate` follows it.
    pub(crate) thinning: Option<Thinning>,
    pub(crate) rtp: Rtp,
    /// Frames since the last key frame, if one was seen, and the most there were.
    pub(crate) since_key: Option<u64>,
    key_frame_every: Option<u64>,
    /// As RTP names it.
    pub(crate) codec: Option<String>,
    /// `tcp` or `udp`, once a packet has come.
    pub(crate) transport: Option<String>,
    /// The jitterbuffer of the stream that is played.
    pub(crate) buffer: gst::glib::WeakRef<gst::Element>,
    /// Packets that earlier jitterbuffers have counted as lost and late.
    earlier: Packets,
    /// Losses of the connection to report.
    pub(crate) outages: Vec<Outage>,
    /// Whether the caps of the delivery have a size.
    pub(crate) is_described: bool,
    format: Option<VideoFormat>,
    formats: Vec<VideoFormat>,
    n_formats: usize,
}

impl Source {
    pub(crate) fn delivered(&mut self, at_us: u64) {
        self.frames_us.get_or_insert_default().push(at_us);
    }

    /// A device has delivered a frame of this number, and before it those that the machine
    /// missed: at even distances, as a camera sends them.
    pub(crate) fn numbered(&mut self, number: u64, at_us: u64) {
        if let Some((newest, since_us)) = self.newest.replace((number, at_us)) {
            let n_steps = number.saturating_sub(newest).min(MAX_GAP);
            let length_us = at_us.saturating_sub(since_us);
            for step in (1..n_steps).filter(|_| n_steps < MAX_GAP) {
                self.delivered(since_us + length_us * step / n_steps);
            }
        }
        self.delivered(at_us);
    }

    pub(crate) fn encoded(&mut self, is_key: bool) {
        if is_key {
            self.key_frame_every = self.key_frame_every.max(self.since_key);
            self.since_key = Some(0);
        }
        if let Some(n_frames) = &mut self.since_key {
            *n_frames += 1;
        }
    }

    /// The source delivers these caps.
    pub(crate) fn caps(&mut self, caps: &gst::CapsRef) {
        self.is_described |= self.describe(caps);
    }

    /// Takes note of caps if they have a size.
    pub(crate) fn describe(&mut self, caps: &gst::CapsRef) -> bool {
        let Some(structure) = caps.structure(0) else { return false };
        let pixels = |name| structure.get::<i32>(name).ok().and_then(|pixels| u32::try_from(pixels).ok());
        let (Some(width), Some(height)) = (pixels("width"), pixels("height")) else { return false };
        let rate = structure.get::<gst::Fraction>("framerate").ok().filter(|rate| rate.numer() > 0);
        let fps = rate.map(|rate| f64::from(rate.numer()) / f64::from(rate.denom()));
        let format = VideoFormat { width, height, fps, codec: self.codec.clone() };
        if self.n_formats < MAX_FORMATS && self.format.as_ref() != Some(&format) {
            self.n_formats += 1;
            self.format = Some(format.clone());
            self.formats.push(format);
        }
        true
    }

    /// Packets since the start, if some have come.
    fn packets(&self) -> Option<Packets> {
        let rtp = self.rtp.packets;
        let (lost, late, _) = counts_of(&self.buffer);
        let (lost, late) = (self.earlier.lost + lost, self.earlier.late + late);
        (0 < rtp.received).then_some(Packets { lost, late, ..rtp })
    }

    /// The jitterbuffer counts no more.
    pub(crate) fn keep_packets(&mut self) {
        self.earlier = self.packets().unwrap_or_default();
        self.buffer = gst::glib::WeakRef::new();
    }

    pub(crate) fn report(&mut self) -> SourceFrames {
        SourceFrames {
            frames_us: self.frames_us.as_mut().map(std::mem::take),
            incomplete_us: std::mem::take(&mut self.incomplete_us),
            thinned_us: self.thinning.as_mut().map_or_else(Vec::new, |it| std::mem::take(&mut it.thinned_us)),
            key_frame_every: self.key_frame_every,
            drift_ppm: self.rtp.drift_ppm(),
            transport: self.transport.clone(),
            packets: self.packets(),
            outages: std::mem::take(&mut self.outages),
            video: std::mem::take(&mut self.formats),
        }
    }
}

/// What a jitterbuffer has counted: packets lost and late, and the mean jitter in nanoseconds.
pub(crate) fn counts_of(buffer: &gst::glib::WeakRef<gst::Element>) -> (u64, u64, u64) {
    let Some(buffer) = buffer.upgrade() else { return (0, 0, 0) };
    let stats = buffer.property::<gst::Structure>("stats");
    let count = |name| stats.get::<u64>(name).unwrap_or(0);
    (count("num-lost"), count("num-late"), count("avg-jitter"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When frames count as delivered if those of these numbers come at these times.
    fn delivered(frames: &[(u64, u64)]) -> Vec<u64> {
        let mut source = Source::default();
        frames.iter().for_each(|(number, at_us)| source.numbered(*number, *at_us));
        source.report().frames_us.unwrap()
    }

    #[test]
    fn frames_that_the_machine_missed_were_delivered() {
        assert_eq!(delivered(&[(0, 100), (1, 110), (2, 120)]), [100, 110, 120]);
        assert_eq!(delivered(&[(7, 100), (10, 130), (11, 140)]), [100, 110, 120, 130, 140]);
        // The driver restarts its count, or gives no numbers.
        assert_eq!(delivered(&[(7, 100), (0, 110), (1, 120)]), [100, 110, 120]);
        assert_eq!(delivered(&[(7, 100), (9_000, 110), (9_001, 120)]), [100, 110, 120]);
        assert_eq!(delivered(&[(0, 100), (0, 110)]), [100, 110]);
    }
}
