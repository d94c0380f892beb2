//! Files and folders: read, replace, remove, place.
//!
//! Every error names the operation and the path ([`FsError`]). A file is
//! replaced whole ([`write_atomic`]): readers see the old bytes or the new ones.
//! Its data is synced unless the function's text excludes it; folders are not, so
//! after a power cut a rename may be undone.
//!
//! [`StatIdentity`] shows whether a file may have changed since it was hashed;
//! it never proves that two files are equal.

mod glance;
mod identity;

pub use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

use super::failpoint::{fs_call, fs_write};
pub use glance::{Change, Glance, Trace};
pub use identity::{StatIdentity, hash_file, now_ns, tick_ns};

/// A failed operation on a path.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} `{}`", crate::text::harmless(&path.to_string_lossy()))]
pub struct FsError {
    /// The operation: `read`, `create`.
    pub action: &'static str,
    /// The path of the operation.
    pub path: PathBuf,
    #[source]
    pub source: io::Error,
}

impl FsError {
    /// Whether there is nothing at the path.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }
}

/// Adds the operation and the path to an error.
pub trait Context<T> {
    /// Turns an I/O error into an [`FsError`].
    ///
    /// # Errors
    /// When `self` is one.
    fn context(self, action: &'static str, path: &Path) -> Result<T, FsError>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, FsError> {
        self.map_err(|error| FsError {
            action,
            path: path.to_path_buf(),
            source: say_whose(error.into(), path),
        })
    }
}

/// Adds the path's owner to a refusal for lack of permission: in a container,
/// the numbers of users are easily mixed up.
fn say_whose(error: io::Error, path: &Path) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let standing = path.ancestors().find_map(|path| Some((path, path.metadata().ok()?)));
    let (uid, gid) = super::env::user_and_group();
    match standing {
        Some((path, metadata)) if metadata.uid() != uid => {
            let path = crate::text::harmless(&path.to_string_lossy()).into_owned();
            let whose =
                format!("`{path}` belongs to {}:{}, but `lp` is {uid}:{gid}", metadata.uid(), metadata.gid());
            io::Error::new(io::ErrorKind::PermissionDenied, format!("permission denied: {whose}"))
        }
        _ => error,
    }
}

/// The contents of a file of at most `limit` bytes.
///
/// # Errors
/// When it cannot be read, or is not a file: a pipe would block and a device
/// never end. `FileTooLarge` when it is larger.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, metadata) = open_regular(path)?;
    if metadata.len() > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default());
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Opens a file to read it.
///
/// # Errors
/// When it cannot be opened, or is not a file: a pipe would block and a device never end.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let metadata = path.metadata()?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    if !kind.is_file() {
        let what = if kind.is_fifo() { "it is a pipe" } else { "it is not a regular file" };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    // Should it become a pipe now, opening it still does not wait.
    let file =
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    Ok((file, metadata))
}

/// The contents of a path that the user names, at most `limit` bytes; waits for a pipe.
///
/// # Errors
/// When it cannot be read. `FileTooLarge` when it is larger.
pub fn read_awaited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// The first bytes of a file, at most `limit`.
///
/// # Errors
/// When it cannot be read.
pub fn read_head(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut head)?;
    Ok(head)
}

/// The names in a folder, sorted; those that are not UTF-8 are left out.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

/// The entries of a folder, also those whose names are not UTF-8; none if there
/// is no folder.
///
/// # Errors
/// When the folder cannot be read.
pub fn list_paths(folder: &Path) -> Result<Vec<PathBuf>, FsError> {
    match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .context("read the folder", folder),
    }
}

/// The path without links, `.` and `..`.
///
/// # Errors
/// When there is nothing at the path, or it cannot be followed.
pub fn canonicalize(path: &Path) -> Result<PathBuf, FsError> {
    path.canonicalize().context("follow", path)
}

/// Whether there is a file (no folder) at `path`.
#[must_use]
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Replaces a file by `bytes`, whole or not at all.
///
/// # Errors
/// When the file beside it cannot be written or renamed.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    write_atomic_as(path, bytes, Executable::No)
}

/// As [`write_atomic`], for a file that may be executed.
///
/// # Errors
/// When the file beside it cannot be written or renamed.
pub fn write_atomic_as(path: &Path, bytes: &[u8], executable: Executable) -> Result<(), FsError> {
    let temporary = temporary_beside(path);
    let written = write_new(&temporary, bytes, executable).and_then(|()| replace(&temporary, path));
    if written.is_err() {
        // The first error is reported; a leftover is harmless.
        let _ = remove_file(&temporary);
    }
    written
}

/// Replaces the contents of a file that exists, whole or not at all. It keeps its
/// permissions; a link to it stays one.
///
/// # Errors
/// When the file beside it cannot be written or renamed.
pub fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let path = &canonicalize(path)?;
    let permissions = metadata(path)?.permissions();
    let temporary = temporary_beside(path);
    let written = create_with(&temporary, 0o600)
        .and_then(|mut file| {
            write_all(&mut file, bytes, &temporary)?;
            let permit = || file.set_permissions(permissions.clone());
            fs_call("permit", &temporary, permit).context("set the mode of", &temporary)?;
            sync(&file, &temporary)
        })
        .and_then(|()| replace(&temporary, path));
    if written.is_err() {
        let _ = remove_file(&temporary);
    }
    written
}

/// Creates or empties a file that is written piece by piece, each when it comes.
///
/// # Errors
/// When it cannot be opened.
pub fn create(path: &Path) -> Result<impl io::Write + Send + use<>, FsError> {
    File::create(path).map_err(|source| FsError { action: "create", path: path.to_path_buf(), source })
}

/// As [`write_atomic`], for contents too large for memory: `write` gets the file,
/// which is synced afterwards.
///
/// # Errors
/// When the file beside it cannot be written or renamed.
pub fn write_atomic_with(
    path: &Path,
    write: &mut dyn FnMut(&mut File) -> io::Result<()>,
) -> Result<(), FsError> {
    let temporary = temporary_beside(path);
    let written = create_new(&temporary, Executable::No)
        .and_then(|mut file| {
            let filled = fs_call("fill", &temporary, || write(&mut file)).context("write", &temporary);
            filled.and_then(|()| sync(&file, &temporary))
        })
        .and_then(|()| replace(&temporary, path));
    if written.is_err() {
        let _ = remove_file(&temporary);
    }
    written
}

/// Replaces a file that has a checksum and only saves time: readers see it
/// complete, but it is not synced.
///
/// # Errors
/// When the file beside it cannot be written or renamed.
pub fn replace_unsynced(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let temporary = temporary_beside(path);
    let written = create_new(&temporary, Executable::No)
        .and_then(|mut file| write_all(&mut file, bytes, &temporary))
        .and_then(|()| replace(&temporary, path));
    if written.is_err() {
        let _ = remove_file(&temporary);
    }
    written
}

/// Writes a file that has no reader before it is complete and that a power cut
/// may lose: one in an attempt's own folder.
///
/// # Errors
/// When it cannot be written.
pub fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let mut file = fs_call("create", path, || File::create(path)).context("create", path)?;
    write_all(&mut file, bytes, path)
}

/// Whether a file carries the execute bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Executable {
    Yes,
    No,
}

impl Executable {
    /// From a file's metadata.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Executable {
        Executable::from(metadata.permissions().mode() & 0o100 != 0)
    }

    /// The permissions of a new file, before the umask.
    #[must_use]
    pub fn mode(self) -> u32 {
        if self == Executable::Yes { 0o777 } else { 0o666 }
    }
}

impl From<bool> for Executable {
    fn from(executable: bool) -> Executable {
        if executable { Executable::Yes } else { Executable::No }
    }
}

fn create_new(path: &Path, executable: Executable) -> Result<File, FsError> {
    create_with(path, executable.mode())
}

fn create_with(path: &Path, mode: u32) -> Result<File, FsError> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    fs_call("create", path, open).context("create", path)
}

/// Writes a file that must not exist yet, and syncs its data.
///
/// # Errors
/// When it exists or cannot be written.
pub fn write_new(path: &Path, bytes: &[u8], executable: Executable) -> Result<(), FsError> {
    let mut file = create_new(path, executable)?;
    write_all(&mut file, bytes, path)?;
    sync(&file, path)
}

fn write_all(file: &mut File, bytes: &[u8], path: &Path) -> Result<(), FsError> {
    fs_write(path, bytes, |bytes| file.write_all(bytes)).context("write", path)
}

fn sync(file: &File, path: &Path) -> Result<(), FsError> {
    fs_call("sync", path, || file.sync_data()).context("sync", path)
}

fn replace(from: &Path, to: &Path) -> Result<(), FsError> {
    fs_call("rename", to, || std::fs::rename(from, to)).context("replace", to)
}

fn remove_file(path: &Path) -> io::Result<()> {
    fs_call("remove", path, || std::fs::remove_file(path))
}

/// A free name in the folder of `path`, for a file that is renamed to it later.
/// In a folder above if the path would exceed the system's limit.
#[must_use]
pub fn temporary_beside(path: &Path) -> PathBuf {
    let name = temporary_name();
    let fits = |folder: &&Path| folder.as_os_str().len() + name.len() + 2 <= PATH_MAX;
    path.ancestors()
        .skip(1)
        .find(fits)
        .map_or_else(|| path.with_file_name(&name), |folder| folder.join(&name))
}

/// Whether a file has a name of [`temporary_beside`] that a process gave it which has ended.
#[must_use]
pub fn is_abandoned(name: &str) -> bool {
    let pid = name.strip_prefix(".lp-").and_then(|rest| rest.split('-').next());
    let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

/// The longest path that the system accepts, including the final NUL.
const PATH_MAX: usize = 4096;

/// Renames a file, replacing another file of that name.
///
/// # Errors
/// When it cannot be renamed, for example onto another file system.
pub fn rename(from: &Path, to: &Path) -> Result<(), FsError> {
    fs_call("rename", to, || std::fs::rename(from, to)).context("create", to)
}

/// Makes a file read-only: for everybody (0444), or for those of `mode`.
///
/// # Errors
/// When its mode cannot be set.
pub fn protect(path: &Path, mode: u32) -> Result<(), FsError> {
    let read_only = std::fs::Permissions::from_mode(0o444 & mode);
    fs_call("protect", path, || std::fs::set_permissions(path, read_only)).context("protect", path)
}

/// The permissions of a file or folder that are narrower than the umask gives a
/// new one: 0600 under the usual 022. `None` for all others. Never the set-user
/// and set-group bits.
#[must_use]
pub fn restricted(metadata: &Metadata) -> Option<u32> {
    static UMASK: OnceLock<u32> = OnceLock::new();
    let umask = *UMASK.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        line.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok()).unwrap_or(0o022)
    });
    let mode = metadata.permissions().mode() & 0o777;
    let is_read_by_fewer = 0o444 & !umask & !mode != 0;
    is_read_by_fewer.then_some(mode)
}

/// Gives a folder these permissions; its owner keeps all.
///
/// # Errors
/// When its mode cannot be set.
pub fn restrict_folder(path: &Path, mode: u32) -> Result<(), FsError> {
    let mode = std::fs::Permissions::from_mode(0o700 | mode);
    fs_call("protect", path, || std::fs::set_permissions(path, mode)).context("protect", path)
}

/// Lets the link at `path` point to `target`, whole or not at all. Replaces a
/// link, nothing else.
///
/// # Errors
/// When it cannot be made, or the path is something other than a link.
pub fn point(path: &Path, target: &Path) -> Result<(), FsError> {
    if look(path)?.is_some_and(|metadata| !metadata.is_symlink()) {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists)).context("replace by a link", path);
    }
    let temporary = temporary_beside(path);
    symlink(target, &temporary)?;
    replace(&temporary, path)
}

/// Makes a symbolic link at a free path.
///
/// # Errors
/// When it cannot be made.
pub fn symlink(target: &Path, path: &Path) -> Result<(), FsError> {
    fs_call("symlink", path, || std::os::unix::fs::symlink(target, path)).context("create the link", path)
}

/// Looks into a file.
///
/// # Errors
/// When it cannot be opened, or `look` fails.
pub fn inspect<T>(path: &Path, look: &mut dyn FnMut(&mut File) -> io::Result<T>) -> Result<T, FsError> {
    let mut file = File::open(path).context("open", path)?;
    fs_call("read", path, || look(&mut file)).context("read", path)
}

/// Changes a file in place.
///
/// # Errors
/// When it cannot be opened or synced, or `change` fails.
pub fn edit(path: &Path, change: &mut dyn FnMut(&mut File) -> io::Result<()>) -> Result<(), FsError> {
    let mut file = File::options().read(true).write(true).open(path).context("open", path)?;
    fs_call("edit", path, || change(&mut file)).context("edit", path)?;
    sync(&file, path)
}

/// A file name that no other thread or process of this machine uses.
#[must_use]
pub fn temporary_name() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = now_ns().unsigned_abs();
    format!(".lp-{}-{now:x}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
}

/// Makes a folder and those above it.
///
/// # Errors
/// When one cannot be made.
pub fn create_dir_all(path: &Path) -> Result<(), FsError> {
    if path.is_dir() {
        return Ok(());
    }
    fs_call("create", path, || std::fs::create_dir_all(path)).context("create the folder", path)
}

/// Makes a folder and those above it, and checks that files can be made there.
///
/// # Errors
/// When they cannot.
pub fn try_to_write(folder: &Path) -> Result<(), FsError> {
    create_dir_all(folder)?;
    let file = folder.join(temporary_name());
    fs_call("create", &file, || File::create_new(&file)).context("make a file in", folder)?;
    fs_call("remove", &file, || std::fs::remove_file(&file)).context("remove", &file)
}

/// Makes one folder, which must not exist.
///
/// # Errors
/// When it cannot be made.
pub fn create_dir(path: &Path) -> Result<(), FsError> {
    fs_call("create", path, || std::fs::create_dir(path)).context("create the folder", path)
}

/// The metadata of `path`, links followed.
///
/// # Errors
/// When nothing exists there, or it cannot be read.
pub fn metadata(path: &Path) -> Result<Metadata, FsError> {
    std::fs::metadata(path).context("look at", path)
}

/// Makes the folder that contains `path`.
///
/// # Errors
/// When it cannot be made.
pub fn create_parent(path: &Path) -> Result<(), FsError> {
    path.parent().map_or(Ok(()), create_dir_all)
}

/// Deletes a file, a link (not its target) or a folder with its contents.
/// A missing path is no error.
///
/// # Errors
/// When it cannot be deleted.
pub fn remove(path: &Path) -> Result<(), FsError> {
    let Some(metadata) = look(path)? else { return Ok(()) };
    let removed = if metadata.is_dir() { remove_folder(path) } else { remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("remove", path),
        _ => Ok(()),
    }
}

/// Deletes a folder, also one that is read-only for its owner.
fn remove_folder(path: &Path) -> io::Result<()> {
    match fs_call("remove", path, || std::fs::remove_dir_all(path)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            std::fs::remove_dir_all(path)
        }
        removed => removed,
    }
}

fn open_up(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Deletes the contents of a folder, but not the folder. A missing folder is no
/// error.
///
/// # Errors
/// When something cannot be deleted.
pub fn remove_dir_contents(folder: &Path) -> Result<(), FsError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.context("read the folder", folder)?,
    };
    for entry in entries {
        remove(&entry.context("read the folder", folder)?.path())?;
    }
    Ok(())
}

/// Deletes all files below a folder, but no folder. A missing folder is no error.
///
/// # Errors
/// When something cannot be deleted.
pub fn remove_files_below(folder: &Path) -> Result<(), FsError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.context("read the folder", folder)?,
    };
    for entry in entries {
        let entry = entry.context("read the folder", folder)?;
        let path = entry.path();
        if entry.file_type().context("look at", &path)?.is_dir() {
            remove_files_below(&path)?;
        } else {
            remove_file(&path).context("remove", &path)?;
        }
    }
    Ok(())
}

/// The metadata of `path` itself, links not followed; `None` if nothing exists.
///
/// # Errors
/// When the metadata cannot be read.
pub fn look(path: &Path) -> Result<Option<Metadata>, FsError> {
    use io::ErrorKind::{NotADirectory, NotFound};
    match std::fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        metadata => metadata.context("look at", path).map(Some),
    }
}

/// From this size up a hard link pays: a copy costs 2.5 ms per MiB.
pub const LINK_FROM: u64 = 1 << 20;

/// The way in which a file was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The file shares extents with the original until one is written.
    Reflinked,
    /// The file is the original under a second name.
    Linked,
    /// It is a copy.
    Copied,
}

/// Whether a placed file may be a hard link to the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking {
    Allowed,
    Never,
}

/// Puts the file `from` at `to`, which must not exist: by reflink, else (from
/// 1 MiB up, and if that is allowed) by hard link, else by copy. `mode` are the
/// permissions of a new file, of which the umask takes its part.
///
/// Not synced: a power cut that loses the file's bytes loses its size as well,
/// so its identity shows the loss.
///
/// # Errors
/// When none of them works.
pub fn place(from: &Path, to: &Path, mode: u32, linking: Linking) -> Result<Placement, FsError> {
    let source = File::open(from).context("open", from)?;
    let target = create_with(to, mode)?;
    if reflink_copy::reflink_file(&source, &target).is_ok() {
        return Ok(Placement::Reflinked);
    }
    let size = source.metadata().context("look at", from)?.len();
    if size >= LINK_FROM && linking == Linking::Allowed {
        remove_file(to).context("remove", to)?;
        if fs_call("link", to, || std::fs::hard_link(from, to)).is_ok() {
            return Ok(Placement::Linked);
        }
        // Another file system, or a file system without links.
        copy(source, create_with(to, mode)?, to)?;
    } else {
        copy(source, target, to)?;
    }
    Ok(Placement::Copied)
}

fn copy(mut source: File, mut target: File, to: &Path) -> Result<(), FsError> {
    fs_call("copy", to, || io::copy(&mut source, &mut target)).context("write", to)?;
    Ok(())
}

/// Syncs the data of a file that another process wrote.
///
/// # Errors
/// When it cannot be opened or synced.
pub fn sync_data(path: &Path) -> Result<(), FsError> {
    let file = File::open(path).context("sync", path)?;
    sync(&file, path)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn an_error_names_what_was_tried_and_the_path() {
        let error = write_new(Path::new("/nowhere/x"), b"x", Executable::No).unwrap_err();
        expect!["failed to create `/nowhere/x`"].assert_eq(&error.to_string());
        assert!(error.is_not_found());
    }

    #[test]
    fn a_file_above_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_atomic(&path, b"12345").unwrap();
        assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
        assert_eq!(read_bounded(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        // Its size is no measure of its contents.
        assert!(read_bounded(Path::new("/proc/self/status"), 1 << 20).unwrap().starts_with(b"Name:"));
        assert_eq!(
            read_bounded(Path::new("/proc/self/status"), 4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_bounded(folder.path(), 4).unwrap_err().to_string(), "it is a folder");
        assert_eq!(
            read_bounded(Path::new("/dev/zero"), 4).unwrap_err().to_string(),
            "it is not a regular file"
        );
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        assert_eq!(read_bounded(&pipe, 4).unwrap_err().to_string(), "it is a pipe");
    }

    #[test]
    fn replacing_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(list_names(folder.path()).unwrap(), ["x"]);
    }

    #[test]
    fn removing_a_link_leaves_what_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept");
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("x"), "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&kept, &link).unwrap();
        remove(&link).unwrap();
        remove(&link).unwrap();
        assert!(kept.join("x").exists());
        remove_dir_contents(&kept).unwrap();
        assert!(kept.exists() && !kept.join("x").exists());
    }

    #[test]
    fn small_files_are_never_hard_linked() {
        let folder = tempfile::tempdir().unwrap();
        let (small, large) = (folder.path().join("small"), folder.path().join("large"));
        std::fs::write(&small, "x").unwrap();
        std::fs::write(&large, vec![0; LINK_FROM as usize]).unwrap();
        let place = |from, to, linking| place(from, &folder.path().join(to), 0o666, linking).unwrap();
        assert_ne!(place(&small, "a", Linking::Allowed), Placement::Linked);
        assert_ne!(place(&large, "b", Linking::Allowed), Placement::Copied);
        assert_ne!(place(&large, "c", Linking::Never), Placement::Linked);
        assert_eq!(std::fs::read(folder.path().join("c")).unwrap().len() as u64, LINK_FROM);
    }
}
