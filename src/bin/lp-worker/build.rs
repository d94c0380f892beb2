//! From a spec to a `gst::Pipeline`: elements made, set and linked.
//!
//! Elements are linked in order, each from the one before it or from the tee that
//! it names. One whose output appears only while it runs (a
//! demuxer, `decodebin`, `rtspsrc`) is linked when the pad comes: the first pad
//! whose caps fit what follows. Everything that follows is linked already, so a
//! `queue` behind a demuxer does not take the audio.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::PipelineSpec;

use crate::property::{self, shown};

/// What is told about pads that come late.
pub(crate) type Unlinked = Arc<dyn Fn(String) + Send + Sync>;

/// What is done with an element's src pad once it is linked.
type Attach = Box<dyn FnOnce(&gst::Pad) + Send>;

/// A pipeline and its elements in the order of the spec.
pub(crate) struct Chain {
    pub(crate) pipeline: gst::Pipeline,
    pub(crate) elements: Vec<gst::Element>,
    late: Vec<Late>,
}

/// An element that was linked when its pad came, or still waits for it.
#[derive(Clone)]
struct Late(Arc<Mutex<LateState>>);

#[derive(Default)]
struct LateState {
    index: usize,
    pad: Option<gst::glib::WeakRef<gst::Pad>>,
    waiting: Vec<Attach>,
    offered: Vec<String>,
}

impl Late {
    fn lock(&self) -> std::sync::MutexGuard<'_, LateState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chain {
    /// Makes, sets and links all elements. `unlinked` hears of an element whose
    /// pads have all come and none of which fits.
    pub(crate) fn build(spec: &PipelineSpec, stream: &str, unlinked: &Unlinked) -> Result<Chain, String> {
        if let Some(fault) = spec.fault() {
            return Err(fault);
        }
        let pipeline = gst::Pipeline::with_name(stream);
        let mut elements = Vec::new();
        for (index, element) in spec.elements.iter().enumerate() {
            let made = make(element, index)?;
            pipeline
                .add(&made)
                .map_err(|_| format!("{}: the pipeline has an element of this name already", shown(&made)))?;
            elements.push(made);
        }
        let mut chain = Chain { pipeline, elements, late: Vec::new() };
        // Links at hand come first: a late one is tried against all that follows.
        let mut late = Vec::new();
        for index in 0..chain.elements.len() {
            let Some(from) = spec.upstream(index) else { continue };
            let (upstream, downstream) = (&chain.elements[from], &chain.elements[index]);
            if has_src_pad(upstream) {
                upstream.link(downstream).map_err(|_| cannot_link(upstream, downstream))?;
            } else if has_sometimes_pad(upstream) {
                late.push((from, index));
            } else {
                return Err(format!("{} has no output to link to {}", shown(upstream), shown(downstream)));
            }
        }
        for (from, index) in late {
            let late = link_late(&chain.elements[from], &chain.elements[index], from, unlinked);
            chain.late.push(late);
        }
        Ok(chain)
    }

    /// Calls `attach` with the src pad of an element: now, or when it comes.
    pub(crate) fn with_src_pad(&self, index: usize, attach: impl FnOnce(&gst::Pad) + Send + 'static) {
        let Some(late) = self.late.iter().find(|late| late.lock().index == index) else {
            if let Some(pad) = self.elements[index].static_pad("src") {
                attach(&pad);
            }
            return;
        };
        let mut state = late.lock();
        match state.pad.as_ref().and_then(gst::glib::WeakRef::upgrade) {
            Some(pad) => {
                drop(state);
                attach(&pad);
            }
            None => state.waiting.push(Box::new(attach)),
        }
    }

    /// The name of the element of the spec that `object` is or is part of: a bin
    /// posts the messages of its children in their names.
    pub(crate) fn part_of(pipeline: &gst::Pipeline, object: &gst::Object) -> Option<String> {
        let mut at = object.clone();
        loop {
            let parent = at.parent()?;
            if parent == *pipeline.upcast_ref::<gst::Object>() {
                return Some(at.name().to_string());
            }
            at = parent;
        }
    }

    /// The first src pad that pushes data: behind a demuxer that pulls, else
    /// behind the source. EOS enters here, and a seek has something to act on
    /// once a buffer has come by.
    pub(crate) fn entry_pad(&self) -> Option<gst::Pad> {
        let linked = |index: usize| match self.late.iter().find(|late| late.lock().index == index) {
            Some(late) => late.lock().pad.as_ref()?.upgrade(),
            None => self.elements[index].static_pad("src"),
        };
        (0..self.elements.len()).filter_map(linked).find(|pad| pad.mode() == gst::PadMode::Push)
    }
}

fn make(element: &lp::pipeline::Element, index: usize) -> Result<gst::Element, String> {
    let factory_name = &element.factory;
    let factory = gst::ElementFactory::find(factory_name)
        .ok_or_else(|| format!("no element `{factory_name}` is installed on the worker's machine"))?;
    // Not GStreamer's own names, which count over all streams of this worker.
    let made = factory.create().name(element.reference(index)).build();
    let made = made.map_err(|error| format!("element `{factory_name}` cannot be made: {error}"))?;
    for property in &element.properties {
        property::set(&made, property)?;
    }
    Ok(made)
}

fn has_src_pad(element: &gst::Element) -> bool {
    !element.src_pads().is_empty() || has_template(element, gst::PadPresence::Request)
}

fn has_sometimes_pad(element: &gst::Element) -> bool {
    has_template(element, gst::PadPresence::Sometimes)
}

fn has_template(element: &gst::Element, presence: gst::PadPresence) -> bool {
    element
        .pad_template_list()
        .iter()
        .any(|template| template.direction() == gst::PadDirection::Src && template.presence() == presence)
}

fn cannot_link(upstream: &gst::Element, downstream: &gst::Element) -> String {
    let caps = |pad: Option<gst::Pad>| {
        pad.map_or_else(|| "nothing".to_owned(), |pad| abridged(&pad.query_caps(None).to_string()))
    };
    // A tee has no pad for a branch that was not made, but gives what it takes.
    let gives = upstream.static_pad("src").or_else(|| upstream.static_pad("sink"));
    format!(
        "{} cannot be linked to {}: it gives {}, which takes {}",
        shown(upstream),
        shown(downstream),
        caps(gives),
        caps(downstream.static_pad("sink")),
    )
}

/// Caps of converters run to pages.
fn abridged(caps: &str) -> String {
    match caps.char_indices().nth(160) {
        Some((end, _)) => format!("`{}...`", &caps[..end]),
        None => format!("`{caps}`"),
    }
}

fn link_late(upstream: &gst::Element, downstream: &gst::Element, index: usize, unlinked: &Unlinked) -> Late {
    let late = Late(Arc::new(Mutex::new(LateState { index, ..LateState::default() })));

    let (state, weak) = (late.clone(), downstream.downgrade());
    upstream.connect_pad_added(move |_, pad| {
        let Some(downstream) = weak.upgrade() else { return };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let fits = |sink: &gst::Pad| !sink.is_linked() && caps.can_intersect(&sink.query_caps(None));
        let sink = downstream
            .static_pad("sink")
            .or_else(|| downstream.compatible_pad(pad, None))
            .filter(fits)
            .filter(|sink| pad.link(sink).is_ok());
        if sink.is_none() {
            let kind = caps.structure(0).map_or_else(|| caps.to_string(), |first| first.name().to_string());
            state.lock().offered.push(format!("`{kind}`"));
            return;
        }
        let waiting = {
            let mut state = state.lock();
            state.pad = Some(pad.downgrade());
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(|attach| attach(pad));
    });

    let (state, weak, unlinked) = (late.clone(), downstream.downgrade(), Arc::clone(unlinked));
    upstream.connect_no_more_pads(move |upstream| {
        let Some(downstream) = weak.upgrade() else { return };
        let state = state.lock();
        if state.pad.is_none() {
            let offered = state.offered.join(" and ");
            unlinked(format!(
                "{} offers {offered}, which {} does not take",
                shown(upstream),
                shown(&downstream)
            ));
        }
    });
    late
}
