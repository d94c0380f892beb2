//! Counts the frames that pass a pad of a clip, encoded or decoded: their times, and what
//! of their encoding the buffers show.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;
use lp::pipeline::clip::{Coding, Decoded, Times};

use crate::frames::lock;

/// Frames that passed a pad.
#[derive(Default)]
pub(crate) struct Tally {
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    shown: Vec<u64>,
    n_untimed: u64,
    /// Some have no time at which they are shown.
    are_guessed: bool,
    /// How far it reaches in the container's own time.
    pub(crate) reaches_ns: u64,
    /// Of the frame that is shown last.
    last_for: Option<u64>,
    latest: u64,
    n_damaged: u64,
    damaged_at_ns: u64,
    /// Frames that came after one that is shown later.
    pub(crate) n_disordered: u64,
    n_bytes: u64,
    /// Frames since the last key frame, if one was seen, and the most there were.
    since_key: Option<u64>,
    gop: Option<u64>,
    /// When the last key frame is shown, and whether one of the frames that come after a key
    /// frame is shown before it.
    key_ns: u64,
    is_open: bool,
    /// Frames in a row that are shown before an earlier one, and the most there were.
    n_reordered: u64,
    b_frames: u64,
    turn: Option<String>,
    is_interlaced: bool,
}

impl Tally {
    pub(crate) fn add(&mut self, buffer: &gst::BufferRef) {
        self.n_bytes += buffer.size() as u64;
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        if is_key {
            self.gop = self.gop.max(self.since_key);
            self.since_key = Some(0);
        }
        self.since_key = self.since_key.map(|n| n + 1);
        // Bare streams of a codec have no times, or only those of decoding.
        self.are_guessed |= buffer.pts().is_none();
        let (Some(segment), Some(stamp)) = (&self.segment, buffer.dts_or_pts()) else {
            self.n_untimed += 1;
            return;
        };
        let stamp = buffer.pts().unwrap_or(stamp);
        // Outside the segment it is cut by an edit list.
        let Some(shown) = segment.to_running_time(stamp).map(gst::ClockTime::nseconds) else { return };
        if is_key {
            self.key_ns = shown;
        }
        // Those of the first key frame cannot be decoded, and containers drop them.
        self.is_open |= shown < self.key_ns && self.gop.is_some();
        if self.shown.last().is_none_or(|last| *last <= shown) {
            self.last_for = buffer.duration().map(gst::ClockTime::nseconds);
        }
        if shown < self.latest {
            self.n_disordered += 1;
            self.n_reordered += 1;
            self.b_frames = self.b_frames.max(self.n_reordered);
        } else {
            self.latest = shown;
            self.n_reordered = 0;
        }
        self.shown.push(shown);
        let lasts = buffer.duration().map_or(0, gst::ClockTime::nseconds);
        self.reaches_ns = self.reaches_ns.max(stamp.nseconds().max(shown).saturating_add(lasts));
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            if self.n_damaged == 0 {
                self.damaged_at_ns = shown;
            }
            self.n_damaged += 1;
        }
    }

    pub(crate) fn n_frames(&self) -> u64 {
        self.shown.len() as u64 + self.n_untimed
    }

    pub(crate) fn times(&mut self) -> Times {
        let mut times = Times::of(std::mem::take(&mut self.shown), self.last_for);
        times.n_frames += self.n_untimed;
        times.are_guessed = self.are_guessed;
        times
    }

    pub(crate) fn decoded(&mut self) -> Decoded {
        let Tally { n_damaged, damaged_at_ns, is_interlaced, .. } = *self;
        Decoded { times: self.times(), n_damaged, damaged_at_ns, is_interlaced }
    }

    /// What of the encoding of the frames shows without a look into them.
    pub(crate) fn coding(&self) -> Coding {
        let has_order = self.gop.is_some() && !self.are_guessed;
        Coding {
            n_bytes: self.n_bytes,
            gop: self.gop,
            b_frames: self.b_frames,
            turn: self.turn.clone(),
            is_open: has_order.then_some(self.is_open),
            ..Coding::default()
        }
    }

    pub(crate) fn event(&mut self, event: &gst::EventRef) {
        match event.view() {
            gst::EventView::Segment(event) => {
                self.segment = event.segment().downcast_ref::<gst::ClockTime>().cloned();
            }
            gst::EventView::Caps(event) => {
                let mode =
                    event.caps().structure(0).and_then(|caps| caps.get::<String>("interlace-mode").ok());
                self.is_interlaced |= mode.is_some_and(|mode| mode != "progressive");
            }
            gst::EventView::Tag(event) => {
                let tag = event.tag().get::<gst::tags::ImageOrientation>();
                if let Some(tag) = tag {
                    self.turn = Some(tag.get().to_owned()).filter(|turn| turn != "rotate-0");
                }
            }
            _ => {}
        }
    }
}

/// Counts the packets of a pad; `first` is called before each of them.
pub(crate) fn tally_of(
    pad: &gst::Pad,
    tally: Arc<Mutex<Tally>>,
    first: impl Fn(&gst::Pad) + Send + Sync + 'static,
) {
    let types =
        gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(types, move |pad, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                first(pad);
                lock(&tally).add(buffer);
            }
            Some(gst::PadProbeData::BufferList(list)) => {
                first(pad);
                list.iter().for_each(|buffer| lock(&tally).add(buffer));
            }
            Some(gst::PadProbeData::Event(event)) => lock(&tally).event(event),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}
