//! `gvaclassify`: says what each region of interest shows.
//!
//! Each output of the model becomes an attribute of the region, a structure `classification`.
//! With `reclassify-interval`, an object that a tracker has numbered is inferred only every so
//! many frames (0: once), and keeps what was said of it in between. What is said of whole frames
//! (`inference-region=full-frame`) is attached to the frame, where no element here reads it.

use std::collections::BTreeMap;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use lp::vision::Output;
use lp::vision::classify::{Classified, Classifier};
use lp::vision::labels::{Labels, Source};
use lp::vision::model_proc::{LabelList, Postprocess};

use super::element::{About, Settings, Work, remark};
use super::inference::{self, Inference, Said, Where};
use super::roi::Region;
use super::{frame, roi, tensor};

/// The name of a structure with an attribute.
pub(super) const ATTRIBUTE: &str = "classification";

/// So many frames without an object, it is forgotten.
const FORGET_AFTER: u64 = 1_000;

pub(super) struct Classify {
    inference: Inference,
    classifier: Classifier,
    /// 0: once.
    interval: u64,
    n_frames: u64,
    /// What was said of objects, by their numbers.
    said: BTreeMap<i32, Memory>,
}

struct Memory {
    inferred_at: u64,
    seen_at: u64,
    attributes: Vec<gst::Structure>,
}

impl Work for Classify {
    const ABOUT: About = About {
        name: "Object classification",
        class: "Video",
        description: "Classifies regions of interest with a model, by OpenVINO",
    };

    fn properties() -> Vec<glib::ParamSpec> {
        let mut properties = inference::properties(Where::RoiList);
        let interval = glib::ParamSpecUInt::builder("reclassify-interval")
            .blurb("Frames after which a tracked object is classified again; 0: never")
            .default_value(1);
        properties.push(interval.build());
        properties
    }

    fn caps() -> gst::Caps {
        frame::caps()
    }

    fn start(settings: &Settings, element: &gst::Element) -> Result<Classify, String> {
        let (inference, said) = Inference::start(settings, element)?;
        let outputs = &inference.request.compiled.outputs;
        for layer in said.labels.iter().filter_map(|(layer, _)| layer.as_ref()) {
            if !outputs.iter().any(|output| output.names.contains(layer)) {
                let names: Vec<&str> =
                    outputs.iter().flat_map(|output| &output.names).map(String::as_str).collect();
                return Err(format!(
                    "`labels` has names for the layer `{layer}`, but the outputs of `{}` are `{}`",
                    inference.name,
                    names.join("`, `")
                ));
            }
        }
        let entries = said.model_proc.as_ref().map_or(&[][..], |file| &file.outputs);
        let mut fault = None;
        let classifier = Classifier::choose(&inference.request.compiled.outputs, entries, |output, entry| {
            names(&said, output, entry).unwrap_or_else(|reason| {
                fault.get_or_insert(reason);
                None
            })
        });
        if let Some(reason) = fault {
            return Err(reason);
        }
        let classifier = classifier.map_err(|error| format!("`{}`: {error}", inference.name))?;
        let n_raw = classifier.raw().count();
        if n_raw > 0 {
            let text =
                format!("`{}`: nothing is said by {n_raw} of its outputs, which lack labels", inference.name);
            remark(element, &text);
        }
        let interval = u64::from(settings.number("reclassify-interval"));
        Ok(Classify { inference, classifier, interval, n_frames: 0, said: BTreeMap::new() })
    }

    fn begin(&mut self, caps: &gst::CapsRef) -> Result<(), String> {
        self.inference.begin(caps)
    }

    fn frame(&mut self, buffer: &mut gst::BufferRef, _: Option<u64>) -> Result<(), String> {
        let now = self.n_frames;
        self.n_frames += 1;
        let (due, known): (Vec<_>, Vec<_>) =
            self.inference.targets(buffer).into_iter().partition(|target| self.is_due(target.as_ref(), now));
        for region in known.into_iter().flatten() {
            let memory = region.object().and_then(|object| self.said.get_mut(&object));
            for attribute in memory.map_or(Vec::new(), |memory| {
                memory.seen_at = now;
                memory.attributes.clone()
            }) {
                roi::add_parameter(buffer, region.id, attribute);
            }
        }
        let Classify { inference, classifier, .. } = self;
        let name = inference.name.clone();
        let said = inference.infer(buffer, due, |values, _, target| {
            let classified = classifier.classify(values).map_err(|error| error.to_string())?;
            let attributes: Vec<gst::Structure> =
                classified.iter().map(|one| attribute(one, &name)).collect();
            Ok((target.map(|region| (region.id, region.object())), attributes))
        })?;
        for (region, attributes) in said {
            for attribute in &attributes {
                match region {
                    Some((id, _)) => roi::add_parameter(buffer, id, attribute.clone()),
                    None => tensor::attach(buffer, attribute.clone())?,
                }
            }
            if let Some((_, Some(object))) = region {
                self.said.insert(object, Memory { inferred_at: now, seen_at: now, attributes });
            }
        }
        self.said.retain(|_, memory| now < memory.seen_at + FORGET_AFTER);
        Ok(())
    }
}

impl Classify {
    fn is_due(&self, region: Option<&Region>, now: u64) -> bool {
        let memory = region.and_then(Region::object).and_then(|object| self.said.get(&object));
        memory.is_none_or(|memory| self.interval > 0 && memory.inferred_at + self.interval <= now)
    }
}

/// The names of an output's classes: of the property, else of its entry in the model-proc file,
/// else those that the model itself has.
fn names(said: &Said, output: &Output, entry: Option<&Postprocess>) -> Result<Option<Labels>, String> {
    let is_meant = |layer: &Option<String>| layer.as_ref().is_none_or(|layer| output.names.contains(layer));
    if let Some((_, names)) = said.labels.iter().find(|(layer, _)| is_meant(layer)) {
        return Ok(Some(Labels::new(names.clone(), Source::Property)));
    }
    match entry.and_then(|entry| entry.labels.as_ref()) {
        Some(LabelList::Names(names)) => Ok(Some(Labels::new(names.clone(), Source::ModelProc))),
        Some(LabelList::File(path)) => Ok(Some(Labels::new(said.read_labels(path)?, Source::ModelProc))),
        None => said
            .known()
            .labels(None, |path| said.read_labels(path), output.values())
            .map(|choice| choice.labels),
    }
}

fn attribute(classified: &Classified, model: &str) -> gst::Structure {
    let Classified { attribute, layer, label, label_id, confidence } = classified;
    let mut structure = gst::Structure::builder(ATTRIBUTE)
        .field("attribute_name", attribute)
        .field("layer_name", layer)
        .field("model_name", model)
        .field("label", label);
    if let Some(id) = label_id {
        structure = structure.field("label_id", i32::try_from(*id).unwrap_or(i32::MAX));
    }
    if let Some(confidence) = confidence {
        structure = structure.field("confidence", *confidence);
    }
    structure.build()
}
