//! A pipeline as a worker tries to build it, and the meaning of its refusal.
//!
//! Elements are linked in order, so the first link that fails is the one that is
//! wrong. The output of a decoder is known only while it plays; a clip's size
//! and rate are the camera's, so a filter after the decoder sets them.

use std::path::Path;

use super::PlayableCamera;
use crate::diag::codes;
use crate::diag::{Diagnostic, Place};
use crate::dialect::{fraction, step_path};
use crate::model::{Project, Source, StepPlaces};
use crate::pipeline::machine::BuildFault;
use crate::pipeline::{Element, PipelineSpec, Value};
use crate::plan::PlannedPipeline;

/// Equal for two pipelines that are alike: those are tried once.
pub(super) fn likeness(planned: &PlayableCamera<'_>, pipeline: &PlannedPipeline) -> String {
    let plan = planned.plan;
    let source = match &plan.source {
        Source::File(_) => "file".to_owned(),
        other => serde_json::to_string(other).expect("a source has text keys"),
    };
    let size = (plan.width, plan.height, plan.fps.to_bits());
    let how = (plan.dialect, plan.decode_only);
    serde_json::to_string(&(source, size, plan.region_of_interest, how, &pipeline.steps))
        .expect("steps have text keys")
}

/// A pipeline that is tried.
pub(super) struct Trial {
    /// For the worker's machine.
    pub(super) spec: PipelineSpec,
    /// The index of the filter that was put in.
    inserted: Option<usize>,
}

impl Trial {
    /// The trial of a pipeline; `None` for one that cannot even be asked about.
    pub(super) fn of(project: &Project, planned: &PlayableCamera<'_>, spec: &PipelineSpec) -> Option<Trial> {
        // Secrets and outputs matter only to pipelines that play.
        let mut spec = spec.resolve(&project.layout, Path::new("/"), &|_| Some(String::new())).ok()?;
        let inserted = match (&planned.plan.source, spec.decoder) {
            // A decoder for a GPU gives frames in another memory.
            (Source::File(_), Some(decoder)) if spec.elements[decoder].factory.starts_with("avdec_") => {
                Some(decoder + 1)
            }
            _ => None,
        };
        if let Some(at) = inserted {
            let plan = planned.plan;
            let (width, height, rate) = (plan.width, plan.height, fraction(plan.fps));
            let caps = format!("video/x-raw,width={width},height={height},framerate={rate}");
            spec.elements.insert(at, Element::caps(&caps));
            for index in spec.elements.iter_mut().filter_map(|element| element.from.as_mut()) {
                *index += usize::from(at <= *index);
            }
            spec.sink += usize::from(at <= spec.sink);
        }
        Some(Trial { spec, inserted })
    }

    /// The index in the pipeline itself.
    fn original(&self, index: usize) -> usize {
        index - usize::from(self.inserted.is_some_and(|at| at <= index))
    }

    /// A refusal, at the steps that it is about.
    pub(super) fn diagnostic(
        &self,
        planned: &PlayableCamera<'_>,
        pipeline: &PlannedPipeline,
        spec: &PipelineSpec,
        fault: &BuildFault,
    ) -> Diagnostic {
        let place_of = |index: usize| {
            let index = self.original(index);
            let (caps, places) = step_of(planned, pipeline, spec, index)?;
            Some(place(caps, places, &spec.elements[index]))
        };
        let place = fault.element.and_then(place_of);
        let Some(link) = &fault.link else {
            let step = fault.element.and_then(|index| step_of(planned, pipeline, spec, self.original(index)));
            let named = fault.property.as_ref().zip(step).map(|(name, step)| {
                let (_, places) = step;
                let key = match name.as_str() {
                    "caps" => places.caps,
                    "model" => places.model,
                    _ => None,
                };
                places.value(places.property(name).or(key))
            });
            let message = format!("`{}` cannot be built: {}", planned.camera.name, fault.reason);
            let place = named.or(place).unwrap_or(planned.camera.place);
            return Diagnostic::error(codes::CANNOT_BUILD, message).at(place);
        };
        let factory = |index: usize| &spec.elements[self.original(index)].factory;
        let [from, to] = [fault.element.unwrap_or_default(), link.to].map(factory);
        let message = format!("`{from}` cannot be linked to `{to}`");
        let diagnostic = Diagnostic::error(codes::CANNOT_LINK, message);
        let (gives, takes) = (format!("gives {}", link.gives), format!("takes {}", link.takes));
        match (place, place_of(link.to)) {
            (earlier, Some(later)) if earlier.is_none_or(|earlier| earlier == later) => {
                diagnostic.at(later).label(takes).help(format!("`{from}` {gives}"))
            }
            (Some(earlier), Some(later)) => diagnostic.at(later).label(takes).also(earlier, gives),
            (Some(earlier), None) => diagnostic.at(earlier).label(gives).help(format!("`{to}` {takes}")),
            (None, _) => {
                diagnostic.at(planned.camera.place).help(format!("`{from}` {gives}, and `{to}` {takes}"))
            }
        }
    }
}

/// Where an element of a step is written: its caps, or its type.
fn place(caps: Option<&str>, places: &StepPlaces, element: &Element) -> Place {
    let is_caps = |caps: &str| {
        let value = element.properties.first().map(|property| &property.value);
        element.factory == "capsfilter" && value == Some(&Value::Text(caps.to_owned()))
    };
    if caps.is_some_and(is_caps) { places.value(places.caps) } else { places.kind }
}

/// The caps and places of the step, or element of a bin, that an element was made
/// of. A filter without a name belongs to the element before it, all else without
/// one to the element after.
fn step_of<'p>(
    planned: &PlayableCamera<'p>,
    pipeline: &'p PlannedPipeline,
    spec: &PipelineSpec,
    index: usize,
) -> Option<(Option<&'p str>, &'p StepPlaces)> {
    let named = if spec.elements[index].factory == "capsfilter" {
        (0..=index).rev().find(|at| spec.elements[*at].name.is_some())
    } else {
        (index..spec.elements.len()).find(|at| spec.elements[*at].name.is_some())
    };
    let path = step_path(planned.plan, pipeline, spec.elements[named?].name.as_deref()?)?;
    let (first, inner) = path.split_first()?;
    let places = planned.planned.places(pipeline).get(*first)?;
    let elements = pipeline.steps.get(*first)?.elements();
    match inner.first() {
        Some(inner) => Some((elements.get(*inner)?.caps, places.elements.get(*inner)?)),
        None => Some((elements.first()?.caps, places)),
    }
}
