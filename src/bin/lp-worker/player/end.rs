//! What passes a pad of a stream that is ending.

use gst::prelude::*;
use gstreamer as gst;

/// Lets EOS pass, and answers any other push that it is over. A demuxer
/// answers that with the end of a segment: `decodebin3`, which may still hold
/// the EOS back, would forget it over such a late event.
pub(super) fn nothing_but_eos(pad: &gst::Pad) {
    let types =
        gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(types, |_, info| match &info.data {
        Some(gst::PadProbeData::Event(event)) if event.type_() == gst::EventType::Eos => {
            gst::PadProbeReturn::Ok
        }
        Some(gst::PadProbeData::Event(_)) => discard(info),
        _ => {
            info.flow_res = Err(gst::FlowError::Eos);
            gst::PadProbeReturn::Handled
        }
    });
}

/// Takes an item out of a stream. An event is *handled*, not dropped: GStreamer 1.22
/// unrefs a dropped one that the bindings have freed already, and complains.
pub(super) fn discard(info: &gst::PadProbeInfo<'_>) -> gst::PadProbeReturn {
    match &info.data {
        Some(gst::PadProbeData::Event(_)) => gst::PadProbeReturn::Handled,
        _ => gst::PadProbeReturn::Drop,
    }
}
