//! Reads `Lpfile.toml`, with profile and overrides laid over it.
//!
//! Everything is optional; defaults are `resolve`'s. Each key that a single
//! value can be given for is in [`SCALARS`], which is what `--set` and `LP_SET_`
//! reach.

use std::collections::BTreeMap;
use std::time::Duration;

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place, Spanned};
use super::project::{AssetPin, DialectChoice, FileSourceMode, Isolation, Pace};
use super::reader::{At, Table, UnknownKeys};
use super::tasks::{RawTask, tasks};
use super::tree::Node;
use super::values::{duration, list_of, one_of, spanned, text, whole};
use crate::path::is_file_name;

/// The keys that take a single value, apart from `pools.NAME` and
/// `asset.NAME.sha256`.
pub(super) const SCALARS: &[&str] = &[
    "project.cameras",
    "project.workloads",
    "paths.media",
    "paths.models",
    "paths.results",
    "run.duration",
    "run.warmup",
    "run.source",
    "run.pace",
    "run.isolation",
    "run.dialect",
    "run.count",
    "pools.cpu",
    "pools.network",
    "pools.gpu",
    "pools.npu",
];

/// `Lpfile.toml` as written.
#[derive(Debug, Default)]
pub(super) struct RawLpfile {
    pub(super) cameras: Option<Spanned<String>>,
    pub(super) workloads: Option<Spanned<String>>,
    pub(super) include: Vec<Spanned<String>>,
    pub(super) media: Option<Spanned<String>>,
    pub(super) models: Option<Spanned<String>>,
    pub(super) results: Option<Spanned<String>>,
    pub(super) run: RawRun,
    pub(super) pools: BTreeMap<String, u32>,
    pub(super) assets: BTreeMap<String, AssetPin>,
    pub(super) tasks: Vec<RawTask>,
}

/// `[run]` as written.
#[derive(Debug, Default)]
pub(super) struct RawRun {
    pub(super) duration: Option<Duration>,
    /// `Some(None)` is `auto`.
    pub(super) warmup: Option<Option<Duration>>,
    pub(super) source: Option<FileSourceMode>,
    pub(super) pace: Option<Pace>,
    pub(super) isolation: Option<Isolation>,
    pub(super) dialect: Option<DialectChoice>,
    pub(super) count: Option<u32>,
}

/// Reads the tables of a project file, or those of one profile. `prefix`
/// precedes the names of keys in messages.
pub(super) fn read(tree: &Node, prefix: &str, diagnostics: &mut Diagnostics) -> RawLpfile {
    let mut raw = RawLpfile::default();
    let at = At { name: prefix.trim_end_matches('.').to_owned(), node: tree };
    let Some(mut root) = Table::open(&at, prefix, diagnostics) else { return raw };

    if let Some(mut table) = open(&mut root, "project", diagnostics) {
        raw.cameras = table.optional("cameras", spanned(text), diagnostics);
        raw.workloads = table.optional("workloads", spanned(text), diagnostics);
        raw.include = table.optional("include", list_of(spanned(text)), diagnostics).unwrap_or_default();
        table.finish(UnknownKeys::Refuse, diagnostics);
    }
    if let Some(mut table) = open(&mut root, "paths", diagnostics) {
        raw.media = table.optional("media", spanned(text), diagnostics);
        raw.models = table.optional("models", spanned(text), diagnostics);
        raw.results = table.optional("results", spanned(text), diagnostics);
        table.finish(UnknownKeys::Refuse, diagnostics);
    }
    if let Some(table) = open(&mut root, "run", diagnostics) {
        raw.run = run(table, diagnostics);
    }
    if let Some(mut table) = open(&mut root, "pools", diagnostics) {
        for (key, at) in table.rest(UnknownKeys::Refuse) {
            if let Some(depth) = pool(&key.text, key.place, &at, diagnostics) {
                raw.pools.insert(key.text.clone(), depth);
            }
        }
    }
    if let Some(mut table) = open(&mut root, "asset", diagnostics) {
        for (key, at) in table.rest(UnknownKeys::Refuse) {
            if let Some(pin) = asset(&key.text, key.place, &at, diagnostics) {
                raw.assets.insert(key.text.clone(), pin);
            }
        }
    }
    raw.tasks = root.optional("task", tasks, diagnostics).unwrap_or_default();
    root.finish(UnknownKeys::Refuse, diagnostics);
    raw
}

/// The table of this name, if it is there.
fn open<'t>(root: &mut Table<'t>, key: &'static str, diagnostics: &mut Diagnostics) -> Option<Table<'t>> {
    let (_, at) = root.take(key)?;
    Table::open(&at, &format!("{}.", at.name), diagnostics)
}

fn run(mut table: Table<'_>, diagnostics: &mut Diagnostics) -> RawRun {
    const SOURCES: &[(&str, FileSourceMode)] =
        &[("file", FileSourceMode::File), ("synthetic", FileSourceMode::Synthetic)];
    const PACES: &[(&str, Pace)] = &[("live", Pace::Live), ("free", Pace::Free)];
    const ISOLATIONS: &[(&str, Isolation)] = &[("camera", Isolation::Camera), ("lane", Isolation::Lane)];
    const DIALECTS: &[(&str, DialectChoice)] = &[
        ("auto", DialectChoice::Auto),
        ("stock", DialectChoice::Stock),
        ("dlstreamer", DialectChoice::Dlstreamer),
    ];
    let raw = RawRun {
        duration: table.optional("duration", duration, diagnostics),
        warmup: table.optional("warmup", warmup, diagnostics),
        source: table.optional("source", one_of(SOURCES, &["rtsp"]), diagnostics),
        pace: table.optional("pace", one_of(PACES, &[]), diagnostics),
        isolation: table.optional("isolation", one_of(ISOLATIONS, &[]), diagnostics),
        dialect: table.optional("dialect", one_of(DIALECTS, &["native"]), diagnostics),
        count: table.optional("count", whole(1, 1000), diagnostics),
    };
    table.finish(UnknownKeys::Refuse, diagnostics);
    raw
}

fn warmup(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Option<Duration>> {
    if at.as_text() == Some("auto") { Some(None) } else { duration(at, diagnostics).map(Some) }
}

fn pool(name: &str, place: Place, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<u32> {
    if name == "exclusive" {
        diagnostics.push(
            Diagnostic::error(codes::EXCLUSIVE_POOL, "the pool `exclusive` has no depth")
                .at(place)
                .help("it always waits for all other tasks and holds up all of them"),
        );
        return None;
    }
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        let message = format!("`{name}` cannot be the name of a pool");
        diagnostics.push(
            Diagnostic::error(codes::BAD_NAME, message).at(place).label("only letters, digits, `_` and `-`"),
        );
        return None;
    }
    whole(1, 4096)(at, diagnostics)
}

fn asset(name: &str, place: Place, at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<AssetPin> {
    let mut table = Table::open(at, &format!("{}.", at.name), diagnostics)?;
    let urls = table.optional("urls", list_of(fetch_url), diagnostics).unwrap_or_default();
    let sha256 = table.optional("sha256", sha256, diagnostics);
    table.finish(UnknownKeys::Refuse, diagnostics);
    if !is_file_name(name) {
        let message = format!("`{name}` cannot be the name of an asset");
        let diagnostic = Diagnostic::error(codes::BAD_NAME, message).at(place);
        diagnostics.push(diagnostic.label("expected a plain file name such as `scan.mp4`"));
        return None;
    }
    Some(AssetPin { urls, sha256, place })
}

/// A URL that can be fetched.
fn fetch_url(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let url = text(at, diagnostics)?;
    if is_fetch_url(&url) {
        return Some(url);
    }
    let message = format!("`{}` must be a URL that begins with `http://` or `https://`", at.name);
    diagnostics.push(at.fault(codes::BAD_URL, &message));
    None
}

/// Whether `url` has a scheme that can be fetched and a host.
pub(super) fn is_fetch_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let has_host = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    has_host && !url.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn sha256(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<String> {
    let digest = text(at, diagnostics)?.to_ascii_lowercase();
    if digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(digest);
    }
    diagnostics.push(at.fault(codes::BAD_DIGEST, &format!("`{}` must be 64 hex digits", at.name)));
    None
}
