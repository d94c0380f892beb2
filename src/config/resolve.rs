//! From the files as written to the project: defaults, references between files,
//! and every check that needs more than one value.
//!
//! This is the one place for defaults. Everything is checked even after a fault; the
//! project is used only if no error was reported.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use super::cameras::{RawCamera, RawRegion, RawStream};
use super::clip_options::RawClip;
use super::collectors;
use super::impair;
use super::inference::RawOptions;
use super::login::Logins;
use super::lpfile::RawLpfile;
use super::origins::Origins;
use super::tasks::RawTask;
use super::workloads::RawWorkload;
use crate::diag::Edit;
use crate::diag::codes;
use crate::diag::{Diagnostic, Diagnostics, Place, Spanned};
use crate::model::{
    Camera, Certificate, Clip, ClipOptions, Codec, DialectChoice, FileSourceMode, LockEntries, Login, Origin,
    Pace, Project, Recipes, Region, Rtsp, RtspStream, SceneFile, Served, Settings, Share, Source, Step,
    Threshold, Transport, UserTask, Workload, Workloads,
};
use crate::name::Slug;
use crate::os;
use crate::path::{Layout, ProjectPath};

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
const FPS: f64 = 15.0;
const DURATION: Duration = Duration::from_secs(30);
const RTSP_HOST: &str = "rtsp-streamer";
const RTSP_PORT: u16 = 8554;
const RTSP_LATENCY_MS: u32 = 300;
/// Upstream's name for the workload that uses a vision language model.
const VLM_WORKLOAD: &str = "lp_vlm";
const POOLS: [(&str, u32); 3] = [("network", 8), ("gpu", 1), ("npu", 1)];

/// All files as written.
#[derive(Default)]
pub(super) struct RawProject {
    pub(super) lpfile: RawLpfile,
    /// Those of included files.
    pub(super) more_tasks: Vec<RawTask>,
    pub(super) cameras: Vec<RawCamera>,
    /// `None` if the file could not be read: then names that are not mapped are not
    /// reported.
    pub(super) workloads: Option<Vec<RawWorkload>>,
    pub(super) scenes: BTreeMap<String, SceneFile>,
    /// `Lpfile.lock`
    pub(super) lock: LockEntries,
    /// Those of `lp` too.
    pub(super) recipes: Recipes,
    /// A secret of this machine outside the project's files, for digests of passwords.
    pub(super) machine_key: Option<Vec<u8>>,
}

/// Fills in the defaults of `raw`, and checks it.
pub(super) fn resolve(root: PathBuf, raw: RawProject, diagnostics: &mut Diagnostics) -> Project {
    let mut layout = layout(root, &raw.lpfile, diagnostics);
    let mut settings = settings(&raw.lpfile);
    let encrypted = raw.cameras.iter().find_map(encrypted);
    impair::check(&raw.lpfile.rtsp.impair, settings.rtsp.transport, encrypted, diagnostics);

    collectors::check(&raw.lpfile.collectors, diagnostics);

    let mut lpfile = raw.lpfile;
    let mut tasks = std::mem::take(&mut lpfile.tasks);
    tasks.extend(raw.more_tasks);
    check_slugs(&raw.cameras, &tasks, settings.count, diagnostics);
    let origins = Origins::find(&raw.cameras, &lpfile.assets, &mut layout, diagnostics);
    check_repeated(&raw.cameras, diagnostics);

    let mut raw_cameras = raw.cameras;
    let workloads = raw.workloads.map(|workloads| {
        adopt_regions(&mut raw_cameras, &workloads, diagnostics);
        check_workload_names(&lpfile, &workloads, diagnostics);
        resolve_workloads(workloads, &lpfile, diagnostics)
    });
    if let Some(workloads) = &workloads {
        check_mapping(&raw_cameras, workloads, diagnostics);
    }
    check_vlm(&raw_cameras, workloads.as_deref(), diagnostics);
    check_camera_names(&lpfile, &raw_cameras, diagnostics);
    settings.thresholds = thresholds(&lpfile, &raw_cameras, workloads.as_deref());
    let mut logins = Logins::new(raw.machine_key.as_deref());
    let resolve_camera = |mut camera: RawCamera| {
        let clip = camera.file.take().map(|file| origins.clip(file, &layout));
        camera_of(camera, clip, &settings, &lpfile, &mut logins, diagnostics)
    };
    let cameras: Vec<Camera> = raw_cameras.into_iter().filter_map(resolve_camera).collect();
    impair::check_use(&lpfile.rtsp.impair, &cameras, diagnostics);
    let passwords = logins.passwords;
    let tasks = tasks.into_iter().filter_map(|task| task_of(task, &settings, &layout, diagnostics)).collect();
    Project {
        layout,
        settings,
        cameras,
        workloads: Workloads::new(workloads.unwrap_or_default()),
        scenes: raw.scenes,
        assets: lpfile.assets,
        lock: raw.lock,
        recipes: raw.recipes,
        tasks,
        passwords,
    }
}

/// The name of a camera whose stream comes in TLS, and the place of its URI.
fn encrypted(camera: &RawCamera) -> Option<(&str, Place)> {
    let stream = camera.stream.as_ref()?;
    let RawStream::Uri(uri, _) = &stream.value else { return None };
    let name = camera.id.as_ref().map_or("a camera", |id| id.value.as_str());
    os::rtsp::is_encrypted(uri).then_some((name, stream.place))
}

/// The folders of `[paths]`.
pub(super) fn layout(root: PathBuf, raw: &RawLpfile, diagnostics: &mut Diagnostics) -> Layout {
    let folder = |written: &Option<Spanned<String>>, default: &str| {
        let text = written.as_ref().map_or(default, |written| written.value.trim());
        // Collected from its components, so that `media/` equals `media`.
        root.join(text).components().collect::<PathBuf>()
    };
    let folders: [(&str, PathBuf, Option<Place>); 3] = [
        ("media", folder(&raw.media, "media"), raw.media.as_ref().map(|written| written.place)),
        ("models", folder(&raw.models, "models"), raw.models.as_ref().map(|written| written.place)),
        ("results", folder(&raw.results, "results"), raw.results.as_ref().map(|written| written.place)),
    ];
    // A folder that does not exist yet has no links.
    let real = |path: &PathBuf| os::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    for (index, (name, path, place)) in folders.iter().enumerate() {
        let is_same = |other: &PathBuf| other == path || real(other) == real(path);
        if let Some((other, other_path, other_place)) =
            folders[..index].iter().find(|(_, other, _)| is_same(other))
        {
            let by = if other_path == path { "" } else { " by a link" };
            let message = format!("`paths.{other}` and `paths.{name}` are the same folder{by}");
            diagnostics.push(
                Diagnostic::error(codes::SAME_FOLDER, message)
                    .at(place.or(*other_place).unwrap_or_default())
                    .label(format!("`{}`", path.strip_prefix(&root).unwrap_or(path).display())),
            );
        }
    }
    let [(_, media, _), (_, models, _), (_, results, _)] = folders;
    Layout { media, models, results, ..Layout::new(root) }
}

/// What counts for a run.
pub(super) fn settings(raw: &RawLpfile) -> Settings {
    let mut pools: BTreeMap<String, u32> =
        POOLS.iter().map(|(name, depth)| ((*name).to_owned(), *depth)).collect();
    pools.extend(raw.pools.iter().map(|(name, depth)| (name.clone(), *depth)));
    Settings {
        duration: raw.run.duration.unwrap_or(DURATION),
        warmup: raw.run.warmup.flatten(),
        source: raw.run.source.unwrap_or(FileSourceMode::File),
        pace: raw.run.pace.unwrap_or(Pace::Live),
        isolation: raw.run.isolation,
        dialect: raw.run.dialect.unwrap_or(DialectChoice::Auto),
        infers_natively: false,
        count: raw.run.count.unwrap_or(1),
        share: raw.run.share.unwrap_or(Share::None),
        render: raw.run.render.unwrap_or(false),
        decode_only: raw.run.decode_only.unwrap_or(false),
        snapshots: raw.run.snapshots.unwrap_or(true),
        limits: raw.verdict.limits(),
        // Whose they are is known when cameras and workloads are.
        thresholds: Vec::new(),
        density: raw.density.resolve(),
        price: raw.price.clone(),
        drop_only: raw.drop_only.unwrap_or(false),
        clip: raw.clip.resolve(RawClip::default()),
        rtsp: Rtsp {
            host: raw.rtsp.host.clone().unwrap_or_else(|| RTSP_HOST.to_owned()),
            port: raw.rtsp.port.unwrap_or(RTSP_PORT),
            latency_ms: raw.rtsp.latency_ms.unwrap_or(RTSP_LATENCY_MS),
            transport: raw.rtsp.transport.unwrap_or_default(),
            impair: impair::impairment_of(&raw.rtsp.impair),
            reconnect: raw.rtsp.reconnect,
            certificate: raw.rtsp.certificate.unwrap_or_default(),
            codec: raw.rtsp.codec.unwrap_or(Codec::H264),
            cpus: raw.rtsp.cpus.clone().unwrap_or_default(),
            own: None,
        },
        worker: raw.worker.clone(),
        collectors: collectors::collectors(&raw.collectors),
        model_mirrors: raw.model_mirrors.clone(),
        pools,
    }
}

/// Labels are made of slugs, so the slugs of cameras, their copies and user tasks
/// must all differ.
fn check_slugs(cameras: &[RawCamera], tasks: &[RawTask], count: u32, diagnostics: &mut Diagnostics) {
    let mut taken: HashMap<Slug, (&'static str, &Spanned<String>)> = HashMap::new();
    let names = cameras
        .iter()
        .filter_map(|camera| Some(("camera", camera.id.as_ref()?)))
        .chain(tasks.iter().filter_map(|task| Some(("task", task.name.as_ref()?))));
    for (what, name) in names {
        let Some(slug) = Slug::of(&name.value) else { continue };
        if slug.is_reserved() {
            let message = format!("`{}` cannot be the name of a {what}", name.value);
            diagnostics.push(
                Diagnostic::error(codes::RESERVED_NAME, message)
                    .at(name.place)
                    .label(format!("`{slug}` is reserved for labels")),
            );
        }
        let length = name.value.trim().chars().count();
        if length > Slug::MAX {
            let message = format!("the name of the {what} has more than {} characters", Slug::MAX);
            diagnostics.push(
                Diagnostic::error(codes::BAD_NAME, message)
                    .at(name.place)
                    .label(format!("{length} characters"))
                    .help("files have this name; choose a shorter one"),
            );
            continue;
        }
        let Some((other_what, other)) = taken.get(&slug) else {
            taken.insert(slug, (what, name));
            continue;
        };
        let code = if what == "camera" { codes::DUPLICATE_CAMERA } else { codes::DUPLICATE_NAME };
        let message = match (*other_what == what, other.value == name.value) {
            (true, true) => format!("two {what}s have the name `{}`", name.value),
            (false, true) => format!("a {other_what} and a {what} both have the name `{}`", name.value),
            (_, false) => {
                format!("`{}` and `{}` are both `{slug}` in labels and files", other.value, name.value)
            }
        };
        diagnostics.push(
            Diagnostic::error(code, message)
                .at(name.place)
                .label("again here")
                .also(other.place, "first here"),
        );
    }
    if count < 2 {
        return;
    }
    for (slug, (what, name)) in &taken {
        let copy_of = slug.as_str().rsplit_once("-l").and_then(|(original, n)| {
            let n = n.parse().ok().filter(|n| (2..=count).contains(n))?;
            let original = Slug::of(original).filter(|original| original.copy(n) == *slug)?;
            taken.get(&original).filter(|(what, _)| *what == "camera").map(|(_, original)| (n, original))
        });
        if let Some((n, original)) = copy_of {
            let message = format!(
                "the {what} `{}` has the name of copy {n} of the camera `{}`",
                name.value, original.value
            );
            diagnostics.push(Diagnostic::error(codes::DUPLICATE_CAMERA, message).at(name.place).also(
                original.place,
                format!("its copies are `{slug}` and so on, since `run.count` is {count}"),
            ));
        }
    }
}

/// Gives a camera the region of its workloads' steps (an older form): all of its
/// workloads get the same frames, so all must agree.
fn adopt_regions(cameras: &mut [RawCamera], workloads: &[RawWorkload], diagnostics: &mut Diagnostics) {
    if workloads.iter().all(|workload| workload.region.is_none()) {
        return;
    }
    let by_name: HashMap<String, &RawWorkload> =
        workloads.iter().map(|workload| (workload.name.to_lowercase(), workload)).collect();
    for camera in cameras {
        let used = camera.workloads.iter().filter_map(|name| by_name.get(&name.value.to_lowercase()));
        let regions: Vec<(&RawWorkload, Option<&Spanned<RawRegion>>)> =
            used.map(|workload| (*workload, workload.region.as_ref())).collect();
        let Some(region) = regions.iter().find_map(|(_, region)| *region) else { continue };
        let other = regions
            .iter()
            .find(|(_, other)| other.is_none_or(|other| other.value.edges() != region.value.edges()));
        let contradiction = match (&camera.region, other) {
            (Some(own), _) if own.value.edges() != region.value.edges() => {
                Some((own.place, "the camera has another region"))
            }
            (None, Some((workload, None))) => Some((workload.place, "this workload of the camera has none")),
            (_, Some((_, Some(other)))) => Some((other.place, "another workload of the camera has this one")),
            _ => None,
        };
        match contradiction {
            Some((place, text)) => diagnostics.push(
                Diagnostic::error(
                    codes::OLD_AND_NEW_FORM,
                    "the region of a step differs from the region of its camera",
                )
                .at(region.place)
                .also(place, text)
                .help("a region belongs to a camera now: move it to `region_of_interest` of the camera"),
            ),
            None if camera.region.is_some() => {}
            None => {
                let entry = format!("\"region_of_interest\": {}", region.value);
                diagnostics.push(
                    Diagnostic::note(
                        codes::OLD_WORKLOAD_FORM,
                        "the camera takes the region of its workload's steps",
                    )
                    .at(camera.place)
                    .also(region.place, "this region")
                    .help(format!("write it into the camera: `{entry}`"))
                    .edit(Edit::Add(camera.place, entry)),
                );
                camera.region = Some(region.clone());
            }
        }
    }
}

/// At most one camera uses a vision language model, which has one server. Without a
/// workload file, upstream's name for such a workload tells.
fn check_vlm(cameras: &[RawCamera], workloads: Option<&[Workload]>, diagnostics: &mut Diagnostics) {
    let asks = |workload: &Workload| workload.steps.iter().any(|step| matches!(step, Step::Vlm(_)));
    let names: Vec<String> = workloads.map_or_else(
        || vec![VLM_WORKLOAD.to_owned()],
        |workloads| workloads.iter().filter(|one| asks(one)).map(|one| one.name.to_lowercase()).collect(),
    );
    if names.is_empty() {
        return;
    }
    let entry = |camera: &RawCamera| {
        let mut entries = camera.workloads.iter();
        entries.find(|name| names.contains(&name.value.to_lowercase())).map(|name| name.place)
    };
    let mut entries = cameras.iter().filter_map(entry);
    let Some(first) = entries.next() else { return };
    for other in entries {
        diagnostics.push(
            Diagnostic::error(codes::TWO_VLM_CAMERAS, "a second camera uses a vision language model")
                .at(other)
                .label("only one camera can")
                .also(first, "first here"),
        );
    }
}

/// `[workload.NAME]` and `[thresholds.workload.NAME]` must name a known workload.
fn check_workload_names(lpfile: &RawLpfile, workloads: &[RawWorkload], diagnostics: &mut Diagnostics) {
    let options = lpfile.workload_options.iter().map(|given| ("workload", &given.name, given.place));
    let thresholds = lpfile.thresholds.workloads();
    let thresholds = thresholds.map(|name| ("thresholds.workload", &name.value, name.place));
    for (table, given, place) in options.chain(thresholds) {
        let folded = given.to_lowercase();
        if workloads.iter().any(|workload| workload.name.to_lowercase() == folded) {
            continue;
        }
        let message = format!("`[{table}.{given}]` names an unknown workload");
        let unknown = Diagnostic::error(codes::UNKNOWN_WORKLOAD, message)
            .at(place)
            .label("no workload file defines it");
        let names: Vec<&str> = workloads.iter().map(|workload| workload.name.as_str()).collect();
        push_unknown(unknown, given, &names, diagnostics);
    }
}

/// `[camera.NAME]` and `[thresholds.camera.NAME]` must name a known camera. Without cameras, or
/// with one that has a faulty name, this cannot be checked.
fn check_camera_names(lpfile: &RawLpfile, cameras: &[RawCamera], diagnostics: &mut Diagnostics) {
    let names = cameras.iter().map(|camera| Some(camera.id.as_ref()?.value.as_str()));
    let Some(names) = names.collect::<Option<Vec<&str>>>().filter(|names| !names.is_empty()) else { return };
    let options = lpfile.camera_options.iter().map(|(given, _)| ("camera", given));
    let thresholds = lpfile.thresholds.cameras().map(|given| ("thresholds.camera", given));
    for (table, given) in options.chain(thresholds) {
        if names.iter().any(|name| is_of_camera(&given.value, name)) {
            continue;
        }
        let message = format!("`[{table}.{}]` names an unknown camera", given.value);
        let unknown = Diagnostic::error(codes::UNKNOWN_CAMERA, message)
            .at(given.place)
            .label("the camera file does not define it");
        push_unknown(unknown, &given.value, &names, diagnostics);
    }
}

/// `[thresholds]`, with the names of cameras and workloads as their files have them.
fn thresholds(
    lpfile: &RawLpfile,
    cameras: &[RawCamera],
    workloads: Option<&[Workload]>,
) -> Vec<Spanned<Threshold>> {
    let camera = |given: &str| {
        let mut names = cameras.iter().filter_map(|camera| Some(&camera.id.as_ref()?.value));
        names.find(|name| is_of_camera(given, name)).cloned()
    };
    let workload = |given: &str| {
        let mut names = workloads.into_iter().flatten().map(|workload| &workload.name);
        names.find(|name| name.to_lowercase() == given.to_lowercase()).cloned()
    };
    lpfile.thresholds.resolve(camera, workload)
}

/// Reports a name that is not one of `names`, with the one that was meant, or all of
/// them if they are few.
fn push_unknown(unknown: Diagnostic, given: &str, names: &[&str], diagnostics: &mut Diagnostics) {
    let mut unknown = unknown.suggest(given, names.iter().copied(), diagnostics);
    if unknown.help.is_none() && (1..=20).contains(&names.len()) {
        unknown = unknown.help(format!("possible: {}", names.join(", ")));
    }
    diagnostics.push(unknown);
}

/// Whether `given` is the name of a camera or its slug.
fn is_of_camera(given: &str, name: &str) -> bool {
    given == name || Slug::of(name).is_some_and(|slug| slug.as_str() == given)
}

fn resolve_workloads(
    raw: Vec<RawWorkload>,
    lpfile: &RawLpfile,
    diagnostics: &mut Diagnostics,
) -> Vec<Workload> {
    // An override may spell the name in another case; the later one wins.
    let mut options: HashMap<String, RawOptions> = HashMap::new();
    for given in &lpfile.workload_options {
        let known = options.entry(given.name.to_lowercase()).or_default();
        *known = given.options.or(*known);
    }
    let mut workloads: Vec<Workload> = Vec::with_capacity(raw.len());
    // Case does not matter where cameras name workloads, so not here either.
    let mut taken: HashMap<Slug, (String, Place)> = HashMap::new();
    for RawWorkload { name, place, mut steps, places, options: given, .. } in raw {
        let Some(slug) = Slug::of(&name) else { continue };
        let Some(folded) = Slug::of(&name.to_lowercase()) else { continue };
        if let Some((other, other_place)) = taken.get(&folded) {
            let message =
                format!("the workloads `{other}` and `{name}` have the same name in labels and files");
            diagnostics.push(
                Diagnostic::error(codes::DUPLICATE_WORKLOAD, message)
                    .at(place)
                    .label("again here")
                    .also(*other_place, "first here"),
            );
            // It is mapped nevertheless: cameras that name it have no fault.
        } else {
            taken.insert(folded, (name.clone(), place));
        }
        let of_workload = options.get(&name.to_lowercase()).copied().unwrap_or_default();
        for (step, given) in steps.iter_mut().zip(given) {
            given.or(of_workload).or(lpfile.options).apply_to(step);
        }
        workloads.push(Workload { name, slug, steps, place, places });
    }
    workloads
}

/// A camera that names a workload twice runs it once.
fn check_repeated(cameras: &[RawCamera], diagnostics: &mut Diagnostics) {
    for camera in cameras.iter().filter(|camera| camera.workloads.len() > 1) {
        let mut here: HashMap<String, Place> = HashMap::new();
        for workload in &camera.workloads {
            match here.entry(workload.value.to_lowercase()) {
                Entry::Vacant(entry) => {
                    entry.insert(workload.place);
                }
                Entry::Occupied(first) => {
                    let message = format!("the camera names the workload `{}` twice", workload.value);
                    diagnostics.push(
                        Diagnostic::warning(codes::REPEATED_WORKLOAD, message)
                            .at(workload.place)
                            .label("ignored")
                            .also(*first.get(), "first here"),
                    );
                }
            }
        }
    }
}

/// Every workload that a camera names must be mapped; those that no camera names get
/// a note if there are no errors.
fn check_mapping(cameras: &[RawCamera], workloads: &[Workload], diagnostics: &mut Diagnostics) {
    let mut used: HashMap<String, bool> =
        workloads.iter().map(|workload| (workload.name.to_lowercase(), false)).collect();
    for camera in cameras {
        for workload in &camera.workloads {
            let folded = workload.value.to_lowercase();
            if let Some(used) = used.get_mut(&folded) {
                *used = true;
                continue;
            }
            let names = || workloads.iter().map(|workload| workload.name.as_str());
            let message = format!("the workload `{}` is not mapped", workload.value);
            let mut diagnostic = Diagnostic::error(codes::UNMAPPED_WORKLOAD, message)
                .at(workload.place)
                .label("no workload file defines it")
                .suggest(&workload.value, names(), diagnostics);
            if let Some(meant) = diagnostics.did_you_mean(&workload.value, names())
                && let Some(meant) = workloads.iter().find(|workload| workload.name == meant)
            {
                diagnostic = diagnostic.also(meant.place, "mapped here");
            } else if workloads.len() <= 20 && !workloads.is_empty() {
                diagnostic =
                    diagnostic.help(format!("mapped workloads: {}", names().collect::<Vec<_>>().join(", ")));
            }
            diagnostics.push(diagnostic);
        }
    }
    // If there are errors, a name that could not be read would be reported as unused.
    if cameras.is_empty() || diagnostics.has_errors() {
        return;
    }
    for workload in workloads.iter().filter(|workload| !used[&workload.name.to_lowercase()]) {
        let message = format!("no camera uses the workload `{}`", workload.name);
        diagnostics.push(Diagnostic::note(codes::UNUSED_WORKLOAD, message).at(workload.place));
    }
}

fn camera_of(
    raw: RawCamera,
    clip: Option<Clip>,
    settings: &Settings,
    lpfile: &RawLpfile,
    logins: &mut Logins<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Camera> {
    // Faulty numbers were reported; nothing is checked against the defaults that
    // replace them.
    let width = raw.width.as_ref().map_or(WIDTH, |width| width.value);
    let height = raw.height.as_ref().map_or(HEIGHT, |height| height.value);
    let fps = raw.fps.as_ref().map_or(FPS, |fps| fps.value);
    if let Some(target) = &raw.target_fps
        && raw.is_rated
        && target.value > fps
    {
        let mut diagnostic = Diagnostic::error(
            codes::TARGET_ABOVE_FPS,
            format!("`targetFps` is {}, but the camera has {fps} frames per second", target.value),
        )
        .at(target.place);
        if let Some(fps) = &raw.fps {
            diagnostic = diagnostic.also(fps.place, "the camera's rate");
        }
        diagnostics.push(diagnostic);
    }
    // If the camera's size is faulty, only the edges are checked, against any size.
    let frame = if raw.is_sized { (width, height) } else { (u32::MAX, u32::MAX) };
    let region = raw.region.and_then(|region| region_of(&region, frame.0, frame.1, diagnostics));
    let codec = raw.codec.unwrap_or(settings.rtsp.codec);
    let stream = format!(
        "{}-{}-bench",
        if raw.has_fraction[0] { format!("{:?}", f64::from(width)) } else { width.to_string() },
        if raw.has_fraction[1] { format!("{fps:?}") } else { fps.to_string() },
    );
    let served = clip.clone().filter(|_| raw.stream.is_none() && settings.source == FileSourceMode::Rtsp);
    let source = match raw.stream {
        Some(stream) => {
            let slug = raw.id.as_ref().and_then(|id| Slug::of(&id.value));
            slug.map(|slug| stream_of(stream.value, codec, settings, &slug, logins))
        }
        None => file_of(clip, raw.has_source, &stream, codec, raw.place, settings, diagnostics),
    };

    if matches!(source, Some(Source::File(_))) {
        for (key, size) in [("width", &raw.width), ("height", &raw.height)] {
            let Some(Spanned { value, place }) = size.as_ref().filter(|size| size.value % 2 == 1) else {
                continue;
            };
            let (below, above) = (value - 1, value + 1);
            diagnostics.push(
                Diagnostic::error(
                    codes::ODD_SIZE,
                    format!("`{key}` is {value}, but a clip needs an even number"),
                )
                .at(*place)
                .help(format!("write {above} or {below}; the clip is scaled to it")),
            );
        }
    }

    let workloads = raw.workloads.into_iter().map(|workload| workload.value).collect();
    let name = raw.id?.value;
    // A camera may be named twice, by its name and by its slug; the later one wins.
    let mut options = lpfile.camera_options.iter().rev();
    let options = options.find(|(given, _)| is_of_camera(&given.value, &name)).map(|(_, options)| options);
    let encoded = options.map_or(RawClip::default(), |options| options.clip).resolve(lpfile.clip);
    Some(Camera {
        slug: Slug::of(&name)?,
        accept: options.map(|options| options.accept.clone()).unwrap_or_default(),
        expect: options.and_then(|options| options.expect),
        clip: match source {
            Some(Source::File(_)) => encoded,
            _ => ClipOptions::default(),
        },
        served: served.map(|clip| Served {
            mount: mount_of(&clip, &stream),
            // Receivers have to know the codec.
            options: ClipOptions { codec: encoded.codec.or(Some(codec)), ..encoded },
            clip,
        }),
        name,
        source: source?,
        width,
        height,
        fps,
        target_fps: raw.target_fps.map(|target| target.value),
        workloads,
        region,
        place: raw.place,
    })
}

fn stream_of(
    stream: RawStream,
    codec: Codec,
    settings: &Settings,
    slug: &Slug,
    logins: &mut Logins<'_>,
) -> Source {
    match stream {
        RawStream::Uri(uri, login) => {
            let login = login.map(|login| logins.login(login, slug));
            Source::Rtsp(stream_at(uri, login, codec, &settings.rtsp))
        }
        RawStream::Path(path) => on_server(&path, codec, settings),
        RawStream::Usb(device) => Source::Usb { device },
    }
}

/// A stream of the server of `[rtsp]`.
fn on_server(path: &str, codec: Codec, settings: &Settings) -> Source {
    let Rtsp { host, port, .. } = &settings.rtsp;
    // A URI has the address of an IPv6 host in brackets.
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.clone() };
    let uri = format!("rtsp://{host}:{port}/{path}");
    Source::Rtsp(stream_at(uri, None, codec, &settings.rtsp))
}

/// A stream that is received as `[rtsp]` says.
fn stream_at(uri: String, login: Option<Login>, codec: Codec, rtsp: &Rtsp) -> RtspStream {
    let Rtsp { latency_ms, transport, reconnect, certificate, .. } = *rtsp;
    // Nothing encrypts packets of UDP.
    let (transport, certificate) = match os::rtsp::is_encrypted(&uri) {
        true => (Transport::Tcp, certificate),
        false => (transport, Certificate::Trusted),
    };
    RtspStream { uri, login, codec, latency_ms, transport, reconnect, certificate }
}

/// The path of the stream of a clip, as upstream names it.
fn mount_of(clip: &Clip, variant: &str) -> String {
    format!("{}-{variant}", clip.file.strip_suffix(".mp4").unwrap_or(&clip.file))
}

/// The source of a camera that has only a `fileSrc`. `variant` is the suffix that
/// upstream gives to the name of a clip with the camera's size and rate.
fn file_of(
    clip: Option<Clip>,
    has_source: bool,
    variant: &str,
    codec: Codec,
    place: Place,
    settings: &Settings,
    diagnostics: &mut Diagnostics,
) -> Option<Source> {
    let Some(clip) = clip else {
        if !has_source {
            diagnostics.push(
                Diagnostic::error(codes::MISSING_SOURCE, "the camera has no source")
                    .at(place)
                    .label("in this camera")
                    .help("give it a `fileSrc` (`clips/scan.mp4`, `name|url`) or a `streamUri` (`rtsp://host:8554/path`)"),
            );
        }
        return None;
    };
    match (settings.source, clip.origin.clone()) {
        (FileSourceMode::File, _) => Some(Source::File(clip)),
        (FileSourceMode::Rtsp, _) => Some(on_server(&mount_of(&clip, variant), codec, settings)),
        (FileSourceMode::Synthetic, Origin::Scene(scene)) => Some(Source::Synthetic { scene }),
        (FileSourceMode::Synthetic, Origin::Url(_) | Origin::Package(_) | Origin::File(_)) => {
            let message = "`run.source` is `synthetic`, but this clip is not drawn from a scene";
            diagnostics.push(
                Diagnostic::error(codes::NO_SCENE, message)
                    .at(clip.place)
                    .help(format!("write `{}|scene:NAME`, or leave `run.source` at `file`", clip.file)),
            );
            None
        }
    }
}

/// The region, which must begin inside the frame. Upstream's own files have one that
/// ends a few pixels outside, so that is only a warning.
fn region_of(
    region: &Spanned<RawRegion>,
    width: u32,
    height: u32,
    diagnostics: &mut Diagnostics,
) -> Option<Region> {
    let RawRegion { x, y, x2, y2 } = &region.value;
    let axes = [("x", x, x2, "width", width), ("y", y, y2, "height", height)];
    let mut is_sound = true;
    for (edge, near, far, size, frame) in axes {
        if near.value >= far.value {
            let message = format!("the region is empty: `{edge}` must be less than `{edge}2`");
            diagnostics.push(
                Diagnostic::error(codes::EMPTY_REGION, message)
                    .at(far.place)
                    .label(format!("ends at {}", far.value))
                    .also(near.place, format!("begins at {}", near.value)),
            );
            is_sound = false;
        } else if near.value >= frame {
            let diagnostic = Diagnostic::error(codes::REGION_OUTSIDE, "the region is outside the frame");
            let label = format!("begins at {}, but the frame's {size} is {frame}", near.value);
            diagnostics.push(diagnostic.at(near.place).label(label));
            is_sound = false;
        }
    }
    if !is_sound {
        return None;
    }
    for (_, _, far, size, frame) in axes.iter().filter(|(_, _, far, _, frame)| far.value > *frame) {
        let diagnostic = Diagnostic::warning(codes::REGION_OUTSIDE, "the region reaches out of the frame");
        let label = format!("the frame's {size} is {frame}; the part outside is ignored");
        diagnostics.push(diagnostic.at(far.place).label(label));
    }
    Some(Region { x: x.value, y: y.value, x2: x2.value, y2: y2.value })
}

fn task_of(
    raw: RawTask,
    settings: &Settings,
    layout: &Layout,
    diagnostics: &mut Diagnostics,
) -> Option<UserTask> {
    if let Some(pool) = &raw.pool {
        let pools = || settings.pools.keys().map(String::as_str).chain(["cpu", "exclusive"]);
        if !pools().any(|known| known == pool.value) {
            let message = format!("the pool `{}` does not exist", pool.value);
            let diagnostic = Diagnostic::error(codes::UNKNOWN_POOL, message).at(pool.place);
            let mut diagnostic = diagnostic.suggest(&pool.value, pools(), diagnostics);
            if diagnostic.help.is_none() {
                diagnostic = diagnostic.help(format!("give it a depth: `[pools] {} = 1`", pool.value));
            }
            diagnostics.push(diagnostic);
        }
    }
    let name = raw.name?.value;
    // One file has one path, however a folder of `[paths]` is written.
    let with_place = |paths: Vec<Spanned<ProjectPath>>| {
        paths.into_iter().map(|path| (layout.named(path.value), path.place)).collect()
    };
    Some(UserTask {
        slug: Slug::of(&name)?,
        name,
        command: raw.command?,
        inputs: with_place(raw.inputs),
        outputs: with_place(raw.outputs),
        after: raw.after.into_iter().map(|after| (after.value, after.place)).collect(),
        env: raw.env,
        pass: raw.pass,
        pool: raw.pool.map_or_else(|| "cpu".to_owned(), |pool| pool.value),
        timeout: raw.timeout,
        retries: raw.retries.unwrap_or(0),
        cache: raw.cache.unwrap_or(true),
        place: raw.place,
    })
}
