//! From what was written to what is meant: defaults, references between files,
//! and every check that needs more than one value.
//!
//! This is the one place for defaults. Everything is checked even if something
//! else is wrong; the project counts only if no error was reported.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cameras::{RawCamera, RawRegion};
use super::codes;
use super::diagnostics::{Diagnostic, Diagnostics, Place, Spanned};
use super::lpfile::RawLpfile;
use super::project::{
    Camera, Clip, DialectChoice, FileSourceMode, Origin, Pace, Project, Region, SceneFile, Settings, Source,
    UserTask, Workload,
};
use super::tasks::RawTask;
use super::workloads::RawWorkload;
use crate::name::{Slug, did_you_mean};
use crate::path::{Layout, ProjectPath};

const WIDTH: u32 = 1920;
const HEIGHT: u32 = 1080;
const FPS: f64 = 15.0;
const DURATION: Duration = Duration::from_secs(30);
const POOLS: [(&str, u32); 3] = [("network", 8), ("gpu", 1), ("npu", 1)];

/// All files as written.
pub(super) struct Raw {
    pub(super) lpfile: RawLpfile,
    /// Those of included files.
    pub(super) more_tasks: Vec<RawTask>,
    pub(super) cameras: Vec<RawCamera>,
    /// `None` if the file could not be read: then nothing is said about names
    /// that are not mapped.
    pub(super) workloads: Option<Vec<RawWorkload>>,
    pub(super) scenes: BTreeMap<String, SceneFile>,
}

/// Answers every question that `raw` leaves open.
pub(super) fn resolve(root: PathBuf, raw: Raw, diagnostics: &mut Diagnostics) -> Project {
    let layout = layout(root, &raw.lpfile, diagnostics);
    let settings = settings(&raw.lpfile);

    let mut tasks = raw.lpfile.tasks;
    tasks.extend(raw.more_tasks);
    check_slugs(&raw.cameras, &tasks, settings.count, diagnostics);
    check_origins(&raw.cameras, diagnostics);

    let workloads = raw.workloads.map(|workloads| resolve_workloads(workloads, diagnostics));
    if let Some(workloads) = &workloads {
        check_mapping(&raw.cameras, workloads, diagnostics);
    }
    let resolve_camera = |camera| camera_of(camera, settings.source, diagnostics);
    let cameras = raw.cameras.into_iter().filter_map(resolve_camera).collect();
    let tasks = tasks.into_iter().filter_map(|task| task_of(task, &settings, &layout, diagnostics)).collect();
    Project {
        layout,
        settings,
        cameras,
        workloads: workloads.unwrap_or_default(),
        scenes: raw.scenes,
        assets: raw.lpfile.assets,
        tasks,
    }
}

/// The folders of `[paths]`.
pub(super) fn layout(root: PathBuf, raw: &RawLpfile, diagnostics: &mut Diagnostics) -> Layout {
    let folder = |written: &Option<Spanned<String>>, default: &str| {
        let text = written.as_ref().map_or(default, |written| written.value.trim());
        // Taken apart and put together again, so that `media/` equals `media`.
        root.join(text).components().collect::<PathBuf>()
    };
    let folders: [(&str, PathBuf, Option<Place>); 3] = [
        ("media", folder(&raw.media, "media"), raw.media.as_ref().map(|written| written.place)),
        ("models", folder(&raw.models, "models"), raw.models.as_ref().map(|written| written.place)),
        ("results", folder(&raw.results, "results"), raw.results.as_ref().map(|written| written.place)),
    ];
    for (index, (name, path, place)) in folders.iter().enumerate() {
        if let Some((other, _, other_place)) = folders[..index].iter().find(|(_, other, _)| other == path) {
            let message = format!("`paths.{other}` and `paths.{name}` are the same folder");
            diagnostics.push(
                Diagnostic::error(codes::SAME_FOLDER, message)
                    .at(place.or(*other_place).unwrap_or_default())
                    .label(shown(path)),
            );
        }
    }
    let [(_, media, _), (_, models, _), (_, results, _)] = folders;
    Layout { root, media, models, results }
}

fn shown(path: &Path) -> String {
    format!("`{}`", path.display())
}

fn settings(raw: &RawLpfile) -> Settings {
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
        count: raw.run.count.unwrap_or(1),
        pools,
    }
}

/// Labels are made of slugs, so cameras, their copies and user tasks share one
/// space of them.
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
                    .label(format!("labels use `{slug}` themselves")),
            );
        }
        let Some((other_what, other)) = taken.get(&slug) else {
            taken.insert(slug, (what, name));
            continue;
        };
        let code = if what == "camera" { codes::DUPLICATE_CAMERA } else { codes::DUPLICATE_NAME };
        let message = match (*other_what == what, other.value == name.value) {
            (true, true) => format!("two {what}s are called `{}`", name.value),
            (false, true) => format!("a {other_what} and a {what} are both called `{}`", name.value),
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
                "the {what} `{}` is called like copy {n} of the camera `{}`",
                name.value, original.value
            );
            diagnostics.push(Diagnostic::error(codes::DUPLICATE_CAMERA, message).at(name.place).also(
                original.place,
                format!("its copies are `{slug}` and so on, since `run.count` is {count}"),
            ));
        }
    }
}

/// One file in `media/` has one origin.
fn check_origins(cameras: &[RawCamera], diagnostics: &mut Diagnostics) {
    let mut first: HashMap<&str, &Spanned<Clip>> = HashMap::new();
    for clip in cameras.iter().filter_map(|camera| camera.file.as_ref()) {
        let known = first.entry(&clip.value.file).or_insert(clip);
        if known.value.origin != clip.value.origin {
            let message = format!("`{}` has two different origins", clip.value.file);
            diagnostics.push(
                Diagnostic::error(codes::TWO_ORIGINS, message)
                    .at(clip.place)
                    .label("another one here")
                    .also(known.place, "one here")
                    .help("give one of the files another name"),
            );
        }
    }
}

fn resolve_workloads(raw: Vec<RawWorkload>, diagnostics: &mut Diagnostics) -> Vec<Workload> {
    let mut workloads: Vec<Workload> = Vec::with_capacity(raw.len());
    // Case does not matter where cameras name workloads, so not here either.
    let mut taken: HashMap<String, (String, Place)> = HashMap::new();
    for RawWorkload { name, place, steps } in raw {
        let Some(slug) = Slug::of(&name) else { continue };
        let folded = slug.as_str().to_lowercase();
        if let Some((other, other_place)) = taken.get(&folded) {
            let message = format!("the workloads `{other}` and `{name}` are one in labels and files");
            diagnostics.push(
                Diagnostic::error(codes::DUPLICATE_WORKLOAD, message)
                    .at(place)
                    .label("again here")
                    .also(*other_place, "first here"),
            );
            continue;
        }
        taken.insert(folded, (name.clone(), place));
        workloads.push(Workload { name, slug, steps, place });
    }
    workloads
}

/// Every workload that a camera names is mapped; those that nobody names are
/// noted if all else is well.
fn check_mapping(cameras: &[RawCamera], workloads: &[Workload], diagnostics: &mut Diagnostics) {
    let mut used: HashMap<String, bool> =
        workloads.iter().map(|workload| (workload.name.to_lowercase(), false)).collect();
    for camera in cameras {
        let mut here: HashMap<String, Place> = HashMap::new();
        for workload in &camera.workloads {
            let folded = workload.value.to_lowercase();
            if let Some(first) = here.get(&folded) {
                let message = format!("the camera names the workload `{}` twice", workload.value);
                diagnostics.push(
                    Diagnostic::warning(codes::REPEATED_WORKLOAD, message)
                        .at(workload.place)
                        .label("ignored")
                        .also(*first, "first here"),
                );
                continue;
            }
            here.insert(folded.clone(), workload.place);
            if let Some(used) = used.get_mut(&folded) {
                *used = true;
                continue;
            }
            let names = || workloads.iter().map(|workload| workload.name.as_str());
            let message = format!("the workload `{}` is not mapped", workload.value);
            let mut diagnostic = Diagnostic::error(codes::UNMAPPED_WORKLOAD, message)
                .at(workload.place)
                .label("no workload file has it")
                .suggest(&workload.value, names());
            if let Some(meant) = did_you_mean(&workload.value, names())
                && let Some(meant) = workloads.iter().find(|workload| workload.name == meant)
            {
                diagnostic = diagnostic.also(meant.place, "mapped here");
            } else if workloads.len() <= 20 && !workloads.is_empty() {
                diagnostic =
                    diagnostic.help(format!("mapped are: {}", names().collect::<Vec<_>>().join(", ")));
            }
            diagnostics.push(diagnostic);
        }
    }
    // With errors about, a name that was misread would be called unused.
    if cameras.is_empty() || diagnostics.has_errors() {
        return;
    }
    for workload in workloads.iter().filter(|workload| !used[&workload.name.to_lowercase()]) {
        let message = format!("no camera uses the workload `{}`", workload.name);
        diagnostics.push(Diagnostic::note(codes::UNUSED_WORKLOAD, message).at(workload.place));
    }
}

fn camera_of(raw: RawCamera, mode: FileSourceMode, diagnostics: &mut Diagnostics) -> Option<Camera> {
    // Numbers with faults were reported; nothing is checked against a default
    // that merely stands in for them.
    let width = raw.width.as_ref().map_or(WIDTH, |width| width.value);
    let height = raw.height.as_ref().map_or(HEIGHT, |height| height.value);
    let fps = raw.fps.as_ref().map_or(FPS, |fps| fps.value);
    if let Some(target) = &raw.target_fps
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
    let region = raw.region.and_then(|region| region_of(&region, width, height, diagnostics));
    let source = source_of(raw.stream, raw.file, raw.has_source, raw.place, mode, diagnostics);

    let mut workloads: Vec<String> = Vec::new();
    for workload in raw.workloads {
        let folded = workload.value.to_lowercase();
        if !workloads.iter().any(|known| known.to_lowercase() == folded) {
            workloads.push(workload.value);
        }
    }
    let name = raw.id?.value;
    Some(Camera {
        slug: Slug::of(&name)?,
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

fn source_of(
    stream: Option<Spanned<Source>>,
    file: Option<Spanned<Clip>>,
    has_source: bool,
    place: Place,
    mode: FileSourceMode,
    diagnostics: &mut Diagnostics,
) -> Option<Source> {
    if let Some(stream) = stream {
        return Some(stream.value);
    }
    let Some(clip) = file else {
        if !has_source {
            diagnostics.push(
                Diagnostic::error(codes::MISSING_SOURCE, "the camera has no source")
                    .at(place)
                    .label("in this camera")
                    .help("give it a `fileSrc` (`name|url`) or a `streamUri` (`rtsp://host:8554/path`)"),
            );
        }
        return None;
    };
    match (mode, clip.value.origin.clone()) {
        (FileSourceMode::File, _) => Some(Source::File(clip.value)),
        (FileSourceMode::Synthetic, Origin::Scene(scene)) => Some(Source::Synthetic { scene }),
        (FileSourceMode::Synthetic, Origin::Url(_)) => {
            let message = "`run.source` is `synthetic`, but this clip is drawn from no scene";
            diagnostics.push(
                Diagnostic::error(codes::NO_SCENE, message)
                    .at(clip.place)
                    .help(format!("write `{}|scene:NAME`, or leave `run.source` at `file`", clip.value.file)),
            );
            None
        }
    }
}

/// The region, cut to the frame: upstream's own files have one that reaches a
/// few pixels out of it.
fn region_of(
    region: &Spanned<RawRegion>,
    width: u32,
    height: u32,
    diagnostics: &mut Diagnostics,
) -> Option<Region> {
    let RawRegion { x, y, x2, y2 } = region.value;
    let frame = format!("the frame is {width}x{height}");
    if x >= x2 || y >= y2 {
        let message = "the region is empty: `x` must be less than `x2`, and `y` less than `y2`";
        let diagnostic = Diagnostic::error(codes::EMPTY_REGION, message).at(region.place);
        diagnostics.push(diagnostic.label(format!("from {x},{y} to {x2},{y2}")));
        return None;
    }
    if x >= width || y >= height {
        let diagnostic = Diagnostic::error(codes::REGION_OUTSIDE, "the region is outside the frame");
        diagnostics.push(diagnostic.at(region.place).label(format!("begins at {x},{y}, but {frame}")));
        return None;
    }
    if x2 > width || y2 > height {
        let diagnostic = Diagnostic::warning(codes::REGION_OUTSIDE, "the region reaches out of the frame");
        let label = format!("ends at {x2},{y2}, but {frame}; what is outside is cut off");
        diagnostics.push(diagnostic.at(region.place).label(label));
    }
    Some(Region { x, y, x2: x2.min(width), y2: y2.min(height) })
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
            let message = format!("there is no pool `{}`", pool.value);
            let diagnostic = Diagnostic::error(codes::UNKNOWN_POOL, message).at(pool.place);
            let mut diagnostic = diagnostic.suggest(&pool.value, pools());
            if diagnostic.help.is_none() {
                diagnostic = diagnostic.help(format!("give it a depth: `[pools] {} = 1`", pool.value));
            }
            diagnostics.push(diagnostic);
        }
    }
    let name = raw.name?.value;
    // One file has one path, whichever way a folder of `[paths]` was named.
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
