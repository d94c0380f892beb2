//! `gvadetect`: attaches a region of interest for each object that a model detects.
//!
//! The decoder follows from the shapes of the outputs and from what is said of the model
//! (`vision::decode`). Detections of a region get its number as `parent_id`. A frame that is left out
//! (`inference-interval`) has no detections: none are copied from the one before.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use lp::vision::decode::Detector;
use lp::vision::labels::{Labels, unnamed};
use lp::vision::prepare::Found;

use super::element::{About, Settings, Work, remark};
use super::inference::{self, Inference, Where};
use super::{frame, roi};

/// The least score, if neither the property nor the model has one.
const THRESHOLD: f32 = 0.5;

pub(super) struct Detect {
    inference: Inference,
    detector: Detector,
    labels: Option<Labels>,
    threshold: f32,
}

impl Work for Detect {
    const ABOUT: About = About {
        name: "Object detection",
        class: "Video",
        description: "Detects objects with a model, by OpenVINO",
    };

    fn properties() -> Vec<glib::ParamSpec> {
        let mut properties = inference::properties(Where::FullFrame);
        let threshold = glib::ParamSpecFloat::builder("threshold")
            .blurb("The least score of a detection; by default that of the model, else 0.5")
            .minimum(0.0)
            .maximum(1.0)
            .default_value(THRESHOLD);
        properties.push(threshold.build());
        properties
    }

    fn caps() -> gst::Caps {
        frame::caps()
    }

    fn start(settings: &Settings, element: &gst::Element) -> Result<Detect, String> {
        let (inference, said) = Inference::start(settings, element)?;
        let known = said.known();
        let property = said.labels.first().map(|(_, names)| names.clone());
        let compiled = &inference.request.compiled;
        let hints = known.hints(property.as_ref().map(Vec::len)).map_err(|error| error.to_string())?;
        let detector = Detector::choose(&compiled.outputs, compiled.size, &hints);
        let detector = detector.map_err(|error| format!("`{}`: {error}", inference.name))?;
        let choice = known.labels(property, |path| said.read_labels(path), detector.classes())?;
        for refused in choice.refused {
            remark(element, &format!("`{}`: {refused}", inference.name));
        }
        let threshold = match settings.is_set("threshold") {
            true => settings.real("threshold"),
            false => known.threshold().unwrap_or(THRESHOLD),
        };
        Ok(Detect { inference, detector, labels: choice.labels, threshold })
    }

    fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        self.inference.begin(caps)
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        let Detect { inference, detector, labels, threshold } = self;
        let targets = inference.targets(buffer);
        let found = inference.infer(buffer, targets, |values, placement, target| {
            let detections = detector.decode(values, *threshold).map_err(|error| error.to_string())?;
            let found = detections.iter().filter_map(|detection| placement.find(detection));
            Ok((found.collect::<Vec<Found>>(), target.map(|region| region.id)))
        })?;
        for (found, parent) in found {
            for Found { bounds, pixels, class, score, .. } in found {
                let name = labels.as_ref().and_then(|labels| labels.name(class));
                let label = name.map_or_else(|| unnamed(class), str::to_owned);
                roi::attach(buffer, &label, pixels, bounds, Some((score, class)), parent);
            }
        }
        Ok(())
    }
}
