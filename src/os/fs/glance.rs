//! A glance: which files are at a path, and since when, without reading any.
//!
//! It is to a whole folder what [`StatIdentity`] is to a file: as long as it
//! stays the same, nobody has written to what is there. It only saves looking
//! closer, and never enters a digest that is compared between machines.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{StatIdentity, now_ns};

/// What a glance at a path showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Of the identities of everything there; equal for two paths where nothing is.
    pub print: u128,
    /// Whether something may have been written since, unseen: its times are as
    /// young as this glance.
    pub is_racy: bool,
}

impl Glance {
    /// Looks at `path`: a file, a link with what it leads to, or a folder with
    /// everything below it. What cannot be looked at is as if it were not there.
    #[must_use]
    pub fn at(path: &Path) -> Glance {
        let begin = now_ns();
        let mut hasher = blake3::Hasher::new();
        let mut is_racy = false;
        let found = glance(path, Links::Follow, begin, &mut hasher, &mut is_racy);
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

/// Never 0, which stands for no glance at all.
fn print(hasher: &blake3::Hasher) -> u128 {
    let hash = hasher.finalize();
    u128::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes")).max(1)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    Follow,
    /// Inside a folder a link is what is written in it.
    Keep,
}

fn glance(
    path: &Path,
    links: Links,
    begin: i64,
    hasher: &mut blake3::Hasher,
    is_racy: &mut bool,
) -> io::Result<()> {
    let metadata = match std::fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            hasher.update(b"nothing");
            return Ok(());
        }
        metadata => metadata?,
    };
    let mut see = |identity: StatIdentity, kind: &[u8]| {
        *is_racy |= identity.is_racy(begin);
        let StatIdentity { device, inode, size, mtime_ns, ctime_ns } = identity;
        hasher.update(kind);
        for word in [device, inode, size, mtime_ns.cast_unsigned(), ctime_ns.cast_unsigned()] {
            hasher.update(&word.to_le_bytes());
        }
    };
    let mut folder = metadata.is_dir();
    if metadata.is_symlink() {
        see(StatIdentity::of(&metadata), b"link");
        if links == Links::Keep {
            return Ok(());
        }
        match std::fs::metadata(path) {
            Ok(target) if target.is_dir() => folder = true,
            Ok(target) => see(StatIdentity::of(&target), b"file"),
            Err(_) => {
                hasher.update(b"nothing");
            }
        }
    } else if !folder {
        see(StatIdentity::of(&metadata), b"file");
    }
    if folder {
        // The times of the folder itself change with every file that comes and
        // goes again, and tell nothing that its entries do not.
        let mut names: Vec<_> =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort();
        hasher.update(b"folder");
        for name in names {
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name.as_bytes());
            glance(&path.join(&name), Links::Keep, begin, hasher, is_racy)?;
        }
        hasher.update(b"end");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Whether what `change` does to the folder `x` shows.
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
    fn whatever_happens_below_a_folder_shows() {
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
    fn a_link_shows_what_it_leads_to() {
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
    fn what_was_written_just_now_is_racy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "1").unwrap();
        assert!(Glance::at(&path).is_racy);
        assert!(!Glance::at(&folder.path().join("nothing")).is_racy);
        assert!(Glance::of_all(&[Glance::at(&path)]).is_racy);
        assert!(!Glance::at(Path::new("/proc/version")).is_racy || !Path::new("/proc/version").exists());
    }
}
