//! Steps made of stock GStreamer elements, each behind a `videoconvert` that
//! costs nothing where the format already fits.

use super::{Dialect, element_name, with_properties};
use crate::config::project::{Codec, Pace};
use crate::pipeline::Element;
use crate::plan::{CameraPlan, PlannedPipeline, PlannedSource};

pub(super) struct Stock;

impl Dialect for Stock {
    fn decoder(&self, _: &PlannedPipeline, codec: Codec) -> Vec<Element> {
        // One thread per stream: many streams share the cores, and frame threads
        // would add their own delay to each.
        let decoder = match codec {
            Codec::H264 => "avdec_h264",
            Codec::H265 => "avdec_h265",
            Codec::Mjpeg => "avdec_mjpeg",
        };
        vec![Element::new(decoder).int("max-threads", 1)]
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
        let waits = matches!(plan.source, PlannedSource::File { .. });
        vec![Element::new("fakesink").named(&name).bool("sync", false).bool("async", waits)]
    }

    fn steps(&self, plan: &CameraPlan, pipeline: &PlannedPipeline, _: Pace) -> Vec<Element> {
        let mut elements = Vec::new();
        if let Some(region) = plan.region_of_interest {
            // A stock element sees no metadata of regions: it gets just the pixels.
            elements.push(
                Element::new("videocrop")
                    .int("left", region.x.into())
                    .int("top", region.y.into())
                    .int("right", plan.width.saturating_sub(region.x2).into())
                    .int("bottom", plan.height.saturating_sub(region.y2).into()),
            );
        }
        for (position, step) in pipeline.steps.iter().enumerate() {
            let name = element_name(plan, pipeline, &format!("{}_{}", position + 1, step.kind));
            elements.push(Element::new("videoconvert"));
            elements.push(with_properties(Element::new(&step.kind).named(&name), step));
        }
        elements
    }
}
