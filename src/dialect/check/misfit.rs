//! Cameras whose dialect cannot play them here: one diagnostic for each cause, with all
//! its cameras and places.

use std::collections::{BTreeMap, BTreeSet};

use super::{PlayableCamera, is_missing};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::model::{DialectChoice, Project, Step, StepPlaces};
use crate::name::Slug;
use crate::pipeline::machine::Machine;
use crate::plan::DialectName;
use crate::text::some_names;

/// Why a dialect cannot play a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// Steps run models, but the user chose stock elements.
    StockChosen,
    /// Steps need DL Streamer's elements, which the machine lacks.
    NoDlstreamer,
    /// Only the dialect that the user chose needs them.
    DlstreamerChosen,
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
                .filter(|factory| factory.starts_with("gva") && is_missing(machine, factory))
                .map(str::to_owned)
                .collect();
            let is_choice = step.is_none() && project.settings.dialect == DialectChoice::Dlstreamer;
            let cause = if is_choice { Cause::DlstreamerChosen } else { Cause::NoDlstreamer };
            (!lacking.is_empty()).then_some((cause, lacking))
        }
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
            "with `run.dialect = \"auto\"` and DL Streamer, see `lp check --explain LP0902`"
        }
        Cause::DlstreamerChosen => {
            "with `run.dialect = \"auto\"` or `\"stock\"`: all their steps are stock elements"
        }
        Cause::NoDlstreamer => "",
    };
    let ways: &[&str] = match cause {
        Cause::NoDlstreamer => &[
            "in its container image: set `[worker] command`, see `lp check --explain LP0902`",
            "on Ubuntu: `intel-dlstreamer` from Intel's apt repository, see the same page",
            DECODE_ONLY,
            STOCK,
        ],
        Cause::StockChosen => &[auto, DECODE_ONLY, STOCK],
        Cause::DlstreamerChosen => &[auto],
    };
    match ways {
        [only] => format!("play them {only}"),
        ways => {
            let ways = (1..).zip(ways).map(|(n, way)| format!("{n}. {way}"));
            ways.collect::<Vec<_>>().join("\n")
        }
    }
}

const DECODE_ONLY: &str =
    "meanwhile: `lp run --decode-only` measures sources and decoding, without inference";
const STOCK: &str = "without it: give the cameras workloads of stock elements";
