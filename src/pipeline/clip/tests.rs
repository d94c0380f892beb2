//! Clips as containers describe them, and what decoders deliver of them.

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
        sound: None,
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
        let contents = Contents { tracks: tracks.clone(), ..Contents::default() };
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

    let only = Contents { tracks: vec![cover], ..Contents::default() };
    assert_eq!(only.film().map(|track| track.id.as_str()), Some("cover"));
}

#[test]
fn a_file_without_pictures_reports_its_tracks() {
    let sound = track("sound", "audio/mpeg", (0, 0), steady(300, 20));
    let contents = Contents { tracks: vec![sound], ..Contents::default() };
    assert_eq!(contents.film(), None);
    assert_eq!(contents.without_film(), "has no video, only `audio/mpeg`");
}

#[track_caller]
fn check(announced_ms: u64, times: Times, n_lost: Option<Option<u64>>, expect: Expect) {
    let film = film(times);
    let contents =
        Contents { announced_ns: Some(announced_ms * MS), tracks: vec![film.clone()], ..Contents::default() };
    let part = "`mdat` at byte 40 has 60 of 100 bytes".to_owned();
    let cut = n_lost.map(|n_lost| Cut { part, n_there: 100, n_lost, lacks_index: false });
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
        expect!["is cut off: its video ends at 1.7 s after 17 frames: `mdat` at byte 40 has 60 of 100 bytes"],
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
    let cut = Cut { part: String::new(), n_there: 100, n_lost: Some(1), lacks_index: false };
    let contents = Contents { tracks: vec![film.clone()], ..Contents::default() };
    assert!(contents.fault(&film, Some(&cut)).is_some());
}

#[test]
fn sound_longer_than_the_film_is_not_a_cut() {
    let film = film(steady(30, 100));
    let sound = track("sound", "audio/mpeg", (0, 0), steady(300, 20));
    let tracks = vec![film.clone(), sound];
    assert_eq!(
        Contents { announced_ns: Some(6_000 * MS), tracks, ..Contents::default() }.fault(&film, None),
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
    let decoded = Decoded { times, n_damaged, damaged_at_ns: 400 * MS, ..Decoded::default() };
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
    check_loss(&all[5..], 0, expect![[r#"Some(Frames("no frame between 0.0 s and 0.5 s can be decoded"))"#]]);
    let holed: Vec<u64> = all.iter().copied().filter(|n| !(10..15).contains(n)).collect();
    check_loss(&holed, 0, expect![[r#"Some(Frames("no frame between 0.9 s and 1.5 s can be decoded"))"#]]);
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

#[test]
fn high_dynamic_range_is_told_by_the_transfer_function() {
    let found = ["bt2100-pq", "2:6:14:7", "bt2100-hlg", "2:6:15:7", "bt709", "2:6:13:7", "bt2020"]
        .map(|text| Coding { colorimetry: Some(text.to_owned()), ..Coding::default() }.high_dynamic_range());
    assert_eq!(found, [Some("PQ"), Some("PQ"), Some("HLG"), Some("HLG"), None, None, None]);
}

#[test]
fn raw_frames_that_are_too_small_are_in_another_encoding() {
    let raw = |n_bytes: u64| {
        let coding = Coding { n_bytes, ..Coding::default() };
        let film = Track { kind: "video/x-raw".to_owned(), coding, ..film(steady(30, 100)) };
        Contents { tracks: vec![film.clone()], ..Contents::default() }.fault(&film, None)
    };
    assert_eq!(raw(640 * 360 * 30), None);
    assert!(raw(640 * 360 * 30 - 1).is_some());
}
