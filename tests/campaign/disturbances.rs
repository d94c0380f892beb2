//! Disturbances of the machine, planted while `lp run` measures: 20 % of one core, a memory
//! control group at its limit, a busy disk. Each must be in a line `degraded: ...` within
//! 10 s, in 19 of 20 trials.
//!
//! The planter is this program again, so it is no descendant of `lp`. A trial in which the
//! machine is disturbed like that before anything is planted shows nothing and is counted
//! apart. It runs only as a part of the whole campaign or if it is asked for: it needs minutes, and a
//! machine that is otherwise quiet.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::random::Random;
use crate::say;

/// Trials of each kind in a whole campaign, and how many of them must be found.
const WHOLE: usize = 20;
const SHARE: f64 = 0.95;
/// Trials if it is asked for alone.
const FEW: usize = 4;

/// So soon it must be found.
const LIMIT: Duration = Duration::from_secs(10);

/// What the planter is to do; set for it alone.
pub(crate) const PLANT: &str = "LP_CAMPAIGN_PLANT";

/// What is planted, and the words by which `lp` tells it.
const KINDS: [(&str, &str); 3] = [
    ("cpu", "of the CPU went to other programs"),
    ("memory", "waited for memory"),
    ("disk", "waited for the disk"),
];

const SCRIPT: &str = "#!/bin/sh\nwhile echo 'lp: fps=15.00 dropped=0'; do sleep 1; done\n";

enum Trial {
    Found(Duration),
    Missed,
    /// The machine was disturbed already.
    NotQuiet,
}

/// Runs the part. Whether enough was found.
pub(crate) fn run(seed: u64, is_full: bool, folder: &Path) -> bool {
    let root = folder.join(format!("lp-campaign-disturbances-{}", std::process::id()));
    write_project(&root);
    let group = MemoryGroup::make();
    let mut is_well = true;
    for (kind, words) in KINDS {
        if kind == "memory" && group.is_none() {
            say("campaign: disturbances: memory: SKIPPED, no memory control group can be made here");
            continue;
        }
        let n = if is_full { WHOLE } else { FEW };
        let (mut found, mut missed, mut not_quiet) = (Vec::new(), 0, 0);
        for trial in 0..2 * n as u64 {
            if found.len() + missed == n {
                break;
            }
            let mut random = Random::new(Random::case_seed(seed, kind, trial));
            match one(&root, kind, words, group.as_ref(), &mut random) {
                Trial::Found(after) => found.push(after.as_secs_f64()),
                Trial::Missed => missed += 1,
                Trial::NotQuiet => not_quiet += 1,
            }
        }
        found.sort_by(f64::total_cmp);
        let decided = found.len() + missed;
        let median = found.get(found.len() / 2).map_or("-".to_owned(), |median| format!("{median:.1} s"));
        let is_enough = found.len() as f64 >= SHARE * decided as f64;
        is_well &= is_enough;
        say(&format!(
            "campaign: disturbances: {kind}: {} of {decided} found within 10 s, median {median}; \
             {not_quiet} trials on a machine that was not quiet{}",
            found.len(),
            if is_enough { "" } else { ", FAILED" },
        ));
    }
    drop(group);
    crate::tree::remove(&root);
    is_well
}

/// A camera whose script says that it has 15 fps.
fn write_project(root: &Path) {
    for folder in ["configs", "pipelines", "lock"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let write = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
    write("Lpfile.toml", "[run]\nduration = \"60s\"\nwarmup = \"0s\"\n");
    write(
        "configs/camera_to_workload.json",
        r#"{"lane_config": {"cameras": [{"camera_id": "till", "streamUri": "rtsp://h/1", "width": 640, "height": 360, "fps": 15, "workloads": ["w"]}]}}"#,
    );
    write(
        "configs/workload_to_pipeline.json",
        r#"{"workload_pipeline_map": {"w": [{"script": "pipelines/w.sh"}]}}"#,
    );
    write("pipelines/w.sh", SCRIPT);
    fs::set_permissions(root.join("pipelines/w.sh"), fs::Permissions::from_mode(0o755)).unwrap();
}

fn one(root: &Path, kind: &str, words: &str, group: Option<&MemoryGroup>, random: &mut Random) -> Trial {
    let lp = std::env::var_os("LP_CAMPAIGN_LP").unwrap_or_else(|| env!("CARGO_BIN_EXE_lp").into());
    let mut lp = Command::new(lp)
        .args(["run", "--no-verdict"])
        .current_dir(root)
        .env("LP_LOCK_DIR", root.join("lock"))
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = lines(lp.stderr.take().unwrap());
    // Planted at some moment of a second, when the run has begun and has seen the machine.
    let quiet = Duration::from_millis(3_000 + random.between(0, 2_000) as u64);
    let trial = if is_told(&lines, words, quiet).is_some() {
        Trial::NotQuiet
    } else {
        let mut planter = plant(root, kind, group);
        let found = is_told(&lines, words, LIMIT);
        let _ = planter.kill();
        let _ = planter.wait();
        found.map_or(Trial::Missed, Trial::Found)
    };
    let pid = Pid::from_raw(i32::try_from(lp.id()).unwrap()).unwrap();
    let _ = kill_process(pid, Signal::INT);
    let _ = lp.wait();
    trial
}

/// The lines of a program, as they come.
fn lines(stderr: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

/// How long it takes until a line has these words; `None` if none has within `limit`.
fn is_told(lines: &Receiver<String>, words: &str, limit: Duration) -> Option<Duration> {
    let began = Instant::now();
    loop {
        match lines.recv_timeout(limit.checked_sub(began.elapsed())?) {
            Ok(line) if line.starts_with("degraded: ") && line.contains(words) => {
                return Some(began.elapsed());
            }
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
        }
    }
}

/// This program, to disturb the machine.
pub(crate) fn planter(root: &Path, kind: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(PLANT, kind).current_dir(root).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn plant(root: &Path, kind: &str, group: Option<&MemoryGroup>) -> Child {
    let mut command = planter(root, kind);
    if let Some(group) = group.filter(|_| kind == "memory") {
        command.env("LP_CAMPAIGN_GROUP", &group.0);
    }
    command.spawn().unwrap()
}

/// Disturbs the machine until it is killed.
pub(crate) fn disturb(kind: &str) {
    match kind {
        "core" => loop {
            std::hint::spin_loop();
        },
        "cpu" => loop {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(20) {
                std::hint::spin_loop();
            }
            std::thread::sleep(Duration::from_millis(80));
        },
        "memory" => {
            let group = PathBuf::from(std::env::var_os("LP_CAMPAIGN_GROUP").unwrap());
            fs::write(group.join("cgroup.procs"), std::process::id().to_string()).unwrap();
            // The pages belong to the group that writes them: twice as many as it may have.
            let chunk = vec![1; 1 << 20];
            let mut file = File::create("ballast").unwrap();
            (0..128).for_each(|_| file.write_all(&chunk).unwrap());
            loop {
                let mut file = File::create("ballast").unwrap();
                (0..128).for_each(|_| file.write_all(&chunk).unwrap());
            }
        }
        _ => loop {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).open("ballast").unwrap();
            let chunk = vec![1; 4 << 20];
            for _ in 0..16 {
                file.write_all(&chunk).unwrap();
                file.sync_data().unwrap();
            }
        },
    }
}

/// A control group that may have 64 MiB of memory, of version 1 or 2.
struct MemoryGroup(PathBuf);

impl MemoryGroup {
    fn make() -> Option<MemoryGroup> {
        let name = format!("lp-campaign-{}", std::process::id());
        let places = [("memory", "memory.limit_in_bytes"), ("", "memory.max")];
        places.into_iter().find_map(|(controller, limit)| {
            let folder = Path::new("/sys/fs/cgroup").join(controller).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = MemoryGroup(folder);
            // The kernel makes its files: without the controller, there is none to write.
            let file = OpenOptions::new().write(true).open(group.0.join(limit));
            file.ok()?.write_all(b"67108864").ok()?;
            Some(group)
        })
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}
