//! One attempt at a task, as an entry of the log.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::key::KeyDocument;
use crate::digest::{ActionDigest, ContentDigest};
use crate::os::tree::ItemName;
use crate::path::ProjectPath;
use crate::time::Utc;

/// One attempt at a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// `transcode:scan.mp4@640x360@15`
    pub label: String,
    /// The digest of `document`.
    pub action: ActionDigest,
    /// The action, its inputs and its tools.
    pub document: KeyDocument,
    /// The outputs, in the order of their declaration; empty unless it succeeded.
    pub outputs: Vec<OutputEntry>,
    /// The blob of its printed output.
    pub logs: Option<ContentDigest>,
    pub started: Utc,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    pub outcome: AttemptOutcome,
    /// The reason that it did not succeed: `exit status 3`.
    pub detail: Option<String>,
    /// Whether it is a measurement. Measurements are never deleted: they cannot be
    /// made again.
    pub measurement: bool,
    /// Whether later builds may reuse it. `false` for a run that was interrupted or
    /// lost a member, and for a task whose input was written while it ran.
    pub complete: bool,
    /// The number of the repeat of a run, from 1.
    pub repeat: Option<u32>,
}

impl Attempt {
    /// Whether its outputs may be used instead of performing the action again.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        self.outcome == AttemptOutcome::Succeeded && self.complete
    }

    /// The begin of the label of a run that another program measured.
    pub const IMPORT: &str = "import:";

    /// Whether another program measured it: no task has its label, so no build reuses it.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.label.starts_with(Attempt::IMPORT)
    }

    /// The run-id of a run: its start and 6 digits of its record. A search for the density is
    /// a measurement and no run.
    #[must_use]
    pub fn run_id(&self) -> Option<String> {
        let is_run = self.measurement && (self.label.starts_with("run:") || self.is_imported());
        let record = self.outputs.first().filter(|_| is_run)?;
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

/// An output of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputEntry {
    pub path: ProjectPath,
    pub kind: OutputKind,
    /// The digest of the file's bytes, the folder's listing or the link's target.
    pub content: ContentDigest,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// The size of the file, or of all files in the folder; 0 for a link.
    pub size: u64,
    /// Its permissions, where not everybody may read it; not checked afterwards.
    #[serde(default, skip_serializing_if = "Modes::is_empty")]
    pub modes: Modes,
}

/// Permissions ([`crate::os::fs::restricted`]) of an output and its contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes {
    /// The permissions of the file or folder itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<u32>,
    /// The permissions of files and folders below it.
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
    /// Whether it is equal in path and contents, whatever its permissions.
    #[must_use]
    pub fn is_like(&self, other: &OutputEntry) -> bool {
        (&self.path, self.kind, self.content, self.executable)
            == (&other.path, other.kind, other.content, other.executable)
    }
}

/// The type of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    File,
    Dir,
    Symlink,
}
