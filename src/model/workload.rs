//! Workloads: what is done with each frame, step by step.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::diag::Place;
use crate::name::Slug;

/// A workload: its name and steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// As written in the workload file.
    pub name: String,
    /// In element names and files.
    pub slug: Slug,
    /// What is done with each frame, in order. Not empty.
    pub steps: Vec<Step>,
    /// The workload's key in its file.
    #[serde(skip)]
    pub place: Place,
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

/// One step of a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `gvadetect`, `zbar`, ...: upstream's words lower-cased, others as written.
    #[serde(rename = "type")]
    pub kind: String,
    /// The model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Upper-cased: `FP16-INT8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// Upper-cased and trimmed: `GPU.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// `gvapython`'s file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// `gvapython`'s function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Frames, of `gvaclassify` objects, that are inferred together; 0 lets the
    /// element choose. Of `gvadetect` and `gvaclassify` only, and always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Every n-th frame is looked at. Of `gvadetect` only, and always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_interval: Option<u32>,
    /// The least confidence of a detection, 0 to 1. Of `gvadetect` only, and
    /// always there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Properties of the element, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Scalar>,
    /// Caps that leave the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<String>,
    /// The name of a `tee`, unique in its workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The earlier `tee` at which a side branch begins with this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The elements of a `bin`: none of them is a bin or begins a branch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// A script's file, inside the project; `kind` is `script`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// What the script is given, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Scalar>,
    /// The step's object in its file.
    #[serde(skip)]
    pub place: Place,
    /// The value of `type`, as written.
    #[serde(skip)]
    pub kind_place: Place,
    /// Where its other keys and their values are: `caps`, `from`, `name`, and
    /// `properties.NAME`.
    #[serde(skip)]
    pub places: BTreeMap<String, (Place, Place)>,
}

impl Step {
    /// A step of this kind, and nothing more.
    #[must_use]
    pub fn new(kind: &str, place: Place) -> Step {
        Step {
            kind: kind.to_owned(),
            model: None,
            precision: None,
            device: None,
            module: None,
            function: None,
            batch_size: None,
            inference_interval: None,
            threshold: None,
            properties: BTreeMap::new(),
            caps: None,
            name: None,
            from: None,
            steps: Vec::new(),
            script: None,
            parameters: BTreeMap::new(),
            place,
            kind_place: place,
            places: BTreeMap::new(),
        }
    }

    /// Whether a step needs DL Streamer.
    #[must_use]
    pub fn is_inference(&self) -> bool {
        self.kind.starts_with("gva") || self.kind == "vlm"
    }

    /// Where the value of one of its keys is, else the step itself.
    #[must_use]
    pub fn value_place(&self, key: &str) -> Place {
        self.places.get(key).map_or(self.place, |(_, value)| *value)
    }

    /// Where one of its keys is, else the step itself.
    #[must_use]
    pub fn key_place(&self, key: &str) -> Place {
        self.places.get(key).map_or(self.place, |(key, _)| *key)
    }
}

/// The steps of the main chain, which is the measured one: those before the
/// first that begins a side branch.
#[must_use]
pub fn main_chain(steps: &[Step]) -> &[Step] {
    let end = steps.iter().position(|step| step.from.is_some()).unwrap_or(steps.len());
    &steps[..end]
}

/// A plain value in a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Scalar {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scalar::Bool(value) => value.fmt(f),
            Scalar::Int(value) => value.fmt(f),
            Scalar::Float(value) => value.fmt(f),
            Scalar::Text(value) => value.fmt(f),
        }
    }
}
