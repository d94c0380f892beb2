//! `lp watch`: builds again whenever a file changes that tasks or the config are made from.
//!
//! Files are looked at again and again, which works on every file system and needs no
//! more than the builds do themselves. Never measures.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{BuildArgs, Global, WatchArgs};
use super::{Exit, build, console, project};
use crate::config::load::{included_files, load};
use crate::digest::ContentDigest;
use crate::graph::{TaskGraph, TaskId, select};
use crate::os::clock::monotonic_ns;
use crate::os::fs::Glance;
use crate::os::process::Cancel;
use crate::os::signal::cancel_on_signals;
use crate::text::counted;
use crate::workspace::error::{CommandError, Kind, Result};
use crate::workspace::open::Workspace;

/// Between two looks at all files.
const POLL: Duration = Duration::from_millis(250);

/// A change is over when nothing else has changed for this long.
const QUIET: Duration = Duration::from_millis(100);

/// Looking takes at most this part of the time.
const SHARE: u32 = 20;

pub(super) fn run(global: &Global, args: &WatchArgs) -> Result<Exit> {
    let cancel = cancel_on_signals()?;
    let WatchArgs { targets, keep_going, jobs, fetch } = args;
    let build = BuildArgs {
        targets: targets.clone(),
        keep_going: *keep_going,
        jobs: *jobs,
        again: false,
        dry_run: false,
        json: false,
        trace: None,
        fetch: fetch.clone(),
    };
    let mut is_first = true;
    loop {
        // Looked at before the build, so that a change during it starts the next.
        let mut watched = Watched::of(global, targets)?;
        let before = watched.look();
        let built = match watched.refused.take() {
            Some(error) if is_first => return Err(error),
            Some(error) => Err(error),
            None => build::run_until(global, &build, Some(&cancel)),
        };
        match built {
            Ok(exit @ (Exit::Interrupted | Exit::Bug)) => return Ok(exit),
            Ok(_) => {}
            Err(error) if error.kind == Kind::Interrupted => return Err(error),
            // The next change may be the way out.
            Err(error) => console::error(&error),
        }
        is_first = false;
        console::note(&format!("watching {}; Ctrl-C ends", counted(watched.files.len(), "file")));
        if !watched.wait_for_change(&before, &cancel) {
            return Ok(Exit::Interrupted);
        }
    }
}

/// The files that a build is made from.
struct Watched {
    root: PathBuf,
    files: Vec<PathBuf>,
    /// The patterns of `project.include`.
    patterns: Vec<String>,
    /// The targets are unknown, or measure.
    refused: Option<CommandError>,
}

impl Watched {
    /// The config files and, if they have no errors, the files that the tasks read and
    /// none makes.
    fn of(global: &Global, targets: &[String]) -> Result<Watched> {
        let request = project::request(global, &[])?;
        let root = project::store_root(global).unwrap_or_else(|_| request.dir.clone());
        let loaded = load(&request);
        let mut files: Vec<PathBuf> = loaded.files.iter().map(|(path, _)| path.clone()).collect();
        let patterns = loaded.includes.iter().map(|(pattern, _)| pattern.clone()).collect();
        let mut refused = None;
        // The build that follows reports errors of the config.
        if let Ok(opened) = Workspace::new(loaded).and_then(Workspace::adopting)
            && let Ok(graph) = opened.link(opened.tasks(&opened.subjects(targets)).0)
        {
            match opened.select(&graph, targets).and_then(|(_, needed)| without_measurement(&graph, needed)) {
                Ok(needed) => {
                    let sources = select::sources(&graph, &needed);
                    files.extend(sources.map(|(task, n)| opened.project.layout.resolve(&task.inputs[n])));
                }
                Err(error) => refused = Some(error),
            }
        }
        files.sort();
        files.dedup();
        Ok(Watched { root, files, patterns, refused })
    }

    /// A digest of what a glance shows of all files, and of the names that patterns match.
    fn look(&self) -> ContentDigest {
        let prints: Vec<u128> = self.files.iter().map(|path| Glance::at(path).print).collect();
        let included: Vec<_> =
            self.patterns.iter().map(|pattern| included_files(&self.root, pattern)).collect();
        ContentDigest::of(format!("{prints:?}{included:?}").as_bytes())
    }

    /// Waits until files differ from an earlier look, and then until they rest. `false` if
    /// it was cancelled.
    fn wait_for_change(&self, before: &ContentDigest, cancel: &Cancel) -> bool {
        loop {
            let began = monotonic_ns();
            let mut now = self.look();
            let took = Duration::from_nanos(monotonic_ns() - began);
            if now == *before {
                if cancel.wait(POLL.max(took * SHARE)) {
                    return false;
                }
                continue;
            }
            loop {
                if cancel.wait(QUIET) {
                    return false;
                }
                let later = self.look();
                if later == now {
                    return true;
                }
                now = later;
            }
        }
    }
}

/// Refuses tasks of which one measures.
fn without_measurement(graph: &TaskGraph, needed: BTreeSet<TaskId>) -> Result<BTreeSet<TaskId>> {
    let Some(id) = needed.iter().find(|id| graph.task(**id).measures()) else { return Ok(needed) };
    let label = &graph.task(*id).label;
    let error = CommandError::refused(format!("`{label}` is a measurement, and `lp watch` makes none"));
    Err(error.hint("name targets that need no measurement"))
}
