//! Checks that the model of each step is known: a recipe has it, a task makes it, or it
//! lies in the folder of models, under any name and in any precision.
//!
//! Only looks for files; `action::model` reads them.

use super::disk::Files;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::model::{Model, Project, Scalar, Step, StepPlaces};
use crate::path::ProjectPath;

pub(super) fn check(project: &Project, disk: &dyn Files, diagnostics: &mut Diagnostics) {
    let steps = project.workloads.iter().flat_map(|workload| workload.steps.iter().zip(&workload.places));
    for (step, places) in steps {
        // A faulty name is blank.
        if let Some(model) = step.model().filter(|model| !model.name.is_empty()) {
            check_model(project, step, model, places, disk, diagnostics);
        }
    }
}

fn check_model(
    project: &Project,
    step: &Step,
    model: &Model,
    places: &StepPlaces,
    disk: &dyn Files,
    diagnostics: &mut Diagnostics,
) {
    let Model { name, precision, .. } = model;
    let recipe = project.recipes.named(name);
    if recipe.is_some_and(|recipe| {
        precision.is_empty() || recipe.precisions.is_empty() || recipe.precisions.contains(precision)
    }) {
        return;
    }
    let named = named_file(step);
    let usual = step.model_file();
    let file = named.as_ref().or(usual.as_ref());
    let is_there = file.is_some_and(|file| is_there(project, file, disk));
    let own = usual.map_or(String::new(), |file| {
        format!("a model of your own belongs at `{file}`, with its `.bin` beside it")
    });
    match recipe {
        Some(recipe) if is_there && named.is_none() => {
            let exists = recipe.precisions.join(", ");
            let message = format!("`{name}` in {precision} is a model of your own, as it exists in {exists}");
            let help = "a recipe in `configs/models` that lists this precision ends the warning";
            diagnostics.push(
                Diagnostic::warning(codes::NO_SUCH_PRECISION, message)
                    .at(places.value(places.precision))
                    .also(places.value(places.model), "this model")
                    .help(help),
            );
        }
        _ if is_there => {}
        Some(recipe) => {
            let exists = format!("it exists in {}", recipe.precisions.join(", "));
            diagnostics.push(
                Diagnostic::error(
                    codes::NO_SUCH_PRECISION,
                    format!("`{name}` does not exist in {precision}"),
                )
                .at(places.value(places.precision))
                .also(places.value(places.model), "this model")
                .help(sentences([exists, own])),
            );
        }
        None => {
            let beside = folders(project, step, disk);
            let known = project.recipes.names().chain(beside.iter().map(String::as_str));
            let meant = diagnostics.did_you_mean(name, known);
            let meant = meant.map_or(String::new(), |meant| format!("did you mean `{meant}`?"));
            let message = format!("the model `{name}` is unknown");
            let warning = Diagnostic::warning(codes::UNKNOWN_MODEL, message).at(places.value(places.model));
            let help = sentences([meant, own]);
            diagnostics.push(if help.is_empty() { warning } else { warning.help(help) });
        }
    }
}

/// Those that are not empty.
fn sentences<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// The file that the step's properties name instead of the usual one.
fn named_file(step: &Step) -> Option<ProjectPath> {
    match step.properties().get("model") {
        Some(Scalar::Text(text)) => ProjectPath::new(text).ok(),
        _ => None,
    }
}

/// Whether a file is there, or a task makes it.
fn is_there(project: &Project, file: &ProjectPath, disk: &dyn Files) -> bool {
    let file = project.layout.named(file.clone());
    let outputs = project.tasks.iter().flat_map(|task| &task.outputs);
    outputs.map(|(output, _)| output).any(|output| file.is_within(output))
        || disk.is_file(&project.layout.resolve(&file))
}

/// The models in the folder in which the step's model would be.
fn folders(project: &Project, step: &Step, disk: &dyn Files) -> Vec<String> {
    let file = step.model_file();
    // The third folder around `models/object_detection/m/FP16/m.xml`.
    let folder = file.as_ref().and_then(|file| ProjectPath::new(file.folders().nth(2)?).ok());
    folder.map_or(Vec::new(), |folder| disk.names(&project.layout.resolve(&folder)))
}
