//! Blobs by their digest: `cas/<2 hex>/<64 hex>`, read-only files.
//!
//! A blob appears whole: it is written to `tmp/` and renamed. Only blobs of
//! measurements are synced ([`Cas::sync`]): another blob that a power failure
//! damages no longer matches its name, and is made again. A blob may share its
//! inode with outputs in the project (a hard link), so its bytes are checked before
//! reuse; root can write to a file of mode 0444.
//!
//! The layout does not depend on `lp`'s version: blobs stay valid whatever the
//! format of the log.

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

/// How a file becomes a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The file is `lp`'s own and is moved.
    Move,
    /// The file stays in place, perhaps as a second name of the blob.
    Share,
}

/// A blob file. Its bytes are not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    pub content: ContentDigest,
    /// In bytes.
    pub size: u64,
    /// Whether an output in the project is a second name of the same file, so that
    /// deleting the blob frees nothing.
    pub is_shared: bool,
}

impl Cas {
    /// The blobs below the cache folder `root`, which need not exist.
    #[must_use]
    pub fn new(root: &Path) -> Cas {
        Cas { root: root.to_path_buf() }
    }

    /// The path of a blob, if it exists.
    #[must_use]
    pub fn path(&self, content: &ContentDigest) -> PathBuf {
        let hex = content.to_hex();
        self.root.join("cas").join(&hex[..2]).join(hex)
    }

    /// Whether the blob exists. Its bytes are not checked.
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

    /// Stores the file at `from`, whose digest the caller has just computed. `None`
    /// if it was stored already.
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
            // is not readable by everybody, or has another name outside `lp`'s
            // control must not share its inode.
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

    /// Reads a blob of at most `limit` bytes. `None` if it is missing, larger, or
    /// its bytes no longer match its name.
    #[must_use]
    pub fn read(&self, content: &ContentDigest, limit: u64) -> Option<Vec<u8>> {
        let bytes = fs::read_bounded(&self.path(content), limit).ok()?;
        (ContentDigest::of(&bytes) == *content).then_some(bytes)
    }

    /// Syncs a blob to the disk.
    ///
    /// # Errors
    /// When it does not exist or cannot be synced.
    pub fn sync(&self, content: &ContentDigest) -> Result<(), FsError> {
        fs::sync_data(&self.path(content))
    }

    /// Deletes a blob.
    ///
    /// # Errors
    /// When it exists and cannot be deleted.
    pub fn remove(&self, content: &ContentDigest) -> Result<(), FsError> {
        fs::remove(&self.path(content))
    }

    /// All blobs, sorted by name. Skips other files, and blobs that are deleted
    /// meanwhile.
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

    /// A free name in `tmp`, whose files the next build deletes.
    pub(super) fn temporary(&self) -> Result<PathBuf, FsError> {
        let folder = self.root.join("tmp");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(fs::temporary_name()))
    }

    /// `mode` is the permissions of a file that not everybody may read.
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
    fn bytes_are_read_back_until_they_are_damaged() {
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
    fn other_files_are_no_blobs() {
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
    fn a_shared_file_is_kept_and_a_moved_one_is_deleted() {
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
