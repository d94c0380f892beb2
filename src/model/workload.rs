//! Workloads: named lists of steps.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Step, StepPlaces};
use crate::diag::Place;
use crate::name::Slug;

/// A workload: its name and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// As written in the workload file.
    pub name: String,
    /// In element names and files.
    pub slug: Slug,
    /// The work on each frame, in order. Not empty.
    pub steps: Vec<Step>,
    /// The workload's key in its file.
    #[serde(skip)]
    pub place: Place,
    /// Of each step; empty for a workload that was read from a document.
    #[serde(skip)]
    pub places: Vec<StepPlaces>,
}

/// The workloads of a project, which a lane of many cameras looks up by name.
#[derive(Clone, Debug, Default)]
pub struct Workloads {
    list: Vec<Workload>,
    /// By the name in lower case.
    by_name: BTreeMap<String, usize>,
}

impl Workloads {
    /// In this order; of two with one name, the first is found.
    #[must_use]
    pub fn new(list: Vec<Workload>) -> Workloads {
        let mut by_name = BTreeMap::new();
        for (n, workload) in list.iter().enumerate() {
            by_name.entry(workload.name.to_lowercase()).or_insert(n);
        }
        Workloads { list, by_name }
    }

    /// The workload of this name, compared without regard to case.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Workload> {
        self.by_name.get(&name.to_lowercase()).map(|n| &self.list[*n])
    }
}

impl Deref for Workloads {
    type Target = [Workload];

    fn deref(&self) -> &[Workload] {
        &self.list
    }
}
