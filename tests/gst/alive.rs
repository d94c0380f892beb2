//! Detectors that are blind for real reasons are caught, and those that work are not accused.
//!
//! Eight ways to see nothing while frames flow: a picture that is too small, black or blurred, a
//! detector that is switched off, masked or set too dull, one that frames never reach, and a clip
//! that does not show what its truth says. They run side by side for 7 s, each with cameras
//! that work.

use std::collections::BTreeMap;
use std::process::Command;

use expect_test::expect;
use lp::record::build::{MemberSetup, RecordBuilder, Setup, StreamSetup};
use lp::record::measure::{Verdict, measure};
use lp::record::seen::Detector;
use lp::record::{Conditions, Isolation, Member, Pace, RunRecord, StreamRecord};
use lp::worker::protocol::{ElementMessage, Event, EventBody, Place, Sights};

use crate::lane::lane;
use crate::project::{latest, short};

const MOTION: &str =
    r#"{"type": "motioncells", "properties": {"display": false, "gap": 1, "sensitivity": 0.9"#;

#[test]
fn eight_silent_failures_are_caught() {
    let motion = |more: &str| format!("{MOTION}{more}}}}}");
    let dull = motion("").replace("0.9", "0.0");
    let (off, masked) =
        (motion(r#", "calculatemotion": false"#), motion(r#", "motionmaskcoords": "0:0:319:179""#));
    let zbar = r#"{"type": "zbar"}"#;
    let both = format!("{zbar}, {}", motion(""));
    let behind = |steps: &str| format!("{steps}, {zbar}");
    let cameras = [
        ("works-codes", zbar.to_owned()),
        ("works-motion", motion("")),
        ("works-both", both),
        ("works-mirrored", behind(r#"{"type": "videoflip", "properties": {"method": "horizontal-flip"}}"#)),
        ("tiny", behind(r#"{"type": "videoscale", "caps": "video/x-raw,width=16,height=16"}"#)),
        ("black", behind(r#"{"type": "videobalance", "properties": {"brightness": -1.0, "contrast": 0.0}}"#)),
        ("blurred", behind(r#"{"type": "gaussianblur", "properties": {"sigma": 8.0}}"#)),
        ("off", off),
        ("masked", masked),
        ("dull", dull),
        (
            "starved",
            format!(
                r#"{{"type": "tee", "name": "t"}}, {{"type": "identity"}},
                   {{"from": "t", "type": "valve", "properties": {{"drop": true}}}}, {zbar}"#
            ),
        ),
        ("other-clip", zbar.to_owned()),
    ];
    let steps: Vec<(&str, &str)> = cameras.iter().map(|(name, steps)| (*name, steps.as_str())).collect();
    let ws = short(&steps).unseen_machine();
    // A clip of a user's, with a truth file beside it, that shows something else.
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "color=gray:size=320x180:rate=15", "-t", "3"])
        .args(["-c:v", "libx264", "-bf", "0", "-g", "30", "-pix_fmt", "yuv420p"])
        .arg(ws.path("till.mp4"))
        .status();
    assert!(status.unwrap().success());
    ws.write(
        "till.truth.json",
        r#"{"codes": [{"item": "Tea", "code": "TEA-1", "from_s": 0.5, "to_s": 2.5}]}"#,
    );
    let lanes = ws.read("configs/camera_to_workload.json");
    let (begin, end) = lanes.split_at(lanes.find("\"other-clip\"").unwrap());
    let end = end.replacen("\"fileSrc\": \"short.mp4|scene:short\"", "\"fileSrc\": \"file:till.mp4\"", 1);
    ws.write("configs/camera_to_workload.json", &format!("{begin}{end}"));

    ws.lp("run --no-verdict --set run.duration=7s").success();
    let measurement = measure(&latest(&ws));
    let mut told = String::new();
    for camera in &measurement.cameras {
        let stream = &camera.streams[0];
        let is_invalid = stream.verdict == Verdict::Invalid;
        let reason = stream.reason.as_deref().filter(|_| is_invalid).unwrap_or("not accused");
        // How much of the clip was played depends on the machine.
        let reason = reason.split(" in the part").next().unwrap();
        let reason = reason.trim_end_matches('s').replace(|c: char| c.is_ascii_digit(), "N");
        told.push_str(&format!("{}: {reason}\n", camera.camera));
        let is_of_detectors = |note: &&String| note.contains("saw") || note.contains("cannot tell");
        assert_eq!(stream.notes.iter().find(is_of_detectors), None, "{}", camera.camera);
        assert!(is_invalid || stream.seen.iter().all(|step| step.last_clip_ms.is_some()), "{stream:?}");
    }
    expect![[r#"
        works-codes: not accused
        works-motion: not accused
        works-both: not accused
        works-mirrored: not accused
        tiny: `zbar` saw nothing, though the scene of its clip has N code
        black: `zbar` saw nothing, though the scene of its clip has N code
        blurred: `zbar` saw nothing, though the scene of its clip has N code
        off: `motioncells` saw nothing, though the scene of its clip has N motion
        masked: `motioncells` saw nothing, though the scene of its clip has N motion
        dull: `motioncells` saw nothing, though the scene of its clip has N motion
        starved: `zbar` saw nothing, though the scene of its clip has N code
        other-clip: `zbar` saw nothing, though its clip's truth file has N code
    "#]]
    .assert_eq(&told);
}

#[test]
fn a_lane_whose_detectors_agree_with_the_truth_is_not_accused() {
    let record = &lane().record;
    let streams = record.members.iter().flat_map(|member| &member.streams);
    let mut n_steps = 0;
    for stream in streams {
        for step in &stream.seen {
            let expected = stream.expected.iter().find(|expected| expected.element == step.element);
            let spans = &expected.unwrap_or_else(|| panic!("nothing is expected of {}", step.element)).spans;
            assert!(!spans.is_empty() && step.events > 0, "{}: {spans:?}", step.element);
            n_steps += 1;
        }
    }
    assert_eq!(n_steps, 14);
    for camera in measure(record).cameras {
        for stream in &camera.streams {
            assert_eq!((stream.verdict, &stream.notes), (Verdict::NotJudged, &Vec::new()), "{stream:?}");
        }
    }
}

/// A stretch of a live run in which the detectors of a stream of the lane see what they saw in one
/// pass of their clip: from `offset_ms` on, for `window` seconds after 2 s of warm-up. `element` is
/// the one that is blind.
fn live(member: &Member, stream: &StreamRecord, offset_ms: u64, window: u64, blind: &str) -> RunRecord {
    let record = &lane().record;
    let conditions = Conditions {
        duration_ms: window * 1000,
        warmup_ms: 2_000,
        warmup_is_auto: false,
        pace: Pace::Live,
        isolation: Isolation::Camera,
        ..record.conditions.clone()
    };
    let setup = StreamSetup {
        stream: stream.stream.clone(),
        index: 1,
        workloads: Vec::new(),
        steps: Vec::new(),
        worker: 0,
        shares_decode_with: Vec::new(),
        detectors: stream
            .seen
            .iter()
            .map(|step| Detector { element: step.element.clone(), kind: step.kind.clone(), model: None })
            .collect(),
        expected: stream.expected.clone(),
    };
    let member = MemberSetup {
        camera: member.camera.clone(),
        slug: member.slug.clone(),
        target_fps: 15.0,
        configured: None,
        dialect: None,
        clip: None,
        streams: vec![setup],
        scripts: Vec::new(),
        left_out: Vec::new(),
    };
    let mut builder = RecordBuilder::new(Setup {
        subject: record.subject.clone(),
        started: record.started,
        origin_ns: 0,
        conditions,
        host: record.host.clone(),
        idle: None,
        members: vec![member],
        workers: vec!["w".to_owned()],
    });
    let pass_us = stream.life.decoded * 1_000_000 / 15;
    let mut moving: BTreeMap<&str, bool> = BTreeMap::new();
    for second in 0..window + 4 {
        let mut arrived_us = Vec::new();
        for n in second * 15..(second + 1) * 15 {
            let since_us = n * 1_000_000 / 15;
            let (from_us, at_us) = ((offset_ms * 1000 + since_us) % pass_us, 5_000_000 + since_us);
            arrived_us.push(at_us);
            let now = |clip_ms: u64| (from_us..from_us + 66_667).contains(&(clip_ms * 1000));
            for sighting in stream.sightings.iter().filter(|one| one.element != blind) {
                let is_motion = sighting.factory == "motioncells";
                let begins = sighting.fields.contains_key("motion_begin");
                let clip_ms = sighting.clip_ms.unwrap();
                // One that starts within a motion sees it soon.
                let ends = stream.sightings.iter().filter(|other| other.element == sighting.element);
                let end = ends.filter_map(|other| other.clip_ms).find(|end| clip_ms < *end);
                let is_late = begins
                    && n == 3
                    && clip_ms * 1000 < from_us
                    && end.is_none_or(|end| from_us < end * 1000);
                if !now(clip_ms) && !is_late {
                    continue;
                }
                if is_motion && begins == moving.insert(&sighting.element, begins).unwrap_or(false) {
                    continue;
                }
                let message = ElementMessage {
                    at_us,
                    element: sighting.element.clone(),
                    factory: sighting.factory.clone(),
                    message: sighting.message.clone(),
                    stream_time: Some(from_us * 1000),
                    fields: sighting.fields.clone(),
                };
                let body = EventBody::Messages { stream: stream.stream.clone(), messages: vec![message] };
                builder.observe(0, &Event { at: at_us * 1000, body });
            }
        }
        let place = Place {
            at_us: arrived_us[0],
            clip_ns: (offset_ms * 1000 + second * 1_000_000) % pass_us * 1000,
            pass_ns: Some(pass_us * 1000),
        };
        let frames = 15 * (second + 1);
        let body = EventBody::Frames {
            stream: stream.stream.clone(),
            latency_us: Vec::new(),
            late_us: vec![Some(0); arrived_us.len()],
            arrived_us,
            decoded: frames,
            played: frames,
            dropped: 0,
            taken_out: 0,
            fates: Box::default(),
            delivered: Box::default(),
            queues: BTreeMap::new(),
            sights: Box::new(Sights { place: Some(place), regions: Vec::new() }),
        };
        builder.observe(0, &Event { at: (6 + second) * 1_000_000_000, body });
    }
    builder.finish()
}

/// What really was seen, in stretches of many lengths from many places of the clips.
#[test]
fn stretches_of_a_lane_that_works_are_not_accused_and_blind_ones_are() {
    let (mut n_good, mut n_blind, mut n_accused) = (0, 0, 0);
    let members = lane().record.members.iter();
    for (member, stream) in members.flat_map(|member| member.streams.iter().map(move |one| (member, one))) {
        let pass_ms = stream.life.decoded * 1000 / 15;
        for (n, window) in [1, 3, 8, 21, 45].into_iter().enumerate() {
            for part in 0..3 {
                let offset_ms = (part * 2 + n as u64 % 2) * pass_ms / 6;
                let figures = |blind: &str| {
                    let record = live(member, stream, offset_ms, window, blind);
                    measure(&record).cameras.remove(0).streams.remove(0)
                };
                let good = figures("");
                let about = format!("{} from {offset_ms} ms for {window} s", stream.stream);
                assert_ne!(good.verdict, Verdict::Invalid, "{about}: {:?}", good.reason);
                n_good += 1;
                for step in &stream.seen {
                    let bad = figures(&step.element);
                    let is_told = bad.notes.iter().any(|note| note.starts_with("cannot tell"));
                    assert!(bad.verdict == Verdict::Invalid || is_told, "{about}: {}", step.element);
                    // A whole pass shows all that there is.
                    assert!(bad.verdict == Verdict::Invalid || window * 1000 < pass_ms + 2_000, "{about}");
                    n_blind += 1;
                    n_accused += u64::from(bad.verdict == Verdict::Invalid);
                }
            }
        }
    }
    assert_eq!((n_good, n_blind), (105, 210));
    assert!(130 < n_accused, "{n_accused}");
}
