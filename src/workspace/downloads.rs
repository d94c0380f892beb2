//! Refuses a build before anything starts: with `--locked`, if a download has no digest; with
//! `--offline`, if a file would have to be fetched.

use std::collections::BTreeSet;

use super::build::Build;
use super::error::{CommandError, Kind, Result};
use super::lockfile;
use crate::action::{has_environment, players, python};
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place};
use crate::engine::Engine;
use crate::graph::TaskId;
use crate::graph::task::{Action, Task};
use crate::model::{Camera, LOCKFILE};
use crate::os::process::Cancel;
use crate::path::{Layout, ProjectPath};
use crate::text::{counted, plural, some_names};

/// A download that would have to be fetched, or a conversion whose packages would have to be.
struct Missing<'a> {
    label: &'a str,
    /// Of the files that are missing, in bytes, if it is known of all of them.
    size: Option<u64>,
    cameras: Vec<&'a str>,
}

impl Build<'_> {
    /// Refuses a build with `--locked` that needs a download without a digest, and one with
    /// `--offline` that would have to fetch something. All of these are listed.
    pub(crate) fn refuse_downloads(&self, engine: &Engine<'_>, needed: &BTreeSet<TaskId>) -> Result<()> {
        if self.fetching.locked {
            let diagnostics = self.unlocked(needed);
            if !diagnostics.is_empty() {
                return Err(self.opened.refuse(diagnostics));
            }
        }
        if self.fetching.offline {
            let missing = self.missing(engine, needed)?;
            if !missing.is_empty() {
                return Err(offline(&missing, self.fetching.vendor.is_some()));
            }
        }
        Ok(())
    }

    /// The downloads without a digest, each an error at its URL.
    fn unlocked(&self, needed: &BTreeSet<TaskId>) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        for task in needed.iter().map(|id| self.graph.task(*id)) {
            let Action::Download(download) = &task.action else { continue };
            if download.pins.has_digest() {
                continue;
            }
            let name = lockfile::name(&task.label);
            let place = self.url_place(task);
            let fault = match self.opened.project.lock.get(name) {
                Some(entry) => {
                    let message = format!("`{LOCKFILE}` has `{name}` from another URL or of another size");
                    let fault = Diagnostic::error(codes::NOT_LOCKED, message).at(place);
                    fault.also(entry.place, format!("from `{}`, {}", entry.url, counted(entry.size, "byte")))
                }
                None => {
                    let message = format!("`{name}` has no digest in the config and none in `{LOCKFILE}`");
                    Diagnostic::error(codes::NOT_LOCKED, message).at(place)
                }
            };
            let help = format!(
                "without `--locked`, `lp build` writes its entry: commit it; or give its `sha256` in \
                 `[asset.\"{name}\"]`"
            );
            diagnostics.push(fault.help(help));
        }
        diagnostics
    }

    /// The `fileSrc` of the first camera that plays a download.
    fn url_place(&self, task: &Task) -> Place {
        let of_camera = |camera: &Camera| {
            camera.video().filter(|clip| clip.original() == task.outputs[0]).map(|clip| clip.place)
        };
        self.opened.project.cameras.iter().find_map(of_camera).unwrap_or(task.place)
    }

    /// The downloads that must run, and are not in the folder of `--vendor`.
    fn missing(&self, engine: &Engine<'_>, needed: &BTreeSet<TaskId>) -> Result<Vec<Missing<'_>>> {
        let is_fetched = |id: &&TaskId| {
            let task = self.graph.task(**id);
            task.is_download() || task.brings_model()
        };
        // They need no tasks but each other.
        let downloads: BTreeSet<TaskId> = needed.iter().filter(is_fetched).copied().collect();
        let standings = engine.look(&downloads)?;
        let must_run = downloads.into_iter().filter(|id| standings[id].runs());
        Ok(must_run.filter_map(|id| self.missing_files(self.graph.task(id))).collect())
    }

    /// What a download would have to fetch; `None` if the folder of `--vendor` has all of it.
    fn missing_files<'t>(&'t self, task: &'t Task) -> Option<Missing<'t>> {
        let is_missing = |output: &ProjectPath| self.fetching.vendored(output).is_none();
        let label = &task.label;
        match &task.action {
            Action::Download(download) => {
                let output = task.outputs.first().filter(|output| is_missing(output))?;
                let cameras = players(&self.opened.project.cameras, output);
                Some(Missing { label, size: download.pins.size, cameras })
            }
            Action::Model(model) => {
                let files = model.files.iter().zip(&task.outputs);
                let missing: Vec<_> = files.filter(|(_, output)| is_missing(output)).collect();
                let cameras = model.cameras.iter().map(String::as_str).collect();
                let size = missing.iter().map(|(file, _)| file.pins.size).sum();
                (!missing.is_empty()).then_some(Missing { label, size, cameras })
            }
            Action::Convert(convert) => {
                let packages_are_there = || {
                    python(&Cancel::never())
                        .is_ok_and(|python| has_environment(convert, &python, self.layout()))
                };
                if !task.outputs.iter().any(is_missing) || packages_are_there() {
                    return None;
                }
                let cameras = convert.cameras.iter().map(String::as_str).collect();
                Some(Missing { label, size: None, cameras })
            }
            _ => None,
        }
    }

    fn layout(&self) -> &Layout {
        &self.opened.project.layout
    }
}

fn offline(missing: &[Missing<'_>], has_vendor: bool) -> CommandError {
    let n = missing.len();
    let (are, what) = (if n == 1 { "is" } else { "are" }, plural(n, "download"));
    let wherever = if has_vendor {
        "and not in the folder of `--vendor` either"
    } else {
        "and `--offline` asks no server"
    };
    let message = format!("{n} {what} {are} not in the store, {wherever}");
    let mut error = CommandError::refused(message);
    error.kind = Kind::Failed;
    let line = |missing: &Missing<'_>| {
        let size = missing.size.map_or(String::new(), |size| format!(" ({})", counted(size, "byte")));
        let cameras = match missing.cameras.as_slice() {
            [] => String::new(),
            cameras => format!(", for {}", some_names(cameras)),
        };
        format!("`{}`{size}{cameras}", missing.label)
    };
    let advice = "on a machine with a network, `lp assets vendor DIR` fills a folder; take it here, and add \
                  `--vendor DIR`";
    error.hint(advice).details(missing.iter().map(line))
}
