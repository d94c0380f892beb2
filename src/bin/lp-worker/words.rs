//! Errors of sources, with the URI and the key to set: GStreamer's own messages often
//! name neither.

use gst::prelude::*;
use gstreamer as gst;

use lp::os::rtsp::{Answer, ask, has_user, is_encrypted, public};

use crate::build::is_rtsp;
use crate::camera;
use crate::property::shown;

/// Ticks a second of the timestamps of all video in RTP.
const CLOCK_RATE: i32 = 90_000;

/// The format that an element offers on a pad: `H265 video`, `sound (PCMA)`, `` `text/x-raw` ``.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Video in this encoding.
    Video(String),
    Sound(String),
    Other(String),
}

impl Offer {
    pub(crate) fn of(caps: &gst::CapsRef) -> Offer {
        let Some(first) = caps.structure(0) else { return Offer::Other(format!("`{caps}`")) };
        let name = first.name().to_string();
        let text = |field: &str| first.get::<String>(field).ok();
        // The content of RTP is in fields.
        // Of a fixed payload type, a description may give the number alone (RFC 3551, 6).
        let fixed = match first.get::<i32>("payload") {
            Ok(0) => Some("PCMU".to_owned()),
            Ok(8) => Some("PCMA".to_owned()),
            Ok(26) => Some("JPEG".to_owned()),
            _ => None,
        };
        let (media, encoding) = match (text("media"), text("encoding-name").or(fixed)) {
            (Some(media), encoding) => (media, encoding.unwrap_or(name)),
            (None, _) => (name.split('/').next().unwrap_or_default().to_owned(), format!("`{name}`")),
        };
        // All video has one clock rate (RFC 3551).
        let rate = first.get::<i32>("clock-rate").unwrap_or(CLOCK_RATE);
        match media.as_str() {
            "video" if rate != CLOCK_RATE => Offer::Other(format!(
                "{encoding} video with a clock rate of {rate} Hz instead of {CLOCK_RATE}"
            )),
            "video" | "image" => Offer::Video(encoding),
            "audio" => Offer::Sound(encoding),
            _ => Offer::Other(encoding),
        }
    }
}

/// Why the element after another accepts none of its formats.
pub(crate) fn nothing_fits(upstream: &gst::Element, downstream: &gst::Element, offers: &[Offer]) -> String {
    let (from, to) = (shown(upstream), shown(downstream));
    let videos = names(offers, |offer| if let Offer::Video(name) = offer { Some(name) } else { None });
    let sounds = names(offers, |offer| if let Offer::Sound(name) = offer { Some(name) } else { None });
    let others = names(offers, |offer| if let Offer::Other(name) = offer { Some(name) } else { None });
    if videos.is_empty() && others.is_empty() && !sounds.is_empty() {
        return format!("{from} has no video, only sound ({})", sounds.join(" and "));
    }
    if offers.is_empty() {
        return format!("{from} offers nothing");
    }
    if let [video] = videos.as_slice()
        && let Some(codec) = codec(video)
        && is_rtsp(upstream)
    {
        return format!(
            "{from} sends {video} video, which {to} does not accept: set `codec` of the camera to `{codec}`"
        );
    }
    let videos =
        videos.into_iter().map(|name| if name.starts_with('`') { name } else { format!("{name} video") });
    let sounds = sounds.into_iter().map(|name| format!("sound ({name})"));
    let all: Vec<String> = videos.chain(sounds).chain(others).collect();
    format!("{from} offers {}, which {to} does not accept", all.join(" and "))
}

fn names<'a>(offers: &'a [Offer], pick: impl Fn(&'a Offer) -> Option<&'a String>) -> Vec<String> {
    let mut names: Vec<String> = offers.iter().filter_map(pick).cloned().collect();
    names.dedup();
    names
}

/// The word of `codec` for an encoding of RTP.
fn codec(encoding: &str) -> Option<&'static str> {
    match encoding {
        "H264" => Some("h264"),
        "H265" => Some("h265"),
        "JPEG" => Some("mjpeg"),
        _ => None,
    }
}

/// An error in better words than its own, `reason`, if there are any.
pub(crate) fn better(error: &gst::message::Error, reason: &str, debug: &str) -> Option<String> {
    let source = error.src()?;
    if let Some(rtsp) = around(source, "rtspsrc") {
        let protocols = rtsp.property_value("protocols");
        let tried = gst::glib::FlagsValue::from_value(&protocols);
        let tried = tried.map_or_else(Vec::new, |(_, flags)| flags.iter().map(|flag| flag.nick()).collect());
        // A relay that reaches no server closes the connection.
        let is_relayed = rtsp.property::<Option<String>>("proxy").is_some();
        let reaches_none = is_relayed && error.error().matches(gst::ResourceError::Read);
        let uri = rtsp.property::<String>("location");
        return match reaches_none.then(|| no_connection(&uri)).flatten() {
            Some(why) => Some(format!("`{}`: {why}", public(&uri))),
            None => Some(of_stream(&uri, &tried, error, reason)),
        };
    }
    if let Some(camera) = around(source, "v4l2src") {
        return camera::why(&camera.property::<String>("device"), error, debug);
    }
    around(source, "decodebin").filter(|_| is_sound_only(debug))?;
    Some("it has no video, only sound".to_owned())
}

/// Whether only sound lacks a decoder: then `decodebin`, which is asked for
/// video, misses a plug-in that would make video of it.
fn is_sound_only(debug: &str) -> bool {
    let mut missing = debug.lines().filter(|line| line.contains("Missing decoder:")).peekable();
    missing.peek().is_some() && missing.all(|line| line.contains("(audio/"))
}

/// The element of this factory that `object` is or is part of.
fn around(object: &gst::Object, factory: &str) -> Option<gst::Element> {
    let upwards = std::iter::successors(Some(object.clone()), |object| object.parent());
    let mut elements = upwards.filter_map(|object| object.downcast::<gst::Element>().ok());
    elements.find(|element| element.factory().is_some_and(|found| found.name() == factory))
}

/// Why a stream does not come, with its URI.
fn of_stream(uri: &str, protocols: &[&str], error: &gst::message::Error, reason: &str) -> String {
    let place = public(uri);
    let kind = error.error();
    let is = |code: gst::ResourceError| kind.matches(code);
    let why = if is(gst::ResourceError::NotFound) {
        Some("the server has no such path (404)".to_owned())
    } else if is(gst::ResourceError::NotAuthorized) {
        refused_login(uri)
    } else if is(gst::ResourceError::OpenReadWrite) || is(gst::ResourceError::OpenRead) {
        no_connection(uri)
    } else if reason.starts_with("No supported stream was found") {
        Some(no_transport(protocols))
    } else {
        None
    };
    format!("`{place}`: {}", why.as_deref().unwrap_or(reason))
}

/// Why a server that refuses all of these transports sends nothing.
fn no_transport(protocols: &[&str]) -> String {
    let (tried, other) = match ["udp", "tcp"].map(|name| protocols.contains(&name)) {
        [false, true] => ("TCP", "; `rtsp.transport` may be `udp` or `auto`"),
        [true, false] => ("UDP", "; `rtsp.transport` may be `tcp` or `auto`"),
        _ => ("UDP or TCP", ""),
    };
    format!("the server sends no stream over {tried}{other}")
}

fn no_connection(uri: &str) -> Option<String> {
    match ask(uri)? {
        Answer::NoHost => Some("the name of the host has no address".to_owned()),
        Answer::NoConnection(error) => Some(format!("no connection to the server: {error}")),
        Answer::Challenges(_) if is_encrypted(uri) => {
            Some("the server accepts, but does not speak TLS".to_owned())
        }
        Answer::Challenges(_) => None,
    }
}

fn refused_login(uri: &str) -> Option<String> {
    let Some(Answer::Challenges(challenges)) = ask(uri) else { return None };
    let by = |name: &str| challenges.iter().find(|one| one.to_lowercase().contains(name));
    let known = |one: &String| {
        let one = one.to_lowercase();
        one.starts_with("basic") || one.starts_with("digest") && !one.contains("sha-")
    };
    let (major, minor, ..) = gst::version();
    if !challenges.is_empty() && !challenges.iter().any(known) {
        let asked = if by("sha-256").is_some() { "a SHA-256 digest" } else { &challenges[0] };
        return Some(format!(
            "the server asks for {asked}, but GStreamer {major}.{minor} answers with MD5 or Basic alone"
        ));
    }
    Some(if has_user(uri) {
        "the server refuses this user and password (401)".to_owned()
    } else {
        "the server asks for a user and password (401)".to_owned()
    })
}
