//! `lp assets fetch`: a build of downloads and of converted models alone.

use std::collections::BTreeSet;

use super::Opened;
use crate::action::Fetching;
use crate::cli::args::{AssetSelection, Global};
use crate::cli::build::Screen;
use crate::cli::json_lines::StartEvent;
use crate::cli::progress::Observers;
use crate::cli::{Exit, console, project};
use crate::engine::Warm;
use crate::engine::states::OnFailure;
use crate::graph::TaskId;
use crate::os::process::Cancel;
use crate::os::signal::cancel_on_signals;
use crate::workspace::assets::{Asset, Kind, Meant, State};
use crate::workspace::build::unwatched;
use crate::workspace::error::{CommandError, Kind as ErrorKind, Result};
use crate::workspace::journal::Journal;
use crate::workspace::phases::Phases;

pub(super) fn run(
    global: &Global,
    selection: &AssetSelection,
    is_json: bool,
    fetching: Fetching,
) -> Result<Exit> {
    let opened = Opened::new(global, selection, fetching)?;
    let downloads = opened.meant.fetched(&opened.graph);
    let exit = if downloads.is_empty() && !is_json {
        console::note("nothing to fetch: no download is needed");
        Exit::Done
    } else {
        fetch(&opened, &downloads, is_json, &cancel_on_signals()?)?
    };
    // No download brings these, and only they need to be looked at.
    let own = Meant { tasks: BTreeSet::new(), ..opened.meant.clone() };
    match missing(&opened.inventory(&own)?) {
        Some(error) if exit == Exit::Done => Err(error),
        _ => Ok(exit),
    }
}

/// Brings these downloads up to date, also after one has failed.
pub(super) fn fetch(
    opened: &Opened,
    downloads: &BTreeSet<TaskId>,
    is_json: bool,
    cancel: &Cancel,
) -> Result<Exit> {
    let graph = &opened.graph;
    opened.with_build(downloads, |build| {
        let screen = Screen::new(is_json, console::widest(graph, downloads), !is_json, StartEvent::Pending);
        let phases = Phases::new();
        let journal = Journal::new(graph, &phases);
        let progress = Observers(vec![screen.progress(), &journal]);
        let host = build.host(&unwatched);
        let engine = build.engine(&host).watched_by(&progress).stopped_by(cancel);
        let engine = engine.on_failure(OnFailure::KeepGoing);
        build.refuse_missing(&engine, downloads)?;
        let built = engine.build(downloads, &Warm::Nothing);
        console::keep(&opened.store, &journal);
        if built.is_ok() {
            project::record_downloads(build, &engine, downloads);
        }
        Ok(screen.ended(&built?.summary))
    })
}

/// The error for assets that are missing, and that no download brings.
pub(super) fn missing(assets: &[Asset]) -> Option<CommandError> {
    let missing = assets.iter().filter(|asset| asset.state == State::Missing).map(|asset| {
        let because = asset.because.clone().unwrap_or_default();
        let message = format!("`{}` cannot be fetched: {because}", crate::text::harmless(&asset.name));
        let hint = match asset.kind {
            Kind::Model => "`lp check --explain LP0806` has the ways to get a model",
            Kind::Video | Kind::Clip => "put your video there",
        };
        CommandError { kind: ErrorKind::Failed, ..CommandError::refused(message).hint(hint) }
    });
    CommandError::all(missing)
}
