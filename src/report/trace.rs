//! A run in Chrome's trace format, which Perfetto and `chrome://tracing` open: the first minute of
//! the window of each stream.
//!
//! A process for each stream; in it a slice for each frame from the ingress to the sink, and within
//! it one for each element in which it was. Frames that overlap are in rows of their own, since slices of a
//! row have to nest. The wait in front of the ingress, of a frame that left it later than it was
//! due, is a slice before its frame: no part of its latency. Series of collectors, and of workers, are
//! counters. Times are microseconds since the record's origin.
//!
//! Source of the format: "Trace Event Format",
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>: complete events (`X`),
//! counters (`C`), instants (`i`) and metadata (`M`) in the JSON object form.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::Report;
use crate::record::stages::{MOST_US, Stages};
use crate::record::{Member, RunRecord, StreamRecord};

/// The process of counters.
const MACHINE: usize = 1;

/// How the text of a trace begins.
pub const BEGIN: &str = "{\"displayTimeUnit\":";

/// The document of these events, one in a line: readable, and short for thousands.
#[must_use]
pub fn document(events: &[Value], other: &Value) -> String {
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    format!("{BEGIN}\"ms\",\"otherData\":{other},\"traceEvents\":[\n{}\n]}}\n", lines.join(",\n"))
}

/// The name of a process (`process_name`) or of a row (`thread_name`), or its place.
#[must_use]
pub fn metadata(name: &str, (pid, tid): (usize, usize), args: &Value) -> Value {
    json!({ "name": name, "ph": "M", "pid": pid, "tid": tid, "args": args })
}

/// The trace of a run that was traced; without frames for others.
#[must_use]
pub fn trace(report: &Report<'_>) -> String {
    let Report { run, record, .. } = report;
    let mut events = Vec::new();
    let mut traced: Option<(u64, u64)> = None;
    let mut pid = MACHINE;
    for member in &record.members {
        for stream in &member.streams {
            let Some(stages) = &stream.stages else { continue };
            pid += 1;
            let (begin, end) = of_stream(&mut events, pid, member, stream, stages);
            traced = Some(traced.map_or((begin, end), |(from, to)| (from.min(begin), to.max(end))));
        }
    }
    let mut all = vec![metadata("process_name", (MACHINE, 0), &json!({ "name": "machine and workers" }))];
    let mut of_scripts =
        record.members.iter().flat_map(|member| &member.scripts).filter_map(|script| script.window_us);
    let traced = traced.or_else(|| of_scripts.next().map(|(begin, end)| (begin, end.min(begin + MOST_US))));
    all.extend(traced.into_iter().flat_map(|span| counters(record, span)));
    all.extend(events);
    let other = json!({
        "lp": env!("CARGO_PKG_VERSION"),
        "run": run,
        "subject": record.subject,
        "started": record.started.to_string(),
    });
    document(&all, &other)
}

/// Adds the events of a stream. Its first and its last moment.
fn of_stream(
    events: &mut Vec<Value>,
    pid: usize,
    member: &Member,
    stream: &StreamRecord,
    stages: &Stages,
) -> (u64, u64) {
    let name = format!("{} of {}", stream.stream, member.camera);
    events.push(metadata("process_name", (pid, 0), &json!({ "name": name })));
    events.push(metadata("process_sort_index", (pid, 0), &json!({ "sort_index": pid })));
    // Arrivals are microseconds of two readings that were cut, so they may differ by one.
    let late: HashMap<u64, Option<i64>> =
        stream.arrived_us.iter().copied().zip(stream.late_us.iter().copied()).collect();
    let lateness = |at_us: u64| {
        let near = [at_us, at_us + 1, at_us.saturating_sub(1)];
        near.into_iter().find_map(|at_us| late.get(&at_us)).copied().flatten()
    };
    let mut rows = Rows::default();
    let (mut first, mut last) = (u64::MAX, 0);
    for (left_us, in_us) in stages.frames() {
        let latency_us: u64 = in_us.iter().copied().map(u64::from).sum();
        let arrived_us = left_us + latency_us;
        let late_us = lateness(arrived_us);
        let due_us = late_us.and_then(|late| arrived_us.checked_add_signed(-late));
        let begin_us = due_us.map_or(left_us, |due| due.min(left_us));
        let tid = rows.row(begin_us, arrived_us);
        if begin_us < left_us {
            events.push(slice("source", "source", (pid, tid), (begin_us, left_us), json!({})));
        }
        let mut args = json!({ "latency_ms": latency_us as f64 / 1e3 });
        if let Some(late) = late_us {
            args["late_ms"] = json!(late as f64 / 1e3);
        }
        events.push(slice("frame", "frame", (pid, tid), (left_us, arrived_us), args));
        let mut from = left_us;
        for (element, us) in stages.elements.iter().zip(in_us) {
            let to = from + u64::from(us);
            if from < to {
                let args = json!({ "element": element.name });
                events.push(slice(&element.factory, "stage", (pid, tid), (from, to), args));
            }
            from = to;
        }
        (first, last) = (first.min(begin_us), last.max(arrived_us));
    }
    for tid in 1..=rows.0.len() {
        let name = if tid == 1 { "frames".to_owned() } else { format!("frames {tid}") };
        events.push(metadata("thread_name", (pid, tid), &json!({ "name": name })));
        events.push(metadata("thread_sort_index", (pid, tid), &json!({ "sort_index": tid })));
    }
    let dropped = stream.dropped_us.iter().filter(|at_us| (first..=last).contains(*at_us));
    events.extend(dropped.map(|at_us| {
        json!({ "name": "dropped", "cat": "frame", "ph": "i", "s": "p", "pid": pid, "tid": 1, "ts": at_us })
    }));
    (first, last)
}

fn slice(name: &str, kind: &str, (pid, tid): (usize, usize), (from, to): (u64, u64), args: Value) -> Value {
    json!({
        "name": name, "cat": kind, "ph": "X", "pid": pid, "tid": tid, "ts": from, "dur": to - from, "args": args,
    })
}

/// The end of the last slice of each row.
#[derive(Default)]
struct Rows(Vec<u64>);

impl Rows {
    /// The first row that is free from `begin` on, from 1; it is taken until `end`.
    fn row(&mut self, begin: u64, end: u64) -> usize {
        let free = self.0.iter().position(|taken| *taken <= begin);
        let index = free.unwrap_or_else(|| {
            self.0.push(0);
            self.0.len() - 1
        });
        self.0[index] = end;
        index + 1
    }
}

/// The values of all series, and of the samples of workers, in a span.
fn counters(record: &RunRecord, (from, to): (u64, u64)) -> Vec<Value> {
    let counter = |name: &str, at_us: u64, value: f64| json!({ "name": name, "ph": "C", "pid": MACHINE, "tid": 0, "ts": at_us, "args": { "value": value } });
    let inside = |at_us: &u64| (from..=to).contains(at_us);
    let mut events = Vec::new();
    for series in &record.series {
        let points = series.points().filter(|(at_us, _)| inside(at_us));
        let name = if series.unit == "1" {
            series.name.clone()
        } else {
            format!("{} ({})", series.name, series.unit)
        };
        events.extend(points.map(|(at_us, value)| counter(&name, at_us, value)));
    }
    for worker in record.workers.iter().chain(&record.server) {
        let name = format!("worker {} memory (By)", worker.name);
        let samples = worker.samples.iter().filter(|sample| inside(&sample.at_us));
        events.extend(samples.map(|sample| counter(&name, sample.at_us, sample.rss as f64)));
    }
    events
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::record::fixture::{S, Story, member, setup};
    use crate::record::measure::measure;
    use crate::record::stages::StageElement;
    use crate::record::{Pace, RunRecord};
    use crate::worker::protocol::EventBody;

    /// A run of 10 s at 10 fps: each frame is 300 ms on its way, in a decoder, a queue and for no time
    /// in a filter.
    fn record() -> RunRecord {
        let camera = member("till", "Till <1>", 10.0, &[(&["scan"], 0)]);
        let mut story = Story::new(setup(Pace::Live, 10, 2, &["till"], vec![camera]));
        story.late_us = 310_000;
        let element = |name: &str, factory: &str| StageElement { name: name.into(), factory: factory.into() };
        let elements = vec![element("dec", "avdec_h264"), element("q", "queue"), element("f", "identity")];
        for second in 0..14 {
            story.play(0, "till/1", second, second + 1, 10);
            let arrived = (0..10).map(|n| second * S + n * S / 10).filter(|at| *at >= 300_000);
            let frames = arrived.map(|at| vec![at - 300_000, 100_000, 200_000, 0]).collect();
            let (stream, elements) = ("till/1".to_owned(), elements.clone());
            story.say(0, (second + 1) * S, EventBody::Stages { stream, elements, frames });
            story.machine((second + 1) * S, [0.5, 0.0, 1e9]);
        }
        story.builder.finish()
    }

    fn events(text: &str) -> Vec<Value> {
        let document: Value = serde_json::from_str(text).unwrap();
        let schema: Value =
            serde_json::from_str(include_str!("../../docs/schema/trace.schema.json")).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> = validator.iter_errors(&document).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
        document["traceEvents"].as_array().unwrap().clone()
    }

    fn text_of(record: &RunRecord) -> String {
        trace(&Report { run: "r", record, measurement: &measure(record) })
    }

    /// Begin, end and category.
    type Slice<'a> = (u64, u64, &'a str);

    #[test]
    fn stages_of_frames_add_up_and_slices_of_a_row_nest() {
        let events = events(&text_of(&record()));
        let of = |kind: &str| events.iter().filter(|one| one["cat"] == kind && one["ph"] == "X").count();
        // Frames of a window of 10 s; the stage of no time is not drawn.
        assert_eq!((of("frame"), of("stage"), of("source")), (100, 200, 100));
        let mut rows: BTreeMap<(u64, u64), Vec<Slice<'_>>> = BTreeMap::new();
        for one in events.iter().filter(|one| one["ph"] == "X") {
            let number = |key: &str| one[key].as_u64().unwrap();
            let row = rows.entry((number("pid"), number("tid"))).or_default();
            row.push((number("ts"), number("ts") + number("dur"), one["cat"].as_str().unwrap()));
        }
        // A frame begins every 100 ms and lasts 310 ms with its source.
        assert_eq!(rows.len(), 4);
        for row in rows.values() {
            let frames = row.iter().filter(|slice| slice.2 != "stage");
            let mut last = 0;
            for (begin, end, _) in frames {
                assert!(last <= *begin && begin < end, "{row:?}");
                last = *end;
            }
            for (begin, end, _) in row.iter().filter(|slice| slice.2 == "frame") {
                let within =
                    row.iter().filter(|slice| slice.2 == "stage" && *begin <= slice.0 && slice.1 <= *end);
                assert_eq!(within.map(|slice| slice.1 - slice.0).sum::<u64>(), end - begin);
            }
        }
    }

    #[test]
    fn counters_have_the_traced_time_alone() {
        let events = events(&text_of(&record()));
        let counters: Vec<&Value> = events.iter().filter(|one| one["ph"] == "C").collect();
        let mut names: Vec<&str> = counters.iter().map(|one| one["name"].as_str().unwrap()).collect();
        names.dedup();
        assert_eq!(names, ["machine.cpu", "machine.steal", "machine.memory (By)"]);
        assert!(counters.iter().all(|one| one["ts"].as_u64().unwrap() >= 2 * S));
    }

    #[test]
    fn a_run_that_was_not_traced_has_no_frames() {
        let mut record = record();
        record.members[0].streams[0].stages = None;
        assert_eq!(events(&text_of(&record)).len(), 1);
    }
}
