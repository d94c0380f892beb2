//! `lp show --diff A B`: two plans side by side.
//!
//! What is named with a `/`, by a name that ends with `.json`, by `.`, `..` or `-`
//! is a file or a folder; any other word is a profile of this project. So the
//! meaning of a word does not depend on what lies about.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::load::rows;
use super::{compiled, print};
use crate::cli::args::Global;
use crate::cli::open::{Opened, accept, request};
use crate::cli::{Exit, Refused, console};
use crate::config::load::{LoadRequest, load};
use crate::diag::codes;
use crate::name::is_unseen;
use crate::os::{self, terminal};
use crate::plan::diff::{LaneDiff, diff};
use crate::plan::summary::{LanePlan, Summary};
use crate::plan::{CameraPlan, VERSION};
use crate::report::grid::grid;

/// The version of the document of `--format json`.
const DOCUMENT: u32 = 1;

/// The largest plan file that is read.
const LIMIT: u64 = 1 << 30;

/// The profile that is none, unless there is one of this name.
const DEFAULT: &str = "default";

pub(super) fn run(global: &Global, is_json: bool, before: &str, after: &str) -> anyhow::Result<Exit> {
    if before == "-" && after == "-" {
        console::note("error: only one of the two plans can come from stdin");
        return Err(Refused.into());
    }
    if is_file(before) && is_file(after) {
        let Global { sets, cameras, workloads, .. } = global;
        let given = [
            ("--set", !sets.is_empty()),
            ("--cameras", cameras.is_some()),
            ("--workloads", workloads.is_some()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given) {
            console::note(&format!("error: `{flag}` means nothing to `lp show --diff` of two plan files"));
            return Err(Refused.into());
        }
    }
    // Both, so that both are reported if both are faulty.
    let (one, other) = (side(global, before), side(global, after));
    let found = diff(&one?, &other?);
    if is_json {
        let mut document = serde_json::to_value(&found)?;
        document["version"] = DOCUMENT.into();
        print(&document);
    } else {
        console::out(&text(&found, &[before, after]));
    }
    Ok(Exit::Done)
}

fn side(global: &Global, name: &str) -> anyhow::Result<Vec<CameraPlan>> {
    if name == "-" {
        let mut bytes = Vec::new();
        // A pipe of any length is taken: whoever made it is waited for anyway.
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
        let opened = accept(global, loaded)?;
        return Ok(whole(&opened));
    }
    file(name, os::fs::read_awaited(path, LIMIT))
}

fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".json") || name == "." || name == ".."
}

/// Whether the plan stands in a file, so that no config is read for it.
fn is_file(name: &str) -> bool {
    name == "-" || (is_path(name) && !Path::new(name).is_dir())
}

/// The plan of this project with a profile.
fn profile(global: &Global, name: &str) -> anyhow::Result<Vec<CameraPlan>> {
    let mut wanted = LoadRequest { profile: Some(name.to_owned()), ..request(global, &[])? };
    let mut loaded = load(&wanted);
    let is_unknown = loaded.diagnostics.has(codes::UNKNOWN_PROFILE);
    if name == DEFAULT && is_unknown {
        wanted.profile = None;
        wanted.env.retain(|(name, _)| name != "LP_PROFILE");
        loaded = load(&wanted);
    }
    let is_file = os::fs::metadata(Path::new(name)).is_ok();
    let opened = accept(global, loaded).inspect_err(|_| {
        if is_unknown && is_file {
            console::note(&format!("  hint: for the file or folder of this name, write `./{name}`"));
        }
    })?;
    Ok(whole(&opened))
}

/// The plan as a file of it would be.
fn whole(opened: &Opened) -> Vec<CameraPlan> {
    compiled(&opened.lane().cameras.iter().collect::<Vec<_>>())
}

/// What tells a plan file from another.
#[derive(Deserialize)]
struct Head {
    version: Option<u32>,
    cameras: Option<IgnoredAny>,
    pipelines: Option<IgnoredAny>,
}

/// The cameras of a plan file: those of a lane, or one.
fn file(name: &str, read: std::io::Result<Vec<u8>>) -> anyhow::Result<Vec<CameraPlan>> {
    let refuse = |why: &str, hint: Option<&str>| {
        console::note(&format!("error: {why}"));
        hint.inspect(|hint| console::note(&format!("  hint: {hint}")));
        Refused
    };
    let shown = one_line(name);
    let bytes = read.map_err(|error| refuse(&format!("failed to read the plan `{shown}`: {error}"), None))?;
    let kinds = "plans are `results/plan.json`, the files in `results/plan/`, and what `lp show --format json` \
                 prints";
    let no_plan = |why: &str| refuse(&format!("`{shown}` is no plan: {why}"), Some(kinds));
    let head: Head = serde_json::from_slice(&bytes).map_err(|error| no_plan(&error.to_string()))?;
    let is_lane = head.cameras.is_some();
    if !is_lane && head.pipelines.is_none() {
        return Err(no_plan("it has no `cameras` and no `pipelines`").into());
    }
    match head.version {
        Some(VERSION) => {}
        Some(version) => {
            let why =
                format!("`{shown}` is a plan of version {version}, but this `lp` reads version {VERSION}");
            return Err(refuse(&why, Some("let this `lp` make it again: `lp build plan`")).into());
        }
        None => return Err(no_plan("it has no `version`").into()),
    }
    let plans = if is_lane {
        serde_json::from_slice(&bytes).map(|lane: LanePlan| lane.cameras)
    } else {
        serde_json::from_slice(&bytes).map(|plan| vec![plan])
    };
    Ok(plans.map_err(|error| no_plan(&error.to_string()))?)
}

fn text(found: &LaneDiff, names: &[&str; 2]) -> String {
    let LaneDiff { added, removed, changed, equal, before, after } = found;
    let names = names.map(one_line);
    let mut lines = Vec::new();
    lines.extend(removed.iter().map(|camera| format!("- {}", one_line(camera))));
    lines.extend(added.iter().map(|camera| format!("+ {}", one_line(camera))));
    for camera in changed {
        lines.push(format!("~ {}", one_line(&camera.camera)));
        let changes = camera.changes.iter().map(ToString::to_string);
        lines.extend(changes.map(|change| format!("    {}", one_line(&change))));
    }
    if lines.is_empty() {
        let cameras = if *equal == 1 { "camera" } else { "cameras" };
        return format!("no difference in {equal} {cameras}\n");
    }
    let width = terminal::columns_of_stdout();
    for (what, rows) in [("", counts(before, after)), ("each second", loads(before, after))] {
        lines.push(String::new());
        lines.extend(grid(&[what, &names[0], &names[1]], &[], rows, width));
    }
    lines.push(String::new());
    let (added, removed, changed) = (added.len(), removed.len(), changed.len());
    lines.push(format!("cameras: {removed} removed, {added} added, {changed} changed, {equal} equal"));
    lines.join("\n") + "\n"
}

/// How much there is in both.
fn counts(before: &Summary, after: &Summary) -> Vec<Vec<String>> {
    let count = |what: &str, of: fn(&Summary) -> usize| {
        vec![what.to_owned(), of(before).to_string(), of(after).to_string()]
    };
    vec![
        count("cameras", |summary| summary.cameras),
        count("workloads", |summary| summary.workloads),
        count("pipelines before merging", |summary| summary.pipelines_before_merging),
        count("pipelines after merging", |summary| summary.pipelines),
        count("pipelines not supported", |summary| summary.unsupported.len()),
        count("decodes saved", |summary| summary.decodes_saved),
    ]
}

/// What both ask for: one row for each thing that either has.
fn loads(before: &Summary, after: &Summary) -> Vec<Vec<String>> {
    let mut table: Vec<(String, [Vec<String>; 2])> = Vec::new();
    for (n, summary) in [before, after].into_iter().enumerate() {
        for row in rows(&summary.load) {
            let words = row.what.iter().map(String::as_str).filter(|word| !word.is_empty());
            let what = one_line(&words.collect::<Vec<_>>().join(" "));
            let found = table.iter().position(|(known, _)| *known == what).unwrap_or_else(|| {
                table.push((what, Default::default()));
                table.len() - 1
            });
            let times = if row.count == 1 { String::new() } else { format!(" ({} x)", row.count) };
            table[found].1[n].push(row.each_second + &times);
        }
    }
    // Two rates of one model are two lines.
    let cell = |values: Vec<String>| if values.is_empty() { "-".to_owned() } else { values.join("\n") };
    table.into_iter().map(|(what, [one, other])| vec![what, cell(one), cell(other)]).collect()
}

/// A text that is one line, whatever a plan file says.
fn one_line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}
