//! `Lpfile.lock`: what downloads without a digest in the config were when they were first
//! fetched.
//!
//! Not here: its format (`config::lock`), and when an entry is written (`workspace::lockfile`).

use std::collections::BTreeMap;

use crate::diag::Place;
use crate::digest::ContentDigest;
use crate::text::redacted;

/// The name of the file, beside `Lpfile.toml`.
pub const LOCKFILE: &str = "Lpfile.lock";

/// The entries, by the name of the download: `scan.mp4`.
pub type LockEntries = BTreeMap<String, LockEntry>;

/// What a download was when it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockEntry {
    /// The first URL of the download, as [`lock_url`] writes it, or that of a file in a package.
    pub url: String,
    /// The identity of the file in the store, so that no file is read twice for it.
    pub content: ContentDigest,
    /// In bytes.
    pub size: u64,
    /// The entry in its file; nowhere for a new one.
    pub place: Place,
}

impl LockEntry {
    /// Whether it holds for a download that comes from `url` (as written here), of which the config gives this
    /// size and no digest. Any other entry is of the time before the config was changed.
    #[must_use]
    pub fn holds_for(&self, url: &str, size: Option<u64>) -> bool {
        self.url == url && size.is_none_or(|size| size == self.size)
    }
}

/// A URL for a file that people commit: without user and password, and without the values
/// of parameters that seem to be secret.
#[must_use]
pub fn lock_url(url: &str) -> String {
    redacted(url).replacen("://***@", "://", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_holds_for_its_url_whoever_asks() {
        let entry = LockEntry {
            url: "https://h/a.mp4?v=1&sig=***".to_owned(),
            content: ContentDigest::of(b"lane"),
            size: 4,
            place: Place::default(),
        };
        for (url, size, holds) in [
            ("https://bob:secret@h/a.mp4?v=1&sig=abc", None, true),
            ("https://h/a.mp4?v=1&sig=other", Some(4), true),
            ("https://h/a.mp4?v=1&sig=abc", Some(5), false),
            ("https://h/a.mp4?v=2&sig=abc", None, false),
        ] {
            assert_eq!(entry.holds_for(&lock_url(url), size), holds, "{url}");
        }
    }
}
