//! The project: every question that the config files leave open, answered.
//!
//! Defaults are filled in, references are followed and places are kept
//! ([`Place`]), so that a fault found later (an element that this machine lacks)
//! still points into the user's file. A `Project` that exists is valid.

use std::collections::BTreeMap;

use super::{AssetPin, Camera, LockEntries, Recipes, Settings, UserTask, Workload, Workloads};
use crate::diag::Place;
use crate::name::Slug;
use crate::path::{Layout, ProjectPath};
use crate::scene::Scene;

/// A project, ready to be planned.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where its folders are.
    pub layout: Layout,
    /// `[run]` and `[pools]`, with flags, profile and environment merged in.
    pub settings: Settings,
    /// In the order of the camera file.
    pub cameras: Vec<Camera>,
    /// In the order of the workload file.
    pub workloads: Workloads,
    /// The scene files that cameras name, by name.
    pub scenes: BTreeMap<String, SceneFile>,
    /// `[asset.NAME]`, by name.
    pub assets: BTreeMap<String, AssetPin>,
    /// `Lpfile.lock`, also entries that hold for no download now.
    pub lock: LockEntries,
    /// The models that are known by name: recipes of `lp`, and those of the project.
    pub recipes: Recipes,
    /// `[[task]]`, in the order of the files.
    pub tasks: Vec<UserTask>,
    /// Passwords that cameras write out instead of naming a variable
    /// ([`Credential::Written`](super::Credential::Written)), by their slugs. Only here, as no document may hold them.
    pub passwords: BTreeMap<Slug, Password>,
}

/// A password as it is sent.
#[derive(Clone)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

impl Project {
    /// The workload of this name, compared without regard to case.
    #[must_use]
    pub fn workload(&self, name: &str) -> Option<&Workload> {
        self.workloads.named(name)
    }

    /// The camera whose name or slug is `text`.
    #[must_use]
    pub fn camera(&self, text: &str) -> Option<&Camera> {
        self.cameras.iter().find(|camera| camera.name == text || camera.slug.as_str() == text)
    }
}

/// A scene file that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct SceneFile {
    /// `configs/scenes/scan.toml`
    pub path: ProjectPath,
    pub scene: Scene,
    /// The whole of it.
    pub place: Place,
}
