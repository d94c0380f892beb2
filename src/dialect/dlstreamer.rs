//! Steps made of Intel DL Streamer's elements.
//!
//! Model files lie where upstream's downloader puts them:
//! `models/object_detection/<model>/<precision>/<model>.xml` for detectors,
//! `models/object_classification/...` for the others. Instances of one model
//! are shared by `model-instance-id`, made from everything that makes them
//! differ, so two models never share one.

use super::stock::step_elements;
use super::{Dialect, element_name, with_properties};
use crate::config::project::Step;
use crate::digest::ContentDigest;
use crate::path::ProjectPath;
use crate::pipeline::{Element, Value};
use crate::plan::{CameraPlan, PlannedPipeline};

pub(super) struct Dlstreamer;

impl Dialect for Dlstreamer {
    fn steps(&self, plan: &CameraPlan, pipeline: &PlannedPipeline) -> Vec<Element> {
        let mut elements = Vec::new();
        if let Some(region) = plan.region_of_interest {
            let roi = format!("{},{},{},{}", region.x, region.y, region.x2, region.y2);
            elements.push(Element::new("gvaattachroi").text("roi", &roi));
            elements.push(queue());
        }
        for (position, step) in pipeline.steps.iter().enumerate() {
            let name = element_name(plan, pipeline, &format!("{}_{}", position + 1, step.kind));
            match step.kind.as_str() {
                "gvadetect" => {
                    elements.push(detect(step, &name, plan.region_of_interest.is_some()));
                    elements.push(Element::new("gvatrack").text("tracking-type", "zero-term-imageless"));
                }
                "gvaclassify" => elements.push(classify(step, &name)),
                "gvainference" => {
                    elements.push(inference(step, "gvainference", "object_classification", &name))
                }
                "gvapython" => elements.push(python(step, &name, pipeline, plan)),
                _ => elements.extend(step_elements(plan, pipeline, position, step)),
            }
            elements.push(queue());
        }
        elements.push(Element::new("gvametaconvert"));
        elements
    }
}

fn queue() -> Element {
    Element::new("queue").int("max-size-buffers", 3)
}

fn inference(step: &Step, factory: &str, folder: &str, name: &str) -> Element {
    let device = step.device.as_deref().unwrap_or("CPU");
    let element = Element::new(factory)
        .named(name)
        .text("model-instance-id", &instance_id(step))
        .set("model", Value::Input(model_file(step, folder)))
        .text("device", device);
    with_properties(element, step)
}

fn detect(step: &Step, name: &str, has_region: bool) -> Element {
    let device = step.device.as_deref().unwrap_or("CPU");
    let mut element = Element::new("gvadetect")
        .named(name)
        .text("model-instance-id", &instance_id(step))
        .set("threshold", Value::Float(0.5))
        .int("batch-size", 1)
        .int("inference-interval", 3)
        .text("scale-method", "fast");
    if has_region {
        element = element.int("inference-region", 1);
    }
    element = element.set("model", Value::Input(model_file(step, "object_detection"))).text("device", device);
    if device == "CPU" {
        element = element.text("pre-process-backend", "opencv");
    }
    with_properties(element, step)
}

fn classify(step: &Step, name: &str) -> Element {
    let model = step.model.as_deref().unwrap_or_default();
    let process = path(&format!("models/object_classification/{model}/{model}.json"));
    let device = step.device.as_deref().unwrap_or("CPU");
    let element = Element::new("gvaclassify")
        .named(name)
        .text("model-instance-id", &instance_id(step))
        .int("batch-size", 1)
        .int("inference-region", 1)
        .text("scale-method", "fast")
        .set("model", Value::Input(model_file(step, "object_classification")))
        .text("device", device)
        .set("model-proc", Value::Input(process));
    with_properties(element, step)
}

fn python(step: &Step, name: &str, pipeline: &PlannedPipeline, plan: &CameraPlan) -> Element {
    let module = step.module.as_deref().unwrap_or_default();
    let stream = format!("{}/{}", plan.slug, pipeline.index);
    let argument = serde_json::to_string(&[stream]).expect("text serialises");
    let mut element = Element::new("gvapython").named(name).set("module", Value::Input(path(module)));
    if let Some(function) = &step.function {
        element = element.text("function", function);
    }
    with_properties(element.text("arg", &argument), step)
}

fn model_file(step: &Step, folder: &str) -> ProjectPath {
    let (model, precision) =
        (step.model.as_deref().unwrap_or_default(), step.precision.as_deref().unwrap_or("FP32"));
    path(&format!("models/{folder}/{model}/{precision}/{model}.xml"))
}

fn path(text: &str) -> ProjectPath {
    ProjectPath::new(text).expect("the readers refuse model and module names that are no plain paths")
}

/// Equal for two steps only if they may share one loaded model.
fn instance_id(step: &Step) -> String {
    let key =
        serde_json::to_string(&(&step.kind, &step.device, &step.model, &step.precision, &step.properties))
            .expect("a step has text keys");
    let model = step.model.as_deref().unwrap_or("model");
    format!("{model}-{}", &ContentDigest::of(key.as_bytes()).to_hex()[..8])
}
