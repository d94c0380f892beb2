//! What the last build did, as one small file: `.lpcache/last`.
//!
//! It is for people who ask why something ran, and decides nothing: it may be
//! lost, stale or damaged. What is in it is up to whoever writes it.

use super::{Store, StoreError};
use crate::os::fs;

/// A longer one is not read.
const LIMIT: u64 = 1 << 28;

impl Store {
    /// What was written about the last build that did something.
    #[must_use]
    pub fn last_build(&self) -> Option<Vec<u8>> {
        fs::read_bounded(&self.root.join("last"), LIMIT).ok()
    }

    /// Replaces it in one step, without waiting for the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn set_last_build(&self, bytes: &[u8]) -> Result<(), StoreError> {
        self.create()?;
        Ok(fs::replace_unsynced(&self.root.join("last"), bytes)?)
    }
}
