//! A user's command, from its program's name to the end of its process group.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{PidfdFlags, Signal};

use super::{Cancel, Exit, GROUP_POLL, Group, split};

#[derive(Debug)]
pub struct Command<'a> {
    /// Program and arguments. A program without `/` is searched in the `PATH` of `env`.
    pub argv: &'a [OsString],
    /// Where it runs; absolute.
    pub dir: &'a Path,
    /// All of its environment.
    pub env: &'a BTreeMap<OsString, OsString>,
    /// How many bytes of its output are kept, from the end.
    pub log_limit: usize,
    /// Stopped when it takes longer.
    pub timeout: Option<Duration>,
    /// Between TERM and KILL.
    pub grace: Duration,
}

/// The end of a user's command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    Exited(Exit),
    /// Stopped after its time.
    TimedOut,
    /// Stopped because it was cancelled.
    Cancelled,
}

/// Runs a command until it ends, its time is over, or `cancel` comes. Nothing of
/// its process group is left when this returns. Returns its stdout and stderr in
/// one.
///
/// # Errors
/// When the program is not found or cannot be started.
pub fn run_command(command: &Command<'_>, cancel: &Cancel) -> io::Result<(CommandEnd, Vec<u8>)> {
    listen_to_command(command, cancel, &mut |_| {})
}

/// An event of a running command.
#[derive(Debug)]
pub enum CommandEvent<'a> {
    /// A piece of its output, of any length.
    Piece(&'a [u8]),
    /// Its leader has ended, by itself or not. Its children may live on for the
    /// grace time, and print.
    Ended(Exit),
}

/// As [`run_command`], and reports events as they come.
///
/// # Errors
/// When the program is not found or cannot be started.
pub fn listen_to_command(
    command: &Command<'_>,
    cancel: &Cancel,
    on_event: &mut dyn FnMut(CommandEvent<'_>),
) -> io::Result<(CommandEnd, Vec<u8>)> {
    let (name, arguments) = split(command.argv)?;
    let program = find_program(name, command)?;
    let (reader, writer) = io::pipe()?;
    let expression = duct::cmd(program, arguments)
        .full_env(command.env)
        .stdin_null()
        .stderr_to_stdout()
        .stdout_file(writer);
    let (name, dir) = (name.clone(), command.dir.to_path_buf());
    // Not by duct's `dir`, which makes a relative program absolute: a script would
    // see in `$0` where the project is.
    let expression = expression.before_spawn(move |command| {
        command.arg0(&name).current_dir(&dir);
        Ok(())
    });
    let group = Group::spawn(&expression)?;
    // Ours is the only other end: the pipe ends when its writers end.
    drop(expression);
    let mut log = Log::new(reader, command.log_limit, on_event)?;
    let pidfd = rustix::process::pidfd_open(group.leader, PidfdFlags::empty()).ok();

    let watched = RunningCommand { group: &group, pidfd: pidfd.as_ref() };
    let deadline = command.timeout.map(|timeout| Instant::now() + timeout);
    let stopped = match watched.wait(&mut log, deadline, Some(cancel))? {
        WaitEnd::Ended => None,
        WaitEnd::Cancelled => Some(CommandEnd::Cancelled),
        WaitEnd::TimedOut => Some(CommandEnd::TimedOut),
    };
    if stopped.is_some() {
        group.signal(Signal::TERM);
        if watched.wait(&mut log, Some(Instant::now() + command.grace), None)? == WaitEnd::TimedOut {
            group.signal(Signal::KILL);
            watched.wait(&mut log, None, None)?;
        }
    }
    // Output from before the end comes before it.
    log.drain();
    if let Some(exit) = group.ended()? {
        (log.on_event)(CommandEvent::Ended(exit));
    }
    let exit = group.reap_while(command.grace, &mut || log.drain())?;
    log.drain();
    Ok((stopped.unwrap_or(CommandEnd::Exited(exit)), log.finish()))
}

/// The reason why [`RunningCommand::wait`] returned.
#[derive(PartialEq, Eq)]
enum WaitEnd {
    Ended,
    Cancelled,
    TimedOut,
}

struct RunningCommand<'a> {
    group: &'a Group,
    /// Readable when the leader has ended; `None` on kernels before 5.3.
    pidfd: Option<&'a OwnedFd>,
}

impl RunningCommand<'_> {
    /// Waits for the leader's end and reads the output meanwhile.
    fn wait(
        &self,
        log: &mut Log<'_>,
        deadline: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> io::Result<WaitEnd> {
        loop {
            if self.group.ended()?.is_some() {
                return Ok(WaitEnd::Ended);
            }
            if cancel.is_some_and(Cancel::is_cancelled) {
                return Ok(WaitEnd::Cancelled);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(WaitEnd::TimedOut);
            }
            let left =
                if self.pidfd.is_none() { Some(left.unwrap_or(GROUP_POLL).min(GROUP_POLL)) } else { left };
            let mut polled = Vec::with_capacity(3);
            polled.extend(self.pidfd.map(|fd| PollFd::new(fd, PollFlags::IN)));
            polled.extend(
                cancel.and_then(|cancel| cancel.1.as_ref()).map(|fd| PollFd::new(&**fd, PollFlags::IN)),
            );
            polled.extend(log.open().map(|fd| PollFd::new(fd, PollFlags::IN)));
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match rustix::event::poll(&mut polled, left.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            drop(polled);
            log.drain();
        }
    }
}

/// The most pieces that are read at once: a command that prints faster than we
/// read must not keep us from looking at the clock.
const MOST_PIECES: usize = 64;

/// The last part of a command's output.
struct Log<'a> {
    /// `None` when all writers have closed the pipe.
    reader: Option<PipeReader>,
    bytes: Vec<u8>,
    limit: usize,
    /// Whether there was more.
    is_cut: bool,
    on_event: &'a mut dyn FnMut(CommandEvent<'_>),
}

impl<'a> Log<'a> {
    fn new(
        reader: PipeReader,
        limit: usize,
        on_event: &'a mut dyn FnMut(CommandEvent<'_>),
    ) -> io::Result<Log<'a>> {
        // Only of our end: writers still block.
        rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK)?;
        Ok(Log { reader: Some(reader), bytes: Vec::new(), limit, is_cut: false, on_event })
    }

    fn open(&self) -> Option<&PipeReader> {
        self.reader.as_ref()
    }

    /// Reads the available output.
    fn drain(&mut self) {
        let mut buffer = [0; 16 * 1024];
        for _ in 0..MOST_PIECES {
            let Some(reader) = &mut self.reader else { return };
            match reader.read(&mut buffer) {
                Ok(0) => self.reader = None,
                Ok(n) => {
                    (self.on_event)(CommandEvent::Piece(&buffer[..n]));
                    self.bytes.extend_from_slice(&buffer[..n]);
                    if self.bytes.len() > self.limit.saturating_mul(2) {
                        self.cut();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.reader = None,
            }
        }
    }

    /// The last bytes, whole lines where possible.
    fn finish(mut self) -> Vec<u8> {
        if self.bytes.len() > self.limit {
            self.cut();
        }
        let end = self.bytes.iter().position(|byte| *byte == b'\n');
        if let Some(end) = end.filter(|_| self.is_cut) {
            self.bytes.drain(..=end);
        }
        self.bytes
    }

    fn cut(&mut self) {
        self.bytes.drain(..self.bytes.len() - self.limit);
        self.is_cut = true;
    }
}

/// The path of a command's program, as `execvpe` would find it from `dir`.
fn find_program(name: &OsStr, command: &Command<'_>) -> io::Result<OsString> {
    let paths = command.env.get(OsStr::new("PATH")).map(OsString::as_os_str).unwrap_or_default();
    program_in(name, paths, command.dir).ok_or_else(|| {
        let message = format!("there is no such program in {}", paths.to_string_lossy());
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// The path of a program: of one without `/`, as it is found in `paths`, which is
/// a `PATH`; relative folders there begin in `dir`.
#[must_use]
pub fn program_in(name: &OsStr, paths: &OsStr, dir: &Path) -> Option<OsString> {
    if name.as_bytes().contains(&b'/') {
        return Some(name.to_owned());
    }
    let is_program = |path: &PathBuf| {
        let found = std::fs::metadata(dir.join(path));
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let mut candidates = std::env::split_paths(paths).map(|folder| Path::new(".").join(folder).join(name));
    candidates.find(is_program).map(PathBuf::into_os_string)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use expect_test::{Expect, expect};

    use super::super::cancel_pair;
    use super::*;
    use crate::os::lock::{BuildLock, Waiter};

    struct Limits {
        dir: tempfile::TempDir,
        timeout: Option<Duration>,
        cancel: Cancel,
    }

    impl Limits {
        fn new() -> Limits {
            Limits { dir: tempfile::tempdir().unwrap(), timeout: None, cancel: Cancel::never() }
        }

        /// Runs a shell script; its grace time is short.
        fn run(&self, script: &str) -> (CommandEnd, Vec<u8>) {
            let argv = ["/bin/sh", "-c", script].map(OsString::from);
            let env = [("PATH".into(), "/usr/bin:/bin".into()), ("A".into(), "b".into())].into();
            let command = Command {
                argv: &argv,
                dir: self.dir.path(),
                env: &env,
                log_limit: 1000,
                timeout: self.timeout,
                grace: Duration::from_millis(300),
            };
            run_command(&command, &self.cancel).unwrap()
        }
    }

    #[track_caller]
    fn check(script: &str, expect: Expect) {
        let (finished, log) = Limits::new().run(script);
        expect.assert_eq(&format!("{finished:?} {:?}", String::from_utf8_lossy(&log)));
    }

    /// Whether the process that the script wrote into the file `pid` has gone.
    fn is_gone(given: &Limits) -> bool {
        let text = std::fs::read_to_string(given.dir.path().join("pid")).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", text.trim()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    }

    #[test]
    fn a_command_sees_exactly_its_environment() {
        check(
            "echo $A; env | grep -vE '^(PWD|SHLVL|_)=' | sort; echo err >&2",
            expect![[r#"Exited(Code(0)) "b\nA=b\nPATH=/usr/bin:/bin\nerr\n""#]],
        );
    }

    #[test]
    fn an_end_is_a_status_or_a_signal_by_name() {
        check("exit 3", expect![[r#"Exited(Code(3)) """#]]);
        check("kill -SEGV $$", expect![[r#"Exited(Signal("SIGSEGV")) """#]]);
    }

    #[test]
    fn processes_left_by_a_command_are_ended() {
        let given = Limits::new();
        given.run("sleep 1000 & echo $! > pid");
        assert!(is_gone(&given));
    }

    #[test]
    fn a_command_that_ignores_term_is_killed_after_the_grace_time() {
        let given = Limits { timeout: Some(Duration::from_millis(200)), ..Limits::new() };
        let (finished, _) = given.run("echo $$ > pid; trap '' TERM; while :; do sleep 0.01; done");
        assert_eq!(finished, CommandEnd::TimedOut);
        assert!(is_gone(&given));
    }

    #[test]
    fn a_command_is_cancelled_from_another_thread() {
        let (canceller, cancel) = cancel_pair().unwrap();
        let given = Limits { cancel, ..Limits::new() };
        let fifo = given.dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let (finished, _) = std::thread::scope(|scope| {
            scope.spawn(|| {
                // Reading ends when the script has written and closed its end.
                io::read_to_string(File::open(&fifo).unwrap()).unwrap();
                drop(canceller);
            });
            given.run("echo $$ > pid; echo > fifo; sleep 1000")
        });
        assert_eq!(finished, CommandEnd::Cancelled);
        assert!(is_gone(&given));
    }

    #[test]
    fn a_command_that_prints_without_end_is_stopped() {
        let given = Limits { timeout: Some(Duration::from_millis(300)), ..Limits::new() };
        let (finished, log) = given.run("exec yes");
        assert_eq!(finished, CommandEnd::TimedOut);
        assert!(log.len() <= 1000 && log.iter().all(|byte| b"y\n".contains(byte)));
    }

    #[test]
    fn output_and_end_are_reported() {
        let (argv, env) =
            (["/bin/sh", "-c", "printf a; printf b >&2; exit 3"].map(OsString::from), [].into());
        let command = Command {
            argv: &argv,
            dir: Path::new("/"),
            env: &env,
            log_limit: 0,
            timeout: None,
            grace: Duration::from_millis(300),
        };
        let mut heard = String::new();
        let ended = listen_to_command(&command, &Cancel::never(), &mut |one| match one {
            CommandEvent::Piece(piece) => heard.push_str(std::str::from_utf8(piece).unwrap()),
            CommandEvent::Ended(exit) => heard.push_str(&format!("; {exit}")),
        });
        assert_eq!(ended.unwrap(), (CommandEnd::Exited(Exit::Code(3)), Vec::new()));
        assert_eq!(heard, "ab; exited with status 3");
    }

    #[test]
    fn only_a_shared_build_lock_is_inherited() {
        let given = Limits::new();
        let mut waiting = Waiter { on_wait: &mut |_| {}, is_cancelled: &|| false };
        let lock = BuildLock::acquire(&given.dir.path().join("lock"), &mut waiting).unwrap();
        lock.share_with_children().unwrap();
        let _other = File::create(given.dir.path().join("other")).unwrap();
        // Other tests have files of these names too, and may lend them to any command.
        let name = given.dir.path().file_name().unwrap().to_str().unwrap();
        let (_, log) =
            given.run(&format!("ls -l /proc/self/fd | grep -oE '{name}/(lock|other)$' | sed 's|.*/|/|'"));
        expect!["/lock\n"].assert_eq(&String::from_utf8(log).unwrap());
    }

    #[test]
    fn the_last_whole_lines_of_a_long_log_are_kept() {
        let (finished, log) = Limits::new().run("seq 1 100000; echo end");
        assert_eq!(finished, CommandEnd::Exited(Exit::Code(0)));
        let text = String::from_utf8(log).unwrap();
        assert!(text.ends_with("\n99999\n100000\nend\n") && text.len() <= 1000, "{}", text.len());
        assert!(text.starts_with("998"), "{text}");
    }

    #[test]
    fn a_program_is_searched_as_the_command_would() {
        let argv = |name: &str| [OsString::from(name)];
        let run = |name: &str, path: &str| {
            let env = [("PATH".into(), path.into())].into();
            let command = Command {
                argv: &argv(name),
                dir: Path::new("/usr"),
                env: &env,
                log_limit: 0,
                timeout: None,
                grace: Duration::from_millis(300),
            };
            match run_command(&command, &Cancel::never()) {
                Ok((finished, _)) => format!("{finished:?}"),
                Err(error) => error.to_string(),
            }
        };
        assert_eq!(run("true", "/nowhere:bin"), "Exited(Code(0))");
        assert_eq!(run("bin/true", ""), "Exited(Code(0))");
        assert_eq!(run("true", "/nowhere"), "there is no such program in /nowhere");
        assert_eq!(run("./true", "/usr/bin"), "No such file or directory (os error 2)");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("script"), "#!/bin/sh\necho $0\n").unwrap();
        std::fs::set_permissions(folder.path().join("script"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        let env = BTreeMap::from([("PATH".into(), "/usr/bin".into())]);
        let command = Command {
            argv: &argv("./script"),
            dir: folder.path(),
            env: &env,
            log_limit: 100,
            timeout: None,
            grace: Duration::from_millis(300),
        };
        let (_, log) = run_command(&command, &Cancel::never()).unwrap();
        assert_eq!(log, b"./script\n");
    }
}
