//! Steps made of Intel DL Streamer's elements: those that upstream's generator prints,
//! element by element and property by property, in its order. `docs/from-upstream.md`
//! lists the differences with their reasons.
//!
//! Model files lie where upstream's downloader puts them:
//! `models/object_detection/<model>/<precision>/<model>.xml` for detectors,
//! `models/object_classification/...` for the others. Instances of one model
//! are shared by `model-instance-id`, made from everything that makes them
//! differ, so two models never share one.

use super::devices::FIRST_RENDER_NODE;
use super::stock::step_elements;
use super::{Dialect, element_name, stream, with_properties};
use crate::digest::ContentDigest;
use crate::model::zoo::has_labels;
use crate::model::{Classify, Codec, Detect, Infer, Model, ModelFolder, Pace, Python, Step, Track};
use crate::path::ProjectPath;
use crate::pipeline::{Element, StreamFile, Value};
use crate::plan::{CameraPlan, PlannedPipeline};

/// DL Streamer's own default of `gvapython`'s `function`.
const DEFAULT_FUNCTION: &str = "process_frame";

pub(super) struct Dlstreamer;

impl Dialect for Dlstreamer {
    fn decoder(&self, pipeline: &PlannedPipeline, codec: Option<Codec>) -> Vec<Element> {
        match (Family::of_first(pipeline), codec.filter(|codec| *codec != Codec::Mjpeg)) {
            (Family::GpuNumber(number), Some(codec)) => vec![
                // `vah265dec`, `vavp9dec`, ...
                Element::new(&render_node(number, &format!("{}dec", codec.word()))),
                Element::new(&render_node(number, "postproc")),
                Element::caps("video/x-raw(memory:VAMemory)"),
            ],
            (Family::Cpu | Family::Gpu | Family::Npu | Family::GpuNumber(_), _) => {
                vec![Element::new("decodebin3")]
            }
            (Family::Other, _) => vec![Element::new("decodebin")],
        }
    }

    fn queue(&self, _: &str, is_leaky: bool) -> Element {
        queue(is_leaky)
    }

    fn relies_on_size(&self, plan: &CameraPlan) -> Option<[u32; 2]> {
        // `roi` is in pixels of the frame that comes, and its lines are upstream's.
        plan.region_of_interest.map(|_| [plan.width, plan.height])
    }

    fn steps(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Vec<Element> {
        let queue = || queue(pace == Pace::Live);
        let mut elements = Vec::new();
        if let Some(region) = plan.region_of_interest {
            let roi = format!("{},{},{},{}", region.x, region.y, region.x2, region.y2);
            elements.extend([Element::new("gvaattachroi").text("roi", &roi), queue()]);
        }
        let has_region = plan.region_of_interest.is_some();
        let last = pipeline.steps.len().saturating_sub(1);
        let mut tracker = None;
        for (position, step) in pipeline.steps.iter().enumerate() {
            match step {
                Step::Detect(detector) => {
                    let name = element_name(plan, pipeline, &format!("{}_gvadetect", position + 1));
                    let id = instance_id(step, &detector.model, has_region);
                    elements.push(detect(detector, &id, &name, has_region));
                    tracker = Some(elements.len());
                    elements.push(Element::new("gvatrack").text("tracking-type", "zero-term-imageless"));
                    elements.push(queue());
                    // The queue after the tracker is the one between steps.
                    continue;
                }
                Step::Classify(classifier) => {
                    elements.push(classify(classifier, &instance_id(step, &classifier.model, has_region)));
                }
                Step::Infer(Infer { model, properties }) => {
                    let id = instance_id(step, model, has_region);
                    let element = Element::new("gvainference").text("model-instance-id", &id);
                    let element = with_model(element, model, ModelFolder::Classification);
                    elements.push(with_properties(element, properties));
                }
                Step::Python(module) => elements.extend([python(module, pipeline, plan), queue()]),
                // Every detector is tracked already: a step can only set how.
                Step::Track(Track { properties, .. }) => match tracker {
                    Some(index) => elements[index] = with_properties(elements[index].clone(), properties),
                    None => elements.push(with_properties(Element::new("gvatrack"), properties)),
                },
                Step::Vlm(_) | Step::Script(_) | Step::Tee(_) | Step::Bin(_) | Step::Element(_) => {
                    elements.extend(step_elements(plan, pipeline, position, step));
                }
            }
            if position < last {
                elements.push(queue());
            }
        }
        elements
    }

    fn sink(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Vec<Element> {
        let queue = || queue(pace == Pace::Live);
        let mut elements = if pipeline.steps.iter().any(|step| matches!(step, Step::Python(_))) {
            vec![queue()]
        } else {
            published(plan, pipeline).into()
        };
        elements.push(Element::new("gvafpscounter").named(&element_name(plan, pipeline, "fps")));
        elements.push(queue());
        if !plan.render {
            let sink = Element::new("fpsdisplaysink").text("video-sink", "fakesink");
            elements.push(sink.bool("signal-fps-measurements", true));
            return elements;
        }
        match Family::of_first(pipeline) {
            Family::Gpu | Family::Npu => elements.push(Element::new("vapostproc")),
            Family::GpuNumber(number) => elements.push(Element::new(&render_node(number, "postproc"))),
            Family::Cpu | Family::Other => {}
        }
        elements.push(Element::new("gvawatermark"));
        elements.push(super::display(None));
        elements
    }
}

/// What is found on each frame, written to a file of the stream.
pub(super) fn published(plan: &CameraPlan, pipeline: &PlannedPipeline) -> [Element; 2] {
    // In a launch line where upstream has it.
    let file = format!("rs-{}_{}.jsonl", plan.slug, pipeline.index);
    let file = StreamFile {
        stream: stream(plan, pipeline),
        path: file.clone(),
        in_launch_line: file,
        is_pattern: false,
    };
    let publish = Element::new("gvametapublish").text("file-format", "json-lines");
    [Element::new("gvametaconvert"), publish.set("file-path", Value::StreamFile(file))]
}

/// The groups of devices for which upstream has a file of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Cpu,
    /// The first, or only, GPU.
    Gpu,
    /// `GPU.1` and so on: another one, with a render node of its own.
    GpuNumber(u32),
    Npu,
    /// Several devices, or none: nothing is known about them.
    Other,
}

impl Family {
    fn of(device: Option<&str>) -> Family {
        match device {
            Some("CPU") => Family::Cpu,
            Some("GPU" | "GPU.0") => Family::Gpu,
            Some("NPU") => Family::Npu,
            Some(other) => match other.strip_prefix("GPU.").and_then(|number| number.parse().ok()) {
                Some(number) => Family::GpuNumber(number),
                None => Family::Other,
            },
            None => Family::Other,
        }
    }

    fn of_first(pipeline: &PlannedPipeline) -> Family {
        Family::of(pipeline.steps.first().and_then(Step::device))
    }

    fn backend(self) -> Option<&'static str> {
        match self {
            Family::Cpu => Some("opencv"),
            Family::Npu => Some("ie"),
            Family::GpuNumber(_) => Some("va-surface-sharing"),
            Family::Gpu | Family::Other => None,
        }
    }
}

/// The element of a GPU other than the first: `GPU.1` is `/dev/dri/renderD129`.
/// Named by GStreamer's `va` plugin, which numbers render nodes from 128.
fn render_node(number: u32, what: &str) -> String {
    format!("varenderD{}{what}", FIRST_RENDER_NODE + number)
}

fn queue(is_leaky: bool) -> Element {
    let queue = Element::new("queue").int("max-size-buffers", 3).int("max-size-time", 100_000_000);
    if is_leaky { queue.text("leaky", "downstream") } else { queue }
}

fn detect(step: &Detect, id: &str, name: &str, has_region: bool) -> Element {
    let family = Family::of(Some(&step.model.device));
    let mut element = Element::new("gvadetect")
        .text("model-instance-id", id)
        .set("threshold", Value::Float(step.threshold))
        .named(name)
        .int("batch-size", step.batch_size.into())
        .int("inference-interval", step.inference_interval.into())
        .text("scale-method", "fast");
    if has_region {
        element = element.int("inference-region", 1);
    }
    element = with_model(element, &step.model, ModelFolder::Detection);
    if let Some(backend) = family.backend() {
        element = element.text("pre-process-backend", backend);
    }
    let throughput = match family {
        Family::Cpu => Some("CPU_THROUGHPUT_STREAMS=2"),
        Family::Gpu => Some("GPU_THROUGHPUT_STREAMS=2"),
        _ => None,
    };
    if let Some(throughput) = throughput {
        element = element.text("ie-config", throughput).int("nireq", 2);
    }
    if [Family::Cpu, Family::Gpu, Family::Npu].contains(&family) {
        element = element.text("pre-process-config", "resize_type=standard");
    }
    with_properties(element, &step.properties)
}

fn classify(step: &Classify, id: &str) -> Element {
    let model = &step.model.name;
    let beside =
        |ending| Value::Input(path(&format!("models/object_classification/{model}/{model}.{ending}")));
    let mut element = Element::new("gvaclassify")
        .text("model-instance-id", id)
        .int("batch-size", step.batch_size.into())
        .int("inference-region", 1)
        .text("scale-method", "fast");
    element = with_model(element, &step.model, ModelFolder::Classification);
    if has_labels(model) {
        element = element.set("labels", beside("txt"));
    }
    element = element.set("model-proc", beside("json"));
    if let Some(backend) = Family::of(Some(&step.model.device)).backend() {
        element = element.text("pre-process-backend", backend);
    }
    with_properties(element, &step.properties)
}

fn python(step: &Python, pipeline: &PlannedPipeline, plan: &CameraPlan) -> Element {
    let argument = serde_json::to_string(&[stream(plan, pipeline)]).expect("text serialises");
    let module = Value::Input(step.module.clone());
    let mut element = Element::new("gvapython").set("module", module).text("class", "PersonReID");
    if let Some(function) = step.function.as_deref().filter(|function| *function != DEFAULT_FUNCTION) {
        element = element.text("function", function);
    }
    with_properties(element.text("arg", &argument), &step.properties)
}

fn with_model(element: Element, model: &Model, folder: ModelFolder) -> Element {
    element.set("model", Value::Input(model.file(folder))).text("device", &model.device)
}

fn path(text: &str) -> ProjectPath {
    ProjectPath::new(text).expect("the readers refuse names of models that are no plain paths")
}

/// Equal for two steps only if they may share one loaded model: DL Streamer
/// gives all elements of one id the settings of one of them.
fn instance_id(step: &Step, model: &Model, has_region: bool) -> String {
    let key = serde_json::to_string(&(step, has_region)).expect("a step has text keys");
    format!("{}-{}", model.name, &ContentDigest::of(key.as_bytes()).to_hex()[..8])
}
