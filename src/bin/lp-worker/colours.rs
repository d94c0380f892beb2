//! Colours that caps name in part.
//!
//! GStreamer forgets that frames are of full range if their caps do not name a matrix too.
//!
//! Its parsers look for colours in the stream (its VUI: H.264 and H.265, annex E) only if the container names none. Some
//! muxers write the matrix without the transfer function, and then a high dynamic range of the stream would be missed.
//! Here, the parser does not see such colours: those of the stream take their place, and if it has none, they come back.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

use crate::frames::lock;

/// Takes the colours of the stream where the container names no transfer function. `parsebin` was not started yet.
pub(crate) fn complete(parsebin: &gst::Element) {
    let Some(bin) = parsebin.downcast_ref::<gst::Bin>() else { return };
    bin.connect_element_added(|_, element| {
        let is_parser =
            element.factory().is_some_and(|factory| factory.has_type(gst::ElementFactoryType::PARSER));
        if let (true, Some(sink), Some(src)) =
            (is_parser, element.static_pad("sink"), element.static_pad("src"))
        {
            complete_between(&sink, &src);
        }
    });
}

fn complete_between(sink: &gst::Pad, src: &gst::Pad) {
    let taken = Arc::new(Mutex::new(None::<String>));
    let back = Arc::clone(&taken);
    change_caps(sink, move |structure| {
        let colours = structure.get::<String>("colorimetry").ok().filter(|colours| lacks_transfer(colours));
        let is_partial = colours.is_some();
        *lock(&taken) = colours;
        if is_partial {
            structure.remove_field("colorimetry");
        }
        is_partial
    });
    change_caps(src, move |structure| {
        let colours = lock(&back).clone().filter(|_| !structure.has_field("colorimetry"));
        colours.map(|colours| structure.set("colorimetry", colours)).is_some()
    });
}

/// Whether `range:matrix:transfer:primaries` has no transfer function: 0 is unknown. Colours with a name have one.
fn lacks_transfer(colours: &str) -> bool {
    colours.split(':').nth(2) == Some("0")
}

/// Names the matrix in caps that say full range and no matrix.
pub(crate) fn keep_range(pad: &gst::Pad) {
    change_caps(pad, |structure| {
        // 1 is full, 0 unknown, 3 BT.709, 4 BT.601.
        let colours = structure.get::<String>("colorimetry").ok();
        let Some(rest) = colours.as_deref().and_then(|colours| colours.strip_prefix("1:0:")) else {
            return false;
        };
        let matrix = if structure.get::<i32>("height").is_ok_and(|height| 576 < height) { 3 } else { 4 };
        structure.set("colorimetry", format!("1:{matrix}:{rest}"));
        true
    });
}

/// Changes the caps that come through a pad; `change` returns whether it did.
fn change_caps(pad: &gst::Pad, change: impl Fn(&mut gst::StructureRef) -> bool + Send + Sync + 'static) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::PadProbeData::Event(event)) = &mut info.data
            && let gst::EventView::Caps(view) = event.view()
        {
            let mut caps = view.caps_owned();
            if caps.make_mut().structure_mut(0).is_some_and(&change) {
                *event = gst::event::Caps::builder(&caps).seqnum(event.seqnum()).build();
            }
        }
        gst::PadProbeReturn::Ok
    });
}
