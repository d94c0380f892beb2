//! The identity of a file (inode and times) and the digest of its contents.
//!
//! The identity only saves hashing: it shows which files to read again, and never
//! enters a digest.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::{Context, FsError};
use crate::digest::ContentDigest;

/// The identity of a file: inode, size and times.
///
/// Two equal identities of one path mean that it was not written in between,
/// unless within one tick of the file system's clock ([`StatIdentity::is_racy`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatIdentity {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    pub mtime_ns: i64,
    pub ctime_ns: i64,
}

impl StatIdentity {
    /// From a file's metadata.
    #[must_use]
    pub fn of(metadata: &Metadata) -> StatIdentity {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        StatIdentity {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The identity of `path`, links followed.
    ///
    /// # Errors
    /// When nothing exists there, or its metadata cannot be read.
    pub fn read(path: &Path) -> io::Result<StatIdentity> {
        std::fs::metadata(path).map(|metadata| StatIdentity::of(&metadata))
    }

    /// Whether the file may have been written after `hashed_ns` without a
    /// change of its times: the times are as young as its hashing, and a file
    /// system's clock ticks slowly.
    #[must_use]
    pub fn is_racy(&self, hashed_ns: i64) -> bool {
        racy(self.ctime_ns.max(self.mtime_ns), hashed_ns)
    }

    /// As [`StatIdentity::is_racy`], for a file to which `lp` itself has just
    /// made or removed a name: that alone has changed its `ctime`.
    #[must_use]
    pub fn is_racy_after_link(&self, hashed_ns: i64) -> bool {
        racy(self.mtime_ns, hashed_ns)
    }
}

/// A time without fractions comes from a file system with a resolution of one or
/// two seconds.
fn racy(time_ns: i64, looked_ns: i64) -> bool {
    time_ns.saturating_add(tick_ns(time_ns)) >= looked_ns
}

/// The time during which writing may leave a file's times as they are: one tick
/// of the clock that stamps files, 1 to 10 ms.
#[must_use]
pub fn tick_ns(time_ns: i64) -> i64 {
    static TICK: OnceLock<i64> = OnceLock::new();
    if time_ns % 1_000_000_000 == 0 {
        return 2_000_000_000;
    }
    *TICK.get_or_init(|| nanoseconds(clock_getres(ClockId::RealtimeCoarse)))
}

/// The wall clock in nanoseconds since 1970, to compare with file times only: the
/// clock that stamps files, which may be late. No file gets a time that this clock
/// has passed.
#[must_use]
pub fn now_ns() -> i64 {
    nanoseconds(clock_gettime(ClockId::RealtimeCoarse))
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

impl StatIdentity {
    /// Waits until a write to the file would show in its times. Not for a time in
    /// the future, which does not age.
    pub fn wait_until_aged(&self) {
        let newest = self.ctime_ns.max(self.mtime_ns);
        let tick = tick_ns(newest);
        loop {
            let wait = newest.saturating_add(tick).saturating_sub(now_ns()).saturating_add(1);
            // A file's time may be ahead of the clock that is read here by a tick.
            if !(1..=4 * tick).contains(&wait) {
                return;
            }
            std::thread::sleep(Duration::from_nanos(wait.unsigned_abs()));
        }
    }
}

/// The digest of a file's bytes, and the identity that it had before it was
/// read: if it was written meanwhile, a later look sees another identity.
///
/// # Errors
/// When it cannot be read or is not a regular file.
pub fn hash_file(path: &Path) -> Result<(ContentDigest, StatIdentity), FsError> {
    // A pipe would make `open` wait for a writer.
    if !std::fs::metadata(path).context("look at", path)?.is_file() {
        let source = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        return Err(FsError { action: "hash", path: path.to_path_buf(), source });
    }
    let mut file = File::open(path).context("open", path)?;
    let identity = StatIdentity::of(&file.metadata().context("look at", path)?);
    let mut hasher = blake3::Hasher::new();
    // One byte more than the file has, so that its end is seen by the second read.
    let length = usize::try_from(identity.size).unwrap_or(usize::MAX).saturating_add(1);
    let mut buffer = vec![0; length.min(256 * 1024)];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("read", path),
        };
    }
    Ok((ContentDigest::from_bytes(*hasher.finalize().as_bytes()), identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_young_as_the_hashing_are_racy() {
        let identity = |mtime_ns, ctime_ns| StatIdentity { device: 1, inode: 2, size: 3, mtime_ns, ctime_ns };
        let now = 100_000_000_001;
        let tick = tick_ns(1);
        assert!((100_000..=20_000_000).contains(&tick), "{tick}");
        assert!(identity(now, now).is_racy(now));
        assert!(identity(7, now - tick / 2).is_racy(now));
        assert!(!identity(7, now - tick / 2).is_racy_after_link(now));
        assert!(!identity(7, now - 2 * tick).is_racy(now));
        assert!(identity(7, 99_000_000_000).is_racy(now), "a clock of whole seconds");
        let hour = 3_600_000_000_000;
        assert!(identity(7, now + hour).is_racy(now), "the clock went backwards since");
        assert!(identity(now + hour, 7).is_racy(now), "a time that somebody set");
    }

    #[test]
    fn a_pipe_is_not_hashed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(hash_file(folder.path()).is_err());
        let path = folder.path().join("x");
        std::fs::write(&path, "lane").unwrap();
        assert_eq!(hash_file(&path).unwrap().0, ContentDigest::of(b"lane"));
    }
}
