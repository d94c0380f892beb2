//! Writes `Lpfile.lock`: what downloads without a digest in the config were when they came.
//!
//! It is written under the lock of the store's log, not under the build lock: that one may
//! be taken by a measurement of half an hour, for which no build should wait at its end.
//! An entry is of an attempt in the store whose file is in place, so a kill at any moment
//! leaves the old file or the new one, and no entry for a file that did not arrive. The next
//! build writes what a killed one did not.
//!
//! Not here: the format (`config::lock`).

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::build::Build;
use crate::config::lock;
use crate::digest::ContentDigest;
use crate::engine::Engine;
use crate::graph::TaskId;
use crate::graph::task::{Action, Download};
use crate::model::{LOCKFILE, LockEntries, LockEntry};
use crate::os::failpoint;
use crate::os::fs::{self, Context, FsError};
use crate::store::Store;
use crate::store::attempt::Attempt;

/// The largest file that is read.
const LIMIT: u64 = 64 << 20;

/// What became of the entries for the downloads of a build.
#[derive(Debug)]
pub(crate) enum Recorded {
    /// There was nothing to write.
    Nothing,
    /// These downloads have entries now.
    Written {
        names: Vec<String>,
        /// Of the whole file.
        content: ContentDigest,
    },
    /// The file cannot be written, which is no failure of the build.
    Failed(anyhow::Error),
}

impl Build<'_> {
    /// Writes entries for those downloads of `needed` that are in place and have neither a
    /// digest in the config nor an entry that holds. Reads and writes nothing if there are
    /// none.
    pub(crate) fn record_downloads(&self, engine: &Engine<'_>, needed: &BTreeSet<TaskId>) -> Recorded {
        self.try_to_record(engine, needed).unwrap_or_else(Recorded::Failed)
    }

    fn try_to_record(&self, engine: &Engine<'_>, needed: &BTreeSet<TaskId>) -> anyhow::Result<Recorded> {
        let mut found = LockEntries::new();
        for id in needed.iter().filter(|_| !self.fetching.locked) {
            let task = self.graph.task(*id);
            if let Action::Download(download) = &task.action
                && !download.pins.has_digest()
                && let Some(attempt) = engine.attempt_in_place(*id)?
            {
                found.extend(entry(download, &attempt).map(|entry| (name(&task.label).to_owned(), entry)));
            }
        }
        if found.is_empty() {
            return Ok(Recorded::Nothing);
        }
        let names = found.keys().cloned().collect();
        let root = &self.opened.project.layout.root;
        let written = write(self.store, root, |entries| entries.extend(found))?;
        Ok(written.map_or(Recorded::Nothing, |content| Recorded::Written { names, content }))
    }
}

/// The name of a download with this label: `scan.mp4`.
pub(crate) fn name(label: &str) -> &str {
    label.strip_prefix("download:").unwrap_or(label)
}

/// The entry for what an attempt at a download brought.
pub(crate) fn entry(download: &Download, attempt: &Attempt) -> Option<LockEntry> {
    let output = attempt.outputs.first()?;
    let url = download.lock_key()?;
    Some(LockEntry { url, content: output.content, size: output.size, place: Default::default() })
}

/// Changes the entries of the file as it is now, and writes it whole if they differ then.
/// Returns its new contents if it was written. Other entries stay as they are.
///
/// # Errors
/// When the file has faults, or cannot be read or written.
pub(crate) fn write(
    store: &Store,
    root: &Path,
    change: impl FnOnce(&mut LockEntries),
) -> Result<Option<ContentDigest>, FsError> {
    let path = root.join(LOCKFILE);
    store.alone(|| {
        let before = match fs::read_bounded(&path, LIMIT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            bytes => Some(bytes.context("read", &path)?),
        };
        let faulty = || io::Error::other("it has faults, which `lp check` shows");
        let mut entries = match before.clone() {
            Some(bytes) => lock::parse(bytes).ok_or_else(faulty).context("read", &path)?,
            None => LockEntries::new(),
        };
        let known = lock::text(&entries);
        change(&mut entries);
        let text = lock::text(&entries);
        if text == known {
            return Ok(None);
        }
        failpoint::hit("lock.before-write");
        match before {
            // It keeps its mode, and a link to it stays one.
            Some(_) => fs::rewrite(&path, text.as_bytes())?,
            None => fs::write_atomic(&path, text.as_bytes())?,
        }
        Ok(Some(ContentDigest::of(text.as_bytes())))
    })
}
