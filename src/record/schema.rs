//! Records against `docs/schema/record.schema.json`, which is written by hand: every record
//! is valid, and the schema has no property that no record has.

use serde_json::Value;

use super::fixture::{S, Story, copies, described, displayed, member, scripted, setup, six_cameras};
use super::*;
use crate::collect::Series;
use crate::impair::{Impairment, Passage};
use crate::model::{Format, Of, Operator, Severity};
use crate::record::boxes::tests::boxes;
use crate::record::collector::{CollectorExit, Fit, UnreadLine};
use crate::record::compared::{Counts, EarlierRecall, Reference};
use crate::record::imported::{Form, Imported, ImportedStream, Mean, NotRead};
use crate::record::long::{Frame, LongWindow};
use crate::record::script::{ChannelLatencies, ElementRates, LatencyInterval, Meter, Rate, Unread};
use crate::record::seen::{ExpectedSource, ExpectedSpan, SightingSpan};
use crate::record::stages::StageElement;
use crate::worker::protocol::EventBody;

/// Records of all kinds of runs, which together have every property.
fn records() -> Vec<RunRecord> {
    vec![six_cameras(), copies(2, &[&[15, 15], &[15, 12]], 0.9), described(six_cameras()), scripts(), full()]
}

/// A camera with scripts, of which one fails.
fn scripts() -> RunRecord {
    let mut story = Story::new(setup(Pace::Live, 5, 2, &[], vec![scripted("a", 15.0, &["a", "b"])]));
    story.count(0, 0, 9, 15);
    story.print(0, S, &displayed("till", 15, 1));
    story.print(1, S, "lp: fps=15.0 dropped=0 latency_ms=8");
    story.exit(1, 2 * S, "exited with status 3", "out of memory\n");
    let mut record = story.builder.finish();
    let script = &mut record.members[0].scripts[0];
    script.unread = Some(Unread { lines: 2, first: "`fps=fast` is no number".to_owned() });
    script.latencies.push(ChannelLatencies {
        source: Some("src".to_owned()),
        at_us: vec![S],
        latency_us: vec![8_000],
        intervals: vec![LatencyInterval { at_us: S, mean_us: 8_000, max_us: Some(9_000) }],
        ..ChannelLatencies::default()
    });
    script.rates.push(ElementRates {
        element: "till".to_owned(),
        meter: Meter::Lp,
        rates: vec![
            Rate::Own { at_us: S, over_us: S, fps: 15.0, dropped: Some(1) },
            Rate::Count { at_us: S, rendered: 15, dropped: 1 },
        ],
    });
    record
}

/// What no made-up run comes to.
fn full() -> RunRecord {
    let member = member("a", "A", 15.0, &[(&["scan"], 0), (&["motion"], 0)]);
    let mut record = Story::new(setup(Pace::Live, 5, 2, &["lane"], vec![member])).builder.finish();
    let sample = WorkerSample { at_us: S, cpu_us: 7, rss: 7, files: Some(12) };
    record.workers[0].samples = vec![sample];
    let threads = [("queue".to_owned(), ThreadGroup { n: 2, cpu_us: 7 })].into();
    record.workers[0].details = vec![WorkerDetails { at_us: S, pss: Some(7), threads }];
    record.server = Some(record.workers[0].clone());
    record.inputs_changed = vec![ProjectPath::new("media/scan.mp4").unwrap()];
    record.other_counts =
        vec![OtherCount { run: "r".to_owned(), count: 2, own_cores: 0.5, holds: Some(false) }];
    let threshold = |of: Of| Threshold {
        text: "latency.p95 <= 80ms".to_owned(),
        metric: "latency.p95".to_owned(),
        operator: Operator::AtMost,
        limit: 8e4,
        severity: Severity::Major,
        of,
    };
    let whose = [Of::Lane, Of::Camera("A".to_owned()), Of::Workload("scan".to_owned())];
    record.thresholds = whose.map(threshold).into();
    let search =
        |at_most| KnownSearch { subject: "lane".to_owned(), id: "r".to_owned(), at_least: 3, at_most };
    record.searches = vec![search(None), search(Some(4))];
    record.conditions.decode_only = true;
    record.conditions.traced = true;
    record.conditions.warmup_is_auto = true;
    record.conditions.impair = Some(Impairment {
        loss_ppm: 20_000,
        delay_ms: 40,
        jitter_ms: 20,
        rate_bps: Some(4_000_000),
        reorder_ppm: 10_000,
        seed: 7,
    });
    record.idle = Some(IdlePower { over_ms: 3000, watts: [("power.package_0".to_owned(), 7.5)].into() });
    record.collectors = vec![CollectorRecord {
        name: "sar".to_owned(),
        member: Some(record.members[0].slug.clone()),
        command: vec!["sar".to_owned(), "1".to_owned()],
        parser: Some(Format::Sar),
        started_us: Some(7),
        exit: Some(CollectorExit { at_us: S, how: "exited with status 0".to_owned(), asked: true }),
        output: Fit {
            bytes: 9,
            lines: 2,
            values: 1,
            unread: 1,
            first_unread: vec![UnreadLine { line: 2, text: "x".to_owned(), reason: "r".to_owned() }],
        },
        remarks: vec!["1 line of 2 does not fit".to_owned()],
    }];
    record.programs = vec![ProgramRecord { name: "rustc".to_owned(), cpu_us: 7 }];
    record.imported = Some(Imported {
        folder: "benchmark".to_owned(),
        form: Form::New,
        timestamp: Some("20260820115951".to_owned()),
        container: Some("gst0".to_owned()),
        files: vec!["pipeline_stream0.log".to_owned()],
        not_read: vec![NotRead { file: "notes.txt".to_owned(), reason: "it is no log".to_owned() }],
        corrected: vec!["the start is left out".to_owned()],
        unknown: vec!["dropped frames".to_owned()],
        streams: vec![ImportedStream {
            stream: "a/1".to_owned(),
            log: Some("pipeline_stream0.log".to_owned()),
            upstream_fps: Some(15.8),
            start_lines: 2,
            doubts: vec!["it may have ended".to_owned()],
        }],
        means: vec![Mean { name: "S0 Power Draw W".to_owned(), value: 12.5, file: "w.json".to_owned() }],
    });
    let described = described(six_cameras());
    record.provenance = described.provenance.map(|provenance| Provenance {
        worker: Some("podman run -i lp-worker".to_owned()),
        git: Git::Unknown { reason: "git is not installed".to_owned() },
        ..provenance
    });
    let member = &mut record.members[0];
    member.left_out = vec![OmittedWorkloads {
        workloads: vec!["ask".to_owned()],
        reason: "`vlm` is not supported".to_owned(),
    }];
    member.configured = described.members[5].configured.clone();
    let configured = member.configured.as_mut().unwrap();
    (configured.accept, configured.expect) = (vec![Accept::Rate], Some(Expect::Nothing));
    record.conditions.limits.deadline = Deadline::Millis(100);
    record.conditions.limits.recall = 0.9;
    let member = &mut record.members[0];
    let stream = &mut member.streams[0];
    stream.asked_us = Some(7);
    stream.shares_decode_with = vec!["a/2".to_owned()];
    stream.delay_us = Some(-40);
    stream.warmup = Some(WarmUpRecord { length_us: 2 * S, is_steady: Some(true) });
    stream.steps = vec![StepRecord { caps: Some("video/x-raw".to_owned()), ..StepRecord::default() }];
    stream.dropped_us = vec![S, 2 * S];
    let places = |n| [("queue".to_owned(), n)].into();
    (stream.dropped_at, stream.taken_out_at, stream.copied_at) = (places(2), places(1), places(3));
    (stream.in_flight_before, stream.in_flight) = (2, 3);
    stream.queues = [("a_1_queue".to_owned(), [(0, 4), (3, 1)].into())].into();
    let element = StageElement { name: "a_1_queue".to_owned(), factory: "queue".to_owned() };
    stream.stages = Some(Stages { elements: vec![element], left_us: vec![S], in_us: vec![vec![7]] });
    stream.life = Life { taken_out: 1, damaged: 2, ..Life::default() };
    stream.delivery = Some(Delivery {
        frames: Some(75),
        longest_gap_us: Some(80_000),
        key_frame_every: Some(30),
        drift_ppm: Some(-48.5),
        transport: Some("udp".to_owned()),
        packets: Some(Packets { received: 900, lost: 9, ..Packets::default() }),
        reconnects: vec![Outage { lost_us: S, back_us: Some(2 * S), attempts: 1, reason: "r".to_owned() }],
        video: vec![VideoFormat { width: 640, height: 360, fps: Some(15.0), codec: Some("H264".to_owned()) }],
        ..Delivery::default()
    });
    let code = Some("4006".to_owned());
    let span = SightingSpan { from_us: S, to_us: Some(2 * S), clip_ms: Some((1, 2)), code: code.clone() };
    stream.seen = vec![StepSightings {
        element: "zbar".to_owned(),
        kind: "zbar".to_owned(),
        model: Some("yolo11n".to_owned()),
        inferred: 30,
        labels: [("person".to_owned(), 312)].into(),
        boxes: boxes(&[(7, &[("person", [1, 2, 3, 4], 900)])]),
        last_us: Some(S),
        last_clip_ms: Some(7),
        spans: vec![span, SightingSpan { from_us: S, to_us: None, clip_ms: None, code: None }],
        spans_left_out: 1,
        ..StepSightings::default()
    }];
    let sources = [ExpectedSource::Scene, ExpectedSource::Truth, ExpectedSource::Run];
    let expected = |source: fn(String) -> ExpectedSource| Expected {
        element: "zbar".to_owned(),
        source: source("basket".to_owned()),
        spans: vec![ExpectedSpan { from_ms: 1, to_ms: 2, code: code.clone() }],
    };
    stream.expected = sources.map(expected).into();
    let counts = Counts { expected: 4, found: 3, detections: 5, ap50: Some(0.75) };
    let compared = |with: Reference, earlier| Compared {
        element: "zbar".to_owned(),
        with,
        frames: 30,
        labels: [("person".to_owned(), counts)].into(),
        earlier,
    };
    let earlier = EarlierRecall { run: "r".to_owned(), recall: 0.8 };
    stream.compared = vec![
        compared(Reference::Run("r".to_owned()), None),
        compared(Reference::Truth("basket".to_owned()), Some(earlier)),
    ];
    stream.snapshot = Some(Snapshot {
        jpeg: "/9j/".to_owned(),
        width: 640,
        height: 360,
        clip_ns: Some(7),
        objects: vec!["person 90 %".to_owned()],
    });
    stream.impaired = Some(Passage { packets: 7, forwarded: 5, dropped: 2, ..Passage::default() });
    stream.place = Some(ClipPlace { at_us: S, clip_ms: 7, pass_ms: Some(20_000) });
    stream.end =
        Some(End::Error { element: "zbar".to_owned(), reason: "no memory".to_owned(), debug: String::new() });
    stream.failure = Some("`zbar`: no memory".to_owned());
    let mut long = LongWindow::new(0, 66_666, 0);
    long.add(Frame { arrived_us: S, latency_us: Some(5), late_us: Some(-5) });
    stream.long = Some(long);
    record
}

/// Where the schema names properties, and which.
fn properties(at: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    match schema {
        Value::Object(keys) => {
            for (key, value) in keys {
                if let (true, Some(names)) = (key == "properties", value.as_object())
                    && schema.get("additionalProperties") == Some(&Value::Bool(false))
                {
                    found.extend(names.keys().map(|name| (format!("{at}/properties"), name.clone())));
                }
                properties(&format!("{at}/{key}"), value, found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| properties(&format!("{at}/{n}"), item, found));
        }
        _ => {}
    }
}

/// Every document is valid, and without any one of its properties the schema refuses some. It has
/// more properties than `least`.
#[track_caller]
pub(crate) fn check(schema: &str, version: u32, least: usize, documents: &[Value]) {
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["properties"]["version"]["const"], version);
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    // Those to which others refer.
    let [run, search] = [
        include_str!("../../docs/schema/record.schema.json"),
        include_str!("../../docs/schema/density.schema.json"),
    ]
    .map(|text| serde_json::from_str::<Value>(text).unwrap());
    let registry = jsonschema::Registry::new().add("json-schema:///record.schema.json", run).unwrap();
    let registry = registry.add("json-schema:///density.schema.json", search).unwrap().prepare().unwrap();
    let build = |schema: &Value| jsonschema::options().with_registry(&registry).build(schema).unwrap();
    let validator = build(&schema);
    for (n, document) in documents.iter().enumerate() {
        let faults =
            validator.iter_errors(document).map(|fault| format!("{}: {fault}", fault.instance_path()));
        let faults: Vec<String> = faults.map(|fault| fault.chars().take(300).collect()).collect();
        assert!(faults.is_empty(), "document {n}:\n{}", faults.join("\n"));
    }
    let mut places = Vec::new();
    properties("", &schema, &mut places);
    assert!(places.len() > least, "{}", places.len());
    for (at, property) in places {
        let mut without = schema.clone();
        without.pointer_mut(&at).unwrap().as_object_mut().unwrap().remove(&property).unwrap();
        let without = build(&without);
        assert!(
            documents.iter().any(|document| !without.is_valid(document)),
            "no document has {at}/{property}"
        );
    }
}

#[test]
fn records_have_what_their_schema_describes_and_nothing_else() {
    let documents: Vec<Value> =
        records().iter().map(|record| serde_json::to_value(record).unwrap()).collect();
    check(include_str!("../../docs/schema/record.schema.json"), VERSION, 150, &documents);
}

/// Six cameras at 15 fps for ten minutes: a code in each frame, jitter of milliseconds, 60
/// series with noise in every digit. `gzip -9` makes 0.89 MB of its 7.9 MB.
#[test]
fn a_record_of_ten_minutes_is_compact() {
    let cameras: Vec<String> = (1..=6).map(|n| format!("camera-{n}")).collect();
    let names: Vec<&str> = cameras.iter().map(String::as_str).collect();
    let members =
        names.iter().enumerate().map(|(n, name)| member(name, name, 15.0, &[(&["scan"], n)])).collect();
    let mut story = Story::new(setup(Pace::Live, 600, 2, &names, members));
    let mut seed: u64 = 1;
    let mut noise = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for second in 0..604 {
        for (worker, name) in names.iter().enumerate() {
            let stream = format!("{name}/1");
            let due = (0..15).map(|n| second * S + n * S / 15);
            let frames: Vec<(u64, Option<u32>)> = due
                .map(|due| (due + noise(3_000), Some(4_000 + u32::try_from(noise(2_000)).unwrap())))
                .collect();
            story.tick(worker, &stream, (second + 1) * S + noise(2_000), &frames, 0);
            for (at_us, _) in frames {
                story.sighting(
                    worker,
                    &stream,
                    at_us + 900 + noise(300),
                    "barcode",
                    &format!("SKU-{}", at_us / 7_000_000 % 5),
                );
            }
            let body = EventBody::Process {
                cpu_us: (second + 1) * 40_000 + noise(9_000),
                rss: (64 << 20) + (noise(99) << 12),
                files: None,
            };
            story.say(worker, (second + 1) * S + 2_000, body);
        }
        let series: Vec<Series> =
            (0..60).map(|n| Series { name: format!("cpu.{n}.busy"), unit: "1" }).collect();
        let values: Vec<Option<f64>> =
            series.iter().map(|_| Some(noise(1 << 30) as f64 / f64::from(1 << 30))).collect();
        story.builder.collected((second + 1) * S * 1_000 + noise(900_000), &series, &values);
    }
    let record = story.builder.finish();
    assert_eq!(record.members[5].streams[0].n_frames(), 9_000);
    assert_eq!(record.members[5].streams[0].sightings.len(), 9_060);
    let text = serde_json::to_string(&record).unwrap();
    assert!(text.len() < 8_200_000, "{} bytes", text.len());
}
