//! What is said of a run that another program measured: its conditions, what was corrected, and what is not known.

use maud::{Markup, html as markup};

use super::{NONE, Report};
use crate::record::RunRecord;
use crate::record::imported::{Imported, NotRead};
use crate::text::{counted, harmless_lines};

/// The conditions of a run in one line.
pub(super) fn conditions(record: &RunRecord) -> String {
    match &record.imported {
        None => super::conditions(&record.conditions),
        Some(imported) => {
            let lanes = counted(record.conditions.count, "lane");
            format!(
                "imported: measured by Intel's loss-prevention, not by lp ({}, {lanes}); all lines after the start of each stream",
                imported.form.words()
            )
        }
    }
}

/// Where its files come from.
pub(super) fn origin(imported: &Imported) -> String {
    let container =
        imported.container.as_ref().map_or_else(String::new, |name| format!(", container {name}"));
    format!("{} ({}){container}", imported.folder, counted(imported.files.len(), "file"))
}

/// The command that imports it again.
pub(super) fn command(imported: &Imported) -> Vec<String> {
    vec![format!("lp import --results {}", crate::path::for_shell(&imported.folder))]
}

/// Lines for a terminal.
pub(super) fn lines(report: &Report<'_>) -> Vec<String> {
    let Some(imported) = &report.record.imported else { return Vec::new() };
    let corrected = imported.corrected.iter().map(|text| format!("corrected: {text}"));
    let unknown = imported.unknown.iter().map(|text| format!("unknown: {text}"));
    let not_read = (!imported.not_read.is_empty()).then(|| {
        format!("not read: {} of the folder (report.html says why)", counted(imported.not_read.len(), "file"))
    });
    corrected.chain(unknown).chain(not_read).collect()
}

/// The section of the page.
pub(super) fn section(report: &Report<'_>) -> Markup {
    let Some(imported) = &report.record.imported else { return Markup::default() };
    markup! {
        section aria-labelledby="imported" {
            h2 id="imported" { "Imported" }
            div class="card" {
                p { "Another program measured this run. None of its streams is judged to hold, and it is no repeat of a run of lp." }
                (list("Corrected", &imported.corrected))
                (list("Not known", &imported.unknown))
                (streams(report))
                @if !imported.not_read.is_empty() {
                    h3 { "Not read" }
                    ul class="notes" {
                        @for NotRead { file, reason } in &imported.not_read {
                            li { code { (harmless_lines(file)) } ": " (harmless_lines(reason)) }
                        }
                    }
                }
                @if !imported.means.is_empty() {
                    details {
                        summary { "Means of upstream's files, as they are" }
                        dl { @for mean in &imported.means { dt { (harmless_lines(&mean.name)) } dd { (mean.value) " (" (harmless_lines(&mean.file)) ")" } } }
                    }
                }
            }
        }
    }
}

/// The rate of each stream beside the mean that upstream gives for the number of its log.
fn streams(report: &Report<'_>) -> Markup {
    let streams = report.record.imported.iter().flat_map(|imported| &imported.streams);
    let fps = |fps: Option<f64>| fps.map_or_else(|| NONE.to_owned(), |fps| format!("{fps:.2}"));
    markup! {
        details {
            summary { "Rates of the streams, and upstream's means" }
            table class="cards" {
                thead { tr {
                    th scope="col" { "Stream" } th scope="col" class="num" { "fps" } th scope="col" class="num" { "Upstream's mean" }
                    th scope="col" class="num" { "Lines of the start" } th scope="col" { "Log" } th scope="col" { "Doubts" }
                } }
                tbody { @for stream in streams { tr {
                    th scope="row" { (harmless_lines(&stream.stream)) }
                    td class="num" data-name="fps" { (fps(report.measurement.stream(&stream.stream).and_then(|one| one.fps))) }
                    td class="num" data-name="Upstream's mean" { (fps(stream.upstream_fps)) }
                    td class="num" data-name="Lines of the start" { (stream.start_lines) }
                    td data-name="Log" { (harmless_lines(stream.log.as_deref().unwrap_or(NONE))) }
                    td data-name="Doubts" { (harmless_lines(&stream.doubts.join("; "))) }
                } } }
            }
        }
    }
}

fn list(title: &str, texts: &[String]) -> Markup {
    markup! {
        @if !texts.is_empty() {
            h3 { (title) }
            ul class="notes" { @for text in texts { li { (harmless_lines(text)) } } }
        }
    }
}
