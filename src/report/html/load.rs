//! The CPU and memory of the machine over the run: what belongs to the run, and other programs above it.

use maud::{Markup, html as markup};

use super::chart::{Band, Chart, Line, Points, most_points};
use super::series::{self, grouped};
use crate::record::measure::split::{Load, loads, mean_owned, owned, workers_cpu};
use crate::report::{Report, cpu_range, energy, mebibytes, percent, stolen};
use crate::text::harmless_lines;

/// The name and the class of each owner of CPU time.
const NAMES: [(&str, &str); 6] = [
    ("pipelines of this run", "own"),
    ("scripts", "scripts"),
    (COLLECTORS, "collectors"),
    ("lp", "lp"),
    ("kernel and unknown", "kernel"),
    ("other programs", "others"),
];

/// Programs of the user's that measured beside the run.
const COLLECTORS: &str = "collectors beside it";

/// Who never has this share of all cores is not drawn.
const WORTH_DRAWING: f64 = 0.002;

/// The chart; `None` if the machine was not sampled.
pub(super) fn cpu(report: &Report<'_>) -> Option<Chart> {
    let loads = loads(report.record);
    if loads.len() < 2 {
        return None;
    }
    let group = loads.len().div_ceil(most_points(report.measurement.totals.pipelines)).max(1);
    // Of each group the moment of the highest load.
    let busiest = |loads: &[Load]| loads.iter().max_by(|a, b| a.cpu.total_cmp(&b.cpu)).copied();
    let loads: Vec<Load> = loads.chunks(group).filter_map(busiest).collect();
    let busy: Points = loads.iter().map(|load| (seconds(load), Some(load.cpu * 100.0))).collect();
    Some(Chart {
        title: "CPU, all cores".to_owned(),
        unit: "%",
        summary: format!(
            "mean {} % while all streams were measured",
            percent(report.measurement.machine.cpu, 1)
        ),
        seconds: series::end(report),
        lines: vec![Line { name: format!("all{}", grouped(group)), points: busy }],
        bands: bands(report, &loads),
        target: None,
        shades: Vec::new(),
        at_least: 100.0,
    })
}

/// What the machine used while all streams were measured; `None` if it was not sampled.
pub(super) fn facts(report: &Report<'_>) -> Option<Markup> {
    let figures = &report.measurement.machine;
    if loads(report.record).len() < 2 {
        return None;
    }
    let shared = report
        .measurement
        .workers
        .iter()
        .filter(|worker| report.record.members.iter().all(|member| member.slug.as_str() != worker.name));
    Some(markup! {
        dl {
            dt { "CPU, mean" } dd { (percent(figures.cpu, 1)) " %" (cpu_range(figures)) (stolen(figures)) }
            @for (name, share) in means(report) { dt { (name) } dd { (percent(Some(share), 1)) " %" } }
            @if !report.record.programs.is_empty() {
                dt { "largest other programs" } dd { (programs(report)) }
            }
            @if let Some(bytes) = figures.memory_max { dt { "memory in use at most" } dd { (mebibytes(Some(bytes))) " MiB" } }
            @if let Some(power) = energy::sentence(report) { dt { "power" } dd { (power) } }
            @if let Some(server) = &report.measurement.server {
                dt { (server.name) }
                dd { (percent(server.cpu, 0)) " % of a core, " (mebibytes(server.rss_max)) " MiB" }
            }
            @for worker in shared {
                dt { "worker " (harmless_lines(&worker.name)) }
                dd { (percent(worker.cpu, 0)) " % of a core, " (mebibytes(worker.rss_max)) " MiB" }
            }
        }
    })
}

fn seconds(load: &Load) -> f64 {
    load.at_us as f64 / 1e6
}

/// Those who used the CPU on top of each other; in records that do not tell them apart, the
/// pipelines and everything else.
fn bands(report: &Report<'_>, loads: &[Load]) -> Vec<Band> {
    let owned = owned(report.record);
    if owned.is_empty() {
        return bands_of_workers(loads);
    }
    let is_worth = |owner: &usize| owned.iter().any(|(_, shares)| shares[*owner] >= WORTH_DRAWING);
    let drawn: Vec<usize> = (0..NAMES.len()).filter(is_worth).collect();
    let band = |n: usize| {
        let span = |load: &Load| {
            let at = owned.binary_search_by_key(&load.at_us, |(at_us, _)| *at_us).ok()?;
            let sum = |n: usize| drawn[..n].iter().map(|owner| owned[at].1[*owner]).sum::<f64>() * 100.0;
            Some((sum(n), sum(n + 1)))
        };
        let (name, class) = NAMES[drawn[n]];
        let points = loads.iter().map(|load| (seconds(load), span(load))).collect();
        Band { name: name.to_owned(), class, is_range: false, points }
    };
    (0..drawn.len()).map(band).collect()
}

fn bands_of_workers(loads: &[Load]) -> Vec<Band> {
    if loads.iter().all(|load| load.workers.is_none()) {
        return Vec::new();
    }
    let band = |name: &str, class: &'static str, of: fn(f64, f64) -> (f64, f64)| {
        let span = |load: &Load| load.workers.map(|workers| of(workers * 100.0, load.cpu * 100.0));
        let points = loads.iter().map(|load| (seconds(load), span(load))).collect();
        Band { name: name.to_owned(), class, is_range: false, points }
    };
    vec![
        band("pipelines of this run", "own", |own, _| (0.0, own)),
        band("everything else", "others", |own, all| (own, all)),
    ]
}

/// The mean share of each while all streams were measured.
fn means(report: &Report<'_>) -> Vec<(&'static str, f64)> {
    if let Some(owned) = mean_owned(report.record) {
        let has_beside = !report.record.collectors.is_empty();
        let all = NAMES.iter().zip(owned).map(|((name, _), share)| (*name, share));
        return all.filter(|(name, _)| has_beside || *name != COLLECTORS).collect();
    }
    let own = workers_cpu(report.record, &report.measurement.workers);
    let divided = own.zip(report.measurement.machine.cpu).map(|(own, all)| {
        vec![("pipelines of this run", own.min(all)), ("everything else", (all - own).max(0.0))]
    });
    divided.unwrap_or_default()
}

/// `rustc 12.3 s, cargo 0.4 s`: CPU time over the whole run.
fn programs(report: &Report<'_>) -> String {
    let programs = report.record.programs.iter();
    let text = programs.map(|one| format!("{} {:.1} s", one.name, one.cpu_us as f64 / 1e6));
    harmless_lines(&text.collect::<Vec<_>>().join(", "))
}
