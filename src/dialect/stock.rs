//! Steps made of stock GStreamer elements.
//!
//! Each step that works on raw video comes after a `videoconvert`, which costs
//! nothing where the format already fits. There is none before an element that
//! takes any caps (a `queue`, a `tee`), nor after one that gives no raw video
//! (an encoder), nor inside a `bin`, whose elements are linked as they are
//! written: so a bin is the way to choose every element. A bin becomes no
//! `GstBin`, only elements in a row; their names show that they belong together.
//!
//! Every branch of a tee begins with a queue, so that each has a thread of its
//! own and none waits for the first frame of another. It is put in where the
//! steps do not begin with one. A side branch that ends in no sink gets a
//! `fakesink` that waits for nothing.

use super::{Dialect, element_name, with_properties};
use crate::model::{Accept, Bin, Codec, ElementView, Pace, Source, Step, main_chain};
use crate::pipeline::Element;
use crate::pipeline::files::is_sink;
use crate::plan::{CameraPlan, PlannedPipeline};

/// Elements that take any caps and leave them as they are.
const ANY_CAPS: [&str; 12] = [
    "queue",
    "queue2",
    "multiqueue",
    "tee",
    "capsfilter",
    "identity",
    "valve",
    "clocksync",
    "videoconvert",
    "fakesink",
    "filesink",
    "fdsink",
];

pub(super) struct Stock;

impl Dialect for Stock {
    fn decoder(&self, _: &PlannedPipeline, codec: Option<Codec>) -> Vec<Element> {
        vec![decoder(codec)]
    }

    fn queue(&self, name: &str, is_leaky: bool) -> Element {
        let queue = Element::new("queue").named(name).int("max-size-buffers", 3);
        if is_leaky { queue.text("leaky", "downstream") } else { queue }
    }

    fn sink(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, _: Pace) -> Vec<Element> {
        let name = element_name(plan, pipeline, "sink");
        if plan.render {
            return vec![Element::new("videoconvert"), super::display(Some(&name))];
        }
        // A live source has no preroll; a file's sink must wait for its first
        // frame, so that the first seek finds a prerolled pipeline.
        let waits = matches!(plan.source, Source::File(_));
        vec![Element::new("fakesink").named(&name).bool("sync", false).bool("async", waits)]
    }

    fn relies_on_size(&self, plan: &CameraPlan) -> Option<[u32; 2]> {
        let is_scaled = plan.accept.contains(&Accept::Size);
        plan.region_of_interest.filter(|_| !is_scaled).map(|_| [plan.width, plan.height])
    }

    fn steps(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, _: Pace) -> Vec<Element> {
        let mut chain = Chain::default();
        if let Some(region) = plan.region_of_interest {
            // A stock element sees no metadata of regions: it gets just the pixels.
            // They are those of a frame as the config has it, and of a server that may
            // send another size, they are so only after scaling.
            if matches!(plan.source, Source::Rtsp(_)) && plan.accept.contains(&Accept::Size) {
                let size = format!("video/x-raw,width={},height={}", plan.width, plan.height);
                chain.elements.extend([Element::new("videoscale"), Element::caps(&size)]);
            }
            chain.elements.push(
                Element::new("videocrop")
                    .int("left", region.x.into())
                    .int("top", region.y.into())
                    .int("right", plan.width.saturating_sub(region.x2).into())
                    .int("bottom", plan.height.saturating_sub(region.y2).into()),
            );
        }
        let main = main_chain(&pipeline.steps);
        for (position, step) in main.iter().enumerate() {
            let path = (position + 1).to_string();
            chain.push(step, &|what| element_name(plan, pipeline, what), &path);
            if is_branched(step, &pipeline.steps) {
                let next = main.get(position + 1);
                chain.begin_branch(next, &element_name(plan, pipeline, &format!("{path}_queue")));
            }
        }
        chain.elements
    }
}

/// The decoder of a codec, or one that finds the codec out.
pub(super) fn decoder(codec: Option<Codec>) -> Element {
    // One thread per stream: many streams share the cores, and frame threads
    // would add their own delay to each.
    match codec {
        Some(Codec::H264) => Element::new("avdec_h264").int("max-threads", 1),
        Some(Codec::H265) => Element::new("avdec_h265").int("max-threads", 1),
        // Has no threads.
        Some(Codec::Mjpeg) => Element::new("avdec_mjpeg"),
        Some(Codec::Vp9) => Element::new("vp9dec").int("threads", 1),
        // Has no such property.
        Some(Codec::Av1) => Element::new("av1dec"),
        None => Element::new("decodebin"),
    }
}

/// The elements that a step of a single chain becomes.
pub(super) fn step_elements(
    plan: &CameraPlan,
    pipeline: &PlannedPipeline,
    position: usize,
    step: &Step,
) -> Vec<Element> {
    let mut chain = Chain::default();
    chain.push(step, &|what| element_name(plan, pipeline, what), &(position + 1).to_string());
    chain.elements
}

/// Adds the side branches to the elements of a pipeline that has its main chain.
pub(super) fn side_branches(plan: &CameraPlan, pipeline: &PlannedPipeline, elements: &mut Vec<Element>) {
    let name = |what: &str| element_name(plan, pipeline, what);
    let steps = &pipeline.steps;
    let mut at = main_chain(steps).len();
    while let Some(first) = steps.get(at) {
        let end = at + 1 + main_chain(&steps[at + 1..]).len();
        let tee = steps.iter().position(|step| step.tee().is_some() && step.tee() == first.from());
        let tee = tee.expect("the readers refuse a `from` that names no earlier tee");
        let tee_name = name(&format!("{}_tee", tee + 1));
        let from = elements.iter().position(|element| element.name.as_deref() == Some(&tee_name));
        let from = from.expect("a tee is before the branches that begin at it");

        let mut chain = Chain { is_raw: leaves_raw(&steps[..=tee]), ..Chain::default() };
        chain.begin_branch(Some(first), &name(&format!("{}_branch", at + 1)));
        for (position, step) in steps.iter().enumerate().take(end).skip(at) {
            let path = (position + 1).to_string();
            chain.push(step, &name, &path);
            if is_branched(step, steps) {
                let next = steps.get(position + 1).filter(|next| next.from().is_none());
                chain.begin_branch(next, &name(&format!("{path}_queue")));
            }
        }
        let last = &steps[end - 1];
        if !last.elements().last().is_some_and(|last| is_sink(last.factory)) {
            let sink = Element::new("fakesink").named(&name(&format!("{end}_end")));
            chain.elements.push(sink.bool("sync", false).bool("async", false));
        }
        chain.elements[0].from = Some(from);
        elements.append(&mut chain.elements);
        at = end;
    }
}

/// Whether a side branch begins at this step.
fn is_branched(step: &Step, steps: &[Step]) -> bool {
    step.tee().is_some() && steps.iter().any(|other| other.from() == step.tee())
}

/// Whether raw video leaves the tee that is the last of these steps.
fn leaves_raw(steps: &[Step]) -> bool {
    let tee = steps.len() - 1;
    // From the beginning of the branch that the tee is in; that begins at an
    // earlier tee, or at the decoder.
    let begin = steps[..=tee].iter().rposition(|step| step.from().is_some());
    let before = begin.and_then(|begin| {
        let from = steps[begin].from();
        steps[..begin].iter().position(|step| step.tee().is_some() && step.tee() == from)
    });
    let is_raw = before.is_none_or(|tee| leaves_raw(&steps[..=tee]));
    steps[begin.unwrap_or(0)..=tee].iter().fold(is_raw, leaves_raw_after)
}

/// Whether raw video leaves a step, if it did or did not leave the one before.
fn leaves_raw_after(is_raw: bool, step: &Step) -> bool {
    let leaves = |is_raw, element: ElementView<'_>| {
        let factory = element.factory;
        let after = if factory.ends_with("enc") || factory.starts_with("avenc_") {
            false
        } else if factory.ends_with("dec")
            || factory.starts_with("avdec_")
            || factory.starts_with("decodebin")
        {
            true
        } else {
            is_raw
        };
        element.caps.map_or(after, are_raw)
    };
    let after = step.elements().into_iter().fold(is_raw, leaves);
    match step {
        Step::Bin(Bin { caps: Some(caps), .. }) => are_raw(caps),
        _ => after,
    }
}

/// Video in a GPU's memory is none that a `videoconvert` takes.
fn are_raw(caps: &str) -> bool {
    caps.starts_with("video/x-raw") && !caps.contains("memory:")
}

/// Elements in a row.
struct Chain {
    elements: Vec<Element>,
    is_raw: bool,
}

impl Default for Chain {
    fn default() -> Chain {
        Chain { elements: Vec::new(), is_raw: true }
    }
}

impl Chain {
    /// Adds a step, whose elements are named by `name` from `path`, its place
    /// among the steps.
    fn push(&mut self, step: &Step, name: &dyn Fn(&str) -> String, path: &str) {
        let elements = step.elements();
        if self.is_raw && !elements.first().is_some_and(|first| ANY_CAPS.contains(&first.factory)) {
            self.elements.push(Element::new("videoconvert"));
        }
        let bin = if let Step::Bin(bin) = step { Some(bin) } else { None };
        for (position, element) in elements.into_iter().enumerate() {
            match bin {
                Some(_) => self.push_element(element, name, &format!("{path}-{}", position + 1)),
                None => self.push_element(element, name, path),
            }
        }
        if let Some(caps) = bin.and_then(|bin| bin.caps.as_ref()) {
            self.elements.push(Element::caps(caps));
        }
        self.is_raw = leaves_raw_after(self.is_raw, step);
    }

    fn push_element(&mut self, view: ElementView<'_>, name: &dyn Fn(&str) -> String, path: &str) {
        let ElementView { factory, properties, caps } = view;
        let element = Element::new(factory).named(&name(&format!("{path}_{factory}")));
        let mut element = with_properties(element, properties);
        if let Some(caps) = caps {
            if factory == "capsfilter" {
                element = element.text("caps", caps);
            } else {
                self.elements.push(element);
                element = Element::caps(caps);
            }
        }
        self.elements.push(element);
    }

    /// Puts a queue after a tee, unless the branch begins with one.
    fn begin_branch(&mut self, first: Option<&Step>, name: &str) {
        let first = first.and_then(|step| step.elements().into_iter().next());
        if !first.is_some_and(|first| ["queue", "queue2", "multiqueue"].contains(&first.factory)) {
            self.elements.push(Element::new("queue").named(name).int("max-size-buffers", 3));
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::dialect;
    use crate::model::Pace;
    use crate::path::Layout;
    use crate::pipeline::launch;
    use crate::plan::{CameraPlan, DialectName};

    /// The steps of one workload, as JSON, and the launch line after the source.
    #[track_caller]
    fn check(steps: &str, expect: Expect) {
        let text = format!(
            r#"{{"version": 1, "camera": "c", "slug": "c", "source": {{"kind": "usb", "device": "/dev/video0"}},
                "width": 640, "height": 360, "fps": 15.0, "target_fps": 15.0, "dialect": "stock",
                "workloads": ["w"], "apart": [], "assets": [],
                "pipelines": [{{"index": 1, "workloads": ["w"], "steps": {steps}}}]}}"#
        );
        let plan: CameraPlan = serde_json::from_str(&text).unwrap();
        assert_eq!(plan.dialect, DialectName::Stock);
        let spec = dialect::spec(&plan, &plan.pipelines[0], Pace::Live).unwrap();
        assert_eq!(spec.fault(), None);
        assert_eq!(spec.elements[spec.sink].name.as_deref(), Some("c_1_sink"));
        let line = launch::line(&spec, &Layout::new("/p".into()));
        let (_, after_source) = line.split_once("leaky=downstream ! ").unwrap();
        expect.assert_eq(&after_source.replace(" c_1", "\n  c_1"));
    }

    #[test]
    fn a_converter_is_before_elements_that_work_on_raw_video() {
        check(
            r#"[{"type": "queue"}, {"type": "zbar"}, {"type": "capsfilter", "caps": "video/x-raw,format=GRAY8"},
                {"type": "x264enc", "caps": "video/x-h264"}, {"type": "h264parse"}, {"type": "avdec_h264"},
                {"type": "motioncells"}]"#,
            expect![
                "queue name=c_1_1_queue ! videoconvert ! zbar name=c_1_2_zbar ! capsfilter name=c_1_3_capsfilter caps=video/x-raw,format=GRAY8 ! videoconvert ! x264enc name=c_1_4_x264enc ! video/x-h264 ! h264parse name=c_1_5_h264parse ! avdec_h264 name=c_1_6_avdec_h264 ! videoconvert ! motioncells name=c_1_7_motioncells ! fakesink name=c_1_sink sync=false async=false"
            ],
        );
    }

    #[test]
    fn a_bin_is_linked_as_it_is_written() {
        check(
            r#"[{"type": "bin", "caps": "video/x-raw,width=320", "steps": [
                 {"type": "videoscale", "caps": "video/x-raw,height=180"}, {"type": "zbar", "properties": {"cache": true}}]},
                {"type": "motioncells"}]"#,
            expect![
                "videoconvert ! videoscale name=c_1_1-1_videoscale ! video/x-raw,height=180 ! zbar name=c_1_1-2_zbar cache=true ! video/x-raw,width=320 ! videoconvert ! motioncells name=c_1_2_motioncells ! fakesink name=c_1_sink sync=false async=false"
            ],
        );
    }

    #[test]
    fn every_branch_begins_with_a_queue_and_ends_in_a_sink() {
        check(
            r#"[{"type": "zbar"}, {"type": "tee", "name": "t"}, {"type": "motioncells"},
                {"from": "t", "type": "queue", "properties": {"leaky": "downstream"}}, {"type": "x264enc"},
                {"type": "tee", "name": "u"}, {"type": "mp4mux"}, {"type": "filesink", "properties": {"location": "a.mp4"}},
                {"from": "u", "type": "h264parse"},
                {"from": "t", "type": "zbar"}]"#,
            expect![[r#"
                videoconvert ! zbar name=c_1_1_zbar ! tee name=c_1_2_tee ! queue name=c_1_2_queue max-size-buffers=3 ! videoconvert ! motioncells name=c_1_3_motioncells ! fakesink name=c_1_sink sync=false async=false
                  c_1_2_tee. ! queue name=c_1_4_queue leaky=downstream ! videoconvert ! x264enc name=c_1_5_x264enc ! tee name=c_1_6_tee ! queue name=c_1_6_queue max-size-buffers=3 ! mp4mux name=c_1_7_mp4mux ! filesink name=c_1_8_filesink location=results/files/c/1/a.mp4
                  c_1_6_tee. ! queue name=c_1_9_branch max-size-buffers=3 ! h264parse name=c_1_9_h264parse ! fakesink name=c_1_9_end sync=false async=false
                  c_1_2_tee. ! queue name=c_1_10_branch max-size-buffers=3 ! videoconvert ! zbar name=c_1_10_zbar ! fakesink name=c_1_10_end sync=false async=false"#]],
        );
    }
}
