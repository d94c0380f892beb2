//! How much later than due a frame comes to its sink.
//!
//! The latency that elements report may change, as when a decoder finds B-frames. The
//! element posts that before it holds a frame longer, so the next frame at the sink asks
//! again. The stream's own thread would ask too late on a busy machine: some frames would
//! be early.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gst::glib::WeakRef;
use gst::prelude::*;
use gstreamer as gst;

use crate::account::Due;

/// Computes lateness at one sink.
pub(crate) struct Lateness {
    pad: WeakRef<gst::Pad>,
    /// Of RTSP and USB cameras the usual delay is taken off later.
    is_camera: bool,
    /// The least that elements on the way hold frames by design, in nanoseconds.
    latency_ns: AtomicU64,
    /// Whether that is not known yet, or may have changed.
    is_outdated: AtomicBool,
}

impl Lateness {
    /// At the pad of a sink; `is_camera`: after an RTSP or USB camera.
    pub(crate) fn new(pad: Option<&gst::Pad>, is_camera: bool) -> Lateness {
        let pad = pad.map(gst::Pad::downgrade).unwrap_or_default();
        Lateness { pad, is_camera, latency_ns: AtomicU64::new(0), is_outdated: AtomicBool::new(true) }
    }

    /// An element has posted that it holds frames for another time.
    pub(crate) fn latency_changed(&self) {
        self.is_outdated.store(true, Ordering::Release);
    }

    /// Asks the elements on the way to the sink how long they hold frames by design.
    fn ask(&self) {
        let mut query = gst::query::Latency::new();
        if !self.is_camera && self.pad.upgrade().is_some_and(|pad| pad.peer_query(&mut query)) {
            let (_, least, _) = query.result();
            self.latency_ns.store(least.nseconds(), Ordering::Relaxed);
        }
    }

    /// Of a frame that arrives now, at `now` of CLOCK_MONOTONIC, in microseconds. To be
    /// called in the thread that brings the frame.
    pub(crate) fn of_us(&self, due: Due, now: u64) -> Option<i64> {
        if self.is_outdated.swap(false, Ordering::Acquire) {
            self.ask();
        }
        let (now, due) = match due {
            Due::Clock(due) => (now, due),
            Due::Running(due) => {
                let sink = self.pad.upgrade()?.parent_element()?;
                let begin = sink.base_time()?.nseconds();
                (sink.clock()?.time().nseconds(), begin + due + self.latency_ns.load(Ordering::Relaxed))
            }
        };
        Some((now.cast_signed() - due.cast_signed()) / 1_000)
    }
}
