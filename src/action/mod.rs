//! The machine on which `lp` runs: the facts about it that are part of the keys of
//! tasks, and the code that performs each kind of task, one file per kind.
//!
//! [`LocalHost`] is the engine's [`Host`]. Every action reads its task's inputs at
//! their places in the project and writes its outputs below `attempt.dir`; only a
//! user's command writes in place. Processes that actions start inherit the build
//! lock, so the next build waits for them even after a `kill -9` of `lp`.
//!
//! Not here: deciding whether a task must run, and keeping its outputs.

mod command;
mod content;
mod convert;
mod cut;
mod density;
mod download;
mod encode;
mod examine;
mod media;
mod model;
mod mp4;
mod package;
mod plan;
mod report;
mod run;
mod transcode;

pub(crate) use content::foreign;
pub(crate) use convert::{is_made as has_environment, is_of as is_environment_of, python};
pub(crate) use download::players;
pub(crate) use examine::{ExamineError, Examined, Receiving, decode, examine, look_at, look_into};
pub(crate) use model::fault as model_fault;
pub(crate) use package::has_client;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;

use crate::digest::ContentDigest;
use crate::engine::host::{Attempt, Facts, Host, Performed};
use crate::graph::factories::used;
use crate::graph::task::{Action, Task};
use crate::model::{Camera, Density, Limits, Password, SceneFile, Threshold};
use crate::name::Slug;
use crate::os;
use crate::os::lock::BuildLock;
use crate::os::process::Cancel;
use crate::path::{Layout, ProjectPath};
use crate::pipeline::machine::{Factory, Machine};
use crate::record::judgement::KnownSearch;
use crate::record::{self, Provenance, RunRecord};
use crate::session::{ServeError, SessionError, Watch};
use crate::worker::launch::Launch;
use crate::worker::protocol;

/// Performs tasks on this machine.
pub struct LocalHost<'a> {
    /// The command that starts workers; `Err` is the reason why none can start.
    pub worker: Result<Launch, String>,
    /// The worker's factories, as far as tasks use them; `None` without a worker.
    pub machine: Option<&'a Machine>,
    /// The digests of the files of its plugins, by their names. A plugin that was built again may
    /// have the same version.
    pub plugin_files: BTreeMap<String, String>,
    /// The properties of this machine that a measurement depends on.
    pub fingerprint: record::Host,
    /// Receives the reports of streams while they are measured.
    pub watch: &'a Watch<'a>,
    /// Passwords written in the config, by camera.
    pub passwords: &'a BTreeMap<Slug, Password>,
    /// The project's cameras, which know the names of their sources.
    pub cameras: &'a [Camera],
    /// The project's scenes, by name: the truth of drawn clips.
    pub scenes: &'a BTreeMap<String, SceneFile>,
    /// Finds earlier runs of a camera.
    pub earlier: Box<EarlierRunsOf<'a>>,
    /// Finds a run by its id.
    pub run_by_id: Box<RunById<'a>>,
    /// `[verdict]`, for the record of a run.
    pub limits: Limits,
    /// `[thresholds]`, for records.
    pub thresholds: Vec<Threshold>,
    /// Finds searches for the density.
    pub searches: Box<SearchesOf<'a>>,
    /// `[density]`, for what is not in the key of a search: how long it may take.
    pub density: Density,
    /// The names of collectors without whose programs there is no run; that is not in its key.
    pub required: Vec<String>,
    /// Describes program and project, for the record of a run.
    pub provenance: Box<ProvenanceOf<'a>>,
    /// Where downloads come from.
    pub fetching: Fetching,
    /// Held while an environment of conversions is looked for and made.
    pub environments: Mutex<()>,
    /// The user's note about a run.
    pub tag: Option<String>,
    /// Whether a run records where the time of its frames goes.
    pub traced: bool,
}

/// Where downloads come from.
#[derive(Clone, Debug, Default)]
pub struct Fetching {
    /// A folder laid out like the project, absolute: the files in it are taken before any
    /// URL is asked.
    pub vendor: Option<PathBuf>,
    /// Whether no server is asked.
    pub offline: bool,
    /// Whether `Lpfile.lock` stays as it is, so that every download must be known.
    pub locked: bool,
}

impl Fetching {
    /// The place of an output in the folder of `--vendor`, if something is there.
    #[must_use]
    pub fn vendored(&self, output: &ProjectPath) -> Option<PathBuf> {
        let place = self.vendor.as_ref()?.join(output.as_str());
        // A link that leads to nothing is a fault, not a missing file.
        (!matches!(os::fs::look(&place), Ok(None))).then_some(place)
    }
}

/// Describes program and project as they are now; gives up what takes time when it is
/// cancelled.
pub type ProvenanceOf<'a> = dyn Fn(&Cancel) -> Option<Provenance> + Sync + 'a;

/// The runs with one of these labels, newest first, whose inputs include these with these
/// contents: a camera's plan, its clip.
pub type EarlierRunsOf<'a> =
    dyn Fn(&[String], &BTreeMap<ProjectPath, ContentDigest>) -> Vec<EarlierRun> + Sync + 'a;

/// The run with this id, if there is one.
pub type RunById<'a> = dyn Fn(&str) -> Option<EarlierRun> + Sync + 'a;

/// The newest complete search for the density of this subject that is about the cameras and the host of a run
/// with these inputs.
pub type SearchesOf<'a> =
    dyn Fn(&str, &BTreeMap<ProjectPath, ContentDigest>, &RunRecord) -> Option<KnownSearch> + Sync + 'a;

/// An earlier run.
#[derive(Clone, Debug)]
pub struct EarlierRun {
    pub id: String,
    pub record: RunRecord,
    /// Whether it is complete, not degraded and not faster but wrong.
    pub is_accepted: bool,
}

/// The search path for programs of users' commands and scripts.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

impl Host for LocalHost<'_> {
    fn facts(&self, task: &Task) -> Facts {
        let mut facts = Facts::default();
        if task.measures() {
            let fingerprint = self.fingerprint.facts.iter();
            facts.extra =
                fingerprint.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        }
        if task.factories.is_empty() {
            return facts;
        }
        facts.tools.insert("worker protocol".to_owned(), protocol::VERSION.to_string());
        match self.machine {
            None => {
                facts.tools.insert("gstreamer".to_owned(), "not found".to_owned());
            }
            Some(machine) => {
                facts.tools.insert("gstreamer".to_owned(), machine.gstreamer.clone());
                let found = |name: &str| machine.factories.get(name)?.as_ref();
                let factories = used(task, |name| found(name).is_some()).filter_map(found);
                let plugins =
                    factories.map(|factory| (format!("plugin {}", factory.plugin), factory.version.clone()));
                facts.tools.extend(plugins);
                if task.measures() {
                    let factories = used(task, |name| found(name).is_some()).filter_map(found);
                    let file = |factory: &Factory| {
                        let digest = self.plugin_files.get(&factory.plugin)?;
                        Some((format!("file of plugin {}", factory.plugin), Value::from(digest.as_str())))
                    };
                    facts.extra.extend(factories.filter_map(file));
                }
            }
        }
        facts
    }

    fn begin(&self, lock: &BuildLock) -> io::Result<()> {
        lock.share_with_children()
    }

    fn perform(&self, task: &Task, attempt: &Attempt<'_>) -> Performed {
        let layout = without_parents(attempt.layout);
        let attempt = &Attempt { layout: &layout, ..*attempt };
        let done = match &task.action {
            Action::Download(download) => {
                return download::perform(self, download, task, attempt);
            }
            Action::Model(model) => return model::perform(self, model, task, attempt),
            Action::Convert(convert) => return convert::perform(self, convert, task, attempt),
            Action::Generate { scene, .. } => media::generate(self, scene, task, attempt),
            Action::Transcode(transcode) => transcode::perform(self, transcode, task, attempt),
            Action::Plan(request) => plan::camera(request, task, attempt),
            Action::PlanLane { .. } => plan::lane(task, attempt),
            Action::Run(run) => return run::perform(self, run, task, attempt),
            Action::Density(density) => return density::perform(self, density, task, attempt),
            Action::Benchmark { camera, verdict, .. } => report::benchmark(camera, *verdict, task, attempt),
            Action::Report { verdict, thresholds, .. } => report::pages(*verdict, thresholds, task, attempt),
            Action::Command(command) => return command::perform(command, attempt),
        };
        match done {
            Ok(()) => Performed::succeeded(),
            Err(ActionError::Cancelled) => Performed::cancelled(),
            Err(error) => Performed::failed(&error),
        }
    }
}

/// The layout with the places of videos outside the project in a form that is also right
/// in a container, where the folder before a `..` may not be.
fn without_parents(layout: &Layout) -> Cow<'_, Layout> {
    let leads_up = |place: &Path| place.components().any(|part| part == Component::ParentDir);
    if !layout.files.values().any(|place| leads_up(place)) {
        return Cow::Borrowed(layout);
    }
    let mut layout = layout.clone();
    for place in layout.files.values_mut().filter(|place| leads_up(place)) {
        if let (Some(folder), Some(name)) = (place.parent(), place.file_name())
            && let Ok(folder) = os::fs::canonicalize(folder)
        {
            *place = folder.join(name);
        }
    }
    Cow::Owned(layout)
}

/// Why an action failed.
#[derive(Debug, thiserror::Error)]
enum ActionError {
    #[error("interrupted")]
    Cancelled,
    #[error(transparent)]
    Fs(#[from] os::fs::FsError),
    #[error("`{path}` is not what lp wrote there")]
    Malformed { path: ProjectPath, source: serde_json::Error },
    #[error("`{clip}` {reason}")]
    Clip { clip: ProjectPath, reason: String },
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the network cannot be impaired")]
    Network(#[source] io::Error),
    #[error("{0}")]
    Worker(String),
}

/// Reads a file written by `lp`. No record or plan is larger than 1 GiB.
fn read(attempt: &Attempt<'_>, path: &ProjectPath) -> Result<Vec<u8>, ActionError> {
    let place = attempt.layout.resolve(path);
    os::fs::read_bounded(&place, 1 << 30)
        .map_err(|source| os::fs::FsError { action: "read", path: place, source }.into())
}

fn read_json<T: serde::de::DeserializeOwned>(
    attempt: &Attempt<'_>,
    path: &ProjectPath,
) -> Result<T, ActionError> {
    let bytes = read(attempt, path)?;
    serde_json::from_slice(&bytes).map_err(|source| ActionError::Malformed { path: path.clone(), source })
}

/// The place of an output during the attempt; its folder is created.
fn place(attempt: &Attempt<'_>, path: &ProjectPath) -> Result<PathBuf, ActionError> {
    let place = attempt.dir.join(path.as_str());
    os::fs::create_parent(&place)?;
    Ok(place)
}

fn write(attempt: &Attempt<'_>, path: &ProjectPath, bytes: &[u8]) -> Result<(), ActionError> {
    // No sync: an output lost in a power failure is made again.
    let place = place(attempt, path)?;
    Ok(os::fs::write_unsynced(&place, bytes)?)
}

/// A document of `lp` as a file: pretty, with a final newline, the same bytes for
/// the same value.
///
/// # Panics
/// Never for documents of `lp`, whose keys are strings.
pub fn document<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("documents have text keys");
    bytes.push(b'\n');
    bytes
}
