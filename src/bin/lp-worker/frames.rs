//! Data that passes a pad, with its running time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use crate::mark::mark_of;

/// Data that passes a probe.
pub(crate) enum Sight<'a> {
    Frame(&'a Frame),
    Caps(&'a gst::CapsRef),
    /// A flush is over.
    Flushed,
}

/// A buffer at a probe.
pub(crate) struct Frame {
    /// In nanoseconds.
    pub(crate) running_time: Option<u64>,
    /// Its timestamp.
    pub(crate) time: Option<gst::ClockTime>,
    pub(crate) flags: gst::BufferFlags,
    /// Of raw video: the number of the frame.
    pub(crate) offset: Option<u64>,
    /// The begin of an RTP packet of video, where such come by.
    pub(crate) packet: Option<[u8; 12]>,
    /// With which the frame was marked.
    pub(crate) mark: Option<i64>,
}

/// Calls `seen` for all that passes.
pub(crate) fn on_frames(pad: &gst::Pad, seen: impl Fn(Sight<'_>) + Send + Sync + 'static) {
    let segment = Mutex::new(None::<gst::FormattedSegment<gst::ClockTime>>);
    let is_rtp = AtomicBool::new(false);
    let types = gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_DOWNSTREAM
        | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(types, move |_, info| {
        let frame = |buffer: &gst::BufferRef| {
            let running_time = lock(&segment)
                .as_ref()
                .and_then(|segment| segment.to_running_time(buffer.pts()))
                .map(gst::ClockTime::nseconds);
            let mut header = [0; 12];
            let is_packet = is_rtp.load(Ordering::Relaxed) && buffer.copy_to_slice(0, &mut header).is_ok();
            let packet = is_packet.then_some(header);
            let offset = Some(buffer.offset()).filter(|offset| *offset != u64::MAX);
            let (time, flags) = (buffer.pts(), buffer.flags());
            let mark = mark_of(buffer);
            seen(Sight::Frame(&Frame { running_time, time, flags, offset, packet, mark }));
        };
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => frame(buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(frame),
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Segment(event) => {
                    *lock(&segment) = event.segment().downcast_ref::<gst::ClockTime>().cloned();
                }
                gst::EventView::Caps(event) => {
                    let media = event.caps().structure(0).and_then(|caps| caps.get::<String>("media").ok());
                    is_rtp.store(media.is_some_and(|media| media == "video"), Ordering::Relaxed);
                    seen(Sight::Caps(event.caps()));
                }
                gst::EventView::FlushStop(_) => seen(Sight::Flushed),
                _ => {}
            },
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
