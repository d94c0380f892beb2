//! Whether a clip can be played for a camera as it is.
//!
//! A clip *fits* if its frames have the camera's size and come at its rate, each in its
//! place, and if it plays again and again without a gap or a damaged frame. The second
//! half is tried, not reasoned: the worker plays the whole clip and the beginning of a
//! second pass ([`CheckedLoop`]).
//!
//! Pure. `action` asks the worker, and does what is decided here.

use serde::{Deserialize, Serialize};

use super::clip::{Contents, Decoded, Times, Track};
use super::codec::Codec;
use super::prepared::{Preparation, UNLIKE_CAMERA, Video, rate};

/// The container that can be played again and again.
const LOOPING: &str = "video/quicktime";

/// How much the rate of a clip may differ from that of its camera.
pub(super) const RATE_TOLERANCE: f64 = 0.001;

/// The part of an interval by which a frame may be away from its place.
const UNEVEN_PARTS: u64 = 4;

/// Frames of the second pass that are looked at: beyond any reordering, and usually
/// beyond the first key frame.
const SECOND_PASS: u64 = 100;

/// The frames that a camera needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wanted {
    pub width: u32,
    pub height: u32,
    pub fps: f64,
}

/// What became of a clip that was played again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedLoop {
    /// The frames of the first pass and the beginning of the second.
    pub decoded: Decoded,
    /// Frames that came after one that is shown later.
    pub n_disordered: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    pub is_interlaced: bool,
}

/// How many frames a check plays: all, and some of the second pass.
#[must_use]
pub fn check_frames(film: &Times) -> u64 {
    film.n_frames + film.n_frames.min(SECOND_PASS)
}

impl Wanted {
    /// The frames of a camera that gives what a film has. H.264, as clips are made, has no
    /// odd sizes.
    #[must_use]
    pub fn of(film: &Track) -> Wanted {
        let even = |pixels: u32| pixels - pixels % 2;
        Wanted { width: even(film.width), height: even(film.height), fps: usual_rate(&film.times) }
    }
}

/// The rate of a film as people write it: `25` for 25.003, `29.97` for 30000/1001.
fn usual_rate(times: &Times) -> f64 {
    /// A rate is meant if the measured one differs by less; 30 and 30000/1001 do by 0.001.
    const NEAR: f64 = 0.0003;
    let measured = times.steady_rate();
    let is_near = |rate: f64| (measured - rate).abs() < rate * NEAR;
    let whole = measured.round();
    if whole > 0.0 && is_near(whole) {
        return whole;
    }
    // 23.976, 29.97, 59.94
    let television = (measured * 1.001).round() / 1.001;
    let exact = if television > 0.0 && is_near(television) { television } else { measured };
    (exact * 1000.0).round() / 1000.0
}

/// Why a film can be played in no way, to follow its name.
#[must_use]
pub fn refusal(film: &Track) -> Option<String> {
    let transfer = film.coding.high_dynamic_range()?;
    Some(format!(
        "has a high dynamic range ({transfer}), which no camera of a lane sends and `lp` does not convert: \
         make a video of standard range of it, such as with the filters `zscale` and `tonemap` of `ffmpeg`"
    ))
}

/// What is to be done so that the film of a clip can be played for a camera, before it is
/// tried, and why it is not played as it is.
#[must_use]
pub fn outlook(contents: &Contents, film: &Track, wanted: &Wanted) -> (Preparation, Vec<String>) {
    let misfits = misfits(film, wanted);
    if !misfits.is_empty() {
        return (Preparation::Encoded, misfits);
    }
    match container_misfit(contents) {
        None => (Preparation::AsItIs, Vec::new()),
        Some(reason) if can_be_remuxed(film) => (Preparation::Remuxed, vec![reason]),
        Some(reason) => (Preparation::Encoded, vec![reason]),
    }
}

/// Why the container of a clip cannot be played.
#[must_use]
pub fn container_misfit(contents: &Contents) -> Option<String> {
    let is_looping = contents.container == LOOPING;
    (!is_looping)
        .then(|| format!("its container (`{}`) cannot be played again and again", contents.container))
}

/// Whether the frames of a film can be put into a container that can be played: muxers
/// refuse smaller ones.
#[must_use]
pub fn can_be_remuxed(film: &Track) -> bool {
    film.codec() == Some(Codec::Mjpeg) || (16 <= film.width && 16 <= film.height)
}

/// What keeps the frames of a clip from being those of the camera.
#[must_use]
pub fn misfits(film: &Track, wanted: &Wanted) -> Vec<String> {
    let mut found = Vec::new();
    let Wanted { width, height, fps } = *wanted;
    let (turned, times) = (film.coding.turn.is_some(), &film.times);
    if film.codec().is_none() {
        found.push(format!("`lp` cannot play `{}`", film.kind));
    }
    if (film.width, film.height) != (width, height) {
        found.push(format!("its frames are {}x{}{UNLIKE_CAMERA}{width}x{height}", film.width, film.height));
    }
    if turned {
        found.push("its frames are turned by the container".to_owned());
    }
    if film.coding.is_interlaced {
        found.push("it is interlaced".to_owned());
    }
    if let Some((n, d)) = film.coding.pixel_aspect.filter(|(n, d)| n != d) {
        found.push(format!("its pixels are not square ({n}:{d})"));
    }
    if let Some(bits) = film.coding.bits.filter(|bits| 8 < *bits) {
        found.push(format!("it has {bits} bits per sample, not 8"));
    }
    if times.are_guessed && 0 < film.coding.b_frames {
        found.push("its frames have no times".to_owned());
    }
    if !is_rate(times.steady_rate(), fps) {
        found.push(format!("its rate is {}{UNLIKE_CAMERA}{}", rate(times.steady_rate()), rate(fps)));
    } else if !is_even(times) {
        found.push(format!(
            "its frames do not come evenly: one is {} ms away from its place",
            times.uneven_ns / 1_000_000
        ));
    }
    found
}

fn is_rate(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= wanted * RATE_TOLERANCE
}

/// Whether a grid of its rate has a place for each frame, and a frame for each place.
#[must_use]
pub fn is_even(times: &Times) -> bool {
    times.uneven_ns * UNEVEN_PARTS <= times.interval_ns || times.n_frames < 2
}

impl CheckedLoop {
    /// Why the clip cannot be played again and again.
    #[must_use]
    pub fn fault(&self, film: &Track) -> Option<String> {
        let times = &self.decoded.times;
        let gap = || {
            (!is_even(times))
                .then(|| format!("there is a gap of {} ms where it begins again", times.pause_ns / 1_000_000))
        };
        self.fault_of_frames(film).or_else(gap)
    }

    /// The same of a clip whose frames need not come evenly.
    #[must_use]
    pub fn fault_of_frames(&self, film: &Track) -> Option<String> {
        let times = &self.decoded.times;
        if let Some((w, h)) =
            Some((self.width, self.height)).filter(|size| *size != (film.width, film.height))
        {
            return Some(format!("its frames are {w}x{h} when decoded"));
        }
        if self.is_interlaced {
            return Some("it is interlaced".to_owned());
        }
        if 0 < self.n_disordered {
            return Some("its frames have no times of their own".to_owned());
        }
        if 0 < self.decoded.n_damaged || times.n_frames != check_frames(&film.times) {
            return Some(format!(
                "{} of {} frames can be decoded when it is played again, {} of them damaged",
                times.n_frames,
                check_frames(&film.times),
                self.decoded.n_damaged
            ));
        }
        None
    }
}

/// What a camera has and its clip has not, if frames are encoded for it.
#[must_use]
pub fn made_up(source: &Video, wanted: &Wanted, n_copies: u64, n_out: u64) -> Vec<String> {
    let mut made_up = Vec::new();
    let Wanted { width, height, fps } = *wanted;
    if source.width < width && source.height < height {
        made_up.push(format!("{}x{} scaled up to {width}x{height}", source.width, source.height));
    }
    // A frame at the end may be a copy by rounding.
    if 1 < n_copies {
        let times = fps / source.fps;
        let word = if (times - 2.0).abs() < 0.01 { "doubled to" } else { "raised to" };
        let from = rate(source.fps);
        made_up.push(if is_rate(source.fps, fps) {
            format!("uneven {from} fps filled up: {n_copies} of {n_out} frames are copies")
        } else {
            format!("{from} fps {word} {}: {n_copies} of {n_out} frames are copies", rate(fps))
        });
    }
    made_up
}

/// Bits of a pixel below which encoders that hold a rate damage pictures; and bits per
/// second that even small ones need.
const LEAST_BITS: f64 = 0.05;
const LEAST_BIT_RATE: f64 = 64_000.0;

/// The bit rate at which each pixel has as many bits as in the source, and enough.
/// Copies of frames need none.
#[must_use]
pub fn bit_rate(source: &Video, wanted: &Wanted) -> u64 {
    let pixels = |width: u32, height: u32| f64::from(width) * f64::from(height);
    let area = pixels(wanted.width, wanted.height) / pixels(source.width, source.height).max(1.0);
    let frames = (wanted.fps / source.fps.max(0.001)).min(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bit rates are far below 2^53"
    )]
    let near = (source.bit_rate as f64 * area * frames).round() as u64;
    let least = pixels(wanted.width, wanted.height) * wanted.fps * LEAST_BITS;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes and rates are limited"
    )]
    let least = least.max(LEAST_BIT_RATE) as u64;
    // Encoders count in kilobits.
    near.max(least) / 1_000 * 1_000
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::clip::Coding;
    use super::*;

    const MS: u64 = 1_000_000;
    const CAMERA: Wanted = Wanted { width: 640, height: 360, fps: 10.0 };

    fn film(shown_ms: impl Iterator<Item = u64>) -> Track {
        let times = Times::of(shown_ms.map(|ms| ms * MS).collect(), Some(100 * MS));
        Track {
            id: "film".to_owned(),
            kind: "video/x-h264".to_owned(),
            width: 640,
            height: 360,
            reaches_ns: times.end_ns,
            times,
            coding: Coding::default(),
            sound: None,
        }
    }

    fn even() -> Track {
        film((0..30).map(|n| n * 100))
    }

    #[track_caller]
    fn check(film: &Track, expect: Expect) {
        expect.assert_eq(&misfits(film, &CAMERA).join("\n"));
    }

    #[test]
    fn a_clip_of_the_size_and_rate_fits() {
        check(&even(), expect![""]);
        // Times in milliseconds, and a camera whose clock jitters.
        check(&film((0..30).map(|n| n * 100 + n % 3)), expect![""]);
        check(
            &film((0..30).map(|n| n * 100 + if n % 2 == 0 { 0 } else { 24 })),
            expect!["its rate is 9.92, and the camera's 10"],
        );
        let ntsc = Times::of((0..300).map(|n| n * 1_001 * MS / 30).collect(), None);
        assert_eq!(misfits(&Track { times: ntsc, ..even() }, &Wanted { fps: 30.0, ..CAMERA }), [""; 0]);
    }

    #[test]
    fn everything_that_does_not_fit_is_named() {
        let coding = Coding {
            turn: Some("rotate-90".to_owned()),
            is_interlaced: true,
            bits: Some(10),
            pixel_aspect: Some((16, 11)),
            b_frames: 1,
            ..Coding::default()
        };
        let mut odd =
            Track { coding, width: 720, kind: "video/mpeg".to_owned(), ..film((0..30).map(|n| n * 66)) };
        odd.times.are_guessed = true;
        check(
            &odd,
            expect![[r#"
                `lp` cannot play `video/mpeg`
                its frames are 720x360, and the camera's 640x360
                its frames are turned by the container
                it is interlaced
                its pixels are not square (16:11)
                it has 10 bits per sample, not 8
                its frames have no times
                its rate is 15.15, and the camera's 10"#]],
        );
        check(
            &film((0..30).map(|n| n * 100 + if n == 7 { 60 } else { 0 })),
            expect!["its frames do not come evenly: one is 60 ms away from its place"],
        );
    }

    fn played(shown_ms: impl Iterator<Item = u64>) -> CheckedLoop {
        let times = film(shown_ms).times;
        CheckedLoop {
            decoded: Decoded { times, ..Decoded::default() },
            width: 640,
            height: 360,
            ..CheckedLoop::default()
        }
    }

    #[test]
    fn a_seam_shows_in_the_second_pass() {
        let fault = |played: &CheckedLoop| played.fault(&even()).unwrap_or_default();
        assert_eq!(fault(&played((0..60).map(|n| n * 100))), "");
        expect!["there is a gap of 180 ms where it begins again"]
            .assert_eq(&fault(&played((0..60).map(|n| n * 100 + if n < 30 { 0 } else { 80 }))));
        expect!["59 of 60 frames can be decoded when it is played again, 0 of them damaged"]
            .assert_eq(&fault(&played((0..59).map(|n| n * 100))));
        let damaged = CheckedLoop {
            decoded: Decoded { n_damaged: 2, ..played((0..60).map(|n| n * 100)).decoded },
            ..played((0..60).map(|n| n * 100))
        };
        expect!["60 of 60 frames can be decoded when it is played again, 2 of them damaged"]
            .assert_eq(&fault(&damaged));
    }

    #[test]
    fn copies_and_larger_frames_are_made_up() {
        let source = Video { width: 640, height: 360, fps: 15.0, bit_rate: 1_000_000, ..Video::default() };
        let camera = Wanted { width: 1280, height: 720, fps: 30.0 };
        assert_eq!(
            made_up(&source, &camera, 150, 300),
            ["640x360 scaled up to 1280x720", "15 fps doubled to 30: 150 of 300 frames are copies"]
        );
        // As many bits for each pixel, and none for copies.
        assert_eq!(bit_rate(&source, &camera), 4_000_000);
        assert_eq!(bit_rate(&source, &Wanted { fps: 5.0, ..camera }), 1_333_000);
        // A picture in which nothing moves.
        let still = Video { bit_rate: 900, ..source.clone() };
        assert_eq!(bit_rate(&still, &camera), 1_382_000);
        assert_eq!(bit_rate(&still, &Wanted { width: 160, height: 120, fps: 5.0 }), 64_000);
        let uneven = ["uneven 15 fps filled up: 3 of 300 frames are copies"];
        assert_eq!(made_up(&source, &Wanted { width: 640, height: 360, fps: 15.0 }, 3, 300), uneven);
    }

    #[track_caller]
    fn check_rate(interval_ns: u64, n_frames: u64, expected: f64) {
        let times = Times::of((0..n_frames).map(|n| n * interval_ns).collect(), None);
        assert_eq!(Wanted::of(&Track { times, ..Track::default() }).fps, expected);
    }

    #[test]
    fn rates_are_those_that_people_write() {
        check_rate(40_000_000, 100, 25.0);
        check_rate(66_666_667, 100, 15.0);
        check_rate(33_366_667, 300, 29.97);
        check_rate(41_708_333, 300, 23.976);
        check_rate(16_683_333, 300, 59.94);
        check_rate(71_000_000, 50, 14.085);
        check_rate(2_000_000_000, 5, 0.5);
    }

    #[test]
    fn the_container_decides_only_about_frames_that_fit() {
        let contents = |container: &str| Contents { container: container.to_owned(), ..Contents::default() };
        let done = |container: &str, film: &Track| outlook(&contents(container), film, &CAMERA).0;
        assert_eq!(done("video/quicktime", &even()), Preparation::AsItIs);
        assert_eq!(done("video/webm", &even()), Preparation::Remuxed);
        assert_eq!(done("video/quicktime", &Track { width: 320, ..even() }), Preparation::Encoded);
        let small = Track { width: 8, height: 8, ..even() };
        let wanted = Wanted { width: 8, height: 8, ..CAMERA };
        assert_eq!(outlook(&contents("video/webm"), &small, &wanted).0, Preparation::Encoded);
    }
}
