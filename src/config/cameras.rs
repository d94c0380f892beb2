//! Reads a camera file: upstream's `lane_config` with its cameras.
//!
//! Every fault is reported at its place; the valid part of a camera with faults is
//! still returned, so that checks across files go on. Upstream's older forms are
//! accepted with a note that names the current one. `resolve` has the defaults and
//! the checks that need more than one value.

use super::clips::{RawClip, clip};
use super::login::{
    BY_REFERENCE, RawCredential, RawLogin, login, warn_of_credentials, warn_of_secret_parameter,
};
use super::lpfile::CODECS;
use super::reader::{At, KeyNames, Reader, Table, by, table};
use super::shape::{Shape, UNBROKEN, UnknownKeys};
use super::tree::{Node, Value};
use super::values::{as_written, filled_list_of, number, one_of, read_string, spanned, string, whole};
use crate::diag::Edit;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::model::Codec;

/// Keys for a stream URI; the first that is not blank wins.
pub(crate) const STREAM_KEYS: [&str; 4] = ["streamUri", "stream_uri", "rtspUri", "rtsp_url"];

/// Frames per second must be above this: with frames of more than 100 s, `mp4mux`
/// writes a clip that nothing can play.
const SLOWEST: f64 = 0.01;

/// A camera as written.
#[derive(Debug)]
pub(super) struct RawCamera {
    pub(super) place: Place,
    pub(super) id: Option<Spanned<String>>,
    pub(super) stream: Option<Spanned<RawStream>>,
    pub(super) file: Option<Spanned<RawClip>>,
    /// Whether a source was written that could be understood or was reported.
    pub(super) has_source: bool,
    pub(super) codec: Option<Codec>,
    pub(super) width: Option<Spanned<u32>>,
    pub(super) height: Option<Spanned<u32>>,
    pub(super) fps: Option<Spanned<f64>>,
    pub(super) target_fps: Option<Spanned<f64>>,
    pub(super) workloads: Vec<Spanned<String>>,
    pub(super) region: Option<Spanned<RawRegion>>,
    /// Whether the size of the frame and its rate are valid values or defaults, not
    /// faulty numbers.
    pub(super) is_sized: bool,
    pub(super) is_rated: bool,
    /// Whether width and rate were written with a fraction, as `15.0`: upstream
    /// repeats that in the names of streams.
    pub(super) has_fraction: [bool; 2],
}

/// A stream as written.
#[derive(Debug)]
pub(super) enum RawStream {
    /// An RTSP stream by its URI without user and password, and these.
    Uri(String, Option<RawLogin>),
    /// A path on the server of `[rtsp]`.
    Path(String),
    /// A V4L2 device.
    Usb(String),
}

/// `region_of_interest` as written, not yet checked against a frame. Each edge has
/// the place of the number that it comes from.
#[derive(Clone, Debug)]
pub(super) struct RawRegion {
    pub(super) x: Spanned<u32>,
    pub(super) y: Spanned<u32>,
    pub(super) x2: Spanned<u32>,
    pub(super) y2: Spanned<u32>,
}

impl RawRegion {
    /// Left, upper, right, lower.
    pub(super) fn edges(&self) -> [u32; 4] {
        [self.x.value, self.y.value, self.x2.value, self.y2.value]
    }
}

impl std::fmt::Display for RawRegion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [x, y, x2, y2] = self.edges();
        write!(f, "{{ \"x\": {x}, \"y\": {y}, \"x2\": {x2}, \"y2\": {y2} }}")
    }
}

/// Reads a whole camera file.
pub(super) fn read(tree: &Node, diagnostics: &mut Diagnostics) -> Vec<RawCamera> {
    let at = At { name: "the camera file".to_owned(), node: tree };
    if at.has("workload_pipeline_map") && !at.has("lane_config") {
        diagnostics.push(
            Diagnostic::error(codes::OTHER_FILE, "this is a workload file, where a camera file is expected")
                .at(at.node.place)
                .label("has a `workload_pipeline_map`, but no `lane_config`")
                .help("name it with `--workloads` or `project.workloads`"),
        );
        return Vec::new();
    }
    file().read(&at, diagnostics).unwrap_or_default()
}

pub(super) fn file() -> impl Reader<Value = Vec<RawCamera>> + Copy {
    table(KeyNames::Plain, UnknownKeys::Warn, |table, diagnostics| {
        table.optional("$schema", "The schema of this file, for editors", string(), diagnostics);
        table.required("lane_config", "The lane", lane(), diagnostics)
    })
}

fn lane() -> impl Reader<Value = Vec<RawCamera>> + Copy {
    table(KeyNames::Plain, UnknownKeys::Warn, |table, diagnostics| {
        table.required("cameras", "The cameras of the lane", filled_list_of(camera()), diagnostics)
    })
}

fn camera() -> impl Reader<Value = RawCamera> + Copy {
    table(KeyNames::Plain, UnknownKeys::Warn, |table, diagnostics| {
        let size = spanned(as_written(whole(16, 16_384)));
        let rate = spanned(as_written(number(SLOWEST, 1000.0)));
        let id = "Its name: any string without control characters, unique in the file";
        let id = table.required("camera_id", id, spanned(string()), diagnostics);
        let (stream, has_stream) = stream(table, diagnostics);
        let file = "Its video: a path in the project, or a name and an origin, such as \
                    `scan.mp4|file:/path/scan.mp4`, `scan.mp4|https://host/path` or `scan.mp4|scene:NAME`";
        let file_source = table.take("fileSrc", file, &clip());
        let width = "Width in pixels; 1920 if not given";
        let height = "Height in pixels; 1080 if not given";
        let fps = "Frames per second; 15 if not given";
        let target = "Frames per second that the camera should hold; `fps` if not given";
        let workloads = "Names of workloads, regardless of case";
        let region = "The part of the frame to examine, in pixels; the whole frame if not given";
        table.needs_one_of(&[STREAM_KEYS[0], STREAM_KEYS[1], STREAM_KEYS[2], STREAM_KEYS[3], "fileSrc"]);
        let codec = "The codec of its stream; `rtsp.codec` if not given";
        let codec = table.optional("codec", codec, one_of(CODECS), diagnostics);
        let is_given = ["width", "height", "fps"].map(|key| table.has(key));
        let width = table.optional("width", width, size, diagnostics);
        let height = table.optional("height", height, size, diagnostics);
        let fps = table.optional("fps", fps, rate, diagnostics);
        let is_read = [width.is_some(), height.is_some(), fps.is_some()];
        Some(RawCamera {
            place: table.place(),
            id,
            is_sized: is_given[..2] == is_read[..2],
            is_rated: is_given[2] == is_read[2],
            has_fraction: [&width.as_ref().map(|one| one.value.1), &fps.as_ref().map(|one| one.value.1)]
                .map(|one| one.unwrap_or(false)),
            width: width.map(first),
            height: height.map(first),
            fps: fps.map(first),
            codec,
            has_source: has_stream || file_source.is_some(),
            stream,
            file: file_source.and_then(|(_, at)| spanned(clip()).read(&at, diagnostics)),
            target_fps: table.optional("targetFps", target, rate, diagnostics).map(first),
            workloads: table
                .required("workloads", workloads, workload_names(), diagnostics)
                .unwrap_or_default(),
            region: table.optional("region_of_interest", region, region_of_interest(), diagnostics),
        })
    })
}

/// The number, without its spelling.
fn first<T>(written: Spanned<(T, bool)>) -> Spanned<T> {
    Spanned { value: written.value.0, place: written.place }
}

/// A list of names, or in an older form a single one.
fn workload_names() -> impl Reader<Value = Vec<Spanned<String>>> + Copy {
    let names = filled_list_of(spanned(string()));
    by(
        move || Shape::Either(vec![names.shape(), Shape::Old(Box::new(string().shape()))]),
        move |at, diagnostics| {
            if at.as_string().is_none() {
                return names.read(at, diagnostics);
            }
            let name = spanned(string()).read(at, diagnostics)?;
            let message = format!("`{}` is a single string, which is an older form", at.name);
            let list = format!("[{}]", serde_json::Value::from(&*name.value));
            diagnostics.push(
                Diagnostic::note(codes::OLD_CAMERA_FORM, message)
                    .at(at.node.place)
                    .help(format!("write {list}"))
                    .edit(Edit::Replace(at.node.place, list)),
            );
            Some(vec![name])
        },
    )
}

/// The stream URI, and whether the camera has one at all.
fn stream(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> (Option<Spanned<RawStream>>, bool) {
    const ABOUT: &str = "A stream or a USB camera, used rather than `fileSrc`: `rtsp://host:8554/path`, \
                         `v4l2:///dev/video0`, or a path on the server of `[rtsp]`";
    let mut winner: Option<(&'static str, Option<Spanned<RawStream>>)> = None;
    for key in STREAM_KEYS {
        let Some((found, at)) = table.take(key, ABOUT, &stream_uri()) else { continue };
        // Upstream ignores null and blank values.
        if at.node.value == Value::Null || at.as_string().is_some_and(|text| text.trim().is_empty()) {
            continue;
        }
        match winner {
            None => winner = Some((key, spanned(stream_uri()).read(&at, diagnostics))),
            Some((first, _)) => {
                let message = format!("`{key}` is not used, because `{first}` takes precedence");
                diagnostics.push(
                    Diagnostic::warning(codes::UNUSED_SOURCE, message).at(found.place).label("ignored"),
                );
            }
        }
    }
    winner.map_or((None, false), |(_, source)| (source, true))
}

fn stream_uri() -> impl Reader<Value = RawStream> + Copy {
    let shape = || Shape::Either(vec![Shape::String(Some(UNBROKEN.to_owned())), Shape::Null]);
    by(shape, read_stream_uri)
}

fn read_stream_uri(at: &At<'_>, diagnostics: &mut Diagnostics) -> Option<RawStream> {
    let text = read_string(at, diagnostics)?;
    // Shells write upstream's files, sometimes with the quotes still on.
    let uri = text.trim().trim_matches(['"', '\'']).trim();
    let is_clean = !uri.contains(char::is_whitespace);
    let source = match uri.split_once("://") {
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "rtsp" | "rtsps" if is_clean && is_authority(rest) => {
                warn_of_secret_parameter(uri, at, diagnostics);
                match login(uri) {
                    Some((without, login)) => {
                        if let RawCredential::Text(_) = login.password.as_ref().unwrap_or(&login.user) {
                            warn_of_credentials(uri, BY_REFERENCE, at, diagnostics);
                        }
                        Some(RawStream::Uri(without, Some(login)))
                    }
                    None => Some(RawStream::Uri(uri.to_owned(), None)),
                }
            }
            "v4l2" if is_clean && is_device(rest) => Some(RawStream::Usb(rest.to_owned())),
            _ => None,
        },
        // Upstream requests a path without a host from its own server.
        None if is_clean && is_stream_path(uri) => Some(RawStream::Path(uri.trim_matches('/').to_owned())),
        None => None,
    };
    if source.is_none() {
        let message = format!("`{}` must be the URI of a stream or of a USB camera", at.name);
        let help = if is_device(uri) {
            format!("write `v4l2://{uri}`")
        } else {
            "write `rtsp://host:8554/path` or `v4l2:///dev/video0`".to_owned()
        };
        diagnostics.push(at.fault(codes::BAD_URL, &message).help(help));
    }
    source
}

/// Whether the part after `rtsp://` begins with a host and, if any, a valid port.
fn is_authority(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match host.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((address, behind)) => (address, behind.strip_prefix(':').or(behind.is_empty().then_some("554"))),
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("554")),
        },
    };
    !host.is_empty() && port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_device(path: &str) -> bool {
    path.strip_prefix("/dev/")
        .is_some_and(|rest| rest.split('/').all(|part| !part.is_empty() && part != "." && part != ".."))
}

/// Whether a string can be a path on a server; one with a colon is rather a URI
/// with a slip.
fn is_stream_path(text: &str) -> bool {
    let path = text.trim_matches('/');
    !path.is_empty() && !path.contains(':') && !path.starts_with("dev/")
}

/// Two corners, or in an older form a corner and a size.
pub(super) fn region_of_interest() -> impl Reader<Value = Spanned<RawRegion>> + Copy {
    by(
        || {
            let either = Shape::Either(vec![corners().shape(), Shape::Old(Box::new(sized().shape()))]);
            Shape::Named("region", Box::new(either))
        },
        |at, diagnostics| read_region(at, codes::OLD_CAMERA_FORM, diagnostics),
    )
}

/// A region in either form; the older one is noted under `code`.
pub(super) fn read_region(
    at: &At<'_>,
    code: &'static str,
    diagnostics: &mut Diagnostics,
) -> Option<Spanned<RawRegion>> {
    let place = at.node.place;
    let is_sized = at.has("width") || at.has("height");
    if !is_sized {
        return Some(Spanned { value: corners().read(at, diagnostics)?, place });
    }
    if at.has("x2") || at.has("y2") {
        let message = format!("`{}` has both a second corner and a size", at.name);
        diagnostics.push(
            Diagnostic::error(codes::OLD_AND_NEW_FORM, message)
                .at(place)
                .help("keep `x2` and `y2`, and leave out `width` and `height`"),
        );
        return None;
    }
    let region = sized().read(at, diagnostics)?;
    diagnostics.push(
        Diagnostic::note(code, format!("`{}` gives a size, which is an older form", at.name))
            .at(place)
            .help(format!("write {region}"))
            .edit(Edit::Replace(place, region.to_string())),
    );
    Some(Spanned { value: region, place })
}

fn pixel() -> impl Reader<Value = Spanned<u32>> + Copy {
    spanned(whole(0, 1_000_000))
}

fn corners() -> impl Reader<Value = RawRegion> + Copy {
    table(KeyNames::Path, UnknownKeys::Warn, |table, diagnostics| {
        let x = table.required("x", "Left edge", pixel(), diagnostics);
        let y = table.required("y", "Upper edge", pixel(), diagnostics);
        let x2 = table.required("x2", "Right edge, greater than `x`", pixel(), diagnostics);
        let y2 = table.required("y2", "Lower edge, greater than `y`", pixel(), diagnostics);
        Some(RawRegion { x: x?, y: y?, x2: x2?, y2: y2? })
    })
}

fn sized() -> impl Reader<Value = RawRegion> + Copy {
    table(KeyNames::Path, UnknownKeys::Warn, |table, diagnostics| {
        let x = table.required("x", "Left edge", pixel(), diagnostics);
        let y = table.required("y", "Upper edge", pixel(), diagnostics);
        let width = table.required("width", "Width", pixel(), diagnostics);
        let height = table.required("height", "Height", pixel(), diagnostics);
        let (x, y) = (x?, y?);
        let far =
            |near: &Spanned<u32>, size: Spanned<u32>| Spanned { value: near.value + size.value, ..size };
        let (x2, y2) = (far(&x, width?), far(&y, height?));
        Some(RawRegion { x, y, x2, y2 })
    })
}
