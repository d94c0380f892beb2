//! `lp check`: every fault of every file at once, at its place.

use expect_test::expect;

use crate::support::{CAMERAS, WORKLOADS, Workspace};

#[test]
fn a_sound_project_is_one_line() {
    Workspace::cameras().lp("check").success().stderr(expect![[r#"
        no errors: 2 cameras, 2 workloads, 0 tasks
    "#]]);
}

#[test]
fn all_faults_of_all_files_come_at_once_with_place_and_caret() {
    let ws = Workspace::cameras()
        .file("Lpfile.toml", "[run]\nduration = \"fast\"\nwramup = \"2s\"\n")
        .file("configs/camera_to_workload.json", &CAMERAS.replacen("\"scan\"", "\"scam\"", 1))
        .file("configs/workload_to_pipeline.json", &WORKLOADS.replace("zbar", "gvadetekt"));
    let ended = ws.lp("check").code(2);
    for text in [
        "Lpfile.toml:2:12",
        "Lpfile.toml:3:1",
        "did you mean `warmup`?",
        "configs/camera_to_workload.json:4:",
        "did you mean `scan`?",
        "configs/workload_to_pipeline.json:3:",
        "did you mean `gvadetect`?",
        "^^^^^^",
        "error: 4 errors",
    ] {
        assert!(ended.stderr.contains(text), "`{text}` is not in:\n{}", ended.stderr);
    }
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_misspelt_key_of_a_camera_is_a_warning_and_an_error_under_strict() {
    let cameras = CAMERAS.replacen("\"width\": 640", "\"widht\": 640", 1);
    let ws = Workspace::cameras().file("configs/camera_to_workload.json", &cameras);
    ws.lp("check").success().stderr_has("did you mean `width`?");
    ws.lp("check --strict").code(2);
}

#[test]
fn faults_for_machines_are_a_document() {
    let ws = Workspace::cameras().file("Lpfile.toml", "[run]\nduration = 3\n");
    let ended = ws.lp("check --json").code(2);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["diagnostics"][0]["severity"], "error");
}

#[test]
fn without_a_project_it_says_how_to_make_one() {
    let ended = Workspace::empty().lp("check").code(2);
    assert!(ended.stderr.contains("there is no `Lpfile.toml`"), "{}", ended.stderr);
}

#[test]
fn a_set_on_the_command_line_is_checked_like_the_file() {
    let ws = Workspace::cameras();
    ws.lp("check --set run.duration=10s").success();
    let ended = ws.lp("check --set run.duratoin=10s").code(2);
    assert!(ended.stderr.contains("did you mean"), "{}", ended.stderr);
}

#[test]
fn a_directory_is_chosen_as_in_make() {
    let ws = Workspace::cameras();
    let mut command = ws.command(&["-C", ws.root().to_str().unwrap(), "check"]);
    let output = command.current_dir("/").output().unwrap();
    assert!(output.status.success());
}

#[test]
fn one_file_alone_is_checked_by_itself() {
    // Neither the project around it nor the other file has a say.
    let ws = Workspace::cameras()
        .file("Lpfile.toml", "nonsense")
        .file("c.json", &CAMERAS.replace("\"scan\"", "\"of-no-file\""))
        .file("w.json", WORKLOADS);
    ws.lp("check --cameras c.json").success().stderr(expect![[r#"
        no errors: 2 cameras
    "#]]);
    ws.lp("check --strict --workloads w.json").success().stderr(expect![[r#"
        no errors: 2 workloads
    "#]]);
    let ws = ws.file("w.json", &WORKLOADS.replace("zbar", "gvadetekt"));
    ws.lp("check --workloads w.json").code(2).stderr_has("w.json:3:");
    ws.lp("check --cameras w.json").code(2).stderr_has("this is a workload file");
}

#[test]
fn the_files_of_flags_need_no_project() {
    let ws = Workspace::empty().file("c.json", CAMERAS).file("w.json", WORKLOADS);
    let flags = "--cameras c.json --workloads w.json --set run.count=2";
    ws.lp(&format!("check {flags}")).success();
    ws.lp(&format!("show {flags}")).success();
    ws.lp(&format!("graph {flags}")).success();
    ws.lp(&format!("explain plan {flags}")).success();
    ws.lp(&format!("build plan {flags}")).success();
    ws.lp(&format!("build plan {flags} --profile fast")).code(2).stderr_has("there is no profile `fast`");
    assert!(ws.exists("results/plan.json"));
}

#[test]
fn a_code_is_explained_with_its_example_and_without_a_project() {
    let ws = Workspace::empty();
    ws.lp("check --explain lp0405").success().stdout(expect![[r#"
        LP0405 (error): a region is empty or inverted

        `x` and `y` are the left and the top edge, `x2` and `y2` the right and the bottom one, in
        pixels. Where `x2` is not greater than `x`, or `y2` not greater than `y`, there is nothing
        to look at. An edge of 0 is fine.

        in `configs/camera_to_workload.json`:
            {"lane_config": {"cameras": [
              {"camera_id": "entrance", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1",
               "region_of_interest": {"x": 640, "y": 0, "x2": 320, "y2": 480}}
            ]}}

        `lp check` says:
            error[LP0405]: the region is empty: `x` must be less than `x2`, and `y` less than `y2`
             --> configs/camera_to_workload.json:3:26
              |
            3 |    "region_of_interest": {"x": 640, "y": 0, "x2": 320, "y2": 480}}
              |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ from 640,0 to 320,480

        instead, in `configs/camera_to_workload.json`:
            {"lane_config": {"cameras": [
              {"camera_id": "entrance", "workloads": ["barcodes"], "streamUri": "rtsp://host:8554/1",
               "region_of_interest": {"x": 320, "y": 0, "x2": 640, "y2": 480}}
            ]}}
    "#]]);
    let ended = ws.lp("check --explain 405 --json").success();
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(document["code"], "LP0405");
    let message = document["examples"][0]["message"].as_str().unwrap();
    assert!(message.starts_with("error[LP0405]: "), "{message}");
    // Of a broken project, too, only the code is spoken of.
    Workspace::tasks("[run").lp("check --explain LP0405").success().stderr(expect![[""]]);
}

#[test]
fn an_unknown_code_is_refused_with_what_was_meant() {
    let ws = Workspace::empty();
    ws.lp("check --explain LPO405").code(2).stderr(expect![[r#"
        error: there is no code `LPO405`
          hint: did you mean `LP0405`?
    "#]]);
    ws.lp("check --explain what").code(2).stderr(expect![[r#"
        error: there is no code `what`
          hint: codes are LP and four digits; docs/diagnostics.md lists them
    "#]]);
}
