//! A glance: the files at a path and their times, without their contents.
//!
//! It extends [`StatIdentity`] from a file to a whole folder: while it stays the
//! same, nothing there has been written. It only saves reading files, and never
//! enters a digest that is compared between machines.
//!
//! A [`Trace`] keeps the same facts apart by the meaning of a change, so that two
//! traces show whether a file was written in between, even if its contents are
//! the same.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::links::{self, FolderWalk};
use super::{Metadata, StatIdentity, now_ns};

/// The result of a glance at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Of the identities of everything there; equal for two paths where nothing is.
    pub print: u128,
    /// Whether a later write may be invisible: a time is as young as this glance.
    pub is_racy: bool,
}

impl Glance {
    /// Looks at `path`: a file, a link with what it leads to, or a folder with
    /// everything below it. An unreadable part counts as missing.
    #[must_use]
    pub fn at(path: &Path) -> Glance {
        let begin = now_ns();
        let mut hasher = blake3::Hasher::new();
        let mut is_racy = false;
        let found = look(path, &mut |seen| {
            hasher.update(seen.kind);
            hasher.update(&(seen.name.len() as u64).to_le_bytes());
            hasher.update(seen.name.as_bytes());
            // The times of a folder change with every temporary file, and add nothing
            // to its entries.
            if let Some(metadata) = seen.metadata.filter(|metadata| !metadata.is_dir()) {
                let identity = StatIdentity::of(metadata);
                is_racy |= identity.is_racy(begin);
                let StatIdentity { device, inode, size, mtime_ns, ctime_ns } = identity;
                for word in [device, inode, size, mtime_ns.cast_unsigned(), ctime_ns.cast_unsigned()] {
                    hasher.update(&word.to_le_bytes());
                }
            }
        });
        if found.is_err() {
            hasher.update(b"error");
        }
        Glance { print: print(&hasher), is_racy }
    }

    /// Several glances as one.
    #[must_use]
    pub fn of_all<'a>(glances: impl IntoIterator<Item = &'a Glance>) -> Glance {
        let mut hasher = blake3::Hasher::new();
        let mut is_racy = false;
        for glance in glances {
            hasher.update(&glance.print.to_le_bytes());
            is_racy |= glance.is_racy;
        }
        Glance { print: print(&hasher), is_racy }
    }
}

/// Never 0, which means that there is no glance.
fn print(hasher: &blake3::Hasher) -> u128 {
    let hash = hasher.finalize();
    u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes")).max(1)
}

/// The state of a path, to be compared with a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Of names, kinds, inodes, sizes and times of writing; of folders, only inodes.
    written: u128,
    /// The `ctime` of each of them, and the harmless causes of a change of it: the
    /// number of a file's names, and the last change of a folder's entries. Where
    /// these differ, the `ctime` is ignored.
    touched: Vec<(i64, i128)>,
}

/// The difference of two traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Only modes or owners of files have changed, or one was renamed. Or a process
    /// wrote and set the times back, or replaced something for a while.
    Touched,
    /// Something was written, created or deleted.
    Written,
}

impl Trace {
    /// Looks at `path` as [`Glance::at`] does, and at the folders and links on the
    /// way to it from the folder `from`, and at the targets of links in it.
    #[must_use]
    pub fn at(from: &Path, path: &Path) -> Trace {
        let (mut written, mut touched) = (blake3::Hasher::new(), Vec::new());
        let mut see = |metadata: &Metadata| {
            let StatIdentity { device, inode, size, mtime_ns, ctime_ns } = StatIdentity::of(metadata);
            let is_dir = metadata.is_dir();
            let (size, mtime) = if is_dir { (0, 0) } else { (size, mtime_ns.cast_unsigned()) };
            for word in [device, inode, size, mtime] {
                written.update(&word.to_le_bytes());
            }
            touched.push((ctime_ns, if is_dir { mtime_ns.into() } else { metadata.nlink().into() }));
        };
        links::on_the_way(from, path, &mut see);
        let mut entries = blake3::Hasher::new();
        let found = look(path, &mut |seen| {
            entries.update(seen.kind);
            entries.update(&(seen.name.len() as u64).to_le_bytes());
            entries.update(seen.name.as_bytes());
            let Some(metadata) = seen.metadata else { return };
            see(metadata);
            // The folder at `path` itself is included already.
            let is_within = metadata.is_symlink() && !seen.name.is_empty();
            if is_within
                && let Some((folder, name)) = seen.path.parent().zip(seen.path.file_name())
                && let Ok(folder) = folder.canonicalize()
            {
                links::on_the_way(&folder, &folder.join(name), &mut see);
            }
        });
        written.update(entries.finalize().as_bytes());
        if found.is_err() {
            written.update(b"error");
        }
        Trace { written: print(&written), touched }
    }

    /// The change since `earlier`; `None` if there is none.
    #[must_use]
    pub fn since(&self, earlier: &Trace) -> Option<Change> {
        if self.written != earlier.written {
            return Some(Change::Written);
        }
        let mut files = self.touched.iter().zip(&earlier.touched);
        let is_touched = files.any(|(now, then)| now.0 != then.0 && now.1 == then.1);
        is_touched.then_some(Change::Touched)
    }
}

/// A file, folder or link on the walk.
struct Entry<'a> {
    kind: &'static [u8],
    /// Of an entry of a folder; else empty.
    name: &'a OsStr,
    metadata: Option<&'a Metadata>,
    /// Where it was found.
    path: &'a Path,
}

/// Calls `see` with everything at `path`, in an order that depends only on it.
fn look(path: &Path, see: &mut dyn FnMut(Entry<'_>)) -> io::Result<()> {
    look_at(path, OsStr::new(""), &mut FolderWalk::new(path), see)
}

fn look_at(
    path: &Path,
    name: &OsStr,
    walked: &mut FolderWalk<'_>,
    see: &mut dyn FnMut(Entry<'_>),
) -> io::Result<()> {
    let is_top = name.is_empty();
    let mut see_one = |kind, metadata| see(Entry { kind, name, metadata, path });
    let metadata = match std::fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            see_one(b"nothing", None);
            return Ok(());
        }
        metadata => metadata?,
    };
    if metadata.is_dir() {
        see_one(b"folder", Some(&metadata));
        return look_into(path, walked, see);
    }
    if !metadata.is_symlink() {
        see_one(b"file", Some(&metadata));
        return Ok(());
    }
    see_one(b"link", Some(&metadata));
    match std::fs::metadata(path) {
        Ok(target) if target.is_dir() && is_top => look_into(path, walked, see),
        Ok(target) if target.is_dir() => match walked.enter(path) {
            Some(real) => {
                let looked = look_into(&real, walked, see);
                walked.leave();
                looked
            }
            None => Ok(()),
        },
        Ok(target) => {
            see(Entry { kind: b"file", name: OsStr::new(""), metadata: Some(&target), path });
            Ok(())
        }
        Err(_) => {
            see(Entry { kind: b"nothing", name: OsStr::new(""), metadata: None, path });
            Ok(())
        }
    }
}

fn look_into(folder: &Path, walked: &mut FolderWalk<'_>, see: &mut dyn FnMut(Entry<'_>)) -> io::Result<()> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        look_at(&folder.join(&name), &name, walked, see)?;
    }
    see(Entry { kind: b"end", name: OsStr::new(""), metadata: None, path: folder });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Whether a glance shows the effect of `change` on the folder `x`.
    #[track_caller]
    fn shows(change: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let x = folder.path().join("x");
        fs::create_dir_all(x.join("sub")).unwrap();
        fs::write(x.join("sub/file"), "1").unwrap();
        fs::write(folder.path().join("outside"), "1").unwrap();
        symlink("../outside", x.join("link")).unwrap();
        let before = Glance::at(&x);
        assert_eq!(Glance::at(&x).print, before.print);
        change(&x);
        assert_ne!(Glance::at(&x).print, before.print);
    }

    #[test]
    fn every_change_below_a_folder_shows() {
        shows(|x| fs::write(x.join("sub/file"), "22").unwrap());
        shows(|x| fs::rename(x.join("sub/file"), x.join("sub/other")).unwrap());
        shows(|x| fs::write(x.join("new"), "").unwrap());
        shows(|x| fs::create_dir(x.join("empty")).unwrap());
        shows(|x| fs::remove_dir_all(x).unwrap());
        shows(|x| {
            fs::remove_file(x.join("link")).unwrap();
            symlink("../else", x.join("link")).unwrap();
        });
        shows(|x| fs::set_permissions(x.join("sub/file"), fs::Permissions::from_mode(0o755)).unwrap());
    }

    #[test]
    fn a_glance_at_a_link_includes_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        symlink("target", &link).unwrap();
        let dangling = Glance::at(&link).print;
        fs::write(&target, "1").unwrap();
        let file = Glance::at(&link).print;
        fs::write(&target, "22").unwrap();
        assert!(dangling != file && file != Glance::at(&link).print);
        fs::remove_file(&target).unwrap();
        fs::create_dir(&target).unwrap();
        let empty = Glance::at(&link).print;
        fs::write(target.join("x"), "").unwrap();
        assert_ne!(empty, Glance::at(&link).print);
    }

    #[test]
    fn a_change_behind_a_link_in_a_folder_shows() {
        let shows = |target: &str, change: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            let x = folder.path().join("x");
            for made in [x.join("sub"), folder.path().join("far/sub")] {
                fs::create_dir_all(made).unwrap();
            }
            fs::write(folder.path().join("far/file"), "1").unwrap();
            symlink(target, x.join("link")).unwrap();
            let before = Glance::at(&x).print;
            assert_eq!(Glance::at(&x).print, before);
            change(folder.path());
            Glance::at(&x).print != before
        };
        let edit = |root: &Path| fs::write(root.join("far/file"), "22").unwrap();
        assert!(shows("../far/file", &edit));
        assert!(shows("../far", &edit));
        assert!(!shows("../nowhere", &edit));
        assert!(shows("../nowhere", &|root| fs::write(root.join("nowhere"), "").unwrap()));
        // A link to a folder around its own is not followed.
        assert!(!shows("..", &edit));
        assert!(shows("../far", &|root| symlink("../../x", root.join("far/sub/back")).unwrap()));
    }

    /// The difference that a trace shows after a change of the file `x/file`.
    #[track_caller]
    fn change(expected: Option<Change>, change: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let x = folder.path().join("x");
        fs::create_dir(&x).unwrap();
        let file = x.join("file");
        fs::write(&file, "1").unwrap();
        StatIdentity::read(&file).unwrap().wait_until_aged();
        let look = || Trace::at(folder.path(), &x);
        let before = look();
        change(&file);
        assert_eq!(look().since(&before), expected);
    }

    #[test]
    fn a_trace_distinguishes_writing_from_touching() {
        change(None, |_| {});
        change(None, |file| {
            fs::write(file.with_file_name("new"), "").unwrap();
            fs::remove_file(file.with_file_name("new")).unwrap();
        });
        change(Some(Change::Written), |file| fs::write(file, "1").unwrap());
        change(Some(Change::Touched), |file| {
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
        });
        let away = |file: &Path| {
            fs::rename(file, file.with_file_name("away")).unwrap();
            fs::rename(file.with_file_name("away"), file).unwrap();
        };
        change(Some(Change::Touched), away);
        // The folder, with all that is in it, and the one around that.
        change(Some(Change::Touched), |file| away(file.parent().unwrap()));
        change(Some(Change::Written), |file| {
            let (folder, old) = (file.parent().unwrap(), file.with_file_name("../old"));
            fs::rename(folder, &old).unwrap();
            fs::create_dir(folder).unwrap();
            fs::rename(old.join("file"), file).unwrap();
        });
        change(Some(Change::Touched), |file| {
            let before = fs::metadata(file).unwrap().modified().unwrap();
            fs::write(file, "2").unwrap();
            fs::File::options().write(true).open(file).unwrap().set_modified(before).unwrap();
        });
    }

    #[test]
    fn the_other_names_of_a_file_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "1").unwrap();
        for name in ["a", "b"] {
            let before = Trace::at(folder.path(), &file);
            StatIdentity::read(&file).unwrap().wait_until_aged();
            fs::hard_link(&file, folder.path().join(name)).unwrap();
            assert_eq!(Trace::at(folder.path(), &file).since(&before), None);
        }
        let before = Trace::at(folder.path(), &file);
        StatIdentity::read(&file).unwrap().wait_until_aged();
        fs::rename(&file, folder.path().join("away")).unwrap();
        fs::rename(folder.path().join("away"), &file).unwrap();
        assert_eq!(Trace::at(folder.path(), &file).since(&before), Some(Change::Touched));
    }

    #[test]
    fn a_recent_write_is_racy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "1").unwrap();
        assert!(Glance::at(&path).is_racy);
        assert!(!Glance::at(&folder.path().join("nothing")).is_racy);
        assert!(Glance::of_all(&[Glance::at(&path)]).is_racy);
        // Written before this test was compiled.
        assert!(!Glance::at(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).is_racy);
    }
}
