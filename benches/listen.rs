//! What an event costs `lp` while it measures: `scripts/bench listen`.
//!
//! First a line of a worker is read, as `lp` does it and by serde's tagged enum, in turns.
//! Then the same number of events is heard from 1, 30 and 300 streams that play at 15 fps,
//! with a sighting and a sample of the worker for each second, by workers of their
//! own and by one worker for all. `listen STREAMS camera|lane EVENTS` hears them once
//! and prints nothing: to count instructions under `valgrind --tool=callgrind` or `perf stat`.

#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::collections::BTreeMap;
use std::time::Instant;

use crossbeam_channel::{Receiver, unbounded};
use lp::name::Slug;
use lp::os::process::Exit;
use lp::record::build::{MemberSetup, Setup, StreamSetup};
use lp::record::{Conditions, Host, Isolation, Pace};
use lp::session::replay;
use lp::time::Utc;
use lp::worker::client::WorkerMessage;
use lp::worker::error::WorkerExit;
use lp::worker::protocol::{ElementMessage, Event, EventBody, Fates, SourceFrames};

const RUNS: usize = 7;
const STREAMS: [usize; 3] = [1, 30, 300];
/// Frames, a sighting and a sample of the worker in each second of a stream.
const EVENTS_A_SECOND: usize = 3;
const FPS: u64 = 15;
/// How often a line is read for one time.
const READ: u32 = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    if let [streams, isolation, events] = arguments.as_slice() {
        let number = |text: &String| text.parse::<usize>().expect("a number");
        let isolation = if isolation == "lane" { Isolation::Lane } else { Isolation::Camera };
        hear(number(streams), isolation, number(events));
        return;
    }
    read_lines();
    let events = arguments.first().map_or(27_000, |text| text.parse().expect("a number of events"));
    for (isolation, what) in [(Isolation::Camera, "a worker each"), (Isolation::Lane, "one worker for all")] {
        let mut costs = STREAMS.map(|_| Vec::new());
        // In turns; the first is a warm-up.
        for run in 0..=RUNS {
            for (costs, streams) in costs.iter_mut().zip(STREAMS) {
                let cost = hear(streams, isolation, events);
                costs.extend((run > 0).then_some(cost));
            }
        }
        let [one, _, many] = costs.each_ref().map(|costs| costs.clone());
        for (costs, streams) in costs.into_iter().zip(STREAMS) {
            let what = format!("{events} events of {streams} streams, {what}");
            println!("{what:<54} {} us an event", median(costs, 1e6));
        }
        let ratios = many.iter().zip(one).map(|(many, one)| many / one).collect();
        println!("{:<54} {}", format!("300 streams / 1 stream, {what}"), median(ratios, 1.0));
    }
}

/// Reads the lines of a second of a stream: its frames and a sighting.
fn read_lines() {
    let setup = setup(1, Isolation::Camera);
    let messages = spoken(&setup, EVENTS_A_SECOND);
    let events = messages.try_iter().filter_map(|(_, message)| match message {
        WorkerMessage::Event(event) => Some(event),
        _ => None,
    });
    for event in events {
        let line = serde_json::to_vec(&event).expect("an event is JSON");
        let what = match event.body {
            EventBody::Frames { .. } => "frames",
            EventBody::Messages { .. } => "a sighting",
            _ => continue,
        };
        let timed = |read: &dyn Fn(&[u8]) -> Event| {
            let begin = Instant::now();
            for _ in 0..READ {
                std::hint::black_box(read(std::hint::black_box(&line)));
            }
            begin.elapsed().as_secs_f64() / f64::from(READ)
        };
        let fast = |line: &[u8]| Event::from_line(line).expect("it is an event");
        let tagged = |line: &[u8]| serde_json::from_slice(line).expect("it is an event");
        let (mut ours, mut serdes) = (Vec::new(), Vec::new());
        // The first is a warm-up.
        for run in 0..=RUNS {
            let (one, other) = (timed(&fast), timed(&tagged));
            ours.extend((run > 0).then_some(one));
            serdes.extend((run > 0).then_some(other));
        }
        let ratios = ours.iter().zip(&serdes).map(|(one, other)| one / other).collect();
        let of = format!("a line of {what}, {} bytes", line.len());
        println!("{:<54} {} us", format!("{of}: as `lp` reads it"), median(ours, 1e6));
        println!("{:<54} {} us", format!("{of}: by the tagged enum"), median(serdes, 1e6));
        println!("{:<54} {}", format!("{of}: ratio"), median(ratios, 1.0));
    }
}

/// The median with its range.
fn median(mut values: Vec<f64>, unit: f64) -> String {
    values.sort_by(f64::total_cmp);
    let [first, median, last] = [0, values.len() / 2, values.len() - 1].map(|at| values[at] * unit);
    format!("{median:8.2}   {first:.2} .. {last:.2}, {} runs", values.len())
}

/// Seconds for each event.
fn hear(streams: usize, isolation: Isolation, events: usize) -> f64 {
    let setup = setup(streams, isolation);
    let messages = spoken(&setup, events);
    let n_messages = messages.len();
    let begin = Instant::now();
    let record = replay(&setup, &messages);
    let seconds = begin.elapsed().as_secs_f64();
    let heard: usize = record.members.iter().map(|member| member.streams[0].sightings.len()).sum();
    assert_eq!(heard, events / EVENTS_A_SECOND, "every event was heard");
    seconds / n_messages as f64
}

/// A run without an end.
fn setup(streams: usize, isolation: Isolation) -> Setup {
    let slug = |n: usize| Slug::of(&format!("camera-{n}")).expect("a slug");
    let worker = |n: usize| if isolation == Isolation::Lane { 0 } else { n };
    let member = |n: usize| MemberSetup {
        camera: format!("Camera {n}"),
        slug: slug(n),
        target_fps: 15.0,
        configured: None,
        dialect: None,
        clip: None,
        streams: vec![StreamSetup {
            stream: format!("camera-{n}/1"),
            index: 1,
            workloads: vec!["scan".to_owned()],
            steps: Vec::new(),
            worker: worker(n),
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
            warmup_ms: 0,
            warmup_is_auto: false,
            pace: Pace::Live,
            isolation,
            count: 1,
            repeat: 1,
            decode_only: false,
            traced: false,
            impair: None,
            limits: Default::default(),
        },
        host: Host { facts: BTreeMap::new() },
        idle: None,
        members: (0..streams).map(member).collect(),
        workers: match isolation {
            Isolation::Lane => vec!["lane".to_owned()],
            Isolation::Camera => (0..streams).map(|n| slug(n).to_string()).collect(),
        },
    }
}

/// What the workers said, ready to be heard.
fn spoken(setup: &Setup, events: usize) -> Receiver<(usize, WorkerMessage)> {
    let (sender, messages) = unbounded();
    let say = |worker: usize, at_us: u64, body: EventBody| {
        let event = Event { at: at_us * 1000, body };
        sender.send((worker, WorkerMessage::Event(event))).expect("the receiver lives");
    };
    let streams: Vec<&StreamSetup> = setup.members.iter().map(|member| &member.streams[0]).collect();
    for n in 0..events / EVENTS_A_SECOND {
        let (stream, second) = (streams[n % streams.len()], (n / streams.len()) as u64);
        let at_us = (second + 1) * 1_000_000;
        let arrived_us: Vec<u64> = (0..FPS).map(|n| second * 1_000_000 + n * 1_000_000 / FPS + 1).collect();
        let frames = (second + 1) * FPS;
        let fates = Fates { decoded_us: arrived_us.clone(), ..Fates::default() };
        let delivered = SourceFrames { frames_us: Some(arrived_us.clone()), ..SourceFrames::default() };
        let frames = EventBody::Frames {
            stream: stream.stream.clone(),
            latency_us: vec![Some(5_000); arrived_us.len()],
            late_us: vec![Some(0); arrived_us.len()],
            arrived_us,
            decoded: frames,
            played: frames,
            dropped: 0,
            taken_out: 0,
            fates: Box::new(fates),
            delivered: Box::new(delivered),
            queues: BTreeMap::new(),
            sights: Box::default(),
        };
        say(stream.worker, at_us, frames);
        let sighting = ElementMessage {
            at_us,
            element: "zbar0".to_owned(),
            factory: "zbar".to_owned(),
            message: "barcode".to_owned(),
            stream_time: Some(at_us * 1000),
            fields: [("symbol".to_owned(), "4006381333931".to_owned())].into(),
        };
        let messages = vec![sighting];
        say(stream.worker, at_us, EventBody::Messages { stream: stream.stream.clone(), messages });
        say(stream.worker, at_us, EventBody::Process { cpu_us: at_us / 10, rss: 50 << 20, files: Some(40) });
    }
    for worker in 0..setup.workers.len() {
        let exit = WorkerExit { exit: Exit::Code(0), last_event: None, stderr_tail: String::new() };
        sender.send((worker, WorkerMessage::Exited(exit))).expect("the receiver lives");
    }
    messages
}
