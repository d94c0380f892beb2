//! The differences of two plans, for people.

use crate::cli::console;
use crate::cli::show::load::rows;
use crate::plan::diff::LaneDiff;
use crate::plan::summary::Summary;
use crate::report::grid::grid;
use crate::text::{counted, harmless};

pub(super) fn text(found: &LaneDiff, names: &[&str; 2]) -> String {
    let LaneDiff { added, removed, changed, equal, before, after } = found;
    let names = names.map(|name| harmless(name));
    let mut lines = Vec::new();
    lines.extend(removed.iter().map(|camera| format!("- {}", harmless(camera))));
    lines.extend(added.iter().map(|camera| format!("+ {}", harmless(camera))));
    for camera in changed {
        lines.push(format!("~ {}", harmless(&camera.camera)));
        let changes = camera.changes.iter().map(ToString::to_string);
        lines.extend(changes.map(|change| format!("    {}", harmless(&change))));
    }
    if lines.is_empty() {
        return format!("no difference in {}\n", counted(*equal, "camera"));
    }
    let paper = console::paper();
    for (what, rows) in [("", counts(before, after)), ("each second", loads(before, after))] {
        lines.push(String::new());
        lines.extend(grid(&[what, &names[0], &names[1]], &[], rows, paper));
    }
    lines.push(String::new());
    let (added, removed, changed) = (added.len(), removed.len(), changed.len());
    lines.push(format!("cameras: {removed} removed, {added} added, {changed} changed, {equal} equal"));
    lines.join("\n") + "\n"
}

/// The counts of both plans that differ.
fn counts(before: &Summary, after: &Summary) -> Vec<Vec<String>> {
    let count = |what: &str, of: fn(&Summary) -> usize| {
        vec![what.to_owned(), of(before).to_string(), of(after).to_string()]
    };
    vec![
        count("cameras", |summary| summary.cameras),
        count("workloads", |summary| summary.workloads),
        count("pipelines before merging", |summary| summary.pipelines_before_merging),
        count("pipelines after merging", |summary| summary.pipelines),
        count("pipelines not supported", |summary| summary.unsupported.len()),
        count("decodes saved", |summary| summary.decodes_saved),
    ]
}

/// The load of both plans: one row for each item of either.
fn loads(before: &Summary, after: &Summary) -> Vec<Vec<String>> {
    let mut table: Vec<(String, [Vec<String>; 2])> = Vec::new();
    for (n, summary) in [before, after].into_iter().enumerate() {
        for row in rows(&summary.load) {
            let words = row.what.iter().map(String::as_str).filter(|word| !word.is_empty());
            let what = harmless(&words.collect::<Vec<_>>().join(" ")).into_owned();
            let found = table.iter().position(|(known, _)| *known == what).unwrap_or_else(|| {
                table.push((what, Default::default()));
                table.len() - 1
            });
            let times = if row.count == 1 { String::new() } else { format!(" ({} x)", row.count) };
            table[found].1[n].push(row.each_second + &times);
        }
    }
    // Two rates of one model are two lines.
    let cell = |values: Vec<String>| if values.is_empty() { "-".to_owned() } else { values.join("\n") };
    table.into_iter().map(|(what, [one, other])| vec![what, cell(one), cell(other)]).collect()
}
