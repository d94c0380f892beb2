//! Messages of the bus as data and as text.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;
use lp::worker::protocol::{ElementMessage, End};

use crate::property::shown;
use crate::words;

/// An element's message as data; `None` if no element posted it. To be
/// called in the thread that posted it, while the pad's segment is the one that
/// the message is about. `pass_ns` is how long a source plays that begins again
/// without beginning anew in time.
pub(crate) fn seen(message: &gst::message::Element, pass_ns: Option<u64>) -> Option<ElementMessage> {
    let element = message.src()?.downcast_ref::<gst::Element>()?;
    let structure = message.structure()?;
    // Reports of an RTP session about its sender are no sightings.
    if structure.name().starts_with("application/x-rtp") {
        return None;
    }
    let fields = structure.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Some(ElementMessage {
        at_us: monotonic_ns() / 1_000,
        element: element.name().to_string(),
        factory: element.factory().map(|factory| factory.name().to_string()).unwrap_or_default(),
        message: structure.name().to_string(),
        stream_time: stream_time(element, structure).map(|time| pass_ns.map_or(time, |pass| time % pass)),
        fields,
    })
}

/// A field as text: strings as they are, everything else as GStreamer writes it.
fn text(value: &glib::SendValue) -> String {
    match value.get::<Option<String>>() {
        Ok(text) => text.unwrap_or_default(),
        Err(_) => value.serialize().map_or_else(|_| format!("{value:?}"), |text| text.to_string()),
    }
}

/// The position in the clip that a message is about.
///
/// `zbar`, `level` and others give it. `motioncells` gives the frame's timestamp
/// in a field of its own, which the segment of its input turns into stream time.
fn stream_time(element: &gst::Element, structure: &gst::StructureRef) -> Option<u64> {
    let field = |name: &str| structure.get::<u64>(name).ok().filter(|time| *time != u64::MAX);
    if let Some(time) = field("stream-time") {
        return Some(time);
    }
    let segment = element
        .static_pad("sink")?
        .sticky_event::<gst::event::Segment>(0)
        .and_then(|event| event.segment().downcast_ref::<gst::ClockTime>().cloned())?;
    if let Some(time) = ["motion_begin", "motion_finished", "motion", "timestamp"].into_iter().find_map(field)
    {
        return segment.to_stream_time(gst::ClockTime::from_nseconds(time)).map(gst::ClockTime::nseconds);
    }
    let running = gst::ClockTime::from_nseconds(field("running-time")?);
    segment.to_stream_time(segment.position_from_running_time(running)?).map(gst::ClockTime::nseconds)
}

/// An error as the end of a stream. `reason` holds the part of the debug text
/// that GStreamer means for people, such as the file that does not exist.
pub(crate) fn end(error: &gst::message::Error) -> End {
    let debug = error.debug().map(|debug| debug.to_string()).unwrap_or_default();
    let text = error.error().to_string();
    let detail = debug.split_once(":\n").map_or("", |(_, detail)| detail.trim());
    let full = full_file(error);
    let detail = full.as_deref().unwrap_or(detail);
    let reason = match (text.trim_end_matches('.'), detail.trim_end_matches('.')) {
        (text, "") => text.to_owned(),
        (text, detail) => format!("{text}: {detail}"),
    };
    let reason = words::better(error, &reason, &debug).unwrap_or(reason);
    let element = error.src().map(|source| source.name().to_string()).unwrap_or_default();
    End::Error { element, reason, debug }
}

/// The file for which no space was left: `filesink` does not name it.
fn full_file(error: &gst::message::Error) -> Option<String> {
    if !error.error().matches(gst::ResourceError::NoSpaceLeft) {
        return None;
    }
    let source = error.src()?;
    source.find_property("location").filter(|found| found.value_type() == glib::Type::STRING)?;
    source.property::<Option<String>>("location")
}

/// An error as the reason for a refusal.
pub(crate) fn reason(error: &gst::message::Error) -> String {
    let source = error.src().and_then(|source| source.downcast_ref::<gst::Element>()).map(shown);
    match (end(error), source) {
        (End::Error { reason, .. }, Some(source)) => format!("{source}: {reason}"),
        (End::Error { reason, .. }, None) => reason,
        (End::Eos, _) => unreachable!("an error is no EOS"),
    }
}

/// Frames that an element's QoS has dropped so far, by element, if the message counts
/// them.
pub(crate) fn dropped(qos: &gst::message::Qos) -> Option<(String, u64)> {
    match qos.stats().1 {
        gst::GenericFormattedValue::Buffers(Some(count)) => Some((qos.src()?.name().to_string(), *count)),
        gst::GenericFormattedValue::Default(Some(count)) => Some((qos.src()?.name().to_string(), *count)),
        _ => None,
    }
}

/// A warning, for the log.
pub(crate) fn warning(warning: &gst::message::Warning) -> String {
    let source = warning.src().map(|source| source.name().to_string()).unwrap_or_default();
    let debug = warning.debug().map(|debug| debug.to_string()).unwrap_or_default();
    format!("warning of `{source}`: {} ({debug})", warning.error())
}
