//! Reads the files of assets that are there, and compares each with its digest: the pinned
//! one, else that of the store. Models are also checked for sense.
//!
//! Believes nothing that was remembered of a file, and changes nothing.

use rayon::prelude::*;
use serde::Serialize;

use super::{Asset, AssetFile, Kind, State, shipped};
use crate::action;
use crate::os;
use crate::os::http::{Difference, PinKey, compare};
use crate::path::{Layout, ProjectPath};
use crate::pipeline::tensors::ModelUse;

/// The version of [`Verified`].
pub(crate) const VERSION: u32 = 1;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Verified {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The files that are what they should be.
    pub(crate) ok: usize,
    /// Files of the user's own that are pinned nowhere, so that there is nothing to compare
    /// them with.
    pub(crate) yours: usize,
    pub(crate) wrong: Vec<WrongFile>,
    pub(crate) missing: Vec<MissingFile>,
}

/// A file that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WrongFile {
    /// The name of its asset.
    pub(crate) asset: String,
    pub(crate) path: ProjectPath,
    /// The fault, to follow its path.
    pub(crate) fault: String,
    /// The digest or size that it should have, if it has another.
    pub(crate) expected: Option<String>,
    pub(crate) actual: Option<String>,
    pub(crate) way_out: String,
}

/// A file that is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct MissingFile {
    /// The name of its asset.
    pub(crate) asset: String,
    pub(crate) path: ProjectPath,
}

enum Found {
    Ok,
    Yours,
    Wrong(Box<WrongFile>),
    Missing(MissingFile),
}

/// Reads all files of the assets that are there, several at once.
pub(crate) fn verify(layout: &Layout, assets: &[Asset]) -> Verified {
    let files: Vec<(&Asset, &AssetFile)> =
        assets.iter().flat_map(|asset| asset.files.iter().map(move |file| (asset, file))).collect();
    let found: Vec<Found> = files.into_par_iter().map(|(asset, file)| look(layout, asset, file)).collect();
    let mut verified = Verified { version: VERSION, ok: 0, yours: 0, wrong: Vec::new(), missing: Vec::new() };
    for one in found {
        match one {
            Found::Ok => verified.ok += 1,
            Found::Yours => verified.yours += 1,
            Found::Wrong(wrong) => verified.wrong.push(*wrong),
            Found::Missing(missing) => verified.missing.push(missing),
        }
    }
    verified
}

fn look(layout: &Layout, asset: &Asset, file: &AssetFile) -> Found {
    let place = layout.resolve(&file.path);
    let wrong = |fault: String, digests: Option<(String, String)>| {
        let (expected, actual) = digests.unzip();
        let way_out = way_out(asset, file).to_owned();
        let (asset, path) = (asset.name.clone(), file.path.clone());
        Found::Wrong(Box::new(WrongFile { asset, path, fault, expected, actual, way_out }))
    };
    match os::fs::metadata(&place) {
        Err(error) if error.is_not_found() => {
            return Found::Missing(MissingFile { asset: asset.name.clone(), path: file.path.clone() });
        }
        Err(error) => return wrong(format!("cannot be read: {}", error.source), None),
        Ok(found) if !found.is_file() => return wrong("is no regular file".to_owned(), None),
        Ok(_) => {}
    }
    if asset.kind == Kind::Model
        && let Some(fault) = action::model_fault(&place, ModelUse::of_path(file.path.as_str()))
    {
        return wrong(fault, None);
    }
    let is_pinned = file.pins.has_digest() || file.pins.size.is_some();
    if !is_pinned && file.recorded.is_empty() {
        return Found::Yours;
    }
    let read = match compare(&place, &file.pins) {
        Ok(read) => read,
        Err(error) => return wrong(format!("cannot be read: {}", error.source), None),
    };
    if let Some(Difference { pin, expected, actual }) = read.difference {
        let bytes = if pin == PinKey::Size { " bytes" } else { "" };
        let (expected, actual) = (format!("{expected}{bytes}"), format!("{actual}{bytes}"));
        return wrong(format!("has {actual}, not the pinned {expected}"), Some((expected, actual)));
    }
    match file.recorded.first() {
        Some(recorded) if !file.pins.has_digest() && !file.recorded.contains(&read.content) => {
            let (expected, actual) = (recorded.to_hex(), read.content.to_hex());
            let fault = format!("has the BLAKE3 digest {actual}, but `lp` put {expected} there");
            wrong(fault, Some((expected, actual)))
        }
        _ => Found::Ok,
    }
}

/// What brings the right file.
fn way_out(asset: &Asset, file: &AssetFile) -> &'static str {
    if shipped::pins(&file.path).is_some() {
        return "copy it from a new project (`lp init --lane DIR`); a model of your own needs another place";
    }
    match (asset.state, asset.kind) {
        (State::Yours, Kind::Model) if file.pins.has_digest() => {
            "delete the files of this folder, and `lp assets fetch` brings all of them"
        }
        (State::Yours | State::Missing, Kind::Model) => {
            "put a sound file there; `lp check --explain LP0808` has more"
        }
        (State::Yours | State::Missing, _) if file.pins.has_digest() => {
            "put the pinned file there, or change what `[asset]` pins"
        }
        (State::Yours | State::Missing, _) => "put a sound file there",
        (State::Changed, _) => "`lp build assets` restores it",
        (State::ToFetch, _) => "`lp assets fetch` brings the right one",
        (State::ToMake, _) => "`lp build assets` makes it anew",
        (State::There | State::Stored, Kind::Clip) => {
            "delete it, run `lp cache verify`, then `lp build assets`"
        }
        (State::There | State::Stored, _) => "delete it, run `lp cache verify`, then `lp assets fetch`",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::digest::ContentDigest;
    use crate::os::http::Pins;

    #[test]
    fn a_file_is_compared_with_its_pin_else_with_what_was_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().to_owned());
        std::fs::create_dir(&layout.media).unwrap();
        std::fs::create_dir(layout.media.join("folder")).unwrap();
        std::fs::write(layout.media.join("a.mp4"), "lane").unwrap();
        let asset = |name: &str, state, pins: Pins, recorded: &[&str]| {
            let file = AssetFile {
                path: ProjectPath::new(&format!("media/{name}")).unwrap(),
                size: None,
                digest: None,
                url: None,
                pins,
                recorded: recorded.iter().map(|text| ContentDigest::of(text.as_bytes())).collect(),
            };
            Asset {
                name: format!("download:{name}"),
                target: None,
                kind: Kind::Video,
                state,
                size: None,
                licence: None,
                origin: None,
                cameras: Vec::new(),
                because: None,
                files: vec![file],
            }
        };
        let sized = |size| Pins { size: Some(size), ..Pins::default() };
        let found = verify(
            &layout,
            &[
                asset("a.mp4", State::There, Pins::default(), &["lame", "lane"]),
                asset("a.mp4", State::Yours, Pins::default(), &[]),
                asset("a.mp4", State::There, Pins::default(), &["lame"]),
                asset("a.mp4", State::Yours, sized(5), &[]),
                // What is pinned counts alone.
                asset("a.mp4", State::There, Pins { blake3: Some("00".to_owned()), ..sized(4) }, &["lane"]),
                asset("folder", State::Changed, Pins::default(), &["lane"]),
                asset("gone.mp4", State::Stored, Pins::default(), &["lane"]),
            ],
        );
        assert_eq!((found.ok, found.yours, found.missing.len()), (1, 1, 1));
        let lines =
            found.wrong.iter().map(|wrong| format!("{} {}\n  {}\n", wrong.path, wrong.fault, wrong.way_out));
        expect![[r#"
            media/a.mp4 has the BLAKE3 digest 28f1bc240daead3a8d4e2b6ca504b9e14ea73eac3adb4c91982a51f46570ff28, but `lp` put 1799f3093a7905341173867ba826703d3fa204dfd9c3f72dce7e07bf5e74f95c there
              delete it, run `lp cache verify`, then `lp assets fetch`
            media/a.mp4 has 4 bytes, not the pinned 5 bytes
              put a sound file there
            media/a.mp4 has 28f1bc240daead3a8d4e2b6ca504b9e14ea73eac3adb4c91982a51f46570ff28, not the pinned 00
              delete it, run `lp cache verify`, then `lp assets fetch`
            media/folder is no regular file
              `lp build assets` restores it
        "#]].assert_eq(&lines.collect::<String>());
    }
}
