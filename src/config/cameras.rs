//! Reads a camera file: upstream's `lane_config` with its cameras.
//!
//! Every fault is reported where it stands; a camera with faults is still
//! returned as far as it can be understood, so that checks across files go on.
//! Defaults and checks that need more than one value are `resolve`'s.

use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place, Spanned};
use super::lpfile::is_fetch_url;
use super::project::{Clip, Origin, Source};
use super::reader::{At, Table, UnknownKeys};
use super::tree::Node;
use super::values::{any_text, filled_list_of, number, spanned, text, whole};
use crate::path::is_file_name;

/// Keys for a stream URI; the first that is not blank wins.
const STREAM_KEYS: [&str; 4] = ["streamUri", "stream_uri", "rtspUri", "rtsp_url"];

/// A camera as written.
#[derive(Debug)]
pub(super) struct RawCamera {
    /// Its object.
    pub(super) place: Place,
    pub(super) id: Option<Spanned<String>>,
    /// From a stream URI: `Rtsp` or `Usb`.
    pub(super) stream: Option<Spanned<Source>>,
    pub(super) file: Option<Spanned<Clip>>,
    /// Whether a source was written that could be understood or was reported.
    pub(super) has_source: bool,
    pub(super) width: Option<Spanned<u32>>,
    pub(super) height: Option<Spanned<u32>>,
    pub(super) fps: Option<Spanned<f64>>,
    pub(super) target_fps: Option<Spanned<f64>>,
    pub(super) workloads: Vec<Spanned<String>>,
    pub(super) region: Option<Spanned<RawRegion>>,
}

/// `region_of_interest` as written, checked against no frame yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawRegion {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) x2: u32,
    pub(super) y2: u32,
}

/// Reads a whole camera file.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> Vec<RawCamera> {
    let at = At { name: "the camera file".to_owned(), node: tree };
    let Some(mut root) = Table::open(&at, "", diagnostics) else { return Vec::new() };
    let lane = |at: &At<'_>, diagnostics: &mut Diagnostics| {
        let mut lane = Table::open(at, "", diagnostics)?;
        let cameras = lane.required("cameras", filled_list_of(camera), diagnostics);
        lane.finish(UnknownKeys::Warn, diagnostics);
        cameras
    };
    let cameras = root.required("lane_config", lane, diagnostics).unwrap_or_default();
    root.finish(UnknownKeys::Warn, diagnostics);
    cameras
}

fn camera(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<RawCamera> {
    let mut table = Table::open(at, "", diagnostics)?;
    let size = spanned(whole(16, 16_384));
    let rate = spanned(number(0.0, 1000.0));
    let (stream, has_stream) = stream(&mut table, diagnostics);
    let file_source = table.take("fileSrc");
    let camera = RawCamera {
        place: table.place(),
        id: table.required("camera_id", spanned(text), diagnostics),
        has_source: has_stream || file_source.is_some(),
        stream,
        file: file_source.and_then(|(_, at)| spanned(clip)(&at, diagnostics)),
        width: table.optional("width", &size, diagnostics),
        height: table.optional("height", &size, diagnostics),
        fps: table.optional("fps", &rate, diagnostics),
        target_fps: table.optional("targetFps", &rate, diagnostics),
        workloads: table
            .required("workloads", filled_list_of(spanned(text)), diagnostics)
            .unwrap_or_default(),
        region: table.optional("region_of_interest", spanned(region), diagnostics),
    };
    table.finish(UnknownKeys::Warn, diagnostics);
    Some(camera)
}

/// The stream URI, and whether one was written at all.
fn stream(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> (Option<Spanned<Source>>, bool) {
    let mut winner: Option<(&'static str, Option<Spanned<Source>>)> = None;
    for key in STREAM_KEYS {
        let Some((found, at)) = table.take(key) else { continue };
        if at.as_text().is_some_and(|text| text.trim().is_empty()) {
            continue;
        }
        match winner {
            None => winner = Some((key, spanned(stream_uri)(&at, diagnostics))),
            Some((first, _)) => {
                let message = format!("`{key}` is not used, because `{first}` comes before it");
                diagnostics.push(
                    Diagnostic::warning(codes::UNUSED_SOURCE, message).at(found.place).label("ignored"),
                );
            }
        }
    }
    winner.map_or((None, false), |(_, source)| (source, true))
}

fn stream_uri(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Source> {
    let text = text(at, diagnostics)?;
    // Upstream's files come out of shells, sometimes with the quotes still on.
    let uri = text.trim().trim_matches(['"', '\'']).trim();
    let is_clean = !uri.contains(char::is_whitespace);
    if let Some((scheme, rest)) = uri.split_once("://") {
        match scheme.to_ascii_lowercase().as_str() {
            "rtsp" | "rtsps" if is_clean && !rest.is_empty() && !rest.starts_with('/') => {
                return Some(Source::Rtsp { uri: uri.to_owned() });
            }
            "v4l2" if is_clean && is_device(rest) => return Some(Source::Usb { device: rest.to_owned() }),
            _ => {}
        }
    }
    let message = format!("`{}` must be the URI of a stream or of a USB camera", at.name);
    let help = "write `rtsp://host:8554/path` or `v4l2:///dev/video0`";
    diagnostics.push(at.fault(codes::BAD_URL, &message).help(help));
    None
}

fn is_device(path: &str) -> bool {
    path.strip_prefix("/dev/")
        .is_some_and(|rest| rest.split('/').all(|part| !part.is_empty() && part != "." && part != ".."))
}

/// `name|url` or `name|scene:NAME`.
fn clip(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<Clip> {
    let written = any_text(at, diagnostics)?;
    let refused = match read_clip(&written) {
        Ok(clip) => return Some(clip),
        Err(refused) => refused,
    };
    let message = format!("`{}` must be a file name and its origin, parted by `|`", at.name);
    diagnostics.push(
        Diagnostic::error(codes::BAD_FILE_SOURCE, message)
            .at(at.node.place)
            .label(refused)
            .help("write `scan.mp4|https://host/path` or `scan.mp4|scene:NAME`"),
    );
    None
}

/// The clip, or what is wrong with it.
fn read_clip(written: &str) -> Result<Clip, String> {
    let (file, origin) = written.split_once('|').ok_or("there is no `|`")?;
    let (file, origin) = (file.trim(), origin.trim());
    if !is_file_name(file) {
        return Err(format!("`{}` is no plain file name", file.escape_debug()));
    }
    let origin = match origin.strip_prefix("scene:") {
        Some(scene) if is_scene_name(scene) => Origin::Scene(scene.to_owned()),
        Some(scene) => return Err(format!("`{}` is no name of a scene", scene.escape_debug())),
        None if is_fetch_url(origin) => Origin::Url(origin.to_owned()),
        None => {
            let scheme = origin.split_once("://").map(|(scheme, _)| scheme);
            return Err(match scheme {
                Some(scheme) if !matches!(scheme, "http" | "https") => {
                    format!("only `http` and `https` can be fetched, not `{}`", scheme.escape_debug())
                }
                _ => "behind the `|` is neither a URL nor a scene".to_owned(),
            });
        }
    };
    Ok(Clip { file: file.to_owned(), origin })
}

fn is_scene_name(name: &str) -> bool {
    is_file_name(name) && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

fn region(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<RawRegion> {
    let mut table = Table::open(at, "region_of_interest.", diagnostics)?;
    let pixel = whole(0, 1_000_000);
    let x = table.required("x", pixel, diagnostics);
    let y = table.required("y", pixel, diagnostics);
    let x2 = table.required("x2", pixel, diagnostics);
    let y2 = table.required("y2", pixel, diagnostics);
    table.finish(UnknownKeys::Warn, diagnostics);
    Some(RawRegion { x: x?, y: y?, x2: x2?, y2: y2? })
}
