//! Dialects: how a planned pipeline becomes GStreamer elements.
//!
//! `stock` uses elements of stock GStreamer, `dlstreamer` Intel DL
//! Streamer's, `native` the worker's own in their place. Each gets the same source: a paced file as a camera would
//! deliver it, an RTSP stream, a V4L2 device, or a scene drawn live.
//!
//! [`compile`] adds launch lines to a camera's plan, [`spec`] makes one planned pipeline,
//! [`share::pipelines`] all that a camera plays, shared ones as one, and [`check`] finds
//! the faults that keep a machine from playing it.

pub mod check;
pub mod devices;
mod dlstreamer;
mod native;
pub mod share;
mod source;

mod stock;

pub use source::fraction;

use crate::diag::Place;
use crate::model::zoo::OPENVINO;
use crate::model::{
    Classify, Codec, Detect, Infer, Model, Pace, Scalar, Source, Step, StepPlaces, StockElement, Tee, Values,
};
use crate::path::{Layout, ProjectPath};
use crate::pipeline::files::{self, Role};
use crate::pipeline::tensors::ModelUse;
use crate::pipeline::{Element, PipelineSpec, Property, StreamFile, Value, launch};
use crate::plan::lane::PlannedCamera;
use crate::plan::{CameraPlan, DialectName, PlannedPipeline, Work};

/// How a dialect plays a pipeline, from encoded video to the sink.
trait Dialect {
    /// From encoded video to frames; the first element is the decoder. Of an unknown
    /// codec it is one that finds it out.
    fn decoder(&self, pipeline: &PlannedPipeline, codec: Option<Codec>) -> Vec<Element>;
    /// The queue after the decoder.
    fn queue(&self, name: &str, is_leaky: bool) -> Element;
    /// The elements of all steps, in order.
    fn steps(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Vec<Element>;
    /// The width and height that its elements for this camera rely on, though they
    /// do not make it so.
    fn relies_on_size(&self, plan: &CameraPlan) -> Option<[u32; 2]>;
    /// The elements after the steps; the last is the sink.
    fn sink(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Vec<Element>;
}

/// The plan of a camera with its launch lines and assets, as its file has it.
#[must_use]
pub fn compile(plan: &CameraPlan) -> CameraPlan {
    let mut plan = plan.clone();
    // Paths in a plan are relative to the project, so any root serves.
    let layout = Layout::new("/".into());
    let mut assets = Vec::new();
    for played in share::pipelines(&plan, Pace::Live) {
        let (first, _) = played.streams[0];
        let line = launch::line(&played.spec, &layout);
        for pipeline in plan.pipelines.iter_mut().filter(|pipeline| pipeline.index == first) {
            pipeline.launch = Some(line.clone());
        }
        assets.extend(played.spec.inputs());
    }
    for script in plan.pipelines.iter().filter_map(PlannedPipeline::script) {
        assets.push(script.path.clone());
        // It opens the camera's clip itself.
        if let Source::File(clip) = &plan.source {
            assets.push(clip.path.clone());
        }
    }
    assets.sort();
    assets.dedup();
    plan.assets = assets;
    plan
}

/// From the demuxer of a clip to frames, with stock elements: to try whether it plays.
#[must_use]
pub fn clip_decoder(codec: Codec) -> Vec<Element> {
    vec![Element::new(codec.parser()), stock::decoder(Some(codec))]
}

/// One pipeline as a worker plays it; `None` if none can: it is a script, or
/// not supported.
#[must_use]
pub fn spec(plan: &CameraPlan, pipeline: &PlannedPipeline, pace: Pace) -> Option<PipelineSpec> {
    let Work::Elements(steps) = pipeline.work() else { return None };
    let dialect: &dyn Dialect = match plan.dialect {
        DialectName::Stock => &stock::Stock,
        // Steps that branch are stock elements; the readers see to it.
        DialectName::Dlstreamer | DialectName::Native if steps.iter().any(|step| step.from().is_some()) => {
            &stock::Stock
        }
        DialectName::Dlstreamer => &dlstreamer::Dlstreamer,
        DialectName::Native => &native::Native,
    };
    let source::Head { mut elements, playback, delivery, ingress, decoder } =
        source::head(plan, pipeline, pace, dialect);
    let reconnect = source::reconnection(plan);
    if plan.decode_only {
        // The source and the decoder are those of the whole pipeline.
        elements.extend(stock::Stock.sink(plan, pipeline, pace));
        let (decoder, sink) = (Some(decoder), elements.len() - 1);
        let delivery = Some(delivery);
        let size = None;
        return Some(PipelineSpec { elements, playback, delivery, ingress, decoder, sink, size, reconnect });
    }
    elements.extend(dialect.steps(plan, pipeline, pace));
    elements.extend(dialect.sink(plan, pipeline, pace));
    let sink = elements.len() - 1;
    stock::side_branches(plan, pipeline, &mut elements);
    elements.iter_mut().for_each(|element| place_files(element, &stream(plan, pipeline)));
    Some(PipelineSpec {
        elements,
        playback,
        delivery: Some(delivery),
        ingress,
        decoder: Some(decoder),
        sink,
        size: dialect.relies_on_size(plan),
        reconnect,
    })
}

/// A file that a step reads.
#[derive(Clone, Debug)]
pub struct StepFile {
    pub path: ProjectPath,
    /// Where the step names it.
    pub place: Place,
    pub kind: StepFileKind,
}

/// The use of a step's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepFileKind {
    /// A part of a model.
    Model {
        /// `yolo11n`
        name: String,
        /// `FP16-INT8`
        precision: String,
        used: ModelUse,
    },
    /// A module of `gvapython`.
    Module,
    /// OpenVINO's library.
    Library,
    Other,
}

impl StepFileKind {
    fn of(step: &Step, path: &ProjectPath) -> StepFileKind {
        let names_it = |(name, value): (&String, &Scalar)| match value {
            Scalar::Text(text) => name == native::LIBRARY && ProjectPath::new(text).as_ref() == Ok(path),
            _ => false,
        };
        if path.as_str() == OPENVINO || step.properties().iter().any(names_it) {
            return StepFileKind::Library;
        }
        let of_model = |Model { name, precision, .. }: &Model, used| StepFileKind::Model {
            name: name.clone(),
            precision: precision.clone(),
            used,
        };
        match step {
            Step::Detect(Detect { model, .. }) => of_model(model, ModelUse::Detect),
            Step::Classify(Classify { model, .. }) | Step::Infer(Infer { model, .. }) => {
                of_model(model, ModelUse::Infer)
            }
            Step::Python(_) => StepFileKind::Module,
            _ => StepFileKind::Other,
        }
    }
}

/// The files that each step of a camera reads, and where it names them; none if steps
/// are left out.
#[must_use]
pub fn step_files(planned: &PlannedCamera) -> Vec<StepFile> {
    let plan = &planned.plan;
    let mut found = Vec::new();
    for pipeline in &plan.pipelines {
        for (step, places) in steps_alone(pipeline, planned.places(pipeline)) {
            let files = files_of(plan, pipeline, &step);
            found.extend(files.into_iter().map(|path| {
                let place = place_of(&step, places, &path);
                StepFile { place, kind: StepFileKind::of(&step, &path), path }
            }));
        }
    }
    found
}

/// The steps of a pipeline without their branches, each element of a bin by itself.
fn steps_alone<'p>(pipeline: &PlannedPipeline, places: &'p [StepPlaces]) -> Vec<(Step, &'p StepPlaces)> {
    let mut found = Vec::new();
    for (step, places) in pipeline.steps.iter().zip(places) {
        let places =
            if let Step::Bin(_) = step { &places.elements[..] } else { std::slice::from_ref(places) };
        found.extend(alone(step).into_iter().zip(places));
    }
    found
}

/// A step without its branch; of a bin, each of its elements.
#[must_use]
pub fn alone(step: &Step) -> Vec<Step> {
    let element = |element: &StockElement| Step::Element(StockElement { from: None, ..element.clone() });
    match step {
        Step::Bin(bin) => bin.elements.iter().map(element).collect(),
        Step::Element(one) => vec![element(one)],
        Step::Tee(tee) => vec![Step::Tee(Tee { from: None, ..tee.clone() })],
        other => vec![other.clone()],
    }
}

/// The files that a step reads, of those that [`alone`] gives: as if it were the only one
/// of its pipeline, so that every file is one of its own.
#[must_use]
pub fn files_of(plan: &CameraPlan, pipeline: &PlannedPipeline, step: &Step) -> Vec<ProjectPath> {
    let alone = PlannedPipeline { steps: vec![step.clone()], ..pipeline.clone() };
    let Some(spec) = spec(plan, &alone, Pace::Live) else { return Vec::new() };
    let clip = if let Source::File(clip) = &plan.source { Some(&clip.path) } else { None };
    spec.inputs().into_iter().filter(|path| Some(path) != clip).collect()
}

/// Where a step names one of its files: in a property, by its model, else in all.
fn place_of(step: &Step, places: &StepPlaces, path: &ProjectPath) -> Place {
    let of_step = |(name, value): (&String, &Scalar)| {
        let Scalar::Text(text) = value else { return None };
        let role = files::role(step.kind(), name).filter(|role| *role == Role::Reads)?;
        let value = files::read(files::named(role, name, text)?.ok()?);
        let property = Property { name: name.clone(), value };
        files::of(&property).contains(path).then(|| places.value(places.property(name)))
    };
    step.properties().iter().find_map(of_step).unwrap_or_else(|| places.value(places.model))
}

/// A sink that shows frames and their rate on the display.
fn display(name: Option<&str>) -> Element {
    let sink = Element::new("fpsdisplaysink");
    let sink = if let Some(name) = name { sink.named(name) } else { sink };
    sink.text("video-sink", "autovideosink")
        .bool("sync", false)
        .bool("text-overlay", true)
        .bool("signal-fps-measurements", true)
}

/// The name of an element: from the camera's slug and the pipeline's index,
/// never from a counter over the lane, or one more camera would rename everything.
fn element_name(plan: &CameraPlan, pipeline: &PlannedPipeline, what: &str) -> String {
    format!("{}_{}_{what}", plan.slug, pipeline.index)
}

/// The stream that a pipeline is played as: `camera-3/1`.
fn stream(plan: &CameraPlan, pipeline: &PlannedPipeline) -> String {
    format!("{}/{}", plan.slug, pipeline.index)
}

/// Makes files of the strings that name some: files that are read lie in the project,
/// those that are written in the folder of the stream, even if no step names one.
fn place_files(element: &mut Element, stream: &str) {
    let file = |factory: &str, property: &str, path: &str| {
        let is_pattern = files::is_pattern(factory, property);
        Value::StreamFile(StreamFile { is_pattern, ..StreamFile::new(stream, path) })
    };
    let place = |property: &mut Property| {
        let (Some(role), Value::Text(text)) =
            (files::role(&element.factory, &property.name), &property.value)
        else {
            return;
        };
        // The readers refuse strings that are no paths.
        let Some(Ok(mut files)) = files::named(role, &property.name, text) else { return };
        property.value = match role {
            Role::Reads => files::read(files),
            Role::Writes => {
                let (_, path) = files.pop().expect("a step writes to one path");
                file(&element.factory, &property.name, path.as_str())
            }
        };
    };
    element.properties.iter_mut().for_each(place);
    let given = element.properties.iter().map(|property| property.name.as_str());
    for (name, path) in files::unasked(&element.factory, given) {
        let value = file(&element.factory, name, path);
        element.properties.push(Property { name: name.to_owned(), value });
    }
}

/// The place among its pipeline's steps of the step that an element of this name
/// was made of, and the place inside a bin: `[2, 0]` for `camera-3_1_3-1_zbar`.
/// `None` for an element that `lp` itself put in.
fn step_path(plan: &CameraPlan, pipeline: &PlannedPipeline, name: &str) -> Option<Vec<usize>> {
    let rest = name.strip_prefix(&element_name(plan, pipeline, ""))?;
    let (path, _) = rest.split_once('_')?;
    path.split('-').map(|position| position.parse::<usize>().ok()?.checked_sub(1)).collect()
}

/// The user's own properties of a step, in the order of their names: instead of
/// those that the dialect has set already.
fn with_properties(mut element: Element, properties: &Values) -> Element {
    for (name, value) in properties {
        let value = match value {
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Int(value) => Value::Int(*value),
            Scalar::Float(value) => Value::Float(*value),
            Scalar::Text(text) => Value::Text(text.clone()),
        };
        element = element.with(name, value);
    }
    element
}
