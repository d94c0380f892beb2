//! Own videos that are played: outside the project, and only read.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::workspace::Workspace;

/// Writes a clip of the test pattern.
pub(crate) fn video(path: &Path, pattern: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i"])
        .arg(format!("{pattern}=size=160x120:rate=15"))
        .args(["-frames:v", "15", "-pix_fmt", "yuv420p", "-threads", "1"])
        .arg(path)
        .status()
        .unwrap();
    assert!(status.success());
}

/// A project with one camera over this source.
pub(crate) fn project(source: &str) -> Workspace {
    let cameras = format!(
        r#"{{"lane_config": {{"cameras": [{{"camera_id": "till", "fileSrc": "{source}",
        "width": 160, "height": 120, "fps": 15, "workloads": ["codes"]}}]}}}}"#
    );
    Workspace::empty()
        .file("Lpfile.toml", "")
        .file("configs/camera_to_workload.json", &cameras)
        .file(
            "configs/workload_to_pipeline.json",
            r#"{"workload_pipeline_map": {"codes": [{"type": "zbar"}]}}"#,
        )
        .env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"))
}

#[test]
fn a_video_outside_the_project_is_played_and_its_edit_is_seen() {
    let ws = project("scan.mp4|file:../far/my scan.mp4");
    let far = ws.path("../far/my scan.mp4");
    video(&far, "testsrc2");
    let before = fs::metadata(&far).unwrap();
    ws.lp("run --duration 1s").stderr_has("run:lane");
    assert!(ws.exists("media/clips/scan-160x120-15.mp4"));
    assert!(!ws.exists("media/scan.mp4"), "nothing copies it");
    let after = fs::metadata(&far).unwrap();
    let identity = |found: &fs::Metadata| (found.ino(), found.mode(), found.nlink(), found.mtime_nsec());
    assert_eq!(identity(&before), identity(&after), "it is only read");
    ws.lp("build assets").success().stderr_has("nothing to do");

    video(&far, "smptebars");
    let shown = format!("transcode:scan.mp4@160x120@15  stale: `{}` changed", far.display());
    let shown = shown.replace(ws.root().to_str().unwrap(), "<project>");
    ws.lp("build -n").success().stderr_has(&shown);
    ws.lp("graph assets").success().stdout_has(&shown);
    ws.lp("explain transcode:scan.mp4@160x120@15").success().stdout_has("my scan.mp4` changed");
    ws.lp("build").success().stderr_has(&shown);
    ws.lp("build").success().stderr_has("nothing to do");
}

#[test]
fn a_moved_folder_of_own_videos_rebuilds_nothing() {
    let ws = project("scan.mp4|file:../far/scan.mp4");
    video(&ws.path("../far/scan.mp4"), "testsrc2");
    ws.lp("build").success();
    fs::rename(ws.path("../far"), ws.path("../there")).unwrap();
    ws.lp("build").code(2).stderr_has("/far/scan.mp4` does not exist");
    let config = ws.read("configs/camera_to_workload.json").replace("../far", "../there");
    ws.write("configs/camera_to_workload.json", &config);
    ws.lp("build").success().stderr_has("nothing to do");
}

#[test]
fn a_file_that_cannot_be_decoded_is_named_by_its_place() {
    let ws = project("scan.mp4|file:../far/scan.mp4");
    ws.write("../far/scan.mp4", "\0\0\0\u{14}ftypisom\0\0\0\0isomnothing else");
    ws.lp("build").code(1).stderr_has("/far/scan.mp4` ");
}
