//! Places where a test makes `lp` die, and writes that it makes fail. For tests
//! only.
//!
//! `LP_FAILPOINT=store.between` aborts the process the first time it comes to
//! that place, `LP_FAILPOINT=store.between:3` the third time. Names:
//! `store.before-blob` (nothing of a result is stored yet), `store.between`
//! (its blobs are, its log entry is not), `store.inside-log-line` (half of the
//! entry is on the disk), `store.before-place` (an output is made and lacks only
//! its name), `lock.before-write` (downloads are in place and lack only their entries in
//! `Lpfile.lock`), `gc.before-log`, `gc.between` (the log is rewritten, no blob is
//! removed yet), `gc.between-blobs` (one more is) and `vendor.before-place` (a
//! file is copied and lacks only its name).
//!
//! `LP_FAILPOINT=fs:7` lets the seventh *write* of the process fail as on a full
//! disk: a call that creates, writes, cuts, renames, links, removes, protects or
//! syncs something ([`fs_call`], [`fs_write`]). `fs:7+` lets all from the
//! seventh on fail, `fs:7:EIO` fails as a broken disk does; a call that writes
//! bytes has then written half of them. `LP_FAILPOINT_TRACE=FILE` appends a line
//! for each such call to a file, so that a campaign knows their number and kinds.
//!
//! They are compiled in always, so that the tested program is the shipped one.
//! Without the variables a fail-point costs one load, beside a system call.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

/// The value of `LP_FAILPOINT`.
struct Trigger {
    name: String,
    hits_left: AtomicU64,
    /// Whether all later visits trigger as well.
    from_then_on: bool,
    errno: Errno,
}

fn armed() -> Option<&'static Trigger> {
    static ARMED: OnceLock<Option<Trigger>> = OnceLock::new();
    ARMED.get_or_init(|| std::env::var("LP_FAILPOINT").ok().map(|text| parse(&text))).as_ref()
}

fn trace() -> Option<&'static File> {
    static TRACE: OnceLock<Option<File>> = OnceLock::new();
    let open = || {
        let path = std::env::var_os("LP_FAILPOINT_TRACE")?;
        File::options().create(true).append(true).open(path).ok()
    };
    TRACE.get_or_init(open).as_ref()
}

fn parse(text: &str) -> Trigger {
    let (text, errno) = match text.strip_suffix(":EIO") {
        Some(text) => (text, Errno::IO),
        None => (text, Errno::NOSPC),
    };
    let (text, from_then_on) = text.strip_suffix('+').map_or((text, false), |text| (text, true));
    let (name, nth) = match text.rsplit_once(':') {
        Some((name, nth)) => (name, nth.parse().unwrap_or(1)),
        None => (text, 1),
    };
    Trigger { name: name.to_owned(), hits_left: AtomicU64::new(nth), from_then_on, errno }
}

impl Trigger {
    /// Counts a visit of the place `name`, and returns whether it triggers.
    fn visit(&self, name: &str) -> bool {
        if self.name != name {
            return false;
        }
        let count_down = |left: u64| left.checked_sub(1);
        let before = self.hits_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down);
        before == Ok(1) || (self.from_then_on && before.is_err())
    }
}

/// Whether the process should die at this visit of the place called `name`.
/// For places that do something first; the others call [`hit`].
#[must_use]
pub fn is_due(name: &str) -> bool {
    armed().is_some_and(|armed| armed.visit(name))
}

/// Aborts here if `LP_FAILPOINT` names this place.
pub fn hit(name: &str) {
    if is_due(name) {
        std::process::abort();
    }
}

/// Does `call`, which changes something at `path`, unless it is to fail.
///
/// # Errors
/// When it is to fail, or `call` does.
pub fn fs_call<T, E: Into<io::Error>>(
    what: &str,
    path: &Path,
    call: impl FnOnce() -> Result<T, E>,
) -> io::Result<T> {
    match fault(what, path) {
        Some(errno) => Err(errno.into()),
        None => call().map_err(Into::into),
    }
}

/// As [`fs_call`], for `write`, which writes as much of `bytes` as it is given:
/// half of them if it is to fail.
///
/// # Errors
/// When it is to fail, or `write` does.
pub fn fs_write(path: &Path, bytes: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    match fault("write", path) {
        Some(errno) => {
            write(&bytes[..bytes.len() / 2])?;
            Err(errno.into())
        }
        None => write(bytes),
    }
}

fn fault(what: &str, path: &Path) -> Option<Errno> {
    if let Some(mut trace) = trace() {
        // One call, so that lines of several threads do not mix.
        let _ = trace.write_all(format!("{what} {}\n", path.display()).as_bytes());
    }
    armed().filter(|armed| armed.visit("fs")).map(|armed| armed.errno)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fail_point_may_wait_for_the_nth_visit() {
        let third = parse("store.between:3");
        let visits: Vec<bool> = (0..5).map(|_| third.visit("store.between")).collect();
        assert_eq!(visits, [false, false, true, false, false]);
        assert!(!third.visit("store.before-blob"));
        assert!(parse("store.between").visit("store.between"));
    }

    #[test]
    fn writes_may_fail_from_the_nth_on() {
        let second = parse("fs:2+:EIO");
        let visits: Vec<bool> = (0..4).map(|_| second.visit("fs")).collect();
        assert_eq!((visits, second.errno), (vec![false, true, true, true], Errno::IO));
    }
}
