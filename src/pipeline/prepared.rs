//! What is played in the place of a video file, and what was done to it:
//! `media/clips/scan-640x360-15.json`, beside the clip.
//!
//! Pure. `action` writes it, a run reads it: the codec decides the parser and the
//! decoder, and the record keeps all of it.

use serde::{Deserialize, Serialize};

use super::clip::{Contents, Track};
use super::codec::Codec;

/// Between the size or rate of a clip and that of its camera, in a reason.
pub(super) const UNLIKE_CAMERA: &str = ", and the camera's ";

/// The version of the file.
pub const VERSION: u32 = 1;

/// What is played in the place of a video file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreparedClip {
    /// [`VERSION`].
    pub version: u32,
    pub done: Preparation,
    /// Why it is not played as it is; empty if it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// What the camera has and the file has not: `5 fps to 10: each frame twice`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_up: Vec<String>,
    /// The video that is decoded.
    pub video: Video,
    /// The video in the file.
    pub source: Video,
}

/// What was done to a video file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preparation {
    /// Nothing: the bytes are those of the file.
    AsItIs,
    /// Its frames were put into another container.
    Remuxed,
    /// Its frames were decoded and encoded.
    Encoded,
}

impl Preparation {
    /// `as it is`
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Preparation::AsItIs => "as it is",
            Preparation::Remuxed => "remuxed",
            Preparation::Encoded => "encoded",
        }
    }
}

/// Encoded video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Video {
    /// The caps of its container: `video/quicktime`.
    pub container: String,
    /// `h264`, or the name of caps: `video/mpeg`.
    pub codec: String,
    /// `high`, `main-10`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// `4.1`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Bits per second, without its container.
    pub bit_rate: u64,
    /// The most frames from one key frame to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gop: Option<u64>,
    /// The most frames in a row that are shown before one that was decoded earlier.
    pub b_frames: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames per second, on average.
    pub fps: f64,
    pub frames: u64,
    pub duration_ms: u64,
}

impl Video {
    /// The video of a track.
    #[must_use]
    pub fn of(contents: &Contents, film: &Track) -> Video {
        let duration_ns = film.times.duration_ns();
        let codec = film.codec().map_or_else(|| film.kind.clone(), |codec| codec.word().to_owned());
        let bit_rate = u128::from(film.coding.n_bytes) * 8 * 1_000_000_000 / u128::from(duration_ns.max(1));
        Video {
            container: contents.container.clone(),
            codec,
            profile: film.coding.profile.clone(),
            level: film.coding.level.clone(),
            bit_rate: if duration_ns == 0 { 0 } else { u64::try_from(bit_rate).unwrap_or(0) },
            gop: film.coding.gop,
            b_frames: film.coding.b_frames,
            width: film.width,
            height: film.height,
            fps: (film.times.steady_rate() * 1_000.0).round() / 1_000.0,
            frames: film.times.n_frames,
            duration_ms: duration_ns / 1_000_000,
        }
    }

    /// `None` if it is none that `lp` plays.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.word() == self.codec)
    }

    /// `H.264`
    #[must_use]
    pub fn name(&self) -> String {
        self.codec().map_or_else(|| self.codec.clone(), |codec| codec.name().to_owned())
    }

    /// `H.264 High 4.1, 8.02 Mbit/s, GOP 30, 2 B-frames`
    #[must_use]
    pub fn words(&self) -> String {
        let name = self.name();
        let profile =
            self.profile.as_deref().map_or(String::new(), |profile| format!(" {}", capitals(profile)));
        let level = self.level.as_deref().map_or(String::new(), |level| format!(" {level}"));
        let gop = match self.gop {
            Some(1) => ", every frame a key frame".to_owned(),
            Some(gop) => format!(", GOP {gop}"),
            None if self.codec().is_some_and(|codec| !codec.has_gop()) => String::new(),
            None => ", one key frame".to_owned(),
        };
        let b_frames = match self.b_frames {
            0 => String::new(),
            1 => ", 1 B-frame".to_owned(),
            n => format!(", {n} B-frames"),
        };
        format!("{name}{profile}{level}, {}{gop}{b_frames}", bits(self.bit_rate))
    }

    /// `1920x1080 at 15 fps`
    #[must_use]
    pub fn size(&self) -> String {
        format!("{}x{} at {} fps", self.width, self.height, rate(self.fps))
    }
}

impl PreparedClip {
    /// What is decoded and where it comes from, in one line.
    #[must_use]
    pub fn words(&self) -> String {
        let video = self.video.words();
        match self.done {
            Preparation::AsItIs => format!("{video}, played as it is"),
            Preparation::Remuxed => format!("{video}, remuxed: {}", self.because.join("; ")),
            Preparation::Encoded => {
                let Video { bit_rate, .. } = self.source;
                let from = format!("{} {}, {}", self.source.name(), self.source.size(), bits(bit_rate));
                // Another size or rate is seen without words.
                let rest = self.because.iter().filter(|reason| !reason.contains(UNLIKE_CAMERA));
                let rest: Vec<&str> = rest.map(String::as_str).collect();
                let because = if rest.is_empty() { String::new() } else { format!(": {}", rest.join("; ")) };
                format!("{video}, encoded from {from}{because}")
            }
        }
    }

    /// What the camera has and the file has not, in one line; `None` if there is nothing.
    #[must_use]
    pub fn made_up_words(&self) -> Option<String> {
        (!self.made_up.is_empty()).then(|| self.made_up.join("; "))
    }
}

/// `high-4:2:2` becomes `High 4:2:2`.
fn capitals(profile: &str) -> String {
    let mut letters = profile.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", letters.as_str().replace('-', " "))
}

/// `8.02 Mbit/s`, `95 kbit/s`
fn bits(bit_rate: u64) -> String {
    if 1_000_000 <= bit_rate {
        format!("{:.2} Mbit/s", bit_rate as f64 / 1e6)
    } else {
        format!("{} kbit/s", (bit_rate + 500) / 1_000)
    }
}

/// A rate with up to two decimals.
#[must_use]
pub fn rate(fps: f64) -> String {
    let text = format!("{fps:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_clip_says_what_is_decoded_and_why() {
        let source = Video {
            container: "video/x-matroska".to_owned(),
            codec: "h265".to_owned(),
            profile: Some("main-10".to_owned()),
            level: Some("4.1".to_owned()),
            bit_rate: 8_016_000,
            gop: Some(50),
            b_frames: 2,
            width: 640,
            height: 360,
            fps: 29.97,
            frames: 300,
            duration_ms: 10_010,
        };
        let video = Video { gop: Some(30), b_frames: 0, bit_rate: 94_600, profile: None, ..source.clone() };
        let clip = |done, because: &[&str]| PreparedClip {
            version: VERSION,
            done,
            because: because.iter().map(|text| (*text).to_owned()).collect(),
            made_up: Vec::new(),
            video: if done == Preparation::Encoded { video.clone() } else { source.clone() },
            source: source.clone(),
        };
        let all = [
            clip(Preparation::AsItIs, &[]),
            clip(Preparation::Remuxed, &["its container is no MP4"]),
            clip(Preparation::Encoded, &["its rate is 29.97, and the camera's 15", "it is turned"]),
            clip(Preparation::Encoded, &["its rate is 29.97, and the camera's 15"]),
        ];
        expect![[r#"
            H.265 Main 10 4.1, 8.02 Mbit/s, GOP 50, 2 B-frames, played as it is
            H.265 Main 10 4.1, 8.02 Mbit/s, GOP 50, 2 B-frames, remuxed: its container is no MP4
            H.265 4.1, 95 kbit/s, GOP 30, encoded from H.265 640x360 at 29.97 fps, 8.02 Mbit/s: it is turned
            H.265 4.1, 95 kbit/s, GOP 30, encoded from H.265 640x360 at 29.97 fps, 8.02 Mbit/s
        "#]]
        .assert_eq(&all.map(|clip| clip.words() + "\n").concat());
    }
}
