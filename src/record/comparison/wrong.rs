//! Do the detectors of a candidate find what those of the baseline found?
//!
//! By the truth of a clip where both have one, else on the frames that both looked at, as a run is compared with an
//! earlier one (`measure::accuracy`). Each run of the candidate is compared with the first of the baseline, and a detector is
//! wrong if it is in most of them. What is not decided so is counted over all runs of a side: a detector that is gone, or
//! whose finds are far fewer, is wrong whichever way that came about.
//!
//! Not here: matching boxes (`record::compared`).

use super::{RunOf, Wrong};
use crate::record::compared::{Reference, with_run};
use crate::record::measure::{LEAST_OBJECTS, StepFigures, StreamFigures, less_of_run, number};

/// A detector must find this share of what it found.
const RECALL: f64 = 0.95;

/// The detectors that find less, by stream.
pub(super) fn wrong(baseline: &[&RunOf], candidate: &[&RunOf]) -> Vec<Wrong> {
    let Some(first) = baseline.first() else { return Vec::new() };
    let mut all = Vec::new();
    for camera in &first.measurement.cameras {
        for stream in &camera.streams {
            for step in &stream.seen {
                let reasons = candidate.iter().filter_map(|run| less(first, baseline, run, stream, step));
                let reasons: Vec<String> = reasons.collect();
                if 2 * reasons.len() > candidate.len() {
                    all.push(Wrong {
                        camera: camera.camera.clone(),
                        stream: stream.stream.clone(),
                        reason: reasons[0].clone(),
                    });
                }
            }
        }
    }
    for (camera, stream, step) in detectors(baseline) {
        if !all.iter().any(|wrong| wrong.stream == stream)
            && let Some(reason) = fewer(baseline, candidate, stream, step)
        {
            all.push(Wrong { camera: camera.to_owned(), stream: stream.to_owned(), reason });
        }
    }
    all
}

/// The detectors of all runs, each once: the camera, the stream and the detector.
fn detectors<'a>(runs: &[&'a RunOf]) -> Vec<(&'a str, &'a str, &'a StepFigures)> {
    let mut all: Vec<(&str, &str, &StepFigures)> = Vec::new();
    for camera in runs.iter().flat_map(|run| &run.measurement.cameras) {
        for stream in &camera.streams {
            for step in &stream.seen {
                let is_it = |known: &(&str, &str, &StepFigures)| {
                    known.1 == stream.stream && known.2.element == step.element
                };
                if !all.iter().any(is_it) {
                    all.push((&camera.camera, &stream.stream, step));
                }
            }
        }
    }
    all
}

/// What a detector found in all runs of a side.
#[derive(Clone, Copy, Default)]
struct Finds {
    /// Things that it had to see, and saw.
    due: u64,
    seen: u64,
    /// All sightings and objects.
    any: u64,
}

fn finds(runs: &[&RunOf], stream: &str, step: &StepFigures, position: usize) -> Finds {
    let mut finds = Finds::default();
    for run in runs {
        let Some(stream) = run.measurement.stream(stream) else { continue };
        let same = stream.seen.iter().find(|one| one.element == step.element);
        // Another device or model may give the element another name, but not another place.
        let Some(found) = same.or_else(|| stream.seen.get(position)) else { continue };
        finds.any += found.events + found.labels.values().sum::<u64>();
        if let Some(due) = &found.due {
            finds.due += due.due;
            finds.seen += due.seen;
        }
    }
    finds
}

/// How a detector finds less over all runs, if so.
fn fewer(baseline: &[&RunOf], candidate: &[&RunOf], stream: &str, step: &StepFigures) -> Option<String> {
    let place = |run: &&RunOf| {
        run.measurement.stream(stream)?.seen.iter().position(|one| one.element == step.element)
    };
    let position = baseline.iter().find_map(place)?;
    let [ours, theirs] = [baseline, candidate].map(|side| finds(side, stream, step, position));
    let share = |finds: Finds| finds.seen as f64 / finds.due.max(1) as f64;
    if LEAST_OBJECTS <= ours.due && 0 < ours.seen && share(theirs) < RECALL * share(ours) {
        return Some(format!(
            "`{}` sees {} of {} in the clip, {} of {} in the baseline",
            step.kind, theirs.seen, theirs.due, ours.seen, ours.due
        ));
    }
    // Without a truth, numbers of finds vary with what is played: only far fewer say something.
    let expected = ours.any as f64 * candidate.len() as f64 / baseline.len().max(1) as f64;
    let least = LEAST_OBJECTS as f64;
    let is_far_fewer = (least <= expected && theirs.any == 0)
        || (2.0 * least <= expected && (theirs.any as f64) < expected / 2.0);
    is_far_fewer.then(|| {
        let rate =
            |finds: Finds, runs: usize| number((finds.any as f64 / runs.max(1) as f64 * 10.0).round() / 10.0);
        format!(
            "`{}` finds {} in a run, {} in the baseline",
            step.kind,
            rate(theirs, candidate.len()),
            rate(ours, baseline.len())
        )
    })
}

/// How a detector of a run finds less than it did, if so.
fn less(
    first: &RunOf,
    baseline: &[&RunOf],
    run: &RunOf,
    stream: &StreamFigures,
    step: &StepFigures,
) -> Option<String> {
    let of = |run: &RunOf| {
        let stream = run.measurement.stream(&stream.stream)?;
        // Another device or model may give the element another name, but not another place.
        let position = |steps: &[StepFigures]| steps.iter().position(|one| one.element == step.element);
        let at = position(&stream.seen).or_else(|| {
            position(&first.measurement.stream(&stream.stream)?.seen).filter(|at| *at < stream.seen.len())
        })?;
        Some(stream.seen[at].clone())
    };
    let Some(found) = of(run) else {
        let found_any = step.labels.values().sum::<u64>() >= LEAST_OBJECTS;
        return found_any.then(|| format!("`{}` is not there, and found objects in the baseline", step.kind));
    };
    if let (Some(ours), Some(theirs)) = (by_truth(step), by_truth(&found)) {
        // That of the baseline over all its runs, since each plays another part of the clip.
        let all = baseline.iter().filter_map(|run| of(run)).filter_map(|step| Some(by_truth(&step)?.1));
        let all: Vec<f64> = all.collect();
        let recall = all.iter().sum::<f64>() / all.len().max(1) as f64;
        let is_enough = ours.0 >= LEAST_OBJECTS && theirs.0 >= LEAST_OBJECTS;
        let percent = |share: f64| number(share * 100.0);
        return (is_enough && theirs.1 < RECALL * recall).then(|| {
            format!(
                "`{}` finds {} % of what it should, less than 95 % of the {} % in the baseline",
                step.kind,
                percent(theirs.1),
                percent(recall)
            )
        });
    }
    let key = |element: &str| (stream.stream.clone(), element.to_owned());
    if let (Some(ours), Some(theirs)) =
        (first.boxes.get(&key(&step.element)), run.boxes.get(&key(&found.element)))
    {
        let compared = with_run(&step.element, &first.run, ours, theirs)?;
        let why = less_of_run(&compared, &first.run, RECALL).ok().flatten()?;
        return Some(format!("`{}` {why}", step.kind));
    }
    if first.boxes.contains_key(&key(&step.element)) && found.inferred.is_some() {
        return Some(format!("`{}` finds nothing, and found objects in {}", step.kind, first.run));
    }
    let (ours, theirs) = (step.due.as_ref()?, found.due.as_ref()?);
    let share = |due: &crate::record::measure::SeenDue| due.seen as f64 / due.due.max(1) as f64;
    let is_enough = LEAST_OBJECTS <= ours.due && LEAST_OBJECTS <= theirs.due;
    (is_enough && share(theirs) < RECALL * share(ours)).then(|| {
        format!(
            "`{}` sees {} of {} in the clip, {} of {} in the baseline",
            step.kind, theirs.seen, theirs.due, ours.seen, ours.due
        )
    })
}

/// The objects that the truth of the clip has, and the share of them that were found.
fn by_truth(step: &StepFigures) -> Option<(u64, f64)> {
    let of = step.accuracy.iter().find(|one| matches!(one.with, Reference::Truth(_)))?;
    Some((of.all.expected, of.all.recall?))
}
