//! `results/runs/<run-id>/` and `results/density/<subject>/`: a run, and a search for the density,
//! as files for people.
//!
//! A view, not a task's output: everything in it is computed from the record,
//! which is in the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::{CommandError, Result};
use crate::digest::ContentDigest;
use crate::os;
use crate::path::Layout;
use crate::record::RunRecord;
use crate::record::density::DensityRecord;
use crate::report::density::{self, DensityShown};
use crate::report::{self, Report};
use crate::store::Store;
use crate::store::attempt::Attempt;

/// The largest record that is read.
const LIMIT: u64 = 1 << 30;

/// The most runs that are listed for an ambiguous word.
const LISTED: usize = 8;

/// The run whose id is `word`, or the only one whose id begins with it. Refuses an
/// ambiguous word.
pub(crate) fn find(store: &Store, word: &str) -> Result<Option<Arc<Attempt>>> {
    let found = store.find_by_run_id(word);
    if found.len() < 2 {
        return Ok(found.into_iter().next());
    }
    let mut lines: Vec<String> = Vec::new();
    for attempt in found.iter().take(LISTED) {
        let id = attempt.run_id().unwrap_or_default();
        let subject = attempt.label.strip_prefix("run:").unwrap_or(&attempt.label);
        lines.push(format!("{id}  {subject}"));
    }
    if LISTED < found.len() {
        lines.push(format!("... and {} older", found.len() - LISTED));
    }
    Err(CommandError::refused(format!("{} runs begin with `{word}`", found.len())).details(lines))
}

/// A record from the store.
pub(crate) struct StoredRecord {
    pub(crate) run: String,
    pub(crate) record: RunRecord,
    bytes: Vec<u8>,
}

/// Reads the record of an attempt.
pub(crate) fn read(store: &Store, attempt: &Attempt) -> anyhow::Result<StoredRecord> {
    let Some(output) = attempt.outputs.first() else {
        bail!("`{}` left no record", attempt.label);
    };
    let bytes = store
        .read_blob(&output.content, LIMIT)
        .with_context(|| format!("the store has lost the record of `{}`", attempt.label))?;
    let record: RunRecord =
        serde_json::from_slice(&bytes).context("the record was written by another version of lp")?;
    let run = record.run_id(&ContentDigest::of(&bytes));
    Ok(StoredRecord { run, record, bytes })
}

/// A record of a search for the density from the store, and its id.
pub(crate) fn read_density(store: &Store, attempt: &Attempt) -> anyhow::Result<(DensityRecord, String)> {
    let Some(output) = attempt.outputs.first() else {
        bail!("`{}` left no record", attempt.label);
    };
    let bytes = store
        .read_blob(&output.content, LIMIT)
        .with_context(|| format!("the store has lost the record of `{}`", attempt.label))?;
    density_of(&bytes)
}

/// The record of a search for the density at its place in the project, and its id.
pub(crate) fn read_density_at(place: &Path) -> anyhow::Result<(DensityRecord, String)> {
    let bytes = os::fs::read_bounded(place, LIMIT).context("the record of the search cannot be read")?;
    density_of(&bytes)
}

fn density_of(bytes: &[u8]) -> anyhow::Result<(DensityRecord, String)> {
    let record: DensityRecord = serde_json::from_slice(bytes)
        .context("the record of the search was written by another version of lp")?;
    let id = record.id(&ContentDigest::of(bytes));
    Ok((record, id))
}

/// Writes the report of a search into `folder`.
pub(crate) fn write_density(folder: &Path, shown: &DensityShown<'_>) -> anyhow::Result<()> {
    let pages = [
        ("report.json", density::json(shown)),
        ("report.csv", density::csv(shown)),
        ("report.html", density::html(shown, Some("report"))),
    ];
    for (name, text) in pages {
        let path = folder.join(name);
        os::fs::create_parent(&path)?;
        os::fs::write_atomic(&path, text.as_bytes())?;
    }
    Ok(())
}

/// The newest run that `lp` measured; without any, the newest that was imported.
pub(crate) fn latest(runs: &[Arc<Attempt>]) -> Option<Arc<Attempt>> {
    let imported = || runs.iter().max_by_key(|attempt| attempt.started);
    runs.iter().find(|attempt| !attempt.is_imported()).or_else(imported).cloned()
}

/// Writes the view of a run, and lets `results/latest` point to it.
pub(crate) fn write(
    layout: &Layout,
    store: &Store,
    attempt: &Arc<Attempt>,
    report: &Report<'_>,
) -> anyhow::Result<PathBuf> {
    write_pages(layout, store, attempt, report)?;
    let latest = layout.results.join("latest");
    os::fs::point(&latest, &PathBuf::from("runs").join(report.run))?;
    Ok(latest)
}

/// Writes the view of a run.
pub(crate) fn write_pages(
    layout: &Layout,
    store: &Store,
    attempt: &Arc<Attempt>,
    report: &Report<'_>,
) -> anyhow::Result<()> {
    let folder = layout.results.join("runs").join(report.run);
    let stored = read(store, attempt)?;
    let file = |name: &str, bytes: &[u8]| -> anyhow::Result<()> {
        let path = folder.join(name);
        os::fs::create_parent(&path)?;
        Ok(os::fs::write_atomic(&path, bytes)?)
    };
    file("record.json", &stored.bytes)?;
    file("report.json", report::json(report).as_bytes())?;
    file("report.csv", report::csv(report).as_bytes())?;
    file("report.html", report::html(report, Some("report")).as_bytes())?;
    file("pipeline_streams.json", report::stream_manifest(report.record).as_bytes())?;
    for member in &report.record.members {
        let camera = &member.slug;
        if let Some(json) = report::benchmark_json(report.record, camera) {
            file(&format!("benchmark/{camera}.json"), json.as_bytes())?;
        }
        if let Some(csv) = report::benchmark_csv(report.record, camera) {
            file(&format!("benchmark/{camera}.csv"), csv.as_bytes())?;
        }
    }
    for stream in report.record.members.iter().flat_map(|member| &member.streams) {
        if let Some(snapshot) = &stream.snapshot {
            let jpeg = STANDARD.decode(&snapshot.jpeg).context("a snapshot of the record is no base64")?;
            file(&format!("{}/snapshot.jpg", stream.stream), &jpeg)?;
        }
    }
    for script in report.record.members.iter().flat_map(|member| &member.scripts) {
        file(&format!("{}.log", script.stream), script.output.as_bytes())?;
    }
    if let Some(logs) = attempt.logs.and_then(|logs| store.read_blob(&logs, LIMIT)) {
        file("workers.log", &logs)?;
    }
    Ok(())
}
