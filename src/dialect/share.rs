//! Several pipelines of a camera as one: up to where they agree there is one
//! chain, after it a `tee` with a branch for each.
//!
//! Works on the specs that dialects make, element by element: they share the
//! elements that are equal in all of them but for names. A `videoconvert` at the end of
//! these stays with the branches, since each may need another format. Every
//! branch begins with a queue, so that it has a thread of its own; where frames
//! come at their own pace it leaks, so that one that is too slow holds up none
//! of the others.

use std::collections::BTreeMap;

use super::{element_name, spec};
use crate::model::Pace;
use crate::pipeline::{Element, PipelineSpec};
use crate::plan::share::SharedPrefix;
use crate::plan::{CameraPlan, PlannedPipeline};

/// A pipeline as it is played, and the streams that it serves.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayedPipeline {
    /// The index of each planned pipeline in it, ascending, and that of its sink.
    pub streams: Vec<(u32, usize)>,
    /// Its elements. `sink` is that of the first stream.
    pub spec: PipelineSpec,
}

/// The pipelines that a camera plays, those that share as one, in the order of the
/// first of each.
#[must_use]
pub fn pipelines(plan: &CameraPlan, pace: Pace) -> Vec<PlayedPipeline> {
    let specs: BTreeMap<u32, (&PlannedPipeline, PipelineSpec)> = plan
        .pipelines
        .iter()
        .filter_map(|pipeline| Some((pipeline.index, (pipeline, spec(plan, pipeline, pace)?))))
        .collect();
    let mut played = Vec::new();
    for (index, (_, spec)) in &specs {
        match plan.shared.iter().find(|shared| shared.pipelines.contains(index)) {
            Some(shared) if shared.pipelines.first() == Some(index) => {
                let mut joined =
                    PipelineBuilder { plan, specs: &specs, elements: Vec::new(), places: BTreeMap::new() };
                joined.join(shared, 0);
                played.push(joined.finish(shared));
            }
            Some(_) => {}
            None => played.push(PlayedPipeline { streams: vec![(*index, spec.sink)], spec: spec.clone() }),
        }
    }
    played
}

/// A shared pipeline in the making.
struct PipelineBuilder<'a> {
    plan: &'a CameraPlan,
    specs: &'a BTreeMap<u32, (&'a PlannedPipeline, PipelineSpec)>,
    elements: Vec<Element>,
    /// Where each element of a planned pipeline has gone, by pipeline and index.
    places: BTreeMap<(u32, usize), usize>,
}

impl PipelineBuilder<'_> {
    /// Adds the elements from `start` on of all pipelines of `shared`. Those
    /// before are there, and the last of `elements` is linked to what follows.
    fn join(&mut self, shared: &SharedPrefix, start: usize) {
        let end = self.agreed(&shared.pipelines, start);
        let first = shared.pipelines[0];
        for index in start..end {
            let element = self.specs[&first].1.elements[index].clone();
            for pipeline in &shared.pipelines {
                self.places.insert((*pipeline, index), self.elements.len());
            }
            self.elements.push(element);
        }
        let tee = self.elements.len();
        self.elements.push(Element::new("tee").named(&self.name(first, &format!("{}_shared", shared.steps))));
        let mut done: Vec<u32> = Vec::new();
        for pipeline in &shared.pipelines {
            if done.contains(pipeline) {
                continue;
            }
            let mut queue = self.branch_queue(*pipeline, shared.steps);
            if !done.is_empty() {
                queue.from = Some(tee);
            }
            self.elements.push(queue);
            match shared.within.iter().find(|inner| inner.pipelines.contains(pipeline)) {
                Some(inner) => {
                    self.join(inner, end);
                    done.extend(&inner.pipelines);
                }
                None => {
                    self.rest(*pipeline, end);
                    done.push(*pipeline);
                }
            }
        }
    }

    /// Adds the elements of one pipeline from `start` on.
    fn rest(&mut self, pipeline: u32, start: usize) {
        let elements = &self.specs[&pipeline].1.elements;
        for (index, element) in elements.iter().enumerate().skip(start) {
            let mut element = element.clone();
            element.from = element.from.map(|from| self.places[&(pipeline, from)]);
            self.places.insert((pipeline, index), self.elements.len());
            self.elements.push(element);
        }
    }

    /// How many elements these pipelines agree in.
    fn agreed(&self, pipelines: &[u32], start: usize) -> usize {
        let first = &self.specs[&pipelines[0]].1;
        let plain = |pipeline: u32, index: usize| {
            let (planned, spec) = &self.specs[&pipeline];
            let mut element = spec.elements.get(index)?.clone();
            let prefix = element_name(self.plan, planned, "");
            element.name =
                element.name.map(|name| name.strip_prefix(&prefix).map(str::to_owned).unwrap_or(name));
            (index < spec.sink).then_some(element)
        };
        let agree = |index: &usize| {
            let element = plain(pipelines[0], *index);
            element.is_some() && pipelines[1..].iter().all(|other| plain(*other, *index) == element)
        };
        let mut end = start + (start..).take_while(agree).count();
        while start < end && first.elements[end - 1].factory == "videoconvert" {
            end -= 1;
        }
        end
    }

    fn branch_queue(&self, pipeline: u32, steps: usize) -> Element {
        let elements = &self.specs[&pipeline].1.elements;
        let is_leaky = |element: &Element| element.properties.iter().any(|property| property.name == "leaky");
        let behind_decoder = elements.iter().find(|element| element.factory == "queue");
        let queue = Element::new("queue").named(&self.name(pipeline, &format!("{steps}_share")));
        let queue = queue.int("max-size-buffers", 3);
        if behind_decoder.is_some_and(is_leaky) { queue.text("leaky", "downstream") } else { queue }
    }

    fn name(&self, pipeline: u32, what: &str) -> String {
        element_name(self.plan, self.specs[&pipeline].0, what)
    }

    fn finish(self, shared: &SharedPrefix) -> PlayedPipeline {
        let first = shared.pipelines[0];
        let spec = &self.specs[&first].1;
        let place = |pipeline: u32, index: usize| self.places[&(pipeline, index)];
        let streams: Vec<(u32, usize)> = shared
            .pipelines
            .iter()
            .map(|pipeline| (*pipeline, place(*pipeline, self.specs[pipeline].1.sink)))
            .collect();
        let spec = PipelineSpec {
            playback: spec.playback,
            delivery: spec.delivery.map(|index| place(first, index)),
            ingress: spec.ingress.map(|index| place(first, index)),
            decoder: spec.decoder.map(|index| place(first, index)),
            sink: streams[0].1,
            size: spec.size,
            reconnect: spec.reconnect,
            elements: self.elements,
        };
        PlayedPipeline { streams, spec }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::path::Layout;
    use crate::pipeline::launch;
    use crate::plan::share::shared;

    /// Steps of each pipeline as JSON, and the launch line after the source.
    #[track_caller]
    fn check(pipelines: &[&str], expect: Expect) {
        let pipelines: Vec<String> = pipelines
            .iter()
            .enumerate()
            .map(|(n, steps)| format!(r#"{{"index": {}, "workloads": ["w{n}"], "steps": [{steps}]}}"#, n + 1))
            .collect();
        let text = format!(
            r#"{{"version": 1, "camera": "c", "slug": "c", "source": {{"kind": "usb", "device": "/dev/video0"}},
                "width": 640, "height": 360, "fps": 15.0, "target_fps": 15.0, "dialect": "stock",
                "workloads": [], "apart": [], "assets": [], "pipelines": [{}]}}"#,
            pipelines.join(",")
        );
        let mut plan: CameraPlan = serde_json::from_str(&text).unwrap();
        plan.shared = shared(&plan.pipelines);
        let mut shown = String::new();
        for PlayedPipeline { streams, spec } in super::pipelines(&plan, Pace::Live) {
            assert_eq!(spec.fault(), None);
            let sinks: Vec<String> = streams
                .iter()
                .map(|(index, sink)| format!("{index}: {}", spec.elements[*sink].reference(*sink)))
                .collect();
            let line = launch::line(&spec, &Layout::new("/p".into()));
            let (_, line) = line.split_once("max-size-buffers=3 leaky=downstream ! ").unwrap();
            shown += &format!("{}\n{}\n", sinks.join(", "), line.replace("shared. ", "shared.\n    "));
        }
        expect.assert_eq(&shown);
    }

    const MOTION: &str = r#"{"type": "motioncells"}"#;
    const CODES: &str = r#"{"type": "zbar"}"#;

    #[test]
    fn equal_first_steps_are_there_once() {
        check(
            &[&format!("{MOTION}, {CODES}"), &format!(r#"{MOTION}, {{"type": "videoanalyse"}}"#), CODES],
            expect![[r#"
                1: c_1_sink, 2: c_2_sink
                videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_2_zbar ! fakesink name=c_1_sink sync=false async=false c_1_1_shared.
                    ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! videoanalyse name=c_2_2_videoanalyse ! fakesink name=c_2_sink sync=false async=false
                3: c_3_sink
                videoconvert ! zbar name=c_3_1_zbar ! fakesink name=c_3_sink sync=false async=false
            "#]],
        );
    }

    #[test]
    fn a_pipeline_that_is_the_beginning_of_another_ends_after_the_tee() {
        check(
            &[MOTION, &format!("{MOTION}, {CODES}")],
            expect![[r#"
            1: c_1_sink, 2: c_2_sink
            videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! fakesink name=c_1_sink sync=false async=false c_1_1_shared.
                ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_2_2_zbar ! fakesink name=c_2_sink sync=false async=false
        "#]],
        );
    }

    #[test]
    fn those_that_agree_further_have_a_tee_of_their_own() {
        check(
            &[
                &format!(r#"{MOTION}, {CODES}, {{"type": "identity"}}"#),
                &format!(r#"{MOTION}, {{"type": "videoanalyse"}}"#),
                &format!("{MOTION}, {CODES}"),
            ],
            expect![[r#"
                1: c_1_sink, 2: c_2_sink, 3: c_3_sink
                videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_1_2_zbar ! tee name=c_1_2_shared ! queue name=c_1_2_share max-size-buffers=3 leaky=downstream ! identity name=c_1_3_identity ! fakesink name=c_1_sink sync=false async=false c_1_2_shared.
                    ! queue name=c_3_2_share max-size-buffers=3 leaky=downstream ! fakesink name=c_3_sink sync=false async=false c_1_1_shared.
                    ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! videoanalyse name=c_2_2_videoanalyse ! fakesink name=c_2_sink sync=false async=false
            "#]],
        );
    }

    #[test]
    fn side_branches_stay_with_their_pipeline() {
        check(
            &[
                &format!(
                    r#"{MOTION}, {{"type": "tee", "name": "t"}}, {CODES}, {{"from": "t", "type": "identity"}}"#
                ),
                &format!("{MOTION}, {CODES}"),
            ],
            expect![[r#"
                1: c_1_sink, 2: c_2_sink
                videoconvert ! motioncells name=c_1_1_motioncells ! tee name=c_1_1_shared ! queue name=c_1_1_share max-size-buffers=3 leaky=downstream ! tee name=c_1_2_tee ! queue name=c_1_2_queue max-size-buffers=3 ! videoconvert ! zbar name=c_1_3_zbar ! fakesink name=c_1_sink sync=false async=false c_1_2_tee. ! queue name=c_1_4_branch max-size-buffers=3 ! identity name=c_1_4_identity ! fakesink name=c_1_4_end sync=false async=false c_1_1_shared.
                    ! queue name=c_2_1_share max-size-buffers=3 leaky=downstream ! videoconvert ! zbar name=c_2_2_zbar ! fakesink name=c_2_sink sync=false async=false
            "#]],
        );
    }
}
