//! A GStreamer pipeline as plain data.
//!
//! A [`PipelineSpec`] is a chain of elements with properties, which branches
//! where an element names an earlier one ([`Element::from`]). `dialect` makes it,
//! plans hash it, workers get it as JSON and [`launch`] prints it as a
//! `gst-launch-1.0` line. It holds no absolute path and no secret:
//! [`Value::Input`], [`Value::Output`], [`Value::StreamFile`] and [`Value::Secret`] are
//! resolved when a request is sent or a line is printed.
//!
//! [`machine::Machine`] lists the elements of a machine.
//! Not here: playing (`bin/lp-worker`), and the elements of a step (`dialect`).

pub mod clip;
pub mod codec;
pub mod detect;
pub mod encoded;
pub mod facts;
pub mod files;
pub mod fit;
pub mod launch;
pub mod login;
pub mod machine;
pub mod model_file;
pub mod mp4;
pub mod prepared;
pub mod reception;
pub mod reconnect;
pub mod removal;
pub mod tensors;
pub mod usb;
pub mod vippet;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::reconnect::Reconnection;
use crate::path::{Layout, ProjectPath};

/// The worker's own element that draws a scene.
pub const SCENE_SOURCE: &str = "lpscenesrc";

/// The worker's own element that reads a clip, whole or its film.
pub const CLIP_SOURCE: &str = "lpclipsrc";

/// The worker's own element that converts frames to a rate.
pub const FRAME_RATE: &str = "lpframerate";

/// The worker's own element that counts decoded frames, and ends a loop.
pub const CLIP_CHECK: &str = "lpclipcheck";

/// The worker's own elements.
const OWN: [&str; 4] = [SCENE_SOURCE, CLIP_SOURCE, FRAME_RATE, CLIP_CHECK];

/// The value of an element's property.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A string, or the nick of an enum or flags: `downstream`, `tcp+udp`.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A file or directory of the project that is read.
    Input(ProjectPath),
    /// Several of them, joined by commas, each after a prefix such as `layer=`.
    Inputs(Vec<(String, ProjectPath)>),
    /// A file that is written: its path below the directory that the performer
    /// chooses.
    Output(String),
    /// A file, or the beginning of the names of files, in the folder of a stream.
    StreamFile(StreamFile),
    /// The value of a variable, by its name: of the environment, or known to the
    /// performer. Printed as `$NAME`.
    Secret(String),
}

/// A file in the folder of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamFile {
    /// The stream: `camera-3/1`. The performer chooses where its folder is.
    pub stream: String,
    /// The path of the file in that folder: `shots/frame-%05d.jpg`.
    pub path: String,
    /// The path below `results/` in a launch line.
    pub in_launch_line: String,
    /// Whether GStreamer reads the whole path as a pattern, as for `multifilesink`:
    /// then a `%` of the folder is doubled.
    #[serde(default)]
    pub is_pattern: bool,
}

impl StreamFile {
    /// A file of a user's step: in a launch line, in a folder of its stream as well.
    #[must_use]
    pub fn new(stream: &str, path: &str) -> StreamFile {
        let in_launch_line = format!("files/{stream}/{path}");
        StreamFile { stream: stream.to_owned(), path: path.to_owned(), in_launch_line, is_pattern: false }
    }

    /// Its folder below the folder of all streams' files.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        let file = Path::new(&self.stream).join(&self.path);
        file.parent().map(Path::to_path_buf).unwrap_or_default()
    }
}

/// One property of an element. Order is kept as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Property {
    /// The property's name as `gst-inspect-1.0` prints it: `max-threads`.
    pub name: String,
    pub value: Value,
}

/// One element of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Element {
    /// The factory: `avdec_h264`, `capsfilter`.
    pub factory: String,
    /// The element's name, unique in its pipeline: `camera-3_1_zbar`. Messages carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The index of the element that it is linked from, a `tee`, instead of the
    /// one before it, which then ends its branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<usize>,
    /// How many properties come before the name where a launch line is printed.
    #[serde(default, skip_serializing_if = "is_first")]
    pub name_at: usize,
    /// Properties in the order in which they are set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

impl Element {
    /// An element without name and properties.
    #[must_use]
    pub fn new(factory: &str) -> Element {
        Element { factory: factory.to_owned(), name: None, name_at: 0, from: None, properties: Vec::new() }
    }

    /// A `capsfilter` with these caps.
    #[must_use]
    pub fn caps(caps: &str) -> Element {
        Element::new("capsfilter").set("caps", Value::Text(caps.to_owned()))
    }

    /// Its name in its pipeline: the given one, else its factory and index.
    #[must_use]
    pub fn reference(&self, index: usize) -> String {
        self.name.clone().unwrap_or_else(|| format!("{}-{index}", self.factory))
    }

    /// This element with a name, which is printed where it was given.
    #[must_use]
    pub fn named(mut self, name: &str) -> Element {
        self.name = Some(name.to_owned());
        self.name_at = self.properties.len();
        self
    }

    /// This element, at the beginning of a branch of the element `index`.
    #[must_use]
    pub fn branching_from(mut self, index: usize) -> Element {
        self.from = Some(index);
        self
    }

    /// This element with one more property.
    #[must_use]
    pub fn set(mut self, name: &str, value: Value) -> Element {
        self.properties.push(Property { name: name.to_owned(), value });
        self
    }

    /// This element with a property, instead of the one of this name if it has it:
    /// `model_proc` is `model-proc`.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Element {
        let is_it = |property: &&mut Property| property.name.replace('_', "-") == name.replace('_', "-");
        match self.properties.iter_mut().find(is_it) {
            Some(property) => {
                property.value = value;
                self
            }
            None => self.set(name, value),
        }
    }

    /// This element with one more string property.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Element {
        self.set(name, Value::Text(value.to_owned()))
    }

    /// This element with one more whole-number property.
    #[must_use]
    pub fn int(self, name: &str, value: i64) -> Element {
        self.set(name, Value::Int(value))
    }

    /// This element with one more boolean property.
    #[must_use]
    pub fn bool(self, name: &str, value: bool) -> Element {
        self.set(name, Value::Bool(value))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_first(name_at: &usize) -> bool {
    *name_at == 0
}

/// How often a pipeline plays its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Playback {
    /// Once, to EOS.
    Once,
    /// Again and again by segment seeks without flush, until it is stopped. The
    /// first pass begins at a seeded offset.
    Loop,
}

/// Elements, how they are linked, and where they are measured. Elements are
/// named by their index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PipelineSpec {
    /// From source to sink, each linked from the one before it unless it names
    /// another.
    pub elements: Vec<Element>,
    /// How often the source plays.
    pub playback: Playback,
    /// The source has delivered a frame when it leaves this element, before anything
    /// changes its rate: an `rtspsrc` as packets come in, a camera, `clocksync`.
    /// `None` in a pipeline that is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<usize>,
    /// Latency starts where a buffer leaves this element (`clocksync`, a parser);
    /// `None` where latency has no meaning (a free-running file).
    pub ingress: Option<usize>,
    /// Frames leaving this element count as decoded; `None` in a pipeline that
    /// is not measured.
    pub decoder: Option<usize>,
    /// Frames arriving at this element count as played: the sink.
    pub sink: usize,
    /// The width and height in pixels that frames must have after the decoder, where
    /// the steps depend on them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[u32; 2]>,
    /// When the source, an `rtspsrc`, is connected again; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect: Option<Reconnection>,
}

impl PipelineSpec {
    /// Every factory that the machine must have, sorted, each once. The worker's
    /// own are not among them.
    #[must_use]
    pub fn factories(&self) -> Vec<&str> {
        let mut factories: Vec<&str> = self.elements.iter().map(|e| e.factory.as_str()).collect();
        factories.sort_unstable();
        factories.dedup();
        factories.retain(|factory| !OWN.contains(factory));
        factories
    }

    /// The element that `index` is linked from; `None` for the source.
    #[must_use]
    pub fn upstream(&self, index: usize) -> Option<usize> {
        self.elements[index].from.or(index.checked_sub(1))
    }

    /// The elements from the source to `index`, both included, in order.
    #[must_use]
    pub fn path_to(&self, index: usize) -> Vec<usize> {
        let mut path: Vec<usize> = std::iter::successors(Some(index), |at| self.upstream(*at)).collect();
        path.reverse();
        path
    }

    /// The first element on the way to `sink` that no other of `sinks` has on its
    /// own: where a branch of a shared pipeline begins. 0 if there are no others.
    #[must_use]
    pub fn branch_to(&self, sink: usize, sinks: &[usize]) -> usize {
        let others: Vec<usize> =
            sinks.iter().filter(|other| **other != sink).flat_map(|other| self.path_to(*other)).collect();
        self.path_to(sink).into_iter().find(|index| !others.contains(index)).unwrap_or(sink)
    }

    /// The ones of `sinks` that an element concerns: those that it leads to, and for one
    /// in a side branch, those that the branch's tee leads to.
    #[must_use]
    pub fn serves(&self, index: usize, sinks: &[usize]) -> Vec<usize> {
        let paths: Vec<Vec<usize>> = sinks.iter().map(|sink| self.path_to(*sink)).collect();
        let served = |index: usize| (0..sinks.len()).filter(|n| paths[*n].contains(&index)).collect();
        let upwards = std::iter::successors(Some(index), |at| self.upstream(*at));
        upwards.map(served).find(|served: &Vec<usize>| !served.is_empty()).unwrap_or_default()
    }

    /// The fault of its indices: each names an element, and an element is linked from an
    /// earlier one only.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let n_elements = self.elements.len();
        for index in [Some(self.sink), self.delivery, self.ingress, self.decoder].into_iter().flatten() {
            if n_elements <= index {
                return Some(format!("the spec names element {index}, but has only {n_elements}"));
            }
        }
        let branches = self.elements.iter().enumerate().filter_map(|(index, e)| Some((index, e.from?)));
        for (index, from) in branches {
            if index <= from {
                return Some(format!(
                    "element {index} is linked from element {from}, which is not an earlier one"
                ));
            }
        }
        None
    }

    /// Every path of the project that the pipeline reads, in order, each once:
    /// those that its properties name, and the weights of their models.
    #[must_use]
    pub fn inputs(&self) -> Vec<ProjectPath> {
        let mut inputs = Vec::new();
        for path in self.elements.iter().flat_map(|element| &element.properties).flat_map(files::of) {
            if !inputs.contains(&path) {
                inputs.push(path);
            }
        }
        inputs
    }

    /// Every file of a stream that it writes, in order.
    pub fn stream_files(&self) -> impl Iterator<Item = &StreamFile> {
        let properties = self.elements.iter().flat_map(|element| &element.properties);
        properties.filter_map(|property| match &property.value {
            Value::StreamFile(file) => Some(file),
            _ => None,
        })
    }

    /// The same pipeline for this machine: inputs become absolute paths,
    /// outputs paths below `output_dir`, secrets the values of their variables.
    ///
    /// # Errors
    /// The names of variables that are not set, and paths that are not UTF-8.
    pub fn resolve(
        &self,
        layout: &Layout,
        output_dir: &Path,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<PipelineSpec, ResolveError> {
        let utf8 = |path: PathBuf| {
            path.into_os_string().into_string().map_err(|path| ResolveError::NotUtf8(path.into()))
        };
        let mut resolved = self.clone();
        for property in resolved.elements.iter_mut().flat_map(|element| &mut element.properties) {
            property.value = match &property.value {
                Value::Input(path) => Value::Text(utf8(layout.resolve(path))?),
                Value::Inputs(parts) => {
                    let parts =
                        parts.iter().map(|(before, path)| Ok(before.clone() + &utf8(layout.resolve(path))?));
                    Value::Text(parts.collect::<Result<Vec<_>, _>>()?.join(","))
                }
                Value::Output(name) => Value::Text(utf8(output_dir.join(name))?),
                Value::StreamFile(file) => {
                    let folder = utf8(output_dir.join(&file.stream))?;
                    let folder = if file.is_pattern { folder.replace('%', "%%") } else { folder };
                    Value::Text(format!("{folder}/{}", file.path))
                }
                Value::Secret(name) => {
                    Value::Text(variable(name).ok_or_else(|| ResolveError::MissingVariable(name.clone()))?)
                }
                other => other.clone(),
            };
        }
        resolved.elements.iter_mut().for_each(login::log_in);
        Ok(resolved)
    }
}

/// Why a pipeline cannot be played here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ResolveError {
    /// A secret's variable has no value in UTF-8.
    #[error("the environment variable `{0}` is not set, or not UTF-8")]
    MissingVariable(String),
    /// GStreamer takes file names as UTF-8 strings.
    #[error("`{}` is not UTF-8, which GStreamer's properties need", .0.display())]
    NotUtf8(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> PipelineSpec {
        let clip = ProjectPath::new("media/a.mp4").unwrap();
        PipelineSpec {
            elements: vec![
                Element::new("filesrc").set("location", Value::Input(clip)),
                Element::new("souphttpsrc").set("user-pw", Value::Secret("PW".into())),
                Element::new("filesink").set("location", Value::StreamFile(StreamFile::new("c/1", "b.mp4"))),
            ],
            playback: Playback::Once,
            delivery: None,
            ingress: None,
            decoder: None,
            sink: 2,
            size: None,
            reconnect: None,
        }
    }

    #[test]
    fn paths_and_secrets_are_resolved_on_demand() {
        let layout = Layout::new("/p".into());
        let resolved =
            spec().resolve(&layout, "/out".as_ref(), &|name| (name == "PW").then(|| "x".into())).unwrap();
        let texts: Vec<_> = resolved.elements.iter().map(|e| e.properties[0].value.clone()).collect();
        assert_eq!(texts, ["/p/media/a.mp4", "x", "/out/c/1/b.mp4"].map(|text| Value::Text(text.to_owned())));
        assert_eq!(
            spec().resolve(&layout, "/out".as_ref(), &|_| None),
            Err(ResolveError::MissingVariable("PW".into()))
        );
    }

    #[test]
    fn a_percent_sign_of_the_folder_is_not_a_pattern() {
        let file = |is_pattern| StreamFile { is_pattern, ..StreamFile::new("c/1", "%05d.jpg") };
        let sinks = [true, false]
            .map(|is_pattern| Element::new("sink").set("location", Value::StreamFile(file(is_pattern))));
        let spec = PipelineSpec { elements: sinks.to_vec(), sink: 0, ..spec() };
        let resolved = spec.resolve(&Layout::new("/p".into()), "/100%d".as_ref(), &|_| None).unwrap();
        let expected = ["/100%%d/c/1/%05d.jpg", "/100%d/c/1/%05d.jpg"];
        assert_eq!(resolved.elements, expected.map(|path| Element::new("sink").text("location", path)));
    }

    #[test]
    fn user_and_password_of_a_stream_go_into_its_uri() {
        let source = Element::new("rtspsrc")
            .text("location", "rtsp://[::1]:8554/a?b@c")
            .text("user-id", "bob")
            .set("user-pw", Value::Secret("PW".into()))
            .text("protocols", "tcp");
        let spec = PipelineSpec { elements: vec![source], sink: 0, ..spec() };
        let layout = Layout::new("/p".into());
        let resolved = spec.resolve(&layout, "/out".as_ref(), &|_| Some("p@s:s/ü%".into())).unwrap();
        let expected = Element::new("rtspsrc")
            .text("location", "rtsp://bob:p%40s%3As%2F%C3%BC%25@[::1]:8554/a?b@c")
            .text("protocols", "tcp");
        assert_eq!(resolved.elements, [expected]);
    }

    #[test]
    fn a_path_leads_from_the_source_through_tees() {
        let mut spec = spec();
        let more = ["tee", "a", "a_sink"].map(Element::new);
        spec.elements.truncate(1);
        spec.elements.extend(more);
        spec.elements.push(Element::new("b").branching_from(1));
        spec.elements.push(Element::new("b_sink"));
        assert_eq!(spec.path_to(3), [0, 1, 2, 3]);
        assert_eq!(spec.path_to(5), [0, 1, 4, 5]);
        assert_eq!(spec.fault(), None);
        assert_eq!(
            [spec.branch_to(3, &[3, 5]), spec.branch_to(5, &[3, 5]), spec.branch_to(3, &[3])],
            [2, 4, 0]
        );
        assert_eq!(
            [spec.serves(1, &[3, 5]), spec.serves(4, &[3, 5]), spec.serves(4, &[3])],
            [vec![0, 1], vec![1], vec![0]]
        );
        spec.elements[4].from = Some(4);
        assert_eq!(spec.fault().unwrap(), "element 4 is linked from element 4, which is not an earlier one");
    }

    #[test]
    fn a_spec_lists_its_factories_and_files() {
        assert_eq!(spec().factories(), ["filesink", "filesrc", "souphttpsrc"]);
        assert_eq!(spec().inputs().len(), 1);
        assert_eq!(spec().stream_files().count(), 1);
    }
}
