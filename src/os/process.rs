//! Starting and ending processes: the only place that does.
//!
//! Every child leads a *process group* of its own, so that its children end with
//! it and a Ctrl-C at the terminal reaches `lp` alone. Groups are signalled
//! by system call, never through `/usr/bin/kill`. A group is signalled while
//! its leader runs or is still unreaped, so its number cannot have been reused.
//!
//! [`PipedChild`] is a child with pipes (a worker); [`run_command`] runs a user's
//! command to its end, and [`listen_to_command`] also reports its output.
//!
//! *Inheriting a descriptor*: std and rustix open everything CLOEXEC. During a
//! build the flag is cleared on the build lock (`BuildLock::share_with_children`),
//! so every child holds it; children inherit nothing else.
//!
//! *Cheap spawns*: std can use `posix_spawn` (which does not copy our page
//! tables) only if it need not search a changed `PATH`, so we search.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Seek, SeekFrom};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

mod beside;
mod command;

pub use beside::{Asked, Beside, BesideCommand, BesideEnd, Stream};
pub use command::{Command, CommandEnd, CommandEvent, listen_to_command, program_in, run_command};

/// How often a process group is looked at while it is given time to end.
const GROUP_POLL: Duration = Duration::from_millis(5);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status.
    Code(i32),
    /// It was killed by this signal: `SIGSEGV`.
    Signal(String),
}

impl Exit {
    /// Whether it exited with status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        *self == Exit::Code(0)
    }

    /// Killed by the signal of this number.
    #[must_use]
    pub fn signal(number: i32) -> Exit {
        let name = signal_hook::low_level::signal_name(number);
        Exit::Signal(name.map_or_else(|| format!("signal {number}"), str::to_owned))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with status {code}"),
            Exit::Signal(name) => write!(f, "killed by {name}"),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Exit {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::signal(signal),
            (None, None) => unreachable!("a process that was waited for has exited or was killed"),
        }
    }
}

/// Ends every command that holds one of its [`Cancel`]s, by being dropped.
#[derive(Debug)]
#[expect(dead_code, reason = "their drop is the message")]
pub struct Canceller(Sender<Infallible>, PipeWriter);

/// The receiving end of a [`Canceller`], for a thread that waits for messages or
/// polls descriptors.
#[derive(Clone, Debug)]
pub struct Cancel(Receiver<Infallible>, Option<Arc<PipeReader>>);

/// A fresh pair.
///
/// # Errors
/// When there is no descriptor left.
pub fn cancel_pair() -> io::Result<(Canceller, Cancel)> {
    let (sender, receiver) = crossbeam_channel::bounded(0);
    let (reader, writer) = io::pipe()?;
    Ok((Canceller(sender, writer), Cancel(receiver, Some(Arc::new(reader)))))
}

impl Cancel {
    /// One that never comes.
    #[must_use]
    pub fn never() -> Cancel {
        Cancel(crossbeam_channel::never(), None)
    }

    /// Becomes readable (as disconnected) when it comes, for `select!`.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<Infallible> {
        &self.0
    }

    /// Waits for it, but at most this long. Whether it came.
    #[must_use]
    pub fn wait(&self, at_most: Duration) -> bool {
        matches!(self.0.recv_timeout(at_most), Err(crossbeam_channel::RecvTimeoutError::Disconnected))
    }

    /// Whether it has come.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.try_recv(), Err(crossbeam_channel::TryRecvError::Disconnected))
    }
}

/// A child and its process group.
#[derive(Debug)]
pub struct Group {
    handle: duct::Handle,
    leader: Pid,
}

impl Group {
    fn spawn(expression: &duct::Expression) -> io::Result<Group> {
        let expression = expression.unchecked().before_spawn(|command| {
            command.process_group(0);
            Ok(())
        });
        let handle = expression.start()?;
        let leader = handle
            .pids()
            .first()
            .and_then(|pid| Pid::from_raw(i32::try_from(*pid).ok()?))
            .ok_or_else(|| io::Error::other("a started process has no pid"))?;
        Ok(Group { handle, leader })
    }

    /// The pid of the leader, which is the number of the group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.leader.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends a signal to all processes of the group. One that is gone is no error.
    pub fn signal(&self, signal: Signal) {
        // By system call, not through `/usr/bin/kill`: some versions of procps read
        // `kill -TERM -1234` as `kill(-1)` and signal every process on the machine.
        assert!(1 < self.leader.as_raw_nonzero().get(), "a group of ours is never init's");
        let _ = rustix::process::kill_process_group(self.leader, signal);
    }

    /// Waits for the leader's end without reaping it, so that its number stays
    /// taken until [`Group::reap`].
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn wait_leader(&self) -> io::Result<()> {
        loop {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            match rustix::process::waitid(WaitId::Pid(self.leader), options) {
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How the leader has ended, if it has; it stays unreaped.
    fn ended(&self) -> io::Result<Option<Exit>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let waited =
            rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::Pid(self.leader), options))?;
        Ok(waited.map(|status| match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::signal(signal.unwrap_or(0)),
        }))
    }

    /// Asks what is left of the group to end, reaps the leader, and kills what
    /// is still there after `grace`. To be called when the leader has ended.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn reap(&self, grace: Duration) -> io::Result<Exit> {
        self.reap_while(grace, &mut || {})
    }

    /// As [`Group::reap`], doing something now and then while the group ends.
    fn reap_while(&self, grace: Duration, meanwhile: &mut dyn FnMut()) -> io::Result<Exit> {
        self.signal(Signal::TERM);
        let exit = Exit::from(self.handle.wait()?.status);
        let deadline = Instant::now() + grace;
        while rustix::process::test_kill_process_group(self.leader).is_ok() {
            if deadline <= Instant::now() {
                self.signal(Signal::KILL);
                break;
            }
            meanwhile();
            std::thread::sleep(GROUP_POLL);
        }
        Ok(exit)
    }
}

/// A child whose stdin and stdout are pipes.
#[derive(Debug)]
pub struct PipedChild {
    pub group: Group,
    pub stdin: PipeWriter,
    pub stdout: PipeReader,
}

impl PipedChild {
    /// Starts `command` (program and arguments) in the folder `dir` and the current
    /// environment, its stderr going to `stderr`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(command: &[OsString], dir: &Path, stderr: File) -> io::Result<PipedChild> {
        let (program, arguments) = split(command)?;
        let (stdin_reader, stdin) = io::pipe()?;
        let (stdout, stdout_writer) = io::pipe()?;
        let expression = duct::cmd(program, arguments)
            .dir(dir)
            .stdin_file(stdin_reader)
            .stdout_file(stdout_writer)
            .stderr_file(stderr);
        // The expression holds the child's ends; it is dropped here, so that
        // the end of the child is the end of its pipes.
        let group = Group::spawn(&expression)?;
        Ok(PipedChild { group, stdin, stdout })
    }
}

fn split(command: &[OsString]) -> io::Result<(&OsString, &[OsString])> {
    command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "an empty command"))
}

/// The path of the running program.
///
/// # Errors
/// When the system does not know it.
pub fn this_program() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// The path of `name` in the folder of the running program.
///
/// # Errors
/// When the system does not know the running program's path.
pub fn beside_this_program(name: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

/// A file for a child's stderr, opened for appending.
///
/// # Errors
/// When it cannot be opened or made.
pub fn log_file(path: &Path) -> io::Result<File> {
    File::options().create(true).read(true).append(true).open(path)
}

/// The same without a path: it disappears when the last process closes it.
///
/// # Errors
/// When the system has no memory for it.
pub fn unnamed_log_file() -> io::Result<File> {
    let file = File::from(rustix::fs::memfd_create("log", rustix::fs::MemfdFlags::CLOEXEC)?);
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND)?;
    Ok(file)
}

/// The last `limit` bytes of a file as text, whole lines where possible.
///
/// # Errors
/// When it cannot be read.
pub fn tail(path: &Path, limit: u64) -> io::Result<String> {
    tail_of(File::open(path)?, limit)
}

/// As [`tail`], of an open file.
///
/// # Errors
/// When it cannot be read.
pub fn tail_of(mut file: File, limit: u64) -> io::Result<String> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit)))?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole = match text.split_once('\n') {
        Some((_, rest)) if limit < length && !rest.is_empty() => rest,
        _ => &text,
    };
    Ok(whole.to_owned())
}

/// Resident memory of this process in bytes; `None` where `/proc` is absent.
#[must_use]
pub fn own_rss() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(super::proc::page_size() as u64)
}

/// How many files this process has open; `None` where `/proc` is absent.
#[must_use]
pub fn own_open_files() -> Option<u32> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    // One of them is the folder itself, while it is read.
    u32::try_from(entries.count()).ok()?.checked_sub(1)
}

/// How many files this process, and each that it starts, may have open; `None` if there is no
/// limit.
#[must_use]
pub fn most_open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// How many threads the processes of this user may have together (`RLIMIT_NPROC`); `None` if there
/// is no limit, as for the superuser.
#[must_use]
pub fn most_threads() -> Option<u64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nproc).current;
    limit.filter(|_| !rustix::process::getuid().is_root())
}

/// Memory of this process in bytes, of which shared pages count only in part: divided by
/// the processes that share them (PSS). `None` if the kernel does not say. It takes the
/// kernel milliseconds, in which the process cannot map memory.
#[must_use]
pub fn own_pss() -> Option<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Takes stdout away from the rest of this process: returns the file, and
/// descriptor 1 leads to stderr from now on.
///
/// # Errors
/// When there is no descriptor left.
pub fn take_stdout() -> io::Result<File> {
    let real = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(real))
}

/// Lets SIGSEGV and SIGBUS from any source kill this process.
///
/// Rust's runtime catches both to report a stack overflow; for any other fault it
/// resets the handler and returns, so that the faulting instruction faults again and kills.
/// A signal that was *sent* has no such instruction: the first would be lost.
/// To be called while there is one thread, which then takes the first itself.
pub fn let_crashes_kill() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    for signal in [Signal::SEGV, Signal::BUS] {
        if caught >> (signal.as_raw() - 1) & 1 == 1 {
            let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_begins_with_a_whole_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(file.path(), 8).unwrap(), "three\n");
        assert_eq!(tail(file.path(), 800).unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn this_process_uses_memory() {
        let (rss, pss) = (own_rss().unwrap(), own_pss().unwrap());
        assert!(100_000 < pss && pss < rss + (64 << 20), "{pss} of {rss}");
    }
}
