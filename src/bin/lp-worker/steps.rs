//! Which step took frames out, or copied them.
//!
//! [`account`](crate::account) knows that a frame was taken out when a later one has
//! arrived, and not by which step. So frames are counted where they enter each element
//! after the decoder: what entered an element and not the next one, it took out, unless
//! QoS skipped it or it is still inside. Copies, which `videorate` flags, are counted the
//! same way. Queues take nothing out; what they drop is known otherwise.
//!
//! Costs 0.05 us a frame and element.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gst::prelude::*;
use gstreamer as gst;

use lp::worker::protocol::{Fates, STEPS, TimesByPlace};

/// The elements from the decoder to the sink, in their order.
#[derive(Default)]
pub(crate) struct Steps(Vec<Step>);

struct Step {
    name: String,
    /// Whether it may take frames out or copy them.
    is_suspect: bool,
    entered: Arc<Entered>,
    /// Frames that it is known to have taken out, and copies.
    charged: [u64; 2],
}

/// Frames that entered an element: whole ones, and copies.
#[derive(Default)]
struct Entered([AtomicU64; 2]);

const WHOLE: usize = 0;
const COPIES: usize = 1;

impl Steps {
    /// Counts at the elements between decoder and sink, and at the sink.
    pub(crate) fn watch<'a>(elements: impl Iterator<Item = &'a gst::Element>) -> Steps {
        let step = |element: &gst::Element| {
            let factory = element.factory()?.name();
            let entered = Arc::<Entered>::default();
            entered.watch(&element.static_pad("sink")?);
            let is_suspect = !["queue", "queue2", "tee"].contains(&factory.as_str());
            Some(Step { name: element.name().to_string(), is_suspect, entered, charged: [0; 2] })
        };
        Steps(elements.filter_map(step).collect())
    }

    /// Forgets what they took out, after a flush.
    pub(crate) fn forget(&mut self) {
        self.0.iter_mut().for_each(|step| step.charged = [0; 2]);
    }

    /// Names the steps that are not known by name yet. `skipped` are the frames that each
    /// element has skipped for QoS.
    pub(crate) fn name(&mut self, fates: &mut Fates, skipped: &BTreeMap<String, u64>) {
        for (times, what) in [(&mut fates.taken_out_us, WHOLE), (&mut fates.copied_us, COPIES)] {
            let Some(unnamed) = times.remove(STEPS) else { continue };
            let mut missing = self.missing(what, skipped);
            for at_us in unnamed {
                let suspect = missing.iter_mut().filter(|(_, n)| *n > 0).max_by_key(|(_, n)| *n);
                let place = suspect.map_or(STEPS, |(index, n)| {
                    *n -= 1;
                    self.0[*index].charged[what] += 1;
                    &self.0[*index].name
                });
                push(times, place, at_us);
            }
        }
    }

    /// The suspects, and how many frames of this kind each of them took out or made more
    /// than is known.
    fn missing(&self, what: usize, skipped: &BTreeMap<String, u64>) -> Vec<(usize, u64)> {
        let pairs = self.0.iter().zip(self.0.iter().skip(1)).enumerate();
        let missing = pairs.filter(|(_, (step, _))| step.is_suspect).map(|(index, (step, next))| {
            let [before, after] = [step, next].map(|step| step.entered.0[what].load(Ordering::Relaxed));
            let found = match what {
                WHOLE => before.saturating_sub(after).saturating_sub(*skipped.get(&step.name).unwrap_or(&0)),
                _ => after.saturating_sub(before),
            };
            (index, found.saturating_sub(step.charged[what]))
        });
        missing.collect()
    }
}

impl Entered {
    fn watch(self: &Arc<Entered>, pad: &gst::Pad) {
        let entered = Arc::clone(self);
        let types =
            gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST | gst::PadProbeType::EVENT_FLUSH;
        pad.add_probe(types, move |_, info| {
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => entered.add(buffer),
                Some(gst::PadProbeData::BufferList(list)) => {
                    list.iter().for_each(|buffer| entered.add(buffer))
                }
                Some(gst::PadProbeData::Event(event)) if event.type_() == gst::EventType::FlushStop => {
                    entered.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn add(&self, buffer: &gst::BufferRef) {
        let what = if buffer.flags().contains(gst::BufferFlags::GAP) { COPIES } else { WHOLE };
        self.0[what].fetch_add(1, Ordering::Relaxed);
    }
}

/// Adds a time to those of a place.
pub(crate) fn push(times: &mut TimesByPlace, place: &str, at_us: u64) {
    match times.get_mut(place) {
        Some(times) => times.push(at_us),
        None => drop(times.insert(place.to_owned(), vec![at_us])),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Steps into which so many whole frames and copies went, the last one the sink.
    fn steps(entered: &[(&str, u64, u64)]) -> Steps {
        let step = |(name, whole, copies): &(&str, u64, u64)| Step {
            name: (*name).to_owned(),
            is_suspect: !name.starts_with("queue"),
            entered: Arc::new(Entered([AtomicU64::new(*whole), AtomicU64::new(*copies)])),
            charged: [0; 2],
        };
        Steps(entered.iter().map(step).collect())
    }

    /// The steps that are named for so many frames taken out and so many copies.
    fn named(steps: &mut Steps, taken_out: u64, copies: u64, skipped: &[(&str, u64)]) -> String {
        let times = |n: u64| [(STEPS.to_owned(), (0..n).collect())].into();
        let mut fates =
            Fates { taken_out_us: times(taken_out), copied_us: times(copies), ..Fates::default() };
        let skipped = skipped.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        steps.name(&mut fates, &skipped);
        let counts = |times: &TimesByPlace| {
            let counts = times.iter().map(|(place, times)| format!("{place} {}", times.len()));
            counts.collect::<Vec<_>>().join(", ")
        };
        format!("out: {}; copies: {}", counts(&fates.taken_out_us), counts(&fates.copied_us))
    }

    #[track_caller]
    fn check(entered: &[(&str, u64, u64)], [taken_out, copies]: [u64; 2], expect: Expect) {
        expect.assert_eq(&named(&mut steps(entered), taken_out, copies, &[("scale", 2)]));
    }

    #[test]
    fn a_step_took_out_what_did_not_enter_the_next_one() {
        check(
            &[("half", 10, 0), ("queue", 5, 0), ("rate", 4, 0), ("sink", 1, 3)],
            [8, 3],
            expect!["out: half 5, rate 3; copies: rate 3"],
        );
    }

    #[test]
    fn frames_that_qos_skipped_were_not_taken_out() {
        check(
            &[("scale", 10, 0), ("half", 8, 0), ("sink", 4, 0)],
            [5, 0],
            expect!["out: half 4, steps 1; copies: "],
        );
    }

    #[test]
    fn no_frame_is_charged_twice() {
        let mut steps = steps(&[("half", 10, 0), ("sink", 5, 0)]);
        assert_eq!(named(&mut steps, 3, 0, &[]), "out: half 3; copies: ");
        assert_eq!(named(&mut steps, 3, 0, &[]), "out: half 2, steps 1; copies: ");
        steps.forget();
        assert_eq!(named(&mut steps, 5, 0, &[]), "out: half 5; copies: ");
    }
}
