//! Frames by place, against files: a `multifilesink` writes one for each frame that comes
//! to it, between the places where frames are dropped, and knows nothing of `lp`.

use std::collections::BTreeMap;
use std::path::Path;

use lp::pipeline::{Element, PipelineSpec, Playback, Value};
use lp::worker::protocol::{End, TimesByPlace};

use crate::recorded::{record, serve};
use crate::source::{raw, rtsp};
use crate::support::{Bench, Frames, decoder, file};

/// An element that writes a file for each frame into a folder of the test.
fn files(bench: &Bench, folder: &str) -> Element {
    let folder = bench.path(folder);
    std::fs::create_dir(&folder).unwrap();
    let location = folder.join("%d").to_str().unwrap().to_owned();
    Element::new("multifilesink").set("location", Value::Text(location)).bool("sync", false)
}

fn n_files(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// Sleeps for so many milliseconds with each frame.
fn slow(ms: i64) -> Element {
    Element::new("identity").int("sleep-time", 1_000 * ms)
}

/// After the element `tee` of a pipeline, writes a file for each frame.
fn counting(mut spec: PipelineSpec, tee: &str, sink: Element) -> PipelineSpec {
    let tee = spec.elements.iter().position(|element| element.name.as_deref() == Some(tee)).unwrap();
    let limits = ["max-size-buffers", "max-size-bytes", "max-size-time"];
    let queue = limits.into_iter().fold(Element::new("queue"), |queue, limit| queue.int(limit, 0));
    spec.elements.push(queue.branching_from(tee));
    spec.elements.push(sink.bool("async", false));
    spec
}

fn played(bench: &mut Bench, spec: PipelineSpec) -> Frames {
    bench.start("camera-1/1", spec, 0).unwrap();
    let (frames, end) = bench.frames(|_| false);
    assert_eq!(end, Some(End::Eos));
    assert_eq!(frames.decoded, frames.played + frames.dropped + frames.taken_out);
    frames
}

fn counts(times: &TimesByPlace) -> Vec<(&str, usize)> {
    times.iter().map(|(place, times)| (place.as_str(), times.len())).collect()
}

#[test]
fn each_leaky_queue_has_exactly_its_own_drops() {
    for (first, second) in [("downstream", "upstream"), ("upstream", "downstream")] {
        let mut bench = Bench::new();
        let clip = bench.clip(300, 30);
        let leaky = |name: &str, side: &str| {
            Element::new("queue").named(name).text("leaky", side).int("max-size-buffers", 2)
        };
        let rest = vec![
            decoder(),
            slow(2),
            leaky("first", first),
            slow(4),
            Element::new("tee").named("between"),
            leaky("second", second),
            slow(12),
            files(&bench, "end").bool("async", false),
        ];
        let middle = files(&bench, "middle");
        let spec = counting(file(&clip, rest, Playback::Once), "between", middle);
        let frames = played(&mut bench, spec);
        let [middle, end] = ["middle", "end"].map(|folder| n_files(&bench.path(folder)));
        assert_eq!(u64::try_from(end).unwrap(), frames.played);
        assert_eq!(counts(&frames.fates.dropped_us), [("first", 300 - middle), ("second", middle - end)]);
        assert!(end < middle && middle < 300, "{end} {middle}");
    }
}

#[test]
fn each_step_has_exactly_the_frames_that_it_took_out() {
    let mut bench = Bench::new();
    let clip = bench.clip(300, 30);
    let rest = vec![
        decoder(),
        Element::new("identity").named("half").set("drop-probability", Value::Float(0.5)),
        Element::new("tee").named("between"),
        Element::new("videorate").named("rate").bool("drop-only", true).int("max-rate", 10),
        files(&bench, "end").bool("async", false),
    ];
    let middle = files(&bench, "middle");
    let spec = counting(file(&clip, rest, Playback::Once), "between", middle);
    let frames = played(&mut bench, spec);
    let [middle, end] = ["middle", "end"].map(|folder| n_files(&bench.path(folder)));
    assert_eq!(u64::try_from(end).unwrap(), frames.played);
    assert_eq!(counts(&frames.fates.taken_out_us), [("half", 300 - middle), ("rate", middle - end)]);
    assert!(end < middle && middle < 300, "{end} {middle}");
}

#[test]
fn each_step_has_exactly_the_copies_that_it_made() {
    let mut bench = Bench::new();
    let clip = bench.clip(90, 30);
    let rest = vec![
        decoder(),
        Element::new("videorate").named("rate"),
        Element::caps("video/x-raw,framerate=60/1"),
        files(&bench, "end").bool("async", false),
    ];
    let frames = played(&mut bench, file(&clip, rest, Playback::Once));
    let end = n_files(&bench.path("end"));
    assert_eq!((frames.played, counts(&frames.fates.copied_us)), (90, vec![("rate", end - 90)]));
    assert!(end > 150, "{end}");
}

#[test]
fn frames_that_qos_skips_are_named_by_their_element() {
    let mut bench = Bench::new();
    let clip = bench.clip(60, 30);
    let late = files(&bench, "end").bool("sync", true).bool("qos", true);
    let rest = vec![decoder(), slow(100), late];
    let frames = played(&mut bench, file(&clip, rest, Playback::Once));
    let end = n_files(&bench.path("end"));
    assert_eq!((frames.decoded, frames.played), (Bench::count(&clip), u64::try_from(end).unwrap()));
    assert_eq!(counts(&frames.fates.dropped_us), [("qos:decoder", 60 - end)]);
    assert!(end < 60);
}

#[test]
fn frames_that_overflow_the_jitter_buffer_were_dropped_there() {
    let mut bench = Bench::new();
    let recording = record(&raw(&bench, "160x120", 60));
    let mut camera = rtsp(&serve(&[recording], 20), "");
    let place = camera.elements.iter().position(|element| element.factory == "h264parse").unwrap();
    camera.elements.splice(place..place, [Element::new("tee").named("between"), slow(150)]);
    for index in [&mut camera.ingress, &mut camera.decoder].into_iter().flatten() {
        *index += if place <= *index { 2 } else { 0 };
    }
    camera.sink += 2;
    let passed = files(&bench, "passed");
    let camera = counting(camera, "between", passed);
    let frames = played(&mut bench, camera);
    let passed = n_files(&bench.path("passed"));
    // On a busy machine some come late.
    let places = ["rtpjitterbuffer", "late:rtpjitterbuffer"];
    let dropped = places.map(|place| frames.fates.dropped_us.get(place).map_or(0, Vec::len));
    assert_eq!((frames.n_delivered(), dropped[0] + dropped[1]), (60, 60 - passed), "{dropped:?}");
    assert!(passed < 60, "{passed}");
}

/// A decoder that finds out the codec has its depayloader inside. Here the packets that leave
/// the jitter buffer are written: a frame of which none is left was dropped there, and one of which
/// all are left was not.
#[test]
fn drops_of_the_jitter_buffer_count_whatever_decoder_follows() {
    for decoder in ["decodebin", "decodebin3"] {
        let mut bench = Bench::new();
        let recording = record(&raw(&bench, "160x120", 60));
        let n_packets: Vec<usize> = recording.frames.iter().map(Vec::len).collect();
        let mut camera = rtsp(&serve(&[recording], 20), r#", "accept": ["codec"]"#);
        let place = camera.decoder.unwrap();
        assert_eq!(camera.elements[place].factory, "decodebin");
        camera.elements[place] = Element::new(decoder);
        camera.elements.splice(place..place, [Element::new("tee").named("between"), slow(150)]);
        camera.decoder = Some(place + 2);
        camera.sink += 2;
        let packets = files(&bench, "packets");
        let frames = played(&mut bench, counting(camera, "between", packets));
        let mut n_left: BTreeMap<usize, usize> = BTreeMap::new();
        for packet in std::fs::read_dir(bench.path("packets")).unwrap() {
            let packet = std::fs::read(packet.unwrap().path()).unwrap();
            let ticks = u32::from_be_bytes(packet[4..8].try_into().unwrap());
            *n_left.entry(ticks as usize * 20 / 90_000).or_default() += 1;
        }
        let whole = n_left.iter().filter(|(frame, n)| **n == n_packets[**frame]).count();
        let places = ["rtpjitterbuffer", "late:rtpjitterbuffer"];
        let dropped = places.map(|place| frames.fates.dropped_us.get(place).map_or(0, Vec::len));
        let n_dropped = dropped[0] + dropped[1];
        assert_eq!(frames.n_delivered(), 60);
        assert!((60 - n_left.len()..=60 - whole).contains(&n_dropped), "{n_left:?}: {dropped:?}");
        assert!(n_left.len() < 60, "{n_left:?}");
    }
}
