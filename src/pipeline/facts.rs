//! What is known of a video, as a document: `lp show VIDEO --json`.
//!
//! `docs/schema/video.schema.json` describes it. Pure: `action` reads the video, `cli`
//! prints it.

use serde::Serialize;

use super::clip::{Contents, Track};
use super::fit::{self, Wanted};
use super::prepared::{Preparation, Video};
use super::reception::Reception;

/// The version of the document.
pub const VERSION: u32 = 1;

/// Videos, in the order in which they were asked for.
#[derive(Clone, Debug, Serialize)]
pub struct VideoList {
    /// [`VERSION`].
    pub version: u32,
    pub videos: Vec<VideoFacts>,
}

/// A video file, or a stream.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VideoFacts {
    /// Its path or URI as the user wrote it, without user and password.
    pub video: String,
    /// `None` for a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileFacts>,
    /// The length of what was seen of a stream, which has more; `None` for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_ms: Option<u64>,
    /// Of a stream of RTSP: how it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reception: Option<Reception>,
    /// Of a camera: where it differs from its config, in words; `None` for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differs: Option<Vec<String>>,
    /// The name of the file's caps: `video/quicktime`, `video/x-h264` for a bare stream;
    /// `None` if it cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The video track that is played.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub film: Option<FilmFacts>,
    pub sound: Vec<SoundFacts>,
    /// The names of the caps of all other tracks.
    pub others: Vec<String>,
    /// How it is played for a camera of its own size and rate; `None` if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub played: Option<Played>,
    /// What is wrong with it, in words that follow its name.
    pub faults: Vec<String>,
}

/// The bytes of a file.
#[derive(Clone, Debug, Serialize)]
pub struct FileFacts {
    pub bytes: u64,
    /// 64 lowercase hex digits.
    pub blake3: String,
}

/// The video track that is played.
#[derive(Clone, Debug, Serialize)]
pub struct FilmFacts {
    #[serde(flatten)]
    pub video: Video,
    /// Whether its frames come evenly.
    pub is_constant: bool,
    /// The median time from a frame to the next, in milliseconds.
    pub interval_ms: f64,
    /// The longest time from a frame to the next, in milliseconds.
    pub longest_interval_ms: f64,
    /// The time of the frame before it, in milliseconds.
    pub longest_interval_at_ms: f64,
    /// Whether frames of a GOP refer to the one before; `None` if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_open_gop: Option<bool>,
    pub is_interlaced: bool,
    /// How it is turned or mirrored when it is shown, as GStreamer's tag has it: `rotate-90`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// Width and height of a pixel; `None` if the video does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_aspect: Option<(i32, i32)>,
    /// Bits per sample of brightness; `None` if the parser of its codec does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits: Option<u32>,
    /// GStreamer's name of its colours: `bt709`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colorimetry: Option<String>,
    /// `PQ` or `HLG`; `None` if its range is the standard one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high_dynamic_range: Option<&'static str>,
}

/// A sound track, which `lp` does not play.
#[derive(Clone, Debug, Serialize)]
pub struct SoundFacts {
    /// `AAC`, or the name of its caps.
    pub codec: String,
    pub channels: u32,
    /// Samples a second.
    pub sample_rate: u32,
}

/// How a video is played for a camera.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// Of the camera, in pixels.
    pub width: u32,
    /// Of the camera, in pixels.
    pub height: u32,
    /// Of the camera: frames per second.
    pub fps: f64,
    pub done: Preparation,
    /// Why it is not played as it is.
    pub because: Vec<String>,
}

impl VideoFacts {
    /// What the contents of a video tell. `video` is its name.
    #[must_use]
    pub fn of(video: String, contents: &Contents) -> VideoFacts {
        let film = contents.film();
        let others = contents.tracks.iter().filter(|track| film.is_none_or(|film| film.id != track.id));
        let (sound, others): (Vec<&Track>, Vec<&Track>) = others.partition(|track| track.sound.is_some());
        let sound = sound.into_iter().filter_map(|track| {
            let sound = track.sound.as_ref()?;
            let codec = sound.name(&track.kind).to_owned();
            Some(SoundFacts { codec, channels: sound.channels, sample_rate: sound.sample_rate })
        });
        VideoFacts {
            video,
            container: Some(contents.container.clone()).filter(|name| !name.is_empty()),
            film: film.map(|film| FilmFacts::of(contents, film)),
            sound: sound.collect(),
            others: others.into_iter().map(|track| track.kind.clone()).collect(),
            ..VideoFacts::default()
        }
    }
}

impl FilmFacts {
    fn of(contents: &Contents, film: &Track) -> FilmFacts {
        let ms = |ns: u64| (ns as f64 / 1e3).round() / 1e3;
        let coding = &film.coding;
        FilmFacts {
            video: Video::of(contents, film),
            is_constant: fit::is_even(&film.times),
            interval_ms: ms(film.times.interval_ns),
            longest_interval_ms: ms(film.times.pause_ns),
            longest_interval_at_ms: ms(film.times.pause_at_ns),
            is_open_gop: coding.is_open.filter(|_| 1 < coding.gop.unwrap_or(1)),
            is_interlaced: coding.is_interlaced,
            turn: coding.turn.clone(),
            pixel_aspect: coding.pixel_aspect,
            bits: coding.bits,
            colorimetry: coding.colorimetry.clone(),
            high_dynamic_range: coding.high_dynamic_range(),
        }
    }
}

impl Played {
    /// How the film of a clip is played for a camera of its own size and rate.
    #[must_use]
    pub fn of(contents: &Contents, film: &Track) -> Played {
        let wanted = Wanted::of(film);
        let (done, because) = fit::outlook(contents, film, &wanted);
        let Wanted { width, height, fps } = wanted;
        Played { width, height, fps, done, because }
    }
}

/// A container as people call it; `None` for the stream of a codec without one, and for one
/// that has no other name.
#[must_use]
pub fn container_name(caps: &str) -> Option<&'static str> {
    Some(match caps {
        "video/quicktime" => "MP4 or QuickTime",
        "video/x-matroska" => "Matroska",
        "video/webm" => "WebM",
        "video/mpegts" => "MPEG transport stream",
        "video/x-msvideo" => "AVI",
        "video/x-flv" => "FLV",
        "video/x-ms-asf" => "ASF",
        "application/ogg" => "Ogg",
        "application/x-yuv4mpeg" => "YUV4MPEG2",
        "video/x-ivf" => "IVF",
        "application/x-rtp" => "RTP",
        _ => return None,
    })
}
