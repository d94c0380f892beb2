//! `lp assets vendor`: downloads, and models of the user's, in a folder laid out like the
//! project.
//!
//! A file appears whole or not at all, and only with its digest. `SHA256SUMS` and
//! `assets.json` are written last, and deleted before the first file changes: so they never
//! describe other files. Files that are not among the assets are not touched.

use std::path::{Path, PathBuf};

use super::Opened;
use super::fetch::{fetch, missing};
use crate::action::Fetching;
use crate::cli::args::{AssetSelection, Global};
use crate::cli::size::size_text;
use crate::cli::{Exit, console, project};
use crate::os::http::{Compared, RESERVE, compare};
use crate::os::process::Cancel;
use crate::os::signal::cancel_on_signals;
use crate::os::usage::{Usage, free_bytes};
use crate::os::{self, failpoint};
use crate::path::{Layout, shown};
use crate::text::counted;
use crate::workspace::assets::{Asset, AssetFile, Kind, List, State};
use crate::workspace::error::{CommandError, Kind as ErrorKind, Result};

/// The file with the digests, which `sha256sum -c` reads.
const SUMS: &str = "SHA256SUMS";

/// The file with the list of assets.
const LIST: &str = "assets.json";

pub(super) fn run(global: &Global, folder: &Path, is_json: bool, fetching: Fetching) -> Result<Exit> {
    let opened = Opened::new(global, &AssetSelection::default(), fetching)?;
    let folder = project::directory(global)?.join(folder);
    refuse_places_of_lp(&opened.workspace.project.layout, &folder)?;
    let cancel = cancel_on_signals()?;
    let downloads = opened.meant.fetched(&opened.graph);
    let fetched = if downloads.is_empty() { Exit::Done } else { fetch(&opened, &downloads, false, &cancel)? };
    if fetched == Exit::Interrupted {
        return Ok(fetched);
    }
    let all = opened.inventory(&opened.without_clips())?;
    let vendored: Vec<Asset> = all.iter().filter(|asset| is_vendored(&opened, asset)).cloned().collect();
    let exit = Vendor { opened: &opened, folder, cancel }.bring(vendored, is_json)?;
    if exit != Exit::Done {
        return Ok(exit);
    }
    // Those that fetching has reported are in the graph.
    match missing(&all) {
        Some(error) if fetched == Exit::Done => Err(error),
        _ => Ok(fetched),
    }
}

/// Whether another machine needs it: not what it can make, and not a video that its cameras
/// name by a path of their own.
fn is_vendored(opened: &Opened, asset: &Asset) -> bool {
    let plays_instead =
        |file: &AssetFile| opened.workspace.adopted.iter().any(|adopted| adopted.path == file.path);
    match asset.state {
        State::There => true,
        State::Yours => asset.kind == Kind::Model || asset.files.iter().all(plays_instead),
        _ => false,
    }
}

/// Refuses a folder in which `lp` writes files of the project.
fn refuse_places_of_lp(layout: &Layout, folder: &Path) -> Result<()> {
    let cache = layout.cache();
    let own = [&layout.media, &layout.models, &layout.results, &cache];
    let places = [folder.to_path_buf(), folder.join("media"), folder.join("models")];
    for place in &places {
        if let Some(own) = own.into_iter().find(|own| os::within::is_inside(place, own)) {
            let message = format!(
                "`{}` would be in `{}`, where `lp` keeps the project's own files",
                shown(place),
                shown(own)
            );
            return Err(CommandError::refused(message).hint("name a folder elsewhere, such as `vendor`"));
        }
    }
    if os::fs::metadata(folder).is_ok_and(|found| !found.is_dir()) {
        return Err(CommandError::refused(format!("`{}` is no folder", shown(folder))));
    }
    Ok(())
}

/// A file to vendor, and where it belongs.
struct Item<'a> {
    file: &'a AssetFile,
    from: PathBuf,
    to: PathBuf,
}

/// The folder.
struct Vendor<'a> {
    opened: &'a Opened,
    folder: PathBuf,
    cancel: Cancel,
}

impl Vendor<'_> {
    /// Copies what differs, and writes what describes it.
    fn bring(&self, mut assets: Vec<Asset>, is_json: bool) -> Result<Exit> {
        os::fs::create_dir_all(&self.folder)?;
        let layout = &self.opened.workspace.project.layout;
        let mut sums: Vec<(String, String)> = Vec::new();
        let (mut same, mut copied, mut errors) = (Usage::default(), Usage::default(), Vec::new());
        let mut to_copy = Vec::new();
        for file in assets.iter().flat_map(|asset| &asset.files) {
            if self.cancel.is_cancelled() {
                return Ok(Exit::Interrupted);
            }
            let to = self.folder.join(file.path.as_str());
            self.remove_leftovers(&to);
            let item = Item { file, from: layout.resolve(&file.path), to };
            match self.there(&item) {
                Ok(Some(found)) => {
                    same.add(found.bytes);
                    sums.push((file.path.as_str().to_owned(), found.sha256));
                }
                Ok(None) => to_copy.push(item),
                Err(error) => errors.push(error),
            }
        }
        if !to_copy.is_empty() {
            self.refuse_without_room(&to_copy)?;
            for name in [SUMS, LIST] {
                os::fs::remove(&self.folder.join(name))?;
            }
        }
        for item in to_copy {
            if self.cancel.is_cancelled() {
                return Ok(Exit::Interrupted);
            }
            match self.copy(&item) {
                Ok(found) => {
                    copied.add(found.bytes);
                    sums.push((item.file.path.as_str().to_owned(), found.sha256));
                }
                Err(error) => errors.push(error),
            }
        }
        sums.sort();
        let is_there = |file: &AssetFile| sums.iter().any(|(path, _)| path == file.path.as_str());
        assets.retain(|asset| asset.files.iter().all(is_there));
        let list = format!("{}\n", serde_json::to_string_pretty(&List::new(assets))?);
        os::fs::write_atomic(&self.folder.join(LIST), list.as_bytes())?;
        let text: String = sums.iter().map(|(path, sha256)| sum_line(path, sha256)).collect();
        os::fs::write_atomic(&self.folder.join(SUMS), text.as_bytes())?;
        if is_json {
            console::out(&list);
        }
        console::note(&format!(
            "copied {} ({}), {} as before: `{}`",
            counted(copied.count, "file"),
            size_text(copied.bytes),
            same.count,
            shown(&self.folder)
        ));
        CommandError::all(errors).map_or(Ok(Exit::Done), Err)
    }

    /// The file at its place, if it is the right one.
    fn there(&self, item: &Item<'_>) -> Result<Option<Compared>> {
        let found = match os::fs::metadata(&item.to) {
            Err(error) if error.is_not_found() => return Ok(None),
            found => found?,
        };
        if !found.is_file() {
            let message = format!("`{}` is in the way: it is no regular file", shown(&item.to));
            return Err(failed(message));
        }
        let from = os::fs::metadata(&item.from)?;
        if from.len() != found.len() {
            return Ok(None);
        }
        let compared = compare(&item.to, &item.file.pins)?;
        let is_same =
            compared.difference.is_none() && compared.content == self.opened.store.digest_of(&item.from)?;
        Ok(is_same.then_some(compared))
    }

    fn copy(&self, item: &Item<'_>) -> Result<Compared> {
        os::fs::create_parent(&item.to)?;
        let temporary = os::fs::temporary_beside(&item.to);
        let brought = self.copy_to(item, &temporary);
        if brought.is_err() {
            // The first error is reported.
            let _ = os::fs::remove(&temporary);
        }
        brought
    }

    fn copy_to(&self, item: &Item<'_>, temporary: &Path) -> Result<Compared> {
        // A hard link would let a change of one file change the other.
        os::fs::place(&item.from, temporary, 0o666, os::fs::Linking::Never)?;
        let compared = compare(temporary, &item.file.pins)?;
        let damaged = || {
            let message = format!("`{}` is not what `lp` put there, and is not copied", item.file.path);
            failed(message).hint("`lp assets verify` says more")
        };
        if compared.difference.is_some() || compared.content != self.opened.store.digest_of(&item.from)? {
            return Err(damaged());
        }
        os::fs::sync_data(temporary)?;
        failpoint::hit("vendor.before-place");
        os::fs::rename(temporary, &item.to)?;
        Ok(compared)
    }

    /// Deletes what an `lp` that was killed has left beside a file.
    fn remove_leftovers(&self, beside: &Path) {
        let Some(folder) = beside.parent() else { return };
        let names = os::fs::list_names(folder).unwrap_or_default();
        for name in names.iter().filter(|name| os::fs::is_abandoned(name)) {
            let _ = os::fs::remove(&folder.join(name));
        }
    }

    fn refuse_without_room(&self, items: &[Item<'_>]) -> Result<()> {
        let sizes = items.iter().filter_map(|item| item.file.size);
        let needed = sizes.fold(0_u64, u64::saturating_add);
        // Where it cannot be known, writing tells.
        let Ok(free) = free_bytes(&self.folder) else { return Ok(()) };
        if needed.saturating_add(RESERVE) <= free {
            return Ok(());
        }
        Err(failed(format!(
            "`{}` needs {needed} bytes and {RESERVE} to spare, but only {free} are free on the disk",
            shown(&self.folder)
        )))
    }
}

fn failed(message: String) -> CommandError {
    CommandError { kind: ErrorKind::Failed, ..CommandError::refused(message) }
}

/// A line of `SHA256SUMS`, as `sha256sum` prints it: a name with a backslash or a line break is
/// escaped, and the line says so.
fn sum_line(path: &str, sha256: &str) -> String {
    if !path.contains(['\\', '\n', '\r']) {
        return format!("{sha256}  {path}\n");
    }
    let path = path.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r");
    format!("\\{sha256}  {path}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_sums_is_as_sha256sum_writes_it() {
        assert_eq!(sum_line("media/a b.mp4", "71aa"), "71aa  media/a b.mp4\n");
        assert_eq!(sum_line("own/a\\b\nc", "71aa"), "\\71aa  own/a\\\\b\\nc\n");
    }
}
