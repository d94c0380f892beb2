//! The log: every attempt, in the order in which they ended.
//!
//! ```text
//! log     = "lp-log" 0 1, entry*
//! entry   = marker (4), length (u32), kind (u8), payload, checksum (8)
//! payload = action digest (32), milliseconds (u32), label's length (u16), label, attempt
//! ```
//! The length counts kind and payload; the checksum covers the length as well. The
//! payload above is of kind 2; its `attempt` is an [`Attempt`] as JSON. The fields
//! before it are enough to find an attempt, so a log of 100,000 is scanned without
//! parsing a single document. A payload of kind 1 is JSON alone (of earlier
//! versions). Entries of other kinds are skipped and kept.
//!
//! An entry is whole or absent: the next append cuts off a partial entry that a
//! crash left at the end. After a damaged entry the reader looks for the next
//! marker that begins a whole one, so a flipped bit costs one entry.
//!
//! Appends and rewrites take a lock on the log itself (the *log lock*); a rewrite
//! replaces the file, so a writer that has the lock checks that its file still has
//! the name. Readers take no lock.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::attempt::Attempt;
use crate::digest::ActionDigest;
use crate::os::failpoint;
use crate::os::fs::{self, Context, File, FsError, OpenOptions};
use crate::os::lock::{self, Mode};

pub mod inspect;

const HEADER: [u8; 8] = *b"lp-log\0\x01";
/// A marker inside a payload does no harm: no valid checksum follows it.
const MARKER: [u8; 4] = *b"\x01LPE";
/// An attempt as JSON.
const JSON: u8 = 1;
/// An attempt as JSON after the fields that find it.
const INDEXED: u8 = 2;
/// Bytes of an entry besides kind and payload.
const FRAME: usize = 4 + 4 + 8;
/// The largest length of an entry; a greater one is damage.
const MAX_LENGTH: usize = 64 << 20;
/// The number of bytes to read at once.
const BLOCK: usize = 1 << 20;

/// The log of a store, with its index in memory.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Option<OpenLog>,
    entries: Vec<Entry>,
    /// The newest entry of a label and of an action, by hash; the entry references
    /// the one before.
    by_label: HashMap<u64, u32>,
    by_action: HashMap<u64, u32>,
}

/// A file as far as it has been read.
#[derive(Debug)]
struct OpenLog {
    file: File,
    identity: (u64, u64),
    /// The end of its last whole entry.
    end: u64,
}

/// An entry of a known or unknown kind.
#[derive(Debug)]
struct Entry {
    offset: u64,
    length: u32,
    /// Its keys in the index; `None` for an unknown kind.
    keys: Option<Keys>,
    /// Kept after the first look-up by label; `None` inside if it cannot be read.
    attempt: OnceLock<Option<Arc<Attempt>>>,
}

#[derive(Clone, Copy, Debug)]
struct Keys {
    duration_ms: u32,
    older_of_label: Option<u32>,
    older_of_action: Option<u32>,
}

impl Log {
    /// Reads the log at `path`; a missing file is an empty log.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    #[cfg(test)]
    pub fn open(path: &Path) -> Result<Log, FsError> {
        let mut log = Log::unread(path);
        log.refresh()?;
        Ok(log)
    }

    /// The log at `path`, not yet read.
    #[must_use]
    pub fn unread(path: &Path) -> Log {
        Log {
            path: path.to_path_buf(),
            file: None,
            entries: Vec::new(),
            by_label: HashMap::new(),
            by_action: HashMap::new(),
        }
    }

    /// Reads the changes that other processes have made to the log.
    ///
    /// # Errors
    /// When it exists and cannot be read.
    pub fn refresh(&mut self) -> Result<(), FsError> {
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.forget();
                Ok(())
            }
            file => self.catch_up(file.context("open", &self.path)?),
        }
    }

    fn forget(&mut self) {
        self.file = None;
        self.entries.clear();
        self.by_label.clear();
        self.by_action.clear();
    }

    /// The attempts under a label, newest first.
    pub fn of_label<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a Arc<Attempt>> {
        let newest = self.by_label.get(&hash(label)).copied();
        let entries = self.chain(newest, |keys| keys.older_of_label);
        entries.filter_map(|entry| self.attempt(entry)).filter(move |attempt| attempt.label == label)
    }

    /// The attempts at an action, whatever their label, newest first. They are not
    /// kept in memory: a look at every task needs each once, and together they are
    /// large.
    pub fn of_action<'a>(&'a self, action: &'a ActionDigest) -> impl Iterator<Item = Arc<Attempt>> {
        let newest = self.by_action.get(&hash(action)).copied();
        let entries = self.chain(newest, |keys| keys.older_of_action);
        let attempts = entries.filter_map(|entry| match entry.attempt.get() {
            Some(kept) => kept.clone(),
            None => self.read_attempt(entry).map(Arc::new),
        });
        attempts.filter(move |attempt| attempt.action == *action)
    }

    /// How long the newest attempt under a label took, in milliseconds, without
    /// reading it.
    #[must_use]
    pub fn duration_of(&self, label: &str) -> Option<u32> {
        let newest = self.by_label.get(&hash(label))?;
        Some(self.entries[*newest as usize].keys.as_ref()?.duration_ms)
    }

    fn chain(&self, newest: Option<u32>, older: fn(&Keys) -> Option<u32>) -> impl Iterator<Item = &Entry> {
        let step = move |at: &u32| self.entries[*at as usize].keys.as_ref().and_then(older);
        std::iter::successors(newest, step).map(|at| &self.entries[at as usize])
    }

    /// The number of attempts and the number of their labels.
    #[must_use]
    pub fn n_attempts(&self) -> (usize, usize) {
        (self.entries.iter().filter(|entry| entry.keys.is_some()).count(), self.by_label.len())
    }

    /// All attempts, oldest first.
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &Arc<Attempt>> {
        self.entries.iter().filter_map(|entry| self.attempt(entry))
    }

    fn attempt<'a>(&self, entry: &'a Entry) -> Option<&'a Arc<Attempt>> {
        entry.attempt.get_or_init(|| self.read_attempt(entry).map(Arc::new)).as_ref()
    }

    fn read_attempt(&self, entry: &Entry) -> Option<Attempt> {
        entry.keys?;
        let bytes = self.read(entry).ok()?;
        let payload = &bytes[8..bytes.len() - 8];
        let json = if payload[0] == INDEXED { split_indexed(payload)?.json } else { &payload[1..] };
        serde_json::from_slice(json).ok()
    }

    /// The bytes of an entry, which was whole when it was indexed.
    fn read(&self, entry: &Entry) -> io::Result<Vec<u8>> {
        let open = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut bytes = vec![0; entry.length as usize];
        open.file.read_exact_at(&mut bytes, entry.offset)?;
        // Overwritten since it was indexed.
        if entry_at(&bytes) != Found::Whole(bytes.len()) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(bytes)
    }

    /// Adds an attempt, and reads the entries that other processes have added. A
    /// measurement is synced, since it cannot be made again.
    ///
    /// # Errors
    /// When the log cannot be locked, read or written.
    pub fn append(&mut self, attempt: &Attempt) -> Result<(), FsError> {
        let bytes = frame(INDEXED, &indexed(attempt));
        let file = self.lock()?;
        self.catch_up_with(&file)?;
        let on_disk = file.metadata().context("look at", &self.path)?.len();
        let end = self.file.as_ref().map_or(HEADER.len() as u64, |open| open.end);
        if on_disk > end {
            // Nothing whole follows; this process holds the lock, so no other is
            // writing.
            let cut = || file.set_len(end);
            failpoint::fs_call("cut", &self.path, cut).context("cut off the torn end of", &self.path)?;
        }
        if failpoint::is_due("store.inside-log-line") {
            let half = &bytes[..bytes.len() / 2];
            file.write_all_at(half, end).and_then(|()| file.sync_data()).context("write", &self.path)?;
            std::process::abort();
        }
        failpoint::fs_write(&self.path, &bytes, |bytes| file.write_all_at(bytes, end))
            .context("write", &self.path)?;
        if attempt.measurement {
            failpoint::fs_call("sync", &self.path, || file.sync_data()).context("sync", &self.path)?;
        }
        if let Some(open) = &mut self.file {
            open.end = end + bytes.len() as u64;
        }
        self.index(end, &bytes);
        Ok(())
    }

    /// Rewrites the log with the attempts for which `keep` is true, and entries of
    /// unknown kinds. Returns the number of entries that it left out. Damaged parts
    /// are appended to `log.damaged`: they may still name the blobs of a
    /// measurement.
    ///
    /// # Errors
    /// When the log cannot be locked, read or written.
    pub fn rewrite(&mut self, keep: &dyn Fn(&Arc<Attempt>) -> bool) -> Result<usize, FsError> {
        let lock = self.lock()?;
        self.catch_up_with(&lock)?;
        self.set_damage_aside()?;
        let mut n_left_out = 0;
        fs::write_atomic_with(&self.path, &mut |file| {
            let mut file = io::BufWriter::with_capacity(BLOCK, file);
            file.write_all(&HEADER)?;
            n_left_out = 0;
            for entry in &self.entries {
                if self.attempt(entry).is_none_or(keep) {
                    file.write_all(&self.read(entry)?)?;
                } else {
                    n_left_out += 1;
                }
            }
            file.flush()
        })?;
        self.refresh()?;
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

    /// Calls `act` under the log lock. `act` must not wait.
    ///
    /// # Errors
    /// When the log cannot be locked, or `act` fails.
    pub fn locked<T>(&self, act: impl FnOnce() -> Result<T, FsError>) -> Result<T, FsError> {
        let _lock = self.lock()?;
        act()
    }

    /// Opens the log (created if missing) and locks it until the file is dropped.
    fn lock(&self) -> Result<File, FsError> {
        loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let open = || options.open(&self.path);
            let file = failpoint::fs_call("open", &self.path, open).context("open", &self.path)?;
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
                // A new file, or its header is incomplete.
                failpoint::fs_write(&self.path, &HEADER, |bytes| file.write_all_at(bytes, 0))
                    .context("write", &self.path)?;
                return Ok(file);
            }
            // A log of another version, kept for an `lp` that can read it.
            let aside = self.path.with_extension("unreadable");
            fs::rename(&self.path, &aside)?;
        }
    }

    /// Reads the new part of the log, which is open and locked as `file`.
    fn catch_up_with(&mut self, file: &File) -> Result<(), FsError> {
        let found = identity(file).context("look at", &self.path)?;
        let length = file.metadata().context("look at", &self.path)?.len();
        match &self.file {
            Some(open) if open.identity == found && open.end == length => Ok(()),
            // Through another descriptor: this one is closed to release the lock.
            _ => self.refresh(),
        }
    }

    /// Reads the unknown rest of `file`; all of it if it is another file.
    fn catch_up(&mut self, file: File) -> Result<(), FsError> {
        let found = identity(&file).context("look at", &self.path)?;
        let length = file.metadata().context("look at", &self.path)?.len();
        let known = self.file.as_ref().filter(|known| known.identity == found && known.end <= length);
        let from = known.map(|known| known.end);
        if from.is_none() {
            self.forget();
            let mut header = [0; HEADER.len()];
            if file.read_exact_at(&mut header, 0).is_err() || header != HEADER {
                return Ok(());
            }
        }
        let from = from.unwrap_or(HEADER.len() as u64);
        let end =
            scan(&file, from, &mut |offset, bytes| self.index(offset, bytes)).context("read", &self.path)?;
        self.file = Some(OpenLog { file, identity: found, end });
        Ok(())
    }

    /// Adds an entry's offset and keys to the index.
    fn index(&mut self, offset: u64, bytes: &[u8]) {
        let at = u32::try_from(self.entries.len()).expect("a log has fewer than four billion entries");
        let payload = &bytes[8..bytes.len() - 8];
        let hashes = match payload[0] {
            INDEXED => split_indexed(payload)
                .map(|found| (hash(found.label), hash(&found.action), found.duration_ms)),
            JSON => serde_json::from_slice::<Attempt>(&payload[1..])
                .ok()
                .map(|attempt| (hash(attempt.label.as_str()), hash(&attempt.action), 0)),
            _ => None,
        };
        let keys = hashes.map(|(label, action, duration_ms)| Keys {
            duration_ms,
            older_of_label: self.by_label.insert(label, at),
            older_of_action: self.by_action.insert(action, at),
        });
        let length = u32::try_from(bytes.len()).expect("an entry is smaller than 4 GiB");
        self.entries.push(Entry { offset, length, keys, attempt: OnceLock::new() });
    }
}

fn hash<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let identity = fs::StatIdentity::of(&file.metadata()?);
    Ok((identity.device, identity.inode))
}

/// The payload of kind 2, without the kind.
fn indexed(attempt: &Attempt) -> Vec<u8> {
    let label = &attempt.label.as_bytes()[..attempt.label.len().min(usize::from(u16::MAX))];
    let mut payload = Vec::with_capacity(1024);
    payload.extend_from_slice(attempt.action.as_bytes());
    payload.extend_from_slice(&u32::try_from(attempt.duration_ms).unwrap_or(u32::MAX).to_le_bytes());
    payload.extend_from_slice(&(label.len() as u16).to_le_bytes());
    payload.extend_from_slice(label);
    serde_json::to_writer(&mut payload, attempt).expect("an attempt becomes JSON");
    payload
}

/// The parts of a payload of kind 2.
struct Indexed<'a> {
    action: ActionDigest,
    duration_ms: u32,
    label: &'a str,
    json: &'a [u8],
}

/// Splits a payload of kind 2, kind included.
fn split_indexed(payload: &[u8]) -> Option<Indexed<'_>> {
    let (action, rest) = payload.get(1..)?.split_first_chunk::<32>()?;
    let (duration, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (label, json) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some(Indexed {
        action: ActionDigest::from_bytes(*action),
        duration_ms: u32::from_le_bytes(*duration),
        label: std::str::from_utf8(label).ok()?,
        json,
    })
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

/// The kind of data at the beginning of some bytes.
#[derive(PartialEq, Eq)]
enum Found {
    /// An entry of this many bytes.
    Whole(usize),
    /// The beginning of a possible entry.
    Begun,
    /// No entry.
    Nothing,
}

fn entry_at(bytes: &[u8]) -> Found {
    let shown = bytes.len().min(MARKER.len());
    if bytes[..shown] != MARKER[..shown] {
        return Found::Nothing;
    }
    let Some(length) = bytes.get(4..8).and_then(|length| length.first_chunk()) else { return Found::Begun };
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || length > MAX_LENGTH {
        return Found::Nothing;
    }
    let Some(entry) = bytes.get(4..FRAME + length) else { return Found::Begun };
    let (covered, sum) = entry.split_at(4 + length);
    if sum == checksum(covered) { Found::Whole(FRAME + length) } else { Found::Nothing }
}

/// Calls `each` with the whole entries after `from`, and returns the end of the
/// last one.
fn scan(file: &File, from: u64, each: &mut dyn FnMut(u64, &[u8])) -> io::Result<u64> {
    let (mut buffer, mut begin, mut is_whole) = (Vec::new(), from, false);
    let (mut at, mut end) = (0, from);
    loop {
        match entry_at(&buffer[at..]) {
            Found::Whole(length) => {
                each(begin + at as u64, &buffer[at..at + length]);
                at += length;
                end = begin + at as u64;
            }
            Found::Begun if !is_whole => {
                buffer.drain(..at);
                begin += at as u64;
                at = 0;
                let known = buffer.len();
                buffer.resize(known + BLOCK, 0);
                let n = read_at_most(file, &mut buffer[known..], begin + known as u64)?;
                buffer.truncate(known + n);
                is_whole = n < BLOCK;
            }
            _ if at == buffer.len() => return Ok(end),
            _ => {
                // Damage or a partial entry: skip to the next byte that may begin an
                // entry.
                let next = buffer[at + 1..].iter().position(|byte| *byte == MARKER[0]);
                at = next.map_or(buffer.len(), |distance| at + 1 + distance);
            }
        }
    }
}

fn read_at_most(file: &File, buffer: &mut [u8], mut offset: u64) -> io::Result<usize> {
    let mut n_read = 0;
    while n_read < buffer.len() {
        match file.read_at(&mut buffer[n_read..], offset) {
            Ok(0) => break,
            Ok(n) => {
                n_read += n;
                offset += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n_read)
}

#[cfg(test)]
mod tests;
