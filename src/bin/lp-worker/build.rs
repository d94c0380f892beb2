//! From a spec to a `gst::Pipeline`: elements made, set and linked.
//!
//! Elements are linked in order, each from the one before it or from the tee that
//! it names. One whose output appears only while it runs (a
//! demuxer, `decodebin`, `rtspsrc`) is linked when the pad comes: the first pad
//! whose caps fit what follows. Everything that follows is linked already, so a
//! `queue` after a demuxer does not take the audio.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::PipelineSpec;
use lp::pipeline::machine::{BuildFault, LinkFault};

use crate::frames::lock;
use crate::native;
use crate::property::{self, shown};
use crate::requests;
use crate::tls;
use crate::words::{Offer, nothing_fits};

/// Called with the reason if no late pad of an element fits the next one.
pub(crate) type OnUnlinked = Arc<dyn Fn(String) + Send + Sync>;

/// An action on an element's src pad once it is linked.
type Attach = Box<dyn FnOnce(&gst::Pad) + Send>;

/// A pipeline and its elements in the order of the spec.
pub(crate) struct Chain {
    pub(crate) pipeline: gst::Pipeline,
    pub(crate) elements: Vec<gst::Element>,
    late: Vec<DelayedLink>,
}

/// An element that was linked when its pad came, or still waits for it.
#[derive(Clone)]
struct DelayedLink(Arc<Mutex<DelayedLinkState>>);

#[derive(Default)]
struct DelayedLinkState {
    index: usize,
    pad: Option<gst::glib::WeakRef<gst::Pad>>,
    waiting: Vec<Attach>,
    offered: Vec<Offer>,
    /// Whether a stream of RTSP was chosen.
    is_chosen: bool,
}

impl DelayedLink {
    fn lock(&self) -> std::sync::MutexGuard<'_, DelayedLinkState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chain {
    /// Makes, sets and links all elements. `unlinked` is called for an element of whose
    /// pads none fits, when all have come.
    pub(crate) fn build(
        spec: &PipelineSpec,
        stream: &str,
        unlinked: &OnUnlinked,
    ) -> Result<Chain, BuildFault> {
        if let Some(fault) = spec.fault() {
            return Err(BuildFault::new(fault));
        }
        let pipeline = gst::Pipeline::with_name(stream);
        // The clock of all times that are reported: CLOCK_MONOTONIC.
        pipeline.use_clock(Some(&gst::SystemClock::obtain()));
        let mut elements = Vec::new();
        for (index, element) in spec.elements.iter().enumerate() {
            let made = make(element, index)?;
            pipeline.add(&made).map_err(|_| {
                let reason = format!("{}: the pipeline has an element of this name already", shown(&made));
                BuildFault::of(index, reason)
            })?;
            elements.push(made);
        }
        let mut chain = Chain { pipeline, elements, late: Vec::new() };
        // Links at hand come first: a late one is tried against all that follows.
        let mut late = Vec::new();
        for index in 0..chain.elements.len() {
            let Some(from) = spec.upstream(index) else { continue };
            let (upstream, downstream) = (&chain.elements[from], &chain.elements[index]);
            if has_src_pad(upstream) {
                upstream.link(downstream).map_err(|_| cannot_link((from, upstream), (index, downstream)))?;
            } else if has_sometimes_pad(upstream) {
                late.push((from, index));
            } else {
                let reason = format!("{} has no output to link to {}", shown(upstream), shown(downstream));
                return Err(BuildFault::of(from, reason));
            }
        }
        for (from, index) in late {
            let late = link_late(&chain.elements[from], &chain.elements[index], from, unlinked);
            chain.late.push(late);
        }
        Ok(chain)
    }

    /// Whether a pipeline can be built here. Pads that come only while it plays
    /// are judged by their templates; of a model, its device and what is said of it.
    pub(crate) fn try_build(spec: &PipelineSpec) -> Result<(), BuildFault> {
        let chain = Chain::build(spec, "tried", &(Arc::new(|_| ()) as OnUnlinked))?;
        for (index, element) in chain.elements.iter().enumerate() {
            if let Some((property, reason)) = native::trial::fault(element) {
                let property = Some(property.to_owned());
                return Err(BuildFault { property, ..BuildFault::of(index, reason) });
            }
        }
        for late in &chain.late {
            let from = late.lock().index;
            let Some(index) = (0..chain.elements.len()).find(|index| spec.upstream(*index) == Some(from))
            else {
                continue;
            };
            let (upstream, downstream) = (&chain.elements[from], &chain.elements[index]);
            let mut offered = gst::Caps::new_empty();
            for template in upstream.pad_template_list() {
                if template.direction() == gst::PadDirection::Src {
                    offered.merge(template.caps().clone());
                }
            }
            let taken = downstream.static_pad("sink").map(|pad| pad.query_caps(None));
            if taken.as_ref().is_some_and(|taken| !taken.can_intersect(&offered)) {
                return Err(link_fault(
                    (from, upstream),
                    (index, downstream),
                    abridged(&offered),
                    taken.map_or_else(String::new, |taken| abridged(&taken)),
                ));
            }
        }
        Ok(())
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

    /// Takes the source out of the pipeline, whose pads come late. It stays in its place of
    /// `elements`.
    pub(crate) fn take_source(&mut self) -> gst::Element {
        let source = self.elements[0].clone();
        if source.parent().is_some() {
            let _ = self.pipeline.remove(&source);
        }
        self.late.retain(|late| late.lock().index != 0);
        source
    }

    /// Puts a new source in the place of one that was taken out.
    pub(crate) fn put_source(
        &mut self,
        spec: &PipelineSpec,
        unlinked: &OnUnlinked,
    ) -> Result<gst::Element, String> {
        let source = make(&spec.elements[0], 0).map_err(|fault| fault.reason)?;
        self.pipeline.add(&source).map_err(|error| error.to_string())?;
        self.late.push(link_late(&source, &self.elements[1], 0, unlinked));
        self.elements[0] = source.clone();
        Ok(source)
    }

    /// Why a source of RTSP has nothing to play, if none of the streams that it describes fits.
    pub(crate) fn unfit(&self) -> Option<String> {
        let late = self.late.iter().find(|late| late.lock().index == 0)?.lock();
        let [source, downstream, ..] = self.elements.as_slice() else { return None };
        (is_rtsp(source) && late.pad.is_none() && !late.is_chosen && !late.offered.is_empty())
            .then(|| nothing_fits(source, downstream, &late.offered))
    }

    /// The first src pad that pushes data: after a demuxer that pulls, else after the
    /// source. EOS enters here, and a seek has something to act on
    /// once a buffer has come by.
    pub(crate) fn entry_pad(&self) -> Option<gst::Pad> {
        let linked = |index: usize| match self.late.iter().find(|late| late.lock().index == index) {
            Some(late) => late.lock().pad.as_ref()?.upgrade(),
            None => self.elements[index].static_pad("src"),
        };
        (0..self.elements.len()).filter_map(linked).find(|pad| pad.mode() == gst::PadMode::Push)
    }
}

fn make(element: &lp::pipeline::Element, index: usize) -> Result<gst::Element, BuildFault> {
    let factory_name = &element.factory;
    let fault = |reason: String| BuildFault::of(index, reason);
    let factory = gst::ElementFactory::find(factory_name)
        .ok_or_else(|| fault(format!("no element `{factory_name}` is installed on the worker's machine")))?;
    // Not GStreamer's own names, which count over all streams of this worker.
    let made = factory.create().name(element.reference(index)).build();
    let made = made.map_err(|error| fault(format!("element `{factory_name}` cannot be made: {error}")))?;
    for property in &element.properties {
        property::set(&made, property)
            .map_err(|reason| BuildFault { property: Some(property.name.clone()), ..fault(reason) })?;
    }
    if is_rtsp(&made) {
        tls::prepare(&made).map_err(fault)?;
        requests::limit(&made);
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

fn cannot_link(
    (from, upstream): (usize, &gst::Element),
    (to, downstream): (usize, &gst::Element),
) -> BuildFault {
    let caps = |pad: Option<gst::Pad>| {
        pad.map_or_else(|| "nothing".to_owned(), |pad| abridged(&pad.query_caps(None)))
    };
    // A tee has no pad for a branch that was not made, but gives what it takes.
    let gives = upstream.static_pad("src").or_else(|| upstream.static_pad("sink"));
    link_fault((from, upstream), (to, downstream), caps(gives), caps(downstream.static_pad("sink")))
}

fn link_fault(
    (from, upstream): (usize, &gst::Element),
    (to, downstream): (usize, &gst::Element),
    gives: String,
    takes: String,
) -> BuildFault {
    let (upstream, downstream) = (shown(upstream), shown(downstream));
    let reason = format!(
        "{upstream} cannot be linked to {downstream}: the first gives {gives}, the second takes {takes}"
    );
    BuildFault { link: Some(LinkFault { to, gives, takes }), ..BuildFault::of(from, reason) }
}

/// Caps for a sentence: each structure once with what is certain of it, as those
/// of converters run to pages.
fn abridged(caps: &gst::CapsRef) -> String {
    const MOST: usize = 100;
    if caps.is_any() {
        return "anything".to_owned();
    }
    let mut shown: Vec<String> = Vec::new();
    for (structure, features) in caps.iter_with_features() {
        let mut text = structure.name().to_string();
        if !features.is_equal(gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY.as_ref()) {
            text.push_str(&format!("({features})"));
        }
        for (name, value) in structure.iter() {
            let certain = !value.type_().name().ends_with("Range");
            if let Some(value) = certain.then(|| value.serialize().ok()).flatten() {
                text.push_str(&format!(", {name}={value}"));
            }
        }
        if !shown.contains(&text) {
            shown.push(text);
        }
    }
    let mut text = shown.join("; ");
    // Types that the values tell anyway.
    for noise in ["(string)", "(int)", "(fraction)", "(boolean)"] {
        text = text.replace(noise, "");
    }
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

pub(crate) fn is_rtsp(element: &gst::Element) -> bool {
    element.factory().is_some_and(|factory| factory.name() == "rtspsrc")
}

/// Of the streams on one path of RTSP, the first of the description that fits is asked for, and no
/// other: neither sound nor metadata. Those that do not fit are remembered.
fn choose_stream(upstream: &gst::Element, downstream: &gst::Element, late: &DelayedLink) {
    if !is_rtsp(upstream) {
        return;
    }
    let (weak, late, chosen) = (downstream.downgrade(), late.clone(), Mutex::new(None));
    upstream.connect("select-stream", false, move |values| {
        let stream = values.get(1)?.get::<u32>().ok()?;
        let mut caps = values.get(2)?.get::<gst::Caps>().ok()?;
        // Those of the description are `application/x-unknown`.
        caps.make_mut().iter_mut().for_each(|structure| structure.set_name("application/x-rtp"));
        let sink = weak.upgrade().and_then(|downstream| downstream.static_pad("sink"));
        let fits = sink.is_some_and(|sink| caps.can_intersect(&sink.query_caps(None)));
        let mut late = late.lock();
        if !fits {
            late.offered.push(Offer::of(&caps));
            return Some(false.to_value());
        }
        late.is_chosen = true;
        // Of a source that has to try another transport, all are asked for again.
        Some((*lock(&chosen).get_or_insert(stream) == stream).to_value())
    });
}

fn link_late(
    upstream: &gst::Element,
    downstream: &gst::Element,
    index: usize,
    unlinked: &OnUnlinked,
) -> DelayedLink {
    let late = DelayedLink(Arc::new(Mutex::new(DelayedLinkState { index, ..DelayedLinkState::default() })));

    choose_stream(upstream, downstream, &late);
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
            state.lock().offered.push(Offer::of(&caps));
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
            unlinked(nothing_fits(upstream, &downstream, &state.offered));
        }
    });
    late
}
