//! Steps made of the worker's own elements, which have the names and properties of DL
//! Streamer's: for machines without it.
//!
//! The elements are those of `dlstreamer`, in its order, except what has no meaning here: decoders
//! and memory of a GPU's video engine, and a sink that counts frames, as `lp` counts them. Each
//! element that infers gets the place of OpenVINO's library in `openvino`, which so is an input of
//! the run, as its model is.
//!
//! Not here: the elements (`bin/lp-worker/native`).

use super::Dialect;
use super::dlstreamer::{Dlstreamer, published};
use super::stock::Stock;
use crate::model::zoo::OPENVINO;
use crate::model::{Codec, Pace, Step};
use crate::path::ProjectPath;
use crate::pipeline::{Element, Property, Value};
use crate::plan::{CameraPlan, PlannedPipeline};

/// The worker's own element in the place of upstream's Python module (`zoo::PERSON_REID`).
const REID: &str = "lpreid";

/// Properties of `gvapython` that name what it runs.
const PYTHON: [&str; 5] = ["module", "class", "function", "arg", "kwarg"];

/// Where an element infers.
const REGION: &str = "inference-region";

/// The elements that infer.
const INFER: [&str; 3] = ["gvadetect", "gvaclassify", "gvainference"];

/// Their property with OpenVINO's library.
pub(super) const LIBRARY: &str = "openvino";

pub(super) struct Native;

impl Dialect for Native {
    fn decoder(&self, pipeline: &PlannedPipeline, codec: Option<Codec>) -> Vec<Element> {
        // Frames come to the elements in the machine's memory.
        Stock.decoder(pipeline, codec)
    }

    fn queue(&self, name: &str, is_leaky: bool) -> Element {
        Dlstreamer.queue(name, is_leaky)
    }

    fn relies_on_size(&self, plan: &CameraPlan) -> Option<[u32; 2]> {
        Dlstreamer.relies_on_size(plan)
    }

    fn steps(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Vec<Element> {
        // A decoder may give a format that the elements do not read.
        let mut elements = vec![Element::new("videoconvert")];
        elements.extend(Dlstreamer.steps(plan, pipeline, pace).into_iter().map(own));
        let persons = elements.iter().position(|element| element.factory == REID);
        let embedding =
            elements[..persons.unwrap_or(0)].iter_mut().rfind(|element| element.factory == "gvainference");
        // Of each region: an embedding of the whole frame tells nobody apart.
        if let Some(element) = embedding
            && !element.properties.iter().any(|property| property.name.replace('_', "-") == REGION)
        {
            *element = element.clone().int(REGION, 1);
        }
        elements
    }

    fn sink(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Vec<Element> {
        let mut elements = Dlstreamer.sink(plan, pipeline, pace);
        let counter = elements.iter().position(|element| element.factory == "gvafpscounter");
        // The queue after it stays.
        elements.truncate(counter.map_or(0, |counter| counter + 2));
        // Upstream's module writes a file itself; `lpreid` leaves that to these.
        if pipeline.steps.iter().any(|step| matches!(step, Step::Python(_))) {
            elements.splice(..1, published(plan, pipeline));
        }
        if plan.render {
            elements.push(Element::new("gvawatermark"));
        }
        elements.extend(Stock.sink(plan, pipeline, pace));
        elements
    }
}

/// An element of DL Streamer's as the worker has it.
fn own(mut element: Element) -> Element {
    // The plan has no other module.
    if element.factory == "gvapython" {
        let is_of_python = |property: &Property| PYTHON.contains(&property.name.as_str());
        element.factory = REID.to_owned();
        element.properties.retain(|property| !is_of_python(property));
        return element;
    }
    if !INFER.contains(&element.factory.as_str()) {
        return element;
    }
    let is_of_gpu = |property: &Property| {
        let name = property.name.replace('_', "-");
        name == "pre-process-backend"
            && matches!(&property.value, Value::Text(text) if text.starts_with("va"))
    };
    element.properties.retain(|property| !is_of_gpu(property));
    // A step may name another one.
    if element.properties.iter().any(|property| property.name == LIBRARY) {
        return element;
    }
    let library = ProjectPath::new(OPENVINO).expect("the path is plain");
    element.set(LIBRARY, Value::Input(library))
}
