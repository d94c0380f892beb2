//! The page's parts about what was measured: lines at its head, and a section with every
//! camera, config file and input.

use maud::{Markup, html as markup};

use super::plan::plan;
use super::words::breakable;
use crate::record::{Provenance, RunRecord};
use crate::report::subject::{CameraSubject, Fact, all, cameras, head};
use crate::report::{NONE, Report};
use crate::text::harmless_lines;

/// The facts that the page's head does not have elsewhere.
pub(super) fn lines(report: &Report<'_>) -> Markup {
    let elsewhere = ["run", "degraded", "started", "conditions", "host"];
    list(&head(report).into_iter().filter(|fact| !elsewhere.contains(&fact.label)).collect::<Vec<_>>())
}

/// Facts as a list.
pub(in crate::report) fn list(facts: &[Fact]) -> Markup {
    markup! {
        dl class="subject" { @for fact in facts { dt { (fact.label) } dd { (harmless_lines(&fact.value)) } } }
    }
}

/// Every fact about the run.
pub(super) fn run(report: &Report<'_>) -> Markup {
    list(&all(report))
}

/// Each camera with its source and steps, and the files with their digests.
pub(in crate::report) fn section(record: &RunRecord) -> Markup {
    markup! {
        section aria-labelledby="subject" {
            h2 id="subject" { "What was measured" }
            (plan(record))
            div class="card scroll" tabindex="0" role="region" aria-label="Source and steps of each camera" {
                table class="cards" {
                    thead { tr {
                        th scope="col" { "Camera" } th scope="col" { "Source" } th scope="col" { "Picture" }
                        th scope="col" { "Codec" } th scope="col" { "Workloads" } th scope="col" { "Steps" }
                    } }
                    tbody { @for camera in cameras(record) { (rows(&camera)) } }
                }
            }
            @if let Some(known) = &record.provenance { (files(known)) }
        }
    }
}

/// A row per stream, the first with what they share; one row without any.
fn rows(camera: &CameraSubject<'_>) -> Markup {
    let streams = camera.streams.iter().map(Some).chain(camera.streams.is_empty().then_some(None));
    markup! {
        @for (index, stream) in streams.enumerate() {
            tr {
                @if index == 0 {
                    th scope="row" { (harmless_lines(camera.camera)) }
                    td data-name="Source" { (harmless_lines(&camera.source)) }
                    td data-name="Picture" { (camera.picture) }
                    td data-name="Codec" { (harmless_lines(&camera.codec)) }
                } @else {
                    th class="none" {} td class="none" {} td class="none" {} td class="none" {}
                }
                @let (workloads, steps, files) = match stream {
                    Some((workloads, steps, files)) => (workloads.join(", "), steps.as_str(), files.as_slice()),
                    None => (NONE.to_owned(), NONE, &[][..]),
                };
                td data-name="Workloads" { (breakable(&workloads)) }
                td data-name="Steps" {
                    (harmless_lines(steps))
                    @for file in files { br; code class="soft small" { (harmless_lines(file)) } }
                }
            }
        }
    }
}

fn files(known: &Provenance) -> Markup {
    let outside = |is: bool| if is { " (outside the project)" } else { "" };
    markup! {
        div class="card scroll" tabindex="0" role="region" aria-label="Files and their digests" {
            table class="cards" {
                thead { tr { th scope="col" { "File" } th scope="col" { "Kind" } th scope="col" { "BLAKE3" } } }
                tbody {
                    @for file in &known.files {
                        tr {
                            td { code { (harmless_lines(&file.path)) } (outside(file.outside)) }
                            td data-name="Kind" { "config" } td data-name="BLAKE3" { code { (file.digest.short()) } }
                        }
                    }
                    @for (path, digest) in &known.inputs {
                        tr { td { code { (path) } } td data-name="Kind" { "input" } td data-name="BLAKE3" { code { (digest.short()) } } }
                    }
                }
            }
        }
    }
}
