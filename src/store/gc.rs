//! Deletes unreferenced data, and old results beyond the limits.
//!
//! An attempt is *live* when a build may still need it, and *in use* when its
//! outputs in the project are unchanged. `lp` does not record when a result was
//! last used, because a build with nothing to do writes nothing; so a result in use
//! counts as used now, and any other as last used when it was made. `docs/cache.md`
//! explains this to users.
//!
//! The log is rewritten first, then data that it no longer references is deleted: a
//! crash in between leaves unreferenced blobs, which the next collection deletes.
//! Blobs named in unreadable parts of the log are kept as well.
//!
//! Measurements and their blobs are never deleted: they cannot be made again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::attempt::Attempt;
use super::cas::Blob;
use super::log::inspect;
use super::{Store, StoreError, live};
use crate::digest::ContentDigest;
use crate::os::failpoint;
use crate::os::fs::{self, FsError, StatIdentity};
use crate::os::tree::Listing;
use crate::os::usage::{Usage, usage};
use crate::record::density::ANSWERED;
use crate::time::Utc;

/// The number of compiled graphs that are kept: two for each request.
const GRAPHS: usize = 16;

/// How long the part of a file whose download was interrupted waits to go on.
const PARTS: Duration = Duration::from_secs(3 * 86_400);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of blobs to keep.
    pub max_size: Option<u64>,
    /// The longest time since the last use of a result to keep.
    pub max_age: Option<Duration>,
    pub now: Utc,
}

/// Whether a collection deletes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// It only reports: takes no lock, writes nothing.
    DryRun,
    Remove,
}

/// The deleted and the kept data of a collection; for a dry run, a forecast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// The version of this layout.
    pub version: u32,
    /// Whether nothing was deleted.
    pub dry_run: bool,
    pub removed: Removed,
    pub kept: Kept,
    /// Whether the kept data is within the size limit; `true` without one.
    pub fits: bool,
}

/// The deleted data of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// Attempts that no build needs any more.
    pub dead: usize,
    /// Live attempts that were too old.
    pub too_old: usize,
    /// Live attempts deleted to meet the size limit.
    pub too_large: usize,
    /// Unreferenced blobs.
    pub blobs: Usage,
    /// Those of them that are outputs in the project too: their bytes stay there.
    pub shared: Usage,
    pub graphs: Usage,
    /// Leftovers of attempts that were killed, settings of searches that are no longer
    /// needed, and old parts of downloads.
    pub leftovers: Usage,
}

/// The kept data of a collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    pub attempts: usize,
    pub measurements: usize,
    pub blobs: Usage,
    /// Those of them that no attempt references, but perhaps a part of the log that
    /// this version cannot read.
    pub unread: Usage,
}

/// Blobs that are kept although no attempt references them.
enum Pins {
    These(HashSet<ContentDigest>),
    /// Parts of the log may reference any blob.
    Everything,
}

impl Pins {
    fn contains(&self, blob: &ContentDigest) -> bool {
        match self {
            Pins::These(these) => these.contains(blob),
            Pins::Everything => true,
        }
    }
}

/// A live attempt that a limit may delete.
struct Candidate {
    attempt: Arc<Attempt>,
    is_in_use: bool,
    ended: i64,
    names: BTreeSet<ContentDigest>,
}

impl Store {
    /// Deletes unreferenced data, and old results beyond `limits`. The caller holds
    /// the build lock, except for a dry run.
    ///
    /// # Errors
    /// When the log cannot be rewritten or something cannot be deleted.
    pub fn collect(&self, limits: &Limits, act: Act) -> Result<Collected, StoreError> {
        self.reload()?;
        let pins = self.pins()?;
        let blobs = self.cas.all()?;
        let mut removed = Removed::default();
        let goes = self.plan(limits, &blobs, &pins, &mut removed);
        let mut attempts = self.attempts();
        if act == Act::Remove && !goes.is_empty() {
            failpoint::hit("gc.before-log");
            self.log_mut().rewrite(&|attempt| !goes.contains(&Arc::as_ptr(attempt)))?;
            failpoint::hit("gc.between");
            // The log may have changed since the plan was made.
            attempts = self.attempts();
        } else {
            attempts.retain(|attempt| !goes.contains(&Arc::as_ptr(attempt)));
        }

        let needed: HashSet<ContentDigest> =
            attempts.iter().flat_map(|attempt| self.named_by(attempt)).collect();
        let mut kept = Kept {
            attempts: attempts.len(),
            measurements: attempts.iter().filter(|attempt| attempt.measurement).count(),
            ..Kept::default()
        };
        for Blob { content, size, is_shared } in &blobs {
            let is_needed = needed.contains(content);
            if is_needed || pins.contains(content) {
                kept.blobs.add(*size);
                if !is_needed {
                    kept.unread.add(*size);
                }
                continue;
            }
            removed.blobs.add(*size);
            if *is_shared {
                removed.shared.add(*size);
            }
            if act == Act::Remove {
                self.cas.remove(content)?;
                failpoint::hit("gc.between-blobs");
            }
        }
        for path in self.superfluous_graphs(limits) {
            removed.graphs += usage(&path);
            if act == Act::Remove {
                fs::remove(&path)?;
            }
        }
        let leftovers = self.leftovers()?.into_iter().chain(self.superfluous_searches(limits));
        for path in leftovers.chain(self.old_parts(limits)) {
            removed.leftovers += usage(&path);
            if act == Act::Remove {
                fs::remove(&path)?;
            }
        }
        let fits = limits.max_size.is_none_or(|max| kept.blobs.bytes <= max);
        Ok(Collected { version: 1, dry_run: act == Act::DryRun, removed, kept, fits })
    }

    /// The attempts to delete.
    fn plan(
        &self,
        limits: &Limits,
        blobs: &[Blob],
        pins: &Pins,
        removed: &mut Removed,
    ) -> HashSet<*const Attempt> {
        let attempts = self.attempts();
        let live = live(&self.log());
        let mut labels = HashSet::new();
        let mut goes = HashSet::new();
        let mut stays = Vec::new();
        let mut candidates = Vec::new();
        for attempt in attempts {
            let is_newest = labels.insert(attempt.label.clone());
            if attempt.measurement {
                stays.push(attempt);
            } else if !live.contains(&Arc::as_ptr(&attempt)) || self.is_lost(&attempt) {
                removed.dead += 1;
                goes.insert(Arc::as_ptr(&attempt));
            } else {
                candidates.push(self.candidate(attempt, is_newest));
            }
        }
        if let Some(max_age) = limits.max_age {
            let max_age = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
            let oldest = limits.now.unix_millis().saturating_sub(max_age);
            candidates.retain(|candidate| {
                let is_kept = candidate.is_in_use || candidate.ended >= oldest;
                if !is_kept {
                    removed.too_old += 1;
                    goes.insert(Arc::as_ptr(&candidate.attempt));
                }
                is_kept
            });
        }
        if let Some(max_size) = limits.max_size {
            let mut fixed: HashSet<ContentDigest> =
                stays.iter().flat_map(|attempt| self.named_by(attempt)).collect();
            fixed.extend(blobs.iter().map(|blob| blob.content).filter(|blob| pins.contains(blob)));
            for attempt in too_large(max_size, blobs, &fixed, candidates) {
                removed.too_large += 1;
                goes.insert(Arc::as_ptr(&attempt));
            }
        }
        goes
    }

    fn candidate(&self, attempt: Arc<Attempt>, is_newest: bool) -> Candidate {
        // A task without outputs is fresh by its entry alone.
        let is_in_use = attempt.is_reusable()
            && if attempt.outputs.is_empty() { is_newest } else { self.is_in_place(&attempt) };
        let took = i64::try_from(attempt.duration_ms).unwrap_or(i64::MAX);
        let ended = attempt.started.unix_millis().saturating_add(took);
        let names = self.named_by(&attempt);
        Candidate { attempt, is_in_use, ended, names }
    }

    /// Whether all outputs of the attempt are unchanged in the project.
    fn is_in_place(&self, attempt: &Attempt) -> bool {
        self.amiss(&attempt.outputs).is_none()
    }

    /// Whether a result is neither in the project nor in the store: its task runs
    /// again whatever the log contains.
    fn is_lost(&self, attempt: &Attempt) -> bool {
        !attempt.outputs.iter().all(|output| self.has_blobs(output)) && !self.is_in_place(attempt)
    }

    /// Blobs named in parts of the log that cannot be read as attempts.
    fn pins(&self) -> Result<Pins, FsError> {
        let read = |name: &str| {
            let path = self.root.join(name);
            match fs::read_bounded(&path, u64::MAX) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
                bytes => fs::Context::context(bytes, "read", &path),
            }
        };
        let log = read("log")?;
        let Some(mut pins) = inspect::named_by_the_unreadable(&log, &inspect::inspect(&log)) else {
            return Ok(Pins::Everything);
        };
        for aside in ["log.damaged", "log.unreadable"] {
            pins.extend(inspect::digests(&read(aside)?));
        }
        // Some of them may be listings of folders.
        let children: Vec<ContentDigest> = pins
            .iter()
            .filter_map(|blob| Listing::parse(&self.cas.read(blob, super::materialise::SMALL)?))
            .flat_map(|listing| super::materialise::contents(&listing).collect::<Vec<_>>())
            .collect();
        pins.extend(children);
        Ok(Pins::These(pins))
    }

    /// All but the newest compiled graphs, and those that are too old.
    fn superfluous_graphs(&self, limits: &Limits) -> Vec<PathBuf> {
        let folder = self.root.join("graph");
        let names = fs::list_names(&folder).unwrap_or_default();
        let mut graphs: Vec<(i64, PathBuf)> = names
            .iter()
            .map(|name| folder.join(name))
            .filter_map(|path| Some((StatIdentity::read(&path).ok()?.mtime_ns, path)))
            .collect();
        graphs.sort();
        let max_age = limits.max_age.and_then(|max_age| i64::try_from(max_age.as_nanos()).ok());
        let now = limits.now.unix_millis().saturating_mul(1_000_000);
        let is_too_old = |time: i64| max_age.is_some_and(|max_age| time < now.saturating_sub(max_age));
        let n_too_many = graphs.len().saturating_sub(GRAPHS);
        let superfluous =
            graphs.into_iter().enumerate().filter(|(i, (time, _))| *i < n_too_many || is_too_old(*time));
        superfluous.map(|(_, (_, path))| path).collect()
    }

    /// The settings of searches for the density that have their answer, whose record has them,
    /// and those that are too old.
    fn superfluous_searches(&self, limits: &Limits) -> Vec<PathBuf> {
        let max_age = limits.max_age.and_then(|max_age| i64::try_from(max_age.as_nanos()).ok());
        let now = limits.now.unix_millis().saturating_mul(1_000_000);
        let folder = self.layout.searches();
        let names = fs::list_names(&folder).unwrap_or_default();
        let searches = names.iter().map(|name| folder.join(name));
        let is_superfluous = |search: &PathBuf| {
            let time = StatIdentity::read(search).map_or(now, |found| found.mtime_ns);
            let is_too_old = max_age.is_some_and(|max_age| time < now.saturating_sub(max_age));
            is_too_old || fs::is_file(&search.join(ANSWERED))
        };
        searches.filter(is_superfluous).collect()
    }

    /// The parts of downloads that have waited for too long, and their notes.
    fn old_parts(&self, limits: &Limits) -> Vec<PathBuf> {
        let longest = limits.max_age.map_or(PARTS, |max_age| max_age.min(PARTS));
        let longest = i64::try_from(longest.as_nanos()).unwrap_or(i64::MAX);
        let oldest = limits.now.unix_millis().saturating_mul(1_000_000).saturating_sub(longest);
        let folder = self.layout.parts();
        let names = fs::list_names(&folder).unwrap_or_default();
        let parts = names.iter().map(|name| folder.join(name));
        parts.filter(|part| StatIdentity::read(part).is_ok_and(|found| found.mtime_ns < oldest)).collect()
    }

    /// Deletes the leftovers of an `lp` that was killed. The caller holds the build
    /// lock.
    ///
    /// # Errors
    /// When something cannot be deleted.
    pub fn sweep(&self) -> Result<(), StoreError> {
        fs::remove_dir_contents(&self.root.join("tmp"))?;
        let abandoned = self.abandoned();
        if !abandoned.is_empty() {
            // A file of the store is replaced under this lock.
            self.log().locked(|| abandoned.iter().try_for_each(|path| fs::remove(path)))?;
        }
        Ok(())
    }

    /// The files in `tmp`, and those of processes that were killed while they
    /// replaced a file.
    fn leftovers(&self) -> Result<Vec<PathBuf>, FsError> {
        let mut leftovers = fs::list_paths(&self.root.join("tmp"))?;
        leftovers.extend(self.abandoned());
        Ok(leftovers)
    }

    fn abandoned(&self) -> Vec<PathBuf> {
        let mut abandoned = Vec::new();
        for folder in [self.root.clone(), self.root.join("graph"), self.layout.parts()] {
            let names = fs::list_names(&folder).unwrap_or_default();
            abandoned
                .extend(names.iter().filter(|name| fs::is_abandoned(name)).map(|name| folder.join(name)));
        }
        abandoned
    }
}

/// The candidates to delete, least recently used first, until the remaining blobs
/// have at most `max_size` bytes. A candidate that would free nothing is kept.
fn too_large(
    max_size: u64,
    blobs: &[Blob],
    fixed: &HashSet<ContentDigest>,
    mut candidates: Vec<Candidate>,
) -> Vec<Arc<Attempt>> {
    let sizes: HashMap<ContentDigest, u64> = blobs.iter().map(|blob| (blob.content, blob.size)).collect();
    let size = |blob: &ContentDigest| sizes.get(blob).copied().unwrap_or(0);
    let mut users: HashMap<ContentDigest, usize> = fixed.iter().map(|blob| (*blob, 1)).collect();
    for blob in candidates.iter().flat_map(|candidate| &candidate.names) {
        *users.entry(*blob).or_default() += 1;
    }
    let mut total: u64 = users.keys().map(size).sum();
    candidates.sort_by_key(|candidate| (candidate.is_in_use, candidate.ended));
    let mut goes = Vec::new();
    for candidate in candidates {
        if total <= max_size {
            break;
        }
        for blob in &candidate.names {
            let n_users = users.get_mut(blob).expect("every name was counted");
            *n_users -= 1;
            if *n_users == 0 {
                total -= size(blob);
            }
        }
        goes.push(candidate);
    }
    goes.retain(|candidate| candidate.names.iter().any(|blob| users[blob] == 0));
    goes.into_iter().map(|candidate| candidate.attempt).collect()
}
