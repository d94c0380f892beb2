//! `lp assets`: one file per command.
//!
//! Not here: which assets there are and what is wrong with them (`workspace::assets`).

mod fetch;
mod gc;
mod list;
mod update;
mod vendor;
mod verify;

use std::collections::BTreeSet;

use super::args::{AssetSelection, AssetsArgs, AssetsCommand, Global};
use super::{Exit, console, project};
use crate::action::Fetching;
use crate::graph::{TaskGraph, TaskId, select};
use crate::store::Store;
use crate::workspace::assets::{self, Asset, Kind, Meant};
use crate::workspace::build::Build;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::inference::depends_on_worker;
use crate::workspace::open::Workspace;
use crate::workspace::tools;

pub(super) fn run(global: &Global, args: &AssetsArgs) -> Result<Exit> {
    let AssetsArgs { command, selection, json } = args;
    let Some(command) = command else { return list::run(global, selection, *json) };
    let misplaced = [("--models", selection.models), ("--clips", selection.clips), ("--json", *json)];
    if let Some((flag, _)) = misplaced.iter().find(|(_, is_given)| *is_given) {
        return Err(CommandError::refused(format!("write `{flag}` after the command of `lp assets`")));
    }
    match command {
        AssetsCommand::Fetch { selection, json, fetch } => {
            fetch::run(global, selection, *json, project::fetching(fetch)?)
        }
        AssetsCommand::Update(args) => update::run(global, args),
        AssetsCommand::Verify { selection, complete, json } => {
            verify::run(global, selection, *complete, *json)
        }
        AssetsCommand::Vendor { folder, json, fetch } => {
            vendor::run(global, folder, *json, project::fetching(fetch)?)
        }
        AssetsCommand::Gc { dry_run, json } => gc::run(global, *dry_run, *json),
    }
}

/// An opened project, and those of its assets that are meant.
struct Opened {
    workspace: Workspace,
    graph: TaskGraph,
    store: Store,
    meant: Meant,
    selection: AssetSelection,
    fetching: Fetching,
}

impl Opened {
    fn new(global: &Global, selection: &AssetSelection, fetching: Fetching) -> Result<Opened> {
        let workspace = project::open(global, &[])?;
        if depends_on_worker(&workspace.project) && workspace.worker().is_err() {
            let note = "there is no worker to ask whether this machine has DL Streamer, so OpenVINO is not among the assets; \
                        `--set run.dialect=native` says that it is needed";
            console::notes(&[note.to_owned()]);
        }
        let targets = &selection.targets;
        let graph = project::graph(&workspace, &workspace.subjects(targets))?;
        let mut meant = Meant::by(&workspace, &graph, targets)?;
        meant.tasks.retain(|id| {
            let is_model = graph.task(*id).brings_model();
            if is_model { !selection.clips } else { !selection.models }
        });
        let store = Store::open(workspace.project.layout.clone())?;
        Ok(Opened { workspace, graph, store, meant, selection: selection.clone(), fetching })
    }

    /// Calls `act` with what is needed to judge and perform these tasks.
    fn with_build<T>(&self, tasks: &BTreeSet<TaskId>, act: impl FnOnce(&Build<'_>) -> T) -> T {
        let needed = select::closure(&self.graph, tasks);
        let tools = tools::look(&self.store, self.workspace.worker(), &self.graph, &needed);
        let (opened, graph, store) = (&self.workspace, &self.graph, &self.store);
        act(&Build { opened, graph, store, tools: &tools, jobs: None, fetching: self.fetching.clone() })
    }

    /// The meant assets as they are now.
    fn inventory(&self, meant: &Meant) -> Result<Vec<Asset>> {
        let mut found = self.with_build(&meant.tasks, |build| assets::inventory(build, meant))?;
        found.retain(
            |asset| {
                if asset.kind == Kind::Model { !self.selection.clips } else { !self.selection.models }
            },
        );
        Ok(found)
    }

    /// Those of the meant assets that are downloaded or the user's own.
    fn without_clips(&self) -> Meant {
        Meant { tasks: self.meant.fetched(&self.graph), ..self.meant.clone() }
    }
}
