//! From flags to a project, and from a project to its graph.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context;
use rayon::prelude::*;

use super::args::{Color, Global};
use super::{Refused, console, scripts, tools};
use crate::config::load::{LPFILE, LoadRequest, Loaded, Scope, find_root, load};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Severity, Sources};
use crate::digest::ContentDigest;
use crate::graph::alias::Aliases;
use crate::graph::lower::{Lowering, Subject, lower};
use crate::graph::{TaskGraph, TaskId, link, select};
use crate::model::{Camera, Project};
use crate::name::did_you_mean;
use crate::os;
use crate::path::{Layout, ProjectPath};
use crate::plan::lane::Lane;
use crate::worker::error::WorkerError;
use crate::worker::launch::Launch;

/// A project that was read without errors.
pub(super) struct Opened {
    pub(super) project: Project,
    pub(super) sources: Sources,
    /// The config files as they were read, and the patterns of `project.include`.
    pub(super) files: Vec<(PathBuf, Option<ContentDigest>)>,
    pub(super) includes: Vec<(String, Vec<ProjectPath>)>,
    /// Whether nothing was printed about it.
    pub(super) is_clean: Cell<bool>,
    pub(super) color: crate::diag::Color,
    /// What `Lpfile.toml` says, with profile and overrides laid over it.
    pub(super) settings: crate::config::tree::Node,
    lane: OnceCell<Lane>,
}

/// The directory that `lp` works in.
pub(super) fn directory(global: &Global) -> anyhow::Result<PathBuf> {
    let current = os::env::current_dir().context("failed to find the current directory")?;
    let Some(directory) = &global.directory else { return Ok(current) };
    let directory = current.join(directory);
    // As the current directory of a process, it has no `..` and no links, so that
    // paths below it can be compared. One that is not there is reported later.
    Ok(os::fs::canonicalize(&directory).unwrap_or(directory))
}

/// The folder with the store of the project that `lp` works in: that of its
/// `Lpfile.toml` or, of a project without one, the current folder.
pub(super) fn store_root(global: &Global) -> anyhow::Result<PathBuf> {
    let here = directory(global)?;
    if let Some(root) = find_root(&here) {
        return Ok(root);
    }
    if Layout::new(here.clone()).cache().is_dir() {
        return Ok(here);
    }
    console::note(&format!(
        "error: there is no `{LPFILE}` in `{}` or above, and no store here",
        here.display()
    ));
    console::note("  hint: name the project's folder with `-C DIR`");
    Err(Refused.into())
}

/// Reads the config files of `global`, with more `--set`s behind the user's.
pub(super) fn read(global: &Global, more_sets: &[String]) -> anyhow::Result<Loaded> {
    Ok(load(&request(global, more_sets)?))
}

/// What `global` asks to read.
pub(super) fn request(global: &Global, more_sets: &[String]) -> anyhow::Result<LoadRequest> {
    let current = os::env::current_dir().context("failed to find the current directory")?;
    // `--cameras` and `--workloads` are relative to where the user stands.
    let absolute = |path: &Option<PathBuf>| path.as_ref().map(|path| current.join(path));
    Ok(LoadRequest {
        dir: directory(global)?,
        cameras: absolute(&global.cameras),
        workloads: absolute(&global.workloads),
        profile: global.profile.clone(),
        sets: global.sets.iter().chain(more_sets).cloned().collect(),
        scope: Scope::Project,
        env: os::env::all(),
    })
}

/// Whether stderr gets colours.
pub(super) fn color(global: &Global) -> crate::diag::Color {
    use std::io::IsTerminal;
    let wanted = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            os::env::raw("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
        }
    };
    if wanted { crate::diag::Color::Always } else { crate::diag::Color::Never }
}

/// Prints what was found, for people.
pub(super) fn print(diagnostics: &Diagnostics, sources: &Sources, color: crate::diag::Color) {
    if diagnostics.is_empty() {
        return;
    }
    let text = match os::terminal::columns() {
        // In less, a caret and its text have no room.
        Some(columns) => diagnostics.render_within(sources, color, columns.max(40)),
        None => diagnostics.render_human(sources, color),
    };
    console::note(text.trim_end());
}

/// Reads a project, prints what is wrong with it, and refuses it if it has errors.
pub(super) fn open(global: &Global, more_sets: &[String]) -> anyhow::Result<Opened> {
    accept(global, read(global, more_sets)?)
}

/// Prints what is wrong with a project that was read, and refuses it if it has errors.
pub(super) fn accept(global: &Global, loaded: Loaded) -> anyhow::Result<Opened> {
    let color = color(global);
    // Notes are for `lp check`; what may be a mistake is shown everywhere.
    if loaded.diagnostics.count(Severity::Error) + loaded.diagnostics.count(Severity::Warning) > 0 {
        print(&loaded.diagnostics, &loaded.sources, color);
    }
    let Some(project) = loaded.project else {
        console::note(&refusal(&loaded.diagnostics));
        return Err(Refused.into());
    };
    let is_clean = Cell::new(loaded.diagnostics.count(Severity::Warning) == 0);
    let Loaded { sources, files, includes, settings, .. } = loaded;
    Ok(Opened { project, sources, files, includes, is_clean, color, settings, lane: OnceCell::new() })
}

/// "error: 3 errors, 1 warning"
pub(super) fn refusal(diagnostics: &Diagnostics) -> String {
    let counted = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let mut text = format!("error: {}", counted(diagnostics.count(Severity::Error), "error"));
    match diagnostics.count(Severity::Warning) {
        0 => {}
        n => text.push_str(&format!(", {}", counted(n, "warning"))),
    }
    text
}

/// What keeps a project's tasks from being a graph, and the scripts of its cameras
/// from being run. The tasks that `lp` itself makes always are a graph, so only
/// what users wrote is reason to look, and to plan the lane.
pub(super) fn graph_faults<'l>(project: &Project, lane: impl FnOnce() -> &'l Lane) -> Diagnostics {
    let scripts = scripts::of_cameras(project);
    if project.tasks.is_empty() && scripts.is_empty() {
        return Diagnostics::new();
    }
    let (subjects, lane) = ([Subject::lane(project)], lane());
    let lowered =
        lower(&Lowering { project, lane, subjects: &subjects, variable: &|_| None, parts: &|_| Vec::new() });
    let aliases = Aliases::find(&project.layout, &lowered.tasks);
    let graph = match link::link_by(lowered.tasks, aliases) {
        Ok(graph) => graph,
        Err(faults) => return of_faults(faults),
    };
    let mut diagnostics = Diagnostics::new();
    if let Some(run) = graph.by_label("run:lane").filter(|_| !scripts.is_empty()) {
        let needed = BTreeSet::from([run]);
        let places = scripts::check(project, lane, &graph, &needed, &mut diagnostics);
        let is_script = |input: &ProjectPath| scripts.contains(input);
        missing_inputs(project, &graph, &needed, &places, &is_script, &mut diagnostics);
    }
    diagnostics
}

/// Adds those inputs that are `looked_at`, and neither exist nor are made.
fn missing_inputs(
    project: &Project,
    graph: &TaskGraph,
    needed: &BTreeSet<TaskId>,
    places: &BTreeMap<ProjectPath, Place>,
    looked_at: &(dyn Fn(&ProjectPath) -> bool + Sync),
    diagnostics: &mut Diagnostics,
) {
    let sources: Vec<_> = select::sources(graph, needed).collect();
    let missing = sources.into_par_iter().filter_map(|(task, n)| {
        let input = Some(&task.inputs[n]).filter(|input| looked_at(input))?;
        let error = os::fs::metadata(&project.layout.resolve(input)).err()?;
        Some((task, n, error))
    });
    for (task, n, error) in missing.collect::<Vec<_>>() {
        let input = &task.inputs[n];
        let place = places.get(input).copied().unwrap_or_else(|| task.input_place(n));
        let reads = format!("`{}` reads `{input}`", task.label);
        let why = match os::tree::read_link(&error.path) {
            Ok(target) => {
                let target = target.as_path().to_string_lossy();
                format!("a link to `{}`, which leads to nothing", crate::path::shown(&target))
            }
            Err(_) if error.is_not_found() => "which does not exist and which no task makes".to_owned(),
            Err(_) => format!("which cannot be read: {}", error.source),
        };
        diagnostics.push(Diagnostic::error(codes::NO_PRODUCER, format!("{reads}, {why}")).at(place));
    }
}

fn of_faults(faults: Vec<link::LinkFault>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    for fault in faults {
        let mut diagnostic =
            Diagnostic::error(codes::GRAPH, fault.message).at(fault.place).label(fault.label);
        for (place, text) in fault.others {
            diagnostic = diagnostic.also(place, text);
        }
        diagnostics.push(diagnostic);
    }
    diagnostics
}

/// The files in which an ONNX model keeps tensors, and a note for each that lies
/// outside the project. None of a file that cannot be read: who plays it says so.
fn parts(layout: &Layout, model: &ProjectPath) -> (Vec<ProjectPath>, Vec<String>) {
    let names = os::onnx::external_files(&layout.resolve(model)).unwrap_or_default();
    let folder = model.folders().next().map_or(String::new(), |folder| format!("{folder}/"));
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for name in names {
        let written = if name.starts_with('/') { name.clone() } else { format!("{folder}{name}") };
        match ProjectPath::new(&written) {
            Ok(path) => inside.push(path),
            Err(_) => outside.push(format!(
                "`{model}` keeps data in `{}`, outside the project: a change of it is not seen",
                crate::path::shown(&name)
            )),
        }
    }
    (inside, outside)
}

impl Opened {
    /// Prints faults that were found after reading.
    pub(super) fn refuse(&self, diagnostics: &Diagnostics) -> Refused {
        print(diagnostics, &self.sources, self.color);
        console::note(&refusal(diagnostics));
        Refused
    }

    /// The project's cameras, planned when the first asks.
    pub(super) fn lane(&self) -> &Lane {
        self.lane.get_or_init(|| Lane::of(&self.project))
    }

    /// How the project's workers are started.
    pub(super) fn worker(&self) -> Result<Launch, WorkerError> {
        tools::find(self.project.settings.worker.as_ref(), &self.project.layout.root)
    }

    /// The graph with the tasks of these runs.
    pub(super) fn graph(&self, subjects: &[Subject]) -> Result<TaskGraph, Refused> {
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
        let outside = outside.into_inner();
        for note in outside.iter().chain(&lowered.notes) {
            self.is_clean.set(false);
            console::note(&format!("note: {note}"));
        }
        let aliases = Aliases::find(&self.project.layout, &lowered.tasks);
        link::link_by(lowered.tasks, aliases).map_err(|faults| self.refuse(&of_faults(faults)))
    }

    /// The tasks that targets name, and all that these need.
    pub(super) fn select(
        &self,
        graph: &TaskGraph,
        targets: &[String],
    ) -> Result<(BTreeSet<TaskId>, BTreeSet<TaskId>), Refused> {
        let wanted = select::targets(graph, &self.project, targets).map_err(|unknown| {
            for target in unknown {
                console::note(&format!("error: `{}` is no target", target.target));
                if let Some(meant) = target.suggestion {
                    console::note(&format!("  hint: did you mean `{meant}`?"));
                }
            }
            Refused
        })?;
        let needed = select::closure(graph, &wanted);
        Ok((wanted, needed))
    }

    /// Refuses inputs that neither exist nor are made, and scripts that cannot run.
    pub(super) fn check_sources(&self, graph: &TaskGraph, needed: &BTreeSet<TaskId>) -> Result<(), Refused> {
        let diagnostics = self.source_faults(graph, needed);
        if diagnostics.is_empty() { Ok(()) } else { Err(self.refuse(&diagnostics)) }
    }

    /// Inputs that neither exist nor are made, and scripts that cannot run.
    pub(super) fn source_faults(&self, graph: &TaskGraph, needed: &BTreeSet<TaskId>) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        let places = scripts::check(&self.project, self.lane(), graph, needed, &mut diagnostics);
        missing_inputs(&self.project, graph, needed, &places, &|_| true, &mut diagnostics);
        diagnostics
    }

    /// The cameras that were named, in that order.
    pub(super) fn cameras(&self, names: &[String]) -> Result<Vec<&Camera>, Refused> {
        let mut cameras = Vec::new();
        let mut refused = false;
        for name in names {
            match self.project.camera(name) {
                Some(camera) => cameras.push(camera),
                None => {
                    refused = true;
                    console::note(&format!("error: there is no camera `{name}`"));
                    let known: Vec<&str> =
                        self.project.cameras.iter().map(|camera| camera.name.as_str()).collect();
                    match did_you_mean(name, known.iter().copied()) {
                        Some(meant) => console::note(&format!("  hint: did you mean `{meant}`?")),
                        None if known.is_empty() => console::note("  hint: this project has no cameras"),
                        None => {
                            let some = known.iter().take(8).copied().collect::<Vec<_>>().join(", ");
                            let more = if known.len() > 8 { ", ..." } else { "" };
                            console::note(&format!("  hint: cameras are {some}{more}"));
                        }
                    }
                }
            }
        }
        if refused { Err(Refused) } else { Ok(cameras) }
    }
}
