//! What the models of a run found: a picture of each stream that infers, its detections by
//! label, and how these compare with the truth and with an earlier run.

use maud::{Markup, html as markup};

use crate::record::compared::Reference;
use crate::record::measure::{Accuracy, AccuracyOf, StepFigures, StreamFigures, number};
use crate::record::{RunRecord, Snapshot, StreamRecord};
use crate::report::{NONE, Report, sightings};
use crate::text::harmless_lines;

/// So many characters of a page are pictures.
const PICTURES: usize = 600_000;

/// How many of the first sizes have room together.
fn within(sizes: impl Iterator<Item = usize>, room: usize) -> usize {
    let sums = sizes.scan(0_usize, |sum, size| {
        *sum = sum.saturating_add(size);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= room).count()
}

/// The section; nothing for a run that does not infer.
pub(super) fn section(report: &Report<'_>, is_in_folder: bool) -> Markup {
    let pictures: Vec<(&str, &StreamRecord, &Snapshot)> = pictures(report.record).collect();
    let streams = report.measurement.cameras.iter().flat_map(|camera| &camera.streams);
    let steps: Vec<(&StreamFigures, &StepFigures)> =
        streams.flat_map(|stream| stream.seen.iter().map(move |step| (stream, step))).collect();
    let labelled: Vec<_> = steps.iter().filter(|(_, step)| step.model.is_some()).collect();
    let compared: Vec<_> = steps
        .iter()
        .flat_map(|(stream, step)| step.accuracy.iter().map(move |one| (*stream, *step, one)))
        .collect();
    let published = sightings::published(report.record);
    let shown = within(pictures.iter().map(|(_, _, snapshot)| snapshot.jpeg.len()), PICTURES);
    markup! {
        @if !pictures.is_empty() || !labelled.is_empty() {
            section aria-labelledby="found" {
                h2 id="found" { "What the models found" }
                @if !pictures.is_empty() {
                    div class="card pictures" {
                        @for (camera, stream, snapshot) in &pictures[..shown] { (picture(camera, stream, snapshot)) }
                    }
                    @if shown < pictures.len() {
                        p class="soft small" {
                            "The first " (shown) " of " (pictures.len()) " pictures: a page that can be mailed has no room for more. "
                            "All are in the folder of the run, " code { "snapshot.jpg" } " of each stream."
                        }
                    }
                }
                @if !labelled.is_empty() {
                    div class="card scroll" tabindex="0" role="region" aria-label="Detections by label" {
                        table class="cards" {
                            thead { tr {
                                th scope="col" { "Stream" } th scope="col" { "Step" } th scope="col" { "Label or attribute" }
                                th scope="col" class="num" { "In the window" } th scope="col" class="num" { "A frame" }
                            } }
                            tbody { @for (stream, step) in &labelled { (labels(stream, step)) } }
                        }
                    }
                }
                @if !compared.is_empty() {
                    div class="card scroll" tabindex="0" role="region" aria-label="Detections compared" {
                        table class="cards" {
                            thead { tr {
                                th scope="col" { "Stream" } th scope="col" { "Step" } th scope="col" { "Compared with" } th scope="col" { "Label" }
                                th scope="col" class="num" { "Expected" } th scope="col" class="num" { "Found" } th scope="col" class="num" { "Recall" }
                                th scope="col" class="num" { "Precision" } th scope="col" class="num" { "AP50" }
                            } }
                            tbody { @for (stream, step, accuracy) in &compared { (rows(stream, step, accuracy)) } }
                        }
                    }
                    p class="soft small" {
                        "A detection matches a box of the same label on the same frame of the clip if their intersection is at least half of their union. "
                        "Recall is the share of expected boxes that were found, precision the share of detections that match; "
                        "AP50 is the area under the curve of both, and that of all labels their mean (mAP50)."
                    }
                }
                @if !published.is_empty() {
                    p class="soft small" {
                        "Every frame with what was found on it, as a line of JSON: "
                        @for (n, file) in published.iter().enumerate() {
                            @if n > 0 { ", " }
                            @if is_in_folder { a href=(file) { (harmless_lines(file)) } } @else { code { (harmless_lines(file)) } }
                        }
                        @if !is_in_folder { ", in the folder of the run" }
                        "."
                    }
                }
            }
        }
    }
}

/// The pictures of a record, each with its camera's name and its stream.
fn pictures(record: &RunRecord) -> impl Iterator<Item = (&str, &StreamRecord, &Snapshot)> {
    record.members.iter().flat_map(|member| {
        member
            .streams
            .iter()
            .filter_map(|stream| Some((member.camera.as_str(), stream, stream.snapshot.as_ref()?)))
    })
}

fn picture(camera: &str, stream: &StreamRecord, snapshot: &Snapshot) -> Markup {
    let Snapshot { jpeg, width, height, clip_ns, objects } = snapshot;
    let at = clip_ns.map_or_else(String::new, |ns| format!(", {} s into its clip", number(ns as f64 / 1e9)));
    let found = match objects.as_slice() {
        [] => "nothing was found".to_owned(),
        objects => objects.join("; "),
    };
    let alt = format!("A frame of {camera}{at}, with a box at each object: {found}");
    let workloads = stream.workloads.join(", ");
    markup! {
        figure {
            figcaption { b { (harmless_lines(&workloads)) } span { (harmless_lines(&stream.stream)) (at) } }
            img alt=(harmless_lines(&alt)) width=(width) height=(height) src={ "data:image/jpeg;base64," (jpeg) };
        }
    }
}

/// A row for each label of a step.
fn labels(stream: &StreamFigures, step: &StepFigures) -> Markup {
    let mut labels: Vec<(&String, &u64)> = step.labels.iter().collect();
    labels.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let detector = sightings::detector(&step.kind, step.model.as_deref());
    let head = |is_first: bool| {
        markup! {
            @if is_first {
                th scope="row" { (harmless_lines(&stream.stream)) } td { (harmless_lines(&detector)) }
            } @else { th class="none" {} td class="none" {} }
        }
    };
    let rate =
        |n: u64| step.inferred.map_or_else(|| NONE.to_owned(), |frames| number(n as f64 / frames as f64));
    markup! {
        @for (index, (label, n)) in labels.iter().enumerate() {
            tr {
                (head(index == 0)) td { (harmless_lines(label)) }
                td class="num" data-name="In the window" { (n) } td class="num" data-name="A frame" { (rate(**n)) }
            }
        }
        @if labels.is_empty() {
            tr { (head(true)) td { "nothing" } td class="num" { "0" } td class="num" { (rate(0)) } }
        }
    }
}

/// A row for all labels, and one for each if there are several.
fn rows(stream: &StreamFigures, step: &StepFigures, accuracy: &Accuracy) -> Markup {
    let Accuracy { with, frames, all, map50, labels } = accuracy;
    let with = match with {
        Reference::Run(run) => format!("{run}, {frames} frames"),
        Reference::Truth(name) => format!("the truth {name}, {frames} frames"),
    };
    let all = AccuracyOf { ap50: *map50, ..all.clone() };
    let detector = sightings::detector(&step.kind, step.model.as_deref());
    markup! {
        tr {
            th scope="row" { (harmless_lines(&stream.stream)) } td { (harmless_lines(&detector)) } td { (harmless_lines(&with)) }
            td { @if let (1, Some(label)) = (labels.len(), labels.keys().next()) { (harmless_lines(label)) } @else { "all" } } (figures(&all))
        }
        @if labels.len() > 1 {
            @for (label, one) in labels {
                tr { th class="none" {} td class="none" {} td class="none" {} td { (harmless_lines(label)) } (figures(one)) }
            }
        }
    }
}

fn figures(one: &AccuracyOf) -> Markup {
    let percent = |share: Option<f64>| {
        share.map_or_else(|| NONE.to_owned(), |share| format!("{} %", number(share * 100.0)))
    };
    markup! {
        td class="num" data-name="Expected" { (one.expected) } td class="num" data-name="Found" { (one.found) }
        td class="num" data-name="Recall" { (percent(one.recall)) } td class="num" data-name="Precision" { (percent(one.precision)) }
        td class="num" data-name="AP50" { (percent(one.ap50)) }
    }
}
