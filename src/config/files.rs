//! Checks of the files that elements of a user's steps read and write.
//!
//! Not here: the properties that name them (`pipeline::files`).

use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::model::{ElementView, Scalar, Step, StepPlaces, Values};
use crate::path::{PathError, ProjectPath};
use crate::pipeline::files::{Role, named, role, unasked};
use crate::text::harmless;

/// Refuses invalid paths of a step's files, and warns of read files outside the
/// project.
pub(super) fn check_paths(
    kind: &str,
    properties: &Values,
    places: &StepPlaces,
    diagnostics: &mut Diagnostics,
) {
    for (property, value) in properties {
        let (Some(role), Scalar::Text(text)) = (role(kind, property), value) else { continue };
        let Some(Err(fault)) = named(role, property, text) else { continue };
        let diagnostic = match (role, fault) {
            (Role::Writes, _) => {
                Diagnostic::error(codes::BAD_PATH, format!("`{kind}` cannot write `{}`", harmless(text)))
                    .label("outside the folder of its stream")
                    .help("write a relative path without `..`, such as `shots/frame-%05d.jpg`")
            }
            (Role::Reads, PathError::Absolute(_)) => Diagnostic::warning(
                codes::FILE_OUTSIDE,
                format!("`{property}` names a file outside the project"),
            )
            .label("`lp` does not notice changes of it")
            .help(
                "copy it into the project, or link to it from there, and give its path from the project file",
            ),
            (Role::Reads, _) => {
                Diagnostic::error(codes::BAD_PATH, format!("`{kind}` cannot read `{}`", harmless(text)))
                    .label("outside the project")
                    .help("write a path inside the project, or an absolute one")
            }
        };
        diagnostics.push(diagnostic.at(places.value(places.property(property))));
    }
}

/// Refuses two written files with the same path in a workload: one stream plays all
/// its steps, in one folder.
pub(super) fn check_twice<'a>(
    steps: impl Iterator<Item = (&'a Step, &'a StepPlaces)>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: Vec<(ProjectPath, Place)> = Vec::new();
    let all = steps.flat_map(|(step, places)| {
        let places = if let Step::Bin(_) = step { &places.elements } else { std::slice::from_ref(places) };
        step.elements().into_iter().zip(places)
    });
    for (path, place) in all.flat_map(written) {
        match seen.iter().find(|(other, _)| *other == path) {
            Some((_, first)) => diagnostics.push(
                Diagnostic::error(codes::BAD_PATH, format!("two steps write `{path}`"))
                    .at(place)
                    .label("again here")
                    .also(*first, "first here")
                    .help("give each a name of its own"),
            ),
            None => seen.push((path, place)),
        }
    }
}

/// The files that an element writes, each with its place in the config.
fn written((element, places): (ElementView<'_>, &StepPlaces)) -> Vec<(ProjectPath, Place)> {
    let ElementView { factory, properties, .. } = element;
    let given = properties.iter().filter_map(|(property, value)| {
        let (Some(Role::Writes), Scalar::Text(text)) = (role(factory, property), value) else {
            return None;
        };
        let (_, path) = named(Role::Writes, property, text)?.ok()?.pop()?;
        Some((path, places.value(places.property(property))))
    });
    let unasked = unasked(factory, properties.keys().map(String::as_str)).into_iter();
    let unasked = unasked.filter_map(|(_, path)| Some((ProjectPath::new(path).ok()?, places.kind)));
    given.chain(unasked).collect()
}
