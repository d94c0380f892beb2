//! Builds that make video: what runs again, and whether a worker is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::project::short;
use crate::workspace::Workspace;

/// A project whose workers leave a line in `started.txt` each.
fn counting() -> Workspace {
    let ws = short(&[("good", r#"{"type": "zbar"}"#)]);
    let script = format!(
        "#!/bin/sh\necho started >> {}/started.txt\nexec {}\n",
        ws.root().display(),
        env!("CARGO_BIN_EXE_lp-worker")
    );
    ws.write("worker", &script);
    fs::set_permissions(ws.path("worker"), fs::Permissions::from_mode(0o755)).unwrap();
    let worker = ws.path("worker").to_str().unwrap().to_owned();
    ws.env("LP_WORKER", &worker)
}

#[test]
fn a_second_build_runs_nothing_and_starts_no_worker() {
    let ws = counting();
    ws.lp("build").success().stderr_has("4 tasks ran");
    let n_started = ws.read("started.txt").lines().count();
    assert_eq!(n_started, 4, "to say what the machine has, to draw, to look at the clip, to transcode");
    ws.lp("build").success().stderr_has("nothing to do: 4 tasks fresh");
    ws.lp("graph").success();
    ws.lp("explain assets").success();
    assert_eq!(ws.read("started.txt").lines().count(), n_started);
}

#[test]
fn a_comment_in_a_scene_draws_nothing_again_and_a_deleted_clip_is_restored() {
    let ws = counting();
    ws.lp("build").success();
    let n_started = ws.read("started.txt").lines().count();
    let scene = format!("# The same scene.\n{}", ws.read("configs/scenes/short.toml"));
    ws.write("configs/scenes/short.toml", &scene);
    fs::remove_file(ws.path("media/short.mp4")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `media/short.mp4` was deleted");
    assert_eq!(ws.read("started.txt").lines().count(), n_started);
    ws.write("configs/scenes/short.toml", &scene.replace("duration_s = 3.0", "duration_s = 2.5"));
    ws.lp("build").success().stderr_has("`duration_s` changed from 3 to 2.5");
}

#[test]
fn a_drawn_clip_does_not_replace_a_file_that_lp_did_not_make() {
    let ws = counting();
    let in_the_way = "`media/short.mp4` is in the way: `lp` did not make it, so it does not replace it\n";
    ws.write("media/short.mp4", "mine");
    ws.lp("build").code(1).stderr_has(in_the_way).stderr_has("hint: delete it or move it away");
    assert_eq!(ws.read("media/short.mp4"), "mine");
    fs::remove_file(ws.path("media/short.mp4")).unwrap();
    ws.lp("build").success();

    let drawn = fs::read(ws.path("media/short.mp4")).unwrap();
    fs::remove_file(ws.path("media/short.mp4")).unwrap();
    ws.write("media/short.mp4", "mine again");
    ws.lp("build").code(1).stderr_has(in_the_way);
    assert_eq!(ws.read("media/short.mp4"), "mine again");
    fs::remove_file(ws.path("media/short.mp4")).unwrap();
    ws.lp("build").success().stderr_has("restored: output `media/short.mp4` was deleted");

    // Without the store it is drawn once more; it comes out the same, so nothing is in the way.
    fs::remove_dir_all(ws.path(".lpcache")).unwrap();
    ws.lp("build").success();
    assert!(fs::read(ws.path("media/short.mp4")).unwrap() == drawn);
    // After `lp cache clean`, `lp` still knows what it made.
    ws.lp("cache clean").success();
    let scene = ws.read("configs/scenes/short.toml").replace("duration_s = 3.0", "duration_s = 2.5");
    ws.write("configs/scenes/short.toml", &scene);
    ws.lp("build").success();
    assert!(fs::read(ws.path("media/short.mp4")).unwrap() != drawn);
}

#[test]
fn a_build_reuses_a_measurement_and_a_run_does_not() {
    let ws = counting();
    ws.lp("run --no-verdict good").success().stderr_has("run:good");
    ws.lp("build report:good").success().stderr_has("nothing to do");
    let explained = ws.lp("explain run:good").success().stdout;
    assert!(explained.contains("`lp build` would reuse record"), "{explained}");
    assert!(explained.contains("(repeat 1)"), "{explained}");
    ws.lp("run --no-verdict good").success().stderr_has("a run always measures");
    assert!(ws.lp("explain run:good").success().stdout.contains("(repeat 2)"));
    // Emptying the store keeps measurements: they cannot be made again.
    ws.lp("cache clean").success().stderr_has("measurements are kept");
    ws.lp("report").success();
}
