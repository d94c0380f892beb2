//! One of the two plans: a file, or the current plan of the project.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::cli::args::Global;
use crate::cli::project::{accept, request};
use crate::cli::show::compiled;
use crate::config::load::{LoadRequest, load};
use crate::diag::codes;
use crate::os;
use crate::plan::summary::LanePlan;
use crate::plan::{CameraPlan, VERSION};
use crate::text::harmless;
use crate::workspace::error::{CommandError, Result};
use crate::workspace::open::Workspace;

/// The largest plan file that is read.
const LIMIT: u64 = 1 << 30;

/// The name for no profile, unless there is a profile of this name.
const DEFAULT: &str = "default";

/// The plan of this name.
pub(super) fn read(global: &Global, name: &str) -> Result<Vec<CameraPlan>> {
    if name == "-" {
        let mut bytes = Vec::new();
        // A pipe may be of any length: its writer is waited for anyway.
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        return file("stdin", read.map(|_| bytes));
    }
    let path = Path::new(name);
    if !is_path(name) {
        return profile(global, name);
    }
    if path.is_dir() {
        let current = os::env::current_dir()?;
        let dir = os::fs::canonicalize(&current.join(path))?;
        let loaded = load(&LoadRequest { dir, ..request(global, &[])? });
        let opened = accept(loaded, &format!("lp -C {name} check"))?;
        return Ok(whole(&opened));
    }
    file(name, os::fs::read_awaited(path, LIMIT))
}

fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".json") || name == "." || name == ".."
}

/// Whether the plan is in a file, so that no config is read for it.
pub(super) fn is_file(name: &str) -> bool {
    name == "-" || (is_path(name) && !Path::new(name).is_dir())
}

/// The plan of this project with a profile.
fn profile(global: &Global, name: &str) -> Result<Vec<CameraPlan>> {
    let mut wanted = LoadRequest { profile: Some(name.to_owned()), ..request(global, &[])? };
    let mut loaded = load(&wanted);
    let is_unknown = loaded.diagnostics.has(codes::UNKNOWN_PROFILE);
    if name == DEFAULT && is_unknown {
        wanted.profile = None;
        wanted.env.retain(|(name, _)| name != "LP_PROFILE");
        loaded = load(&wanted);
    }
    let is_file = os::fs::metadata(Path::new(name)).is_ok();
    let check = match &wanted.profile {
        Some(profile) => format!("lp check --profile {profile}"),
        None => "lp check".to_owned(),
    };
    let opened = accept(loaded, &check).map_err(|error| {
        let hint = format!("for the file or folder of this name, write `./{name}`");
        if is_unknown && is_file { error.hint(hint) } else { error }
    })?;
    Ok(whole(&opened))
}

/// The plan in the form of its file.
fn whole(opened: &Workspace) -> Vec<CameraPlan> {
    compiled(&opened.lane().cameras.iter().collect::<Vec<_>>())
}

/// The fields that identify the kind of a plan file.
#[derive(Deserialize)]
struct Head {
    version: Option<u32>,
    cameras: Option<IgnoredAny>,
    pipelines: Option<IgnoredAny>,
}

/// The cameras of a plan file: those of a lane, or one.
fn file(name: &str, read: std::io::Result<Vec<u8>>) -> Result<Vec<CameraPlan>> {
    let shown = harmless(name);
    let unread = |error| CommandError::refused(format!("failed to read the plan `{shown}`: {error}"));
    let bytes = read.map_err(unread)?;
    let kinds = "plans are `results/plan.json`, the files in `results/plan/`, and what `lp show --format json` \
                 prints";
    let not_a_plan = |why: &str| CommandError::refused(format!("`{shown}` is not a plan: {why}")).hint(kinds);
    let head: Head = serde_json::from_slice(&bytes).map_err(|error| not_a_plan(&error.to_string()))?;
    let is_lane = head.cameras.is_some();
    if !is_lane && head.pipelines.is_none() {
        return Err(not_a_plan("it has no `cameras` and no `pipelines`"));
    }
    match head.version {
        Some(VERSION) => {}
        Some(version) => {
            let why =
                format!("`{shown}` is a plan of version {version}, but this `lp` reads version {VERSION}");
            return Err(CommandError::refused(why).hint("let this `lp` make it again: `lp build plan`"));
        }
        None => return Err(not_a_plan("it has no `version`")),
    }
    let plans = if is_lane {
        serde_json::from_slice(&bytes).map(|lane: LanePlan| lane.cameras)
    } else {
        serde_json::from_slice(&bytes).map(|plan| vec![plan])
    };
    plans.map_err(|error| not_a_plan(&error.to_string()))
}
