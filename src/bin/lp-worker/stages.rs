//! When each frame enters each element between ingress and sink, if that is asked for.
//!
//! A *stage* of a frame is its time in one element: from entering it to entering the next one, and
//! at last its arrival. So the stages of a frame add up to its latency, whatever happens in
//! between: a queue's stage is the wait in it, an element's is its work and the wait until the next
//! one takes the frame. Begin and end are those of the latency itself
//! ([`probe`](crate::probe)), so both are of the same two moments.
//!
//! Frames are known by their mark as far as they have one, and else by running time. A step that
//! gives frames other times (`videorate`) is followed as in the account: what enters the next
//! element is the newest frame that is not later.
//!
//! Costs a probe for each element, and is not installed unless asked for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::PipelineSpec;
use lp::worker::protocol::{EventBody, StageElement};

use crate::build::Chain;
use crate::frames::{Frame, Sight, lock, on_frames};

/// Frames underway that are remembered.
const MAX_UNDERWAY: usize = 1_024;

/// By how much a step may move a frame that is still the same, in nanoseconds.
const SLACK_NS: u64 = 500_000;

/// A frame that left the ingress so much earlier than one that arrives does not arrive any more, in
/// microseconds.
const LOST_US: u64 = 10_000_000;

/// The stages of one stream.
pub(crate) struct Stages {
    elements: Vec<StageElement>,
    trails: Mutex<Trails>,
}

impl Stages {
    /// Watches the elements between ingress and sink. `None` without an ingress, or with nothing in
    /// between.
    pub(crate) fn watch(spec: &PipelineSpec, chain: &Chain, sink: usize) -> Option<Arc<Stages>> {
        let path = spec.path_to(sink);
        let ingress = path.iter().position(|index| Some(*index) == spec.ingress)?;
        let between = path.get(ingress + 1..path.len() - 1)?;
        let mut elements: Vec<StageElement> = Vec::new();
        let mut pads = Vec::new();
        for index in between {
            let element = &chain.elements[*index];
            let factory = element.factory().map_or_else(String::new, |factory| factory.name().to_string());
            match (element.static_pad("sink"), elements.last_mut()) {
                // Its time is in the stage before.
                (None, Some(_)) => continue,
                (pad, _) => pads.push(pad),
            }
            elements.push(StageElement { name: element.name().to_string(), factory });
        }
        if elements.is_empty() {
            return None;
        }
        let trails = Mutex::new(Trails { n: elements.len(), ..Trails::default() });
        let stages = Arc::new(Stages { elements, trails });
        // Frames enter the first one as they leave the ingress.
        for (index, pad) in pads.into_iter().enumerate().skip(1) {
            let Some(pad) = pad else { continue };
            let stages = Arc::clone(&stages);
            on_frames(&pad, move |sight| {
                if let Sight::Frame(frame) = sight
                    && !frame.flags.contains(gst::BufferFlags::GAP)
                {
                    let at_us = lp::os::clock::monotonic_ns() / 1_000;
                    lock(&stages.trails).entered(index, frame.running_time, frame.mark, at_us);
                }
            });
        }
        Some(stages)
    }

    /// A frame leaves the ingress.
    pub(crate) fn left(&self, frame: &Frame, at_ns: u64) {
        lock(&self.trails).left(frame.running_time, frame.mark, at_ns / 1_000);
    }

    /// A whole frame has arrived at the sink.
    pub(crate) fn arrived(&self, frame: &Frame, at_ns: u64) {
        lock(&self.trails).arrived(frame.running_time, frame.mark, at_ns / 1_000);
    }

    /// A flush is over.
    pub(crate) fn forget(&self) {
        lock(&self.trails).underway.clear();
    }

    /// The frames that arrived since the last call, if any did.
    pub(crate) fn report(&self, stream: &str) -> Option<EventBody> {
        let frames = std::mem::take(&mut lock(&self.trails).arrived);
        let elements = self.elements.clone();
        (!frames.is_empty()).then(|| EventBody::Stages { stream: stream.to_owned(), elements, frames })
    }
}

/// The frames between ingress and sink: pure. Times are microseconds.
#[derive(Debug, Default)]
struct Trails {
    /// The number of elements.
    n: usize,
    /// In the order in which they left the ingress.
    underway: VecDeque<Trail>,
    /// When each left the ingress, and its time in each element.
    arrived: Vec<Vec<u64>>,
}

/// When a frame entered each element so far.
#[derive(Debug)]
struct Trail {
    /// Its running time in nanoseconds, as it was last.
    time: Option<u64>,
    mark: Option<i64>,
    at_us: Vec<u64>,
}

impl Trails {
    fn left(&mut self, time: Option<u64>, mark: Option<i64>, at_us: u64) {
        self.underway.push_back(Trail { time, mark, at_us: vec![at_us] });
        if MAX_UNDERWAY < self.underway.len() {
            self.underway.pop_front();
        }
    }

    /// A frame enters the element of this index.
    fn entered(&mut self, index: usize, time: Option<u64>, mark: Option<i64>, at_us: u64) {
        if let Some(found) = self.find(index, time, mark) {
            let trail = &mut self.underway[found];
            trail.at_us.push(at_us);
            trail.time = time;
        }
    }

    fn arrived(&mut self, time: Option<u64>, mark: Option<i64>, at_us: u64) {
        let Some(trail) = self.find(self.n, time, mark).and_then(|found| self.underway.remove(found)) else {
            return;
        };
        let left_us = trail.at_us[0];
        let ends = trail.at_us[1..].iter().copied().chain([at_us]);
        let stages = trail.at_us.iter().zip(ends).map(|(from, to)| to.saturating_sub(*from));
        self.arrived.push(std::iter::once(left_us).chain(stages).collect());
        while self.underway.front().is_some_and(|oldest| oldest.at_us[0] + LOST_US < left_us) {
            self.underway.pop_front();
        }
    }

    /// The frame that has entered all elements before this one, and not this one.
    fn find(&self, index: usize, time: Option<u64>, mark: Option<i64>) -> Option<usize> {
        let waits = |trail: &&Trail| trail.at_us.len() == index;
        let at = |is_it: &dyn Fn(&Trail) -> bool| {
            self.underway.iter().position(|trail| waits(&trail) && is_it(trail))
        };
        if let Some(found) = mark.and_then(|_| at(&|trail| trail.mark == mark)) {
            return Some(found);
        }
        let time = time?;
        at(&|trail| trail.time == Some(time)).or_else(|| {
            let is_not_later = |trail: &Trail| trail.time.is_some_and(|other| other <= time + SLACK_NS);
            let all = self.underway.iter().enumerate();
            let earlier = all.filter(|(_, trail)| waits(trail) && is_not_later(trail));
            earlier.max_by_key(|(_, trail)| trail.time).map(|(found, _)| found)
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// What happens, word by word: `<30` a frame of 30 ms leaves the ingress, `2:30` it enters element
    /// 2, `30>` it arrives, `m7` before any of them marks the frame. A millisecond passes with each word.
    #[track_caller]
    fn check(n: usize, story: &str, expect: Expect) {
        let mut trails = Trails { n, ..Trails::default() };
        for (at, word) in (1_000..).step_by(1_000).zip(story.split_whitespace()) {
            let (mark, word) = match word.split_once('/') {
                Some((mark, word)) => (Some(mark[1..].parse().unwrap()), word),
                None => (None, word),
            };
            let time = |text: &str| Some(text.parse::<u64>().unwrap() * 1_000_000);
            if let Some(text) = word.strip_prefix('<') {
                trails.left(time(text), mark, at);
            } else if let Some(text) = word.strip_suffix('>') {
                trails.arrived(time(text), mark, at);
            } else {
                let (index, text) = word.split_once(':').unwrap();
                trails.entered(index.parse().unwrap(), time(text), mark, at);
            }
        }
        let lines = trails.arrived.iter().map(|frame| format!("{frame:?}"));
        let text: Vec<String> = lines.chain([format!("{} underway", trails.underway.len())]).collect();
        expect.assert_eq(&text.join("\n"));
    }

    #[test]
    fn the_stages_of_a_frame_add_up() {
        check(
            3,
            "<30 1:30 <60 2:30 30> 1:60 2:60 60>",
            expect![[r#"
            [1000, 1000, 2000, 1000]
            [3000, 3000, 1000, 1000]
            0 underway"#]],
        );
    }

    #[test]
    fn frames_that_are_dropped_or_reordered_disturb_no_other() {
        check(
            2,
            "<0 <99 <33 1:0 1:33 0> 1:99 33> 99>",
            expect![[r#"
            [1000, 3000, 2000]
            [3000, 2000, 3000]
            [2000, 5000, 2000]
            0 underway"#]],
        );
        check(
            2,
            "<0 <33 <66 1:0 1:33 1:66 66>",
            expect![[r#"
            [3000, 3000, 1000]
            2 underway"#]],
        );
    }

    #[test]
    fn a_step_may_give_frames_other_times() {
        check(
            2,
            "<0 1:0 <34 1:50 0> 50>",
            expect![[r#"
            [1000, 1000, 3000]
            [3000, 1000, 2000]
            0 underway"#]],
        );
        // A copy of a frame that has arrived is none.
        check(
            2,
            "<0 1:0 0> 33>",
            expect![[r#"
            [1000, 1000, 1000]
            0 underway"#]],
        );
    }

    #[test]
    fn marks_are_believed_before_times() {
        check(
            2,
            "m1/<0 m2/<99 m3/<33 m3/1:0 m1/1:33 33> 0>",
            expect![[r#"
            [1000, 4000, 1000]
            [3000, 1000, 3000]
            1 underway"#]],
        );
    }

    #[test]
    fn frames_that_are_lost_are_forgotten() {
        let mut trails = Trails { n: 1, ..Trails::default() };
        trails.left(Some(1), None, 0);
        trails.left(Some(2), None, 20_000_000);
        trails.arrived(Some(2), None, 20_000_001);
        assert_eq!((trails.underway.len(), trails.arrived.len()), (0, 1));
    }
}
