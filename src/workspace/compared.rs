//! Which runs a word means that somebody compares: those of a run with its repeats, of files, or of a commit.
//!
//! A word is `latest`, else the id of a run or its begin, else a path, else what git takes for a commit. The repeats of
//! a run are the attempts whose keys differ in nothing but the repeat's number: the same lane, conditions and host. A
//! commit means the repeats of its newest run.
//!
//! Not here: comparing them (`record::comparison`).

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use super::error::{CommandError, Result};
use super::view;
use crate::digest::ContentDigest;
use crate::os;
use crate::os::process::Cancel;
use crate::record::comparison::RunOf;
use crate::record::measure::measure;
use crate::record::{Git, RunRecord, VERSION};
use crate::report::saved;
use crate::store::Store;
use crate::store::attempt::Attempt;
use crate::text::harmless;

/// The largest file that is read.
const LIMIT: u64 = 1 << 28;
/// The most files of a folder.
const MOST_FILES: usize = 1_000;
/// The most runs that are searched for a commit, the newest ones.
const MOST_RUNS: usize = 1_000;

/// Where runs are looked for.
pub(crate) struct Search<'a> {
    pub(crate) store: &'a Store,
    /// The project's folder, whose repository has the commits.
    pub(crate) project: &'a Path,
    /// The folder to which paths are relative.
    pub(crate) here: &'a Path,
    /// Whether a run is meant without its repeats.
    pub(crate) only: bool,
}

impl Search<'_> {
    /// The runs of two sides. Refuses two words for the same runs, since nothing differs from itself.
    pub(crate) fn both(&self, baseline: &str, candidate: &str) -> Result<(Vec<RunOf>, Vec<RunOf>)> {
        let (ours, theirs) = (self.runs(baseline)?, self.runs(candidate)?);
        let mut ids: [Vec<&str>; 2] =
            [&ours, &theirs].map(|side| side.iter().map(|run| run.run.as_str()).collect());
        ids.iter_mut().for_each(|side| side.sort_unstable());
        if ids[0] == ids[1] {
            let fault =
                format!("`{baseline}` and `{candidate}` are the same runs: nothing differs between them");
            let hint = if self.only || baseline == candidate {
                "`lp list runs` lists others"
            } else {
                "they are repeats of one measurement; `--only` compares these two alone"
            };
            return Err(CommandError::refused(fault).hint(hint));
        }
        Ok((ours, theirs))
    }

    /// The runs that a word means; at least one.
    pub(crate) fn runs(&self, word: &str) -> Result<Vec<RunOf>> {
        let found = match word {
            "latest" => newest(self.store),
            word => view::find(self.store, word)?,
        };
        if let Some(attempt) = found {
            let repeats = match self.only {
                true => vec![attempt],
                false => repeats(self.store, &attempt),
            };
            return repeats.iter().map(|attempt| Ok(read(self.store, attempt)?)).collect();
        }
        if word == "latest" {
            return Err(CommandError::refused("there is no measurement yet").hint("measure with `lp run`"));
        }
        let paths: Vec<&str> = match exists(&self.here.join(word)) {
            true => vec![word],
            false => word.split(',').map(str::trim).collect(),
        };
        if paths.iter().all(|path| !path.is_empty() && exists(&self.here.join(path))) {
            let mut runs = Vec::new();
            for path in paths {
                runs.extend(self.saved(path)?);
            }
            return Ok(runs);
        }
        self.of_commit(word)
    }

    /// The runs of a file, or of the files in a folder.
    fn saved(&self, word: &str) -> Result<Vec<RunOf>> {
        let path = self.here.join(word);
        if os::fs::is_file(&path) {
            return Ok(vec![read_file(&path, word)?]);
        }
        let mut runs = Vec::new();
        for file in files(&path)? {
            let name = file.strip_prefix(self.here).unwrap_or(&file).display().to_string();
            runs.push(read_file(&file, &name)?);
        }
        if runs.is_empty() {
            let fault = format!("`{}` has no record.json and no report.json", harmless(word));
            return Err(CommandError::refused(fault).hint("a run writes both into results/runs/RUN-ID"));
        }
        Ok(runs)
    }

    /// The runs that were measured at a commit.
    fn of_commit(&self, word: &str) -> Result<Vec<RunOf>> {
        let commit = os::git::revision(self.project, word, &Cancel::never()).map_err(|why| {
            CommandError::refused(format!("`{}` is no run, no file and no commit", harmless(word)))
                .details(vec![format!("git: {why}")])
                .hint("`lp list runs` lists the runs of this store")
        })?;
        let mut changed = 0;
        for attempt in of_runs(self.store).into_iter().take(MOST_RUNS) {
            let Ok(stored) = view::read(self.store, &attempt) else { continue };
            match stored.record.provenance.as_ref().map(|known| &known.git) {
                Some(Git::Commit { commit: id, changed: false }) if *id == commit => {
                    return self.repeats_at(&attempt, &commit);
                }
                Some(Git::Commit { commit: id, changed: true }) if *id == commit => changed += 1,
                _ => {}
            }
        }
        let short = &commit[..12];
        let fault = match changed {
            0 => format!("the store has no run of `{word}` (commit {short})"),
            n => format!("all {n} runs of `{word}` (commit {short}) had changes that are not in it"),
        };
        Err(CommandError::refused(fault).hint("measure there with `lp run`, or name a saved record"))
    }

    /// The repeats of a run that were measured at a commit without changes.
    fn repeats_at(&self, attempt: &Arc<Attempt>, commit: &str) -> Result<Vec<RunOf>> {
        let mut runs = Vec::new();
        for repeat in repeats(self.store, attempt) {
            let run = read(self.store, &repeat)?;
            let git = run.provenance.as_ref().map(|known| &known.git);
            if matches!(git, Some(Git::Commit { commit: id, changed: false }) if id == commit) {
                runs.push(run);
            }
        }
        Ok(runs)
    }
}

/// All runs of the subject of a run, with whatever lane and host; of its pace, profile and overrides alone, since the
/// runs of two configurations by turns have no history.
pub(crate) fn of_subject(store: &Store, word: &str) -> Result<Vec<RunOf>> {
    let found = if word == "latest" { newest(store) } else { view::find(store, word)? };
    let Some(attempt) = found else {
        return Err(CommandError::refused(match word {
            "latest" => "there is no measurement yet".to_owned(),
            word => format!("there is no run `{word}`"),
        })
        .hint("`lp list runs` lists the runs of this store"));
    };
    let newest = read(store, &attempt)?;
    let configured = |run: &RunOf| {
        let known = run.provenance.as_ref();
        known.map(|known| (known.profile.clone(), known.overrides.clone())).unwrap_or_default()
    };
    let mut runs = Vec::new();
    for attempt in
        store.attempts_of(&attempt.label).iter().filter(|one| one.run_id().is_some()).take(MOST_RUNS)
    {
        let run = read(store, attempt)?;
        if run.conditions.pace == newest.conditions.pace && configured(&run) == configured(&newest) {
            runs.push(run);
        }
    }
    Ok(runs)
}

/// Whether a file or a folder is there.
fn exists(path: &Path) -> bool {
    os::fs::look(path).is_ok_and(|found| found.is_some())
}

/// All runs of the store, the newest first.
fn of_runs(store: &Store) -> Vec<Arc<Attempt>> {
    store.attempts().into_iter().filter(|attempt| attempt.run_id().is_some()).collect()
}

fn newest(store: &Store) -> Option<Arc<Attempt>> {
    view::latest(&of_runs(store))
}

/// A run and its repeats.
fn repeats(store: &Store, attempt: &Arc<Attempt>) -> Vec<Arc<Attempt>> {
    let wanted = attempt.document.without_repeat().digest();
    let is_repeat =
        |one: &Arc<Attempt>| one.run_id().is_some() && one.document.without_repeat().digest() == wanted;
    store.attempts_of(&attempt.label).into_iter().filter(is_repeat).collect()
}

/// A run of the store as comparisons see it.
pub(crate) fn read(store: &Store, attempt: &Attempt) -> anyhow::Result<RunOf> {
    let stored = view::read(store, attempt)?;
    let measurement = measure(&stored.record);
    Ok(RunOf::of(&stored.run, &stored.record, measurement))
}

/// A record or a report that was saved as a file.
fn read_file(path: &Path, name: &str) -> Result<RunOf> {
    let bytes = os::fs::read_bounded(path, LIMIT).with_context(|| format!("failed to read `{name}`"))?;
    let as_record = match serde_json::from_slice::<RunRecord>(&bytes) {
        Ok(record) if !(1..=VERSION).contains(&record.version) => {
            let fault =
                format!("`{}` has version {}; this lp reads 1 to {VERSION}", harmless(name), record.version);
            return Err(CommandError::refused(fault));
        }
        Ok(record) => {
            let run = record.run_id(&ContentDigest::of(&bytes));
            let measurement = measure(&record);
            return Ok(RunOf::of(&run, &record, measurement));
        }
        Err(error) => error,
    };
    saved::report(&bytes).map_err(|as_report| {
        CommandError::refused(format!("`{}` is neither the record nor the report of a run", harmless(name)))
            .details(vec![format!("as a record: {as_record}"), format!("as a report: {as_report}")])
            .hint("a run writes record.json and report.json into results/runs/RUN-ID")
    })
}

/// The records of a folder: of a run, of runs in folders of their own, or under names of their own. A report counts
/// where there is no record beside it.
fn files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let of = |folder: &Path| {
        ["record.json", "report.json"]
            .map(|name| folder.join(name))
            .into_iter()
            .find(|at| os::fs::is_file(at))
    };
    if let Some(file) = of(folder) {
        return Ok(vec![file]);
    }
    let mut found = Vec::new();
    for path in os::fs::list_paths(folder)? {
        if os::fs::is_file(&path) {
            found.extend(path.extension().is_some_and(|extension| extension == "json").then_some(path));
        } else {
            found.extend(of(&path));
        }
        if found.len() > MOST_FILES {
            return Err(CommandError::refused(format!(
                "`{}` has more than {MOST_FILES} records",
                folder.display()
            )));
        }
    }
    found.sort();
    Ok(found)
}
