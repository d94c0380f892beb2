//! Locks between processes: `flock` that names the holder while `lp` waits.
//!
//! Three locks, taken in this order: the *build lock* of a project
//! ([`BuildLock`]), the *measuring lock* of the machine ([`MeasuringLock`]) and
//! the *log lock* (`store::log`, a plain [`flock`] on the log itself).
//!
//! A lock belongs to an open file, so children that inherit it hold it too. That
//! is wanted for the build lock: a command that outlives its `lp` still writes
//! outputs. A waiter polls, because the user may interrupt the wait.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use super::failpoint::{fs_call, fs_write};
use super::fs::{Context, FsError};
use crate::text::harmless;
use holders::Holders;

mod holders;

/// The last line of a build lock's file after the lock was released.
const FREE: &str = "free\n";

/// How often a waiter tries again.
const POLL: Duration = Duration::from_millis(50);
/// How often it looks for another holder.
const LOOK: Duration = Duration::from_secs(1);
/// How long it waits for a holder that is not an `lp`.
const FOREIGN: Duration = Duration::from_secs(10);

/// [`FOREIGN`]; tests of `lp` itself set `LP_FOREIGN_WAIT_MS`, so as not to wait.
fn foreign_wait() -> Duration {
    let text = std::env::var("LP_FOREIGN_WAIT_MS").ok();
    text.and_then(|text| text.parse().ok()).map_or(FOREIGN, Duration::from_millis)
}

/// The process that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `None` if it is not visible from here, as in another container.
    pub pid: Option<u32>,
    /// Its work: `` the measurement of `lane` in `/x` ``, or its command.
    pub what: String,
}

impl Holder {
    /// The line that a waiting process prints.
    #[must_use]
    pub fn awaited(&self) -> String {
        format!("waiting for {self}")
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "{} (pid {pid})", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Shared,
    Exclusive,
}

/// The reason why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Its file cannot be used.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The user stopped the wait.
    #[error("interrupted while waiting for `{}`", path.display())]
    Cancelled { path: PathBuf },
    /// A process that an earlier `lp` started and that left its process group holds it.
    #[error("`{}` is held by {holder}, which is not an `lp`", path.display())]
    Foreign { path: PathBuf, holder: Holder },
}

/// The callbacks of a waiting process.
pub struct Waiter<'a> {
    /// Called once for each holder that it waits for.
    pub on_wait: &'a mut dyn FnMut(&Holder),
    /// Whether to give up.
    pub is_cancelled: &'a dyn Fn() -> bool,
}

/// Locks an open file, waiting as long as it takes. For the short holds of the log.
///
/// # Errors
/// When the file system cannot lock.
pub fn flock(file: &File, mode: Mode) -> io::Result<()> {
    let operation = match mode {
        Mode::Shared => FlockOperation::LockShared,
        Mode::Exclusive => FlockOperation::LockExclusive,
    };
    Ok(rustix::io::retry_on_intr(|| rustix::fs::flock(file, operation))?)
}

/// Locks an open file if that needs no waiting.
///
/// # Errors
/// When the file system cannot lock.
pub fn try_flock(file: &File, mode: Mode) -> io::Result<bool> {
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match rustix::io::retry_on_intr(|| rustix::fs::flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The lock of a project's build, held while tasks are performed or restored.
///
/// Its file names the holder: pid, a unique word, and the command line; `free`
/// follows when the lock was released. Dropping it closes our descriptor; children
/// that inherited it keep the lock until they end.
#[derive(Debug)]
pub struct BuildLock {
    file: File,
    text: String,
    is_next: Option<FreeLock>,
}

/// A build lock without a holder, by the text of its last holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeLock(String);

impl FreeLock {
    /// Looks at the lock whose file is `path`. `None` if a process holds it, or died
    /// while holding it.
    #[must_use]
    pub fn look(path: &Path) -> Option<FreeLock> {
        Some(FreeLock(read_text(path))).filter(|found| found.0.is_empty() || found.0.ends_with(FREE))
    }
}

impl BuildLock {
    /// Takes the lock whose file is `path` (made if missing).
    ///
    /// # Errors
    /// When the file cannot be used, the wait was cancelled, or a process other than
    /// `lp` has held it for 10 s.
    pub fn acquire(path: &Path, waiting: &mut Waiter<'_>) -> Result<BuildLock, LockError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = fs_call("open", path, || options.open(path)).context("open", path)?;
        let is_lp = |text: &str, holders: &Holders| match read_pid(text) {
            Some(pid) => holders.is_empty() || holders.contains(pid),
            None => holders.is_empty(),
        };
        let name = |text: &str, holders: &Holders| {
            let recorded = read_pid(text).filter(|pid| holders.is_empty() || holders.contains(*pid));
            match (recorded, text.split_once('\n')) {
                (Some(pid), Some((_, command))) => {
                    let command = command.lines().next().unwrap_or_default();
                    Holder { pid: Some(pid), what: format!("`{command}`") }
                }
                _ => holders.first(),
            }
        };
        let mut has_waited = false;
        let Waiter { on_wait, is_cancelled } = waiting;
        let mut on_wait = |holder: &Holder| {
            has_waited = true;
            on_wait(holder);
        };
        let mut waiting = Waiter { on_wait: &mut on_wait, is_cancelled: *is_cancelled };
        wait(&file, path, Mode::Exclusive, &mut waiting, &name, &is_lp)?;
        let command: Vec<String> =
            std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let found = FreeLock::look(path);
        let (pid, command) = (std::process::id(), command.join(" "));
        let text = format!("{pid} {}\n{}\n", super::fs::temporary_name(), harmless(&command));
        fs_write(path, text.as_bytes(), |bytes| write_bytes(&file, bytes)).context("write", path)?;
        Ok(BuildLock { file, text, is_next: found.filter(|_| !has_waited) })
    }

    /// Whether there was no other holder between that look and this one.
    #[must_use]
    pub fn is_next_after(&self, look: Option<&FreeLock>) -> bool {
        look.is_some() && self.is_next.as_ref() == look
    }

    /// Lets processes that are started from now on hold the lock too.
    ///
    /// # Errors
    /// When the descriptor cannot be changed.
    pub fn share_with_children(&self) -> io::Result<()> {
        Ok(rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty())?)
    }
}

impl Drop for BuildLock {
    fn drop(&mut self) {
        // Without it the next build only looks at everything again.
        let _ = write_text(&self.file, &format!("{}{FREE}", self.text));
    }
}

/// The reason why there is no measuring lock. Not an error: a machine without one still
/// builds and measures, only unguarded.
#[derive(Debug, thiserror::Error)]
#[error("measurements on this machine are not kept apart: `{}` cannot be opened", path.display())]
pub struct NoMeasuringLock {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// The machine-wide lock that keeps measurements and everything else apart.
#[derive(Debug)]
pub struct MeasuringLock {
    path: PathBuf,
}

/// The measurement that a waiting process names.
#[derive(Clone, Copy, Debug)]
pub struct Measurement<'a> {
    /// `lane`
    pub subject: &'a str,
    pub root: &'a Path,
}

impl MeasuringLock {
    /// The lock in `$LP_LOCK_DIR`, else in `/run/lock`.
    ///
    /// # Errors
    /// When there is no such folder or no file can be opened in it.
    pub fn open() -> Result<MeasuringLock, NoMeasuringLock> {
        let folder = std::env::var_os("LP_LOCK_DIR").filter(|folder| !folder.is_empty());
        MeasuringLock::open_in(&folder.map_or_else(|| PathBuf::from("/run/lock"), PathBuf::from))
    }

    /// The lock in `folder`.
    ///
    /// # Errors
    /// When there is no such folder or no file can be opened in it.
    pub fn open_in(folder: &Path) -> Result<MeasuringLock, NoMeasuringLock> {
        let path = folder.join("lp-measure.lock");
        match open_shared_file(&path) {
            Ok(_) => Ok(MeasuringLock { path }),
            Err(source) => Err(NoMeasuringLock { path, source }),
        }
    }

    /// Holds the lock beside other builds: no measurement runs meanwhile.
    ///
    /// # Errors
    /// When the file cannot be used or the wait was cancelled.
    pub fn share(&self, waiting: &mut Waiter<'_>) -> Result<MeasuringHold, LockError> {
        self.take(Mode::Shared, waiting)
    }

    /// Holds the lock alone, for `measurement`. A shared hold of this process
    /// must have been dropped, or this waits for it.
    ///
    /// # Errors
    /// When the file cannot be used or the wait was cancelled.
    pub fn exclude(
        &self,
        measurement: Measurement<'_>,
        waiting: &mut Waiter<'_>,
    ) -> Result<MeasuringHold, LockError> {
        let mut hold = self.take(Mode::Exclusive, waiting)?;
        let text = format!(
            "{}\nthe measurement of `{}` in `{}`\n",
            std::process::id(),
            harmless(measurement.subject),
            harmless(&measurement.root.to_string_lossy())
        );
        // Without O_CREAT: `fs.protected_regular` refuses that for files of
        // others. A file that only its owner may write names no holder.
        if let Ok(file) = OpenOptions::new().write(true).open(&self.path)
            && write_text(&file, &text).is_ok()
        {
            hold.text = Some(file);
        }
        Ok(hold)
    }

    fn take(&self, mode: Mode, waiting: &mut Waiter<'_>) -> Result<MeasuringHold, LockError> {
        let file = open_shared_file(&self.path).context("open", &self.path)?;
        let name = |text: &str, holders: &Holders| match (read_pid(text), text.split_once('\n')) {
            (Some(pid), Some((_, what))) if holders.is_empty() || holders.contains(pid) => {
                Holder { pid: Some(pid), what: what.trim_end().to_owned() }
            }
            _ => holders.first(),
        };
        wait(&file, &self.path, mode, waiting, &name, &|_, _| true)?;
        Ok(MeasuringHold { _file: file, text: None })
    }
}

/// The measuring lock, held until this is dropped.
#[derive(Debug)]
pub struct MeasuringHold {
    _file: File,
    text: Option<File>,
}

impl Drop for MeasuringHold {
    fn drop(&mut self) {
        if let Some(file) = &self.text {
            // A leftover text names a process that no longer holds the lock;
            // readers check that.
            let _ = file.set_len(0);
        }
    }
}

/// Reading is enough to lock, and works for a file of another user in a sticky
/// folder; only the first user of the machine creates it.
fn open_shared_file(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match OpenOptions::new().read(true).write(true).create_new(true).open(path) {
        Ok(file) => {
            file.set_permissions(Permissions::from_mode(0o666))?;
            Ok(file)
        }
        // Another process was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => File::open(path),
        Err(error) => Err(error),
    }
}

fn wait(
    file: &File,
    path: &Path,
    mode: Mode,
    waiting: &mut Waiter<'_>,
    name: &dyn Fn(&str, &Holders) -> Holder,
    is_lp: &dyn Fn(&str, &Holders) -> bool,
) -> Result<(), LockError> {
    let mut looked: Option<Instant> = None;
    let mut foreign_since: Option<Instant> = None;
    let mut reported: Option<Holder> = None;
    let foreign_wait = foreign_wait();
    let look = LOOK.min(foreign_wait);
    loop {
        if try_flock(file, mode).context("lock", path)? {
            return Ok(());
        }
        if (waiting.is_cancelled)() {
            return Err(LockError::Cancelled { path: path.to_path_buf() });
        }
        if looked.is_none_or(|at| at.elapsed() >= look) {
            looked = Some(Instant::now());
            let text = read_text(path);
            let holders = Holders::of(file);
            let holder = name(&text, &holders);
            if is_lp(&text, &holders) {
                foreign_since = None;
            } else if foreign_since.get_or_insert_with(Instant::now).elapsed() >= foreign_wait {
                return Err(LockError::Foreign { path: path.to_path_buf(), holder });
            }
            if reported.as_ref() != Some(&holder) {
                (waiting.on_wait)(&holder);
                reported = Some(holder);
            }
        }
        std::thread::sleep(POLL);
    }
}

fn read_text(path: &Path) -> String {
    let mut text = String::new();
    // A waiter that cannot read the file does not know the holder.
    let _ = File::open(path).and_then(|file| file.take(1 << 20).read_to_string(&mut text));
    text
}

fn read_pid(text: &str) -> Option<u32> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn write_text(file: &File, text: &str) -> io::Result<()> {
    write_bytes(file, text.as_bytes())
}

fn write_bytes(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::atomic::{AtomicBool, Ordering};

    use expect_test::expect;

    use super::*;

    // A child that another test is just starting holds every lock for a moment,
    // so a short wait is no fault.
    fn no_report(_: &Holder) {}

    fn take(path: &Path) -> BuildLock {
        BuildLock::acquire(path, &mut Waiter { on_wait: &mut no_report, is_cancelled: &|| false }).unwrap()
    }

    #[test]
    fn a_waiter_names_the_measurement_and_can_be_cancelled() {
        let folder = tempfile::tempdir().unwrap();
        let lock = MeasuringLock::open_in(folder.path()).unwrap();
        let mut waiting = Waiter { on_wait: &mut no_report, is_cancelled: &|| false };
        let measurement = Measurement { subject: "lane", root: Path::new("/x") };
        let hold = lock.exclude(measurement, &mut waiting).unwrap();

        let is_reported = AtomicBool::new(false);
        let mut text = String::new();
        let mut on_wait = |holder: &Holder| {
            text = holder.to_string();
            is_reported.store(true, Ordering::SeqCst);
        };
        let mut waiting =
            Waiter { on_wait: &mut on_wait, is_cancelled: &|| is_reported.load(Ordering::SeqCst) };
        let refused = lock.share(&mut waiting).unwrap_err();
        assert!(matches!(refused, LockError::Cancelled { .. }));
        assert_eq!(text, format!("the measurement of `lane` in `/x` (pid {})", std::process::id()));

        drop(hold);
        let mut waiting = Waiter { on_wait: &mut no_report, is_cancelled: &|| false };
        let (one, two) = (lock.share(&mut waiting).unwrap(), lock.share(&mut waiting).unwrap());
        drop((one, two));
        lock.exclude(measurement, &mut waiting).unwrap();
    }

    #[test]
    fn a_missing_folder_is_a_warning() {
        let warning = MeasuringLock::open_in(Path::new("/nowhere")).unwrap_err();
        expect![
            "measurements on this machine are not kept apart: `/nowhere/lp-measure.lock` cannot be opened"
        ]
        .assert_eq(&warning.to_string());
    }

    #[test]
    fn everybody_may_open_the_measuring_lock() {
        let folder = tempfile::tempdir().unwrap();
        MeasuringLock::open_in(folder.path()).unwrap();
        let mode = std::fs::metadata(folder.path().join("lp-measure.lock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666);
    }

    #[test]
    fn the_build_lock_is_taken_again_after_its_holder_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        drop(take(&path));
        let lock = take(&path);
        assert!(!try_flock(&File::open(&path).unwrap(), Mode::Exclusive).unwrap());
        assert_eq!(read_pid(&read_text(&path)), Some(std::process::id()));
        drop(lock);
        take(&path);
    }

    #[test]
    fn a_child_that_inherited_the_lock_is_named_as_foreign() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = take(&path);
        // As stderr: inherited without making it so for the children of other tests.
        let stderr = lock.file.try_clone().unwrap();
        let mut cat = Command::new("cat");
        let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        drop(cat);
        // `/proc` shows no command line before `exec` is done.
        child.stdin.as_ref().unwrap().write_all(b"!").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        drop(lock);
        let file = File::open(&path).unwrap();
        assert!(!try_flock(&file, Mode::Exclusive).unwrap());
        let holders = Holders::of(&file);
        let named = Holders::name(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(named, Holder { pid: Some(child.id()), what: "`cat`".to_owned() });
        assert!(holders.contains(child.id()) && !holders.contains(std::process::id()));
    }
}
