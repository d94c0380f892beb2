//! Reading `/proc` and `/sys`.
//!
//! Their files are small, have no useful size and change with every read, so
//! they are read whole. A file that is sampled again and again stays open
//! ([`Pseudofile`]): that halves the cost of a sample.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The whole text of a file, without white space at its end.
///
/// # Errors
/// When the file cannot be read or is not UTF-8.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = std::fs::read_to_string(path)?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

/// The names in a folder, sorted. Names that are not UTF-8 are left out.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        if let Ok(name) = entry?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether this path exists.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.exists()
}

/// The last component of what a symbolic link points to: the driver's name for
/// `/sys/class/drm/card0/device/driver`.
///
/// # Errors
/// When there is no such link.
pub fn link_name(path: &Path) -> io::Result<String> {
    let target = std::fs::read_link(path)?;
    let name = target.file_name().map(|name| name.to_string_lossy().into_owned());
    name.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the link has no last component"))
}

/// A file that is read again and again from its start.
#[derive(Debug)]
pub struct Pseudofile {
    file: File,
    text: String,
}

impl Pseudofile {
    /// Opens the file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Pseudofile> {
        Ok(Pseudofile { file: File::open(path)?, text: String::new() })
    }

    /// Its text as it is now.
    ///
    /// # Errors
    /// When it cannot be read or is not UTF-8.
    pub fn read(&mut self) -> io::Result<&str> {
        self.text.clear();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.read_to_string(&mut self.text)?;
        Ok(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_is_read_afresh_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stat");
        std::fs::write(&path, "cpu 1\n").unwrap();
        let mut file = Pseudofile::open(&path).unwrap();
        assert_eq!(file.read().unwrap(), "cpu 1\n");
        std::fs::write(&path, "cpu 22\n").unwrap();
        assert_eq!(file.read().unwrap(), "cpu 22\n");
        assert_eq!(read(&path).unwrap(), "cpu 22");
    }

    #[test]
    fn a_link_is_named_by_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("driver");
        std::os::unix::fs::symlink("../../bus/pci/drivers/i915", &link).unwrap();
        assert_eq!(link_name(&link).unwrap(), "i915");
        assert_eq!(names(folder.path()).unwrap(), ["driver"]);
    }
}
