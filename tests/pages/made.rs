//! Records whose figures are known by how they were made, of any number of cameras and pipelines.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lp::collect::Series;
use lp::model::{Limits, SourceKind};
use lp::name::Slug;
use lp::record::build::{MemberSetup, RecordBuilder, Setup, StreamSetup};
use lp::record::{Conditions, Host, Isolation, Pace, RunRecord, SourceConfig, StepRecord};
use lp::time::Utc;
use lp::worker::protocol::{End, Event, EventBody, Fates, Snapshot, SourceFrames, StageElement, VideoFormat};

const S: u64 = 1_000_000;
/// A name that no page and no chart may take for markup.
pub const HOSTILE: &str = "</script><script>document.title='owned'</script><b>\"door\" & yard";

/// A lane that is made.
pub struct Made {
    pub cameras: usize,
    /// Of each camera.
    pub pipelines: usize,
    /// Of the window.
    pub seconds: u64,
    /// Whether each pipeline was traced and has the largest picture that there can be.
    pub is_full: bool,
}

impl Made {
    /// Frames of a camera in a second: the second camera loses some, the fourth sometimes.
    pub fn frames(&self, camera: usize, second: u64) -> u64 {
        match camera {
            1 => 9 + second * 7 % 5,
            3 if second % 10 == 7 => 12,
            _ => 15,
        }
    }

    /// Latency of every frame of a second.
    pub fn latency_us(&self, camera: usize, second: u64) -> u32 {
        u32::try_from(5_000 + 1_250 * camera as u64 + second % 4 * 500).unwrap()
    }

    /// The share of all cores that is busy.
    pub fn cpu(&self, second: u64) -> f64 {
        0.25 + (second * 7 % 10) as f64 / 100.0
    }

    fn setup(&self) -> Setup {
        let slug = |n: usize| Slug::of(&format!("camera-{}", n + 1)).unwrap();
        let step = |kind: &str| StepRecord { kind: kind.to_owned(), ..StepRecord::default() };
        let pipeline = |camera: usize, n: usize| StreamSetup {
            stream: format!("camera-{}/{}", camera + 1, n + 1),
            index: u32::try_from(n + 1).unwrap(),
            workloads: vec!["items_in_basket".to_owned(), format!("scan_{n}")],
            steps: vec![step("zbar"), step("motioncells")],
            worker: camera,
            shares_decode_with: Vec::new(),
            detectors: Vec::new(),
            expected: Vec::new(),
        };
        let member = |n: usize| MemberSetup {
            camera: if n == 2 { HOSTILE.to_owned() } else { format!("Till {}", n + 1) },
            slug: slug(n),
            target_fps: 15.0,
            configured: Some(SourceConfig {
                source: SourceKind::File,
                name: Some("scan.mp4".to_owned()),
                origin: None,
                width: 640,
                height: 360,
                fps: 15.0,
                codec: None,
                accept: Vec::new(),
                expect: None,
            }),
            dialect: None,
            clip: None,
            streams: (0..self.pipelines).map(|pipeline_n| pipeline(n, pipeline_n)).collect(),
            scripts: Vec::new(),
            left_out: Vec::new(),
        };
        let facts = [("cpu", "Some CPU"), ("cpus", "64"), ("gpu", "card0 Some GPU (i915)")];
        Setup {
            subject: "lane".to_owned(),
            started: Utc::from_unix_millis(1_795_502_520_000),
            origin_ns: 0,
            conditions: Conditions {
                duration_ms: self.seconds * 1_000,
                warmup_ms: 2_000,
                warmup_is_auto: false,
                pace: Pace::Live,
                isolation: Isolation::Camera,
                count: 1,
                repeat: 1,
                decode_only: false,
                traced: self.is_full,
                impair: None,
                limits: Limits::default(),
            },
            host: Host { facts: facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into() },
            idle: None,
            members: (0..self.cameras).map(member).collect(),
            workers: (0..self.cameras).map(|n| slug(n).to_string()).collect(),
        }
    }

    /// The record of the run.
    pub fn record(&self) -> RunRecord {
        let mut builder = RecordBuilder::new(self.setup());
        let say = |builder: &mut RecordBuilder, worker: usize, at_us: u64, body: EventBody| {
            builder.observe(worker, &Event { at: at_us * 1_000, body });
        };
        let mut played = vec![[0_u64; 2]; self.cameras];
        for second in 0..self.seconds + 4 {
            for (camera, played) in played.iter_mut().enumerate() {
                let (n, due) = (self.frames(camera, second), 15);
                let lost = due - n;
                let arrived_us: Vec<u64> = (0..n).map(|frame| second * S + frame * S / n).collect();
                let lost_us = vec![second * S + S - 1; usize::try_from(lost).unwrap()];
                *played = [played[0] + n, played[1] + lost];
                let at_us = (second + 1) * S;
                for pipeline in 0..self.pipelines {
                    let stream = format!("camera-{}/{}", camera + 1, pipeline + 1);
                    let latency_us = self.latency_us(camera, second);
                    let frames = EventBody::Frames {
                        stream: stream.clone(),
                        latency_us: vec![Some(latency_us); arrived_us.len()],
                        late_us: vec![Some(0); arrived_us.len()],
                        arrived_us: arrived_us.clone(),
                        decoded: played[0] + played[1],
                        played: played[0],
                        dropped: played[1],
                        taken_out: 0,
                        fates: Box::new(Fates {
                            decoded_us: [&arrived_us[..], &lost_us].concat(),
                            dropped_us: [("queue".to_owned(), lost_us.clone())].into(),
                            ..Fates::default()
                        }),
                        delivered: Box::new(SourceFrames {
                            video: (second == 0)
                                .then(|| VideoFormat {
                                    codec: Some("H264".to_owned()),
                                    ..serde_json::from_str(r#"{"width":640,"height":360}"#).unwrap()
                                })
                                .into_iter()
                                .collect(),
                            ..SourceFrames::default()
                        }),
                        queues: BTreeMap::new(),
                        sights: Box::default(),
                    };
                    say(&mut builder, camera, at_us, frames);
                    if self.is_full && second == 5 {
                        say(&mut builder, camera, at_us, stages(&stream, latency_us));
                        let snapshot = Box::new(picture());
                        say(&mut builder, camera, at_us, EventBody::Snapshot { stream, snapshot });
                    }
                }
                let cpu_us = (second + 1) * 90_000;
                say(
                    &mut builder,
                    camera,
                    at_us,
                    EventBody::Process { cpu_us, rss: 64 << 20, files: Some(40) },
                );
            }
            self.sample(&mut builder, second);
        }
        let at_us = (self.seconds + 4) * S + 1;
        for camera in 0..self.cameras {
            for pipeline in 0..self.pipelines {
                let stream = format!("camera-{}/{}", camera + 1, pipeline + 1);
                say(&mut builder, camera, at_us, EventBody::Ended { stream, end: End::Eos });
            }
        }
        builder.finish()
    }

    /// The machine's series, and those of a GPU, 64 cores and two sensors of power.
    fn sample(&self, builder: &mut RecordBuilder, second: u64) {
        let cpu = self.cpu(second);
        // Other programs for three seconds.
        let foreign = if (10..13).contains(&second) { 0.5 } else { 0.001 };
        let mut values = vec![
            ("machine.cpu".to_owned(), "1", cpu + foreign),
            ("machine.steal".to_owned(), "1", 0.0),
            ("machine.memory".to_owned(), "By", (4_000 + second % 60) as f64 * f64::from(1 << 20)),
            ("cpu.workers".to_owned(), "1", cpu - 0.05),
            ("cpu.scripts".to_owned(), "1", 0.0),
            ("cpu.lp".to_owned(), "1", 0.01),
            ("cpu.others".to_owned(), "1", foreign + 0.02),
            ("cpu.foreign".to_owned(), "1", foreign),
            ("gpu.card0.render.own".to_owned(), "1", 0.6 - cpu / 2.0),
            ("gpu.card0.video.own".to_owned(), "1", 0.2),
            ("power.package_0".to_owned(), "W", 40.0 + (second % 7) as f64),
        ];
        values.extend((0..64).map(|core| (format!("cpu.{core}.busy"), "1", cpu)));
        let series: Vec<Series> =
            values.iter().map(|(name, unit, _)| Series { name: name.clone(), unit }).collect();
        let values: Vec<Option<f64>> = values.iter().map(|(_, _, value)| Some(*value)).collect();
        builder.collected(((second + 1) * S + 250_000) * 1_000, &series, &values);
    }
}

/// Frames of a second in ten elements.
fn stages(stream: &str, latency_us: u32) -> EventBody {
    let elements =
        (0..10).map(|n| StageElement { name: format!("gate_{n}_queue"), factory: "queue".to_owned() });
    let frame = |n: u64| [5 * S + n * 60_000].into_iter().chain([u64::from(latency_us) / 10; 10]).collect();
    EventBody::Stages {
        stream: stream.to_owned(),
        elements: elements.collect(),
        frames: (0..15).map(frame).collect(),
    }
}

/// As large as a picture may be.
fn picture() -> Snapshot {
    let mut bytes = include_bytes!("frame.jpg").to_vec();
    // What follows the end of a picture is not looked at.
    bytes.resize(60_000, 0);
    Snapshot {
        jpeg: STANDARD.encode(bytes),
        width: 640,
        height: 360,
        clip_ns: Some(2 * 1_000_000_000),
        objects: vec!["face 94 %, female, 31".to_owned(); 4],
    }
}
