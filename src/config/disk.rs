//! The source of config files: the disk, or memory.

use std::io;
use std::path::Path;

use crate::os;

/// The source of config files: the disk, or the memory of a test that loads
/// thousands of projects a second.
pub trait Files {
    /// Whether there is a file (no folder) at `path`.
    fn is_file(&self, path: &Path) -> bool;

    /// The whole of a file of at most `limit` bytes.
    ///
    /// # Errors
    /// When it cannot be read; `FileTooLarge` when it is larger.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// The names in a folder, sorted; none if there is no such folder.
    fn names(&self, folder: &Path) -> Vec<String>;
}

pub(super) struct Disk;

impl Files for Disk {
    fn is_file(&self, path: &Path) -> bool {
        os::fs::is_file(path)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        os::fs::read_bounded(path, limit)
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        os::fs::list_names(folder).unwrap_or_default()
    }
}

/// The disk, on which one file has other contents.
pub(super) struct Changed<'a> {
    pub(super) path: &'a Path,
    pub(super) bytes: &'a [u8],
}

impl Files for Changed<'_> {
    fn is_file(&self, path: &Path) -> bool {
        path == self.path || Disk.is_file(path)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        match path == self.path {
            true if self.bytes.len() as u64 > limit => Err(io::ErrorKind::FileTooLarge.into()),
            true => Ok(self.bytes.to_vec()),
            false => Disk.read(path, limit),
        }
    }

    fn names(&self, folder: &Path) -> Vec<String> {
        Disk.names(folder)
    }
}
