//! Searches for the density in a control group with little memory: the kernel may never have to kill
//! anything, and the guard may not be much too careful.
//!
//! The machine is simulated (`tests/e2e/simulated-worker`), but the memory is really taken: each stream
//! fills a file in memory, at once or some time after its start, and the more streams play, the more.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::group::Group;
use crate::random::Random;
use crate::say;

/// Trials of a whole campaign, and if the part is asked for alone.
const WHOLE: u64 = 100;
const FEW: u64 = 5;

/// A folder whose files are memory of the group that writes them.
const MEMORY: &str = "/dev/shm";

/// The least part of the lanes for which there is memory that the guard may leave.
const LEAST: f64 = 0.5;

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/simulated-worker");

/// What streams need, in MiB.
#[derive(Debug)]
struct Need {
    cap: usize,
    each: usize,
    /// Besides, for each stream that plays when one takes its memory.
    more: usize,
    /// After so many seconds.
    after: usize,
}

impl Need {
    fn of(random: &mut Random) -> Need {
        Need {
            cap: random.between(260, 640),
            each: random.between(8, 60),
            more: if random.percent(50) { random.between(1, 4) } else { 0 },
            after: *random.pick(&[0, 0, 2, 8]),
        }
    }

    /// The most streams for which there is memory, without the guard's reserve of 64 MiB and what `lp` needs.
    fn fits(&self) -> usize {
        let needed = |n: usize| n * self.each + self.more * n * (n + 1) / 2;
        (1..).take_while(|n| needed(*n) + 64 + 24 <= self.cap).last().unwrap_or(0)
    }
}

/// Runs the part. Whether nothing was killed.
pub(crate) fn run(seed: u64, is_full: bool, folder: &Path) -> bool {
    let machine = Path::new(MEMORY).join(format!("lp-campaign-guard-{}", std::process::id()));
    let root = folder.join(format!("lp-campaign-guard-{}", std::process::id()));
    let n = if is_full { WHOLE } else { FEW };
    let (mut n_killed, mut n_failed, mut n_timid, mut parts) = (0, 0, 0, Vec::new());
    for trial in 0..n {
        let need = Need::of(&mut Random::new(Random::case_seed(seed, "guard", trial)));
        let limit = ("memory.limit_in_bytes", (need.cap << 20).to_string());
        let group = match Group::make("memory", &[limit]) {
            Ok(group) => group,
            Err(why) => {
                let is_first = trial == 0;
                say(&format!("campaign: guard: {}, {why}", if is_first { "SKIPPED" } else { "FAILED" }));
                return is_first;
            }
        };
        write_project(&root, &machine, &need);
        let (is_well, told, at_least) = search(&root, &machine, &group);
        let is_killed = !group.read("memory.oom_control").lines().any(|line| line == "oom_kill 0");
        let fits = need.fits();
        let is_timid = (at_least as f64) < (LEAST * fits as f64).floor();
        n_killed += u64::from(is_killed);
        n_failed += u64::from(!is_well);
        n_timid += u64::from(is_timid);
        if is_killed || !is_well || is_timid {
            say(&format!("campaign: guard: trial {trial}: {need:?}, {fits} fit, {at_least} found: {told}"));
        }
        if fits > 0 {
            parts.push(at_least as f64 / fits as f64);
        }
        let _ = fs::remove_dir_all(&machine);
        crate::tree::remove(&root);
    }
    parts.sort_by(f64::total_cmp);
    let median = parts.get(parts.len() / 2).copied().unwrap_or(0.0);
    let is_well = n_killed == 0 && n_failed == 0 && n_timid == 0;
    say(&format!(
        "campaign: guard: {n} searches: {n_killed} with something killed, {n_failed} failed, {n_timid} found less than half \
         of what fits; median {:.0} % of it{}",
        100.0 * median,
        if is_well { "" } else { ", FAILED" },
    ));
    is_well
}

/// Whether the search ended well, what it said, and its lanes.
fn search(root: &Path, machine: &Path, group: &Group) -> (bool, String, u64) {
    let lp = std::env::var_os("LP_CAMPAIGN_LP").unwrap_or_else(|| env!("CARGO_BIN_EXE_lp").into());
    let mut sh = Command::new("sh");
    let ended = group
        .enter(&mut sh)
        .arg(lp)
        .args(["density", "--confidence", "80%", "--budget", "30m"])
        .current_dir(root)
        .env("LP_LOCK_DIR", root.join("lock"))
        .env("LP_WORKER", WORKER)
        .env("SIMULATED_WORKER", machine)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let told = format!("{}{}", text(&ended.stderr), text(&ended.stdout));
    let record = fs::read(root.join("results/density/lane.json")).unwrap_or_default();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
    (ended.status.success(), told, record["answer"]["at_least"].as_u64().unwrap_or(0))
}

fn write_project(root: &Path, machine: &Path, need: &Need) {
    for folder in [&root.join("configs"), &root.join("lock"), machine] {
        fs::create_dir_all(folder).unwrap();
    }
    let write = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
    write("Lpfile.toml", "[run]\nisolation = \"lane\"\n\n[density]\nlimiter = false\n");
    write(
        "configs/camera_to_workload.json",
        r#"{"lane_config": {"cameras": [{"camera_id": "till", "streamUri": "rtsp://h/1", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}]}}"#,
    );
    write("configs/workload_to_pipeline.json", r#"{"workload_pipeline_map": {"w": [{"type": "zbar"}]}}"#);
    fs::write(machine.join("capacity"), "9999\n").unwrap();
    fs::write(machine.join("takes"), format!("{} {} {}\n", need.each, need.more, need.after)).unwrap();
}
