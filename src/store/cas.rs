//! Contents by their digest: `cas/<2 hex>/<64 hex>`, read-only files.
//!
//! A blob appears whole: it is written to `tmp/` and renamed in. Only those of
//! measurements are synced ([`Cas::sync`]): what a power failure takes of others no
//! longer fits its name, and is made again. A blob may
//! share its inode with outputs in the project (a hard link), so whoever reads
//! one for reuse checks that its bytes still fit; root writes through 0444.
//!
//! The layout does not depend on `lp`'s version: blobs outlive every format of
//! the log.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::digest::ContentDigest;
use crate::os::failpoint;
use crate::os::fs::{self, Context, Executable, FsError, Linking, Placement};

/// The blobs below a cache folder.
#[derive(Debug)]
pub struct Cas {
    root: PathBuf,
}

/// What becomes of the file that a blob is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It is `lp`'s own and goes away.
    Move,
    /// It stays where it is, perhaps as a second name of the blob.
    Share,
}

/// A blob as it lies there. Says nothing about its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    pub content: ContentDigest,
    /// In bytes.
    pub size: u64,
    /// Whether an output in the project is a second name of the same file, so
    /// that removing the blob frees nothing.
    pub is_shared: bool,
}

impl Cas {
    /// The blobs below the cache folder `root`, which need not exist.
    #[must_use]
    pub fn new(root: &Path) -> Cas {
        Cas { root: root.to_path_buf() }
    }

    /// Where the blob is, if it is there.
    #[must_use]
    pub fn path(&self, content: &ContentDigest) -> PathBuf {
        let hex = content.to_hex();
        self.root.join("cas").join(&hex[..2]).join(hex)
    }

    /// Whether the blob is there. Says nothing about its bytes.
    #[must_use]
    pub fn contains(&self, content: &ContentDigest) -> bool {
        fs::is_file(&self.path(content))
    }

    /// Stores bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<ContentDigest, FsError> {
        let content = ContentDigest::of(bytes);
        if self.read(&content, bytes.len() as u64).is_none() {
            failpoint::hit("store.before-blob");
            let temporary = self.temporary()?;
            fs::write_unsynced(&temporary, bytes)?;
            self.admit(&temporary, &content, None)?;
        }
        Ok(content)
    }

    /// Stores the file at `from`, whose digest the caller has just computed.
    /// `None` if it was there already.
    ///
    /// # Errors
    /// When it cannot be linked, copied or moved.
    pub fn put_file(
        &self,
        from: &Path,
        content: &ContentDigest,
        executable: Executable,
        put: Put,
    ) -> Result<Option<Placement>, FsError> {
        let metadata = fs::metadata(from)?;
        let mode = fs::restricted(&metadata);
        if self.contains(content) {
            if put == Put::Move {
                fs::remove(from)?;
            }
            return Ok(None);
        }
        failpoint::hit("store.before-blob");
        let temporary = self.temporary()?;
        let placed = if put == Put::Move && fs::rename(from, &temporary).is_ok() {
            Placement::Linked
        } else {
            // A blob is read-only and not executable. So a file that is executable,
            // is not for everybody, or has a name that is not ours to protect must
            // not share its inode.
            let is_ours = executable == Executable::No && mode.is_none() && metadata.nlink() == 1;
            let linking = if is_ours { Linking::Allowed } else { Linking::Never };
            fs::place(from, &temporary, executable.mode() & mode.unwrap_or(0o777), linking)?
        };
        self.admit(&temporary, content, mode)?;
        if put == Put::Move {
            fs::remove(from)?;
        }
        Ok(Some(placed))
    }

    /// Reads a blob of at most `limit` bytes. `None` if it is missing, larger,
    /// or its bytes no longer fit its name.
    #[must_use]
    pub fn read(&self, content: &ContentDigest, limit: u64) -> Option<Vec<u8>> {
        let bytes = fs::read_bounded(&self.path(content), limit).ok()?;
        (ContentDigest::of(&bytes) == *content).then_some(bytes)
    }

    /// Brings a blob to the disk.
    ///
    /// # Errors
    /// When it is not there or cannot be synced.
    pub fn sync(&self, content: &ContentDigest) -> Result<(), FsError> {
        fs::sync_data(&self.path(content))
    }

    /// Removes a blob.
    ///
    /// # Errors
    /// When it is there and cannot be removed.
    pub fn remove(&self, content: &ContentDigest) -> Result<(), FsError> {
        fs::remove(&self.path(content))
    }

    /// Every blob that is there, sorted by name. What is no blob is passed over,
    /// and so is what is removed meanwhile.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn all(&self) -> Result<Vec<Blob>, FsError> {
        let folder = self.root.join("cas");
        let mut blobs = Vec::new();
        for part in names(&folder)? {
            for name in names(&folder.join(&part))? {
                let Ok(content) = name.parse::<ContentDigest>() else { continue };
                let Some(metadata) = fs::look(&self.path(&content))? else { continue };
                if name.starts_with(&part) {
                    blobs.push(Blob { content, size: metadata.len(), is_shared: metadata.nlink() > 1 });
                }
            }
        }
        Ok(blobs)
    }

    /// A free name in `tmp`, whose files are gone after the next build.
    pub(super) fn temporary(&self) -> Result<PathBuf, FsError> {
        let folder = self.root.join("tmp");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(fs::temporary_name()))
    }

    /// `mode` are the permissions of a file that not everybody may read.
    fn admit(&self, temporary: &Path, content: &ContentDigest, mode: Option<u32>) -> Result<(), FsError> {
        let path = self.path(content);
        fs::create_parent(&path)?;
        fs::protect(temporary, mode.unwrap_or(0o444))?;
        fs::rename(temporary, &path)?;
        // Renaming between two names of one file leaves both.
        fs::remove(temporary)
    }
}

/// The names in a folder; none if it is no folder.
fn names(folder: &Path) -> Result<Vec<String>, FsError> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match fs::list_names(folder) {
        Err(error) if matches!(error.kind(), NotADirectory | NotFound) => Ok(Vec::new()),
        names => names.context("read the folder", folder),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn bytes_come_back_until_they_no_longer_fit() {
        let folder = tempfile::tempdir().unwrap();
        let cas = Cas::new(folder.path());
        assert!(cas.all().unwrap().is_empty());
        let content = cas.put_bytes(b"lane").unwrap();
        assert_eq!(cas.read(&content, 10).unwrap(), b"lane");
        assert_eq!(cas.read(&content, 3), None);
        assert_eq!(cas.all().unwrap(), [Blob { content, size: 4, is_shared: false }]);
        let mode = std::fs::metadata(cas.path(&content)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o444);

        std::fs::remove_file(cas.path(&content)).unwrap();
        std::fs::write(cas.path(&content), "lame").unwrap();
        assert_eq!(cas.read(&content, 10), None);
    }

    #[test]
    fn what_is_no_blob_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let cas = Cas::new(folder.path());
        let content = cas.put_bytes(b"lane").unwrap();
        std::fs::write(folder.path().join("cas/note"), "x").unwrap();
        std::fs::create_dir(folder.path().join("cas/zz")).unwrap();
        std::fs::write(folder.path().join("cas/zz/note"), "x").unwrap();
        std::fs::copy(cas.path(&content), folder.path().join("cas/zz").join(content.to_hex())).unwrap();
        assert_eq!(cas.all().unwrap().len(), 1);
    }

    #[test]
    fn a_shared_file_stays_and_a_moved_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let cas = Cas::new(&folder.path().join("cache"));
        for (name, bytes) in [("small", vec![1; 10]), ("large", vec![2; fs::LINK_FROM as usize])] {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let content = ContentDigest::of(&bytes);
            cas.put_file(&path, &content, Executable::No, Put::Share).unwrap();
            assert!(path.exists() && cas.contains(&content), "{name}");
            assert_eq!(cas.put_file(&path, &content, Executable::No, Put::Move).unwrap(), None);
            assert!(!path.exists(), "{name}");
            assert_eq!(cas.read(&content, u64::MAX).unwrap(), bytes);
        }
        assert!(fs::list_names(&folder.path().join("cache/tmp")).unwrap().is_empty());
    }
}
