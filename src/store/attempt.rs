//! One performing of a task, as the log keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::KeyDocument;
use crate::digest::{ActionDigest, ContentDigest};
use crate::os::tree::ItemName;
use crate::path::ProjectPath;
use crate::time::Utc;

/// One performing of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// `transcode:scan.mp4@640x360@15`
    pub label: String,
    /// The digest of `document`.
    pub action: ActionDigest,
    /// What was done to what, with what.
    pub document: KeyDocument,
    /// What it made, as declared and in that order; empty unless it succeeded.
    pub outputs: Vec<OutputEntry>,
    /// The blob of what it printed.
    pub logs: Option<ContentDigest>,
    pub started: Utc,
    /// How long it took.
    pub duration_ms: u64,
    pub outcome: AttemptOutcome,
    /// Why, if it did not succeed: `exit status 3`.
    pub detail: Option<String>,
    /// Whether it measured. Measurements are never collected: they cannot be remade.
    pub measurement: bool,
    /// Whether it may answer for a later request. `false` for a run that was
    /// interrupted or lost a member, and for a task whose input was written while it ran.
    pub complete: bool,
    /// Which repeat of a run it was, from 1.
    pub repeat: Option<u32>,
}

impl Attempt {
    /// Whether its outputs may be used instead of performing the action again.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.outcome == AttemptOutcome::Succeeded && self.complete
    }

    /// The run-id of a measurement: when it began and 6 digits of its record.
    #[must_use]
    pub fn run_id(&self) -> Option<String> {
        let record = self.outputs.first().filter(|_| self.measurement)?;
        Some(format!("{}-{}", self.started.compact(), &record.content.to_hex()[..6]))
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    Succeeded,
    Failed,
    TimedOut,
    Cancelled,
    Panicked,
}

/// Something that an attempt made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputEntry {
    pub path: ProjectPath,
    pub kind: OutputKind,
    /// Of the file's bytes, the folder's listing or the link's target.
    pub content: ContentDigest,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// Of the file; of all files in the folder; 0 for a link.
    pub size: u64,
    /// Who may read it, where that is not everybody; not looked at afterwards.
    #[serde(default, skip_serializing_if = "Modes::is_empty")]
    pub modes: Modes,
}

/// Permissions ([`crate::os::fs::restricted`]) of an output and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes {
    /// Of the file or folder itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u32>,
    /// Of files and folders below it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub below: BTreeMap<ItemName, u32>,
}

impl Modes {
    /// Whether everybody may read all of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Modes::default()
    }
}

impl OutputEntry {
    /// Whether it is the same thing at the same path, whoever may read it.
    #[must_use]
    pub fn is_like(&self, other: &OutputEntry) -> bool {
        (&self.path, self.kind, self.content, self.executable)
            == (&other.path, other.kind, other.content, other.executable)
    }
}

/// What an output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    File,
    Dir,
    Symlink,
}
