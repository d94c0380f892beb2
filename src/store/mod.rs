//! The store of a project, `.lpcache/`: earlier attempts and their outputs.
//!
//! A result is blobs ([`cas`]) plus one entry of the [`log`], written in this
//! order, so a crash leaves a whole result or none. [`key`] identifies an attempt,
//! [`stale`] lists the differences of two, [`sentence`] formats them for people,
//! [`freshness`] decides whether a task must run, [`materialise`] captures and
//! restores outputs, and [`state`] caches facts that are expensive to recompute.
//! [`stats`], [`gc`] and [`verify`] do maintenance.
//!
//! Reading needs no folder and takes no lock: a project without a store has an
//! empty one, and the first write creates the folder. `docs/cache.md` is its
//! documentation for users.
//!
//! The store knows labels and documents, not tasks: it is below `engine`. The build
//! lock is in `os::lock`; callers of [`Store::restore`], [`Store::capture`],
//! [`Store::clean`], [`Store::collect`] and [`Store::heal`] hold it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::digest::ContentDigest;
use crate::os::failpoint;
use crate::os::fs::{self, FsError};
use crate::os::lock::FreeLock;
use crate::path::{Layout, ProjectPath};
use attempt::Attempt;
use cas::Cas;
use log::Log;
use state::State;

pub mod amiss;
pub mod attempt;
pub mod cas;
pub mod freshness;
pub mod gc;
pub mod input;
pub mod key;
pub mod last;
pub mod log;
pub mod made;
pub mod materialise;
mod nearest;
pub mod observe;
pub mod sentence;
pub mod stale;
pub mod state;
pub mod stats;
pub mod verify;

#[cfg(test)]
mod tests;

/// The largest image that is read; a larger one is ignored.
const MAX_IMAGE: u64 = 1 << 30;

/// The version of the store as a whole: nothing in a store of another version is
/// reused. Increment it with the log's header and the key document's version.
pub const FORMAT: u32 = 1;

/// The name of the worker's machine in the state.
const MACHINE: &str = "machine";

/// A log with fewer entries is not rewritten.
const WORTH_COMPACTING: usize = 1000;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A blob is missing or damaged: its output must be made again.
    #[error("the store has lost the contents of `{path}` ({})", content.short())]
    BlobLost { path: ProjectPath, content: ContentDigest },
    /// A task reported an output that does not exist.
    #[error("output `{path}` was not made")]
    OutputMissing { path: ProjectPath },
}

/// The store of a project.
#[derive(Debug)]
pub struct Store {
    layout: Layout,
    root: PathBuf,
    since: Option<FreeLock>,
    cas: Cas,
    log: RwLock<Log>,
    state: RwLock<State>,
    n_hashed: AtomicU64,
}

impl Store {
    /// Opens the store of the project at `layout`. Creates nothing.
    ///
    /// # Errors
    /// When the log exists and cannot be read.
    pub fn open(layout: Layout) -> Result<Store, StoreError> {
        let store = Store::unread(layout);
        store.log_mut().refresh()?;
        let image = fs::read_bounded(&store.root.join("state"), MAX_IMAGE).ok();
        if let Some(state) = image.and_then(|image| State::parse(image, &store.layout.root)) {
            *store.state_mut() = state;
        }
        Ok(store)
    }

    /// The store of the project at `layout` for a caller that only writes: earlier
    /// attempts are not read.
    #[must_use]
    pub fn unread(layout: Layout) -> Store {
        let root = layout.cache();
        Store {
            state: RwLock::new(State::new(&layout.root)),
            layout,
            since: FreeLock::look(&root.join("lock")),
            cas: Cas::new(&root),
            log: RwLock::new(Log::unread(&root.join("log"))),
            root,
            n_hashed: AtomicU64::new(0),
        }
    }

    /// Reads the new part of the log: another `lp` may have written since it was
    /// opened.
    ///
    /// # Errors
    /// When the log exists and cannot be read.
    pub fn reload(&self) -> Result<(), StoreError> {
        Ok(self.log_mut().refresh()?)
    }

    /// Creates the store's folder, with a `.gitignore` and a `CACHEDIR.TAG`.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(&self) -> Result<(), FsError> {
        let tag = self.root.join("CACHEDIR.TAG");
        if fs::is_file(&tag) {
            return Ok(());
        }
        fs::create_dir_all(&self.root)?;
        fs::write_atomic(&self.root.join(".gitignore"), b"*\n")?;
        let signature = "Signature: 8a477f597d28d172789f06886806bc55\n\
            # This folder holds results that lp can make again, except for measurements.\n\
            # See https://bford.info/cachedir/\n";
        fs::write_atomic(&tag, signature.as_bytes())
    }

    /// The file of the build lock. Its folder exists after [`Store::create`].
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Proof that no process held the build lock just before the store was read.
    #[must_use]
    pub fn since(&self) -> Option<&FreeLock> {
        self.since.as_ref()
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a blob, if it exists.
    #[cfg(test)]
    fn blob_path(&self, content: &ContentDigest) -> PathBuf {
        self.cas.path(content)
    }

    /// Reads a blob of at most `limit` bytes; `None` if it is missing, larger or damaged.
    #[must_use]
    pub fn read_blob(&self, content: &ContentDigest, limit: u64) -> Option<Vec<u8>> {
        self.cas.read(content, limit)
    }

    /// Stores bytes: a task's printed output, for an attempt's `logs`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<ContentDigest, StoreError> {
        self.create()?;
        Ok(self.cas.put_bytes(bytes)?)
    }

    /// Adds an attempt to the log. All its blobs are stored before this is called.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn record_attempt(&self, attempt: &Attempt) -> Result<(), StoreError> {
        self.create()?;
        if attempt.measurement {
            // A measurement cannot be made again.
            let blobs = attempt.outputs.iter().flat_map(|output| self.blobs_of(output));
            for blob in blobs.chain(attempt.logs) {
                self.cas.sync(&blob)?;
            }
        }
        failpoint::hit("store.between");
        Ok(self.log_mut().append(attempt)?)
    }

    /// Calls `act` while no other `lp` changes a list of this store, or anything else by
    /// this function. `act` must not wait, nor use the store.
    ///
    /// # Errors
    /// When the store cannot be locked, or `act` fails.
    pub fn alone<T>(&self, act: impl FnOnce() -> Result<T, FsError>) -> Result<T, FsError> {
        self.create()?;
        self.log().locked(act)
    }

    /// The attempts under a label, newest first.
    #[must_use]
    pub fn attempts_of(&self, label: &str) -> Vec<Arc<Attempt>> {
        self.log().of_label(label).cloned().collect()
    }

    /// How long the newest attempt under a label took, in milliseconds.
    #[must_use]
    pub fn duration_of(&self, label: &str) -> Option<u32> {
        self.log().duration_of(label)
    }

    /// All attempts, newest first.
    #[must_use]
    pub fn attempts(&self) -> Vec<Arc<Attempt>> {
        self.log().attempts().rev().cloned().collect()
    }

    /// The measurement with this run-id, or all whose run-ids begin with it, newest
    /// first.
    #[must_use]
    pub fn find_by_run_id(&self, run_id: &str) -> Vec<Arc<Attempt>> {
        let log = self.log();
        let named = || log.attempts().rev().filter_map(|attempt| Some((attempt.run_id()?, attempt)));
        if let Some((_, attempt)) = named().find(|(id, _)| id == run_id) {
            return vec![attempt.clone()];
        }
        let begin_so = named().filter(|(id, _)| !run_id.is_empty() && id.starts_with(run_id));
        begin_so.map(|(_, attempt)| attempt.clone()).collect()
    }

    /// The description of the worker's machine that was stored last.
    #[must_use]
    pub fn machine(&self) -> Option<String> {
        self.state().text(MACHINE).map(str::to_owned)
    }

    /// Stores a description until it is replaced, or the store is emptied.
    pub fn set_machine(&self, description: &str) {
        self.state_mut().set_text(MACHINE, description);
    }

    /// How many files were read to learn their digest.
    #[must_use]
    pub fn n_hashed(&self) -> u64 {
        self.n_hashed.load(Ordering::Relaxed)
    }

    /// Writes the new facts, if any, and compacts the log when half of it is dead.
    /// Without new facts this writes nothing and takes no lock.
    ///
    /// # Errors
    /// When the log cannot be locked or a file cannot be written.
    pub fn save_state(&self) -> Result<(), StoreError> {
        self.settle()?;
        if self.state().is_changed() {
            self.create()?;
            let mut state = self.state_mut();
            state.prune();
            let image = state.image();
            self.log().locked(|| fs::replace_unsynced(&self.root.join("state"), &image))?;
            state.set_saved();
            drop(state);
            self.compact()?;
        }
        Ok(())
    }

    fn compact(&self) -> Result<(), FsError> {
        let mut log = self.log_mut();
        let (n_attempts, n_labels) = log.n_attempts();
        // The newest attempt of each label is live.
        if n_attempts < WORTH_COMPACTING || n_labels * 2 >= n_attempts {
            return Ok(());
        }
        let live = live(&log);
        if live.len() * 2 >= n_attempts {
            return Ok(());
        }
        // By identity, so that an attempt that another process adds meanwhile is
        // kept.
        let dead: HashSet<_> =
            log.attempts().map(Arc::as_ptr).filter(|attempt| !live.contains(attempt)).collect();
        log.rewrite(&|attempt| !dead.contains(&Arc::as_ptr(attempt)))?;
        Ok(())
    }

    /// Forgets these attempts, measurements excepted. Their blobs stay until the next
    /// collection. The caller holds the build lock.
    ///
    /// # Errors
    /// When the log cannot be rewritten.
    pub fn forget(&self, is_meant: &dyn Fn(&Attempt) -> bool) -> Result<(), StoreError> {
        if self.log().attempts().any(|attempt| !attempt.measurement && is_meant(attempt)) {
            self.log_mut().rewrite(&|attempt| attempt.measurement || !is_meant(attempt))?;
        }
        Ok(())
    }

    /// Empties the store, except for measurements and their blobs. Returns the
    /// number of deleted attempts.
    ///
    /// # Errors
    /// When something cannot be deleted.
    pub fn clean(&self) -> Result<usize, StoreError> {
        if !self.root.is_dir() {
            return Ok(0);
        }
        let (n_forgotten, kept) = {
            let mut log = self.log_mut();
            let n_forgotten = log.rewrite(&|attempt| attempt.measurement)?;
            let kept: Vec<_> = log.attempts().cloned().collect();
            (n_forgotten, kept)
        };
        let outputs = kept.iter().flat_map(|attempt| &attempt.outputs);
        let mut needed: HashSet<ContentDigest> = outputs.flat_map(|output| self.blobs_of(output)).collect();
        needed.extend(kept.iter().filter_map(|attempt| attempt.logs));
        for blob in self.cas.all()?.iter().filter(|blob| !needed.contains(&blob.content)) {
            self.cas.remove(&blob.content)?;
        }
        fs::remove_dir_contents(&self.root.join("tmp"))?;
        fs::remove(&self.layout.parts())?;
        fs::remove(&self.layout.environments())?;
        fs::remove(&self.root.join("graph"))?;
        fs::remove(&self.root.join("state"))?;
        *self.state_mut() = State::new(&self.layout.root);
        Ok(n_forgotten)
    }

    // A panic elsewhere leaves these as they were before or after one change, and
    // both are whole.

    fn log(&self) -> RwLockReadGuard<'_, Log> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_mut(&self) -> RwLockWriteGuard<'_, Log> {
        self.log.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The attempts that a build may still need: measurements, the newest reusable one
/// of each action and label, and the newest of each label.
fn live(log: &Log) -> HashSet<*const Attempt> {
    let (mut labels, mut actions, mut live) = (HashSet::new(), HashSet::new(), HashSet::new());
    for attempt in log.attempts().rev() {
        let is_newest = labels.insert(attempt.label.as_str());
        let is_first_of_action =
            attempt.is_reusable() && actions.insert((attempt.action, attempt.label.as_str()));
        if attempt.measurement || is_newest || is_first_of_action {
            live.insert(Arc::as_ptr(attempt));
        }
    }
    live
}
