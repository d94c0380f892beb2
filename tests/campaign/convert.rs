//! YOLO is converted for real: with the packages that `lp` pins, which are gigabytes, out of random
//! weights, which the package itself makes. `lp assets fetch` dies while it installs and while it
//! converts; the fetch after it must end with the files of one without faults, for FP32 and FP16 byte for
//! byte. INT8 is calibrated, which is not repeatable, so of it only the size of the weights is compared.
//!
//! It needs an index of packages, so it runs only as a part of the whole campaign or if it is
//! asked for, and is skipped where there is no `pip` or no index.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::random::Random;
use crate::running::{Ended, Running, alive_below};
use crate::{say, tree};

/// Kills in a whole campaign, and if it is asked for alone.
const WHOLE: u64 = 20;
const FEW: u64 = 4;

/// Gigabytes are installed.
const LIMIT: Duration = Duration::from_secs(40 * 60);

const FETCH: [&str; 3] = ["assets", "fetch", "--models"];
const CALIBRATION: &str = "models/calibration/few.mp4";
const PRECISIONS: [&str; 3] = ["FP32", "FP16", "INT8"];

/// Makes weights of this architecture, whose numbers are random, and a video of a few pictures.
const WEIGHTS: &str = r#"
import os, sys
sys.path.insert(0, sys.argv[1])
os.environ.update(YOLO_AUTOINSTALL="false", YOLO_OFFLINE="true", YOLO_CONFIG_DIR=os.getcwd())
import cv2, numpy, torch
torch.manual_seed(7)
video = cv2.VideoWriter(sys.argv[3], cv2.VideoWriter_fourcc(*"mp4v"), 5, (320, 240))
for n in range(12):
    video.write(numpy.random.default_rng(n).integers(0, 255, (240, 320, 3), dtype=numpy.uint8))
video.release()
from ultralytics import YOLO
YOLO("yolo11n.yaml").save(sys.argv[2])
"#;

/// Runs the part. Whether all ended as it should.
pub(crate) fn run(seed: u64, is_full: bool, folder: &Path) -> bool {
    let root = folder.join(format!("lp-campaign-convert-{}", std::process::id()));
    match try_run(seed, if is_full { WHOLE } else { FEW }, &root) {
        Ok(line) => {
            say(&format!("campaign: convert: {line}"));
            tree::remove(&root);
            true
        }
        Err(why) => {
            say(&format!("campaign: convert: FAILED: {why}\n  kept: {}", root.display()));
            false
        }
    }
}

fn try_run(seed: u64, n_kills: u64, root: &Path) -> Result<String, String> {
    let index = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--quiet", "--dest"])
        .arg(root.join("probe"))
        .arg("typing-extensions==4.15.0")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !index.is_ok_and(|status| status.success()) {
        return Ok("SKIPPED, there is no `pip`, or no index of packages".to_owned());
    }
    let place = root.join("p");
    project(&place);
    let ended = fetch(&place)?;
    let refusal = "the weights cannot be loaded, so they are none of Ultralytics' YOLO";
    if ended.code != Some(1) || !ended.stderr.contains(refusal) {
        return Err(format!("no refusal of what is no weights: {:?}\n{}", ended.code, ended.stderr));
    }
    let environments =
        fs::read_dir(place.join(".lpcache/environments")).map_err(|error| error.to_string())?;
    let environments: Vec<PathBuf> = environments.map(|entry| entry.unwrap().path()).collect();
    let [environment] = environments.as_slice() else {
        return Err(format!("there are the environments {environments:?}"));
    };
    weights(&place, environment)?;
    let ended = fetch(&place)?;
    well(&ended)?;
    let converting = ended.took;
    check(&place)?;
    let wanted = models(&place)?;

    let mut random = Random::new(seed);
    let (mut killed, mut late) = (0, 0);
    for n in 0..n_kills {
        // One of four has to install again; the others lose a part of the models.
        let is_new = n % 4 == 3;
        let mut story = String::new();
        if is_new {
            fs::remove_dir_all(place.join(".lpcache/environments")).unwrap();
            story.push_str("without an environment, ");
        }
        let lost = random.pick(&PRECISIONS);
        tree::remove(&place.join(format!("models/object_detection/ours/{lost}")));
        forget(&place);
        let time = if is_new { Duration::from_secs(60) } else { converting };
        let moment = time.mul_f64(random.fraction());
        let is_alone = random.percent(50);
        story.push_str(&format!("killed after {} ms, alone: {is_alone}", moment.as_millis()));
        let mut running = Running::start(&place, 0, &FETCH, &[]);
        running.run_for(moment);
        if is_alone {
            running.signal(Signal::KILL)
        } else {
            running.kill_all()
        }
        match running.wait_within(LIMIT)?.code {
            None => killed += 1,
            Some(_) => late += 1,
        }
        well(&fetch(&place)?).map_err(|why| format!("{story}: {why}"))?;
        check(&place).map_err(|why| format!("{story}: {why}"))?;
        let found = models(&place)?;
        if found != wanted {
            return Err(format!("{story}: it differs from one without faults: {found:?}, not {wanted:?}"));
        }
    }
    Ok(format!(
        "{killed} kills, {late} too late; all precisions were made in {:.0} s, and whole each time",
        converting.as_secs_f64()
    ))
}

fn fetch(place: &Path) -> Result<Ended, String> {
    Running::start(place, 0, &FETCH, &[]).wait_within(LIMIT)
}

/// Empties the log and the store, so that all is made again.
fn forget(place: &Path) {
    for name in ["log", "cas", "state", "graph"] {
        tree::remove(&place.join(".lpcache").join(name));
    }
}

/// That nothing is left to do, and nothing behind.
fn check(place: &Path) -> Result<(), String> {
    let ended = fetch(place)?;
    well(&ended)?;
    if !ended.stderr.contains("nothing to do: ") {
        return Err(format!("a further fetch had something to do:\n{}", ended.stderr));
    }
    well(&Running::start(place, 0, &["assets", "verify"], &[]).wait()?)?;
    let mut left = tree::files(&place.join(".lpcache/tmp"));
    left.extend(alive_below(place));
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {}", left.join(", "))) }
}

fn well(ended: &Ended) -> Result<(), String> {
    if ended.code == Some(0) { Ok(()) } else { Err(format!("exit code {:?}:\n{}", ended.code, ended.stderr)) }
}

/// The contents of the models; of INT8, the size of its weights.
fn models(place: &Path) -> Result<Vec<(String, String)>, String> {
    let mut models = Vec::new();
    for precision in PRECISIONS {
        for ending in ["xml", "bin"] {
            let file = place.join(format!("models/object_detection/ours/{precision}/ours.{ending}"));
            let bytes = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let told = match (precision, ending) {
                ("INT8", "xml") => {
                    String::from_utf8_lossy(&bytes).matches("FakeQuantize").count().to_string()
                }
                // The last bytes are numbers of the calibration.
                ("INT8", _) => format!("{} KiB", bytes.len() >> 10),
                _ => blake3::hash(&bytes).to_string(),
            };
            models.push((format!("{precision}.{ending}"), told));
        }
    }
    Ok(models)
}

fn weights(place: &Path, environment: &Path) -> Result<(), String> {
    let weights = place.join("models/object_detection/ours/ours.pt");
    let scratch: PathBuf = place.join("../scratch");
    fs::create_dir_all(&scratch).unwrap();
    let made = Command::new("python3")
        .args(["-I", "-S", "-B", "-c", WEIGHTS])
        .args([environment, weights.as_path(), place.join(CALIBRATION).as_path()])
        .current_dir(&scratch)
        .output()
        .map_err(|error| error.to_string())?;
    if made.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&made.stderr).into_owned()) }
}

/// A camera that needs a model in all precisions, and what it is made out of.
fn project(place: &Path) {
    let step = |precision: &str| {
        format!(r#"{{"type": "gvadetect", "model": "ours", "precision": "{precision}", "device": "CPU"}}"#)
    };
    let workload = |n: usize, precision: &str| format!(r#""w{n}": [{}]"#, step(precision));
    let workloads: Vec<String> =
        PRECISIONS.iter().enumerate().map(|(n, precision)| workload(n, precision)).collect();
    let write = |path: &str, text: &str| {
        let path = place.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("Lpfile.toml", "");
    write(
        "configs/workload_to_pipeline.json",
        &format!("{{\"workload_pipeline_map\": {{{}}}}}", workloads.join(",\n")),
    );
    write(
        "configs/camera_to_workload.json",
        r#"{"lane_config": {"cameras": [{"camera_id": "till", "streamUri": "rtsp://127.0.0.1:9/1", "width": 640, "height": 360, "fps": 15, "workloads": ["w0", "w1", "w2"]}]}}"#,
    );
    write(
        "configs/models/own.toml",
        "[model.ours.convert]\ntool = \"ultralytics\"\ncalibration = \"calibration/few.mp4\"\n",
    );
    // The environment comes first, without weights to convert.
    write("models/object_detection/ours/ours.pt", "no weights");
    write(CALIBRATION, "no video");
}
