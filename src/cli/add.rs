//! `lp add camera`: a further camera in the camera file of a project.
//!
//! The file is written only if the project has no errors with the new camera.

mod format;
mod name;
mod source;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use self::format::Format;
use self::source::Source;
use super::args::{AddArgs, AddCameraArgs, AddCommand, Global};
use super::project::{directory, request};
use super::{Exit, console};
use crate::config::append::{CameraList, NO_CAMERAS};
use crate::config::load::{LoadRequest, Loaded, load, load_changed};
use crate::diag::{Diagnostics, Severity, codes};
use crate::model::{self, Project};
use crate::name::did_you_mean;
use crate::os;
use crate::path::{for_shell, shown};
use crate::plan::lane::Lane;
use crate::text::{harmless, redacted, some_names};
use crate::workspace::error::{CommandError, Result};
use crate::workspace::faults;

/// The largest camera file, which is that of any config file.
const MAX_BYTES: u64 = 64 << 20;

pub(super) fn run(global: &Global, args: &AddArgs) -> Result<Exit> {
    match &args.command {
        AddCommand::Camera(args) => camera(global, args),
    }
}

fn camera(global: &Global, args: &AddCameraArgs) -> Result<Exit> {
    let request = request(global, &[])?;
    let loaded = load(&request);
    let source = Source::of(&args.source, &directory(global)?)?;
    let file = CameraFile::open(&loaded)?;
    let Some(list) = CameraList::of(&file.text) else { return Err(refused(loaded)) };
    // An empty list and a missing file are errors that a first camera removes.
    if loaded.diagnostics.has_errors() && (!list.is_empty() || loaded.workload_names.is_empty()) {
        return Err(refused(loaded));
    }
    let workloads = workloads(&args.workloads, &loaded.workload_names)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name::free(&list, loaded.project.as_ref(), source.stem().as_deref()),
    };

    // What is wrong with the request shows before anything looks into the video.
    let trial = Trial { request: &request, file: &file, list: &list, name: &name, workloads: &workloads };
    let (key, value, new) = trial.written(&source, &Format::of_project(args, None))?;
    let format = Format::find(args, &source, new.project())?;
    let new = trial.with(key, &value, &format)?;

    let at = new.line;
    let (camera, shown_file) = (&new.camera, &new.file_name);
    if !new.warnings.is_empty() {
        console::diagnostics(&new.warnings, &new.loaded.sources);
    }
    if !args.dry_run {
        file.write(&new.text)?;
    }
    if args.json {
        let (size_from, fps_from) = (format.size_from.word(), format.fps_from.word());
        let document = json!({
            "version": 1, "file": shown_file, "line": at, "written": !args.dry_run,
            "camera": camera, "size_from": size_from, "fps_from": fps_from,
        });
        console::out(&format!("{document:#}\n"));
        return Ok(Exit::Done);
    }
    if args.dry_run {
        console::out(&format!("{}\n", redacted(&outdented(&new.object))));
    }
    console::note(&format.sentence(&source));
    let shown_name = harmless(&name);
    let place = format!("{}:{at}", harmless(shown_file));
    console::note(&if args.dry_run {
        format!("would add the camera `{shown_name}` at {place}")
    } else {
        format!("added the camera `{shown_name}` at {place}; try: {}", try_it(global, &name))
    });
    Ok(Exit::Done)
}

/// The errors of a project.
fn refused(loaded: Loaded) -> CommandError {
    let error = CommandError::faults(loaded.diagnostics, loaded.sources);
    error.hint("`lp add` writes nothing while the config has errors")
}

/// "lp run till", with the flags that name the same project.
fn try_it(global: &Global, name: &str) -> String {
    let mut words = vec!["lp".to_owned()];
    let mut flag = |flag: &str, value: Option<String>| {
        words.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
    };
    let path = |path: &Option<PathBuf>| Some(path.as_ref()?.to_string_lossy().into_owned());
    flag("-C", path(&global.directory));
    flag("--cameras", path(&global.cameras));
    flag("--profile", global.profile.clone());
    words.push("run".to_owned());
    if name.starts_with('-') {
        words.push("--".to_owned());
    }
    words.push(name.to_owned());
    words.iter().map(|word| for_shell(word)).collect::<Vec<_>>().join(" ")
}

/// The workloads of the camera, as the workload file writes them.
fn workloads(given: &[String], known: &[String]) -> Result<Vec<String>> {
    if known.is_empty() {
        return Err(CommandError::refused("the project has no workloads")
            .hint("a camera needs one: map it in the workload file"));
    }
    if given.is_empty() {
        return match known {
            [only] => Ok(vec![only.clone()]),
            _ => {
                let fault = format!("the project has {} workloads: which does the camera run?", known.len());
                let names: Vec<String> = known.iter().map(|name| harmless(name).into_owned()).collect();
                let first = for_shell(&known[0]);
                let hint = format!("`--workloads {first}`, or several with commas: {}", some_names(&names));
                Err(CommandError::refused(fault).hint(hint))
            }
        };
    }
    let mut found: Vec<String> = Vec::new();
    let mut faults = Vec::new();
    for name in given {
        match known.iter().find(|known| known.to_lowercase() == name.to_lowercase()) {
            Some(known) if !found.contains(known) => found.push(known.clone()),
            Some(_) => {}
            None => {
                let hint = match did_you_mean(name, known.iter().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{}`?", harmless(meant)),
                    None => format!("mapped workloads: {}", some_names(known)),
                };
                let fault = format!("the workload `{}` is not mapped", harmless(name));
                faults.push(CommandError::refused(fault).hint(hint));
            }
        }
    }
    CommandError::all(faults).map_or(Ok(found), Err)
}

/// The camera file before the change.
struct CameraFile {
    path: PathBuf,
    /// `None` if there is none yet.
    bytes: Option<Vec<u8>>,
    /// Without its byte order mark.
    text: String,
}

const MARK: &str = "\u{feff}";

impl CameraFile {
    fn open(loaded: &Loaded) -> Result<CameraFile> {
        let faults = || CommandError::faults(loaded.diagnostics.clone(), loaded.sources.clone());
        let path = loaded.camera_file.clone();
        if path.as_os_str().is_empty() {
            return Err(faults());
        }
        if os::fs::look(&path)?.is_none() {
            return Ok(CameraFile { path, bytes: None, text: NO_CAMERAS.to_owned() });
        }
        let bytes = os::fs::read_bounded(&path, MAX_BYTES).map_err(|error| {
            CommandError::refused(format!("failed to read the camera file `{}`: {error}", shown(&path)))
        })?;
        let Ok(text) = String::from_utf8(bytes.clone()) else { return Err(faults()) };
        let text = text.strip_prefix(MARK).map_or_else(|| text.clone(), str::to_owned);
        Ok(CameraFile { path, bytes: Some(bytes), text })
    }

    /// The bytes of a file with this text.
    fn bytes_of(&self, text: &str) -> Vec<u8> {
        let has_mark = self.bytes.as_ref().is_some_and(|bytes| bytes.starts_with(MARK.as_bytes()));
        [if has_mark { MARK } else { "" }, text].concat().into_bytes()
    }

    fn write(&self, text: &str) -> Result<()> {
        let bytes = self.bytes_of(text);
        let Some(before) = &self.bytes else {
            os::fs::create_parent(&self.path)?;
            return Ok(os::fs::write_new(&self.path, &bytes, os::fs::Executable::No)?);
        };
        if os::fs::read_bounded(&self.path, MAX_BYTES).ok().as_ref() != Some(before) {
            let fault = format!("`{}` was changed meanwhile", shown(&self.path));
            return Err(CommandError::refused(fault).hint("run the command again"));
        }
        Ok(os::fs::rewrite(&self.path, &bytes)?)
    }
}

/// The project with one more camera, before anything is written.
struct Trial<'a> {
    request: &'a LoadRequest,
    file: &'a CameraFile,
    list: &'a CameraList<'a>,
    name: &'a str,
    workloads: &'a [String],
}

/// Such a project.
struct Tried {
    loaded: Loaded,
    /// Of the camera file.
    text: String,
    /// The text of the camera.
    object: String,
    /// The camera, without passwords.
    camera: Json,
    file_name: String,
    line: usize,
    /// About the camera.
    warnings: Diagnostics,
}

impl Tried {
    fn project(&self) -> &Project {
        self.loaded.project.as_ref().expect("it has no errors")
    }
}

impl Trial<'_> {
    /// The first way to write the source that means it.
    fn written(&self, source: &Source, format: &Format) -> Result<(&'static str, String, Tried)> {
        let Source::File(video) = source else {
            let (key, value) = source.entry();
            return Ok((key, value.clone(), self.with(key, &value, format)?));
        };
        let layout = self.request_layout();
        let mut last = None;
        // Each camera has one name at most that is in the way.
        for value in source::names(&video.place, &layout, self.list.names().count() + 2) {
            let loaded = self.load("fileSrc", &value, format);
            let is_other = [codes::TWO_ORIGINS, codes::BAD_FILE_SOURCE]
                .iter()
                .any(|code| loaded.loaded.diagnostics.has(code));
            match &loaded.loaded.project {
                Some(project) if source::is_played_by(&video.place, project) => {
                    return Ok(("fileSrc", value.clone(), self.accept(loaded)?));
                }
                None if !is_other => return Err(refused(loaded.loaded)),
                _ => last = Some(loaded.loaded),
            }
        }
        match last {
            Some(loaded) if loaded.diagnostics.has_errors() => Err(refused(loaded)),
            _ => Err(CommandError::refused(format!("the path of {} cannot be written", video.shown()))
                .hint("give the file another name")),
        }
    }

    fn with(&self, key: &str, value: &str, format: &Format) -> Result<Tried> {
        self.accept(self.load(key, value, format))
    }

    /// The folder that paths begin in.
    fn request_layout(&self) -> PathBuf {
        crate::config::load::find_root(&self.request.dir).unwrap_or_else(|| self.request.dir.clone())
    }

    fn load(&self, key: &str, value: &str, format: &Format) -> Changed {
        let entries = [
            ("camera_id", json!(self.name)),
            (key, json!(value)),
            ("width", json!(format.width)),
            ("height", json!(format.height)),
            ("fps", format.fps_json()),
            ("workloads", json!(self.workloads)),
        ];
        let (text, place) = self.list.with(&entries);
        let mut camera = json!({});
        for (key, value) in entries {
            camera[key] = value.as_str().map_or(value.clone(), |text| json!(redacted(text)));
        }
        let loaded = load_changed(self.request, &self.file.path, &self.file.bytes_of(&text));
        Changed { loaded, text, place, camera }
    }

    /// Refuses a project with errors.
    fn accept(&self, changed: Changed) -> Result<Tried> {
        let Changed { mut loaded, text, place, camera } = changed;
        if loaded.project.is_none() {
            return Err(refused(loaded));
        }
        let file = loaded.texts.iter().find(|(path, _)| *path == self.file.path).map(|(_, file)| *file);
        let file = file.expect("the project was read from it");
        let mut found = loaded.diagnostics.clone();
        if let Some(project) = &loaded.project {
            let lane = Lane::of(project);
            found.append(faults::of_graph(project, || &lane));
        }
        found.retain(|one| {
            one.place.is_some_and(|at| {
                let range = at.start as usize..at.end as usize;
                at.file == file && place.start <= range.start && range.end <= place.end
            })
        });
        if found.has_errors() {
            loaded.diagnostics = found;
            return Err(refused(loaded));
        }
        found.retain(|one| one.severity == Severity::Warning);
        let start = u32::try_from(place.start).unwrap_or(u32::MAX);
        let line = loaded.sources.position(file, start).line;
        let file_name = loaded.sources.name(file).to_owned();
        let object = text[place].to_owned();
        Ok(Tried { loaded, text, object, camera, file_name, line, warnings: found })
    }
}

/// A project as it was read with another camera file.
struct Changed {
    loaded: Loaded,
    text: String,
    /// Of the new camera in it.
    place: Range<usize>,
    camera: Json,
}

/// An object without the indent of the line that it ends in.
fn outdented(object: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let outer = object.lines().last().map_or(0, indent);
    let lines = object.lines().map(|line| line.get(outer.min(indent(line))..).unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether two paths name one file.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| os::fs::canonicalize(path).ok();
    one == other || (real(one).is_some() && real(one) == real(other))
}

/// All cameras but the last, which is the new one.
fn others(project: &Project) -> &[model::Camera] {
    project.cameras.split_last().map_or(&[], |(_, others)| others)
}

/// The only one of some values.
fn only<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Option<T> {
    let values: BTreeSet<T> = values.collect();
    if values.len() == 1 { values.first().copied() } else { None }
}
