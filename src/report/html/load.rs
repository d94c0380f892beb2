//! The machine's CPU over the run: the workers of the run, and everything else above them.

use maud::{Markup, html as markup};

use super::chart::{Band, Chart, Line, MOST_POINTS, Points};
use super::series::grouped;
use crate::record::measure::split::{Load, loads, workers_cpu};
use crate::report::{Report, cpu_range, mebibytes, percent, stolen};
use crate::text::harmless_lines;

/// Chart and figures; `None` if the machine was not sampled.
pub(super) fn load(report: &Report<'_>) -> Option<Markup> {
    let figures = &report.measurement.machine;
    let loads = loads(report.record);
    if loads.len() < 2 {
        return None;
    }
    let group = loads.len().div_ceil(MOST_POINTS).max(1);
    // Of each group the moment of the highest load.
    let busiest = |loads: &[Load]| loads.iter().max_by(|a, b| a.cpu.total_cmp(&b.cpu)).copied();
    let loads: Vec<Load> = loads.chunks(group).filter_map(busiest).collect();
    let seconds = |load: &Load| load.at_us as f64 / 1e6;
    let busy: Points = loads.iter().map(|load| (seconds(load), Some(load.cpu * 100.0))).collect();
    let band = |name: &str, class: &'static str, of: fn(f64, f64) -> (f64, f64)| {
        let span = |load: &Load| load.workers.map(|workers| of(workers * 100.0, load.cpu * 100.0));
        Band {
            name: name.to_owned(),
            class,
            points: loads.iter().map(|load| (seconds(load), span(load))).collect(),
        }
    };
    let bands = if loads.iter().any(|load| load.workers.is_some()) {
        vec![
            band("pipelines of this run", "own", |own, _| (0.0, own)),
            band("everything else", "others", |own, all| (own, all)),
        ]
    } else {
        Vec::new()
    };
    let own = workers_cpu(report.record, &report.measurement.workers);
    let shared = report
        .measurement
        .workers
        .iter()
        .filter(|worker| report.record.members.iter().all(|member| member.slug.as_str() != worker.name));
    Some(markup! {
        div class="card charts load" {
            (Chart {
                title: "CPU, all cores",
                unit: "%",
                summary: format!("mean {} % while all streams were measured", percent(figures.cpu, 1)),
                seconds: loads.last().map_or(0.0, seconds),
                lines: vec![Line { name: format!("all{}", grouped(group)), points: busy }],
                bands,
                target: None,
                shade: figures.window_us.map(|(from, to)| ("all streams are measured", from as f64 / 1e6, to as f64 / 1e6)),
                at_least: 100.0,
                has_marks: true,
            }.render())
            dl {
                dt { "CPU, mean" } dd { (percent(figures.cpu, 1)) " %" (cpu_range(figures)) (stolen(figures)) }
                @if let (Some(own), Some(all)) = (own, figures.cpu) {
                    dt { "pipelines of this run" } dd { (percent(Some(own.min(all)), 1)) " %" }
                    dt { "everything else" } dd { (percent(Some((all - own).max(0.0)), 1)) " %" }
                }
                @if let Some(bytes) = figures.memory_max { dt { "memory in use at most" } dd { (mebibytes(Some(bytes))) " MiB" } }
                @for worker in shared {
                    dt { "worker " (harmless_lines(&worker.name)) }
                    dd { (percent(worker.cpu, 0)) " % of a core, " (mebibytes(worker.rss_max)) " MiB" }
                }
            }
        }
    })
}
