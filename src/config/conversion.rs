//! Reads `[convert]` of a file of recipes and `[model.NAME.convert]`: how a model is made out of
//! weights. `docs/assets.md` describes it.
//!
//! Not here: the tools and what they make (`model::Tool`).

use super::device::precision;
use super::model_path::place_below;
use super::reader::{KeyNames, Reader, table};
use super::shape::UnknownKeys;
use super::tasks::plain_path;
use super::values::{filled_list_of, one_of, spanned};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::model::{Conversion, Tool};
use crate::path::ProjectPath;

const TOOLS: &[(&str, Tool)] = &[("ultralytics", Tool::Ultralytics)];

/// A conversion as written, which may hold for several models.
#[derive(Clone, Debug)]
pub(super) struct RawConversion {
    tool: Tool,
    weights: Option<ProjectPath>,
    calibration: Option<ProjectPath>,
    requirements: Option<ProjectPath>,
    precisions: Option<Vec<Spanned<String>>>,
    place: Place,
}

pub(super) fn conversion() -> impl Reader<Value = RawConversion> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let tool = "The program that converts";
        let tool = table.required("tool", tool, one_of(TOOLS), diagnostics);
        let weights = "The weights, in the folder of models [default: `object_detection/NAME/NAME.pt`]";
        let weights = table.optional("weights", weights, place_below(), diagnostics);
        let calibration = "A video or a folder of pictures in the folder of models, which INT8 needs";
        let calibration = table.optional("calibration", calibration, place_below(), diagnostics);
        let requirements =
            "A file of the project with other packages than those of `lp`, each with its digests";
        let requirements = table.optional("requirements", requirements, plain_path(), diagnostics);
        let precisions = "The precisions to make [default: all that the tool makes]";
        let precision = filled_list_of(spanned(precision()));
        let precisions = table.optional("precisions", precisions, precision, diagnostics);
        Some(RawConversion {
            tool: tool?,
            weights,
            calibration,
            requirements,
            precisions,
            place: table.place(),
        })
    })
}

impl RawConversion {
    /// The conversion of this model.
    pub(super) fn of(&self, model: &str, diagnostics: &mut Diagnostics) -> Option<Conversion> {
        let RawConversion { tool, calibration, requirements, .. } = self.clone();
        let has_pictures = |precision: &str| calibration.is_some() || !tool.calibrates(precision);
        let precisions = match &self.precisions {
            Some(named) => named
                .iter()
                .filter(|one| self.is_made(one, diagnostics))
                .map(|one| one.value.clone())
                .collect(),
            None => {
                let all = tool.precisions().iter().filter(|precision| has_pictures(precision));
                all.map(|precision| (*precision).to_owned()).collect()
            }
        };
        let weights = self.weights.clone().or_else(|| tool.usual_weights(model))?;
        Some(Conversion { tool, weights, calibration, requirements, precisions })
    }

    /// Whether the tool can make this precision; reports it if not.
    fn is_made(&self, precision: &Spanned<String>, diagnostics: &mut Diagnostics) -> bool {
        let (tool, name) = (self.tool, precision.value.as_str());
        let known = tool.precisions();
        let (message, help) = if !known.contains(&name) {
            let message = format!("`{}` does not make {name}", tool.word());
            (message, format!("it makes {}", known.join(", ")))
        } else if tool.calibrates(name) && self.calibration.is_none() {
            let message = format!("{name} needs pictures to calibrate with");
            (
                message,
                "`calibration` names a video or a folder of pictures in the folder of models".to_owned(),
            )
        } else {
            return true;
        };
        let fault = Diagnostic::error(codes::BAD_CONVERSION, message).at(precision.place);
        diagnostics.push(fault.also(self.place, "this conversion").help(help));
        false
    }
}
