//! The assets of a project: the videos, clips and models that its cameras need, each with its
//! state, size, digest, licence, origin, and the cameras.
//!
//! An asset is the result of a task (`download:`, `generate:`, `transcode:`), or files of the
//! user's that no task makes: a video, or a model. Nothing is fetched for this, and no file
//! is read but those that a build would read to find out what is fresh.
//!
//! `docs/schema/assets.schema.json` describes [`List`]. Not here: reading all files
//! ([`verify`]), fetching, copying and deleting them (`cli::assets`).

pub(crate) mod shipped;
pub(crate) mod verify;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::build::Build;
use super::error::Result;
use super::open::Workspace;
use crate::action;
use crate::dialect::{StepFileKind, step_files};
use crate::digest::ContentDigest;
use crate::engine::standing::Standing;
use crate::graph::lower::cautious_labels;
use crate::graph::select::{closure, is_asset};
use crate::graph::task::{Action, Task};
use crate::graph::{TaskGraph, TaskId};
use crate::model::{Clip, FileGroup, Origin, PackageSource, Project};
use crate::name::Slug;
use crate::os;
use crate::os::http::Pins;
use crate::path::{ProjectPath, shown};
use crate::pipeline::tensors::ModelUse;
use crate::plan::clip_path;
use crate::plan::lane::PlannedCamera;
use crate::store::attempt::OutputEntry;
use crate::text::{redacted, some_names};

/// The version of [`List`].
pub(crate) const VERSION: u32 = 1;

/// What kind of an asset it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The original that clips are made from.
    Video,
    /// A video as a camera plays it.
    Clip,
    Model,
}

/// The state of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// All its files are in place.
    There,
    /// They are not in place, but in the store.
    Stored,
    /// They are downloaded when they are needed.
    ToFetch,
    /// They are drawn or encoded when they are needed.
    ToMake,
    /// They are in place, and the user's own.
    Yours,
    /// They are in place, but not as `lp` made them; the store has them.
    Changed,
    /// The user's own, or of a model that no recipe can bring, and not all in place.
    Missing,
}

impl State {
    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            State::There => "there",
            State::Stored => "stored",
            State::ToFetch => "to fetch",
            State::ToMake => "to make",
            State::Yours => "yours",
            State::Changed => "changed",
            State::Missing => "missing",
        }
    }
}

/// The assets as a document.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct List {
    /// [`VERSION`].
    pub(crate) version: u32,
    pub(crate) totals: Totals,
    pub(crate) assets: Vec<Asset>,
}

/// Sums over assets, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Totals {
    pub(crate) assets: usize,
    /// Of the files that are in place.
    pub(crate) there: u64,
    /// Of those that are to be fetched, as far as their sizes are known.
    pub(crate) to_fetch: u64,
    /// How many files are to be fetched whose sizes are not known.
    pub(crate) unknown: usize,
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Asset {
    /// The label of its task; else the path of a video, or `models/NAME/PRECISION`.
    pub(crate) name: String,
    /// The label of its task.
    pub(crate) target: Option<String>,
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// Bytes of all its files; `None` if that of one is not known.
    pub(crate) size: Option<u64>,
    /// As SPDX names it.
    pub(crate) licence: Option<String>,
    /// A page about it, the URL that is asked first, or the file it is made from; without
    /// user and password.
    pub(crate) origin: Option<String>,
    /// The names of the cameras that need it, in project order.
    pub(crate) cameras: Vec<String>,
    /// Why it is not as it should be.
    pub(crate) because: Option<String>,
    pub(crate) files: Vec<AssetFile>,
}

/// A file of an asset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AssetFile {
    pub(crate) path: ProjectPath,
    /// In bytes: as it is, as the store has it, or as it is pinned.
    pub(crate) size: Option<u64>,
    pub(crate) digest: Option<FileDigest>,
    /// The URL that is asked first, without user and password, or that of the file in its package.
    pub(crate) url: Option<String>,
    #[serde(skip)]
    pub(crate) pins: Pins,
    /// The contents that `lp` put there, as far as it knows.
    #[serde(skip)]
    pub(crate) recorded: Vec<ContentDigest>,
}

/// The digest of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FileDigest {
    /// `sha256`, `sha384`, `blake3` or `git_blob_sha1`.
    pub(crate) algorithm: &'static str,
    pub(crate) hex: String,
    /// Whether the config, a recipe or `Lpfile.lock` pins it; else the store has it.
    pub(crate) pinned: bool,
}

impl FileDigest {
    /// The first digest that is pinned.
    fn pinned(pins: &Pins) -> Option<FileDigest> {
        let all = [
            ("sha256", &pins.sha256),
            ("sha384", &pins.sha384),
            ("blake3", &pins.blake3),
            ("git_blob_sha1", &pins.git_blob_sha1),
        ];
        all.into_iter()
            .find_map(|(algorithm, hex)| Some(FileDigest { algorithm, hex: hex.clone()?, pinned: true }))
    }

    fn stored(content: ContentDigest) -> FileDigest {
        FileDigest { algorithm: "blake3", hex: content.to_hex(), pinned: false }
    }
}

impl Asset {
    /// An asset of the user's that no task makes.
    fn of_user(name: String, kind: Kind, files: Vec<AssetFile>, cameras: Vec<String>) -> Asset {
        let missing: Vec<&str> =
            files.iter().filter(|file| file.size.is_none()).map(|file| file.path.as_str()).collect();
        let because = (!missing.is_empty()).then(|| {
            let verb = if missing.len() == 1 { "is" } else { "are" };
            format!("{} {verb} not there", some_names(&missing))
        });
        Asset {
            name,
            target: None,
            kind,
            state: if missing.is_empty() { State::Yours } else { State::Missing },
            size: files.iter().map(|file| file.size).sum(),
            licence: None,
            origin: None,
            cameras,
            because,
            files,
        }
    }
}

impl List {
    pub(crate) fn new(assets: Vec<Asset>) -> List {
        let mut totals = Totals { assets: assets.len(), ..Totals::default() };
        for asset in &assets {
            for file in &asset.files {
                match (asset.state, file.size) {
                    (State::There | State::Yours | State::Changed, Some(size)) => totals.there += size,
                    (State::ToFetch, Some(size)) => totals.to_fetch += size,
                    (State::ToFetch, None) => totals.unknown += 1,
                    _ => {}
                }
            }
        }
        List { version: VERSION, totals, assets }
    }
}

/// The assets that are meant: results of tasks, and the user's own files of cameras.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meant {
    pub(crate) tasks: BTreeSet<TaskId>,
    pub(crate) cameras: BTreeSet<Slug>,
}

impl Meant {
    /// Those that the targets need; without targets, those of all cameras.
    pub(crate) fn by(opened: &Workspace, graph: &TaskGraph, targets: &[String]) -> Result<Meant> {
        let project = &opened.project;
        let all_cameras = || project.cameras.iter().map(|camera| camera.slug.clone()).collect();
        let is_all = |target: &String| target == "assets";
        let assets = |ids: &mut dyn Iterator<Item = TaskId>| -> BTreeSet<TaskId> {
            ids.filter(|id| is_asset(graph.task(*id))).collect()
        };
        if targets.is_empty() || targets.iter().any(is_all) {
            return Ok(Meant { tasks: assets(&mut graph.order().iter().copied()), cameras: all_cameras() });
        }
        let (_, needed) = opened.select(graph, targets)?;
        let measured = needed.iter().filter_map(|id| graph.task(*id).played());
        let mut cameras: BTreeSet<Slug> = measured.flat_map(|(_, members)| members.iter().cloned()).collect();
        cameras.extend(
            targets.iter().filter_map(|target| project.camera(target)).map(|camera| camera.slug.clone()),
        );
        Ok(Meant { tasks: assets(&mut needed.iter().copied()), cameras })
    }

    /// Only those of them that come from elsewhere: downloads, and models that are converted.
    pub(crate) fn fetched(&self, graph: &TaskGraph) -> BTreeSet<TaskId> {
        let is_fetched = |id: &&TaskId| graph.task(**id).is_download() || graph.task(**id).brings_model();
        self.tasks.iter().filter(is_fetched).copied().collect()
    }
}

/// The files that cameras need, with the names of these cameras in project order.
struct Uses<'p> {
    by_path: BTreeMap<ProjectPath, Vec<&'p str>>,
    /// The files of each model in one precision, of the cameras that are meant; with `weights` for
    /// a precision, what its conversion reads.
    models: BTreeMap<(String, String), BTreeSet<ProjectPath>>,
    /// Their videos.
    videos: BTreeMap<ProjectPath, &'p Clip>,
}

impl<'p> Uses<'p> {
    fn of(opened: &'p Workspace, cameras: &BTreeSet<Slug>) -> Uses<'p> {
        let mut uses = Uses { by_path: BTreeMap::new(), models: BTreeMap::new(), videos: BTreeMap::new() };
        for planned in &opened.lane().cameras {
            uses.add(&opened.project, planned, cameras.contains(planned.slug()));
        }
        uses
    }

    fn add(&mut self, project: &Project, planned: &'p PlannedCamera, is_meant: bool) {
        let camera = planned.camera();
        let by_path = &mut self.by_path;
        let mut needs = |path: ProjectPath| {
            let names: &mut Vec<&str> = by_path.entry(path).or_default();
            if names.last() != Some(&camera.name.as_str()) {
                names.push(&camera.name);
            }
        };
        if let Some(clip) = camera.video() {
            needs(clip.original());
            needs(clip_path(camera, clip));
            if is_meant && matches!(clip.origin, Origin::File(_)) {
                self.videos.insert(clip.original(), clip);
            }
        }
        for file in step_files(planned) {
            let path = project.layout.named(file.path);
            match file.kind {
                StepFileKind::Model { name, precision, .. } => {
                    needs(path.clone());
                    let group = project.recipes.group_of(&path);
                    let group = group.filter(|group| !project.recipes.is_users(*group));
                    for read in group.map_or(Vec::new(), FileGroup::reads) {
                        needs(project.layout.named(read.clone()));
                        if is_meant {
                            self.models.entry((name.clone(), "weights".to_owned())).or_default().insert(read);
                        }
                    }
                    if is_meant {
                        self.models.entry((name, precision)).or_default().insert(path);
                    }
                }
                StepFileKind::Library => {
                    needs(path.clone());
                    if is_meant {
                        let group = project.recipes.group_of(&path);
                        let paths = group.map_or(vec![path], FileGroup::paths);
                        let paths = paths.into_iter().map(|path| project.layout.named(path));
                        self.models
                            .entry((OPENVINO_NAME.to_owned(), "library".to_owned()))
                            .or_default()
                            .extend(paths);
                    }
                }
                StepFileKind::Module | StepFileKind::Other => {}
            }
        }
    }

    fn cameras<'a>(&self, paths: impl Iterator<Item = &'a ProjectPath>, project: &Project) -> Vec<String> {
        let names: BTreeSet<&str> =
            paths.filter_map(|path| self.by_path.get(path)).flatten().copied().collect();
        let cameras = project.cameras.iter().map(|camera| &camera.name);
        cameras.filter(|name| names.contains(name.as_str())).cloned().collect()
    }
}

/// The meant assets: results of tasks in the order of the graph, then the user's own files.
pub(crate) fn inventory(build: &Build<'_>, meant: &Meant) -> Result<Vec<Asset>> {
    let (opened, graph) = (build.opened, build.graph);
    let uses = Uses::of(opened, &meant.cameras);
    let standings = build.look(&closure(graph, &meant.tasks))?;
    let mut assets = Vec::new();
    for id in graph.order().iter().filter(|id| meant.tasks.contains(id)) {
        assets.push(of_task(build, graph.task(*id), &standings[id], &uses)?);
    }
    assets.extend(own_videos(opened, graph, &uses));
    assets.extend(own_models(opened, graph, &uses));
    Ok(assets)
}

fn of_task(build: &Build<'_>, task: &Task, standing: &Standing, uses: &Uses<'_>) -> Result<Asset> {
    let (project, layout) = (&build.opened.project, &build.opened.project.layout);
    let (state, because) = match standing {
        Standing::Fresh => (State::There, None),
        Standing::Restorable(_, amiss) if amiss.changed.is_empty() => (State::Stored, None),
        Standing::Restorable(_, amiss) => (State::Changed, Some(amiss.to_string())),
        Standing::New | Standing::Stale(_) | Standing::After { .. } => {
            let because = standing.reasons().first().map(|reason| layout.in_words(reason.to_string()));
            (if task.is_download() { State::ToFetch } else { State::ToMake }, because)
        }
    };
    let labels = cautious_labels(task).unwrap_or_else(|| vec![task.label.clone()]);
    let made = build.store.made_clips(&labels);
    let mut files = Vec::new();
    for (n, path) in task.outputs.iter().enumerate() {
        let (pins, url) = origin_of_file(task, n);
        let known: Option<OutputEntry> = match standing {
            Standing::Fresh => build.store.observe(path)?,
            Standing::Restorable(attempt, _) => attempt.outputs.get(n).cloned(),
            _ => None,
        };
        let recorded = match &known {
            Some(known) => vec![known.content],
            None => made.at(path).iter().map(|made| made.content).collect(),
        };
        let digest = FileDigest::pinned(&pins);
        let digest = digest.or_else(|| known.as_ref().map(|known| FileDigest::stored(known.content)));
        files.push(AssetFile {
            path: path.clone(),
            size: known.map(|known| known.size).or(pins.size),
            digest,
            url,
            pins,
            recorded,
        });
    }
    let (kind, licence, origin) = match &task.action {
        Action::Model(_) | Action::Convert(_) => {
            let group = task.outputs.first().and_then(|path| project.recipes.group_of(path));
            let page = group.and_then(|group| group.recipe.origin.clone());
            let origin = page.or_else(|| files.first()?.url.clone());
            (Kind::Model, group.and_then(FileGroup::licences), origin)
        }
        Action::Transcode(_) => (Kind::Clip, None, task.inputs.first().map(ToString::to_string)),
        Action::Generate { .. } => (Kind::Video, None, scene_of(project, &task.outputs[0])),
        _ => (Kind::Video, None, files.first().and_then(|file| file.url.clone())),
    };
    Ok(Asset {
        name: task.label.clone(),
        target: Some(task.label.clone()),
        kind,
        state,
        size: files.iter().map(|file| file.size).sum(),
        licence,
        origin,
        cameras: uses.cameras(task.outputs.iter(), project),
        because,
        files,
    })
}

/// What is pinned of output `n` of a task, and the first URL of it.
fn origin_of_file(task: &Task, n: usize) -> (Pins, Option<String>) {
    let first = |source: &Option<PackageSource>, urls: &[String]| {
        source.as_ref().map(PackageSource::url).or_else(|| urls.first().map(|url| redacted(url)))
    };
    match &task.action {
        Action::Download(download) => (download.pins.clone(), first(&download.source, &download.urls)),
        Action::Model(model) => match model.files.get(n) {
            Some(file) => (file.pins.clone(), first(&file.source, &file.urls)),
            None => (Pins::default(), None),
        },
        _ => (Pins::default(), None),
    }
}

/// The scene file that a clip is drawn from.
fn scene_of(project: &Project, clip: &ProjectPath) -> Option<String> {
    project.cameras.iter().find_map(|camera| match camera.video()? {
        one @ Clip { origin: Origin::Scene(name), .. } if one.original() == *clip => {
            Some(project.scenes.get(name)?.path.to_string())
        }
        _ => None,
    })
}

/// The videos of the user's that the meant cameras play.
fn own_videos(opened: &Workspace, graph: &TaskGraph, uses: &Uses<'_>) -> Vec<Asset> {
    let project = &opened.project;
    let own = uses.videos.iter().filter(|(path, _)| graph.producer(path).is_none());
    let asset = |(path, clip): (&ProjectPath, &&Clip)| {
        let pins = project.assets.get(&clip.file).map(|asset| asset.pins.clone()).unwrap_or_default();
        let file = own_file(project, path, pins);
        let name = shown(&project.layout.shown(path));
        let cameras = uses.cameras(std::iter::once(path), project);
        let note = opened.adopted.iter().find(|adopted| adopted.path == *path);
        let asset = Asset::of_user(name, Kind::Video, vec![file], cameras);
        Asset { because: asset.because.or_else(|| note?.note.clone()), ..asset }
    };
    own.map(asset).collect()
}

/// The name of OpenVINO's recipe.
const OPENVINO_NAME: &str = "openvino";

/// The files of models that no task makes.
fn own_models(opened: &Workspace, graph: &TaskGraph, uses: &Uses<'_>) -> Vec<Asset> {
    let project = &opened.project;
    let mut assets = Vec::new();
    for ((name, precision), paths) in &uses.models {
        let own: Vec<&ProjectPath> = paths.iter().filter(|path| graph.producer(path).is_none()).collect();
        if own.is_empty() {
            continue;
        }
        // A model of the user's may be another one on purpose; a library may not, nor what `lp` wrote.
        let pins = |path: &ProjectPath| match name == OPENVINO_NAME {
            true => project.recipes.pins_of(path).cloned().unwrap_or_default(),
            false => shipped::pins(path).unwrap_or_default(),
        };
        let files = own.iter().map(|path| own_file(project, path, pins(path))).collect();
        let cameras = uses.cameras(own.iter().copied(), project);
        let mut asset = Asset::of_user(format!("models/{name}/{precision}"), Kind::Model, files, cameras);
        if asset.state == State::Missing {
            let recipe = project.recipes.named(name);
            asset.licence = recipe.and_then(|recipe| recipe.licence.clone());
            asset.origin = recipe.and_then(|recipe| recipe.origin.clone());
        } else {
            let fault = |path: &&ProjectPath| {
                Some(format!(
                    "`{path}` {}",
                    action::model_fault(&project.layout.resolve(path), ModelUse::of_path(path.as_str()))?
                ))
            };
            let note = opened.adopted.iter().find(|adopted| own.contains(&&adopted.path));
            asset.because = own.iter().find_map(fault).or_else(|| note?.note.clone());
        }
        assets.push(asset);
    }
    assets
}

/// A file of the user's, of which only the size is looked at.
fn own_file(project: &Project, path: &ProjectPath, pins: Pins) -> AssetFile {
    let found = os::fs::metadata(&project.layout.resolve(path)).ok();
    AssetFile {
        path: path.clone(),
        size: found.map(|found| found.len()),
        digest: FileDigest::pinned(&pins),
        url: None,
        pins,
        recorded: Vec::new(),
    }
}
