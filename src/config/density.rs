//! `[density]`: how the search for the density is made.

use std::time::Duration;

use super::reader::{At, KeyNames, Reader, by, table};
use super::shape::{Shape, UnknownKeys};
use super::tree::{Node, Value};
use super::values::{boolean, duration, number, one_of, whole};
use crate::model::{Density, Unit};

/// Less is a coin.
const LEAST_CONFIDENCE: f64 = 0.5;
/// More needs hours of frames.
const MOST_CONFIDENCE: f64 = 0.9999;

/// `[density]` as written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RawDensity {
    unit: Option<Unit>,
    confidence: Option<f64>,
    max: Option<u32>,
    budget: Option<Duration>,
    allow_oom: Option<bool>,
    limiter: Option<bool>,
}

impl RawDensity {
    /// What counts: these settings, and the defaults of those that are not given.
    pub(super) fn resolve(self) -> Density {
        let default = Density::default();
        Density {
            unit: self.unit.unwrap_or(default.unit),
            confidence: self.confidence.unwrap_or(default.confidence),
            max: self.max.unwrap_or(default.max),
            budget: self.budget.unwrap_or(default.budget),
            allow_oom: self.allow_oom.unwrap_or(default.allow_oom),
            limiter: self.limiter.unwrap_or(default.limiter),
        }
    }
}

pub(super) fn density() -> impl Reader<Value = RawDensity> + Copy {
    const UNITS: &[(&str, Unit)] = &[("lane", Unit::Lane), ("camera", Unit::Camera)];
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let unit =
            "`lane`: copies of all cameras that are named; `camera`: of one, the others once beside it";
        let sure = "How sure the answer must be: `95%` or 0.95; 95 % if not given";
        let budget = "How long the search may take; `30m` if not given";
        let allow_oom = "Whether a number is tried for which there may be too little memory";
        let limiter = "Whether experiments with the load that fails find out what limits it";
        Some(RawDensity {
            unit: table.optional("unit", unit, one_of(UNITS), diagnostics),
            confidence: table.optional("confidence", sure, confidence(), diagnostics),
            max: table.optional("max", "The most copies that are tried", whole(1, 1000), diagnostics),
            budget: table.optional("budget", budget, duration(), diagnostics),
            allow_oom: table.optional("allow_oom", allow_oom, boolean(), diagnostics),
            limiter: table.optional("limiter", limiter, boolean(), diagnostics),
        })
    })
}

/// A share, or a percentage: `95%`.
fn confidence() -> impl Reader<Value = f64> + Copy {
    let share = number(LEAST_CONFIDENCE, MOST_CONFIDENCE);
    by(
        move || {
            let percent = Shape::String(Some(r"^\s*[0-9.]+\s*%\s*$".to_owned()));
            Shape::Either(vec![share.shape(), percent])
        },
        move |at, diagnostics| {
            let percent =
                at.as_string().and_then(|text| text.trim().strip_suffix('%')?.trim().parse::<f64>().ok());
            match percent.map(|percent| percent / 100.0) {
                Some(value) if LEAST_CONFIDENCE < value && value <= MOST_CONFIDENCE => Some(value),
                Some(value) => {
                    let node =
                        Node { value: Value::Float { value, text: value.to_string() }, ..at.node.clone() };
                    share.read(&At { name: at.name.clone(), node: &node }, diagnostics)
                }
                None => share.read(at, diagnostics),
            }
        },
    )
}
