//! The requests of a source of RTSP before its stream begins: it follows redirects without an end,
//! and a server may send it in a circle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use gst::prelude::*;
use gstreamer as gst;

use lp::os::rtsp::redirect;

/// As many requests as no server needs: with a login that is refused, and UDP tried before TCP, there
/// are less than 20.
const MOST: u32 = 40;

/// Watches an `rtspsrc` that was not started yet. It posts an error after too many requests without
/// a stream.
pub(crate) fn limit(source: &gst::Element) {
    let has_begun = Arc::new(AtomicBool::new(false));
    let begins = Arc::clone(&has_begun);
    source.connect_pad_added(move |_, _| begins.store(true, Ordering::Relaxed));
    let (weak, n_sent) = (source.downgrade(), AtomicU32::new(0));
    source.connect("before-send", false, move |_| {
        let is_too_many =
            !has_begun.load(Ordering::Relaxed) && n_sent.fetch_add(1, Ordering::Relaxed) + 1 == MOST;
        if let Some(source) = weak.upgrade().filter(|_| is_too_many) {
            let uri = source.property::<Option<String>>("location").unwrap_or_default();
            let why = match redirect(&uri) {
                Some(place) => format!("the server redirects again and again, first to `{place}`"),
                None => format!("the server sends no stream after {MOST} requests"),
            };
            gst::element_error!(source, gst::ResourceError::Settings, ("{why}"));
        }
        Some(true.to_value())
    });
}
