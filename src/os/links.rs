//! Which folders are read through links inside a folder.
//!
//! A link leads on to its folder once, and never to one that it stands in: a
//! link to a folder around itself, and one to a folder that is read already,
//! add nothing to read.

use std::path::{Path, PathBuf};

/// The folders that a walk has come through.
#[derive(Debug)]
pub struct Walked<'p> {
    top: &'p Path,
    /// Without links. Empty until the first link to a folder is met: most
    /// folders have none.
    all: Vec<PathBuf>,
    /// Which of them the walk is in.
    within: Vec<usize>,
}

impl Walked<'_> {
    /// A walk that begins at `top`, which may be a link itself.
    #[must_use]
    pub fn new(top: &Path) -> Walked<'_> {
        Walked { top, all: Vec::new(), within: Vec::new() }
    }

    /// Enters the folder that the link at `link` leads to, if it is to be walked:
    /// says where it is. Until [`Walked::leave`], the walk is in it.
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

    /// Where `link` leads, if that is in no folder that is walked anyway.
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
