//! What the detectors of a run found, compared with the truth of their clips, and with an
//! earlier run.
//!
//! The earlier run is the newest accepted one of the same camera and clip, as the same workload had it:
//! model, precision, device and settings may be others, as a faster one must not find less.
//! An accepted run was itself compared with one before it, and then that one counts, so that small
//! losses do not add up from run to run; except where its limit was 0, by which a user makes it the reference.
//! Steps before the detector that change the picture must be the same, since boxes are places in it.

use std::collections::BTreeMap;

use super::LocalHost;
use super::cast::Cast;
use crate::action::EarlierRun;
use crate::engine::host::Attempt;
use crate::graph::task::Task;
use crate::model::Source;
use crate::name::Slug;
use crate::path::ProjectPath;
use crate::pipeline::{Element, detect};
use crate::record::boxes::Boxes;
use crate::record::compared::{Compared, EarlierRecall, Reference, with_run, with_truth};
use crate::record::seen::StepSightings;
use crate::record::{Member, RunRecord, StepRecord, StreamRecord};

/// Compares each detector of a record whose boxes it has.
pub(super) fn compare(
    record: &mut RunRecord,
    cast: &Cast<'_>,
    host: &LocalHost<'_>,
    task: &Task,
    attempt: &Attempt<'_>,
) {
    let mut archive = Archive { host, task, attempt, alike: BTreeMap::new(), by_id: BTreeMap::new() };
    for member in &mut record.members {
        let Some(known) = cast.known(&member.camera) else { continue };
        let has_boxes = |stream: &StreamRecord| stream.seen.iter().any(|step| !step.boxes.is_empty());
        if !member.streams.iter().any(has_boxes) {
            continue;
        }
        let truth = known.boxes();
        let all: Vec<Vec<Compared>> = member
            .streams
            .iter()
            .map(|stream| {
                let earlier = |position| match &known.camera().source {
                    Source::File(clip) => archive.reference(member, stream, position, &clip.path),
                    // Of what is drawn, there is the truth; others are never the same twice.
                    Source::Synthetic { .. } | Source::Rtsp(_) | Source::Usb { .. } => None,
                };
                of_stream(stream, truth.as_ref().map(|(name, boxes)| (*name, boxes)), earlier)
            })
            .collect();
        for (stream, compared) in member.streams.iter_mut().zip(all) {
            stream.compared = compared;
        }
    }
}

/// Compares the detectors of a stream. `earlier` finds what the detector at a place among those of
/// the stream found in an earlier run.
fn of_stream(
    stream: &StreamRecord,
    truth: Option<(&str, &Boxes)>,
    mut earlier: impl FnMut(usize) -> Option<(String, Boxes)>,
) -> Vec<Compared> {
    let mut all = Vec::new();
    let is_moved = stream.steps.iter().any(|step| detect::moves(&Element::new(&step.kind)));
    for (position, step) in stream.seen.iter().enumerate().filter(|(_, step)| !step.boxes.is_empty()) {
        let earlier = earlier(position);
        let labels = earlier.iter().flat_map(|(_, boxes)| boxes.labels()).chain(step.boxes.labels());
        let labels: Vec<&str> = labels.map(String::as_str).collect();
        if let Some((name, truth)) = truth.filter(|_| !is_moved) {
            let compared = |boxes: &Boxes| with_truth(&step.element, name, truth, boxes, &labels);
            let recall_of = |boxes: &Boxes| compared(boxes)?.all().recall();
            let before = earlier
                .as_ref()
                .and_then(|(run, boxes)| Some(EarlierRecall { run: run.clone(), recall: recall_of(boxes)? }));
            all.extend(compared(&step.boxes).map(|found| Compared { earlier: before, ..found }));
        }
        if let Some((run, boxes)) = &earlier {
            all.extend(with_run(&step.element, run, boxes, &step.boxes));
        }
    }
    all
}

/// Earlier runs, each of which is read once.
struct Archive<'a> {
    host: &'a LocalHost<'a>,
    task: &'a Task,
    attempt: &'a Attempt<'a>,
    /// By the clip that they played, and by the camera for which they are runs of its own.
    alike: BTreeMap<(ProjectPath, Option<Slug>), Vec<EarlierRun>>,
    by_id: BTreeMap<String, Option<EarlierRun>>,
}

impl Archive<'_> {
    /// The id of the run that a detector is compared with, and what it found there.
    fn reference(
        &mut self,
        member: &Member,
        stream: &StreamRecord,
        position: usize,
        clip: &ProjectPath,
    ) -> Option<(String, Boxes)> {
        // Most runs are of the lane, and serve all its cameras.
        for own in [None, Some(member.slug.clone())] {
            self.read(clip, own.clone());
            let Archive { host, alike, by_id, .. } = self;
            for run in &alike[&(clip.clone(), own)] {
                let step = same_step(&run.record, member, stream, position);
                let root = match step.and_then(|step| root(&run.record, step)) {
                    Some(id) => by_id.entry(id.to_owned()).or_insert_with(|| (host.run_by_id)(id)).as_ref(),
                    None => None,
                };
                let first = root
                    .and_then(|root| Some((root, same_step(&root.record, member, stream, position)?)))
                    .or(step.map(|step| (run, step)).filter(|_| run.is_accepted));
                if let Some((run, step)) = first {
                    return Some((run.id.clone(), step.boxes.clone()));
                }
            }
        }
        None
    }

    fn read(&mut self, clip: &ProjectPath, own: Option<Slug>) {
        let Archive { host, task, attempt, alike, .. } = self;
        alike.entry((clip.clone(), own.clone())).or_insert_with(|| {
            let labels = match own {
                None => vec![task.label.to_string(), "run:lane".to_owned()],
                Some(slug) => vec![format!("run:{slug}")],
            };
            let content = (attempt.input)(clip);
            content
                .map_or_else(Vec::new, |content| (host.earlier)(&labels, &[(clip.clone(), content)].into()))
        });
    }
}

/// The run that a run was compared with at this detector, unless it is a reference itself.
fn root<'a>(record: &'a RunRecord, step: &StepSightings) -> Option<&'a str> {
    let streams = record.members.iter().flat_map(|member| &member.streams);
    let mut compared = streams.flat_map(|stream| &stream.compared);
    let of_it = compared.find_map(|compared| match &compared.with {
        Reference::Run(id) if compared.element == step.element => Some(id.as_str()),
        _ => None,
    });
    of_it.filter(|_| record.conditions.limits.recall > 0.0)
}

/// The same detector in another run: of the same camera, if possible of the same copy, and of a
/// stream that serves one of the same workloads, at the same place among its detectors, behind the
/// same steps.
fn same_step<'r>(
    record: &'r RunRecord,
    member: &Member,
    stream: &StreamRecord,
    position: usize,
) -> Option<&'r StepSightings> {
    let of_camera = || record.members.iter().filter(|other| other.camera == member.camera);
    let other = of_camera().find(|other| other.slug == member.slug).or_else(|| of_camera().next())?;
    let serves_it = |other: &&StreamRecord| other.workloads.iter().any(|one| stream.workloads.contains(one));
    let same = other.streams.iter().find(serves_it)?;
    let step = same.seen.get(position)?;
    let is_it = step.kind == stream.seen[position].kind && !step.boxes.is_empty();
    (is_it && stock(same).eq(stock(stream))).then_some(step)
}

/// The steps of a stream that infer nothing.
fn stock(stream: &StreamRecord) -> impl Iterator<Item = (&str, Vec<String>, Option<&str>)> {
    let is_stock = |step: &&StepRecord| !step.kind.starts_with("gva");
    stream.steps.iter().filter(is_stock).map(|step| {
        let properties = step.properties.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        (step.kind.as_str(), properties, step.caps.as_deref())
    })
}
