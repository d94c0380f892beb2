//! Bytes for foreign code that reads nothing but files.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};

/// A file in memory, which ends when this is dropped.
#[derive(Debug)]
pub struct MemoryFile(File);

impl MemoryFile {
    /// With these bytes. `name` appears in `/proc` only.
    ///
    /// # Errors
    /// When there is no memory, or no further file can be open.
    pub fn new(name: &str, bytes: &[u8]) -> io::Result<MemoryFile> {
        let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
        file.write_all(bytes)?;
        Ok(MemoryFile(file))
    }

    /// Where this process can read it.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_from_its_beginning_and_more_than_once() {
        let file = MemoryFile::new("test", b"till").unwrap();
        for _ in 0..2 {
            assert_eq!(std::fs::read(file.path()).unwrap(), b"till");
        }
    }
}
