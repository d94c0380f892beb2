//! A file of `/proc` or `/sys` that a collector reads again and again.
//!
//! Not here: the meaning of its text.

use std::path::{Path, PathBuf};

use super::CollectError;
use crate::os::proc::Pseudofile;

/// An open file and its path, which errors name.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    file: Pseudofile,
}

impl Source {
    pub(super) fn open(path: PathBuf) -> Result<Source, CollectError> {
        let file = Pseudofile::open(&path).map_err(|source| CollectError::read(&path, source))?;
        Ok(Source { path, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What `parse` makes of its text; an error names what was `expected`.
    pub(super) fn parse<T>(
        &mut self,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &'static str,
    ) -> Result<T, CollectError> {
        let text = self.file.read().map_err(|source| CollectError::read(&self.path, source))?;
        parse(text).ok_or_else(|| CollectError::Format { path: self.path.clone(), expected })
    }
}
