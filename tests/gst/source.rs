//! The delivery of sources: counted before `lp` changes anything, and separately from
//! the frames of the decoder and the steps.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use expect_test::expect;
use lp::dialect::share;
use lp::pipeline::usb::{Choice, Encoding};
use lp::pipeline::{Element, PipelineSpec, Playback, Value};
use lp::plan::CameraPlan;
use lp::record::{Pace, RunRecord, StreamRecord, VideoFormat};
use lp::worker::protocol::End;

use crate::project::{latest, short};
use crate::recorded::{record, serve, serve_drifting};
use crate::support::{Bench, Frames, decoder, file, sink, spec};

/// The pipeline of a USB camera of 320x240 at 15 fps, with a test source of this rate
/// and so many frames instead of the device.
fn usb(fps: u32, n_frames: i64) -> PipelineSpec {
    let mut spec = share::pipelines(&usb_plan(), Pace::Live).remove(0).spec;
    assert_eq!(spec.elements[0].factory, "v4l2src");
    spec.elements[0] = Element::new("videotestsrc").int("num-buffers", n_frames).bool("is-live", true);
    let caps = format!("video/x-raw,width=640,height=480,framerate={fps}/1");
    spec.elements.insert(1, Element::caps(&caps));
    spec.ingress = spec.ingress.map(|index| index + 1);
    spec.decoder = spec.decoder.map(|index| index + 1);
    spec.sink += 1;
    spec
}

fn usb_plan() -> CameraPlan {
    let plan = r#"{"version": 1, "camera": "c", "slug": "c", "source": {"kind": "usb", "device": "/dev/video0"},
        "width": 320, "height": 240, "fps": 15.0, "target_fps": 15.0, "dialect": "stock", "workloads": [], "apart": [],
        "assets": [], "pipelines": [{"index": 1, "workloads": ["w"], "steps": [{"type": "identity"}]}]}"#;
    serde_json::from_str(plan).unwrap()
}

fn played(spec: PipelineSpec) -> Frames {
    let mut bench = Bench::new();
    bench.start("camera-1/1", spec, 0).unwrap();
    let (frames, end) = bench.frames(|_| false);
    assert_eq!(end, Some(End::Eos));
    frames
}

/// The same for pictures that the camera was asked for, which this encoder makes.
fn usb_encoded(encoding: Encoding, encoder: &str, n_frames: i64) -> PipelineSpec {
    let mut plan = usb_plan();
    plan.pictures = Some(Choice { encoding, width: 640, height: 480, rate: (15, 1) });
    let mut spec = share::pipelines(&plan, Pace::Live).remove(0).spec;
    let source = [
        Element::new("videotestsrc").int("num-buffers", n_frames).bool("is-live", true),
        Element::caps("video/x-raw,width=640,height=480,framerate=15/1"),
        Element::new(encoder),
    ];
    spec.elements.splice(..1, source);
    spec.ingress = spec.ingress.map(|index| index + 2);
    spec.decoder = spec.decoder.map(|index| index + 2);
    spec.sink += 2;
    spec
}

#[test]
fn pictures_of_a_camera_are_decoded_as_they_were_asked_for() {
    for (encoding, encoder) in [(Encoding::Mjpeg, "jpegenc"), (Encoding::H264, "x264enc")] {
        let spec = usb_encoded(encoding, encoder, 30);
        let factories: Vec<&str> = spec.elements.iter().map(|element| element.factory.as_str()).collect();
        let frames = played(spec.clone());
        assert_eq!((frames.n_delivered(), frames.decoded), (30, 30), "{factories:?}");
        assert_eq!((frames.played + frames.dropped, frames.fates.damaged_us.len()), (30, 0), "{factories:?}");
    }
}

#[test]
fn a_camera_that_fails_in_mid_run_ends_its_stream_with_the_reason() {
    let mut spec = usb(15, -1);
    spec.elements.insert(1, Element::new("identity").int("error-after", 10));
    spec.ingress = spec.ingress.map(|index| index + 1);
    spec.decoder = spec.decoder.map(|index| index + 1);
    spec.sink += 1;
    let mut bench = Bench::new();
    bench.start("camera-1/1", spec, 0).unwrap();
    let (frames, end) = bench.frames(|_| false);
    let Some(End::Error { element, reason, .. }) = end else { panic!("{end:?}") };
    assert!(
        element.starts_with("identity") && reason.contains("Failed after iterations"),
        "{element}: {reason}"
    );
    assert!((1..10).contains(&frames.played), "{}", frames.played);
}

#[test]
fn a_camera_that_is_not_there_fails_with_that_reason() {
    let ws = short(&[("till", r#"{"type": "identity"}"#)]);
    let cameras = ws.read("configs/camera_to_workload.json");
    let file = "\"fileSrc\": \"short.mp4|scene:short\"";
    let device = "\"streamUri\": \"v4l2:///dev/v4l/by-id/usb-none-index0\"";
    ws.write("configs/camera_to_workload.json", &cameras.replace(file, device));
    let ended = ws.lp("run").code(1);
    let told = "`/dev/v4l/by-id/usb-none-index0`: there is no such device";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let mut bench = Bench::new();
    let refused = bench.worker().formats("/dev/video-none").unwrap_err().to_string();
    assert_eq!(refused, "the worker refused: `/dev/video-none`: there is no such device");
}

#[test]
fn a_camera_that_gives_less_is_not_filled_up() {
    let frames = played(usb(5, 8));
    assert_eq!((frames.n_delivered(), frames.decoded, frames.played), (8, 8, 8));
    assert!(frames.delivered.thinned_us.is_empty() && frames.fates.copied_us.is_empty());
    let format = VideoFormat { width: 640, height: 480, fps: Some(5.0), codec: None };
    assert_eq!(frames.delivered.video, [format]);
    assert_eq!(frames.delivered.key_frame_every, None);
    // `videorate` holds each frame until the next has come, which is no lateness.
    let late: Vec<i64> = frames.late_us.iter().map(|late| late.unwrap()).collect();
    assert_eq!(late.len(), 8);
    assert!(*late.iter().min().unwrap() < 150_000, "{late:?}");
}

#[test]
fn a_camera_that_gives_more_is_thinned_to_its_rate() {
    let frames = played(usb(30, 60));
    assert_eq!((frames.n_delivered(), frames.delivered.thinned_us.len()), (60, 30));
    assert_eq!((frames.decoded, frames.played + frames.dropped), (30, 30));
}

#[test]
fn frames_of_a_clip_are_delivered_after_the_clock() {
    let mut bench = Bench::new();
    let clip = bench.clip(10, 10);
    let paced = vec![Element::new("clocksync").named("ingress"), decoder(), sink()];
    bench.start("camera-1/1", file(&clip, paced, Playback::Once), 0).unwrap();
    let (frames, _) = bench.frames(|_| false);
    assert_eq!((frames.n_delivered(), frames.played), (10, 10));
    let format = VideoFormat { width: 160, height: 120, fps: Some(10.0), codec: None };
    assert_eq!(frames.delivered.video, [format]);
    assert_eq!(frames.late_us.len(), 10);
    assert!(frames.late_us.iter().all(|late| late.unwrap() > -1_000), "{:?}", frames.late_us);
}

#[test]
fn frames_that_a_step_holds_by_design_are_not_late() {
    let mut bench = Bench::new();
    let encoder = Element::new("x264enc").int("rc-lookahead", 20).int("threads", 1);
    let rest = vec![Element::new("clocksync").named("ingress"), decoder(), encoder, sink()];
    let clip = bench.clip(40, 10);
    bench.start("camera-1/1", file(&clip, rest, Playback::Loop), 0).unwrap();
    let (frames, _) = bench.frames(|frames| frames.played >= 5);
    let (latency, late) = (frames.latency_us[0].unwrap(), frames.late_us[0].unwrap());
    assert!(latency > 1_900_000 && late < 500_000, "{latency} {late}");
}

#[test]
fn a_first_pass_that_gives_the_decoder_too_little_is_followed_by_the_next() {
    for seed in [u64::MAX, u64::MAX - (1 << 59)] {
        let mut bench = Bench::new();
        // The decoder holds frames until it has those that B-frames refer to.
        let clip = bench.encoded(30, 15, "libx264 -bf 3 -g 30");
        let paced = vec![Element::new("clocksync").named("ingress"), decoder(), sink()];
        bench.start("camera-1/1", file(&clip, paced, Playback::Loop), seed).unwrap();
        let (frames, end) = bench.frames(|frames| 20 <= frames.played);
        assert_eq!((end, frames.dropped), (None, 0));
    }
}

#[test]
fn a_clip_of_one_frame_loops_from_the_middle_of_it() {
    let mut bench = Bench::new();
    let clip = bench.clip(1, 10);
    let paced = vec![Element::new("clocksync").named("ingress"), decoder(), sink()];
    bench.start("camera-1/1", file(&clip, paced, Playback::Loop), 1 << 63).unwrap();
    let (frames, end) = bench.frames(|frames| 12 <= frames.played);
    assert_eq!((end, frames.dropped, frames.taken_out), (None, 0, 0));
    assert!(frames.played <= frames.n_delivered() as u64, "{frames:?}");
}

/// Makes a raw H.264 stream with a key frame every 20 frames.
pub(crate) fn raw(bench: &Bench, size: &str, n_frames: u32) -> PathBuf {
    let path = bench.path(&format!("{size}-{n_frames}.h264"));
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &format!("testsrc2=size={size}:rate=10")])
        .args(["-frames:v", &n_frames.to_string(), "-c:v", "libx264", "-bf", "0", "-g", "20"])
        .args(["-sc_threshold", "0", "-threads", "1", "-slices", "1", "-pix_fmt", "yuv420p"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    path
}

/// Such a stream of 60 frames, the first of which is lost, a key frame: as a
/// camera's is that is joined in mid-GOP.
fn joined_late(bench: &Bench) -> PathBuf {
    let path = raw(bench, "160x120", 60);
    let stream = fs::read(&path).unwrap();
    let starts: Vec<usize> =
        (0..stream.len() - 3).filter(|at| stream[*at..].starts_with(&[0, 0, 1])).collect();
    let ends = starts[1..].iter().copied().chain([stream.len()]);
    let mut units = starts.iter().zip(ends).map(|(start, end)| &stream[*start..end]);
    let mut joined: Vec<u8> = Vec::new();
    let is_key = |unit: &&[u8]| unit[3] & 0x1f == 5;
    joined.extend(units.by_ref().take_while(|unit| !is_key(unit)).flatten());
    joined.extend(units.flatten());
    fs::write(&path, joined).unwrap();
    path
}

#[test]
fn grey_frames_before_the_first_key_frame_are_no_frames() {
    let mut bench = Bench::new();
    let stream = joined_late(&bench);
    let source = Element::new("filesrc").set("location", Value::Text(stream.to_str().unwrap().to_owned()));
    // A queue that leaks, and a step that forgets flags.
    let elements = vec![
        source,
        Element::new("h264parse"),
        decoder(),
        Element::new("queue").text("leaky", "downstream").int("max-size-buffers", 3),
        Element::new("identity").text("drop-buffer-flags", "corrupted"),
        Element::new("videoconvert"),
        Element::caps("video/x-raw,format=RGB"),
        sink(),
    ];
    let mut spec = spec(elements, Playback::Once);
    // All that was flagged is dropped by this `identity`; without it, it comes to the sink.
    for taken_out in [true, false] {
        if !taken_out {
            spec.elements.remove(4);
            spec.sink -= 1;
        }
        let stream = format!("camera-1/{taken_out}");
        bench.start(&stream, spec.clone(), 0).unwrap();
        let (frames, end) = bench.frames(|_| false);
        assert_eq!(end, Some(End::Eos));
        assert_eq!(frames.fates.damaged_us.len(), 19);
        assert_eq!((frames.decoded, frames.played + frames.dropped, frames.taken_out), (40, 40, 0));
        assert_eq!((frames.n_delivered(), frames.delivered.key_frame_every), (59, Some(20)));
    }
}

/// As much as the real clocks of a cheap camera and a machine.
#[test]
fn the_drift_of_a_cameras_clock_is_told_from_its_frames() {
    let mut bench = Bench::new();
    let recording = record(&raw(&bench, "160x120", 200));
    let url = serve_drifting(&vec![recording; 12], 20, -150);
    bench.start("camera-1/1", rtsp(&url, ""), 0).unwrap();
    // 30 s, or longer on a busy machine.
    let (frames, end) = bench.frames(|frames| frames.delivered.drift_ppm.is_some());
    assert_eq!(end, None, "{} frames", frames.n_delivered());
    let drift_ppm = frames.delivered.drift_ppm.unwrap();
    assert!((drift_ppm + 150.0).abs() < 40.0, "{drift_ppm}");
}

/// The pipeline of an RTSP camera, with these keys of its plan.
pub(crate) fn rtsp(uri: &str, keys: &str) -> PipelineSpec {
    rtsp_of(uri, "h264", keys)
}

pub(crate) fn rtsp_of(uri: &str, codec: &str, keys: &str) -> PipelineSpec {
    let plan = format!(
        r#"{{"version": 1, "camera": "c", "slug": "c",
        "source": {{"kind": "rtsp", "uri": "{uri}", "codec": "{codec}", "latency_ms": 200}},
        "width": 160, "height": 120, "fps": 20.0, "target_fps": 20.0, "dialect": "stock", "workloads": [], "apart": [],
        "assets": [], "pipelines": [{{"index": 1, "workloads": ["w"], "steps": [{{"type": "identity"}}]}}]{keys}}}"#
    );
    let plan: CameraPlan = serde_json::from_str(&plan).unwrap();
    share::pipelines(&plan, Pace::Live).remove(0).spec
}

#[test]
fn an_rtsp_stream_is_counted_as_it_comes_from_the_network() {
    let bench = Bench::new();
    let mut recording = record(&raw(&bench, "160x120", 50));
    // It is joined ten frames after a key frame.
    recording.frames.drain(..10);
    let frames = played(rtsp(&serve(&[recording], 20), ""));
    assert_eq!((frames.n_delivered(), frames.delivered.incomplete_us.len()), (40, 0));
    // The parser keeps the first one to itself, or some where they come at once.
    assert!((1..=10).contains(&frames.fates.damaged_us.len()), "{:?}", frames.fates.damaged_us);
    assert_eq!((frames.decoded, frames.played + frames.dropped), (30, 30));
    assert_eq!(frames.delivered.key_frame_every, Some(20));
    let [VideoFormat { width: 160, height: 120, codec: Some(codec), .. }] = &frames.delivered.video[..]
    else {
        panic!("{:?}", frames.delivered.video)
    };
    assert_eq!((codec.as_str(), frames.late_us.len()), ("H264", frames.played as usize));
    // None is due before the network brought it.
    assert!(frames.late_us.iter().all(|late| late.is_some_and(|late| late >= 0)), "{:?}", frames.late_us);
}

#[test]
fn frames_with_lost_packets_are_reported_when_the_decoder_conceals_them() {
    let bench = Bench::new();
    let mut recording = record(&raw(&bench, "640x480", 50));
    for key_frame in [20, 40] {
        let packets = &mut recording.frames[key_frame];
        assert!(packets.len() > 4, "{}", packets.len());
        packets[2].clear();
        packets[4].clear();
    }
    let frames = played(rtsp(&serve(&[recording], 20), ""));
    assert_eq!((frames.n_delivered(), frames.delivered.incomplete_us.len()), (50, 2));
}

#[test]
fn a_stream_of_any_codec_is_counted_without_taking_its_packets_for_frames() {
    let bench = Bench::new();
    let url = serve(&[record(&raw(&bench, "160x120", 50))], 20);
    let frames = played(rtsp(&url, r#", "accept": ["codec"]"#));
    assert_eq!(
        (frames.n_delivered(), frames.decoded, frames.late_us.len()),
        (50, 50, frames.played as usize)
    );
    // No parser tells key frames, and packets are none.
    assert_eq!(frames.delivered.key_frame_every, None);
    let [VideoFormat { width: 160, height: 120, codec: Some(codec), .. }] = &frames.delivered.video[..]
    else {
        panic!("{:?}", frames.delivered.video)
    };
    assert_eq!(codec, "H264");
}

#[test]
fn a_region_is_refused_on_frames_of_another_size_or_scaled() {
    let mut bench = Bench::new();
    let recordings = [("160x120", 20), ("320x240", 20), ("80x60", 20)]
        .map(|(size, n_frames)| record(&raw(&bench, size, n_frames)));
    let url = serve(&recordings, 20);
    let region = r#", "region_of_interest": {"x": 40, "y": 0, "x2": 160, "y2": 60}"#;
    let mut refusal = |spec: PipelineSpec| match bench.start("camera-1/1", spec, 0) {
        // It plays as soon as the server answers, maybe before it has sent a frame.
        Ok(()) => match bench.frames(|_| false).1 {
            Some(End::Error { reason, .. }) => reason,
            other => panic!("{other:?}"),
        },
        Err(reason) => reason,
    };
    expect!["its frames are 320x240, but the config says 160x120, and its region is in those pixels"]
        .assert_eq(&refusal(rtsp(&url, region)));
    let smaller = serve(&recordings[2..], 20);
    expect!["its frames are 80x60, but the config says 160x120, and its region is in those pixels"]
        .assert_eq(&refusal(rtsp(&smaller, region)));

    let mut scaled = rtsp(&url, &format!(r#"{region}, "accept": ["size"]"#));
    // Fails unless the step gets the region's pixels.
    let step = scaled.elements.iter().position(|element| element.factory == "identity").unwrap();
    scaled.elements[step] = Element::caps("video/x-raw,width=120,height=60");
    let frames = played(scaled);
    assert_eq!((frames.n_delivered(), frames.decoded), (60, 60));
    let sizes: Vec<u32> = frames.delivered.video.iter().map(|format| format.width).collect();
    assert_eq!(sizes, [160, 320, 80]);
}

#[test]
fn cameras_of_one_clip_begin_at_different_frames_and_pipelines_of_one_together() {
    let ws = short(&[
        ("one", r#"{"type": "videoanalyse"}"#),
        ("two", r#"{"type": "videoanalyse"}"#),
        ("three", r#"{"type": "videoanalyse"}"#),
    ]);
    let cameras = ws.read("configs/camera_to_workload.json");
    ws.write("configs/camera_to_workload.json", &cameras.replace("[\"of-one\"]", "[\"of-one\", \"more\"]"));
    let workloads = ws.read("configs/workload_to_pipeline.json");
    let more = r#"{"workload_pipeline_map": {"more": [{"type": "identity"}, {"type": "videoanalyse"}],"#;
    ws.write(
        "configs/workload_to_pipeline.json",
        &format!("{more}{}", workloads.split_once("map\": {").unwrap().1),
    );
    let begins = || {
        ws.lp("run --no-verdict --set run.count=2").success();
        let record = latest(&ws);
        let streams = record.members.iter().flat_map(|member| &member.streams);
        let begin = |stream: &StreamRecord| (stream.stream.clone(), stream.sightings[0].clip_ms.unwrap());
        streams.map(begin).collect::<std::collections::BTreeMap<String, u64>>()
    };
    let first = begins();
    assert_eq!(first.len(), 8);
    assert_eq!((first["one/1"], first["one-l2/1"]), (first["one/2"], first["one-l2/2"]));
    let distinct: std::collections::BTreeSet<&u64> = first.values().collect();
    assert_eq!(distinct.len(), 6, "{first:?}");
    assert_eq!(begins(), first);
}

fn only(record: &RunRecord) -> &StreamRecord {
    &record.members[0].streams[0]
}

#[test]
fn frames_that_steps_take_out_are_reported() {
    let half = r#"{"type": "identity", "properties": {"drop-probability": 0.5}}"#;
    let thinned = r#"{"type": "videorate", "caps": "video/x-raw,framerate=5/1"}"#;
    let filled = r#"{"type": "videorate", "caps": "video/x-raw,framerate=30/1"}"#;
    let ws = short(&[("half", half), ("thinned", thinned), ("filled", filled)]);
    ws.lp("run --set run.pace=free").success();
    let record = latest(&ws);
    let [half, thinned, filled] = [0, 1, 2].map(|index| &record.members[index].streams[0]);
    for stream in [half, thinned, filled] {
        assert_eq!((stream.decoded, stream.dropped), (45, 0), "{}", stream.stream);
        assert_eq!(stream.decoded, stream.arrived_us.len() as u64 + stream.taken_out, "{}", stream.stream);
        assert_eq!(stream.life.decoded, stream.life.played + stream.life.taken_out);
        let steps = [&stream.taken_out_at, &stream.copied_at].map(|counts| counts.keys().collect::<Vec<_>>());
        assert!(
            steps.iter().flatten().all(|step| step.starts_with(stream.stream.split('/').next().unwrap()))
        );
        assert_eq!(stream.taken_out_at.values().sum::<u64>(), stream.taken_out);
        assert_eq!(stream.delivery.as_ref().unwrap().frames, Some(45));
    }
    assert!((5..40).contains(&half.taken_out), "{}", half.taken_out);
    assert!((14..17).contains(&thinned.arrived_us.len()), "{}", thinned.arrived_us.len());
    assert_eq!(filled.taken_out, 0);
    assert!((40..50).contains(&filled.delivery.as_ref().unwrap().copied), "{:?}", filled.delivery);
}

#[test]
fn a_short_window_has_exactly_its_own_frames() {
    // 100 ms a frame at 15 fps: a third is dropped; half of the rest is taken out.
    let slow = r#"{"type": "identity", "properties": {"sleep-time": 100000}},
        {"type": "identity", "properties": {"drop-probability": 0.5}}"#;
    let ws = short(&[("slow", slow)]);
    ws.lp("run --no-verdict --set run.duration=2500ms").success();
    let record = latest(&ws);
    let stream = only(&record);
    let accounted = stream.arrived_us.len() as u64 + stream.dropped + stream.taken_out + stream.in_flight;
    assert_eq!(stream.in_flight_before + stream.decoded, accounted);
    // At each border at most the queue's three frames are on their way, one in it or
    // out of it, one in the decoder's thread, one in the step's, and those that
    // the last arrival has not reported.
    assert!(stream.in_flight_before <= 12 && stream.in_flight <= 12, "{stream:?}");
    assert_eq!(stream.dropped_at.values().sum::<u64>(), stream.dropped);
    assert_eq!(stream.taken_out_at.values().sum::<u64>(), stream.taken_out);
    assert!(stream.dropped > 0 && stream.taken_out > 0, "{} {}", stream.dropped, stream.taken_out);
    assert_eq!(stream.life.decoded, stream.life.played + stream.life.dropped + stream.life.taken_out);
}
