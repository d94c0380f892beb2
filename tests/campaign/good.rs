//! Runs of the default lane, whose detectors work: none may be called invalid. Windows are short,
//! cameras few or many, and beside every second run a core is busy, so that frames are late
//! and dropped.
//!
//! It plays real pipelines for minutes, so it runs only as a part of the whole campaign or if
//! it is asked for.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::disturbances::planter;
use crate::random::Random;
use crate::say;

/// Runs in a whole campaign.
const WHOLE: u64 = 50;
/// Runs if it is asked for alone.
const FEW: u64 = 6;

const SECONDS: [u32; 6] = [1, 2, 3, 5, 8, 13];

/// Runs the part. Whether no run was accused.
pub(crate) fn run(seed: u64, is_full: bool, folder: &Path) -> bool {
    let root = folder.join(format!("lp-campaign-good-{}", std::process::id()));
    fs::create_dir_all(root.join("lock")).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["configs", "Lpfile.toml"] {
        let status = Command::new("cp").arg("-R").arg(here.join(name)).arg(&root).status().unwrap();
        assert!(status.success());
    }
    let made = lp(&root, &["build", "assets"]).output().unwrap();
    if !made.status.success() {
        say(&format!("campaign: good: FAILED: {}", String::from_utf8_lossy(&made.stderr)));
        return false;
    }
    let (mut n_detectors, mut n_unsure, mut accused) = (0, 0, Vec::new());
    let n_runs = if is_full { WHOLE } else { FEW };
    for n in 0..n_runs {
        let mut random = Random::new(Random::case_seed(seed, "good", n));
        match one(&root, n % 2 == 1, &mut random) {
            Ok(tally) => {
                n_detectors += tally.n_detectors;
                n_unsure += tally.n_unsure;
                accused.extend(tally.accused);
            }
            Err(why) => accused.push(why),
        }
    }
    say(&format!(
        "campaign: good: {n_runs} runs, {n_detectors} detectors, {n_unsure} of which nobody can tell; {}",
        if accused.is_empty() {
            "none accused".to_owned()
        } else {
            format!("FAILED:\n  {}", accused.join("\n  "))
        },
    ));
    crate::tree::remove(&root);
    accused.is_empty()
}

#[derive(Default)]
struct Tally {
    n_detectors: usize,
    /// Detectors that saw nothing, while nothing was due.
    n_unsure: usize,
    accused: Vec<String>,
}

/// A run. What became of its detectors, or why there is no report.
fn one(root: &Path, is_disturbed: bool, random: &mut Random) -> Result<Tally, String> {
    let seconds = random.pick(&SECONDS);
    let cameras: Vec<String> =
        (1..=6).filter(|_| random.percent(50)).map(|n| format!("camera-{n}")).collect();
    let duration = format!("run.duration={seconds}s");
    let mut arguments = vec!["run", "--no-verdict", "--set", &duration, "--set", "run.warmup=0s"];
    arguments.extend(cameras.iter().map(String::as_str));
    let mut busy: Option<Child> = is_disturbed.then(|| planter(root, "core").spawn().unwrap());
    let output = lp(root, &arguments).output().unwrap();
    if let Some(busy) = &mut busy {
        let _ = busy.kill();
        let _ = busy.wait();
    }
    let about = format!("{arguments:?}, disturbed: {is_disturbed}");
    if !output.status.success() {
        return Err(format!("{about}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let report =
        fs::read(root.join("results/latest/report.json")).map_err(|error| format!("{about}: {error}"))?;
    let report: Value = serde_json::from_slice(&report).map_err(|error| format!("{about}: {error}"))?;
    let mut tally = Tally::default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for stream in list(&report["measurement"]["cameras"]).iter().flat_map(|camera| list(&camera["streams"])) {
        tally.n_detectors += list(&stream["seen"]).len();
        let is_unsure = |note: &&Value| note.as_str().is_some_and(|note| note.starts_with("cannot tell"));
        tally.n_unsure += list(&stream["notes"]).iter().filter(is_unsure).count();
        if stream["verdict"] == "invalid" {
            tally.accused.push(format!("{about}: {}: {}", stream["stream"], stream["reason"]));
        }
    }
    Ok(tally)
}

fn lp(root: &Path, arguments: &[&str]) -> Command {
    let program = std::env::var_os("LP_CAMPAIGN_LP").unwrap_or_else(|| env!("CARGO_BIN_EXE_lp").into());
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root).env("LP_LOCK_DIR", root.join("lock")).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
