//! The default lane, played once from end to end: what its six cameras see
//! agrees with the truth of their scenes, and no frame is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use expect_test::expect;
use lp::model::Source;
use lp::plan::CameraPlan;
use lp::record::{RunRecord, StreamRecord};
use lp::scene::truth::Truth;
use lp::worker::protocol::End;
use serde_json::Value;

use crate::agreement::{Detections, FRAME_S, Motion, disagreements};
use crate::project::{default_lane, latest, started};
use crate::workspace::Workspace;

/// The lane after one free run.
pub(crate) struct Lane {
    pub(crate) ws: Workspace,
    pub(crate) record: RunRecord,
    /// `results/runs/<run-id>`: other tests may run something later.
    pub(crate) view: String,
}

/// Plays it once for all tests.
pub(crate) fn lane() -> &'static Lane {
    static LANE: OnceLock<Lane> = OnceLock::new();
    LANE.get_or_init(|| {
        // What is static is never dropped, so this stays until the next time.
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lane");
        if directory.exists() {
            std::fs::remove_dir_all(&directory).unwrap();
        }
        let ws = default_lane(Workspace::within(directory, None));
        ws.lp("run --profile free").success();
        let record = latest(&ws);
        let run = std::fs::read_link(ws.path("results/latest")).unwrap();
        Lane { record, view: format!("results/{}", run.display()), ws }
    })
}

#[test]
fn all_six_cameras_agree_with_the_truth_of_their_scenes() {
    let Lane { ws, record, .. } = lane();
    assert_eq!(record.members.len(), 6);
    let mut shown = Vec::new();
    let mut faults = Vec::new();
    for member in &record.members {
        let camera = Camera::read(ws, &member.camera);
        for stream in &member.streams {
            let seen = camera.seen(ws, stream);
            let zones: Vec<&str> = seen.motion.keys().map(String::as_str).collect();
            let codes = if seen.codes.is_some() { " and codes" } else { "" };
            shown.push(format!("{}: motion in {}{codes}", stream.stream, zones.join(", ")));
            let of_stream = disagreements(&camera.truth, &seen);
            faults.extend(of_stream.into_iter().map(|fault| format!("{}: {fault}", stream.stream)));
            assert_eq!(stream.sightings_left_out, 0);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    // What was compared: a pipeline without detectors would agree with anything.
    expect![[r#"
        camera-1/1: motion in basket and codes
        camera-2/1: motion in basket and codes
        camera-3/1: motion in scan and codes
        camera-4/1: motion in basket and codes
        camera-5/1: motion in scan and codes
        camera-5/2: motion in basket, scan
        camera-6/1: motion in basket, scan"#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn motion_over_the_scanner_without_a_code_is_the_fake_scan() {
    let Lane { ws, record, .. } = lane();
    let mut found = 0;
    for member in &record.members {
        let camera = Camera::read(ws, &member.camera);
        for stream in &member.streams {
            let seen = camera.seen(ws, stream);
            if seen.codes.is_none() || !seen.motion.contains_key("scan") {
                continue;
            }
            let fake = seen.motion_without_code("scan");
            let unscanned = &camera.truth.unscanned;
            assert_eq!(fake.len(), unscanned.len(), "{}: {fake:?} {unscanned:?}", stream.stream);
            for ((begin, end), span) in fake.iter().zip(unscanned) {
                let inside = begin - 5.0 * FRAME_S <= span.from_s && span.to_s <= end + 5.0 * FRAME_S;
                assert!(inside, "{}: {} at {begin}..{end}", stream.stream, span.item);
                found += 1;
            }
        }
    }
    assert_eq!(found, 2, "camera-3 and camera-5 see the razor pass");
}

#[test]
fn frames_are_as_many_as_ffprobe_and_gst_launch_count() {
    let Lane { ws, record, .. } = lane();
    let mut counted: BTreeMap<String, [u64; 2]> = BTreeMap::new();
    for member in &record.members {
        let clip = &Camera::read(ws, &member.camera).clip;
        let [ffprobe, launch] = *counted
            .entry(clip.clone())
            .or_insert_with(|| [frames_by_ffprobe(ws, clip), frames_by_gst_launch(ws, clip)]);
        assert_eq!(ffprobe, launch, "{clip}");
        for stream in &member.streams {
            let name = &stream.stream;
            assert_eq!(stream.life.played, ffprobe, "{name}");
            assert_eq!(stream.life.decoded, ffprobe, "{name}");
            assert_eq!(stream.life.dropped, 0, "{name}");
            assert_eq!(stream.arrived_us.len() as u64, ffprobe, "{name}");
            assert_eq!(stream.dropped, 0, "{name}");
            assert_eq!(stream.end, Some(End::Eos), "{name}");
        }
    }
    assert_eq!(counted.len(), 3);
}

#[test]
fn one_camera_needs_little_and_the_same_clips_come_out_the_same() {
    let ws = default_lane(Workspace::empty());
    let first = ws.lp("run --profile free camera-3").success();
    expect![[r#"
        benchmark:camera-3  new
        generate:fake-scan.mp4  new
        plan:camera-3  new
        report:camera-3  new
        run:camera-3  stale: a run always measures
        transcode:fake-scan.mp4@640x360@15  new"#]]
    .assert_eq(&started(&first.stderr));

    let second = ws.lp("run --profile free camera-3").success();
    expect![[r#"
        benchmark:camera-3  stale: `results/run/camera-3.json` changed
        report:camera-3  stale: `results/benchmark/camera-3/camera-3.csv` changed
        run:camera-3  stale: a run always measures"#]]
    .assert_eq(&started(&second.stderr));
    assert_eq!(latest(&ws).members.len(), 1);

    // The lane made these at its own pace, two at once.
    ws.lp("build assets -j1").success();
    let mut files = BTreeSet::new();
    for folder in ["media", "media/clips"] {
        for entry in std::fs::read_dir(ws.path(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = format!("{folder}/{name}");
            if ws.path(&path).is_file() {
                let same =
                    std::fs::read(ws.path(&path)).unwrap() == std::fs::read(lane().ws.path(&path)).unwrap();
                assert!(same, "{path} differs");
                files.insert(path);
            }
        }
    }
    // Each of three clips has a link with upstream's name.
    assert_eq!(files.len(), 18, "{files:?}");
}

/// What the project's files say about a camera.
struct Camera {
    plan: CameraPlan,
    clip: String,
    truth: Truth,
    /// Each zone of its scene as cells of a grid: `row:column`.
    scene: Value,
}

impl Camera {
    fn read(ws: &Workspace, camera: &str) -> Camera {
        let cameras: Value = serde_json::from_str(&ws.read("configs/camera_to_workload.json")).unwrap();
        let cameras = cameras["lane_config"]["cameras"].as_array().unwrap();
        let own = cameras.iter().find(|own| own["camera_id"] == camera).unwrap();
        let (file, scene) = own["fileSrc"].as_str().unwrap().split_once("|scene:").unwrap();
        let plan: CameraPlan =
            serde_json::from_str(&ws.read(&format!("results/plan/{camera}.json"))).unwrap();
        let Source::File(clip) = &plan.source else { panic!("{camera} plays no file") };
        let truth = ws.read(&format!("media/{}", file.replace(".mp4", ".truth.json")));
        Camera {
            clip: clip.path.as_str().to_owned(),
            truth: serde_json::from_str(&truth).unwrap(),
            scene: toml::from_str(&ws.read(&format!("configs/scenes/{scene}.toml"))).unwrap(),
            plan,
        }
    }

    /// What a stream's detectors posted, by zone.
    fn seen(&self, ws: &Workspace, stream: &StreamRecord) -> Detections {
        let index = stream.stream.rsplit_once('/').unwrap().1;
        let pipeline = self.plan.pipelines.iter().find(|p| p.index.to_string() == index).unwrap();
        assert_eq!(pipeline.workloads, stream.workloads);
        let launch = pipeline.launch.as_ref().unwrap();
        let mut seen = Detections::default();
        let mut zones = BTreeMap::new();
        for element in elements(launch) {
            match element["factory"].as_str() {
                "zbar" => seen.codes = Some(BTreeMap::new()),
                "motioncells" => {
                    let zone = self.zone(&element);
                    let motion = Motion { gap_s: element["gap"].parse().unwrap(), spans: Vec::new() };
                    assert!(seen.motion.insert(zone.clone(), motion).is_none(), "two detectors of one zone");
                    zones.insert(element["name"].clone(), zone);
                }
                _ => {}
            }
        }
        assert!(ws.exists(&self.clip));
        for sighting in &stream.sightings {
            let at_s = sighting.clip_ms.unwrap() as f64 / 1e3;
            let says = |field: &str| {
                let ns: Option<u64> = sighting.fields.get(field).map(|ns| ns.parse().unwrap());
                ns.inspect(|ns| assert_eq!(Some(ns / 1_000_000), sighting.clip_ms, "{sighting:?}")).is_some()
            };
            match (sighting.factory.as_str(), sighting.message.as_str()) {
                ("zbar", "barcode") => {
                    let codes = seen.codes.as_mut().unwrap();
                    codes.entry(sighting.fields["symbol"].clone()).or_default().push(at_s);
                }
                ("motioncells", "motion") => {
                    let spans = &mut seen.motion.get_mut(&zones[&sighting.element]).unwrap().spans;
                    if says("motion_begin") {
                        spans.push((at_s, None));
                    } else {
                        assert!(says("motion_finished"), "{sighting:?}");
                        spans.last_mut().unwrap().1 = Some(at_s);
                    }
                }
                _ => panic!("unexpected: {sighting:?}"),
            }
        }
        seen
    }

    /// The zone of the scene whose cells a detector watches.
    fn zone(&self, detector: &BTreeMap<String, String>) -> String {
        let number = |value: &Value| value.as_f64().unwrap();
        let size = |key: &str, default: f64| self.scene.get(key).map_or(default, number);
        let (width, height) = (size("width", 1280.0), size("height", 720.0));
        let grid = |key: &str| detector[key].parse::<u32>().unwrap();
        let (columns, rows) = (grid("gridx"), grid("gridy"));
        let watched: BTreeSet<&str> = detector["motioncellsidx"].split(',').collect();
        for (name, zone) in self.scene["zones"].as_object().unwrap() {
            let [x, y, w, h] = ["x", "y", "width", "height"].map(|key| number(&zone[key]));
            let inside = |row: u32, column: u32| {
                let (left, top) = (
                    f64::from(column) * width / f64::from(columns),
                    f64::from(row) * height / f64::from(rows),
                );
                x <= left
                    && left + width / f64::from(columns) <= x + w
                    && y <= top
                    && top + height / f64::from(rows) <= y + h
            };
            let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
            let cells: BTreeSet<String> = cells
                .filter(|(row, column)| inside(*row, *column))
                .map(|(row, column)| format!("{row}:{column}"))
                .collect();
            if cells.iter().map(String::as_str).collect::<BTreeSet<_>>() == watched {
                return name.clone();
            }
        }
        panic!("no zone has the cells {watched:?}");
    }
}

/// The elements of a launch line: `factory` and what is set.
fn elements(launch: &str) -> Vec<BTreeMap<String, String>> {
    let words = shlex::split(launch).unwrap();
    let elements = words[1..].split(|word| word == "!");
    elements
        .map(|words| {
            let set = words[1..].iter().filter_map(|word| word.split_once('='));
            let mut element: BTreeMap<String, String> =
                set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            element.insert("factory".to_owned(), words[0].clone());
            element
        })
        .collect()
}

fn frames_by_ffprobe(ws: &Workspace, clip: &str) -> u64 {
    let arguments = [
        "-v",
        "error",
        "-count_frames",
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
        clip,
    ];
    let output = Command::new("ffprobe").args(arguments).current_dir(ws.root()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().trim_end_matches(',').parse().unwrap()
}

/// `identity` tells of every buffer that comes by.
fn frames_by_gst_launch(ws: &Workspace, clip: &str) -> u64 {
    let line = format!(
        "gst-launch-1.0 -v filesrc location={clip} ! qtdemux ! h264parse ! avdec_h264 \
         ! identity name=count silent=false ! fakesink sync=false"
    );
    let output = Command::new("sh").args(["-c", &line]).current_dir(ws.root()).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.contains(":count: last-message = chain ")).count() as u64
}
