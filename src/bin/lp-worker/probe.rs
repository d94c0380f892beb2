//! Watching a stream's frames at four places: where the source delivers them, at
//! the ingress, where they leave the decoder, and at the sink.
//!
//! *Delivered* are the frames of the source, before `lp` changes anything: those of an
//! `rtspsrc` by the packets that come in, since the thread after its jitterbuffer also
//! decodes, and a slow decoder is no slow camera. *Latency* is the time
//! between a buffer leaving the ingress and the buffer of the same running time
//! arriving at the sink: running time, because it goes on over loops while
//! timestamps start again. *Lateness* is an arrival less the time when the frame
//! was due: base time + running time + the latency that elements report, which a sink
//! that shows frames would wait for (of RTSP: see [`rtp`](crate::rtp)); so it has
//! the time that a frame waited in front of a busy decoder, and not the time for which
//! an encoder holds frames by design.
//! [`account`](crate::account) keeps the fates of frames between decoder and sink.
//!
//! *Dropped* are the frames that leaky queues threw away and those that QoS
//! skipped from the decoder up to the sink, on the way between these two:
//! drops in side branches do not count. So are frames of RTP that the jitterbuffer dropped:
//! those that came in time, as a slow decoder makes it overflow, and those that came too late. A queue does not report its drops.
//! But it is first in, first out: when a frame leaves, every older one that has
//! not left was dropped, and at EOS nothing is left in it.
//!
//! Costs 0.1 us a frame and probe, and the account 0.03 us a frame; lines are made
//! once a second, elsewhere.

mod stream;

pub(crate) use self::stream::transport;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gst::glib::WeakRef;
use gst::prelude::*;
use gstreamer as gst;

use lp::os::clock::monotonic_ns;
use lp::pipeline::PipelineSpec;
use lp::pipeline::detect;
use lp::worker::protocol::{ElementMessage, EventBody, Keep, Place, Sights, Snapshot};

use crate::account::{Account, Arrival, Due, Thinning};
use crate::build::Chain;
use crate::delivery::Source;
use crate::frames::{Sight, lock, on_frames};
use crate::lateness::Lateness;
use crate::looping::PassLength;
use crate::output::log;
use crate::regions::{RegionCounter, Watching, position};
use crate::snapshot::Chooser;
use crate::stages::Stages;
use crate::steps::Steps;
use crate::traffic::{QueuedFrame, Traffic};

/// Frames between ingress and sink whose departure is remembered. Those that
/// were dropped on the way are forgotten as newer ones come.
const MAX_UNDERWAY: usize = 1_024;

/// The counters of one stream.
pub(crate) struct Meter {
    stream: String,
    has_ingress: bool,
    /// Whether frames are due at a time.
    is_paced: bool,
    is_rtsp: bool,
    lateness: Lateness,
    decoder: String,
    /// Names of the elements from the source to the sink, the sink excepted.
    path: BTreeSet<String>,
    source: Mutex<Source>,
    ingress: Mutex<Ingress>,
    account: Mutex<Account>,
    sink: Mutex<Sink>,
    queues: Vec<Queue>,
    steps: Mutex<Steps>,
    /// Frames dropped by QoS, by element.
    qos: Mutex<BTreeMap<String, u64>>,
    /// Detectors that post no messages.
    regions: Vec<Arc<RegionCounter>>,
    /// How long a source plays that begins again.
    pass: PassLength,
    /// Whether positions are those of a clip.
    has_place: bool,
    place: Mutex<Option<Place>>,
    /// Whether the place of the next frame is asked for.
    wants_place: AtomicBool,
    /// Messages of elements since the last report.
    sightings: Mutex<Vec<ElementMessage>>,
    /// Chooses the frame of the snapshot, if one is asked for.
    chooser: Option<Arc<Chooser>>,
    /// Follows frames from element to element, if that is asked for.
    stages: Option<Arc<Stages>>,
    /// Whether its branch was cut off a pipeline that goes on.
    is_cut: AtomicBool,
    /// When packets of its source came, in nanoseconds of CLOCK_MONOTONIC: the first one of a
    /// connection, 0 before that, and the last one.
    first_packet_ns: AtomicU64,
    last_packet_ns: AtomicU64,
    /// Whether frames are left out until the next key frame.
    awaits_key: AtomicBool,
}

/// How the frames of a source are counted at a pad.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counting {
    Buffers,
    /// By the numbers that a device's driver gives them.
    Numbers,
    /// By packets, at another pad.
    Elsewhere,
}

#[derive(Default)]
struct Ingress {
    left_at: HashMap<u64, u64>,
    order: VecDeque<u64>,
    /// Marked frames before the decoder, and when they left.
    marked: VecDeque<(i64, u64)>,
}

impl Ingress {
    /// A marked frame has left.
    fn marked(&mut self, mark: i64, at_ns: u64) {
        self.marked.push_back((mark, at_ns));
        if MAX_UNDERWAY < self.marked.len() {
            self.marked.pop_front();
        }
    }

    /// A marked frame has left the decoder with this running time.
    fn decoded(&mut self, mark: i64, running_time: u64) {
        let Some(index) = self.marked.iter().position(|(other, _)| *other == mark) else { return };
        let Some((_, at_ns)) = self.marked.remove(index) else { return };
        self.left(running_time, at_ns);
    }

    /// A frame of this running time has left.
    fn left(&mut self, running_time: u64, at_ns: u64) {
        if self.left_at.insert(running_time, at_ns).is_none() {
            self.order.push_back(running_time);
        }
        if MAX_UNDERWAY < self.order.len()
            && let Some(oldest) = self.order.pop_front()
        {
            self.left_at.remove(&oldest);
        }
    }
}

#[derive(Default)]
struct Sink {
    arrived_us: Vec<u64>,
    latency_us: Vec<Option<u32>>,
    late_us: Vec<Option<i64>>,
}

struct Queue {
    name: String,
    element: WeakRef<gst::Element>,
    /// Whether no other stream's frames come by.
    is_own: bool,
    /// For those that leak.
    traffic: Option<Arc<Mutex<Traffic>>>,
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
        (chain, pass): (&Chain, &PassLength),
        keep: Keep,
    ) -> Arc<Meter> {
        let path = spec.path_to(sink);
        let branch = spec.branch_to(sink, sinks);
        let queue = |index: &usize| {
            let queue = Queue::of(&chain.elements[*index])?;
            Some(Queue { is_own: branch <= *index, ..queue })
        };
        let queues = path.iter().filter_map(queue).collect();
        let serves_it = |index: &usize| spec.serves(*index, sinks).iter().any(|n| sinks[*n] == sink);
        let detectors = (0..spec.elements.len()).filter(serves_it);
        let regions = detectors.filter_map(|index| {
            let element = &spec.elements[index];
            let watching = Watching {
                report: detect::report(element)?,
                interval: detect::interval(element),
                keeps_boxes: keep.boxes && !is_camera(spec),
            };
            RegionCounter::attach(&chain.elements[index], watching, pass)
        });
        let before_sink = path.iter().filter(|index| **index != sink);
        let after_decoder = path.iter().filter(|index| spec.decoder.is_some_and(|decoder| decoder < **index));
        let steps = Steps::watch(after_decoder.map(|index| &chain.elements[*index]));
        let decoder = spec.decoder.map(|index| chain.elements[index].name().to_string());
        let pad = chain.elements[sink].static_pad("sink");
        let chooser = pad.as_ref().filter(|_| keep.snapshot).map(|pad| Chooser::watch(pad, pass));
        let meter = Arc::new(Meter {
            stream: stream.to_owned(),
            has_ingress: spec.ingress.is_some(),
            is_paced: spec.ingress.is_some() || is_rtsp(spec),
            is_rtsp: is_rtsp(spec),
            lateness: Lateness::new(pad.as_ref(), is_camera(spec)),
            decoder: decoder.unwrap_or_default(),
            path: before_sink.map(|index| chain.elements[*index].name().to_string()).collect(),
            source: Mutex::default(),
            ingress: Mutex::default(),
            account: Mutex::default(),
            sink: Mutex::default(),
            queues,
            steps: Mutex::new(steps),
            qos: Mutex::default(),
            regions: regions.collect(),
            pass: Arc::clone(pass),
            has_place: !is_camera(spec),
            place: Mutex::default(),
            wants_place: AtomicBool::new(!is_camera(spec)),
            sightings: Mutex::default(),
            chooser,
            stages: keep.stages.then(|| Stages::watch(spec, chain, sink)).flatten(),
            is_cut: AtomicBool::new(false),
            first_packet_ns: AtomicU64::new(0),
            last_packet_ns: AtomicU64::new(0),
            awaits_key: AtomicBool::new(false),
        });
        if let (Some(delivery), Some(decoder)) = (spec.delivery, spec.decoder) {
            Arc::clone(&meter).watch_source(spec, chain, delivery, decoder);
        }
        if let Some(index) = spec.ingress {
            let meter = Arc::clone(&meter);
            chain.with_src_pad(index, move |pad| meter.watch_ingress(pad));
        }
        if let Some(index) = spec.decoder {
            let meter = Arc::clone(&meter);
            chain.with_src_pad(index, move |pad| meter.watch_decoder(pad));
        }
        for queue in &meter.queues {
            queue.watch(&meter);
        }
        if let Some(pad) = pad {
            Arc::clone(&meter).watch_sink(&pad);
        }
        meter
    }

    fn watch_source(self: Arc<Meter>, spec: &PipelineSpec, chain: &Chain, delivery: usize, decoder: usize) {
        let element = &chain.elements[delivery];
        let spec_has_parser = spec.ingress.is_some();
        if is_rtsp(spec) {
            let next = spec.elements.get(delivery + 1).map_or("", |next| next.factory.as_str());
            Arc::clone(&self).watch_stream(chain, (delivery, element), is_depayloader(next));
            // The output of the parser shows the rest.
            chain.with_src_pad(decoder.saturating_sub(1), move |pad| {
                if spec_has_parser {
                    Arc::clone(&self).watch_first_key(pad);
                }
                self.watch_delivery(pad, Counting::Elsewhere);
            });
        } else {
            let after = spec.path_to(decoder).into_iter().filter(|index| delivery < *index);
            let is_thinned = after.into_iter().any(|index| spec.elements[index].factory == "videorate");
            lock(&self.source).thinning = is_thinned.then(Thinning::default);
            let is_device = spec.elements[delivery].factory == "v4l2src";
            let counting = if is_device { Counting::Numbers } else { Counting::Buffers };
            chain.with_src_pad(delivery, move |pad| self.watch_delivery(pad, counting));
        }
    }

    /// Looks at what is delivered, and counts it unless the packets are counted.
    fn watch_delivery(self: Arc<Meter>, pad: &gst::Pad, counting: Counting) {
        let counts_keys = AtomicBool::new(false);
        if let Some(caps) = pad.current_caps() {
            counts_keys.store(is_encoded(&caps), Ordering::Relaxed);
            lock(&self.source).caps(&caps);
        }
        on_frames(pad, move |sight| match sight {
            Sight::Frame(frame) if !self.is_cut.load(Ordering::Relaxed) => {
                let mut source = lock(&self.source);
                if counting != Counting::Elsewhere {
                    let at_us = monotonic_ns() / 1_000;
                    match frame.offset.filter(|_| counting == Counting::Numbers) {
                        Some(number) => source.numbered(number, at_us),
                        None => source.delivered(at_us),
                    }
                    if let Some(thinning) = &mut source.thinning {
                        thinning.delivered(frame.running_time, at_us);
                    }
                }
                if counts_keys.load(Ordering::Relaxed) {
                    source.encoded(!frame.flags.contains(gst::BufferFlags::DELTA_UNIT));
                }
            }
            Sight::Frame(_) => {}
            Sight::Caps(caps) => {
                counts_keys.store(is_encoded(caps), Ordering::Relaxed);
                lock(&self.source).caps(caps);
            }
            Sight::Flushed => {
                let mut source = lock(&self.source);
                source.frames_us = None;
                source.since_key = None;
                if let Some(thinning) = &mut source.thinning {
                    *thinning = Thinning::default();
                }
            }
        });
    }

    fn watch_ingress(self: Arc<Meter>, pad: &gst::Pad) {
        on_frames(pad, move |sight| match sight {
            Sight::Frame(frame) => {
                let now = monotonic_ns();
                match (frame.mark, frame.running_time) {
                    (Some(mark), _) => lock(&self.ingress).marked(mark, now),
                    (None, Some(running_time)) => lock(&self.ingress).left(running_time, now),
                    (None, None) => {}
                }
                if let Some(stages) = &self.stages {
                    stages.left(frame, now);
                }
            }
            Sight::Flushed => *lock(&self.ingress) = Ingress::default(),
            Sight::Caps(_) => {}
        });
    }

    fn watch_decoder(self: Arc<Meter>, pad: &gst::Pad) {
        on_frames(pad, move |sight| match sight {
            Sight::Frame(frame) if !self.is_cut.load(Ordering::Relaxed) => {
                let at_us = monotonic_ns() / 1_000;
                if let (Some(mark), Some(time)) = (frame.mark, frame.running_time) {
                    lock(&self.ingress).decoded(mark, time);
                }
                let due = {
                    let mut source = lock(&self.source);
                    match &mut source.thinning {
                        Some(thinning) => thinning.passed(frame.running_time).map(Due::Running),
                        None if self.is_rtsp => {
                            source.rtp.decoded(frame.running_time, frame.mark).map(Due::Clock)
                        }
                        None => frame.running_time.map(Due::Running),
                    }
                };
                let is_damaged = frame.flags.contains(gst::BufferFlags::CORRUPTED);
                lock(&self.account).decoded(frame.running_time, due, at_us, is_damaged);
            }
            Sight::Flushed => {
                *lock(&self.account) = Account::default();
                lock(&self.steps).forget();
            }
            Sight::Caps(caps) => {
                let mut source = lock(&self.source);
                // Without a parser before it, only the decoder knows the size.
                if !source.is_described {
                    source.describe(caps);
                }
            }
            Sight::Frame(_) => {}
        });
    }

    fn watch_sink(self: Arc<Meter>, pad: &gst::Pad) {
        let sink_pad = pad.downgrade();
        on_frames(pad, move |sight| match sight {
            Sight::Frame(frame) => {
                let now = monotonic_ns();
                let left_at = match frame.running_time {
                    Some(time) if self.has_ingress => lock(&self.ingress).left_at.remove(&time),
                    _ => None,
                };
                let arrival = lock(&self.account).arrived(
                    frame.running_time,
                    now / 1_000,
                    frame.flags.contains(gst::BufferFlags::GAP),
                );
                let Arrival::Whole(due) = arrival else { return };
                if let Some(stages) = &self.stages {
                    stages.arrived(frame, now);
                }
                if self.wants_place.swap(false, Ordering::Relaxed) {
                    let clip_ns = sink_pad.upgrade().and_then(|pad| position(&pad, frame.time));
                    *lock(&self.place) = clip_ns.map(|ns| self.place_of(ns, now / 1_000));
                }
                let mut sink = lock(&self.sink);
                sink.arrived_us.push(now / 1_000);
                if self.has_ingress {
                    let latency = left_at.map(|left_at| now.saturating_sub(left_at) / 1_000);
                    sink.latency_us.push(latency.map(|us| u32::try_from(us).unwrap_or(u32::MAX)));
                }
                if self.is_paced {
                    sink.late_us.push(due.and_then(|due| self.lateness.of_us(due, now)));
                }
            }
            Sight::Flushed => {
                *lock(&self.sink) = Sink::default();
                if let Some(stages) = &self.stages {
                    stages.forget();
                }
            }
            Sight::Caps(_) => {}
        });
    }

    /// The place of a frame at a stream time: that of a clip goes on over its passes.
    fn place_of(&self, stream_ns: u64, at_us: u64) -> Place {
        let pass_ns = Some(self.pass.load(Ordering::Relaxed)).filter(|pass| *pass > 0);
        Place { at_us, clip_ns: pass_ns.map_or(stream_ns, |pass| stream_ns % pass), pass_ns }
    }

    /// An element has posted that it holds frames for another time.
    pub(crate) fn latency_changed(&self) {
        self.lateness.latency_changed();
    }

    /// Takes note of how many frames the QoS of `element`, which is `part` of the
    /// spec or inside it, has dropped so far, the last one at this running time.
    pub(crate) fn dropped_by_qos(&self, part: &str, element: String, count: u64, running_time: Option<u64>) {
        // After the sink's pad a frame has arrived, whatever its fate.
        if !self.path.contains(part) || self.is_cut.load(Ordering::Relaxed) {
            return;
        }
        let by_decoder = element == self.decoder;
        let place = format!("qos:{element}");
        let before = lock(&self.qos).insert(element, count).unwrap_or(0);
        let at_us = monotonic_ns() / 1_000;
        let mut account = lock(&self.account);
        for n in before..count {
            if by_decoder {
                account.never_decoded(&place, at_us);
            } else {
                account.skipped(&place, running_time.filter(|_| n + 1 == count), at_us);
            }
        }
    }

    /// Takes note that the stream's branch is being cut off.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// An element of its path has posted a message.
    pub(crate) fn saw(&self, sighting: ElementMessage) {
        lock(&self.sightings).push(sighting);
    }

    /// Forgets what was seen, and not what elements say once, when they start: what OpenVINO uses,
    /// and remarks.
    pub(crate) fn forget_sightings(&self) {
        let is_said_once = |message: &str| [detect::OPENVINO, detect::REMARK].contains(&message);
        lock(&self.sightings).retain(|sighting| is_said_once(&sighting.message));
    }

    /// A snapshot, if one was asked for and could be made. It is drawn and encoded here, so this is
    /// for when the stream is over.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        let made = self.chooser.as_ref()?.snapshot();
        made.inspect_err(|reason| log(&format!("no snapshot of `{}`: {reason}", self.stream))).ok()
    }

    /// The frames, and their stages and the messages of elements if there were any, since the last call.
    /// Of frames see [`Meter::frames`].
    pub(crate) fn report(&self, after_eos: bool) -> impl Iterator<Item = EventBody> {
        let frames = self.frames(after_eos);
        let messages = std::mem::take(&mut *lock(&self.sightings));
        let messages =
            (!messages.is_empty()).then(|| EventBody::Messages { stream: self.stream.clone(), messages });
        let stages = self.stages.as_ref().and_then(|stages| stages.report(&self.stream));
        [frames].into_iter().chain(stages).chain(messages)
    }

    /// The frames since the last call. After EOS all queues have run empty, so
    /// frames missing after them were dropped, and other missing frames were taken out.
    /// Of a branch that was cut off, only its own queues have run empty; frames on their
    /// way through shared ones do not count.
    fn frames(&self, after_eos: bool) -> EventBody {
        let is_cut = self.is_cut.load(Ordering::Relaxed);
        let mut levels = BTreeMap::new();
        for queue in &self.queues {
            let (level, dropped) = queue.look(after_eos && (queue.is_own || !is_cut));
            levels.insert(queue.name.clone(), level);
            self.drop_all(&queue.name, &dropped);
        }
        let Sink { arrived_us, latency_us, late_us } = std::mem::take(&mut *lock(&self.sink));
        let (mut fates, totals) = {
            let mut account = lock(&self.account);
            if after_eos && !is_cut {
                account.finish();
            }
            account.report()
        };
        lock(&self.steps).name(&mut fates, &lock(&self.qos));
        let delivered = {
            let mut source = lock(&self.source);
            if let Some(thinning) = source.thinning.as_mut().filter(|_| after_eos && !is_cut) {
                thinning.finish();
            }
            source.report()
        };
        let accounted = totals.played + totals.dropped + totals.taken_out;
        let place = lock(&self.place).take();
        self.wants_place.store(self.has_place, Ordering::Relaxed);
        let regions = self.regions.iter().filter_map(|detector| detector.report()).collect();
        EventBody::Frames {
            stream: self.stream.clone(),
            arrived_us,
            latency_us,
            late_us,
            decoded: if is_cut && after_eos { accounted } else { totals.decoded },
            played: totals.played,
            dropped: totals.dropped,
            taken_out: totals.taken_out,
            fates: Box::new(fates),
            delivered: Box::new(delivered),
            queues: levels,
            sights: Box::new(Sights { place, regions }),
        }
    }

    /// Takes note of frames that a queue of this name has dropped.
    fn drop_all(&self, queue: &str, dropped: &[QueuedFrame]) {
        if dropped.is_empty() {
            return;
        }
        let mut account = lock(&self.account);
        for frame in dropped.iter().filter(|frame| !frame.is_copy) {
            account.dropped(queue, frame.time, frame.entered_us);
        }
    }
}

fn is_depayloader(factory: &str) -> bool {
    factory.contains("depay")
}

fn is_rtsp(spec: &PipelineSpec) -> bool {
    spec.delivery.is_some_and(|index| spec.elements[index].factory == "rtspsrc")
}

fn is_camera(spec: &PipelineSpec) -> bool {
    let is_device = |index: usize| spec.elements[index].factory == "v4l2src";
    is_rtsp(spec) || spec.delivery.is_some_and(is_device)
}

/// Whether each buffer is an encoded frame.
fn is_encoded(caps: &gst::CapsRef) -> bool {
    let name = caps.structure(0).map_or("", |caps| caps.name().as_str());
    ["video/", "image/"].iter().any(|kind| name.starts_with(kind)) && name != "video/x-raw"
}

impl Queue {
    fn of(element: &gst::Element) -> Option<Queue> {
        let factory = element.factory()?.name();
        if !["queue", "queue2"].contains(&factory.as_str()) {
            return None;
        }
        let leaky =
            element.find_property("leaky").and_then(|_| element.property_value("leaky").serialize().ok());
        let traffic = leaky.filter(|leaky| leaky != "no").map(|leaky| {
            let drops_oldest = leaky == "downstream";
            Arc::new(Mutex::new(Traffic { drops_oldest, ..Traffic::default() }))
        });
        Some(Queue { name: element.name().to_string(), element: element.downgrade(), is_own: true, traffic })
    }

    /// Reports its drops to a meter.
    fn watch(&self, meter: &Arc<Meter>) {
        let (Some(traffic), Some(element)) = (&self.traffic, self.element.upgrade()) else { return };
        let (Some(sink), Some(src)) = (element.static_pad("sink"), element.static_pad("src")) else { return };
        let entered = Arc::clone(traffic);
        // Both sides are forgotten when the flush is over on the second; a
        // queue that flushes is empty.
        on_frames(&sink, move |sight| {
            if let Sight::Frame(frame) = sight {
                let entered_us = monotonic_ns() / 1_000;
                let is_copy = frame.flags.contains(gst::BufferFlags::GAP);
                lock(&entered).entered(QueuedFrame { time: frame.running_time, entered_us, is_copy });
            }
        });
        let (left, meter, name) = (Arc::clone(traffic), Arc::clone(meter), self.name.clone());
        on_frames(&src, move |sight| match sight {
            Sight::Frame(frame) => {
                let dropped = lock(&left).left(frame.running_time);
                meter.drop_all(&name, &dropped);
            }
            Sight::Flushed => lock(&left).inside.clear(),
            Sight::Caps(_) => {}
        });
    }

    /// Its fill, and what it has dropped.
    fn look(&self, after_eos: bool) -> (u32, Vec<QueuedFrame>) {
        let level =
            || self.element.upgrade().map_or(0, |queue| queue.property::<u32>("current-level-buffers"));
        let Some(traffic) = &self.traffic else { return (level(), Vec::new()) };
        let mut traffic = lock(traffic);
        let level = level();
        let dropped = if after_eos { traffic.inside.drain(..).collect() } else { traffic.stalled(level) };
        (level, dropped)
    }
}
