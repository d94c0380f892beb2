//! What the models of a run find is shown, counted, and compared: with an earlier run, by which a faster
//! one that finds less is caught, and with the truth.
//!
//! The models are those of `native`; where they cannot be fetched, the tests say so and pass.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::expect;
use serde_json::{Value, json};

use crate::native::{classifier, constant, detector, model, model_proc, with_models};
use crate::project::{SHORT_SCENE, latest};
use crate::workspace::Workspace;

/// The face lane, of which nothing is known that could disturb it, with these steps.
pub(crate) fn faces(steps: &[Value]) -> Option<Workspace> {
    with_models(steps).map(Workspace::unseen_machine)
}

/// Other steps for the same workload.
pub(crate) fn change(ws: &Workspace, steps: &[Value]) {
    let workloads = json!({ "workload_pipeline_map": { "faces": steps } });
    ws.write("configs/workload_to_pipeline.json", &workloads.to_string());
}

/// The figures of the first stream of the newest run.
pub(crate) fn stream(ws: &Workspace) -> Value {
    let report: Value = serde_json::from_str(&ws.read("results/latest/report.json")).unwrap();
    report["measurement"]["cameras"][0]["streams"][0].clone()
}

/// A detector that finds about half of the faces, whose scores are from 0.959 to 0.975.
fn careless() -> Value {
    let mut step = detector(&[]);
    step["threshold"] = json!(0.968);
    step
}

fn run_id(ws: &Workspace) -> String {
    let place = std::fs::read_link(ws.path("results/latest")).unwrap();
    place.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_run_that_finds_less_than_an_accepted_one_is_faster_but_wrong() {
    let Some(ws) = faces(&[detector(&[])]) else { return };
    ws.lp("run").success();
    let accepted = run_id(&ws);
    assert_eq!(stream(&ws)["seen"][0]["accuracy"], Value::Null);

    // Another number of threads finds the same.
    change(&ws, &[detector(&[("ie-config", json!("INFERENCE_NUM_THREADS=2"))])]);
    let ended = ws.lp("run").success();
    let line = format!(
        "accuracy: door/1 gvadetect with blazeface-short-range: 30 of 30 objects that {accepted} found (100 %), on 30 frames\n"
    );
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    assert_eq!(stream(&ws)["verdict"], "not_judged");

    // A threshold that is too high loses faces.
    change(&ws, &[careless()]);
    let ended = ws.lp("run").code(1);
    let found = stream(&ws)["seen"][0]["labels"]["face"].as_u64().unwrap();
    assert!((10..20).contains(&found), "{found}");
    let why = format!(
        "`gvadetect` with blazeface-short-range finds {found} of 30 face that {accepted} found on the same frames, less than 95 %"
    );
    assert!(ended.stdout.contains(&why), "{}", ended.stdout);
    assert!(ended.stdout.contains("1 is faster but wrong; machine CPU not measured\n"), "{}", ended.stdout);
    assert!(ended.stderr.contains("1 of 1 camera is faster but wrong"), "{}", ended.stderr);
    let hint = "hint: if it is meant to find less, run it once with `--set verdict.recall=0`";
    assert!(ended.stderr.contains(hint), "{}", ended.stderr);
    assert_eq!(stream(&ws)["verdict"], "faster_but_wrong");
    let csv = ws.read("results/latest/report.csv");
    assert!(csv.contains(",faster but wrong,"), "{csv}");
    assert!(ws.read("results/latest/report.html").contains("faster but wrong"));
    ws.lp("run --no-verdict").success();

    // It is no reference for the next one, however often it runs.
    for _ in 0..4 {
        ws.lp("run").code(1);
    }
    assert_eq!(stream(&ws)["seen"][0]["accuracy"][0]["with"]["run"], accepted.as_str());
    // Unless the user says that this is right now.
    ws.lp("run --set verdict.recall=0").success();
    let reference = run_id(&ws);
    ws.lp("run").success();
    assert_eq!(stream(&ws)["seen"][0]["accuracy"][0]["with"]["run"], reference.as_str());
    assert_eq!(stream(&ws)["seen"][0]["accuracy"][0]["recall"], 1.0);
}

#[test]
fn each_workload_has_a_picture_with_boxes() {
    let Some(ws) = faces(&[detector(&[]), classifier("gender-v1")]) else { return };
    ws.lp("run").success();
    let jpeg = std::fs::read(ws.path("results/latest/door/1/snapshot.jpg")).unwrap();
    assert!(jpeg.starts_with(&[0xff, 0xd8, 0xff]) && jpeg.len() <= 60_000, "{} bytes", jpeg.len());
    let page = ws.read("results/latest/report.html");
    assert!(page.contains(&format!("src=\"data:image/jpeg;base64,{}\"", STANDARD.encode(&jpeg))));
    // The best frame of all has the highest score, which is the 0.975 of another program too.
    let alt = page.split("alt=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    assert!(alt.starts_with("A frame of door, ") && alt.contains(" %, gender female"), "{alt}");
    assert!(!page.contains("src=\"http"));
    assert!(page.contains("href=\"door/1/rs-door_1.jsonl\""));
    assert!(ws.exists("results/latest/door/1/rs-door_1.jsonl"));

    ws.lp("run --set run.snapshots=false").success();
    assert!(!ws.exists("results/latest/door/1/snapshot.jpg"));
    assert!(!ws.read("results/latest/report.html").contains("data:image"));
    assert_eq!(latest(&ws).members[0].streams[0].snapshot, None);
}

#[test]
fn detections_are_counted_by_label_and_attributes_by_name() {
    let mut silent = classifier("age-v1");
    silent["properties"]["object-class"] = json!("car");
    let Some(ws) = faces(&[detector(&[]), classifier("gender-v1"), silent]) else { return };
    let ended = ws.lp("run").success();
    let lines: String = ended
        .stdout
        .lines()
        .filter(|line| line.starts_with("seen by") || line.starts_with("found on"))
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        seen by gvaclassify with age-v1: 0 attributes in 1 stream, 0 a second; none in door/1
        seen by gvaclassify with gender-v1: gender 30 in 1 stream, <rate> a second
        seen by gvadetect with blazeface-short-range: face 30 in 1 stream, 1 a frame
        found on each frame: door/1/rs-door_1.jsonl, beside report.html
    "#]]
    .assert_eq(&without_rate(&lines));
}

/// The rate of gender depends on the machine.
fn without_rate(lines: &str) -> String {
    let word = |line: &str| match line.split_once("gender 30 in 1 stream, ") {
        Some((begin, _)) => format!("{begin}gender 30 in 1 stream, <rate> a second\n"),
        None => format!("{line}\n"),
    };
    lines.lines().map(word).collect()
}

#[test]
fn a_truth_with_boxes_gives_recall_precision_and_map() {
    let Some(ws) = faces(&[detector(&[])]) else { return };
    ws.lp("run").success();
    // The lines that a run publishes can be a truth; here with a cup, which no detector of faces finds, and
    // without the face of each third frame.
    let lines = ws.read("results/latest/door/1/rs-door_1.jsonl");
    let mut frames: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cup = json!({ "detection": { "label": "cup", "bounding_box": { "x_min": 0.1, "y_min": 0.1, "x_max": 0.2, "y_max": 0.2 } } });
    for (n, frame) in frames.iter_mut().enumerate() {
        let objects = frame["objects"].as_array_mut().unwrap();
        objects.push(cup.clone());
        if n % 3 == 0 {
            objects.remove(0);
        }
    }
    ws.write("face.truth.json", &json!({ "frames": frames }).to_string());
    ws.lp("run").success();
    let found = stream(&ws);
    let by_truth = &found["seen"][0]["accuracy"][0];
    assert_eq!(by_truth["with"], json!({ "truth": "face.truth.json" }));
    assert_eq!(
        (&by_truth["frames"], &by_truth["expected"], &by_truth["detections"]),
        (&json!(30), &json!(20), &json!(30))
    );
    assert_eq!((&by_truth["recall"], &by_truth["precision"]), (&json!(1.0), &json!(0.666667)));
    assert_eq!(by_truth["labels"].as_object().unwrap().keys().collect::<Vec<_>>(), ["face"]);
    let map50 = by_truth["map50"].as_f64().unwrap();
    assert!((0.5..1.0).contains(&map50), "{map50}");
    assert!(ws.read("results/latest/report.html").contains("the truth face.truth.json, 30 frames"));

    // By the truth, losing what it does not have is no loss.
    change(&ws, &[careless()]);
    let ended = ws.lp("run").code(1);
    assert!(
        ended.stdout.contains("of the objects of `face.truth.json`, less than 95 % of the 100 % that"),
        "{}",
        ended.stdout
    );
}

#[test]
fn items_of_a_drawn_scene_are_a_truth_with_boxes() {
    let steps = [{
        let proc = [("model-proc", json!("tiny/tea.json"))];
        let mut step = model("gvadetect", "tea", "tiny/tea.xml", &proc);
        step["inference_interval"] = json!(1);
        step
    }];
    let Some(ws) = faces(&steps) else { return };
    let lane = json!({ "lane_config": { "cameras": [{
        "camera_id": "till", "fileSrc": "short.mp4|scene:short", "width": 320, "height": 180, "fps": 15, "workloads": ["faces"]
    }] } });
    ws.write("configs/camera_to_workload.json", &lane.to_string());
    ws.write("configs/scenes/short.toml", SHORT_SCENE);
    // Where the item lies from 2 s on: 120x150 around (160, 90).
    let row = [0.0, 1.0, 0.75, 100.0 / 320.0, 15.0 / 180.0, 220.0 / 320.0, 165.0 / 180.0];
    constant(&ws, "tiny/tea", &[("detection_out", "detection_out", &[1, 1, 1, 7], &row)]);
    let labels = json!([{ "converter": "detection_output", "labels": ["background", "Tea"] }]);
    ws.write("tiny/tea.json", &model_proc(json!({}), labels));
    ws.lp("run").success();
    let found = stream(&ws);
    let by_truth = &found["seen"][0]["accuracy"][0];
    assert_eq!(by_truth["with"], json!({ "truth": "short" }));
    assert_eq!((&by_truth["frames"], &by_truth["detections"]), (&json!(45), &json!(45)));
    let [expected, matched] = ["expected", "found"].map(|name| by_truth[name].as_u64().unwrap());
    // It rests on the last 15 frames, and is half in the picture some time before.
    assert!((15..25).contains(&matched) && matched < expected && expected < 45, "{by_truth}");
}
