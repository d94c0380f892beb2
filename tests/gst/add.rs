//! `lp add camera` with a worker, which looks into the video.

use std::process::Command;

use crate::own::project;

#[test]
fn size_and_rate_are_those_of_the_video() {
    let ws = project("a.mp4|https://media.example/a.mp4");
    std::fs::create_dir(ws.path("clips")).unwrap();
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=322x240:rate=30000/1001"])
        .args(["-frames:v", "60", "-pix_fmt", "yuv420p", "-c:v", "mjpeg", "-threads", "1"])
        .arg(ws.path("clips/my till.mkv"))
        .status()
        .unwrap();
    assert!(status.success());
    let ended = ws.lp(["add", "camera", "clips/my till.mkv"]).success();
    let said = "322x240 at 29.97 fps, as in the file; it has MJPEG\nadded the camera `my till`";
    assert!(ended.stderr.starts_with(said), "{}", ended.stderr);
    let cameras = ws.read("configs/camera_to_workload.json");
    let added: serde_json::Value = serde_json::from_str(&cameras).unwrap();
    let added = &added["lane_config"]["cameras"][1];
    assert_eq!(added["fileSrc"], "clips/my till.mkv");
    assert_eq!((added["width"].as_u64(), added["fps"].as_f64()), (Some(322), Some(29.97)));
    assert_eq!(added["workloads"][0], "codes");

    // What a flag gives is not asked of the file.
    let ended = ws.lp(["add", "camera", "clips/my till.mkv", "--size", "160x120"]).success();
    let said = "160x120, as asked, at 29.97 fps, as in the file; it has 322x240 of MJPEG\n";
    assert!(ended.stderr.starts_with(said), "{}", ended.stderr);
}

#[test]
fn a_file_that_cannot_be_played_is_refused_unless_flags_say_all() {
    let ws = project("a.mp4|https://media.example/a.mp4");
    let before = ws.read("configs/camera_to_workload.json");
    ws.write("scan.mp4", "\0\0\0\u{14}ftypisom\0\0\0\0isomnothing else");
    ws.lp("add camera scan.mp4").code(2).stderr_has("`scan.mp4` cannot be read: ");
    assert_eq!(ws.read("configs/camera_to_workload.json"), before);
    ws.lp("add camera scan.mp4 --size 160x120 --fps 15").success();
}
