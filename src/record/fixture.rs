//! Made-up runs, event by event, for the tests of this room and of `report`.

pub(crate) mod density;

use std::collections::BTreeMap;

use super::build::{
    Decision, MemberSetup, RecordBuilder, ScriptEnd, ScriptId, ScriptSetup, Setup, StreamSetup,
};
use super::foreign::figure;
use super::{
    Codec, Conditions, ConfigFile, Git, Host, Isolation, Limits, Pace, Preparation, PreparedClip, Provenance,
    RunRecord, SourceConfig, SourceKind, StepRecord, Video,
};
use crate::collect::Series;
use crate::collect::machine::SERIES;
use crate::digest::ContentDigest;
use crate::model::Scalar;
use crate::name::Slug;
use crate::path::ProjectPath;
use crate::plan::DialectName;
use crate::time::Utc;
use crate::worker::protocol::{ElementMessage, End, Event, EventBody, Fates, SourceFrames};

pub(crate) const S: u64 = 1_000_000;

/// A simulated run and what the builder decided on the way.
pub(crate) struct Story {
    pub(crate) builder: RecordBuilder,
    pub(crate) decisions: Vec<String>,
    /// Names of streams and of scripts.
    names: [Vec<String>; 2],
    /// Cumulative counters by stream.
    counters: BTreeMap<String, [u64; 3]>,
    /// What the source of each stream delivers with its next tick.
    delivered: BTreeMap<String, SourceFrames>,
    /// The lateness of the frames of its next ticks.
    pub(crate) late_us: i64,
}

/// A camera: name, target, streams as `(workloads, worker)`.
pub(crate) fn member(slug: &str, camera: &str, target_fps: f64, streams: &[(&[&str], usize)]) -> MemberSetup {
    let stream = |(index, (workloads, worker)): (usize, &(&[&str], usize))| StreamSetup {
        stream: format!("{slug}/{}", index + 1),
        index: u32::try_from(index + 1).unwrap(),
        workloads: workloads.iter().map(|&workload| workload.to_owned()).collect(),
        steps: Vec::new(),
        worker: *worker,
        shares_decode_with: Vec::new(),
        detectors: Vec::new(),
        expected: Vec::new(),
    };
    MemberSetup {
        camera: camera.to_owned(),
        slug: Slug::of(slug).unwrap(),
        target_fps,
        configured: None,
        dialect: None,
        clip: None,
        streams: streams.iter().enumerate().map(stream).collect(),
        scripts: Vec::new(),
        left_out: Vec::new(),
    }
}

/// A camera `slug` whose first pipelines are scripts of these names.
pub(crate) fn scripted(slug: &str, target_fps: f64, scripts: &[&str]) -> MemberSetup {
    let script = |(index, name): (usize, &&str)| ScriptSetup {
        stream: format!("{slug}/{}", index + 1),
        index: u32::try_from(index + 1).unwrap(),
        workloads: vec![format!("of-{name}")],
        script: format!("pipelines/{name}.sh"),
        parameters: [("threshold".to_owned(), Scalar::Float(0.5))].into(),
    };
    MemberSetup {
        scripts: scripts.iter().enumerate().map(script).collect(),
        ..member(slug, slug, target_fps, &[])
    }
}

/// `duration` and warm-up in seconds.
pub(crate) fn setup(
    pace: Pace,
    duration: u64,
    warmup: u64,
    workers: &[&str],
    members: Vec<MemberSetup>,
) -> Setup {
    let facts = [("cpu", "Some CPU"), ("cpus", "2"), ("gpu", "none"), ("memory", "4096 MiB")];
    Setup {
        subject: "lane".into(),
        started: Utc::from_unix_millis(1_795_502_520_000),
        origin_ns: 0,
        conditions: Conditions {
            duration_ms: duration * 1000,
            warmup_ms: warmup * 1000,
            warmup_is_auto: false,
            pace,
            isolation: if workers == ["lane"] { Isolation::Lane } else { Isolation::Camera },
            count: 1,
            repeat: 1,
            decode_only: false,
            traced: false,
            impair: None,
            limits: Limits::default(),
        },
        idle: None,
        host: Host { facts: facts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect() },
        members,
        workers: workers.iter().map(|&name| name.to_owned()).collect(),
    }
}

impl Story {
    pub(crate) fn new(setup: Setup) -> Story {
        let streams = setup.streams().map(|(_, _, stream)| stream.stream.clone()).collect();
        let scripts = setup.scripts().map(|(_, _, script)| script.stream.clone()).collect();
        Story {
            builder: RecordBuilder::new(setup),
            decisions: Vec::new(),
            names: [streams, scripts],
            counters: BTreeMap::new(),
            delivered: BTreeMap::new(),
            late_us: 0,
        }
    }

    pub(crate) fn heard(&mut self, decisions: Vec<Decision>) {
        let [streams, scripts] = &self.names;
        self.decisions.extend(decisions.into_iter().map(|decision| match decision {
            Decision::StreamFailed { stream, reason } => {
                format!("{} failed: {reason}", streams[stream.index()])
            }
            Decision::ScriptFailed { script, reason } => {
                format!("{} failed: {reason}", scripts[script.index()])
            }
            Decision::StopAll => "stop all".to_owned(),
        }));
    }

    pub(crate) fn say(&mut self, worker: usize, at_us: u64, body: EventBody) {
        let decisions = self.builder.observe(worker, &Event { at: at_us * 1000, body });
        self.heard(decisions);
    }

    /// What the source of a stream delivers with its next tick.
    pub(crate) fn deliver(&mut self, stream: &str, delivered: SourceFrames) {
        self.delivered.insert(stream.to_owned(), delivered);
    }

    /// A tick with these frames, each decoded when it arrives and as late as the rest, `dropped`
    /// more of them lost when the last one arrives, or just before the tick.
    pub(crate) fn tick(
        &mut self,
        worker: usize,
        stream: &str,
        at_us: u64,
        frames: &[(u64, Option<u32>)],
        dropped: u64,
    ) {
        let n_frames = frames.len() as u64;
        let counters = self.counters.entry(stream.to_owned()).or_default();
        *counters = [counters[0] + n_frames + dropped, counters[1] + n_frames, counters[2] + dropped];
        let lost_us = vec![frames.last().map_or(at_us - 1, |(at, _)| *at); dropped as usize];
        let arrived_us: Vec<u64> = frames.iter().map(|(at, _)| *at).collect();
        let [decoded, played, dropped] = *counters;
        let body = EventBody::Frames {
            stream: stream.to_owned(),
            fates: Box::new(Fates {
                decoded_us: [&arrived_us[..], &lost_us].concat(),
                dropped_us: [("queue".to_owned(), lost_us)].into(),
                ..Fates::default()
            }),
            arrived_us,
            latency_us: frames.iter().map(|(_, latency)| *latency).collect(),
            late_us: frames.iter().map(|_| Some(self.late_us)).collect(),
            decoded,
            played,
            dropped,
            taken_out: 0,
            delivered: Box::new(self.delivered.remove(stream).unwrap_or_default()),
            queues: BTreeMap::new(),
            sights: Box::default(),
        };
        self.say(worker, at_us, body);
    }

    /// Ticks at each second after `from` up to `to`, with `fps` frames each; the
    /// first of a second arrives when it begins.
    pub(crate) fn play(&mut self, worker: usize, stream: &str, from: u64, to: u64, fps: u64) {
        for second in from..to {
            let frames: Vec<_> = (0..fps).map(|frame| (second * S + frame * S / fps, Some(5_000))).collect();
            self.tick(worker, stream, (second + 1) * S, &frames, 0);
        }
    }

    pub(crate) fn end(&mut self, worker: usize, stream: &str, at_us: u64, end: End) {
        self.say(worker, at_us, EventBody::Ended { stream: stream.to_owned(), end });
    }

    pub(crate) fn sighting(&mut self, worker: usize, stream: &str, at_us: u64, message: &str, symbol: &str) {
        let fields = match symbol {
            "" => BTreeMap::new(),
            symbol => [("symbol".to_owned(), symbol.to_owned())].into(),
        };
        let message = ElementMessage {
            at_us,
            element: "saw".to_owned(),
            factory: if symbol.is_empty() { "motioncells" } else { "zbar" }.to_owned(),
            message: message.to_owned(),
            stream_time: Some(at_us * 1000),
            fields,
        };
        let body = EventBody::Messages { stream: stream.to_owned(), messages: vec![message] };
        self.say(worker, at_us, body);
    }

    /// The machine is sampled: shares of busy and stolen time, bytes in use.
    pub(crate) fn machine(&mut self, at_us: u64, values: [f64; 3]) {
        let series = SERIES.map(|(name, unit)| Series { name: name.to_owned(), unit });
        self.builder.collected(at_us * 1000, &series, &values.map(Some));
    }

    /// Collectors sample shares and counts.
    pub(crate) fn collect(&mut self, at_us: u64, values: &[(&str, f64)]) {
        for (name, value) in values {
            let series = Series { name: (*name).to_owned(), unit: "1" };
            self.builder.collected(at_us * 1000, &[series], &[Some(*value)]);
        }
    }

    /// A script prints a line.
    pub(crate) fn print(&mut self, script: u32, at_us: u64, line: &str) {
        let figure = figure(line.as_bytes()).unwrap_or_else(|| panic!("`{line}` is no figure"));
        let decisions = self.builder.script_figure(ScriptId(script), at_us * 1000, &figure);
        self.heard(decisions);
    }

    /// A script's `fpsdisplaysink` counts: `fps` frames a second from `from` to `to`,
    /// two lines a second, none of them lost.
    pub(crate) fn count(&mut self, script: u32, from: u64, to: u64, fps: u64) {
        for half in 2 * from..=2 * to {
            let rendered = (half - 2 * from) * fps / 2;
            self.print(script, half * S / 2, &displayed("till", rendered, 0));
        }
    }

    pub(crate) fn tick_until(&mut self, at_us: u64) {
        let decisions = self.builder.tick(at_us * 1000);
        self.heard(decisions);
    }

    pub(crate) fn exit(&mut self, script: u32, at_us: u64, how: &str, output: &str) {
        let success = how == "exited with status 0";
        let end = ScriptEnd::Ended { how: how.to_owned(), success };
        let decisions = self.builder.script_ended(ScriptId(script), at_us * 1000, &end);
        self.heard(decisions);
        self.builder.script_printed(ScriptId(script), (output.to_owned(), 0));
    }

    /// The record, and a line per stream and decision.
    pub(crate) fn told(self) -> (RunRecord, String) {
        let mut text = String::new();
        let record = self.builder.finish();
        for stream in record.members.iter().flat_map(|member| &member.streams) {
            let window =
                stream.window_us.map_or_else(|| "none".to_owned(), |w| format!("[{}, {})", w.0, w.1));
            text.push_str(&format!(
                "{}: window {window}, {} frames, {} decoded, {} dropped; {}\n",
                stream.stream,
                stream.arrived_us.len(),
                stream.decoded,
                stream.dropped,
                stream.failure.as_deref().unwrap_or("ok"),
            ));
        }
        for script in record.members.iter().flat_map(|member| &member.scripts) {
            let window =
                script.window_us.map_or_else(|| "none".to_owned(), |w| format!("[{}, {})", w.0, w.1));
            let n: usize = script.rates.iter().map(|element| element.rates.len()).sum();
            text.push_str(&format!(
                "{}: script, window {window}, {n} rates; {}\n",
                script.stream,
                script.failure.as_deref().unwrap_or("ok"),
            ));
        }
        for decision in self.decisions {
            text.push_str(&format!("> {decision}\n"));
        }
        if record.interrupted {
            text.push_str("interrupted\n");
        }
        (record, text)
    }
}

/// The record with what a run adds that no event tells: a project in git, clips, a
/// detector, a stream and a tag.
pub(crate) fn described(mut record: RunRecord) -> RunRecord {
    let digest = |text: &str| ContentDigest::of(text.as_bytes());
    let path = |text: &str| ProjectPath::new(text).unwrap();
    let model = path("models/object_detection/yolo11n/FP16/yolo11n.xml");
    for (index, member) in record.members.iter_mut().enumerate() {
        let is_stream = index == 5;
        member.configured = Some(SourceConfig {
            source: if is_stream { SourceKind::Rtsp } else { SourceKind::File },
            name: Some(if is_stream { "rtsp://till:8554/1".to_owned() } else { "scan.mp4".to_owned() }),
            origin: (!is_stream).then(|| "https://***@videos.example/scan.mp4".to_owned()),
            width: 640,
            height: 360,
            fps: 15.0,
            codec: is_stream.then_some(Codec::H265),
            accept: Vec::new(),
            expect: None,
        });
        let video = Video {
            container: "video/quicktime".to_owned(),
            codec: "h264".to_owned(),
            profile: Some("high".to_owned()),
            level: Some("3".to_owned()),
            bit_rate: 2_000_000,
            gop: Some(30),
            width: 640,
            height: 360,
            fps: 15.0,
            frames: 300,
            duration_ms: 20_000,
            ..Video::default()
        };
        let source =
            Video { codec: "h265".to_owned(), fps: 7.5, profile: None, level: None, ..video.clone() };
        member.clip = (!is_stream).then(|| PreparedClip {
            version: 1,
            done: if index == 1 { Preparation::Encoded } else { Preparation::AsItIs },
            because: if index == 1 {
                vec!["its rate is 7.5, and the camera's 15".to_owned()]
            } else {
                Vec::new()
            },
            made_up: if index == 1 { vec!["7.5 fps doubled to 15".to_owned()] } else { Vec::new() },
            source: if index == 1 { source } else { video.clone() },
            video,
        });
        member.dialect = Some(if index == 4 { DialectName::Dlstreamer } else { DialectName::Stock });
        for stream in &mut member.streams {
            let element = |kind: &str| StepRecord { kind: kind.to_owned(), ..StepRecord::default() };
            stream.steps = match index {
                4 => vec![StepRecord {
                    model: Some("yolo11n".to_owned()),
                    precision: Some("FP16".to_owned()),
                    device: Some("GPU".to_owned()),
                    properties: [("threshold".to_owned(), Scalar::Float(0.5))].into(),
                    files: vec![model.clone()],
                    ..element("gvadetect")
                }],
                0 => vec![element("zbar"), element("motioncells")],
                _ => vec![element("motioncells")],
            };
        }
    }
    record.utc_offset_s = Some(3_600);
    record.tag = Some("bios 1.12 <b>".to_owned());
    let file = |path: &str| ConfigFile { path: path.to_owned(), digest: digest(path), outside: false };
    record.provenance = Some(Provenance {
        lp: "0.1.0".to_owned(),
        worker: None,
        project: "shop".to_owned(),
        git: Git::Commit { commit: "1a2b3c4d5e6f".repeat(3) + "1a2b", changed: true },
        files: vec![
            file("Lpfile.toml"),
            ConfigFile { outside: true, ..file("cameras.json") },
            file("configs/workload_to_pipeline.json"),
        ],
        profile: Some("gpu".to_owned()),
        overrides: [("run.duration".to_owned(), "30s".to_owned())].into(),
        inputs: [(path("media/clips/scan-640x360-15.mp4"), digest("clip")), (model, digest("model"))].into(),
    });
    record
}

/// A line of `fpsdisplaysink`.
pub(crate) fn displayed(element: &str, rendered: u64, dropped: u64) -> String {
    format!(
        "/GstPipeline:pipeline0/GstFPSDisplaySink:{element}: last-message = rendered: {rendered}, \
         dropped: {dropped}, current: 15.00, average: 15.00"
    )
}

/// Copies of a lane whose cameras should have 15 fps and have these, over 20 s; the
/// others of the 15 were dropped. The machine has two cores and this load, the workers
/// use 34 % of it.
pub(crate) fn copies(count: u32, fps: &[&[u64]], load: f64) -> RunRecord {
    let slug = |copy: usize, camera: usize| {
        let camera = Slug::of(&format!("camera-{}", camera + 1)).unwrap();
        camera.copy(u32::try_from(copy + 1).unwrap()).to_string()
    };
    let cameras = || {
        let of_copy = |(copy, fps): (usize, &&[u64])| (0..fps.len()).map(move |camera| (copy, camera));
        fps.iter().enumerate().flat_map(of_copy).enumerate().collect::<Vec<_>>()
    };
    let members = cameras().into_iter().map(|(worker, (copy, camera))| {
        let workloads: &[&[&str]] = &[&["items_in_basket", "scan"], &["motion"], &["product_switching"]];
        let name = format!("camera-{}", camera + 1);
        member(&slug(copy, camera), &name, 15.0, &[(workloads[camera % 3], worker)])
    });
    let workers: Vec<String> = cameras().into_iter().map(|(_, (copy, camera))| slug(copy, camera)).collect();
    let workers: Vec<&str> = workers.iter().map(String::as_str).collect();
    let mut setup = setup(Pace::Live, 20, 2, &workers, members.collect());
    setup.conditions.count = count;
    let mut story = Story::new(setup);
    for second in 0..24_u64 {
        for (worker, (copy, camera)) in cameras() {
            let has = fps[copy][camera];
            let frames: Vec<_> =
                (0..has).map(|n| (second * S + n * S / has, Some(5_000 + 900 * n as u32))).collect();
            story.tick(worker, &format!("{}/1", slug(copy, camera)), (second + 1) * S + 1, &frames, 15 - has);
            let body = EventBody::Process {
                cpu_us: (second + 1) * 680_000 / workers.len() as u64,
                rss: 64 << 20,
                files: None,
            };
            story.say(worker, (second + 1) * S + 2, body);
        }
        let wobble = ((second * 37) % 11) as f64 / 200.0 - 0.025;
        story.machine((second + 1) * S + 500_000, [(load + wobble).min(1.0), 0.0, f64::from(1_400 << 20)]);
    }
    for (worker, (copy, camera)) in cameras() {
        story.end(worker, &format!("{}/1", slug(copy, camera)), 24 * S + 5, End::Eos);
    }
    story.builder.finish()
}

/// Two cameras at 15 fps for 40 s; for 3 s of it other programs use 65 % of two cores, and
/// the second camera has a third of its frames.
pub(crate) fn disturbed() -> RunRecord {
    let names = ["camera-1", "camera-2"];
    let members = names.iter().enumerate().map(|(n, name)| member(name, name, 15.0, &[(&["scan"], n)]));
    let mut story = Story::new(setup(Pace::Live, 60, 2, &names, members.collect()));
    for second in 0..64_u64 {
        let is_disturbed = (20..23).contains(&second);
        for (worker, name) in names.iter().enumerate() {
            let has = if worker == 1 && is_disturbed { 5 } else { 15 };
            let frames: Vec<_> = (0..has).map(|n| (second * S + n * S / has, Some(5_000))).collect();
            story.tick(worker, &format!("{name}/1"), (second + 1) * S, &frames, 0);
        }
        let others = if is_disturbed { 0.65 } else { 0.01 };
        let at_us = (second + 1) * S + 250_000;
        story.machine(at_us, [0.3 + others, 0.0, f64::from(1_400 << 20)]);
        let owners = [("cpu.workers", 0.28), ("cpu.scripts", 0.0), ("cpu.lp", 0.001)];
        story.collect(at_us, &owners);
        story.collect(at_us, &[("cpu.others", others + 0.019), ("cpu.foreign", others)]);
    }
    let mut record = story.builder.finish();
    record.programs = vec![super::ProgramRecord { name: "rustc".to_owned(), cpu_us: 3_700_000 }];
    record
}

/// A lane of six cameras at 15 fps, one of them slow, one dead, one with two
/// pipelines, and names that must be escaped.
pub(crate) fn six_cameras() -> RunRecord {
    let names = ["camera-1", "camera-2", "camera-3", "camera-4", "camera-5", "camera-6"];
    let members = vec![
        member("camera-1", "Entrance", 15.0, &[(&["items_in_basket", "multi_product_identification"], 0)]),
        member("camera-2", "Aisle 2", 15.0, &[(&["product_switching"], 1)]),
        member("camera-3", "Self-checkout", 15.0, &[(&["scan"], 2), (&["motion"], 2)]),
        member("camera-4", "Back <b>door</b> & \"yard\"", 15.0, &[(&["motion"], 3)]),
        member("camera-5", "Aisle 5", 15.0, &[(&["sweet_hearting"], 4)]),
        member("camera-6", "Till", 15.0, &[(&["fake_scan", "scan"], 5)]),
    ];
    let mut story = Story::new(setup(Pace::Live, 30, 2, &names, members));
    let streams: Vec<(usize, String)> = (0..6)
        .flat_map(|worker| {
            (1..=if worker == 2 { 2 } else { 1 }).map(move |n| (worker, format!("camera-{}/{n}", worker + 1)))
        })
        .collect();
    for second in 0..34_u64 {
        for (index, (worker, stream)) in streams.iter().enumerate() {
            let wobble = |n: u64| (n * 7919 + index as u64 * 104_729) % 97;
            let frames = match (*worker, second) {
                (3, 14..) => continue,
                (4, _) if wobble(second) < 55 => 13,
                _ => 15,
            };
            let offset = 20_000 * index as u64;
            let latency = |n: u64| {
                let slow = if *worker == 4 { 60_000 } else { 0 };
                u32::try_from(6_000 + slow + wobble(second * 15 + n).pow(2) * 2).unwrap()
            };
            let arrived: Vec<_> = (0..frames)
                .map(|n| (second * S + offset + n * S / frames + wobble(n + second) * 20, Some(latency(n))))
                .collect();
            story.tick(*worker, stream, (second + 1) * S + 1, &arrived, 15 - frames);
            if second % 5 == 3 {
                let at_us = (second + 1) * S + 2;
                match index {
                    0 | 3 => story.sighting(*worker, stream, at_us, "motion_begin", ""),
                    2 | 6 => story.sighting(
                        *worker,
                        stream,
                        at_us,
                        "barcode",
                        &format!("40063813339{}", second % 2),
                    ),
                    _ => {}
                }
            }
        }
        for worker in (0..6).filter(|worker| *worker != 3 || second < 14) {
            let body = EventBody::Process {
                cpu_us: (second + 1) * (90_000 + 11_000 * worker),
                rss: (60 + worker) << 20,
                files: None,
            };
            story.say(usize::try_from(worker).unwrap(), (second + 1) * S + 2, body);
        }
        let busy = 0.30 + ((second * 37) % 11) as f64 / 100.0;
        story.machine((second + 1) * S + 500_000, [busy, 0.0, f64::from(1_400 << 20)]);
        if second == 14 {
            let tail = "0:00:14 ERROR motioncells: bad </pre><script>alert(1)</script>\nSegmentation fault";
            let decisions = story.builder.worker_exited(3, Some("killed by SIGSEGV"), tail);
            story.heard(decisions);
        }
    }
    for (worker, stream) in streams.iter().filter(|(worker, _)| *worker != 3) {
        story.end(*worker, stream, 34 * S + 5, End::Eos);
    }
    story.builder.missing("gpu <0>", "no GPU & no driver");
    story.builder.finish()
}
