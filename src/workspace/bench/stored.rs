//! Runs that exist already, as the baseline of a benchmark: by words that name them.
//!
//! A word is `latest`, a run-id or its begin (then all runs of that cell), a file with a record, a folder with
//! such files, or a revision of git whose runs the store has. What is found must be runs of the same
//! cameras: others are no baseline, which is said before anything is measured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::why_dismissed;
use crate::digest::ContentDigest;
use crate::os;
use crate::record::comparison::RunOf;
use crate::record::measure::measure;
use crate::record::{Git, RunRecord, VERSION};
use crate::store::Store;
use crate::store::attempt::Attempt;
use crate::text::{counted, harmless};
use crate::workspace::error::{CommandError, Result};
use crate::workspace::view;

/// A larger file is no record.
const LIMIT: u64 = 1 << 28;
/// The most files of a folder.
const MOST_FILES: usize = 1000;
/// The name of a record in the folder of a run.
const RECORD: &str = "record.json";

/// So many commits before a revision are looked at for runs.
const MOST_COMMITS: usize = 100;

/// The word for the newest run.
const LATEST: &str = "latest";

/// The runs of `subject` that words name, those that do not count with the reason.
///
/// # Errors
/// With every word that names none.
pub(crate) fn runs(store: &Store, root: &Path, subject: &str, words: &[String]) -> Result<Found> {
    let (mut found, mut errors) = (Found::default(), Vec::new());
    for word in words {
        match of_word(store, root, subject, word, &mut found.notes) {
            Ok(runs) => found.runs.extend(runs),
            Err(error) => errors.push(error),
        }
    }
    CommandError::all(errors).map_or(Ok(found), Err)
}

/// Stored runs.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) runs: Vec<RunOf>,
    /// What to know of them.
    pub(crate) notes: Vec<String>,
}

fn of_word(
    store: &Store,
    root: &Path,
    subject: &str,
    word: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<RunOf>> {
    let label = format!("run:{subject}");
    let place = os::env::current_dir()?.join(word);
    if let Ok(Some(_)) = os::fs::look(&place) {
        return of_files(subject, word, &place);
    }
    let attempt = if word == LATEST {
        let newest = store.attempts_of(&label).into_iter().find(|attempt| attempt.run_id().is_some());
        Some(newest.ok_or_else(|| CommandError::refused(format!("there is no run of {subject} yet")))?)
    } else {
        view::find(store, word)?
    };
    if let Some(attempt) = attempt {
        if attempt.label != label {
            let of = attempt.label.trim_start_matches("run:");
            let fault = format!("run `{}` is of {of}, not of {subject}", harmless(word));
            return Err(CommandError::refused(fault));
        }
        let key = attempt.document.without_repeat();
        return Ok(of_attempts(store, store.repeats_of(&label, &key).into_iter()));
    }
    of_revision(store, root, &label, word, notes)
}

/// The runs of attempts; one whose record cannot be read is left out, as it says nothing.
fn of_attempts(store: &Store, attempts: impl Iterator<Item = Arc<Attempt>>) -> Vec<RunOf> {
    let of = |attempt: Arc<Attempt>| {
        let stored = view::read(store, &attempt).ok()?;
        Some(of_record(&stored.run, &stored.record, Some(&attempt)))
    };
    attempts.filter_map(of).collect()
}

fn of_record(id: &str, record: &RunRecord, attempt: Option<&Attempt>) -> RunOf {
    let run = RunOf::of(id, record, measure(record));
    RunOf { excluded: why_dismissed(attempt, &run), ..run }
}

/// The runs that were made at this commit without changes of its own; without any, those of the nearest commit before
/// it that has some, since a commit that changes nothing that is measured measures nothing.
fn of_revision(
    store: &Store,
    root: &Path,
    label: &str,
    word: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<RunOf>> {
    let none = |why: String| {
        let fault =
            format!("`--baseline`: `{}` is no run, no file and no revision of git{why}", harmless(word));
        CommandError::refused(fault).hint("`lp list runs` lists runs")
    };
    let commits = os::git::ancestors(root, word, MOST_COMMITS, &os::process::Cancel::never())
        .map_err(|error| none(format!(": {error}")))?;
    let attempts = store.attempts_of(label).into_iter().filter(|attempt| attempt.run_id().is_some());
    let all = of_attempts(store, attempts);
    let of = |commit: &String| -> Vec<RunOf> {
        let is_of_it = |run: &&RunOf| match run.provenance.as_ref().map(|provenance| &provenance.git) {
            Some(Git::Commit { commit: of_run, changed }) => of_run == commit && !changed,
            _ => false,
        };
        all.iter().filter(is_of_it).cloned().collect()
    };
    let short = |commit: &str| commit[..commit.len().min(12)].to_owned();
    let found = commits.iter().enumerate().map(|(before, commit)| (before, commit, of(commit)));
    let Some((before, commit, runs)) = found.into_iter().find(|(_, _, runs)| !runs.is_empty()) else {
        let fault = format!(
            "the store has no run of `{}` ({}) without changes of its own, nor of a commit before it",
            harmless(word),
            short(&commits[0])
        );
        return Err(CommandError::refused(fault).hint("check it out, and measure there with `lp bench`"));
    };
    if 0 < before {
        notes.push(format!(
            "`{}` has no run of its own; the baseline is {}, {} before it",
            harmless(word),
            short(commit),
            counted(before, "commit")
        ));
    }
    Ok(runs)
}

/// The runs of a record, or of a folder with records: its own, and those in folders of runs below it.
fn of_files(subject: &str, word: &str, place: &Path) -> Result<Vec<RunOf>> {
    let files: Vec<PathBuf> = if place.is_dir() {
        let mut names = os::fs::list_names(place)?;
        names.sort();
        let here = names.iter().filter(|name| name.ends_with(".json")).map(|name| place.join(name));
        let below =
            names.iter().map(|name| place.join(name).join(RECORD)).filter(|path| os::fs::is_file(path));
        here.chain(below).take(MOST_FILES).collect()
    } else {
        vec![place.to_path_buf()]
    };
    let mut runs = Vec::new();
    for path in &files {
        match of_file(path) {
            Ok(run) if run.subject == subject => runs.push(run),
            Ok(run) if files.len() == 1 => {
                let fault =
                    format!("`{}` is of {}, not of {subject}", harmless(word), harmless(&run.subject));
                return Err(CommandError::refused(fault));
            }
            // A folder may have other documents, and runs of other cameras.
            Ok(_) => {}
            Err(why) if path.file_name().is_some_and(|name| name == RECORD) || !is_json(path) => {
                let fault = format!("`{}` cannot be read: {why}", harmless(&path.display().to_string()));
                return Err(
                    CommandError::refused(fault).hint("name the records that count, or delete this one")
                );
            }
            Err(why) if files.len() == 1 => {
                let fault = format!("`{}` is no record of a run: {why}", harmless(word));
                let hint = "`results/runs/<run-id>/record.json` is one";
                return Err(CommandError::refused(fault).hint(hint));
            }
            Err(_) => {}
        }
    }
    if runs.is_empty() {
        let fault = format!("`{}` has no record of a run of {subject}", harmless(word));
        return Err(CommandError::refused(fault).hint("it looks for `*.json` and `*/record.json`"));
    }
    Ok(runs)
}

/// Whether a file is a JSON document, of whatever kind.
fn is_json(path: &Path) -> bool {
    let bytes = os::fs::read_bounded(path, LIMIT);
    bytes.is_ok_and(|bytes| serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok())
}

fn of_file(path: &Path) -> std::result::Result<RunOf, String> {
    let bytes = os::fs::read_bounded(path, LIMIT).map_err(|error| error.to_string())?;
    let record: RunRecord = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    if !(1..=VERSION).contains(&record.version) {
        return Err(format!("its version {} is not known; this lp reads 1 to {VERSION}", record.version));
    }
    Ok(of_record(&record.run_id(&ContentDigest::of(&bytes)), &record, None))
}
