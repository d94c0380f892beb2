//! Where links lead, and which folders are read through links inside a folder.
//!
//! A link to a folder is followed once, and never into a folder that contains the
//! link: a link to a folder around itself, and one to a folder that is read
//! already, add nothing to read.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// A walk through folders and links, with the folders that it has visited.
#[derive(Debug)]
pub struct FolderWalk<'p> {
    top: &'p Path,
    /// Without links. Empty until the first link to a folder is met: most
    /// folders have none.
    all: Vec<PathBuf>,
    /// The folders that the walk is in.
    within: Vec<usize>,
}

impl FolderWalk<'_> {
    /// A walk that begins at `top`, which may be a link itself.
    #[must_use]
    pub fn new(top: &Path) -> FolderWalk<'_> {
        FolderWalk { top, all: Vec::new(), within: Vec::new() }
    }

    /// Enters the target folder of the link `link`, unless it was visited, and
    /// returns its path. Until [`FolderWalk::leave`], the walk is in it.
    pub fn enter(&mut self, link: &Path) -> Option<PathBuf> {
        let real = self.reach(link)?;
        if self.within.iter().any(|at| self.all[*at].starts_with(&real)) {
            return None;
        }
        self.within.push(self.all.len());
        self.all.push(real.clone());
        Some(real)
    }

    /// Leaves the folder that was entered last.
    pub fn leave(&mut self) {
        self.within.pop();
    }

    /// The target of `link`, if it is outside the folders of the walk.
    pub fn reach(&mut self, link: &Path) -> Option<PathBuf> {
        if self.all.is_empty() {
            self.all.push(self.top.canonicalize().ok()?);
            self.within.push(0);
        }
        let real = link.canonicalize().ok()?;
        let is_walked = self.all.iter().any(|folder| real.starts_with(folder));
        (!is_walked).then_some(real)
    }
}

/// The longest chain of links: as many as the system follows.
const MAX_LINKS: u32 = 40;

/// The target of `path`, links followed, also if it does not exist yet. `None` if
/// it cannot be found out.
#[must_use]
pub fn destination(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        if let Ok(real) = path.canonicalize() {
            return Some(real);
        }
        let parent = path.parent()?;
        match path.read_link() {
            Ok(target) => path = parent.join(target),
            Err(_) => return Some(destination(parent)?.join(path.file_name()?)),
        }
    }
    None
}

/// Calls `see` with each folder and link that the system passes from the folder
/// `from`, whose own path has no links, to `path` in it. If `path` is a folder
/// itself, it is the last. Ends early at a missing or unreadable part.
pub fn on_the_way(from: &Path, path: &Path, see: &mut dyn FnMut(&Metadata)) {
    let parts = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
    };
    let (mut at, mut left) = (from.to_path_buf(), parts(path.strip_prefix(from).unwrap_or(path)));
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        at.push(part);
        let Ok(metadata) = at.symlink_metadata() else { return };
        if metadata.is_symlink() {
            let Ok(target) = at.read_link() else { return };
            links += 1;
            if links > MAX_LINKS {
                return;
            }
            // The first part of an absolute target replaces the path so far.
            at.pop();
            left.extend(parts(&target));
        } else if !metadata.is_dir() {
            return;
        }
        see(&metadata);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_to_a_missing_path_has_a_destination() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("a")).unwrap();
        for (target, link) in [("a/new/x", "y"), ("y", "z"), ("../b", "a/up"), ("loop", "loop")] {
            symlink(target, root.join(link)).unwrap();
        }
        for (path, expected) in [
            ("y", Some("a/new/x")),
            ("z", Some("a/new/x")),
            ("a/up/c", Some("b/c")),
            ("a", Some("a")),
            ("loop", None),
        ] {
            assert_eq!(destination(&root.join(path)), expected.map(|text| root.join(text)), "{path}");
        }
    }
}
