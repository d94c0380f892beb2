//! From config files to a project, and from a project to its graph.
//!
//! Not here: printing faults, and reading flags (`cli::project`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::adopted::{self, Adopted};
use super::error::{CommandError, Result};
use super::serving::Streams;
use super::{faults, inference, serving, tools};
use crate::config::load::{Asked, Loaded};
use crate::config::tree::{Key, Node};
use crate::diag::{Diagnostics, FileId, Severity, Sources};
use crate::digest::ContentDigest;
use crate::graph::alias::Aliases;
use crate::graph::lower::{Lowering, Subject, lower};
use crate::graph::task::Task;
use crate::graph::{TaskGraph, TaskId, link, select};
use crate::model::{Camera, Project};
use crate::name::{did_you_mean, is_glob, matches_glob};
use crate::os;
use crate::path::{Layout, ProjectPath};
use crate::plan::lane::Lane;
use crate::vision::model_proc::{LabelList, ModelProc, Postprocess};
use crate::worker::error::WorkerError;
use crate::worker::launch::Launch;

/// What Ultralytics says of a model, beside it.
pub(super) const METADATA: &str = "metadata.yaml";

/// The largest model-proc file that is searched for names of files, in bytes.
const LARGEST_MODEL_PROC: u64 = 1 << 20;

/// A project that was read without errors.
pub(crate) struct Workspace {
    pub(crate) project: Project,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) sources: Sources,
    /// The config files as they were read, and the patterns of `project.include`.
    pub(crate) files: Vec<(PathBuf, Option<ContentDigest>)>,
    /// The ones in UTF-8.
    pub(crate) texts: Vec<(PathBuf, FileId)>,
    pub(crate) includes: Vec<(String, Vec<ProjectPath>)>,
    /// `Lpfile.toml` with profile and overrides laid over it.
    pub(crate) settings: Node,
    /// All profiles, by name.
    pub(crate) profiles: Vec<(Key, Node)>,
    /// The folder that paths on the command line are relative to.
    pub(crate) directory: PathBuf,
    /// That profile and those overrides.
    pub(crate) asked: Asked,
    /// The files in the places of downloads that are used instead.
    pub(crate) adopted: Vec<Adopted>,
    /// Where the streams of clips come from.
    pub(crate) streams: Streams,
    lane: OnceLock<Lane>,
}

impl Workspace {
    /// Takes a project that was read; refuses one with errors.
    pub(crate) fn new(loaded: Loaded) -> Result<Workspace> {
        let Loaded {
            project,
            diagnostics,
            sources,
            files,
            texts,
            includes,
            settings,
            profiles,
            directory,
            asked,
            ..
        } = loaded;
        match project {
            Some(project) => Ok(Workspace {
                project,
                diagnostics,
                sources,
                files,
                texts,
                includes,
                settings,
                profiles,
                directory,
                asked,
                adopted: Vec::new(),
                streams: Streams::None,
                lane: OnceLock::new(),
            }),
            None => Err(CommandError::faults(diagnostics, sources)),
        }
    }

    /// Looks for files of the user's in the places of downloads, which are then used
    /// instead.
    pub(crate) fn adopting(mut self) -> Result<Workspace> {
        self.streams = serving::find(&self.project);
        if let Streams::Own(address) = self.streams {
            self.project.settings.rtsp.own = Some(address);
        }
        let serves = matches!(self.streams, Streams::Own(_));
        self.adopting_with(serves)
    }

    /// As [`Workspace::adopting`]; `serves` says whether `lp` serves the clips that are streamed.
    pub(crate) fn adopting_with(mut self, serves: bool) -> Result<Workspace> {
        serving::settle(&mut self.project, serves);
        self.adopted = adopted::adopt(&mut self.project)?;
        self.adopted.extend(adopted::adopt_models(&mut self.project)?);
        inference::choose(&mut self.project);
        Ok(self)
    }

    /// As [`Workspace::adopting`], for a server of the clips alone.
    ///
    /// # Errors
    /// As of [`Workspace::adopting`].
    pub(crate) fn adopting_to_serve(self) -> Result<Workspace> {
        let mut opened = self.adopting_with(true)?;
        serving::reuse(&mut opened.project);
        Ok(opened)
    }

    pub(crate) fn has_warnings(&self) -> bool {
        self.diagnostics.count(Severity::Warning) > 0
    }

    /// The error for faults that were found after reading.
    pub(crate) fn refuse(&self, diagnostics: Diagnostics) -> CommandError {
        CommandError::faults(diagnostics, self.sources.clone())
    }

    /// The project's cameras, planned when the first asks.
    pub(crate) fn lane(&self) -> &Lane {
        self.lane.get_or_init(|| Lane::of(&self.project))
    }

    /// Plans the cameras again, after a change of the project's settings.
    pub(crate) fn forget_plans(&mut self) {
        self.lane = OnceLock::new();
    }

    /// How the project's workers are started.
    pub(crate) fn worker(&self) -> std::result::Result<Launch, WorkerError> {
        tools::find(self.project.settings.worker.as_ref(), &self.project.layout.root)
    }

    /// The tasks of these runs and all others, and notes about them for people.
    pub(crate) fn tasks(&self, subjects: &[Subject]) -> (Vec<Task>, Vec<String>) {
        let variable = |name: &str| os::env::raw(name);
        let outside = RefCell::new(BTreeSet::new());
        let parts = |model: &ProjectPath| {
            let (inside, others) = parts(&self.project.layout, model);
            outside.borrow_mut().extend(others);
            inside
        };
        let lowered = lower(&Lowering {
            project: &self.project,
            lane: self.lane(),
            subjects,
            variable: &variable,
            parts: &parts,
        });
        (lowered.tasks, outside.into_inner().into_iter().chain(lowered.notes).collect())
    }

    /// The runs that targets are about, so that their tasks are lowered.
    pub(crate) fn subjects(&self, targets: &[String]) -> Vec<Subject> {
        select::subjects(&self.project, &self.directory, targets)
    }

    /// The graph of tasks.
    pub(crate) fn link(&self, tasks: Vec<Task>) -> Result<TaskGraph> {
        let aliases = Aliases::find(&self.project.layout, &tasks);
        link::link_by(tasks, aliases).map_err(|found| self.refuse(faults::of_links(found)))
    }

    /// The tasks that targets name, and all that these need.
    pub(crate) fn select(
        &self,
        graph: &TaskGraph,
        targets: &[String],
    ) -> Result<(BTreeSet<TaskId>, BTreeSet<TaskId>)> {
        let wanted = select::targets(graph, &self.project, &self.directory, targets).map_err(|unknown| {
            let errors = unknown.into_iter().map(|unknown| {
                let error = CommandError::refused(format!("there is no target `{}`", unknown.target));
                let hint = self.hint_of_download(&unknown.target).or(unknown.hint);
                hint.into_iter().fold(error, CommandError::hint)
            });
            CommandError::all(errors).expect("a target is unknown")
        })?;
        let needed = select::closure(graph, &wanted);
        Ok((wanted, needed))
    }

    /// Why there is no task that brings a clip or a model.
    fn hint_of_download(&self, target: &str) -> Option<String> {
        let Adopted { path, .. } = self.adopted.iter().find(|adopted| adopted.label == target)?;
        let (used, to_do) = match target.split_once(':') {
            Some(("convert", _)) => ("used", "make"),
            Some((_, name)) if name.starts_with("models/") => ("used", "download"),
            _ => ("played", "download"),
        };
        Some(format!("`{path}` is a file of your own, which is {used} instead: delete it to {to_do} it"))
    }

    /// Refuses inputs that neither exist nor are made, and scripts that cannot run.
    pub(crate) fn check_sources(&self, graph: &TaskGraph, needed: &BTreeSet<TaskId>) -> Result<()> {
        let diagnostics = faults::of_sources(&self.project, self.lane(), graph, needed);
        if diagnostics.is_empty() { Ok(()) } else { Err(self.refuse(diagnostics)) }
    }

    /// The cameras that these words name, each once: a name, a slug, or a pattern of
    /// names and slugs (`camera-*`).
    pub(crate) fn cameras(&self, words: &[String]) -> Result<Vec<&Camera>> {
        let mut found: Vec<&Camera> = Vec::new();
        let mut errors = Vec::new();
        for word in words {
            let named = match self.project.camera(word) {
                Some(camera) => vec![camera],
                None if is_glob(word) => self.matching_cameras(word),
                None => Vec::new(),
            };
            if named.is_empty() {
                errors.push(self.no_camera(word));
            }
            let is_new = |camera: &&Camera| found.iter().all(|known| known.slug != camera.slug);
            let new: Vec<&Camera> = named.into_iter().filter(is_new).collect();
            found.extend(new);
        }
        CommandError::all(errors).map_or(Ok(found), Err)
    }

    fn matching_cameras(&self, pattern: &str) -> Vec<&Camera> {
        let matches = |text: &str| matches_glob(pattern, text);
        let cameras = self.project.cameras.iter();
        cameras.filter(|camera| matches(&camera.name) || matches(camera.slug.as_str())).collect()
    }

    /// The error of a word that names no camera.
    fn no_camera(&self, word: &str) -> CommandError {
        let known = || self.project.cameras.iter().map(|camera| camera.name.as_str());
        let error = CommandError::refused(match is_glob(word) {
            true => format!("no camera matches `{word}`"),
            false => format!("there is no camera `{word}`"),
        });
        if self.project.cameras.is_empty() {
            return error.hint("this project has no cameras");
        }
        if let Some(meant) = did_you_mean(word, known()).filter(|_| !is_glob(word)) {
            return error.hint(format!("did you mean `{meant}`?"));
        }
        let some = known().take(8).collect::<Vec<_>>().join(", ");
        let more = if self.project.cameras.len() > 8 { ", ... (`lp list cameras`)" } else { "" };
        error.hint(format!("cameras are {some}{more}"))
    }
}

/// The files that are read because of another one, and a note for each one outside the
/// project: tensors of an ONNX model, labels of a model-proc file, `metadata.yaml` beside a model.
/// None for an unreadable file: the player reports that.
fn parts(layout: &Layout, model: &ProjectPath) -> (Vec<ProjectPath>, Vec<String>) {
    let place = layout.resolve(model);
    let mut names = match place.extension().and_then(|ending| ending.to_str()) {
        Some("json") => files_of_labels(&place),
        Some("onnx") => os::onnx::external_files(&place).unwrap_or_default().into_iter().collect(),
        _ => Vec::new(),
    };
    if !model.as_str().ends_with(".json") && os::fs::is_file(&place.with_file_name(METADATA)) {
        names.push(METADATA.to_owned());
    }
    let folder = model.folders().next().map_or(String::new(), |folder| format!("{folder}/"));
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for name in names {
        let written = if name.starts_with('/') { name.clone() } else { format!("{folder}{name}") };
        match ProjectPath::new(&written) {
            Ok(path) => inside.push(path),
            Err(_) => outside.push(format!(
                "`{model}` keeps data in `{}`, outside the project: a change of it is not seen",
                crate::text::harmless(&name)
            )),
        }
    }
    (inside, outside)
}

/// The files with labels that a model-proc file names.
fn files_of_labels(model_proc: &Path) -> Vec<String> {
    let text = os::fs::read_bounded(model_proc, LARGEST_MODEL_PROC)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let outputs = text.and_then(|text| ModelProc::read(&text).ok()).unwrap_or_default().outputs;
    let file = |output: Postprocess| match output.labels? {
        LabelList::File(path) => Some(path),
        LabelList::Names(_) => None,
    };
    outputs.into_iter().filter_map(file).collect()
}
