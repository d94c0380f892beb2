//! The number and size of files at a path, without reading them, and the free disk.

use std::io;
use std::ops::AddAssign;
use std::path::Path;

use serde::Serialize;

/// Some files, and their sizes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    pub count: usize,
    /// The sum of their sizes, not of their blocks.
    pub bytes: u64,
}

impl Usage {
    /// One more file of this size.
    pub fn add(&mut self, bytes: u64) {
        *self += Usage { count: 1, bytes };
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.count += other.count;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// The file at `path`, or all below the folder there; links are not followed.
/// Unreadable files and those that disappear meanwhile are left out.
#[must_use]
pub fn usage(path: &Path) -> Usage {
    let mut usage = Usage::default();
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return usage };
    if !metadata.is_dir() {
        usage.add(metadata.len());
        return usage;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        usage += self::usage(&entry.path());
    }
    usage
}

/// The free bytes of the disk that the file at `path` is on, as far as this user may use them.
///
/// Tests of `lp` itself set `LP_FREE_BYTES`: what was free before the file was there.
///
/// # Errors
/// When the file system does not tell.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    if let Some(free) = std::env::var("LP_FREE_BYTES").ok().and_then(|text| text.parse::<u64>().ok()) {
        return Ok(free.saturating_sub(path.metadata()?.len()));
    }
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_a_folder_are_counted_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/x"), "12").unwrap();
        std::fs::write(folder.path().join("y"), "123").unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("l")).unwrap();
        assert_eq!(usage(folder.path()), Usage { count: 3, bytes: 6 });
        assert_eq!(usage(&folder.path().join("nothing")), Usage::default());
    }
}
