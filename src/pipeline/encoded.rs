//! Films that are encoded for a camera: what they have to be, and what became of their
//! pictures.

use super::clip::Track;
use super::codec::Codec;
use super::fit::{RATE_TOLERANCE, Wanted};

/// What an encoded film has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    pub wanted: Wanted,
    pub codec: Codec,
    /// Frames that went into the encoder.
    pub n_frames: u64,
    /// Whether they came evenly.
    pub is_even: bool,
}

impl Expected {
    /// How a film differs from what was to be encoded.
    #[must_use]
    pub fn fault(&self, film: &Track) -> Option<String> {
        let Expected { wanted: Wanted { width, height, fps }, codec, n_frames, is_even } = *self;
        if film.codec() != Some(codec) {
            return Some(format!("it is `{}`, not {}", film.kind, codec.name()));
        }
        if (film.width, film.height) != (width, height) {
            return Some(format!("its frames are {}x{}, not {width}x{height}", film.width, film.height));
        }
        if film.times.n_frames != n_frames {
            return Some(format!("it has {} frames, not {n_frames}", film.times.n_frames));
        }
        let (length, expected) = (film.times.duration_ns() as f64 / 1e9, n_frames as f64 / fps);
        let tolerated = 1.0 / fps + expected * RATE_TOLERANCE;
        (is_even && tolerated < (length - expected).abs())
            .then(|| format!("it is {length:.3} s long, not {expected:.3} s"))
    }
}

/// What a camera's proportions do to the picture of a film; `None` if it has them.
#[must_use]
pub fn reshaped(film: &Track, wanted: &Wanted, done: Reshaping) -> Option<String> {
    let coding = &film.coding;
    let (aspect_w, aspect_h) =
        coding.pixel_aspect.filter(|(width, height)| 0 < *width && 0 < *height).unwrap_or((1, 1));
    let upright =
        (f64::from(film.width) * f64::from(aspect_w)) / (f64::from(film.height) * f64::from(aspect_h));
    let lies = coding.turn.as_deref().is_some_and(|turn| turn.ends_with("90") || turn.ends_with("270"));
    let picture = if lies { 1.0 / upright } else { upright };
    let camera = f64::from(wanted.width) / f64::from(wanted.height);
    // A pixel or two are rounding.
    let part = (picture / camera).min(camera / picture);
    if !part.is_finite() || 0.99 < part {
        return None;
    }
    let (percent, where_) = (
        (100.0 - part * 100.0).round(),
        if picture < camera { ["width", "height"] } else { ["height", "width"] },
    );
    Some(match done {
        Reshaping::Bars => format!("{percent} % of the {} are bars", where_[0]),
        Reshaping::Stretch => {
            format!("its picture is stretched by {:.0} % in {}", 100.0 / part - 100.0, where_[0])
        }
        Reshaping::Crop => format!("{percent} % of the {} of its picture are cut off", where_[1]),
    })
}

/// What becomes of a picture of other proportions than the camera's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reshaping {
    /// Bars fill the rest.
    Bars,
    /// It fills the frame.
    Stretch,
    /// What does not fit is cut off.
    Crop,
}

#[cfg(test)]
mod tests {
    use super::super::clip::{Coding, Times};
    use super::*;

    const CAMERA: Wanted = Wanted { width: 640, height: 360, fps: 10.0 };

    fn film(shown_ms: impl Iterator<Item = u64>) -> Track {
        let times = Times::of(shown_ms.map(|ms| ms * 1_000_000).collect(), Some(100_000_000));
        let kind = "video/x-h264".to_owned();
        Track { kind, width: 640, height: 360, times, ..Track::default() }
    }

    fn even() -> Track {
        film((0..30).map(|n| n * 100))
    }

    #[test]
    fn a_result_that_is_not_what_was_encoded_is_refused() {
        let expected = Expected { wanted: CAMERA, codec: Codec::H264, n_frames: 30, is_even: true };
        let fault = |film: &Track| expected.fault(film).unwrap_or_default();
        assert_eq!(fault(&even()), "");
        assert_eq!(fault(&film((0..29).map(|n| n * 100))), "it has 29 frames, not 30");
        assert_eq!(fault(&Track { width: 320, ..even() }), "its frames are 320x360, not 640x360");
        assert_eq!(fault(&film((0..30).map(|n| n * 110))), "it is 3.290 s long, not 3.000 s");
        assert_eq!(
            fault(&Track { kind: "video/x-vp9".to_owned(), ..even() }),
            "it is `video/x-vp9`, not H.264"
        );
    }

    #[test]
    fn a_picture_of_other_proportions_says_what_became_of_it() {
        let wide = Track { width: 1280, height: 360, ..even() };
        let done = |film: &Track, done| reshaped(film, &CAMERA, done).unwrap_or_default();
        assert_eq!(done(&even(), Reshaping::Bars), "");
        assert_eq!(done(&wide, Reshaping::Bars), "50 % of the height are bars");
        assert_eq!(done(&wide, Reshaping::Stretch), "its picture is stretched by 100 % in height");
        assert_eq!(done(&wide, Reshaping::Crop), "50 % of the width of its picture are cut off");
        // Pixels twice as high as wide, and lying on its side.
        let aspect = |n, d, turn: Option<&str>| {
            let turn = turn.map(str::to_owned);
            Track { coding: Coding { pixel_aspect: Some((n, d)), turn, ..Coding::default() }, ..even() }
        };
        assert_eq!(done(&aspect(1, 2, None), Reshaping::Bars), "50 % of the width are bars");
        assert_eq!(done(&aspect(1, 1, Some("rotate-90")), Reshaping::Bars), "68 % of the width are bars");
    }
}
