//! What detectors and classifiers of DL Streamer's kind find on frames: they attach metadata to
//! these, and post no messages.
//!
//! A detector found something where more regions leave it than entered it, and a classifier where
//! more attributes do. Labels, boxes and attributes are read from `GstVideoRegionOfInterestMeta`, which
//! DL Streamer's elements attach as those here do, so no library of DL Streamer is needed; with the
//! feature `analytics`, labels and boxes also from the metadata of GStreamer's analytics library. Without
//! it, that a frame has such metadata is all that is seen of it (`native::roi`).
//!
//! A detector with `inference-interval=N` looks at each N-th frame, counted from its start, so
//! frames are counted where they leave it. Boxes are kept of the first frame of each position of
//! the clip, since a model says the same of the same frame.
//!
//! Costs 0.1 us for each frame without regions and pad.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;
use lp::pipeline::detect::Report;
use lp::worker::protocol::{FoundBox, FrameBoxes, MAX_BOXES, MAX_FRAMES, Regions};

use crate::frames::lock;
use crate::looping::PassLength;
use crate::native::roi::{self, Region};

/// Frames inside a detector whose regions are remembered.
const MAX_INSIDE: usize = 64;

/// Positions of one frame in two passes differ by less than this, in milliseconds.
const SAME_MS: u64 = 2;

/// How a detector is watched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watching {
    pub(crate) report: Report,
    /// It looks at each so many-th frame.
    pub(crate) interval: u64,
    pub(crate) keeps_boxes: bool,
}

/// Watches one detector.
pub(crate) struct RegionCounter {
    element: String,
    watching: Watching,
    pass: PassLength,
    frames: Mutex<Frames>,
}

#[derive(Default)]
struct Frames {
    /// Time and contents of frames that entered with some.
    inside: VecDeque<(Option<u64>, Contents)>,
    /// Frames that have left it.
    n_left: u64,
    /// Width and height of these in pixels.
    size: Option<(u32, u32)>,
    kept: BTreeSet<u64>,
    n_boxes: usize,
    /// Since the last report; `None` for a frame without a position.
    clip_ns: Vec<Option<u64>>,
    report: Regions,
}

/// What a frame carries.
#[derive(Default)]
struct Contents {
    /// Regions, also such as cannot be read.
    n_any: usize,
    /// Those that can be read.
    n_regions: usize,
    attributes: BTreeMap<String, u32>,
}

impl Contents {
    fn of(buffer: &gst::BufferRef, report: Report) -> Contents {
        let n_any = roi::count(buffer);
        let mut contents = Contents { n_any, ..Contents::default() };
        if n_any > 0 {
            let regions = roi::all(buffer);
            contents.n_regions = regions.len();
            if report == Report::Attributes {
                for (name, _) in regions.iter().flat_map(Region::attributes) {
                    *contents.attributes.entry(name).or_default() += 1;
                }
            }
        }
        contents
    }
}

impl RegionCounter {
    /// Installs the probes on a detector that reports so; `None` for one that posts messages.
    pub(crate) fn attach(
        element: &gst::Element,
        watching: Watching,
        pass: &PassLength,
    ) -> Option<Arc<RegionCounter>> {
        if watching.report == Report::Messages {
            return None;
        }
        let counter = Arc::new(RegionCounter {
            element: element.name().to_string(),
            watching,
            pass: Arc::clone(pass),
            frames: Mutex::default(),
        });
        if let Some(pad) = element.static_pad("sink") {
            let counter = Arc::clone(&counter);
            on_buffers(&pad, move |_, buffer| {
                let contents = Contents::of(buffer, watching.report);
                if contents.n_any > 0 {
                    let inside = &mut lock(&counter.frames).inside;
                    inside.push_back((ns(buffer.pts()), contents));
                    if MAX_INSIDE < inside.len() {
                        inside.pop_front();
                    }
                }
            });
        }
        if let Some(pad) = element.static_pad("src") {
            let seen = Arc::clone(&counter);
            on_buffers(&pad, move |pad, buffer| seen.left(pad, buffer));
            let counter = Arc::clone(&counter);
            pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
                if let Some(gst::PadProbeData::Event(event)) = &info.data
                    && let gst::EventView::Caps(caps) = event.view()
                {
                    lock(&counter.frames).size = size(caps.caps());
                }
                gst::PadProbeReturn::Ok
            });
        }
        Some(counter)
    }

    /// A frame leaves.
    fn left(&self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        let Watching { report, interval, keeps_boxes } = self.watching;
        let at_us = monotonic_ns() / 1_000;
        let mut frames = lock(&self.frames);
        let is_due = frames.n_left.is_multiple_of(interval.max(1));
        frames.n_left += 1;
        let contents = Contents::of(buffer, report);
        let time = ns(buffer.pts());
        let entered = frames.inside.iter().position(|(entered, _)| *entered == time);
        let before = entered.and_then(|at| frames.inside.drain(..=at).next_back());
        let before = before.map_or_else(Contents::default, |(_, before)| before);
        let clip_ns = || {
            let pass = self.pass.load(std::sync::atomic::Ordering::Relaxed);
            position(pad, buffer.pts()).map(|time| if pass == 0 { time } else { time % pass })
        };
        match report {
            Report::Messages => {}
            Report::Attributes => {
                let new = |(name, n): (&String, &u32)| {
                    let n = n.saturating_sub(before.attributes.get(name).copied().unwrap_or(0));
                    (n > 0).then(|| (name.clone(), n))
                };
                let labels: BTreeMap<String, u32> = contents.attributes.iter().filter_map(new).collect();
                if !labels.is_empty() {
                    frames.saw(at_us, clip_ns(), labels);
                }
            }
            Report::AddedRegions => {
                if is_due {
                    frames.report.inferred_us.push(at_us);
                }
                let is_kept = keeps_boxes && is_due && frames.has_room();
                if !is_kept && contents.n_any <= before.n_any {
                    return;
                }
                let found = match contents.n_any {
                    0 => Vec::new(),
                    _ => roi::all(buffer).split_off(before.n_regions.min(contents.n_regions)),
                };
                let clip_ns = clip_ns();
                if contents.n_any > before.n_any {
                    let mut labels = BTreeMap::new();
                    found.iter().for_each(|one| *labels.entry(one.label.clone()).or_default() += 1);
                    frames.saw(at_us, clip_ns, labels);
                }
                if is_kept && let Some(clip_ns) = clip_ns {
                    frames.keep((clip_ns + 500_000) / 1_000_000, &found);
                }
            }
        }
    }

    /// What was found since the last call; `None` if no frame was looked at.
    pub(crate) fn report(&self) -> Option<Regions> {
        let (mut regions, clip_ns) = {
            let mut frames = lock(&self.frames);
            (std::mem::take(&mut frames.report), std::mem::take(&mut frames.clip_ns))
        };
        regions.element.clone_from(&self.element);
        regions.clip_ns = clip_ns.into_iter().collect::<Option<Vec<u64>>>().unwrap_or_default();
        (!regions.at_us.is_empty() || !regions.inferred_us.is_empty()).then_some(regions)
    }
}

impl Frames {
    /// Takes in a frame on which so many of each label were found.
    fn saw(&mut self, at_us: u64, clip_ns: Option<u64>, labels: BTreeMap<String, u32>) {
        let n_before = self.report.at_us.len();
        self.report.at_us.push(at_us);
        self.clip_ns.push(clip_ns);
        for (label, n) in labels {
            self.report.labels.entry(label).or_insert_with(|| vec![0; n_before]).push(n);
        }
        self.report.labels.values_mut().for_each(|counts| counts.resize(n_before + 1, 0));
    }

    fn has_room(&self) -> bool {
        self.kept.len() < MAX_FRAMES && self.n_boxes < MAX_BOXES && self.size.is_some()
    }

    /// Keeps the boxes of a frame, unless one of its position was kept.
    fn keep(&mut self, clip_ms: u64, found: &[Region]) {
        let is_known = self.kept.range(clip_ms.saturating_sub(SAME_MS)..=clip_ms + SAME_MS).next().is_some();
        let Some(size) = self.size.filter(|_| !is_known && self.n_boxes + found.len() <= MAX_BOXES) else {
            return;
        };
        self.kept.insert(clip_ms);
        self.n_boxes += found.len();
        let boxes = found.iter().map(|region| found_box(region, size)).collect();
        self.report.frames.push(FrameBoxes { clip_ms, boxes });
    }
}

/// A region as `lp` compares it.
fn found_box(region: &Region, (width, height): (u32, u32)) -> FoundBox {
    let part = |pixels: u32, of: u32| {
        let parts = (u64::from(pixels) * 10_000 + u64::from(of) / 2) / u64::from(of.max(1));
        u16::try_from(parts.min(10_000)).unwrap_or(10_000)
    };
    let pixels = &region.pixels;
    let bounds = [
        part(pixels.x, width),
        part(pixels.y, height),
        part(pixels.width, width),
        part(pixels.height, height),
    ];
    let score = region.score().unwrap_or(1.0).clamp(0.0, 1.0);
    FoundBox(region.label.clone(), bounds, (score * 1000.0).round() as u16)
}

/// Width and height of frames.
fn size(caps: &gst::CapsRef) -> Option<(u32, u32)> {
    let caps = caps.structure(0)?;
    let side = |name: &str| caps.get::<i32>(name).ok().and_then(|side| u32::try_from(side).ok());
    side("width").zip(side("height"))
}

fn on_buffers(pad: &gst::Pad, seen: impl Fn(&gst::Pad, &gst::BufferRef) + Send + Sync + 'static) {
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST, move |pad, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => seen(pad, buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(|buffer| seen(pad, buffer)),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// The position in the clip of a frame at a pad, in nanoseconds.
pub(crate) fn position(pad: &gst::Pad, time: Option<gst::ClockTime>) -> Option<u64> {
    let event = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = event.segment().downcast_ref::<gst::ClockTime>()?;
    ns(segment.to_stream_time(time?))
}

fn ns(time: Option<gst::ClockTime>) -> Option<u64> {
    time.map(gst::ClockTime::nseconds)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use gstreamer_video as gst_video;

    use super::*;

    /// What is done to a frame of this number.
    type Act = Box<dyn Fn(u64, &mut gst::BufferRef) + Send + Sync>;

    /// Plays six frames of 100 ms, of 20x10 pixels, through a detector which finds a face in each
    /// second one; those of `before` enter with a box.
    fn play(watching: Watching, before: &'static [u64], pass_ns: u64) -> Regions {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(
            "videotestsrc num-buffers=6 ! video/x-raw,width=20,height=10,framerate=10/1 ! identity name=d \
             ! fakesink sync=false",
        );
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let detector = pipeline.by_name("d").unwrap();
        let on = |pad: &str, act: Act| {
            detector.static_pad(pad).unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data {
                    let n = buffer.pts().unwrap().nseconds() / 100_000_000;
                    act(n, buffer.make_mut());
                }
                gst::PadProbeReturn::Ok
            });
        };
        let add = |buffer: &mut gst::BufferRef, label: &str, score: f64| {
            let mut meta = gst_video::VideoRegionOfInterestMeta::add(buffer, label, (5, 2, 10, 4));
            meta.add_param(gst::Structure::builder(roi::DETECTION).field("confidence", score).build());
        };
        on(
            "sink",
            Box::new(move |n, buffer| {
                if before.contains(&n) {
                    add(buffer, "box", 0.5);
                }
            }),
        );
        on(
            "src",
            Box::new(move |n, buffer| {
                if n % 2 == 0 && watching.report == Report::AddedRegions {
                    add(buffer, "face", 0.94);
                }
                // As a classifier does: an attribute of each region.
                if watching.report == Report::Attributes {
                    for mut meta in buffer.iter_meta_mut::<gst_video::VideoRegionOfInterestMeta>() {
                        let said = gst::Structure::builder("classification").field("attribute_name", "age");
                        meta.add_param(said.field("label", if n < 5 { "31" } else { "" }).build());
                    }
                }
            }),
        );
        let pass: PassLength = Arc::new(AtomicU64::new(pass_ns));
        let counter = RegionCounter::attach(&detector, watching, &pass).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let end = pipeline.bus().unwrap().timed_pop_filtered(
            gst::ClockTime::from_seconds(30),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
        assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
        pipeline.set_state(gst::State::Null).unwrap();
        let regions = counter.report().unwrap();
        assert_eq!((regions.element.as_str(), regions.at_us.len()), ("d", regions.clip_ns.len()));
        assert_eq!(counter.report(), None);
        regions
    }

    fn detector(interval: u64) -> Watching {
        Watching { report: Report::AddedRegions, interval, keeps_boxes: true }
    }

    fn positions(regions: &Regions) -> Vec<u64> {
        regions.clip_ns.iter().map(|ns| ns / 1_000_000).collect()
    }

    #[test]
    fn a_detector_counts_for_the_regions_that_it_adds() {
        let seen = play(detector(1), &[], 0);
        assert_eq!(positions(&seen), [0, 200, 400]);
        assert_eq!((seen.inferred_us.len(), &seen.labels["face"]), (6, &vec![1, 1, 1]));
        // An earlier detector's are not its own.
        let seen = play(detector(1), &[1, 2, 5], 0);
        assert_eq!((positions(&seen), seen.labels.len()), (vec![0, 200, 400], 1));
    }

    #[test]
    fn boxes_are_kept_of_each_frame_that_it_looks_at() {
        let frames = play(detector(1), &[2], 0).frames;
        let found = |frame: &FrameBoxes| (frame.clip_ms, frame.boxes.len());
        assert_eq!(
            frames.iter().map(found).collect::<Vec<_>>(),
            [(0, 1), (100, 0), (200, 1), (300, 0), (400, 1), (500, 0)]
        );
        assert_eq!(frames[2].boxes, [FoundBox("face".to_owned(), [2500, 2000, 5000, 4000], 940)]);
        // Each second frame, and of two passes of 250 ms the first.
        let seen = play(detector(2), &[], 0);
        assert_eq!((seen.frames.len(), seen.inferred_us.len()), (3, 3));
        let frames = play(detector(1), &[], 200_000_000).frames;
        assert_eq!(frames.iter().map(found).collect::<Vec<_>>(), [(0, 1), (100, 0)]);
        assert_eq!(play(Watching { keeps_boxes: false, ..detector(1) }, &[], 0).frames, []);
    }

    #[test]
    fn positions_are_those_of_a_clip_that_begins_again() {
        assert_eq!(positions(&play(detector(1), &[], 250_000_000)), [0, 200, 150]);
    }

    #[test]
    fn a_classifier_counts_for_what_it_says_of_regions() {
        let classifier = Watching { report: Report::Attributes, interval: 1, keeps_boxes: true };
        // The last one has an attribute without a value.
        let seen = play(classifier, &[1, 2, 5], 0);
        assert_eq!((positions(&seen), &seen.labels["age"]), (vec![100, 200], &vec![1, 1]));
        assert_eq!((seen.inferred_us, seen.frames), (vec![], vec![]));
    }
}
