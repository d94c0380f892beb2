//! `lp import`: a project from upstream's two files, and the current form of one.

use expect_test::expect;

use crate::support::{CAMERAS, WORKLOADS, Workspace};

/// A workload file in a form of June 2025, and a camera file to go with it.
const OLD_WORKLOADS: &str = r#"{
  "_notes": "kept",
  "workload_pipeline_map": {
    "items": {
      "type": "gvadetect", "model": "yolo11n.xml",
      "device": "CPU", "precision": "INT8",
      "model_instance_id": "detect1",
      "region_of_interest": { "x": 1, "y": 2, "width": 30, "height": 40 }
    }
  }
}
"#;
const OLD_CAMERAS: &str = r#"{ "lane_config": { "cameras": [
  { "camera_id": "cam1",
    "fileSrc": "a.mp4|https://h.example/a.mp4",
    "workloads": "Items" }
] } }
"#;

#[test]
fn files_from_elsewhere_are_copied_as_they_are() {
    let ws = Workspace::empty().file("up/c.json", CAMERAS).file("up/w.json", WORKLOADS);
    ws.lp("import --cameras up/c.json --workloads up/w.json lane").success().stderr(expect![[r#"
        made a project of 2 cameras; try:
          cd lane && lp check
          cd lane && lp build plan
    "#]]);
    assert_eq!(ws.read("lane/configs/c.json"), CAMERAS);
    assert_eq!(ws.read("lane/configs/w.json"), WORKLOADS);
    ws.lp("-C lane check --strict").success();
    ws.lp("-C lane build plan").success();
    ws.lp("import --cameras up/c.json --workloads up/w.json lane")
        .code(2)
        .stderr_has("error: `<project>/lane/Lpfile.toml` exists");
}

#[test]
fn files_inside_the_project_stay_where_they_are() {
    let ws = Workspace::empty().file("configs/my cameras.json", CAMERAS).file("w.json", WORKLOADS);
    let output =
        ws.command(&["import", "--cameras", "configs/my cameras.json", "--workloads", "w.json"]).output();
    assert!(output.unwrap().status.success());
    expect![[r#"
        # Every key has a default: `lp config` shows them.

        [project]
        cameras = "configs/my cameras.json"
        workloads = "w.json"
    "#]]
    .assert_eq(&ws.read("Lpfile.toml"));
    ws.lp("check --strict").success();
}

#[test]
fn older_forms_are_copied_in_the_current_one() {
    let ws = Workspace::empty().file("up/c.json", OLD_CAMERAS).file("up/w.json", OLD_WORKLOADS);
    ws.lp("import --cameras up/c.json --workloads up/w.json lane").success();
    expect![[r#"
        { "lane_config": { "cameras": [
          { "camera_id": "cam1",
            "fileSrc": "a.mp4|https://h.example/a.mp4",
            "workloads": ["Items"],
            "region_of_interest": { "x": 1, "y": 2, "x2": 31, "y2": 42 } }
        ] } }
    "#]]
    .assert_eq(&ws.read("lane/configs/c.json"));
    let before = ws.lp("show --json --cameras up/c.json --workloads up/w.json").success().stdout;
    // The same is meant, and nothing is left to say.
    ws.lp("-C lane check --strict").success().stderr(expect![[r#"
        no errors: 1 camera, 1 workload, 0 tasks
    "#]]);
    assert_eq!(ws.lp("-C lane show --json").success().stdout, before);
}

#[test]
fn a_faulty_file_makes_no_project() {
    let ws =
        Workspace::empty().file("c.json", CAMERAS).file("w.json", &WORKLOADS.replace("zbar", "gvadetekt"));
    ws.lp("import --cameras c.json --workloads w.json lane").code(2).stderr_has("did you mean `gvadetect`?");
    assert!(!ws.exists("lane"));
    ws.lp("import --cameras c.json lane").code(2).stderr_has("needs both files");
}

#[test]
fn missing_modules_and_scripts_are_named() {
    let workloads = r#"{ "workload_definitions": {
      "scan": { "script": "./pipelines/scan.sh", "type": "object_detection" },
      "motion": { "script": "pipelines/scan.sh" } } }"#;
    let ws = Workspace::empty().file("c.json", CAMERAS).file("w.json", workloads);
    ws.lp("import --cameras c.json --workloads w.json lane")
        .success()
        .stderr_has("note: `pipelines/scan.sh` of the workload `scan` is missing: copy it");
}

#[test]
fn a_rewritten_file_is_printed_and_has_no_older_form() {
    let ws = Workspace::empty().file("w.json", OLD_WORKLOADS).file("c.json", OLD_CAMERAS);
    let ended = ws.lp("import --rewrite w.json").success();
    expect![[r#"
        {
          "_notes": "kept",
          "workload_pipeline_map": {
            "items": [{
              "type": "gvadetect", "model": "yolo11n",
              "device": "CPU", "precision": "INT8"
            }]
          }
        }
    "#]]
    .assert_eq(&ended.stdout);
    // The region is of the cameras now, and would be lost without a word.
    assert!(
        ended.stderr.contains(
            r#"give `"region_of_interest": { "x": 1, "y": 2, "x2": 31, "y2": 42 }` to each camera"#
        )
    );
    let ws = ws.file("new.json", &ended.stdout);
    ws.lp("check --strict --workloads new.json").success().stderr(expect![[r#"
        no errors: 1 workload
    "#]]);
    // What is current already comes out byte for byte.
    assert_eq!(ws.lp("import --rewrite new.json").success().stdout, ended.stdout);
    assert!(ws.lp("import --rewrite c.json").success().stdout.contains(r#""workloads": ["Items"]"#));
}

#[test]
fn a_file_that_cannot_be_rewritten_is_refused() {
    let ws =
        Workspace::empty().file("w.json", &OLD_WORKLOADS.replace("\"CPU\"", "\"CPX\"")).file("x.json", "{}");
    let ended = ws.lp("import --rewrite w.json").code(2);
    assert_eq!(ended.stdout, "");
    let ended = ws.lp("import --rewrite x.json").code(2);
    ended
        .stderr_has("`x.json` is neither a camera nor a workload file")
        .stderr_has("hint: a camera file has");
    ws.lp("import --rewrite absent.json").code(2).stderr_has("`absent.json` does not exist");
}

#[test]
fn each_further_workload_file_becomes_a_profile() {
    let gpu = WORKLOADS.replace("zbar", "videoflip");
    let ws = Workspace::empty()
        .file("up/c.json", CAMERAS)
        .file("up/w.json", WORKLOADS)
        .file("up/w_gpu.json", &gpu)
        .file("other/w.json", WORKLOADS);
    ws.lp("import --cameras up/c.json --workloads up/w.json --workloads up/w_gpu.json --workloads other/w.json lane")
        .success()
        .stderr_has("made a project of 2 cameras with 2 profiles; try:");
    expect![[r#"
        # Every key has a default: `lp config` shows them.

        [project]
        cameras = "configs/c.json"
        workloads = "configs/w.json"

        [profile.gpu]
        project.workloads = "configs/w_gpu.json"

        [profile.w]
        project.workloads = "configs/workload_to_pipeline.json"
    "#]]
    .assert_eq(&ws.read("lane/Lpfile.toml"));
    ws.lp("-C lane check --strict").success();
    assert!(ws.lp("-C lane show --json --profile gpu").success().stdout.contains("videoflip"));
    assert!(!ws.lp("-C lane show --json").success().stdout.contains("videoflip"));
}

#[test]
fn a_profile_gets_cameras_of_its_own_if_its_workload_file_gives_them_a_region() {
    let ws = Workspace::empty()
        .file("c.json", OLD_CAMERAS)
        .file("w.json", &OLD_WORKLOADS.replace("\"x\": 1,", "\"x\": 5,"))
        .file("w_b.json", OLD_WORKLOADS);
    ws.lp("import --cameras c.json --workloads w.json --workloads w_b.json lane").success();
    assert!(ws.read("lane/configs/c.json").contains(r#""x": 5"#));
    assert!(ws.read("lane/configs/camera_to_workload.json").contains(r#""x": 1"#));
    assert!(ws.read("lane/Lpfile.toml").ends_with(
        "[profile.b]\nproject.workloads = \"configs/w_b.json\"\nproject.cameras = \"configs/camera_to_workload.json\"\n"
    ));
    ws.lp("-C lane check --strict --profile b").success();
}

#[test]
fn faults_of_all_workload_files_are_reported_at_once() {
    let ws = Workspace::empty()
        .file("c.json", CAMERAS)
        .file("a.json", &WORKLOADS.replace("zbar", "gvadetekt"))
        .file("b.json", &WORKLOADS.replace("zbar", "gvatrak"));
    let ended = ws.lp("import --cameras c.json --workloads a.json --workloads b.json lane").code(2);
    assert!(ended.stderr.contains("did you mean `gvadetect`?"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean `gvatrack`?"), "{}", ended.stderr);
    assert!(!ws.exists("lane"));
}
