//! Videos of the user's own: how cameras name them, and what `lp` says of missing ones.

use std::fs;
use std::os::unix::fs::symlink;

use expect_test::expect;

use crate::support::{WORKLOADS, Workspace};

/// The begin of a video, which nobody here decodes.
pub(crate) const VIDEO: &str = "YUV4MPEG2 W64 H48 F15:1\n";

/// A project with one camera for each of these.
pub(crate) fn cameras(sources: &[&str]) -> Workspace {
    let camera = |(n, source): (usize, &&str)| {
        format!(r#"{{"camera_id": "till-{}", "fileSrc": "{source}", "workloads": ["scan"]}}"#, n + 1)
    };
    let cameras: Vec<String> = sources.iter().enumerate().map(camera).collect();
    let cameras = format!("{{\"lane_config\": {{\"cameras\": [\n  {}\n]}}}}\n", cameras.join(",\n  "));
    Workspace::empty()
        .file("Lpfile.toml", "")
        .file("configs/camera_to_workload.json", &cameras)
        .file("configs/workload_to_pipeline.json", WORKLOADS)
}

#[test]
fn an_own_file_is_an_input_and_nothing_fetches_it() {
    let ws = cameras(&["clips/a.y4m", "b.y4m|file:clips/b.y4m", "c.y4m|file:../far/c.y4m", "d.y4m"]);
    let ws = ws.file("clips/a.y4m", VIDEO).file("clips/b.y4m", VIDEO);
    let ws = ws.file("../far/c.y4m", VIDEO).file("d.y4m", VIDEO);
    ws.lp("check").success();
    ws.lp("graph assets").success().stdout(expect![[r#"
        transcode:a.y4m@1920x1080@15  new
        transcode:b.y4m@1920x1080@15  new
        transcode:c.y4m@1920x1080@15  new
        transcode:d.y4m@1920x1080@15  new
    "#]]);
    let graph = ws.lp("graph --json assets").success().stdout;
    assert!(!graph.contains(ws.root().to_str().unwrap()), "{graph}");
}

#[test]
fn a_missing_own_file_may_have_been_written_with_the_separators_of_another_system() {
    let ws =
        cameras(&[r"clips\\till.y4m", r"C:\\videos\\till.y4m", "till.y4m"]).file("clips/till.y4m", VIDEO);
    let ended = ws.lp("check").code(2);
    let helps = ended.stderr.lines().map(str::trim).filter(|line| line.starts_with("= help: "));
    let helps = helps.map(|line| format!("{line}\n"));
    expect![[r#"
          = help: did you mean `clips/till.y4m`?
          = help: write `/` between folders, and the path that the file has on this machine
          = help: write its path in the project, or `till.y4m|file:/path/till.y4m`
    "#]]
    .assert_eq(&helps.collect::<String>());
}

#[test]
fn a_missing_own_file_is_an_error_at_its_place_before_anything_starts() {
    let ws =
        cameras(&["clips/scan.y4m", "x.mp4|file:/no/such/folder/x.mp4", "y.y4m|file:clips/y.y4m", "z.y4m"])
            .file("clips/scam.y4m", VIDEO)
            .file("media/z.y4m", VIDEO);
    symlink("nowhere", ws.path("clips/y.y4m")).unwrap();
    let report = |command: &str| {
        let ended = ws.lp(command).code(2);
        let wanted = ["error[", " --> configs/camera", "  = help"];
        let lines = ended.stderr.lines().filter(|line| wanted.iter().any(|begin| line.starts_with(begin)));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let checked = report("check");
    expect![[r#"
        error[LP0420]: `clips/scan.y4m` does not exist
         --> configs/camera_to_workload.json:2:38
          = help: did you mean `clips/scam.y4m`?
        error[LP0420]: `/no/such/folder/x.mp4` does not exist: there is no folder `/no/such/folder`
         --> configs/camera_to_workload.json:3:38
          = help: a relative path begins in the project's folder
        error[LP0420]: `clips/y.y4m` is a link to `nowhere`, which does not exist
         --> configs/camera_to_workload.json:4:38
        error[LP0420]: `z.y4m` does not exist
         --> configs/camera_to_workload.json:5:38
          = help: did you mean `media/z.y4m`?
    "#]]
    .assert_eq(&checked);
    assert_eq!(report("build"), checked);
    assert_eq!(report("run"), checked);
    // Plans do not depend on it.
    ws.lp("build plan").success();
}

#[test]
fn a_file_that_is_no_video_is_named_with_what_it_is() {
    let ws = cameras(&["clips", "page.mp4", "empty.mp4", "x.mp4|file:/dev/null", "photo.mp4"])
        .file("clips/a.y4m", VIDEO)
        .file("page.mp4", "<!DOCTYPE html><title>Sign in</title>")
        .file("empty.mp4", "")
        .file("photo.mp4", "GIF89a");
    let ended = ws.lp("check").code(2);
    for text in [
        "`clips` is a folder, not a video",
        "write the path of a file in it, such as `clips/a.y4m`",
        "`page.mp4` is no video: it is an HTML page titled `Sign in`",
        "`empty.mp4` is empty",
        "`/dev/null` is no regular file",
        "for a USB camera, write `\"streamUri\": \"v4l2:///dev/null\"`",
        "`photo.mp4` is no video: it is a GIF picture",
    ] {
        assert!(ended.stderr.contains(text), "`{text}` is not in:\n{}", ended.stderr);
    }
}

#[test]
fn a_task_may_make_an_own_file() {
    let ws = cameras(&["clips/scan.y4m"]).file(
        "Lpfile.toml",
        "[[task]]\nname = \"cut\"\ncommand = [\"cp\", \"long.y4m\", \"clips/scan.y4m\"]\n\
         inputs = [\"long.y4m\"]\noutputs = [\"clips/scan.y4m\"]\n",
    );
    let ws = ws.file("long.y4m", VIDEO);
    ws.lp("check").success();
    ws.lp("graph --deps transcode:scan.y4m@1920x1080@15").success().stdout(expect![[r#"
        task:cut
    "#]]);
}

#[test]
fn a_path_of_an_asset_takes_the_place_of_a_url() {
    let ws = cameras(&["scan.y4m|https://media.example/scan.mp4"])
        .file("Lpfile.toml", "[asset.\"scan.y4m\"]\npath = \"../far/other.y4m\"\n")
        .file("../far/other.y4m", VIDEO);
    ws.lp("check").success();
    ws.lp("graph assets").success().stdout(expect![[r#"
        transcode:scan.y4m@1920x1080@15  new
    "#]]);
    fs::remove_file(ws.path("../far/other.y4m")).unwrap();
    let ended = ws.lp("check").code(2);
    ended.stderr_has("--> Lpfile.toml:2:8").stderr_has("/far/other.y4m` does not exist");
}
