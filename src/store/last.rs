//! A report on the last build, as one small file: `.lpcache/last`.
//!
//! It explains to people why something ran, and decides nothing: it may be missing,
//! stale or damaged. The caller defines its contents.

use super::{Store, StoreError};
use crate::os::fs;

/// A larger file is not read.
const LIMIT: u64 = 1 << 28;

impl Store {
    /// The report on the last build that did something.
    #[must_use]
    pub fn last_build(&self) -> Option<Vec<u8>> {
        fs::read_bounded(&self.root.join("last"), LIMIT).ok()
    }

    /// Replaces the report in one step, without a sync.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_last_build(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.create()?;
        Ok(fs::replace_unsynced(&self.root.join("last"), bytes)?)
    }
}
