//! `lp import`: a project from upstream's files, the current form of one, and upstream's results as records.
//!
//! Files in the new project's folder stay as they are; others are copied, and
//! converted from an older form to the current one. Everything else in them is kept.

mod results;

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::args::{Global, ImportArgs};
use super::init::NewFile;
use super::project::{directory, request};
use super::{Exit, console, init};
use crate::config::load::{LoadRequest, Loaded, Scope, load};
use crate::diag::codes;
use crate::diag::{Diagnostic, FileId};
use crate::diag::{Edit, apply};
use crate::model::{Project, Step, zoo};
use crate::os;
use crate::path::{for_shell, shown};
use crate::text::counted;
use crate::workspace::error::{self, CommandError, Result};

pub(super) fn run(global: &Global, args: &ImportArgs) -> Result<Exit> {
    if let Some(file) = &args.rewrite {
        return rewrite(global, file);
    }
    if let Some(folder) = &args.results {
        return results::run(global, args, folder);
    }
    let workloads = &args.workloads;
    if global.cameras.is_none() || workloads.is_empty() {
        let hint = "`lp import --cameras FILE --workloads FILE [DIR]`";
        return Err(CommandError::refused("`lp import` needs both files").hint(hint));
    }
    let mut pairs = Vec::new();
    let mut faults = Vec::new();
    for workloads in workloads {
        let workloads =
            Some(os::env::current_dir().context("failed to find the current directory")?.join(workloads));
        let loaded = load(&LoadRequest { workloads, scope: Scope::Pair, ..request(global, &[])? });
        // What is wrong with the cameras alone was said with the first file.
        let is_first = pairs.is_empty() && faults.is_empty();
        let own =
            loaded.texts.get(1).map(|(_, file)| *file).filter(|_| !is_first && loaded.project.is_some());
        show(&loaded, own);
        if loaded.project.is_none() {
            faults.push(CommandError::refused(error::count(&loaded.diagnostics)));
        } else {
            pairs.push(loaded);
        }
    }
    if let Some(error) = CommandError::all(faults) {
        return Err(error);
    }

    let current = directory(global)?;
    let root = args.root.as_ref().map_or_else(|| current.clone(), |directory| current.join(directory));
    let mut project = NewProject { root: &root, files: Vec::new(), named: Vec::new() };
    let stems: Vec<&str> = pairs.iter().map(|loaded| stem(&loaded.texts[1].0)).collect();
    let mut profiles = profile_names(&stems).into_iter();
    let mut lpfile = "# Every key has a default: `lp config` shows them.\n".to_owned();
    let mut first_cameras = String::new();
    for (n, loaded) in pairs.iter().enumerate() {
        let workloads = project.file(loaded, 1, "workload_to_pipeline.json");
        let cameras = project.file(loaded, 0, "camera_to_workload.json");
        let (cameras, workloads) = (quoted(&cameras), quoted(&workloads));
        if n == 0 {
            lpfile += &format!("\n[project]\ncameras = {cameras}\nworkloads = {workloads}\n");
            first_cameras = cameras;
            continue;
        }
        let name = profiles.next().expect("every further file has a name");
        lpfile += &format!("\n[profile.{}]\nproject.workloads = {workloads}\n", key(&name));
        if cameras != first_cameras {
            lpfile += &format!("project.cameras = {cameras}\n");
        }
    }
    let mut files = project.files;
    files.insert(0, NewFile { path: "Lpfile.toml".to_owned(), bytes: lpfile.into_bytes() });
    init::make(&root, &files, "lp import")?;
    let projects: Vec<&Project> = pairs.iter().filter_map(|loaded| loaded.project.as_ref()).collect();
    let missing = missing(&root, &projects);
    if args.json {
        let missing: Vec<_> = missing
            .iter()
            .map(|(file, workload)| json!({ "file": file, "workload": workload, "url": zoo::module_url(file) }))
            .collect();
        let document = json!({
            "version": 1,
            "root": root,
            "files": init::paths(&files),
            "cameras": projects[0].cameras.len(),
            "missing": missing,
        });
        console::out(&format!("{document:#}\n"));
        return Ok(Exit::Done);
    }
    let first = pairs[0].project.as_ref().expect("it has no errors");
    let cameras = counted(first.cameras.len(), "camera");
    let made = match pairs.len() - 1 {
        0 => format!("made a project of {cameras}"),
        n => format!("made a project of {cameras} with {}", counted(n, "profile")),
    };
    let next = init::try_in(global, args.root.as_deref(), "lp build plan");
    console::note(&format!("{made}; {next}"));
    for (file, workload) in missing {
        let way = match zoo::module_url(file) {
            Some(url) => {
                let target = args.root.as_deref().unwrap_or(Path::new("")).join(file);
                let target = for_shell(&target.to_string_lossy()).into_owned();
                format!("it is upstream's:\n  curl -fL --create-dirs -o {target} {url}")
            }
            None => "copy it".to_owned(),
        };
        console::note(&format!("note: `{file}` of the workload `{workload}` is missing: {way}"));
    }
    Ok(Exit::Done)
}

/// The files of the project that is made.
struct NewProject<'a> {
    root: &'a Path,
    /// Those to write.
    files: Vec<NewFile>,
    /// Those of `Lpfile.toml`: where each comes from, its text, its path in the project.
    named: Vec<(PathBuf, String, String)>,
}

impl NewProject<'_> {
    /// The path in the project of text `index` of a pair: where it is, if it is there
    /// already, else a place for a copy in the current form.
    fn file(&mut self, loaded: &Loaded, index: usize, default: &str) -> String {
        let (path, file) = &loaded.texts[index];
        let text = changed(loaded, *file);
        if let Some((.., named)) = self.named.iter().find(|(from, known, _)| from == path && *known == text) {
            return named.clone();
        }
        let named = inside(self.root, path).unwrap_or_else(|| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or(default);
            let target = self.free(name, default);
            self.files.push(NewFile { path: target.clone(), bytes: text.clone().into_bytes() });
            target
        });
        self.named.push((path.clone(), text, named.clone()));
        named
    }

    /// A path that no other file of the project has. Two files from two folders may
    /// have one name.
    fn free(&self, name: &str, default: &str) -> String {
        let is_free = |path: &String| self.named.iter().all(|(.., known)| known != path);
        let (stem, extension) = default.rsplit_once('.').expect("a default has an extension");
        let numbered = (2..).map(|n| format!("configs/{stem}-{n}.{extension}"));
        let mut candidates =
            [format!("configs/{name}"), format!("configs/{default}")].into_iter().chain(numbered);
        candidates.find(is_free).expect("there are endless numbers")
    }
}

/// The name of a file without its extension.
fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("workloads")
}

/// The names of the profiles for all workload files but the first: what is special in
/// the name of each, or the whole of it where that is not unique.
fn profile_names(stems: &[&str]) -> Vec<String> {
    let is_joint = |c: char| "_-. ".contains(c);
    let shared = stems.iter().skip(1).fold(stems[0].len(), |length, stem| {
        let same = stems[0].char_indices().zip(stem.chars()).take_while(|((_, a), b)| a == b);
        length.min(same.last().map_or(0, |((at, c), _)| at + c.len_utf8()))
    });
    // A shared beginning ends with a word: `work_cpu` and `work_cputest` share `work_`.
    let ends_word = |stem: &&str| stem[shared..].chars().next().is_none_or(is_joint);
    let shared = if stems.iter().all(ends_word) {
        shared
    } else {
        stems[0][..shared].rfind(is_joint).map_or(0, |at| at + 1)
    };
    let mut names: Vec<String> = Vec::new();
    for stem in &stems[1..] {
        let special = stem[shared..].trim_matches(is_joint);
        let numbered = (2..).map(|n| format!("{stem}-{n}"));
        let candidates = [special.to_owned(), (*stem).to_owned()].into_iter().chain(numbered);
        // `default` is the word for no profile.
        let is_free = |name: &String| !name.is_empty() && name != "default" && !names.contains(name);
        names.push(candidates.into_iter().find(is_free).expect("there are endless numbers"));
    }
    names
}

/// Prints the current form of one file.
fn rewrite(global: &Global, file: &Path) -> Result<Exit> {
    let base = LoadRequest { scope: Scope::Single, ..request(global, &[])? };
    let path = Some(base.dir.join(file));
    let as_cameras = LoadRequest { cameras: path.clone(), workloads: None, ..base.clone() };
    let mut loaded = load(&as_cameras);
    if loaded.diagnostics.sorted().iter().any(|diagnostic| diagnostic.code == codes::OTHER_FILE) {
        loaded = load(&LoadRequest { cameras: None, workloads: path, ..base });
    }
    if is_neither(&loaded) {
        let name = shown(file);
        let hint = "a camera file has a `lane_config`, a workload file a `workload_pipeline_map`";
        let refused = CommandError::refused(format!("`{name}` is neither a camera nor a workload file"));
        return Err(refused.hint(hint));
    }
    show(&loaded, None);
    if loaded.diagnostics.has_errors() {
        return Err(CommandError::refused(error::count(&loaded.diagnostics)));
    }
    let (_, file) = loaded.texts.first().context("a file without faults was read")?;
    console::out(&changed(&loaded, *file));
    Ok(Exit::Done)
}

/// Whether a file that was read as a camera file has no part of one. Each of its keys
/// would be unknown.
fn is_neither(loaded: &Loaded) -> bool {
    let is_missing = |diagnostic: &&Diagnostic| diagnostic.code == codes::MISSING_KEY;
    loaded
        .diagnostics
        .sorted()
        .into_iter()
        .filter(is_missing)
        .any(|diagnostic| diagnostic.message.contains("`lane_config`"))
}

/// Prints all faults, or those in the file `only`; except workloads that no camera uses.
fn show(loaded: &Loaded, only: Option<FileId>) {
    let mut found = loaded.diagnostics.clone();
    found.retain(|diagnostic| {
        let is_here = only.is_none_or(|file| diagnostic.place.is_some_and(|place| place.file == file));
        is_here && diagnostic.code != codes::UNUSED_WORKLOAD
    });
    console::diagnostics(&found, &loaded.sources);
}

/// The text of a file in the current form.
fn changed(loaded: &Loaded, file: FileId) -> String {
    let edits = loaded.diagnostics.edits().filter(|edit| edit.place().file == file);
    apply(loaded.sources.text(file), &edits.cloned().collect::<Vec<Edit>>())
}

/// The path of a file relative to `root`, if it is below it.
fn inside(root: &Path, path: &Path) -> Option<String> {
    let (root, path) = (os::fs::canonicalize(root).ok()?, os::fs::canonicalize(path).ok()?);
    path.strip_prefix(root).ok()?.to_str().map(str::to_owned)
}

/// A key as TOML writes it.
fn key(text: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if text.chars().all(is_bare) { text.to_owned() } else { quoted(text) }
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    ::toml::Value::from(text).to_string()
}

/// Missing modules and scripts of the projects, each with a workload that needs it.
fn missing<'p>(root: &Path, projects: &[&'p Project]) -> Vec<(&'p str, &'p str)> {
    let mut missing: Vec<(&str, &str)> = Vec::new();
    for workload in projects.iter().flat_map(|project| project.workloads.iter()) {
        let files = workload.steps.iter().filter_map(|step| match step {
            Step::Python(python) => Some(python.module.as_str()),
            Step::Script(script) => Some(script.path.as_str()),
            _ => None,
        });
        for file in files.filter(|file| !os::fs::is_file(&root.join(PathBuf::from(file)))) {
            if missing.iter().all(|(known, _)| *known != file) {
                missing.push((file, &workload.name));
            }
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::profile_names;

    #[test]
    fn profiles_are_named_after_what_is_special_in_the_names_of_their_files() {
        for (stems, names) in [
            (&["w", "w_cpu", "w_gpu-npu"][..], &["cpu", "gpu-npu"][..]),
            (&["w_cpu", "w_gpu"], &["gpu"]),
            (&["w_cpu", "w_cputest"], &["cputest"]),
            (&["a", "b", "b"], &["b", "b-2"]),
            (&["w_gpu", "w"], &["w"]),
            (&["w", "w_default"], &["w_default"]),
            (&["wärme", "wärmer"], &["wärmer"]),
            (&["one"], &[]),
        ] {
            assert_eq!(profile_names(stems), names, "{stems:?}");
        }
    }
}
