//! `gvainference`: attaches a model's output tensors as they are, to the frame or to each region of
//! interest.
//!
//! Of those of regions, `lpreid` makes persons; others are for elements of others, and for measuring what
//! an inference costs.

use gst::glib;
use gstreamer as gst;

use super::element::{About, Settings, Work};
use super::inference::{self, Inference, Where};
use super::{frame, roi, tensor};

pub(super) struct Infer {
    inference: Inference,
}

impl Work for Infer {
    const ABOUT: About = About {
        name: "Inference",
        class: "Video",
        description: "Attaches the outputs of a model, by OpenVINO",
    };

    fn properties() -> Vec<glib::ParamSpec> {
        inference::properties(Where::FullFrame)
    }

    fn caps() -> gst::Caps {
        frame::caps()
    }

    fn start(settings: &Settings, element: &gst::Element) -> Result<Infer, String> {
        Inference::start(settings, element).map(|(inference, _)| Infer { inference })
    }

    fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        self.inference.begin(caps)
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        let Infer { inference } = self;
        let targets = inference.targets(buffer);
        let compiled = std::sync::Arc::clone(&inference.request.compiled);
        let name = inference.name.clone();
        let results = inference.infer(buffer, targets, |values, _, target| {
            let outputs = compiled.outputs.iter().zip(values);
            let tensors = outputs.map(|(output, values)| tensor::structure(output, values, &name));
            Ok((target.map(|region| region.id), tensors.collect::<Vec<_>>()))
        })?;
        for (region, tensors) in results {
            for structure in tensors {
                match region {
                    Some(id) => roi::add_parameter(buffer, id, structure),
                    None => tensor::attach(buffer, structure)?,
                }
            }
        }
        Ok(())
    }
}
