//! `lp add camera`, where no worker looks into files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use expect_test::expect;

use crate::own::{VIDEO, cameras};
use crate::support::{CAMERAS, WORKLOADS, Workspace};

const FILE: &str = "configs/camera_to_workload.json";

fn two_cameras() -> Workspace {
    without_worker(Workspace::cameras())
}

/// A project without a camera file, and with one workload.
fn no_cameras() -> Workspace {
    let workloads = r#"{"workload_pipeline_map": {"scan": [{"type": "zbar"}]}}"#;
    without_worker(
        Workspace::empty().file("Lpfile.toml", "").file("configs/workload_to_pipeline.json", workloads),
    )
}

fn without_worker(ws: Workspace) -> Workspace {
    ws.env("LP_WORKER", "/no/such/worker").file("clips/till.y4m", VIDEO)
}

#[test]
fn a_video_becomes_a_camera_and_the_rest_of_the_file_stays() {
    let ws = no_cameras().file(
        FILE,
        "{ \"_notes\": [1,2 ],\r\n\"lane_config\": {\"cameras\": [\r\n\t{\"camera_id\": \"a\",\t\"fileSrc\": \"clips/till.y4m\", \"workloads\": [\"scan\"], \"width\": 640, \"height\": 480}\r\n]  }}",
    );
    ws.lp("add camera clips/till.y4m").success().stderr(expect![[r#"
        640x480 at 15 fps, like all other cameras; `clips/till.y4m` was not read: no worker: `/no/such/worker` does not exist
        added the camera `till` at configs/camera_to_workload.json:4; try: lp run till
    "#]]);
    assert_eq!(
        ws.read(FILE),
        "{ \"_notes\": [1,2 ],\r\n\"lane_config\": {\"cameras\": [\r\n\t{\"camera_id\": \"a\",\t\"fileSrc\": \"clips/till.y4m\", \"workloads\": [\"scan\"], \"width\": 640, \"height\": 480},\r\n\t{\"camera_id\": \"till\",\t\"fileSrc\": \"clips/till.y4m\", \"width\": 640, \"height\": 480, \"fps\": 15, \"workloads\": [\"scan\"]}\r\n]  }}"
    );
    ws.lp("check --strict").success();
    ws.lp("build plan").success();
}

#[test]
fn streams_and_usb_cameras_get_the_next_number() {
    let ws = two_cameras();
    ws.lp("add camera rtsp://cam/1 --workloads motion,SCAN --fps 30000/1001 --size 1280x720")
        .success()
        .stderr(expect![[r#"
            1280x720 at 29.97 fps, as asked
            added the camera `camera-3` at configs/camera_to_workload.json:6; try: lp run camera-3
        "#]]);
    ws.lp("add camera /dev/video0 --workloads scan --name=-back").success().stderr(expect![[r#"
        1920x1080 at 15 fps, the default; `lp` does not ask the source: `--size` and `--fps` give other values
        added the camera `-back` at configs/camera_to_workload.json:7; try: lp run -- -back
    "#]]);
    ws.lp("add camera https://host/v/door.mp4?x=1 --workloads scan").success();
    let added = ws.read(FILE);
    let added: Vec<&str> = added.lines().skip(5).take(3).map(str::trim).collect();
    expect![[r#"
        {"camera_id": "camera-3", "streamUri": "rtsp://cam/1", "width": 1280, "height": 720, "fps": 29.97, "workloads": ["motion", "scan"]},
        {"camera_id": "-back", "streamUri": "v4l2:///dev/video0", "width": 1920, "height": 1080, "fps": 15, "workloads": ["scan"]},
        {"camera_id": "door", "fileSrc": "door.mp4|https://host/v/door.mp4?x=1", "width": 1920, "height": 1080, "fps": 15, "workloads": ["scan"]}"#]]
    .assert_eq(&added.join("\n"));
    ws.lp("check --strict").success();
}

#[test]
fn a_video_outside_and_one_whose_name_is_taken_get_a_name_and_file() {
    let ws = without_worker(cameras(&["clips/till.y4m"])).file("../far/till.y4m", VIDEO);
    let ws = ws.file("clips/a|b.y4m", VIDEO).file("sub/x", "");
    let far = ws.root().with_file_name("far").join("till.y4m");
    let scan = |file: &'static str| ["add", "camera", "--workloads", "scan", file];
    ws.lp(scan("../far/till.y4m")).success();
    ws.lp(scan("clips/a|b.y4m")).success();
    // The same videos again are the same clips.
    ws.lp(scan("sub/../clips/till.y4m")).success();
    ws.lp(["-C", "sub", "add", "camera", "--workloads", "scan", "../../far/till.y4m"]).success();
    let listed = ws.lp("list cameras --json").success().stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let names: Vec<&str> =
        listed["cameras"].as_array().unwrap().iter().map(|one| one["camera"].as_str().unwrap()).collect();
    assert_eq!(names, ["till-1", "till", "a|b", "till-2", "till-3"]);
    let text = ws.read(FILE);
    let named = format!("\"till-2.y4m|file:{}\"", far.display());
    assert_eq!(text.matches(&named).count(), 2, "{text}");
    assert!(text.contains("\"a_b.y4m|file:clips/a|b.y4m\""), "{text}");
    assert_eq!(text.matches("\"clips/till.y4m\"").count(), 2, "{text}");
    ws.lp("check").success();
}

#[test]
fn a_missing_file_an_empty_list_and_those_of_flags_and_profiles_are_written() {
    let ws = no_cameras();
    let add = |flags: &str| ws.lp(&format!("{flags} add camera clips/till.y4m")).success();
    add("").stderr(expect![[r#"
        1920x1080 at 15 fps, the default; `clips/till.y4m` was not read: no worker: `/no/such/worker` does not exist
        added the camera `till` at configs/camera_to_workload.json:4; try: lp run till
    "#]]);
    ws.lp("check --strict").success();
    ws.write("night.json", "{\n\t\"lane_config\": {\n\t\t\"cameras\": []\n\t}\n}\n");
    ws.write("Lpfile.toml", "profile.night.project.cameras = \"night.json\"\n");
    add("--profile night").stderr_has("at night.json:4; try: lp --profile night run till");
    add("--cameras day.json").stderr_has("at day.json:4; try: lp --cameras day.json run till");
    expect![[r#"
        {
        	"lane_config": {
        		"cameras": [
        			{
        				"camera_id": "till",
        				"fileSrc": "clips/till.y4m",
        				"width": 1920,
        				"height": 1080,
        				"fps": 15,
        				"workloads": ["scan"]
        			}
        		]
        	}
        }
    "#]]
    .assert_eq(&ws.read("night.json"));
    ws.lp("check --profile night").success();
    assert_eq!(ws.read("day.json"), ws.read(FILE));
}

#[test]
fn a_dry_run_and_a_document_have_the_camera_without_its_password() {
    let ws = no_cameras();
    let ended = ws.lp("add camera rtsp://bob:secret@cam/1 -n").success();
    assert!(!ws.exists(FILE));
    ended.stdout(expect![[r#"
        {
          "camera_id": "camera-1",
          "streamUri": "rtsp://***@cam/1",
          "width": 1920,
          "height": 1080,
          "fps": 15,
          "workloads": ["scan"]
        }
    "#]]);
    let ended = ws.lp("add camera rtsp://bob:secret@cam/1 --fps 25 --json").success();
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    assert!(ended.stderr.contains("${CAM_USER}"), "{}", ended.stderr);
    ended.stdout(expect![[r#"
        {
          "camera": {
            "camera_id": "camera-1",
            "fps": 25,
            "height": 1080,
            "streamUri": "rtsp://***@cam/1",
            "width": 1920,
            "workloads": [
              "scan"
            ]
          },
          "file": "configs/camera_to_workload.json",
          "fps_from": "flag",
          "line": 4,
          "size_from": "default",
          "version": 1,
          "written": true
        }
    "#]]);
    assert!(ws.read(FILE).contains("rtsp://bob:secret@cam/1"));
}

#[test]
fn what_cannot_be_added_is_refused_and_nothing_is_written() {
    let ws = two_cameras().file("page.mp4", "<!DOCTYPE html><title>Sign in</title>");
    for (arguments, texts) in [
        ("clips/tilt.y4m", &["`clips/tilt.y4m` does not exist", "did you mean `clips/till.y4m`?"][..]),
        ("no/till.y4m", &["there is no folder `<project>/no`"]),
        ("clips", &["`clips` is a folder, not a video", "such as `clips/till.y4m`"]),
        ("page.mp4 --workloads scan", &["is no video: it is an HTML page titled `Sign in`"]),
        ("clips/till.y4m", &["2 workloads", "several with commas: `scan`, `motion`"]),
        (
            "clips/till.y4m --workloads scam,x",
            &["did you mean `scan`?", "mapped workloads: `scan`, `motion`"],
        ),
        ("clips/till.y4m --workloads scan --name camera-1", &["LP0401", "two cameras have the name"]),
        ("clips/till.y4m --workloads scan --size 641x480", &["LP0"]),
        ("clips/till.y4m --workloads scan --size 640", &["expected width and height"]),
        ("clips/till.y4m --workloads scan --fps 0", &["expected frames per second"]),
        ("ftp://host/x.mp4 --workloads scan", &["must be the URI of a stream", "writes nothing"]),
        ("file:///x.mp4 --workloads scan", &["give the path of the file"]),
    ] {
        let ended = ws.lp(&format!("add camera {arguments}")).code(2);
        for text in texts {
            assert!(ended.stderr.contains(text), "`{text}` is not in:\n{}", ended.stderr);
        }
        assert_eq!(ws.read(FILE), CAMERAS, "{arguments}");
    }
    for (file, text) in [
        (FILE, "{\"lane_config\": {\"cameras\": [ // tills\n]}}"),
        (FILE, "{\"lane_config\": {}}"),
        (FILE, "\u{fffd}\0"),
        ("configs/workload_to_pipeline.json", "{}"),
    ] {
        ws.write(FILE, CAMERAS);
        ws.write("configs/workload_to_pipeline.json", WORKLOADS);
        ws.write(file, text);
        ws.lp("add camera clips/till.y4m --workloads scan").code(2).stderr_has("error[LP");
        assert_eq!(ws.read(file), text);
    }
    Workspace::empty().file("x.y4m", VIDEO).lp("add camera x.y4m").code(2).stderr_has("lp init");
}

#[test]
fn a_linked_file_stays_a_link_with_its_mode_and_its_byte_order_mark() {
    let ws = no_cameras();
    let text = "\u{feff}{\"lane_config\": {\"cameras\": []}}";
    ws.write("../shared/cameras.json", text);
    let real = ws.path("../shared/cameras.json");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&real, ws.path(FILE)).unwrap();
    ws.lp("add camera clips/till.y4m").success();
    assert!(fs::symlink_metadata(ws.path(FILE)).unwrap().is_symlink());
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    let new = fs::read_to_string(&real).unwrap();
    assert!(new.starts_with('\u{feff}') && new.contains("\"till\""), "{new}");
    assert_eq!(fs::read_dir(real.parent().unwrap()).unwrap().count(), 1, "no temporary file is left");
}
