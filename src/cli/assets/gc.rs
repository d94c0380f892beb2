//! `lp assets gc`: deletes assets that no camera of the project needs any more.
//!
//! What any profile of `Lpfile.toml` needs is kept, whichever profile is in use. Files are
//! deleted by the rule of `lp clean`: only those that `lp` made, as it made them. With them
//! goes what the store keeps of them, as it shares their bytes, parts of downloads of
//! which no URL is left, and environments in which no model is converted any more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::action::is_environment_of;
use crate::cli::args::Global;
use crate::cli::cache::lock;
use crate::cli::clean::{self, Found};
use crate::cli::size::size_text;
use crate::cli::{Exit, console, project};
use crate::config::load::load;
use crate::dialect::step_files;
use crate::graph::lower::Subject;
use crate::graph::task::{Action, Convert, Task};
use crate::os;
use crate::os::http::part_name;
use crate::os::usage::{Usage, usage};
use crate::path::{Layout, ProjectPath};
use crate::store::attempt::Attempt;
use crate::store::gc::{Act, Limits};
use crate::store::{Store, made};
use crate::text::{counted, harmless};
use crate::workspace::error::Result;
use crate::workspace::open::Workspace;

/// The kinds of tasks whose results are assets.
const KINDS: [&str; 4] = ["download:", "convert:", "generate:", "transcode:"];

pub(super) fn run(global: &Global, is_dry_run: bool, is_json: bool) -> Result<Exit> {
    let project = open(global, None)?;
    let layout = &project.project.layout.clone();
    let profiles: Vec<String> = project.profiles.iter().map(|(name, _)| name.text.clone()).collect();
    let mut needs = Needs::default();
    needs.add_both(project);
    for name in &profiles {
        let opened = open(global, Some(name.clone())).map_err(|error| {
            error.hint(format!(
                "this is the project with `--profile {name}`, of which the needs are not known"
            ))
        })?;
        needs.add_both(opened);
    }
    let store = Store::open(layout.clone())?;
    let mut freed = None;
    let (found, parts, environments) = if is_dry_run || !store.root().is_dir() {
        (needs.look(layout, &store)?, needs.parts(layout), needs.environments(layout))
    } else {
        let lock = lock(&store)?;
        store.reload()?;
        let (found, parts) = (needs.look(layout, &store)?, needs.parts(layout));
        let environments = needs.environments(layout);
        let files = found.deleted.iter().map(|file| layout.resolve(&file.path));
        let others = parts.iter().chain(&environments).map(|(place, _)| place.clone());
        for place in files.chain(others) {
            os::fs::remove(&place)?;
        }
        store.forget(&|attempt| needs.is_former(attempt))?;
        let limits = Limits { max_size: None, max_age: None, now: os::clock::utc_now() };
        freed = Some(store.collect(&limits, Act::Remove)?.removed.blobs);
        store.save_state()?;
        drop(lock);
        (found, parts, environments)
    };
    let shown = Deleted { found, parts, environments, freed, is_dry_run };
    if is_json {
        shown.document()
    } else {
        shown.text(layout)
    }
    Ok(Exit::Done)
}

/// The project with this profile, whatever the environment asks for.
fn open(global: &Global, profile: Option<String>) -> Result<Workspace> {
    let mut request = project::request(global, &[])?;
    request.profile = profile;
    request.env.retain(|(name, _)| name != "LP_PROFILE");
    Workspace::new(load(&request))
}

/// What the cameras of all profiles need.
#[derive(Default)]
struct Needs {
    paths: BTreeSet<ProjectPath>,
    labels: BTreeSet<String>,
    /// Names of parts of downloads.
    parts: BTreeSet<String>,
    conversions: Vec<Convert>,
}

impl Needs {
    /// The needs with DL Streamer and without it: which of them a run has is known only where a
    /// worker can be asked, and may change.
    fn add_both(&mut self, mut opened: Workspace) {
        for infers_natively in [false, true] {
            opened.project.settings.infers_natively = infers_natively;
            opened.forget_plans();
            self.add(&opened);
        }
    }

    fn add(&mut self, opened: &Workspace) {
        let (tasks, _) = opened.tasks(&[Subject::lane(&opened.project)]);
        for task in &tasks {
            self.paths.extend(task.paths().cloned());
            self.labels.insert(task.label.clone());
            self.parts.extend(urls(task).map(|url| part_name(url)));
            if let Action::Convert(convert) = &task.action {
                self.conversions.push(convert.clone());
            }
        }
        let files = opened.lane().cameras.iter().flat_map(step_files);
        self.paths.extend(files.map(|file| opened.project.layout.named(file.path)));
    }

    /// Whether an attempt is one at an asset that is no longer needed.
    fn is_former(&self, attempt: &Attempt) -> bool {
        let label = attempt.label.as_str();
        !self.labels.contains(label) && KINDS.iter().any(|kind| label.starts_with(kind))
    }

    fn look(&self, layout: &Layout, store: &Store) -> Result<Found> {
        let attempts = store.attempts();
        let former = attempts.iter().filter(|attempt| self.is_former(attempt));
        let mut outputs = made::Made::by(former);
        // The list of clips and models survives `lp cache clean`.
        outputs.join(store.made_clips(&[]));
        // A task may read a whole folder.
        let is_needed = |path: &ProjectPath| {
            self.paths.contains(path) || path.folders().any(|folder| self.paths.contains(folder))
        };
        let mut found = clean::find(layout, store, &outputs, &is_needed)?;
        let deleted: BTreeSet<ProjectPath> = found.deleted.iter().map(|file| file.path.clone()).collect();
        let leads_nowhere =
            |clip: &ProjectPath| deleted.contains(clip) || !os::fs::is_file(&layout.resolve(clip));
        clean::add_links(layout, store, &mut found, &leads_nowhere)?;
        Ok(found)
    }

    /// The parts of downloads from URLs that are no longer asked, and their notes.
    fn parts(&self, layout: &Layout) -> Vec<(PathBuf, u64)> {
        let folder = layout.parts();
        let names = os::fs::list_names(&folder).unwrap_or_default();
        let is_former = |name: &&String| {
            let part = name.strip_suffix(".json").unwrap_or(name);
            part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit()) && !self.parts.contains(part)
        };
        let parts = names.iter().filter(is_former).map(|name| folder.join(name));
        parts.map(|place| (place.clone(), usage(&place).bytes)).collect()
    }

    /// The environments of conversions that are no longer made, with any Python.
    fn environments(&self, layout: &Layout) -> Vec<(PathBuf, u64)> {
        let folder = layout.environments();
        let names = os::fs::list_names(&folder).unwrap_or_default();
        let former = names.iter().filter(|name| !is_environment_of(name, &self.conversions, layout));
        former.map(|name| folder.join(name)).map(|place| (place.clone(), usage(&place).bytes)).collect()
    }
}

/// The URLs that a task may ask.
fn urls(task: &Task) -> Box<dyn Iterator<Item = &String> + '_> {
    match &task.action {
        Action::Download(download) => Box::new(download.urls.iter()),
        Action::Model(model) => Box::new(model.files.iter().flat_map(|file| &file.urls)),
        _ => Box::new(std::iter::empty()),
    }
}

/// What was deleted, or would be.
struct Deleted {
    found: Found,
    /// Parts of downloads, and their sizes.
    parts: Vec<(PathBuf, u64)>,
    /// Environments of conversions, and their sizes.
    environments: Vec<(PathBuf, u64)>,
    /// The blobs that have left the store; `None` if it was left alone.
    freed: Option<Usage>,
    is_dry_run: bool,
}

impl Deleted {
    /// All that is deleted, an environment as one file, and the parts of downloads among it.
    fn usage(&self) -> (Usage, Usage) {
        let (mut all, mut parts) = (Usage::default(), Usage::default());
        self.parts.iter().for_each(|(_, bytes)| parts.add(*bytes));
        self.found.deleted.iter().for_each(|file| all.add(file.size));
        self.environments.iter().for_each(|(_, bytes)| all.add(*bytes));
        all += parts;
        (all, parts)
    }

    fn document(&self) {
        let Found { deleted, kept } = &self.found;
        let deleted: Vec<_> =
            deleted.iter().map(|file| json!({ "path": file.path, "bytes": file.size })).collect();
        let kept: Vec<_> =
            kept.iter().map(|(path, because)| json!({ "path": path, "because": because })).collect();
        let (all, parts) = self.usage();
        let mut environments = Usage::default();
        self.environments.iter().for_each(|(_, bytes)| environments.add(*bytes));
        let document = json!({
            "version": 1, "dry_run": self.is_dry_run, "bytes": all.bytes,
            "deleted": deleted, "parts": parts, "environments": environments,
            "blobs": self.freed, "kept": kept,
        });
        console::out(&format!("{document:#}\n"));
    }

    fn text(&self, layout: &Layout) {
        let row = |bytes: u64, place: &Path| {
            let place = place.strip_prefix(&layout.root).unwrap_or(place);
            console::out(&format!("{:>10}  {}\n", size_text(bytes), harmless(&place.to_string_lossy())));
        };
        self.found.deleted.iter().for_each(|file| row(file.size, &layout.resolve(&file.path)));
        self.parts.iter().chain(&self.environments).for_each(|(place, bytes)| row(*bytes, place));
        for (path, because) in &self.found.kept {
            console::note(&format!("kept `{path}`: {because}"));
        }
        let (all, _) = self.usage();
        let sized = format!("{} ({})", counted(all.count, "file"), size_text(all.bytes));
        let blobs = self.freed.unwrap_or_default();
        console::result(&match (all.count + blobs.count, self.is_dry_run) {
            (0, _) => "nothing to delete".to_owned(),
            (_, true) => format!("would delete {sized}, and what the store keeps of them"),
            (_, false) => {
                let blobs =
                    format!("{} of the store ({})", counted(blobs.count, "blob"), size_text(blobs.bytes));
                format!("deleted {sized}, and {blobs}")
            }
        });
    }
}
