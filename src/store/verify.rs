//! Reads everything and says what is not as it was written.
//!
//! [`Store::verify`] is a reader. [`Store::heal`] follows under the build lock:
//! it looks again, puts back what still stands in the project, and removes
//! blobs that no longer fit their names, so that what needs them is made again.
//! A damaged measurement cannot be made again: its file stays.

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
    /// What is wrong with blobs, by digest.
    pub faults: Vec<Fault>,
    pub log: LogFound,
    /// `state`.
    pub state: StateFound,
}

/// A blob that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    pub blob: ContentDigest,
    pub wrong: Wrong,
    pub needed_by: Vec<NeededBy>,
    /// What was done about it.
    pub done: Done,
}

/// What is wrong with a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// Its bytes do not fit its name.
    Damaged,
    /// It is there, and cannot be read.
    Unreadable,
    /// It is not there.
    Missing,
}

/// What was done about a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Nothing: it can only be made again.
    Nothing,
    Removed,
    /// It was stored again from the output in the project.
    StoredAgain,
    /// Its file was left as it is, because it belongs to a measurement.
    Kept,
}

/// Who needs a blob.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NeededBy {
    pub label: String,
    /// The output; `None` for what the task printed.
    pub output: Option<ProjectPath>,
    /// The run-id, for a measurement.
    pub run: Option<String>,
    pub measurement: bool,
}

impl NeededBy {
    /// Whether its loss is more than that of a text which nobody may ever read.
    fn matters(&self) -> bool {
        self.measurement || self.output.is_some()
    }
}

/// How the log is.
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
    /// Half an entry at the end: what a crash leaves, and no fault.
    pub torn: Option<Bytes>,
}

/// From the first byte to the one behind the last.
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

/// How `state` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateFound {
    /// It is not there, which is no fault.
    Missing,
    /// It can be read.
    Whole,
    /// It is of another version, which is no fault.
    Foreign,
    /// It is damaged, and made anew by the next build.
    Damaged,
}

impl Verified {
    /// Whether all is as it was written.
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
    /// When the log or a folder of blobs is there and cannot be read.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        // Read before the blobs: whatever an entry names was there before it.
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

    /// Mends what [`Store::verify`] found, as far as it is still so. Its caller
    /// holds the build lock.
    ///
    /// # Errors
    /// When something cannot be removed or written.
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

    /// Who needs which blob, of the attempts that may still be asked for.
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

    /// Stores again what the project still has of the faulty blobs.
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

    /// Whether an output stands in the project, every byte of it read: what the
    /// memo believes may have rotted like the blob, or with it if they are one file.
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
