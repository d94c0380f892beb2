//! Counting frames where the spec says, and timing them.
//!
//! *Decoded* is counted where frames leave the decoder, *played* where they
//! arrive at the sink. *Latency* is the time between a buffer leaving the
//! ingress and the buffer of the same running time arriving at the sink: running
//! time, because it goes on over loops while timestamps start again.
//!
//! *Dropped* are the frames that leaky queues threw away and those that QoS
//! skipped from the decoder up to the sink, on the way between these two: what
//! happens in side branches is not theirs. A queue does not say what it drops.
//! But it is first in, first out: when a frame leaves, every older one that has
//! not left was dropped. So each count is exact, never falls, and may only lag
//! until the next frame leaves; at EOS nothing is left in a queue, and decoded =
//! played + dropped.
//!
//! Costs 0.1 us a frame and probe; lines are made once a second, elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gst::glib::WeakRef;
use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;
use lp::pipeline::PipelineSpec;
use lp::worker::protocol::EventBody;

use crate::build::Chain;

/// Frames between ingress and sink whose departure is remembered. Those that
/// were dropped on the way are forgotten as newer ones come.
const MAX_UNDERWAY: usize = 1_024;

/// The counters of one stream.
pub(crate) struct Meter {
    stream: String,
    has_ingress: bool,
    decoder: String,
    /// Names of the elements from the source to the sink, the sink excepted.
    path: BTreeSet<String>,
    ingress: Mutex<Ingress>,
    decoded: AtomicU64,
    sink: Mutex<Sink>,
    queues: Vec<Queue>,
    /// Frames dropped by QoS, by element.
    qos: Mutex<BTreeMap<String, u64>>,
    /// Whether its branch was cut off a pipeline that goes on.
    is_cut: AtomicBool,
}

#[derive(Default)]
struct Ingress {
    left_at: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

#[derive(Default)]
struct Sink {
    arrived_us: Vec<u64>,
    latency_us: Vec<Option<u32>>,
    played: u64,
}

struct Queue {
    name: String,
    element: WeakRef<gst::Element>,
    /// Whether no other stream's frames come by.
    is_own: bool,
    /// For those that leak.
    traffic: Option<Arc<Mutex<Traffic>>>,
}

/// What went through a leaky queue. Entered = left + dropped + inside.
#[derive(Default)]
struct Traffic {
    inside: VecDeque<Option<gst::ClockTime>>,
    dropped: u64,
}

impl Traffic {
    fn entered(&mut self, timestamp: Option<gst::ClockTime>) {
        self.inside.push_back(timestamp);
    }

    fn left(&mut self, timestamp: Option<gst::ClockTime>) {
        let older = self.inside.iter().position(|inside| *inside == timestamp).unwrap_or(0);
        self.inside.drain(..=older.min(self.inside.len().saturating_sub(1)));
        self.dropped += older as u64;
    }

    /// What must have been dropped when no more than `level` frames are in the
    /// queue. One more may be about to enter and one about to have left, as
    /// each side is one thread and waits for this lock.
    fn dropped(&self, level: u32) -> u64 {
        self.dropped + (self.inside.len() as u64).saturating_sub(u64::from(level) + 2)
    }
}

impl Meter {
    /// Installs the probes on the way to the element `sink`. To be called before the pipeline leaves NULL.
    ///
    /// `sinks` are those of all streams of the pipeline.
    pub(crate) fn attach(
        spec: &PipelineSpec,
        stream: &str,
        sink: usize,
        sinks: &[usize],
        chain: &Chain,
    ) -> Arc<Meter> {
        let path = spec.path_to(sink);
        let branch = spec.branch_to(sink, sinks);
        let queue = |index: &usize| {
            let queue = Queue::of(&chain.elements[*index])?;
            Some(Queue { is_own: branch <= *index, ..queue })
        };
        let queues = path.iter().filter_map(queue).collect();
        let before_sink = path.iter().filter(|index| **index != sink);
        let decoder = spec.decoder.map(|index| chain.elements[index].name().to_string());
        let meter = Arc::new(Meter {
            stream: stream.to_owned(),
            has_ingress: spec.ingress.is_some(),
            decoder: decoder.unwrap_or_default(),
            path: before_sink.map(|index| chain.elements[*index].name().to_string()).collect(),
            ingress: Mutex::default(),
            decoded: AtomicU64::new(0),
            sink: Mutex::default(),
            queues,
            qos: Mutex::default(),
            is_cut: AtomicBool::new(false),
        });
        if let Some(index) = spec.ingress {
            let meter = Arc::clone(&meter);
            chain.with_src_pad(index, move |pad| meter.watch_ingress(pad));
        }
        if let Some(index) = spec.decoder {
            let meter = Arc::clone(&meter);
            chain.with_src_pad(index, move |pad| meter.watch_decoder(pad));
        }
        if let Some(pad) = chain.elements[sink].static_pad("sink") {
            Arc::clone(&meter).watch_sink(&pad);
        }
        meter
    }

    fn watch_ingress(self: Arc<Meter>, pad: &gst::Pad) {
        let forget = Arc::clone(&self);
        on_frames(
            pad,
            move |frame| {
                let Some(running_time) = frame.running_time else { return };
                let now = monotonic_ns();
                let mut ingress = lock(&self.ingress);
                if ingress.left_at.insert(running_time, now).is_none() {
                    ingress.order.push_back(running_time);
                }
                if MAX_UNDERWAY < ingress.order.len()
                    && let Some(oldest) = ingress.order.pop_front()
                {
                    ingress.left_at.remove(&oldest);
                }
            },
            move || *lock(&forget.ingress) = Ingress::default(),
        );
    }

    fn watch_decoder(self: Arc<Meter>, pad: &gst::Pad) {
        let forget = Arc::clone(&self);
        on_frames(
            pad,
            move |_| {
                if !self.is_cut.load(Ordering::Relaxed) {
                    self.decoded.fetch_add(1, Ordering::Relaxed);
                }
            },
            move || forget.decoded.store(0, Ordering::Relaxed),
        );
    }

    fn watch_sink(self: Arc<Meter>, pad: &gst::Pad) {
        let forget = Arc::clone(&self);
        on_frames(
            pad,
            move |frame| {
                let now = monotonic_ns();
                let left_at = match frame.running_time {
                    Some(time) if self.has_ingress => lock(&self.ingress).left_at.remove(&time),
                    _ => None,
                };
                let mut sink = lock(&self.sink);
                sink.played += 1;
                sink.arrived_us.push(now / 1_000);
                if self.has_ingress {
                    let latency = left_at.map(|left_at| now.saturating_sub(left_at) / 1_000);
                    sink.latency_us.push(latency.map(|us| u32::try_from(us).unwrap_or(u32::MAX)));
                }
            },
            move || *lock(&forget.sink) = Sink::default(),
        );
    }

    /// Takes note of how many frames the QoS of `element`, which is `part` of the
    /// spec or inside it, has dropped so far.
    pub(crate) fn dropped_by_qos(&self, part: &str, element: String, count: u64) {
        // Behind the sink's pad a frame has arrived, whatever becomes of it.
        if self.path.contains(part) {
            lock(&self.qos).insert(element, count);
        }
    }

    /// Takes note that the stream's branch is being cut off.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// The frames since the last call. After EOS all queues have run empty, so
    /// what is missing behind them was dropped. Of a branch that was cut off, only
    /// its own queues have; what was on its way through shared ones is nobody's.
    pub(crate) fn report(&self, after_eos: bool) -> EventBody {
        let (arrived_us, latency_us, played) = {
            let mut sink = lock(&self.sink);
            (std::mem::take(&mut sink.arrived_us), std::mem::take(&mut sink.latency_us), sink.played)
        };
        let is_cut = self.is_cut.load(Ordering::Relaxed);
        // From the sink upwards, so that no frame is seen behind a place and
        // not yet before it.
        let (levels, leaked) =
            self.queues.iter().rev().fold((BTreeMap::new(), 0), |(mut levels, sum), queue| {
                let (level, dropped) = queue.look(after_eos && (queue.is_own || !is_cut));
                levels.insert(queue.name.clone(), level);
                (levels, sum + dropped)
            });
        let (by_decoder, by_all) = {
            let qos = lock(&self.qos);
            (qos.get(&self.decoder).copied().unwrap_or(0), qos.values().sum::<u64>())
        };
        EventBody::Frames {
            stream: self.stream.clone(),
            arrived_us,
            latency_us,
            decoded: match self.decoded.load(Ordering::Relaxed) + by_decoder {
                _ if is_cut && after_eos => played + leaked + by_all,
                decoded if is_cut => decoded.max(played + leaked + by_all),
                decoded => decoded,
            },
            played,
            dropped: leaked + by_all,
            queues: levels,
        }
    }
}

impl Queue {
    fn of(element: &gst::Element) -> Option<Queue> {
        let factory = element.factory()?.name();
        if !["queue", "queue2"].contains(&factory.as_str()) {
            return None;
        }
        let leaks = element.find_property("leaky").is_some_and(|_| {
            let leaky = element.property_value("leaky").serialize();
            leaky.is_ok_and(|leaky| leaky != "no")
        });
        let traffic = leaks.then(|| Arc::new(Mutex::new(Traffic::default())));
        if let (Some(traffic), Some(sink), Some(src)) =
            (&traffic, element.static_pad("sink"), element.static_pad("src"))
        {
            let (entered, left, forget) = (Arc::clone(traffic), Arc::clone(traffic), Arc::clone(traffic));
            // Both sides are forgotten when the flush is over on the second; a
            // queue that flushes is empty.
            on_frames(&sink, move |frame| lock(&entered).entered(frame.timestamp), || ());
            on_frames(
                &src,
                move |frame| lock(&left).left(frame.timestamp),
                move || *lock(&forget) = Traffic::default(),
            );
        }
        Some(Queue { name: element.name().to_string(), element: element.downgrade(), is_own: true, traffic })
    }

    /// Its fill, and what it has dropped.
    fn look(&self, after_eos: bool) -> (u32, u64) {
        let level =
            || self.element.upgrade().map_or(0, |queue| queue.property::<u32>("current-level-buffers"));
        let Some(traffic) = &self.traffic else { return (level(), 0) };
        let traffic = lock(traffic);
        let level = level();
        let dropped =
            if after_eos { traffic.dropped + traffic.inside.len() as u64 } else { traffic.dropped(level) };
        (level, dropped)
    }
}

/// A buffer at a probe, in nanoseconds.
struct Frame {
    timestamp: Option<gst::ClockTime>,
    running_time: Option<u64>,
}

/// Calls `seen` for each buffer that comes by, `flushed` when a flush is over.
fn on_frames(
    pad: &gst::Pad,
    seen: impl Fn(&Frame) + Send + Sync + 'static,
    flushed: impl Fn() + Send + Sync + 'static,
) {
    let segment = Mutex::new(None::<gst::FormattedSegment<gst::ClockTime>>);
    let types = gst::PadProbeType::BUFFER
        | gst::PadProbeType::BUFFER_LIST
        | gst::PadProbeType::EVENT_DOWNSTREAM
        | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(types, move |_, info| {
        let frame = |buffer: &gst::BufferRef| {
            let timestamp = buffer.pts();
            let running_time = lock(&segment)
                .as_ref()
                .and_then(|segment| segment.to_running_time(timestamp))
                .map(gst::ClockTime::nseconds);
            seen(&Frame { timestamp, running_time });
        };
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => frame(buffer),
            Some(gst::PadProbeData::BufferList(list)) => list.iter().for_each(frame),
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Segment(event) => {
                    *lock(&segment) = event.segment().downcast_ref::<gst::ClockTime>().cloned();
                }
                gst::EventView::FlushStop(_) => flushed(),
                _ => {}
            },
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `+3` enters, `-3` leaves; a number is the level to ask about.
    #[track_caller]
    fn check(script: &str, expect: Expect) {
        let mut traffic = Traffic::default();
        let mut answers = Vec::new();
        for word in script.split_ascii_whitespace() {
            let time = |text: &str| Some(gst::ClockTime::from_nseconds(text.parse().unwrap()));
            if let Some(text) = word.strip_prefix('+') {
                traffic.entered(time(text));
            } else if let Some(text) = word.strip_prefix('-') {
                traffic.left(time(text));
            } else {
                answers.push(traffic.dropped(word.parse().unwrap()).to_string());
            }
        }
        expect.assert_eq(&format!("{} inside {}", answers.join(" "), traffic.inside.len()));
    }

    #[test]
    fn a_frame_that_leaves_tells_what_was_dropped_before_it() {
        check("+1 +2 +3 -1 0 +4 -4 0", expect!["0 2 inside 0"]);
    }

    #[test]
    fn the_same_time_again_is_another_frame() {
        check("+1 +2 -1 -2 +1 +2 -2 0", expect!["1 inside 0"]);
    }

    #[test]
    fn a_stalled_queue_has_dropped_what_it_cannot_hold() {
        check("+1 +2 +3 +4 +5 +6 3 1 0", expect!["1 3 4 inside 6"]);
    }
}
