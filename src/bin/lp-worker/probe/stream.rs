//! The packets of an RTSP stream, from the network to the depayloader, and its connection.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;
use lp::worker::protocol::Outage;

use super::{Meter, is_depayloader};
use crate::build::Chain;
use crate::frames::{Frame, Sight, lock, on_frames};
use crate::mark::mark;
use crate::rtp::Stay;

/// The places of frames that a jitterbuffer dropped.
const IN_TIME: &str = "rtpjitterbuffer";
const LATE: &str = "late:rtpjitterbuffer";

impl Meter {
    /// Watches the source of a stream, and the depayloader after it: the element after the source,
    /// or one that a decoder makes inside.
    pub(super) fn watch_stream(
        self: Arc<Meter>,
        chain: &Chain,
        (delivery, source): (usize, &gst::Element),
        is_next: bool,
    ) {
        self.watch_connection(source);
        if is_next {
            chain.with_src_pad(delivery + 1, move |pad| self.watch_depayloader(pad));
        } else {
            chain.pipeline.connect_deep_element_added(move |_, _, inner| {
                let is_it = inner.factory().is_some_and(|factory| is_depayloader(&factory.name()));
                if let Some(pad) = inner.static_pad("src").filter(|_| is_it) {
                    Arc::clone(&self).watch_depayloader(&pad);
                }
            });
        }
    }

    /// Watches an `rtspsrc` that has not connected yet: the first one, or one in the place of
    /// another.
    pub(crate) fn watch_connection(self: &Arc<Meter>, source: &gst::Element) {
        let meter = Arc::clone(self);
        // It was linked by an earlier handler if it is the one that is played.
        source.connect_pad_added(move |_, pad| {
            if pad.is_linked() {
                meter.note_rtp(pad);
            }
        });
        let (meter, weak) = (Arc::clone(self), source.downgrade());
        if let Some(bin) = source.downcast_ref::<gst::Bin>() {
            bin.connect_deep_element_added(move |_, _, inner| {
                let is_buffer = inner.factory().is_some_and(|factory| factory.name() == "rtpjitterbuffer");
                if is_buffer {
                    Arc::clone(&meter).watch_packets(weak.clone(), inner);
                }
            });
        }
    }

    /// Takes note of which stream of an RTSP server is played.
    fn note_rtp(&self, pad: &gst::Pad) {
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let codec = caps.structure(0).and_then(|caps| caps.get::<String>("encoding-name").ok());
        // `recv_rtp_src_SESSION_SSRC_TYPE`
        let ssrc = pad.name().rsplit('_').nth(1).and_then(|ssrc| ssrc.parse().ok());
        let mut source = lock(&self.source);
        source.codec = codec;
        source.rtp.ssrc = ssrc;
    }

    /// Counts frames by their packets, as they come from the network into a
    /// jitterbuffer, and follows them out of it.
    fn watch_packets(self: Arc<Meter>, source: gst::glib::WeakRef<gst::Element>, buffer: &gst::Element) {
        let (Some(sink), Some(src)) = (buffer.static_pad("sink"), buffer.static_pad("src")) else { return };
        let (meter, weak) = (Arc::clone(&self), buffer.downgrade());
        on_frames(&sink, move |sight| {
            if let Sight::Frame(Frame { packet: Some(packet), .. }) = sight {
                let now = monotonic_ns();
                meter.last_packet_ns.store(now, Ordering::Relaxed);
                let is_first = meter.first_packet_ns.load(Ordering::Relaxed) == 0;
                if is_first && let Some(source) = source.upgrade() {
                    meter.first_packet_ns.store(now, Ordering::Relaxed);
                    lock(&meter.source).transport = Some(transport(&source));
                }
                let mut source = lock(&meter.source);
                if source.rtp.is_played(*packet) {
                    source.buffer = weak.clone();
                }
                if source.rtp.shows_loss(*packet) {
                    source.incomplete_us.push(now / 1_000);
                }
                if source.rtp.came(*packet, now) {
                    source.delivered(now / 1_000);
                }
            }
        });
        if buffer.find_property("latency").is_some() {
            lock(&self.source).rtp.latency_ns = i64::from(buffer.property::<u32>("latency")) * 1_000_000;
        }
        on_frames(&src, move |sight| {
            if let Sight::Frame(Frame { packet: Some(packet), running_time, .. }) = sight {
                lock(&self.source).rtp.left_buffer(*packet, *running_time);
            }
        });
    }

    /// Looks for frames that do not leave a depayloader.
    fn watch_depayloader(self: Arc<Meter>, pad: &gst::Pad) {
        let (meter, marks) = (Arc::clone(&self), Arc::new(Mutex::new(None)));
        let left = Arc::clone(&marks);
        on_frames(pad, move |sight| {
            if let Sight::Frame(frame) = sight {
                *lock(&left) = lock(&meter.source).rtp.left_depayloader(frame.running_time);
                meter.note_not_passed();
            }
        });
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data
                && let Some(ticks) = lock(&marks).take()
            {
                mark(buffer.make_mut(), ticks);
            }
            gst::PadProbeReturn::Ok
        });
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::PadProbeData::Event(event)) = &info.data
                && event.type_() == gst::EventType::Eos
            {
                lock(&self.source).rtp.emptied();
                self.note_not_passed();
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Takes note of frames that have not left the depayloader.
    fn note_not_passed(&self) {
        let frames = lock(&self.source).rtp.not_passed();
        if !frames.is_empty() {
            let mut account = lock(&self.account);
            for (at_us, why) in frames {
                match why {
                    Stay::Dropped => account.never_decoded(IN_TIME, at_us),
                    Stay::Late => account.never_decoded(LATE, at_us),
                    Stay::Unusable => account.damaged(at_us),
                }
            }
        }
    }

    /// Takes frames out until the first key frame of a new connection: a decoder would make
    /// pictures of them and of others than they refer to, and flag nothing. They are damaged.
    pub(super) fn watch_first_key(self: Arc<Meter>, pad: &gst::Pad) {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            let Some(gst::PadProbeData::Buffer(buffer)) = &info.data else { return gst::PadProbeReturn::Ok };
            if !self.awaits_key.load(Ordering::Relaxed) {
                return gst::PadProbeReturn::Ok;
            }
            if !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
                self.awaits_key.store(false, Ordering::Relaxed);
                return gst::PadProbeReturn::Ok;
            }
            lock(&self.account).damaged(monotonic_ns() / 1_000);
            gst::PadProbeReturn::Drop
        });
    }

    /// When the first and the last packet of this connection came, in nanoseconds, if one has come.
    pub(crate) fn packets_ns(&self) -> Option<(u64, u64)> {
        let first = self.first_packet_ns.load(Ordering::Relaxed);
        (first != 0).then(|| (first, self.last_packet_ns.load(Ordering::Relaxed)))
    }

    /// Takes note that the connection was lost.
    pub(crate) fn lost(&self, outage: &Outage) {
        let mut source = lock(&self.source);
        source.rtp.restart();
        source.keep_packets();
        source.since_key = None;
        source.outages.push(outage.clone());
        self.awaits_key.store(true, Ordering::Relaxed);
        self.first_packet_ns.store(0, Ordering::Relaxed);
    }

    /// Takes note of what is new about an outage: another attempt, or that packets come again.
    pub(crate) fn note_outage(&self, outage: &Outage) {
        lock(&self.source).outages.push(outage.clone());
    }
}

/// How the packets of an `rtspsrc` come.
pub(crate) fn transport(source: &gst::Element) -> String {
    let is_udp = |element: &gst::Element| element.factory().is_some_and(|f| f.name() == "udpsrc");
    let inner = source.downcast_ref::<gst::Bin>().map_or_else(Vec::new, |bin| bin.children());
    if inner.iter().any(is_udp) { "udp" } else { "tcp" }.to_owned()
}
