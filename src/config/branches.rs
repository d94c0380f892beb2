//! Steps that branch.
//!
//! The steps before the first one with a `from` are the main chain, which is
//! measured and ends in a sink of `lp`'s own. A step with a `from` begins a side
//! branch at the tee of that name, and the branch goes on until the next `from`.

use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::model::{Step, StepPlaces};
use crate::pipeline::files::is_sink;

/// The way to see what models find, which no further step is needed for.
pub(super) const PICTURES: &str = "to see what the models find: a run keeps a picture of each stream that infers, with \
     boxes and labels, in `report.html` and as `snapshot.jpg` beside it";

/// Checks that the branches of a workload fit the steps before them.
pub(super) fn check_branches(steps: &[Option<(&Step, &StepPlaces)>], diagnostics: &mut Diagnostics) {
    let mut tees: Vec<(&str, Place)> = Vec::new();
    let mut is_sure = true;
    let mut is_side = false;
    for (index, step) in steps.iter().enumerate() {
        let Some((step, places)) = step else {
            // A step with faults may have been the tee.
            is_sure = false;
            continue;
        };
        if let Some(from) = step.from() {
            is_side = true;
            let place = places.value(places.from);
            let is_known = tees.iter().any(|(name, _)| *name == from);
            if !is_known && is_sure {
                diagnostics.push(unknown_tee(steps, index, from, &tees, place, diagnostics));
            }
            let mut inference = steps.iter().flatten().filter(|(step, _)| step.is_dlstreamer());
            if let Some((_, inference)) = inference.next() {
                let message = "a workload with inference steps cannot branch";
                let fault = Diagnostic::error(codes::MISPLACED_KEY, message).at(places.key(places.from));
                diagnostics.push(fault.also(inference.kind, "an inference step").help(PICTURES));
            }
        }
        if let Some(name) = step.tee() {
            match tees.iter().find(|(known, _)| *known == name) {
                Some((_, first)) => diagnostics.push(
                    Diagnostic::error(codes::DUPLICATE_TEE, format!("two tees have the name `{name}`"))
                        .at(places.value(places.name))
                        .also(*first, "first here"),
                ),
                None => tees.push((name, places.value(places.name))),
            }
        }
        let ends_here =
            steps.get(index + 1).is_none_or(|next| next.is_some_and(|(next, _)| next.from().is_some()));
        let Some(last) = step.elements().pop().filter(|last| is_sink(last.factory)) else { continue };
        if !(is_side && ends_here) {
            let message = format!("`{}` ends the pipeline too early", last.factory);
            let place = places.elements.last().unwrap_or(places).kind;
            let fault = Diagnostic::error(codes::MISPLACED_SINK, message).at(place);
            let infers = steps.iter().flatten().any(|(step, _)| step.is_dlstreamer());
            let branch = "put it at the end of a side branch: a `tee` with a `name`, and a step with that name as its `from`";
            diagnostics.push(fault.label("takes all frames").help(if infers { PICTURES } else { branch }));
        }
    }
}

fn unknown_tee(
    steps: &[Option<(&Step, &StepPlaces)>],
    index: usize,
    from: &str,
    tees: &[(&str, Place)],
    place: Place,
    found: &Diagnostics,
) -> Diagnostic {
    let fault =
        Diagnostic::error(codes::UNKNOWN_TEE, format!("no tee before this step has the name `{from}`"));
    let fault = fault.at(place);
    let later = steps[index..].iter().flatten().find(|(step, _)| step.tee() == Some(from));
    if let Some((_, later)) = later {
        return fault.also(later.value(later.name), "appears later").help("begin the branch after its tee");
    }
    let fault = fault.suggest(from, tees.iter().map(|(name, _)| *name), found);
    match (fault.help.is_some(), tees) {
        (true, _) => fault,
        (false, []) => fault.help("give a tee a name: `{\"type\": \"tee\", \"name\": \"t\"}`"),
        (false, tees) => {
            let names: Vec<&str> = tees.iter().map(|(name, _)| *name).collect();
            fault.help(format!("possible: {}", names.join(", ")))
        }
    }
}
