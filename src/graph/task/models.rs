//! The actions that bring models: files that are fetched, and files that are made out of weights.

use serde::{Deserialize, Serialize};

use super::Download;
use crate::digest::ContentDigest;
use crate::model::{PackageSource, Tool};
use crate::os::http::Pins;
use crate::path::ProjectPath;

/// The files of a model that come together, in the order of the task's outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelDownload {
    pub files: Vec<ModelFile>,
    /// Names of the cameras that need them. Not hashed.
    #[serde(skip)]
    pub cameras: Vec<String>,
}

/// A file of a model. At least one digest is given, so its contents do not depend on the
/// URLs: another mirror is no reason to fetch it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Tried in order. Not hashed.
    #[serde(skip)]
    pub urls: Vec<String>,
    /// The package that has it, tried after the URLs. Not hashed.
    #[serde(skip)]
    pub source: Option<PackageSource>,
    #[serde(flatten)]
    pub pins: Pins,
}

impl ModelFile {
    /// Its download.
    #[must_use]
    pub fn download(&self) -> Download {
        let ModelFile { urls, source, pins } = self.clone();
        Download { urls, source, pins, ..Download::default() }
    }
}

/// A conversion of a model, in an environment of pinned packages. Python's version is no part of
/// it: the packages decide what comes out, and a newer system must not make other models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Convert {
    pub tool: Tool,
    pub precision: String,
    pub weights: ProjectPath,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<ProjectPath>,
    /// The packages, which are an input of the task or those of `lp`.
    pub requirements: Packages,
    /// The digest of the tool's program.
    pub program: ContentDigest,
    /// Names of the cameras that need the model. Not hashed.
    #[serde(skip)]
    pub cameras: Vec<String>,
}

/// The packages of a conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packages {
    /// Those of `lp`, with the digest of all.
    Shipped(ContentDigest),
    /// A file of the project.
    File(ProjectPath),
}
