//! A throw-away project and the real `lp`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use expect_test::Expect;
use lp::os::clock::monotonic_ns;
use lp::worker::protocol::{Event, EventBody};
use tempfile::TempDir;

/// A camera file with two cameras that need no assets of ours: their clip is
/// declared by nobody, so only plans can be built.
pub(crate) const CAMERAS: &str = r#"{
  "lane_config": {
    "cameras": [
      {"camera_id": "camera-1", "fileSrc": "a.mp4|http://127.0.0.1:9/a.mp4", "width": 640, "height": 360, "fps": 15, "workloads": ["scan"]},
      {"camera_id": "camera-2", "fileSrc": "a.mp4|http://127.0.0.1:9/a.mp4", "width": 320, "height": 180, "fps": 15, "workloads": ["scan", "motion"]}
    ]
  }
}
"#;

/// The workloads of [`CAMERAS`].
pub(crate) const WORKLOADS: &str = r#"{
  "workload_pipeline_map": {
    "scan": [{"type": "zbar"}],
    "motion": [{"type": "motioncells", "properties": {"gridx": 16}}]
  }
}
"#;

/// A task that copies `a.txt` to `b.txt`, and one that makes `c.txt` of that.
pub(crate) const COPY_JOIN: &str = r#"
# A comment.
[[task]]
name = "copy"
command = ["cp", "a.txt", "b.txt"]
inputs = ["a.txt"]
outputs = ["b.txt"]

[[task]]
name = "join"
command = ["sh", "-c", "cat b.txt b.txt > c.txt"]
inputs = ["b.txt"]
outputs = ["c.txt"]
"#;

/// A project in a temporary directory, with its own measuring lock.
pub(crate) struct Workspace {
    directory: PathBuf,
    /// Where it is, if not there.
    project: Option<PathBuf>,
    /// Removes the directory.
    _temporary: Option<TempDir>,
    environment: Vec<(String, String)>,
}

/// A model in OpenVINO's format that needs no weights.
pub(crate) const IR: &str = r#"<net name="m" version="11"><layers><layer id="0" name="in" type="Parameter"/><layer id="1" name="out" type="Result"/></layers></net>"#;

impl Workspace {
    /// An empty directory.
    pub(crate) fn empty() -> Workspace {
        let temporary = tempfile::Builder::new().prefix("lp-e2e-").tempdir().unwrap();
        Workspace::within(temporary.path().to_owned(), Some(temporary))
    }

    /// An empty directory at a place of the caller's.
    pub(crate) fn within(directory: PathBuf, temporary: Option<TempDir>) -> Workspace {
        fs::create_dir_all(directory.join("p")).unwrap();
        fs::create_dir(directory.join("lock")).unwrap();
        Workspace { directory, project: None, _temporary: temporary, environment: Vec::new() }
    }

    /// A project of two cameras.
    pub(crate) fn cameras() -> Workspace {
        Workspace::empty()
            .file("Lpfile.toml", "")
            .file("configs/camera_to_workload.json", CAMERAS)
            .file("configs/workload_to_pipeline.json", WORKLOADS)
    }

    /// A project without cameras whose `Lpfile.toml` is `text`.
    pub(crate) fn tasks(text: &str) -> Workspace {
        Workspace::empty().file("Lpfile.toml", text)
    }

    /// Writes a file, and the directories around it.
    pub(crate) fn file(self, path: &str, text: &str) -> Workspace {
        self.write(path, text);
        self
    }

    /// Sets a variable for every later `lp`.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Workspace {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The project of somebody else, with variables of its own.
    pub(crate) fn at(self, project: PathBuf) -> Workspace {
        Workspace { project: Some(project), ..self }
    }

    /// For every later `lp`, nothing is known of the machine: the load of tests that run beside
    /// this one changes no verdict and adds no line.
    pub(crate) fn unseen_machine(self) -> Workspace {
        self.env("LP_SYSROOT", "/nonexistent")
    }

    /// For every later `lp`, there is no worker: steps that infer are then DL Streamer's, wherever
    /// the tests run.
    pub(crate) fn without_worker(self) -> Workspace {
        self.env("LP_WORKER", "/nowhere")
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.project.clone().unwrap_or_else(|| self.directory.join("p"))
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// `lp` with these arguments, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lp"));
        command
            .args(arguments)
            .current_dir(self.root())
            .env("LP_LOCK_DIR", self.directory.join("lock"))
            .env("NO_COLOR", "1")
            .env_remove("LP_PROFILE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }

    /// Runs `lp` with these arguments: `"build -j1"`, or `["show", "Till 1"]`.
    #[track_caller]
    pub(crate) fn lp<'a>(&self, arguments: impl Arguments<'a>) -> Ended {
        Ended::new(self.command(&arguments.list()).output().unwrap(), &self.root())
    }
}

/// The arguments of a command: one string that is split at blanks, or a list.
pub(crate) trait Arguments<'a> {
    fn list(self) -> Vec<&'a str>;
}

impl<'a> Arguments<'a> for &'a str {
    fn list(self) -> Vec<&'a str> {
        self.split_whitespace().collect()
    }
}

impl<'a> Arguments<'a> for &'a String {
    fn list(self) -> Vec<&'a str> {
        self.split_whitespace().collect()
    }
}

impl<'a, const N: usize> Arguments<'a> for [&'a str; N] {
    fn list(self) -> Vec<&'a str> {
        self.to_vec()
    }
}

/// What `lp` left: its status and texts, with the project's path redacted.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn new(output: Output, root: &Path) -> Ended {
        let redact =
            |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(root.to_str().unwrap(), "<project>");
        Ended { status: output.status.code(), stdout: redact(output.stdout), stderr: redact(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Ended {
        assert_eq!(self.status, Some(code), "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn success(self) -> Ended {
        self.code(0)
    }

    #[track_caller]
    pub(crate) fn stderr(self, expect: Expect) -> Ended {
        expect.assert_eq(&self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn stdout(self, expect: Expect) -> Ended {
        expect.assert_eq(&self.stdout);
        self
    }

    #[track_caller]
    pub(crate) fn stderr_has(self, text: &str) -> Ended {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn stdout_has(self, text: &str) -> Ended {
        assert!(self.stdout.contains(text), "`{text}` is not in:\n{}", self.stdout);
        self
    }
}

/// What a worker says of a stream of 15 frames a second that stops after `playing`
/// seconds, until `until` seconds: a file for `fake-worker`.
pub(crate) fn frames(stream: &str, playing: u64, until: u64) -> String {
    // Later than anything that `lp` itself does, as its worker's times would be.
    let begin_us = monotonic_ns() / 1000 + 60_000_000;
    let mut lines = String::new();
    for second in 0..until {
        let at = begin_us + second * 1_000_000;
        let arrived_us: Vec<u64> =
            if second < playing { (0..15).map(|n| at + n * 66_666).collect() } else { Vec::new() };
        let played = 15 * playing.min(second + 1);
        let body = EventBody::Frames {
            stream: stream.to_owned(),
            latency_us: vec![Some(2_000); arrived_us.len()],
            late_us: vec![Some(2_000); arrived_us.len()],
            arrived_us,
            decoded: played,
            played,
            dropped: 0,
            taken_out: 0,
            fates: Default::default(),
            delivered: Default::default(),
            queues: Default::default(),
            sights: Default::default(),
        };
        lines.push_str(&serde_json::to_string(&Event { at: (at + 1_000_000) * 1000, body }).unwrap());
        lines.push('\n');
    }
    lines
}
