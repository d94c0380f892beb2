//! What keeps a run from passing as SARIF 2.1.0: one result for each case that fails.
//!
//! The level follows the severity: critical is an error, major a warning, minor a note. A result lies at
//! its threshold in `Lpfile.toml` or, for a verdict, at its camera, as the config is now: a record has no
//! places. Where the config has changed since, a result has no location.
//!
//! Not here: what is judged (`cases`).

use super::Report;
use super::cases::{Case, cases, of_search, rule_text};
use super::density::DensityShown;
use crate::diag::sarif::{Finding, Rule, log};
use crate::diag::{Place, Severity as Level, Sources, Spanned};
use crate::model::{Severity, Threshold};
use crate::text::harmless;

/// Where thresholds and cameras are written.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    pub sources: &'a Sources,
    pub thresholds: &'a [Spanned<Threshold>],
    /// By name.
    pub cameras: &'a [(String, Place)],
}

impl Places<'_> {
    fn of(&self, case: &Case) -> Option<Place> {
        let camera = || {
            let name = case.written.as_ref()?;
            self.cameras.iter().find(|(known, _)| known == name).map(|(_, place)| *place)
        };
        let Some(threshold) = &case.threshold else { return camera() };
        self.thresholds.iter().find(|known| known.value == *threshold).map(|known| known.place)
    }
}

/// The judgement of a run.
#[must_use]
pub fn sarif(report: &Report<'_>, places: Places<'_>) -> serde_json::Value {
    document(&cases(report).1, places)
}

/// The judgement of a search for the density.
#[must_use]
pub fn density_sarif(shown: &DensityShown<'_>, places: Places<'_>) -> serde_json::Value {
    document(&of_search(shown).1, places)
}

fn document(cases: &[Case], places: Places<'_>) -> serde_json::Value {
    let failed: Vec<&Case> = cases.iter().filter(|case| case.failure().is_some()).collect();
    let mut ids: Vec<&str> = failed.iter().map(|case| case.rule.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let rules: Vec<Rule> = ids
        .into_iter()
        .map(|id| Rule { id: id.to_owned(), text: rule_text(id), why: rule_text(id) })
        .collect();
    let findings: Vec<Finding> = failed
        .into_iter()
        .map(|case| {
            let place = places.of(case);
            let level = match case.severity {
                Severity::Critical => Level::Error,
                Severity::Major => Level::Warning,
                Severity::Minor => Level::Note,
            };
            let message = format!("{}: {}", case.name, case.failure().unwrap_or_default());
            Finding {
                rule: case.rule.clone(),
                level,
                message: harmless(&message.replace('\n', " ")).into_owned(),
                place: place.filter(|place| !place.is_nowhere()),
                // Figures differ from run to run; a breach is the same one until it is mended.
                fingerprint: format!("{} {}", case.rule, case.name),
            }
        })
        .collect();
    log(&rules, &findings, places.sources)
}
