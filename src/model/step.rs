//! Steps: the work on each frame, one after the other.
//!
//! A document holds a step as one flat table: its `type`, which is one of upstream's
//! words, `tee`, `bin` or the factory of an element, and its own keys.
//!
//! Not here: where a step is written. That is no part of a plan; it is kept beside
//! the steps of a workload ([`StepPlaces`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::diag::Place;
use crate::path::ProjectPath;

/// Properties or parameters, by name.
pub type Values = BTreeMap<String, Scalar>;

static NONE: Values = Values::new();

/// Makes [`Step`], its words and [`Step::kind`] from one table of types.
macro_rules! types {
    (
        upstream: $($(#[$doc:meta])+ $word:literal => $kind:ident($step:ident),)+
        own: $($(#[$own_doc:meta])+ $own_word:literal => $own_kind:ident($own_step:ident),)+
    ) => {
        /// One step of a workload.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type")]
        pub enum Step {
            $($(#[$doc])+ #[serde(rename = $word)] $kind($step),)+
            $($(#[$own_doc])+ #[serde(rename = $own_word)] $own_kind($own_step),)+
            /// Any other GStreamer element.
            #[serde(untagged)]
            Element(StockElement),
        }

        impl Step {
            /// All of upstream's words for a step's type.
            pub const UPSTREAM: [&'static str; [$($word),+].len()] = [$($word),+];

            /// The step's `type`.
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    $(Step::$kind(_) => $word,)+
                    $(Step::$own_kind(_) => $own_word,)+
                    Step::Element(element) => &element.factory,
                }
            }
        }
    };
}

types! {
    upstream:
    /// Finds objects.
    "gvadetect" => Detect(Detect),
    /// Classifies objects that were found.
    "gvaclassify" => Classify(Classify),
    /// Runs any model.
    "gvainference" => Infer(Infer),
    /// Sets how the objects of the detector before it are tracked.
    "gvatrack" => Track(Track),
    /// Runs a Python module of the user's.
    "gvapython" => Python(Python),
    /// Asks a vision language model.
    "vlm" => Vlm(Infer),
    /// Runs a program of the user's in place of elements.
    "script" => Script(Script),
    own:
    /// The point at which side branches begin.
    "tee" => Tee(Tee),
    /// Elements that are linked as they are written.
    "bin" => Bin(Bin),
}

/// A model, and where it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// `yolo11n`: one plain component, since it names files.
    #[serde(rename = "model")]
    pub name: String,
    /// Upper-cased: `FP16-INT8`.
    pub precision: String,
    /// Upper-cased and trimmed: `GPU.1`.
    pub device: String,
}

impl Model {
    /// Its file in OpenVINO's format, where upstream's downloader puts it:
    /// `models/object_detection/yolo11n/INT8/yolo11n.xml`.
    ///
    /// # Panics
    /// Never for a name that the readers admit: it is one plain component.
    #[must_use]
    pub fn file(&self, folder: ModelFolder) -> ProjectPath {
        let Model { name, precision, .. } = self;
        let folder = folder.name();
        let path = format!("models/{folder}/{name}/{precision}/{name}.xml");
        ProjectPath::new(&path).expect("the readers refuse names of models that are no plain paths")
    }
}

/// A folder of models, by their use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFolder {
    Detection,
    Classification,
}

impl ModelFolder {
    /// Its name below `models/`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ModelFolder::Detection => "object_detection",
            ModelFolder::Classification => "object_classification",
        }
    }
}

/// `gvadetect`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detect {
    #[serde(flatten)]
    pub model: Model,
    /// Frames that are inferred together; 0 lets the element choose.
    pub batch_size: u32,
    /// Every n-th frame is looked at.
    pub inference_interval: u32,
    /// The least confidence of a detection, 0 to 1.
    pub threshold: f64,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub properties: Values,
}

/// `gvaclassify`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classify {
    #[serde(flatten)]
    pub model: Model,
    /// Objects that are inferred together; 0 lets the element choose.
    pub batch_size: u32,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub properties: Values,
}

/// `gvainference`, or `vlm`, whose own keys are properties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Infer {
    #[serde(flatten)]
    pub model: Model,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub properties: Values,
}

/// `gvatrack`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    /// Upper-cased and trimmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub properties: Values,
}

/// `gvapython`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Python {
    pub module: ProjectPath,
    /// A function of the module; `None` = the element's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub properties: Values,
}

/// A user's script, which is a whole workload by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The script's file.
    #[serde(rename = "script")]
    pub path: ProjectPath,
    /// Given to the script as arguments.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub parameters: Values,
}

impl Script {
    /// Its arguments: `--key value` for each parameter, in the order of their
    /// names. Each is one argument, whatever is in it. A boolean is a flag: `--key`
    /// if it is true, else nothing.
    pub fn arguments(&self) -> impl Iterator<Item = String> {
        self.parameters.iter().flat_map(|(key, value)| match value {
            Scalar::Bool(true) => vec![format!("--{key}")],
            Scalar::Bool(false) => Vec::new(),
            value => vec![format!("--{key}"), value.to_string()],
        })
    }
}

/// `tee`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tee {
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub properties: Values,
    /// Unique in its workload; later steps name it in their `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The earlier tee at which a side branch begins with this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// `bin`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Caps that leave the last element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<String>,
    /// The earlier tee at which a side branch begins with this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// In order; none of them has a `from`.
    #[serde(rename = "steps")]
    pub elements: Vec<StockElement>,
}

/// A GStreamer element by its factory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StockElement {
    /// `zbar`: none of the types that have a meaning of their own.
    #[serde(rename = "type", deserialize_with = "factory")]
    pub factory: String,
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub properties: Values,
    /// Caps that leave the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caps: Option<String>,
    /// The earlier tee at which a side branch begins with this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// Else a detector without its model would be read as an element of this factory.
fn factory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let word = String::deserialize(deserializer)?;
    if Step::UPSTREAM.contains(&&*word) || word == "bin" {
        return Err(serde::de::Error::custom(format!("a step of the type `{word}` lacks a key")));
    }
    Ok(word)
}

/// The fields that each GStreamer element of a step has.
#[derive(Clone, Copy, Debug)]
pub struct ElementView<'a> {
    pub factory: &'a str,
    pub properties: &'a Values,
    /// Caps that leave the element.
    pub caps: Option<&'a str>,
}

impl StockElement {
    /// The fields that all elements have.
    #[must_use]
    pub fn view(&self) -> ElementView<'_> {
        ElementView { factory: &self.factory, properties: &self.properties, caps: self.caps.as_deref() }
    }
}

impl Step {
    /// The properties of its element; a script and a bin have none.
    #[must_use]
    pub fn properties(&self) -> &Values {
        match self {
            Step::Detect(step) => &step.properties,
            Step::Classify(step) => &step.properties,
            Step::Infer(step) | Step::Vlm(step) => &step.properties,
            Step::Track(step) => &step.properties,
            Step::Python(step) => &step.properties,
            Step::Tee(step) => &step.properties,
            Step::Element(step) => &step.properties,
            Step::Script(_) | Step::Bin(_) => &NONE,
        }
    }

    /// Its elements: those of a bin, else the step itself.
    #[must_use]
    pub fn elements(&self) -> Vec<ElementView<'_>> {
        match self {
            Step::Bin(bin) => bin.elements.iter().map(StockElement::view).collect(),
            Step::Element(element) => vec![element.view()],
            step => vec![ElementView { factory: step.kind(), properties: step.properties(), caps: None }],
        }
    }

    /// The earlier tee at which a side branch begins with this step.
    #[must_use]
    pub fn from(&self) -> Option<&str> {
        match self {
            Step::Tee(Tee { from, .. })
            | Step::Bin(Bin { from, .. })
            | Step::Element(StockElement { from, .. }) => from.as_deref(),
            _ => None,
        }
    }

    /// The name of a tee.
    #[must_use]
    pub fn tee(&self) -> Option<&str> {
        if let Step::Tee(tee) = self { tee.name.as_deref() } else { None }
    }

    /// The model that it runs.
    #[must_use]
    pub fn model(&self) -> Option<&Model> {
        match self {
            Step::Detect(Detect { model, .. })
            | Step::Classify(Classify { model, .. })
            | Step::Infer(Infer { model, .. })
            | Step::Vlm(Infer { model, .. }) => Some(model),
            _ => None,
        }
    }

    /// The usual place of its model's file; none if no element reads one.
    #[must_use]
    pub fn model_file(&self) -> Option<ProjectPath> {
        match self {
            Step::Detect(step) => Some(step.model.file(ModelFolder::Detection)),
            Step::Classify(Classify { model, .. }) | Step::Infer(Infer { model, .. }) => {
                Some(model.file(ModelFolder::Classification))
            }
            _ => None,
        }
    }

    /// The device that OpenVINO runs it on.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        match self {
            Step::Track(track) => track.device.as_deref(),
            step => step.model().map(|model| model.device.as_str()),
        }
    }

    /// Whether the step is an element of DL Streamer's.
    #[must_use]
    pub fn is_dlstreamer(&self) -> bool {
        self.kind().starts_with("gva")
    }

    /// Whether the step needs DL Streamer.
    #[must_use]
    pub fn is_inference(&self) -> bool {
        self.is_dlstreamer() || matches!(self, Step::Vlm(_))
    }
}

/// The steps of the main chain, which is the measured one: those before the
/// first that begins a side branch.
#[must_use]
pub fn main_chain(steps: &[Step]) -> &[Step] {
    let end = steps.iter().position(|step| step.from().is_some()).unwrap_or(steps.len());
    &steps[..end]
}

/// Where a step, or an element of a bin, is written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepPlaces {
    /// The whole object.
    pub step: Place,
    /// The value of `type`.
    pub kind: Place,
    /// The keys that faults are about.
    pub model: Option<Entry>,
    pub precision: Option<Entry>,
    pub caps: Option<Entry>,
    pub name: Option<Entry>,
    pub from: Option<Entry>,
    /// By name.
    pub properties: BTreeMap<String, Entry>,
    /// Of the elements of a bin, in their order.
    pub elements: Vec<StepPlaces>,
}

/// Where a key and its value are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Place,
    pub value: Place,
}

impl StepPlaces {
    /// Of a step that is written here, without its keys.
    #[must_use]
    pub fn of(step: Place) -> StepPlaces {
        StepPlaces { step, kind: step, ..StepPlaces::default() }
    }

    /// The value of a key if it is written, else the step.
    #[must_use]
    pub fn value(&self, entry: Option<Entry>) -> Place {
        entry.map_or(self.step, |entry| entry.value)
    }

    /// A key if it is written, else the step.
    #[must_use]
    pub fn key(&self, entry: Option<Entry>) -> Place {
        entry.map_or(self.step, |entry| entry.key)
    }

    /// The entry of a property.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<Entry> {
        self.properties.get(name).copied()
    }
}

/// A plain value in a config.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> serde_json::Result<Step> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_step_is_one_flat_table() {
        for text in [
            r#"{"type":"gvadetect","model":"m","precision":"FP16","device":"CPU","batch_size":1,"inference_interval":3,"threshold":0.5,"properties":{"nireq":2}}"#,
            r#"{"type":"gvaclassify","model":"m","precision":"FP16","device":"CPU","batch_size":1}"#,
            r#"{"type":"vlm","model":"m","precision":"FP16","device":"CPU"}"#,
            r#"{"type":"gvatrack"}"#,
            r#"{"type":"gvapython","module":"a/b.py","function":"f"}"#,
            r#"{"type":"script","script":"a.sh","parameters":{"x":1.5}}"#,
            r#"{"type":"tee","properties":{"allow-not-linked":true},"name":"t","from":"s"}"#,
            r#"{"type":"bin","caps":"video/x-raw","from":"t","steps":[{"type":"tee"},{"type":"zbar","caps":"c"}]}"#,
            r#"{"type":"zbar","properties":{"cache":false},"caps":"video/x-raw","from":"t"}"#,
        ] {
            assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn a_step_that_lacks_a_key_is_no_element_of_its_type() {
        assert!(read(r#"{"type":"gvadetect"}"#).is_err());
        assert!(read(r#"{"type":"script","script":"../a.sh"}"#).is_err());
        assert!(read(r#"{"type":"bin"}"#).is_err());
        assert!(matches!(read(r#"{"type":"zbar"}"#), Ok(Step::Element(_))));
    }
}
