//! Reads all files of a project, each after the one that names it,
//! and resolves them.
//!
//! A file that cannot be read is reported; everything that does not depend on it
//! is still checked.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::cameras::{self, RawCamera};
use super::clips::RawOrigin;
pub use super::disk::Files;
use super::disk::{Changed, Disk};
use super::lpfile::{self, RawLpfile};
use super::origins::Origins;
use super::resolve::{RawProject, resolve};
use super::tasks::{self, RawTask};
use super::text::{MAX_BYTES, admit};
use super::tree::{Key, Node, Value};
use super::{json, lock, models, outputs, overrides, recipes, scene, toml, workloads};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, FileId, Place, Sources, Spanned};
use crate::digest::ContentDigest;
use crate::model::{AssetPin, LOCKFILE, LockEntries, Project, Recipes, SceneFile};
use crate::name::{is_glob, matches_glob};
use crate::path::ProjectPath;

/// The name of the project file.
pub const LPFILE: &str = "Lpfile.toml";

pub(super) const CAMERAS: &str = "configs/camera_to_workload.json";
pub(super) const WORKLOADS: &str = "configs/workload_to_pipeline.json";
const SCENES: &str = "configs/scenes";

/// The files to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The project, from its `Lpfile.toml` on.
    #[default]
    Project,
    /// The two files that `cameras` and `workloads` name, without a project file.
    Pair,
    /// The only one of them that is named: without a project, and without checks
    /// across files.
    Single,
}

/// The input of [`load`].
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// The current folder, absolute. The project is the nearest one upwards.
    pub dir: PathBuf,
    /// `--cameras`, relative to `dir`.
    pub cameras: Option<PathBuf>,
    /// `--workloads`, relative to `dir`.
    pub workloads: Option<PathBuf>,
    /// `--profile`.
    pub profile: Option<String>,
    /// Each `--set KEY=VALUE`, in order.
    pub sets: Vec<String>,
    /// The files to read.
    pub scope: Scope,
    /// The environment; only `LP_SET_*` and `LP_PROFILE` are read.
    pub env: Vec<(String, String)>,
}

/// The result of [`load`].
#[derive(Debug)]
pub struct Loaded {
    /// The project; `None` if there are errors, or if a single file was read.
    pub project: Option<Project>,
    /// How many cameras and workloads there are, faulty ones included.
    pub counted: (usize, usize),
    /// The camera file, absolute, whether it exists or not; empty without a project.
    pub camera_file: PathBuf,
    /// The names of all workloads, faulty ones included.
    pub workload_names: Vec<String>,
    pub diagnostics: Diagnostics,
    /// The files that the diagnostics point into.
    pub sources: Sources,
    /// The config files that the result depends on, absolute, with their contents as
    /// they were read; `None` for one that does not exist.
    pub files: Vec<(PathBuf, Option<ContentDigest>)>,
    /// The ones in UTF-8, in the order in which they were read.
    pub texts: Vec<(PathBuf, FileId)>,
    /// Each pattern of `project.include`, and that of recipes, with the files that it matches now.
    pub includes: Vec<(String, Vec<ProjectPath>)>,
    /// `Lpfile.toml` with profile and overrides laid over it, without tasks.
    pub settings: Node,
    /// All profiles of `Lpfile.toml`, by name.
    pub profiles: Vec<(Key, Node)>,
    /// The current folder of the request.
    pub directory: PathBuf,
    /// The profile and the overrides that were asked for.
    pub asked: Asked,
}

/// The requested changes of `Lpfile.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub profile: Option<String>,
    /// Keys with their values, from `--set`, `LP_SET_*`, `--cameras` and `--workloads`: of several
    /// for one key, the one that takes precedence.
    pub overrides: BTreeMap<String, String>,
}

/// The nearest folder, from `dir` upwards, that has an `Lpfile.toml`.
#[must_use]
pub fn find_root(dir: &Path) -> Option<PathBuf> {
    root_in(&Disk, dir)
}

fn root_in(disk: &dyn Files, dir: &Path) -> Option<PathBuf> {
    dir.ancestors().find(|folder| disk.is_file(&folder.join(LPFILE))).map(Path::to_path_buf)
}

/// Loads the project of `request.dir`.
#[must_use]
pub fn load(request: &LoadRequest) -> Loaded {
    load_from(request, &Disk)
}

/// Loads the project of `request.dir` as it would be if the file at `path`, as
/// [`Loaded::files`] calls it, had these contents.
#[must_use]
pub fn load_changed(request: &LoadRequest, path: &Path, bytes: &[u8]) -> Loaded {
    load_from(request, &Changed { path, bytes })
}

/// Loads the project of `request.dir` from `disk`.
#[must_use]
pub fn load_from(request: &LoadRequest, disk: &dyn Files) -> Loaded {
    let mut diagnostics = Diagnostics::new();
    let found = if request.scope == Scope::Project { root_in(disk, &request.dir) } else { None };
    let names_files = request.cameras.is_some() || request.workloads.is_some();
    if found.is_none() && !names_files {
        let message = format!("there is no `{LPFILE}` in `{}` or above", request.dir.display());
        diagnostics.push(
            Diagnostic::error(codes::NO_PROJECT, message)
                .help("make one with `lp init`, or name the files with `--cameras` and `--workloads`"),
        );
        return Loaded {
            project: None,
            counted: (0, 0),
            camera_file: PathBuf::new(),
            workload_names: Vec::new(),
            diagnostics,
            sources: Sources::new(),
            files: Vec::new(),
            texts: Vec::new(),
            includes: Vec::new(),
            settings: Node::empty_table(),
            profiles: Vec::new(),
            directory: request.dir.clone(),
            asked: Asked::default(),
        };
    }
    let has_lpfile = found.is_some();
    let root = found.unwrap_or_else(|| request.dir.clone());
    let mut loader = Loader {
        disk,
        dir: &request.dir,
        root: &root,
        diagnostics,
        sources: Sources::new(),
        files: Vec::new(),
        texts: Vec::new(),
        includes: Vec::new(),
        asked: Asked::default(),
    };

    let parsed = if has_lpfile { loader.toml(&root.join(LPFILE), None) } else { None };
    let none = || toml::ParseResult { tree: Node::empty_table(), is_whole: true };
    let (lpfile, settings, profiles) = loader.lpfile(parsed.unwrap_or_else(none), request);
    if request.scope == Scope::Single {
        return loader.single(request, lpfile, settings);
    }
    let more_tasks = loader.included(&lpfile);
    loader.named_by_flags(request);
    let camera_file = loader.named(request.cameras.as_deref(), lpfile.cameras.as_ref(), CAMERAS).into_path();
    let cameras = loader.cameras(request, &lpfile);
    let has_cameras = !cameras.is_empty();
    let workloads = loader.workloads(request, &lpfile, has_cameras);
    let scenes = loader.scenes(&cameras, &lpfile.assets);
    let recipes = loader.recipes();
    let lock = loader.lock();
    let Loader { mut diagnostics, sources, files, texts, includes, asked, .. } = loader;

    let machine_key = machine_key(disk);
    let raw = RawProject { lpfile, more_tasks, cameras, workloads, scenes, lock, recipes, machine_key };
    let counted = (raw.cameras.len(), raw.workloads.as_ref().map_or(0, Vec::len));
    let workload_names = raw.workloads.iter().flatten().map(|workload| workload.name.clone()).collect();
    let project = resolve(root, raw, &mut diagnostics);
    outputs::check(&project, files.iter().map(|(path, _)| path), &mut diagnostics);
    models::check(&project, disk, &mut diagnostics);
    let project = if diagnostics.has_errors() { None } else { Some(project) };
    let directory = request.dir.clone();
    Loaded {
        project,
        counted,
        camera_file,
        workload_names,
        diagnostics,
        sources,
        files,
        texts,
        includes,
        settings,
        profiles,
        directory,
        asked,
    }
}

/// The random id of this machine, which no project or store contains.
fn machine_key(disk: &dyn Files) -> Option<Vec<u8>> {
    let id = disk.read(Path::new("/etc/machine-id"), 4_096).ok()?;
    let id = id.trim_ascii();
    (id.len() >= 32).then(|| id.to_vec())
}

/// Profiles by name.
type Profiles = Vec<(Key, Node)>;

/// A named path, or the default.
enum PathChoice {
    Given(PathBuf, Option<Place>),
    Default(PathBuf),
}

impl PathChoice {
    fn into_path(self) -> PathBuf {
        match self {
            PathChoice::Given(path, _) | PathChoice::Default(path) => path,
        }
    }
}

struct Loader<'a> {
    disk: &'a dyn Files,
    dir: &'a Path,
    root: &'a Path,
    diagnostics: Diagnostics,
    sources: Sources,
    files: Vec<(PathBuf, Option<ContentDigest>)>,
    texts: Vec<(PathBuf, FileId)>,
    includes: Vec<(String, Vec<ProjectPath>)>,
    asked: Asked,
}

impl Loader<'_> {
    /// Reads one file. `place` is the place that names it.
    fn open(&mut self, path: &Path, place: Option<Place>) -> Option<FileId> {
        let name = shown(path, self.dir, self.root);
        let read = self.disk.read(path, MAX_BYTES);
        let content = read.as_ref().ok().map(|bytes| ContentDigest::of(bytes));
        self.files.push((path.to_path_buf(), content));
        let (code, message) = match read {
            Ok(bytes) => {
                let file = admit(&name, bytes, &mut self.sources, &mut self.diagnostics)?;
                self.texts.push((path.to_path_buf(), file));
                return Some(file);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => (codes::MISSING_FILE, format!("`{name}` does not exist")),
                io::ErrorKind::FileTooLarge => {
                    (codes::TOO_LARGE, format!("`{name}` is larger than {} MiB", MAX_BYTES >> 20))
                }
                _ => (codes::UNREADABLE_FILE, format!("failed to read `{name}`: {error}")),
            },
        };
        let refused = Diagnostic::error(code, message).at(place.unwrap_or_default());
        let meant = (code == codes::MISSING_FILE).then(|| self.beside(path)).flatten();
        self.diagnostics.push(match meant {
            Some(meant) => refused.help(format!("did you mean `{}`?", shown(&meant, self.dir, self.root))),
            None => refused,
        });
        None
    }

    /// The file of a similar name in the folder of a missing one.
    fn beside(&self, missing: &Path) -> Option<PathBuf> {
        let name = missing.file_name()?.to_string_lossy();
        let names = self.disk.names(missing.parent()?);
        let meant = self.diagnostics.did_you_mean(&name, names.iter().map(String::as_str))?;
        Some(missing.with_file_name(meant)).filter(|path| self.disk.is_file(path))
    }

    fn toml(&mut self, path: &Path, place: Option<Place>) -> Option<toml::ParseResult> {
        let file = self.open(path, place)?;
        Some(toml::parse(file, self.sources.text(file), &mut self.diagnostics))
    }

    fn json(&mut self, named: PathChoice) -> Option<Node> {
        let (path, place) = match named {
            PathChoice::Given(path, place) => (path, place),
            PathChoice::Default(path) if self.disk.is_file(&path) => (path, None),
            PathChoice::Default(path) => {
                self.files.push((path, None));
                return None;
            }
        };
        let file = self.open(&path, place)?;
        json::parse(file, self.sources.text(file), &mut self.diagnostics)
    }

    /// The project file, with profile and overrides laid over it.
    fn lpfile(&mut self, parsed: toml::ParseResult, request: &LoadRequest) -> (RawLpfile, Node, Profiles) {
        // Keys that a syntax error swallowed would be reported as missing or
        // misplaced, so only the syntax of a broken file is reported. The keys
        // that could be read still lead to the other files.
        let toml::ParseResult { mut tree, is_whole } = parsed;
        let mut found = Diagnostics::new();

        let profiles = overrides::profiles(&mut tree, &mut found);
        let variable = request.env.iter().find(|(name, value)| name == "LP_PROFILE" && !value.is_empty());
        let wanted = request.profile.as_ref().or(variable.map(|(_, value)| value));
        for (name, profile) in &profiles {
            if Some(&name.text) == wanted && matches!(profile.value, Value::Table(_)) {
                tree.overlay(profile.clone());
            } else {
                lpfile::read(profile, &format!("profile.{}.", name.text), &mut found);
            }
        }
        let mut asked = Diagnostics::new();
        if let Some(wanted) = wanted
            && !profiles.iter().any(|(name, _)| name.text == *wanted)
        {
            asked.push(overrides::unknown_profile(wanted, &profiles));
        }
        // By name, so that the order of the environment does not matter.
        let variables: BTreeMap<&String, &String> =
            request.env.iter().map(|(name, value)| (name, value)).collect();
        let mut over = Vec::new();
        for (name, value) in variables {
            over.extend(overrides::from_variable(name, value, &mut self.sources, &mut asked));
        }
        for set in &request.sets {
            over.extend(overrides::from_set(set, &mut self.sources, &mut asked));
        }
        self.asked.profile = wanted.cloned();
        for over in over {
            self.asked.overrides.extend(overrides::key_and_value(&over));
            tree.overlay(over);
        }
        let lpfile = lpfile::read(&tree, "", &mut found);
        if is_whole {
            self.diagnostics.append(found);
        }
        self.diagnostics.append(asked);
        // Tasks are many, and each knows its place.
        drop(tree.remove("task"));
        (lpfile, tree, profiles)
    }

    /// Reads and checks the one file that is named.
    fn single(mut self, request: &LoadRequest, lpfile: RawLpfile, settings: Node) -> Loaded {
        let mut raw = RawProject { lpfile, ..RawProject::default() };
        if request.cameras.is_some() {
            raw.cameras = self.cameras(request, &raw.lpfile);
        } else {
            raw.workloads = self.workloads(request, &raw.lpfile, false);
        }
        let counted = (raw.cameras.len(), raw.workloads.as_ref().map_or(0, Vec::len));
        // Faults of recipes are none of this file.
        let found = std::mem::take(&mut self.diagnostics);
        raw.recipes = self.recipes();
        self.diagnostics = found;
        let project = resolve(self.root.to_path_buf(), raw, &mut self.diagnostics);
        models::check(&project, self.disk, &mut self.diagnostics);
        let Loader { diagnostics, sources, files, texts, includes, asked, .. } = self;
        let (profiles, directory) = (Vec::new(), request.dir.clone());
        Loaded {
            project: None,
            counted,
            camera_file: PathBuf::new(),
            workload_names: Vec::new(),
            diagnostics,
            sources,
            files,
            texts,
            includes,
            settings,
            profiles,
            directory,
            asked,
        }
    }

    /// The tasks of all files that `project.include` names.
    fn included(&mut self, lpfile: &RawLpfile) -> Vec<RawTask> {
        let mut tasks = Vec::new();
        for Spanned { value, place } in &lpfile.include {
            let paths = self.expand(value, *place);
            self.includes.push((value.clone(), paths.clone()));
            for path in paths {
                let parsed = self.toml(&self.root.join(path.as_str()), Some(*place));
                if let Some(parsed) = parsed.filter(|parsed| parsed.is_whole) {
                    tasks.extend(tasks::read_included(&parsed.tree, &mut self.diagnostics));
                }
            }
        }
        tasks
    }

    /// The recipes of models: those of `lp`, and those of the project.
    fn recipes(&mut self) -> Recipes {
        let paths = matching_files(self.disk, self.root, recipes::FOLDER, "*.toml");
        self.includes.push((format!("{}/*.toml", recipes::FOLDER), paths.clone()));
        let mut own = Vec::new();
        for path in paths {
            let parsed = self.toml(&self.root.join(path.as_str()), None);
            if let Some(parsed) = parsed.filter(|parsed| parsed.is_whole) {
                own.extend(recipes::read(&parsed.tree, &mut self.diagnostics));
            }
        }
        recipes::join(own, &mut self.diagnostics)
    }

    /// The entries of `Lpfile.lock`.
    fn lock(&mut self) -> LockEntries {
        let path = self.root.join(LOCKFILE);
        if !self.disk.is_file(&path) {
            self.files.push((path, None));
            return LockEntries::new();
        }
        let parsed = self.toml(&path, None).filter(|parsed| parsed.is_whole);
        parsed.map_or_else(LockEntries::new, |parsed| lock::read(&parsed.tree, &mut self.diagnostics))
    }

    /// The files that a pattern matches; `*` and `?` only in the last part.
    fn expand(&mut self, pattern: &str, place: Place) -> Vec<ProjectPath> {
        let mut refuse = |label: String| {
            let message = format!("`{pattern}` names no files inside the project");
            self.diagnostics.push(Diagnostic::error(codes::BAD_PATH, message).at(place).label(label));
            Vec::new()
        };
        let path = match ProjectPath::new(pattern) {
            Ok(path) => path,
            Err(error) => return refuse(error.to_string()),
        };
        let (folder, last) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        if is_glob(folder) {
            return refuse("`*` and `?` are possible only after the last `/`".to_owned());
        }
        if !is_glob(last) {
            return vec![path];
        }
        matching_files(self.disk, self.root, folder, last)
    }

    fn cameras(&mut self, request: &LoadRequest, lpfile: &RawLpfile) -> Vec<RawCamera> {
        let named = self.named(request.cameras.as_deref(), lpfile.cameras.as_ref(), CAMERAS);
        self.json(named).map_or_else(Vec::new, |tree| cameras::read(&tree, &mut self.diagnostics))
    }

    fn workloads(
        &mut self,
        request: &LoadRequest,
        lpfile: &RawLpfile,
        has_cameras: bool,
    ) -> Option<Vec<workloads::RawWorkload>> {
        let named = self.named(request.workloads.as_deref(), lpfile.workloads.as_ref(), WORKLOADS);
        if let PathChoice::Default(path) = &named
            && has_cameras
            && !self.disk.is_file(path)
        {
            let name = shown(path, self.dir, self.root);
            let message = format!("there are cameras, but `{name}` does not exist");
            self.diagnostics.push(
                Diagnostic::error(codes::MISSING_FILE, message)
                    .help("name the workload file with `project.workloads` or `--workloads`"),
            );
        }
        let tree = self.json(named)?;
        workloads::read(&tree, &mut self.diagnostics)
    }

    /// Files that flags name are set as by the key that names them in `Lpfile.toml`, where a path
    /// begins at the project's folder.
    fn named_by_flags(&mut self, request: &LoadRequest) {
        let flags = [("project.cameras", &request.cameras), ("project.workloads", &request.workloads)];
        for (key, path) in flags {
            let Some(path) = path else { continue };
            let path = self.dir.join(path);
            let path = path.strip_prefix(self.root).unwrap_or(&path).to_string_lossy().into_owned();
            self.asked.overrides.insert(key.to_owned(), path);
        }
    }

    /// A flag is relative to the current folder, all else to the project.
    fn named(&self, flag: Option<&Path>, written: Option<&Spanned<String>>, default: &str) -> PathChoice {
        match (flag, written) {
            (Some(path), _) => PathChoice::Given(self.dir.join(path), None),
            (None, Some(written)) => {
                PathChoice::Given(self.root.join(written.value.trim()), Some(written.place))
            }
            (None, None) => PathChoice::Default(self.root.join(default)),
        }
    }

    /// Every scene that a clip is drawn from, by name.
    fn scenes(
        &mut self,
        cameras: &[RawCamera],
        assets: &BTreeMap<String, AssetPin>,
    ) -> BTreeMap<String, SceneFile> {
        let mut tried: BTreeMap<String, Option<SceneFile>> = BTreeMap::new();
        for clip in cameras.iter().filter_map(|camera| camera.file.as_ref()) {
            let RawOrigin::Scene(name) = &clip.value.origin else { continue };
            if Origins::is_given(assets, &clip.value.file) || tried.contains_key(name) {
                continue;
            }
            let path = ProjectPath::new(&format!("{SCENES}/{name}.toml"));
            let path = path.expect("the reader of `fileSrc` admits only plain names of scenes");
            let parsed = self.toml(&self.root.join(path.as_str()), Some(clip.place));
            let parsed = parsed.filter(|parsed| parsed.is_whole);
            let scene = parsed.and_then(|parsed| {
                let place = parsed.tree.place;
                Some((scene::read(&parsed.tree, &mut self.diagnostics)?, place))
            });
            tried.insert(name.clone(), scene.map(|(scene, place)| SceneFile { path, scene, place }));
        }
        tried.into_iter().filter_map(|(name, scene)| Some((name, scene?))).collect()
    }
}

/// The files that a pattern of `project.include` matches now; none if the pattern
/// is invalid.
#[must_use]
pub fn included_files(root: &Path, pattern: &str) -> Vec<ProjectPath> {
    let Ok(path) = ProjectPath::new(pattern) else { return Vec::new() };
    let (folder, last) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
    if is_glob(last) { matching_files(&Disk, root, folder, last) } else { vec![path] }
}

/// `last` may contain `*` and `?`.
fn matching_files(disk: &dyn Files, root: &Path, folder: &str, last: &str) -> Vec<ProjectPath> {
    let names = disk.names(&root.join(folder));
    let matching = names.iter().filter(|name| !name.starts_with('.') && matches_glob(last, name));
    let in_folder = |name: &String| if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
    matching
        .filter_map(|name| ProjectPath::new(&in_folder(name)).ok())
        .filter(|path| disk.is_file(&root.join(path.as_str())))
        .collect()
}

/// `path` relative to `dir`.
fn shown(path: &Path, dir: &Path, root: &Path) -> String {
    if let Ok(inside) = path.strip_prefix(dir) {
        return inside.display().to_string();
    }
    match (path.strip_prefix(root), dir.strip_prefix(root)) {
        (Ok(inside), Ok(down)) => {
            let up: PathBuf = down.components().map(|_| Component::ParentDir).collect();
            up.join(inside).display().to_string()
        }
        _ => path.display().to_string(),
    }
}

#[cfg(test)]
mod unit_tests {
    use super::*;

    #[test]
    fn paths_are_shown_relative_to_the_current_folder() {
        let shown = |path: &str, dir: &str| super::shown(Path::new(path), Path::new(dir), Path::new("/p"));
        assert_eq!(shown("/p/configs/a.json", "/p"), "configs/a.json");
        assert_eq!(shown("/p/configs/a.json", "/p/sub/x"), "../../configs/a.json");
        assert_eq!(shown("/etc/a.json", "/p"), "/etc/a.json");
    }
}
