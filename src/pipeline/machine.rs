//! The elements of a machine: GStreamer's version, its element factories and their
//! properties, and why a pipeline cannot be built there.
//!
//! Plain data. `worker` fills it by asking an `lp-worker`; `dialect::check`
//! compares it with what a plan needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The plugin of the elements that the worker itself has under names of DL Streamer's.
pub const OWN_PLUGIN: &str = "lp-worker";

/// One element factory that is installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factory {
    /// The plugin that contains it: `opencv`.
    pub plugin: String,
    /// That plugin's version: `1.22.0`.
    pub version: String,
    /// The file that the worker loads it from; `None` for its own elements, and of an older worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// The elements of the machine that a worker runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The version of the worker's protocol.
    pub protocol: u32,
    /// GStreamer's version: `1.22.0`.
    pub gstreamer: String,
    /// Requested factories: `None` for those that are not installed.
    pub factories: BTreeMap<String, Option<Factory>>,
    /// Properties of the factories that were described, by factory and name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, BTreeMap<String, PropertyInfo>>,
    /// Every factory of the registry, if one whose description was requested is not
    /// among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A property of an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropertyInfo {
    /// The values that it takes.
    #[serde(flatten)]
    pub kind: PropertyKind,
    /// Whether a pipeline can set it.
    pub writable: bool,
    /// Its default, as GStreamer writes it; `None` where that
    /// cannot be written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// The values that a property takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PropertyKind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: u64,
    },
    /// A real number.
    Number {
        /// The least.
        min: f64,
        /// The greatest.
        max: f64,
    },
    Text,
    /// One of these words: an enum.
    Word {
        nicks: Vec<String>,
    },
    /// Some of these words joined by `+`: flags.
    Words {
        nicks: Vec<String>,
    },
    /// A value that only GStreamer can read, such as caps.
    Other {
        /// The name of its GObject type: `GstCaps`.
        name: String,
    },
}

/// Why a pipeline cannot be built on a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildFault {
    /// The message, a sentence.
    pub reason: String,
    /// The faulty element, by its index in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<usize>,
    /// Its property that cannot be set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// The next element, if these two cannot be linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkFault>,
}

/// Two elements that cannot be linked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFault {
    /// The second element, by its index in the spec.
    pub to: usize,
    /// Caps that the first element gives, shortened.
    pub gives: String,
    /// Caps that the second element takes, shortened.
    pub takes: String,
}

impl BuildFault {
    /// A fault of the whole pipeline.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> BuildFault {
        BuildFault { reason: reason.into(), element: None, property: None, link: None }
    }

    /// A fault of one element.
    #[must_use]
    pub fn of(element: usize, reason: impl Into<String>) -> BuildFault {
        BuildFault { element: Some(element), ..BuildFault::new(reason) }
    }
}

impl Machine {
    /// Whether `factory` was requested and is installed.
    #[must_use]
    pub fn has(&self, factory: &str) -> bool {
        self.factories.get(factory).is_some_and(Option::is_some)
    }

    /// Whether the detector that was requested is the worker's own: its machine has no DL Streamer.
    #[must_use]
    pub fn infers_natively(&self) -> bool {
        let detector = self.factories.get("gvadetect").and_then(Option::as_ref);
        detector.is_some_and(|factory| factory.plugin == OWN_PLUGIN)
    }
}

/// The Debian package of an element factory, for the hint how to install it. `None`
/// for factories that no Debian package is known to have.
#[must_use]
pub fn debian_package(factory: &str) -> Option<&'static str> {
    Some(match factory {
        "motioncells" | "facedetect" | "faceblur" | "edgedetect" | "cvtracker" => "gstreamer1.0-opencv",
        "zbar" | "h264parse" | "h265parse" | "jpegparse" | "vp9parse" | "av1parse" | "h264timestamper"
        | "h265timestamper" | "x265enc" | "av1enc" | "av1dec" | "fakevideosink" | "vapostproc"
        | "fpsdisplaysink" => "gstreamer1.0-plugins-bad",
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "qtdemux" | "mp4mux" | "qtmux" | "matroskademux" | "v4l2src" | "rtspsrc" | "rtph264depay"
        | "videocrop" | "jpegdec" | "jpegenc" | "vp9enc" | "vp9dec" | "deinterlace" | "videoflip"
        | "capssetter" => "gstreamer1.0-plugins-good",
        "filesrc" | "filesink" | "queue" | "fakesink" | "identity" | "capsfilter" | "tee" | "funnel"
        | "clocksync" => "libgstreamer1.0-0",
        "videoconvert" | "videoscale" | "videorate" | "videotestsrc" | "decodebin" | "decodebin3"
        | "parsebin" | "videoconvertscale" => "gstreamer1.0-plugins-base",
        "qroverlay" => "gstreamer1.0-plugins-bad",
        _ if factory.starts_with("avdec_") || factory.starts_with("avenc_") => "gstreamer1.0-libav",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_factories_are_present() {
        let found = Factory { plugin: "zbar".into(), version: "1.22.0".into(), file: None };
        let factories = [("zbar".to_owned(), Some(found)), ("gvadetect".to_owned(), None)].into();
        let mut machine =
            Machine { protocol: 1, gstreamer: "1.22.0".into(), factories, ..Machine::default() };
        assert!(machine.has("zbar"));
        assert!(!machine.has("gvadetect"));
        assert!(!machine.has("queue"));

        assert!(!machine.infers_natively());
        for (plugin, is_own) in [("dlstreamer", false), (OWN_PLUGIN, true)] {
            let found = Factory { plugin: plugin.to_owned(), version: "1.0".to_owned(), file: None };
            machine.factories.insert("gvadetect".to_owned(), Some(found));
            assert_eq!(machine.infers_natively(), is_own);
        }
    }
}
