//! Reads all data in the store and reports faults.
//!
//! [`Store::verify`] only reads. [`Store::heal`] follows under the build lock: it
//! checks again, stores blobs again from intact outputs in the project, and deletes
//! blobs that no longer match their names, so that the results that need them are
//! made again. A damaged measurement cannot be made again: its file is kept.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use super::attempt::{OutputEntry, OutputKind};
use super::cas::Put;
use super::log::inspect::{Inspection, inspect};
use super::state::{self, State};
use super::{MAX_IMAGE, Store, StoreError, live};
use crate::digest::ContentDigest;
use crate::os::fs::{self, FsError};
use crate::os::tree::Listing;
use crate::os::usage::Usage;
use crate::path::ProjectPath;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verified {
    /// The version of this layout.
    pub version: u32,
    /// The blobs that were read.
    pub blobs: Usage,
    /// The faults of blobs, by digest.
    pub faults: Vec<Fault>,
    pub log: LogFound,
    /// `state`.
    pub state: StateFound,
}

/// A faulty blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub blob: ContentDigest,
    pub wrong: Wrong,
    pub needed_by: Vec<NeededBy>,
    /// The repair.
    pub done: Done,
}

/// The kind of a blob's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// Its bytes do not match its name.
    Damaged,
    /// It exists and cannot be read.
    Unreadable,
    /// It does not exist.
    Missing,
}

/// The repair of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Nothing: it can only be made again.
    Nothing,
    Removed,
    /// It was stored again from the output in the project.
    StoredAgain,
    /// Its file was kept, because it belongs to a measurement.
    Kept,
}

/// A reference to a blob.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NeededBy {
    pub label: String,
    /// The output; `None` for the printed output.
    pub output: Option<ProjectPath>,
    /// The run-id, for a measurement.
    pub run: Option<String>,
    pub measurement: bool,
}

impl NeededBy {
    /// Whether its loss is a fault: printed output may be lost, except a
    /// measurement's.
    fn matters(&self) -> bool {
        self.measurement || self.output.is_some()
    }
}

/// The state of the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogFound {
    /// Attempts that can be read.
    pub attempts: usize,
    /// Entries of other versions.
    pub foreign: usize,
    /// Whether all of it is of another version.
    pub is_foreign: bool,
    /// Bytes that belong to no whole entry.
    pub damaged: Vec<Bytes>,
    /// A partial entry at the end, as a crash leaves it; no fault.
    pub torn: Option<Bytes>,
}

/// A range of bytes; the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bytes {
    pub from: usize,
    pub to: usize,
}

impl From<&std::ops::Range<usize>> for Bytes {
    fn from(range: &std::ops::Range<usize>) -> Bytes {
        Bytes { from: range.start, to: range.end }
    }
}

/// The state of `state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateFound {
    /// It does not exist, which is no fault.
    Missing,
    /// It can be read.
    Whole,
    /// It is of another version, which is no fault.
    Foreign,
    /// It is damaged; the next build writes it again.
    Damaged,
}

impl Verified {
    /// Whether there is no fault.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.faults.is_empty()
            && self.log.damaged.is_empty()
            && !self.log.is_foreign
            && self.state != StateFound::Damaged
    }
}

type Needs = BTreeMap<String, (ContentDigest, Vec<NeededBy>)>;

impl Store {
    /// Reads every blob, the log and `state`. Takes no lock and changes nothing.
    ///
    /// # Errors
    /// When the log or a folder of blobs exists and cannot be read.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        // Read before the blobs: a blob is stored before its entry.
        let needs = self.needs();
        let blobs = self.cas.all()?;
        let mut read = Usage::default();
        for blob in &blobs {
            read.add(blob.size);
        }
        let mut faults: Vec<Fault> = blobs
            .par_iter()
            .filter_map(|blob| {
                self.fault(&blob.content, &needs).filter(|fault| fault.wrong != Wrong::Missing)
            })
            .collect();
        let there: HashSet<ContentDigest> = blobs.iter().map(|blob| blob.content).collect();
        let missing = needs.values().filter(|(blob, _)| !there.contains(blob));
        faults.extend(missing.filter_map(|(blob, _)| self.fault(blob, &needs)));
        faults.sort_by_key(|fault| fault.blob.to_hex());
        Ok(Verified {
            version: 1,
            blobs: read,
            faults,
            log: self.look_at_log()?,
            state: match fs::read_bounded(&self.root.join("state"), MAX_IMAGE) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => StateFound::Missing,
                Ok(image) if State::parse(image.clone(), &self.layout.root).is_some() => StateFound::Whole,
                Ok(image) if !image.is_empty() && !image.starts_with(&state::MAGIC) => StateFound::Foreign,
                _ => StateFound::Damaged,
            },
        })
    }

    /// Repairs the faults that [`Store::verify`] found and that still exist. The
    /// caller holds the build lock.
    ///
    /// # Errors
    /// When something cannot be deleted or written.
    pub fn heal(&self, verified: &mut Verified) -> Result<(), StoreError> {
        self.reload()?;
        let needs = self.needs();
        let again = verified.faults.iter().filter_map(|fault| self.fault(&fault.blob, &needs));
        verified.faults = again.collect();
        for fault in &mut verified.faults {
            let is_there = fault.wrong != Wrong::Missing;
            let measures = fault.needed_by.iter().any(|by| by.measurement);
            self.state_mut().forget(&self.cas.path(&fault.blob));
            fault.done = match (is_there, measures) {
                (false, _) => Done::Nothing,
                (true, true) => Done::Kept,
                (true, false) => {
                    self.cas.remove(&fault.blob)?;
                    Done::Removed
                }
            };
        }
        self.store_again(&verified.faults)?;
        for fault in &mut verified.faults {
            if self.wrong(&fault.blob).is_none() {
                fault.done = Done::StoredAgain;
            }
        }
        if !verified.log.damaged.is_empty() {
            self.log_mut().rewrite(&|_| true)?;
        }
        if verified.state == StateFound::Damaged {
            fs::remove(&self.root.join("state"))?;
        }
        self.save_state()
    }

    /// The references to each blob, of the attempts that a build may still need.
    fn needs(&self) -> Needs {
        let live = live(&self.log());
        let mut needs = Needs::new();
        for attempt in self.attempts().iter().filter(|attempt| live.contains(&Arc::as_ptr(attempt))) {
            let by = |output: Option<&ProjectPath>| NeededBy {
                label: attempt.label.clone(),
                output: output.cloned(),
                run: attempt.run_id(),
                measurement: attempt.measurement,
            };
            let outputs = attempt.outputs.iter().flat_map(|output| {
                self.blobs_of(output).into_iter().map(move |blob| (blob, Some(&output.path)))
            });
            for (blob, output) in outputs.chain(attempt.logs.map(|logs| (logs, None))) {
                let (_, needed_by) = needs.entry(blob.to_hex()).or_insert((blob, Vec::new()));
                needed_by.push(by(output));
            }
        }
        for (_, needed_by) in needs.values_mut() {
            needed_by.sort();
            needed_by.dedup();
        }
        needs
    }

    fn fault(&self, blob: &ContentDigest, needs: &Needs) -> Option<Fault> {
        let wrong = self.wrong(blob)?;
        let needed_by = needs.get(&blob.to_hex()).map(|(_, by)| by.clone()).unwrap_or_default();
        if wrong == Wrong::Missing && !needed_by.iter().any(NeededBy::matters) {
            return None;
        }
        Some(Fault { blob: *blob, wrong, needed_by, done: Done::Nothing })
    }

    fn wrong(&self, blob: &ContentDigest) -> Option<Wrong> {
        match fs::hash_file(&self.cas.path(blob)) {
            Ok((found, _)) if found == *blob => None,
            Ok(_) => Some(Wrong::Damaged),
            Err(error) if error.is_not_found() => Some(Wrong::Missing),
            Err(_) => Some(Wrong::Unreadable),
        }
    }

    /// Stores faulty blobs again from intact outputs in the project.
    fn store_again(&self, faults: &[Fault]) -> Result<(), StoreError> {
        let faulty: HashSet<ContentDigest> = faults.iter().map(|fault| fault.blob).collect();
        let labels: HashSet<&str> =
            faults.iter().flat_map(|fault| &fault.needed_by).map(|by| by.label.as_str()).collect();
        for attempt in self.attempts().iter().filter(|attempt| labels.contains(attempt.label.as_str())) {
            for output in &attempt.outputs {
                let is_touched = self.blobs_of(output).iter().any(|blob| faulty.contains(blob));
                if is_touched && self.is_there_indeed(output) {
                    self.capture(&output.path, &self.layout.resolve(&output.path), Put::Share)?;
                }
            }
        }
        Ok(())
    }

    /// Whether an output is intact in the project, every byte of it read: the file
    /// may be damaged under an identity that the memo knows, like the blob, or with
    /// it if they are one file.
    fn is_there_indeed(&self, output: &OutputEntry) -> bool {
        let place = self.layout.resolve(&output.path);
        let is_read = match output.kind {
            OutputKind::File => self.hash(&place).is_ok(),
            OutputKind::Dir => Listing::read(&place, &|path| self.hash(path)).is_ok(),
            OutputKind::Symlink => true,
        };
        is_read && self.observe(&output.path).is_ok_and(|found| found.as_ref() == Some(output))
    }

    fn look_at_log(&self) -> Result<LogFound, FsError> {
        let path = self.root.join("log");
        let bytes = match fs::read_bounded(&path, u64::MAX) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            bytes => fs::Context::context(bytes, "read", &path)?,
        };
        let Inspection { is_foreign, n_attempts, foreign, damaged, torn } = inspect(&bytes);
        Ok(LogFound {
            attempts: n_attempts,
            foreign: foreign.len(),
            is_foreign,
            damaged: damaged.iter().map(Bytes::from).collect(),
            torn: torn.as_ref().map(Bytes::from),
        })
    }
}
