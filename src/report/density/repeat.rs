//! The command that repeats a search.

use std::time::Duration;

use crate::path::for_shell;
use crate::record::Isolation;
use crate::record::density::Unit;
use crate::record::density_figures::percent;
use crate::time::duration_text;

use super::DensityShown;

/// Keys that have a flag here, or no effect.
const ITS_OWN: [&str; 7] = [
    "run.count",
    "run.duration",
    "run.isolation",
    "density.unit",
    "density.confidence",
    "density.max",
    "density.budget",
];

/// `lp density camera-1 camera-3 --confidence 95% --max 64 --budget 15m --again`: the
/// cameras and all that was asked. Each piece belongs on one line.
pub(in crate::report) fn command(shown: &DensityShown<'_>) -> Vec<String> {
    let record = shown.record;
    let rules = &record.rules;
    let mut words = vec!["lp density".to_owned()];
    match (record.unit, shown.sample()) {
        (Unit::Camera, _) => words.extend([record.subject.clone(), "--unit camera".to_owned()]),
        (Unit::Lane, Some(run)) if record.subject != "lane" => {
            let mut seen = std::collections::BTreeSet::new();
            let originals = run.members.iter().filter(|member| seen.insert(&member.camera));
            words.extend(originals.map(|member| member.slug.to_string()));
        }
        (Unit::Lane, _) => {}
    }
    let known = record.provenance.as_ref();
    let profile = known.and_then(|known| known.profile.as_ref());
    words.extend(profile.map(|name| format!("--profile {}", for_shell(name))));
    words.push(format!("--confidence {}", percent(rules.confidence).replace(' ', "")));
    words.push(format!("--max {}", rules.max));
    let budget = Duration::try_from_secs_f64(rules.budget_s).unwrap_or(Duration::MAX);
    words.push(format!("--budget {}", duration_text(budget)));
    if shown.sample().is_some_and(|run| run.conditions.isolation == Isolation::Lane) {
        words.push("--set run.isolation=lane".to_owned());
    }
    let overrides = known.into_iter().flat_map(|known| &known.overrides);
    let others = overrides.filter(|(key, _)| !ITS_OWN.contains(&key.as_str()));
    words.extend(others.map(|(key, value)| format!("--set {}", for_shell(&format!("{key}={value}")))));
    words.push("--again".to_owned());
    words
}
