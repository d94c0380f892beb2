//! Digests of files and folders in place. A file is read again only if its identity
//! shows that it may have changed.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::attempt::{Modes, OutputEntry, OutputKind};
use super::state::Age;
use super::{Store, StoreError};
use crate::digest::ContentDigest;
use crate::os::fs::{self, Context, Executable, FsError, Metadata, StatIdentity};
use crate::os::http::{Difference, Pins, compare};
use crate::os::tree::{self, Listing, Node};
use crate::path::ProjectPath;

impl Store {
    /// The digest of a file's bytes or of the files read in a folder; links are
    /// followed. May be called from many threads.
    ///
    /// # Errors
    /// When it does not exist ([`FsError::is_not_found`]) or cannot be read.
    pub fn digest_of(&self, path: &Path) -> Result<ContentDigest, FsError> {
        self.digest_at(path, &fs::metadata(path)?)
    }

    /// As [`Store::digest_of`], for a path whose metadata was just read, links
    /// followed.
    pub(super) fn digest_at(&self, path: &Path, metadata: &Metadata) -> Result<ContentDigest, FsError> {
        if metadata.is_dir() {
            return tree::digest_through_links(path, &|path| self.digest_of(path));
        }
        let known = self.state().recall(path, &StatIdentity::of(metadata));
        known.map_or_else(|| self.hash(path), Ok)
    }

    /// The first pin that a file does not have, remembered by its contents and the pins.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn difference_of(&self, path: &Path, pins: &Pins) -> Result<Option<Difference>, FsError> {
        let pinned = serde_json::to_string(pins).expect("pins have text keys");
        let name = format!("{} beside {pinned}", self.digest_of(path)?);
        if let Some(known) = self.state().text(&name).and_then(|text| serde_json::from_str(text).ok()) {
            return Ok(known);
        }
        let difference = compare(path, pins)?.difference;
        let text = serde_json::to_string(&difference).expect("a difference is text");
        self.state_mut().set_text(&name, &text);
        Ok(difference)
    }

    /// The output at `path` in the project; `None` if it does not exist.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn observe(&self, path: &ProjectPath) -> Result<Option<OutputEntry>, StoreError> {
        Ok(self.observe_at(path, &self.layout.resolve(path))?.map(|(entry, _)| entry))
    }

    /// As [`Store::observe`], for an output that is at `place` now; with the
    /// listing if it is a folder.
    pub(super) fn observe_at(
        &self,
        path: &ProjectPath,
        place: &Path,
    ) -> Result<Option<(OutputEntry, Option<Listing>)>, FsError> {
        let Some(metadata) = fs::look(place)? else { return Ok(None) };
        let entry = |kind, content, executable, size| OutputEntry {
            path: path.clone(),
            kind,
            content,
            executable,
            size,
            modes: Modes::default(),
        };
        if metadata.is_symlink() {
            let target = tree::read_link(place)?;
            let content = ContentDigest::of(target.as_bytes());
            return Ok(Some((entry(OutputKind::Symlink, content, false, 0), None)));
        }
        if metadata.is_dir() {
            let listing = self.listing(place)?;
            let mut size = 0;
            for item in listing.items().iter().filter(|item| matches!(item.node, Node::File { .. })) {
                let file = place.join(item.name.as_path());
                size += fs::look(&file)?.map_or(0, |metadata| metadata.len());
            }
            return Ok(Some((entry(OutputKind::Dir, listing.digest(), false, size), Some(listing))));
        }
        let executable = Executable::of(&metadata) == Executable::Yes;
        let content = self.digest_at(place, &metadata)?;
        Ok(Some((entry(OutputKind::File, content, executable, metadata.len()), None)))
    }

    fn listing(&self, folder: &Path) -> Result<Listing, FsError> {
        Listing::read(folder, &|path| self.digest_of(path))
    }

    /// Reads a file and remembers its digest.
    pub(super) fn hash(&self, path: &Path) -> Result<ContentDigest, FsError> {
        // Waiting is cheaper than reading a large file twice.
        let before = StatIdentity::read(path).context("look at", path)?;
        if before.size >= fs::LINK_FROM {
            before.wait_until_aged();
        }
        let begin = fs::now_ns();
        let (content, identity) = fs::hash_file(path)?;
        self.n_hashed.fetch_add(1, Ordering::Relaxed);
        let age = if identity.is_racy(begin) { Age::Young } else { Age::Settled };
        self.state_mut().remember(path, identity, content, age);
        Ok(content)
    }

    /// Remembers the digest of a file that the caller has just written, so that it is not read
    /// again.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn remember_digest(&self, path: &Path, content: ContentDigest) -> Result<(), FsError> {
        let identity = StatIdentity::read(path).context("look at", path)?;
        // Waiting is cheaper than reading a large file.
        if identity.size >= fs::LINK_FROM {
            identity.wait_until_aged();
            self.remember_linked(path, content)?;
        }
        Ok(())
    }

    /// Remembers a file with a known digest, a name of which `lp` has just made or
    /// deleted.
    pub(super) fn remember_linked(&self, path: &Path, content: ContentDigest) -> Result<(), FsError> {
        let now = fs::now_ns();
        let identity = StatIdentity::read(path).context("look at", path)?;
        let age = if identity.is_racy_after_link(now) { Age::Young } else { Age::Settled };
        self.state_mut().remember(path, identity, content, age);
        Ok(())
    }

    /// Hashes files again whose digests were too young to be trusted, after waiting
    /// for their times to age (some milliseconds, unless the file system counts in
    /// seconds).
    pub(super) fn settle(&self) -> Result<(), FsError> {
        use rayon::prelude::*;
        let young = self.state().young();
        young.into_par_iter().for_each(|(path, identity)| {
            identity.wait_until_aged();
            // A file that can no longer be read is forgotten; its next reader
            // reports the error.
            if self.hash(&path).is_err() {
                self.state_mut().forget(&path);
            }
        });
        Ok(())
    }
}
