//! Frames with regions of interest, as detectors of DL Streamer attach them: these post
//! no messages.
//!
//! A region is a piece of metadata whose API is `GstVideoRegionOfInterestMetaAPI` or, in newer
//! versions, `GstAnalyticsRelationMetaAPI`. The name is enough, so no library of DL Streamer is
//! needed; what a region says is not read. A detector after another one counts only where more
//! regions leave it than entered it.
//!
//! Costs 0.1 us a frame and pad.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;
use lp::pipeline::detect::Report;
use lp::worker::protocol::Regions;

use crate::frames::lock;
use crate::looping::PassLength;

/// The names of the APIs of regions.
pub(crate) const REGIONS: &[&str] = &["GstVideoRegionOfInterestMetaAPI", "GstAnalyticsRelationMetaAPI"];

/// Frames inside a detector whose regions are remembered.
const MAX_INSIDE: usize = 64;

/// Watches one detector.
pub(crate) struct RegionCounter {
    element: String,
    pass: PassLength,
    frames: Mutex<Frames>,
}

#[derive(Default)]
struct Frames {
    /// Time and number of regions of frames that entered with some.
    inside: VecDeque<(Option<u64>, usize)>,
    at_us: Vec<u64>,
    /// `None` for a frame without a position.
    clip_ns: Vec<Option<u64>>,
}

impl RegionCounter {
    /// Installs the probes on a detector that reports so, by metadata of these APIs; `None`
    /// for one that posts messages.
    pub(crate) fn attach(
        element: &gst::Element,
        report: Report,
        apis: &'static [&'static str],
        pass: &PassLength,
    ) -> Option<Arc<RegionCounter>> {
        if report == Report::Messages {
            return None;
        }
        let counter = Arc::new(RegionCounter {
            element: element.name().to_string(),
            pass: Arc::clone(pass),
            frames: Mutex::default(),
        });
        if let Some(pad) = element.static_pad("sink").filter(|_| report == Report::AddedRegions) {
            let counter = Arc::clone(&counter);
            on_buffers(&pad, move |_, buffer| {
                let regions = regions(buffer, apis);
                if regions > 0 {
                    let inside = &mut lock(&counter.frames).inside;
                    inside.push_back((ns(buffer.pts()), regions));
                    if MAX_INSIDE < inside.len() {
                        inside.pop_front();
                    }
                }
            });
        }
        if let Some(pad) = element.static_pad("src") {
            let counter = Arc::clone(&counter);
            on_buffers(&pad, move |pad, buffer| {
                let regions = regions(buffer, apis);
                if regions > 0 {
                    counter.left(regions, ns(buffer.pts()), position(pad, buffer.pts()));
                }
            });
        }
        Some(counter)
    }

    /// A frame leaves with regions.
    fn left(&self, regions: usize, time: Option<u64>, clip_ns: Option<u64>) {
        let mut frames = lock(&self.frames);
        let entered = frames.inside.iter().position(|(entered, _)| *entered == time);
        let before = entered.and_then(|at| frames.inside.drain(..=at).next_back());
        if before.map_or(0, |(_, before)| before) < regions {
            frames.at_us.push(monotonic_ns() / 1_000);
            let pass = self.pass.load(std::sync::atomic::Ordering::Relaxed);
            frames.clip_ns.push(clip_ns.map(|time| if pass == 0 { time } else { time % pass }));
        }
    }

    /// The frames since the last call; `None` without any.
    pub(crate) fn report(&self) -> Option<Regions> {
        let (at_us, clip_ns) = {
            let mut frames = lock(&self.frames);
            (std::mem::take(&mut frames.at_us), std::mem::take(&mut frames.clip_ns))
        };
        let clip_ns = clip_ns.into_iter().collect::<Option<Vec<u64>>>().unwrap_or_default();
        (!at_us.is_empty()).then(|| Regions { element: self.element.clone(), at_us, clip_ns })
    }
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

/// How many regions of interest a frame has.
fn regions(buffer: &gst::BufferRef, apis: &[&str]) -> usize {
    buffer.iter_meta::<gst::Meta>().filter(|meta| apis.contains(&meta.api().name())).count()
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

    use super::*;

    /// Metadata in the place of regions, which need a library that is not linked here.
    const API: &[&str] = &["GstReferenceTimestampMetaAPI"];

    /// Plays six frames of 100 ms through a detector which finds a region in each second one; those
    /// of `before` enter with one. The positions at which it saw something.
    fn seen(report: Report, before: &'static [u64], pass_ns: u64) -> Vec<u64> {
        gst::init().unwrap();
        let pipeline = gst::parse::launch(
            "videotestsrc num-buffers=6 ! video/x-raw,width=16,height=16,framerate=10/1 ! identity name=d \
             ! fakesink sync=false",
        );
        let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
        let detector = pipeline.by_name("d").unwrap();
        let add = |pad: &str, is_due: Box<dyn Fn(u64) -> bool + Send + Sync>| {
            detector.static_pad(pad).unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data
                    && is_due(buffer.pts().unwrap().nseconds() / 100_000_000)
                {
                    let caps = gst::Caps::new_empty_simple("timestamp/x-test");
                    let none = gst::ClockTime::NONE;
                    gst::ReferenceTimestampMeta::add(buffer.make_mut(), &caps, gst::ClockTime::ZERO, none);
                }
                gst::PadProbeReturn::Ok
            });
        };
        add("sink", Box::new(|n| before.contains(&n)));
        add("src", Box::new(|n| n % 2 == 0));
        let pass: PassLength = Arc::new(AtomicU64::new(pass_ns));
        let counter = RegionCounter::attach(&detector, report, API, &pass).unwrap();
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
        regions.clip_ns.iter().map(|ns| ns / 1_000_000).collect()
    }

    #[test]
    fn a_detector_counts_for_the_regions_that_it_adds() {
        assert_eq!(seen(Report::AddedRegions, &[], 0), [0, 200, 400]);
        // An earlier detector's are not its own.
        assert_eq!(seen(Report::AddedRegions, &[1, 2, 5], 0), [0, 200, 400]);
        assert_eq!(seen(Report::Regions, &[1, 2, 5], 0), [0, 100, 200, 400, 500]);
    }

    #[test]
    fn positions_are_those_of_a_clip_that_begins_again() {
        assert_eq!(seen(Report::AddedRegions, &[], 250_000_000), [0, 200, 150]);
    }
}
