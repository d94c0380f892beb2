//! `lp assets verify`

use super::Opened;
use crate::action::Fetching;
use crate::cli::args::{AssetSelection, Global};
use crate::cli::console::Volume;
use crate::cli::{Exit, console};
use crate::diag::Tone;
use crate::text::{counted, harmless};
use crate::workspace::assets::verify::{Verified, verify};
use crate::workspace::assets::{Asset, State};
use crate::workspace::error::Result;

pub(super) fn run(
    global: &Global,
    selection: &AssetSelection,
    is_complete: bool,
    is_json: bool,
) -> Result<Exit> {
    let opened = Opened::new(global, selection, Fetching::default())?;
    let assets = opened.inventory(&opened.meant)?;
    let verified = verify(&opened.workspace.project.layout, &assets);
    if is_json {
        console::out(&format!("{}\n", serde_json::to_string_pretty(&verified)?));
    } else {
        console::out(&assets.iter().map(|asset| lines(asset, &verified)).collect::<String>());
        console::result(&summary(&verified));
    }
    let is_well = verified.wrong.is_empty() && (verified.missing.is_empty() || !is_complete);
    Ok(if is_well { Exit::Done } else { Exit::Failed })
}

/// The lines of an asset: one word, and each of its files that is wrong. Those that are right
/// have a line with `-v`.
fn lines(asset: &Asset, verified: &Verified) -> String {
    let wrong: Vec<_> = verified.wrong.iter().filter(|file| file.asset == asset.name).collect();
    let is_missing = verified.missing.iter().any(|file| file.asset == asset.name);
    let (tone, word) = match () {
        () if !wrong.is_empty() => (Tone::Bad, "wrong"),
        () if is_missing => (Tone::Unsure, "missing"),
        () if console::volume() < Volume::Verbose => return String::new(),
        () if asset.state == State::Yours => (Tone::Good, "yours"),
        () => (Tone::Good, "ok"),
    };
    let word = console::paper().color.paint(tone, &format!("{word:<7}"));
    let mut text = format!("{word}  {}", harmless(&asset.name));
    if is_missing && asset.state == State::Missing {
        text.push_str(&asset.because.as_ref().map_or(String::new(), |because| format!(": {because}")));
    }
    text.push('\n');
    for file in wrong {
        text.push_str(&format!("         `{}` {}\n", file.path, file.fault));
        text.push_str(&format!("         {}\n", file.way_out));
    }
    text
}

/// "3 files ok, 1 yours, 1 wrong, 2 missing"
fn summary(verified: &Verified) -> String {
    let mut text = format!("{} ok", counted(verified.ok, "file"));
    let others = [
        (verified.yours, "of your own, with nothing to compare"),
        (verified.wrong.len(), "wrong"),
        (verified.missing.len(), "missing"),
    ];
    for (n, word) in others.iter().filter(|(n, _)| *n > 0) {
        text.push_str(&format!(", {n} {word}"));
    }
    text
}
