//! The sound of a clip, which `lp` does not play.

use serde::{Deserialize, Serialize};

/// The format of a sound track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sound {
    pub channels: u32,
    /// Samples a second.
    pub sample_rate: u32,
    /// Of caps `audio/mpeg`: the version of MPEG, and the layer of version 1.
    pub mpeg: Option<(i32, i32)>,
}

impl Sound {
    /// The name of its codec: `AAC`; that of its caps if `lp` knows no other.
    #[must_use]
    pub fn name<'a>(&self, kind: &'a str) -> &'a str {
        match (kind, self.mpeg) {
            ("audio/mpeg", Some((2 | 4, _))) => "AAC",
            ("audio/mpeg", Some((1, 3))) => "MP3",
            ("audio/mpeg", Some((1, 2))) => "MP2",
            ("audio/x-opus", _) => "Opus",
            ("audio/x-vorbis", _) => "Vorbis",
            ("audio/x-flac", _) => "FLAC",
            ("audio/x-ac3", _) => "AC-3",
            ("audio/x-eac3", _) => "E-AC-3",
            ("audio/x-mulaw", _) => "G.711 mu-law",
            ("audio/x-alaw", _) => "G.711 A-law",
            ("audio/x-raw", _) => "PCM",
            _ => kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_have_the_names_that_people_use() {
        let name = |kind: &'static str, mpeg| Sound { mpeg, ..Sound::default() }.name(kind);
        let names = [
            name("audio/mpeg", Some((4, 0))),
            name("audio/mpeg", Some((1, 3))),
            name("audio/mpeg", None),
            name("audio/x-opus", None),
        ];
        assert_eq!(names, ["AAC", "MP3", "audio/mpeg", "Opus"]);
    }
}
