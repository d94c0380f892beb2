//! Watching a pipeline: everything that its stream's thread acts on becomes an
//! [`Input`], and sightings of elements go to `lp`.
//!
//! Not here: frames ([`probe`](crate::probe)), and acting ([`player`](crate::player)).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;
use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::{PipelineSpec, SCENE_SOURCE, Value};
use lp::scene::Scene;
use lp::worker::protocol::ElementMessage;

use crate::build::Chain;
use crate::looping::PassLength;
use crate::messages;
use crate::output::log;
use crate::probe::Meter;

/// An input of a stream's thread.
pub(crate) enum Input {
    Message(gst::Message),
    /// One of its streams is to end.
    Stop(usize),
    StopAll,
    /// EOS has arrived at the sink of one of its streams.
    Drained(usize),
    /// A source that may be connected again has sent EOS, which has gone no further.
    SourceEnded,
    /// The first buffer has come by the entry pad.
    Data,
    /// The data does not fit the next element: a demuxer's pads, a size.
    LinkFailure(String),
}

/// Passes sightings of elements to the meters of their streams, which report them. Off
/// while a pipeline prerolls.
#[derive(Clone)]
pub(crate) struct Sightings {
    meters: Arc<[Arc<Meter>]>,
    is_on: Arc<AtomicBool>,
}

impl Sightings {
    /// Of a pipeline that serves these streams.
    pub(crate) fn of(meters: Vec<Arc<Meter>>) -> Sightings {
        Sightings { meters: meters.into(), is_on: Arc::default() }
    }

    fn add(&self, stream: usize, sighting: ElementMessage) {
        if self.is_on.load(Ordering::Relaxed) {
            self.meters[stream].saw(sighting);
        }
    }

    /// Counts sightings from now on, and forgets earlier ones.
    pub(crate) fn begin(&self) {
        self.meters.iter().for_each(|meter| meter.forget_sightings());
        self.is_on.store(true, Ordering::Relaxed);
    }

    pub(crate) fn silence(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }
}

/// Reports when EOS has arrived at each sink.
pub(crate) fn watch_ends(chain: &Chain, sinks: &[usize], inputs: &Sender<Input>) {
    for (index, sink) in sinks.iter().enumerate() {
        let Some(pad) = chain.elements[*sink].static_pad("sink") else { continue };
        let inputs = inputs.clone();
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if let Some(gst::PadProbeData::Event(event)) = &info.data
                && event.type_() == gst::EventType::Eos
            {
                let _ = inputs.send(Input::Drained(index));
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// How long a drawn scene is: its time runs on when it begins again. That of a clip
/// is not known yet.
pub(crate) fn pass_length(spec: &PipelineSpec) -> PassLength {
    let drawn = spec.elements.iter().find(|element| element.factory == SCENE_SOURCE);
    let mut properties = drawn.iter().flat_map(|drawn| &drawn.properties);
    let scene = properties.find_map(|property| match &property.value {
        Value::Text(text) if property.name == "scene" => serde_json::from_str::<Scene>(text).ok(),
        _ => None,
    });
    PassLength::new(scene.map_or(0, |scene| scene.length_ns()).into())
}

/// Reports frames of another size than the pipeline relies on.
pub(crate) fn watch_size(chain: &Chain, spec: &PipelineSpec, inputs: &Sender<Input>) {
    let (Some([width, height]), Some(decoder)) = (spec.size, spec.decoder) else { return };
    let inputs = inputs.clone();
    chain.with_src_pad(decoder, move |pad| {
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            let Some(gst::PadProbeData::Event(event)) = &info.data else { return gst::PadProbeReturn::Ok };
            if let gst::EventView::Caps(caps) = event.view()
                && let Some(caps) = caps.caps().structure(0)
                && let (Ok(w), Ok(h)) = (caps.get::<i32>("width"), caps.get::<i32>("height"))
                && (i64::from(w), i64::from(h)) != (i64::from(width), i64::from(height))
            {
                let reason = format!(
                    "its frames are {w}x{h}, but the config says {width}x{height}, and its region is in those pixels"
                );
                let _ = inputs.send(Input::LinkFailure(reason));
            }
            gst::PadProbeReturn::Ok
        });
    });
}

/// Passes messages of the bus on: to the stream's thread, to meters, and sightings.
pub(crate) fn watch_bus(
    chain: &Chain,
    spec: &PipelineSpec,
    sinks: &[usize],
    sightings: &Sightings,
    (inputs, pass): (Sender<Input>, PassLength),
) {
    let Some(bus) = chain.pipeline.bus() else { return };
    let served: BTreeMap<String, Vec<usize>> = chain
        .elements
        .iter()
        .enumerate()
        .map(|(index, element)| (element.name().to_string(), spec.serves(index, sinks)))
        .collect();
    let sightings = sightings.clone();
    let pipeline = chain.pipeline.downgrade();
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Element(element) => {
                let pass_ns = Some(pass.load(Ordering::Relaxed)).filter(|ns| 0 < *ns);
                let part = message.src().zip(pipeline.upgrade());
                let part = part.and_then(|(source, pipeline)| Chain::part_of(&pipeline, source));
                for index in part.and_then(|part| served.get(&part)).into_iter().flatten() {
                    if let Some(sighting) = messages::seen(element, pass_ns) {
                        sightings.add(*index, sighting);
                    }
                }
            }
            gst::MessageView::Qos(qos) => {
                if let Some((element, count)) = messages::dropped(qos)
                    && let (Some(source), Some(pipeline)) = (qos.src(), pipeline.upgrade())
                    && let Some(part) = Chain::part_of(&pipeline, source)
                {
                    let running_time = qos.get().1.map(gst::ClockTime::nseconds);
                    for meter in &*sightings.meters {
                        meter.dropped_by_qos(&part, element.clone(), count, running_time);
                    }
                }
            }
            gst::MessageView::Warning(warning) => log(&messages::warning(warning)),
            gst::MessageView::Latency(_) => {
                sightings.meters.iter().for_each(|meter| meter.latency_changed());
                drop(inputs.send(Input::Message(message.clone())));
            }
            gst::MessageView::Error(_) | gst::MessageView::SegmentDone(_) => {
                drop(inputs.send(Input::Message(message.clone())));
            }
            // Of the pipeline only: a bin reports its children's too.
            gst::MessageView::Eos(_) | gst::MessageView::AsyncDone(_) => {
                let pipeline = pipeline.upgrade();
                if message.src() == pipeline.as_ref().map(|pipeline| pipeline.upcast_ref()) {
                    drop(inputs.send(Input::Message(message.clone())));
                }
            }
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}
