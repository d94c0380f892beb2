//! Projects that play, and `lp` while it plays them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Receiver;
use lp::record::RunRecord;
use rustix::process::{Pid, Signal, kill_process};

use crate::workspace::{Ended, Workspace};

/// Longer than anything here takes, on the busiest machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Three seconds, small, and quick to draw.
pub(crate) const SHORT_SCENE: &str = r##"
width = 320
height = 180
fps = 15
duration_s = 3.0

[zones]
scan = { x = 100, y = 40, width = 80, height = 100 }

[[items]]
name = "Tea"
code = "TEA-1"
width = 120
height = 150
path = [{ at_s = 0.5, x = -60, y = 90 }, { at_s = 2.0, x = 160, y = 90 }]
"##;

/// The project that this repository is.
pub(crate) fn default_lane(ws: Workspace) -> Workspace {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&ws, root, "Lpfile.toml");
    copy(&ws, root, "configs");
    with_worker(ws)
}

/// Cameras over a scene of three seconds, each with the steps beside its name.
pub(crate) fn short(cameras: &[(&str, &str)]) -> Workspace {
    let (mut lane, mut workloads) = (Vec::new(), Vec::new());
    for (camera, steps) in cameras {
        lane.push(format!(
            "      {{\"camera_id\": \"{camera}\", \"fileSrc\": \"short.mp4|scene:short\", \
             \"width\": 320, \"height\": 180, \"fps\": 15, \"workloads\": [\"of-{camera}\"]}}"
        ));
        workloads.push(format!("    \"of-{camera}\": [{steps}]"));
    }
    let lane = lane.join(",\n");
    let workloads = workloads.join(",\n");
    let ws = Workspace::empty()
        .file("Lpfile.toml", "[run]\nduration = \"2s\"\nwarmup = \"0s\"\n")
        .file("configs/scenes/short.toml", SHORT_SCENE)
        .file(
            "configs/camera_to_workload.json",
            &format!("{{\n  \"lane_config\": {{\n    \"cameras\": [\n{lane}\n    ]\n  }}\n}}\n"),
        )
        .file(
            "configs/workload_to_pipeline.json",
            &format!("{{\n  \"workload_pipeline_map\": {{\n{workloads}\n  }}\n}}\n"),
        );
    with_worker(ws)
}

/// Not `lp-worker` beside `lp`: this one is surely built from these sources.
fn with_worker(ws: Workspace) -> Workspace {
    ws.env("LP_WORKER", env!("CARGO_BIN_EXE_lp-worker"))
}

fn copy(ws: &Workspace, root: &Path, path: &str) {
    if root.join(path).is_dir() {
        for entry in fs::read_dir(root.join(path)).unwrap() {
            let name = entry.unwrap().file_name();
            copy(ws, root, &format!("{path}/{}", name.to_str().unwrap()));
        }
    } else {
        fs::create_dir_all(ws.path(path).parent().unwrap()).unwrap();
        // With the permissions, as scripts may be executed.
        fs::copy(root.join(path), ws.path(path)).unwrap();
    }
}

/// The record of the newest run.
pub(crate) fn latest(ws: &Workspace) -> RunRecord {
    serde_json::from_str(&ws.read("results/latest/record.json")).unwrap()
}

/// The tasks that a build started and why, sorted.
pub(crate) fn started(stderr: &str) -> String {
    let mut lines: Vec<String> = stderr
        .lines()
        .filter_map(|line| {
            let (label, reason) = line.split_once("  ")?;
            let is_label =
                (label.contains(':') && !label.contains(' ')) || ["plan", "report"].contains(&label);
            is_label.then(|| format!("{label}  {}", reason.trim_start()))
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

/// `lp` that runs.
pub(crate) struct LpProcess {
    child: Child,
    lines: Receiver<String>,
    stderr: String,
    stdout: Option<JoinHandle<String>>,
    root: PathBuf,
}

impl LpProcess {
    pub(crate) fn start(ws: &Workspace, arguments: &[&str]) -> LpProcess {
        // With a line per camera and second.
        let mut child = ws.command(&[&["-v"], arguments].concat()).spawn().unwrap();
        let (sender, lines) = crossbeam_channel::unbounded();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        let mut stdout = child.stdout.take().unwrap();
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        LpProcess { child, lines, stderr: String::new(), stdout: Some(stdout), root: ws.root() }
    }

    /// Reads stderr up to the first line of frames of a camera.
    #[track_caller]
    pub(crate) fn wait_for_frames_of(&mut self, camera: &str) {
        self.wait_for_frames(camera, |_| true);
    }

    /// Reads stderr up to the first second of a camera that has enough frames.
    #[track_caller]
    pub(crate) fn wait_for_frames(&mut self, camera: &str, enough: impl Fn(u64) -> bool) {
        loop {
            let line = match self.lines.recv_timeout(LIMIT) {
                Ok(line) => line,
                Err(error) => panic!("no such frames of `{camera}`: {error}\n{}", self.stderr),
            };
            self.keep(&line);
            let mut words = line.split(" frames ").next().unwrap_or_default().split_whitespace();
            let is_its = line.contains(" frames ") && words.next() == Some(camera);
            if is_its && words.next_back().and_then(|n| n.parse().ok()).is_some_and(&enough) {
                return;
            }
        }
    }

    /// Reads what it has said until now.
    pub(crate) fn skip_lines(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(&line);
        }
    }

    fn keep(&mut self, line: &str) {
        self.stderr.push_str(line);
        self.stderr.push('\n');
    }

    pub(crate) fn pid(&self) -> Pid {
        pid(self.child.id())
    }

    /// Ctrl-C, to `lp` alone.
    pub(crate) fn interrupt(&self) {
        kill_process(pid(self.child.id()), Signal::INT).unwrap();
    }

    /// Its workers that live, by the name of their log.
    pub(crate) fn workers(&self) -> BTreeMap<String, Pid> {
        let mut workers = BTreeMap::new();
        for entry in fs::read_dir("/proc").unwrap() {
            let entry = entry.unwrap();
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // A process may have gone meanwhile.
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((_, fields)) = stat.rsplit_once(") ") else { continue };
            if fields.split(' ').nth(1) != Some(self.child.id().to_string().as_str()) {
                continue;
            }
            let Ok(log) = fs::read_link(entry.path().join("fd/2")) else { continue };
            workers.insert(log.file_stem().unwrap().to_str().unwrap().to_owned(), pid(id));
        }
        workers
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Ended {
        while let Ok(line) = self.lines.recv_timeout(LIMIT) {
            self.keep(&line);
        }
        let status: ExitStatus = self.child.wait().unwrap();
        assert_eq!(status.signal(), None, "{}", self.stderr);
        let stdout = self.stdout.take().unwrap().join().unwrap().into_bytes();
        let stderr = std::mem::take(&mut self.stderr).into_bytes();
        Ended::new(Output { status, stdout, stderr }, &self.root)
    }
}

impl Drop for LpProcess {
    fn drop(&mut self) {
        // Only after a test has failed is there something to end. Its workers
        // end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.try_into().unwrap()).unwrap()
}

/// Ends a process by SIGSEGV, as a plugin would.
pub(crate) fn crash(process: Pid) {
    kill_process(process, Signal::SEGV).unwrap();
}

pub(crate) fn signal(process: Pid, signal: Signal) {
    kill_process(process, signal).unwrap();
}

/// Whether a process has gone, leaving nothing to be waited for.
pub(crate) fn is_gone(process: Pid) -> bool {
    !Path::new(&format!("/proc/{}", process.as_raw_nonzero())).exists()
}
