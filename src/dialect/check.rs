//! The faults that keep cameras from being played on a machine, found before
//! anything runs.
//!
//! [`machine`] compares the needs of cameras with a worker's description of its machine:
//! dialects that do not fit, elements that are missing, properties that they do
//! not have or that do not take a value (`property`), and pipelines that cannot
//! be built, which only a worker can try. Every fault points at the step, and
//! where possible the property, that it is about. A fault of several cameras, or of
//! a workload that several use, is reported once.
//!
//! Pure: asking the worker is the caller's.

mod misfit;
mod property;
mod trial;

use std::collections::{BTreeMap, BTreeSet};

use super::spec;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::model::{Camera, Codec, ElementView, Pace, Project, Step, StepPlaces};
use crate::name::did_you_mean;
use crate::pipeline::PipelineSpec;
use crate::pipeline::machine::{BuildFault, Machine, debian_package};
use crate::plan::lane::PlannedCamera;
use crate::plan::{CameraPlan, PlannedPipeline};

/// So many places of one fault are shown.
const SHOWN: usize = 8;

/// A camera's plan, and its pipelines that can be played.
struct PlayableCamera<'p> {
    planned: &'p PlannedCamera,
    camera: &'p Camera,
    plan: &'p CameraPlan,
    specs: Vec<(&'p PlannedPipeline, PipelineSpec)>,
}

impl<'p> PlayableCamera<'p> {
    fn of(planned: &'p PlannedCamera, pace: Pace) -> PlayableCamera<'p> {
        let plan = &planned.plan;
        let specs = if plan.plays_unknown_codec() {
            // A clip that has no decoder here is encoded to H.264, which needs one.
            let most_likely = plan.with_codec(Codec::H264);
            plan.pipelines.iter().filter_map(|one| Some((one, spec(&most_likely, one, pace)?))).collect()
        } else {
            plan.pipelines.iter().filter_map(|one| Some((one, spec(plan, one, pace)?))).collect()
        };
        PlayableCamera { planned, camera: planned.camera(), plan, specs }
    }

    /// The steps that are played.
    fn steps(&self) -> impl Iterator<Item = (&'p Step, &'p StepPlaces)> {
        let specs = if self.plan.decode_only { &[][..] } else { &self.specs };
        specs.iter().flat_map(|(pipeline, _)| pipeline.steps.iter().zip(self.planned.places(pipeline)))
    }

    /// Their elements, those of bins one by one.
    fn elements(&self) -> impl Iterator<Item = (ElementView<'p>, &'p StepPlaces)> {
        self.steps().flat_map(|(step, places)| {
            let places =
                if let Step::Bin(_) = step { &places.elements } else { std::slice::from_ref(places) };
            step.elements().into_iter().zip(places)
        })
    }
}

/// Every factory that cameras need, and that a worker must describe.
#[must_use]
pub fn factories(cameras: &[&PlannedCamera], pace: Pace) -> BTreeSet<String> {
    let mut factories = BTreeSet::new();
    for planned in cameras {
        for (_, spec) in PlayableCamera::of(planned, pace).specs {
            factories.extend(spec.factories().into_iter().map(str::to_owned));
        }
    }
    factories
}

/// Everything that keeps these cameras from being played on `machine`, which
/// describes their [`factories`]. `attempt` tries to build a pipeline there.
///
/// # Errors
/// Those of `attempt`.
pub fn machine<E>(
    project: &Project,
    cameras: &[&PlannedCamera],
    machine: &Machine,
    mut attempt: impl FnMut(&PipelineSpec) -> Result<Option<BuildFault>, E>,
) -> Result<Diagnostics, E> {
    let pace = project.settings.pace;
    let lane: Vec<PlayableCamera<'_>> =
        cameras.iter().map(|planned| PlayableCamera::of(planned, pace)).collect();
    let mut diagnostics = Diagnostics::new();
    // Cameras whose other faults need no report.
    let settled = misfit::find(project, &lane, machine, &mut diagnostics);
    let open: Vec<&PlayableCamera<'_>> =
        lane.iter().filter(|one| !settled.contains(&one.camera.slug)).collect();
    missing_elements(&open, machine, &mut diagnostics);

    let mut faulty = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (element, places) in open.iter().flat_map(|planned| planned.elements()) {
        if seen.insert((places.step, places.kind)) {
            let found = property::faults(element, places, machine);
            if !found.is_empty() {
                faulty.insert(places.step);
            }
            diagnostics.append(found);
        }
    }
    let mut tried = BTreeSet::new();
    for planned in &open {
        for (pipeline, spec) in &planned.specs {
            let lacks = spec.factories().into_iter().any(|factory| is_missing(machine, factory));
            let inner =
                |places: &StepPlaces| places.elements.iter().any(|inner| faulty.contains(&inner.step));
            let is_faulty = |places: &StepPlaces| faulty.contains(&places.step) || inner(places);
            if lacks
                || planned.planned.places(pipeline).iter().any(is_faulty)
                || !tried.insert(trial::likeness(planned, pipeline))
            {
                continue;
            }
            if let Some(trial) = trial::Trial::of(project, planned, spec)
                && let Some(fault) = attempt(&trial.spec)?
            {
                diagnostics.push(trial.diagnostic(planned, pipeline, spec, &fault));
            }
        }
    }
    Ok(diagnostics)
}

/// Whether the machine was asked for a factory and does not have it.
fn is_missing(machine: &Machine, factory: &str) -> bool {
    matches!(machine.factories.get(factory), Some(None))
}

/// The steps and cameras that need a factory that is missing.
#[derive(Default)]
struct Demand<'p> {
    steps: BTreeSet<Place>,
    cameras: Vec<&'p Camera>,
}

/// Every missing factory once, at the steps that name it, else at the cameras
/// whose pipelines have it.
fn missing_elements(lane: &[&PlayableCamera<'_>], machine: &Machine, diagnostics: &mut Diagnostics) {
    let mut missing: BTreeMap<&str, Demand<'_>> = BTreeMap::new();
    for planned in lane {
        let factories: BTreeSet<&str> = planned.specs.iter().flat_map(|(_, spec)| spec.factories()).collect();
        for factory in factories.into_iter().filter(|factory| is_missing(machine, factory)) {
            let demand = missing.entry(factory).or_default();
            demand.cameras.push(planned.camera);
            let named = planned.elements().filter(|(element, _)| element.factory == factory);
            let named = named.map(|(_, places)| places.kind);
            demand.steps.extend(named.filter(|place| !place.is_nowhere()));
        }
    }
    for (factory, Demand { steps, cameras }) in missing {
        let names = match cameras.as_slice() {
            [only] => format!("`{}` needs", only.name),
            [first, second] => format!("`{}` and `{}` need", first.name, second.name),
            [first, rest @ ..] => format!("`{}` and {} more cameras need", first.name, rest.len()),
            [] => unreachable!("an element is missing where a camera needs it"),
        };
        let message = format!("this machine has no element `{factory}`, which {names}");
        let mut fault = Diagnostic::error(codes::MISSING_ELEMENT, message);
        if steps.is_empty() {
            // One that `lp` itself puts in, such as a decoder.
            fault = fault.at(cameras[0].place);
        }
        for (position, place) in steps.into_iter().take(SHOWN).enumerate() {
            fault = if position == 0 { fault.at(place) } else { fault.also(place, "also here") };
        }
        let names = machine.names.iter().map(String::as_str);
        let meant = debian_package(factory).is_none().then(|| did_you_mean(factory, names)).flatten();
        diagnostics.push(match meant {
            Some(meant) => fault.help(format!("did you mean `{meant}`?")),
            None => fault.help(way_out(factory)),
        });
    }
}

/// How to get a factory.
#[must_use]
pub fn way_out(factory: &str) -> String {
    if let Some(package) = debian_package(factory) {
        return format!("sudo apt-get install {package}");
    }
    if factory.starts_with("gva") {
        return "it is part of Intel DL Streamer; `lp check --explain LP0902` has the ways to get it"
            .to_owned();
    }
    format!("no Debian package is known to have it; see `gst-inspect-1.0 {factory}`")
}
