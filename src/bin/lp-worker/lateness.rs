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

    /// Of a frame that arrived at `now`, in microseconds. To be called in the thread that
    /// brings the frame. `now` is CLOCK_MONOTONIC, which is every pipeline's clock; asking that
    /// again would count the time since then as lateness.
    pub(crate) fn of_us(&self, due: Due, now: u64) -> Option<i64> {
        if self.is_outdated.swap(false, Ordering::Acquire) {
            self.ask();
        }
        let due = match due {
            Due::Clock(due) => due,
            Due::Running(due) => {
                let begin = self.pad.upgrade()?.parent_element()?.base_time()?.nseconds();
                begin + due + self.latency_ns.load(Ordering::Relaxed)
            }
        };
        Some((now.cast_signed() - due.cast_signed()) / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_that_of_the_arrival_whenever_it_is_asked_for() {
        gst::init().unwrap();
        let sink = gst::ElementFactory::make("fakesink").name("late").build().unwrap();
        sink.set_base_time(gst::ClockTime::from_mseconds(100));
        let lateness = Lateness::new(sink.static_pad("sink").as_ref(), false);
        let arrived_ns = 342_000_000;
        assert_eq!(lateness.of_us(Due::Running(200_000_000), arrived_ns), Some(42_000));
        assert_eq!(lateness.of_us(Due::Clock(300_000_000), arrived_ns), Some(42_000));
    }
}
