//! The sightings of a camera's elements, counted by message and code, and those of its
//! detectors in words.

use std::collections::BTreeMap;

use super::{NONE, some};
use crate::pipeline::detect::noun;
use crate::record::Member;
use crate::record::measure::{Measurement, StreamFigures, number};
use crate::text::counted;

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
    for sighting in member.streams.iter().flat_map(|stream| &stream.sightings) {
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

/// The sightings of all detectors of one factory.
#[derive(Default)]
struct Detectors<'a> {
    events: u64,
    per_second: f64,
    streams: Vec<&'a str>,
    /// Streams in which one saw nothing.
    blind: Vec<String>,
}

/// What the detectors of a run saw, one line for each factory:
/// `zbar: 687 codes in 6 streams, 22.9 a second; none in camera-3/1`.
pub(super) fn lines(measurement: &Measurement) -> Vec<String> {
    let mut kinds: BTreeMap<&str, Detectors<'_>> = BTreeMap::new();
    for stream in measurement.cameras.iter().flat_map(|camera| &camera.streams) {
        for step in &stream.seen {
            let all = kinds.entry(&step.kind).or_default();
            all.events += step.events;
            all.per_second += step.per_second.unwrap_or(0.0);
            if !all.streams.contains(&stream.stream.as_str()) {
                all.streams.push(&stream.stream);
            }
            if step.events == 0 {
                all.blind.push(stream.stream.clone());
            }
        }
    }
    let line = |(kind, all): (&str, Detectors<'_>)| {
        let streams = counted(all.streams.len(), "stream");
        let events = counted(all.events, noun(kind));
        let mut line = format!("{kind}: {events} in {streams}, {} a second", number(all.per_second));
        if !all.blind.is_empty() {
            line.push_str(&format!("; none in {}", some(&all.blind)));
        }
        line
    };
    kinds.into_iter().map(line).collect()
}

/// What the detectors of a stream saw: `camera-3/1: zbar saw 687 codes, 22.9 a second, the last
/// one at 31.4 s, 12.53 s into the clip`.
pub(super) fn of_stream(stream: &StreamFigures) -> Option<String> {
    let seconds = |us: u64| format!("{:.1} s", us as f64 / 1e6);
    let steps = stream.seen.iter().map(|step| {
        let rate = step.per_second.map_or_else(|| NONE.to_owned(), number);
        let mut text =
            format!("{} saw {}, {rate} a second", step.kind, counted(step.events, noun(&step.kind)));
        if let Some(last_us) = step.last_us {
            text.push_str(&format!(", the last one at {}", seconds(last_us)));
        }
        if let Some(clip_ms) = step.last_clip_ms {
            text.push_str(&format!(", {} s into the clip", number(clip_ms as f64 / 1e3)));
        }
        text
    });
    let steps: Vec<String> = steps.collect();
    (!steps.is_empty()).then(|| format!("{}: {}", stream.stream, steps.join("; ")))
}
