//! `lp import --results DIR`: the results of Intel's loss-prevention as records of the store.
//!
//! Each folder below DIR that has logs of streams is read by itself, and gives a record for each run in it. Links
//! are followed only to files within DIR. A run that was imported before is not added again: its identity is
//! that of its files and of the cameras that were named.
//!
//! Not here: what the files mean (`record::upstream_results`).

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};

use super::super::args::{Global, ImportArgs};
use super::super::project::{request, store_layout};
use super::super::{Exit, console};
use crate::config::load::{LoadRequest, Scope, load};
use crate::digest::ContentDigest;
use crate::model::{Camera, Project, Step};
use crate::name::Slug;
use crate::os;
use crate::path::{Layout, ProjectPath, shown};
use crate::record::RunRecord;
use crate::record::imported::{Imported, NotRead};
use crate::record::measure::measure;
use crate::record::upstream_results::{Folder, ImportedRun, LaneCamera, LanePipeline, MOST_FILES, VERSION};
use crate::report::Report;
use crate::store::Store;
use crate::store::attempt::{Attempt, AttemptOutcome, Modes, OutputEntry, OutputKind};
use crate::store::key::KeyDocument;
use crate::text::{counted, harmless, harmless_lines};
use crate::time::Utc;
use crate::workspace::error::{self, CommandError, Result};
use crate::workspace::view;

/// How deep folders are searched.
const DEEPEST: usize = 4;

/// The most files that are named of those that were not read; the JSON document has all.
const MOST_NAMED: usize = 20;

/// How much of a file is read at once.
const PIECE: usize = 1 << 18;

pub(super) fn run(global: &Global, args: &ImportArgs, folder: &Path) -> Result<Exit> {
    // The files of the cameras are about the results, not about this project.
    let layout = store_layout(&Global { cameras: None, workloads: None, ..global.clone() })?;
    let cameras = cameras(global, args)?;
    let current = os::env::current_dir().context("failed to find the current directory")?;
    let root =
        os::fs::canonicalize(&current.join(folder)).map_err(|error| CommandError::refused_by(&error))?;
    if !root.is_dir() {
        return Err(CommandError::refused(format!("`{}` is no folder", shown(folder))));
    }
    let found = Found::below(&root)?;
    let name =
        root.file_name().map_or_else(|| "results".to_owned(), |name| name.to_string_lossy().into_owned());
    let mut runs = Vec::new();
    let mut not_read = found.not_read;
    for (place, paths) in found.folders {
        let (of_folder, rest) = read(&root, &name, &place, &paths, cameras.as_deref());
        runs.extend(of_folder);
        not_read.extend(rest);
    }
    if runs.is_empty() {
        return Err(nothing(folder, &not_read));
    }
    let store = Store::open(layout.clone())?;
    let mut kept = Vec::new();
    for run in runs {
        kept.push(keep(&store, &layout, &root, run, cameras.as_deref())?);
    }
    if args.json {
        console::out(&document(folder, &kept, &not_read));
        return Ok(Exit::Done);
    }
    kept.iter().for_each(|kept| console::out(&kept.text()));
    for line in named(&not_read) {
        console::note(&format!("not read: {line}"));
    }
    let newest = kept.last().expect("there is a run");
    console::note(&format!(
        "`lp report {}` shows {}",
        newest.run,
        if kept.len() == 1 { "it" } else { "the newest" }
    ));
    Ok(Exit::Done)
}

/// The error of a folder in which nothing was understood.
fn nothing(folder: &Path, not_read: &[NotRead]) -> CommandError {
    let message =
        format!("`{}` has no results of a run that can be read, so nothing was imported", shown(folder));
    let hint =
        "a run leaves `pipeline_stream<i>_<time>_<container>.log` for each stream; see docs/from-upstream.md";
    CommandError::refused(message).details(named(not_read)).hint(hint)
}

/// Files that were not read, and why; at most so many.
fn named(not_read: &[NotRead]) -> Vec<String> {
    let line = |one: &NotRead| format!("{}: {}", harmless(&one.file), harmless_lines(&one.reason));
    let mut lines: Vec<String> = not_read.iter().take(MOST_NAMED).map(line).collect();
    if MOST_NAMED < not_read.len() {
        lines.push(format!("and {} more", counted(not_read.len() - MOST_NAMED, "file")));
    }
    lines
}

/// The cameras that the user names, as upstream plays them.
fn cameras(global: &Global, args: &ImportArgs) -> Result<Option<Vec<LaneCamera>>> {
    let workloads = match (&global.cameras, &args.workloads[..]) {
        (None, []) => return Ok(None),
        (Some(_), [workloads]) => workloads,
        _ => {
            let hint = "`lp import --results DIR --cameras FILE --workloads FILE`, or neither";
            return Err(CommandError::refused("`--results` takes one file of cameras with one of workloads")
                .hint(hint));
        }
    };
    let current = os::env::current_dir().context("failed to find the current directory")?;
    let workloads = Some(current.join(workloads));
    let loaded = load(&LoadRequest { workloads, scope: Scope::Pair, ..request(global, &[])? });
    let Some(project) = &loaded.project else {
        super::show(&loaded, None);
        return Err(CommandError::refused(error::count(&loaded.diagnostics)));
    };
    Ok(Some(project.cameras.iter().map(|camera| lane_camera(project, camera)).collect()))
}

/// A camera with its pipelines as upstream merges its workloads: by type, model, precision and device of their steps.
fn lane_camera(project: &Project, camera: &Camera) -> LaneCamera {
    let mut pipelines: Vec<(Vec<String>, LanePipeline)> = Vec::new();
    for name in &camera.workloads {
        let Some(workload) = project.workloads.named(name) else { continue };
        let sign = |step: &Step| match step.model() {
            Some(model) => format!("{} {} {} {}", step.kind(), model.name, model.precision, model.device),
            None => step.kind().to_owned(),
        };
        let signature: Vec<String> = workload.steps.iter().map(sign).collect();
        match pipelines.iter_mut().find(|(known, _)| *known == signature) {
            Some((_, pipeline)) => pipeline.workloads.push(name.clone()),
            None => {
                let is_detector = |step: &&Step| matches!(step, Step::Detect(_));
                let detectors = workload.steps.iter().filter(is_detector).count();
                let detectors = u32::try_from(detectors).unwrap_or(u32::MAX);
                pipelines.push((signature, LanePipeline { workloads: vec![name.clone()], detectors }));
            }
        }
    }
    LaneCamera {
        name: camera.name.clone(),
        target_fps: camera.target_fps.unwrap_or(camera.fps),
        // By its name, whatever its steps are.
        is_skipped: camera.workloads.iter().any(|name| name.eq_ignore_ascii_case("lp_vlm")),
        pipelines: pipelines.into_iter().map(|(_, pipeline)| pipeline).collect(),
    }
}

/// The files below a folder.
#[derive(Default)]
struct Found {
    /// Paths relative to the root, by the folder that they are in.
    folders: BTreeMap<PathBuf, Vec<PathBuf>>,
    not_read: Vec<NotRead>,
    n_files: usize,
}

impl Found {
    fn below(root: &Path) -> Result<Found> {
        let mut found = Found::default();
        found.add(root, Path::new(""), 0)?;
        Ok(found)
    }

    fn add(&mut self, root: &Path, place: &Path, depth: usize) -> Result<()> {
        let mut paths = match os::fs::list_paths(&root.join(place)) {
            Ok(paths) => paths,
            Err(error) if depth == 0 => return Err(CommandError::refused_by(&error)),
            Err(error) => {
                let file = place.to_string_lossy().into_owned();
                self.not_read.push(NotRead { file, reason: format!("it cannot be read: {}", error.source) });
                return Ok(());
            }
        };
        paths.sort();
        for path in paths {
            self.n_files += 1;
            if MOST_FILES < self.n_files {
                let message = format!("the folder has more than {MOST_FILES} files");
                return Err(CommandError::refused(message).hint("name the folder of one benchmark"));
            }
            let Some(name) = path.file_name() else { continue };
            let relative = place.join(name);
            let refuse = |found: &mut Found, reason: &str| {
                let file = relative.to_string_lossy().into_owned();
                found.not_read.push(NotRead { file, reason: reason.to_owned() });
            };
            if name.to_string_lossy().starts_with('.') {
                refuse(self, "it is hidden");
                continue;
            }
            let Some(metadata) = os::fs::look(&path)? else { continue };
            if metadata.is_symlink() {
                match os::fs::canonicalize(&path) {
                    Ok(target) if !target.starts_with(root) => {
                        refuse(self, "a link that leads out of the folder")
                    }
                    Ok(target) if target.is_dir() => refuse(self, "a link to a folder"),
                    Ok(_) => self.folders.entry(place.to_owned()).or_default().push(relative),
                    Err(_) => refuse(self, "a link that leads nowhere"),
                }
            } else if metadata.is_dir() {
                if os::fs::is_file(&path.join("record.json")) {
                    refuse(self, "a run of lp");
                } else if depth + 1 == DEEPEST {
                    refuse(self, "a folder that is too deep");
                } else {
                    self.add(root, &relative, depth + 1)?;
                }
            } else if name.to_str().is_none() {
                refuse(self, "its name is no UTF-8");
            } else {
                self.folders.entry(place.to_owned()).or_default().push(relative);
            }
        }
        Ok(())
    }
}

/// The runs of a folder.
fn read(
    root: &Path,
    name: &str,
    place: &Path,
    paths: &[PathBuf],
    cameras: Option<&[LaneCamera]>,
) -> (Vec<ImportedRun>, Vec<NotRead>) {
    let name = match place.to_string_lossy() {
        place if place.is_empty() => name.to_owned(),
        place => format!("{name}/{place}"),
    };
    let newest = paths.iter().filter_map(|path| modified(&root.join(path))).max();
    let newest = newest.unwrap_or_else(|| Utc::from_unix_millis(0));
    let mut folder = Folder::new(&name, cameras.map(<[LaneCamera]>::to_vec), newest);
    for path in paths {
        let shown = path.to_string_lossy();
        let Some(mut reader) = folder.open(&shown) else { continue };
        match feed(&root.join(path), &mut |piece| {
            reader.push(piece);
            !reader.is_full()
        }) {
            Ok(()) => folder.add(reader),
            Err(error) => folder.refuse(&shown, format!("it cannot be read: {error}")),
        }
    }
    folder.runs()
}

fn modified(path: &Path) -> Option<Utc> {
    let time = os::fs::metadata(path).ok()?.modified().ok()?;
    let millis = time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    Some(Utc::from_unix_millis(i64::try_from(millis).ok()?))
}

/// Gives a file piece by piece, as long as they are wanted.
fn feed(path: &Path, take: &mut dyn FnMut(&[u8]) -> bool) -> std::io::Result<()> {
    let (mut file, _) = os::fs::open_regular(path)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            n if !take(&piece[..n]) => return Ok(()),
            _ => {}
        }
    }
}

/// A run that is in the store.
struct Kept {
    run: String,
    record: RunRecord,
    verdict: String,
    /// Whether it was there before.
    is_known: bool,
}

/// Adds a run to the store, unless it is there, and writes its pages.
fn keep(
    store: &Store,
    layout: &Layout,
    root: &Path,
    run: ImportedRun,
    cameras: Option<&[LaneCamera]>,
) -> Result<Kept> {
    let ImportedRun { record, files } = run;
    let mut contents: BTreeMap<String, ContentDigest> = BTreeMap::new();
    for file in files {
        let (digest, _) = os::fs::hash_file(&root.join(&file))?;
        let name = file.rsplit('/').next().unwrap_or(&file).to_owned();
        contents.insert(name, digest);
    }
    let action = json!({ "kind": "import", "reader": VERSION, "files": contents, "cameras": cameras });
    let document = KeyDocument::new(action, BTreeMap::new());
    let digest = document.digest();
    let known =
        store.attempts().into_iter().find(|attempt| attempt.is_imported() && attempt.action == digest);
    let (attempt, is_known) = match known {
        Some(known) => (known, true),
        None => {
            let bytes = serde_json::to_vec(&record).context("failed to write the record")?;
            let attempt = Arc::new(entry(store, &record, document, &bytes)?);
            store.record_attempt(&attempt)?;
            (attempt, false)
        }
    };
    let stored = view::read(store, &attempt)?;
    let measurement = measure(&stored.record);
    let shown = Report { run: &stored.run, record: &stored.record, measurement: &measurement };
    view::write_pages(layout, store, &attempt, &shown).context("failed to write the pages of this run")?;
    Ok(Kept {
        run: stored.run.clone(),
        verdict: measurement.verdict.clone(),
        record: stored.record,
        is_known,
    })
}

fn entry(store: &Store, record: &RunRecord, document: KeyDocument, bytes: &[u8]) -> Result<Attempt> {
    let folder = record.imported.as_ref().map_or("results", |imported| imported.folder.as_str());
    let slug = Slug::of(folder).map_or_else(|| "results".to_owned(), |slug| slug.to_string());
    let path =
        ProjectPath::new(&format!("results/import/{slug}.json")).context("a slug is a name of a file")?;
    let content = store.put_bytes(bytes)?;
    let output = OutputEntry {
        path,
        kind: OutputKind::File,
        content,
        executable: false,
        size: bytes.len() as u64,
        modes: Modes::default(),
    };
    let ends = record.members.iter().flat_map(|member| &member.scripts);
    let length_us = ends.filter_map(|script| Some(script.window_us?.1)).max().unwrap_or(0);
    Ok(Attempt {
        label: format!("{}{slug}", Attempt::IMPORT),
        action: document.digest(),
        document,
        outputs: vec![output],
        logs: None,
        started: record.started,
        duration_ms: length_us / 1000,
        outcome: AttemptOutcome::Succeeded,
        detail: None,
        measurement: true,
        // Builds never ask for its label, so nothing of `lp` can reuse it.
        complete: record.is_complete(),
        repeat: None,
    })
}

impl Kept {
    fn imported(&self) -> &Imported {
        self.record.imported.as_ref().expect("it was imported")
    }

    fn text(&self) -> String {
        let imported = self.imported();
        let known = if self.is_known { " (imported before)" } else { "" };
        let mut text = format!("{}{known}: {}\n", self.run, self.verdict);
        imported.corrected.iter().for_each(|line| text += &format!("  corrected: {line}\n"));
        imported.unknown.iter().for_each(|line| text += &format!("  unknown: {line}\n"));
        harmless_lines(&text)
    }

    fn document(&self) -> Value {
        let imported = self.imported();
        json!({
            "run": self.run,
            "new": !self.is_known,
            "started": self.record.started,
            "verdict": self.verdict,
            "imported": imported,
        })
    }
}

fn document(folder: &Path, kept: &[Kept], not_read: &[NotRead]) -> String {
    let runs: Vec<Value> = kept.iter().map(Kept::document).collect();
    let document = json!({
        "version": 1,
        "folder": folder.to_string_lossy(),
        "runs": runs,
        "not_read": not_read,
    });
    format!("{document:#}\n")
}
