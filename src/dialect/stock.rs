//! Steps made of stock GStreamer elements, each behind a `videoconvert` that
//! costs nothing where the format already fits.

use super::{Dialect, element_name, with_properties};
use crate::pipeline::Element;
use crate::plan::{CameraPlan, PlannedPipeline};

pub(super) struct Stock;

impl Dialect for Stock {
    fn steps(&self, plan: &CameraPlan, pipeline: &PlannedPipeline) -> Vec<Element> {
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
