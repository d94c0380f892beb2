//! The engine of this machine, images of this build, and projects for both.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use lp::record::RunRecord;
use serde_json::Value;
use tempfile::TempDir;

use crate::project::SHORT_SCENE;

/// The user of the containers when the tests run as root.
const OTHER_USER: u32 = 10001;

/// The clip of a camera over that scene.
pub(crate) const DRAWN: &str = "short.mp4|scene:short";

/// The exit status and output of a program.
pub(crate) struct ProgramOutput {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl ProgramOutput {
    pub(crate) fn of(command: &mut Command) -> ProgramOutput {
        ProgramOutput::new(command.stdin(Stdio::null()).output().unwrap())
    }

    fn new(output: Output) -> ProgramOutput {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        ProgramOutput {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    #[track_caller]
    pub(crate) fn code(self, code: i32) -> ProgramOutput {
        assert_eq!(self.status, Some(code), "\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn has(self, text: &str) -> ProgramOutput {
        assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        self
    }
}

/// A program that runs containers, with the environment that it needs here.
pub(crate) struct Engine {
    pub(crate) program: String,
    environment: Vec<(String, String)>,
    /// Of the images made by [`images`].
    pub(crate) tag: String,
}

impl Engine {
    /// The engine with these arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).envs(self.environment.iter().cloned());
        command
    }

    /// Its stdout, which must be all that it has to say.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        ProgramOutput::of(&mut self.command(arguments)).code(0).stdout
    }

    #[track_caller]
    pub(crate) fn inspect(&self, thing: &str) -> Value {
        let list: Value = serde_json::from_str(&self.ask(&["inspect", thing])).unwrap();
        list[0].clone()
    }

    /// The name of an image of this build: `asset-prep` or `pipeline-exec`.
    pub(crate) fn image(&self, name: &str) -> String {
        format!("localhost/lp/{name}:{}", self.tag)
    }

    /// A script of this repository, in its root.
    pub(crate) fn script(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(root().join("scripts").join(script));
        command.args(arguments).current_dir(root()).envs(self.environment.iter().cloned());
        command
    }

    /// Builds the images from the binaries of this build.
    #[track_caller]
    pub(crate) fn build(&self) -> ProgramOutput {
        let binaries = Path::new(env!("CARGO_BIN_EXE_lp")).parent().unwrap();
        let arguments = ["--tag", &self.tag, "--binaries", binaries.to_str().unwrap()];
        ProgramOutput::of(&mut self.script("images", &arguments)).code(0)
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The engine, once it has the images of this build; `None` where there is none.
pub(crate) fn images() -> Option<&'static Engine> {
    static ENGINE: OnceLock<Result<Engine, String>> = OnceLock::new();
    let engine = ENGINE.get_or_init(|| {
        let engine = find()?;
        engine.build();
        Ok(engine)
    });
    match engine {
        Ok(engine) => Some(engine),
        Err(reason) if std::env::var_os("LP_REQUIRE_CONTAINERS").is_some() => {
            panic!("containers are required: {reason}")
        }
        Err(reason) => {
            // Past the harness, which hides what a test prints.
            let line = format!("skipped: {}\n", reason.trim_end());
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

fn find() -> Result<Engine, String> {
    let found = ProgramOutput::of(Command::new(root().join("scripts/engine")).current_dir(root()));
    if found.status != Some(0) {
        let reason = found.stderr.lines().next().unwrap_or_default();
        return Err(reason.trim_start_matches("error: ").to_owned());
    }
    let environment: Vec<(String, String)> = found
        .stdout
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect();
    let program = environment.iter().find(|(name, _)| name == "LP_ENGINE").unwrap().1.clone();
    // One for each checkout, so that two of them do not replace each other's.
    let digest = blake3::hash(root().as_os_str().as_encoded_bytes()).to_hex();
    let engine = Engine { program, environment, tag: format!("test-{}", &digest[..8]) };
    if engine.program == "podman" {
        // An engine that can run gets as far as to miss the program.
        let empty = tempfile::tempdir().unwrap();
        let rootfs = empty.path().to_str().unwrap();
        let arguments = ["run", "--rm", "--network", "none", "--rootfs", rootfs, "/nothing"];
        let tried = ProgramOutput::of(&mut engine.command(&arguments));
        if tried.status != Some(127) {
            return Err(format!("podman cannot run a container here: {}", tried.stderr));
        }
    }
    Ok(engine)
}

/// A project whose lane runs in containers, with a measuring lock of its own.
pub(crate) struct Lane {
    engine: &'static Engine,
    directory: TempDir,
    /// Of what compose makes.
    pub(crate) name: String,
    /// Who the containers are.
    pub(crate) user: (u32, u32),
}

impl Lane {
    /// Cameras that are read from `source`.
    pub(crate) fn new(engine: &'static Engine, cameras: &[&str], source: &str) -> Lane {
        let directory = tempfile::Builder::new().prefix("lp-lane-").tempdir().unwrap();
        // `mkdtemp` allows it to no other user, and the containers run as another.
        let open = |path: &Path, mode| {
            fs::create_dir_all(path).unwrap();
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        };
        open(directory.path(), 0o755);
        open(&directory.path().join("lock"), 0o1777);
        open(&directory.path().join("p"), 0o755);
        let me = directory.path().metadata().unwrap();
        let user = if me.uid() == 0 { (OTHER_USER, OTHER_USER) } else { (me.uid(), me.gid()) };
        let name =
            format!("lp-test-{}", directory.path().file_name().unwrap().to_str().unwrap().to_lowercase());
        let lane = Lane { engine, directory, name: name.replace('.', "-"), user };
        lane.write("Lpfile.toml", "[run]\nduration = \"2s\"\nwarmup = \"0s\"\n");
        lane.write("configs/scenes/short.toml", SHORT_SCENE);
        lane.write(
            "configs/workload_to_pipeline.json",
            r#"{"workload_pipeline_map": {"scan": [{"type": "zbar"}]}}"#,
        );
        let cameras: Vec<String> = cameras
            .iter()
            .map(|camera| {
                format!(
                    r#"{{"camera_id": "{camera}", "fileSrc": "{source}", "width": 320, "height": 180, "fps": 15, "workloads": ["scan"]}}"#
                )
            })
            .collect();
        let cameras = cameras.join(", ");
        lane.write(
            "configs/camera_to_workload.json",
            &format!(r#"{{"lane_config": {{"cameras": [{cameras}]}}}}"#),
        );
        lane
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A folder that the containers may write.
    pub(crate) fn folder(&self, path: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(&path).unwrap();
        chown(&path, Some(self.user.0), Some(self.user.1)).unwrap();
        path
    }

    /// Below the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("p").join(path)
    }

    /// The folder of the measuring lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.directory.path().join("lock")
    }

    /// `scripts/lane` for this project.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.engine.script("lane", &[]);
        command
            .env("LP_PROJECT", self.path(""))
            .env("LP_TAG", &self.engine.tag)
            .env("LP_LOCK_DIR", self.lock())
            .env("COMPOSE_PROJECT_NAME", &self.name)
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The container of a service.
    pub(crate) fn container(&self, service: &str) -> Value {
        let of = format!("label=com.docker.compose.service={service}");
        let id = self.engine.ask(&["ps", "--all", "--quiet", "--filter", &self.label(), "--filter", &of]);
        self.engine.inspect(id.trim())
    }

    /// `lp` with these arguments in pipeline-exec, where `/project/PLACE` is `mount`.
    pub(crate) fn lp(&self, user: (u32, u32), mounts: &[(&str, Mount)], arguments: &[&str]) -> ProgramOutput {
        let user = format!("{}:{}", user.0, user.1);
        let mut options: Vec<String> = [
            "run",
            "--rm",
            "--network",
            "none",
            "--read-only",
            "--cap-drop",
            "all",
            "--no-healthcheck",
            "--tmpfs",
            "/tmp",
            "--user",
            &user,
        ]
        .map(str::to_owned)
        .to_vec();
        let mut mount = |option: &str, what: String| options.extend([option.to_owned(), what]);
        let folder = |from: &Path, to: &str, mode: &str| format!("{}:{to}:{mode}", from.display());
        mount("--volume", folder(&self.path(""), "/project", "ro"));
        mount("--volume", folder(&self.lock(), "/run/lock", "rw"));
        for (place, what) in mounts {
            let target = format!("/project/{place}");
            match what {
                Mount::Writable => mount("--volume", folder(&self.folder(place), &target, "rw")),
                Mount::ReadOnly => mount("--volume", folder(&self.folder(place), &target, "ro")),
                Mount::Full { bytes } => {
                    self.folder(place);
                    let tmpfs =
                        format!("type=tmpfs,destination={target},tmpfs-size={bytes},U=true,notmpcopyup");
                    mount("--mount", tmpfs);
                }
            }
        }
        let image = self.engine.image("pipeline-exec");
        let arguments: Vec<&str> = options
            .iter()
            .map(String::as_str)
            .chain([image.as_str(), "lp"])
            .chain(arguments.iter().copied())
            .collect();
        ProgramOutput::of(&mut self.engine.command(&arguments))
    }

    /// The record of the newest run.
    pub(crate) fn record(&self) -> RunRecord {
        let text = fs::read_to_string(self.path("results/latest/record.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn label(&self) -> String {
        format!("label=com.docker.compose.project={}", self.name)
    }
}

/// The contents of a place of the project inside.
#[derive(Clone, Copy)]
pub(crate) enum Mount {
    /// The folder of the project.
    Writable,
    /// The same, but read-only.
    ReadOnly,
    /// A volume that is soon full.
    Full {
        /// Its size.
        bytes: u32,
    },
}

impl Drop for Lane {
    fn drop(&mut self) {
        let ids = ProgramOutput::of(&mut self.engine.command(&[
            "ps",
            "--all",
            "--quiet",
            "--filter",
            &self.label(),
        ]));
        for id in ids.stdout.lines() {
            ProgramOutput::of(&mut self.engine.command(&["rm", "--force", id]));
        }
        ProgramOutput::of(&mut self.engine.command(&[
            "network",
            "rm",
            "--force",
            &format!("{}_default", self.name),
        ]));
    }
}
