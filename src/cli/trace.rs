//! `--trace FILE`: the file, and a build in the Chrome trace format, which Perfetto
//! and `chrome://tracing` open. A row per slot of a pool. The trace of a run is
//! `report::trace`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use crate::os;
use crate::os::fs::{self, FsError};
use crate::report::trace::{BEGIN, document, metadata};
use crate::workspace::error::{CommandError, Result};
use crate::workspace::journal::{Journal, Page};

/// The destination of a trace.
pub(super) struct TraceFile {
    path: PathBuf,
    /// Whether the file is replaced atomically: not for a pipe or a device.
    is_plain: bool,
}

/// A build is one process.
const PID: usize = 1;

/// The reason why a trace cannot be written to a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum TraceError {
    #[error("the trace cannot be written to `{0}`, which is a folder")]
    Folder(PathBuf),
    #[error("the trace cannot be written to `{0}`, which is an output of `lp` itself; name a file")]
    Output(PathBuf),
    #[error("the trace cannot be written to `{0}`, a link to nothing")]
    Dangling(PathBuf),
    #[error("the trace would replace `{0}`, which is no trace; name another file, or delete this one")]
    Other(PathBuf),
    #[error("the trace cannot be written to `{path}`")]
    Unwritable { path: PathBuf, source: FsError },
}

impl TraceFile {
    /// The file of `--trace`, relative to the current directory.
    pub(super) fn of_flag(given: &Path) -> Result<TraceFile> {
        if given == Path::new("-") {
            return Err(CommandError::refused("`--trace` expects a file, not `-`"));
        }
        let current = os::env::current_dir().context("failed to find the current directory")?;
        TraceFile::open(current.join(given)).map_err(|error| CommandError::refused_by(&error))
    }

    /// Refuses a file that cannot be written, and one that is there and is no trace. A link stays one.
    fn open(given: PathBuf) -> std::result::Result<TraceFile, TraceError> {
        let unwritable = |source: FsError| {
            // The error is about the file, not about the one beside it that is tried.
            TraceError::Unwritable { path: given.clone(), source: FsError { path: given.clone(), ..source } }
        };
        let found = fs::look(&given).map_err(unwritable)?;
        let path = match &found {
            Some(found) if found.is_symlink() => {
                fs::canonicalize(&given).map_err(|_| TraceError::Dangling(given.clone()))?
            }
            _ => given.clone(),
        };
        let metadata = found.and_then(|_| fs::metadata(&path).ok());
        if metadata.as_ref().is_some_and(|metadata| metadata.is_dir()) || path.file_name().is_none() {
            return Err(TraceError::Folder(given));
        }
        let is_plain = metadata.as_ref().is_none_or(|metadata| metadata.is_file());
        if is_plain {
            if given.starts_with("/dev") || given.starts_with("/proc") {
                return Err(TraceError::Output(given));
            }
            if metadata.is_some_and(|metadata| metadata.len() > 0) && !is_trace(&path) {
                return Err(TraceError::Other(given));
            }
            let probe = fs::temporary_beside(&path);
            fs::write_unsynced(&probe, b"").and_then(|()| fs::remove(&probe)).map_err(unwritable)?;
        }
        Ok(TraceFile { path, is_plain })
    }

    /// Writes a trace: the whole file or none, unless it is a pipe or a device.
    pub(super) fn write(&self, text: &str) -> std::result::Result<(), FsError> {
        if self.is_plain {
            fs::write_atomic(&self.path, text.as_bytes())
        } else {
            fs::write_unsynced(&self.path, text.as_bytes())
        }
    }
}

/// Whether a file begins as a trace does; not, if it cannot be read.
fn is_trace(path: &Path) -> bool {
    fs::read_head(path, BEGIN.len() as u64).is_ok_and(|head| head == BEGIN.as_bytes())
}

/// The trace of a build, also of one that failed.
pub(super) fn of_build(journal: &Journal<'_>) -> String {
    let now = journal.phases.now_us();
    let phases = journal.phases.list();
    let pages = journal.pages();
    let mut rows: BTreeMap<Row<'_>, usize> = BTreeMap::from([(Row::Lp, 0)]);
    for page in pages.tasks.iter().filter(|page| is_shown(page)) {
        rows.insert(row(page), 0);
    }
    for (n, row) in rows.values_mut().enumerate() {
        *row = n + 1;
    }
    let mut events = vec![metadata("process_name", (PID, 0), &json!({ "name": "lp build" }))];
    for (row, tid) in &rows {
        events.push(metadata("thread_name", (PID, *tid), &json!({ "name": row.to_string() })));
        events.push(metadata("thread_sort_index", (PID, *tid), &json!({ "sort_index": tid })));
    }
    events.extend(phases.iter().map(|phase| {
        json!({
            "name": phase.name,
            "cat": "lp",
            "ph": "X",
            "pid": PID,
            "tid": rows[&Row::Lp],
            "ts": phase.begin_us,
            "dur": phase.end_us.saturating_sub(phase.begin_us),
        })
    }));
    events.extend(pages.tasks.iter().filter(|page| is_shown(page)).map(|page| {
        let outcome = page.outcome.map_or(json!("unfinished"), |outcome| json!(outcome));
        let end = if page.outcome.is_some() { page.end_us } else { now };
        let mut event = json!({
            "name": page.label,
            "cat": page.label.split(':').next(),
            "ph": "X",
            "pid": PID,
            "tid": rows[&row(page)],
            "ts": page.begin_us,
            "dur": end.saturating_sub(page.begin_us),
            "args": { "label": page.label, "reason": page.reason, "outcome": outcome },
        });
        if page.slot.is_none() {
            event["ph"] = json!("i");
            event["s"] = json!("t");
            event.as_object_mut().expect("it is an object").remove("dur");
        }
        if !page.detail.is_empty() {
            event["args"]["detail"] = json!(page.detail);
        }
        event
    }));
    let other = json!({ "lp": env!("CARGO_PKG_VERSION"), "started": journal.phases.started() });
    document(&events, &other)
}

/// A row; the variants are in the order of rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Row<'a> {
    Lp,
    /// Restored tasks, which use no slot.
    Store,
    /// A pool and a slot of it.
    Slot(&'a str, usize),
}

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Row::Lp => f.write_str("lp"),
            Row::Store => f.write_str("store"),
            Row::Slot(pool, slot) => write!(f, "{pool} {slot}"),
        }
    }
}

fn row(page: &Page) -> Row<'_> {
    page.slot.as_ref().map_or(Row::Store, |(pool, slot)| Row::Slot(pool, *slot))
}

/// A task that never started has no times.
fn is_shown(page: &Page) -> bool {
    page.slot.is_some() || page.outcome == Some(crate::engine::events::Outcome::Restored)
}
