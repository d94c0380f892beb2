//! The cells of a benchmark: a project for each combination of settings, and the runs that the
//! store has of it.
//!
//! A cell is found again by its *identity*: the key of its run without the number of the repeat, so
//! the contents of everything that is played, the conditions and the facts of the host. Whatever
//! changes one of them makes another cell, with runs of its own. A run counts as a *repeat* if it is
//! whole and nothing disturbed it; the others are listed with the reason.
//!
//! Nothing here runs or prints: `cli::bench` does.

mod stored;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::stored::runs as stored_runs;
use super::error::{CommandError, Result};
use super::open::Workspace;
use super::tools::{self, Tools};
use super::view;
use crate::bench::matrix::{Combination, Key, Matrix};
use crate::bench::pairs::Span;
use crate::config::load::{LoadRequest, load};
use crate::diag::Severity;
use crate::digest::ActionDigest;
use crate::graph::lower::Subject;
use crate::graph::{TaskGraph, TaskId, select};
use crate::model::Camera;
use crate::name::is_glob;
use crate::os;
use crate::record::comparison::RunOf;
use crate::record::measure::measure;
use crate::store::Store;
use crate::store::attempt::Attempt;
use crate::store::key::KeyDocument;
use crate::store::stale::differences;

/// The word for all cameras in the axis `camera`.
const LANE: &str = "lane";

/// A project with the settings of some cells.
pub(crate) struct Setting {
    /// The values of all axes but `camera`.
    pub(crate) values: Combination,
    pub(crate) opened: Workspace,
    pub(crate) subjects: Vec<Subject>,
}

/// A setting with its tasks.
pub(crate) struct Prepared {
    pub(crate) opened: Workspace,
    pub(crate) graph: TaskGraph,
    pub(crate) tools: Tools,
}

/// One combination of a matrix on this machine.
pub(crate) struct Cell {
    pub(crate) values: Combination,
    /// The index of its setting.
    pub(crate) setting: usize,
    pub(crate) subject: Subject,
}

/// The projects and cells of a matrix.
pub(crate) struct Cells {
    pub(crate) settings: Vec<Setting>,
    /// In the order of the matrix, each once.
    pub(crate) cells: Vec<Cell>,
}

impl Cells {
    /// Opens a project for each combination of settings, and finds the cameras of each cell. Of a
    /// baseline, every cell has its partner among them.
    ///
    /// # Errors
    /// With the faults of all combinations, each once.
    pub(crate) fn open(
        request: &LoadRequest,
        matrix: &Matrix,
        baseline: Option<&Combination>,
        cameras: &[String],
    ) -> Result<Cells> {
        let mut wanted = matrix.combinations();
        for one in matrix.combinations() {
            let partner = baseline.map_or(one.clone(), |baseline| one.with(baseline));
            if !wanted.contains(&partner) {
                wanted.push(partner);
            }
        }
        let mut cells = Cells { settings: Vec::new(), cells: Vec::new() };
        let mut refused: Vec<(Combination, CommandError)> = Vec::new();
        let mut tried: Vec<(Combination, Option<usize>)> = Vec::new();
        for values in wanted {
            let of_setting =
                Combination(values.0.iter().filter(|(key, _)| *key != Key::Camera).cloned().collect());
            let known = tried.iter().find(|(known, _)| *known == of_setting);
            let index = match known {
                Some((_, index)) => *index,
                None => {
                    let index = match open(request, &of_setting) {
                        Ok(opened) => {
                            let setting =
                                Setting { values: of_setting.clone(), opened, subjects: Vec::new() };
                            cells.settings.push(setting);
                            Some(cells.settings.len() - 1)
                        }
                        Err(error) => {
                            refused.push((of_setting.clone(), error));
                            None
                        }
                    };
                    tried.push((of_setting, index));
                    index
                }
            };
            let Some(index) = index else { continue };
            if let Err(error) = cells.add(values, index, cameras) {
                refused.push((cells.settings[index].values.clone(), error));
            }
        }
        if let Some(error) = each_once(refused) {
            return Err(error);
        }
        cells.sort(matrix);
        Ok(cells)
    }

    /// Puts cells of the matrix into its order, as if each camera that a pattern matches was named.
    fn sort(&mut self, matrix: &Matrix) {
        let mut orders: Vec<(Key, Vec<String>)> = Vec::new();
        for axis in &matrix.axes {
            let mut values: Vec<String> = Vec::new();
            for value in self.cells.iter().filter_map(|cell| cell.values.get(&axis.key)) {
                if !values.iter().any(|known| known == value) {
                    values.push(value.to_owned());
                }
            }
            orders.push((axis.key.clone(), values));
        }
        self.cells.sort_by_cached_key(|cell| {
            let at = |(key, values): &(Key, Vec<String>)| {
                values.iter().position(|value| cell.values.get(key) == Some(value))
            };
            orders.iter().map(at).collect::<Vec<_>>()
        });
    }

    /// Adds the cells of a combination: one for each camera that a pattern names.
    fn add(&mut self, values: Combination, index: usize, cameras: &[String]) -> Result<()> {
        let setting = &mut self.settings[index];
        let subjects = match values.get(&Key::Camera) {
            None if cameras.is_empty() => vec![(None, Subject::lane(&setting.opened.project))],
            None => vec![(None, Subject::of(&setting.opened.project, &setting.opened.cameras(cameras)?))],
            Some(word) => subjects(&setting.opened, word)?,
        };
        for (name, subject) in subjects {
            if subject.members.is_empty() {
                return Err(CommandError::refused("this project has no cameras to run"));
            }
            let mut values = values.clone();
            if let (Some(name), Some((_, value))) =
                (name, values.0.iter_mut().find(|(key, _)| *key == Key::Camera))
            {
                *value = name;
            }
            if !setting.subjects.contains(&subject) {
                setting.subjects.push(subject.clone());
            }
            if !self.cells.iter().any(|cell| cell.values == values) {
                self.cells.push(Cell { values, setting: index, subject });
            }
        }
        Ok(())
    }
}

/// Reads the project with the values of a setting.
fn open(request: &LoadRequest, values: &Combination) -> Result<Workspace> {
    let mut request = request.clone();
    if let Some(profile) = values.get(&Key::Profile) {
        request.profile = Some(profile.to_owned());
    }
    request.sets.extend(values.sets());
    Workspace::new(load(&request))?.adopting()
}

/// The subjects that a value of the axis `camera` names: `till-1`, `till-*` (one for each),
/// `till-1+till-2` (both side by side), `lane` (all of them).
fn subjects(opened: &Workspace, word: &str) -> Result<Vec<(Option<String>, Subject)>> {
    let project = &opened.project;
    let one = |camera: &Camera| (Some(camera.name.clone()), Subject::of(project, &[camera]));
    if let Some(camera) = project.camera(word) {
        return Ok(vec![one(camera)]);
    }
    if word == LANE {
        return Ok(vec![(Some(LANE.to_owned()), Subject::lane(project))]);
    }
    if is_glob(word) {
        return Ok(opened.cameras(&[word.to_owned()])?.into_iter().map(one).collect());
    }
    let words: Vec<String> = word.split('+').map(|word| word.trim().to_owned()).collect();
    Ok(vec![(Some(word.to_owned()), Subject::of(project, &opened.cameras(&words)?))])
}

/// The faults of all settings; those that several have are there once, without a name, and others
/// with the setting that has them.
fn each_once(refused: Vec<(Combination, CommandError)>) -> Option<CommandError> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let new = refused.into_iter().filter(|(_, error)| seen.insert(in_a_line(error))).collect::<Vec<_>>();
    CommandError::all(new.into_iter().map(|(values, error)| {
        if values.0.is_empty() { error } else { error.details([format!("in the cell `{values}`")]) }
    }))
}

/// An error in one line: what keeps a cell from being measured.
pub(crate) fn in_a_line(error: &CommandError) -> String {
    let mut parts: Vec<String> = Vec::new();
    for report in &error.reports {
        match &report.faults {
            Some((diagnostics, _)) => {
                let errors = diagnostics.sorted().into_iter().filter(|one| one.severity == Severity::Error);
                parts.extend(errors.map(|one| one.message.clone()));
            }
            None => parts.push([std::slice::from_ref(&report.message), &report.causes].concat().join(": ")),
        }
    }
    let mut seen = BTreeSet::new();
    parts.retain(|part| seen.insert(part.clone()));
    parts.join("; ")
}

impl Setting {
    /// With its tasks and its worker; also notes for people.
    pub(crate) fn prepared(self, store: &Store) -> Result<(Prepared, Vec<String>)> {
        let (tasks, notes) = self.opened.tasks(&self.subjects);
        let graph = self.opened.link(tasks)?;
        let runs: BTreeSet<TaskId> =
            self.subjects.iter().filter_map(|subject| graph.by_label(&subject.run_label())).collect();
        let tools = tools::look(store, self.opened.worker(), &graph, &select::closure(&graph, &runs));
        Ok((Prepared { opened: self.opened, graph, tools }, notes))
    }
}

/// A run that counts.
pub(crate) struct Repeat {
    pub(crate) attempt: Arc<Attempt>,
    /// What comparisons need of its record.
    pub(crate) run: RunOf,
}

impl Repeat {
    /// When it was made.
    pub(crate) fn span(&self) -> Span {
        let begin_ms = self.attempt.started.unix_millis();
        let length = i64::try_from(self.attempt.duration_ms).unwrap_or(i64::MAX);
        Span { begin_ms, end_ms: begin_ms.saturating_add(length) }
    }
}

/// A run that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dismissed {
    /// The run's id, or when it began if it left no record.
    pub(crate) run: String,
    pub(crate) why: String,
}

/// What the store has of a cell.
#[derive(Default)]
pub(crate) struct Past {
    /// Oldest first.
    pub(crate) repeats: Vec<Arc<Repeat>>,
    pub(crate) dismissed: Vec<Dismissed>,
}

impl Past {
    /// The runs of a cell with this identity.
    pub(crate) fn of(store: &Store, label: &str, key: &KeyDocument) -> Past {
        let mut past = Past::default();
        for attempt in store.repeats_of(label, key).into_iter().rev() {
            // One that does not count is listed.
            let _ = past.take(store, attempt);
        }
        past
    }

    /// Takes in a run. Whether it counts.
    pub(crate) fn take(
        &mut self,
        store: &Store,
        attempt: Arc<Attempt>,
    ) -> std::result::Result<Arc<Repeat>, String> {
        let counted = repeat(store, &attempt);
        match counted {
            Ok(repeat) => {
                let repeat = Arc::new(repeat);
                self.repeats.push(Arc::clone(&repeat));
                Ok(repeat)
            }
            Err(why) => {
                let run = attempt.run_id().unwrap_or_else(|| attempt.started.compact());
                self.dismissed.push(Dismissed { run, why: why.clone() });
                Err(why)
            }
        }
    }
}

/// The run of an attempt, or the reason why it does not count.
fn repeat(store: &Store, attempt: &Arc<Attempt>) -> std::result::Result<Repeat, String> {
    if attempt.outputs.is_empty() {
        let first = |detail: &String| detail.lines().next().unwrap_or_default().to_owned();
        return Err(attempt.detail.as_ref().map_or_else(|| "it left no record".to_owned(), first));
    }
    let stored = view::read(store, attempt).map_err(|error| format!("{error:#}"))?;
    let run = RunOf::of(&stored.run, &stored.record, measure(&stored.record));
    match why_dismissed(Some(attempt), &run) {
        Some(why) => Err(why),
        None => Ok(Repeat { attempt: Arc::clone(attempt), run }),
    }
}

/// Why a run does not count as a repeat.
fn why_dismissed(attempt: Option<&Attempt>, run: &RunOf) -> Option<String> {
    let of_attempt = || match attempt {
        Some(attempt) if !attempt.is_reusable() => Some("it is not whole".to_owned()),
        _ if run.conditions.traced => Some("it was traced, which takes CPU time".to_owned()),
        _ => None,
    };
    run.excluded.clone().or_else(of_attempt)
}

/// Why a cell without repeats has none although its cameras were measured before: the
/// differences from the most similar run.
pub(crate) fn why_new(store: &Store, label: &str, key: &KeyDocument) -> Option<String> {
    let identity = key.digest();
    let runs = store.attempts_of(label);
    let mut seen: BTreeSet<ActionDigest> = BTreeSet::new();
    let others =
        runs.iter().filter(|attempt| attempt.measurement).map(|attempt| attempt.document.without_repeat());
    let others = others.filter(|document| document.digest() != identity && seen.insert(document.digest()));
    let nearest = others.map(|document| differences(&document, key)).min_by_key(Vec::len)?;
    let (first, more) = nearest.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
    Some(format!("{first}{more}"))
}

/// Writes the forms of a benchmark into `results/bench/<name>/`.
pub(crate) fn write(results: &Path, name: &str, forms: &[(&str, String)]) -> anyhow::Result<PathBuf> {
    let folder = results.join("bench").join(name);
    for (file, text) in forms {
        let path = folder.join(file);
        os::fs::create_parent(&path)?;
        os::fs::write_atomic(&path, text.as_bytes())?;
    }
    Ok(folder)
}
