//! The page's parts about what was measured: lines at its head, and a section with every
//! camera, config file and input.

use maud::{Markup, html as markup};

use crate::record::{Provenance, RunRecord};
use crate::report::subject::{Fact, all, cameras, head};
use crate::report::{NONE, Report};
use crate::text::harmless_lines;

/// The facts that the page's head does not have elsewhere.
pub(super) fn lines(report: &Report<'_>) -> Markup {
    let elsewhere = ["run", "started", "conditions", "host"];
    list(&head(report).into_iter().filter(|fact| !elsewhere.contains(&fact.label)).collect::<Vec<_>>())
}

/// Facts as a list.
pub(super) fn list(facts: &[Fact]) -> Markup {
    markup! {
        dl class="subject" { @for fact in facts { dt { (fact.label) } dd { (harmless_lines(&fact.value)) } } }
    }
}

/// Every fact about the run.
pub(super) fn run(report: &Report<'_>) -> Markup {
    list(&all(report))
}

/// Each camera with its source and steps, and the files with their digests.
pub(super) fn section(record: &RunRecord) -> Markup {
    markup! {
        section aria-labelledby="subject" {
            h2 id="subject" { "What was measured" }
            div class="card scroll" tabindex="0" role="region" aria-label="Source and steps of each camera" {
                table class="subject" {
                    thead { tr {
                        th scope="col" { "Camera" } th scope="col" { "Source" } th scope="col" { "Picture" }
                        th scope="col" { "Codec" } th scope="col" { "Workloads" } th scope="col" { "Steps" }
                    } }
                    tbody {
                        @for camera in cameras(record) {
                            @let rows = camera.streams.len().max(1);
                            @for (index, stream) in streams(&camera.streams).enumerate() {
                                tr {
                                    @if index == 0 {
                                        th scope="rowgroup" rowspan=(rows) { (harmless_lines(camera.camera)) }
                                        td rowspan=(rows) { (harmless_lines(&camera.source)) }
                                        td rowspan=(rows) { (camera.picture) }
                                        td rowspan=(rows) { (harmless_lines(&camera.codec)) }
                                    }
                                    @match stream {
                                        Some((workloads, steps, files)) => {
                                            td { (harmless_lines(&workloads.join(", "))) }
                                            td {
                                                (harmless_lines(steps))
                                                @for file in files { br; code class="soft small" { (harmless_lines(file)) } }
                                            }
                                        }
                                        None => { td { (NONE) } td { (NONE) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(known) = &record.provenance { (files(known)) }
        }
    }
}

type Stream<'a> = (&'a [String], String, Vec<String>);

/// The streams of a camera, or one row without any.
fn streams<'a, 'b>(streams: &'b [Stream<'a>]) -> impl Iterator<Item = Option<&'b Stream<'a>>> {
    let none = if streams.is_empty() { Some(None) } else { None };
    streams.iter().map(Some).chain(none)
}

fn files(known: &Provenance) -> Markup {
    let outside = |is: bool| if is { " (outside the project)" } else { "" };
    markup! {
        div class="card scroll" tabindex="0" role="region" aria-label="Files and their digests" {
            table class="subject" {
                thead { tr { th scope="col" { "File" } th scope="col" { "Kind" } th scope="col" { "BLAKE3" } } }
                tbody {
                    @for file in &known.files {
                        tr {
                            td { code { (harmless_lines(&file.path)) } (outside(file.outside)) }
                            td { "config" } td { code { (file.digest.short()) } }
                        }
                    }
                    @for (path, digest) in &known.inputs {
                        tr { td { code { (path) } } td { "input" } td { code { (digest.short()) } } }
                    }
                }
            }
        }
    }
}
