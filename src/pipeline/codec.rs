//! The encodings of video that `lp` knows: their names and their elements.
//!
//! Not here: decoders and encoders, which depend on how a pipeline is played
//! (`dialect`) or a clip is made (`action`).

use serde::{Deserialize, Serialize};

/// The encoding of a clip or of an RTSP stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    H264,
    H265,
    Mjpeg,
    /// Of clips only.
    Vp9,
    /// Of clips only.
    Av1,
}

impl Codec {
    pub const ALL: [Codec; 5] = [Codec::H264, Codec::H265, Codec::Mjpeg, Codec::Vp9, Codec::Av1];

    /// As it is written in files: `h264`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Codec::H264 => "h264",
            Codec::H265 => "h265",
            Codec::Mjpeg => "mjpeg",
            Codec::Vp9 => "vp9",
            Codec::Av1 => "av1",
        }
    }

    /// As people write it: `H.264`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Codec::H264 => "H.264",
            Codec::H265 => "H.265",
            Codec::Mjpeg => "MJPEG",
            Codec::Vp9 => "VP9",
            Codec::Av1 => "AV1",
        }
    }

    /// The name of its caps: `video/x-h264`.
    #[must_use]
    pub fn caps(self) -> &'static str {
        match self {
            Codec::H264 => "video/x-h264",
            Codec::H265 => "video/x-h265",
            Codec::Mjpeg => "image/jpeg",
            Codec::Vp9 => "video/x-vp9",
            Codec::Av1 => "video/x-av1",
        }
    }

    /// The codec of caps of this name.
    #[must_use]
    pub fn of_caps(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.caps() == name)
    }

    /// The element that divides its stream into frames.
    #[must_use]
    pub fn parser(self) -> &'static str {
        match self {
            Codec::H264 => "h264parse",
            Codec::H265 => "h265parse",
            Codec::Mjpeg => "jpegparse",
            Codec::Vp9 => "vp9parse",
            Codec::Av1 => "av1parse",
        }
    }

    /// Whether its frames may be predicted from others.
    #[must_use]
    pub fn has_gop(self) -> bool {
        self != Codec::Mjpeg
    }

    /// Whether its encoders make B-frames.
    #[must_use]
    pub fn has_b_frames(self) -> bool {
        matches!(self, Codec::H264 | Codec::H265)
    }
}
