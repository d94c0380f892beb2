//! The estimate of how many copies would fit, in words.

use super::{Report, number};
use crate::record::measure::estimate::{Estimate, MOST_COPIES, Resource, ResourceFigures};
use crate::report::units;

/// `about 5..7 lanes would fit; CPU first`, or why that cannot be told.
pub(super) fn sentence(report: &Report<'_>) -> String {
    let Estimate { low, high, first, reason, from, .. } = &report.measurement.estimate;
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let Some((low, high)) = low.zip(*high) else {
        return format!("cannot tell how many {} would fit{reason}", copies(report, 2));
    };
    let range = match (low, high) {
        (low, MOST_COPIES) => format!("{low} or more"),
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}..{high}"),
    };
    let would = if report.record.conditions.decode_only { "decode" } else { "fit" };
    let first = first.map(|first| format!("; {} first", word(first))).unwrap_or_default();
    let from = match from.as_slice() {
        [] | [_] => String::new(),
        many => {
            let counts: Vec<String> = many.iter().map(u32::to_string).collect();
            format!(", from runs of {}", counts.join(" and "))
        }
    };
    format!("about {range} {} would {would}{first}{reason}{from}", copies(report, high))
}

/// What each resource has, and a copy needs: `CPU: 0.34 of 2 cores a lane, 0.1 for others, so
/// 4..5`.
pub(super) fn resources(report: &Report<'_>) -> Vec<String> {
    let resources = report.measurement.estimate.resources.iter();
    resources.map(|one| resource(report, one)).collect()
}

fn resource(report: &Report<'_>, figures: &ResourceFigures) -> String {
    let ResourceFigures { resource, per_copy, others, available, low, high } = figures;
    let shown = |value: f64| match resource {
        Resource::Cpu => number((value * 100.0).round() / 100.0),
        Resource::Memory => units::shown(value, "By"),
        Resource::Disk | Resource::Thread => units::shown(value, "1"),
    };
    let what = match resource {
        Resource::Cpu => format!("{} of {} cores", shown(*per_copy), shown(*available)),
        Resource::Memory => format!("{} of {}", shown(*per_copy), shown(*available)),
        Resource::Disk => format!("the busiest disk is busy for {}", shown(*per_copy)),
        Resource::Thread => format!("the busiest thread uses {} of a core", shown(*per_copy)),
    };
    let others =
        if *others > 0.0 { format!(", {} for everything else", shown(*others)) } else { String::new() };
    let so = match (low, high) {
        (None, None) => "no limit".to_owned(),
        (Some(low), Some(high)) if low == high => low.to_string(),
        (Some(low), Some(high)) => format!("{low}..{high}"),
        (Some(low), None) => format!("{low} or more"),
        (None, Some(high)) => format!("up to {high}"),
    };
    let each = match resource {
        Resource::Thread => String::new(),
        _ => format!(" for each {}", if is_lane(report) { "lane" } else { "copy" }),
    };
    format!("{}: {what}{each}{others}: {so}", word(*resource))
}

fn word(resource: Resource) -> &'static str {
    match resource {
        Resource::Cpu => "CPU",
        Resource::Memory => "memory",
        Resource::Disk => "disk",
        Resource::Thread => "one thread",
    }
}

fn is_lane(report: &Report<'_>) -> bool {
    report.record.subject == "lane"
}

/// `lanes`, `copies of camera-3`.
fn copies(report: &Report<'_>, n: u32) -> String {
    match (is_lane(report), n) {
        (true, 1) => "lane".to_owned(),
        (true, _) => "lanes".to_owned(),
        (false, 1) => format!("copy of {}", report.record.subject),
        (false, _) => format!("copies of {}", report.record.subject),
    }
}
