//! How a worker is started: as a program of this machine, or in a container.
//!
//! [`Launch::find`] decides which. A container is started by the user's own
//! `podman run` or `docker run`; [`Launch`] adds to it, for each worker, what only
//! `lp` knows: a name, the files that the worker reads and
//! writes at the same paths as outside, and the user that owns them. It also
//! removes what a worker does not need: capabilities, the network, a writable root.
//! Options of the user's command stay.
//!
//! A container ends with its worker (`--rm`), and a worker ends with its stdin,
//! so both end with `lp`. A container that does not end is removed by its name:
//! killing an engine's client does not touch the container.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::error::WorkerError;
use crate::collect::processes;
use crate::digest::ContentDigest;
use crate::model::{ContainerCommand, WorkerCommand};
use crate::os;
use crate::os::process::{self, Cancel, CommandEnd, Exit};

/// How long an engine may take to inspect an image, or to remove a container.
const ENGINE: Duration = Duration::from_secs(60);

/// The program that is started, which begins every command.
#[derive(Clone, Debug)]
pub struct Launch {
    words: Vec<OsString>,
    /// The project's folder, where it runs: a relative path means the same wherever `lp`
    /// was called.
    root: PathBuf,
    container: Option<ContainerCommand>,
    /// Whether the project names it, rather than that it is found.
    is_named: bool,
}

/// Files, devices and network that a worker needs. Paths are absolute.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Files and folders that it reads. Missing ones are left out.
    pub reads: BTreeSet<PathBuf>,
    /// Folders that it writes in.
    pub writes: BTreeSet<PathBuf>,
    /// Device nodes, or folders of them, that it opens, and the node whose group
    /// may. Missing ones are left out.
    pub devices: BTreeSet<(PathBuf, PathBuf)>,
    /// Whether it receives streams.
    pub network: bool,
}

impl Launch {
    /// The worker to start: `LP_WORKER`, whose value is passed, else that of
    /// `[worker] command`, else the one beside this program. A relative program
    /// with a `/` in it begins in `root`.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn find(
        lp_worker: Option<&OsStr>,
        command: Option<&WorkerCommand>,
        root: &Path,
    ) -> Result<Launch, WorkerError> {
        let path = match (lp_worker.filter(|value| !value.is_empty()), command) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(command)) => return Launch::of(command, root),
            (None, None) => process::beside_this_program("lp-worker")
                .map_err(|source| WorkerError::Start { program: "lp-worker".into(), source })?,
        };
        if !path.is_file() {
            return Err(WorkerError::Absent { path });
        }
        Ok(Launch {
            words: vec![path.into_os_string()],
            root: root.to_path_buf(),
            container: None,
            is_named: false,
        })
    }

    fn of(command: &WorkerCommand, root: &Path) -> Result<Launch, WorkerError> {
        let mut words: Vec<OsString> = command.words.iter().map(OsString::from).collect();
        let paths = os::env::raw("PATH").unwrap_or_default();
        let found = process::program_in(&words[0], &paths, root).map(|program| root.join(program));
        match found.filter(|program| program.is_file()) {
            Some(program) => words[0] = program.into_os_string(),
            None => {
                let engine = command.container.as_ref().map(|container| container.engine.clone());
                return Err(WorkerError::NoProgram { program: command.words[0].clone(), engine });
            }
        }
        Ok(Launch { words, root: root.to_path_buf(), container: command.container.clone(), is_named: true })
    }

    #[must_use]
    pub fn program(&self) -> &Path {
        Path::new(&self.words[0])
    }

    pub(super) fn dir(&self) -> &Path {
        &self.root
    }

    /// All of it, as it was given.
    #[must_use]
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// Whether `[worker] command` names it.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.is_named
    }

    /// The image, if it runs a container.
    #[must_use]
    pub fn image(&self) -> Option<&OsStr> {
        Some(&self.words[self.container.as_ref()?.image])
    }

    /// The id of that image, as the engine has it now.
    ///
    /// # Errors
    /// When it has none of that name, or does not answer.
    pub fn image_id(&self) -> Result<Option<String>, WorkerError> {
        let Some(image) = self.image() else { return Ok(None) };
        let named = image.to_string_lossy().into_owned();
        match self.engine(&["image", "inspect", "--format", "{{.Id}}"], image) {
            Ok((true, reply)) => {
                // Warnings precede it.
                let id = reply.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
                Ok(Some(id.trim_start_matches("sha256:").to_owned()))
            }
            Ok((false, reply)) => Err(WorkerError::NoImage { image: named, reply: last_line(&reply) }),
            Err(error) => Err(WorkerError::NoImage { image: named, reply: error.to_string() }),
        }
    }

    /// Program and arguments of one worker, and the container that it will run in.
    pub(super) fn command(&self, reach: &Reach) -> (Vec<OsString>, Option<Container>) {
        let Some(container) = &self.container else { return (self.words.clone(), None) };
        let name = fresh_name();
        let mut words = self.words[..=container.run].to_vec();
        words.extend(["--rm".into(), "--name".into(), name.clone()]);
        // A container is no descendant of ours: the mark says whose it is.
        let mark = processes::worker_mark(std::process::id());
        words.push(format!("--env={}={mark}", processes::MARK).into());
        let (user, group) = os::env::user_and_group();
        let is_own = user != 0 && container.engine == "podman" && self.runs_the_engine_itself(container);
        add(&mut words, container, reach, (user, group), is_own);
        words.extend_from_slice(&self.words[container.run + 1..]);
        (words, Some(Container { launch: self.clone(), name }))
    }

    /// Whether the engine's client runs as this user, not through `sudo`.
    fn runs_the_engine_itself(&self, container: &ContainerCommand) -> bool {
        self.program().file_name() == Some(OsStr::new(&container.engine))
    }

    /// Has the engine do something; whether it succeeded, and its output.
    fn engine(&self, arguments: &[&str], last: &OsStr) -> std::io::Result<(bool, String)> {
        let run = self.container.as_ref().map_or(0, |container| container.run);
        let mut argv = self.words[..run].to_vec();
        // `podman container run` is the same as `podman run`, but not so for images.
        if argv.last().is_some_and(|word| word == "container") {
            argv.pop();
        }
        argv.extend(arguments.iter().map(OsString::from));
        argv.push(last.to_owned());
        let command = process::Command {
            argv: &argv,
            dir: Path::new("/"),
            env: &os::env::all_raw(),
            log_limit: 64 << 10,
            timeout: Some(ENGINE),
            grace: Duration::from_secs(1),
        };
        let (finished, reply) = process::run_command(&command, &Cancel::never())?;
        Ok((finished == CommandEnd::Exited(Exit::Code(0)), String::from_utf8_lossy(&reply).into_owned()))
    }
}

/// The container of a worker.
#[derive(Clone, Debug)]
pub(super) struct Container {
    launch: Launch,
    name: OsString,
}

impl Container {
    /// Removes it, if it is still there.
    pub(super) fn remove(&self) {
        let removed = self.launch.engine(&["rm", "--force", "--volumes"], &self.name);
        if let Ok((false, reply)) = removed {
            tracing::debug!(name = %self.name.to_string_lossy(), reply, "nothing was removed");
        }
    }

    /// How its worker has ended. An engine reports a signal as a status, 128 and its
    /// number, as shells do.
    pub(super) fn ended(exit: Exit) -> Exit {
        match exit {
            Exit::Code(code) if 128 < code => Exit::signal(code - 128),
            exit => exit,
        }
    }
}

/// Adds options that the user's command does not give itself. `is_own`: podman
/// without root, whose users are not those outside.
fn add(
    words: &mut Vec<OsString>,
    container: &ContainerCommand,
    reach: &Reach,
    (user, group): (u32, u32),
    is_own: bool,
) {
    let mut unless = |names: &[&str], option: String| {
        if !container.has(names) {
            words.push(option.into());
        }
    };
    unless(&["--pull"], "--pull=never".into());
    // A health check of the image would disturb the measurement.
    unless(&["--health-cmd"], "--no-healthcheck".into());
    let privileged = "--privileged";
    unless(&["--cap-drop", privileged], "--cap-drop=all".into());
    if !container.mentions_new_privileges {
        unless(&[privileged], "--security-opt=no-new-privileges".into());
    }
    if !container.has(&["--read-only", privileged]) {
        unless(&[], "--read-only".into());
        unless(&["--tmpfs"], "--tmpfs=/tmp".into());
    }
    if !reach.network {
        unless(&["--network", "--net"], "--network=none".into());
    }
    unless(&["--user", "-u", "--userns"], format!("--user={user}:{group}"));
    if is_own {
        unless(&["--user", "-u", "--userns"], "--userns=keep-id".into());
    }
    let group_of = |node: &PathBuf| os::fs::metadata(node).ok().map(|metadata| metadata.gid());
    let devices = reach.devices.iter().filter_map(|(given, node)| Some((given, group_of(node)?)));
    let mut groups = BTreeSet::new();
    for (given, group) in devices {
        unless(&[privileged], format!("--device={}", given.display()));
        // Groups of podman without root are others than outside.
        if !is_own && groups.insert(group) {
            unless(&["--group-add", privileged], format!("--group-add={group}"));
        }
    }
    for (name, _) in os::env::all().iter().filter(|(name, _)| name.starts_with("GST_DEBUG")) {
        unless(&[], format!("--env={name}"));
    }
    for path in &reach.reads {
        if let Ok(source) = os::fs::canonicalize(path) {
            words.push(mount(&source, path, ",readonly"));
        }
    }
    for path in &reach.writes {
        words.push(mount(path, path, ""));
    }
}

/// `--mount` of a path. Its fields are those of a line of CSV, so a path may
/// contain commas and quotes, in quotes.
fn mount(source: &Path, target: &Path, end: &str) -> OsString {
    let mut option = b"--mount=type=bind".to_vec();
    for (key, path) in [("source", source), ("target", target)] {
        let field = [key.as_bytes(), b"=", path.as_os_str().as_bytes()].concat();
        option.push(b',');
        if field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
            option.push(b'"');
            for byte in field {
                option.extend(if byte == b'"' { &b"\"\""[..] } else { std::slice::from_ref(&byte) });
            }
            option.push(b'"');
        } else {
            option.extend(field);
        }
    }
    option.extend(end.as_bytes());
    OsString::from_vec(option)
}

/// `lp-worker-3f2a91cc-1`: unique on this machine, whatever shares its engine.
fn fresh_name() -> OsString {
    static THIS_LP: OnceLock<String> = OnceLock::new();
    static N: AtomicU32 = AtomicU32::new(1);
    let this_lp = THIS_LP.get_or_init(|| {
        let text = format!("{} {} {:?}", std::process::id(), os::clock::monotonic_ns(), os::clock::utc_now());
        ContentDigest::of(text.as_bytes()).to_hex()[..8].to_owned()
    });
    format!("lp-worker-{this_lp}-{}", N.fetch_add(1, Ordering::Relaxed)).into()
}

fn last_line(reply: &str) -> String {
    let line = reply.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no output");
    line.trim_start_matches("Error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn container(options: &[&str]) -> Launch {
        let words = [&["/bin/podman", "run", "-i"], options, &["till", "lp-worker"]].concat();
        let container = ContainerCommand {
            engine: "podman".to_owned(),
            run: 1,
            image: words.len() - 2,
            options: options
                .iter()
                .map(|option| option.split('=').next().unwrap_or(option).to_owned())
                .collect(),
            mentions_new_privileges: options.iter().any(|option| option.contains("no-new-privileges")),
        };
        Launch {
            words: words.iter().map(OsString::from).collect(),
            root: "/p".into(),
            container: Some(container),
            is_named: true,
        }
    }

    fn added(options: &[&str], reach: &Reach, is_own: bool) -> String {
        let launch = container(options);
        let mut words = Vec::new();
        add(&mut words, launch.container.as_ref().unwrap(), reach, (1000, 1000), is_own);
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[track_caller]
    fn check(options: &[&str], reach: &Reach, expect: Expect) {
        expect.assert_eq(&added(options, reach, true));
    }

    #[test]
    fn a_device_comes_with_its_group_where_groups_are_those_outside() {
        let null = ("/dev".into(), "/dev/null".into());
        let reach =
            Reach { devices: [null, ("/dev/x".into(), "/dev/x/y".into())].into(), ..Reach::default() };
        assert!(added(&[], &reach, false).ends_with("--user=1000:1000 --device=/dev --group-add=0"));
        assert!(added(&["--group-add=keep-groups"], &reach, false).ends_with("--device=/dev"));
        assert!(added(&[], &reach, true).ends_with("--userns=keep-id --device=/dev"));
        assert!(!added(&["--privileged"], &reach, false).contains("--device"));
    }

    #[test]
    fn a_container_gets_no_more_than_its_worker_needs() {
        check(
            &[],
            &Reach::default(),
            expect![
                "--pull=never --no-healthcheck --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs=/tmp --network=none --user=1000:1000 --userns=keep-id"
            ],
        );
        let reach = Reach {
            reads: ["/dev/null", "/dev/zero/nowhere"].map(PathBuf::from).into(),
            writes: ["/p/,\"x"].map(PathBuf::from).into(),
            devices: [("/dev/null".into(), "/dev/null".into()), ("/dev/x".into(), "/dev/x/y".into())].into(),
            network: true,
        };
        check(
            &[],
            &reach,
            expect![[
                r#"--pull=never --no-healthcheck --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs=/tmp --user=1000:1000 --userns=keep-id --device=/dev/null --mount=type=bind,source=/dev/null,target=/dev/null,readonly --mount=type=bind,"source=/p/,""x","target=/p/,""x""#
            ]],
        );
    }

    #[test]
    fn options_of_the_command_are_kept() {
        let options = [
            "--pull=newer",
            "--cap-drop=net_raw",
            "--security-opt=no-new-privileges=false",
            "--read-only=false",
            "--net=host",
            "-u=7",
        ];
        check(&options, &Reach::default(), expect!["--no-healthcheck"]);
        check(
            &["--privileged"],
            &Reach::default(),
            expect!["--pull=never --no-healthcheck --network=none --user=1000:1000 --userns=keep-id"],
        );
        check(
            &["--security-opt=label=disable"],
            &Reach::default(),
            expect![
                "--pull=never --no-healthcheck --cap-drop=all --security-opt=no-new-privileges --read-only --tmpfs=/tmp --network=none --user=1000:1000 --userns=keep-id"
            ],
        );
    }

    #[test]
    fn each_container_has_a_name_after_run() {
        let launch = container(&["--cpus=1"]);
        let (words, name) = launch.command(&Reach::default());
        let name = name.unwrap().name;
        assert_eq!(words[..5], ["/bin/podman", "run", "--rm", "--name", name.to_str().unwrap()]);
        assert_eq!(words[words.len() - 4..], ["-i", "--cpus=1", "till", "lp-worker"]);
        assert_ne!(launch.command(&Reach::default()).1.unwrap().name, name);
    }

    #[test]
    fn an_engine_reports_signals_as_shells_do() {
        assert_eq!(Container::ended(Exit::Code(139)), Exit::Signal("SIGSEGV".to_owned()));
        assert_eq!(Container::ended(Exit::Code(125)), Exit::Code(125));
    }

    #[test]
    fn a_missing_worker_is_reported_with_a_hint() {
        let find = |lp_worker: Option<&str>, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let container = (1 < words.len()).then(|| container(&[]).container.unwrap());
            let command = WorkerCommand { words, container };
            let error = Launch::find(lp_worker.map(OsStr::new), Some(&command), "/p".as_ref()).unwrap_err();
            format!("{error}\n{}", error.hint().unwrap())
        };
        expect![[r#"
            no worker: `/nowhere/lp-worker` does not exist
            build or install `lp-worker` (it needs GStreamer's development files), or name one in `LP_WORKER`"#]].assert_eq(&find(Some("/nowhere/lp-worker"), &["lp-worker"]));
        expect![[r#"
            no worker: the program `bin/lp-worker` of `worker.command` was not found
            correct `command` in `[worker]`, or remove it to use the worker beside `lp`"#]]
        .assert_eq(&find(None, &["bin/lp-worker"]));
        expect![[r#"
            no worker: the program `no-podman` of `worker.command` was not found
            install podman (Debian: podman), or remove `command` to use the worker beside `lp`"#]]
        .assert_eq(&find(Some(""), &["no-podman", "run", "-i", "till"]));
    }
}
