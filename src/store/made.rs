//! The rule by which `lp` replaces and deletes files: only those that it made.
//!
//! A file is `lp`'s if its contents are those that `lp` made at its path. The log says so
//! and, of clips, the list `made`: it is written before a clip is put into the project,
//! and stays when the log is emptied, so that a crash or `lp cache clean` does not make
//! a download a file of the user's.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use super::attempt::{Attempt, OutputEntry};
use super::{Store, StoreError};
use crate::os::{fs, tree};
use crate::path::ProjectPath;
use crate::plan::upstream_name;

/// The largest list that is read; a larger one is ignored.
const MAX_LIST: u64 = 64 << 20;

/// Outputs that `lp` made, by path.
#[derive(Debug, Default)]
pub struct Made(BTreeMap<ProjectPath, Vec<OutputEntry>>);

impl Made {
    /// The outputs of these attempts.
    pub fn by<'a>(attempts: impl IntoIterator<Item = &'a Arc<Attempt>>) -> Made {
        let mut made = Made::default();
        made.extend(attempts.into_iter().flat_map(|attempt| attempt.outputs.iter().cloned()));
        made
    }

    fn extend(&mut self, outputs: impl Iterator<Item = OutputEntry>) {
        for output in outputs {
            self.0.entry(output.path.clone()).or_default().push(output);
        }
    }

    /// Adds those of another.
    pub fn join(&mut self, other: Made) {
        self.extend(other.0.into_values().flatten());
    }

    pub fn paths(&self) -> impl Iterator<Item = &ProjectPath> {
        self.0.keys()
    }

    /// The outputs that were made at `path`, in no order.
    #[must_use]
    pub fn at(&self, path: &ProjectPath) -> &[OutputEntry] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    /// Whether `found` has the contents of an output that was made at its path.
    #[must_use]
    pub fn has(&self, found: &OutputEntry) -> bool {
        self.at(&found.path).iter().any(|made| reads_like(made, found))
    }
}

/// Whether there is a link to a clip that `lp` made for people who look for upstream's name.
#[must_use]
pub fn is_upstream_link(place: &Path) -> bool {
    let is_own = |target: &tree::LinkTarget| {
        let name = place.file_name().and_then(OsStr::to_str);
        name.zip(target.as_path().to_str()).is_some_and(|(name, target)| upstream_name::is_own(name, target))
    };
    tree::read_link(place).is_ok_and(|target| is_own(&target))
}

/// Whatever the execute bit.
fn reads_like(one: &OutputEntry, other: &OutputEntry) -> bool {
    (one.kind, one.content) == (other.kind, other.content)
}

impl Store {
    /// The clips that `lp` made under these labels, and those of its list.
    #[must_use]
    pub fn made_clips(&self, labels: &[String]) -> Made {
        let attempts: Vec<_> = labels.iter().flat_map(|label| self.attempts_of(label)).collect();
        let mut made = Made::by(&attempts);
        made.extend(self.listed().into_iter());
        made
    }

    /// The first of `outputs` in whose place is a file that is neither it nor in `made`.
    ///
    /// # Errors
    /// When such a file cannot be read.
    pub fn in_the_way(
        &self,
        outputs: &[OutputEntry],
        made: &Made,
    ) -> Result<Option<ProjectPath>, StoreError> {
        for output in outputs {
            // No file of anybody's.
            if is_upstream_link(&self.layout.resolve(&output.path)) {
                continue;
            }
            if let Some(found) = self.observe(&output.path)?
                && !reads_like(&found, output)
                && !made.has(&found)
            {
                return Ok(Some(output.path.clone()));
            }
        }
        Ok(None)
    }

    /// Adds clips to the list, before they are put into the project.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub fn list_made(&self, outputs: &[OutputEntry]) -> Result<(), StoreError> {
        self.create()?;
        self.log().locked(|| {
            let mut listed = self.listed();
            let n_listed = listed.len();
            for output in outputs {
                if !listed.iter().any(|known| known.is_like(output)) {
                    listed.push(output.clone());
                }
            }
            if listed.len() == n_listed {
                return Ok(());
            }
            let line = |output| serde_json::to_string(output).expect("an output has text keys") + "\n";
            fs::write_atomic(&self.list(), listed.iter().map(line).collect::<String>().as_bytes())
        })?;
        Ok(())
    }

    fn list(&self) -> std::path::PathBuf {
        self.root.join("made")
    }

    /// The list. Damaged lines are left out: the files that they name are not replaced.
    fn listed(&self) -> Vec<OutputEntry> {
        let bytes = fs::read_bounded(&self.list(), MAX_LIST).unwrap_or_default();
        bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}
