//! Checks of the users' own models before a run: that each file is of the format that its
//! name says, whole as far as its description tells, and fit for the step that uses it.
//!
//! Not here: files that are missing (`missing`), and those of downloads, which are checked
//! before they appear (`action::model`).

use rayon::prelude::*;

use super::missing::FileUses;
use crate::action;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::dialect::StepFileKind;
use crate::graph::TaskGraph;
use crate::model::Project;
use crate::os;
use crate::text::some_names;

/// Reports the faults of the models that steps use and no task makes.
pub(super) fn check(project: &Project, graph: &TaskGraph, uses: &FileUses, diagnostics: &mut Diagnostics) {
    let models = uses.par_iter().filter(|(path, used)| {
        matches!(used.kind, StepFileKind::Model { .. }) && graph.producer(path).is_none()
    });
    let faults = models.filter_map(|(path, used)| {
        let place = project.layout.resolve(path);
        // A missing file is reported as such.
        os::fs::metadata(&place).ok()?;
        let StepFileKind::Model { used: of_step, .. } = used.kind else { return None };
        Some((path, used, action::model_fault(&place, Some(of_step))?))
    });
    for (path, used, fault) in faults.collect::<Vec<_>>() {
        let needs = if used.cameras.len() == 1 { "needs" } else { "need" };
        let message = format!("`{path}` {fault}");
        let error = Diagnostic::error(codes::BROKEN_MODEL, message).at(used.place);
        let error = error.label(format!("{} {needs} it", some_names(&used.cameras)));
        let help = match project.recipes.group_of(path) {
            Some(group) => format!(
                "delete the files of this model, and `lp` {} them; or put sound ones there",
                group.verb()
            ),
            None => "put a sound file there, or name another in `properties` of the step".to_owned(),
        };
        diagnostics.push(error.help(help));
    }
}
