//! A load without something, to find out what limits it.
//!
//! Pure. Every stream keeps its name and its target, except that [`Removal::HalfRate`] asks for
//! half of it, with the same deadline. Nothing is expected of detectors, of which some may be gone.
//! Not here: what a pipeline becomes (`pipeline::removal`), and playing.

use super::load::PipelineLoad;
use crate::model::Deadline;
use crate::pipeline::removal::{Frames, Removal, step_factories, without};
use crate::record::Isolation;
use crate::record::build::Setup;

/// The set-up and the pipelines without this; `None` if that changes nothing.
#[must_use]
pub fn variant(
    setup: &Setup,
    pipelines: &[PipelineLoad],
    removal: &Removal,
) -> Option<(Setup, Vec<PipelineLoad>)> {
    let mut changed = setup.clone();
    for stream in changed.members.iter_mut().flat_map(|member| &mut member.streams) {
        stream.detectors.clear();
        stream.expected.clear();
    }
    if *removal == Removal::SharedWorker {
        return separate(setup, changed, pipelines);
    }
    let mut variants: Vec<Option<PipelineLoad>> =
        pipelines.iter().map(|load| without_of(setup, load, removal)).collect();
    if *removal == Removal::HalfRate {
        halve(&mut changed, pipelines, &mut variants);
    }
    let is_changed = variants.iter().any(Option::is_some);
    let pipelines = variants.into_iter().zip(pipelines);
    let pipelines = pipelines.map(|(variant, load)| variant.unwrap_or_else(|| load.clone())).collect();
    is_changed.then_some((changed, pipelines))
}

fn without_of(setup: &Setup, load: &PipelineLoad, removal: &Removal) -> Option<PipelineLoad> {
    let sinks: Vec<usize> = load.streams.iter().map(|(_, sink)| *sink).collect();
    let (spec, sinks) = without(&load.spec, &sinks, removal, frames(setup, load))?;
    let streams = load.streams.iter().map(|(id, _)| *id).zip(sinks).collect();
    Some(PipelineLoad { spec, streams, keep: load.keep })
}

/// Everything that can be taken away: single steps in the order of the pipelines.
#[must_use]
pub fn removals(setup: &Setup, pipelines: &[PipelineLoad], devices: &[String]) -> Vec<Removal> {
    let mut all = vec![
        Removal::Steps,
        Removal::Sinks,
        Removal::Inference,
        Removal::HalfRate,
        Removal::SmallerFrames,
        Removal::DecoderThreads,
        Removal::QueueLimits,
        Removal::SharedWorker,
    ];
    all.extend(devices.iter().cloned().map(Removal::Device));
    for load in pipelines {
        let sinks: Vec<usize> = load.streams.iter().map(|(_, sink)| *sink).collect();
        for factory in step_factories(&load.spec, &sinks) {
            let step = Removal::Step(factory);
            if !all.contains(&step) {
                all.push(step);
            }
        }
    }
    all.retain(|removal| variant(setup, pipelines, removal).is_some());
    all.push(Removal::Nothing);
    all
}

/// The camera of a pipeline.
fn frames(setup: &Setup, load: &PipelineLoad) -> Frames {
    let configured = setup.member_of(load.streams[0].0).and_then(|(_, member)| member.configured.as_ref());
    let known =
        configured.map(|source| Frames { width: source.width, height: source.height, fps: source.fps });
    known.unwrap_or(Frames { width: 0, height: 0, fps: 0.0 })
}

/// Members whose pipelines all have half of their frames shall have half the rate. One that has
/// a pipeline without steps, which gets all frames, keeps everything.
fn halve(setup: &mut Setup, pipelines: &[PipelineLoad], variants: &mut [Option<PipelineLoad>]) {
    let place = |load: &PipelineLoad| setup.member_of(load.streams[0].0).map(|(index, _)| index);
    let members: Vec<Option<usize>> = pipelines.iter().map(place).collect();
    for (index, member) in setup.members.iter_mut().enumerate() {
        let is_of = |(of, _): &(&Option<usize>, &mut Option<PipelineLoad>)| **of == Some(index);
        let mut own: Vec<&mut Option<PipelineLoad>> =
            members.iter().zip(variants.iter_mut()).filter(is_of).map(|(_, variant)| variant).collect();
        if own.iter().all(|variant| variant.is_some()) {
            member.target_fps /= 2.0;
        } else {
            own.iter_mut().for_each(|variant| **variant = None);
        }
    }
    if let Deadline::Periods(periods) = &mut setup.conditions.limits.deadline {
        // Of the rate that is asked for now.
        *periods /= 2.0;
    }
}

/// A worker for each member; `None` if each has one already.
fn separate(
    setup: &Setup,
    mut changed: Setup,
    pipelines: &[PipelineLoad],
) -> Option<(Setup, Vec<PipelineLoad>)> {
    let mut users = vec![0; setup.workers.len()];
    for member in setup.members.iter().filter_map(|member| member.streams.first()) {
        users[member.worker] += 1;
    }
    if users.iter().all(|n| *n < 2) {
        return None;
    }
    changed.workers.clear();
    changed.conditions.isolation = Isolation::Camera;
    for member in changed.members.iter_mut().filter(|member| !member.streams.is_empty()) {
        let worker = changed.workers.len();
        changed.workers.push(member.slug.to_string());
        member.streams.iter_mut().for_each(|stream| stream.worker = worker);
    }
    Some((changed, pipelines.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{camera, setup};
    use super::*;
    use crate::pipeline::{Element, PipelineSpec, Playback};
    use crate::record::build::StreamId;
    use crate::record::fixture::{described, six_cameras};
    use crate::worker::protocol::Keep;

    /// A pipeline with these steps.
    fn pipeline(id: u32, steps: &[&str]) -> PipelineLoad {
        let head = ["filesrc", "qtdemux", "h264parse", "clocksync", "avdec_h264"].map(Element::new);
        let mut elements: Vec<Element> = head.into();
        elements.push(Element::new("queue").named("q"));
        elements.extend(steps.iter().map(|factory| Element::new(factory).named(factory)));
        elements.push(Element::new("fakesink").bool("sync", false));
        let sink = elements.len() - 1;
        let (delivery, ingress, decoder) = (Some(3), Some(3), Some(4));
        let spec = PipelineSpec {
            elements,
            playback: Playback::Loop,
            delivery,
            ingress,
            decoder,
            sink,
            size: None,
            reconnect: None,
        };
        PipelineLoad { spec, streams: vec![(StreamId(id), sink)], keep: Keep::default() }
    }

    /// Two cameras, of which the first has two pipelines, in these workers.
    fn load(workers: &[&str]) -> (Setup, Vec<PipelineLoad>) {
        let last = workers.len() - 1;
        let mut setup = setup(workers, &[camera("a", 0, 2), camera("b", last, 1)]);
        let source = described(six_cameras()).members[0].configured.clone();
        for member in &mut setup.members {
            member.configured.clone_from(&source);
        }
        let pipelines = vec![pipeline(0, &["zbar", "motioncells"]), pipeline(1, &["zbar"]), pipeline(2, &[])];
        (setup, pipelines)
    }

    fn factories(pipelines: &[PipelineLoad]) -> Vec<String> {
        let line = |load: &PipelineLoad| {
            let after = load.spec.elements[6..].iter().map(|element| element.factory.as_str());
            after.collect::<Vec<_>>().join(" ")
        };
        pipelines.iter().map(line).collect()
    }

    #[test]
    fn a_removal_changes_the_pipelines_to_which_it_applies() {
        let (setup, pipelines) = load(&["a", "b"]);
        let (_, changed) = variant(&setup, &pipelines, &Removal::Step("motioncells".to_owned())).unwrap();
        assert_eq!(factories(&changed), ["zbar fakesink", "zbar fakesink", "fakesink"]);
        assert_eq!(changed[0].streams, [(StreamId(0), 7)]);
        assert!(variant(&setup, &pipelines, &Removal::Step("x264enc".to_owned())).is_none());
        let (same, unchanged) = variant(&setup, &pipelines, &Removal::Nothing).unwrap();
        assert_eq!((factories(&unchanged), same.workers), (factories(&pipelines), setup.workers));
    }

    #[test]
    fn half_the_rate_is_half_the_target_with_the_same_deadline() {
        let (setup, pipelines) = load(&["a", "b"]);
        let (changed, thinned) = variant(&setup, &pipelines, &Removal::HalfRate).unwrap();
        assert_eq!(
            factories(&thinned),
            [
                "videorate capsfilter zbar motioncells fakesink",
                "videorate capsfilter zbar fakesink",
                "fakesink"
            ]
        );
        // The second camera has no steps, so it decodes at its whole rate.
        assert_eq!(changed.members.iter().map(|member| member.target_fps).collect::<Vec<_>>(), [7.5, 15.0]);
        assert_eq!(changed.conditions.limits.deadline, Deadline::Periods(0.5));
    }

    #[test]
    fn streams_of_one_worker_get_a_worker_each() {
        let (setup, pipelines) = load(&["lane"]);
        let (changed, _) = variant(&setup, &pipelines, &Removal::SharedWorker).unwrap();
        assert_eq!(changed.workers, ["a", "b"]);
        let workers = |setup: &Setup| setup.streams().map(|(_, _, stream)| stream.worker).collect::<Vec<_>>();
        assert_eq!((workers(&setup), workers(&changed)), (vec![0, 0, 0], vec![0, 0, 1]));
        let (setup, pipelines) = load(&["a", "b"]);
        assert!(variant(&setup, &pipelines, &Removal::SharedWorker).is_none());
    }

    #[test]
    fn what_applies_is_listed_with_single_steps_in_their_order() {
        let (setup, pipelines) = load(&["lane"]);
        let step = |factory: &str| Removal::Step(factory.to_owned());
        assert_eq!(
            removals(&setup, &pipelines, &["GPU".to_owned()]),
            [
                Removal::Steps,
                Removal::HalfRate,
                Removal::SmallerFrames,
                Removal::DecoderThreads,
                Removal::QueueLimits,
                Removal::SharedWorker,
                step("zbar"),
                step("motioncells"),
                Removal::Nothing
            ]
        );
    }
}
