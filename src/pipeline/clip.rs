//! The contents of a clip, and whether the decoder delivered all of them.
//!
//! The worker reads a clip once from end to end without decoding it
//! ([`Contents`]), and counts the frames that leave the decoder while it transcodes
//! ([`Decoded`]). The decisions are here, and pure: which track is
//! the film ([`Contents::film`]), what the clip lacks ([`Contents::fault`]), and
//! what the decoder lost ([`Decoded::loss`]).
//!
//! A clip may hold more than it announces: a recorder that was stopped leaves an
//! early length in the header, and everything plays. It must not hold less.
//!
//! Not here: whether it can be played as it is (`fit`).
//!
//! Times are nanoseconds of the pipeline's running time, so edit lists and
//! clips that do not begin at 0 are accounted for.

mod sound;
#[cfg(test)]
mod tests;
mod times;

use serde::{Deserialize, Serialize};

pub use self::sound::Sound;
pub use self::times::Times;
use self::times::seconds;
use super::codec::Codec;
use super::reception::Reception;

/// A longer pause between two frames is a jump of the recorder's clock and not a
/// recording, unless the clip is a time lapse.
const PAUSE_NS: u64 = 10_000_000_000;

/// In a time lapse, a pause of this many usual intervals is a jump.
const PAUSE_INTERVALS: u64 = 20;

/// How much of its announced length a clip may lack, whichever is more: headers
/// are rounded, and may count tracks that are not read.
const TOLERANCE_NS: u64 = 1_000_000_000;
const TOLERANCE_PARTS: u64 = 20;

/// How much of the end of a film the decoder may lose.
const LOST_END_NS: u64 = 500_000_000;

/// How many intervals a frame's own time may differ from the one that is estimated for
/// it: a frame is hardly ever further from those that it is predicted from.
const REORDERED: u64 = 5;

/// A clip, as one pass over the whole file found it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The name of the file's caps: `video/quicktime`.
    #[serde(default)]
    pub container: String,
    /// The duration that the container announces.
    pub announced_ns: Option<u64>,
    /// In the order in which the container has them: video, sound, subtitles.
    pub tracks: Vec<Track>,
    /// Of a stream of RTP: how it was received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reception: Option<Reception>,
}

/// The point at which a file ends too early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The part within which it ends, as `` `mdat` at byte 40 has 60 of 100 bytes``.
    pub part: String,
    /// Bytes of the file.
    pub n_there: u64,
    /// Bytes of frames that it lacks; `None` if it may lack more than the rest of the part.
    pub n_lost: Option<u64>,
    /// Whether it lacks the positions of all frames, which come after it: none can be read.
    pub lacks_index: bool,
}

impl Cut {
    /// Why nothing of the file can be read; `None` if something can.
    #[must_use]
    pub fn unreadable(&self) -> Option<String> {
        self.lacks_index.then(|| {
            format!("is cut off: {}, and the index of its frames, which is at its end, is missing", self.part)
        })
    }
}

/// A track of a clip.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// GStreamer's id of the stream, which finds it again.
    pub id: String,
    /// The name of its caps: `video/x-h264`, `image/jpeg`, `audio/mpeg`.
    pub kind: String,
    /// Pixels; 0 if it has no pictures.
    pub width: u32,
    /// Pixels; 0 if it has no pictures.
    pub height: u32,
    /// Its end in the container's own time, which may begin before its first frame, and
    /// in which the container announces its length.
    pub reaches_ns: u64,
    /// Its frames and their times.
    pub times: Times,
    /// How its frames are encoded.
    #[serde(default)]
    pub coding: Coding,
    /// What is heard; `None` if it is no sound.
    #[serde(default)]
    pub sound: Option<Sound>,
}

/// How the frames of a track are encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coding {
    /// `high`, as the parser names it.
    pub profile: Option<String>,
    /// `4.1`
    pub level: Option<String>,
    /// Of all frames.
    pub n_bytes: u64,
    /// The most frames from one key frame to the next; `None` if there are not two.
    pub gop: Option<u64>,
    /// The most frames in a row that are shown before one that was decoded earlier.
    pub b_frames: u64,
    pub is_interlaced: bool,
    /// How the container asks for frames to be turned or mirrored, as GStreamer's tag has
    /// it: `rotate-90`; `None` if it does not.
    pub turn: Option<String>,
    /// Width and height of a pixel.
    pub pixel_aspect: Option<(i32, i32)>,
    /// Whether frames of a GOP refer to the one before: some are shown before the key frame
    /// that they come after. `None` if there are not two key frames, or nothing shows it.
    pub is_open: Option<bool>,
    /// Bits per sample of brightness.
    pub bits: Option<u32>,
    /// GStreamer's name of the colours, `bt2100-pq`, or its numbers for range, matrix,
    /// transfer and primaries, `2:6:14:7`.
    pub colorimetry: Option<String>,
}

impl Track {
    /// `None` if it is none that `lp` plays.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        Codec::of_caps(&self.kind)
    }

    fn has_pictures(&self) -> bool {
        self.kind.starts_with("video/") || self.kind.starts_with("image/")
    }

    fn area(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

impl Coding {
    /// The name of the transfer function, if that is one of high dynamic range (ITU-R BT.2100).
    #[must_use]
    pub fn high_dynamic_range(&self) -> Option<&'static str> {
        let colorimetry = self.colorimetry.as_deref()?;
        match (colorimetry, colorimetry.split(':').nth(2)) {
            ("bt2100-pq", _) | (_, Some("14")) => Some("PQ"),
            ("bt2100-hlg", _) | (_, Some("15")) => Some("HLG"),
            _ => None,
        }
    }
}

impl Contents {
    /// The main video track: the largest of those with pictures, except a cover, a
    /// preview or the pictures of chapters, which have few frames or are short.
    #[must_use]
    pub fn film(&self) -> Option<&Track> {
        let pictures = || self.tracks.iter().filter(|track| track.has_pictures() && 0 < track.times.n_frames);
        let most = pictures().map(|track| track.times.n_frames).max()?;
        let longest = pictures().map(|track| track.times.duration_ns()).max()?;
        let is_film =
            |track: &&Track| most <= track.times.n_frames * 10 && longest <= track.times.duration_ns() * 2;
        let best = |track: &&Track| (is_film(track), track.area(), track.times.n_frames);
        // The first of equals; `max_by_key` takes the last.
        pictures().rev().max_by_key(best)
    }

    /// Why a file without a film cannot be played: `has no video`.
    #[must_use]
    pub fn without_film(&self) -> String {
        match self.tracks.iter().map(|track| format!("`{}`", track.kind)).collect::<Vec<_>>().join(" and ") {
            kinds if kinds.is_empty() => "has no video".to_owned(),
            kinds => format!("has no video, only {kinds}"),
        }
    }

    fn reaches_ns(&self) -> u64 {
        self.tracks.iter().map(|track| track.reaches_ns).max().unwrap_or(0)
    }

    /// Whether a cut took no more of the end than a decoder may lose: by the announced
    /// length (`false` if none is known), and by the missing bytes at the average rate.
    fn lacks_little(&self, film: &Track, cut: &Cut) -> bool {
        let is_reached =
            self.announced_ns.is_some_and(|announced| announced <= self.reaches_ns() + LOST_END_NS);
        let lost_ns = cut.n_lost.map(|n_lost| {
            u128::from(film.times.duration_ns()) * u128::from(n_lost) / u128::from(cut.n_there.max(1))
        });
        is_reached && lost_ns.is_some_and(|lost_ns| lost_ns <= u128::from(LOST_END_NS))
    }

    /// The reason why `film` cannot be played as it was recorded: it is shorter than
    /// announced, or has a jump of the clock. `cut` is the point at which the file is
    /// known to be cut off: it may lack the end that a decoder may lose.
    #[must_use]
    pub fn fault(&self, film: &Track, cut: Option<&Cut>) -> Option<String> {
        let reaches_ns = self.reaches_ns();
        let cut = cut.filter(|cut| !self.lacks_little(film, cut)).map(|cut| &cut.part);
        let tolerated_ns = TOLERANCE_NS.max(reaches_ns / TOLERANCE_PARTS);
        let is_short = self
            .announced_ns
            .is_some_and(|announced| 0 < reaches_ns && reaches_ns + tolerated_ns < announced);
        let Times { n_frames, last_ns, end_ns, interval_ns, .. } = film.times;
        // As of an encoding that the container's reader does not know.
        if film.kind == "video/x-raw" && film.coding.n_bytes < film.area().saturating_mul(n_frames) {
            return Some(
                "has frames in an encoding that GStreamer does not know in this container".to_owned(),
            );
        }
        if cut.is_some() || is_short {
            let announced = match self.announced_ns {
                Some(announced) if end_ns < announced => format!("it announces {}, but ", seconds(announced)),
                _ => String::new(),
            };
            let cut = cut.map_or(String::new(), |cut| format!(": {cut}"));
            return Some(format!(
                "is cut off: {announced}its video ends at {} after {n_frames} frames{cut}",
                seconds(end_ns)
            ));
        }
        // The last frame may be the one with the pause.
        let pauses = [(film.times.pause_ns, film.times.pause_at_ns), (end_ns - last_ns, last_ns)];
        let (pause_ns, pause_at_ns) = pauses.into_iter().max().unwrap_or_default();
        if PAUSE_NS.max(interval_ns.saturating_mul(PAUSE_INTERVALS)) < pause_ns {
            return Some(format!(
                "has a jump of its clock: no frame for {} from {} on, where frames come every {}; \
                 cut it there, or give its frames new times",
                seconds(pause_ns),
                seconds(pause_at_ns),
                seconds(interval_ns)
            ));
        }
        None
    }
}

/// The output of the decoder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// When its frames are shown.
    pub times: Times,
    /// Frames that the decoder reports as damaged.
    pub n_damaged: u64,
    /// When the first of them is shown.
    pub damaged_at_ns: u64,
    /// Whether the decoder calls its frames fields, which not every parser tells before.
    #[serde(default)]
    pub is_interlaced: bool,
}

/// A loss between the file and the decoder's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The end of the film.
    End(String),
    Frames(String),
}

impl Decoded {
    /// The part of `film` that the decoder did not deliver, or not whole. Fewer frames are
    /// not a loss by themselves: some codecs have packets without a picture of their own.
    /// Nor are other times: decoders round, and give frames times of their own. Both are.
    #[must_use]
    pub fn loss(&self, film: &Times) -> Option<Loss> {
        let times = &self.times;
        if times.n_frames == 0 {
            return Some(Loss::End(format!(
                "is damaged: none of its {} frames can be decoded",
                film.n_frames
            )));
        }
        let damaged = (0 < self.n_damaged).then(|| {
            let at = seconds(self.damaged_at_ns);
            Loss::Frames(format!("{} damaged frames, the first at {at}", self.n_damaged))
        });
        if film.n_frames <= times.n_frames {
            return damaged;
        }
        let slack_ns = if film.are_guessed { film.interval_ns * REORDERED } else { film.interval_ns * 3 / 4 };
        if times.last_ns + slack_ns.max(LOST_END_NS) < film.last_ns {
            return Some(Loss::End(format!(
                "is damaged from {} on: its video goes on to {}, but {} of {} frames can be decoded",
                seconds(times.end_ns),
                seconds(film.end_ns),
                times.n_frames,
                film.n_frames
            )));
        }
        if damaged.is_some() {
            return damaged;
        }
        let gap = if film.begin_ns + slack_ns < times.begin_ns {
            (film.begin_ns, times.begin_ns)
        } else if film.pause_ns + slack_ns < times.pause_ns {
            (times.pause_at_ns, times.pause_at_ns + times.pause_ns)
        } else if times.last_ns + slack_ns < film.last_ns {
            (times.last_ns, film.end_ns)
        } else {
            return None;
        };
        let (from, to) = (seconds(gap.0), seconds(gap.1));
        Some(Loss::Frames(format!("no frame between {from} and {to} can be decoded")))
    }
}

/// The counts of a change of the rate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resampled {
    pub n_in: u64,
    pub n_out: u64,
    /// Frames that left more than once, each time but the first.
    pub n_copies: u64,
}
