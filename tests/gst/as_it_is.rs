//! Clips that are played as they are, in a container of their own, or encoded; and how
//! each of them plays again and again.

use std::fs;
use std::path::Path;

use lp::pipeline::codec::Codec;
use lp::pipeline::prepared::{Preparation, PreparedClip};
use lp::pipeline::{Element, Playback, Value};

use crate::clips::{Case, ffmpeg};
use crate::support::{Bench, sink, spec};

const X264: &str = "-c:v libx264 -threads 1 -g 10";
const X265: &str = "-c:v libx265 -x265-params log-level=none:pools=none:frame-threads=1";
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -threads 1";
const AV1: &str = "-c:v libaom-av1 -usage realtime -cpu-used 8 -threads 1";
const MJPEG: &str = "-c:v mjpeg";

fn prepared(case: &Case) -> PreparedClip {
    let path = case.transcoded().with_extension("json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Builds the case, and plays the clip two and a half times at its own pace: at even
/// times, all frames, none damaged.
#[track_caller]
fn plays(case: &Case, codec: Codec, done: Preparation) -> PreparedClip {
    let name = case.source().display().to_string();
    let ended = case.build().success();
    let clip = prepared(case);
    assert_eq!((clip.done, clip.video.codec()), (done, Some(codec)), "{name}: {clip:?} {}", ended.stderr);
    assert_eq!(clip.because.is_empty(), done == Preparation::AsItIs, "{name}: {clip:?}");
    let n_frames = Bench::count(&case.transcoded());
    assert_eq!(clip.video.frames, n_frames, "{name}");
    let is_same = fs::read(case.source()).unwrap() == fs::read(case.transcoded()).unwrap();
    assert_eq!(is_same, done == Preparation::AsItIs, "{name}");
    loops(&case.transcoded(), codec, n_frames, clip.video.fps);
    clip
}

#[track_caller]
fn loops(clip: &Path, codec: Codec, n_frames: u64, fps: f64) {
    let mut bench = Bench::new();
    let decoder = match codec {
        Codec::H264 => Element::new("avdec_h264").int("max-threads", 1),
        Codec::H265 => Element::new("avdec_h265").int("max-threads", 1),
        Codec::Mjpeg => Element::new("avdec_mjpeg"),
        Codec::Vp9 => Element::new("vp9dec").int("threads", 1),
        Codec::Av1 => Element::new("av1dec"),
    };
    let elements = vec![
        Element::new("filesrc").set("location", Value::Text(clip.to_str().unwrap().to_owned())),
        Element::new("qtdemux"),
        Element::new(codec.parser()),
        Element::new("clocksync").named("ingress"),
        decoder.named("decoder"),
        sink(),
    ];
    bench.start("camera-1/1", spec(elements, Playback::Loop), 0).unwrap();
    let (frames, end) = bench.frames(|frames| n_frames * 5 / 2 <= frames.played);
    let fates = &frames.fates;
    assert_eq!((end, frames.dropped, fates.damaged_us.len()), (None, 0, 0), "{}", clip.display());
    let late: Vec<i64> = frames.late_us.iter().map(|late| late.unwrap()).collect();
    let due: Vec<i64> = frames.arrived_us.iter().zip(&late).map(|(at, late)| *at as i64 - late).collect();
    let interval_us = 1_000_000.0 / fps;
    // The first frames may come before the decoder has said how long it holds them.
    for (n, due_us) in due[3..].iter().enumerate() {
        // A few samples of a container's clock.
        let off = (due_us - due[3]) as f64 - n as f64 * interval_us;
        assert!(
            off.abs() < 3_000.0 + n as f64 * interval_us * 0.001,
            "{}: {n}: {off} of {due:?}",
            clip.display()
        );
    }
}

#[test]
fn a_clip_that_fits_is_played_as_it_is() {
    for (name, encoder, codec) in [
        ("a.mp4", X264, Codec::H264),
        ("b.mp4", X265, Codec::H265),
        ("c.mp4", VP9, Codec::Vp9),
        ("d.mp4", AV1, Codec::Av1),
        ("e.mov", MJPEG, Codec::Mjpeg),
        (
            "f.mp4",
            "-c:v libx264 -threads 1 -bf 0 -video_track_timescale 12345 -movflags +faststart",
            Codec::H264,
        ),
        // Open GOPs within, and a key frame at the beginning.
        ("g.mp4", "-c:v libx264 -threads 1 -g 5 -bf 3 -x264-params open-gop=1:b-adapt=0", Codec::H264),
    ] {
        plays(&Case::new(name, "10").pattern(20, "10", encoder), codec, Preparation::AsItIs);
    }
}

#[test]
fn a_clip_in_another_container_is_remuxed() {
    for (name, encoder, codec) in [
        ("a.mkv", X264, Codec::H264),
        ("b.mkv", X265, Codec::H265),
        ("c.webm", VP9, Codec::Vp9),
        ("d.mkv", AV1, Codec::Av1),
        ("e.avi", MJPEG, Codec::Mjpeg),
        ("f.ts", X264, Codec::H264),
        ("g.ts", X265, Codec::H265),
        ("h.flv", X264, Codec::H264),
        ("i.h264", "-c:v libx264 -threads 1 -bf 0", Codec::H264),
    ] {
        plays(&Case::new(name, "10").pattern(20, "10", encoder), codec, Preparation::Remuxed);
    }
}

/// Builds the case, whose clip does not fit: it is encoded, for these reasons.
#[track_caller]
fn encoded(case: &Case, codec: Codec, because: &[&str]) -> PreparedClip {
    let ended = case.build().success();
    let clip = prepared(case);
    assert_eq!(
        (clip.done, clip.video.codec()),
        (Preparation::Encoded, Some(codec)),
        "{clip:?} {}",
        ended.stderr
    );
    for (found, expected) in clip.because.iter().zip(because) {
        assert!(found.contains(expected), "{clip:?}");
    }
    assert_eq!(clip.because.len(), because.len(), "{clip:?}");
    assert_eq!((clip.video.width, clip.video.height), (160, 120));
    loops(&case.transcoded(), codec, Bench::count(&case.transcoded()), clip.video.fps);
    clip
}

#[test]
fn a_clip_that_does_not_fit_is_encoded_in_its_own_codec() {
    let larger = "-f lavfi -i testsrc2=size=320x240:rate=10 -frames:v 20 -pix_fmt yuv420p";
    let size = "its frames are 320x240, and the camera's 160x120";
    for (name, encoder, codec) in [
        ("a.mp4", X264, Codec::H264),
        ("b.mp4", X265, Codec::H265),
        ("c.mp4", VP9, Codec::Vp9),
        ("d.mp4", AV1, Codec::Av1),
        ("e.avi", MJPEG, Codec::Mjpeg),
    ] {
        let clip = encoded(&Case::new(name, "10").ffmpeg(&format!("{larger} {encoder}")), codec, &[size]);
        assert_eq!((clip.video.frames, clip.made_up.len()), (20, 0), "{clip:?}");
    }
    let case = Case::new("f.avi", "10").ffmpeg(&format!("{larger} -c:v mpeg4"));
    encoded(&case, Codec::H264, &["`lp` cannot play `video/mpeg`", size]);
}

#[test]
fn what_a_camera_has_and_its_clip_has_not_is_named() {
    let smaller = "-f lavfi -i testsrc2=size=80x60:rate=5 -frames:v 10 -pix_fmt yuv420p";
    let case = Case::new("a.mp4", "10").ffmpeg(&format!("{smaller} {X264}"));
    let rate = "its rate is 5, and the camera's 10";
    let clip = encoded(&case, Codec::H264, &["its frames are 80x60", rate]);
    assert_eq!(
        clip.made_up,
        ["80x60 scaled up to 160x120", "5 fps doubled to 10: 10 of 20 frames are copies"]
    );
}

#[test]
fn a_clip_that_plays_only_once_is_made_to_play_again() {
    // The first picture refers to one before it, which was cut off.
    let open = "-c:v libx265 -x265-params log-level=none:pools=none:frame-threads=1:keyint=10:min-keyint=10:open-gop=1:bframes=3:b-adapt=0:scenecut=0";
    let case = Case::new("a.mkv", "10");
    ffmpeg(
        &case.ws.path("clips"),
        &format!("-f lavfi -i testsrc2=size=160x120:rate=10 -frames:v 40 -pix_fmt yuv420p {open} whole.mkv"),
    );
    let case = case.ffmpeg("-ss 1.5 -i whole.mkv -c copy -copyts");
    let ended = case.build().success();
    let clip = prepared(&case);
    assert_eq!(clip.done, Preparation::Encoded, "{clip:?} {}", ended.stderr);
    let n_frames = Bench::count(&case.transcoded());
    loops(&case.transcoded(), Codec::H265, n_frames, clip.video.fps);
    // Sound longer than the film, and a start that is not 0.
    let longer = "-f lavfi -i testsrc2=size=160x120:rate=10:duration=2 -f lavfi -i sine=duration=3 \
                  -pix_fmt yuv420p -c:a aac -output_ts_offset 5";
    for name in ["b.mp4", "b.mkv"] {
        let case = Case::new(name, "10").ffmpeg(&format!("{longer} {X264}"));
        case.build().success();
        let clip = prepared(&case);
        // Matroska has the first frame too early.
        assert!(clip.done != Preparation::Encoded || name == "b.mkv", "{clip:?}");
        loops(&case.transcoded(), Codec::H264, 20, 10.0);
    }
}

#[test]
fn options_of_clips_choose_the_encoder_and_give_the_same_bytes_again() {
    for (options, codec) in [
        ("codec = \"h264\"\nbitrate = \"300k\"\ngop = 5\nb_frames = 2", Codec::H264),
        ("codec = \"h265\"\nbitrate = \"300k\"\ngop = 5\nb_frames = 2", Codec::H265),
        ("codec = \"vp9\"\nbitrate = \"300k\"\ngop = 5", Codec::Vp9),
        ("codec = \"av1\"\nbitrate = \"300k\"\ngop = 5", Codec::Av1),
        ("codec = \"mjpeg\"\nbitrate = \"2M\"", Codec::Mjpeg),
        ("codec = \"vp9\"", Codec::Vp9),
        ("codec = \"mjpeg\"", Codec::Mjpeg),
    ] {
        let case = Case::new("a.mp4", "10").pattern(20, "10", X264);
        case.ws.write("Lpfile.toml", &format!("{}[clip]\n{options}\n", case.ws.read("Lpfile.toml")));
        let made = || {
            case.build().success();
            let folder = case.ws.path("media/clips");
            let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
            files.sort();
            assert_eq!(files.len(), 2, "{files:?}");
            (files[1].clone(), fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap())
        };
        let (path, facts, bytes) = made();
        let clip: PreparedClip = serde_json::from_slice(&facts).unwrap();
        assert_eq!(clip.video.codec(), Some(codec), "{clip:?}");
        if options.contains("gop") {
            assert!(clip.video.gop.is_some_and(|gop| gop <= 5), "{clip:?}");
        }
        assert_eq!(clip.video.b_frames, if options.contains("b_frames") { 2 } else { 0 }, "{clip:?}");
        assert_eq!(Bench::count(&path), 20, "{options}");
        loops(&path, codec, 20, 10.0);
        // Made again from nothing.
        for folder in [".lpcache", "media/clips"] {
            fs::remove_dir_all(case.ws.path(folder)).unwrap();
        }
        let again = made();
        assert!(again == (path, facts, bytes), "{options}");
    }
}
