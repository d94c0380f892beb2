//! The log: every attempt, in the order in which they ended.
//!
//! ```text
//! log    = "lp-log" 0 1, entry*
//! entry  = marker (4), length (u32), kind (u8), payload, checksum (8)
//! ```
//! The length counts kind and payload; the checksum covers the length as well. A
//! payload of kind 1 is an [`Attempt`] as JSON. Entries of other kinds are
//! skipped and kept.
//!
//! An entry is whole or it is not there: what a crash left at the end is cut off
//! by the next append. Behind a damaged entry the reader looks for the next
//! marker that begins a whole one, so a flipped bit costs one entry.
//!
//! Appends and rewrites happen under a lock on the log itself (the *log lock*);
//! a rewrite puts a new file in its place, so a writer that got the lock checks
//! that its file is still the one with the name. Readers take no lock.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attempt::Attempt;
use crate::digest::ActionDigest;
use crate::os::failpoint;
use crate::os::fs::{self, Context, File, FsError, OpenOptions};
use crate::os::lock::{self, Mode};

pub mod inspect;

const HEADER: [u8; 8] = *b"lp-log\0\x01";
/// JSON never holds a raw byte 1, so no payload contains a marker.
const MARKER: [u8; 4] = *b"\x01LPE";
const ATTEMPT: u8 = 1;
/// Bytes of an entry besides kind and payload.
const FRAME: usize = 4 + 4 + 8;
/// No entry is larger; a length above is damage.
const MAX_LENGTH: usize = 64 << 20;

/// The log of a store, with its index in memory.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    /// The file as far as it is whole, damage in the middle included.
    bytes: Vec<u8>,
    /// Which file `bytes` came from.
    file: Option<(u64, u64)>,
    /// Each entry of a known or unknown kind.
    entries: Vec<Entry>,
    by_label: HashMap<String, Vec<Arc<Attempt>>>,
    by_action: HashMap<ActionDigest, Vec<Arc<Attempt>>>,
    is_synced: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    range: std::ops::Range<usize>,
    attempt: Option<Arc<Attempt>>,
}

impl Log {
    /// Reads the log at `path`; none there is an empty one.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub fn open(path: &Path) -> Result<Log, FsError> {
        let mut log = Log {
            path: path.to_path_buf(),
            bytes: Vec::new(),
            file: None,
            entries: Vec::new(),
            by_label: HashMap::new(),
            by_action: HashMap::new(),
            is_synced: true,
        };
        log.refresh()?;
        Ok(log)
    }

    /// Reads what other processes have done to the log since it was read.
    ///
    /// # Errors
    /// When there is one and it cannot be read.
    pub fn refresh(&mut self) -> Result<(), FsError> {
        match File::open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.forget();
                self.file = None;
                Ok(())
            }
            file => self.catch_up(&file.context("open", &self.path)?),
        }
    }

    fn forget(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.by_label.clear();
        self.by_action.clear();
    }

    /// The attempts under a label, oldest first.
    #[must_use]
    pub fn of_label(&self, label: &str) -> &[Arc<Attempt>] {
        self.by_label.get(label).map_or(&[], Vec::as_slice)
    }

    /// The attempts at an action, whatever their label, oldest first.
    #[must_use]
    pub fn of_action(&self, action: &ActionDigest) -> &[Arc<Attempt>] {
        self.by_action.get(action).map_or(&[], Vec::as_slice)
    }

    /// All attempts, oldest first.
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &Arc<Attempt>> {
        self.entries.iter().filter_map(|entry| entry.attempt.as_ref())
    }

    /// Adds an attempt, and reads what other processes have added meanwhile. A
    /// measurement is synced, since it cannot be remade; other attempts wait
    /// for [`Log::sync`].
    ///
    /// # Errors
    /// When the log cannot be locked, read or written.
    pub fn append(&mut self, attempt: &Attempt) -> Result<(), FsError> {
        let payload = serde_json::to_vec(attempt).expect("an attempt becomes JSON");
        let entry = frame(ATTEMPT, &payload);
        let file = self.lock()?;
        self.catch_up(&file)?;
        let end = self.bytes.len();
        let on_disk = file.metadata().context("look at", &self.path)?.len();
        if on_disk > end as u64 {
            // Nothing whole follows; we hold the lock, so nobody is writing it.
            file.set_len(end as u64).context("cut off the torn end of", &self.path)?;
        }
        if failpoint::is_due("store.inside-log-line") {
            let half = &entry[..entry.len() / 2];
            file.write_all_at(half, end as u64)
                .and_then(|()| file.sync_data())
                .context("write", &self.path)?;
            std::process::abort();
        }
        file.write_all_at(&entry, end as u64).context("write", &self.path)?;
        if attempt.measurement {
            file.sync_data().context("sync", &self.path)?;
        }
        self.is_synced = attempt.measurement;
        self.bytes.extend_from_slice(&entry);
        self.index(end);
        Ok(())
    }

    /// Syncs what was added, if anything was.
    ///
    /// # Errors
    /// When the log cannot be opened or synced.
    pub fn sync(&mut self) -> Result<(), FsError> {
        if !self.is_synced {
            fs::sync_data(&self.path)?;
            self.is_synced = true;
        }
        Ok(())
    }

    /// Writes the log anew with the attempts that `keep` wants, and entries of
    /// unknown kinds. Says how many it left out. What is damaged is added to
    /// `log.damaged`: it may still name the blobs of a measurement.
    ///
    /// # Errors
    /// When the log cannot be locked, read or written.
    pub fn rewrite(&mut self, keep: &dyn Fn(&Arc<Attempt>) -> bool) -> Result<usize, FsError> {
        let old = self.lock()?;
        self.catch_up(&old)?;
        self.set_damage_aside()?;
        let mut bytes = HEADER.to_vec();
        let mut n_left_out = 0;
        for entry in &self.entries {
            if entry.attempt.as_ref().is_none_or(keep) {
                bytes.extend_from_slice(&self.bytes[entry.range.clone()]);
            } else {
                n_left_out += 1;
            }
        }
        fs::write_atomic(&self.path, &bytes)?;
        let new = File::open(&self.path).context("open", &self.path)?;
        self.catch_up(&new)?;
        Ok(n_left_out)
    }

    fn set_damage_aside(&self) -> Result<(), FsError> {
        let bytes = fs::read_bounded(&self.path, u64::MAX).context("read", &self.path)?;
        let damaged = inspect::inspect(&bytes).damaged;
        if damaged.is_empty() {
            return Ok(());
        }
        let aside = self.path.with_extension("damaged");
        let mut all = match fs::read_bounded(&aside, u64::MAX) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            earlier => earlier.context("read", &aside)?,
        };
        for range in damaged {
            all.extend_from_slice(&bytes[range]);
        }
        fs::write_atomic(&aside, &all)
    }

    /// Does something under the log lock. Not for anything that waits.
    ///
    /// # Errors
    /// When the log cannot be locked, or what was done fails.
    pub fn locked<T>(&self, act: impl FnOnce() -> Result<T, FsError>) -> Result<T, FsError> {
        let _lock = self.lock()?;
        act()
    }

    /// Opens the log (made if missing) and locks it until the file is dropped.
    fn lock(&self) -> Result<File, FsError> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&self.path)
                .context("open", &self.path)?;
            lock::flock(&file, Mode::Exclusive).context("lock", &self.path)?;
            let locked = identity(&file).context("look at", &self.path)?;
            let named = fs::StatIdentity::read(&self.path).ok().map(|named| (named.device, named.inode));
            if named != Some(locked) {
                continue; // it was rewritten while we waited
            }
            let mut header = [0; HEADER.len()];
            let n = file.read_at(&mut header, 0).context("read", &self.path)?;
            if header[..n] == HEADER {
                return Ok(file);
            }
            if HEADER.starts_with(&header[..n]) {
                // New, or torn at birth.
                file.write_all_at(&HEADER, 0).context("write", &self.path)?;
                return Ok(file);
            }
            // Of another time. Kept for whoever can read it.
            let aside = self.path.with_extension("unreadable");
            fs::rename(&self.path, &aside)?;
        }
    }

    /// Reads what the file has beyond what is known; all of it if it is another file.
    fn catch_up(&mut self, file: &File) -> Result<(), FsError> {
        let found = identity(file).context("look at", &self.path)?;
        let length = file.metadata().context("look at", &self.path)?.len() as usize;
        if self.file != Some(found) || length < self.bytes.len() {
            self.forget();
            self.file = Some(found);
        }
        let from = self.bytes.len();
        let mut rest = vec![0; length.saturating_sub(from)];
        let n = read_at_most(file, &mut rest, from as u64).context("read", &self.path)?;
        self.bytes.extend_from_slice(&rest[..n]);
        if from == 0 {
            if !self.bytes.starts_with(&HEADER) {
                self.bytes.clear();
                return Ok(());
            }
            self.index(HEADER.len());
        } else {
            self.index(from);
        }
        Ok(())
    }

    /// Indexes the entries from `from` on, and forgets the bytes behind the last.
    fn index(&mut self, from: usize) {
        let (ranges, end) = scan(&self.bytes, from);
        self.bytes.truncate(end);
        for range in ranges {
            let attempt = (self.bytes[range.start + 8] == ATTEMPT)
                .then(|| serde_json::from_slice::<Attempt>(&self.bytes[range.start + 9..range.end - 8]))
                .and_then(Result::ok)
                .map(Arc::new);
            if let Some(attempt) = &attempt {
                self.by_label.entry(attempt.label.clone()).or_default().push(attempt.clone());
                self.by_action.entry(attempt.action).or_default().push(attempt.clone());
            }
            self.entries.push(Entry { range, attempt });
        }
    }
}

fn identity(file: &File) -> std::io::Result<(u64, u64)> {
    let identity = fs::StatIdentity::of(&file.metadata()?);
    Ok((identity.device, identity.inode))
}

fn read_at_most(file: &File, buffer: &mut [u8], mut offset: u64) -> std::io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match file.read_at(&mut buffer[n_read..], offset)? {
            0 => break,
            n => {
                n_read += n;
                offset += n as u64;
            }
        }
    }
    Ok(n_read)
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len() + 1).unwrap_or(u32::MAX);
    assert!(length as usize <= MAX_LENGTH, "an attempt fits into an entry");
    let mut entry = Vec::with_capacity(payload.len() + 1 + FRAME);
    entry.extend_from_slice(&MARKER);
    entry.extend_from_slice(&length.to_le_bytes());
    entry.push(kind);
    entry.extend_from_slice(payload);
    let checksum = checksum(&entry[4..]);
    entry.extend_from_slice(&checksum);
    entry
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    *blake3::hash(bytes).as_bytes().first_chunk().expect("a hash has 32 bytes")
}

/// The end of the whole entry that begins at `start`, if one does.
fn entry_end(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?.strip_prefix(&MARKER)?;
    let length = u32::from_le_bytes(*rest.first_chunk()?) as usize;
    if length == 0 || length > MAX_LENGTH {
        return None;
    }
    let covered = rest.get(..4 + length)?;
    (rest.get(4 + length..4 + length + 8)? == checksum(covered)).then_some(start + FRAME + length)
}

/// The whole entries from `from` on, and the end of the last.
fn scan(bytes: &[u8], from: usize) -> (Vec<std::ops::Range<usize>>, usize) {
    let (mut ranges, mut end, mut at) = (Vec::new(), from, from);
    while at < bytes.len() {
        if let Some(next) = entry_end(bytes, at) {
            ranges.push(at..next);
            (end, at) = (next, next);
            continue;
        }
        let marker = bytes[at + 1..].windows(MARKER.len()).position(|window| window == MARKER);
        let Some(distance) = marker else { break };
        at += 1 + distance;
    }
    (ranges, end)
}

#[cfg(test)]
mod tests;
