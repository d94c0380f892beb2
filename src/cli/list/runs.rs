//! The runs of a project's store, newest first.

use std::sync::Arc;

use rayon::prelude::*;
use serde_json::json;

use super::Section;
use crate::cli::args::{Global, ListKind};
use crate::cli::project::store_root;
use crate::path::Layout;
use crate::record::measure::measure;
use crate::store::Store;
use crate::store::attempt::Attempt;
use crate::text::counted;
use crate::workspace::error::Result;
use crate::workspace::view;

/// The newest runs. A record that cannot be read is listed with the reason.
pub(super) fn section(global: &Global, newest: usize) -> Result<Section> {
    let store = Store::open(Layout::new(store_root(global)?))?;
    let all: Vec<_> = store.attempts().into_iter().filter(|attempt| attempt.run_id().is_some()).collect();
    let listed: Vec<Listed> =
        all.par_iter().take(newest).map(|attempt| Listed::read(&store, attempt)).collect();
    let newest = match view::latest(&all) {
        Some(latest) => listed.iter().find(|run| run.attempt.run_id() == latest.run_id()),
        None => None,
    };
    let summary = match newest.or(listed.first()) {
        None => "none: measure with `lp run`".to_owned(),
        Some(run) => format!("{}; the newest: {} of {}: {}", all.len(), run.run, run.subject, run.outcome()),
    };
    Ok(Section {
        kind: ListKind::Runs,
        header: &["run", "cameras", "profile", "tag", "verdict"],
        right: &[],
        rows: listed.iter().map(Listed::row).collect(),
        documents: listed.iter().map(Listed::document).collect(),
        summary,
        note: (!listed.is_empty())
            .then(|| format!("{}; `lp report RUN` shows one", counted(all.len(), "run"))),
    })
}

struct Listed {
    run: String,
    attempt: Arc<Attempt>,
    /// `lane`, `camera-3`
    subject: String,
    read: std::result::Result<Read, String>,
}

/// What the record says.
struct Read {
    verdict: String,
    profile: Option<String>,
    tag: Option<String>,
    count: u32,
    duration_ms: u64,
    is_interrupted: bool,
    /// Why it is degraded.
    degraded: Vec<String>,
}

impl Listed {
    fn read(store: &Store, attempt: &Arc<Attempt>) -> Listed {
        let subject = attempt.label.strip_prefix("run:").unwrap_or(&attempt.label).to_owned();
        let read = view::read(store, attempt).map_err(|error| format!("{error:#}")).map(|stored| {
            let record = stored.record;
            let measurement = measure(&record);
            Read {
                verdict: measurement.verdict,
                degraded: measurement.degraded.into_iter().map(|reason| reason.text).collect(),
                profile: record.provenance.and_then(|of| of.profile),
                tag: record.tag,
                count: record.conditions.count,
                duration_ms: record.conditions.duration_ms,
                is_interrupted: record.interrupted,
            }
        });
        Listed { run: attempt.run_id().unwrap_or_default(), attempt: attempt.clone(), subject, read }
    }

    /// The verdict, or the reason why there is none.
    fn outcome(&self) -> String {
        match &self.read {
            Ok(read) if read.is_interrupted => format!("interrupted; {}", read.verdict),
            Ok(read) => read.verdict.clone(),
            Err(error) => format!("unreadable: {error}"),
        }
    }

    fn row(&self) -> Vec<String> {
        let of = |get: fn(&Read) -> Option<&String>| {
            self.read.as_ref().ok().and_then(get).cloned().unwrap_or_default()
        };
        let (profile, tag) = (of(|read| read.profile.as_ref()), of(|read| read.tag.as_ref()));
        vec![self.run.clone(), self.subject.clone(), profile, tag, self.outcome()]
    }

    fn document(&self) -> serde_json::Value {
        let (read, error) = match &self.read {
            Ok(read) => (Some(read), None),
            Err(error) => (None, Some(error)),
        };
        json!({
            "run": self.run,
            "started": self.attempt.started,
            "subject": self.subject,
            "profile": read.and_then(|read| read.profile.as_ref()),
            "tag": read.and_then(|read| read.tag.as_ref()),
            "count": read.map(|read| read.count),
            "duration_ms": read.map(|read| read.duration_ms),
            "repeat": self.attempt.repeat,
            "verdict": read.map(|read| &read.verdict),
            "complete": self.attempt.complete,
            "imported": self.attempt.is_imported(),
            "interrupted": read.map(|read| read.is_interrupted),
            "degraded": read.map(|read| &read.degraded),
            "error": error,
        })
    }
}
