//! Cameras whose dialect cannot play them here: one diagnostic for each cause, with all
//! its cameras and places.

use std::collections::{BTreeMap, BTreeSet};

use super::PlayableCamera;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::model::{DialectChoice, Project, Step, StepPlaces};
use crate::name::Slug;
use crate::pipeline::machine::{Machine, OWN_PLUGIN};
use crate::plan::DialectName;
use crate::text::some_names;

/// Why a dialect cannot play a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// Steps run models, but the user chose stock elements.
    StockChosen,
    /// Steps need DL Streamer's elements, which the machine lacks.
    NoDlstreamer,
    /// The same, because the user chose these elements.
    DlstreamerAsked,
    /// Only the dialect that the user chose needs them.
    DlstreamerChosen,
    /// The user chose the worker's own elements, but those of these names are DL Streamer's here.
    HasDlstreamer,
    /// The user chose the worker's own elements, and the worker has none.
    NoneOfItsOwn,
}

/// The cameras of one cause.
#[derive(Default)]
struct Misfit<'p> {
    cameras: Vec<&'p str>,
    /// The first step of each that does not fit, else the camera.
    places: Vec<(Place, Vec<&'p str>)>,
    /// The type of the first of these steps.
    step: Option<&'p str>,
    /// Elements that are missing.
    lacking: BTreeSet<String>,
}

/// Adds a diagnostic for each cause; returns the cameras that have one.
pub(super) fn find<'p>(
    project: &Project,
    lane: &[PlayableCamera<'p>],
    machine: &Machine,
    diagnostics: &mut Diagnostics,
) -> BTreeSet<&'p Slug> {
    let mut found: BTreeMap<Cause, Misfit<'p>> = BTreeMap::new();
    let mut settled = BTreeSet::new();
    for planned in lane {
        let step = planned.steps().find(|(step, _)| step.is_inference());
        let Some((cause, lacking)) = cause(project, planned, step, machine) else { continue };
        let name = planned.camera.name.as_str();
        let place = step.map_or(planned.camera.place, |(_, places)| places.kind);
        let misfit = found.entry(cause).or_default();
        misfit.cameras.push(name);
        misfit.step = misfit.step.or(step.map(|(step, _)| step.kind()));
        misfit.lacking.extend(lacking);
        match misfit.places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, names)) => names.push(name),
            None => misfit.places.push((place, vec![name])),
        }
        settled.insert(&planned.camera.slug);
    }
    for (cause, misfit) in found {
        diagnostics.push(diagnostic(cause, &misfit));
    }
    settled
}

fn cause(
    project: &Project,
    planned: &PlayableCamera<'_>,
    step: Option<(&Step, &StepPlaces)>,
    machine: &Machine,
) -> Option<(Cause, BTreeSet<String>)> {
    match (planned.plan.dialect, step) {
        (DialectName::Stock, None) => None,
        (DialectName::Stock, Some(_)) => Some((Cause::StockChosen, BTreeSet::new())),
        (DialectName::Dlstreamer, step) => {
            let factories = planned.specs.iter().flat_map(|(_, spec)| spec.factories());
            let lacking: BTreeSet<String> = factories
                .filter(|factory| factory.starts_with("gva") && !is_of_others(machine, factory))
                .map(str::to_owned)
                .collect();
            let is_choice = project.settings.dialect == DialectChoice::Dlstreamer;
            let cause = match (is_choice, step) {
                (true, None) => Cause::DlstreamerChosen,
                (true, Some(_)) => Cause::DlstreamerAsked,
                (false, _) => Cause::NoDlstreamer,
            };
            (!lacking.is_empty()).then_some((cause, lacking))
        }
        (DialectName::Native, _) => {
            let factories = planned.specs.iter().flat_map(|(_, spec)| spec.factories());
            let mut elements = factories.filter(|factory| factory.starts_with("gva"));
            let cause = elements.find_map(|factory| match machine.factories.get(factory)? {
                Some(found) if found.plugin == OWN_PLUGIN => None,
                Some(_) => Some(Cause::HasDlstreamer),
                // One that the worker does not have of its own either is reported as missing.
                None => (!machine.infers_natively()).then_some(Cause::NoneOfItsOwn),
            })?;
            Some((cause, BTreeSet::new()))
        }
    }
}

/// Whether a factory that was asked for is there, and not the worker's own.
fn is_of_others(machine: &Machine, factory: &str) -> bool {
    match machine.factories.get(factory) {
        Some(Some(found)) => found.plugin != OWN_PLUGIN,
        Some(None) => false,
        None => true,
    }
}

fn diagnostic(cause: Cause, misfit: &Misfit<'_>) -> Diagnostic {
    let names = some_names(&misfit.cameras);
    let n = misfit.cameras.len();
    let message = match (cause, n) {
        (Cause::StockChosen, 1) => {
            let step = misfit.step.unwrap_or_default();
            format!("the dialect `stock` cannot play {names}: `{step}` runs a model")
        }
        (Cause::StockChosen, _) => {
            format!("the dialect `stock` cannot play {n} cameras, whose steps run models: {names}")
        }
        (Cause::HasDlstreamer, _) => {
            format!("the dialect `native` is for machines without DL Streamer, which this one has: {names}")
        }
        (Cause::NoneOfItsOwn, _) => {
            format!(
                "the dialect `native` needs a worker with elements of its own, which this one has not: {names}"
            )
        }
        (_, 1) => format!("{names} needs Intel DL Streamer, which this machine does not have"),
        (_, _) => format!("{n} cameras need Intel DL Streamer, which this machine does not have: {names}"),
    };
    let mut diagnostic = Diagnostic::error(codes::NO_DIALECT, message);
    let lacking: Vec<String> = misfit.lacking.iter().map(|factory| format!("`{factory}`")).collect();
    for (position, (place, names)) in misfit.places.iter().enumerate() {
        diagnostic = match position {
            0 if lacking.is_empty() => diagnostic.at(*place),
            0 => diagnostic.at(*place).label(format!("missing: {}", lacking.join(", "))),
            _ => diagnostic.also(*place, some_names(names)),
        };
    }
    diagnostic.help(ways_out(cause))
}

/// The ways out, best first.
fn ways_out(cause: Cause) -> String {
    let auto = match cause {
        Cause::StockChosen => {
            "with `run.dialect = \"auto\"`: by DL Streamer, or without it by `lp-worker` itself"
        }
        Cause::DlstreamerChosen => {
            "with `run.dialect = \"auto\"` or `\"stock\"`: all their steps are stock elements"
        }
        Cause::HasDlstreamer => "with `run.dialect = \"auto\"` or `\"dlstreamer\"`",
        Cause::NoneOfItsOwn => "with the `lp-worker` that belongs to this `lp`",
        Cause::DlstreamerAsked => "with `run.dialect = \"auto\"`: without it, `lp-worker` infers itself",
        Cause::NoDlstreamer => "",
    };
    let ways: &[&str] = match cause {
        Cause::NoDlstreamer => &[IMAGE, PACKAGE, DECODE_ONLY, STOCK],
        Cause::DlstreamerAsked => &[auto, IMAGE, PACKAGE, DECODE_ONLY, STOCK],
        Cause::StockChosen => &[auto, DECODE_ONLY, STOCK],
        Cause::DlstreamerChosen | Cause::HasDlstreamer | Cause::NoneOfItsOwn => &[auto],
    };
    match ways {
        [only] => format!("play them {only}"),
        ways => {
            let ways = (1..).zip(ways).map(|(n, way)| format!("{n}. {way}"));
            ways.collect::<Vec<_>>().join("\n")
        }
    }
}

const IMAGE: &str = "in its container image: set `[worker] command`, see `lp check --explain LP0902`";
const PACKAGE: &str = "on Ubuntu: `intel-dlstreamer` from Intel's apt repository, see the same page";
const DECODE_ONLY: &str =
    "meanwhile: `lp run --decode-only` measures sources and decoding, without inference";
const STOCK: &str = "without it: give the cameras workloads of stock elements";
