//! Folders of results whose truth is known: what upstream's scripts would leave of a lane.
//!
//! Written after the rules of upstream's scripts: one `gst-launch-1.0` plays all streams; each counter has a name;
//! each second a line has the rates of all counters in byte order of their names; value `j` of a line goes to log
//! `j`, if the line has as many values as the command has sources. Names of the old form count through the command, those
//! of the new form sort in its order, and a manifest lists them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The time in the names of the files, and when the run began.
pub(super) const TIME: &str = "20260820115951123456";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Old,
    New,
}

/// A camera: its pipelines, or none if a vision language model takes all of it.
#[derive(Clone, Debug)]
pub(super) struct Camera {
    pub(super) id: String,
    pub(super) pipelines: usize,
    pub(super) is_vlm: bool,
    pub(super) fps: f64,
}

/// A lane and how it was played.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) cameras: Vec<Camera>,
    pub(super) lanes: usize,
    /// Seconds after the start; a multiple of 4.
    pub(super) seconds: usize,
    /// The rates of the seconds of the start.
    pub(super) start: Vec<f64>,
    pub(super) form: Form,
    pub(super) time: &'static str,
    pub(super) container: &'static str,
    pub(super) has_launch: bool,
    /// The first stream's rate; each further one has a quarter more.
    pub(super) base: f64,
}

/// A stream as the command plays it.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) camera: usize,
    pub(super) lane: usize,
    pub(super) branch: usize,
    counter: String,
    source: String,
    /// The true rate.
    pub(super) fps: f64,
}

/// Contents by file name.
pub(super) type Files = BTreeMap<String, String>;

pub(super) fn cameras(n: usize) -> Vec<Camera> {
    (1..=n).map(|k| Camera { id: format!("cam{k}"), pipelines: 1, is_vlm: false, fps: 15.0 }).collect()
}

impl Lane {
    pub(super) fn of(n: usize, form: Form) -> Lane {
        Lane {
            cameras: cameras(n),
            lanes: 1,
            seconds: 60,
            start: vec![38.51, 41.02],
            form,
            time: TIME,
            container: "gst0",
            has_launch: false,
            base: 10.0,
        }
    }

    /// In the order of the command.
    pub(super) fn streams(&self) -> Vec<Stream> {
        let (mut streams, mut n) = (Vec::new(), 0);
        for lane in 0..self.lanes {
            let playing = self.cameras.iter().enumerate().filter(|(_, camera)| !camera.is_vlm);
            for (at, (camera, config)) in playing.enumerate() {
                for branch in 0..config.pipelines {
                    // Its source, its detector and its counter.
                    let source = format!("{}_{}", config.id, n + 1);
                    n += 3;
                    let counter = match self.form {
                        Form::Old => format!("stream{}_{}_{n}", at + 1, branch + 1),
                        Form::New => format!("stream_{lane:03}_{camera:03}_{branch:02}"),
                    };
                    let fps = self.base + 0.25 * streams.len() as f64;
                    streams.push(Stream { camera, lane, branch, counter, source, fps });
                }
            }
        }
        streams
    }

    /// The rate of a stream in a second.
    fn rate(&self, stream: &Stream, second: usize) -> f64 {
        match second.checked_sub(self.start.len()) {
            None => self.start[second],
            Some(second) => stream.fps + [0.01, -0.02, 0.03, -0.02][second % 4],
        }
    }

    /// The file that value `j` of each line goes to.
    pub(super) fn log(&self, j: usize) -> String {
        format!("pipeline_stream{j}_{}_{}.log", self.time, self.container)
    }

    pub(super) fn launch(&self) -> String {
        format!("gst-launch_{}_{}.log", self.time, self.container)
    }

    pub(super) fn files(&self) -> Files {
        let streams = self.streams();
        let mut printed: Vec<&Stream> = streams.iter().collect();
        printed.sort_by(|a, b| a.counter.as_bytes().cmp(b.counter.as_bytes()));
        let mut files = Files::new();
        let mut launch = String::new();
        for stream in &streams {
            let _ = writeln!(
                launch,
                "/GstPipeline:pipeline0/GstGvaFpscounter:{}.GstPad:sink: caps = video/x-raw",
                stream.counter
            );
        }
        for second in 0..self.start.len() + self.seconds {
            let rates: Vec<String> =
                printed.iter().map(|stream| format!("{:.2}", self.rate(stream, second))).collect();
            for (n, stream) in streams.iter().enumerate() {
                // A frame of each stream, of which that of the first takes 20 ms, the next 21 ms.
                let _ = writeln!(
                    launch,
                    "0:00:{:02}.{:09} 9 0x55 TRACE GST_TRACER :0:: latency_tracer_pipeline, source_name=(string){}, sink_name=(string)sink{n}, frame_latency=(double){}.0, avg=(double)1.0, min=(double)1.0, max=(double)9.0, latency=(double)66.0, fps=(double)15.0, frame_num=(uint){second};",
                    second + 1,
                    0,
                    stream.source,
                    20 + n
                );
            }
            let _ = match rates.as_slice() {
                [one] => writeln!(
                    launch,
                    "FpsCounter(last 1.00sec): total={one} fps, number-streams=1, per-stream={one} fps"
                ),
                all => writeln!(
                    launch,
                    "FpsCounter(last 1.00sec): total=1.00 fps, number-streams={}, per-stream=1.00 fps ({})",
                    all.len(),
                    all.join(", ")
                ),
            };
            for (j, rate) in rates.iter().enumerate() {
                let log = files.entry(self.log(j)).or_insert_with(|| match self.form {
                    Form::Old => String::new(),
                    Form::New => "fps,duration_seconds\n".to_owned(),
                });
                let _ = match self.form {
                    Form::Old => writeln!(log, "{rate}"),
                    Form::New => writeln!(log, "{rate},1.00"),
                };
            }
        }
        if self.has_launch {
            files.insert(self.launch(), launch);
        }
        if self.form == Form::New {
            files.insert("pipeline_streams.json".to_owned(), self.manifest(&streams));
        }
        files
    }

    fn manifest(&self, streams: &[Stream]) -> String {
        let entry = |(log_index, stream): (usize, &Stream)| {
            serde_json::json!({
                "fpscounter": stream.counter,
                "log_index": log_index,
                "lane": stream.lane,
                "camera_index": stream.camera,
                "camera_id": self.cameras[stream.camera].id,
                "branch": stream.branch,
                "workloads": [workload(stream.camera, stream.branch)],
            })
        };
        let streams: Vec<_> = streams.iter().enumerate().map(entry).collect();
        serde_json::json!({ "streams": streams }).to_string()
    }

    /// The camera file and the workload file.
    pub(super) fn configs(&self) -> (String, String) {
        let mut map = serde_json::Map::new();
        let mut list = Vec::new();
        for (index, camera) in self.cameras.iter().enumerate() {
            let mut workloads = Vec::new();
            if camera.is_vlm {
                workloads.push("lp_vlm".to_owned());
                let step = serde_json::json!([{ "type": "vlm", "model": "Q", "device": "CPU", "precision": "INT8", "vlm_model": "Qwen/Q", "vlm_device": "CPU" }]);
                map.insert("lp_vlm".to_owned(), step);
            }
            for branch in 0..camera.pipelines {
                let name = workload(index, branch);
                let model = ["yolo11n", "yolov8n", "yolov8s", "yolov8m"][branch];
                let step = serde_json::json!([{ "type": "gvadetect", "model": model, "device": "CPU", "precision": "INT8" }]);
                map.insert(name.clone(), step);
                workloads.push(name);
            }
            list.push(serde_json::json!({
                "camera_id": camera.id,
                "fileSrc": "a.mp4|https://h.example/a.mp4",
                "width": 640, "height": 360, "fps": camera.fps,
                "workloads": workloads,
            }));
        }
        (
            serde_json::json!({ "lane_config": { "cameras": list } }).to_string(),
            serde_json::json!({ "workload_pipeline_map": map }).to_string(),
        )
    }

    /// A file of `sar` of the machine, from the begin of the run on, so many seconds before it included.
    pub(super) fn sar(&self, before: usize, busy: impl Fn(i64) -> f64) -> String {
        let mut text = "Linux 6.1.0-28-amd64 (lane-box) \t08/20/26 \t_x86_64_\t(8 CPU)\n\n".to_owned();
        let begin = (11 * 60 + 59) * 60 + 51 - i64::try_from(before).unwrap();
        for n in 0..i64::try_from(before + self.start.len() + self.seconds).unwrap() {
            let time = begin + n;
            let clock = format!("{:02}:{:02}:{:02}", time / 3600 % 24, time / 60 % 60, time % 60);
            if n == 0 {
                let _ = writeln!(
                    text,
                    "{clock}        CPU     %user     %nice   %system   %iowait    %steal     %idle"
                );
            } else {
                let busy = busy(n - i64::try_from(before).unwrap());
                let _ = writeln!(
                    text,
                    "{clock}        all     {busy:.2}      0.00      0.00      10.00      0.00     {:.2}",
                    90.0 - busy
                );
            }
        }
        text
    }
}

fn workload(camera: usize, branch: usize) -> String {
    format!("w{camera}_{branch}")
}
