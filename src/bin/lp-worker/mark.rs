//! Marks on buffers, by which a frame is known again after its decoder.
//!
//! The times that frames of RTP have do not do: `rtpjitterbuffer` gives frames with B-frames times
//! that contradict their order, and a decoder then gives each frame the least time of those that it
//! holds (`findings/rtpjitterbuffer-gives-b-frames-times-in-another-order.sh`). Parsers and decoders pass
//! this meta on.

use std::sync::LazyLock;

use gstreamer as gst;

/// The kind of the meta, of which elements have others.
static KIND: LazyLock<gst::Caps> = LazyLock::new(|| gst::Caps::builder("timestamp/x-lp-frame").build());

/// Marks are times that are not negative; ticks before the first frame are.
const FIRST: i64 = 1 << 60;

/// Marks a buffer with the ticks of its frame, unless it has a mark.
pub(crate) fn mark(buffer: &mut gst::BufferRef, ticks: i64) {
    let Ok(time) = u64::try_from(FIRST.saturating_add(ticks)) else { return };
    if mark_of(buffer).is_none() {
        let time = gst::ClockTime::from_nseconds(time);
        gst::ReferenceTimestampMeta::add(buffer, &KIND, time, gst::ClockTime::NONE);
    }
}

/// The ticks with which a buffer is marked.
pub(crate) fn mark_of(buffer: &gst::BufferRef) -> Option<i64> {
    let mut marks = buffer.iter_meta::<gst::ReferenceTimestampMeta>();
    let mark = marks.find(|meta| meta.reference() == KIND.as_ref())?;
    Some(i64::try_from(mark.timestamp().nseconds()).ok()? - FIRST)
}
