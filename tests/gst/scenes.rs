//! Detectors agree with the truth of every scene that we ship.
//!
//! The clips are those of the default lane, drawn and transcoded by `lp`. Here
//! they are played through `motioncells` for both zones and `zbar`, whatever a
//! camera of the lane looks for, and what these post is compared with [`truth`].

use std::path::Path;
use std::sync::{Arc, Mutex, Once};

use expect_test::{Expect, expect};
use gstreamer as gst;
use gstreamer::prelude::*;
use lp::scene::Scene;
use lp::scene::truth::truth;
use serde_json::{Value, json};

use crate::agreement::{Detections, Motion, disagreements};
use crate::lane::lane;

#[path = "../../src/bin/lp-worker/scene_source.rs"]
mod scene_source;

/// `motioncells` ends a motion after this long without one.
const GAP_S: f64 = 1.0;
/// A cell moves when more than a tenth of it differs, a zone when any cell does.
const MOTION: &str = "sensitivity=0.9";
const SCAN_CELLS: Cells = Cells { rows: 2..7, columns: 5..9 };
const BASKET_CELLS: Cells = Cells { rows: 2..8, columns: 11..15 };

/// The cells of a 16x9 grid that make up a zone.
struct Cells {
    rows: std::ops::Range<u32>,
    columns: std::ops::Range<u32>,
}

impl Cells {
    fn text(&self) -> String {
        let row = |row| self.columns.clone().map(move |column| format!("{row}:{column}"));
        self.rows.clone().flat_map(row).collect::<Vec<_>>().join(",")
    }
}

#[test]
fn detectors_agree_with_the_truth_of_fake_scan() {
    check("fake-scan", expect!["Razor is not scanned"]);
}

#[test]
fn detectors_agree_with_the_truth_of_hidden_item() {
    check(
        "hidden-item",
        expect![[r#"
        Razor is not scanned
        Razor is hidden"#]],
    );
}

#[test]
fn detectors_agree_with_the_truth_of_basket() {
    check("basket", expect!["Steak is not scanned"]);
}

#[test]
fn a_drawn_clip_is_encoded_as_by_a_camera() {
    let clip = lane().ws.path("media/fake-scan.mp4");
    let ask = |entries: &str| {
        let arguments = ["-v", "error", "-select_streams", "v:0", "-of", "csv=p=0", "-show_entries", entries];
        let output = std::process::Command::new("ffprobe").args(arguments).arg(&clip).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // Few decoders play 4:4:4, which the encoder would make of RGB.
    assert_eq!(ask("stream=codec_name,profile,pix_fmt").trim(), "h264,High,yuv420p");
    let keys: Vec<usize> = ask("packet=flags")
        .lines()
        .enumerate()
        .filter(|(_, flags)| flags.starts_with('K'))
        .map(|(n, _)| n)
        .collect();
    assert!(keys.len() > 2 && keys.iter().enumerate().all(|(n, at)| *at == n * 60), "{keys:?}");
}

#[test]
fn a_live_scene_has_its_times_and_begins_again() {
    init();
    let mut scene = scene("fake-scan");
    (scene.duration_s, scene.fps) = (0.1, 30);
    let (pipeline, times) = counting(&scene, "is-live=true num-buffers=5");
    play(&pipeline, |_| {});
    let times = times.lock().unwrap();
    let since_first: Vec<u64> = times.iter().map(|at| (*at - times[0]).mseconds()).collect();
    assert_eq!(since_first, [0, 33, 66, 100, 133]);
}

#[test]
fn a_scene_that_is_not_live_ends() {
    init();
    let mut scene = scene("fake-scan");
    (scene.duration_s, scene.fps) = (0.1, 30);
    let (pipeline, times) = counting(&scene, "");
    play(&pipeline, |_| {});
    let times: Vec<u64> = times.lock().unwrap().iter().map(|at| at.nseconds()).collect();
    assert_eq!(times, [0, 33_333_333, 66_666_666]);
}

#[test]
fn a_scene_with_a_fault_is_refused_with_its_field() {
    init();
    let mut scene = scene("fake-scan");
    scene.fps = 0;
    let (pipeline, _) = counting(&scene, "");
    let bus = pipeline.bus().unwrap();
    assert!(pipeline.set_state(gst::State::Playing).is_err());
    let message = bus.pop_filtered(&[gst::MessageType::Error]).unwrap();
    let gst::MessageView::Error(error) = message.view() else { unreachable!() };
    assert_eq!(
        error.error().message(),
        "the scene is not valid: `fps`: expected a number from 1 to 240, found 0"
    );
    pipeline.set_state(gst::State::Null).unwrap();
}

#[track_caller]
fn check(name: &str, story: Expect) {
    init();
    let scene = scene(name);
    let truth = truth(&scene).unwrap();
    let unscanned = truth.unscanned.iter().map(|span| format!("{} is not scanned", span.item));
    let hidden = truth.hidden.iter().map(|span| format!("{} is hidden", span.item));
    story.assert_eq(&unscanned.chain(hidden).collect::<Vec<_>>().join("\n"));

    let seen = detect(&lane().ws.path(&format!("media/clips/{name}-640x360-15.mp4")));
    let faults = disagreements(&truth, &seen);
    assert!(faults.is_empty(), "{name}: {faults:#?}\n{:?}", seen.motion);
}

fn detect(clip: &Path) -> Detections {
    let motion = |zone: &str, cells: &Cells| {
        format!(
            "motioncells name={zone} gridx=16 gridy=9 motioncellsidx=\"{}\" gap=1 display=false {MOTION}",
            cells.text(),
        )
    };
    let pipeline = gst::parse::launch(&format!(
        "filesrc name=source ! qtdemux ! h264parse ! avdec_h264 max-threads=1 ! videoconvert ! {} ! {} \
         ! videoconvert ! zbar ! fakesink sync=false",
        motion("scan", &SCAN_CELLS),
        motion("basket", &BASKET_CELLS),
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("source").unwrap().set_property("location", clip.to_str().unwrap());
    let mut seen = Detections { codes: Some(Default::default()), ..Detections::default() };
    for zone in ["scan", "basket"] {
        seen.motion.insert(zone.to_owned(), Motion { gap_s: GAP_S, spans: Vec::new() });
    }
    let seconds = |at: u64| at as f64 / 1e9;
    play(&pipeline, |message| {
        let Some(fields) = message.structure() else { return };
        let of = message.src().map(|element| element.name().to_string()).unwrap_or_default();
        if let Ok(symbol) = fields.get::<String>("symbol") {
            let at = fields.get::<u64>("stream-time").unwrap();
            seen.codes.as_mut().unwrap().entry(symbol).or_default().push(seconds(at));
        } else if let Ok(at) = fields.get::<u64>("motion_begin") {
            seen.motion.get_mut(&of).unwrap().spans.push((seconds(at), None));
        } else if let Ok(at) = fields.get::<u64>("motion_finished") {
            seen.motion.get_mut(&of).unwrap().spans.last_mut().unwrap().1 = Some(seconds(at));
        }
    });
    seen
}

/// A pipeline that notes the time of each frame.
fn counting(scene: &Scene, properties: &str) -> (gst::Pipeline, Arc<Mutex<Vec<gst::ClockTime>>>) {
    let pipeline = gst::parse::launch(&format!(
        "lpscenesrc name=source {properties} ! identity name=probe ! fakesink name=sink"
    ));
    let pipeline = pipeline.unwrap().downcast::<gst::Pipeline>().unwrap();
    pipeline.by_name("source").unwrap().set_property("scene", serde_json::to_string(scene).unwrap());
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = times.clone();
    let pad = pipeline.by_name("probe").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        assert_eq!(buffer.duration().unwrap().mseconds(), 33);
        noted.lock().unwrap().push(buffer.pts().unwrap());
        gst::PadProbeReturn::Ok
    });
    (pipeline, times)
}

/// Plays to the end and shows every element message.
fn play(pipeline: &gst::Pipeline, mut on_message: impl FnMut(&gst::MessageRef)) {
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Element(_) => on_message(&message),
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => panic!("{} {:?}", error.error(), error.debug()),
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        scene_source::register().unwrap();
    });
}

/// A shipped scene. Its file leaves out what has a default.
fn scene(name: &str) -> Scene {
    let path = format!("{}/configs/scenes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let mut scene: Value = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let default = |value: &mut Value, key: &str, default: Value| {
        value.as_object_mut().unwrap().entry(key).or_insert(default);
    };
    default(&mut scene, "seed", json!(1));
    let always = json!([{ "from_s": 0.0, "to_s": scene["duration_s"] }]);
    for item in scene["items"].as_array_mut().unwrap() {
        default(item, "width", json!(210));
        default(item, "height", json!(250));
        default(item, "hand", json!(true));
        default(item, "code_visible", always.clone());
    }
    let scene: Scene = serde_json::from_value(scene).unwrap();
    assert_eq!(scene.faults(), [], "{name}");
    scene
}
