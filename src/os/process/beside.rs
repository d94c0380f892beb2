//! A program that runs beside something, with stdout and stderr apart, until it is asked to end.
//!
//! It is asked by SIGINT, since `sar` and others then write what they still have, then by SIGTERM and at last
//! killed. What it has started may print on after its own end, for a grace time; then all of its process group
//! is killed.
//!
//! *If `lp` dies*, also by `kill -9`, so does the group: a shell in it, which holds nothing of the program's, reads
//! from a pipe whose other end only `lp` has, and kills its group at the end of the pipe.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::process::{PidfdFlags, Signal};

use crate::os::clock;

use super::{Cancel, Exit, GROUP_POLL, Group, program_in, split};

/// How much is read at once.
const BUFFER: usize = 16 * 1024;

/// The most pieces that are read before signals and the clock are looked at.
const MOST_PIECES: usize = 64;

/// Kills its process group when its stdin ends.
const GUARD: &str = "trap '' INT TERM; read x; kill -KILL 0";

/// What is run.
#[derive(Debug)]
pub struct BesideCommand<'a> {
    /// Program and arguments. A program without `/` is searched in the `PATH` of `env`.
    pub argv: &'a [OsString],
    /// Where it runs; absolute.
    pub dir: &'a Path,
    /// All of its environment.
    pub env: &'a BTreeMap<OsString, OsString>,
    /// Where a pipe is made that it writes to by name, as to a file.
    pub pipe: Option<&'a Path>,
}

/// One of its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
    /// [`BesideCommand::pipe`]
    Pipe,
}

/// What was needed to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It ended by itself.
    Never,
    Interrupt,
    Terminate,
    Kill,
}

/// How it ended.
#[derive(Debug)]
pub struct BesideEnd {
    pub exit: Exit,
    pub asked: Asked,
    /// When its leader had ended, in nanoseconds of CLOCK_MONOTONIC; what it has started may have printed on.
    pub at_ns: u64,
}

/// A program that runs.
#[derive(Debug)]
pub struct Beside {
    group: Group,
    guard: Child,
    /// Its end is the end of the guard.
    guarded: PipeWriter,
    /// Readable when the leader has ended; `None` on kernels before 5.3.
    pidfd: Option<OwnedFd>,
    outputs: Vec<Reader>,
}

#[derive(Debug)]
struct Reader {
    stream: Stream,
    /// `None` at its end.
    file: Option<File>,
}

impl Beside {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no such program, or it cannot be started.
    pub fn start(command: &BesideCommand<'_>) -> io::Result<Beside> {
        let (name, arguments) = split(command.argv)?;
        let paths = command.env.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
        let program = program_in(name, paths, command.dir).ok_or_else(|| {
            let message = format!("there is no such program in {}", paths.to_string_lossy());
            io::Error::new(io::ErrorKind::NotFound, message)
        })?;
        let mut outputs = Vec::new();
        if let Some(path) = command.pipe {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                rustix::fs::FileType::Fifo,
                Mode::RUSR | Mode::WUSR,
                0,
            )?;
            // Open for writing too, so that it does not end when a program opens it again for each line.
            let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = rustix::fs::open(path, flags, Mode::empty())?;
            outputs.push(Reader { stream: Stream::Pipe, file: Some(File::from(file)) });
        }
        let (stdout, stdout_writer) = output(Stream::Stdout)?;
        let (stderr, stderr_writer) = output(Stream::Stderr)?;
        outputs.extend([stdout, stderr]);
        let expression = duct::cmd(program, arguments)
            .full_env(command.env)
            .stdin_null()
            .stdout_file(stdout_writer)
            .stderr_file(stderr_writer);
        let (name, dir) = (name.clone(), command.dir.to_path_buf());
        let expression = expression.before_spawn(move |command| {
            command.arg0(&name).current_dir(&dir);
            Ok(())
        });
        let group = Group::spawn(&expression)?;
        // Ours are the only other ends.
        drop(expression);
        match guard(&group) {
            Ok((guard, guarded)) => {
                let pidfd = rustix::process::pidfd_open(group.leader, PidfdFlags::empty()).ok();
                Ok(Beside { group, guard, guarded, pidfd, outputs })
            }
            Err(error) => {
                group.signal(Signal::KILL);
                group.reap(Duration::ZERO)?;
                Err(error)
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.group.pid()
    }

    /// Passes on what it prints, and how its leader ended, until it has ended or `cancel` comes; then it has
    /// `grace` after each signal. Nothing of its process group is left when this returns.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn listen(
        mut self,
        cancel: &Cancel,
        grace: Duration,
        on_piece: &mut dyn FnMut(Stream, &[u8]),
    ) -> io::Result<BesideEnd> {
        let mut asked = Asked::Never;
        let mut deadline: Option<Instant> = None;
        let exit = loop {
            if let Some(exit) = self.group.ended()? {
                break exit;
            }
            let is_due = deadline.is_some_and(|deadline| deadline <= Instant::now());
            if is_due || (asked == Asked::Never && cancel.is_cancelled()) {
                let (next, signal) = match asked {
                    Asked::Never => (Asked::Interrupt, Signal::INT),
                    Asked::Interrupt => (Asked::Terminate, Signal::TERM),
                    Asked::Terminate | Asked::Kill => (Asked::Kill, Signal::KILL),
                };
                self.group.signal(signal);
                (asked, deadline) = (next, Some(Instant::now() + grace));
            }
            self.wait(deadline, (asked == Asked::Never).then_some(cancel))?;
            self.drain(on_piece);
        };
        let at_ns = clock::monotonic_ns();
        // Readable from now on.
        self.pidfd = None;
        // `sar` prints its averages when the program that it reads from has ended.
        let deadline = Instant::now() + grace;
        loop {
            self.drain(on_piece);
            let is_open = self.outputs.iter().any(|one| one.stream != Stream::Pipe && one.file.is_some());
            if !is_open || deadline <= Instant::now() {
                break;
            }
            self.wait(Some((Instant::now() + GROUP_POLL).min(deadline)), None)?;
        }
        self.group.signal(Signal::KILL);
        self.group.reap(Duration::ZERO)?;
        drop(self.guarded);
        let _ = self.guard.wait();
        for one in &mut self.outputs {
            one.drain(on_piece);
        }
        Ok(BesideEnd { exit, asked, at_ns })
    }

    /// Waits until there is something to read, the leader may have ended, or `cancel` came.
    fn wait(&self, deadline: Option<Instant>, cancel: Option<&Cancel>) -> io::Result<()> {
        let soon = self.pidfd.is_none().then(|| Instant::now() + GROUP_POLL);
        let until = [deadline, soon].into_iter().flatten().min();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let readers = self.outputs.iter().filter_map(|one| one.file.as_ref().map(AsFd::as_fd));
        let cancel = cancel.and_then(|cancel| cancel.1.as_ref()).map(|reader| reader.as_fd());
        let files: Vec<BorrowedFd<'_>> =
            readers.chain(cancel).chain(self.pidfd.as_ref().map(AsFd::as_fd)).collect();
        let mut polled: Vec<PollFd<'_>> =
            files.iter().map(|file| PollFd::from_borrowed_fd(*file, PollFlags::IN)).collect();
        match rustix::event::poll(&mut polled, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn drain(&mut self, on_piece: &mut dyn FnMut(Stream, &[u8])) {
        self.outputs.iter_mut().for_each(|one| one.drain(on_piece));
    }
}

impl Reader {
    /// Passes on what is there.
    fn drain(&mut self, on_piece: &mut dyn FnMut(Stream, &[u8])) {
        let mut buffer = [0; BUFFER];
        for _ in 0..MOST_PIECES {
            let Some(file) = &mut self.file else { return };
            match file.read(&mut buffer) {
                Ok(0) => self.file = None,
                Ok(n) => on_piece(self.stream, &buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.file = None,
            }
        }
    }
}

/// The reader of an output, which does not block, and the end for the program.
fn output(stream: Stream) -> io::Result<(Reader, PipeWriter)> {
    let (reader, writer): (PipeReader, PipeWriter) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    let file = File::from(OwnedFd::from(reader));
    Ok((Reader { stream, file: Some(file) }, writer))
}

/// Starts the guard of a group, as one of it: so its number stays taken.
fn guard(group: &Group) -> io::Result<(Child, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    let guard = std::process::Command::new("/bin/sh")
        .args(["-c", GUARD])
        .env_clear()
        .current_dir("/")
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(group.leader.as_raw_nonzero().get())
        .spawn()?;
    Ok((guard, writer))
}

#[cfg(test)]
mod tests {
    use super::super::cancel_pair;
    use super::*;

    const GRACE: Duration = Duration::from_millis(1_500);

    /// Runs a script of the shell; it is asked to end as soon as it has printed anything, so whatever it prints
    /// after that has to be in its trap. Its outputs, each after its name, and how it ended.
    fn run(script: &str, pipe: bool) -> String {
        // Children of a handler have the default, also where whoever runs the tests ignores SIGINT.
        let always = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        signal_hook::flag::register_conditional_default(signal_hook::consts::SIGINT, always).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("figures");
        let argv = ["/bin/sh", "-c", script, path.to_str().unwrap()].map(OsString::from);
        let env = [("PATH".into(), "/usr/bin:/bin".into())].into();
        let pipe = pipe.then_some(path.as_path());
        let command = BesideCommand { argv: &argv, dir: dir.path(), env: &env, pipe };
        let beside = Beside::start(&command).unwrap();
        let (canceller, cancel) = cancel_pair().unwrap();
        let mut canceller = Some(canceller);
        let mut outputs = [String::new(), String::new(), String::new()];
        let BesideEnd { exit, asked, at_ns } = beside
            .listen(&cancel, GRACE, &mut |stream, piece| {
                let at = match stream {
                    Stream::Stdout => 0,
                    Stream::Stderr => 1,
                    Stream::Pipe => 2,
                };
                outputs[at].push_str(std::str::from_utf8(piece).unwrap());
                canceller = None;
            })
            .unwrap();
        let left = std::fs::read_to_string(dir.path().join("pid")).unwrap_or_default();
        let late = GRACE.as_nanos() <= u128::from(clock::monotonic_ns() - at_ns);
        // It is killed by now; a busy machine takes its time to end it.
        let lives = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", left.trim()));
            !left.is_empty() && stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        let limit = Instant::now() + Duration::from_secs(20);
        while lives() {
            assert!(Instant::now() < limit, "{left} lives");
            std::thread::yield_now();
        }
        format!("{outputs:?} {exit}, {asked:?}{}", if late { ", and then its children" } else { "" })
    }

    #[test]
    fn a_program_that_is_interrupted_writes_what_it_still_has() {
        let script = "trap 'echo average; echo e >&2; exit 0' INT; echo 1; while :; do sleep 0.01; done";
        assert_eq!(run(script, false), r#"["1\naverage\n", "e\n", ""] exited with status 0, Interrupt"#);
    }

    #[test]
    fn a_program_that_ignores_signals_is_killed_with_its_children() {
        let script = "trap '' INT TERM; sleep 1000 & echo $! > pid; echo 1; while :; do sleep 0.01; done";
        assert_eq!(run(script, false), r#"["1\n", "", ""] killed by SIGKILL, Kill"#);
    }

    #[test]
    fn what_a_program_leaves_may_print_on_for_a_while_and_is_killed_then() {
        let script = "(until grep -q ') Z' /proc/$$/stat; do sleep 0.01; done; echo late) &
            sleep 1000 & echo $! > pid; exit 3";
        assert_eq!(
            run(script, false),
            r#"["late\n", "", ""] exited with status 3, Never, and then its children"#
        );
    }

    #[test]
    fn a_file_that_it_writes_again_and_again_is_read_as_it_grows() {
        let script = "trap 'echo b >> $0; exit 0' INT; echo a > $0; while :; do sleep 0.01; done";
        assert_eq!(run(script, true), r#"["", "", "a\nb\n"] exited with status 0, Interrupt"#);
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        let argv = [OsString::from("no-such-program")];
        let env = [("PATH".into(), "/usr/bin".into())].into();
        let command = BesideCommand { argv: &argv, dir: Path::new("/"), env: &env, pipe: None };
        let error = Beside::start(&command).unwrap_err();
        assert_eq!(error.to_string(), "there is no such program in /usr/bin");
    }
}
