//! `lp assets`: a table of all assets, or a document.

use super::Opened;
use crate::action::Fetching;
use crate::cli::args::{AssetSelection, Global};
use crate::cli::columns::table;
use crate::cli::console::Volume;
use crate::cli::size::size_text;
use crate::cli::{Exit, console};
use crate::text::counted;
use crate::workspace::assets::{Asset, AssetFile, List, Totals};
use crate::workspace::error::Result;

/// The most cameras that a row names.
const NAMED: usize = 3;

pub(super) fn run(global: &Global, selection: &AssetSelection, is_json: bool) -> Result<Exit> {
    let opened = Opened::new(global, selection, Fetching::default())?;
    let assets = opened.inventory(&opened.meant)?;
    // What was found out of the machine and of files is worth keeping, if there is a store.
    if opened.store.root().is_dir() {
        let _ = opened.store.save_state();
    }
    let list = List::new(assets);
    if is_json {
        console::out(&format!("{}\n", serde_json::to_string_pretty(&list)?));
        return Ok(Exit::Done);
    }
    if !list.assets.is_empty() {
        let header = &["asset", "state", "size", "cameras"];
        console::out(&table(header, &["size"], list.assets.iter().map(row).collect()));
    }
    if console::volume() == Volume::Verbose {
        console::out(&list.assets.iter().map(details).collect::<String>());
    }
    console::out(&format!("{}\n", totals(&list.totals)));
    Ok(Exit::Done)
}

fn row(asset: &Asset) -> Vec<String> {
    let mut cameras = asset.cameras.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if let more @ 1.. = asset.cameras.len().saturating_sub(NAMED) {
        cameras.push_str(&format!(" and {more} more"));
    }
    vec![asset.name.clone(), asset.state.word().to_owned(), size(asset.size), cameras]
}

fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".to_owned(), size_text)
}

/// What the table has no room for.
fn details(asset: &Asset) -> String {
    let mut text = format!("\n{}\n", asset.name);
    let mut line = |words: &str| text.push_str(&format!("  {}\n", crate::text::harmless(words)));
    if let Some(because) = &asset.because {
        line(because);
    }
    if let Some(licence) = &asset.licence {
        line(&format!("licence {licence}"));
    }
    if let Some(origin) = &asset.origin {
        line(&format!("from {origin}"));
    }
    for AssetFile { path, size, digest, url, .. } in &asset.files {
        let size = size.map_or_else(|| "? bytes".to_owned(), |size| counted(size, "byte"));
        line(&format!("{path}, {size}"));
        if let Some(digest) = digest {
            let pinned = if digest.pinned { ", pinned" } else { "" };
            line(&format!("  {} {}{pinned}", digest.algorithm, digest.hex));
        }
        if let Some(url) = url.as_ref().filter(|url| Some(*url) != asset.origin.as_ref()) {
            line(&format!("  {url}"));
        }
    }
    text
}

/// "3 assets: 1.2 MiB there, at least 20.0 MiB to fetch"
fn totals(totals: &Totals) -> String {
    let Totals { assets, there, to_fetch, unknown } = *totals;
    if assets == 0 {
        return "no assets are needed".to_owned();
    }
    let fetch = match (to_fetch, unknown) {
        (0, 0) => "nothing to fetch".to_owned(),
        (bytes, 0) => format!("{} to fetch", size_text(bytes)),
        (0, n) => format!("{} of unknown size to fetch", counted(n, "file")),
        (bytes, n) => format!("{} and {} of unknown size to fetch", size_text(bytes), counted(n, "file")),
    };
    format!("{}: {} there, {fetch}", counted(assets, "asset"), size_text(there))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::http::Pins;
    use crate::path::ProjectPath;
    use crate::workspace::assets::{FileDigest, Kind, State, VERSION};

    fn full() -> Asset {
        let file = |name: &str, size, pinned| AssetFile {
            path: ProjectPath::new(&format!("models/object_detection/m/FP16/{name}")).unwrap(),
            size,
            digest: Some(FileDigest { algorithm: "sha256", hex: "71aa".repeat(16), pinned }),
            url: Some(format!("https://models.example/{name}")),
            pins: Pins::default(),
            recorded: Vec::new(),
        };
        Asset {
            name: "download:models/m/FP16".to_owned(),
            target: Some("download:models/m/FP16".to_owned()),
            kind: Kind::Model,
            state: State::ToFetch,
            size: None,
            licence: Some("Apache-2.0".to_owned()),
            origin: Some("https://models.example".to_owned()),
            cameras: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            because: Some("`sha256` changed".to_owned()),
            files: vec![file("m.xml", Some(7), true), file("m.bin", None, false)],
        }
    }

    #[test]
    fn documents_have_what_their_schema_describes_and_nothing_else() {
        let mut others: Vec<Asset> = vec![full()];
        for state in
            [State::There, State::Stored, State::ToMake, State::Yours, State::Changed, State::Missing]
        {
            others.push(Asset { state, ..full() });
        }
        others.push(Asset { kind: Kind::Video, target: None, licence: None, ..full() });
        others.push(Asset { kind: Kind::Clip, origin: None, because: None, size: Some(7), ..full() });
        let document = serde_json::to_value(List::new(others)).unwrap();
        let schema = include_str!("../../../docs/schema/assets.schema.json");
        crate::record::schema::check(schema, VERSION, 15, &[document]);
    }

    #[test]
    fn a_size_that_is_not_known_is_no_zero() {
        assert_eq!(row(&full()), ["download:models/m/FP16", "to fetch", "?", "a, b, c and 1 more"]);
        let line = |assets: Vec<Asset>| totals(&List::new(assets).totals);
        assert_eq!(line(vec![full()]), "1 asset: 0 B there, 7 B and 1 file of unknown size to fetch");
        let mut unknown = full();
        unknown.files.remove(0);
        assert_eq!(line(vec![unknown]), "1 asset: 0 B there, 1 file of unknown size to fetch");
        let there = Asset { state: State::There, ..full() };
        assert_eq!(line(vec![there]), "1 asset: 7 B there, nothing to fetch");
        assert_eq!(line(Vec::new()), "no assets are needed");
    }
}
