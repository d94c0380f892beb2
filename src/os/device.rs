//! Device nodes: their kind, their owners, and whether they can be opened.
//!
//! Only opening shows whether a device may be used: a container may forbid it
//! although its mode allows it.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::text::harmless;

/// The file at the path of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// The driver's number if it is a character device: 226 for GPUs.
    pub major: Option<u32>,
    pub mode: u32,
    /// The user that owns it.
    pub uid: u32,
    /// The group that owns it.
    pub gid: u32,
}

/// The reason why a device was not opened.
#[derive(Debug)]
pub enum OpenError {
    /// `EACCES`: its mode, or a mount without devices.
    Denied,
    /// `EPERM`: rules about devices, such as a container's.
    Forbidden,
    /// Anything else: no driver, busy.
    Otherwise(io::Error),
}

/// The user and groups of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gids: BTreeSet<u32>,
}

/// The file at `path`, links followed; `None` if nothing exists.
///
/// # Errors
/// When its metadata cannot be read.
pub fn look(path: &Path) -> io::Result<Option<Node>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(Node {
            major: found.file_type().is_char_device().then(|| rustix::fs::major(found.rdev())),
            mode: found.permissions().mode() & 0o777,
            uid: found.uid(),
            gid: found.gid(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a device for reading and writing, as its users do, and closes it.
///
/// # Errors
/// When it is not opened.
pub fn open(path: &Path) -> Result<(), OpenError> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(_) => Ok(()),
        Err(Errno::ACCESS) => Err(OpenError::Denied),
        Err(Errno::PERM) => Err(OpenError::Forbidden),
        Err(error) => Err(OpenError::Otherwise(error.into())),
    }
}

/// The processes that have a device open, as far as this user may see them, each with its name.
#[must_use]
pub fn holders(path: &Path) -> Vec<(u32, String)> {
    let Ok(wanted) = std::fs::metadata(path) else { return Vec::new() };
    let is_it = |fd: &std::fs::DirEntry| {
        std::fs::metadata(fd.path())
            .is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()))
    };
    let mut holders = Vec::new();
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let mut open = std::fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        if open.any(|fd| is_it(&fd)) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            holders.push((pid, harmless(name.trim_end()).into_owned()));
        }
    }
    holders.sort_unstable();
    holders
}

/// The user and groups of this process.
#[must_use]
pub fn this_process() -> Owner {
    let mut gids: BTreeSet<u32> = rustix::process::getgroups()
        .unwrap_or_default()
        .into_iter()
        .map(rustix::process::Gid::as_raw)
        .collect();
    gids.insert(rustix::process::getegid().as_raw());
    Owner { uid: rustix::process::geteuid().as_raw(), gids }
}

/// The name of a group; `None` if `/etc/group` has none for it.
#[must_use]
pub fn group_name(gid: u32) -> Option<String> {
    named(&std::fs::read_to_string("/etc/group").ok()?, gid)
}

fn named(groups: &str, gid: u32) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_first_name_of_its_number() {
        let groups = "root:x:0:\nvideo:x:44:me,you\n\n:x:7:\nbroken\nrender:*:104:\nother:x:44:\n";
        for (gid, expected) in
            [(0, Some("root")), (44, Some("video")), (104, Some("render")), (7, None), (9, None)]
        {
            assert_eq!(named(groups, gid).as_deref(), expected, "{gid}");
        }
    }

    #[test]
    fn who_has_a_device_open_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("video0");
        std::fs::write(&path, "").unwrap();
        assert_eq!(holders(&path), []);
        let link = folder.path().join("by-id");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let held = std::fs::File::open(&path).unwrap();
        let found = holders(&link);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, std::process::id());
        drop(held);
        assert_eq!(holders(&link), []);
    }

    #[test]
    fn a_device_differs_from_a_file_and_from_a_missing_path() {
        let null = look(Path::new("/dev/null")).unwrap().unwrap();
        assert_eq!((null.major, null.mode), (Some(1), 0o666));
        assert!(open(Path::new("/dev/null")).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert_eq!(look(&file).unwrap(), None);
        assert!(matches!(open(&file), Err(OpenError::Otherwise(_))));
        std::fs::write(&file, "").unwrap();
        let found = look(&file).unwrap().unwrap();
        assert_eq!(found.major, None);
        let me = this_process();
        assert_eq!(found.uid, me.uid);
        assert!(me.gids.contains(&rustix::process::getgid().as_raw()));
    }
}
