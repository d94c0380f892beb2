//! Whole projects: several files at once, absent, odd and broken ones.

use std::path::{Path, PathBuf};

use expect_test::expect;

use super::{CAMERA_FILE, CAMERAS, Files, SCENE, WORKLOAD_FILE, WORKLOADS, check, check_labels, shown};
use crate::config::load::{LoadRequest, load};
use crate::diag::Severity;
use crate::diag::{Color, codes};

#[test]
fn a_valid_project_has_all_its_values_and_no_diagnostics() {
    let lpfile = r#"
        [run]
        duration = "10s"
        [pools]
        cpu = 2
        scanner = 1
        [asset."scan.mp4"]
        urls = ["https://mirror.example/scan.mp4"]
        sha256 = "9F2C41aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa"
        [[task]]
        name = "convert"
        command = ["sh", "-c", "true"]
        outputs = ["models/x.xml"]
        env = { PRECISION = "FP16" }
        pool = "scanner"
    "#;
    let files = Files::new().with("Lpfile.toml", lpfile);
    let loaded = files.load(|_| {});
    assert_eq!(shown(&loaded), "");
    let project = loaded.project.unwrap();
    let camera = &project.cameras[0];
    expect![[r#"
        {
          "name": "cam1",
          "slug": "cam1",
          "source": {
            "file": {
              "file": "scan.mp4",
              "origin": {
                "url": "https://media.example/scan.mp4"
              }
            }
          },
          "width": 1280,
          "height": 720,
          "fps": 15.0,
          "target_fps": null,
          "workloads": [
            "Barcodes"
          ],
          "region": {
            "x": 0,
            "y": 0,
            "x2": 640,
            "y2": 720
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(camera).unwrap());
    expect![[r#"{"name":"barcodes","slug":"barcodes","steps":[{"type":"zbar","properties":{"cache":true,"x-density":2}}]}"#]].assert_eq(&serde_json::to_string(&project.workload("BARCODES").unwrap()).unwrap());
    expect![[r#"Settings { duration: 10s, warmup: None, source: File, pace: Live, isolation: None, dialect: Auto, infers_natively: false, count: 1, share: None, render: false, decode_only: false, snapshots: true, limits: Limits { delay_ms: None, deadline: Periods(1.0), on_time: 0.99, max_late_ms: 500, recall: 0.95 }, thresholds: [], density: Density { unit: Lane, confidence: 0.95, max: 1000, budget: 1800s, allow_oom: false, limiter: true }, price: None, drop_only: false, clip: ClipOptions { codec: None, bitrate: None, gop: None, b_frames: None, shape: Letterbox, encoder: None }, rtsp: Rtsp { host: "rtsp-streamer", port: 8554, latency_ms: 300, transport: Tcp, impair: None, reconnect: None, certificate: Trusted, codec: H264, cpus: [], own: None }, worker: None, collectors: [], model_mirrors: [], pools: {"cpu": 2, "gpu": 1, "network": 8, "npu": 1, "scanner": 1} }"#]].assert_eq(&format!("{:?}", project.settings));
    let task = &project.tasks[0];
    expect![[r#"convert ["sh", "-c", "true"] [(ProjectPath("models/x.xml"), Place { file: FileId(1), start: 354, end: 368 })] {"PRECISION": "FP16"} scanner 0 true"#]].assert_eq(&format!(
        "{} {:?} {:?} {:?} {} {} {}",
        task.name, task.command, task.outputs, task.env, task.pool, task.retries, task.cache
    ));
    expect!["9f2c41aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa03aa"]
        .assert_eq(project.assets["scan.mp4"].pins.sha256.as_deref().unwrap());
    assert_eq!(project.layout.media, files.0.path().join("media"));
}

#[test]
fn a_fault_in_one_file_does_not_hide_faults_of_another() {
    let files = Files::new()
        .with("Lpfile.toml", "[run\nduration = \"30s\"\n[project]\ncameras = \"c.json\"\n")
        .with("c.json", "{ \"lane_config\": { \"cameras\": [ { \"camera_id\": \"a\" } ] } }")
        .with(WORKLOAD_FILE, "{ \"workload_pipeline_map\": { \"a\": [], }\n}");
    check(
        files,
        expect![[r#"
            LP0101 Lpfile.toml:1:1 `[` is never closed
            LP0202 c.json:1:33 `workloads` is missing
            LP0402 c.json:1:33 the camera has no source; give it a `fileSrc` (`clips/scan.mp4`, `name|url`) or a `streamUri` (`rtsp://host:8554/path`)
            LP0207 configs/workload_to_pipeline.json:1:35 the workload `a` has no steps
            LP0102 configs/workload_to_pipeline.json:1:37 unexpected comma before `}`; remove the comma
        "#]],
    );
}

#[test]
fn a_default_file_may_be_absent_and_a_named_one_may_not() {
    check(Files::new().without(CAMERA_FILE), expect![""]);
    check(
        Files::new().without(WORKLOAD_FILE),
        expect![[r#"
            LP0002 - there are cameras, but `configs/workload_to_pipeline.json` does not exist; name the workload file with `project.workloads` or `--workloads`
        "#]],
    );
    let flag = |request: &mut LoadRequest| request.workloads = Some(PathBuf::from("w.json"));
    check_labels(
        Files::new(),
        flag,
        expect![[r#"
        LP0002 - `w.json` does not exist
    "#]],
    );
}

#[test]
fn named_files_need_no_project_file() {
    let files = Files::new().without("Lpfile.toml");
    let loaded = files.load(|request| request.cameras = Some(PathBuf::from(CAMERA_FILE)));
    assert_eq!(shown(&loaded), "");
    assert_eq!(loaded.project.unwrap().layout.root, files.0.path());
}

#[test]
fn other_shapes_of_json_are_refused_without_a_panic() {
    for text in
        ["null", "[]", "{}", "{ \"lane_config\": [] }", "{ \"lane_config\": { \"cameras\": [1, {}] } }"]
    {
        let loaded = Files::new().with(CAMERA_FILE, text).with(WORKLOAD_FILE, text).load(|_| {});
        assert!(loaded.diagnostics.has_errors(), "{text}");
    }
}

/// Every prefix of a file, as if it had been cut off there, and the whole file
/// with one byte of it replaced.
#[track_caller]
fn check_damaged(path: &str, text: &str) {
    let whole = Files::new()
        .with(CAMERA_FILE, CAMERAS.replace("https://media.example/scan.mp4", "scene:scan"))
        .with("configs/scenes/scan.toml", SCENE);
    let mut files = whole;
    let text = text.as_bytes();
    for end in 0..text.len() {
        let replaced = |byte: u8| [&text[..end], &[byte], &text[end + 1..]].concat();
        for damaged in [text[..end].to_vec(), replaced(b'"')] {
            files = files.with(path, damaged);
            let loaded = files.load(|_| {});
            // Rendering must not panic either.
            let _ = loaded.diagnostics.render_human(&loaded.sources, Color::Never);
            let _ = loaded.diagnostics.to_json(&loaded.sources);
        }
    }
}

#[test]
fn damaged_files_do_not_panic() {
    let lpfile = "[run]\nduration = \"30s\" # ä\n[[task]]\nname = 'x'\ncommand = [\"\"\"a\nb\"\"\", \"\\u00e4\"]\n\
                  env = { A = 'b' }\n[asset.\"a.mp4\"]\nurls = []\n";
    check_damaged("Lpfile.toml", lpfile);
    check_damaged(CAMERA_FILE, &CAMERAS.replace("cam1", "kämera \\u00e4 \\\"漢"));
    check_damaged(WORKLOAD_FILE, WORKLOADS);
    check_damaged("configs/scenes/scan.toml", SCENE);
}

#[test]
fn all_pairs_of_upstream_are_read_without_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/upstream-configs");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        // Visible with `--nocapture`; the folder is not part of the package.
        let mut stdout = std::io::stdout();
        std::io::Write::write_all(&mut stdout, b"skipped: upstream's files are not here\n").unwrap();
        return;
    };
    let names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let starting = |prefix: &'static str| names.iter().filter(move |name| name.starts_with(prefix));
    let dir = tempfile::tempdir().unwrap();
    let mut n_pairs = 0;
    for cameras in starting("camera_to_workload") {
        let mut n_sound = 0;
        for workloads in starting("workload_to_pipeline") {
            let loaded = load(&LoadRequest {
                dir: dir.path().to_path_buf(),
                cameras: Some(folder.join(cameras)),
                workloads: Some(folder.join(workloads)),
                ..LoadRequest::default()
            });
            // Not every workload file maps the workloads of every camera file.
            let others = loaded
                .diagnostics
                .sorted()
                .into_iter()
                .filter(|one| one.severity == Severity::Error && one.code != codes::UNMAPPED_WORKLOAD);
            assert_eq!(others.count(), 0, "{cameras} with {workloads}:\n{}", shown(&loaded));
            n_sound += usize::from(!loaded.diagnostics.has_errors());
        }
        assert!(n_sound > 0, "{cameras} fits no workload file");
        n_pairs += n_sound;
    }
    assert!(n_pairs >= 20, "{n_pairs} pairs fit");
}

#[test]
fn two_loads_of_the_same_files_print_the_same() {
    let entry = |n: u32| format!("\"w{n}\": [{{ \"type\": \"zbar\" }}]");
    let entries: Vec<String> = (0..50).map(entry).collect();
    let workloads = format!("{{ \"workload_pipeline_map\": {{ {} }} }}", entries.join(", "));
    let cameras = CAMERAS.replace("Barcodes", "w7");
    let files = Files::new().with(WORKLOAD_FILE, workloads).with(CAMERA_FILE, cameras);
    let print = || format!("{:?}", files.load(|_| {}).project.unwrap());
    assert_eq!(print(), print());
}

#[test]
fn strict_turns_warnings_into_errors() {
    let loaded = Files::new().with(CAMERA_FILE, CAMERAS.replace("\"fps\"", "\"Fps\"")).load(|_| {});
    let mut diagnostics = loaded.diagnostics;
    assert!(!diagnostics.has_errors());
    diagnostics.deny_warnings();
    expect![[r#"
        LP0201 configs/camera_to_workload.json:7:9 unknown key `Fps`; did you mean `fps`?
    "#]]
    .assert_eq(&diagnostics.lines(&loaded.sources));
    expect![[r#"[{"code":"LP0201","help":"did you mean `fps`?","label":"ignored","message":"unknown key `Fps`","place":{"column":9,"end_column":14,"end_line":7,"file":"configs/camera_to_workload.json","line":7},"related":[],"severity":"error"}]"#]].assert_eq(&diagnostics.to_json(&loaded.sources).to_string());
}
