//! Checks that a path stays inside a folder when links are followed.
//!
//! The text of a task's path cannot leave the project, but a link on its way can.
//! Reading through one is fine, because the contents are hashed. Outputs are
//! deleted and written, so their paths must stay inside.

use std::io;
use std::path::{Path, PathBuf};

use super::fs::FsError;

/// Refuses a path that is outside all `folders` once the links on its way are
/// followed. A link at the path itself is not followed.
///
/// # Errors
/// When it is outside, or a link on its way cannot be followed.
pub fn check(place: &Path, folders: &[&Path]) -> Result<(), FsError> {
    let Some(parent) = place.parent() else { return Ok(()) };
    if folders.iter().any(|folder| is_plainly_below(parent, folder)) {
        return Ok(());
    }
    let refuse = |source| FsError { action: "write", path: place.to_path_buf(), source };
    let real = real(parent).map_err(refuse)?;
    let is_inside = |folder: &&Path| self::real(folder).is_ok_and(|folder| real.starts_with(folder));
    if folders.iter().any(is_inside) {
        return Ok(());
    }
    let text = format!(
        "a link on its way leaves the project: it would be in `{}`",
        crate::text::harmless(&real.to_string_lossy())
    );
    Err(refuse(io::Error::new(io::ErrorKind::InvalidInput, text)))
}

/// Whether a path is `folder` or below it once links are followed; a part that does not exist
/// has none. What cannot be followed is not inside.
#[must_use]
pub fn is_inside(place: &Path, folder: &Path) -> bool {
    let (Ok(place), Ok(folder)) = (real(place), real(folder)) else { return false };
    place.starts_with(folder)
}

/// Whether `path` is `folder` or below it with no link in between: the usual
/// case, at one system call per folder.
fn is_plainly_below(path: &Path, folder: &Path) -> bool {
    let Ok(rest) = path.strip_prefix(folder) else { return false };
    let mut at = folder.to_path_buf();
    for part in rest {
        at.push(part);
        match at.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {}
            // Below what does not exist there are no links.
            Err(error) => return error.kind() == io::ErrorKind::NotFound,
            Ok(_) => return false,
        }
    }
    true
}

/// The path without links; a part that does not exist yet has none.
fn real(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            match (path.parent(), path.file_name()) {
                (Some(parent), Some(name)) => Ok(real(parent)?.join(name)),
                _ => Err(error),
            }
        }
        real => real,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_on_the_way_and_not_at_the_end() {
        let temporary = tempfile::tempdir().unwrap();
        let (inside, outside) = (temporary.path().join("in"), temporary.path().join("out"));
        std::fs::create_dir_all(inside.join("sub")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        symlink(&outside, inside.join("leaves")).unwrap();
        symlink("sub", inside.join("stays")).unwrap();
        symlink("nowhere", inside.join("dangling")).unwrap();
        for (path, is_fine) in [
            ("x", true),
            ("new/folder/x", true),
            ("stays/new/x", true),
            ("leaves", true),
            ("leaves/x", false),
            ("leaves/new/x", false),
            ("dangling/x", false),
        ] {
            assert_eq!(check(&inside.join(path), &[&inside]).is_ok(), is_fine, "{path}");
        }
        assert!(check(&inside.join("leaves/x"), &[&inside, &outside]).is_ok());
        for (path, is_in) in [("leaves/new/x", true), ("leaves", true), ("stays/x", false), (".", false)] {
            assert_eq!(is_inside(&inside.join(path), &outside), is_in, "{path}");
        }
    }
}
