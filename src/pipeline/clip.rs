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

use serde::{Deserialize, Serialize};

use super::codec::Codec;

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
    /// Whether the container says that frames are to be turned or mirrored.
    pub is_turned: bool,
    /// Width and height of a pixel.
    pub pixel_aspect: Option<(i32, i32)>,
}

/// When frames of a track are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Frames, without those that an edit list cuts. Some may have no time.
    pub n_frames: u64,
    /// When the first is shown.
    pub begin_ns: u64,
    /// When the last is shown.
    pub last_ns: u64,
    /// When the last is over.
    pub end_ns: u64,
    /// The median time from a frame to the next; 0 if there are not two.
    pub interval_ns: u64,
    /// The longest time from a frame to the next.
    pub pause_ns: u64,
    pub pause_at_ns: u64,
    /// How far a frame is at most from its place, if all came evenly.
    #[serde(default)]
    pub uneven_ns: u64,
    /// Whether the container does not give the time at which each frame is shown, but
    /// the one at which it is decoded, or none.
    pub are_guessed: bool,
}

impl Times {
    /// The times of frames that are shown at `shown`, in any order. The last lasts
    /// `last_for` if that is known, else as long as the median.
    #[must_use]
    pub fn of(mut shown: Vec<u64>, last_for: Option<u64>) -> Times {
        shown.sort_unstable();
        let (Some(begin), Some(last)) = (shown.first().copied(), shown.last().copied()) else {
            return Times::default();
        };
        let (mut pause_ns, mut pause_at_ns) = (0, begin);
        for pair in shown.windows(2) {
            if pause_ns < pair[1] - pair[0] {
                (pause_ns, pause_at_ns) = (pair[1] - pair[0], pair[0]);
            }
        }
        let mut intervals: Vec<u64> = shown.windows(2).map(|pair| pair[1] - pair[0]).collect();
        intervals.sort_unstable();
        let interval_ns = intervals.get(intervals.len() / 2).copied().unwrap_or(0);
        let end_ns = last.saturating_add(last_for.unwrap_or(interval_ns));
        let (length, n_steps) = (u128::from(last - begin), shown.len().max(2) as u128 - 1);
        let places = (0..=n_steps).map(|n| begin + u64::try_from(length * n / n_steps).unwrap_or(0));
        let uneven_ns = places.zip(&shown).map(|(place, shown)| place.abs_diff(*shown)).max().unwrap_or(0);
        Times {
            n_frames: shown.len() as u64,
            begin_ns: begin,
            last_ns: last,
            end_ns,
            interval_ns,
            pause_ns,
            pause_at_ns,
            uneven_ns,
            are_guessed: false,
        }
    }

    /// How long it plays.
    #[must_use]
    pub fn duration_ns(&self) -> u64 {
        self.end_ns - self.begin_ns
    }

    /// The longest pause, in words, if it is visible: more than a second, and more
    /// than five times the usual interval.
    #[must_use]
    pub fn pause(&self) -> Option<String> {
        let shows = 1_000_000_000.max(self.interval_ns.saturating_mul(5)) < self.pause_ns;
        shows.then(|| format!("none for {} from {} on", seconds(self.pause_ns), seconds(self.pause_at_ns)))
    }

    /// Frames a second from the first to the last, whose own length containers round or
    /// make up; 0 if there are not two.
    #[must_use]
    pub fn steady_rate(&self) -> f64 {
        match self.last_ns - self.begin_ns {
            0 => self.rate(),
            length => (self.n_frames - 1) as f64 * 1e9 / length as f64,
        }
    }

    /// Frames a second, on average; 0 if it has no length.
    #[must_use]
    pub fn rate(&self) -> f64 {
        match self.duration_ns() {
            0 => 0.0,
            duration => self.n_frames as f64 * 1e9 / duration as f64,
        }
    }
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

/// Seconds with one to three decimals: `2.4 s`, `0.067 s`.
fn seconds(ns: u64) -> String {
    let text = format!("{:.3}", ns as f64 / 1e9);
    let text = text.trim_end_matches('0');
    format!("{} s", if text.ends_with('.') { format!("{text}0") } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const MS: u64 = 1_000_000;

    fn steady(n_frames: u64, interval_ms: u64) -> Times {
        Times::of((0..n_frames).map(|n| n * interval_ms * MS).collect(), None)
    }

    fn track(id: &str, kind: &str, size: (u32, u32), times: Times) -> Track {
        let (width, height, reaches_ns) = (size.0, size.1, times.end_ns);
        Track {
            id: id.to_owned(),
            kind: kind.to_owned(),
            width,
            height,
            reaches_ns,
            times,
            coding: Coding::default(),
        }
    }

    fn film(times: Times) -> Track {
        track("film", "video/x-h264", (640, 360), times)
    }

    #[track_caller]
    fn check_film(others: &[Track], expect: &str) {
        let mut tracks = vec![film(steady(30, 100))];
        tracks.extend_from_slice(others);
        for _ in 0..tracks.len() {
            tracks.rotate_left(1);
            let contents = Contents { container: String::new(), announced_ns: None, tracks: tracks.clone() };
            assert_eq!(contents.film().map(|track| track.id.as_str()), Some(expect), "{tracks:?}");
        }
    }

    #[test]
    fn the_film_is_the_largest_track_that_is_not_a_still_picture() {
        let cover = track("cover", "image/jpeg", (3000, 3000), steady(1, 0));
        let long_cover = track("cover", "video/x-h264", (3000, 3000), Times::of(vec![0], Some(3_000 * MS)));
        let preview = track("preview", "video/x-h264", (160, 90), steady(60, 50));
        let chapters = track("chapters", "image/jpeg", (1920, 1080), steady(2, 1_500));
        let sound = track("sound", "audio/mpeg", (0, 0), steady(300, 20));
        check_film(&[cover.clone(), sound], "film");
        check_film(&[long_cover], "film");
        check_film(&[preview, chapters], "film");
        check_film(&[track("large", "video/x-h265", (1920, 1080), steady(29, 100))], "large");

        let only = Contents { container: String::new(), announced_ns: None, tracks: vec![cover] };
        assert_eq!(only.film().map(|track| track.id.as_str()), Some("cover"));
    }

    #[test]
    fn a_file_without_pictures_reports_its_tracks() {
        let sound = track("sound", "audio/mpeg", (0, 0), steady(300, 20));
        let contents = Contents { container: String::new(), announced_ns: None, tracks: vec![sound] };
        assert_eq!(contents.film(), None);
        assert_eq!(contents.without_film(), "has no video, only `audio/mpeg`");
    }

    #[track_caller]
    fn check(announced_ms: u64, times: Times, n_lost: Option<Option<u64>>, expect: Expect) {
        let film = film(times);
        let contents = Contents {
            container: String::new(),
            announced_ns: Some(announced_ms * MS),
            tracks: vec![film.clone()],
        };
        let part = "`mdat` at byte 40 has 60 of 100 bytes".to_owned();
        let cut = n_lost.map(|n_lost| Cut { part, n_there: 100, n_lost });
        expect.assert_eq(&contents.fault(&film, cut.as_ref()).unwrap_or_else(|| "whole".to_owned()));
    }

    #[test]
    fn a_clip_shorter_than_announced_is_cut_off() {
        check(3_000, steady(30, 100), None, expect!["whole"]);
        check(3_200, steady(30, 100), None, expect!["whole"]);
        check(530, steady(30, 100), None, expect!["whole"]);
        check(
            3_000,
            steady(17, 100),
            None,
            expect!["is cut off: it announces 3.0 s, but its video ends at 1.7 s after 17 frames"],
        );
        check(
            0,
            steady(17, 100),
            Some(Some(40)),
            expect![
                "is cut off: its video ends at 1.7 s after 17 frames: `mdat` at byte 40 has 60 of 100 bytes"
            ],
        );
    }

    #[test]
    fn a_cut_within_the_tolerance_of_the_decoder_is_accepted() {
        // 2.7 s in 100 bytes.
        check(3_000, steady(27, 100), Some(Some(15)), expect!["whole"]);
        check(
            3_000,
            steady(27, 100),
            Some(Some(19)),
            expect![
                "is cut off: it announces 3.0 s, but its video ends at 2.7 s after 27 frames: `mdat` at byte 40 has 60 of 100 bytes"
            ],
        );
        check(
            3_300,
            steady(27, 100),
            Some(Some(15)),
            expect![
                "is cut off: it announces 3.3 s, but its video ends at 2.7 s after 27 frames: `mdat` at byte 40 has 60 of 100 bytes"
            ],
        );
        check(
            3_000,
            steady(27, 100),
            Some(None),
            expect![
                "is cut off: it announces 3.0 s, but its video ends at 2.7 s after 27 frames: `mdat` at byte 40 has 60 of 100 bytes"
            ],
        );
        let film = film(steady(27, 100));
        let cut = Cut { part: String::new(), n_there: 100, n_lost: Some(1) };
        let contents = Contents { container: String::new(), announced_ns: None, tracks: vec![film.clone()] };
        assert!(contents.fault(&film, Some(&cut)).is_some());
    }

    #[test]
    fn sound_longer_than_the_film_is_not_a_cut() {
        let film = film(steady(30, 100));
        let sound = track("sound", "audio/mpeg", (0, 0), steady(300, 20));
        let tracks = vec![film.clone(), sound];
        assert_eq!(
            Contents { container: String::new(), announced_ns: Some(6_000 * MS), tracks }.fault(&film, None),
            None
        );
    }

    #[test]
    fn a_visible_pause_is_reported() {
        let pause = |gap_ms: u64| {
            Times::of((0..30).map(|n| n * 100 * MS + if n < 15 { 0 } else { gap_ms * MS }).collect(), None)
                .pause()
        };
        assert_eq!((pause(0), pause(800)), (None, None));
        assert_eq!(pause(3_000).as_deref(), Some("none for 3.1 s from 1.4 s on"));
    }

    #[test]
    fn a_jump_of_the_clock_is_reported_with_its_time() {
        let jump = |interval_ms: u64, gap_ms: u64| {
            let times = (0..30).map(|n| n * interval_ms * MS + if n < 15 { 0 } else { gap_ms * MS });
            Times::of(times.collect(), None)
        };
        check(
            600_000,
            jump(100, 600_000),
            None,
            expect![
                "has a jump of its clock: no frame for 600.1 s from 1.4 s on, where frames come every 0.1 s; cut it there, or give its frames new times"
            ],
        );
        check(0, jump(100, 5_000), None, expect!["whole"]);
        // A time lapse.
        check(0, jump(20_000, 40_000), None, expect!["whole"]);
    }

    #[track_caller]
    fn check_loss(decoded: &[u64], n_damaged: u64, expect: Expect) {
        let times = Times::of(decoded.iter().map(|n| n * 100 * MS).collect(), None);
        let decoded = Decoded { times, n_damaged, damaged_at_ns: 400 * MS };
        expect.assert_eq(&format!("{:?}", decoded.loss(&steady(30, 100))));
    }

    #[test]
    fn lost_frames_are_reported_with_their_time() {
        let all: Vec<u64> = (0..30).collect();
        check_loss(&all, 0, expect!["None"]);
        check_loss(
            &all[..29],
            0,
            expect![[r#"Some(Frames("no frame between 2.8 s and 3.0 s can be decoded"))"#]],
        );
        check_loss(&all, 3, expect![[r#"Some(Frames("3 damaged frames, the first at 0.4 s"))"#]]);
        check_loss(
            &all[..20],
            2,
            expect![[
                r#"Some(End("is damaged from 2.0 s on: its video goes on to 3.0 s, but 20 of 30 frames can be decoded"))"#
            ]],
        );
        check_loss(
            &all[5..],
            0,
            expect![[r#"Some(Frames("no frame between 0.0 s and 0.5 s can be decoded"))"#]],
        );
        let holed: Vec<u64> = all.iter().copied().filter(|n| !(10..15).contains(n)).collect();
        check_loss(
            &holed,
            0,
            expect![[r#"Some(Frames("no frame between 0.9 s and 1.5 s can be decoded"))"#]],
        );
        check_loss(&[], 0, expect![[r#"Some(End("is damaged: none of its 30 frames can be decoded"))"#]]);
    }

    #[test]
    fn new_times_of_the_decoder_are_not_a_loss() {
        // All frames, with times of the decoder's own.
        let moved: Vec<u64> = (0..30).map(|n| if n < 15 { n } else { n - 2 }).collect();
        check_loss(&moved, 0, expect!["None"]);
        check_loss(&moved, 1, expect![[r#"Some(Frames("1 damaged frames, the first at 0.4 s"))"#]]);
        // Some packets have no picture, and none has a time of its own.
        let loss = |n_frames: u64| {
            let times = steady(n_frames, 100);
            Decoded { times, ..Decoded::default() }.loss(&Times { are_guessed: true, ..steady(30, 100) })
        };
        assert_eq!(loss(27), None);
        assert!(matches!(loss(20), Some(Loss::End(_))), "{:?}", loss(20));
    }
}
