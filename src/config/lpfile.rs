//! Reads `Lpfile.toml`, with profile and overrides laid over it.
//!
//! Everything is optional; `resolve` has the defaults. `--set` and `LP_SET_` reach
//! the keys that are single values in the [`Shape`] of the file ([`scalars`]).

use std::collections::BTreeMap;
use std::time::Duration;

use super::asset::{assets_map, fetch_url};
use super::clip_options::{RawClip, camera_clip, clip};
use super::collectors::{RawCollector, collector_list};
use super::density::{RawDensity, density};
use super::impair::{RawImpairment, impairment};
use super::inference::{RawOptions, WorkloadOptions, options};
use super::reader::{At, KeyNames, Reader, Table, by, map_of, table};
use super::shape::{Shape, TEXT, UnknownKeys};
use super::tasks::{RawTask, task_list};
use super::thresholds::{RawThresholds, thresholds};
use super::tree::Node;
use super::values::{boolean, duration, list_of, one_of, read_duration, read_string, spanned, string, whole};
use super::verdict::{RawVerdict, verdict};
use super::worker::worker;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Spanned};
use crate::model::WorkerCommand;
use crate::model::{
    Accept, AssetPin, Certificate, Codec, DialectChoice, Expect, FileSourceMode, Isolation, Pace, Price,
    Reconnect, Share, Transport,
};

/// `Lpfile.toml` as written.
#[derive(Debug, Default)]
pub(super) struct RawLpfile {
    pub(super) cameras: Option<Spanned<String>>,
    pub(super) workloads: Option<Spanned<String>>,
    pub(super) include: Vec<Spanned<String>>,
    pub(super) media: Option<Spanned<String>>,
    pub(super) models: Option<Spanned<String>>,
    pub(super) results: Option<Spanned<String>>,
    /// `[models] mirrors`
    pub(super) model_mirrors: Vec<String>,
    pub(super) run: RawRun,
    pub(super) verdict: RawVerdict,
    /// `[thresholds]`
    pub(super) thresholds: RawThresholds,
    /// `[density]`
    pub(super) density: RawDensity,
    /// `[host] price`
    pub(super) price: Option<Price>,
    pub(super) drop_only: Option<bool>,
    /// `[clip]`
    pub(super) clip: RawClip,
    pub(super) rtsp: RawRtsp,
    /// `[worker] command`
    pub(super) worker: Option<WorkerCommand>,
    /// `[dlstreamer]`
    pub(super) options: RawOptions,
    pub(super) workload_options: Vec<WorkloadOptions>,
    /// `[camera.NAME]`, by the name as written.
    pub(super) camera_options: Vec<(Spanned<String>, CameraOptions)>,
    pub(super) pools: BTreeMap<String, u32>,
    pub(super) assets: BTreeMap<String, AssetPin>,
    pub(super) tasks: Vec<RawTask>,
    pub(super) collectors: Vec<RawCollector>,
}

/// `[camera.NAME]` as written.
#[derive(Debug, Default)]
pub(super) struct CameraOptions {
    pub(super) accept: Vec<Accept>,
    pub(super) expect: Option<Expect>,
    pub(super) clip: RawClip,
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
    pub(super) share: Option<Share>,
    pub(super) render: Option<bool>,
    pub(super) decode_only: Option<bool>,
    pub(super) snapshots: Option<bool>,
}

/// `[rtsp]` as written.
#[derive(Debug, Default)]
pub(super) struct RawRtsp {
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) latency_ms: Option<u32>,
    pub(super) transport: Option<Transport>,
    pub(super) impair: RawImpairment,
    pub(super) reconnect: Option<Reconnect>,
    pub(super) certificate: Option<Certificate>,
    pub(super) codec: Option<Codec>,
    pub(super) cpus: Option<Vec<u32>>,
}

/// Reads the tables of a project file, or those of one profile. `prefix`
/// precedes the names of keys in messages.
pub(super) fn read(tree: &Node, prefix: &str, diagnostics: &mut Diagnostics) -> RawLpfile {
    let at = At { name: prefix.trim_end_matches('.').to_owned(), node: tree };
    table(KeyNames::Path, UnknownKeys::Refuse, tables).read(&at, diagnostics).unwrap_or_default()
}

/// The whole file, profiles included.
pub(super) fn file() -> impl Reader<Value = RawLpfile> + Copy {
    table(KeyNames::Plain, UnknownKeys::Refuse, |table, diagnostics| {
        let raw = tables(table, diagnostics);
        // `overrides::profiles` takes it out of the tree before.
        table.optional("profile", "Any of these tables, by name, for `--profile`", profiles(), diagnostics);
        raw
    })
}

fn profiles() -> impl Reader<Value = Vec<RawLpfile>> + Copy {
    let one = table(KeyNames::Path, UnknownKeys::Refuse, tables);
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        "",
        move || one.shape(),
        move |_, at, diagnostics| one.read(at, diagnostics),
    )
}

/// The keys that take a single value, as dotted paths, in the order of the tables;
/// `pools.NAME` and `asset.NAME.sha256` are also possible.
pub(super) fn scalars() -> Vec<String> {
    let Shape::Table(root) = table(KeyNames::Plain, UnknownKeys::Refuse, tables).shape() else {
        unreachable!("`table` makes a table")
    };
    let mut scalars = Vec::new();
    for outer in root.fields {
        let Shape::Table(inner) = outer.shape else { continue };
        for field in inner.fields {
            match field.shape {
                // An override of thresholds is a whole list.
                Shape::List { .. } if outer.key != "thresholds" => {}
                Shape::Map(_) => {}
                // `rtsp.impair`
                Shape::Table(below) => scalars.extend(
                    below.fields.iter().map(|one| format!("{}.{}.{}", outer.key, field.key, one.key)),
                ),
                _ => scalars.push(format!("{}.{}", outer.key, field.key)),
            }
        }
    }
    scalars.extend(["cpu", "network", "gpu", "npu"].map(|name| format!("pools.{name}")));
    scalars
}

/// The keys of `--set` that take a list of texts: `worker.command`.
pub(super) fn lists() -> Vec<String> {
    let Shape::Table(root) = table(KeyNames::Plain, UnknownKeys::Refuse, tables).shape() else {
        unreachable!("`table` makes a table")
    };
    let mut lists = Vec::new();
    for outer in root.fields {
        let Shape::Table(inner) = outer.shape else { continue };
        let fields = inner.fields.iter().filter(|field| matches!(field.shape, Shape::List { .. }));
        lists.extend(fields.map(|field| format!("{}.{}", outer.key, field.key)));
    }
    lists
}

/// The tables of the file, or of a profile.
fn tables(table: &mut Table<'_>, diagnostics: &mut Diagnostics) -> Option<RawLpfile> {
    let mut raw = RawLpfile::default();
    let project = table.optional("project", "The files of the project", project(), diagnostics);
    if let Some((cameras, workloads, include)) = project {
        (raw.cameras, raw.workloads, raw.include) = (cameras, workloads, include);
    }
    if let Some((media, models, results)) = table.optional("paths", "Folders", paths(), diagnostics) {
        (raw.media, raw.models, raw.results) = (media, models, results);
    }
    let models = "Downloads of models";
    raw.model_mirrors = table.optional("models", models, models_table(), diagnostics).unwrap_or_default();
    raw.run = table.optional("run", "How cameras are run", run(), diagnostics).unwrap_or_default();
    let limits = "When a stream holds, besides its frame rate";
    raw.verdict = table.optional("verdict", limits, verdict(), diagnostics).unwrap_or_default();
    let figures = "Limits of figures, which decide how a run ends instead of the verdicts";
    raw.thresholds = table.optional("thresholds", figures, thresholds(), diagnostics).unwrap_or_default();
    let search = "How the search for the number of lanes is made";
    raw.density = table.optional("density", search, density(), diagnostics).unwrap_or_default();
    raw.price = table.optional("host", "This machine", host(), diagnostics).flatten();
    let clips = "How clips that do not fit their camera are converted, and how they are encoded";
    (raw.drop_only, raw.clip) = table.optional("clip", clips, clip(), diagnostics).unwrap_or_default();
    raw.rtsp = table.optional("rtsp", "RTSP streams", rtsp(), diagnostics).unwrap_or_default();
    let workers = "How `lp` starts workers, which play pipelines";
    raw.worker = table.optional("worker", workers, worker(), diagnostics).flatten();
    let inference = "Options of DL Streamer's elements, for all steps";
    raw.options =
        table.optional("dlstreamer", inference, inference_options(), diagnostics).unwrap_or_default();
    let workloads = "The same options for the steps of one workload, by its name";
    let workloads = table.optional("workload", workloads, workloads_map(), diagnostics);
    raw.workload_options = workloads.unwrap_or_default();
    let cameras = "Options of one camera, by its name or slug";
    raw.camera_options = table.optional("camera", cameras, cameras_map(), diagnostics).unwrap_or_default();
    let pools = table.optional("pools", "How many tasks run at once, per resource", pools(), diagnostics);
    raw.pools = pools.unwrap_or_default().into_iter().collect();
    let assets = "Pins and mirrors of files that cameras name, and your own files in their place";
    let assets = table.optional("asset", assets, assets_map(), diagnostics);
    raw.assets = assets.unwrap_or_default().into_iter().collect();
    let tasks = table.optional("task", "Commands of your own", task_list(), diagnostics);
    raw.tasks = tasks.unwrap_or_default();
    let beside = "Programs of your own that measure the machine beside a run";
    let collectors = table.optional("collector", beside, collector_list(), diagnostics);
    raw.collectors = collectors.unwrap_or_default();
    Some(raw)
}

type OptionalPath = Option<Spanned<String>>;

fn project() -> impl Reader<Value = (OptionalPath, OptionalPath, Vec<Spanned<String>>)> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let cameras = "The camera file; `configs/camera_to_workload.json` if not given";
        let workloads = "The workload file; `configs/workload_to_pipeline.json` if not given";
        let include = "Files with more `[[task]]` tables: `tasks/*.toml`";
        let cameras = table.optional("cameras", cameras, spanned(string()), diagnostics);
        let workloads = table.optional("workloads", workloads, spanned(string()), diagnostics);
        let include = table.optional("include", include, list_of(spanned(string())), diagnostics);
        Some((cameras, workloads, include.unwrap_or_default()))
    })
}

fn paths() -> impl Reader<Value = (OptionalPath, OptionalPath, OptionalPath)> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        Some((
            table.optional("media", "Folder of clips; `media` if not given", spanned(string()), diagnostics),
            table.optional(
                "models",
                "Folder of models; `models` if not given",
                spanned(string()),
                diagnostics,
            ),
            table.optional("results", "Folder of plans, records and reports", spanned(string()), diagnostics),
        ))
    })
}

fn models_table() -> impl Reader<Value = Vec<String>> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let mirrors = "Servers with a copy of the folder of models, asked before the URLs of recipes";
        Some(table.optional("mirrors", mirrors, list_of(fetch_url()), diagnostics).unwrap_or_default())
    })
}

fn run() -> impl Reader<Value = RawRun> + Copy {
    const SOURCES: &[(&str, FileSourceMode)] = &[
        ("file", FileSourceMode::File),
        ("rtsp", FileSourceMode::Rtsp),
        ("synthetic", FileSourceMode::Synthetic),
    ];
    const SHARES: &[(&str, Share)] = &[("none", Share::None), ("prefix", Share::Prefix)];
    const PACES: &[(&str, Pace)] = &[("live", Pace::Live), ("free", Pace::Free)];
    const ISOLATIONS: &[(&str, Isolation)] = &[("camera", Isolation::Camera), ("lane", Isolation::Lane)];
    const DIALECTS: &[(&str, DialectChoice)] = &[
        ("auto", DialectChoice::Auto),
        ("stock", DialectChoice::Stock),
        ("dlstreamer", DialectChoice::Dlstreamer),
        ("native", DialectChoice::Native),
    ];
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let time = "How long to measure after warm-up: `30s`; `0s` is until Ctrl-C";
        let source = "How to play cameras that have only a `fileSrc`";
        let isolation = "The pipelines that share a worker process";
        let share = "`prefix`: pipelines of one camera share decoding and equal first steps";
        let render = "Whether to also show the video on the display";
        let decode_only = "Whether to measure only sources and decoding, and leave out every step";
        let snapshots = "Whether a run keeps a picture of each stream that infers, with boxes and labels";
        Some(RawRun {
            duration: table.optional("duration", time, duration(), diagnostics),
            warmup: table.optional(
                "warmup",
                "Time before it: a duration, or `auto`: until the stream is steady, 2 to 10 s",
                warmup(),
                diagnostics,
            ),
            source: table.optional("source", source, one_of(SOURCES), diagnostics),
            pace: table.optional("pace", "How fast clips are played", one_of(PACES), diagnostics),
            isolation: table.optional("isolation", isolation, one_of(ISOLATIONS), diagnostics),
            dialect: table.optional("dialect", "How steps become elements", one_of(DIALECTS), diagnostics),
            count: table.optional("count", "Copies of the lane within a run", whole(1, 1000), diagnostics),
            share: table.optional("share", share, one_of(SHARES), diagnostics),
            render: table.optional("render", render, boolean(), diagnostics),
            decode_only: table.optional("decode_only", decode_only, boolean(), diagnostics),
            snapshots: table.optional("snapshots", snapshots, boolean(), diagnostics),
        })
    })
}

fn warmup() -> impl Reader<Value = Option<Duration>> + Copy {
    by(
        || Shape::Either(vec![Shape::Word(vec!["auto"]), duration().shape()]),
        |at, diagnostics| {
            if at.as_string() == Some("auto") { Some(None) } else { read_duration(at, diagnostics).map(Some) }
        },
    )
}

/// The codecs of RTSP streams.
pub(super) const CODECS: &[(&str, Codec)] =
    &[("h264", Codec::H264), ("h265", Codec::H265), ("mjpeg", Codec::Mjpeg)];

const TRANSPORTS: &[(&str, Transport)] =
    &[("tcp", Transport::Tcp), ("udp", Transport::Udp), ("auto", Transport::Auto)];

const CERTIFICATES: &[(&str, Certificate)] = &[("trusted", Certificate::Trusted), ("any", Certificate::Any)];

/// `3 in 1m`.
fn policy() -> impl Reader<Value = Reconnect> + Copy {
    by(
        || Shape::String(Some(r"^\s*[0-9]+ in .*[a-z]\s*$".to_owned())),
        |at, diagnostics| {
            let policy = at.as_string().and_then(Reconnect::parse);
            if policy.is_none() {
                at.wrong("a number of attempts and a time, such as \"3 in 1m\"", diagnostics);
            }
            policy
        },
    )
}

fn rtsp() -> impl Reader<Value = RawRtsp> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let host = "The host of stream URIs that are only a path; `rtsp-streamer` if not given";
        let latency = "Milliseconds that the receiver buffers against jitter; 300 if not given";
        let transport = "How streams come: `tcp`, `udp`, or `auto` (UDP, else TCP); `tcp` if not given";
        let impaired = "What a run does to the network between servers and cameras; nothing if not given";
        let reconnect = "How often a lost connection is made again: `3 in 1m`; never if not given";
        let certificate =
            "Which certificates of `rtsps` are accepted: `trusted`, or `any`; `trusted` if not given";
        let codec = "The codec of streams of cameras without a `codec`; `h264` if not given";
        let cpus = "The cores to which a server that `lp` starts is bound; all if not given";
        Some(RawRtsp {
            host: table.optional("host", host, host_name(), diagnostics),
            port: table.optional("port", "Its port; 8554 if not given", whole(1, 65_535), diagnostics),
            latency_ms: table.optional("latency", latency, whole(0, 60_000), diagnostics),
            transport: table.optional("transport", transport, one_of(TRANSPORTS), diagnostics),
            impair: table.optional("impair", impaired, impairment(), diagnostics).unwrap_or_default(),
            reconnect: table.optional("reconnect", reconnect, policy(), diagnostics),
            certificate: table.optional("certificate", certificate, one_of(CERTIFICATES), diagnostics),
            codec: table.optional("codec", codec, one_of(CODECS), diagnostics),
            cpus: table.optional("cpus", cpus, list_of(whole(0, 1_023)), diagnostics),
        })
    })
}

fn host() -> impl Reader<Value = Option<Price>> + Copy {
    let price = by(
        || Shape::String(Some(Price::PATTERN.to_owned())),
        |at, diagnostics| {
            let price = at.as_string().and_then(Price::parse);
            if price.is_none() {
                at.wrong("an amount and a currency, such as \"1200 EUR\"", diagnostics);
            }
            price
        },
    );
    table(KeyNames::Path, UnknownKeys::Refuse, move |table, diagnostics| {
        let about = "What it costs, such as `1200 EUR`: `lp density` divides it by the number of lanes";
        Some(table.optional("price", about, price, diagnostics))
    })
}

fn inference_options() -> impl Reader<Value = RawOptions> + Copy {
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| Some(options(table, None, diagnostics)))
}

fn workloads_map() -> impl Reader<Value = Vec<WorkloadOptions>> + Copy {
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        TEXT,
        || inference_options().shape(),
        |key, at, diagnostics| {
            let options = inference_options().read(at, diagnostics)?;
            Some(WorkloadOptions { name: key.text.clone(), place: key.place, options })
        },
    )
}

fn cameras_map() -> impl Reader<Value = Vec<(Spanned<String>, CameraOptions)>> + Copy {
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        TEXT,
        || camera().shape(),
        |key, at, diagnostics| {
            let name = Spanned { value: key.text.clone(), place: key.place };
            Some((name, camera().read(at, diagnostics)?))
        },
    )
}

fn camera() -> impl Reader<Value = CameraOptions> + Copy {
    const DIFFERENCES: &[(&str, Accept)] =
        &[("size", Accept::Size), ("rate", Accept::Rate), ("codec", Accept::Codec)];
    const EXPECTATIONS: &[(&str, Expect)] = &[("nothing", Expect::Nothing)];
    table(KeyNames::Path, UnknownKeys::Refuse, |table, diagnostics| {
        let accept = "Differences from its config with which an RTSP or USB camera still holds";
        let accept = table.optional("accept", accept, list_of(one_of(DIFFERENCES)), diagnostics);
        let mut accept = accept.unwrap_or_default();
        accept.sort_unstable();
        accept.dedup();
        let expect = "`nothing` if its detectors have nothing to see, as in an empty scene";
        let expect = table.optional("expect", expect, one_of(EXPECTATIONS), diagnostics);
        let clip = "How its clip is encoded; what is not given is as in `[clip]`";
        let clip = table.optional("clip", clip, camera_clip(), diagnostics).unwrap_or_default();
        Some(CameraOptions { accept, expect, clip })
    })
}

fn host_name() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some(r"^[A-Za-z0-9_.:\[\]\-]+$".to_owned())),
        |at, diagnostics| {
            let host = read_string(at, diagnostics)?;
            if host.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:[]".contains(c)) {
                return Some(host);
            }
            diagnostics.push(at.fault(codes::BAD_URL, &format!("`{}` must be the name of a host", at.name)));
            None
        },
    )
}

fn pools() -> impl Reader<Value = Vec<(String, u32)>> + Copy {
    let depth = whole(1, 4096);
    // The pool `exclusive` has a fixed depth.
    let names = "^(?!exclusive$)[A-Za-z0-9_-]+$";
    map_of(
        KeyNames::Path,
        UnknownKeys::Refuse,
        names,
        move || depth.shape(),
        move |key, at, diagnostics| {
            let name = &key.text;
            if name == "exclusive" {
                diagnostics.push(
                    Diagnostic::error(codes::EXCLUSIVE_POOL, "the pool `exclusive` has no depth")
                        .at(key.place)
                        .help("a task of this pool always runs alone"),
                );
                return None;
            }
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                let message = format!("`{name}` cannot be the name of a pool");
                let fault = Diagnostic::error(codes::BAD_NAME, message).at(key.place);
                diagnostics.push(fault.label("only letters, digits, `_` and `-`"));
                return None;
            }
            Some((name.clone(), depth.read(at, diagnostics)?))
        },
    )
}
