//! The sightings of a camera's elements, counted by message and code, and those of its
//! detectors in words.

use std::collections::BTreeMap;

use super::{NONE, some};
use crate::pipeline::detect::{OPENVINO, REMARK, noun};
use crate::plan::DialectName;
use crate::record::compared::Reference;
use crate::record::measure::{Accuracy, Measurement, SeenDue, StepFigures, StreamFigures, number};
use crate::record::{Member, RunRecord, Sighting, StreamRecord};
use crate::text::{counted, plural};

/// Kinds of sightings that a report lists; the rest is counted.
const MOST: usize = 12;

/// Sightings of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) factory: String,
    pub(super) message: String,
    /// The field `symbol` of what `zbar` read; empty for other messages.
    pub(super) code: String,
    pub(super) count: usize,
    pub(super) first_us: u64,
    pub(super) last_us: u64,
}

/// The kinds that were seen most, and how many sightings are not among them.
pub(super) fn summary(member: &Member) -> (Vec<Kind>, u64) {
    let mut kinds: BTreeMap<(&str, &str, &str), Kind> = BTreeMap::new();
    let is_told = |sighting: &&Sighting| ![OPENVINO, REMARK].contains(&sighting.message.as_str());
    for sighting in member.streams.iter().flat_map(|stream| &stream.sightings).filter(is_told) {
        let code = sighting.fields.get("symbol").map_or("", String::as_str);
        let kind = kinds.entry((&sighting.factory, &sighting.message, code)).or_insert_with(|| Kind {
            factory: sighting.factory.clone(),
            message: sighting.message.clone(),
            code: code.to_owned(),
            count: 0,
            first_us: sighting.at_us,
            last_us: sighting.at_us,
        });
        kind.count += 1;
        kind.first_us = kind.first_us.min(sighting.at_us);
        kind.last_us = kind.last_us.max(sighting.at_us);
    }
    let mut kinds: Vec<Kind> = kinds.into_values().collect();
    // Stable, so that equal counts stay in the order of their names.
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    let beyond: usize = kinds.iter().skip(MOST).map(|kind| kind.count).sum();
    kinds.truncate(MOST);
    let left_out: u64 = member.streams.iter().map(|stream| stream.sightings_left_out).sum();
    (kinds, beyond as u64 + left_out)
}

/// The most labels that a line names.
const MOST_LABELS: usize = 8;

/// The most detectors whose accuracy is told in lines; a page and the CSV have all.
const MOST_COMPARED: usize = 6;

/// The sightings of all detectors of one factory and model.
#[derive(Default)]
struct Detectors<'a> {
    events: u64,
    inferred: u64,
    labels: BTreeMap<&'a str, u64>,
    per_second: f64,
    streams: Vec<&'a str>,
    /// Streams in which one saw nothing.
    blind: Vec<String>,
}

/// What the detectors of a run saw, one line for each factory and model:
/// `zbar: 687 codes in 6 streams, 22.9 a second; none in camera-3/1`,
/// `gvadetect with yolo11n: person 312, bottle 14 in 2 streams, 1.09 a frame`.
pub(super) fn lines(measurement: &Measurement) -> Vec<String> {
    let mut kinds: BTreeMap<(&str, Option<&str>), Detectors<'_>> = BTreeMap::new();
    for stream in measurement.cameras.iter().flat_map(|camera| &camera.streams) {
        for step in &stream.seen {
            let all = kinds.entry((step.kind.as_str(), step.model.as_deref())).or_default();
            all.events += step.events;
            all.inferred += step.inferred.unwrap_or(0);
            step.labels.iter().for_each(|(label, n)| *all.labels.entry(label.as_str()).or_default() += n);
            all.per_second += step.per_second.unwrap_or(0.0);
            if !all.streams.contains(&stream.stream.as_str()) {
                all.streams.push(&stream.stream);
            }
            if step.events == 0 {
                all.blind.push(stream.stream.clone());
            }
        }
    }
    let line = |((kind, model), all): ((&str, Option<&str>), Detectors<'_>)| {
        let streams = counted(all.streams.len(), "stream");
        let found = found(kind, model, all.events, &all.labels);
        let mut line = format!("{}: {found} in {streams}", detector(kind, model));
        match per_frame(&all.labels, all.inferred) {
            Some(rate) => line.push_str(&format!(", {rate} a frame")),
            None => line.push_str(&format!(", {} a second", number(all.per_second))),
        }
        if !all.blind.is_empty() {
            line.push_str(&format!("; none in {}", some(&all.blind)));
        }
        line
    };
    kinds.into_iter().map(line).collect()
}

/// `gvadetect with yolo11n`
pub(super) fn detector(kind: &str, model: Option<&str>) -> String {
    model.map_or_else(|| kind.to_owned(), |model| format!("{kind} with {model}"))
}

/// What was found: by label where there are labels.
fn found(kind: &str, model: Option<&str>, events: u64, labels: &BTreeMap<&str, u64>) -> String {
    if labels.is_empty() {
        // Before its attributes were counted, a classifier counted frames with objects.
        let noun = if kind == "gvaclassify" && model.is_none() { "object" } else { noun(kind) };
        return counted(events, noun);
    }
    let mut labels: Vec<(&str, u64)> = labels.iter().map(|(label, n)| (*label, *n)).collect();
    // Stable, so that equal counts stay in the order of their names.
    labels.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let named = labels.iter().take(MOST_LABELS).map(|(label, n)| format!("{label} {n}"));
    let more = labels.len().saturating_sub(MOST_LABELS);
    let more = (more > 0).then(|| format!("{more} more {}", plural(more, "label")));
    named.chain(more).collect::<Vec<_>>().join(", ")
}

fn per_frame(labels: &BTreeMap<&str, u64>, inferred: u64) -> Option<String> {
    (inferred > 0).then(|| number(labels.values().sum::<u64>() as f64 / inferred as f64))
}

/// What the detectors of a stream saw: `camera-3/1: zbar saw 687 codes, 22.9 a second, the last
/// one at 31.4 s, 12.53 s into the clip; it saw 6 of the 6 codes of `till` that were due`.
pub(super) fn of_stream(stream: &StreamFigures) -> Option<String> {
    let seconds = |us: u64| format!("{:.1} s", us as f64 / 1e6);
    let steps = stream.seen.iter().map(|step| {
        let labels = step.labels.iter().map(|(label, n)| (label.as_str(), *n)).collect();
        let found = found(&step.kind, step.model.as_deref(), step.events, &labels);
        let rate = match per_frame(&labels, step.inferred.unwrap_or(0)) {
            Some(rate) => format!("{rate} a frame"),
            None => format!("{} a second", step.per_second.map_or_else(|| NONE.to_owned(), number)),
        };
        let mut text = format!("{} saw {found}, {rate}", detector(&step.kind, step.model.as_deref()));
        if let Some(last_us) = step.last_us {
            text.push_str(&format!(", the last one at {}", seconds(last_us)));
        }
        if let Some(clip_ms) = step.last_clip_ms {
            text.push_str(&format!(", {} s into the clip", number(clip_ms as f64 / 1e3)));
        }
        if let Some(SeenDue { truth, due, seen }) = step.due.as_ref().filter(|due| due.due > 0) {
            let due = counted(*due, noun(&step.kind));
            text.push_str(&format!(", {seen} of {due} that the truth `{truth}` has in this time"));
        }
        text
    });
    let steps: Vec<String> = steps.collect();
    (!steps.is_empty()).then(|| format!("{}: {}", stream.stream, steps.join("; ")))
}

/// How the boxes of detectors compare, the worst first:
/// `door/1 gvadetect with yolo11n: 30 of 30 objects that 2026... found (100 %), on 30 frames`,
/// `door/1 gvadetect with yolo11n: recall 93 %, precision 90 %, mAP50 91.2 % by the truth `till`, on 30 frames`.
pub(super) fn accuracies(measurement: &Measurement) -> Vec<String> {
    let streams = measurement.cameras.iter().flat_map(|camera| &camera.streams);
    let steps = streams.flat_map(|stream| stream.seen.iter().map(move |step| (stream, step)));
    let mut all: Vec<_> = steps
        .flat_map(|(stream, step)| step.accuracy.iter().map(move |accuracy| (stream, step, accuracy)))
        .collect();
    let recall = |accuracy: &Accuracy| accuracy.all.recall.unwrap_or(1.0);
    all.sort_by(|(.., a), (.., b)| recall(a).total_cmp(&recall(b)));
    let percent = |share: Option<f64>| {
        share.map_or_else(|| NONE.to_owned(), |share| format!("{} %", number(share * 100.0)))
    };
    let line = |(stream, step, accuracy): &(&StreamFigures, &StepFigures, &Accuracy)| {
        let Accuracy { with, frames, all, map50, .. } = accuracy;
        let who = format!("{} {}", stream.stream, detector(&step.kind, step.model.as_deref()));
        let frames = counted(*frames, "frame");
        match with {
            Reference::Run(run) => {
                let expected = counted(all.expected, "object");
                format!(
                    "{who}: {} of {expected} that {run} found ({}), on {frames}",
                    all.found,
                    percent(all.recall)
                )
            }
            Reference::Truth(name) => format!(
                "{who}: recall {}, precision {}, mAP50 {} by the truth `{name}`, on {frames}",
                percent(all.recall),
                percent(all.precision),
                percent(*map50)
            ),
        }
    };
    let mut lines: Vec<String> = all.iter().take(MOST_COMPARED).map(line).collect();
    let more = all.len().saturating_sub(MOST_COMPARED);
    if more > 0 {
        lines.push(format!("{more} more, none of them worse (report.csv and report.html have all)"));
    }
    lines
}

/// The files in which streams have what was found, a line for each frame, relative to the run's folder.
pub(super) fn published(record: &RunRecord) -> Vec<String> {
    let streams =
        record.members.iter().flat_map(|member| member.streams.iter().map(move |stream| (member, stream)));
    let publishes = |(member, stream): &(&Member, &StreamRecord)| {
        let has = |kinds: &[&str]| stream.steps.iter().any(|step| kinds.contains(&step.kind.as_str()));
        // With DL Streamer, a module writes files itself.
        has(&["gvadetect", "gvaclassify"])
            && (member.dialect == Some(DialectName::Native) || !has(&["gvapython"]))
    };
    let file = |(_, stream): (&Member, &StreamRecord)| {
        format!("{0}/rs-{1}.jsonl", stream.stream, stream.stream.replace('/', "_"))
    };
    streams.filter(publishes).map(file).collect()
}
