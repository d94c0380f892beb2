//! USB cameras: their formats, and why they do not play.
//!
//! `v4l2src` asks the driver for formats, sizes and rates, and gives them as caps. Its errors do not
//! say who uses a busy camera, and that a bus is full only its log says, which [`listen`] reads.

use std::path::Path;
use std::sync::Mutex;

use gst::prelude::*;
use gstreamer as gst;

use lp::os::device::{holders, look};
use lp::pipeline::usb::{Encoding, Format, Fraction, Rates};

use crate::frames::lock;

/// What the driver answered when a stream was to be started last: `28 (No space left on device)`.
static START: Mutex<Option<String>> = Mutex::new(None);

/// The category of the log in which that is, and its words.
const CATEGORY: &str = "v4l2bufferpool";
const REFUSED: &str = "error with STREAMON ";

/// The formats of a camera, as long as nobody else uses it.
///
/// # Errors
/// Why it does not tell them, for people.
pub(crate) fn formats(device: &str) -> Result<Vec<Format>, String> {
    let source = gst::ElementFactory::make("v4l2src").property("device", device).build();
    let source = source.map_err(|_| "there is no element `v4l2src`".to_owned())?;
    let bus = gst::Bus::new();
    source.set_bus(Some(&bus));
    let found = match source.set_state(gst::State::Ready) {
        Ok(_) => Ok(source.static_pad("src").map_or_else(Vec::new, |pad| of_caps(&pad.query_caps(None)))),
        Err(_) => {
            let error = bus.pop_filtered(&[gst::MessageType::Error]);
            Err(match error.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Error(error)) => {
                    let reason = error.error().to_string();
                    why(device, error, &error.debug().unwrap_or_default()).unwrap_or(reason)
                }
                _ => format!("`{device}` cannot be opened"),
            })
        }
    };
    source.set_bus(None);
    let _ = source.set_state(gst::State::Null);
    found
}

/// The formats in the caps of a `v4l2src`, in their order.
fn of_caps(caps: &gst::CapsRef) -> Vec<Format> {
    let mut formats = Vec::new();
    for (structure, features) in caps.iter_with_features() {
        if !features.contains("memory:SystemMemory") {
            continue;
        }
        let encodings = match structure.name().as_str() {
            "video/x-raw" => texts(structure, "format").into_iter().map(Encoding::Raw).collect(),
            "image/jpeg" => vec![Encoding::Mjpeg],
            "video/x-h264" => vec![Encoding::H264],
            _ => continue,
        };
        let (Some(width), Some(height)) = (span(structure, "width"), span(structure, "height")) else {
            continue;
        };
        let Some(rates) = rates(structure) else { continue };
        let format = |encoding| Format { encoding, width, height, rates: rates.clone() };
        formats.extend(encodings.into_iter().map(format));
    }
    formats
}

/// A text, or a list of them.
fn texts(structure: &gst::StructureRef, field: &str) -> Vec<String> {
    if let Ok(one) = structure.get::<String>(field) {
        return vec![one];
    }
    let list = structure.get::<gst::List>(field);
    list.map_or_else(|_| Vec::new(), |list| list.iter().filter_map(|one| one.get::<String>().ok()).collect())
}

/// A number, or the least and the greatest.
fn span(structure: &gst::StructureRef, field: &str) -> Option<(u32, u32)> {
    let pixels = |value: i32| u32::try_from(value).ok();
    if let Ok(one) = structure.get::<i32>(field) {
        return Some((pixels(one)?, pixels(one)?));
    }
    let range = structure.get::<gst::IntRange<i32>>(field).ok()?;
    Some((pixels(range.min())?, pixels(range.max())?))
}

fn rates(structure: &gst::StructureRef) -> Option<Rates> {
    let fraction = |rate: gst::Fraction| -> Option<Fraction> {
        Some((u32::try_from(rate.numer()).ok()?, u32::try_from(rate.denom()).ok()?))
    };
    if let Ok(one) = structure.get::<gst::Fraction>("framerate") {
        return Some(Rates::Each(vec![fraction(one)?]));
    }
    if let Ok(range) = structure.get::<gst::FractionRange>("framerate") {
        return Some(Rates::Between(fraction(range.min())?, fraction(range.max())?));
    }
    let list = structure.get::<gst::List>("framerate").ok()?;
    let rates = list.iter().filter_map(|one| fraction(one.get::<gst::Fraction>().ok()?));
    Some(Rates::Each(rates.collect()))
}

/// Remembers what the driver answers when a stream is to be started, which `v4l2src` only logs.
pub(crate) fn listen() {
    gst::log::set_threshold_for_name(CATEGORY, gst::DebugLevel::Error);
    gst::log::add_log_function(|category, _, _, _, _, _, message| {
        if category.name() == CATEGORY
            && let Some(text) = message.get()
            && let Some((_, answer)) = text.split_once(REFUSED)
        {
            *lock(&START) = Some(answer.to_owned());
        }
    });
}

/// Why a camera does not play, if that is known better than its element says.
pub(crate) fn why(device: &str, error: &gst::message::Error, debug: &str) -> Option<String> {
    let is = |code: gst::ResourceError| error.error().matches(code);
    let is_there = look(Path::new(device)).is_ok_and(|node| node.is_some());
    if !is_there {
        // It was there when the element opened it.
        let had_begun = !is(gst::ResourceError::NotFound) && !is(gst::ResourceError::OpenReadWrite);
        let what = if had_begun { "it was unplugged" } else { "there is no such device" };
        return Some(format!("`{device}`: {what}"));
    }
    let start = lock(&START).take();
    if let Some(start) = start.filter(|_| debug.contains("Buffer pool activation failed")) {
        let hint = if start.starts_with("28 ") {
            ": the other cameras on its USB bus leave it no room; plug it into another port, or ask for a \
             smaller picture or rate"
        } else {
            ""
        };
        return Some(format!("`{device}`: the driver does not start its stream, {start}{hint}"));
    }
    let is_busy = is(gst::ResourceError::Busy) || debug.contains("Device or resource busy");
    is_busy.then(|| {
        let own = std::process::id();
        let users = holders(Path::new(device));
        let others: Vec<String> = users
            .iter()
            .filter(|(pid, _)| *pid != own)
            .map(|(pid, name)| format!("pid {pid} `{name}`"))
            .collect();
        let by = match others.as_slice() {
            [] if users.iter().any(|(pid, _)| *pid == own) => {
                "another pipeline of this camera has it; set `run.share` to `prefix`, so that one reads it \
                 for all"
                    .to_owned()
            }
            [] => "its user is not visible from here".to_owned(),
            others => others.join(", "),
        };
        format!("`{device}` is busy: {by}")
    })
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use super::*;

    /// As `v4l2src` of GStreamer 1.22 writes what `uvcvideo` tells.
    #[test]
    fn formats_are_read_from_caps() {
        gst::init().unwrap();
        let caps = "video/x-raw, format=(string)YUY2, width=(int)640, height=(int)480, \
                    pixel-aspect-ratio=(fraction)1/1, framerate=(fraction){ 30/1, 15/1 }; \
                    image/jpeg, width=(int)1280, height=(int)720, pixel-aspect-ratio=(fraction)1/1, \
                    framerate=(fraction)30/1; \
                    video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, width=(int)1920, \
                    height=(int)1080, framerate=(fraction){ 60/1, 30/1 }; \
                    video/x-raw, format=(string){ NV12, I420 }, width=(int)[ 16, 1920, 8 ], \
                    height=(int)[ 16, 1080 ], framerate=(fraction)[ 1/1, 30/1 ]; \
                    video/x-raw(memory:DMABuf), format=(string)NV12, width=(int)640, height=(int)480, \
                    framerate=(fraction)30/1; \
                    video/x-bayer, format=(string)bggr, width=(int)640, height=(int)480, framerate=(fraction)30/1";
        let formats: Vec<String> =
            of_caps(&gst::Caps::from_str(caps).unwrap()).iter().map(ToString::to_string).collect();
        assert_eq!(
            formats,
            [
                "raw YUY2 640x480 at 30, 15 fps",
                "JPEG 1280x720 at 30 fps",
                "H.264 1920x1080 at 60, 30 fps",
                "raw NV12 16x16 to 1920x1080 at 1 to 30 fps",
                "raw I420 16x16 to 1920x1080 at 1 to 30 fps",
            ]
        );
    }

    #[test]
    fn a_device_that_is_not_there_says_so() {
        gst::init().unwrap();
        let told = formats("/dev/video-none").unwrap_err();
        assert_eq!(told, "`/dev/video-none`: there is no such device");
    }

    /// Why a camera at this path failed with this error.
    fn told(device: &Path, code: gst::ResourceError, debug: &str) -> Option<String> {
        let message = gst::message::Error::builder(code, "cannot").build();
        let gst::MessageView::Error(error) = message.view() else { unreachable!("it was made so") };
        why(device.to_str().unwrap(), error, debug)
    }

    #[test]
    fn a_failure_of_a_camera_is_told_with_its_reason() {
        gst::init().unwrap();
        let gone = Path::new("/dev/video-none");
        assert_eq!(told(gone, gst::ResourceError::Read, "").unwrap(), "`/dev/video-none`: it was unplugged");
        // A file in the place of a device that this process has open.
        let path = std::env::temp_dir().join(format!("lp-worker-{}", std::process::id()));
        let held = std::fs::File::create(&path).unwrap();
        let busy = told(&path, gst::ResourceError::Busy, "").unwrap();
        assert!(busy.contains("is busy: another pipeline of this camera has it"), "{busy}");
        let busy = told(&path, gst::ResourceError::OpenReadWrite, "system error: Device or resource busy");
        assert!(busy.unwrap().contains("is busy"));
        drop(held);
        let busy = told(&path, gst::ResourceError::Busy, "").unwrap();
        assert!(busy.ends_with("is busy: its user is not visible from here"), "{busy}");
        assert_eq!(told(&path, gst::ResourceError::Read, ""), None);

        // What the driver says is only in the log.
        let category = gst::DebugCategory::new(CATEGORY, gst::DebugColorFlags::empty(), None);
        listen();
        gst::error!(category, "error with STREAMON 28 (No space left on device)");
        let full = told(&path, gst::ResourceError::NoSpaceLeft, "Buffer pool activation failed").unwrap();
        assert!(
            full.contains("does not start its stream, 28 (No space left on device): the other cameras on"),
            "{full}"
        );
        std::fs::remove_file(&path).unwrap();
    }
}
