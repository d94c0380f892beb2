//! What a machine can play: GStreamer's version and its element factories.
//!
//! Plain data. `worker` fills it by asking an `lp-worker`; `dialect::check`
//! compares it with what a plan needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One element factory that is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factory {
    /// The plugin that brings it: `opencv`.
    pub plugin: String,
    /// That plugin's version: `1.22.0`.
    pub version: String,
}

/// What the machine behind a worker has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The version of the worker's protocol.
    pub protocol: u32,
    /// GStreamer's version: `1.22.0`.
    pub gstreamer: String,
    /// Factories that were asked for: `None` for those that are not installed.
    pub factories: BTreeMap<String, Option<Factory>>,
}

impl Machine {
    /// Whether `factory` was asked for and is installed.
    #[must_use]
    pub fn has(&self, factory: &str) -> bool {
        self.factories.get(factory).is_some_and(Option::is_some)
    }
}

/// The Debian package that brings an element factory, for the hint that says
/// how to get it. `None` for factories that no Debian package is known to have.
#[must_use]
pub fn debian_package(factory: &str) -> Option<&'static str> {
    Some(match factory {
        "motioncells" | "facedetect" | "faceblur" | "edgedetect" | "cvtracker" => "gstreamer1.0-opencv",
        "zbar" | "h264parse" | "h265parse" | "jpegparse" | "fakevideosink" | "vapostproc"
        | "fpsdisplaysink" => "gstreamer1.0-plugins-bad",
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "qtdemux" | "mp4mux" | "matroskademux" | "v4l2src" | "rtspsrc" | "rtph264depay" | "videocrop"
        | "jpegdec" => "gstreamer1.0-plugins-good",
        "filesrc" | "filesink" | "queue" | "fakesink" | "identity" | "capsfilter" | "tee" | "clocksync" => {
            "libgstreamer1.0-0"
        }
        "videoconvert" | "videoscale" | "videorate" | "videotestsrc" | "decodebin" | "decodebin3"
        | "videoconvertscale" => "gstreamer1.0-plugins-base",
        "qroverlay" => "gstreamer1.0-plugins-bad",
        _ if factory.starts_with("avdec_") || factory.starts_with("avenc_") => "gstreamer1.0-libav",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_found_is_there() {
        let found = Factory { plugin: "zbar".into(), version: "1.22.0".into() };
        let factories = [("zbar".to_owned(), Some(found)), ("gvadetect".to_owned(), None)].into();
        let machine = Machine { protocol: 1, gstreamer: "1.22.0".into(), factories };
        assert!(machine.has("zbar"));
        assert!(!machine.has("gvadetect"));
        assert!(!machine.has("queue"));
    }
}
