//! Sources of streams that the clip source looks at for a while: made from a URI.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::glib;
use gst::glib::WeakRef;
use gst::prelude::*;
use gstreamer as gst;
use lp::os::clock::monotonic_ns;
use lp::pipeline::clip::{Sound, Track};
use lp::pipeline::reception::{Packets, Reception};

use crate::build::is_rtsp;
use crate::delivery::counts_of;
use crate::frames::{Frame, Sight, lock, on_frames};
use crate::probe::transport;
use crate::rtp::Rtp;

/// How long a server may take to accept a connection and to go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// The element that receives the stream of a URI, one of RTSP over these `protocols` and with this
/// jitter buffer in milliseconds.
///
/// # Errors
/// When GStreamer has none for its scheme.
pub(crate) fn source(uri: &str, protocols: &str, latency_ms: u32) -> Result<gst::Element, glib::Error> {
    let source = gst::Element::make_from_uri(gst::URIType::Src, uri, None)?;
    let micros = u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX);
    match source.factory().map(|factory| factory.name().to_string()).as_deref() {
        // As a run receives it.
        Some("rtspsrc") => {
            source.set_property_from_str("protocols", protocols);
            source.set_property("latency", latency_ms);
            // Times of the camera: others settle in some seconds only, and reorder B-frames.
            source.set_property_from_str("buffer-mode", "none");
            source.set_property("timeout", micros);
            source.set_property("tcp-timeout", micros);
        }
        Some("souphttpsrc") => {
            source.set_property("timeout", u32::try_from(PATIENCE.as_secs()).unwrap_or(u32::MAX));
            source.set_property("retries", 0_i32);
        }
        _ => {}
    }
    Ok(source)
}

/// How a source of RTSP receives: watched from its start.
pub(crate) struct Watch {
    source: WeakRef<gst::Element>,
    begun_ns: u64,
    state: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    first_frame_ns: Option<u64>,
    transport: String,
    rtp: Rtp,
    buffer: WeakRef<gst::Element>,
}

impl Watch {
    /// Of a source that has not been started; `None` if it is none of RTSP.
    pub(crate) fn of(source: &gst::Element) -> Option<Arc<Watch>> {
        let bin = source.downcast_ref::<gst::Bin>().filter(|_| is_rtsp(source))?;
        let watch = Watch { source: source.downgrade(), begun_ns: monotonic_ns(), state: Mutex::default() };
        let watch = Arc::new(watch);
        let own = Arc::clone(&watch);
        bin.connect_deep_element_added(move |_, _, inner| {
            if inner.factory().is_some_and(|factory| factory.name() == "rtpjitterbuffer")
                && let Some(pad) = inner.static_pad("sink")
            {
                let (watch, buffer) = (Arc::clone(&own), inner.downgrade());
                on_frames(&pad, move |sight| {
                    if let Sight::Frame(Frame { packet: Some(packet), .. }) = sight {
                        let mut state = lock(&watch.state);
                        state.rtp.shows_loss(*packet);
                        state.buffer = buffer.clone();
                    }
                });
            }
        });
        Some(watch)
    }

    /// A frame has come.
    pub(crate) fn frame(&self) {
        let mut state = lock(&self.state);
        if state.first_frame_ns.is_none() {
            state.first_frame_ns = Some(monotonic_ns());
            state.transport = self.source.upgrade().as_ref().map_or_else(String::new, transport);
        }
    }

    /// What was seen; `None` if no frame came.
    pub(crate) fn reception(&self) -> Option<Reception> {
        let state = lock(&self.state);
        let (lost, late, jitter_ns) = counts_of(&state.buffer);
        Some(Reception {
            first_frame_ms: state.first_frame_ns?.saturating_sub(self.begun_ns) / 1_000_000,
            transport: state.transport.clone(),
            jitter_us: jitter_ns / 1_000,
            packets: Packets { lost, late, ..state.rtp.packets },
        })
    }
}

/// Calls `then` after so long, in a thread of GStreamer's.
pub(crate) fn after(time: Duration, then: impl Fn() + Send + 'static) {
    let clock = gst::SystemClock::obtain();
    let time = gst::ClockTime::from_nseconds(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let timer = clock.new_single_shot_id(clock.time() + time);
    let _ = timer.wait_async(move |_, _, _| then());
}

/// A stream of RTP that is no video, as its description has it: nobody decodes it.
pub(crate) fn other_than_video(pad: &gst::Pad) -> Option<Track> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let described = caps.structure(0).filter(|first| first.name() == "application/x-rtp")?;
    let media = described.get::<String>("media").ok().filter(|media| media != "video")?;
    let encoding = described.get::<String>("encoding-name").unwrap_or_default();
    let (kind, mpeg) = match encoding.as_str() {
        "PCMU" => ("audio/x-mulaw".to_owned(), None),
        "PCMA" => ("audio/x-alaw".to_owned(), None),
        "OPUS" => ("audio/x-opus".to_owned(), None),
        "MPEG4-GENERIC" | "MP4A-LATM" => ("audio/mpeg".to_owned(), Some((4, 0))),
        _ => (format!("{media}/{}", encoding.to_lowercase()), None),
    };
    let channels = described.get::<String>("encoding-params").ok().and_then(|text| text.parse().ok());
    let rate = described.get::<i32>("clock-rate").ok().and_then(|rate| u32::try_from(rate).ok());
    let sound = (media == "audio").then(|| Sound {
        channels: channels.unwrap_or(1),
        sample_rate: rate.unwrap_or(0),
        mpeg,
    });
    Some(Track { kind, sound, ..Track::default() })
}
