//! The tracks that the clip source has read, as data.

use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;
use lp::pipeline::clip::{Coding, Contents, Sound, Track};

use crate::frames::lock;
use crate::tally::Tally;

/// Containers whose header says how long they are; demuxers of others guess.
const ANNOUNCING: [&str; 6] =
    ["video/quicktime", "video/x-matroska", "video/webm", "video/x-msvideo", "video/x-flv", "video/x-ms-asf"];

/// The tracks of a clip, each with its pad, and how long it says that it is.
#[derive(Default)]
pub(crate) struct ClipReader {
    container: String,
    pub(crate) announced_ns: Option<u64>,
    tracks: Vec<(gst::Pad, Arc<Mutex<Tally>>)>,
    /// Tracks that are announced and not read.
    pub(crate) unread: Vec<Track>,
}

impl ClipReader {
    /// Adds a track of a container with this name of its caps. Returns where to count, and
    /// whether the container announces a length.
    pub(crate) fn add(&mut self, pad: &gst::Pad, container: Option<String>) -> (Arc<Mutex<Tally>>, bool) {
        let container = container.unwrap_or_default();
        let announces = ANNOUNCING.contains(&container.as_str());
        self.container = container;
        let tally = Arc::new(Mutex::new(Tally::default()));
        self.tracks.push((pad.clone(), Arc::clone(&tally)));
        (tally, announces)
    }

    pub(crate) fn contents(&self) -> Contents {
        let read = self.tracks.iter().map(|(pad, tally)| track(pad, &mut lock(tally)));
        Contents {
            container: self.container.clone(),
            announced_ns: self.announced_ns,
            tracks: read.chain(self.unread.iter().cloned()).collect(),
            reception: None,
        }
    }
}

fn track(pad: &gst::Pad, tally: &mut Tally) -> Track {
    let caps = pad.current_caps();
    let structure = caps.as_ref().and_then(|caps| caps.structure(0));
    let number = |name: &str| {
        let value = structure?.value(name).ok()?;
        let signed = value.get::<i32>().ok().and_then(|number| u32::try_from(number).ok());
        signed.or_else(|| value.get::<u32>().ok())
    };
    let text = |name: &str| structure.and_then(|structure| structure.get::<String>(name).ok());
    let aspect = structure.and_then(|structure| structure.get::<gst::Fraction>("pixel-aspect-ratio").ok());
    let kind = structure.map(|structure| structure.name().to_string()).unwrap_or_default();
    let mpeg = |name: &str| structure.and_then(|structure| structure.get::<i32>(name).ok());
    let sound = kind.starts_with("audio/").then(|| Sound {
        channels: number("channels").unwrap_or(0),
        sample_rate: number("rate").unwrap_or(0),
        mpeg: mpeg("mpegversion").map(|version| (version, mpeg("layer").unwrap_or(0))),
    });
    let coding = Coding {
        profile: text("profile"),
        level: text("level"),
        is_interlaced: text("interlace-mode").is_some_and(|mode| mode != "progressive"),
        pixel_aspect: aspect.map(|aspect| (aspect.numer(), aspect.denom())).filter(|(n, d)| 0 < *n && 0 < *d),
        bits: number("bit-depth-luma").or_else(|| number("bit-depth")).filter(|bits| 0 < *bits),
        colorimetry: text("colorimetry"),
        ..tally.coding()
    };
    Track {
        id: pad.stream_id().map(|id| id.to_string()).unwrap_or_default(),
        kind,
        width: number("width").unwrap_or(0),
        height: number("height").unwrap_or(0),
        reaches_ns: tally.reaches_ns,
        times: tally.times(),
        coding,
        sound,
    }
}
