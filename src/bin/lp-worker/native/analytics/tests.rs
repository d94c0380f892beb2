//! Detections that others write are read, and those written here are read by others.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::detect::Report;
use lp::worker::protocol::FoundBox;

use super::*;
use crate::native::roi;
use crate::regions::{RegionCounter, Watching};

/// What is done to the frame of this number.
type Act = Box<dyn Fn(u64, &mut gst::BufferRef) + Send + Sync>;

/// Two frames of 64x48 through these elements, of which `identity name=others` adds what `act` adds, as
/// an element of others does. Gives what `look` sees on the frames at the end.
fn play<T: Send + 'static>(
    elements: &str,
    act: Act,
    look: impl Fn(&gst::BufferRef) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let pipeline = pipeline(elements, act);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let at_end = Arc::clone(&seen);
    pipeline.by_name("end").unwrap().static_pad("sink").unwrap().add_probe(
        gst::PadProbeType::BUFFER,
        move |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &info.data {
                at_end.lock().unwrap().push(look(buffer));
            }
            gst::PadProbeReturn::Ok
        },
    );
    to_the_end(&pipeline);
    std::mem::take(&mut *seen.lock().unwrap())
}

fn pipeline(elements: &str, act: Act) -> gst::Pipeline {
    crate::native::tests::registered();
    let line = format!(
        "videotestsrc pattern=black num-buffers=2 ! video/x-raw,format=I420,width=64,height=48,framerate=10/1 \
         ! identity name=others ! {elements} ! fakesink name=end sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("others").unwrap().static_pad("src").unwrap().add_probe(
        gst::PadProbeType::BUFFER,
        move |_, info| {
            if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                let n = buffer.pts().unwrap().nseconds() / 100_000_000;
                act(n, buffer.make_mut());
            }
            gst::PadProbeReturn::Ok
        },
    );
    pipeline
}

fn to_the_end(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Playing).unwrap();
    let wanted = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(30), &wanted);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.expect("it ends within 30 s").type_(), gst::MessageType::Eos);
}

const CUP: Pixels = Pixels { x: 16, y: 12, width: 16, height: 24 };

/// A detector that knows of the analytics library only.
fn a_cup(_: u64, buffer: &mut gst::BufferRef) {
    add(buffer, "cup", CUP, Some(0.75)).unwrap();
}

fn nothing(_: u64, _: &mut gst::BufferRef) {}

#[test]
fn a_region_is_a_detection_of_the_analytics_library_too() {
    let seen =
        play("gvaattachroi roi=16,12,32,36", Box::new(nothing), |buffer| (all(buffer), roi::all(buffer)));
    assert_eq!(seen.len(), 2);
    for (detections, regions) in seen {
        let expected = Detection { id: 0, label: String::new(), pixels: CUP, score: 0.0, object: None };
        assert_eq!(detections, [expected]);
        // Both are one region.
        assert_eq!((regions.len(), regions[0].id, regions[0].pixels), (1, 0, CUP));
    }
}

#[test]
fn detections_of_others_are_published_and_numbered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    let elements = format!(
        "gvatrack ! gvametaconvert ! gvametapublish file-format=json-lines file-path={}",
        file.display()
    );
    let seen = play(&elements, Box::new(a_cup), all);
    let objects: Vec<_> = seen.iter().flatten().map(|found| (found.label.as_str(), found.object)).collect();
    // The tracker's number is in both kinds of metadata.
    assert_eq!(objects, [("cup", Some(1)), ("cup", Some(1))]);
    let text = std::fs::read_to_string(&file).unwrap();
    let line = r#"{"objects":[{"detection":{"bounding_box":{"x_max":0.5,"x_min":0.25,"y_max":0.75,"y_min":0.25},"confidence":0.75,"label":"cup"},"h":24,"id":1,"region_id":0,"roi_type":"cup","w":16,"x":16,"y":12}],"resolution":{"height":48,"width":64},"timestamp":0}"#;
    assert_eq!(text.lines().next(), Some(line), "{text}");
}

#[test]
fn a_detector_of_others_is_seen_and_its_boxes_are_kept() {
    gst::init().unwrap();
    // It finds a cup on the second frame only.
    let act = |n: u64, buffer: &mut gst::BufferRef| {
        if n == 1 {
            a_cup(n, buffer);
        }
    };
    let pipeline = pipeline("queue", Box::new(act));
    let watching = Watching { report: Report::AddedRegions, interval: 1, keeps_boxes: true };
    let others = pipeline.by_name("others").unwrap();
    let counter = RegionCounter::attach(&others, watching, &Arc::new(AtomicU64::new(0))).unwrap();
    to_the_end(&pipeline);
    let regions = counter.report().unwrap();
    assert_eq!((&regions.labels["cup"], &regions.clip_ns), (&vec![1], &vec![100_000_000]));
    let boxes: Vec<_> = regions.frames.iter().map(|frame| (frame.clip_ms, frame.boxes.clone())).collect();
    let cup = FoundBox("cup".to_owned(), [2500, 2500, 2500, 5000], 750);
    assert_eq!(boxes, [(0, vec![]), (100, vec![cup])]);
}

#[test]
fn what_lies_outside_of_a_frame_is_cut_off() {
    gst::init().unwrap();
    let mut buffer = gst::Buffer::new();
    let buffer = buffer.get_mut().unwrap();
    let mut meta = relations(buffer);
    let label = glib::Quark::from_str("cup");
    for (x, y, width, height) in [(-4, 2, 10, 10), (-10, 0, 10, 10), (0, 0, 0, 5), (1, 1, -3, 5)] {
        meta.add_od_mtd(label, x, y, width, height, 0.5).unwrap();
    }
    let places: Vec<Pixels> = all(buffer).into_iter().map(|found| found.pixels).collect();
    assert_eq!(places, [Pixels { x: 0, y: 2, width: 6, height: 10 }]);
}

/// `objectdetectionoverlay` of GStreamer draws detections: an independent reader.
#[test]
fn an_element_of_gstreamer_draws_regions_of_ours() {
    gst::init().unwrap();
    if gst::ElementFactory::find("objectdetectionoverlay").is_none() {
        crate::output::log("skipped: there is no `objectdetectionoverlay`");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bright = |first: &str| {
        let file = folder.path().join("frames");
        let elements = format!(
            "{first} ! videoconvert ! video/x-raw,format=BGRA ! objectdetectionoverlay draw-labels=false \
             ! videoconvert ! video/x-raw,format=GRAY8 ! tee name=t ! queue ! filesink location={} t. ! queue",
            file.display()
        );
        play(&elements, Box::new(nothing), |_| ());
        let bytes = std::fs::read(&file).unwrap();
        let is_bright = |(x, y): &(usize, usize)| bytes[y * 64 + x] > 40;
        (0..64).flat_map(|x| (0..48).map(move |y| (x, y))).filter(is_bright).collect::<Vec<_>>()
    };
    assert_eq!(bright("identity"), []);
    let drawn = bright("gvaattachroi roi=16,12,32,36");
    assert!(!drawn.is_empty());
    // Lines are around the region, a few pixels wide.
    let near = |at: usize, sides: [usize; 2]| sides.iter().any(|side| at.abs_diff(*side) <= 3);
    for (x, y) in drawn {
        assert!((12..=36).contains(&x) && (8..=40).contains(&y), "{x}, {y}");
        assert!(near(x, [16, 32]) || near(y, [12, 36]), "{x}, {y}");
    }
}
