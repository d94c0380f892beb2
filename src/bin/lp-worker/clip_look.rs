//! Sources of streams that the clip source looks at for a while: made from a URI.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;
use lp::pipeline::clip::{Sound, Track};

/// How long a server may take to accept a connection and to go on.
const PATIENCE: Duration = Duration::from_secs(5);

/// The element that receives the stream of a URI.
///
/// # Errors
/// When GStreamer has none for its scheme.
pub(crate) fn source(uri: &str) -> Result<gst::Element, glib::Error> {
    let source = gst::Element::make_from_uri(gst::URIType::Src, uri, None)?;
    let micros = u64::try_from(PATIENCE.as_micros()).unwrap_or(u64::MAX);
    match source.factory().map(|factory| factory.name().to_string()).as_deref() {
        // As a run receives it.
        Some("rtspsrc") => {
            source.set_property_from_str("protocols", "tcp");
            source.set_property("latency", 300_u32);
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
