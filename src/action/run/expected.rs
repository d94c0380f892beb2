//! What the detectors of a stream have to see: the truth of its clip, else the sightings of an
//! earlier run.
//!
//! The truth of a drawn clip follows from its scene; beside a clip of the user's, `till.mp4`, it
//! is in `till.truth.json`. Neither is an input of the run: they change how a run is
//! judged, not what is measured, and the record keeps them. Where it is not certain that a
//! detector can see a part of the scene (behind a crop, or in cells that leave a zone out),
//! nothing is expected of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::LocalHost;
use crate::action::EarlierRun;
use crate::dialect::share;
use crate::digest::ContentDigest;
use crate::engine::host::Attempt;
use crate::graph::lower::plan_path;
use crate::graph::task::Task;
use crate::model::{Origin, Pace, Source};
use crate::os;
use crate::path::ProjectPath;
use crate::pipeline::{Element, PipelineSpec, Value, detect};
use crate::plan::CameraPlan;
use crate::record::boxes::Boxes;
use crate::record::seen::{Detector, Expected, ExpectedSource, ExpectedSpan, SightingSpan};
use crate::scene::boxes::{FrameObjects, Kind, Object, boxes};
use crate::scene::truth::{CodeSpan, ZoneSpan, truth};
use crate::scene::{Scene, Zone};
use crate::worker::protocol::{FoundBox, FrameBoxes};

/// Motions with a shorter pause are one for a detector, in seconds.
const PAUSE_S: f64 = 1.0;

/// No truth file is larger.
const LIMIT: u64 = 64 << 20;

/// What is known about the clip of a camera.
pub(super) struct Knowledge<'a> {
    plan: &'a CameraPlan,
    truth: Option<(ExpectedSource, ClipTruth)>,
    earlier: Vec<EarlierRun>,
}

/// The truth of a clip, as far as it is given: of a drawn one all of it, of a user's file the lists
/// that it has.
#[derive(Default, Deserialize)]
struct ClipTruth {
    codes: Option<Vec<CodeSpan>>,
    motion: Option<Vec<ZoneSpan>>,
    /// When a detector has to see an object.
    objects: Option<Vec<TimeSpan>>,
    /// Where objects are, on some frames.
    #[serde(default, deserialize_with = "true_frames")]
    frames: Option<Vec<FrameBoxes>>,
    /// Zones, and the size of the frame that they are in.
    #[serde(skip)]
    zones: Option<(BTreeMap<String, Zone>, [u32; 2])>,
}

/// A time in a clip, in seconds.
#[derive(Deserialize)]
struct TimeSpan {
    from_s: f64,
    to_s: f64,
}

/// A frame of a truth file, in the form of `gvametaconvert`.
#[derive(Deserialize)]
struct TrueFrame {
    /// Nanoseconds from the begin of the clip.
    timestamp: u64,
    #[serde(default)]
    objects: Vec<TrueObject>,
}

#[derive(Deserialize)]
struct TrueObject {
    roi_type: Option<String>,
    detection: TrueDetection,
}

#[derive(Deserialize)]
struct TrueDetection {
    label: Option<String>,
    bounding_box: TrueBox,
}

/// In parts of the frame.
#[derive(Deserialize)]
struct TrueBox {
    x_min: f64,
    y_min: f64,
    x_max: f64,
    y_max: f64,
}

fn true_frames<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<FrameBoxes>>, D::Error> {
    let frames = Vec::<TrueFrame>::deserialize(deserializer)?;
    let found = |object: TrueObject| {
        let TrueBox { x_min, y_min, x_max, y_max } = object.detection.bounding_box;
        let label = object.detection.label.or(object.roi_type).unwrap_or_default();
        found_box(label, [x_min, y_min, x_max - x_min, y_max - y_min])
    };
    let frame = |TrueFrame { timestamp, objects }| FrameBoxes {
        clip_ms: (timestamp + 500_000) / 1_000_000,
        boxes: objects.into_iter().map(found).collect(),
    };
    Ok(Some(frames.into_iter().map(frame).collect()))
}

/// A certain box, at these parts of the frame: left, top, width, height.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float is cut to the range")]
fn found_box(label: String, bounds: [f64; 4]) -> FoundBox {
    FoundBox(label, bounds.map(|part| (part.clamp(0.0, 1.0) * 10_000.0).round() as u16), 1_000)
}

impl<'a> Knowledge<'a> {
    /// Reads the truth of a camera's clip, and earlier runs if the truth says too little for
    /// its detectors.
    pub(super) fn of(
        plan: &'a CameraPlan,
        pace: Pace,
        host: &LocalHost<'_>,
        task: &Task,
        attempt: &Attempt<'_>,
    ) -> Knowledge<'a> {
        let mut knowledge = Knowledge { plan, truth: truth_of(plan, host, attempt), earlier: Vec::new() };
        let lacks = |spec: &PipelineSpec| {
            let mut detectors =
                (0..spec.elements.len()).filter(|n| detect::report(&spec.elements[*n]).is_some());
            detectors.any(|n| knowledge.true_spans(spec, n).is_none())
        };
        let clip = match &plan.source {
            Source::File(clip) => Some(clip.path.clone()),
            Source::Synthetic { .. } => None,
            // Never the same twice.
            Source::Rtsp(_) | Source::Usb { .. } => return knowledge,
        };
        if share::pipelines(plan, pace).iter().any(|played| lacks(&played.spec)) {
            let labels = [task.label.to_string(), "run:lane".to_owned(), format!("run:{}", plan.slug)];
            let inputs = [Some(plan_path(&plan.slug)), clip].into_iter().flatten();
            let inputs: Option<BTreeMap<ProjectPath, ContentDigest>> =
                inputs.map(|path| Some((path.clone(), (attempt.input)(&path)?))).collect();
            knowledge.earlier = inputs.map_or_else(Vec::new, |inputs| (host.earlier)(&labels, &inputs));
            knowledge.earlier.retain(|run| run.is_accepted);
        }
        knowledge
    }

    /// The boxes of all objects of the clip, and what says so; `None` if nothing does.
    pub(super) fn boxes(&self) -> Option<(&str, Boxes)> {
        let (source, truth) = self.truth.as_ref()?;
        let frames = truth.frames.as_ref().filter(|frames| !frames.is_empty())?;
        let (ExpectedSource::Scene(name) | ExpectedSource::Truth(name)) = source else { return None };
        Some((name, Boxes::of(frames.clone())))
    }

    /// The camera that it is about.
    pub(super) fn camera(&self) -> &CameraPlan {
        self.plan
    }

    /// Each detector of a stream, and what they have to see. `sink` is the stream's.
    pub(super) fn of_stream(
        &self,
        index: u32,
        spec: &PipelineSpec,
        sink: usize,
        sinks: &[usize],
    ) -> (Vec<Detector>, Vec<Expected>) {
        let serves = |n: &usize| spec.serves(*n, sinks).iter().any(|served| sinks[*served] == sink);
        let places: Vec<usize> = (0..spec.elements.len())
            .filter(serves)
            .filter(|n| detect::report(&spec.elements[*n]).is_some())
            .collect();
        let name = |n: usize| spec.elements[n].reference(n);
        let detector = |n: &usize| Detector {
            element: name(*n),
            kind: spec.elements[*n].factory.clone(),
            model: detect::model(&spec.elements[*n]),
        };
        let detectors: Vec<Detector> = places.iter().map(detector).collect();
        let expected = places.iter().enumerate().filter_map(|(position, n)| {
            let (source, spans) = match (&self.truth, self.true_spans(spec, *n)) {
                (Some((source, _)), Some(spans)) => (source.clone(), spans),
                _ => self.seen_earlier(index, position, &spec.elements[*n].factory)?,
            };
            Some(Expected { element: name(*n), source, spans })
        });
        let expected = expected.collect();
        (detectors, expected)
    }

    /// The truth for one detector; `None` if it says nothing about it.
    fn true_spans(&self, spec: &PipelineSpec, index: usize) -> Option<Vec<ExpectedSpan>> {
        let (_, truth) = self.truth.as_ref()?;
        let element = &spec.elements[index];
        let path = spec.path_to(index);
        let passes =
            |is_hindrance: fn(&Element) -> bool| path.iter().any(|n| is_hindrance(&spec.elements[*n]));
        if passes(detect::cuts) {
            return None;
        }
        let mut spans: Vec<ExpectedSpan> = match detect::noun(&element.factory) {
            "code" => {
                let codes = truth.codes.as_ref()?.iter();
                codes.map(|code| span(code.from_s, code.to_s, Some(code.code.clone()))).collect()
            }
            "motion" => {
                let all = truth.motion.as_ref()?;
                let watched = match (Cells::of(element, self.plan), &truth.zones) {
                    (None, _) => None,
                    (Some(_), None) => return None,
                    (Some(_), Some(_)) if passes(detect::moves) => return None,
                    (Some(cells), Some((zones, size))) => Some(cells.zones(zones, *size)),
                };
                let is_watched =
                    |motion: &&ZoneSpan| watched.as_ref().is_none_or(|zones| zones.contains(&motion.zone));
                joined(all.iter().filter(is_watched).map(|motion| (motion.from_s, motion.to_s)).collect())
            }
            "object" | "attribute" => {
                truth.objects.as_ref()?.iter().map(|object| span(object.from_s, object.to_s, None)).collect()
            }
            _ => return None,
        };
        spans.sort();
        Some(spans)
    }

    /// The sightings of the same detector in the newest run that has some.
    fn seen_earlier(
        &self,
        index: u32,
        position: usize,
        kind: &str,
    ) -> Option<(ExpectedSource, Vec<ExpectedSpan>)> {
        self.earlier.iter().find_map(|EarlierRun { id, record, .. }| {
            let members = record.members.iter().filter(|member| member.camera == self.plan.camera);
            let streams = members.flat_map(|member| &member.streams);
            let spans = streams.filter(|stream| stream.index == Some(index)).find_map(|stream| {
                let step = stream.seen.get(position).filter(|step| step.kind == kind)?;
                let spans = merged(&step.spans);
                (!spans.is_empty()).then_some(spans)
            })?;
            Some((ExpectedSource::Run(id.clone()), spans))
        })
    }
}

/// The truth of a camera's clip, if there is any. A file that cannot be read is reported.
fn truth_of(
    plan: &CameraPlan,
    host: &LocalHost<'_>,
    attempt: &Attempt<'_>,
) -> Option<(ExpectedSource, ClipTruth)> {
    if let Source::Synthetic { scene } = &plan.source {
        let camera = host.cameras.iter().find(|camera| camera.name == plan.camera);
        let name = match camera.map(|camera| &camera.source) {
            Some(Source::Synthetic { scene }) => scene.clone(),
            _ => "drawn live".to_owned(),
        };
        return Some((ExpectedSource::Scene(name), drawn(scene)?));
    }
    let camera = host.cameras.iter().find(|camera| camera.name == plan.camera)?;
    let Source::File(clip) = &camera.source else { return None };
    if let Origin::Scene(name) = &clip.origin {
        return Some((ExpectedSource::Scene(name.clone()), drawn(&host.scenes.get(name)?.scene)?));
    }
    let place = attempt.layout.resolve(&clip.original()).with_extension("truth.json");
    let name = place.file_name()?.to_string_lossy().into_owned();
    if !os::fs::is_file(&place) {
        return None;
    }
    let read = os::fs::read_bounded(&place, LIMIT).map_err(|error| error.to_string());
    match read.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string())) {
        Ok(truth) => Some((ExpectedSource::Truth(name), truth)),
        Err(error) => {
            (attempt.note)(&format!("note: `{name}` does not tell what `{}` has to see: {error}", plan.slug));
            None
        }
    }
}

fn drawn(scene: &Scene) -> Option<ClipTruth> {
    let truth = truth(scene).ok()?;
    Some(ClipTruth {
        codes: Some(truth.codes),
        motion: Some(truth.motion),
        objects: None,
        frames: Some(boxes(scene).ok()?.into_iter().map(drawn_frame).collect()),
        zones: Some((scene.zones.clone(), [scene.width, scene.height])),
    })
}

/// The objects of a drawn frame by their kinds; items by their names too, for detectors that tell
/// products apart.
fn drawn_frame(FrameObjects { at_ns, objects }: FrameObjects) -> FrameBoxes {
    let found = |Object { kind, item, bounds }: Object| {
        let is_named = kind == Kind::Item && Kind::ALL.iter().all(|kind| kind.to_string() != item);
        let by_name = is_named.then(|| found_box(item, bounds));
        [found_box(kind.to_string(), bounds)].into_iter().chain(by_name)
    };
    FrameBoxes {
        clip_ms: (at_ns + 500_000) / 1_000_000,
        boxes: objects.into_iter().flat_map(found).collect(),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float is cut to the range")]
fn span(from_s: f64, to_s: f64, code: Option<String>) -> ExpectedSpan {
    let ms = |seconds: f64| (seconds * 1000.0).round() as u64;
    ExpectedSpan { from_ms: ms(from_s), to_ms: ms(to_s), code }
}

/// Times with short pauses as one, in any order.
fn joined(mut times: Vec<(f64, f64)>) -> Vec<ExpectedSpan> {
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut all: Vec<(f64, f64)> = Vec::new();
    for (from_s, to_s) in times {
        match all.last_mut() {
            Some(last) if from_s - last.1 < PAUSE_S => last.1 = last.1.max(to_s),
            _ => all.push((from_s, to_s)),
        }
    }
    all.into_iter().map(|(from_s, to_s)| span(from_s, to_s, None)).collect()
}

/// Sightings of all passes as parts of the clip.
fn merged(seen: &[SightingSpan]) -> Vec<ExpectedSpan> {
    let mut parts: Vec<ExpectedSpan> = seen
        .iter()
        .filter_map(|seen| {
            seen.clip_ms.filter(|(first, last)| seen.to_us.is_some() && first <= last).zip(Some(seen))
        })
        .map(|((from_ms, to_ms), seen)| ExpectedSpan { from_ms, to_ms, code: seen.code.clone() })
        .collect();
    parts.sort_by(|a, b| (&a.code, a.from_ms).cmp(&(&b.code, b.from_ms)));
    let mut all: Vec<ExpectedSpan> = Vec::new();
    for part in parts {
        match all.last_mut() {
            Some(last) if last.code == part.code && part.from_ms <= last.to_ms => {
                last.to_ms = last.to_ms.max(part.to_ms);
            }
            _ => all.push(part),
        }
    }
    all.sort();
    all
}

/// The cells that a `motioncells` watches.
struct Cells {
    /// Columns and rows.
    grid: [u32; 2],
    /// Row and column.
    watched: BTreeSet<(u32, u32)>,
}

impl Cells {
    /// `None` if it watches all of the frame. One whose cells are all masked watches nothing; as nobody can
    /// mean that, it has to see what there is.
    fn of(element: &Element, plan: &CameraPlan) -> Option<Cells> {
        let property = |name: &str| {
            element.properties.iter().find(|property| property.name == name).map(|property| &property.value)
        };
        let size = |name| match property(name) {
            Some(Value::Int(n)) => u32::try_from(*n).unwrap_or(0).clamp(1, 128),
            _ => 10,
        };
        let numbers = |name| match property(name) {
            Some(Value::Text(text)) => text
                .split(',')
                .map(|cell| cell.split(':').filter_map(|n| n.trim().parse().ok()).collect::<Vec<u32>>())
                .collect(),
            _ => Vec::new(),
        };
        let cells = |name| -> BTreeSet<(u32, u32)> {
            numbers(name).iter().filter_map(|cell| Some((*cell.first()?, *cell.get(1)?))).collect()
        };
        let grid = [size("gridx"), size("gridy")];
        let chosen = cells("motioncellsidx");
        let mut masked = cells("motionmaskcellspos");
        let all = || (0..grid[1]).flat_map(|row| (0..grid[0]).map(move |column| (row, column)));
        for area in numbers("motionmaskcoords") {
            let [x, y, x2, y2] = area[..] else { continue };
            let is_inside = |(row, column): &(u32, u32)| {
                let centre = |n: u32, of: u32, pixels: u32| (2 * n + 1) * pixels / (2 * of);
                (x..=x2).contains(&centre(*column, grid[0], plan.width))
                    && (y..=y2).contains(&centre(*row, grid[1], plan.height))
            };
            masked.extend(all().filter(is_inside));
        }
        if chosen.is_empty() && masked.is_empty() {
            return None;
        }
        let watched: BTreeSet<(u32, u32)> = all()
            .filter(|cell| chosen.is_empty() || chosen.contains(cell))
            .filter(|cell| !masked.contains(cell))
            .collect();
        (!watched.is_empty()).then_some(Cells { grid, watched })
    }

    /// The zones of which they cover half or more.
    fn zones<'z>(
        &self,
        zones: &'z BTreeMap<String, Zone>,
        [width, height]: [u32; 2],
    ) -> BTreeSet<&'z String> {
        const POINTS: u32 = 8;
        let covers = |zone: &Zone| {
            let at = |n: u32, begin: u32, length: u32, of: u32, cells: u32| {
                let place = u64::from(begin) * 16 + u64::from(length) * u64::from(2 * n + 1);
                u32::try_from(place * u64::from(cells) / (16 * u64::from(of.max(1)))).unwrap_or(0)
            };
            let points = (0..POINTS).flat_map(|row| (0..POINTS).map(move |column| (row, column)));
            let inside = points.filter(|(row, column)| {
                let row = at(*row, zone.y, zone.height, height, self.grid[1]);
                self.watched.contains(&(row, at(*column, zone.x, zone.width, width, self.grid[0])))
            });
            inside.count() * 2 >= (POINTS * POINTS) as usize
        };
        zones.iter().filter(|(_, zone)| covers(zone)).map(|(name, _)| name).collect()
    }
}
