//! Inference by the worker itself: elements with the names and properties of Intel DL Streamer's,
//! over OpenVINO, for machines without it.
//!
//! Each element is a file; [`element`] is the frame that they share. They are registered in this
//! process only, unless its registry has DL Streamer's: two elements of one name would make a
//! plan mean either. OpenVINO is loaded when the first element starts that infers.
//!
//! An element works in the thread that brings the frame: the queue that pipelines have between
//! steps gives each a thread. What a property of DL Streamer's cannot mean here is accepted and
//! noted in the worker's log, or refused, never dropped silently. docs/inference.md lists them
//! all.
//!
//! Not here: everything about pictures and tensors that needs neither GStreamer nor OpenVINO
//! (`lp::vision`), and which elements a step becomes (`lp::dialect`).

#[cfg(feature = "analytics")]
mod analytics;
mod attach;
mod classify;
mod config;
mod convert;
mod counter;
mod detect;
mod element;
mod elf;
mod engine;
mod frame;
mod infer;
mod inference;
mod ir_names;
mod library;
mod publish;
mod reid;
pub(crate) mod roi;
mod tensor;
mod track;
pub(crate) mod trial;
mod watermark;

#[cfg(test)]
mod tests;

use gst::glib;
use gst::glib::prelude::*;
use gstreamer as gst;

element::element!(gvadetect, "LpGvaDetect", crate::native::detect::Detect);
element::element!(gvaclassify, "LpGvaClassify", crate::native::classify::Classify);
element::element!(gvainference, "LpGvaInference", crate::native::infer::Infer);
element::element!(gvatrack, "LpGvaTrack", crate::native::track::Track);
element::element!(gvametaconvert, "LpGvaMetaConvert", crate::native::convert::Convert);
element::element!(gvametapublish, "LpGvaMetaPublish", crate::native::publish::Publish);
element::element!(gvaattachroi, "LpGvaAttachRoi", crate::native::attach::Attach);
element::element!(gvawatermark, "LpGvaWatermark", crate::native::watermark::Watermark);
element::element!(lpreid, "LpReid", crate::native::reid::Reid);
element::element!(gvafpscounter, "LpGvaFpsCounter", crate::native::counter::Counter);

/// Makes the elements known, unless DL Streamer's are. GStreamer is initialised.
///
/// # Errors
/// When GStreamer refuses one.
pub(crate) fn register() -> Result<(), glib::BoolError> {
    if gst::ElementFactory::find("gvadetect").is_some() {
        return Ok(());
    }
    let elements = [
        ("gvadetect", gvadetect::Element::static_type()),
        ("gvaclassify", gvaclassify::Element::static_type()),
        ("gvainference", gvainference::Element::static_type()),
        ("gvatrack", gvatrack::Element::static_type()),
        ("gvaattachroi", gvaattachroi::Element::static_type()),
        ("gvametaconvert", gvametaconvert::Element::static_type()),
        ("gvametapublish", gvametapublish::Element::static_type()),
        ("gvawatermark", gvawatermark::Element::static_type()),
        ("gvafpscounter", gvafpscounter::Element::static_type()),
        ("lpreid", lpreid::Element::static_type()),
    ];
    for (name, class) in elements {
        gst::Element::register(None, name, gst::Rank::NONE, class)?;
    }
    Ok(())
}
