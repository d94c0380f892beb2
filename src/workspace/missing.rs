//! Inputs that are missing before anything starts: files of models, Python modules, and
//! all others, each with its ways out.
//!
//! The files of all models together are one diagnostic: they come from one place.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::dialect::StepFileKind;
use crate::graph::task::{Action, Convert, Task};
use crate::graph::{TaskGraph, TaskId, select};
use crate::model::{FileGroup, Project, zoo};
use crate::os;
use crate::path::{ProjectPath, for_shell};
use crate::text::{counted, some_names};

/// The last ways out for models that are missing.
const OTHER_WAYS: [&str; 2] = [
    "your own: copy the files to these paths, or name yours in `properties` of the step",
    "meanwhile: `lp run --decode-only` measures sources and decoding, without inference",
];

/// A file of a step or a script, and who needs it.
#[derive(Clone, Debug)]
pub(crate) struct FileUse {
    /// Where a step names it, the first time.
    pub(crate) place: Place,
    pub(crate) kind: StepFileKind,
    /// Names of cameras, in project order.
    pub(crate) cameras: Vec<String>,
}

/// The files of steps and scripts, as tasks name them.
pub(crate) type FileUses = BTreeMap<ProjectPath, FileUse>;

/// The missing files of one model.
struct MissingModel<'a> {
    name: &'a str,
    precision: &'a str,
    place: Place,
    files: Vec<&'a ProjectPath>,
    cameras: Vec<&'a str>,
}

/// Adds those inputs that are `looked_at`, and neither exist nor are made.
pub(super) fn find(
    project: &Project,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    uses: &FileUses,
    looked_at: &(dyn Fn(&ProjectPath) -> bool + Sync),
    diagnostics: &mut Diagnostics,
) {
    let sources: Vec<_> = select::sources(graph, needed).collect();
    let missing = sources.into_par_iter().filter_map(|(task, n)| {
        let input = Some(&task.inputs[n]).filter(|input| looked_at(input))?;
        let error = os::fs::metadata(&project.layout.resolve(input)).err()?;
        Some((task, n, error))
    });
    let mut models: Vec<MissingModel<'_>> = Vec::new();
    let mut named = BTreeSet::new();
    for (task, n, error) in missing.collect::<Vec<_>>() {
        let input = &task.inputs[n];
        let used = uses.get(input);
        let is_absent = error.is_not_found() && os::tree::read_link(&error.path).is_err();
        if let Some(convert) = conversion_of(task, input).filter(|_| is_absent) {
            if named.insert(input) {
                diagnostics.push(weights(project, task, convert));
            }
            continue;
        }
        match used.map(|used| (&used.kind, used)) {
            // Two runs of one camera need the same file.
            Some(_) if !named.insert(input) => {}
            Some((StepFileKind::Model { name, precision, .. }, used)) if is_absent => {
                let is_same = |one: &&mut MissingModel<'_>| one.name == name && one.precision == precision;
                let cameras = used.cameras.iter().map(String::as_str);
                match models.iter_mut().find(is_same) {
                    Some(model) => {
                        model.files.push(input);
                        model.place = model.place.min(used.place);
                        model.cameras.extend(cameras);
                    }
                    None => models.push(MissingModel {
                        name,
                        precision,
                        place: used.place,
                        files: vec![input],
                        cameras: cameras.collect(),
                    }),
                }
            }
            Some((StepFileKind::Module, used)) if is_absent => diagnostics.push(module(input, used)),
            _ => diagnostics.push(other(task, n, used, &error)),
        }
    }
    models.sort_by_key(|model| model.place);
    if !models.is_empty() {
        diagnostics.push(of_models(project, &models));
    }
}

/// The files of the user's that keep the missing files of a model from being downloaded or made.
fn other_files(project: &Project, model: &MissingModel<'_>) -> Vec<ProjectPath> {
    let groups = model.files.iter().filter_map(|path| project.recipes.group_of(path));
    let files = groups.flat_map(FileGroup::paths);
    files.filter(|path| os::fs::metadata(&project.layout.resolve(path)).is_ok()).collect()
}

fn of_models(project: &Project, models: &[MissingModel<'_>]) -> Diagnostic {
    let n_files: usize = models.iter().map(|model| model.files.len()).sum();
    let message = match models {
        [one] => format!("{} of the model `{}` {} missing", counted(n_files, "file"), one.name, are(n_files)),
        many => format!("{} models are missing, {} in all", many.len(), counted(n_files, "file")),
    };
    let mut diagnostic = Diagnostic::error(codes::MISSING_MODEL, message);
    for (position, model) in models.iter().enumerate() {
        let mut cameras = model.cameras.clone();
        let mut seen = BTreeSet::new();
        cameras.retain(|camera| seen.insert(*camera));
        let label = format!("{} for {}: {}", model.precision, some_names(&cameras), by_folder(&model.files));
        diagnostic = match position {
            0 => diagnostic.at(model.place).label(label),
            _ => diagnostic.also(model.place, label),
        };
    }
    let mut ways: Vec<String> = Vec::new();
    let halves: BTreeSet<ProjectPath> = models.iter().flat_map(|model| other_files(project, model)).collect();
    if !halves.is_empty() {
        let halves = by_folder(&halves.iter().collect::<Vec<_>>());
        ways.push(format!("`lp` brings all of it if none is there: delete {halves}"));
    }
    for model in models {
        // That of a conversion is about its weights.
        let recipe = project.recipes.named(model.name).filter(|recipe| recipe.conversion.is_none());
        let by_hand = recipe.and_then(|recipe| recipe.by_hand.as_ref());
        let by_hand = by_hand.map(|text| text.trim_end().replace('\n', "\n   "));
        ways.extend(by_hand.filter(|text| !ways.contains(text)));
    }
    ways.extend(models.iter().filter_map(|model| in_another_form(project, model)));
    ways.extend(OTHER_WAYS.map(str::to_owned));
    let ways = (1..).zip(ways).map(|(n, way)| format!("{n}. {way}"));
    diagnostic.help(ways.collect::<Vec<_>>().join("\n"))
}

/// The way to a model that its recipe has in another form than steps read by themselves, such as
/// TFLite.
fn in_another_form(project: &Project, model: &MissingModel<'_>) -> Option<String> {
    let recipe = project.recipes.named(model.name)?;
    let is_model =
        |path: &&ProjectPath| [".tflite", ".onnx"].iter().any(|form| path.as_str().ends_with(form));
    let paths: Vec<ProjectPath> = recipe.groups().flat_map(FileGroup::paths).collect();
    let path = paths.iter().find(is_model).filter(|path| !model.files.contains(path))?;
    Some(format!(
        "`lp` has a recipe for it in another form, which the step must name:\n   `\"properties\": {{\"model\": \"{path}\"}}`"
    ))
}

/// The conversion of a task, if this input is its weights.
fn conversion_of<'t>(task: &'t Task, input: &ProjectPath) -> Option<&'t Convert> {
    match &task.action {
        Action::Convert(convert) if convert.weights == *input => Some(convert),
        _ => None,
    }
}

/// The missing weights of a model that would be converted.
fn weights(project: &Project, task: &Task, convert: &Convert) -> Diagnostic {
    let group = task.outputs.first().and_then(|path| project.recipes.group_of(path));
    let message = format!("`{}` does not exist, and `{}` converts it", convert.weights, task.label);
    let by_hand = group.and_then(|group| group.recipe.by_hand.as_ref());
    let by_hand = by_hand.map(|text| text.trim_end().replace('\n', "\n   "));
    let ways = by_hand.into_iter().chain(OTHER_WAYS.map(str::to_owned));
    let ways = (1..).zip(ways).map(|(n, way)| format!("{n}. {way}"));
    let label = format!("{} for {}", convert.precision, some_names(&convert.cameras));
    let diagnostic = Diagnostic::error(codes::MISSING_MODEL, message).at(task.place);
    diagnostic.label(label).help(ways.collect::<Vec<_>>().join("\n"))
}

fn are(n: usize) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

/// "m.bin, m.xml in `models/m`; m.json in `models`"
pub(crate) fn by_folder(files: &[&ProjectPath]) -> String {
    let mut folders: Vec<(&str, Vec<&str>)> = Vec::new();
    for path in files {
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or((".", path.as_str()));
        match folders.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, names)) => names.push(name),
            None => folders.push((folder, vec![name])),
        }
    }
    let folders = folders.iter().map(|(folder, names)| format!("{} in `{folder}`", names.join(", ")));
    folders.collect::<Vec<_>>().join("; ")
}

fn module(path: &ProjectPath, used: &FileUse) -> Diagnostic {
    let needs =
        format!("{} {}", some_names(&used.cameras), if used.cameras.len() == 1 { "needs" } else { "need" });
    let message = format!("the Python module `{path}` does not exist, and {needs} it");
    let mut ways: Vec<String> = Vec::new();
    match zoo::module_url(path.file_name()) {
        Some(url) => {
            let target = for_shell(path.as_str());
            ways.push(format!("it is upstream's: curl -fL --create-dirs -o {target} \\\n     {url}"));
        }
        None => ways.push("copy it there, or correct `module` of the step".to_owned()),
    }
    ways.push(
        "meanwhile: `lp run --decode-only` measures sources and decoding, without inference".to_owned(),
    );
    let ways = (1..).zip(ways).map(|(n, way)| format!("{n}. {way}"));
    Diagnostic::error(codes::MISSING_MODULE, message).at(used.place).help(ways.collect::<Vec<_>>().join("\n"))
}

fn other(task: &Task, n: usize, used: Option<&FileUse>, error: &os::fs::FsError) -> Diagnostic {
    let input = &task.inputs[n];
    let place = used.map_or_else(|| task.input_place(n), |used| used.place);
    let reader = match used.map(|used| used.cameras.as_slice()) {
        Some([]) | None => format!("`{}` reads it", task.label),
        Some([one]) => format!("`{one}` needs it"),
        Some(many) => format!("{} need it", some_names(many)),
    };
    let (what, help) = match os::tree::read_link(&error.path) {
        Ok(target) => {
            let target = target.as_path().to_string_lossy();
            (format!("is a link to `{}`, which leads to nothing", crate::text::harmless(&target)), None)
        }
        Err(_) if error.is_not_found() => {
            let help = match used {
                Some(_) => "copy it there, or correct its name",
                None => "correct its name, or add it to the `outputs` of the task that makes it",
            };
            ("does not exist".to_owned(), Some(help))
        }
        Err(_) => (format!("cannot be read: {}", error.source), None),
    };
    let diagnostic = Diagnostic::error(codes::NO_PRODUCER, format!("`{input}` {what}, and {reader}"));
    let diagnostic = diagnostic.at(place);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}
