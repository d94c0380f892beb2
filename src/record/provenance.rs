//! The subject of a run: its program, its project, and the steps of its streams, as they
//! were when it began.
//!
//! Figures of two runs can only be compared by somebody who knows what was measured, so
//! every form of a report shows this. Nothing of it is part of a run's key: another
//! commit with equal files measures the same. It holds no password and no absolute
//! path of `lp`'s own.
//!
//! Not here: collecting it (`workspace::provenance`, `action::run`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::ContentDigest;
use crate::model::Scalar;
use crate::path::ProjectPath;

/// The program and the project of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of `lp`.
    pub lp: String,
    /// How workers are started: `[worker] command`, or `LP_WORKER` with the name of its
    /// program. `None` for the program beside `lp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// The name of the project's folder.
    pub project: String,
    /// The state of the project's folder in git.
    pub git: Git,
    /// The config files that were read, in that order.
    pub files: Vec<ConfigFile>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The keys of `Lpfile.toml` that flags and `LP_SET_` variables set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub overrides: BTreeMap<String, String>,
    /// The files that the streams read, except the plans, with their contents: clips,
    /// models, scripts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<ProjectPath, ContentDigest>,
}

impl Provenance {
    /// One digest of all config files with their names.
    #[must_use]
    pub fn config_digest(&self) -> ContentDigest {
        joined(self.files.iter().map(|file| (file.path.as_str(), &file.digest)))
    }

    /// One digest of all inputs with their names.
    #[must_use]
    pub fn inputs_digest(&self) -> ContentDigest {
        joined(self.inputs.iter().map(|(path, digest)| (path.as_str(), digest)))
    }
}

/// The digest of the lines that `b3sum` prints for these files.
fn joined<'a>(files: impl Iterator<Item = (&'a str, &'a ContentDigest)>) -> ContentDigest {
    let mut lines: Vec<String> = files.map(|(path, digest)| format!("{digest}  {path}\n")).collect();
    lines.sort();
    ContentDigest::of(lines.concat().as_bytes())
}

/// The state of a project's folder in git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Git {
    Commit {
        /// All its hex digits.
        commit: String,
        /// Whether a file of the project differs from it, or a config file is not in it.
        changed: bool,
    },
    /// There is none, for this reason.
    Unknown { reason: String },
}

/// A config file as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// Relative to the project; of a file outside it, its name.
    pub path: String,
    /// Of its contents; of a file with passwords, of its contents without them, since
    /// whoever knows the rest could try passwords on the digest.
    pub digest: ContentDigest,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
}

/// A step of a stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step's type: `gvadetect`, or the factory of an element.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Where OpenVINO runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The properties that the config sets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Scalar>,
    /// Caps that leave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<String>,
    /// The files that it reads: a model with its parts, a module. Their digests are in
    /// [`Provenance::inputs`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ProjectPath>,
}
