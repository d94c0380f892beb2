//! Whether the memory of `lp` stays flat over a long run: `cargo bench --bench soak [STREAMS HOURS]`.
//!
//! What the workers and collectors of a run say is made second by second and goes through the
//! builder of the record, as fast as it can. Each hour, the resident memory of this process is printed.
//! It ends with an error if memory grows faster than `lp run` itself takes for a leak, from the third
//! hour on, in which all lists have reached their bounds but the rows of long windows (48 bytes a second
//! and stream, up to a day).

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use lp::collect::Series;
use lp::name::Slug;
use lp::os::process::own_rss;
use lp::record::build::{MemberSetup, RecordBuilder, Setup, StreamSetup};
use lp::record::{Conditions, Host, Isolation, Pace};
use lp::time::Utc;
use lp::worker::protocol::{ElementMessage, Event, EventBody, Fates, SourceFrames};

const FPS: u64 = 15;
const SERIES: usize = 80;
const S: u64 = 1_000_000;
const MIB: f64 = 1_048_576.0;

fn main() -> ExitCode {
    let arguments: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (streams, hours) = match arguments.as_slice() {
        [streams, hours] => (*streams, *hours as u64),
        _ => (6, 8),
    };
    let mut builder = RecordBuilder::new(setup(streams));
    let series: Vec<Series> =
        (0..SERIES).map(|n| Series { name: format!("cpu.{n}.busy"), unit: "1" }).collect();
    let begin = Instant::now();
    let mut grown = Vec::new();
    let mut before = own_rss().unwrap_or(0) as f64 / MIB;
    for hour in 1..=hours {
        for second in (hour - 1) * 3_600..hour * 3_600 {
            (0..streams).for_each(|stream| say(&mut builder, stream, second));
            let values: Vec<Option<f64>> = (0..SERIES as u64)
                .map(|n| Some((second * 7_919 + n * 104_729) as f64 % 997.0 / 997.0))
                .collect();
            builder.collected((second + 1) * S * 1_000, &series, &values);
            builder.tick((second + 1) * S * 1_000);
        }
        let now = own_rss().unwrap_or(0) as f64 / MIB;
        println!("hour {hour}: {now:.1} MiB, {:+.1} in this hour", now - before);
        grown.extend((hour > 2).then_some(now - before));
        before = now;
    }
    let record = builder.finish();
    let frames: u64 = record.members.iter().map(|member| member.streams[0].n_frames()).sum();
    println!("{frames} frames of {streams} streams in {:.1} s", begin.elapsed().as_secs_f64());
    let mean = grown.iter().sum::<f64>() / grown.len().max(1) as f64;
    let most = 10.0 + 0.25 * streams as f64;
    println!("{mean:+.2} MiB an hour from the third on; {most} would be a leak");
    if mean < most { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A run of eight hours and more.
fn setup(streams: usize) -> Setup {
    let slug = |n: usize| Slug::of(&format!("camera-{n}")).expect("a slug");
    let member = |n: usize| MemberSetup {
        camera: format!("Camera {n}"),
        slug: slug(n),
        target_fps: FPS as f64,
        configured: None,
        dialect: None,
        clip: None,
        streams: vec![StreamSetup {
            stream: format!("camera-{n}/1"),
            index: 1,
            workloads: vec!["scan".to_owned()],
            steps: Vec::new(),
            worker: n,
            shares_decode_with: Vec::new(),
            detectors: Vec::new(),
            expected: Vec::new(),
        }],
        scripts: Vec::new(),
        left_out: Vec::new(),
    };
    Setup {
        subject: "lane".to_owned(),
        started: Utc::from_unix_millis(0),
        origin_ns: 0,
        conditions: Conditions {
            duration_ms: 0,
            warmup_ms: 2_000,
            warmup_is_auto: false,
            pace: Pace::Live,
            isolation: Isolation::Camera,
            count: 1,
            repeat: 1,
            decode_only: false,
            traced: true,
            impair: None,
            limits: Default::default(),
        },
        host: Host { facts: BTreeMap::new() },
        idle: None,
        members: (0..streams).map(member).collect(),
        workers: (0..streams).map(|n| slug(n).to_string()).collect(),
    }
}

/// A second of a stream: frames, a sighting in each, and a sample of its worker.
fn say(builder: &mut RecordBuilder, stream: usize, second: u64) {
    let name = format!("camera-{stream}/1");
    let at = (second + 1) * S * 1_000;
    let arrived_us: Vec<u64> =
        (0..FPS).map(|n| second * S + n * S / FPS + (second * 31 + n * 17) % 900).collect();
    let frames = (second + 1) * FPS;
    let sighting = |at_us: &u64| ElementMessage {
        at_us: *at_us,
        element: "zbar0".to_owned(),
        factory: "zbar".to_owned(),
        message: "barcode".to_owned(),
        stream_time: Some(*at_us * 1_000),
        fields: [("symbol".to_owned(), format!("40063813339{}", second % 90))].into(),
    };
    let messages = arrived_us.iter().map(sighting).collect();
    let fates = Fates { decoded_us: arrived_us.clone(), ..Fates::default() };
    let delivered = SourceFrames { frames_us: Some(arrived_us.clone()), ..SourceFrames::default() };
    let frames = EventBody::Frames {
        stream: name.clone(),
        latency_us: (0..FPS).map(|n| u32::try_from(5_000 + n * 37).ok()).collect(),
        late_us: (0..FPS).map(|n| i64::try_from(n * 41).ok()).collect(),
        arrived_us,
        decoded: frames,
        played: frames,
        dropped: 0,
        taken_out: 0,
        fates: Box::new(fates),
        delivered: Box::new(delivered),
        queues: [("queue".to_owned(), 1)].into(),
        sights: Box::default(),
    };
    let process = EventBody::Process { cpu_us: second * 100_000, rss: 60 << 20, files: Some(40) };
    for body in [frames, EventBody::Messages { stream: name, messages }, process] {
        builder.observe(stream, &Event { at, body });
    }
}
